/* tables.c - refs, listings and leases of the memory store. Refs compare and swap under the store's
 * lock, so here that is truly atomic; a lease ends when its holder no longer renews it, and says so
 * at the next renewal. Listings are kept as they came, with their strings in one block. */
#include "memory.h"
#include <time.h>

hf_status mem_ref_get(hf_call *c, void *store, const struct hf_repo *repo, const char *name, hf_slot *slot) {
  struct memory *m = store;
  char commit[41] = "";
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, repo, false);
  for (struct mem_ref *f = r ? r->refs : NULL; f; f = f->next)
    if (!strcmp(f->name, name)) memcpy(commit, f->commit, sizeof commit);
  pthread_mutex_unlock(&m->lock);
  if (!*commit) return H->failf(c, HF_ENOTFOUND, "Revision %s of %s is not in the store.", name, repo->id);
  struct hf_ref row = {.struct_size = sizeof row, .repo = *repo, .name = name, .commit = commit};
  return H->put(slot, HF_PUT_REF, &row, sizeof row);
}

static hf_status put_ref(hf_call *c, struct mem_repo *r, const char *name, const char *expect, const char *commit) {
  struct mem_ref **at = &r->refs;
  while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
  if (expect && (*expect ? !*at || strcmp((*at)->commit, expect) : *at != NULL))
    return H->failf(c, HF_ECONFLICT, "Revision %s of %s was changed by somebody else; try again.", name, r->id);
  if (!commit) {
    struct mem_ref *gone = *at;
    if (gone) *at = gone->next;
    H->release(gone);
    return HF_OK;
  }
  if (strlen(commit) != 40)
    return H->failf(c, HF_EINVAL, "Revision %s cannot point to %s, which is no commit.", name, commit);
  if (!*at) {
    size_t n = strlen(name) + 1;
    struct mem_ref *f = mem_alloc(c, sizeof *f + n);
    if (!f) return HF_ENOMEM;
    memcpy(f->name, name, n);
    *at = f;
  }
  memcpy((*at)->commit, commit, 41);
  return HF_OK;
}

hf_status mem_ref_put(hf_call *c, void *store, const struct hf_repo *repo, const char *name, const char *expect,
                      const char *commit) {
  struct memory *m = store;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, repo, true);
  hf_status st = r ? put_ref(c, r, name, expect, commit) : HF_ENOMEM;
  pthread_mutex_unlock(&m->lock);
  return st;
}

/* Rows are copied out under the lock and told without it: whoever listens may ask the store again. */
hf_status mem_ref_each(hf_call *c, void *store, const struct hf_repo *repo, hf_slot *slot) {
  struct memory *m = store;
  hf_status st = HF_OK;
  uint32_t n = 0, i = 0;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, repo, false);
  for (struct mem_ref *f = r ? r->refs : NULL; f; f = f->next) n++;
  struct hf_ref *rows = n ? H->arena(c, n * sizeof *rows) : NULL;
  for (struct mem_ref *f = rows ? r->refs : NULL; f; f = f->next)
    rows[i++] = (struct hf_ref){.struct_size = sizeof *rows,
                                .repo = *repo,
                                .name = H->intern(c, f->name, SIZE_MAX),
                                .commit = H->intern(c, f->commit, 40)};
  pthread_mutex_unlock(&m->lock);
  if (n && !rows) return H->failf(c, HF_ENOMEM, "Out of memory while listing the revisions of %s.", repo->id);
  for (i = 0; i < n && st == HF_OK; i++)
    if (rows[i].name && rows[i].commit) st = H->put(slot, HF_PUT_REF, &rows[i], sizeof rows[i]);
  return st;
}

/* ---- listings ---------------------------------------------------------------------------------------------------- */

static size_t text_of(const struct hf_tree_entry *e) {
  const char *const all[] = {e->path, e->blob_id, e->lfs_sha256, e->xet_hash};
  size_t n = 0;
  for (size_t i = 0; i < 4; i++) n += all[i] ? strlen(all[i]) + 1 : 0;
  return n;
}

static void move_text(const char **field, char **to) {
  if (!*field) return;
  size_t n = strlen(*field) + 1;
  memcpy(*to, *field, n);
  *field = *to;
  *to += n;
}

static struct mem_tree *tree_new(hf_call *c, const char *commit, struct hf_table in) {
  struct mem_tree *t = mem_alloc(c, sizeof *t);
  size_t stride = in.stride < sizeof *t->rows ? in.stride : sizeof *t->rows, text = 0;
  if (!t) return NULL;
  t->rows = mem_alloc(c, in.count * sizeof *t->rows);
  for (uint32_t i = 0; t->rows && i < in.count; i++) {
    memcpy(&t->rows[i], (const char *)in.rows + (size_t)i * in.stride, stride);
    text += text_of(&t->rows[i]);
  }
  t->text = mem_alloc(c, text);
  if (!t->rows || !t->text) {
    H->release(t->rows);
    H->release(t->text);
    H->release(t);
    return NULL;
  }
  char *to = t->text;
  for (uint32_t i = 0; i < in.count; i++) {
    t->rows[i].struct_size = sizeof t->rows[i];
    move_text(&t->rows[i].path, &to);
    move_text(&t->rows[i].blob_id, &to);
    move_text(&t->rows[i].lfs_sha256, &to);
    move_text(&t->rows[i].xet_hash, &to);
  }
  t->count = in.count;
  memcpy(t->commit, commit, 40);
  return t;
}

hf_status mem_tree_put(hf_call *c, void *store, const struct hf_repo *repo, const char *commit,
                       struct hf_table entries) {
  struct memory *m = store;
  if (strlen(commit) != 40) return H->failf(c, HF_EINVAL, "A listing belongs to a commit of 40 hex digits.");
  struct mem_tree *t = tree_new(c, commit, entries);
  if (!t) return HF_ENOMEM;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, repo, true);
  struct mem_tree *old = NULL, **at = r ? &r->trees : &old;
  while (*at && strcmp((*at)->commit, commit)) at = &(*at)->next;
  old = *at ? *at : r ? NULL : t;
  if (r) {
    t->next = old ? old->next : NULL;
    *at = t;
  }
  pthread_mutex_unlock(&m->lock);
  if (old) {
    H->release(old->rows);
    H->release(old->text);
    H->release(old);
  }
  return r ? HF_OK : HF_ENOMEM;
}

hf_status mem_tree_get(hf_call *c, void *store, const struct hf_repo *repo, const char *commit, hf_slot *slot) {
  struct memory *m = store;
  hf_status st = HF_OK;
  struct hf_tree_entry *rows = NULL;
  uint32_t n = 0;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, repo, false);
  struct mem_tree *t = r ? r->trees : NULL;
  while (t && strcmp(t->commit, commit)) t = t->next;
  if (!t) {
    pthread_mutex_unlock(&m->lock);
    return H->failf(c, HF_ENOTFOUND, "No listing of commit %s is in the store.", commit);
  }
  n = t->count;
  rows = H->arena(c, (n ? n : 1) * sizeof *rows);
  for (uint32_t i = 0; rows && i < n; i++) {
    struct mem_file *f = mem_file_of(r, commit, t->rows[i].path);
    rows[i] = t->rows[i];
    const char **text[] = {&rows[i].path, &rows[i].blob_id, &rows[i].lfs_sha256, &rows[i].xet_hash};
    for (size_t k = 0; k < 4; k++)
      if (*text[k]) *text[k] = H->intern(c, *text[k], SIZE_MAX);
    rows[i].present = f && f->blob;
  }
  pthread_mutex_unlock(&m->lock);
  if (!rows) return H->failf(c, HF_ENOMEM, "Out of memory while reading a listing.");
  for (uint32_t i = 0; i < n && st == HF_OK; i++)
    st = rows[i].path ? H->put(slot, HF_PUT_ENTRY, &rows[i], sizeof rows[i])
                      : H->failf(c, HF_ENOMEM, "Out of memory while reading a listing.");
  return st;
}

/* ---- leases ------------------------------------------------------------------------------------------------------ */

static struct mem_lease *holder_of(struct memory *m, struct mem_repo *r, const char *etag) {
  struct mem_lease *l = m->leases;
  while (l && (l->lost || l->repo != r || strcmp(l->etag, etag))) l = l->next;
  return l;
}

hf_status mem_lease_take(hf_call *c, void *store, const struct hf_key *key, uint32_t ttl_ms, void **lease) {
  struct memory *m = store;
  size_t n = strlen(key->etag) + 1;
  struct mem_lease *mine = mem_alloc(c, sizeof *mine + n), *other;
  hf_status st = HF_OK;
  if (!mine) return HF_ENOMEM;
  memcpy(mine->etag, key->etag, n);
  mine->ttl_ns = (uint64_t)ttl_ms * 1000000u;
  pthread_mutex_lock(&m->lock);
  mine->repo = mem_repo_of(c, m, &key->repo, true);
  if (!mine->repo) st = HF_ENOMEM;
  while (st == HF_OK && (other = holder_of(m, mine->repo, key->etag)) != NULL) {
    if (H->now_ns() >= other->until_ns) {
      other->lost = true;
      break;
    }
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 20000000;
    if (soon.tv_nsec >= 1000000000) {
      soon.tv_sec++;
      soon.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&m->freed, &m->lock, &soon);
    st = H->check(c);
  }
  if (st == HF_OK) {
    mine->until_ns = H->now_ns() + mine->ttl_ns;
    mine->next = m->leases;
    m->leases = mine;
    *lease = mine;
  }
  pthread_mutex_unlock(&m->lock);
  if (st != HF_OK) H->release(mine);
  return st;
}

hf_status mem_lease_beat(hf_call *c, void *store, void *lease) {
  struct memory *m = store;
  struct mem_lease *l = lease;
  pthread_mutex_lock(&m->lock);
  bool lost = l->lost;
  l->until_ns = H->now_ns() + l->ttl_ns;
  pthread_mutex_unlock(&m->lock);
  return lost ? H->failf(c, HF_ECONFLICT, "Somebody else took over the download of %s; try again.", l->etag) : HF_OK;
}

void mem_lease_drop(void *store, void *lease) {
  struct memory *m = store;
  pthread_mutex_lock(&m->lock);
  struct mem_lease **at = &m->leases;
  while (*at && *at != lease) at = &(*at)->next;
  if (*at) *at = (*at)->next;
  pthread_cond_broadcast(&m->freed);
  pthread_mutex_unlock(&m->lock);
  H->release(lease);
}
