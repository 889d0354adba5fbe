/* store_db.c - the database of a store: schema, statements, one connection a thread.
 * A folder is opened in WAL mode, so `hf-devhub add` may write while a server reads; memory is sqlite's memdb, shared
 * by the threads of this process. Statements are prepared once per connection and kept. */
#include "store_db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCHEMA_VERSION 3

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS repos(id INTEGER PRIMARY KEY, type INTEGER NOT NULL, name TEXT NOT NULL,"
    " private INTEGER NOT NULL DEFAULT 0, gated TEXT NOT NULL DEFAULT '', disabled INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL, downloads INTEGER NOT NULL, likes INTEGER NOT NULL,"
    " protected INTEGER NOT NULL DEFAULT 0, UNIQUE(type, name));"
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
    "CREATE TABLE IF NOT EXISTS tags(repo INTEGER NOT NULL, tag TEXT NOT NULL, PRIMARY KEY(repo, tag)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS objects(repo INTEGER NOT NULL, sha256 TEXT NOT NULL, PRIMARY KEY(repo, sha256))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS likes(user TEXT NOT NULL, repo INTEGER NOT NULL, date INTEGER NOT NULL,"
    " PRIMARY KEY(user, repo)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS access(id INTEGER PRIMARY KEY, repo INTEGER NOT NULL, user TEXT NOT NULL,"
    " status TEXT NOT NULL, date INTEGER NOT NULL, reason TEXT, UNIQUE(repo, user));"
    "CREATE TABLE IF NOT EXISTS discussions(repo INTEGER NOT NULL, num INTEGER NOT NULL, title TEXT NOT NULL,"
    " status TEXT NOT NULL, author TEXT NOT NULL, date INTEGER NOT NULL, pull INTEGER NOT NULL, base TEXT NOT NULL,"
    " merged TEXT NOT NULL DEFAULT '', PRIMARY KEY(repo, num)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS events(id INTEGER PRIMARY KEY, repo INTEGER NOT NULL, num INTEGER NOT NULL,"
    " type TEXT NOT NULL, author TEXT NOT NULL, date INTEGER NOT NULL, data TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS events_by_discussion ON events(repo, num);"
    "CREATE TABLE IF NOT EXISTS uploads(id TEXT PRIMARY KEY, repo INTEGER NOT NULL, sha256 TEXT NOT NULL,"
    " size INTEGER NOT NULL, part INTEGER NOT NULL, place INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS parts(upload TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,"
    " PRIMARY KEY(upload, number)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS cas(kind INTEGER NOT NULL, hash TEXT NOT NULL, other TEXT NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY(kind, hash)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS documents(kind INTEGER NOT NULL, id TEXT NOT NULL, owner TEXT NOT NULL,"
    " data TEXT NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;";

/* Run once for a folder of schema 1: its LFS files become objects of their repos. */
static const char upgrade[] =
    "ALTER TABLE repos ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;"
    "INSERT OR IGNORE INTO objects(repo, sha256) SELECT c.repo, b.sha256 FROM commits c"
    " JOIN entries e ON e.tree = c.tree AND e.lfs = 1 JOIN blobs b ON b.id = e.blob;";

#define REPO_COLUMNS   "id, type, name, private, gated, disabled, created, downloads, likes, protected"
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
    [ST_REPO_SET] =
        "UPDATE repos SET private = ?2, gated = ?3, downloads = ?4, likes = ?5, protected = ?6 WHERE id = ?1",
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
        "INSERT INTO entries(tree, path, parent, directory, oid, blob, lfs, pointer, size, changed)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(tree, path) DO UPDATE SET"
        " directory = excluded.directory, oid = excluded.oid, blob = excluded.blob, lfs = excluded.lfs,"
        " pointer = excluded.pointer, size = excluded.size, changed = excluded.changed WHERE oid <> excluded.oid",
    [ST_ENTRY_OID] = "SELECT oid FROM entries WHERE tree = ?1 AND path = ?2 AND directory = 0",
    [ST_ENTRY_UNDER] =
        "SELECT 1 FROM entries WHERE tree = ?1 AND path > ?2 || '/' AND path < ?2 || '0' AND directory = 0 LIMIT 1",
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
    [ST_SQUASH_ENTRIES] = "UPDATE entries SET changed = ?1 WHERE tree = ?1",
    [ST_REF_ADD] = "INSERT OR IGNORE INTO refs(repo, ref, target) VALUES(?1, ?2, ?3)",
    [ST_REF_DROP] = "DELETE FROM refs WHERE repo = ?1 AND ref = ?2",
    [ST_REPO_DROP] = "DELETE FROM repos WHERE id = ?1",
    [ST_DROP_ENTRIES] = "DELETE FROM entries WHERE tree IN (SELECT tree FROM commits WHERE repo = ?1)",
    [ST_DROP_TREES] = "DELETE FROM trees WHERE id IN (SELECT tree FROM commits WHERE repo = ?1)",
    [ST_DROP_COMMITS] = "DELETE FROM commits WHERE repo = ?1",
    [ST_DROP_REFS] = "DELETE FROM refs WHERE repo = ?1",
    [ST_DROP_RENAMES] = "DELETE FROM renames WHERE repo = ?1",
    [ST_DROP_TAGS] = "DELETE FROM tags WHERE repo = ?1",
    [ST_DROP_OBJECTS] = "DELETE FROM objects WHERE repo = ?1",
    [ST_DROP_LIKES] = "DELETE FROM likes WHERE repo = ?1",
    [ST_DROP_ACCESS] = "DELETE FROM access WHERE repo = ?1",
    [ST_DROP_DISCUSSIONS] = "DELETE FROM discussions WHERE repo = ?1",
    [ST_DROP_EVENTS] = "DELETE FROM events WHERE repo = ?1",
    [ST_REPOS_OF] =
        "SELECT r.type, r.name, r.private, r.protected, c.date, c.meta FROM repos r LEFT JOIN refs f"
        " ON f.repo = r.id AND f.ref = 'refs/heads/main' LEFT JOIN commits c ON c.id = f.target"
        " WHERE substr(r.name, 1, length(?1) + 1) = ?1 || '/' ORDER BY r.name, r.type",
    [ST_LIKE_ADD] = "INSERT OR IGNORE INTO likes(user, repo, date) VALUES(?1, ?2, ?3)",
    [ST_LIKE_DROP] = "DELETE FROM likes WHERE user = ?1 AND repo = ?2",
    [ST_LIKE_COUNT] = "UPDATE repos SET likes = max(0, likes + ?2) WHERE id = ?1",
    [ST_LIKES] =
        "SELECT l.date, r.type, r.name FROM likes l JOIN repos r ON r.id = l.repo WHERE l.user = ?1"
        " AND r.private = 0 ORDER BY l.date DESC, r.name",
    [ST_LIKERS] = "SELECT user FROM likes WHERE repo = ?1 ORDER BY date, user",
    [ST_ACCESS] = "SELECT status FROM access WHERE repo = ?1 AND user = ?2",
    [ST_ACCESS_LIST] = "SELECT id, user, date, status, reason FROM access WHERE repo = ?1 AND status = ?2 ORDER BY id",
    [ST_ACCESS_ADD] = "INSERT OR IGNORE INTO access(repo, user, status, date) VALUES(?1, ?2, ?3, ?4)",
    [ST_ACCESS_SET] =
        "UPDATE access SET status = ?4, reason = ?5 WHERE repo = ?1 AND (user = ?2 OR printf('%024x', id) = ?3)",
    [ST_ACCESS_DROP] = "DELETE FROM access WHERE repo = ?1 AND user = ?2",
    [ST_OBJECT] = "SELECT 1 FROM objects WHERE repo = ?1 AND sha256 = ?2",
    [ST_OBJECT_ADD] = "INSERT OR IGNORE INTO objects(repo, sha256) VALUES(?1, ?2)",
    [ST_OBJECTS] =
        "SELECT o.sha256, b.size, min(e.path), min(e.oid), max(c.date) FROM objects o JOIN blobs b ON b.sha256 = "
        "o.sha256"
        " JOIN commits c ON c.repo = o.repo JOIN entries e ON e.tree = c.tree AND e.blob = b.id AND e.lfs = 1"
        " WHERE o.repo = ?1 GROUP BY o.sha256",
    [ST_OBJECT_DROP] = "DELETE FROM objects WHERE repo = ?1 AND sha256 = ?2",
    [ST_CAS] = "SELECT other, data FROM cas WHERE kind = ?1 AND hash = ?2",
    [ST_CAS_SET] = "INSERT OR REPLACE INTO cas(kind, hash, other, data) VALUES(?1, ?2, ?3, ?4)",
    [ST_CAS_DROP] = "DELETE FROM cas WHERE kind = ?1 AND hash = ?2",
    [ST_DOCUMENT] = "SELECT data FROM documents WHERE kind = ?1 AND id = ?2",
    [ST_DOCUMENTS] = "SELECT data FROM documents WHERE kind = ?1 AND (?2 IS NULL OR owner = ?2) ORDER BY id",
    [ST_DOCUMENT_SET] = "INSERT OR REPLACE INTO documents(kind, id, owner, data) VALUES(?1, ?2, ?3, ?4)",
    [ST_DOCUMENT_DROP] = "DELETE FROM documents WHERE kind = ?1 AND id = ?2",
    [ST_SETTING] = "SELECT value FROM settings WHERE key = ?1",
    [ST_SETTING_SET] = "INSERT OR REPLACE INTO settings(key, value) VALUES(?1, ?2)",
    [ST_DISCUSSION] =
        "SELECT num, title, status, author, date, pull, base, merged FROM discussions WHERE repo = ?1 AND num = ?2",
    [ST_DISCUSSION_ADD] =
        "INSERT INTO discussions(repo, num, title, status, author, date, pull, base)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [ST_DISCUSSION_SET] = "UPDATE discussions SET title = ?3, status = ?4, merged = ?5 WHERE repo = ?1 AND num = ?2",
    [ST_DISCUSSION_NEXT] = "SELECT coalesce(max(num), 0) + 1 FROM discussions WHERE repo = ?1",
    [ST_DISCUSSIONS] =
        "SELECT num, title, status, author, date, pull, base, merged FROM discussions WHERE repo = ?1"
        " AND (?2 IS NULL OR author = ?2) AND (?3 < 0 OR pull = ?3) AND (?4 IS NULL OR"
        " (?4 = 'open') = (status IN ('open', 'draft'))) ORDER BY num DESC",
    [ST_EVENT] = "SELECT data FROM events WHERE repo = ?1 AND num = ?2 AND id = ?3 AND type = 'comment'",
    [ST_EVENT_ADD] = "INSERT INTO events(repo, num, type, author, date, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ST_EVENT_SET] = "UPDATE events SET data = ?2 WHERE id = ?1",
    [ST_EVENTS] =
        "SELECT id, type, author, date, data FROM events WHERE repo = ?1 AND num = ?2"
        " AND (?3 = 0 OR id = ?3) ORDER BY id",
    [ST_UPLOAD] = "SELECT repo, sha256, size, part, place, expires FROM uploads WHERE id = ?1",
    [ST_UPLOAD_ADD] =
        "INSERT INTO uploads(id, repo, sha256, size, part, place, expires) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [ST_UPLOAD_DROP] = "DELETE FROM uploads WHERE id = ?1",
    [ST_UPLOADS_OLD] = "SELECT id FROM uploads WHERE expires < ?1 LIMIT 1",
    [ST_PART_SET] = "INSERT OR REPLACE INTO parts(upload, number, etag) VALUES(?1, ?2, ?3)",
    [ST_PARTS] = "SELECT number, etag FROM parts WHERE upload = ?1 ORDER BY number",
    [ST_PARTS_DROP] = "DELETE FROM parts WHERE upload = ?1",
    [ST_BLOB] = "SELECT id, size, kind, seed, place, sha256, oid FROM blobs WHERE sha256 = ?1",
    [ST_BLOB_ADD] =
        "INSERT INTO blobs(sha256, oid, size, kind, seed, place, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT(sha256) DO UPDATE SET oid = excluded.oid WHERE oid = ''",
    [ST_BLOB_DATA] = "SELECT data FROM blobs WHERE id = ?1",
    [ST_BEGIN] = "BEGIN",
    [ST_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_ROLLBACK] = "ROLLBACK",
};

void db_complain(struct db *db, const char *what) {
  fprintf(stderr, "hf-devhub: %s failed in the database: %s\n", what, sqlite3_errmsg(db->sql));
}

void db_wait(struct db *db, bool wait) {
  if (db->store->folder)
    sqlite3_exec(db->sql, wait ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
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
  if (s->folder) sqlite3_exec(db->sql, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=8192;", NULL, NULL, NULL);
  db->store = s;
  db_wait(db, true);
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

static sqlite3_stmt *bind_all(sqlite3_stmt *st, const char *format, va_list args) {
  for (int i = 1; st && *format; i++, format++) {
    if (*format == 'i') {
      sqlite3_bind_int64(st, i, va_arg(args, int64_t));
    } else {
      sqlite3_bind_text(st, i, va_arg(args, const char *), -1, SQLITE_STATIC);
    }
  }
  return st;
}

sqlite3_stmt *db_query(struct db *db, enum statement which, const char *format, ...) {
  va_list args;
  va_start(args, format);
  sqlite3_stmt *st = bind_all(db_take(db, which), format, args);
  va_end(args);
  return st;
}

int db_exec(struct db *db, enum statement which, const char *format, ...) {
  va_list args;
  va_start(args, format);
  sqlite3_stmt *st = bind_all(db_take(db, which), format, args);
  va_end(args);
  return db_run(db, st);
}

int db_end(struct db *db, int rc) {
  if (rc == STORE_OK) {
    if (!db->store->folder) pthread_rwlock_wrlock(&db->store->reads);
    rc = db_simple(db, ST_COMMIT);
    if (!db->store->folder) pthread_rwlock_unlock(&db->store->reads);
  }
  if (rc != STORE_OK) db_simple(db, ST_ROLLBACK);
  return rc;
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
  if (version < 0 || version > SCHEMA_VERSION) {
    fprintf(stderr, "hf-devhub: %s was made by another version (schema %d, need %d); use another data folder\n", s->uri,
            version, SCHEMA_VERSION);
    return false;
  }
  char set[64];
  snprintf(set, sizeof set, "PRAGMA user_version=%d", SCHEMA_VERSION);
  if (db_simple(db, ST_BEGIN_WRITE) != STORE_OK) return false;
  bool old = version == 1;
  if (sqlite3_exec(db->sql, schema, NULL, NULL, NULL) != SQLITE_OK ||
      (old && sqlite3_exec(db->sql, upgrade, NULL, NULL, NULL) != SQLITE_OK) ||
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
  pthread_cond_init(&s->hashed, NULL);
  pthread_rwlockattr_t attributes;
  pthread_rwlockattr_init(&attributes);
  pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&s->reads, &attributes);
  pthread_rwlockattr_destroy(&attributes);
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
  db_uploads_stop(s);
  while (s->dbs) {
    struct db *db = s->dbs;
    s->dbs = db->next;
    for (int i = 0; i < ST_COUNT; i++) sqlite3_finalize(db->statement[i]);
    sqlite3_close(db->sql);
    free(db);
  }
  if (s->arena >= 0) close(s->arena);
  pthread_key_delete(s->key);
  pthread_cond_destroy(&s->hashed);
  pthread_rwlock_destroy(&s->reads);
  pthread_mutex_destroy(&s->lock);
  free(s->folder);
  free(s->uri);
  free(s);
}
