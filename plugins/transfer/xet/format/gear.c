/* gear.c - where a file is cut: byte by byte as it comes, over whole buffers in lanes, or from candidates that were found in
 * parts. h = 2h + word of the byte: what lies 64 bytes back has left the hash. A candidate is a hash whose top 16 bits are 0.
 * The skip is exact: the hash is started 64 bytes before the first place where a cut is legal. */
#include "chunk.h"
#include "gear.h"
#include "gear_table.h"

#include <stdatomic.h>
#include <string.h>

/* ---- one byte after the other ---- */

size_t xet_chunk_feed(struct xet_chunker *c, const uint8_t *p, size_t n, int *cut) {
  size_t at = 0;
  uint32_t have = c->have;
  uint64_t h = c->gear;
  *cut = 0;
  if (have < XET_CHUNK_MIN - GEAR_WINDOW) {
    size_t skip = XET_CHUNK_MIN - GEAR_WINDOW - have;
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
    if (__builtin_expect(h < GEAR_BELOW, 0)) {
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

/* ---- candidates ---- */

enum { LANE = 2048, BLOCK = LANE * GEAR_LANES, GROUPS = 24 };

static const struct gear_kernel portable = {"portable", NULL, NULL};
static const struct gear_kernel *const kernels[] = {&gear_avx2, &portable};
static _Atomic(const struct gear_kernel *) chosen;

static int can(const struct gear_kernel *k) {
  return k == &portable || (k->usable && k->usable());
}

static const struct gear_kernel *kernel(void) {
  const struct gear_kernel *k = atomic_load_explicit(&chosen, memory_order_relaxed);
  for (size_t i = 0; !k; i++)
    if (can(kernels[i])) atomic_store_explicit(&chosen, k = kernels[i], memory_order_relaxed);
  return k;
}

const char *xet_chunk_kernel(void) {
  return kernel()->name;
}

int xet_chunk_force(const char *name) {
  if (!name) {
    atomic_store(&chosen, NULL);
    return 1;
  }
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
    if (!strcmp(kernels[i]->name, name) && can(kernels[i])) {
      atomic_store(&chosen, kernels[i]);
      return 1;
    }
  return 0;
}

/* Of n places, what lies before p being `before` bytes. */
static uint32_t scan_serial(const uint8_t *p, uint32_t n, size_t before, uint16_t *hit) {
  uint32_t found = 0;
  uint64_t h = 0;
  for (size_t i = before < GEAR_WINDOW ? before : GEAR_WINDOW; i > 0; i--) h = (h << 1) + gear[p[-(ptrdiff_t)i]];
  for (uint32_t i = 0; i < n; i++) {
    h = (h << 1) + gear[p[i]];
    if (__builtin_expect(h < GEAR_BELOW, 0)) hit[found++] = (uint16_t)(i + 1);
  }
  return found;
}

static uint32_t scan_lanes(const struct gear_kernel *k, const uint8_t *p, uint32_t lane, uint16_t *hit) {
  struct gear_group group[GROUPS];
  uint32_t groups = k->run(p, lane, gear, group, GROUPS), found = 0;
  if (groups > GROUPS) return scan_serial(p, GEAR_LANES * lane, GEAR_WINDOW, hit); /* data made of cuts */
  for (uint32_t l = 0; groups && l < GEAR_LANES; l++)
    for (uint32_t i = 0; i < groups; i++) {
      uint32_t at = l * lane + group[i].at, n;
      if (!(group[i].lanes >> l & 1)) continue;
      n = scan_serial(p + at, GEAR_GROUP, GEAR_WINDOW, hit + found);
      for (; n; n--, found++) hit[found] = (uint16_t)(hit[found] + at);
    }
  return found;
}

/* The next at most BLOCK places; *took: how many. */
static uint32_t scan(const uint8_t *p, size_t n, size_t before, uint16_t hit[BLOCK], size_t *took) {
  const struct gear_kernel *k = kernel();
  uint32_t lane = n < BLOCK ? (uint32_t)(n / GEAR_LANES) / GEAR_GROUP * GEAR_GROUP : LANE;
  if (k->run && before >= GEAR_WINDOW && lane >= 2 * GEAR_WINDOW) {
    *took = (size_t)GEAR_LANES * lane;
    return scan_lanes(k, p, lane, hit);
  }
  *took = n < BLOCK ? n : BLOCK;
  if (before<GEAR_WINDOW && * took> GEAR_WINDOW) *took = GEAR_WINDOW;
  return scan_serial(p, (uint32_t)*took, before, hit);
}

size_t xet_chunk_scan(const uint8_t *p, size_t n, size_t before, uint32_t *at, size_t most, size_t *scanned) {
  uint16_t hit[BLOCK];
  size_t found = 0, took;
  for (*scanned = 0; *scanned < n; *scanned += took) {
    uint32_t hits = scan(p + *scanned, n - *scanned, before + *scanned, hit, &took);
    if (hits > most - found) break;
    for (uint32_t i = 0; i < hits; i++) at[found++] = (uint32_t)(*scanned + hit[i]);
  }
  return found;
}

/* ---- cuts ---- */

struct picker {
  uint64_t from; /* of the open chunk */
  uint64_t *wide;
  uint32_t *narrow;
  size_t count, most;
};

static int emit(struct picker *p, uint64_t end) {
  if (p->count == p->most) return 0;
  if (p->wide)
    p->wide[p->count++] = end;
  else
    p->narrow[p->count++] = (uint32_t)end;
  p->from = end;
  return 1;
}

/* Everything up to here is known to hold no further candidate. */
static int reach(struct picker *p, uint64_t at) {
  while (at - p->from >= XET_CHUNK_MAX)
    if (!emit(p, p->from + XET_CHUNK_MAX)) return 0;
  return 1;
}

static int offer(struct picker *p, uint64_t end) {
  return reach(p, end - 1) && (end - p->from < XET_CHUNK_MIN || emit(p, end));
}

size_t xet_chunk_pick(uint64_t *from, uint64_t at, size_t n, const uint32_t *hit, size_t hits, uint64_t *ends) {
  struct picker p = {*from, ends, NULL, 0, SIZE_MAX};
  for (size_t i = 0; i < hits; i++) offer(&p, at + hit[i]);
  reach(&p, at + n);
  *from = p.from;
  return p.count;
}

/* Without lanes nothing is gained by looking at places that might be skipped. */
static size_t cuts_serial(const uint8_t *p, size_t n, uint32_t *ends, size_t most) {
  struct xet_chunker c = {0, 0};
  size_t count = 0;
  for (size_t at = 0; at < n && count < most;) {
    int cut;
    at += xet_chunk_feed(&c, p + at, n - at, &cut);
    if (cut) ends[count++] = (uint32_t)at;
  }
  return count;
}

size_t xet_chunk_cuts(const uint8_t *p, size_t n, uint32_t *ends, size_t most) {
  if (!kernel()->run) return cuts_serial(p, n, ends, most);
  struct picker k = {0, NULL, ends, 0, most};
  uint16_t hit[BLOCK];
  for (size_t at = 0, took;; at += took) {
    if (at < k.from + XET_CHUNK_MIN - 1) at = (size_t)k.from + XET_CHUNK_MIN - 1;
    if (at >= n) return k.count;
    uint32_t hits = scan(p + at, n - at, at, hit, &took);
    for (uint32_t i = 0; i < hits; i++)
      if (!offer(&k, at + hit[i])) return k.count;
    if (!reach(&k, at + took)) return k.count;
  }
}
