/* crc64.c - CRC-64/NVME by sixteen tables, sixteen bytes a step; where the processor multiplies without carry, by folding 128
 * bytes a step into eight accumulators (Gopal et al., "Fast CRC Computation Using PCLMULQDQ").
 * The polynomial in reflected form is 9a6c9329ac4bc9b5. Tables and factors are made on first use. */
#include "crc64.h"
#include <pthread.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_CLMUL 1
#include <cpuid.h>
#include <emmintrin.h>
#include <smmintrin.h>
#include <wmmintrin.h>
#endif

#define POLYNOMIAL UINT64_C(0x9a6c9329ac4bc9b5)

static uint64_t table[16][256];
static pthread_once_t made = PTHREAD_ONCE_INIT;

#ifdef HAVE_CLMUL
enum { LANES = 8, STEP = 16 * LANES, FOLD_FROM = 4 * STEP };
static int folds; /* this processor can */
static uint64_t over_step[2], over_one[2]; /* factors that move a lane over all lanes, or over one */

/* x^n modulo the polynomial, reflected. */
static uint64_t power(unsigned n) {
  uint64_t v = UINT64_C(1) << 63;
  while (n--) v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
  return v;
}

static void make_factors(void) {
  unsigned a, b, c, d;
  over_step[0] = power(8 * STEP + 63);
  over_step[1] = power(8 * STEP - 1);
  over_one[0] = power(128 + 63);
  over_one[1] = power(128 - 1);
  folds = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL) && (c & bit_SSE4_1);
}

__attribute__((target("pclmul,sse4.1"))) static inline __m128i fold(__m128i lane, __m128i factors, __m128i next) {
  __m128i low = _mm_clmulepi64_si128(lane, factors, 0x00), high = _mm_clmulepi64_si128(lane, factors, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* At least FOLD_FROM bytes, of which a multiple of STEP is used: 16 bytes come out that have the same remainder. */
__attribute__((target("pclmul,sse4.1"))) static size_t fold_all(uint64_t v, const uint8_t *p, size_t len,
                                                                uint8_t out[16]) {
  const __m128i step = _mm_set_epi64x((long long)over_step[1], (long long)over_step[0]);
  const __m128i one = _mm_set_epi64x((long long)over_one[1], (long long)over_one[0]);
  __m128i lane[LANES];
  size_t at = STEP;
  for (int i = 0; i < LANES; i++) lane[i] = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));
  lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi64_si128((long long)v));
  for (; len - at >= STEP; at += STEP)
    for (int i = 0; i < LANES; i++)
      lane[i] = fold(lane[i], step, _mm_loadu_si128((const __m128i *)(const void *)(p + at + 16 * i)));
  for (int i = 1; i < LANES; i++) lane[i] = fold(lane[i - 1], one, lane[i]);
  _mm_storeu_si128((__m128i *)(void *)out, lane[LANES - 1]);
  return at;
}
#endif

static void make(void) {
#ifdef HAVE_CLMUL
  make_factors();
#endif
  for (unsigned i = 0; i < 256; i++) {
    uint64_t v = i;
    for (int k = 0; k < 8; k++) v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
    table[0][i] = v;
  }
  for (unsigned t = 1; t < 16; t++)
    for (unsigned i = 0; i < 256; i++) table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 255];
}

static uint64_t word(const uint8_t *p) {
  uint64_t w = 0;
  for (int i = 7; i >= 0; i--) w = w << 8 | p[i];
  return w;
}

static uint64_t by_tables(uint64_t v, const uint8_t *p, size_t len) {
  for (; len >= 16; p += 16, len -= 16) {
    uint64_t a = v ^ word(p), b = word(p + 8), sum = 0;
    for (unsigned i = 0; i < 8; i++) sum ^= table[15 - i][a >> (8 * i) & 255] ^ table[7 - i][b >> (8 * i) & 255];
    v = sum;
  }
  while (len--) v = v >> 8 ^ table[0][(v ^ *p++) & 255];
  return v;
}

uint64_t xet_crc64(uint64_t before, const void *data, size_t len) {
  const uint8_t *p = data;
  uint64_t v = ~before;
  pthread_once(&made, make);
#ifdef HAVE_CLMUL
  if (folds && len >= FOLD_FROM) {
    uint8_t rest[16];
    size_t used = fold_all(v, p, len, rest);
    v = by_tables(0, rest, sizeof rest);
    p += used;
    len -= used;
  }
#endif
  return ~by_tables(v, p, len);
}
