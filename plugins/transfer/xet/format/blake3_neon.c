/* blake3_neon.c - BLAKE3 for 4 lanes with NEON, which every AArch64 processor has.
 * Rotations are shift and insert; a block of every lane is transposed in 16-byte rows.
 * Empty on other machines. */
#include "blake3.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>
#define TARGET
#define INLINE static inline __attribute__((always_inline))
#define L      4
typedef uint32x4_t V;
#define ADD(a, b) vaddq_u32(a, b)
#define XOR(a, b) veorq_u32(a, b)
#define AND(a, b) vandq_u32(a, b)
#define SET1(x)   vdupq_n_u32(x)
#define LOADU(p)  vld1q_u32((const uint32_t *)(const void *)(p))
#define ROR(x, n) vsriq_n_u32(vshlq_n_u32(x, 32 - (n)), x, n)

/* Four words of one state; turned by n words to the left. */
typedef uint32x4_t R;
#define R_ADD(a, b)       vaddq_u32(a, b)
#define R_XOR(a, b)       veorq_u32(a, b)
#define R_ROR(x, n)       ROR(x, n)
#define R_TURN(x, n)      vextq_u32(x, x, n)
#define R_LOAD(p)         vld1q_u32(p)
#define R_STORE(p, x)     vst1q_u32(p, x)
#define R_SET(a, b, c, d) ((R){a, b, c, d})

INLINE void transpose4(V r[4]) {
  uint32x4x2_t a = vtrnq_u32(r[0], r[1]), b = vtrnq_u32(r[2], r[3]);
  r[0] = vcombine_u32(vget_low_u32(a.val[0]), vget_low_u32(b.val[0]));
  r[1] = vcombine_u32(vget_low_u32(a.val[1]), vget_low_u32(b.val[1]));
  r[2] = vcombine_u32(vget_high_u32(a.val[0]), vget_high_u32(b.val[0]));
  r[3] = vcombine_u32(vget_high_u32(a.val[1]), vget_high_u32(b.val[1]));
}
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int q = 0; q < 4; q++) {
    for (int i = 0; i < 4; i++) m[4 * q + i] = vreinterpretq_u32_u8(vld1q_u8(at[i] + 16 * q));
    transpose4(m + 4 * q);
  }
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  transpose4(h);
  transpose4(h + 4);
  for (int i = 0; i < 4; i++) {
    vst1q_u32(jobs[i].out, h[i]);
    vst1q_u32(jobs[i].out + 4, h[4 + i]);
  }
}
#include "blake3_lanes.h"
#include "blake3_row.h"
static bool usable(void) {
  return true;
}
const struct b3_kernel b3_neon = {"neon", L, usable, b3_run, b3_block, 0, false};
#else
const struct b3_kernel b3_neon = {"neon", 4, 0, 0, 0, 0, false};
#endif
