/* Calls: the error slot, cancelling with hooks from any thread and from a signal handler, deadlines, branches.
 * Timing is asserted only in one direction or with wide margins: what must be quick has a second.
 * Made for the thread sanitizer as well. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "call.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;

static void setup(void) {
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

/* ---- errors ---- */

START_TEST(the_first_error_wins_until_it_is_cleared) {
  ck_assert_ptr_null(hf_call_error(call));
  ck_assert_int_eq(hf_call_failf(call, HF_EIO, "disk %d", 1), HF_EIO);
  ck_assert_int_eq(hf_call_failf(call, HF_ENET, "net"), HF_ENET);
  ck_assert_int_eq(hf_call_error(call)->code, HF_EIO);
  ck_assert_str_eq(hf_call_error(call)->message, "disk 1");
  hf_call_clear(call);
  ck_assert_ptr_null(hf_call_error(call));
  ck_assert_int_eq(hf_call_failf(call, HF_ENET, "net"), HF_ENET);
  ck_assert_str_eq(hf_call_error(call)->message, "net");
}
END_TEST

START_TEST(fail_copies_what_it_knows) {
  char message[] = "gone", cls[] = "RepositoryNotFoundError", id[] = "Root=1-2", url[] = "https://hub/x?sig=abc";
  struct hf_error e = {.struct_size = sizeof e,
                       .code = HF_ENOTFOUND,
                       .cls = cls,
                       .message = message,
                       .sys_errno = 5,
                       .http_status = 404,
                       .retryable = 1,
                       .retry_after_ms = 7,
                       .request_id = id,
                       .url = url};
  ck_assert_int_eq(hf_call_fail(call, &e), HF_ENOTFOUND);
  memset(message, 'x', 4);
  memset(cls, 'x', 4);
  memset(id, 'x', 4);
  memset(url, 'x', 4);
  const struct hf_error *got = hf_call_error(call);
  ck_assert_str_eq(got->message, "gone");
  ck_assert_str_eq(got->cls, "RepositoryNotFoundError");
  ck_assert_str_eq(got->request_id, "Root=1-2");
  ck_assert_str_eq(got->url, "https://hub/x?sig=***");
  ck_assert_int_eq(got->sys_errno, 5);
  ck_assert_uint_eq(got->http_status, 404);
  ck_assert_uint_eq(got->retryable, 1);
  ck_assert_uint_eq(got->retry_after_ms, 7);
}
END_TEST

START_TEST(an_old_plugins_error_is_shorter) {
  struct hf_error e = {
      .struct_size = offsetof(struct hf_error, sys_errno), .code = HF_EIO, .message = "m", .sys_errno = 99};
  hf_call_fail(call, &e);
  ck_assert_int_eq(hf_call_error(call)->sys_errno, 0);
  ck_assert_str_eq(hf_call_error(call)->message, "m");
}
END_TEST

START_TEST(success_is_no_error_and_silence_gets_words) {
  ck_assert_int_eq(hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = 3}),
                   HF_EINTERNAL);
  ck_assert_uint_gt(strlen(hf_call_error(call)->message), 10);
  hf_call_clear(call);
  ck_assert_int_eq(hf_call_failf(call, HF_OK, "odd"), HF_EINTERNAL);
}
END_TEST

START_TEST(long_texts_are_cut_between_characters) {
  char text[4000];
  for (size_t lead = 0; lead < 4; lead++) {
    memset(text, 'a', lead);
    for (size_t i = lead; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xe2\x82\xac", 4);
    hf_call_clear(call);
    hf_call_failf(call, HF_EIO, "%s", text);
    const char *message = hf_call_error(call)->message;
    size_t len = strlen(message);
    ck_assert_uint_le(len, 1535);
    ck_assert_uint_ge(len, 1533);
    ck_assert_uint_eq((len - lead) % 3, 0);
    hf_call_clear(call);
    hf_call_fail(call, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = HF_EIO, .message = text});
    ck_assert_uint_eq(strlen(hf_call_error(call)->message), len);
  }
}
END_TEST

START_TEST(errors_need_no_memory) {
  hf_mem_fail_after(0, true);
  hf_call_failf(call, HF_ENOMEM, "no room for %s", "it");
  ck_assert_str_eq(hf_call_error(call)->message, "no room for it");
  hf_call_clear(call);
  hf_fail_errno(call, ENOMEM, "cannot open %s", "x");
  hf_mem_fail_after(-1, false);
  ck_assert_int_eq(hf_call_error(call)->code, HF_ENOMEM);
}
END_TEST

static const struct {
  int err;
  hf_status code;
  const char *word;
} numbers[] = {{ENOSPC, HF_ENOSPACE, "disk"},  {ENOSPC, HF_ENOSPACE, "inodes"},   {EDQUOT, HF_ENOSPACE, "quota"},
               {EFBIG, HF_ENOSPACE, "disk"},   {EACCES, HF_EPERM, "denied"},      {EPERM, HF_EPERM, "not permitted"},
               {EROFS, HF_EPERM, "read-only"}, {ENOENT, HF_ENOTFOUND, "no such"}, {EEXIST, HF_EEXISTS, "exists"},
               {ENOMEM, HF_ENOMEM, "memory"},  {EIO, HF_EIO, "input/output"},     {ENOTTY, HF_EIO, "system error"}};

START_TEST(error_numbers_have_codes_and_words) {
  ck_assert_int_eq(hf_code_of_errno(numbers[_i].err), numbers[_i].code);
  ck_assert_int_eq(hf_fail_errno(call, numbers[_i].err, "Cannot write %s", "blob"), numbers[_i].code);
  const struct hf_error *e = hf_call_error(call);
  ck_assert_int_eq(e->sys_errno, numbers[_i].err);
  ck_assert_int_eq(strncmp(e->message, "Cannot write blob: ", 19), 0);
  ck_assert_ptr_nonnull(strstr(e->message, numbers[_i].word));
}
END_TEST

START_TEST(the_reason_survives_a_long_message) {
  char text[3000];
  memset(text, 'p', sizeof text - 1);
  text[sizeof text - 1] = 0;
  hf_fail_errno(call, ENOSPC, "%s", text);
  ck_assert_ptr_nonnull(strstr(hf_call_error(call)->message, ": no space"));
}
END_TEST

START_TEST(statuses_have_names) {
  ck_assert_str_eq(hf_status_name(HF_OK), "HF_OK");
  ck_assert_str_eq(hf_status_name(HF_ENOTFOUND), "HF_ENOTFOUND");
  ck_assert_str_eq(hf_status_name(HF_EPERM), "HF_EPERM");
  ck_assert_str_eq(hf_status_name(-12345), "HF_EINTERNAL");
}
END_TEST

struct race {
  hf_call *call;
  int number;
};

static void *fail_once(void *arg) {
  struct race *r = arg;
  hf_call_failf(r->call, HF_EIO, "%d%d%d%d", r->number, r->number, r->number, r->number);
  return NULL;
}

START_TEST(threads_that_fail_at_once_leave_one_whole_error) {
  for (int round = 0; round < 50; round++) {
    pthread_t threads[4];
    struct race r[4];
    hf_call_clear(call);
    for (int i = 0; i < 4; i++) {
      r[i] = (struct race){call, i};
      pthread_create(&threads[i], NULL, fail_once, &r[i]);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    const char *m = hf_call_error(call)->message;
    ck_assert_uint_eq(strlen(m), 4);
    ck_assert(m[0] == m[1] && m[1] == m[2] && m[2] == m[3]);
  }
}
END_TEST

/* ---- cancelling ---- */

static void count(void *arg) {
  atomic_fetch_add((_Atomic int *)arg, 1);
}

START_TEST(a_hook_runs_once_when_the_call_is_cancelled) {
  _Atomic int ran = 0;
  hf_hook *hook;
  ck_assert_int_eq(hf_call_check(call), HF_OK);
  ck_assert_int_eq(hf_call_on_cancel(call, count, &ran, &hook), HF_OK);
  hf_call_cancel(call);
  hf_call_cancel(call);
  ck_assert_int_eq(ran, 1);
  ck_assert_int_eq(hf_call_check(call), HF_ECANCELED);
  ck_assert_int_eq(hf_call_error(call)->code, HF_ECANCELED);
  hf_call_off_cancel(hook);
  hf_call_off_cancel(NULL);
}
END_TEST

START_TEST(a_hook_of_a_cancelled_call_runs_at_once) {
  _Atomic int ran = 0;
  hf_hook *hook;
  hf_call_cancel(call);
  ck_assert_int_eq(hf_call_on_cancel(call, count, &ran, &hook), HF_OK);
  ck_assert_int_eq(ran, 1);
  hf_call_off_cancel(hook);
}
END_TEST

START_TEST(a_dropped_hook_does_not_run) {
  _Atomic int ran = 0;
  hf_hook *a, *b, *c;
  hf_call_on_cancel(call, count, &ran, &a);
  hf_call_on_cancel(call, count, &ran, &b);
  hf_call_on_cancel(call, count, &ran, &c);
  hf_call_off_cancel(b);
  hf_call_cancel(call);
  ck_assert_int_eq(ran, 2);
  hf_call_off_cancel(a);
  hf_call_off_cancel(c);
}
END_TEST

START_TEST(branches_hear_of_it_and_siblings_do_not) {
  _Atomic int ran = 0, other = 0;
  hf_hook *h1, *h2, *h3;
  hf_call *a = hf_call_branch(call), *b = hf_call_branch(call), *deep = hf_call_branch(a);
  hf_call_on_cancel(deep, count, &ran, &h1);
  hf_call_on_cancel(a, count, &ran, &h2);
  hf_call_on_cancel(b, count, &other, &h3);
  hf_call_cancel(a);
  ck_assert_int_eq(ran, 2);
  ck_assert_int_eq(other, 0);
  ck_assert_int_eq(hf_call_check(deep), HF_ECANCELED);
  ck_assert_int_eq(hf_call_check(b), HF_OK);
  ck_assert_int_eq(hf_call_check(call), HF_OK);
  hf_call *late = hf_call_branch(deep);
  ck_assert_int_eq(hf_call_check(late), HF_ECANCELED);
  hf_call_cancel(call);
  ck_assert_int_eq(ran, 2);
  ck_assert_int_eq(other, 1);
  hf_call_off_cancel(h1);
  hf_call_off_cancel(h2);
  hf_call_off_cancel(h3);
  hf_call_branch_end(late, false);
  hf_call_branch_end(deep, false);
  hf_call_branch_end(a, false);
  hf_call_branch_end(b, false);
}
END_TEST

START_TEST(a_branch_hands_its_error_up_when_asked) {
  hf_call *a = hf_call_branch(call), *b = hf_call_branch(call);
  hf_call_failf(a, HF_EIO, "quiet");
  hf_call_failf(b, HF_ENET, "loud");
  ck_assert_ptr_null(hf_call_error(call));
  hf_call_branch_end(a, false);
  ck_assert_ptr_null(hf_call_error(call));
  hf_call_branch_end(b, true);
  ck_assert_str_eq(hf_call_error(call)->message, "loud");
}
END_TEST

struct slow {
  _Atomic int inside, left;
};

static void slow_hook(void *arg) {
  struct slow *s = arg;
  atomic_store(&s->inside, 1);
  usleep(50000);
  atomic_store(&s->left, 1);
}

static void *cancel_it(void *arg) {
  hf_call_cancel(arg);
  return NULL;
}

START_TEST(off_cancel_waits_for_a_running_hook) {
  struct slow s = {0};
  hf_hook *hook;
  pthread_t thread;
  hf_call_on_cancel(call, slow_hook, &s, &hook);
  pthread_create(&thread, NULL, cancel_it, call);
  while (!atomic_load(&s.inside)) usleep(100);
  hf_call_off_cancel(hook);
  ck_assert_int_eq(atomic_load(&s.left), 1);
  pthread_join(thread, NULL);
}
END_TEST

static hf_hook *own_hook;

static void drop_self(void *arg) {
  hf_call_off_cancel(own_hook);
  count(arg);
}

START_TEST(a_hook_may_drop_itself) {
  _Atomic int ran = 0;
  hf_call_on_cancel(call, drop_self, &ran, &own_hook);
  hf_call_cancel(call);
  ck_assert_int_eq(ran, 1);
}
END_TEST

START_TEST(asking_runs_hooks_on_the_watchers_thread) {
  _Atomic int ran = 0;
  hf_hook *hook;
  hf_call_on_cancel(call, count, &ran, &hook);
  hf_cancel_ask(call->cancel);
  ck_assert_int_eq(hf_call_check(call), HF_ECANCELED);
  for (int i = 0; i < 1000 && !atomic_load(&ran); i++) usleep(1000);
  ck_assert_int_eq(atomic_load(&ran), 1);
  hf_call_off_cancel(hook);
}
END_TEST

START_TEST(asking_before_the_first_hook_is_not_lost) {
  _Atomic int ran = 0;
  hf_hook *hook;
  hf_cancel_ask(call->cancel);
  hf_call_on_cancel(call, count, &ran, &hook);
  ck_assert_int_eq(atomic_load(&ran), 1);
  hf_call_off_cancel(hook);
}
END_TEST

static hf_call *asked_by_signal;

static void on_alarm(int number) {
  (void)number;
  hf_cancel_ask(asked_by_signal->cancel);
}

START_TEST(a_signal_handler_ends_a_sleep_at_once) {
  asked_by_signal = call;
  signal(SIGALRM, on_alarm);
  ualarm(30000, 0);
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_call_sleep(call, 30000), HF_ECANCELED);
  uint64_t ms = (hf_now_ns() - before) / 1000000;
  ck_assert_uint_ge(ms, 29);
  ck_assert_uint_le(ms, 1000);
  signal(SIGALRM, SIG_DFL);
}
END_TEST

START_TEST(a_sleep_lasts_as_long_as_it_should) {
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_call_sleep(call, 20), HF_OK);
  ck_assert_uint_ge((hf_now_ns() - before) / 1000000, 20);
  ck_assert_int_eq(hf_call_sleep(call, 0), HF_OK);
}
END_TEST

START_TEST(a_deadline_ends_calls_and_runs_hooks) {
  _Atomic int ran = 0;
  hf_hook *hook;
  hf_call *timed = hf_call_new(rt, NULL, hf_now_ns() + 30000000);
  hf_call *branch = hf_call_branch(timed);
  ck_assert_int_eq(hf_call_check(branch), HF_OK);
  hf_call_on_cancel(branch, count, &ran, &hook);
  uint64_t before = hf_now_ns();
  ck_assert_int_eq(hf_call_sleep(branch, 30000), HF_ETIMEDOUT);
  ck_assert_uint_le((hf_now_ns() - before) / 1000000, 1000);
  for (int i = 0; i < 1000 && !atomic_load(&ran); i++) usleep(1000);
  ck_assert_int_eq(atomic_load(&ran), 1);
  ck_assert_int_eq(hf_call_error(branch)->code, HF_ETIMEDOUT);
  hf_call_off_cancel(hook);
  hf_call_branch_end(branch, false);
  hf_call_end(timed);
}
END_TEST

START_TEST(a_runtime_without_hooks_has_no_watcher_thread) {
  hf_call *branch = hf_call_branch(call);
  hf_cancel_ask(call->cancel);
  ck_assert_int_eq(hf_call_check(branch), HF_ECANCELED);
  ck_assert_int_eq(atomic_load(&call->cancel->wake_fd), -1);
  hf_call_branch_end(branch, false);
}
END_TEST

START_TEST(without_memory_a_hook_is_refused) {
  hf_hook *hook;
  hf_mem_fail_after(0, true);
  ck_assert_int_eq(hf_call_on_cancel(call, count, NULL, &hook), HF_ENOMEM);
  ck_assert_ptr_null(hf_call_branch(call));
  hf_mem_fail_after(-1, false);
  ck_assert_ptr_null(hook);
}
END_TEST

/* Hooks come and go on branches of many threads while the whole is cancelled from yet another one. */
struct storm {
  hf_call *parent;
  _Atomic int *ran;
};

static void *come_and_go(void *arg) {
  struct storm *s = arg;
  for (int i = 0; i < 200; i++) {
    hf_call *branch = hf_call_branch(s->parent);
    hf_hook *a, *b;
    hf_call_on_cancel(branch, count, s->ran, &a);
    hf_call_on_cancel(s->parent, count, s->ran, &b);
    hf_call_check(branch);
    hf_call_off_cancel(a);
    hf_call_off_cancel(b);
    hf_call_branch_end(branch, false);
  }
  return NULL;
}

START_TEST(a_storm_of_hooks_and_branches) {
  for (int round = 0; round < 5; round++) {
    _Atomic int ran = 0;
    hf_call *top;
    ck_assert_int_eq(hf_call_begin(rt, &top), HF_OK);
    pthread_t threads[4];
    struct storm s = {top, &ran};
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, come_and_go, &s);
    usleep(2000);
    if (round & 1)
      hf_call_cancel(top);
    else
      hf_cancel_ask(top->cancel);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(hf_call_check(top), HF_ECANCELED);
    hf_call_end(top);
  }
}
END_TEST

/* ---- the rest ---- */

START_TEST(the_arena_outlives_the_branch) {
  hf_call *branch = hf_call_branch(call);
  const char *text = hf_call_intern(branch, "commit", 3);
  hf_call_branch_end(branch, false);
  ck_assert_str_eq(text, "com");
  hf_mem_fail_after(0, true);
  ck_assert_ptr_null(hf_call_arena(call, 1 << 20));
  hf_mem_fail_after(-1, false);
  ck_assert_int_eq(hf_call_error(call)->code, HF_ENOMEM);
}
END_TEST

static const struct hf_host *H(void) {
  return hf_host();
}

START_TEST(the_host_table_is_whole) {
  const struct hf_host *h = H();
  ck_assert_uint_eq(h->struct_size, sizeof *h);
  ck_assert_uint_eq(h->abi_major, HF_ABI_MAJOR);
  ck_assert_str_eq(h->version, hf_version());
  /* every member after the version is a function that is there */
  const char *from = (const char *)&h->alloc, *to = (const char *)h + sizeof *h;
  for (; from < to; from += sizeof(void (*)(void))) {
    void (*fn)(void);
    memcpy(&fn, from, sizeof fn);
    ck_assert(fn != NULL);
  }
  char *p = h->resize(h->alloc(3), 100);
  ck_assert_ptr_nonnull(p);
  h->release(p);
  h->release(NULL);
}
END_TEST

START_TEST(log_lines_are_redacted_and_single) {
  hf_call_log(call, HF_LOG_WARNING, "with hf_abcdefghijklmnop\nnext");
  hf_call_log(call, HF_LOG_DEBUG, "unheard");
  ck_assert_str_eq(unit_log, "1 with hf_*** next\n");
}
END_TEST

int main(void) {
  Suite *s = suite_create("call");
  TCase *t = tcase_create("call");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, the_first_error_wins_until_it_is_cleared);
  tcase_add_test(t, fail_copies_what_it_knows);
  tcase_add_test(t, an_old_plugins_error_is_shorter);
  tcase_add_test(t, success_is_no_error_and_silence_gets_words);
  tcase_add_test(t, long_texts_are_cut_between_characters);
  tcase_add_test(t, errors_need_no_memory);
  tcase_add_loop_test(t, error_numbers_have_codes_and_words, 0, HF_COUNT(numbers));
  tcase_add_test(t, the_reason_survives_a_long_message);
  tcase_add_test(t, statuses_have_names);
  tcase_add_test(t, threads_that_fail_at_once_leave_one_whole_error);
  tcase_add_test(t, a_hook_runs_once_when_the_call_is_cancelled);
  tcase_add_test(t, a_hook_of_a_cancelled_call_runs_at_once);
  tcase_add_test(t, a_dropped_hook_does_not_run);
  tcase_add_test(t, branches_hear_of_it_and_siblings_do_not);
  tcase_add_test(t, a_branch_hands_its_error_up_when_asked);
  tcase_add_test(t, off_cancel_waits_for_a_running_hook);
  tcase_add_test(t, a_hook_may_drop_itself);
  tcase_add_test(t, asking_runs_hooks_on_the_watchers_thread);
  tcase_add_test(t, asking_before_the_first_hook_is_not_lost);
  tcase_add_test(t, a_signal_handler_ends_a_sleep_at_once);
  tcase_add_test(t, a_sleep_lasts_as_long_as_it_should);
  tcase_add_test(t, a_deadline_ends_calls_and_runs_hooks);
  tcase_add_test(t, a_runtime_without_hooks_has_no_watcher_thread);
  tcase_add_test(t, without_memory_a_hook_is_refused);
  tcase_add_test(t, a_storm_of_hooks_and_branches);
  tcase_add_test(t, the_arena_outlives_the_branch);
  tcase_add_test(t, the_host_table_is_whole);
  tcase_add_test(t, log_lines_are_redacted_and_single);
  suite_add_tcase(s, t);
  return unit_run(s);
}
