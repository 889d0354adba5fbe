/* api_write.c - repos as a whole: create, delete, move, duplicate, settings, and the list of those of an owner.
 * A new repo gets a first commit with a .gitattributes of the usual patterns, a space a README.md too.
 * Who may do it is decided by the namespace (access.h); what is in the way is answered with 409 and the URL of it. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const lfs_patterns[] = {"*.7z",          "*.arrow",
                                           "*.bin",         "*.bz2",
                                           "*.ckpt",        "*.ftz",
                                           "*.gz",          "*.h5",
                                           "*.joblib",      "*.lfs.*",
                                           "*.mlmodel",     "*.model",
                                           "*.msgpack",     "*.npy",
                                           "*.npz",         "*.onnx",
                                           "*.ot",          "*.parquet",
                                           "*.pb",          "*.pickle",
                                           "*.pkl",         "*.pt",
                                           "*.pth",         "*.rar",
                                           "*.safetensors", "saved_model/**/*",
                                           "*.tar.*",       "*.tar",
                                           "*.tflite",      "*.tgz",
                                           "*.wasm",        "*.xz",
                                           "*.zip",         "*.zst",
                                           "*tfevents*"};
static const char *const prefixes[REPO_TYPES] = {"", "datasets/", "spaces/", "kernels/"};

int64_t dh_now(void) {
  return (int64_t)time(NULL);
}

json_t *dh_repo_url(const struct request *r, enum repo_type type, const char *name, const char *tail) {
  struct text t = {0};
  dh_origin(r, &t, ORIGIN_HUB);
  dh_text_addf(&t, "/%s%s%s", prefixes[type], name, tail);
  char *url = dh_text_take(&t);
  json_t *value = json_string(url ? url : "");
  free(url);
  return value;
}

void dh_reply_refused(struct request *r, int rc, const char *problem) {
  switch (rc) {
    case STORE_EXISTS: dh_reply_error(r, 409, NULL, "%s", problem); break;
    case STORE_CONFLICT:
      dh_reply_error(r, 412, NULL, "A commit has happened since. Please refresh and try again.");
      break;
    case STORE_MISSING:
      dh_reply_error(r, 404, "EntryNotFound", "A file with the name \"%.300s\" does not exist", problem);
      break;
    case STORE_NONE: dh_reply_error(r, 404, "RevisionNotFound", "Invalid rev id: %s", r->revision); break;
    case STORE_INVALID: dh_reply_error(r, 400, NULL, "%s", problem); break;
    default: dh_reply_failed(r, STORE_FAILED);
  }
}

/* "type" of a body: a model unless it says something else. */
static bool type_read(struct request *r, const json_t *body, enum repo_type *type) {
  const char *name = dh_json_text(body, "type", "model");
  int found = dh_repo_type_find(name, strlen(name));
  if (found < 0) dh_reply_error(r, 400, NULL, "\"type\" must be one of model, dataset, space, kernel");
  if (found >= 0) *type = (enum repo_type)found;
  return found >= 0;
}

/* "name" and "organization" of a body as an id; the user's own namespace if there is none. */
static bool name_read(struct request *r, const json_t *body, char id[NAME_ROOM]) {
  const char *name = dh_json_text(body, "name", ""), *space = dh_json_text(body, "organization", NULL);
  if (!space && !strchr(name, '/')) space = dh_request_user(r);
  int n = snprintf(id, NAME_ROOM, "%s%s%s", space ? space : "", space ? "/" : "", name);
  if (n > 0 && n < NAME_ROOM && dh_repo_name_valid(id)) return true;
  dh_reply_error(r, 400, NULL, "Invalid repo name: %.100s", name);
  return false;
}

/* "visibility" or "private" into the repo's fields; false: the reply says why. */
static bool visibility_read(struct request *r, const json_t *body, bool *private, bool *protected) {
  const char *visibility = dh_json_text(body, "visibility", NULL);
  const json_t *flag = json_object_get(body, "private");
  if (flag) *private = json_is_true(flag);
  if (!visibility) return true;
  *private = strcmp(visibility, "public") != 0;
  *protected = strcmp(visibility, "protected") == 0;
  if (!*private || *protected || strcmp(visibility, "private") == 0) return true;
  dh_reply_error(r, 400, NULL, "\"visibility\" must be one of public, private, protected");
  return false;
}

static bool file_add(struct request *r, json_t *files, const char *path, const struct text *content) {
  char sha256[65];
  bool ok = !content->failed && dh_blob_store(r->server->store, content->data, content->size, sha256) == STORE_OK;
  if (ok) json_array_append_new(files, json_pack("{s:s, s:s}", "path", path, "sha256", sha256));
  return ok;
}

static bool first_files(struct request *r, enum repo_type type, const char *id, const char *sdk, json_t *files) {
  struct text attributes = {0}, readme = {0};
  for (size_t i = 0; i < sizeof lfs_patterns / sizeof *lfs_patterns; i++)
    dh_text_addf(&attributes, "%s filter=lfs diff=lfs merge=lfs -text\n", lfs_patterns[i]);
  bool ok = file_add(r, files, ".gitattributes", &attributes);
  const char *name = strrchr(id, '/');
  dh_text_addf(&readme, "---\ntitle: %s\nsdk: %s\n%spinned: false\n---\n", name ? name + 1 : id, sdk ? sdk : "",
               sdk && strcmp(sdk, "docker") != 0 ? "app_file: app.py\n" : "");
  if (ok && type == REPO_SPACE) ok = file_add(r, files, "README.md", &readme);
  dh_text_free(&attributes);
  dh_text_free(&readme);
  return ok;
}

static void reply_exists(struct request *r, enum repo_type type, const char *id) {
  dh_reply_error(r, 409, NULL, "You already created this %s repo: %s", dh_repo_type_name(type), id);
  json_t *body = json_pack("{s:o, s:o}", "error",
                           json_sprintf("You already created this %s repo: %s", dh_repo_type_name(type), id), "url",
                           dh_repo_url(r, type, id, ""));
  dh_reply_json(r, 409, body);
}

static void reply_made(struct request *r, enum repo_type type, const char *id) {
  struct repo repo;
  if (dh_store_repo(r->server->store, type, id, &repo) != STORE_OK) {
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  dh_reply_json(r, 200,
                json_pack("{s:o, s:s, s:o, s:b}", "url", dh_repo_url(r, type, id, ""), "name", id, "id",
                          json_sprintf("%024llx", (unsigned long long)repo.id), "private", (int)repo.private));
}

static void repo_make(struct request *r, enum repo_type type, const char *id, json_t *document, bool private,
                      bool protected) {
  struct commit c;
  char problem[256];
  json_object_set_new(document, "type", json_string(dh_repo_type_name(type)));
  json_object_set_new(document, "repo", json_string(id));
  json_object_set_new(document, "create", json_true());
  json_object_set_new(document, "author", json_string(dh_request_user(r)));
  json_object_set_new(document, "date", json_integer(dh_now()));
  json_object_set_new(document, "private", json_boolean(private));
  json_object_set_new(document, "protected", json_boolean(protected));
  int rc = dh_store_commit(r->server->store, document, &c, problem);
  if (rc == STORE_OK) reply_made(r, type, id);
  if (rc == STORE_EXISTS) reply_exists(r, type, id);
  if (rc != STORE_OK && rc != STORE_EXISTS) dh_reply_refused(r, rc, problem);
}

static bool namespace_writes(struct request *r, enum repo_type type, const char *id) {
  if (dh_access_writes(&r->server->access, r->token, id)) return true;
  if (r->token)
    dh_reply_error(r, 403, NULL, "You don't have the rights to create a %s under the namespace \"%.*s\"",
                   dh_repo_type_name(type), (int)strcspn(id, "/"), id);
  else
    dh_reply_error(r, 401, NULL, "Invalid username or password.");
  return false;
}

void dh_create(struct request *r) {
  json_t *body = dh_body_object(r), *files = json_array();
  enum repo_type type;
  char id[NAME_ROOM];
  bool private = false, protected = false;
  const char *sdk = dh_json_text(body, "sdk", NULL);
  if (body && type_read(r, body, &type) && name_read(r, body, id) && visibility_read(r, body, &private, &protected) &&
      namespace_writes(r, type, id)) {
    if (type == REPO_SPACE && !sdk) {
      dh_reply_error(r, 400, NULL, "\"sdk\" is required for a space");
    } else if (!first_files(r, type, id, sdk, files)) {
      dh_reply_failed(r, STORE_FAILED);
    } else {
      json_t *document = json_pack("{s:O, s:s}", "files", files, "title", "initial commit");
      repo_make(r, type, id, document, private, protected);
      json_decref(document);
    }
  }
  json_decref(files);
  json_decref(body);
}

/* The repo a body names, if it is there and may be changed; else the reply says no. */
static bool repo_find(struct request *r, enum repo_type type, const char *id) {
  r->type = type;
  int rc = dh_store_repo(r->server->store, type, id, &r->repo);
  if (rc == STORE_OK && r->repo.private && !dh_access_sees(r->token, &r->repo) &&
      !dh_access_writes(&r->server->access, r->token, id))
    rc = STORE_NONE;
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RepoNotFound", "Repository not found");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK && dh_request_writes(r, id);
}

void dh_delete(struct request *r) {
  json_t *body = dh_body_object(r);
  enum repo_type type;
  char id[NAME_ROOM];
  if (body && type_read(r, body, &type) && name_read(r, body, id) && repo_find(r, type, id)) {
    if (dh_store_repo_delete(r->server->store, r->repo.id) == STORE_OK)
      dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
    else
      dh_reply_failed(r, STORE_FAILED);
  }
  json_decref(body);
}

void dh_move(struct request *r) {
  json_t *body = dh_body_object(r);
  enum repo_type type;
  const char *from = dh_json_text(body, "fromRepo", ""), *to = dh_json_text(body, "toRepo", "");
  if (body && type_read(r, body, &type)) {
    if (!dh_repo_name_valid(from) || !dh_repo_name_valid(to)) {
      dh_reply_error(r, 400, NULL, "\"fromRepo\" and \"toRepo\" must be valid repo ids");
    } else if (repo_find(r, type, from) && namespace_writes(r, type, to)) {
      int rc = dh_store_rename(r->server->store, type, from, to);
      if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
      if (rc == STORE_INVALID) reply_exists(r, type, to);
      if (rc != STORE_OK && rc != STORE_INVALID) dh_reply_failed(r, rc);
    }
  }
  json_decref(body);
}

void dh_settings(struct request *r) {
  json_t *body = dh_body_object(r);
  const json_t *gated = json_object_get(body, "gated");
  struct repo repo = r->repo;
  if (body && visibility_read(r, body, &repo.private, &repo.protected)) {
    const char *how = json_is_false(gated) ? "" : json_string_value(gated);
    bool known = !gated || (how && (!*how || strcmp(how, "auto") == 0 || strcmp(how, "manual") == 0));
    if (gated && known) dh_copy(repo.gated, sizeof repo.gated, how);
    if (!known) {
      dh_reply_error(r, 400, NULL, "\"gated\" must be one of auto, manual, false");
    } else if (dh_store_repo_set(r->server->store, &repo) != STORE_OK) {
      dh_reply_failed(r, STORE_FAILED);
    } else {
      dh_reply_json(r, 200,
                    json_pack("{s:b, s:o}", "private", (int)repo.private, "gated",
                              repo.gated[0] ? json_string(repo.gated) : json_false()));
    }
  }
  json_decref(body);
}

static bool file_copy(void *arg, const struct entry *e) {
  json_t *files = arg;
  return e->directory || json_array_append_new(files, json_pack("{s:s, s:s, s:b}", "path", e->path, "sha256",
                                                                e->blob.sha256, "lfs", (int)e->lfs)) == 0;
}

void dh_duplicate(struct request *r) {
  json_t *body = dh_body_object(r), *files = json_array();
  const char *id = dh_json_text(body, "repository", "");
  bool private = r->repo.private, protected = r->repo.protected;
  struct commit head;
  if (body && !dh_repo_name_valid(id)) {
    dh_reply_error(r, 400, NULL, "\"repository\" must be a valid repo id");
  } else if (body && visibility_read(r, body, &private, &protected) && namespace_writes(r, r->type, id)) {
    int rc = dh_store_revision(r->server->store, r->repo.id, "main", &head);
    struct tree_query q = {.tree = head.tree, .folder = "", .recursive = true, .limit = INT64_MAX};
    if (rc == STORE_OK) rc = dh_store_tree(r->server->store, &q, file_copy, files);
    if (rc == STORE_OK) {
      json_t *document =
          json_pack("{s:O, s:o}", "files", files, "title", json_sprintf("Duplicate from %s", r->repo.name));
      repo_make(r, r->type, id, document, private, protected);
      json_decref(document);
    } else {
      dh_reply_failed(r, STORE_FAILED);
    }
  }
  json_decref(files);
  json_decref(body);
}

void dh_repos_list(struct request *r) {
  const char *owner = r->name[0] ? r->name : dh_request_user(r);
  if (r->token && !r->token->everything && !dh_access_member(r->token, owner)) {
    dh_reply_error(r, 403, NULL, "You are not a member of %s.", owner);
    return;
  }
  json_t *rows = dh_store_repos_of(r->server->store, owner);
  if (rows) dh_reply_json(r, 200, rows);
  if (!rows) dh_reply_failed(r, STORE_FAILED);
}
