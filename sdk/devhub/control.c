/* control.c - /_devhub/...: what tests and `hf-devhub add|log|fault` use on a running server.
 * Contents come in as blobs (PUT, or a seed and a size), then a commit document names them; faults and the log are read and
 * set. Only programs on this machine get here (route.c refuses browsers). */
#include "body.h"
#include "server.h"
#include <stdlib.h>
#include <string.h>

void dh_control_status(struct request *r) {
  dh_reply_json(r, 200,
                json_pack("{s:s, s:s, s:s}", "service", "hf-devhub", "url", r->server->url[ORIGIN_HUB], "cdn",
                          r->server->url[ORIGIN_CDN]));
}

void dh_control_log(struct request *r) {
  const char *after = dh_request_parameter(r, "after");
  uint64_t number = 0;
  struct text t = {0};
  if (after && !dh_number(after, UINT64_MAX - 1, &number)) {
    dh_reply_error(r, 400, NULL, "\"after\" must be a number");
    return;
  }
  dh_log_write(&r->server->log, number, &t);
  dh_reply_text(r, 200, "application/x-ndjson", &t);
}

void dh_control_reset(struct request *r) {
  dh_log_clear(&r->server->log);
  dh_fault_clear(&r->server->faults);
  dh_reply_json(r, 200, json_pack("{s:b}", "reset", 1));
}

static void reply_blob_row(struct request *r, int rc, const struct blob *b) {
  if (rc == STORE_OK) {
    dh_reply_json(r, 200,
                  json_pack("{s:s, s:s, s:I}", "sha256", b->sha256, "oid", b->oid, "size", (json_int_t)b->size));
  } else {
    dh_reply_error(r, 500, NULL, "The blob could not be stored.");
  }
}

static bool blob_begin(struct request *r) {
  const char *length = dh_request_header(r, "Content-Length");
  uint64_t size;
  if (!length || !dh_number(length, INT64_MAX, &size)) {
    dh_reply_error(r, 411, NULL, "A blob needs a Content-Length.");
    return false;
  }
  r->stream = dh_blob_begin(r->server->store, size);
  if (!r->stream) dh_reply_failed(r, STORE_FAILED);
  return r->stream != NULL;
}

static void blob_data(struct request *r, const char *data, size_t size) {
  dh_blob_data(r->stream, data, size);
}

static void blob_end(struct request *r) {
  dh_blob_abort(r->stream);
}

const struct stream dh_blob_stream = {blob_begin, blob_data, blob_end};

void dh_control_blob(struct request *r) {
  struct blob b;
  int rc = dh_blob_end(r->stream, &b);
  r->stream = NULL;
  reply_blob_row(r, rc, &b);
}

void dh_control_generate(struct request *r) {
  json_t *body = dh_body_object(r);
  if (!body) return;
  const json_t *seed = json_object_get(body, "seed"), *size = json_object_get(body, "size");
  struct blob b;
  if (!json_is_integer(seed) || !json_is_integer(size) || json_integer_value(size) < 0) {
    dh_reply_error(r, 400, NULL, "\"seed\" and \"size\" must be numbers");
  } else {
    int rc =
        dh_blob_generated(r->server->store, (uint64_t)json_integer_value(seed), (uint64_t)json_integer_value(size), &b);
    reply_blob_row(r, rc, &b);
  }
  json_decref(body);
}

void dh_control_commit(struct request *r) {
  json_t *body = dh_body_object(r);
  struct commit c;
  char problem[256];
  if (!body) return;
  int rc = dh_store_commit(r->server->store, body, &c, problem);
  json_decref(body);
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:s}", "commit", c.oid));
  if (rc == STORE_INVALID) dh_reply_error(r, 400, NULL, "%s", problem);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
}

void dh_control_rename(struct request *r) {
  json_t *body = dh_body_object(r);
  if (!body) return;
  const char *from = json_string_value(json_object_get(body, "from")),
             *to = json_string_value(json_object_get(body, "to")),
             *type_name = json_string_value(json_object_get(body, "type"));
  int type = type_name ? dh_repo_type_find(type_name, strlen(type_name)) : REPO_MODEL, rc = STORE_INVALID;
  if (from && to && type >= 0 && dh_repo_name_valid(from) && dh_repo_name_valid(to))
    rc = dh_store_rename(r->server->store, (enum repo_type)type, from, to);
  if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:s}", "renamed", to));
  if (rc == STORE_NONE) dh_reply_error(r, 404, NULL, "There is no repo %.200s", from);
  if (rc == STORE_INVALID)
    dh_reply_error(r, 400, NULL, "A rename needs \"from\", a free \"to\" and perhaps a \"type\"");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  json_decref(body);
}

/* A list replaces the rules, a single rule is added to them; with a bad one among them nothing changes. */
static void faults_set(struct request *r) {
  json_t *body = json_loadb(r->body.data ? r->body.data : "", r->body.size, JSON_REJECT_DUPLICATES, NULL);
  char problem[256] = "the body must be a rule, or a list of rules not longer than the server holds";
  bool one = json_is_object(body), ok = one || (json_is_array(body) && json_array_size(body) <= RULES_MAX);
  size_t count = one ? 1 : ok ? json_array_size(body) : 0, read = 0;
  struct fault *rules = calloc(count + 1, sizeof *rules);
  ok = ok && rules;
  while (ok && read < count) {
    ok = dh_fault_json(&rules[read], one ? body : json_array_get(body, read), problem);
    if (ok) read++;
  }
  json_decref(body);
  if (ok && !one) dh_fault_clear(&r->server->faults);
  for (size_t i = 0; i < read; i++) {
    if (ok) ok = dh_fault_add(&r->server->faults, &rules[i]);
    if (!ok) dh_fault_free(&rules[i]);
  }
  free(rules);
  if (ok) dh_reply_json(r, 200, dh_fault_list(&r->server->faults));
  if (!ok) dh_reply_error(r, 400, NULL, "Bad fault: %s", problem);
}

void dh_control_faults(struct request *r) {
  if (r->method == METHOD_DELETE) dh_fault_clear(&r->server->faults);
  if (r->method == METHOD_POST) {
    faults_set(r);
  } else {
    dh_reply_json(r, 200, dh_fault_list(&r->server->faults));
  }
}
