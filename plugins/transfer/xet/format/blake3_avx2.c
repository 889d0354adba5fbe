/* blake3_avx2.c - BLAKE3 for 8 lanes with AVX2. The seven rounds are written out: 16 registers hold the state but one word, the
 * message and the masks are operands in memory, and the last register is what shifts need; compilers spill what is needed next.
 * Rotations by 16 and 8 are byte shuffles, by 12 and 7 shifts. Compiled for any x86-64; used where the processor says so. */
#include "blake3.h"
#include "cpu.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <string.h>
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define L      8
typedef __m256i V;
#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define AND(a, b) _mm256_and_si256(a, b)
#define SET1(x)   _mm256_set1_epi32((int)(x))
#define LOADU(p)  _mm256_loadu_si256((const __m256i *)(const void *)(p))
INLINE void transpose8(V r[8]) {
  V a0 = _mm256_unpacklo_epi32(r[0], r[1]), a1 = _mm256_unpackhi_epi32(r[0], r[1]);
  V a2 = _mm256_unpacklo_epi32(r[2], r[3]), a3 = _mm256_unpackhi_epi32(r[2], r[3]);
  V a4 = _mm256_unpacklo_epi32(r[4], r[5]), a5 = _mm256_unpackhi_epi32(r[4], r[5]);
  V a6 = _mm256_unpacklo_epi32(r[6], r[7]), a7 = _mm256_unpackhi_epi32(r[6], r[7]);
  V b0 = _mm256_unpacklo_epi64(a0, a2), b1 = _mm256_unpackhi_epi64(a0, a2);
  V b2 = _mm256_unpacklo_epi64(a1, a3), b3 = _mm256_unpackhi_epi64(a1, a3);
  V b4 = _mm256_unpacklo_epi64(a4, a6), b5 = _mm256_unpackhi_epi64(a4, a6);
  V b6 = _mm256_unpacklo_epi64(a5, a7), b7 = _mm256_unpackhi_epi64(a5, a7);
  r[0] = _mm256_permute2x128_si256(b0, b4, 0x20);
  r[1] = _mm256_permute2x128_si256(b1, b5, 0x20);
  r[2] = _mm256_permute2x128_si256(b2, b6, 0x20);
  r[3] = _mm256_permute2x128_si256(b3, b7, 0x20);
  r[4] = _mm256_permute2x128_si256(b0, b4, 0x31);
  r[5] = _mm256_permute2x128_si256(b1, b5, 0x31);
  r[6] = _mm256_permute2x128_si256(b2, b6, 0x31);
  r[7] = _mm256_permute2x128_si256(b3, b7, 0x31);
}
/* Rows i and i + 4 come in as halves of one register, which spares the exchange of halves. */
INLINE V two_rows(const uint8_t *low, const uint8_t *high) {
  V r = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
  return _mm256_inserti128_si256(r, _mm_loadu_si128((const __m128i *)(const void *)high), 1);
}
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int q = 0; q < 4; q++) {
    V r0 = two_rows(at[0] + 16 * q, at[4] + 16 * q), r1 = two_rows(at[1] + 16 * q, at[5] + 16 * q);
    V r2 = two_rows(at[2] + 16 * q, at[6] + 16 * q), r3 = two_rows(at[3] + 16 * q, at[7] + 16 * q);
    V a = _mm256_unpacklo_epi32(r0, r1), b = _mm256_unpackhi_epi32(r0, r1);
    V c = _mm256_unpacklo_epi32(r2, r3), d = _mm256_unpackhi_epi32(r2, r3);
    m[4 * q] = _mm256_unpacklo_epi64(a, c);
    m[4 * q + 1] = _mm256_unpackhi_epi64(a, c);
    m[4 * q + 2] = _mm256_unpacklo_epi64(b, d);
    m[4 * q + 3] = _mm256_unpackhi_epi64(b, d);
  }
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  transpose8(h);
  for (int i = 0; i < 8; i++) _mm256_storeu_si256((__m256i *)(void *)jobs[i].out, h[i]);
}
/* ---- the rounds: a0-a3 are ymm0-3, b ymm4-7, c ymm8-11, d ymm12-15; c0 lives in memory, ymm8 is scratch in between ---- */

#define OP(op, from, to) op " %%ymm" #from ", %%ymm" #to ", %%ymm" #to "\n\t"
#define MESSAGE(i, to)   "vpaddd 32*" #i "(%[m]), %%ymm" #to ", %%ymm" #to "\n\t"
#define TURN(mask, to)   "vpshufb " mask "(%[k]), %%ymm" #to ", %%ymm" #to "\n\t"
#define SHIFT(r, l, to)                     \
  "vpsrld $" #r ", %%ymm" #to               \
  ", %%ymm8\n\t"                            \
  "vpslld $" #l ", %%ymm" #to ", %%ymm" #to \
  "\n\t"                                    \
  "vpor %%ymm8, %%ymm" #to ", %%ymm" #to "\n\t"
#define FIRST_C(d)   "vpaddd 64(%[k]), %%ymm" #d ", %%ymm8\n\t"
#define FIRST_C_KEEP "vmovdqa %%ymm8, 64(%[k])\n\t"
#define HALF(x0, x1, x2, x3, b0, b1, b2, b3, sum0, c0, sum1, c1, sum2, c2, sum3, c3, d0, d1, d2, d3, mask, r, l)     \
  MESSAGE(x0, 0)                                                                                                     \
  MESSAGE(x1, 1) MESSAGE(x2, 2) MESSAGE(x3, 3) OP("vpaddd", b0, 0) OP("vpaddd", b1, 1) OP("vpaddd", b2, 2)           \
      OP("vpaddd", b3, 3) OP("vpxor", 0, d0) OP("vpxor", 1, d1) OP("vpxor", 2, d2) OP("vpxor", 3, d3) TURN(mask, d0) \
          TURN(mask, d1) TURN(mask, d2) TURN(mask, d3) sum0 sum1 sum2 sum3 OP("vpxor", c0, b0) OP("vpxor", c1, b1)   \
              OP("vpxor", c2, b2) OP("vpxor", c3, b3) FIRST_C_KEEP                                                   \
              SHIFT(r, l, b0) SHIFT(r, l, b1) SHIFT(r, l, b2) SHIFT(r, l, b3)
#define COLUMNS(x0, x1, x2, x3, mask, r, l)                                                          \
  HALF(x0, x1, x2, x3, 4, 5, 6, 7, FIRST_C(12), 8, OP("vpaddd", 13, 9), 9, OP("vpaddd", 14, 10), 10, \
       OP("vpaddd", 15, 11), 11, 12, 13, 14, 15, mask, r, l)
#define DIAGONALS(x0, x1, x2, x3, mask, r, l)                                                          \
  HALF(x0, x1, x2, x3, 5, 6, 7, 4, OP("vpaddd", 15, 10), 10, OP("vpaddd", 12, 11), 11, FIRST_C(13), 8, \
       OP("vpaddd", 14, 9), 9, 15, 12, 13, 14, mask, r, l)
#define ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
  COLUMNS(i0, i2, i4, i6, "0", 12, 20)                                         \
  COLUMNS(i1, i3, i5, i7, "32", 7, 25) DIAGONALS(i8, ia, ic, ie, "0", 12, 20) DIAGONALS(i9, ib, id, if_, "32", 7, 25)
#define LOAD(i, reg)    "vmovdqa 32*" #i "(%[v]), %%ymm" #reg "\n\t"
#define FOLD(i, lo, hi) OP("vpxor", hi, lo) "vmovdqa %%ymm" #lo ", 32*" #i "(%[v])\n\t"

struct work {
  V v[16]; /* h, then iv, counters, length, flags; afterwards the new h in front */
  V mask[2], c0;
};

INLINE void compress8(struct work *w, const V m[16]) {
  w->c0 = w->v[8];
  __asm__ volatile(LOAD(0, 0) LOAD(1, 1) LOAD(2, 2) LOAD(3, 3) LOAD(4, 4) LOAD(5, 5) LOAD(6, 6) LOAD(7, 7) LOAD(9, 9)
                       LOAD(10, 10) LOAD(11, 11) LOAD(12, 12) LOAD(13, 13) LOAD(14, 14) LOAD(15, 15)
                           B3_ORDER(ROUND) "vmovdqa 64(%[k]), %%ymm8\n\t" FOLD(0, 0, 8) FOLD(1, 1, 9) FOLD(2, 2, 10)
                               FOLD(3, 3, 11) FOLD(4, 4, 12) FOLD(5, 5, 13) FOLD(6, 6, 14) FOLD(7, 7, 15)
                   :
                   : [v] "r"(w->v), [m] "r"(m), [k] "r"(w->mask)
                   : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                     "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}
INLINE void b3_compress(const V h[8], const V m[16], const V tail[4], V out[8]) {
  struct work w;
  for (int i = 0; i < 8; i++) w.v[i] = h[i];
  for (int i = 0; i < 4; i++) w.v[8 + i] = SET1(b3_iv[i]), w.v[12 + i] = tail[i];
  w.mask[0] = _mm256_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2, 13, 12, 15, 14, 9, 8, 11, 10, 5, 4,
                              7, 6, 1, 0, 3, 2);
  w.mask[1] = _mm256_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1, 12, 15, 14, 13, 8, 11, 10, 9, 4, 7,
                              6, 5, 0, 3, 2, 1);
  compress8(&w, m);
  for (int i = 0; i < 8; i++) out[i] = w.v[i];
}
#define B3_OWN_COMPRESS
#include "blake3_lanes.h"

typedef __m128i R;
#define R_ADD(a, b)       _mm_add_epi32(a, b)
#define R_XOR(a, b)       _mm_xor_si128(a, b)
#define R_ROR_16(x)       _mm_shuffle_epi8(x, _mm_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2))
#define R_ROR_8(x)        _mm_shuffle_epi8(x, _mm_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1))
#define R_ROR_12(x)       _mm_or_si128(_mm_srli_epi32(x, 12), _mm_slli_epi32(x, 20))
#define R_ROR_7(x)        _mm_or_si128(_mm_srli_epi32(x, 7), _mm_slli_epi32(x, 25))
#define R_ROR(x, n)       R_ROR_##n(x)
#define R_TURN(x, n)      _mm_shuffle_epi32(x, ((n) + 0) % 4 | ((n) + 1) % 4 << 2 | ((n) + 2) % 4 << 4 | ((n) + 3) % 4 << 6)
#define R_LOAD(p)         _mm_loadu_si128((const __m128i *)(const void *)(p))
#define R_STORE(p, x)     _mm_storeu_si128((__m128i *)(void *)(p), x)
#define R_SET(a, b, c, d) _mm_set_epi32((int)(d), (int)(c), (int)(b), (int)(a))
#include "blake3_row.h"
static bool usable(void) {
  return cpu_has(CPU_AVX2, CPU_SAVED_AVX);
}
const struct b3_kernel b3_avx2 = {"avx2", L, usable, b3_run, b3_block};
#else
const struct b3_kernel b3_avx2 = {"avx2", 8, 0, 0, 0};
#endif
