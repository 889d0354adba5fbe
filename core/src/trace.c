/* trace.c - --trace / HF_TRACE: one JSON line for every request that was tried, appended to a file that only its owner
 * reads. URLs are the logical ones without signatures; where a rewrite rule led elsewhere, that origin is named too.
 * A line is one write(), so several processes may share the file. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "url.h"

#define LINE_MAX_BYTES ((size_t)16384)

struct hf_trace {
  int fd;
};

struct hf_trace *hf_trace_open(hf_runtime *rt) {
  const char *path = hf_config_get(rt, "HF_TRACE");
  if (path == NULL || path[0] == '\0') return NULL;
  int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  struct hf_trace *t = fd >= 0 ? hf_mem_alloc(sizeof(*t)) : NULL;
  if (t == NULL) {
    hf_log(rt, HF_LOG_WARNING, "The trace file %s cannot be opened: %s.", path, strerror(fd < 0 ? errno : ENOMEM));
    if (fd >= 0) close(fd);
    return NULL;
  }
  t->fd = fd;
  return t;
}

void hf_trace_close(struct hf_trace *t) {
  if (t == NULL) return;
  close(t->fd);
  hf_mem_free(t);
}

static void add_text(struct hf_text_buf *b, const char *key, const char *value) {
  struct hf_text_buf clean;
  hf_text_init(&clean, URL_MAX);
  hf_text_add(&clean, value, strnlen(value, 2048));
  hf_text_redact(clean.data);
  hf_text_addf(b, ",\"%s\":", key);
  hf_text_json(b, clean.data, strlen(clean.data));
  hf_text_free(&clean);
}

/* What follows the '?' of a URL that is signed would give access by itself; other queries are worth reading. */
static void add_url(struct hf_text_buf *b, const char *url) {
  static const char *const signs[] = {"X-Amz-", "Signature=", "Expires=", "Policy=", "sig="};
  const char *query = strchr(url, '?');
  struct hf_text_buf shown;
  hf_text_init(&shown, URL_MAX);
  bool is_signed = false;
  for (size_t i = 0; query != NULL && i < HF_COUNT(signs); i++) is_signed |= strcasestr(query, signs[i]) != NULL;
  hf_text_add(&shown, url, is_signed ? (size_t)(query - url) : SIZE_MAX);
  if (is_signed) hf_text_add(&shown, "?...", SIZE_MAX);
  add_text(b, "url", shown.data);
  hf_text_free(&shown);
}

static void add_origin(struct hf_text_buf *b, const char *url) {
  struct url_pieces u;
  char text[300];
  if (url_split(url, &u) != NULL) return;
  const char *open = u.v6 ? "[" : "", *close = u.v6 ? "]" : "";
  struct hf_text_buf o;
  hf_text_init(&o, sizeof(text));
  hf_text_addf(&o, "%s://%s%.*s%s:%u", u.https ? "https" : "http", open, (int)u.host.n, u.host.p, close,
               (unsigned)u.port);
  add_text(b, "connect", o.data);
  hf_text_free(&o);
}

void hf_trace_request(hf_runtime *rt, const struct hf_trace_row *row) {
  struct hf_trace *t = rt->trace;
  if (t == NULL) return;
  struct hf_text_buf b;
  hf_text_init(&b, LINE_MAX_BYTES);
  hf_text_add(&b, "{\"method\":", SIZE_MAX);
  hf_text_json(&b, row->method, strlen(row->method));
  add_url(&b, row->url);
  hf_text_addf(&b, ",\"status\":%u,\"bytes\":%llu,\"attempt\":%u,\"ms\":%.1f", (unsigned)row->status,
               (unsigned long long)row->bytes, (unsigned)row->attempt, row->ms);
  if (row->connect != NULL) add_origin(&b, row->connect);
  if (row->key != NULL) add_text(&b, "key", row->key);
  if (row->error != NULL) add_text(&b, "error", row->error);
  hf_text_add(&b, "}\n", 2);
  if (!b.failed) {
    ssize_t n = write(t->fd, b.data, b.len);
    (void)n; /* a full disk must not fail the request that is being traced */
  }
  hf_text_free(&b);
}
