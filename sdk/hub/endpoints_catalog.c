/* endpoints_catalog.c - `hf endpoints catalog`: models with recipes that were tried out, and serving one by its recipe.
 * One row for each recipe; a model's first one is taken when only the model is named.
 * Both ask another host than the endpoints themselves. */
#include "endpoints.h"
#include "jobs.h"

#include <string.h>

static hf_status show_models(hf_call *c, hf_out *out, const json_t *items, const char **first) {
  size_t i, k;
  json_t *model, *recipe;
  json_array_foreach((json_t *)(uintptr_t)items, i, model) {
    json_array_foreach(json_object_get(model, "recipes"), k, recipe) {
      const char *id = hf_hub_get(recipe, "publicId");
      if (!id || !hf_hub_get(model, "repoId"))
        return hf_hub_fail(c, HF_EPROTO, NULL, "The catalog lists a recipe without a name; check HF_URL_REWRITE.");
      if (!*first && !(*first = hf_host()->intern(c, id, SIZE_MAX))) return HF_ENOMEM;
      TRY(hf_hub_record(
          out, c, HF_OUT_ITEM,
          json_pack("{s:O?, s:O?, s:O?, s:O?, s:O?, s:O?, s:s}", "repo_id", json_object_get(model, "repoId"), "task",
                    json_object_get(model, "task"), "license", json_object_get(model, "license"), "accelerator",
                    json_object_get(recipe, "accelerator"), "engine", json_object_get(recipe, "engineType"),
                    "gguf_file", json_object_get(recipe, "ggufFile"), "recipe_id", id)));
    }
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

hf_status hf_hub_endpoints_catalog(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.catalog.list");
  struct hf_hub hub, there;
  json_t *answer = NULL;
  const char *first = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_hub_experimental(&hub, "list_inference_catalog");
  there = hub;
  there.endpoint = HF_ENDPOINTS_CATALOG;
  const char *url = hf_hub_url(&there, row->task.routes, args);
  hf_status st = hf_hub_endpoints_ask(&hub, "GET", url, NULL, &answer);
  if (st != HF_OK) return hf_hub_endpoints_failed(c, row->failed, st);
  const json_t *items = json_object_get(answer, "items");
  if (!json_is_array(items))
    st = hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s holds no list; check proxies and HF_URL_REWRITE.", url);
  if (st == HF_OK) st = show_models(c, out, items, &first);
  json_decref(answer);
  return st == HF_OK && first ? hf_hub_hint(&hub, "Deploy one with: hf endpoints catalog deploy --recipe %s", first)
                              : st;
}

static void set_text(json_t *object, const char *key, const char *value) {
  if (value) json_object_set_new(object, key, json_string(value));
}

hf_status hf_hub_endpoints_from_catalog(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "endpoints.catalog.deploy");
  const char *repo = hf_hub_arg(args, "repo"), *recipe = hf_hub_arg(args, "recipe"), *name = hf_hub_arg(args, "name");
  const char *accelerator = hf_hub_arg(args, "accelerator"), *gguf = hf_hub_arg(args, "gguf_file"), *space;
  struct hf_hub hub, there;
  json_t *answer = NULL;
  (void)state;
  if (!repo == !recipe)
    return hf_hub_refuse(c, "Provide exactly one of --repo or --recipe. List recipes with 'hf endpoints catalog ls'.");
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_hub_experimental(&hub, "create_inference_endpoint_from_catalog");
  if (repo) TRY(hf_hub_check_repo(c, repo));
  if (recipe && (accelerator || gguf))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "`accelerator` and `gguf_file` cannot be used with `recipe_id`, which already is a recipe.");
  hf_status st = hf_hub_endpoints_space(&hub, args, &space);
  if (st != HF_OK) return hf_hub_endpoints_failed(c, row->failed, st);
  there = hub;
  there.endpoint = HF_ENDPOINTS_CATALOG;
  const char *url = hf_hub_url(&there, &row->task.routes[repo != NULL], args);
  json_t *body = json_pack("{s:s}", "namespace", space);
  if (name) json_object_set_new(body, "config", json_pack("{s:s}", "name", name));
  set_text(body, "accelerator", accelerator);
  set_text(body, "ggufFile", gguf);
  st = hf_hub_endpoints_ask(&hub, "POST", url, body, &answer);
  if (st != HF_OK) return hf_hub_endpoints_failed(c, row->failed, st);
  json_t *made = json_object_get(answer, "endpoint");
  const char *called = hf_hub_get(made, "name");
  if (!called)
    st = hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s describes no endpoint; check proxies and HF_URL_REWRITE.",
                     url);
  if (st == HF_OK) st = hf_hub_record(out, c, HF_OUT_DICT, json_incref(made));
  if (st == HF_OK) st = hf_hub_hint(&hub, "Use 'hf endpoints describe %s' to check the deployment status.", called);
  json_decref(answer);
  return st;
}
