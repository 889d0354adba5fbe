/* The memory budget: bytes on their way wait here for their turn, first come first served, so that no number of files and
 * workers needs more memory than was allowed. A request above the whole budget is granted when nothing else is out.
 * Buffers go back into a small stock first, because a fresh page costs more than copying into an old one. */
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"

#define MOST_STOCK 32

struct ticket {
  struct hf_budget *budget;
  void *data;
  size_t size; /* of the mapping; what counts against the budget */
};
struct waiter {
  struct waiter *next;
  struct hf_budget *budget;
  pthread_cond_t cond;
  bool stop;
};
struct hf_budget {
  pthread_mutex_t lock;
  uint64_t total, used, stocked;
  struct waiter *first, *last;
  struct {
    void *data;
    size_t size;
  } stock[MOST_STOCK];
  uint32_t stock_count;
  size_t page;
};

struct hf_budget *hf_budget_new(uint64_t bytes) {
  struct hf_budget *b = hf_mem_alloc(sizeof *b);
  if (!b) return NULL;
  pthread_mutex_init(&b->lock, NULL);
  b->total = bytes ? bytes : 1;
  long page = sysconf(_SC_PAGESIZE);
  b->page = page > 0 ? (size_t)page : 4096;
  return b;
}

static void drop_stock(struct hf_budget *b, uint32_t i) {
  munmap(b->stock[i].data, b->stock[i].size);
  b->stocked -= b->stock[i].size;
  b->stock[i] = b->stock[--b->stock_count];
}

void hf_budget_free(struct hf_budget *b) {
  if (!b) return;
  while (b->stock_count) drop_stock(b, b->stock_count - 1);
  pthread_mutex_destroy(&b->lock);
  hf_mem_free(b);
}

static bool fits(const struct hf_budget *b, size_t size) {
  return b->used == 0 || (size <= b->total && b->used <= b->total - size);
}

/* Out of the stock the smallest buffer that is large enough, not twice too large, and within the budget. */
static void *from_stock(struct hf_budget *b, size_t *size) {
  uint32_t best = b->stock_count;
  for (uint32_t i = 0; i < b->stock_count; i++) {
    size_t has = b->stock[i].size;
    if (has >= *size && has / 2 <= *size && (has == *size || b->used - *size + has <= b->total) &&
        (best == b->stock_count || has < b->stock[best].size))
      best = i;
  }
  if (best == b->stock_count) return NULL;
  void *data = b->stock[best].data;
  b->used += b->stock[best].size - *size;
  *size = b->stock[best].size;
  b->stocked -= *size;
  b->stock[best] = b->stock[--b->stock_count];
  return data;
}

static void *fresh(size_t size) {
#ifdef HF_TEST_HOOKS
  void *probe = hf_mem_alloc(1); /* lets the tests' hook fail this one too */
  if (!probe) return NULL;
  hf_mem_free(probe);
#endif
  void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return data == MAP_FAILED ? NULL : data;
}

static void wake_first(struct hf_budget *b) {
  if (b->first) pthread_cond_signal(&b->first->cond);
}

static void stop_waiting(void *arg) {
  struct waiter *w = arg;
  pthread_mutex_lock(&w->budget->lock);
  w->stop = true;
  pthread_cond_signal(&w->cond);
  pthread_mutex_unlock(&w->budget->lock);
}

static void leave_queue(struct hf_budget *b, struct waiter *w) {
  struct waiter **at = &b->first, *before = NULL;
  while (*at != w) {
    before = *at;
    at = &before->next;
  }
  *at = w->next;
  if (b->last == w) b->last = before;
  wake_first(b);
}

/* Counts size bytes as used, when it is this one's turn and they are there. */
static hf_status enter(hf_call *call, struct hf_budget *b, size_t size) {
  struct waiter w = {.budget = b};
  pthread_mutex_lock(&b->lock);
  if (!b->first && fits(b, size)) {
    b->used += size;
    pthread_mutex_unlock(&b->lock);
    return HF_OK;
  }
  pthread_cond_init(&w.cond, NULL);
  if (b->last)
    b->last->next = &w;
  else
    b->first = &w;
  b->last = &w;
  pthread_mutex_unlock(&b->lock);
  hf_hook *hook;
  hf_status st = hf_call_on_cancel(call, stop_waiting, &w, &hook);
  pthread_mutex_lock(&b->lock);
  while (st == HF_OK && !w.stop && (b->first != &w || !fits(b, size))) pthread_cond_wait(&w.cond, &b->lock);
  pthread_mutex_unlock(&b->lock);
  hf_call_off_cancel(
      hook); /* waits for the hook, which takes the lock; meanwhile nobody passes the head of the queue */
  pthread_mutex_lock(&b->lock);
  bool granted = st == HF_OK && !w.stop;
  if (granted) b->used += size;
  leave_queue(b, &w);
  pthread_mutex_unlock(&b->lock);
  pthread_cond_destroy(&w.cond);
  if (st == HF_OK && !granted) st = hf_call_check(call);
  return st;
}

static void leave(struct hf_budget *b, size_t size) {
  pthread_mutex_lock(&b->lock);
  b->used -= size;
  wake_first(b);
  pthread_mutex_unlock(&b->lock);
}

hf_status hf_buf_get(hf_call *call, size_t len, struct hf_buf *out) {
  struct hf_budget *b = call->rt->budget;
  *out = (struct hf_buf){0};
  TRY(hf_call_check(call));
  if (len > SIZE_MAX - b->page) return hf_call_failf(call, HF_ENOMEM, "A buffer of %zu bytes cannot be had.", len);
  size_t size = len ? (len + b->page - 1) / b->page * b->page : b->page;
  struct ticket *t = hf_mem_alloc(sizeof *t);
  if (!t) return hf_call_failf(call, HF_ENOMEM, "Out of memory; close other programs.");
  hf_status st = enter(call, b, size);
  if (st != HF_OK) {
    hf_mem_free(t);
    return st;
  }
  pthread_mutex_lock(&b->lock);
  void *data = from_stock(b, &size);
  while (!data && b->stock_count && b->used + b->stocked > b->total) drop_stock(b, b->stock_count - 1);
  pthread_mutex_unlock(&b->lock);
  if (!data) data = fresh(size);
  if (!data) {
    leave(b, size);
    hf_mem_free(t);
    return hf_call_failf(call, HF_ENOMEM, "Out of memory for a buffer of %zu bytes; close other programs.", len);
  }
  *t = (struct ticket){.budget = b, .data = data, .size = size};
  *out = (struct hf_buf){.data = data, .len = len, .ticket = t};
  return HF_OK;
}

void hf_buf_put(struct hf_buf *buf) {
  struct ticket *t = buf->ticket;
  if (!t) return;
  struct hf_budget *b = t->budget;
  pthread_mutex_lock(&b->lock);
  bool keep =
      b->stock_count < MOST_STOCK && t->size <= b->total && b->used - t->size + b->stocked <= b->total - t->size;
  if (keep) {
    b->stock[b->stock_count].data = t->data;
    b->stock[b->stock_count++].size = t->size;
    b->stocked += t->size;
  }
  b->used -= t->size;
  wake_first(b);
  pthread_mutex_unlock(&b->lock);
  if (!keep) munmap(t->data, t->size);
  hf_mem_free(t);
  *buf = (struct hf_buf){0};
}
