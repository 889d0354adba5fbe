/* task.c - running a row: arguments by name with defaults and environment, their checks against the parameter rows, and
 * the way into the row's pack.
 * Also the reader of the JSON objects that arguments come in: flat, bounded, strict. */
#include "registry.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { DEPTH_MAX = 16, VALUES_MAX = 1 << 20, JSON_DEPTH_MAX = 64 };

struct value {
  const struct hf_param *param;
  char *text;
};
struct hf_args {
  const struct hf_task *task;
  struct value *list;
  uint32_t count, room;
};

/* ---- arguments ---- */

static const struct hf_param *param_of(const struct hf_task *t, const char *name) {
  for (uint32_t i = 0; i < t->params.count; i++) {
    const struct hf_param *p = (const void *)((const uint8_t *)t->params.rows + (size_t)i * t->params.stride);
    if (strcmp(p->name, name) == 0) return p;
  }
  return NULL;
}

hf_args *hf_args_new(const struct hf_task *t) {
  hf_args *a = t ? hf_mem_alloc(sizeof *a) : NULL;
  if (a) a->task = t;
  return a;
}

void hf_args_free(hf_args *a) {
  if (!a) return;
  for (uint32_t i = 0; i < a->count; i++) hf_mem_free(a->list[i].text);
  hf_mem_free(a->list);
  hf_mem_free(a);
}

static hf_status add_text(hf_args *a, const struct hf_param *p, char *text) {
  if (!text) return HF_ENOMEM;
  for (uint32_t i = 0; !(p->flags & HF_PF_REPEAT) && i < a->count; i++)
    if (a->list[i].param == p) { /* the last one counts */
      hf_mem_free(a->list[i].text);
      a->list[i].text = text;
      return HF_OK;
    }
  if (a->count == a->room && a->room < VALUES_MAX) {
    uint32_t room = a->room ? a->room * 2 : 8;
    struct value *list = hf_mem_resize(a->list, room * sizeof *list);
    if (list) a->list = list, a->room = room;
  }
  if (a->count == a->room) {
    hf_mem_free(text);
    return HF_ENOMEM;
  }
  a->list[a->count++] = (struct value){p, text};
  return HF_OK;
}

hf_status hf_args_add(hf_args *a, const char *name, const char *value) {
  const struct hf_param *p = a && name ? param_of(a->task, name) : NULL;
  if (!p || !value) return HF_EINVAL;
  return add_text(a, p, hf_mem_dup(value, SIZE_MAX));
}

/* What stands for an argument that was not given. */
static const char *absent_value(const struct hf_param *p) {
  const char *env = p->env ? getenv(p->env) : NULL;
  if (env && *env) return env;
  return p->deflt && *p->deflt != '(' ? p->deflt : NULL;
}

static const struct value *given(const hf_args *a, const struct hf_param *p, uint32_t index) {
  for (uint32_t i = 0; i < a->count; i++)
    if (a->list[i].param == p && index-- == 0) return &a->list[i];
  return NULL;
}

const char *hf_arg_str(const hf_args *a, const char *name, uint32_t index) {
  const struct hf_param *p = a && name ? param_of(a->task, name) : NULL;
  if (!p) return NULL;
  const struct value *v = given(a, p, index);
  if (v) return v->text;
  return index == 0 ? absent_value(p) : NULL;
}

uint32_t hf_arg_count(const hf_args *a, const char *name) {
  const struct hf_param *p = a && name ? param_of(a->task, name) : NULL;
  uint32_t n = 0;
  for (uint32_t i = 0; p && i < a->count; i++) n += a->list[i].param == p;
  return n || !p ? n : absent_value(p) != NULL;
}

static bool whole_number(const char *s, int64_t *out) {
  char *end;
  errno = 0;
  long long v = strtoll(s, &end, 10);
  if (end == s || *end || errno || s[0] == ' ') return false;
  *out = v;
  return true;
}

static bool truth(const char *s, int64_t *out) {
  static const char *const words[] = {"0", "false", "no", "off", "n", "f", "1", "true", "yes", "on", "y", "t"};
  for (size_t i = 0; i < HF_COUNT(words); i++)
    if (strcasecmp(s, words[i]) == 0) {
      *out = i >= HF_COUNT(words) / 2;
      return true;
    }
  return false;
}

int32_t hf_arg_int(const hf_args *a, const char *name, int64_t *out) {
  const struct hf_param *p = a && name ? param_of(a->task, name) : NULL;
  *out = 0;
  const char *s = p ? hf_arg_str(a, name, 0) : NULL;
  if (!s) return 0;
  return p->type == HF_P_BOOL ? truth(s, out) : whole_number(s, out);
}

/* ---- checks ---- */

static bool in_list(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *c = list; *c;) {
    size_t len = strcspn(c, ",");
    if (len == n && strncmp(c, word, n) == 0) return true;
    c += len + (c[len] == ',');
  }
  return false;
}

static hf_status check_value(hf_call *c, const struct hf_param *p, const char *s) {
  int64_t n;
  char *end;
  const char *shown = p->flags & HF_PF_SECRET ? "..." : s;
  switch (p->type) {
    case HF_P_INT:
      if (whole_number(s, &n)) return HF_OK;
      return hf_call_failf(c, HF_EINVAL, "%s: '%.200s' is not a valid integer.", p->name, shown);
    case HF_P_BOOL:
      if (truth(s, &n)) return HF_OK;
      return hf_call_failf(c, HF_EINVAL, "%s: '%.200s' is not a valid boolean.", p->name, shown);
    case HF_P_FLOAT:
      (void)strtod(s, &end);
      if (end != s && !*end) return HF_OK;
      return hf_call_failf(c, HF_EINVAL, "%s: '%.200s' is not a valid float.", p->name, shown);
    case HF_P_CHOICE:
      if (!p->choices || in_list(p->choices, s)) return HF_OK;
      return hf_call_failf(c, HF_EINVAL, "%s: '%.200s' is not one of %.200s.", p->name, shown, p->choices);
    default: return HF_OK;
  }
}

hf_status hf_args_check(hf_call *c, const hf_args *a) {
  const struct hf_task *t = a->task;
  for (uint32_t i = 0; i < t->params.count; i++) {
    const struct hf_param *p = (const void *)((const uint8_t *)t->params.rows + (size_t)i * t->params.stride);
    const char *s = hf_arg_str(a, p->name, 0);
    if (!s && (p->flags & HF_PF_REQUIRED)) return hf_call_failf(c, HF_EINVAL, "%s: missing %s.", t->name, p->name);
    for (uint32_t k = 0; s; s = hf_arg_str(a, p->name, ++k)) TRY(check_value(c, p, s));
  }
  return HF_OK;
}

/* ---- arguments from JSON ---- */

struct json {
  hf_call *call;
  const char *at;
};

static hf_status bad(struct json *j, const char *what) {
  return hf_call_failf(j->call, HF_EINVAL, "The arguments are not a JSON object as expected: %s.", what);
}

static void blank(struct json *j) {
  j->at += strspn(j->at, " \t\r\n");
}

static bool eat(struct json *j, char c) {
  blank(j);
  if (*j->at != c) return false;
  j->at++;
  return true;
}

static bool hex4(const char *s, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; i++) {
    char c = s[i];
    uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                        : 16;
    if (d > 15) return false;
    *out = *out << 4 | d;
  }
  return true;
}

static size_t put_utf8(char *out, uint32_t u) {
  size_t n = u < 0x80 ? 1 : u < 0x800 ? 2 : u < 0x10000 ? 3 : 4;
  static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 1; u >>= 6) out[i] = (char)(0x80 | (u & 0x3f));
  out[0] = (char)(lead[n] | u);
  return n;
}

/* After the backslash; writes at most 4 bytes. 0: no such escape. */
static size_t escape(struct json *j, char *out) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char c = *j->at++;
  const char *simple = c ? strchr(from, c) : NULL;
  if (simple) {
    *out = to[simple - from];
    return 1;
  }
  uint32_t u, low;
  if (c != 'u' || !hex4(j->at, &u)) return 0;
  j->at += 4;
  if (u >= 0xd800 && u < 0xdc00) {
    if (j->at[0] != '\\' || j->at[1] != 'u' || !hex4(j->at + 2, &low) || low < 0xdc00 || low > 0xdfff) return 0;
    j->at += 6;
    u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
  } else if (!u || (u >= 0xdc00 && u < 0xe000)) {
    return 0;
  }
  return put_utf8(out, u);
}

/* The string behind an opening quote, decoded; ours to free. Decoding never makes it longer. */
static hf_status string(struct json *j, char **out) {
  size_t raw = 0;
  while (j->at[raw] && j->at[raw] != '"') raw += j->at[raw] == '\\' && j->at[raw + 1] ? 2 : 1;
  if (!j->at[raw]) return bad(j, "a string has no end");
  const char *end = j->at + raw;
  char *s = hf_mem_alloc(raw + 1);
  size_t n = 0;
  if (!s) return HF_ENOMEM;
  bool good = true;
  while (good && j->at < end) {
    if ((unsigned char)*j->at < 0x20) break;
    if (*j->at != '\\') {
      s[n++] = *j->at++;
      continue;
    }
    j->at++;
    size_t more = escape(j, s + n);
    good = more > 0;
    n += more;
  }
  if (!good || j->at != end) {
    hf_mem_free(s);
    return bad(j, "a string has a character or escape that is not allowed");
  }
  j->at++;
  *out = s;
  return HF_OK;
}

static const char *digits(const char *s) {
  return s + strspn(s, "0123456789");
}

static bool is_number(const char *s) {
  if (*s == '-') s++;
  const char *end = digits(s);
  if (end == s || (s[0] == '0' && end > s + 1)) return false;
  if (*end == '.') {
    s = end + 1;
    if ((end = digits(s)) == s) return false;
  }
  if (*end == 'e' || *end == 'E') {
    s = end + 1 + (end[1] == '+' || end[1] == '-');
    if ((end = digits(s)) == s) return false;
  }
  return !*end;
}

/* A number or word as it stands. */
static hf_status scalar(struct json *j, char **out) {
  size_t n = strcspn(j->at, ",]} \t\r\n");
  char text[64];
  if (!n || n >= sizeof text) return bad(j, "a value is neither string nor number nor word");
  memcpy(text, j->at, n);
  text[n] = 0;
  if (!is_number(text) && strcmp(text, "true") != 0 && strcmp(text, "false") != 0 && strcmp(text, "null") != 0)
    return bad(j, "a value is neither string nor number nor word");
  j->at += n;
  *out = NULL;
  if (strcmp(text, "null") == 0) return HF_OK;
  *out = hf_mem_dup(text, n);
  return *out ? HF_OK : HF_ENOMEM;
}

/* The text of a whole value, for parameters that take JSON. What it means is the task's affair; here only its end. */
static hf_status raw(struct json *j, char **out) {
  const char *from = j->at;
  char open[JSON_DEPTH_MAX];
  unsigned depth = 0;
  do {
    char c = *j->at;
    if (!c) return bad(j, "a value has no end");
    if (c == '"') {
      char *s;
      j->at++;
      TRY(string(j, &s));
      hf_mem_free(s);
      continue;
    }
    if (c == '{' || c == '[') {
      if (depth == JSON_DEPTH_MAX) return bad(j, "a value is nested too deep");
      open[depth++] = c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (open[--depth] != c) return bad(j, "brackets do not match");
    }
    j->at++;
  } while (depth);
  *out = hf_mem_dup(from, (size_t)(j->at - from));
  return *out ? HF_OK : HF_ENOMEM;
}

static hf_status one(struct json *j, hf_args *a, const struct hf_param *p) {
  char *text = NULL;
  blank(j);
  bool nested = *j->at == '{' || *j->at == '[';
  if (nested && p->type != HF_P_JSON) return bad(j, "a value is nested too deep");
  if (*j->at == '"') {
    j->at++;
    TRY(string(j, &text));
  } else {
    TRY(nested ? raw(j, &text) : scalar(j, &text));
  }
  return text ? add_text(a, p, text) : HF_OK;
}

static hf_status member(struct json *j, hf_args *a) {
  char *name = NULL;
  if (!eat(j, '"')) return bad(j, "a name is missing");
  TRY(string(j, &name));
  const struct hf_param *p = param_of(a->task, name);
  hf_status st = HF_OK;
  if (!p) st = hf_call_failf(j->call, HF_EINVAL, "%s has no parameter \"%.64s\".", a->task->name, name);
  hf_mem_free(name);
  TRY(st);
  if (!eat(j, ':')) return bad(j, "a colon is missing");
  blank(j);
  if (*j->at != '[' || !(p->flags & HF_PF_REPEAT)) return one(j, a, p);
  j->at++;
  if (eat(j, ']')) return HF_OK;
  do TRY(one(j, a, p));
  while (eat(j, ','));
  return eat(j, ']') ? HF_OK : bad(j, "an array has no end");
}

static hf_status members(struct json *j, hf_args *a) {
  blank(j);
  if (!*j->at) return HF_OK;
  if (!eat(j, '{')) return bad(j, "it does not begin with a brace");
  if (!eat(j, '}')) {
    do TRY(member(j, a));
    while (eat(j, ','));
    if (!eat(j, '}')) return bad(j, "it has no end");
  }
  blank(j);
  return *j->at ? bad(j, "something follows it") : HF_OK;
}

hf_status hf_args_read(hf_call *c, const struct hf_task *t, const char *json, hf_args **out) {
  struct json j = {c, json ? json : ""};
  hf_args *a = hf_args_new(t);
  hf_status st = a ? members(&j, a) : HF_ENOMEM;
  if (st == HF_ENOMEM) hf_call_failf(c, HF_ENOMEM, "%s: out of memory.", t->name);
  if (st == HF_OK)
    *out = a;
  else
    hf_args_free(a);
  return st;
}

/* ---- running ---- */

hf_status hf_record(hf_out *o, uint32_t what, const char *json, size_t len) {
  if (!o || !o->record) return HF_OK;
  if (what < HF_OUT_ITEM || what > HF_OUT_NOTE || !json) return HF_EABI;
  return o->record(o->arg, what, json, len == SIZE_MAX ? strlen(json) : len) ? HF_ECANCELED : HF_OK;
}

hf_status hf_ask(hf_out *o, uint32_t what, const char *prompt, char *answer, size_t room) {
  hf_call *c = o ? o->call : NULL;
  const struct hf_watch *w = c ? c->watch : NULL;
  if (!c) return HF_EINVAL;
  if (what < HF_ASK_CONFIRM || what > HF_ASK_CHOICE || !prompt || (what != HF_ASK_CONFIRM && (!answer || !room)))
    return hf_call_failf(c, HF_EABI, "A task asked for something that cannot be asked; its pack has a bug.");
  TRY(hf_call_check(c));
  hf_status st = HF_EINVAL;
  if (w && w->ask) {
    pthread_mutex_lock(c->watch_lock);
    st = w->ask(w->arg, what, prompt, answer, room);
    pthread_mutex_unlock(c->watch_lock);
  }
  if (st == HF_OK) return HF_OK;
  char message[1024] = "Aborted!";
  struct hf_error e = {.struct_size = sizeof e, .code = st, .cls = "Abort", .message = message};
  if (st == HF_EINVAL) {
    snprintf(message, sizeof message, "%s %s", prompt,
             what == HF_ASK_CONFIRM ? "Use --yes to skip confirmation." : "Give the answer as an option instead.");
    e.cls = "ConfirmationError";
  }
  return hf_call_fail(c, &e);
}

hf_status hf_task_get(hf_call *c, const char *name, const struct hf_task **out) {
  *out = name ? hf_task_find(c->rt, name) : NULL;
  if (*out) return HF_OK;
  return hf_call_failf(c, HF_ENOTFOUND, "There is no task \"%.96s\": `hf commands` shows what there is.",
                       name ? name : "");
}

hf_status hf_task_run(hf_call *c, const struct hf_task *t, const hf_args *a, hf_out *out) {
  TRY(hf_args_check(c, a));
  struct hf_slot_module *s = hf_registry_pack(c->rt, t);
  if (!s) return hf_call_failf(c, HF_EINVAL, "The task %s belongs to no open pack of this runtime.", t->name);
  const struct hf_tasks *pack = (const struct hf_tasks *)s->m;
  if (!t->run && !pack->run_row) {
    s = hf_registry_runner(c->rt);
    pack = s ? (const struct hf_tasks *)s->m : NULL;
    if (!pack) return hf_call_failf(c, HF_ENOSYS, "Nothing here can run the task %s.", t->name);
  }
  TRY(hf_slot_ready(c, s));
  struct hf_guard g;
  hf_guard_in(&g, c, s, NULL);
  hf_status st = t->run ? t->run(c, s->state, a, out) : pack->run_row(c, s->state, t, a, out);
  hf_guard_out(&g, c);
  return st;
}

hf_status hf_task_call(hf_call *c, const char *name, const char *json_args, hf_out *out) {
  static _Thread_local unsigned depth;
  const struct hf_task *t;
  hf_args *a;
  if (depth >= DEPTH_MAX) return hf_call_failf(c, HF_EINTERNAL, "Tasks call each other without end (%.96s).", name);
  TRY(hf_task_get(c, name, &t));
  TRY(hf_args_read(c, t, json_args, &a));
  depth++;
  hf_status st = hf_task_run(c, t, a, out);
  depth--;
  hf_args_free(a);
  return st;
}
