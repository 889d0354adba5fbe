/* reply.c - building answers: headers, JSON, the Hub's error shape, and blobs with ranges and conditions.
 * One range is served; several are refused with 416, as is a range behind the end.
 * An answer that cannot be built becomes a 500, never a wrong one. */
#include "content.h"
#include "server.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void dh_body_free(struct body *b) {
  if (b->fd >= 0) close(b->fd);
  free(b->data);
  *b = (struct body){.fd = -1};
}

bool dh_body_read(const struct body *b, uint64_t at, void *out, size_t size) {
  if (at > b->total || size > b->total - at) return false;
  if (b->kind == BODY_GENERATED) {
    dh_content_fill(b->seed, at, out, size);
    return true;
  }
  if (b->kind == BODY_TEXT) {
    if (size) memcpy(out, b->data + at, size);
    return true;
  }
  char *to = out;
  while (size) {
    ssize_t n = pread(b->fd, to, size, (off_t)(b->place + at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    at += (uint64_t)n;
    size -= (size_t)n;
  }
  return true;
}

void dh_reply_header(struct reply *p, const char *name, const char *format, ...) {
  char *value = NULL, *key = strdup(name);
  va_list args;
  va_start(args, format);
  if (vasprintf(&value, format, args) < 0) value = NULL;
  va_end(args);
  if (!key || !value || p->header_count == HEADERS_MAX || strpbrk(value, "\r\n")) {
    free(key);
    free(value);
    return;
  }
  p->headers[p->header_count++] = (struct header){key, value};
}

static size_t header_at(const struct reply *p, const char *name) {
  size_t i = 0;
  while (i < p->header_count && strcasecmp(p->headers[i].name, name) != 0) i++;
  return i;
}

const char *dh_reply_find(const struct reply *p, const char *name) {
  size_t i = header_at(p, name);
  return i < p->header_count ? p->headers[i].value : NULL;
}

void dh_reply_set(struct reply *p, const char *name, const char *value) {
  size_t i = header_at(p, name);
  if (i < p->header_count) {
    free(p->headers[i].name);
    free(p->headers[i].value);
    p->headers[i] = p->headers[--p->header_count];
  }
  if (value) dh_reply_header(p, name, "%s", value);
}

void dh_reply_clear(struct reply *p) {
  for (size_t i = 0; i < p->header_count; i++) {
    free(p->headers[i].name);
    free(p->headers[i].value);
  }
  p->header_count = 0;
  p->status = 0;
}

void dh_reply_text(struct request *r, int status, const char *type, struct text *t) {
  size_t size = t->size;
  char *data = dh_text_take(t);
  if (!data && status != 500) {
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  r->reply.status = status;
  dh_reply_set(&r->reply, "Content-Type", type);
  dh_body_free(&r->reply.body);
  if (data) r->reply.body = (struct body){.kind = BODY_TEXT, .data = data, .fd = -1, .total = size, .length = size};
}

void dh_reply_json(struct request *r, int status, json_t *value) {
  struct text t = {0};
  char *data = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  json_decref(value);
  t.failed = !data;
  if (data) t = (struct text){.data = data, .size = strlen(data)};
  dh_reply_text(r, status, "application/json; charset=utf-8", &t);
}

void dh_reply_error(struct request *r, int status, const char *code, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  if (code) dh_reply_header(&r->reply, "X-Error-Code", "%s", code);
  dh_reply_header(&r->reply, "X-Error-Message", "%s", message);
  if (status == 401)
    dh_reply_header(&r->reply, "WWW-Authenticate", "Bearer realm=\"Authentication required\", charset=\"UTF-8\"");
  json_t *body = json_object();
  json_object_set_new(body, "error", json_string(message));
  dh_reply_json(r, status, body);
}

void dh_reply_failed(struct request *r, int rc) {
  dh_reply_error(r, rc == STORE_INVALID ? 400 : 500, NULL, rc == STORE_INVALID ? "Bad request" : "Internal error");
}

const char *dh_request_parameter(const struct request *r, const char *key) {
  for (size_t i = 0; i < r->parameter_count; i++)
    if (strcmp(r->parameters[i].key, key) == 0) return r->parameters[i].value;
  return NULL;
}

bool dh_request_flag(const struct request *r, const char *key) {
  const char *value = dh_request_parameter(r, key);
  return value && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0 || strcasecmp(value, "yes") == 0);
}

uint64_t dh_request_limit(const struct request *r, uint64_t otherwise, uint64_t max) {
  const char *value = dh_request_parameter(r, "limit");
  uint64_t n;
  if (!value || !dh_number(value, UINT32_MAX, &n) || n == 0) return otherwise;
  return n < max ? n : max;
}

void dh_reply_next(struct request *r, const char *key, const char *value) {
  struct text t = {0};
  const char *host = dh_request_header(r, "Host");
  bool usable = host && strlen(host) < 256 && !strpbrk(host, "/?#<>\"'\\ ");
  dh_text_addf(&t, "<%s%s%s?", usable ? "http://" : r->server->url[r->origin], usable ? host : "", r->path);
  size_t size = strlen(key);
  for (const char *p = r->query; p && *p;) {
    size_t n = strcspn(p, "&");
    if (n && !(strncmp(p, key, size) == 0 && p[size] == '=')) {
      dh_text_add(&t, p, n);
      dh_text_str(&t, "&");
    }
    p += n + (p[n] == '&');
  }
  dh_text_addf(&t, "%s=", key);
  dh_text_percent(&t, value, "");
  dh_text_str(&t, ">; rel=\"next\"");
  char *link = dh_text_take(&t);
  if (link) dh_reply_header(&r->reply, "Link", "%s", link);
  free(link);
}

enum range { RANGE_NONE, RANGE_ONE, RANGE_BAD };

static enum range range_read(const char *s, uint64_t total, uint64_t *first, uint64_t *length) {
  char copy[64], *dash;
  uint64_t a, b = total ? total - 1 : 0;
  if (!s || strncmp(s, "bytes=", 6) != 0) return RANGE_NONE;
  s += 6 + strspn(s + 6, " ");
  if (strchr(s, ',') || !dh_copy(copy, sizeof copy, s)) return RANGE_BAD;
  if (!(dash = strchr(copy, '-'))) return RANGE_NONE;
  *dash++ = 0;
  if (!copy[0]) {
    if (!dh_number(dash, UINT64_MAX, &a) || a == 0) return RANGE_BAD;
    a = a < total ? total - a : 0;
  } else {
    if (!dh_number(copy, UINT64_MAX, &a)) return RANGE_NONE;
    if (*dash && (!dh_number(dash, UINT64_MAX, &b) || b < a)) return RANGE_NONE;
    if (total && b > total - 1) b = total - 1;
  }
  if (a >= total) return RANGE_BAD;
  *first = a;
  *length = b - a + 1;
  return RANGE_ONE;
}

/* Does a list of entity tags name this one? Weak comparison. */
static bool etag_listed(const char *list, const char *etag) {
  size_t size = strlen(etag);
  if (strcmp(list, "*") == 0) return true;
  for (const char *p = list; (p = strstr(p, etag)); p += size)
    if (p > list && p[-1] == '"' && p[size] == '"') return true;
  return false;
}

static int body_open(struct request *r, const struct blob *b) {
  struct body body = {.fd = -1, .total = (uint64_t)b->size, .seed = b->seed};
  int rc = STORE_OK;
  if (b->kind == BLOB_GENERATED) {
    body.kind = BODY_GENERATED;
  } else if (b->kind == BLOB_INLINE) {
    body.kind = BODY_TEXT;
    rc = dh_blob_inline(r->server->store, b, &body.data);
  } else {
    body.kind = BODY_FILE;
    rc = dh_blob_open(r->server->store, b, &body.fd, &body.place);
  }
  dh_body_free(&r->reply.body);
  r->reply.body = body;
  return rc;
}

void dh_reply_blob(struct request *r, const struct blob *b, const char *etag) {
  struct reply *p = &r->reply;
  const char *none_match = dh_request_header(r, "If-None-Match"), *match = dh_request_header(r, "If-Match"),
             *if_range = dh_request_header(r, "If-Range");
  uint64_t first = 0, length = (uint64_t)b->size;
  enum range range = RANGE_NONE;
  if (!if_range || etag_listed(if_range, etag))
    range = range_read(dh_request_header(r, "Range"), length, &first, &length);
  dh_reply_header(p, "ETag", "\"%s\"", etag);
  dh_reply_header(p, "Accept-Ranges", "bytes");
  if (match && !etag_listed(match, etag)) {
    dh_reply_error(r, 412, NULL, "The file is not the one that was asked for.");
  } else if (none_match && etag_listed(none_match, etag)) {
    p->status = 304;
  } else if (range == RANGE_BAD) {
    dh_reply_header(p, "Content-Range", "bytes */%lld", (long long)b->size);
    dh_reply_error(r, 416, NULL, "The requested range cannot be served.");
  } else if (body_open(r, b) != STORE_OK) {
    dh_reply_failed(r, STORE_FAILED);
  } else {
    p->status = range == RANGE_ONE ? 206 : 200;
    p->body.first = first;
    p->body.length = length;
    if (range == RANGE_ONE)
      dh_reply_header(p, "Content-Range", "bytes %llu-%llu/%lld", (unsigned long long)first,
                      (unsigned long long)(first + length - 1), (long long)b->size);
  }
}
