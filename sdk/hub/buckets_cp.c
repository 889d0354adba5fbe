/* buckets_cp.c - copies into a bucket: what the Hub has by a Xet hash is copied there, without bytes passing by here; small files of
 * a repo that have none are fetched and sent.
 * Also one file from here into a bucket.
 * A folder with a slash at its end means its content; else it is put below the destination under its own name, if that is a folder. */
#include "buckets_sync.h"
#include "commit.h"

#include <string.h>
#include <time.h>

#define GIT_OWN ".gitattributes"

struct copying {
  struct hf_hub *hub;
  const char *src, *dst;
  const struct hf_hub_uri *from, *to;
  bool folder, exists, merge; /* destination: a folder, one that is there; source: only its content */
  json_t *changes;
  struct hf_bucket_item *small; /* files to be fetched and sent; path: in the bucket, local: in the repo */
  uint32_t count, room;
};

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static bool ends_with_slash(const char *text) {
  size_t n = strlen(text);
  return n && text[n - 1] == '/';
}

/* root NULL: one file. NULL: error set. */
static const char *target(const struct copying *k, const char *path, const char *root) {
  hf_call *c = k->hub->call;
  const char *to = k->to->path, *rel = base_name(path);
  size_t n = root ? strlen(root) : 0;
  if (!root) return !*to ? rel : k->folder ? hf_hub_text(c, "%s/%s", to, rel) : to;
  if (!n) rel = path;
  if (n && path[n] == '/') rel = path + n + 1;
  const char *nest = k->exists && n && !k->merge ? base_name(root) : NULL, *slash = *to ? "/" : "";
  return nest ? hf_hub_text(c, "%s%s%s/%s", to, slash, nest, rel) : hf_hub_text(c, "%s%s%s", to, slash, rel);
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static hf_status add(struct copying *k, const json_t *item, const char *root) {
  hf_call *c = k->hub->call;
  const char *path = hf_hub_get(item, "path"), *hash = hf_hub_get(item, "xetHash");
  if (strcmp(k->from->type, "bucket") != 0 && !strcmp(base_name(path), GIT_OWN)) return HF_OK;
  const char *to = target(k, path, root);
  if (!to) return HF_ENOMEM;
  if (!hash) {
    if (k->count == k->room) {
      uint32_t more = k->room ? k->room * 2 : 16;
      struct hf_bucket_item *grown = hf_host()->arena(c, more * sizeof *grown);
      if (!grown) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
      if (k->count) memcpy(grown, k->small, k->count * sizeof *grown);
      k->small = grown;
      k->room = more;
    }
    k->small[k->count++] = (struct hf_bucket_item){.path = to, .local = hf_host()->intern(c, path, SIZE_MAX)};
    return HF_OK;
  }
  json_t *line = json_pack("{s:s, s:s, s:s, s:I, s:s, s:s}", "type", "copyFile", "path", to, "xetHash", hash, "mtime",
                           (json_int_t)now_ms(), "sourceRepoType", k->from->type, "sourceRepoId", k->from->id);
  return line && !json_array_append_new(k->changes, line)
             ? HF_OK
             : hf_hub_fail(c, HF_EINVAL, "ValueError", "The path '%s' is not UTF-8.", to);
}

static hf_status on_source(void *arg, json_t *item) {
  struct copying *k = arg;
  const char *type = hf_hub_get(item, "type"), *path = hf_hub_get(item, "path");
  return type && path && !strcmp(type, "file") ? add(k, item, k->from->path) : HF_OK;
}

static hf_status on_any(void *arg, json_t *item) {
  (void)item;
  *(bool *)arg = true;
  return HF_PENDING;
}

/* What a bucket says of one path; *info NULL: it is no file. */
static hf_status look(struct hf_hub *hub, const struct hf_hub_uri *u, json_t **info) {
  json_t *answer = NULL, *one;
  size_t i;
  const char *url = hf_hub_bucket_url(hub, u->id, "/paths-info");
  *info = NULL;
  TRY(hf_hub_ask(hub, "POST", url, json_pack("{s:[s]}", "paths", u->path), &answer));
  json_array_foreach(answer, i, one) {
    const char *path = hf_hub_get(one, "path");
    if (path && !strcmp(path, u->path) && !*info) *info = json_incref(one);
  }
  json_decref(answer);
  return HF_OK;
}

static hf_status destination(struct copying *k) {
  json_t *info;
  k->folder = k->exists = true;
  if (!*k->to->path) return HF_OK;
  TRY(look(k->hub, k->to, &info));
  k->folder = k->exists = false;
  if (info) return json_decref(info), HF_OK;
  TRY(hf_hub_bucket_tree(k->hub, k->to->id, k->to->path, false, on_any, &k->exists));
  k->folder = k->exists || ends_with_slash(k->dst);
  return HF_OK;
}

static hf_status from_bucket(struct copying *k) {
  json_t *info = NULL;
  if (*k->from->path) TRY(look(k->hub, k->from, &info));
  if (!info) return hf_hub_bucket_tree(k->hub, k->from->id, k->from->path, true, on_source, k);
  hf_status st = add(k, info, NULL);
  json_decref(info);
  return st;
}

struct looking {
  struct copying *k;
  bool file;
  hf_status st;
};

static hf_status on_path(void *arg, json_t *entry) {
  struct looking *l = arg;
  const char *path = hf_hub_get(entry, "path"), *type = hf_hub_get(entry, "type");
  if (!path || !type || strcmp(type, "file") != 0 || strcmp(path, l->k->from->path) != 0) return HF_OK;
  l->file = true;
  return add(l->k, entry, NULL);
}

static hf_status from_repo(struct copying *k) {
  const struct hf_repo repo = {k->from->type, k->from->id};
  const char *revision = k->from->revision;
  struct looking l = {.k = k};
  if (*k->from->path) TRY(hf_hub_paths(k->hub, &repo, revision ? revision : "main", &k->from->path, 1, on_path, &l));
  if (l.file) return HF_OK;
  return hf_hub_tree(k->hub, &repo, revision, k->from->path, true, false, on_source, k);
}

static hf_status send_small(struct copying *k) {
  struct hf_hub_want w = {.repo = {k->from->type, k->from->id},
                          .revision = k->from->revision ? k->from->revision : "main"};
  for (uint32_t i = 0; i < k->count; i++) TRY(hf_hub_file(k->hub, &w, k->small[i].local, &k->small[i].local, NULL));
  return k->count ? hf_hub_bucket_send(k->hub, k->to->id, k->small, k->count, k->changes) : HF_OK;
}

hf_status hf_hub_bucket_copy(struct hf_hub *hub, const char *src, const char *dst, const struct hf_hub_uri *from,
                             const struct hf_hub_uri *to) {
  bool bucket = !strcmp(from->type, "bucket");
  struct copying k = {.hub = hub, .src = src, .dst = dst, .from = from, .to = to, .merge = ends_with_slash(src)};
  k.changes = json_array();
  hf_status st = k.changes ? destination(&k) : HF_ENOMEM;
  if (st == HF_OK) st = bucket ? from_bucket(&k) : from_repo(&k);
  if (st == HF_OK && !k.count && !json_array_size(k.changes))
    st = hf_hub_fail(hub->call, HF_ENOTFOUND, "EntryNotFoundError", "No files found at '%s' in %s '%s'.", src,
                     from->type, from->id);
  if (st == HF_OK) st = send_small(&k);
  if (st == HF_OK) st = hf_hub_bucket_batch(hub, to->id, k.changes);
  json_decref(k.changes);
  return st;
}

hf_status hf_hub_bucket_put(struct hf_hub *hub, const char *id, struct hf_bucket_item *item) {
  json_t *changes = json_array();
  hf_status st = changes ? hf_hub_bucket_send(hub, id, item, 1, changes) : HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_bucket_batch(hub, id, changes);
  json_decref(changes);
  return st;
}
