/* man.c - manual pages made from rows: `hf man models list` prints one, `hf man --output-dir DIR` writes all of them.
 * The build uses the second to install pages that cannot disagree with the program.
 * A group's page lists its commands; the page of hf itself lists everything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Text as roff: nothing in it is a request or an escape. */
static void write_roff(FILE *f, const char *text, size_t len) {
  bool line_start = true;
  for (size_t i = 0; i < len; i++) {
    char c = text[i];
    if (line_start && (c == '.' || c == '\'')) fputs("\\&", f);
    if (c == '\\')
      fputs("\\e", f);
    else if (c == '-')
      fputs("\\-", f);
    else
      putc(c, f);
    line_start = c == '\n';
  }
}

static void write_text(FILE *f, const char *text) {
  write_roff(f, text, strlen(text));
  putc('\n', f);
}

/* Paragraphs, separated by blank lines. */
static void write_paragraphs(FILE *f, const char *text) {
  while (text && *text) {
    const char *end = strstr(text, "\n\n");
    fputs(".PP\n", f);
    write_roff(f, text, end ? (size_t)(end - text) : strlen(text));
    putc('\n', f);
    text = end ? end + 2 : NULL;
  }
}

static void write_title(FILE *f, const char *path, const char *summary) {
  fputs(".TH \"", f);
  for (const char *c = path; *c; c++) putc(*c == ' ' ? '-' : *c >= 'a' && *c <= 'z' ? *c - 32 : *c, f);
  fprintf(f, "\" 1 \"\" \"libhf %s\" \"Hugging Face Hub CLI\"\n.SH NAME\n", hf_version());
  for (const char *c = path; *c; c++) fputs(*c == ' ' || *c == '-' ? "\\-" : (char[]){*c, 0}, f);
  fputs(" \\- ", f);
  write_text(f, summary ? summary : "");
}

static void write_params(FILE *f, const struct hf_task *task, bool positional) {
  bool any = false;
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    char *left, *right;
    if (cli_param_is(&p, HF_PF_POSITIONAL) != positional || p.gone || !cli_param_help(&p, &left, &right)) continue;
    if (!any) fputs(positional ? ".SH ARGUMENTS\n" : ".SH OPTIONS\n", f);
    any = true;
    fputs(".TP\n.B ", f);
    write_text(f, left);
    write_text(f, right);
    free(left);
    free(right);
  }
}

static void write_command(FILE *f, const struct hf_task *task, const char *path) {
  char metavar[512];
  size_t len;
  write_title(f, path, task->summary);
  fprintf(f, ".SH SYNOPSIS\n.B %s\n[OPTIONS]", path);
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (!cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    cli_metavar(&p, metavar, sizeof metavar);
    putc(' ', f);
    write_roff(f, metavar, strlen(metavar));
  }
  fputs("\n.SH DESCRIPTION\n", f);
  write_paragraphs(f, task->summary);
  write_paragraphs(f, task->help);
  write_params(f, task, true);
  write_params(f, task, false);
  if (cli_formats_globally(task)) {
    fputs(".SH \"FORMATTING OPTIONS\"\n.TP\n.B \\-\\-format [auto|human|agent|json|quiet]\nOutput format.\n", f);
    fputs(
        ".TP\n.B \\-\\-json\nThe same as \\-\\-format json.\n.TP\n.B \\-q, \\-\\-quiet\nThe same as \\-\\-format "
        "quiet.\n.TP\n.B \\-\\-no\\-truncate\nDo not cut values in tables.\n",
        f);
  }
  const char *at = task->examples;
  if (at && *at) fputs(".SH EXAMPLES\n", f);
  for (const char *one; (one = cli_list_next(&at, "\n", &len));) {
    fputs(".PP\n.nf\n", f);
    write_roff(f, one, len);
    fputs("\n.fi\n", f);
  }
}

static void write_group(FILE *f, const struct cli_command *group, const char *path, bool root) {
  write_title(f, path, group->help);
  fprintf(f, ".SH SYNOPSIS\n.B %s\n[OPTIONS] COMMAND [ARGS]...\n.SH DESCRIPTION\n", path);
  write_paragraphs(f, group->help);
  if (root) {
    fputs(".SH OPTIONS\n", f);
    for (size_t i = 0; i < sizeof cli_globals / sizeof cli_globals[0]; i++) {
      fputs(".TP\n.B ", f);
      write_roff(f, cli_globals[i].spelling, strlen(cli_globals[i].spelling));
      fprintf(f, " %s\n", cli_globals[i].metavar);
      write_text(f, cli_globals[i].help);
    }
  }
  fputs(".SH COMMANDS\n", f);
  for (size_t i = 0; i < group->count; i++) {
    const struct cli_command *c = &group->children[i];
    if (cli_command_hidden(c)) continue;
    char *help = cli_short_help(c, 200);
    fputs(".TP\n.B ", f);
    write_text(f, c->name);
    write_text(f, help ? help : "");
    free(help);
  }
}

static void write_page(FILE *f, const struct cli_command *c, const char *path, bool root) {
  if (c->task)
    write_command(f, c->task, path);
  else
    write_group(f, c, path, root);
}

/* Writes the page and those below it; depth is that of command names. */
static hf_status write_pages(hf_call *call, const char *folder, const struct cli_command *c, const char *path,
                             bool root) {
  char file[4096], name[256];
  if (cli_command_hidden(c)) return HF_OK;
  snprintf(name, sizeof name, "%s", path);
  for (char *s = name; *s; s++)
    if (*s == ' ') *s = '-';
  snprintf(file, sizeof file, "%s/%s.1", folder, name);
  FILE *f = fopen(file, "we");
  if (f) write_page(f, c, path, root);
  if (!f || ferror(f) || fclose(f))
    return cli_host->failf(call, HF_EIO, "Writing %s failed: %s.", file, strerror(errno));
  for (size_t i = 0; i < c->count; i++) {
    char below[256];
    snprintf(below, sizeof below, "%s %s", path, c->children[i].name);
    hf_status st = write_pages(call, folder, &c->children[i], below, false);
    if (st) return st;
  }
  return HF_OK;
}

static hf_status print_page(hf_call *call, const hf_args *args, hf_out *out, const struct cli_command *root) {
  const struct cli_command *c = root;
  char path[256] = "hf", *text = NULL;
  size_t len;
  for (uint32_t i = 0; i < cli_host->arg_count(args, "command"); i++) {
    const char *word = cli_host->arg_str(args, "command", i);
    c = cli_tree_child(c, word);
    if (!c) return cli_host->failf(call, HF_ENOTFOUND, "There is no command %s %s.", path, word);
    size_t at = strlen(path);
    snprintf(path + at, sizeof path - at, " %s", word);
  }
  FILE *f = open_memstream(&text, &len);
  if (!f) return cli_host->failf(call, HF_ENOMEM, "Out of memory.");
  write_page(f, c, path, c == root);
  fclose(f);
  hf_status st = cli_host->record(out, HF_OUT_BYTES, text, len);
  free(text);
  return st;
}

hf_status cli_task_man(hf_call *call, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  struct cli_command *root = cli_tree_new(hf_call_runtime(call));
  if (!root) return cli_host->failf(call, HF_ENOMEM, "Out of memory.");
  const char *folder = cli_host->arg_str(args, "output_dir", 0);
  hf_status st = folder ? write_pages(call, folder, root, "hf", true) : print_page(call, args, out, root);
  cli_tree_free(root);
  return st;
}
