/* The shipped adapters against a server of this test on the loopback interface: which requests they make, how they go on after
 * a cut, a server without ranges, an address that expires, and how many connections they use.
 * The real network module and plugins of the build folder; the store is that of fakes.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fakes.h"

#define MIB ((size_t)1 << 20)
enum { REQUESTS_MOST = 4096, CONNECTIONS_MOST = 256 };

/* ---- the server: one thread per connection ---- */

static struct server {
  int fd;
  uint16_t port;
  pthread_t thread, connections[CONNECTIONS_MOST];
  uint32_t connected;
  pthread_mutex_t lock;
  const uint8_t *body;
  size_t size;
  char etag[65];
  /* what it does */
  bool no_ranges, no_length, redirects, wrong_range;
  uint64_t cut_after;   /* first answer ends after so many body bytes */
  uint32_t refuse_from; /* request number from which the old address is refused */
  uint32_t status;      /* instead of 200 */
  uint32_t delay_us;    /* per 64 KiB: makes one connection slow */
  /* what it saw */
  uint32_t requests, ranged, now, most_at_once, refused;
  uint64_t sent;
  char lines[REQUESTS_MOST][96];
} server;

static bool send_all(int fd, const void *data, size_t len) {
  for (const char *p = data; len;) {
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
    if (n <= 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

/* Body bytes [from, to), counted; false when the connection is over. */
static bool send_body(int fd, size_t from, size_t to) {
  while (from < to) {
    size_t n = to - from < 65536 ? to - from : 65536;
    pthread_mutex_lock(&server.lock);
    bool cut = server.cut_after && server.sent + n > server.cut_after;
    if (cut) server.cut_after = 0;
    server.sent += cut ? 0 : n;
    pthread_mutex_unlock(&server.lock);
    if (cut) return false;
    if (server.delay_us) usleep(server.delay_us);
    if (!send_all(fd, server.body + from, n)) return false;
    from += n;
  }
  return true;
}

static bool answer(int fd, const char *head) {
  char target[64] = "", out[600];
  unsigned long long from = 0, to = server.size;
  sscanf(head, "GET %63s", target);
  const char *range = strcasestr(head, "\r\nrange: bytes=");
  if (range && !server.no_ranges) {
    char *end;
    from = strtoull(range + 15, &end, 10);
    if (end[0] == '-' && end[1] >= '0' && end[1] <= '9') to = strtoull(end + 1, NULL, 10) + 1;
  }
  pthread_mutex_lock(&server.lock);
  uint32_t number = ++server.requests;
  if (number < REQUESTS_MOST) snprintf(server.lines[number], 96, "%s %llu-%llu", target, from, range ? to : 0);
  server.ranged += range != NULL;
  bool refuse = server.refuse_from && number >= server.refuse_from && strcmp(target, "/fresh") != 0;
  server.refused += refuse;
  pthread_mutex_unlock(&server.lock);
  if (server.redirects && strcmp(target, "/file") == 0) {
    int n = snprintf(out, sizeof out, "HTTP/1.1 302 Found\r\nLocation: /cdn\r\nContent-Length: 0\r\n\r\n");
    return send_all(fd, out, (size_t)n);
  }
  if (refuse || server.status) {
    int n = snprintf(out, sizeof out, "HTTP/1.1 %u No\r\nContent-Length: 0\r\n\r\n", refuse ? 403 : server.status);
    return send_all(fd, out, (size_t)n);
  }
  bool part = range && !server.no_ranges;
  int n = snprintf(out, sizeof out, "HTTP/1.1 %s\r\nETag: \"%s\"\r\n", part ? "206 Partial" : "200 OK", server.etag);
  if (part)
    n += snprintf(out + n, sizeof out - (size_t)n, "Content-Range: bytes %llu-%llu/%zu\r\n", from + server.wrong_range,
                  to - 1, server.size);
  if (server.no_length)
    n += snprintf(out + n, sizeof out - (size_t)n, "Connection: close\r\n\r\n");
  else
    n += snprintf(out + n, sizeof out - (size_t)n, "Content-Length: %llu\r\n\r\n", to - from);
  return send_all(fd, out, (size_t)n) && send_body(fd, (size_t)from, (size_t)to) && !server.no_length;
}

static void *serve(void *arg) {
  int fd = (int)(intptr_t)arg;
  char head[8192];
  size_t have = 0;
  pthread_mutex_lock(&server.lock);
  if (++server.now > server.most_at_once) server.most_at_once = server.now;
  pthread_mutex_unlock(&server.lock);
  for (;;) {
    ssize_t n = recv(fd, head + have, sizeof head - 1 - have, 0);
    if (n <= 0) break;
    have += (size_t)n;
    head[have] = 0;
    if (!strstr(head, "\r\n\r\n")) continue;
    have = 0;
    if (!answer(fd, head)) break;
  }
  close(fd);
  pthread_mutex_lock(&server.lock);
  server.now--;
  pthread_mutex_unlock(&server.lock);
  return NULL;
}

static void *listen_loop(void *arg) {
  (void)arg;
  for (;;) {
    int fd = accept(server.fd, NULL, NULL);
    if (fd < 0) return NULL;
    ck_assert(server.connected < CONNECTIONS_MOST);
    ck_assert(pthread_create(&server.connections[server.connected++], NULL, serve, (void *)(intptr_t)fd) == 0);
  }
}

static void server_start(size_t size) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  memset(&server, 0, sizeof server);
  pthread_mutex_init(&server.lock, NULL);
  server.body = fake_bytes(size, 42);
  server.size = size;
  fake_etag(HF_DIGEST_SHA256, server.body, size, server.etag);
  server.fd = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert(bind(server.fd, (struct sockaddr *)&a, len) == 0 && listen(server.fd, 64) == 0);
  getsockname(server.fd, (struct sockaddr *)&a, &len);
  server.port = ntohs(a.sin_port);
  ck_assert(pthread_create(&server.thread, NULL, listen_loop, NULL) == 0);
}

static void server_stop(void) {
  shutdown(server.fd, SHUT_RDWR);
  close(server.fd);
  pthread_join(server.thread, NULL);
  for (uint32_t i = 0; i < server.connected; i++) pthread_join(server.connections[i], NULL);
  free((void *)(uintptr_t)server.body);
}

/* ---- fetching ---- */

static hf_store *store;
static char url[64], fresh[64];
static const char *endpoint; /* of the Hub; NULL: none of the hosts is it */
static uint32_t refreshes;

static void start(void) {
  fake_start();
  hf_call_end(call); /* again with the plugins of the build folder */
  hf_runtime_free(rt);
  char argv0[4096];
  snprintf(argv0, sizeof argv0, "%s/bin/hf", getenv("HF_TEST_BUILD"));
  static const struct hf_kv settings[] = {{"HF_TRIES", "2"}, {"HF_CONNECTIONS", "16"}};
  struct hf_runtime_opts o = {.struct_size = sizeof o,
                              .flags = HF_RT_NO_CONFIG_FILE,
                              .statics = fake_statics,
                              .settings = HF_TABLE(settings),
                              .argv0 = argv0};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
  ck_assert(hf_call_begin(rt, &call) == HF_OK);
  alpha.score = beta.score = 0;
  refreshes = 0;
  endpoint = NULL;
  store = fake_store("fake:");
}

static void stop(void) {
  hf_store_close(store);
  fake_stop();
  server_stop();
}

static hf_status on_refresh(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i) {
  (void)c;
  (void)arg;
  (void)i;
  __atomic_add_fetch(&refreshes, 1, __ATOMIC_SEQ_CST);
  f->url = fresh;
  return HF_OK;
}

static hf_status fetch_with(const char *adapters, uint64_t told) {
  snprintf(url, sizeof url, "http://127.0.0.1:%u/file", server.port);
  snprintf(fresh, sizeof fresh, "http://127.0.0.1:%u/fresh", server.port);
  struct hf_fetch_file file = {
      .struct_size = sizeof file, .path = "dir/file", .etag = server.etag, .url = url, .size = told};
  struct hf_fetch f = {.struct_size = sizeof f,
                       .repo = {"model", "org/repo"},
                       .commit = COMMIT,
                       .endpoint = endpoint,
                       .store = store,
                       .files = &file,
                       .count = 1,
                       .adapters = adapters,
                       .refresh = on_refresh};
  return hf_fetch(call, &f);
}

static uint64_t sent(void) {
  pthread_mutex_lock(&server.lock);
  uint64_t n = server.sent;
  pthread_mutex_unlock(&server.lock);
  return n;
}

static void right(void) {
  struct fake_blob *b = fake_published(server.etag, NULL);
  ck_assert_ptr_nonnull(b);
  ck_assert_uint_eq(b->size, server.size);
  if (b->size) ck_assert_int_eq(memcmp(b->data, server.body, b->size), 0);
}

START_TEST(a_small_file_is_one_plain_request) {
  server_start(10000);
  OK(fetch_with(_i ? "multipart" : "basic", 10000));
  right();
  ck_assert_uint_eq(server.requests, 1);
  ck_assert_uint_eq(server.ranged, 0);
}
END_TEST

START_TEST(basic_takes_a_large_file_in_one_request) {
  server_start(20 * MIB);
  OK(fetch_with("basic", 20 * MIB));
  right();
  ck_assert_uint_eq(server.requests, 1);
  ck_assert_uint_eq(server.ranged, 0);
}
END_TEST

START_TEST(unknown_sizes) {
  server_start(3 * MIB);
  server.no_length = _i & 1;
  OK(fetch_with(_i & 2 ? "multipart" : "basic", HF_SIZE_UNKNOWN));
  right();
  ck_assert_uint_eq(server.requests, 1);
}
END_TEST

START_TEST(an_empty_file_needs_no_request) {
  server_start(0);
  OK(fetch_with("basic", 0));
  right();
  ck_assert_uint_eq(server.requests, 0);
}
END_TEST

START_TEST(a_cut_connection_goes_on) {
  server_start(20 * MIB);
  server.cut_after = 9 * MIB;
  OK(fetch_with(_i ? "multipart" : "basic", 20 * MIB));
  right();
  ck_assert_uint_eq(fake.written, 20 * MIB); /* no byte twice */
}
END_TEST

START_TEST(the_next_run_goes_on) {
  server_start(20 * MIB);
  fake.write_fails_at = 12 * MIB;
  FAILS(HF_ENOSPACE, fetch_with(_i ? "multipart" : "basic", 20 * MIB));
  fake.write_fails_at = 0;
  uint64_t before = sent();
  OK(fetch_with(_i ? "multipart" : "basic", 20 * MIB));
  right();
  ck_assert_uint_le(sent() - before, 10 * MIB);
  ck_assert_uint_ge(server.ranged, 1);
}
END_TEST

START_TEST(a_server_without_ranges) {
  server_start(20 * MIB);
  server.no_ranges = true;
  OK(fetch_with(_i ? NULL : "basic", 20 * MIB)); /* multipart asks for a part, is refused, basic goes on */
  right();
  if (!_i) ck_assert_uint_eq(server.requests, 1);
}
END_TEST

START_TEST(a_server_without_ranges_on_resume) {
  server_start(20 * MIB);
  fake.write_fails_at = 12 * MIB;
  FAILS(HF_ENOSPACE, fetch_with("basic", 20 * MIB));
  fake.write_fails_at = 0;
  server.no_ranges = true;
  OK(fetch_with("basic", 20 * MIB)); /* skips what it has */
  right();
}
END_TEST

START_TEST(a_wrong_range_is_not_taken) {
  server_start(64 * MIB);
  server.wrong_range = true;
  FAILS(HF_EPROTO, fetch_with("multipart", 64 * MIB));
  ck_assert_uint_eq(fake.publisheds, 0);
}
END_TEST

START_TEST(slow_connections_are_multiplied) {
  server_start(160 * MIB);
  server.delay_us = 300;
  OK(fetch_with("multipart", 160 * MIB));
  right();
  ck_assert_uint_ge(server.most_at_once, 4);
  ck_assert_uint_le(server.most_at_once, 16);
  ck_assert_uint_eq(fake.written, 160 * MIB);
}
END_TEST

START_TEST(redirects_are_followed_once) {
  server_start(64 * MIB);
  server.redirects = true;
  OK(fetch_with("multipart", 64 * MIB));
  right();
  uint32_t first = 0, cdn = 0;
  for (uint32_t i = 1; i <= server.requests; i++) {
    first += strncmp(server.lines[i], "/file ", 6) == 0;
    cdn += strncmp(server.lines[i], "/cdn ", 5) == 0;
  }
  ck_assert_uint_eq(first, 1);
  ck_assert_uint_ge(cdn, 2);
}
END_TEST

START_TEST(an_address_that_expires_is_renewed_once) {
  server_start(100 * MIB);
  server.refuse_from = 3;
  server.delay_us = 100;
  OK(fetch_with("multipart", 100 * MIB));
  right();
  ck_assert_uint_eq(fake.written, 100 * MIB);
  ck_assert_uint_eq(refreshes, 1);
}
END_TEST

START_TEST(refused_for_good) {
  server_start(20 * MIB);
  server.status = 403;
  hf_status st = fetch_with(_i ? "multipart" : "basic", 20 * MIB);
  ck_assert_int_ne(st, HF_OK);
  ck_assert_uint_eq(hf_call_error(call)->http_status, 403);
  ck_assert_uint_eq(refreshes, 1);
  ck_assert_uint_eq(server.requests, 2);
}
END_TEST

START_TEST(the_hub_itself_refuses) {
  char hub[64];
  server_start(20 * MIB);
  server.status = 403;
  snprintf(hub, sizeof hub, "http://127.0.0.1:%u", server.port);
  endpoint = hub;
  ck_assert_int_ne(fetch_with(_i ? "multipart" : "basic", 20 * MIB), HF_OK);
  ck_assert_uint_eq(hf_call_error(call)->http_status, 403);
  ck_assert_uint_eq(refreshes, 0);
  ck_assert_uint_eq(server.requests, 1);
}
END_TEST

START_TEST(not_found) {
  server_start(1000);
  server.status = 404;
  ck_assert_int_ne(fetch_with(NULL, 1000), HF_OK);
  ck_assert_uint_eq(hf_call_error(call)->http_status, 404);
  ck_assert_uint_eq(server.requests, 1); /* no adapter tries what another was refused */
}
END_TEST

START_TEST(a_damaged_body_comes_once_more) {
  server_start(MIB);
  ((uint8_t *)(uintptr_t)server.body)[1000] ^= 1;
  FAILS(HF_EDIGEST, fetch_with(NULL, MIB));
  ck_assert_uint_eq(server.requests, 2);
  ck_assert_uint_eq(fake.publisheds, 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("adapters");
  TCase *t = tcase_create("adapters");
  tcase_add_checked_fixture(t, start, stop);
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, a_small_file_is_one_plain_request, 0, 2);
  tcase_add_test(t, basic_takes_a_large_file_in_one_request);
  tcase_add_loop_test(t, unknown_sizes, 0, 4);
  tcase_add_test(t, an_empty_file_needs_no_request);
  tcase_add_loop_test(t, a_cut_connection_goes_on, 0, 2);
  tcase_add_loop_test(t, the_next_run_goes_on, 0, 2);
  tcase_add_loop_test(t, a_server_without_ranges, 0, 2);
  tcase_add_test(t, a_server_without_ranges_on_resume);
  tcase_add_test(t, a_wrong_range_is_not_taken);
  tcase_add_test(t, slow_connections_are_multiplied);
  tcase_add_test(t, redirects_are_followed_once);
  tcase_add_test(t, an_address_that_expires_is_renewed_once);
  tcase_add_loop_test(t, refused_for_good, 0, 2);
  tcase_add_loop_test(t, the_hub_itself_refuses, 0, 2);
  tcase_add_test(t, not_found);
  tcase_add_test(t, a_damaged_body_comes_once_more);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
