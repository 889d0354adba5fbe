/* Calls: the thing that every fallible function gets first. An operation has one, parallel work has branches of it.
 * A branch has its own error slot and cancel flag and shares the rest; it keeps its parent alive, so that nothing dangles
 * when jobs end after the branch that started them. */
#include <time.h>

#include "light.h"

struct call_box {
  struct hf_call call;
  struct hf_error_slot slot;
};

/* The last call that ended, with its arena, for the next one: calls that follow each other allocate little. Not where a
 * test lets allocations fail or looks for what is used after its end. */
#ifdef HF_SANITIZED
static struct call_box *box_again(void) {
  return NULL;
}

static bool box_keep(hf_call *call) {
  (void)call;
  return false;
}
#else
static _Atomic(struct call_box *) spare;

static struct call_box *box_again(void) {
  struct call_box *b = hf_mem_watched() ? NULL : atomic_exchange(&spare, NULL);
  if (!b) return NULL;
  b->call = (hf_call){.arena = b->call.arena};
  b->slot.e = (struct hf_error){0};
  atomic_init(&b->slot.state, 0);
  return b;
}

static bool box_keep(hf_call *call) {
  struct call_box *none = NULL;
  if (hf_mem_watched()) return false;
  hf_arena_reset(call->arena);
  return atomic_compare_exchange_strong(&spare, &none, (struct call_box *)(void *)call);
}
#endif

static hf_call *box(struct call_box *again, hf_runtime *rt, struct hf_cancel *parent, uint64_t deadline_ns) {
  struct call_box *b = again ? again : hf_mem_alloc(sizeof *b);
  if (!b) return NULL;
  b->call.rt = rt;
  b->call.error = &b->slot;
  atomic_init(&b->call.refs, 1);
  b->call.cancel = hf_cancel_new(rt->watcher, parent, deadline_ns);
  if (b->call.cancel) return &b->call;
  hf_arena_free(b->call.arena);
  hf_mem_free(b);
  return NULL;
}

hf_call *hf_call_new(hf_runtime *rt, hf_op *op, uint64_t deadline_ns) {
  hf_call *call = box(box_again(), rt, NULL, deadline_ns);
  if (!call) return NULL;
  call->op = op;
  if (!call->arena) call->arena = hf_arena_new();
  if (call->arena) return call;
  hf_call_unref(call);
  return NULL;
}

hf_call *hf_call_ref(hf_call *call) {
  atomic_fetch_add(&call->refs, 1);
  return call;
}

void hf_call_unref(hf_call *call) {
  while (call && atomic_fetch_sub(&call->refs, 1) == 1) {
    hf_call *parent = call->parent;
    hf_cancel_unref(call->cancel);
    hf_profile_unref(atomic_load(&call->profile));
    if (!parent && call->arena && box_keep(call)) return;
    if (!parent) hf_arena_free(call->arena);
    hf_mem_free(call);
    call = parent;
  }
}

hf_status hf_call_begin(hf_runtime *rt, hf_call **out) {
  *out = hf_call_new(rt, NULL, 0);
  return *out ? HF_OK : HF_ENOMEM;
}

void hf_call_end(hf_call *call) {
  if (!call) return;
  hf_watcher_remove(call->rt->watcher, call->cancel);
  hf_call_unref(call);
}

hf_call *hf_call_branch(hf_call *parent) {
  hf_call *call = box(NULL, parent->rt, parent->cancel, 0);
  if (!call) return NULL;
  call->parent = hf_call_ref(parent);
  call->op = parent->op;
  call->module = parent->module;
  call->arena = parent->arena;
  atomic_init(&call->profile, hf_profile_ref(atomic_load(&parent->profile)));
  call->watch = parent->watch;
  call->watch_lock = parent->watch_lock;
  return call;
}

void hf_call_branch_end(hf_call *call, bool hand_up) {
  if (!call) return;
  const struct hf_error *e = hf_call_error(call);
  if (hand_up && e) hf_call_fail(call->parent, e);
  hf_call_unref(call);
}

void hf_call_cancel(hf_call *call) {
  hf_cancel_fire(call->cancel, HF_ECANCELED);
}

void hf_call_pin(hf_call *call) {
  hf_call_ref(call);
  call->watch = NULL; /* the operation's, which ends */
}

hf_runtime *hf_call_runtime(hf_call *call) {
  return call->rt;
}

hf_status hf_call_check(hf_call *call) {
  hf_status why = hf_cancel_why(call->cancel);
  return why == HF_OK ? HF_OK
                      : hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = why});
}

void hf_call_emit(hf_call *call, const struct hf_event *event) {
  if (!call->watch || !call->watch->progress) return;
  struct hf_event e = {0};
  size_t size = event->struct_size < sizeof e ? event->struct_size : sizeof e;
  memcpy(&e, event, size);
  e.struct_size = sizeof e;
  pthread_mutex_lock(call->watch_lock);
  call->watch->progress(call->watch->arg, &e);
  pthread_mutex_unlock(call->watch_lock);
}

void hf_call_log(hf_call *call, int32_t level, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hf_log_va(call->rt, level, call->module ? call->module->name : NULL, format, args);
  va_end(args);
}

const char *hf_call_get_option(hf_call *call, const char *key) {
  const char *value = hf_profile_option(atomic_load(&call->profile), key);
  if (!value && call->module) value = hf_config_module(call->rt, call->module, key);
  return value ? value : hf_config_open_get(call->rt, key);
}

void *hf_call_arena(hf_call *call, size_t size) {
  void *p = hf_arena_alloc(call->arena, size);
  if (!p) hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = HF_ENOMEM});
  return p;
}

const char *hf_call_intern(hf_call *call, const char *text, size_t len) {
  char *copy = hf_arena_dup(call->arena, text, len);
  if (!copy) hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = HF_ENOMEM});
  return copy;
}

struct sleeper {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  bool woken;
};

static void wake_sleeper(void *arg) {
  struct sleeper *s = arg;
  pthread_mutex_lock(&s->lock);
  s->woken = true;
  pthread_cond_signal(&s->cond);
  pthread_mutex_unlock(&s->lock);
}

void hf_call_deadline(hf_call *call, uint64_t ms) {
  uint64_t now = hf_now_ns();
  hf_cancel_by(call->cancel->root, ms > (UINT64_MAX - now) / 1000000 ? UINT64_MAX : now + ms * 1000000);
}

static hf_status sleep_lightly(hf_call *call, uint64_t until) {
  hf_hook *hook;
  hf_status st = hf_call_on_cancel(call, hf_light_wake, hf_light_self(), &hook);
  if (st != HF_OK) return st;
  while (hf_now_ns() < until && (st = hf_call_check(call)) == HF_OK) hf_light_park(until);
  hf_call_off_cancel(hook);
  return st == HF_OK ? hf_call_check(call) : st;
}

hf_status hf_call_sleep(hf_call *call, uint64_t ms) {
  TRY(hf_call_check(call));
  if (!ms) return HF_OK;
  if (ms > UINT64_MAX / 2000000) ms = UINT64_MAX / 2000000;
  uint64_t until = hf_now_ns() + ms * 1000000;
  if (hf_light_self()) return sleep_lightly(call, until);
  struct sleeper s = {.lock = PTHREAD_MUTEX_INITIALIZER};
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&s.cond, &attr);
  pthread_condattr_destroy(&attr);
  struct timespec at = {.tv_sec = (time_t)(until / 1000000000u), .tv_nsec = (long)(until % 1000000000u)};
  hf_hook *hook;
  hf_status st = hf_call_on_cancel(call, wake_sleeper, &s, &hook);
  if (st == HF_OK) {
    pthread_mutex_lock(&s.lock);
    while (!s.woken && hf_now_ns() < until) pthread_cond_timedwait(&s.cond, &s.lock, &at);
    pthread_mutex_unlock(&s.lock);
    hf_call_off_cancel(hook);
    st = hf_call_check(call);
  }
  pthread_cond_destroy(&s.cond);
  return st;
}
