/* broken_transfer.c - the transfer template with one thing wrong, for the judge, in the way of broken_storage.c.
 * Every wrapper is a mistake that somebody could make.
 */
#include <hf/transfer.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#pragma push_macro("HF_PLUGIN")
#undef HF_PLUGIN
#define HF_PLUGIN(...) struct hf_plugin
#include "transfer/example.c"
#pragma pop_macro("HF_PLUGIN")

#ifndef V_SCORE
#define V_SCORE score
#endif
#ifndef V_OPEN
#define V_OPEN open_session
#endif
#ifndef V_RUN
#define V_RUN run
#endif
#ifndef V_CLOSE
#define V_CLOSE close_session
#endif

static int32_t score_all(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return 100;
}
static int32_t score_negative(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return -1;
}
static int32_t score_first_file(hf_call *c, const struct hf_tr_batch *b) {
  return b->direction == HF_TR_DOWNLOAD && b->files[0]->size ? score(c, b) : 0;
}

static const struct hf_tr_batch *only_one;
static hf_status open_only_one(hf_call *c, const struct hf_tr_batch *b, void **session) {
  if (only_one) return H->failf(c, HF_EINTERNAL, "one session at a time");
  only_one = b;
  return open_session(c, b, session);
}
static hf_status open_uses_sinks(hf_call *c, const struct hf_tr_batch *b, void **session) {
  for (uint32_t i = 0; i < b->count; i++)
    if (b->files[i]->sink->size == 0) return HF_EINVAL;
  return open_session(c, b, session);
}
static void close_crashes(void *session) {
  (void)session;
  __builtin_trap();
}

static hf_status run_nothing(hf_call *c, void *s, struct hf_tr_file *f) {
  (void)c, (void)s, (void)f;
  return HF_OK;
}
static hf_status run_always_fine(hf_call *c, void *s, struct hf_tr_file *f) {
  run(c, s, f);
  H->clear(c);
  return HF_OK;
}
static hf_status run_without_words(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = run(c, s, f);
  H->clear(c);
  return st;
}
static hf_status run_own_codes(hf_call *c, void *s, struct hf_tr_file *f) {
  return run(c, s, f) < 0 ? HF_EINTERNAL : HF_OK;
}

static hf_status whole(hf_call *c, struct hf_tr_file *f, const char *url, const struct hf_kv *kv, uint32_t n) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask,
                            .url = url,
                            .headers = {kv, n, sizeof *kv},
                            .dst = f->sink,
                            .dst_len = f->size,
                            .max_redirects = 10};
  return f->size ? H->http(c, &ask, &answer) : HF_OK;
}
static hf_status run_whole(hf_call *c, void *s, struct hf_tr_file *f) {
  (void)s;
  return whole(c, f, f->url, NULL, 0);
}
static hf_status run_with_key(hf_call *c, void *s, struct hf_tr_file *f) {
  static const struct hf_kv kv = {"Authorization", "Bearer mine"};
  (void)s;
  return whole(c, f, f->url, &kv, 1);
}
static hf_status run_without_query(hf_call *c, void *s, struct hf_tr_file *f) {
  char url[1024];
  (void)s;
  snprintf(url, sizeof url, "%.*s", (int)strcspn(f->url, "?"), f->url);
  return whole(c, f, url, NULL, 0);
}
static hf_status run_without_redirects(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_http_resp answer = {.struct_size = sizeof answer};
  struct hf_http_req ask = {.struct_size = sizeof ask, .url = f->url, .dst = f->sink, .dst_len = f->size};
  (void)s;
  return H->http(c, &ask, &answer);
}
static hf_status run_beyond_the_end(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = run(c, s, f);
  struct hf_iov v = {"x", 1};
  return st ? st : f->sink->writev(c, f->sink, f->size, &v, 1);
}
static hf_status run_first_hole(hf_call *c, void *s, struct hf_tr_file *f) {
  struct hf_range r;
  uint32_t n = 1;
  (void)s;
  hf_status st = f->sink->missing(c, f->sink, &r, &n);
  return st || !n ? st : fetch(c, f, f->url, r);
}
static hf_status run_for_ever(hf_call *c, void *s, struct hf_tr_file *f) {
  const struct hf_tr_batch *b = s;
  const char *url = f->url;
  for (;;) {
    struct hf_range r;
    uint32_t n = 1;
    hf_status st = f->sink->missing(c, f->sink, &r, &n);
    if (st || !n) return st;
    st = fetch(c, f, url, r);
    if (st == HF_OK) continue;
    if (!b->refresh) return st;
    H->clear(c);
    b->refresh(c, b, f, &url);
  }
}
static hf_status run_stubborn(hf_call *c, void *s, struct hf_tr_file *f) {
  hf_status st = run(c, s, f);
  for (int i = 0; st == HF_ECANCELED && i < 500; i++) nanosleep(&(struct timespec){0, 10000000}, NULL);
  return st;
}

static const struct hf_transfer broken = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "broken", "one thing is wrong", HF_THREADS_ANY, 1, CAPS),
    .score = V_SCORE,
    .open = V_OPEN,
    .run = V_RUN,
    .finish = finish,
    .close = V_CLOSE,
};
static const struct hf_module *const broken_modules[] = {&broken.m};
HF_PLUGIN("broken", "0.0.1", "Apache-2.0", "one thing is wrong", load, NULL, broken_modules,
          {HF_KIND_TRANSFER, 1, CAPS, "broken", ""});
