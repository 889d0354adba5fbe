/* request.c - the request of a call: URL, headers, body; sending it; what an answer of status 400 and above means.
 * The key travels as a header of this request, bound to its origin: no redirect carries it further.
 * A POST is repeated only when it surely did nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "infer.h"

/* ---- URL --------------------------------------------------------------------------------------------------------------- */

static const char *version_of(const char *id) {
  const char *colon = id ? strchr(id, ':') : NULL;
  return colon ? colon + 1 : NULL;
}

/* A route with {model} and {version} filled in. */
static const char *route(struct inf *f) {
  const char *version = version_of(f->id),
             *text = version && f->row->versioned_route ? f->row->versioned_route : f->row->route;
  const char *out = "";
  while (text && *text && out) {
    size_t n = strcspn(text, "{"), k = text[n] ? strcspn(text + n, "}") : 0;
    const char *word = "";
    if (k == 6 && !strncmp(text + n, "{model", 6)) word = hf_url_quote(f->c, f->id, "/:");
    if (k == 8 && !strncmp(text + n, "{version", 8)) word = version ? hf_url_quote(f->c, version, "") : "";
    if (!word) return NULL;
    out = hf_hub_text(f->c, "%s%.*s%s", out, (int)n, text, word);
    text += n + k + (k > 0);
  }
  return out;
}

hf_status inf_make_url(struct inf *f) {
  if (f->is_url) {
    f->url = f->spec->kind == INF_CHAT ? inf_chat_url(f->c, f->id) : f->id;
    return f->url ? HF_OK : HF_ENOMEM;
  }
  bool root = f->pv->flags & (HF_PV_ROUTER_ONLY | HF_PV_HUB_MODELS);
  const char *base = f->row->base && !f->routed ? f->row->base : f->pv->base_url;
  if (f->routed && !root) base = hf_hub_text(f->c, "%s/%s", f->router, f->provider);
  if (root && !strncmp(base, INF_ROUTER, sizeof INF_ROUTER - 1))
    base = hf_hub_text(f->c, "%s%s", f->router, base + sizeof INF_ROUTER - 1);
  const char *path = base ? route(f) : NULL, *suffix = f->routed && f->row->routed_suffix ? f->row->routed_suffix : "";
  f->url = path ? hf_hub_text(f->c, "%s%s%s%s", base, *path == '/' || !*path ? "" : "/", path, suffix) : NULL;
  return f->url ? HF_OK : HF_ENOMEM;
}

/* ---- body --------------------------------------------------------------------------------------------------------------- */

static json_t *argument(void *arg, const char *name, const json_t *value) {
  struct inf *f = arg;
  (void)value;
  if (!f->media.name || strcmp(name, f->media.name)) return NULL;
  if (f->row->form == HF_PV_MULTIPART) return json_pack("{s:b}", "$media", 1);
  return inf_media_json(f, f->row->media, f->row->mime);
}

static const char *word(void *arg, const char *name) {
  struct inf *f = arg;
  if (!strcmp(name, "model")) return f->id;
  if (!strcmp(name, "version")) return version_of(f->id);
  const char *called = f->body_model ? f->body_model : f->call_model;
  if (!strcmp(name, "call_model")) return called;
  if (!strcmp(name, "name")) return inf_is_url(called ? called : f->id) ? NULL : called ? called : f->id;
  if (!f->adapter) return NULL;
  if (!strcmp(name, "lora_repo")) return hf_hub_text(f->c, INF_HUB_HOST "/%s", f->model);
  if (strcmp(name, "lora")) return NULL;
  const char *file = hf_url_quote(f->c, f->adapter, "/");
  return file ? hf_hub_text(f->c, "%s/%s/resolve/main/%s", f->hub.endpoint, f->model, file) : NULL;
}

/* Whether the call has an argument beside its media. */
static bool only_media(const struct inf *f) {
  const char *key;
  json_t *v;
  if (f->late) return false;
  json_object_foreach(f->args, key, v) if (!json_is_null(v) && strcmp(key, f->media.name)) return false;
  return true;
}

struct text {
  char *data;
  size_t len, cap;
};

static bool add(struct text *t, const void *data, size_t n) {
  if (t->len + n > t->cap) {
    size_t cap = (t->len + n) * 2 + 256;
    char *more = realloc(t->data, cap);
    if (!more) return false;
    t->data = more;
    t->cap = cap;
  }
  if (n) memcpy(t->data + t->len, data, n);
  t->len += n;
  return true;
}

static bool add_text(struct text *t, const char *s) {
  return add(t, s, strlen(s));
}

static bool add_part(struct inf *f, struct text *t, const char *key, json_t *v, const char *boundary) {
  const struct inf_media *m = &f->media;
  bool fine = add_text(t, "--") && add_text(t, boundary) &&
              add_text(t, "\r\nContent-Disposition: form-data; name=\"") && add_text(t, key) && add_text(t, "\"");
  if (json_object_get(v, "$media")) {
    const char *suffix = inf_suffix_of(m->type);
    return fine && add_text(t, "; filename=\"") && add_text(t, m->name) && add_text(t, suffix ? suffix : ".wav") &&
           add_text(t, "\"\r\nContent-Type: ") && add_text(t, m->type ? m->type : "application/octet-stream") &&
           add_text(t, "\r\n\r\n") && add(t, m->data, m->len) && add_text(t, "\r\n");
  }
  char *text = json_is_string(v) ? strdup(json_string_value(v)) : json_dumps(v, JSON_ENCODE_ANY);
  fine = fine && text && add_text(t, "\r\n\r\n") && add_text(t, text) && add_text(t, "\r\n");
  free(text);
  return fine;
}

static hf_status multipart(struct inf *f, json_t *body, struct inf_body_bytes *out) {
  struct text t = {0};
  const char *key;
  json_t *v;
  char id[37], boundary[48];
  TRY(inf_media_load(f));
  hf_hub_uuid(id);
  snprintf(boundary, sizeof boundary, "libhf-%s", id);
  bool fine = true;
  json_object_foreach(body, key, v) fine = fine && (json_is_null(v) || add_part(f, &t, key, v, boundary));
  fine = fine && add_text(&t, "--") && add_text(&t, boundary) && add_text(&t, "--\r\n");
  out->data = t.data;
  out->len = t.len;
  out->type = hf_hub_text(f->c, "multipart/form-data; boundary=%s", boundary);
  return fine && out->type ? HF_OK : inf_fail(f, HF_ENOMEM, NULL, "Out of memory for the request.");
}

static hf_status raw(struct inf *f, struct inf_body_bytes *out) {
  TRY(inf_media_load(f));
  out->data = malloc(f->media.len + 1);
  if (!out->data) return inf_fail(f, HF_ENOMEM, NULL, "Out of memory for the request.");
  if (f->media.len) memcpy(out->data, f->media.data, f->media.len);
  out->len = f->media.len;
  out->type = f->media.type;
  return HF_OK;
}

hf_status inf_make_body(struct inf *f, struct inf_body_bytes *out) {
  char why[160];
  *out = (struct inf_body_bytes){.type = "application/json"};
  if (f->row->form == HF_PV_RAW_OR_JSON && f->media.name && only_media(f)) return raw(f, out);
  if (!f->row->body) return inf_fail(f, HF_EABI, NULL, "The row %s of %s has no body.", f->row->task, f->provider);
  struct inf_body b = {.args = f->args,
                       .late = f->late,
                       .argument = argument,
                       .word = word,
                       .arg = f,
                       .keep_nulls = f->row->flags & HF_PV_TASK_KEEP_NULLS,
                       .share = !f->row->prepare};
  json_t *body = inf_body_make(f->row->body, &b, why);
  if (hf_host()->error(f->c)) return json_decref(body), hf_host()->error(f->c)->code;
  if (!json_is_object(body)) {
    json_decref(body);
    return inf_fail(f, HF_EABI, NULL, "The body of row %s of %s is no template: %s.", f->row->task, f->provider, why);
  }
  if (f->spec->kind == INF_CHAT || f->ask->stream) json_object_set_new(body, "stream", json_boolean(f->ask->stream));
  hf_status st = HF_OK;
  if (f->row->prepare) {
    st = inf_hook_call(f, &(struct inf_hook){.which = INF_PREPARE, .body = body});
    if (st != HF_OK && !hf_host()->error(f->c))
      st = inf_fail(f, HF_EABI, NULL, "%s could not make the request.", f->provider);
  }
  if (st == HF_OK && f->row->form == HF_PV_MULTIPART) {
    st = multipart(f, body, out);
  } else if (st == HF_OK) {
    out->data = hf_json_write(body, &out->len);
    if (!out->data) st = inf_fail(f, HF_ENOMEM, NULL, "Out of memory for the request.");
  }
  json_decref(body);
  return st;
}

/* ---- headers -------------------------------------------------------------------------------------------------------------- */

enum { HEADERS_MAX = 48 };
struct headers {
  struct hf_kv row[HEADERS_MAX];
  uint32_t n;
};

static void put(struct headers *h, const char *name, const char *value) {
  for (uint32_t i = 0; i < h->n; i++)
    if (!strcasecmp(h->row[i].key, name)) {
      h->row[i].value = value;
      return;
    }
  if (h->n < HEADERS_MAX) h->row[h->n++] = (struct hf_kv){name, value};
}

static const struct hf_kv *kv(const struct hf_table *t, uint32_t i) {
  return (const struct hf_kv *)(const void *)((const char *)t->rows + (size_t)i * t->stride);
}

/* The key as a header; direct calls have the provider's own way. */
static hf_status put_key(struct inf *f, struct headers *h) {
  bool own = !f->routed && !f->is_url && (f->pv->auth_header || f->pv->auth_scheme);
  if (!f->key) return HF_OK;
  const char *scheme = own && f->pv->auth_scheme ? f->pv->auth_scheme : "Bearer";
  const char *name = own && f->pv->auth_header ? f->pv->auth_header : "authorization";
  const char *value = *scheme ? hf_hub_text(f->c, "%s %s", scheme, f->key) : f->key;
  if (!value) return HF_ENOMEM;
  put(h, name, value);
  return HF_OK;
}

static bool to_picture(const char *task) {
  return !strcmp(task, "text-to-image") || !strcmp(task, "image-to-image") || !strcmp(task, "image-text-to-image");
}

static hf_status post_headers(struct inf *f, struct headers *h, const char *type) {
  char id[37];
  hf_hub_uuid(id);
  const char *agent = hf_hub_user_agent(&f->hub), *trace = hf_host()->intern(f->c, id, SIZE_MAX);
  if (!agent || !trace) return HF_ENOMEM;
  put(h, "user-agent", agent);
  put(h, "x-amzn-trace-id", trace);
  TRY(put_key(f, h));
  if (to_picture(f->spec->name)) put(h, "accept", "image/png");
  for (uint32_t i = 0; i < f->ask->headers.count; i++)
    put(h, kv(&f->ask->headers, i)->key, kv(&f->ask->headers, i)->value);
  if (f->ask->bill_to) {
    bool hf = f->routed || f->pv->flags & HF_PV_HUB_MODELS;
    if (hf && (!f->is_url || inf_hf_host(f->id)))
      put(h, "x-hf-bill-to", f->ask->bill_to);
    else
      hf_host()->log(f->c, HF_LOG_WARNING, "--bill-to is not sent: the request does not go through Hugging Face.");
  }
  for (uint32_t i = 0; !f->is_url && i < f->pv->headers.count; i++)
    put(h, kv(&f->pv->headers, i)->key, kv(&f->pv->headers, i)->value);
  bool typed = false;
  for (uint32_t i = 0; i < h->n; i++) typed |= !strcasecmp(h->row[i].key, "content-type");
  if (!typed && type) put(h, "content-type", type);
  return HF_OK;
}

/* ---- what went wrong ---------------------------------------------------------------------------------------------------------- */

static const char *words_of(const json_t *j) {
  static const char *const paths[] = {"error.message", "message",         "detail",           "detail.message",
                                      "detail.0.msg",  "error.0.message", "errors.0.message", "error.detail",
                                      "msg",           "title",           "error.type"};
  if (json_is_string(j)) return json_string_value(j);
  for (size_t i = 0; i < HF_COUNT(paths); i++) {
    const char *s = json_string_value(inf_at(j, paths[i]));
    if (s && *s) return s;
  }
  return NULL;
}

/* The server's own words, where the Hub's dialect did not find them. */
static void add_words(struct inf *f, const struct hf_http_resp *resp, struct hf_error *e) {
  json_t *j = resp->body_len && resp->body_len < (1u << 20)
                  ? json_loadb(resp->body, resp->body_len, JSON_DECODE_ANY, NULL)
                  : NULL;
  const char *words = words_of(j), *message = e->message ? e->message : "";
  const char *type = hf_hub_header(resp, "content-type");
  bool html = type && strcasestr(type, "html");
  char body[1024];
  snprintf(body, sizeof body, "%.1000s", resp->body_len ? (const char *)resp->body : "");
  for (char *s = body; *s; s++)
    if ((unsigned char)*s < 0x20) *s = ' ';
  if (resp->status == 422 || (!words && j && !strstr(message, "\n\n"))) words = html ? NULL : body;
  if (words && *words && !strstr(message, words)) {
    const char *longer = hf_hub_text(f->c, "%s\n\n%.1000s", message, words);
    if (longer) e->message = longer;
  }
  json_decref(j);
}

bool inf_tgi_error(struct inf *f, const json_t *answer, uint32_t status, hf_status *st) {
  static const char *const classes[][2] = {{"validation", "ValidationError"},
                                           {"generation", "GenerationError"},
                                           {"incomplete_generation", "IncompleteGenerationError"},
                                           {"overloaded", "OverloadedError"}};
  const json_t *error = json_object_get(answer, "error");
  const char *type = hf_hub_get(answer, "error_type"), *cls = "UnknownError", *said = json_string_value(error);
  if (!said) said = words_of(answer);
  char *dump = said || !error ? NULL : json_dumps(error, JSON_ENCODE_ANY | JSON_COMPACT);
  for (size_t i = 0; type && i < HF_COUNT(classes); i++)
    if (!strcmp(type, classes[i][0])) cls = classes[i][1];
  char message[1200];
  snprintf(message, sizeof message, "%s%s%.1000s%s%.60s%s", f->provider, ": ",
           said   ? said
           : dump ? dump
                  : "the generation failed",
           type ? " (" : "", type ? type : "", type ? ")" : "");
  free(dump);
  *st = hf_host()->fail(f->c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                 .code = status ? HF_EHTTP : HF_EPROTO,
                                                 .cls = cls,
                                                 .http_status = status,
                                                 .url = f->url,
                                                 .message = message});
  return true;
}

hf_status inf_judge(struct inf *f, const struct hf_http_req *req, const struct hf_http_resp *resp, hf_status st) {
  const struct hf_error *was = hf_host()->error(f->c);
  if (st == HF_ETIMEDOUT || (was && hf_hub_error_is(was, "ConnectTimeout"))) {
    struct hf_error e;
    TRY(hf_hub_error_keep(f->c, &e));
    if (hf_host()->check(f->c) != HF_OK) return st;
    hf_host()->clear(f->c);
    e.code = HF_ETIMEDOUT;
    e.cls = "InferenceTimeoutError";
    e.message =
        hf_hub_text(f->c, "Inference call timed out: %s (%s). Try again later or give more time.", req->url, e.message);
    return hf_host()->fail(f->c, &e);
  }
  if (st != HF_OK || resp->status < 400) return st;
  struct hf_error e = {.struct_size = sizeof e,
                       .code = HF_EHTTP,
                       .http_status = resp->status,
                       .url = req->url,
                       .message = "The request failed."};
  if (f->spec->kind == INF_TEXT && req->url == f->url) {
    json_t *j = resp->body_len < (1u << 20) ? json_loadb(resp->body, resp->body_len, 0, NULL) : NULL;
    bool tgi = hf_hub_get(j, "error_type") && inf_tgi_error(f, j, resp->status, &st);
    json_decref(j);
    if (tgi) return st;
  }
  hf_hub_http_error(f->c, req, resp, &e);
  add_words(f, resp, &e);
  if (resp->status == 504 && f->spec->kind == INF_CHAT && !f->ask->stream && e.message)
    e.message =
        hf_hub_text(f->c, "%s\nA long answer arrives in time as a stream: use --stream (stream=True).", e.message);
  return hf_host()->fail(f->c, &e);
}

/* ---- sending ---------------------------------------------------------------------------------------------------------------------- */

static hf_status offline(struct inf *f, const char *url) {
  if (!f->hub.offline) return HF_OK;
  return hf_hub_fail(f->c, HF_EOFFLINE, "OfflineModeIsEnabled",
                     "Cannot reach %s: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` "
                     "environment variable.",
                     url);
}

/* Retry-After in milliseconds: seconds, or a second where it is a date or something else. 0: not there. */
static uint32_t retry_after_ms(const struct hf_http_resp *resp) {
  const char *after = hf_hub_header(resp, "retry-after");
  char *end;
  if (!after) return 0;
  unsigned long s = strtoul(after, &end, 10);
  if (end == after || *end) return 1000;
  return s > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)s * 1000;
}

/* How long to wait before the POST goes once more; false: it may have been taken, or the wait is too long to sit through. */
static bool once_more(struct inf *f, const struct hf_http_resp *resp, hf_status st, uint32_t n, uint32_t *wait_ms) {
  const struct hf_error *e = hf_host()->error(f->c);
  *wait_ms = 0;
  if (n >= INF_TRIES || hf_host()->check(f->c) != HF_OK) return false;
  if (st != HF_OK) return hf_hub_error_is(e, "ConnectError") || hf_hub_error_is(e, "ConnectTimeout");
  if (resp->status != 429 && resp->status != 503) return false;
  if (!hf_hub_header(resp, "retry-after")) return !(resp->status == 429 && hf_hub_header(resp, "ratelimit"));
  *wait_ms = retry_after_ms(resp);
  return *wait_ms <= INF_PATIENCE_S * 1000;
}

hf_status inf_post(struct inf *f, const struct inf_body_bytes *b,
                   hf_status (*on_data)(hf_call *, void *, const void *, size_t), void *arg, const uint8_t *begun,
                   struct hf_http_resp *resp) {
  struct headers h = {.n = 0};
  TRY(offline(f, f->url));
  TRY(post_headers(f, &h, b->type));
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_ANY_STATUS | HF_HTTP_NO_AUTH | HF_HTTP_PATIENT,
                            .method = "POST",
                            .url = f->url,
                            .headers = HF_TABLE_N(h.row, h.n),
                            .body = b->data,
                            .body_len = b->len,
                            .on_data = on_data,
                            .on_data_arg = arg,
                            .max_body = INF_JSON_MAX,
                            .tries = 1,
                            .max_redirects = 5,
                            .timeout_ms = f->ask->timeout_ms,
                            .secret_from = f->key_origin};
  if (on_data && f->ask->stream) {
    req.first_ms = f->ask->first_ms;
    req.begun = begun;
    if (f->ask->silence_ms) req.timeout_ms = f->ask->silence_ms;
  }
  f->sent = true;
  for (uint32_t n = 1;; n++) {
    uint32_t wait_ms;
    *resp = (struct hf_http_resp){.struct_size = sizeof *resp};
    hf_status st = hf_host()->http(f->c, &req, resp);
    if (st == HF_OK && resp->status < 400) f->accepted = true;
    bool again = !f->accepted && !f->delivered && once_more(f, resp, st, n, &wait_ms);
    if (!again) return inf_judge(f, &req, resp, st);
    hf_host()->log(f->c, HF_LOG_INFO, "%s did not take the request; it goes once more.", f->provider);
    hf_host()->clear(f->c);
    TRY(hf_host()->backoff(f->c, n, wait_ms));
  }
}

bool inf_look_again(struct inf *f, uint32_t n, uint32_t status, uint32_t wish_ms) {
  const struct hf_error *e = hf_host()->error(f->c);
  bool passes = status ? status == 429 || (status >= 502 && status <= 504) : e && e->retryable;
  if (!passes || n >= INF_LOOKS || wish_ms > INF_PATIENCE_S * 1000 || hf_host()->check(f->c) != HF_OK) return false;
  hf_host()->log(f->c, HF_LOG_INFO, "%s: it is asked once more.", e ? e->message : "The server is busy");
  hf_host()->clear(f->c);
  return hf_host()->backoff(f->c, n, wish_ms) == HF_OK;
}

struct reader {
  hf_status (*on_data)(hf_call *, void *, const void *, size_t);
  void *arg;
  bool begun;
};

static hf_status read_on(hf_call *c, void *arg, const void *data, size_t len) {
  struct reader *r = arg;
  r->begun = true;
  return r->on_data(c, r->arg, data, len);
}

/* A GET, repeated where that does no harm: not once bytes went to the caller. */
static hf_status look(struct inf *f, const struct hf_http_req *asked, struct hf_http_resp *resp) {
  struct hf_http_req req = *asked;
  struct reader r = {asked->on_data, asked->on_data_arg, false};
  req.tries = 1;
  if (r.on_data) req.on_data = read_on, req.on_data_arg = &r;
  for (uint32_t n = 1;; n++) {
    *resp = (struct hf_http_resp){.struct_size = sizeof *resp};
    hf_status st = hf_host()->http(f->c, &req, resp);
    if (st == HF_OK && resp->status < 400) return st;
    if (r.begun || !inf_look_again(f, n, st == HF_OK ? resp->status : 0, retry_after_ms(resp)))
      return inf_judge(f, &req, resp, st);
  }
}

hf_status inf_get(struct inf *f, const char *url, bool open, const json_t **answer) {
  struct headers h = {.n = 0};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  TRY(offline(f, url));
  if (!open) TRY(post_headers(f, &h, NULL));
  put(&h, "accept", "application/json");
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_ANY_STATUS | HF_HTTP_NO_AUTH,
                            .url = url,
                            .headers = HF_TABLE_N(h.row, h.n),
                            .max_body = INF_JSON_MAX,
                            .max_redirects = 5,
                            .secret_from = open ? NULL : f->key_origin};
  TRY(look(f, &req, &resp));
  return inf_parse(f, resp.body, resp.body_len, url, answer);
}

struct farewell {
  struct inf *f;
  const char *url;
};

static hf_status put_cancel(hf_call *c, void *arg) {
  struct farewell *b = arg;
  struct headers h = {.n = 0};
  TRY(post_headers(b->f, &h, NULL));
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_ANY_STATUS | HF_HTTP_NO_AUTH,
                            .method = "PUT",
                            .url = b->url,
                            .headers = HF_TABLE_N(h.row, h.n),
                            .tries = 1,
                            .timeout_ms = 2000,
                            .secret_from = b->f->key_origin};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  return hf_host()->http(c, &req, &resp);
}

/* The call itself may not speak any more: this is an operation of its own, with an end of its own. */
void inf_cancel_job(struct inf *f, const char *url) {
  struct farewell b = {f, url};
  struct hf_watch w = {.struct_size = sizeof w, .flags = HF_WATCH_RUN_IN_WAIT, .deadline_ms = 2500};
  hf_op *op = hf_op_start_fn(hf_call_runtime(f->c), put_cancel, &b, &w);
  if (op) hf_op_wait(op);
  hf_op_free(op);
}

hf_status inf_get_open(struct inf *f, const char *url, uint64_t max,
                       hf_status (*on_data)(hf_call *, void *, const void *, size_t), void *arg,
                       struct hf_http_resp *resp) {
  TRY(offline(f, url));
  if (!inf_is_url(url))
    return inf_fail(f, HF_EPROTO, "ValueError", "%s named a file at '%.100s', which is no URL.", f->provider, url);
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_ANY_STATUS | HF_HTTP_NO_AUTH,
                            .url = url,
                            .on_data = on_data,
                            .on_data_arg = arg,
                            .max_body = max,
                            .max_redirects = 10};
  return look(f, &req, resp);
}

hf_status inf_parse(struct inf *f, const char *text, size_t len, const char *what, const json_t **out) {
  json_t *j = NULL;
  hf_status st = hf_hub_parse(f->c, text, len, what, &j);
  if (st != HF_OK) {
    hf_host()->clear(f->c);
    char shown[200];
    snprintf(shown, sizeof shown, "%.190s", len ? text : "nothing");
    for (char *s = shown; *s; s++)
      if ((unsigned char)*s < 0x20) *s = ' ';
    return inf_fail(f, HF_EPROTO, "ValueError", "The answer of %s is not JSON: %s", what, shown);
  }
  *out = inf_mine(f, j);
  return *out ? HF_OK : HF_ENOMEM;
}
