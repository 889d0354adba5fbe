/* hook_call.c - calls the hook of a provider on a thread of its own, and gives it up when it does not come back: a hook does no
 * I/O and never waits, so one that takes HF_HOOK_TIMEOUT seconds hangs, and one of a call that was cancelled is not waited for.
 * What a lost hook may still look at is never freed; as soon as it asks the host for something its thread ends. While too many
 * of them go on, no further one is begun. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "infer.h"

enum { STACK = 2 << 20, SOON_MS = 2, LOOK_MS = 5, STRAYS_MAX = 32 };

struct inf_hook_run {
  struct inf_hook k;
  const struct hf_pv_task *row;
  hf_call *c;
  struct hf_pv_host host; /* the hook's own copy */
  hf_status st;
  pthread_mutex_t lock; /* of done */
  pthread_cond_t change;
  bool done;
  pthread_mutex_t in_host; /* held while a function of the host works for the hook */
  bool lost;               /* under in_host */
  uint64_t began_ns;
  _Atomic uint64_t waited_ns; /* of it, for the network on the hook's behalf */
};

static _Thread_local struct inf_hook_run *mine;
static _Atomic uint32_t strays; /* lost ones that still go on */

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

void inf_hook_waited(uint64_t ns) {
  if (mine) mine->waited_ns += ns;
}

static void *run(void *arg) {
  struct inf_hook_run *r = mine = arg;
  const struct inf_hook *k = &r->k;
  hf_status st = HF_OK;
  switch (k->which) {
    case INF_PREPARE: st = r->row->prepare(r->c, &r->host, (hf_json *)k->body); break;
    case INF_PARSE: st = r->row->parse(r->c, &r->host, INF_JSON(k->answer), &r->k.result); break;
    case INF_POLL_NEXT: st = r->row->poll_next(r->c, &r->host, INF_JSON(k->answer), k->n); break;
    case INF_EVENT: st = r->row->event(r->c, &r->host, INF_JSON(k->answer), &r->k.result); break;
  }
  pthread_mutex_lock(&r->in_host);
  pthread_mutex_lock(&r->lock);
  r->st = st;
  r->done = true;
  pthread_cond_signal(&r->change);
  pthread_mutex_unlock(&r->lock);
  if (r->lost) strays--;
  pthread_mutex_unlock(&r->in_host); /* who waits for us joins the thread before r goes */
  return NULL;
}

static bool start(struct inf_hook_run *r, pthread_t *thread) {
  pthread_attr_t attr;
  sigset_t all, before;
  if (pthread_attr_init(&attr)) return false;
  pthread_attr_setstacksize(&attr, STACK);
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  bool ok = pthread_create(thread, &attr, run, r) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return ok;
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
  if (came_back(r, SOON_MS)) return true;
  for (uint64_t patience = patience_ns(f->c); !came_back(r, 0);) {
    bool stop = hf_call_sleep(f->c, LOOK_MS) != HF_OK;
    if (!stop && hf_host()->now_ns() - r->began_ns - r->waited_ns < patience) continue;
    if (pthread_mutex_trylock(&r->in_host)) {
      came_back(
          r, SOON_MS); /* the host works for it and ends with the call; when the call is over sleep() does not wait */
      continue;
    }
    if (!came_back(r, 0)) r->lost = true, strays++;
    pthread_mutex_unlock(&r->in_host);
    if (r->lost) return false;
  }
  return true;
}

hf_status inf_hook_call(struct inf *f, struct inf_hook *k) {
  static const char *const names[] = {"prepare", "parse", "poll_next", "event"};
  if (strays >= STRAYS_MAX)
    return inf_fail(f, HF_EABI, NULL,
                    "%d hooks of providers hang in this program, so %s() of %s is not begun; start the program anew "
                    "without the plugin that hangs.",
                    STRAYS_MAX, names[k->which], f->provider);
  struct inf_hook_run *r = calloc(1, sizeof *r);
  pthread_t thread;
  if (!r) return inf_fail(f, HF_ENOMEM, NULL, "Out of memory.");
  *r = (struct inf_hook_run){.k = *k, .row = f->row, .c = f->c, .host = f->pv_host};
  pthread_mutex_init(&r->lock, NULL);
  pthread_mutex_init(&r->in_host, NULL);
  pthread_cond_init(&r->change, NULL);
  r->began_ns = hf_host()->now_ns();
  if (!start(r, &thread)) {
    free(r);
    return inf_fail(f, HF_ENOMEM, NULL, "No thread could be started for %s of %s.", names[k->which], f->provider);
  }
  if (!wait_for(f, r)) {
    pthread_detach(thread);
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
  pthread_join(thread, NULL);
  hf_status st = r->st;
  k->result = r->k.result;
  pthread_cond_destroy(&r->change);
  pthread_mutex_destroy(&r->in_host);
  pthread_mutex_destroy(&r->lock);
  free(r);
  bool known = st <= HF_OK ? st >= HF_EPERM : st == HF_PENDING && k->which == INF_POLL_NEXT;
  return known ? st
               : inf_fail(f, HF_EABI, NULL, "The provider %s broke a rule of the plugin ABI: its %s() answered %d.",
                          f->provider, names[k->which], st);
}
