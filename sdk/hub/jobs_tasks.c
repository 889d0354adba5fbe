/* jobs_tasks.c - the rows of `hf jobs`: list, inspect, label, cancel, wait for jobs, and jobs by the clock.
 * A row without a function names one request by its route; {id} is the job, {namespace} its owner, asked for when it is not named.
 * Lists and descriptions are shaped by jobs.c. */
#include "jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one request, one result ------------------------------------------------------------------------------------------- */

static const char *member_text(hf_call *c, const json_t *v, const char *path, size_t n) {
  while (n) {
    size_t step = 0;
    while (step < n && path[step] != '/') step++;
    const char *key = hf_host()->intern(c, path, step);
    v = key ? json_object_get(v, key) : NULL;
    path += step + (step < n);
    n -= step + (step < n);
  }
  return json_string_value(v) ? json_string_value(v) : "";
}

/* Hints of the row, with {a/b} of what is told. */
static hf_status hints(struct hf_hub *hub, const struct hf_task *task, const json_t *told) {
  const struct hf_hub_row *row = hf_hub_row_of(hub->call, task->name);
  for (size_t i = 0; row && i < HF_COUNT(row->hints) && row->hints[i]; i++) {
    const char *text = row->hints[i], *out = "";
    while (out && *text) {
      size_t n = strcspn(text, "{"), name = text[n] ? strcspn(text + n, "}") - 1 : 0;
      out = hf_hub_text(hub->call, "%s%.*s%s", out, (int)n, text,
                        name ? member_text(hub->call, told, text + n + 1, name) : "");
      text += n + (name ? name + 2 : 0);
    }
    if (!out) return HF_ENOMEM;
    TRY(hf_hub_say(hub->out, hub->call, HF_OUT_HINT, out));
  }
  return HF_OK;
}

/* {"id": of the command line, "answer": .., "url": ..} */
static hf_status tell(struct hf_hub *hub, const struct hf_task *task, const hf_args *args, const char *id,
                      json_t *answer) {
  const char *owner = hf_hub_get(json_object_get(answer, "owner"), "name"), *job = hf_hub_get(answer, "id");
  const char *url = owner && job ? hf_hub_text(hub->call, "%s/jobs/%s/%s", hub->endpoint, owner, job) : NULL;
  json_t *told = json_pack("{s:s, s:o, s:s?}", "id", id, "answer", answer ? answer : json_null(), "url", url);
  const struct hf_hub_row *row = hf_hub_row_of(hub->call, task->name);
  struct hf_hub_row bare = *row;
  memset(bare.hints, 0, sizeof bare.hints);
  hf_status st = told ? hf_hub_shown_result(hub->call, hub->out, &bare, args, told) : HF_ENOMEM;
  if (st == HF_OK) st = hints(hub, task, told);
  json_decref(told);
  return st;
}

static hf_status run_row(hf_call *c, void *state, const struct hf_task *task, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_job_at at;
  json_t *answer = NULL, *body = NULL;
  (void)state;
  TRY(hf_hub_job_begin(&hub, c, args, out, &at));
  if (task->routes->body) body = json_pack("{s:s}", task->routes->body, hf_hub_arg(args, task->routes->body));
  TRY(hf_hub_job_ask(&hub, task->routes->method, task->routes->path, &at, body, &answer));
  return tell(&hub, task, args, at.id, answer);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

#define JOB_ID   HF_WORD("job_id", "JOB_ID", "The job: its id, or namespace/id.")
#define TIMED_ID HF_WORD("scheduled_job_id", "SCHEDULED_JOB_ID", "The scheduled job: its id, or namespace/id.")
#define SCHEDULE \
  HF_WORD("schedule", "SCHEDULE", "When: @annually, @yearly, @monthly, @weekly, @daily, @hourly, or a CRON expression.")
#define SPACE HF_TEXT("namespace", "Where the job belongs; you without it.")
#define MANY(n, v, h, f) \
  { .name = n, .help = h, .value_name = v, .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REPEAT | (f) }
#define SEVERAL(n, s, h) \
  { .name = n, .spellings = "=" s, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
#define FLAG(n, s, h) \
  { .name = n, .spellings = "=" s, .help = h, .type = HF_P_BOOL }
#define PORT(n, s, h) \
  { .name = n, .spellings = "=" s, .help = h, .type = HF_P_INT, .flags = HF_PF_REPEAT }
#define NAME   HF_TEXT("name", "Name of the job, kept as the label `name`; need not be unique.")
#define LABEL  SEVERAL("label", "-l,--label", "Label, KEY=VALUE or KEY; may be repeated.")
#define FILTER SEVERAL("label", "-l,--label", "Only those with this label, KEY=VALUE; may be repeated.")
#define NAMED  HF_TEXT("name", "Only those of this name.")
#define FLAVORS                                                                                                     \
  "cpu-basic,cpu-upgrade,cpu-performance,cpu-xl,t4-small,t4-medium,l4x1,l4x4,l40sx1,l40sx4,l40sx8,a10g-small,a10g-" \
  "large,a10g-largex2,a10g-largex4,a100-large,a100x4,a100x8,h200,h200x2,h200x4,h200x8,rtx-pro-6000,rtx-pro-6000x2," \
  "rtx-"                                                                                                            \
  "pro-6000x4,rtx-pro-6000x8"
#define ENV SEVERAL("env", "-e,--env", "Variable, NAME=VALUE, or NAME for the value it has here; may be repeated.")
#define SECRETS                                                                                                   \
  {                                                                                                               \
    .name = "secrets", .spellings = "=-s,--secrets", .type = HF_P_STR, .flags = HF_PF_REPEAT | HF_PF_SECRET,      \
    .help = "Secret: NAME takes the value from your environment, NAME=VALUE shows it to others; may be repeated." \
  }
#define WHAT                                                                   \
  HF_WORD("image", "IMAGE", "Docker image, or a Space as hf.co/spaces/NAME."), \
      MANY("command", "COMMAND", "What to run in it.", HF_PF_REQUIRED)
#define RUN_WITH                                                                                                    \
  ENV, SECRETS, NAME, LABEL,                                                                                        \
      SEVERAL("volume", "-v,--volume", "What to mount: hf://[TYPE/]SOURCE:/MOUNT_PATH[:ro|:rw]; may be repeated."), \
      HF_TEXT("env_file", "File of variables, `-` for stdin."),                                                     \
      HF_TEXT("secrets_file", "File of secrets, `-` for stdin.")
#define FLAVOR \
  { .name = "flavor", .help = "What it runs on, see `hf jobs hardware`.", .choices = FLAVORS, .type = HF_P_STR }
#define RUN_LONG                                                                                           \
  HF_TEXT("timeout", "Longest run: a number with s, m, h or d; seconds without."), {                       \
    .name = "attempts", .help = "Runs at most, the first one counted.", .choices = "1..", .type = HF_P_INT \
  }
#define RUN_FIRST RUN_WITH, FLAVOR, RUN_LONG
#define DETACH    FLAG("detach", "-d,--detach", "Do not follow its log.")
#define DRY       HF_SWITCH("dry_run", "Show what would be asked for, and stop.")
#define OPEN                                                                           \
  PORT("expose", "--expose", "Port that is reachable with a token; may be repeated."), \
      PORT("expose_public", "--expose-public", "Port that is reachable by everybody; may be repeated.")
#define RUN_WHERE HF_TEXT("resource_group_id", "Resource group that it is counted for."), SPACE, HF_TOKEN_PARAM
#define RUN_FORMAT                           \
  {.name = "format",                         \
   .help = "How the output is written.",     \
   .choices = "agent,auto,human,json,quiet", \
   .type = HF_P_CHOICE},                     \
      FLAG("json_output", "--json", "Same as --format json."), FLAG("quiet", "-q,--quiet", "Same as --format quiet.")
#define RUN_LAST RUN_WHERE, RUN_FORMAT
#define NETWORK                                                                                                      \
  HF_SWITCH("ssh", "Reachable by `hf jobs ssh`."), HF_TEXT("network_group", "Group of jobs that reach each other."), \
      SEVERAL("network_alias", "--network-alias", "Name of this job in its group; may be repeated.")
#define SCRIPT_ONLY                                                                              \
  HF_WORD("script", "SCRIPT", "Python script: a file, an address, or a command that uv knows."), \
      MANY("script_args", "SCRIPT_ARGS", "Its arguments; files among them are sent along.", 0)
#define UV_IMAGE HF_TEXT("image", "Image that has uv."), FLAVOR
#define SCRIPT   SCRIPT_ONLY, UV_IMAGE
#define UV                                                                   \
  SEVERAL("with_", "--with", "Package that is installed; may be repeated."), \
      HF_SPELT("python", "-p,--python", "Python that runs it.")

static const struct hf_param uv_params[] = {SCRIPT, RUN_WITH, RUN_LONG,  DETACH, DRY,
                                            OPEN,   NETWORK,  RUN_WHERE, UV,     RUN_FORMAT};
static const struct hf_param run_params[] = {WHAT, RUN_FIRST, DETACH, DRY, OPEN, NETWORK, RUN_LAST};
#define EITHER(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL, .flags = HF_PF_TRISTATE }
static const struct hf_param schedule_params[] = {
    SCHEDULE,
    WHAT,
    EITHER("suspend", "Do not run until it is resumed."),
    EITHER("concurrency", "A run may begin before the last one has ended."),
    RUN_FIRST,
    DRY,
    OPEN,
    RUN_LAST};
static const struct hf_param uv_schedule_params[] = {
    SCHEDULE,
    SCRIPT_ONLY,
    EITHER("suspend", "Do not run until it is resumed."),
    EITHER("concurrency", "A run may begin before the last one has ended."),
    UV_IMAGE,
    RUN_WITH,
    RUN_LONG,
    DRY,
    OPEN,
    RUN_WHERE,
    UV,
    RUN_FORMAT};
static const struct hf_param logs_params[] = {
    JOB_ID,
    FLAG("follow", "-f,--follow", "Go on until the job is over."),
    {.name = "tail", .spellings = "=-n,--tail", .help = "Only so many lines from the end.", .type = HF_P_INT},
    SPACE,
    HF_TOKEN_PARAM};
static const struct hf_param list_params[] = {FLAG("all", "-a,--all", "Those that are over, too."),
                                              {.name = "status",
                                               .help = "Only those in this stage; several with commas, or repeated.",
                                               .choices = "COMPLETED,CANCELED,ERROR,DELETED,SCHEDULING,RUNNING",
                                               .type = HF_P_STR,
                                               .flags = HF_PF_REPEAT},
                                              FILTER,
                                              NAMED,
                                              HF_NUMBER("limit", "100", "At most so many, 0: all."),
                                              SPACE,
                                              HF_TOKEN_PARAM};
static const struct hf_param scheduled_list_params[] = {
    FLAG("all", "-a,--all", "Suspended ones, too."),
    {.name = "status",
     .help = "Only those in this state; several with commas, or repeated.",
     .choices = "active,suspended",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT},
    FILTER,
    NAMED,
    SPACE,
    HF_TOKEN_PARAM};
static const struct hf_param inspect_params[] = {
    MANY("job_ids", "JOB_IDS", "The jobs: ids, or namespace/id.", HF_PF_REQUIRED), SPACE, HF_TOKEN_PARAM};
static const struct hf_param scheduled_inspect_params[] = {
    MANY("scheduled_job_ids", "SCHEDULED_JOB_IDS", "The scheduled jobs: ids, or namespace/id.", HF_PF_REQUIRED), SPACE,
    HF_TOKEN_PARAM};
static const struct hf_param rerun_params[] = {JOB_ID, DETACH, SPACE, HF_TOKEN_PARAM};
static const struct hf_param expose_params[] = {
    JOB_ID,
    {.name = "ports",
     .value_name = "PORTS",
     .help = "Ports that are reachable with a token.",
     .type = HF_P_INT,
     .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
    PORT("public", "--public", "Port that is reachable by everybody; may be repeated."),
    HF_SWITCH("clear", "Close all."),
    SPACE,
    HF_TOKEN_PARAM};
static const struct hf_param stats_params[] = {MANY("job_ids", "JOB_IDS", "The jobs; those that run without it.", 0),
                                               FLAG("follow", "-f,--follow", "Again and again until they are over."),
                                               SPACE, HF_TOKEN_PARAM};
static const struct hf_param job_params[] = {JOB_ID, SPACE, HF_TOKEN_PARAM};
static const struct hf_param timed_params[] = {TIMED_ID, SPACE, HF_TOKEN_PARAM};
static const struct hf_param reschedule_params[] = {TIMED_ID, SCHEDULE, SPACE, HF_TOKEN_PARAM};
static const struct hf_param wait_params[] = {
    MANY("job_ids", "JOB_IDS", "The jobs: ids, or namespace/id.", HF_PF_REQUIRED),
    HF_TEXT("timeout", "Longest wait: a number with s, m, h or d; seconds without."), SPACE, HF_TOKEN_PARAM};
#define CLEAR HF_SWITCH("clear", "Take all labels away.")
static const struct hf_param labels_params[] = {JOB_ID, NAME, LABEL, CLEAR, SPACE, HF_TOKEN_PARAM};
static const struct hf_param timed_labels_params[] = {TIMED_ID, NAME, LABEL, CLEAR, SPACE, HF_TOKEN_PARAM};
static const struct hf_param ssh_params[] = {JOB_ID,
                                             {.name = "identity_file",
                                              .spellings = "=-i,--identity-file",
                                              .help = "File of your private key, for `ssh -i`.",
                                              .type = HF_P_PATH},
                                             HF_SWITCH("dry_run", "Show the command of ssh, and stop."),
                                             SPACE,
                                             HF_TOKEN_PARAM};

#define AT "/api/jobs/{namespace}/{id}"
#define ON "/api/scheduled-jobs/{namespace}/{id}"
static const struct hf_route run_routes[] = {{.method = "POST", .path = "/api/jobs/{namespace}", .tries = 1}};
static const struct hf_route schedule_routes[] = {
    {.method = "POST", .path = "/api/scheduled-jobs/{namespace}", .tries = 1}};
static const struct hf_route logs_routes[] = {{.method = "GET", .path = AT "/logs", .query = "tail", .tries = 1}};
static const struct hf_route stats_routes[] = {{.method = "GET", .path = AT "/metrics", .tries = 1}};
static const struct hf_route list_routes[] = {
    {.method = "GET", .path = "/api/jobs/{namespace}", .query = "stage=status label", .paging = HF_PAGE_LINK}};
static const struct hf_route scheduled_list_routes[] = {
    {.method = "GET", .path = "/api/scheduled-jobs/{namespace}", .query = "label", .tries = 1}};
static const struct hf_route hardware_routes[] = {{.method = "GET", .path = "/api/jobs/hardware", .tries = 1}};
static const struct hf_route inspect_routes[] = {{.method = "GET", .path = AT, .tries = 1}};
static const struct hf_route scheduled_inspect_routes[] = {{.method = "GET", .path = ON, .tries = 1}};
static const struct hf_route rerun_routes[] = {{.method = "POST", .path = AT "/duplicate", .tries = 1}};
static const struct hf_route expose_routes[] = {{.method = "PUT", .path = AT "/expose", .tries = 1}};
static const struct hf_route cancel_routes[] = {{.method = "POST", .path = AT "/cancel", .tries = 1}};
static const struct hf_route labels_routes[] = {{.method = "PUT", .path = AT "/labels", .tries = 1}};
static const struct hf_route scheduled_labels_routes[] = {{.method = "PUT", .path = ON "/labels", .tries = 1}};
static const struct hf_route delete_routes[] = {{.method = "DELETE", .path = ON, .tries = 1}};
static const struct hf_route suspend_routes[] = {{.method = "POST", .path = ON "/suspend", .tries = 1}};
static const struct hf_route resume_routes[] = {{.method = "POST", .path = ON "/resume", .tries = 1}};
static const struct hf_route reschedule_routes[] = {
    {.method = "POST", .path = ON "/schedule", .body = "schedule", .tries = 1}};
static const struct hf_route trigger_routes[] = {{.method = "POST", .path = ON "/run", .tries = 1}};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "jobs.run",
              .group_help = "Run and manage jobs on the Hub's machines.",
              .summary = "Run a command on the Hub's machines.",
              .examples = "hf jobs run --name hello python:3.12 python -c 'print(1)'\nhf jobs run --detach --secrets "
                          "HF_TOKEN python:3.12 python script.py",
              .params = HF_TABLE(run_params),
              HF_ROUTES(run_routes),
              .flags = HF_ROW_WRITES | HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT | HF_TK_STREAMS,
              .run = hf_hub_run_job,
              .api = "run_job"}},
    {.task = {.name = "jobs.uv.run",
              .group_help = "Python scripts as jobs.",
              .summary = "Run a Python script with uv on the Hub's machines.",
              .examples = "hf jobs uv run --with transformers --flavor a10g-small train.py",
              .params = HF_TABLE(uv_params),
              HF_ROUTES(run_routes),
              .flags = HF_ROW_WRITES | HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT | HF_TK_STREAMS,
              .run = hf_hub_run_job,
              .api = "run_uv_job"}},
    {.task = {.name = "jobs.logs",
              .summary = "Show what a job has written.",
              .examples = "hf jobs logs -f <job_id>\nhf jobs logs --tail 20 <job_id>",
              .params = HF_TABLE(logs_params),
              HF_ROUTES(logs_routes),
              .flags = HF_ROW_READS | HF_TK_STREAMS,
              .run = hf_hub_jobs_logs,
              .api = "fetch_job_logs"}},
    {.task = {.name = "jobs.stats",
              .summary = "Show what jobs use of their machines.",
              .examples = "hf jobs stats <job_id>",
              .params = HF_TABLE(stats_params),
              HF_ROUTES(stats_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_stats,
              .api = "fetch_job_metrics"}},
    {.task = {.name = "jobs.list",
              .aliases = "ls,ps",
              .summary = "List jobs.",
              .examples = "hf jobs ls -a\nhf jobs ls --status running,scheduling",
              .params = HF_TABLE(list_params),
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_list,
              .api = "list_jobs"}},
    {.task = {.name = "jobs.hardware",
              .summary = "List what jobs can run on.",
              .examples = "hf jobs hardware",
              HF_ROUTES(hardware_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_hardware,
              .api = "list_jobs_hardware"}},
    {.task = {.name = "jobs.inspect",
              .summary = "Describe jobs.",
              .examples = "hf jobs inspect <job_id>",
              .params = HF_TABLE(inspect_params),
              HF_ROUTES(inspect_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_inspect,
              .api = "inspect_job"}},
    {.task = {.name = "jobs.rerun",
              .summary = "Run a job once more.",
              .examples = "hf jobs rerun --detach <job_id>",
              .params = HF_TABLE(rerun_params),
              HF_ROUTES(rerun_routes),
              .flags = HF_ROW_WRITES | HF_TK_STREAMS,
              .run = hf_hub_jobs_rerun,
              .api = "rerun_job"}},
    {.task = {.name = "jobs.expose",
              .summary = "Say which ports of a running job are reachable, instead of those that were.",
              .examples = "hf jobs expose <job_id> 8000 --public 9000",
              .params = HF_TABLE(expose_params),
              HF_ROUTES(expose_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_jobs_expose,
              .api = "update_job_expose"}},
    {.task = {.name = "jobs.cancel",
              .summary = "Stop a job.",
              .examples = "hf jobs cancel <job_id>",
              .params = HF_TABLE(job_params),
              HF_ROUTES(cancel_routes),
              .flags = HF_ROW_WRITES,
              .api = "cancel_job",
              .done = "Job cancelled",
              .result = "id=@id"}},
    {.task = {.name = "jobs.wait",
              .summary = "Wait until jobs are over; fails when one did not complete.",
              .examples = "hf jobs wait <job_id> --timeout 10m",
              .params = HF_TABLE(wait_params),
              HF_ROUTES(inspect_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_wait,
              .api = "wait_for_job"}},
    {.task = {.name = "jobs.labels",
              .summary = "Change the labels of a job; a name alone keeps the others.",
              .examples = "hf jobs labels <job_id> --label env=prod",
              .params = HF_TABLE(labels_params),
              HF_ROUTES(labels_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_jobs_labels,
              .api = "update_job_labels"}},
    {.task = {.name = "jobs.ssh",
              .summary = "Open a shell in a running job by ssh.",
              .examples = "hf jobs ssh <job_id> --dry-run",
              .params = HF_TABLE(ssh_params),
              HF_ROUTES(inspect_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_ssh}},
    {.task = {.name = "jobs.scheduled.run",
              .group_help = "Run and manage jobs by the clock.",
              .summary = "Run a command by the clock.",
              .examples = "hf jobs scheduled run \"0 0 * * *\" --name daily python:3.12 python script.py",
              .params = HF_TABLE(schedule_params),
              HF_ROUTES(schedule_routes),
              .flags = HF_ROW_WRITES | HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT,
              .run = hf_hub_run_job_by_clock,
              .api = "create_scheduled_job"}},
    {.task = {.name = "jobs.scheduled.uv.run",
              .group_help = "Python scripts by the clock.",
              .summary = "Run a Python script with uv by the clock.",
              .examples = "hf jobs scheduled uv run \"0 0 * * *\" --name daily script.py",
              .params = HF_TABLE(uv_schedule_params),
              HF_ROUTES(schedule_routes),
              .flags = HF_ROW_WRITES | HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT,
              .run = hf_hub_run_job_by_clock,
              .api = "create_scheduled_uv_job"}},
    {.task = {.name = "jobs.scheduled.list",
              .aliases = "ls,ps",
              .summary = "List scheduled jobs.",
              .examples = "hf jobs scheduled ls -a",
              .params = HF_TABLE(scheduled_list_params),
              HF_ROUTES(scheduled_list_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_scheduled_list,
              .api = "list_scheduled_jobs"}},
    {.task = {.name = "jobs.scheduled.inspect",
              .summary = "Describe scheduled jobs.",
              .examples = "hf jobs scheduled inspect <id>",
              .params = HF_TABLE(scheduled_inspect_params),
              HF_ROUTES(scheduled_inspect_routes),
              .flags = HF_ROW_READS,
              .run = hf_hub_jobs_scheduled_inspect,
              .api = "inspect_scheduled_job"}},
    {.task = {.name = "jobs.scheduled.delete",
              .summary = "Delete a scheduled job.",
              .examples = "hf jobs scheduled delete <id>",
              .params = HF_TABLE(timed_params),
              HF_ROUTES(delete_routes),
              .flags = HF_ROW_WRITES,
              .api = "delete_scheduled_job",
              .done = "Scheduled Job deleted",
              .result = "id=@id"}},
    {.task = {.name = "jobs.scheduled.suspend",
              .summary = "Let a scheduled job rest.",
              .examples = "hf jobs scheduled suspend <id>",
              .params = HF_TABLE(timed_params),
              HF_ROUTES(suspend_routes),
              .flags = HF_ROW_WRITES,
              .api = "suspend_scheduled_job",
              .done = "Scheduled Job suspended",
              .result = "id=@id"},
     .hints = {"Use `hf jobs scheduled resume {id}` to resume it."}},
    {.task = {.name = "jobs.scheduled.resume",
              .summary = "Let a scheduled job run again.",
              .examples = "hf jobs scheduled resume <id>",
              .params = HF_TABLE(timed_params),
              HF_ROUTES(resume_routes),
              .flags = HF_ROW_WRITES,
              .api = "resume_scheduled_job",
              .done = "Scheduled Job resumed",
              .result = "id=@id"}},
    {.task = {.name = "jobs.scheduled.reschedule",
              .summary = "Change when a scheduled job runs.",
              .examples = "hf jobs scheduled reschedule <id> \"0 9 * * 1\"",
              .params = HF_TABLE(reschedule_params),
              HF_ROUTES(reschedule_routes),
              .flags = HF_ROW_WRITES,
              .api = "update_scheduled_job_schedule",
              .done = "Scheduled Job rescheduled",
              .result = "id=@answer/id schedule=@answer/schedule"},
     .hints = {"Use `hf jobs scheduled inspect {answer/owner/name}/{answer/id}` to see its next run."}},
    {.task = {.name = "jobs.scheduled.trigger",
              .summary = "Run a scheduled job now.",
              .examples = "hf jobs scheduled trigger <id>",
              .params = HF_TABLE(timed_params),
              HF_ROUTES(trigger_routes),
              .flags = HF_ROW_WRITES,
              .api = "trigger_scheduled_job",
              .done = "Scheduled Job triggered",
              .result = "id=@answer/id url=@url"},
     .hints = {"Use `hf jobs logs -f {answer/owner/name}/{answer/id}` to stream logs."}},
    {.task = {.name = "jobs.scheduled.labels",
              .summary = "Change the labels of a scheduled job; a name alone keeps the others.",
              .examples = "hf jobs scheduled labels <id> --name daily",
              .params = HF_TABLE(timed_labels_params),
              HF_ROUTES(scheduled_labels_routes),
              .flags = HF_ROW_WRITES,
              .run = hf_hub_jobs_scheduled_labels,
              .api = "update_scheduled_job_labels"}},
};

const struct hf_tasks hf_hub_tasks_jobs = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "hub-jobs", "Jobs", HF_THREADS_ANY, 10, 0),
    .tasks = HF_TABLE(rows),
    .run_row = run_row};
