/* test_load.c - opening plugins as code: every lie of the corpus is found before load(), load() runs once, two files are
 * never taken for one another, a failure is for good; and modules are normalised: shorter and longer vtables, absent
 * functions, tables with strange strides. */
#include <stddef.h>

#include "corpus.h"
#include "registry.h"

static const char *home;

static void setup(void) {
  home = scratch_new();
  setenv("HOME", home, 1);
  setenv("HF_HOME", home, 1);
  ck_assert_int_eq(mkdir(join(home, "p"), 0755), 0);
}
static void teardown(void) {
  scratch_remove(home);
}

static void put(const char *plugin, const char *as) {
  char name[256];
  snprintf(name, sizeof name, "p/hf-%s.so", as);
  file_copy(corpus_file(plugin), join(home, name));
}

static hf_runtime *runtime(void) {
  hf_runtime *rt = NULL;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = join(home, "p"), .argv0 = "/nowhere/bin/x"};
  ck_assert_int_eq(hf_runtime_new(&o, &rt), HF_OK);
  return rt;
}

START_TEST(opens_runs_and_shares_state) {
  put("good", "good");
  hf_runtime *rt = runtime();
  const char *why = "";
  const struct hf_module *m = hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why);
  ck_assert_msg(m != NULL, "%s", why);
  ck_assert_uint_eq(m->struct_size, sizeof(struct hf_transfer));
  ck_assert_ptr_eq(m, hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why));
  hf_call *c;
  ck_assert_int_eq(hf_call_begin(rt, &c), HF_OK);
  struct hf_slot_module *a, *b;
  ck_assert_int_eq(hf_module_get(c, HF_KIND_TRANSFER, "good", &a), HF_OK);
  ck_assert_int_eq(hf_module_get(c, HF_KIND_TASKS, "good", &b), HF_OK);
  ck_assert_ptr_nonnull(a->state);
  ck_assert_ptr_eq(a->state, b->state);
  void *session;
  ck_assert_int_eq(((const struct hf_transfer *)a->m)->open(c, NULL, &session), HF_ENOSYS);
  ck_assert_str_eq(hf_host()->error(c)->message, "suits nothing");
  hf_call_end(c);
  hf_runtime_free(rt);
}
END_TEST

START_TEST(says_what_is_not_there) {
  hf_runtime *rt = runtime();
  hf_call *c;
  struct hf_slot_module *s;
  ck_assert_int_eq(hf_call_begin(rt, &c), HF_OK);
  ck_assert_int_eq(hf_module_get(c, HF_KIND_STORAGE, "nowhere", &s), HF_ENOTFOUND);
  ck_assert_str_eq(hf_host()->error(c)->message,
                   "there is no storage backend \"nowhere\": `hf plugin list` shows what there is");
  hf_call_end(c);
  hf_runtime_free(rt);
}
END_TEST

static void open_refusal(const char *name, const char *stage, const char *words) {
  if (strcmp(stage, "file") == 0) return;
  put(name, name);
  hf_runtime *rt = runtime();
  const char *why = NULL;
  uint32_t kind = strcmp(stage, "tasks") == 0 ? HF_KIND_TASKS : HF_KIND_TRANSFER;
  ck_assert_msg(hf_plugin_open(rt, kind, "good", &why) == NULL, "%s was opened", name);
  ck_assert_msg(strstr(why, words) != NULL, "%s: \"%s\" does not say \"%s\"", name, why, words);
  ck_assert_ptr_null(hf_plugin_open(rt, kind, "good", &why)); /* for good */
  ck_assert_msg(strstr(why, words) != NULL, "%s, again: %s", name, why);
  hf_runtime_free(rt);
  char path[256];
  snprintf(path, sizeof path, "p/hf-%s.so", name);
  ck_assert_int_eq(unlink(join(home, path)), 0);
}

START_TEST(refuses_each_liar_with_its_reason) {
  corpus_each(open_refusal);
}
END_TEST

/* Descriptor numbers come again, and the C library compares names first. */
START_TEST(never_takes_one_file_for_another) {
  put("good", "good");
  put("other", "other");
  for (int i = 0; i < 3; i++) {
    hf_runtime *rt = runtime();
    const char *why;
    const struct hf_module *a = hf_plugin_open(rt, HF_KIND_TRANSFER, i & 1 ? "other" : "good", &why);
    const struct hf_module *b = hf_plugin_open(rt, HF_KIND_TRANSFER, i & 1 ? "good" : "other", &why);
    ck_assert_msg(a && b, "%s", why);
    ck_assert_str_eq(a->name, i & 1 ? "other" : "good");
    ck_assert_str_eq(b->name, i & 1 ? "good" : "other");
    hf_runtime_free(rt);
  }
}
END_TEST

static int ignore(void *arg, const struct hf_plugin_info *i) {
  (void)arg, (void)i;
  return 0;
}

START_TEST(a_file_that_changed_after_the_list_is_refused) {
  put("good", "good");
  hf_runtime *rt = runtime();
  const char *why;
  hf_plugin_each(rt, ignore, NULL);
  ck_assert_int_eq(unlink(join(home, "p/hf-good.so")), 0);
  put("other", "good");
  ck_assert_ptr_null(hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why));
  ck_assert_ptr_nonnull(strstr(why, "changed after it was listed"));
  hf_runtime_free(rt);
}
END_TEST

/* ---- load() ---- */

static _Atomic int loads, unloads, inside, most;
static hf_status slow_load(const struct hf_host *h, void **state) {
  int now = atomic_fetch_add(&inside, 1) + 1;
  if (now > most) most = now;
  loads++;
  usleep(20000);
  *state = (void *)h;
  inside--;
  return HF_OK;
}
static void count_unload(void *state) {
  ck_assert_ptr_eq(state, hf_host());
  unloads++;
}
static const struct hf_module *const no_modules[1];
static struct hf_plugin fake = {.load = slow_load, .unload = count_unload, .modules = no_modules};

static void *use(void *arg) {
  char why[HF_WHY_MAX];
  void *state = NULL;
  (void)arg;
  return hf_load_use(&fake, hf_host(), &state, why) == HF_OK && state == hf_host() ? &fake : NULL;
}

START_TEST(load_runs_once_whoever_asks) {
  pthread_t t[8];
  for (int i = 0; i < 8; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, use, NULL), 0);
  for (int i = 0; i < 8; i++) {
    void *ok;
    pthread_join(t[i], &ok);
    ck_assert_ptr_nonnull(ok);
  }
  ck_assert_int_eq(loads, 1);
  ck_assert_int_eq(most, 1);
  for (int i = 0; i < 7; i++) hf_load_drop(&fake);
  ck_assert_int_eq(unloads, 0);
  hf_load_drop(&fake);
  ck_assert_int_eq(unloads, 1);
  ck_assert_ptr_nonnull(use(NULL)); /* a later runtime */
  ck_assert_int_eq(loads, 2);
  hf_load_drop(&fake);
}
END_TEST

/* ---- normalising ---- */

static int32_t score(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return 42;
}
static hf_status run(hf_call *c, void *s, struct hf_tr_file *f) {
  (void)c, (void)s, (void)f;
  return HF_OK;
}
static hf_status open_session(hf_call *c, const struct hf_tr_batch *b, void **s) {
  (void)c, (void)b, (void)s;
  return HF_OK;
}
static void close_session(void *s) {
  (void)s;
}

START_TEST(a_longer_vtable_is_cut_and_a_missing_function_is_callable) {
  char why[HF_WHY_MAX] = "";
  struct hf_arena *arena = hf_arena_new();
  struct {
    struct hf_transfer t;
    void (*from_the_future)(void);
  } newer = {.t = {.m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "newer", "x", HF_THREADS_ANY, 1, 0),
                   .score = score,
                   .open = open_session,
                   .run = run,
                   .close = close_session}};
  newer.t.m.struct_size = sizeof newer;
  const struct hf_transfer *t = (const struct hf_transfer *)hf_normalise(arena, &newer.t.m, why);
  ck_assert_msg(t != NULL, "%s", why);
  ck_assert_uint_eq(t->m.struct_size, sizeof *t);
  ck_assert_int_eq(t->score(NULL, NULL), 42);
  ck_assert_int_eq(t->finish(NULL, NULL), HF_OK);
  hf_arena_free(arena);
}
END_TEST

static hf_status st_open(hf_call *c, const char *uri, void **s) {
  (void)c, (void)uri, (void)s;
  return HF_OK;
}
static hf_status st_find(hf_call *c, void *s, const struct hf_name *n, hf_slot *o) {
  (void)c, (void)s, (void)n, (void)o;
  return HF_ENOTFOUND;
}
static hf_status st_open_file(hf_call *c, void *s, const struct hf_name *n, struct hf_source **o) {
  (void)c, (void)s, (void)n, (void)o;
  return HF_ENOTFOUND;
}

START_TEST(a_store_needs_what_its_capabilities_say) {
  char why[HF_WHY_MAX] = "";
  struct hf_arena *arena = hf_arena_new();
  struct hf_storage s = {.m = HF_MODULE(hf_storage, HF_KIND_STORAGE, "ro", "x", HF_THREADS_ANY, 1, HF_ST_READ_ONLY),
                         .open = st_open,
                         .close = close_session,
                         .find = st_find,
                         .open_file = st_open_file};
  const struct hf_storage *n = (const struct hf_storage *)hf_normalise(arena, &s.m, why);
  ck_assert_msg(n != NULL, "%s", why);
  for (size_t at = offsetof(struct hf_storage, open); at < offsetof(struct hf_storage, part_min);
       at += sizeof(void *)) {
    void *fn;
    memcpy(&fn, (const char *)n + at, sizeof fn);
    ck_assert_msg(fn != NULL, "nothing to call at %zu", at);
  }
  hf_runtime *rt = runtime();
  hf_call *c;
  ck_assert_int_eq(hf_call_begin(rt, &c), HF_OK);
  c->module = &n->m;
  ck_assert_int_eq(n->ref_get(c, NULL, NULL, "main", NULL), HF_ENOSYS);
  ck_assert_str_eq(hf_host()->error(c)->message, "the storage backend ro has no ref_get()");
  n->discard(NULL, NULL);
  n->lease_drop(NULL, NULL);
  hf_call_end(c);
  hf_runtime_free(rt);
  static const struct {
    uint64_t caps;
    const char *words;
  } wrong[] = {{0, "without ingest()"},
               {HF_ST_READ_ONLY | HF_ST_BLOBS, "without blob_stat()"},
               {HF_ST_READ_ONLY | HF_ST_REFS, "without ref_get()"},
               {HF_ST_READ_ONLY | HF_ST_TREES, "without tree_get()"},
               {HF_ST_READ_ONLY | HF_ST_LEASES, "without lease_take()"},
               {HF_ST_READ_ONLY | HF_ST_LIST, "without repo_each()"}};
  for (size_t i = 0; i < HF_COUNT(wrong); i++) {
    s.m.caps = wrong[i].caps;
    ck_assert_ptr_null(hf_normalise(arena, &s.m, why));
    ck_assert_msg(strstr(why, wrong[i].words) != NULL, "%s", why);
  }
  hf_arena_free(arena);
}
END_TEST

static hf_status task_run(hf_call *c, void *s, const hf_args *a, hf_out *o) {
  (void)c, (void)s, (void)a, (void)o;
  return HF_OK;
}

START_TEST(rows_of_another_size_are_laid_out_anew) {
  char why[HF_WHY_MAX] = "";
  struct hf_arena *arena = hf_arena_new();
  struct newer_param {
    struct hf_param p;
    uint64_t more[3];
  } params[2] = {{{.name = "one", .type = HF_P_STR}, {1, 2, 3}}, {{.name = "two", .type = HF_P_INT}, {4, 5, 6}}};
  struct newer_task {
    struct hf_task t;
    const char *more;
  } tasks[2] = {{{.name = "x.a", .summary = "a", .params = HF_TABLE(params), .run = task_run}, "m"},
                {{.name = "x.b", .summary = "b", .run = task_run}, "m"}};
  struct hf_tasks pack = {.m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "x", "x", HF_THREADS_ANY, 1, 0),
                          .tasks = HF_TABLE(tasks)};
  const struct hf_tasks *n = (const struct hf_tasks *)hf_normalise(arena, &pack.m, why);
  ck_assert_msg(n != NULL, "%s", why);
  ck_assert_uint_eq(n->tasks.stride, sizeof(struct hf_task));
  const struct hf_task *rows = n->tasks.rows;
  ck_assert_str_eq(rows[1].name, "x.b");
  ck_assert_uint_eq(rows[0].params.stride, sizeof(struct hf_param));
  ck_assert_str_eq(((const struct hf_param *)rows[0].params.rows)[1].name, "two");
  ck_assert_ptr_eq(tasks[0].t.params.rows, params); /* theirs is untouched */
  pack.tasks = (struct hf_table){NULL, 2, sizeof tasks[0]};
  ck_assert_ptr_null(hf_normalise(arena, &pack.m, why));
  pack.tasks = (struct hf_table){tasks, 2, 5000};
  ck_assert_ptr_null(hf_normalise(arena, &pack.m, why));
  hf_arena_free(arena);
}
END_TEST

/* A row of the very first version ends before members that came later. */
START_TEST(shorter_rows_read_as_zero_behind_their_end) {
  char why[HF_WHY_MAX] = "";
  struct hf_arena *arena = hf_arena_new();
  enum { SHORT = offsetof(struct hf_task, since) };
  struct hf_task full = {.name = "x.a", .summary = "a", .run = task_run, .since = "garbage", .api = "garbage"};
  char tight[2 * SHORT];
  memcpy(tight, &full, SHORT);
  full.name = "x.b";
  memcpy(tight + SHORT, &full, SHORT);
  struct hf_tasks pack = {.m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "x", "x", HF_THREADS_ANY, 1, 0),
                          .tasks = {tight, 2, SHORT}};
  pack.m.struct_size = offsetof(struct hf_tasks, run_row);
  pack.run_row = (void *)1; /* behind the end of what it says it has */
  const struct hf_tasks *n = (const struct hf_tasks *)hf_normalise(arena, &pack.m, why);
  ck_assert_msg(n != NULL, "%s", why);
  ck_assert_ptr_null((void *)n->run_row);
  const struct hf_task *rows = n->tasks.rows;
  ck_assert_str_eq(rows[1].name, "x.b");
  ck_assert_ptr_null(rows[0].since);
  ck_assert_ptr_null(rows[1].api);
  hf_arena_free(arena);
}
END_TEST

int main(void) {
  Suite *s = suite_create("load");
  TCase *t = tcase_create("load");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, opens_runs_and_shares_state);
  tcase_add_test(t, says_what_is_not_there);
  tcase_add_test(t, refuses_each_liar_with_its_reason);
  tcase_add_test(t, never_takes_one_file_for_another);
  tcase_add_test(t, a_file_that_changed_after_the_list_is_refused);
  tcase_add_test(t, load_runs_once_whoever_asks);
  tcase_add_test(t, a_longer_vtable_is_cut_and_a_missing_function_is_callable);
  tcase_add_test(t, a_store_needs_what_its_capabilities_say);
  tcase_add_test(t, rows_of_another_size_are_laid_out_anew);
  tcase_add_test(t, shorter_rows_read_as_zero_behind_their_end);
  suite_add_tcase(s, t);
  return run_suite(s);
}
