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
enum {
  STORE_EXISTS = 2,
  STORE_CONFLICT = 3,
  STORE_MISSING = 4
}; /* of writes: is there, was overtaken, entry is not there */
enum { NAME_ROOM = 200, PATH_ROOM = 1025, REVISION_ROOM = 256 };

struct store;

struct repo {
  int64_t id;
  enum repo_type type;
  char name[NAME_ROOM];              /* "namespace/name" or a bare name */
  bool private, protected, disabled; /* protected: private, and its app is public */
  char gated[8];                     /* "", "auto" or "manual" */
  int64_t created, downloads, likes;
};

struct commit {
  int64_t id, tree, date, depth; /* date in seconds; depth: how many commits came before */
  char oid[41], title[256], author[97];
  char *message, *meta; /* NULL unless asked for; meta is JSON text (meta.h) */
  int64_t pull;         /* from dh_store_commit: the number of the pull request it opened */
};

enum blob_kind { BLOB_INLINE, BLOB_STORED, BLOB_GENERATED, BLOB_PACKED };
struct blob {
  int64_t id, size;
  enum blob_kind kind;
  uint64_t seed, place; /* generated: the seed; packed: the pack, the offset; stored in memory: the offset */
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
/* The same for a content that must have this hash, as an object of a repo; STORE_INVALID: it has another one. */
int dh_blob_end_object(struct blob_put *p, const char *sha256, int64_t repo);
struct blob_put *dh_blob_begin_object(struct store *s, uint64_t size);
struct blob_put *dh_blob_begin_xorb(struct store *s, uint64_t size); /* is never a plain file */
void dh_blob_abort(struct blob_put *p);
int dh_blob_generated(struct store *s, uint64_t seed, uint64_t size, struct blob *out);
int dh_blob_find(struct store *s, const char *sha256, struct blob *out);
int dh_blob_open(struct store *s, const struct blob *b, int *fd, uint64_t *offset); /* BLOB_STORED, _PACKED */
int dh_blob_inline(struct store *s, const struct blob *b, char **data); /* BLOB_INLINE; freed by the caller */
/* The whole of a small blob of any kind, NUL added; STORE_NONE if it is larger than max. */
int dh_blob_text(struct store *s, const struct blob *b, size_t max, char **data);

/* A small content at once. */
int dh_blob_store(struct store *s, const void *data, size_t size, char sha256[65]);

/* Many small contents: each is put into the room that the batch gives, then taken; hashed and written beside that. */
struct blob_batch;
struct blob_batch *dh_batch_begin(struct store *s);
char *dh_batch_room(struct blob_batch *b, size_t size);              /* NULL on failure */
int dh_batch_take(struct blob_batch *b, size_t size, size_t *index); /* what was put into the last room */
void dh_batch_end(struct blob_batch *b, bool kept);                  /* NULL is fine; kept: the commit was made */

/* A content of a known hash, in parts that may come in any order and at the same time (store_upload.c). */
struct upload {
  char id[33], sha256[65];
  int64_t repo, size, part, place, expires;
};
int dh_upload_new(struct store *s, struct upload *u); /* all but id and place are given */
int dh_upload_find(struct store *s, const char *id, struct upload *out);
/* A part that is being written: its bytes are on disk, and known, once dh_part_end has returned STORE_OK. */
struct part_put;
struct part_put *dh_part_begin(struct store *s, const struct upload *u, int64_t number, uint64_t size);
bool dh_part_data(struct part_put *p, const void *data, size_t size);
int dh_part_end(struct part_put *p, char etag[33]); /* STORE_INVALID: not as many bytes as the part has */
void dh_part_abort(struct part_put *p);
/* Makes the object of its parts: STORE_INVALID when `parts` are not those that are here, or the hash is another one. */
int dh_upload_finish(struct store *s, const struct upload *u, const json_t *parts, char problem[256]);

/* Changes of repos (store_write.c). */
int dh_store_repo_set(struct store *s, const struct repo *repo); /* visibility and gate */
int dh_store_repo_delete(struct store *s, int64_t repo);
json_t *dh_store_repos_of(struct store *s, const char *owner); /* rows for `hf repos list`; NULL on failure */
int dh_store_ref_add(struct store *s, int64_t repo, const char *ref, int64_t commit); /* STORE_EXISTS */
int dh_store_ref_drop(struct store *s, int64_t repo, const char *ref);                /* STORE_NONE */
bool dh_ref_valid(const char *ref);
int dh_store_like(struct store *s, const char *user, int64_t repo, bool like, int64_t now);
json_t *dh_store_likes(struct store *s, const char *user), *dh_store_likers(struct store *s, int64_t repo);
int dh_store_object(struct store *s, int64_t repo, const char *sha256); /* has this repo this LFS object? */
int dh_store_object_add(struct store *s, int64_t repo, const char *sha256);
int dh_store_object_drop(struct store *s, int64_t repo, const char *sha256);
json_t *dh_store_objects(struct store *s, int64_t repo);
/* Access requests; status: pending, accepted, rejected. A request is handled by user name or by request id. */
int dh_store_access(struct store *s, int64_t repo, const char *user, char status[16]);
int dh_store_access_add(struct store *s, int64_t repo, const char *user, const char *status, int64_t now);
int dh_store_access_set(struct store *s, int64_t repo, const char *user, const char *id, const char *status,
                        const char *reason);
int dh_store_access_drop(struct store *s, int64_t repo, const char *user);
json_t *dh_store_access_list(struct store *s, int64_t repo, const char *status);
int dh_store_setting(struct store *s, const char *key, char *value, size_t room);
int dh_store_setting_set(struct store *s, const char *key, const char *value);
/* Documents as the API shows them (store_document.c); owner NULL: of everybody. What is read and written between begin and end
 * is one change; end takes it back unless rc is STORE_OK. */
enum document_kind { DOCUMENT_COLLECTION, DOCUMENT_WEBHOOK };
int dh_document(struct store *s, enum document_kind kind, const char *id, json_t **out);
json_t *dh_documents(struct store *s, enum document_kind kind, const char *owner);
int dh_document_set(struct store *s, enum document_kind kind, const char *id, const char *owner, const json_t *value);
int dh_document_drop(struct store *s, enum document_kind kind, const char *id);
int dh_documents_begin(struct store *s);
int dh_documents_end(struct store *s, int rc);
/* Everything read between the two is of one moment. */
int dh_store_read_begin(struct store *s);
void dh_store_read_end(struct store *s);

/* Discussions and pull requests (store_discussion.c). Events are kept as the Hub's JSON shows them. */
struct discussion {
  int64_t num, date;
  char title[256], status[16], author[97], base[REVISION_ROOM], merged[41];
  bool pull;
};
int dh_store_discussion(struct store *s, int64_t repo, int64_t num, struct discussion *out);
int dh_store_discussion_open(struct store *s, int64_t repo, struct discussion *d, const char *text); /* sets num */
int dh_store_discussion_set(struct store *s, int64_t repo, const struct discussion *d);
struct discussion_query {
  const char *author, *status; /* open or closed */
  int pull;                    /* -1: both */
};
typedef bool (*discussion_visitor)(void *arg, const struct discussion *d);
int dh_store_discussions(struct store *s, int64_t repo, const struct discussion_query *q, discussion_visitor visit,
                         void *arg);
json_t *dh_store_events(struct store *s, int64_t repo, int64_t num, int64_t only); /* only 0: all */
/* Adds an event (takes `data`); its id, or 0. */
int64_t dh_store_event_add(struct store *s, int64_t repo, int64_t num, const char *type, const char *author,
                           int64_t date, json_t *data);
/* Another text, or hidden; STORE_NONE: no such comment. */
int dh_store_comment_edit(struct store *s, int64_t repo, int64_t num, int64_t id, const char *text, int64_t now);
/* Moves the base branch to the pull request's state; STORE_CONFLICT: both changed the same files. */
int dh_store_merge(struct store *s, const struct repo *repo, struct discussion *d, const char *author, int64_t now);

/* A commit from a document: {"type","repo","revision","title"?,"message"?,"author"?,"date"?,"tag"?,"replace"?,"private"?,
 * "gated"?,"downloads"?,"likes"?,"files":[{"path","sha256","lfs"?}],"deleted":[path or {"path","folder"}..]?}.
 * A path to delete that is an object must be there (STORE_MISSING). The repo is made when it is missing, unless:
 * "create": it must be missing (STORE_EXISTS); "existing": it and the branch must be there (STORE_NONE). Of existing ones:
 * "parent": what the branch must be at (STORE_CONFLICT); "pull": {"title","text"}: do not move the branch, open a pull
 * request on it; "empty": commit even what changes nothing; "squash": forget the history; "owned": LFS files must be
 * objects of the repo. STORE_INVALID: `problem` says what is wrong with the document. */
int dh_store_commit(struct store *s, const json_t *document, struct commit *out, char problem[256]);
/* The same; of "files", those with "content" name a content of the batch by its index instead of a hash. */
int dh_store_commit_batch(struct store *s, const json_t *document, struct blob_batch *b, struct commit *out,
                          char problem[256]);
#endif
