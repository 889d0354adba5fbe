/* rows.c - the rows of the registry as the command line sees them: spellings, metavars, which options take a value.
 * Rows of plugins may be shorter than ours; what they lack reads as zero.
 * The only place that turns a parameter's name into what people type. */
#include <string.h>

#include "cli.h"

const struct cli_global cli_globals[4] = {
    {"--plugin-path", "HF_PLUGIN_PATH", "DIRS", "Folders with plugins, searched first."},
    {"--transfer", "HF_TRANSFER", "NAMES", "Transfer adapters to use, in order, comma separated."},
    {"--store", "HF_STORE", "URI", "Where downloads go, e.g. `hub-cache:/path` or `memory:`."},
    {"--trace", "HF_TRACE", "FILE", "Append one JSON line per request to FILE."},
};

uint32_t cli_param_count(const struct hf_task *task) {
  return task->params.count;
}

struct hf_param cli_param(const struct hf_task *task, uint32_t i) {
  struct hf_param p;
  memset(&p, 0, sizeof p);
  size_t size = task->params.stride < sizeof p ? task->params.stride : sizeof p;
  memcpy(&p, (const char *)task->params.rows + (size_t)i * task->params.stride, size);
  return p;
}

bool cli_param_is(const struct hf_param *p, uint32_t flag) {
  return (p->flags & flag) != 0;
}

const char *cli_list_next(const char **at, const char *separators, size_t *len) {
  if (!*at) return NULL;
  const char *start = *at + strspn(*at, separators);
  *len = strcspn(start, separators);
  *at = start + *len;
  return *len ? start : NULL;
}

static void spell(struct cli_spellings *s, const char *prefix, const char *name, size_t len) {
  size_t lead = strlen(prefix);
  if (s->count == sizeof s->text / sizeof s->text[0] || lead + len >= sizeof s->text[0]) return;
  char *text = s->text[s->count++];
  memcpy(text, prefix, lead);
  memcpy(text + lead, name, len);
  text[lead + len] = 0;
}

void cli_spell(const struct hf_param *p, struct cli_spellings *s) {
  s->count = 0;
  const char *more = p->spellings;
  if (!more || *more != '=') {
    spell(s, "--", p->name, strlen(p->name));
    for (char *c = s->text[0]; s->count && *c; c++)
      if (*c == '_') *c = '-';
  } else {
    more++;
  }
  size_t len;
  for (const char *one; (one = cli_list_next(&more, ", ", &len));) spell(s, "", one, len);
  s->positive = s->count;
  if (p->type == HF_P_BOOL && cli_param_is(p, HF_PF_TRISTATE))
    for (uint32_t i = 0; i < s->positive; i++)
      if (!strncmp(s->text[i], "--", 2)) spell(s, "--no-", s->text[i] + 2, strlen(s->text[i] + 2));
}

bool cli_takes_value(const struct hf_param *p) {
  return p->type != HF_P_BOOL;
}

static void add(char *buf, size_t len, const char *text, size_t n) {
  size_t at = strlen(buf);
  if (at + n >= len) n = len - 1 - at;
  memcpy(buf + at, text, n);
  buf[at + n] = 0;
}

static void add_choices(const struct hf_param *p, char *buf, size_t len, const char *open, const char *close) {
  const char *at = p->choices;
  size_t n, count = 0;
  add(buf, len, open, 1);
  for (const char *one; (one = cli_list_next(&at, ",", &n));) {
    if (count++) add(buf, len, "|", 1);
    add(buf, len, one, n);
  }
  add(buf, len, close, 1);
}

void cli_metavar(const struct hf_param *p, char *buf, size_t len) {
  buf[0] = 0;
  if (cli_param_is(p, HF_PF_POSITIONAL)) {
    bool required = cli_param_is(p, HF_PF_REQUIRED);
    if (!required) add(buf, len, "[", 1);
    const char *name = p->value_name ? p->value_name : p->name;
    for (const char *c = name; *c; c++) {
      char upper = !p->value_name && *c >= 'a' && *c <= 'z' ? (char)(*c - 32) : *c;
      add(buf, len, &upper, 1);
    }
    if (!required) add(buf, len, "]", 1);
    if (p->choices && p->type != HF_P_INT) {
      add(buf, len, ":", 1);
      add_choices(p, buf, len, required ? "{" : "[", required ? "}" : "]");
    }
    if (cli_param_is(p, HF_PF_REPEAT)) add(buf, len, "...", 3);
    return;
  }
  const char *name = p->value_name;
  if (!name && p->choices && p->type != HF_P_INT) {
    add_choices(p, buf, len, "[", "]");
    return;
  }
  if (!name)
    name = p->type == HF_P_INT ? "INTEGER" : p->type == HF_P_FLOAT ? "FLOAT" : p->type == HF_P_PATH ? "PATH" : "TEXT";
  add(buf, len, name, strlen(name));
}

bool cli_spelling_used(const struct hf_task *task, const char *spelling) {
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (cli_param_is(&p, HF_PF_POSITIONAL)) continue;
    struct cli_spellings s;
    cli_spell(&p, &s);
    for (uint32_t k = 0; k < s.count; k++)
      if (!strcmp(s.text[k], spelling)) return true;
  }
  return false;
}

bool cli_formats_globally(const struct hf_task *task) {
  return !(task->flags & (HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT));
}
