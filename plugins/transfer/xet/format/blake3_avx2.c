/* blake3_avx2.c - BLAKE3 for 8 lanes with AVX2.
 * Rotations by 16 and 8 are byte shuffles, by 12 and 7 shifts; a block of every lane is transposed from 32-byte rows.
 * Compiled for any x86-64; used where the processor says so. */
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
INLINE V ror16(V x) {
  return _mm256_shuffle_epi8(x, _mm256_set_epi8(13, 12, 15, 14, 9, 8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2, 13, 12, 15, 14, 9,
                                                8, 11, 10, 5, 4, 7, 6, 1, 0, 3, 2));
}
INLINE V ror8(V x) {
  return _mm256_shuffle_epi8(x, _mm256_set_epi8(12, 15, 14, 13, 8, 11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1, 12, 15, 14, 13, 8,
                                                11, 10, 9, 4, 7, 6, 5, 0, 3, 2, 1));
}
#define ROR_16(x) ror16(x)
#define ROR_8(x)  ror8(x)
#define ROR_12(x) _mm256_or_si256(_mm256_srli_epi32(x, 12), _mm256_slli_epi32(x, 20))
#define ROR_7(x)  _mm256_or_si256(_mm256_srli_epi32(x, 7), _mm256_slli_epi32(x, 25))
#define ROR(x, n) ROR_##n(x)

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
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int i = 0; i < 8; i++) {
    m[i] = LOADU(at[i]);
    m[8 + i] = LOADU(at[i] + 32);
  }
  transpose8(m);
  transpose8(m + 8);
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  transpose8(h);
  for (int i = 0; i < 8; i++) _mm256_storeu_si256((__m256i *)(void *)jobs[i].out, h[i]);
}
#include "blake3_lanes.h"
static bool usable(void) {
  return cpu_has(CPU_AVX2, CPU_SAVED_AVX);
}
const struct b3_kernel b3_avx2 = {"avx2", L, usable, b3_run};
#else
const struct b3_kernel b3_avx2 = {"avx2", 8, 0, 0};
#endif
