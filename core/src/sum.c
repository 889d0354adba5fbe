/* sum.c - the journal's block checksum: four multiply lanes over 64-byte stripes.
 * It answers one question: are these the bytes that were written? Digests decide whether they are the right ones.
 * Streaming; equal on every machine. */
#include "bytes.h"

__extension__ typedef unsigned __int128 u128;

static const uint64_t key[4] = {0x9e3779b97f4a7c15u, 0xc2b2ae3d27d4eb4fu, 0x165667b19e3779f9u, 0xd6e8feb86659fd93u};

static uint64_t word(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  v = __builtin_bswap64(v);
#endif
  return v;
}

static uint64_t fold(uint64_t a, uint64_t b) {
  u128 p = (u128)a * b;
  return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static uint64_t turn(uint64_t v, unsigned by) {
  return v << by | v >> (64 - by);
}

static void stripe(uint64_t lane[4], const uint8_t *p) {
  for (unsigned i = 0; i < 4; i++)
    lane[i] = turn(lane[i], 27) + fold(word(p + 16 * i) ^ key[i], word(p + 16 * i + 8) ^ lane[i]);
}

void hf_sum_init(struct hf_sum *s, uint64_t seed) {
  for (unsigned i = 0; i < 4; i++) s->lane[i] = fold(seed ^ key[i], key[(i + 1) & 3]) + i;
  s->total = 0;
}

void hf_sum_add(struct hf_sum *s, const void *data, size_t len) {
  const uint8_t *p = data;
  size_t fill = s->total & 63;
  s->total += len;
  if (fill) {
    size_t take = 64 - fill < len ? 64 - fill : len;
    memcpy(s->tail + fill, p, take);
    p += take;
    len -= take;
    if (fill + take < 64) return;
    stripe(s->lane, s->tail);
  }
  uint64_t lane[4];
  memcpy(lane, s->lane, sizeof lane);
  for (; len >= 64; p += 64, len -= 64) stripe(lane, p);
  memcpy(s->lane, lane, sizeof lane);
  if (len) memcpy(s->tail, p, len);
}

uint64_t hf_sum_end(const struct hf_sum *s) {
  uint64_t lane[4];
  memcpy(lane, s->lane, sizeof lane);
  size_t fill = s->total & 63;
  if (fill) {
    uint8_t last[64] = {0};
    memcpy(last, s->tail, fill);
    stripe(lane, last);
  }
  uint64_t v = s->total * key[0];
  for (unsigned i = 0; i < 4; i++) v = fold(v ^ lane[i], key[i] | 1) + turn(lane[i], 11 * i + 5);
  return fold(v ^ key[3], key[1]);
}

uint64_t hf_sum_of(uint64_t seed, const void *data, size_t len) {
  struct hf_sum s;
  hf_sum_init(&s, seed);
  hf_sum_add(&s, data, len);
  return hf_sum_end(&s);
}
