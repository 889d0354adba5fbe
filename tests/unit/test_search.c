/* test_search.c - the folders that are searched and in which order, and whose files are trusted: modes, sticky folders,
 * links, loops, relative names, and that nothing is ever taken from the current folder.
 * Owners other than the tester's are tried where the test runs as root. */
#include "corpus.h"
#include "registry.h"

static char why[HF_WHY_MAX], real[PATH_MAX];

START_TEST(searches_in_order) {
  struct hf_place p[8];
  setenv("XDG_DATA_HOME", "/data", 1);
  uint32_t n = hf_search_places("/a:/b", "/c::/d", "/lib/hf", p, 8);
  ck_assert_uint_eq(n, 6);
  const char *want[] = {"/a", "/b", "/c", "/d", "/data/hf/plugins", "/lib/hf/plugins"};
  for (uint32_t i = 0; i < n; i++) {
    ck_assert_str_eq(p[i].path, want[i]);
    ck_assert_str_eq(p[i].why, "");
  }
  unsetenv("XDG_DATA_HOME");
  setenv("HOME", "/home/me", 1);
  ck_assert_uint_eq(hf_search_places(NULL, NULL, NULL, p, 8), 1);
  ck_assert_str_eq(p[0].path, "/home/me/.local/share/hf/plugins");
  setenv("XDG_DATA_HOME", "relative", 1); /* does not count */
  ck_assert_uint_eq(hf_search_places(NULL, NULL, NULL, p, 8), 1);
  ck_assert_str_eq(p[0].path, "/home/me/.local/share/hf/plugins");
}
END_TEST

START_TEST(refuses_relative_folders_in_words) {
  struct hf_place p[8];
  ck_assert_uint_ge(hf_search_places("here", ".", NULL, p, 8), 2);
  ck_assert_ptr_nonnull(strstr(p[0].why, "\"here\" is relative: give the whole path"));
  ck_assert_ptr_nonnull(strstr(p[1].why, "is relative"));
  ck_assert(!hf_path_trusted("here", real, why));
  ck_assert(!hf_path_trusted("", real, why));
}
END_TEST

START_TEST(keeps_within_its_room) {
  struct hf_place p[2];
  ck_assert_uint_eq(hf_search_places("/a:/b:/c", "/d", "/lib", p, 2), 2);
  char *longest = malloc(10000);
  memset(longest, 'x', 9999);
  longest[0] = '/', longest[9999] = 0;
  ck_assert_uint_eq(hf_search_places(longest, NULL, NULL, p, 1), 1);
  ck_assert_str_ne(p[0].why, "");
  ck_assert(!hf_path_trusted(longest, real, why));
  free(longest);
}
END_TEST

START_TEST(trusts_what_only_we_can_write) {
  const char *dir = scratch_new();
  ck_assert_int_eq(mkdir(join(dir, "sub"), 0755), 0);
  file_write(join(dir, "sub/file"), "x", 1);
  ck_assert_msg(hf_path_trusted(join(dir, "sub/file"), real, why), "%s", why);
  ck_assert_str_eq(real, join(dir, "sub/file"));
  ck_assert(hf_path_trusted(join(dir, "./sub//../sub/file"), real, why));
  ck_assert_str_eq(real, join(dir, "sub/file"));
  ck_assert(hf_path_trusted("/", real, why));
  ck_assert_str_eq(real, "/");
  ck_assert(!hf_path_trusted(join(dir, "nothing"), real, why));
  scratch_remove(dir);
}
END_TEST

START_TEST(refuses_what_everybody_can_write) {
  const char *dir = scratch_new();
  const char *sub = join(dir, "sub"), *file = join(dir, "sub/file");
  ck_assert_int_eq(mkdir(sub, 0755), 0);
  file_write(file, "x", 1);
  ck_assert_int_eq(chmod(file, 0666), 0);
  ck_assert(!hf_path_trusted(file, real, why));
  ck_assert_ptr_nonnull(strstr(why, "may be written by everybody"));
  ck_assert_int_eq(chmod(file, 0644), 0);
  ck_assert_int_eq(chmod(sub, 0777), 0);
  ck_assert(!hf_path_trusted(file, real, why));
  ck_assert_int_eq(chmod(sub, 01777), 0); /* sticky: others cannot replace what is ours */
  ck_assert_msg(hf_path_trusted(file, real, why), "%s", why);
  ck_assert_int_eq(chmod(sub, 0755), 0);
  ck_assert_int_eq(chmod(dir, 0777), 0); /* a folder further up counts as well */
  ck_assert(!hf_path_trusted(file, real, why));
  scratch_remove(dir);
}
END_TEST

START_TEST(group_may_write_only_when_it_is_the_owners_own) {
  struct stat st = {.st_uid = geteuid(), .st_gid = getgid(), .st_mode = S_IFREG | 0664};
  ck_assert(hf_stat_trusted("f", &st, why));
  st.st_gid = getgid() + 4242;
  ck_assert(!hf_stat_trusted("f", &st, why));
  ck_assert_ptr_nonnull(strstr(why, "may be written by group"));
  st.st_mode = S_IFREG | 0644;
  ck_assert(hf_stat_trusted("f", &st, why));
  st.st_mode = S_IFLNK | 0777;
  ck_assert(hf_stat_trusted("f", &st, why));
}
END_TEST

START_TEST(refuses_files_of_other_users) {
  struct stat st = {.st_uid = geteuid() + 1, .st_gid = getgid(), .st_mode = S_IFREG | 0644};
  ck_assert(!hf_stat_trusted("f", &st, why));
  ck_assert_ptr_nonnull(strstr(why, "belongs to another user"));
  st.st_uid = 0;
  ck_assert(hf_stat_trusted("f", &st, why));
  if (geteuid() != 0) return;
  const char *dir = scratch_new();
  file_write(join(dir, "file"), "x", 1);
  ck_assert_int_eq(chown(join(dir, "file"), 12345, 12345), 0);
  ck_assert(!hf_path_trusted(join(dir, "file"), real, why));
  ck_assert_int_eq(symlink("file", join(dir, "link")), 0);
  ck_assert(!hf_path_trusted(join(dir, "link"), real, why));
  scratch_remove(dir);
}
END_TEST

START_TEST(follows_links_and_checks_where_they_lead) {
  const char *dir = scratch_new();
  ck_assert_int_eq(mkdir(join(dir, "open"), 0755), 0);
  file_write(join(dir, "open/file"), "x", 1);
  ck_assert_int_eq(symlink("open", join(dir, "way")), 0);
  ck_assert_int_eq(symlink(join(dir, "open/file"), join(dir, "whole")), 0);
  ck_assert_int_eq(symlink("../open/./file", join(dir, "open/up")), 0);
  ck_assert(hf_path_trusted(join(dir, "way/file"), real, why));
  ck_assert_str_eq(real, join(dir, "open/file"));
  ck_assert(hf_path_trusted(join(dir, "whole"), real, why));
  ck_assert_str_eq(real, join(dir, "open/file"));
  ck_assert_msg(hf_path_trusted(join(dir, "open/up"), real, why), "%s", why);
  ck_assert_str_eq(real, join(dir, "open/file"));
  ck_assert_int_eq(chmod(join(dir, "open"), 0777), 0);
  ck_assert(!hf_path_trusted(join(dir, "whole"), real, why));
  ck_assert_int_eq(symlink("loop", join(dir, "loop")), 0);
  ck_assert(!hf_path_trusted(join(dir, "loop"), real, why));
  ck_assert_ptr_nonnull(strstr(why, "too many links"));
  scratch_remove(dir);
}
END_TEST

int main(void) {
  Suite *s = suite_create("search");
  TCase *t = tcase_create("search");
  tcase_add_test(t, searches_in_order);
  tcase_add_test(t, refuses_relative_folders_in_words);
  tcase_add_test(t, keeps_within_its_room);
  tcase_add_test(t, trusts_what_only_we_can_write);
  tcase_add_test(t, refuses_what_everybody_can_write);
  tcase_add_test(t, group_may_write_only_when_it_is_the_owners_own);
  tcase_add_test(t, refuses_files_of_other_users);
  tcase_add_test(t, follows_links_and_checks_where_they_lead);
  suite_add_tcase(s, t);
  return run_suite(s);
}
