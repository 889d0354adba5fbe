/* command.c - `hf inference`: options become a call, its result becomes output.
 * Media goes to a file that appears when it is whole, or to stdout; records as JSON, or as what people read.
 * Options that a task declares are arguments of the call; they are stronger than the same names in --args. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "infer.h"
#include "output.h"

#define STDIN_MAX (64u << 20)

static const char *str(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

static bool flag(const hf_args *args, const char *name) {
  int64_t v = 0;
  return hf_host()->arg_int(args, name, &v) && v;
}

static uint32_t milliseconds(const hf_args *args, const char *name) {
  const char *s = str(args, name);
  double v = s ? strtod(s, NULL) * 1000 : 0;
  return v > 0 ? (v < 4e9 ? (uint32_t)v + (v < 1) : UINT32_MAX) : 0;
}

bool inf_wants_json(hf_call *c) {
  const char *mode = hf_hub_setting(c, "HF_OUTPUT_FORMAT");
  return mode && !strcmp(mode, "json");
}

/* ---- what is said in files and on stdin ------------------------------------------------------------------------------------ */

hf_status inf_read(hf_call *c, const char *path, const char **out, size_t *len) {
  int fd = STDIN_FILENO;
  const char *full = path;
  if (strcmp(path, "-")) {
    full = hf_hub_path(c, path);
    fd = full ? open(full, O_RDONLY | O_CLOEXEC) : -1;
  }
  char *data = NULL;
  size_t n = 0, cap = 0;
  ssize_t got = fd < 0 ? -1 : 1;
  while (got > 0) {
    if (n == cap) {
      cap = cap ? cap * 2 : 65536;
      char *more = cap <= STDIN_MAX ? realloc(data, cap) : NULL;
      if (!more) break;
      data = more;
    }
    got = read(fd, data + n, cap - n);
    if (got > 0) n += (size_t)got;
  }
  int err = errno;
  if (fd > STDIN_FILENO) close(fd);
  *out = got == 0 ? hf_host()->intern(c, data ? data : "", n) : NULL;
  *len = n;
  free(data);
  if (*out) return HF_OK;
  return hf_hub_fail(c, HF_ENOTFOUND, "FileNotFoundError", "%s cannot be read: %s.", full ? full : path,
                     got < 0 ? strerror(err) : "it is larger than 64 MiB");
}

/* JSON, or @FILE with JSON. New reference. */
static hf_status document(hf_call *c, const char *option, const char *text, json_t **out) {
  const char *from = text;
  size_t len = strlen(text);
  json_error_t why;
  if (*text == '@') TRY(inf_read(c, text + 1, &from, &len));
  *out = json_loadb(from, len, JSON_DECODE_ANY, &why);
  if (*out) return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '%s': it is not JSON (%s).", option, why.text);
}

/* ---- options -> arguments -------------------------------------------------------------------------------------------------- */

static bool is_option(const char *name) { /* of the command, not of the call */
  static const char *const names[] = {
      "model",      "provider", "base_url", "api_key_env", "bill_to",  "timeout", "header",
      "extra_body", "args",     "text",     "file",        "messages", "stream",  "first_token_timeout",
      "output",     "show",     "task",     "image",       "deadline"};
  for (size_t i = 0; i < HF_COUNT(names); i++)
    if (!strcmp(names[i], name)) return true;
  return false;
}

static hf_status typed(hf_call *c, const hf_args *args, const struct hf_param *p, json_t *into) {
  uint32_t n = hf_host()->arg_count(args, p->name);
  const char *s = str(args, p->name);
  int64_t i = 0;
  json_t *v = NULL;
  if (!n || !s) return HF_OK;
  if (p->flags & HF_PF_REPEAT) {
    v = json_array();
    for (uint32_t k = 0; k < n; k++) json_array_append_new(v, json_string(hf_host()->arg_str(args, p->name, k)));
  } else if (p->type == HF_P_INT || p->type == HF_P_BOOL) {
    if (hf_host()->arg_int(args, p->name, &i)) v = p->type == HF_P_INT ? json_integer(i) : json_boolean(i);
  } else if (p->type == HF_P_FLOAT) {
    v = json_real(strtod(s, NULL));
  } else if (p->type == HF_P_JSON) {
    v = json_loads(s, JSON_DECODE_ANY, NULL);
    if (!v && (*s == '{' || *s == '[' || *s == '@')) TRY(document(c, p->name, s, &v));
    if (!v) v = json_string(s);
  } else {
    v = json_string(s);
  }
  if (!v || json_object_set_new(into, p->name, v))
    return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '--%s': it is not UTF-8.", p->name);
  return HF_OK;
}

static hf_status set_text(hf_call *c, const char *task, const char *name, const char *text, json_t *into) {
  size_t len;
  if (!strcmp(text, "-")) {
    TRY(inf_read(c, "-", &text, &len));
    char *end = (char *)(uintptr_t)text + len;
    while (end > text && (end[-1] == '\n' || end[-1] == '\r')) *--end = 0;
  }
  json_t *v = json_string(text);
  if (v && name && !strcmp(name, "messages")) v = json_pack("[{s:s,s:o}]", "role", "user", "content", v);
  if (name && v && !json_object_set_new(into, name, v)) return HF_OK;
  if (name) return hf_hub_fail(c, HF_EINVAL, "UsageError", "The text is not UTF-8.");
  json_decref(v);
  return hf_hub_fail(c, HF_EINVAL, "UsageError", "%s has no text: drop --text.", task);
}

/* Makes the object of arguments; new reference in every case. */
static hf_status collect(hf_call *c, const char *task, const struct inf_task *spec, const hf_args *args, json_t **out) {
  const char *given = str(args, "args"), *text = str(args, "text"), *file = str(args, "file"),
             *messages = str(args, "messages"), *extra = str(args, "extra_body");
  json_t *v;
  *out = NULL;
  if (given) TRY(document(c, "--args", given, out));
  if (!*out) *out = json_object();
  if (!json_is_object(*out))
    return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '--args': it is no JSON object.");
  const struct hf_param *params = spec ? spec->params.rows : NULL;
  for (uint32_t i = 0; spec && i < spec->params.count; i++)
    if (!is_option(params[i].name)) TRY(typed(c, args, &params[i], *out));
  if (messages) {
    TRY(document(c, "--messages", messages, &v));
    json_object_set_new(*out, "messages", v);
  }
  const char *text_name = !spec ? "prompt" : spec->kind == INF_CHAT ? "messages" : spec->text;
  uint32_t texts = hf_host()->arg_count(args, "text");
  if (text && !(messages && spec && spec->kind == INF_CHAT)) TRY(set_text(c, task, text_name, text, *out));
  if (texts > 1 && text_name) {
    json_object_set_new(*out, text_name, v = json_array());
    for (uint32_t i = 0; i < texts; i++)
      if (json_array_append_new(v, json_string(hf_host()->arg_str(args, "text", i))))
        return hf_hub_fail(c, HF_EINVAL, "UsageError", "A text is not UTF-8.");
  }
  if (extra) {
    TRY(document(c, "--extra-body", extra, &v));
    json_t *before = json_object_get(*out, "extra_body");
    if (json_is_object(before) && json_is_object(v)) json_object_update_missing(v, before);
    json_object_set_new(*out, "extra_body", v);
  }
  if (file && strcmp(file, "-")) {
    const char *name = spec && spec->media ? spec->media : NULL;
    if (!name) return hf_hub_fail(c, HF_EINVAL, "UsageError", "%s takes no file: drop --file.", task);
    bool plain = inf_is_url(file) || !strncmp(file, "data:", 5);
    json_object_set_new(*out, name, plain ? json_string(file) : json_sprintf("@%s", file));
  }
  return HF_OK;
}

static hf_status headers(hf_call *c, const hf_args *args, struct hf_kv *rows, uint32_t room, uint32_t *n) {
  uint32_t count = hf_host()->arg_count(args, "header");
  if (count > room) return hf_hub_fail(c, HF_EINVAL, "UsageError", "At most %u headers can be given.", room);
  for (*n = 0; *n < count; ++*n) {
    const char *line = hf_host()->arg_str(args, "header", *n), *colon = strchr(line, ':');
    if (!colon || colon == line)
      return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '--header': it is not 'NAME: VALUE'.");
    rows[*n].key = hf_host()->intern(c, line, (size_t)(colon - line));
    rows[*n].value = colon + 1 + strspn(colon + 1, " ");
    if (!rows[*n].key) return HF_ENOMEM;
  }
  return HF_OK;
}

/* ---- the command ---------------------------------------------------------------------------------------------------------------- */

static hf_status run(hf_call *c, const char *task, const struct inf_task *spec, const hf_args *args, json_t *call_args,
                     hf_out *out, json_t *history) {
  struct hf_kv rows[16];
  uint32_t n = 0;
  struct inf_bytes in = {.name = spec ? spec->media : NULL};
  struct inf_output o = {.c = c,
                         .out = out,
                         .spec = spec,
                         .task = task,
                         .json = inf_wants_json(c),
                         .fd = -1,
                         .history = history,
                         .output = str(args, "output"),
                         .show = flag(args, "show")};
  TRY(headers(c, args, rows, HF_COUNT(rows), &n));
  const char *file = str(args, "file");
  bool from_stdin = file && !strcmp(file, "-");
  if (from_stdin && !in.name) return hf_hub_fail(c, HF_EINVAL, "UsageError", "%s takes no file: drop --file.", task);
  if (from_stdin) {
    const char *data;
    TRY(inf_read(c, "-", &data, &in.len));
    in.data = data;
  }
  struct inf_ask ask = {.task = task,
                        .provider = str(args, "provider"),
                        .model = str(args, "model"),
                        .base_url = str(args, "base_url"),
                        .api_key_env = str(args, "api_key_env"),
                        .bill_to = str(args, "bill_to"),
                        .headers = HF_TABLE_N(rows, n),
                        .args = call_args,
                        .media = &in,
                        .media_count = from_stdin,
                        .timeout_ms = milliseconds(args, "timeout"),
                        .first_ms = milliseconds(args, "first_token_timeout"),
                        .stream = flag(args, "stream") ||
                                  (history && !o.json && !hf_host()->arg_count(args, "stream")) ||
                                  json_is_true(json_object_get(call_args, "stream")),
                        .arg = &o,
                        .item = inf_output_item,
                        .media_out = inf_output_media};
  struct inf_answer answer = {0};
  if (milliseconds(args, "deadline")) hf_call_deadline(c, milliseconds(args, "deadline"));
  hf_status st = inf_run(c, out, &ask, &answer);
  st = inf_output_end(&o, st, &answer, ask.stream);
  inf_answer_free(&answer);
  return st;
}

hf_status inf_task_run(hf_call *c, const char *task, const hf_args *args, hf_out *out) {
  if (!task) task = str(args, "task");
  if (!task && str(args, "messages")) task = "conversational";
  if (!task && str(args, "text")) task = "text-generation";
  if (!task)
    return hf_hub_fail(c, HF_EINVAL, "UsageError",
                       "Say what to do: --task NAME, --messages for a chat, or --text for text generation.");
  if (!strcmp(task, "get-endpoint-info")) return inf_task_info(c, NULL, args, out);
  if (!strcmp(task, "health-check")) return inf_task_health(c, NULL, args, out);
  const struct inf_task *spec = inf_task_find(task);
  json_t *call_args = NULL;
  hf_status st = collect(c, task, spec, args, &call_args);
  if (st == HF_OK) st = run(c, spec ? spec->name : task, spec, args, call_args, out, NULL);
  json_decref(call_args);
  return st;
}

hf_status inf_chat_turn(hf_call *c, const hf_args *args, json_t *messages, hf_out *out) {
  const struct inf_task *spec = inf_task_find("conversational");
  json_t *call_args = NULL;
  hf_status st = collect(c, spec->name, spec, args, &call_args);
  if (st == HF_OK) json_object_set(call_args, "messages", messages);
  if (st == HF_OK) st = run(c, spec->name, spec, args, call_args, out, messages);
  json_decref(call_args);
  return st;
}
