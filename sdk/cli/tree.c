/* tree.c - the commands as a tree of words, made from the rows of the registry when somebody wants to see all of them.
 * "repos.branch.create" is three levels; a group has no row of its own, its help comes from the first row below it.
 * Running a command does not need the tree. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "unicode.h"

static struct cli_command *child_of(struct cli_command *group, const char *name, size_t len) {
  for (size_t i = 0; i < group->count; i++)
    if (strlen(group->children[i].name) == len && !memcmp(group->children[i].name, name, len))
      return &group->children[i];
  struct cli_command *grown = realloc(group->children, (group->count + 1) * sizeof *grown);
  if (!grown) return NULL;
  group->children = grown;
  struct cli_command *fresh = &grown[group->count];
  memset(fresh, 0, sizeof *fresh);
  fresh->name = strndup(name, len);
  if (!fresh->name) return NULL;
  group->count++;
  return fresh;
}

struct build {
  struct cli_command *root;
  bool failed;
};

static int add_row(void *arg, const struct hf_task *task) {
  struct build *b = arg;
  if (task->flags & HF_TK_NOT_A_COMMAND) return 0;
  struct cli_command *at = b->root, *above = NULL;
  const char *word = task->name;
  for (;;) {
    size_t len = strcspn(word, ".");
    above = at;
    at = child_of(at, word, len);
    if (!at) {
      b->failed = true;
      return 1;
    }
    if (!word[len]) break;
    word += len + 1;
  }
  if (!at->task) at->task = task;
  if (task->group_help && above != b->root && !above->help) above->help = task->group_help;
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct cli_command *)a)->name, ((const struct cli_command *)b)->name);
}

static void sort(struct cli_command *group) { /* depth is that of command names */
  if (group->count) qsort(group->children, group->count, sizeof *group->children, by_name);
  for (size_t i = 0; i < group->count; i++) sort(&group->children[i]);
}

struct cli_command *cli_tree_new(hf_runtime *rt) {
  struct build b = {calloc(1, sizeof *b.root), false};
  if (!b.root) return NULL;
  b.root->help = "Hugging Face Hub CLI";
  hf_task_each(rt, add_row, &b);
  if (b.failed) {
    cli_tree_free(b.root);
    return NULL;
  }
  sort(b.root);
  return b.root;
}

static void empty(struct cli_command *group) {
  for (size_t i = 0; i < group->count; i++) {
    empty(&group->children[i]);
    free(group->children[i].name);
  }
  free(group->children);
}

void cli_tree_free(struct cli_command *root) {
  if (!root) return;
  empty(root);
  free(root);
}

const struct cli_command *cli_tree_child(const struct cli_command *group, const char *word) {
  size_t len;
  for (size_t i = 0; i < group->count; i++)
    if (!strcmp(group->children[i].name, word)) return &group->children[i];
  for (size_t i = 0; i < group->count; i++) {
    const char *at = group->children[i].task ? group->children[i].task->aliases : NULL;
    for (const char *one; (one = cli_list_next(&at, ", ", &len));)
      if (strlen(word) == len && !memcmp(word, one, len)) return &group->children[i];
  }
  return NULL;
}

bool cli_command_hidden(const struct cli_command *command) {
  if (command->task) return (command->task->flags & HF_TK_HIDDEN) != 0;
  for (size_t i = 0; i < command->count; i++)
    if (!cli_command_hidden(&command->children[i])) return false;
  return true;
}

const char *cli_command_topic(const struct cli_command *command) {
  static const char *const help[] = {"env", "update", "version"};
  for (size_t i = 0; i < sizeof help / sizeof help[0]; i++)
    if (!strcmp(command->name, help[i])) return "Help";
  const struct cli_command *leaf = command;
  while (!leaf->task && leaf->count) leaf = leaf->children;
  return leaf->task && leaf->task->flags & HF_TK_OURS ? "Libhf" : "Main";
}

/* Words of the first paragraph up to the end of its first sentence, joined by blanks. */
static char *first_sentence(const char *help) {
  char *text = malloc(strlen(help) + 1);
  if (!text) return NULL;
  size_t n = 0, len;
  const char *end = strstr(help, "\n\n"), *at = help;
  for (const char *word; (word = cli_list_next(&at, " \t\n", &len)) && (!end || word < end);) {
    if (n) text[n++] = ' ';
    memcpy(text + n, word, len);
    n += len;
    const char *next = word + len + strspn(word + len, " \t\n");
    bool last = !*next || (end && next >= end);
    if (word[len - 1] == '.' && (last || !(*next >= 'a' && *next <= 'z'))) break;
  }
  text[n] = 0;
  return text;
}

char *cli_short_help(const struct cli_command *command, size_t limit) {
  const char *help = command->task ? command->task->summary : command->help;
  char *text = first_sentence(help ? help : "");
  if (!text || cli_utf8_length(text, strlen(text)) <= limit) return text;
  size_t cut = cli_utf8_prefix(text, strlen(text), limit >= 3 ? limit - 3 : 0);
  while (cut && text[cut] != ' ') cut--;
  while (cut && text[cut - 1] == ' ') cut--;
  memcpy(text + cut, "...", 4);
  return text;
}
