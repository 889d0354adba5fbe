/* bases.c - older versions of a file that are still here, for adapters that fetch only what differs: in the cache the same path in
 * other commits of the repo, with the Xet hash by which the shared store or a kept listing knows it; in a plain folder the file
 * itself, whose Xet hash the Hub is asked for.
 * A help, not a need: what goes wrong here is no failure of the download. */
#include "hub.h"

#include <string.h>

#define WORTH_IT ((uint64_t)1 << 20)

struct older {
  const char *commit, *hash;
  int64_t mtime_ns;
};
struct search {
  hf_call *call;
  hf_store *store;
  const struct hf_repo *repo;
  const struct hf_fetch_file *file;
  const char *commit; /* of the new version */
  struct older *rows; /* newest first */
  uint32_t count, room;
};

static hf_status on_entry(void *arg, uint32_t what, const void *row) {
  struct older *o = arg;
  const struct hf_tree_entry *e = row;
  (void)what;
  if (e->xet_hash && !strcmp(e->path, o->hash)) {
    o->commit = e->xet_hash;
    return HF_PENDING;
  }
  return HF_OK;
}

/* What the listing of the commit says. */
static const char *listed_hash(struct search *s, const char *commit) {
  struct older o = {.hash = s->file->path};
  hf_store_tree_get(s->call, s->store, s->repo, commit, on_entry, &o);
  hf_host()->clear(s->call);
  return o.commit ? hf_host()->intern(s->call, o.commit, SIZE_MAX) : NULL;
}

static hf_status on_held(void *arg, uint32_t what, const void *row) {
  struct search *s = arg;
  const struct hf_held *h = row;
  (void)what;
  if (h->what != HF_HELD_FILE || !h->path || !h->commit || strcmp(h->path, s->file->path)) return HF_OK;
  if (s->commit && !strcmp(h->commit, s->commit)) return HF_OK;
  struct older o = {.commit = hf_host()->intern(s->call, h->commit, SIZE_MAX), .mtime_ns = h->mtime_ns};
  o.hash = h->shared ? hf_host()->intern(s->call, h->shared, SIZE_MAX) : NULL;
  uint32_t at = s->count;
  for (uint32_t i = 0; o.hash && i < s->count; i++)
    if (s->rows[i].hash && !strcmp(s->rows[i].hash, o.hash)) return HF_OK;
  while (at > 0 && s->rows[at - 1].mtime_ns < o.mtime_ns) at--;
  if (at == s->room || !o.commit) return HF_OK;
  uint32_t moved = s->count < s->room ? s->count - at : s->room - 1 - at;
  memmove(s->rows + at + 1, s->rows + at, moved * sizeof *s->rows);
  s->rows[at] = o;
  if (s->count < s->room) s->count++;
  return HF_OK;
}

hf_status hf_hub_bases(hf_call *c, hf_store *store, const struct hf_repo *repo, const char *commit,
                       const struct hf_fetch_file *file, struct hf_tr_base *out, uint32_t *n) {
  struct older rows[8];
  struct search s = {.call = c, .store = store, .repo = repo, .file = file, .commit = commit, .rows = rows};
  s.room = *n < HF_COUNT(rows) ? *n : HF_COUNT(rows);
  *n = 0;
  if (!store || !file->xet_hash || file->size == HF_SIZE_UNKNOWN || file->size < WORTH_IT) return HF_OK;
  if (!(hf_store_caps(store) & HF_ST_LIST)) return HF_OK;
  TRY(hf_store_scan(c, store, repo, HF_SCAN_FILES, on_held, &s));
  for (uint32_t i = 0; i < s.count; i++) {
    struct hf_name name = {*repo, rows[i].commit, file->path};
    const char *hash = rows[i].hash ? rows[i].hash : listed_hash(&s, rows[i].commit);
    struct hf_source *source = NULL;
    if (!hash || !hf_hub_is_hex(hash, 64) || hf_store_open_file(c, store, &name, &source) != HF_OK) {
      hf_host()->clear(c);
      continue;
    }
    out[(*n)++] = (struct hf_tr_base){source, hash};
  }
  return HF_OK;
}

void hf_hub_base_in_folder(struct hf_hub *hub, hf_store *folder, const struct hf_repo *repo, const char *commit,
                           const struct hf_fetch_file *file, struct hf_tr_base *out, uint32_t *n) {
  struct hf_hub_meta m;
  struct hf_st_file old;
  struct hf_source *source = NULL;
  const char *absent;
  hf_status st = HF_OK;
  if (!file->xet_hash || file->size == HF_SIZE_UNKNOWN || file->size < WORTH_IT) return;
  bool there = hf_hub_find(hub, folder, repo, NULL, file->path, &st, &old) && old.commit && old.etag;
  if (there && commit && !strcmp(old.commit, commit)) there = false; /* it is what is fetched, and was not right */
  there = there && hf_hub_head(hub, repo, old.commit, file->path, false, &m, &absent) == HF_OK && m.xet_hash &&
          hf_hub_is_hex(m.xet_hash, 64) && m.etag && !strcmp(m.etag, old.etag) && m.size == old.size;
  struct hf_name name = {*repo, NULL, file->path};
  const char *hash = there ? hf_host()->intern(hub->call, m.xet_hash, SIZE_MAX) : NULL;
  if (hash && hf_store_open_file(hub->call, folder, &name, &source) == HF_OK)
    out[(*n)++] = (struct hf_tr_base){source, hash};
  hf_host()->clear(hub->call);
}
