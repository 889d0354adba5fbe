/* buckets_sync.c - `hf sync` and `hf buckets sync`: makes a folder like a bucket, or a bucket like a folder.
 * Sizes and times decide, with a second of grace; the plan is shown, kept, or carried out: bytes first, then what is to go.
 * Paths of the bucket and of a kept plan are checked before anything is written or removed here. */
#include "buckets_sync.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct sync {
  struct hf_hub hub;
  hf_out *out;
  bool quiet, verbose;
  struct hf_sync_plan plan;
};

static bool is_bucket(hf_call *c, const char *text, struct hf_hub_uri *uri, hf_status *st) {
  if (*st != HF_OK || strncmp(text, "hf://", 5) != 0) return false;
  *st = hf_hub_parse_uri(c, text, uri);
  return *st == HF_OK && !strcmp(uri->type, "bucket");
}

static hf_status say(struct sync *s, const char *text) {
  if (!text) return HF_ENOMEM;
  return s->quiet ? HF_OK : hf_hub_say(s->out, s->hub.call, HF_OUT_RAW, text);
}

static hf_status say_summary(struct sync *s) {
  size_t n[4];
  hf_hub_plan_counts(&s->plan, n);
  return say(
      s, hf_hub_text(s->hub.call, "Sync plan: %s -> %s\n  Uploads: %zu\n  Downloads: %zu\n  Deletes: %zu\n  Skips: %zu",
                     s->plan.source, s->plan.dest, n[HF_SYNC_UPLOAD], n[HF_SYNC_DOWNLOAD], n[HF_SYNC_DELETE],
                     n[HF_SYNC_SKIP]));
}

/* ---- carrying out ------------------------------------------------------------------------------------------------------------------ */

static hf_status tell_each(struct sync *s) {
  static const char *const words[] = {[HF_SYNC_SKIP] = "Skipping",
                                      [HF_SYNC_UPLOAD] = "Uploading",
                                      [HF_SYNC_DOWNLOAD] = "Downloading",
                                      [HF_SYNC_DELETE] = "Deleting"};
  for (size_t i = 0; s->verbose && i < s->plan.count; i++) {
    const struct hf_sync_op *op = &s->plan.ops[i];
    const char *text = hf_hub_text(s->hub.call, "  %s: %s (%s)", words[op->action], op->path, op->reason);
    TRY(text ? hf_hub_say(s->out, s->hub.call, HF_OUT_RAW, text) : HF_ENOMEM);
  }
  return HF_OK;
}

static const char *joined(hf_call *c, const char *folder, const char *path) {
  size_t n = strlen(folder);
  return hf_hub_text(c, "%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", path);
}

/* The files of one action; free() them. */
static hf_status items_of(struct sync *s, enum hf_sync_action action, const char *folder, const char *prefix,
                          struct hf_bucket_item **items, uint32_t *count) {
  hf_call *c = s->hub.call;
  *items = calloc(s->plan.count + 1, sizeof **items);
  *count = 0;
  for (size_t i = 0; *items && i < s->plan.count; i++) {
    const struct hf_sync_op *op = &s->plan.ops[i];
    if (op->action != action) continue;
    struct hf_bucket_item *item = &(*items)[(*count)++];
    *item = (struct hf_bucket_item){
        .path = joined(c, prefix, op->path), .local = joined(c, folder, op->path), .hash = op->hash, .size = op->size};
    if (!item->path || !item->local) return HF_ENOMEM;
  }
  return *items ? HF_OK : HF_ENOMEM;
}

static hf_status upload(struct sync *s, const struct hf_hub_uri *to) {
  hf_call *c = s->hub.call;
  const char *folder = hf_hub_path(c, s->plan.source);
  struct hf_bucket_item *items = NULL, *gone = NULL;
  uint32_t count = 0, gone_count = 0;
  json_t *changes = json_array();
  hf_status st = folder && changes ? items_of(s, HF_SYNC_UPLOAD, folder, to->path, &items, &count) : HF_ENOMEM;
  if (st == HF_OK) st = items_of(s, HF_SYNC_DELETE, folder, to->path, &gone, &gone_count);
  if (st == HF_OK && count) st = hf_hub_bucket_send(&s->hub, to->id, items, count, changes);
  for (uint32_t i = 0; st == HF_OK && i < gone_count; i++)
    if (json_array_append_new(changes, json_pack("{s:s, s:s}", "type", "deleteFile", "path", gone[i].path)))
      st = HF_ENOMEM;
  if (st == HF_OK && json_array_size(changes)) st = hf_hub_bucket_batch(&s->hub, to->id, changes);
  json_decref(changes);
  free(items);
  free(gone);
  return st;
}

/* The file, and folders above it that are empty then. */
static hf_status remove_here(hf_call *c, const char *folder, const char *path) {
  const char *local = joined(c, folder, path);
  if (!local) return HF_ENOMEM;
  if (unlink(local) && errno != ENOENT)
    return hf_hub_fail(c, HF_EIO, "OSError", "The file '%s' cannot be removed: %s.", local, strerror(errno));
  size_t root = strlen(folder);
  char *at = (char *)(uintptr_t)local;
  for (char *slash; (slash = strrchr(at, '/')) && (size_t)(slash - at) > root;) {
    *slash = 0;
    if (rmdir(at)) break;
  }
  return HF_OK;
}

static hf_status download(struct sync *s, const struct hf_hub_uri *from) {
  hf_call *c = s->hub.call;
  const char *folder = hf_hub_path(c, s->plan.dest), *inside = folder ? joined(c, folder, "x") : NULL;
  struct hf_bucket_item *items = NULL;
  uint32_t count = 0;
  TRY(inside ? hf_hub_folders_above(c, inside) : HF_ENOMEM);
  hf_status st = items_of(s, HF_SYNC_DOWNLOAD, folder, from->path, &items, &count);
  if (st == HF_OK && count) st = hf_hub_bucket_fetch(&s->hub, from->id, items, count);
  free(items);
  for (size_t i = 0; st == HF_OK && i < s->plan.count; i++)
    if (s->plan.ops[i].action == HF_SYNC_DELETE) st = remove_here(c, folder, s->plan.ops[i].path);
  return st;
}

static hf_status carry_out(struct sync *s) {
  hf_call *c = s->hub.call;
  struct hf_hub_uri from, to;
  hf_status st = HF_OK;
  bool down = is_bucket(c, s->plan.source, &from, &st), up = is_bucket(c, s->plan.dest, &to, &st);
  TRY(st);
  for (size_t i = 0; i < s->plan.count; i++) TRY(hf_hub_check_file(c, s->plan.ops[i].path));
  TRY(tell_each(s));
  if (up && !down) return upload(s, &to);
  return down && !up ? download(s, &from) : HF_OK;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------------- */

static hf_status wrong(hf_call *c, const char *text) {
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "%s", text);
}

static hf_status apply(struct sync *s, const hf_args *args, const char *file) {
  static const struct {
    const char *name;
    bool given; /* a switch */
  } others[] = {{"delete", true},   {"ignore_times", true},    {"ignore_sizes", true},
                {"include", false}, {"exclude", false},        {"filter_from", false},
                {"existing", true}, {"ignore_existing", true}, {"dry_run", true}};
  hf_call *c = s->hub.call;
  if (hf_hub_arg(args, "source") || hf_hub_arg(args, "dest"))
    return wrong(c, "Cannot specify source/dest when using apply.");
  if (hf_hub_arg(args, "plan")) return wrong(c, "Cannot specify both plan and apply.");
  for (size_t i = 0; i < HF_COUNT(others); i++)
    if (others[i].given ? hf_hub_given(args, others[i].name) : hf_host()->arg_count(args, others[i].name) > 0)
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "Cannot specify %s when using apply.", others[i].name);
  TRY(hf_hub_plan_load(c, file, &s->plan));
  TRY(say_summary(s));
  TRY(say(s, "Executing plan..."));
  TRY(carry_out(s));
  return say(s, "Sync completed.");
}

static hf_status check(struct sync *s, const hf_args *args, const char *source, const char *dest) {
  hf_call *c = s->hub.call;
  struct hf_hub_uri uri;
  struct stat st;
  hf_status parsed = HF_OK;
  if (!source || !*source || !dest || !*dest)
    return wrong(c, "Both source and dest are required (unless using apply).");
  bool from = is_bucket(c, source, &uri, &parsed), to = is_bucket(c, dest, &uri, &parsed);
  TRY(parsed);
  if (from && to) return wrong(c, "Remote to remote sync is not supported. One path must be local.");
  if (!from && !to) return wrong(c, "One of source or dest must be a bucket path (hf://buckets/...).");
  if (hf_hub_given(args, "ignore_times") && hf_hub_given(args, "ignore_sizes"))
    return wrong(c, "Cannot specify both ignore_times and ignore_sizes.");
  if (hf_hub_given(args, "existing") && hf_hub_given(args, "ignore_existing"))
    return wrong(c, "Cannot specify both existing and ignore_existing.");
  if (hf_hub_given(args, "dry_run") && hf_hub_arg(args, "plan"))
    return wrong(c, "Cannot specify both dry_run and plan.");
  if (from && stat(dest, &st) == 0 && !S_ISDIR(st.st_mode))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Destination must be a directory: %s", dest);
  if (to && (stat(source, &st) || !S_ISDIR(st.st_mode)))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Source must be an existing directory: %s", source);
  return HF_OK;
}

static hf_status keep_plan(struct sync *s, const char *file) {
  hf_call *c = s->hub.call;
  char *text = NULL;
  size_t len = 0;
  hf_status st = hf_hub_plan_lines(c, &s->plan, &text, &len);
  if (st == HF_OK && !file && len) /* without the end of the last line, which is added */
    st = hf_hub_record(s->out, c, HF_OUT_RAW, json_stringn(text, len - 1));
  if (st == HF_OK && file) {
    FILE *f = fopen(file, "we");
    bool whole = f && fwrite(text, 1, len, f) == len;
    if (f && fclose(f)) whole = false;
    if (!whole)
      st = hf_hub_fail(c, HF_EIO, "OSError", "The plan cannot be written to '%s': %s.", file, strerror(errno));
  }
  free(text);
  return st;
}

static hf_status sync_now(struct sync *s, const hf_args *args) {
  hf_call *c = s->hub.call;
  const char *file = hf_hub_arg(args, "plan");
  size_t n[4];
  s->plan.source = hf_hub_arg(args, "source");
  s->plan.dest = hf_hub_arg(args, "dest");
  TRY(check(s, args, s->plan.source, s->plan.dest));
  TRY(hf_hub_sync_compare(&s->hub, args, &s->plan));
  if (hf_hub_given(args, "dry_run")) return keep_plan(s, NULL);
  if (file && *file) {
    TRY(keep_plan(s, file));
    TRY(say_summary(s));
    TRY(say(s, hf_hub_text(c, "Plan saved to: %s", file)));
    const char *hint = hf_hub_text(c, "Run `hf buckets sync --apply %s` to execute this plan.", file);
    return hint ? s->quiet ? HF_OK : hf_hub_say(s->out, c, HF_OUT_HINT, hint) : HF_ENOMEM;
  }
  TRY(say_summary(s));
  hf_hub_plan_counts(&s->plan, n);
  if (!n[HF_SYNC_UPLOAD] && !n[HF_SYNC_DOWNLOAD] && !n[HF_SYNC_DELETE]) return say(s, "Nothing to sync.");
  TRY(say(s, "Syncing..."));
  TRY(carry_out(s));
  return say(s, "Sync completed.");
}

hf_status hf_hub_bucket_sync(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *format = hf_host()->option(c, "HF_OUTPUT_FORMAT"), *file = hf_hub_arg(args, "apply");
  struct sync s = {.out = out, .quiet = format && !strcmp(format, "quiet"), .verbose = hf_hub_given(args, "verbose")};
  (void)state;
  TRY(hf_hub_row_begin(&s.hub, c, args, out));
  hf_status st = file && *file ? apply(&s, args, file) : sync_now(&s, args);
  free(s.plan.ops);
  return st;
}
