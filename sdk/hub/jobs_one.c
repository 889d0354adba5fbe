/* jobs_one.c - `hf jobs` about one job: run it again, its ports, its labels, its log, a shell in it; and what jobs can run on.
 * Each asks for the namespace first when it is not named.
 * The rows are in jobs_tasks.c. */
#include "jobs.h"

#include <string.h>

static const char *id_of(const hf_args *args) {
  const char *id = hf_hub_arg(args, "job_id");
  return id ? id : hf_hub_arg(args, "scheduled_job_id");
}

hf_status hf_hub_job_begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out, struct hf_job_at *at) {
  TRY(hf_hub_job_at(c, id_of(args), hf_hub_arg(args, "namespace"), at));
  TRY(hf_hub_row_begin(hub, c, args, out));
  return hf_hub_job_owner(hub, &at->space);
}

/* ---- one job ----------------------------------------------------------------------------------------------------------------- */

hf_status hf_hub_jobs_hardware(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_ask(&hub, "GET", hf_hub_at(&hub, "jobs/hardware"), NULL, &answer));
  hf_status st = hf_hub_show_hardware(c, out, answer, true);
  json_decref(answer);
  return st == HF_OK ? hf_hub_hint(&hub, "Use `hf jobs run --flavor <name> ...` to request a specific hardware flavor.")
                     : st;
}

hf_status hf_hub_jobs_rerun(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_job_at at;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_job_begin(&hub, c, args, out, &at));
  TRY(hf_hub_job_ask(&hub, "POST", "/api/jobs/{namespace}/{id}/duplicate", &at, NULL, &answer));
  hf_status st = hf_hub_job_started(&hub, answer, hf_hub_given(args, "detach"), true);
  json_decref(answer);
  return st;
}

hf_status hf_hub_jobs_expose(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  bool clear = hf_hub_given(args, "clear");
  bool some = hf_host()->arg_count(args, "ports") || hf_host()->arg_count(args, "public");
  struct hf_hub hub;
  struct hf_job_at at;
  json_t *answer = NULL;
  (void)state;
  if (clear && some) return hf_hub_refuse(c, "`--clear` cannot be combined with ports or `--public`.");
  if (!clear && !some)
    return hf_hub_refuse(c, "Pass at least one port or `--public` port, or `--clear` to close all ports.");
  TRY(hf_hub_job_begin(&hub, c, args, out, &at));
  TRY(hf_hub_job_ask(&hub, "PUT", "/api/jobs/{namespace}/{id}/expose", &at, hf_hub_job_expose(args, "ports", "public"),
                     &answer));
  json_t *shape = NULL;
  hf_status st = hf_hub_job_shape(&hub, answer, &shape);
  json_decref(answer);
  TRY(st);
  json_t *ports = json_object_get(shape, "expose"), *open = json_object_get(shape, "expose_public");
  json_t *result =
      json_pack("{s:O, s:o, s:o}", "id", json_object_get(shape, "id"), "ports",
                ports ? json_incref(ports) : json_array(), "public_ports", open ? json_incref(open) : json_array());
  json_decref(shape);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Exposed ports updated"));
  return hf_hub_record(out, c, HF_OUT_RESULT, result);
}

/* path: of the job; a name alone keeps the labels that are there. */
static hf_status labels(hf_call *c, const hf_args *args, hf_out *out, const char *path, bool scheduled) {
  const char *name = hf_hub_arg(args, "name");
  bool clear = hf_hub_given(args, "clear"), some = hf_host()->arg_count(args, "label") > 0;
  struct hf_hub hub;
  struct hf_job_at at;
  json_t *map = NULL, *answer = NULL, *now = NULL;
  if (!some && !name && !clear)
    return hf_hub_refuse(c,
                         "Please set a name with --name or at least one label with --label. To remove all labels, pass "
                         "--clear.");
  if ((some || name) && clear)
    return hf_hub_refuse(c,
                         "Cannot set a name or labels and clear them at the same time. Please use --name/--label or "
                         "--clear, not both.");
  TRY(hf_hub_job_labels(c, args, &map));
  hf_status st = hf_hub_job_begin(&hub, c, args, out, &at);
  if (st == HF_OK && name && !some) st = hf_hub_job_ask(&hub, "GET", path, &at, NULL, &now);
  const json_t *had = json_object_get(scheduled ? json_object_get(now, "jobSpec") : now, "labels");
  if (had) {
    json_t *both = json_copy((json_t *)(uintptr_t)had);
    json_object_update(both, map);
    json_decref(map);
    map = both;
  }
  json_decref(now);
  const char *kept = hf_hub_get(map, "name");
  if (kept) kept = hf_host()->intern(c, kept, SIZE_MAX);
  const char *to = hf_hub_text(c, "%s/labels", path);
  if (st == HF_OK) st = hf_hub_job_ask(&hub, "PUT", to ? to : path, &at, json_pack("{s:O}", "labels", map), &answer);
  json_decref(map);
  TRY(st);
  json_t *result = json_pack("{s:O?, s:s?}", "id", json_object_get(answer, "id"), "name", kept);
  json_decref(answer);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Labels updated"));
  return hf_hub_record(out, c, HF_OUT_RESULT, result);
}

hf_status hf_hub_jobs_labels(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return labels(c, args, out, "/api/jobs/{namespace}/{id}", false);
}
hf_status hf_hub_jobs_scheduled_labels(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return labels(c, args, out, "/api/scheduled-jobs/{namespace}/{id}", true);
}

hf_status hf_hub_jobs_logs(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  bool follow = hf_hub_given(args, "follow");
  struct hf_hub hub;
  struct hf_job_at at;
  int64_t tail = -1;
  (void)state;
  TRY(hf_hub_job_at(c, hf_hub_arg(args, "job_id"), hf_hub_arg(args, "namespace"), &at));
  const char *named = at.space, *slash = named ? "/" : "";
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_job_owner(&hub, &at.space));
  if (!hf_host()->arg_int(args, "tail", &tail)) tail = -1;
  TRY(hf_hub_job_follow(&hub, &at, follow, tail));
  if (!named) named = "";
  if (follow)
    return hf_hub_hint(
        &hub, "Stream ended. Run `hf jobs inspect %s%s%s` to check the final status (e.g. COMPLETED or ERROR).", named,
        slash, at.id);
  return hf_hub_hint(&hub,
                     "If the job is still running, use `hf jobs logs -f %s%s%s` to stream new logs until it completes.",
                     named, slash, at.id);
}

hf_status hf_hub_jobs_ssh(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_job_at at;
  json_t *job = NULL, *jobs = NULL;
  (void)state;
  TRY(hf_hub_job_begin(&hub, c, args, out, &at));
  TRY(hf_hub_job_ask(&hub, "GET", "/api/jobs/{namespace}/{id}", &at, NULL, &job));
  const char *url = hf_hub_get(json_object_get(job, "status"), "sshUrl"), *stage = hf_hub_job_stage(job);
  const char *id = hf_hub_get(job, "id") ? hf_hub_get(job, "id") : at.id;
  hf_status st = HF_OK;
  if (!url) {
    st =
        hf_hub_refuse(c, "SSH is not enabled on this job. Start a job with SSH support using `hf jobs run --ssh ...`.");
  } else if (hf_hub_job_over(stage)) {
    st = hf_hub_refuse(c, "Cannot SSH into job '%s': job has already finished (stage: '%s').", id, stage);
  } else if (strcmp(stage, "RUNNING") != 0) {
    st = hf_hub_job_wait(&hub, &at, 1, -1, "RUNNING", &jobs);
    const json_t *now = json_array_get(jobs, 0);
    stage = hf_hub_job_stage(now);
    url = hf_hub_get(json_object_get(now, "status"), "sshUrl");
    if (st == HF_OK && (strcmp(stage, "RUNNING") != 0 || !url))
      st = hf_hub_refuse(c, "Cannot SSH into job '%s': job finished before reaching RUNNING (stage: '%s').", id, stage);
  }
  if (st == HF_OK) st = hf_hub_ssh(&hub, url, args);
  json_decref(job);
  json_decref(jobs);
  return st;
}
