/* spaces.c - `hf spaces` beside looking at them: hardware, settings, pausing and restarting, secrets, variables, volumes, quota.
 * Rows; functions where several requests make one command, and where numbers become words.
 * Values of secrets are sent and never come back; none is logged or shown here. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- looking ------------------------------------------------------------------------------------------------------------ */

static const struct hf_hub_field template_fields[] = {
    {.name = "name", .needed = true},
    {.name = "repo_id", .from = "repoId", .needed = true},
    {.name = "sdk", .needed = true},
    {.name = "preferred_private", .from = "preferredPrivate", .needed = true}};

static json_t *or_null(const json_t *v) {
  return v ? json_incref((json_t *)(uintptr_t)v) : json_null();
}

/* round(x, 2) */
static json_t *rounded(const json_t *v) {
  char text[64];
  if (!json_is_number(v)) return json_null();
  if (json_is_integer(v)) return json_incref((json_t *)(uintptr_t)v);
  snprintf(text, sizeof text, "%.2f", json_real_value(v));
  return json_real(strtod(text, NULL));
}

static hf_status run_search(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  bool about = hf_hub_given(args, "description");
  const char *query = hf_hub_query(c, "", "q", hf_hub_arg(args, "query"));
  struct hf_hub hub;
  json_t *answer = NULL, *raw;
  int64_t limit = 10;
  size_t i;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_limit(c, args, &limit));
  static const char *const repeated[] = {"filter", "sdk"};
  for (size_t r = 0; r < HF_COUNT(repeated); r++)
    for (uint32_t k = 0; k < hf_host()->arg_count(args, repeated[r]); k++)
      query = hf_hub_query(c, query, repeated[r], hf_host()->arg_str(args, repeated[r], k));
  if (hf_hub_given(args, "include_non_running")) query = hf_hub_query(c, query, "includeNonRunning", "true");
  if (limit)
    TRY(hf_hub_ask(&hub, "GET", query ? hf_hub_at(&hub, "spaces/semantic-search?%s", query) : NULL, NULL, &answer));
  hf_status st = HF_OK;
  json_array_foreach(answer, i, raw) {
    if ((int64_t)i >= limit || st != HF_OK) break;
    json_t *title = json_object_get(raw, "title"), *likes = json_object_get(raw, "likes");
    json_t *item = json_pack("{s:O?, s:o, s:o, s:o, s:o, s:o, s:o}", "id", json_object_get(raw, "id"), "title",
                             title ? json_incref(title) : json_string(""), "sdk", or_null(json_object_get(raw, "sdk")),
                             "likes", likes ? json_incref(likes) : json_integer(0), "stage",
                             or_null(json_object_get(json_object_get(raw, "runtime"), "stage")), "category",
                             or_null(json_object_get(raw, "ai_category")), "score",
                             rounded(json_object_get(raw, "semanticRelevancyScore")));
    if (item && about) json_object_set_new(item, "description", or_null(json_object_get(raw, "ai_short_description")));
    st = hf_hub_record(out, c, HF_OUT_ITEM, item);
  }
  json_decref(answer);
  TRY(st);
  TRY(hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2));
  return about ? HF_OK : hf_hub_say(out, c, HF_OUT_HINT, "Use --description to show AI-generated descriptions.");
}

static const char *cost(hf_call *c, double each, const char *format) {
  char text[48];
  if (!(each > 0) && !(each < 0)) return "free";
  if (!strcmp(format, "hour"))
    snprintf(text, sizeof text, "$%.2f", each * 60);
  else
    snprintf(text, sizeof text, "$%.4f", each);
  return hf_host()->intern(c, text, SIZE_MAX);
}

/* Spaces and jobs run on the same machines. */
hf_status hf_hub_show_hardware(hf_call *c, hf_out *out, const json_t *list, bool storage) {
  size_t i;
  json_t *hw;
  json_array_foreach((json_t *)(uintptr_t)list, i, hw) {
    const json_t *a = json_object_get(hw, "accelerator");
    const char *quantity = hf_hub_get(a, "quantity"), *model = hf_hub_get(a, "model"), *vram = hf_hub_get(a, "vram");
    const char *with = json_object_size(a) ? hf_hub_text(c, "%sx %s (%s)", quantity ? quantity : "", model ? model : "",
                                                         vram ? vram : "")
                                           : NULL;
    double each = json_number_value(json_object_get(hw, "unitCostUSD"));
    const json_t *disk = json_object_get(hw, "ephemeralStorage");
    json_t *item = json_pack("{s:O?, s:O?, s:O?, s:O?}", "name", json_object_get(hw, "name"), "pretty name",
                             json_object_get(hw, "prettyName"), "cpu", json_object_get(hw, "cpu"), "ram",
                             json_object_get(hw, "ram"));
    if (!item) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
    if (storage)
      json_object_set_new(item, "storage", disk ? json_incref((json_t *)(uintptr_t)disk) : json_string("N/A"));
    json_object_set_new(item, "accelerator", with ? json_string(with) : storage ? json_string("") : json_null());
    json_object_set_new(item, "cost/min", json_string(cost(c, each, "min")));
    json_object_set_new(item, "cost/hour", json_string(cost(c, each, "hour")));
    TRY(hf_hub_record(out, c, HF_OUT_ITEM, item));
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status run_hardware(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "spaces.hardware");
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, 0, args, &answer));
  hf_status st = hf_hub_show_hardware(c, out, answer, false);
  json_decref(answer);
  return st == HF_OK ? hf_hub_shown_hints(c, out, row, args) : st;
}

static hf_status run_quota(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  json_t *raw = NULL, *resets = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_status st = hf_hub_row_ask(&hub, hf_hub_row_of(c, "spaces.zero-gpu.quota"), 0, args, &raw);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  if (e && e->http_status == 401) {
    hf_host()->clear(c);
    return hf_hub_fail(c, HF_EAUTH, "HfHubHTTPError",
                       "401 Unauthorized: a valid token is required to get the ZeroGPU quota. Log in with `hf auth "
                       "login` or pass a token. See https://huggingface.co/settings/tokens.");
  }
  TRY(st);
  double left = json_number_value(json_object_get(raw, "current")),
         base = json_number_value(json_object_get(raw, "base"));
  const char *at = hf_hub_get(raw, "resetsAt");
  if (at) st = hf_hub_shape_date(c, at, &resets);
  json_t *result =
      st != HF_OK ? NULL
                  : json_pack("{s:o, s:o, s:o, s:o}", "remaining", or_null(json_object_get(raw, "current")), "base",
                              or_null(json_object_get(raw, "base")), "resets_at", resets ? resets : json_null(),
                              "overquota_used", or_null(json_object_get(raw, "overquotaUsed")));
  json_decref(raw);
  TRY(st);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "ZeroGPU quota (in GPU-seconds)"));
  TRY(hf_hub_record(out, c, HF_OUT_RESULT, result));
  if (left >= 0.1 * base) return HF_OK;
  const char *hint =
      hf_hub_text(c,
                  "Your ZeroGPU quota is %s. PRO, Team and Enterprise users can purchase credits to keep "
                  "using ZeroGPU beyond the daily quota: "
                  "https://huggingface.co/settings/billing?add-credits=true",
                  left <= 0 ? "exhausted" : "running low");
  return hint ? hf_hub_say(out, c, HF_OUT_HINT, hint) : HF_ENOMEM;
}

/* ---- settings, secrets, variables, volumes --------------------------------------------------------------------------- */

static hf_status run_settings(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  static const char basic[] =
      "UserWarning: If your Space runs on the default 'cpu-basic' hardware, it will go to sleep if inactive for more "
      "than "
      "48 hours. This value is not configurable. If you don't want your Space to deactivate or if you want to set a "
      "custom "
      "sleep time, you need to upgrade to a paid Hardware.";
  const struct hf_hub_row *row = hf_hub_row_of(c, "spaces.settings");
  const char *hardware = hf_hub_arg(args, "hardware");
  struct hf_hub hub;
  json_t *answer = NULL;
  int64_t seconds;
  bool sleeps = hf_host()->arg_int(args, "sleep_time", &seconds);
  (void)state;
  if (!hardware && !sleeps) return hf_hub_refuse(c, "Specify at least one setting to update.");
  TRY(hf_hub_row_begin(&hub, c, args, out));
  if (hardware && sleeps && !strcmp(hardware, "cpu-basic")) hf_hub_log(&hub, HF_LOG_WARNING, "%s", basic);
  TRY(hf_hub_row_ask(&hub, row, hardware ? 0 : 1, args, &answer));
  const json_t *has = json_object_get(answer, "hardware");
  const char *now = hf_hub_get(has, "requested") ? hf_hub_get(has, "requested") : hf_hub_get(has, "current");
  if (!hardware && now && !strcmp(now, "cpu-basic")) hf_hub_log(&hub, HF_LOG_WARNING, "%s", basic);
  hf_status st = hf_hub_shown_result(c, out, row, args, answer);
  json_decref(answer);
  return st;
}

/* {"NAME": {..}} -> items with "key". */
static hf_status show_map(hf_call *c, hf_out *out, const struct hf_hub_row *row, const hf_args *args) {
  struct hf_hub hub;
  json_t *answer = NULL, *values;
  const char *key;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, 0, args, &answer));
  hf_status st = HF_OK;
  json_object_foreach(answer, key, values) {
    json_object_set_new(values, "key", json_string(key));
    if (st == HF_OK) st = hf_hub_shown_item(c, out, row, values);
  }
  json_decref(answer);
  TRY(st);
  TRY(hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2));
  return hf_hub_shown_hints(c, out, row, args);
}

static hf_status run_secrets_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return show_map(c, out, hf_hub_row_of(c, "spaces.secrets.list"), args);
}

static hf_status run_variables_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return show_map(c, out, hf_hub_row_of(c, "spaces.variables.list"), args);
}

/* One request for each; the names are the result. */
static hf_status add_each(hf_call *c, const hf_args *args, hf_out *out, const char *task, const char *name,
                          const char *none) {
  const struct hf_hub_row *row = hf_hub_row_of(c, task);
  struct hf_repo repo = {"space", hf_hub_arg(args, "space_id")};
  struct hf_hub hub;
  json_t *list, *pair, *names = json_array(), *answer;
  size_t i;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_hub_env_warn(c, out, args);
  hf_status st = hf_hub_env_map(&hub, args, name, &list);
  if (st == HF_OK && !list) st = hf_hub_refuse(c, "%s", none);
  if (st == HF_OK) st = hf_hub_check_repo(c, repo.id);
  const char *url = st == HF_OK ? hf_hub_api_url(&hub, &repo) : NULL;
  url = url ? hf_hub_text(c, "%s/%s", url, !strcmp(name, "env") ? "variables" : "secrets") : NULL;
  json_array_foreach(list, i, pair) {
    if (st != HF_OK) break;
    json_array_append(names, json_object_get(pair, "key"));
    st = hf_hub_ask(&hub, "POST", url, json_incref(pair), &answer);
    if (st == HF_OK) json_decref(answer);
  }
  json_decref(list);
  json_t *told = json_pack("{s:o}", "keys", names);
  if (st == HF_OK) st = hf_hub_shown_result(c, out, row, args, told);
  json_decref(told);
  return st;
}

static hf_status run_secrets_add(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return add_each(c, args, out, "spaces.secrets.add", "secrets",
                  "At least one secret must be specified with -s/--secrets or --secrets-file.");
}

static hf_status run_variables_add(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return add_each(c, args, out, "spaces.variables.add", "env",
                  "At least one variable must be specified with -e/--env or --env-file.");
}

static hf_status run_volumes_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "spaces.volumes.list");
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, 0, args, &answer));
  const json_t *runtime = json_object_get(answer, "runtime");
  hf_status st = json_object_size(runtime)
                     ? hf_hub_shown_items(c, out, row, json_object_get(runtime, "volumes"), -1)
                     : hf_hub_refuse(c, "Runtime not available for Space '%s'.", hf_hub_arg(args, "space_id"));
  json_decref(answer);
  return st == HF_OK ? hf_hub_shown_hints(c, out, row, args) : st;
}

/* "hf://datasets/ns/name@rev/path:/mount:ro" */
static const char *volume_uri(hf_call *c, const json_t *v) {
  const char *type = hf_hub_get(v, "type"), *revision = hf_hub_get(v, "revision"), *path = hf_hub_get(v, "path");
  const json_t *only = json_object_get(v, "readOnly");
  return hf_hub_text(c, "hf://%ss/%s%s%s%s%s:%s%s", type ? type : "model", hf_hub_get(v, "source"), revision ? "@" : "",
                     revision ? revision : "", path && *path ? "/" : "", path ? path : "", hf_hub_get(v, "mountPath"),
                     !only                ? ""
                     : json_is_true(only) ? ":ro"
                                          : ":rw");
}

static hf_status run_volumes_set(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "spaces.volumes.set");
  struct hf_repo repo = {"space", hf_hub_arg(args, "space_id")};
  struct hf_hub hub;
  json_t *list, *v, *answer = NULL, *uris = json_array();
  size_t i;
  (void)state;
  TRY(hf_hub_volumes(c, args, &list));
  if (!list) return json_decref(uris), hf_hub_refuse(c, "At least one volume must be specified with -v/--volume.");
  json_array_foreach(list, i, v) {
    const char *uri = volume_uri(c, v);
    if (uri) json_array_append_new(uris, json_string(uri));
  }
  hf_status st = hf_hub_row_begin(&hub, c, args, out);
  if (st == HF_OK) st = hf_hub_check_repo(c, repo.id);
  const char *url = st == HF_OK ? hf_hub_api_url(&hub, &repo) : NULL;
  url = url ? hf_hub_text(c, "%s/volumes", url) : NULL;
  if (st == HF_OK)
    st = hf_hub_ask(&hub, "PUT", url, json_pack("{s:o}", "volumes", list), &answer);
  else
    json_decref(list);
  if (st == HF_OK) json_decref(answer);
  json_t *told = json_pack("{s:o}", "volumes", uris);
  if (st == HF_OK) st = hf_hub_shown_result(c, out, row, args, told);
  json_decref(told);
  return st;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

static const struct hf_hub_field secret_fields[] = {
    {.name = "key"}, {.name = "description"}, {.name = "updated_at", .from = "updatedAt", .shape = hf_hub_field_date}};
static const struct hf_hub_field variable_fields[] = {
    {.name = "key"},
    {.name = "value", .needed = true},
    {.name = "description"},
    {.name = "updated_at", .from = "updatedAt", .shape = hf_hub_field_date}};
static const struct hf_hub_field volume_fields[] = {
    {.name = "type", .deflt = "\"model\""},
    {.name = "source", .needed = true},
    {.name = "mount_path", .from = "mountPath", .or_from = "mount_path"},
    {.name = "revision"},
    {.name = "read_only", .from = "readOnly"},
    {.name = "path"}};

#define SPACE_ID HF_WORD("space_id", "SPACE_ID", "Space, such as `username/repo-name`.")
#define KEY      HF_WORD("key", "KEY", "Its name.")
#define YES \
  { .name = "yes", .spellings = "=-y,--yes", .help = "Do not ask.", .type = HF_P_BOOL }
#define HARDWARE_NAMES                                                                            \
  "cpu-basic,cpu-upgrade,zero-a10g,t4-small,t4-medium,l4x1,l4x4,l40sx1,l40sx4,l40sx8,a10g-small," \
  "a10g-large,a10g-largex2,a10g-largex4,a100-large,a100x4,a100x8,rtx-pro-6000,rtx-pro-6000x2,"    \
  "rtx-pro-6000x4,rtx-pro-6000x8"
static const struct hf_param token_params[] = {HF_TOKEN_PARAM};
static const struct hf_param space_params[] = {SPACE_ID, HF_TOKEN_PARAM};
static const struct hf_param sure_params[] = {SPACE_ID, YES, HF_TOKEN_PARAM};
static const struct hf_param key_params[] = {SPACE_ID, KEY, YES, HF_TOKEN_PARAM};
static const struct hf_param search_params[] = {
    HF_WORD("query", "QUERY", "What to look for, in words."),
    {.name = "filter", .help = "Only those with this tag; may be repeated.", .type = HF_P_STR, .flags = HF_PF_REPEAT},
    {.name = "sdk", .help = "Only those of this SDK; may be repeated.", .type = HF_P_STR, .flags = HF_PF_REPEAT},
    HF_ON_OFF("include_non_running", "Those that do not run, too."),
    HF_ON_OFF("description", "With a description that a machine wrote."),
    HF_NUMBER("limit", "10", "At most so many."),
    HF_TOKEN_PARAM};
static const struct hf_param restart_params[] = {SPACE_ID, HF_SWITCH("factory_reboot", "Build it anew, from nothing."),
                                                 HF_TOKEN_PARAM};
static const struct hf_param settings_params[] = {
    SPACE_ID,
    HF_NUMBER("sleep_time", NULL, "Seconds without use after which it sleeps, -1: never."),
    {.name = "hardware", .help = "What it runs on.", .choices = HARDWARE_NAMES, .type = HF_P_STR},
    HF_TOKEN_PARAM};
static const struct hf_param secrets_params[] = {
    SPACE_ID,
    {.name = "secrets",
     .spellings = "=-s,--secrets",
     .help = "Secret: NAME takes the value from your environment, NAME=VALUE shows it to others; may be repeated.",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT | HF_PF_SECRET},
    HF_TEXT("secrets_file", "File of secrets, `-` for stdin."),
    HF_TOKEN_PARAM};
static const struct hf_param variables_params[] = {SPACE_ID,
                                                   {.name = "env",
                                                    .spellings = "=-e,--env",
                                                    .help = "Variable, NAME=VALUE; may be repeated.",
                                                    .type = HF_P_STR,
                                                    .flags = HF_PF_REPEAT},
                                                   HF_TEXT("env_file", "File of variables, `-` for stdin."),
                                                   HF_TOKEN_PARAM};
static const struct hf_param volumes_params[] = {
    SPACE_ID,
    {.name = "volume",
     .spellings = "=-v,--volume",
     .help = "What to mount: hf://[TYPE/]SOURCE:/MOUNT_PATH[:ro]; may be repeated.",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT},
    HF_TOKEN_PARAM};

#define AT "/api/spaces/{space_id}"
static const struct hf_route templates_routes[] = {{.method = "GET", .path = "/api/spaces/templates", .tries = 1}};
static const struct hf_route search_routes[] = {{.method = "GET",
                                                 .path = "/api/spaces/semantic-search",
                                                 .query = "q=query filter sdk includeNonRunning=include_non_running",
                                                 .tries = 1}};
static const struct hf_route hardware_routes[] = {{.method = "GET", .path = "/api/spaces/hardware", .tries = 1}};
static const struct hf_route quota_routes[] = {{.method = "GET", .path = "/api/spaces/zero-gpu/quota", .tries = 1}};
static const struct hf_route pause_routes[] = {{.method = "POST", .path = AT "/pause", .tries = 1}};
static const struct hf_route restart_routes[] = {
    {.method = "POST", .path = AT "/restart", .tries = 1},
    {.method = "POST", .path = AT "/restart", .query = "factory:true", .tries = 1}};
static const struct hf_route settings_routes[] = {
    {.method = "POST", .path = AT "/hardware", .body = "flavor=hardware sleepTimeSeconds=sleep_time", .tries = 1},
    {.method = "POST", .path = AT "/sleeptime", .body = "seconds=sleep_time", .tries = 1}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = AT, .tries = 1}};
static const struct hf_route set_volumes_routes[] = {
    {.method = "PUT", .path = AT "/volumes", .body = "volumes=volume", .tries = 1}};
static const struct hf_route no_volumes_routes[] = {{.method = "DELETE", .path = AT "/volumes", .tries = 1}};
static const struct hf_route secrets_routes[] = {{.method = "GET", .path = AT "/secrets", .tries = 1}};
static const struct hf_route add_secret_routes[] = {
    {.method = "POST", .path = AT "/secrets", .body = "key value", .tries = 1}};
static const struct hf_route no_secret_routes[] = {
    {.method = "DELETE", .path = AT "/secrets", .body = "key", .tries = 1}};
static const struct hf_route variables_routes[] = {{.method = "GET", .path = AT "/variables", .tries = 1}};
static const struct hf_route add_variable_routes[] = {
    {.method = "POST", .path = AT "/variables", .body = "key value", .tries = 1}};
static const struct hf_route no_variable_routes[] = {
    {.method = "DELETE", .path = AT "/variables", .body = "key", .tries = 1}};

static hf_status run_restart(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "spaces.restart");
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, hf_hub_given(args, "factory_reboot") ? 1 : 0, args, &answer));
  hf_status st = hf_hub_shown_result(c, out, row, args, answer);
  json_decref(answer);
  return st;
}

#define KEEP "Mount a Volume or bucket to persist data across restarts: `hf spaces volumes set {space_id} -v hf://...`"
#define SET_VOLUMES                                                                                    \
  "Use `hf spaces volumes set {space_id} -v hf://<repo_type>/<repo_id>:/<mount_path>` to set volumes " \
  "for a Space."

static const struct hf_hub_row rows[] = {
    {.task = {.name = "spaces.templates",
              .summary = "List the templates that a Space can begin with.",
              .examples = "hf spaces templates",
              .params = HF_TABLE(token_params),
              HF_ROUTES(templates_routes),
              .flags = HF_ROW_READS,
              .api = "list_space_templates"},
     HF_HUB_SHOWS(template_fields),
     .member = "templates",
     .layout = "{\"kind\":\"table\",\"id_key\":\"name\"}",
     .flags = HF_ROW_LIST,
     .hints = {"Create a Space from a template with `hf repos create <id> --type space --space-sdk <sdk> --template "
               "<repo_id>`."}},
    {.task = {.name = "spaces.search",
              .summary = "Look for Spaces by what they do.",
              .examples = "hf spaces search \"generate image\"",
              .params = HF_TABLE(search_params),
              HF_ROUTES(search_routes),
              .flags = HF_ROW_READS,
              .run = run_search,
              .api = "search_spaces"}},
    {.task = {.name = "spaces.pause",
              .summary = "Stop a Space until it is restarted.",
              .examples = "hf spaces pause username/my-space",
              .params = HF_TABLE(space_params),
              HF_ROUTES(pause_routes),
              .flags = HF_ROW_WRITES,
              .api = "pause_space",
              .done = "Space paused",
              .result = "space_id stage=@stage"},
     .hints = {"Use `hf spaces restart {space_id}` to restart it.", KEEP}},
    {.task = {.name = "spaces.restart",
              .summary = "Start a Space again.",
              .examples = "hf spaces restart username/my-space --factory-reboot",
              .params = HF_TABLE(restart_params),
              HF_ROUTES(restart_routes),
              .flags = HF_ROW_WRITES,
              .run = run_restart,
              .api = "restart_space",
              .done = "Space restart triggered",
              .result = "space_id stage=@stage factory_reboot"},
     .hints = {"Use `hf spaces wait {space_id}` to wait until the Space is ready.", KEEP}},
    {.task = {.name = "spaces.hardware",
              .summary = "List what Spaces can run on.",
              .examples = "hf spaces hardware",
              .params = HF_TABLE(token_params),
              HF_ROUTES(hardware_routes),
              .flags = HF_ROW_READS,
              .run = run_hardware,
              .api = "list_spaces_hardware"},
     .hints = {"Use `hf spaces settings <space_id> --hardware <name>` to request hardware for a Space."}},
    {.task = {.name = "spaces.settings",
              .summary = "Change what a Space runs on and when it sleeps.",
              .examples = "hf spaces settings username/my-space --hardware t4-medium",
              .params = HF_TABLE(settings_params),
              HF_ROUTES(settings_routes),
              .flags = HF_ROW_WRITES,
              .run = run_settings,
              .api = "request_space_hardware set_space_sleep_time",
              .done = "Space settings updated",
              .result = "space_id hardware=@hardware/requested sleep_time=@gcTimeout"},
     .hints = {"Use `hf spaces info {space_id}` to verify the runtime configuration."}},
    {.task = {.name = "spaces.volumes.list",
              .aliases = "ls",
              .group_help = "Manage volumes for a Space on the Hub.",
              .summary = "List what is mounted in a Space.",
              .examples = "hf spaces volumes ls username/my-space",
              .params = HF_TABLE(space_params),
              HF_ROUTES(info_routes),
              .flags = HF_ROW_READS,
              .run = run_volumes_list},
     HF_HUB_SHOWS(volume_fields),
     .hints = {SET_VOLUMES}},
    {.task = {.name = "spaces.volumes.set",
              .summary = "Mount repos and buckets in a Space, instead of what was mounted.",
              .examples = "hf spaces volumes set username/my-space -v hf://models/username/my-model:/models",
              .params = HF_TABLE(volumes_params),
              HF_ROUTES(set_volumes_routes),
              .flags = HF_ROW_WRITES,
              .run = run_volumes_set,
              .api = "set_space_volumes",
              .done = "Volumes set",
              .result = "space_id volumes=@volumes"},
     .hints = {"Use `hf spaces volumes ls {space_id}` to list volumes for a Space."}},
    {.task = {.name = "spaces.volumes.delete",
              .summary = "Mount nothing in a Space any more.",
              .examples = "hf spaces volumes delete username/my-space",
              .params = HF_TABLE(sure_params),
              HF_ROUTES(no_volumes_routes),
              .flags = HF_ROW_DESTROYS,
              .api = "delete_space_volumes",
              .confirm = "You are about to remove all volumes from Space '{space_id}'. Proceed?",
              .done = "Volumes deleted",
              .result = "space_id"},
     .hints = {SET_VOLUMES}},
    {.task = {.name = "spaces.secrets.list",
              .aliases = "ls",
              .group_help = "Manage secrets for a Space on the Hub.",
              .summary = "List the names of a Space's secrets.",
              .examples = "hf spaces secrets ls username/my-space",
              .params = HF_TABLE(space_params),
              HF_ROUTES(secrets_routes),
              .flags = HF_ROW_READS,
              .run = run_secrets_list,
              .api = "get_space_secrets"},
     HF_HUB_SHOWS(secret_fields),
     .hints = {"Use `hf spaces secrets add {space_id} -s KEY=VALUE` to add secrets to a Space."}},
    {.task = {.name = "spaces.secrets.add",
              .summary = "Give a Space secrets, or change them.",
              .examples = "hf spaces secrets add username/my-space -s HF_TOKEN",
              .params = HF_TABLE(secrets_params),
              HF_ROUTES(add_secret_routes),
              .flags = HF_ROW_WRITES,
              .run = run_secrets_add,
              .api = "add_space_secret",
              .done = "Secrets added",
              .result = "space_id keys=@keys"},
     .hints = {"Use `hf spaces secrets delete {space_id} <key>` to remove a secret from a Space."}},
    {.task = {.name = "spaces.secrets.delete",
              .summary = "Take a secret away from a Space.",
              .examples = "hf spaces secrets delete username/my-space HF_TOKEN",
              .params = HF_TABLE(key_params),
              HF_ROUTES(no_secret_routes),
              .flags = HF_ROW_DESTROYS,
              .api = "delete_space_secret",
              .confirm =
                  "You are about to remove secret '{key}' from Space '{space_id}'. The value cannot be recovered. "
                  "Proceed?",
              .done = "Secret deleted",
              .result = "space_id key"},
     .hints = {"Use `hf spaces secrets add {space_id} -s {key}=<value>` to re-add a secret to a Space."}},
    {.task = {.name = "spaces.variables.list",
              .aliases = "ls",
              .group_help = "Manage environment variables for a Space on the Hub.",
              .summary = "List the variables of a Space.",
              .examples = "hf spaces variables ls username/my-space",
              .params = HF_TABLE(space_params),
              HF_ROUTES(variables_routes),
              .flags = HF_ROW_READS,
              .run = run_variables_list,
              .api = "get_space_variables"},
     HF_HUB_SHOWS(variable_fields),
     .hints = {"Use `hf spaces variables add {space_id} -e KEY=VALUE` to add variables to a Space."}},
    {.task = {.name = "spaces.variables.add",
              .summary = "Give a Space variables, or change them.",
              .examples = "hf spaces variables add username/my-space -e DEBUG=1",
              .params = HF_TABLE(variables_params),
              HF_ROUTES(add_variable_routes),
              .flags = HF_ROW_WRITES,
              .run = run_variables_add,
              .api = "add_space_variable",
              .done = "Variables added",
              .result = "space_id keys=@keys"},
     .hints = {"Use `hf spaces variables ls {space_id}` to list variables for a Space."}},
    {.task = {.name = "spaces.variables.delete",
              .summary = "Take a variable away from a Space.",
              .examples = "hf spaces variables delete username/my-space DEBUG",
              .params = HF_TABLE(key_params),
              HF_ROUTES(no_variable_routes),
              .flags = HF_ROW_DESTROYS,
              .api = "delete_space_variable",
              .confirm = "You are about to remove variable '{key}' from Space '{space_id}'. Proceed?",
              .done = "Variable deleted",
              .result = "space_id key"},
     .hints = {"Use `hf spaces variables ls {space_id}` to list remaining variables for a Space."}},
    {.task = {.name = "spaces.zero-gpu.quota",
              .group_help = "Manage your ZeroGPU usage on the Hub.",
              .summary = "Show how many GPU-seconds of ZeroGPU you have left.",
              .examples = "hf spaces zero-gpu quota",
              .params = HF_TABLE(token_params),
              HF_ROUTES(quota_routes),
              .flags = HF_ROW_READS,
              .since = "2.x",
              .run = run_quota,
              .api = "get_zero_gpu_quota"}},
};

const struct hf_tasks hf_hub_tasks_spaces = HF_HUB_ROWS("hub-spaces", "Spaces", HF_TABLE(rows));
