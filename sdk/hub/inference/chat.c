/* chat.c - `hf inference chat`: a conversation in the terminal, with history and /commands.
 * Without a terminal it is one prompt: --text, or what stdin holds.
 * An answer that fails, or that Ctrl-C ends, leaves the conversation as it was before the question. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"

#define LINE_MAX_ 16384

static const char *const help =
    "/clear     forget the conversation\n"
    "/system X  begin anew with X as what the model is told first\n"
    "/undo      forget the last question and answer\n"
    "/retry     ask the last question again\n"
    "/history   show the conversation\n"
    "/save F    write the conversation to the file F, as JSON\n"
    "/load F    go on with the conversation in the file F\n"
    "/help      this list\n"
    "@picture   in a line: a file or URL to look at, as in: What is this? @cat.png\n"
    "/exit      end (or Ctrl-D); Ctrl-C ends an answer\n";

struct chat {
  hf_call *c;
  hf_out *out;
  const hf_args *args;
  json_t *messages;
};

static hf_status show(struct chat *k, const char *text) {
  return text ? hf_host()->record(k->out, HF_OUT_BYTES, text, strlen(text)) : HF_ENOMEM;
}

static void say(json_t *messages, const char *role, const char *text) {
  json_array_append_new(messages, json_pack("{s:s,s:s}", "role", role, "content", text));
}

static hf_status save(struct chat *k, const char *path) {
  path = hf_hub_path(k->c, path);
  bool bad = !path || json_dump_file(k->messages, path, JSON_INDENT(2)) != 0;
  return show(k, bad ? "It could not be written.\n" : "Saved.\n");
}

static hf_status load(struct chat *k, const char *path) {
  path = hf_hub_path(k->c, path);
  json_t *j = path ? json_load_file(path, 0, NULL) : NULL, *m;
  bool fine = json_is_array(j);
  size_t i;
  json_array_foreach(j, i, m) fine = fine && hf_hub_get(m, "role") && json_object_get(m, "content");
  if (fine) {
    json_decref(k->messages);
    k->messages = json_incref(j);
  }
  json_decref(j);
  return show(k, fine ? "Loaded.\n" : "That file holds no conversation.\n");
}

static hf_status history(struct chat *k) {
  json_t *m, *part;
  size_t i, n;
  json_array_foreach(k->messages, i, m) {
    const char *role = hf_hub_get(m, "role"), *text = hf_hub_get(m, "content");
    TRY(show(k, hf_hub_text(k->c, "%s: %s", role ? role : "?", text ? text : "")));
    json_array_foreach(json_object_get(m, "content"), n, part) {
      const char *said = hf_hub_get(part, "text");
      TRY(show(k, said ? said : " [picture]"));
    }
    TRY(show(k, "\n"));
  }
  return HF_OK;
}

/* ---- an answer ------------------------------------------------------------------------------------------------------------ */

static hf_op *volatile answering;

static void on_interrupt(int sig) {
  int before = errno;
  hf_op *op = answering;
  (void)sig;
  if (op) hf_op_cancel(op);
  errno = before;
}

static void on_cancel(void *op) {
  hf_op_cancel(op);
}

static hf_status turn(hf_call *c, void *arg) {
  struct chat *k = arg;
  return inf_chat_turn(c, k->args, k->messages, k->out);
}

/* An operation of its own: Ctrl-C ends it, and nothing else. */
static hf_status answer(struct chat *k) {
  struct hf_kv options[] = {{"HF_OUTPUT_FORMAT", hf_host()->option(k->c, "HF_OUTPUT_FORMAT")},
                            {"hub.library", hf_host()->option(k->c, "hub.library")}};
  struct hf_watch w = {.struct_size = sizeof w, .flags = HF_WATCH_RUN_IN_WAIT, .options = HF_TABLE(options)};
  hf_op *op = hf_op_start_fn(hf_call_runtime(k->c), turn, k, &w);
  if (!op) return hf_hub_fail(k->c, HF_ENOMEM, NULL, "Out of memory.");
  struct sigaction act, before;
  hf_hook *hook = NULL;
  memset(&act, 0, sizeof act);
  act.sa_handler = on_interrupt;
  answering = op;
  hf_status st = hf_host()->on_cancel(k->c, on_cancel, op, &hook);
  sigaction(SIGINT, &act, &before);
  if (st == HF_OK) st = hf_op_wait(op);
  sigaction(SIGINT, &before, NULL);
  answering = NULL;
  if (hook) hf_host()->off_cancel(hook);
  if (st == HF_ECANCELED && hf_host()->check(k->c) == HF_OK)
    hf_hub_fail(k->c, st, "KeyboardInterrupt", "The answer was ended.");
  else if (hf_op_error(op))
    hf_host()->fail(k->c, hf_op_error(op));
  hf_op_free(op);
  return st;
}

/* ---- commands -------------------------------------------------------------------------------------------------------------- */

/* Whether the last message is by `role`. */
static bool last_is(const struct chat *k, const char *role) {
  size_t n = json_array_size(k->messages);
  const char *by = n ? hf_hub_get(json_array_get(k->messages, n - 1), "role") : NULL;
  return by && !strcmp(by, role);
}

static void drop_last(struct chat *k) {
  json_array_remove(k->messages, json_array_size(k->messages) - 1);
}

/* The last answer, then the last question; what the model was told first stays. */
static void undo(struct chat *k) {
  if (last_is(k, "assistant")) drop_last(k);
  if (last_is(k, "user")) drop_last(k);
}

/* The last question once more. When that fails, the old answer stays. */
static hf_status retry(struct chat *k) {
  json_t *old =
      last_is(k, "assistant") ? json_incref(json_array_get(k->messages, json_array_size(k->messages) - 1)) : NULL;
  if (old) drop_last(k);
  hf_status st = last_is(k, "user") ? answer(k) : show(k, "Nothing was asked yet.\n");
  if (old && (st != HF_OK || !last_is(k, "assistant"))) json_array_append(k->messages, old);
  json_decref(old);
  return st;
}

/* True: the line was a command. */
static bool command(struct chat *k, const char *line, hf_status *st, bool *end) {
  *st = HF_OK;
  if (*line != '/') return false;
  if (!strcmp(line, "/exit") || !strcmp(line, "/quit")) {
    *end = true;
  } else if (!strcmp(line, "/clear")) {
    json_array_clear(k->messages);
  } else if (!strncmp(line, "/system ", 8)) {
    json_array_clear(k->messages);
    say(k->messages, "system", line + 8);
  } else if (!strcmp(line, "/undo")) {
    undo(k);
  } else if (!strncmp(line, "/save ", 6)) {
    *st = save(k, line + 6);
  } else if (!strncmp(line, "/load ", 6)) {
    *st = load(k, line + 6);
  } else if (!strcmp(line, "/history")) {
    *st = history(k);
  } else if (!strcmp(line, "/retry")) {
    *st = retry(k);
  } else {
    *st = show(k, help);
  }
  return true;
}

static hf_status ask_line(struct chat *k, const char *line) {
  json_t *message;
  TRY(inf_chat_line(k->c, line, &message));
  json_array_append_new(k->messages, message);
  return answer(k);
}

static hf_status talk(struct chat *k) {
  char line[LINE_MAX_];
  hf_status st = HF_OK;
  bool end = false;
  while (!end) {
    st = hf_host()->ask(k->out, HF_ASK_LINE, "> ", line, sizeof line);
    if (st != HF_OK) break;
    if (!*line) continue;
    size_t before = json_array_size(k->messages);
    if (!command(k, line, &st, &end)) st = ask_line(k, line);
    const struct hf_error *e = hf_host()->error(k->c);
    if (st == HF_OK) continue;
    if (hf_host()->check(k->c) != HF_OK || !e) return st;
    char text[2048];
    hf_hub_error_text(e, text, sizeof text);
    hf_host()->clear(k->c);
    TRY(show(k, hf_hub_text(k->c, "Error: %s\n", text)));
    while (json_array_size(k->messages) > before) json_array_remove(k->messages, json_array_size(k->messages) - 1);
  }
  if (st == HF_ECANCELED && hf_host()->check(k->c) == HF_OK) { /* the end of the input */
    hf_host()->clear(k->c);
    return show(k, "\n");
  }
  return st;
}

hf_status inf_task_chat(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  const char *text = hf_host()->arg_str(args, "text", 0), *given = hf_host()->arg_str(args, "messages", 0);
  struct chat k = {.c = c, .out = out, .args = args, .messages = json_array()};
  const char *pictures[16];
  uint32_t n = hf_host()->arg_count(args, "image");
  if (n > HF_COUNT(pictures)) n = HF_COUNT(pictures);
  for (uint32_t i = 0; i < n; i++) pictures[i] = hf_host()->arg_str(args, "image", i);
  bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !inf_wants_json(c);
  hf_status st = HF_OK;
  if (!text && !given && terminal) {
    st = talk(&k);
  } else if (given || (text && !n)) {
    st = n ? hf_hub_fail(c, HF_EINVAL, "UsageError", "Pictures of --messages are parts of its messages: drop --image.")
           : inf_task_run(c, "conversational", args, out);
  } else {
    size_t len = text ? strlen(text) : 0;
    const char *prompt = text;
    json_t *message = NULL;
    if (!text) st = inf_read(c, "-", &prompt, &len);
    while (st == HF_OK && len && prompt[len - 1] == '\n') len--;
    if (st == HF_OK && !len) st = hf_hub_fail(c, HF_EINVAL, "UsageError", "There is no prompt: stdin is empty.");
    if (st == HF_OK) st = inf_chat_message(c, prompt, len, pictures, n, &message);
    if (st == HF_OK) json_array_append_new(k.messages, message);
    if (st == HF_OK) st = turn(c, &k);
  }
  json_decref(k.messages);
  return st;
}
