/* test_memory.c - the store in memory: files, blobs kept once and counted,
 * refs that compare and swap, listings, leases, the limit, sources that
 * outlive what they read from. The same calls as for the stores on disk. */
#include "store_kit.h"

static hf_store *store;

static void begin(void) {
  kit_begin();
  OK(hf_store_open(kit_c, "memory:", &store));
}

static void end(void) {
  hf_store_close(store);
  kit_end();
}

static hf_status find(const char *path, struct hf_st_file *f) {
  return hf_store_find(kit_c, store, &(struct hf_name){kit_repo, COMMIT, path}, f);
}

static char seen[4096];
static hf_status see_blob(void *arg, uint32_t what, const void *row) {
  const struct hf_blob *b = row;
  (void)arg;
  (void)what;
  size_t n = strlen(seen);
  snprintf(seen + n, sizeof seen - n, "[%s/%s %s %llu %llu]", b->key.repo.type, b->key.repo.id, b->key.etag,
           (unsigned long long)b->size, (unsigned long long)b->refs);
  return HF_OK;
}

START_TEST(files_come_and_go) {
  struct hf_st_file f;
  struct hf_source *src;
  char buf[8] = "";
  size_t got = 0;
  FAILS(HF_ENOTFOUND, find("x", &f));
  kit_put(store, "x", ETAG, "12345");
  OK(find("x", &f));
  ck_assert_ptr_null(f.path);
  ck_assert_str_eq(f.etag, ETAG);
  ck_assert_uint_eq(f.size, 5);
  OK(hf_store_open_file(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}, &src));
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}));
  OK(src->pread(kit_c, src, buf, 8, 1, &got)); /* whoever has it open keeps it */
  ck_assert_uint_eq(got, 4);
  ck_assert_str_eq(buf, "2345");
  src->close(src);
  FAILS(HF_ENOTFOUND, find("x", &f));
  OK(hf_store_absent(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "none"}));
  OK(find("none", &f));
  ck_assert_uint_eq(f.flags, HF_SF_ABSENT);
  kit_put(store, "none", ETAG, "now it does");
  OK(find("none", &f));
  ck_assert_uint_eq(f.flags, 0);
}
END_TEST

START_TEST(equal_content_is_kept_once) {
  struct hf_st_file f;
  uint64_t before, after;
  kit_put(store, "x", ETAG, "12345");
  OK(hf_store_space(kit_c, store, &before, NULL));
  kit_put(store, "y", ETAG, "12345");
  struct hf_ingest in = kit_what("z", ETAG, 5);
  OK(hf_store_adopt(kit_c, store, &in, &f));
  in = kit_what("w", ETAG, 6);
  FAILS(HF_ENOTFOUND, hf_store_adopt(kit_c, store, &in, &f));
  OK(hf_store_space(kit_c, store, &after, NULL));
  ck_assert_uint_eq(before, after);
  OK(hf_store_blob_each(kit_c, store, NULL, see_blob, NULL));
  ck_assert_str_eq(seen, "[model/org/name " ETAG " 5 3]");
  OK(hf_store_blob_remove(kit_c, store, &(struct hf_key){kit_repo, ETAG}));
  FAILS(HF_ENOTFOUND, find("x", &f));
  FAILS(HF_ENOTFOUND, find("z", &f));
  OK(hf_store_space(kit_c, store, &after, NULL));
  ck_assert_uint_eq(after, before + 5);
}
END_TEST

START_TEST(a_changed_blob_replaces_the_old_one) {
  struct hf_st_file f;
  kit_put(store, "x", ETAG, "12345");
  struct hf_ingest in = kit_what("y", ETAG, 7);
  kit_put_as(store, &in, "1234567");
  OK(find("x", &f));
  ck_assert_uint_eq(f.size, 5); /* it shows what it was stored with */
  OK(find("y", &f));
  ck_assert_uint_eq(f.size, 7);
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "x"}));
  OK(hf_store_remove(kit_c, store, &(struct hf_name){kit_repo, COMMIT, "y"}));
  OK(hf_store_blob_each(kit_c, store, NULL, see_blob, NULL));
  ck_assert_str_eq(seen, "");
}
END_TEST

START_TEST(any_order_and_unknown_size) {
  struct hf_ingest in = kit_what("x", ETAG, HF_SIZE_UNKNOWN);
  struct hf_sink *sink;
  struct hf_st_file f;
  struct hf_source *src;
  char buf[8] = "";
  size_t got;
  void *seal;
  OK(hf_store_sink(kit_c, store, &in, &sink));
  OK(sink->writev(kit_c, sink, 3, &(struct hf_iov){"def", 3}, 1));
  OK(sink->writev(kit_c, sink, 0, (struct hf_iov[]){{"a", 1}, {"bc", 2}}, 2));
  OK(sink->set_size(kit_c, sink, 6));
  FAILS(HF_EPROTO, sink->writev(kit_c, sink, 5, &(struct hf_iov){"xx", 2}, 1));
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  FAILS(HF_ENOTFOUND, find("x", &f));
  OK(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL));
  OK(hf_store_blob_open(kit_c, store, &(struct hf_key){kit_repo, ETAG}, &src));
  OK(src->pread(kit_c, src, buf, 7, 0, &got));
  ck_assert_str_eq(buf, "abcdef");
  src->close(src);
  in = kit_what("short", ETAG2, 9);
  OK(hf_store_sink(kit_c, store, &in, &sink));
  OK(sink->writev(kit_c, sink, 0, &(struct hf_iov){"def", 3}, 1));
  FAILS(HF_EDIGEST, sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
}
END_TEST

START_TEST(the_limit_holds) {
  hf_store *small;
  struct hf_sink *sink;
  uint64_t have;
  OK(hf_call_option(kit_c, "limit", "100"));
  OK(hf_store_open(kit_c, "memory:", &small));
  OK(hf_store_space(kit_c, small, &have, NULL));
  ck_assert_uint_eq(have, 100);
  struct hf_ingest in = kit_what("x", ETAG, UINT64_C(1) << 60); /* a server that lies costs nothing */
  FAILS(HF_ENOSPACE, hf_store_sink(kit_c, small, &in, &sink));
  in = kit_what("x", ETAG, 60);
  OK(hf_store_sink(kit_c, small, &in, &sink));
  struct hf_ingest more = kit_what("y", ETAG2, 41);
  struct hf_sink *second;
  FAILS(HF_ENOSPACE, hf_store_sink(kit_c, small, &more, &second));
  sink->abort(sink, 0);
  OK(hf_store_sink(kit_c, small, &more, &second));
  second->abort(second, 0);
  OK(hf_store_space(kit_c, small, &have, NULL));
  ck_assert_uint_eq(have, 100);
  hf_store_close(small);
}
END_TEST

START_TEST(names_share_a_store) {
  hf_store *a, *b;
  struct hf_st_file f;
  struct hf_name x = {kit_repo, COMMIT, "x"};
  OK(hf_store_open(kit_c, "memory:team", &a));
  kit_put(a, "x", ETAG, "1");
  hf_store_close(a);
  OK(hf_store_open(kit_c, "memory://team", &b));
  OK(hf_store_find(kit_c, b, &x, &f));
  hf_store_close(b);
  FAILS(HF_ENOTFOUND, hf_store_find(kit_c, store, &x, &f));
}
END_TEST

static hf_status see_ref(void *arg, uint32_t what, const void *row) {
  const struct hf_ref *r = row;
  (void)arg;
  (void)what;
  size_t n = strlen(seen);
  snprintf(seen + n, sizeof seen - n, "[%s %s %s]", r->repo.id, r->name, r->commit ? r->commit : "");
  return HF_OK;
}

START_TEST(refs_compare_and_swap) {
  const char *commit;
  FAILS(HF_ECONFLICT, hf_store_ref_put(kit_c, store, &kit_repo, "main", COMMIT, COMMIT2));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", "", COMMIT));
  FAILS(HF_ECONFLICT, hf_store_ref_put(kit_c, store, &kit_repo, "main", "", COMMIT2));
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", COMMIT, COMMIT2));
  OK(hf_store_ref_get(kit_c, store, &kit_repo, "main", &commit));
  ck_assert_str_eq(commit, COMMIT2);
  OK(hf_store_ref_each(kit_c, store, &kit_repo, see_ref, NULL));
  OK(hf_store_repo_each(kit_c, store, see_ref, NULL));
  ck_assert_str_eq(seen, "[org/name main " COMMIT2 "][org/name  ]");
  OK(hf_store_ref_put(kit_c, store, &kit_repo, "main", NULL, NULL));
  FAILS(HF_ENOTFOUND, hf_store_ref_get(kit_c, store, &kit_repo, "main", &commit));
}
END_TEST

static hf_status see_entry(void *arg, uint32_t what, const void *row) {
  const struct hf_tree_entry *e = row;
  (void)arg;
  (void)what;
  size_t n = strlen(seen);
  snprintf(seen + n, sizeof seen - n, "[%s %llu %s %u]", e->path, (unsigned long long)e->size,
           e->lfs_sha256 ? e->lfs_sha256 : "-", e->present);
  return HF_OK;
}

START_TEST(listings_are_copied) {
  char path[] = "b";
  struct hf_tree_entry rows[] = {
      {.struct_size = sizeof *rows, .path = "a", .blob_id = ETAG, .size = 5, .lfs_size = HF_SIZE_UNKNOWN},
      {.struct_size = sizeof *rows, .path = path, .blob_id = ETAG, .lfs_sha256 = XET, .size = 6, .lfs_size = 6}};
  FAILS(HF_ENOTFOUND, hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  OK(hf_store_tree_put(kit_c, store, &kit_repo, COMMIT, rows, 1));
  OK(hf_store_tree_put(kit_c, store, &kit_repo, COMMIT, rows, 2));
  path[0] = 'x';
  kit_put(store, "a", ETAG, "12345");
  OK(hf_store_tree_get(kit_c, store, &kit_repo, COMMIT, see_entry, NULL));
  ck_assert_str_eq(seen, "[a 5 - 1][b 6 " XET " 0]");
}
END_TEST

static const struct hf_key key = {{"model", "org/name"}, ETAG};

static void *drop_soon(void *lease) {
  usleep(150000);
  hf_store_unlease(store, lease);
  return NULL;
}

START_TEST(leases_wait_and_expire) {
  void *first, *second, *third;
  pthread_t t;
  OK(hf_store_lease(kit_c, store, &key, 60000, &first));
  OK(hf_store_beat(kit_c, store, first));
  ck_assert_int_eq(pthread_create(&t, NULL, drop_soon, first), 0);
  OK(hf_store_lease(kit_c, store, &key, 100, &second)); /* waits for the first */
  pthread_join(t, NULL);
  OK(hf_store_lease(kit_c, store, &key, 60000, &third)); /* the second no longer beats */
  FAILS(HF_ECONFLICT, hf_store_beat(kit_c, store, second));
  OK(hf_store_beat(kit_c, store, third));
  hf_store_unlease(store, second);
  hf_store_unlease(store, third);
}
END_TEST

static void *store_many(void *arg) {
  int id = *(int *)arg;
  hf_call *c;
  ck_assert_int_eq(hf_call_begin(kit_rt, &c), HF_OK);
  for (int i = 0; i < 300; i++) {
    char path[64], etag[64];
    void *seal;
    struct hf_sink *sink;
    struct hf_st_file f;
    snprintf(path, sizeof path, "t%d/%d", id, i);
    snprintf(etag, sizeof etag, "%040d", i);
    struct hf_ingest in = kit_what(path, etag, 40);
    ck_assert_int_eq(hf_store_sink(c, store, &in, &sink), HF_OK);
    ck_assert_int_eq(sink->writev(c, sink, 0, &(struct hf_iov){etag, 40}, 1), HF_OK);
    ck_assert_int_eq(sink->seal(c, sink, &(struct hf_digest){0}, &seal), HF_OK);
    ck_assert_int_eq(hf_store_publish(c, store, &seal, 1, kit_skip_row, NULL), HF_OK);
    ck_assert_int_eq(hf_store_find(c, store, &(struct hf_name){kit_repo, COMMIT, path}, &f), HF_OK);
    if (i % 3 == 0) ck_assert_int_eq(hf_store_remove(c, store, &(struct hf_name){kit_repo, COMMIT, path}), HF_OK);
  }
  hf_call_end(c);
  return NULL;
}

START_TEST(threads_share_a_store) {
  pthread_t t[4];
  int ids[4];
  struct hf_st_file f;
  for (int i = 0; i < 4; i++) {
    ids[i] = i;
    ck_assert_int_eq(pthread_create(&t[i], NULL, store_many, &ids[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  OK(find("t3/299", &f) == HF_OK ? HF_OK : HF_EINTERNAL);
  FAILS(HF_ENOTFOUND, find("t0/297", &f));
  uint64_t have;
  OK(hf_store_space(kit_c, store, &have, NULL));
  ck_assert_uint_eq(have, (UINT64_C(2) << 30) - 200 * 40); /* each content once, what nobody shows given back */
}
END_TEST

int main(void) {
  Suite *s = suite_create("memory");
  TCase *t = tcase_create("store");
  tcase_add_checked_fixture(t, begin, end);
  tcase_add_test(t, files_come_and_go);
  tcase_add_test(t, equal_content_is_kept_once);
  tcase_add_test(t, a_changed_blob_replaces_the_old_one);
  tcase_add_test(t, any_order_and_unknown_size);
  tcase_add_test(t, the_limit_holds);
  tcase_add_test(t, names_share_a_store);
  tcase_add_test(t, refs_compare_and_swap);
  tcase_add_test(t, listings_are_copied);
  tcase_add_test(t, leases_wait_and_expire);
  tcase_add_test(t, threads_share_a_store);
  suite_add_tcase(s, t);
  return kit_run(s);
}
