/* The dispatcher: adapters take over from each other, damaged files come once more, groups, leases, tiers, free space, and that
 * every file ends exactly once and only after it is published.
 * Runs against the store and the adapters of fakes.h. */
#include <time.h>
#include <unistd.h>

#include "fakes.h"

enum { KIB = 1024, MIB = 1024 * 1024, FILES_MOST = 1500 };

static hf_store *store;
static struct hf_fetch_file files[FILES_MOST];
static uint8_t *bodies[FILES_MOST];
static char etags[FILES_MOST][65], paths[FILES_MOST][32];
static uint32_t count, ended[FILES_MOST], ended_early;
static _Atomic uint32_t resolved, refreshed; /* by workers, at once */
static hf_status ends[FILES_MOST], done_answers;
static struct hf_fetch fetch;

static void start(void) {
  fake_start();
  memset(files, 0, sizeof files);
  memset(ended, 0, sizeof ended);
  count = ended_early = 0;
  resolved = refreshed = 0;
  done_answers = HF_OK;
  store = fake_store("fake:");
}

static void stop(void) {
  hf_store_close(store);
  for (uint32_t i = 0; i < count; i++) free(bodies[i]);
  fake_stop();
}

static uint32_t add(size_t size, uint64_t seed) {
  uint32_t i = count++;
  bodies[i] = fake_bytes(size, seed);
  fake_etag(i % 2 ? HF_DIGEST_GIT_BLOB : HF_DIGEST_SHA256, bodies[i], size, etags[i]);
  snprintf(paths[i], sizeof paths[i], "dir/%u.bin", i);
  files[i] = (struct hf_fetch_file){
      .struct_size = sizeof files[i], .path = paths[i], .etag = etags[i], .url = "http://fake/", .size = size};
  return i;
}

static hf_status on_done(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i, hf_status st,
                         const struct hf_st_file *file) {
  (void)c;
  (void)arg;
  ended[i]++;
  ends[i] = st;
  pthread_mutex_lock(&fake.lock);
  if (st == HF_OK && !fake_published(f->etag, NULL)) ended_early++;
  pthread_mutex_unlock(&fake.lock);
  if (st == HF_OK) ck_assert(file && file->path);
  return done_answers;
}

static hf_status run(void) {
  fetch.struct_size = sizeof fetch;
  fetch.repo = (struct hf_repo){"model", "org/repo"};
  fetch.commit = COMMIT;
  fetch.store = store;
  fetch.files = files;
  fetch.count = count;
  fetch.done = on_done;
  hf_status st = hf_fetch(call, &fetch);
  for (uint32_t i = 0; i < count; i++) ck_assert_msg(ended[i] == 1, "file %u ended %u times", i, ended[i]);
  ck_assert_uint_eq(ended_early, 0);
  ck_assert_uint_eq(fake.leases, fake.drops);
  ck_assert_uint_eq(alpha.opens, alpha.closes);
  ck_assert_uint_eq(beta.opens, beta.closes);
  return st;
}

static bool is_there(uint32_t i) {
  struct fake_blob *b = fake_published(etags[i], NULL);
  return b && b->size == files[i].size && memcmp(b->data, bodies[i], b->size) == 0;
}

static uint32_t index_of(const struct hf_tr_file *f) {
  return (uint32_t)strtoul(f->path + 4, NULL, 10);
}

/* ---- what adapters do ---- */

static hf_status send_gap(hf_call *c, struct hf_tr_file *f, uint64_t most, const uint8_t *from) {
  struct hf_range r;
  for (uint32_t n = 1;; n = 1) {
    TRY(f->sink->missing(c, f->sink, &r, &n));
    if (n == 0 || most == 0) return HF_OK;
    size_t len = r.len < 256 * KIB ? (size_t)r.len : 256 * KIB;
    if (len > most) len = (size_t)most;
    struct hf_iov iov = {from + r.off, len};
    TRY(f->sink->writev(c, f->sink, r.off, &iov, 1));
    most -= len;
  }
}
static hf_status send_all(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  return send_gap(c, f, UINT64_MAX, bodies[index_of(f)]);
}
static hf_status send_half_then_break(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  TRY(send_gap(c, f, f->size / 2, bodies[index_of(f)]));
  return fake_host->failf(c, HF_ENET, "the connection broke");
}
static hf_status send_half_and_say_ok(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  return send_gap(c, f, f->size / 2, bodies[index_of(f)]);
}
static hf_status not_found(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  (void)f;
  struct hf_error e = {.struct_size = sizeof e, .code = HF_ENOTFOUND, .http_status = 404, .message = "404 for it"};
  return fake_host->fail(c, &e);
}
static hf_status send_damaged(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  uint8_t *copy = malloc(f->size);
  memcpy(copy, bodies[index_of(f)], f->size);
  copy[f->size / 3] ^= 1;
  hf_status st = send_gap(c, f, UINT64_MAX, copy);
  free(copy);
  return st;
}
static hf_status hang(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  (void)b;
  TRY(send_gap(c, f, f->size / 2, bodies[index_of(f)]));
  for (;;) {
    TRY(fake_host->check(c));
    usleep(1000);
  }
}

/* ---- tests ---- */

START_TEST(many_files_in_groups) {
  alpha.run = send_all;
  for (uint32_t i = 0; i < 1000; i++) add(100 + i, i + 1);
  OK(run());
  for (uint32_t i = 0; i < count; i++) ck_assert(is_there(i));
  ck_assert_uint_le(fake.largest_group, 256);
  ck_assert_uint_ge(fake.largest_group, 200);
  ck_assert_uint_le(fake.groups, 20); /* three full ones and the ends of the workers */
  ck_assert_uint_eq(alpha.opens, 1);
  ck_assert_uint_eq(beta.opens, 0);
  ck_assert_uint_eq(fake.leases, 0); /* small files: not worth it */
  ck_assert_uint_eq(fake.partials, 0);
}
END_TEST

START_TEST(equal_files_come_once) {
  alpha.run = send_all;
  for (uint32_t i = 0; i < 64; i++) {
    add(50 * KIB, 1 + i % 4 / 2 * 2); /* even and odd indexes have different kinds of etag */
    if (i % 2) memcpy(etags[i], etags[i - 1], sizeof etags[i]);
  }
  OK(run());
  ck_assert_uint_eq(alpha.runs, 2);
  ck_assert_uint_eq(fake.publisheds, 2);
  for (uint32_t i = 0; i < count; i++) ck_assert_int_eq(ends[i], HF_OK);
}
END_TEST

START_TEST(the_next_adapter_takes_over_in_mid_file) {
  add(8 * MIB, 1);
  alpha.run = _i ? send_half_and_say_ok : send_half_then_break;
  beta.run = send_all;
  OK(run());
  ck_assert(is_there(0));
  ck_assert_uint_eq(fake.written, 8 * MIB); /* no byte twice */
  ck_assert_uint_eq(alpha.runs, 1);
  ck_assert_uint_eq(beta.runs, 1);
}
END_TEST

START_TEST(all_adapters_fail) {
  add(8 * MIB, 1);
  alpha.run = beta.run = send_half_then_break;
  ck_assert_int_eq(run(), HF_ENET);
  ck_assert_str_eq(why(), "the connection broke");
  ck_assert_uint_eq(fake.publisheds, 0);
  ck_assert_uint_eq(fake.kept, 1);
  hf_call_clear(call);
  memset(ended, 0, sizeof ended);
  fake.written = 0;
  alpha.run = send_all;
  OK(run()); /* the next run goes on where this one stopped */
  ck_assert(is_there(0));
  ck_assert_uint_le(fake.written, 2 * MIB + 1);
}
END_TEST

START_TEST(what_no_adapter_can_cure) {
  add(1000, 1);
  alpha.run = not_found;
  beta.run = send_all;
  ck_assert_int_eq(run(), HF_ENOTFOUND);
  ck_assert_uint_eq(beta.runs, 0);
  ck_assert_str_eq(why(), "404 for it");
}
END_TEST

START_TEST(a_stalled_adapter_is_replaced) {
  add(8 * MIB, 1);
  alpha.run = hang;
  beta.run = send_all;
  OK(hf_call_option(call, "HF_ADAPTER_TIMEOUT", "1"));
  OK(run());
  ck_assert(is_there(0));
  ck_assert_uint_eq(fake.written, 8 * MIB);
}
END_TEST

START_TEST(named_adapters_only) {
  add(1000, 1);
  beta.run = send_all;
  fetch.adapters = "beta";
  OK(run());
  fetch.adapters = NULL;
  ck_assert_uint_eq(alpha.runs, 0);
  ck_assert_uint_eq(beta.runs, 1);
}
END_TEST

START_TEST(an_unknown_adapter) {
  add(1000, 1);
  OK(hf_call_option(call, "HF_TRANSFER", "gamma"));
  FAILS(HF_ENOTFOUND, run());
}
END_TEST

START_TEST(adapters_that_cannot) {
  add(1000, 1);
  alpha.score = 0;
  beta.score = 0;
  FAILS(HF_ENOTFOUND, run());
}
END_TEST

START_TEST(a_damaged_file_comes_once_more) {
  add(3 * MIB, 1);
  alpha.run = send_damaged;
  beta.run = send_all;
  OK(run());
  ck_assert(is_there(0));
  ck_assert_uint_eq(fake.written, 6 * MIB); /* from the start: no byte of it was known good */
}
END_TEST

START_TEST(a_file_that_stays_damaged) {
  add(3 * MIB, 1);
  alpha.run = beta.run = send_damaged;
  ck_assert_int_eq(run(), HF_EDIGEST);
  ck_assert_uint_eq(alpha.runs + beta.runs, 2);
  ck_assert_uint_eq(fake.publisheds, 0);
  ck_assert_uint_eq(fake.partials, 0);
}
END_TEST

START_TEST(the_first_failure_stops_the_rest) {
  for (uint32_t i = 0; i < 400; i++) add(1000, i + 1);
  alpha.run = beta.run = send_all;
  files[100].etag = "0000000000000000000000000000000000000000000000000000000000000000";
  fetch.width = 1;
  ck_assert_int_eq(run(), HF_EDIGEST);
  fetch.width = 0;
  uint32_t good = 0, bad = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (ends[i] == HF_OK) good++;
    if (ends[i] == HF_EDIGEST) bad++;
    if (ends[i] == HF_OK) ck_assert(is_there(i));
  }
  ck_assert_uint_eq(bad, 1);
  ck_assert_uint_eq(good, fake.publisheds); /* what was complete is published */
  ck_assert_uint_eq(good, 100);
  ck_assert_uint_eq(alpha.runs + beta.runs, 102);
}
END_TEST

START_TEST(done_may_stop_the_batch) {
  for (uint32_t i = 0; i < 600; i++) add(1000, i + 1);
  alpha.run = send_all;
  done_answers = HF_ECANCELED;
  fetch.width = 1;
  FAILS(HF_ECANCELED, run());
  fetch.width = 0;
  ck_assert_uint_eq(fake.publisheds, 256); /* the group it answered for, and no more */
}
END_TEST

START_TEST(a_store_that_does_not_publish) {
  for (uint32_t i = 0; i < 3; i++) add(1000, i + 1);
  alpha.run = send_all;
  fake.publish_fails = HF_EIO;
  ck_assert_int_eq(run(), HF_EIO);
  ck_assert_uint_eq(fake.publisheds, 0);
  for (uint32_t i = 0; i < 3; i++) ck_assert_int_ne(ends[i], HF_OK);
  ck_assert_uint_eq(fake.partials, 0);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_before_the_first_byte) {
  add(3 * MIB, 1);
  add(3 * MIB, 2);
  alpha.run = send_all;
  fake.space = 5 * MIB;
  ck_assert_int_eq(run(), HF_ENOSPACE);
  ck_assert_uint_eq(fake.written, 0);
  ck_assert_uint_eq(alpha.runs, 0);
  ck_assert_ptr_nonnull(strstr(why(), "6291456")); /* needed */
  ck_assert_ptr_nonnull(strstr(why(), "5242880")); /* available */
}
END_TEST

START_TEST(what_is_there_needs_no_space) {
  uint32_t a = add(3 * MIB, 1);
  alpha.run = send_all;
  OK(run());
  memset(ended, 0, sizeof ended);
  add(3 * MIB, 2);
  fake.space = 4 * MIB;
  OK(run());
  ck_assert(is_there(a) && is_there(1));
  ck_assert_uint_eq(alpha.runs, 2);
}
END_TEST

START_TEST(what_was_begun_has_its_space) {
  add(8 * MIB, 1);
  alpha.run = beta.run = send_half_then_break;
  FAILS(HF_ENET, run());
  memset(ended, 0, sizeof ended);
  fake.space = 8 * MIB - 1;
  alpha.run = send_all;
  FAILS(HF_ENOSPACE, run()); /* by the store, which knows better than a sum */
  ck_assert_uint_eq(fake.partials, 1);
}
END_TEST

START_TEST(leases_for_large_files) {
  add(2 * MIB, 1);
  add(1000, 2);
  add(2 * MIB, 3);
  alpha.run = send_all;
  OK(run());
  ck_assert_uint_eq(fake.leases, 2);
  ck_assert_uint_eq(fake.adopts, 3 + 2); /* once more under the lease */
}
END_TEST

START_TEST(there_already) {
  for (uint32_t i = 0; i < 5; i++) add(1000, i + 1);
  alpha.run = send_all;
  OK(run());
  memset(ended, 0, sizeof ended);
  OK(run());
  ck_assert_uint_eq(alpha.runs, 5);
  memset(ended, 0, sizeof ended);
  for (uint32_t i = 0; i < 5; i++) files[i].flags = HF_IN_FORCE;
  OK(run());
  ck_assert_uint_eq(alpha.runs, 10);
}
END_TEST

START_TEST(a_tier_has_it) {
  add(3 * MIB, 1);
  alpha.run = send_all;
  struct hf_sink *s;
  hf_store *tier = fake_store("fake:");
  struct hf_ingest in =
      fake_what("elsewhere", "other", 3 * MIB); /* the tier is the same memory: hide it from adopt() */
  OK(hf_store_ingest(call, tier, &in, &s));
  OK(put_range(s, bodies[0], 0, 3 * MIB));
  OK(hf_sink_close(call, s, HF_OK, 0, NULL));
  free(fake.published[0]->path);
  fake.published[0]->path = strdup(paths[0]);
  if (_i) fake.published[0]->data[77] ^= 1; /* a broken tier */
  fetch.tiers = &tier;
  fetch.tier_count = 1;
  OK(run());
  fetch.tiers = NULL;
  fetch.tier_count = 0;
  ck_assert(is_there(0));
  ck_assert_uint_eq(alpha.runs, _i);
  hf_store_close(tier);
}
END_TEST

static hf_status on_resolve(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i) {
  (void)c;
  (void)arg;
  resolved++;
  f->etag = etags[i];
  f->url = "http://found/";
  f->size = 5000;
  return HF_OK;
}
static hf_status needs_resolved(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  ck_assert_str_eq(f->url, "http://found/");
  return send_all(c, b, f);
}

START_TEST(resolved_on_the_worker) {
  for (uint32_t i = 0; i < 20; i++) {
    add(5000, i + 1);
    files[i].etag = files[i].url = NULL;
    files[i].size = HF_SIZE_UNKNOWN;
  }
  alpha.run = needs_resolved;
  fetch.resolve = on_resolve;
  OK(run());
  fetch.resolve = NULL;
  ck_assert_uint_eq(resolved, 20);
  for (uint32_t i = 0; i < 20; i++) ck_assert(is_there(i));
}
END_TEST

static hf_status on_refresh(hf_call *c, void *arg, struct hf_fetch_file *f, uint32_t i) {
  (void)c;
  (void)arg;
  (void)i;
  refreshed++;
  f->url = "http://fresh/";
  return HF_OK;
}
static hf_status refreshes(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  const char *url = NULL;
  TRY(b->refresh(c, b, f, &url));
  ck_assert_str_eq(url, "http://fresh/");
  return fake_host->failf(c, HF_ENET, "somebody else may use it");
}
static hf_status needs_fresh(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  ck_assert_str_eq(f->url, "http://fresh/");
  return send_all(c, b, f);
}

START_TEST(refreshed_address) {
  add(5000, 1);
  alpha.run = refreshes;
  beta.run = needs_fresh;
  fetch.refresh = on_refresh;
  OK(run());
  fetch.refresh = NULL;
  ck_assert_uint_eq(refreshed, 1);
}
END_TEST

static struct timespec cancelled;
static void *cancel_soon(void *arg) { /* once half of the file is there */
  for (bool half = false; !half; usleep(10000)) {
    pthread_mutex_lock(&fake.lock);
    half = fake.written >= 4 * MIB;
    pthread_mutex_unlock(&fake.lock);
  }
  clock_gettime(CLOCK_MONOTONIC, &cancelled);
  hf_call_cancel(arg);
  return NULL;
}

START_TEST(cancelled_at_once_and_kept) {
  pthread_t t;
  struct timespec b;
  add(8 * MIB, 1);
  alpha.run = beta.run = hang;
  pthread_create(&t, NULL, cancel_soon, call);
  ck_assert_int_eq(run(), HF_ECANCELED);
  clock_gettime(CLOCK_MONOTONIC, &b);
  pthread_join(t, NULL);
  ck_assert_int_lt((b.tv_sec - cancelled.tv_sec) * 1000 + (b.tv_nsec - cancelled.tv_nsec) / 1000000, 100);
  ck_assert_uint_eq(beta.runs, 0);
  ck_assert_uint_eq(fake.kept, 1);
}
END_TEST

START_TEST(hostile_names) {
  const char *const bad[] = {"../up", "/etc/passwd", "a/../../b", "C:\\x", "a//b"};
  for (size_t k = 0; k < HF_COUNT(bad); k++) {
    count = 0;
    memset(ended, 0, sizeof ended);
    add(1000, 1);
    files[0].path = bad[k];
    alpha.run = send_all;
    FAILS(HF_EINVAL, run());
    free(bodies[0]);
  }
  count = 0;
  ck_assert_uint_eq(fake.ingests, 0);
}
END_TEST

START_TEST(out_of_memory_anywhere) {
  add(2 * MIB, 1);
  for (uint32_t i = 0; i < 3; i++) add(1000, i + 2);
  alpha.run = beta.run = send_all;
  fetch.width = 1;
  uint32_t went_well = 0;
  for (long n = 0; n < 3000 && went_well < 3; n++) {
    memset(ended, 0, sizeof ended);
    hf_mem_fail_after(n, _i);
    fetch.struct_size = sizeof fetch;
    fetch.repo = (struct hf_repo){"model", "org/repo"};
    fetch.commit = COMMIT;
    fetch.store = store;
    fetch.files = files;
    fetch.count = count;
    fetch.done = on_done;
    hf_status st = hf_fetch(call, &fetch);
    hf_mem_fail_after(-1, false);
    hf_call_clear(call);
    went_well = st == HF_OK ? went_well + 1 : 0;
    ck_assert_msg(st == HF_OK || st == HF_ENOMEM || st == HF_ENOSYS || st == HF_ENOTFOUND, "%s", hf_status_name(st));
    for (uint32_t i = 0; i < count; i++) {
      ck_assert_uint_le(ended[i], 1);
      if (st == HF_OK) ck_assert(ends[i] == HF_OK && is_there(i));
    }
    ck_assert_uint_eq(fake.leases, fake.drops);
    while (fake.publisheds) fake_blob_free(fake.published[--fake.publisheds]);
    while (fake.partials) fake_blob_free(fake.partial[--fake.partials]);
  }
  ck_assert_uint_eq(went_well, 3);
  fetch.width = 0;
}
END_TEST

START_TEST(nothing_to_do) {
  OK(run());
  ck_assert_uint_eq(fake.groups, 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("fetch");
  TCase *t = tcase_create("fetch");
  tcase_add_checked_fixture(t, start, stop);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, many_files_in_groups);
  tcase_add_test(t, equal_files_come_once);
  tcase_add_loop_test(t, the_next_adapter_takes_over_in_mid_file, 0, 2);
  tcase_add_test(t, all_adapters_fail);
  tcase_add_test(t, what_no_adapter_can_cure);
  tcase_add_test(t, a_stalled_adapter_is_replaced);
  tcase_add_test(t, named_adapters_only);
  tcase_add_test(t, an_unknown_adapter);
  tcase_add_test(t, adapters_that_cannot);
  tcase_add_test(t, a_damaged_file_comes_once_more);
  tcase_add_test(t, a_file_that_stays_damaged);
  tcase_add_test(t, the_first_failure_stops_the_rest);
  tcase_add_test(t, done_may_stop_the_batch);
  tcase_add_test(t, a_store_that_does_not_publish);
  tcase_add_test(t, what_does_not_fit_is_refused_before_the_first_byte);
  tcase_add_test(t, what_is_there_needs_no_space);
  tcase_add_test(t, what_was_begun_has_its_space);
  tcase_add_test(t, leases_for_large_files);
  tcase_add_test(t, there_already);
  tcase_add_loop_test(t, a_tier_has_it, 0, 2);
  tcase_add_test(t, resolved_on_the_worker);
  tcase_add_test(t, refreshed_address);
  tcase_add_test(t, cancelled_at_once_and_kept);
  tcase_add_test(t, hostile_names);
  tcase_add_loop_test(t, out_of_memory_anywhere, 0, 2);
  tcase_add_test(t, nothing_to_do);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
