/* The wrapped sink: bounds, sizes, missing ranges, the digest frontier under every order of writing, block journal and resume,
 * stores that take bytes in order or in parts, and that nothing is sealed that was not verified.
 * Runs against the store of fakes.h. */
#include <unistd.h>

#include "fakes.h"
#include "sink.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

static hf_store *store;
static uint8_t *data;
static char etag[65];

static struct hf_sink *begin(const char *uri, size_t size, uint32_t algo, uint64_t told) {
  struct hf_sink *s = NULL;
  if (!store) store = fake_store(uri);
  if (!data) {
    data = fake_bytes(size, 1);
    if (algo == HF_DIGEST_NONE)
      snprintf(etag, sizeof etag, "tag-1");
    else
      fake_etag(algo, data, size, etag);
  }
  struct hf_ingest in = fake_what("a/file.bin", etag, told);
  OK(hf_store_ingest(call, store, &in, &s));
  return s;
}

static void over(void) {
  hf_store_close(store);
  free(data);
  store = NULL;
  data = NULL;
}

static void published_right(size_t size) {
  struct fake_blob *b = fake_published(etag, NULL);
  ck_assert_ptr_nonnull(b);
  ck_assert_uint_eq(b->size, size);
  if (size) ck_assert_int_eq(memcmp(b->data, data, size), 0);
}

static void close_right(struct hf_sink *s, size_t size) {
  struct hf_st_file f;
  OK(hf_sink_close(call, s, HF_OK, 1, &f));
  ck_assert_str_eq(f.path, "/fake/a/file.bin");
  ck_assert_uint_eq(f.size, size);
  published_right(size);
}

START_TEST(in_order_is_not_read_back) {
  struct hf_sink *s = begin("fake:", 3 * MIB + 5, HF_DIGEST_SHA256, 3 * MIB + 5);
  for (size_t at = 0; at < 3 * MIB + 5; at += 100000)
    OK(put_range(s, data, at, 3 * MIB + 5 - at < 100000 ? 3 * MIB + 5 - at : 100000));
  close_right(s, 3 * MIB + 5);
  ck_assert_uint_eq(fake.read_back, 0);
  ck_assert_uint_eq(fake.written, 3 * MIB + 5);
  over();
}
END_TEST

START_TEST(any_order_is_verified) {
  enum { N = 40, PIECE = 70001 };
  size_t size = (size_t)N * PIECE;
  struct hf_sink *s = begin("fake:", size, _i ? HF_DIGEST_GIT_BLOB : HF_DIGEST_SHA256, size);
  uint32_t order[N];
  for (uint32_t i = 0; i < N; i++) order[i] = i;
  srand(4);
  for (uint32_t i = N; i-- > 1;) {
    uint32_t k = (uint32_t)rand() % (i + 1), t = order[i];
    order[i] = order[k], order[k] = t;
  }
  for (uint32_t i = 0; i < N; i++) OK(put_range(s, data, (uint64_t)order[i] * PIECE, PIECE));
  close_right(s, size);
  over();
}
END_TEST

/* Large enough for a thread of its own that computes the digest, where there are processors for it. */
enum { LARGE = 40 * MIB + 7 };

static void put_large(struct hf_sink *s, const uint8_t *bytes) {
  for (size_t at = 0; at < LARGE; at += 256 * KIB)
    OK(put_range(s, bytes, at, LARGE - at < 256 * KIB ? LARGE - at : 256 * KIB));
}

START_TEST(large_files_are_hashed_beside_the_writer) {
  struct hf_sink *s = begin("fake:", LARGE, HF_DIGEST_SHA256, LARGE);
  put_large(s, data);
  close_right(s, LARGE);
  ck_assert_uint_le(fake.read_back, LARGE); /* each byte once at most */
  if (sysconf(_SC_NPROCESSORS_ONLN) == 1) ck_assert_uint_eq(fake.read_back, 0);
  over();
}
END_TEST

START_TEST(large_files_with_a_flipped_bit_are_never_sealed) {
  static const size_t at[] = {0, LARGE / 2, LARGE - 1};
  struct hf_sink *s = begin("fake:", LARGE, HF_DIGEST_SHA256, LARGE);
  data[at[_i]] ^= 1;
  put_large(s, data);
  ck_assert_int_eq(hf_sink_close(call, s, HF_OK, 1, NULL), HF_EDIGEST);
  ck_assert_uint_eq(fake.publisheds, 0);
  over();
}
END_TEST

START_TEST(large_files_written_again_count_the_last_bytes) {
  struct hf_sink *s = begin("fake:", LARGE, HF_DIGEST_SHA256, LARGE);
  uint8_t *junk = fake_bytes(LARGE, 98);
  put_large(s, junk);
  put_large(s, data);
  close_right(s, LARGE);
  free(junk);
  over();
}
END_TEST

START_TEST(large_files_can_be_given_up_at_any_time) {
  struct hf_sink *s = begin("fake:", LARGE, HF_DIGEST_SHA256, LARGE);
  for (size_t at = 0; at < (size_t)(4 + 10 * _i) * MIB; at += MIB) OK(put_range(s, data, at, MIB));
  ck_assert_int_eq(hf_sink_close(call, s, HF_ECANCELED, 1, NULL), HF_ECANCELED);
  ck_assert_uint_eq(fake.publisheds, 0);
  over();
}
END_TEST

struct writers {
  struct hf_sink *s;
  uint32_t n;
  size_t piece;
};
static hf_status write_stripe(hf_call *c, void *arg, uint32_t i) {
  struct writers *w = arg;
  for (size_t at = (size_t)i * MIB; at < (size_t)(i + 1) * MIB; at += w->piece) {
    struct hf_iov iov[2] = {{data + at, w->piece / 3}, {data + at + w->piece / 3, w->piece - w->piece / 3}};
    TRY(w->s->writev(c, w->s, at, iov, 2));
  }
  return HF_OK;
}

START_TEST(many_writers_at_once) {
  struct writers w = {.n = 24, .piece = 16 * KIB};
  w.s = begin("fake:", (size_t)w.n * MIB, HF_DIGEST_SHA256, (size_t)w.n * MIB);
  OK(hf_parallel(call, w.n, 8, write_stripe, &w));
  close_right(w.s, (size_t)w.n * MIB);
  over();
}
END_TEST

START_TEST(written_again_counts_the_last_bytes) {
  struct hf_sink *s = begin("fake:", 2 * MIB, HF_DIGEST_SHA256, 2 * MIB);
  uint8_t *junk = fake_bytes(2 * MIB, 99);
  OK(put_range(s, junk, 0, MIB)); /* hashed by now */
  OK(put_range(s, data, MIB, MIB));
  OK(put_range(s, data, 1000, MIB - 1000));
  OK(put_range(s, data, 0, 1000));
  close_right(s, 2 * MIB);
  free(junk);
  over();
}
END_TEST

START_TEST(a_flipped_bit_is_never_sealed) {
  struct hf_sink *s = begin("fake:", MIB, _i ? HF_DIGEST_GIT_BLOB : HF_DIGEST_SHA256, MIB);
  data[MIB / 2] ^= 4;
  OK(put_range(s, data, 0, MIB));
  ck_assert_int_eq(hf_sink_close(call, s, HF_OK, 1, NULL), HF_EDIGEST);
  const struct hf_error *e = hf_call_error(call);
  ck_assert_ptr_nonnull(strstr(e->message, "a/file.bin"));
  ck_assert_ptr_nonnull(strstr(e->message, etag));
  ck_assert_uint_eq(e->retryable, 1);
  ck_assert_uint_eq(fake.publisheds, 0);
  ck_assert_uint_eq(fake.partials, 0); /* no byte of it is known good */
  over();
}
END_TEST

START_TEST(short_is_never_sealed) {
  struct hf_sink *s = begin("fake:", 2 * MIB, HF_DIGEST_SHA256, 2 * MIB);
  OK(put_range(s, data, 0, 2 * MIB - 1));
  FAILS(HF_EPROTO, hf_sink_close(call, s, HF_OK, 1, NULL));
  ck_assert_uint_eq(fake.publisheds, 0);
  ck_assert_uint_eq(fake.kept, 1);
  over();
}
END_TEST

START_TEST(bounds) {
  struct hf_sink *s = begin("fake:", 1000, HF_DIGEST_SHA256, 1000);
  struct hf_iov huge = {data, SIZE_MAX - 10}, two[2] = {{data, 600}, {data, 600}};
  FAILS(HF_EPROTO, put_range(s, data, 1000, 1));
  FAILS(HF_EPROTO, put_range(s, data, 999, 2));
  FAILS(HF_EPROTO, s->writev(call, s, UINT64_MAX - 1, two, 1));
  FAILS(HF_EPROTO, s->writev(call, s, 0, two, 2));
  FAILS(HF_EPROTO, s->writev(call, s, 20, &huge, 1));
  ck_assert_uint_eq(fake.written, 0); /* nothing of it reached the store */
  OK(s->set_size(call, s, 1000));
  FAILS(HF_EPROTO, s->set_size(call, s, 1001));
  OK(put_range(s, data, 0, 1000));
  OK(s->writev(call, s, 1000, two, 0));
  close_right(s, 1000);
  over();
}
END_TEST

START_TEST(unknown_size) {
  struct hf_sink *s = begin("fake:", 3 * MIB, _i ? HF_DIGEST_GIT_BLOB : HF_DIGEST_SHA256, HF_SIZE_UNKNOWN);
  struct hf_range r;
  uint32_t n = 1;
  OK(put_range(s, data, 0, MIB));
  OK(s->missing(call, s, &r, &n));
  ck_assert_uint_eq(n, 1);
  ck_assert_uint_eq(r.off, MIB);
  ck_assert_uint_eq(r.len, HF_SIZE_UNKNOWN);
  OK(put_range(s, data, MIB, 2 * MIB));
  FAILS(HF_EPROTO, s->set_size(call, s, 2 * MIB)); /* smaller than what came */
  close_right(s, 3 * MIB);
  over();
}
END_TEST

START_TEST(unknown_size_cannot_have_a_hole) {
  struct hf_sink *s = begin("fake:", 3 * MIB, HF_DIGEST_SHA256, HF_SIZE_UNKNOWN);
  OK(put_range(s, data, 0, MIB));
  OK(put_range(s, data, 2 * MIB, MIB));
  FAILS(HF_EPROTO, hf_sink_close(call, s, HF_OK, 1, NULL));
  ck_assert_uint_eq(fake.publisheds, 0);
  over();
}
END_TEST

START_TEST(missing_tells_the_gaps) {
  struct hf_sink *s = begin("fake:", 1000, HF_DIGEST_NONE, 1000);
  struct hf_range r[4];
  uint32_t n = 4;
  OK(put_range(s, data, 100, 100));
  OK(put_range(s, data, 500, 100));
  OK(s->missing(call, s, r, &n));
  ck_assert_uint_eq(n, 3);
  ck_assert(r[0].off == 0 && r[0].len == 100 && r[1].off == 200 && r[1].len == 300 && r[2].off == 600 &&
            r[2].len == 400);
  n = 2;
  OK(s->missing(call, s, r, &n));
  ck_assert_uint_eq(n, 2);
  uint8_t back[200];
  size_t got;
  OK(s->pread(call, s, back, 200, 150, &got)); /* only what is there */
  ck_assert_uint_eq(got, 50);
  ck_assert_int_eq(memcmp(back, data + 150, 50), 0);
  hf_sink_close(call, s, HF_ECANCELED, 0, NULL);
  over();
}
END_TEST

START_TEST(lent_memory_is_written_on_commit) {
  struct hf_sink *s = begin("fake:", 200000, HF_DIGEST_SHA256, 200000);
  struct hf_span span;
  OK(s->lend(call, s, 0, 150000, &span));
  s->drop(s, &span);
  for (uint64_t off = 0; off < 200000; off += 100000) {
    OK(s->lend(call, s, off, 120000, &span));
    ck_assert(span.len >= 120000 && span.off == off);
    memcpy(span.base, data + off, 100000);
    OK(s->commit(call, s, &span, 100000));
  }
  close_right(s, 200000);
  over();
}
END_TEST

START_TEST(no_digest_means_exact_length) {
  struct hf_sink *s = begin("fake:", 1000, HF_DIGEST_NONE, 1000);
  OK(put_range(s, data, 0, 1000));
  close_right(s, 1000);
  OK(hf_call_option(call, "HF_VERIFY", "strict"));
  struct hf_ingest in = fake_what("b", "tag-2", 5);
  FAILS(HF_EDIGEST, hf_store_ingest(call, store, &in, &s));
  ck_assert_uint_eq(fake.partials, 1 - 1);
  over();
}
END_TEST

START_TEST(an_etag_that_contradicts_the_digest) {
  struct hf_sink *s;
  store = fake_store("fake:");
  char other[65];
  fake_etag(HF_DIGEST_SHA256, "x", 1, other);
  struct hf_ingest in = fake_what("b", other, 5);
  in.digest = (struct hf_digest){.algo = HF_DIGEST_SHA256, .len = 32, .bytes = {1, 2, 3}};
  FAILS(HF_EPROTO, hf_store_ingest(call, store, &in, &s));
  over();
}
END_TEST

START_TEST(empty_file) {
  struct hf_sink *s = begin("fake:", 0, _i ? HF_DIGEST_GIT_BLOB : HF_DIGEST_SHA256, 0);
  struct hf_range r;
  uint32_t n = 1;
  OK(s->missing(call, s, &r, &n));
  ck_assert_uint_eq(n, 0);
  close_right(s, 0);
  over();
}
END_TEST

/* ---- resume ---- */

static uint64_t missing_bytes(struct hf_sink *s) {
  static struct hf_range r[4096];
  uint32_t n = 4096;
  uint64_t sum = 0;
  OK(s->missing(call, s, r, &n));
  for (uint32_t i = 0; i < n; i++) sum += r[i].len;
  return sum;
}

static void fill_gaps(struct hf_sink *s) {
  struct hf_range r;
  for (uint32_t n = 1;; n = 1) {
    OK(s->missing(call, s, &r, &n));
    if (n == 0) return;
    OK(put_range(s, data, r.off, (size_t)(r.len < 300000 ? r.len : 300000)));
  }
}

START_TEST(resume_after_an_orderly_end) {
  size_t size = 20 * MIB, first = 11 * MIB + 12345;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  OK(put_range(s, data, 0, first));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  s = begin("fake:", size, HF_DIGEST_SHA256, size);
  ck_assert(s->caps & HF_IO_RESUMES);
  ck_assert_uint_eq(missing_bytes(s), size - first); /* not a byte lost */
  fake.written = 0;
  fill_gaps(s);
  close_right(s, size);
  ck_assert_uint_eq(fake.written, size - first);
  over();
}
END_TEST

/* A kill: what the store has at that moment is all there is; the sink is never told. */
static struct hf_sink *crash(void) {
  pthread_mutex_lock(&fake.lock);
  for (uint32_t i = 0; i < fake.partials; i++) fake.partial[i]->busy = false;
  pthread_mutex_unlock(&fake.lock);
  return NULL;
}

START_TEST(resume_after_a_kill_keeps_almost_all) {
  size_t size = 64 * MIB;
  struct writers w = {.n = 16, .piece = 16 * KIB};
  struct hf_sink *dead = w.s = begin("fake:", size, HF_DIGEST_SHA256, size);
  OK(hf_parallel(call, w.n, 4, write_stripe, &w));
  OK(put_range(w.s, data, 30 * MIB, 5 * MIB + 777));
  hf_follower_end(NULL, (struct hf_wrap *)dead); /* its threads end with it */
  crash();
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  uint64_t written = 21 * MIB + 777, held = size - missing_bytes(s);
  ck_assert_msg(held >= written - written / 100, "%llu of %llu", (unsigned long long)held, (unsigned long long)written);
  fill_gaps(s);
  close_right(s, size);
  struct hf_wrap *lost = (struct hf_wrap *)dead; /* goes with the process that it stands for */
  hf_frontier_free(lost);
  hf_ranges_free(&lost->held);
  hf_mem_free(lost->open);
  free(lost->raw);
  hf_mem_free(lost);
  over();
}
END_TEST

START_TEST(damaged_blocks_are_fetched_again) {
  size_t size = 16 * MIB;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  OK(put_range(s, data, 0, 12 * MIB));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  struct fake_blob *b = fake.partial[0];
  b->data[0] ^= 1;                                 /* the first block */
  memset(b->data + 5 * MIB + 100, 0, 3);           /* one in the middle */
  memset(b->data + 12 * MIB - 200 * KIB, 0, 1000); /* and near the end */
  s = begin("fake:", size, HF_DIGEST_SHA256, size);
  ck_assert_uint_eq(missing_bytes(s), 4 * MIB + 3 * 64 * KIB);
  fill_gaps(s);
  close_right(s, size);
  over();
}
END_TEST

START_TEST(a_torn_or_foreign_journal_is_harmless) {
  size_t size = 4 * MIB;
  for (uint32_t round = 0; round < 60; round++) {
    struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
    OK(put_range(s, data, 0, 3 * MIB));
    hf_sink_close(call, s, HF_ENET, 1, NULL);
    struct fake_blob *b = fake.partial[0];
    srand(round);
    switch (round % 4) {
      case 0: b->note_len = (size_t)rand() % b->note_len; break;
      case 1:
        for (int i = 0; i < 20; i++) b->note[(size_t)rand() % b->note_len] ^= (uint8_t)(1 + rand() % 255);
        break;
      case 2: /* bytes on disk are older than the journal says */ memset(b->data + rand() % (2 * MIB), 0, MIB); break;
      default:
        for (size_t i = 0; i < b->note_len; i++) b->note[i] = (uint8_t)rand();
    }
    s = begin("fake:", size, HF_DIGEST_SHA256, size);
    fill_gaps(s);
    close_right(s, size); /* it verifies: nothing false was believed */
    fake_blob_free(fake.published[--fake.publisheds]);
  }
  over();
}
END_TEST

START_TEST(another_version_starts_again) {
  size_t size = 4 * MIB;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_NONE, size);
  OK(put_range(s, data, 0, 3 * MIB));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  s = begin("fake:", size + 1, HF_DIGEST_NONE, size + 1);
  ck_assert_uint_eq(missing_bytes(s), size + 1);
  hf_sink_close(call, s, HF_ENET, 0, NULL);
  over();
}
END_TEST

START_TEST(a_rewritten_block_is_journaled_again) {
  size_t size = 4 * MIB;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  uint8_t *junk = fake_bytes(size, 5);
  OK(put_range(s, junk, 0, MIB));
  OK(put_range(s, data, 10, MIB - 10));
  OK(put_range(s, data, 0, 10));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  s = begin("fake:", size, HF_DIGEST_SHA256, size);
  ck_assert_uint_eq(missing_bytes(s), size - MIB);
  fill_gaps(s);
  close_right(s, size);
  free(junk);
  over();
}
END_TEST

START_TEST(the_journal_may_fail) {
  size_t size = 4 * MIB;
  fake.no_notes = true;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  OK(put_range(s, data, 0, MIB));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  ck_assert_uint_eq(fake.kept, 0); /* bytes that nobody can vouch for are not kept */
  s = begin("fake:", size, HF_DIGEST_SHA256, size);
  fill_gaps(s);
  close_right(s, size);
  over();
}
END_TEST

/* ---- stores that are particular ---- */

START_TEST(a_store_that_wants_order) {
  size_t size = 3 * MIB;
  fake.sink_caps = _i ? HF_IO_READ_BACK : 0;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  ck_assert_uint_eq(s->caps & HF_IO_ANY_ORDER, 0);
  OK(put_range(s, data, 0, 1000));
  OK(put_range(s, data, MIB, MIB)); /* early: waits */
  ck_assert_uint_eq(fake.written, 1000);
  OK(put_range(s, data, 1000, MIB - 1000));
  ck_assert_uint_eq(fake.written, 2 * MIB);
  ck_assert_uint_eq(missing_bytes(s), MIB);
  FAILS(HF_EPROTO, put_range(s, data, 0, 10));
  OK(put_range(s, data, 2 * MIB, MIB));
  close_right(s, size);
  over();
}
END_TEST

START_TEST(what_comes_far_too_early_is_refused) {
  size_t size = 32 * MIB;
  fake.sink_caps = 0;
  struct hf_sink *s = begin("fake:", size, HF_DIGEST_SHA256, size);
  OK(put_range(s, data, 4 * MIB, 4 * MIB));
  FAILS(HF_EPROTO, put_range(s, data, 16 * MIB, 5 * MIB));
  hf_sink_close(call, s, HF_ENET, 1, NULL);
  over();
}
END_TEST

START_TEST(a_store_that_wants_parts) {
  size_t size = 5 * 65536 + 77;
  struct hf_sink *s = begin("parts:", size, HF_DIGEST_SHA256, size);
  for (size_t at = 0; at < size; at += 1000) {
    OK(put_range(s, data, at, size - at < 1000 ? size - at : 1000));
    if (at + 1000 < size) ck_assert_uint_eq(fake.written % 65536, 0);
  }
  ck_assert_uint_eq(fake.writes, 6);
  close_right(s, size);
  over();
}
END_TEST

START_TEST(a_full_disk_is_told_before_the_first_byte) {
  struct hf_sink *s;
  store = fake_store("fake:");
  fake.space = 100;
  struct hf_ingest in = fake_what("b", "tag", 101);
  FAILS(HF_ENOSPACE, hf_store_ingest(call, store, &in, &s));
  ck_assert_uint_eq(fake.written, 0);
  over();
}
END_TEST

START_TEST(a_cancelled_call_writes_no_more) {
  struct hf_sink *s = begin("fake:", 2 * MIB, HF_DIGEST_SHA256, 2 * MIB);
  OK(put_range(s, data, 0, MIB + 100));
  hf_call_cancel(call);
  ck_assert_int_eq(put_range(s, data, MIB, 100), HF_ECANCELED);
  hf_sink_close(call, s, HF_ECANCELED, 1, NULL);
  ck_assert_uint_eq(fake.kept, 1);
  over();
}
END_TEST

START_TEST(out_of_memory_anywhere) {
  size_t size = 2 * MIB;
  store = fake_store("fake:");
  data = fake_bytes(size, 1);
  fake_etag(HF_DIGEST_SHA256, data, size, etag);
  int went_well = 0;
  for (long n = 0; n < 400 && !went_well; n++) {
    struct hf_sink *s;
    struct hf_ingest in = fake_what("a/file.bin", etag, size);
    hf_mem_fail_after(n, true);
    hf_status st = hf_store_ingest(call, store, &in, &s);
    if (st == HF_OK) {
      st = put_range(s, data, MIB, MIB);
      if (st == HF_OK) st = put_range(s, data, 0, MIB);
      st = hf_sink_close(call, s, st, 1, NULL);
    }
    hf_mem_fail_after(-1, false);
    went_well = st == HF_OK;
    ck_assert(st == HF_OK || st == HF_ENOMEM);
    hf_call_clear(call);
    ck_assert_uint_eq(fake.publisheds, went_well);
  }
  ck_assert(went_well);
  published_right(size);
  over();
}
END_TEST

/* ---- an adapter that hashes every piece ---- */

enum { LEAF = 64 * KIB };

static struct hf_sink *begin_attested(size_t size, const char *xet_hash) {
  struct hf_sink *s = NULL;
  if (!store) store = fake_store("fake:");
  if (!data) {
    data = fake_bytes(size, 1);
    fake_etag(HF_DIGEST_SHA256, data, size, etag);
  }
  struct hf_ingest in = fake_what("a/file.bin", etag, size);
  in.xet_hash = xet_hash;
  in.flags |= HF_IN_VIA_XET;
  OK(hf_store_ingest(call, store, &in, &s));
  return s;
}

static const char proven[65] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static const struct hf_digest proof = {
    .algo = HF_DIGEST_XET, .len = 32, .bytes = {0,    0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
                                                0xbb, 0xcc, 0xdd, 0xee, 0xff, 0,    0x11, 0x22, 0x33, 0x44, 0x55,
                                                0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static void leaf_of(uint64_t off, uint8_t hash[32]) {
  for (unsigned i = 0; i < 32; i++) hash[i] = (uint8_t)(off / LEAF + i);
}

static void put_leaves(struct hf_sink *s, uint64_t from, uint64_t to) {
  for (; from < to; from += LEAF) {
    uint8_t hash[32];
    leaf_of(from, hash);
    OK(put_range(s, data, from, LEAF));
    OK(s->leaf(call, s, from, LEAF, hash));
  }
}

START_TEST(an_attested_file_has_no_digest_computed) {
  struct hf_sink *s = begin_attested(2 * MIB, proven);
  put_leaves(s, 0, 2 * MIB);
  data[MIB] ^= 1; /* what SHA-256 would say does not matter: the bytes in the store are what was attested */
  OK(s->attest(call, s, &proof));
  data[MIB] ^= 1;
  close_right(s, 2 * MIB);
  ck_assert_uint_eq(fake.read_back, 0);
  over();
}
END_TEST

START_TEST(another_hash_is_not_attested) {
  struct hf_sink *s = begin_attested(MIB, proven);
  struct hf_digest other = proof;
  other.bytes[31] ^= 1;
  put_leaves(s, 0, MIB);
  ck_assert_int_eq(s->attest(call, s, &other), HF_EDIGEST);
  hf_call_clear(call);
  hf_sink_close(call, s, HF_EDIGEST, 0, NULL);
  over();
}
END_TEST

/* A hole in the leaves, bytes written again afterwards, bytes that were forgotten: the digest decides. */
START_TEST(what_leaves_do_not_cover_is_verified) {
  for (int kind = 0; kind < 3; kind++) {
    struct hf_sink *s = begin_attested(MIB, proven);
    put_leaves(s, 0, MIB - LEAF);
    OK(put_range(s, data, MIB - LEAF, LEAF));
    if (kind) {
      uint8_t hash[32];
      leaf_of(MIB - LEAF, hash);
      OK(s->leaf(call, s, MIB - LEAF, LEAF, hash));
    }
    if (kind == 0) ck_assert_int_eq(s->attest(call, s, &proof), HF_ENOSYS);
    if (kind) OK(s->attest(call, s, &proof));
    hf_call_clear(call);
    uint8_t was = data[100];
    data[100] ^= 1;
    if (kind == 2) OK(s->forget(call, s, 0, LEAF));
    OK(put_range(s, data, 0, LEAF));
    ck_assert_int_eq(hf_sink_close(call, s, HF_OK, 0, NULL), HF_EDIGEST);
    hf_call_clear(call);
    data[100] = was;
  }
  over();
}
END_TEST

START_TEST(leaves_are_for_bytes_that_are_there) {
  struct hf_sink *s = begin_attested(MIB, proven);
  uint8_t hash[32] = {0};
  ck_assert_int_eq(s->leaf(call, s, 0, LEAF, hash), HF_EABI);
  hf_call_clear(call);
  ck_assert_int_eq(s->leaf(call, s, UINT64_MAX, UINT64_MAX, hash), HF_EABI);
  hf_call_clear(call);
  hf_sink_close(call, s, HF_ECANCELED, 0, NULL);
  over();
}
END_TEST

START_TEST(leaves_survive_the_process) {
  struct hf_sink *s = begin_attested(16 * MIB, proven);
  struct hf_leaf rows[400];
  uint32_t n = 400;
  OK(s->leaves(call, s, 0, rows, &n));
  ck_assert_uint_eq(n, 0);
  put_leaves(s, 0, 8 * MIB);
  hf_sink_close(call, s, HF_ECANCELED, 1, NULL);
  s = begin_attested(16 * MIB, proven);
  n = 400;
  OK(s->leaves(call, s, MIB, rows, &n));
  ck_assert_uint_eq(n, 7 * MIB / LEAF);
  for (uint32_t i = 0; i < n; i++) {
    uint8_t hash[32];
    leaf_of(rows[i].off, hash);
    ck_assert_uint_eq(rows[i].off, MIB + (uint64_t)i * LEAF);
    ck_assert_uint_eq(rows[i].len, LEAF);
    ck_assert_int_eq(memcmp(rows[i].hash, hash, 32), 0);
  }
  OK(s->forget(call, s, 2 * MIB, LEAF));
  n = 400;
  OK(s->leaves(call, s, MIB, rows, &n));
  ck_assert_uint_eq(n, 7 * MIB / LEAF - 1);
  struct hf_range gap;
  uint32_t gaps = 1;
  OK(s->missing(call, s, &gap, &gaps));
  ck_assert_uint_eq(gap.off, 2 * MIB);
  ck_assert_uint_eq(gap.len, LEAF);
  hf_sink_close(call, s, HF_ECANCELED, 0, NULL);
  over();
}
END_TEST

/* Leaves of a KiB each, so that the notes of one thread fill up while others tell theirs. */
static hf_status tell_stripe(hf_call *c, void *arg, uint32_t i) {
  struct hf_sink *s = arg;
  uint8_t hash[32];
  for (uint64_t at = (uint64_t)i * 256 * KIB; at < (uint64_t)(i + 1) * 256 * KIB; at += KIB) {
    leaf_of(at, hash);
    TRY(s->leaf(c, s, at, KIB, hash));
  }
  return HF_OK;
}

START_TEST(leaves_are_told_by_many_threads_at_once) {
  struct hf_sink *s = begin("fake:", 8 * MIB, HF_DIGEST_SHA256, 8 * MIB);
  OK(put_range(s, data, 0, 8 * MIB));
  OK(hf_parallel(call, 32, 8, tell_stripe, s));
  close_right(s, 8 * MIB);
  over();
}
END_TEST

int main(void) {
  Suite *s = suite_create("sink");
  TCase *t = tcase_create("sink");
  tcase_add_checked_fixture(t, fake_start, fake_stop);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, in_order_is_not_read_back);
  tcase_add_loop_test(t, any_order_is_verified, 0, 2);
  tcase_add_test(t, large_files_are_hashed_beside_the_writer);
  tcase_add_loop_test(t, large_files_with_a_flipped_bit_are_never_sealed, 0, 3);
  tcase_add_test(t, large_files_written_again_count_the_last_bytes);
  tcase_add_loop_test(t, large_files_can_be_given_up_at_any_time, 0, 4);
  tcase_add_test(t, many_writers_at_once);
  tcase_add_test(t, written_again_counts_the_last_bytes);
  tcase_add_loop_test(t, a_flipped_bit_is_never_sealed, 0, 2);
  tcase_add_test(t, short_is_never_sealed);
  tcase_add_test(t, bounds);
  tcase_add_loop_test(t, unknown_size, 0, 2);
  tcase_add_test(t, unknown_size_cannot_have_a_hole);
  tcase_add_test(t, missing_tells_the_gaps);
  tcase_add_test(t, lent_memory_is_written_on_commit);
  tcase_add_test(t, no_digest_means_exact_length);
  tcase_add_test(t, an_etag_that_contradicts_the_digest);
  tcase_add_loop_test(t, empty_file, 0, 2);
  tcase_add_test(t, resume_after_an_orderly_end);
  tcase_add_test(t, resume_after_a_kill_keeps_almost_all);
  tcase_add_test(t, damaged_blocks_are_fetched_again);
  tcase_add_test(t, a_torn_or_foreign_journal_is_harmless);
  tcase_add_test(t, another_version_starts_again);
  tcase_add_test(t, a_rewritten_block_is_journaled_again);
  tcase_add_test(t, the_journal_may_fail);
  tcase_add_loop_test(t, a_store_that_wants_order, 0, 2);
  tcase_add_test(t, what_comes_far_too_early_is_refused);
  tcase_add_test(t, a_store_that_wants_parts);
  tcase_add_test(t, a_full_disk_is_told_before_the_first_byte);
  tcase_add_test(t, a_cancelled_call_writes_no_more);
  tcase_add_test(t, an_attested_file_has_no_digest_computed);
  tcase_add_test(t, another_hash_is_not_attested);
  tcase_add_test(t, what_leaves_do_not_cover_is_verified);
  tcase_add_test(t, leaves_are_for_bytes_that_are_there);
  tcase_add_test(t, leaves_survive_the_process);
  tcase_add_test(t, leaves_are_told_by_many_threads_at_once);
  tcase_add_test(t, out_of_memory_anywhere);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
