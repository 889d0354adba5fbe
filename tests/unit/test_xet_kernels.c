/* Every way to the same result: chunks cut piece by piece, whole, in lanes and in parts; BLAKE3 alone, in batches and by every
 * kernel of this machine; sums, groups and trees by what the processor offers and without.
 * 10,000 inputs each, made from the number of the test: random, of few values, periodic, constant, and made of candidates. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "hash.h"

static uint64_t state;

static uint64_t next(void) {
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* 64 bytes behind which there is a candidate, found by looking for one. */
static uint8_t hit[64];

static void find_hit(void) {
  enum { N = 1 << 20 };
  uint8_t *p = malloc(N);
  uint32_t at[200];
  size_t scanned;
  ck_assert_ptr_nonnull(p);
  state = 77;
  for (size_t i = 0; i < N; i++) p[i] = (uint8_t)next();
  size_t found = xet_chunk_scan(p + 64, N - 64, 64, at, 200, &scanned);
  ck_assert_uint_gt(found, 2);
  memcpy(hit, p + at[0], 64); /* the offset is that of the byte behind, from 64 on */
  free(p);
}

static void make(uint8_t *p, size_t n) {
  unsigned kind = (unsigned)(next() % 8), period = 1 + (unsigned)(next() % 300);
  for (size_t i = 0; i < n; i += 8) {
    uint64_t w = next();
    memcpy(p + i, &w, n - i < 8 ? n - i : 8);
  }
  if (kind == 4)
    for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(p[i] & 3);
  if (kind == 5)
    for (size_t i = period; i < n; i++) p[i] = p[i - period];
  if (kind == 6) memset(p, (int)(next() & 255), n);
  if (kind == 7)
    for (size_t i = 0; i < n; i++)
      if (i % (64 + period % 3 * 40) < 64) p[i] = hit[i % (64 + period % 3 * 40)];
}

/* Mostly short, at times around what matters, at times long. */
static size_t length(void) {
  static const uint32_t edges[] = {0, 1, 64, 128, 8128, 8192, 65536, 131072, 262144, 1048576};
  uint64_t r = next();
  if (r % 16 == 0) return edges[(r >> 8) % 10] + (r >> 16) % 5 - ((r >> 8) % 10 > 1 ? 2 : 0);
  return (size_t)((r >> 8) % (r % 16 == 1 ? 500000 : 40000));
}

enum { LONGEST = 1048576 + 8, ENDS = LONGEST / XET_CHUNK_MIN + 2 };

static uint32_t feed(const uint8_t *p, size_t n, size_t most, uint32_t *ends) {
  struct xet_chunker c = {0, 0};
  uint32_t count = 0;
  for (size_t at = 0; at < n;) {
    size_t len = most ? 1 + next() % most : n - at;
    int cut;
    at += xet_chunk_feed(&c, p + at, len < n - at ? len : n - at, &cut);
    if (cut) ends[count++] = (uint32_t)at;
  }
  return count;
}

static uint32_t in_parts(const uint8_t *p, size_t n, uint32_t *ends, uint32_t *at, size_t most) {
  uint64_t from = 0, wide[ENDS];
  uint32_t count = 0;
  for (size_t done = 0; done < n;) {
    size_t part = 1 + next() % (n - done), scanned;
    size_t found = xet_chunk_scan(p + done, part, done, at, most, &scanned);
    ck_assert_uint_eq(scanned, part);
    size_t cuts = xet_chunk_pick(&from, done, part, at, found, wide);
    for (size_t i = 0; i < cuts; i++) ends[count++] = (uint32_t)wide[i];
    done += part;
  }
  return count;
}

START_TEST(cuts_are_the_same) {
  uint8_t *p = malloc(LONGEST);
  uint32_t *at = malloc(LONGEST * sizeof *at), a[ENDS], b[ENDS];
  unsigned several = 0;
  ck_assert(p && at);
  for (unsigned i = 0; i < 10000; i++) {
    state = i;
    size_t n = length();
    uint8_t *q = p + LONGEST - n; /* ends where the memory does */
    make(q, n);
    uint32_t count = feed(q, n, 0, a);
    several += count > 1;
    for (uint32_t k = 0, from = 0; k < count; from = a[k++])
      ck_assert(a[k] - from >= XET_CHUNK_MIN && a[k] - from <= XET_CHUNK_MAX);
    ck_assert_uint_eq(feed(q, n, 1 + next() % 70000, b), count);
    ck_assert_mem_eq(a, b, count * sizeof *a);
    for (int wide = 0; wide < 2; wide++) {
      ck_assert(xet_chunk_force(wide ? NULL : "portable"));
      ck_assert_uint_eq(xet_chunk_cuts(q, n, b, ENDS), count);
      ck_assert_mem_eq(a, b, count * sizeof *a);
      ck_assert_uint_eq(in_parts(q, n, b, at, LONGEST), count);
      ck_assert_mem_eq(a, b, count * sizeof *a);
    }
    if (count > 1) {
      ck_assert_uint_eq(xet_chunk_cuts(q, n, b, count - 1), count - 1);
      ck_assert_mem_eq(a, b, (count - 1) * sizeof *a);
    }
  }
  ck_assert_uint_gt(several, 500);
  free(p);
  free(at);
}
END_TEST

/* No room for all candidates: it says how far it got, and what it has is right. */
START_TEST(scan_without_room) {
  enum { N = 200000 };
  uint8_t *p = malloc(N);
  uint32_t *all = malloc(N * sizeof *all), some[40];
  size_t scanned;
  for (size_t i = 0; i < N; i++) p[i] = hit[i % 64];
  size_t found = xet_chunk_scan(p, N, 0, all, N, &scanned);
  ck_assert_uint_eq(scanned, N);
  ck_assert_uint_gt(found, 1000);
  size_t few = xet_chunk_scan(p, N, 0, some, 40, &scanned);
  ck_assert(few <= 40 && scanned < N);
  ck_assert_mem_eq(all, some, few * sizeof *all);
  ck_assert(few == found || all[few] > scanned);
  free(p);
  free(all);
}
END_TEST

START_TEST(hashes_are_the_same) {
  static const char *const names[] = {"avx2", "avx512", "neon"};
  enum { MOST = 24 };
  uint8_t *p = malloc(LONGEST);
  struct xet_hash want[MOST], is[MOST], key;
  unsigned used = 0;
  for (unsigned i = 0; i < 10000; i++) {
    state = ~(uint64_t)i;
    const void *data[MOST];
    size_t len[MOST], n = 1 + next() % (i % 50 ? 4 : MOST), at = 0;
    for (size_t k = 0; k < n; k++) {
      len[k] = next() % (next() % 8 ? 3000 : i % 50 ? 20000 : 40000);
      if (i % 500 == 0 && k == 0) len[k] = length();
      if (at + len[k] > LONGEST) len[k] = LONGEST - at;
      data[k] = p + at;
      at += len[k];
    }
    make(p, at);
    make(key.b, 32);
    ck_assert(xet_blake3_force("portable"));
    xet_blake3_batch(&key, data, len, n, want);
    for (int k = 0; k < 3; k++) {
      if (!xet_blake3_force(names[k])) continue;
      used |= 1u << k;
      xet_blake3_batch(&key, data, len, n, is);
      ck_assert_mem_eq(want, is, n * sizeof *is);
      size_t one = next() % n;
      xet_blake3(&key, data[one], len[one], is);
      ck_assert_mem_eq(want + one, is, sizeof *is);
    }
  }
  xet_blake3_force(NULL);
#if defined(__aarch64__)
  ck_assert(used & 4);
#elif defined(__x86_64__)
  ck_assert(!(used & 4) && (!__builtin_cpu_supports("avx2") || used & 1));
#endif
  ck_assert(used < 8);
  free(p);
}
END_TEST

int main(void) {
  Suite *s = suite_create("xet_kernels");
  TCase *t = tcase_create("xet_kernels");
  tcase_set_timeout(t, 120);
  tcase_add_unchecked_fixture(t, find_hit, NULL);
  tcase_add_test(t, cuts_are_the_same);
  tcase_add_test(t, scan_without_room);
  tcase_add_test(t, hashes_are_the_same);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
