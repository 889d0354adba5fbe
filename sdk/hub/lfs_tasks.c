/* lfs_tasks.c - for git-lfs: hf lfs-enable-largefiles tells a clone to send files of many parts through this program, and
 * hf lfs-multipart-upload is what git-lfs then runs: requests and answers as lines of JSON on stdin and stdout, the bytes by
 * the same adapters as every other upload. */
#include "commit.h"

#include <errno.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { LINE_LONGEST = 64 << 20 };

/* ---- enable --------------------------------------------------------------------------------------------------------------- */

static hf_status git_config(hf_call *c, const char *folder, const char *key, const char *value) {
  const char *const argv[] = {"git", "-C", folder, "config", key, value, NULL};
  pid_t pid;
  int status = 0, err = posix_spawnp(&pid, "git", NULL, NULL, (char *const *)(uintptr_t)argv, environ);
  if (err) return hf_hub_fail(c, HF_EIO, NULL, "git cannot be run: %s. Install it.", strerror(err));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return HF_OK;
  return hf_hub_fail(c, HF_EIO, "CLIError", "git could not set %s in '%s'; is that a git repo?", key, folder);
}

static hf_status run_enable(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct stat st;
  const char *path = hf_hub_path(c, hf_host()->arg_str(args, "path", 0));
  (void)state;
  if (!path) return HF_ENOMEM;
  if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "This does not look like a valid git repo.");
  TRY(git_config(c, path, "lfs.customtransfer.multipart.path", "hf"));
  TRY(git_config(c, path, "lfs.customtransfer.multipart.args", "lfs-multipart-upload"));
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Local repo set up for largefiles"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "path", path));
}

/* ---- the agent -------------------------------------------------------------------------------------------------------------- */

struct agent {
  struct hf_hub *hub;
  hf_out *out;
  char *text; /* read, not yet used */
  size_t len, room, at;
};

/* One file that git-lfs wants sent. */
struct errand {
  struct agent *a;
  hf_call *call;
  const char *oid, *path;
  uint64_t size;
  _Atomic uint64_t sent;
  const json_t *action;
  struct hf_hub_target target;
};

/* Compact would be read as well; the reference writes Python's spacing. */
static hf_status answer(struct agent *a, hf_call *c, json_t *message) {
  char *text = message ? json_dumps(message, 0) : NULL;
  json_decref(message);
  const char *line = text ? hf_hub_text(c, "%s\n", text) : NULL;
  free(text);
  return line ? hf_host()->record(a->out, HF_OUT_BYTES, line, strlen(line)) : HF_ENOMEM;
}

static hf_status progress(struct errand *e, hf_call *c, uint64_t so_far, uint64_t since) {
  return answer(e->a, c,
                json_pack("{s:s, s:s, s:I, s:I}", "event", "progress", "oid", e->oid, "bytesSoFar", (json_int_t)so_far,
                          "bytesSinceLast", (json_int_t)since));
}

/* The next line of stdin, NUL-terminated; *line NULL at the end. */
static hf_status read_line(struct agent *a, char **line) {
  hf_call *c = a->hub->call;
  *line = NULL;
  memmove(a->text, a->text + a->at, a->len - a->at);
  a->len -= a->at;
  a->at = 0;
  for (size_t looked = 0;;) {
    char *end = a->len > looked ? memchr(a->text + looked, '\n', a->len - looked) : NULL;
    if (end) {
      *end = 0;
      *line = a->text;
      a->at = (size_t)(end - a->text) + 1;
      return HF_OK;
    }
    looked = a->len;
    if (a->room - a->len < 4096) {
      size_t room = a->room * 2 + 65536;
      char *more = room <= LINE_LONGEST ? realloc(a->text, room) : NULL;
      if (!more) return hf_hub_fail(c, HF_EPROTO, NULL, "git-lfs sent a message that is too long.");
      a->text = more;
      a->room = room;
    }
    TRY(hf_host()->check(c));
    ssize_t n = read(STDIN_FILENO, a->text + a->len, a->room - a->len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hf_hub_fail(c, HF_EIO, NULL, "stdin cannot be read: %s.", strerror(errno));
    if (n == 0) return HF_OK;
    a->len += (size_t)n;
  }
}

static hf_status read_message(struct agent *a, json_t **message) {
  char *line;
  *message = NULL;
  TRY(read_line(a, &line));
  return line ? hf_hub_parse(a->hub->call, line, strlen(line), "stdin", message) : HF_OK;
}

static hf_status on_open(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, struct hf_source **out) {
  struct errand *e = arg;
  (void)f, (void)i;
  TRY(hf_source_file(c, e->path, 0, NULL, out, NULL));
  if ((*out)->size == e->size) return HF_OK;
  (*out)->close(*out);
  return hf_hub_fail(c, HF_ECONFLICT, NULL, "%s has not the size that git-lfs announced.", e->path);
}

static hf_status on_part(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, uint32_t part) {
  struct errand *e = arg;
  uint64_t n = e->target.parts[part].len;
  (void)f, (void)i;
  return progress(e, c, atomic_fetch_add(&e->sent, n) + n, n);
}

static hf_status send_one(struct errand *e) {
  hf_call *c = e->call;
  json_t *object = json_pack("{s:{s:O}}", "actions", "upload", e->action);
  hf_status st = object ? hf_hub_target_read(e->a->hub, c, object, e->size, &e->target) : HF_ENOMEM;
  json_decref(object);
  TRY(st);
  struct hf_send_file file = {.struct_size = sizeof file,
                              .path = e->path,
                              .url = e->target.url,
                              .complete_url = e->target.complete_url,
                              .headers = HF_TABLE_N(e->target.headers, e->target.header_count),
                              .parts = HF_TABLE_N(e->target.parts, e->target.part_count),
                              .etags = e->target.part_count ? e->target.etags : NULL,
                              .size = e->size};
  file.digest = (struct hf_digest){.algo = HF_DIGEST_SHA256, .len = 32};
  for (int i = 0; i < 32; i++) {
    unsigned byte;
    if (sscanf(e->oid + 2 * i, "%2x", &byte) != 1) return HF_EINVAL;
    file.digest.bytes[i] = (uint8_t)byte;
  }
  struct hf_send s = {.struct_size = sizeof s,
                      .repo = {"model", "git/lfs"},
                      .endpoint = e->a->hub->endpoint,
                      .width = 1,
                      .files = &file,
                      .count = 1,
                      .arg = e,
                      .open = on_open,
                      .part = on_part};
  return hf_send(c, &s);
}

static hf_status serve_one(hf_call *c, void *arg) {
  struct errand *e = arg;
  e->call = c;
  TRY(progress(e, c, 1, 0)); /* lets git-lfs start the next one */
  return send_one(e);
}

/* Every file is an operation of its own: its memory ends with it. */
static hf_status serve(struct agent *a, json_t *message) {
  hf_call *c = a->hub->call;
  json_t *size = json_object_get(message, "size");
  struct errand e = {.a = a, .oid = hf_hub_get(message, "oid"), .path = hf_hub_get(message, "path")};
  if (!hf_hub_is_hex(e.oid, 64) || !e.path || !json_is_integer(size) || json_integer_value(size) < 0)
    return hf_hub_fail(c, HF_EPROTO, NULL, "git-lfs sent a request without oid, size or path.");
  e.size = (uint64_t)json_integer_value(size);
  e.action = json_object_get(message, "action");
  struct hf_watch watch = {.struct_size = sizeof watch, .flags = HF_WATCH_RUN_IN_WAIT};
  hf_op *op = hf_op_start_fn(hf_call_runtime(c), serve_one, &e, &watch);
  if (!op) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_op_wait(op);
  const struct hf_error *error = hf_op_error(op);
  json_t *done = json_pack("{s:s, s:s}", "event", "complete", "oid", e.oid);
  if (st != HF_OK)
    json_object_set_new(done, "error",
                        json_pack("{s:i, s:s}", "code", error && error->http_status ? (int)error->http_status : 1,
                                  "message", error && error->message ? error->message : "the upload failed"));
  hf_op_free(op);
  return answer(a, c, done);
}

static hf_status converse(struct agent *a) {
  hf_call *c = a->hub->call;
  json_t *message;
  TRY(read_message(a, &message));
  const char *event = hf_hub_get(message, "event"), *operation = hf_hub_get(message, "operation");
  bool right = event && operation && !strcmp(event, "init") && !strcmp(operation, "upload");
  json_decref(message);
  if (!right) {
    TRY(answer(a, c, json_pack("{s:{s:i, s:s}}", "error", "code", 32, "message", "Wrong lfs init operation")));
    return hf_hub_fail(c, HF_EPROTO, NULL, "git-lfs asked for something else than an upload.");
  }
  TRY(answer(a, c, json_object()));
  for (;;) {
    TRY(read_message(a, &message));
    if (!message) return HF_OK;
    event = hf_hub_get(message, "event");
    hf_status st = HF_OK;
    bool end = event && !strcmp(event, "terminate");
    if (event && !strcmp(event, "upload"))
      st = serve(a, message);
    else if (!end)
      st = hf_hub_fail(c, HF_EPROTO, NULL, "git-lfs sent a message that is not understood.");
    json_decref(message);
    if (end || st != HF_OK) return st;
  }
}

static hf_status run_agent(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct agent a = {.hub = &hub, .out = out};
  (void)state, (void)args;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  a.room = 65536;
  a.text = malloc(a.room);
  if (!a.text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = converse(&a);
  free(a.text);
  return st;
}

static const struct hf_param enable_params[] = {{.name = "path",
                                                 .help = "Folder of the git repo.",
                                                 .value_name = "PATH",
                                                 .type = HF_P_STR,
                                                 .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED}};

static const struct hf_task rows[] = {
    {.name = "lfs-enable-largefiles",
     .summary = "Configure your repository to enable upload of files > 5GB.",
     .help = "git-lfs then sends such files in parts, through this program.",
     .params = HF_TABLE(enable_params),
     .flags = HF_TK_HIDDEN,
     .run = run_enable},
    {.name = "lfs-multipart-upload",
     .summary = "Internal git-lfs custom transfer agent for multipart uploads.",
     .help = "Run by git-lfs in repos that `hf lfs-enable-largefiles` prepared.",
     .flags = HF_TK_HIDDEN | HF_TK_NETWORK | HF_TK_STREAMS,
     .run = run_agent},
};

const struct hf_tasks hf_hub_tasks_lfs = HF_HUB_TASKS("hub-lfs", "Large files of git repos", HF_TABLE(rows));
