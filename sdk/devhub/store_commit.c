/* store_commit.c - writing: a commit out of a document, with real git object ids for trees and the commit itself.
 * One write transaction: the parent's files are copied, changed and deleted ones applied, folders hashed bottom up.
 * Ids depend only on the content and the history, never on the clock, so a test may rely on them. */
#include "store_db.h"
#include "content.h"
#include "meta.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t files_max = 1000000;
static const int64_t first_day = 1704067200; /* 2024-01-01T00:00:00Z */

struct item {
  char *path, oid[41];
  int64_t size, changed;
};

struct work {
  struct store *store;
  struct db *db;
  const json_t *document;
  struct blob_batch *batch; /* NULL: none */
  struct repo repo;
  struct commit parent; /* id 0: none */
  char ref[REVISION_ROOM + 16], tree_oid[41];
  int64_t tree, storage;
  struct item *items;
  size_t item_count;
  char *problem;
};

static int invalid(struct work *w, const char *what, const char *value) {
  snprintf(w->problem, 256, "%s%s%.180s", what, value ? ": " : "", value ? value : "");
  return STORE_INVALID;
}

static const char *text_of(const json_t *document, const char *key, const char *otherwise) {
  const char *s = json_string_value(json_object_get(document, key));
  return s ? s : otherwise;
}

bool dh_ref_valid(const char *ref) {
  size_t size = strlen(ref);
  if (!size || size >= REVISION_ROOM || strstr(ref, "..") || strstr(ref, "//") || ref[0] == '/' || ref[size - 1] == '/')
    return false;
  for (const char *s = ref; *s; s++)
    if ((unsigned char)*s <= ' ' || strchr("~^:?*[\\\x7f", *s)) return false;
  return true;
}

static bool asked(const struct work *w, const char *key) {
  return json_is_true(json_object_get(w->document, key));
}

static int64_t number_of(const struct work *w, const char *key) {
  return json_integer_value(json_object_get(w->document, key));
}

static int ref_set(struct work *w, const char *ref, int64_t commit) {
  sqlite3_stmt *st = db_take(w->db, ST_REF_SET);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->repo.id);
  db_bind(st, 2, ref);
  sqlite3_bind_int64(st, 3, commit);
  return db_run(w->db, st);
}

/* Plausible numbers that are the same on every run: from the name alone. */
static uint64_t name_hash(enum repo_type type, const char *name) {
  uint64_t h = 14695981039346656037u;
  for (const char *s = name; *s; s++) h = (h ^ (unsigned char)*s) * 1099511628211u;
  return dh_content_mix(h, (uint64_t)type);
}

static int repo_ready(struct work *w, enum repo_type type, const char *name) {
  int rc = dh_store_repo(w->store, type, name, &w->repo);
  if (asked(w, "existing")) return rc;
  if (rc == STORE_OK && asked(w, "create")) return STORE_EXISTS;
  if (rc == STORE_NONE) {
    bool fresh = asked(w, "create"); /* nobody has downloaded or liked it yet */
    uint64_t h = name_hash(type, name);
    sqlite3_stmt *st = db_take(w->db, ST_REPO_ADD);
    if (!st) return STORE_FAILED;
    sqlite3_bind_int(st, 1, (int)type);
    db_bind(st, 2, name);
    sqlite3_bind_int64(st, 3, fresh ? number_of(w, "date") : first_day + (int64_t)(h % (365 * 24)) * 3600);
    sqlite3_bind_int64(st, 4, fresh ? 0 : (int64_t)(h >> 20) % 100000);
    sqlite3_bind_int64(st, 5, fresh ? 0 : (int64_t)(h >> 40) % 500);
    rc = db_run(w->db, st);
    if (rc == STORE_OK) rc = dh_store_repo(w->store, type, name, &w->repo);
  }
  if (rc != STORE_OK) return rc;
  const json_t *private = json_object_get(w->document, "private"),
               *downloads = json_object_get(w->document, "downloads"), *likes = json_object_get(w->document, "likes");
  const char *gated = text_of(w->document, "gated", w->repo.gated);
  if (strcmp(gated, "") != 0 && strcmp(gated, "auto") != 0 && strcmp(gated, "manual") != 0)
    return invalid(w, "gated must be auto, manual or empty", gated);
  sqlite3_stmt *st = db_take(w->db, ST_REPO_SET);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->repo.id);
  sqlite3_bind_int(st, 2, private ? json_is_true(private) : w->repo.private);
  db_bind(st, 3, gated);
  sqlite3_bind_int64(st, 4, json_is_integer(downloads) ? json_integer_value(downloads) : w->repo.downloads);
  sqlite3_bind_int64(st, 5, json_is_integer(likes) ? json_integer_value(likes) : w->repo.likes);
  sqlite3_bind_int(st, 6, json_is_true(json_object_get(w->document, "protected")) || w->repo.protected);
  return db_run(w->db, st);
}

/* "parent": the branch has to be there still; a pull request starts from it instead. */
static int parent_expected(struct work *w) {
  const char *parent = text_of(w->document, "parent", NULL);
  size_t size = parent ? strlen(parent) : 0;
  if (!parent) return STORE_OK;
  if (size < 5 || size > 40 || !dh_is_hex(parent, size)) return invalid(w, "parentCommit must be a commit id", parent);
  if (!json_object_get(w->document, "pull"))
    return strncmp(w->parent.oid, parent, size) == 0 ? STORE_OK : STORE_CONFLICT;
  int rc = dh_store_revision(w->store, w->repo.id, parent, &w->parent);
  return rc == STORE_NONE ? invalid(w, "no such parentCommit", parent) : rc;
}

static int parent_find(struct work *w) {
  int rc = dh_store_revision(w->store, w->repo.id, w->ref, &w->parent);
  if (asked(w, "existing")) return rc == STORE_OK ? parent_expected(w) : rc;
  if (rc == STORE_NONE) rc = dh_store_revision(w->store, w->repo.id, "refs/heads/main", &w->parent);
  return rc == STORE_NONE ? STORE_OK : rc;
}

static int tree_start(struct work *w) {
  int rc = db_simple(w->db, ST_TREE_ADD);
  w->tree = sqlite3_last_insert_rowid(w->db->sql);
  if (rc != STORE_OK || !w->parent.id || json_is_true(json_object_get(w->document, "replace"))) return rc;
  sqlite3_stmt *st = db_take(w->db, ST_ENTRY_COPY);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->parent.tree);
  sqlite3_bind_int64(st, 2, w->tree);
  return db_run(w->db, st);
}

static int path_present(struct work *w, const char *path, bool folder) {
  sqlite3_stmt *st = db_query(w->db, folder ? ST_ENTRY_UNDER : ST_ENTRY_OID, "it", w->tree, path);
  int rc = db_first(w->db, st);
  db_done(st);
  if (rc != STORE_NONE) return rc;
  snprintf(w->problem, 256, "%.200s", path);
  return STORE_MISSING;
}

static int delete_paths(struct work *w) {
  static const enum statement both[] = {ST_ENTRY_DROP, ST_ENTRY_DROP_UNDER};
  size_t i;
  json_t *value;
  json_array_foreach(json_object_get(w->document, "deleted"), i, value) {
    bool checked = json_is_object(value), folder = json_is_true(json_object_get(value, "folder"));
    const char *path = json_string_value(checked ? json_object_get(value, "path") : value);
    if (!path || !dh_path_valid(path)) return invalid(w, "a path to delete is not valid", path);
    int rc = checked ? path_present(w, path, folder) : STORE_OK;
    if (rc != STORE_OK) return rc;
    for (size_t k = checked && folder ? 1 : 0; k < (checked && !folder ? 1 : 2); k++) {
      sqlite3_stmt *st = db_take(w->db, both[k]);
      if (!st) return STORE_FAILED;
      sqlite3_bind_int64(st, 1, w->tree);
      db_bind(st, 2, path);
      if (db_run(w->db, st) != STORE_OK) return STORE_FAILED;
    }
  }
  return STORE_OK;
}

/* A file that is there as it is stays as it is, with the commit that changed it. */
static int entry_add(struct work *w, const struct entry *e, int64_t changed) {
  sqlite3_stmt *st = db_take(w->db, ST_ENTRY_ADD);
  if (!st) return STORE_FAILED;
  const char *slash = strrchr(e->path, '/');
  sqlite3_bind_int64(st, 1, w->tree);
  db_bind(st, 2, e->path);
  sqlite3_bind_text(st, 3, e->path, slash ? (int)(slash - e->path) : 0, SQLITE_STATIC);
  sqlite3_bind_int(st, 4, e->directory);
  db_bind(st, 5, e->oid);
  if (!e->directory) sqlite3_bind_int64(st, 6, e->blob.id);
  sqlite3_bind_int(st, 7, e->lfs);
  sqlite3_bind_int64(st, 8, e->pointer);
  sqlite3_bind_int64(st, 9, e->size);
  sqlite3_bind_int64(st, 10, changed);
  return db_run(w->db, st);
}

static int not_uploaded(struct work *w, const char *path) {
  return invalid(
      w, "Your push was rejected because an LFS pointer pointed to a file that does not exist. Offending file", path);
}

static int file_apply(struct work *w, const json_t *file) {
  const char *path = text_of(file, "path", ""), *sha256 = text_of(file, "sha256", "");
  struct entry e = {0};
  const json_t *content = w->batch ? json_object_get(file, "content") : NULL;
  const struct blob *mine = content ? db_batch_blob(w->batch, (size_t)json_integer_value(content)) : NULL;
  if (!dh_path_valid(path) || !dh_copy(e.path, sizeof e.path, path)) return invalid(w, "a path is not valid", path);
  if (mine) {
    e.blob = *mine;
    sha256 = e.blob.sha256;
  }
  if (strlen(sha256) != 64 || !dh_is_hex(sha256, 64)) return invalid(w, "a file needs the sha256 of its blob", path);
  int rc = mine ? STORE_OK : dh_blob_find(w->store, sha256, &e.blob);
  if (rc == STORE_NONE && asked(w, "owned")) return not_uploaded(w, path);
  if (rc == STORE_NONE) return invalid(w, "no such blob", sha256);
  if (rc != STORE_OK) return rc;
  e.size = e.blob.size;
  e.lfs = json_is_true(json_object_get(file, "lfs")) || !e.blob.oid[0];
  memcpy(e.oid, e.blob.oid, sizeof e.oid);
  if (e.lfs) {
    char pointer[200];
    e.pointer = dh_lfs_pointer(pointer, sha256, (uint64_t)e.size);
    if (!dh_git_oid("blob", pointer, (size_t)e.pointer, e.oid)) return STORE_FAILED;
  }
  if (e.lfs) {
    rc = asked(w, "owned") ? dh_store_object(w->store, w->repo.id, sha256)
                           : dh_store_object_add(w->store, w->repo.id, sha256);
    if (rc == STORE_NONE) return not_uploaded(w, path);
    if (rc != STORE_OK) return rc;
  }
  return entry_add(w, &e, w->tree);
}

static int files_apply(struct work *w) {
  const json_t *files = json_object_get(w->document, "files");
  if (files && (!json_is_array(files) || json_array_size(files) > files_max))
    return invalid(w, "files must be an array of at most a million", NULL);
  size_t i;
  json_t *file;
  json_array_foreach(files, i, file) {
    int rc = file_apply(w, file);
    if (rc != STORE_OK) return rc;
  }
  return STORE_OK;
}

static int items_read(struct work *w) {
  size_t room = 0;
  sqlite3_stmt *st = db_take(w->db, ST_ENTRIES_SORTED);
  if (st) sqlite3_bind_int64(st, 1, w->tree);
  int rc;
  while ((rc = db_first(w->db, st)) == STORE_OK) {
    if (w->item_count == room) {
      room = room ? room * 2 : 256;
      struct item *items = realloc(w->items, room * sizeof *items);
      if (!items) rc = STORE_FAILED;
      if (!items) break;
      w->items = items;
    }
    struct item *item = &w->items[w->item_count];
    item->path = strdup((const char *)sqlite3_column_text(st, 0));
    db_column(st, 1, item->oid, sizeof item->oid);
    item->size = sqlite3_column_int64(st, 2);
    item->changed = sqlite3_column_int64(st, 3);
    if (!item->path) rc = STORE_FAILED;
    if (!item->path) break;
    w->item_count++;
    w->storage += item->size;
  }
  db_done(st);
  return rc == STORE_FAILED ? rc : STORE_OK;
}

static unsigned char digit(char c) {
  return (unsigned char)(c >= 'a' ? c - 'a' + 10 : c - '0');
}

static void tree_line(struct text *t, const char *mode, const char *name, size_t size, const char *oid) {
  unsigned char raw[21] = {0};
  for (int i = 0; i < 20; i++) raw[i + 1] = (unsigned char)(digit(oid[2 * i]) << 4 | digit(oid[2 * i + 1]));
  dh_text_str(t, mode);
  dh_text_add(t, name, size);
  dh_text_add(t, raw, 21);
}

/* Hashes the folder that holds items first..last-1 below a prefix. The items are sorted by path, which is git's order at
 * every level; the depth is bounded by dh_path_valid. */
static int folder_hash(struct work *w, size_t first, size_t last, size_t prefix, char oid[41], int64_t *changed) {
  struct text body = {0};
  int rc = STORE_OK;
  *changed = 0;
  for (size_t i = first; rc == STORE_OK && i < last;) {
    const struct item *item = &w->items[i];
    const char *name = item->path + prefix, *slash = strchr(name, '/');
    int64_t touched = item->changed;
    if (!slash) {
      tree_line(&body, "100644 ", name, strlen(name), item->oid);
      i++;
    } else {
      size_t size = (size_t)(slash - item->path), end = i + 1;
      while (end < last && strncmp(w->items[end].path, item->path, size + 1) == 0) end++;
      struct entry folder = {.directory = true};
      memcpy(folder.path, item->path, size);
      rc = folder_hash(w, i, end, size + 1, folder.oid, &touched);
      if (rc == STORE_OK) {
        sqlite3_stmt *st = db_take(w->db, ST_ENTRY_OID);
        sqlite3_bind_int64(st, 1, w->tree);
        db_bind(st, 2, folder.path);
        int clash = db_first(w->db, st);
        db_done(st);
        if (clash == STORE_OK) rc = invalid(w, "a path is both a file and a folder", folder.path);
      }
      if (rc == STORE_OK) rc = entry_add(w, &folder, touched);
      tree_line(&body, "40000 ", folder.path + prefix, size - prefix, folder.oid);
      i = end;
    }
    if (touched > *changed) *changed = touched;
  }
  if (body.failed || (rc == STORE_OK && !dh_git_oid("tree", body.data ? body.data : "", body.size, oid)))
    rc = STORE_FAILED;
  dh_text_free(&body);
  return rc;
}

static bool tree_unchanged(struct work *w) {
  if (!w->parent.id) return false;
  sqlite3_stmt *st = db_take(w->db, ST_TREE_FIND);
  if (st) sqlite3_bind_int64(st, 1, w->parent.tree);
  bool same = db_first(w->db, st) == STORE_OK && strcmp((const char *)sqlite3_column_text(st, 0), w->tree_oid) == 0;
  db_done(st);
  return same;
}

static int tree_finish(struct work *w) {
  sqlite3_stmt *st = db_take(w->db, ST_TREE_OID);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->tree);
  db_bind(st, 2, w->tree_oid);
  return db_run(w->db, st);
}

static int tree_drop(struct work *w) {
  sqlite3_stmt *st = db_take(w->db, ST_TREE_CLEAR);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->tree);
  return db_run(w->db, st);
}

static int commit_oid(struct work *w, struct commit *c) {
  struct text t = {0};
  dh_text_addf(&t, "tree %s\n", w->tree_oid);
  if (w->parent.id) dh_text_addf(&t, "parent %s\n", w->parent.oid);
  for (int i = 0; i < 2; i++)
    dh_text_addf(&t, "%s %s <%s@users.noreply.localhost> %lld +0000\n", i ? "committer" : "author", c->author,
                 c->author, (long long)c->date);
  dh_text_addf(&t, "\n%s\n", c->title);
  if (c->message[0]) dh_text_addf(&t, "\n%s\n", c->message);
  bool ok = !t.failed && dh_git_oid("commit", t.data, t.size, c->oid);
  dh_text_free(&t);
  return ok ? STORE_OK : STORE_FAILED;
}

static int commit_add(struct work *w, const struct commit *c) {
  sqlite3_stmt *st = db_take(w->db, ST_COMMIT_ADD);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, c->id);
  sqlite3_bind_int64(st, 2, w->repo.id);
  db_bind(st, 3, c->oid);
  sqlite3_bind_int64(st, 4, c->tree);
  if (w->parent.id) sqlite3_bind_int64(st, 5, w->parent.id);
  sqlite3_bind_int64(st, 6, c->depth);
  db_bind(st, 7, c->title);
  db_bind(st, 8, c->message);
  db_bind(st, 9, c->author);
  sqlite3_bind_int64(st, 10, c->date);
  db_bind(st, 11, c->meta);
  return db_run(w->db, st);
}

static int tags_set(struct work *w, const json_t *meta) {
  sqlite3_stmt *st = db_take(w->db, ST_TAG_DROP);
  if (!st) return STORE_FAILED;
  sqlite3_bind_int64(st, 1, w->repo.id);
  int rc = db_run(w->db, st);
  size_t i;
  json_t *tag;
  json_array_foreach(json_object_get(meta, "tags"), i, tag) {
    if (rc != STORE_OK || !(st = db_take(w->db, ST_TAG_ADD))) return STORE_FAILED;
    sqlite3_bind_int64(st, 1, w->repo.id);
    db_bind(st, 2, json_string_value(tag));
    rc = db_run(w->db, st);
  }
  return rc;
}

/* The commit's row, unless the same commit is there already (made on another branch). */
static int commit_make(struct work *w, struct commit *out) {
  struct commit c = {.id = w->tree, .tree = w->tree, .depth = w->parent.id ? w->parent.depth + 1 : 0};
  const json_t *date = json_object_get(w->document, "date");
  c.date = json_is_integer(date) ? json_integer_value(date) : w->parent.id ? w->parent.date + 3600 : w->repo.created;
  c.message = (char *)text_of(w->document, "message", "");
  snprintf(c.title, sizeof c.title, "%.250s",
           text_of(w->document, "title", w->parent.id ? "Update files" : "Add files"));
  snprintf(c.author, sizeof c.author, "%.96s", text_of(w->document, "author", "devhub"));
  c.title[strcspn(c.title, "\n")] = 0;
  c.author[strcspn(c.author, "<>\n")] = 0;
  int rc = commit_oid(w, &c);
  if (rc != STORE_OK) return rc;
  json_t *meta = dh_meta_make(w->store, w->repo.type, w->tree, w->storage);
  c.meta = meta ? json_dumps(meta, JSON_COMPACT) : NULL;
  struct commit same;
  rc = c.meta ? dh_store_revision(w->store, w->repo.id, c.oid, &same) : STORE_FAILED;
  if (rc == STORE_OK) {
    rc = tree_drop(w);
    c.id = same.id;
    c.tree = same.tree;
  } else if (rc == STORE_NONE) {
    rc = commit_add(w, &c);
    if (rc == STORE_OK) rc = tree_finish(w);
  }
  if (rc == STORE_OK && asked(w, "squash")) rc = db_exec(w->db, ST_SQUASH_ENTRIES, "i", w->tree);
  if (rc == STORE_OK && strcmp(w->ref, "refs/heads/main") == 0 && !json_object_get(w->document, "pull"))
    rc = tags_set(w, meta);
  json_decref(meta);
  free(c.meta);
  c.meta = c.message = NULL;
  *out = c;
  return rc;
}

static int pull_commit_add(struct work *w, const struct commit *c) {
  uint64_t num;
  if (!dh_number(w->ref + 8, INT64_MAX, &num)) return STORE_OK;
  json_t *data = json_pack("{s:s, s:s}", "subject", c->title, "oid", c->oid);
  return dh_store_event_add(w->store, w->repo.id, (int64_t)num, "commit", c->author, c->date, data) ? STORE_OK
                                                                                                    : STORE_FAILED;
}

/* The commit becomes the first one of a new pull request on the branch. */
static int pull_open(struct work *w, struct commit *c) {
  const json_t *pull = json_object_get(w->document, "pull");
  struct discussion d = {.pull = true, .date = c->date, .status = "open"};
  snprintf(d.title, sizeof d.title, "%.250s", text_of(pull, "title", c->title));
  snprintf(d.author, sizeof d.author, "%s", c->author);
  snprintf(d.base, sizeof d.base, "%.255s", w->ref);
  int rc = dh_store_discussion_open(w->store, w->repo.id, &d, text_of(pull, "text", ""));
  snprintf(w->ref, sizeof w->ref, "refs/pr/%lld", (long long)d.num);
  if (rc == STORE_OK) rc = ref_set(w, w->ref, c->id);
  c->pull = d.num;
  return rc == STORE_OK ? pull_commit_add(w, c) : rc;
}

static int commit_write(struct work *w, struct commit *out) {
  int64_t changed;
  int rc = parent_find(w);
  if (rc == STORE_OK) rc = tree_start(w);
  if (rc == STORE_OK) rc = delete_paths(w);
  if (rc == STORE_OK && w->batch) rc = db_batch_finish(w->batch); /* had time while the tree was begun */
  if (rc == STORE_OK && w->batch) rc = db_batch_write(w->batch);
  if (rc == STORE_OK) rc = files_apply(w);
  if (rc == STORE_OK) rc = items_read(w);
  if (rc == STORE_OK) rc = folder_hash(w, 0, w->item_count, 0, w->tree_oid, &changed);
  if (rc != STORE_OK) return rc;
  if (asked(w, "squash")) w->parent = (struct commit){0};
  if (!asked(w, "empty") && tree_unchanged(w)) {
    *out = w->parent;
    rc = tree_drop(w);
  } else {
    rc = commit_make(w, out);
  }
  if (rc == STORE_OK && json_object_get(w->document, "pull")) return pull_open(w, out);
  if (rc == STORE_OK) rc = ref_set(w, w->ref, out->id);
  if (rc == STORE_OK && asked(w, "existing") && strncmp(w->ref, "refs/pr/", 8) == 0) rc = pull_commit_add(w, out);
  const char *tag = text_of(w->document, "tag", NULL);
  if (rc != STORE_OK || !tag) return rc;
  char ref[REVISION_ROOM + 16];
  if (!dh_ref_valid(tag)) return invalid(w, "the tag is not a valid name", tag);
  snprintf(ref, sizeof ref, "refs/tags/%s", tag);
  return ref_set(w, ref, out->id);
}

int dh_store_commit_batch(struct store *s, const json_t *document, struct blob_batch *b, struct commit *out,
                          char problem[256]) {
  struct work w = {.store = s, .db = db_get(s), .document = document, .batch = b, .problem = problem};
  const char *name = text_of(document, "repo", ""), *revision = text_of(document, "revision", "main"),
             *type_name = text_of(document, "type", "model");
  problem[0] = 0;
  if (!w.db) return STORE_FAILED;
  int type = dh_repo_type_find(type_name, strlen(type_name));
  if (type < 0) return invalid(&w, "no such repo type", type_name);
  if (!dh_repo_name_valid(name)) return invalid(&w, "not a valid repo id", name);
  if (!dh_ref_valid(revision)) return invalid(&w, "not a valid revision", revision);
  snprintf(w.ref, sizeof w.ref, "%s%s", strncmp(revision, "refs/", 5) == 0 ? "" : "refs/heads/", revision);
  if (db_simple(w.db, ST_BEGIN_WRITE) != STORE_OK) return STORE_FAILED;
  int rc = repo_ready(&w, (enum repo_type)type, name);
  if (rc == STORE_OK) rc = commit_write(&w, out);
  if (rc == STORE_OK && b) rc = db_batch_sync(b);
  rc = db_end(w.db, rc);
  for (size_t i = 0; i < w.item_count; i++) free(w.items[i].path);
  free(w.items);
  return rc;
}

int dh_store_commit(struct store *s, const json_t *document, struct commit *out, char problem[256]) {
  return dh_store_commit_batch(s, document, NULL, out, problem);
}
