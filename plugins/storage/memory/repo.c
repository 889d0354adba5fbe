/* repo.c - the lists of the memory store: repos, blobs counted by who uses them, files hashed by commit and path.
 * Every function here is called with the store's lock held.
 * A blob stays while a file shows it, a source reads it or it is listed; then its memory is given back. */
#include "memory.h"

const struct hf_host *hf_memory_host;

void *mem_alloc(hf_call *c, size_t n) {
  void *p = H->alloc(n ? n : 1);
  if (p)
    memset(p, 0, n);
  else if (c)
    H->failf(c, HF_ENOMEM, "Out of memory in the memory store; store fewer bytes or use a folder.");
  return p;
}

char *mem_dup(hf_call *c, const char *s) {
  size_t n = strlen(s) + 1;
  char *p = mem_alloc(c, n);
  if (p) memcpy(p, s, n);
  return p;
}

struct mem_repo *mem_repo_of(hf_call *c, struct memory *m, const struct hf_repo *repo, bool make) {
  for (struct mem_repo *r = m->repos; r; r = r->next)
    if (!strcmp(r->type, repo->type) && !strcmp(r->id, repo->id)) return r;
  if (!make) return NULL;
  struct mem_repo *r = mem_alloc(c, sizeof *r);
  if (!r) return NULL;
  r->type = mem_dup(c, repo->type);
  r->id = mem_dup(c, repo->id);
  r->buckets = 64;
  r->files = mem_alloc(c, r->buckets * sizeof *r->files);
  if (!r->type || !r->id || !r->files) {
    H->release(r->type);
    H->release(r->id);
    H->release(r->files);
    H->release(r);
    return NULL;
  }
  r->next = m->repos;
  return m->repos = r;
}

static uint32_t bucket_of(uint32_t buckets, const char *commit, const char *path) {
  uint32_t h = 2166136261u;
  for (; *commit; commit++) h = (h ^ (unsigned char)*commit) * 16777619u;
  for (; *path; path++) h = (h ^ (unsigned char)*path) * 16777619u;
  return h % buckets;
}

struct mem_file *mem_file_of(struct mem_repo *r, const char *commit, const char *path) {
  struct mem_file *f = r->files[bucket_of(r->buckets, commit, path)];
  while (f && (strcmp(f->path, path) || strcmp(f->commit, commit))) f = f->next;
  return f;
}

static void grow(struct mem_repo *r) {
  uint32_t more = r->buckets * 4;
  struct mem_file **files = mem_alloc(NULL, more * sizeof *files);
  if (!files) return; /* the chains get longer, nothing else */
  for (uint32_t i = 0; i < r->buckets; i++)
    for (struct mem_file *f = r->files[i], *next; f; f = next) {
      next = f->next;
      uint32_t b = bucket_of(more, f->commit, f->path);
      f->next = files[b];
      files[b] = f;
    }
  H->release(r->files);
  r->files = files;
  r->buckets = more;
}

struct mem_blob *mem_blob_of(struct mem_repo *r, const char *etag) {
  struct mem_blob *b = r->blobs[bucket_of(MEM_BLOB_BUCKETS, "", etag)];
  while (b && strcmp(b->etag, etag)) b = b->next;
  return b;
}

void mem_blob_list(struct mem_repo *r, struct mem_blob *b) {
  struct mem_blob **at = &r->blobs[bucket_of(MEM_BLOB_BUCKETS, "", b->etag)];
  b->listed = true;
  b->users++;
  b->next = *at;
  *at = b;
}

void mem_blob_put(struct memory *m, struct mem_blob *b) {
  if (!b || --b->users) return;
  m->held -= b->room;
  H->release(b->data);
  H->release(b);
}

void mem_blob_unlist(struct memory *m, struct mem_repo *r, struct mem_blob *b) {
  if (!b->listed) return;
  struct mem_blob **at = &r->blobs[bucket_of(MEM_BLOB_BUCKETS, "", b->etag)];
  while (*at != b) at = &(*at)->next;
  *at = b->next;
  b->listed = false;
  mem_blob_put(m, b);
}

static void let_go(struct memory *m, struct mem_repo *r, struct mem_blob *b) {
  if (!b) return;
  if (--b->shown == 0) mem_blob_unlist(m, r, b);
  mem_blob_put(m, b);
}

void mem_file_drop(struct memory *m, struct mem_repo *r, struct mem_file *f) {
  struct mem_file **at = &r->files[bucket_of(r->buckets, f->commit, f->path)];
  while (*at != f) at = &(*at)->next;
  *at = f->next;
  r->file_count--;
  let_go(m, r, f->blob);
  H->release(f->path);
  H->release(f);
}

/* blob NULL: the file is known not to exist. */
hf_status mem_show(hf_call *c, struct memory *m, struct mem_repo *r, const char *commit, const char *path,
                   struct mem_blob *blob) {
  struct mem_file *f = mem_file_of(r, commit, path);
  if (!f) {
    f = mem_alloc(c, sizeof *f);
    if (!f) return HF_ENOMEM;
    f->path = mem_dup(c, path);
    if (!f->path || strlen(commit) != 40) {
      H->release(f->path);
      H->release(f);
      return H->failf(c, HF_EINVAL, "The memory store keeps files by commit, and this is none: %s.", commit);
    }
    memcpy(f->commit, commit, sizeof f->commit);
    if (++r->file_count > r->buckets * 2) grow(r);
    uint32_t b = bucket_of(r->buckets, commit, path);
    f->next = r->files[b];
    r->files[b] = f;
  }
  if (blob) {
    blob->users++;
    blob->shown++;
  }
  let_go(m, r, f->blob);
  f->blob = blob;
  return HF_OK;
}

void mem_clear(struct memory *m) {
  while (m->repos) {
    struct mem_repo *r = m->repos;
    m->repos = r->next;
    for (uint32_t i = 0; i < r->buckets; i++)
      while (r->files[i]) mem_file_drop(m, r, r->files[i]);
    for (uint32_t i = 0; i < MEM_BLOB_BUCKETS; i++)
      while (r->blobs[i]) mem_blob_unlist(m, r, r->blobs[i]);
    while (r->refs) {
      struct mem_ref *ref = r->refs;
      r->refs = ref->next;
      H->release(ref);
    }
    while (r->trees) {
      struct mem_tree *t = r->trees;
      r->trees = t->next;
      H->release(t->rows);
      H->release(t->text);
      H->release(t);
    }
    H->release(r->files);
    H->release(r->type);
    H->release(r->id);
    H->release(r);
  }
}
