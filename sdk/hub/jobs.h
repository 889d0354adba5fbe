/* jobs.h - what the files of `hf jobs` share: where a job is, its description, its log.
 * Private to sdk/hub. A job is named "id" or "namespace/id"; without a namespace it is the caller's own.
 * Values of secrets go into the request's body and nowhere else. */
#ifndef HUB_JOBS_H
#define HUB_JOBS_H
#include "rows.h"

struct hf_job_at {
  const char *space, *id; /* space NULL: not named */
};
/* The argument `text`; `given` is --namespace or what an earlier id said, NULL: none. */
hf_status hf_hub_job_at(hf_call *, const char *text, const char *given, struct hf_job_at *);
/* at->space when there was none: the name of who asks. */
hf_status hf_hub_job_owner(struct hf_hub *, const char **space);
/* A route with {namespace} and {id} filled in; NULL: error set. */
const char *hf_hub_job_url(struct hf_hub *, const char *path, const struct hf_job_at *);
hf_status hf_hub_job_ask(struct hf_hub *, const char *method, const char *path, const struct hf_job_at *, json_t *body,
                         json_t **answer);
hf_status hf_hub_job_shape(struct hf_hub *, const json_t *raw, json_t **out);
hf_status hf_hub_scheduled_shape(struct hf_hub *, const json_t *raw, json_t **out);
const char *hf_hub_job_stage(const json_t *raw);
bool hf_hub_job_over(const char *stage);
/* {"KEY": "VALUE"} of --label and --name. */
hf_status hf_hub_job_labels(hf_call *, const hf_args *, json_t **labels);
/* "90", "5m": seconds. */
hf_status hf_hub_seconds(hf_call *, const char *text, int64_t *seconds);
/* Waits until each is over (or at `stage`); *jobs are the answers. seconds negative: for ever. HF_ETIMEDOUT: not over yet. */
hf_status hf_hub_job_wait(struct hf_hub *, const struct hf_job_at *, size_t count, int64_t seconds, const char *stage,
                          json_t **jobs);
hf_status hf_hub_nap(hf_call *, uint32_t ms); /* until then, or until the call ends */
/* jobs_log.c */
struct hf_job_stream {
  const char *url;
  int64_t tail; /* negative: all */
  bool follow, once;
  uint32_t silence_ms;
  uint32_t ignored[2]; /* statuses that are no error */
  /* *over: the stream need not be opened again; NULL: the end of the stream is the end. */
  hf_status (*over)(void *arg, bool *over);
  hf_status (*event)(void *arg, const json_t *event);
  void *arg;
};
hf_status hf_hub_stream(struct hf_hub *, struct hf_job_stream *);
hf_status hf_hub_job_follow(struct hf_hub *, const struct hf_job_at *, bool follow, int64_t tail);
/* jobs_run.c: after a job was started: hints, then its log unless it is left alone. */
hf_status hf_hub_job_started(struct hf_hub *, const json_t *raw, bool detach, bool named);
hf_status hf_hub_run_job(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_run_job_by_clock(hf_call *, void *, const hf_args *, hf_out *);
/* The job that the command line names, and whose it is. */
hf_status hf_hub_job_begin(struct hf_hub *, hf_call *, const hf_args *, hf_out *, struct hf_job_at *);
/* jobs_list.c, jobs_one.c: run functions of rows. */
hf_status hf_hub_jobs_list(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_scheduled_list(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_inspect(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_scheduled_inspect(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_wait(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_hardware(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_rerun(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_expose(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_labels(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_scheduled_labels(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_logs(hf_call *, void *, const hf_args *, hf_out *);
/* jobs_stats.c */
hf_status hf_hub_jobs_stats(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_jobs_ssh(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_hint(struct hf_hub *, const char *fmt, ...) HF_PRINTF(2, 3);
json_t *hf_hub_job_expose(const hf_args *, const char *with_token, const char *open); /* two arguments: ports */
const char *hf_hub_shell_word(hf_call *, const char *word); /* as a shell would need it written */
char **hf_hub_clean_environment(hf_call *);                 /* for a child; without what holds tokens */
/* ssh_start.c: runs ssh, or says how. Never returns HF_OK unless ssh did. */
hf_status hf_hub_ssh(struct hf_hub *, const char *url, const hf_args *);
#endif
