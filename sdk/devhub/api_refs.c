/* api_refs.c - branches and tags: made, removed, and a branch whose history is forgotten.
 * main cannot be removed; what exists already is answered with 409, what does not with 404.
 * A revision in these routes is the name of the branch or tag itself, or for a new tag the revision it is put on. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <string.h>

static bool start_find(struct request *r, const char *revision, struct commit *c) {
  int rc = dh_store_revision(r->server->store, r->repo.id, revision, c);
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RevisionNotFound", "Invalid rev id: %.200s", revision);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK;
}

static void ref_make(struct request *r, const char *kind, const char *name, const char *prefix, int64_t commit) {
  char ref[REVISION_ROOM + 16], problem[400];
  if (!dh_ref_valid(name)) {
    dh_reply_error(r, 400, NULL, "Invalid %s name: %.200s", kind, name);
    return;
  }
  snprintf(ref, sizeof ref, "%s%s", prefix, name);
  snprintf(problem, sizeof problem, "The %s %s already exists", kind, name);
  int rc = dh_store_ref_add(r->server->store, r->repo.id, ref, commit);
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
  if (rc != STORE_OK) dh_reply_refused(r, rc, problem);
}

static void ref_remove(struct request *r, const char *prefix) {
  char ref[REVISION_ROOM + 16];
  snprintf(ref, sizeof ref, "%s%s", prefix, r->revision);
  int rc = dh_store_ref_drop(r->server->store, r->repo.id, ref);
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
  if (rc != STORE_OK) dh_reply_refused(r, rc, "");
}

void dh_branch(struct request *r) {
  if (r->method == METHOD_DELETE) {
    if (strcmp(r->revision, "main") == 0)
      dh_reply_error(r, 403, NULL, "The main branch cannot be deleted");
    else
      ref_remove(r, "refs/heads/");
    return;
  }
  json_t *body = dh_body_object(r);
  struct commit c;
  if (body && start_find(r, dh_json_text(body, "startingPoint", "main"), &c))
    ref_make(r, "branch", r->revision, "refs/heads/", c.id);
  json_decref(body);
}

void dh_tag(struct request *r) {
  if (r->method == METHOD_DELETE) {
    ref_remove(r, "refs/tags/");
    return;
  }
  json_t *body = dh_body_object(r);
  struct commit c;
  if (body && start_find(r, r->revision, &c)) ref_make(r, "tag", dh_json_text(body, "tag", ""), "refs/tags/", c.id);
  json_decref(body);
}

void dh_super_squash(struct request *r) {
  json_t *body = dh_body_object(r);
  struct commit c;
  char problem[256];
  if (!body) return;
  json_t *document =
      json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:b, s:b}", "type", dh_repo_type_name(r->type), "repo", r->repo.name,
                "revision", r->revision, "title", dh_json_text(body, "message", "Super-squash branch"), "author",
                dh_request_user(r), "date", (json_int_t)dh_now(), "existing", 1, "squash", 1);
  int rc = dh_store_commit(r->server->store, document, &c, problem);
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:s}", "commitOid", c.oid));
  if (rc != STORE_OK) dh_reply_refused(r, rc, problem);
  json_decref(document);
  json_decref(body);
}
