/* Names and typed store calls: what is refused before a backend sees it, what its answers become, sources' bounds.
 * The reference client's rules for file names hold here too; the table says which names both must refuse.
 * Runs against the store of fakes.h. */
#include "fakes.h"

static const struct {
  const char *path;
  bool good;
} paths[] = {
    {"a", true},
    {"a/b/c.txt", true},
    {".gitattributes", true},
    {"...", true},
    {"a/..b/b..", true},
    {"con.txt", true},
    {"a:b", false}, /* drive-relative */
    {"ab:c", true},
    {"d\xc3\xa9j\xc3\xa0/\xe6\x96\x87.bin", true},
    {"name with space ", true},
    {"a\\b", true}, /* a file of that name on POSIX, a folder on Windows: inside in both cases */
    {"", false},
    {".", false},
    {"..", false},
    {"./a", false},
    {"a/.", false},
    {"../a", false},
    {"a/../b", false},
    {"a/..", false},
    {"a\\..\\b", false},
    {"..\\b", false},
    {"a/b\\..", false},
    {"/a", false},
    {"//host/share", false},
    {"\\a", false},
    {"\\\\host\\share\\f", false},
    {"a/\\b", false},
    {"C:\\Windows", false},
    {"c:", false},
    {"a/C:x", false},
    {"a//b", false},
    {"a/", false},
    {"a\nb", false},
    {"a\x1b[31m", false},
    {"a\x7f", false},
    {"\xff", false},
    {"a\xc0\xaf", false},        /* overlong "/" */
    {"\xed\xa0\x80", false},     /* surrogate */
    {"\xf4\x90\x80\x80", false}, /* beyond Unicode */
    {"cut\xe6\x96", false},
};

START_TEST(path_rules) {
  for (size_t i = 0; i < HF_COUNT(paths); i++) {
    hf_status st = hf_path_check(call, paths[i].path);
    ck_assert_msg(st == (paths[i].good ? HF_OK : HF_EINVAL), "'%s': %s", paths[i].path, hf_status_name(st));
    hf_call_clear(call);
  }
  char longest[5000];
  memset(longest, 'x', sizeof longest);
  longest[255] = 0;
  OK(hf_path_check(call, longest));
  longest[255] = 'x', longest[256] = 0;
  FAILS(HF_EINVAL, hf_path_check(call, longest));
  for (size_t i = 0; i + 1 < sizeof longest; i++) longest[i] = i % 2 ? '/' : 'x';
  longest[4999] = 0;
  FAILS(HF_EINVAL, hf_path_check(call, longest));
  FAILS(HF_EINVAL, hf_path_check(call, NULL));
}
END_TEST

START_TEST(the_reference_s_words) {
  ck_assert_int_eq(hf_path_check(call, "a/../b"), HF_EINVAL);
  ck_assert_str_eq(why(),
                   "Invalid filename 'a/../b': cannot contain a '..' path segment. "
                   "Please ask the repository owner to rename this file.");
  ck_assert_str_eq(hf_call_error(call)->cls, "ValueError");
  hf_call_clear(call);
  ck_assert_int_eq(hf_path_check(call, "C:\\x"), HF_EINVAL);
  ck_assert_str_eq(why(),
                   "Invalid filename 'C:\\x': cannot be an absolute, drive-relative or UNC path. "
                   "Please ask the repository owner to rename this file.");
}
END_TEST

START_TEST(repo_and_commit_rules) {
  static const char *const good[] = {"gpt2", "org/name", "Foo-BAR_foo.bar123", "a/b", "123"};
  static const char *const bad[] = {"",        "a/b/c", "-a",       "a-",   ".a", "a/.b", "foo--bar", "a..b",
                                    "foo.git", "a b",   "\xc3\xa9", "org/", "/a", "..",   "a/../b",   "a\nb"};
  for (size_t i = 0; i < HF_COUNT(good); i++) OK(hf_repo_check(call, &(struct hf_repo){"model", good[i]}));
  for (size_t i = 0; i < HF_COUNT(bad); i++)
    FAILS(HF_EINVAL, hf_repo_check(call, &(struct hf_repo){"dataset", bad[i]}));
  char longest[120];
  memset(longest, 'x', sizeof longest);
  longest[96] = 0;
  OK(hf_repo_check(call, &(struct hf_repo){"space", longest}));
  longest[96] = 'x', longest[97] = 0;
  FAILS(HF_EINVAL, hf_repo_check(call, &(struct hf_repo){"space", longest}));
  FAILS(HF_EINVAL, hf_repo_check(call, &(struct hf_repo){"models", "a/b"}));
  OK(hf_commit_check(call, COMMIT));
  FAILS(HF_EINVAL, hf_commit_check(call, "0123456789ABCDEF0123456789abcdef01234567"));
  FAILS(HF_EINVAL, hf_commit_check(call, COMMIT "\n"));
  FAILS(HF_EINVAL, hf_commit_check(call, "main"));
  OK(hf_ref_check(call, "refs/pr/3"));
  FAILS(HF_EINVAL, hf_ref_check(call, "../x"));
  FAILS(HF_EINVAL, hf_ref_check(call, "a//b"));
  OK(hf_etag_check(call, "abc-1.gz"));
  FAILS(HF_EPROTO, hf_etag_check(call, "a/b"));
  FAILS(HF_EPROTO, hf_etag_check(call, ".."));
  FAILS(HF_EPROTO, hf_etag_check(call, "W/\"x\""));
  FAILS(HF_EPROTO, hf_etag_check(call, ""));
}
END_TEST

START_TEST(nothing_wrong_reaches_the_backend) {
  hf_store *s = fake_store("fake:");
  struct hf_st_file f;
  struct hf_source *src;
  struct hf_sink *sink;
  struct hf_name up = {{"model", "a/b"}, COMMIT, "../x"}, head = {{"model", "a/b"}, "HEAD", "x"},
                 repo = {{"model", "a//b"}, COMMIT, "x"};
  struct hf_ingest in = fake_what("x", "a/b", 1), hash = fake_what("x", "tag", 1);
  hash.xet_hash = "12";
  FAILS(HF_EINVAL, hf_store_find(call, s, &up, &f));
  FAILS(HF_EINVAL, hf_store_find(call, s, &head, &f));
  FAILS(HF_EINVAL, hf_store_find(call, s, &repo, &f));
  FAILS(HF_EINVAL, hf_store_open_file(call, s, &up, &src));
  FAILS(HF_EINVAL, hf_store_absent(call, s, &up));
  FAILS(HF_EINVAL, hf_store_remove(call, s, &up));
  FAILS(HF_EPROTO, hf_store_ingest(call, s, &in, &sink));
  FAILS(HF_EPROTO, hf_store_ingest(call, s, &hash, &sink));
  FAILS(HF_EPROTO, hf_store_adopt(call, s, &in, &f));
  FAILS(HF_EINVAL, hf_store_tree_put(call, s, &up.repo, "x", NULL, 0));
  struct hf_tree_entry rows[2] = {{.struct_size = sizeof rows[0], .path = "b"},
                                  {.struct_size = sizeof rows[0], .path = "a"}};
  FAILS(HF_EINVAL, hf_store_tree_put(call, s, &up.repo, COMMIT, rows, 2)); /* not ascending */
  rows[1].path = "b";
  FAILS(HF_EINVAL, hf_store_tree_put(call, s, &up.repo, COMMIT, rows, 2)); /* twice */
  rows[1].path = "c/../d";
  FAILS(HF_EINVAL, hf_store_tree_put(call, s, &up.repo, COMMIT, rows, 2));
  ck_assert_uint_eq(fake.calls, 0);
  rows[1].path = "c";
  OK(hf_store_tree_put(call, s, &up.repo, COMMIT, rows, 2));
  ck_assert_uint_eq(fake.calls, 1);
  hf_store_close(s);
}
END_TEST

START_TEST(answers) {
  hf_store *s = fake_store("fake:rest");
  struct hf_repo repo = {"model", "a/b"};
  struct hf_name name = {repo, COMMIT, "x/y"};
  struct hf_st_file f;
  const char *commit, *volume;
  uint64_t free_bytes;
  ck_assert_str_eq(hf_store_name(s), "fake");
  ck_assert_uint_eq(hf_store_caps(s), FAKE_CAPS);
  ck_assert_int_eq(hf_store_find(call, s, &name, &f), HF_ENOTFOUND);
  OK(hf_store_ref_get(call, s, &repo, "main", &commit));
  ck_assert_str_eq(commit, COMMIT);
  ck_assert_int_eq(hf_store_ref_get(call, s, &repo, "none", &commit), HF_ENOTFOUND);
  ck_assert_int_eq(hf_store_ref_get(call, s, &repo, "broken", &commit), HF_ENOTFOUND);
  ck_assert_ptr_null(hf_call_error(call)); /* not found is an answer */
  FAILS(HF_EABI, hf_store_ref_get(call, s, &repo, "twice", &commit));
  fake.space = 123456789;
  OK(hf_store_space(call, s, &free_bytes, &volume));
  ck_assert_uint_eq(free_bytes, 123456789);
  ck_assert_str_eq(volume, "fake-volume");
  struct hf_sink *sink;
  struct hf_ingest in = fake_what("x/y", "tag", 3);
  OK(hf_store_ingest(call, s, &in, &sink));
  OK(put_range(sink, (const uint8_t *)"abc", 0, 3));
  OK(hf_sink_close(call, sink, HF_OK, 0, &f));
  OK(hf_store_find(call, s, &name, &f));
  ck_assert_str_eq(f.path, "/fake/x/y");
  ck_assert_str_eq(f.etag, "tag");
  ck_assert_uint_eq(f.size, 3);
  struct hf_key key = {repo, "tag"};
  struct hf_blob b;
  OK(hf_store_blob_stat(call, s, &key, &b));
  ck_assert_uint_eq(b.size, 3);
  ck_assert_str_eq(b.key.etag, "tag");
  hf_store_close(s);
  ck_assert_str_eq(f.path, "/fake/x/y"); /* lives as long as the call */
}
END_TEST

START_TEST(what_a_backend_lacks) {
  hf_store *s = fake_store("fake:");
  struct hf_repo repo = {"model", "a/b"};
  const char *path;
  FAILS(HF_ENOSYS, hf_store_folder(call, s, &repo, COMMIT, &path));
  FAILS(HF_ENOSYS, hf_store_ref_put(call, s, &repo, "main", NULL, COMMIT));
  hf_store_close(s);
}
END_TEST

START_TEST(sources_have_bounds) {
  hf_store *s = fake_store("fake:");
  struct hf_sink *sink;
  struct hf_source *src;
  struct hf_ingest in = fake_what("x", "tag", 5);
  OK(hf_store_ingest(call, s, &in, &sink));
  OK(put_range(sink, (const uint8_t *)"hello", 0, 5));
  OK(hf_sink_close(call, sink, HF_OK, 0, NULL));
  struct hf_key key = {{"model", "a/b"}, "tag"};
  OK(hf_store_blob_open(call, s, &key, &src));
  char buf[16] = "";
  size_t got;
  ck_assert_uint_eq(src->size, 5);
  OK(src->pread(call, src, buf, sizeof buf, 2, &got));
  ck_assert_uint_eq(got, 3);
  ck_assert_int_eq(memcmp(buf, "llo", 3), 0);
  OK(src->pread(call, src, buf, sizeof buf, 5, &got));
  ck_assert_uint_eq(got, 0);
  OK(src->pread(call, src, buf, sizeof buf, UINT64_MAX, &got));
  ck_assert_uint_eq(got, 0);
  src->close(src);
  hf_store_close(s);
}
END_TEST

START_TEST(uris) {
  hf_store *s;
  FAILS(HF_EINVAL, hf_store_open(call, "", &s));
  FAILS(HF_EINVAL, hf_store_open(call, NULL, &s));
  FAILS(HF_EINVAL, hf_store_open(call, ":x", &s));
  FAILS(HF_EINVAL, hf_store_open(call, "a-name-that-is-longer-than-any-module-may-have:x", &s));
  FAILS(HF_ENOTFOUND, hf_store_open(call, "nosuch:x", &s));
  fake.open_fails = HF_EPERM;
  FAILS(HF_EPERM, hf_store_open(call, "fake:x", &s));
  ck_assert_ptr_null(s);
  hf_store_close(NULL);
}
END_TEST

int main(void) {
  Suite *s = suite_create("store");
  TCase *t = tcase_create("store");
  tcase_add_checked_fixture(t, fake_start, fake_stop);
  tcase_add_test(t, path_rules);
  tcase_add_test(t, the_reference_s_words);
  tcase_add_test(t, repo_and_commit_rules);
  tcase_add_test(t, nothing_wrong_reaches_the_backend);
  tcase_add_test(t, answers);
  tcase_add_test(t, what_a_backend_lacks);
  tcase_add_test(t, sources_have_bounds);
  tcase_add_test(t, uris);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
