/* endpoints_deploy.c - `hf endpoints deploy` and `update`: the description of an endpoint, put together from the command line.
 * Where a value goes is a row of a table; the image that runs and how a model is spread over accelerators have functions.
 * Passwords and secrets are in the request's body and nowhere else. */
#include "endpoints.h"

#include <string.h>

/* ---- the body ------------------------------------------------------------------------------------------------------------- */

struct place {
  const char *at, *arg; /* "compute/scaling/maxReplica" */
  bool always;          /* null when it is not given */
};

/* Takes value in every case. */
static hf_status put(hf_call *c, json_t *body, const char *at, json_t *value) {
  while (body && value) {
    size_t n = strcspn(at, "/");
    const char *key = hf_host()->intern(c, at, n);
    if (!key) break;
    if (!at[n]) return json_object_set_new(body, key, value) ? HF_ENOMEM : HF_OK;
    json_t *next = json_object_get(body, key);
    if (!next && json_object_set_new(body, key, next = json_object())) break;
    body = next;
    at += n + 1;
  }
  json_decref(value);
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "What is given for \"%s\" is not UTF-8.", at);
}

static hf_status put_all(hf_call *c, const struct hf_task *task, const hf_args *args, json_t *body,
                         const struct place *rows, size_t n) {
  for (size_t i = 0; i < n; i++) {
    json_t *value = hf_hub_arg_value(task, args, rows[i].arg);
    if (!value && hf_hub_arg(args, rows[i].arg))
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "What is given for \"%s\" is not UTF-8.", rows[i].arg);
    if (!value && rows[i].always) value = json_null();
    if (value) TRY(put(c, body, rows[i].at, value));
  }
  return HF_OK;
}

static hf_status put_measure(hf_call *c, const struct hf_task *task, const hf_args *args, json_t *body) {
  const char *metric = hf_hub_arg(args, "scaling_metric");
  json_t *threshold = metric ? hf_hub_arg_value(task, args, "scaling_threshold") : NULL;
  if (!metric) return HF_OK;
  return put(c, body, "compute/scaling/measure", json_pack("{s:o}", metric, threshold ? threshold : json_null()));
}

/* A line as words; empty: only where it is said to count. */
static hf_status put_words(hf_call *c, const hf_args *args, json_t *body, bool empty) {
  static const struct place lines[] = {{"model/command", "container_command", false},
                                       {"model/args", "container_args", false}};
  for (size_t i = 0; i < HF_COUNT(lines); i++) {
    const char *text = hf_hub_arg(args, lines[i].arg);
    json_t *words;
    if (!text || (!*text && !empty)) continue;
    TRY(hf_hub_shell_split(c, text, &words));
    TRY(put(c, body, lines[i].at, words));
  }
  return HF_OK;
}

static hf_status put_map(struct hf_hub *hub, const hf_args *args, json_t *body, const char *name) {
  json_t *map;
  TRY(hf_hub_env_object(hub, args, name, &map));
  const char *at = hf_hub_text(hub->call, "model/%s", name);
  if (json_object_size(map) && at) return put(hub->call, body, at, map);
  json_decref(map);
  return at ? HF_OK : HF_ENOMEM;
}

/* ---- the image -------------------------------------------------------------------------------------------------------------- */

static const struct {
  const char *engine, *key;
} engines[] = {{"custom", "custom"},        {"hf-serve", "hfServe"}, {"llamacpp", "llamacpp"},
               {"sglang", "sGLang"},        {"tei", "tei"},          {"tgi", "tgi"},
               {"tgi-neuron", "tgiNeuron"}, {"vllm", "vLLM"},        {"vllm-neuron", "vLLMNeuron"}};

static const struct {
  const char *option, *arg;
} about_image[] = {{"--engine", "engine"},
                   {"--health-route", "health_route"},
                   {"--port", "port"},
                   {"--container-registry-username", "container_registry_username"},
                   {"--container-registry-password", "container_registry_password"},
                   {"--tensor-parallel-size", "tensor_parallel_size"},
                   {"--data-parallel-size", "data_parallel_size"}};

static const struct {
  const char *arg, *key;
  const char *known[2]; /* engines that have it */
  const char *list;
} spread[] = {{"tensor_parallel_size", "tensorParallelSize", {"sGLang", "vLLM"}, "sGLang, vLLM"},
              {"data_parallel_size", "dataParallelSize", {"vLLM", NULL}, "vLLM"}};

static bool spreads(const hf_args *args) {
  return hf_hub_arg(args, spread[0].arg) || hf_hub_arg(args, spread[1].arg);
}

/* The sizes, in the description of the engine that the image has first; others are dropped. Replaces *image. */
static hf_status spread_image(struct hf_hub *hub, const struct hf_task *task, const hf_args *args, json_t **image) {
  void *first = json_object_iter(*image);
  if (!first)
    return hf_hub_fail(hub->call, HF_EINVAL, "ValueError",
                       "Cannot set the parallelism sizes: the image payload is empty.");
  const char *key = json_object_iter_key(first);
  json_t *settings = json_copy(json_object_iter_value(first));
  for (size_t i = 0; i < HF_COUNT(spread); i++) {
    json_t *value = hf_hub_arg_value(task, args, spread[i].arg);
    bool known = false;
    if (!value) continue;
    for (size_t k = 0; k < HF_COUNT(spread[i].known); k++)
      known |= spread[i].known[k] && !strcmp(key, spread[i].known[k]);
    if (!known)
      hf_hub_log(hub, HF_LOG_WARNING,
                 "UserWarning: `%s` is not a known setting of the '%s' image: the API will silently drop it. Engines "
                 "that support it: %s.",
                 spread[i].arg, key, spread[i].list);
    json_object_set_new(settings, spread[i].key, value);
  }
  json_t *made = json_pack("{s:o}", key, settings);
  json_decref(*image);
  *image = made;
  return made ? HF_OK : hf_hub_fail(hub->call, HF_EPROTO, NULL, "The image of the endpoint has no settings.");
}

/* What --custom-image and the options about it come to; *image NULL: nothing. sized: the sizes go into it. */
static hf_status custom_image(struct hf_hub *hub, const struct hf_task *task, const hf_args *args, bool sized,
                              json_t **image) {
  hf_call *c = hub->call;
  const char *url = hf_hub_arg(args, "custom_image"), *engine = hf_hub_arg(args, "engine"), *key = engine;
  const char *user = hf_hub_arg(args, "container_registry_username");
  *image = NULL;
  if (!url) {
    const char *used = "";
    for (size_t i = 0; used && i < (sized ? HF_COUNT(about_image) : 5); i++)
      if (hf_hub_arg(args, about_image[i].arg))
        used = hf_hub_text(c, "%s%s%s", used, *used ? ", " : "", about_image[i].option);
    if (!used) return HF_ENOMEM;
    return *used ? hf_hub_refuse(c, "--custom-image is required when using %s.", used) : HF_OK;
  }
  if (hf_hub_arg(args, "container_registry_password") && !user)
    return hf_hub_refuse(c, "--container-registry-password requires --container-registry-username.");
  if (engine && user)
    return hf_hub_refuse(c, "Container registry credentials can only be set for a custom container without --engine.");
  if (!engine && spreads(args))
    return hf_hub_refuse(c, "--tensor-parallel-size and --data-parallel-size require --engine (e.g. --engine vllm).");
  static const struct place rows[] = {
      {"url", "custom_image", false}, {"healthRoute", "health_route", false}, {"port", "port", false}};
  static const struct place who[] = {{"credentials/username", "container_registry_username", false},
                                     {"credentials/password", "container_registry_password", false}};
  json_t *settings = json_object();
  hf_status st = put_all(c, task, args, settings, rows, HF_COUNT(rows));
  if (st == HF_OK) st = put_all(c, task, args, settings, who, HF_COUNT(who));
  if (st != HF_OK) return json_decref(settings), st;
  for (size_t i = 0; engine && i < HF_COUNT(engines); i++)
    if (!strcmp(engines[i].engine, engine)) key = engines[i].key;
  *image = json_pack("{s:o}", engine ? key : "custom", settings);
  if (!*image) return HF_ENOMEM;
  return engine ? spread_image(hub, task, args, image) : HF_OK;
}

/* ---- deploy ------------------------------------------------------------------------------------------------------------------- */

static const struct place new_rows[] = {{"compute/accelerator", "accelerator", false},
                                        {"compute/instanceSize", "instance_size", false},
                                        {"compute/instanceType", "instance_type", false},
                                        {"compute/scaling/maxReplica", "max_replica", false},
                                        {"compute/scaling/minReplica", "min_replica", false},
                                        {"compute/scaling/scaleToZeroTimeout", "scale_to_zero_timeout", true},
                                        {"model/framework", "framework", false},
                                        {"model/repository", "repo", false},
                                        {"model/revision", "revision", true}};
static const struct place who_rows[] = {
    {"name", "name", false}, {"provider/region", "region", false}, {"provider/vendor", "vendor", false}};
static const struct place task_rows[] = {{"model/task", "task", false}};

static hf_status describe_new(struct hf_hub *hub, const struct hf_task *task, const hf_args *args, json_t *body) {
  hf_call *c = hub->call;
  const char *type = hf_hub_arg(args, "endpoint_type");
  json_t *image;
  TRY(custom_image(hub, task, args, true, &image));
  TRY(put_all(c, task, args, body, new_rows, HF_COUNT(new_rows)));
  TRY(put(c, body, "model/image", image ? image : json_pack("{s:{}}", "huggingface")));
  TRY(put_all(c, task, args, body, who_rows, HF_COUNT(who_rows)));
  TRY(put(c, body, "type", json_string(type ? type : "authenticated")));
  TRY(put_measure(c, task, args, body));
  TRY(put_all(c, task, args, body, task_rows, HF_COUNT(task_rows)));
  TRY(put_words(c, args, body, false));
  TRY(put_map(hub, args, body, "env"));
  return put_map(hub, args, body, "secrets");
}

hf_status hf_hub_endpoints_deploy(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.deploy");
  const char *type = hf_hub_arg(args, "endpoint_type"), *space, *url = NULL;
  struct hf_hub hub;
  json_t *body = json_object(), *answer = NULL;
  (void)state;
  hf_status st = body ? hf_hub_row_begin(&hub, c, args, out) : HF_ENOMEM;
  if (st == HF_OK) hf_hub_env_warn(c, out, args);
  if (st == HF_OK) st = describe_new(&hub, &row->task, args, body);
  if (st == HF_OK && type && !strcmp(type, "protected"))
    st = hf_hub_fail(c, HF_EINVAL, "ValueError",
                     "`type='protected'` is no longer supported. Use `type='authenticated'` instead.");
  if (st == HF_OK) st = hf_hub_endpoints_space(&hub, args, &space);
  if (st == HF_OK && !(url = hf_hub_endpoints_url(c, row->task.routes->path, space, NULL))) st = HF_ENOMEM;
  if (st != HF_OK) return json_decref(body), st;
  TRY(hf_hub_endpoints_ask(&hub, row->task.routes->method, url, body, &answer));
  TRY(hf_hub_endpoints_show(c, out, url, answer));
  return hf_hub_shown_hints(c, out, row, args);
}

/* ---- update -------------------------------------------------------------------------------------------------------------------- */

static const struct place compute_rows[] = {{"compute/accelerator", "accelerator", false},
                                            {"compute/instanceSize", "instance_size", false},
                                            {"compute/instanceType", "instance_type", false},
                                            {"compute/scaling/maxReplica", "max_replica", false},
                                            {"compute/scaling/minReplica", "min_replica", false},
                                            {"compute/scaling/scaleToZeroTimeout", "scale_to_zero_timeout", false}};
static const struct place model_rows[] = {{"model/repository", "repo", false},
                                          {"model/framework", "framework", false},
                                          {"model/revision", "revision", false},
                                          {"model/task", "task", false}};

/* The image that the endpoint runs now; one that is fetched with a password is not shown whole, so it cannot be sent back. */
static hf_status current_image(struct hf_hub *hub, const char *url, const char *name, json_t **image) {
  json_t *answer = NULL;
  TRY(hf_hub_endpoints_ask(hub, "GET", url, NULL, &answer));
  *image = json_incref(json_object_get(json_object_get(answer, "model"), "image"));
  json_decref(answer);
  if (!json_is_object(*image)) {
    json_decref(*image);
    *image = json_object();
  }
  void *first = json_object_iter(*image);
  if (!first || !json_object_get(json_object_iter_value(first), "credentials")) return HF_OK;
  json_decref(*image);
  *image = NULL;
  return hf_hub_fail(hub->call, HF_EINVAL, "ValueError",
                     "Endpoint '%s' runs an image with registry credentials, which cannot be safely round-tripped. "
                     "Pass the full image explicitly to set the parallelism sizes.",
                     name);
}

static hf_status describe_change(struct hf_hub *hub, const struct hf_task *task, const hf_args *args, const char *url,
                                 json_t *image, json_t *body) {
  hf_call *c = hub->call;
  hf_status st = put_all(c, task, args, body, compute_rows, HF_COUNT(compute_rows));
  if (st == HF_OK) st = put_measure(c, task, args, body);
  if (st == HF_OK) st = put_all(c, task, args, body, model_rows, HF_COUNT(model_rows));
  if (st == HF_OK && !image && spreads(args)) {
    st = current_image(hub, url, hf_hub_arg(args, "name"), &image);
    if (st == HF_OK) st = spread_image(hub, task, args, &image);
  }
  if (st != HF_OK) return json_decref(image), st;
  if (image) TRY(put(c, body, "model/image", image));
  return put_words(c, args, body, true);
}

hf_status hf_hub_endpoints_update(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.update");
  const char *space, *url = NULL;
  struct hf_hub hub;
  json_t *image = NULL, *body = json_object(), *answer = NULL;
  (void)state;
  hf_status st = body ? hf_hub_row_begin(&hub, c, args, out) : HF_ENOMEM;
  if (st == HF_OK) st = custom_image(&hub, &row->task, args, false, &image);
  if (st == HF_OK) st = hf_hub_endpoints_space(&hub, args, &space);
  if (st == HF_OK && !(url = hf_hub_endpoints_url(c, row->task.routes->path, space, hf_hub_arg(args, "name"))))
    st = HF_ENOMEM;
  if (st == HF_OK)
    st = describe_change(&hub, &row->task, args, url, image, body);
  else
    json_decref(image);
  if (st == HF_OK)
    st = hf_hub_endpoints_ask(&hub, row->task.routes->method, url, body, &answer);
  else
    json_decref(body);
  if (st == HF_OK) st = hf_hub_endpoints_show(c, out, url, answer);
  return hf_hub_endpoints_failed(c, row->failed, st);
}
