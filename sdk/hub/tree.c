/* tree.c - the files of one commit: as the store remembers them, or as the Hub lists them.
 * One listing answers for every file what a HEAD each would: etag, size, hashes. It is kept per commit, so that the next
 * run asks nothing.
 * Names are judged where they are used; a listing with a bad one is used and not kept. */
#include "hub.h"

#include <stdlib.h>
#include <string.h>

#define HF_TREE_MAX 20000000u

void hf_hub_tree_free(struct hf_hub_tree_list *t) {
  free(t->rows);
  *t = (struct hf_hub_tree_list){0};
}

static hf_status grow(hf_call *c, struct hf_hub_tree_list *t) {
  if (t->count < t->room) return HF_OK;
  uint32_t room = t->room ? t->room * 2 : 256;
  struct hf_tree_entry *rows = room <= HF_TREE_MAX * 2 ? realloc(t->rows, room * sizeof *rows) : NULL;
  if (!rows)
    return hf_hub_fail(c, HF_ENOMEM, NULL, "The repo has more files than memory can hold; choose some with patterns.");
  t->rows = rows;
  t->room = room;
  return HF_OK;
}

struct reader {
  struct hf_hub *hub;
  struct hf_hub_tree_list *tree;
};

static bool keep(hf_call *c, const char **s) {
  return !*s || (*s = hf_host()->intern(c, *s, SIZE_MAX)) != NULL;
}

static hf_status on_saved(void *arg, uint32_t what, const void *row) {
  struct reader *r = arg;
  struct hf_tree_entry e = *(const struct hf_tree_entry *)row;
  (void)what;
  TRY(grow(r->hub->call, r->tree));
  if (!keep(r->hub->call, &e.path) || !keep(r->hub->call, &e.blob_id) || !keep(r->hub->call, &e.lfs_sha256) ||
      !keep(r->hub->call, &e.xet_hash))
    return HF_ENOMEM;
  r->tree->rows[r->tree->count++] = e;
  return HF_OK;
}

bool hf_hub_tree_saved(struct hf_hub *hub, const struct hf_hub_stores *s, const struct hf_repo *repo,
                       const char *commit, struct hf_hub_tree_list *t) {
  struct reader r = {hub, t};
  if (!(hf_store_caps(s->store) & HF_ST_TREES)) return false;
  if (hf_store_tree_get(hub->call, s->store, repo, commit, on_saved, &r) == HF_OK) return true;
  hf_host()->clear(hub->call); /* a listing that cannot be read is asked for again */
  hf_hub_tree_free(t);
  return false;
}

static hf_status on_asked(void *arg, json_t *item) {
  struct reader *r = arg;
  hf_call *c = r->hub->call;
  const char *type = hf_hub_get(item, "type");
  json_t *lfs = json_object_get(item, "lfs"), *size = json_object_get(item, "size");
  if (!type || strcmp(type, "file") != 0) return HF_OK;
  struct hf_tree_entry e = {.struct_size = sizeof e,
                            .path = hf_hub_get(item, "path"),
                            .blob_id = hf_hub_get(item, "oid"),
                            .lfs_sha256 = hf_hub_get(lfs, "oid"),
                            .xet_hash = hf_hub_get(item, "xetHash"),
                            .lfs_size = HF_SIZE_UNKNOWN};
  json_t *lfs_size = json_object_get(lfs, "size");
  if (!e.path || !e.blob_id || !json_is_integer(size) || json_integer_value(size) < 0 ||
      (e.lfs_sha256 && !hf_hub_is_hex(e.lfs_sha256, 64)))
    return hf_hub_fail(c, HF_EPROTO, NULL,
                       "The Hub lists a file of '%s' without a proper name, size or hash; check HF_ENDPOINT.",
                       e.path ? e.path : "this repo");
  e.size = (uint64_t)json_integer_value(size);
  if (json_is_integer(lfs_size) && json_integer_value(lfs_size) >= 0)
    e.lfs_size = (uint64_t)json_integer_value(lfs_size);
  if (e.xet_hash && !hf_hub_is_hex(e.xet_hash, 64)) e.xet_hash = NULL;
  if (r->tree->count >= HF_TREE_MAX)
    return hf_hub_fail(c, HF_EPROTO, NULL, "The Hub lists more files than any repo has; check HF_ENDPOINT.");
  return on_saved(r, HF_PUT_ENTRY, &e);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct hf_tree_entry *)a)->path, ((const struct hf_tree_entry *)b)->path);
}

hf_status hf_hub_tree_asked(struct hf_hub *hub, const struct hf_repo *repo, const char *commit,
                            struct hf_hub_tree_list *t) {
  struct reader r = {hub, t};
  hf_status st = hf_hub_tree(hub, repo, commit, NULL, true, false, on_asked, &r);
  if (st != HF_OK) return hf_hub_tree_free(t), st;
  if (t->count) qsort(t->rows, t->count, sizeof *t->rows, by_path);
  uint32_t n = 0;
  for (uint32_t i = 0; i < t->count; i++)
    if (!n || strcmp(t->rows[n - 1].path, t->rows[i].path) != 0) t->rows[n++] = t->rows[i];
  t->count = n;
  return HF_OK;
}

hf_status hf_hub_tree_meta(struct hf_hub *hub, const struct hf_repo *repo, const char *commit,
                           const struct hf_tree_entry *e, struct hf_hub_meta *m) {
  bool lfs = e->lfs_sha256 != NULL;
  *m = (struct hf_hub_meta){.commit = commit,
                            .etag = lfs ? e->lfs_sha256 : e->blob_id,
                            .xet_hash = e->xet_hash,
                            .size = lfs && e->lfs_size != HF_SIZE_UNKNOWN ? e->lfs_size : e->size,
                            .url = hf_hub_resolve_url(hub, repo, commit, e->path)};
  return m->url ? HF_OK : HF_ENOMEM;
}
