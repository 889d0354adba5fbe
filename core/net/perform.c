/* perform.c - the worker's side of an exchange: waits for what the I/O thread has, hands head and body to the core in order,
 * fills buffers with the body to send, and watches the clock: cancellation, the exchange's own time, silence.
 * It returns only when the I/O thread has let go of the exchange, so the caller's memory is free again. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "stack.h"

#define SEND_AHEAD (2 * CHUNK_SIZE)
#define BURST_NS   50000000u
#define SENDING    2u /* times as long: what the kernel has taken may still be on its way */

struct turn { /* what the worker knows beside the exchange */
  hf_call *call;
  struct exchange *x;
  uint64_t begin_ns, free_ns; /* free: since when the worker has nothing to do */
  bool head_given, body_given, ending, enough;
  hf_status st;
};

static void wait_tick(struct exchange *x) {
  if (x->light != NULL) {
    pthread_mutex_unlock(&x->lock);
    x->stack->light_park(stack_now_ns() + LIGHT_TICK_NS);
    pthread_mutex_lock(&x->lock);
    return;
  }
  x->waiting = true;
  cond_wait_tick(&x->cond, &x->lock);
  x->waiting = false;
}

/* Ends the exchange early, with the lock held: an error of this side, or enough. */
static void end_early(struct turn *t, hf_status st) {
  if (t->ending) return;
  t->ending = true;
  t->enough = st == HF_PENDING;
  t->st = t->enough ? HF_OK : st;
  if (!t->x->done && t->x->direct == NULL) stack_mail(t->x, MAIL_END);
}

/* Bytes per second in all: the next byte of a direction has its time, and whoever sends or takes some moves it on. */
static hf_status pace(hf_call *call, struct stack *s, int way, size_t n) {
  if (s->rate[way] == 0 || n == 0) return HF_OK;
  uint64_t cost = (uint64_t)((double)n * 1e9 / (double)s->rate[way]), now = stack_now_ns();
  uint64_t was = atomic_load(&s->slot[way]), is;
  do is = (was > now ? was : now) + cost;
  while (!atomic_compare_exchange_weak(&s->slot[way], &was, is));
  while (is > now + BURST_NS) {
    hf_status st = s->host->check(call);
    if (st != HF_OK) return st;
    uint64_t ns = is - now < TICK_NS ? is - now : TICK_NS;
    if (s->light_self != NULL && s->light_self() != NULL)
      s->light_park(now + ns);
    else
      nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
    now = stack_now_ns();
  }
  return HF_OK;
}

/* ---- what there is to do; each is entered and left with the lock held and runs the core's callback without -------------- */

static hf_status tell_head(struct exchange *x) {
  hf_status st = HF_ENOMEM;
  struct hf_kv *rows = calloc(x->head_count + 1u, sizeof(*rows));
  if (rows != NULL) {
    const char *p = x->head_text;
    for (uint32_t i = 0; i < x->head_count; i++) {
      rows[i].key = p;
      rows[i].value = p + strlen(p) + 1;
      p = rows[i].value + strlen(rows[i].value) + 1;
    }
    st = x->req->on_head(x->req->arg, x->head_status, rows, x->head_count);
    free(rows);
  }
  return st;
}

static void give_head(struct turn *t) {
  struct exchange *x = t->x;
  t->head_given = true;
  pthread_mutex_unlock(&x->lock);
  hf_status st = tell_head(x);
  t->free_ns = stack_now_ns();
  pthread_mutex_lock(&x->lock);
  if (st != HF_OK) end_early(t, st);
}

static void give_body(struct turn *t, struct chunk *c) {
  struct exchange *x = t->x;
  struct stack *s = x->stack;
  if (x->recv_paused && x->in.bytes <= x->ahead / 2 && !x->done && !t->ending) stack_mail(x, MAIL_RESUME_RECV);
  t->body_given = true;
  pthread_mutex_unlock(&x->lock);
  hf_status st = x->req->on_body(x->req->arg, c->data, c->len);
  if (st == HF_OK) st = pace(t->call, s, 0, c->len);
  chunk_put(s, c);
  t->free_ns = stack_now_ns();
  pthread_mutex_lock(&x->lock);
  if (st != HF_OK) end_early(t, st);
}

static void fill_out(struct turn *t) {
  struct exchange *x = t->x;
  struct stack *s = x->stack;
  pthread_mutex_unlock(&x->lock);
  hf_status st = HF_ENOMEM;
  struct chunk *c = chunk_get(s, CHUNK_SIZE);
  if (c != NULL) {
    st = x->req->on_send(x->req->arg, c->data, CHUNK_SIZE, &c->len);
    if (st == HF_OK) st = pace(t->call, s, 1, c->len);
  }
  t->free_ns = stack_now_ns();
  pthread_mutex_lock(&x->lock);
  if (st != HF_OK || c->len == 0) {
    x->send_end = true;
    chunk_put(s, c);
  } else {
    chunk_push(&x->out, c);
  }
  if (st != HF_OK)
    end_early(t, st);
  else if (x->send_paused && !x->done)
    stack_mail(x, MAIL_RESUME_SEND);
}

static void look_at_clock(struct turn *t) {
  struct exchange *x = t->x;
  const struct hf_net_req *req = x->req;
  const struct hf_host *host = x->stack->host;
  bool sending = req->on_send != NULL && !t->head_given && (!x->send_end || x->out.bytes > 0);
  pthread_mutex_unlock(&x->lock);
  uint64_t now = stack_now_ns(), touched = atomic_load_explicit(&x->touched_ns, memory_order_relaxed);
  if (touched < t->free_ns) touched = t->free_ns; /* a slow sink or source is not a silent server */
  uint32_t stall = req->stall_ms != 0 ? req->stall_ms : x->stack->stall_ms;
  if (sending && stall > SENDING * x->stack->stall_ms) stall = SENDING * x->stack->stall_ms;
  hf_status st = host->check(t->call);
  if (st != HF_OK) {
    st = host->failf(t->call, st, st == HF_ECANCELED ? "the request was canceled" : "the time for the request is over");
  } else if (req->timeout_ms != 0 && now - t->begin_ns > (uint64_t)req->timeout_ms * 1000000u) {
    st = host->fail(t->call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                .code = HF_ETIMEDOUT,
                                                .cls = "ReadTimeout",
                                                .retryable = 1,
                                                .message = "the server did not answer completely in time"});
  } else if (req->first_ms != 0 && !(req->begun != NULL ? *req->begun : t->body_given) &&
             now - t->begin_ns > (uint64_t)req->first_ms * 1000000u) {
    st = host->fail(t->call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                .code = HF_ETIMEDOUT,
                                                .cls = "ReadTimeout",
                                                .retryable = 1,
                                                .message = "the answer did not begin in time"});
  } else if (stall != 0 && now > touched && now - touched > (uint64_t)stall * 1000000u) {
    st = host->fail(t->call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                .code = HF_ETIMEDOUT,
                                                .cls = "ReadTimeout",
                                                .retryable = 1,
                                                .message = "the connection was silent for too long"});
  }
  pthread_mutex_lock(&x->lock);
  if (st != HF_OK) end_early(t, st);
}

static bool wants_filling(const struct turn *t) {
  const struct exchange *x = t->x;
  return x->req->on_send != NULL && !x->send_end && !t->head_given && !x->done && x->out.bytes < SEND_AHEAD;
}

static void run(struct turn *t) {
  struct exchange *x = t->x;
  pthread_mutex_lock(&x->lock);
  stack_mail(x, MAIL_START);
  while (!(t->ending && x->done)) {
    struct chunk *c = NULL;
    if (t->ending)
      wait_tick(x);
    else if (x->head_ready && !t->head_given)
      give_head(t);
    else if ((c = chunk_pop(&x->in)) != NULL)
      give_body(t, c);
    else if (wants_filling(t))
      fill_out(t);
    else if (x->done)
      break;
    else
      wait_tick(x);
    if (!t->ending && !x->done) look_at_clock(t);
  }
  pthread_mutex_unlock(&x->lock);
}

/* ---- the same where the worker itself drives curl ------------------------------------------------------------------------- */

static bool direct_goes_on(struct turn *t, hf_status st) {
  t->free_ns = stack_now_ns();
  if (st != HF_OK && !t->ending) {
    t->ending = true;
    t->enough = st == HF_PENDING;
    t->st = t->enough ? HF_OK : st;
  }
  return !t->ending;
}

bool direct_head(struct exchange *x) {
  x->direct->head_given = true;
  return direct_goes_on(x->direct, tell_head(x));
}

static bool direct_give(struct exchange *x, const char *data, size_t len) {
  struct turn *t = x->direct;
  t->body_given = true;
  hf_status st = x->req->on_body(x->req->arg, data, len);
  if (st == HF_OK) st = pace(t->call, x->stack, 0, len);
  return direct_goes_on(t, st);
}

static bool direct_flush(struct exchange *x) {
  struct chunk *c = x->gather;
  size_t len = c != NULL ? c->len : 0;
  if (len == 0 || x->direct->ending) return !x->direct->ending;
  c->len = 0;
  return direct_give(x, c->data, len);
}

/* A bulk body's little pieces (TLS records) are gathered: each write to a file costs something whatever its size. */
bool direct_body(struct exchange *x, const char *data, size_t len) {
  bool bulk = (x->req->flags & HF_NETREQ_BULK) != 0;
  if (!bulk || (len >= CHUNK_SIZE / 2 && (x->gather == NULL || x->gather->len == 0))) return direct_give(x, data, len);
  if (x->gather == NULL && (x->gather = chunk_get(x->stack, CHUNK_SIZE)) == NULL) return direct_give(x, data, len);
  while (len > 0) {
    struct chunk *c = x->gather;
    size_t n = c->size - c->len < len ? c->size - c->len : len;
    memcpy(c->data + c->len, data, n);
    c->len += n;
    data += n;
    len -= n;
    if (c->len == c->size && !direct_flush(x)) return false;
  }
  return true;
}

static bool direct_look(void *arg) {
  struct turn *t = arg;
  if (!direct_flush(t->x)) return false;
  pthread_mutex_lock(&t->x->lock);
  look_at_clock(t);
  pthread_mutex_unlock(&t->x->lock);
  return !t->ending;
}

static void drop_chunks(struct stack *s, struct chunk_queue *q) {
  for (struct chunk *c; (c = chunk_pop(q)) != NULL;) chunk_put(s, c);
}

static void give_back(struct exchange *x) {
  struct stack *s = x->stack;
  drop_chunks(s, &x->in);
  drop_chunks(s, &x->out);
  chunk_put(s, x->sending);
  chunk_put(s, x->gather);
  if (x->easy != NULL && x->kept != NULL) {
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, NULL);
  } else if (x->easy != NULL) {
    pthread_mutex_lock(&s->lock);
    bool keep = s->idle_count < sizeof(s->idle_easy) / sizeof(s->idle_easy[0]);
    if (keep) s->idle_easy[s->idle_count++] = x->easy;
    pthread_mutex_unlock(&s->lock);
    if (!keep) curl_easy_cleanup(x->easy);
  }
  if (x->headers != NULL) explicit_bzero(x->headers, x->headers_size);
  free(x->headers);
  free(x->head_text);
  pthread_cond_destroy(&x->cond);
  pthread_mutex_destroy(&x->lock);
  free(x);
}

static struct exchange *exchange_new(struct stack *s, const struct hf_net_req *req) {
  struct exchange *x = calloc(1, sizeof(*x));
  if (x == NULL) return NULL;
  cond_init(&x->cond);
  pthread_mutex_init(&x->lock, NULL);
  x->stack = s;
  x->req = req;
  atomic_init(&x->touched_ns, stack_now_ns());
  x->ahead = req->ahead != 0 ? req->ahead : 1024 * 1024;
  x->light = s->light_self != NULL ? s->light_self() : NULL;
  return x;
}

hf_status stack_perform(hf_call *call, void *net, const struct hf_net_req *req, struct hf_net_result *result) {
  struct stack *s = net;
  *result = (struct hf_net_result){.struct_size = sizeof(*result), .sent_nothing = 1};
  bool heavy = s->light_self == NULL || s->light_self() == NULL;
  bool bulk = (req->flags & HF_NETREQ_BULK) != 0 && req->on_send == NULL;
  bool alone = req->flags & HF_NETREQ_PATIENT && strcmp(req->method, "POST") == 0 && req->on_send == NULL &&
               !(req->flags & (HF_NETREQ_RAW | HF_NETREQ_BULK));
  struct lane *lane = heavy && (bulk || alone) ? lane_take(s, req->url) : NULL;
  if (lane == NULL && stack_start(s) != HF_OK)
    return s->host->failf(call, HF_ENOMEM, "cannot start the network thread");
  struct slot *slot = NULL;
  hf_status waited = req->flags & (HF_NETREQ_NESTED | HF_NETREQ_PATIENT) ? HF_OK : slot_take(call, s, req->url, &slot);
  if (waited != HF_OK) return waited;
  struct exchange *x = exchange_new(s, req);
  if (x == NULL) {
    lane_give(s, lane);
    slot_give(s, slot);
    return s->host->failf(call, HF_ENOMEM, "out of memory for a request");
  }
  struct turn t = {.call = call, .x = x, .begin_ns = stack_now_ns()};
  if (lane != NULL) x->direct = &t;
  x->kept = alone ? lane_kept(lane) : NULL;
  t.st = request_prepare(call, x);
  if (t.st == HF_OK) {
    if (lane != NULL) {
      lane_run(lane, x, direct_look, &t);
      direct_flush(x);
    } else {
      run(&t);
    }
    result->status = x->head_ready ? x->head_status : 0;
    result->sent = x->sent;
    result->received = x->received;
    result->http_version = (uint32_t)x->http_version;
    result->sent_nothing = x->request_size == 0;
    /* curl may forget a refusal that came out of its decompression */
    bool failed = x->code != CURLE_OK || x->refused != HF_OK || !x->head_ready;
    if (t.st == HF_OK && !t.enough && failed) t.st = request_failed(call, x, result);
    if (t.st == HF_ETIMEDOUT) result->retryable = s->host->check(call) == HF_OK;
  }
  result->ms = (double)(stack_now_ns() - t.begin_ns) / 1e6;
  give_back(x);
  lane_give(s, lane);
  slot_give(s, slot);
  return t.st;
}
