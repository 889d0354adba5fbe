/* store.h - what this Hub remembers: repos, commits, refs, trees of entries, blobs by hash.
 * sqlite holds all but the bytes of larger blobs; those are files of the data folder, or one memory file with --memory.
 * A store is used from many threads (one connection each) and, in a folder, by several processes at once. */
#ifndef DEVHUB_STORE_H
#define DEVHUB_STORE_H
#include "digest.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum repo_type { REPO_MODEL, REPO_DATASET, REPO_SPACE, REPO_KERNEL, REPO_TYPES };
enum { STORE_OK = 0, STORE_NONE = 1, STORE_FAILED = -1, STORE_INVALID = -2 };
enum { NAME_ROOM = 200, PATH_ROOM = 1025, REVISION_ROOM = 256 };

struct store;

struct repo {
  int64_t id;
  enum repo_type type;
  char name[NAME_ROOM]; /* "namespace/name" or a bare name */
  bool private, disabled;
  char gated[8]; /* "", "auto" or "manual" */
  int64_t created, downloads, likes;
};

struct commit {
  int64_t id, tree, date, depth; /* date in seconds; depth: how many commits came before */
  char oid[41], title[256], author[97];
  char *message, *meta; /* NULL unless asked for; meta is JSON text (meta.h) */
};

enum blob_kind { BLOB_INLINE, BLOB_STORED, BLOB_GENERATED };
struct blob {
  int64_t id, size;
  enum blob_kind kind;
  uint64_t seed, place; /* generated: the seed; stored in memory: the offset */
  char sha256[65], oid[41];
};

struct entry {
  char path[PATH_ROOM];
  bool directory, lfs;
  char oid[41]; /* git object id: tree, blob, or pointer of an LFS file */
  int64_t size, pointer;
  struct blob blob;
  struct commit changed; /* the commit that last touched it: oid, title, date */
};

struct store *dh_store_open(const char *folder); /* NULL: in memory; reports on stderr */
void dh_store_close(struct store *s);
const char *dh_repo_type_name(enum repo_type type);   /* "model" */
int dh_repo_type_find(const char *name, size_t size); /* "model" or "models", -1 */
bool dh_repo_name_valid(const char *name);
bool dh_path_valid(const char *path);

/* Repos. All return STORE_OK, STORE_NONE or STORE_FAILED. */
int dh_store_repo(struct store *s, enum repo_type type, const char *name, struct repo *out);
int dh_store_renamed(struct store *s, enum repo_type type, const char *old, char name[NAME_ROOM]);
int dh_store_rename(struct store *s, enum repo_type type, const char *old, const char *name);
struct repo_query {
  enum repo_type type;
  const char *author, *search, *tags[16];
  size_t tag_count;
  const char *sort; /* lastModified createdAt downloads likes trendingScore, NULL: trendingScore */
  bool ascending;
  int gated;                     /* -1: any */
  int64_t after_value, after_id; /* where the last page ended; after_id 0: at the start */
};
struct repo_row {
  struct repo repo;
  struct commit head; /* with meta */
  int64_t value;      /* of the sort key, for the cursor */
};
typedef bool (*repo_visitor)(void *arg, const struct repo_row *row); /* false: enough */
int dh_store_repos(struct store *s, const struct repo_query *q, repo_visitor visit, void *arg);

/* Revisions: branch, tag, refs/..., full or abbreviated commit. */
int dh_store_revision(struct store *s, int64_t repo, const char *revision, struct commit *out);
typedef bool (*ref_visitor)(void *arg, const char *ref, const char *oid);
int dh_store_refs(struct store *s, int64_t repo, ref_visitor visit, void *arg);
typedef bool (*commit_visitor)(void *arg, const struct commit *c); /* with message */
int dh_store_commits(struct store *s, int64_t head, int64_t skip, int64_t limit, commit_visitor visit, void *arg);
int dh_store_meta(struct store *s, struct commit *c); /* fills c->meta */
void dh_commit_free(struct commit *c);

/* Trees. */
int dh_store_entry(struct store *s, int64_t tree, const char *path, struct entry *out);
struct tree_query {
  int64_t tree;
  const char *folder; /* "" is the root */
  bool recursive;
  const char *after; /* path of the last entry of the page before, or NULL */
  bool after_directory;
  int64_t limit;
};
typedef bool (*entry_visitor)(void *arg, const struct entry *e);
int dh_store_tree(struct store *s, const struct tree_query *q, entry_visitor visit, void *arg);

/* Blobs. A put is finished by dh_blob_end or dh_blob_abort; the size is known from the start. */
struct blob_put;
struct blob_put *dh_blob_begin(struct store *s, uint64_t size);
bool dh_blob_data(struct blob_put *p, const void *data, size_t size);
int dh_blob_end(struct blob_put *p, struct blob *out);
void dh_blob_abort(struct blob_put *p);
int dh_blob_generated(struct store *s, uint64_t seed, uint64_t size, struct blob *out);
int dh_blob_find(struct store *s, const char *sha256, struct blob *out);
int dh_blob_open(struct store *s, const struct blob *b, int *fd, uint64_t *offset); /* BLOB_STORED */
int dh_blob_inline(struct store *s, const struct blob *b, char **data); /* BLOB_INLINE; freed by the caller */
/* The whole of a small blob of any kind, NUL added; STORE_NONE if it is larger than max. */
int dh_blob_text(struct store *s, const struct blob *b, size_t max, char **data);

/* A commit from a document: {"type","repo","revision","title"?,"message"?,"author"?,"tag"?,"replace"?,"private"?,"gated"?,
 * "downloads"?,"likes"?,"files":[{"path","sha256","lfs"?}],"deleted":[path..]?}. The repo is made when it is missing.
 * STORE_INVALID: `problem` says what is wrong with the document. */
int dh_store_commit(struct store *s, const json_t *document, struct commit *out, char problem[256]);
#endif
