/* xorb.h - chunk records, of which xorbs are made: eight bytes of header, then the chunk, stored as it is, as an LZ4 frame,
 * or as an LZ4 frame over the chunk regrouped by fours. A footer may follow; nobody needs it.
 * Every function checks what it reads; sizes are those of the format, so nothing a record says can ask for more. */
#ifndef XET_XORB_H
#define XET_XORB_H
#include "chunk.h"
#include "hash.h"

#define XET_RECORD_HEAD     8u
#define XET_STORED_MAX      262144u              /* of one record's payload */
#define XET_XORB_RAW_MAX    (UINT32_C(64) << 20) /* chunk bytes of a xorb */
#define XET_XORB_CHUNKS_MAX 8192u
#define XET_XORB_BODY_MAX   (XET_XORB_RAW_MAX + XET_RECORD_HEAD * XET_XORB_CHUNKS_MAX)

enum { XET_NONE = 0, XET_LZ4 = 1, XET_BG4_LZ4 = 2 };

struct xet_record {
  uint32_t scheme, stored, raw;
};
/* NULL, or why the header is not one. */
const char *xet_record_read(const uint8_t head[XET_RECORD_HEAD], struct xet_record *);
void xet_record_write(const struct xet_record *, uint8_t head[XET_RECORD_HEAD]);
/* Does the footer begin here? */
int xet_is_footer(const uint8_t *, size_t len);

/* Unpacks the payload into out (raw bytes). scratch: XET_CHUNK_MAX bytes, used by scheme 2. NULL, or why not. */
const char *xet_unpack(const struct xet_record *, const uint8_t *payload, uint8_t *out, uint8_t *scratch);

/* Packs a chunk by the scheme, or as it is where that would not be shorter, header included. out: XET_RECORD_HEAD + raw
 * bytes suffice. state: XET_PACK_STATE bytes of scratch. Answers the bytes written. */
#define XET_PACK_STATE (XET_CHUNK_MAX + 32768u)
size_t xet_pack(uint32_t scheme, const uint8_t *raw, size_t len, uint8_t *out, void *state);
/* The scheme that suits the chunk, by packing a sample of it. */
uint32_t xet_choose(const uint8_t *raw, size_t len, void *state);

void xet_bg4_group(const uint8_t *in, size_t len, uint8_t *out);
void xet_bg4_ungroup(const uint8_t *in, size_t len, uint8_t *out);

/* Reads a whole xorb: each chunk is unpacked and hashed. fn may be NULL; non-zero stops. out: hash, count, raw bytes, and the
 * length without footer. NULL, or what is wrong with it. */
struct xet_xorb {
  struct xet_hash hash;
  uint32_t chunks;
  uint64_t raw, body;
  int footer;
};
struct xet_xorb_chunk {
  uint32_t index;
  uint64_t at, raw_at; /* of its record in the xorb, of its bytes in what the xorb holds */
  struct xet_record record;
  struct xet_hash hash;
  const uint8_t *data;
};
const char *xet_xorb_read(const uint8_t *, size_t len, struct xet_xorb *out,
                          int (*fn)(void *, const struct xet_xorb_chunk *), void *arg);
#endif
