/* light.c - the threads of light operations and the stacks that they switch between (ucontext). Each thread has a queue of
 * jobs that may go on and a list of those that wait. A stack is address space of which only touched pages are memory; it
 * ends in a page that cannot be touched.
 * What blocks in a system call or a lock still holds its thread: light operations are for work that waits for the network. */
#include "light.h"

#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LIGHT_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define LIGHT_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define LIGHT_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define LIGHT_TSAN 1
#endif
#ifdef LIGHT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LIGHT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { CREWS = 2, IDLE_STACKS = 32 };
#ifdef HF_SANITIZED
#define STACK_BYTES ((size_t)8 * 1024 * 1024)
#else
#define STACK_BYTES ((size_t)1024 * 1024) /* a JSON parser at its deepest takes 700 KiB */
#endif
#define COARSE_NS 10000000u /* times to come are rounded up to this, so that many come at once */

struct fiber {
  struct crew *crew;
  ucontext_t context;
  char *stack; /* with its guard */
  struct hf_job *job;
  struct fiber *next, *prev; /* in the queue, or among the waiting */
  uint64_t until;
  bool parked, woken, ended;
  uint32_t nesting;
#ifdef LIGHT_ASAN
  void *fake;
#endif
#ifdef LIGHT_TSAN
  void *tsan;
#endif
};

struct line {
  struct fiber *first, *last;
};

struct crew {
  struct hf_light *light;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  struct line ready, waiting;
  uint64_t due;          /* nobody waits for an earlier time */
  _Atomic uint32_t load; /* jobs that have not ended */
  bool started, closing, asleep;
  /* of its thread only */
  ucontext_t own;
  char *idle[IDLE_STACKS];
  uint32_t idle_count;
#ifdef LIGHT_ASAN
  void *fake;
  const void *bottom;
  size_t size;
#endif
#ifdef LIGHT_TSAN
  void *tsan;
#endif
};

struct hf_light {
  pthread_mutex_t lock;
  struct crew crew[CREWS];
};

static _Thread_local struct fiber *current;

/* ---- lines ------------------------------------------------------------------------------------------------------------- */

static void append(struct line *l, struct fiber *f) {
  f->next = NULL;
  f->prev = l->last;
  if (l->last)
    l->last->next = f;
  else
    l->first = f;
  l->last = f;
}

static void take_out(struct line *l, struct fiber *f) {
  if (f->prev)
    f->prev->next = f->next;
  else
    l->first = f->next;
  if (f->next)
    f->next->prev = f->prev;
  else
    l->last = f->prev;
}

/* ---- switching --------------------------------------------------------------------------------------------------------- */

static void into(struct crew *c, struct fiber *f) {
  current = f;
#ifdef LIGHT_TSAN
  __tsan_switch_to_fiber(f->tsan, 0);
#endif
#ifdef LIGHT_ASAN
  __sanitizer_start_switch_fiber(&c->fake, f->stack, STACK_BYTES);
#endif
  swapcontext(&c->own, &f->context);
#ifdef LIGHT_ASAN
  __sanitizer_finish_switch_fiber(c->fake, NULL, NULL);
#endif
  current = NULL;
}

static void out_of(struct fiber *f) {
  struct crew *c = f->crew;
#ifdef LIGHT_TSAN
  __tsan_switch_to_fiber(c->tsan, 0);
#endif
#ifdef LIGHT_ASAN
  __sanitizer_start_switch_fiber(f->ended ? NULL : &f->fake, c->bottom, c->size);
#endif
  swapcontext(&f->context, &c->own);
#ifdef LIGHT_ASAN
  __sanitizer_finish_switch_fiber(f->fake, &c->bottom, &c->size);
#endif
}

static void enter(void) {
  struct fiber *f = current;
#ifdef LIGHT_ASAN
  __sanitizer_finish_switch_fiber(NULL, &f->crew->bottom, &f->crew->size);
#endif
  f->job->fn(f->job->arg);
  f->ended = true;
  out_of(f);
}

/* ---- stacks ------------------------------------------------------------------------------------------------------------ */

static char *stack_get(struct crew *c) {
  if (c->idle_count) return c->idle[--c->idle_count];
  size_t guard = (size_t)sysconf(_SC_PAGESIZE);
  void *at =
      mmap(NULL, guard + STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return NULL;
  if (mprotect(at, guard, PROT_NONE)) {
    munmap(at, guard + STACK_BYTES);
    return NULL;
  }
  return (char *)at + guard;
}

static void stack_put(struct crew *c, char *stack) {
  size_t guard = (size_t)sysconf(_SC_PAGESIZE);
  if (c->idle_count < IDLE_STACKS && madvise(stack, STACK_BYTES, MADV_DONTNEED) == 0)
    c->idle[c->idle_count++] = stack;
  else
    munmap(stack - guard, guard + STACK_BYTES);
}

/* A job whose stack cannot be had runs on the thread itself. */
static void run(struct crew *c, struct fiber *f) {
  if (!f->stack) {
    f->stack = stack_get(c);
    if (!f->stack || getcontext(&f->context)) {
      f->job->fn(f->job->arg);
      f->ended = true;
      return;
    }
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, enter, 0);
#ifdef LIGHT_TSAN
    f->tsan = __tsan_create_fiber(0);
#endif
  }
  into(c, f);
}

static void finish(struct crew *c, struct fiber *f) {
#ifdef LIGHT_TSAN
  if (f->tsan) __tsan_destroy_fiber(f->tsan);
#endif
  if (f->stack) stack_put(c, f->stack);
  hf_mem_free(f);
}

/* ---- a thread ---------------------------------------------------------------------------------------------------------- */

/* With the lock held: those whose time has come may go on. */
static void take_due(struct crew *c) {
  uint64_t now = hf_now_ns(), next = UINT64_MAX;
  if (now < c->due) return;
  for (struct fiber *f = c->waiting.first, *after; f; f = after) {
    after = f->next;
    if (f->until <= now) {
      take_out(&c->waiting, f);
      f->parked = false;
      append(&c->ready, f);
    } else if (f->until < next) {
      next = f->until;
    }
  }
  c->due = next;
}

static void sleep_until_due(struct crew *c) {
  struct timespec at = {.tv_sec = (time_t)(c->due / 1000000000u), .tv_nsec = (long)(c->due % 1000000000u)};
  c->asleep = true;
  if (c->due == UINT64_MAX)
    pthread_cond_wait(&c->wake, &c->lock);
  else
    pthread_cond_timedwait(&c->wake, &c->lock, &at);
  c->asleep = false;
}

static void *work(void *arg) {
  struct crew *c = arg;
  hf_locale_plain();
#ifdef LIGHT_TSAN
  c->tsan = __tsan_get_current_fiber();
#endif
  pthread_mutex_lock(&c->lock);
  for (;;) {
    take_due(c);
    struct fiber *f = c->ready.first;
    if (!f && c->closing) break;
    if (!f) {
      sleep_until_due(c);
      continue;
    }
    take_out(&c->ready, f);
    pthread_mutex_unlock(&c->lock);
    run(c, f);
    bool ended = f->ended;
    if (ended) {
      finish(c, f);
      atomic_fetch_sub(&c->load, 1);
    }
    pthread_mutex_lock(&c->lock);
  }
  pthread_mutex_unlock(&c->lock);
  size_t guard = (size_t)sysconf(_SC_PAGESIZE);
  while (c->idle_count) munmap(c->idle[--c->idle_count] - guard, guard + STACK_BYTES);
  return NULL;
}

static bool start(struct crew *c) {
  if (c->started) return true;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  c->started = pthread_create(&c->thread, NULL, work, c) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return c->started;
}

/* ---- from outside ------------------------------------------------------------------------------------------------------ */

struct hf_light *hf_light_new(void) {
  struct hf_light *l = hf_mem_alloc(sizeof *l);
  if (!l) return NULL;
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_mutex_init(&l->lock, NULL);
  for (int i = 0; i < CREWS; i++) {
    l->crew[i].light = l;
    l->crew[i].due = UINT64_MAX;
    pthread_mutex_init(&l->crew[i].lock, NULL);
    pthread_cond_init(&l->crew[i].wake, &attr);
  }
  pthread_condattr_destroy(&attr);
  return l;
}

hf_status hf_light_add(struct hf_light *l, struct hf_job *job) {
  struct fiber *f = hf_mem_alloc(sizeof *f);
  if (!f) return HF_ENOMEM;
  f->job = job;
  pthread_mutex_lock(&l->lock);
  struct crew *c = &l->crew[0];
  for (int i = 1; i < CREWS; i++)
    if (atomic_load(&l->crew[i].load) < atomic_load(&c->load)) c = &l->crew[i];
  bool ok = start(c);
  f->crew = c;
  pthread_mutex_lock(&c->lock);
  if (ok) {
    atomic_fetch_add(&c->load, 1);
    append(&c->ready, f);
    if (c->asleep) pthread_cond_signal(&c->wake);
  }
  pthread_mutex_unlock(&c->lock);
  pthread_mutex_unlock(&l->lock);
  if (!ok) hf_mem_free(f);
  return ok ? HF_OK : HF_ENOMEM;
}

void hf_light_free(struct hf_light *l) {
  if (!l) return;
  for (int i = 0; i < CREWS; i++) {
    struct crew *c = &l->crew[i];
    pthread_mutex_lock(&c->lock);
    c->closing = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    if (c->started) pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
  }
  pthread_mutex_destroy(&l->lock);
  hf_mem_free(l);
}

void *hf_light_self(void) {
  return current && current->stack ? current : NULL;
}

void hf_light_park(uint64_t until_ns) {
  struct fiber *f = current;
  struct crew *c = f->crew;
  if (until_ns < UINT64_MAX - COARSE_NS) until_ns = (until_ns + COARSE_NS - 1) / COARSE_NS * COARSE_NS;
  pthread_mutex_lock(&c->lock);
  bool go_on = f->woken;
  f->woken = false;
  if (!go_on) {
    f->parked = true;
    f->until = until_ns;
    if (until_ns < c->due) c->due = until_ns;
    append(&c->waiting, f);
  }
  pthread_mutex_unlock(&c->lock);
  if (go_on) return;
  out_of(f);
  pthread_mutex_lock(&c->lock);
  f->woken = false;
  pthread_mutex_unlock(&c->lock);
}

void hf_light_wake(void *self) {
  struct fiber *f = self;
  struct crew *c = f->crew;
  pthread_mutex_lock(&c->lock);
  f->woken = true;
  if (f->parked) {
    f->parked = false;
    take_out(&c->waiting, f);
    append(&c->ready, f);
    if (c->asleep) pthread_cond_signal(&c->wake);
  }
  pthread_mutex_unlock(&c->lock);
}

uint32_t *hf_light_nesting(void) {
  static _Thread_local uint32_t of_thread;
  return current ? &current->nesting : &of_thread;
}
