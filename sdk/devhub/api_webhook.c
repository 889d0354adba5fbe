/* api_webhook.c - webhooks of the signed-in user: made, listed, changed, switched on and off, deleted.
 * They are kept and shown; this Hub calls nobody.
 * Each is its owner's alone. */
#include "body.h"
#include "server.h"
#include <string.h>

static const char *const members[] = {"watched", "url", "domains", "secret"};

static void missing(struct request *r) {
  dh_reply_error(r, 404, NULL, "Webhook not found");
}

/* Takes over what the body has; false: the reply says what is wrong. */
static bool members_set(struct request *r, json_t *hook, const json_t *body) {
  for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
    json_t *value = json_object_get(body, members[i]);
    if (value) json_object_set(hook, members[i], value);
  }
  const char *job = dh_json_text(body, "jobSourceId", NULL);
  if (job) json_object_set_new(hook, "job", json_pack("{s:s}", "id", job));
  bool target = json_is_string(json_object_get(hook, "url")) || json_is_object(json_object_get(hook, "job"));
  if (json_array_size(json_object_get(hook, "watched")) && target) return true;
  dh_reply_error(r, 400, NULL, "A webhook needs what it watches, and a url or a job");
  return false;
}

static void reply_hook(struct request *r, int rc, json_t *hook) {
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:O}", "webhook", hook));
  if (rc == STORE_NONE) missing(r);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
}

static int save(struct request *r, const json_t *hook) {
  return dh_document_set(r->server->store, DOCUMENT_WEBHOOK, dh_json_text(hook, "id", ""), dh_request_user(r), hook);
}

void dh_webhooks(struct request *r) {
  json_t *all = dh_documents(r->server->store, DOCUMENT_WEBHOOK, dh_request_user(r));
  if (all) dh_reply_json(r, 200, all);
  if (!all) dh_reply_failed(r, STORE_FAILED);
}

void dh_webhook_make(struct request *r) {
  json_t *body = dh_body_object(r);
  unsigned char raw[12];
  char id[25];
  if (!body) return;
  if (!dh_random(raw, sizeof raw)) {
    dh_reply_failed(r, STORE_FAILED);
  } else {
    dh_hex(id, raw, sizeof raw);
    json_t *hook = json_pack("{s:s, s:n, s:n, s:[], s:[], s:n, s:b}", "id", id, "url", "job", "watched", "domains",
                             "secret", "disabled", 0);
    if (hook && members_set(r, hook, body)) reply_hook(r, save(r, hook), hook);
    json_decref(hook);
  }
  json_decref(body);
}

/* The user's own webhook of the path; a reply is made where there is none. */
static json_t *hook_find(struct request *r) {
  json_t *all = dh_documents(r->server->store, DOCUMENT_WEBHOOK, dh_request_user(r)), *hook, *found = NULL;
  size_t i;
  json_array_foreach(all, i, hook) if (strcmp(dh_json_text(hook, "id", ""), r->name) == 0) found = json_incref(hook);
  if (!found) reply_hook(r, all ? STORE_NONE : STORE_FAILED, NULL);
  json_decref(all);
  return found;
}

void dh_webhook(struct request *r) {
  json_t *hook = hook_find(r);
  int rc = STORE_OK;
  if (!hook) return;
  if (r->method == METHOD_DELETE) rc = dh_document_drop(r->server->store, DOCUMENT_WEBHOOK, r->name);
  if (r->method == METHOD_POST) {
    json_t *body = dh_body_object(r);
    if (body && members_set(r, hook, body)) rc = save(r, hook);
    json_decref(body);
  }
  if (!r->reply.status) reply_hook(r, rc, hook);
  json_decref(hook);
}

static void switched(struct request *r, bool disabled) {
  json_t *hook = hook_find(r);
  if (!hook) return;
  json_object_set_new(hook, "disabled", json_boolean(disabled));
  reply_hook(r, save(r, hook), hook);
  json_decref(hook);
}

void dh_webhook_enable(struct request *r) {
  switched(r, false);
}

void dh_webhook_disable(struct request *r) {
  switched(r, true);
}
