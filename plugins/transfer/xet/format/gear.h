/* gear.h - what the ways of scanning for candidates share: a kernel runs four lanes of a block side by side.
 * Private to gear*.c. A candidate is a place behind a byte where the hash of the last 64 bytes is below GEAR_BELOW.
 * Kernels say in which group of eight places something was found; the exact places are looked up afterwards. */
#ifndef XET_GEAR_H
#define XET_GEAR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEAR_WINDOW 64u
#define GEAR_BELOW  (UINT64_C(1) << 48)
#define GEAR_GROUP  8u
#define GEAR_LANES  4u

struct gear_group {
  uint16_t at;    /* first of its places in a lane */
  uint16_t lanes; /* bit k: lane k */
};
struct gear_kernel {
  const char *name;
  bool (*usable)(void);
  /* Lane k is p[k * lane .. (k + 1) * lane); 64 bytes in front of p are readable; lane is a multiple of GEAR_GROUP.
   * Answers how many groups were found, or most + 1 as soon as there are more. */
  uint32_t (*run)(const uint8_t *p, uint32_t lane, const uint64_t table[256], struct gear_group *, uint32_t most);
};
extern const struct gear_kernel gear_avx2;
#endif
