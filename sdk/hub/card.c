/* card.c - a card's metadata as the reference's card classes give it back: declared members first, the rest in order,
 * tags once, a model-index taken apart and put together again by task and dataset.
 * Null members are left out at every depth. */
#include "hub.h"

#include <string.h>

static const char *const model_first[] = {
    "base_model",   "datasets", "eval_results", "language",     "library_name", "license", "license_name",
    "license_link", "metrics",  "model_name",   "pipeline_tag", "tags",         NULL};
static const char *const dataset_first[] = {"annotations_creators",
                                            "language_creators",
                                            "language",
                                            "license",
                                            "multilinguality",
                                            "size_categories",
                                            "source_datasets",
                                            "task_categories",
                                            "task_ids",
                                            "paperswithcode_id",
                                            "pretty_name",
                                            "config_names",
                                            NULL};
static const char *const space_first[] = {"title",    "sdk",      "sdk_version", "python_version",
                                          "app_file", "app_port", "license",     "duplicated_from",
                                          "models",   "datasets", "tags",        NULL};

static bool listed(const char *const *names, const char *name) {
  for (; *names; names++)
    if (!strcmp(*names, name)) return true;
  return false;
}

/* A list (one text counts as one) with later copies dropped. */
static json_t *distinct(const json_t *tags) {
  json_t *out = json_array(), *item, *have;
  size_t i, k;
  if (json_is_string(tags)) json_array_append(out, (json_t *)(uintptr_t)tags);
  if (!json_is_array(tags)) return out;
  json_array_foreach(tags, i, item) {
    bool seen = false;
    json_array_foreach(out, k, have) seen |= json_equal(have, item) != 0;
    if (!seen) json_array_append(out, item);
  }
  return out;
}

static bool set_if(json_t *object, const char *key, json_t *value) {
  return !value || json_is_null(value) || !json_object_set(object, key, value);
}

struct part { /* of a result: what makes two results the same */
  json_t *task_type, *type, *config, *split, *revision;
};

static bool same(json_t *a, json_t *b) {
  bool none_a = !a || json_is_null(a), none_b = !b || json_is_null(b);
  return none_a || none_b ? none_a == none_b : json_equal(a, b) != 0;
}

static bool same_part(const json_t *made, const struct part *p) {
  json_t *d = json_object_get(made, "dataset");
  return same(json_object_get(json_object_get(made, "task"), "type"), p->task_type) &&
         same(json_object_get(d, "type"), p->type) && same(json_object_get(d, "config"), p->config) &&
         same(json_object_get(d, "split"), p->split) && same(json_object_get(d, "revision"), p->revision);
}

static json_t *copy_members(json_t *from, const char *const *names) {
  json_t *out = json_object();
  for (; out && *names; names++) set_if(out, *names, json_object_get(from, *names));
  return out;
}

/* One result of the index; its metrics join an earlier result of the same task and dataset. False: not as it must be. */
static bool add_result(json_t *results, json_t *result) {
  static const char *const of_task[] = {"type", "name", NULL};
  static const char *const of_dataset[] = {"name", "type", "config", "split", "revision", "args", NULL};
  static const char *const of_metric[] = {"type", "value", "name", "config", "args", "verified", "verifyToken", NULL};
  json_t *task = json_object_get(result, "task"), *dataset = json_object_get(result, "dataset");
  json_t *metrics = json_object_get(result, "metrics"), *source = json_object_get(result, "source"), *made = NULL,
         *item;
  struct part p = {json_object_get(task, "type"), json_object_get(dataset, "type"), json_object_get(dataset, "config"),
                   json_object_get(dataset, "split"), json_object_get(dataset, "revision")};
  size_t i;
  if (!p.task_type || !p.type || !json_object_get(dataset, "name") || !json_is_array(metrics)) return false;
  json_array_foreach(metrics, i,
                     item) if (!json_object_get(item, "type") || !json_object_get(item, "value")) return false;
  if (!json_array_size(metrics)) return true;
  json_array_foreach(results, i, item) if (same_part(item, &p)) made = item;
  if (!made) {
    made = json_object();
    json_object_set_new(made, "task", copy_members(task, of_task));
    json_object_set_new(made, "dataset", copy_members(dataset, of_dataset));
    json_object_set_new(made, "metrics", json_array());
    json_t *url = json_object_get(source, "url");
    if (url && !json_is_null(url)) {
      json_t *where = json_object();
      json_object_set(where, "url", url);
      set_if(where, "name", json_object_get(source, "name"));
      json_object_set_new(made, "source", where);
    }
    json_array_append_new(results, made);
  }
  json_array_foreach(metrics, i, item)
      json_array_append_new(json_object_get(made, "metrics"), copy_members(item, of_metric));
  return true;
}

/* The index of a model card, normal form; NULL: it is not one, and is left out. */
static json_t *model_index(const json_t *index) {
  json_t *results = json_array(), *element, *result, *name = NULL;
  size_t i, k;
  bool ok = json_is_array(index) && json_array_size(index);
  if (ok) json_array_foreach(index, i, element) {
      json_t *list = json_object_get(element, "results");
      name = json_object_get(element, "name");
      ok = ok && name && json_is_array(list);
      json_array_foreach(list, k, result) ok = ok && add_result(results, result);
    }
  if (!ok) return json_decref(results), NULL;
  json_t *out = json_array(), *whole = json_object();
  set_if(whole, "name", name);
  json_object_set_new(whole, "results", results);
  json_array_append_new(out, whole);
  return out;
}

static json_t *shape(const char *type, json_t *raw) {
  bool is_model = !strcmp(type, "model"), is_dataset = !strcmp(type, "dataset");
  const char *const *first = is_model ? model_first : is_dataset ? dataset_first : space_first;
  json_t *out = json_object(), *value, *index = is_model ? model_index(json_object_get(raw, "model-index")) : NULL;
  const char *key;
  for (const char *const *name = first; out && *name; name++) {
    value = json_object_get(raw, *name);
    if (!value || json_is_null(value)) continue;
    if (!is_dataset && !strcmp(*name, "tags"))
      json_object_set_new(out, *name, distinct(value));
    else
      json_object_set(out, *name, value);
  }
  json_t *train = is_dataset ? json_object_get(raw, "train-eval-index") : NULL;
  json_object_foreach(raw, key, value) {
    if (listed(first, key) || (is_model && !strcmp(key, "model-index")) || (train && !strcmp(key, "train-eval-index")))
      continue;
    set_if(out, key, value);
  }
  if (train) set_if(out, "train-eval-index", train);
  if (index) {
    json_object_del(out, "eval_results");
    json_object_del(out, "model_name");
    json_object_set_new(out, "model-index", index);
  }
  return out;
}

json_t *hf_hub_shape_card(const char *type, const json_t *raw) {
  json_t *ordered = json_is_object(raw) ? shape(type, (json_t *)(uintptr_t)raw) : json_incref((json_t *)(uintptr_t)raw);
  json_t *out = ordered ? hf_hub_without_null(ordered) : NULL;
  json_decref(ordered);
  return out;
}

json_t *hf_hub_order_card(const char *type, const json_t *raw, bool *bad) {
  const json_t *index = strcmp(type, "model") ? NULL : json_object_get(raw, "model-index");
  json_t *out = shape(type, (json_t *)(uintptr_t)raw), *made = index ? json_object_get(out, "model-index") : NULL;
  *bad = !made && (json_array_size(index) || json_object_size(index) || json_is_string(index) || json_is_number(index));
  if (made) json_object_set_new(out, "model-index", hf_hub_without_null(made));
  return out;
}
