/* example.c - a transfer adapter that downloads each file in one stream.
 * It asks the sink what is missing and lets the host fetch exactly that: so it resumes without knowing what resuming is.
 * Credentials, retries, redirects, checks of the answer, digests and the journal are the host's. */
#include <hf/transfer.h>

static const struct hf_host *H; /* set by load(), const for the life of the process */

/* How well a batch suits: 0 cannot, 100 ordinary, more is better. No I/O here. */
static int32_t score(hf_call *c, const struct hf_tr_batch *batch) {
  (void)c;
  return batch->direction == HF_TR_DOWNLOAD ? 20 : 0; /* the shipped adapters bid more; --transfer example overrules */
}

/* One session per batch. The batch outlives the session, and this adapter needs nothing else. */
static hf_status open_session(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  if (batch->direction != HF_TR_DOWNLOAD) return H->failf(c, HF_ENOSYS, "The adapter example downloads only");
  *session = (void *)(uintptr_t)batch;
  return HF_OK;
}

static hf_status fetch(hf_call *c, const struct hf_tr_file *f, const char *url, struct hf_range r) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {
      .struct_size = sizeof ask,
      .url = url,
      .dst = f->sink,
      .dst_off = r.off,
      .dst_len = r.len,
      .flags = HF_HTTP_WHOLE_OK, /* a server without ranges sends all: the host drops what we have */
      .max_redirects = 10};
  return H->http(c, &ask, &answer);
}

/* An address that was refused may have expired: the batch can have a fresh one. */
static int refused(hf_call *c) {
  const struct hf_error *e = H->error(c);
  return e && (e->http_status == 401 || e->http_status == 403 || e->http_status == 410);
}

static hf_status run(hf_call *c, void *session, struct hf_tr_file *f) {
  const struct hf_tr_batch *batch = session;
  const char *url = f->url;
  int renewed = 0;
  uint64_t before = HF_SIZE_UNKNOWN;
  for (;;) {
    struct hf_range r;
    uint32_t n = 1;
    hf_status st = f->sink->missing(c, f->sink, &r, &n);
    if (st == HF_OK) st = H->check(c); /* cancelled, or out of time? */
    if (st != HF_OK || n == 0) return st;
    if (r.off == before && r.len != HF_SIZE_UNKNOWN)
      return H->failf(c, HF_EPROTO, "%s: the server answers without sending the bytes that are missing", f->path);
    before = r.off;
    st = fetch(c, f, url, r);
    if (st == HF_OK && r.len == HF_SIZE_UNKNOWN) { /* nobody knew the size: now it is what arrived */
      n = 1;
      st = f->sink->missing(c, f->sink, &r, &n);
      if (st == HF_OK && n && r.len == HF_SIZE_UNKNOWN) st = f->sink->set_size(c, f->sink, r.off);
    }
    if (st == HF_OK) continue;
    if (renewed || !batch->refresh || !refused(c)) return st;
    H->clear(c);
    st = batch->refresh(c, batch, f, &url);
    if (st != HF_OK) return st;
    renewed = 1;
    before = HF_SIZE_UNKNOWN;
  }
}

static hf_status finish(hf_call *c, void *session) {
  (void)c, (void)session;
  return HF_OK;
}

static void close_session(void *session) {
  (void)session;
}

#define CAPS (HF_TR_DOWNLOAD | HF_TR_RESUME)

static const struct hf_transfer adapter = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "example", "one stream per file", HF_THREADS_ANY, 5, CAPS),
    .score = score,
    .open = open_session,
    .run = run,
    .finish = finish,
    .close = close_session,
};

static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&adapter.m};
HF_PLUGIN("example", "0.1.0", "Apache-2.0", "Downloads each file in one stream", load, NULL, modules,
          {HF_KIND_TRANSFER, 5, CAPS, "example", ""});
