/* Byte ranges, the block checksum and the journal's format: pure functions, judged against slow and simple models.
 * Hostile journals must be harmless: whatever the bytes, nothing outside the table is touched and nothing false is believed.
 * Resuming itself is tested in test_sink.c. */
#include <check.h>
#include <stdlib.h>

#include "bytes.h"

static uint64_t seed = 88172645463325252u;
static uint64_t dice(uint64_t below) {
  seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
  return (seed >> 11) % below;
}

START_TEST(ranges_match_a_bitmap) {
  enum { N = 200 };
  for (int round = 0; round < 100; round++) {
    struct hf_ranges r = {0};
    bool map[N + 1] = {0};
    for (int step = 0; step < 60; step++) {
      uint64_t off = dice(N), len = dice(N - off + 1);
      bool add = dice(3) != 0;
      ck_assert(add ? hf_ranges_add(&r, off, len) : hf_ranges_cut(&r, off, len));
      for (uint64_t i = off; i < off + len; i++) map[i] = add;
      uint64_t total = 0;
      for (uint64_t i = 0; i < N; i++) total += map[i];
      ck_assert_uint_eq(r.total, total);
      for (uint32_t i = 0; i < r.n; i++) {
        ck_assert(r.rows[i].len > 0);
        if (i) ck_assert(r.rows[i - 1].off + r.rows[i - 1].len < r.rows[i].off);
      }
      uint64_t at = dice(N), want = dice(N - at) + 1, end = at;
      while (end < N && map[end]) end++;
      ck_assert_uint_eq(hf_ranges_end(&r, at), end);
      ck_assert_int_eq(hf_ranges_has(&r, at, want), end >= at + want);
      bool touch = false;
      for (uint64_t i = at; i < at + want; i++) touch |= map[i];
      ck_assert_int_eq(hf_ranges_touch(&r, at, want), touch);
      struct hf_range gaps[N];
      uint32_t n = N;
      hf_ranges_gaps(&r, N, gaps, &n);
      uint64_t absent = 0;
      for (uint32_t i = 0; i < n; i++) {
        for (uint64_t k = gaps[i].off; k < gaps[i].off + gaps[i].len; k++) ck_assert(!map[k]);
        absent += gaps[i].len;
      }
      ck_assert_uint_eq(absent, N - total);
      n = 1;
      hf_ranges_gaps(&r, N, gaps, &n);
      ck_assert_uint_eq(n, absent > 0);
    }
    hf_ranges_free(&r);
  }
}
END_TEST

START_TEST(sum_does_not_depend_on_the_cuts) {
  uint8_t data[1000];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)dice(256);
  for (size_t len = 0; len < sizeof data; len += 1 + len / 16) {
    struct hf_sum s;
    hf_sum_init(&s, 7);
    for (size_t at = 0; at < len;) {
      size_t n = 1 + (size_t)dice(len - at);
      hf_sum_add(&s, data + at, n);
      at += n;
    }
    ck_assert_uint_eq(hf_sum_end(&s), hf_sum_of(7, data, len));
  }
}
END_TEST

START_TEST(sum_sees_every_change) {
  uint8_t data[4096] = {0};
  uint64_t whole = hf_sum_of(1, data, sizeof data);
  ck_assert_uint_ne(whole, hf_sum_of(2, data, sizeof data));
  ck_assert_uint_ne(whole, hf_sum_of(1, data, sizeof data - 1)); /* zeros, but fewer */
  for (size_t i = 0; i < sizeof data; i++)
    for (int bit = 0; bit < 8; bit++) {
      data[i] ^= (uint8_t)(1 << bit);
      ck_assert_uint_ne(whole, hf_sum_of(1, data, sizeof data));
      data[i] ^= (uint8_t)(1 << bit);
    }
  for (int i = 0; i < 64; i++) data[i] = 1, data[4032 + i] = 2;
  whole = hf_sum_of(1, data, sizeof data);
  for (int i = 0; i < 64; i++) data[i] = 2, data[4032 + i] = 1; /* stripes that changed places */
  ck_assert_uint_ne(whole, hf_sum_of(1, data, sizeof data));
}
END_TEST

START_TEST(block_sizes) {
  ck_assert_uint_eq(hf_journal_block(1000), 0);
  ck_assert_uint_eq(hf_journal_block(1 << 20), 64 << 10);
  ck_assert_uint_eq(hf_journal_block((uint64_t)4 << 30), 256 << 10);
  ck_assert_uint_eq(hf_journal_block((uint64_t)1 << 40), 1 << 20);
  ck_assert_uint_eq(hf_journal_block(HF_SIZE_UNKNOWN), 0);
  ck_assert_uint_eq(hf_journal_block(HF_SIZE_UNKNOWN - 1), 0);
  ck_assert_uint_eq(hf_journal_blocks((1 << 20) + 1, 64 << 10), 17);
}
END_TEST

START_TEST(records_round_trip) {
  uint8_t head[HF_JOURNAL_HEAD], note[HF_JOURNAL_RECORD * 4 + 5];
  uint64_t salt = hf_journal_head(head, 1 << 20, 64 << 10, "etag", NULL);
  struct hf_journal_block table[16] = {{0}};
  hf_journal_record(note, salt, 3, 64 << 10, 111);
  hf_journal_record(note + 24, salt, 15, 10, 222);
  hf_journal_record(note + 48, salt, 3, 20, 333);  /* the later one counts */
  hf_journal_record(note + 72, salt, 16, 10, 444); /* no such block */
  hf_journal_parse(note, sizeof note, salt, 1 << 20, 64 << 10, table, 16);
  ck_assert_uint_eq(table[3].len, 20);
  ck_assert_uint_eq(table[3].sum, 333);
  ck_assert_uint_eq(table[15].len, 10);
  for (int i = 0; i < 15; i++)
    if (i != 3) ck_assert_uint_eq(table[i].len, 0);
}
END_TEST

START_TEST(records_of_another_file_do_not_count) {
  uint8_t a[HF_JOURNAL_HEAD], b[HF_JOURNAL_HEAD], record[HF_JOURNAL_RECORD];
  struct hf_digest d = {.algo = HF_DIGEST_SHA256, .len = 32, .bytes = {1}}, e = d;
  e.bytes[31] = 1;
  uint64_t salt = hf_journal_head(a, 1 << 20, 64 << 10, "etag", &d);
  const uint64_t others[] = {
      hf_journal_head(b, 1 << 20, 64 << 10, "etag2", &d), hf_journal_head(b, (1 << 20) + 1, 64 << 10, "etag", &d),
      hf_journal_head(b, 1 << 20, 128 << 10, "etag", &d), hf_journal_head(b, 1 << 20, 64 << 10, "etag", &e),
      hf_journal_head(b, 1 << 20, 64 << 10, "etag", NULL)};
  hf_journal_record(record, salt, 0, 10, 5);
  for (size_t i = 0; i < HF_COUNT(others); i++) {
    struct hf_journal_block table[16] = {{0}};
    ck_assert_uint_ne(others[i], salt);
    hf_journal_parse(record, sizeof record, others[i], 1 << 20, 64 << 10, table, 16);
    ck_assert_uint_eq(table[0].len, 0);
  }
}
END_TEST

START_TEST(garbage_is_harmless) {
  enum { BLOCKS = 16 };
  uint8_t head[HF_JOURNAL_HEAD], note[HF_JOURNAL_RECORD * 64];
  uint64_t salt = hf_journal_head(head, (1 << 20) - 100, 64 << 10, "etag", NULL);
  for (int round = 0; round < 2000; round++) {
    struct hf_journal_block table[BLOCKS + 2] = {{0}};
    table[0].len = table[BLOCKS + 1].len = 77; /* fences */
    for (uint32_t i = 0; i < 64; i++) {
      hf_journal_record(note + 24 * i, salt, (uint32_t)dice(BLOCKS + 4), (uint32_t)dice(70000), dice(UINT64_MAX));
      if (dice(4) == 0) note[24 * i + dice(24)] ^= (uint8_t)(1 << dice(8));
    }
    hf_journal_parse(note, (size_t)dice(sizeof note), salt, (1 << 20) - 100, 64 << 10, table + 1, BLOCKS);
    ck_assert_uint_eq(table[0].len, 77);
    ck_assert_uint_eq(table[BLOCKS + 1].len, 77);
    for (int i = 0; i < BLOCKS; i++) ck_assert_uint_le((uint64_t)i * (64 << 10) + table[1 + i].len, (1 << 20) - 100);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("journal");
  TCase *t = tcase_create("journal");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, ranges_match_a_bitmap);
  tcase_add_test(t, sum_does_not_depend_on_the_cuts);
  tcase_add_test(t, sum_sees_every_change);
  tcase_add_test(t, block_sizes);
  tcase_add_test(t, records_round_trip);
  tcase_add_test(t, records_of_another_file_do_not_count);
  tcase_add_test(t, garbage_is_harmless);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
