/* http_headers.c - what is sent: the call's default headers and credentials, replaced by the request's own; and what an
 * answer's headers say about patience. On the way to another origin than the request was made for, only headers that
 * cannot be secrets go along, whoever gave them. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#include "http.h"

/* ---- an answer's headers -------------------------------------------------------------------------------------------- */

const char *http_header(const struct http_head *h, const char *name) {
  for (uint32_t i = 0; i < h->count; i++)
    if (strcmp(h->rows[i].key, name) == 0) return h->rows[i].value;
  return NULL;
}

void http_head_free(struct http_head *h) {
  hf_mem_free(h->rows);
  memset(h, 0, sizeof(*h));
}

hf_status http_head_copy(struct http_head *h, uint32_t status, const struct hf_kv *rows, uint32_t n) {
  size_t need = n * sizeof(*rows) + 1;
  for (uint32_t i = 0; i < n; i++) need += strlen(rows[i].key) + strlen(rows[i].value) + 2;
  http_head_free(h);
  h->rows = hf_mem_alloc(need);
  if (h->rows == NULL) return HF_ENOMEM;
  h->status = status;
  h->count = n;
  char *at = (char *)(h->rows + n);
  for (uint32_t i = 0; i < n; i++) {
    size_t key = strlen(rows[i].key) + 1, value = strlen(rows[i].value) + 1;
    h->rows[i].key = memcpy(at, rows[i].key, key);
    h->rows[i].value = memcpy(at + key, rows[i].value, value);
    at += key + value;
  }
  return HF_OK;
}

bool http_number(const char *text, uint64_t *out) {
  uint64_t v = 0;
  if (text == NULL || *text == '\0') return false;
  for (; *text != '\0'; text++) {
    unsigned digit = (unsigned)(*text - '0');
    if (digit > 9 || v > (UINT64_MAX - digit) / 10) return false;
    v = v * 10 + digit;
  }
  *out = v;
  return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool http_date(const char *text, time_t *out) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  struct tm t = {0};
  char month[4] = "";
  if (text == NULL || sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &t.tm_mday, month, &t.tm_year, &t.tm_hour,
                             &t.tm_min, &t.tm_sec) != 6)
    return false;
  const char *m = strstr(months, month);
  if (strlen(month) != 3 || m == NULL || (m - months) % 3 != 0) return false;
  t.tm_mon = (int)(m - months) / 3;
  t.tm_year -= 1900;
  *out = timegm(&t);
  return *out != (time_t)-1;
}

/* A wish of no seconds is a wish as well: 0 would mean that there is none. */
static uint32_t to_ms(uint64_t s) {
  if (s == 0) return 1;
  return s > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)s * 1000u;
}

/* `"api";r=0;t=55`: nothing remains, and the window ends in 55 s. */
static bool rate_limit(const char *text, uint64_t *s) {
  const char *r = text != NULL ? strstr(text, "r=") : NULL, *t = text != NULL ? strstr(text, "t=") : NULL;
  if (r == NULL || t == NULL || strtoull(r + 2, NULL, 10) != 0 || !isdigit((unsigned char)t[2])) return false;
  *s = strtoull(t + 2, NULL, 10);
  return true;
}

uint32_t http_wish_ms(const struct http_head *h) {
  uint64_t s;
  time_t when, now;
  const char *after = http_header(h, "retry-after");
  if (h->status == 429 && rate_limit(http_header(h, "ratelimit"), &s)) return to_ms(s);
  if (http_number(after, &s)) return to_ms(s);
  if (!http_date(after, &when)) return 0;
  if (!http_date(http_header(h, "date"), &now)) now = time(NULL);
  return when > now ? to_ms((uint64_t)(when - now)) : 0;
}

/* ---- the request's ---------------------------------------------------------------------------------------------------- */

static bool is_token(const char *s) {
  if (s == NULL || *s == '\0') return false;
  for (; *s != '\0'; s++) {
    bool letter = (*s | 0x20) >= 'a' && (*s | 0x20) <= 'z', digit = *s >= '0' && *s <= '9';
    if (!letter && !digit && *s != '-' && strchr("!#$%&'*+.^_`|~", *s) == NULL) return false;
  }
  return true;
}

static bool is_value(const char *s) {
  for (; *s != '\0'; s++)
    if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f) return false;
  return true;
}

static const struct hf_kv *own_row(const struct http *h, uint32_t i) {
  return (const struct hf_kv *)((const char *)h->req.headers.rows + (size_t)i * h->req.headers.stride);
}

hf_status http_check_request(struct http *h) {
  const struct hf_table *t = &h->req.headers;
  if (!is_token(h->method) || strlen(h->method) > 32)
    return hf_call_failf(h->call, HF_EINVAL, "The HTTP method is impossible; use GET, HEAD, POST or the like.");
  if (t->count > HTTP_REQUEST_HEADERS_MAX / 2)
    return hf_call_failf(h->call, HF_EINVAL, "A request has %u headers; at most %u are sent.", (unsigned)t->count,
                         HTTP_REQUEST_HEADERS_MAX / 2);
  if (t->count > 0 && (t->rows == NULL || t->stride < sizeof(struct hf_kv) || t->stride > 4096))
    return hf_call_failf(h->call, HF_EABI, "The headers of a request are not a table of struct hf_kv.");
  for (uint32_t i = 0; i < t->count; i++) {
    const struct hf_kv *row = own_row(h, i);
    if (!is_token(row->key))
      return hf_call_failf(h->call, HF_EINVAL,
                           "A header of a request has an impossible name; use letters, digits, dashes.");
    if (row->value != NULL && !is_value(row->value))
      return hf_call_failf(h->call, HF_EINVAL, "The value of header %s holds control characters; remove them.",
                           row->key);
  }
  return HF_OK;
}

/* What may cross to another origin: nothing in these is a secret. */
static bool crosses(const char *name) {
  static const char *const harmless[] = {"accept",
                                         "accept-encoding",
                                         "accept-language",
                                         "cache-control",
                                         "content-type",
                                         "content-encoding",
                                         "if-match",
                                         "if-none-match",
                                         "if-range",
                                         "if-modified-since",
                                         "range",
                                         "user-agent",
                                         "x-request-id",
                                         "x-amzn-trace-id",
                                         "x-hf-download-counter"};
  for (size_t i = 0; i < HF_COUNT(harmless); i++)
    if (strcasecmp(name, harmless[i]) == 0) return true;
  return false;
}

static bool is_credential(const char *name) {
  static const char *const parts[] = {"authorization", "key", "token", "cookie", "secret"};
  for (name = strpbrk(name, "aktcsAKTCS"); name != NULL; name = strpbrk(name + 1, "aktcsAKTCS"))
    for (size_t i = 0; i < HF_COUNT(parts); i++)
      if ((*name | 0x20) == parts[i][0] && strncasecmp(name, parts[i], strlen(parts[i])) == 0) return true;
  return false;
}

struct rows {
  struct hf_kv *at;
  uint32_t n;
};

static bool has(const struct rows *r, const char *name) {
  for (uint32_t i = 0; i < r->n; i++)
    if (strcasecmp(r->at[i].key, name) == 0) return true;
  return false;
}

static void drop(struct rows *r, const char *name) {
  uint32_t keep = 0;
  for (uint32_t i = 0; i < r->n; i++)
    if (strcasecmp(r->at[i].key, name) != 0) r->at[keep++] = r->at[i];
  r->n = keep;
}

static void add(struct rows *r, const char *name, const char *value) {
  if (r->n < HTTP_REQUEST_HEADERS_MAX) r->at[r->n++] = (struct hf_kv){name, value};
}

static bool carries_body(const char *name) {
  return strncasecmp(name, "content-", 8) == 0 || strcasecmp(name, "transfer-encoding") == 0;
}

/* The origin that the request was made for. */
static bool is_home(const struct http *h) {
  return h->url == h->req.url || hf_url_same_origin(h->req.url, h->url);
}

static void add_own(struct http *h, struct rows *r) {
  bool home = h->trusted_way && is_home(h);
  for (uint32_t i = 0; i < h->req.headers.count; i++) drop(r, own_row(h, i)->key);
  for (uint32_t i = 0; i < h->req.headers.count; i++) {
    const struct hf_kv *row = own_row(h, i);
    if (row->value == NULL || row->value[0] == '\0') continue;
    if ((home || crosses(row->key)) && (h->with_body || !carries_body(row->key))) add(r, row->key, row->value);
  }
}

/* The call's own, unless the request's table names them. */
static hf_status add_defaults(struct http *h, struct rows *r) {
  hf_call *call = h->call;
  struct hf_kv *rows;
  uint32_t n;
  struct url_pieces u;
  bool credentials = !(h->req.flags & HF_HTTP_NO_AUTH) && url_split(h->url, &u) == NULL && !u.has_user;
  TRY(hf_profile_headers(call, h->url, credentials, &rows, &n));
  for (uint32_t i = 0; i < n; i++) add(r, rows[i].key, rows[i].value);
  if (!has(r, "user-agent")) add(r, "user-agent", "libhf/" HF_VERSION);
  if (!has(r, "accept")) add(r, "accept", "*/*");
  return HF_OK;
}

hf_status http_request_headers(struct http *h, struct hf_kv rows[HTTP_REQUEST_HEADERS_MAX], uint32_t *n) {
  struct rows r = {.at = rows};
  *n = 0;
  if (!(h->req.flags & HF_HTTP_BARE)) TRY(add_defaults(h, &r));
  if (h->req.dst != NULL || (h->req.flags & HF_HTTP_NO_DECODE)) add(&r, "accept-encoding", "identity");
  add_own(h, &r);
  if (h->range[0] != '\0') {
    drop(&r, "range");
    add(&r, "range", h->range);
  }
  for (uint32_t i = 0; i < r.n; i++)
    if (is_credential(r.at[i].key)) hf_secret_carried(r.at[i].value);
  h->secret_from = NULL;
  if (h->trusted_way && is_home(h)) h->secret_from = h->req.secret_from;
  if (h->secret_from == NULL && has(&r, "authorization")) h->secret_from = hf_call_get_option(h->call, "HF_TOKEN_FROM");
  *n = r.n;
  return HF_OK;
}
