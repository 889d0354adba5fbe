/* pack.c - the program's own commands as rows of a task pack: version, env, commands, api, completion, man.
 * Built in like any static plugin, so help, completion and `hf commands` list them without a special case.
 * What they print beyond a line or two is made in the file named after them. */
#define HF_STATIC_PLUGIN tasks_cli
#include "cli.h"

static hf_status load(const struct hf_host *host, void **state) {
  cli_host = host;
  *state = NULL;
  return HF_OK;
}

static hf_status run_version(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)c;
  (void)state;
  (void)args;
  char json[64];
  int n = snprintf(json, sizeof json, "{\"version\": \"%s\"}", hf_version());
  hf_status st = cli_record_text(out, HF_OUT_MESSAGE, "hf version");
  return st ? st : cli_host->record(out, HF_OUT_RESULT, json, (size_t)n);
}

static const struct hf_param completion_params[] = {
    {.name = "shell",
     .help = "The shell to complete in.",
     .type = HF_P_CHOICE,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED,
     .choices = "bash,zsh,fish"},
};
static const struct hf_param man_params[] = {
    {.name = "output_dir", .help = "Write every page into this folder.", .type = HF_P_PATH, .flags = 0},
    {.name = "command",
     .help = "The command to describe, all of `hf` when absent.",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
};

static const struct hf_column api_columns[] = {
    {"method", "method"}, {"verbs_and_routes", "verbs_and_routes"}, {"task", "task"}};

static const struct hf_task rows[] = {
    {.name = "version", .summary = "Print information about the hf version.", .run = run_version},
    {.name = "env", .summary = "Print information about the environment.", .run = cli_task_env},
    {.name = "commands",
     .summary = "Print the whole tree of commands as JSON.",
     .flags = HF_TK_OURS,
     .run = cli_task_commands},
    {.name = "api",
     .summary = "List every operation with the requests it makes.",
     .examples = "hf api --json",
     .flags = HF_TK_OURS,
     .columns = HF_TABLE(api_columns),
     .id_key = "method",
     .run = cli_task_api},
    {.name = "completion",
     .summary = "Print the script that completes `hf` commands in a shell.",
     .examples = "hf completion bash > ~/.local/share/bash-completion/completions/hf\n"
                 "hf completion fish > ~/.config/fish/completions/hf.fish",
     .params = HF_TABLE(completion_params),
     .flags = HF_TK_OURS,
     .run = cli_task_completion},
    {.name = "man",
     .summary = "Print the manual page of a command.",
     .params = HF_TABLE(man_params),
     .flags = HF_TK_OURS | HF_TK_HIDDEN,
     .run = cli_task_man},
};

static const struct hf_tasks pack = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "cli", "the program's own commands", HF_THREADS_ANY, 10, 0),
    .tasks = HF_TABLE(rows),
};
static const struct hf_module *const modules[] = {&pack.m};

HF_PLUGIN("cli", "1.0.0", "Apache-2.0", "the program's own commands", load, NULL, modules,
          {HF_KIND_TASKS, 10, 0, "cli", "version env commands api completion man"});

const struct hf_plugin *const cli_plugins[] = {&HF_ENTRY, NULL};
