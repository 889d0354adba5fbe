/* Tests of hf_http() over time: what is tried again and how often, the pauses that a server asks for, silence, time limits,
 * cancelling. Pauses of our own are shortened for the tests (HF_TEST_BACKOFF_MS), those of the server are real.
 * Upper bounds of time are generous, so that a busy machine does not fail them. */
#include "http_fixture.h"

/* ---- repetition --------------------------------------------------------------------------------------------------------- */

static atomic_int failures; /* how often the server still fails */

static bool fail_first(struct server *s, int fd, const struct seen *r) {
  (void)s;
  int left = atomic_fetch_sub(&failures, 1);
  const char *how = strchr(r->head, '/') + 1;
  if (left <= 0) return answer(fd, 200, "", "at last");
  if (strncmp(how, "cut", 3) == 0) return put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), false;
  if (strncmp(how, "close", 5) == 0) return false;
  if (strncmp(how, "limit", 5) == 0) return answer(fd, 429, "RateLimit: \"api\";r=0;t=1\r\nRetry-After: 3600\r\n", "");
  if (strncmp(how, "after", 5) == 0) return answer(fd, 503, "Retry-After: 1\r\n", "");
  if (strncmp(how, "wait30", 6) == 0) return answer(fd, 503, "Retry-After: 30\r\n", "");
  if (strncmp(how, "date", 4) == 0)
    return answer(fd, 503, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:38 GMT\r\n", "");
  if (strncmp(how, "years", 5) == 0) return answer(fd, 503, "Retry-After: 99999999\r\n", "");
  return answer(fd, (int)strtol(how, NULL, 10), "", "not yet");
}

static const struct {
  const char *method, *path;
  int fail;
  uint32_t tries, flags;
  hf_status st;
  int requests;
} repeats[] = {
    {"GET", "/503", 2, 0, 0, HF_OK, 3},
    {"GET", "/500", 5, 0, 0, HF_OK, 6},
    {"GET", "/408", 1, 0, 0, HF_OK, 2},
    {"GET", "/502", 9, 0, 0, HF_EHTTP, 6},
    {"GET", "/504", 9, 3, 0, HF_EHTTP, 3},
    {"GET", "/503", 9, 1, 0, HF_EHTTP, 1},
    {"GET", "/501", 9, 0, 0, HF_EHTTP, 1},
    {"GET", "/404", 9, 0, 0, HF_ENOTFOUND, 1},
    {"HEAD", "/429", 1, 0, 0, HF_OK, 2},
    {"PUT", "/500", 1, 0, 0, HF_OK, 2},
    {"POST", "/500", 1, 0, 0, HF_EHTTP, 1},
    {"POST", "/503", 1, 0, 0, HF_OK, 2},
    {"POST", "/429", 1, 0, 0, HF_OK, 2},
    {"POST", "/500", 1, 0, HF_HTTP_IDEMPOTENT, HF_OK, 2},
    {"GET", "/503", 9, 2, HF_HTTP_ANY_STATUS, HF_OK, 2},
    {"GET", "/cut", 2, 0, 0, HF_OK, 3},
    {"GET", "/cut", 9, 2, 0, HF_ENET, 2},
    {"POST", "/cut", 1, 0, 0, HF_ENET, 1},
    {"POST", "/cut", 1, 0, HF_HTTP_IDEMPOTENT, HF_OK, 2},
    {"GET", "/close", 1, 0, 0, HF_OK, 2},
    {"POST", "/close", 1, 0, 0, HF_ENET, 1},
    {"GET", "/years", 9, 0, 0, HF_EHTTP, 1},
};

START_TEST(what_may_be_repeated_is) {
  atomic_store(&failures, repeats[_i].fail);
  start(NULL, fail_first);
  struct hf_http_req req = {.method = repeats[_i].method, .tries = repeats[_i].tries, .flags = repeats[_i].flags};
  ck_assert_int_eq(run(repeats[_i].path, req), repeats[_i].st);
  ck_assert_int_eq(srv->count, repeats[_i].requests);
  if (repeats[_i].st == HF_OK && !(req.flags & HF_HTTP_ANY_STATUS)) ck_assert_uint_eq(resp.status, 200);
  if (repeats[_i].st == HF_OK) ck_assert_uint_eq(resp.attempts, (uint32_t)repeats[_i].requests);
  stop();
}
END_TEST

START_TEST(repetition_is_logged_like_the_reference) {
  atomic_store(&failures, 1);
  start(NULL, fail_first);
  ck_assert_int_eq(GET("/503?limit=30&signature=x"), HF_OK);
  ck_assert_ptr_nonnull(strstr(unit_log, "HTTP Error 503 thrown while requesting GET http://127.0.0.1:"));
  ck_assert_ptr_null(strchr(unit_log, '?'));
  ck_assert_ptr_nonnull(strstr(unit_log, "Retrying in 1s [Retry 1/5]."));
  stop();
}
END_TEST

START_TEST(the_servers_wish_is_honoured) {
  static const char *const paths[] = {"/after", "/limit", "/date"};
  atomic_store(&failures, 1);
  start(NULL, fail_first);
  uint64_t t = now_ms();
  ck_assert_int_eq(GET(paths[_i]), HF_OK);
  ck_assert_uint_ge(now_ms() - t, 990);
  ck_assert_uint_le(now_ms() - t, 2100 + LATE_MS);
  stop();
}
END_TEST

static void *get_in_thread(void *arg) {
  hf_call *c;
  struct hf_http_resp r = {.struct_size = sizeof(r)};
  struct hf_http_req req = {.struct_size = sizeof(req), .url = arg};
  ck_assert_int_eq(hf_call_begin(rt, &c), HF_OK);
  hf_status st = hf_http(c, &req, &r);
  hf_call_end(c);
  return (void *)(intptr_t)st;
}

START_TEST(all_workers_wait_when_one_was_told_to) {
  atomic_store(&failures, 1);
  start(NULL, fail_first);
  pthread_t first, second;
  void *st;
  pthread_create(&first, NULL, get_in_thread, (void *)(uintptr_t)at("/after"));
  while (srv->count == 0) usleep(1000);
  usleep(50000);
  uint64_t t = now_ms();
  pthread_create(&second, NULL, get_in_thread, (void *)(uintptr_t)at("/other"));
  pthread_join(second, &st);
  ck_assert_int_eq((intptr_t)st, HF_OK);
  ck_assert_uint_ge(now_ms() - t, 800);
  pthread_join(first, &st);
  ck_assert_int_eq((intptr_t)st, HF_OK);
  stop();
}
END_TEST

/* ---- time and cancelling -------------------------------------------------------------------------------------------------- */

static bool stall(struct server *s, int fd, const struct seen *r) {
  if (asks(r, "GET /body")) put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
  if (asks(r, "GET /drip")) {
    put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (!atomic_load(&s->stop) && put(fd, "x")) usleep(30000);
  }
  while (!atomic_load(&s->stop)) usleep(10000);
  return false;
}

START_TEST(silence_ends_an_exchange) {
  static const char *const paths[] = {"/head", "/body"};
  start((struct hf_kv[]){{"HF_STALL_TIMEOUT", "1"}, {NULL, NULL}}, stall);
  uint64_t t = now_ms();
  ck_assert_int_eq(GET(paths[_i], .tries = 1), HF_ETIMEDOUT);
  ck_assert_uint_ge(now_ms() - t, 950);
  ck_assert_uint_le(now_ms() - t, 1250 + LATE_MS);
  ck_assert_str_eq(err()->cls, "ReadTimeout");
  ck_assert_uint_eq(err()->retryable, 1);
  stop();
}
END_TEST

START_TEST(an_exchange_has_its_time) {
  start(NULL, stall);
  uint64_t t = now_ms();
  ck_assert_int_eq(GET("/drip", .tries = 1, .timeout_ms = 300), HF_ETIMEDOUT);
  ck_assert_uint_ge(now_ms() - t, 290);
  ck_assert_uint_le(now_ms() - t, 400 + LATE_MS);
  stop();
}
END_TEST

static void *cancel_soon(void *arg) {
  usleep(200000);
  hf_call_cancel(arg);
  return NULL;
}

START_TEST(cancelling_ends_it_soon) {
  static const char *const paths[] = {"/head", "/body", "/drip"};
  start(NULL, stall);
  pthread_t t;
  uint64_t from = now_ms();
  pthread_create(&t, NULL, cancel_soon, call);
  ck_assert_int_eq(GET(paths[_i]), HF_ECANCELED);
  from = now_ms() - from;
  pthread_join(t, NULL);
  ck_assert_uint_ge(from, 190);
  ck_assert_uint_le(from, 300 + LATE_MS);
  stop();
}
END_TEST

START_TEST(cancelling_ends_a_pause) {
  atomic_store(&failures, 99);
  start(NULL, fail_first);
  pthread_t t;
  uint64_t from = now_ms();
  pthread_create(&t, NULL, cancel_soon, call);
  ck_assert_int_eq(GET("/wait30"), HF_ECANCELED);
  from = now_ms() - from;
  pthread_join(t, NULL);
  ck_assert_uint_le(from, 300 + LATE_MS);
  stop();
}
END_TEST

int main(void) {
  Suite *s = suite_create("http-repeat");
  TCase *t = tcase_create("http-repeat");
  tcase_set_timeout(t, 20);
  tcase_add_loop_test(t, what_may_be_repeated_is, 0, HF_COUNT(repeats));
  tcase_add_test(t, repetition_is_logged_like_the_reference);
  tcase_add_loop_test(t, the_servers_wish_is_honoured, 0, 3);
  tcase_add_test(t, all_workers_wait_when_one_was_told_to);
  tcase_add_loop_test(t, silence_ends_an_exchange, 0, 2);
  tcase_add_test(t, an_exchange_has_its_time);
  tcase_add_loop_test(t, cancelling_ends_it_soon, 0, 3);
  tcase_add_test(t, cancelling_ends_a_pause);
  suite_add_tcase(s, t);
  return unit_run(s);
}
