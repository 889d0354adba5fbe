/* Cancelling: a tree of flags, one node per call and branch, with hooks that run when a node or one above it is cancelled.
 * One lock per tree, never held while a hook runs; a node lives until its last branch and hook are gone.
 * Asking the root is a flag and a write(), so a signal handler may do it; watch.c turns that into hooks. */
#include <errno.h>
#include <unistd.h>

#include "call.h"

struct hf_hook {
  struct hf_cancel *node;
  void (*fn)(void *);
  void *arg;
  hf_hook *next, *prev;
  enum { WAITING, RUNNING, RAN } state;
  bool dropped; /* off_cancel came from the hook itself */
  pthread_t runner;
};

struct hf_cancel *hf_cancel_new(struct hf_watcher *watcher, struct hf_cancel *parent, uint64_t deadline_ns) {
  struct hf_cancel *c = hf_mem_alloc(sizeof *c);
  if (!c) return NULL;
  atomic_init(&c->refs, 1);
  if (!parent) {
    c->root = c;
    c->watcher = watcher;
    atomic_init(&c->deadline_ns, deadline_ns);
    atomic_init(&c->wake_fd, -1);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->ran, NULL);
    return c;
  }
  c->root = parent->root;
  c->parent = hf_cancel_ref(parent);
  pthread_mutex_lock(&c->root->lock);
  atomic_init(&c->why, atomic_load(&parent->why));
  c->next = parent->children;
  if (c->next) c->next->prev = c;
  parent->children = c;
  pthread_mutex_unlock(&c->root->lock);
  return c;
}

struct hf_cancel *hf_cancel_ref(struct hf_cancel *c) {
  atomic_fetch_add(&c->refs, 1);
  return c;
}

void hf_cancel_unref(struct hf_cancel *c) {
  while (c && atomic_fetch_sub(&c->refs, 1) == 1) {
    struct hf_cancel *parent = c->parent;
    if (parent) {
      pthread_mutex_lock(&c->root->lock);
      if (c->prev)
        c->prev->next = c->next;
      else
        parent->children = c->next;
      if (c->next) c->next->prev = c->prev;
      pthread_mutex_unlock(&c->root->lock);
    } else {
      pthread_mutex_destroy(&c->lock);
      pthread_cond_destroy(&c->ran);
    }
    hf_mem_free(c);
    c = parent;
  }
}

void hf_cancel_ask(struct hf_cancel *root) {
  atomic_store(&root->asked, 1);
  int fd = atomic_load(&root->wake_fd);
  if (fd < 0) return;
  int before = errno;
  uint64_t one = 1;
  ssize_t n = write(fd, &one, sizeof one);
  (void)n; /* full: the watcher is awake already */
  errno = before;
}

hf_status hf_cancel_why(struct hf_cancel *c) {
  hf_status why = atomic_load_explicit(&c->why, memory_order_acquire);
  if (why != HF_OK) return why;
  if (atomic_load(&c->root->asked)) return HF_ECANCELED;
  uint64_t deadline = atomic_load_explicit(&c->root->deadline_ns, memory_order_relaxed);
  if (deadline && hf_now_ns() >= deadline) return HF_ETIMEDOUT;
  return HF_OK;
}

void hf_cancel_by(struct hf_cancel *root, uint64_t deadline_ns) {
  uint64_t was = atomic_load(&root->deadline_ns);
  while ((was == 0 || deadline_ns < was) && !atomic_compare_exchange_weak(&root->deadline_ns, &was, deadline_ns))
    continue;
  int fd = atomic_load(&root->wake_fd); /* the watcher sleeps until what it knew as the next deadline */
  uint64_t one = 1;
  ssize_t n = fd >= 0 ? write(fd, &one, sizeof one) : 0;
  (void)n;
}

/* The node after `at` in a walk over `top` and everything below it. */
static struct hf_cancel *walk(struct hf_cancel *top, struct hf_cancel *at) {
  if (at->children) return at->children;
  while (at != top) {
    if (at->next) return at->next;
    at = at->parent;
  }
  return NULL;
}

static void unlink_hook(hf_hook *h) {
  if (h->prev)
    h->prev->next = h->next;
  else
    h->node->hooks = h->next;
  if (h->next) h->next->prev = h->prev;
}

/* Runs a waiting hook; the lock is released meanwhile. */
static void run_hook(struct hf_cancel *root, hf_hook *h) {
  unlink_hook(h);
  h->state = RUNNING;
  h->runner = pthread_self();
  pthread_mutex_unlock(&root->lock);
  h->fn(h->arg);
  pthread_mutex_lock(&root->lock);
  h->state = RAN;
  pthread_cond_broadcast(&root->ran);
}

static void free_hook(hf_hook *h) {
  struct hf_cancel *node = h->node;
  hf_mem_free(h);
  hf_cancel_unref(node);
}

void hf_cancel_fire(struct hf_cancel *top, hf_status why) {
  struct hf_cancel *root = top->root;
  hf_hook *gone = NULL;
  pthread_mutex_lock(&root->lock);
  for (struct hf_cancel *c = top; c; c = walk(top, c)) {
    hf_status none = HF_OK;
    atomic_compare_exchange_strong(&c->why, &none, why);
  }
  for (struct hf_cancel *c = top; c;) {
    if (!c->hooks) {
      c = walk(top, c);
      continue;
    }
    hf_hook *h = c->hooks;
    run_hook(root, h);
    if (h->dropped) {
      h->next = gone;
      gone = h;
    }
    c = top; /* the tree may have changed while the hook ran */
  }
  pthread_mutex_unlock(&root->lock);
  for (hf_hook *next; gone; gone = next) {
    next = gone->next;
    free_hook(gone);
  }
}

hf_status hf_call_on_cancel(hf_call *call, void (*fn)(void *), void *arg, hf_hook **out) {
  *out = NULL;
  struct hf_cancel *node = call->cancel, *root = node->root;
  hf_hook *h = hf_mem_alloc(sizeof *h);
  if (!h || !hf_watcher_add(root->watcher, root)) {
    hf_mem_free(h);
    return hf_call_failf(call, HF_ENOMEM, "Out of memory or threads; close other programs.");
  }
  *h = (hf_hook){.node = hf_cancel_ref(node), .fn = fn, .arg = arg};
  pthread_mutex_lock(&root->lock);
  h->next = node->hooks;
  if (h->next) h->next->prev = h;
  node->hooks = h;
  /* asked is looked at after wake_fd was set: either this sees it, or the asking thread wakes the watcher */
  if (hf_cancel_why(node) != HF_OK) run_hook(root, h);
  pthread_mutex_unlock(&root->lock);
  *out = h;
  return HF_OK;
}

void hf_call_off_cancel(hf_hook *h) {
  if (!h) return;
  struct hf_cancel *root = h->node->root;
  pthread_mutex_lock(&root->lock);
  if (h->state == RUNNING && pthread_equal(h->runner, pthread_self())) {
    h->dropped = true;
    pthread_mutex_unlock(&root->lock);
    return;
  }
  while (h->state == RUNNING) pthread_cond_wait(&root->ran, &root->lock);
  if (h->state == WAITING) unlink_hook(h);
  pthread_mutex_unlock(&root->lock);
  free_hook(h);
}
