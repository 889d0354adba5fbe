/* stream.c - an answer that comes as server-sent events: each event becomes an item for the caller at once.
 * Errors inside of a stream, and answers that are no stream at all, are errors with the server's words.
 * After the first item nothing is repeated. */
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "sse.h"

struct stream {
  struct inf *f;
  struct hf_sse sse;
  char head[1024]; /* what it began with, for the message when it is no stream */
  size_t head_len;
  bool done;
  uint64_t begin_ns;
  uint8_t begun; /* an item was delivered */
};

/* A copy in which every byte that is not UTF-8 is U+FFFD. */
static char *clean(const char *text, size_t len, size_t *out_len) {
  char *out = malloc(len * 3 + 1);
  size_t n = 0;
  for (size_t i = 0; out && i < len;) {
    unsigned char c = (unsigned char)text[i];
    size_t k = c < 0x80                ? 1
               : c >= 0xc2 && c < 0xe0 ? 2
               : c >= 0xe0 && c < 0xf0 ? 3
               : c >= 0xf0 && c < 0xf5 ? 4
                                       : 0,
           good = 1;
    while (k && good < k && i + good < len && ((unsigned char)text[i + good] & 0xc0) == 0x80) good++;
    unsigned char second = i + 1 < len ? (unsigned char)text[i + 1] : 0;
    bool bad = !k || good < k || (c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) ||
               (c == 0xf0 && second < 0x90) || (c == 0xf4 && second >= 0x90);
    if (bad) {
      memcpy(out + n, "\xef\xbf\xbd", 3);
      n += 3;
      i += k && good > 1 && good < k ? good : 1;
    } else {
      memcpy(out + n, text + i, k);
      n += k;
      i += k;
    }
  }
  *out_len = n;
  return out;
}

static json_t *load(const char *data, size_t len) {
  json_t *j = hf_json_read(data, len, NULL);
  if (j) return j;
  size_t n;
  char *text = clean(data, len, &n);
  if (text) j = hf_json_read(text, n, NULL);
  free(text);
  return j;
}

static bool ends(const char *data, size_t len) {
  while (len && (*data == ' ' || *data == '\t')) data++, len--;
  while (len && (data[len - 1] == ' ' || data[len - 1] == '\t')) len--;
  return len == 6 && !memcmp(data, "[DONE]", 6);
}

static hf_status deliver(struct stream *s, json_t *payload) {
  struct inf *f = s->f;
  hf_status st = HF_OK;
  json_t *item = NULL;
  if (f->row->event) {
    struct inf_hook k = {.which = INF_EVENT, .answer = payload};
    inf_mine(f, payload);
    st = inf_hook_call(f, &k);
    const hf_json *made = k.result;
    item = made ? json_incref(INF_VALUE(made)) : NULL;
    if (st != HF_OK && !hf_host()->error(f->c))
      st = inf_fail(f, HF_EABI, NULL, "%s failed to read its stream.", f->provider);
  } else {
    item = inf_item(f, payload);
  }
  if (st == HF_OK && item) {
    f->delivered = true;
    s->begun = 1;
    st = f->ask->item(f->c, f->ask->arg, item);
  }
  json_decref(item);
  if (f->row->event && st == HF_OK) json_array_clear(f->keep); /* a hook that was given up may still read it */
  return st;
}

static hf_status take(struct stream *s, const char *event, const char *data, size_t len) {
  struct inf *f = s->f;
  if (!len) return HF_OK;
  if (ends(data, len)) {
    s->done = true;
    return HF_PENDING;
  }
  json_t *j = len <= INF_EVENT_MAX ? load(data, len) : NULL;
  if (!j) return HF_EPROTO;
  const json_t *error = json_object_get(j, "error");
  hf_status st = HF_OK;
  if ((error && !json_is_null(error)) || !strcmp(event, "error"))
    inf_tgi_error(f, j, 0, &st);
  else if (json_is_object(j))
    return deliver(s, j);
  else if (!json_is_null(j))
    st = inf_fail(f, HF_EPROTO, "ValueError", "The stream of %s holds something that is no object: %.200s", f->url,
                  data);
  json_decref(j);
  return st;
}

/* Lines of one event are one document, unless a server forgot the blank lines between its events. */
static hf_status on_event(void *arg, const char *event, const char *data, size_t len) {
  struct stream *s = arg;
  hf_status st = take(s, event, data, len);
  if (st != HF_EPROTO || hf_host()->error(s->f->c)) return st;
  st = HF_OK;
  if (memchr(data, '\n', len)) {
    for (size_t at = 0; st == HF_OK && at < len;) {
      const char *lf = memchr(data + at, '\n', len - at);
      size_t n = lf ? (size_t)(lf - data) - at : len - at;
      st = take(s, event, data + at, n);
      at += n + 1;
    }
    if (st != HF_EPROTO || hf_host()->error(s->f->c)) return st;
  }
  return inf_fail(s->f, HF_EPROTO, "ValueError", "The stream of %s holds an event that is not JSON: %.*s", s->f->url,
                  (int)(len < 300 ? len : 300), data);
}

static hf_status sse_failed(struct stream *s, hf_status st) {
  if (st != HF_EPROTO && st != HF_ENOMEM) return st;
  if (hf_host()->error(s->f->c)) return st;
  return inf_fail(
      s->f, st, st == HF_EPROTO ? "ValueError" : NULL,
      st == HF_EPROTO ? "An event in the stream of %s is larger than 16 MiB." : "Out of memory for the stream of %s.",
      s->f->url);
}

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct stream *s = arg;
  (void)c;
  if (s->done) return HF_PENDING;
  size_t room = sizeof s->head - 1 - s->head_len, n = len < room ? len : room;
  memcpy(s->head + s->head_len, data, n);
  s->head_len += n;
  hf_status st = sse_failed(s, hf_sse_feed(&s->sse, data, len));
  struct inf *f = s->f;
  uint64_t limit = (uint64_t)f->ask->first_ms * 1000000u;
  if (st != HF_OK || !limit || f->delivered || hf_host()->now_ns() - s->begin_ns < limit) return st;
  return inf_fail(f, HF_ETIMEDOUT, "InferenceTimeoutError", "%s sends, but the first item did not come within %.3g s.",
                  f->url, f->ask->first_ms / 1000.0);
}

/* Status 200, and not one event: nothing was meant, or it is no stream. */
static hf_status no_stream(struct stream *s, const struct hf_http_resp *resp) {
  struct inf *f = s->f;
  const char *type = hf_hub_header(resp, "content-type");
  bool stream = type && !strncmp(type, "text/event-stream", 17);
  s->head[s->head_len] = 0;
  if (!s->head[strspn(s->head, " \t\r\n")]) return HF_OK;
  if (stream && (s->head[0] == ':' || !strncmp(s->head, "event:", 6) || !strncmp(s->head, "id:", 3) ||
                 !strncmp(s->head, "retry:", 6) || !strncmp(s->head, "data", 4)))
    return HF_OK;
  for (char *t = s->head; *t; t++)
    if ((unsigned char)*t < 0x20) *t = ' ';
  return inf_fail(f, HF_EPROTO, "ValueError", "%s answered with %s instead of a stream: %.500s", f->url,
                  type ? type : "something", s->head);
}

hf_status inf_stream(struct inf *f, const struct inf_body_bytes *b) {
  struct stream s = {.f = f};
  struct hf_http_resp resp;
  s.begin_ns = hf_host()->now_ns();
  hf_sse_init(&s.sse, INF_EVENT_MAX, on_event, &s);
  hf_status st = inf_post(f, b, on_data, &s, &s.begun, &resp);
  if (st == HF_OK && !s.done) st = sse_failed(&s, hf_sse_end(&s.sse));
  if (st == HF_PENDING) st = HF_OK;
  if (st == HF_OK && !s.sse.events) st = no_stream(&s, &resp);
  hf_sse_free(&s.sse);
  return st;
}
