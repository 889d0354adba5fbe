/* Workers: parallel() and groups of jobs, their results, their width, and that no nesting can deadlock them.
 * Most tests run with one worker and with many, because the interesting bugs live at both ends.
 * Made for the thread sanitizer; assertions run on the test's own thread only. */
#include <dirent.h>
#include <unistd.h>

#include "call.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;
static const char *const threads[] = {"1", "2", "32"};

static void open_with(const char *count) {
  rt = unit_runtime((struct hf_kv[]){{"HF_THREADS", count}, {NULL, NULL}});
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void finish(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

struct shared {
  _Atomic int runs, inside, most, started, late;
  _Atomic uint64_t sum;
  int fail_at, sleep_us, width;
  hf_call *outer;
  hf_jobs *jobs;
};

static void enter(struct shared *s) {
  int now = atomic_fetch_add(&s->inside, 1) + 1, most = atomic_load(&s->most);
  while (now > most && !atomic_compare_exchange_weak(&s->most, &most, now)) {
  }
}

static hf_status add(hf_call *c, void *arg, uint32_t i) {
  struct shared *s = arg;
  (void)c;
  enter(s);
  if (s->sleep_us) usleep((unsigned)s->sleep_us);
  atomic_fetch_add(&s->runs, 1);
  atomic_fetch_add(&s->sum, i);
  atomic_fetch_sub(&s->inside, 1);
  return HF_OK;
}

START_TEST(every_index_runs_once) {
  open_with(threads[_i]);
  for (uint32_t n = 0; n < 300; n += 37) {
    for (uint32_t width = 0; width < 20; width += 5) {
      struct shared s = {0};
      ck_assert_int_eq(hf_parallel(call, n, width, add, &s), HF_OK);
      ck_assert_int_eq(s.runs, (int)n);
      ck_assert_uint_eq(s.sum, n ? (uint64_t)n * (n - 1) / 2 : 0);
    }
  }
  ck_assert_ptr_null(hf_call_error(call));
  finish();
}
END_TEST

START_TEST(no_more_than_width_at_once) {
  open_with("32");
  struct shared s = {.sleep_us = 500};
  ck_assert_int_eq(hf_parallel(call, 60, 3, add, &s), HF_OK);
  ck_assert_int_le(s.most, 3);
  ck_assert_int_ge(s.most, 2);
  struct shared one = {.sleep_us = 10};
  ck_assert_int_eq(hf_parallel(call, 60, 1, add, &one), HF_OK);
  ck_assert_int_eq(one.most, 1);
  finish();
}
END_TEST

static hf_status fail_at(hf_call *c, void *arg, uint32_t i) {
  struct shared *s = arg;
  atomic_fetch_add(&s->runs, 1);
  if ((int)i == s->fail_at) return hf_call_failf(c, HF_EDIGEST, "file %u is wrong", i);
  return hf_call_sleep(c, i == 0 ? 30000 : 1);
}

START_TEST(the_first_failure_cancels_the_rest_and_is_the_result) {
  open_with(threads[_i]);
  uint64_t before = hf_now_ns();
  struct shared s = {.fail_at = _i == 0 ? 0 : 7};
  ck_assert_int_eq(hf_parallel(call, 10000, 4, fail_at, &s), HF_EDIGEST);
  ck_assert_uint_lt((hf_now_ns() - before) / 1000000, 10000); /* index 0 did not sleep its 30 s */
  ck_assert_int_lt(s.runs, 5000);
  ck_assert_str_eq(hf_call_error(call)->message, _i == 0 ? "file 0 is wrong" : "file 7 is wrong");
  ck_assert_int_eq(hf_cancel_why(call->cancel), HF_OK); /* the caller goes on */
  hf_call_clear(call);
  struct shared again = {0};
  ck_assert_int_eq(hf_parallel(call, 10, 4, add, &again), HF_OK);
  finish();
}
END_TEST

static hf_status quiet(hf_call *c, void *arg, uint32_t i) {
  (void)c;
  (void)arg;
  return i == 3 ? HF_ENOTFOUND : i == 4 ? HF_PENDING : HF_OK;
}

START_TEST(a_failure_without_words_gets_some) {
  open_with("4");
  ck_assert_int_eq(hf_parallel(call, 10, 1, quiet, NULL), HF_ENOTFOUND);
  ck_assert_int_eq(hf_call_error(call)->code, HF_ENOTFOUND);
  finish();
}
END_TEST

static hf_status recovered(hf_call *c, void *arg, uint32_t i) {
  (void)arg;
  const char *option = hf_call_get_option(c, "mark");
  if (option || hf_call_error(c)) return hf_call_failf(c, HF_EINTERNAL, "left over from another index");
  hf_call_option(c, "mark", "x");
  hf_call_failf(c, HF_EIO, "handled %u", i);
  return HF_OK;
}

START_TEST(each_index_starts_with_a_clean_branch) {
  open_with("4");
  ck_assert_int_eq(hf_parallel(call, 50, 4, recovered, NULL), HF_OK);
  ck_assert_ptr_null(hf_call_error(call));
  ck_assert_ptr_null(hf_call_get_option(call, "mark"));
  finish();
}
END_TEST

static hf_status nest(hf_call *c, void *arg, uint32_t i) {
  struct shared *s = arg;
  (void)i;
  struct shared inner = {.sleep_us = 50};
  hf_status st = hf_parallel(c, 8, 8, add, &inner);
  atomic_fetch_add(&s->runs, inner.runs);
  return st;
}

static hf_status nest_twice(hf_call *c, void *arg, uint32_t i) {
  (void)i;
  return hf_parallel(c, 4, 4, nest, arg);
}

START_TEST(nesting_does_not_deadlock) {
  open_with(threads[_i]);
  struct shared s = {0};
  ck_assert_int_eq(hf_parallel(call, 8, 8, nest_twice, &s), HF_OK);
  ck_assert_int_eq(s.runs, 8 * 4 * 8);
  finish();
}
END_TEST

static void *cancel_soon(void *arg) {
  usleep(20000);
  hf_call_cancel(arg);
  return NULL;
}

static hf_status sleep_long(hf_call *c, void *arg, uint32_t i) {
  (void)arg;
  (void)i;
  return hf_call_sleep(c, 30000);
}

START_TEST(cancelling_the_caller_ends_all) {
  open_with(threads[_i]);
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_soon, call);
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_parallel(call, 100, 8, sleep_long, NULL), HF_ECANCELED);
  ck_assert_uint_lt((hf_now_ns() - before) / 1000000, 10000);
  pthread_join(thread, NULL);
  struct shared s = {0};
  ck_assert_int_eq(hf_parallel(call, 10, 4, add, &s), HF_ECANCELED);
  ck_assert_int_eq(s.runs, 0);
  finish();
}
END_TEST

static int threads_now(void) {
  DIR *d = opendir("/proc/self/task");
  int n = -2; /* "." and ".." */
  ck_assert_ptr_nonnull(d);
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

START_TEST(work_that_needs_no_help_starts_no_thread) {
  open_with("32");
  int before = threads_now();
  struct shared s = {0};
  ck_assert_int_eq(hf_parallel(call, 1, 32, add, &s), HF_OK);
  ck_assert_int_eq(hf_parallel(call, 100, 1, add, &s), HF_OK);
  ck_assert_int_eq(s.runs, 101);
  ck_assert_int_eq(threads_now(), before);
  finish();
}
END_TEST

START_TEST(parallel_survives_every_failing_allocation) {
  open_with("4");
  int good = 0;
  for (long n = 0; n < 60; n++) {
    struct shared s = {0};
    hf_call_clear(call);
    hf_mem_fail_after(n, _i);
    hf_status st = hf_parallel(call, 6, 3, add, &s);
    hf_mem_fail_after(-1, false);
    if (st == HF_OK) {
      ck_assert_int_eq(s.runs, 6);
      good++;
    } else {
      ck_assert_int_eq(st, HF_ENOMEM);
      ck_assert_int_eq(hf_call_error(call)->code, HF_ENOMEM);
    }
  }
  ck_assert_int_gt(good, 0);
  finish();
}
END_TEST

/* ---- jobs ---- */

static hf_status job(hf_call *c, void *arg) {
  struct shared *s = arg;
  (void)c;
  enter(s);
  if (s->sleep_us) usleep((unsigned)s->sleep_us);
  atomic_fetch_add(&s->runs, 1);
  atomic_fetch_sub(&s->inside, 1);
  return HF_OK;
}

START_TEST(all_jobs_run_and_no_more_than_width_at_once) {
  open_with(threads[_i]);
  struct shared s = {.sleep_us = 200};
  hf_jobs *jobs;
  ck_assert_int_eq(hf_jobs_open(call, 3, &jobs), HF_OK);
  for (int i = 0; i < 50; i++) ck_assert_int_eq(hf_jobs_spawn(jobs, job, &s), HF_OK);
  ck_assert_int_eq(hf_jobs_join(jobs), HF_OK);
  ck_assert_int_eq(s.runs, 50);
  ck_assert_int_le(s.most, 4); /* three and the one that joins */
  finish();
}
END_TEST

START_TEST(an_empty_group_joins) {
  open_with("2");
  hf_jobs *jobs;
  ck_assert_int_eq(hf_jobs_open(call, 0, &jobs), HF_OK);
  ck_assert_int_eq(hf_jobs_join(jobs), HF_OK);
  finish();
}
END_TEST

static hf_status tree(hf_call *c, void *arg) {
  struct shared *s = arg;
  int number = atomic_fetch_add(&s->started, 1);
  if (number < 100) {
    hf_status st = hf_jobs_spawn(s->jobs, tree, s);
    if (st == HF_OK) st = hf_jobs_spawn(s->jobs, tree, s);
    if (st != HF_OK) return st;
  }
  atomic_fetch_add(&s->runs, 1);
  return hf_call_check(c);
}

START_TEST(jobs_spawn_jobs) {
  open_with(threads[_i]);
  struct shared s = {0};
  ck_assert_int_eq(hf_jobs_open(call, 4, &s.jobs), HF_OK);
  ck_assert_int_eq(hf_jobs_spawn(s.jobs, tree, &s), HF_OK);
  ck_assert_int_eq(hf_jobs_join(s.jobs), HF_OK);
  ck_assert_int_eq(s.runs, 201);
  finish();
}
END_TEST

static hf_status free_or_fail(hf_call *c, void *arg) {
  int number = *(int *)arg;
  hf_mem_free(arg);
  if (number == 5) return hf_call_failf(c, HF_EIO, "job 5");
  return hf_call_check(c) == HF_OK ? HF_OK : HF_ECANCELED;
}

/* What was accepted runs, even after a failure, so that nothing of it leaks; what is refused does not. */
START_TEST(a_failed_group_refuses_and_still_runs_what_it_took) {
  open_with(threads[_i]);
  hf_jobs *jobs;
  ck_assert_int_eq(hf_jobs_open(call, 2, &jobs), HF_OK);
  int refused = 0;
  for (int i = 0; i < 500; i++) {
    int *number = hf_mem_alloc(sizeof *number);
    *number = i;
    if (hf_jobs_spawn(jobs, free_or_fail, number) != HF_OK) {
      hf_mem_free(number);
      refused++;
    }
    if (i == 20) usleep(20000);
  }
  ck_assert_int_gt(refused, 0);
  ck_assert_int_eq(hf_jobs_join(jobs), HF_EIO);
  ck_assert_str_eq(hf_call_error(call)->message, "job 5");
  finish();
}
END_TEST

static hf_status jobs_inside(hf_call *c, void *arg, uint32_t i) {
  struct shared *s = arg;
  hf_jobs *jobs;
  (void)i;
  TRY(hf_jobs_open(c, 4, &jobs));
  for (int k = 0; k < 5; k++) {
    hf_status st = hf_jobs_spawn(jobs, job, s);
    if (st != HF_OK) break;
  }
  return hf_jobs_join(jobs);
}

START_TEST(groups_inside_parallel_do_not_deadlock) {
  open_with(threads[_i]);
  struct shared s = {.sleep_us = 20};
  ck_assert_int_eq(hf_parallel(call, 20, 8, jobs_inside, &s), HF_OK);
  ck_assert_int_eq(s.runs, 100);
  finish();
}
END_TEST

/* A session opens its group in one branch and joins it from another. */
START_TEST(a_group_outlives_the_branch_that_opened_it) {
  open_with("4");
  struct shared s = {.sleep_us = 100};
  hf_jobs *jobs;
  hf_call *branch = hf_call_branch(call);
  ck_assert_int_eq(hf_jobs_open(branch, 2, &jobs), HF_OK);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(hf_jobs_spawn(jobs, job, &s), HF_OK);
  hf_call_branch_end(branch, true);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(hf_jobs_spawn(jobs, job, &s), HF_OK);
  ck_assert_int_eq(hf_jobs_join(jobs), HF_OK);
  ck_assert_int_eq(s.runs, 10);
  finish();
}
END_TEST

/* ---- the pool ---- */

static void posted(void *arg) {
  atomic_fetch_add((_Atomic int *)arg, 1);
}

START_TEST(posted_jobs_have_run_when_the_pool_is_closed) {
  open_with(threads[_i]);
  _Atomic int ran = 0;
  for (int i = 0; i < 1000; i++) ck_assert_int_eq(hf_work_post(rt->work, posted, (void *)&ran), HF_OK);
  finish();
  ck_assert_int_eq(ran, 1000);
}
END_TEST

START_TEST(a_job_is_run_or_taken_back_never_both) {
  open_with("2");
  for (int round = 0; round < 300; round++) {
    _Atomic int ran = 0;
    struct hf_job jobs[4];
    int back = 0;
    for (int i = 0; i < 4; i++) {
      jobs[i] = (struct hf_job){.fn = posted, .arg = (void *)&ran};
      ck_assert_int_eq(hf_work_add(rt->work, &jobs[i]), HF_OK);
    }
    for (int i = 3; i >= 0; i--) back += hf_work_take_back(rt->work, &jobs[i]);
    while (atomic_load(&ran) + back < 4) usleep(10);
    ck_assert_int_eq(ran + back, 4);
  }
  finish();
}
END_TEST

static void deep(void *arg) {
  volatile char room[1400 * 1024];
  for (size_t i = 0; i < sizeof room; i += 1024) room[i] = 1;
  atomic_store((_Atomic int *)arg, room[0]);
}

START_TEST(a_worker_has_a_stack_for_deep_parsers) {
  open_with("1");
  _Atomic int ran = 0;
  ck_assert_int_eq(hf_work_post(rt->work, deep, (void *)&ran), HF_OK);
  finish();
  ck_assert_int_eq(ran, 1);
}
END_TEST

int main(void) {
  Suite *s = suite_create("work");
  TCase *t = tcase_create("work");
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, every_index_runs_once, 0, 3);
  tcase_add_test(t, no_more_than_width_at_once);
  tcase_add_loop_test(t, the_first_failure_cancels_the_rest_and_is_the_result, 0, 3);
  tcase_add_test(t, a_failure_without_words_gets_some);
  tcase_add_test(t, each_index_starts_with_a_clean_branch);
  tcase_add_loop_test(t, nesting_does_not_deadlock, 0, 3);
  tcase_add_loop_test(t, cancelling_the_caller_ends_all, 0, 3);
  tcase_add_test(t, work_that_needs_no_help_starts_no_thread);
  tcase_add_loop_test(t, parallel_survives_every_failing_allocation, 0, 2);
  tcase_add_loop_test(t, all_jobs_run_and_no_more_than_width_at_once, 0, 3);
  tcase_add_test(t, an_empty_group_joins);
  tcase_add_loop_test(t, jobs_spawn_jobs, 0, 3);
  tcase_add_loop_test(t, a_failed_group_refuses_and_still_runs_what_it_took, 0, 3);
  tcase_add_loop_test(t, groups_inside_parallel_do_not_deadlock, 0, 3);
  tcase_add_test(t, a_group_outlives_the_branch_that_opened_it);
  tcase_add_loop_test(t, posted_jobs_have_run_when_the_pool_is_closed, 0, 3);
  tcase_add_test(t, a_job_is_run_or_taken_back_never_both);
  tcase_add_test(t, a_worker_has_a_stack_for_deep_parsers);
  suite_add_tcase(s, t);
  return unit_run(s);
}
