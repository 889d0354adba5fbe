/* Structured concurrency on the workers: parallel() over a range, and groups of spawned jobs.
 * Who waits works too, and takes back what no worker has begun, so nesting cannot deadlock however few workers there are.
 * The first failure cancels the branches beside it and is the result; the caller's own call stays usable. */
#include "call.h"

#define MOST_WIDTH 128

static uint32_t width_of(hf_call *call, uint32_t asked) {
  int64_t width = asked ? asked : hf_config_int(call->rt, "HF_WORKERS", 8);
  return width < 1 ? 1 : width > MOST_WIDTH ? MOST_WIDTH : (uint32_t)width;
}

/* What both forms share: the branch all work hangs below, and its first failure. */
struct group {
  hf_call *call;
  pthread_mutex_t lock;
  pthread_cond_t change;
  hf_status failed;
};

static bool group_open(struct group *g, hf_call *parent) {
  g->call = hf_call_branch(parent);
  if (!g->call) return false;
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->change, NULL);
  g->failed = HF_OK;
  return true;
}

static void group_failed(struct group *g, hf_call *where, hf_status st) {
  const struct hf_error *e = hf_call_error(where), none = {.struct_size = sizeof none, .code = st};
  pthread_mutex_lock(&g->lock);
  bool first = g->failed == HF_OK;
  if (first) {
    g->failed = st;
    hf_call_fail(g->call, e ? e : &none);
  }
  pthread_mutex_unlock(&g->lock);
  if (first) hf_call_cancel(g->call);
}

static hf_status group_close(struct group *g) {
  hf_status st = g->failed;
  hf_call_branch_end(g->call, st != HF_OK);
  pthread_cond_destroy(&g->change);
  pthread_mutex_destroy(&g->lock);
  return st;
}

/* ---- parallel ---- */

struct helper {
  struct hf_job job;
  struct team *team;
};
struct team {
  struct group group;
  hf_status (*fn)(hf_call *, void *, uint32_t);
  void *arg;
  uint32_t n;
  struct helper *helpers;
  /* under group.lock */
  uint32_t next, room, posted, running;
};

static void help(void *arg);

/* One more helper while there is work for it. Each one calls for the next, so short work starts few threads. */
static void recruit(struct team *t) {
  if (t->next >= t->n || t->posted >= t->room) return;
  struct helper *h = &t->helpers[t->posted];
  *h = (struct helper){.job = {.fn = help, .arg = h}, .team = t};
  if (hf_work_add(t->group.call->rt->work, &h->job) != HF_OK) {
    t->room = t->posted;
    return;
  }
  t->posted++;
  t->running++;
}

static bool take(struct team *t, uint32_t *i) {
  pthread_mutex_lock(&t->group.lock);
  bool more = t->next < t->n && t->group.failed == HF_OK && hf_cancel_why(t->group.call->cancel) == HF_OK;
  if (more) {
    *i = t->next++;
    recruit(t);
  }
  pthread_mutex_unlock(&t->group.lock);
  return more;
}

static void take_part(struct team *t) {
  uint32_t i;
  while (take(t, &i)) {
    hf_call *call = hf_call_branch(t->group.call);
    hf_status st = call ? t->fn(call, t->arg, i) : HF_ENOMEM;
    if (st < 0) group_failed(&t->group, call ? call : t->group.call, st);
    hf_call_branch_end(call, false);
  }
}

static void help(void *arg) {
  struct team *t = ((struct helper *)arg)->team;
  take_part(t);
  pthread_mutex_lock(&t->group.lock);
  t->running--;
  pthread_cond_signal(&t->group.change);
  pthread_mutex_unlock(&t->group.lock);
}

hf_status hf_parallel(hf_call *call, uint32_t n, uint32_t width, hf_status (*fn)(hf_call *, void *, uint32_t),
                      void *arg) {
  if (!n) return HF_OK;
  struct team t = {.fn = fn, .arg = arg, .n = n};
  width = width_of(call, width);
  if (width > n) width = n;
  t.helpers = width > 1 ? hf_mem_alloc((width - 1) * sizeof *t.helpers) : NULL;
  if ((width > 1 && !t.helpers) || !group_open(&t.group, call)) {
    hf_mem_free(t.helpers);
    return hf_call_failf(call, HF_ENOMEM, "Out of memory; close other programs.");
  }
  t.room = width - 1;
  take_part(&t);
  pthread_mutex_lock(&t.group.lock);
  bool cut = t.next < t.n;
  t.room = 0;
  for (uint32_t i = 0; i < t.posted; i++)
    if (hf_work_take_back(call->rt->work, &t.helpers[i].job)) t.running--;
  while (t.running) pthread_cond_wait(&t.group.change, &t.group.lock);
  pthread_mutex_unlock(&t.group.lock);
  hf_status st = group_close(&t.group);
  hf_mem_free(t.helpers);
  return st == HF_OK && cut ? hf_call_check(call) : st;
}

/* ---- jobs ---- */

struct spawned {
  struct spawned *next;
  hf_status (*fn)(hf_call *, void *);
  void *arg;
};
struct runner {
  struct hf_job job;
  hf_jobs *jobs;
  bool busy;
};
struct hf_jobs {
  struct group group;
  /* under group.lock */
  struct spawned *first, *last;
  uint32_t width, running;
  struct runner runners[];
};

hf_status hf_jobs_open(hf_call *call, uint32_t width, hf_jobs **out) {
  width = width_of(call, width);
  hf_jobs *j = hf_mem_alloc(sizeof *j + width * sizeof j->runners[0]);
  *out = NULL;
  if (!j || !group_open(&j->group, call)) {
    hf_mem_free(j);
    return hf_call_failf(call, HF_ENOMEM, "Out of memory; close other programs.");
  }
  j->width = width;
  *out = j;
  return HF_OK;
}

/* Runs the oldest job; called and left with the lock held. A job runs in every case, so that it can free its argument:
 * after a failure with a call that is cancelled. */
static void run_one(hf_jobs *j) {
  struct spawned *s = j->first;
  j->first = s->next;
  if (!j->first) j->last = NULL;
  pthread_mutex_unlock(&j->group.lock);
  hf_call *call = hf_call_branch(j->group.call);
  hf_status st = s->fn(call ? call : j->group.call, s->arg);
  if (st < 0) group_failed(&j->group, call ? call : j->group.call, st);
  hf_call_branch_end(call, false);
  hf_mem_free(s);
  pthread_mutex_lock(&j->group.lock);
}

static void run_jobs(void *arg) {
  struct runner *r = arg;
  hf_jobs *j = r->jobs;
  pthread_mutex_lock(&j->group.lock);
  while (j->first) run_one(j);
  r->busy = false;
  j->running--;
  pthread_cond_broadcast(&j->group.change);
  pthread_mutex_unlock(&j->group.lock);
}

/* A worker for the queue, when the width allows one more; without one, join() does the work. */
static void add_runner(hf_jobs *j) {
  for (uint32_t i = 0; i < j->width; i++) {
    struct runner *r = &j->runners[i];
    if (r->busy) continue;
    *r = (struct runner){.job = {.fn = run_jobs, .arg = r}, .jobs = j, .busy = true};
    j->running++;
    if (hf_work_add(j->group.call->rt->work, &r->job) != HF_OK) {
      r->busy = false;
      j->running--;
    }
    return;
  }
}

hf_status hf_jobs_spawn(hf_jobs *j, hf_status (*fn)(hf_call *, void *), void *arg) {
  struct spawned *s = hf_mem_alloc(sizeof *s);
  if (!s) return HF_ENOMEM;
  *s = (struct spawned){.fn = fn, .arg = arg};
  pthread_mutex_lock(&j->group.lock);
  hf_status st = j->group.failed != HF_OK ? j->group.failed : hf_cancel_why(j->group.call->cancel);
  if (st == HF_OK) {
    if (j->last)
      j->last->next = s;
    else
      j->first = s;
    j->last = s;
    add_runner(j);
    pthread_cond_broadcast(&j->group.change);
  }
  pthread_mutex_unlock(&j->group.lock);
  if (st != HF_OK) hf_mem_free(s);
  return st;
}

hf_status hf_jobs_join(hf_jobs *j) {
  if (!j) return HF_OK;
  struct hf_work *work = j->group.call->rt->work;
  pthread_mutex_lock(&j->group.lock);
  for (;;) {
    if (j->first) {
      run_one(j);
      continue;
    }
    for (uint32_t i = 0; i < j->width; i++) {
      if (!j->runners[i].busy || !hf_work_take_back(work, &j->runners[i].job)) continue;
      j->runners[i].busy = false;
      j->running--;
    }
    if (!j->running) break;
    pthread_cond_wait(&j->group.change, &j->group.lock);
  }
  pthread_mutex_unlock(&j->group.lock);
  hf_status st = group_close(&j->group);
  hf_mem_free(j);
  return st;
}
