/* rest.c - requests to the Hub's API: routes filled in from arguments, JSON answers within bounds, pages followed by Link.
 * Headers, credentials, retries and redirects are the core's; what is added here is the request's own: its id, the body's
 * type, "identity" where a length must be the file's. */
#include "hub.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HF_JSON_MAX    (64u << 20)
#define HF_JSON_DEPTH  64
#define HF_PAGES_MAX   100000
#define HF_PAGES_EMPTY 16 /* one after the other */

enum { HF_HEADERS_MORE = 8 };

static const struct hf_kv *header_row(const struct hf_http_resp *resp, uint32_t i) {
  return (const struct hf_kv *)(const void *)((const char *)resp->headers.rows + (size_t)i * resp->headers.stride);
}

const char *hf_hub_header(const struct hf_http_resp *resp, const char *name) {
  for (uint32_t i = 0; i < resp->headers.count; i++) {
    const struct hf_kv *row = header_row(resp, i);
    if (!strcmp(row->key, name)) return row->value;
  }
  return NULL;
}

/* "X-HF-Warning: topic; text": a word from the server for people, once per topic. */
static void warn(struct hf_hub *hub, const struct hf_http_resp *resp) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static char seen[32][64];
  static uint32_t count;
  for (uint32_t i = 0; i < resp->headers.count; i++) {
    const struct hf_kv *row = header_row(resp, i);
    if (strcmp(row->key, "x-hf-warning") != 0) continue;
    const char *semicolon = strchr(row->value, ';'), *text = semicolon ? semicolon + 1 : row->value;
    size_t n = semicolon ? (size_t)(semicolon - row->value) : 0;
    char topic[64];
    snprintf(topic, sizeof topic, "%.*s", (int)(n < 63 ? n : 63), row->value);
    text += strspn(text, " \t");
    pthread_mutex_lock(&lock);
    bool known = !*text;
    for (uint32_t k = 0; k < count; k++) known |= !strcmp(seen[k], topic);
    if (!known && count < HF_COUNT(seen)) memcpy(seen[count++], topic, sizeof topic);
    pthread_mutex_unlock(&lock);
    if (!known) hf_hub_log(hub, HF_LOG_WARNING, "%s", text);
  }
}

hf_status hf_hub_send(struct hf_hub *hub, const struct hf_hub_req *r, struct hf_http_resp *resp) {
  if (hub->offline)
    return hf_hub_fail(
        hub->call, HF_EOFFLINE, "OfflineModeIsEnabled",
        "Cannot reach %s: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment "
        "variable.",
        r->url);
  TRY(hf_hub_ready(hub));
  char id[37];
  hf_hub_uuid(id);
  struct hf_kv headers[4 + HF_HEADERS_MORE] = {{"x-amzn-trace-id", id}};
  uint32_t n = 1;
  if (r->type) headers[n++] = (struct hf_kv){"content-type", r->type};
  if (r->range) headers[n++] = (struct hf_kv){"range", r->range};
  if (r->identity) headers[n++] = (struct hf_kv){"accept-encoding", "identity"};
  for (uint32_t i = 0; i < r->headers.count && i < HF_HEADERS_MORE; i++)
    headers[n++] = *(const struct hf_kv *)(const void *)((const char *)r->headers.rows + (size_t)i * r->headers.stride);
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = r->flags | (r->identity ? HF_HTTP_NO_DECODE : 0),
                            .method = r->method,
                            .url = r->url,
                            .headers = HF_TABLE_N(headers, n),
                            .body = r->body,
                            .body_len = r->body_len,
                            .body_src = r->source,
                            .body_src_len = r->source ? r->source->size : 0,
                            .tries = r->tries,
                            .timeout_ms = r->timeout_ms,
                            .max_redirects = r->stay        ? 0
                                             : r->redirects ? r->redirects
                                                            : 20,
                            .on_data = r->on_data,
                            .on_data_arg = r->on_data_arg,
                            .max_body = HF_JSON_MAX};
  *resp = (struct hf_http_resp){.struct_size = sizeof *resp};
  hf_status st = hf_host()->http(hub->call, &req, resp);
  warn(hub, resp);
  return st;
}

/* Deepest nesting of brackets outside strings; Jansson's own limit is far above what we accept. */
static bool too_deep(const char *s, size_t len) {
  int depth = 0;
  bool text = false;
  for (size_t i = 0; i < len; i++) {
    if (text) {
      if (s[i] == '\\')
        i++;
      else if (s[i] == '"')
        text = false;
    } else if (s[i] == '"') {
      text = true;
    } else if ((s[i] == '[' || s[i] == '{') && ++depth > HF_JSON_DEPTH) {
      return true;
    } else if (s[i] == ']' || s[i] == '}') {
      depth--;
    }
  }
  return false;
}

hf_status hf_hub_parse(hf_call *c, const char *text, size_t len, const char *url, json_t **json) {
  json_error_t at;
  *json = NULL;
  if (len > HF_JSON_MAX || too_deep(text, len))
    return hf_hub_fail(c, HF_EPROTO, NULL,
                       "The answer of %s is nested or grown beyond what is accepted; check HF_ENDPOINT.", url);
  *json = hf_json_read(text, len, &at);
  if (*json) return HF_OK;
  return hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s is not JSON (%s at byte %d); check HF_ENDPOINT and proxies.",
                     url, at.text, at.position);
}

hf_status hf_hub_json(struct hf_hub *hub, const struct hf_hub_req *r, json_t **json) {
  struct hf_http_resp resp;
  *json = NULL;
  TRY(hf_hub_send(hub, r, &resp));
  return hf_hub_parse(hub->call, resp.body, resp.body_len, r->url, json);
}

/* The target of rel="next" in a Link header. */
static const char *next_page(hf_call *c, const char *base, const char *link) {
  for (const char *p = link; p && (p = strchr(p, '<'));) {
    const char *end = strchr(p, '>');
    if (!end) return NULL;
    const char *stop = strchr(end, '<'), *rel = strstr(end, "rel=");
    if (rel && (!stop || rel < stop)) {
      rel += 4;
      size_t quote = *rel == '"' || *rel == '\'';
      if (!strncmp(rel + quote, "next", 4)) {
        const char *ref = hf_host()->intern(c, p + 1, (size_t)(end - p - 1));
        return ref ? hf_url_follow(c, base, ref) : NULL;
      }
    }
    p = end;
  }
  return NULL;
}

hf_status hf_hub_pages(struct hf_hub *hub, const char *url, hf_hub_item_fn fn, void *arg) {
  uint32_t empty = 0;
  for (uint32_t page = 0; url; page++) {
    if (page == HF_PAGES_MAX || empty == HF_PAGES_EMPTY)
      return hf_hub_fail(hub->call, HF_EPROTO, NULL, "The listing at %s does not end; check HF_ENDPOINT.", url);
    struct hf_http_resp resp;
    json_t *items, *item;
    size_t i;
    TRY(hf_hub_send(hub, &(struct hf_hub_req){.url = url}, &resp));
    TRY(hf_hub_parse(hub->call, resp.body, resp.body_len, url, &items));
    empty = json_array_size(items) ? 0 : empty + 1;
    hf_status st = json_is_array(items) ? HF_OK
                                        : hf_hub_fail(hub->call, HF_EPROTO, NULL,
                                                      "The answer of %s is no list; check HF_ENDPOINT.", url);
    if (st == HF_OK) json_array_foreach(items, i, item) if ((st = fn(arg, item)) != HF_OK) break;
    json_decref(items);
    if (st != HF_OK) return st == HF_PENDING ? HF_OK : st;
    const char *next = next_page(hub->call, resp.url ? resp.url : url, hf_hub_header(&resp, "link"));
    if (!next && hf_host()->error(hub->call)) return hf_host()->error(hub->call)->code;
    if (next && !strcmp(next, url))
      return hf_hub_fail(hub->call, HF_EPROTO, NULL, "The listing at %s leads to itself; check HF_ENDPOINT.", url);
    url = next;
  }
  return HF_OK;
}

/* ---- routes ------------------------------------------------------------------------------------------------------------ */

const char *hf_hub_quote(hf_call *c, const char *text, const char *keep) {
  static const char hex[] = "0123456789ABCDEF";
  size_t len = strlen(text), n = 0;
  char *out = hf_host()->arena(c, 3 * len + 1);
  if (!out) return hf_host()->failf(c, HF_ENOMEM, "Out of memory."), NULL;
  for (; *text; text++) {
    unsigned char ch = (unsigned char)*text;
    bool plain = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || strchr("-._~", ch);
    if (plain || strchr(keep, ch)) {
      out[n++] = (char)ch;
    } else {
      out[n++] = '%', out[n++] = hex[ch >> 4], out[n++] = hex[ch & 15];
    }
  }
  out[n] = 0;
  return out;
}

/* As in a form: a blank is "+". */
static const char *form_quote(hf_call *c, const char *text) {
  char *quoted = (char *)(uintptr_t)hf_hub_quote(c, text, " ");
  for (char *s = quoted; s && *s; s++)
    if (*s == ' ') *s = '+';
  return quoted;
}

const char *hf_hub_query(hf_call *c, const char *query, const char *key, const char *value) {
  const char *k = form_quote(c, key), *v = form_quote(c, value);
  if (!k || !v || !query) return NULL;
  return hf_hub_text(c, "%s%s%s=%s", query, *query ? "&" : "", k, v);
}

static const struct hf_param *param_of(const struct hf_task *row, const char *name) {
  for (uint32_t i = 0; row && i < row->params.count; i++) {
    const struct hf_param *p =
        (const struct hf_param *)(const void *)((const char *)row->params.rows + (size_t)i * row->params.stride);
    if (!strcmp(p->name, name)) return p;
  }
  return NULL;
}

/* "key=arg key2 ..." -> one pair after the other; an argument that is absent is left out. */
static hf_status each_pair(hf_call *c, const struct hf_task *row, const char *spec, const hf_args *args,
                           hf_status (*fn)(hf_call *, void *, const char *key, const char *value,
                                           const struct hf_param *),
                           void *arg) {
  for (const char *p = spec; p && *p;) {
    p += strspn(p, " ");
    size_t n = strcspn(p, " "), eq = strcspn(p, "=: ");
    if (!n) break;
    const char *key = hf_host()->intern(c, p, eq < n ? eq : n);
    const char *name = eq < n ? hf_host()->intern(c, p + eq + 1, n - eq - 1) : key;
    if (!key || !name) return HF_ENOMEM;
    if (eq < n && p[eq] == ':') {
      TRY(fn(c, arg, key, name, NULL));
      p += n;
      continue;
    }
    uint32_t count = hf_host()->arg_count(args, name);
    const struct hf_param *param = param_of(row, name);
    for (uint32_t i = 0; i < (count ? count : 1); i++) {
      const char *value = hf_host()->arg_str(args, name, i);
      int64_t on;
      if (param && param->type == HF_P_BOOL)
        value = hf_host()->arg_int(args, name, &on) ? (on ? "true" : "false") : NULL;
      if (value) TRY(fn(c, arg, key, value, param));
    }
    p += n;
  }
  return HF_OK;
}

static hf_status add_query(hf_call *c, void *arg, const char *key, const char *value, const struct hf_param *param) {
  const char **query = arg;
  (void)param;
  *query = hf_hub_query(c, *query, key, value);
  return *query ? HF_OK : HF_ENOMEM;
}

static hf_status add_member(hf_call *c, void *arg, const char *key, const char *value, const struct hf_param *param) {
  json_t *body = arg, *v, *have = json_object_get(body, key);
  if (param && param->type == HF_P_BOOL)
    v = json_boolean(!strcmp(value, "true"));
  else if (param && param->type == HF_P_INT)
    v = json_integer(strtoll(value, NULL, 10));
  else if (param && param->type == HF_P_FLOAT)
    v = json_real(strtod(value, NULL));
  else if (param && param->type == HF_P_JSON)
    v = json_loads(value, JSON_DECODE_ANY, NULL);
  else
    v = json_string(value);
  if (param && (param->flags & HF_PF_REPEAT)) {
    if (!have && json_object_set_new(body, key, have = json_array())) v = (json_decref(v), NULL);
    if (v && !json_array_append_new(have, v)) return HF_OK;
  } else if (v && !json_object_set_new(body, key, v)) {
    return HF_OK;
  }
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "'%s' cannot be sent as \"%s\"; give valid JSON in UTF-8.", value,
                     key);
}

/* Arguments that are ids of repos: two segments of an address. */
static const char *const id_names[] = {"repo_id", "from_id", "to_id", "space_id", "model_id", "dataset_id"};

static bool is_id(const char *name) {
  for (size_t i = 0; i < HF_COUNT(id_names); i++)
    if (!strcmp(id_names[i], name)) return true;
  return false;
}

static const char *path_of(struct hf_hub *hub, const struct hf_route *route, const hf_args *args) {
  hf_call *c = hub->call;
  const char *url = hub->endpoint;
  for (const char *p = route->path; url && *p;) {
    size_t n = strcspn(p, "{");
    url = hf_hub_text(c, "%s%.*s", url, (int)n, p);
    p += n;
    if (!*p) break;
    size_t stop = strcspn(p, "}");
    bool slashes = p[1] == '+';
    const char *name = hf_host()->intern(c, p + 1 + slashes, stop - 1 - slashes);
    const char *value = name ? hf_host()->arg_str(args, name, 0) : NULL;
    if (!value && name && (!strcmp(name, "revision") || !strcmp(name, "branch"))) value = "main";
    if (!value) return hf_hub_fail(c, HF_EINVAL, "ValueError", "The argument '%s' is missing.", name ? name : ""), NULL;
    /* a repo id is two path segments; anything else that holds "/" is one */
    const char *quoted = hf_hub_quote(c, value, slashes || is_id(name) ? "/" : "");
    url = url && quoted ? hf_hub_text(c, "%s%s", url, quoted) : NULL;
    p += stop + (p[stop] == '}');
  }
  return url;
}

static const char *url_of(struct hf_hub *hub, const struct hf_task *row, const struct hf_route *route,
                          const hf_args *args) {
  const char *url = path_of(hub, route, args), *query = "";
  if (!url || each_pair(hub->call, row, route->query, args, add_query, &query) != HF_OK) return NULL;
  return *query ? hf_hub_text(hub->call, "%s?%s", url, query) : url;
}

const char *hf_hub_url(struct hf_hub *hub, const struct hf_route *route, const hf_args *args) {
  return url_of(hub, NULL, route, args);
}

/* ---- rows without a run function ------------------------------------------------------------------------------------------ */

hf_status hf_hub_record(hf_out *out, hf_call *c, uint32_t what, json_t *json) {
  char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  json_decref(json);
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_host()->record(out, what, text, strlen(text));
  free(text);
  return st;
}

hf_status hf_hub_say(hf_out *out, hf_call *c, uint32_t what, const char *text) {
  json_t *s = json_string(text);
  if (!s) s = json_string("(text that is not UTF-8)");
  return hf_hub_record(out, c, what, s);
}

const char *hf_hub_get(const json_t *object, const char *key) {
  json_t *v = json_object_get(object, key);
  const char *text = json_string_value(v);
  return text && strlen(text) == json_string_length(v) ? text : NULL; /* cut at a NUL it would be another name */
}

struct listing {
  hf_call *call;
  hf_out *out;
  int64_t left; /* negative: no limit */
};

static hf_status list_item(void *arg, json_t *item) {
  struct listing *l = arg;
  TRY(hf_hub_record(l->out, l->call, HF_OUT_ITEM, json_incref(item)));
  return l->left > 0 && !--l->left ? HF_PENDING : HF_OK; /* no page is asked for in vain */
}

/* Text with {name} replaced by arguments; an absent one is empty. */
static const char *filled(hf_call *c, const char *text, const hf_args *args) {
  const char *out = "";
  while (out && *text) {
    size_t n = strcspn(text, "{"), stop = strcspn(text, "}");
    out = hf_hub_text(c, "%s%.*s", out, (int)n, text);
    if (!out || !text[n]) break;
    const char *name = hf_host()->intern(c, text + n + 1, stop - n - 1),
               *value = name ? hf_host()->arg_str(args, name, 0) : NULL;
    out = hf_hub_text(c, "%s%s", out, value ? value : "");
    text += stop + (text[stop] == '}');
  }
  return out;
}

hf_status hf_hub_confirm(hf_call *c, hf_out *out, const hf_args *args, const char *text) {
  int64_t yes = 0;
  if (hf_host()->arg_int(args, "yes", &yes) && yes) return HF_OK;
  const char *question = filled(c, text, args);
  return question ? hf_host()->ask(out, HF_ASK_CONFIRM, question, NULL, 0) : HF_ENOMEM;
}

hf_status hf_hub_done(hf_call *c, hf_out *out, const struct hf_task *row, const hf_args *args) {
  json_t *result = json_object();
  hf_status st = result ? each_pair(c, row, row->result, args, add_member, result) : HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_say(out, c, HF_OUT_MESSAGE, row->done);
  if (st == HF_OK) return hf_hub_record(out, c, HF_OUT_RESULT, result);
  json_decref(result);
  return st;
}

hf_status hf_hub_raise(struct hf_hub *hub, const struct hf_hub_req *r, const struct hf_http_resp *resp) {
  if (resp->status < 400) return HF_OK;
  struct hf_http_req req = {.struct_size = sizeof req, .method = r->method, .url = r->url};
  struct hf_error e = {.struct_size = sizeof e, .code = HF_EHTTP, .http_status = resp->status, .url = r->url};
  hf_hub_http_error(hub->call, &req, resp, &e);
  return hf_host()->fail(hub->call, &e);
}

hf_status hf_hub_send_json(struct hf_hub *hub, const char *method, const char *url, json_t *body, uint32_t flags,
                           struct hf_http_resp *resp) {
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  hf_status st = text || !body ? HF_OK : hf_hub_fail(hub->call, HF_ENOMEM, NULL, "Out of memory.");
  json_decref(body);
  if (st == HF_OK)
    st = hf_hub_send(hub,
                     &(struct hf_hub_req){.method = method,
                                          .url = url,
                                          .tries = 1,
                                          .flags = flags,
                                          .type = text ? "application/json" : NULL,
                                          .body = text,
                                          .body_len = text ? strlen(text) : 0},
                     resp);
  free(text);
  return st;
}

static hf_status send_route(struct hf_hub *hub, const struct hf_task *row, const char *url, const hf_args *args,
                            struct hf_http_resp *resp) {
  const struct hf_route *route = &row->routes[0];
  json_t *body = route->body ? json_object() : NULL;
  hf_status st = route->body ? each_pair(hub->call, row, route->body, args, add_member, body) : HF_OK;
  if (st == HF_OK && route->tries == 1) return hf_hub_send_json(hub, route->method, url, body, 0, resp);
  char *text = st == HF_OK && body ? json_dumps(body, JSON_COMPACT) : NULL;
  if (st == HF_OK)
    st = hf_hub_send(hub,
                     &(struct hf_hub_req){.method = route->method,
                                          .url = url,
                                          .tries = route->tries,
                                          .type = text ? "application/json" : NULL,
                                          .body = text,
                                          .body_len = text ? strlen(text) : 0},
                     resp);
  free(text);
  json_decref(body);
  return st;
}

/* Ids of repos are checked before they become part of an address. */
static hf_status check_ids(hf_call *c, const struct hf_task *row, const hf_args *args) {
  for (size_t i = 0; i < HF_COUNT(id_names); i++) {
    const char *id = param_of(row, id_names[i]) ? hf_host()->arg_str(args, id_names[i], 0) : NULL;
    if (id) TRY(hf_hub_check_repo(c, id));
  }
  return HF_OK;
}

hf_status hf_hub_row_send(struct hf_hub *hub, const struct hf_task *row, const hf_args *args,
                          struct hf_http_resp *resp) {
  TRY(check_ids(hub->call, row, args));
  const char *url = url_of(hub, row, &row->routes[0], args);
  if (!url) return hf_host()->error(hub->call) ? hf_host()->error(hub->call)->code : HF_ENOMEM;
  return send_route(hub, row, url, args, resp);
}

static hf_status record_answer(hf_call *c, hf_out *out, json_t *answer) {
  if (!json_is_array(answer)) return hf_hub_record(out, c, HF_OUT_DICT, answer);
  size_t i;
  json_t *item;
  hf_status st = HF_OK;
  json_array_foreach(answer, i, item) if ((st = hf_hub_record(out, c, HF_OUT_ITEM, json_incref(item))) != HF_OK) break;
  json_decref(answer);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

hf_status hf_hub_run_row(hf_call *c, void *state, const struct hf_task *row, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  json_t *answer = NULL;
  (void)state;
  if (!row->route_count)
    return hf_hub_fail(c, HF_ENOSYS, NULL, "The task %s has neither a function nor a route; its pack is broken.",
                       row->name);
  if (row->confirm) TRY(hf_hub_confirm(c, out, args, row->confirm));
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), NULL, false));
  if (row->routes[0].paging == HF_PAGE_LINK) {
    struct listing l = {.call = c, .out = out};
    TRY(check_ids(c, row, args));
    const char *url = url_of(&hub, row, &row->routes[0], args);
    if (!url) return hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
    if (!hf_host()->arg_int(args, "limit", &l.left)) l.left = -1;
    if (l.left) TRY(hf_hub_pages(&hub, url, list_item, &l));
    return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
  }
  TRY(hf_hub_row_send(&hub, row, args, &resp));
  if (row->done) return hf_hub_done(c, out, row, args);
  if (resp.body_len) TRY(hf_hub_parse(c, resp.body, resp.body_len, row->routes[0].path, &answer));
  return answer ? record_answer(c, out, answer) : HF_OK;
}
