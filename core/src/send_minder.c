/* send_minder.c - an adapter that neither reads from its file nor reports a part for too long is asked to stop, so that another
 * one can go on. Every file's source is counted.
 * One thread per batch looks at the counts; it starts with the first file. */
#include <stdlib.h>
#include <time.h>

#include "send.h"

enum { STALL_SECONDS = 660, TICK_MS = 250 };

static hf_status counted_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct send_job *j = (struct send_job *)(void *)((char *)s - offsetof(struct send_job, source));
  hf_status st = j->raw->pread(c, j->raw, buf, len, off, got);
  atomic_fetch_add_explicit(&j->moved, 1, memory_order_relaxed);
  return st;
}

static void counted_close(struct hf_source *s) {
  (void)s; /* the host's */
}

struct hf_source *hf_send_count(struct send_job *j, struct hf_source *raw) {
  j->raw = raw;
  j->source = *raw;
  j->source.struct_size = sizeof j->source;
  j->source.pread = counted_pread;
  j->source.close = counted_close;
  return &j->source;
}

void hf_send_uncount(struct send_job *j) {
  if (j->raw) j->raw->close(j->raw);
  j->raw = NULL;
}

static void look(struct send *b, uint64_t now) { /* under lock */
  for (uint32_t i = 0; i < b->s->count; i++) {
    struct send_job *j = &b->jobs[i];
    if (!j->running) continue;
    uint64_t moved = atomic_load_explicit(&j->moved, memory_order_relaxed);
    if (moved != j->seen) {
      j->seen = moved;
      j->seen_ns = now;
    } else if (now - j->seen_ns > b->stall_ns && !j->stalled) {
      j->stalled = true;
      hf_call_cancel(j->running);
    }
  }
}

static void *mind(void *arg) {
  struct send *b = arg;
  pthread_mutex_lock(&b->lock);
  while (!b->stop) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += TICK_MS * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    pthread_cond_timedwait(&b->changed, &b->lock, &t);
    if (!b->stop) look(b, hf_now_ns());
  }
  pthread_mutex_unlock(&b->lock);
  return NULL;
}

void hf_send_running(struct send *b, uint32_t i, hf_call *running) {
  struct send_job *j = &b->jobs[i];
  pthread_mutex_lock(&b->lock);
  j->running = running;
  if (running) {
    j->seen = atomic_load_explicit(&j->moved, memory_order_relaxed);
    j->seen_ns = hf_now_ns();
    j->stalled = false;
    if (!b->minding && !b->stop) b->minding = pthread_create(&b->minder, NULL, mind, b) == 0;
  }
  pthread_mutex_unlock(&b->lock);
}

void hf_send_minder_open(hf_call *c, struct send *b) {
  const char *text = hf_call_get_option(c, "HF_ADAPTER_TIMEOUT");
  long long seconds = text ? strtoll(text, NULL, 10) : 0;
  b->stall_ns = (seconds > 0 && seconds < INT32_MAX ? (uint64_t)seconds : STALL_SECONDS) * 1000000000u;
  pthread_cond_init(&b->changed, NULL);
}

void hf_send_minder_close(struct send *b) {
  pthread_mutex_lock(&b->lock);
  b->stop = true;
  bool join = b->minding;
  pthread_cond_broadcast(&b->changed);
  pthread_mutex_unlock(&b->lock);
  if (join) pthread_join(b->minder, NULL);
  pthread_cond_destroy(&b->changed);
}
