/* scan.h - what a look through the cache finds: repos with revisions, refs, files and blobs, each blob looked at once.
 * scan_repo.c fills in one repo, on any thread; scan.c walks the cache and tells the rows.
 * All strings of a repo live in its own memory and end with it. */
#ifndef HF_HUB_SCAN_H
#define HF_HUB_SCAN_H
#include "hub.h"

#define SCAN_DEPTH 64

struct scan_chunk;
struct scan_blob {
  const char *name;   /* in blobs/, or the path of what a link leads to */
  const char *shared; /* hash in the shared store, NULL: none */
  uint32_t seen_in;   /* revision that counted it last, from 1 */
  uint32_t flags;     /* HF_HF_FOREIGN */
  uint64_t size;
  int64_t mtime_ns, atime_ns;
};
struct scan_file {
  const char *path;
  uint32_t blob;
};
struct scan_ref {
  const char *name, *commit;
  bool used;
};
struct scan_revision {
  const char *name;
  size_t first, count; /* of files */
  uint64_t size;
  int64_t mtime_ns;
};

struct scan_repo {
  hf_call *call;
  struct hub *hub;
  const char *folder;
  bool marked;      /* there is a shared store */
  bool keep_files;  /* paths are wanted */
  const char *type; /* NULL: no repo */
  const char *id;
  const char *problem; /* a sentence; the repo is left out */
  int err;             /* of memory: the scan fails */
  struct scan_revision *revisions;
  struct scan_ref *refs;
  struct scan_file *files;
  struct scan_blob *blobs;
  size_t revision_count, ref_count, file_count, blob_count;
  uint32_t *table; /* blobs by name, open addressing; 0: free, else index + 1 */
  size_t table_room;
  uint64_t size;
  int64_t mtime_ns, atime_ns;
  struct scan_chunk *chunks;
};
/* Looks at FOLDER of the cache. */
void scan_repo(struct scan_repo *);
void scan_repo_free(struct scan_repo *);
bool scan_ignored(const char *name); /* helper files of desktops */

/* ---- scan.c ---- */
hf_status hub_scan(hf_call *, void *, const struct hf_repo *, uint32_t flags, hf_slot *);

/* ---- shared.c ---- */
bool hub_shared_marked(struct hub *);
/* Hash of the shared file that this link text, found in a blobs folder, means; NULL: none. */
const char *hub_shared_of_link(struct hub *, const char *link, char hash[65]);
/* Entries of the shared store; false from fn stops. */
void hub_shared_each(struct hub *, bool (*fn)(void *, const char *hash, uint64_t size), void *arg);
/* The blobs ("FOLDER/blobs/ETAG") that the manifest names and that are links to it still, each once, ascending; fn NULL:
 * only counted. UINT64_MAX: the manifest cannot be read. */
uint64_t hub_shared_users(struct hub *, const char *hash, void (*fn)(void *, const char *rel), void *arg);

/* ---- expunge.c ---- */
hf_status hub_expunge(hf_call *, void *, struct hf_table);
/* Is a blob of this name, or an unfinished file of it, written now? Takes a moment's lock, makes nothing. */
bool hub_is_live(struct hub *, const char *folder, const char *key);
#endif
