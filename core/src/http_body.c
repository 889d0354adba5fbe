/* http_body.c - where an answer's body goes: memory (bounded), a callback, or a range of a sink. Before the first byte of a
 * file is taken, status, Content-Range and lengths must say that it is that byte of that file; afterwards not one byte
 * more or less than announced is accepted. What arrived stays, and the next attempt asks for the rest. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "http.h"

static hf_status fail(struct http *h, hf_status code, bool again, const char *fmt, ...) HF_PRINTF(4, 5);
static hf_status fail(struct http *h, hf_status code, bool again, const char *fmt, ...) {
  char text[700], url[300];
  va_list args;
  snprintf(url, sizeof(url), "%.299s", h->url);
  hf_text_redact(url);
  int n = snprintf(text, sizeof(text), "%s %s: ", h->method, url);
  va_start(args, fmt);
  vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, args);
  va_end(args);
  return hf_call_fail(h->call, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                                  .code = code,
                                                  .cls = "RemoteProtocolError",
                                                  .http_status = h->head.status,
                                                  .retryable = again,
                                                  .url = h->url,
                                                  .message = text});
}

/* ---- what to ask for ---------------------------------------------------------------------------------------------- */

hf_status http_range_begin(struct http *h) {
  const struct hf_http_req *req = &h->req;
  uint64_t size = req->dst->size;
  h->begin = req->dst_off;
  h->end = req->dst_len == HF_SIZE_UNKNOWN ? size : req->dst_off + req->dst_len;
  if (h->end < h->begin || (size != HF_SIZE_UNKNOWN && h->end > size))
    return hf_call_failf(h->call, HF_EINVAL, "The wanted range is not inside the file; ask for bytes that it has.");
  h->whole = h->begin == 0 && h->end == size;
  h->to_end = h->end == size;
  return HF_OK;
}

void http_range_next(struct http *h) {
  unsigned long long from = h->begin + h->got, last = h->end - 1;
  h->ranged = !h->whole || h->got > 0;
  h->range[0] = '\0';
  if (h->ranged && h->to_end)
    snprintf(h->range, sizeof(h->range), "bytes=%llu-", from);
  else if (h->ranged)
    snprintf(h->range, sizeof(h->range), "bytes=%llu-%llu", from, last);
}

/* ---- what the answer says it is ----------------------------------------------------------------------------------- */

static hf_status learn_size(struct http *h, uint64_t size) {
  if (h->req.dst->size == size) return HF_OK;
  return h->req.dst->set_size(h->call, h->req.dst, size);
}

/* "bytes 0-9/100", "bytes 0-9/ *" */
static bool parse_content_range(const char *text, uint64_t *first, uint64_t *last, uint64_t *total) {
  char *end;
  if (strncasecmp(text, "bytes ", 6) != 0) return false;
  text += 6 + strspn(text + 6, " ");
  if (*text < '0' || *text > '9') return false;
  *first = strtoull(text, &end, 10);
  if (*end != '-' || end[1] < '0' || end[1] > '9') return false;
  *last = strtoull(end + 1, &end, 10);
  if (*end != '/' || *last < *first || *last > (uint64_t)INT64_MAX) return false;
  if (strcmp(end + 1, "*") == 0) {
    *total = HF_SIZE_UNKNOWN;
    return true;
  }
  return http_number(end + 1, total) && *last < *total;
}

static bool announced_length(const struct http *h, uint64_t *len) {
  return http_header(&h->head, "transfer-encoding") == NULL &&
         http_number(http_header(&h->head, "content-length"), len);
}

static hf_status plan_part(struct http *h, const char *content_range) {
  uint64_t first, last, total, length, from = h->begin + h->got;
  if (!parse_content_range(content_range, &first, &last, &total))
    return fail(h, HF_EPROTO, false, "the answer's Content-Range cannot be read");
  if (first != from)
    return fail(h, HF_EPROTO, false, "byte %llu was asked for and byte %llu was sent", (unsigned long long)from,
                (unsigned long long)first);
  bool known = h->req.dst->size != HF_SIZE_UNKNOWN;
  if (total != HF_SIZE_UNKNOWN) TRY(learn_size(h, total));
  uint64_t end = h->end;
  if (total != HF_SIZE_UNKNOWN && end > total) end = total;
  bool shorter = !known && total == HF_SIZE_UNKNOWN && last + 1 < end;
  if (end != HF_SIZE_UNKNOWN && last + 1 != end && !shorter)
    return fail(h, HF_EPROTO, false, "bytes up to %llu were asked for and bytes up to %llu were sent",
                (unsigned long long)end, (unsigned long long)last + 1);
  if (announced_length(h, &length) && length != last - first + 1)
    return fail(h, HF_EPROTO, false, "Content-Length and Content-Range contradict each other");
  h->end = last + 1;
  h->expect = h->end - from;
  return HF_OK;
}

static hf_status plan_whole(struct http *h) {
  uint64_t from = h->begin + h->got, total;
  if (h->ranged && (h->req.flags & HF_HTTP_BARE_PART) && announced_length(h, &total) && h->end != HF_SIZE_UNKNOWN &&
      total == h->end - from) {
    h->expect = total;
    return HF_OK;
  }
  if (h->head.status == 206) return fail(h, HF_EPROTO, false, "a part was sent without Content-Range");
  if (h->ranged && !h->whole && !(h->req.flags & HF_HTTP_WHOLE_OK))
    return fail(h, HF_EPROTO, false, "a range was asked for and the whole file was sent");
  if (announced_length(h, &total))
    TRY(learn_size(h, total));
  else
    total = h->req.dst->size;
  if (total != HF_SIZE_UNKNOWN && h->end > total) h->end = total;
  if (h->end < from) return fail(h, HF_EPROTO, false, "the file ends before the wanted range");
  h->skip = h->ranged ? from : 0;
  h->expect = h->end != HF_SIZE_UNKNOWN ? h->end - from : HF_SIZE_UNKNOWN;
  h->stop_at_end = h->end != total;
  return HF_OK;
}

/* Between attempts the file behind the URL must not have changed. */
static hf_status compare_etag(struct http *h) {
  const char *etag = http_header(&h->head, "etag");
  if (h->got > 0 && etag != NULL && h->etag[0] != '\0' && strncmp(etag, h->etag, sizeof(h->etag) - 1) != 0)
    return fail(h, HF_ECONFLICT, false, "the file changed while it was being received");
  if (etag != NULL) snprintf(h->etag, sizeof(h->etag), "%s", etag);
  return HF_OK;
}

static hf_status plan_sink(struct http *h) {
  const char *type = http_header(&h->head, "content-type"), *range = http_header(&h->head, "content-range");
  uint32_t status = h->head.status;
  h->skip = 0;
  h->stop_at_end = false;
  if (status != 200 && status != 203 && status != 206)
    return fail(h, HF_EPROTO, false, "status %u was sent instead of a file", (unsigned)status);
  if (type != NULL && strncasecmp(type, "multipart/byteranges", 20) == 0)
    return fail(h, HF_EPROTO, false, "several parts were sent and one was asked for");
  TRY(compare_etag(h));
  return range != NULL ? plan_part(h, range) : plan_whole(h);
}

hf_status http_body_plan(struct http *h, bool redirects) {
  uint32_t status = h->head.status;
  bool success = status >= 200 && status < 300;
  uint64_t length;
  h->memory_len = 0;
  h->cut = false;
  h->place = BODY_DROP;
  if (redirects || strcmp(h->method, "HEAD") == 0) return HF_OK;
  if (success && h->req.dst != NULL) {
    h->place = BODY_SINK;
    return plan_sink(h);
  }
  bool wants_hop = h->req.max_redirects == 0 && http_header(&h->head, "location") != NULL;
  if (h->req.dst != NULL && status < 400 && !wants_hop)
    return fail(h, HF_EPROTO, false, "status %u was sent instead of a file", (unsigned)status);
  if (success && h->req.on_data != NULL) {
    h->place = BODY_FN;
    return HF_OK;
  }
  h->place = BODY_MEMORY;
  h->memory_max = h->req.max_body != 0 ? h->req.max_body : HTTP_BODY_MAX;
  if (!success && h->memory_max > HTTP_ERROR_BODY_MAX) h->memory_max = HTTP_ERROR_BODY_MAX;
  if (success && announced_length(h, &length) && length > h->memory_max)
    return fail(h, HF_EPROTO, false, "the answer has %llu bytes, more than the %llu allowed",
                (unsigned long long)length, (unsigned long long)h->memory_max);
  return HF_OK;
}

/* ---- the bytes ---------------------------------------------------------------------------------------------------- */

static hf_status add_sink(struct http *h, const char *data, size_t len) {
  size_t drop = h->skip < len ? (size_t)h->skip : len;
  h->skip -= drop;
  data += drop;
  len -= drop;
  if (len > h->expect) {
    if (!h->stop_at_end) return fail(h, HF_EPROTO, false, "more bytes were sent than announced");
    len = (size_t)h->expect;
  }
  if (h->expect == HF_SIZE_UNKNOWN && h->begin + h->got + len > HTTP_ENDLESS_MAX)
    return fail(h, HF_EPROTO, false, "a file of unknown length grew beyond what is accepted");
  if (len > 0) {
    struct hf_iov iov = {data, len};
    TRY(h->req.dst->writev(h->call, h->req.dst, h->begin + h->got, &iov, 1));
    h->got += len;
    if (h->expect != HF_SIZE_UNKNOWN) h->expect -= len;
  }
  return h->stop_at_end && h->expect == 0 ? HF_PENDING : HF_OK;
}

static hf_status add_memory(struct http *h, const char *data, size_t len) {
  bool success = h->head.status >= 200 && h->head.status < 300;
  if (len > h->memory_max - h->memory_len) {
    if (success) return fail(h, HF_EPROTO, false, "the answer is larger than allowed");
    len = (size_t)h->memory_max - h->memory_len;
    h->cut = true;
  }
  if (h->memory_len + len + 1 > h->memory_cap) {
    size_t cap = h->memory_cap * 2 > h->memory_len + len + 1 ? h->memory_cap * 2 : h->memory_len + len + 1;
    char *more = hf_mem_resize(h->memory, cap);
    if (more == NULL) return hf_call_failf(h->call, HF_ENOMEM, "Out of memory for an answer; close other programs.");
    h->memory = more;
    h->memory_cap = cap;
  }
  memcpy(h->memory + h->memory_len, data, len);
  h->memory_len += len;
  return h->cut ? HF_PENDING : HF_OK;
}

hf_status http_body_add(struct http *h, const void *data, size_t len) {
  switch (h->place) {
    case BODY_SINK: return add_sink(h, data, len);
    case BODY_MEMORY: return add_memory(h, data, len);
    case BODY_FN: h->delivered = true; return h->req.on_data(h->call, h->req.on_data_arg, data, len);
    case BODY_DROP: break;
  }
  h->dropped += len;
  return h->dropped > HTTP_DROP_MAX ? HF_PENDING : HF_OK;
}

hf_status http_body_end(struct http *h) {
  if (h->place != BODY_SINK) return HF_OK;
  if (h->expect == HF_SIZE_UNKNOWN) return learn_size(h, h->begin + h->got);
  if (h->skip == 0 && h->expect == 0) return HF_OK;
  return fail(h, HF_ENET, true, "the connection ended before the whole answer was there");
}
