/* gear.c - the gear hash: the serial chunker, which skips what cannot cut, and the scan for candidates in four lanes.
 * h = 2h + word of the byte: what lies 64 bytes back has left the hash. A candidate is a hash whose top 16 bits are zero.
 * The skip is exact: the hash is started 64 bytes before the first place where a cut is legal. */
#include "chunk.h"
#include "gear_table.h"

#define WINDOW 64u
#define BELOW  (UINT64_C(1) << 48)

size_t xet_chunk_feed(struct xet_chunker *c, const uint8_t *p, size_t n, int *cut) {
  size_t at = 0;
  uint32_t have = c->have;
  uint64_t h = c->gear;
  *cut = 0;
  if (have < XET_CHUNK_MIN - WINDOW) {
    size_t skip = XET_CHUNK_MIN - WINDOW - have;
    if (skip >= n) {
      c->have = have + (uint32_t)n;
      c->gear = 0;
      return n;
    }
    at = skip;
    have += (uint32_t)skip;
    h = 0;
  }
  for (; have < XET_CHUNK_MIN - 1 && at < n; at++, have++) h = (h << 1) + gear[p[at]];
  size_t end = n - at < XET_CHUNK_MAX - have ? n : at + (XET_CHUNK_MAX - have);
  size_t from = at;
  while (at < end) {
    h = (h << 1) + gear[p[at++]];
    if (__builtin_expect(h < BELOW, 0)) {
      have += (uint32_t)(at - from);
      goto found;
    }
  }
  have += (uint32_t)(at - from);
  if (have < XET_CHUNK_MAX) {
    c->have = have;
    c->gear = h;
    return at;
  }
found:
  *cut = 1;
  c->have = 0;
  c->gear = 0;
  return at;
}

static uint64_t warm(const uint8_t *p, size_t before) {
  uint64_t h = 0;
  for (size_t i = before < WINDOW ? before : WINDOW; i > 0; i--) h = (h << 1) + gear[p[-(ptrdiff_t)i]];
  return h;
}

#define LANE 1024u

size_t xet_chunk_scan(const uint8_t *p, size_t n, size_t before, uint32_t *at, size_t most, size_t *scanned) {
  size_t found = 0, done = 0;
  while (n - done >= 4 * LANE) {
    const uint8_t *a = p + done;
    size_t start = found;
    uint64_t h0 = warm(a, before + done), h1 = warm(a + LANE, LANE), h2 = warm(a + 2 * LANE, LANE),
             h3 = warm(a + 3 * LANE, LANE);
    uint32_t hit[4][8];
    uint32_t hits[4] = {0, 0, 0, 0};
    for (uint32_t i = 0; i < LANE; i++) {
      h0 = (h0 << 1) + gear[a[i]];
      h1 = (h1 << 1) + gear[a[LANE + i]];
      h2 = (h2 << 1) + gear[a[2 * LANE + i]];
      h3 = (h3 << 1) + gear[a[3 * LANE + i]];
      if (__builtin_expect((h0 < BELOW) | (h1 < BELOW) | (h2 < BELOW) | (h3 < BELOW), 0)) {
        if (h0 < BELOW && hits[0]++ < 8) hit[0][hits[0] - 1] = i;
        if (h1 < BELOW && hits[1]++ < 8) hit[1][hits[1] - 1] = i;
        if (h2 < BELOW && hits[2]++ < 8) hit[2][hits[2] - 1] = i;
        if (h3 < BELOW && hits[3]++ < 8) hit[3][hits[3] - 1] = i;
      }
    }
    for (uint32_t k = 0; k < 4; k++) {
      if (hits[k] > 8 || found + hits[k] > most) goto slowly; /* data made of cuts */
      for (uint32_t j = 0; j < hits[k]; j++) at[found++] = (uint32_t)(done + k * LANE + hit[k][j] + 1);
    }
    done += 4 * LANE;
    continue;
  slowly:
    found = start;
    break;
  }
  uint64_t h = warm(p + done, before + done);
  for (; done < n; done++) {
    h = (h << 1) + gear[p[done]];
    if (h < BELOW) {
      if (found == most) break;
      at[found++] = (uint32_t)(done + 1);
    }
  }
  *scanned = done;
  return found;
}
