/* test_local_dir.c - a folder with real files: the notes beside them byte for
 * byte, what counts as unchanged, replacing, links that were planted, long
 * names, resuming. Times in the notes are compared with what Python prints. */
#include "store_kit.h"

#define BOOK      "dir/.cache/huggingface"
#define META      BOOK "/download/"
#define SHA_HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define GIT_HELLO "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"

static hf_store *store;

static void begin(void) {
  kit_begin();
  store = kit_open("local-dir", "dir");
}

static void end(void) {
  hf_store_close(store);
  kit_end();
}

static hf_status find_in(const char *commit, const char *path, struct hf_st_file *f) {
  return hf_store_find(kit_c, store, &(struct hf_name){kit_repo, commit, path}, f);
}

static hf_status adopt(const char *path, const char *etag, uint64_t size, struct hf_st_file *f) {
  struct hf_ingest in = kit_what(path, etag, size);
  return hf_store_adopt(kit_c, store, &in, f);
}

/* The third line of a note must be a time of now, as Python prints such a number. */
static void check_meta(const char *text, const char *commit, const char *etag) {
  char head[256];
  int n = snprintf(head, sizeof head, "%s\n%s\n", commit, etag);
  ck_assert_msg(strncmp(text, head, (size_t)n) == 0, "%s", text);
  const char *t = text + n;
  char *stop;
  long long sec = strtoll(t, &stop, 10);
  ck_assert(sec >= time(NULL) - 5 && sec <= time(NULL) + 1);
  ck_assert_int_eq(*stop, '.');
  size_t digits = strspn(stop + 1, "0123456789");
  ck_assert(digits >= 1 && digits <= 6 && (digits == 1 || stop[digits] != '0'));
  ck_assert_str_eq(stop + 1 + digits, "\n");
}

START_TEST(files_and_notes) {
  ck_assert(!there(at("dir")));
  kit_put(store, "sub/a.txt", GIT_HELLO, "hello");
  ck_assert_str_eq(file_text(at("dir/sub/a.txt")), "hello");
  ck_assert_uint_eq(mode_of(at("dir/sub/a.txt")), 0644);
  check_meta(file_text(at(META "sub/a.txt.metadata")), COMMIT, GIT_HELLO);
  ck_assert_str_eq(file_text(at(BOOK "/.gitignore")), "*");
  ck_assert_uint_eq(strlen(file_text(at(BOOK "/CACHEDIR.TAG"))), 191);
  ck_assert_uint_eq(mode_of(at(META "sub/a.txt.lock")), 0664);
  ck_assert_str_eq(kit_row.path, at("dir/sub/a.txt"));
  hf_store_close(store);
  ck_assert_uint_eq(kit_count(at("dir"), "libhf"), 0);
  store = kit_open("local-dir", "dir");
}
END_TEST

/* Some network and user-space file systems tell no sizes at all: that is not a full disk. */
START_TEST(a_file_system_that_counts_no_blocks) {
  uint64_t have = 0;
  hf_store *s;
  OK(hf_store_open(kit_c, "local-dir:/proc/nothing/there", &s));
  OK(hf_store_space(kit_c, s, &have, NULL));
  ck_assert(have == UINT64_MAX);
  hf_store_close(s);
}
END_TEST

START_TEST(find_by_commit_and_without) {
  struct hf_st_file f;
  FAILS(HF_ENOTFOUND, find_in(NULL, "a", &f));
  kit_put(store, "a", GIT_HELLO, "hello");
  char *before = kit_census(at("dir"));
  OK(find_in(COMMIT, "a", &f));
  ck_assert_str_eq(f.etag, GIT_HELLO);
  ck_assert_uint_eq(f.size, 5);
  FAILS(HF_ENOTFOUND, find_in(COMMIT2, "a", &f));
  OK(find_in(NULL, "a", &f));
  ck_assert_str_eq(f.commit, COMMIT);
  char *after = kit_census(at("dir"));
  ck_assert_str_eq(before, after);
  free(before);
  free(after);
  write_text(at("dir/mine"), "x");
  OK(find_in(NULL, "mine", &f));
  ck_assert_ptr_null(f.commit);
  ck_assert_ptr_null(f.etag);
}
END_TEST

START_TEST(a_file_changed_later_is_not_the_one_that_was_noted) {
  struct hf_st_file f;
  kit_put(store, "a", GIT_HELLO, "hello");
  struct timespec later[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) + 5}};
  ck_assert_int_eq(utimensat(AT_FDCWD, at("dir/a"), later, 0), 0);
  FAILS(HF_ENOTFOUND, find_in(COMMIT, "a", &f));
  later[1].tv_sec = time(NULL); /* within the second that the rule allows */
  ck_assert_int_eq(utimensat(AT_FDCWD, at("dir/a"), later, 0), 0);
  OK(find_in(COMMIT, "a", &f));
}
END_TEST

START_TEST(an_equal_etag_moves_the_note_to_the_new_commit) {
  struct hf_st_file f;
  kit_put(store, "a", "etag-of-some-kind", "hello");
  struct hf_ingest in = kit_what("a", "etag-of-some-kind", 5);
  in.name.commit = COMMIT2;
  ino_t before = inode_of(at("dir/a"));
  OK(hf_store_adopt(kit_c, store, &in, &f));
  check_meta(file_text(at(META "a.metadata")), COMMIT2, "etag-of-some-kind");
  ck_assert_uint_eq(inode_of(at("dir/a")), before);
  FAILS(HF_ENOTFOUND, adopt("a", "another", 5, &f));
}
END_TEST

START_TEST(a_file_without_note_is_kept_when_its_content_is_right) {
  struct hf_st_file f;
  make_dir(at("dir"));
  write_text(at("dir/a"), "hello");
  FAILS(HF_ENOTFOUND, adopt("a", "no-digest", 5, &f));
  FAILS(HF_ENOTFOUND, adopt("a", ETAG, 5, &f));
  FAILS(HF_ENOTFOUND, adopt("a", SHA_HELLO, 6, &f));
  ck_assert(!there(at(BOOK)));
  OK(adopt("a", SHA_HELLO, 5, &f));
  check_meta(file_text(at(META "a.metadata")), COMMIT, SHA_HELLO);
  write_text(at("dir/b"), "hello");
  OK(adopt("b", GIT_HELLO, HF_SIZE_UNKNOWN, &f));
  write_text(at("dir/b"), "jello");
  FAILS(HF_ENOTFOUND, adopt("b", SHA_HELLO, 5, &f)); /* noted with another etag: not hashed, fetched */
}
END_TEST

START_TEST(notes_of_the_reference_are_understood) {
  static const struct {
    const char *text;
    bool good;
  } notes[] = {{COMMIT "\n" GIT_HELLO "\n1712656091.123\n", false}, /* older than the file */
               {COMMIT "\n" GIT_HELLO "\n99999999999.5\n", true},
               {COMMIT "\r\n " GIT_HELLO "\r\n99999999999\r\n", true},
               {COMMIT "\n" GIT_HELLO "\n99999999999.5", true},
               {COMMIT "\n" GIT_HELLO "\nsoon\n", false},
               {COMMIT "\n" GIT_HELLO "\n99999999999.5x\n", false},
               {COMMIT "\n" GIT_HELLO "\n", false},
               {COMMIT, false},
               {"", false}};
  struct hf_st_file f;
  make_dir(at(META));
  write_text(at("dir/a"), "hello");
  for (size_t i = 0; i < HF_COUNT(notes); i++) {
    write_text(at(META "a.metadata"), notes[i].text);
    hf_status st = find_in(COMMIT, "a", &f);
    ck_assert_msg(st == (notes[i].good ? HF_OK : HF_ENOTFOUND), "%zu: %s", i, hf_status_name(st));
    hf_host()->clear(kit_c);
    ck_assert(there(at(META "a.metadata"))); /* looking changes nothing */
  }
}
END_TEST

START_TEST(files_are_replaced_whole) {
  struct hf_st_file f;
  kit_put(store, "a", "one", "first version");
  int fd = open(at("dir/a"), O_RDONLY | O_CLOEXEC);
  kit_put(store, "a", "two", "second");
  char old[32] = "";
  ck_assert_int_eq(read(fd, old, sizeof old), 13); /* whoever reads it keeps the old bytes */
  close(fd);
  ck_assert_str_eq(file_text(at("dir/a")), "second");
  OK(find_in(COMMIT, "a", &f));
  ck_assert_str_eq(f.etag, "two");
  struct hf_ingest in = kit_what("a", "two", 6);
  in.flags = HF_IN_FORCE;
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f));
}
END_TEST

START_TEST(things_in_the_way_are_named) {
  make_dir(at("dir/folder/x"));
  write_text(at("dir/file"), "");
  struct hf_ingest in = kit_what("folder", ETAG, 1);
  void *seal = kit_seal(store, &in, "1", 1);
  ck_assert_int_eq(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL), HF_EIO);
  ck_assert_ptr_nonnull(strstr(why(), "dir/folder"));
  hf_host()->clear(kit_c);
  in = kit_what("file/below", ETAG, 1);
  seal = kit_seal(store, &in, "1", 1);
  ck_assert_int_eq(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL), HF_EIO);
  ck_assert_ptr_nonnull(strstr(why(), "a file stands where a folder is needed"));
  hf_host()->clear(kit_c);
}
END_TEST

START_TEST(planted_links_are_not_followed) {
  struct hf_st_file f;
  struct hf_source *src;
  make_dir(at("outside"));
  make_dir(at("dir"));
  write_text(at("outside/secret"), "secret");
  ck_assert_int_eq(symlink(at("outside"), at("dir/sub")), 0);
  ck_assert_int_eq(symlink(at("outside/secret"), at("dir/link")), 0);
  FAILS(HF_ENOTFOUND, find_in(NULL, "sub/secret", &f));
  FAILS(HF_ENOTFOUND, find_in(NULL, "link", &f));
  ck_assert_int_ne(hf_store_open_file(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "link"}, &src), HF_OK);
  hf_host()->clear(kit_c);
  struct hf_ingest in = kit_what("sub/new", ETAG, 1);
  void *seal = kit_seal(store, &in, "1", 1);
  ck_assert_int_eq(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL), HF_EPERM);
  ck_assert_ptr_nonnull(strstr(why(), "symbolic link"));
  hf_host()->clear(kit_c);
  ck_assert(!there(at("outside/new")));
  kit_put(store, "link", ETAG, "mine"); /* the link itself is replaced */
  ck_assert_str_eq(file_text(at("outside/secret")), "secret");
  ck_assert_str_eq(file_text(at("dir/link")), "mine");
}
END_TEST

START_TEST(some_places_are_not_for_files) {
  static const char *const bad[] = {".git/hooks/post-checkout",
                                    "sub/.GIT/config",
                                    ".cache/huggingface/download/x.metadata",
                                    ".cache/huggingface",
                                    ".CACHE/HuggingFace/x",
                                    ".cache/huggingface./x",
                                    ".cache\\huggingface\\x",
                                    ".git /config",
                                    ".git...",
                                    "a/.git::$INDEX_ALLOCATION/x",
                                    "GIT~1/config",
                                    ".g\u200cit/config",
                                    "a\\.git\\config",
                                    ".cac\u00adhe/huggingface/x"};
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    struct hf_ingest in = kit_what(bad[i], ETAG, 1);
    struct hf_sink *sink;
    FAILS(HF_EINVAL, hf_store_sink(kit_c, store, &in, &sink));
  }
  kit_put(store, ".gitattributes", ETAG, "fine");
  kit_put(store, ".github/x", ETAG, "fine");
  kit_put(store, ".cache/other", ETAG, "fine");
  kit_put(store, "a/.cache/huggingface/x", ETAG, "fine");
  kit_put(store, ".gitx", ETAG, "fine");
}
END_TEST

START_TEST(long_names_have_notes_too) {
  char name[256];
  struct hf_st_file f;
  memset(name, 'n', 250);
  name[250] = 0;
  kit_put(store, name, ETAG, "x");
  OK(find_in(COMMIT, name, &f));
  ck_assert_str_eq(f.etag, ETAG);
}
END_TEST

START_TEST(a_large_file_resumes) {
  enum { SIZE = 3 << 20 };
  struct hf_ingest in = kit_what("big", SHA_HELLO, SIZE);
  struct hf_sink *sink;
  char *half = calloc(1, SIZE / 2), back[4] = "";
  size_t got = 0;
  memset(half, 'h', SIZE / 2);
  OK(hf_store_sink(kit_c, store, &in, &sink));
  OK(sink->writev(kit_c, sink, 0, &(struct hf_iov){half, SIZE / 2}, 1));
  OK(sink->note_write(kit_c, sink, "n", 1, 0));
  sink->abort(sink, 1);
  hf_store_close(store);
  ck_assert(!there(at("dir/big")));
  store = kit_open("local-dir", "dir");
  OK(hf_store_sink(kit_c, store, &in, &sink));
  ck_assert(sink->caps & HF_IO_RESUMES);
  OK(sink->pread(kit_c, sink, back, 3, SIZE / 2 - 3, &got));
  ck_assert_str_eq(back, "hhh");
  OK(sink->writev(kit_c, sink, SIZE / 2, &(struct hf_iov){half, SIZE / 2}, 1));
  void *seal;
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  OK(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL));
  struct stat st;
  ck_assert_int_eq(stat(at("dir/big"), &st), 0);
  ck_assert_int_eq(st.st_size, SIZE);
  hf_store_close(store);
  ck_assert_uint_eq(kit_count(at("dir"), "libhf"), 0);
  store = kit_open("local-dir", "dir");
  free(half);
}
END_TEST

START_TEST(leases_leave_no_lock_files) {
  void *lease;
  OK(hf_store_lease(kit_c, store, &(struct hf_key){kit_repo, ETAG}, 60000, &lease));
  OK(hf_store_beat(kit_c, store, lease));
  ck_assert_uint_eq(kit_count(at("dir"), ETAG ".lock"), 1);
  hf_store_unlease(store, lease);
  ck_assert_uint_eq(kit_count(at("dir"), ETAG), 0);
}
END_TEST

static uint32_t present;
static hf_status see_entry(void *arg, uint32_t what, const void *row) {
  (void)arg;
  (void)what;
  present = present * 10 + ((const struct hf_tree_entry *)row)->present + 1;
  return HF_OK;
}

START_TEST(listings_tell_what_is_there) {
  static const struct hf_tree_entry rows[] = {
      {.struct_size = sizeof *rows, .path = "a", .blob_id = GIT_HELLO, .size = 5, .lfs_size = HF_SIZE_UNKNOWN},
      {.struct_size = sizeof *rows, .path = "b", .blob_id = GIT_HELLO, .size = 5, .lfs_size = HF_SIZE_UNKNOWN}};
  FAILS(HF_ENOTFOUND, hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  OK(hf_store_tree_put(kit_c, store, &kit_repo, COMMIT, rows, 2));
  ck_assert(there(at(BOOK "/trees/" COMMIT ".json")));
  kit_put(store, "b", GIT_HELLO, "hello");
  OK(hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  ck_assert_uint_eq(present, 12); /* a: no, b: yes */
}
END_TEST

START_TEST(removing_takes_the_note_along) {
  struct hf_st_file f;
  kit_put(store, "d/a", GIT_HELLO, "hello");
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "d/a"}));
  ck_assert(!there(at("dir/d/a")) && !there(at(META "d/a.metadata")));
  FAILS(HF_ENOTFOUND, hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "d/a"}));
  FAILS(HF_ENOTFOUND, find_in(NULL, "d/a", &f));
}
END_TEST

START_TEST(a_group_of_many) {
  enum { N = 30 };
  void *seals[N];
  char path[32];
  for (int i = 0; i < N; i++) {
    snprintf(path, sizeof path, "g%d/f%d", i % 4, i);
    struct hf_ingest in = kit_what(path, GIT_HELLO, 5); /* equal content under many names */
    seals[i] = kit_seal(store, &in, "hello", 5);
  }
  kit_rows = 0;
  OK(hf_store_publish(kit_c, store, seals, N, kit_on_row, NULL));
  ck_assert_uint_eq(kit_rows, N);
  for (int i = 0; i < N; i++) ck_assert_str_eq(file_text(at("dir/g%d/f%d", i % 4, i)), "hello");
}
END_TEST

int main(void) {
  Suite *s = suite_create("local-dir");
  TCase *t = tcase_create("folder");
  tcase_add_checked_fixture(t, begin, end);
  tcase_set_timeout(t, 30);
  tcase_add_test(t, files_and_notes);
  tcase_add_test(t, find_by_commit_and_without);
  tcase_add_test(t, a_file_changed_later_is_not_the_one_that_was_noted);
  tcase_add_test(t, an_equal_etag_moves_the_note_to_the_new_commit);
  tcase_add_test(t, a_file_without_note_is_kept_when_its_content_is_right);
  tcase_add_test(t, notes_of_the_reference_are_understood);
  tcase_add_test(t, files_are_replaced_whole);
  tcase_add_test(t, things_in_the_way_are_named);
  tcase_add_test(t, planted_links_are_not_followed);
  tcase_add_test(t, some_places_are_not_for_files);
  tcase_add_test(t, long_names_have_notes_too);
  tcase_add_test(t, a_large_file_resumes);
  tcase_add_test(t, leases_leave_no_lock_files);
  tcase_add_test(t, listings_tell_what_is_there);
  tcase_add_test(t, removing_takes_the_note_along);
  tcase_add_test(t, a_group_of_many);
  tcase_add_test(t, a_file_system_that_counts_no_blocks);
  suite_add_tcase(s, t);
  return kit_run(s);
}
