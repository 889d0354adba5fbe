/* Tests of hf_http(): what is sent, what comes back, hops and whose credentials they carry, proxies.
 * A scripted server on loopback sees every request and answers right or wrong.
 * Destinations and repetition have their own tests (test_http_range.c, test_http_repeat.c). */
#include "http_fixture.h"

#define PORTLESS "https://hub.test"

/* ---- a plain request ---------------------------------------------------------------------------------------------- */

static bool say_hello(struct server *s, int fd, const struct seen *r) {
  (void)s;
  if (asks(r, "HEAD")) return put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\nX-Y: 1\r\n\r\n");
  if (asks(r, "GET /interim")) put(fd, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  if (asks(r, "GET /chunked"))
    return put(fd,
               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-T: "
               "1\r\n\r\n");
  return answer(fd, 200, "X-Mixed-CASE:  v 1 \r\nX-Empty:\r\n", "hello");
}

START_TEST(get_brings_body_and_headers) {
  start(NULL, say_hello);
  ck_assert_int_eq(GET("/a?b=c#d"), HF_OK);
  ck_assert_uint_eq(resp.status, 200);
  ck_assert_str_eq(resp.body, "hello");
  ck_assert_uint_eq(resp.body_len, 5);
  ck_assert_str_eq(got("x-mixed-case"), "v 1");
  ck_assert_str_eq(got("x-empty"), "");
  ck_assert_uint_eq(resp.attempts, 1);
  ck_assert_str_eq(resp.url, at("/a?b=c#d"));
  const struct seen *r = &srv->seen[0];
  ck_assert(asks(r, "GET /a?b=c HTTP/1.1\r\n"));
  ck_assert_str_eq(seen_header(r, "accept"), "*/*");
  ck_assert_str_eq(seen_header(r, "user-agent"), "libhf/" HF_VERSION);
  ck_assert_ptr_nonnull(strstr(seen_header(r, "accept-encoding"), "gzip"));
  ck_assert_ptr_null(seen_header(r, "authorization"));
  stop();
}
END_TEST

START_TEST(other_shapes_of_an_answer) {
  start(NULL, say_hello);
  ck_assert_int_eq(run("/h", (struct hf_http_req){.method = "HEAD"}), HF_OK);
  ck_assert_uint_eq(resp.body_len, 0);
  ck_assert_str_eq(got("content-length"), "999999999");
  ck_assert_int_eq(GET("/interim"), HF_OK);
  ck_assert_uint_eq(resp.status, 200);
  ck_assert_ptr_null(got("link"));
  ck_assert_int_eq(GET("/chunked"), HF_OK);
  ck_assert_str_eq(resp.body, "hello");
  ck_assert_ptr_null(got("x-t"));
  ck_assert_int_eq(atomic_load(&srv->connections), 1);
  stop();
}
END_TEST

START_TEST(small_caller_structs_are_fine) {
  start(NULL, say_hello);
  struct hf_http_req req = {
      .struct_size = offsetof(struct hf_http_req, dst), .url = at("/"), .tries = 77, .max_body = 1};
  struct hf_http_resp r = {.struct_size = offsetof(struct hf_http_resp, url), .attempts = 4711};
  ck_assert_int_eq(hf_http(call, &req, &r), HF_OK);
  ck_assert_uint_eq(r.status, 200);
  ck_assert_uint_eq(r.attempts, 4711);
  stop();
}
END_TEST

/* ---- what is sent --------------------------------------------------------------------------------------------------- */

static const struct hf_kv json_type[] = {{"Content-Type", "application/json"}, {"X-None", ""}};

START_TEST(bodies_are_sent) {
  start(NULL, say_hello);
  struct hf_http_req post = {.method = "POST", .headers = HF_TABLE(json_type), .body = "{\"a\":1}", .body_len = 7};
  ck_assert_int_eq(run("/p", post), HF_OK);
  ck_assert_str_eq(srv->seen[0].body, "{\"a\":1}");
  ck_assert_str_eq(seen_header(&srv->seen[0], "content-type"), "application/json");
  ck_assert_str_eq(seen_header(&srv->seen[0], "content-length"), "7");
  ck_assert_ptr_null(seen_header(&srv->seen[0], "x-none"));
  ck_assert_ptr_null(seen_header(&srv->seen[0], "expect"));
  ck_assert_int_eq(run("/p", (struct hf_http_req){.method = "PUT"}), HF_OK);
  ck_assert(asks(&srv->seen[1], "PUT /p "));
  ck_assert_str_eq(seen_header(&srv->seen[1], "content-length"), "0");
  ck_assert_ptr_null(seen_header(&srv->seen[1], "content-type"));
  ck_assert_int_eq(run("/p", (struct hf_http_req){.method = "DELETE"}), HF_OK);
  ck_assert(asks(&srv->seen[2], "DELETE /p "));
  ck_assert_ptr_null(seen_header(&srv->seen[2], "content-length"));
  ck_assert_int_eq(run("/p", (struct hf_http_req){.method = "DELETE", .body = "x", .body_len = 1}), HF_OK);
  ck_assert_str_eq(srv->seen[3].body, "x");
  stop();
}
END_TEST

#define SOURCE_SIZE 3000000u
static char source_byte(uint64_t i) {
  return (char)('a' + i % 23);
}
static hf_status source_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *n) {
  (void)c;
  uint64_t end = s->size == HF_SIZE_UNKNOWN ? SOURCE_SIZE : s->size;
  *n = off >= end ? 0 : end - off < len ? (size_t)(end - off) : len;
  for (size_t i = 0; i < *n; i++) ((char *)buf)[i] = source_byte(off + i);
  return HF_OK;
}

START_TEST(sources_are_streamed) {
  start(NULL, say_hello);
  struct hf_source src = {
      .struct_size = sizeof(src), .size = _i == 0 ? SOURCE_SIZE : HF_SIZE_UNKNOWN, .pread = source_pread};
  struct hf_http_req put_req = {.method = "PUT", .body_src = &src, .body_off = 10, .body_src_len = SOURCE_SIZE - 10};
  if (_i == 1) put_req.body_src_len = HF_SIZE_UNKNOWN;
  ck_assert_int_eq(run("/u", put_req), HF_OK);
  const struct seen *r = &srv->seen[0];
  ck_assert_uint_eq(r->body_len, SOURCE_SIZE - 10);
  for (size_t i = 0; i < r->body_len; i += 997) ck_assert_int_eq(r->body[i], source_byte(i + 10));
  ck_assert_pstr_eq(seen_header(r, "transfer-encoding"), _i == 0 ? NULL : "chunked");
  stop();
}
END_TEST

START_TEST(short_source_is_an_error) {
  start(NULL, say_hello);
  struct hf_source src = {.struct_size = sizeof(src), .size = 100, .name = "/x/file", .pread = source_pread};
  struct hf_http_req put_req = {.method = "PUT", .body_src = &src, .body_src_len = 200};
  ck_assert_int_eq(run("/u", put_req), HF_ECONFLICT);
  ck_assert_ptr_nonnull(strstr(err()->message, "/x/file"));
  stop();
}
END_TEST

START_TEST(headers_are_replaced_removed_and_checked) {
  start(NULL, say_hello);
  ck_assert_int_eq(hf_call_header(call, "User-Agent", "tool/1"), HF_OK);
  ck_assert_int_eq(hf_call_header(call, "X-A", "default"), HF_OK);
  struct hf_kv own[] = {{"x-a", "mine"}, {"accept", ""}, {"ACCEPT-ENCODING", "identity"}};
  struct hf_http_req req = {.headers = HF_TABLE(own)};
  ck_assert_int_eq(run("/", req), HF_OK);
  ck_assert_str_eq(seen_header(&srv->seen[0], "user-agent"), "tool/1");
  ck_assert_str_eq(seen_header(&srv->seen[0], "x-a"), "mine");
  ck_assert_ptr_null(seen_header(&srv->seen[0], "accept"));
  ck_assert_str_eq(seen_header(&srv->seen[0], "accept-encoding"), "identity");
  req.flags = HF_HTTP_BARE | HF_HTTP_NO_DECODE;
  ck_assert_int_eq(run("/", req), HF_OK);
  ck_assert_ptr_null(seen_header(&srv->seen[1], "user-agent"));
  static const struct hf_kv evil[][1] = {
      {{"X-A", "b\r\nX-Evil: 1"}}, {{"X A", "b"}}, {{"X-A:", "b"}}, {{"", "b"}}, {{"X", "\x01"}}};
  for (size_t i = 0; i < HF_COUNT(evil); i++)
    ck_assert_int_eq(run("/", (struct hf_http_req){.headers = HF_TABLE(evil[i])}), HF_EINVAL);
  ck_assert_int_eq(run("/", (struct hf_http_req){.method = "GET / HTTP/1.1\r\nX:"}), HF_EINVAL);
  ck_assert_int_eq(run("http://a b/", (struct hf_http_req){0}), HF_EINVAL);
  ck_assert_int_eq(srv->count, 2);
  stop();
}
END_TEST

/* ---- errors of the server ------------------------------------------------------------------------------------------- */

static bool refuse_all(struct server *s, int fd, const struct seen *r) {
  (void)s;
  int status = (int)strtol(strchr(r->head, '/') + 1, NULL, 10);
  return answer(fd, status, "X-Request-Id: r-1\r\n", "why not");
}

static const struct {
  const char *path;
  hf_status code;
} refusals[] = {{"/400", HF_EHTTP},     {"/401", HF_EAUTH}, {"/403", HF_EAUTH},      {"/404", HF_ENOTFOUND},
                {"/409", HF_ECONFLICT}, {"/416", HF_EHTTP}, {"/429", HF_ERATELIMIT}, {"/500", HF_EHTTP}};

START_TEST(statuses_are_errors) {
  start(NULL, refuse_all);
  ck_assert_int_eq(GET(refusals[_i].path, .tries = 1), refusals[_i].code);
  ck_assert_uint_eq(err()->http_status, strtoul(refusals[_i].path + 1, NULL, 10));
  ck_assert_str_eq(err()->request_id, "r-1");
  ck_assert_str_eq(err()->url, at(refusals[_i].path));
  ck_assert_str_eq(resp.body, "why not");
  ck_assert_int_eq(GET(refusals[_i].path, .tries = 1, .flags = HF_HTTP_ANY_STATUS), HF_OK);
  ck_assert_uint_eq(resp.status, strtoul(refusals[_i].path + 1, NULL, 10));
  stop();
}
END_TEST

static void mapper(hf_call *c, const struct hf_http_req *req, const struct hf_http_resp *r, struct hf_error *e) {
  (void)c;
  ck_assert_str_eq(req->method, "GET");
  ck_assert_str_eq(r->body, "why not");
  e->code = HF_EGATED;
  e->cls = "GatedRepoError";
  e->message = "mapped";
}

START_TEST(the_pack_names_errors) {
  start(NULL, refuse_all);
  hf_runtime_on_http_error(rt, mapper);
  ck_assert_int_eq(GET("/403"), HF_EGATED);
  ck_assert_str_eq(err()->cls, "GatedRepoError");
  ck_assert_str_eq(err()->message, "mapped");
  ck_assert_uint_eq(err()->http_status, 403);
  stop();
}
END_TEST

/* ---- hostile answers -------------------------------------------------------------------------------------------------- */

static bool be_hostile(struct server *s, int fd, const struct seen *r) {
  (void)s;
  char big[70000];
  memset(big, 'x', sizeof(big));
  if (asks(r, "GET /line")) {
    put(fd, "HTTP/1.1 200 OK\r\nX: ");
    return put_bytes(fd, big, sizeof(big)) && put(fd, "\r\nContent-Length: 0\r\n\r\n");
  }
  if (asks(r, "GET /many")) {
    put(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 300; i++) put(fd, "X-%d: y\r\n", i);
    return put(fd, "Content-Length: 0\r\n\r\n");
  }
  if (asks(r, "GET /nul")) return put_bytes(fd, "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", 47);
  if (asks(r, "GET /ctl")) return put(fd, "HTTP/1.1 200 OK\r\nX: a\x1b[2Jb\r\nContent-Length: 0\r\n\r\n");
  if (asks(r, "GET /fold")) return put(fd, "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n");
  if (asks(r, "GET /old")) return put(fd, "just bytes\r\n\r\n"), false;
  if (asks(r, "GET /name")) return put(fd, "HTTP/1.1 200 OK\r\nX (y): a\r\nContent-Length: 0\r\n\r\n");
  if (asks(r, "GET /big")) return put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
  if (asks(r, "GET /forever")) {
    put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (put(fd, "1000\r\n") && put_bytes(fd, big, 0x1000) && put(fd, "\r\n")) continue;
    return false;
  }
  put(fd, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
  for (int i = 0; i < 100; i++)
    if (!put_bytes(fd, big, sizeof(big))) break;
  return false;
}

static const struct {
  const char *path;
  hf_status code;
} hostile[] = {{"/line", HF_EPROTO},    {"/many", HF_EPROTO},    {"/nul", HF_EPROTO},  {"/ctl", HF_EPROTO},
               {"/fold", HF_EPROTO},    {"/old", HF_EPROTO},     {"/name", HF_EPROTO}, {"/big", HF_EPROTO},
               {"/forever", HF_EPROTO}, {"/error", HF_ENOTFOUND}};

START_TEST(hostile_answers_are_refused) {
  start(NULL, be_hostile);
  uint64_t t = now_ms();
  ck_assert_int_eq(GET(hostile[_i].path, .tries = 1, .max_body = 1 << 20), hostile[_i].code);
  ck_assert_uint_le(resp.body_len, 1 << 20);
  ck_assert_uint_lt(now_ms() - t, 2000 + LATE_MS);
  ck_assert_ptr_null(strchr(err()->message, '\x1b'));
  stop();
}
END_TEST

/* gzip around one deflate block with fixed codes: 'a', then n matches of 258 bytes, one byte back. */
static size_t make_gzip(unsigned char *out, size_t room, long n) {
  static const unsigned char head[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
  size_t len = 10, bit = 0;
  memcpy(out, head, 10);
  memset(out + 10, 0, room - 10);
#define BIT(b) (out[len + bit / 8] = (unsigned char)(out[len + bit / 8] | (unsigned)(b) << bit % 8), bit++)
  BIT(1), BIT(1), BIT(0);
  for (int i = 7; i >= 0; i--) BIT((0x30 + 'a') >> i & 1);
  for (long k = 0; k < n; k++) {
    for (int i = 7; i >= 0; i--) BIT(0xc5 >> i & 1);
    for (int i = 0; i < 5; i++) BIT(0);
  }
  for (int i = 0; i < 7; i++) BIT(0);
#undef BIT
  len += (bit + 7) / 8;
  uint32_t crc = ~0u, size = 1 + 258 * (uint32_t)n;
  for (uint32_t i = 0; n < 1000 && i < size; i++) { /* a bomb's end is not read */
    crc ^= 'a';
    for (int b = 0; b < 8; b++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
  }
  crc = ~crc;
  for (int i = 0; i < 4; i++) out[len++] = (unsigned char)(crc >> 8 * i);
  for (int i = 0; i < 4; i++) out[len++] = (unsigned char)(size >> 8 * i);
  return len;
}

static bool send_gzip(struct server *s, int fd, const struct seen *r) {
  (void)s;
  static unsigned char zip[500000];
  size_t len = make_gzip(zip, sizeof(zip), asks(r, "GET /bomb") ? 240000 : 40);
  if (asks(r, "GET /broken")) zip[20] ^= 0xff, zip[12] ^= 0x55;
  put(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", len);
  return put_bytes(fd, zip, len);
}

START_TEST(compressed_answers) {
  start(NULL, send_gzip);
  ck_assert_int_eq(GET("/ok"), HF_OK);
  ck_assert_uint_eq(resp.body_len, 1 + 258 * 40);
  ck_assert_uint_lt(resp.wire, 200);
  for (size_t i = 0; i < resp.body_len; i++) ck_assert_int_eq(((const char *)resp.body)[i], 'a');
  ck_assert_int_eq(GET("/ok", .flags = HF_HTTP_NO_DECODE), HF_OK);
  ck_assert_int_eq(((const unsigned char *)resp.body)[0], 0x1f);
  ck_assert_int_eq(GET("/ok", .max_body = 5000), HF_EPROTO);
  ck_assert_int_eq(GET("/bomb"), HF_EPROTO);
  ck_assert_ptr_nonnull(strstr(err()->message, "hundredfold"));
  ck_assert_int_eq(GET("/broken", .tries = 1), HF_EPROTO);
  stop();
}
END_TEST

/* ---- hops ------------------------------------------------------------------------------------------------------------- */

static bool redirect(struct server *s, int fd, const struct seen *r) {
  (void)s;
  char where[256];
  if (asks(r, "GET /loop")) return answer(fd, 302, "Location: /loop2\r\n", "");
  if (asks(r, "GET /loop2")) return answer(fd, 302, "Location: /loop\r\n", "");
  if (asks(r, "GET /user")) return answer(fd, 302, "Location: http://u:p@127.0.0.1/\r\n", "");
  if (asks(r, "GET /ftp")) return answer(fd, 302, "Location: ftp://127.0.0.1/\r\n", "");
  if (asks(r, "GET /none")) return answer(fd, 302, "", "no location");
  if (asks(r, "GET /fat")) return answer(fd, 302, "Location: /end\r\n", "a body that nobody reads");
  if (asks(r, "GET /deep")) {
    int n = (int)strtol(strchr(r->head, 'p') + 1, NULL, 10);
    snprintf(where, sizeof(where), "Location: /deep%d\r\n", n + 1);
    return answer(fd, 302, where, "");
  }
  if (asks(r, "GET /away") || asks(r, "POST /away")) {
    snprintf(where, sizeof(where), "Location: %s/end\r\n", other_base);
    return answer(fd, 307, where, "");
  }
  const char *status = strstr(r->head, "/s");
  if (status != NULL && status < strchr(r->head, '\r'))
    return answer(fd, (int)strtol(status + 2, NULL, 10), "Location: end?q=1\r\n", "");
  return answer(fd, 200, "", "end");
}

static const struct {
  const char *method, *path, *second;
  bool body;
} methods[] = {
    {"GET", "/s301", "GET", false},   {"POST", "/s301", "GET", false}, {"PUT", "/s301", "PUT", true},
    {"POST", "/s302", "GET", false},  {"PUT", "/s302", "GET", false},  {"POST", "/s303", "GET", false},
    {"HEAD", "/s303", "HEAD", false}, {"POST", "/s307", "POST", true}, {"PUT", "/s308", "PUT", true},
    {"HEAD", "/s302", "HEAD", false},
};

START_TEST(redirects_follow_the_rules_of_methods) {
  start(NULL, redirect);
  struct hf_http_req req = {.method = methods[_i].method, .max_redirects = 5, .headers = HF_TABLE(json_type)};
  if (strcmp(req.method, "POST") == 0 || strcmp(req.method, "PUT") == 0) req.body = "b", req.body_len = 1;
  ck_assert_int_eq(run(methods[_i].path, req), HF_OK);
  ck_assert_uint_eq(resp.status, 200);
  ck_assert_uint_eq(resp.redirects, 1);
  ck_assert_str_eq(resp.url, at("/end?q=1"));
  char line[64];
  snprintf(line, sizeof(line), "%s /end?q=1 ", methods[_i].second);
  ck_assert(asks(&srv->seen[1], line));
  ck_assert_uint_eq(srv->seen[1].body_len, methods[_i].body);
  ck_assert_int_eq(seen_header(&srv->seen[1], "content-type") != NULL,
                   strcmp(methods[_i].second, "GET") != 0 || _i == 0);
  stop();
}
END_TEST

START_TEST(redirects_have_limits) {
  start(NULL, redirect);
  ck_assert_int_eq(GET("/s302"), HF_OK);
  ck_assert_uint_eq(resp.status, 302);
  ck_assert_str_eq(got("location"), "end?q=1");
  ck_assert_int_eq(GET("/none", .max_redirects = 5), HF_OK);
  ck_assert_str_eq(resp.body, "no location");
  ck_assert_int_eq(GET("/fat", .max_redirects = 5), HF_OK);
  ck_assert_str_eq(resp.body, "end");
  int before = srv->count;
  ck_assert_int_eq(GET("/loop", .max_redirects = 20), HF_EPROTO);
  ck_assert_str_eq(err()->cls, "TooManyRedirects");
  ck_assert_int_eq(srv->count - before, 2);
  before = srv->count;
  ck_assert_int_eq(GET("/deep0", .max_redirects = 3), HF_EPROTO);
  ck_assert_str_eq(err()->cls, "TooManyRedirects");
  ck_assert_int_eq(srv->count - before, 4);
  ck_assert_int_eq(GET("/user", .max_redirects = 5), HF_EPROTO);
  ck_assert_int_eq(GET("/ftp", .max_redirects = 5), HF_EPROTO);
  stop();
}
END_TEST

/* Whose secrets go where: the call's credential for an origin, and a header that the caller gave. */
START_TEST(credentials_stay_with_their_origin) {
  start(NULL, redirect);
  start_other(redirect);
  ck_assert_int_eq(hf_call_credential(call, base, "Authorization", "Bearer one"), HF_OK);
  if (_i == 1) ck_assert_int_eq(hf_call_credential(call, other_base, "Authorization", "Bearer two"), HF_OK);
  ck_assert_int_eq(hf_call_header(call, "X-Plain", "p"), HF_OK);
  struct hf_kv own[] = {{"X-Api-Key", "secret"}, {"Cookie", "c"}, {"Range", "bytes=0-1"}};
  struct hf_http_req req = {.max_redirects = 5, .headers = HF_TABLE(own)};
  ck_assert_int_eq(run("/s302", req), HF_OK); /* the same origin */
  for (int i = 0; i < 2; i++) {
    ck_assert_str_eq(seen_header(&srv->seen[i], "authorization"), "Bearer one");
    ck_assert_str_eq(seen_header(&srv->seen[i], "x-api-key"), "secret");
  }
  ck_assert_int_eq(run("/away", req), HF_OK); /* another port is another origin */
  const struct seen *r = &other->seen[0];
  ck_assert_pstr_eq(seen_header(r, "authorization"), _i == 1 ? "Bearer two" : NULL);
  ck_assert_ptr_null(seen_header(r, "x-api-key"));
  ck_assert_ptr_null(seen_header(r, "cookie"));
  ck_assert_str_eq(seen_header(r, "range"), "bytes=0-1");
  ck_assert_str_eq(seen_header(r, "x-plain"), "p");
  req.flags = HF_HTTP_NO_AUTH;
  ck_assert_int_eq(run("/end", req), HF_OK);
  ck_assert_ptr_null(seen_header(&srv->seen[srv->count - 1], "authorization"));
  stop();
}
END_TEST

START_TEST(user_names_in_urls_replace_credentials) {
  start(NULL, redirect);
  char url[128];
  ck_assert_int_eq(hf_call_credential(call, base, "Authorization", "Bearer one"), HF_OK);
  snprintf(url, sizeof(url), "http://me:pw@127.0.0.1:%u/end", srv->port);
  ck_assert_int_eq(run(url, (struct hf_http_req){0}), HF_OK);
  ck_assert_str_eq(seen_header(&srv->seen[0], "authorization"), "Basic bWU6cHc=");
  stop();
}
END_TEST

/* ---- rewriting ---------------------------------------------------------------------------------------------------------- */

static bool redirect_back(struct server *s, int fd, const struct seen *r) {
  char where[256];
  if (asks(r, "GET /p/own"))
    snprintf(where, sizeof(where), "Location: http://127.0.0.1:%u/p/end\r\n", s->port);
  else if (asks(r, "GET /p/down"))
    snprintf(where, sizeof(where), "Location: http://127.0.0.1:%u/q\r\n", s->port);
  else if (asks(r, "GET /p/rel"))
    snprintf(where, sizeof(where), "Location: /p/end\r\n");
  else
    return answer(fd, 200, "", "end");
  return answer(fd, 302, where, "");
}

static void start_rewritten(const char *way) {
  static char rule[256];
  srv = serve_start(redirect_back);
  snprintf(rule, sizeof(rule), PORTLESS "/=%shttp://127.0.0.1:%u/p/", way, srv->port);
  setenv("HF_TEST_BACKOFF_MS", "2", 1);
  rt = unit_runtime((struct hf_kv[]){{"HF_URL_REWRITE", rule}, {NULL, NULL}});
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

START_TEST(rules_see_logical_urls) {
  start_rewritten("");
  ck_assert_int_eq(hf_call_credential(call, PORTLESS, "Authorization", "Bearer one"), HF_OK);
  static const char *const paths[] = {PORTLESS "/own", PORTLESS "/rel"};
  for (size_t i = 0; i < 2; i++) {
    ck_assert_int_eq(run(paths[i], (struct hf_http_req){.max_redirects = 5}), HF_OK);
    ck_assert_str_eq(resp.url, PORTLESS "/end");
    ck_assert(asks(&srv->seen[2 * i + 1], "GET /p/end "));
    ck_assert_str_eq(seen_header(&srv->seen[2 * i + 1], "authorization"), "Bearer one");
  }
  ck_assert_int_eq(run(PORTLESS "/down", (struct hf_http_req){.max_redirects = 5}), HF_EPROTO); /* https to http */
  ck_assert_ptr_nonnull(strstr(err()->message, "https to http"));
  ck_assert_int_eq(srv->count, 5);
  stop();
}
END_TEST

/* ---- no network -------------------------------------------------------------------------------------------------- */

START_TEST(offline_means_no_connection) {
  start((struct hf_kv[]){{"HF_HUB_OFFLINE", "1"}, {NULL, NULL}}, say_hello);
  ck_assert_int_eq(GET("/x"), HF_EOFFLINE);
  ck_assert_str_eq(err()->cls, "OfflineModeIsEnabled");
  char words[300];
  snprintf(words, sizeof(words),
           "Cannot reach %s/x: offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment "
           "variable.",
           base);
  ck_assert_str_eq(err()->message, words);
  ck_assert_int_eq(atomic_load(&srv->connections), 0);
  stop();
}
END_TEST

START_TEST(nobody_there) {
  start(NULL, say_hello);
  char url[64];
  snprintf(url, sizeof(url), "http://127.0.0.1:%u/", srv->port);
  serve_stop(srv);
  srv = NULL;
  ck_assert_int_eq(run(url, (struct hf_http_req){.method = "POST", .tries = 3}), HF_ENET);
  ck_assert_str_eq(err()->cls, "ConnectError");
  ck_assert_uint_eq(err()->retryable, 1);
  ck_assert_str_eq(err()->url, url);
  ck_assert_ptr_nonnull(strstr(unit_log, "[Retry 2/2]")); /* nothing was sent: even a POST may be repeated */
  stop();
}
END_TEST

/* ---- proxies, many at once -------------------------------------------------------------------------------------------------- */

static void clean_proxies(void) {
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
                                      "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "REQUEST_METHOD"};
  for (size_t i = 0; i < HF_COUNT(names); i++) unsetenv(names[i]);
}

static const struct {
  const char *name, *no_proxy, *url;
  bool proxied;
} proxies[] = {
    {"HTTP_PROXY", NULL, "http://a.test/x", true},
    {"http_proxy", NULL, "http://a.test/x", true},
    {"ALL_PROXY", NULL, "http://a.test/x", true},
    {"HTTP_PROXY", "b.test", "http://a.test/x", true},
    {"HTTP_PROXY", "127.0.0.1", "/x", false},
    {"HTTP_PROXY", "127.0.0.0/8", "/x", false},
    {"HTTP_PROXY", "128.0.0.0/8", "/x", true},
    {"HTTP_PROXY", "x, *", "/x", false},
    {"HTTP_PROXY", "http://127.0.0.1", "/x", false},
    {"HTTP_PROXY", "https://127.0.0.1", "/x", true},
    {"HTTP_PROXY", "a.test:81", "http://a.test/x", true},
    {"HTTP_PROXY", ".a.test", "http://a.test/x", true},
    {"HTTP_PROXY", "*.a.test", "http://a.test/x", true},
    {"HTTP_PROXY", "xa.test", "http://a.test/x", true},
    {"HTTPS_PROXY", NULL, "/x", false},
};

START_TEST(proxies_of_the_environment) {
  clean_proxies();
  start(NULL, say_hello);
  start_other(say_hello);
  char proxy[128];
  snprintf(proxy, sizeof(proxy), "http://me:pw@127.0.0.1:%u", other->port);
  setenv(proxies[_i].name, proxy, 1);
  if (proxies[_i].no_proxy != NULL) setenv("NO_PROXY", proxies[_i].no_proxy, 1);
  ck_assert_int_eq(run(proxies[_i].url, (struct hf_http_req){.tries = 1}), HF_OK);
  ck_assert_int_eq(other->count, proxies[_i].proxied);
  ck_assert_int_eq(srv->count, !proxies[_i].proxied);
  if (proxies[_i].proxied) {
    char line[128];
    snprintf(line, sizeof(line), "GET %s HTTP/1.1", proxies[_i].url[0] == '/' ? at("/x") : proxies[_i].url);
    ck_assert(asks(&other->seen[0], line));
    ck_assert_str_eq(seen_header(&other->seen[0], "proxy-authorization"), "Basic bWU6cHc=");
  } else {
    ck_assert_ptr_null(seen_header(&srv->seen[0], "proxy-authorization"));
  }
  stop();
  clean_proxies();
}
END_TEST

static bool refuse_connect(struct server *s, int fd, const struct seen *r) {
  (void)s;
  return asks(r, "CONNECT hub.test:443 ") && answer(fd, 403, "", "no");
}

START_TEST(https_goes_through_connect) {
  clean_proxies();
  start(NULL, refuse_connect);
  char proxy[128];
  snprintf(proxy, sizeof(proxy), "127.0.0.1:%u", srv->port);
  setenv("HTTPS_PROXY", proxy, 1);
  ck_assert_int_eq(hf_call_credential(call, PORTLESS, "Authorization", "Bearer one"), HF_OK);
  ck_assert_int_eq(run(PORTLESS "/x", (struct hf_http_req){.tries = 1}), HF_ENET);
  ck_assert(asks(&srv->seen[0], "CONNECT hub.test:443 HTTP/1.1"));
  ck_assert_ptr_null(seen_header(&srv->seen[0], "authorization"));
  ck_assert_ptr_nonnull(strstr(err()->message, "403"));
  stop();
  clean_proxies();
}
END_TEST

static void *get_many(void *arg) {
  for (int i = 0; i < 50; i++) {
    hf_call *c;
    struct hf_http_resp r = {.struct_size = sizeof(r)};
    struct hf_http_req req = {.struct_size = sizeof(req), .url = arg};
    if (hf_call_begin(rt, &c) != HF_OK || hf_http(c, &req, &r) != HF_OK || strcmp(r.body, "hello") != 0) return arg;
    hf_call_end(c);
  }
  return NULL;
}

START_TEST(many_at_once_share_connections) {
  start(NULL, say_hello);
  pthread_t t[8];
  void *failed;
  for (int i = 0; i < 8; i++) pthread_create(&t[i], NULL, get_many, (void *)(uintptr_t)at("/m"));
  for (int i = 0; i < 8; i++) {
    pthread_join(t[i], &failed);
    ck_assert_ptr_null(failed);
  }
  ck_assert_int_eq(srv->count, 400);
  ck_assert_int_le(atomic_load(&srv->connections), 8);
  stop();
}
END_TEST

int main(void) {
  Suite *s = suite_create("http");
  TCase *t = tcase_create("http");
  tcase_set_timeout(t, 20);
  tcase_add_test(t, get_brings_body_and_headers);
  tcase_add_test(t, other_shapes_of_an_answer);
  tcase_add_test(t, small_caller_structs_are_fine);
  tcase_add_test(t, bodies_are_sent);
  tcase_add_loop_test(t, sources_are_streamed, 0, 2);
  tcase_add_test(t, short_source_is_an_error);
  tcase_add_test(t, headers_are_replaced_removed_and_checked);
  tcase_add_loop_test(t, statuses_are_errors, 0, HF_COUNT(refusals));
  tcase_add_test(t, the_pack_names_errors);
  tcase_add_loop_test(t, hostile_answers_are_refused, 0, HF_COUNT(hostile));
  tcase_add_test(t, compressed_answers);
  tcase_add_loop_test(t, redirects_follow_the_rules_of_methods, 0, HF_COUNT(methods));
  tcase_add_test(t, redirects_have_limits);
  tcase_add_loop_test(t, credentials_stay_with_their_origin, 0, 2);
  tcase_add_test(t, user_names_in_urls_replace_credentials);
  tcase_add_test(t, rules_see_logical_urls);
  tcase_add_test(t, offline_means_no_connection);
  tcase_add_test(t, nobody_there);
  tcase_add_loop_test(t, proxies_of_the_environment, 0, HF_COUNT(proxies));
  tcase_add_test(t, https_goes_through_connect);
  tcase_add_test(t, many_at_once_share_connections);
  suite_add_tcase(s, t);
  return unit_run(s);
}
