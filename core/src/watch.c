/* The watcher: a thread that sleeps until somebody asks to cancel or a deadline passes, and then runs the hooks.
 * It exists only in runtimes where a call can block on something that a hook must wake (network, waits), from the first
 * such call on; everything else notices by hf_call_check(). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "call.h"

#define LONGEST_SLEEP_MS 1000 /* what a wake-up that got lost costs at most */

struct hf_watcher {
  pthread_mutex_t lock;
  pthread_t thread;
  struct hf_cancel *roots;
  int fd;
  bool started, stop;
};

struct hf_watcher *hf_watcher_new(void) {
  struct hf_watcher *w = hf_mem_alloc(sizeof *w);
  if (!w) return NULL;
  pthread_mutex_init(&w->lock, NULL);
  w->fd = -1;
  return w;
}

static void wake(struct hf_watcher *w) {
  uint64_t one = 1;
  ssize_t n = write(w->fd, &one, sizeof one);
  (void)n; /* full: awake already */
}

/* A root whose time has come, with a reference; else NULL and how long to sleep at most. */
static struct hf_cancel *due(struct hf_watcher *w, hf_status *why, int *sleep_ms) {
  uint64_t now = hf_now_ns(), next = UINT64_MAX;
  for (struct hf_cancel *c = w->roots; c; c = c->watched_next) {
    if (atomic_load(&c->why) != HF_OK) continue;
    *why = hf_cancel_why(c);
    if (*why != HF_OK) return hf_cancel_ref(c);
    if (c->deadline_ns && c->deadline_ns < next) next = c->deadline_ns;
  }
  uint64_t left_ms = next == UINT64_MAX ? 0 : next > now ? (next - now) / 1000000 + 1 : 0;
  *sleep_ms = next == UINT64_MAX || left_ms > LONGEST_SLEEP_MS ? LONGEST_SLEEP_MS : (int)left_ms;
  return NULL;
}

static void *watch(void *arg) {
  struct hf_watcher *w = arg;
  pthread_mutex_lock(&w->lock);
  while (!w->stop) {
    hf_status why;
    int sleep_ms = 0;
    struct hf_cancel *c = due(w, &why, &sleep_ms);
    pthread_mutex_unlock(&w->lock);
    if (c) {
      hf_cancel_fire(c, why);
      hf_cancel_unref(c);
    } else {
      struct pollfd p = {.fd = w->fd, .events = POLLIN};
      uint64_t count;
      if (poll(&p, 1, sleep_ms) > 0) {
        ssize_t n = read(w->fd, &count, sizeof count);
        (void)n;
      }
    }
    pthread_mutex_lock(&w->lock);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

static bool start(struct hf_watcher *w) {
  if (w->started) return true;
  if (w->fd < 0) w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (w->fd < 0) return false;
  pthread_attr_t attr;
  if (pthread_attr_init(&attr)) return false;
  pthread_attr_setstacksize(&attr, 512 * 1024);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  w->started = pthread_create(&w->thread, &attr, watch, w) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return w->started;
}

bool hf_watcher_add(struct hf_watcher *w, struct hf_cancel *root) {
  pthread_mutex_lock(&w->lock);
  bool ok = root->watched || start(w);
  if (ok && !root->watched) {
    root->watched = true;
    root->watched_next = w->roots;
    if (w->roots) w->roots->watched_prev = root;
    root->watched_prev = NULL;
    w->roots = hf_cancel_ref(root);
    atomic_store(&root->wake_fd, w->fd);
    if (root->deadline_ns) wake(w);
  }
  pthread_mutex_unlock(&w->lock);
  return ok;
}

void hf_watcher_remove(struct hf_watcher *w, struct hf_cancel *root) {
  pthread_mutex_lock(&w->lock);
  bool was = root->watched;
  if (was) {
    root->watched = false;
    atomic_store(&root->wake_fd, -1);
    if (root->watched_prev)
      root->watched_prev->watched_next = root->watched_next;
    else
      w->roots = root->watched_next;
    if (root->watched_next) root->watched_next->watched_prev = root->watched_prev;
  }
  pthread_mutex_unlock(&w->lock);
  if (was) hf_cancel_unref(root);
}

void hf_watcher_free(struct hf_watcher *w) {
  if (!w) return;
  if (w->started) {
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_mutex_unlock(&w->lock);
    wake(w);
    pthread_join(w->thread, NULL);
  }
  if (w->fd >= 0) close(w->fd);
  pthread_mutex_destroy(&w->lock);
  hf_mem_free(w);
}
