/* test_held.c - what stores hold: the core's own scan and expunge over a store that has neither (memory), and those of the hub
 * cache: rows, what is shared between revisions, what a lease protects, what is no proper repo.
 * Rows are written down as text; what is left is looked at through the store and on disk. */
#include "store_kit.h"

static hf_store *store;
static char seen[65536];

static hf_status write_down(void *arg, uint32_t what, const void *row) {
  static const char *const words[] = {"?", "repo", "rev", "ref", "file", "part", "shared", "problem", "total"};
  const struct hf_held *h = row;
  size_t n = strlen(seen);
  (void)arg;
  ck_assert_uint_eq(what, HF_PUT_HELD);
  ck_assert_uint_eq(h->struct_size, sizeof *h);
  ck_assert_uint_le(h->what, HF_HELD_TOTAL);
  bool path = h->what == HF_HELD_REF || h->what == HF_HELD_FILE;
  snprintf(seen + n, sizeof seen - n, "[%s%s%s%s%.1s %llu]", words[h->what], path ? " " : "", path ? h->path : "",
           h->commit ? " @" : "", h->commit ? h->commit : "", (unsigned long long)h->size);
  return HF_OK;
}

static const char *scan(uint32_t flags) {
  seen[0] = 0;
  OK(hf_store_scan(kit_c, store, NULL, flags, write_down, NULL));
  return seen;
}

static struct hf_held row(uint32_t what, const char *commit, const char *path) {
  return (struct hf_held){
      .struct_size = sizeof(struct hf_held), .what = what, .repo = kit_repo, .commit = commit, .path = path};
}

static void put_at(const char *commit, const char *path, const char *etag, const char *text) {
  struct hf_ingest in = kit_what(path, etag, strlen(text));
  in.name.commit = commit;
  kit_put_as(store, &in, text);
}

static void list_at(const char *commit, const char *a, const char *b) {
  struct hf_tree_entry rows[] = {
      {.struct_size = sizeof *rows, .path = "a", .blob_id = a, .size = 5, .lfs_size = HF_SIZE_UNKNOWN},
      {.struct_size = sizeof *rows, .path = "b", .blob_id = b, .size = 2, .lfs_size = HF_SIZE_UNKNOWN}};
  OK(hf_store_tree_put(kit_c, store, &kit_repo, commit, rows, 2));
}

static void begin_memory(void) {
  kit_begin();
  OK(hf_store_open(kit_c, "memory:", &store));
}
static void begin_cache(void) {
  kit_begin();
  store = kit_open("hub-cache", "hub");
}
static void end(void) {
  hf_store_close(store);
  kit_end();
}

START_TEST(a_store_without_scan_is_listed) {
  ck_assert_str_eq(scan(0), "[total 0]");
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT, "b", ETAG2, "67");
  list_at(COMMIT, ETAG, ETAG2);
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "v1", NULL, COMMIT));
  ck_assert_str_eq(scan(0), "[repo 7][ref main @0 0][ref v1 @0 0][rev @0 7][total 7]");
  ck_assert_str_eq(scan(HF_SCAN_FILES),
                   "[repo 7][ref main @0 0][ref v1 @0 0][rev @0 7][file a @0 5][file b @0 2][total 7]");
}
END_TEST

START_TEST(a_store_without_expunge_is_cleared) {
  struct hf_st_file f;
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT2, "a", ETAG, "12345");
  put_at(COMMIT2, "b", ETAG2, "67");
  list_at(COMMIT, ETAG, ETAG2);
  list_at(COMMIT2, ETAG, ETAG2);
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "dev", NULL, COMMIT2));
  struct hf_held steps[] = {row(HF_HELD_REVISION, COMMIT2, NULL), row(HF_HELD_FILE, COMMIT2, "gone-already")};
  OK(hf_store_expunge(kit_c, store, steps, 2));
  OK(hf_store_find(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "a"}, &f));
  ck_assert_str_eq(scan(HF_SCAN_FILES), "[repo 5][ref main @0 0][rev @0 5][file a @0 5][total 5]");
  struct hf_held all[] = {row(HF_HELD_REPO, NULL, NULL), row(HF_HELD_REVISION, COMMIT, NULL)};
  OK(hf_store_expunge(kit_c, store, all, 2));
  FAILS(HF_ENOTFOUND, hf_store_find(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "a"}, &f));
  ck_assert_str_eq(scan(0), "[repo 0][total 0]");
}
END_TEST

START_TEST(the_cache_is_listed) {
  FAILS(HF_ENOTFOUND, hf_store_scan(kit_c, store, NULL, 0, write_down, NULL));
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT, "d/b", ETAG2, "67");
  put_at(COMMIT2, "a", ETAG, "12345");
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  seen[0] = 0;
  OK(hf_store_scan(kit_c, store, &kit_repo, HF_SCAN_FILES, write_down, NULL));
  ck_assert_msg(strstr(seen, "[repo 7][ref main @0 0]") == seen, "%s", seen);
  ck_assert_msg(strstr(seen, "[rev @0 7][file a @0 5][file d/b @0 2]") != NULL, "%s", seen);
  ck_assert_msg(strstr(seen, "[rev @8 5][file a @8 5]") != NULL, "%s", seen);
  ck_assert_msg(strstr(seen, "[total 7]") != NULL, "%s", seen);
  make_dir(at("hub/models--no--snapshots/refs"));
  ck_assert_msg(strstr(scan(0), "[problem 0]") != NULL, "%s", seen);
}
END_TEST

START_TEST(the_cache_is_cleared) {
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT, "b", ETAG2, "67");
  put_at(COMMIT2, "a", ETAG, "12345");
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, COMMIT));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "dev", NULL, COMMIT2));
  struct hf_held steps[] = {row(HF_HELD_REVISION, COMMIT, NULL)};
  OK(hf_store_expunge(kit_c, store, steps, 1));
  ck_assert(!there(at("hub/models--org--name/snapshots/" COMMIT)));
  ck_assert(!there(at("hub/models--org--name/refs/main")));
  ck_assert(there(at("hub/models--org--name/refs/dev")));
  ck_assert(there(at("hub/models--org--name/blobs/" ETAG))); /* shown by the other revision */
  ck_assert(!there(at("hub/models--org--name/blobs/" ETAG2)));
  struct hf_held all[] = {row(HF_HELD_REPO, NULL, NULL), row(HF_HELD_REVISION, COMMIT2, NULL)};
  OK(hf_store_expunge(kit_c, store, all, 2));
  ck_assert(!there(at("hub/models--org--name")));
  put_at(COMMIT, "a", ETAG, "12345"); /* the open store goes on */
  ck_assert(there(at("hub/models--org--name/snapshots/" COMMIT "/a")));
}
END_TEST

START_TEST(a_lease_protects_its_blob) {
  void *lease;
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT, "b", ETAG2, "67");
  hf_store *other = kit_open("hub-cache", "hub");
  OK(hf_store_lease(kit_c, other, &(struct hf_key){kit_repo, ETAG}, 30000, &lease));
  struct hf_held all[] = {row(HF_HELD_REPO, NULL, NULL), row(HF_HELD_REVISION, COMMIT, NULL)};
  OK(hf_store_expunge(kit_c, store, all, 2));
  ck_assert(!there(at("hub/models--org--name/snapshots/" COMMIT)));
  ck_assert(there(at("hub/models--org--name/blobs/" ETAG)));
  ck_assert(!there(at("hub/models--org--name/blobs/" ETAG2)));
  ck_assert_msg(strstr(kit_log, "a download is using it") != NULL, "%s", kit_log);
  hf_store_unlease(other, lease);
  hf_store_close(other);
}
END_TEST

START_TEST(a_revision_that_came_meanwhile_stays) {
  put_at(COMMIT, "a", ETAG, "12345");
  put_at(COMMIT2, "a", ETAG, "12345");
  struct hf_held all[] = {row(HF_HELD_REPO, NULL, NULL), row(HF_HELD_REVISION, COMMIT, NULL)};
  OK(hf_store_expunge(kit_c, store, all, 2)); /* planned when COMMIT2 was not there yet */
  ck_assert_str_eq(file_text(at("hub/models--org--name/snapshots/" COMMIT2 "/a")), "12345");
}
END_TEST

START_TEST(names_stay_inside) {
  write_text(at("outside"), "canary");
  put_at(COMMIT, "a", ETAG, "12345");
  struct hf_held bad[] = {row(HF_HELD_FILE, COMMIT, "../../../../outside"), row(HF_HELD_FILE, "../../..", "outside"),
                          row(HF_HELD_PARTIAL, NULL, "../outside/blobs/x.incomplete"),
                          row(HF_HELD_PARTIAL, NULL, "models--org--name/blobs/" ETAG)};
  for (size_t i = 0; i < HF_COUNT(bad); i++) FAILS(HF_EINVAL, hf_store_expunge(kit_c, store, &bad[i], 1));
  struct hf_held ignored = row(HF_HELD_REVISION, "../../../..", NULL);
  OK(hf_store_expunge(kit_c, store, &ignored, 1));
  ck_assert_str_eq(file_text(at("outside")), "canary");
  ck_assert(there(at("hub/models--org--name/blobs/" ETAG)));
}
END_TEST

int main(void) {
  Suite *s = suite_create("held");
  TCase *t = tcase_create("memory");
  tcase_add_checked_fixture(t, begin_memory, end);
  tcase_add_test(t, a_store_without_scan_is_listed);
  tcase_add_test(t, a_store_without_expunge_is_cleared);
  suite_add_tcase(s, t);
  t = tcase_create("hub-cache");
  tcase_add_checked_fixture(t, begin_cache, end);
  tcase_add_test(t, the_cache_is_listed);
  tcase_add_test(t, the_cache_is_cleared);
  tcase_add_test(t, a_lease_protects_its_blob);
  tcase_add_test(t, a_revision_that_came_meanwhile_stays);
  tcase_add_test(t, names_stay_inside);
  suite_add_tcase(s, t);
  return kit_run(s);
}
