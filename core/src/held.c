/* held.c - looking through and clearing out a store that has neither scan nor expunge, by the functions that every listing
 * store has: repos, refs, listings of commits, blobs.
 * A revision is known here by a ref only, and its files by the listing of its commit. */
#include <stdlib.h>
#include <string.h>

#include "store.h"

struct revision {
  const char *commit;
  const char *ref;
};

struct gather {
  hf_call *c;
  hf_store *s;
  uint32_t flags;
  hf_row_fn fn;
  void *arg;
  struct hf_repo repo;
  struct revision *refs;
  struct hf_blob *blobs;
  size_t ref_count, blob_count;
  uint64_t total;
  const char *commit;
  uint64_t revision_size;
  int64_t revision_mtime;
};

static hf_status no_memory(hf_call *c) {
  return hf_call_failf(c, HF_ENOMEM, "no memory to list what the store holds");
}

/* Makes room for one more in a list that doubles. */
static bool room_for(void **list, size_t count, size_t size) {
  if (count & (count + 1)) return true; /* grows at 0, 1, 3, 7 ... */
  void *more = hf_mem_resize(*list, (2 * count + 1) * size);
  if (more) *list = more;
  return more != NULL;
}

static hf_status see_ref(void *arg, uint32_t what, const void *row) {
  struct gather *g = arg;
  const struct hf_ref *r = row;
  (void)what;
  if (!r->commit || !r->name) return HF_OK;
  if (!room_for((void **)&g->refs, g->ref_count, sizeof *g->refs)) return no_memory(g->c);
  struct revision *at = &g->refs[g->ref_count];
  at->commit = hf_call_intern(g->c, r->commit, SIZE_MAX);
  at->ref = hf_call_intern(g->c, r->name, SIZE_MAX);
  if (!at->commit || !at->ref) return no_memory(g->c);
  g->ref_count++;
  return HF_OK;
}

static hf_status see_blob(void *arg, uint32_t what, const void *row) {
  struct gather *g = arg;
  struct hf_blob b = *(const struct hf_blob *)row;
  (void)what;
  b.key.etag = hf_call_intern(g->c, b.key.etag, SIZE_MAX);
  if (!b.key.etag || !room_for((void **)&g->blobs, g->blob_count, sizeof *g->blobs)) return no_memory(g->c);
  g->blobs[g->blob_count++] = b;
  return HF_OK;
}

static int by_etag(const void *a, const void *b) {
  return strcmp(((const struct hf_blob *)a)->key.etag, ((const struct hf_blob *)b)->key.etag);
}

static int by_commit(const void *a, const void *b) {
  return strcmp(((const struct revision *)a)->commit, ((const struct revision *)b)->commit);
}

static hf_status tell(struct gather *g, struct hf_held row) {
  row.struct_size = sizeof row;
  row.repo = g->repo;
  return g->fn(g->arg, HF_PUT_HELD, &row);
}

static struct hf_blob *blob_of(struct gather *g, const struct hf_tree_entry *e) {
  struct hf_blob key = {.key.etag = e->lfs_sha256 ? e->lfs_sha256 : e->blob_id};
  return key.key.etag && g->blob_count ? bsearch(&key, g->blobs, g->blob_count, sizeof key, by_etag) : NULL;
}

static hf_status see_entry(void *arg, uint32_t what, const void *row) {
  struct gather *g = arg;
  const struct hf_tree_entry *e = row;
  (void)what;
  struct hf_blob *b = e->present ? blob_of(g, e) : NULL;
  if (!b) return HF_OK;
  g->revision_size += b->size;
  if (b->mtime_ns > g->revision_mtime) g->revision_mtime = b->mtime_ns;
  if (!(g->flags & HF_SCAN_FILES) || !g->commit) return HF_OK;
  return tell(g, (struct hf_held){.what = HF_HELD_FILE,
                                  .commit = g->commit,
                                  .path = e->path,
                                  .blob = (uint32_t)(b - g->blobs),
                                  .size = b->size,
                                  .mtime_ns = b->mtime_ns,
                                  .atime_ns = b->atime_ns});
}

/* The listing, twice: for the sums of the revision's row, and for the rows of its files. */
static hf_status tell_revision(struct gather *g, const char *commit) {
  if (!(hf_store_caps(g->s) & HF_ST_TREES))
    return tell(g, (struct hf_held){.what = HF_HELD_REVISION, .commit = commit});
  for (int pass = 0; pass < 2; pass++) {
    g->commit = pass ? commit : NULL;
    g->revision_size = 0;
    g->revision_mtime = 0;
    hf_status st = hf_store_tree_get(g->c, g->s, &g->repo, commit, see_entry, g);
    if (st == HF_ENOTFOUND) hf_call_clear(g->c), st = HF_OK;
    TRY(st);
    if (pass) break;
    TRY(tell(g,
             (struct hf_held){
                 .what = HF_HELD_REVISION, .commit = commit, .size = g->revision_size, .mtime_ns = g->revision_mtime}));
    if (!(g->flags & HF_SCAN_FILES)) break;
  }
  return HF_OK;
}

static hf_status tell_repo(struct gather *g) {
  struct hf_held sum = {.what = HF_HELD_REPO};
  if (hf_store_caps(g->s) & HF_ST_REFS) TRY(hf_store_ref_each(g->c, g->s, &g->repo, see_ref, g));
  if (hf_store_caps(g->s) & HF_ST_BLOBS) TRY(hf_store_blob_each(g->c, g->s, &g->repo, see_blob, g));
  if (g->blob_count) qsort(g->blobs, g->blob_count, sizeof *g->blobs, by_etag);
  if (g->ref_count) qsort(g->refs, g->ref_count, sizeof *g->refs, by_commit);
  for (size_t i = 0; i < g->blob_count; i++) {
    const struct hf_blob *b = &g->blobs[i];
    if (b->flags & HF_BL_PARTIAL) continue;
    sum.size += b->size;
    sum.count++;
    if (b->mtime_ns > sum.mtime_ns) sum.mtime_ns = b->mtime_ns;
    if (b->atime_ns > sum.atime_ns) sum.atime_ns = b->atime_ns;
  }
  g->total += sum.size;
  TRY(tell(g, sum));
  for (size_t i = 0; i < g->ref_count; i++)
    TRY(tell(g, (struct hf_held){.what = HF_HELD_REF, .commit = g->refs[i].commit, .path = g->refs[i].ref}));
  for (size_t i = 0; i < g->ref_count; i++)
    if (!i || strcmp(g->refs[i].commit, g->refs[i - 1].commit) != 0) TRY(tell_revision(g, g->refs[i].commit));
  for (size_t i = 0; i < g->blob_count; i++)
    if (g->blobs[i].flags & HF_BL_PARTIAL)
      TRY(tell(g, (struct hf_held){.what = HF_HELD_PARTIAL, .path = g->blobs[i].key.etag, .size = g->blobs[i].size}));
  return HF_OK;
}

static hf_status scan_repo(struct gather *all, const struct hf_repo *repo) {
  struct gather g = *all;
  g.repo = *repo;
  hf_status st = tell_repo(&g);
  all->total = g.total;
  hf_mem_free(g.refs);
  hf_mem_free(g.blobs);
  return st;
}

struct repos {
  hf_call *c;
  struct hf_repo *all;
  size_t count;
};

static hf_status see_repo(void *arg, uint32_t what, const void *row) {
  struct repos *r = arg;
  const struct hf_repo *repo = &((const struct hf_ref *)row)->repo;
  (void)what;
  if (!room_for((void **)&r->all, r->count, sizeof *r->all)) return no_memory(r->c);
  struct hf_repo *at = &r->all[r->count];
  at->type = hf_call_intern(r->c, repo->type, SIZE_MAX);
  at->id = hf_call_intern(r->c, repo->id, SIZE_MAX);
  if (!at->type || !at->id) return no_memory(r->c);
  r->count++;
  return HF_OK;
}

hf_status hf_held_scan(hf_call *c, hf_store *s, const struct hf_repo *repo, uint32_t flags, hf_row_fn fn, void *arg) {
  struct gather g = {.c = c, .s = s, .flags = flags, .fn = fn, .arg = arg};
  struct repos r = {.c = c};
  if (!(hf_store_caps(s) & HF_ST_LIST))
    return hf_call_failf(c, HF_ENOSYS, "the store %s cannot list what it holds", hf_store_name(s));
  hf_status st = repo ? HF_OK : hf_store_repo_each(c, s, see_repo, &r);
  if (repo) st = scan_repo(&g, repo);
  for (size_t i = 0; i < r.count && st == HF_OK; i++) st = scan_repo(&g, &r.all[i]);
  hf_mem_free(r.all);
  if (st != HF_OK) return st;
  return fn(arg, HF_PUT_HELD,
            &(struct hf_held){.struct_size = sizeof(struct hf_held), .what = HF_HELD_TOTAL, .size = g.total});
}

/* ---- removing ---- */

static hf_status gone_is_fine(hf_call *c, hf_status st) {
  if (st != HF_ENOTFOUND) return st;
  hf_call_clear(c);
  return HF_OK;
}

struct file { /* of a revision that goes; names are copied, since the listing ends before they do */
  const char *path;
};
struct files {
  hf_call *c;
  struct file *all;
  size_t count;
};

static hf_status see_file(void *arg, uint32_t what, const void *row) {
  struct files *f = arg;
  const struct hf_tree_entry *e = row;
  (void)what;
  if (!e->present) return HF_OK;
  if (!room_for((void **)&f->all, f->count, sizeof *f->all)) return no_memory(f->c);
  f->all[f->count].path = hf_call_intern(f->c, e->path, SIZE_MAX);
  return f->all[f->count++].path ? HF_OK : no_memory(f->c);
}

static hf_status drop_revision(hf_call *c, hf_store *s, const struct hf_held *row) {
  struct files f = {.c = c};
  struct gather g = {.c = c, .s = s, .repo = row->repo};
  hf_status st =
      hf_store_caps(s) & HF_ST_TREES ? hf_store_tree_get(c, s, &row->repo, row->commit, see_file, &f) : HF_OK;
  st = gone_is_fine(c, st);
  for (size_t i = 0; i < f.count && st == HF_OK; i++)
    st = gone_is_fine(c, hf_store_remove(c, s, &(struct hf_name){row->repo, row->commit, f.all[i].path}));
  hf_mem_free(f.all);
  if (st == HF_OK) st = hf_store_ref_each(c, s, &row->repo, see_ref, &g);
  for (size_t i = 0; i < g.ref_count && st == HF_OK; i++) {
    if (strcmp(g.refs[i].commit, row->commit) != 0) continue;
    st = hf_store_ref_put(c, s, &row->repo, g.refs[i].ref, row->commit, NULL);
    if (st == HF_ECONFLICT) hf_call_clear(c), st = HF_OK; /* it shows another commit by now */
  }
  hf_mem_free(g.refs);
  return st;
}

static hf_status drop_repo(hf_call *c, hf_store *s, const struct hf_held *row) {
  struct gather g = {.c = c, .s = s, .repo = row->repo};
  hf_status st = hf_store_blob_each(c, s, &row->repo, see_blob, &g);
  for (size_t i = 0; i < g.blob_count && st == HF_OK; i++)
    st = gone_is_fine(c, hf_store_blob_remove(c, s, &(struct hf_key){row->repo, g.blobs[i].key.etag}));
  hf_mem_free(g.blobs);
  return st;
}

/* Bytes of a whole repo go only with the revisions that show them. */
static bool with_revisions(const struct hf_held *rows, uint32_t n, const struct hf_repo *repo) {
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].what == HF_HELD_REVISION && !strcmp(rows[i].repo.type, repo->type) &&
        !strcmp(rows[i].repo.id, repo->id))
      return true;
  return false;
}

hf_status hf_held_expunge(hf_call *c, hf_store *s, const struct hf_held *rows, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].what == HF_HELD_FILE)
      TRY(gone_is_fine(c, hf_store_remove(c, s, &(struct hf_name){rows[i].repo, rows[i].commit, rows[i].path})));
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].what == HF_HELD_REVISION) TRY(drop_revision(c, s, &rows[i]));
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].what == HF_HELD_REPO && with_revisions(rows, n, &rows[i].repo)) TRY(drop_repo(c, s, &rows[i]));
  for (uint32_t i = 0; i < n; i++)
    if (rows[i].what == HF_HELD_PARTIAL)
      TRY(gone_is_fine(c, hf_store_blob_remove(c, s, &(struct hf_key){rows[i].repo, rows[i].path})));
  return HF_OK;
}
