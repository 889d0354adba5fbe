/* sink_follower.c - the digest of a large file on a thread of its own: it follows the writers and reads back what they have just
 * written, which is still in memory. It ends when it has caught up and begins again when there is enough to do.
 * A writer that would leave it too far behind waits, so that nothing must come from the disk; where no thread is to be had the
 * writers hash, as they do for small files. */
#include <time.h>

#include "sink.h"

enum {
  FOLLOW_FROM = 16 << 20, /* smaller files are hashed sooner than a thread wakes up */
  BEGIN_AT = 1 << 20,     /* bytes behind */
  STEP = 1 << 20,
  BEHIND_MOST = 64 << 20,
  TICK_NS = 100000000, /* between two looks at a cancel while waiting */
};

/* Files of this process that have a follower: never as many as there are processors, which would only read back for nothing. */
static _Atomic uint32_t followed;

/* Under lock. */
static bool take_place(struct hf_wrap *w) {
  struct hf_follower *f = &w->follower;
  if (f->placed) return true;
  bool may = w->want.algo != HF_DIGEST_NONE && w->s.size != HF_SIZE_UNKNOWN && w->s.size >= FOLLOW_FROM &&
             w->reads_back && !w->ordered && (w->raw->caps & HF_IO_CONCURRENT) &&
             w->store->mod->threads == HF_THREADS_ANY;
  for (uint32_t n = atomic_load(&followed); may && n + 1 < hf_processors();)
    if (atomic_compare_exchange_weak(&followed, &n, n + 1)) return f->placed = true;
  return false;
}

static uint64_t behind(const struct hf_wrap *w) { /* under lock */
  return hf_ranges_end(&w->held, w->hashed) - w->hashed;
}

static void follow(void *arg) {
  struct hf_wrap *w = arg;
  hf_call *c;
  hf_status st = hf_call_begin(w->store->rt, &c);
  uint64_t before = UINT64_MAX;
  pthread_mutex_lock(&w->lock);
  while (st == HF_OK && !w->follower.stop && behind(w) >= HF_SINK_SCRATCH && w->hashed != before) {
    before = w->hashed; /* stays where it is while a writer hashes that began before this */
    pthread_mutex_unlock(&w->lock);
    st = hf_frontier_follow(c, w, UINT64_MAX, NULL, 0, STEP);
    pthread_mutex_lock(&w->lock);
    pthread_cond_broadcast(&w->follower.moved);
  }
  if (st != HF_OK) w->follower.lost = true; /* whoever hashes next meets the same and says so */
  w->follower.runs = false;
  pthread_cond_broadcast(&w->follower.moved);
  pthread_mutex_unlock(&w->lock);
  hf_call_end(c);
}

/* Under lock: a job that no worker has begun is none. */
static void take_back(struct hf_wrap *w) {
  struct hf_follower *f = &w->follower;
  if (f->runs && hf_work_take_back(w->store->rt->work, &f->job)) f->runs = false, f->lost = true;
}

static void wait_moved(struct hf_wrap *w) { /* under lock */
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += TICK_NS;
  t.tv_sec += t.tv_nsec / 1000000000L;
  t.tv_nsec %= 1000000000L;
  pthread_cond_timedwait(&w->follower.moved, &w->lock, &t);
}

void hf_follower_init(struct hf_wrap *w) {
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&w->follower.moved, &clock);
  pthread_condattr_destroy(&clock);
}

hf_status hf_follower_tell(hf_call *c, struct hf_wrap *w, uint64_t off, bool *follows) {
  struct hf_follower *f = &w->follower;
  hf_status st = HF_OK;
  pthread_mutex_lock(&w->lock);
  if (take_place(w) && !f->lost && !f->runs && behind(w) >= BEGIN_AT) {
    f->job = (struct hf_job){.fn = follow, .arg = w};
    f->runs = true;
    if (hf_work_add(w->store->rt->work, &f->job) != HF_OK) f->runs = false, f->lost = true;
  }
  while (st == HF_OK && f->runs && behind(w) > BEHIND_MOST && off < w->hashed + behind(w)) {
    take_back(w);
    if (f->runs) wait_moved(w);
    pthread_mutex_unlock(&w->lock);
    st = hf_call_check(c);
    pthread_mutex_lock(&w->lock);
  }
  *follows = f->placed && !f->lost;
  pthread_mutex_unlock(&w->lock);
  return st;
}

hf_status hf_follower_end(hf_call *c, struct hf_wrap *w) {
  struct hf_follower *f = &w->follower;
  hf_status st = HF_OK;
  pthread_mutex_lock(&w->lock);
  if (!c) f->stop = true;
  while (f->runs) {
    take_back(w);
    if (!f->runs) break;
    wait_moved(w);
    if (f->stop) continue;
    pthread_mutex_unlock(&w->lock);
    st = hf_call_check(c);
    pthread_mutex_lock(&w->lock);
    if (st != HF_OK) f->stop = true;
  }
  f->lost = true;
  if (f->placed) atomic_fetch_sub(&followed, 1);
  f->placed = false;
  pthread_mutex_unlock(&w->lock);
  return st;
}
