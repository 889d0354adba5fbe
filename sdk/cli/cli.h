/* cli.h - what the files of the hf program share: the state of a run, and the seams between them.
 * Each block names the file that owns it. Nothing here knows a single command: commands are rows of the registry.
 * Everything runs on the main thread but cli_out_record() and cli_progress(), which an operation calls. */
#ifndef CLI_H
#define CLI_H
#include <hfcore.h>
#include <stdbool.h>
#include <stdio.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
enum cli_mode { CLI_HUMAN, CLI_AGENT, CLI_JSON, CLI_QUIET };

/* ---- rows.c: reading the rows of the registry, whatever size they were compiled with ----------------------------- */
uint32_t cli_param_count(const struct hf_task *);
struct hf_param cli_param(const struct hf_task *, uint32_t i);
bool cli_param_is(const struct hf_param *, uint32_t flag);
struct cli_spellings { /* of an option: "--type", "--repo-type"; negatives ("--no-gated") follow the positives */
  char text[12][72];
  uint32_t count, positive;
};
void cli_spell(const struct hf_param *, struct cli_spellings *);
void cli_metavar(const struct hf_param *, char *buf, size_t len); /* "REPO_ID", "[FILENAMES]...", "TEXT", "[a|b]" */
bool cli_takes_value(const struct hf_param *);
bool cli_spelling_used(const struct hf_task *, const char *spelling); /* by one of the row's own options */
bool cli_formats_globally(const struct hf_task *);                    /* takes --format, --json, -q from the program */
/* Next piece of a list "a,b"; NULL at the end. */
const char *cli_list_next(const char **at, const char *separators, size_t *len);

/* The four options of the program itself; also configuration keys. */
struct cli_global {
  const char *spelling, *key, *metavar, *help;
};
extern const struct cli_global cli_globals[4];

/* ---- tree.c: commands as a tree, built from the rows when help, errors or completion need it ------------------------- */
struct cli_command {
  char *name;                   /* last word */
  const struct hf_task *task;   /* NULL: a group */
  const char *help;             /* of a group */
  struct cli_command *children; /* by name */
  size_t count;
};
struct cli_command *cli_tree_new(hf_runtime *); /* the root; NULL: out of memory */
void cli_tree_free(struct cli_command *);
const struct cli_command *cli_tree_child(const struct cli_command *, const char *word); /* by name or alias */
bool cli_command_hidden(const struct cli_command *);
const char *cli_command_topic(const struct cli_command *); /* "Main", "Help", "Libhf" */
/* First sentence, cut to `limit` characters; caller frees. */
char *cli_short_help(const struct cli_command *, size_t limit);

/* ---- help.c, usage.c --------------------------------------------------------------------------------------------------- */
void cli_help_group(FILE *, const struct cli_command *, const char *path, bool root);
void cli_help_task(FILE *, const struct hf_task *, const char *path);
void cli_usage_task(FILE *, const struct hf_task *, const char *path);
void cli_usage_group(FILE *, const char *path, bool root);
/* Left and right column of a parameter in help; false: hidden. Both are freed by the caller. */
bool cli_param_help(const struct hf_param *, char **left, char **right);
/* "Error: ..." of wrong usage, exit code 2. Without a task: no usage lines. */
int cli_usage_error(const struct hf_task *, const char *path, const char *fmt, ...) HF_PRINTF(3, 4);
int cli_unknown_command(const struct cli_command *group, const char *path, bool root, const char *word);
int cli_unknown_group_option(const struct cli_command *group, const char *path, bool root, const char *option);
int cli_unknown_option(const struct hf_task *, const char *path, const char *option, bool suggest);

/* ---- parse.c: what follows the command's name ---------------------------------------------------------------------------- */
struct cli_parsed {
  hf_args *args; /* owned until handed to the operation */
  enum cli_mode mode;
  bool mode_given, no_truncate;
  bool token_on_argv; /* a secret was typed: worth a warning */
};
/* -1: run it; else the exit code (help was shown, or an error). `words` may be reordered. */
int cli_parse(hf_runtime *, const struct hf_task *, const char *path, int count, char **words, struct cli_parsed *);

/* ---- out.c: records rendered by mode; table.c, listing.c --------------------------------------------------------------------- */
struct cli_out;
struct cli_out *cli_out_new(enum cli_mode, bool no_truncate);
void cli_out_mode(struct cli_out *, enum cli_mode);
void cli_out_task(struct cli_out *, const struct hf_task *); /* whose records follow */
int32_t cli_out_record(void *out, uint32_t what, const char *json, size_t len);
int cli_out_end(struct cli_out *); /* flushes; the errno of what could not be written, or 0 */
void cli_out_free(struct cli_out *);
struct cli_progress;
void cli_out_watch(struct cli_out *, struct cli_progress *); /* bars to be cleared before lines */
bool cli_out_broken(const struct cli_out *);                 /* a record was not what it said */
void cli_out_error(struct cli_out *, const char *message);
bool cli_out_wants_json(const struct cli_out *);
/* {"error":{"class","message","status"}}, one line on stderr. */
void cli_out_json_error(struct cli_out *, const struct hf_error *, const char *message);
void cli_out_hint(struct cli_out *, const char *message);
void cli_out_warning(struct cli_out *, const char *message);

/* ---- progress.c ------------------------------------------------------------------------------------------------------------------ */
/* NULL when no bar may be shown. */
struct cli_progress *cli_progress_new(hf_runtime *, enum cli_mode);
void cli_progress_event(void *progress, const struct hf_event *);
void cli_progress_clear(struct cli_progress *); /* before other lines go to the terminal */
bool cli_progress_on_screen(void);              /* a bar is; asked from any thread */
void cli_progress_free(struct cli_progress *);

/* ---- ask.c: questions to the person at the terminal ------------------------------------------------------------------------------------ */
/* As host->ask() says; only in human mode. */
hf_status cli_ask(struct cli_out *, uint32_t what, const char *prompt, char *answer, size_t room);
void cli_ask_restore(void); /* the terminal as it was; for signal handlers */

/* ---- run.c: one command as an operation: signals, records, errors, exit code ---------------------------------------------------------- */
void cli_run_line(const char *text); /* on stderr, between whatever else is there */
int cli_run(hf_runtime *, const struct hf_task *, const char *path, struct cli_parsed *);

/* ---- main flow (command.c): argv to a command ------------------------------------------------------------------------------------------ */
int cli_main(int argc, char **argv);

/* ---- elsewhere.c: commands of the reference client that are not here ------------------------------------------------------------------- */
/* -1: not one of them. The first `known` words are groups that are here. Does not return when the program named in
 * HF_FALLBACK could be started. */
int cli_elsewhere(int count, char **words, int known);

/* ---- pack.c: the program's own commands as a task pack --------------------------------------------------------------------------------- */
extern const struct hf_plugin *const cli_plugins[];
/* What these are made of: commands.c (the tree as JSON), complete.c, shells.c, man.c, env.c. */
hf_status cli_task_commands(hf_call *, void *, const hf_args *, hf_out *);
hf_status cli_task_api(hf_call *, void *, const hf_args *, hf_out *);
hf_status cli_task_env(hf_call *, void *, const hf_args *, hf_out *);
hf_status cli_task_man(hf_call *, void *, const hf_args *, hf_out *);
hf_status cli_task_completion(hf_call *, void *, const hf_args *, hf_out *);
const char *cli_completion_script(const char *shell);    /* NULL: no such shell */
int cli_complete(hf_runtime *, int count, char **words); /* hf __complete WORD... */
int cli_install_completion(void);
int cli_show_completion(void);
hf_status cli_record_text(hf_out *, uint32_t what, const char *text); /* as a JSON string */
extern const struct hf_host *cli_host;
#endif
