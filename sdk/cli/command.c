/* command.c - from argv to a command: the program's own options, the words of the command, its row.
 * Rows are found by name, so that a known command needs neither the tree of commands nor a look at plugins; the tree is
 * built for help, for aliases and for words that are not known. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { MOST_WORDS = 5, LONGEST_PATH = 200 };

struct line {
  char **words;
  int count;
  struct hf_kv settings[8];
  uint32_t settings_count;
  const char *plugin_path;
};

/* Takes --plugin-path, --transfer, --store and --trace from wherever they stand before "--". -1: fine. */
static int take_globals(struct line *l, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    char *word = argv[i];
    size_t k = 0, n = sizeof cli_globals / sizeof cli_globals[0], len = 0;
    for (; k < n; k++) {
      len = strlen(cli_globals[k].spelling);
      if (!strncmp(word, cli_globals[k].spelling, len) && (!word[len] || word[len] == '=')) break;
    }
    if (!strcmp(word, "--") || (i == 1 && !strcmp(word, "__complete"))) {
      for (; i < argc; i++) l->words[l->count++] = argv[i];
    } else if (k == n) {
      l->words[l->count++] = word;
    } else if (!word[len] && i + 1 >= argc) {
      return cli_usage_error(NULL, "hf", "Option '%s' requires an argument.", cli_globals[k].spelling);
    } else {
      const char *value = word[len] ? word + len + 1 : argv[++i];
      if (l->settings_count < sizeof l->settings / sizeof l->settings[0])
        l->settings[l->settings_count++] = (struct hf_kv){cli_globals[k].key, value};
      if (!k) l->plugin_path = value;
    }
  }
  return -1;
}

static bool is_word(const char *text) {
  return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] && *text != '-';
}

/* The row named by the first words; *used tells how many they were. */
static const struct hf_task *find_row(hf_runtime *rt, int count, char **words, int *used) {
  const struct hf_task *found = NULL;
  char name[LONGEST_PATH] = "";
  size_t len = 0;
  for (int i = 0; i < count && i < MOST_WORDS && is_word(words[i]); i++) {
    size_t n = strlen(words[i]);
    if (len + n + 2 > sizeof name) break;
    if (len) name[len++] = '.';
    memcpy(name + len, words[i], n + 1);
    len += n;
    const struct hf_task *task = hf_task_find(rt, name);
    if (!task || task->flags & HF_TK_NOT_A_COMMAND) continue;
    *used = i + 1;
    found = task;
    if (!(task->flags & HF_TK_GROUP)) break;
  }
  return found;
}

static void extend(char *path, const char *word) {
  size_t at = strlen(path);
  snprintf(path + at, LONGEST_PATH - at, " %s", word);
}

/* Options of a group: flags that act at once. Those of the program come first in the table. */
enum eager { NOTHING = -1, VERSION, INSTALL, SHOW, SKILLS, HELP };
static const struct {
  const char *spelling;
  char letter;
} flags[] = {
    {"--version", 'v'}, {"--install-completion", 0}, {"--show-completion", 0}, {"--skills", 0}, {"--help", 'h'}};

static enum eager flag_named(bool root, const char *name, size_t len) {
  for (enum eager k = root ? VERSION : HELP; k <= HELP; k++)
    if (strlen(flags[k].spelling) == len && !memcmp(flags[k].spelling, name, len)) return k;
  return NOTHING;
}

/* Reads the options in front of a group's next word: how many words they take, and the first that acts. -1: fine. */
static int read_flags(const struct cli_command *group, const char *path, bool root, int count, char **words, int *used,
                      enum eager *first) {
  int i = 0;
  *first = NOTHING;
  for (; i < count && words[i][0] == '-' && words[i][1]; i++) {
    char *word = words[i], name[128];
    if (!strcmp(word, "--")) {
      i++;
      break;
    }
    size_t len = strcspn(word, "=");
    snprintf(name, sizeof name, "%.*s", (int)len, word);
    enum eager found = flag_named(root, word, len);
    if (found != NOTHING && word[len]) return cli_usage_error(NULL, path, "Option '%s' does not take a value.", name);
    if (found == NOTHING && word[1] == '-') return cli_unknown_group_option(group, path, root, name);
    if (*first == NOTHING) *first = found;
    for (char *c = word + 1; found == NOTHING && *c; c++) {
      enum eager k = *c == 'h' ? HELP : root && *c == 'v' ? VERSION : NOTHING;
      if (k == NOTHING) return cli_unknown_group_option(group, path, root, (char[]){'-', *c, 0});
      if (*first == NOTHING) *first = k;
    }
  }
  *used = i;
  return -1;
}

static int run_row(hf_runtime *rt, const struct hf_task *task, const char *path, int count, char **words) {
  struct cli_parsed parsed = {.mode = CLI_HUMAN};
  int code = cli_parse(rt, task, path, count, words, &parsed);
  return code >= 0 ? code : cli_run(rt, task, path, &parsed);
}

/* Group by group through the tree: help, aliases, what is not known. */
static int walk(hf_runtime *rt, const struct cli_command *root, bool help, int count, char **words) {
  char path[LONGEST_PATH] = "hf";
  const struct cli_command *group = root;
  for (int i = 0;; i++) {
    int used = 0;
    enum eager first = help ? HELP : NOTHING;
    int code = group == root ? -1 : read_flags(group, path, false, count - i, words + i, &used, &first);
    if (code >= 0) return code;
    i += used;
    if (first == HELP || i >= count) {
      cli_help_group(first == HELP ? stdout : stderr, group, path, group == root);
      return first == HELP ? CLI_OK : CLI_USAGE;
    }
    const struct cli_command *next = cli_tree_child(group, words[i]);
    if (!next) {
      code = cli_elsewhere(count, words, i);
      return code >= 0 ? code : cli_unknown_command(group, path, group == root, words[i]);
    }
    extend(path, words[i]);
    if (next->task && !(next->count && i + 1 < count && cli_tree_child(next, words[i + 1])))
      return run_row(rt, next->task, path, count - i - 1, words + i + 1);
    group = next;
  }
}

static int dispatch(hf_runtime *rt, bool help, int count, char **words) {
  int used = 0;
  if (count && !strcmp(words[0], "__complete")) return cli_complete(rt, count - 1, words + 1);
  const struct hf_task *task = help ? NULL : find_row(rt, count, words, &used);
  if (task) {
    char path[LONGEST_PATH] = "hf";
    for (int i = 0; i < used; i++) extend(path, words[i]);
    return run_row(rt, task, path, count - used, words + used);
  }
  struct cli_command *root = cli_tree_new(rt);
  if (!root) {
    fputs("Error: out of memory\n", stderr);
    return CLI_FAILED;
  }
  int code = walk(rt, root, help, count, words);
  cli_tree_free(root);
  return code;
}

/* What the options in front of the first word ask for. -1: a command, or help. */
static int act(enum eager first, struct line *l) {
  switch (first) {
    case VERSION: puts(hf_version()); return CLI_OK;
    case INSTALL: return cli_install_completion();
    case SHOW: return cli_show_completion();
    case SKILLS: return cli_elsewhere(l->count, l->words, 0);
    default: return -1;
  }
}

/* Lines of the library: bare, as in every output mode of the reference. A bar that is on the screen gives way. */
static void on_log(void *arg, int32_t level, const char *line) {
  (void)arg;
  (void)level;
  cli_run_line(line);
}

int cli_main(int argc, char **argv) {
  struct line l = {.words = calloc((size_t)argc + 1, sizeof *l.words)};
  int code = l.words ? take_globals(&l, argc, argv) : CLI_FAILED;
  int used = 0;
  enum eager first = NOTHING;
  if (code < 0) code = read_flags(NULL, "hf", true, l.count, l.words, &used, &first);
  if (code < 0) code = act(first, &l);
  if (code < 0) {
    struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                   .settings = HF_TABLE_N(l.settings, l.settings_count),
                                   .statics = cli_plugins,
                                   .plugin_path = l.plugin_path,
                                   .log = on_log};
    hf_runtime *rt = NULL;
    if (hf_runtime_new(&opts, &rt)) {
      fprintf(stderr, "Error: %s\n", hf_runtime_problem());
      code = CLI_FAILED;
    } else {
      code = dispatch(rt, first == HELP, l.count - used, l.words + used);
      hf_runtime_free(rt);
    }
  }
  free(l.words);
  return code;
}
