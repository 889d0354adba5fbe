/* basic.c - the adapter that always works: one stream per file. A download asks the sink what is missing and fetches each
 * such range, so an interrupted file goes on where it stopped; a fresh one is one request without Range. An upload is one PUT,
 * or one for each part where the server asks for parts. Retries, credentials and verification are the host's. */
#include <hf/plugin.h>
#include <hf/transfer.h>

static const struct hf_host *H;
#include "parts.h"

enum { REDIRECTS = 10, SCORE = 50 };

static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  return HF_OK;
}

static int32_t basic_score(hf_call *c, const struct hf_tr_batch *batch) {
  (void)c;
  (void)batch;
  return SCORE;
}

static hf_status basic_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  (void)c;
  *session = (void *)(uintptr_t)batch; /* the batch outlives the session; nothing else is needed */
  return HF_OK;
}

static hf_status download(hf_call *c, const struct hf_tr_batch *batch, struct hf_tr_file *file) {
  struct hf_sink *sink = file->sink;
  const char *url = file->url;
  int fresh = 0, whole_only = 0;
  uint64_t before = HF_SIZE_UNKNOWN;
  for (;;) {
    struct hf_range r;
    uint32_t n = 1;
    hf_status st = sink->missing(c, sink, &r, &n);
    if (st != HF_OK || n == 0) return st;
    if (r.off == before && r.len != HF_SIZE_UNKNOWN)
      return H->failf(c, HF_EPROTO, "%s does not arrive: the server answers without sending it", file->path);
    if (whole_only && r.len != HF_SIZE_UNKNOWN) r.len = sink->size - r.off;
    struct hf_http_resp resp = {.struct_size = sizeof resp};
    struct hf_http_req req = {.struct_size = sizeof req,
                              .flags = HF_HTTP_WHOLE_OK,
                              .url = url,
                              .dst = sink,
                              .dst_off = r.off,
                              .dst_len = r.len,
                              .max_redirects = REDIRECTS};
    st = H->http(c, &req, &resp);
    if (st == HF_OK) {
      whole_only = resp.status == 200;
      before = r.off;
      if (r.len != HF_SIZE_UNKNOWN) continue;
      n = 1;
      st = sink->missing(c, sink, &r, &n);
      return st != HF_OK || n == 0 || r.len != HF_SIZE_UNKNOWN ? st : sink->set_size(c, sink, r.off);
    }
    if (fresh || !batch->refresh || !refused(c, batch)) return st;
    H->clear(c);
    st = batch->refresh(c, batch, file, &url);
    if (st != HF_OK) return st;
    fresh = 1;
  }
}

static hf_status upload(hf_call *c, const struct hf_tr_batch *batch, struct hf_tr_file *file) {
  struct push p = {.batch = batch, .file = file};
  if (!file->parts.count) return push_whole(c, file);
  hf_status st = push_begin(c, &p);
  for (uint32_t i = 0; i < file->parts.count && st == HF_OK; i++) st = push_one(c, &p, i, file->source);
  return st == HF_OK ? push_end(c, &p) : st;
}

static hf_status basic_run(hf_call *c, void *session, struct hf_tr_file *file) {
  const struct hf_tr_batch *batch = session;
  if (!file->url && !file->parts.count) return H->failf(c, HF_EINVAL, "%s has no address", file->path);
  if (batch->direction == HF_TR_DOWNLOAD && file->sink) return download(c, batch, file);
  if (batch->direction == HF_TR_UPLOAD && file->source) return upload(c, batch, file);
  return H->failf(c, HF_EINVAL, "%s has neither sink nor source", file->path);
}

static hf_status basic_finish(hf_call *c, void *session) {
  (void)c;
  (void)session;
  return HF_OK;
}

static void basic_close(void *session) {
  (void)session;
}

static const struct hf_transfer basic = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "basic", "one stream per file, resumes", HF_THREADS_ANY, 10,
                   HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RESUME),
    .score = basic_score,
    .open = basic_open,
    .run = basic_run,
    .finish = basic_finish,
    .close = basic_close};

static const struct hf_module *const modules[] = {&basic.m};
HF_PLUGIN("basic", "0.1.0", "Apache-2.0", "transfer adapter: one stream per file", load, NULL, modules,
          {HF_KIND_TRANSFER, 10, HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RESUME, "basic", ""});
