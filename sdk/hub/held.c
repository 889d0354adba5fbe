/* held.c - memory for small files between their being read and their being committed: one region of equal parts, filled from the
 * front of a part and free again when all that is in it was given back. Files go about as they came, so parts come free in
 * turn, and the region never needs more memory than it had touched. */
#include "commit.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PART = 1 << 20, PARTS = 34 };

struct hf_hub_held {
  pthread_mutex_t lock;
  uint8_t *base;
  uint32_t live[PARTS]; /* contents in each */
  uint32_t unused[PARTS], unused_count;
  uint32_t part; /* that is filled; PARTS: none */
  size_t filled;
};

struct hf_hub_held *hf_hub_held_open(void) {
  struct hf_hub_held *h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->base =
      mmap(NULL, (size_t)PART * PARTS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (h->base == MAP_FAILED) {
    free(h);
    return NULL;
  }
  madvise(h->base, (size_t)PART * PARTS, MADV_HUGEPAGE);
  pthread_mutex_init(&h->lock, NULL);
  h->part = PARTS;
  while (h->unused_count < PARTS) {
    h->unused[h->unused_count] = PARTS - 1 - h->unused_count;
    h->unused_count++;
  }
  return h;
}

void hf_hub_held_close(struct hf_hub_held *h) {
  if (!h) return;
  munmap(h->base, (size_t)PART * PARTS);
  pthread_mutex_destroy(&h->lock);
  free(h);
}

uint8_t *hf_hub_held_take(struct hf_hub_held *h, uint64_t len) {
  uint8_t *at = NULL;
  uint64_t size = len ? len : 1;
  if (!h || size > PART) return NULL;
  pthread_mutex_lock(&h->lock);
  if (h->part < PARTS && PART - h->filled < size) {
    if (!h->live[h->part]) h->unused[h->unused_count++] = h->part;
    h->part = PARTS;
  }
  if (h->part == PARTS && h->unused_count) {
    h->part = h->unused[--h->unused_count];
    h->filled = 0;
  }
  if (h->part < PARTS) {
    at = h->base + (size_t)h->part * PART + h->filled;
    h->filled += (size_t)size;
    h->live[h->part]++;
  }
  pthread_mutex_unlock(&h->lock);
  return at;
}

void hf_hub_held_give(struct hf_hub_held *h, const uint8_t *content) {
  pthread_mutex_lock(&h->lock);
  uint32_t part = (uint32_t)((size_t)(content - h->base) / PART);
  if (!--h->live[part]) {
    if (part == h->part)
      h->filled = 0;
    else
      h->unused[h->unused_count++] = part;
  }
  pthread_mutex_unlock(&h->lock);
}
