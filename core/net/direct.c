/* direct.c - an exchange that the calling thread drives by itself: nothing is handed to the I/O thread and back, which would
 * cost two wake-ups of a sleeping processor, and for a bulk body a copy of every byte. For answers that one thread waits for
 * and nobody else has a part in.
 * A lane is a curl multi handle with the connections that were made on it; it serves one exchange at a time and is kept for
 * the next. When all lanes are taken the I/O thread does the work. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stack.h"

#define SOCKETS_MAX 16u
#define TICK_MS     ((int)(TICK_NS / 1000000u))

struct lane {
  struct lane *next;
  CURLM *multi;
  struct kept kept;
  char origin[128]; /* of its last exchange, so that its connection is found again */
  struct exchange *x;
  uint64_t timer_ns; /* when curl wants to be called, 0: not at all */
  struct pollfd fds[SOCKETS_MAX];
  uint32_t count;
  bool too_many;
};

/* ---- curl's side ---------------------------------------------------------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known) {
  struct lane *l = arg;
  uint32_t i = 0;
  (void)easy, (void)known;
  while (i < l->count && l->fds[i].fd != fd) i++;
  if (what == CURL_POLL_REMOVE) {
    if (i < l->count) l->fds[i] = l->fds[--l->count];
    return 0;
  }
  if (i == SOCKETS_MAX) {
    l->too_many = true;
    return 0;
  }
  if (i == l->count) l->count++;
  l->fds[i] = (struct pollfd){.fd = fd};
  if (what & CURL_POLL_IN) l->fds[i].events |= POLLIN;
  if (what & CURL_POLL_OUT) l->fds[i].events |= POLLOUT;
  if (what & CURL_POLL_IN && l->x != NULL) l->x->fd = fd;
  return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg) {
  struct lane *l = arg;
  (void)multi;
  l->timer_ns = ms < 0 ? 0 : stack_now_ns() + (uint64_t)ms * 1000000u;
  return 0;
}

/* ---- lanes ---------------------------------------------------------------------------------------------------------- */

static void lane_free(struct lane *l) {
  if (l->kept.easy != NULL) curl_easy_cleanup(l->kept.easy);
  if (l->multi != NULL) curl_multi_cleanup(l->multi);
  free(l);
}

static struct lane *lane_new(void) {
  struct lane *l = calloc(1, sizeof(*l));
  if (l == NULL) return NULL;
  l->multi = curl_multi_init();
  if (l->multi == NULL) {
    free(l);
    return NULL;
  }
  curl_multi_setopt(l->multi, CURLMOPT_MAXCONNECTS, 4L);
  curl_multi_setopt(l->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(l->multi, CURLMOPT_SOCKETDATA, l);
  curl_multi_setopt(l->multi, CURLMOPT_TIMERFUNCTION, on_timer);
  curl_multi_setopt(l->multi, CURLMOPT_TIMERDATA, l);
  return l;
}

static size_t origin_length(const char *url) {
  const char *rest = strstr(url, "://");
  return rest != NULL ? (size_t)(rest - url) + 3 + strcspn(rest + 3, "/?#") : 0;
}

static bool is_at(const struct lane *l, const char *url, size_t n) {
  return strlen(l->origin) == n && strncasecmp(l->origin, url, n) == 0;
}

struct lane *lane_take(struct stack *s, const char *url) {
  size_t n = origin_length(url);
  pthread_mutex_lock(&s->lock);
  struct lane **found = NULL;
  for (struct lane **at = &s->idle_lanes; *at != NULL && found == NULL; at = &(*at)->next)
    if (is_at(*at, url, n)) found = at;
  if (found == NULL && s->lanes == LANES_MAX && s->idle_lanes != NULL) found = &s->idle_lanes;
  struct lane *l = found != NULL ? *found : NULL;
  bool make = l == NULL && s->lanes < LANES_MAX;
  if (l != NULL) *found = l->next;
  if (make) s->lanes++;
  pthread_mutex_unlock(&s->lock);
  if (make && (l = lane_new()) == NULL) {
    pthread_mutex_lock(&s->lock);
    s->lanes--;
    pthread_mutex_unlock(&s->lock);
  }
  if (l == NULL || is_at(l, url, n)) return l;
  size_t keep = n < sizeof(l->origin) ? n : 0;
  memcpy(l->origin, url, keep);
  l->origin[keep] = '\0';
  return l;
}

void lane_give(struct stack *s, struct lane *l) {
  if (l == NULL) return;
  pthread_mutex_lock(&s->lock);
  l->next = s->idle_lanes;
  s->idle_lanes = l;
  pthread_mutex_unlock(&s->lock);
}

struct kept *lane_kept(struct lane *l) {
  return l != NULL ? &l->kept : NULL;
}

void lanes_close(struct stack *s) {
  for (struct lane *l = s->idle_lanes, *next; l != NULL; l = next) {
    next = l->next;
    lane_free(l);
  }
}

/* ---- the exchange --------------------------------------------------------------------------------------------------- */

static int wait_ms(const struct lane *l) {
  if (l->timer_ns == 0) return TICK_MS;
  uint64_t now = stack_now_ns();
  if (now >= l->timer_ns) return 0;
  uint64_t ms = (l->timer_ns - now + 999999u) / 1000000u;
  return ms > (uint64_t)TICK_MS ? TICK_MS : (int)ms;
}

static void turn_sockets(struct lane *l, int *running) {
  struct pollfd was[SOCKETS_MAX]; /* what is called changes the lane's own */
  uint32_t n = l->count;
  memcpy(was, l->fds, n * sizeof(was[0]));
  for (uint32_t i = 0; i < n; i++) {
    int what = 0;
    if (was[i].revents & POLLIN) what |= CURL_CSELECT_IN;
    if (was[i].revents & POLLOUT) what |= CURL_CSELECT_OUT;
    if (was[i].revents & (POLLERR | POLLHUP | POLLNVAL)) what |= CURL_CSELECT_IN | CURL_CSELECT_ERR;
    if (what != 0) curl_multi_socket_action(l->multi, was[i].fd, what, running);
  }
}

static CURLcode result_of(struct lane *l) {
  int left;
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  for (CURLMsg *m; (m = curl_multi_info_read(l->multi, &left)) != NULL;)
    if (m->msg == CURLMSG_DONE) code = m->data.result;
  return code;
}

/* Until curl is done or `look` says that this side has ended it. */
void lane_run(struct lane *l, struct exchange *x, bool (*look)(void *), void *arg) {
  int running = 1;
  l->x = x;
  l->count = 0;
  l->timer_ns = 0;
  l->too_many = false;
  x->fd = x->framing_fd = CURL_SOCKET_BAD;
  if (curl_multi_add_handle(l->multi, x->easy) != CURLM_OK) {
    request_ended(x, CURLE_OUT_OF_MEMORY);
    return;
  }
  curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  while (running > 0 && !l->too_many && look(arg)) {
    int n = poll(l->fds, l->count, wait_ms(l));
    if (n > 0) turn_sockets(l, &running);
    if (running == 0 || l->timer_ns == 0 || stack_now_ns() < l->timer_ns) continue;
    l->timer_ns = 0;
    curl_multi_socket_action(l->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  CURLcode code = l->too_many ? CURLE_OUT_OF_MEMORY : result_of(l);
  curl_multi_remove_handle(l->multi, x->easy);
  request_ended(x, code);
  l->x = NULL;
}
