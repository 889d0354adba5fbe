/* api_commit.c - POST commit: lines of JSON, taken as they come: a header, then files, LFS files and deletions.
 * Contents go to the store line by line, so a commit of any size needs the memory of its longest line; what remains is a
 * document for dh_store_commit, which does it all or nothing. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 64 << 20, OPERATIONS_MAX = 1000000, REGULAR_MAX = 10 * 1024 * 1024 };

static const char too_large[] = "Your push was rejected because it contains files larger than 10 MiB. Use LFS for them";

struct commit_stream {
  json_t *header, *files, *deleted;
  struct blob_batch *batch;
  struct text line, rest; /* of the line that is read: all of it, without the content */
  const char *content;    /* within the line, NULL: not cut out */
  size_t content_size;
  size_t operations;
  bool made;
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

static void file_keep(struct commit_stream *c, const char *path, size_t size) {
  size_t index;
  json_t *file = NULL;
  if (dh_batch_take(c->batch, size, &index) == STORE_OK)
    file = json_pack("{s:s, s:I}", "path", path, "content", (json_int_t)index);
  if (!file || json_array_append_new(c->files, file) != 0) wrong(c, 500, "Internal error", NULL);
}

static void take_file(struct request *r, struct commit_stream *c, json_t *value) {
  (void)r;
  const json_t *value_content = json_object_get(value, "content");
  const char *path = dh_json_text(value, "path", ""), *encoding = dh_json_text(value, "encoding", "base64"),
             *content = c->content ? c->content : json_string_value(value_content);
  size_t size = c->content ? c->content_size : json_string_length(value_content), room = size;
  bool plain = strcmp(encoding, "utf-8") == 0;
  char *to = NULL;
  if (!plain) room = size / 4 * 3 + 3;
  if (!content) {
    wrong(c, 400, "A file needs \"content\"", path);
  } else if (!plain && strcmp(encoding, "base64") != 0) {
    wrong(c, 400, "\"content\" is not base64", path);
  } else if (room > REGULAR_MAX + 3) {
    wrong(c, 400, too_large, path);
  } else if (!(to = dh_batch_room(c->batch, room))) {
    wrong(c, 500, "Internal error", NULL);
  } else if (!plain && !dh_base64_decode(content, size, to, &size)) {
    wrong(c, 400, "\"content\" is not base64", path);
  } else if (size > REGULAR_MAX) {
    wrong(c, 400, too_large, path);
  } else {
    if (plain && size) memcpy(to, content, size);
    file_keep(c, path, size);
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

/* What clients write for nearly every line, byte for byte; whatever differs goes the way of any other JSON. */
static bool file_line(struct commit_stream *c, const char *data, size_t size) {
  static const char head[] = "{\"key\": \"file\", \"value\": {\"content\": \"", middle[] = "\", \"path\": \"",
                    tail[] = "\", \"encoding\": \"base64\"}}";
  const char *end = data + size - (sizeof tail - 1), *content = data + sizeof head - 1, *close, *to;
  char path[PATH_ROOM];
  if (!c->header || size < sizeof head + sizeof middle + sizeof tail || memcmp(data, head, sizeof head - 1) != 0 ||
      memcmp(end, tail, sizeof tail - 1) != 0)
    return false;
  if (!(close = memchr(content, '"', (size_t)(end - content)))) return false;
  to = close + sizeof middle - 1;
  if (to > end || memcmp(close, middle, sizeof middle - 1) != 0 || (size_t)(end - to) >= sizeof path) return false;
  for (const char *s = to; s < end; s++)
    if (*s < ' ' || *s == '"' || *s == '\\' || *s == 127) return false;
  memcpy(path, to, (size_t)(end - to));
  path[end - to] = 0;
  size_t n = (size_t)(close - content);
  if (!path_allowed(path) || c->operations >= OPERATIONS_MAX || n / 4 * 3 > REGULAR_MAX) return false;
  char *room = dh_batch_room(c->batch, n / 4 * 3 + 3);
  if (!room || !dh_base64_decode(content, n, room, &n)) return false;
  c->operations++;
  file_keep(c, path, n);
  return true;
}

static void line_take(struct request *r, struct commit_stream *c, const char *data, size_t size) {
  while (size && strchr(" \t\r", data[size - 1])) size--;
  if (!size || c->status || file_line(c, data, size)) return;
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
  dh_batch_end(c->batch, c->made);
  dh_text_free(&c->line);
  dh_text_free(&c->rest);
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
  if (!c->header) wrong(c, 400, "The first line must be the header", NULL);
  if (c->status) {
    dh_reply_error(r, c->status, NULL, "%s", c->problem);
    return;
  }
  json_t *document = document_make(r, c);
  int rc = document ? dh_store_commit_batch(r->server->store, document, c->batch, &made, problem) : STORE_FAILED;
  c->made = rc == STORE_OK;
  dh_batch_end(c->batch, c->made); /* before the answer: what a failed commit had written is gone by then */
  c->batch = NULL;
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
