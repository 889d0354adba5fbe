/* memory.c - memory: a store that lives in the process, for programs that embed the library and for tests.
 * "memory:" is private to its opener; "memory:NAME" is one store for the whole process until the plugin ends.
 * This file holds looking, listing, removing, the table of functions and opening. */
#include "memory.h"
#include <stdlib.h>
#include <time.h>

#define LIMIT_DEFAULT (UINT64_C(2) << 30)

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static struct memory *names;

static hf_status not_there(hf_call *c, const char *what) {
  return H->failf(c, HF_ENOTFOUND, "%s is not in the store.", what);
}

static hf_status commit_check(hf_call *c, const struct hf_name *name) {
  return name->commit ? HF_OK : H->failf(c, HF_EINVAL, "The memory store keeps files by commit; name one.");
}

static hf_status mem_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  struct memory *m = store;
  TRY(commit_check(c, name));
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &name->repo, false);
  struct mem_file *f = r ? mem_file_of(r, name->commit, name->path) : NULL;
  struct mem_blob *b = f ? f->blob : NULL;
  if (b) b->users++;
  pthread_mutex_unlock(&m->lock);
  if (!f) return not_there(c, name->path);
  if (!b) {
    struct hf_st_file row = {
        .struct_size = sizeof row, .flags = HF_SF_ABSENT, .commit = name->commit, .size = HF_SIZE_UNKNOWN};
    return H->put(slot, HF_PUT_FILE, &row, sizeof row);
  }
  hf_status st = mem_put_file(slot, name->commit, b);
  pthread_mutex_lock(&m->lock);
  mem_blob_put(m, b);
  pthread_mutex_unlock(&m->lock);
  return st;
}

static hf_status mem_adopt(hf_call *c, void *store, const struct hf_ingest *in, hf_slot *slot) {
  struct memory *m = store;
  hf_status st = HF_OK;
  TRY(commit_check(c, &in->name));
  if ((in->flags & HF_IN_FORCE) || !in->etag) return not_there(c, in->name.path);
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &in->name.repo, false);
  struct mem_blob *b = r ? mem_blob_of(r, in->etag) : NULL;
  if (b && in->size != HF_SIZE_UNKNOWN && in->size != b->size) b = NULL;
  if (b) {
    b->users++;
    st = mem_show(c, m, r, in->name.commit, in->name.path, b);
  }
  pthread_mutex_unlock(&m->lock);
  if (!b) return not_there(c, in->name.path);
  if (st == HF_OK) st = mem_put_file(slot, in->name.commit, b);
  pthread_mutex_lock(&m->lock);
  mem_blob_put(m, b);
  pthread_mutex_unlock(&m->lock);
  return st;
}

static hf_status mem_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  struct memory *m = store;
  TRY(commit_check(c, name));
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &name->repo, false);
  struct mem_file *f = r ? mem_file_of(r, name->commit, name->path) : NULL;
  hf_status st = f && f->blob ? mem_source_open(c, m, f->blob, name->path, out) : HF_ENOTFOUND;
  pthread_mutex_unlock(&m->lock);
  return st == HF_ENOTFOUND ? not_there(c, name->path) : st;
}

static hf_status mem_absent(hf_call *c, void *store, const struct hf_name *name) {
  struct memory *m = store;
  TRY(commit_check(c, name));
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &name->repo, true);
  hf_status st = !r                                         ? HF_ENOMEM
                 : mem_file_of(r, name->commit, name->path) ? HF_OK
                                                            : mem_show(c, m, r, name->commit, name->path, NULL);
  pthread_mutex_unlock(&m->lock);
  return st;
}

static hf_status mem_remove(hf_call *c, void *store, const struct hf_name *name) {
  struct memory *m = store;
  TRY(commit_check(c, name));
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &name->repo, false);
  struct mem_file *f = r ? mem_file_of(r, name->commit, name->path) : NULL;
  bool there = f && f->blob;
  if (there) mem_file_drop(m, r, f);
  pthread_mutex_unlock(&m->lock);
  return there ? HF_OK : not_there(c, name->path);
}

/* ---- blobs ------------------------------------------------------------------------------------------------------- */

static struct hf_blob row_of(const struct hf_repo *repo, const struct mem_blob *b, const char *etag) {
  return (struct hf_blob){.struct_size = sizeof(struct hf_blob),
                          .key = {*repo, etag},
                          .size = b->size,
                          .refs = b->shown,
                          .mtime_ns = b->made_ns,
                          .atime_ns = b->used_ns};
}

static hf_status mem_blob_stat(hf_call *c, void *store, const struct hf_key *key, hf_slot *slot) {
  struct memory *m = store;
  struct hf_blob row = {0};
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &key->repo, false);
  struct mem_blob *b = r ? mem_blob_of(r, key->etag) : NULL;
  if (b) row = row_of(&key->repo, b, key->etag);
  pthread_mutex_unlock(&m->lock);
  return b ? H->put(slot, HF_PUT_BLOB, &row, sizeof row) : not_there(c, key->etag);
}

static hf_status mem_blob_open(hf_call *c, void *store, const struct hf_key *key, struct hf_source **out) {
  struct memory *m = store;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &key->repo, false);
  struct mem_blob *b = r ? mem_blob_of(r, key->etag) : NULL;
  hf_status st = b ? mem_source_open(c, m, b, key->etag, out) : HF_ENOTFOUND;
  pthread_mutex_unlock(&m->lock);
  return st == HF_ENOTFOUND ? not_there(c, key->etag) : st;
}

/* Files that show it go with it: nothing here is ever a name without bytes. */
static hf_status mem_blob_remove(hf_call *c, void *store, const struct hf_key *key) {
  struct memory *m = store;
  pthread_mutex_lock(&m->lock);
  struct mem_repo *r = mem_repo_of(c, m, &key->repo, false);
  struct mem_blob *b = r ? mem_blob_of(r, key->etag) : NULL;
  if (b) b->users++;
  for (uint32_t i = 0; b && b->shown && i < r->buckets; i++)
    for (struct mem_file *f = r->files[i], *next; f; f = next) {
      next = f->next;
      if (f->blob == b) mem_file_drop(m, r, f);
    }
  if (b) {
    mem_blob_unlist(m, r, b);
    mem_blob_put(m, b);
  }
  pthread_mutex_unlock(&m->lock);
  return b ? HF_OK : not_there(c, key->etag);
}

struct rows { /* copied out under the lock, told without it */
  struct hf_blob *all;
  uint32_t count, room;
};

static hf_status add_row(hf_call *c, const struct hf_repo *repo, const struct mem_blob *b, struct rows *rows) {
  if (rows->count == rows->room) {
    uint32_t room = rows->room ? rows->room * 2 : 64;
    void *more = H->resize(rows->all, room * sizeof *rows->all);
    if (!more) return H->failf(c, HF_ENOMEM, "Out of memory while listing blobs.");
    rows->all = more;
    rows->room = room;
  }
  struct hf_blob *row = &rows->all[rows->count];
  *row = row_of(repo, b, H->intern(c, b->etag, SIZE_MAX));
  if (!repo->type || !repo->id || !row->key.etag) return H->failf(c, HF_ENOMEM, "Out of memory while listing blobs.");
  rows->count++;
  return HF_OK;
}

static hf_status add_rows(hf_call *c, struct mem_repo *r, struct rows *rows) {
  struct hf_repo repo = {H->intern(c, r->type, SIZE_MAX), H->intern(c, r->id, SIZE_MAX)};
  for (uint32_t i = 0; i < MEM_BLOB_BUCKETS; i++)
    for (struct mem_blob *b = r->blobs[i]; b; b = b->next) TRY(add_row(c, &repo, b, rows));
  return HF_OK;
}

static hf_status mem_blob_each(hf_call *c, void *store, const struct hf_repo *repo, hf_slot *slot) {
  struct memory *m = store;
  struct rows rows = {0};
  hf_status st = HF_OK;
  pthread_mutex_lock(&m->lock);
  for (struct mem_repo *r = m->repos; r && st == HF_OK; r = r->next)
    if (!repo || (!strcmp(r->type, repo->type) && !strcmp(r->id, repo->id))) st = add_rows(c, r, &rows);
  pthread_mutex_unlock(&m->lock);
  for (uint32_t i = 0; i < rows.count && st == HF_OK; i++)
    st = H->put(slot, HF_PUT_BLOB, &rows.all[i], sizeof rows.all[i]);
  H->release(rows.all);
  return st;
}

static hf_status mem_repo_each(hf_call *c, void *store, hf_slot *slot) {
  struct memory *m = store;
  hf_status st = HF_OK;
  uint32_t n = 0, i = 0;
  pthread_mutex_lock(&m->lock);
  for (struct mem_repo *r = m->repos; r; r = r->next) n++;
  struct hf_ref *rows = H->arena(c, (n ? n : 1) * sizeof *rows);
  for (struct mem_repo *r = rows ? m->repos : NULL; r; r = r->next)
    rows[i++] = (struct hf_ref){.struct_size = sizeof *rows,
                                .repo = {H->intern(c, r->type, SIZE_MAX), H->intern(c, r->id, SIZE_MAX)},
                                .name = ""};
  pthread_mutex_unlock(&m->lock);
  if (!rows) return H->failf(c, HF_ENOMEM, "Out of memory while listing repositories.");
  for (i = 0; i < n && st == HF_OK; i++)
    if (rows[i].repo.type && rows[i].repo.id) st = H->put(slot, HF_PUT_REF, &rows[i], sizeof rows[i]);
  return st;
}

static hf_status mem_space(hf_call *c, void *store, hf_slot *slot) {
  struct memory *m = store;
  pthread_mutex_lock(&m->lock);
  uint64_t left = m->limit > m->held ? m->limit - m->held : 0;
  pthread_mutex_unlock(&m->lock);
  char text[64], *o = text + sizeof text;
  const char *volume = " memory";
  size_t n = strlen(volume);
  o -= n;
  memcpy(o, volume, n);
  do {
    *--o = (char)('0' + left % 10);
    left /= 10;
  } while (left);
  (void)c;
  return H->put(slot, HF_PUT_TEXT, &(struct hf_text){o, (size_t)(text + sizeof text - o)}, sizeof(struct hf_text));
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static struct memory *store_new(hf_call *c, const char *name) {
  struct memory *m = mem_alloc(c, sizeof *m);
  if (!m) return NULL;
  if (*name && !(m->name = mem_dup(c, name))) {
    H->release(m);
    return NULL;
  }
  const char *limit = H->option(c, "limit");
  unsigned long long n = limit ? strtoull(limit, NULL, 10) : 0;
  m->limit = n ? n : LIMIT_DEFAULT;
  pthread_mutex_init(&m->lock, NULL);
  pthread_cond_init(&m->freed, NULL);
  return m;
}

static void store_free(struct memory *m) {
  mem_clear(m);
  pthread_cond_destroy(&m->freed);
  pthread_mutex_destroy(&m->lock);
  H->release(m->name);
  H->release(m);
}

static hf_status mem_open(hf_call *c, const char *uri, void **store) {
  const char *name = strchr(uri, ':');
  name = name ? name + 1 : "";
  if (!strncmp(name, "//", 2)) name += 2;
  struct memory *m = NULL;
  pthread_mutex_lock(&names_lock);
  for (m = *name ? names : NULL; m && strcmp(m->name, name);) m = m->next;
  if (!m) {
    m = store_new(c, name);
    if (m && m->name) {
      m->next = names;
      names = m;
    }
  }
  if (m) m->users++;
  pthread_mutex_unlock(&names_lock);
  *store = m;
  return m ? HF_OK : HF_ENOMEM;
}

static void mem_close(void *store) {
  struct memory *m = store;
  pthread_mutex_lock(&names_lock);
  bool last = --m->users == 0 && !m->name;
  pthread_mutex_unlock(&names_lock);
  if (last) store_free(m);
}

static const struct hf_param keys[] = {
    {.name = "limit",
     .help = "Bytes that one store may hold.",
     .deflt = "2147483648",
     .env = "HF_MEMORY_LIMIT",
     .type = HF_P_INT},
};

#define CAPS                                                                                                         \
  (HF_ST_RANDOM_WRITE | HF_ST_EXCL_PUBLISH | HF_ST_BLOBS | HF_ST_REFS | HF_ST_REF_CAS | HF_ST_TREES | HF_ST_LEASES | \
   HF_ST_LIST | HF_ST_LINKS | HF_ST_ABSENT)

static const struct hf_storage memory = {
    .m = {.kind = HF_KIND_STORAGE,
          .struct_size = sizeof(struct hf_storage),
          .name = "memory",
          .summary = "store in the memory of the process",
          .threads = HF_THREADS_ANY,
          .priority = 10,
          .caps = CAPS,
          .config = HF_TABLE(keys)},
    .open = mem_open,
    .close = mem_close,
    .find = mem_find,
    .adopt = mem_adopt,
    .ingest = mem_ingest,
    .publish = mem_publish,
    .discard = mem_discard,
    .open_file = mem_open_file,
    .absent = mem_absent,
    .remove = mem_remove,
    .blob_stat = mem_blob_stat,
    .blob_open = mem_blob_open,
    .blob_remove = mem_blob_remove,
    .blob_each = mem_blob_each,
    .ref_get = mem_ref_get,
    .ref_put = mem_ref_put,
    .ref_each = mem_ref_each,
    .tree_get = mem_tree_get,
    .tree_put = mem_tree_put,
    .lease_take = mem_lease_take,
    .lease_beat = mem_lease_beat,
    .lease_drop = mem_lease_drop,
    .space = mem_space,
    .repo_each = mem_repo_each,
};

static hf_status load(const struct hf_host *host, void **state) {
  hf_memory_host = host;
  *state = NULL;
  return HF_OK;
}

static void unload(void *state) {
  (void)state;
  while (names) {
    struct memory *m = names;
    names = m->next;
    store_free(m);
  }
}

static const struct hf_module *const modules[] = {&memory.m};
HF_PLUGIN("memory", "0.1.0", "Apache-2.0", "store in the memory of the process", load, unload, modules,
          {HF_KIND_STORAGE, 10, CAPS, "memory", ""});
