/* api_tree.c - trees, paths-info, refs and commits of a repo.
 * Tree pages end with a Link to the next; its cursor is the last path, so a page costs the same wherever it starts.
 * Entries are of the commit the revision names, also when a branch moves between two pages: the cursor carries no state. */
#include "cas.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TREE_PAGE = 1000, TREE_PAGE_EXPANDED = 100, COMMITS_PAGE = 50, PATHS_MAX = 10000 };

static json_t *entry_json(struct store *s, const struct entry *e, bool expand) {
  char hash[65];
  json_t *item = json_pack("{s:s, s:s, s:I, s:s}", "type", e->directory ? "directory" : "file", "oid", e->oid, "size",
                           (json_int_t)e->size, "path", e->path);
  if (e->lfs)
    json_object_set_new(item, "lfs",
                        json_pack("{s:s, s:I, s:I}", "oid", e->blob.sha256, "size", (json_int_t)e->size, "pointerSize",
                                  (json_int_t)e->pointer));
  if (e->lfs && dh_cas_hash(s, e->blob.sha256, hash)) json_object_set_new(item, "xetHash", json_string(hash));
  if (!expand) return item;
  json_object_set_new(item, "lastCommit",
                      json_pack("{s:s, s:s, s:o}", "id", e->changed.oid, "title", e->changed.title, "date",
                                dh_date_json(e->changed.date)));
  if (!e->directory)
    json_object_set_new(item, "securityFileStatus",
                        json_pack("{s:s, s:{s:s}, s:{s:s}}", "status", "safe", "avScan", "status", "safe",
                                  "pickleImportScan", "status", "unscanned"));
  return item;
}

struct page {
  struct store *store;
  json_t *rows;
  uint64_t limit;
  bool expand, more, last_directory;
  char last[PATH_ROOM];
};

static bool page_add(void *arg, const struct entry *e) {
  struct page *p = arg;
  if (json_array_size(p->rows) == p->limit) {
    p->more = true;
    return false;
  }
  memcpy(p->last, e->path, sizeof p->last);
  p->last_directory = e->directory;
  json_t *item = entry_json(p->store, e, p->expand);
  return item && json_array_append_new(p->rows, item) == 0;
}

void dh_tree(struct request *r) {
  struct page page = {.store = r->server->store, .expand = dh_request_flag(r, "expand")};
  page.limit =
      page.expand ? dh_request_limit(r, TREE_PAGE_EXPANDED, TREE_PAGE) : dh_request_limit(r, TREE_PAGE, TREE_PAGE);
  struct tree_query q = {.tree = r->commit.tree, .folder = r->file, .recursive = dh_request_flag(r, "recursive")};
  q.limit = (int64_t)page.limit + 1;
  const char *cursor = dh_request_parameter(r, "cursor");
  if (cursor && (strlen(cursor) < 2 || (cursor[0] != 'd' && cursor[0] != 'f'))) {
    dh_reply_error(r, 400, NULL, "The cursor is not one of this server's.");
    return;
  }
  if (cursor) q.after = cursor + 1;
  if (cursor) q.after_directory = cursor[0] == 'd';
  struct entry folder;
  if (r->file[0] && (!dh_path_valid(r->file) ||
                     dh_store_entry(r->server->store, q.tree, r->file, &folder) != STORE_OK || !folder.directory)) {
    dh_reply_header(&r->reply, "X-Repo-Commit", "%s", r->commit.oid);
    dh_reply_error(r, 404, "EntryNotFound", "%.300s does not exist on \"%.100s\"", r->file, r->revision);
    return;
  }
  page.rows = json_array();
  if (dh_store_tree(r->server->store, &q, page_add, &page) != STORE_OK) {
    json_decref(page.rows);
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  if (page.more) {
    char next[PATH_ROOM + 1];
    snprintf(next, sizeof next, "%c%s", page.last_directory ? 'd' : 'f', page.last);
    dh_reply_next(r, "cursor", next);
  }
  dh_reply_json(r, 200, page.rows);
}

/* Clients copy LFS files to another repo only when they have a Xet hash. For a file that is not in the Xet storage the name
 * given here is made from the content's hash, and means something to lfs-files/duplicate alone. */
static void copy_name_add(json_t *row, const struct entry *e) {
  char seed[80], name[65];
  snprintf(seed, sizeof seed, "xet %s", e->blob.sha256);
  if (dh_sha256(seed, strlen(seed), name)) json_object_set_new(row, "xetHash", json_string(name));
}

static bool path_info(struct request *r, json_t *rows, const char *path, bool expand) {
  struct entry e;
  if (!path || !dh_path_valid(path) || json_array_size(rows) >= PATHS_MAX) return true;
  int rc = dh_store_entry(r->server->store, r->commit.tree, path, &e);
  if (rc != STORE_OK) return rc == STORE_NONE;
  json_t *row = entry_json(r->server->store, &e, expand);
  if (e.lfs && !json_object_get(row, "xetHash")) copy_name_add(row, &e);
  return json_array_append_new(rows, row) == 0;
}

/* application/x-www-form-urlencoded paths=..&paths=..&expand=true, or the same as JSON. */
void dh_paths_info(struct request *r) {
  json_t *rows = json_array();
  bool ok = rows && r->body.data;
  const char *type = dh_request_header(r, "Content-Type");
  if (type && strncmp(type, "application/json", 16) == 0) {
    json_t *body = json_loadb(r->body.data ? r->body.data : "", r->body.size, JSON_REJECT_DUPLICATES, NULL), *path;
    bool expand = json_is_true(json_object_get(body, "expand"));
    size_t i;
    ok = body != NULL;
    json_array_foreach(json_object_get(body, "paths"), i, path) ok =
        ok && path_info(r, rows, json_string_value(path), expand);
    json_decref(body);
  } else if (ok) {
    bool expand = strcasestr(r->body.data, "expand=true") != NULL;
    for (char *rest = r->body.data, *pair; ok && (pair = strsep(&rest, "&"));)
      if (strncmp(pair, "paths=", 6) == 0)
        ok = dh_percent_decode(pair + 6, true) && path_info(r, rows, pair + 6, expand);
  }
  if (ok) {
    dh_reply_json(r, 200, rows);
  } else {
    json_decref(rows);
    dh_reply_error(r, 400, NULL, "\"paths\" is required");
  }
}

struct refs {
  json_t *branches, *tags, *converts, *pull_requests;
};

static bool ref_add(void *arg, const char *ref, const char *oid) {
  struct refs *all = arg;
  const struct {
    const char *prefix;
    size_t hidden; /* how much of the prefix is not part of the name */
    json_t *list;
  } kinds[] = {{"refs/heads/", 11, all->branches},
               {"refs/tags/", 10, all->tags},
               {"refs/convert/", 13, all->converts},
               {"refs/pr/", 5, all->pull_requests}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strncmp(ref, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
      json_array_append_new(
          kinds[i].list, json_pack("{s:s, s:s, s:s}", "name", ref + (kinds[i].hidden == 5 ? 0 : kinds[i].hidden), "ref",
                                   ref, "targetCommit", oid));
  return true;
}

void dh_refs(struct request *r) {
  struct refs all = {json_array(), json_array(), json_array(), json_array()};
  int rc = dh_store_refs(r->server->store, r->repo.id, ref_add, &all);
  json_t *value = json_pack("{s:o, s:o, s:o}", "tags", all.tags, "branches", all.branches, "converts", all.converts);
  if (dh_request_flag(r, "include_prs")) {
    json_object_set_new(value, "pullRequests", all.pull_requests);
  } else {
    json_decref(all.pull_requests);
  }
  if (rc == STORE_OK) {
    dh_reply_json(r, 200, value);
  } else {
    json_decref(value);
    dh_reply_failed(r, rc);
  }
}

struct history {
  json_t *rows;
  bool formatted;
};

static json_t *html_text(const char *s) {
  struct text t = {0};
  for (; *s; s++) {
    if (*s == '<')
      dh_text_str(&t, "&lt;");
    else if (*s == '&')
      dh_text_str(&t, "&amp;");
    else
      dh_text_add(&t, s, 1);
  }
  json_t *value = json_string(t.data ? t.data : "");
  dh_text_free(&t);
  return value;
}

static bool history_add(void *arg, const struct commit *c) {
  struct history *h = arg;
  json_t *item = json_pack("{s:s, s:s, s:s, s:[{s:s, s:s}], s:o}", "id", c->oid, "title", c->title, "message",
                           c->message, "authors", "user", c->author, "avatar", "https://localhost/avatars/devhub.svg",
                           "date", dh_date_json(c->date));
  if (item && h->formatted)
    json_object_set_new(item, "formatted",
                        json_pack("{s:o, s:o}", "title", html_text(c->title), "message", html_text(c->message)));
  return item && json_array_append_new(h->rows, item) == 0;
}

void dh_commits(struct request *r) {
  const char *page_text = dh_request_parameter(r, "p"), *expand = dh_request_parameter(r, "expand");
  uint64_t page = 0, limit = dh_request_limit(r, COMMITS_PAGE, 1000);
  if (page_text && !dh_number(page_text, 1000000, &page)) {
    dh_reply_error(r, 400, NULL, "\"p\" must be a page number");
    return;
  }
  struct history h = {.rows = json_array(), .formatted = expand && strcmp(expand, "formatted") == 0};
  if (dh_store_commits(r->server->store, r->commit.id, (int64_t)(page * limit), (int64_t)limit, history_add, &h) !=
      STORE_OK) {
    json_decref(h.rows);
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  uint64_t total = (uint64_t)r->commit.depth + 1;
  dh_reply_header(&r->reply, "X-Total-Count", "%llu", (unsigned long long)total);
  if ((page + 1) * limit < total) {
    char next[24];
    snprintf(next, sizeof next, "%llu", (unsigned long long)(page + 1));
    dh_reply_next(r, "p", next);
  }
  dh_reply_json(r, 200, h.rows);
}
