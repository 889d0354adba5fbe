/* spaces_live.c - `hf spaces` that runs: what a Space writes, waiting until it is ready, its dev mode, a shell in it.
 * A Space is ready when its stage is none of those on the way; any end but RUNNING is a failure.
 * The address of a shell is made of the Space's subdomain, which ssh_start.c judges. */
#include "jobs.h"

#include <string.h>

static const char *space_url(struct hf_hub *hub, const char *id, const char *rest) {
  struct hf_repo repo = {"space", id};
  if (hf_hub_check_repo(hub->call, id) != HF_OK) return NULL;
  const char *url = hf_hub_api_url(hub, &repo);
  return url ? hf_hub_text(hub->call, "%s%s", url, rest) : NULL;
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------ */

struct lines {
  struct hf_hub *hub;
  json_t *last; /* with --tail: what is shown at the end */
  int64_t tail;
  bool any;
};

static hf_status show_line(struct lines *l, const char *text) {
  l->any |= *text != 0;
  return hf_hub_say(l->hub->out, l->hub->call, HF_OUT_TEXT, text);
}

static hf_status on_line(void *arg, const json_t *event) {
  static const char blanks[] = " \t\r\n\v\f";
  struct lines *l = arg;
  const char *data = hf_hub_get(event, "data");
  if (!data) return HF_OK;
  data += strspn(data, blanks);
  size_t n = strlen(data);
  while (n && strchr(blanks, data[n - 1])) n--;
  if (!l->last) {
    const char *text = hf_host()->intern(l->hub->call, data, n);
    return text ? show_line(l, text) : HF_ENOMEM;
  }
  if (json_array_append_new(l->last, json_stringn(data, n))) return HF_ENOMEM;
  if ((int64_t)json_array_size(l->last) > l->tail) json_array_remove(l->last, 0);
  return HF_OK;
}

static hf_status run_logs(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  bool build = hf_hub_given(args, "build"), follow = hf_hub_given(args, "follow");
  const char *id = hf_hub_arg(args, "space_id");
  struct hf_hub hub;
  struct lines l = {.hub = &hub};
  bool cut = hf_host()->arg_int(args, "tail", &l.tail);
  size_t i;
  json_t *text;
  (void)state;
  if (follow && cut)
    return hf_hub_refuse(
        c, "Cannot use --follow and --tail together. Use --follow to stream logs or --tail to show recent logs.");
  TRY(hf_hub_row_begin(&hub, c, args, out));
  const char *url = space_url(&hub, id, build ? "/logs/build" : "/logs/run");
  if (!url) return hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
  if (cut && l.tail < 0) return hf_hub_fail(c, HF_EINVAL, "ValueError", "maxlen must be non-negative");
  if (cut) l.last = json_array();
  struct hf_job_stream s = {
      .url = url, .tail = -1, .follow = follow, .silence_ms = follow ? 120000 : 5000, .event = on_line, .arg = &l};
  hf_status st = hf_hub_stream(&hub, &s);
  json_array_foreach(l.last, i, text) if (st == HF_OK) st = show_line(&l, json_string_value(text));
  json_decref(l.last);
  if (st != HF_OK || l.any || build) return st;
  return hf_hub_hint(&hub, "No run logs found for space %s. Try passing --build to fetch build logs instead.", id);
}

/* ---- waiting --------------------------------------------------------------------------------------------------------------- */

/* *stage: where it has come to. HF_ETIMEDOUT without an error: not there yet. */
static hf_status settled(struct hf_hub *hub, const char *id, int64_t seconds, const char **stage) {
  static const char *const on_the_way[] = {"BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING"};
  uint64_t end =
      seconds < 0 || seconds > 9000000000 ? UINT64_MAX : hf_host()->now_ns() + (uint64_t)seconds * 1000000000u;
  for (;;) {
    json_t *runtime = NULL;
    bool moving = false;
    TRY(hf_hub_ask(hub, "GET", space_url(hub, id, "/runtime"), NULL, &runtime));
    const char *now = hf_hub_get(runtime, "stage");
    *stage = hf_host()->intern(hub->call, now ? now : "UNKNOWN", SIZE_MAX);
    json_decref(runtime);
    if (!*stage) return HF_ENOMEM;
    for (size_t i = 0; i < HF_COUNT(on_the_way); i++) moving |= !strcmp(*stage, on_the_way[i]);
    if (!moving) return HF_OK;
    uint64_t ns = hf_host()->now_ns();
    if (ns >= end) return HF_ETIMEDOUT;
    TRY(hf_hub_nap(hub->call, end - ns < 1000000000u ? (uint32_t)((end - ns) / 1000000) + 1 : 1000));
  }
}

static hf_status run_wait(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id = hf_hub_arg(args, "space_id"), *timeout = hf_hub_arg(args, "timeout"), *stage = NULL;
  struct hf_hub hub;
  int64_t seconds = -1;
  (void)state;
  if (timeout) {
    TRY(hf_hub_seconds(c, timeout, &seconds));
    if (seconds < 0) return hf_hub_fail(c, HF_EINVAL, "ValueError", "`timeout` cannot be negative.");
  }
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, id));
  hf_status st = settled(&hub, id, seconds, &stage);
  if (st == HF_ETIMEDOUT && !hf_host()->error(c))
    return hf_hub_refuse(c, "Timed out after %s waiting for Space '%s' to be ready.", timeout, id);
  TRY(st);
  if (strcmp(stage, "RUNNING") != 0) return hf_hub_refuse(c, "Space '%s' is not running (stage='%s').", id, stage);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Space ready"));
  TRY(hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "space_id", id, "stage", stage)));
  return hf_hub_hint(&hub, "Use `hf spaces logs %s` to view run logs.", id);
}

/* ---- dev mode ---------------------------------------------------------------------------------------------------------------- */

static hf_status switch_dev_mode(struct hf_hub *hub, const char *id, bool on) {
  json_t *answer = NULL;
  TRY(hf_hub_ask(hub, "POST", space_url(hub, id, "/dev-mode"), json_pack("{s:b}", "enabled", (int)on), &answer));
  json_decref(answer);
  return HF_OK;
}

static hf_status show_doors(struct hf_hub *hub, const char *id, const json_t *info) {
  hf_call *c = hub->call;
  const char *sdk = hf_hub_get(info, "sdk"), *real = hf_hub_get(info, "id"), *name = hf_hub_get(info, "subdomain");
  const char *folder = hf_hub_get(json_object_get(info, "cardData"), "dev-mode-folder");
  if (!folder) folder = sdk && !strcmp(sdk, "docker") ? "" : "/home/user/app";
  if (!real) real = id;
  if (!name) name = "None";
  const char *text = hf_hub_text(
      c,
      "Connect to dev environment:\n\nWeb:\n  * VSCode: https://huggingface.co/spaces/%s/dev-mode/vscode-web%s%s\n\n"
      "Local:\n1. Add your SSH key to https://huggingface.co/settings/keys\n"
      "2. SSH with `hf spaces ssh %s` (or `ssh -i <your_key> %s@ssh.hf.space`)\n   Or open\n"
      "  * VSCode: vscode://vscode-remote/ssh-remote+%s@ssh.hf.space%s\n"
      "  * Cursor: cursor://vscode-remote/ssh-remote+%s@ssh.hf.space%s\n\n"
      "PS: Dev mode stops after 48h of inactivity, don't forget to save your changes regularly.",
      real, *folder ? "?folder=" : "", folder, id, name, name, folder, name, folder);
  return text ? hf_hub_say(hub->out, c, HF_OUT_RAW, text) : HF_ENOMEM;
}

static hf_status run_dev_mode(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id = hf_hub_arg(args, "space_id"), *stage = NULL, *text;
  struct hf_hub hub;
  json_t *info = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, id));
  bool stop = hf_hub_given(args, "stop");
  TRY(switch_dev_mode(&hub, id, !stop));
  if (stop) {
    text = hf_hub_text(c, "Dev mode disabled for '%s'", id);
    return text ? hf_hub_say(out, c, HF_OUT_RAW, text) : HF_ENOMEM;
  }
  TRY(settled(&hub, id, -1, &stage));
  if (strcmp(stage, "RUNNING") != 0) {
    text = hf_hub_text(c, "Dev mode is not ready (stage='%s')", stage);
    return text ? hf_hub_say(out, c, HF_OUT_WARNING, text) : HF_ENOMEM;
  }
  TRY(hf_hub_ask(&hub, "GET", space_url(&hub, id, ""), NULL, &info));
  hf_status st = show_doors(&hub, id, info);
  json_decref(info);
  return st;
}

static hf_status run_ssh(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id = hf_hub_arg(args, "space_id"), *stage = NULL;
  struct hf_hub hub;
  json_t *info = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, id));
  TRY(hf_hub_ask(&hub, "GET", space_url(&hub, id, ""), NULL, &info));
  if (!json_is_true(json_object_get(json_object_get(info, "runtime"), "devMode"))) {
    json_decref(info);
    if (!hf_hub_given(args, "auto"))
      return hf_hub_fail(c, HF_EINVAL, "ConfirmationError",
                         "Dev Mode is disabled on '%s'. Enable it now? Use --auto to skip confirmation.", id);
    TRY(switch_dev_mode(&hub, id, true));
    TRY(settled(&hub, id, -1, &stage));
    if (strcmp(stage, "RUNNING") != 0) return hf_hub_refuse(c, "Space '%s' is not running (stage='%s').", id, stage);
    TRY(hf_hub_ask(&hub, "GET", space_url(&hub, id, ""), NULL, &info));
  }
  const char *name = hf_hub_get(info, "subdomain");
  const char *to = hf_hub_text(c, "%s@ssh.hf.space", name ? name : "");
  json_decref(info);
  return to ? hf_hub_ssh(&hub, to, args) : HF_ENOMEM;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

#define SPACE_ID HF_WORD("space_id", "SPACE_ID", "Space, such as `username/repo-name`.")
static const struct hf_param logs_params[] = {
    SPACE_ID,
    HF_SWITCH("build", "What its building wrote, not its run."),
    {.name = "follow", .spellings = "=-f,--follow", .help = "Go on until the stream ends.", .type = HF_P_BOOL},
    {.name = "tail", .spellings = "=-n,--tail", .help = "Only so many lines from the end.", .type = HF_P_INT},
    HF_TOKEN_PARAM};
static const struct hf_param wait_params[] = {
    SPACE_ID, HF_TEXT("timeout", "Longest wait: a number with s, m, h or d; seconds without."), HF_TOKEN_PARAM};
static const struct hf_param dev_params[] = {SPACE_ID, HF_ON_OFF("stop", "Switch it off."), HF_TOKEN_PARAM};
static const struct hf_param ssh_params[] = {SPACE_ID,
                                             {.name = "identity_file",
                                              .spellings = "=-i,--identity-file",
                                              .help = "File of your private key, for `ssh -i`.",
                                              .type = HF_P_PATH},
                                             HF_SWITCH("dry_run", "Show the command of ssh, and stop."),
                                             HF_SWITCH("auto", "Switch dev mode on without asking."),
                                             HF_TOKEN_PARAM};
#define AT "/api/spaces/{+space_id}"
static const struct hf_route logs_routes[] = {{.method = "GET", .path = AT "/logs/run", .tries = 1},
                                              {.method = "GET", .path = AT "/logs/build", .tries = 1}};
static const struct hf_route wait_routes[] = {{.method = "GET", .path = AT "/runtime", .tries = 1}};
static const struct hf_route dev_routes[] = {{.method = "POST", .path = AT "/dev-mode", .tries = 1}};
static const struct hf_route ssh_routes[] = {{.method = "GET", .path = AT, .tries = 1}};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "spaces.logs",
              .summary = "Show what a Space has written, as it ran or was built.",
              .examples = "hf spaces logs username/my-space --build\nhf spaces logs -f username/my-space",
              .params = HF_TABLE(logs_params),
              HF_ROUTES(logs_routes),
              .flags = HF_ROW_READS | HF_TK_STREAMS,
              .run = run_logs,
              .api = "fetch_space_logs"}},
    {.task = {.name = "spaces.wait",
              .summary = "Wait until a Space runs; fails when it ends up otherwise.",
              .examples = "hf spaces wait username/my-space --timeout 5m",
              .params = HF_TABLE(wait_params),
              HF_ROUTES(wait_routes),
              .flags = HF_ROW_READS,
              .run = run_wait,
              .api = "wait_for_space"}},
    {.task = {.name = "spaces.dev-mode",
              .summary = "Switch the dev mode of a Space on or off.",
              .examples = "hf spaces dev-mode username/my-space",
              .params = HF_TABLE(dev_params),
              HF_ROUTES(dev_routes),
              .flags = HF_ROW_WRITES,
              .run = run_dev_mode,
              .api = "enable_space_dev_mode disable_space_dev_mode"}},
    {.task = {.name = "spaces.ssh",
              .summary = "Open a shell in a Space in dev mode by ssh.",
              .examples = "hf spaces ssh username/my-space --dry-run",
              .params = HF_TABLE(ssh_params),
              HF_ROUTES(ssh_routes),
              .flags = HF_ROW_READS,
              .run = run_ssh}},
};

const struct hf_tasks hf_hub_tasks_spaces_live = HF_HUB_ROWS("hub-spaces-live", "Running Spaces", HF_TABLE(rows));
