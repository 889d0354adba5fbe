/* usage.c - what wrong usage says: the usage line, what was wrong, what there is, what may have been meant.
 * Always plain text on stderr and exit code 2, in every output mode.
 * Wording and suggestions are those of the reference client. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "match.h"
#include "unicode.h"

static void usage_lines(const struct hf_task *task, const char *path, bool group, bool root) {
  if (group)
    cli_usage_group(stderr, path, root);
  else
    cli_usage_task(stderr, task, path);
  bool dashes = group || !cli_spelling_used(task, "--help");
  fprintf(stderr, "Try '%s %s' for help.\n\n", path, dashes ? "--help" : "-h");
}

int cli_usage_error(const struct hf_task *task, const char *path, const char *fmt, ...) {
  char *text = NULL;
  va_list ap;
  va_start(ap, fmt);
  int n = vasprintf(&text, fmt, ap);
  va_end(ap);
  if (task) usage_lines(task, path, false, false);
  fputs("Error: ", stderr);
  cli_write_message(stderr, n < 0 ? "out of memory" : text);
  putc('\n', stderr);
  if (n >= 0) free(text);
  return CLI_USAGE;
}

static void list_commands(const struct cli_command *group, const char *path) {
  fprintf(stderr, "\n\nAvailable commands for '%s':\n", path);
  for (size_t i = 0; i < group->count; i++) {
    if (cli_command_hidden(&group->children[i])) continue;
    char *text = cli_short_help(&group->children[i], 80);
    fprintf(stderr, "  %-30s %s\n", group->children[i].name, text ? text : "");
    free(text);
  }
  fprintf(stderr, "\nRun '%s --help' for full details.", path);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct words { /* owned copies */
  char **text;
  size_t count;
};

static void add_word(struct words *w, char *copy) {
  char **grown = copy ? realloc(w->text, (w->count + 1) * sizeof *grown) : NULL;
  if (!grown) {
    free(copy);
    return;
  }
  w->text = grown;
  grown[w->count++] = copy;
}

static void free_words(struct words *w) {
  for (size_t i = 0; i < w->count; i++) free(w->text[i]);
  free(w->text);
}

/* The close ones among the words, by text or best first. */
static size_t close_words(const char *word, const struct words *w, const char *out[3], bool sorted) {
  size_t best[3], n = cli_close_matches(word, (const char *const *)w->text, w->count, best);
  for (size_t i = 0; i < n; i++) out[i] = w->text[best[i]];
  if (sorted) qsort(out, n, sizeof *out, by_text);
  return n;
}

static void did_you_mean(const char *const *close, size_t n) {
  if (!n) return;
  fputs(n > 1 ? " (Did you mean one of: " : " Did you mean ", stderr);
  for (size_t i = 0; i < n; i++) fprintf(stderr, "%s'%s'", i ? ", " : "", close[i]);
  fputs(n > 1 ? "?)" : "?", stderr);
}

static void write_no_such(const char *what, const char *word) {
  fprintf(stderr, "Error: No such %s ", what);
  cli_write_repr(stderr, word, strlen(word));
}

int cli_unknown_command(const struct cli_command *group, const char *path, bool root, const char *word) {
  struct words names = {NULL, 0}, keys = {NULL, 0}; /* names and aliases one by one; as they are registered */
  for (size_t i = 0; i < group->count; i++) {
    const struct cli_command *c = &group->children[i];
    const char *at = c->task ? c->task->aliases : NULL;
    char *key = strdup(c->name), *longer = NULL;
    size_t len;
    bool hidden = cli_command_hidden(c);
    if (!hidden) add_word(&names, strdup(c->name));
    for (const char *one; (one = cli_list_next(&at, ", ", &len));) {
      if (!hidden) add_word(&names, strndup(one, len));
      if (key && asprintf(&longer, "%s | %.*s", key, (int)len, one) >= 0) {
        free(key);
        key = longer;
      }
    }
    add_word(&keys, key);
  }
  usage_lines(NULL, path, true, root);
  write_no_such("command", word);
  const char *close[3];
  size_t n = close_words(word, &names, close, false);
  fputs(".", stderr);
  if (n) fputs(" Did you mean ", stderr);
  for (size_t i = 0; i < n; i++) fprintf(stderr, "%s'%s'", i ? ", " : "", close[i]);
  if (n) fputs("?", stderr);
  list_commands(group, path);
  did_you_mean(close, close_words(word, &keys, close, true));
  putc('\n', stderr);
  free_words(&names);
  free_words(&keys);
  return CLI_USAGE;
}

int cli_unknown_group_option(const struct cli_command *group, const char *path, bool root, const char *option) {
  static const char *const of_root[] = {"--version", "--skills", "--install-completion", "--show-completion"};
  struct words known = {NULL, 0};
  const char *close[3];
  size_t n = 0;
  for (size_t i = 0; root && i < sizeof of_root / sizeof of_root[0]; i++) add_word(&known, strdup(of_root[i]));
  add_word(&known, strdup("--help"));
  usage_lines(NULL, path, true, root);
  write_no_such("option", option);
  fputs(".", stderr);
  if (!strncmp(option, "--", 2)) n = close_words(option, &known, close, true);
  if (!root) {
    list_commands(group, path);
    if (n) fputs("\n\nDid you mean: ", stderr);
    for (size_t i = 0; i < n; i++) fprintf(stderr, "%s%s", i ? ", " : "", close[i]);
    if (n) fputs("?", stderr);
  } else {
    did_you_mean(close, n);
  }
  putc('\n', stderr);
  free_words(&known);
  return CLI_USAGE;
}

int cli_unknown_option(const struct hf_task *task, const char *path, const char *option, bool suggest) {
  struct words known = {NULL, 0};
  const char *close[3];
  usage_lines(task, path, false, false);
  write_no_such("option", option);
  fprintf(stderr, ".\n\nAvailable options for '%s':\n", path);
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    struct cli_spellings s;
    char *left, *right;
    if (cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    cli_spell(&p, &s);
    for (uint32_t k = 0; k < s.count; k++)
      if (s.text[k][1] == '-') add_word(&known, strdup(s.text[k]));
    if (p.gone || !cli_param_help(&p, &left, &right)) continue;
    fprintf(stderr, "  %-30s %s\n", left, right);
    free(left);
    free(right);
  }
  bool dash_h = !cli_spelling_used(task, "-h"), dashes = !cli_spelling_used(task, "--help");
  if (dashes) add_word(&known, strdup("--help"));
  if (dash_h || dashes)
    fprintf(stderr, "  %-30s %s\n",
            dash_h && dashes ? "-h, --help"
            : dash_h         ? "-h"
                             : "--help",
            "Show this message and exit.");
  fprintf(stderr, "\nRun '%s --help' for full details.", path);
  size_t n = suggest ? close_words(option, &known, close, true) : 0;
  if (n) fputs("\n\nDid you mean: ", stderr);
  for (size_t i = 0; i < n; i++) fprintf(stderr, "%s%s", i ? ", " : "", close[i]);
  fputs(n ? "?\n" : "\n", stderr);
  free_words(&known);
  return CLI_USAGE;
}
