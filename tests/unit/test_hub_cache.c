/* test_hub_cache.c - hub-cache on disk: the layout byte for byte, lookups that
 * write nothing and never leave the cache, adopting, groups, refs, listings, the
 * shared store, removal. Interrupted and competing writers are in test_partials.c. */
#include "store_kit.h"

#define REPO "cache/models--org--name"
#define SNAP REPO "/snapshots/" COMMIT

static hf_store *store;

static void begin(void) {
  kit_begin();
  store = kit_open("hub-cache", "cache");
}

static void end(void) {
  hf_store_close(store);
  kit_end();
}

static hf_status find(const char *path, struct hf_st_file *f) {
  return hf_store_find(kit_c, store, &(struct hf_name){kit_repo, COMMIT, path}, f);
}

START_TEST(layout_of_a_file) {
  ck_assert(!there(at("cache"))); /* opening creates nothing */
  kit_put(store, "a/b/config.json", ETAG, "hello");
  ck_assert_str_eq(link_text(at(SNAP "/a/b/config.json")), "../../../../blobs/" ETAG);
  ck_assert_str_eq(file_text(at(SNAP "/a/b/config.json")), "hello");
  kit_put(store, "top", ETAG2, "");
  ck_assert_str_eq(link_text(at(SNAP "/top")), "../../blobs/" ETAG2);
  ck_assert_uint_eq(mode_of(at(REPO "/blobs/" ETAG)), 0644);
  ck_assert_uint_eq(mode_of(at(REPO "/blobs")), 0755);
  ck_assert_uint_eq(mode_of(at("cache/.locks/models--org--name/" ETAG ".lock")), 0664);
  ck_assert_str_eq(file_text(at("cache/CACHEDIR.TAG")),
                   "Signature: 8a477f597d28d172789f06886806bc55\n"
                   "# This file is a cache directory tag created by huggingface_hub.\n"
                   "# For information about cache directory tags, see:\n"
                   "#\thttps://bford.info/cachedir/\n");
  ck_assert_uint_eq(strlen(file_text(at("cache/CACHEDIR.TAG"))), 191);
  ck_assert_str_eq(kit_row.path, at(SNAP "/top"));
  hf_store_close(store); /* leaves nothing of its own behind */
  ck_assert_uint_eq(kit_count(at("cache"), "libhf"), 0);
  store = kit_open("hub-cache", "cache");
}
END_TEST

START_TEST(modes_follow_the_umask) {
  umask(027);
  kit_put(store, "x", ETAG, "1");
  ck_assert_uint_eq(mode_of(at(REPO "/blobs/" ETAG)), 0640);
  ck_assert_uint_eq(mode_of(at(REPO "/snapshots")), 0750);
}
END_TEST

START_TEST(find_tells_what_is_there_and_writes_nothing) {
  struct hf_st_file f;
  FAILS(HF_ENOTFOUND, find("x", &f));
  ck_assert(!there(at("cache")));
  kit_put(store, "x", ETAG, "12345");
  OK(hf_store_absent(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "dir/none"}));
  ck_assert_str_eq(file_text(at(REPO "/.no_exist/" COMMIT "/dir/none")), "");
  char *before = kit_census(at("cache"));
  OK(find("x", &f));
  ck_assert_str_eq(f.path, at(SNAP "/x"));
  ck_assert_str_eq(f.etag, ETAG);
  ck_assert_str_eq(f.commit, COMMIT);
  ck_assert_uint_eq(f.size, 5);
  ck_assert_uint_eq(f.flags, 0);
  OK(find("dir/none", &f));
  ck_assert_uint_eq(f.flags, HF_SF_ABSENT);
  FAILS(HF_ENOTFOUND, find("y", &f));
  FAILS(HF_ENOTFOUND, find("x/below", &f));
  char *after = kit_census(at("cache"));
  ck_assert_str_eq(before, after);
  free(before);
  free(after);
}
END_TEST

START_TEST(bytes_come_back) {
  struct hf_source *src;
  char buf[8] = "";
  size_t got = 0;
  kit_put(store, "x", ETAG, "12345");
  OK(hf_store_open_file(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}, &src));
  ck_assert_uint_eq(src->size, 5);
  OK(src->pread(kit_c, src, buf, 3, 2, &got));
  ck_assert_uint_eq(got, 3);
  ck_assert_mem_eq(buf, "345", 3);
  src->close(src);
  OK(hf_store_blob_open(kit_c, store, &(struct hf_key){kit_repo, ETAG}, &src));
  write_text(at(REPO "/blobs/" ETAG), "changed in place"); /* noticed, not served */
  FAILS(HF_ECONFLICT, src->pread(kit_c, src, buf, 3, 0, &got));
  src->close(src);
}
END_TEST

/* ---- a cache that somebody prepared ---- */

static void prepare_traps(void) {
  make_dir(at(SNAP));
  make_dir(at(REPO "/blobs/dirblob"));
  make_dir(at("outside/sub"));
  write_text(at("outside/secret"), "secret");
  write_text(at("outside/sub/secret"), "secret");
  write_text(at(REPO "/blobs/" ETAG), "good");
  ck_assert_int_eq(symlink(at("outside/secret"), at(SNAP "/absolute")), 0);
  ck_assert_int_eq(symlink("../../../../outside/secret", at(SNAP "/relative")), 0);
  ck_assert_int_eq(symlink("../../../../outside/sub", at(SNAP "/dir")), 0);
  ck_assert_int_eq(symlink("/dev/zero", at(SNAP "/device")), 0);
  ck_assert_int_eq(symlink("/proc/self/root/etc/passwd", at(SNAP "/magic")), 0);
  ck_assert_int_eq(symlink("../../blobs/dirblob", at(SNAP "/isdir")), 0);
  ck_assert_int_eq(symlink("loop", at(SNAP "/loop")), 0);
  ck_assert_int_eq(symlink("../../blobs/gone", at(SNAP "/broken")), 0);
  ck_assert_int_eq(mkfifo(at(SNAP "/fifo"), 0644), 0);
  ck_assert_int_eq(symlink(at(REPO "/blobs/" ETAG), at(SNAP "/inside")), 0); /* absolute and still in the cache */
  ck_assert_int_eq(symlink("../../blobs/" ETAG, at(SNAP "/good")), 0);
}

static void check_traps(void) {
  static const char *const bad[] = {"absolute", "relative", "dir/secret", "device", "magic",
                                    "isdir",    "loop",     "broken",     "fifo"};
  struct hf_st_file f;
  struct hf_source *src;
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    hf_status st = find(bad[i], &f);
    ck_assert_msg(st == HF_ENOTFOUND, "%s was served: %s", bad[i], hf_status_name(st));
    hf_host()->clear(kit_c);
    st = hf_store_open_file(kit_c, store, &(struct hf_name){kit_repo, COMMIT, bad[i]}, &src);
    ck_assert_msg(st != HF_OK, "%s was opened", bad[i]);
    hf_host()->clear(kit_c);
  }
  OK(find("inside", &f));
  OK(find("good", &f));
  ck_assert_uint_eq(f.size, 4);
}

START_TEST(a_prepared_cache_leads_nowhere) {
  prepare_traps();
  check_traps();
}
END_TEST

/* As in a sandbox or on an old kernel: no openat2. */
START_TEST(and_without_openat2) {
  prepare_traps();
  kit_refuse(SYS_openat2, ENOSYS);
  check_traps();
}
END_TEST

START_TEST(nothing_is_written_through_a_planted_link) {
  make_dir(at("outside"));
  make_dir(at(REPO));
  ck_assert_int_eq(symlink(at("outside"), at(REPO "/blobs")), 0);
  struct hf_ingest in = kit_what("x", ETAG, 1);
  void *seal = kit_seal(store, &in, "1", 1);
  FAILS(HF_EPERM, hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL));
  ck_assert(!there(at("outside/" ETAG)));
  ck_assert_uint_eq(kit_count(at("cache/.locks"), ".libhf/"), 0); /* and the temporary is gone */
}
END_TEST

/* ---- adopting ---- */

START_TEST(adopt_shows_a_blob_that_is_there) {
  struct hf_st_file f;
  struct hf_ingest in = kit_what("second/name", ETAG, 5);
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f));
  ck_assert(!there(at("cache")));
  kit_put(store, "x", ETAG, "12345");
  OK(hf_store_adopt(kit_c, store, &in, &f));
  ck_assert_str_eq(f.path, at(SNAP "/second/name"));
  ck_assert_str_eq(link_text(f.path), "../../../blobs/" ETAG);
  OK(hf_store_adopt(kit_c, store, &in, &f)); /* again is fine */
  in = kit_what("third", ETAG, 6);
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f)); /* a blob of another length is not it */
  in = kit_what("fourth", ETAG, 5);
  in.flags = HF_IN_FORCE;
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f));
  ck_assert(!there(at(SNAP "/third")) && !there(at(SNAP "/fourth")));
}
END_TEST

START_TEST(a_pointer_to_something_else_is_replaced) {
  struct hf_st_file f;
  kit_put(store, "x", ETAG, "12345");
  ck_assert_int_eq(unlink(at(SNAP "/x")), 0);
  ck_assert_int_eq(symlink("../../blobs/gone", at(SNAP "/x")), 0);
  struct hf_ingest in = kit_what("x", ETAG, 5);
  OK(hf_store_adopt(kit_c, store, &in, &f));
  ck_assert_str_eq(link_text(at(SNAP "/x")), "../../blobs/" ETAG);
  make_dir(at(SNAP "/folder"));
  in = kit_what("folder", ETAG, 5);
  FAILS(HF_EIO, hf_store_adopt(kit_c, store, &in, &f)); /* a folder is not, and the message says where */
}
END_TEST

START_TEST(an_empty_blob_of_a_power_cut_is_replaced) {
  make_dir(at(REPO "/blobs"));
  write_text(at(REPO "/blobs/" ETAG), "");
  kit_put(store, "x", ETAG, "12345");
  ck_assert_str_eq(file_text(at(REPO "/blobs/" ETAG)), "12345");
}
END_TEST

START_TEST(a_whole_blob_is_kept_and_force_replaces_it) {
  kit_put(store, "x", ETAG, "12345");
  ino_t before = inode_of(at(REPO "/blobs/" ETAG));
  kit_put(store, "y", ETAG, "12345");
  ck_assert_uint_eq(inode_of(at(REPO "/blobs/" ETAG)), before);
  struct hf_ingest in = kit_what("x", ETAG, 5);
  in.flags = HF_IN_FORCE;
  kit_put_as(store, &in, "54321");
  ck_assert_str_eq(file_text(at(SNAP "/y")), "54321");
}
END_TEST

START_TEST(a_group_is_published_in_order) {
  enum { N = 40 };
  void *seals[N];
  char path[32], etag[64], text[16];
  for (int i = 0; i < N; i++) {
    snprintf(path, sizeof path, "d%d/f%d", i % 7, i);
    snprintf(etag, sizeof etag, "%040d", i);
    snprintf(text, sizeof text, "file %d", i);
    struct hf_ingest in = kit_what(path, etag, strlen(text));
    seals[i] = kit_seal(store, &in, text, strlen(text));
    ck_assert(!there(at(SNAP "/%s", path)));
  }
  kit_rows = 0;
  OK(hf_store_publish(kit_c, store, seals, N, kit_on_row, NULL));
  ck_assert_uint_eq(kit_rows, N);
  ck_assert_str_eq(kit_row.path, at(SNAP "/d4/f39"));
  for (int i = 0; i < N; i++) {
    snprintf(text, sizeof text, "file %d", i);
    ck_assert_str_eq(file_text(at(SNAP "/d%d/f%d", i % 7, i)), text);
  }
  ck_assert_uint_eq(kit_count(at("cache/.locks"), ".libhf/"), 0);
}
END_TEST

START_TEST(a_discarded_seal_leaves_nothing) {
  struct hf_ingest in = kit_what("x", ETAG, 3);
  hf_store_discard(store, kit_seal(store, &in, "abc", 3));
  ck_assert(!there(at(REPO "/blobs/" ETAG)));
  ck_assert_uint_eq(kit_count(at("cache/.locks"), ".libhf/"), 0);
}
END_TEST

START_TEST(a_file_of_unknown_size) {
  struct hf_ingest in = kit_what("x", "not-a-digest", HF_SIZE_UNKNOWN);
  kit_put_as(store, &in, "some bytes");
  ck_assert_str_eq(file_text(at(SNAP "/x")), "some bytes");
  in = kit_what("y", ETAG, 10);
  struct hf_sink *sink;
  void *seal;
  OK(hf_store_sink(kit_c, store, &in, &sink));
  OK(sink->writev(kit_c, sink, 0, &(struct hf_iov){"short", 5}, 1));
  FAILS(HF_EPROTO, sink->set_size(kit_c, sink, 11));
  FAILS(HF_EDIGEST, sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
}
END_TEST

START_TEST(folders_removed_meanwhile_come_back) {
  kit_put(store, "x", ETAG, "1");
  nftw(at("cache"), kit_unlink, 16, FTW_DEPTH | FTW_PHYS);
  kit_put(store, "y", ETAG2, "2");
  ck_assert_str_eq(file_text(at(SNAP "/y")), "2");
}
END_TEST

START_TEST(a_file_that_does_not_fit_is_refused_before_its_first_byte) {
  uint64_t have;
  struct hf_sink *sink = NULL;
  OK(hf_store_space(kit_c, store, &have, NULL));
  struct hf_ingest in = kit_what("x", ETAG, have + (UINT64_C(8) << 30));
  ck_assert_int_eq(hf_store_sink(kit_c, store, &in, &sink), HF_ENOSPACE);
  ck_assert_ptr_nonnull(strstr(why(), "MB are needed"));
  ck_assert_uint_eq(kit_count(at("cache"), "p."), 0);
}
END_TEST

/* ---- no symbolic links ---- */

START_TEST(without_links_the_snapshot_has_the_bytes) {
  struct hf_st_file f;
  hf_store_close(store);
  OK(hf_call_option(kit_c, "HF_HUB_DISABLE_SYMLINKS", "1"));
  store = kit_open("hub-cache", "cache");
  kit_put(store, "x", ETAG, "12345");
  ck_assert(!there(at(REPO "/blobs/" ETAG)));
  ck_assert_str_eq(file_text(at(SNAP "/x")), "12345");
  ck_assert_int_ne(readlink(at(SNAP "/x"), (char[8]){0}, 8), 8);
  OK(find("x", &f));
  ck_assert_uint_eq(f.size, 5);
  write_text(at(REPO "/blobs/" ETAG2), "other");
  struct hf_ingest in = kit_what("y", ETAG2, 5);
  OK(hf_store_adopt(kit_c, store, &in, &f));
  ck_assert_str_eq(file_text(at(SNAP "/y")), "other");
  ck_assert(there(at(REPO "/blobs/" ETAG2))); /* copied: somebody else may show it */
}
END_TEST

START_TEST(a_file_system_without_links_is_noticed) {
  kit_refuse(SYS_symlinkat, EPERM);
  kit_put(store, "d/x", ETAG, "12345");
  kit_put(store, "y", ETAG2, "67890");
  ck_assert(!there(at(REPO "/blobs/" ETAG)));
  ck_assert_str_eq(file_text(at(SNAP "/d/x")), "12345");
  ck_assert_str_eq(file_text(at(SNAP "/y")), "67890");
  const char *said = strstr(kit_log, "does not support symbolic links");
  ck_assert_ptr_nonnull(said);
  ck_assert_ptr_null(strstr(said + 1, "does not support symbolic links")); /* once */
}
END_TEST

/* ---- a cache that others own ---- */

static int as_stranger(int (*run)(void)) {
  ck_assert_int_eq(chmod(kit_dir, 0755), 0);
  pid_t pid = fork();
  if (pid == 0) {
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) _exit(99);
    _exit(run());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

#define CHECK_CODE(n, cond) \
  if (!(cond)) return n

static int read_and_try_to_write(void) {
  struct hf_st_file f;
  struct hf_sink *sink;
  const char *commit;
  void *lease;
  hf_store *s = kit_open("hub-cache", "cache");
  CHECK_CODE(1, hf_store_find(kit_c, s, &(struct hf_name){kit_repo, COMMIT, "x"}, &f) == HF_OK);
  struct hf_ingest in = kit_what("x", ETAG, 5);
  CHECK_CODE(2, hf_store_adopt(kit_c, s, &in, &f) == HF_OK);
  CHECK_CODE(3, hf_store_ref_get(kit_c, s, &kit_repo, "main", &commit) == HF_OK);
  CHECK_CODE(4, hf_store_ref_put(kit_c, s, &kit_repo, "main", NULL, COMMIT) == HF_OK); /* as it is */
  CHECK_CODE(5, hf_store_ref_put(kit_c, s, &kit_repo, "main", NULL, COMMIT2) == HF_EPERM);
  CHECK_CODE(6, strstr(why(), kit_dir) != NULL);
  hf_host()->clear(kit_c);
  in = kit_what("y", ETAG, 5);
  CHECK_CODE(7, hf_store_adopt(kit_c, s, &in, &f) == HF_EPERM);
  hf_host()->clear(kit_c);
  in = kit_what("y", ETAG2, 5);
  CHECK_CODE(8, hf_store_sink(kit_c, s, &in, &sink) == HF_EPERM);
  hf_host()->clear(kit_c);
  in = kit_what("y", ETAG2, UINT64_C(5) << 20);
  CHECK_CODE(9, hf_store_sink(kit_c, s, &in, &sink) == HF_EPERM);
  hf_host()->clear(kit_c);
  CHECK_CODE(10, hf_store_lease(kit_c, s, &(struct hf_key){kit_repo, ETAG2}, 1000, &lease) == HF_EPERM);
  hf_store_close(s);
  return 0;
}

START_TEST(a_read_only_cache_serves) {
  if (getuid() != 0) return; /* needs a second user */
  kit_put(store, "x", ETAG, "12345");
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  char *before = kit_census(at("cache"));
  ck_assert_int_eq(as_stranger(read_and_try_to_write), 0);
  char *after = kit_census(at("cache"));
  ck_assert_str_eq(before, after);
  free(before);
  free(after);
}
END_TEST

/* ---- refs ---- */

START_TEST(refs_are_written_when_they_change) {
  const char *commit;
  FAILS(HF_ENOTFOUND, hf_store_ref_get(kit_c, store, &kit_repo, "main", &commit));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", NULL, COMMIT));
  ck_assert_str_eq(file_text(at(REPO "/refs/refs/pr/3")), COMMIT);
  ck_assert_uint_eq(mode_of(at(REPO "/refs/refs/pr/3")), 0644);
  ino_t before = inode_of(at(REPO "/refs/refs/pr/3"));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", NULL, COMMIT));
  ck_assert_uint_eq(inode_of(at(REPO "/refs/refs/pr/3")), before);
  OK(hf_store_ref_get(kit_c, store, &kit_repo, "refs/pr/3", &commit));
  ck_assert_str_eq(commit, COMMIT);
  FAILS(HF_ECONFLICT, hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", "", COMMIT2));
  FAILS(HF_ECONFLICT, hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", COMMIT2, COMMIT2));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", COMMIT, COMMIT2));
  ck_assert_str_eq(file_text(at(REPO "/refs/refs/pr/3")), COMMIT2);
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "refs/pr/3", NULL, NULL));
  FAILS(HF_ENOTFOUND, hf_store_ref_get(kit_c, store, &kit_repo, "refs/pr/3", &commit));
  hf_store_close(store);
  ck_assert_uint_eq(kit_count(at("cache"), "libhf"), 0);
  store = kit_open("hub-cache", "cache");
}
END_TEST

static char refs_seen[1024];
static hf_status see_ref(void *arg, uint32_t what, const void *row) {
  const struct hf_ref *r = row;
  (void)arg;
  (void)what;
  size_t n = strlen(refs_seen);
  snprintf(refs_seen + n, sizeof refs_seen - n, "[%s %s %s]", r->repo.id, r->name, r->commit ? r->commit : "");
  return HF_OK;
}

START_TEST(broken_refs_are_absent) {
  static const char *const bad[] = {"", "../../../etc/passwd", COMMIT "\n", "0123", COMMIT "0"};
  const char *commit;
  make_dir(at(REPO "/refs/dir"));
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    write_text(at(REPO "/refs/main"), bad[i]);
    FAILS(HF_ENOTFOUND, hf_store_ref_get(kit_c, store, &kit_repo, "main", &commit));
  }
  FAILS(HF_ENOTFOUND, hf_store_ref_get(kit_c, store, &kit_repo, "dir", &commit));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  ck_assert_str_eq(file_text(at(REPO "/refs/main")), COMMIT);
  write_text(at(REPO "/refs/dir/bad"), "x");
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "dir/good", NULL, COMMIT2));
  OK(hf_store_ref_each(kit_c, store, &kit_repo, see_ref, NULL));
  ck_assert_ptr_nonnull(strstr(refs_seen, "[org/name main " COMMIT "]"));
  ck_assert_ptr_nonnull(strstr(refs_seen, "[org/name dir/good " COMMIT2 "]"));
  ck_assert_ptr_null(strstr(refs_seen, "bad"));
}
END_TEST

/* ---- listings ---- */

static char tree_seen[4096];
static hf_status see_entry(void *arg, uint32_t what, const void *row) {
  const struct hf_tree_entry *e = row;
  (void)arg;
  (void)what;
  size_t n = strlen(tree_seen);
  snprintf(tree_seen + n, sizeof tree_seen - n, "[%s %llu %s %s %lld %s %u]", e->path, (unsigned long long)e->size,
           e->blob_id ? e->blob_id : "-", e->lfs_sha256 ? e->lfs_sha256 : "-", (long long)e->lfs_size,
           e->xet_hash ? e->xet_hash : "-", e->present);
  return HF_OK;
}

#define SHA256 "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

START_TEST(a_listing_has_the_reference_s_bytes) {
  static const struct hf_tree_entry rows[] = {
      {.struct_size = sizeof *rows, .path = "a \"q\"\\\n.txt", .blob_id = ETAG, .size = 5, .lfs_size = HF_SIZE_UNKNOWN},
      {.struct_size = sizeof *rows,
       .path = "big.bin",
       .blob_id = ETAG2,
       .size = 4,
       .lfs_sha256 = SHA256,
       .lfs_size = 4,
       .xet_hash = XET},
      {.struct_size = sizeof *rows,
       .path = "\xc3\xa9\xf0\x9f\xa4\x97",
       .blob_id = ETAG,
       .size = 0,
       .lfs_sha256 = SHA256,
       .lfs_size = HF_SIZE_UNKNOWN}};
  char expect[4096];
  OK(hf_store_tree_put(kit_c, store, &kit_repo, COMMIT, rows + 1, 2));
  snprintf(expect, sizeof expect,
           "{\n \"format_version\": 1,\n \"files\": {\n  \"big.bin\": {\n   \"size\": 4,\n   \"blob_id\": \"%s\",\n   "
           "\"lfs_sha256\": \"%s\",\n   \"lfs_size\": 4,\n   \"xet_hash\": \"%s\"\n  },\n  "
           "\"\\u00e9\\ud83e\\udd17\": {\n   \"size\": 0,\n   \"blob_id\": \"%s\",\n   \"lfs_sha256\": \"%s\",\n   "
           "\"lfs_size\": null\n  }\n }\n}",
           ETAG2, SHA256, XET, ETAG, SHA256);
  ck_assert_str_eq(file_text(at(REPO "/trees/" COMMIT ".json")), expect);
  ck_assert_uint_eq(mode_of(at(REPO "/trees/" COMMIT ".json")), 0644);
  kit_put(store, "big.bin", SHA256, "1234");
  OK(hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  snprintf(expect, sizeof expect, "[big.bin 4 %s %s 4 %s 1][\xc3\xa9\xf0\x9f\xa4\x97 0 %s %s -1 - 0]", ETAG2, SHA256,
           XET, ETAG, SHA256);
  ck_assert_str_eq(tree_seen, expect);
  write_text(at(REPO "/blobs/" SHA256), "12"); /* there, but not whole */
  tree_seen[0] = 0;
  OK(hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  ck_assert_ptr_nonnull(strstr(tree_seen, XET " 0]"));
  OK(hf_store_tree_put(kit_c, store, &kit_repo, COMMIT2, rows, 0));
  ck_assert_str_eq(file_text(at(REPO "/trees/" COMMIT2 ".json")), "{\n \"format_version\": 1,\n \"files\": {}\n}");
}
END_TEST

#define TWICE "\"a\": {\"size\": 1, \"blob_id\": \"x\"}"

START_TEST(a_listing_that_is_odd_is_unknown) {
  static const char *const odd[] = {
      "",
      "{",
      "[]",
      "{\"format_version\": 2, \"files\": {}}",
      "{\"format_version\": 1}",
      "{\"files\": {}}",
      "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1}}}",
      "{\"format_version\": 1, \"files\": {\"a\": {\"size\": -1, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1.5, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 99999999999999999999, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"../a\": {\"size\": 1, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"a\\u0000\": {\"size\": 1, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"a\\ud800\": {\"size\": 1, \"blob_id\": \"x\"}}}",
      "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1, \"blob_id\": \"x\", \"xet_hash\": \"12\"}}}",
      "{\"format_version\": 1, \"files\": {" TWICE ", " TWICE "}}",
      "{\"format_version\": 1, \"files\": {}} x",
      "{\"format_version\": 1, \"more\": [[[[[[[[[[[[1]]]]]]]]]]]], \"files\": {}}"};
  make_dir(at(REPO "/trees"));
  for (size_t i = 0; i < HF_COUNT(odd); i++) {
    write_text(at(REPO "/trees/" COMMIT ".json"), odd[i]);
    hf_status st = hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL);
    ck_assert_msg(st == HF_ENOTFOUND, "%s: %s", odd[i], hf_status_name(st));
    hf_host()->clear(kit_c);
  }
  write_text(at(REPO "/trees/" COMMIT ".json"),
             "{\"files\": {\"b\": {\"blob_id\": \"x\", \"size\": 1, \"new\": [1, {\"y\": null}]}, \"a\": {\"size\": 2, "
             "\"blob_id\": null, \"lfs_size\": null}}, \"later\": true, \"format_version\": 1}");
  tree_seen[0] = 0;
  OK(hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  ck_assert_str_eq(tree_seen, "[a 2 - - -1 - 0][b 1 x - -1 - 0]");
}
END_TEST

/* ---- the shared store ---- */

#define SHARED "cache/blobs/ab/" XET
static const struct hf_repo other_repo = {"dataset", "other"};

static struct hf_ingest via_xet(const struct hf_repo *repo) {
  struct hf_ingest in = kit_what("model.bin", SHA256, 5);
  in.name.repo = *repo;
  in.xet_hash = XET;
  in.flags = HF_IN_VIA_XET;
  return in;
}

START_TEST(xet_files_are_stored_once) {
  struct hf_st_file f;
  struct hf_ingest in = via_xet(&kit_repo);
  kit_put_as(store, &in, "bytes");
  ck_assert_str_eq(file_text(at("cache/blobs/.huggingface-shared-blobs")), "1\n");
  ck_assert_uint_eq(mode_of(at("cache/blobs/.huggingface-shared-blobs")), 0444);
  ck_assert_uint_eq(mode_of(at(SHARED)), 0444);
  ck_assert_uint_eq(mode_of(at(SHARED ".refs")), 0666);
  ck_assert_uint_eq(mode_of(at(SHARED ".lock")), 0666);
  ck_assert_str_eq(file_text(at(SHARED)), "bytes");
  ck_assert_str_eq(link_text(at(REPO "/blobs/" SHA256)), "../../blobs/ab/" XET);
  ck_assert_str_eq(file_text(at(SNAP "/model.bin")), "bytes");
  in = via_xet(&other_repo);
  in.size = 6;
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f)); /* of another size: not used */
  in.size = 5;
  OK(hf_store_adopt(kit_c, store, &in, &f));
  ck_assert_str_eq(link_text(at("cache/datasets--other/blobs/" SHA256)), "../../blobs/ab/" XET);
  ck_assert_str_eq(file_text(at(SHARED ".refs")),
                   "models--org--name/blobs/" SHA256 "\ndatasets--other/blobs/" SHA256 "\n");
  ck_assert_str_eq(file_text(f.path), "bytes");
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "model.bin"}));
  ck_assert(!there(at(REPO "/blobs/" SHA256)));
  ck_assert_str_eq(file_text(at(SHARED ".refs")), "datasets--other/blobs/" SHA256 "\n");
  OK(hf_store_remove(kit_c, store, &(struct hf_name){other_repo, COMMIT, "model.bin"}));
  ck_assert(!there(at(SHARED)) && !there(at(SHARED ".refs")));
  ck_assert(there(at(SHARED ".lock")));
}
END_TEST

START_TEST(a_shared_file_without_manifest_is_kept) {
  struct hf_ingest in = via_xet(&kit_repo);
  kit_put_as(store, &in, "bytes");
  ck_assert_int_eq(unlink(at(SHARED ".refs")), 0);
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "model.bin"}));
  ck_assert(there(at(SHARED)));
}
END_TEST

START_TEST(a_folder_without_marker_is_left_alone) {
  struct hf_ingest in = via_xet(&kit_repo);
  make_dir(at("cache/blobs"));
  write_text(at("cache/blobs/mine"), "");
  kit_put_as(store, &in, "bytes");
  ck_assert(!there(at("cache/blobs/ab")));
  ck_assert_str_eq(link_text(at(SNAP "/model.bin")), "../../blobs/" SHA256);
  ck_assert_int_eq(unlink(at("cache/blobs/mine")), 0);
  write_text(at("cache/blobs/.huggingface-shared-blobs.0123abcd.tmp"), "1"); /* an interrupted start is no obstacle */
  in.flags |= HF_IN_FORCE;
  kit_put_as(store, &in, "bytes");
  ck_assert(there(at(SHARED)));
  ck_assert(!there(at("cache/blobs/.huggingface-shared-blobs.0123abcd.tmp")));
}
END_TEST

START_TEST(a_shared_file_is_not_written_through) {
  struct hf_ingest in = via_xet(&kit_repo);
  kit_put_as(store, &in, "bytes");
  in = kit_what("model.bin", SHA256, 5);
  in.flags = HF_IN_FORCE;
  kit_put_as(store, &in, "other");
  ck_assert_str_eq(file_text(at(SHARED)), "bytes");
  ck_assert_str_eq(file_text(at(SNAP "/model.bin")), "other");
}
END_TEST

START_TEST(sharing_can_be_switched_off) {
  hf_store_close(store);
  OK(hf_call_option(kit_c, "HF_HUB_DISABLE_SHARED_BLOBS", "yes"));
  store = kit_open("hub-cache", "cache");
  struct hf_ingest in = via_xet(&kit_repo);
  kit_put_as(store, &in, "bytes");
  ck_assert(!there(at("cache/blobs")));
}
END_TEST

/* ---- listing and removing ---- */

static char blobs_seen[4096];
static hf_status see_blob(void *arg, uint32_t what, const void *row) {
  const struct hf_blob *b = row;
  (void)arg;
  (void)what;
  size_t n = strlen(blobs_seen);
  ck_assert_int_gt(b->mtime_ns, INT64_C(1600000000000000000));
  snprintf(blobs_seen + n, sizeof blobs_seen - n, "[%s/%s %s %llu %llu %u]", b->key.repo.type, b->key.repo.id,
           b->key.etag, (unsigned long long)b->size, (unsigned long long)b->refs, b->flags);
  return HF_OK;
}

START_TEST(blobs_are_listed_with_who_shows_them) {
  struct hf_st_file f;
  kit_put(store, "x", ETAG, "12345");
  struct hf_ingest in = kit_what("d/y", ETAG, 5);
  OK(hf_store_adopt(kit_c, store, &in, &f));
  write_text(at(REPO "/blobs/" ETAG2), "orphan");
  write_text(at(REPO "/blobs/" ETAG2 ".0a1b2c3d.incomplete"), "part");
  kit_put_as(store,
             &(struct hf_ingest){.struct_size = sizeof in, .name = {other_repo, COMMIT, "z"}, .etag = ETAG, .size = 1},
             "1");
  OK(hf_store_blob_each(kit_c, store, NULL, see_blob, NULL));
  ck_assert_ptr_nonnull(strstr(blobs_seen, "[model/org/name " ETAG " 5 2 0]"));
  ck_assert_ptr_nonnull(strstr(blobs_seen, "[model/org/name " ETAG2 " 6 0 0]"));
  ck_assert_ptr_nonnull(strstr(blobs_seen, "[model/org/name " ETAG2 ".0a1b2c3d.incomplete 4 0 1]"));
  ck_assert_ptr_nonnull(strstr(blobs_seen, "[dataset/other " ETAG " 1 1 0]"));
  OK(hf_store_repo_each(kit_c, store, see_ref, NULL));
  ck_assert_ptr_nonnull(strstr(refs_seen, "[org/name  ]"));
  ck_assert_ptr_nonnull(strstr(refs_seen, "[other  ]"));
  struct hf_blob b;
  OK(hf_store_blob_stat(kit_c, store, &(struct hf_key){kit_repo, ETAG2}, &b));
  ck_assert_uint_eq(b.size, 6);
  OK(hf_store_blob_remove(kit_c, store, &(struct hf_key){kit_repo, ETAG2 ".0a1b2c3d.incomplete"}));
  OK(hf_store_blob_remove(kit_c, store, &(struct hf_key){kit_repo, ETAG2}));
  FAILS(HF_ENOTFOUND, hf_store_blob_remove(kit_c, store, &(struct hf_key){kit_repo, ETAG2}));
  ck_assert_uint_eq(kit_count(at(REPO "/blobs"), ETAG2), 0);
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}));
  ck_assert(there(at(REPO "/blobs/" ETAG))); /* d/y shows it */
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "d/y"}));
  ck_assert(!there(at(REPO "/blobs/" ETAG)));
  FAILS(HF_ENOTFOUND, hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}));
}
END_TEST

START_TEST(odd_etags_are_no_paths) {
  static const char *const etags[] = {"../../x", ".", "..", "a/b", "x.lock", "x.incomplete", ".hidden"};
  for (size_t i = 0; i < HF_COUNT(etags); i++) {
    char path[16];
    snprintf(path, sizeof path, "f%zu", i);
    struct hf_ingest in = kit_what(path, etags[i], 1);
    struct hf_sink *sink;
    if (hf_store_sink(kit_c, store, &in, &sink) != HF_OK) { /* the core may refuse it already */
      hf_host()->clear(kit_c);
      continue;
    }
    sink->abort(sink, 0);
    kit_put_as(store, &in, "1");
    ck_assert_ptr_nonnull(strstr(link_text(at(SNAP "/%s", path)), "../../blobs/etag-"));
  }
  ck_assert(!there(at(REPO "/x")) && !there(at("x")));
}
END_TEST

START_TEST(the_place_comes_from_the_configuration) {
  hf_store *s;
  const char *path;
  OK(hf_call_option(kit_c, "HF_HUB_CACHE", at("elsewhere/hub")));
  OK(hf_store_open(kit_c, "hub-cache", &s));
  OK(hf_store_folder(kit_c, s, &kit_repo, COMMIT, &path));
  ck_assert_str_eq(path, at("elsewhere/hub/models--org--name/snapshots/" COMMIT));
  hf_store_close(s);
  make_dir(at("real"));
  ck_assert_int_eq(symlink(at("real"), at("link")), 0);
  s = kit_open("hub-cache", "link/./sub/"); /* resolved as far as it exists, as the reference prints it */
  OK(hf_store_folder(kit_c, s, &(struct hf_repo){"kernel", "k"}, COMMIT, &path));
  ck_assert_ptr_nonnull(strstr(path, "/real/"));
  ck_assert_ptr_nonnull(strstr(path, "/kernels--k/snapshots/" COMMIT));
  hf_store_close(s);
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub-cache");
  TCase *t = tcase_create("disk");
  tcase_add_checked_fixture(t, begin, end);
  tcase_set_timeout(t, 30);
  tcase_add_test(t, layout_of_a_file);
  tcase_add_test(t, modes_follow_the_umask);
  tcase_add_test(t, find_tells_what_is_there_and_writes_nothing);
  tcase_add_test(t, bytes_come_back);
  tcase_add_test(t, a_prepared_cache_leads_nowhere);
  tcase_add_test(t, and_without_openat2);
  tcase_add_test(t, nothing_is_written_through_a_planted_link);
  tcase_add_test(t, adopt_shows_a_blob_that_is_there);
  tcase_add_test(t, a_pointer_to_something_else_is_replaced);
  tcase_add_test(t, an_empty_blob_of_a_power_cut_is_replaced);
  tcase_add_test(t, a_whole_blob_is_kept_and_force_replaces_it);
  tcase_add_test(t, a_group_is_published_in_order);
  tcase_add_test(t, a_discarded_seal_leaves_nothing);
  tcase_add_test(t, a_file_of_unknown_size);
  tcase_add_test(t, folders_removed_meanwhile_come_back);
  tcase_add_test(t, a_file_that_does_not_fit_is_refused_before_its_first_byte);
  tcase_add_test(t, without_links_the_snapshot_has_the_bytes);
  tcase_add_test(t, a_file_system_without_links_is_noticed);
  tcase_add_test(t, a_read_only_cache_serves);
  tcase_add_test(t, refs_are_written_when_they_change);
  tcase_add_test(t, broken_refs_are_absent);
  tcase_add_test(t, a_listing_has_the_reference_s_bytes);
  tcase_add_test(t, a_listing_that_is_odd_is_unknown);
  tcase_add_test(t, xet_files_are_stored_once);
  tcase_add_test(t, a_shared_file_without_manifest_is_kept);
  tcase_add_test(t, a_folder_without_marker_is_left_alone);
  tcase_add_test(t, a_shared_file_is_not_written_through);
  tcase_add_test(t, sharing_can_be_switched_off);
  tcase_add_test(t, blobs_are_listed_with_who_shows_them);
  tcase_add_test(t, odd_etags_are_no_paths);
  tcase_add_test(t, the_place_comes_from_the_configuration);
  suite_add_tcase(s, t);
  return kit_run(s);
}
