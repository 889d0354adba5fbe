/* store_db.h - inside the store: the connection of a thread, its prepared statements by name, transactions.
 * Statements are rows of one table in store_db.c; a function takes one, binds, steps and gives it back with db_done.
 * Only store_*.c include this. */
#ifndef DEVHUB_STORE_DB_H
#define DEVHUB_STORE_DB_H
#include "store.h"
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

enum statement {
  ST_REPO,
  ST_REPO_ADD,
  ST_REPO_SET,
  ST_REPO_NAME,
  ST_RENAMED,
  ST_RENAME_ADD,
  ST_RENAME_DROP,
  ST_REF,
  ST_REF_SET,
  ST_REFS,
  ST_COMMIT_OID,
  ST_COMMIT_PREFIX,
  ST_COMMIT_META,
  ST_COMMIT_ADD,
  ST_COMMITS,
  ST_TAG_DROP,
  ST_TAG_ADD,
  ST_TREE_ADD,
  ST_TREE_CLEAR,
  ST_TREE_FIND,
  ST_TREE_OID,
  ST_ENTRY,
  ST_ENTRY_ADD,
  ST_ENTRY_OID,
  ST_ENTRY_UNDER,
  ST_ENTRY_COPY,
  ST_ENTRY_DROP,
  ST_ENTRY_DROP_UNDER,
  ST_ENTRIES_SORTED,
  ST_TREE_ALL,
  ST_TREE_CHILDREN,
  ST_SQUASH_ENTRIES,
  ST_REF_ADD,
  ST_REF_DROP,
  ST_REPO_DROP,
  ST_DROP_ENTRIES,
  ST_DROP_TREES,
  ST_DROP_COMMITS,
  ST_DROP_REFS,
  ST_DROP_RENAMES,
  ST_DROP_TAGS,
  ST_DROP_OBJECTS,
  ST_DROP_LIKES,
  ST_DROP_ACCESS,
  ST_DROP_DISCUSSIONS,
  ST_DROP_EVENTS,
  ST_REPOS_OF,
  ST_LIKE_ADD,
  ST_LIKE_DROP,
  ST_LIKE_COUNT,
  ST_LIKES,
  ST_LIKERS,
  ST_ACCESS,
  ST_ACCESS_LIST,
  ST_ACCESS_ADD,
  ST_ACCESS_SET,
  ST_ACCESS_DROP,
  ST_OBJECT,
  ST_OBJECT_ADD,
  ST_OBJECTS,
  ST_OBJECT_DROP,
  ST_SETTING,
  ST_SETTING_SET,
  ST_DISCUSSION,
  ST_DISCUSSION_ADD,
  ST_DISCUSSION_SET,
  ST_DISCUSSION_NEXT,
  ST_DISCUSSIONS,
  ST_EVENT,
  ST_EVENT_ADD,
  ST_EVENT_SET,
  ST_EVENTS,
  ST_UPLOAD,
  ST_UPLOAD_ADD,
  ST_UPLOAD_DROP,
  ST_UPLOADS_OLD,
  ST_PART_SET,
  ST_PARTS,
  ST_PARTS_DROP,
  ST_CAS,
  ST_CAS_SET,
  ST_CAS_DROP,
  ST_DOCUMENT,
  ST_DOCUMENTS,
  ST_DOCUMENT_SET,
  ST_DOCUMENT_DROP,
  ST_BLOB,
  ST_BLOB_ADD,
  ST_BLOB_DATA,
  ST_BEGIN,
  ST_BEGIN_WRITE,
  ST_COMMIT,
  ST_ROLLBACK,
  ST_COUNT
};

struct db {
  struct store *store;
  sqlite3 *sql;
  sqlite3_stmt *statement[ST_COUNT];
  struct db *next;
};

struct store {
  char *folder, *uri; /* folder NULL: in memory */
  int arena;          /* the memory file, -1 in a folder */
  uint64_t arena_end;
  pthread_mutex_t lock; /* dbs, arena_end, hashers */
  pthread_cond_t hashed;
  struct hasher *hashers; /* store_upload.c */
  pthread_key_t key;
  pthread_rwlock_t reads; /* in memory: a commit waits for whole answers, and new ones for it */
  struct db *dbs;
  atomic_uint temporary;
};

struct db *db_get(struct store *s);                         /* this thread's; NULL if it cannot be opened */
sqlite3_stmt *db_take(struct db *db, enum statement which); /* prepared and reset; NULL on failure */
int db_run(struct db *db, sqlite3_stmt *st);                /* to its end: STORE_OK or STORE_FAILED; resets */
int db_first(struct db *db, sqlite3_stmt *st);              /* one row: OK, NONE or FAILED; reset by db_done */
void db_done(sqlite3_stmt *st);
int db_simple(struct db *db, enum statement which); /* begin, commit, rollback */
void db_wait(struct db *db, bool wait);             /* for the disk at the end of a transaction: yes, at first */
/* Takes a statement and binds its parameters in order: i an int64_t, t a text that stays valid, or NULL. */
sqlite3_stmt *db_query(struct db *db, enum statement which, const char *format, ...);
int db_exec(struct db *db, enum statement which, const char *format, ...); /* the same, and runs it */
int db_end(struct db *db, int rc);                                         /* commits on STORE_OK, else rolls back */
/* Of store_blob.c, for uploads: room in the memory file; a finished temporary file becomes a blob; its row. */
uint64_t db_arena_take(struct store *s, uint64_t size);
void db_arena_drop(struct store *s, uint64_t place, uint64_t size);
bool db_blob_publish(struct store *s, int fd, const char *temporary, const char *sha256);
int db_blob_add(struct store *s, const struct blob *b, const char *data);
bool db_pack_publish(struct store *s, int fd, const char *temporary, uint64_t pack);
void db_pack_drop(struct store *s, uint64_t pack);
/* Of store_batch.c, within the transaction of the commit: all bytes are in their place and hashed; the rows of all contents; one
 * of them then, NULL: no such; at the end the bytes are on disk, under their name. */
int db_batch_finish(struct blob_batch *b);
int db_batch_write(struct blob_batch *b);
int db_batch_sync(struct blob_batch *b);
const struct blob *db_batch_blob(const struct blob_batch *b, size_t index);
void db_uploads_stop(struct store *s);
void db_complain(struct db *db, const char *what);
void db_column(sqlite3_stmt *st, int column, char *out, size_t room);
void db_blob(sqlite3_stmt *st, int first, struct blob *out); /* seven columns: id, size, kind, seed, place, hashes */
void db_bind(sqlite3_stmt *st, int index, const char *text);
#endif
