/* cas_store.c - the facts of the content-addressed storage: one table, rows by kind and hash.
 * A row is replaced whole; all of them are derived from content, so that two writers agree.
 * The bytes of xorbs are kept as blobs (store_blob.c). */
#include "cas.h"
#include "store_db.h"
#include <stdlib.h>
#include <string.h>

int cas_get(struct store *s, enum cas_kind kind, const char *hash, struct cas_row *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_CAS, "it", (int64_t)kind, hash);
  int rc = db_first(db, st);
  *out = (struct cas_row){.data = NULL};
  if (rc == STORE_OK) {
    db_column(st, 0, out->other, sizeof out->other);
    out->size = (size_t)sqlite3_column_bytes(st, 1);
    out->data = malloc(out->size + 1);
    if (out->data && out->size) memcpy(out->data, sqlite3_column_blob(st, 1), out->size);
    if (!out->data) rc = STORE_FAILED;
  }
  db_done(st);
  return rc;
}

int cas_put(struct store *s, enum cas_kind kind, const char *hash, const char *other, const void *data, size_t size) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_CAS_SET, "itt", (int64_t)kind, hash, other);
  if (!st) return STORE_FAILED;
  sqlite3_bind_blob64(st, 4, size ? data : "", size, SQLITE_STATIC);
  return db_run(db, st);
}

int cas_note(struct store *s, enum cas_kind kind, const char *hash, const char *other, const void *data, size_t size) {
  struct db *db = db_get(s);
  if (!db) return STORE_FAILED;
  db_wait(db, false);
  int rc = cas_put(s, kind, hash, other, data, size);
  db_wait(db, true);
  return rc;
}

int cas_change(struct store *s, const struct cas_change *changes, size_t n) {
  struct db *db = db_get(s);
  int rc = db_simple(db, ST_BEGIN_WRITE);
  if (rc != STORE_OK) return rc;
  for (const struct cas_change *c = changes; rc == STORE_OK && c < changes + n; c++)
    rc = c->other ? cas_put(s, c->kind, c->hash, c->other, c->data, c->size)
                  : db_exec(db, ST_CAS_DROP, "it", (int64_t)c->kind, c->hash);
  return db_end(db, rc);
}

void cas_row_free(struct cas_row *row) {
  free(row->data);
  row->data = NULL;
}

bool dh_cas_hash(struct store *s, const char *sha256, char out[65]) {
  struct cas_row row;
  bool found = cas_get(s, CAS_SHA, sha256, &row) == STORE_OK;
  if (found) memcpy(out, row.other, 65);
  cas_row_free(&row);
  return found;
}
