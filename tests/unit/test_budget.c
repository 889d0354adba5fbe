/* The memory budget: never more out than allowed, first come first served, waits that end when asked to.
 * What counts is counted inside the test; the budget's own numbers are not trusted.
 * Made for the thread sanitizer. */
#include <unistd.h>

#include "call.h"
#include "unit_runtime.h"

#define KIB 1024u

static hf_runtime *rt;
static hf_call *call;

static void setup(void) {
  rt = unit_runtime((struct hf_kv[]){{"HF_MEMORY", "1MiB"}, {NULL, NULL}});
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

START_TEST(a_grant_is_memory_of_that_size) {
  static const size_t sizes[] = {0, 1, 4096, 5000, 256 * KIB, 1024 * KIB};
  for (size_t i = 0; i < HF_COUNT(sizes); i++) {
    struct hf_buf b;
    ck_assert_int_eq(hf_buf_get(call, sizes[i], &b), HF_OK);
    ck_assert_uint_eq(b.len, sizes[i]);
    memset(b.data, 0x5a, sizes[i]);
    hf_buf_put(&b);
    ck_assert_ptr_null(b.data);
    hf_buf_put(&b); /* a second time does nothing */
  }
}
END_TEST

START_TEST(buffers_are_used_again) {
  struct hf_buf a;
  hf_buf_get(call, 256 * KIB, &a);
  void *first = a.data;
  hf_buf_put(&a);
  for (int i = 0; i < 10; i++) {
    hf_buf_get(call, 250 * KIB, &a);
    ck_assert_ptr_eq(a.data, first);
    hf_buf_put(&a);
  }
}
END_TEST

struct taker {
  hf_call *call;
  size_t len;
  _Atomic int *order;
  _Atomic int place, done;
  hf_status st;
  struct hf_buf buf;
};

static void *take(void *arg) {
  struct taker *t = arg;
  t->st = hf_buf_get(t->call, t->len, &t->buf);
  if (t->order) t->place = atomic_fetch_add(t->order, 1);
  atomic_store(&t->done, 1);
  return NULL;
}

START_TEST(who_asks_first_is_served_first) {
  struct hf_buf all;
  struct taker big = {.call = call, .len = 900 * KIB}, small = {.call = call, .len = 4 * KIB};
  _Atomic int order = 0;
  pthread_t a, b;
  big.order = small.order = &order;
  ck_assert_int_eq(hf_buf_get(call, 500 * KIB, &all), HF_OK);
  pthread_create(&a, NULL, take, &big);
  usleep(50000);
  pthread_create(&b, NULL, take, &small); /* would fit, and waits behind the big one all the same */
  usleep(50000);
  ck_assert_int_eq(atomic_load(&small.done), 0);
  ck_assert_int_eq(atomic_load(&big.done), 0);
  hf_buf_put(&all);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  ck_assert_int_eq(big.st, HF_OK);
  ck_assert_int_eq(small.st, HF_OK);
  hf_buf_put(&big.buf);
  hf_buf_put(&small.buf);
}
END_TEST

START_TEST(more_than_the_budget_is_granted_alone) {
  struct hf_buf small;
  struct taker huge = {.call = call, .len = 3072 * KIB}, next = {.call = call, .len = 4 * KIB};
  pthread_t a, b;
  ck_assert_int_eq(hf_buf_get(call, 4 * KIB, &small), HF_OK);
  pthread_create(&a, NULL, take, &huge);
  usleep(30000);
  ck_assert_int_eq(atomic_load(&huge.done), 0);
  hf_buf_put(&small);
  pthread_join(a, NULL);
  ck_assert_int_eq(huge.st, HF_OK);
  memset(huge.buf.data, 1, huge.buf.len);
  pthread_create(&b, NULL, take, &next);
  usleep(30000);
  ck_assert_int_eq(atomic_load(&next.done), 0);
  hf_buf_put(&huge.buf);
  pthread_join(b, NULL);
  ck_assert_int_eq(next.st, HF_OK);
  hf_buf_put(&next.buf);
}
END_TEST

START_TEST(cancelling_ends_the_wait_and_lets_the_next_one_pass) {
  struct hf_buf all;
  hf_call *branch = hf_call_branch(call);
  struct taker waits = {.call = branch, .len = 1024 * KIB}, next = {.call = call, .len = 256 * KIB};
  pthread_t a, b;
  ck_assert_int_eq(hf_buf_get(call, 512 * KIB, &all), HF_OK);
  pthread_create(&a, NULL, take, &waits);
  usleep(30000);
  pthread_create(&b, NULL, take, &next);
  usleep(30000);
  ck_assert_int_eq(atomic_load(&next.done), 0);
  hf_call_cancel(branch);
  pthread_join(a, NULL);
  pthread_join(b, NULL);
  ck_assert_int_eq(waits.st, HF_ECANCELED);
  ck_assert_ptr_null(waits.buf.data);
  ck_assert_int_eq(next.st, HF_OK);
  hf_buf_put(&next.buf);
  hf_buf_put(&all);
  ck_assert_int_eq(hf_buf_get(branch, 1, &all), HF_ECANCELED); /* not even begun */
  hf_call_branch_end(branch, false);
  struct hf_buf whole;
  ck_assert_int_eq(hf_buf_get(call, 1024 * KIB, &whole), HF_OK); /* nothing was lost */
  hf_buf_put(&whole);
}
END_TEST

START_TEST(a_deadline_ends_the_wait) {
  struct hf_buf all;
  hf_call *timed = hf_call_new(rt, NULL, hf_now_ns() + 30000000);
  ck_assert_int_eq(hf_buf_get(call, 1024 * KIB, &all), HF_OK);
  struct hf_buf b;
  ck_assert_int_eq(hf_buf_get(timed, 4 * KIB, &b), HF_ETIMEDOUT);
  hf_buf_put(&all);
  hf_call_end(timed);
}
END_TEST

START_TEST(without_memory_nothing_is_lost) {
  for (long n = 0; n < 4; n++) {
    struct hf_buf b = {0};
    hf_mem_fail_after(n, true);
    hf_status st = hf_buf_get(call, 512 * KIB, &b);
    hf_mem_fail_after(-1, false);
    if (st == HF_OK) {
      hf_buf_put(&b);
    } else {
      ck_assert_int_eq(st, HF_ENOMEM);
      ck_assert_ptr_null(b.data);
    }
    hf_call_clear(call);
  }
  struct hf_buf whole;
  ck_assert_int_eq(hf_buf_get(call, 1024 * KIB, &whole), HF_OK);
  hf_buf_put(&whole);
  ck_assert_int_eq(hf_buf_get(call, SIZE_MAX, &whole), HF_ENOMEM);
}
END_TEST

struct storm {
  _Atomic uint64_t out, most;
  _Atomic int wrong;
};

static hf_status storm(hf_call *c, void *arg, uint32_t i) {
  struct storm *s = arg;
  size_t len = (size_t)(1 + (i * 2654435761u) % 400) * KIB;
  struct hf_buf b;
  TRY(hf_buf_get(c, len, &b));
  uint64_t now = atomic_fetch_add(&s->out, len) + len, most = atomic_load(&s->most);
  while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now)) {
  }
  unsigned char *p = b.data;
  memset(p, (int)(i & 0xff), len);
  for (size_t k = 0; k < len; k += 4096)
    if (p[k] != (i & 0xff)) atomic_store(&s->wrong, 1);
  atomic_fetch_sub(&s->out, len);
  hf_buf_put(&b);
  return HF_OK;
}

START_TEST(many_threads_never_hold_more_than_the_budget) {
  struct storm s = {0};
  ck_assert_int_eq(hf_parallel(call, 600, 8, storm, &s), HF_OK);
  ck_assert_int_eq(s.wrong, 0);
  ck_assert_uint_le(s.most, 1024 * KIB);
  ck_assert_uint_eq(s.out, 0);
}
END_TEST

static long resident_kib(void) {
  long pages = 0, size;
  FILE *f = fopen("/proc/self/statm", "r");
  ck_assert_ptr_nonnull(f);
  ck_assert_int_eq(fscanf(f, "%ld %ld", &size, &pages), 2);
  fclose(f);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Sizes that fit no buffer in stock must not make the stock grow. */
START_TEST(the_stock_counts_against_the_budget) {
  long before = resident_kib();
  for (size_t i = 0; i < 200; i++) {
    struct hf_buf b;
    size_t len = (i % 2 ? 900 : 100 + i) * KIB;
    ck_assert_int_eq(hf_buf_get(call, len, &b), HF_OK);
    memset(b.data, 1, len);
    hf_buf_put(&b);
  }
#ifndef HF_SANITIZED
  ck_assert_int_lt(resident_kib() - before, 1024 + 512);
#else
  (void)before;
#endif
}
END_TEST

int main(void) {
  Suite *s = suite_create("budget");
  TCase *t = tcase_create("budget");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, a_grant_is_memory_of_that_size);
  tcase_add_test(t, buffers_are_used_again);
  tcase_add_test(t, who_asks_first_is_served_first);
  tcase_add_test(t, more_than_the_budget_is_granted_alone);
  tcase_add_test(t, cancelling_ends_the_wait_and_lets_the_next_one_pass);
  tcase_add_test(t, a_deadline_ends_the_wait);
  tcase_add_test(t, without_memory_nothing_is_lost);
  tcase_add_test(t, many_threads_never_hold_more_than_the_budget);
  tcase_add_test(t, the_stock_counts_against_the_budget);
  suite_add_tcase(s, t);
  return unit_run(s);
}
