/* minder.c - the watching thread of a batch: looks four times a second whether every file that an adapter works for has moved, and
 * cancels the calls of those that have not for HF_ADAPTER_TIMEOUT seconds.
 * It starts with the first file that needs it. */
#include <stdlib.h>
#include <time.h>

#include "minder.h"

enum { STALL_SECONDS = 660, TICK_MS = 250 };

static void wait_tick(struct hf_minder *m) { /* under lock */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += TICK_MS * 1000000L;
  t.tv_sec += t.tv_nsec / 1000000000L;
  t.tv_nsec %= 1000000000L;
  pthread_cond_timedwait(&m->changed, m->lock, &t);
}

static void stop_stalled(struct hf_minder *m, uint64_t now) { /* under lock */
  for (uint32_t i = 0; i < m->count; i++) {
    struct hf_minded *f = m->file(m->batch, i);
    if (!f->running) continue;
    uint64_t moved = m->moved(m->batch, i);
    if (moved != f->moved) {
      f->moved = moved;
      f->moved_ns = now;
    } else if (now - f->moved_ns > m->stall_ns && !f->stalled) {
      f->stalled = true;
      hf_call_cancel(f->running);
    }
  }
}

static void *mind(void *arg) {
  struct hf_minder *m = arg;
  pthread_mutex_lock(m->lock);
  while (!m->stop) {
    wait_tick(m);
    if (m->stop) break;
    stop_stalled(m, hf_now_ns());
    if (!m->tick) continue;
    pthread_mutex_unlock(m->lock);
    m->tick(m->batch);
    pthread_mutex_lock(m->lock);
  }
  pthread_mutex_unlock(m->lock);
  return NULL;
}

void hf_minder_open(hf_call *c, struct hf_minder *m) {
  const char *text = hf_call_get_option(c, "HF_ADAPTER_TIMEOUT");
  long long seconds = text ? strtoll(text, NULL, 10) : 0;
  pthread_condattr_t clock;
  m->stall_ns = (seconds > 0 && seconds < INT32_MAX ? (uint64_t)seconds : STALL_SECONDS) * 1000000000u;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&m->changed, &clock);
  pthread_condattr_destroy(&clock);
}

void hf_minder_start(struct hf_minder *m) {
  pthread_mutex_lock(m->lock);
  if (!m->minding && !m->stop) m->minding = pthread_create(&m->thread, NULL, mind, m) == 0;
  pthread_mutex_unlock(m->lock);
}

void hf_minder_running(struct hf_minder *m, uint32_t i, hf_call *running) {
  pthread_mutex_lock(m->lock);
  struct hf_minded *f = m->file(m->batch, i);
  f->running = running;
  if (running) {
    f->moved = m->moved(m->batch, i);
    f->moved_ns = hf_now_ns();
    f->stalled = false;
  }
  pthread_mutex_unlock(m->lock);
}

void hf_minder_stop(struct hf_minder *m) {
  pthread_mutex_lock(m->lock);
  m->stop = true;
  bool join = m->minding;
  m->minding = false;
  pthread_cond_broadcast(&m->changed);
  pthread_mutex_unlock(m->lock);
  if (join) pthread_join(m->thread, NULL);
}

void hf_minder_close(struct hf_minder *m) {
  hf_minder_stop(m);
  pthread_cond_destroy(&m->changed);
}
