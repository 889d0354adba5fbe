/* base64.c - reading base64 (body.h): by 32 digits at a time where the processor can, by four otherwise.
 * Strict: nothing but digits, padding where it belongs. Decoding in place is fine.
 * The room is that of the size in the text; what is behind the last byte may be written over within it. */
#include "body.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The value of a digit plus one; 0 for what is none. */
static const unsigned char digits[256] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  0,  64, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  0,  0,  27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0};

#if defined(__x86_64__)
/* 32 digits to 24 bytes a step, as long as all are digits; a step writes 32 bytes, which the rest of the text has room for.
 * The upper half of a character tells what to add to it, and with the lower half whether it is a digit at all. */
__attribute__((target("avx2"))) static size_t decode_wide(const unsigned char *from, size_t size, char *out) {
  const __m256i low =
      _mm256_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a,
                       0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1a, 0x1b, 0x1b, 0x1b, 0x1a);
  const __m256i high =
      _mm256_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10,
                       0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
  const __m256i add = _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 19, 4, -65, -65,
                                       -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5, 4, 10,
                                         9, 8, 14, 13, 12, -1, -1, -1, -1);
  const __m256i join = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7), slash = _mm256_set1_epi8('/');
  size_t at = 0;
  for (; size - at >= 48; at += 32, out += 24) {
    __m256i text = _mm256_loadu_si256((const __m256i *)(const void *)(from + at));
    __m256i upper = _mm256_and_si256(_mm256_srli_epi32(text, 4), slash), lower = _mm256_and_si256(text, slash);
    if (!_mm256_testz_si256(_mm256_shuffle_epi8(low, lower), _mm256_shuffle_epi8(high, upper))) break;
    __m256i shift = _mm256_add_epi8(_mm256_cmpeq_epi8(text, slash), upper);
    __m256i sixes = _mm256_add_epi8(text, _mm256_shuffle_epi8(add, shift));
    __m256i twelves = _mm256_maddubs_epi16(sixes, _mm256_set1_epi32(0x01400140));
    __m256i threes = _mm256_shuffle_epi8(_mm256_madd_epi16(twelves, _mm256_set1_epi32(0x00011000)), order);
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permutevar8x32_epi32(threes, join));
  }
  return at;
}
#endif

/* How much of the front was decoded: a multiple of 4. */
static size_t decode_front(const unsigned char *from, size_t size, char *out) {
#if defined(__x86_64__)
  if (size >= 48 && __builtin_cpu_supports("avx2")) return decode_wide(from, size, out);
#endif
  (void)from, (void)size, (void)out;
  return 0;
}

bool dh_base64_decode(const char *text, size_t size, char *out, size_t *out_size) {
  const unsigned char *from = (const unsigned char *)text;
  size_t padding = 0, n = 0;
  while (padding < 2 && size && text[size - 1] == '=') size--, padding++;
  if ((size + padding) % 4) return false;
  size_t front = decode_front(from, size, out);
  from += front;
  size -= front;
  n = front / 4 * 3;
  for (; size >= 4; size -= 4, from += 4, n += 3) {
    unsigned a = digits[from[0]], b = digits[from[1]], c = digits[from[2]], d = digits[from[3]];
    if (!a || !b || !c || !d) return false;
    unsigned word = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    out[n] = (char)(word >> 16);
    out[n + 1] = (char)(word >> 8);
    out[n + 2] = (char)word;
  }
  unsigned word = 0;
  for (size_t k = 0; k < size; k++) {
    if (!digits[from[k]]) return false;
    word |= (unsigned)(digits[from[k]] - 1) << (18 - 6 * k);
  }
  for (size_t k = 0; k + 1 < size; k++) out[n++] = (char)(word >> (16 - 8 * k));
  *out_size = n;
  return true;
}
