/* buckets_compare.c - a folder and a bucket side by side: what is new, what differs, what is on one side only.
 * A difference of times counts beyond one second; a file without a time is as old as can be.
 * Links to folders are not followed, links to files are; what is neither file nor link is passed over. */
#include "buckets_sync.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define GRACE_US 1000000

struct side {
  const char *path, *hash;
  int64_t size, us;
};
struct list {
  struct side *rows;
  size_t count, room;
};

static hf_status add(hf_call *c, struct list *l, struct side row) {
  if (l->count == l->room) {
    size_t more = l->room ? l->room * 2 : 64;
    struct side *grown = realloc(l->rows, more * sizeof *grown);
    if (!grown) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for the files of a sync; sync parts of it.");
    l->rows = grown;
    l->room = more;
  }
  l->rows[l->count++] = row;
  return HF_OK;
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct side *)a)->path, ((const struct side *)b)->path);
}

/* ---- the bucket -------------------------------------------------------------------------------------------------------------------- */

struct remote {
  hf_call *call;
  const char *prefix;
  const struct hf_bucket_filter *filter;
  struct list *list;
};

static hf_status us_of(hf_call *c, const char *text, int64_t *us) {
  json_t *shaped = NULL;
  struct tm tm = {0};
  int micro = 0;
  *us = 0;
  if (!text || !*text) return HF_OK;
  TRY(hf_hub_shape_date(c, text, &shaped));
  const char *iso = json_string_value(shaped);
  if (sscanf(iso, "%4d-%2d-%2dT%2d:%2d:%2d.%6d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
             &tm.tm_sec, &micro) < 6)
    micro = 0;
  json_decref(shaped);
  tm.tm_year -= 1900;
  tm.tm_mon--;
  *us = (int64_t)timegm(&tm) * 1000000 + micro;
  return HF_OK;
}

static hf_status on_remote(void *arg, json_t *item) {
  struct remote *r = arg;
  hf_call *c = r->call;
  const char *path = hf_hub_get(item, "path"), *type = hf_hub_get(item, "type"), *hash = hf_hub_get(item, "xetHash");
  const json_t *size = json_object_get(item, "size");
  size_t n = strlen(r->prefix);
  if (strcmp(type, "file") != 0) return HF_OK;
  if (!json_is_integer(size) || !hash)
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub lists '%.512s' without size or hash; check HF_ENDPOINT.", path);
  const char *slash = strrchr(path, '/'), *rel = !n ? path : path[n] == '/' ? path + n + 1 : slash ? slash + 1 : path;
  TRY(hf_hub_check_file(c, rel));
  if (!hf_hub_bucket_wanted(r->filter, rel)) return HF_OK;
  struct side row = {.path = hf_host()->intern(c, rel, SIZE_MAX),
                     .hash = hf_host()->intern(c, hash, SIZE_MAX),
                     .size = json_integer_value(size)};
  TRY(us_of(c, hf_hub_get(item, "mtime"), &row.us));
  return row.path && row.hash ? add(c, r->list, row) : HF_ENOMEM;
}

/* ---- the folder --------------------------------------------------------------------------------------------------------------------- */

static int64_t us_of_stat(const struct stat *st) {
  return (int64_t)st->st_mtim.tv_sec * 1000000 + (st->st_mtim.tv_nsec + 500) / 1000;
}

static hf_status walk(hf_call *c, const char *folder, const struct hf_bucket_filter *filter, struct list *list) {
  char *roots[] = {(char *)(uintptr_t)folder, NULL};
  FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
  size_t skip = strlen(folder) + (strcmp(folder, "/") != 0);
  hf_status st = walk ? HF_OK : hf_hub_fail(c, HF_EIO, "OSError", "The folder '%s' cannot be read.", folder);
  for (FTSENT *e; st == HF_OK && (e = fts_read(walk));) {
    struct stat is;
    if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR)
      st = hf_hub_fail(c, HF_EIO, "OSError", "'%s' cannot be read: %s.", e->fts_path, strerror(e->fts_errno));
    if (e->fts_info != FTS_F && e->fts_info != FTS_SL) continue;
    if (stat(e->fts_accpath, &is) || !S_ISREG(is.st_mode)) continue;
    const char *rel = hf_host()->intern(c, e->fts_path + skip, SIZE_MAX);
    if (!rel)
      st = HF_ENOMEM;
    else if (hf_hub_bucket_wanted(filter, rel))
      st = add(c, list, (struct side){.path = rel, .size = is.st_size, .us = us_of_stat(&is)});
    if (st == HF_OK) st = hf_host()->check(c);
  }
  if (walk) fts_close(walk);
  return st;
}

/* Only those that the bucket has. */
static hf_status look(hf_call *c, const char *folder, const struct list *remote, struct list *list) {
  for (size_t i = 0; i < remote->count; i++) {
    struct stat st;
    const char *path = hf_hub_text(c, "%s/%s", folder, remote->rows[i].path);
    if (!path) return HF_ENOMEM;
    if (stat(path, &st) || S_ISDIR(st.st_mode)) continue;
    TRY(add(c, list, (struct side){.path = remote->rows[i].path, .size = st.st_size, .us = us_of_stat(&st)}));
  }
  return HF_OK;
}

/* ---- both --------------------------------------------------------------------------------------------------------------------------------- */

struct choice {
  bool up, delete, ignore_times, ignore_sizes, existing, ignore_existing;
};

static void judge(const struct choice *how, const struct side *source, const struct side *dest, struct hf_sync_op *op) {
  enum hf_sync_action move = how->up ? HF_SYNC_UPLOAD : HF_SYNC_DOWNLOAD;
  const char *newer = how->up ? "local newer" : "remote newer", *older = how->up ? "remote newer" : "local newer";
  bool differs = source->size != dest->size, is_newer = source->us - dest->us > GRACE_US;
  op->action = HF_SYNC_SKIP;
  if (how->ignore_existing) {
    op->reason = "exists on receiver (--ignore-existing)";
  } else if (how->ignore_sizes) {
    if (is_newer) op->action = move;
    op->reason = is_newer ? newer : dest->us - source->us > GRACE_US ? older : "same mtime";
  } else if (how->ignore_times) {
    if (differs) op->action = move;
    op->reason = differs ? "size differs" : "same size";
  } else {
    if (differs || is_newer) op->action = move;
    op->reason = differs ? "size differs" : is_newer ? newer : "identical";
  }
}

static hf_status pair(hf_call *c, const struct choice *how, const struct side *local, const struct side *remote,
                      struct hf_sync_plan *plan) {
  const struct side *source = how->up ? local : remote, *dest = how->up ? remote : local;
  const struct side *any = source ? source : dest;
  struct hf_sync_op op = {.path = any->path,
                          .size = any->size,
                          .hash = remote ? remote->hash : NULL,
                          .local_us = local ? local->us : HF_NO_TIME,
                          .remote_us = remote ? remote->us : HF_NO_TIME};
  if (source && dest) {
    judge(how, source, dest, &op);
  } else if (source) {
    op.action = how->existing ? HF_SYNC_SKIP : how->up ? HF_SYNC_UPLOAD : HF_SYNC_DOWNLOAD;
    op.reason = how->existing ? "new file (--existing)" : "new file";
  } else if (how->delete) {
    op.action = HF_SYNC_DELETE;
    op.reason = "not in source (--delete)";
  } else {
    return HF_OK;
  }
  return hf_hub_sync_add(c, plan, &op);
}

static hf_status pairs(hf_call *c, const struct choice *how, struct list *local, struct list *remote,
                       struct hf_sync_plan *plan) {
  size_t i = 0, k = 0;
  if (local->count) qsort(local->rows, local->count, sizeof *local->rows, by_path);
  if (remote->count) qsort(remote->rows, remote->count, sizeof *remote->rows, by_path);
  while (i < local->count || k < remote->count) {
    int order = i == local->count ? 1 : k == remote->count ? -1 : strcmp(local->rows[i].path, remote->rows[k].path);
    TRY(pair(c, how, order <= 0 ? &local->rows[i] : NULL, order >= 0 ? &remote->rows[k] : NULL, plan));
    i += order <= 0;
    k += order >= 0;
  }
  return HF_OK;
}

/* A bucket that is not there yet is one without files. */
static hf_status list_remote(struct hf_hub *hub, const struct hf_hub_uri *uri, const struct hf_bucket_filter *filter,
                             bool may_lack, struct list *remote) {
  struct remote r = {hub->call, uri->path, filter, remote};
  hf_status st = hf_hub_bucket_tree(hub, uri->id, uri->path, true, on_remote, &r);
  if (st == HF_OK || !may_lack || !hf_hub_error_is(hf_host()->error(hub->call), "BucketNotFoundError")) return st;
  hf_host()->clear(hub->call);
  return HF_OK;
}

hf_status hf_hub_sync_compare(struct hf_hub *hub, const hf_args *args, struct hf_sync_plan *plan) {
  hf_call *c = hub->call;
  struct list local = {0}, remote = {0};
  struct hf_bucket_filter filter;
  struct hf_hub_uri uri;
  struct stat is;
  struct choice how = {.up = strncmp(plan->source, "hf://", 5) != 0,
                       .delete = hf_hub_given(args, "delete"),
                       .ignore_times = hf_hub_given(args, "ignore_times"),
                       .ignore_sizes = hf_hub_given(args, "ignore_sizes"),
                       .existing = hf_hub_given(args, "existing"),
                       .ignore_existing = hf_hub_given(args, "ignore_existing")};
  const char *folder = hf_hub_path(c, how.up ? plan->source : plan->dest);
  TRY(folder ? hf_hub_bucket_filter(c, args, hf_hub_arg(args, "filter_from"), &filter) : HF_ENOMEM);
  TRY(hf_hub_bucket_parse(c, how.up ? plan->dest : plan->source, &uri));
  hf_status st = how.up ? walk(c, folder, &filter, &local) : HF_OK;
  if (st == HF_OK) st = list_remote(hub, &uri, &filter, how.up, &remote);
  if (st == HF_OK && !how.up && stat(folder, &is) == 0 && S_ISDIR(is.st_mode))
    st = how.delete ? walk(c, folder, &filter, &local) : look(c, folder, &remote, &local);
  if (st == HF_OK) st = pairs(c, &how, &local, &remote, plan);
  free(local.rows);
  free(remote.rows);
  return st;
}
