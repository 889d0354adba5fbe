/* hook_call.c - calls the hook of a provider on a thread of its own, and gives it up when it does not come back: a hook does no
 * I/O and never waits, so one that takes HF_HOOK_TIMEOUT seconds hangs, and one of a call that was cancelled is not waited for.
 * The threads are kept for a while and shared by all calls; few work at once, further calls wait for one.
 * What a lost hook may still look at is never freed; as soon as it asks the host for something its thread ends. While too many
 * of them go on, no further one is begun. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "infer.h"

enum {
  STACK = 2 << 20,
  SOON_MS = 2,
  LOOK_MS = 5,
  STRAYS_MAX = 32,
  HELPERS = 12, /* threads; those beyond WORKING only while others of them fetch something for their hook */
  WORKING = 3,
  IDLE_S = 10,    /* then a thread ends */
  SPIN_NS = 20000 /* a hook is over sooner than a sleeping thread is woken */
};

struct helper { /* a place for a thread */
  pthread_cond_t wake;
  struct inf_hook_run *run; /* to be run */
  bool alive, busy;
};

struct inf_hook_run {
  struct helper *by;
  struct inf_hook k;
  const struct hf_pv_task *row;
  hf_call *c;
  struct hf_pv_host host; /* the hook's own copy */
  hf_status st;
  pthread_mutex_t lock; /* of done */
  pthread_cond_t change;
  atomic_bool done;
  pthread_mutex_t in_host; /* held while a function of the host works for the hook */
  bool lost;               /* under in_host */
  uint64_t began_ns, wait_from_ns;
  _Atomic uint64_t waited_ns; /* of it, for the network on the hook's behalf */
};

static _Thread_local struct inf_hook_run *mine;
static _Atomic uint32_t strays; /* lost ones that still go on */
static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;
static struct helper helpers[HELPERS];
static uint32_t working; /* busy and not waiting for the network */

void inf_hook_in(void) {
  if (!mine) return;
  pthread_mutex_lock(&mine->in_host);
  if (!mine->lost) return;
  pthread_mutex_unlock(&mine->in_host);
  strays--;
  pthread_exit(NULL); /* nobody waits for it, and what it worked on is over */
}

void inf_hook_out(void) {
  if (mine) pthread_mutex_unlock(&mine->in_host);
}

void inf_hook_waits(bool begins) {
  if (!mine) return;
  pthread_mutex_lock(&pool);
  working += begins ? -1u : 1u;
  pthread_mutex_unlock(&pool);
  if (begins)
    mine->wait_from_ns = hf_host()->now_ns();
  else
    mine->waited_ns += hf_host()->now_ns() - mine->wait_from_ns;
}

/* ---- a thread -------------------------------------------------------------------------------------------------------- */

static hf_status call(struct inf_hook_run *r) {
  const struct inf_hook *k = &r->k;
  switch (k->which) {
    case INF_PREPARE: return r->row->prepare(r->c, &r->host, (hf_json *)k->body);
    case INF_PARSE: return r->row->parse(r->c, &r->host, INF_JSON(k->answer), &r->k.result);
    case INF_POLL_NEXT: return r->row->poll_next(r->c, &r->host, INF_JSON(k->answer), k->n);
    case INF_EVENT: return r->row->event(r->c, &r->host, INF_JSON(k->answer), &r->k.result);
  }
  return HF_EINTERNAL;
}

/* False: it was given up meanwhile, and this thread with it. Afterwards it is the waiting one's memory. */
static bool run(struct inf_hook_run *r) {
  mine = r;
  hf_status st = call(r);
  pthread_mutex_lock(&r->in_host);
  bool lost = r->lost;
  if (!lost) {
    pthread_mutex_lock(&r->lock);
    r->st = st;
    r->done = true;
  }
  pthread_mutex_unlock(&r->in_host);
  if (lost) {
    strays--;
    return false;
  }
  pthread_cond_signal(&r->change);
  pthread_mutex_unlock(&r->lock);
  mine = NULL;
  return true;
}

static void *help(void *arg) {
  struct helper *h = arg;
  bool late = false;
  pthread_mutex_lock(&pool);
  while (h->run || !late) {
    struct inf_hook_run *r = h->run;
    if (!r) {
      struct timespec t;
      clock_gettime(CLOCK_REALTIME, &t);
      t.tv_sec += IDLE_S;
      late = pthread_cond_timedwait(&h->wake, &pool, &t) == ETIMEDOUT;
      continue;
    }
    h->run = NULL;
    late = false;
    pthread_mutex_unlock(&pool);
    if (!run(r)) return NULL;
    pthread_mutex_lock(&pool);
    h->busy = false;
    working--;
  }
  h->alive = false;
  pthread_mutex_unlock(&pool);
  return NULL;
}

static bool start(struct helper *h) {
  pthread_t thread;
  pthread_attr_t attr;
  sigset_t all, before;
  if (pthread_attr_init(&attr)) return false;
  pthread_attr_setstacksize(&attr, STACK);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool ok = pthread_create(&thread, &attr, help, h) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return ok;
}

static void make_places(void) {
  for (int i = 0; i < HELPERS; i++) pthread_cond_init(&helpers[i].wake, NULL);
}

/* HF_PENDING: all are at work. */
static hf_status hand_over(struct inf_hook_run *r) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct helper *h = NULL;
  hf_status st = HF_PENDING;
  pthread_once(&once, make_places);
  pthread_mutex_lock(&pool);
  for (int i = 0; i < HELPERS && working < WORKING; i++)
    if (!helpers[i].busy && (!h || (helpers[i].alive && !h->alive))) h = &helpers[i];
  if (h) {
    h->run = r;
    st = HF_OK;
    if (h->alive)
      pthread_cond_signal(&h->wake);
    else if (!start(h))
      h->run = NULL, st = HF_ENOMEM;
  }
  if (h && st == HF_OK) {
    h->alive = h->busy = true;
    working++;
    r->by = h;
    r->began_ns = hf_host()->now_ns();
  }
  pthread_mutex_unlock(&pool);
  return st;
}

/* A thread that was given up has no place any more. */
static void lose(struct inf_hook_run *r) {
  r->lost = true;
  strays++;
  pthread_mutex_lock(&pool);
  r->by->alive = r->by->busy = false;
  working--;
  pthread_mutex_unlock(&pool);
}

/* ---- who waits ------------------------------------------------------------------------------------------------------- */

static void spin(const struct inf_hook_run *r) {
  static _Atomic long processors;
  if (!processors) processors = sysconf(_SC_NPROCESSORS_ONLN);
  uint64_t until = r->began_ns + SPIN_NS;
  while (processors > 1 && !r->done && hf_host()->now_ns() < until) continue;
}

static bool came_back(struct inf_hook_run *r, uint32_t ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += (long)ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  pthread_mutex_lock(&r->lock);
  while (ms && !r->done && pthread_cond_timedwait(&r->change, &r->lock, &t) != ETIMEDOUT) continue;
  bool done = r->done;
  pthread_mutex_unlock(&r->lock);
  return done;
}

static uint64_t patience_ns(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_HOOK_TIMEOUT");
  char *end;
  double s = set ? strtod(set, &end) : 10;
  if (set && (end == set || *end || !(s > 0) || s > 86400)) s = 10;
  return (uint64_t)(s * 1e9);
}

/* True: it is over. False: the thread is on its own from now on, and keeps what it may look at. */
static bool wait_for(struct inf *f, struct inf_hook_run *r) {
  spin(r);
  if (came_back(r, SOON_MS)) return true;
  for (uint64_t patience = patience_ns(f->c); !came_back(r, 0);) {
    bool stop = hf_call_sleep(f->c, LOOK_MS) != HF_OK;
    if (!stop && hf_host()->now_ns() - r->began_ns - r->waited_ns < patience) continue;
    if (pthread_mutex_trylock(&r->in_host)) {
      /* The host works for it and ends with the call; when the call is over sleep() does not wait. */
      came_back(r, SOON_MS);
      continue;
    }
    if (!came_back(r, 0)) lose(r);
    pthread_mutex_unlock(&r->in_host);
    if (r->lost) return false;
  }
  return true;
}

static void free_run(struct inf_hook_run *r) {
  pthread_cond_destroy(&r->change);
  pthread_mutex_destroy(&r->in_host);
  pthread_mutex_destroy(&r->lock);
  free(r);
}

hf_status inf_hook_call(struct inf *f, struct inf_hook *k) {
  static const char *const names[] = {"prepare", "parse", "poll_next", "event"};
  if (strays >= STRAYS_MAX)
    return inf_fail(f, HF_EABI, NULL,
                    "%d hooks of providers hang in this program, so %s() of %s is not begun; start the program anew "
                    "without the plugin that hangs.",
                    STRAYS_MAX, names[k->which], f->provider);
  struct inf_hook_run *r = calloc(1, sizeof *r);
  if (!r) return inf_fail(f, HF_ENOMEM, NULL, "Out of memory.");
  *r = (struct inf_hook_run){.k = *k, .row = f->row, .c = f->c, .host = f->pv_host};
  pthread_mutex_init(&r->lock, NULL);
  pthread_mutex_init(&r->in_host, NULL);
  pthread_cond_init(&r->change, NULL);
  hf_status st;
  while ((st = hand_over(r)) == HF_PENDING) {
    st = hf_call_sleep(f->c, 1);
    if (st != HF_OK) break;
  }
  if (st != HF_OK) {
    free_run(r);
    return st == HF_ENOMEM
               ? inf_fail(f, HF_ENOMEM, NULL, "No thread could be started for %s of %s.", names[k->which], f->provider)
               : st;
  }
  if (!wait_for(f, r)) {
    hf_call_pin(f->c);
    json_incref(f->args), json_incref(f->keep), json_incref(k->body);
    json_incref((json_t *)(uintptr_t)k->answer);
    if (hf_host()->check(f->c) != HF_OK) return hf_host()->check(f->c);
    return inf_fail(
        f, HF_EABI, NULL,
        "The provider %s hangs: its %s() has not come back for %.3g seconds (HF_HOOK_TIMEOUT); report it to "
        "the author of the plugin.",
        f->provider, names[k->which], (double)patience_ns(f->c) / 1e9);
  }
  st = r->st;
  k->result = r->k.result;
  free_run(r);
  bool known = st <= HF_OK ? st >= HF_EPERM : st == HF_PENDING && k->which == INF_POLL_NEXT;
  return known ? st
               : inf_fail(f, HF_EABI, NULL, "The provider %s broke a rule of the plugin ABI: its %s() answered %d.",
                          f->provider, names[k->which], st);
}
