/* jobs_list.c - `hf jobs` about many jobs: lists by stage and label, descriptions, waiting until all are over.
 * What the server cannot filter is filtered here. A list shows a few columns; as JSON it is all that is known.
 * The rows are in jobs_tasks.c. */
#include "jobs.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists --------------------------------------------------------------------------------------------------------------- */

struct filter {
  const char *statuses[32];
  size_t count;
  json_t *labels;
  bool all;
};

/* "a,b" and several of it. */
static hf_status read_filter(hf_call *c, const hf_args *args, bool once, struct filter *f) {
  const char *name = hf_hub_arg(args, "name");
  *f = (struct filter){.all = hf_hub_given(args, "all")};
  if (f->all && hf_host()->arg_count(args, "status"))
    return hf_hub_refuse(c, "`-a`/`--all` cannot be combined with `--status`.");
  for (uint32_t i = 0; i < hf_host()->arg_count(args, "status"); i++)
    for (const char *p = hf_host()->arg_str(args, "status", i); *p; p += *p == ',') {
      size_t n = strcspn(p, ","), from = strspn(p, " \t"), to = n;
      while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t')) to--;
      if (from < to && f->count < HF_COUNT(f->statuses)) {
        const char *word = hf_host()->intern(c, p + from, to - from);
        if (!word) return HF_ENOMEM;
        f->statuses[f->count++] = word;
      }
      p += n;
    }
  f->labels = json_object();
  for (uint32_t i = 0; f->labels && i < hf_host()->arg_count(args, "label"); i++) {
    const char *text = hf_host()->arg_str(args, "label", i), *equals = strchr(text, '=');
    if (!equals) return hf_hub_refuse(c, "Invalid label filter '%s': must be in the form 'key=value'", text);
    if (once && strchr(equals + 1, '='))
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "too many values to unpack (expected 2)");
    const char *key = hf_host()->intern(c, text, (size_t)(equals - text));
    if (!key || json_object_set_new(f->labels, key, json_string(equals + 1))) return HF_ENOMEM;
  }
  if (name && json_object_get(f->labels, "name"))
    return hf_hub_refuse(c, "Cannot filter by both `--name` and `--label name=...`.");
  if (name) json_object_set_new(f->labels, "name", json_string(name));
  return f->labels ? HF_OK : HF_ENOMEM;
}

static hf_status say_filter(struct hf_hub *hub, const struct filter *f, const char *what, const char *none) {
  hf_call *c = hub->call;
  const char *out = "", *key;
  json_t *value;
  if (!f->count && !json_object_size(f->labels)) return f->all ? HF_OK : hf_hub_say(hub->out, c, HF_OUT_HINT, none);
  for (size_t i = 0; out && i < f->count; i++)
    out = hf_hub_text(c, "%s%sstatus=%s", out, *out ? ", " : "", f->statuses[i]);
  json_object_foreach(f->labels, key, value) if (out) out =
      hf_hub_text(c, "%s%slabel=%s=%s", out, *out ? ", " : "", key, json_string_value(value));
  out = out ? hf_hub_text(c, "No %s matched filters: %s", what, out) : NULL;
  return out ? hf_hub_say(hub->out, c, HF_OUT_TEXT, out) : HF_ENOMEM;
}

static json_t *or_none(const char *text) {
  return json_string(text && *text ? text : "N/A");
}

/* "2025-07-22T16:06:25..." -> "2025-07-22 16:06:25" */
static json_t *moment(hf_call *c, const char *date) {
  if (!date) return json_string("N/A");
  size_t n = strlen(date);
  char *text = (char *)(uintptr_t)hf_host()->intern(c, date, n < 19 ? n : 19);
  if (text && n > 10 && text[10] == 'T') text[10] = ' ';
  return json_string(text ? text : "");
}

static json_t *command_line(hf_call *c, const json_t *command) {
  const char *out = "";
  size_t i;
  json_t *word;
  json_array_foreach((json_t *)(uintptr_t)command, i, word) {
    const char *text = json_string_value(word);
    out = out ? hf_hub_text(c, "%s%s%s", out, i ? " " : "", text ? text : "") : NULL;
  }
  return or_none(out);
}

static json_t *lasting(hf_call *c, const json_t *seconds) {
  if (!json_is_number(seconds)) return json_string("--");
  long long s = (long long)json_number_value(seconds);
  const char *text = s < 60     ? hf_hub_text(c, "%llds", s)
                     : s < 3600 ? hf_hub_text(c, "%lldm %llds", s / 60, s % 60)
                                : hf_hub_text(c, "%lldh %lldm", s / 3600, s % 3600 / 60);
  return json_string(text ? text : "");
}

struct listing {
  struct hf_hub *hub;
  int64_t left; /* negative: no limit */
  bool cut;
  size_t shown;
};

static hf_status list_item(void *arg, json_t *raw) {
  struct listing *l = arg;
  hf_call *c = l->hub->call;
  json_t *job;
  if (!l->left) return l->cut = true, HF_PENDING;
  if (l->left > 0) l->left--;
  TRY(hf_hub_job_shape(l->hub, raw, &job));
  const char *name = hf_hub_get(json_object_get(job, "labels"), "name");
  json_object_set(job, "job_id", json_object_get(job, "id"));
  json_object_set_new(job, "name", or_none(name));
  json_object_set_new(job, "image/space", or_none(hf_hub_get(job, "docker_image")));
  json_object_set_new(job, "command", command_line(c, json_object_get(job, "command")));
  json_object_set_new(job, "created", moment(c, hf_hub_get(job, "created_at")));
  json_object_set_new(job, "status", json_string(hf_hub_job_stage(job)));
  json_object_set_new(job, "runtime", lasting(c, json_object_get(json_object_get(job, "durations"), "running_secs")));
  l->shown++;
  return hf_hub_record(l->hub->out, c, HF_OUT_ITEM, job);
}

static const char *upper(hf_call *c, const char *text) {
  char *out = (char *)(uintptr_t)hf_host()->intern(c, text, SIZE_MAX);
  for (char *p = out; p && *p; p++)
    if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 32);
  return out ? out : "";
}

static hf_status list_jobs(struct hf_hub *hub, const hf_args *args, const struct filter *f) {
  hf_call *c = hub->call;
  struct listing l = {.hub = hub};
  struct hf_job_at at = {hf_hub_arg(args, "namespace"), ""};
  struct hf_hub as; /* who asks is asked for without the program's name, as the reference does */
  const char *query = "", *key;
  int64_t limit = 100;
  json_t *value;
  TRY(hf_hub_begin(&as, c, hub->out, hf_hub_arg(args, "token"), "unknown/None", false));
  TRY(hf_hub_job_owner(&as, &at.space));
  for (size_t i = 0; query && i < f->count; i++) query = hf_hub_query(c, query, "stage", upper(c, f->statuses[i]));
  if (!f->count && !f->all) query = hf_hub_query(c, hf_hub_query(c, query, "stage", "RUNNING"), "stage", "SCHEDULING");
  json_object_foreach(f->labels, key, value) {
    const char *pair = hf_hub_text(c, "%s=%s", key, json_string_value(value));
    query = query && pair ? hf_hub_query(c, query, "label", pair) : NULL;
  }
  const char *url = hf_hub_job_url(hub, "/api/jobs/{namespace}", &at);
  if (url && query && *query) url = hf_hub_text(c, "%s?%s", url, query);
  if (!url || !query) return HF_ENOMEM;
  hf_host()->arg_int(args, "limit", &limit);
  l.left = limit > 0 ? limit : -1;
  static const char layout[] =
      "{\"headers\":[\"job_id\",\"name\",\"image/space\",\"command\",\"created\",\"status\","
      "\"runtime\"],\"id_key\":\"job_id\"}";
  TRY(hf_host()->record(hub->out, HF_OUT_LAYOUT, layout, sizeof layout - 1));
  TRY(hf_hub_pages(hub, url, list_item, &l));
  TRY(hf_host()->record(hub->out, HF_OUT_TABLE_END, "{}", 2));
  if (l.cut)
    return hf_hub_hint(hub, "Output truncated to %lld Jobs. Use `--limit 0` to show all (or `--limit N`).",
                       (long long)limit);
  if (l.shown) return HF_OK;
  return say_filter(hub, f, "jobs", "No running jobs. Use `-a`/`--all` to include finished (and failed) jobs.");
}

hf_status hf_hub_jobs_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct filter f;
  struct hf_hub hub;
  (void)state;
  hf_status st = read_filter(c, args, true, &f);
  if (st == HF_OK) st = hf_hub_row_begin(&hub, c, args, out);
  if (st == HF_OK) st = list_jobs(&hub, args, &f);
  json_decref(f.labels);
  return st;
}

/* Does it have all labels, and a state that is asked for? */
static bool fits(const json_t *raw, const struct filter *f, bool active, bool suspended) {
  const json_t *have = json_object_get(json_object_get(raw, "jobSpec"), "labels");
  const char *key;
  json_t *value;
  json_object_foreach(f->labels, key, value) if (!json_equal(value, json_object_get(have, key))) return false;
  return json_is_true(json_object_get(raw, "suspend")) ? suspended : active;
}

static hf_status scheduled_item(struct hf_hub *hub, const json_t *raw) {
  hf_call *c = hub->call;
  json_t *item;
  TRY(hf_hub_scheduled_shape(hub, raw, &item));
  const json_t *spec = json_object_get(item, "job_spec"), *status = json_object_get(item, "status");
  json_object_set_new(item, "name", or_none(hf_hub_get(json_object_get(spec, "labels"), "name")));
  json_object_set_new(item, "image/space", or_none(hf_hub_get(spec, "docker_image")));
  json_object_set_new(item, "command", command_line(c, json_object_get(spec, "command")));
  json_object_set_new(item, "last_run", moment(c, hf_hub_get(json_object_get(status, "last_job"), "at")));
  json_object_set_new(item, "next_run", moment(c, hf_hub_get(status, "next_job_run_at")));
  if (!json_object_get(item, "suspend")) json_object_set_new(item, "suspend", json_false());
  return hf_hub_record(hub->out, c, HF_OUT_ITEM, item);
}

static hf_status list_scheduled(struct hf_hub *hub, const hf_args *args, const struct filter *f, bool active,
                                bool suspended) {
  static const char layout[] =
      "{\"headers\":[\"id\",\"name\",\"schedule\",\"image/space\",\"command\",\"last_run\","
      "\"next_run\",\"suspend\"],\"id_key\":\"id\"}";
  hf_call *c = hub->call;
  struct hf_job_at at = {hf_hub_arg(args, "namespace"), ""};
  const char *first = NULL, *key = json_object_iter_key(json_object_iter(f->labels));
  json_t *answer = NULL, *raw;
  size_t i;
  TRY(hf_hub_job_owner(hub, &at.space));
  const char *url = hf_hub_job_url(hub, "/api/scheduled-jobs/{namespace}", &at);
  if (url && key) {
    const char *pair = hf_hub_text(c, "%s=%s", key, hf_hub_get(f->labels, key));
    const char *query = pair ? hf_hub_query(c, "", "label", pair) : NULL;
    url = query ? hf_hub_text(c, "%s?%s", url, query) : NULL;
  }
  TRY(hf_hub_ask(hub, "GET", url, NULL, &answer));
  hf_status st = hf_host()->record(hub->out, HF_OUT_LAYOUT, layout, sizeof layout - 1);
  json_array_foreach(answer, i, raw) {
    if (st != HF_OK || !fits(raw, f, active, suspended)) continue;
    st = scheduled_item(hub, raw);
    if (!first && hf_hub_get(raw, "id")) first = hf_host()->intern(c, hf_hub_get(raw, "id"), SIZE_MAX);
  }
  json_decref(answer);
  if (st == HF_OK) st = hf_host()->record(hub->out, HF_OUT_TABLE_END, "{}", 2);
  TRY(st);
  if (!first)
    return say_filter(hub, f, "scheduled jobs",
                      "No active scheduled jobs. Use `-a`/`--all` to include suspended ones.");
  TRY(hf_hub_hint(hub, "Use `hf jobs scheduled inspect %s` to view details about a scheduled job.", first));
  return hf_hub_hint(hub, "Use `hf jobs scheduled trigger %s` to trigger a scheduled job immediately.", first);
}

hf_status hf_hub_jobs_scheduled_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct filter f;
  struct hf_hub hub;
  bool active = false, suspended = false;
  const char *unknown = "";
  (void)state;
  hf_status st = read_filter(c, args, false, &f);
  for (size_t i = 0; st == HF_OK && i < f.count; i++) {
    char *word = (char *)(uintptr_t)f.statuses[i];
    for (char *p = word; *p; p++)
      if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    if (!strcmp(word, "active"))
      active = true;
    else if (!strcmp(word, "suspended"))
      suspended = true;
    else
      unknown = unknown ? hf_hub_text(c, "%s%s'%s'", unknown, *unknown ? ", " : "", word) : NULL;
  }
  if (st == HF_OK && (!unknown || *unknown))
    st = hf_hub_refuse(c, "Invalid status filter(s) [%s]: expected one of ['active', 'suspended'].",
                       unknown ? unknown : "");
  if (st == HF_OK) st = hf_hub_row_begin(&hub, c, args, out);
  if (st == HF_OK) st = list_scheduled(&hub, args, &f, active || !f.count, f.count ? suspended : f.all);
  json_decref(f.labels);
  return st;
}

/* ---- several jobs ----------------------------------------------------------------------------------------------------------- */

/* An id may say the namespace of those after it. */
static hf_status all_ids(hf_call *c, const hf_args *args, const char *name, struct hf_job_at **all, size_t *count) {
  const char *space = hf_hub_arg(args, "namespace");
  *count = hf_host()->arg_count(args, name);
  *all = hf_host()->arena(c, (*count + 1) * sizeof **all);
  for (size_t i = 0; *all && i < *count; i++) {
    TRY(hf_hub_job_at(c, hf_host()->arg_str(args, name, (uint32_t)i), space, &(*all)[i]));
    space = (*all)[i].space;
  }
  return *all ? HF_OK : HF_ENOMEM;
}

/* The name first, if it has one. */
static json_t *with_name(json_t *item, const char *name) {
  if (!name) return item;
  json_t *out = json_pack("{s:s}", "name", name);
  if (out) json_object_update(out, item);
  json_decref(item);
  return out;
}

static hf_status inspect(hf_call *c, const hf_args *args, hf_out *out, const char *name, const char *path,
                         bool scheduled) {
  struct hf_hub hub;
  struct hf_job_at *all;
  size_t count;
  json_t *list = json_array(), *item;
  hf_status st = all_ids(c, args, name, &all, &count);
  if (st == HF_OK) st = hf_hub_row_begin(&hub, c, args, out);
  const char *space = st == HF_OK && count ? all[count - 1].space : NULL;
  if (st == HF_OK) st = hf_hub_job_owner(&hub, &space);
  for (size_t i = 0; st == HF_OK && i < count; i++) {
    json_t *raw = NULL, *made = NULL;
    all[i].space = space;
    st = hf_hub_job_ask(&hub, "GET", path, &all[i], NULL, &raw);
    if (st == HF_OK) st = scheduled ? hf_hub_scheduled_shape(&hub, raw, &made) : hf_hub_job_shape(&hub, raw, &made);
    const json_t *labels = json_object_get(scheduled ? json_object_get(made, "job_spec") : made, "labels");
    if (st == HF_OK) json_array_append_new(list, with_name(made, hf_hub_get(labels, "name")));
    json_decref(raw);
  }
  static const char layout[] = "{\"id_key\":\"id\"}";
  if (st == HF_OK) st = hf_host()->record(out, HF_OUT_LAYOUT, layout, sizeof layout - 1);
  size_t i;
  json_array_foreach(list, i, item) if (st == HF_OK) st = hf_hub_record(out, c, HF_OUT_ITEM, json_incref(item));
  json_decref(list);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

hf_status hf_hub_jobs_inspect(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return inspect(c, args, out, "job_ids", "/api/jobs/{namespace}/{id}", false);
}
hf_status hf_hub_jobs_scheduled_inspect(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return inspect(c, args, out, "scheduled_job_ids", "/api/scheduled-jobs/{namespace}/{id}", true);
}

/* All in one namespace: the answer is a sentence if not. */
static hf_status one_space(hf_call *c, const struct hf_job_at *all, size_t count) {
  const char *names[64];
  size_t n = 0;
  for (size_t i = 0; i < count; i++) {
    const char *name = all[i].space ? all[i].space : "None";
    size_t at = 0;
    while (at < n && strcmp(names[at], name) < 0) at++;
    if ((at < n && !strcmp(names[at], name)) || n == HF_COUNT(names)) continue;
    memmove(names + at + 1, names + at, (n - at) * sizeof *names);
    names[at] = name;
    n++;
  }
  const char *list = "";
  for (size_t i = 0; list && i < n; i++) list = hf_hub_text(c, "%s%s%s", list, i ? ", " : "", names[i]);
  return n < 2 ? HF_OK : hf_hub_refuse(c, "All Job IDs must be in the same namespace, got: %s", list ? list : "");
}

static hf_status show_waited(struct hf_hub *hub, const json_t *jobs) {
  hf_call *c = hub->call;
  const char *bad = "";
  size_t i, failed = 0;
  json_t *job;
  json_array_foreach((json_t *)(uintptr_t)jobs, i, job) {
    const char *id = hf_hub_get(job, "id"), *stage = hf_hub_job_stage(job);
    TRY(hf_hub_record(hub->out, c, HF_OUT_ITEM,
                      json_pack("{s:s?, s:s, s:s?}", "id", id, "stage", stage, "message",
                                hf_hub_get(json_object_get(job, "status"), "message"))));
    if (!strcmp(stage, "COMPLETED")) continue;
    bad = bad ? hf_hub_text(c, "%s%s%s (%s)", bad, failed ? ", " : "", id ? id : "", stage) : NULL;
    failed++;
  }
  TRY(hf_host()->record(hub->out, HF_OUT_TABLE_END, "{}", 2));
  return failed ? hf_hub_refuse(c, "%zu of %zu Job(s) did not complete successfully: %s", failed, json_array_size(jobs),
                                bad ? bad : "")
                : HF_OK;
}

hf_status hf_hub_jobs_wait(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *timeout = hf_hub_arg(args, "timeout"), *given = hf_hub_arg(args, "namespace");
  uint32_t count = hf_host()->arg_count(args, "job_ids");
  struct hf_job_at *all = hf_host()->arena(c, (count + 1) * sizeof *all);
  struct hf_hub hub;
  int64_t seconds = -1;
  json_t *jobs = NULL;
  (void)state;
  if (!all) return HF_ENOMEM;
  for (uint32_t i = 0; i < count; i++) TRY(hf_hub_job_at(c, hf_host()->arg_str(args, "job_ids", i), given, &all[i]));
  TRY(one_space(c, all, count));
  if (timeout) {
    TRY(hf_hub_seconds(c, timeout, &seconds));
    if (seconds < 0) return hf_hub_fail(c, HF_EINVAL, "ValueError", "`timeout` cannot be negative.");
  }
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_job_owner(&hub, &all[0].space));
  for (uint32_t i = 1; i < count; i++) all[i].space = all[0].space;
  hf_status st = hf_hub_job_wait(&hub, all, count, seconds, NULL, &jobs);
  if (st == HF_ETIMEDOUT && !hf_host()->error(c))
    return hf_hub_refuse(c, "Timed out after %s waiting for Job(s) to finish.", timeout);
  if (st == HF_OK) st = show_waited(&hub, jobs);
  json_decref(jobs);
  return st;
}
