/* complete.c - what may come next on a command line, for the shells' completion: `hf __complete WORD...`, where the last
 * word is the one being typed. One candidate per line, a tab, its help; ":file" asks the shell for file names.
 * Reads rows only: no network, no configuration beyond the plugin folders. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct ask {
  const char *lead;   /* what a candidate must start with */
  const char *joined; /* "--type=" in front of every candidate, or NULL */
};

static void offer(const struct ask *a, const char *word, size_t len, const char *help) {
  size_t lead = strlen(a->lead);
  if (lead > len || strncmp(word, a->lead, lead)) return;
  printf("%s%.*s", a->joined ? a->joined : "", (int)len, word);
  if (help && *help) printf("\t%.*s", (int)strcspn(help, "\n\t"), help);
  putchar('\n');
}

static void offer_list(const struct ask *a, const char *list) {
  size_t len;
  for (const char *one; (one = cli_list_next(&list, ",", &len));) offer(a, one, len, NULL);
}

static void offer_value(const struct ask *a, const struct hf_param *p) {
  if (p->choices)
    offer_list(a, p->choices);
  else if (p->type == HF_P_PATH || strstr(p->name, "_dir") || strstr(p->name, "_file"))
    puts(":file");
}

/* The option with this spelling; formats and the program's own options included. */
static bool option_named(const struct hf_task *task, const char *spelling, struct hf_param *p) {
  for (uint32_t i = 0; task && i < cli_param_count(task); i++) {
    struct cli_spellings s;
    *p = cli_param(task, i);
    if (cli_param_is(p, HF_PF_POSITIONAL)) continue;
    cli_spell(p, &s);
    for (uint32_t k = 0; k < s.count; k++)
      if (!strcmp(s.text[k], spelling)) return true;
  }
  if (!strcmp(spelling, "--format")) {
    *p = (struct hf_param){.name = "format", .type = HF_P_CHOICE, .choices = "auto,human,agent,json,quiet"};
    return true;
  }
  for (size_t i = 0; i < sizeof cli_globals / sizeof cli_globals[0]; i++)
    if (!strcmp(cli_globals[i].spelling, spelling)) {
      *p = (struct hf_param){.name = "global_file", .type = i == 0 || i == 3 ? HF_P_PATH : HF_P_STR};
      return true;
    }
  return false;
}

static void offer_text(const struct ask *a, const char *word, const char *help) {
  offer(a, word, strlen(word), help);
}

static void offer_options(const struct ask *a, const struct hf_task *task) {
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    struct cli_spellings s;
    if (cli_param_is(&p, HF_PF_POSITIONAL | HF_PF_HIDDEN) || p.gone) continue;
    cli_spell(&p, &s);
    for (uint32_t k = 0; k < s.count; k++) offer_text(a, s.text[k], p.help);
  }
  if (cli_formats_globally(task)) {
    offer_text(a, "--format", "Output format.");
    offer_text(a, "--json", "JSON output.");
    offer_text(a, "--quiet", "Quiet output.");
    offer_text(a, "--no-truncate", "Do not truncate values in tables.");
  }
  if (!cli_spelling_used(task, "--help")) offer_text(a, "--help", "Show this message and exit.");
}

/* The positional that the n-th word without a dash fills. */
static bool positional(const struct hf_task *task, uint32_t n, struct hf_param *out) {
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (!cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    *out = p;
    if (!n-- || cli_param_is(&p, HF_PF_REPEAT)) return true;
  }
  return false;
}

static void offer_commands(const struct ask *a, const struct cli_command *group, bool root) {
  size_t len;
  if (*a->lead == '-') {
    offer_text(a, "--help", "Show this message and exit.");
    for (size_t i = 0; root && i < sizeof cli_globals / sizeof cli_globals[0]; i++)
      offer_text(a, cli_globals[i].spelling, cli_globals[i].help);
    if (root) offer_text(a, "--install-completion", "Install completion for the current shell.");
    if (root) offer_text(a, "--show-completion", "Show completion for the current shell.");
    return;
  }
  for (size_t i = 0; i < group->count; i++) {
    const struct cli_command *c = &group->children[i];
    if (cli_command_hidden(c)) continue;
    char *help = cli_short_help(c, 80);
    offer_text(a, c->name, help);
    const char *at = c->task ? c->task->aliases : NULL;
    for (const char *one; *a->lead && (one = cli_list_next(&at, ", ", &len));) offer(a, one, len, help);
    free(help);
  }
}

/* bash hands "--type=mo" over as three words; here it is one, and the answer is only what follows the "=". */
static int join_equals(int count, char **words, bool *split) {
  int n = 0;
  for (int i = 0; i < count; i++) {
    bool equals = i > 0 && !strcmp(words[i], "=") && n > 0 && words[n - 1][0] == '-';
    char *text = NULL;
    if (equals && asprintf(&text, "%s=%s", words[n - 1], i + 1 < count ? words[i + 1] : "") >= 0) {
      words[n - 1] = text; /* lives as long as the process */
      i++;
      *split = i >= count - 1;
    } else {
      words[n++] = words[i];
    }
  }
  return n;
}

int cli_complete(hf_runtime *rt, int count, char **words) {
  bool split = false, ends = false;
  struct hf_param p;
  char empty[] = "", *none[] = {empty};
  count = join_equals(count, words, &split);
  if (!count) {
    words = none;
    count = 1;
  }
  struct cli_command *root = cli_tree_new(rt);
  if (!root) return CLI_FAILED;
  const struct cli_command *at = root;
  char *current = words[count - 1], *equals = strchr(current, '=');
  uint32_t place = 0;
  const char *pending = NULL; /* an option that waits for its value */
  for (int i = 0; i < count - 1; i++) {
    const char *word = words[i];
    pending = NULL;
    if (ends) {
      place++;
    } else if (!strcmp(word, "--")) {
      ends = true;
    } else if (*word == '-') {
      if (strchr(word, '=') || !option_named(at->task, word, &p) || !cli_takes_value(&p)) continue;
      if (i + 1 == count - 1) pending = word;
      i++;
    } else if (at->task) {
      place++;
    } else {
      at = cli_tree_child(at, word);
      if (!at) break;
    }
  }
  struct ask a = {current, NULL};
  if (!at) {
    cli_tree_free(root);
    return CLI_OK;
  }
  if (pending && option_named(at->task, pending, &p)) {
    offer_value(&a, &p);
  } else if (!ends && *current == '-' && equals) {
    char name[128], joined[130];
    snprintf(name, sizeof name, "%.*s", (int)(equals - current), current);
    snprintf(joined, sizeof joined, "%s=", name);
    a = (struct ask){equals + 1, split ? NULL : joined};
    if (option_named(at->task, name, &p)) offer_value(&a, &p);
  } else if (!at->task) {
    offer_commands(&a, at, at == root);
  } else if (!ends && *current == '-') {
    offer_options(&a, at->task);
  } else if (positional(at->task, place, &p)) {
    offer_value(&a, &p);
  }
  cli_tree_free(root);
  return CLI_OK;
}
