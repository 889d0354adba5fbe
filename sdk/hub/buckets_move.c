/* buckets_move.c - bytes of files to a bucket and from it. They go by Xet alone: there is no other way to a bucket's files.
 * What is fetched is hashed on the way, lies in a folder of its own until it is whole, and then takes its place.
 * What is sent is named by the adapter; the bucket has a file when its name is told, by the changes that the caller makes. */
#include "buckets_sync.h"
#include "commit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AT_ONCE 1000 /* paths of one question */

static hf_status no_xet(hf_call *c, const char *id) {
  return hf_hub_fail(c, HF_ENOSYS, "CLIError",
                     "The files of bucket '%s' are moved by Xet only, which is switched off or not installed: unset "
                     "HF_HUB_DISABLE_XET and HF_TRANSFER, and see `hf plugin list`.",
                     id);
}

static const char *token_url(struct hf_hub *hub, const char *id, bool write) {
  return hf_hub_bucket_url(hub, id, write ? "/xet-write-token" : "/xet-read-token");
}

/* ---- what is asked about files --------------------------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b) {
  return strcmp((*(struct hf_bucket_item *const *)a)->path, (*(struct hf_bucket_item *const *)b)->path);
}

static hf_status note(hf_call *c, struct hf_bucket_item **sorted, size_t n, const json_t *info) {
  struct hf_bucket_item key = {.path = hf_hub_get(info, "path")}, *wanted = &key;
  const char *hash = hf_hub_get(info, "xetHash");
  const json_t *size = json_object_get(info, "size");
  struct hf_bucket_item **found = key.path ? bsearch(&wanted, sorted, n, sizeof *sorted, by_path) : NULL;
  if (!found || !hash || !json_is_integer(size)) return HF_OK;
  while (found > sorted && !strcmp(found[-1]->path, key.path)) found--;
  const char *kept = hf_host()->intern(c, hash, SIZE_MAX);
  for (; kept && found < sorted + n && !strcmp((*found)->path, key.path); found++)
    (*found)->hash = kept, (*found)->size = json_integer_value(size);
  return kept ? HF_OK : HF_ENOMEM;
}

static hf_status ask(struct hf_hub *hub, const char *url, struct hf_bucket_item **items, size_t n) {
  json_t *paths = json_array(), *body, *answer = NULL, *info;
  size_t i;
  for (i = 0; i < n; i++) json_array_append_new(paths, json_string(items[i]->path));
  body = json_pack("{s:o}", "paths", paths);
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  json_decref(body);
  if (!text) return hf_hub_fail(hub->call, HF_EINVAL, "ValueError", "A path is not UTF-8.");
  struct hf_hub_req req = {.method = "POST",
                           .url = url,
                           .flags = HF_HTTP_IDEMPOTENT,
                           .type = "application/json",
                           .body = text,
                           .body_len = strlen(text)};
  hf_status st = hf_hub_json(hub, &req, &answer);
  free(text);
  TRY(st);
  json_array_foreach(answer, i, info) if (st == HF_OK) st = note(hub->call, items, n, info);
  json_decref(answer);
  return st;
}

/* Hash and size of those that have none; what the bucket does not have keeps a NULL hash. */
static hf_status look_up(struct hf_hub *hub, const char *id, struct hf_bucket_item *items, uint32_t count) {
  struct hf_bucket_item **unknown = malloc((count + 1) * sizeof *unknown);
  const char *url = hf_hub_bucket_url(hub, id, "/paths-info");
  size_t n = 0;
  hf_status st = unknown && url ? HF_OK : HF_ENOMEM;
  for (uint32_t i = 0; st == HF_OK && i < count; i++)
    if (!items[i].hash) unknown[n++] = &items[i];
  if (st == HF_OK) qsort(unknown, n, sizeof *unknown, by_path);
  for (size_t at = 0; st == HF_OK && at < n; at += AT_ONCE)
    st = ask(hub, url, unknown + at, n - at < AT_ONCE ? n - at : AT_ONCE);
  free(unknown);
  return st;
}

/* ---- fetching ------------------------------------------------------------------------------------------------------------------- */

struct fetching {
  const char *folder;
  struct hf_bucket_item *items; /* of the files that have bytes */
};

static int drop(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path) != 0 && errno != ENOENT ? -1 : 0;
}

static hf_status place(hf_call *c, const char *made, const char *local) {
  struct stat st;
  if (stat(local, &st) == 0 && S_ISDIR(st.st_mode))
    return hf_hub_fail(c, HF_EIO, "OSError", "Expected file but found directory at '%s'", local);
  TRY(hf_hub_folders_above(c, local));
  int err = hf_hub_place(made, local);
  return err ? hf_hub_fail(c, HF_EIO, NULL, "'%s' cannot be put in place: %s.", local, strerror(err)) : HF_OK;
}

static hf_status on_done(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i, hf_status st,
                         const struct hf_st_file *is) {
  struct fetching *g = arg;
  (void)f, (void)is;
  if (st != HF_OK) return HF_OK;
  const char *made = hf_hub_text(c, "%s/%s", g->folder, g->items[i].path);
  return made ? place(c, made, g->items[i].local) : HF_ENOMEM;
}

static hf_status run_fetch(struct hf_hub *hub, const char *id, hf_store *store, struct fetching *g, uint32_t count) {
  struct hf_fetch_file *files = calloc(count, sizeof *files);
  struct hf_fetch fetch = {.struct_size = sizeof fetch,
                           .repo = {"model", id}, /* stores know repos only; the folder is ours */
                           .commit = "0000000000000000000000000000000000000000",
                           .endpoint = hub->endpoint,
                           .token_url = token_url(hub, id, false),
                           .store = store,
                           .files = files,
                           .count = count,
                           .adapters = "xet",
                           .arg = g,
                           .done = on_done};
  hf_status st = files && fetch.token_url ? hf_hub_ready(hub) : HF_ENOMEM;
  for (uint32_t i = 0; files && i < count; i++) {
    const struct hf_bucket_item *item = &g->items[i];
    files[i] = (struct hf_fetch_file){.struct_size = sizeof files[i],
                                      .flags = HF_IN_VIA_XET,
                                      .path = item->path,
                                      .etag = item->hash,
                                      .xet_hash = item->hash,
                                      .url = fetch.token_url, /* of no use: no adapter but Xet is asked */
                                      .size = (uint64_t)item->size};
  }
  if (st == HF_OK) st = hf_fetch(hub->call, &fetch);
  free(files);
  return st;
}

static hf_status check_item(hf_call *c, const char *id, const struct hf_bucket_item *item) {
  TRY(hf_hub_check_file(c, item->path));
  if (!item->hash)
    return hf_hub_fail(c, HF_ENOTFOUND, "EntryNotFoundError", "1 file(s) not found in bucket '%s': %s", id, item->path);
  if (item->size < 0 || (item->size && !hf_hub_is_hex(item->hash, 64)))
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub gives no proper hash of '%s'; check HF_ENDPOINT.", item->path);
  return HF_OK;
}

static hf_status make_empty(hf_call *c, const char *local) {
  struct stat st;
  if (stat(local, &st) == 0 && S_ISDIR(st.st_mode))
    return hf_hub_fail(c, HF_EIO, "OSError", "Expected file but found directory at '%s'", local);
  TRY(hf_hub_folders_above(c, local));
  FILE *f = fopen(local, "we");
  if (f && !fclose(f)) return HF_OK;
  return hf_hub_fail(c, HF_EIO, NULL, "The file '%s' cannot be made: %s.", local, strerror(errno));
}

hf_status hf_hub_bucket_fetch(struct hf_hub *hub, const char *id, struct hf_bucket_item *items, uint32_t count) {
  hf_call *c = hub->call;
  struct hf_bucket_item *large = calloc(count + 1, sizeof *large);
  uint32_t n = 0;
  char folder[4096] = "";
  hf_status st = large ? look_up(hub, id, items, count) : HF_ENOMEM;
  for (uint32_t i = 0; st == HF_OK && i < count; i++) {
    st = check_item(c, id, &items[i]);
    if (st == HF_OK && items[i].size) large[n++] = items[i];
  }
  for (uint32_t i = 0; st == HF_OK && i < count; i++)
    if (!items[i].size) st = make_empty(c, items[i].local);
  if (st == HF_OK && n && !hf_hub_uses_xet(c)) st = no_xet(c, id);
  if (st == HF_OK && n) {
    const char *beside = hf_hub_place_beside(c, large[0].local), *slash = beside ? strrchr(beside, '/') : NULL;
    st = hf_hub_folders_above(c, large[0].local);
    if (st == HF_OK && snprintf(folder, sizeof folder, "%.*s.tmpXXXXXX", slash ? (int)(slash - beside + 1) : 0,
                                beside ? beside : "") >= (int)sizeof folder)
      *folder = 0;
    if (st == HF_OK && (!*folder || !mkdtemp(folder))) {
      st = hf_hub_fail(c, HF_EIO, NULL, "No folder can be made beside '%s': %s.", large[0].local, strerror(errno));
      *folder = 0;
    }
  }
  struct fetching g = {.folder = folder, .items = large};
  hf_store *store = NULL;
  const char *uri = st == HF_OK && n ? hf_hub_path(c, folder) : NULL;
  if (uri) uri = hf_hub_text(c, "local-dir:%s", uri);
  if (st == HF_OK && n) st = uri ? hf_store_open(c, uri, &store) : HF_ENOMEM;
  if (st == HF_OK && n) st = run_fetch(hub, id, store, &g, n);
  hf_store_close(store);
  if (*folder) nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  free(large);
  return st;
}

hf_status hf_hub_bucket_pipe(struct hf_hub *hub, const char *id, struct hf_bucket_item *item, hf_out *out) {
  hf_call *c = hub->call;
  const char *tmp = getenv("TMPDIR");
  char folder[4096];
  if (snprintf(folder, sizeof folder, "%s/hf-bucket-XXXXXX", tmp && *tmp ? tmp : "/tmp") >= (int)sizeof folder ||
      !mkdtemp(folder))
    return hf_hub_fail(c, HF_EIO, NULL, "No folder can be made in '%s': %s.", tmp && *tmp ? tmp : "/tmp",
                       strerror(errno));
  item->local = hf_hub_text(c, "%s/file", folder);
  hf_status st = item->local ? hf_hub_bucket_fetch(hub, id, item, 1) : HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_copy_out(c, out, item->local);
  nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  return st;
}

/* ---- sending -------------------------------------------------------------------------------------------------------------------- */

/* What a name says of the content. */
static const struct {
  const char *ending, *type;
} types[] = {{".txt", "text/plain"},
             {".log", "text/plain"},
             {".md", "text/markdown"},
             {".html", "text/html"},
             {".htm", "text/html"},
             {".css", "text/css"},
             {".csv", "text/csv"},
             {".tsv", "text/tab-separated-values"},
             {".py", "text/x-python"},
             {".xml", "text/xml"},
             {".js", "text/javascript"},
             {".json", "application/json"},
             {".bin", "application/octet-stream"},
             {".pdf", "application/pdf"},
             {".zip", "application/zip"},
             {".tar", "application/x-tar"},
             {".h5", "application/x-hdf5"},
             {".png", "image/png"},
             {".jpg", "image/jpeg"},
             {".jpeg", "image/jpeg"},
             {".gif", "image/gif"},
             {".svg", "image/svg+xml"},
             {".webp", "image/webp"},
             {".bmp", "image/bmp"},
             {".tiff", "image/tiff"},
             {".mp3", "audio/mpeg"},
             {".wav", "audio/x-wav"},
             {".mp4", "video/mp4"},
             {".webm", "video/webm"},
             {".mov", "video/quicktime"}};

static const char *type_of(const char *name) {
  const char *slash = name ? strrchr(name, '/') : NULL, *base = slash ? slash + 1 : name;
  const char *dot = base ? strrchr(base, '.') : NULL;
  for (size_t i = 0; dot && dot > base && i < HF_COUNT(types); i++)
    if (!strcasecmp(dot, types[i].ending)) return types[i].type;
  return NULL;
}

struct sending {
  struct hf_bucket_item *items;
  int64_t *mtime_ms;
};

static hf_status on_open(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, struct hf_source **source) {
  struct sending *s = arg;
  struct hf_stamp stamp;
  if (!s->items[i].local)
    return hf_source_memory(c, s->items[i].path, s->items[i].data, (size_t)s->items[i].size, source);
  TRY(hf_source_file(c, s->items[i].local, 0, NULL, source, &stamp));
  s->items[i].size = (int64_t)stamp.size;
  f->size = stamp.size;
  s->mtime_ms[i] = stamp.mtime_ns / 1000000;
  return HF_OK;
}

static hf_status on_scanned(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, const struct hf_scan *scan) {
  (void)c, (void)arg, (void)f, (void)i, (void)scan;
  return HF_OK; /* that there is one lets the digest be made while the file is read */
}

static hf_status add_change(hf_call *c, const struct hf_bucket_item *item, const struct hf_send_file *f, int64_t mtime,
                            json_t *changes) {
  char hex[65];
  if (f->digest.algo != HF_DIGEST_XET || f->digest.len != 32)
    return hf_hub_fail(c, HF_EPROTO, NULL, "'%s' was sent without a name for it; the adapter is too old for buckets.",
                       item->path);
  for (int b = 0; b < 32; b++) snprintf(hex + 2 * b, 3, "%02x", f->digest.bytes[b]);
  const char *type = type_of(item->local);
  if (!type) type = type_of(item->path);
  json_t *line = json_pack("{s:s, s:s, s:s, s:I}", "type", "addFile", "path", item->path, "xetHash", hex, "mtime",
                           (json_int_t)mtime);
  if (line && type) json_object_set_new(line, "contentType", json_string(type));
  return line && !json_array_append_new(changes, line)
             ? HF_OK
             : hf_hub_fail(c, HF_EINVAL, "ValueError", "The path '%s' is not UTF-8.", item->path);
}

hf_status hf_hub_bucket_send(struct hf_hub *hub, const char *id, struct hf_bucket_item *items, uint32_t count,
                             json_t *changes) {
  hf_call *c = hub->call;
  struct hf_send_file *files = calloc(count + 1, sizeof *files);
  struct sending s = {items, calloc(count + 1, sizeof *s.mtime_ms)};
  struct timespec now;
  hf_status st = files && s.mtime_ms ? HF_OK : HF_ENOMEM;
  clock_gettime(CLOCK_REALTIME, &now);
  for (uint32_t i = 0; st == HF_OK && i < count; i++) {
    struct stat is;
    if (items[i].local && stat(items[i].local, &is))
      st = hf_hub_fail(c, HF_EIO, "OSError", "The file '%s' cannot be looked at: %s.", items[i].local, strerror(errno));
    files[i] =
        (struct hf_send_file){.struct_size = sizeof files[i],
                              .path = items[i].path,
                              .size = items[i].local && st == HF_OK ? (uint64_t)is.st_size : (uint64_t)items[i].size};
    s.mtime_ms[i] = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
  }
  if (st == HF_OK && !hf_hub_uses_xet(c)) st = no_xet(c, id);
  struct hf_send send = {.struct_size = sizeof send,
                         .repo = {"bucket", id},
                         .revision = "main",
                         .endpoint = hub->endpoint,
                         .token_url = token_url(hub, id, true),
                         .files = files,
                         .count = count,
                         .adapters = "xet",
                         .arg = &s,
                         .open = on_open,
                         .scanned = on_scanned};
  if (st == HF_OK && !send.token_url) st = HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_ready(hub);
  if (st == HF_OK && count) st = hf_send(c, &send);
  for (uint32_t i = 0; st == HF_OK && i < count; i++) st = add_change(c, &items[i], &files[i], s.mtime_ms[i], changes);
  free(s.mtime_ms);
  free(files);
  return st;
}
