/* output.c - the result of a command, shown. JSON is the record as it is; without --json people get the text of a record,
 * a table of a list, and the path of a file.
 * Media is written beside its final name and renamed at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "output.h"

static hf_status bytes(struct inf_output *o, const char *text, size_t len) {
  return len ? hf_host()->record(o->out, HF_OUT_BYTES, text, len) : HF_OK;
}

static hf_status raw_json(struct inf_output *o, const json_t *j) {
  char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
  if (!text) return hf_hub_fail(o->c, HF_ENOMEM, NULL, "Out of memory.");
  hf_status st = hf_hub_say(o->out, o->c, HF_OUT_RAW, text);
  free(text);
  return st;
}

/* ---- streams ------------------------------------------------------------------------------------------------------------ */

static bool remember(struct inf_output *o, const char *text, size_t len) {
  if (o->said_len + len + 1 > o->said_cap) {
    size_t cap = (o->said_len + len + 1) * 2;
    char *more = realloc(o->said, cap);
    if (!more) return false;
    o->said = more;
    o->said_cap = cap;
  }
  memcpy(o->said + o->said_len, text, len);
  o->said_len += len;
  o->said[o->said_len] = 0;
  return true;
}

hf_status inf_output_item(hf_call *c, void *arg, json_t *item) {
  struct inf_output *o = arg;
  (void)c;
  if (o->json) return raw_json(o, item);
  const json_t *piece = json_is_string(item) ? item : inf_at(item, "choices.0.delta.content");
  if (!piece) piece = inf_at(item, "token.text");
  const char *text = json_string_value(piece);
  size_t len = json_string_length(piece);
  if (!text || !len) return HF_OK;
  o->line_open = text[len - 1] != '\n';
  if (!remember(o, text, len)) return hf_hub_fail(o->c, HF_ENOMEM, NULL, "Out of memory.");
  return bytes(o, text, len);
}

/* ---- media ---------------------------------------------------------------------------------------------------------------- */

static bool to_stdout(const struct inf_output *o) {
  return o->output && !strcmp(o->output, "-");
}

static hf_status open_part(struct inf_output *o) {
  const char *base = o->output ? hf_hub_path(o->c, o->output) : hf_hub_path(o->c, o->task);
  const char *beside = base ? hf_hub_place_beside(o->c, base) : NULL;
  const char *name = beside ? hf_hub_text(o->c, "%s.part-XXXXXX", beside) : NULL;
  if (!name) return HF_ENOMEM;
  o->part = strdup(name);
  o->fd = o->part ? mkstemp(o->part) : -1;
  if (o->fd >= 0) {
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(o->fd, 0666 & ~mask)) errno = 0;
    return HF_OK;
  }
  int err = errno;
  free(o->part);
  o->part = NULL;
  return hf_host()->fail(
      o->c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                               .code = HF_EIO,
                               .sys_errno = err,
                               .message = hf_hub_text(o->c, "%s cannot be written: %s.", base, strerror(err))});
}

hf_status inf_output_media(hf_call *c, void *arg, const void *data, size_t len) {
  struct inf_output *o = arg;
  if (to_stdout(o)) return bytes(o, data, len);
  if (o->fd < 0) TRY(open_part(o));
  for (const char *at = data; len;) {
    ssize_t put = write(o->fd, at, len);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0)
      return hf_host()->fail(c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                   .code = errno == ENOSPC ? HF_ENOSPACE : HF_EIO,
                                                   .sys_errno = errno,
                                                   .message = "The media cannot be written; free some space."});
    at += put;
    len -= (size_t)put;
  }
  return HF_OK;
}

/* A name that is free: TASK-TIME.SUFFIX */
static const char *free_name(struct inf_output *o, const char *type) {
  const char *suffix = inf_suffix_of(type);
  if (!suffix) suffix = o->spec && o->spec->suffix ? o->spec->suffix : ".bin";
  char stamp[32];
  time_t now = time(NULL);
  struct tm tm;
  strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", localtime_r(&now, &tm));
  for (int i = 0; i < 1000; i++) {
    const char *name = i ? hf_hub_text(o->c, "%s-%s-%d%s", o->task, stamp, i, suffix)
                         : hf_hub_text(o->c, "%s-%s%s", o->task, stamp, suffix);
    const char *path = name ? hf_hub_path(o->c, name) : NULL;
    if (!path || access(path, F_OK)) return path;
  }
  return NULL;
}

static hf_status media_done(struct inf_output *o, const struct inf_answer *a) {
  if (to_stdout(o)) return HF_OK;
  o->path = o->output ? hf_hub_path(o->c, o->output) : free_name(o, a->type);
  int err = close(o->fd) ? errno : 0;
  o->fd = -1;
  if (!err && o->path) err = hf_hub_place(o->part, o->path);
  if (err || !o->path) {
    unlink(o->part);
    return hf_host()->fail(
        o->c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                 .code = HF_EIO,
                                 .sys_errno = err,
                                 .message = "The media cannot be put under its name; give another --output."});
  }
  free(o->part);
  o->part = NULL;
  if (o->json)
    return hf_hub_record(
        o->out, o->c, HF_OUT_DICT,
        json_pack("{s:s,s:I,s:s?}", "path", o->path, "bytes", (json_int_t)a->total, "content_type", a->type));
  if (o->show) TRY(inf_output_picture(o, a->type));
  return hf_hub_say(o->out, o->c, HF_OUT_RAW, o->path);
}

/* ---- records ---------------------------------------------------------------------------------------------------------------- */

static const char *readable(const json_t *j) {
  static const char *const names[] = {
      "choices.0.message.content", "text", "translation_text", "summary_text", "generated_text", "answer"};
  if (json_is_string(j)) return json_string_value(j);
  for (size_t i = 0; i < HF_COUNT(names); i++) {
    const char *s = json_string_value(inf_at(j, names[i]));
    if (s && (i != 5 || json_object_size(j) <= 5)) return s;
  }
  return NULL;
}

static bool rows_of_objects(const json_t *j) {
  json_t *v;
  size_t i;
  json_array_foreach(j, i, v) if (!json_is_object(v)) return false;
  return json_array_size(j) > 0;
}

static hf_status record(struct inf_output *o, const json_t *j) {
  const char *text = readable(j);
  json_t *v;
  size_t i;
  if (o->json) return raw_json(o, j);
  if (text) {
    remember(o, text, strlen(text));
    return hf_hub_say(o->out, o->c, HF_OUT_RAW, text);
  }
  if (json_is_object(j)) return hf_hub_record(o->out, o->c, HF_OUT_DICT, json_incref((json_t *)(uintptr_t)j));
  if (!rows_of_objects(j)) return raw_json(o, j);
  json_array_foreach(j, i, v) TRY(hf_hub_record(o->out, o->c, HF_OUT_ITEM, json_incref(v)));
  return hf_host()->record(o->out, HF_OUT_TABLE_END, "{}", 2);
}

hf_status inf_output_end(struct inf_output *o, hf_status st, struct inf_answer *a, bool streamed) {
  if (o->line_open && bytes(o, "\n", 1) != HF_OK && st == HF_OK) st = HF_EIO;
  o->line_open = false;
  if (st == HF_OK && a->json)
    st = record(o, a->json);
  else if (st == HF_OK && !streamed && (o->fd >= 0 || to_stdout(o)))
    st = media_done(o, a);
  if (st == HF_OK && o->history && o->said)
    json_array_append_new(o->history, json_pack("{s:s,s:s}", "role", "assistant", "content", o->said));
  if (o->fd >= 0) close(o->fd);
  o->fd = -1;
  if (o->part) unlink(o->part);
  free(o->part);
  o->part = NULL;
  free(o->said);
  o->said = NULL;
  o->said_len = o->said_cap = 0;
  return st;
}
