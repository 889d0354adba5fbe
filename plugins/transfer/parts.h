/* parts.h - what basic.c and multipart.c share: when an address is worth renewing, and the parts of an upload, sent one after
 * the other or several at once: a PUT for each, the name that the server gives it, the request that makes a file of them.
 * Parts that the server has already are not sent. Included by one source file per adapter, behind its own H. */
#ifndef HF_PARTS_H
#define HF_PARTS_H
#include <hf/plugin.h>
#include <hf/transfer.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PARTS_MOST 100000u /* S3 allows 10,000 */

struct push { /* one file on its way */
  const struct hf_tr_batch *batch;
  struct hf_tr_file *file;
  const char **etags;
};

/* Worth another address: a 401 or 403 of a storage host, where signed addresses expire. What the Hub itself refuses, and a
 * gated or missing repo, stays so. */
static inline bool refused(hf_call *c, const struct hf_tr_batch *batch) {
  const struct hf_error *e = H->error(c);
  if (!e || e->code != HF_EAUTH || (e->http_status != 401 && e->http_status != 403)) return false;
  size_t n = batch->endpoint ? strlen(batch->endpoint) : 0;
  return !n || !e->url || strncmp(e->url, batch->endpoint, n) != 0 || e->url[n] != '/';
}

static inline struct hf_tr_part push_part(const struct push *p, uint32_t i) {
  return *(const struct hf_tr_part *)(const void *)((const char *)p->file->parts.rows +
                                                    (size_t)i * p->file->parts.stride);
}

static hf_status push_begin(hf_call *c, struct push *p) {
  const struct hf_tr_file *f = p->file;
  uint64_t at = 0;
  for (uint32_t i = 0; i < f->parts.count && f->parts.count <= PARTS_MOST; i++) {
    struct hf_tr_part part = push_part(p, i);
    if (part.off != at || part.len > f->size - at || !part.url) break;
    at += part.len;
  }
  if (at != f->size || !f->complete_url)
    return H->failf(c, HF_EPROTO, "the server asked for parts that do not make up %s", f->path);
  p->etags = H->arena(c, f->parts.count * sizeof *p->etags);
  if (!p->etags) return H->failf(c, HF_ENOMEM, "out of memory for the parts of %s", f->path);
  for (uint32_t i = 0; f->part_etags && i < f->parts.count; i++) p->etags[i] = f->part_etags[i];
  return HF_OK;
}

static const char *etag_of(const struct hf_http_resp *r) {
  for (uint32_t i = 0; i < r->headers.count; i++) {
    const struct hf_kv *row =
        (const struct hf_kv *)(const void *)((const char *)r->headers.rows + (size_t)i * r->headers.stride);
    if (strcmp(row->key, "etag") == 0 && *row->value) return row->value;
  }
  return NULL;
}

/* From the file's source, or one that the adapter has put before it. */
static hf_status push_one(hf_call *c, struct push *p, uint32_t i, struct hf_source *from) {
  struct hf_tr_file *f = p->file;
  struct hf_tr_part part = push_part(p, i);
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_BARE,
                            .method = "PUT",
                            .url = part.url,
                            .headers = f->headers,
                            .body_src = from,
                            .body_off = part.off,
                            .body_src_len = part.len};
  if (p->etags[i]) return HF_OK;
  hf_status st = H->http(c, &req, &resp);
  if (st != HF_OK) return st;
  p->etags[i] = etag_of(&resp);
  if (!p->etags[i]) return H->failf(c, HF_EPROTO, "the server took part %u of %s without naming it", i + 1, f->path);
  return p->batch->part_done ? p->batch->part_done(c, p->batch, f, i, p->etags[i]) : HF_OK;
}

/* {"oid":"..","parts":[{"partNumber":1,"etag":".."},..]}; 0: an etag that cannot be told. */
static size_t push_list(const struct push *p, char *out, size_t room) {
  static const char hex[] = "0123456789abcdef";
  const struct hf_digest *d = &p->file->digest;
  size_t n = (size_t)snprintf(out, room, "{\"oid\":\"");
  for (uint32_t i = 0; i < d->len; i++) {
    out[n++] = hex[d->bytes[i] >> 4];
    out[n++] = hex[d->bytes[i] & 15];
  }
  n += (size_t)snprintf(out + n, room - n, "\",\"parts\":[");
  for (uint32_t i = 0; i < p->file->parts.count; i++) {
    n += (size_t)snprintf(out + n, room - n, "%s{\"partNumber\":%u,\"etag\":\"", i ? "," : "", i + 1);
    for (const char *e = p->etags[i]; *e; e++) {
      if ((unsigned char)*e < 0x20) return 0;
      if (*e == '"' || *e == '\\') out[n++] = '\\';
      out[n++] = *e;
    }
    n += (size_t)snprintf(out + n, room - n, "\"}");
  }
  return n + (size_t)snprintf(out + n, room - n, "]}");
}

static hf_status push_end(hf_call *c, struct push *p) {
  static const struct hf_kv headers[] = {{"accept", "application/vnd.git-lfs+json"},
                                         {"content-type", "application/vnd.git-lfs+json"}};
  size_t room = 256;
  for (uint32_t i = 0; i < p->file->parts.count; i++) room += 64 + 2 * strlen(p->etags[i]);
  char *body = H->alloc(room);
  if (!body) return H->failf(c, HF_ENOMEM, "out of memory for the parts of %s", p->file->path);
  size_t len = push_list(p, body, room);
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_BARE | HF_HTTP_IDEMPOTENT,
                            .method = "POST",
                            .url = p->file->complete_url,
                            .headers = HF_TABLE(headers),
                            .body = body,
                            .body_len = len};
  hf_status st = len ? H->http(c, &req, NULL)
                     : H->failf(c, HF_EPROTO, "the server named a part of %s with control characters", p->file->path);
  H->release(body);
  return st;
}

/* The whole file in one request. */
static hf_status push_whole(hf_call *c, struct hf_tr_file *f) {
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_BARE,
                            .method = "PUT",
                            .url = f->url,
                            .headers = f->headers,
                            .body_src = f->source,
                            .body_src_len = f->source->size};
  return H->http(c, &req, NULL);
}
#endif
