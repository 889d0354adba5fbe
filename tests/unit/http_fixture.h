/* http_fixture.h - what the tests of requests share: a runtime whose repetitions do not wait, one server, one call, a sink
 * in memory that knows what was written, and short ways to make a request.
 * Everything is static: include it in one test program. */
#ifndef HF_TEST_HTTP_FIXTURE_H
#define HF_TEST_HTTP_FIXTURE_H
#include <check.h>
#include <core.h>

#include "serve.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;
static struct server *srv, *other;
static char base[64], other_base[64];

__attribute__((unused)) static void start(const struct hf_kv *settings, serve_fn handler) {
  setenv("HF_TEST_BACKOFF_MS", "2", 1);
  rt = unit_runtime(settings);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  srv = serve_start(handler);
  snprintf(base, sizeof(base), "http://127.0.0.1:%u", srv->port);
}

__attribute__((unused)) static void start_other(serve_fn handler) {
  other = serve_start(handler);
  snprintf(other_base, sizeof(other_base), "http://127.0.0.1:%u", other->port);
}

static void stop(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  serve_stop(srv);
  serve_stop(other);
  srv = other = NULL;
}

static const char *at(const char *path) {
  static _Thread_local char urls[8][512];
  static _Thread_local int turn;
  char *url = urls[turn++ % 8];
  snprintf(url, 512, "%s%s", base, path);
  return url;
}

static struct hf_http_resp resp;

/* struct_size and url are filled in; the answer is in resp. */
static hf_status run(const char *path, struct hf_http_req req) {
  req.struct_size = sizeof(req);
  req.url = path[0] == '/' ? at(path) : path;
  resp = (struct hf_http_resp){.struct_size = sizeof(resp)};
  hf_call_clear(call);
  return hf_http(call, &req, &resp);
}
#define GET(path, ...) run(path, (struct hf_http_req){__VA_ARGS__})

__attribute__((unused)) static const char *got(const char *name) {
  for (uint32_t i = 0; i < resp.headers.count; i++) {
    const struct hf_kv *row = (const struct hf_kv *)((const char *)resp.headers.rows + i * resp.headers.stride);
    if (strcmp(row->key, name) == 0) return row->value;
  }
  return NULL;
}

__attribute__((unused)) static const struct hf_error *err(void) {
  const struct hf_error *e = hf_call_error(call);
  ck_assert_ptr_nonnull(e);
  return e;
}

/* A sink in memory: at most 1 MiB, '.' where nothing was written. */
struct memory_sink {
  struct hf_sink sink;
  char bytes[1024 * 1024];
  _Atomic uint64_t end; /* behind the last byte that was written */
  hf_status fail;
};

static hf_status sink_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  if (s->size != HF_SIZE_UNKNOWN && s->size != size) return hf_call_failf(c, HF_EPROTO, "another size than before");
  s->size = size;
  return HF_OK;
}

static hf_status sink_writev(hf_call *c, struct hf_sink *sink, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct memory_sink *s = (struct memory_sink *)sink;
  if (s->fail != HF_OK) return hf_call_failf(c, s->fail, "the sink is broken");
  for (uint32_t i = 0; i < n; i++) {
    ck_assert_uint_le(off + iov[i].len, sizeof(s->bytes));
    memcpy(s->bytes + off, iov[i].base, iov[i].len);
    off += iov[i].len;
  }
  uint64_t end = s->end;
  while (off > end && !atomic_compare_exchange_weak(&s->end, &end, off)) continue;
  return HF_OK;
}

__attribute__((unused)) static struct memory_sink *sink_new(uint64_t size) {
  struct memory_sink *s = calloc(1, sizeof(*s));
  s->sink =
      (struct hf_sink){.struct_size = sizeof(s->sink), .size = size, .set_size = sink_set_size, .writev = sink_writev};
  memset(s->bytes, '.', sizeof(s->bytes));
  return s;
}

__attribute__((unused)) static uint64_t now_ms(void) {
  return hf_now_ns() / 1000000u;
}

/* Added to upper bounds of time: the machine may be busy, and sanitizers are slow. They tell on time from much too late. */
#define LATE_MS 1500
#endif
