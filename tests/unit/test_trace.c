/* Tests of trace.c: one JSON line per attempt in a private file, with the logical URL and without a secret.
 * Lines of several writers do not mix.
 * A trace that cannot be opened is said once and never fails a request. */
#include <fcntl.h>
#include <sys/stat.h>

#include "http_fixture.h"

static char path[64];

static bool fail_once(struct server *s, int fd, const struct seen *r) {
  (void)r;
  if (s->count == 1) return answer(fd, 503, "", "");
  return answer(fd, 200, "", "hello");
}

static void start_traced(void) {
  static char rule[128];
  snprintf(path, sizeof(path), "/tmp/hf-trace-%ld", (long)getpid());
  unlink(path);
  srv = serve_start(fail_once);
  snprintf(rule, sizeof(rule), "https://hub.test/=http://127.0.0.1:%u/", srv->port);
  setenv("HF_TEST_BACKOFF_MS", "2", 1);
  rt = unit_runtime((struct hf_kv[]){{"HF_URL_REWRITE", rule}, {"HF_TRACE", path}, {NULL, NULL}});
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static char *trace_text(void) {
  static char text[65536];
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, text, sizeof(text) - 1);
  ck_assert_int_ge(n, 0);
  text[n] = '\0';
  close(fd);
  return text;
}

START_TEST(each_attempt_is_a_line) {
  start_traced();
  ck_assert_int_eq(hf_call_credential(call, "https://hub.test", "Authorization", "Bearer hf_abcdefghijklmnopqrst"),
                   HF_OK);
  ck_assert_int_eq(run("https://hub.test/f?X-Amz-Signature=deadbeef&a=b", (struct hf_http_req){0}), HF_OK);
  ck_assert_int_eq(
      run("https://hub.test/g?limit=5", (struct hf_http_req){.method = "POST", .body = "x", .body_len = 1}), HF_OK);
  struct stat st;
  ck_assert_int_eq(stat(path, &st), 0);
  ck_assert_uint_eq(st.st_mode & 0777, 0600);
  char *text = trace_text(), want[512];
  int lines = 0;
  for (char *c = text; *c != '\0'; c++) lines += *c == '\n';
  ck_assert_int_eq(lines, 3);
  snprintf(want, sizeof(want),
           "{\"method\":\"GET\",\"url\":\"https://hub.test/f?...\",\"status\":503,\"bytes\":0,\"attempt\":1,\"ms\":");
  ck_assert_int_eq(strncmp(text, want, strlen(want)), 0);
  ck_assert_ptr_nonnull(strstr(text, "\"url\":\"https://hub.test/f?...\",\"status\":200,\"bytes\":5,\"attempt\":2,"));
  ck_assert_ptr_nonnull(strstr(text, "{\"method\":\"POST\",\"url\":\"https://hub.test/g?limit=5\",\"status\":200,"));
  snprintf(want, sizeof(want), "\"connect\":\"http://127.0.0.1:%u\"}", srv->port);
  ck_assert_ptr_nonnull(strstr(text, want));
  ck_assert_ptr_null(strstr(text, "deadbeef"));
  ck_assert_ptr_null(strstr(text, "hf_abcdef"));
  stop();
  unlink(path);
}
END_TEST

START_TEST(failures_are_lines_too) {
  start_traced();
  ck_assert_int_eq(run("http://me:geheim@127.0.0.1:1/x", (struct hf_http_req){.tries = 1}), HF_ENET);
  char *text = trace_text();
  ck_assert_ptr_nonnull(strstr(text, "\"status\":0"));
  ck_assert_ptr_nonnull(strstr(text, "\"error\":\""));
  ck_assert_ptr_null(strstr(text, "geheim"));
  stop();
  unlink(path);
}
END_TEST

START_TEST(an_impossible_file_is_said) {
  snprintf(path, sizeof(path), "/dev/null/trace");
  srv = serve_start(fail_once);
  rt = unit_runtime((struct hf_kv[]){{"HF_TRACE", path}, {NULL, NULL}});
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  ck_assert_ptr_nonnull(strstr(unit_log, "/dev/null/trace"));
  stop();
}
END_TEST

int main(void) {
  Suite *s = suite_create("trace");
  TCase *t = tcase_create("trace");
  tcase_add_test(t, each_attempt_is_a_line);
  tcase_add_test(t, failures_are_lines_too);
  tcase_add_test(t, an_impossible_file_is_said);
  suite_add_tcase(s, t);
  return unit_run(s);
}
