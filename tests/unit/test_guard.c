/* test_guard.c - the thread models are enforced (what is promised to run alone does run alone, the rest at the same time), and
 * put() copies rows by size into full rows and refuses what was not asked for.
 */
#include "corpus.h"
#include "registry.h"

enum { THREADS = 4, ROUNDS = 200 };

static struct hf_slot_module slot;
static pthread_mutex_t objects[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static _Atomic int in_module, in_object[2], most_module, most_object;

static void peak(_Atomic int *most, int now) {
  for (int was = *most; now > was && !atomic_compare_exchange_weak(most, &was, now);) continue;
}

static void *enter(void *arg) {
  int which = (int)(intptr_t)arg & 1;
  for (int i = 0; i < ROUNDS; i++) {
    struct hf_guard g;
    hf_guard_in(&g, NULL, &slot, &objects[which]);
    peak(&most_module, atomic_fetch_add(&in_module, 1) + 1);
    peak(&most_object, atomic_fetch_add(&in_object[which], 1) + 1);
    usleep(20);
    in_object[which]--;
    in_module--;
    hf_guard_out(&g, NULL);
  }
  return NULL;
}

static void go(uint32_t model) {
  pthread_t t[THREADS];
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&slot.one, &a);
  slot.threads = model;
  most_module = most_object = 0;
  for (intptr_t i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, enter, (void *)i), 0);
  for (int i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
}

START_TEST(one_means_one_in_the_module) {
  go(HF_THREADS_ONE);
  ck_assert_int_eq(most_module, 1);
  struct hf_guard a, b; /* a callback that leads back in is let in */
  hf_guard_in(&a, NULL, &slot, NULL);
  hf_guard_in(&b, NULL, &slot, NULL);
  hf_guard_out(&b, NULL);
  hf_guard_out(&a, NULL);
}
END_TEST

START_TEST(per_object_means_one_in_each) {
  go(HF_THREADS_PER_OBJECT);
  ck_assert_int_eq(most_object, 1);
  ck_assert_int_eq(most_module, 2);
}
END_TEST

START_TEST(any_means_all_at_once) {
  go(HF_THREADS_ANY);
  ck_assert_int_gt(most_object, 1);
}
END_TEST

START_TEST(the_call_knows_whose_options_apply) {
  struct hf_module m = {.name = "inner"}, outer = {.name = "outer"};
  struct hf_call c = {.module = &outer};
  slot.m = &m;
  slot.threads = HF_THREADS_ANY;
  struct hf_guard g;
  hf_guard_in(&g, &c, &slot, NULL);
  ck_assert_ptr_eq(c.module, &m);
  hf_guard_out(&g, &c);
  ck_assert_ptr_eq(c.module, &outer);
}
END_TEST

/* ---- put ---- */

static struct hf_st_file got;
static unsigned rows;
static hf_status take(void *arg, uint32_t what, const void *row) {
  (void)arg;
  ck_assert_uint_eq(what, HF_PUT_FILE);
  memcpy(&got, row, sizeof got);
  rows++;
  return rows == 3 ? HF_ECANCELED : HF_OK;
}

START_TEST(rows_are_copied_by_size) {
  hf_slot s = {.fn = take, .want = HF_PUT_FILE};
  struct {
    struct hf_st_file f;
    uint64_t more[4];
  } newer = {.f = {.struct_size = sizeof newer, .path = "/x", .size = 7}, .more = {1, 2, 3, 4}};
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, &newer, sizeof newer), HF_OK);
  ck_assert_uint_eq(got.struct_size, sizeof got);
  ck_assert_str_eq(got.path, "/x");
  ck_assert_uint_eq(got.size, 7);
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, &newer, sizeof newer.f), HF_OK);
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, &newer, sizeof newer.f), HF_ECANCELED);
}
END_TEST

START_TEST(rows_that_were_not_asked_for_are_refused) {
  hf_slot s = {.fn = take, .want = HF_PUT_FILE};
  struct hf_st_file f = {.struct_size = sizeof f};
  rows = 0;
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_BLOB, &f, sizeof f), HF_EABI);
  ck_assert_int_eq(hf_slot_put(&s, 99, &f, sizeof f), HF_EABI);
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, &f, 8), HF_EABI);
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, &f, 1 << 20), HF_EABI);
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_FILE, NULL, sizeof f), HF_EABI);
  ck_assert_int_eq(hf_slot_put(NULL, HF_PUT_FILE, &f, sizeof f), HF_EABI);
  s.want = HF_PUT_TEXT;
  struct hf_text t = {NULL, 5};
  ck_assert_int_eq(hf_slot_put(&s, HF_PUT_TEXT, &t, sizeof t), HF_EABI);
  ck_assert_uint_eq(rows, 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("guard");
  TCase *t = tcase_create("guard");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, one_means_one_in_the_module);
  tcase_add_test(t, per_object_means_one_in_each);
  tcase_add_test(t, any_means_all_at_once);
  tcase_add_test(t, the_call_knows_whose_options_apply);
  tcase_add_test(t, rows_are_copied_by_size);
  tcase_add_test(t, rows_that_were_not_asked_for_are_refused);
  suite_add_tcase(s, t);
  return run_suite(s);
}
