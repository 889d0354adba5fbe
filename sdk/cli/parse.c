/* parse.c - the words behind a command's name become arguments of its row.
 * Order of work and of complaints is the reference's: repo type prefixes, output flags, help when nothing was given,
 * options wherever they stand, positionals, then every value is checked in the order in which it was typed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "unicode.h"

struct given { /* one value of one parameter, in the order of typing */
  uint32_t param;
  const char *value; /* NULL: a flag that was set */
  bool off;          /* --no-x */
};
struct parse {
  const struct hf_task *task;
  const char *path;
  char **words;
  int count;
  struct given *given;
  size_t given_count;
  char **left; /* positionals */
  size_t left_count;
  bool help;
  int exit_code; /* -1: still fine */
  const char *prefix_type;
};

static bool starts(const char *text, const char *lead) {
  return !strncmp(text, lead, strlen(lead));
}

/* The parameter with this spelling; negative tells --no-x. */
static bool find_option(const struct hf_task *task, const char *spelling, uint32_t *index, bool *off) {
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    struct cli_spellings s;
    if (cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    cli_spell(&p, &s);
    for (uint32_t k = 0; k < s.count; k++)
      if (!strcmp(s.text[k], spelling)) {
        *index = i;
        *off = k >= s.positive;
        return true;
      }
  }
  return false;
}

static void give(struct parse *p, uint32_t param, const char *value, bool off) {
  p->given[p->given_count++] = (struct given){param, value, off};
}

/* ---- repo type prefixes: "spaces/me/app" is "me/app --type space" --------------------------------------------------- */

static const struct {
  const char *prefix, *type;
} prefixes[] = {{"models/", "model"}, {"datasets/", "dataset"}, {"spaces/", "space"}, {"kernels/", "kernel"}};

static bool is_repo_slot(const struct hf_task *task, uint32_t position) {
  uint32_t at = 0;
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (!cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    if (at++ == position) return !strcmp(p.name, "repo_id") || !strcmp(p.name, "from_id") || !strcmp(p.name, "to_id");
  }
  return false;
}

static void strip_prefix(struct parse *p, int word, const char **first) {
  for (size_t k = 0; k < sizeof prefixes / sizeof prefixes[0]; k++) {
    if (!starts(p->words[word], prefixes[k].prefix)) continue;
    char *rest = p->words[word] + strlen(prefixes[k].prefix);
    if (!strchr(rest, '/')) return;
    if (p->prefix_type && strcmp(p->prefix_type, prefixes[k].type)) {
      p->exit_code =
          cli_usage_error(NULL, p->path, "Conflicting repo type prefixes: '%s' and '%s'.", *first, prefixes[k].prefix);
      return;
    }
    p->prefix_type = prefixes[k].type;
    *first = prefixes[k].prefix;
    p->words[word] = rest;
    return;
  }
}

static void rewrite_prefixes(struct parse *p) {
  uint32_t position = 0, index;
  bool off, typed = false;
  const char *first = NULL;
  for (int i = 0; i < p->count; i++) {
    char *word = p->words[i];
    if (!strcmp(word, "--type") || starts(word, "--type=") || !strcmp(word, "--repo-type") ||
        starts(word, "--repo-type="))
      typed = true;
  }
  for (int i = 0; i < p->count && p->exit_code < 0; i++) {
    char *word = p->words[i];
    if (!strcmp(word, "--")) break;
    if (*word == '-') {
      struct hf_param param;
      if (strchr(word, '=') || !find_option(p->task, word, &index, &off)) continue;
      param = cli_param(p->task, index);
      if (cli_takes_value(&param)) i++;
    } else if (is_repo_slot(p->task, position++)) {
      strip_prefix(p, i, &first);
    }
  }
  if (p->exit_code < 0 && p->prefix_type && typed)
    p->exit_code = cli_usage_error(
        NULL, p->path, "Ambiguous repo type: got prefix '%s' in repo ID and explicit --type. Use one or the other.",
        first);
}

/* ---- --format, --json, -q, --no-truncate ------------------------------------------------------------------------------ */

static void drop(struct parse *p, int i, int n) {
  memmove(p->words + i, p->words + i + n, (size_t)(p->count - i - n) * sizeof *p->words);
  p->count -= n;
}

static bool parse_mode(struct parse *p, const char *value, struct cli_parsed *out) {
  static const char *const names[] = {"human", "agent", "json", "quiet"};
  out->mode_given = strcmp(value, "auto") != 0;
  if (!out->mode_given) return true;
  for (int i = 0; i < 4; i++)
    if (!strcmp(value, names[i])) {
      out->mode = (enum cli_mode)i;
      return true;
    }
  p->exit_code = cli_usage_error(
      NULL, p->path, "Invalid value for '--format': '%s'. Valid values: agent, auto, human, json, quiet.", value);
  return false;
}

static void take_no_truncate(struct parse *p, struct cli_parsed *out) {
  for (int i = 0; i < p->count && strcmp(p->words[i], "--");) {
    if (!strcmp(p->words[i], "--no-truncate")) {
      out->no_truncate = true;
      drop(p, i, 1);
    } else if (starts(p->words[i], "--no-truncate=")) {
      p->exit_code = cli_usage_error(NULL, p->path, "Option '--no-truncate' does not take a value.");
      return;
    } else {
      i++;
    }
  }
}

static void take_format(struct parse *p, struct cli_parsed *out) {
  const char *chosen = NULL;
  for (int i = 0; i < p->count && p->exit_code < 0 && strcmp(p->words[i], "--");) {
    char *word = p->words[i];
    bool joined = starts(word, "--format="), separate = !strcmp(word, "--format"), json = !strcmp(word, "--json");
    bool quiet = !strcmp(word, "-q") || !strcmp(word, "--quiet");
    const char *flag = joined ? "--format" : word;
    if (!joined && !separate && !json && !quiet) {
      i++;
      continue;
    }
    if (chosen) {
      p->exit_code = cli_usage_error(NULL, p->path, "'%s' and '%s' are mutually exclusive.", chosen, flag);
      return;
    }
    if (separate && i + 1 >= p->count) {
      p->exit_code = cli_usage_error(NULL, p->path, "Option '--format' requires a value.");
      return;
    }
    chosen = flag;
    const char *value = json ? "json" : quiet ? "quiet" : joined ? word + strlen("--format=") : p->words[i + 1];
    if (!parse_mode(p, value, out)) return;
    drop(p, i, separate ? 2 : 1);
  }
}

/* Commands that hand words on declare the flags themselves: what their row was given. */
static void take_declared_format(struct parse *p, struct cli_parsed *out) {
  const char *chosen = NULL;
  for (size_t i = 0; i < p->given_count && p->exit_code < 0; i++) {
    struct hf_param param = cli_param(p->task, p->given[i].param);
    bool json = !strcmp(param.name, "json") || !strcmp(param.name, "json_output"), quiet = !strcmp(param.name, "quiet");
    if (!json && !quiet && strcmp(param.name, "format")) continue;
    const char *flag = json ? "--json" : quiet ? "-q" : "--format";
    if (chosen && strcmp(chosen, flag)) {
      p->exit_code = cli_usage_error(p->task, p->path, "'%s' and '%s' are mutually exclusive.", chosen, flag);
      return;
    }
    chosen = flag;
    parse_mode(p, json ? "json" : quiet ? "quiet" : p->given[i].value, out);
  }
}

/* ---- options and positionals -------------------------------------------------------------------------------------------- */

static bool help_spelling(const struct parse *p, const char *word) {
  return (!strcmp(word, "-h") || !strcmp(word, "--help")) && !cli_spelling_used(p->task, word);
}

/* Takes the value of an option: what was joined to it, else the next word. */
static const char *value_of(struct parse *p, const char *option, const char *joined, int *at) {
  if (joined) return joined;
  if (*at + 1 < p->count) return p->words[++*at];
  p->exit_code = cli_usage_error(NULL, p->path, "Option '%s' requires an argument.", option);
  return NULL;
}

/* "-hR", "-n5", "-n 5". False: unknown characters are left for the command that is handed on. */
static void short_options(struct parse *p, char *word, int *at) {
  uint32_t index;
  bool off, unknown = false;
  for (char *c = word + 1; *c && p->exit_code < 0; c++) {
    char option[3] = {'-', *c, 0};
    if (help_spelling(p, option)) {
      p->help = true;
      continue;
    }
    if (!find_option(p->task, option, &index, &off)) {
      unknown = true;
      if (p->task->flags & HF_TK_PASSTHROUGH) continue;
      p->exit_code = cli_unknown_option(p->task, p->path, option, false);
      return;
    }
    struct hf_param param = cli_param(p->task, index);
    if (!cli_takes_value(&param)) {
      give(p, index, NULL, off);
      continue;
    }
    const char *value = value_of(p, option, c[1] ? c + 1 : NULL, at);
    if (value) give(p, index, value, false);
    return;
  }
  if (unknown) p->left[p->left_count++] = word;
}

static void one_option(struct parse *p, char *word, int *at) {
  char name[128];
  char *equals = strchr(word, '=');
  size_t len = equals ? (size_t)(equals - word) : strlen(word);
  uint32_t index;
  bool off;
  snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), word);
  bool is_help = !strncmp(name, "--", 2) && help_spelling(p, name);
  if (is_help || (name[2] && find_option(p->task, name, &index, &off))) {
    struct hf_param param = {.type = HF_P_BOOL};
    if (!is_help) param = cli_param(p->task, index);
    if (cli_takes_value(&param)) {
      const char *value = value_of(p, name, equals ? equals + 1 : NULL, at);
      if (value) give(p, index, value, false);
    } else if (equals) {
      p->exit_code = cli_usage_error(NULL, p->path, "Option '%s' does not take a value.", name);
    } else if (is_help) {
      p->help = true;
    } else {
      give(p, index, NULL, off);
    }
  } else if (word[1] != '-') {
    short_options(p, word, at);
  } else if (p->task->flags & HF_TK_PASSTHROUGH) {
    p->left[p->left_count++] = word;
  } else {
    p->exit_code = cli_unknown_option(p->task, p->path, name, true);
  }
}

static void split_words(struct parse *p) {
  for (int i = 0; i < p->count && p->exit_code < 0; i++) {
    char *word = p->words[i];
    if (!strcmp(word, "--")) {
      for (i++; i < p->count; i++) p->left[p->left_count++] = p->words[i];
      return;
    }
    if (*word == '-' && word[1])
      one_option(p, word, &i);
    else
      p->left[p->left_count++] = word;
  }
}

/* Hands the positionals out: those before a repeated one from the front, those behind it from the back. */
static size_t place_positionals(struct parse *p) {
  uint32_t slots[64], count = 0;
  size_t front = 0, back = p->left_count;
  int star = -1;
  for (uint32_t i = 0; i < cli_param_count(p->task) && count < 64; i++) {
    struct hf_param param = cli_param(p->task, i);
    if (!cli_param_is(&param, HF_PF_POSITIONAL)) continue;
    if (cli_param_is(&param, HF_PF_REPEAT)) star = (int)count;
    slots[count++] = i;
  }
  uint32_t ahead = star < 0 ? count : (uint32_t)star;
  for (uint32_t i = 0; i < ahead && front < back; i++) give(p, slots[i], p->left[front++], false);
  if (star < 0) return front;
  uint32_t behind = count - ahead - 1;
  size_t tail = back - front < behind ? back - front : behind;
  back -= tail;
  for (; front < back; front++) give(p, slots[star], p->left[front], false);
  /* too few words: the last slots are filled first */
  for (size_t i = 0; i < tail; i++) give(p, slots[count - tail + i], p->left[back + i], false);
  return p->left_count;
}

/* ---- values ------------------------------------------------------------------------------------------------------------------ */

/* 'REPO_ID' or '--type' / '--repo-type' */
static void hint(const struct hf_param *p, char *buf, size_t len) {
  if (cli_param_is(p, HF_PF_POSITIONAL)) {
    char metavar[256];
    cli_metavar(p, metavar, sizeof metavar);
    (void)!snprintf(buf, len, "'%.*s'", (int)len - 3, metavar);
    return;
  }
  struct cli_spellings s;
  cli_spell(p, &s);
  size_t at = 0;
  buf[0] = 0;
  for (uint32_t i = 0; i < s.positive && at < len; i++)
    at += (size_t)snprintf(buf + at, len - at, "%s'%s'", i ? " / " : "", s.text[i]);
}

static char *repr(const char *value) {
  char *text = NULL;
  size_t len;
  FILE *m = open_memstream(&text, &len);
  if (!m) return NULL;
  cli_write_repr(m, value, strlen(value));
  fclose(m);
  return text;
}

static bool is_choice(const struct hf_param *p, const char *value) {
  const char *at = p->choices;
  size_t len, n = strlen(value);
  for (const char *one; (one = cli_list_next(&at, ",", &len));)
    if (len == n && !memcmp(one, value, n)) return true;
  return false;
}

static void bad_choice(struct parse *p, const char *where, const struct hf_param *param, const char *shown) {
  char *text = NULL;
  size_t len, n, count = 0;
  FILE *m = open_memstream(&text, &len);
  if (!m) return;
  const char *at = param->choices;
  for (const char *one; (one = cli_list_next(&at, ",", &n));) fprintf(m, "%s'%.*s'", count++ ? ", " : "", (int)n, one);
  fclose(m);
  p->exit_code = cli_usage_error(p->task, p->path, "Invalid value for %s: %s is not %s%s.", where, shown,
                                 count > 1 ? "one of " : "", text);
  free(text);
}

/* An integer as int() reads it: blanks around, a sign, underscores between digits. */
static bool read_int(const char *value, char *out, size_t len) {
  size_t n = 0;
  value += strspn(value, " \t\n");
  if ((*value == '-' || *value == '+') && *value++ == '-') out[n++] = '-';
  bool digit = false;
  for (; *value; value++) {
    if (*value >= '0' && *value <= '9') {
      if (n + 1 >= len) return false;
      out[n++] = *value;
      digit = true;
    } else if (*value == '_' && digit && value[1] >= '0' && value[1] <= '9') {
      continue;
    } else {
      break;
    }
  }
  value += strspn(value, " \t\n");
  out[n] = 0;
  errno = 0;
  (void)strtoll(out, NULL, 10);
  return digit && !*value && !errno;
}

static bool read_float(const char *value) {
  char *end;
  value += strspn(value, " \t\n");
  if (!*value || strpbrk(value, "xX")) return false;
  (void)strtod(value, &end);
  return !end[strspn(end, " \t\n")];
}

/* Checks one value and adds it to the arguments. */
static void add_value(struct parse *p, const struct hf_param *param, const struct given *g, hf_args *args) {
  char where[256], number[40];
  const char *value = g->value ? g->value : g->off ? "false" : "true";
  char *shown = NULL;
  hint(param, where, sizeof where);
  if (g->value) {
    bool as_number = param->type == HF_P_INT || param->type == HF_P_FLOAT;
    if (param->type == HF_P_INT && read_int(value, number, sizeof number)) {
      value = number;
      if (param->choices && strtoll(value, NULL, 10) < strtoll(param->choices, NULL, 10))
        p->exit_code = cli_usage_error(p->task, p->path, "Invalid value for %s: %s is not in the range x>=%lld.", where,
                                       value, strtoll(param->choices, NULL, 10));
    } else if (as_number && (param->type == HF_P_INT || !read_float(value)) && (shown = repr(value)))
      p->exit_code = cli_usage_error(p->task, p->path, "Invalid value for %s: %s is not a valid %s.", where, shown,
                                     param->type != HF_P_INT ? "float"
                                     : param->choices        ? "integer range"
                                                             : "integer");
    else if (param->type == HF_P_CHOICE && !is_choice(param, value) && (shown = repr(value)))
      bad_choice(p, where, param, shown);
  }
  free(shown);
  if (p->exit_code < 0 && hf_args_add(args, param->name, value))
    p->exit_code = cli_usage_error(p->task, p->path, "Invalid value for %s: it does not fit.", where);
  if (g->value && cli_param_is(param, HF_PF_SECRET)) memset((char *)g->value, 'x', strlen(g->value)); /* out of argv */
}

static bool was_given(const struct parse *p, uint32_t param) {
  for (size_t i = 0; i < p->given_count; i++)
    if (p->given[i].param == param) return true;
  return false;
}

/* A parameter's values: all of a repeated one, else the last. */
static void add_param(struct parse *p, uint32_t index, struct cli_parsed *out) {
  struct hf_param param = cli_param(p->task, index);
  if (cli_param_is(&param, HF_PF_SECRET) && !cli_param_is(&param, HF_PF_POSITIONAL) && !strcmp(param.name, "token"))
    out->token_on_argv = true;
  const struct given *last = NULL;
  for (size_t i = 0; i < p->given_count && p->exit_code < 0; i++) {
    if (p->given[i].param != index) continue;
    if (cli_param_is(&param, HF_PF_REPEAT))
      add_value(p, &param, &p->given[i], out->args);
    else
      last = &p->given[i];
  }
  if (last && p->exit_code < 0) add_value(p, &param, last, out->args);
}

static void add_arguments(struct parse *p, struct cli_parsed *out) {
  for (size_t i = 0; i < p->given_count && p->exit_code < 0; i++) {
    bool seen = false;
    for (size_t k = 0; k < i && !seen; k++) seen = p->given[k].param == p->given[i].param;
    if (!seen) add_param(p, p->given[i].param, out);
  }
  for (uint32_t i = 0; i < cli_param_count(p->task) && p->exit_code < 0; i++) {
    struct hf_param param = cli_param(p->task, i);
    char where[256];
    if (!cli_param_is(&param, HF_PF_REQUIRED) || was_given(p, i)) continue;
    hint(&param, where, sizeof where);
    p->exit_code = cli_usage_error(p->task, p->path, "Missing %s %s.",
                                   cli_param_is(&param, HF_PF_POSITIONAL) ? "argument" : "option", where);
  }
}

static bool needs_words(const struct hf_task *task) {
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (cli_param_is(&p, HF_PF_POSITIONAL) && cli_param_is(&p, HF_PF_REQUIRED)) return true;
  }
  return false;
}

static void extra_words(struct parse *p, size_t used) {
  if (used >= p->left_count || p->task->flags & HF_TK_PASSTHROUGH) return;
  char *text = NULL;
  size_t len;
  FILE *m = open_memstream(&text, &len);
  if (!m) return;
  for (size_t i = used; i < p->left_count; i++) fprintf(m, "%s%s", i > used ? " " : "", p->left[i]);
  fclose(m);
  p->exit_code = cli_usage_error(p->task, p->path, "Got unexpected extra argument%s (%s)",
                                 p->left_count - used > 1 ? "s" : "", text);
  free(text);
}

static void parse(struct parse *p, struct cli_parsed *out) {
  uint32_t type;
  bool off;
  if (p->task->flags & HF_TK_TYPE_PREFIX) rewrite_prefixes(p);
  if (p->exit_code < 0 && !(p->task->flags & HF_TK_PASSTHROUGH)) take_no_truncate(p, out);
  if (p->exit_code < 0 && cli_formats_globally(p->task)) take_format(p, out);
  if (p->exit_code >= 0) return;
  if (!p->count && !p->prefix_type && needs_words(p->task))
    p->help = true;
  else
    split_words(p);
  if (p->exit_code >= 0) return;
  if (p->help) {
    cli_help_task(stdout, p->task, p->path);
    p->exit_code = CLI_OK;
    return;
  }
  if (p->prefix_type && find_option(p->task, "--type", &type, &off)) give(p, type, p->prefix_type, false);
  size_t used = place_positionals(p);
  if (p->task->flags & HF_TK_LOCAL_FORMAT) take_declared_format(p, out);
  if (p->exit_code < 0) add_arguments(p, out);
  if (p->exit_code < 0) extra_words(p, used);
}

int cli_parse(hf_runtime *rt, const struct hf_task *task, const char *path, int count, char **words,
              struct cli_parsed *out) {
  (void)rt;
  size_t letters = 2;
  for (int i = 0; i < count; i++) letters += strlen(words[i]) + 1;
  struct parse p = {.task = task, .path = path, .words = words, .count = count, .exit_code = -1};
  p.given = calloc(letters, sizeof *p.given); /* every letter of a group of flags may be one */
  p.left = calloc((size_t)count + 1, sizeof *p.left);
  out->args = hf_args_new(task);
  if (p.given && p.left && out->args)
    parse(&p, out);
  else
    p.exit_code = (fputs("Error: out of memory\n", stderr), CLI_FAILED);
  free(p.given);
  free(p.left);
  if (p.exit_code >= 0) {
    hf_args_free(out->args);
    out->args = NULL;
  }
  return p.exit_code;
}
