/* buckets_files.c - the files of a bucket: listing them below a path, choosing some by pattern, changing many at once.
 * The server compares prefixes by letters; "logs" is taken here for a folder or a file, not for "logs.json".
 * Changes are lines of JSON; what the server could not do is told of by path, after everything was sent. */
#include "buckets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH     1000
#define TOLD      10 /* failures that a message names */
#define RULES_MAX (4u << 20)

/* ---- listing -------------------------------------------------------------------------------------------------------------- */

struct below {
  const char *prefix;
  size_t len;
  hf_hub_item_fn fn;
  void *arg;
};

static hf_status on_item(void *arg, json_t *item) {
  struct below *b = arg;
  const char *path = hf_hub_get(item, "path"), *type = hf_hub_get(item, "type");
  if (!path || !type || (strcmp(type, "file") != 0 && strcmp(type, "directory") != 0)) return HF_OK;
  if (b->len && (strncmp(path, b->prefix, b->len) != 0 || (path[b->len] && path[b->len] != '/'))) return HF_OK;
  return b->fn(b->arg, item);
}

hf_status hf_hub_bucket_tree(struct hf_hub *hub, const char *id, const char *path, bool recursive, hf_hub_item_fn fn,
                             void *arg) {
  struct below b = {path, strlen(path), fn, arg};
  const char *quoted = hf_hub_quote(hub->call, path, "");
  const char *more = quoted ? hf_hub_text(hub->call, "/tree%s%s?recursive=%s", *quoted ? "/" : "", quoted,
                                          recursive ? "true" : "false")
                            : NULL;
  const char *url = more ? hf_hub_bucket_url(hub, id, more) : NULL;
  while (b.len && path[b.len - 1] == '/') b.len--;
  return url ? hf_hub_pages(hub, url, on_item, &b) : HF_ENOMEM;
}

/* ---- choosing ------------------------------------------------------------------------------------------------------------- */

/* Lines "+ PATTERN", "- PATTERN", "PATTERN"; empty ones and comments say nothing. */
static hf_status add_rules(struct hf_bucket_filter *f, char *text) {
  size_t lines = 1;
  for (const char *s = text; *s; s++) lines += *s == '\n' || *s == '\r';
  f->rules = hf_host()->arena(f->call, lines * sizeof *f->rules);
  if (!f->rules) return HF_ENOMEM;
  for (char *line = text, *next; line; line = next) {
    next = strpbrk(line, "\r\n");
    if (next) *next++ = 0;
    line += strspn(line, " \t\v\f");
    size_t n = strlen(line);
    while (n && strchr(" \t\v\f", line[n - 1])) line[--n] = 0;
    if (!n || *line == '#') continue;
    const char *pattern = *line == '+' || *line == '-' ? line + 1 + strspn(line + 1, " \t\v\f") : line;
    const char *rule = hf_hub_text(f->call, "%c%s", *line == '-' ? '-' : '+', pattern);
    if (!rule) return HF_ENOMEM;
    f->rules[f->count++] = rule;
  }
  return HF_OK;
}

hf_status hf_hub_bucket_filter(hf_call *c, const hf_args *args, const char *rules_file, struct hf_bucket_filter *f) {
  *f = (struct hf_bucket_filter){.call = c, .args = args};
  if (!rules_file) return HF_OK;
  FILE *file = fopen(rules_file, "re");
  int err = file ? 0 : errno;
  char *text = file ? malloc(RULES_MAX + 1) : NULL;
  size_t n = text ? fread(text, 1, RULES_MAX, file) : 0;
  if (text && ferror(file)) err = errno ? errno : EIO;
  if (text && !err && n == RULES_MAX) err = EFBIG;
  if (file) fclose(file);
  hf_status st =
      err ? hf_hub_fail(c, HF_EIO, "OSError", "The rules in '%s' cannot be read: %s.", rules_file, strerror(err))
          : HF_OK;
  if (st == HF_OK && !text) st = HF_ENOMEM;
  if (st == HF_OK) {
    text[n] = 0;
    st = add_rules(f, text);
  }
  free(text);
  return st;
}

/* "\" in a pattern is "/". */
static bool fits(hf_call *c, const char *pattern, const char *path) {
  char *copy = (char *)(uintptr_t)hf_host()->intern(c, pattern, SIZE_MAX);
  for (char *s = copy; s && *s; s++)
    if (*s == '\\') *s = '/';
  return copy && hf_hub_fnmatch(copy, path);
}

static bool any(const struct hf_bucket_filter *f, const char *name, const char *path) {
  for (uint32_t i = 0; i < hf_host()->arg_count(f->args, name); i++)
    if (fits(f->call, hf_host()->arg_str(f->args, name, i), path)) return true;
  return false;
}

bool hf_hub_bucket_wanted(const struct hf_bucket_filter *f, const char *path) {
  for (uint32_t i = 0; i < f->count; i++)
    if (fits(f->call, f->rules[i] + 1, path)) return *f->rules[i] == '+';
  if (any(f, "exclude", path)) return false;
  return !hf_host()->arg_count(f->args, "include") || any(f, "include", path);
}

/* ---- changing --------------------------------------------------------------------------------------------------------------- */

static hf_status lines_of(hf_call *c, const json_t *changes, size_t from, size_t to, char **text, size_t *len) {
  FILE *m = open_memstream(text, len);
  hf_status st = m ? HF_OK : HF_ENOMEM;
  for (size_t i = from; m && i < to; i++)
    if (json_dumpf(json_array_get(changes, i), m, JSON_ENSURE_ASCII) || putc('\n', m) == EOF) st = HF_ENOMEM;
  if (m && fclose(m)) st = HF_ENOMEM;
  return st == HF_OK ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
}

/* What the server says it could not do, added to `failed`. */
static hf_status send_lines(struct hf_hub *hub, const char *url, const json_t *changes, size_t from, size_t to,
                            json_t *failed) {
  char *text = NULL;
  size_t len = 0;
  struct hf_http_resp resp;
  json_t *answer;
  hf_status st = lines_of(hub->call, changes, from, to, &text, &len);
  struct hf_hub_req req = {.method = "POST",
                           .url = url,
                           .flags = HF_HTTP_ANY_STATUS | HF_HTTP_IDEMPOTENT,
                           .type = "application/x-ndjson",
                           .body = text,
                           .body_len = len};
  if (st == HF_OK) st = hf_hub_send(hub, &req, &resp);
  free(text);
  TRY(st);
  if (resp.status == 200 || resp.status == 422) {
    TRY(hf_hub_parse(hub->call, resp.body, resp.body_len, url, &answer));
    const json_t *list = json_object_get(answer, "failed");
    size_t had = json_array_size(failed);
    if (json_is_array(list)) json_array_extend(failed, (json_t *)(uintptr_t)list);
    json_decref(answer);
    if (json_array_size(failed) > had) return HF_OK;
  }
  return hf_hub_raise(hub, &req, &resp);
}

/* The sentence of failures from the one with number `from` on. */
static const char *failures(hf_call *c, const char *id, const json_t *failed, size_t from, size_t sent) {
  size_t n = json_array_size(failed) - from;
  const char *text = hf_hub_text(c, "Failed to apply %zu out of %zu operation(s) on bucket '%s':", n, sent, id);
  for (size_t i = 0; text && i < n && i < TOLD; i++) {
    const json_t *one = json_array_get(failed, from + i);
    const char *path = hf_hub_get(one, "path"), *why = hf_hub_get(one, "error");
    text = hf_hub_text(c, "%s\n  - %s: %s", text, path ? path : "(no path)", why ? why : "(no reason)");
  }
  return text && n > TOLD ? hf_hub_text(c, "%s\n  - ... and %zu more", text, n - TOLD) : text;
}

hf_status hf_hub_bucket_batch(struct hf_hub *hub, const char *id, const json_t *changes) {
  hf_call *c = hub->call;
  size_t count = json_array_size(changes);
  const char *url = hf_hub_bucket_url(hub, id, "/batch"), *told;
  json_t *failed = json_array();
  hf_status st = url && failed ? HF_OK : HF_ENOMEM;
  for (size_t from = 0; st == HF_OK && from < count; from += BATCH) {
    size_t to = count - from < BATCH ? count : from + BATCH, had = json_array_size(failed);
    st = send_lines(hub, url, changes, from, to, failed);
    if (st == HF_OK && count > BATCH && json_array_size(failed) > had &&
        (told = failures(c, id, failed, had, to - from)))
      hf_hub_log(hub, HF_LOG_WARNING, "%s", told);
  }
  if (st == HF_OK && json_array_size(failed)) {
    told = failures(c, id, failed, 0, count);
    st = told ? hf_host()->fail(c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                      .code = HF_EHTTP,
                                                      .cls = "BucketBatchError",
                                                      .message = told})
              : HF_ENOMEM;
  }
  json_decref(failed);
  return st;
}

/* ---- remove ------------------------------------------------------------------------------------------------------------------- */

struct removing {
  struct hf_hub hub;
  hf_out *out;
  struct hf_bucket_filter filter;
  json_t *changes;
  double bytes;
};

static hf_status on_file(void *arg, json_t *item) {
  struct removing *r = arg;
  const char *path = hf_hub_get(item, "path"), *type = hf_hub_get(item, "type");
  if (strcmp(type, "file") != 0 || !hf_hub_bucket_wanted(&r->filter, path)) return HF_OK;
  r->bytes += json_number_value(json_object_get(item, "size"));
  return json_array_append_new(r->changes, json_pack("{s:s, s:s}", "type", "deleteFile", "path", path)) ? HF_ENOMEM
                                                                                                        : HF_OK;
}

/* A line for each file, `before` in front. */
static hf_status say_paths(struct removing *r, const char *before) {
  char *text = NULL;
  size_t len = 0, i;
  json_t *one;
  FILE *m = open_memstream(&text, &len);
  if (!m) return HF_ENOMEM;
  json_array_foreach(r->changes, i, one) fprintf(m, "%s%s%s", i ? "\n" : "", before, hf_hub_get(one, "path"));
  hf_status st = fclose(m) ? HF_ENOMEM : hf_hub_say(r->out, r->hub.call, HF_OUT_TEXT, text);
  free(text);
  return st;
}

static hf_status say(struct removing *r, uint32_t what, const char *text) {
  return text ? hf_hub_say(r->out, r->hub.call, what, text) : HF_ENOMEM;
}

static hf_status remove_many(struct removing *r, const struct hf_hub_uri *u, const hf_args *args) {
  hf_call *c = r->hub.call;
  bool dry = hf_hub_given(args, "dry_run");
  TRY(hf_hub_bucket_tree(&r->hub, u->id, u->path, true, on_file, r));
  size_t n = json_array_size(r->changes);
  const char *size = hf_hub_size_words(c, r->bytes),
             *label = size ? hf_hub_text(c, "%zu file(s) totaling %s", n, size) : NULL;
  if (!label) return HF_ENOMEM;
  if (!n) return say(r, HF_OUT_TEXT, "No files to remove.");
  if (dry) {
    const char *before = hf_hub_text(c, "delete: " HF_BUCKET_PREFIX "%s/", u->id);
    TRY(before ? say_paths(r, before) : HF_ENOMEM);
    return say(r, HF_OUT_TEXT, hf_hub_text(c, "(dry run) %s would be removed.", label));
  }
  if (!hf_hub_given(args, "yes")) {
    const char *question = hf_hub_text(c, "Remove %s from '%s'?", label, u->id);
    TRY(say_paths(r, "  "));
    TRY(question ? hf_host()->ask(r->out, HF_ASK_CONFIRM, question, NULL, 0) : HF_ENOMEM);
  }
  TRY(hf_hub_bucket_batch(&r->hub, u->id, r->changes));
  TRY(say(r, HF_OUT_MESSAGE, hf_hub_text(c, "Removed %s from '%s'", label, u->id)));
  return hf_hub_record(r->out, c, HF_OUT_RESULT,
                       json_pack("{s:s, s:I, s:s}", "bucket_id", u->id, "files_deleted", (json_int_t)n, "size", size));
}

static hf_status remove_one(struct removing *r, const struct hf_hub_uri *u, const hf_args *args) {
  hf_call *c = r->hub.call;
  if (hf_hub_given(args, "dry_run")) {
    TRY(say(r, HF_OUT_TEXT, hf_hub_text(c, "delete: " HF_BUCKET_PREFIX "%s/%s", u->id, u->path)));
    return say(r, HF_OUT_TEXT, "(dry run) 1 file would be removed.");
  }
  if (!hf_hub_given(args, "yes")) {
    const char *question = hf_hub_text(c, "Remove '%s' from '%s'?", u->path, u->id);
    TRY(question ? hf_host()->ask(r->out, HF_ASK_CONFIRM, question, NULL, 0) : HF_ENOMEM);
  }
  json_array_append_new(r->changes, json_pack("{s:s, s:s}", "type", "deleteFile", "path", u->path));
  TRY(hf_hub_bucket_batch(&r->hub, u->id, r->changes));
  TRY(say(r, HF_OUT_MESSAGE, "File removed"));
  return hf_hub_record(r->out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "path", u->path, "bucket_id", u->id));
}

hf_status hf_hub_bucket_remove(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct removing r = {.out = out};
  struct hf_hub_uri u;
  bool recursive = hf_hub_given(args, "recursive");
  (void)state;
  TRY(hf_hub_bucket_parse(c, hf_hub_arg(args, "argument"), &u));
  if (!*u.path && !recursive)
    return hf_hub_bad_value(c,
                            "No file path specified. To remove files, provide a path (e.g. '%s/FILE') or use "
                            "--recursive to remove all files. To delete the entire bucket, use `hf buckets delete %s`.",
                            u.id, u.id);
  if (!recursive && (hf_host()->arg_count(args, "include") || hf_host()->arg_count(args, "exclude")))
    return hf_hub_bad_value(c, "--include and --exclude require --recursive.");
  TRY(hf_hub_row_begin(&r.hub, c, args, out));
  TRY(hf_hub_bucket_filter(c, args, NULL, &r.filter));
  r.changes = json_array();
  hf_status st = !r.changes ? HF_ENOMEM : recursive ? remove_many(&r, &u, args) : remove_one(&r, &u, args);
  json_decref(r.changes);
  return st;
}
