/* known.c - the index of chunks: an open-addressed table of 16 bytes a chunk, by the second word of the hash; the whole hash is
 * compared where the chunk's xorb has it. Answers of the global index hide their hashes behind a key each; a look-up hides
 * the wanted hash under every key. The number of keys is bounded, so that a look-up stays cheap. So is the table: there are two of
 * the same size, and when the newer is full, the older one is forgotten, with the chunks that only it knew. */
#include "upload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS_MOST = 24, SIZE_FIRST = 4096, ANSWER_KEPT_MOST = 4 << 20, TOLD_MOST = 1 << 19 };

struct entry {
  uint64_t word;
  uint32_t xorb, index; /* xorb: number + 1, 0: free */
};
struct table {
  struct entry *rows;
  size_t used, size; /* size: a power of two */
};
struct known {
  struct table now, before;
  uint32_t most, age; /* chunks of a table; how many were forgotten */
  struct xet_hash keys[KEYS_MOST];
  uint32_t key_count, told; /* told: chunks that answers named */
  struct xorb **xorbs;
  uint32_t xorb_count, xorb_room;
  uint32_t *named, named_size, named_used; /* by hash: number + 1 of the first xorb with it */
};

struct known *xet_known_new(uint32_t chunks) {
  struct known *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->most = chunks / 2;
  k->now.size = SIZE_FIRST;
  k->named_size = 256;
  k->now.rows = calloc(k->now.size, sizeof *k->now.rows);
  k->named = calloc(k->named_size, sizeof *k->named);
  if (k->now.rows && k->named) return k;
  xet_known_free(k);
  return NULL;
}

void xet_known_free(struct known *k) {
  if (!k) return;
  free(k->now.rows);
  free(k->before.rows);
  free(k->xorbs);
  free(k->named);
  free(k);
}

/* ---- xorbs by number and by name ---- */

static uint32_t number_of(struct known *k, struct xorb *x) {
  if (k->xorb_count && k->xorbs[k->xorb_count - 1] == x) return k->xorb_count;
  if (k->xorb_count == k->xorb_room) {
    uint32_t room = k->xorb_room ? k->xorb_room * 2 : 64;
    struct xorb **more = realloc(k->xorbs, room * sizeof *more);
    if (!more) return 0;
    k->xorbs = more;
    k->xorb_room = room;
  }
  k->xorbs[k->xorb_count++] = x;
  return k->xorb_count;
}

static uint32_t *name_place(const struct known *k, uint32_t *named, uint32_t size, const struct xet_hash *h) {
  uint32_t i = (uint32_t)xet_hash_word(h, 0) & (size - 1);
  while (named[i] && memcmp(&k->xorbs[named[i] - 1]->hash, h, sizeof *h) != 0) i = (i + 1) & (size - 1);
  return &named[i];
}

struct xorb *xet_known_xorb(const struct known *k, const struct xet_hash *h) {
  uint32_t n = *name_place(k, k->named, k->named_size, h);
  return n ? k->xorbs[n - 1] : NULL;
}

int xet_known_name(struct known *k, struct xorb *x) {
  if (k->named_used * 2 >= k->named_size) {
    uint32_t size = k->named_size * 2, *more = calloc(size, sizeof *more);
    if (!more) return 0;
    for (uint32_t i = 0; i < k->named_size; i++)
      if (k->named[i]) *name_place(k, more, size, &k->xorbs[k->named[i] - 1]->hash) = k->named[i];
    free(k->named);
    k->named = more;
    k->named_size = size;
  }
  uint32_t *at = name_place(k, k->named, k->named_size, &x->hash);
  if (!*at) {
    uint32_t n = number_of(k, x);
    if (!n) return 0;
    *at = n;
    k->named_used++;
  }
  return 1;
}

/* ---- chunks ---- */

static void insert(struct entry *rows, size_t size, const struct entry *e) {
  size_t i = (size_t)e->word & (size - 1);
  while (rows[i].xorb) i = (i + 1) & (size - 1);
  rows[i] = *e;
}

static int grow(struct table *t) {
  size_t size = t->size * 2;
  struct entry *rows = calloc(size, sizeof *rows);
  if (!rows) return 0;
  for (size_t i = 0; i < t->size; i++)
    if (t->rows[i].xorb) insert(rows, size, &t->rows[i]);
  free(t->rows);
  t->rows = rows;
  t->size = size;
  return 1;
}

bool xet_known_is_old(const struct known *k, const struct xorb *x) {
  return x->age + 1 < k->age;
}

/* The older table goes, and the slots of xorbs that nobody finds any more; shards still need those that are in none. */
static int forget(struct known *k) {
  struct entry *rows = calloc(SIZE_FIRST, sizeof *rows);
  if (!rows) return 0;
  free(k->before.rows);
  k->before = k->now;
  k->now = (struct table){rows, 0, SIZE_FIRST};
  k->age++;
  for (uint32_t i = 0; i < k->xorb_count; i++) {
    struct xorb *x = k->xorbs[i];
    if (!xet_known_is_old(k, x) || (x->ours && !x->in_shard) || !x->slots) continue;
    free(x->slots);
    x->slots = NULL;
    if (!x->ours && x->told) k->told -= x->count < k->told ? x->count : k->told;
    x->told = false;
  }
  return 1;
}

int xet_known_add(struct known *k, const struct xet_hash *h, struct xorb *x, uint32_t index) {
  if (k->now.used >= k->most && !forget(k)) return 0;
  if (k->now.used * 2 >= k->now.size && !grow(&k->now)) return 0;
  uint32_t n = number_of(k, x);
  if (!n) return 0;
  insert(k->now.rows, k->now.size, &(struct entry){xet_hash_word(h, 1), n, index});
  k->now.used++;
  x->age = k->age;
  return 1;
}

static bool look_in(struct xet_upload *u, const struct table *t, const struct xet_hash *h, uint32_t key,
                    struct known_at *at) {
  uint64_t word = xet_hash_word(h, 1);
  for (size_t i = (size_t)word & (t->size - 1); t->rows[i].xorb; i = (i + 1) & (t->size - 1)) {
    const struct entry *e = &t->rows[i];
    struct xorb *x = u->known->xorbs[e->xorb - 1];
    if (e->word != word || x->key != key || (!x->slots && !xet_recall_slots(u->recall, x))) continue;
    if (e->index >= x->count || memcmp(&x->slots[e->index].hash, h, sizeof *h) != 0) continue;
    *at = (struct known_at){x->twin, e->index, x->slots[e->index].raw};
    return true;
  }
  return false;
}

static bool lookup(struct xet_upload *u, const struct xet_hash *h, uint32_t key, struct known_at *at) {
  const struct known *k = u->known;
  return look_in(u, &k->now, h, key, at) || (k->before.rows && look_in(u, &k->before, h, key, at));
}

int xet_known_find(struct xet_upload *u, const struct xet_hash *h, struct known_at *at) {
  struct xet_hash hidden;
  if (lookup(u, h, 0, at)) return 1;
  for (uint32_t i = 0; i < u->known->key_count; i++) {
    xet_blake3(&u->known->keys[i], h->b, sizeof h->b, &hidden);
    if (lookup(u, &hidden, i + 1, at)) return 1;
  }
  return 0;
}

/* ---- keys and answers ---- */

uint32_t xet_known_key(struct known *k, const struct xet_hash *key, bool *ok) {
  static const struct xet_hash none;
  *ok = true;
  if (!memcmp(key, &none, sizeof none)) return 0;
  for (uint32_t i = 0; i < k->key_count; i++)
    if (!memcmp(&k->keys[i], key, sizeof *key)) return i + 1;
  *ok = k->key_count < KEYS_MOST;
  if (!*ok) return 0;
  k->keys[k->key_count++] = *key;
  return k->key_count;
}

static bool read_slots(const struct xet_shard_xorb *x, struct xorb *to) {
  to->slots = calloc(x->chunks, sizeof *to->slots);
  if (!to->slots) return false;
  to->count = to->room = x->chunks;
  for (uint32_t i = 0; i < x->chunks; i++) {
    struct xet_shard_chunk c;
    xet_shard_chunk(x, i, &c);
    to->slots[i] = (struct xorb_slot){.hash = c.hash, .raw = c.raw};
  }
  return true;
}

void xet_known_shard(struct xet_upload *u, const uint8_t *data, size_t len) {
  struct xet_shard s;
  struct xet_shard_xorb x;
  bool ok;
  if (xet_shard_read(data, len, &s) || s.expires <= (uint64_t)time(NULL)) return;
  uint32_t key = xet_known_key(u->known, &s.key, &ok);
  for (size_t at = s.xorbs_at; ok && xet_shard_next_xorb(&s, &at, &x);) {
    bool small = x.chunks && x.chunks <= XET_XORB_CHUNKS_MAX && x.chunks <= TOLD_MOST - u->known->told;
    struct xorb *xorb = small ? xet_xorb_foreign(u, &x.hash, key) : NULL;
    if (!xorb || !read_slots(&x, xorb)) return;
    u->known->told += x.chunks;
    xorb->told = true;
    for (uint32_t i = 0; i < xorb->count; i++)
      if (!xet_known_add(u->known, &xorb->slots[i].hash, xorb, i)) return;
    if (len <= ANSWER_KEPT_MOST) xet_recall_keep(NULL, u->recall, &x.hash, &s.key, xorb->slots, xorb->count, s.expires);
  }
}
