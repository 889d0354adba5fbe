/* known.c - the index of chunks: an open-addressed table by the first word of the hash.
 * Answers of the global index hide their hashes behind a key each; a look-up hides the wanted hash under every key.
 * The number of keys is bounded, so that a look-up stays cheap. */
#include "upload.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS_MOST = 16 };

struct entry {
  struct xet_hash hash;
  struct known_at at; /* xorb NULL: free */
};
struct known {
  struct entry *rows;
  size_t used, size; /* size: a power of two */
  struct xet_hash keys[KEYS_MOST];
  unsigned key_count;
};

struct known *xet_known_new(void) {
  struct known *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->size = 4096;
  k->rows = calloc(k->size, sizeof *k->rows);
  if (k->rows) return k;
  free(k);
  return NULL;
}

void xet_known_free(struct known *k) {
  if (k) free(k->rows);
  free(k);
}

static struct entry *place(struct entry *rows, size_t size, const struct xet_hash *h) {
  size_t i = (size_t)xet_hash_word(h, 1) & (size - 1);
  while (rows[i].at.xorb && memcmp(&rows[i].hash, h, sizeof *h) != 0) i = (i + 1) & (size - 1);
  return &rows[i];
}

static int grow(struct known *k) {
  size_t size = k->size * 2;
  struct entry *rows = calloc(size, sizeof *rows);
  if (!rows) return 0;
  for (size_t i = 0; i < k->size; i++)
    if (k->rows[i].at.xorb) *place(rows, size, &k->rows[i].hash) = k->rows[i];
  free(k->rows);
  k->rows = rows;
  k->size = size;
  return 1;
}

int xet_known_add(struct known *k, const struct xet_hash *h, const struct known_at *at) {
  if (k->used * 2 >= k->size && !grow(k)) return 0;
  struct entry *e = place(k->rows, k->size, h);
  if (e->at.xorb) return 1; /* the first one stays: it is further on its way */
  *e = (struct entry){*h, *at};
  k->used++;
  return 1;
}

int xet_known_find(struct known *k, const struct xet_hash *h, struct known_at *at) {
  struct entry *e = place(k->rows, k->size, h);
  struct xet_hash hidden;
  for (unsigned i = 0; i < k->key_count && !e->at.xorb; i++) {
    xet_blake3(&k->keys[i], h->b, sizeof h->b, &hidden);
    e = place(k->rows, k->size, &hidden);
  }
  *at = e->at;
  return at->xorb != NULL;
}

int xet_known_shard(struct known *k, const uint8_t *data, size_t len,
                    struct xorb *(*make)(void *, const struct xet_hash *), void *arg) {
  static const struct xet_hash none;
  struct xet_shard s;
  struct xet_shard_xorb x;
  if (xet_shard_read(data, len, &s) || s.expires <= (uint64_t)time(NULL)) return 0;
  if (memcmp(&s.key, &none, sizeof none) != 0) {
    if (k->key_count == KEYS_MOST) return 0;
    k->keys[k->key_count++] = s.key;
  }
  for (size_t at = s.xorbs_at; xet_shard_next_xorb(&s, &at, &x);) {
    struct xorb *xorb = make(arg, &x.hash);
    for (uint32_t i = 0; xorb && i < x.chunks; i++) {
      struct xet_shard_chunk c;
      xet_shard_chunk(&x, i, &c);
      if (!xet_known_add(k, &c.hash, &(struct known_at){xorb, i, c.raw})) return 0;
    }
  }
  return 1;
}
