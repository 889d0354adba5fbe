/* cache_scan.c - a store's rows made into a model: repos by name, their revisions by commit, refs beside what they show.
 * A row that does not fit in (a plugin's mistake) is left out.
 * The model can be given away as one JSON object, with the reference's names. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>

#define BLOB_MAX (64u << 20)

struct ref {
  const char *name, *commit;
  uint32_t repo;
};

struct reader {
  struct hf_cache *cache;
  struct ref *refs;
  uint32_t ref_count;
  bool failed;
};

hf_status hf_cache_store(hf_call *c, const char *cache_dir, hf_store **store) {
  const char *uri = cache_dir ? NULL : hf_hub_setting(c, "HF_STORE");
  if (!uri) {
    const char *dir = cache_dir ? hf_hub_path(c, cache_dir) : hf_hub_cache_dir(c);
    uri = dir ? hf_hub_text(c, "hub-cache:%s", dir) : NULL;
  }
  if (!uri) return hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
  return hf_store_open(c, uri, store);
}

void hf_cache_free(struct hf_cache *k) {
  free(k->repos);
  free(k->revisions);
  free(k->files);
  free(k->blobs);
  free(k->partials);
  free(k->shared);
  free(k->problems);
  *k = (struct hf_cache){0};
}

/* Room for one more; zeroed. */
static void *more(struct reader *r, void **list, uint32_t *count, size_t size) {
  uint32_t n = *count;
  if (!(n & (n + 1))) { /* grows at 0, 1, 3, 7 ... */
    void *grown = n < UINT32_MAX / 4 ? realloc(*list, (2 * (size_t)n + 1) * size) : NULL;
    if (!grown) {
      r->failed = true;
      return NULL;
    }
    *list = grown;
  }
  *count = n + 1;
  return memset((char *)*list + n * size, 0, size);
}

static const char *keep(struct reader *r, const char *text) {
  const char *copy = hf_host()->intern(r->cache->call, text ? text : "", SIZE_MAX);
  if (!copy) r->failed = true;
  return copy ? copy : "";
}

static double seconds(int64_t ns) {
  return (double)(ns / 1000000000) + 1e-9 * (double)(ns % 1000000000);
}

static void add_repo(struct reader *r, const struct hf_held *h) {
  struct hf_cache *k = r->cache;
  struct hf_cache_repo *repo = more(r, (void **)&k->repos, &k->repo_count, sizeof *repo);
  if (!repo) return;
  repo->repo = (struct hf_repo){keep(r, h->repo.type), keep(r, h->repo.id)};
  repo->id = hf_hub_text(k->call, "%s/%s", repo->repo.type, repo->repo.id);
  if (!repo->id) r->failed = true;
  repo->folder = h->path ? keep(r, h->path) : NULL;
  repo->first = k->revision_count;
  repo->first_blob = k->blob_count;
  repo->size = h->size;
  repo->blobs = h->count;
  repo->accessed = seconds(h->atime_ns);
  repo->modified = seconds(h->mtime_ns);
}

static void add_revision(struct reader *r, const struct hf_held *h) {
  struct hf_cache *k = r->cache;
  struct hf_cache_revision *v = more(r, (void **)&k->revisions, &k->revision_count, sizeof *v);
  if (!v) return;
  v->commit = keep(r, h->commit);
  v->folder = h->path ? keep(r, h->path) : NULL;
  v->first = k->file_count;
  v->size = h->size;
  v->modified = seconds(h->mtime_ns);
  k->repos[k->repo_count - 1].count++;
}

static void add_file(struct reader *r, const struct hf_held *h) {
  struct hf_cache *k = r->cache;
  struct hf_cache_repo *repo = &k->repos[k->repo_count - 1];
  if (!repo->count || h->blob > BLOB_MAX) return;
  while (repo->blob_count <= h->blob) {
    if (!more(r, (void **)&k->blobs, &k->blob_count, sizeof *k->blobs)) return;
    repo->blob_count++;
  }
  struct hf_cache_blob *b = &k->blobs[repo->first_blob + h->blob];
  if (!b->known)
    *b = (struct hf_cache_blob){h->size, h->shared ? keep(r, h->shared) : NULL, h->flags, true, false, false};
  struct hf_cache_file *f = more(r, (void **)&k->files, &k->file_count, sizeof *f);
  if (!f) return;
  f->path = keep(r, h->path);
  f->blob = repo->first_blob + h->blob;
  k->revisions[k->revision_count - 1].count++;
}

static void add_part(struct reader *r, const struct hf_held *h, bool shared) {
  struct hf_cache *k = r->cache;
  struct hf_cache_part *p = shared ? more(r, (void **)&k->shared, &k->shared_count, sizeof *p)
                                   : more(r, (void **)&k->partials, &k->partial_count, sizeof *p);
  if (!p) return;
  p->name = keep(r, shared ? h->shared : h->path);
  p->repo = (struct hf_repo){keep(r, h->repo.type), keep(r, h->repo.id)};
  p->size = h->size;
  p->users = h->count;
  p->flags = h->flags;
  if (!shared) k->partial_size += h->size;
  if (shared && !h->count) k->unused_count++, k->unused_size += h->size;
}

static hf_status see(void *arg, uint32_t what, const void *row) {
  struct reader *r = arg;
  struct hf_cache *k = r->cache;
  const struct hf_held *h = row;
  (void)what;
  if (h->what == HF_HELD_REPO) {
    add_repo(r, h);
  } else if (h->what == HF_HELD_REVISION && k->repo_count) {
    add_revision(r, h);
  } else if (h->what == HF_HELD_FILE && k->repo_count) {
    add_file(r, h);
  } else if (h->what == HF_HELD_REF && k->repo_count) {
    struct ref *ref = more(r, (void **)&r->refs, &r->ref_count, sizeof *ref);
    if (ref) *ref = (struct ref){keep(r, h->path), keep(r, h->commit), k->repo_count - 1};
  } else if (h->what == HF_HELD_PARTIAL || h->what == HF_HELD_SHARED) {
    add_part(r, h, h->what == HF_HELD_SHARED);
  } else if (h->what == HF_HELD_PROBLEM) {
    const char **p = more(r, (void **)&k->problems, &k->problem_count, sizeof *p);
    if (p) *p = keep(r, h->path);
  } else if (h->what == HF_HELD_TOTAL) {
    k->total = h->size;
  }
  return r->failed ? hf_hub_fail(k->call, HF_ENOMEM, NULL, "Out of memory while looking through the cache.") : HF_OK;
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

static int by_commit(const void *a, const void *b) {
  return strcmp(((const struct hf_cache_revision *)a)->commit, ((const struct hf_cache_revision *)b)->commit);
}

static int by_id(const void *a, const void *b) {
  return strcmp(((const struct hf_cache_repo *)a)->id, ((const struct hf_cache_repo *)b)->id);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct hf_cache_part *)a)->name, ((const struct hf_cache_part *)b)->name);
}

static int by_repo_commit_name(const void *a, const void *b) {
  const struct ref *x = a, *y = b;
  if (x->repo != y->repo) return x->repo < y->repo ? -1 : 1;
  int d = strcmp(x->commit, y->commit);
  return d ? d : strcmp(x->name, y->name);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Refs beside their revisions, and those of a repo together. */
static bool place_refs(struct reader *r) {
  struct hf_cache *k = r->cache;
  uint32_t n = r->ref_count, at = 0;
  const char **names = hf_host()->arena(k->call, (2 * (size_t)n + 1) * sizeof *names);
  if (!names) return false;
  if (n) qsort(r->refs, n, sizeof *r->refs, by_repo_commit_name);
  for (uint32_t i = 0; i < n; i++) names[i] = names[n + i] = r->refs[i].name;
  for (uint32_t p = 0; p < k->repo_count; p++) {
    struct hf_cache_repo *repo = &k->repos[p];
    repo->refs = names + n + at;
    uint32_t first = at;
    for (uint32_t v = 0; v < repo->count; v++) {
      struct hf_cache_revision *rev = &k->revisions[repo->first + v];
      while (at < n && r->refs[at].repo == p && strcmp(r->refs[at].commit, rev->commit) < 0) at++;
      rev->refs = names + at;
      while (at < n && r->refs[at].repo == p && !strcmp(r->refs[at].commit, rev->commit)) at++, rev->ref_count++;
    }
    while (at < n && r->refs[at].repo == p) at++;
    repo->ref_count = at - first;
    if (repo->ref_count) qsort(names + n + first, repo->ref_count, sizeof *names, by_text);
  }
  return true;
}

hf_status hf_cache_read(hf_call *c, hf_store *store, const struct hf_repo *repo, uint32_t flags, struct hf_cache *k) {
  *k = (struct hf_cache){.call = c};
  struct reader r = {.cache = k};
  hf_status st = hf_store_scan(c, store, repo, flags, see, &r);
  for (uint32_t i = 0; st == HF_OK && i < k->repo_count; i++)
    if (k->repos[i].count) qsort(k->revisions + k->repos[i].first, k->repos[i].count, sizeof *k->revisions, by_commit);
  if (st == HF_OK && !place_refs(&r)) st = HF_ENOMEM;
  if (st == HF_OK && k->repo_count) qsort(k->repos, k->repo_count, sizeof *k->repos, by_id);
  if (st == HF_OK && k->shared_count) qsort(k->shared, k->shared_count, sizeof *k->shared, by_name);
  free(r.refs);
  if (st != HF_OK) hf_cache_free(k);
  return st;
}

/* ---- for programs --------------------------------------------------------------------------------------------------- */

static json_t *texts(const char *const *list, uint32_t n) {
  json_t *out = json_array();
  for (uint32_t i = 0; i < n; i++) json_array_append_new(out, json_string(list[i]));
  return out;
}

static json_t *text_or_null(const char *s) {
  json_t *j = s ? json_string(s) : NULL;
  return j ? j : json_null();
}

static json_t *files_json(const struct hf_cache *k, const struct hf_cache_revision *v) {
  json_t *out = json_array();
  for (uint32_t i = 0; i < v->count; i++) {
    const struct hf_cache_file *f = &k->files[v->first + i];
    json_array_append_new(out,
                          json_pack("{s:s, s:I}", "path", f->path, "size_on_disk", (json_int_t)k->blobs[f->blob].size));
  }
  return out;
}

static json_t *repo_json(const struct hf_cache *k, const struct hf_cache_repo *r) {
  json_t *revisions = json_array();
  for (uint32_t i = 0; i < r->count; i++) {
    const struct hf_cache_revision *v = &k->revisions[r->first + i];
    json_array_append_new(
        revisions, json_pack("{s:s, s:o, s:I, s:f, s:o, s:o}", "commit_hash", v->commit, "snapshot_path",
                             text_or_null(v->folder), "size_on_disk", (json_int_t)v->size, "last_modified", v->modified,
                             "refs", texts(v->refs, v->ref_count), "files", files_json(k, v)));
  }
  return json_pack("{s:s, s:s, s:o, s:I, s:I, s:f, s:f, s:o, s:o}", "repo_id", r->repo.id, "repo_type", r->repo.type,
                   "repo_path", text_or_null(r->folder), "size_on_disk", (json_int_t)r->size, "nb_files",
                   (json_int_t)r->blobs, "last_accessed", r->accessed, "last_modified", r->modified, "refs",
                   texts(r->refs, r->ref_count), "revisions", revisions);
}

static json_t *parts_json(const struct hf_cache_part *p, uint32_t n, bool unused) {
  json_t *out = json_array();
  for (uint32_t i = 0; i < n; i++)
    if (!unused || !p[i].users)
      json_array_append_new(out, json_pack("{s:s, s:I}", "name", p[i].name, "size_on_disk", (json_int_t)p[i].size));
  return out;
}

json_t *hf_cache_json(const struct hf_cache *k) {
  json_t *repos = json_array();
  for (uint32_t i = 0; i < k->repo_count; i++) json_array_append_new(repos, repo_json(k, &k->repos[i]));
  return json_pack("{s:I, s:o, s:o, s:o, s:o}", "size_on_disk", (json_int_t)k->total, "repos", repos,
                   "incomplete_files", parts_json(k->partials, k->partial_count, false), "unreferenced_shared_blobs",
                   parts_json(k->shared, k->shared_count, true), "warnings", texts(k->problems, k->problem_count));
}
