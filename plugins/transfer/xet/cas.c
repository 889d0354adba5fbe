/* cas.c - token, requests, width, and the list of CAS servers that failed in this run.
 * The token route answers with headers, or with the same in JSON. One renewal is under way at a time; who comes meanwhile
 * waits for it and uses what it brought.
 * The width grows while more transfers at once bring more bytes per second, and halves when one fails. */
#include "cas.h"
#include "format/json.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

enum {
  RENEW_BEFORE = 60,     /* seconds */
  RENEW_NOT_WITHIN = 10, /* seconds after the last time, unless the token is refused: clocks may differ */
  CONNECT_MS = 3000,
  SILENCE_MS = 4500,
  NO_BYTE_MS = 8500, /* without a byte: another way is tried */
  LEAST_MS = 400,
  FAILURES_MOST = 7,
  PATIENT_FAILURES = 40,
  WIDTH_FIRST = 4,
  UPLOADS_MOST = 64,
  FILES_AT_ONCE = 8,
  BAD_MOST = 16,
  ORIGIN_MOST = 300
};
#define ROUND_BYTES ((uint64_t)64 << 20)
#define URL_MOST    2048
#define PERFILE     UINT64_C(512000000)

/* ---- servers that failed ---- */

static pthread_mutex_t bad_lock = PTHREAD_MUTEX_INITIALIZER;
static char bad_hosts[BAD_MOST][ORIGIN_MOST];
static unsigned bad_count;

static bool is_bad(const char *url) {
  bool found = false;
  pthread_mutex_lock(&bad_lock);
  for (unsigned i = 0; i < bad_count && i < BAD_MOST; i++) found |= !strcmp(bad_hosts[i], url);
  pthread_mutex_unlock(&bad_lock);
  return found;
}

static void remember_bad(const char *url) {
  if (strlen(url) >= ORIGIN_MOST || is_bad(url)) return;
  pthread_mutex_lock(&bad_lock);
  strncpy(bad_hosts[bad_count++ % BAD_MOST], url, ORIGIN_MOST - 1);
  pthread_mutex_unlock(&bad_lock);
}

/* ---- life ---- */

static void new_session_id(char out[37]) {
  uint8_t b[16];
  struct timespec t;
  if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) memset(b, 0x5a, sizeof b);
  clock_gettime(CLOCK_REALTIME, &t);
  uint64_t ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
  for (int i = 0; i < 6; i++) b[i] = (uint8_t)(ms >> (40 - 8 * i));
  b[6] = (uint8_t)(0x70 | (b[6] & 15)); /* UUID version 7 */
  b[8] = (uint8_t)(0x80 | (b[8] & 63));
  char *at = out;
  for (int i = 0; i < 16; i++)
    at += snprintf(at, 37 - (size_t)(at - out), "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                   (unsigned)b[i]);
}

void xet_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(cond, &clock);
  pthread_condattr_destroy(&clock);
}

void xet_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 50000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  pthread_cond_timedwait(cond, lock, &t);
}

/* What is set for one direction; the fixed number comes on top. */
static void read_width(hf_call *c, struct xet_cas *s, bool down, uint32_t most, uint32_t ceiling) {
  uint32_t first = xet_option_flag(c, "high_performance") ? most : WIDTH_FIRST;
  s->width_most =
      (uint32_t)xet_option_number(c, down ? "max_download_concurrency" : "max_upload_concurrency", most, 1, ceiling);
  uint64_t at_once = s->buffer / XET_CONNECTION_BYTES;
  if (at_once < s->width_most) s->width_most = at_once ? (uint32_t)at_once : 1;
  s->width_least =
      (uint32_t)xet_option_number(c, down ? "min_download_concurrency" : "min_upload_concurrency", 1, 1, s->width_most);
  s->width = (uint32_t)xet_option_number(c, down ? "initial_download_concurrency" : "initial_upload_concurrency", first,
                                         1, s->width_most);
  if (s->width > s->width_most) s->width = s->width_most;
  if (s->width < s->width_least) s->width = s->width_least;
}

/* So much for the first file, and more for each that is under way with it. */
static uint64_t read_buffer(hf_call *c, const struct hf_tr_batch *batch) {
  uint64_t size = xet_option_bytes(c, "download_buffer_size", UINT64_MAX);
  uint64_t more = xet_option_bytes(c, "download_buffer_perfile", PERFILE);
  uint64_t limit = xet_option_bytes(c, "download_buffer_limit", UINT64_MAX);
  uint32_t files = batch->width ? batch->width : FILES_AT_ONCE;
  if (batch->count < files) files = batch->count;
  for (uint32_t i = 1; i < files && size < UINT64_MAX - more; i++) size += more;
  return size < limit ? size : limit;
}

static void read_limits(hf_call *c, struct xet_cas *s, uint32_t most) {
  bool down = s->batch->direction == HF_TR_DOWNLOAD;
  s->buffer = down ? read_buffer(c, s->batch) : UINT64_MAX;
  read_width(c, s, down, most, down ? most : UPLOADS_MOST);
  s->files_most = (uint32_t)xet_option_number(c, down ? "max_file_downloads" : "max_file_ingestion", 0, 1, 1024);
  s->duration_ms = (uint32_t)xet_option_ms(c, "retry_max_duration");
  if (!down) return;
  s->connect_ms = (uint32_t)xet_option_ms(c, "connect_timeout");
  s->silence_ms = (uint32_t)xet_option_ms(c, "read_timeout");
  s->base_ms = (uint32_t)xet_option_ms(c, "retry_base_delay");
  s->failures_most = (uint32_t)xet_option_number(c, "retry_max_attempts", 0, 0, 1000);
}

hf_status xet_cas_init(hf_call *c, struct xet_cas *s, const struct hf_tr_batch *batch, const char *fixed_option,
                       uint32_t most) {
  *s = (struct xet_cas){.batch = batch};
  const char *only = xet_host->option(c, "HF_TRANSFER");
  s->patient = only && !strcmp(only, "xet");
  atomic_init(&s->moved_ns, xet_host->now_ns());
  read_limits(c, s, most);
  uint32_t fixed = (uint32_t)xet_option_number(c, fixed_option, 0, 1, 64);
  if (fixed) {
    s->fixed = true;
    s->width = s->width_most = fixed;
  }
  pthread_mutex_init(&s->lock, NULL);
  xet_cond_init(&s->changed);
  new_session_id(s->session_id);
  return HF_OK;
}

void xet_cas_free(struct xet_cas *s) {
  while (s->grant) {
    struct xet_grant *g = s->grant;
    s->grant = g->older;
    if (g->bearer) memset(g->bearer, 0, strlen(g->bearer));
    free(g->bearer);
    free(g->url);
    free(g);
  }
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
}

/* ---- the token ---- */

static const char *header(const struct hf_http_resp *r, const char *name) {
  for (uint32_t i = 0; i < r->headers.count; i++) {
    const struct hf_kv *kv = (const void *)((const char *)r->headers.rows + (size_t)i * r->headers.stride);
    if (!strcasecmp(kv->key, name)) return kv->value;
  }
  return NULL;
}

struct answer {
  char url[URL_MOST], token[8192];
  uint64_t expires;
};

static bool from_headers(const struct hf_http_resp *r, struct answer *a) {
  const char *url = header(r, "x-xet-cas-url"), *token = header(r, "x-xet-access-token");
  const char *expires = header(r, "x-xet-token-expiration");
  if (!url || !token || !expires || strlen(url) >= sizeof a->url || strlen(token) >= sizeof a->token) return false;
  memcpy(a->url, url, strlen(url) + 1);
  memcpy(a->token, token, strlen(token) + 1);
  a->expires = strtoull(expires, NULL, 10);
  return true;
}

static bool from_body(const struct hf_http_resp *r, struct answer *a) {
  struct xet_json j = {.p = r->body, .end = (const char *)r->body + r->body_len};
  char name[32];
  int have = 0;
  for (xet_json_open(&j, '{'); xet_json_key(&j, name, sizeof name);) {
    if (!strcmp(name, "casUrl"))
      have |= xet_json_string(&j, a->url, sizeof a->url);
    else if (!strcmp(name, "accessToken"))
      have |= xet_json_string(&j, a->token, sizeof a->token) << 1;
    else if (!strcmp(name, "exp"))
      have |= xet_json_number(&j, &a->expires) << 2;
    else
      xet_json_skip(&j);
  }
  return have == 7 && !j.bad;
}

static bool is_loopback(const char *url) {
  static const char *const hosts[] = {"http://127.", "http://localhost", "http://[::1]"};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
    if (!strncasecmp(url, hosts[i], strlen(hosts[i]))) return true;
  return false;
}

/* A token must not travel in the clear where the Hub's own does not. */
static bool acceptable(const struct xet_cas *s, const char *url) {
  if (!strncasecmp(url, "https://", 8)) return url[8] != 0;
  return !strncasecmp(url, "http://", 7) && (is_loopback(url) || !strncasecmp(s->batch->token_url, "http://", 7));
}

static bool printable(const char *token) {
  for (; *token; token++)
    if (*token <= ' ' || *token > '~') return false;
  return true;
}

/* Under lock. */
static hf_status renew(hf_call *c, struct xet_cas *s) {
  struct hf_kv rows[] = {{"X-Xet-Session-Id", s->session_id}};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .url = s->batch->token_url,
                            .headers = HF_TABLE(rows),
                            .flags = HF_HTTP_ANY_STATUS,
                            .max_body = 65536};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  struct answer *a = xet_host->arena(c, sizeof *a);
  if (!a) return HF_ENOMEM;
  xet_cas_patience(s, &req);
  TRY(xet_host->http(c, &req, &resp));
  if (resp.status != 200) return xet_cas_refused(c, "the token route", &resp);
  hf_status st = HF_OK;
  if (!from_headers(&resp, a) && !from_body(&resp, a))
    st = xet_host->failf(c, HF_EPROTO, "the token route of Xet answered with something else");
  else if (!acceptable(s, a->url) || !printable(a->token))
    st = xet_host->failf(c, HF_EPROTO, "the token route of Xet names a server that cannot be used");
  for (size_t n = strlen(a->url); st == HF_OK && n && a->url[n - 1] == '/';) a->url[--n] = 0;
  struct xet_grant *g = st == HF_OK ? calloc(1, sizeof *g) : NULL;
  size_t room = strlen(a->token) + 8;
  if (g) {
    g->url = strdup(a->url);
    g->bearer = malloc(room);
    g->expires = a->expires;
    g->obtained_ns = xet_host->now_ns();
  }
  if (g && g->url && g->bearer) {
    snprintf(g->bearer, room, "Bearer %s", a->token);
    g->older = s->grant;
    s->grant = g;
  } else if (st == HF_OK) {
    if (g) free(g->url), free(g->bearer);
    free(g);
    st = xet_host->failf(c, HF_ENOMEM, "no memory for a Xet token");
  }
  memset(a, 0, sizeof *a);
  return st;
}

static bool is_stale(const struct xet_grant *g, uint64_t now) {
  uint64_t age = (xet_host->now_ns() - g->obtained_ns) / 1000000000u;
  return g->expires < now + RENEW_BEFORE && age >= RENEW_NOT_WITHIN;
}

/* A grant that is good for a while and is not the one that was just refused. */
static hf_status get_grant(hf_call *c, struct xet_cas *s, const struct xet_grant *refused,
                           const struct xet_grant **out) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&s->lock);
  uint64_t now = (uint64_t)time(NULL);
  if (!s->grant || s->grant == refused || is_stale(s->grant, now)) {
    const struct xet_grant *before = s->grant;
    st = renew(c, s);
    /* What is left of the old one may still do. */
    if (st != HF_OK && before && before != refused && before->expires > now) {
      xet_host->clear(c);
      st = HF_OK;
    }
  }
  *out = s->grant;
  pthread_mutex_unlock(&s->lock);
  return st;
}

/* ---- requests ---- */

void xet_cas_moved(struct xet_cas *s, uint64_t bytes) {
  atomic_fetch_add(&s->bytes, bytes);
  atomic_store_explicit(&s->moved_ns, xet_host->now_ns(), memory_order_relaxed);
}

/* What is left of the time without a byte. */
static uint64_t passed_ms(struct xet_cas *s) {
  uint64_t now = xet_host->now_ns(), then = atomic_load(&s->moved_ns);
  return now > then ? (now - then) / 1000000u : 0;
}

static uint32_t left_ms(struct xet_cas *s) {
  uint64_t passed = passed_ms(s);
  return passed < NO_BYTE_MS ? (uint32_t)(NO_BYTE_MS - passed) : 0;
}

void xet_cas_patience(struct xet_cas *s, struct hf_http_req *req) {
  bool up = s->batch->direction == HF_TR_UPLOAD;
  if (up && atomic_load(&s->bytes)) return;
  req->tries = 1;
  req->connect_ms = s->connect_ms;
  req->timeout_ms = s->silence_ms;
  if (!up && s->patient) return;
  uint32_t left = up ? NO_BYTE_MS : left_ms(s), connect = s->connect_ms ? s->connect_ms : CONNECT_MS;
  uint32_t silence = s->silence_ms ? s->silence_ms : SILENCE_MS;
  if (left < LEAST_MS) left = LEAST_MS;
  req->connect_ms = left < connect ? left : connect;
  req->timeout_ms = left < silence ? left : silence;
}

static bool passes(const struct hf_error *e) {
  return e && (e->code == HF_ENET || e->code == HF_ETIMEDOUT || e->code == HF_ERATELIMIT ||
               (e->code == HF_EHTTP && e->retryable));
}

hf_status xet_cas_again(hf_call *c, struct xet_cas *s, uint32_t *failures, hf_status st) {
  const struct hf_error *e = xet_host->error(c);
  uint32_t most = s->failures_most ? s->failures_most : s->patient ? PATIENT_FAILURES : FAILURES_MOST;
  if (xet_host->check(c) != HF_OK || !passes(e) || ++*failures > most) return st;
  if (!atomic_load(&s->bytes) && e->code == HF_ENET && !s->patient) return st; /* never reached: not there */
  uint32_t wish = e->retry_after_ms, left = left_ms(s);
  if (s->duration_ms && passed_ms(s) + (wish ? wish : LEAST_MS) > s->duration_ms) return st;
  if (!s->patient && (wish ? wish : LEAST_MS) >= left) return st;
  xet_host->clear(c);
  if (!wish && s->base_ms && *failures < 8) wish = s->base_ms << (*failures - 1);
  if (!s->patient && (wish ? wish : 250u << *failures) > left) wish = LEAST_MS;
  return xet_host->backoff(c, *failures, wish);
}

static uint32_t wish_ms(const struct hf_http_resp *r) {
  const char *text = header(r, "retry-after");
  unsigned long n = text && *text >= '0' && *text <= '9' ? strtoul(text, NULL, 10) : 0;
  return n > 3600 ? 3600000u : (uint32_t)n * 1000;
}

hf_status xet_cas_refused(hf_call *c, const char *what, const struct hf_http_resp *r) {
  char text[200];
  uint32_t s = r->status;
  snprintf(text, sizeof text, "%s answered with status %u", what, s);
  return xet_host->fail(c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                              .code = s == 401 || s == 403 ? HF_EAUTH
                                                      : s == 404           ? HF_ENOTFOUND
                                                      : s == 429           ? HF_ERATELIMIT
                                                                           : HF_EHTTP,
                                              .http_status = s,
                                              .retryable = s == 408 || s == 429 || s >= 500,
                                              .retry_after_ms = wish_ms(r),
                                              .request_id = header(r, "x-request-id"),
                                              .message = text});
}

hf_status xet_cas_ask(hf_call *c, struct xet_cas *s, const char *path, const struct hf_http_req *want,
                      struct hf_http_resp *resp) {
  const struct xet_grant *grant = NULL;
  for (int turn = 0;; turn++) {
    struct hf_kv rows[8] = {{"X-Xet-Session-Id", s->session_id}};
    uint32_t n = 2;
    TRY(get_grant(c, s, grant, &grant));
    TRY(xet_cas_usable(c, s));
    rows[1] = (struct hf_kv){"Authorization", grant->bearer};
    for (uint32_t i = 0; i < want->headers.count && n < 8; i++)
      rows[n++] = ((const struct hf_kv *)want->headers.rows)[i];
    char *url = xet_host->arena(c, strlen(grant->url) + strlen(path) + 1);
    if (!url) return HF_ENOMEM;
    memcpy(url, grant->url, strlen(grant->url));
    memcpy(url + strlen(grant->url), path, strlen(path) + 1);
    struct hf_http_req req = *want;
    req.url = url;
    req.flags |= HF_HTTP_NO_AUTH | HF_HTTP_ANY_STATUS;
    req.headers = (struct hf_table)HF_TABLE_N(rows, n);
    if (!req.tries && !req.timeout_ms) xet_cas_patience(s, &req);
    TRY(xet_host->http(c, &req, resp));
    if (resp->status != 401 || turn) return HF_OK;
  }
}

/* ---- how many at once ---- */

hf_status xet_cas_file_begins(hf_call *c, struct xet_cas *s) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&s->lock);
  while (s->files_most && s->files >= s->files_most && (st = xet_host->check(c)) == HF_OK)
    xet_cond_wait(&s->changed, &s->lock);
  if (st == HF_OK && !s->files++) atomic_store_explicit(&s->moved_ns, xet_host->now_ns(), memory_order_relaxed);
  pthread_mutex_unlock(&s->lock);
  return st;
}

void xet_cas_file_ends(struct xet_cas *s) {
  pthread_mutex_lock(&s->lock);
  s->files--;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

hf_status xet_cas_enter(hf_call *c, struct xet_cas *s) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&s->lock);
  while (s->active >= s->width && (st = xet_host->check(c)) == HF_OK) xet_cond_wait(&s->changed, &s->lock);
  if (st == HF_OK) {
    s->active++;
    if (!s->round_ns) s->round_ns = xet_host->now_ns();
  }
  pthread_mutex_unlock(&s->lock);
  return st;
}

/* Under lock. A round is so many bytes; its rate decides about the next. */
static void judge(struct xet_cas *s, uint64_t bytes) {
  s->round_bytes += bytes;
  s->transfers++;
  if (s->round_bytes < ROUND_BYTES || s->transfers < s->width) return;
  uint64_t now = xet_host->now_ns();
  double rate = (double)s->round_bytes / (double)(now - s->round_ns + 1);
  if (rate > s->best_rate * 1.05) {
    s->best_rate = rate;
    if (s->width < s->width_most) s->width++;
  } else if (rate < s->best_rate * 0.7) {
    s->best_rate = rate; /* the line has become another one */
  }
  s->round_bytes = s->transfers = 0;
  s->round_ns = now;
}

void xet_cas_leave(struct xet_cas *s, uint64_t bytes) {
  pthread_mutex_lock(&s->lock);
  s->active--;
  if (!s->fixed && bytes) judge(s, bytes);
  if (!s->fixed && !bytes && s->width > s->width_least) s->width = (s->width + s->width_least) / 2;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

/* ---- giving up ---- */

void xet_cas_give_up(struct xet_cas *s) {
  atomic_store(&s->bad, true);
  pthread_mutex_lock(&s->lock);
  if (s->grant) remember_bad(s->grant->url);
  pthread_mutex_unlock(&s->lock);
}

hf_status xet_cas_usable(hf_call *c, struct xet_cas *s) {
  bool bad = atomic_load(&s->bad);
  pthread_mutex_lock(&s->lock);
  if (!bad && s->grant) bad = is_bad(s->grant->url);
  pthread_mutex_unlock(&s->lock);
  return bad ? xet_host->failf(c, HF_ENOSYS, "the Xet server failed before and is not asked again") : HF_OK;
}
