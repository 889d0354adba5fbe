/* api_lfs.c - the Git LFS server of a repo: batch (upload and download), verify, locks; and the lists of its objects.
 * Targets are signed URLs of the storage origin: one PUT, or numbered parts and a completion when an object is larger than
 * the part size and the client can do that. An object belongs to the repos it was uploaded to. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECTS_MAX = 10000, PARTS_MAX = 10000 };

static void reply_lfs(struct request *r, json_t *value) {
  dh_reply_json(r, 200, value);
  dh_reply_set(&r->reply, "Content-Type", "application/vnd.git-lfs+json");
}

static json_t *signed_url(struct request *r, enum origin origin, const char *path, unsigned seconds) {
  struct text t = {0};
  dh_sign(r, &t, origin, path, seconds);
  char *url = dh_text_take(&t);
  json_t *value = json_string(url ? url : "");
  free(url);
  return value;
}

static json_t *verify_action(const struct request *r) {
  json_t *action = json_pack("{s:o}", "href", dh_repo_url(r, r->type, r->repo.name, ".git/info/lfs/objects/verify"));
  const char *authorization = dh_request_header(r, "Authorization");
  if (authorization) json_object_set_new(action, "header", json_pack("{s:s}", "Authorization", authorization));
  return action;
}

static json_t *basic_action(struct request *r, const char *oid, int64_t size) {
  char path[200];
  snprintf(path, sizeof path, "/objects/%lld/%s?size=%lld", (long long)r->repo.id, oid, (long long)size);
  return json_pack("{s:o, s:i}", "href", signed_url(r, ORIGIN_CDN, path, r->server->upload_seconds), "expires_in",
                   (int)r->server->upload_seconds);
}

/* Part URLs as numbered headers, as the Hub's multipart protocol has them; NULL on failure. */
static json_t *multipart_action(struct request *r, const char *oid, int64_t size) {
  struct upload u = {.repo = r->repo.id,
                     .size = size,
                     .part = (int64_t)r->server->part_size,
                     .expires = dh_now() + r->server->upload_seconds};
  char path[200], number[24];
  if (u.part < (size + PARTS_MAX - 1) / PARTS_MAX) u.part = (size + PARTS_MAX - 1) / PARTS_MAX;
  memcpy(u.sha256, oid, sizeof u.sha256);
  if (dh_upload_new(r->server->store, &u) != STORE_OK) return NULL;
  json_t *header = json_object();
  json_object_set_new(header, "chunk_size", json_sprintf("%lld", (long long)u.part));
  for (int64_t i = 1; i <= (size + u.part - 1) / u.part; i++) {
    snprintf(number, sizeof number, "%lld", (long long)i);
    snprintf(path, sizeof path, "/parts/%s/%lld", u.id, (long long)i);
    json_object_set_new(header, number, signed_url(r, ORIGIN_CDN, path, r->server->upload_seconds));
  }
  snprintf(path, sizeof path, "/api/complete_multipart?uploadId=%s&repo=%lld", u.id, (long long)u.repo);
  return json_pack("{s:o, s:o, s:i}", "href", signed_url(r, ORIGIN_HUB, path, r->server->upload_seconds), "header",
                   header, "expires_in", (int)r->server->upload_seconds);
}

static json_t *object_error(const char *oid, int64_t size, int code, const char *message) {
  return json_pack("{s:s, s:I, s:{s:i, s:s}}", "oid", oid, "size", (json_int_t)size, "error", "code", code, "message",
                   message);
}

static json_t *object_upload(struct request *r, const char *oid, int64_t size, bool multipart) {
  struct blob b;
  struct store *s = r->server->store;
  if (dh_store_object(s, r->repo.id, oid) == STORE_OK && dh_blob_find(s, oid, &b) == STORE_OK) {
    if (b.size != size) return object_error(oid, size, 422, "The object is there already, and has another size.");
    return json_pack("{s:s, s:I}", "oid", oid, "size", (json_int_t)size);
  }
  json_t *upload = multipart ? multipart_action(r, oid, size) : basic_action(r, oid, size);
  if (!upload) return object_error(oid, size, 500, "Internal error");
  return json_pack("{s:s, s:I, s:b, s:{s:o, s:o}}", "oid", oid, "size", (json_int_t)size, "authenticated", 1, "actions",
                   "upload", upload, "verify", verify_action(r));
}

static json_t *object_download(struct request *r, const char *oid, int64_t size) {
  struct blob b;
  char path[160];
  struct store *s = r->server->store;
  if (dh_store_object(s, r->repo.id, oid) != STORE_OK || dh_blob_find(s, oid, &b) != STORE_OK)
    return object_error(oid, size, 404, "Object does not exist");
  if (b.size != size) return object_error(oid, size, 422, "The object has another size.");
  snprintf(path, sizeof path, "/repos/%.2s/%.2s/%s", oid, oid + 2, oid);
  return json_pack("{s:s, s:I, s:b, s:{s:{s:o, s:i}}}", "oid", oid, "size", (json_int_t)size, "authenticated", 1,
                   "actions", "download", "href", signed_url(r, ORIGIN_CDN, path, r->server->cdn_seconds), "expires_in",
                   (int)r->server->cdn_seconds);
}

static bool transfer_offered(const json_t *body, const char *name) {
  size_t i;
  json_t *value;
  json_array_foreach(json_object_get(body, "transfers"), i, value) {
    const char *offered = json_string_value(value);
    if (offered && strcmp(offered, name) == 0) return true;
  }
  return false;
}

struct batch {
  bool upload, multipart, every; /* every: a client that takes one kind of target for all objects of a batch */
  int64_t part;
};

static json_t *object_answer(struct request *r, const struct batch *b, const json_t *object) {
  const char *oid = dh_json_text(object, "oid", "");
  const json_t *size_value = json_object_get(object, "size");
  int64_t size = json_integer_value(size_value);
  if (strlen(oid) != 64 || !dh_is_hex(oid, 64) || strspn(oid, "0123456789abcdef") != 64)
    return object_error(oid, size, 422, "The oid must be a SHA-256 in lower case");
  if (!json_is_integer(size_value) || size < 0) return object_error(oid, size, 422, "The size must be a whole number");
  if (!b->upload) return object_download(r, oid, size);
  return object_upload(r, oid, size, b->multipart && size > 0 && (b->every || size > b->part));
}

static bool batch_allowed(struct request *r, bool upload) {
  char status[16];
  if (!upload) {
    if (!r->repo.gated[0] || dh_access_let_in(r->token, &r->repo)) return true;
    if (r->token && dh_store_access(r->server->store, r->repo.id, r->token->name, status) == STORE_OK &&
        strcmp(status, "accepted") == 0)
      return true;
    dh_reply_error(r, r->token ? 403 : 401, "GatedRepo", "Access to %s is restricted.", r->repo.name);
    return false;
  }
  return dh_access_writes(&r->server->access, r->token, r->repo.name) || dh_request_contributes(r);
}

/* Errors of Git LFS have "message"; the Hub's clients look for "error". */
static void lfs_error_shape(struct request *r) {
  const char *message = dh_reply_find(&r->reply, "X-Error-Message");
  if (r->reply.status < 400 || !message) return;
  json_t *body = json_pack("{s:s, s:s}", "message", message, "error", message);
  if (r->reply.status == 401) dh_reply_header(&r->reply, "LFS-Authenticate", "Basic realm=\"hf-devhub\"");
  dh_reply_json(r, r->reply.status, body);
  dh_reply_set(&r->reply, "Content-Type", "application/vnd.git-lfs+json");
}

static void batch_answer(struct request *r, const json_t *body) {
  struct batch b = {.part = (int64_t)r->server->part_size};
  const char *operation = dh_json_text(body, "operation", ""), *agent = dh_request_header(r, "User-Agent");
  json_t *objects = json_object_get(body, "objects"), *answers = json_array(), *object;
  size_t i;
  b.upload = strcmp(operation, "upload") == 0;
  if ((!b.upload && strcmp(operation, "download") != 0) || !json_is_array(objects)) {
    dh_reply_error(r, 422, NULL, "\"operation\" must be upload or download, \"objects\" a list");
  } else if (json_array_size(objects) > OBJECTS_MAX) {
    dh_reply_error(r, 413, NULL, "Too many objects in one batch");
  } else if (strcmp(dh_json_text(body, "hash_algo", "sha256"), "sha256") != 0) {
    dh_reply_error(r, 409, NULL, "\"hash_algo\" must be sha256");
  } else if (batch_allowed(r, b.upload)) {
    if (b.upload && transfer_offered(body, "multipart"))
      json_array_foreach(objects, i, object) if (json_integer_value(json_object_get(object, "size")) > b.part)
          b.multipart = true;
    b.every = agent && strncmp(agent, "git-lfs/", 8) == 0;
    json_array_foreach(objects, i, object) json_array_append_new(answers, object_answer(r, &b, object));
    reply_lfs(r, json_pack("{s:s, s:O, s:s}", "transfer", b.multipart ? "multipart" : "basic", "objects", answers,
                           "hash_algo", "sha256"));
  }
  json_decref(answers);
}

void dh_lfs_batch(struct request *r) {
  json_t *body = dh_body_object(r);
  if (body) batch_answer(r, body);
  json_decref(body);
  lfs_error_shape(r);
}

void dh_lfs_verify(struct request *r) {
  json_t *body = dh_body_object(r);
  const char *oid = dh_json_text(body, "oid", "");
  struct blob b;
  if (body && batch_allowed(r, true)) {
    if (dh_store_object(r->server->store, r->repo.id, oid) != STORE_OK ||
        dh_blob_find(r->server->store, oid, &b) != STORE_OK)
      dh_reply_error(r, 404, NULL, "Object does not exist");
    else if (json_integer_value(json_object_get(body, "size")) != b.size)
      dh_reply_error(r, 422, NULL, "The object has another size.");
    else
      reply_lfs(r, json_pack("{s:s, s:I}", "oid", oid, "size", (json_int_t)b.size));
  }
  json_decref(body);
  lfs_error_shape(r);
}

/* Nobody holds a lock here: lists are empty, making one is refused as the protocol provides. */
void dh_lfs_locks(struct request *r) {
  if (strcmp(r->file, "verify") == 0) {
    reply_lfs(r, json_pack("{s:[], s:[]}", "ours", "theirs"));
  } else if (r->method == METHOD_GET) {
    reply_lfs(r, json_pack("{s:[]}", "locks"));
  } else {
    dh_reply_error(r, 403, NULL, "Locks are not kept by this server.");
    lfs_error_shape(r);
  }
}

static bool target_find(struct request *r, const json_t *target, struct repo *out) {
  const char *type_name = dh_json_text(target, "type", "model"), *name = dh_json_text(target, "name", "");
  int type = dh_repo_type_find(type_name, strlen(type_name));
  int rc = type < 0 || !dh_repo_name_valid(name) ? STORE_NONE
                                                 : dh_store_repo(r->server->store, (enum repo_type)type, name, out);
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RepoNotFound", "Repository not found");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK && dh_request_writes(r, name);
}

/* Objects of this repo become objects of another as well. */
void dh_lfs_duplicate(struct request *r) {
  json_t *body = dh_body_object(r), *files = json_object_get(body, "files"), *file, *failed = json_array(),
         *done = json_array();
  struct repo target;
  size_t i;
  if (body && target_find(r, json_object_get(body, "target"), &target)) {
    json_array_foreach(files, i, file) {
      const char *oid = dh_json_text(file, "sha256", "");
      int rc = dh_store_object(r->server->store, r->repo.id, oid);
      if (rc == STORE_OK) rc = dh_store_object_add(r->server->store, target.id, oid);
      if (rc == STORE_OK)
        json_array_append(done, file);
      else
        json_array_append_new(failed, json_pack("{s:s, s:s, s:s}", "filename", dh_json_text(file, "filename", ""),
                                                "sha256", oid, "error", "Object does not exist"));
    }
    dh_reply_json(r, 200, json_pack("{s:O, s:O}", "duplicated", done, "failed", failed));
  }
  json_decref(done);
  json_decref(failed);
  json_decref(body);
}

void dh_lfs_files(struct request *r) {
  json_t *rows = dh_store_objects(r->server->store, r->repo.id);
  if (rows) dh_reply_json(r, 200, rows);
  if (!rows) dh_reply_failed(r, STORE_FAILED);
}

/* The objects whose pointers are named leave the repo; files that still name them stay in its history. */
void dh_lfs_drop(struct request *r) {
  json_t *body = dh_body_object(r), *shas = json_object_get(json_object_get(body, "deletions"), "sha"), *sha, *row,
         *rows = body ? dh_store_objects(r->server->store, r->repo.id) : NULL;
  size_t i, k;
  int rc = rows ? STORE_OK : STORE_FAILED;
  json_array_foreach(shas, i, sha) json_array_foreach(rows, k, row) {
    if (rc != STORE_FAILED && json_equal(sha, json_object_get(row, "fileOid")))
      rc = dh_store_object_drop(r->server->store, r->repo.id, dh_json_text(row, "oid", ""));
  }
  if (body && rc == STORE_FAILED) dh_reply_failed(r, rc);
  if (body && rc != STORE_FAILED) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
  json_decref(rows);
  json_decref(body);
}
