/* Tests of requests whose answer goes into a sink or a callback: what is asked for, which answers are believed, and that a
 * file goes on where it was cut. Not one byte may be written that the answer did not vouch for.
 * The file that the server has: FILE_SIZE bytes, each a function of its place. */
#include "http_fixture.h"

#define FILE_SIZE 100000u

static char file[FILE_SIZE + 1];

static void fill(void) {
  for (size_t i = 0; i < FILE_SIZE; i++) file[i] = (char)('A' + (i * 7 + i / 26) % 26);
}

/* first and last byte that a request asks for; false: the whole file */
static bool range_of(const struct seen *r, size_t *first, size_t *last) {
  const char *range = seen_header(r, "range");
  *first = 0;
  *last = FILE_SIZE - 1;
  if (range == NULL) return false;
  char *end;
  *first = strtoul(range + 6, &end, 10);
  if (end[1] != '\0') *last = strtoul(end + 1, NULL, 10);
  return true;
}

static bool part(int fd, size_t first, size_t last, size_t total, const char *more) {
  put(fd, "HTTP/1.1 206 P\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n%s\r\n", first, last, total,
      last - first + 1, more);
  return put_bytes(fd, file + first, last - first + 1);
}

static atomic_int cuts;

static bool serve_file(struct server *s, int fd, const struct seen *r) {
  (void)s;
  size_t first, last;
  bool ranged = range_of(r, &first, &last);
  const char *how = strchr(r->head, '/') + 1;
#define HOW(word) (strncmp(how, word, strlen(word)) == 0)
  if (HOW("good ")) {
    if (ranged) return part(fd, first, last, FILE_SIZE, "ETag: \"e\"\r\n");
    return put(fd, "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: %u\r\n\r\n", FILE_SIZE) &&
           put_bytes(fd, file, FILE_SIZE);
  }
  if (HOW("ignores"))
    return put(fd, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", FILE_SIZE) && put_bytes(fd, file, FILE_SIZE);
  if (HOW("ignores-unsized")) return put(fd, "HTTP/1.1 200 OK\r\n\r\n") && put_bytes(fd, file, FILE_SIZE) && false;
  if (HOW("calls-it-200")) {
    put(fd, "HTTP/1.1 200 OK\r\nContent-Range: bytes %zu-%zu/%u\r\nContent-Length: %zu\r\n\r\n", first, last, FILE_SIZE,
        last - first + 1);
    return put_bytes(fd, file + first, last - first + 1);
  }
  if (HOW("start")) return part(fd, first + 1, last, FILE_SIZE, "");
  if (HOW("total")) return part(fd, first, last, FILE_SIZE + 1, "");
  if (HOW("short")) return part(fd, first, last - 1, FILE_SIZE, "");
  if (HOW("long")) return part(fd, first, last < FILE_SIZE - 1 ? last + 1 : last, FILE_SIZE, "");
  if (HOW("multi")) return part(fd, first, last, FILE_SIZE, "Content-Type: multipart/byteranges; boundary=x\r\n");
  if (HOW("bare")) {
    put(fd, "HTTP/1.1 206 P\r\nContent-Length: %zu\r\n\r\n", last - first + 1);
    return put_bytes(fd, file + first, last - first + 1);
  }
  if (HOW("garbled")) {
    put(fd, "HTTP/1.1 206 P\r\nContent-Range: bytes */%u\r\nContent-Length: %zu\r\n\r\n", FILE_SIZE, last - first + 1);
    return put_bytes(fd, file + first, last - first + 1);
  }
  if (HOW("liar")) {
    put(fd, "HTTP/1.1 206 P\r\nContent-Range: bytes %zu-%zu/%u\r\nContent-Length: %zu\r\n\r\n", first, last, FILE_SIZE,
        last - first);
    return put_bytes(fd, file + first, last - first);
  }
  if (HOW("empty")) return put(fd, "HTTP/1.1 204 No\r\n\r\n");
  if (HOW("fat")) {
    put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++)
      if (!put(fd, "%x\r\n", FILE_SIZE) || !put_bytes(fd, file, FILE_SIZE) || !put(fd, "\r\n")) return false;
    return put(fd, "0\r\n\r\n");
  }
  if (HOW("thin")) {
    put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n");
    return put_bytes(fd, file, 1000) && put(fd, "\r\n0\r\n\r\n");
  }
  if (HOW("wrong-length")) return put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
  if (HOW("page")) return answer(fd, 404, "Content-Type: text/html\r\n", "<html>");
  if (HOW("cdn")) return answer(fd, 302, "Location: /good\r\n", "see there");
  if (HOW("gzip")) {
    put(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %u\r\n\r\n", FILE_SIZE);
    return put_bytes(fd, file, FILE_SIZE);
  }
  /* The rest cut the connection, each time a bit later, until `cuts` is used up. */
  const char *etag = HOW("changing") && first > 0 ? "ETag: \"f\"\r\n" : "ETag: \"e\"\r\n";
  int left = atomic_fetch_sub(&cuts, 1);
  if (left <= 0 && HOW("cut-whole")) ranged = false, first = 0;
  if (ranged)
    put(fd, "HTTP/1.1 206 P\r\n%sContent-Range: bytes %zu-%zu/%u\r\nContent-Length: %zu\r\n\r\n", etag, first, last,
        FILE_SIZE, last - first + 1);
  else
    put(fd, "HTTP/1.1 200 OK\r\n%sContent-Length: %u\r\n\r\n", etag, FILE_SIZE);
  size_t n = left > 0 ? (HOW("cut-at-once") ? 0 : 5000) : last - first + 1;
  if (n > last - first + 1) n = last - first + 1;
  return put_bytes(fd, file + first, n) && left <= 0;
}

static void begin(void) {
  fill();
  start(NULL, serve_file);
}

/* Exactly [from, from+len) was written, and rightly. */
static void check_bytes(struct memory_sink *s, size_t from, size_t len) {
  for (size_t i = 0; i < FILE_SIZE; i++) {
    char want = i >= from && i < from + len ? file[i] : '.';
    if (s->bytes[i] != want) ck_abort_msg("byte %zu is '%c', not '%c'", i, s->bytes[i], want);
  }
  ck_assert_uint_le(s->end, from + len);
}

/* ---- good answers ------------------------------------------------------------------------------------------------- */

static const struct {
  const char *path;
  uint64_t size, off, len;
  const char *range; /* that is asked for */
  uint32_t flags;
} good[] = {
    {"/good", HF_SIZE_UNKNOWN, 0, HF_SIZE_UNKNOWN, NULL, 0},
    {"/good", FILE_SIZE, 0, HF_SIZE_UNKNOWN, NULL, 0},
    {"/good", FILE_SIZE, 0, FILE_SIZE, NULL, 0},
    {"/good", FILE_SIZE, 10, 20, "bytes=10-29", 0},
    {"/good", HF_SIZE_UNKNOWN, 0, 1, "bytes=0-0", 0},
    {"/good", FILE_SIZE, FILE_SIZE - 1, 1, "bytes=99999-", 0},
    {"/good", FILE_SIZE, 500, HF_SIZE_UNKNOWN, "bytes=500-", 0},
    {"/good", HF_SIZE_UNKNOWN, 500, HF_SIZE_UNKNOWN, "bytes=500-", 0},
    {"/calls-it-200", FILE_SIZE, 10, 20, "bytes=10-29", 0},
    {"/bare", FILE_SIZE, 10, 20, "bytes=10-29", HF_HTTP_BARE_PART},
    {"/ignores", FILE_SIZE, 10, 20, "bytes=10-29", HF_HTTP_WHOLE_OK},
    {"/ignores", FILE_SIZE, 99000, HF_SIZE_UNKNOWN, "bytes=99000-", HF_HTTP_WHOLE_OK},
    {"/ignores-unsized", FILE_SIZE, 10, 20, "bytes=10-29", HF_HTTP_WHOLE_OK},
    {"/ignores-unsized", FILE_SIZE, 0, HF_SIZE_UNKNOWN, NULL, 0},
    {"/gzip", FILE_SIZE, 0, HF_SIZE_UNKNOWN, NULL, 0},
};

START_TEST(good_answers) {
  begin();
  struct memory_sink *s = sink_new(good[_i].size);
  struct hf_http_req req = {.dst = &s->sink, .dst_off = good[_i].off, .dst_len = good[_i].len, .flags = good[_i].flags};
  hf_status st = run(good[_i].path, req);
  ck_assert_msg(st == HF_OK, "%d %s", st, st ? err()->message : "");
  check_bytes(s, good[_i].off, good[_i].len == HF_SIZE_UNKNOWN ? FILE_SIZE - good[_i].off : good[_i].len);
  ck_assert_uint_eq(s->sink.size, FILE_SIZE);
  ck_assert_pstr_eq(seen_header(&srv->seen[0], "range"), good[_i].range);
  ck_assert_str_eq(seen_header(&srv->seen[0], "accept-encoding"), "identity");
  ck_assert_uint_eq(resp.body_len, 0);
  ck_assert_int_eq(srv->count, 1);
  free(s);
  stop();
}
END_TEST

START_TEST(size_learned_at_the_end) {
  begin();
  struct memory_sink *s = sink_new(HF_SIZE_UNKNOWN);
  ck_assert_int_eq(GET("/ignores-unsized", .dst = &s->sink, .dst_len = HF_SIZE_UNKNOWN), HF_OK);
  ck_assert_uint_eq(s->sink.size, FILE_SIZE);
  check_bytes(s, 0, FILE_SIZE);
  free(s);
  stop();
}
END_TEST

START_TEST(redirect_bodies_stay_out) {
  begin();
  struct memory_sink *s = sink_new(FILE_SIZE);
  ck_assert_int_eq(GET("/cdn", .dst = &s->sink, .dst_off = 5, .dst_len = 7, .max_redirects = 3), HF_OK);
  check_bytes(s, 5, 7);
  ck_assert_str_eq(seen_header(&srv->seen[1], "range"), "bytes=5-11");
  free(s);
  s = sink_new(FILE_SIZE);
  ck_assert_int_eq(GET("/cdn", .dst = &s->sink, .dst_off = 5, .dst_len = 7), HF_OK);
  ck_assert_uint_eq(resp.status, 302);
  ck_assert_str_eq(resp.body, "see there");
  check_bytes(s, 0, 0);
  free(s);
  stop();
}
END_TEST

START_TEST(nothing_is_nothing) {
  begin();
  struct memory_sink *s = sink_new(FILE_SIZE);
  ck_assert_int_eq(GET("/good", .dst = &s->sink, .dst_off = 5, .dst_len = 0), HF_OK);
  ck_assert_int_eq(GET("/good", .dst = &s->sink, .dst_off = 5, .dst_len = FILE_SIZE), HF_EINVAL);
  ck_assert_int_eq(GET("/good", .dst = &s->sink, .dst_off = UINT64_MAX - 1, .dst_len = 5), HF_EINVAL);
  ck_assert_int_eq(srv->count, 0);
  free(s);
  stop();
}
END_TEST

/* ---- answers that lie ----------------------------------------------------------------------------------------------- */

static const struct {
  const char *path;
  uint64_t off, len;
  uint32_t flags;
  hf_status st;
  size_t kept;
} lies[] = {
    {"/ignores", 10, 20, 0, HF_EPROTO, 0},
    {"/start", 10, 20, 0, HF_EPROTO, 0},
    {"/total", 10, 20, 0, HF_EPROTO, 0},
    {"/short", 10, 20, 0, HF_EPROTO, 0},
    {"/long", 10, 20, 0, HF_EPROTO, 0},
    {"/multi", 10, 20, 0, HF_EPROTO, 0},
    {"/bare", 10, 20, 0, HF_EPROTO, 0},
    {"/bare", 10, 20, HF_HTTP_WHOLE_OK, HF_EPROTO, 0},
    {"/garbled", 10, 20, 0, HF_EPROTO, 0},
    {"/liar", 10, 20, 0, HF_EPROTO, 0},
    {"/empty", 10, 20, 0, HF_EPROTO, 0},
    {"/page", 10, 20, 0, HF_ENOTFOUND, 0},
    {"/wrong-length", 0, FILE_SIZE, 0, HF_EPROTO, 0},
    {"/fat", 0, FILE_SIZE, 0, HF_EPROTO, FILE_SIZE},
    {"/thin", 0, FILE_SIZE, 0, HF_ENET, 1000},
};

START_TEST(lies_write_nothing_wrong) {
  begin();
  struct memory_sink *s = sink_new(FILE_SIZE);
  struct hf_http_req req = {
      .dst = &s->sink, .dst_off = lies[_i].off, .dst_len = lies[_i].len, .flags = lies[_i].flags, .tries = 2};
  ck_assert_int_eq(run(lies[_i].path, req), lies[_i].st);
  ck_assert_uint_le(s->end, lies[_i].kept);
  ck_assert_int_eq(memcmp(s->bytes, file, s->end), 0);
  ck_assert_int_eq(srv->count, lies[_i].st == HF_ENET ? 2 : 1);
  free(s);
  stop();
}
END_TEST

START_TEST(errors_of_the_sink_are_final) {
  begin();
  struct memory_sink *s = sink_new(FILE_SIZE);
  s->fail = HF_ENOSPACE;
  ck_assert_int_eq(GET("/good", .dst = &s->sink, .dst_len = HF_SIZE_UNKNOWN), HF_ENOSPACE);
  ck_assert_str_eq(err()->message, "the sink is broken");
  ck_assert_int_eq(srv->count, 1);
  free(s);
  stop();
}
END_TEST

/* ---- cut and continued ---------------------------------------------------------------------------------------------- */

static const struct {
  const char *path;
  int cuts;
  uint64_t off, len;
  hf_status st;
  int requests;
  const char *last_range;
} broken[] = {
    {"/cut", 1, 0, HF_SIZE_UNKNOWN, HF_OK, 2, "bytes=5000-"},
    {"/cut", 15, 0, HF_SIZE_UNKNOWN, HF_OK, 16, "bytes=75000-"}, /* progress never uses up the tries */
    {"/cut", 1, 100, 20000, HF_OK, 2, "bytes=5100-20099"},
    {"/cut-whole", 2, 0, HF_SIZE_UNKNOWN, HF_OK, 3,
     "bytes=10000-"}, /* the range is ignored at last: skipped to the place */
    {"/cut-at-once", 99, 0, HF_SIZE_UNKNOWN, HF_ENET, 6, NULL},
    {"/changing", 1, 0, HF_SIZE_UNKNOWN, HF_ECONFLICT, 2, "bytes=5000-"},
};

START_TEST(goes_on_where_it_was_cut) {
  begin();
  atomic_store(&cuts, broken[_i].cuts);
  struct memory_sink *s = sink_new(FILE_SIZE);
  struct hf_http_req req = {.dst = &s->sink, .dst_off = broken[_i].off, .dst_len = broken[_i].len};
  ck_assert_int_eq(run(broken[_i].path, req), broken[_i].st);
  ck_assert_int_eq(srv->count, broken[_i].requests);
  ck_assert_pstr_eq(seen_header(&srv->seen[srv->count - 1], "range"), broken[_i].last_range);
  if (broken[_i].st == HF_OK) {
    check_bytes(s, broken[_i].off, broken[_i].len == HF_SIZE_UNKNOWN ? FILE_SIZE : broken[_i].len);
    ck_assert_uint_eq(resp.attempts, (uint32_t)broken[_i].requests);
  }
  free(s);
  stop();
}
END_TEST

/* ---- callbacks -------------------------------------------------------------------------------------------------------- */

static hf_status collect(hf_call *c, void *arg, const void *data, size_t len) {
  struct hf_text_buf *b = arg;
  (void)c;
  hf_text_add(b, data, len);
  return HF_OK;
}

static hf_status stop_it(hf_call *c, void *arg, const void *data, size_t len) {
  (void)data, (void)len;
  ++*(int *)arg;
  return hf_call_failf(c, HF_EGATED, "enough");
}

START_TEST(callbacks_get_bytes_in_order) {
  begin();
  struct hf_text_buf b;
  hf_text_init(&b, 1 << 20);
  ck_assert_int_eq(GET("/good", .on_data = collect, .on_data_arg = &b), HF_OK);
  ck_assert_uint_eq(b.len, FILE_SIZE);
  ck_assert_int_eq(memcmp(b.data, file, FILE_SIZE), 0);
  ck_assert_uint_eq(resp.body_len, 0);
  hf_text_free(&b);
  hf_text_init(&b, 1 << 20);
  ck_assert_int_eq(GET("/page", .on_data = collect, .on_data_arg = &b), HF_ENOTFOUND);
  ck_assert_uint_eq(b.len, 0);
  ck_assert_str_eq(resp.body, "<html>");
  int calls = 0;
  ck_assert_int_eq(GET("/good", .on_data = stop_it, .on_data_arg = &calls), HF_EGATED);
  ck_assert_int_eq(calls, 1);
  atomic_store(&cuts, 1); /* bytes that were given away cannot be taken back: no second attempt */
  int before = srv->count;
  ck_assert_int_eq(GET("/cut", .on_data = collect, .on_data_arg = &b), HF_ENET);
  ck_assert_int_eq(srv->count, before + 1);
  hf_text_free(&b);
  stop();
}
END_TEST

/* A slow reader: the network thread must stop reading, and everything arrives all the same. */
static hf_status slow_writev(hf_call *c, struct hf_sink *sink, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct memory_sink *s = (struct memory_sink *)sink;
  (void)c;
  for (uint32_t i = 0; i < n; i++) {
    for (size_t k = 0; k < iov[i].len; k += 4093)
      if (((const char *)iov[i].base)[k] != (char)((off + k) % 251)) s->fail = HF_EPROTO;
    off += iov[i].len;
  }
  s->end = off;
  usleep(2000);
  return s->fail;
}

#define LONG_SIZE (24u * 1024 * 1024)
static bool serve_long(struct server *s, int fd, const struct seen *r) {
  (void)s, (void)r;
  static char buf[251 * 1000];
  for (size_t i = 0; i < sizeof(buf); i++) buf[i] = (char)(i % 251);
  put(fd, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", LONG_SIZE);
  for (size_t sent = 0; sent < LONG_SIZE; sent += sizeof(buf))
    if (!put_bytes(fd, buf, LONG_SIZE - sent < sizeof(buf) ? LONG_SIZE - sent : sizeof(buf))) return false;
  return true;
}

START_TEST(slow_sinks_hold_the_server_back) {
  start(NULL, serve_long);
  struct memory_sink *s = sink_new(LONG_SIZE);
  s->sink.writev = slow_writev;
  ck_assert_int_eq(GET("/", .dst = &s->sink, .dst_len = HF_SIZE_UNKNOWN), HF_OK);
  ck_assert_uint_eq(s->end, LONG_SIZE);
  free(s);
  stop();
}
END_TEST

static hf_status sleepy_writev(hf_call *c, struct hf_sink *sink, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct memory_sink *s = (struct memory_sink *)sink;
  (void)c;
  if (s->end == 0) usleep(1500000);
  for (uint32_t i = 0; i < n; i++) off += iov[i].len;
  s->end = off;
  return HF_OK;
}

START_TEST(a_slow_disk_is_not_a_silent_server) {
  start((struct hf_kv[]){{"HF_STALL_TIMEOUT", "1"}, {NULL, NULL}}, serve_long);
  struct memory_sink *s = sink_new(LONG_SIZE);
  s->sink.writev = sleepy_writev;
  ck_assert_int_eq(GET("/", .dst = &s->sink, .dst_len = HF_SIZE_UNKNOWN, .tries = 1), HF_OK);
  ck_assert_uint_eq(s->end, LONG_SIZE);
  free(s);
  stop();
}
END_TEST

START_TEST(bytes_per_second_are_limited) {
  fill();
  start((struct hf_kv[]){{"HF_RATE_DOWN", "200000"}, {NULL, NULL}}, serve_file);
  struct memory_sink *s = sink_new(FILE_SIZE);
  uint64_t t = now_ms();
  for (int i = 0; i < 2; i++) ck_assert_int_eq(GET("/good", .dst = &s->sink, .dst_len = HF_SIZE_UNKNOWN), HF_OK);
  t = now_ms() - t;
  ck_assert_uint_ge(t, 900);
  ck_assert_uint_le(t, 1100 + LATE_MS);
  free(s);
  stop();
}
END_TEST

/* The server counts how many it serves at the same time. */
static atomic_int now_serving, most_served;
static bool serve_slowly(struct server *s, int fd, const struct seen *r) {
  (void)s, (void)r;
  int n = atomic_fetch_add(&now_serving, 1) + 1, most = atomic_load(&most_served);
  while (n > most && !atomic_compare_exchange_weak(&most_served, &most, n)) continue;
  usleep(30000);
  atomic_fetch_sub(&now_serving, 1);
  return answer(fd, 200, "", "x");
}

static hf_status get_slow(hf_call *c, void *arg, uint32_t i) {
  (void)arg, (void)i;
  struct hf_http_req req = {.struct_size = sizeof(req), .url = at("/slow"), .timeout_ms = 5000, .tries = 1};
  return hf_http(c, &req, NULL);
}

START_TEST(a_host_has_so_many_connections) {
  start((struct hf_kv[]){{"HF_CONNECTIONS", "3"}, {NULL, NULL}}, serve_slowly);
  ck_assert_int_eq(hf_parallel(call, 24, 12, get_slow, NULL), HF_OK);
  ck_assert_int_eq(srv->count, 24);
  ck_assert_int_eq(atomic_load(&most_served), 3);
  stop();
}
END_TEST

static hf_status ask_again(hf_call *c, void *arg, const void *data, size_t len) {
  (void)data, (void)len;
  ++*(int *)arg;
  return get_slow(c, NULL, 0);
}

START_TEST(a_callback_may_ask_again) {
  int calls = 0;
  start((struct hf_kv[]){{"HF_CONNECTIONS", "1"}, {NULL, NULL}}, serve_slowly);
  ck_assert_int_eq(GET("/slow", .on_data = ask_again, .on_data_arg = &calls), HF_OK);
  ck_assert_int_eq(calls, 1);
  ck_assert_int_eq(srv->count, 2);
  stop();
}
END_TEST

/* Four ranges of one file at once, as the multipart adapter does. */
static hf_status fetch_quarter(hf_call *c, void *arg, uint32_t i) {
  struct memory_sink *s = arg;
  struct hf_http_req req = {.struct_size = sizeof(req),
                            .url = at("/good"),
                            .dst = &s->sink,
                            .dst_off = i * (FILE_SIZE / 4),
                            .dst_len = FILE_SIZE / 4};
  return hf_http(c, &req, NULL);
}

START_TEST(ranges_in_parallel) {
  begin();
  struct memory_sink *s = sink_new(FILE_SIZE);
  ck_assert_int_eq(hf_parallel(call, 4, 4, fetch_quarter, s), HF_OK);
  check_bytes(s, 0, FILE_SIZE);
  ck_assert_int_eq(srv->count, 4);
  free(s);
  stop();
}
END_TEST

int main(void) {
  Suite *s = suite_create("http-range");
  TCase *t = tcase_create("http-range");
  tcase_set_timeout(t, 20);
  tcase_add_loop_test(t, good_answers, 0, HF_COUNT(good));
  tcase_add_test(t, size_learned_at_the_end);
  tcase_add_test(t, redirect_bodies_stay_out);
  tcase_add_test(t, nothing_is_nothing);
  tcase_add_loop_test(t, lies_write_nothing_wrong, 0, HF_COUNT(lies));
  tcase_add_test(t, errors_of_the_sink_are_final);
  tcase_add_loop_test(t, goes_on_where_it_was_cut, 0, HF_COUNT(broken));
  tcase_add_test(t, callbacks_get_bytes_in_order);
  tcase_add_test(t, slow_sinks_hold_the_server_back);
  tcase_add_test(t, a_slow_disk_is_not_a_silent_server);
  tcase_add_test(t, bytes_per_second_are_limited);
  tcase_add_test(t, a_host_has_so_many_connections);
  tcase_add_test(t, a_callback_may_ask_again);
  tcase_add_test(t, ranges_in_parallel);
  suite_add_tcase(s, t);
  return unit_run(s);
}
