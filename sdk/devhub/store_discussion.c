/* store_discussion.c - discussions and pull requests: their rows, their events, and merging.
 * A pull request is a discussion with refs/pr/N. A merge is a commit on the base branch with what the pull request changed
 * since they parted; both having changed the same file is a conflict. */
#include "store_db.h"
#include "date.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void discussion_from(sqlite3_stmt *st, struct discussion *d) {
  *d = (struct discussion){
      .num = sqlite3_column_int64(st, 0), .date = sqlite3_column_int64(st, 4), .pull = sqlite3_column_int(st, 5) != 0};
  db_column(st, 1, d->title, sizeof d->title);
  db_column(st, 2, d->status, sizeof d->status);
  db_column(st, 3, d->author, sizeof d->author);
  db_column(st, 6, d->base, sizeof d->base);
  db_column(st, 7, d->merged, sizeof d->merged);
}

int dh_store_discussion(struct store *s, int64_t repo, int64_t num, struct discussion *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_DISCUSSION, "ii", repo, num);
  int rc = db_first(db, st);
  if (rc == STORE_OK) discussion_from(st, out);
  db_done(st);
  return rc;
}

/* Called within a transaction, or alone. */
int dh_store_discussion_open(struct store *s, int64_t repo, struct discussion *d, const char *text) {
  struct db *db = db_get(s);
  bool own = db && sqlite3_get_autocommit(db->sql);
  int rc = own ? db_simple(db, ST_BEGIN_WRITE) : db ? STORE_OK : STORE_FAILED;
  if (rc != STORE_OK) return rc;
  sqlite3_stmt *st = db_query(db, ST_DISCUSSION_NEXT, "i", repo);
  rc = db_first(db, st);
  if (rc == STORE_OK) d->num = sqlite3_column_int64(st, 0);
  db_done(st);
  if (rc == STORE_OK)
    rc = db_exec(db, ST_DISCUSSION_ADD, "iitttiit", repo, d->num, d->title, d->status, d->author, d->date,
                 (int64_t)d->pull, d->base);
  json_t *data = json_pack("{s:b, s:b, s:{s:s, s:o, s:{s:s}}, s:[]}", "edited", 0, "hidden", 0, "latest", "raw", text,
                           "updatedAt", dh_date_json(d->date), "author", "name", d->author, "history");
  if (rc == STORE_OK && !dh_store_event_add(s, repo, d->num, "comment", d->author, d->date, data)) rc = STORE_FAILED;
  if (rc == STORE_OK && d->pull && own) {
    struct commit base;
    char ref[40];
    snprintf(ref, sizeof ref, "refs/pr/%lld", (long long)d->num);
    rc = dh_store_revision(s, repo, d->base, &base);
    if (rc == STORE_OK) rc = db_exec(db, ST_REF_SET, "iti", repo, ref, base.id);
  }
  return own ? db_end(db, rc) : rc;
}

int dh_store_discussion_set(struct store *s, int64_t repo, const struct discussion *d) {
  return db_exec(db_get(s), ST_DISCUSSION_SET, "iittt", repo, d->num, d->title, d->status, d->merged);
}

int dh_store_discussions(struct store *s, int64_t repo, const struct discussion_query *q, discussion_visitor visit,
                         void *arg) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_DISCUSSIONS, "itit", repo, q->author, (int64_t)q->pull, q->status);
  int rc;
  while ((rc = db_first(db, st)) == STORE_OK) {
    struct discussion d;
    discussion_from(st, &d);
    if (!visit(arg, &d)) break;
  }
  db_done(st);
  return rc == STORE_FAILED ? rc : STORE_OK;
}

json_t *dh_store_events(struct store *s, int64_t repo, int64_t num, int64_t only) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_EVENTS, "iii", repo, num, only);
  json_t *rows = json_array();
  int rc;
  while ((rc = db_first(db, st)) == STORE_OK)
    json_array_append_new(rows, json_pack("{s:o, s:s, s:{s:s, s:s, s:s}, s:o, s:o}", "id",
                                          json_sprintf("%024llx", (unsigned long long)sqlite3_column_int64(st, 0)),
                                          "type", (const char *)sqlite3_column_text(st, 1), "author", "name",
                                          (const char *)sqlite3_column_text(st, 2), "type", "user", "avatarUrl",
                                          "/avatars/devhub.svg", "createdAt", dh_date_json(sqlite3_column_int64(st, 3)),
                                          "data", json_loads((const char *)sqlite3_column_text(st, 4), 0, NULL)));
  db_done(st);
  if (rc != STORE_FAILED) return rows;
  json_decref(rows);
  return NULL;
}

int64_t dh_store_event_add(struct store *s, int64_t repo, int64_t num, const char *type, const char *author,
                           int64_t date, json_t *data) {
  struct db *db = db_get(s);
  char *text = data ? json_dumps(data, JSON_COMPACT) : NULL;
  json_decref(data);
  int rc = text ? db_exec(db, ST_EVENT_ADD, "iittit", repo, num, type, author, date, text) : STORE_FAILED;
  free(text);
  return rc == STORE_OK ? sqlite3_last_insert_rowid(db->sql) : 0;
}

int dh_store_comment_edit(struct store *s, int64_t repo, int64_t num, int64_t id, const char *text, int64_t now) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_EVENT, "iii", repo, num, id);
  int rc = db_first(db, st);
  json_t *data = rc == STORE_OK ? json_loads((const char *)sqlite3_column_text(st, 0), 0, NULL) : NULL;
  db_done(st);
  if (rc != STORE_OK) return rc;
  json_t *latest = json_object_get(data, "latest");
  json_array_append_new(json_object_get(data, "history"), json_deep_copy(latest));
  json_object_set_new(data, text ? "edited" : "hidden", json_true());
  json_object_set_new(latest, "raw", json_string(text ? text : "This comment has been hidden"));
  json_object_set_new(latest, "updatedAt", dh_date_json(now));
  char *whole = json_dumps(data, JSON_COMPACT);
  json_decref(data);
  rc = whole ? db_exec(db, ST_EVENT_SET, "it", id, whole) : STORE_FAILED;
  free(whole);
  return rc;
}

static bool file_collect(void *arg, const struct entry *e) {
  json_t *all = arg;
  if (e->directory) return true;
  return json_object_set_new(
             all, e->path, json_pack("{s:s, s:s, s:b}", "oid", e->oid, "sha256", e->blob.sha256, "lfs", (int)e->lfs)) ==
         0;
}

static json_t *tree_files(struct store *s, int64_t tree) {
  json_t *all = json_object();
  struct tree_query q = {.tree = tree, .folder = "", .recursive = true, .limit = INT64_MAX};
  if (tree && dh_store_tree(s, &q, file_collect, all) != STORE_OK) {
    json_decref(all);
    return NULL;
  }
  return all;
}

struct ancestor {
  json_t *known; /* commits of the base branch */
  int64_t tree;
};

static bool commit_known(void *arg, const struct commit *c) {
  struct ancestor *a = arg;
  return json_object_set_new(a->known, c->oid, json_true()) == 0;
}

static bool commit_search(void *arg, const struct commit *c) {
  struct ancestor *a = arg;
  if (!json_object_get(a->known, c->oid)) return true;
  a->tree = c->tree;
  return false;
}

static const char *oid_at(const json_t *files, const char *path) {
  const char *oid = json_string_value(json_object_get(json_object_get(files, path), "oid"));
  return oid ? oid : "";
}

/* What `theirs` changed since `base`, for a commit onto `ours`; STORE_CONFLICT when `ours` changed it otherwise. */
static int changes_collect(const json_t *base, const json_t *ours, json_t *theirs, json_t *files, json_t *deleted) {
  const char *path;
  json_t *value;
  json_object_foreach(theirs, path, value) {
    const char *old = oid_at(base, path), *here = oid_at(ours, path), *there = oid_at(theirs, path);
    if (strcmp(old, there) == 0 || strcmp(here, there) == 0) continue;
    if (strcmp(here, old) != 0) return STORE_CONFLICT;
    json_t *file = json_incref(value);
    json_object_set_new(file, "path", json_string(path));
    json_array_append_new(files, file);
  }
  json_object_foreach((json_t *)(uintptr_t)base, path, value) {
    if (json_object_get(theirs, path) || !json_object_get(ours, path)) continue;
    if (strcmp(oid_at(ours, path), oid_at(base, path)) != 0) return STORE_CONFLICT;
    json_array_append_new(deleted, json_string(path));
  }
  return STORE_OK;
}

static int merge_document(struct store *s, const struct repo *repo, const struct discussion *d, json_t **out) {
  struct commit ours, theirs;
  char ref[40];
  snprintf(ref, sizeof ref, "refs/pr/%lld", (long long)d->num);
  int rc = dh_store_revision(s, repo->id, d->base, &ours);
  if (rc == STORE_OK) rc = dh_store_revision(s, repo->id, ref, &theirs);
  if (rc != STORE_OK) return rc;
  struct ancestor a = {.known = json_object()};
  rc = dh_store_commits(s, ours.id, 0, INT64_MAX, commit_known, &a);
  if (rc == STORE_OK) rc = dh_store_commits(s, theirs.id, 0, INT64_MAX, commit_search, &a);
  json_decref(a.known);
  json_t *base = tree_files(s, a.tree), *here = tree_files(s, ours.tree), *there = tree_files(s, theirs.tree),
         *files = json_array(), *deleted = json_array();
  if (rc == STORE_OK) rc = base && here && there ? changes_collect(base, here, there, files, deleted) : STORE_FAILED;
  *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:b, s:b, s:o}", "type", dh_repo_type_name(repo->type), "repo",
                   repo->name, "revision", d->base, "files", files, "deleted", deleted, "parent", ours.oid, "existing",
                   1, "empty", 1, "title", json_sprintf("%.200s (#%lld)", d->title, (long long)d->num));
  json_decref(base);
  json_decref(here);
  json_decref(there);
  return rc == STORE_OK && !*out ? STORE_FAILED : rc;
}

int dh_store_merge(struct store *s, const struct repo *repo, struct discussion *d, const char *author, int64_t now) {
  json_t *document = NULL;
  char problem[256];
  struct commit c;
  int rc = merge_document(s, repo, d, &document);
  if (rc == STORE_OK) {
    json_object_set_new(document, "author", json_string(author));
    json_object_set_new(document, "date", json_integer(now));
    rc = dh_store_commit(s, document, &c, problem);
  }
  json_decref(document);
  if (rc != STORE_OK) return rc;
  memcpy(d->merged, c.oid, sizeof d->merged);
  dh_copy(d->status, sizeof d->status, "merged");
  rc = dh_store_discussion_set(s, repo->id, d);
  json_t *data = json_pack("{s:s}", "status", "merged");
  if (rc == STORE_OK && !dh_store_event_add(s, repo->id, d->num, "status-change", author, now, data)) rc = STORE_FAILED;
  return rc;
}
