/* shape.c - answers of the Hub -> the fields of the reference's data classes: names in snake case, in declared order,
 * dates as Python prints them, absent values left out. One row per field; what a row cannot say has a function.
 * Unknown members of an answer are dropped, as the reference drops them when it prints. */
#include "hub.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- small pieces --------------------------------------------------------------------------------------------------- */

json_t *hf_hub_without_null(const json_t *v) {
  if (json_is_object(v)) {
    json_t *out = json_object(), *member;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)v, key, member) {
      if (!json_is_null(member) && json_object_set_new(out, key, hf_hub_without_null(member)))
        return json_decref(out), NULL;
    }
    return out;
  }
  if (json_is_array(v)) {
    json_t *out = json_array(), *item;
    size_t i;
    json_array_foreach(v, i, item) {
      if (json_array_append_new(out, hf_hub_without_null(item))) return json_decref(out), NULL;
    }
    return out;
  }
  return json_incref((json_t *)(uintptr_t)v);
}

/* Python's truth. */
static bool truthy(const json_t *v) {
  if (!v || json_is_null(v) || json_is_false(v)) return false;
  if (json_is_string(v)) return json_string_length(v) > 0;
  if (json_is_integer(v)) return json_integer_value(v) != 0;
  if (json_is_real(v)) return json_real_value(v) < 0 || json_real_value(v) > 0;
  if (json_is_array(v)) return json_array_size(v) > 0;
  return !json_is_object(v) || json_object_size(v) > 0;
}

static bool digits(const char *s, int n, int low, int high) {
  int v = 0;
  for (int i = 0; i < n; i++) {
    if (!isdigit((unsigned char)s[i])) return false;
    v = v * 10 + (s[i] - '0');
  }
  return v >= low && v <= high;
}

/* "2024-05-01T10:00:00[.f]Z" -> isoformat() of it, in UTC. */
hf_status hf_hub_shape_date(hf_call *c, const char *text, json_t **out) {
  size_t n = strlen(text), frac = 0;
  bool ok = n >= 20 && digits(text, 4, 1, 9999) && text[4] == '-' && digits(text + 5, 2, 1, 12) && text[7] == '-' &&
            digits(text + 8, 2, 1, 31) && text[10] == 'T' && digits(text + 11, 2, 0, 23) && text[13] == ':' &&
            digits(text + 14, 2, 0, 59) && text[16] == ':' && digits(text + 17, 2, 0, 61) && text[n - 1] == 'Z';
  char micro[7] = "000000";
  if (ok && text[19] == '.') {
    for (const char *s = text + 20; s < text + n - 1; s++, frac++) {
      if (!isdigit((unsigned char)*s))
        ok = false;
      else if (frac < 6)
        micro[frac] = *s;
    }
  } else if (ok) {
    ok = n == 20;
  }
  if (!ok)
    return hf_hub_fail(
        c, HF_EPROTO, "ValueError",
        "Cannot parse '%.64s' as a datetime. Date string is expected to follow '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ' pattern.",
        text);
  char iso[48];
  if (strcmp(micro, "000000") != 0)
    snprintf(iso, sizeof iso, "%.19s.%s+00:00", text, micro);
  else
    snprintf(iso, sizeof iso, "%.19s+00:00", text);
  *out = json_string(iso);
  return *out ? HF_OK : HF_ENOMEM;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

/* "user/name": a member of a member. */
static const json_t *member_at(const json_t *v, const char *path) {
  char key[64];
  while (v) {
    size_t n = strcspn(path, "/");
    if (n >= sizeof key) return NULL;
    memcpy(key, path, n);
    key[n] = 0;
    v = json_object_get(v, key);
    if (!path[n]) break;
    path += n + 1;
  }
  return v;
}

static hf_status shape_value(hf_call *c, const struct hf_hub_field *f, const json_t *raw, const json_t *v,
                             json_t **out) {
  size_t i;
  json_t *item, *made;
  if (f->shape) return f->shape(c, raw, v, out);
  if (f->fields && json_is_array(v)) {
    *out = json_array();
    json_array_foreach((json_t *)(uintptr_t)v, i, item) {
      TRY(hf_hub_shape_fields(c, f->fields, f->field_count, item, &made));
      if (json_array_append_new(*out, made)) return HF_ENOMEM;
    }
    return *out ? HF_OK : HF_ENOMEM;
  }
  if (f->fields) return hf_hub_shape_fields(c, f->fields, f->field_count, v, out);
  *out = hf_hub_without_null(v);
  return *out ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_shape_fields(hf_call *c, const struct hf_hub_field *rows, size_t n, const json_t *raw, json_t **out) {
  if (!json_is_object(raw))
    return hf_hub_fail(
        c, HF_EPROTO, NULL,
        "The Hub's answer holds something that is no object where a description was due; check HF_ENDPOINT.");
  *out = json_object();
  for (size_t i = 0; *out && i < n; i++) {
    const struct hf_hub_field *f = &rows[i];
    const json_t *v = member_at(raw, f->from ? f->from : f->name);
    json_t *made = NULL;
    if (f->or_from && !truthy(v)) v = member_at(raw, f->or_from);
    if (f->or_from && !truthy(v)) v = NULL;
    if (f->needed && !v) {
      json_decref(*out);
      *out = NULL;
      return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub's answer lacks \"%s\"; check HF_ENDPOINT.",
                         f->from ? f->from : f->name);
    }
    if (!v || json_is_null(v)) {
      if (f->deflt) json_object_set_new(*out, f->name, json_loads(f->deflt, JSON_DECODE_ANY, NULL));
      continue;
    }
    hf_status st = shape_value(c, f, raw, v, &made);
    if (st != HF_OK) {
      json_decref(*out);
      *out = NULL;
      return st;
    }
    if (made && !json_is_null(made)) json_object_set(*out, f->name, made);
    json_decref(made);
  }
  return *out ? HF_OK : HF_ENOMEM;
}

static hf_status shape_list(hf_call *c, const struct hf_hub_field *rows, size_t n, const json_t *list, json_t **out) {
  *out = json_array();
  size_t i;
  json_t *item, *made;
  json_array_foreach(list, i, item) {
    hf_status st = hf_hub_shape_fields(c, rows, n, item, &made);
    if (st != HF_OK) return json_decref(*out), *out = NULL, st;
    json_array_append_new(*out, made);
  }
  return *out ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_field_date(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  const char *s = json_string_value(v);
  return s ? hf_hub_shape_date(c, s, out)
           : hf_hub_fail(c, HF_EPROTO, "ValueError", "The Hub sent a date that is no text; check HF_ENDPOINT.");
}

/* The reference takes 0, "" and {} for absent here. */
static hf_status if_true(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = truthy(v) ? hf_hub_without_null(v) : NULL;
  return HF_OK;
}

static const struct hf_hub_field lfs_rows[] = {{.name = "size", .needed = true},
                                               {.name = "sha256", .needed = true},
                                               {.name = "pointer_size", .from = "pointerSize", .needed = true}};
static hf_status sibling_lfs(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return truthy(v) ? hf_hub_shape_fields(c, lfs_rows, HF_COUNT(lfs_rows), v, out) : HF_OK;
}

static const struct hf_hub_field sibling_rows[] = {{.name = "rfilename", .needed = true},
                                                   {.name = "size"},
                                                   {.name = "blob_id", .from = "blobId"},
                                                   {.name = "lfs", .shape = sibling_lfs}};
static hf_status siblings(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return shape_list(c, sibling_rows, HF_COUNT(sibling_rows), v, out);
}

static const struct hf_hub_field transformers_rows[] = {
    {.name = "auto_model"}, {.name = "custom_class"}, {.name = "pipeline_tag"}, {.name = "processor"}};
static hf_status transformers(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return hf_hub_shape_fields(c, transformers_rows, HF_COUNT(transformers_rows), v, out);
}

static const struct hf_hub_field safetensors_rows[] = {{.name = "parameters", .needed = true},
                                                       {.name = "total", .needed = true}};
static hf_status safetensors(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return truthy(v) ? hf_hub_shape_fields(c, safetensors_rows, HF_COUNT(safetensors_rows), v, out) : HF_OK;
}

/* {"data": {..}} or {..} -> an entry; what failed the server's checks is left out. */
static hf_status evals(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct {
    const char *name, *group, *from;
  } rows[] = {{"dataset_id", "dataset", "id"},
              {"task_id", "dataset", "task_id"},
              {"value", NULL, "value"},
              {"dataset_revision", "dataset", "revision"},
              {"verify_token", NULL, "verifyToken"},
              {"date", NULL, "date"},
              {"source_url", "source", "url"},
              {"source_name", "source", "name"},
              {"source_user", "source", "user"},
              {"source_org", "source", "org"},
              {"notes", NULL, "notes"}};
  size_t i;
  json_t *item;
  (void)c, (void)whole;
  if (!truthy(v)) return HF_OK;
  *out = json_array();
  json_array_foreach(v, i, item) {
    if (json_object_get(item, "error")) continue;
    json_t *data = json_object_get(item, "data"), *entry = json_object();
    if (!data) data = item;
    for (size_t k = 0; k < HF_COUNT(rows); k++) {
      json_t *group = rows[k].group ? json_object_get(data, rows[k].group) : data,
             *value = json_object_get(group, rows[k].from);
      if (value && !json_is_null(value)) json_object_set_new(entry, rows[k].name, hf_hub_without_null(value));
    }
    json_array_append_new(*out, entry);
  }
  return *out ? HF_OK : HF_ENOMEM;
}

/* A list, or an object by provider: always a list. */
static hf_status providers(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field rows[] = {{.name = "provider"},
                                             {.name = "hf_model_id"},
                                             {.name = "provider_id", .from = "providerId"},
                                             {.name = "status"},
                                             {.name = "task"},
                                             {.name = "adapter"},
                                             {.name = "adapter_weights_path", .from = "adapterWeightsPath"},
                                             {.name = "type"}};
  json_t *list = json_is_array(v) ? json_copy((json_t *)(uintptr_t)v) : json_array(), *item;
  const char *name;
  if (json_is_object(v)) json_object_foreach((json_t *)(uintptr_t)v, name, item) {
      json_t *copy = json_copy(item);
      json_object_set_new(copy, "provider", json_string(name));
      json_array_append_new(list, copy);
    }
  *out = json_array();
  size_t i;
  hf_status st = *out && list ? HF_OK : HF_ENOMEM;
  if (st == HF_OK) json_array_foreach(list, i, item) {
      json_t *copy = json_copy(item), *made = NULL;
      json_object_set(copy, "hf_model_id", json_object_get(whole, "id"));
      st = hf_hub_shape_fields(c, rows, HF_COUNT(rows), copy, &made);
      json_decref(copy);
      if (st != HF_OK) break;
      json_array_append_new(*out, made);
    }
  json_decref(list);
  if (st != HF_OK) json_decref(*out), *out = NULL;
  return st;
}

static hf_status hot_reloading(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field rows[] = {{.name = "status"},
                                             {.name = "replica_statuses", .from = "replicaStatuses"}};
  (void)whole;
  TRY(hf_hub_shape_fields(c, rows, HF_COUNT(rows), v, out));
  json_object_set_new(*out, "raw", hf_hub_without_null(v));
  return HF_OK;
}

static hf_status volumes(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field rows[] = {{.name = "type"},
                                             {.name = "source"},
                                             {.name = "mount_path", .from = "mountPath", .or_from = "mount_path"},
                                             {.name = "revision"},
                                             {.name = "read_only", .from = "readOnly"},
                                             {.name = "path"}};
  (void)whole;
  return shape_list(c, rows, HF_COUNT(rows), v, out);
}

static hf_status current(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = json_incref(json_object_get(v, "current"));
  return HF_OK;
}

static hf_status runtime(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field rows[] = {{.name = "stage"},
                                             {.name = "hardware", .shape = current},
                                             {.name = "requested_hardware", .from = "hardware"},
                                             {.name = "sleep_time", .from = "gcTimeout"},
                                             {.name = "storage"},
                                             {.name = "dev_mode", .from = "devMode"},
                                             {.name = "hot_reloading", .from = "hotReloading", .shape = hot_reloading},
                                             {.name = "volumes", .shape = volumes}};
  (void)whole;
  if (!truthy(v)) return HF_OK;
  json_t *seen = json_copy((json_t *)(uintptr_t)v);
  if (!json_object_get(seen, "devMode")) json_object_set_new(seen, "devMode", json_false());
  hf_status st = hf_hub_shape_fields(c, rows, HF_COUNT(rows), seen, out);
  json_decref(seen);
  if (st != HF_OK) return st;
  json_t *requested = json_object_get(json_object_get(v, "hardware"), "requested");
  if (json_is_string(requested))
    json_object_set(*out, "requested_hardware", requested);
  else
    json_object_del(*out, "requested_hardware");
  json_object_set_new(*out, "raw", hf_hub_without_null(v));
  return HF_OK;
}

static hf_status model_card(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = hf_hub_shape_card("model", v);
  return *out ? HF_OK : HF_ENOMEM;
}
static hf_status dataset_card(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = hf_hub_shape_card("dataset", v);
  return *out ? HF_OK : HF_ENOMEM;
}
static hf_status space_card(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = hf_hub_shape_card("space", v);
  return *out ? HF_OK : HF_ENOMEM;
}

/* ---- the classes -------------------------------------------------------------------------------------------------------- */

#define ID \
  { .name = "id", .needed = true }
#define CREATED \
  { .name = "created_at", .from = "createdAt", .or_from = "created_at", .shape = hf_hub_field_date }
#define MODIFIED \
  { .name = "last_modified", .from = "lastModified", .or_from = "last_modified", .shape = hf_hub_field_date }
#define CARD(f) \
  { .name = "card_data", .from = "cardData", .or_from = "card_data", .shape = f }
#define SIBLINGS \
  { .name = "siblings", .shape = siblings }
#define GROUP \
  { .name = "resource_group", .from = "resourceGroup" }
#define TREND \
  { .name = "trending_score", .from = "trendingScore" }
#define STORAGE \
  { .name = "used_storage", .from = "usedStorage" }

static const struct hf_hub_field model_rows[] = {
    ID,
    {.name = "author"},
    {.name = "base_models", .from = "baseModels"},
    CARD(model_card),
    {.name = "children_model_count", .from = "childrenModelCount"},
    {.name = "config"},
    CREATED,
    {.name = "disabled"},
    {.name = "downloads"},
    {.name = "downloads_all_time", .from = "downloadsAllTime"},
    {.name = "eval_results", .from = "evalResults", .shape = evals},
    {.name = "gated"},
    {.name = "gguf"},
    {.name = "inference"},
    {.name = "inference_provider_mapping", .from = "inferenceProviderMapping", .shape = providers},
    MODIFIED,
    {.name = "library_name"},
    {.name = "likes"},
    {.name = "mask_token"},
    {.name = "model_index", .from = "model-index", .or_from = "model_index", .shape = if_true},
    {.name = "pipeline_tag"},
    {.name = "private"},
    GROUP,
    {.name = "safetensors", .shape = safetensors},
    {.name = "security_repo_status", .from = "securityRepoStatus"},
    {.name = "sha"},
    SIBLINGS,
    {.name = "spaces"},
    {.name = "tags"},
    {.name = "transformers_info", .from = "transformersInfo", .or_from = "transformers_info", .shape = transformers},
    TREND,
    STORAGE,
    {.name = "widget_data", .from = "widgetData"}};
static const struct hf_hub_field dataset_rows[] = {ID,
                                                   {.name = "author"},
                                                   CARD(dataset_card),
                                                   {.name = "citation"},
                                                   CREATED,
                                                   {.name = "description"},
                                                   {.name = "disabled"},
                                                   {.name = "downloads"},
                                                   {.name = "downloads_all_time", .from = "downloadsAllTime"},
                                                   {.name = "gated"},
                                                   MODIFIED,
                                                   {.name = "likes"},
                                                   {.name = "main_size", .from = "mainSize"},
                                                   {.name = "paperswithcode_id"},
                                                   {.name = "private"},
                                                   GROUP,
                                                   {.name = "sha"},
                                                   SIBLINGS,
                                                   {.name = "tags"},
                                                   TREND,
                                                   STORAGE};
static const struct hf_hub_field space_rows[] = {ID,
                                                 {.name = "author"},
                                                 CARD(space_card),
                                                 CREATED,
                                                 {.name = "datasets"},
                                                 {.name = "disabled"},
                                                 {.name = "gated"},
                                                 {.name = "host"},
                                                 MODIFIED,
                                                 {.name = "likes"},
                                                 {.name = "models"},
                                                 {.name = "private"},
                                                 {.name = "region"},
                                                 GROUP,
                                                 {.name = "runtime", .shape = runtime},
                                                 {.name = "sdk"},
                                                 {.name = "sha"},
                                                 SIBLINGS,
                                                 {.name = "subdomain"},
                                                 {.name = "tags"},
                                                 TREND,
                                                 STORAGE};
static const struct hf_hub_field kernel_rows[] = {
    ID,       {.name = "author"}, {.name = "downloads"}, {.name = "gated"},
    MODIFIED, {.name = "likes"},  {.name = "private"},   {.name = "sha"}};

hf_status hf_hub_shape_info(hf_call *c, const char *type, const json_t *raw, json_t **out) {
  static const struct {
    const char *type;
    const struct hf_hub_field *rows;
    size_t n;
  } classes[] = {{"model", model_rows, HF_COUNT(model_rows)},
                 {"dataset", dataset_rows, HF_COUNT(dataset_rows)},
                 {"space", space_rows, HF_COUNT(space_rows)},
                 {"kernel", kernel_rows, HF_COUNT(kernel_rows)}};
  for (size_t i = 0; i < HF_COUNT(classes); i++)
    if (!strcmp(classes[i].type, type)) return hf_hub_shape_fields(c, classes[i].rows, classes[i].n, raw, out);
  return hf_hub_check_type(c, type);
}

/* ---- files, folders and commits of a repo --------------------------------------------------------------------------------- */

static const struct hf_hub_field entry_lfs_rows[] = {{.name = "size", .needed = true},
                                                     {.name = "sha256", .from = "oid", .needed = true},
                                                     {.name = "pointer_size", .from = "pointerSize", .needed = true}};
static hf_status entry_lfs(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return hf_hub_shape_fields(c, entry_lfs_rows, HF_COUNT(entry_lfs_rows), v, out);
}

static const struct hf_hub_field last_commit_rows[] = {
    {.name = "oid", .from = "id"}, {.name = "title"}, {.name = "date", .shape = hf_hub_field_date}};
static hf_status last_commit(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return hf_hub_shape_fields(c, last_commit_rows, HF_COUNT(last_commit_rows), v, out);
}

static hf_status security(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  static const struct hf_hub_field rows[] = {{.name = "status", .needed = true},
                                             {.name = "av_scan", .from = "avScan"},
                                             {.name = "pickle_import_scan", .from = "pickleImportScan"}};
  json_t *rest = NULL;
  (void)whole;
  TRY(hf_hub_shape_fields(c, rows, HF_COUNT(rows), v, &rest));
  const char *status = hf_hub_get(rest, "status");
  *out = json_object();
  json_object_set_new(*out, "safe", json_boolean(status && !strcmp(status, "safe")));
  json_object_update(*out, rest);
  json_decref(rest);
  return HF_OK;
}

static const struct hf_hub_field file_rows[] = {
    {.name = "path", .needed = true},
    {.name = "size", .needed = true},
    {.name = "blob_id", .from = "oid", .needed = true},
    {.name = "lfs", .shape = entry_lfs},
    {.name = "xet_hash", .from = "xetHash"},
    {.name = "last_commit", .from = "lastCommit", .or_from = "last_commit", .shape = last_commit},
    {.name = "security", .from = "securityFileStatus", .shape = security}};
static const struct hf_hub_field folder_rows[] = {
    {.name = "path", .needed = true},
    {.name = "tree_id", .from = "oid", .needed = true},
    {.name = "last_commit", .from = "lastCommit", .or_from = "last_commit", .shape = last_commit}};

hf_status hf_hub_shape_entry(hf_call *c, const json_t *raw, json_t **out) {
  const char *type = hf_hub_get(raw, "type");
  if (type && !strcmp(type, "file")) return hf_hub_shape_fields(c, file_rows, HF_COUNT(file_rows), raw, out);
  return hf_hub_shape_fields(c, folder_rows, HF_COUNT(folder_rows), raw, out);
}

static hf_status authors(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  size_t i;
  json_t *item;
  (void)c, (void)whole;
  *out = json_array();
  json_array_foreach(v, i, item) json_array_append(*out, json_object_get(item, "user"));
  return *out ? HF_OK : HF_ENOMEM;
}

static hf_status formatted_title(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = json_incref(json_object_get(v, "title"));
  return HF_OK;
}
static hf_status formatted_message(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c, (void)whole;
  *out = json_incref(json_object_get(v, "message"));
  return HF_OK;
}

hf_status hf_hub_shape_commit(hf_call *c, const json_t *raw, json_t **out) {
  static const struct hf_hub_field rows[] = {
      {.name = "commit_id", .from = "id", .needed = true},
      {.name = "authors", .shape = authors},
      {.name = "created_at", .from = "date", .shape = hf_hub_field_date},
      {.name = "title"},
      {.name = "message"},
      {.name = "formatted_title", .from = "formatted", .shape = formatted_title},
      {.name = "formatted_message", .from = "formatted", .shape = formatted_message}};
  return hf_hub_shape_fields(c, rows, HF_COUNT(rows), raw, out);
}
