/* want.c - what the two kinds of download share: the stores they go through, the commit a revision was, what a dry run
 * says about a file, and the hand-over of files to the dispatcher.
 * A store is named by --store or HF_STORE; else it is the folder asked for, else the Hub cache. Behind a folder the Hub
 * cache is asked for the bytes before the network. */
#include "hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static hf_status out_of_memory(hf_call *c) {
  return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
}

hf_status hf_hub_stores_open(struct hf_hub *hub, const struct hf_hub_want *w, struct hf_hub_stores *s) {
  hf_call *c = hub->call;
  const char *uri = hf_hub_setting(c, "HF_STORE");
  *s = (struct hf_hub_stores){0};
  if (w->local_dir || w->cache_dir || !uri) {
    s->local = w->local_dir != NULL;
    s->root = w->local_dir   ? hf_hub_path(c, w->local_dir)
              : w->cache_dir ? hf_hub_path(c, w->cache_dir)
                             : hf_hub_cache_dir(c);
    uri = s->root ? hf_hub_text(c, "%s:%s", s->local ? "local-dir" : "hub-cache", s->root) : NULL;
  } else {
    s->local = !strncmp(uri, "local-dir:", 10);
  }
  if (!uri) return hf_host()->error(c) ? hf_host()->error(c)->code : out_of_memory(c);
  TRY(hf_store_open(c, uri, &s->store));
  if (!s->local) return HF_OK;
  const char *dir = w->cache_dir ? hf_hub_path(c, w->cache_dir) : hf_hub_cache_dir(c);
  const char *cache = dir ? hf_hub_text(c, "hub-cache:%s", dir) : NULL;
  if (!cache || hf_store_open(c, cache, &s->cache) != HF_OK) { /* a help, not a need */
    hf_host()->clear(c);
    s->cache = NULL;
  }
  return HF_OK;
}

void hf_hub_stores_close(struct hf_hub_stores *s) {
  hf_store_close(s->cache);
  hf_store_close(s->store);
  *s = (struct hf_hub_stores){0};
}

bool hf_hub_found(hf_call *c, hf_status *st) {
  if (*st == HF_OK) return true;
  if (*st != HF_ENOTFOUND && *st != HF_ENOSYS) return false;
  hf_host()->clear(c);
  *st = HF_OK;
  return false;
}

bool hf_hub_find(struct hf_hub *hub, hf_store *store, const struct hf_repo *repo, const char *commit, const char *path,
                 hf_status *st, struct hf_st_file *f) {
  struct hf_name name = {.repo = *repo, .commit = commit, .path = path};
  *f = (struct hf_st_file){.struct_size = sizeof *f};
  *st = hf_store_find(hub->call, store, &name, f);
  return hf_hub_found(hub->call, st) && !(f->flags & HF_SF_ABSENT);
}

const char *hf_hub_saved_commit(struct hf_hub *hub, const struct hf_hub_want *w, const struct hf_hub_stores *s) {
  const char *commit = NULL;
  if (hf_hub_is_commit(w->revision)) return w->revision;
  hf_store *store = s->local ? s->cache : s->store;
  if (!store || !(hf_store_caps(store) & HF_ST_REFS)) return NULL;
  if (hf_store_ref_get(hub->call, store, &w->repo, w->revision, &commit) == HF_OK) return commit;
  hf_host()->clear(hub->call);
  return NULL;
}

void hf_hub_save_commit(struct hf_hub *hub, const struct hf_hub_want *w, const struct hf_hub_stores *s,
                        const char *commit) {
  if (s->local || hf_hub_is_commit(w->revision) || !(hf_store_caps(s->store) & HF_ST_REFS)) return;
  const char *folder = NULL;
  if (hf_store_caps(s->store) & HF_ST_LOCAL_PATH) {
    hf_status st = hf_store_folder(hub->call, s->store, &w->repo, commit, &folder);
    if (!hf_hub_found(hub->call, &st) || !folder || access(folder, F_OK)) {
      hf_host()->clear(hub->call);
      return; /* a ref to nothing makes a cache look broken */
    }
  }
  if (hf_store_ref_put(hub->call, s->store, &w->repo, w->revision, NULL, commit) == HF_OK) return;
  const struct hf_error *e = hf_host()->error(hub->call);
  hf_hub_log(hub, HF_LOG_WARNING, "Ignored error while writing commit hash of revision '%s': %s", w->revision,
             e ? e->message : "unknown");
  hf_host()->clear(hub->call);
}

hf_status hf_hub_folder(struct hf_hub *hub, const struct hf_hub_want *w, const struct hf_hub_stores *s,
                        const char *commit, const char **path) {
  *path = NULL;
  if (s->local && s->root) {
    *path = s->root;
    return HF_OK;
  }
  hf_status st = hf_store_folder(hub->call, s->store, &w->repo, commit, path);
  if (hf_hub_found(hub->call, &st) && *path) return HF_OK;
  if (st != HF_OK) return st;
  *path = hf_hub_text(hub->call, "%s:%s@%s", hf_store_name(s->store), w->repo.id, commit);
  return *path ? HF_OK : HF_ENOMEM;
}

/* Does the file in a plain folder hold these bytes? By what is noted about it, else, for a SHA-256, by reading it. */
static bool same_bytes(struct hf_hub *hub, const struct hf_hub_want *w, hf_store *store, const struct hf_hub_meta *m,
                       const char *path) {
  hf_call *c = hub->call;
  struct hf_st_file f;
  hf_status st;
  if (!hf_hub_find(hub, store, &w->repo, NULL, path, &st, &f)) return hf_host()->clear(c), false;
  if (f.etag) return !strcmp(f.etag, m->etag);
  struct hf_digest want, is = {0};
  hf_hub_digest(m->etag, &want);
  struct hf_source *src = NULL;
  struct hf_name name = {.repo = w->repo, .path = path};
  if (want.algo != HF_DIGEST_SHA256 || hf_store_open_file(c, store, &name, &src) != HF_OK)
    return hf_host()->clear(c), false;
  hf_digester *d = NULL;
  struct hf_buf buf = {0};
  uint64_t off = 0;
  size_t got = 0;
  st = hf_host()->digest_new(c, HF_DIGEST_SHA256, src->size, &d);
  if (st == HF_OK) st = hf_host()->buf_get(c, 1u << 20, &buf);
  while (st == HF_OK && (st = src->pread(c, src, buf.data, buf.len, off, &got)) == HF_OK && got) {
    hf_host()->digest_add(d, buf.data, got);
    off += got;
    st = hf_host()->check(c);
  }
  if (buf.data) hf_host()->buf_put(&buf);
  if (d) hf_host()->digest_end(d, st == HF_OK ? &is : NULL);
  src->close(src);
  if (st != HF_OK && hf_host()->check(c) == HF_OK) hf_host()->clear(c);
  return st == HF_OK && is.len == want.len && !memcmp(is.bytes, want.bytes, want.len);
}

hf_status hf_hub_plan_file(struct hf_hub *hub, const struct hf_hub_want *w, const struct hf_hub_stores *s,
                           const struct hf_hub_meta *m, const char *path, struct hf_hub_plan *plan) {
  struct hf_st_file f;
  hf_status st;
  bool have = hf_hub_find(hub, s->store, &w->repo, m->commit, path, &st, &f);
  if (st != HF_OK) return st;
  if (!have && s->local) {
    have = same_bytes(hub, w, s->store, m, path);
    if (!have && s->cache) have = hf_hub_find(hub, s->cache, &w->repo, m->commit, path, &st, &f);
  } else if (!have && (hf_store_caps(s->store) & HF_ST_BLOBS)) {
    struct hf_key key = {w->repo, m->etag};
    struct hf_blob blob = {.struct_size = sizeof blob};
    st = hf_store_blob_stat(hub->call, s->store, &key, &blob);
    have = hf_hub_found(hub->call, &st) && !(blob.flags & HF_BL_PARTIAL);
  }
  TRY(st);
  *plan = (struct hf_hub_plan){.path = path, .size = m->size, .will_download = w->force || !have};
  return HF_OK;
}

/* ---- handing over to the dispatcher ----------------------------------------------------------------------------------- */

struct handover {
  struct hf_hub *hub;
  const struct hf_hub_stores *stores;
  const struct hf_hub_want *want;
  const char *commit;
  hf_hub_done_fn done;
  void *arg;
};

/* The address was refused: ask where the file is now. */
static hf_status refresh(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i) {
  struct handover *h = arg;
  struct hf_hub hub = *h->hub;
  struct hf_hub_meta m;
  const char *absent;
  (void)i;
  hub.call = c;
  TRY(hf_hub_head(&hub, &h->want->repo, h->commit, f->path, false, &m, &absent));
  if (strcmp(m.etag, f->etag) != 0)
    return hf_hub_fail(c, HF_ECONFLICT, NULL, "'%s' changed on the Hub while it was fetched; start the download again.",
                       f->path);
  f->url = m.url;
  return HF_OK;
}

static hf_status done(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i, hf_status st,
                      const struct hf_st_file *file) {
  struct handover *h = arg;
  (void)c, (void)f;
  if (st == HF_OK && h->done) h->done(h->arg, i, file);
  return HF_OK;
}

static hf_status bases(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i, struct hf_tr_base *out,
                       uint32_t *n) {
  struct handover *h = arg;
  (void)i;
  hf_store *store = h->stores->cache ? h->stores->cache : h->stores->store;
  struct hf_hub hub = *h->hub;
  uint32_t room = *n;
  hub.call = c;
  if (hf_hub_bases(c, store, &h->want->repo, h->commit, f, out, n) != HF_OK) hf_host()->clear(c), *n = 0;
  if (h->stores->local && *n < room)
    hf_hub_base_in_folder(&hub, h->stores->store, &h->want->repo, h->commit, f, out, n);
  return HF_OK;
}

static int is_xet(void *found, const struct hf_plugin_info *info) {
  *(bool *)found |= info->kind == HF_KIND_TRANSFER && !info->refused && !strcmp(info->name, "xet");
  return 0;
}

/* What Xet can bring may go to the store that all repos share. */
static void mark_xet(hf_call *c, struct hf_fetch_file *files, uint32_t count) {
  bool usable = false;
  hf_plugin_each(hf_call_runtime(c), is_xet, &usable);
  for (uint32_t i = 0; usable && i < count; i++)
    if (files[i].xet_hash) files[i].flags |= HF_IN_VIA_XET;
}

hf_status hf_hub_fetch(struct hf_hub *hub, const struct hf_hub_want *w, const struct hf_hub_stores *s,
                       const char *commit, struct hf_fetch_file *files, uint32_t count, hf_hub_done_fn fn, void *arg) {
  hf_call *c = hub->call;
  struct handover h = {hub, s, w, commit, fn, arg};
  const char *api = hf_hub_api_url(hub, &w->repo);
  struct hf_fetch fetch = {.struct_size = sizeof fetch,
                           .repo = w->repo,
                           .commit = commit,
                           .endpoint = hub->endpoint,
                           .token_url = api ? hf_hub_text(c, "%s/xet-read-token/%s", api, commit) : NULL,
                           .store = s->store,
                           .tiers = &s->cache,
                           .tier_count = s->cache && !w->force,
                           .width = w->width,
                           .files = files,
                           .count = count,
                           .adapters = hf_hub_setting(c, "HF_TRANSFER"),
                           .arg = &h,
                           .refresh = refresh,
                           .done = done,
                           .bases = w->only.len ? NULL : bases,
                           .only = w->only};
  if (!fetch.token_url) return HF_ENOMEM;
  TRY(hf_hub_ready(hub));
  mark_xet(c, files, count);
  return hf_fetch(c, &fetch);
}

/* ---- when the Hub does not answer ----------------------------------------------------------------------------------------- */

hf_status hf_hub_fall_back(struct hf_hub *hub, hf_status st, struct hf_error *e) {
  TRY(hf_hub_error_keep(hub->call, e));
  bool local = st == HF_ENET || st == HF_ETIMEDOUT || st == HF_EOFFLINE || e->http_status >= 400 ||
               hf_hub_error_is(e, "FileMetadataError");
  if (hf_hub_error_is(e, "ProxyError")) return st; /* no local copy explains a wrong proxy */
  if (!local || hf_host()->check(hub->call) != HF_OK || hf_hub_error_is(e, "RevisionNotFoundError") ||
      hf_hub_error_is(e, "RemoteEntryNotFoundError"))
    return st;
  hf_host()->clear(hub->call);
  return HF_OK;
}

hf_status hf_hub_no_copy(struct hf_hub *hub, const struct hf_error *cause) {
  if (hf_hub_error_is(cause, "RepositoryNotFoundError") || hf_hub_error_is(cause, "GatedRepoError") ||
      cause->http_status == 401)
    return hf_host()->fail(hub->call, cause);
  struct hf_error e = *cause;
  const char *why = hf_hub_cause(hub->call, cause);
  e.cls = "LocalEntryNotFoundError";
  e.message = why ? hf_hub_text(hub->call, "Local entry not found. %s", why) : NULL;
  return e.message ? hf_host()->fail(hub->call, &e) : HF_ENOMEM;
}
