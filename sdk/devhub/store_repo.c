/* store_repo.c - reading: repos and their lists, revisions, refs, histories, entries and trees.
 * Names and paths are checked where they come in (dh_repo_name_valid, dh_path_valid); nothing here builds a file name.
 * Lists are read through a visitor, so no page is held twice. */
#include "store_db.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[REPO_TYPES] = {"model", "dataset", "space", "kernel"};

const char *dh_repo_type_name(enum repo_type type) {
  return type_names[type];
}

int dh_repo_type_find(const char *name, size_t size) {
  for (int i = 0; i < REPO_TYPES; i++) {
    size_t n = strlen(type_names[i]);
    if ((size == n || (size == n + 1 && name[n] == 's')) && strncmp(name, type_names[i], n) == 0) return i;
  }
  return -1;
}

static bool name_part_valid(const char *s, size_t size) {
  if (!size || size > 96 || s[0] == '.' || s[0] == '-' || s[size - 1] == '.' || s[size - 1] == '-') return false;
  for (size_t i = 0; i < size; i++) {
    bool plain = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9');
    if (!plain && s[i] != '.' && s[i] != '-' && s[i] != '_') return false;
    if (i && (s[i] == '.' || s[i] == '-') && s[i - 1] == s[i]) return false;
  }
  return true;
}

bool dh_repo_name_valid(const char *name) {
  const char *slash = strchr(name, '/');
  if (!slash) return name_part_valid(name, strlen(name));
  return name_part_valid(name, (size_t)(slash - name)) && name_part_valid(slash + 1, strlen(slash + 1));
}

bool dh_path_valid(const char *path) {
  size_t size = strlen(path), depth = 0;
  if (!size || size >= PATH_ROOM) return false;
  for (const char *s = path;;) {
    size_t n = strcspn(s, "/");
    if (!n || n > 255 || ++depth > 64) return false;
    if ((n == 1 && s[0] == '.') || (n == 2 && s[0] == '.' && s[1] == '.')) return false;
    if (!s[n]) return true;
    s += n + 1;
  }
}

static void repo_from(sqlite3_stmt *st, struct repo *out) {
  out->id = sqlite3_column_int64(st, 0);
  out->type = (enum repo_type)sqlite3_column_int(st, 1);
  db_column(st, 2, out->name, sizeof out->name);
  out->private = sqlite3_column_int(st, 3) != 0;
  out->protected = sqlite3_column_int(st, 9) != 0;
  db_column(st, 4, out->gated, sizeof out->gated);
  out->disabled = sqlite3_column_int(st, 5) != 0;
  out->created = sqlite3_column_int64(st, 6);
  out->downloads = sqlite3_column_int64(st, 7);
  out->likes = sqlite3_column_int64(st, 8);
}

static sqlite3_stmt *take_named(struct db *db, enum statement which, enum repo_type type, const char *name) {
  sqlite3_stmt *st = db_take(db, which);
  if (st) sqlite3_bind_int(st, 1, (int)type);
  if (st) db_bind(st, 2, name);
  return st;
}

int dh_store_repo(struct store *s, enum repo_type type, const char *name, struct repo *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = take_named(db, ST_REPO, type, name);
  int rc = db_first(db, st);
  if (rc == STORE_OK) repo_from(st, out);
  db_done(st);
  return rc;
}

int dh_store_renamed(struct store *s, enum repo_type type, const char *old, char name[NAME_ROOM]) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = take_named(db, ST_RENAMED, type, old);
  int rc = db_first(db, st);
  if (rc == STORE_OK) db_column(st, 0, name, NAME_ROOM);
  db_done(st);
  return rc;
}

int dh_store_rename(struct store *s, enum repo_type type, const char *old, const char *name) {
  struct repo repo, other;
  int rc = dh_store_repo(s, type, old, &repo);
  if (rc != STORE_OK) return rc;
  if (dh_store_repo(s, type, name, &other) == STORE_OK) return STORE_INVALID;
  struct db *db = db_get(s);
  if (db_simple(db, ST_BEGIN_WRITE) != STORE_OK) return STORE_FAILED;
  sqlite3_stmt *st = db_take(db, ST_REPO_NAME);
  if (st) sqlite3_bind_int64(st, 1, repo.id);
  if (st) db_bind(st, 2, name);
  rc = db_run(db, st);
  if (rc == STORE_OK) rc = db_run(db, take_named(db, ST_RENAME_DROP, type, name));
  if (rc == STORE_OK) {
    st = take_named(db, ST_RENAME_ADD, type, old);
    if (st) sqlite3_bind_int64(st, 3, repo.id);
    rc = db_run(db, st);
  }
  return db_end(db, rc);
}

static const struct sort_key {
  const char *name, *sql;
} sort_keys[] = {
    {"trendingScore", "r.likes * 10 + r.downloads"}, /* as good as any on one machine */
    {"lastModified", "c.date"},
    {"createdAt", "r.created"},
    {"downloads", "r.downloads"},
    {"likes", "r.likes"},
};

static const char *sort_sql(const char *name) {
  for (size_t i = 0; i < sizeof sort_keys / sizeof *sort_keys; i++)
    if (name && strcmp(sort_keys[i].name, name) == 0) return sort_keys[i].sql;
  return name ? NULL : sort_keys[0].sql;
}

static void commit_from(sqlite3_stmt *st, int first, struct commit *out, bool message) {
  *out = (struct commit){.id = sqlite3_column_int64(st, first),
                         .tree = sqlite3_column_int64(st, first + 1),
                         .date = sqlite3_column_int64(st, first + 2),
                         .depth = sqlite3_column_int64(st, first + 3)};
  db_column(st, first + 4, out->oid, sizeof out->oid);
  db_column(st, first + 5, out->title, sizeof out->title);
  db_column(st, first + 6, out->author, sizeof out->author);
  if (message) out->message = strdup((const char *)sqlite3_column_text(st, first + 7));
}

static void row_from(sqlite3_stmt *st, struct repo_row *row) {
  repo_from(st, &row->repo);
  commit_from(st, 10, &row->head, false);
  row->head.meta = strdup((const char *)sqlite3_column_text(st, 18));
  row->value = sqlite3_column_int64(st, 19);
}

int dh_store_repos(struct store *s, const struct repo_query *q, repo_visitor visit, void *arg) {
  const char *key = sort_sql(q->sort);
  struct db *db = db_get(s);
  if (!key) return STORE_INVALID;
  if (!db) return STORE_FAILED;
  struct text sql = {0};
  dh_text_addf(
      &sql,
      "SELECT r.id, r.type, r.name, r.private, r.gated, r.disabled, r.created, r.downloads, r.likes, r.protected,"
      " c.id, c.tree,"
      " c.date, c.depth, c.oid, c.title, c.author, c.message, c.meta, %s AS key FROM repos r"
      " JOIN refs f ON f.repo = r.id AND f.ref = 'refs/heads/main' JOIN commits c ON c.id = f.target"
      " WHERE r.type = ?1",
      key);
  if (q->author) dh_text_str(&sql, " AND substr(r.name, 1, length(?2) + 1) = ?2 || '/' COLLATE NOCASE");
  if (q->search) dh_text_str(&sql, " AND instr(lower(r.name), lower(?3)) > 0");
  if (q->gated >= 0) dh_text_addf(&sql, " AND (r.gated <> '') = %d", q->gated);
  for (size_t i = 0; i < q->tag_count; i++)
    dh_text_addf(&sql, " AND EXISTS(SELECT 1 FROM tags t WHERE t.repo = r.id AND t.tag = ?%zu)", 6 + i);
  const char *order = q->ascending ? ">" : "<";
  if (q->after_id) dh_text_addf(&sql, " AND (key %s ?4 OR (key = ?4 AND r.id > ?5))", order);
  dh_text_addf(&sql, " ORDER BY key %s, r.id", q->ascending ? "ASC" : "DESC");
  char *text = dh_text_take(&sql);
  sqlite3_stmt *st = NULL;
  if (!text || sqlite3_prepare_v2(db->sql, text, -1, &st, NULL) != SQLITE_OK) {
    db_complain(db, "listing repos");
    free(text);
    return STORE_FAILED;
  }
  free(text);
  sqlite3_bind_int(st, 1, (int)q->type);
  if (q->author) db_bind(st, 2, q->author);
  if (q->search) db_bind(st, 3, q->search);
  if (q->after_id) {
    sqlite3_bind_int64(st, 4, q->after_value);
    sqlite3_bind_int64(st, 5, q->after_id);
  }
  for (size_t i = 0; i < q->tag_count; i++) db_bind(st, (int)(6 + i), q->tags[i]);
  int rc;
  bool more = true;
  while (more && (rc = db_first(db, st)) == STORE_OK) {
    struct repo_row row;
    row_from(st, &row);
    more = row.head.meta && visit(arg, &row);
    dh_commit_free(&row.head);
  }
  sqlite3_finalize(st);
  return more && rc == STORE_FAILED ? STORE_FAILED : STORE_OK;
}

void dh_commit_free(struct commit *c) {
  free(c->message);
  free(c->meta);
  c->message = c->meta = NULL;
}

static int commit_by(struct store *s, enum statement which, int64_t repo, const char *key, struct commit *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, which);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, repo);
  db_bind(st, 2, key);
  int rc = db_first(db, st);
  if (rc == STORE_OK) commit_from(st, 0, out, false);
  db_done(st);
  return rc;
}

int dh_store_revision(struct store *s, int64_t repo, const char *revision, struct commit *out) {
  static const char *const prefixes[] = {"refs/heads/", "refs/tags/", ""};
  size_t size = strlen(revision);
  if (!size || size >= REVISION_ROOM) return STORE_NONE;
  bool hex = size >= 5 && size <= 40 && dh_is_hex(revision, size);
  int rc = hex && size == 40 ? commit_by(s, ST_COMMIT_OID, repo, revision, out) : STORE_NONE;
  for (size_t i = 0; rc == STORE_NONE && i < sizeof prefixes / sizeof *prefixes; i++) {
    char ref[REVISION_ROOM + 16];
    if (!prefixes[i][0] && strncmp(revision, "refs/", 5) != 0) continue;
    snprintf(ref, sizeof ref, "%s%s", prefixes[i], revision);
    rc = commit_by(s, ST_REF, repo, ref, out);
  }
  if (rc == STORE_NONE && hex) rc = commit_by(s, ST_COMMIT_PREFIX, repo, revision, out);
  return rc;
}

int dh_store_refs(struct store *s, int64_t repo, ref_visitor visit, void *arg) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_REFS);
  if (st) sqlite3_bind_int64(st, 1, repo);
  int rc;
  while ((rc = db_first(db, st)) == STORE_OK)
    if (!visit(arg, (const char *)sqlite3_column_text(st, 0), (const char *)sqlite3_column_text(st, 1))) break;
  db_done(st);
  return rc == STORE_FAILED ? rc : STORE_OK;
}

int dh_store_commits(struct store *s, int64_t head, int64_t skip, int64_t limit, commit_visitor visit, void *arg) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_COMMITS);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, head);
  sqlite3_bind_int64(st, 2, skip);
  sqlite3_bind_int64(st, 3, limit);
  int rc;
  bool more = true;
  while (more && (rc = db_first(db, st)) == STORE_OK) {
    struct commit c;
    commit_from(st, 0, &c, true);
    more = c.message && visit(arg, &c);
    dh_commit_free(&c);
  }
  db_done(st);
  return more && rc == STORE_FAILED ? rc : STORE_OK;
}

int dh_store_meta(struct store *s, struct commit *c) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_COMMIT_META);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, c->id);
  int rc = db_first(db, st);
  if (rc == STORE_OK) c->meta = strdup((const char *)sqlite3_column_text(st, 0));
  db_done(st);
  return rc == STORE_OK && c->meta ? STORE_OK : STORE_FAILED;
}

static void entry_from(sqlite3_stmt *st, struct entry *out) {
  out->changed = (struct commit){0};
  db_column(st, 0, out->path, sizeof out->path);
  out->directory = sqlite3_column_int(st, 1) != 0;
  out->lfs = sqlite3_column_int(st, 2) != 0;
  db_column(st, 3, out->oid, sizeof out->oid);
  out->size = sqlite3_column_int64(st, 4);
  out->pointer = sqlite3_column_int64(st, 5);
  db_blob(st, 6, &out->blob);
  db_column(st, 13, out->changed.oid, sizeof out->changed.oid);
  db_column(st, 14, out->changed.title, sizeof out->changed.title);
  out->changed.date = sqlite3_column_int64(st, 15);
}

int dh_store_entry(struct store *s, int64_t tree, const char *path, struct entry *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_ENTRY);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, tree);
  db_bind(st, 2, path);
  int rc = db_first(db, st);
  if (rc == STORE_OK) entry_from(st, out);
  db_done(st);
  return rc;
}

int dh_store_tree(struct store *s, const struct tree_query *q, entry_visitor visit, void *arg) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, q->recursive ? ST_TREE_ALL : ST_TREE_CHILDREN);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, q->tree);
  db_bind(st, 2, q->after ? q->after : "");
  db_bind(st, 3, q->folder);
  sqlite3_bind_int64(st, 4, q->limit);
  if (!q->recursive) sqlite3_bind_int(st, 5, q->after_directory ? 1 : 0);
  int rc;
  bool more = true;
  while (more && (rc = db_first(db, st)) == STORE_OK) {
    struct entry e;
    entry_from(st, &e);
    more = visit(arg, &e);
  }
  db_done(st);
  return more && rc == STORE_FAILED ? rc : STORE_OK;
}
