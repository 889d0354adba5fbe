/* gateway_ask.c - what a client of `hf inference serve` asks for: a chat, vectors, the list of models; in OpenAI's shapes.
 * "model" is ID[:provider], else the provider that the server was started with. Parameters go on as they are.
 * Failures keep the provider's status and words. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "gateway.h"

#define MODELS_MAX 200

static hf_status wrong(hf_call *c, const char *what) {
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "%s", what);
}

/* ---- the model ----------------------------------------------------------------------------------------------------------- */

struct find {
  const char *name;
  bool found;
};

static int same_name(void *arg, const struct hf_plugin_info *i) {
  struct find *f = arg;
  f->found |= i->kind == HF_KIND_PROVIDER && !i->refused && !strcmp(i->name, f->name);
  return f->found;
}

/* "ID:provider" where that is an installed one; every other ending belongs to the ID. */
static hf_status split_model(hf_call *c, struct exchange *x, const json_t *body, struct inf_ask *ask) {
  const char *said = hf_hub_get(body, "model"), *colon = said ? strrchr(said, ':') : NULL;
  ask->provider = x->g->provider;
  ask->model = said && *said ? hf_host()->intern(c, said, SIZE_MAX) : x->g->model;
  ask->base_url = x->g->base_url;
  if (!ask->model && !ask->base_url) return wrong(c, "'model' is missing: ID, or ID:provider.");
  if (ask->model && inf_is_url(ask->model))
    return wrong(c, "A URL is no model here; the server can be started with --base-url.");
  if (!colon || colon == said || ask->base_url) return HF_OK;
  struct find f = {.name = colon + 1};
  hf_plugin_each(x->g->rt, same_name, &f);
  if (!f.found) return HF_OK;
  ask->provider = hf_host()->intern(c, colon + 1, SIZE_MAX);
  ask->model = hf_host()->intern(c, said, (size_t)(colon - said));
  return ask->provider && ask->model ? HF_OK : HF_ENOMEM;
}

static hf_status prepare(hf_call *c, struct exchange *x, const json_t *body, const char *task, struct inf_ask *ask) {
  *ask = (struct inf_ask){.task = task,
                          .api_key_env = x->g->api_key_env,
                          .bill_to = x->g->bill_to,
                          .timeout_ms = x->g->timeout_ms,
                          .first_ms = x->g->first_ms};
  return split_model(c, x, body, ask);
}

/* ---- chat ------------------------------------------------------------------------------------------------------------------ */

struct chat {
  struct exchange *x;
};

static hf_status on_item(hf_call *c, void *arg, json_t *item) {
  return gateway_event(c, ((struct chat *)arg)->x, item);
}

static hf_status chat(hf_call *c, struct exchange *x, json_t *body) {
  struct chat k = {x};
  struct inf_ask ask;
  struct inf_answer answer = {0};
  const json_t *messages = json_object_get(body, "messages");
  if (!json_is_array(messages) || !json_array_size(messages))
    return wrong(c, "'messages' must be a list that is not empty.");
  TRY(prepare(c, x, body, "conversational", &ask));
  ask.stream = json_is_true(json_object_get(body, "stream"));
  ask.arg = &k;
  ask.item = on_item;
  static const char *const ours[] = {"model", "stream"};
  for (size_t i = 0; i < HF_COUNT(ours); i++) json_object_del(body, ours[i]);
  ask.args = body;
  hf_status st = inf_run(c, NULL, &ask, &answer);
  if (st == HF_OK) st = ask.stream ? gateway_event(c, x, NULL) : gateway_answer(c, x, 200, json_incref(answer.json));
  inf_answer_free(&answer);
  return st;
}

/* ---- vectors ---------------------------------------------------------------------------------------------------------------- */

static json_t *packed(const json_t *vector) {
  size_t n = json_array_size(vector);
  float *values = malloc((n + 1) * sizeof *values);
  for (size_t i = 0; values && i < n; i++) values[i] = (float)json_number_value(json_array_get(vector, i));
  char *text = values ? inf_base64(values, n * sizeof *values) : NULL;
  json_t *j = text ? json_string(text) : NULL;
  free(text);
  free(values);
  return j;
}

static json_t *embedding(const json_t *vector, size_t index, bool base64) {
  json_t *v = base64 ? packed(vector) : json_incref((json_t *)(uintptr_t)vector);
  return json_pack("{s:s, s:I, s:o}", "object", "embedding", "index", (json_int_t)index, "embedding", v);
}

static hf_status embeddings(hf_call *c, struct exchange *x, json_t *body) {
  struct inf_ask ask;
  struct inf_answer answer = {0};
  json_t *input = json_object_get(body, "input");
  const char *format = hf_hub_get(body, "encoding_format"), *model = hf_hub_get(body, "model");
  bool base64 = format && !strcmp(format, "base64"), one = json_is_string(input);
  if (!one && !json_array_size(input)) return wrong(c, "'input' must be a text or a list of texts that is not empty.");
  TRY(prepare(c, x, body, "feature-extraction", &ask));
  json_t *args = json_copy(body), *data = json_array(), *v;
  size_t i;
  static const char *const ours[] = {"model", "input", "encoding_format", "user"};
  for (i = 0; i < HF_COUNT(ours); i++) json_object_del(args, ours[i]);
  json_object_set(args, "text", input);
  if (ask.base_url) {
    size_t n = strlen(ask.base_url);
    while (n && ask.base_url[n - 1] == '/') n--;
    ask.base_url = hf_hub_text(c, "%.*s/embeddings", (int)n, ask.base_url);
  }
  ask.args = args;
  hf_status st = inf_run(c, NULL, &ask, &answer);
  if (st == HF_OK && json_is_number(json_array_get(answer.json, 0))) {
    json_array_append_new(data, embedding(answer.json, 0, base64));
  } else if (st == HF_OK) {
    json_array_foreach(answer.json, i, v) json_array_append_new(data, embedding(v, i, base64));
  }
  if (st == HF_OK && (json_array_size(data) != (one ? 1 : json_array_size(input))))
    st = hf_hub_fail(c, HF_EPROTO, "ValueError", "The provider sent %zu vectors for %zu texts.", json_array_size(data),
                     one ? (size_t)1 : json_array_size(input));
  json_t *usage =
      answer.usage ? json_incref(answer.usage) : json_pack("{s:i, s:i}", "prompt_tokens", 0, "total_tokens", 0);
  if (!model) model = ask.model ? ask.model : "";
  if (st == HF_OK)
    st = gateway_answer(
        c, x, 200, json_pack("{s:s, s:O, s:s, s:O}", "object", "list", "data", data, "model", model, "usage", usage));
  json_decref(usage);
  json_decref(data);
  json_decref(args);
  inf_answer_free(&answer);
  return st;
}

/* ---- models ------------------------------------------------------------------------------------------------------------------- */

static json_t *model_row(const char *id) {
  const char *slash = strchr(id, '/');
  return json_pack("{s:s, s:s, s:i, s:s%}", "id", id, "object", "model", "created", 0, "owned_by", id,
                   slash ? (size_t)(slash - id) : strlen(id));
}

/* What an endpoint says that it has, in its own words. */
static hf_status ask_endpoint(hf_call *c, struct exchange *x, struct hf_hub *hub, json_t **rows) {
  const char *chat = inf_chat_url(c, x->g->base_url), *end = chat ? strstr(chat, "/chat/completions") : NULL;
  const char *url = end ? hf_hub_text(c, "%.*s/models", (int)(end - chat), chat) : NULL, *key = NULL, *origin = NULL;
  if (!url) return HF_ENOMEM;
  if (x->g->api_key_env) {
    key = getenv(x->g->api_key_env);
    origin = hf_hub_text(c, "environment %s", x->g->api_key_env);
  } else {
    TRY(inf_endpoint_key(hub, url, &key, &origin));
  }
  struct hf_kv headers[] = {{"accept", "application/json"},
                            {"authorization", key && *key ? hf_hub_text(c, "Bearer %s", key) : ""}};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_NO_AUTH,
                            .url = url,
                            .headers = HF_TABLE(headers),
                            .max_body = INF_JSON_MAX,
                            .max_redirects = 5,
                            .tries = INF_LOOKS,
                            .timeout_ms = x->g->timeout_ms,
                            .secret_from = origin};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  json_t *json = NULL, *v;
  size_t i;
  TRY(hf_host()->http(c, &req, &resp));
  TRY(hf_hub_parse(c, resp.body, resp.body_len, url, &json));
  json_array_foreach(json_object_get(json, "data"), i, v) if (hf_hub_get(v, "id")) json_array_append(*rows, v);
  json_decref(json);
  return HF_OK;
}

static hf_status one_model(hf_call *c, struct exchange *x, struct hf_hub *hub, const char *id) {
  const char *quoted = hf_url_quote(c, id, "/"),
             *url = quoted ? hf_hub_text(c, "%s/api/models/%s", hub->endpoint, quoted) : NULL;
  json_t *json;
  if (x->g->model && !strcmp(x->g->model, id)) return gateway_answer(c, x, 200, model_row(id));
  if (x->g->base_url) {
    json_t *rows = json_array(), *v, *found = NULL;
    size_t i;
    hf_status st = ask_endpoint(c, x, hub, &rows);
    json_array_foreach(rows, i, v) if (!strcmp(hf_hub_get(v, "id"), id)) found = v;
    if (st == HF_OK && !found) st = hf_hub_fail(c, HF_ENOTFOUND, "NotFoundError", "The endpoint has no model %s.", id);
    if (st == HF_OK) st = gateway_answer(c, x, 200, json_incref(found));
    json_decref(rows);
    return st;
  }
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_check_repo(c, id)); /* a path with ".." would be another question */
  TRY(hf_hub_json(hub, &(struct hf_hub_req){.url = url, .tries = INF_LOOKS}, &json));
  json_decref(json);
  return gateway_answer(c, x, 200, model_row(id));
}

/* What the provider serves, by the Hub; what the endpoint says; or the one model that the server was started for. */
static hf_status models(hf_call *c, struct exchange *x) {
  struct hf_hub hub;
  const char *provider = x->g->provider && strcmp(x->g->provider, "auto") != 0 ? x->g->provider : "all";
  json_t *rows = json_array(), *list = NULL, *v;
  size_t i;
  hf_status st = hf_hub_begin(&hub, c, NULL, NULL, NULL, false);
  if (st == HF_OK && strlen(x->path) > 11) {
    json_decref(rows);
    return one_model(c, x, &hub, x->path + 11);
  }
  if (st == HF_OK && x->g->model) json_array_append_new(rows, model_row(x->g->model));
  if (st == HF_OK && !x->g->model && x->g->base_url) st = ask_endpoint(c, x, &hub, &rows);
  if (st == HF_OK && !x->g->model && !x->g->base_url) {
    const char *url = hf_hub_text(c, "%s/api/models?inference_provider=%s&limit=%d", hub.endpoint,
                                  hf_url_quote(c, provider, ","), MODELS_MAX);
    st = url ? hf_hub_json(&hub, &(struct hf_hub_req){.url = url, .tries = INF_LOOKS}, &list) : HF_ENOMEM;
    json_array_foreach(list, i, v) if (hf_hub_get(v, "id")) json_array_append_new(rows, model_row(hf_hub_get(v, "id")));
    json_decref(list);
  }
  if (st == HF_OK) return gateway_answer(c, x, 200, json_pack("{s:s, s:o}", "object", "list", "data", rows));
  json_decref(rows);
  return st;
}

/* ---- one exchange --------------------------------------------------------------------------------------------------------------- */

static uint32_t status_of(const struct hf_error *e) {
  static const struct {
    hf_status code;
    uint32_t status;
  } rows[] = {{HF_EINVAL, 400},     {HF_EAUTH, 401},     {HF_EGATED, 403},   {HF_ENOTFOUND, 404},
              {HF_ERATELIMIT, 429}, {HF_ETIMEDOUT, 504}, {HF_EOFFLINE, 503}, {HF_ENOMEM, 500}};
  if (e->http_status >= 400 && e->http_status < 600) return e->http_status;
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    if (rows[i].code == e->code) return rows[i].status;
  return 502;
}

static hf_status serve(hf_call *c, struct exchange *x) {
  if (!strcmp(x->path, "/health")) return gateway_answer(c, x, 200, json_pack("{s:s}", "status", "ok"));
  if (!x->body) return models(c, x);
  json_error_t why;
  json_t *body = json_loadb(x->body, x->body_len, 0, &why);
  if (!json_is_object(body)) {
    json_decref(body);
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "The body is no JSON object: %s",
                       body ? "it is another value" : why.text);
  }
  hf_status st = !strcmp(x->path, "/v1/embeddings") ? embeddings(c, x, body) : chat(c, x, body);
  json_decref(body);
  return st;
}

hf_status gateway_run(hf_call *c, void *arg) {
  struct exchange *x = arg;
  hf_status st = serve(c, x);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  pthread_mutex_lock(&x->lock);
  bool gone = x->canceled;
  pthread_mutex_unlock(&x->lock);
  if (st != HF_OK && !gone) {
    uint32_t status = e ? status_of(e) : 500;
    const char *message = e && e->message ? e->message : "Out of memory.";
    if (gateway_error(c, x, status, e && e->cls ? e->cls : NULL, message) != HF_OK)
      hf_host()->log(c, HF_LOG_WARNING, "A client was not told why its request failed: %.300s", message);
  }
  pthread_mutex_lock(&x->lock);
  x->ended = true;
  if (!x->status) x->status = 500;
  pthread_mutex_unlock(&x->lock);
  if (eventfd_write(x->news, 1)) return HF_EIO;
  return st;
}
