/* jobs_run.c - `hf jobs run` and `hf jobs scheduled run`: what is to run, shown to the person, sent, and followed.
 * The name of a job that got none is that of its image and a hash over all that was asked for, secrets by name only.
 * Secrets are shown as ***, and are in the request's body and nowhere else. */
#include "jobs.h"
#include "jobs_uv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const space_prefixes[] = {"https://huggingface.co/spaces/", "https://hf.co/spaces/",
                                             "huggingface.co/spaces/", "hf.co/spaces/"};

/* What the words of the command line come to. */
struct plan {
  struct hf_hub hub;
  const hf_args *args;
  const char *image, *flavor, *schedule;
  struct hf_uv_script script;                         /* of `uv run`; name NULL: another job */
  json_t *command, *env, *secrets, *labels, *volumes; /* env, secrets: {"NAME": "value"}, null: not set here */
  const char *space;
  bool dry;
};

static void plan_free(struct plan *p) {
  hf_hub_uv_free(&p->script);
  json_decref(p->command);
  json_decref(p->env);
  json_decref(p->secrets);
  json_decref(p->labels);
  json_decref(p->volumes);
}

static json_t *words_of(const hf_args *args, const char *name) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < hf_host()->arg_count(args, name); i++)
    json_array_append_new(list, json_string(hf_host()->arg_str(args, name, i)));
  return list;
}

static json_t *ports_of(const hf_args *args, const char *name, json_t *list) {
  for (uint32_t i = 0; i < hf_host()->arg_count(args, name); i++) {
    json_t *port = json_integer(strtoll(hf_host()->arg_str(args, name, i), NULL, 10)), *have;
    size_t k;
    bool known = false;
    json_array_foreach(list, k, have) known |= json_equal(have, port) != 0;
    if (!known) json_array_append(list, port);
    json_decref(port);
  }
  return list;
}

json_t *hf_hub_job_expose(const hf_args *args, const char *with_token, const char *open) {
  json_t *ports = ports_of(args, open, ports_of(args, with_token, json_array()));
  return json_pack("{s:o, s:o}", "ports", ports, "portsPublic", ports_of(args, open, json_array()));
}

/* A secret that is named and not there is an error, or shown so in a dry run. */
static hf_status missing_secrets(struct plan *p) {
  hf_call *c = p->hub.call;
  const char *list = "", *first = NULL;
  for (uint32_t i = 0; list && i < hf_host()->arg_count(p->args, "secrets"); i++) {
    const char *text = hf_host()->arg_str(p->args, "secrets", i);
    if (strchr(text, '=')) continue;
    text += strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n && strchr(" \t\r\n", text[n - 1])) n--;
    const char *name = hf_host()->intern(c, text, n);
    if (!name) return HF_ENOMEM;
    if (json_object_get(p->secrets, name)) continue;
    list = hf_hub_text(c, "%s%s%s", list, first ? ", " : "", name);
    if (!first) first = name;
    if (p->dry) json_object_set_new(p->secrets, name, json_null());
  }
  if (!list) return HF_ENOMEM;
  if (!first || p->dry) return HF_OK;
  return hf_hub_refuse(c,
                       "The following secret(s) are not set in your environment: %s. Export them locally (e.g. `export "
                       "%s=...`) or use `--secrets-file` otherwise.",
                       list, first);
}

/* ---- the name ------------------------------------------------------------------------------------------------------------- */

static void part(hf_digester *d, const char *text) {
  hf_host()->digest_add(d, "", 1);
  hf_host()->digest_add(d, text, strlen(text));
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static hf_status sorted_parts(hf_call *c, hf_digester *d, const json_t *map, bool values) {
  size_t n = json_object_size(map), i = 0;
  const char **keys = hf_host()->arena(c, (n + 1) * sizeof *keys), *key;
  json_t *value;
  if (!keys) return HF_ENOMEM;
  json_object_foreach((json_t *)(uintptr_t)map, key, value) keys[i++] = key;
  qsort(keys, n, sizeof *keys, by_name);
  for (i = 0; i < n; i++) {
    const char *text = values ? hf_hub_text(c, "%s=%s", keys[i], hf_hub_get(map, keys[i])) : keys[i];
    if (!text) return HF_ENOMEM;
    part(d, text);
  }
  return HF_OK;
}

static void all_parts(hf_digester *d, const hf_args *args, const char *name) {
  for (uint32_t i = 0; i < hf_host()->arg_count(args, name); i++) part(d, hf_host()->arg_str(args, name, i));
}

static const char *or_empty(const char *s) {
  return s ? s : "";
}

static hf_status name_it(struct plan *p) {
  hf_call *c = p->hub.call;
  const char *base = NULL;
  struct hf_digest sum;
  hf_digester *d;
  char hex[9];
  if (json_object_get(p->labels, "name")) return HF_OK;
  const char *of = p->script.name ? p->script.name : p->image;
  for (size_t i = 0; i < HF_COUNT(space_prefixes) && !base && !p->script.name; i++)
    if (!strncmp(of, space_prefixes[i], strlen(space_prefixes[i]))) base = of + strlen(space_prefixes[i]);
  if (!base) {
    size_t n = strcspn(of, p->script.name ? "?#" : "");
    while (n && of[n - 1] == '/') n--;
    size_t from = n;
    while (from && of[from - 1] != '/') from--;
    if (p->script.name && n - from >= 3 && !strncmp(of + n - 3, ".py", 3)) n -= 3;
    base = hf_host()->intern(c, of + from, n - from);
  }
  if (!base) return HF_ENOMEM;
  if (!*base) base = of;
  char *clean = hf_host()->arena(c, strlen(base) + 1), *to = clean;
  if (!clean) return HF_ENOMEM;
  for (const char *s = base; *s; s++) { /* a character that is no letter is one "-" */
    bool fine =
        (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') || *s == '_' || *s == '-';
    if (((unsigned char)*s & 0xc0) != 0x80) *to++ = fine ? *s : '-';
  }
  *to = 0;
  TRY(hf_host()->digest_new(c, HF_DIGEST_SHA256, HF_SIZE_UNKNOWN, &d));
  hf_host()->digest_add(d, of, strlen(of));
  all_parts(d, p->args, p->script.name ? "script_args" : "command");
  part(d, p->flavor);
  part(d, or_empty(hf_hub_arg(p->args, "timeout")));
  part(d, or_empty(hf_hub_arg(p->args, "namespace")));
  part(d, or_empty(hf_hub_arg(p->args, "network_group")));
  if (p->script.name) {
    part(d, p->image);
    part(d, or_empty(hf_hub_arg(p->args, "python")));
    all_parts(d, p->args, "with_");
  }
  all_parts(d, p->args, "attempts");
  hf_status st = sorted_parts(c, d, p->env, true);
  if (st == HF_OK) st = sorted_parts(c, d, p->secrets, false);
  all_parts(d, p->args, "volume");
  all_parts(d, p->args, "network_alias");
  hf_host()->digest_end(d, &sum);
  TRY(st);
  for (size_t i = 0; i < 4; i++) snprintf(hex + 2 * i, 3, "%02x", sum.bytes[i]);
  json_object_set_new(p->labels, "name", json_string(hf_hub_text(c, "%s-%s", clean, hex)));
  return HF_OK;
}

/* ---- what is shown first -------------------------------------------------------------------------------------------------- */

const char *hf_hub_shell_word(hf_call *c, const char *word) {
  static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  const char *out = "'";
  if (*word && strspn(word, fine) == strlen(word)) return word;
  while (out) {
    size_t n = strcspn(word, "'");
    out = hf_hub_text(c, "%s%.*s%s", out, (int)n, word, word[n] ? "'\"'\"'" : "'");
    if (!word[n]) break;
    word += n + 1;
  }
  return out;
}

static const char *joined(hf_call *c, const hf_args *args, const char *name, bool quoted) {
  const char *out = "";
  for (uint32_t i = 0; out && i < hf_host()->arg_count(args, name); i++) {
    const char *word = hf_host()->arg_str(args, name, i);
    if (quoted) word = hf_hub_shell_word(c, word);
    out = word ? hf_hub_text(c, "%s%s%s", out, i ? " " : "", word) : NULL;
  }
  return out;
}

/* At most 60 characters of a value. */
static const char *shortened(hf_call *c, const char *text) {
  size_t characters = 0, cut = 0;
  for (const char *s = text; *s; s++) {
    if (((unsigned char)*s & 0xc0) == 0x80) continue;
    if (characters++ == 59) cut = (size_t)(s - text);
  }
  return characters > 60 ? hf_hub_text(c, "%.*s…", (int)cut, text) : text;
}

static const char *listed(hf_call *c, const json_t *map, bool secret) {
  const char *out = "", *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)map, key, value) {
    const char *shown = !secret               ? shortened(c, or_empty(json_string_value(value)))
                        : json_is_null(value) ? "<not set>"
                                              : "***";
    if (out && shown) out = hf_hub_text(c, "%s%s%s=%s", out, *out ? "\n" : "", key, shown);
  }
  return out;
}

static const char *all_labels(hf_call *c, const json_t *map) {
  const char *out = "", *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)map, key, value) if (out) out =
      hf_hub_text(c, "%s%s%s=%s", out, *out ? "\n" : "", key, or_empty(json_string_value(value)));
  return out;
}

static const char *lines_of(hf_call *c, const hf_args *args, const char *name) {
  const char *out = "";
  for (uint32_t i = 0; out && i < hf_host()->arg_count(args, name); i++)
    out = hf_hub_text(c, "%s%s%s", out, i ? "\n" : "", hf_host()->arg_str(args, name, i));
  return out;
}

static hf_status summary(struct plan *p) {
  hf_call *c = p->hub.call;
  const hf_args *a = p->args;
  const struct {
    const char *key, *value;
  } rows[] = {{"schedule", p->schedule},
              {"suspend", hf_hub_given(a, "suspend") ? "True" : NULL},
              {"concurrency", hf_hub_given(a, "concurrency") ? "True" : NULL},
              {"script", p->script.name},
              {"args", joined(c, a, "script_args", true)},
              {"with", joined(c, a, "with_", false)},
              {"image", p->image},
              {"command", joined(c, a, "command", true)},
              {"flavor", p->flavor},
              {"python", hf_hub_arg(a, "python")},
              {"timeout", hf_hub_arg(a, "timeout")},
              {"attempts", hf_hub_arg(a, "attempts")},
              {"env", listed(c, p->env, false)},
              {"secrets", listed(c, p->secrets, true)},
              {"volumes", lines_of(c, a, "volume")},
              {"labels", all_labels(c, p->labels)},
              {"expose", joined(c, a, "expose", false)},
              {"expose_public", joined(c, a, "expose_public", false)},
              {"ssh", hf_hub_given(a, "ssh") ? "True" : NULL},
              {"network_group", hf_hub_arg(a, "network_group")},
              {"network_aliases", joined(c, a, "network_alias", false)},
              {"resource_group_id", hf_hub_arg(a, "resource_group_id")},
              {"namespace", hf_hub_arg(a, "namespace")}};
  const char *out = "Job configuration:";
  int width = 0;
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    if (rows[i].value && *rows[i].value && (int)strlen(rows[i].key) > width) width = (int)strlen(rows[i].key);
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    const char *line = rows[i].value, *key = rows[i].key;
    while (out && line && *line) {
      size_t n = strcspn(line, "\n");
      out = hf_hub_text(c, "%s\n  %-*s  %.*s", out, width, key, (int)n, line);
      line += n + (line[n] == '\n');
      key = "";
    }
  }
  if (out && p->dry) out = hf_hub_text(c, "%s\n(dry run) Job not submitted.", out);
  return out ? hf_hub_say(p->hub.out, c, p->dry ? HF_OUT_TEXT : HF_OUT_NOTE, out) : HF_ENOMEM;
}

/* ---- what is sent ------------------------------------------------------------------------------------------------------------ */

/* "5m", "1.5h", "90": seconds, by the rules for a job. */
static hf_status run_seconds(hf_call *c, const char *text, json_t **seconds) {
  static const char units[] = "smhd";
  static const int each[] = {1, 60, 3600, 86400};
  size_t n = strlen(text);
  const char *unit = n ? strchr(units, text[n - 1]) : NULL;
  const char *digits = hf_host()->intern(c, text, unit ? n - 1 : n);
  char *end;
  if (!digits) return HF_ENOMEM;
  errno = 0;
  double v = unit ? strtod(digits, &end) : (double)strtoll(digits, &end, 10);
  while (*end == ' ') end++;
  if (end == digits || *end || errno || !(v > -1e15 && v < 1e15))
    return unit ? hf_hub_fail(c, HF_EINVAL, "ValueError", "could not convert string to float: '%s'", digits)
                : hf_hub_fail(c, HF_EINVAL, "ValueError", "invalid literal for int() with base 10: '%s'", digits);
  *seconds = json_integer((json_int_t)(unit ? v * each[unit - units] : v));
  return HF_OK;
}

static hf_status spec(struct plan *p, json_t **out) {
  hf_call *c = p->hub.call;
  const char *timeout = hf_hub_arg(p->args, "timeout"), *group = hf_hub_arg(p->args, "network_group");
  uint32_t aliases = hf_host()->arg_count(p->args, "network_alias");
  int64_t attempts;
  json_t *body = json_pack("{s:O, s:[], s:O, s:s}", "command", p->command, "arguments", "environment", p->env, "flavor",
                           p->flavor);
  if (!body) return HF_ENOMEM;
  *out = body;
  if (json_object_size(p->secrets)) json_object_set(body, "secrets", p->secrets);
  if (timeout && *timeout) {
    json_t *seconds = NULL;
    TRY(run_seconds(c, timeout, &seconds));
    json_object_set_new(body, "timeoutSeconds", seconds);
  }
  if (hf_host()->arg_int(p->args, "attempts", &attempts)) json_object_set_new(body, "attempts", json_integer(attempts));
  json_object_set(body, "labels", p->labels);
  if (json_array_size(p->volumes)) json_object_set(body, "volumes", p->volumes);
  if (hf_host()->arg_count(p->args, "expose") || hf_host()->arg_count(p->args, "expose_public"))
    json_object_set_new(body, "expose", hf_hub_job_expose(p->args, "expose", "expose_public"));
  if (hf_hub_given(p->args, "ssh")) json_object_set_new(body, "ssh", json_pack("{s:b}", "enabled", 1));
  if (group && *group) {
    json_t *network = json_pack("{s:s}", "group", group);
    if (aliases) json_object_set_new(network, "aliases", words_of(p->args, "network_alias"));
    json_object_set_new(body, "network", network);
  }
  const char *resource = hf_hub_arg(p->args, "resource_group_id");
  if (resource && *resource) json_object_set_new(body, "resourceGroupId", json_string(resource));
  for (size_t i = 0; i < HF_COUNT(space_prefixes); i++)
    if (!strncmp(p->image, space_prefixes[i], strlen(space_prefixes[i])))
      return json_object_set_new(body, "spaceId", json_string(p->image + strlen(space_prefixes[i]))) ? HF_ENOMEM
                                                                                                     : HF_OK;
  return json_object_set_new(body, "dockerImage", json_string(p->image)) ? HF_ENOMEM : HF_OK;
}

static hf_status local_volumes(hf_call *c, const hf_args *args) {
  for (uint32_t i = 0; i < hf_host()->arg_count(args, "volume"); i++)
    if (strncmp(hf_host()->arg_str(args, "volume", i), "hf://", 5) != 0)
      return hf_hub_refuse(c,
                           "'%s' is a local folder: this version mounts repos and buckets only; upload it first, then "
                           "mount hf://...",
                           hf_host()->arg_str(args, "volume", i));
  return HF_OK;
}

static hf_status prepare(struct plan *p, hf_call *c, const hf_args *args, hf_out *out) {
  const char *flavor = hf_hub_arg(args, "flavor");
  *p = (struct plan){.args = args, .image = hf_hub_arg(args, "image"), .schedule = hf_hub_arg(args, "schedule")};
  p->flavor = flavor && *flavor ? flavor : "cpu-basic";
  p->dry = hf_hub_given(args, "dry_run");
  TRY(hf_hub_row_begin(&p->hub, c, args, out));
  if (hf_hub_arg(args, "script")) TRY(hf_hub_uv_read(&p->hub, hf_hub_arg(args, "script"), &p->script));
  if (p->script.name && (!p->image || !*p->image)) p->image = HF_UV_IMAGE;
  hf_hub_env_warn(c, out, args);
  TRY(hf_hub_env_object(&p->hub, args, "env", &p->env));
  TRY(hf_hub_env_object(&p->hub, args, "secrets", &p->secrets));
  TRY(missing_secrets(p));
  TRY(hf_hub_job_labels(c, args, &p->labels));
  TRY(name_it(p));
  p->command = words_of(args, "command");
  if (!p->dry) {
    TRY(local_volumes(c, args));
    TRY(hf_hub_volumes(c, args, &p->volumes));
  }
  return summary(p);
}

static hf_status send(struct plan *p, const char *path, json_t **answer) {
  hf_call *c = p->hub.call;
  json_t *body = NULL;
  struct hf_job_at at = {hf_hub_arg(p->args, "namespace"), ""};
  const char *group = hf_hub_arg(p->args, "network_group");
  if (p->script.name) hf_hub_experimental(&p->hub, p->schedule ? "create_scheduled_uv_job" : "run_uv_job");
  TRY(hf_hub_job_owner(&p->hub, &at.space));
  if (hf_host()->arg_count(p->args, "network_alias") && !(group && *group))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "`network_aliases` requires `network_group`.");
  hf_status st = HF_OK;
  if (p->script.name) {
    json_decref(p->command);
    p->command = NULL;
    st = hf_hub_uv_command(&p->hub, p->args, &p->script, at.space, &p->command, &p->volumes);
  }
  if (st == HF_OK) st = spec(p, &body);
  if (st == HF_OK && p->schedule) {
    int64_t on;
    body = json_pack("{s:o, s:s}", "jobSpec", body, "schedule", p->schedule);
    if (hf_host()->arg_int(p->args, "concurrency", &on)) json_object_set_new(body, "concurrency", json_boolean(on));
    if (hf_host()->arg_int(p->args, "suspend", &on)) json_object_set_new(body, "suspend", json_boolean(on));
  }
  if (st != HF_OK) return json_decref(body), st;
  return hf_hub_job_ask(&p->hub, "POST", path, &at, body, answer);
}

/* Was it named on purpose? */
static bool named(const hf_args *args) {
  if (hf_hub_arg(args, "name")) return true;
  for (uint32_t i = 0; i < hf_host()->arg_count(args, "label"); i++) {
    const char *text = hf_host()->arg_str(args, "label", i);
    if (!strncmp(text, "name", 4) && (!text[4] || text[4] == '=')) return true;
  }
  return false;
}

/* ---- afterwards ------------------------------------------------------------------------------------------------------------- */

static hf_status settle(struct hf_hub *hub, const struct hf_job_at *at, const json_t *raw) {
  hf_call *c = hub->call;
  json_t *job = json_incref((json_t *)(uintptr_t)raw), *jobs = NULL;
  while (!strcmp(hf_hub_job_stage(job), "SCHEDULING")) {
    hf_status nap = hf_hub_nap(c, 2000);
    json_decref(job);
    job = NULL;
    if (nap != HF_OK) return nap;
    if (hf_hub_job_ask(hub, "GET", "/api/jobs/{namespace}/{id}", at, NULL, &job) == HF_OK) continue;
    TRY(hf_host()->check(c)); /* the log says what is wrong */
    hf_host()->clear(c);
    break;
  }
  json_decref(job);
  TRY(hf_hub_job_follow(hub, at, true, -1));
  TRY(hf_hub_job_wait(hub, at, 1, -1, NULL, &jobs));
  const json_t *end = json_array_get(jobs, 0);
  const char *stage = hf_hub_job_stage(end), *why = hf_hub_get(json_object_get(end, "status"), "message");
  hf_status st = HF_OK;
  if (strcmp(stage, "COMPLETED") != 0) {
    st = hf_hub_refuse(c, "Job %s finished with stage '%s'%s%s", at->id, stage, why && *why ? ": " : "", or_empty(why));
  } else {
    const char *text = hf_hub_text(c, "Job %s completed", at->id);
    st = text ? hf_hub_say(hub->out, c, HF_OUT_TEXT, text) : HF_ENOMEM;
  }
  json_decref(jobs);
  return st;
}

hf_status hf_hub_job_started(struct hf_hub *hub, const json_t *raw, bool detach, bool is_named) {
  hf_call *c = hub->call;
  const json_t *status = json_object_get(raw, "status"), *urls = json_object_get(status, "exposeUrls");
  const char *name = hf_hub_get(json_object_get(raw, "labels"), "name"), *all = "";
  const char *group = hf_hub_get(json_object_get(raw, "network"), "group");
  json_t *shape, *url;
  size_t i;
  TRY(hf_hub_job_shape(hub, raw, &shape));
  struct hf_job_at at = {hf_host()->intern(c, hf_hub_get(json_object_get(shape, "owner"), "name"), SIZE_MAX),
                         hf_host()->intern(c, hf_hub_get(shape, "id"), SIZE_MAX)};
  json_t *result = json_pack("{s:s?, s:s?, s:O?}", "id", at.id, "name", name, "url", json_object_get(shape, "url"));
  json_decref(shape);
  if (!at.space || !at.id) return json_decref(result), HF_ENOMEM;
  hf_status st = hf_hub_say(hub->out, c, HF_OUT_MESSAGE, "Job started");
  if (st != HF_OK) return json_decref(result), st;
  TRY(hf_hub_record(hub->out, c, HF_OUT_RESULT, result));
  if (!is_named)
    TRY(hf_hub_hint(hub, "Job auto-named '%s'. Pass `--name` or run `hf jobs labels %s/%s --name NAME` to rename it.",
                    name ? name : "None", at.space, at.id));
  json_array_foreach(urls, i, url) all = all ? hf_hub_text(c, "%s\n  %s", all, or_empty(json_string_value(url))) : NULL;
  if (json_is_array(urls)) TRY(hf_hub_hint(hub, "Exposed ports are reachable at:%s", *or_empty(all) ? all : "\n"));
  if (hf_hub_get(status, "sshUrl"))
    TRY(hf_hub_hint(hub, "Use `hf jobs ssh %s/%s` to open an SSH session into the job.", at.space, at.id));
  if (group)
    TRY(hf_hub_hint(
        hub,
        "Joined network group '%s'. Jobs of this namespace and resource group started with `--network-group "
        "%s` reach each other at `$HF_NETWORK_GROUP_HOSTNAME` (every member) or "
        "`${HF_NETWORK_GROUP_PREFIX}<alias>` (members claiming an alias).",
        group, group));
  if (!detach) return settle(hub, &at, raw);
  TRY(hf_hub_hint(hub, "Use `hf jobs logs -f %s/%s` to stream logs, or `hf jobs inspect %s/%s` to check status.",
                  at.space, at.id, at.space, at.id));
  return hf_hub_hint(hub, "Use `hf jobs wait %s/%s` to block until it finishes.", at.space, at.id);
}

hf_status hf_hub_run_job(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct plan p;
  json_t *answer = NULL;
  (void)state;
  hf_status st = prepare(&p, c, args, out);
  if (st == HF_OK && !p.dry) st = send(&p, "/api/jobs/{namespace}", &answer);
  if (st == HF_OK && !p.dry) st = hf_hub_job_started(&p.hub, answer, hf_hub_given(args, "detach"), named(args));
  json_decref(answer);
  plan_free(&p);
  return st;
}

hf_status hf_hub_run_job_by_clock(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct plan p;
  json_t *answer = NULL, *shape = NULL;
  (void)state;
  hf_status st = prepare(&p, c, args, out);
  if (st == HF_OK && !p.dry) st = send(&p, "/api/scheduled-jobs/{namespace}", &answer);
  if (st == HF_OK && !p.dry) st = hf_hub_scheduled_shape(&p.hub, answer, &shape);
  if (st == HF_OK && !p.dry) {
    const char *id = or_empty(hf_hub_get(shape, "id"));
    const char *owner = or_empty(hf_hub_get(json_object_get(shape, "owner"), "name"));
    const char *name = hf_hub_get(json_object_get(json_object_get(shape, "job_spec"), "labels"), "name");
    st = hf_hub_say(out, c, HF_OUT_MESSAGE, "Scheduled Job created");
    if (st == HF_OK) st = hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s?, s:s?}", "id", id, "name", name));
    if (st == HF_OK && !named(args))
      st = hf_hub_hint(
          &p.hub,
          "Scheduled Job auto-named '%s'. Pass `--name` or run `hf jobs scheduled labels %s/%s --name NAME` "
          "to rename it.",
          name ? name : "None", owner, id);
    if (st == HF_OK) st = hf_hub_hint(&p.hub, "Use `hf jobs scheduled inspect %s/%s` to view its details.", owner, id);
  }
  json_decref(shape);
  json_decref(answer);
  plan_free(&p);
  return st;
}
