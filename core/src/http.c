/* http.c - hf_http(): one request with all that policy asks for. An attempt follows redirects hop by hop, with the
 * credentials of each hop's own origin; what may be repeated is, with patience; a file goes on where it was cut.
 * Every rule sees logical URLs; where to connect is asked last, for each exchange. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "http.h"
#include "light.h"

#define TRIES_MAX        1000u /* whatever progress there is */
#define PATIENCE_MAX_MS  3600000u
#define STALL_CHANGE     10u      /* times HF_STALL_TIMEOUT: a server may think long about a change */
#define STALL_AGAIN      4u       /* less about what may be sent again without harm */
#define STALL_PATIENT_MS 3600000u /* more about an answer that a model makes */
#define BULK_FROM        ((uint64_t)1024 * 1024)
#define AHEAD_BULK       ((size_t)2 * 1024 * 1024)

/* ---- one exchange ------------------------------------------------------------------------------------------------- */

static bool is_redirect(const struct http *h) {
  uint32_t s = h->head.status;
  return (s == 301 || s == 302 || s == 303 || s == 307 || s == 308) && http_header(&h->head, "location") != NULL;
}

static hf_status own(struct http *h, hf_status st) {
  if (st < 0) h->own_failure = true;
  return st;
}

static hf_status on_head(void *arg, uint32_t status, const struct hf_kv *rows, uint32_t n) {
  struct http *h = arg;
  if (http_head_copy(&h->head, status, rows, n) != HF_OK)
    return own(h, hf_call_failf(h->call, HF_ENOMEM, "Out of memory for an answer; close other programs."));
  return own(h, http_body_plan(h, is_redirect(h) && h->req.max_redirects > 0));
}

static hf_status on_body(void *arg, const void *data, size_t len) {
  struct http *h = arg;
  return own(h, http_body_add(h, data, len));
}

static hf_status on_send(void *arg, void *buf, size_t len, size_t *got) {
  struct http *h = arg;
  const struct hf_http_req *req = &h->req;
  *got = 0;
  if (req->body_src_len != HF_SIZE_UNKNOWN && len > req->body_src_len - h->body_at)
    len = (size_t)(req->body_src_len - h->body_at);
  if (len == 0) return HF_OK;
  TRY(own(h, req->body_src->pread(h->call, req->body_src, buf, len, req->body_off + h->body_at, got)));
  h->body_at += *got;
  if (*got == 0 && req->body_src_len != HF_SIZE_UNKNOWN)
    return own(h, hf_call_failf(h->call, HF_ECONFLICT, "%s became shorter while it was being sent; send it again.",
                                req->body_src->name != NULL ? req->body_src->name : "A file"));
  return HF_OK;
}

static bool changes_nothing(const char *method) {
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static void set_body(struct http *h, struct hf_net_req *r) {
  const struct hf_http_req *req = &h->req;
  if (!h->with_body) return;
  if (req->body_src != NULL) {
    r->on_send = on_send;
    r->body_len = req->body_src_len;
  } else {
    r->body = req->body;
    r->body_len = req->body_len;
  }
}

static void set_times(struct http *h, struct hf_net_req *r) {
  const struct hf_http_req *req = &h->req;
  bool stream = req->dst != NULL || req->on_data != NULL;
  r->connect_ms = req->connect_ms;
  r->timeout_ms = stream ? 0 : req->timeout_ms;
  bool harmless = strcmp(h->method, "PUT") == 0 || (req->flags & HF_HTTP_IDEMPOTENT) != 0;
  int64_t stall = hf_config_int(h->call->rt, "HF_STALL_TIMEOUT", 30);
  uint32_t change =
      (uint32_t)(stall > 0 && stall < 100000 ? stall : 30) * 1000 * (harmless ? STALL_AGAIN : STALL_CHANGE);
  r->first_ms = req->first_ms;
  r->begun = req->begun;
  r->stall_ms = stream ? req->timeout_ms : changes_nothing(h->method) ? 0 : change;
  if (req->flags & HF_HTTP_PATIENT && (!stream || req->timeout_ms == 0)) r->stall_ms = STALL_PATIENT_MS;
}

static bool is_bulk(const struct http *h) {
  return h->req.dst != NULL && (h->end == HF_SIZE_UNKNOWN || h->end - h->begin - h->got >= BULK_FROM);
}

/* "the server cannot be reached (...)" becomes a sentence that names the request. */
static hf_status name_failure(struct http *h, hf_status st) {
  const struct hf_error *e = hf_call_error(h->call);
  char text[900], cls[64], url[300];
  if (e == NULL || h->own_failure || st == HF_ECANCELED) return st;
  struct hf_error named = {.struct_size = sizeof(named),
                           .code = e->code,
                           .cls = cls,
                           .retryable = e->retryable,
                           .sys_errno = e->sys_errno,
                           .url = h->url,
                           .message = text};
  snprintf(cls, sizeof(cls), "%s", e->cls != NULL ? e->cls : "");
  if (cls[0] == '\0') named.cls = NULL;
  snprintf(url, sizeof(url), "%.299s", h->url);
  hf_text_redact(url);
  snprintf(text, sizeof(text), "%s %s: %.500s", h->method, url, e->message != NULL ? e->message : "failed");
  hf_call_clear(h->call);
  return hf_call_fail(h->call, &named);
}

static void trace(struct http *h, const struct hf_net_result *result, hf_status st) {
  if (h->call->rt->trace == NULL) return;
  const struct hf_error *e = st < 0 ? hf_call_error(h->call) : NULL;
  hf_trace_request(h->call->rt, &(struct hf_trace_row){
                                    .method = h->method,
                                    .url = h->url,
                                    .connect = hf_url_same_origin(h->url, h->connect) ? NULL : h->connect,
                                    .key = h->secret_from,
                                    .error = st >= 0     ? NULL
                                             : e != NULL ? e->message
                                                         : hf_status_name(st),
                                    .bytes = result->received,
                                    .status = result->status,
                                    .attempt = h->attempts,
                                    .ms = result->ms,
                                });
}

/* May a secret that the caller gave for the logical URL travel to where it really leads? */
static hf_status find_way(struct http *h) {
  struct url_pieces logical, physical;
  bool consent;
  h->connect = hf_url_rewrite(h->call, h->url, &consent);
  bool fine = h->connect != NULL && url_split(h->url, &logical) == NULL;
  if (fine && h->connect != h->url) fine = url_split(h->connect, &physical) == NULL;
  if (!fine) return hf_call_error(h->call) != NULL ? hf_call_error(h->call)->code : HF_EINVAL;
  if (h->connect == h->url) physical = logical;
  bool sealed = physical.https && !hf_config_flag(h->call->rt, "HF_INSECURE");
  h->trusted_way = sealed || consent || !logical.https || url_is_loopback(&physical);
  return HF_OK;
}

static hf_status exchange(struct http *h, bool *again) {
  const struct hf_net *net;
  void *stack;
  struct hf_kv rows[HTTP_REQUEST_HEADERS_MAX];
  struct hf_net_result result = {.struct_size = sizeof(result)};
  struct hf_net_req r = {
      .struct_size = sizeof(r), .method = h->method, .arg = h, .on_head = on_head, .on_body = on_body};
  *again = false;
  TRY(netstack_open(h->call, &net, &stack));
  TRY(find_way(h));
  if (h->patient) TRY(netstack_wait(h->call, h->url));
  if (h->req.dst != NULL) http_range_next(h);
  h->own_failure = false;
  h->body_at = h->dropped = 0;
  hf_status st = http_request_headers(h, rows, &r.header_count);
  if (st == HF_OK) {
    r.url = h->connect;
    r.headers = rows;
    if (h->req.dst != NULL || (h->req.flags & HF_HTTP_NO_DECODE)) r.flags |= HF_NETREQ_RAW;
    if (is_bulk(h)) r.flags |= HF_NETREQ_BULK, r.ahead = AHEAD_BULK;
    set_body(h, &r);
    set_times(h, &r);
    uint32_t *running = hf_light_nesting(); /* exchanges of this thread: callbacks may start further ones */
    if (*running > 0) r.flags |= HF_NETREQ_NESTED;
    if (h->req.flags & HF_HTTP_PATIENT) r.flags |= HF_NETREQ_PATIENT;
    ++*running;
    st = net->perform(h->call, stack, &r, &result);
    --*running;
    h->wire += result.received;
    if (st == HF_OK) {
      st = http_body_end(h);
      *again = st == HF_ENET;
    } else if (!h->own_failure) {
      bool harmless =
          changes_nothing(h->method) || strcmp(h->method, "PUT") == 0 || (h->req.flags & HF_HTTP_IDEMPOTENT);
      *again = result.retryable && (harmless || result.sent_nothing);
      st = name_failure(h, st);
    }
    trace(h, &result, st);
  }
  return st;
}

/* ---- hops --------------------------------------------------------------------------------------------------------- */

static hf_status refuse_hop(struct http *h, const char *cls, const char *why) {
  char url[300];
  snprintf(url, sizeof(url), "%.299s", h->url);
  hf_text_redact(url);
  char text[600];
  snprintf(text, sizeof(text), "%s %s: %s", h->method, url, why);
  return hf_call_fail(h->call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                  .code = HF_EPROTO,
                                                  .cls = cls,
                                                  .http_status = h->head.status,
                                                  .url = h->url,
                                                  .message = text});
}

/* As browsers and the reference do: 303 becomes GET, 302 too, 301 for POST; HEAD stays. */
static void change_method(struct http *h) {
  uint32_t s = h->head.status;
  bool head = strcmp(h->method, "HEAD") == 0;
  if (((s == 303 || s == 302) && !head) || (s == 301 && strcmp(h->method, "POST") == 0)) {
    h->method = "GET";
    h->with_body = false;
  }
}

/* Where an answer to `asked` leads, in its logical form; NULL and why (static) when nobody should go there. */
static const char *hop_target(hf_call *call, const char *asked, const char *ref, const char **why) {
  struct url_pieces from, to;
  bool consent;
  const char *connect = hf_url_rewrite(call, asked, &consent);
  const char *url = connect != NULL ? hf_url_resolve(call, connect, ref) : NULL;
  if (url != NULL) url = rewrite_back(call, asked, url);
  *why = NULL;
  if (url == NULL || url_split(url, &to) != NULL || url_split(asked, &from) != NULL)
    *why = "the server sent a redirect to something that is no URL";
  else if (to.has_user)
    *why = "the server sent a redirect with a user name in it";
  else if (from.https && !to.https)
    *why = "the server sent a redirect from https to http";
  return *why == NULL ? url : NULL;
}

const char *hf_url_follow(hf_call *call, const char *asked, const char *ref) {
  const char *why, *url = hop_target(call, asked, ref, &why);
  if (url != NULL) return url;
  char shown[300];
  snprintf(shown, sizeof(shown), "%.299s", asked);
  hf_text_redact(shown);
  hf_call_clear(call);
  hf_call_failf(call, HF_EPROTO, "%s: %s", shown, why);
  return NULL;
}

static hf_status next_hop(struct http *h, const char *seen[], uint32_t n) {
  const char *why, *url = hop_target(h->call, h->url, http_header(&h->head, "location"), &why);
  if (url == NULL) {
    hf_call_clear(h->call);
    return refuse_hop(h, "RemoteProtocolError", why);
  }
  change_method(h);
  for (uint32_t i = 0; i < n; i++)
    if (strcmp(seen[i], url) == 0) return refuse_hop(h, "TooManyRedirects", "the redirects go round in circles");
  h->url = url;
  return HF_OK;
}

static hf_status follow(struct http *h, bool *again) {
  const char *seen[HTTP_HOPS_MAX + 1];
  uint32_t max = h->req.max_redirects < HTTP_HOPS_MAX ? h->req.max_redirects : HTTP_HOPS_MAX;
  h->url = h->req.url;
  h->method = h->req.method;
  h->with_body = true;
  for (h->redirects = 0;; h->redirects++) {
    TRY(exchange(h, again));
    if (h->req.max_redirects == 0 || !is_redirect(h)) return HF_OK;
    if (h->redirects == max) return refuse_hop(h, "TooManyRedirects", "there are too many redirects");
    seen[h->redirects] = h->url;
    TRY(next_hop(h, seen, h->redirects + 1));
  }
}

/* ---- repetition --------------------------------------------------------------------------------------------------- */

static bool status_passes(uint32_t s) {
  return s == 408 || s == 429 || s == 500 || s == 502 || s == 503 || s == 504;
}

/* The server says that it did nothing: even a change may be asked for again. */
static bool status_did_nothing(uint32_t s) {
  return s == 429 || s == 503;
}

static bool may_repeat(const struct http *h) {
  bool harmless = changes_nothing(h->req.method) || strcmp(h->req.method, "PUT") == 0;
  if (h->delivered) return false;
  if (h->req.body_src != NULL && h->req.body_src->size == HF_SIZE_UNKNOWN) return false;
  return harmless || (h->req.flags & HF_HTTP_IDEMPOTENT) || status_did_nothing(h->head.status);
}

static hf_status pause_before(struct http *h, uint32_t n, uint32_t tries, uint32_t wish_ms) {
  uint32_t random = netstack_random(h->call);
  uint64_t nominal = 1000u << (n < 4 ? n - 1 : 3), ms = backoff_ms(n, 8000, random);
  if (wish_ms != 0) {
    netstack_hold(h->call, h->url, wish_ms);
    ms = backoff_wish_ms(wish_ms, random);
    hf_log(h->call->rt, HF_LOG_WARNING, "Rate limited. Waiting %.1fs before retry [Retry %u/%u].",
           (double)wish_ms / 1000 + 1, (unsigned)n, (unsigned)tries - 1);
  } else {
    hf_log(h->call->rt, HF_LOG_WARNING, "Retrying in %us [Retry %u/%u].", (unsigned)(nominal / 1000), (unsigned)n,
           (unsigned)tries - 1);
  }
  return hf_call_sleep(h->call, ms);
}

static void log_failure(struct http *h, hf_status st) {
  char url[600];
  snprintf(url, sizeof(url), "%.*s", (int)strcspn(h->req.url, "?#"), h->req.url); /* the query may be a signature */
  hf_text_redact(url);
  const struct hf_error *e = hf_call_error(h->call);
  if (st == HF_OK)
    hf_log(h->call->rt, HF_LOG_WARNING, "HTTP Error %u thrown while requesting %s %s", (unsigned)h->head.status,
           h->req.method, url);
  else if (e && e->sys_errno)
    hf_log(h->call->rt, HF_LOG_WARNING, "'[Errno %d] %s' thrown while requesting %s %s", e->sys_errno,
           strerror(e->sys_errno), h->req.method, url);
  else
    hf_log(h->call->rt, HF_LOG_WARNING, "'%s' thrown while requesting %s %s", e ? e->message : "failure", h->req.method,
           url);
}

static bool complete(const struct http *h) {
  return h->req.dst != NULL && h->got > 0 && h->end != HF_SIZE_UNKNOWN && h->begin + h->got == h->end;
}

/* Bytes that arrived set the count of failures back: only attempts that bring nothing use up patience. */
static hf_status repeat(struct http *h) {
  int64_t policy = hf_config_int(h->call->rt, "HF_TRIES", 6);
  uint32_t tries = h->req.tries != 0 ? h->req.tries : policy > 0 && policy < 100 ? (uint32_t)policy : 6, n = 0;
  h->patient = tries > 1;
  for (;;) {
    bool again = false;
    uint64_t before = h->got;
    h->attempts++;
    hf_status st = follow(h, &again);
    if (st == HF_OK && !status_passes(h->head.status)) return HF_OK;
    if (st == HF_OK)
      again = may_repeat(h);
    else if (again && complete(h)) {
      hf_call_clear(h->call);
      return HF_OK;
    } else if (h->delivered || (h->req.body_src != NULL && h->req.body_src->size == HF_SIZE_UNKNOWN)) {
      again = false;
    }
    uint32_t wish = st == HF_OK ? http_wish_ms(&h->head) : 0;
    n = h->got > before ? 1 : n + 1;
    if (again && tries > 1) log_failure(h, st);
    if (!again || n >= tries || tries == 1 || h->attempts >= TRIES_MAX || wish > PATIENCE_MAX_MS) return st;
    if (st != HF_OK) hf_call_clear(h->call);
    TRY(pause_before(h, n, tries, wish));
  }
}

/* ---- the answer, for the caller ----------------------------------------------------------------------------------- */

static hf_status hand_over(struct http *h, struct hf_http_resp *out) {
  hf_call *call = h->call;
  struct hf_http_resp r = {.struct_size = sizeof(r),
                           .status = h->head.status,
                           .redirects = h->redirects,
                           .attempts = h->attempts,
                           .wire = h->wire,
                           .body_len = h->place == BODY_MEMORY ? h->memory_len : 0};
  r.body = hf_call_intern(call, h->memory_len > 0 ? h->memory : "", r.body_len);
  r.url = hf_call_intern(call, h->url, SIZE_MAX);
  struct hf_kv *rows = hf_call_arena(call, (h->head.count + 1u) * sizeof(*rows));
  if (r.body == NULL || r.url == NULL || rows == NULL) return HF_ENOMEM;
  for (uint32_t i = 0; i < h->head.count; i++) {
    rows[i].key = hf_call_intern(call, h->head.rows[i].key, SIZE_MAX);
    rows[i].value = hf_call_intern(call, h->head.rows[i].value, SIZE_MAX);
    if (rows[i].key == NULL || rows[i].value == NULL) return HF_ENOMEM;
  }
  r.headers = (struct hf_table)HF_TABLE_N(rows, h->head.count);
  *out = r;
  return HF_OK;
}

static hf_status code_of_status(uint32_t s) {
  return s == 401 || s == 403 ? HF_EAUTH
         : s == 404           ? HF_ENOTFOUND
         : s == 409           ? HF_ECONFLICT
         : s == 429           ? HF_ERATELIMIT
                              : HF_EHTTP;
}

static hf_status fail_status(struct http *h, const struct hf_http_resp *resp) {
  static const char *const ids[] = {"x-request-id", "x-amzn-trace-id", "x-amz-cf-id"};
  char text[600], url[300];
  snprintf(url, sizeof(url), "%.299s", h->url);
  hf_text_redact(url);
  snprintf(text, sizeof(text), "%s %s was answered with status %u.", h->method, url, (unsigned)h->head.status);
  struct hf_error e = {.struct_size = sizeof(e),
                       .code = code_of_status(h->head.status),
                       .message = text,
                       .http_status = h->head.status,
                       .retryable = status_passes(h->head.status),
                       .retry_after_ms = http_wish_ms(&h->head),
                       .url = h->url};
  for (size_t i = 0; i < HF_COUNT(ids) && e.request_id == NULL; i++) e.request_id = http_header(&h->head, ids[i]);
  hf_http_error_fn mapper = atomic_load(&h->call->rt->on_http_error);
  if (mapper != NULL) mapper(h->call, &h->req, resp, &e);
  return hf_call_fail(h->call, &e);
}

static hf_status finish(struct http *h, struct hf_http_resp *out) {
  struct hf_http_resp full = {.struct_size = sizeof(full)};
  bool failed = h->head.status >= 400 && !(h->req.flags & HF_HTTP_ANY_STATUS);
  if (out == NULL && !failed) return HF_OK;
  TRY(hand_over(h, &full));
  if (out != NULL) {
    uint32_t size = out->struct_size;
    full.struct_size = size;
    memcpy(out, &full, size < sizeof(full) ? size : sizeof(full));
    full.struct_size = sizeof(full);
  }
  return failed ? fail_status(h, &full) : HF_OK;
}

/* ---- the request -------------------------------------------------------------------------------------------------- */

static hf_status refuse_offline(hf_call *call, const char *url) {
  char text[600], shown[300];
  snprintf(shown, sizeof(shown), "%.299s", url);
  hf_text_redact(shown);
  snprintf(text, sizeof(text),
           "Cannot reach %s: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment "
           "variable.",
           shown);
  return hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                               .code = HF_EOFFLINE,
                                               .cls = "OfflineModeIsEnabled",
                                               .url = url,
                                               .message = text});
}

static hf_status begin(struct http *h, const struct hf_http_req *req) {
  size_t size = req->struct_size < sizeof(h->req) ? req->struct_size : sizeof(h->req);
  struct hf_url parsed;
  memcpy(&h->req, req, size);
  h->req.struct_size = sizeof(h->req);
  if (h->req.method == NULL) h->req.method = "GET";
  h->method = h->req.method;
  TRY(hf_url_parse(h->call, h->req.url, &parsed));
  TRY(http_check_request(h));
  if ((h->req.dst != NULL && h->req.on_data != NULL) || (h->req.body != NULL && h->req.body_src != NULL))
    return hf_call_failf(h->call, HF_EINVAL, "A request has two destinations or two bodies; give one.");
  if (h->req.dst != NULL) TRY(http_range_begin(h));
  if (hf_config_flag(h->call->rt, "HF_HUB_OFFLINE")) return refuse_offline(h->call, h->req.url);
  return hf_call_check(h->call);
}

hf_status hf_http(hf_call *call, const struct hf_http_req *req, struct hf_http_resp *resp) {
  struct http h = {.call = call, .end = HF_SIZE_UNKNOWN};
  hf_status st = begin(&h, req);
  bool nothing = st == HF_OK && h.req.dst != NULL && !h.whole && h.begin == h.end;
  if (st == HF_OK && !nothing) {
    st = repeat(&h);
    if (st == HF_OK) st = finish(&h, resp);
  }
  http_head_free(&h.head);
  hf_mem_free(h.memory);
  return st;
}
