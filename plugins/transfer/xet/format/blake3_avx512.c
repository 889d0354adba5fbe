/* blake3_avx512.c - BLAKE3 for 16 lanes with AVX-512 (F, VL).
 * Rotations are one instruction; a block of every lane is transposed in three passes.
 * Compiled for any x86-64; used where the processor says so. */
#include "blake3.h"
#include "cpu.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <string.h>
#define TARGET __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq")))
#define INLINE TARGET static inline __attribute__((always_inline))
#define L      16
typedef __m512i V;
#define ADD(a, b) _mm512_add_epi32(a, b)
#define XOR(a, b) _mm512_xor_si512(a, b)
#define AND(a, b) _mm512_and_si512(a, b)
#define SET1(x)   _mm512_set1_epi32((int)(x))
#define LOADU(p)  _mm512_loadu_si512((const void *)(p))
#define ROR(x, n) _mm512_ror_epi32(x, n)

INLINE void transpose16(V r[16]) {
  V a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
    b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
    b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
    b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
  }
  for (int i = 0; i < 4; i++) {
    V x = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88), y = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
    V z = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd), w = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    r[i] = _mm512_shuffle_i32x4(x, y, 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(x, y, 0xdd);
    r[i + 4] = _mm512_shuffle_i32x4(z, w, 0x88);
    r[i + 12] = _mm512_shuffle_i32x4(z, w, 0xdd);
  }
}
INLINE void b3_transpose_in(const uint8_t *const at[L], V m[16]) {
  for (int i = 0; i < 16; i++) m[i] = LOADU(at[i]);
  transpose16(m);
}
INLINE void b3_out(V h[8], const struct b3_job *jobs) {
  V r[16];
  for (int i = 0; i < 8; i++) r[i] = h[i];
  for (int i = 8; i < 16; i++) r[i] = _mm512_setzero_si512();
  transpose16(r);
  for (int i = 0; i < 16; i++) _mm256_storeu_si256((__m256i *)(void *)jobs[i].out, _mm512_castsi512_si256(r[i]));
}
#include "blake3_lanes.h"

typedef __m128i R;
#define R_ADD(a, b)       _mm_add_epi32(a, b)
#define R_XOR(a, b)       _mm_xor_si128(a, b)
#define R_ROR(x, n)       _mm_ror_epi32(x, n)
#define R_TURN(x, n)      _mm_shuffle_epi32(x, ((n) + 0) % 4 | ((n) + 1) % 4 << 2 | ((n) + 2) % 4 << 4 | ((n) + 3) % 4 << 6)
#define R_LOAD(p)         _mm_loadu_si128((const __m128i *)(const void *)(p))
#define R_STORE(p, x)     _mm_storeu_si128((__m128i *)(void *)(p), x)
#define R_SET(a, b, c, d) _mm_set_epi32((int)(d), (int)(c), (int)(b), (int)(a))
#include "blake3_row.h"
static bool usable(void) {
  return cpu_has(CPU_AVX512_ALL, CPU_SAVED_AVX512);
}
const struct b3_kernel b3_avx512 = {"avx512", L, usable, b3_run, b3_block};
#else
const struct b3_kernel b3_avx512 = {"avx512", 16, 0, 0, 0};
#endif
