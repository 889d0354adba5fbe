/* file.c - one file: from the store where a commit says it is there, else asked for by its name and revision, then adopted
 * or fetched, verified and published.
 * The order of looking is the reference's; a listing that is kept for a pinned commit saves the HEAD. Without an answer
 * from the Hub the local copy counts. */
#include "hub.h"

#include <string.h>

#define HF_NO_LOCAL                                                                                                   \
  "Local entry not found. Cannot find the requested files in the disk cache and outgoing traffic has been disabled. " \
  "To enable hf.co look-ups and downloads online, set 'local_files_only' to False."

struct look {
  struct hf_hub *hub;
  const struct hf_hub_want *w;
  const struct hf_hub_stores *s;
  const char *name;
  const char **path;
  struct hf_hub_plan *plan;
};

/* The file that the store shows is the answer. */
static hf_status take(struct look *l, const struct hf_st_file *f) {
  if (l->w->dry_run) {
    *l->plan = (struct hf_hub_plan){.path = l->name, .size = f->size, .will_download = l->w->force};
    return HF_OK;
  }
  *l->path =
      f->path ? f->path : hf_hub_text(l->hub->call, "%s:%s/%s", hf_store_name(l->s->store), l->w->repo.id, l->name);
  return *l->path ? HF_OK : HF_ENOMEM;
}

/* Metadata from the kept listing of a pinned commit; false: ask. */
static bool from_listing(struct look *l, struct hf_hub_meta *m) {
  struct hf_hub_tree_list tree = {0};
  bool found = false;
  if (!hf_hub_is_commit(l->w->revision) || l->hub->offline || l->w->local_only) return false;
  if (!hf_hub_tree_saved(l->hub, l->s, &l->w->repo, l->w->revision, &tree)) return false;
  uint32_t low = 0, high = tree.count;
  while (low < high && !found) {
    uint32_t mid = low + (high - low) / 2;
    int cmp = strcmp(tree.rows[mid].path, l->name);
    if (!cmp) found = hf_hub_tree_meta(l->hub, &l->w->repo, l->w->revision, &tree.rows[mid], m) == HF_OK;
    if (cmp < 0)
      low = mid + 1;
    else
      high = mid;
  }
  hf_hub_tree_free(&tree);
  return found;
}

static hf_status ask(struct look *l, bool patient, struct hf_hub_meta *m) {
  const char *absent;
  hf_call *c = l->hub->call;
  hf_status st = hf_hub_head(l->hub, &l->w->repo, l->w->revision, l->name, patient, m, &absent);
  if (!absent || l->s->local || !(hf_store_caps(l->s->store) & HF_ST_ABSENT)) return st;
  struct hf_error e;
  TRY(hf_hub_error_keep(c, &e));
  hf_host()->clear(c);
  struct hf_name name = {.repo = l->w->repo, .commit = absent, .path = l->name};
  if (hf_store_absent(c, l->s->store, &name) != HF_OK) {
    const struct hf_error *why = hf_host()->error(c);
    hf_hub_log(l->hub, HF_LOG_ERROR, "Could not cache non-existence of file. Will ignore error and continue. Error: %s",
               why ? why->message : "unknown");
    hf_host()->clear(c);
  }
  hf_hub_save_commit(l->hub, l->w, l->s, absent);
  return hf_host()->fail(c, &e);
}

/* The local copy of the revision, as far as it is known. */
static bool local_copy(struct look *l, const struct hf_error *cause, hf_status *st) {
  struct hf_st_file f;
  const char *commit = l->s->local ? NULL : hf_hub_saved_commit(l->hub, l->w, l->s);
  if ((!commit && !l->s->local) || !hf_hub_find(l->hub, l->s->store, &l->w->repo, commit, l->name, st, &f))
    return false;
  if (l->s->local && (l->w->dry_run || !l->w->force))
    hf_hub_log(l->hub, HF_LOG_WARNING,
               "Couldn't access the Hub to check for update but local file already exists. Defaulting to existing "
               "file. (error: %s)",
               hf_hub_cause(l->hub->call, cause));
  if (l->w->force) return false;
  *st = take(l, &f);
  return true;
}

static hf_status cannot_force(struct look *l, const struct hf_error *cause) {
  if (l->w->local_only)
    return hf_hub_fail(l->hub->call, HF_EINVAL, "ValueError",
                       "Cannot pass 'force_download=True' and 'local_files_only=True' at the same time.");
  if (cause->code == HF_EOFFLINE)
    return hf_hub_fail(l->hub->call, HF_EOFFLINE, "ValueError",
                       "Cannot pass 'force_download=True' when offline mode is enabled.");
  struct hf_error e = *cause;
  e.cls = "ValueError";
  e.message = "Force download failed due to the above error.";
  return hf_host()->fail(l->hub->call, &e);
}

/* No answer from the Hub: local copy, else once more with patience, else the error. HF_PENDING: *m is there after all. */
static hf_status without_answer(struct look *l, hf_status st, struct hf_hub_meta *m) {
  struct hf_error e = {0};
  hf_status local = HF_OK;
  if (l->w->local_only) {
    if (local_copy(l, &(struct hf_error){.message = "offline"}, &local)) return local;
    TRY(local);
    return l->w->force ? cannot_force(l, &e)
                       : hf_hub_fail(l->hub->call, HF_EOFFLINE, "LocalEntryNotFoundError", "%s", HF_NO_LOCAL);
  }
  TRY(hf_hub_fall_back(l->hub, st, &e));
  if (local_copy(l, &e, &local)) return local;
  TRY(local);
  bool again = e.code == HF_ENET || e.code == HF_ETIMEDOUT || e.http_status == 408 || e.http_status == 429 ||
               e.http_status == 500 || (e.http_status >= 502 && e.http_status <= 504);
  if (!l->w->force && again) {
    hf_hub_log(l->hub, HF_LOG_INFO, "No local file found. Retrying..");
    st = ask(l, true, m);
    if (st == HF_OK) return HF_PENDING;
    TRY(hf_hub_fall_back(l->hub, st, &e));
  }
  return l->w->force ? cannot_force(l, &e) : hf_hub_no_copy(l->hub, &e);
}

static void on_done(void *arg, uint32_t i, const struct hf_st_file *f) {
  (void)i;
  *(struct hf_st_file *)arg = *f;
}

/* Nothing of it is kept. The cache may have the bytes under another name. */
static hf_status hand_on(struct look *l, const struct hf_hub_meta *m, struct hf_fetch_file *file) {
  struct hf_hub_pipe pipe = {.out = l->w->pipe};
  struct hf_hub_stores s = {.cache = l->s->local ? l->s->cache : l->s->store};
  TRY(hf_hub_pipe_open(l->hub->call, &pipe, &s.store));
  hf_status st = hf_hub_fetch(l->hub, l->w, &s, m->commit, file, 1, NULL, NULL);
  hf_store_close(s.store);
  *l->path = NULL;
  return st;
}

static hf_status fetch(struct look *l, const struct hf_hub_meta *m) {
  struct hf_st_file got = {.struct_size = sizeof got};
  struct hf_fetch_file file = {.struct_size = sizeof file,
                               .flags = l->w->force ? HF_IN_FORCE : 0,
                               .path = l->name,
                               .etag = m->etag,
                               .xet_hash = m->xet_hash,
                               .url = m->url,
                               .size = m->size};
  hf_hub_digest(m->etag, &file.digest);
  if (l->w->pipe) return hand_on(l, m, &file);
  TRY(hf_hub_fetch(l->hub, l->w, l->s, m->commit, &file, 1, on_done, &got));
  hf_hub_save_commit(l->hub, l->w, l->s, m->commit);
  return take(l, &got);
}

static hf_status run(struct look *l) {
  struct hf_st_file f;
  struct hf_hub_meta m;
  hf_status st = HF_OK;
  if (hf_hub_is_commit(l->w->revision) && (l->w->dry_run || !l->w->force)) {
    if (hf_hub_find(l->hub, l->s->store, &l->w->repo, l->w->revision, l->name, &st, &f)) return take(l, &f);
    TRY(st);
  }
  if (!from_listing(l, &m)) {
    hf_host()->clear(l->hub->call);
    st = l->w->local_only ? HF_EOFFLINE : ask(l, false, &m);
    if (st != HF_OK) {
      st = without_answer(l, st, &m);
      if (st != HF_PENDING) return st;
    }
  }
  if (l->w->dry_run) return hf_hub_plan_file(l->hub, l->w, l->s, &m, l->name, l->plan);
  if (!l->w->force && hf_hub_find(l->hub, l->s->store, &l->w->repo, m.commit, l->name, &st, &f)) {
    hf_hub_save_commit(l->hub, l->w, l->s, m.commit);
    return take(l, &f);
  }
  TRY(st);
  return fetch(l, &m);
}

hf_status hf_hub_file(struct hf_hub *hub, const struct hf_hub_want *w, const char *name, const char **path,
                      struct hf_hub_plan *plan) {
  struct hf_hub_stores s;
  TRY(hf_hub_check_repo(hub->call, w->repo.id));
  TRY(hf_hub_check_type(hub->call, w->repo.type));
  TRY(hf_hub_check_file(hub->call, name));
  TRY(hf_hub_stores_open(hub, w, &s));
  struct look l = {hub, w, &s, name, path, plan};
  hf_status st = run(&l);
  hf_hub_stores_close(&s);
  return st;
}
