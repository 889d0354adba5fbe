/* The workers: threads that are started when jobs wait and none is idle, up to a maximum, and end when the pool closes.
 * A queued job can be taken back until a worker has it, so whoever waits for work to end can do it himself: that is why
 * waiting inside a worker never deadlocks. parallel.c builds on this. */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "call.h"

#define MOST_THREADS 256
#define STACK        (2u * 1024 * 1024) /* a JSON parser at its deepest takes 700 KiB; untouched pages cost nothing */

struct hf_work {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  struct hf_job *first, *last;
  uint32_t queued, idle, threads, most;
  bool closing;
  pthread_t *ids;
};

uint32_t hf_processors(void) {
  static _Atomic uint32_t known;
  uint32_t n = atomic_load_explicit(&known, memory_order_relaxed);
  cpu_set_t set;
  if (n) return n;
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  n = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : online > 0 ? (uint32_t)online : 1;
  if (n == 0) n = 1;
  atomic_store_explicit(&known, n, memory_order_relaxed);
  return n;
}

hf_status hf_work_open(hf_runtime *rt, struct hf_work **out) {
  struct hf_work *w = hf_mem_alloc(sizeof *w);
  *out = NULL;
  if (!w) return HF_ENOMEM;
  int64_t most = hf_config_int(rt, "HF_THREADS", 32);
  w->most = most < 1 ? 1 : most > MOST_THREADS ? MOST_THREADS : (uint32_t)most;
  w->ids = hf_mem_alloc(w->most * sizeof *w->ids);
  if (!w->ids) {
    hf_mem_free(w);
    return HF_ENOMEM;
  }
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, NULL);
  *out = w;
  return HF_OK;
}

static void unqueue(struct hf_work *w, struct hf_job *job) {
  if (job->prev)
    job->prev->next = job->next;
  else
    w->first = job->next;
  if (job->next)
    job->next->prev = job->prev;
  else
    w->last = job->prev;
  job->next = job->prev = NULL;
  job->queued = false;
  w->queued--;
}

static void *work(void *arg) {
  struct hf_work *w = arg;
  hf_locale_plain();
  pthread_mutex_lock(&w->lock);
  for (;;) {
    while (!w->first && !w->closing) {
      w->idle++;
      pthread_cond_wait(&w->wake, &w->lock);
      w->idle--;
    }
    struct hf_job *job = w->first;
    if (!job) break;
    unqueue(w, job);
    pthread_mutex_unlock(&w->lock);
    bool owned = job->owned; /* the job may be gone after it ran */
    job->fn(job->arg);
    if (owned) hf_mem_free(job);
    pthread_mutex_lock(&w->lock);
  }
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

/* Signals are for the program's own threads. */
static bool start_thread(struct hf_work *w) {
  pthread_attr_t attr;
  sigset_t all, before;
  if (pthread_attr_init(&attr)) return false;
#ifndef HF_SANITIZED
  pthread_attr_setstacksize(&attr, STACK);
#endif
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool ok = pthread_create(&w->ids[w->threads], &attr, work, w) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  w->threads += ok;
  return ok;
}

hf_status hf_work_add(struct hf_work *w, struct hf_job *job) {
  pthread_mutex_lock(&w->lock);
  job->next = NULL;
  job->prev = w->last;
  if (w->last)
    w->last->next = job;
  else
    w->first = job;
  w->last = job;
  job->queued = true;
  w->queued++;
  bool served = true;
  if (w->queued <= w->idle)
    pthread_cond_signal(&w->wake);
  else if (w->threads < w->most)
    served = start_thread(w) || w->threads > 0;
  if (!served) unqueue(w, job);
  pthread_mutex_unlock(&w->lock);
  return served ? HF_OK : HF_ENOMEM;
}

bool hf_work_take_back(struct hf_work *w, struct hf_job *job) {
  pthread_mutex_lock(&w->lock);
  bool mine = job->queued;
  if (mine) unqueue(w, job);
  pthread_mutex_unlock(&w->lock);
  return mine;
}

hf_status hf_work_post(struct hf_work *w, void (*fn)(void *), void *arg) {
  struct hf_job *job = hf_mem_alloc(sizeof *job);
  if (!job) return HF_ENOMEM;
  *job = (struct hf_job){.fn = fn, .arg = arg, .owned = true};
  hf_status st = hf_work_add(w, job);
  if (st != HF_OK) hf_mem_free(job);
  return st;
}

void hf_work_close(struct hf_work *w) {
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->closing = true;
  pthread_cond_broadcast(&w->wake);
  pthread_mutex_unlock(&w->lock);
  for (uint32_t i = 0; i < w->threads; i++) pthread_join(w->ids[i], NULL);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  hf_mem_free(w->ids);
  hf_mem_free(w);
}
