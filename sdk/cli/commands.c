/* commands.c - `hf commands` and `hf api`: what the registry holds, for programs that read it.
 * The shape of the first is a tree of groups and commands with their parameters; of the second a table of operations
 * with verb and route. Nothing is printed that a row does not say. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"

static void set(json_t *object, const char *key, json_t *value) {
  if (value) json_object_set_new(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *text) {
  if (text) set(object, key, json_string(text));
}

static json_t *list_of(const char *text) {
  json_t *list = json_array();
  size_t len;
  for (const char *one; (one = cli_list_next(&text, ", ", &len));) json_array_append_new(list, json_stringn(one, len));
  return list;
}

static json_t *default_of(const struct hf_param *p) {
  if (p->type == HF_P_BOOL)
    return p->deflt                          ? json_boolean(!strcmp(p->deflt, "true") || !strcmp(p->deflt, "1"))
           : cli_param_is(p, HF_PF_TRISTATE) ? json_null()
                                             : json_false();
  if (!p->deflt || *p->deflt == '(') return json_null();
  if (p->type == HF_P_INT) return json_integer(strtoll(p->deflt, NULL, 10));
  if (p->type == HF_P_FLOAT) return json_real(strtod(p->deflt, NULL));
  return json_string(p->deflt);
}

static const char *type_of(const struct hf_param *p) {
  switch (p->type) {
    case HF_P_INT: return "int";
    case HF_P_BOOL: return "flag";
    case HF_P_FLOAT: return "float";
    case HF_P_PATH: return "path";
    case HF_P_CHOICE: return "choice";
    default: return p->choices ? "softchoice" : "string";
  }
}

static json_t *argument(const struct hf_param *p) {
  json_t *o = json_object();
  char name[128];
  size_t n = 0;
  const char *from = p->value_name ? p->value_name : p->name;
  for (; from[n] && n + 1 < sizeof name; n++)
    name[n] = from[n] >= 'a' && from[n] <= 'z' ? (char)(from[n] - 32) : from[n];
  name[n] = 0;
  set_text(o, "name", p->name);
  set_text(o, "kind", "argument");
  set_text(o, "metavar", name);
  set(o, "required", json_boolean(cli_param_is(p, HF_PF_REQUIRED)));
  set(o, "variadic", json_boolean(cli_param_is(p, HF_PF_REPEAT)));
  set_text(o, "type", type_of(p));
  if (p->choices && p->type == HF_P_INT)
    set(o, "min", json_integer(strtoll(p->choices, NULL, 10)));
  else if (p->choices)
    set(o, "choices", list_of(p->choices));
  set(o, "default", default_of(p));
  set_text(o, "since", p->since);
  set_text(o, "gone", p->gone);
  return o;
}

static json_t *option(const struct hf_param *p) {
  json_t *o = json_object(), *spellings = json_array(), *negative = json_array();
  struct cli_spellings s;
  cli_spell(p, &s);
  for (uint32_t i = 0; i < s.count; i++)
    json_array_append_new(i < s.positive ? spellings : negative, json_string(s.text[i]));
  set_text(o, "name", p->name);
  set_text(o, "kind", "option");
  set(o, "spellings", spellings);
  if (json_array_size(negative))
    set(o, "negative_spellings", negative);
  else
    json_decref(negative);
  set(o, "required", json_boolean(cli_param_is(p, HF_PF_REQUIRED)));
  set(o, "repeatable", json_boolean(cli_param_is(p, HF_PF_REPEAT)));
  set_text(o, "type", type_of(p));
  if (p->choices && p->type == HF_P_INT)
    set(o, "min", json_integer(strtoll(p->choices, NULL, 10)));
  else if (p->choices)
    set(o, "choices", list_of(p->choices));
  set(o, "default", default_of(p));
  if (p->deflt && *p->deflt == '(') set(o, "shown_default", json_stringn(p->deflt + 1, strcspn(p->deflt + 1, ")")));
  if (cli_param_is(p, HF_PF_TRISTATE) && !p->deflt) set(o, "tristate", json_true());
  if (cli_param_is(p, HF_PF_HIDDEN)) set(o, "hidden", json_true());
  if (cli_param_is(p, HF_PF_SECRET)) set(o, "validated_by_callback", json_true());
  set_text(o, "since", p->since);
  set_text(o, "gone", p->gone);
  return o;
}

static json_t *params_of(const struct hf_task *task, bool *needs_words) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    bool positional = cli_param_is(&p, HF_PF_POSITIONAL);
    if (positional && cli_param_is(&p, HF_PF_REQUIRED)) *needs_words = true;
    json_array_append_new(list, positional ? argument(&p) : option(&p));
  }
  return list;
}

static json_t *head(const struct cli_command *c, const char *path, const char *kind) {
  json_t *o = json_object();
  set_text(o, "name", c->name ? c->name : "hf");
  set_text(o, "path", path);
  set(o, "aliases", list_of(c->task ? c->task->aliases : NULL));
  set(o, "hidden", json_boolean(cli_command_hidden(c)));
  set(o, "deprecated_flag", json_false());
  set_text(o, "kind", kind);
  return o;
}

static json_t *leaf(const struct cli_command *c, const char *path) {
  static const char *const formats[] = {"--format", "--json", "-q", "--quiet"};
  const struct hf_task *task = c->task;
  json_t *o = head(c, path, "command"), *local = json_array(), *help = json_array();
  bool needs_words = false;
  json_t *params = params_of(task, &needs_words);
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
    if (cli_spelling_used(task, formats[i])) json_array_append_new(local, json_string(formats[i]));
  if (!cli_spelling_used(task, "-h")) json_array_append_new(help, json_string("-h"));
  if (!cli_spelling_used(task, "--help")) json_array_append_new(help, json_string("--help"));
  set_text(o, "topic", !strcmp(cli_command_topic(c), "Help") && !strchr(task->name, '.') ? "help" : "main");
  set(o, "passthrough", json_boolean(task->flags & HF_TK_PASSTHROUGH));
  set(o, "local_formatting_options", local);
  set(o, "accepts_global_formatting", json_boolean(cli_formats_globally(task)));
  set(o, "repo_type_prefix_rewrite", json_boolean(task->flags & HF_TK_TYPE_PREFIX));
  set(o, "help_shown_when_no_args", json_boolean(needs_words));
  set_text(o, "summary", task->summary);
  set(o, "params", params);
  set(o, "help_spellings", help);
  if (task->flags & HF_TK_OURS) set(o, "ours", json_true());
  set_text(o, "since", task->since);
  set_text(o, "gone", task->gone);
  return o;
}

static const struct hf_param root_params[] = {
    {.name = "version", .spellings = "=-v,--version", .type = HF_P_BOOL, .flags = HF_PF_HIDDEN | HF_PF_TRISTATE},
    {.name = "install_completion", .type = HF_P_BOOL},
    {.name = "show_completion", .type = HF_P_BOOL},
};

static json_t *root_options(void) {
  json_t *list = json_array();
  for (size_t i = 0; i < sizeof root_params / sizeof root_params[0]; i++) {
    json_t *o = option(&root_params[i]);
    json_object_del(o, "negative_spellings");
    set(o, "eager", json_true());
    set(o, "validated_by_callback", json_true());
    json_array_append_new(list, o);
  }
  for (size_t i = 0; i < sizeof cli_globals / sizeof cli_globals[0]; i++) {
    struct hf_param p = {.name = cli_globals[i].spelling + 2, .type = HF_P_STR};
    json_t *o = option(&p);
    set(o, "ours", json_true());
    json_array_append_new(list, o);
  }
  return list;
}

static json_t *tree(const struct cli_command *c, const char *path, bool root) { /* depth is that of command names */
  if (c->task) return leaf(c, path);
  json_t *o = head(c, path, "group"), *below = json_array();
  set(o, "invoke_without_command", json_boolean(root));
  set_text(o, "summary", c->help);
  set(o, "params", root ? root_options() : json_array());
  for (size_t i = 0; i < c->count; i++) {
    char *longer = NULL;
    if (asprintf(&longer, "%s %s", path, c->children[i].name) < 0) continue;
    json_array_append_new(below, tree(&c->children[i], longer, false));
    free(longer);
  }
  set(o, "commands", below);
  return o;
}

static hf_status record(hf_call *c, hf_out *out, uint32_t what, json_t *value) {
  char *text = value ? json_dumps(value, 0) : NULL;
  json_decref(value);
  if (!text) return cli_host->failf(c, HF_ENOMEM, "Out of memory.");
  hf_status st = cli_host->record(out, what, text, strlen(text));
  free(text);
  return st;
}

hf_status cli_task_commands(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  (void)args;
  struct cli_command *root = cli_tree_new(hf_call_runtime(c));
  if (!root) return cli_host->failf(c, HF_ENOMEM, "Out of memory.");
  json_t *all = tree(root, "hf", true);
  cli_tree_free(root);
  return record(c, out, HF_OUT_DICT, all);
}

/* ---- hf api ------------------------------------------------------------------------------------------------------------------ */

struct api {
  hf_call *call;
  hf_out *out;
  hf_status st;
};

/* A list as "key=arg arg" names the keys: "filter[],author"; repeated ones end in []. */
static void write_keys(FILE *f, const struct hf_task *task, const char *list) {
  size_t len;
  int n = 0;
  for (const char *one; (one = cli_list_next(&list, " ", &len));) {
    const char *equals = memchr(one, '=', len);
    size_t key = equals ? (size_t)(equals - one) : len;
    const char *arg = equals ? equals + 1 : one;
    size_t arg_len = equals ? len - key - 1 : len;
    bool repeated = key >= 2 && !memcmp(one + key - 2, "[]", 2);
    fprintf(f, "%s%.*s", n++ ? "," : "", (int)key, one);
    for (uint32_t i = 0; !repeated && i < cli_param_count(task); i++) {
      struct hf_param p = cli_param(task, i);
      if (strlen(p.name) == arg_len && !memcmp(p.name, arg, arg_len) && cli_param_is(&p, HF_PF_REPEAT)) fputs("[]", f);
    }
  }
}

/* "GET /api/models/{repo_id}": whether slashes of an argument stay is no part of the route. */
static void write_route(FILE *f, const struct hf_route *r) {
  fprintf(f, "%s ", r->method);
  for (const char *c = r->path; *c; c++)
    if (*c != '+' || c == r->path || c[-1] != '{') putc(*c, f);
}

enum { ROUTES, QUERY, BODY, PARAMS };

/* One column of an operation, as text. */
static json_t *column(const struct hf_task *task, int which) {
  char *text = NULL;
  size_t len, n = 0;
  FILE *m = open_memstream(&text, &len);
  if (!m) return NULL;
  for (uint32_t i = 0; which != PARAMS && i < task->route_count; i++) {
    const struct hf_route *r = &task->routes[i];
    const char *keys = which == QUERY ? r->query : r->body;
    if (which != ROUTES && !keys) continue;
    fputs(n++ ? " | " : "", m);
    if (which == ROUTES)
      write_route(m, r);
    else
      write_keys(m, task, keys);
  }
  for (uint32_t i = 0; which == PARAMS && i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    if (strcmp(p.name, "token")) fprintf(m, "%s%s", n++ ? "," : "", p.name);
  }
  fclose(m);
  json_t *value = json_stringn(text, len);
  free(text);
  return value;
}

static json_t *operation(const struct hf_task *task, const char *method, size_t len) {
  json_t *o = json_object();
  bool pages = false;
  char when[64];
  for (uint32_t i = 0; i < task->route_count; i++) pages = pages || task->routes[i].paging != HF_PAGE_NONE;
  set(o, "method", json_stringn(method, len));
  set_text(o, "kind", task->route_count && !(task->flags & HF_TK_COMPOSES) ? "direct" : "composition");
  set(o, "verbs_and_routes", column(task, ROUTES));
  set(o, "query", column(task, QUERY));
  set(o, "body", column(task, BODY));
  set_text(o, "paginated", pages ? "Link" : "");
  set(o, "py_params(less token)", column(task, PARAMS));
  snprintf(when, sizeof when, "%s%s%s%s%s", task->since ? "since=" : "", task->since ? task->since : "",
           task->since && task->gone ? " " : "", task->gone ? "gone=" : "", task->gone ? task->gone : "");
  set_text(o, "since/gone/changed", when);
  set_text(o, "task", task->name);
  return o;
}

static int add_operation(void *arg, const struct hf_task *task) {
  struct api *a = arg;
  const char *at = task->api ? task->api : "";
  size_t len;
  for (const char *name; !a->st && (name = cli_list_next(&at, " ", &len));)
    a->st = record(a->call, a->out, HF_OUT_ITEM, operation(task, name, len));
  if (!a->st && !task->api && task->route_count)
    a->st = record(a->call, a->out, HF_OUT_ITEM, operation(task, task->name, strlen(task->name)));
  return a->st != HF_OK;
}

hf_status cli_task_api(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  (void)args;
  struct api a = {c, out, HF_OK};
  hf_task_each(hf_call_runtime(c), add_operation, &a);
  return a.st ? a.st : cli_host->record(out, HF_OUT_TABLE_END, "{}", 2);
}
