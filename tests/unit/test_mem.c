/* Allocation: the hook that fails the Nth one, and the arena under many threads.
 * What comes back must be zeroed, aligned, apart from each other, and there until the arena goes.
 * Run under the address sanitizer it also shows that nothing stays behind. */
#include <check.h>
#include <stdlib.h>

#include "core.h"

START_TEST(the_nth_allocation_fails_once) {
  hf_mem_fail_after(2, false);
  void *a = hf_mem_alloc(8), *b = hf_mem_dup("x", SIZE_MAX), *c = hf_mem_resize(NULL, 8), *d = hf_mem_alloc(8);
  ck_assert_ptr_nonnull(a);
  ck_assert_ptr_nonnull(b);
  ck_assert_ptr_null(c);
  ck_assert_ptr_nonnull(d);
  hf_mem_fail_after(-1, false);
  hf_mem_free(a);
  hf_mem_free(b);
  hf_mem_free(d);
}
END_TEST

START_TEST(a_sticky_failure_stays) {
  hf_mem_fail_after(0, true);
  ck_assert_ptr_null(hf_mem_alloc(1));
  ck_assert_ptr_null(hf_mem_alloc(1));
  hf_mem_fail_after(-1, false);
  void *p = hf_mem_alloc(1);
  ck_assert_ptr_nonnull(p);
  hf_mem_free(p);
}
END_TEST

START_TEST(copies_end_where_they_should) {
  char *a = hf_mem_dup("hello", 4), *b = hf_mem_dup("", SIZE_MAX);
  ck_assert_str_eq(a, "hell");
  ck_assert_str_eq(b, "");
  hf_mem_free(a);
  hf_mem_free(b);
}
END_TEST

static bool all_are(const unsigned char *p, size_t len, unsigned char value) {
  for (size_t i = 0; i < len; i++)
    if (p[i] != value) return false;
  return true;
}

START_TEST(arena_memory_is_zeroed_aligned_and_apart) {
  static const size_t sizes[] = {0, 1, 15, 16, 17, 100, 1023, 1025, 5000, 70000};
  struct hf_arena *a = hf_arena_new();
  unsigned char *got[200];
  size_t len[200];
  for (size_t i = 0; i < 200; i++) {
    len[i] = sizes[i % HF_COUNT(sizes)];
    got[i] = hf_arena_alloc(a, len[i]);
    ck_assert_ptr_nonnull(got[i]);
    ck_assert_uint_eq((uintptr_t)got[i] % 16, 0);
    ck_assert(all_are(got[i], len[i], 0));
    memset(got[i], (int)i + 1, len[i]);
  }
  for (size_t i = 0; i < 200; i++) ck_assert(all_are(got[i], len[i], (unsigned char)(i + 1)));
  ck_assert_str_eq(hf_arena_dup(a, "revision", 3), "rev");
  hf_arena_free(a);
}
END_TEST

START_TEST(an_arena_without_memory_says_so) {
  struct hf_arena *a = hf_arena_new();
  hf_mem_fail_after(0, true);
  ck_assert_ptr_null(hf_arena_alloc(a, 100));
  ck_assert_ptr_null(hf_arena_new());
  hf_mem_fail_after(-1, false);
  ck_assert_ptr_null(hf_arena_alloc(a, SIZE_MAX));
  ck_assert_ptr_null(hf_arena_alloc(a, SIZE_MAX - 7));
  ck_assert_ptr_nonnull(hf_arena_alloc(a, 100));
  hf_arena_free(a);
}
END_TEST

static void *fill(void *arg) {
  struct hf_arena *a = arg;
  for (size_t i = 0; i < 2000; i++) {
    size_t *p = hf_arena_alloc(a, 24);
    if (!p || p[0] || p[1] || p[2]) return NULL;
    p[0] = p[1] = p[2] = i;
  }
  return arg;
}

START_TEST(threads_share_an_arena) {
  struct hf_arena *a = hf_arena_new();
  pthread_t threads[4];
  for (size_t i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, fill, a), 0);
  for (size_t i = 0; i < 4; i++) {
    void *ok;
    pthread_join(threads[i], &ok);
    ck_assert_ptr_eq(ok, a);
  }
  hf_arena_free(a);
}
END_TEST

int main(void) {
  Suite *s = suite_create("mem");
  TCase *t = tcase_create("mem");
  tcase_add_test(t, the_nth_allocation_fails_once);
  tcase_add_test(t, a_sticky_failure_stays);
  tcase_add_test(t, copies_end_where_they_should);
  tcase_add_test(t, arena_memory_is_zeroed_aligned_and_apart);
  tcase_add_test(t, an_arena_without_memory_says_so);
  tcase_add_test(t, threads_share_an_arena);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
