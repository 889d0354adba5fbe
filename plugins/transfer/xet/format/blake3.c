/* blake3.c - keyed BLAKE3 of one or many inputs: the portable kernel, the choice of kernel, and the tree.
 * All inputs of a batch are worked level by level, so that leaves and parents of different inputs share lanes.
 * Words are kept little-endian in memory, as the kernels store them. */
#include "blake3.h"
#include "hash.h"
#include <stdatomic.h>
#include <string.h>

static uint32_t load32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static void store32(uint8_t *p, uint32_t w) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(w >> 8 * i);
}
static uint32_t ror(uint32_t x, int n) {
  return x >> n | x << (32 - n);
}

#define MIX(a, b, c, d, x, y)    \
  do {                           \
    v[a] += v[b] + (x);          \
    v[d] = ror(v[d] ^ v[a], 16); \
    v[c] += v[d];                \
    v[b] = ror(v[b] ^ v[c], 12); \
    v[a] += v[b] + (y);          \
    v[d] = ror(v[d] ^ v[a], 8);  \
    v[c] += v[d];                \
    v[b] = ror(v[b] ^ v[c], 7);  \
  } while (0)

#define ROUND(i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, ia, ib, ic, id, ie, if_) \
  MIX(0, 4, 8, 12, m[i0], m[i1]);                                              \
  MIX(1, 5, 9, 13, m[i2], m[i3]);                                              \
  MIX(2, 6, 10, 14, m[i4], m[i5]);                                             \
  MIX(3, 7, 11, 15, m[i6], m[i7]);                                             \
  MIX(0, 5, 10, 15, m[i8], m[i9]);                                             \
  MIX(1, 6, 11, 12, m[ia], m[ib]);                                             \
  MIX(2, 7, 8, 13, m[ic], m[id]);                                              \
  MIX(3, 4, 9, 14, m[ie], m[if_]);

static void compress(uint32_t h[8], const uint8_t *block, uint64_t counter, uint32_t len, uint32_t flags) {
  uint32_t m[16], v[16];
  for (int i = 0; i < 16; i++) m[i] = load32(block + 4 * i);
  for (int i = 0; i < 8; i++) v[i] = h[i];
  for (int i = 0; i < 4; i++) v[8 + i] = b3_iv[i];
  v[12] = (uint32_t)counter;
  v[13] = (uint32_t)(counter >> 32);
  v[14] = len;
  v[15] = flags;
  B3_ORDER(ROUND)
  for (int i = 0; i < 8; i++) h[i] = v[i] ^ v[8 + i];
}

typedef void (*block_fn)(uint32_t h[8], const uint8_t *block, uint64_t counter, uint32_t len, uint32_t flags);
static void run_alone(block_fn block_into, const struct b3_job *job, const uint32_t key[8], uint32_t flags,
                      uint32_t first) {
  uint32_t h[8];
  memcpy(h, key, sizeof h);
  uint32_t done = 0;
  do {
    uint8_t tail[B3_BLOCK];
    uint32_t left = job->len - done, take = left < B3_BLOCK ? left : B3_BLOCK;
    const uint8_t *block = job->in + done;
    if (take < B3_BLOCK) {
      memset(tail, 0, sizeof tail);
      if (take) memcpy(tail, block, take);
      block = tail;
    }
    block_into(h, block, job->counter, take, flags | (done == 0 ? first : 0) | (left <= B3_BLOCK ? job->last : 0));
    done += take;
  } while (done < job->len);
  for (int i = 0; i < 8; i++) store32((uint8_t *)&job->out[i], h[i]);
}

static bool always(void) {
  return true;
}
static const struct b3_kernel portable = {"portable", 1, always, NULL, compress, NULL, false};
static const struct b3_kernel *const kernels[] = {&b3_avx512, &b3_avx2, &b3_neon, &portable};
static _Atomic(const struct b3_kernel *) chosen;

static const struct b3_kernel *kernel(void) {
  const struct b3_kernel *k = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (k) return k;
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
    if (kernels[i]->usable && kernels[i]->usable()) {
      k = kernels[i];
      break;
    }
  atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k;
}

const char *xet_blake3_kernel(void) {
  return kernel()->name;
}

int xet_blake3_force(const char *name) {
  if (!name) {
    atomic_store(&chosen, NULL);
    return 1;
  }
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
    if (!strcmp(kernels[i]->name, name) && kernels[i]->usable && kernels[i]->usable()) {
      atomic_store(&chosen, kernels[i]);
      return 1;
    }
  return 0;
}

/* Jobs of one kind are collected until the lanes are full. A last, partly filled round goes to a narrower kernel where
 * that is cheaper than idle lanes. */
struct queue {
  const struct b3_kernel *k;
  const uint32_t *key;
  uint32_t flags, first, n;
  bool even;
  struct b3_job jobs[B3_LANES];
};

static const struct b3_kernel *fitting(const struct b3_kernel *k, uint32_t n, bool even) {
  while (k->narrow && (n <= k->narrow->lanes || (k->even_only && !even))) k = k->narrow;
  return k;
}

static void flush(struct queue *q) {
  uint32_t n = q->n, at = 0;
  q->n = 0;
  while (n) {
    const struct b3_kernel *k = fitting(q->k, n, q->even);
    if (n == 1 || k->lanes == 1) {
      run_alone(q->k->block, &q->jobs[at++], q->key, q->flags, q->first);
      n--;
      continue;
    }
    uint32_t take = n < k->lanes ? n : k->lanes;
    if (take < k->lanes) { /* idle lanes repeat the first job into a place nobody reads */
      struct b3_job full[B3_LANES];
      uint32_t scratch[B3_LANES][8];
      memcpy(full, q->jobs + at, take * sizeof *full);
      for (uint32_t i = take; i < k->lanes; i++) {
        full[i] = q->jobs[at];
        full[i].out = scratch[i];
      }
      k->run(full, q->key, q->flags, q->first, q->even);
    } else {
      k->run(q->jobs + at, q->key, q->flags, q->first, q->even);
    }
    at += take;
    n -= take;
  }
}

static void push(struct queue *q, const uint8_t *in, uint32_t len, uint64_t counter, uint32_t last, uint32_t *out) {
  q->jobs[q->n++] = (struct b3_job){in, counter, len, last, out};
  if (q->n == q->k->lanes || q->n == B3_LANES) flush(q);
}

#define BATCH_LEAVES 1024u /* values of one round of a batch: 32 KiB of stack */

/* One round: inputs whose leaves fit BATCH_LEAVES together. */
static void batch(const uint32_t key[8], const void *const *data, const size_t *len, size_t n, struct xet_hash *out) {
  uint32_t values[BATCH_LEAVES * 8];
  const struct b3_kernel *k = kernel();
  struct queue even = {k, key, B3_KEYED, B3_START, 0, true, {{0}}};
  struct queue ragged = {k, key, B3_KEYED, B3_START, 0, false, {{0}}};
  struct {
    uint32_t *at;
    uint32_t n;
  } node[BATCH_LEAVES];
  uint32_t *next = values;
  for (size_t i = 0; i < n; i++) {
    uint32_t leaves = len[i] ? (uint32_t)((len[i] + B3_LEAF - 1) / B3_LEAF) : 1;
    node[i].at = next;
    node[i].n = leaves;
    next += 8 * leaves;
    const uint8_t *p = data[i];
    for (uint32_t c = 0; c < leaves; c++) {
      size_t left = len[i] - (size_t)c * B3_LEAF;
      uint32_t take = left < B3_LEAF ? (uint32_t)left : B3_LEAF;
      uint32_t last = B3_END | (leaves == 1 ? B3_ROOT : 0);
      uint32_t *to = node[i].at + 8 * c;
      if (take == B3_LEAF)
        push(&even, p + (size_t)c * B3_LEAF, take, c, last, to);
      else if (take)
        push(&ragged, p + (size_t)c * B3_LEAF, take, c, last, to);
      else
        run_alone(k->block, &(struct b3_job){(const uint8_t *)"", c, 0, last, to}, key, B3_KEYED, B3_START);
    }
  }
  if (even.n && ragged.n &&
      even.n + ragged.n <= fitting(k, B3_LANES, false)->lanes) { /* one round instead of two that are half empty */
    memcpy(ragged.jobs + ragged.n, even.jobs, even.n * sizeof *even.jobs);
    ragged.n += even.n;
    even.n = 0;
  }
  flush(&even);
  flush(&ragged);
  for (bool more = true; more;) {
    more = false;
    struct queue parents = {k, key, B3_KEYED | B3_PARENT, 0, 0, true, {{0}}};
    for (size_t i = 0; i < n; i++) {
      uint32_t have = node[i].n;
      if (have < 2) continue;
      /* Results go to the front: what stood there belongs to pairs of this run of the kernel or of an earlier one. */
      for (uint32_t p = 0; p < have / 2; p++)
        push(&parents, (const uint8_t *)(node[i].at + 16 * p), 64, 0, have == 2 ? B3_ROOT : 0, node[i].at + 8 * p);
    }
    flush(&parents);
    for (size_t i = 0; i < n; i++) {
      uint32_t have = node[i].n;
      if (have < 2) continue;
      if (have & 1) memcpy(node[i].at + 8 * (have / 2), node[i].at + 8 * (have - 1), 32);
      node[i].n = have / 2 + (have & 1);
      if (node[i].n > 1) more = true;
    }
  }
  for (size_t i = 0; i < n; i++) memcpy(out[i].b, node[i].at, 32);
}

/* An input that does not fit a round: its subtrees of 512 leaves are worked one after the other, on a stack as in the
 * specification. */
static void large(const uint32_t key[8], const uint8_t *p, size_t len, struct xet_hash *out) {
  uint32_t stack[64][8];
  uint32_t depth = 0;
  uint64_t leaf = 0;
  const struct b3_kernel *k = kernel();
  while (len > 0) {
    uint32_t values[512 * 8];
    uint32_t have = 0;
    size_t part = len < 512u * B3_LEAF ? len : 512u * B3_LEAF;
    struct queue even = {k, key, B3_KEYED, B3_START, 0, true, {{0}}};
    for (size_t at = 0; at < part; at += B3_LEAF, have++) {
      uint32_t take = part - at < B3_LEAF ? (uint32_t)(part - at) : B3_LEAF;
      if (take == B3_LEAF)
        push(&even, p + at, take, leaf + have, B3_END, values + 8 * have);
      else
        run_alone(k->block, &(struct b3_job){p + at, leaf + have, take, B3_END, values + 8 * have}, key, B3_KEYED,
                  B3_START);
    }
    flush(&even);
    leaf += have;
    p += part;
    len -= part;
    uint32_t full = have == 512u && part == 512u * B3_LEAF;
    while (have > 1) {
      struct queue parents = {k, key, B3_KEYED | B3_PARENT, 0, 0, true, {{0}}};
      uint32_t root = len == 0 && depth == 0 && have == 2 ? B3_ROOT : 0;
      for (uint32_t i = 0; i < have / 2; i++)
        push(&parents, (const uint8_t *)(values + 16 * i), 64, 0, root, values + 8 * i);
      flush(&parents);
      if (have & 1) memcpy(values + 8 * (have / 2), values + 8 * (have - 1), 32);
      have = have / 2 + (have & 1);
    }
    /* Complete subtrees merge with their equals below them, as long as more input follows. */
    if (full && len > 0)
      for (uint64_t t = leaf / 512; !(t & 1); t >>= 1) {
        uint32_t pair[16];
        depth--;
        memcpy(pair, stack[depth], 32);
        memcpy(pair + 8, values, 32);
        run_alone(k->block, &(struct b3_job){(const uint8_t *)pair, 0, 64, 0, values}, key, B3_KEYED | B3_PARENT, 0);
      }
    memcpy(stack[depth++], values, 32);
  }
  while (depth > 1) {
    uint32_t pair[16];
    depth -= 2;
    memcpy(pair, stack[depth], 32);
    memcpy(pair + 8, stack[depth + 1], 32);
    run_alone(k->block, &(struct b3_job){(const uint8_t *)pair, 0, 64, depth == 0 ? B3_ROOT : 0, stack[depth]}, key,
              B3_KEYED | B3_PARENT, 0);
    depth++;
  }
  memcpy(out->b, stack[0], 32);
}

void xet_blake3_batch(const struct xet_hash *key, const void *const *data, const size_t *len, size_t n,
                      struct xet_hash *out) {
  uint32_t words[8];
  for (int i = 0; i < 8; i++) words[i] = load32(key->b + 4 * i);
  for (size_t i = 0; i < n;) {
    if (len[i] > (size_t)BATCH_LEAVES * B3_LEAF) {
      large(words, data[i], len[i], &out[i]);
      i++;
      continue;
    }
    size_t count = 0, leaves = 0;
    while (i + count < n) {
      size_t more = len[i + count] ? (len[i + count] + B3_LEAF - 1) / B3_LEAF : 1;
      if (leaves + more > BATCH_LEAVES) break;
      leaves += more;
      count++;
    }
    batch(words, data + i, len + i, count, out + i);
    i += count;
  }
}

void xet_blake3(const struct xet_hash *key, const void *data, size_t len, struct xet_hash *out) {
  if (len <= B3_LEAF) { /* no tree */
    uint32_t words[8], value[8];
    for (int i = 0; i < 8; i++) words[i] = load32(key->b + 4 * i);
    run_alone(kernel()->block, &(struct b3_job){data, 0, (uint32_t)len, B3_END | B3_ROOT, value}, words, B3_KEYED,
              B3_START);
    memcpy(out->b, value, sizeof value);
    return;
  }
  xet_blake3_batch(key, &data, &len, 1, out);
}
