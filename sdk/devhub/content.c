/* content.c - the generator behind content.h.
 * A page of 512 random words is derived from the seed; page p adds p times an odd constant to each word, which the
 * compiler turns into vector additions: generated files are served as fast as stored ones. */
#include "content.h"
#include <string.h>

enum { WORDS = 512, PAGE = WORDS * 8 };

static uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

uint64_t dh_content_mix(uint64_t a, uint64_t b) {
  return mix(mix(a) + b);
}

static void base_page(uint64_t seed, uint64_t words[WORDS]) {
  for (size_t i = 0; i < WORDS; i++) words[i] = mix(seed ^ mix(i));
}

void dh_content_fill(uint64_t seed, uint64_t offset, void *out, size_t size) {
  uint64_t base[WORDS];
  base_page(seed, base);
  unsigned char *to = out;
  while (size) {
    uint64_t add = (offset / PAGE) * 0xd1342543de82ef95u;
    size_t at = (size_t)(offset % PAGE), n = PAGE - at < size ? PAGE - at : size;
    uint64_t page[WORDS];
    size_t first = at / 8, last = (at + n + 7) / 8;
    for (size_t i = first; i < last; i++) page[i] = base[i] + add;
    memcpy(to, (const unsigned char *)page + at, n);
    to += n;
    offset += n;
    size -= n;
  }
}
