/* upload.c - the storage side of an upload: PUT of an object, PUT of a part, and the completion of the parts.
 * Bodies go to the store as they come. Nobody signs in here, the signature of the URL is the permission; errors are XML, as
 * those of an object storage. What was stored is named by its hash, so doing anything twice is harmless. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <string.h>

static bool length_read(struct request *r, uint64_t *size) {
  const char *length = dh_request_header(r, "Content-Length");
  if (length && dh_number(length, INT64_MAX, size)) return true;
  dh_storage_error(r, 411, "MissingContentLength", "You must provide the Content-Length HTTP header.");
  return false;
}

static bool object_begin(struct request *r) {
  const char *announced = dh_request_parameter(r, "size");
  uint64_t size, expected;
  if (!dh_signed(r) || !length_read(r, &size)) return false;
  if (!announced || !dh_number(announced, INT64_MAX, &expected) || size != expected) {
    dh_storage_error(r, 400, "IncompleteBody", "The body has not the size that was announced for this object.");
    return false;
  }
  r->stream = dh_blob_begin_object(r->server->store, size);
  if (!r->stream) dh_storage_error(r, 500, "InternalError", "We encountered an internal error. Please try again.");
  return r->stream != NULL;
}

static void object_data(struct request *r, const char *data, size_t size) {
  dh_blob_data(r->stream, data, size);
}

static void object_end(struct request *r) {
  dh_blob_abort(r->stream);
}

const struct stream dh_object_stream = {object_begin, object_data, object_end};

static bool part_begin(struct request *r) {
  struct upload u;
  uint64_t size, number = 0;
  if (!dh_signed(r) || !length_read(r, &size)) return false;
  if (dh_upload_find(r->server->store, r->name, &u) != STORE_OK) {
    dh_storage_error(r, 404, "NoSuchUpload", "The specified upload does not exist. It may have been completed.");
    return false;
  }
  if (dh_number(r->file, INT64_MAX, &number)) r->stream = dh_part_begin(r->server->store, &u, (int64_t)number, size);
  if (!r->stream) dh_storage_error(r, 400, "EntityTooSmall", "The body has not the size of this part.");
  return r->stream != NULL;
}

static void part_data(struct request *r, const char *data, size_t size) {
  dh_part_data(r->stream, data, size);
}

static void part_end(struct request *r) {
  dh_part_abort(r->stream);
}

const struct stream dh_part_stream = {part_begin, part_data, part_end};

void dh_upload_put(struct request *r) {
  uint64_t repo;
  char etag[65] = "";
  bool part = r->route->stream == &dh_part_stream;
  int rc = STORE_INVALID;
  if (part) {
    rc = dh_part_end(r->stream, etag);
  } else if (dh_number(r->name, INT64_MAX, &repo)) {
    rc = dh_blob_end_object(r->stream, r->file, (int64_t)repo);
    dh_copy(etag, sizeof etag, r->file);
  } else {
    dh_blob_abort(r->stream);
  }
  r->stream = NULL;
  if (rc == STORE_INVALID) {
    dh_storage_error(r, 400, "BadDigest", "The content you sent is not the one its oid and size name.");
  } else if (rc != STORE_OK) {
    dh_storage_error(r, 500, "InternalError", "We encountered an internal error. Please try again.");
  } else {
    r->reply.status = 200;
    dh_reply_header(&r->reply, "ETag", "\"%s\"", etag);
  }
}

/* The answer to an earlier completion may have been lost. */
static bool completed_before(struct request *r, const char *oid) {
  const char *text = dh_request_parameter(r, "repo");
  uint64_t repo;
  return text && dh_number(text, INT64_MAX, &repo) && dh_store_object(r->server->store, (int64_t)repo, oid) == STORE_OK;
}

void dh_upload_complete(struct request *r) {
  const char *id = dh_request_parameter(r, "uploadId");
  struct upload u;
  char problem[256];
  if (!dh_signed(r)) return;
  json_t *body = dh_body_object(r);
  if (!body) return;
  const char *oid = dh_json_text(body, "oid", "");
  int rc = id ? dh_upload_find(r->server->store, id, &u) : STORE_NONE;
  if (rc == STORE_OK && strcmp(oid, u.sha256) != 0) {
    dh_reply_error(r, 400, NULL, "This upload is for another oid.");
  } else if (rc == STORE_OK) {
    rc = dh_upload_finish(r->server->store, &u, json_object_get(body, "parts"), problem);
    if (rc == STORE_OK) dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
    if (rc == STORE_INVALID) dh_reply_error(r, 400, NULL, "%s", problem);
  }
  if (rc == STORE_NONE && completed_before(r, oid)) {
    rc = STORE_OK;
    dh_reply_json(r, 200, json_pack("{s:b}", "success", 1));
  }
  if (rc == STORE_NONE)
    dh_reply_error(r, 404, NULL, "The specified upload does not exist. It may have been completed.");
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  json_decref(body);
}
