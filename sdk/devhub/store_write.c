/* store_write.c - changes of what is around the commits: settings, deletion, refs, likes, access requests, LFS objects of a
 * repo, settings of the store. Each function is one transaction of its own.
 * Also the read transaction that ties the parts of one answer together. */
#include "store_db.h"
#include "date.h"
#include <stdio.h>
#include <string.h>

int dh_store_read_begin(struct store *s) {
  if (!s->folder) pthread_rwlock_rdlock(&s->reads);
  int rc = db_simple(db_get(s), ST_BEGIN);
  if (rc != STORE_OK && !s->folder) pthread_rwlock_unlock(&s->reads);
  return rc;
}

void dh_store_read_end(struct store *s) {
  db_simple(db_get(s), ST_COMMIT);
  if (!s->folder) pthread_rwlock_unlock(&s->reads);
}

int dh_store_repo_set(struct store *s, const struct repo *repo) {
  return db_exec(db_get(s), ST_REPO_SET, "iitiii", repo->id, (int64_t)(repo->private || repo->protected), repo->gated,
                 repo->downloads, repo->likes, (int64_t)repo->protected);
}

int dh_store_repo_delete(struct store *s, int64_t repo) {
  static const enum statement drops[] = {ST_DROP_ENTRIES, ST_DROP_TREES,       ST_DROP_COMMITS, ST_DROP_REFS,
                                         ST_DROP_RENAMES, ST_DROP_TAGS,        ST_DROP_OBJECTS, ST_DROP_LIKES,
                                         ST_DROP_ACCESS,  ST_DROP_DISCUSSIONS, ST_DROP_EVENTS,  ST_REPO_DROP};
  struct db *db = db_get(s);
  int rc = db_simple(db, ST_BEGIN_WRITE);
  if (rc != STORE_OK) return rc;
  for (size_t i = 0; rc == STORE_OK && i < sizeof drops / sizeof *drops; i++) rc = db_exec(db, drops[i], "i", repo);
  return db_end(db, rc);
}

json_t *dh_store_repos_of(struct store *s, const char *owner) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_REPOS_OF, "t", owner);
  json_t *rows = json_array();
  int rc;
  while ((rc = db_first(db, st)) == STORE_OK) {
    const char *meta_text = (const char *)sqlite3_column_text(st, 5);
    bool private = sqlite3_column_int(st, 2), protected = sqlite3_column_int(st, 3);
    json_t *meta = meta_text ? json_loads(meta_text, 0, NULL) : NULL;
    json_array_append_new(
        rows, json_pack("{s:s, s:s, s:s, s:I, s:i, s:o}", "id", (const char *)sqlite3_column_text(st, 1), "type",
                        dh_repo_type_name((enum repo_type)sqlite3_column_int(st, 0)), "visibility",
                        protected ? "protected"
                        : private ? "private"
                                  : "public",
                        "storage", json_integer_value(json_object_get(meta, "usedStorage")), "storagePercent", 0,
                        "updatedAt", dh_date_json(sqlite3_column_int64(st, 4))));
    json_decref(meta);
  }
  db_done(st);
  if (rc != STORE_FAILED) return rows;
  json_decref(rows);
  return NULL;
}

int dh_store_ref_add(struct store *s, int64_t repo, const char *ref, int64_t commit) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_REF_ADD, "iti", repo, ref, commit);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_EXISTS : rc;
}

int dh_store_ref_drop(struct store *s, int64_t repo, const char *ref) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_REF_DROP, "it", repo, ref);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_NONE : rc;
}

int dh_store_like(struct store *s, const char *user, int64_t repo, bool like, int64_t now) {
  struct db *db = db_get(s);
  int rc = db_simple(db, ST_BEGIN_WRITE);
  if (rc != STORE_OK) return rc;
  rc = like ? db_exec(db, ST_LIKE_ADD, "tii", user, repo, now) : db_exec(db, ST_LIKE_DROP, "ti", user, repo);
  if (rc == STORE_OK && sqlite3_changes(db->sql) > 0)
    rc = db_exec(db, ST_LIKE_COUNT, "ii", repo, (int64_t)(like ? 1 : -1));
  return db_end(db, rc);
}

/* The rows of a statement, each made by a function; NULL on failure. */
static json_t *rows_read(struct store *s, sqlite3_stmt *st, json_t *(*make)(sqlite3_stmt *st)) {
  json_t *rows = json_array();
  int rc;
  while ((rc = db_first(db_get(s), st)) == STORE_OK) json_array_append_new(rows, make(st));
  db_done(st);
  if (rc != STORE_FAILED) return rows;
  json_decref(rows);
  return NULL;
}

static const char *column(sqlite3_stmt *st, int i) {
  const char *text = (const char *)sqlite3_column_text(st, i);
  return text ? text : "";
}

static json_t *like_row(sqlite3_stmt *st) {
  return json_pack("{s:o, s:{s:s, s:s}}", "createdAt", dh_date_json(sqlite3_column_int64(st, 0)), "repo", "type",
                   dh_repo_type_name((enum repo_type)sqlite3_column_int(st, 1)), "name", column(st, 2));
}

json_t *dh_store_likes(struct store *s, const char *user) {
  return rows_read(s, db_query(db_get(s), ST_LIKES, "t", user), like_row);
}

static json_t *liker_row(sqlite3_stmt *st) {
  return json_pack("{s:s, s:s, s:s, s:s}", "user", column(st, 0), "fullname", column(st, 0), "avatarUrl",
                   "/avatars/devhub.svg", "type", "user");
}

json_t *dh_store_likers(struct store *s, int64_t repo) {
  return rows_read(s, db_query(db_get(s), ST_LIKERS, "i", repo), liker_row);
}

int dh_store_object(struct store *s, int64_t repo, const char *sha256) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_OBJECT, "it", repo, sha256);
  int rc = db_first(db, st);
  db_done(st);
  return rc;
}

int dh_store_object_add(struct store *s, int64_t repo, const char *sha256) {
  return db_exec(db_get(s), ST_OBJECT_ADD, "it", repo, sha256);
}

int dh_store_object_drop(struct store *s, int64_t repo, const char *sha256) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_OBJECT_DROP, "it", repo, sha256);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_NONE : rc;
}

static json_t *object_row(sqlite3_stmt *st) {
  return json_pack("{s:s, s:s, s:s, s:I, s:o, s:s}", "oid", column(st, 0), "filename", column(st, 2), "fileOid",
                   column(st, 3), "size", (json_int_t)sqlite3_column_int64(st, 1), "pushedAt",
                   dh_date_json(sqlite3_column_int64(st, 4)), "ref", "main");
}

json_t *dh_store_objects(struct store *s, int64_t repo) {
  return rows_read(s, db_query(db_get(s), ST_OBJECTS, "i", repo), object_row);
}

int dh_store_access(struct store *s, int64_t repo, const char *user, char status[16]) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_ACCESS, "it", repo, user);
  int rc = db_first(db, st);
  if (rc == STORE_OK) db_column(st, 0, status, 16);
  db_done(st);
  return rc;
}

int dh_store_access_add(struct store *s, int64_t repo, const char *user, const char *status, int64_t now) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_ACCESS_ADD, "itti", repo, user, status, now);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_EXISTS : rc;
}

int dh_store_access_set(struct store *s, int64_t repo, const char *user, const char *id, const char *status,
                        const char *reason) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_ACCESS_SET, "itttt", repo, user, id, status, reason);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_NONE : rc;
}

int dh_store_access_drop(struct store *s, int64_t repo, const char *user) {
  struct db *db = db_get(s);
  int rc = db_exec(db, ST_ACCESS_DROP, "it", repo, user);
  return rc == STORE_OK && sqlite3_changes(db->sql) == 0 ? STORE_NONE : rc;
}

static json_t *access_row(sqlite3_stmt *st) {
  json_t *row = json_pack("{s:o, s:{s:s, s:s, s:s}, s:o, s:s}", "requestId",
                          json_sprintf("%024llx", (unsigned long long)sqlite3_column_int64(st, 0)), "user", "user",
                          column(st, 1), "fullname", column(st, 1), "type", "user", "timestamp",
                          dh_date_json(sqlite3_column_int64(st, 2)), "status", column(st, 3));
  if (*column(st, 4)) json_object_set_new(row, "rejectionReason", json_string(column(st, 4)));
  return row;
}

json_t *dh_store_access_list(struct store *s, int64_t repo, const char *status) {
  return rows_read(s, db_query(db_get(s), ST_ACCESS_LIST, "it", repo, status), access_row);
}

int dh_store_setting(struct store *s, const char *key, char *value, size_t room) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_SETTING, "t", key);
  int rc = db_first(db, st);
  if (rc == STORE_OK) db_column(st, 0, value, room);
  db_done(st);
  return rc;
}

int dh_store_setting_set(struct store *s, const char *key, const char *value) {
  return db_exec(db_get(s), ST_SETTING_SET, "tt", key, value);
}
