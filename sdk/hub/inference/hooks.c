/* hooks.c - the table that a provider's hooks are handed: values of the call to read, and JSON to build.
 * Whatever is made for a hook belongs to the call. No key and no token can be asked for.
 * Errors are set on the call; the hook returns them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

#define FETCH_MAX (16u << 20)

static struct inf *self(const struct hf_pv_host *h) {
  return h->self;
}

static const char *about(const struct hf_pv_host *h, const char *what) {
  struct inf *f = self(h);
  const char *colon = f->id ? strchr(f->id, ':') : NULL;
  if (!strcmp(what, "task")) return f->spec->name;
  if (!strcmp(what, "model")) return f->model;
  if (!strcmp(what, "id")) return f->id;
  if (!strcmp(what, "version")) return colon ? colon + 1 : NULL;
  if (!strcmp(what, "url")) return f->url;
  if (!strcmp(what, "routed")) return f->routed ? "1" : NULL;
  if (!strcmp(what, "adapter")) return f->adapter;
  if (!strcmp(what, "asked")) return f->asked_url;
  return !strcmp(what, "call_model") ? f->call_model : NULL;
}

static const hf_json *argument(const struct hf_pv_host *h, const char *name) {
  return INF_JSON(json_object_get(self(h)->args, name));
}

static const hf_json *get(const hf_json *j, const char *path) {
  return INF_JSON(inf_at(INF_VALUE(j), path));
}

static const char *text(const hf_json *j, const char *path) {
  return json_string_value(inf_at(INF_VALUE(j), path));
}

static int32_t number(const hf_json *j, const char *path, double *out) {
  const json_t *v = inf_at(INF_VALUE(j), path);
  *out = json_number_value(v);
  return json_is_number(v);
}

static size_t length(const hf_json *j, const char *path) {
  const json_t *v = inf_at(INF_VALUE(j), path);
  return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

static hf_json *mine(const struct hf_pv_host *h, json_t *j) {
  return (hf_json *)inf_mine(self(h), j);
}

static hf_json *parse(const struct hf_pv_host *h, const char *json) {
  json_t *j = json_loads(json, JSON_DECODE_ANY, NULL);
  if (j) return mine(h, j);
  inf_fail(self(h), HF_EPROTO, "ValueError", "%s has no JSON where it must: %.100s", self(h)->provider, json);
  return NULL;
}

static hf_json *string(const struct hf_pv_host *h, const char *s) {
  json_t *j = s ? json_string(s) : json_null();
  return mine(h, j ? j : json_null());
}

static const char *word(void *arg, const char *name) {
  return about(&((struct inf *)arg)->pv_host, strcmp(name, "model") ? name : "id");
}

static hf_json *body(const struct hf_pv_host *h, const char *template) {
  struct inf *f = self(h);
  char why[160];
  struct inf_body b = {.args = f->args, .word = word, .arg = f};
  json_t *j = inf_body_make(template, &b, why);
  if (j) return mine(h, j);
  inf_fail(f, HF_EABI, NULL, "A template of %s cannot be read: %s.", f->provider, why);
  return NULL;
}

static hf_status set(const struct hf_pv_host *h, hf_json *j, const char *path, const hf_json *value) {
  json_t *v = value ? json_incref(INF_VALUE(value)) : NULL;
  if (inf_put((json_t *)j, path, v) == HF_OK) return HF_OK;
  return inf_fail(self(h), HF_EPROTO, "ValueError", "%s cannot put a value at %s.", self(h)->provider, path);
}

static hf_status ask(const struct hf_pv_host *h, const char *url, uint32_t wait_ms, uint32_t flags) {
  struct inf *f = self(h);
  if (!inf_is_url(url))
    return inf_fail(f, HF_EPROTO, "ValueError", "%s names '%.100s', which is no URL.", f->provider, url ? url : "");
  f->next_url = hf_host()->intern(f->c, url, SIZE_MAX);
  f->next_wait = wait_ms;
  f->next_flags = flags;
  return f->next_url ? HF_PENDING : HF_ENOMEM;
}

struct page {
  struct inf *f;
  char *data;
  size_t len, cap;
};

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct page *p = arg;
  (void)c;
  if (len > FETCH_MAX - p->len)
    return inf_fail(p->f, HF_EPROTO, "ValueError", "A file that %s names is too large.", p->f->provider);
  if (p->len + len + 1 > p->cap) {
    size_t cap = (p->len + len) * 2 + 1;
    char *more = realloc(p->data, cap);
    if (!more) return inf_fail(p->f, HF_ENOMEM, NULL, "Out of memory.");
    p->data = more;
    p->cap = cap;
  }
  memcpy(p->data + p->len, data, len);
  p->len += len;
  return HF_OK;
}

static bool fetch(struct inf *f, const char *url, struct page *p) {
  struct hf_http_resp resp;
  *p = (struct page){.f = f};
  if (!url) return false;
  inf_hook_waits(true);
  hf_status st = inf_get_open(f, url, 0, on_data, p, &resp);
  inf_hook_waits(false);
  return st == HF_OK;
}

static hf_json *fetch_text(const struct hf_pv_host *h, const char *url) {
  struct page p;
  json_t *j = NULL;
  if (fetch(self(h), url, &p)) j = json_stringn(p.data ? p.data : "", p.len);
  free(p.data);
  if (!j && !hf_host()->error(self(h)->c))
    inf_fail(self(h), HF_EPROTO, "ValueError", "The text that %s names is not UTF-8.", self(h)->provider);
  return j ? mine(h, j) : NULL;
}

static hf_json *fetch_base64(const struct hf_pv_host *h, const char *url) {
  struct inf *f = self(h);
  struct page p = {.f = f};
  char *made = NULL;
  const char *comma = url && !strncmp(url, "data:", 5) ? strchr(url, ',') : NULL;
  if (comma) return string(h, comma + 1);
  if (fetch(f, url, &p)) made = inf_base64(p.data ? p.data : "", p.len);
  hf_json *out = made ? string(h, made) : NULL;
  free(made);
  free(p.data);
  return out;
}

/* ---- what the hook sees: each of them watched, so that a hook that was given up touches nothing any more ---- */

#define WATCHED(type, name, declared, given) \
  static type watched_##name declared {      \
    inf_hook_in();                           \
    type out = name given;                   \
    inf_hook_out();                          \
    return out;                              \
  }
typedef const struct hf_pv_host *host;
typedef const char *words;
typedef const hf_json *value;
typedef hf_json *made;
WATCHED(words, about, (host h, words what), (h, what))
WATCHED(value, argument, (host h, words name), (h, name))
WATCHED(value, get, (value j, words path), (j, path))
WATCHED(words, text, (value j, words path), (j, path))
WATCHED(int32_t, number, (value j, words path, double *out_), (j, path, out_))
WATCHED(size_t, length, (value j, words path), (j, path))
WATCHED(made, parse, (host h, words json), (h, json))
WATCHED(made, string, (host h, words s), (h, s))
WATCHED(made, body, (host h, words template), (h, template))
WATCHED(hf_status, set, (host h, made j, words path, value v), (h, j, path, v))
WATCHED(hf_status, ask, (host h, words url, uint32_t wait_ms, uint32_t flags), (h, url, wait_ms, flags))
WATCHED(made, fetch_text, (host h, words url), (h, url))
WATCHED(made, fetch_base64, (host h, words url), (h, url))

static hf_status fail(const struct hf_pv_host *h, hf_status code, const char *fmt, ...) HF_PRINTF(3, 4);
static hf_status fail(const struct hf_pv_host *h, hf_status code, const char *fmt, ...) {
  char message[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  inf_hook_in();
  hf_status st = inf_fail(self(h), code < 0 ? code : HF_EPROTO, code == HF_ETIMEDOUT ? "TimeoutError" : "ValueError",
                          "%s", message);
  inf_hook_out();
  return st;
}

void inf_hooks(struct inf *f) {
  f->pv_host = (struct hf_pv_host){.struct_size = sizeof(struct hf_pv_host),
                                   .self = f,
                                   .about = watched_about,
                                   .argument = watched_argument,
                                   .get = watched_get,
                                   .text = watched_text,
                                   .number = watched_number,
                                   .length = watched_length,
                                   .parse = watched_parse,
                                   .string = watched_string,
                                   .body = watched_body,
                                   .set = watched_set,
                                   .ask = watched_ask,
                                   .fetch_text = watched_fetch_text,
                                   .fetch_base64 = watched_fetch_base64,
                                   .fail = fail};
}
