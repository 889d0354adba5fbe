/* local.h - what the parts of the local-dir backend share: the folder, its book-keeping, and
 * the metadata of one file. A plain folder with real files; what is known about each lies in
 * DIR/.cache/huggingface, as the reference keeps it. Private to plugins/storage/local-dir. */
#ifndef HF_LOCAL_DIR_H
#define HF_LOCAL_DIR_H
#include "posix.h"

#define LOCAL_BOOK  ".cache/huggingface"
#define LOCAL_PARTS LOCAL_BOOK "/libhf"

struct local {
  struct hf_root *root;
  struct hf_leases leases;
  bool durable;
  _Atomic bool ready; /* .gitignore and CACHEDIR.TAG are there */
};

struct local_meta { /* what a .metadata file says */
  char commit[65], etag[HF_NAME_ROOM];
  double time; /* seconds since 1970 */
};

/* ---- meta.c ---- */
bool local_reserved(const char *path); /* reserved.c: git's or ours, in any spelling */
hf_status local_path_check(hf_call *, const char *path);
/* Path of a book-keeping file of path: suffix ".metadata" or ".lock". */
hf_status local_book(hf_call *, const char *path, const char *suffix, char rel[HF_PATH_ROOM]);
/* False: none, malformed, or older than the file as it lies there (st). */
bool local_meta_read(hf_call *, struct local *, const char *path, const struct stat *st, struct local_meta *);
hf_status local_meta_write(hf_call *, struct local *, const char *path, const char *commit, const char *etag);
void local_meta_drop(hf_call *, struct local *, const char *path);
bool local_time_parse(const char *, double *);
void local_prepare(struct local *); /* the book-keeping folder with what tells other programs to skip it */
/* The reference's lock of one file, taken if it is free; -1 when not. Close it to release. */
int local_lock(hf_call *, struct local *, const char *path);

/* ---- local.c ---- */
/* A regular file of the folder, no links on the way; false with errno. */
bool local_stat(struct local *, const char *path, struct stat *);
int local_open(struct local *, const char *path);

/* ---- publish.c ---- */
hf_status local_put_row(hf_call *, struct local *, const char *path, const char *commit, const char *etag,
                        uint64_t size, hf_slot *);
hf_status local_adopt(hf_call *, void *, const struct hf_ingest *, hf_slot *);
hf_status local_ingest(hf_call *, void *, const struct hf_ingest *, struct hf_sink **);
hf_status local_publish(hf_call *, void *, void *const *seals, uint32_t n, hf_slot *);
void local_discard(void *, void *seal);
#endif
