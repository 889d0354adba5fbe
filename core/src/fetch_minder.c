/* fetch_minder.c - what must happen while workers are busy with bytes: leases are kept alive, a group that waits too long is
 * published, an adapter that moves nothing is asked to stop so that another one can go on.
 * One thread per batch, started when the first file needs the network or a lease. */
#include <errno.h>
#include <time.h>

#include "fetch.h"

enum { TICK_MS = 250 };

static void wait_tick(struct hf_batch *b) { /* under lock */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += TICK_MS * 1000000L;
  t.tv_sec += t.tv_nsec / 1000000000L;
  t.tv_nsec %= 1000000000L;
  pthread_cond_timedwait(&b->changed, &b->lock, &t);
}

static void beat_all(hf_call *c, struct hf_batch *b) {
  for (uint32_t i = 0; i < b->f->count; i++) {
    struct hf_file_job *j = &b->jobs[i];
    pthread_mutex_lock(&b->lock);
    bool beat = j->lease && !b->stop;
    j->beating = beat;
    pthread_mutex_unlock(&b->lock);
    if (!beat) continue;
    hf_call *own = hf_call_branch(c);
    if (own) {
      if (hf_store_beat(own, b->store, j->lease) != HF_OK)
        hf_call_log(c, HF_LOG_INFO, "%s: somebody else may be fetching it too", j->tr.path);
      hf_call_branch_end(own, false);
    }
    pthread_mutex_lock(&b->lock);
    j->beating = false;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
  }
}

static void stop_stalled(struct hf_batch *b, uint64_t now) {
  pthread_mutex_lock(&b->lock);
  for (uint32_t i = 0; i < b->f->count; i++) {
    struct hf_file_job *j = &b->jobs[i];
    if (!j->running) continue;
    uint64_t moved = hf_sink_moved(j->sink);
    if (moved != j->moved) {
      j->moved = moved;
      j->moved_ns = now;
    } else if (now - j->moved_ns > b->stall_ns && !j->stalled) {
      j->stalled = true;
      hf_call_cancel(j->running);
    }
  }
  pthread_mutex_unlock(&b->lock);
}

static void *mind(void *arg) {
  struct hf_batch *b = arg;
  hf_call *c = hf_call_branch(b->call);
  if (!c) return NULL;
  uint64_t beaten = hf_now_ns();
  hf_status st = HF_OK;
  pthread_mutex_lock(&b->lock);
  while (!b->stop) {
    wait_tick(b);
    if (b->stop) break;
    pthread_mutex_unlock(&b->lock);
    uint64_t now = hf_now_ns();
    if (now - beaten >= (uint64_t)HF_LEASE_TTL_MS / 3 * 1000000) {
      beat_all(c, b);
      beaten = now;
    }
    stop_stalled(b, now);
    if (st == HF_OK) st = hf_group_flush(c, b, true);
    pthread_mutex_lock(&b->lock);
    if (st != HF_OK && b->failed == HF_OK) b->failed = st;
  }
  pthread_mutex_unlock(&b->lock);
  hf_call_branch_end(c, st != HF_OK);
  return NULL;
}

void hf_minder_start(struct hf_batch *b) {
  pthread_mutex_lock(&b->lock);
  if (!b->minding && !b->stop) b->minding = pthread_create(&b->minder, NULL, mind, b) == 0;
  pthread_mutex_unlock(&b->lock);
}

void hf_minder_stop(struct hf_batch *b) {
  pthread_mutex_lock(&b->lock);
  b->stop = true;
  bool join = b->minding;
  pthread_cond_broadcast(&b->changed);
  pthread_mutex_unlock(&b->lock);
  if (join) pthread_join(b->minder, NULL);
}

void hf_minder_running(struct hf_batch *b, uint32_t i, hf_call *running) {
  struct hf_file_job *j = &b->jobs[i];
  pthread_mutex_lock(&b->lock);
  j->running = running;
  if (running) {
    j->moved = hf_sink_moved(j->sink);
    j->moved_ns = hf_now_ns();
    j->stalled = false;
  }
  pthread_mutex_unlock(&b->lock);
}

hf_status hf_batch_lease(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  uint64_t caps = hf_store_caps(b->store);
  if (!(caps & HF_ST_LEASES) || !j->tr.etag || j->lease) return HF_OK;
  if ((caps & HF_ST_EXCL_PUBLISH) && j->tr.size < HF_NO_LEASE_BELOW) return HF_OK;
  struct hf_key key = {b->f->repo, j->tr.etag};
  void *lease = NULL;
  hf_minder_start(b);
  TRY(hf_store_lease(c, b->store, &key, HF_LEASE_TTL_MS, &lease));
  pthread_mutex_lock(&b->lock);
  j->lease = lease;
  pthread_mutex_unlock(&b->lock);
  return HF_OK;
}

void hf_batch_unlease(struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  pthread_mutex_lock(&b->lock);
  while (j->beating) pthread_cond_wait(&b->changed, &b->lock);
  void *lease = j->lease;
  j->lease = NULL;
  pthread_mutex_unlock(&b->lock);
  if (lease) hf_store_unlease(b->store, lease);
}
