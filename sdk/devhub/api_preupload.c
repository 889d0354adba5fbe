/* api_preupload.c - POST preupload: how each file is to be uploaded, whether it is ignored, and what is there now.
 * LFS by .gitattributes or by size; the ignore rules are those of the request or of the repo.
 * Read-only, but answered only to those who may then commit. */
#include "body.h"
#include "pattern.h"
#include "server.h"
#include <stdlib.h>
#include <string.h>

enum { RULES_TEXT_MAX = 1 << 20, FILES_MAX = 100000 };

/* The text of a small file of the commit; "" if there is none. Freed by the caller. */
static char *rules_text(struct request *r, const char *path) {
  struct entry e;
  char *text = NULL;
  if (dh_store_entry(r->server->store, r->commit.tree, path, &e) == STORE_OK && !e.directory &&
      dh_blob_text(r->server->store, &e.blob, RULES_TEXT_MAX, &text) == STORE_OK)
    return text;
  return strdup("");
}

static bool file_answer(struct request *r, const json_t *file, const char *ignore, const char *attributes,
                        struct text *answers) {
  const char *path = dh_json_text(file, "path", "");
  const json_t *size = json_object_get(file, "size");
  struct entry e;
  if (!dh_path_valid(path) || !json_is_integer(size) || json_integer_value(size) < 0) {
    dh_reply_error(r, 400, NULL, "Each of \"files\" needs a valid \"path\" and a \"size\": %.200s", path);
    return false;
  }
  bool lfs = (uint64_t)json_integer_value(size) >= r->server->lfs_threshold || dh_gitattributes_lfs(attributes, path);
  dh_text_str(answers, answers->data[answers->size - 1] == '[' ? "{\"path\":" : ",{\"path\":");
  dh_text_json(answers, path, strlen(path));
  dh_text_str(answers, lfs ? ",\"uploadMode\":\"lfs\"" : ",\"uploadMode\":\"regular\"");
  dh_text_str(answers, dh_gitignore_match(ignore, path) ? ",\"shouldIgnore\":true" : ",\"shouldIgnore\":false");
  if (dh_store_entry(r->server->store, r->commit.tree, path, &e) == STORE_OK && !e.directory)
    dh_text_addf(answers, ",\"oid\":\"%s\"", e.lfs ? e.blob.sha256 : e.oid);
  dh_text_str(answers, "}");
  return true;
}

/* Takes the samples out of the text before it is parsed: they are most of it, and nothing here looks at them. */
static void samples_cut(struct text *body) {
  static const char key[] = "\"sample\"";
  char *to = body->data, *from = body->data, *end = body->data + body->size, *at = from;
  while (from && (at = memmem(at, (size_t)(end - at), key, sizeof key - 1))) {
    bool within = at > body->data && at[-1] == '\\';
    at += sizeof key - 1;
    const char *value = at;
    while (value < end && (*value == ' ' || *value == ':')) value++;
    if (within || value == at || value == end || *value != '"') continue;
    size_t run = strcspn(++value, "\"\\");
    if (value + run >= end || value[run] != '"') continue;
    memmove(to, from, (size_t)(value - from));
    to += value - from;
    from = at = (char *)body->data + (value - body->data) + run;
  }
  if (!from) return;
  memmove(to, from, (size_t)(end - from));
  body->size = (size_t)(to - body->data) + (size_t)(end - from);
  body->data[body->size] = 0;
}

void dh_preupload(struct request *r) {
  bool pull = dh_request_flag(r, "create_pr") || strncmp(r->revision, "refs/pr/", 8) == 0;
  if (!pull && !dh_request_writes(r, r->repo.name)) return;
  if (pull && !dh_request_contributes(r)) return;
  samples_cut(&r->body);
  json_t *body = dh_body_object(r), *files = json_object_get(body, "files"), *file;
  struct text answers = {0};
  if (!body) return;
  const char *given = dh_json_text(body, "gitIgnore", NULL);
  bool reads = dh_store_read_begin(r->server->store) == STORE_OK; /* one look at the database for all of them */
  char *ignore = given ? strdup(given) : rules_text(r, ".gitignore"), *attributes = rules_text(r, ".gitattributes");
  bool ok = ignore && attributes && json_is_array(files) && json_array_size(files) <= FILES_MAX;
  size_t i;
  dh_text_str(&answers, "{\"files\":[");
  if (!ok) dh_reply_error(r, 400, NULL, "\"files\" must be a list");
  if (ok) json_array_foreach(files, i, file) {
      ok = !answers.failed && file_answer(r, file, ignore, attributes, &answers);
      if (!ok) break;
    }
  if (reads) dh_store_read_end(r->server->store);
  dh_text_str(&answers, "]}");
  if (ok) dh_reply_text(r, 200, "application/json; charset=utf-8", &answers);
  dh_text_free(&answers);
  free(ignore);
  free(attributes);
  json_decref(body);
}
