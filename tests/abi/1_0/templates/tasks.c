/* example.c - a task pack with one command, `hf example greet WHO [--times N]`.
 * The row is the command: parser, help, completion, man page and output come from it. The function hands out records, as
 * JSON text; hf prints them as a table, as JSON or quietly. */
#include <hf/task.h>

#include <stdio.h>

static const struct hf_host *H; /* set by load(), const for the life of the process */

/* A JSON string from any text, cut to fit; real packs use a JSON library. */
static void quote(char *out, size_t room, const char *text) {
  size_t n = 0;
  out[n++] = '"';
  for (; *text && n + 8 < room; text++) {
    unsigned char b = (unsigned char)*text;
    if (b < 0x20)
      n += (size_t)snprintf(out + n, room - n, "\\u%04x", b);
    else if (b == '"' || b == '\\')
      n += (size_t)snprintf(out + n, room - n, "\\%c", b);
    else
      out[n++] = (char)b;
  }
  out[n++] = '"';
  out[n] = 0;
}

static hf_status greet(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  const char *who = H->arg_str(args, "who", 0); /* required: never NULL */
  int64_t times;
  H->arg_int(args, "times", &times);
  if (times < 1 || times > 100) return H->failf(c, HF_EINVAL, "times must be between 1 and 100");
  for (int64_t i = 1; i <= times; i++) {
    char name[512], row[640];
    quote(name, sizeof name, who);
    int n = snprintf(row, sizeof row, "{\"round\":%lld,\"greeting\":\"hello\",\"who\":%s}", (long long)i, name);
    hf_status st = H->record(out, HF_OUT_ITEM, row, (size_t)n);
    if (st == HF_OK) st = H->check(c);
    if (st != HF_OK) return st; /* somebody asked to stop */
  }
  return H->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static const struct hf_param greet_params[] = {
    {.name = "who",
     .value_name = "WHO",
     .help = "Whom to greet.",
     .type = HF_P_STR,
     .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "times", .spellings = "-n", .help = "How often.", .type = HF_P_INT, .deflt = "1"},
};
static const struct hf_column greet_columns[] = {{"round", "round"}, {"greeting", "greeting"}, {"who", "who"}};

static const struct hf_task tasks[] = {
    {.name = "example.greet",
     .group_help = "Commands of the plugin example.",
     .summary = "Greet somebody.",
     .examples = "hf example greet world --times 2",
     .params = HF_TABLE(greet_params),
     .columns = HF_TABLE(greet_columns),
     .id_key = "who",
     .flags = HF_TK_OURS,
     .run = greet},
};

static const struct hf_tasks pack = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "example", "one command", HF_THREADS_ANY, 5, 0),
    .tasks = HF_TABLE(tasks),
};

static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  return HF_OK;
}

/* The last text of the note row names the first words of the commands: that is how `hf example` finds this file. */
static const struct hf_module *const modules[] = {&pack.m};
HF_PLUGIN("example", "0.1.0", "Apache-2.0", "Greets people", load, NULL, modules,
          {HF_KIND_TASKS, 5, 0, "example", "example"});
