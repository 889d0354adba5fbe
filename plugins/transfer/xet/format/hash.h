/* hash.h - the hashes of the Xet format: keyed BLAKE3 over one or many inputs, Merkle aggregation, the printed form.
 * Everything is a function of its arguments: no state, no allocation, any thread.
 * Source of the constants: draft-denis-xet; BLAKE3 specification, section 2. */
#ifndef XET_HASH_H
#define XET_HASH_H
#include <stddef.h>
#include <stdint.h>

struct xet_hash {
  uint8_t b[32]; /* as it travels in binary; the printed form reverses the bytes inside each 8-byte word */
};

extern const struct xet_hash xet_key_data, xet_key_node, xet_key_verify; /* chunks, inner nodes, range verification */

/* One keyed BLAKE3 hash. */
void xet_blake3(const struct xet_hash *key, const void *data, size_t len, struct xet_hash *out);

/* n independent inputs under one key. Lanes are filled across inputs, so that several chunks at once cost less than one by
 * one. Inputs up to XET_BATCH_LEN bytes each; longer ones are hashed alone. */
#define XET_BATCH_LEN 131072u
void xet_blake3_batch(const struct xet_hash *key, const void *const *data, const size_t *len, size_t n,
                      struct xet_hash *out);

/* Name of the kernel chosen for this processor: "portable", "avx2", "avx512", "neon". force: use that one instead (tests,
 * benchmarks); NULL returns to the choice. Answers 0 when this processor or build lacks it. */
const char *xet_blake3_kernel(void);
int xet_blake3_force(const char *name);

/* The hash of a list of (hash, raw size): of a xorb over its chunks, of a file over all of its chunks. Fed in order; about
 * 40 * 9 bytes of state per level, whatever the count. */
struct xet_merkle_entry {
  struct xet_hash hash;
  uint64_t size;
};
#define XET_MERKLE_LEVELS 32
struct xet_merkle {
  struct {
    struct xet_merkle_entry pending[9];
    uint32_t n;      /* entries waiting in this level */
    uint64_t closed; /* groups this level has handed up */
  } level[XET_MERKLE_LEVELS];
  uint64_t total; /* entries in all */
};
void xet_merkle_init(struct xet_merkle *);
void xet_merkle_add(struct xet_merkle *, const struct xet_hash *, uint64_t size);
/* The aggregate; the state is used up. Zero entries: 32 zero bytes. */
void xet_merkle_end(struct xet_merkle *, struct xet_hash *out);
/* File hash: the aggregate under the salt (32 zero bytes on the Hub); of no chunks: 32 zero bytes. */
void xet_file_hash(const struct xet_hash *aggregate, uint64_t chunks, struct xet_hash *out);

void xet_hash_print(const struct xet_hash *, char text[65]);
int xet_hash_read(const char *text, struct xet_hash *); /* 1: it was 64 lower-case hex digits */
static inline uint64_t xet_hash_word(const struct xet_hash *h, unsigned i) {
  uint64_t w = 0;
  for (unsigned k = 8; k-- > 0;) w = w << 8 | h->b[8 * i + k];
  return w;
}
#endif
