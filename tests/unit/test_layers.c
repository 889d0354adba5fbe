/* Layers over stores and adapters: what HF_LAYERS asks for happens, the same faults for the same seed, and whatever is injected,
 * nothing wrong is ever published.
 * Runs against the store and adapters of fakes.h. */
#include "fakes.h"

enum { SIZE = 2 << 20 };
static uint8_t *data;
static char etag[65];

static void start(void) {
  fake_start();
  data = fake_bytes(SIZE, 1);
  fake_etag(HF_DIGEST_SHA256, data, SIZE, etag);
}

static void stop(void) {
  free(data);
  fake_stop();
}

static hf_store *layered(const char *layers) {
  OK(hf_call_option(call, "HF_LAYERS", layers));
  return fake_store("fake:");
}

static hf_status store_file(hf_store *s) {
  struct hf_sink *sink;
  struct hf_ingest in = fake_what("f", etag, SIZE);
  TRY(hf_store_ingest(call, s, &in, &sink));
  hf_status st = HF_OK;
  struct hf_range r;
  for (uint32_t n = 1; st == HF_OK; n = 1) {
    st = sink->missing(call, sink, &r, &n);
    if (st != HF_OK || n == 0) break;
    st = put_range(sink, data, r.off, r.len < 1 << 16 ? (size_t)r.len : 1 << 16);
  }
  return hf_sink_close(call, sink, st, 1, NULL);
}

static bool right(void) {
  struct fake_blob *b = fake_published(etag, NULL);
  return b && b->size == SIZE && memcmp(b->data, data, SIZE) == 0;
}

START_TEST(transparent) {
  hf_store *s = layered("trace;delay:ms=0;limit:ops=1000000;retry;fault:nth=0");
  ck_assert_str_eq(hf_store_name(s), "fake");
  ck_assert_uint_eq(hf_store_caps(s), FAKE_CAPS);
  OK(store_file(s));
  ck_assert(right());
  struct hf_st_file f;
  struct hf_name name = {{"model", "org/repo"}, COMMIT, "f"};
  OK(hf_store_find(call, s, &name, &f));
  ck_assert_str_eq(f.path, "/fake/f");
  const char *commit;
  OK(hf_store_ref_get(call, s, &name.repo, "main", &commit));
  uint64_t space;
  fake.space = 5;
  OK(hf_store_space(call, s, &space, NULL));
  ck_assert_uint_eq(space, 5);
  hf_store_close(s);
}
END_TEST

START_TEST(the_nth_call_fails) {
  hf_store *s = layered("fault:op=writev,nth=3,code=HF_ENOSPACE");
  ck_assert_int_eq(store_file(s), HF_ENOSPACE);
  ck_assert_str_eq(why(), "injected fault in writev");
  hf_call_clear(call);
  ck_assert_uint_eq(fake.written, 2 << 16);
  ck_assert_uint_eq(fake.publisheds, 0);
  fake.written = 0;
  OK(store_file(s)); /* the third call has been */
  ck_assert(right());
  ck_assert_uint_eq(fake.written, SIZE - (2 << 16)); /* what was journaled came back */
  hf_store_close(s);
}
END_TEST

START_TEST(each_operation_can_fail) {
  static const char *const ops[] = {"ingest", "set_size", "writev", "seal", "publish"};
  for (size_t i = 0; i < HF_COUNT(ops); i++) {
    char spec[80];
    snprintf(spec, sizeof spec, "fault:op=%s,nth=1", ops[i]);
    hf_store *s = layered(spec);
    FAILS(HF_EIO, store_file(s));
    ck_assert_uint_eq(fake.publisheds, 0);
    OK(store_file(s));
    ck_assert(right());
    fake_blob_free(fake.published[--fake.publisheds]);
    ck_assert_uint_eq(fake.partials, 0);
    hf_store_close(s);
  }
}
END_TEST

START_TEST(a_broken_journal_costs_only_time) {
  hf_store *s = layered("fault:op=note_write,nth=5;fault:op=note_read,nth=1");
  OK(store_file(s));
  ck_assert(right());
  hf_store_close(s);
}
END_TEST

START_TEST(a_cut_write_is_an_error) {
  hf_store *s = layered("fault:op=writev,nth=7,how=cut");
  FAILS(HF_EIO, store_file(s));
  ck_assert_uint_eq(fake.written, (6 << 16) + (1 << 15));
  ck_assert_uint_eq(fake.publisheds, 0);
  hf_store_close(s);
}
END_TEST

START_TEST(damage_on_the_way_back_is_found) {
  hf_store *s = layered("fault:op=pread,nth=1,how=flip");
  struct hf_sink *sink;
  struct hf_ingest in = fake_what("f", etag, SIZE);
  OK(hf_store_ingest(call, s, &in, &sink));
  OK(put_range(sink, data, SIZE / 2, SIZE / 2)); /* out of order: read back for the digest */
  OK(put_range(sink, data, 0, SIZE / 2));
  FAILS(HF_EDIGEST, hf_sink_close(call, sink, HF_OK, 1, NULL));
  ck_assert_uint_eq(fake.publisheds, 0);
  hf_store_close(s);
}
END_TEST

START_TEST(a_lying_disk_is_found_on_resume) {
  hf_store *s = layered("fault:op=writev,nth=4,how=flip;fault:op=writev,nth=20");
  FAILS(HF_EIO, store_file(s));
  fake.written = 0;
  OK(store_file(s));
  ck_assert(right());
  ck_assert_uint_eq(fake.written, SIZE - (18 << 16)); /* the damaged block was fetched again */
  hf_store_close(s);
}
END_TEST

START_TEST(same_seed_same_faults) {
  uint64_t written[3];
  for (int round = 0; round < 3; round++) {
    hf_store *s = layered(round == 2 ? "fault:op=writev,seed=8,rate=0.1" : "fault:op=writev,seed=7,rate=0.1");
    fake.written = 0;
    store_file(s);
    hf_call_clear(call);
    written[round] = fake.written;
    hf_store_close(s);
    for (uint32_t i = 0; i < fake.partials; i++) fake_blob_free(fake.partial[i]);
    for (uint32_t i = 0; i < fake.publisheds; i++) fake_blob_free(fake.published[i]);
    fake.partials = fake.publisheds = 0;
  }
  ck_assert_uint_eq(written[0], written[1]);
  ck_assert_uint_ne(written[0], written[2]);
}
END_TEST

START_TEST(whatever_fails_nothing_wrong_is_published) {
  for (int seed = 1; seed <= 150; seed++) {
    char spec[120];
    snprintf(spec, sizeof spec, "fault:seed=%d,rate=0.03;fault:op=writev,seed=%d,rate=0.02,how=cut", seed, seed + 500);
    hf_store *s = layered(spec);
    hf_status st = HF_EIO;
    for (int tries = 0; tries < 200 && st != HF_OK; tries++) {
      st = store_file(s);
      hf_call_clear(call);
      ck_assert(st == HF_OK || st == HF_EIO || st == HF_EDIGEST);
      ck_assert_uint_eq(fake.publisheds, st == HF_OK);
    }
    ck_assert_int_eq(st, HF_OK);
    ck_assert(right());
    hf_store_close(s);
    fake_blob_free(fake.published[--fake.publisheds]);
    ck_assert_uint_eq(fake.partials, 0);
  }
}
END_TEST

START_TEST(retry_repeats_what_may_be_repeated) {
  hf_store *s = layered("retry:tries=3;fault:op=writev,nth=3,retryable=1;fault:op=ingest,nth=1,retryable=1");
  OK(store_file(s));
  ck_assert(right());
  hf_store_close(s);
  fake_blob_free(fake.published[--fake.publisheds]);
  s = layered("retry:tries=3;fault:op=publish,nth=1,retryable=1");
  FAILS(HF_EIO, store_file(s)); /* a publish may have happened: not twice */
  hf_store_close(s);
  s = layered("retry:tries=3;fault:op=writev,nth=3");
  FAILS(HF_EIO, store_file(s)); /* the error does not invite it */
  hf_store_close(s);
}
END_TEST

START_TEST(limit_and_delay_take_their_time) {
  hf_store *s = layered(_i ? "delay:op=writev,ms=10" : "limit:op=writev,bytes=4000000");
  uint64_t began = hf_now_ns();
  OK(store_file(s));
  uint64_t ms = (hf_now_ns() - began) / 1000000;
  ck_assert_msg(ms >= (_i ? 300 : 250) && ms < 5000, "%llu ms", (unsigned long long)ms);
  hf_store_close(s);
}
END_TEST

static hf_status send_all(hf_call *c, const struct hf_tr_batch *b, struct hf_tr_file *f) {
  struct hf_iov iov = {data, SIZE};
  (void)b;
  return f->sink->writev(c, f->sink, 0, &iov, 1);
}

START_TEST(layers_over_adapters) {
  struct hf_fetch_file file = {
      .struct_size = sizeof file, .path = "f", .etag = etag, .url = "http://fake/", .size = SIZE};
  struct hf_fetch fetch = {.struct_size = sizeof fetch,
                           .repo = {"model", "org/repo"},
                           .commit = COMMIT,
                           .store = fake_store("fake:"),
                           .files = &file,
                           .count = 1};
  alpha.run = beta.run = send_all;
  OK(hf_call_option(call, "HF_LAYERS", "fault:on=transfer,op=run,nth=1,code=HF_ENET"));
  FAILS(HF_ENET, hf_fetch(call, &fetch)); /* each session has a counter of its own: both fail once */
  ck_assert_uint_eq(alpha.runs + beta.runs, 0);
  OK(hf_call_option(call, "HF_LAYERS", "retry:on=transfer;fault:on=transfer,op=run,nth=1,code=HF_ENET,retryable=1"));
  OK(hf_fetch(call, &fetch));
  ck_assert(right());
  ck_assert_uint_eq(alpha.runs, 1);
  hf_store_close(fetch.store);
}
END_TEST

START_TEST(nonsense) {
  hf_store *s;
  static const char *const bad[] = {"nosuch", "fault:how=sideways", ":",
                                    "trace;trace;trace;trace;trace;trace;trace;trace;trace"};
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    OK(hf_call_option(call, "HF_LAYERS", bad[i]));
    FAILS(HF_EINVAL, hf_store_open(call, "fake:", &s));
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("layers");
  TCase *t = tcase_create("layers");
  tcase_add_checked_fixture(t, start, stop);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, transparent);
  tcase_add_test(t, the_nth_call_fails);
  tcase_add_test(t, each_operation_can_fail);
  tcase_add_test(t, a_broken_journal_costs_only_time);
  tcase_add_test(t, a_cut_write_is_an_error);
  tcase_add_test(t, damage_on_the_way_back_is_found);
  tcase_add_test(t, a_lying_disk_is_found_on_resume);
  tcase_add_test(t, same_seed_same_faults);
  tcase_add_test(t, whatever_fails_nothing_wrong_is_published);
  tcase_add_test(t, retry_repeats_what_may_be_repeated);
  tcase_add_loop_test(t, limit_and_delay_take_their_time, 0, 2);
  tcase_add_test(t, layers_over_adapters);
  tcase_add_test(t, nonsense);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
