/* limit.c - a fixed window of requests for each token (and one for those without), as the Hub limits its callers.
 * Switched on by --rate-limit COUNT/SECONDS; the answer over the limit is 429 with the headers --rate-headers chose.
 * RateLimit headers are on every answer of a limited server, Retry-After only on the 429. */
#include "server.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct window {
  const struct token *token;
  int64_t end;
  unsigned used;
  struct window *next;
};

static int64_t clock_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec;
}

static struct window *window_of(struct limit *limit, const struct token *token) {
  struct window *w = limit->windows;
  while (w && w->token != token) w = w->next;
  if (w || !(w = calloc(1, sizeof *w))) return w;
  w->token = token;
  w->next = limit->windows;
  return limit->windows = w;
}

bool dh_limit_enter(struct request *r) {
  struct limit *limit = &r->server->limit;
  if (!limit->count || r->origin == ORIGIN_CDN) return true;
  int64_t now = clock_seconds(), wait = 0;
  unsigned left = 0;
  pthread_mutex_lock(&limit->lock);
  struct window *w = window_of(limit, r->token);
  if (w && w->end <= now) *w = (struct window){.token = w->token, .next = w->next, .end = now + limit->seconds};
  bool allowed = !w || w->used < limit->count;
  if (w && allowed) w->used++;
  if (w) left = limit->count - w->used;
  if (w) wait = w->end - now;
  pthread_mutex_unlock(&limit->lock);
  if (limit->styles & LIMIT_HEADERS) {
    dh_reply_header(&r->reply, "RateLimit", "\"api\";r=%u;t=%lld", left, (long long)wait);
    dh_reply_header(&r->reply, "RateLimit-Policy", "\"fixed window\";\"api\";q=%u;w=%u", limit->count, limit->seconds);
  }
  if (allowed) return true;
  if (limit->styles & LIMIT_RETRY_AFTER) dh_reply_header(&r->reply, "Retry-After", "%lld", (long long)wait);
  dh_reply_error(r, 429, NULL, "We had to rate limit you. Try again in %lld seconds.", (long long)wait);
  return false;
}

void dh_limit_end(struct limit *limit) {
  while (limit->windows) {
    struct window *w = limit->windows;
    limit->windows = w->next;
    free(w);
  }
  pthread_mutex_destroy(&limit->lock);
}
