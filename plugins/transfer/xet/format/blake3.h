/* blake3.h - what the BLAKE3 kernels share: a job is one node of the tree, a kernel runs several jobs side by side.
 * Private to blake3*.c. Full leaves (1024 bytes) and parents (64 bytes) go through the even path, the rest through the
 * ragged one, where each lane has its own length. */
#ifndef XET_BLAKE3_H
#define XET_BLAKE3_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { B3_START = 1, B3_END = 2, B3_PARENT = 4, B3_ROOT = 8, B3_KEYED = 16 };
#define B3_BLOCK 64u
#define B3_LEAF  1024u

/* Which message words the steps of a round take. */
#define B3_ORDER(ROUND)                                       \
  ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) \
  ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8) \
  ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1) \
  ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6) \
  ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4) \
  ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7) \
  ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13)

struct b3_job {
  const uint8_t *in;
  uint64_t counter; /* leaf number, 0 for parents */
  uint32_t len;     /* bytes, at least 1; even path: equal for all and a multiple of 64 */
  uint32_t last;    /* flags added to the last block: B3_END, B3_ROOT */
  uint32_t *out;    /* 8 words */
};

static const uint32_t b3_iv[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                  0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};

#define B3_LANES 32u /* the most that a kernel has */

/* flags: on every block; first: added to the first. Runs exactly `lanes` jobs. even: all have the same whole blocks. */
struct b3_kernel {
  const char *name;
  uint32_t lanes;
  bool (*usable)(void);
  void (*run)(const struct b3_job *, const uint32_t key[8], uint32_t flags, uint32_t first, bool even);
  /* One block into one state, for what has no neighbours; block: 64 bytes. NULL: the portable way. */
  void (*block)(uint32_t h[8], const uint8_t *block, uint64_t counter, uint32_t len, uint32_t flags);
  const struct b3_kernel *narrow; /* for fewer jobs than fill this one; NULL: none */
  bool even_only;                 /* has no ragged path: the narrow one does that */
};
extern const struct b3_kernel b3_avx2, b3_avx512, b3_neon; /* the widest of each kind */
#endif
