/* Every allocation of the core goes through here, so that a test can let the Nth one fail.
 * The arena hands out memory that lives as long as one operation; many threads may ask it at once.
 * Nothing here sets an error: the caller knows what it could not do. */
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

#ifdef HF_TEST_HOOKS
static _Atomic long fail_after = -1; /* allocations that still succeed, negative: all */
static _Atomic bool fail_sticky;
static pthread_once_t hook_once = PTHREAD_ONCE_INIT;

void hf_mem_fail_after(long n, bool sticky) {
  atomic_store(&fail_sticky, sticky);
  atomic_store(&fail_after, n);
}

static atomic_long asked; /* allocations so far */

/* How many allocations a run makes: what a sweep over all of them needs to know. */
static void hook_report(void) {
  const char *path = getenv("HF_TEST_OOM_COUNT");
  FILE *f = path ? fopen(path, "we") : NULL;
  if (!f) return;
  fprintf(f, "%ld\n", atomic_load(&asked));
  fclose(f);
}

static void hook_from_environment(void) {
  const char *text = getenv("HF_TEST_OOM");
  if (getenv("HF_TEST_OOM_COUNT")) atexit(hook_report);
  if (!text) return;
  char *end;
  long n = strtol(text, &end, 10);
  if (n > 0) hf_mem_fail_after(n - 1, strcmp(end, ",sticky") == 0);
}

static bool hook_fails(void) {
  pthread_once(&hook_once, hook_from_environment);
  atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed);
  long n = atomic_load_explicit(&fail_after, memory_order_relaxed);
  while (n >= 0) {
    if (n == 0 && atomic_load(&fail_sticky)) return true;
    if (atomic_compare_exchange_weak(&fail_after, &n, n - 1)) return n == 0;
  }
  return false;
}

bool hf_mem_watched(void) {
  pthread_once(&hook_once, hook_from_environment);
  return atomic_load_explicit(&fail_after, memory_order_relaxed) >= 0 || getenv("HF_TEST_OOM_COUNT");
}
#else
static bool hook_fails(void) {
  return false;
}

bool hf_mem_watched(void) {
  return false;
}
#endif

void *hf_mem_alloc(size_t size) {
  if (hook_fails()) return NULL;
  return calloc(1, size ? size : 1);
}

void *hf_mem_resize(void *old, size_t size) {
  if (hook_fails()) return NULL;
  return realloc(old, size ? size : 1);
}

void hf_mem_free(void *p) {
  free(p);
}

char *hf_mem_dup(const char *text, size_t len) {
  if (len == SIZE_MAX) len = strlen(text);
  char *copy = hf_mem_alloc(len + 1);
  if (copy && len) memcpy(copy, text, len);
  return copy;
}

/* ---- arena ---- */

#define FIRST_CHUNK 4096u
#define LAST_CHUNK  65536u

struct chunk {
  struct chunk *next;
  size_t used, size;
  _Alignas(16) char data[];
};
struct hf_arena {
  pthread_mutex_t lock;
  struct chunk *chunks; /* the one being filled first */
  size_t next_size;
};

struct hf_arena *hf_arena_new(void) {
  struct hf_arena *a = hf_mem_alloc(sizeof *a);
  if (!a) return NULL;
  pthread_mutex_init(&a->lock, NULL);
  a->next_size = FIRST_CHUNK;
  return a;
}

static struct chunk *chunk_new(size_t size) {
  struct chunk *c = hf_mem_alloc(sizeof *c + size);
  if (c) c->size = size;
  return c;
}

static void *take(struct hf_arena *a, size_t size) {
  struct chunk *c = a->chunks;
  if (!c || c->size - c->used < size) {
    if (size > a->next_size / 4) { /* large: a chunk of its own, behind the one being filled */
      struct chunk *own = chunk_new(size);
      if (!own) return NULL;
      own->used = size;
      if (c) {
        own->next = c->next;
        c->next = own;
      } else {
        a->chunks = own;
      }
      return own->data;
    }
    struct chunk *fresh = chunk_new(a->next_size - sizeof *fresh);
    if (!fresh) return NULL;
    fresh->next = c;
    a->chunks = c = fresh;
    if (a->next_size < LAST_CHUNK) a->next_size *= 2;
  }
  void *p = c->data + c->used;
  c->used += size;
  return p;
}

void *hf_arena_alloc(struct hf_arena *a, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  size = size ? (size + 15) & ~(size_t)15 : 16;
  pthread_mutex_lock(&a->lock);
  void *p = take(a, size);
  pthread_mutex_unlock(&a->lock);
  return p;
}

char *hf_arena_dup(struct hf_arena *a, const char *text, size_t len) {
  if (len == SIZE_MAX) len = strlen(text);
  if (len == SIZE_MAX) return NULL;
  char *copy = hf_arena_alloc(a, len + 1);
  if (copy && len) memcpy(copy, text, len);
  return copy;
}

/* The first chunk stays. */
void hf_arena_reset(struct hf_arena *a) {
  struct chunk *c = a->chunks;
  for (struct chunk *next; c && c->next; c = next) {
    next = c->next;
    hf_mem_free(c);
  }
  if (c && c->size != FIRST_CHUNK - sizeof *c) hf_mem_free(c), c = NULL;
  if (c) {
    memset(c->data, 0, c->used);
    c->used = 0;
  }
  a->chunks = c;
  a->next_size = c ? 2 * FIRST_CHUNK : FIRST_CHUNK;
}

void hf_arena_free(struct hf_arena *a) {
  if (!a) return;
  for (struct chunk *c = a->chunks, *next; c; c = next) {
    next = c->next;
    hf_mem_free(c);
  }
  pthread_mutex_destroy(&a->lock);
  hf_mem_free(a);
}
