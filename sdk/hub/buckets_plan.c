/* buckets_plan.c - the plan of a sync as lines of JSON: a header, then one line for each path.
 * A plan is written and read by people and other programs: what is not understood is passed over, what is missing is an error.
 * Paths are checked when the plan is carried out. */
#include "buckets_sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLAN_MAX ((size_t)1 << 30)

static const char *const names[] = {
    [HF_SYNC_SKIP] = "skip", [HF_SYNC_UPLOAD] = "upload", [HF_SYNC_DOWNLOAD] = "download", [HF_SYNC_DELETE] = "delete"};

hf_status hf_hub_sync_add(hf_call *c, struct hf_sync_plan *plan, const struct hf_sync_op *op) {
  if (plan->count == plan->room) {
    size_t more = plan->room ? plan->room * 2 : 64;
    struct hf_sync_op *grown = realloc(plan->ops, more * sizeof *grown);
    if (!grown) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for the files of a sync; sync parts of it.");
    plan->ops = grown;
    plan->room = more;
  }
  plan->ops[plan->count++] = *op;
  return HF_OK;
}

void hf_hub_plan_counts(const struct hf_sync_plan *plan, size_t counts[4]) {
  memset(counts, 0, 4 * sizeof *counts);
  for (size_t i = 0; i < plan->count; i++) counts[plan->ops[i].action]++;
}

/* As Python prints a time in UTC. */
static void iso(int64_t us, char text[48]) {
  int64_t seconds = us / 1000000, rest = us % 1000000;
  if (rest < 0) seconds--, rest += 1000000;
  time_t at = (time_t)seconds;
  struct tm tm;
  size_t n = gmtime_r(&at, &tm) ? strftime(text, 40, "%Y-%m-%dT%H:%M:%S", &tm) : 0;
  if (rest)
    snprintf(text + n, 48 - n, ".%06lld+00:00", (long long)rest);
  else
    snprintf(text + n, 48 - n, "+00:00");
}

static json_t *line_of(const struct hf_sync_op *op) {
  char text[48];
  json_t *line = json_pack("{s:s, s:s, s:s, s:s}", "type", "operation", "action", names[op->action], "path", op->path,
                           "reason", op->reason);
  if (line && op->size != HF_NO_SIZE) json_object_set_new(line, "size", json_integer(op->size));
  if (line && op->local_us != HF_NO_TIME) {
    iso(op->local_us, text);
    json_object_set_new(line, "local_mtime", json_string(text));
  }
  if (line && op->remote_us != HF_NO_TIME) {
    iso(op->remote_us, text);
    json_object_set_new(line, "remote_mtime", json_string(text));
  }
  return line;
}

static json_t *header_of(const struct hf_sync_plan *plan) {
  size_t n[4];
  int64_t bytes = 0;
  char text[48];
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  iso((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, text);
  hf_hub_plan_counts(plan, n);
  for (size_t i = 0; i < plan->count; i++)
    if ((plan->ops[i].action == HF_SYNC_UPLOAD || plan->ops[i].action == HF_SYNC_DOWNLOAD) && plan->ops[i].size > 0)
      bytes += plan->ops[i].size;
  return json_pack("{s:s, s:s, s:s, s:s, s:{s:I, s:I, s:I, s:I, s:I}}", "type", "header", "source", plan->source,
                   "dest", plan->dest, "timestamp", plan->timestamp ? plan->timestamp : text, "summary", "uploads",
                   (json_int_t)n[HF_SYNC_UPLOAD], "downloads", (json_int_t)n[HF_SYNC_DOWNLOAD], "deletes",
                   (json_int_t)n[HF_SYNC_DELETE], "skips", (json_int_t)n[HF_SYNC_SKIP], "total_size",
                   (json_int_t)bytes);
}

/* Takes the line. */
static bool put_line(FILE *m, json_t *line) {
  bool fine = line && !json_dumpf(line, m, JSON_ENSURE_ASCII) && putc('\n', m) != EOF;
  json_decref(line);
  return fine;
}

hf_status hf_hub_plan_lines(hf_call *c, const struct hf_sync_plan *plan, char **text, size_t *len) {
  *text = NULL;
  FILE *m = open_memstream(text, len);
  bool fine = m && put_line(m, header_of(plan));
  for (size_t i = 0; fine && i < plan->count; i++) fine = put_line(m, line_of(&plan->ops[i]));
  if (m && fclose(m)) fine = false;
  return fine ? HF_OK
              : hf_hub_fail(c, HF_EINVAL, NULL, "The plan cannot be written: a path is not UTF-8, or it is too long.");
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

static const char *kept(hf_call *c, const json_t *line, const char *key) {
  const char *text = hf_hub_get(line, key);
  return text ? hf_host()->intern(c, text, SIZE_MAX) : NULL;
}

static hf_status read_line(hf_call *c, const char *file, const char *text, size_t len, struct hf_sync_plan *plan,
                           bool first) {
  json_error_t why;
  json_t *line = hf_json_read(text, len, &why);
  const char *type = hf_hub_get(line, "type"), *action = hf_hub_get(line, "action");
  hf_status st = HF_OK;
  if (first) {
    if (!type || strcmp(type, "header") != 0)
      st = hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid plan file: expected header as first line");
    plan->source = kept(c, line, "source");
    plan->dest = kept(c, line, "dest");
    plan->timestamp = kept(c, line, "timestamp");
    if (st == HF_OK && (!plan->source || !plan->dest))
      st = hf_hub_fail(c, HF_EINVAL, "ValueError", "The plan '%s' does not say from where to where.", file);
  } else if (type && !strcmp(type, "operation")) {
    const char *reason = kept(c, line, "reason");
    const json_t *size = json_object_get(line, "size");
    struct hf_sync_op op = {.path = kept(c, line, "path"),
                            .reason = reason ? reason : "",
                            .size = json_is_integer(size) ? json_integer_value(size) : HF_NO_SIZE,
                            .local_us = HF_NO_TIME,
                            .remote_us = HF_NO_TIME};
    size_t i = 0;
    while (i < HF_COUNT(names) && (!action || strcmp(action, names[i]) != 0)) i++;
    op.action = (enum hf_sync_action)i;
    if (!op.path || i == HF_COUNT(names))
      st = hf_hub_fail(c, HF_EINVAL, "ValueError", "A line of the plan '%s' names no path or nothing to do.", file);
    else
      st = hf_hub_sync_add(c, plan, &op);
  } else if (!line) {
    st = hf_hub_fail(c, HF_EINVAL, "ValueError", "A line of the plan '%s' is not JSON (%s).", file, why.text);
  }
  json_decref(line);
  return st;
}

hf_status hf_hub_plan_load(hf_call *c, const char *file, struct hf_sync_plan *plan) {
  FILE *f = fopen(file, "re");
  if (!f)
    return hf_hub_fail(c, errno == ENOENT ? HF_ENOTFOUND : HF_EIO, "OSError", "[Errno %d] %s: '%s'", errno,
                       strerror(errno), file);
  char *line = NULL;
  size_t room = 0, total = 0;
  ssize_t n;
  bool first = true;
  hf_status st = HF_OK;
  while (st == HF_OK && (n = getline(&line, &room, f)) > 0) {
    total += (size_t)n;
    st = total > PLAN_MAX ? hf_hub_fail(c, HF_EINVAL, "ValueError", "The plan '%s' is too long.", file)
                          : read_line(c, file, line, (size_t)n, plan, first);
    first = false;
  }
  if (st == HF_OK && ferror(f)) st = hf_hub_fail(c, HF_EIO, "OSError", "The plan '%s' cannot be read.", file);
  if (st == HF_OK && first) st = hf_hub_fail(c, HF_EINVAL, "ValueError", "Empty plan file: %s", file);
  free(line);
  fclose(f);
  return st;
}
