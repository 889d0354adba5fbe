/* mutant_transfer.c - the basic adapter with one mistake, chosen when it is loaded: HF_MUTANT names the rule that must find it,
 * without it every rule holds. A row puts a function in the place of run(), or edits the requests that the adapter makes.
 * The adapter itself is linked in; it is called through B, and its session is its batch. */
#include <hf/transfer.h>

#include <setjmp.h>

#include "meddle.h"

extern const struct hf_plugin hf_plugin_v1_base;
#define B ((const struct hf_transfer *)(const void *)hf_plugin_v1_base.modules[0])

static const struct hf_host *H;

/* ---- mistakes of run() ---- */

static hf_status damages(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  struct hf_iov v = {"?", 1};
  f->sink->writev(c, f->sink, 0, &v, 1);
  return st;
}
/* What does not come is zeros. */
static hf_status pads(hf_call *c, void *s, struct hf_tr_file *f) {
  static const char zeros[4096];
  if (B->run(c, s, f) == HF_OK) return HF_OK;
  H->clear(c);
  for (;;) {
    struct hf_range r;
    uint32_t n = 1;
    f->sink->missing(c, f->sink, &r, &n);
    if (!n) return HF_OK;
    struct hf_iov v = {zeros, r.len < sizeof zeros ? (size_t)r.len : sizeof zeros};
    f->sink->writev(c, f->sink, r.off, &v, 1);
  }
}
static hf_status asks_for_all_first(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .url = f->url};
  H->http(c, &ask, &answer);
  return B->run(c, s, f);
}
static hf_status one_piece_at_a_time(hf_call *c, void *s, struct hf_tr_file *f) {
  for (uint64_t off = 0; off < 600 * 1024 && off + 1024 <= f->size; off += 1024) {
    struct hf_http_resp answer = {.struct_size = sizeof answer};
    struct hf_http_req ask = {
        .struct_size = sizeof ask, .url = f->url, .dst = f->sink, .dst_off = off, .dst_len = 1024};
    hf_status st = H->http(c, &ask, &answer);
    if (st != HF_OK) return st;
  }
  return B->run(c, s, f);
}
static hf_status by_memory(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .url = f->url};
  (void)s;
  hf_status st = H->http(c, &ask, &answer);
  struct hf_iov v = {answer.body, answer.body_len};
  return st == HF_OK ? f->sink->writev(c, f->sink, 0, &v, 1) : st;
}
static hf_status own_codes(hf_call *c, void *s, struct hf_tr_file *f) {
  return B->run(c, s, f) < 0 ? HF_EINTERNAL : HF_OK;
}
static hf_status no_empty_file(hf_call *c, void *s, struct hf_tr_file *f) {
  return f->size ? B->run(c, s, f) : H->failf(c, HF_EINVAL, "%s is empty", f->path);
}
static hf_status no_large_file(hf_call *c, void *s, struct hf_tr_file *f) {
  return f->size < 32u << 20 ? B->run(c, s, f) : H->failf(c, HF_EINVAL, "%s is too large", f->path);
}
static hf_status no_unknown_size(hf_call *c, void *s, struct hf_tr_file *f) {
  return f->size == HF_SIZE_UNKNOWN ? H->failf(c, HF_EINVAL, "%s: how large is it?", f->path) : B->run(c, s, f);
}
static hf_status asks_for_length(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .method = "HEAD", .url = f->url};
  hf_status st = H->http(c, &ask, &answer);
  const struct hf_kv *kv = answer.headers.rows;
  for (uint32_t i = 0; i < answer.headers.count; i++)
    if (strcmp(kv[i].key, "content-length") == 0) return B->run(c, s, f);
  return st ? st : H->failf(c, HF_EPROTO, "%s has no length", f->path);
}
static hf_status never_gives_up(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  for (int i = 0; st < 0 && i < 250; i++) {
    H->clear(c);
    st = B->run(c, s, f);
  }
  return st;
}
static hf_status one_at_a_time(hf_call *c, void *s, struct hf_tr_file *f) {
  static struct hf_tr_file *_Atomic now;
  now = f;
  usleep(3000);
  return B->run(c, s, now);
}
static hf_status twenty_files(hf_call *c, void *s, struct hf_tr_file *f) {
  static _Atomic int files;
  return files++ < 20 ? B->run(c, s, f) : H->failf(c, HF_EINTERNAL, "no room for %s", f->path);
}
struct rest {
  struct hf_tr_file *f;
  uint64_t off;
};
static hf_status on_bytes(hf_call *c, void *arg, const void *data, size_t len) {
  struct rest *r = arg;
  struct hf_iov v = {data, len};
  r->off += len;
  return r->f->sink->writev(c, r->f->sink, r->off - len, &v, 1);
}
static hf_status takes_what_comes(hf_call *c, void *s, struct hf_tr_file *f) {
  struct rest r = {f, 0};
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {
      .struct_size = sizeof ask, .url = f->url, .on_data = on_bytes, .on_data_arg = &r, .tries = 1};
  (void)s;
  return H->http(c, &ask, &answer);
}
static hf_status sulks(hf_call *c, void *s, struct hf_tr_file *f) {
  static _Atomic int failed;
  hf_status st = failed ? H->failf(c, HF_EINTERNAL, "the session is spoilt") : B->run(c, s, f);
  failed |= st < 0;
  return st;
}
static hf_status once_only(hf_call *c, void *s, struct hf_tr_file *f) {
  static _Atomic int runs;
  return runs++ ? HF_OK : B->run(c, s, f);
}
static hf_status ends_late(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  if (st == HF_ECANCELED || st == HF_ETIMEDOUT) usleep(3500000);
  return st;
}
static hf_status waits_for_ever(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  while (st < 0 && H->check(c) == HF_OK) usleep(10000);
  return st;
}
static hf_status halves(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .url = f->url, .dst = f->sink, .dst_len = f->size / 2};
  hf_status st = H->http(c, &ask, &answer);
  return st == HF_OK ? B->run(c, s, f) : st;
}
static hf_status (*sink_writev)(hf_call *, struct hf_sink *, uint64_t, const struct hf_iov *, uint32_t);
static hf_status impatient_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  uint64_t before = H->now_ns();
  hf_status st = sink_writev(c, s, off, v, n);
  return st == HF_OK && H->now_ns() - before > 1500000 ? H->failf(c, HF_EIO, "the disk is too slow") : st;
}
static hf_status no_slow_disk(hf_call *c, void *s, struct hf_tr_file *f) {
  sink_writev = f->sink->writev;
  f->sink->writev = impatient_writev;
  hf_status st = B->run(c, s, f);
  f->sink->writev = sink_writev;
  return st;
}
static hf_status forgets_the_fresh_address(hf_call *c, void *s, struct hf_tr_file *f) {
  const struct hf_tr_batch *batch = s;
  struct hf_tr_batch without = *batch;
  const char *url;
  without.refresh = NULL;
  hf_status st = B->run(c, &without, f);
  if (st < 0 && batch->refresh) batch->refresh(c, batch, f, &url);
  return st;
}
static hf_status says_nothing(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  if (st < 0) H->clear(c);
  return st;
}
static hf_status tells_nobody(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_tr_batch without = *(const struct hf_tr_batch *)s;
  without.part_done = NULL;
  return B->run(c, &without, f);
}
static hf_status needs_a_listener(hf_call *c, void *s, struct hf_tr_file *f) {
  const struct hf_tr_batch *batch = s;
  return batch->part_done ? B->run(c, s, f) : H->failf(c, HF_EINVAL, "nobody wants to know of %s", f->path);
}
static hf_status sends_all_again(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_tr_file fresh = *f;
  fresh.part_etags = NULL;
  return B->run(c, s, &fresh);
}
static hf_status without_headers(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_tr_file bare = *f;
  bare.headers = (struct hf_table){0};
  return B->run(c, s, &bare);
}
static hf_status completes_anyway(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = B->run(c, s, f);
  struct hf_http_req ask = {
      .struct_size = sizeof ask, .method = "POST", .url = f->complete_url, .body = "{}", .body_len = 2};
  if (st == HF_OK) return st;
  H->clear(c);
  H->http(c, &ask, NULL);
  return H->failf(c, HF_EHTTP, "a part of %s was refused", f->path);
}

/* ---- mistakes in requests; false: it is not made at all ---- */

static int tries_once(struct hf_http_req *r) {
  r->tries = 1;
  return 1;
}
static int sends_one_byte_less(struct hf_http_req *r) {
  if (r->body_src_len) r->body_src_len--;
  return 1;
}
static int never_completes(struct hf_http_req *r) {
  return !r->method || strcmp(r->method, "POST") != 0;
}

/* ---- the table ---- */

static const struct mutant {
  const char *rule;
  hf_status (*run)(hf_call *, void *, struct hf_tr_file *);
  int (*request)(struct hf_http_req *);
} mutants[] = {
    {"transfer/a-stall-ends", waits_for_ever, NULL},
    {"transfer/answer-is-another-range", damages, NULL},
    {"transfer/answer-is-shorter", pads, NULL},
    {"transfer/asks-only-for-what-is-missing", asks_for_all_first, NULL},
    {"transfer/connection-cut-once", NULL, tries_once},
    {"transfer/connections-stay-sane", one_piece_at_a_time, NULL},
    {"transfer/cut-keeps-what-came", by_memory, NULL},
    {"transfer/disk-fails", own_codes, NULL},
    {"transfer/empty-file", no_empty_file, NULL},
    {"transfer/forbidden-without-refresh", never_gives_up, NULL},
    {"transfer/large-file", no_large_file, NULL},
    {"transfer/many-files-at-once", one_at_a_time, NULL},
    {"transfer/many-files-in-a-session", twenty_files, NULL},
    {"transfer/no-write-outside-the-file", takes_what_comes, NULL},
    {"transfer/one-failure-spoils-no-session", sulks, NULL},
    {"transfer/redirects-without-end", never_gives_up, NULL},
    {"transfer/respects-cancel-in-a-stall", ends_late, NULL},
    {"transfer/respects-the-deadline", ends_late, NULL},
    {"transfer/resumes-where-ranges-are-refused", damages, NULL},
    {"transfer/run-again-after-a-failure", once_only, NULL},
    {"transfer/server-always-broken", pads, NULL},
    {"transfer/server-busy-once", NULL, tries_once},
    {"transfer/server-without-ranges", halves, NULL},
    {"transfer/slow-disk-loses-nothing", no_slow_disk, NULL},
    {"transfer/takes-a-fresh-address", forgets_the_fresh_address, NULL},
    {"transfer/unknown-size", no_unknown_size, NULL},
    {"transfer/unknown-size-without-length", asks_for_length, NULL},
    {"transfer/uploads", NULL, sends_one_byte_less},
    {"transfer/upload-says-what-failed", says_nothing, NULL},
    {"transfer/upload-in-parts", NULL, never_completes},
    {"transfer/upload-tells-of-parts", tells_nobody, NULL},
    {"transfer/upload-without-listener", needs_a_listener, NULL},
    {"transfer/upload-leaves-parts-that-are-there", sends_all_again, NULL},
    {"transfer/upload-sends-the-headers", without_headers, NULL},
    {"transfer/upload-ends-with-a-bad-part", completes_anyway, NULL},
};
static const struct mutant *M = &(const struct mutant){NULL, NULL, NULL};

/* ---- the way through ---- */

static hf_status http(hf_call *c, const struct hf_http_req *req, struct hf_http_resp *resp) {
  struct hf_http_req mine = *req;
  return M->request && !M->request(&mine) ? HF_OK : H->http(c, &mine, resp);
}

static int32_t to_score(hf_call *c, const struct hf_tr_batch *b) {
  return B->score(c, b);
}
static hf_status to_open(hf_call *c, const struct hf_tr_batch *b, void **s) {
  return B->open(c, b, s);
}
/* Leaves a callback of the host in the middle. */
static _Thread_local jmp_buf out;
static hf_status leaves(hf_call *c, void *arg, const void *data, size_t len) {
  (void)c, (void)arg, (void)data, (void)len;
  longjmp(out, 1);
}
static void jumps(hf_call *c, const char *url) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .url = url, .on_data = leaves, .max_redirects = 5};
  if (setjmp(out) == 0) H->http(c, &ask, &answer);
}

static hf_status to_run(hf_call *c, void *s, struct hf_tr_file *f) {
  meddle("run");
  if (getenv("HF_MEDDLE_JUMPS")) jumps(c, f->url);
  return (M->run ? M->run : B->run)(c, s, f);
}
static hf_status to_finish(hf_call *c, void *s) {
  return B->finish(c, s);
}
static void to_close(void *s) {
  B->close(s);
}

static hf_status load(const struct hf_host *host, void **state) {
  static struct hf_host with_http;
  const char *name = getenv("HF_MUTANT");
  H = host;
  for (size_t i = 0; name && i < sizeof mutants / sizeof mutants[0]; i++)
    if (strcmp(mutants[i].rule, name) == 0) M = &mutants[i];
  if (name && !M->rule) return HF_ENOSYS;
  with_http = *host;
  with_http.http = http;
  meddle("load");
  return hf_plugin_v1_base.load(&with_http, state);
}

#define CAPS (HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RESUME)
static const struct hf_transfer mutant = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "mutant", "one thing is wrong", HF_THREADS_ANY, 1, CAPS),
    .score = to_score,
    .open = to_open,
    .run = to_run,
    .finish = to_finish,
    .close = to_close,
};
static const struct hf_module *const modules[] = {&mutant.m};
HF_PLUGIN("mutant", "0.0.1", "Apache-2.0", "one thing is wrong", load, NULL, modules,
          {HF_KIND_TRANSFER, 1, CAPS, "mutant", ""});
