/* help.c - help pages made from rows: usage line, arguments, options, sections of commands, examples.
 * The layout is that of the reference client, so that people and scripts that read its help feel at home.
 * Headings are underlined and names bold on a terminal only. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "unicode.h"
#include "wrap.h"

#define DOCS "https://huggingface.co/docs/huggingface_hub/en/guides/cli"

struct pair {
  char *left, *right;
};
struct pairs {
  struct pair *rows;
  size_t count;
};

static size_t page_width(void) {
  size_t columns = cli_terminal_columns();
  if (columns > 120) columns = 120;
  return columns < 52 ? 50 : columns - 2;
}

static bool styled(FILE *f) {
  int fd = fileno(f);
  const char *plain = getenv("NO_COLOR");
  return fd >= 0 && isatty(fd) && !(plain && *plain);
}

static void add_pair(struct pairs *p, char *left, char *right) {
  struct pair *grown = left && right ? realloc(p->rows, (p->count + 1) * sizeof *grown) : NULL;
  if (!grown) {
    free(left);
    free(right);
    return;
  }
  p->rows = grown;
  grown[p->count++] = (struct pair){left, right};
}

static void add_copy(struct pairs *p, const char *left, const char *right) {
  add_pair(p, strdup(left), strdup(right));
}

/* A heading and a list of terms; frees the pairs. An empty list prints nothing. */
static void section(FILE *f, const char *heading, const char *more, struct pairs *p) {
  bool style = styled(f);
  size_t widest = 0, width = page_width();
  if (p->count) fprintf(f, "\n%s%s%s:%s\n", style ? "\033[4m" : "", heading, more, style ? "\033[0m" : "");
  for (size_t i = 0; i < p->count; i++) {
    size_t n = cli_utf8_length(p->rows[i].left, strlen(p->rows[i].left));
    if (n > widest) widest = n;
  }
  size_t first = (widest < 30 ? widest : 30) + 2;
  for (size_t i = 0; i < p->count; i++) {
    struct pair *row = &p->rows[i];
    size_t n = cli_utf8_length(row->left, strlen(row->left));
    fprintf(f, "  %s%s%s", style ? "\033[1m" : "", row->left, style ? "\033[0m" : "");
    if (*row->right) {
      if (n > first - 2)
        fprintf(f, "\n%*s", (int)first + 2, "");
      else
        fprintf(f, "%*s", (int)(first - n), "");
      struct cli_wrap w = {width > first + 12 ? width - first - 2 : 10, 0, 0, first + 2};
      cli_wrap_write(f, row->right, &w);
    }
    putc('\n', f);
    free(row->left);
    free(row->right);
  }
  free(p->rows);
  *p = (struct pairs){NULL, 0};
}

static void usage(FILE *f, const char *path, const char *pieces) {
  char *text = NULL;
  size_t len, width = page_width(), lead = strlen(path) + 8;
  FILE *m = open_memstream(&text, &len);
  if (!m) return;
  fprintf(f, "Usage: %s ", path);
  bool beside = width >= lead + 20;
  struct cli_wrap w = {beside ? width - lead : width - 11, 0, 0, beside ? lead : 11};
  if (!beside) fprintf(f, "\n%11s", "");
  cli_wrap_write(m, pieces, &w);
  fclose(m);
  fprintf(f, "%s\n", text);
  free(text);
}

void cli_usage_group(FILE *f, const char *path, bool root) {
  usage(f, path, root ? "[OPTIONS] [COMMAND] [ARGS]..." : "[OPTIONS] COMMAND [ARGS]...");
}

void cli_usage_task(FILE *f, const struct hf_task *task, const char *path) {
  char *text = NULL, metavar[512];
  size_t len;
  FILE *m = open_memstream(&text, &len);
  if (!m) return;
  fputs("[OPTIONS]", m);
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (!cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    cli_metavar(&p, metavar, sizeof metavar);
    fprintf(m, " %s", metavar);
  }
  fclose(m);
  usage(f, path, text);
  free(text);
}

static void write_options(FILE *m, const struct cli_spellings *s) {
  uint32_t n = 0;
  for (int dashes = 1; dashes <= 2; dashes++)
    for (uint32_t i = 0; i < s->positive; i++)
      if ((s->text[i][1] == '-') == (dashes == 2)) fprintf(m, "%s%s", n++ ? ", " : "", s->text[i]);
}

/* What is shown as the default, if anything. */
static bool default_text(const struct hf_param *p, const struct cli_spellings *s, char *buf, size_t len) {
  if (!p->deflt) return false;
  if (p->type == HF_P_BOOL) {
    bool on = !strcmp(p->deflt, "true") || !strcmp(p->deflt, "1");
    uint32_t i = on ? 0 : s->positive;
    if (i >= s->count || (!on && !cli_param_is(p, HF_PF_TRISTATE))) return false;
    snprintf(buf, len, "%s", s->text[i] + strspn(s->text[i], "-"));
    return true;
  }
  snprintf(buf, len, "%s", p->deflt);
  return true;
}

bool cli_param_help(const struct hf_param *p, char **left, char **right) {
  char metavar[1024], deflt[256];
  size_t len;
  struct cli_spellings s = {.count = 0};
  bool positional = cli_param_is(p, HF_PF_POSITIONAL), required = cli_param_is(p, HF_PF_REQUIRED);
  *left = *right = NULL;
  if (cli_param_is(p, HF_PF_HIDDEN)) return false;
  cli_metavar(p, metavar, sizeof metavar);
  FILE *m = open_memstream(left, &len);
  if (!m) return false;
  if (positional)
    fputs(metavar, m);
  else {
    cli_spell(p, &s);
    write_options(m, &s);
    if (cli_takes_value(p)) fprintf(m, " %s", metavar);
    for (uint32_t i = s.positive; i < s.count; i++) fprintf(m, "%s%s", i == s.positive ? " / " : ", ", s.text[i]);
  }
  fclose(m);
  m = open_memstream(right, &len);
  if (!m) {
    free(*left);
    return false;
  }
  bool has = default_text(p, &s, deflt, sizeof deflt);
  fputs(p->help ? p->help : "", m);
  if ((has || required) && p->help && *p->help) fputs("  ", m);
  if (has) fprintf(m, "[default: %s%s", deflt, required ? "; " : "]");
  if (required) fprintf(m, "%srequired]", has ? "" : "[");
  fclose(m);
  return true;
}

static void help_option(struct pairs *p, const struct hf_task *task) {
  bool dash_h = !task || !cli_spelling_used(task, "-h"), dashes = !task || !cli_spelling_used(task, "--help");
  if (dash_h || dashes)
    add_copy(p, dash_h && dashes ? "-h, --help" : dash_h ? "-h" : "--help", "Show this message and exit.");
}

static void example(FILE *f, const char *line, size_t len) {
  char *text = malloc(len + 5);
  if (!text) return;
  memcpy(text, "  $ ", 4);
  memcpy(text + 4, line, len);
  text[len + 4] = 0;
  struct cli_wrap w = {page_width(), 0, 0, 0};
  cli_wrap_write(f, text, &w);
  putc('\n', f);
  free(text);
}

static void learn_more(FILE *f) {
  struct cli_wrap w = {page_width(), 0, 0, 0};
  fputs("\nLearn more\n", f);
  cli_wrap_write(f, "  Use `hf <command> --help` for more information about a command.", &w);
  putc('\n', f);
  cli_wrap_write(f, "  Read the documentation at " DOCS, &w);
  putc('\n', f);
}

static void paragraphs(FILE *f, const char *text) {
  struct cli_wrap w = {page_width(), 2, 2, 0};
  putc('\n', f);
  cli_wrap_write(f, text, &w);
  putc('\n', f);
}

void cli_help_task(FILE *f, const struct hf_task *task, const char *path) {
  struct pairs list = {NULL, 0};
  char *left, *right;
  cli_usage_task(f, task, path);
  paragraphs(f, task->summary ? task->summary : "");
  if (task->help && *task->help) paragraphs(f, task->help);
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (cli_param_is(&p, HF_PF_POSITIONAL) && cli_param_help(&p, &left, &right)) add_pair(&list, left, right);
  }
  section(f, "Arguments", "", &list);
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (!cli_param_is(&p, HF_PF_POSITIONAL) && !p.gone && cli_param_help(&p, &left, &right))
      add_pair(&list, left, right);
  }
  help_option(&list, task);
  section(f, "Options", "", &list);
  if (cli_formats_globally(task)) {
    add_copy(&list, "--format [auto|human|agent|json|quiet]",
             "Output format. Defaults to 'auto' which picks 'agent' or 'human' based on the terminal.");
    add_copy(&list, "--json", "JSON output. Equivalent to '--format json'.");
    add_copy(&list, "-q, --quiet", "Quiet output (one ID per line). Equivalent to '--format quiet'.");
    add_copy(&list, "--no-truncate",
             "Do not truncate scalar values in human tables (list/dict columns stay shortened).");
    section(f, "Formatting options", "", &list);
  }
  const char *at = task->examples;
  size_t len;
  if (!at || !*at) return;
  fputs("\nExamples\n", f);
  for (const char *line; (line = cli_list_next(&at, "\n", &len));) example(f, line, len);
  learn_more(f);
}

static void commands(FILE *f, const struct cli_command *group, const char *topic, bool root) {
  struct pairs list = {NULL, 0};
  for (size_t i = 0; i < group->count; i++) {
    const struct cli_command *c = &group->children[i];
    if (cli_command_hidden(c) || strcmp(root ? cli_command_topic(c) : "Main", topic)) continue;
    char *text = cli_short_help(c, page_width()), *more = NULL;
    if (text && c->task && c->task->aliases && asprintf(&more, "%s [alias: %s]", text, c->task->aliases) >= 0) {
      free(text);
      text = more;
    }
    add_pair(&list, strdup(c->name), text);
  }
  section(f, topic, " commands", &list);
}

void cli_help_group(FILE *f, const struct cli_command *group, const char *path, bool root) {
  struct pairs list = {NULL, 0};
  cli_usage_group(f, path, root);
  if (group->help) paragraphs(f, group->help);
  if (root) {
    add_copy(&list, "--install-completion", "Install completion for the current shell.");
    add_copy(&list, "--show-completion",
             "Show completion for the current shell, to copy it or customize the installation.");
  }
  help_option(&list, NULL);
  section(f, "Options", "", &list);
  if (root) {
    for (size_t i = 0; i < sizeof cli_globals / sizeof cli_globals[0]; i++) {
      char left[64];
      snprintf(left, sizeof left, "%s %s", cli_globals[i].spelling, cli_globals[i].metavar);
      add_copy(&list, left, cli_globals[i].help);
    }
    section(f, "Options of every command", "", &list);
  }
  commands(f, group, "Main", root);
  if (root) commands(f, group, "Help", root);
  if (root) commands(f, group, "Libhf", root);
  bool any = false;
  for (size_t i = 0; i < group->count; i++) {
    const struct cli_command *c = &group->children[i];
    bool shown = c->task && !cli_command_hidden(c) && !(root && c->task->flags & HF_TK_OURS);
    const char *at = shown ? c->task->examples : NULL;
    size_t len;
    const char *line = cli_list_next(&at, "\n", &len);
    if (!line) continue;
    if (!any) fputs("\nExamples\n", f);
    any = true;
    example(f, line, len);
  }
  if (any) learn_more(f);
}
