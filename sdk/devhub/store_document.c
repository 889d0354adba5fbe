/* store_document.c - what this Hub keeps as the JSON it shows: collections and webhooks, by kind, id and owner.
 * A change reads, changes and writes within one transaction.
 * Documents are small and few; lists are read whole. */
#include "store_db.h"
#include <stdlib.h>

static json_t *row_read(sqlite3_stmt *st, int column) {
  const char *text = (const char *)sqlite3_column_text(st, column);
  return text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

int dh_document(struct store *s, enum document_kind kind, const char *id, json_t **out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_DOCUMENT, "it", (int64_t)kind, id);
  int rc = db_first(db, st);
  *out = rc == STORE_OK ? row_read(st, 0) : NULL;
  db_done(st);
  return rc == STORE_OK && !*out ? STORE_FAILED : rc;
}

json_t *dh_documents(struct store *s, enum document_kind kind, const char *owner) {
  struct db *db = db_get(s);
  json_t *all = json_array();
  sqlite3_stmt *st = db_query(db, ST_DOCUMENTS, "it", (int64_t)kind, owner);
  int rc;
  while ((rc = db_first(db, st)) == STORE_OK) json_array_append_new(all, row_read(st, 0));
  db_done(st);
  if (rc != STORE_FAILED) return all;
  json_decref(all);
  return NULL;
}

int dh_document_set(struct store *s, enum document_kind kind, const char *id, const char *owner, const json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT);
  if (!text) return STORE_FAILED;
  int rc = db_exec(db_get(s), ST_DOCUMENT_SET, "ittt", (int64_t)kind, id, owner, text);
  free(text);
  return rc;
}

int dh_document_drop(struct store *s, enum document_kind kind, const char *id) {
  return db_exec(db_get(s), ST_DOCUMENT_DROP, "it", (int64_t)kind, id);
}

int dh_documents_begin(struct store *s) {
  return db_simple(db_get(s), ST_BEGIN_WRITE);
}

int dh_documents_end(struct store *s, int rc) {
  return db_end(db_get(s), rc);
}
