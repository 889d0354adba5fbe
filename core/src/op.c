/* Operations: a call that runs by itself, is watched, and ends exactly once. It runs on a worker, or on the thread that
 * waits for it when no worker has begun it yet.
 * What the watcher is told comes one call at a time. Cancelling only asks; the end is always the operation's own. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "light.h"

#define LOOK_NS 10000000u /* how often a light operation looks whether another one has ended */

struct hf_op {
  hf_runtime *rt;
  hf_call *call;
  struct hf_watch watch;
  pthread_mutex_t watch_lock;
  pthread_mutex_t lock;
  pthread_cond_t ended;
  enum { QUEUED, RUNNING, ENDED } state;
  hf_status result;
  int fd;
  struct hf_job job;
  hf_status (*fn)(hf_call *, void *);
  void *arg;
  struct hf_out out;
  char *name, *json; /* a task by name */
  const struct hf_task *task;
  hf_args *args;
  hf_op *next, *prev; /* under the list's lock */
};

struct hf_ops {
  pthread_mutex_t lock;
  pthread_cond_t empty;
  hf_op *first;
};

struct hf_ops *hf_ops_new(void) {
  struct hf_ops *ops = hf_mem_alloc(sizeof *ops);
  if (!ops) return NULL;
  pthread_mutex_init(&ops->lock, NULL);
  pthread_cond_init(&ops->empty, NULL);
  return ops;
}

static void list_add(struct hf_ops *ops, hf_op *op) {
  pthread_mutex_lock(&ops->lock);
  op->next = ops->first;
  if (op->next) op->next->prev = op;
  ops->first = op;
  pthread_mutex_unlock(&ops->lock);
}

static void list_remove(struct hf_ops *ops, hf_op *op) {
  pthread_mutex_lock(&ops->lock);
  if (op->prev)
    op->prev->next = op->next;
  else
    ops->first = op->next;
  if (op->next) op->next->prev = op->prev;
  if (!ops->first) pthread_cond_broadcast(&ops->empty);
  pthread_mutex_unlock(&ops->lock);
}

static void signal_fd(hf_op *op) {
  uint64_t one = 1;
  ssize_t n = op->fd >= 0 ? write(op->fd, &one, sizeof one) : 0;
  (void)n;
}

/* A failure that came because somebody asked to stop is reported as that. */
static hf_status final_status(hf_op *op, hf_status st) {
  if (st >= 0) return st;
  hf_status why = hf_cancel_why(op->call->cancel);
  if (why != HF_OK && why != st) {
    hf_call_clear(op->call);
    st = why;
  }
  if (!hf_call_error(op->call))
    hf_call_fail(op->call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = st});
  return st;
}

static void end(hf_op *op, hf_status st) {
  st = final_status(op, st);
  hf_watcher_remove(op->rt->watcher, op->call->cancel);
  list_remove(op->rt->ops, op);
  pthread_mutex_lock(&op->lock);
  op->result = st;
  op->state = ENDED;
  signal_fd(op);
  pthread_cond_broadcast(&op->ended);
  pthread_mutex_unlock(&op->lock);
}

static void run(hf_op *op) {
  hf_status st = hf_call_check(op->call);
  end(op, st == HF_OK ? op->fn(op->call, op->arg) : st);
}

static void run_job(void *arg) {
  hf_op *op = arg;
  pthread_mutex_lock(&op->lock);
  op->state = RUNNING;
  pthread_mutex_unlock(&op->lock);
  run(op);
}

void hf_ops_free(struct hf_ops *ops) {
  if (!ops) return;
  pthread_mutex_lock(&ops->lock);
  while (ops->first) {
    hf_op *mine = NULL;
    for (hf_op *op = ops->first; op && !mine; op = op->next) {
      pthread_mutex_lock(&op->lock);
      if (op->state == QUEUED && op->watch.flags & HF_WATCH_RUN_IN_WAIT) {
        op->state = RUNNING; /* nobody will wait for it any more */
        mine = op;
      }
      pthread_mutex_unlock(&op->lock);
    }
    if (!mine) {
      pthread_cond_wait(&ops->empty, &ops->lock);
      continue;
    }
    pthread_mutex_unlock(&ops->lock);
    hf_op_cancel(mine);
    run(mine);
    pthread_mutex_lock(&ops->lock);
  }
  pthread_mutex_unlock(&ops->lock);
  pthread_cond_destroy(&ops->empty);
  pthread_mutex_destroy(&ops->lock);
  hf_mem_free(ops);
}

static int32_t record(void *arg, uint32_t what, const char *json, size_t len) {
  hf_op *op = arg;
  if (!op->watch.record) return 0;
  pthread_mutex_lock(&op->watch_lock);
  int32_t stop = op->watch.record(op->watch.arg, what, json, len);
  pthread_mutex_unlock(&op->watch_lock);
  if (stop) hf_op_cancel(op);
  return stop;
}

static hf_status run_named(hf_call *call, void *arg) {
  hf_op *op = arg;
  return hf_task_call(call, op->name, op->json, &op->out);
}

static hf_status run_args(hf_call *call, void *arg) {
  hf_op *op = arg;
  return hf_task_run(call, op->task, op->args, &op->out);
}

static void destroy(hf_op *op) {
  if (op->fd >= 0) close(op->fd);
  hf_call_unref(op->call);
  hf_args_free(op->args);
  hf_mem_free(op->name);
  hf_mem_free(op->json);
  pthread_cond_destroy(&op->ended);
  pthread_mutex_destroy(&op->lock);
  pthread_mutex_destroy(&op->watch_lock);
  hf_mem_free(op);
}

static hf_op *op_new(hf_runtime *rt, const struct hf_watch *watch) {
  hf_op *op = hf_mem_alloc(sizeof *op);
  if (!op) return NULL;
  if (watch) memcpy(&op->watch, watch, watch->struct_size < sizeof op->watch ? watch->struct_size : sizeof op->watch);
  op->rt = rt;
  op->fd = -1;
  pthread_mutex_init(&op->watch_lock, NULL);
  pthread_mutex_init(&op->lock, NULL);
  pthread_cond_init(&op->ended, NULL);
  op->job = (struct hf_job){.fn = run_job, .arg = op};
  uint64_t ms = op->watch.deadline_ms, now = hf_now_ns();
  uint64_t deadline = !ms ? 0 : ms > (UINT64_MAX - now) / 1000000 ? UINT64_MAX : now + ms * 1000000;
  op->call = hf_call_new(rt, op, deadline);
  if (!op->call) {
    destroy(op);
    return NULL;
  }
  op->call->watch = &op->watch;
  op->call->watch_lock = &op->watch_lock;
  op->out = (struct hf_out){.call = op->call, .record = record, .arg = op};
  return op;
}

static hf_status set_options(hf_op *op) {
  struct hf_table *t = &op->watch.options;
  for (uint32_t i = 0; t->stride && i < t->count; i++) {
    const struct hf_kv *kv = (const void *)((const char *)t->rows + (size_t)i * t->stride);
    if (kv->key) TRY(hf_call_option(op->call, kv->key, kv->value));
  }
  *t = (struct hf_table){0}; /* the caller's memory */
  return HF_OK;
}

static hf_op *start(hf_op *op, hf_status (*fn)(hf_call *, void *), void *arg) {
  op->fn = fn;
  op->arg = arg;
  list_add(op->rt->ops, op);
  hf_status st = set_options(op);
  if (st == HF_OK && op->watch.flags & HF_WATCH_RUN_IN_WAIT) return op;
  if (st == HF_OK && op->watch.flags & HF_WATCH_LIGHT)
    st = hf_light_add(op->rt->light, &op->job);
  else if (st == HF_OK)
    st = hf_work_add(op->rt->work, &op->job);
  if (st != HF_OK) end(op, st);
  return op;
}

hf_op *hf_op_start_fn(hf_runtime *rt, hf_status (*fn)(hf_call *, void *), void *arg, const struct hf_watch *watch) {
  hf_op *op = op_new(rt, watch);
  return op ? start(op, fn, arg) : NULL;
}

hf_op *hf_op_start(hf_runtime *rt, const char *task, const char *json_args, const struct hf_watch *watch) {
  hf_op *op = op_new(rt, watch);
  if (!op) return NULL;
  op->name = hf_mem_dup(task, SIZE_MAX);
  op->json = hf_mem_dup(json_args ? json_args : "", SIZE_MAX);
  if (op->name && op->json) return start(op, run_named, op);
  destroy(op);
  return NULL;
}

hf_op *hf_op_start_args(hf_runtime *rt, const struct hf_task *task, hf_args *args, const struct hf_watch *watch) {
  hf_op *op = op_new(rt, watch);
  if (!op) {
    hf_args_free(args);
    return NULL;
  }
  op->task = task;
  op->args = args;
  return start(op, run_args, op);
}

hf_status hf_op_wait(hf_op *op) {
  pthread_mutex_lock(&op->lock);
  if (op->state == QUEUED && (op->watch.flags & HF_WATCH_RUN_IN_WAIT || hf_work_take_back(op->rt->work, &op->job))) {
    op->state = RUNNING;
    pthread_mutex_unlock(&op->lock);
    run(op);
    pthread_mutex_lock(&op->lock);
  }
  while (op->state != ENDED) {
    if (!hf_light_self()) {
      pthread_cond_wait(&op->ended, &op->lock);
      continue;
    }
    pthread_mutex_unlock(&op->lock); /* what we wait for may need our thread */
    hf_light_park(hf_now_ns() + LOOK_NS);
    pthread_mutex_lock(&op->lock);
  }
  pthread_mutex_unlock(&op->lock);
  return op->result;
}

int hf_op_done(hf_op *op) {
  pthread_mutex_lock(&op->lock);
  int done = op->state == ENDED;
  pthread_mutex_unlock(&op->lock);
  return done;
}

int hf_op_fd(hf_op *op) {
  pthread_mutex_lock(&op->lock);
  if (op->fd < 0) {
    op->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (op->state == ENDED) signal_fd(op);
  }
  int fd = op->fd;
  pthread_mutex_unlock(&op->lock);
  return fd;
}

void hf_op_cancel(hf_op *op) {
  hf_cancel_ask(op->call->cancel);
}

const struct hf_error *hf_op_error(hf_op *op) {
  return hf_op_done(op) && op->result < 0 ? hf_call_error(op->call) : NULL;
}

void hf_op_free(hf_op *op) {
  if (!op) return;
  hf_op_cancel(op);
  hf_op_wait(op);
  destroy(op);
}
