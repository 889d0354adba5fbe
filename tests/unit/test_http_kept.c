/* test_http_kept.c - requests that follow each other on one kept handle: each is sent, byte by byte, as a fresh handle sends it,
 * whatever went before it. A hundred requests in random order, of every kind that can share a handle.
 * The server is also the proxy of the names that do not exist. */
#include <stdint.h>

#include "http_fixture.h"

enum { LANES = 16, ROUNDS = 60, BIG = 1500000 };

static char big[BIG];

static bool answer_all(struct server *s, int fd, const struct seen *r) {
  static const unsigned char zipped[] = {0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 3, 0xcb, 0x48, 0xcd,
                                         0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0};
  (void)s;
  if (strstr(r->head, "/moved")) return put(fd, "HTTP/1.1 307 X\r\nLocation: /after\r\nContent-Length: 0\r\n\r\n");
  if (strstr(r->head, "/who")) return answer(fd, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n", "who?");
  if (strstr(r->head, "/busy")) return answer(fd, 503, "Retry-After: 0\r\n", "busy");
  if (strstr(r->head, "/zip"))
    return put(fd, "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", sizeof(zipped)) &&
           put_bytes(fd, zipped, sizeof(zipped));
  if (strstr(r->head, "/chunks"))
    return put(fd, "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  return answer(fd, 200, "", "hello");
}

static const struct hf_kv typed[] = {{"content-type", "application/json"}, {"authorization", "Bearer a"}};
static const struct hf_kv other_key[] = {{"x-key", "b"}, {"accept", "image/png"}, {"user-agent", "me"}};
static const struct hf_kv many[] = {
    {"a", "1"},      {"b", "2"},        {"c", "3"}, {"Accept-Encoding", "br"}, {"accept", "text/event-stream"},
    {"x-empty", ""}, {"te", "trailers"}};

static const struct {
  const char *path; /* or a URL: by the proxy */
  const struct hf_kv *headers;
  uint32_t count;
  const char *body;
  size_t len;
  uint32_t flags, timeout_ms, connect_ms, status;
} kinds[] = {
    {"/a", typed, 2, "{\"a\":1}", 7, 0, 0, 0, 200},
    {"/a?q=1#f", NULL, 0, "x", 1, 0, 5000, 0, 200},
    {"/none", typed, 1, NULL, 0, HF_HTTP_BARE, 0, 0, 200},
    {"/keys", other_key, 3, "{}", 2, 0, 0, 3000, 200},
    {"/many", many, 7, "text", 4, 0, 0, 0, 200},
    {"/bare", many, 1, "text", 4, HF_HTTP_BARE, 0, 0, 200},
    {"/large", typed, 2, big, BIG, 0, 0, 0, 200},
    {"/larger", NULL, 0, big, 1200, 0, 0, 0, 200},
    {"/who", typed, 1, "{}", 2, 0, 0, 0, 401},
    {"/busy", typed, 1, "{}", 2, 0, 0, 0, 503},
    {"/moved", typed, 2, "{}", 2, 0, 0, 0, 200},
    {"/zip", typed, 2, "{}", 2, 0, 0, 0, 200},
    {"/chunks", NULL, 0, "{}", 2, HF_HTTP_BARE, 0, 0, 200},
    {"/dots/../x/./y", NULL, 0, "{}", 2, 0, 0, 0, 200},
    {"http://n1.test/p", typed, 2, "{}", 2, 0, 0, 0, 200},
    {"http://me:secret@n2.test/p", NULL, 0, "{}", 2, 0, 0, 0, 200},
    {"http://n3.test:81/p?q", other_key, 3, "text", 4, 0, 0, 0, 200},
    {"http://n4.test/moved", typed, 1, big, BIG, 0, 0, 0, 200},
};

static void ask(size_t i) {
  ck_assert_int_eq(
      run(kinds[i].path, (struct hf_http_req){.method = "POST",
                                              .flags = kinds[i].flags | HF_HTTP_PATIENT | HF_HTTP_ANY_STATUS,
                                              .headers = HF_TABLE_N(kinds[i].headers, kinds[i].count),
                                              .body = kinds[i].body,
                                              .body_len = kinds[i].len,
                                              .timeout_ms = kinds[i].timeout_ms,
                                              .connect_ms = kinds[i].connect_ms,
                                              .tries = 1,
                                              .max_redirects = 5}),
      HF_OK);
  ck_assert_uint_eq(resp.status, kinds[i].status);
  if (resp.status == 200) ck_assert_str_eq(resp.body, "hello");
}

struct sent { /* what the server saw of one request, hops and all */
  char *head[2], *body[2];
  size_t len[2];
  int n;
};

static struct sent fresh[HF_COUNT(kinds)];

static void ask_afresh(size_t i) {
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  int from = srv->count;
  ask(i);
  struct sent *f = &fresh[i];
  for (f->n = 0; from + f->n < srv->count; f->n++) {
    ck_assert_int_lt(f->n, 2);
    const struct seen *s = &srv->seen[from + f->n];
    f->head[f->n] = strdup(s->head);
    f->body[f->n] = memcpy(malloc(s->body_len + 1), s->body, s->body_len);
    f->len[f->n] = s->body_len;
  }
  hf_call_end(call);
  hf_runtime_free(rt);
}

static void same_as_afresh(size_t i, size_t before) {
  int from = srv->count;
  ask(i);
  const struct sent *f = &fresh[i];
  ck_assert_int_eq(srv->count - from, f->n);
  for (int k = 0; k < f->n; k++) {
    const struct seen *s = &srv->seen[from + k];
    ck_assert_msg(!strcmp(s->head, f->head[k]), "%s after %s: %s\nand not: %s", kinds[i].path, kinds[before].path,
                  s->head, f->head[k]);
    ck_assert_uint_eq(s->body_len, f->len[k]);
    ck_assert_mem_eq(s->body, f->body[k], f->len[k]);
  }
}

/* Names that take all lanes but what is wanted first, so that the next name gets a handle of another one. */
static void use_up(int n) {
  char url[64];
  for (int i = 0; i < n; i++) {
    snprintf(url, sizeof(url), "http://lane%d.test/", i);
    ck_assert_int_eq(
        run(url,
            (struct hf_http_req){.method = "POST", .flags = HF_HTTP_PATIENT, .body = "x", .body_len = 1, .tries = 1}),
        HF_OK);
  }
}

START_TEST(a_kept_handle_sends_what_a_fresh_one_does) {
  char proxy[64];
  uint32_t dice = 7;
  memset(big, 'b', sizeof(big));
  srv = serve_start(answer_all);
  snprintf(base, sizeof(base), "http://127.0.0.1:%u", srv->port);
  snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", srv->port);
  setenv("http_proxy", proxy, 1);
  setenv("no_proxy", "127.0.0.1", 1);
  for (size_t i = 0; i < HF_COUNT(kinds); i++) ask_afresh(i);
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  int made = atomic_load(&srv->connections);
  use_up(LANES);
  ck_assert_int_eq(atomic_load(&srv->connections) - made, LANES);
  for (size_t round = 0, before = 0; round < ROUNDS; round++) {
    dice = dice * 1103515245u + 12345u;
    size_t i = round < HF_COUNT(kinds) ? round : (dice >> 16) % HF_COUNT(kinds);
    same_as_afresh(i, before);
    before = i;
  }
  ck_assert_int_le(atomic_load(&srv->connections) - made, LANES + 8);
  for (size_t i = 0; i < HF_COUNT(kinds); i++)
    for (int k = 0; k < fresh[i].n; k++) free(fresh[i].head[k]), free(fresh[i].body[k]);
  unsetenv("http_proxy");
  unsetenv("no_proxy");
  stop();
}
END_TEST

int main(void) {
  Suite *s = suite_create("http_kept");
  TCase *t = tcase_create("http_kept");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, a_kept_handle_sends_what_a_fresh_one_does);
  suite_add_tcase(s, t);
  return unit_run(s);
}
