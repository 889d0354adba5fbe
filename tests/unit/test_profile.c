/* What a call carries: options, headers, and credentials that go to their origin and nowhere else.
 * Branches inherit and change without their parent noticing; a credential needs https, loopback or a rule's consent.
 * The matrix of origins is the heart of it: a row that sends a token too far is a leak. */
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;

static void open_with(const struct hf_kv *settings) {
  rt = unit_runtime(settings);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void setup(void) {
  open_with(NULL);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

static const char *sent(hf_call *c, const char *url, bool credentials, const char *name) {
  struct hf_kv *rows;
  uint32_t n;
  const char *value = NULL;
  ck_assert_int_eq(hf_profile_headers(c, url, credentials, &rows, &n), HF_OK);
  for (uint32_t i = 0; i < n; i++) {
    if (strcasecmp(rows[i].key, name) != 0) continue;
    ck_assert_msg(!value, "%s is there twice", name);
    value = rows[i].value;
  }
  return value;
}

START_TEST(options_are_inherited_and_changed_apart) {
  ck_assert_ptr_null(hf_call_get_option(call, "revision"));
  ck_assert_int_eq(hf_call_option(call, "revision", "main"), HF_OK);
  hf_call *a = hf_call_branch(call), *b = hf_call_branch(call);
  hf_call_option(a, "revision", "v1");
  hf_call_option(b, "revision", NULL);
  const char *kept = hf_call_get_option(a, "revision");
  hf_call_option(a, "revision", "v2");
  ck_assert_str_eq(kept, "v1"); /* valid as long as the call */
  ck_assert_str_eq(hf_call_get_option(a, "revision"), "v2");
  ck_assert_ptr_null(hf_call_get_option(b, "revision"));
  ck_assert_str_eq(hf_call_get_option(call, "revision"), "main");
  hf_call *late = hf_call_branch(a);
  hf_call_branch_end(a, false);
  ck_assert_str_eq(hf_call_get_option(late, "revision"), "v2");
  hf_call_branch_end(late, false);
  hf_call_branch_end(b, false);
}
END_TEST

START_TEST(options_fall_back_to_module_and_runtime) {
  teardown();
  open_with((struct hf_kv[]){
      {"mine.dir", "/from/option"}, {"HF_TRANSFER", "basic"}, {"HF_TOKEN", "hf_secretsecret"}, {NULL, NULL}});
  static const struct hf_param params[] = {{.name = "dir", .deflt = "/default"},
                                           {.name = "size", .deflt = "4", .env = "UNIT_MINE_SIZE"},
                                           {.name = "help", .deflt = "(as it is)"},
                                           {.name = "bare"}};
  struct hf_module m = {.kind = HF_KIND_STORAGE, .name = "mine", .config = HF_TABLE(params)};
  call->module = &m;
  unsetenv("UNIT_MINE_SIZE");
  ck_assert_str_eq(hf_call_get_option(call, "dir"), "/from/option");
  ck_assert_str_eq(hf_call_get_option(call, "size"), "4");
  ck_assert_ptr_null(hf_call_get_option(call, "help"));
  ck_assert_ptr_null(hf_call_get_option(call, "bare"));
  setenv("UNIT_MINE_SIZE", "8", 1);
  ck_assert_str_eq(hf_call_get_option(call, "size"), "8");
  hf_call_option(call, "dir", "/from/call");
  ck_assert_str_eq(hf_call_get_option(call, "dir"), "/from/call");
  ck_assert_str_eq(hf_call_get_option(call, "HF_TRANSFER"), "basic");
  ck_assert_ptr_null(hf_call_get_option(call, "HF_TOKEN")); /* no plugin gets the token this way */
}
END_TEST

START_TEST(headers_go_everywhere) {
  hf_call_header(call, "User-Agent", "unit");
  hf_call_header(call, "X-Two", "2");
  hf_call_header(call, "user-agent", "newer");
  hf_call_header(call, "x-two", NULL);
  ck_assert_str_eq(sent(call, "https://hub.example/a", true, "User-Agent"), "newer");
  ck_assert_str_eq(sent(call, "http://other.example/a", false, "User-Agent"), "newer");
  ck_assert_ptr_null(sent(call, "https://hub.example/a", true, "X-Two"));
}
END_TEST

START_TEST(impossible_headers_are_refused) {
  ck_assert_int_eq(hf_call_header(call, "X-A", "1\r\nX-B: 2"), HF_EINVAL);
  hf_call_clear(call);
  ck_assert_int_eq(hf_call_header(call, "X A", "1"), HF_EINVAL);
  ck_assert_int_eq(hf_call_header(call, "", "1"), HF_EINVAL);
  ck_assert_int_eq(hf_call_credential(call, "https://h", "A", "hf_abcdefghijklmnop\n"), HF_EINVAL);
  ck_assert_ptr_null(strstr(hf_call_error(call)->message, "abcdefghijklmnop"));
}
END_TEST

static const struct {
  const char *origin, *url;
  bool goes;
} origins[] = {
    {"https://hub.example", "https://hub.example/api/models", true},
    {"https://hub.example", "https://HUB.example:443/api", true},
    {"https://hub.example:443/", "https://hub.example/x", true},
    {"https://hub.example", "https://hub.example.evil/x", false},
    {"https://hub.example", "https://evil.hub.example/x", false},
    {"https://hub.example", "https://hub.example:8443/x", false},
    {"https://hub.example", "http://hub.example/x", false},
    {"http://hub.example", "http://hub.example/x", false}, /* plain http beyond loopback */
    {"http://localhost:8080", "http://localhost:8080/x", true},
    {"http://127.0.0.1:8080", "http://127.0.0.1:8080/x", true},
    {"http://127.1.2.3", "http://127.1.2.3/x", true},
    {"http://[::1]:8080", "http://[::1]:8080/x", true},
    {"http://127.0.0.1.evil.example", "http://127.0.0.1.evil.example/x", false},
    {"http://localhost.evil.example", "http://localhost.evil.example/x", false},
    {"http://10.0.0.1", "http://10.0.0.1/x", false},
    {"https://hub.example", "https://hub.example@evil.example/x", false},
    {"https://cdn.example https://hub.example", "https://hub.example/x", true},
    {"https://cdn.example,https://hub.example", "https://cdn.example/x", true},
    {"https://cdn.example https://hub.example", "https://third.example/x", false},
};

START_TEST(credentials_go_to_their_origin_only) {
  ck_assert_int_eq(hf_call_credential(call, origins[_i].origin, "Authorization", "Bearer x"), HF_OK);
  const char *value = sent(call, origins[_i].url, true, "authorization");
  if (origins[_i].goes)
    ck_assert_str_eq(value, "Bearer x");
  else
    ck_assert_ptr_null(value);
  ck_assert_ptr_null(sent(call, origins[_i].url, false, "authorization"));
}
END_TEST

START_TEST(rewriting_decides_whether_http_may_carry_a_credential) {
  teardown();
  open_with((struct hf_kv[]){{"HF_URL_REWRITE",
                              "https://a.example/=http://127.0.0.1:1/;https://b.example/=http://far.example/;"
                              "https://c.example/=!http://far.example/;https://d.example/=https://gate.example/"},
                             {NULL, NULL}});
  hf_call_credential(call, "https://a.example https://b.example https://c.example https://d.example", "Authorization",
                     "x");
  ck_assert_str_eq(sent(call, "https://a.example/m", true, "Authorization"), "x");
  ck_assert_ptr_null(sent(call, "https://b.example/m", true, "Authorization"));
  ck_assert_str_eq(sent(call, "https://c.example/m", true, "Authorization"), "x");
  ck_assert_str_eq(sent(call, "https://d.example/m", true, "Authorization"), "x");
}
END_TEST

START_TEST(unchecked_certificates_get_no_credential) {
  teardown();
  open_with((struct hf_kv[]){{"HF_INSECURE", "1"}, {NULL, NULL}});
  hf_call_credential(call, "https://hub.example https://127.0.0.1:9", "Authorization", "x");
  ck_assert_ptr_null(sent(call, "https://hub.example/m", true, "Authorization"));
  ck_assert_str_eq(sent(call, "https://127.0.0.1:9/m", true, "Authorization"), "x");
}
END_TEST

START_TEST(the_newest_credential_counts_and_wins_over_a_header) {
  hf_call_header(call, "Authorization", "default");
  hf_call_credential(call, "https://hub.example", "authorization", "old");
  hf_call_credential(call, "https://hub.example:443", "Authorization", "new");
  hf_call_credential(call, "https://hub.example", "X-Key", "k");
  ck_assert_str_eq(sent(call, "https://hub.example/m", true, "Authorization"), "new");
  ck_assert_str_eq(sent(call, "https://hub.example/m", true, "X-Key"), "k");
  ck_assert_str_eq(sent(call, "https://other.example/m", true, "Authorization"), "default");
  hf_call *branch = hf_call_branch(call);
  hf_call_credential(branch, "https://hub.example", "Authorization", NULL);
  ck_assert_str_eq(sent(branch, "https://hub.example/m", true, "Authorization"), "default");
  ck_assert_str_eq(sent(call, "https://hub.example/m", true, "Authorization"), "new");
  hf_call_branch_end(branch, false);
}
END_TEST

static void *set_many(void *arg) {
  hf_call *c = arg;
  for (int i = 0; i < 100; i++) {
    char value[16];
    snprintf(value, sizeof value, "%d", i % 7);
    if (hf_call_option(c, "shared", value) != HF_OK || !hf_call_get_option(c, "shared")) return NULL;
  }
  return arg;
}

START_TEST(threads_may_set_options_of_one_call) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, set_many, call);
  for (int i = 0; i < 4; i++) {
    void *ok;
    pthread_join(threads[i], &ok);
    ck_assert_ptr_nonnull(ok);
  }
}
END_TEST

START_TEST(without_memory_nothing_changes) {
  hf_call_option(call, "k", "before");
  hf_mem_fail_after(0, true);
  ck_assert_int_eq(hf_call_option(call, "k", "after"), HF_ENOMEM);
  hf_mem_fail_after(-1, false);
  ck_assert_str_eq(hf_call_get_option(call, "k"), "before");
}
END_TEST

int main(void) {
  Suite *s = suite_create("profile");
  TCase *t = tcase_create("profile");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, options_are_inherited_and_changed_apart);
  tcase_add_test(t, options_fall_back_to_module_and_runtime);
  tcase_add_test(t, headers_go_everywhere);
  tcase_add_test(t, impossible_headers_are_refused);
  tcase_add_loop_test(t, credentials_go_to_their_origin_only, 0, HF_COUNT(origins));
  tcase_add_test(t, rewriting_decides_whether_http_may_carry_a_credential);
  tcase_add_test(t, unchecked_certificates_get_no_credential);
  tcase_add_test(t, the_newest_credential_counts_and_wins_over_a_header);
  tcase_add_test(t, threads_may_set_options_of_one_call);
  tcase_add_test(t, without_memory_nothing_changes);
  suite_add_tcase(s, t);
  return unit_run(s);
}
