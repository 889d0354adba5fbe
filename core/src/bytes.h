/* bytes.h - small pure pieces under the wrapped sink: the set of held byte ranges (ranges.c), a fast checksum (sum.c), and
 * the block journal's format (journal.c). None of them does I/O or knows a call.
 * Private to core/src. */
#ifndef HF_BYTES_H
#define HF_BYTES_H
#include "core.h"

/* Ranges that are held: ascending, disjoint, never adjacent. */
struct hf_ranges {
  struct hf_range *rows;
  uint32_t n, cap;
  uint64_t total; /* bytes in all of them */
};
enum { HF_RANGES_MOST = 1 << 20 };
bool hf_ranges_add(struct hf_ranges *, uint64_t off, uint64_t len); /* false: out of memory or too many pieces */
bool hf_ranges_cut(struct hf_ranges *, uint64_t off, uint64_t len); /* takes away; false as above */
bool hf_ranges_has(const struct hf_ranges *, uint64_t off, uint64_t len);
bool hf_ranges_touch(const struct hf_ranges *, uint64_t off, uint64_t len); /* is any byte of it held? */
uint64_t hf_ranges_end(const struct hf_ranges *, uint64_t off);             /* end of the run that holds off, or off */
/* What is absent below size; *n is the room in and the number out. */
void hf_ranges_gaps(const struct hf_ranges *, uint64_t size, struct hf_range *, uint32_t *n);
void hf_ranges_free(struct hf_ranges *);

/* 64-bit checksum against torn and stale blocks, not against people: four lanes of 64x64 -> 128 bit multiplication over
 * stripes of 64 bytes, little-endian words, the length folded in at the end. Many times faster than a digest. */
struct hf_sum {
  uint64_t lane[4], total;
  uint8_t tail[64];
};
void hf_sum_init(struct hf_sum *, uint64_t seed);
void hf_sum_add(struct hf_sum *, const void *, size_t);
uint64_t hf_sum_end(const struct hf_sum *); /* of what was added so far; more may follow */
uint64_t hf_sum_of(uint64_t seed, const void *, size_t);

/* One pass over the bytes of a source, fed in order: digests and the sums of blocks (scan.c). end frees what begin made;
 * not whole: and the result too. */
struct hf_pass {
  struct hf_scan *out;
  hf_digester *sha256, *git_blob;
  struct hf_sum sum;
  uint32_t filled; /* bytes of the running block */
};
hf_status hf_pass_begin(hf_call *, struct hf_pass *, struct hf_scan *out, uint32_t want, uint64_t size,
                        const char *name);
void hf_pass_add(struct hf_pass *, const void *, size_t); /* both of these, which may run on two threads: */
void hf_pass_digest(struct hf_pass *, const void *, size_t);
void hf_pass_sums(struct hf_pass *, const void *, size_t);
hf_status hf_pass_read(hf_call *, struct hf_source *, struct hf_pass *); /* all of it; scan_read.c */
/* The bytes of a source that is memory; NULL: it is none. */
const void *hf_source_held(const struct hf_source *);
hf_status hf_pass_end(hf_call *, struct hf_pass *, bool whole, const char *name);

/* A source whose bytes are scanned as they are read, once and in order; then, before the last pread returns, on_end gets
 * the result (its sums are released afterwards). Bytes that are read again are not scanned again. Takes `raw` over. */
hf_status hf_source_tally(hf_call *, struct hf_source *raw, uint32_t item,
                          hf_status (*on_end)(hf_call *, void *arg, const struct hf_scan *), void *arg,
                          struct hf_source **);

/* The journal: a header, then fixed records, each checked by itself, so that a torn or foreign one is ignored. A record says
 * that the first `len` bytes of block `block` have checksum `sum`; the last record of a block counts. All little-endian. */
enum { HF_JOURNAL_HEAD = 128, HF_JOURNAL_RECORD = 24, HF_JOURNAL_LEAF = 48, HF_JOURNAL_BLOCKS_MOST = 1 << 24 };
struct hf_journal_block {
  uint32_t len; /* 0: nothing known */
  uint64_t sum;
};
/* Block size of a file, 0: too small (or too large) to be journaled. */
uint32_t hf_journal_block(uint64_t size);
uint32_t hf_journal_blocks(uint64_t size, uint32_t block);
/* Everything that must be equal for old bytes to count goes into the header. Returns the salt of its records. */
uint64_t hf_journal_head(uint8_t out[HF_JOURNAL_HEAD], uint64_t size, uint32_t block, const char *etag,
                         const struct hf_digest *);
void hf_journal_record(uint8_t out[HF_JOURNAL_RECORD], uint64_t salt, uint32_t block, uint32_t len, uint64_t sum);
/* Reads whole records into the table of `blocks` rows; what is not a record of this file is skipped. */
void hf_journal_parse(const uint8_t *data, size_t len, uint64_t salt, uint64_t size, uint32_t block,
                      struct hf_journal_block *table, uint32_t blocks);
/* Between them, two records long: what an adapter knows of the bytes (off, len, hash). len fits 32 bits. */
void hf_journal_leaf(uint8_t out[HF_JOURNAL_LEAF], uint64_t salt, const struct hf_leaf *);
bool hf_journal_leaf_read(const uint8_t in[HF_JOURNAL_LEAF], uint64_t salt, uint64_t size, struct hf_leaf *);
#endif
