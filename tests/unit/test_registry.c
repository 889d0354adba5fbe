/* test_registry.c - which modules a runtime sees: notes only, order of priority and of folders, duplicates hidden with the
 * reason, refused files listed, the index (warm: no plugin file is opened; damaged: rebuilt), built-in commands safe.
 * Each test has its own home, so that neither the user's plugins nor an index of theirs count. */
#include "corpus.h"
#include "registry.h"

static const char *home;
static char places[3 * PATH_MAX];

static void setup(void) {
  home = scratch_new();
  setenv("HOME", home, 1);
  setenv("HF_HOME", join(home, "hf"), 1);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("XDG_DATA_HOME");
  unsetenv("HF_PLUGIN_PATH");
  ck_assert_int_eq(mkdir(join(home, "a"), 0755), 0);
  ck_assert_int_eq(mkdir(join(home, "b"), 0755), 0);
  snprintf(places, sizeof places, "%s/a:%s/b", home, home);
}

static void teardown(void) {
  scratch_remove(home);
}

/* A program whose own plugin folder is there and empty: what is listed is what the test put somewhere. */
static const char *program(void) {
  static char path[PATH_MAX];
  mkdir(join(home, "bin"), 0755);
  mkdir(join(home, "lib"), 0755);
  mkdir(join(home, "lib/hf"), 0755);
  snprintf(path, sizeof path, "%s/bin/x", home);
  return path;
}

static hf_runtime *runtime(void) {
  hf_runtime *rt = NULL;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = places, .argv0 = program()};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
  return rt;
}

static void put(const char *folder, const char *plugin, const char *as) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s/%s", home, folder, as);
  file_copy(corpus_file(plugin), path);
}

struct seen {
  char text[8192];
  unsigned rows;
};

static int see(void *arg, const struct hf_plugin_info *i) {
  struct seen *s = arg;
  size_t n = strlen(s->text);
  /* the library's own packs, and what the build tree ships */
  if (i->file ? strstr(i->file, "/lib/hf/plugins/") != NULL : strcmp(i->plugin, "good") != 0) return 0;
  snprintf(s->text + n, sizeof s->text - n, "%u %s %d %s|", i->kind, i->name, i->priority,
           i->refused ? i->refused : "-");
  s->rows++;
  return 0;
}

START_TEST(lists_modules_by_kind_and_name_without_opening_them) {
  put("a", "other", "hf-zz.so");
  put("b", "good", "hf-good.so");
  put("b", "good", "not-a-plugin.so");
  put("b", "good", "hf-Bad.so");
  hf_runtime *rt = runtime();
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_str_eq(s.text, "1 good 7 -|1 other 8 -|3 good 7 -|3 other 8 -|4 good 7 -|4 other 8 -|");
  FILE *f = fopen("/proc/self/maps", "r");
  char line[PATH_MAX];
  while (f && fgets(line, sizeof line, f)) ck_assert_ptr_null(strstr(line, "hf-good.so"));
  if (f) fclose(f);
  hf_runtime_free(rt);
}
END_TEST

START_TEST(best_priority_comes_first) {
  put("a", "good", "hf-good.so");
  put("b", "other", "hf-other.so");
  hf_runtime *rt = runtime();
  struct seen s = {0};
  hf_module_each(rt, HF_KIND_TRANSFER, see, &s);
  ck_assert_str_eq(s.text, "1 other 8 -|1 good 7 -|");
  hf_runtime_free(rt);
}
END_TEST

START_TEST(the_first_folder_wins_and_the_rest_says_why_not) {
  put("a", "good", "hf-good.so");
  put("b", "good", "hf-good.so");
  hf_runtime *rt = runtime();
  struct seen s = {0};
  hf_module_each(rt, HF_KIND_TRANSFER, see, &s);
  ck_assert_uint_eq(s.rows, 1);
  memset(&s, 0, sizeof s);
  hf_plugin_each(rt, see, &s);
  ck_assert_uint_eq(s.rows, 6);
  char want[PATH_MAX + 64];
  snprintf(want, sizeof want, "|1 good 7 is hidden by %s/a/hf-good.so|", home);
  ck_assert_msg(strstr(s.text, want) != NULL, "%s", s.text);
  const char *why = NULL;
  ck_assert_msg(hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why) != NULL, "%s", why);
  hf_runtime_free(rt);
}
END_TEST

static void find_refusal(const char *name, const char *stage, const char *words) {
  if (strcmp(stage, "file") != 0) return;
  char as[128], text[PATH_MAX];
  snprintf(as, sizeof as, "hf-%s.so", name);
  put("a", name, as);
  hf_runtime *rt = runtime();
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_msg(strstr(s.text, words) != NULL, "%s: %s", name, s.text);
  snprintf(text, sizeof text, "%s/a/%s", home, as);
  ck_assert_int_eq(unlink(text), 0);
  hf_runtime_free(rt);
}

START_TEST(refused_files_are_listed_with_the_reason) {
  corpus_each(find_refusal);
}
END_TEST

START_TEST(a_broken_file_hides_nothing) {
  put("a", "bad-export", "hf-good.so");
  put("b", "good", "hf-good.so");
  hf_runtime *rt = runtime();
  const char *why = NULL;
  ck_assert_msg(hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why) != NULL, "%s", why);
  hf_runtime_free(rt);
}
END_TEST

START_TEST(untrusted_folders_and_files_are_listed_and_not_used) {
  put("a", "good", "hf-good.so");
  put("b", "other", "hf-other.so");
  ck_assert_int_eq(chmod(join(home, "a"), 0777), 0);
  ck_assert_int_eq(chmod(join(home, "b/hf-other.so"), 0666), 0);
  hf_runtime *rt = runtime();
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_ptr_nonnull(strstr(s.text, "/a may be written by everybody"));
  ck_assert_ptr_nonnull(strstr(s.text, "hf-other.so may be written by everybody"));
  const char *why = NULL;
  ck_assert_ptr_null(hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why));
  ck_assert_ptr_nonnull(strstr(why, "there is no transfer adapter \"good\""));
  ck_assert_ptr_null(hf_plugin_open(rt, HF_KIND_TRANSFER, "other", &why));
  ck_assert_ptr_nonnull(strstr(why, "may be written by everybody"));
  hf_runtime_free(rt);
}
END_TEST

/* The current folder holds a plugin; no search path leads there. */
START_TEST(never_looks_into_the_current_folder) {
  put("a", "good", "hf-good.so");
  ck_assert_int_eq(chdir(join(home, "a")), 0);
  snprintf(places, sizeof places, ":.:%s/b:", home);
  setenv("HF_PLUGIN_PATH", "../a", 1);
  hf_runtime *rt = runtime();
  const char *why = NULL;
  ck_assert_ptr_null(hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why));
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_ptr_nonnull(strstr(s.text, "\".\" is relative"));
  ck_assert_ptr_nonnull(strstr(s.text, "\"../a\" is relative"));
  hf_runtime_free(rt);
  ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

/* ---- the index ---- */

static const char *index_path(void) {
  return join(home, ".cache/hf/plugins.index");
}

static void fill(unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    char as[32];
    snprintf(as, sizeof as, "hf-p%u.so", i);
    put("a", i % 2 ? "good" : "other", as);
  }
}

static struct seen listing(void) {
  struct seen s = {0};
  hf_runtime *rt = runtime();
  hf_plugin_each(rt, see, &s);
  hf_runtime_free(rt);
  return s;
}

START_TEST(a_warm_index_opens_no_plugin) {
  struct stat st;
  fill(12);
  struct seen cold = listing();
  ck_assert_int_eq(stat(index_path(), &st), 0);
  ck_assert_uint_eq(st.st_mode & 0777, 0600);
  struct seen again = listing();
  ck_assert_str_eq(cold.text, again.text);
  struct hf_index *ix = hf_index_open();
  for (unsigned i = 0; i < 12; i++) {
    char as[32];
    snprintf(as, sizeof as, "a/hf-p%u.so", i);
    ck_assert_int_eq(stat(join(home, as), &st), 0);
    struct hf_file_key key = hf_file_key(&st);
    const struct hf_facts *f = hf_index_find(ix, join(home, as), &key);
    ck_assert_ptr_nonnull(f);
    ck_assert_str_eq(f->plugin, i % 2 ? "good" : "other");
    ck_assert_uint_eq(f->count, 3);
    key.size++;
    ck_assert_ptr_null(hf_index_find(ix, join(home, as), &key));
  }
  hf_index_close(ix);
}
END_TEST

START_TEST(what_the_index_says_is_what_is_listed) {
  fill(9);
  listing();
  /* A note that only the index can have: proof that the file is not read. */
  struct hf_index *ix = hf_index_open();
  struct stat st;
  ck_assert_int_eq(stat(join(home, "a/hf-p0.so"), &st), 0);
  struct hf_file_key key = hf_file_key(&st);
  struct hf_facts f = *hf_index_find(ix, join(home, "a/hf-p0.so"), &key);
  f.modules[0].priority = 4711;
  hf_index_add(ix, join(home, "a/hf-p0.so"), &key, &f);
  hf_index_close(ix);
  struct seen s = listing();
  ck_assert_ptr_nonnull(strstr(s.text, "1 other 4711 -|"));
  hf_runtime *rt = runtime(); /* and what is listed is not what is believed when it is opened */
  const char *why = NULL;
  ck_assert_ptr_null(hf_plugin_open(rt, HF_KIND_TRANSFER, "other", &why));
  ck_assert_ptr_nonnull(strstr(why, "changed after it was listed"));
  hf_runtime_free(rt);
}
END_TEST

START_TEST(a_damaged_index_is_ignored_and_made_anew) {
  fill(9);
  struct seen first = listing();
  unsigned char *d;
  size_t n = file_read(index_path(), &d);
  for (size_t at = 0; at < n; at += at < 200 ? 1 : 97) {
    d[at] ^= 0x55;
    file_write(index_path(), d, n);
    d[at] ^= 0x55;
    struct seen s = listing();
    ck_assert_str_eq(s.text, first.text);
  }
  for (size_t len = 0; len < n; len += 101) {
    file_write(index_path(), d, len);
    struct seen s = listing();
    ck_assert_str_eq(s.text, first.text);
  }
  free(d);
  ck_assert_int_eq(chmod(index_path(), 0666), 0); /* anybody could have written it */
  struct hf_index *ix = hf_index_open();
  struct stat st;
  ck_assert_int_eq(stat(join(home, "a/hf-p0.so"), &st), 0);
  struct hf_file_key key = hf_file_key(&st);
  ck_assert_ptr_null(hf_index_find(ix, join(home, "a/hf-p0.so"), &key));
  hf_index_close(ix);
}
END_TEST

START_TEST(works_without_a_cache_folder) {
  fill(9);
  struct seen first = listing();
  ck_assert_int_eq(unlink(index_path()), 0);
  file_write(join(home, "file"), "x", 1);
  setenv("XDG_CACHE_HOME", join(home, "file"), 1);
  struct seen s = listing();
  ck_assert_str_eq(s.text, first.text);
  unsetenv("XDG_CACHE_HOME");
  unsetenv("HOME");
  ck_assert_uint_eq(listing().rows, first.rows);
}
END_TEST

START_TEST(few_files_leave_no_index) {
  fill(2);
  listing();
  ck_assert_int_ne(access(index_path(), F_OK), 0);
}
END_TEST

/* ---- tasks ---- */

static hf_status say(hf_call *c, void *state, const hf_args *a, hf_out *o) {
  (void)c, (void)state, (void)a;
  return hf_record(o, HF_OUT_TEXT, "\"ours\"", 6);
}
static const struct hf_task our_rows[] = {{.name = "good", .summary = "Ours.", .run = say},
                                          {.name = "group.one", .summary = "Ours.", .run = say}};
static const struct hf_tasks our_pack = {.m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "ours", "ours", HF_THREADS_ANY, 10, 0),
                                         .tasks = HF_TABLE(our_rows)};
static const struct hf_module *const our_modules[] = {&our_pack.m};
static hf_status our_load(const struct hf_host *h, void **state) {
  (void)h;
  *state = NULL;
  return HF_OK;
}
static const struct hf_plugin ours = {.magic = HF_ABI_MAGIC,
                                      .abi_major = HF_ABI_MAJOR,
                                      .abi_print = HF_ABI_PRINT,
                                      .struct_size = sizeof ours,
                                      .name = "ours",
                                      .version = "1",
                                      .license = "Apache-2.0",
                                      .summary = "built in",
                                      .module_count = 1,
                                      .modules = our_modules,
                                      .load = our_load};

static hf_runtime *runtime_with_ours(void) {
  static const struct hf_plugin *const list[] = {&ours, NULL};
  hf_runtime *rt = NULL;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = places, .statics = list, .argv0 = program()};
  ck_assert_int_eq(hf_runtime_new(&o, &rt), HF_OK);
  return rt;
}

START_TEST(a_pack_cannot_replace_a_command) {
  put("a", "good", "hf-good.so"); /* its note says "good", which is a command of ours here */
  put("a", "other", "hf-other.so");
  hf_runtime *rt = runtime_with_ours();
  ck_assert_ptr_eq(hf_task_find(rt, "good"), &our_rows[0]);
  ck_assert_ptr_null(hf_task_find(rt, "good.echo"));
  ck_assert_ptr_nonnull(hf_task_find(rt, "other.say"));
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_ptr_nonnull(strstr(s.text, "4 good 7 would replace the command \"good\"|"));
  ck_assert_ptr_nonnull(strstr(s.text, "1 good 7 -|")); /* its adapter is as welcome as any */
  hf_runtime_free(rt);
}
END_TEST

static int count_row(void *arg, const struct hf_task *t) {
  char *text = arg;
  if (strncmp(t->name, "good", 4) == 0 || strncmp(t->name, "other", 5) == 0 || strncmp(t->name, "group", 5) == 0) {
    strncat(text, t->name, 500 - strlen(text));
    strncat(text, "|", 500 - strlen(text));
  }
  return 0;
}

START_TEST(lists_rows_of_all_packs) {
  put("a", "other", "hf-other.so");
  hf_runtime *rt = runtime_with_ours();
  char text[512] = "";
  hf_task_each(rt, count_row, text);
  ck_assert_str_eq(text, "good|group.one|other.say|");
  ck_assert_ptr_null(hf_task_find(rt, "other.nothing"));
  ck_assert_ptr_null(hf_task_find(rt, "elsewhere"));
  hf_runtime_free(rt);
}
END_TEST

START_TEST(no_plugins_means_none) {
  put("a", "good", "hf-good.so");
  hf_runtime *rt = NULL;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .flags = HF_RT_NO_PLUGINS, .plugin_path = places};
  ck_assert_int_eq(hf_runtime_new(&o, &rt), HF_OK);
  struct seen s = {0};
  hf_plugin_each(rt, see, &s);
  ck_assert_uint_eq(s.rows, 0);
  hf_runtime_free(rt);
}
END_TEST

static int first_row(void *arg, const struct hf_plugin_info *i) {
  snprintf(arg, 256, "%u %s %s", i->kind, i->name, i->rule ? i->rule : "-");
  return 1;
}

START_TEST(reads_one_file_wherever_it_is) {
  hf_runtime *rt = runtime();
  const char *why = NULL;
  char text[PATH_MAX + 64] = "";
  ck_assert_int_eq(hf_plugin_read(rt, corpus_file("good"), first_row, text, &why), HF_OK);
  ck_assert_str_eq(text, "1 good -");
  ck_assert_int_eq(hf_plugin_read(rt, corpus_file("bad-export"), first_row, text, &why), HF_EABI);
  ck_assert_str_eq(text, "1 good abi/one-symbol");
  ck_assert_ptr_nonnull(strstr(why, "second_symbol"));
  ck_assert_int_eq(hf_plugin_read(rt, "/no/such/file", first_row, text, &why), HF_EABI);
  ck_assert_ptr_nonnull(strstr(why, "could not be opened"));
  hf_runtime_free(rt);
}
END_TEST

/* Each allocation fails once: a shorter list or a refusal, never a crash, and the next runtime is whole. */
START_TEST(survives_without_memory) {
  fill(3);
  for (long n = 0; n < 300; n++) {
    hf_runtime *rt = NULL;
    struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = places, .argv0 = program()};
    struct seen s = {0};
    const char *why = NULL;
    hf_mem_fail_after(n, false);
    if (hf_runtime_new(&o, &rt) == HF_OK) {
      hf_plugin_each(rt, see, &s);
      if (!hf_plugin_open(rt, HF_KIND_TRANSFER, "good", &why)) ck_assert_ptr_nonnull(why);
      hf_task_find(rt, "other.say");
    }
    hf_mem_fail_after(-1, false);
    hf_runtime_free(rt);
  }
  ck_assert_uint_eq(listing().rows, 9);
}
END_TEST

int main(void) {
  Suite *s = suite_create("registry");
  TCase *t = tcase_create("registry");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, lists_modules_by_kind_and_name_without_opening_them);
  tcase_add_test(t, best_priority_comes_first);
  tcase_add_test(t, the_first_folder_wins_and_the_rest_says_why_not);
  tcase_add_test(t, refused_files_are_listed_with_the_reason);
  tcase_add_test(t, a_broken_file_hides_nothing);
  tcase_add_test(t, untrusted_folders_and_files_are_listed_and_not_used);
  tcase_add_test(t, never_looks_into_the_current_folder);
  tcase_add_test(t, a_warm_index_opens_no_plugin);
  tcase_add_test(t, what_the_index_says_is_what_is_listed);
  tcase_add_test(t, a_damaged_index_is_ignored_and_made_anew);
  tcase_add_test(t, works_without_a_cache_folder);
  tcase_add_test(t, few_files_leave_no_index);
  tcase_add_test(t, a_pack_cannot_replace_a_command);
  tcase_add_test(t, lists_rows_of_all_packs);
  tcase_add_test(t, no_plugins_means_none);
  tcase_add_test(t, reads_one_file_wherever_it_is);
  tcase_add_test(t, survives_without_memory);
  suite_add_tcase(s, t);
  return run_suite(s);
}
