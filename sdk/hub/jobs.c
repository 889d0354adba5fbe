/* jobs.c - jobs on the Hub's machines, and jobs by the clock: where they are, how they are described, waiting for them.
 * The rows of `hf jobs` are in jobs_tasks.c; starting jobs is jobs_run.c, their logs jobs_log.c.
 * Stages and times come from the server and are only compared and shown. */
#include "jobs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

hf_status hf_hub_job_at(hf_call *c, const char *text, const char *given, struct hf_job_at *at) {
  const char *slash = strchr(text, '/');
  *at = (struct hf_job_at){given, text};
  if (!*text) return hf_hub_refuse(c, "Job ID cannot be empty.");
  if (!slash) return HF_OK;
  if (strchr(slash + 1, '/') || slash == text || !slash[1])
    return hf_hub_refuse(c, "Job ID must be in the form 'job_id' or 'namespace/job_id': '%s'.", text);
  at->space = hf_host()->intern(c, text, (size_t)(slash - text));
  at->id = slash + 1;
  if (!at->space) return HF_ENOMEM;
  if (given && strcmp(given, at->space) != 0)
    return hf_hub_refuse(c, "Conflicting namespace: got --namespace='%s' but job ID implies namespace='%s'", given,
                         at->space);
  return HF_OK;
}

hf_status hf_hub_job_owner(struct hf_hub *hub, const char **space) {
  const char *token;
  json_t *info;
  if (*space) return HF_OK;
  TRY(hf_hub_token(hub, &token));
  TRY(hf_hub_whoami(hub, token, &info));
  *space = hf_host()->intern(hub->call, hf_hub_get(info, "name"), SIZE_MAX);
  json_decref(info);
  return *space ? HF_OK : HF_ENOMEM;
}

const char *hf_hub_job_url(struct hf_hub *hub, const char *path, const struct hf_job_at *at) {
  hf_call *c = hub->call;
  const char *url = hub->endpoint;
  while (url && *path) {
    size_t n = strcspn(path, "{");
    url = hf_hub_text(c, "%s%.*s", url, (int)n, path);
    path += n;
    if (!url || !*path) break;
    const char *value = !strncmp(path, "{namespace}", 11) ? at->space : at->id, *quoted = hf_hub_quote(c, value, "");
    url = quoted ? hf_hub_text(c, "%s%s", url, quoted) : NULL;
    path += strcspn(path, "}");
    path += *path == '}';
  }
  return url;
}

hf_status hf_hub_job_ask(struct hf_hub *hub, const char *method, const char *path, const struct hf_job_at *at,
                         json_t *body, json_t **answer) {
  return hf_hub_ask(hub, method, hf_hub_job_url(hub, path, at), body, answer);
}

hf_status hf_hub_hint(struct hf_hub *hub, const char *fmt, ...) {
  char *text = NULL;
  va_list ap;
  va_start(ap, fmt);
  int n = vasprintf(&text, fmt, ap);
  va_end(ap);
  hf_status st = n < 0 ? HF_ENOMEM : hf_hub_say(hub->out, hub->call, HF_OUT_HINT, text);
  if (n >= 0) free(text);
  return st;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------- */

const char *hf_hub_job_stage(const json_t *raw) {
  const char *stage = hf_hub_get(json_object_get(raw, "status"), "stage");
  return stage ? stage : "UNKNOWN";
}

bool hf_hub_job_over(const char *stage) {
  static const char *const over[] = {"COMPLETED", "CANCELED", "ERROR", "DELETED"};
  for (size_t i = 0; i < HF_COUNT(over); i++)
    if (!strcmp(stage, over[i])) return true;
  return false;
}

hf_status hf_hub_nap(hf_call *c, uint32_t ms) {
  for (; ms; ms -= ms < 50 ? ms : 50) {
    TRY(hf_host()->check(c));
    nanosleep(&(struct timespec){.tv_nsec = (ms < 50 ? ms : 50) * 1000000L}, NULL);
  }
  return hf_host()->check(c);
}

hf_status hf_hub_seconds(hf_call *c, const char *text, int64_t *seconds) {
  static const struct {
    const char *name;
    int64_t each;
  } units[] = {{"", 1},      {"s", 1},      {"m", 60},       {"h", 3600},
               {"d", 86400}, {"w", 604800}, {"mo", 2592000}, {"y", 31536000}};
  const char *p = text + strspn(text, " \t");
  if (!*p) return hf_hub_fail(c, HF_EINVAL, "ValueError", "Value cannot be empty.");
  char *end;
  long long number = strtoll(p, &end, 10);
  size_t letters = strspn(end, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), k = 0;
  if (end == p || end[letters + strspn(end + letters, " \t")] || number > INT64_MAX / 31536000 ||
      (letters && number < 0))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Invalid value '%s'. Must match pattern '\\d+[a-z]+' or be a plain number.", text);
  while (k < HF_COUNT(units) && (strlen(units[k].name) != letters || strncasecmp(units[k].name, end, letters) != 0))
    k++;
  if (k == HF_COUNT(units))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Unknown unit '%.*s'. Must be one of ['s', 'm', 'h', 'd', 'w', 'mo', 'y'].", (int)letters, end);
  *seconds = number * units[k].each;
  return HF_OK;
}

static hf_status wait_one(struct hf_hub *hub, const struct hf_job_at *at, uint64_t deadline, const char *stage,
                          json_t **job) {
  for (;;) {
    TRY(hf_hub_job_ask(hub, "GET", "/api/jobs/{namespace}/{id}", at, NULL, job));
    const char *now = hf_hub_job_stage(*job);
    if (hf_hub_job_over(now) || (stage && !strcmp(now, stage))) return HF_OK;
    json_decref(*job);
    *job = NULL;
    uint64_t ns = hf_host()->now_ns(), left = deadline == UINT64_MAX ? UINT64_MAX : deadline > ns ? deadline - ns : 0;
    if (!left) return HF_ETIMEDOUT;
    TRY(hf_hub_nap(hub->call, left < 1000000000u ? (uint32_t)(left / 1000000) + 1 : 1000));
  }
}

hf_status hf_hub_job_wait(struct hf_hub *hub, const struct hf_job_at *at, size_t count, int64_t seconds,
                          const char *stage, json_t **jobs) {
  uint64_t deadline =
      seconds < 0 || seconds > 9000000000 ? UINT64_MAX : hf_host()->now_ns() + (uint64_t)seconds * 1000000000u;
  *jobs = json_array();
  for (size_t i = 0; i < count; i++) {
    json_t *job = NULL;
    hf_status st = wait_one(hub, &at[i], deadline, stage, &job);
    if (st == HF_OK && !json_array_append_new(*jobs, job)) continue;
    json_decref(*jobs);
    *jobs = NULL;
    return st == HF_OK ? HF_ENOMEM : st;
  }
  return HF_OK;
}

hf_status hf_hub_job_labels(hf_call *c, const hf_args *args, json_t **labels) {
  const char *name = hf_hub_arg(args, "name");
  json_t *map = json_object();
  hf_status st = map ? HF_OK : HF_ENOMEM;
  *labels = NULL;
  for (uint32_t i = 0; st == HF_OK && i < hf_host()->arg_count(args, "label"); i++) {
    const char *text = hf_host()->arg_str(args, "label", i), *equals = strchr(text, '=');
    const char *key = equals ? hf_host()->intern(c, text, (size_t)(equals - text)) : text;
    if (!key || json_object_set_new(map, key, json_string(equals ? equals + 1 : "")))
      st = hf_hub_fail(c, HF_EINVAL, "ValueError", "A label is not UTF-8.");
  }
  if (st == HF_OK && name && json_object_get(map, "name"))
    st = hf_hub_refuse(c, "--name and --label name=... cannot both be provided.");
  if (st == HF_OK && name) json_object_set_new(map, "name", json_string(name));
  if (st == HF_OK)
    *labels = map;
  else
    json_decref(map);
  return st;
}

/* ---- descriptions -------------------------------------------------------------------------------------------------------- */

static hf_status aliases(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  const json_t *list = json_object_get(v, "aliases");
  (void)whole;
  *out = json_pack("{s:O?, s:o}", "group", json_object_get(v, "group"), "aliases",
                   json_is_array(list) ? json_incref((json_t *)(uintptr_t)list) : json_array());
  return *out ? HF_OK : hf_hub_fail(c, HF_EPROTO, NULL, "The Hub's answer lacks a network group.");
}

static const struct hf_hub_field owner_fields[] = {
    {.name = "id", .needed = true}, {.name = "name", .needed = true}, {.name = "type", .needed = true}};
static const struct hf_hub_field initiator_fields[] = {
    {.name = "type", .needed = true}, {.name = "id", .needed = true}, {.name = "name"}};
static const struct hf_hub_field status_fields[] = {{.name = "stage", .needed = true},
                                                    {.name = "message"},
                                                    {.name = "expose_urls", .from = "exposeUrls"},
                                                    {.name = "ssh_url", .from = "sshUrl"}};
static const struct hf_hub_field duration_fields[] = {{.name = "scheduling_secs", .from = "schedulingSecs"},
                                                      {.name = "running_secs", .from = "runningSecs"},
                                                      {.name = "total_secs", .from = "totalSecs"}};
#define WHEN(n, key) \
  { .name = n, .from = key, .shape = hf_hub_field_date }
static const struct hf_hub_field head_fields[] = {{.name = "id", .needed = true},
                                                  WHEN("created_at", "createdAt"),
                                                  WHEN("started_at", "startedAt"),
                                                  WHEN("finished_at", "finishedAt")};
static const struct hf_hub_field tail_fields[] = {{.name = "status", .needed = true, HF_HUB_FIELDS(status_fields)},
                                                  {.name = "durations", HF_HUB_FIELDS(duration_fields)},
                                                  {.name = "owner", .needed = true, HF_HUB_FIELDS(owner_fields)},
                                                  {.name = "initiator", HF_HUB_FIELDS(initiator_fields)},
                                                  {.name = "network", .shape = aliases},
                                                  {.name = "retry"},
                                                  {.name = "expose", .from = "expose/ports"},
                                                  {.name = "expose_public", .from = "expose/portsPublic"}};
static const struct hf_hub_field last_fields[] = {{.name = "id", .needed = true}, WHEN("at", "at")};
static const struct hf_hub_field scheduled_status_fields[] = {
    {.name = "last_job", .from = "lastJob", HF_HUB_FIELDS(last_fields)}, WHEN("next_job_run_at", "nextJobRunAt")};
static const struct hf_hub_field scheduled_fields[] = {
    {.name = "id", .needed = true},
    WHEN("created_at", "createdAt"),
    {.name = "job_spec", .from = "jobSpec", .shape = hf_hub_field_job_spec},
    {.name = "schedule"},
    {.name = "suspend"},
    {.name = "concurrency"},
    {.name = "status", HF_HUB_FIELDS(scheduled_status_fields), .deflt = "{}"},
    {.name = "owner", .needed = true, HF_HUB_FIELDS(owner_fields)}};

hf_status hf_hub_job_shape(struct hf_hub *hub, const json_t *raw, json_t **out) {
  static const char *const runs[] = {"docker_image", "space_id", "command", "arguments", "environment",
                                     "secrets",      "flavor",   "labels",  "volumes"};
  json_t *spec = NULL, *rest = NULL;
  TRY(hf_hub_shape_fields(hub->call, head_fields, HF_COUNT(head_fields), raw, out));
  hf_status st = hf_hub_field_job_spec(hub->call, raw, raw, &spec);
  if (st == HF_OK) st = hf_hub_shape_fields(hub->call, tail_fields, HF_COUNT(tail_fields), raw, &rest);
  for (size_t i = 0; st == HF_OK && i < HF_COUNT(runs); i++) {
    json_t *value = json_object_get(spec, runs[i]);
    if (value) json_object_set(*out, runs[i], value);
  }
  if (st == HF_OK && (!hf_hub_get(*out, "id") || !hf_hub_get(json_object_get(rest, "owner"), "name")))
    st = hf_hub_fail(hub->call, HF_EPROTO, NULL, "The Hub describes a job without a name for it; check HF_ENDPOINT.");
  if (st == HF_OK) {
    const char *url = hf_hub_text(hub->call, "%s/jobs/%s/%s", hub->endpoint,
                                  hf_hub_get(json_object_get(rest, "owner"), "name"), hf_hub_get(*out, "id"));
    json_object_update(*out, rest);
    json_object_set_new(*out, "endpoint", json_string(hub->endpoint));
    json_object_set_new(*out, "url", json_string(url ? url : ""));
  } else {
    json_decref(*out);
    *out = NULL;
  }
  json_decref(spec);
  json_decref(rest);
  return st;
}

hf_status hf_hub_scheduled_shape(struct hf_hub *hub, const json_t *raw, json_t **out) {
  return hf_hub_shape_fields(hub->call, scheduled_fields, HF_COUNT(scheduled_fields), raw, out);
}
