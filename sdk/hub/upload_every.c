/* upload_every.c - hf upload --every: a commit every few minutes of the files whose time of change moved. Files may grow while
 * they are read: of each, the bytes that it had when it was found are committed.
 * Every commit is an operation of its own, so a program that runs for a year needs no more memory than one that ran once. */
#include "commit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct seen {
  char *path; /* local */
  int64_t mtime_ns;
};

struct every {
  struct hf_hub_schedule *s;
  hf_out *out;
  hf_call *call; /* that of the command */
  struct seen *seen;
  size_t count, room;
};

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct seen *)a)->path, ((const struct seen *)b)->path);
}

static struct seen *find(struct every *e, const char *path) {
  struct seen key = {.path = (char *)(uintptr_t)path};
  return e->count ? bsearch(&key, e->seen, e->count, sizeof key, by_path) : NULL;
}

static bool remember(struct every *e, const char *path, int64_t mtime_ns) {
  struct seen *have = find(e, path);
  if (have) {
    have->mtime_ns = mtime_ns;
    return true;
  }
  if (e->count == e->room) {
    size_t room = e->room ? e->room * 2 : 64;
    struct seen *more = realloc(e->seen, room * sizeof *more);
    if (!more) return false;
    e->seen = more;
    e->room = room;
  }
  char *copy = strdup(path);
  if (!copy) return false;
  size_t at = e->count++;
  while (at > 0 && strcmp(e->seen[at - 1].path, copy) > 0) {
    e->seen[at] = e->seen[at - 1];
    at--;
  }
  e->seen[at] = (struct seen){copy, mtime_ns};
  return true;
}

/* Leaves the files that changed since they were last committed, as they are now. */
static void choose(struct every *e, struct hf_hub_ops *ops) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < ops->count; i++) {
    struct hf_hub_op op = ops->rows[i];
    struct stat st;
    if (stat(op.local, &st) != 0) continue;
    op.stamp = (struct hf_stamp){.dev = (uint64_t)st.st_dev,
                                 .ino = (uint64_t)st.st_ino,
                                 .size = (uint64_t)st.st_size,
                                 .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
                                 .ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec};
    op.flags |= HF_OP_GROWS | HF_OP_STAMPED;
    const struct seen *before = find(e, op.local);
    if (!before || before->mtime_ns != op.stamp.mtime_ns) ops->rows[n++] = op;
  }
  ops->count = n;
}

static hf_status push(hf_call *c, struct every *e, struct hf_hub_commit *k) {
  TRY(hf_hub_add_folder(c, &k->ops, e->s->folder, e->s->prefix, &e->s->patterns));
  choose(e, &k->ops);
  if (!k->ops.count) return HF_OK;
  struct seen *now = calloc(k->ops.count, sizeof *now); /* what is committed is what was found now */
  if (!now) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  uint32_t count = k->ops.count;
  for (uint32_t i = 0; i < count; i++)
    now[i] = (struct seen){(char *)(uintptr_t)k->ops.rows[i].local, k->ops.rows[i].stamp.mtime_ns};
  hf_status st = hf_hub_commit_check(k);
  if (st == HF_OK) st = hf_hub_commit_run(k);
  for (uint32_t i = 0; i < count && st == HF_OK; i++)
    if (!remember(e, now[i].path, now[i].mtime_ns)) st = hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  free(now);
  return st;
}

static hf_status commit_once(hf_call *c, void *arg) {
  struct every *e = arg;
  struct hf_hub hub;
  TRY(hf_hub_begin(&hub, c, NULL, e->s->token, NULL, false));
  struct hf_hub_commit k = {.hub = &hub,
                            .repo = e->s->repo,
                            .revision = e->s->revision ? e->s->revision : "main",
                            .message = "Scheduled Commit"};
  hf_status st = push(c, e, &k);
  hf_hub_ops_free(&k.ops);
  return st;
}

static void stop(void *op) {
  hf_op_cancel(op);
}

/* A commit that fails is told of, and tried again the next time. */
static hf_status turn(struct every *e) {
  hf_hook *hook = NULL;
  struct hf_watch watch = {.struct_size = sizeof watch, .flags = HF_WATCH_RUN_IN_WAIT};
  struct hf_hub hub = {.call = e->call, .out = e->out};
  hf_hub_log(&hub, HF_LOG_INFO, "(Background) scheduled commit triggered.");
  hf_op *op = hf_op_start_fn(hf_call_runtime(e->call), commit_once, e, &watch);
  if (!op) return hf_hub_fail(e->call, HF_ENOMEM, NULL, "Out of memory.");
  hf_status hooked = hf_host()->on_cancel(e->call, stop, op, &hook), st = hf_op_wait(op);
  if (hooked == HF_OK) hf_host()->off_cancel(hook);
  const struct hf_error *error = hf_op_error(op);
  if (st != HF_OK && hf_host()->check(e->call) == HF_OK)
    hf_hub_log(&hub, HF_LOG_ERROR, "Error while pushing to Hub: %s", error && error->message ? error->message : "");
  hf_op_free(op);
  return HF_OK;
}

/* As Python writes a float. */
static const char *minutes(hf_call *c, double v) {
  char text[40];
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, v);
    if (strtod(text, NULL) == v) break;
  }
  return hf_hub_text(c, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static hf_status run(struct every *e) {
  hf_call *c = e->call;
  hf_status st = HF_OK;
  double ms = e->s->minutes * 60000;
  while (st == HF_OK) {
    TRY(turn(e));
    for (double left = ms; left > 0 && st == HF_OK; left -= 3600000)
      st = hf_host()->backoff(c, 1, left > 3600000 ? 3600000 : left < 1 ? 1 : (uint32_t)left);
  }
  return st == HF_ECANCELED ? HF_OK : st; /* stopping is how it ends */
}

hf_status hf_hub_schedule(hf_call *c, hf_out *out, struct hf_hub_schedule *s) {
  struct every e = {.s = s, .out = out, .call = c};
  struct hf_hub hub;
  char real[4096];
  const char *path = hf_hub_path(c, s->folder);
  TRY(hf_hub_begin(&hub, c, out, s->token, NULL, false));
  TRY(hf_hub_check_repo(c, s->repo.id));
  if (!path || !realpath(path, real))
    return hf_hub_fail(c, HF_ENOTFOUND, "FileNotFoundError", "No such file or directory: '%s'.", s->folder);
  s->folder = hf_host()->intern(c, real, SIZE_MAX);
  const char *every = minutes(c, s->minutes);
  if (!s->folder || !every) return HF_ENOMEM;
  TRY(hf_hub_repo_ensure(&hub, &s->repo, s->private_));
  hf_hub_log(&hub, HF_LOG_INFO, "Scheduled job to push '%s' to '%s' every %s minutes.", s->folder, s->repo.id, every);
  const char *text = hf_hub_text(c, "Scheduling commits every %s minutes to %s.", every, s->repo.id);
  TRY(text ? hf_hub_say(out, c, HF_OUT_TEXT, text) : HF_ENOMEM);
  hf_status st = run(&e);
  for (size_t i = 0; i < e.count; i++) free(e.seen[i].path);
  free(e.seen);
  return st;
}
