/* look.c - `hf inference providers|models|info|health`: what there is to ask, and how an endpoint is.
 * Providers are listed by their rows, without running anything of theirs; models by the Hub; an endpoint is asked itself.
 * A saved token goes to endpoints of Hugging Face only. */
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "output.h"

static const char *str(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

/* ---- providers ------------------------------------------------------------------------------------------------------------ */

struct listing {
  hf_call *c;
  hf_out *out;
  const char *task;
  bool json;
  hf_status st;
};

static int provider_row(void *arg, const struct hf_plugin_info *i) {
  struct listing *l = arg;
  if (i->kind != HF_KIND_PROVIDER || i->refused) return 0;
  const struct hf_provider *p =
      (const struct hf_provider *)hf_plugin_look(hf_call_runtime(l->c), i->kind, i->name, NULL);
  if (!p) return 0;
  json_t *tasks = json_array(), *streams = json_array();
  bool wanted = !l->task;
  for (uint32_t k = 0; p->tasks.rows && k < p->tasks.count; k++) {
    struct hf_pv_task t = {0};
    memcpy(&t, (const char *)p->tasks.rows + (size_t)k * p->tasks.stride,
           p->tasks.stride < sizeof t ? p->tasks.stride : sizeof t);
    if (!t.task) continue;
    wanted |= l->task && !strcmp(t.task, l->task);
    json_array_append_new(tasks, json_string(t.task));
    if (t.stream) json_array_append_new(streams, json_string(t.task));
  }
  json_t *row = json_pack("{s:s,s:o,s:o,s:s?,s:s?,s:s?,s:s?}", "name", i->name, "tasks", tasks, "streaming", streams,
                          "base_url", p->base_url, "key_env", inf_key_variable(l->c, i->name, p->key_env), "summary",
                          p->m.summary, "file", i->file);
  if (wanted)
    l->st = hf_hub_record(l->out, l->c, HF_OUT_ITEM, row);
  else
    json_decref(row);
  return l->st != HF_OK;
}

hf_status inf_task_providers(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  const char *name = str(args, "task");
  const struct inf_task *spec = name ? inf_task_find(name) : NULL;
  struct listing l = {.c = c, .out = out, .task = spec ? spec->name : name};
  hf_plugin_each(hf_call_runtime(c), provider_row, &l);
  TRY(l.st);
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* ---- models ----------------------------------------------------------------------------------------------------------------- */

hf_status inf_task_models(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  int64_t warm = 0, limit = 30;
  const char *provider = str(args, "provider"), *task = str(args, "task"), *search = str(args, "search");
  const struct inf_task *spec = task ? inf_task_find(task) : NULL;
  hf_host()->arg_int(args, "warm", &warm);
  hf_host()->arg_int(args, "limit", &limit);
  if (spec) task = spec->kind == INF_CHAT ? "text-generation" : spec->name;
  json_t *a = json_pack("{s:I}", "limit", (json_int_t)limit);
  if (search) json_object_set_new(a, "search", json_string(search));
  if (task) json_object_set_new(a, "filter", json_pack("[s]", task));
  if (warm)
    json_object_set_new(a, "warm", json_true());
  else
    json_object_set_new(a, "inference_provider", json_pack("[s]", provider ? provider : "all"));
  if (warm && provider) {
    json_decref(a);
    return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value: Cannot use --warm together with --provider.");
  }
  char *text = json_dumps(a, JSON_COMPACT);
  json_decref(a);
  hf_status st = text ? hf_host()->task(c, "models.list", text, out) : HF_ENOMEM;
  free(text);
  return st;
}

/* ---- endpoints ---------------------------------------------------------------------------------------------------------------- */

/* "model" of --args; NULL: it is not there. */
static hf_status model_of_args(hf_call *c, const hf_args *args, const char **model) {
  const char *text = str(args, "args");
  size_t len = text ? strlen(text) : 0;
  *model = NULL;
  if (text && *text == '@') TRY(inf_read(c, text + 1, &text, &len));
  json_t *j = text ? json_loadb(text, len, 0, NULL) : NULL;
  const char *named = hf_hub_get(j, "model");
  bool wanted = named && *named;
  if (wanted) *model = hf_host()->intern(c, named, SIZE_MAX);
  json_decref(j);
  if (text && !j) return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '--args': it is no JSON object.");
  return wanted && !*model ? HF_ENOMEM : HF_OK;
}

/* GET of a path below an endpoint, or of the information about a model. */
static hf_status get(hf_call *c, const hf_args *args, const char *path, struct hf_http_resp *resp, const char **asked) {
  struct hf_hub hub;
  TRY(hf_hub_begin(&hub, c, NULL, NULL, NULL, false));
  const char *url = str(args, "url"), *variable = str(args, "api_key_env"), *key = NULL, *origin = NULL;
  const char *provider = str(args, "provider");
  if (!url && (!provider || strcmp(provider, "hf-inference")))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Only endpoints and hf-inference can be asked for this, not '%s'.",
                       provider);
  if (!url) TRY(model_of_args(c, args, &url));
  if (!url) url = str(args, "base_url");
  if (!url) url = str(args, "model");
  if (!url) return hf_hub_fail(c, HF_EINVAL, "ValueError", "Model id not provided: give the URL of an endpoint.");
  if (inf_is_url(url)) {
    size_t n = strlen(url);
    while (n && url[n - 1] == '/') n--;
    url = hf_hub_text(c, "%.*s/%s", (int)n, url, path);
  } else if (!strcmp(path, "info")) {
    const char *base = hf_hub_setting(c, "HF_INFERENCE_ENDPOINT"), *id = hf_url_quote(c, url, "/");
    url = id ? hf_hub_text(c, "%s/models/%s/info", base ? base : "https://api-inference.huggingface.co", id) : NULL;
  } else {
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Model must be an Inference Endpoint URL.");
  }
  if (!url) return HF_ENOMEM;
  if (variable && !(key = getenv(variable)))
    return hf_hub_fail(c, HF_EAUTH, "ValueError",
                       "The environment variable %s holds no key; set it or drop --api-key-env.", variable);
  if (variable) origin = hf_hub_text(c, "environment %s", variable);
  if (!key) TRY(inf_endpoint_key(&hub, url, &key, &origin));
  if (hub.offline)
    return hf_hub_fail(c, HF_EOFFLINE, "OfflineModeIsEnabled", "Cannot reach %s: offline mode is enabled.", url);
  struct hf_kv row[2] = {{"user-agent", hf_hub_user_agent(&hub)},
                         {"authorization", key && *key ? hf_hub_text(c, "Bearer %s", key) : NULL}};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_NO_AUTH | HF_HTTP_ANY_STATUS,
                            .url = url,
                            .headers = HF_TABLE(row),
                            .tries = 1,
                            .max_redirects = 5,
                            .max_body = 1u << 20,
                            .secret_from = origin};
  *resp = (struct hf_http_resp){.struct_size = sizeof *resp};
  *asked = url;
  hf_status st = hf_host()->http(c, &req, resp);
  if (st != HF_OK || resp->status < 400 || strcmp(path, "info")) return st;
  struct hf_error e = {.struct_size = sizeof e,
                       .code = HF_EHTTP,
                       .http_status = resp->status,
                       .url = url,
                       .message = "The endpoint refused to say."};
  hf_hub_http_error(c, &req, resp, &e);
  return hf_host()->fail(c, &e);
}

hf_status inf_task_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  struct hf_http_resp resp;
  const char *url;
  json_t *json;
  TRY(get(c, args, "info", &resp, &url));
  TRY(hf_hub_parse(c, resp.body, resp.body_len, url, &json));
  if (json_is_object(json)) return hf_hub_record(out, c, HF_OUT_DICT, json);
  json_decref(json);
  return hf_hub_fail(c, HF_EPROTO, "ValueError", "%s said something that is no object.", url);
}

hf_status inf_task_health(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  struct hf_http_resp resp;
  const char *url;
  TRY(get(c, args, "health", &resp, &url));
  return hf_hub_say(out, c, HF_OUT_RAW, resp.status == 200 ? "true" : "false");
}
