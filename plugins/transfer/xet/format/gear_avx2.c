/* gear_avx2.c - the scan for candidates with AVX2: the hashes of four lanes lie in one register, their smallest values of
 * eight steps are tested at once. One lane's bytes come out of words, so that the loads do not wait for one another.
 * Compiled for any x86-64; used where the processor says so. */
#include "cpu.h"
#include "gear.h"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#include <string.h>
#define TARGET __attribute__((target("avx2")))
#define INLINE TARGET static inline __attribute__((always_inline))

INLINE __m256i words(const uint64_t *table, uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  __m128d low = _mm_load_sd((const double *)(const void *)&table[a]);
  __m128d high = _mm_load_sd((const double *)(const void *)&table[c]);
  low = _mm_loadh_pd(low, (const double *)(const void *)&table[b]);
  high = _mm_loadh_pd(high, (const double *)(const void *)&table[d]);
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_castpd_si128(low)), _mm_castpd_si128(high), 1);
}

enum { AHEAD = 2048 }; /* places of each lane: memory is asked for what the next block reads */

/* Eight steps of all lanes; the upper halves of *least are the smallest upper halves of the hashes. */
INLINE __m256i steps(__m256i h, const uint8_t *p, uint32_t lane, const uint64_t *table, __m256i *least) {
  uint64_t first;
  memcpy(&first, p, sizeof first);
  const uint8_t *b = p + lane, *c = b + lane, *d = c + lane;
  *least = _mm256_set1_epi32(-1);
#pragma GCC unroll 8
  for (uint32_t i = 0; i < GEAR_GROUP; i++) {
    h = _mm256_add_epi64(_mm256_add_epi64(h, h), words(table, (uint8_t)first, b[i], c[i], d[i]));
    *least = _mm256_min_epu32(*least, h);
    first >>= 8;
  }
  return h;
}

TARGET static uint32_t run(const uint8_t *p, uint32_t lane, const uint64_t table[256], struct gear_group *found,
                           uint32_t most) {
  __m256i h = _mm256_setzero_si256(), least;
  uint32_t n = 0;
  for (const uint8_t *at = p - GEAR_WINDOW; at < p; at += GEAR_GROUP) h = steps(h, at, lane, table, &least);
  for (uint32_t at = 0; at < lane; at += GEAR_GROUP) {
    _mm_prefetch((const char *)((uintptr_t)p + GEAR_LANES * (AHEAD + (uintptr_t)at)), _MM_HINT_T0);
    h = steps(h, p + at, lane, table, &least);
    __m256i zero = _mm256_cmpeq_epi32(_mm256_srli_epi32(least, 16), _mm256_setzero_si256());
    int mask = _mm256_movemask_pd(_mm256_castsi256_pd(zero)); /* the sign of a lane is that of its upper half */
    if (__builtin_expect(mask != 0, 0)) {
      if (n == most) return n + 1;
      found[n++] = (struct gear_group){(uint16_t)at, (uint16_t)mask};
    }
  }
  return n;
}

static bool usable(void) {
  return cpu_has(CPU_AVX2, CPU_SAVED_AVX);
}
const struct gear_kernel gear_avx2 = {"avx2", usable, run};
#else
const struct gear_kernel gear_avx2 = {"avx2", 0, 0};
#endif
