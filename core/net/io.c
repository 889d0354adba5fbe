/* io.c - the I/O thread: an epoll loop around curl's multi handle, and the box through which workers talk to it.
 * Workers are woken once per round of events, so that headers, a small body and the end of an exchange cost one wake-up;
 * the thread itself is woken by eventfd only when it sleeps. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "stack.h"

#define EVENTS_AT_ONCE   64
#define IDLE_CHUNKS_MAX  16u
#define LONGEST_SLEEP_MS 1000

uint64_t stack_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A few milliseconds late at most, and cheap: for what is looked at at every piece that arrives. */
uint64_t stack_about_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &attr);
  pthread_condattr_destroy(&attr);
}

void cond_wait_tick(pthread_cond_t *cond, pthread_mutex_t *lock) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += TICK_NS;
  if (until.tv_nsec >= 1000000000) until.tv_nsec -= 1000000000, until.tv_sec++;
  pthread_cond_timedwait(cond, lock, &until);
}

/* ---- chunks ------------------------------------------------------------------------------------------------------- */

struct chunk *chunk_get(struct stack *s, size_t size) {
  pthread_mutex_lock(&s->lock);
  struct chunk *c = size == CHUNK_SIZE ? s->idle_chunks : NULL;
  if (c != NULL) {
    s->idle_chunks = c->next;
    s->idle_chunk_count--;
  }
  pthread_mutex_unlock(&s->lock);
  if (c == NULL) {
    c = malloc(sizeof(*c) + size);
    if (c != NULL) c->size = size;
  }
  if (c != NULL) c->next = NULL, c->len = c->off = 0;
  return c;
}

void chunk_put(struct stack *s, struct chunk *c) {
  if (c == NULL) return;
  pthread_mutex_lock(&s->lock);
  bool keep = c->size == CHUNK_SIZE && s->idle_chunk_count < IDLE_CHUNKS_MAX;
  if (keep) {
    c->next = s->idle_chunks;
    s->idle_chunks = c;
    s->idle_chunk_count++;
  }
  pthread_mutex_unlock(&s->lock);
  if (!keep) free(c);
}

void chunk_push(struct chunk_queue *q, struct chunk *c) {
  c->next = NULL;
  if (q->last != NULL)
    q->last->next = c;
  else
    q->first = c;
  q->last = c;
  q->bytes += c->len;
}

struct chunk *chunk_pop(struct chunk_queue *q) {
  struct chunk *c = q->first;
  if (c == NULL) return NULL;
  q->first = c->next;
  if (q->first == NULL) q->last = NULL;
  q->bytes -= c->len;
  return c;
}

/* ---- from workers to the I/O thread ------------------------------------------------------------------------------- */

/* A ring that got lost costs a moment, not for ever: the thread never sleeps longer than LONGEST_SLEEP_MS. */
static void ring(struct stack *s) {
  for (unsigned i = 0; i < 8 && eventfd_write(s->wake, 1) != 0 && errno != EAGAIN; i++) {
  }
}

/* With the exchange's lock held and before it is done. */
void stack_mail(struct exchange *x, uint32_t mail) {
  struct stack *s = x->stack;
  pthread_mutex_lock(&s->lock);
  x->mail |= mail;
  if (!x->in_box) {
    x->in_box = true;
    x->next_in_box = s->inbox;
    s->inbox = x;
  }
  pthread_mutex_unlock(&s->lock);
  if (atomic_exchange(&s->asleep, false)) ring(s);
}

/* ---- from the I/O thread to workers ------------------------------------------------------------------------------- */

void stack_mark_dirty(struct exchange *x) {
  if (x->is_dirty) return;
  x->is_dirty = true;
  x->next_dirty = x->stack->dirty;
  x->stack->dirty = x;
}

/* An exchange that still has mail ends in the next round: after `done` its memory is the worker's. */
static void tell_workers(struct stack *s) {
  struct exchange *x = s->dirty;
  s->dirty = NULL;
  while (x != NULL) {
    struct exchange *next = x->next_dirty;
    pthread_mutex_lock(&x->lock);
    x->is_dirty = false;
    if (!x->attached) {
      pthread_mutex_lock(&s->lock);
      x->done = !x->in_box;
      pthread_mutex_unlock(&s->lock);
      if (!x->done) stack_mark_dirty(x);
    }
    if (x->light != NULL)
      x->stack->light_wake(x->light);
    else if (x->waiting)
      pthread_cond_signal(&x->cond);
    pthread_mutex_unlock(&x->lock);
    x = next;
  }
}

static void detach(struct exchange *x, CURLcode code) {
  if (!x->attached) return;
  x->attached = false;
  curl_multi_remove_handle(x->stack->multi, x->easy);
  request_ended(x, code);
  stack_mark_dirty(x);
}

static void start(struct exchange *x) {
  x->attached = true;
  x->fd = x->framing_fd = CURL_SOCKET_BAD;
  atomic_store(&x->touched_ns, stack_now_ns());
  if (curl_multi_add_handle(x->stack->multi, x->easy) == CURLM_OK) return;
  x->attached = false;
  x->code = CURLE_OUT_OF_MEMORY;
  stack_mark_dirty(x);
}

static void resume_sending(struct exchange *x) {
  pthread_mutex_lock(&x->lock);
  bool paused = x->recv_paused;
  x->send_paused = false;
  pthread_mutex_unlock(&x->lock);
  curl_easy_pause(x->easy, paused ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

static void resume_receiving(struct exchange *x) {
  pthread_mutex_lock(&x->lock);
  bool paused = x->send_paused;
  x->recv_paused = false;
  pthread_mutex_unlock(&x->lock);
  atomic_store(&x->touched_ns, stack_now_ns());
  curl_easy_pause(x->easy, paused ? CURLPAUSE_SEND : CURLPAUSE_CONT);
}

static void open_mail(struct exchange *x, uint32_t mail) {
  if (mail & MAIL_START) start(x);
  if (mail & MAIL_END) {
    detach(x, CURLE_ABORTED_BY_CALLBACK);
    stack_mark_dirty(x);
  }
  if (!x->attached) return;
  if (mail & MAIL_RESUME_SEND) resume_sending(x);
  if (mail & MAIL_RESUME_RECV) resume_receiving(x);
}

static void read_mail(struct stack *s) {
  pthread_mutex_lock(&s->lock);
  while (s->inbox != NULL) {
    struct exchange *x = s->inbox;
    uint32_t mail = x->mail;
    s->inbox = x->next_in_box;
    x->mail = 0;
    x->in_box = false;
    pthread_mutex_unlock(&s->lock);
    open_mail(x, mail);
    pthread_mutex_lock(&s->lock);
  }
  pthread_mutex_unlock(&s->lock);
}

/* ---- curl's side of the loop -------------------------------------------------------------------------------------- */

/* The kernel will not tell of this socket: the exchange would wait for ever. It ends as soon as curl is not at work; to refuse
 * would end all of them. */
static int not_watched(struct stack *s, CURL *easy) {
  struct exchange *x = NULL;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x);
  if (x == NULL || x->unwatched) return 0;
  x->unwatched = true;
  x->next_unwatched = s->unwatched;
  s->unwatched = x;
  return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
  struct stack *s = arg;
  struct exchange *x = NULL;
  if (what & CURL_POLL_IN) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x);
  if (x != NULL) x->fd = fd;
  if (what == CURL_POLL_REMOVE) {
    epoll_ctl(s->epoll, EPOLL_CTL_DEL, fd, NULL);
    return 0;
  }
  struct epoll_event e = {.data.fd = fd};
  if (what & CURL_POLL_IN) e.events |= EPOLLIN;
  if (what & CURL_POLL_OUT) e.events |= EPOLLOUT;
  if (epoll_ctl(s->epoll, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) != 0) {
    /* A number that was closed and opened again behind our back. */
    int op = errno == ENOENT ? EPOLL_CTL_ADD : errno == EEXIST ? EPOLL_CTL_MOD : 0;
    if (op == 0 || epoll_ctl(s->epoll, op, fd, &e) != 0) return not_watched(s, easy);
  }
  if (known == NULL) curl_multi_assign(s->multi, fd, s);
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg) {
  struct stack *s = arg;
  (void)multi;
  s->timer_ns = ms < 0 ? 0 : stack_now_ns() + (uint64_t)ms * 1000000u;
  return 0;
}

static void collect_ended(struct stack *s) {
  int left;
  for (CURLMsg *m; (m = curl_multi_info_read(s->multi, &left)) != NULL;) {
    if (m->msg != CURLMSG_DONE) continue;
    CURLcode code = m->data.result; /* m is gone with the handle */
    struct exchange *x = NULL;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
    detach(x, code);
  }
}

static void end_unwatched(struct stack *s) {
  for (struct exchange *x; (x = s->unwatched) != NULL;) {
    s->unwatched = x->next_unwatched;
    x->unwatched = false;
    detach(x, CURLE_OUT_OF_MEMORY);
  }
}

static int sleep_ms(struct stack *s) {
  if (s->timer_ns == 0) return LONGEST_SLEEP_MS;
  uint64_t now = stack_now_ns();
  if (now >= s->timer_ns) return 0;
  uint64_t ms = (s->timer_ns - now + 999999u) / 1000000u;
  return ms > LONGEST_SLEEP_MS ? LONGEST_SLEEP_MS : (int)ms;
}

/* May the loop sleep? Announces it first, so that mail that comes afterwards rings. */
static int before_sleep(struct stack *s) {
  int ms = sleep_ms(s);
  if (ms == 0) return 0;
  atomic_store(&s->asleep, true);
  pthread_mutex_lock(&s->lock);
  bool idle = s->inbox == NULL && !s->stop;
  pthread_mutex_unlock(&s->lock);
  if (idle) return ms;
  atomic_store(&s->asleep, false);
  return 0;
}

static void *io_thread(void *arg) {
  struct stack *s = arg;
  struct epoll_event events[EVENTS_AT_ONCE];
  int running;
  for (;;) {
    int n = epoll_wait(s->epoll, events, EVENTS_AT_ONCE, before_sleep(s));
    atomic_store(&s->asleep, false);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == s->wake) {
        eventfd_t v;
        eventfd_read(s->wake, &v);
        continue;
      }
      int what = 0;
      if (events[i].events & (EPOLLIN | EPOLLRDHUP)) what |= CURL_CSELECT_IN;
      if (events[i].events & EPOLLOUT) what |= CURL_CSELECT_OUT;
      if (events[i].events & (EPOLLERR | EPOLLHUP)) what |= CURL_CSELECT_IN | CURL_CSELECT_ERR;
      curl_multi_socket_action(s->multi, events[i].data.fd, what, &running);
    }
    read_mail(s);
    if (s->timer_ns != 0 && stack_now_ns() >= s->timer_ns) {
      s->timer_ns = 0;
      curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect_ended(s);
    end_unwatched(s);
    tell_workers(s);
    pthread_mutex_lock(&s->lock);
    bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    if (stop) return NULL;
  }
}

/* ---- start and stop ----------------------------------------------------------------------------------------------- */

static hf_status start_locked(struct stack *s) {
  if (s->started) return HF_OK;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = s->wake};
  if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &e) != 0 && errno != EEXIST) return HF_EIO;
  curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
  curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
  /* No signal is delivered to this thread; a broken pipe in the TLS library stays an error code. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int err = pthread_create(&s->thread, NULL, io_thread, s);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (err != 0) return HF_ENOMEM;
  s->started = true;
  return HF_OK;
}

hf_status stack_start(struct stack *s) {
  pthread_mutex_lock(&s->lock);
  hf_status st = start_locked(s);
  pthread_mutex_unlock(&s->lock);
  return st;
}

void stack_stop(struct stack *s) {
  pthread_mutex_lock(&s->lock);
  bool started = s->started;
  s->stop = true;
  pthread_mutex_unlock(&s->lock);
  if (!started) return;
  ring(s);
  pthread_join(s->thread, NULL);
}
