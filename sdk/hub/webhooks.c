/* webhooks.c - `hf webhooks`: who is told when something changes on the Hub: an address, or a job that is started.
 * Rows; making and changing one put together what is watched.
 * Secrets of a webhook are shown by the Hub to its owner only; they are never logged here. */
#include "rows.h"

#include <string.h>

#define TYPES "bucket, dataset, model, org, space, user"
static const char *const types[] = {"bucket", "dataset", "model", "org", "space", "user"};

static const struct hf_hub_field watched_fields[] = {{.name = "type", .needed = true},
                                                     {.name = "name", .needed = true}};
static const struct hf_hub_field fields[] = {{.name = "id", .needed = true},
                                             {.name = "url"},
                                             {.name = "job", .shape = hf_hub_field_job_spec},
                                             {.name = "watched", HF_HUB_FIELDS(watched_fields)},
                                             {.name = "domains"},
                                             {.name = "secret"},
                                             {.name = "disabled"}};

static hf_status watched_words(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  size_t i;
  json_t *item;
  (void)whole;
  *out = json_array();
  json_array_foreach((json_t *)(uintptr_t)v, i, item) {
    const char *type = hf_hub_get(item, "type"), *name = hf_hub_get(item, "name");
    const char *text = hf_hub_text(c, "%s:%s", type ? type : "", name ? name : "");
    if (!text || json_array_append_new(*out, json_string(text))) return json_decref(*out), HF_ENOMEM;
  }
  return *out ? HF_OK : HF_ENOMEM;
}

static const struct hf_hub_field listed[] = {{.name = "id", .needed = true},
                                             {.name = "url", .deflt = "\"(job)\""},
                                             {.name = "disabled"},
                                             {.name = "domains", .deflt = "[]"},
                                             {.name = "watched", .shape = watched_words, .deflt = "[]"}};

/* ---- making and changing ---------------------------------------------------------------------------------------------- */

static hf_status watches(hf_call *c, const hf_args *args, json_t **list) {
  uint32_t count = hf_host()->arg_count(args, "watch");
  *list = json_array();
  for (uint32_t i = 0; *list && i < count; i++) {
    const char *value = hf_host()->arg_str(args, "watch", i), *colon = strchr(value, ':');
    size_t n = colon ? (size_t)(colon - value) : 0, k = 0;
    while (colon && k < HF_COUNT(types) && (strlen(types[k]) != n || strncmp(types[k], value, n) != 0)) k++;
    if (colon && k < HF_COUNT(types)) {
      json_array_append_new(*list, json_pack("{s:s, s:s}", "type", types[k], "name", colon + 1));
      continue;
    }
    json_decref(*list);
    *list = NULL;
    if (!colon)
      return hf_hub_bad_value(
          c, "Expected format 'type:name' (e.g. 'model:bert-base-uncased'), got '%s'. Valid types: " TYPES ".", value);
    return hf_hub_bad_value(c, "Invalid type '%.*s'. Valid types: " TYPES ".", (int)n, value);
  }
  return *list ? HF_OK : HF_ENOMEM;
}

/* {"NAME": "value"} of --secrets and --secrets-file; *map NULL: none. */
static hf_status job_secrets(struct hf_hub *hub, const hf_args *args, json_t **map) {
  size_t i;
  json_t *pair, *list;
  *map = NULL;
  TRY(hf_hub_env_map(hub, args, "secrets", &list));
  if (!list) return HF_OK;
  if (!hf_hub_arg(args, "job_id")) {
    json_decref(list);
    return hf_hub_bad_value(hub->call, "--secrets and --secrets-file require --job-id.");
  }
  *map = json_object();
  json_array_foreach(list, i, pair)
      json_object_set(*map, json_string_value(json_object_get(pair, "key")), json_object_get(pair, "value"));
  json_decref(list);
  return *map ? HF_OK : HF_ENOMEM;
}

static json_t *domains(const hf_args *args, bool all) {
  uint32_t count = hf_host()->arg_count(args, "domain");
  if (!count) return all ? json_pack("[s, s]", "repo", "discussion") : NULL;
  json_t *list = json_array();
  for (uint32_t i = 0; i < count; i++) json_array_append_new(list, json_string(hf_host()->arg_str(args, "domain", i)));
  return list;
}

static void text(json_t *body, const char *key, const char *value) {
  if (value) json_object_set_new(body, key, json_string(value));
}

static hf_status run(hf_call *c, const hf_args *args, hf_out *out, const char *task, bool create) {
  const struct hf_hub_row *row = hf_hub_row_of(c, task);
  const char *url = hf_hub_arg(args, "url"), *job = hf_hub_arg(args, "job_id"), *id = hf_hub_arg(args, "webhook_id");
  struct hf_hub hub;
  json_t *secrets, *watched, *chosen, *answer = NULL;
  if (url && job) return hf_hub_bad_value(c, "Provide either --url or --job-id, not both.");
  if (create && !url && !job) return hf_hub_bad_value(c, "Provide either --url or --job-id.");
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_hub_env_warn(c, out, args);
  TRY(job_secrets(&hub, args, &secrets));
  hf_status st = watches(c, args, &watched);
  if (st != HF_OK) return json_decref(secrets), st;
  json_t *body = json_pack("{s:o}", "watched", watched);
  if (create) {
    json_object_set_new(body, "domains", domains(args, true));
    text(body, "secret", hf_hub_arg(args, "secret"));
  }
  text(body, "url", url);
  text(body, "jobSourceId", job);
  if (!create) {
    if ((chosen = domains(args, false))) json_object_set_new(body, "domains", chosen);
    text(body, "secret", hf_hub_arg(args, "secret"));
  }
  if (secrets) json_object_set_new(body, "secrets", secrets);
  const char *quoted = id ? hf_hub_quote(c, id, "") : "";
  const char *to = quoted ? hf_hub_at(&hub, "settings/webhooks%s%s", id ? "/" : "", quoted) : NULL;
  TRY(hf_hub_ask(&hub, "POST", to, body, &answer));
  st = hf_hub_shown_result(c, out, row, args, json_object_get(answer, "webhook"));
  json_decref(answer);
  return st;
}

static hf_status run_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, "webhooks.create", true);
}

static hf_status run_update(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, "webhooks.update", false);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

#define HOOK_ID HF_WORD("webhook_id", "WEBHOOK_ID", "Id of the webhook.")
#define WATCH(f)                                                                                              \
  {                                                                                                           \
    .name = "watch", .help = "What to watch, TYPE:NAME, such as 'model:bert-base-uncased'; may be repeated.", \
    .type = HF_P_STR, .flags = HF_PF_REPEAT | (f)                                                             \
  }
#define URL HF_TEXT("url", "Address that is told.")
#define JOB(...) \
  { .name = "job_id", .help = "Job to start again instead.", .type = HF_P_STR, __VA_ARGS__ }
#define DOMAIN                                                                                                 \
  {                                                                                                            \
    .name = "domain", .help = "Changes of the repo, or of its discussions; both without it; may be repeated.", \
    .choices = "repo,discussion", .type = HF_P_CHOICE, .flags = HF_PF_REPEAT                                   \
  }
#define SECRET \
  { .name = "secret", .help = "Secret that signs what is sent.", .type = HF_P_STR, .flags = HF_PF_SECRET }
#define SECRETS                                                                                                      \
  {.name = "secrets",                                                                                                \
   .spellings = "=-s,--secrets",                                                                                     \
   .help = "Secret variable of the job: NAME takes the value from your environment, NAME=VALUE shows it to others.", \
   .type = HF_P_STR,                                                                                                 \
   .flags = HF_PF_REPEAT | HF_PF_SECRET,                                                                             \
   .since = "2.x"},                                                                                                  \
  {                                                                                                                  \
    .name = "secrets_file", .help = "File of secret variables, `-` for stdin.", .type = HF_P_STR, .since = "2.x"     \
  }
static const struct hf_param list_params[] = {HF_TOKEN_PARAM};
static const struct hf_param id_params[] = {HOOK_ID, HF_TOKEN_PARAM};
static const struct hf_param create_params[] = {WATCH(HF_PF_REQUIRED), URL, JOB(.flags = 0), DOMAIN, SECRET, SECRETS,
                                                HF_TOKEN_PARAM};
static const struct hf_param update_params[] = {HOOK_ID, URL,     JOB(.since = "2.x"), WATCH(0), DOMAIN,
                                                SECRET,  SECRETS, HF_TOKEN_PARAM};
static const struct hf_param delete_params[] = {HOOK_ID, HF_YES, HF_TOKEN_PARAM};

#define ALL "/api/settings/webhooks"
#define ONE ALL "/{webhook_id}"
static const struct hf_route list_routes[] = {{.method = "GET", .path = ALL, .tries = 1}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route create_routes[] = {{.method = "POST",
                                                 .path = ALL,
                                                 .body = "watched=watch domains=domain secret url jobSourceId=job_id "
                                                         "secrets",
                                                 .tries = 1}};
static const struct hf_route update_routes[] = {{.method = "POST",
                                                 .path = ONE,
                                                 .body = "watched=watch url jobSourceId=job_id domains=domain secret "
                                                         "secrets",
                                                 .tries = 1}};
static const struct hf_route enable_routes[] = {{.method = "POST", .path = ONE "/enable", .tries = 1}};
static const struct hf_route disable_routes[] = {{.method = "POST", .path = ONE "/disable", .tries = 1}};
static const struct hf_route delete_routes[] = {{.method = "DELETE", .path = ONE, .tries = 1}};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "webhooks.list",
              .aliases = "ls",
              .group_help = "Manage webhooks on the Hub.",
              .summary = "List your webhooks.",
              .examples = "hf webhooks ls",
              .params = HF_TABLE(list_params),
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .api = "list_webhooks"},
     HF_HUB_SHOWS(listed),
     .flags = HF_ROW_LIST},
    {.task = {.name = "webhooks.info",
              .summary = "Show a webhook.",
              .examples = "hf webhooks info abc123",
              .params = HF_TABLE(id_params),
              HF_ROUTES(info_routes),
              .flags = HF_ROW_READS,
              .api = "get_webhook"},
     HF_HUB_SHOWS(fields),
     .member = "webhook"},
    {.task = {.name = "webhooks.create",
              .summary = "Make a webhook.",
              .examples = "hf webhooks create --url https://example.com/hook --watch model:bert-base-uncased",
              .params = HF_TABLE(create_params),
              HF_ROUTES(create_routes),
              .flags = HF_ROW_WRITES,
              .run = run_create,
              .api = "create_webhook",
              .done = "Webhook created",
              .result = "id=@id"}},
    {.task = {.name = "webhooks.update",
              .summary = "Change a webhook.",
              .examples = "hf webhooks update abc123 --watch model:gpt2 --domain repo",
              .params = HF_TABLE(update_params),
              HF_ROUTES(update_routes),
              .flags = HF_ROW_WRITES,
              .run = run_update,
              .api = "update_webhook",
              .done = "Webhook updated",
              .result = "id=@id"}},
    {.task = {.name = "webhooks.enable",
              .summary = "Switch a webhook on.",
              .examples = "hf webhooks enable abc123",
              .params = HF_TABLE(id_params),
              HF_ROUTES(enable_routes),
              .flags = HF_ROW_WRITES,
              .api = "enable_webhook",
              .done = "Webhook enabled",
              .result = "id=@id"},
     .member = "webhook"},
    {.task = {.name = "webhooks.disable",
              .summary = "Switch a webhook off.",
              .examples = "hf webhooks disable abc123",
              .params = HF_TABLE(id_params),
              HF_ROUTES(disable_routes),
              .flags = HF_ROW_WRITES,
              .api = "disable_webhook",
              .done = "Webhook disabled",
              .result = "id=@id"},
     .member = "webhook"},
    {.task = {.name = "webhooks.delete",
              .summary = "Delete a webhook.",
              .examples = "hf webhooks delete abc123",
              .params = HF_TABLE(delete_params),
              HF_ROUTES(delete_routes),
              .flags = HF_ROW_DESTROYS,
              .api = "delete_webhook",
              .confirm = "Are you sure you want to delete webhook '{webhook_id}'?",
              .done = "Webhook deleted",
              .result = "id=webhook_id"}},
};

const struct hf_tasks hf_hub_tasks_webhooks = HF_HUB_ROWS("hub-webhooks", "Webhooks", HF_TABLE(rows));
