/* fetch_minder.c - what must happen while workers are busy with bytes, beside ending stalled adapters (minder.c): leases are kept
 * alive, a group that waits too long is published.
 * One thread per batch, started when the first file needs the network or a lease. */
#include "fetch.h"

static void beat_all(hf_call *c, struct hf_batch *b) {
  for (uint32_t i = 0; i < b->f->count; i++) {
    struct hf_file_job *j = &b->jobs[i];
    pthread_mutex_lock(&b->lock);
    bool beat = j->lease && !b->minder.stop;
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
    pthread_cond_broadcast(&b->minder.changed);
    pthread_mutex_unlock(&b->lock);
  }
}

static struct hf_minded *file_of(void *batch, uint32_t i) {
  return &((struct hf_batch *)batch)->jobs[i].minded;
}

static uint64_t moved_of(void *batch, uint32_t i) {
  return hf_sink_moved(((struct hf_batch *)batch)->jobs[i].sink);
}

static void tick(void *batch) {
  struct hf_batch *b = batch;
  if (!b->minder_call && !(b->minder_call = hf_call_branch(b->call))) return;
  uint64_t now = hf_now_ns();
  if (now - b->beaten_ns >= (uint64_t)HF_LEASE_TTL_MS / 3 * 1000000) {
    beat_all(b->minder_call, b);
    b->beaten_ns = now;
  }
  if (b->minder_failed == HF_OK) b->minder_failed = hf_group_flush(b->minder_call, b, true);
  pthread_mutex_lock(&b->lock);
  if (b->failed == HF_OK) b->failed = b->minder_failed;
  pthread_mutex_unlock(&b->lock);
}

void hf_batch_minder_open(hf_call *c, struct hf_batch *b) {
  b->beaten_ns = hf_now_ns();
  b->minder = (struct hf_minder){
      .lock = &b->lock, .count = b->f->count, .batch = b, .file = file_of, .moved = moved_of, .tick = tick};
  hf_minder_open(c, &b->minder);
}

void hf_batch_minder_stop(struct hf_batch *b) {
  hf_minder_stop(&b->minder);
  hf_call_branch_end(b->minder_call, b->minder_failed != HF_OK);
  b->minder_call = NULL;
}

hf_status hf_batch_lease(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  uint64_t caps = hf_store_caps(b->store);
  if (!(caps & HF_ST_LEASES) || !j->tr.etag || j->lease) return HF_OK;
  if ((caps & HF_ST_EXCL_PUBLISH) && j->tr.size < HF_NO_LEASE_BELOW) return HF_OK;
  struct hf_key key = {b->f->repo, j->tr.etag};
  void *lease = NULL;
  hf_minder_start(&b->minder);
  TRY(hf_store_lease(c, b->store, &key, HF_LEASE_TTL_MS, &lease));
  pthread_mutex_lock(&b->lock);
  j->lease = lease;
  pthread_mutex_unlock(&b->lock);
  return HF_OK;
}

void hf_batch_unlease(struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  pthread_mutex_lock(&b->lock);
  while (j->beating) pthread_cond_wait(&b->minder.changed, &b->lock);
  void *lease = j->lease;
  j->lease = NULL;
  pthread_mutex_unlock(&b->lock);
  if (lease) hf_store_unlease(b->store, lease);
}
