/* choose.c - which provider serves a call, and what it calls the model.
 * Keys are chosen in keys.c once the provider is known; look-ups on the Hub go with the key of the call when it is the Hub's.
 * What was looked up is remembered for an hour, apart for every token. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "infer.h"

const char *inf_chat_url(hf_call *c, const char *url) {
  const char *path = strstr(url, "://");
  path = path ? path + 3 + strcspn(path + 3, "/?#") : url;
  size_t lead = (size_t)(path - url), n = strcspn(path, "?#"), cut = n;
  while (cut && path[cut - 1] == '/') cut--;
  static const char full[] = "/chat/completions";
  if (cut >= sizeof full - 1 && !strncmp(path + cut - (sizeof full - 1), full, sizeof full - 1)) return url;
  bool v1 = cut >= 3 && !strncmp(path + cut - 3, "/v1", 3);
  return hf_hub_text(c, "%.*s%s%s%s", (int)(lead + cut), url, v1 ? "" : "/v1", full, path + n);
}

/* ---- look-ups on the Hub, remembered ------------------------------------------------------------------------------------------ */

enum { REMEMBER = 256, REMEMBER_S = 3600 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct memo {
  char *key;
  json_t *value;
  time_t until;
} memos[REMEMBER];
static uint32_t memo_next;

static json_t *recall(const char *key) {
  json_t *found = NULL;
  time_t now = time(NULL);
  pthread_mutex_lock(&lock);
  for (uint32_t i = 0; i < REMEMBER && !found; i++)
    if (memos[i].key && !strcmp(memos[i].key, key) && memos[i].until > now) found = json_deep_copy(memos[i].value);
  pthread_mutex_unlock(&lock);
  return found;
}

static void remember(const char *key, const json_t *value) {
  char *name = strdup(key);
  json_t *copy = json_deep_copy(value);
  pthread_mutex_lock(&lock);
  struct memo *m = &memos[memo_next++ % REMEMBER];
  free(m->key);
  json_decref(m->value);
  *m = (struct memo){name, copy, time(NULL) + REMEMBER_S};
  pthread_mutex_unlock(&lock);
}

/* Who asks counts: a private model is there for one and not for another. */
static uint64_t hash(const char *s) {
  uint64_t h = 1469598103934665603u;
  for (; s && *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
  return h;
}

/* GET from the Hub. A key that is the Hub's goes along: it sees what it may see, and no other account's token is sent. */
static hf_status look_up(struct inf *f, const char *url, const json_t **out) {
  const char *token = NULL;
  if (f->key && !strncmp(f->key, "hf_", 3)) token = f->key;
  struct hf_hub hub;
  TRY(hf_hub_begin(&hub, f->c, f->hub.out, token, f->hub.library, false));
  if (token) TRY(hf_call_option(f->c, "HF_TOKEN_FROM", f->key_origin ? f->key_origin : "given for the call"));
  if (!token) TRY(hf_hub_token(&hub, &token));
  char key[600];
  snprintf(key, sizeof key, "%016llx %.560s", (unsigned long long)hash(token), url);
  json_t *json = recall(key);
  if (!json) {
    hf_status st = HF_OK;
    for (uint32_t n = 1; (st = hf_hub_json(&hub, &(struct hf_hub_req){.url = url, .tries = 1}, &json)) != HF_OK; n++) {
      const struct hf_error *e = hf_host()->error(f->c);
      if (!e || !inf_look_again(f, n, (uint32_t)e->http_status, e->retry_after_ms)) return st;
    }
    remember(key, json);
  }
  *out = inf_mine(f, json);
  return *out ? HF_OK : HF_ENOMEM;
}

static const char *model_url(struct inf *f, const char *query) {
  const char *id = hf_url_quote(f->c, f->model, "/");
  return id ? hf_hub_text(f->c, "%s/api/models/%s%s", f->hub.endpoint, id, query) : NULL;
}

/* ---- the mapping of a model ------------------------------------------------------------------------------------------------------- */

/* The entry of a provider, or the first one of all; *name is whose it is. */
static const json_t *entry(const json_t *mapping, const char *provider, const char **name) {
  const char *key;
  json_t *value;
  size_t i;
  json_object_foreach((json_t *)(uintptr_t)mapping, key, value) if (!provider || !strcmp(key, provider)) return *name =
      key,
                                                                                                                value;
  json_array_foreach(mapping, i, value) {
    key = hf_hub_get(value, "provider");
    if (key && (!provider || !strcmp(key, provider))) return *name = key, value;
  }
  return NULL;
}

static hf_status fetch_mapping(struct inf *f, const json_t **mapping) {
  const json_t *json;
  if (!f->model)
    return inf_fail(f, HF_EINVAL, "ValueError", "Please provide an HF model ID supported by %s.", f->provider);
  const char *url = model_url(f, "?expand=inferenceProviderMapping");
  if (!url) return HF_ENOMEM;
  TRY(look_up(f, url, &json));
  *mapping = json_object_get(json, "inferenceProviderMapping");
  if (!json_is_object(*mapping) && !json_is_array(*mapping))
    return inf_fail(f, HF_ENOTFOUND, "ValueError", "No provider mapping found for model %s.", f->model);
  return HF_OK;
}

static hf_status map_model(struct inf *f) {
  const json_t *mapping;
  const char *name = NULL;
  TRY(fetch_mapping(f, &mapping));
  const json_t *e = entry(mapping, f->provider, &name);
  const char *task = hf_hub_get(e, "task"), *status = hf_hub_get(e, "status");
  if (!e)
    return inf_fail(f, HF_ENOTFOUND, "ValueError", "Model %s is not supported by provider %s.", f->model, f->provider);
  if (!task || strcmp(task, f->spec->name))
    return inf_fail(f, HF_EINVAL, "ValueError",
                    "Model %s is not supported for task %s and provider %s. Supported task: %s.", f->model,
                    f->spec->name, f->provider, task ? task : "none");
  if (status && !strcmp(status, "staging"))
    hf_host()->log(f->c, HF_LOG_WARNING, "Model %s is in staging mode for provider %s: for tests only.", f->model,
                   f->provider);
  if (status && !strcmp(status, "error"))
    hf_host()->log(f->c, HF_LOG_WARNING,
                   "The last health check of model %s at provider %s failed; the call may fail too.", f->model,
                   f->provider);
  f->id = hf_hub_get(e, "providerId");
  if (!f->id || !*f->id)
    return inf_fail(f, HF_EPROTO, "ValueError", "The mapping of model %s to provider %s names no model.", f->model,
                    f->provider);
  f->adapter = hf_hub_get(e, "adapterWeightsPath");
  return HF_OK;
}

/* ---- models that are named as on the Hub ---------------------------------------------------------------------------------------------- */

static bool has_tag(const json_t *tags, const char *tag) {
  size_t i;
  json_t *t;
  json_array_foreach(tags, i, t) if (json_is_string(t) && !strcmp(json_string_value(t), tag)) return true;
  return false;
}

static bool serves(const char *pipeline, const json_t *tags, const char *task) {
  bool chat = !strcmp(task, "conversational"), text = !strcmp(task, "text-generation");
  if (!pipeline) return false;
  if (!strcmp(pipeline, "text-generation") && (chat || text)) return true;
  if (!strcmp(pipeline, "text2text-generation")) return text;
  if (!strcmp(pipeline, "image-text-to-text")) return chat;
  static const char *const swap[] = {"feature-extraction", "sentence-similarity"};
  bool a = !strcmp(task, swap[0]) || !strcmp(task, swap[1]),
       b = !strcmp(pipeline, swap[0]) || !strcmp(pipeline, swap[1]);
  if (a && b && has_tag(tags, task)) return true;
  return !strcmp(pipeline, task);
}

static hf_status hub_model(struct inf *f) {
  const json_t *json;
  if (f->is_url) return f->id = f->model, HF_OK;
  if (!f->model) {
    const char *url = hf_hub_text(f->c, "%s/api/tasks", f->hub.endpoint);
    if (!url) return HF_ENOMEM;
    TRY(look_up(f, url, &json));
    f->model =
        json_string_value(json_array_get(json_object_get(json_object_get(json, f->spec->name), "widgetModels"), 0));
    if (!f->model)
      return inf_fail(f, HF_EINVAL, "ValueError",
                      "Task %s has no recommended model for HF Inference. Please specify a model explicitly. Visit "
                      "https://huggingface.co/tasks for more info.",
                      f->spec->name);
  }
  const char *url = model_url(f, "");
  if (!url) return HF_ENOMEM;
  TRY(look_up(f, url, &json));
  f->id = f->model;
  const char *pipeline = hf_hub_get(json, "pipeline_tag");
  if (serves(pipeline, json_object_get(json, "tags"), f->spec->name)) return HF_OK;
  return inf_fail(f, HF_EINVAL, "ValueError", "Model '%s' doesn't support task '%s'. Its task is '%s'.", f->model,
                  f->spec->name, pipeline ? pipeline : "not known");
}

/* ---- the provider ------------------------------------------------------------------------------------------------------------------------ */

struct names {
  char text[900];
  size_t len;
};

static int add_name(void *arg, const struct hf_plugin_info *i) {
  struct names *n = arg;
  if (i->kind != HF_KIND_PROVIDER || i->refused) return 0;
  int k = snprintf(n->text + n->len, sizeof n->text - n->len, "%s%s", n->len ? ", " : "", i->name);
  if (k > 0 && n->len + (size_t)k < sizeof n->text) n->len += (size_t)k;
  return 0;
}

static hf_status open_provider(struct inf *f) {
  const char *why = NULL;
  f->pv = (const struct hf_provider *)hf_plugin_open(hf_call_runtime(f->c), HF_KIND_PROVIDER, f->provider, &why);
  if (!f->pv) {
    struct names n = {{0}, 0};
    hf_plugin_each(hf_call_runtime(f->c), add_name, &n);
    return inf_fail(f, HF_ENOTFOUND, "ValueError", "Provider '%s' not supported%s%s. Available: %s.", f->provider,
                    why ? ": " : "", why ? why : "", n.len ? n.text : "none; check that the plugins are installed");
  }
  const struct hf_pv_task *rows = f->pv->tasks.rows;
  for (uint32_t i = 0; i < f->pv->tasks.count && !f->row; i++)
    if (!strcmp(rows[i].task, f->spec->name)) f->row = &rows[i];
  if (f->row) return HF_OK;
  struct names n = {{0}, 0};
  for (uint32_t i = 0; i < f->pv->tasks.count; i++) {
    int k = snprintf(n.text + n.len, sizeof n.text - n.len, "%s%s", n.len ? ", " : "", rows[i].task);
    if (k > 0 && n.len + (size_t)k < sizeof n.text) n.len += (size_t)k;
  }
  return inf_fail(f, HF_EINVAL, "ValueError", "Task '%s' not supported for provider '%s'. Available tasks: %s.",
                  f->spec->name, f->provider, n.text);
}

static bool policy(const char *model) {
  static const char *const suffixes[] = {":fastest", ":cheapest", ":preferred"};
  size_t n = model ? strlen(model) : 0;
  for (size_t i = 0; i < HF_COUNT(suffixes); i++)
    if (n > strlen(suffixes[i]) && !strcmp(model + n - strlen(suffixes[i]), suffixes[i])) return true;
  return false;
}

/* The model that decides who serves: of a chat the URL is the client's, the name the call's. */
static const char *deciding_model(const struct inf *f) {
  if (f->spec->kind != INF_CHAT || inf_is_url(f->model)) return f->model;
  return f->call_model ? f->call_model : f->model;
}

hf_status inf_choose(struct inf *f) {
  const char *by = deciding_model(f);
  const char *wanted = f->ask->provider;
  bool chat = f->spec->kind == INF_CHAT, automatic = !wanted || !strcmp(wanted, "auto");
  f->is_url = inf_is_url(f->model);
  if ((!by && automatic) || inf_is_url(by)) wanted = "hf-inference", automatic = false;
  f->provider = automatic ? "auto" : wanted;
  if (policy(f->model) && !f->is_url && !(automatic && chat))
    return inf_fail(
        f, HF_EINVAL, "ValueError",
        "The ending of '%s' chooses among providers, which only a chat without --provider lets it; drop it.", f->model);
  if (automatic && !chat) {
    const json_t *mapping;
    const char *name = NULL;
    if (f->ask->api_key_env && !f->ask->api_key) f->key = getenv(f->ask->api_key_env);
    if (f->ask->api_key) f->key = f->ask->api_key;
    TRY(fetch_mapping(f, &mapping));
    if (!entry(mapping, NULL, &name))
      return inf_fail(f, HF_ENOTFOUND, "ValueError", "No provider serves model %s; see `hf inference models`.",
                      f->model);
    f->provider = name;
  }
  TRY(open_provider(f));
  if ((f->pv->flags & HF_PV_ROUTER_ONLY) && !f->model)
    return inf_fail(f, HF_EINVAL, "ValueError", "Specifying a model is required when provider is 'auto'.");
  TRY(inf_choose_key(f));
  if (f->pv->flags & HF_PV_HUB_MODELS) return hub_model(f);
  if (f->pv->flags & (HF_PV_DIRECT_ONLY | HF_PV_ROUTER_ONLY)) {
    f->id = f->model;
    return f->id ? HF_OK : inf_fail(f, HF_EINVAL, "ValueError", "Please provide a model of %s.", f->provider);
  }
  return map_model(f);
}
