/* stream.h - a range of a xorb as it arrives: a sink that unpacks chunk by chunk, hashes each and puts its bytes where they
 * belong in the file. Never more than one packed chunk and one piece of output is in memory, however long the range.
 * After a break it goes on behind the last whole chunk. */
#ifndef XET_STREAM_H
#define XET_STREAM_H
#include "format/recon.h"
#include "format/xorb.h"
#include "plugin.h"

struct xet_place { /* a term: its chunks, and where they go */
  uint32_t start, end;
  uint64_t off; /* in the file, of its first byte */
  uint32_t raw, done;
};
struct xet_wanted { /* what may be written: the gap that is being filled */
  uint64_t off, end;
};

#define XET_STREAM_OUT   ((size_t)1 << 20)
#define XET_STREAM_BYTES (XET_STREAM_OUT + XET_STORED_MAX + 2 * (size_t)XET_CHUNK_MAX)

struct xet_stream {
  struct hf_sink s; /* what http() writes to; first */
  struct hf_sink *file;
  const struct xet_range *range;
  struct xet_wanted wanted;
  struct xet_place *places;   /* by start */
  uint32_t place_count, live; /* places before `live` are over */
  struct xet_hash *hashes;    /* of the range's chunks */
  uint32_t *lens;
  uint32_t next;     /* chunk */
  uint64_t consumed; /* bytes of whole chunks */
  struct xet_record record;
  uint8_t head[XET_RECORD_HEAD];
  size_t head_have, have;
  uint8_t *packed, *scratch, *plain, *out; /* of the ticket */
  uint64_t out_off;
  size_t out_len;
};
/* memory: XET_STREAM_BYTES. */
void xet_stream_begin(struct xet_stream *, void *memory);
/* The connection broke: what is half there goes. */
void xet_stream_again(struct xet_stream *);
/* Everything has come: was it all, and did every term get what it was promised? Writes what is left. */
hf_status xet_stream_end(hf_call *, struct xet_stream *);
#endif
