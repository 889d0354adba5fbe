/* encode.c - text that is written piece by piece for a request's body: JSON strings and base64, without a document in between.
 * Plain ASCII is copied; everything else goes by Jansson, which refuses what is no UTF-8.
 * Base64 is made 24 bytes a step where the processor can, by tables of twelve bits otherwise. */
#include "encode.h"

#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

char *hf_hub_line_room(struct hf_hub_line *l, size_t n) {
  if (l->room - l->len < n) {
    size_t room = (l->len + n) * 2 + 256;
    char *more = realloc(l->text, room);
    if (!more) return NULL;
    l->text = more;
    l->room = room;
  }
  return l->text + l->len;
}

bool hf_hub_line_put(struct hf_hub_line *l, const char *data, size_t n) {
  char *to = hf_hub_line_room(l, n);
  if (!to) return false;
  memcpy(to, data, n);
  l->len += n;
  return true;
}

bool hf_hub_line_puts(struct hf_hub_line *l, const char *text) {
  return hf_hub_line_put(l, text, strlen(text));
}

/* How much of it stands for itself in JSON, however it is written. */
static size_t plain(const char *text) {
  const unsigned char *s = (const unsigned char *)text;
  while (*s >= ' ' && *s < 127 && *s != '"' && *s != '\\') s++;
  return (size_t)(s - (const unsigned char *)text);
}

bool hf_hub_line_string(struct hf_hub_line *l, const char *text, bool ascii) {
  size_t n = plain(text);
  if (!text[n]) return hf_hub_line_puts(l, "\"") && hf_hub_line_put(l, text, n) && hf_hub_line_puts(l, "\"");
  json_t *value = json_string(text);
  char *quoted = value ? json_dumps(value, JSON_ENCODE_ANY | (ascii ? JSON_ENSURE_ASCII : 0)) : NULL;
  json_decref(value);
  bool ok = quoted != NULL;
  for (char *s = quoted; s && ascii && *s; s++) { /* \uABCD is \uabcd where Python writes it */
    if (*s != '\\') continue;
    s++;
    for (int i = 1; *s == 'u' && i <= 4; i++)
      if (s[i] >= 'A' && s[i] <= 'F') s[i] = (char)(s[i] + 32);
  }
  ok = ok && hf_hub_line_puts(l, quoted);
  free(quoted);
  return ok;
}

/* ---- base64 -------------------------------------------------------------------------------------------------------- */

static char pairs[4096][2]; /* two digits for twelve bits */
static pthread_once_t pairs_once = PTHREAD_ONCE_INIT;

static void make_pairs(void) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (unsigned i = 0; i < 4096; i++) {
    pairs[i][0] = digits[i >> 6];
    pairs[i][1] = digits[i & 63];
  }
}

#if defined(__x86_64__)
/* Each half of a register takes twelve bytes: sorted so that every three are in a word, cut into sixes by two multiplications,
 * shifted to where the digits are in ASCII. A step looks at 28 bytes. */
__attribute__((target("avx2"))) static size_t encode_wide(const uint8_t *data, size_t len, char *to) {
  const __m256i order = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10, 1, 0, 2, 1, 4, 3, 5, 4, 7,
                                         6, 8, 7, 10, 9, 11, 10);
  const __m256i shift = _mm256_setr_epi8(65, 71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0, 65, 71, -4, -4,
                                         -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 0, 0);
  size_t at = 0;
  for (; len - at >= 28; at += 24, to += 32) {
    __m128i low = _mm_loadu_si128((const __m128i *)(const void *)(data + at));
    __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(data + at + 12));
    __m256i bytes = _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1), order);
    __m256i even =
        _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0fc0fc00)), _mm256_set1_epi32(0x04000040));
    __m256i odd =
        _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003f03f0)), _mm256_set1_epi32(0x01000010));
    __m256i sixes = _mm256_or_si256(even, odd);
    __m256i range = _mm256_subs_epu8(sixes, _mm256_set1_epi8(51)); /* 0: letters, 1 to 10: digits, 11: +, 12: / */
    range = _mm256_sub_epi8(range, _mm256_cmpgt_epi8(sixes, _mm256_set1_epi8(25)));
    _mm256_storeu_si256((__m256i *)(void *)to, _mm256_add_epi8(sixes, _mm256_shuffle_epi8(shift, range)));
  }
  return at;
}
#endif

/* How much of the front was encoded: a multiple of 3. */
static size_t encode_front(const uint8_t *data, size_t len, char *to) {
#if defined(__x86_64__)
  if (len >= 28 && __builtin_cpu_supports("avx2")) return encode_wide(data, len, to);
#endif
  (void)data, (void)len, (void)to;
  return 0;
}

void hf_hub_base64(const uint8_t *data, size_t len, char *to) {
  size_t i = encode_front(data, len, to);
  to += i / 3 * 4;
  pthread_once(&pairs_once, make_pairs);
  for (; i + 3 <= len; i += 3, to += 4) {
    uint32_t v = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
    memcpy(to, pairs[v >> 12], 2);
    memcpy(to + 2, pairs[v & 4095], 2);
  }
  if (i == len) return;
  uint32_t v = (uint32_t)data[i] << 16 | (i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0);
  memcpy(to, pairs[v >> 12], 2);
  to[2] = i + 1 < len ? pairs[v & 4095][0] : '=';
  to[3] = '=';
}

bool hf_hub_line_base64(struct hf_hub_line *l, const uint8_t *data, size_t len) {
  size_t n = (size_t)hf_hub_base64_len(len);
  char *to = hf_hub_line_room(l, n);
  if (!to) return false;
  hf_hub_base64(data, len, to);
  l->len += n;
  return true;
}
