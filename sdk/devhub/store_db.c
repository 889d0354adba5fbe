/* store_db.c - the database of a store: schema, statements, one connection a thread.
 * A folder is opened in WAL mode, so `hf-devhub add` may write while a server reads; memory is sqlite's memdb, shared
 * by the threads of this process. Statements are prepared once per connection and kept. */
#include "store_db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA_VERSION 1

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS repos(id INTEGER PRIMARY KEY, type INTEGER NOT NULL, name TEXT NOT NULL,"
    " private INTEGER NOT NULL DEFAULT 0, gated TEXT NOT NULL DEFAULT '', disabled INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL, downloads INTEGER NOT NULL, likes INTEGER NOT NULL, UNIQUE(type, name));"
    "CREATE TABLE IF NOT EXISTS renames(type INTEGER NOT NULL, old TEXT NOT NULL, repo INTEGER NOT NULL,"
    " PRIMARY KEY(type, old)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS trees(id INTEGER PRIMARY KEY, oid TEXT NOT NULL DEFAULT '');"
    "CREATE TABLE IF NOT EXISTS commits(id INTEGER PRIMARY KEY, repo INTEGER NOT NULL, oid TEXT NOT NULL,"
    " tree INTEGER NOT NULL, parent INTEGER, depth INTEGER NOT NULL, title TEXT NOT NULL, message TEXT NOT NULL,"
    " author TEXT NOT NULL, date INTEGER NOT NULL, meta TEXT NOT NULL, UNIQUE(repo, oid));"
    "CREATE TABLE IF NOT EXISTS refs(repo INTEGER NOT NULL, ref TEXT NOT NULL, target INTEGER NOT NULL,"
    " PRIMARY KEY(repo, ref)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS blobs(id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, oid TEXT NOT NULL,"
    " size INTEGER NOT NULL, kind INTEGER NOT NULL, seed INTEGER NOT NULL, place INTEGER NOT NULL, data BLOB);"
    "CREATE TABLE IF NOT EXISTS entries(tree INTEGER NOT NULL, path TEXT NOT NULL, parent TEXT NOT NULL,"
    " directory INTEGER NOT NULL, oid TEXT NOT NULL, blob INTEGER, lfs INTEGER NOT NULL, pointer INTEGER NOT NULL,"
    " size INTEGER NOT NULL, changed INTEGER NOT NULL, PRIMARY KEY(tree, path)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS entries_by_parent ON entries(tree, parent, directory DESC, path);"
    "CREATE TABLE IF NOT EXISTS tags(repo INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY(repo, tag)) WITHOUT ROWID;";

#define REPO_COLUMNS   "id, type, name, private, gated, disabled, created, downloads, likes"
#define COMMIT_COLUMNS "c.id, c.tree, c.date, c.depth, c.oid, c.title, c.author, c.message"
#define ENTRY_COLUMNS \
  "e.path, e.directory, e.lfs, e.oid, e.size, e.pointer, b.id, b.size, b.kind, b.seed, b.place, b.sha256, b.oid"
#define TREE_QUERY                                                             \
  "SELECT " ENTRY_COLUMNS                                                      \
  ", c.oid, c.title, c.date FROM entries e LEFT JOIN blobs b ON b.id = e.blob" \
  " LEFT JOIN commits c ON c.id = e.changed WHERE e.tree = ?1 AND "

static const char *const statements[ST_COUNT] = {
    [ST_REPO] = "SELECT " REPO_COLUMNS " FROM repos WHERE type = ?1 AND name = ?2",
    [ST_REPO_ADD] = "INSERT INTO repos(type, name, created, downloads, likes) VALUES(?1, ?2, ?3, ?4, ?5)",
    [ST_REPO_SET] = "UPDATE repos SET private = ?2, gated = ?3, downloads = ?4, likes = ?5 WHERE id = ?1",
    [ST_REPO_NAME] = "UPDATE repos SET name = ?2 WHERE id = ?1",
    [ST_RENAMED] = "SELECT r.name FROM renames n JOIN repos r ON r.id = n.repo WHERE n.type = ?1 AND n.old = ?2",
    [ST_RENAME_ADD] = "INSERT OR REPLACE INTO renames(type, old, repo) VALUES(?1, ?2, ?3)",
    [ST_RENAME_DROP] = "DELETE FROM renames WHERE type = ?1 AND old = ?2",
    [ST_REF] = "SELECT " COMMIT_COLUMNS
               " FROM refs f JOIN commits c ON c.id = f.target"
               " WHERE f.repo = ?1 AND f.ref = ?2",
    [ST_REF_SET] = "INSERT OR REPLACE INTO refs(repo, ref, target) VALUES(?1, ?2, ?3)",
    [ST_REFS] = "SELECT f.ref, c.oid FROM refs f JOIN commits c ON c.id = f.target WHERE f.repo = ?1 ORDER BY f.ref",
    [ST_COMMIT_OID] = "SELECT " COMMIT_COLUMNS " FROM commits c WHERE c.repo = ?1 AND c.oid = ?2",
    [ST_COMMIT_PREFIX] = "SELECT " COMMIT_COLUMNS
                         " FROM commits c WHERE c.repo = ?1 AND c.oid >= ?2"
                         " AND c.oid < ?2 || 'g' LIMIT 1",
    [ST_COMMIT_META] = "SELECT meta FROM commits WHERE id = ?1",
    [ST_COMMIT_ADD] =
        "INSERT INTO commits(id, repo, oid, tree, parent, depth, title, message, author, date, meta)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [ST_COMMITS] =
        "WITH RECURSIVE h(id, n) AS (SELECT ?1, 0 UNION ALL SELECT c.parent, h.n + 1 FROM commits c"
        " JOIN h ON c.id = h.id WHERE c.parent IS NOT NULL) SELECT " COMMIT_COLUMNS
        " FROM h JOIN commits c ON c.id = h.id ORDER BY h.n LIMIT ?3 OFFSET ?2",
    [ST_TAG_DROP] = "DELETE FROM tags WHERE repo = ?1",
    [ST_TAG_ADD] = "INSERT OR IGNORE INTO tags(repo, tag) VALUES(?1, ?2)",
    [ST_TREE_ADD] = "INSERT INTO trees DEFAULT VALUES",
    [ST_TREE_CLEAR] = "DELETE FROM entries WHERE tree = ?1",
    [ST_TREE_FIND] = "SELECT oid FROM trees WHERE id = ?1",
    [ST_TREE_OID] = "UPDATE trees SET oid = ?2 WHERE id = ?1",
    [ST_ENTRY] = TREE_QUERY "e.path = ?2",
    [ST_ENTRY_ADD] =
        "INSERT OR REPLACE INTO entries(tree, path, parent, directory, oid, blob, lfs, pointer, size,"
        " changed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [ST_ENTRY_OID] = "SELECT oid FROM entries WHERE tree = ?1 AND path = ?2 AND directory = 0",
    [ST_ENTRY_COPY] =
        "INSERT INTO entries SELECT ?2, path, parent, directory, oid, blob, lfs, pointer, size, changed"
        " FROM entries WHERE tree = ?1 AND directory = 0",
    [ST_ENTRY_DROP] = "DELETE FROM entries WHERE tree = ?1 AND path = ?2",
    [ST_ENTRY_DROP_UNDER] = "DELETE FROM entries WHERE tree = ?1 AND path > ?2 || '/' AND path < ?2 || '0'",
    [ST_ENTRIES_SORTED] = "SELECT path, oid, size, changed FROM entries WHERE tree = ?1 ORDER BY path",
    [ST_TREE_ALL] = TREE_QUERY
    "e.path > ?2 AND (?3 = '' OR (e.path > ?3 || '/' AND e.path < ?3 || '0'))"
    " ORDER BY e.path LIMIT ?4",
    [ST_TREE_CHILDREN] = TREE_QUERY
    "e.parent = ?3 AND (?2 = '' OR (e.directory = ?5 AND e.path > ?2)"
    " OR e.directory < ?5) ORDER BY e.directory DESC, e.path LIMIT ?4",
    [ST_BLOB] = "SELECT id, size, kind, seed, place, sha256, oid FROM blobs WHERE sha256 = ?1",
    [ST_BLOB_ADD] =
        "INSERT INTO blobs(sha256, oid, size, kind, seed, place, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT(sha256) DO NOTHING",
    [ST_BLOB_DATA] = "SELECT data FROM blobs WHERE id = ?1",
    [ST_BEGIN] = "BEGIN",
    [ST_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
};

void db_complain(struct db *db, const char *what) {
  fprintf(stderr, "hf-devhub: %s failed in the database: %s\n", what, sqlite3_errmsg(db->sql));
}

static struct db *db_open(struct store *s) {
  struct db *db = calloc(1, sizeof *db);
  if (!db) return NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(s->uri, &db->sql, flags, NULL) != SQLITE_OK) {
    fprintf(stderr, "hf-devhub: cannot open the database %s: %s\n", s->uri,
            db->sql ? sqlite3_errmsg(db->sql) : "out of memory");
    sqlite3_close(db->sql);
    free(db);
    return NULL;
  }
  sqlite3_busy_timeout(db->sql, 30000);
  sqlite3_exec(db->sql, "PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;", NULL, NULL, NULL);
  if (s->folder) sqlite3_exec(db->sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", NULL, NULL, NULL);
  pthread_mutex_lock(&s->lock);
  db->next = s->dbs;
  s->dbs = db;
  pthread_mutex_unlock(&s->lock);
  return db;
}

struct db *db_get(struct store *s) {
  struct db *db = pthread_getspecific(s->key);
  if (!db) {
    db = db_open(s);
    if (db && pthread_setspecific(s->key, db) != 0) return NULL; /* closed with the store */
  }
  return db;
}

sqlite3_stmt *db_take(struct db *db, enum statement which) {
  if (!db) return NULL;
  sqlite3_stmt **st = &db->statement[which];
  if (!*st && sqlite3_prepare_v3(db->sql, statements[which], -1, SQLITE_PREPARE_PERSISTENT, st, NULL) != SQLITE_OK)
    db_complain(db, statements[which]);
  return *st;
}

void db_done(sqlite3_stmt *st) {
  if (!st) return;
  sqlite3_reset(st);
  sqlite3_clear_bindings(st);
}

int db_run(struct db *db, sqlite3_stmt *st) {
  if (!st) return STORE_FAILED;
  int rc = sqlite3_step(st);
  if (rc != SQLITE_DONE && rc != SQLITE_ROW) db_complain(db, sqlite3_sql(st));
  db_done(st);
  return rc == SQLITE_DONE || rc == SQLITE_ROW ? STORE_OK : STORE_FAILED;
}

int db_first(struct db *db, sqlite3_stmt *st) {
  if (!st) return STORE_FAILED;
  int rc = sqlite3_step(st);
  if (rc == SQLITE_ROW) return STORE_OK;
  if (rc == SQLITE_DONE) return STORE_NONE;
  db_complain(db, sqlite3_sql(st));
  return STORE_FAILED;
}

int db_simple(struct db *db, enum statement which) {
  return db_run(db, db_take(db, which));
}

void db_column(sqlite3_stmt *st, int column, char *out, size_t room) {
  const char *text = (const char *)sqlite3_column_text(st, column);
  size_t n = text ? strlen(text) : 0;
  if (n >= room) n = room - 1;
  if (n) memcpy(out, text, n);
  out[n] = 0;
}

void db_bind(sqlite3_stmt *st, int index, const char *text) {
  sqlite3_bind_text(st, index, text, -1, SQLITE_STATIC);
}

void db_blob(sqlite3_stmt *st, int first, struct blob *out) {
  out->id = sqlite3_column_int64(st, first);
  out->size = sqlite3_column_int64(st, first + 1);
  out->kind = (enum blob_kind)sqlite3_column_int(st, first + 2);
  out->seed = (uint64_t)sqlite3_column_int64(st, first + 3);
  out->place = (uint64_t)sqlite3_column_int64(st, first + 4);
  db_column(st, first + 5, out->sha256, sizeof out->sha256);
  db_column(st, first + 6, out->oid, sizeof out->oid);
}

static bool schema_ready(struct store *s) {
  struct db *db = db_get(s);
  if (!db) return false;
  sqlite3_stmt *st = NULL;
  int version = -1;
  if (sqlite3_prepare_v2(db->sql, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
    version = sqlite3_column_int(st, 0);
  sqlite3_finalize(st);
  if (version == SCHEMA_VERSION) return true;
  if (version != 0) {
    fprintf(stderr, "hf-devhub: %s was made by another version (schema %d, need %d); use another data folder\n", s->uri,
            version, SCHEMA_VERSION);
    return false;
  }
  char set[64];
  snprintf(set, sizeof set, "PRAGMA user_version=%d", SCHEMA_VERSION);
  if (db_simple(db, ST_BEGIN_WRITE) != STORE_OK) return false;
  if (sqlite3_exec(db->sql, schema, NULL, NULL, NULL) != SQLITE_OK ||
      sqlite3_exec(db->sql, set, NULL, NULL, NULL) != SQLITE_OK) {
    db_complain(db, "making the tables");
    db_simple(db, ST_ROLLBACK);
    return false;
  }
  return db_simple(db, ST_COMMIT) == STORE_OK;
}

static bool folder_ready(struct store *s, const char *folder) {
  s->folder = strdup(folder);
  if (!s->folder) return false;
  static const char *const parts[] = {"", "/blobs", "/tmp"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char *path = NULL;
    if (asprintf(&path, "%s%s", folder, parts[i]) < 0) return false;
    int rc = mkdir(path, 0700);
    if (rc < 0 && errno != EEXIST) {
      fprintf(stderr, "hf-devhub: cannot make the data folder %s: %s\n", path, strerror(errno));
      free(path);
      return false;
    }
    free(path);
  }
  return asprintf(&s->uri, "%s/devhub.sqlite", folder) >= 0;
}

static bool memory_ready(struct store *s) {
  s->arena = memfd_create("hf-devhub", MFD_CLOEXEC);
  if (s->arena < 0) {
    fprintf(stderr, "hf-devhub: cannot make a memory file: %s\n", strerror(errno));
    return false;
  }
  return asprintf(&s->uri, "file:/devhub-%p?vfs=memdb", (void *)s) >= 0;
}

struct store *dh_store_open(const char *folder) {
  struct store *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->arena = -1;
  pthread_mutex_init(&s->lock, NULL);
  if (pthread_key_create(&s->key, NULL) != 0) {
    free(s);
    return NULL;
  }
  if (!(folder ? folder_ready(s, folder) : memory_ready(s)) || !schema_ready(s)) {
    dh_store_close(s);
    return NULL;
  }
  return s;
}

void dh_store_close(struct store *s) {
  if (!s) return;
  while (s->dbs) {
    struct db *db = s->dbs;
    s->dbs = db->next;
    for (int i = 0; i < ST_COUNT; i++) sqlite3_finalize(db->statement[i]);
    sqlite3_close(db->sql);
    free(db);
  }
  if (s->arena >= 0) close(s->arena);
  pthread_key_delete(s->key);
  pthread_mutex_destroy(&s->lock);
  free(s->folder);
  free(s->uri);
  free(s);
}
