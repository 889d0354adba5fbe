/* fuzz_http.c - the head of an answer, byte by byte as it comes from the wire, and what it makes of a download: status, lengths,
 * Content-Range, ETag, Retry-After. Input: four bytes (wanted range), then lines; an empty line ends the head, the body follows.
 * No more is written than was wanted, and only where it was wanted. */
#include "fuzz.h"
#include "http.h"
#include "stack.h"

struct memory_sink {
  struct hf_sink sink;
  uint64_t begin, end;
};

static hf_status writev_memory(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct memory_sink *m = (struct memory_sink *)s;
  (void)c;
  for (uint32_t i = 0; i < n; i++) {
    FUZZ_CHECK(off >= m->begin && (m->end == HF_SIZE_UNKNOWN || off + iov[i].len <= m->end));
    off += iov[i].len;
  }
  return HF_OK;
}

static hf_status set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  (void)c;
  s->size = size;
  return HF_OK;
}

static void plan(hf_call *c, struct exchange *x, const uint8_t *data, const uint8_t *body, size_t len) {
  struct memory_sink m = {.sink = {.struct_size = sizeof m.sink, .writev = writev_memory, .set_size = set_size}};
  struct http h = {.call = c, .end = HF_SIZE_UNKNOWN, .method = "GET", .url = "http://a/b", .connect = "http://a/b"};
  struct hf_kv rows[HEADER_COUNT_MAX + 1];
  uint32_t n = 0;
  for (const char *p = x->head_text; p && n < x->head_count && p < x->head_text + x->head_len; n++) {
    rows[n].key = p;
    rows[n].value = p + strlen(p) + 1;
    p = rows[n].value + strlen(rows[n].value) + 1;
  }
  m.sink.size = data[0] & 1 ? HF_SIZE_UNKNOWN : data[1];
  h.req = (struct hf_http_req){.struct_size = sizeof h.req,
                               .flags = data[0] & 2 ? HF_HTTP_WHOLE_OK : 0,
                               .method = "GET",
                               .url = h.url,
                               .dst = data[0] & 4 ? NULL : &m.sink};
  h.req.dst_off = data[2] & 7;
  h.req.dst_len = data[0] & 8 ? HF_SIZE_UNKNOWN : data[3] & 31;
  m.begin = h.req.dst_off;
  m.end = h.req.dst_len == HF_SIZE_UNKNOWN ? HF_SIZE_UNKNOWN : m.begin + h.req.dst_len;
  if (http_head_copy(&h.head, x->head_status, rows, n) != HF_OK) return;
  (void)http_wish_ms(&h.head);
  hf_status st = h.req.dst ? http_range_begin(&h) : HF_OK;
  if (st == HF_OK && h.req.dst) http_range_next(&h);
  if (st == HF_OK) st = http_body_plan(&h, false);
  for (size_t at = 0; st == HF_OK && at < len; at += 7) st = http_body_add(&h, body + at, len - at < 7 ? len - at : 7);
  if (st == HF_OK || st == HF_PENDING) (void)http_body_end(&h);
  http_head_free(&h.head);
  hf_mem_free(h.memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4) return 0;
  static struct stack s;
  struct hf_net_req req = {.struct_size = sizeof req};
  struct exchange x = {.stack = &s, .req = &req, .is_dirty = true};
  hf_call *c = fuzz_call();
  pthread_mutex_init(&x.lock, NULL);
  const uint8_t *p = data + 4, *end = data + size;
  while (p < end && !x.head_ready) {
    const uint8_t *nl = memchr(p, '\n', (size_t)(end - p));
    size_t n = nl ? (size_t)(nl + 1 - p) : (size_t)(end - p);
    char *line = fuzz_text(p, n);
    size_t took = receive_header(line, 1, n, &x);
    free(line);
    p += n;
    if (took != n) break;
  }
  FUZZ_CHECK(x.head_count <= HEADER_COUNT_MAX + 1 && x.head_len <= HEADER_BYTES_MAX + 2);
  if (x.head_ready && x.refused == HF_OK) plan(c, &x, data, p, (size_t)(end - p));
  free(x.head_text);
  pthread_mutex_destroy(&x.lock);
  hf_call_end(c);
  return 0;
}
