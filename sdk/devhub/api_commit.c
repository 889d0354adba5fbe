/* api_commit.c - POST commit: lines of JSON, taken as they come: a header, then files, LFS files and deletions.
 * Contents go to the store line by line, so a commit of any size needs the memory of its longest line; what remains is a
 * document for dh_store_commit, which does it all or nothing. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20, OPERATIONS_MAX = 1000000, REGULAR_MAX = 10 * 1024 * 1024 };

struct commit_stream {
  json_t *header, *files, *deleted;
  struct blob_batch *batch;
  struct text line, rest, decoded; /* of the line that is read: all of it, without the content, the content decoded */
  const char *content;             /* within the line, NULL: not cut out */
  size_t content_size;
  size_t operations;
  int status; /* of the first thing that was wrong; 0: nothing was */
  char problem[400];
};

static void wrong(struct commit_stream *c, int status, const char *what, const char *value) {
  if (c->status) return;
  c->status = status;
  snprintf(c->problem, sizeof c->problem, "%s%s%.200s", what, value ? ": " : "", value ? value : "");
}

/* What a repo cannot hold: .git anywhere, and what dh_path_valid refuses. */
static bool path_allowed(const char *path) {
  if (!dh_path_valid(path)) return false;
  for (const char *s = path; *s; s += strcspn(s, "/"), s += *s == '/')
    if (strncasecmp(s, ".git", 4) == 0 && (s[4] == '/' || !s[4])) return false;
  return true;
}

static void take_header(struct request *r, struct commit_stream *c, json_t *value) {
  (void)r;
  if (c->header) wrong(c, 400, "A commit has one header", NULL);
  const char *summary = dh_json_text(value, "summary", "");
  if (!*summary) wrong(c, 400, "\"summary\" is required", NULL);
  json_decref(c->header);
  c->header = json_incref(value);
}

static bool room_make(struct text *t, size_t size) {
  if (t->room > size) return true;
  char *data = realloc(t->data, size + 1);
  if (!data) return false;
  t->data = data;
  t->room = size + 1;
  return true;
}

static void take_file(struct request *r, struct commit_stream *c, json_t *value) {
  (void)r;
  const json_t *value_content = json_object_get(value, "content");
  const char *path = dh_json_text(value, "path", ""), *encoding = dh_json_text(value, "encoding", "base64"),
             *content = c->content ? c->content : json_string_value(value_content);
  size_t size = c->content ? c->content_size : json_string_length(value_content);
  char sha256[65];
  bool plain = strcmp(encoding, "utf-8") == 0;
  if (!content) {
    wrong(c, 400, "A file needs \"content\"", path);
  } else if (!room_make(&c->decoded, size)) {
    wrong(c, 500, "Internal error", NULL);
  } else if (!plain && (strcmp(encoding, "base64") != 0 || !dh_base64_decode(content, size, c->decoded.data, &size))) {
    wrong(c, 400, "\"content\" is not base64", path);
  } else if (size > REGULAR_MAX) {
    wrong(c, 400, "Your push was rejected because it contains files larger than 10 MiB. Use LFS for them", path);
  } else if (dh_batch_add(c->batch, plain ? content : c->decoded.data, size, sha256) != STORE_OK) {
    wrong(c, 500, "Internal error", NULL);
  } else {
    json_array_append_new(c->files, json_pack("{s:s, s:s}", "path", path, "sha256", sha256));
  }
}

static void take_lfs(struct request *r, struct commit_stream *c, json_t *value) {
  const char *path = dh_json_text(value, "path", ""), *oid = dh_json_text(value, "oid", "");
  const json_t *size = json_object_get(value, "size");
  struct blob b;
  if (strcmp(dh_json_text(value, "algo", "sha256"), "sha256") != 0 || strlen(oid) != 64 || !dh_is_hex(oid, 64)) {
    wrong(c, 400, "An LFS file needs a sha256 oid", path);
    return;
  }
  if (json_is_integer(size) && dh_blob_find(r->server->store, oid, &b) == STORE_OK &&
      json_integer_value(size) != b.size)
    wrong(c, 400, "The size of an LFS file is not that of its object", path);
  json_array_append_new(c->files, json_pack("{s:s, s:s, s:b}", "path", path, "sha256", oid, "lfs", 1));
}

static void take_deleted_file(struct request *r, struct commit_stream *c, json_t *value) {
  (void)r;
  json_array_append_new(c->deleted, json_pack("{s:s}", "path", dh_json_text(value, "path", "")));
}

static void take_deleted_folder(struct request *r, struct commit_stream *c, json_t *value) {
  (void)r;
  char path[PATH_ROOM];
  if (!dh_copy(path, sizeof path, dh_json_text(value, "path", ""))) return;
  size_t size = strlen(path);
  if (size && path[size - 1] == '/') path[size - 1] = 0;
  json_array_append_new(c->deleted, json_pack("{s:s, s:b}", "path", path, "folder", 1));
}

static const struct operation {
  const char *key;
  void (*take)(struct request *r, struct commit_stream *c, json_t *value);
} operations[] = {
    {"header", take_header},
    {"file", take_file},
    {"lfsFile", take_lfs},
    {"deletedFile", take_deleted_file},
    {"deletedFolder", take_deleted_folder},
};

static const char *string_end(const char *at, const char *end) {
  while (at < end && (at = memchr(at, '"', (size_t)(end - at)))) {
    const char *slash = at;
    while (slash[-1] == '\\') slash--;
    if ((at - slash) % 2 == 0) return at;
    at++;
  }
  return NULL;
}

static const char *blank_skip(const char *at, const char *end) {
  while (at < end && (*at == ' ' || *at == '\t')) at++;
  return at;
}

/* Most of a line is the content of its file. It is cut out, when it is written without escapes, before the parser reads the
 * rest character by character: what stands in its place is an empty string. */
static void content_cut(struct commit_stream *c, const char **data, size_t *size) {
  const char *end = *data + *size, *at = *data, *close;
  c->content = NULL;
  while ((at = memchr(at, '"', (size_t)(end - at))) && (close = string_end(at + 1, end))) {
    const char *next = blank_skip(close + 1, end);
    bool key = next < end && *next == ':', named = key && close - at == 8 && memcmp(at, "\"content", 8) == 0;
    at = close + 1;
    if (!named) continue;
    at = blank_skip(next + 1, end);
    if (at >= end || *at != '"' || !(close = string_end(at + 1, end))) return;
    if (memchr(at, '\\', (size_t)(close - at))) return;
    c->rest.size = 0;
    dh_text_add(&c->rest, *data, (size_t)(at + 1 - *data));
    dh_text_add(&c->rest, close, (size_t)(end - close));
    if (c->rest.failed) return;
    c->content = at + 1;
    c->content_size = (size_t)(close - at - 1);
    *data = c->rest.data;
    *size = c->rest.size;
    return;
  }
}

static void line_take(struct request *r, struct commit_stream *c, const char *data, size_t size) {
  while (size && strchr(" \t\r", data[size - 1])) size--;
  if (!size || c->status) return;
  content_cut(c, &data, &size);
  json_t *line = json_loadb(data, size, 0, NULL), *value = json_object_get(line, "value");
  const char *key = dh_json_text(line, "key", ""), *path = dh_json_text(value, "path", "");
  size_t i = 0;
  while (i < sizeof operations / sizeof *operations && strcmp(operations[i].key, key) != 0) i++;
  if (i == sizeof operations / sizeof *operations || !json_is_object(value)) {
    wrong(c, 400, "Each line must be an object with \"key\" and \"value\"", *key ? key : NULL);
  } else if (i > 0 && !c->header) {
    wrong(c, 400, "The first line must be the header", NULL);
  } else if (i > 0 && ++c->operations > OPERATIONS_MAX) {
    wrong(c, 413, "Too many operations in one commit", NULL);
  } else {
    size_t n = strlen(path);
    bool folder = i == 4 && n > 1 && path[n - 1] == '/';
    char *bare = folder ? strndup(path, n - 1) : NULL;
    if (i > 0 && !path_allowed(bare ? bare : path)) wrong(c, 400, "Invalid path", path);
    free(bare);
    if (!c->status) operations[i].take(r, c, value);
  }
  json_decref(line);
}

static bool commit_begin(struct request *r) {
  bool pull = dh_request_flag(r, "create_pr") || strncmp(r->revision, "refs/pr/", 8) == 0;
  if (pull && !dh_request_contributes(r)) return false;
  if (!pull && !dh_access_writes(&r->server->access, r->token, r->repo.name)) {
    if (r->token && r->token->role == ROLE_WRITE)
      dh_reply_error(r, 403, NULL, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request");
    else
      dh_request_writes(r, r->repo.name);
    return false;
  }
  struct commit_stream *c = calloc(1, sizeof *c);
  if (c)
    *c = (struct commit_stream){
        .files = json_array(), .deleted = json_array(), .batch = dh_batch_begin(r->server->store)};
  r->stream = c;
  if (!c || !c->files || !c->deleted || !c->batch) dh_reply_failed(r, STORE_FAILED);
  return r->reply.status == 0;
}

static void commit_data(struct request *r, const char *data, size_t size) {
  struct commit_stream *c = r->stream;
  while (size && !c->status) {
    const char *end = memchr(data, '\n', size);
    size_t n = end ? (size_t)(end - data) : size;
    if (end && !c->line.size) {
      line_take(r, c, data, n);
    } else if (c->line.size + n > LINE_MAX_BYTES) {
      wrong(c, 413, "A line of the commit is too long", NULL);
    } else {
      dh_text_add(&c->line, data, n);
      if (c->line.failed) wrong(c, 500, "Internal error", NULL);
      if (end && !c->status) {
        line_take(r, c, c->line.data, c->line.size);
        c->line.size = 0;
      }
    }
    data += n + (end != NULL);
    size -= n + (end != NULL);
  }
}

static void commit_end(struct request *r) {
  struct commit_stream *c = r->stream;
  json_decref(c->header);
  json_decref(c->files);
  json_decref(c->deleted);
  dh_batch_end(c->batch);
  dh_text_free(&c->line);
  dh_text_free(&c->rest);
  dh_text_free(&c->decoded);
  free(c);
}

const struct stream dh_commit_stream = {commit_begin, commit_data, commit_end};

static json_t *document_make(const struct request *r, const struct commit_stream *c) {
  const char *summary = dh_json_text(c->header, "summary", ""), *text = dh_json_text(c->header, "description", ""),
             *parent = dh_json_text(c->header, "parentCommit", NULL);
  json_t *document = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:O, s:O, s:b, s:b, s:b}", "type",
                               dh_repo_type_name(r->type), "repo", r->repo.name, "revision", r->revision, "title",
                               summary, "message", text, "author", dh_request_user(r), "date", (json_int_t)dh_now(),
                               "files", c->files, "deleted", c->deleted, "existing", 1, "empty", 1, "owned", 1);
  if (parent) json_object_set_new(document, "parent", json_string(parent));
  if (dh_request_flag(r, "create_pr"))
    json_object_set_new(document, "pull", json_pack("{s:s, s:s}", "title", summary, "text", text));
  return document;
}

void dh_commit(struct request *r) {
  struct commit_stream *c = r->stream;
  struct commit made;
  char problem[256], tail[80];
  if (c->line.size) line_take(r, c, c->line.data, c->line.size);
  int flushed = dh_batch_end(c->batch);
  c->batch = NULL;
  if (!c->header) wrong(c, 400, "The first line must be the header", NULL);
  if (flushed != STORE_OK) wrong(c, 500, "Internal error", NULL);
  if (c->status) {
    dh_reply_error(r, c->status, NULL, "%s", c->problem);
    return;
  }
  json_t *document = document_make(r, c);
  int rc = document ? dh_store_commit(r->server->store, document, &made, problem) : STORE_FAILED;
  json_decref(document);
  if (rc != STORE_OK) {
    dh_reply_refused(r, rc, problem);
    return;
  }
  snprintf(tail, sizeof tail, "/commit/%s", made.oid);
  json_t *answer = json_pack("{s:b, s:o, s:s, s:s}", "success", 1, "commitUrl",
                             dh_repo_url(r, r->type, r->repo.name, tail), "commitOid", made.oid, "hookOutput", "");
  snprintf(tail, sizeof tail, "/discussions/%lld", (long long)made.pull);
  if (made.pull) json_object_set_new(answer, "pullRequestUrl", dh_repo_url(r, r->type, r->repo.name, tail));
  dh_reply_json(r, 200, answer);
}
