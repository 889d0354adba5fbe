/* fault_shape.c - faults that are another answer: status, redirects, changed headers, other bodies, wrong windows.
 * They are made on the reply and go out the ordinary way, on a connection that stays open.
 * Also says which faults need an answer with a body, so that a HEAD or a redirect does not use one up. */
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply_drop(struct request *r) {
  dh_reply_clear(&r->reply);
  dh_body_free(&r->reply.body);
}

static void shape_status(struct request *r, const struct fault *f) {
  reply_drop(r);
  int status = f->status == FAULT_ABSENT ? 503 : (int)f->status;
  dh_reply_error(r, status, f->code[0] ? f->code : NULL, "%s",
                 f->message[0] ? f->message : "This failure was asked for.");
  if (f->retry_after[0]) dh_reply_header(&r->reply, "Retry-After", "%s", f->retry_after);
  if (f->ratelimit[0]) dh_reply_header(&r->reply, "RateLimit", "%s", f->ratelimit);
}

static void shape_etag(struct request *r, const struct fault *f) {
  static const char *const names[] = {"ETag", "X-Linked-ETag"};
  for (size_t i = 0; i < 2; i++) {
    const char *old = dh_reply_find(&r->reply, names[i]);
    char value[1100];
    if (!old || strlen(old) > 1000) continue;
    snprintf(value, sizeof value, "%s", f->value[0] ? f->value : old);
    if (!f->value[0] && value[1]) value[1] = value[1] == '0' ? '1' : '0';
    dh_reply_set(&r->reply, names[i], value);
  }
}

static void shape_redirect(struct request *r, const struct fault *f, const char *location) {
  int status = f->status == FAULT_ABSENT ? 302 : (int)f->status;
  char commit[64] = "";
  const char *old = dh_reply_find(&r->reply, "X-Repo-Commit");
  if (old) dh_copy(commit, sizeof commit, old);
  reply_drop(r);
  r->reply.status = status;
  dh_reply_header(&r->reply, "Location", "%s", location);
  if (commit[0]) dh_reply_header(&r->reply, "X-Repo-Commit", "%s", commit);
}

static void shape_body(struct request *r, struct fault *f) {
  dh_body_free(&r->reply.body);
  dh_reply_set(&r->reply, "Content-Range", NULL);
  dh_reply_set(&r->reply, "Content-Type", f->type[0] ? f->type : "application/json; charset=utf-8");
  r->reply.status = f->status == FAULT_ABSENT ? 200 : (int)f->status;
  size_t size = f->body ? strlen(f->body) : 0;
  r->reply.body = (struct body){.kind = BODY_TEXT, .data = f->body, .fd = -1, .total = size, .length = size};
  f->body = NULL;
}

static void shape_truncate(struct body *b, const struct fault *f) {
  uint64_t keep = b->length / 2;
  if (f->by != FAULT_ABSENT) keep = (uint64_t)f->by < b->length ? b->length - (uint64_t)f->by : 0;
  if (f->after != FAULT_ABSENT) keep = (uint64_t)f->after;
  if (keep < b->length) b->length = keep;
}

static void shape_range(struct request *r, const struct fault *f) {
  struct body *b = &r->reply.body;
  uint64_t by = f->by == FAULT_ABSENT ? 1 : (uint64_t)f->by;
  if (r->reply.status != 206) return;
  if (by <= b->total - b->length - b->first) {
    b->first += by;
  } else {
    b->first -= by < b->first ? by : b->first;
  }
  char range[96];
  snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)b->first,
           (unsigned long long)(b->first + b->length - 1), (unsigned long long)b->total);
  dh_reply_set(&r->reply, "Content-Range", range);
}

static void shape_norange(struct request *r) {
  if (r->reply.status != 206) return;
  r->reply.status = 200;
  dh_reply_set(&r->reply, "Content-Range", NULL);
  r->reply.body.first = 0;
  r->reply.body.length = r->reply.body.total;
}

bool dh_fault_applies(enum fault_kind kind, const struct request *r) {
  switch (kind) {
    case FAULT_RANGE:
    case FAULT_NORANGE:
    case FAULT_RANGE200: return r->reply.status == 206;
    case FAULT_BREAK:
    case FAULT_HOLD: return r->method != METHOD_GET && r->method != METHOD_HEAD;
    case FAULT_CUT:
    case FAULT_STALL:
    case FAULT_SLOW:
    case FAULT_FLIP:
    case FAULT_TRUNCATE:
    case FAULT_EXTRA:
    case FAULT_CHUNKED:
    case FAULT_NOLENGTH:
    case FAULT_GZIP: return r->method != METHOD_HEAD && r->reply.body.length > 0;
    default: return true;
  }
}

bool dh_fault_shape(struct request *r, struct fault *f) {
  switch (f->kind) {
    case FAULT_STATUS: shape_status(r, f); return true;
    case FAULT_ETAG: shape_etag(r, f); return true;
    case FAULT_COMMIT:
      dh_reply_set(&r->reply, "X-Repo-Commit", f->value[0] ? f->value : "0123456789012345678901234567890123456789");
      return true;
    case FAULT_HEADER: dh_reply_set(&r->reply, f->name, f->value[0] ? f->value : NULL); return true;
    case FAULT_LOOP: shape_redirect(r, f, r->target); return true;
    case FAULT_REDIRECT: shape_redirect(r, f, f->location[0] ? f->location : "http://localhost:9/"); return true;
    case FAULT_BODY: shape_body(r, f); return true;
    case FAULT_TRUNCATE: shape_truncate(&r->reply.body, f); return true;
    case FAULT_RANGE: shape_range(r, f); return true;
    case FAULT_NORANGE: shape_norange(r); return true;
    case FAULT_RANGE200: r->reply.status = 200; return true;
    default: return false;
  }
}
