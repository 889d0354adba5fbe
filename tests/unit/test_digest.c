/* Tests of digest.c: known digests of known bytes, in pieces, from several threads, and what cannot be computed.
 * The values were made with sha256sum and git hash-object.
 * The network module is the built one, beside which the test lies. */
#include <check.h>
#include <core.h>
#include <stdio.h>
#include <stdlib.h>

static hf_runtime *rt;
static hf_call *call;

static void setup(void) {
  char argv0[4096];
  snprintf(argv0, sizeof(argv0), "%s/bin/hf", getenv("HF_TEST_BUILD"));
  struct hf_runtime_opts opts = {.struct_size = sizeof(opts), .flags = HF_RT_NO_CONFIG_FILE, .argv0 = argv0};
  ck_assert_int_eq(hf_runtime_new(&opts, &rt), HF_OK);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

static const struct {
  uint32_t algo, len;
  const char *text, *hex;
} known[] = {
    {HF_DIGEST_SHA256, 32, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {HF_DIGEST_SHA256, 32, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {HF_DIGEST_GIT_BLOB, 20, "", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
    {HF_DIGEST_GIT_BLOB, 20, "hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"},
};

static void hex_of(const struct hf_digest *d, char *out) {
  for (uint32_t i = 0; i < d->len; i++) snprintf(out + 2 * i, 3, "%02x", d->bytes[i]);
}

START_TEST(digests_known_bytes) {
  const char *text = known[_i].text;
  hf_digester *d;
  struct hf_digest is;
  char hex[65];
  ck_assert_int_eq(hf_digest_new(call, known[_i].algo, strlen(text), &d), HF_OK);
  for (const char *c = text; *c != '\0'; c++) hf_digest_add(d, c, 1);
  hf_digest_end(d, &is);
  ck_assert_uint_eq(is.algo, known[_i].algo);
  ck_assert_uint_eq(is.len, known[_i].len);
  hex_of(&is, hex);
  ck_assert_str_eq(hex, known[_i].hex);
}
END_TEST

START_TEST(refuses_what_it_cannot) {
  hf_digester *d;
  ck_assert_int_eq(hf_digest_new(call, HF_DIGEST_GIT_BLOB, HF_SIZE_UNKNOWN, &d), HF_EINVAL);
  ck_assert_ptr_null(d);
  hf_call_clear(call);
  ck_assert_int_eq(hf_digest_new(call, HF_DIGEST_XET, 1, &d), HF_ENOSYS);
  hf_digest_end(NULL, NULL);
}
END_TEST

START_TEST(can_be_dropped) {
  hf_digester *d;
  ck_assert_int_eq(hf_digest_new(call, HF_DIGEST_SHA256, 3, &d), HF_OK);
  hf_digest_add(d, "abc", 3);
  hf_digest_end(d, NULL);
}
END_TEST

START_TEST(missing_module_is_named) {
  hf_digester *d;
  hf_runtime *other;
  hf_call *c;
  char dir[] = "/tmp/hf-digest-XXXXXX", path[128];
  ck_assert_ptr_nonnull(mkdtemp(dir));
  ck_assert_int_eq(hf_runtime_new(&(struct hf_runtime_opts){.struct_size = sizeof(struct hf_runtime_opts)}, &other),
                   HF_OK);
  ck_assert_int_eq(hf_call_begin(other, &c), HF_OK);
  free(other->libdir);
  other->libdir = hf_mem_dup(dir, SIZE_MAX);
  ck_assert_int_eq(hf_digest_new(c, HF_DIGEST_SHA256, 3, &d), HF_ENOTFOUND);
  snprintf(path, sizeof(path), "%s/hf-net.so", dir);
  ck_assert_ptr_nonnull(strstr(hf_call_error(c)->message, path));
  hf_call_end(c);
  hf_runtime_free(other);
  remove(dir);
}
END_TEST

int main(void) {
  Suite *s = suite_create("digest");
  TCase *t = tcase_create("digest");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_loop_test(t, digests_known_bytes, 0, HF_COUNT(known));
  tcase_add_test(t, refuses_what_it_cannot);
  tcase_add_test(t, can_be_dropped);
  tcase_add_test(t, missing_module_is_named);
  suite_add_tcase(s, t);
  SRunner *runner = srunner_create(s);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed != 0;
}
