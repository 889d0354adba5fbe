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
                        json_t *answers) {
  const char *path = dh_json_text(file, "path", "");
  const json_t *size = json_object_get(file, "size");
  struct entry e;
  if (!dh_path_valid(path) || !json_is_integer(size) || json_integer_value(size) < 0) {
    dh_reply_error(r, 400, NULL, "Each of \"files\" needs a valid \"path\" and a \"size\": %.200s", path);
    return false;
  }
  bool lfs = (uint64_t)json_integer_value(size) >= r->server->lfs_threshold || dh_gitattributes_lfs(attributes, path);
  json_t *answer = json_pack("{s:s, s:s, s:b}", "path", path, "uploadMode", lfs ? "lfs" : "regular", "shouldIgnore",
                             (int)dh_gitignore_match(ignore, path));
  if (dh_store_entry(r->server->store, r->commit.tree, path, &e) == STORE_OK && !e.directory)
    json_object_set_new(answer, "oid", json_string(e.lfs ? e.blob.sha256 : e.oid));
  return json_array_append_new(answers, answer) == 0;
}

void dh_preupload(struct request *r) {
  bool pull = dh_request_flag(r, "create_pr") || strncmp(r->revision, "refs/pr/", 8) == 0;
  if (!pull && !dh_request_writes(r, r->repo.name)) return;
  if (pull && !dh_request_contributes(r)) return;
  json_t *body = dh_body_object(r), *files = json_object_get(body, "files"), *file, *answers = json_array();
  if (!body) {
    json_decref(answers);
    return;
  }
  const char *given = dh_json_text(body, "gitIgnore", NULL);
  char *ignore = given ? strdup(given) : rules_text(r, ".gitignore"), *attributes = rules_text(r, ".gitattributes");
  bool ok = ignore && attributes && json_is_array(files) && json_array_size(files) <= FILES_MAX;
  size_t i;
  if (!ok) dh_reply_error(r, 400, NULL, "\"files\" must be a list");
  if (ok) json_array_foreach(files, i, file) {
      ok = file_answer(r, file, ignore, attributes, answers);
      if (!ok) break;
    }
  if (ok) dh_reply_json(r, 200, json_pack("{s:O}", "files", answers));
  free(ignore);
  free(attributes);
  json_decref(answers);
  json_decref(body);
}
