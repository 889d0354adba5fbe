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
  ST_ENTRY_COPY,
  ST_ENTRY_DROP,
  ST_ENTRY_DROP_UNDER,
  ST_ENTRIES_SORTED,
  ST_TREE_ALL,
  ST_TREE_CHILDREN,
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
  sqlite3 *sql;
  sqlite3_stmt *statement[ST_COUNT];
  struct db *next;
};

struct store {
  char *folder, *uri; /* folder NULL: in memory */
  int arena;          /* the memory file, -1 in a folder */
  uint64_t arena_end;
  pthread_mutex_t lock; /* dbs, arena_end */
  pthread_key_t key;
  struct db *dbs;
  atomic_uint temporary;
};

struct db *db_get(struct store *s);                         /* this thread's; NULL if it cannot be opened */
sqlite3_stmt *db_take(struct db *db, enum statement which); /* prepared and reset; NULL on failure */
int db_run(struct db *db, sqlite3_stmt *st);                /* to its end: STORE_OK or STORE_FAILED; resets */
int db_first(struct db *db, sqlite3_stmt *st);              /* one row: OK, NONE or FAILED; reset by db_done */
void db_done(sqlite3_stmt *st);
int db_simple(struct db *db, enum statement which); /* begin, commit, rollback */
void db_complain(struct db *db, const char *what);
void db_column(sqlite3_stmt *st, int column, char *out, size_t room);
void db_blob(sqlite3_stmt *st, int first, struct blob *out); /* seven columns: id, size, kind, seed, place, hashes */
void db_bind(sqlite3_stmt *st, int index, const char *text);
#endif
