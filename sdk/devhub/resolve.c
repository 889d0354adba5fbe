/* resolve.c - files: resolve (with the redirect of large files to the CDN origin), raw, resolve-cache, and the CDN itself.
 * A CDN URL names a blob by its hash and carries an expiry and a signature; without a good one there is 403 and XML, as
 * the storage behind a Hub answers. Large means kept by LFS. */
#include "cas.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *suffix, *type;
} media_types[] = {
    {".json", "text/plain; charset=utf-8"},
    {".md", "text/plain; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
    {".py", "text/plain; charset=utf-8"},
    {".yaml", "text/plain; charset=utf-8"},
    {".jsonl", "text/plain; charset=utf-8"},
    {".csv", "text/plain; charset=utf-8"},
    {".gitattributes", "text/plain; charset=utf-8"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".html", "text/plain; charset=utf-8"},
};

static const char *media_type(const char *path) {
  size_t size = strlen(path);
  for (size_t i = 0; i < sizeof media_types / sizeof *media_types; i++) {
    size_t n = strlen(media_types[i].suffix);
    if (size >= n && strcmp(path + size - n, media_types[i].suffix) == 0) return media_types[i].type;
  }
  return "application/octet-stream";
}

static char *disposition(const char *path) {
  struct text t = {0};
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  dh_text_str(&t, "inline; filename*=UTF-8''");
  dh_text_percent(&t, name, "");
  dh_text_str(&t, "; filename=\"");
  for (; *name; name++)
    dh_text_addf(&t, "%c", *name >= ' ' && *name < 127 && *name != '"' && *name != '\\' ? *name : '_');
  dh_text_str(&t, "\";");
  return dh_text_take(&t);
}

/* Where a file is in the content-addressed storage, and how a token for it is had. */
static void say_xet(struct request *r, const struct entry *e) {
  char hash[65];
  if (!dh_cas_hash(r->server->store, e->blob.sha256, hash)) return;
  struct text route = {0};
  dh_origin(r, &route, ORIGIN_HUB);
  dh_text_addf(&route, "/api/%ss/%s/xet-read-token/%s", dh_repo_type_name(r->type), r->repo.name, r->commit.oid);
  char *url = dh_text_take(&route);
  dh_reply_header(&r->reply, "X-Xet-Hash", "%s", hash);
  dh_reply_header(&r->reply, "X-Xet-Refresh-Route", "%s", url ? url : "");
  dh_reply_header(&r->reply, "Link", "<%s>; rel=\"xet-auth\"", url ? url : "");
  free(url);
}

static void redirect_to_cdn(struct request *r, const struct entry *e) {
  char path[160];
  struct text t = {0};
  const char *sha256 = e->blob.sha256;
  snprintf(path, sizeof path, "/repos/%.2s/%.2s/%s", sha256, sha256 + 2, sha256);
  dh_sign(r, &t, ORIGIN_CDN, path, r->server->cdn_seconds);
  char *shown = disposition(e->path);
  dh_text_str(&t, "&response-content-disposition=");
  dh_text_percent(&t, shown ? shown : "", "");
  free(shown);
  dh_text_str(&t, "&response-content-type=");
  dh_text_percent(&t, media_type(e->path), "");
  char *location = dh_text_take(&t);
  r->reply.status = 302;
  dh_reply_header(&r->reply, "Location", "%s", location ? location : "/");
  free(location);
  dh_reply_header(&r->reply, "X-Linked-Size", "%lld", (long long)e->size);
  dh_reply_header(&r->reply, "X-Linked-ETag", "\"%s\"", sha256);
  dh_reply_header(&r->reply, "Accept-Ranges", "bytes");
  dh_reply_header(&r->reply, "Cache-Control", "no-store");
  say_xet(r, e);
}

static void redirect_to_cache(struct request *r, const struct entry *e) {
  struct text t = {0};
  dh_text_addf(&t, "/api/resolve-cache/%ss/%s/%s/", dh_repo_type_name(r->type), r->repo.name, r->commit.oid);
  dh_text_percent(&t, e->path, "/");
  dh_text_addf(&t, "?etag=%%22%s%%22", e->oid);
  char *location = dh_text_take(&t);
  r->reply.status = 307;
  dh_reply_header(&r->reply, "Location", "%s", location ? location : "/");
  free(location);
  dh_reply_header(&r->reply, "X-Linked-Size", "%lld", (long long)e->size);
  dh_reply_header(&r->reply, "X-Linked-ETag", "\"%s\"", e->oid);
}

static bool entry_find(struct request *r, struct entry *e) {
  int rc = dh_path_valid(r->file) ? dh_store_entry(r->server->store, r->commit.tree, r->file, e) : STORE_NONE;
  dh_reply_header(&r->reply, "X-Repo-Commit", "%s", r->commit.oid);
  if (rc == STORE_OK && e->directory) rc = STORE_NONE;
  if (rc == STORE_NONE) dh_reply_error(r, 404, "EntryNotFound", "Entry not found");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK;
}

static void send_entry(struct request *r, const struct entry *e) {
  char *shown = disposition(e->path);
  dh_reply_header(&r->reply, "Content-Type", "%s", media_type(e->path));
  dh_reply_header(&r->reply, "Content-Disposition", "%s", shown ? shown : "inline");
  free(shown);
  dh_reply_blob(r, &e->blob, e->oid);
}

static void answer(struct request *r, bool cache) {
  struct entry e;
  if (!entry_find(r, &e)) return;
  if (e.lfs) {
    redirect_to_cdn(r, &e);
  } else if (cache) {
    redirect_to_cache(r, &e);
  } else {
    send_entry(r, &e);
  }
}

void dh_resolve(struct request *r) {
  answer(r, r->server->resolve_cache);
}

void dh_resolve_cache(struct request *r) {
  answer(r, false);
}

void dh_raw(struct request *r) {
  struct entry e;
  if (!entry_find(r, &e)) return;
  if (!e.lfs) {
    send_entry(r, &e);
    return;
  }
  struct text t = {0};
  char pointer[200];
  dh_text_add(&t, pointer, (size_t)dh_lfs_pointer(pointer, e.blob.sha256, (uint64_t)e.size));
  dh_reply_header(&r->reply, "ETag", "\"%s\"", e.oid);
  dh_reply_text(r, 200, "text/plain; charset=utf-8", &t);
}

void dh_cdn(struct request *r) {
  const char *type = dh_request_parameter(r, "response-content-type"),
             *shown = dh_request_parameter(r, "response-content-disposition"), *sha256 = strrchr(r->file, '/');
  struct blob b;
  if (!dh_signed(r)) return;
  if (!sha256 || dh_blob_find(r->server->store, sha256 + 1, &b) != STORE_OK) {
    dh_storage_error(r, 404, "NoSuchKey", "The specified key does not exist.");
    return;
  }
  dh_reply_header(&r->reply, "Content-Type", "%s", type ? type : "binary/octet-stream");
  if (shown) dh_reply_header(&r->reply, "Content-Disposition", "%s", shown);
  dh_reply_blob(r, &b, b.sha256);
}
