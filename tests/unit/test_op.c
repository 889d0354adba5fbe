/* Operations: they end exactly once, say how, and are told what they record one call at a time.
 * Waiting, polling a descriptor, cancelling (from callbacks, threads and signal handlers) and freeing in every order.
 * Made for the thread sanitizer. */
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define HF_STATIC_PLUGIN unit
#include "call.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static const struct hf_plugin *const statics[];

static void setup(void) {
  unit_statics = statics;
  rt = unit_runtime(NULL);
}

static void teardown(void) {
  hf_runtime_free(rt);
}

static hf_status answer(hf_call *c, void *arg) {
  atomic_fetch_add((_Atomic int *)arg, 1);
  return hf_call_check(c);
}

static hf_status fails(hf_call *c, void *arg) {
  (void)arg;
  return hf_call_failf(c, HF_ENOTFOUND, "no such file");
}

static hf_status sleeps(hf_call *c, void *arg) {
  if (arg) atomic_store((_Atomic int *)arg, 1);
  return hf_call_sleep(c, 30000);
}

static struct hf_watch in_wait(void) {
  return (struct hf_watch){.struct_size = sizeof(struct hf_watch), .flags = HF_WATCH_RUN_IN_WAIT};
}

START_TEST(an_operation_runs_once_and_ends) {
  _Atomic int ran = 0;
  hf_op *op = hf_op_start_fn(rt, answer, (void *)&ran, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_int_eq(ran, 1);
  ck_assert_int_eq(hf_op_done(op), 1);
  ck_assert_ptr_null(hf_op_error(op));
  hf_op_free(op);
  hf_op_free(NULL);
}
END_TEST

START_TEST(an_operation_runs_without_anybody_waiting) {
  _Atomic int ran = 0;
  hf_op *op = hf_op_start_fn(rt, answer, (void *)&ran, NULL);
  for (int i = 0; i < 2000 && !hf_op_done(op); i++) usleep(1000);
  ck_assert_int_eq(hf_op_done(op), 1);
  ck_assert_int_eq(ran, 1);
  hf_op_free(op);
}
END_TEST

static hf_status which_thread(hf_call *c, void *arg) {
  (void)c;
  *(pthread_t *)arg = pthread_self();
  return HF_OK;
}

START_TEST(asked_to_it_runs_on_the_thread_that_waits) {
  pthread_t ran;
  struct hf_watch w = in_wait();
  hf_op *op = hf_op_start_fn(rt, which_thread, &ran, &w);
  usleep(20000);
  ck_assert_int_eq(hf_op_done(op), 0);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert(pthread_equal(ran, pthread_self()));
  hf_op_free(op);
}
END_TEST

START_TEST(a_failure_is_told) {
  hf_op *op = hf_op_start_fn(rt, fails, NULL, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_ENOTFOUND);
  ck_assert_int_eq(hf_op_error(op)->code, HF_ENOTFOUND);
  ck_assert_str_eq(hf_op_error(op)->message, "no such file");
  hf_op_free(op);
}
END_TEST

static hf_status silent(hf_call *c, void *arg) {
  (void)c;
  (void)arg;
  return HF_EPROTO;
}

static hf_status recovers(hf_call *c, void *arg) {
  (void)arg;
  hf_call_failf(c, HF_EIO, "handled");
  return HF_OK;
}

START_TEST(every_failure_has_an_error_and_success_has_none) {
  hf_op *op = hf_op_start_fn(rt, silent, NULL, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_EPROTO);
  ck_assert_int_eq(hf_op_error(op)->code, HF_EPROTO);
  ck_assert_uint_gt(strlen(hf_op_error(op)->message), 10);
  hf_op_free(op);
  op = hf_op_start_fn(rt, recovers, NULL, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_ptr_null(hf_op_error(op));
  hf_op_free(op);
}
END_TEST

START_TEST(an_unknown_task_is_an_operation_that_failed) {
  hf_op *op = hf_op_start(rt, "no.such.task", "{}", NULL);
  ck_assert_ptr_nonnull(op);
  ck_assert_int_lt(hf_op_wait(op), 0);
  ck_assert_ptr_nonnull(hf_op_error(op));
  hf_op_free(op);
}
END_TEST

START_TEST(the_descriptor_tells_the_end) {
  for (int late = 0; late < 2; late++) {
    _Atomic int ran = 0;
    hf_op *op = hf_op_start_fn(rt, answer, (void *)&ran, NULL);
    if (late) hf_op_wait(op);
    struct pollfd p = {.fd = hf_op_fd(op), .events = POLLIN};
    ck_assert_int_ge(p.fd, 0);
    ck_assert_int_eq(hf_op_fd(op), p.fd);
    ck_assert_int_eq(poll(&p, 1, 10000), 1);
    ck_assert_int_eq(hf_op_done(op), 1);
    hf_op_free(op);
  }
  hf_op *op = hf_op_start_fn(rt, sleeps, NULL, NULL);
  struct pollfd p = {.fd = hf_op_fd(op), .events = POLLIN};
  ck_assert_int_eq(poll(&p, 1, 30), 0);
  hf_op_cancel(op);
  ck_assert_int_eq(poll(&p, 1, 10000), 1);
  hf_op_free(op);
}
END_TEST

START_TEST(cancelling_ends_it_soon) {
  _Atomic int inside = 0;
  hf_op *op = hf_op_start_fn(rt, sleeps, (void *)&inside, NULL);
  while (!atomic_load(&inside)) usleep(100);
  uint64_t before = hf_now_ns();
  hf_op_cancel(op);
  ck_assert_int_eq(hf_op_wait(op), HF_ECANCELED);
  ck_assert_uint_lt((hf_now_ns() - before) / 1000000, 5000);
  ck_assert_int_eq(hf_op_error(op)->code, HF_ECANCELED);
  hf_op_cancel(op);
  hf_op_free(op);
}
END_TEST

START_TEST(cancelled_before_it_began_it_does_not_run) {
  _Atomic int ran = 0;
  struct hf_watch w = in_wait();
  hf_op *op = hf_op_start_fn(rt, answer, (void *)&ran, &w);
  hf_op_cancel(op);
  ck_assert_int_eq(hf_op_wait(op), HF_ECANCELED);
  ck_assert_int_eq(ran, 0);
  hf_op_free(op);
  op = hf_op_start_fn(rt, answer, (void *)&ran, &w);
  hf_op_free(op);
  ck_assert_int_eq(ran, 0);
}
END_TEST

static hf_op *signalled;

static void on_alarm(int number) {
  (void)number;
  hf_op_cancel(signalled);
}

/* What Ctrl-C does to a command: the handler runs on the thread that runs the operation. */
START_TEST(a_signal_handler_may_cancel_what_its_own_thread_runs) {
  struct hf_watch w = in_wait();
  signal(SIGALRM, on_alarm);
  signalled = hf_op_start_fn(rt, sleeps, NULL, &w);
  ualarm(20000, 0);
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_op_wait(signalled), HF_ECANCELED);
  ck_assert_uint_lt((hf_now_ns() - before) / 1000000, 5000);
  signal(SIGALRM, SIG_DFL);
  hf_op_free(signalled);
}
END_TEST

static hf_status broken_by_hook(hf_call *c, void *arg) {
  (void)arg;
  hf_call_sleep(c, 30000);
  hf_call_clear(c);
  return hf_call_failf(c, HF_ENET, "connection shut");
}

START_TEST(what_fails_because_of_cancelling_is_reported_as_cancelled) {
  hf_op *op = hf_op_start_fn(rt, broken_by_hook, NULL, NULL);
  usleep(10000);
  hf_op_cancel(op);
  ck_assert_int_eq(hf_op_wait(op), HF_ECANCELED);
  ck_assert_int_eq(hf_op_error(op)->code, HF_ECANCELED);
  hf_op_free(op);
}
END_TEST

START_TEST(a_deadline_ends_it) {
  struct hf_watch w = {.struct_size = sizeof w, .deadline_ms = 30};
  hf_op *op = hf_op_start_fn(rt, sleeps, NULL, &w);
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_op_wait(op), HF_ETIMEDOUT);
  ck_assert_uint_lt((hf_now_ns() - before) / 1000000, 5000);
  hf_op_free(op);
  w.deadline_ms = UINT64_MAX;
  _Atomic int ran = 0;
  op = hf_op_start_fn(rt, answer, (void *)&ran, &w);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  hf_op_free(op);
}
END_TEST

static hf_status says_option(hf_call *c, void *arg) {
  const char *value = hf_call_get_option(c, "store");
  snprintf(arg, 32, "%s", value ? value : "none");
  return HF_OK;
}

START_TEST(options_reach_the_call) {
  char seen[32], value[] = "memory:";
  struct hf_kv options[] = {{"store", value}};
  struct hf_watch w = in_wait();
  w.options = (struct hf_table)HF_TABLE(options);
  hf_op *op = hf_op_start_fn(rt, says_option, seen, &w);
  memset(value, 'x', 7); /* it was copied */
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_str_eq(seen, "memory:");
  hf_op_free(op);
}
END_TEST

/* ---- what is told ---- */

struct told {
  _Atomic int inside, overlaps, records, events;
  int stop_after;
  uint64_t done;
  hf_op *op;
};

static void come(struct told *t) {
  if (atomic_fetch_add(&t->inside, 1)) atomic_fetch_add(&t->overlaps, 1);
  usleep(20);
  atomic_fetch_sub(&t->inside, 1);
}

static int32_t on_record(void *arg, uint32_t what, const char *json, size_t len) {
  struct told *t = arg;
  come(t);
  if (what != HF_OUT_ITEM || len != 2 || memcmp(json, "{}", 2) != 0) atomic_fetch_add(&t->overlaps, 100);
  return atomic_fetch_add(&t->records, 1) + 1 == t->stop_after;
}

static void on_progress(void *arg, const struct hf_event *e) {
  struct told *t = arg;
  come(t);
  if (e->struct_size != sizeof *e) atomic_fetch_add(&t->overlaps, 100);
  t->done += e->done;
  atomic_fetch_add(&t->events, 1);
}

static hf_status tells(hf_call *c, void *arg, uint32_t i) {
  hf_call_emit(c,
               &(struct hf_event){.struct_size = sizeof(struct hf_event), .type = HF_EV_BYTES, .item = i, .done = 1});
  TRY(hf_record(arg, HF_OUT_ITEM, "{}", 2));
  return hf_call_check(c);
}

static hf_status tells_much(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  int64_t n;
  (void)state;
  return hf_parallel(c, hf_arg_int(args, "n", &n) ? (uint32_t)n : 200, 8, tells, out);
}

static const struct hf_param tell_params[] = {{.name = "n", .help = "How many.", .type = HF_P_INT}};
static const struct hf_task rows[] = {
    {.name = "unit.tell", .summary = "Tells.", .params = HF_TABLE(tell_params), .run = tells_much}};
static const struct hf_tasks pack = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "unit", "rows of this test", HF_THREADS_ANY, 0, 0),
    .tasks = HF_TABLE(rows)};
static const struct hf_module *const modules[] = {&pack.m};
static hf_status load(const struct hf_host *h, void **state) {
  (void)h;
  *state = NULL;
  return HF_OK;
}
HF_PLUGIN("unit", "1", "Apache-2.0", "rows of this test", load, NULL, modules, {HF_KIND_TASKS, 0, 0, "unit", "unit"});
static const struct hf_plugin *const statics[] = {&HF_ENTRY, NULL};

START_TEST(callbacks_come_one_at_a_time) {
  struct told t = {0};
  struct hf_watch w = {.struct_size = sizeof w, .arg = &t, .record = on_record, .progress = on_progress};
  hf_op *op = hf_op_start(rt, "unit.tell", "{}", &w);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_int_eq(t.overlaps, 0);
  ck_assert_int_eq(t.records, 200);
  ck_assert_int_eq(t.events, 200);
  ck_assert_uint_eq(t.done, 200);
  hf_op_free(op);
}
END_TEST

START_TEST(a_callback_may_stop_the_operation) {
  struct told t = {.stop_after = 5};
  struct hf_watch w = {.struct_size = sizeof w, .arg = &t, .record = on_record};
  hf_op *op = hf_op_start(rt, "unit.tell", "", &w);
  ck_assert_int_eq(hf_op_wait(op), HF_ECANCELED);
  ck_assert_int_lt(t.records, 50);
  hf_op_free(op);
}
END_TEST

START_TEST(nobody_has_to_watch) {
  hf_op *op = hf_op_start(rt, "unit.tell", NULL, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  hf_op_free(op);
}
END_TEST

START_TEST(arguments_come_as_a_table_too) {
  struct told t = {0};
  struct hf_watch w = in_wait();
  w.arg = &t;
  w.record = on_record;
  const struct hf_task *row = hf_task_find(rt, "unit.tell");
  ck_assert_ptr_nonnull(row);
  hf_args *args = hf_args_new(row);
  ck_assert_int_eq(hf_args_add(args, "n", "3"), HF_OK);
  hf_op *op = hf_op_start_args(rt, row, args, &w);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_int_eq(t.records, 3);
  hf_op_free(op);
}
END_TEST

/* ---- ends ---- */

START_TEST(the_runtime_waits_for_what_runs) {
  _Atomic int ran = 0;
  hf_op *ops[20];
  for (int i = 0; i < 20; i++) ops[i] = hf_op_start_fn(rt, answer, (void *)&ran, NULL);
  struct hf_watch w = in_wait();
  hf_op *never = hf_op_start_fn(rt, answer, (void *)&ran, &w);
  hf_runtime_free(rt);
  rt = NULL;
  ck_assert_int_eq(ran, 20);
  for (int i = 0; i < 20; i++) {
    ck_assert_int_eq(hf_op_done(ops[i]), 1);
    hf_op_free(ops[i]);
  }
  ck_assert_int_eq(hf_op_wait(never), HF_ECANCELED);
  hf_op_free(never);
}
END_TEST

START_TEST(start_survives_every_failing_allocation) {
  for (long n = 0; n < 40; n++) {
    _Atomic int ran = 0;
    struct hf_kv options[] = {{"store", "memory:"}};
    struct hf_watch w = {.struct_size = sizeof w, .options = HF_TABLE(options)};
    hf_mem_fail_after(n, _i);
    hf_op *op = hf_op_start_fn(rt, answer, (void *)&ran, &w);
    hf_mem_fail_after(-1, false);
    if (!op) continue;
    hf_status st = hf_op_wait(op);
    if (st != HF_OK) {
      ck_assert_int_eq(st, HF_ENOMEM);
      ck_assert_int_eq(ran, 0);
      ck_assert_int_eq(hf_op_error(op)->code, HF_ENOMEM);
    } else {
      ck_assert_int_eq(ran, 1);
    }
    hf_op_free(op);
  }
}
END_TEST

struct racer {
  hf_op *op;
  hf_status st;
};

static void *wait_for(void *arg) {
  struct racer *r = arg;
  r->st = hf_op_wait(r->op);
  return NULL;
}

static void *cancel_at_some_time(void *arg) {
  struct racer *r = arg;
  usleep((unsigned)(hf_now_ns() % 300));
  hf_op_cancel(r->op);
  return NULL;
}

START_TEST(waiting_and_cancelling_race) {
  for (int round = 0; round < 100; round++) {
    _Atomic int ran = 0;
    struct hf_watch w = in_wait();
    hf_op *op = hf_op_start_fn(rt, round % 3 ? answer : sleeps, (void *)&ran, round & 1 ? &w : NULL);
    struct racer r[3] = {{op, 1}, {op, 1}, {op, 1}};
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, wait_for, &r[0]);
    pthread_create(&threads[1], NULL, wait_for, &r[1]);
    pthread_create(&threads[2], NULL, cancel_at_some_time, &r[2]);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(r[0].st, r[1].st);
    ck_assert(r[0].st == HF_OK || r[0].st == HF_ECANCELED);
    ck_assert_int_le(ran, 1);
    hf_op_free(op);
  }
}
END_TEST

/* ---- light operations ---------------------------------------------------------------------------------------------- */

static struct hf_watch light(uint64_t deadline_ms) {
  return (struct hf_watch){.struct_size = sizeof(struct hf_watch), .flags = HF_WATCH_LIGHT, .deadline_ms = deadline_ms};
}

static _Atomic int asleep;

static hf_status naps(hf_call *c, void *arg) {
  char deep[3000];
  memset(deep, (int)(intptr_t)arg, sizeof deep);
  atomic_fetch_add(&asleep, 1);
  for (int i = 0; i < 5; i++)
    if (hf_call_sleep(c, 20)) return hf_call_check(c);
  for (size_t i = 0; i < sizeof deep; i++)
    if (deep[i] != (char)(intptr_t)arg) return HF_EIO; /* the stack is another's */
  return HF_OK;
}

static long threads(void) {
  char line[200];
  long n = 0;
  FILE *in = fopen("/proc/self/status", "r");
  while (in && fgets(line, sizeof line, in)) sscanf(line, "Threads: %ld", &n);
  if (in) fclose(in);
  return n;
}

START_TEST(hundreds_of_light_operations_wait_on_two_threads) {
  enum { MANY = 400 };
  hf_op *ops[MANY];
  struct hf_watch w = light(0);
  long before = threads();
  atomic_store(&asleep, 0);
  for (int i = 0; i < MANY; i++) ops[i] = hf_op_start_fn(rt, naps, (void *)(intptr_t)(i & 127), &w);
  for (int i = 0; i < 20000 && atomic_load(&asleep) < MANY; i++) usleep(1000);
  ck_assert_int_eq(atomic_load(&asleep), MANY);
  ck_assert_int_le(threads() - before, 4); /* and the watcher, and one of a sanitizer */
  for (int i = 0; i < MANY; i++) {
    ck_assert_int_eq(hf_op_wait(ops[i]), HF_OK);
    hf_op_free(ops[i]);
  }
}
END_TEST

START_TEST(light_operations_are_cancelled_and_have_deadlines) {
  struct hf_watch w = light(0), soon = light(50);
  hf_op *op = hf_op_start_fn(rt, sleeps, NULL, &w), *other = hf_op_start_fn(rt, sleeps, NULL, &soon);
  ck_assert_int_eq(hf_op_wait(other), HF_ETIMEDOUT);
  hf_op_cancel(op);
  ck_assert_int_eq(hf_op_wait(op), HF_ECANCELED);
  hf_op_free(op);
  hf_op_free(other);
}
END_TEST

/* Starts others like itself, and waits for them: on two threads this ends only when waiting gives a thread away. */
static hf_status waits_for_others(hf_call *c, void *arg) {
  intptr_t depth = (intptr_t)arg;
  struct hf_watch w = light(0);
  hf_op *ops[3];
  hf_status st = HF_OK;
  if (!depth) return hf_call_sleep(c, 5);
  for (int i = 0; i < 3; i++) ops[i] = hf_op_start_fn(rt, waits_for_others, (void *)(depth - 1), &w);
  for (int i = 0; i < 3; i++) {
    if (hf_op_wait(ops[i]) != HF_OK) st = HF_EIO;
    hf_op_free(ops[i]);
  }
  return st;
}

START_TEST(light_operations_wait_for_each_other) {
  struct hf_watch w = light(0);
  hf_op *op = hf_op_start_fn(rt, waits_for_others, (void *)(intptr_t)3, &w);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  hf_op_free(op);
}
END_TEST

static hf_status sets_a_deadline(hf_call *c, void *arg) {
  (void)arg;
  hf_call_deadline(c, 60000);
  hf_call_deadline(c, 30);
  hf_call_deadline(c, 60000); /* a later one changes nothing */
  return hf_call_sleep(c, 30000);
}

START_TEST(a_call_sets_its_own_deadline) {
  hf_op *op = hf_op_start_fn(rt, sets_a_deadline, NULL, NULL);
  ck_assert_int_eq(hf_op_wait(op), HF_ETIMEDOUT);
  hf_op_free(op);
}
END_TEST

int main(void) {
  Suite *s = suite_create("op");
  TCase *t = tcase_create("op");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, an_operation_runs_once_and_ends);
  tcase_add_test(t, an_operation_runs_without_anybody_waiting);
  tcase_add_test(t, asked_to_it_runs_on_the_thread_that_waits);
  tcase_add_test(t, a_failure_is_told);
  tcase_add_test(t, every_failure_has_an_error_and_success_has_none);
  tcase_add_test(t, an_unknown_task_is_an_operation_that_failed);
  tcase_add_test(t, the_descriptor_tells_the_end);
  tcase_add_test(t, cancelling_ends_it_soon);
  tcase_add_test(t, cancelled_before_it_began_it_does_not_run);
  tcase_add_test(t, a_signal_handler_may_cancel_what_its_own_thread_runs);
  tcase_add_test(t, what_fails_because_of_cancelling_is_reported_as_cancelled);
  tcase_add_test(t, a_deadline_ends_it);
  tcase_add_test(t, options_reach_the_call);
  tcase_add_test(t, callbacks_come_one_at_a_time);
  tcase_add_test(t, a_callback_may_stop_the_operation);
  tcase_add_test(t, nobody_has_to_watch);
  tcase_add_test(t, arguments_come_as_a_table_too);
  tcase_add_test(t, the_runtime_waits_for_what_runs);
  tcase_add_loop_test(t, start_survives_every_failing_allocation, 0, 2);
  tcase_add_test(t, waiting_and_cancelling_race);
  tcase_add_test(t, hundreds_of_light_operations_wait_on_two_threads);
  tcase_add_test(t, light_operations_are_cancelled_and_have_deadlines);
  tcase_add_test(t, light_operations_wait_for_each_other);
  tcase_add_test(t, a_call_sets_its_own_deadline);
  suite_add_tcase(s, t);
  return unit_run(s);
}
