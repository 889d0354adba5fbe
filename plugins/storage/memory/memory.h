/* memory.h - what the parts of the memory backend share: repos with blobs, files,
 * refs and listings, all in one block of lists under one lock. For programs that
 * embed the library, and for tests. Private to plugins/storage/memory. */
#ifndef HF_MEMORY_H
#define HF_MEMORY_H
#include <hf/plugin.h>
#include <hf/io.h>
#include <hf/storage.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

extern const struct hf_host *hf_memory_host;
#define H hf_memory_host
#define TRY(x)                      \
  do {                              \
    hf_status try_ = (x);           \
    if (try_ != HF_OK) return try_; \
  } while (0)

struct mem_blob { /* content; counted by the files that show it, sources that read it, and the list it is in */
  struct mem_blob *next;
  uint32_t users, shown;
  bool listed;
  uint64_t size, room;
  int64_t made_ns, used_ns;
  char *data;
  char etag[];
};
struct mem_file {
  struct mem_file *next;
  struct mem_blob *blob; /* NULL: known not to exist */
  char *path;
  char commit[41];
};
struct mem_ref {
  struct mem_ref *next;
  char commit[41];
  char name[];
};
struct mem_tree {
  struct mem_tree *next;
  struct hf_tree_entry *rows; /* strings owned, in `text` */
  uint32_t count;
  char *text;
  char commit[41];
};
struct mem_lease {
  struct mem_lease *next;
  struct mem_repo *repo;
  uint64_t until_ns, ttl_ns;
  bool lost;
  char etag[];
};
#define MEM_BLOB_BUCKETS 1024
struct mem_repo {
  struct mem_repo *next;
  struct mem_blob *blobs[MEM_BLOB_BUCKETS]; /* hashed by etag */
  struct mem_file **files;                  /* hashed by commit and path */
  uint32_t file_count, buckets;
  struct mem_ref *refs;
  struct mem_tree *trees;
  char *type, *id;
};
struct memory {
  struct memory *next; /* named stores of the process */
  char *name;          /* NULL: private to its opener */
  uint32_t users;
  pthread_mutex_t lock;
  pthread_cond_t freed;
  struct mem_repo *repos;
  struct mem_lease *leases;
  uint64_t held, limit; /* bytes of content */
};

/* ---- repo.c: lists; the caller holds the lock ---- */
void *mem_alloc(hf_call *, size_t); /* zeroed; the error is set when NULL */
char *mem_dup(hf_call *, const char *);
struct mem_repo *mem_repo_of(hf_call *, struct memory *, const struct hf_repo *,
                             bool make); /* NULL without make: no error */
struct mem_file *mem_file_of(struct mem_repo *, const char *commit, const char *path);
struct mem_blob *mem_blob_of(struct mem_repo *, const char *etag);
void mem_blob_list(struct mem_repo *, struct mem_blob *); /* one use more */
hf_status mem_show(hf_call *, struct memory *, struct mem_repo *, const char *commit, const char *path,
                   struct mem_blob *);
void mem_blob_put(struct memory *, struct mem_blob *); /* ends one use */
void mem_file_drop(struct memory *, struct mem_repo *, struct mem_file *);
void mem_blob_unlist(struct memory *, struct mem_repo *, struct mem_blob *);
void mem_clear(struct memory *);

/* ---- receive.c ---- */
hf_status mem_ingest(hf_call *, void *, const struct hf_ingest *, struct hf_sink **);
hf_status mem_publish(hf_call *, void *, void *const *seals, uint32_t n, hf_slot *);
void mem_discard(void *, void *seal);
hf_status mem_source_open(hf_call *, struct memory *, struct mem_blob *, const char *name, struct hf_source **);
hf_status mem_put_file(hf_slot *, const char *commit, const struct mem_blob *);

/* ---- tables.c: refs, listings, leases ---- */
hf_status mem_ref_get(hf_call *, void *, const struct hf_repo *, const char *name, hf_slot *);
hf_status mem_ref_put(hf_call *, void *, const struct hf_repo *, const char *name, const char *expect,
                      const char *commit);
hf_status mem_ref_each(hf_call *, void *, const struct hf_repo *, hf_slot *);
hf_status mem_tree_get(hf_call *, void *, const struct hf_repo *, const char *commit, hf_slot *);
hf_status mem_tree_put(hf_call *, void *, const struct hf_repo *, const char *commit, struct hf_table);
hf_status mem_lease_take(hf_call *, void *, const struct hf_key *, uint32_t ttl_ms, void **lease);
hf_status mem_lease_beat(hf_call *, void *, void *lease);
void mem_lease_drop(void *, void *lease);
#endif
