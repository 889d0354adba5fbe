/* api_social.c - likes, and access to gated repos: asked for, listed, granted, handled.
 * A repo gated "auto" lets in whoever asks, one gated "manual" waits for its owner.
 * Lists are short on one machine and are one page. */
#include "body.h"
#include "server.h"
#include <string.h>

static void reply_rows(struct request *r, json_t *rows) {
  if (rows) dh_reply_json(r, 200, rows);
  if (!rows) dh_reply_failed(r, STORE_FAILED);
}

static void reply_done(struct request *r, int rc, const char *missing) {
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
  if (rc == STORE_NONE) dh_reply_error(r, 404, NULL, "%s", missing);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
}

void dh_like(struct request *r) {
  reply_done(r, dh_store_like(r->server->store, dh_request_user(r), r->repo.id, r->method == METHOD_POST, dh_now()),
             "");
}

void dh_likes(struct request *r) {
  reply_rows(r, dh_store_likes(r->server->store, r->name));
}

void dh_likers(struct request *r) {
  reply_rows(r, dh_store_likers(r->server->store, r->repo.id));
}

static bool status_known(const char *status) {
  return strcmp(status, "pending") == 0 || strcmp(status, "accepted") == 0 || strcmp(status, "rejected") == 0;
}

static bool gated(struct request *r) {
  if (!r->repo.gated[0]) dh_reply_error(r, 400, NULL, "Repository is not gated");
  return r->repo.gated[0] != 0;
}

void dh_access_list(struct request *r) {
  if (!gated(r)) return;
  if (!status_known(r->name)) {
    dh_reply_error(r, 404, NULL, "There is no list of %.50s requests", r->name);
    return;
  }
  reply_rows(r, dh_store_access_list(r->server->store, r->repo.id, r->name));
}

void dh_access_ask(struct request *r) {
  if (!gated(r)) return;
  const char *status = strcmp(r->repo.gated, "auto") == 0 ? "accepted" : "pending";
  int rc = dh_store_access_add(r->server->store, r->repo.id, dh_request_user(r), status, dh_now());
  reply_done(r, rc == STORE_EXISTS ? STORE_OK : rc, "");
}

void dh_access_grant(struct request *r) {
  json_t *body = dh_body_object(r);
  const char *user = dh_json_text(body, "user", "");
  if (body && gated(r)) {
    int rc = *user && strlen(user) < 97 ? dh_store_access_add(r->server->store, r->repo.id, user, "accepted", dh_now())
                                        : STORE_NONE;
    if (rc == STORE_EXISTS)
      dh_reply_error(r, 400, NULL, "The user already has access to the repo, or has asked for it");
    else
      reply_done(r, rc, "User not found");
  }
  json_decref(body);
}

void dh_access_handle(struct request *r) {
  json_t *body = dh_body_object(r);
  const char *user = dh_json_text(body, "user", NULL), *id = dh_json_text(body, "requestId", NULL),
             *status = dh_json_text(body, "status", ""), *reason = dh_json_text(body, "rejectionReason", NULL);
  if (body && gated(r)) {
    if (!status_known(status) || (!user && !id)) {
      dh_reply_error(r, 400, NULL, "\"status\" and one of \"user\" and \"requestId\" are required");
    } else {
      reply_done(r, dh_store_access_set(r->server->store, r->repo.id, user, id, status, reason),
                 "Access request not found");
    }
  }
  json_decref(body);
}

void dh_auth_check(struct request *r) {
  dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
}
