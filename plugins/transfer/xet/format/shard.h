/* shard.h - shards: which terms files are made of, and which chunks xorbs hold. Records of 48 bytes, little-endian, in two
 * sections that each end in a bookend; a footer may follow (then chunk hashes may be protected by a key).
 * Reading works in place on memory of the caller; everything is checked once, by xet_shard_read, and then only walked.
 * Writing appends to a buffer that grows. */
#ifndef XET_SHARD_H
#define XET_SHARD_H
#include "hash.h"

#define XET_SHARD_MAX ((size_t)64 << 20)
#define XET_SHARD_ROW 48u
enum { XET_FILE_VERIFY = 1u << 31, XET_FILE_META = 1u << 30, XET_CHUNK_GLOBAL = 1u << 31 };

struct xet_shard {
  const uint8_t *data;
  size_t len;
  size_t files_at, xorbs_at, end; /* end: behind the xorbs' bookend */
  uint32_t files, xorbs;
  uint64_t terms, chunks;
  int footer;
  struct xet_hash key; /* all zero: chunk hashes are as they are */
  uint64_t created, expires;
};
/* NULL, or what is wrong with it. */
const char *xet_shard_read(const uint8_t *, size_t len, struct xet_shard *);

struct xet_shard_file {
  struct xet_hash hash;
  uint32_t flags, terms;
  const uint8_t *term_rows, *verify_rows, *meta_row; /* NULL where there are none */
};
struct xet_shard_xorb {
  struct xet_hash hash;
  uint32_t flags, chunks, raw, stored;
  const uint8_t *chunk_rows;
};
struct xet_shard_term {
  struct xet_hash xorb;
  uint32_t raw, start, end;
};
struct xet_shard_chunk {
  struct xet_hash hash;
  uint32_t at, raw, flags;
};
/* *at begins as files_at or xorbs_at; 0: no more. */
int xet_shard_next_file(const struct xet_shard *, size_t *at, struct xet_shard_file *);
int xet_shard_next_xorb(const struct xet_shard *, size_t *at, struct xet_shard_xorb *);
void xet_shard_term(const struct xet_shard_file *, uint32_t i, struct xet_shard_term *);
void xet_shard_chunk(const struct xet_shard_xorb *, uint32_t i, struct xet_shard_chunk *);
void xet_shard_verify(const struct xet_shard_file *, uint32_t i, struct xet_hash *);
/* The SHA-256 as its usual 32 bytes. */
void xet_shard_sha256(const struct xet_shard_file *, uint8_t out[32]);

struct xet_bytes {
  uint8_t *data;
  size_t len, room;
  int failed; /* memory ran out; further writes do nothing */
};
void xet_bytes_free(struct xet_bytes *);
int xet_bytes_add(struct xet_bytes *, const void *, size_t); /* 1: done */

void xet_put_head(struct xet_bytes *, int footer);
void xet_put_file(struct xet_bytes *, const struct xet_hash *, uint32_t flags, uint32_t terms);
void xet_put_term(struct xet_bytes *, const struct xet_shard_term *);
void xet_put_verify(struct xet_bytes *, const struct xet_hash *);
void xet_put_sha256(struct xet_bytes *, const uint8_t sha256[32]);
void xet_put_xorb(struct xet_bytes *, const struct xet_hash *, uint32_t chunks, uint32_t raw, uint32_t stored);
void xet_put_chunk(struct xet_bytes *, const struct xet_shard_chunk *);
void xet_put_bookend(struct xet_bytes *);
/* xorbs_at: where the second section began. */
void xet_put_footer(struct xet_bytes *, size_t xorbs_at, const struct xet_hash *key, uint64_t created,
                    uint64_t expires);

/* A chunk hash as a shard with this key shows it. */
void xet_shard_hide(const struct xet_hash *key, const struct xet_hash *in, struct xet_hash *out);
/* Is the chunk worth a question to the global index? */
static inline int xet_is_global(const struct xet_hash *h) {
  return xet_hash_word(h, 3) % 1024 == 0;
}
#endif
