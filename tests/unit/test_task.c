/* test_task.c - arguments by name (defaults, environment, repeats, numbers, flags), their checks, the reader of JSON
 * arguments against good and hostile texts, and the way of a task from its name to its records.
 */
#include "corpus.h"
#include "registry.h"

static const char *home;
static hf_runtime *rt;
static hf_call *call;
static char said[4096];

static hf_status run_echo(hf_call *c, void *state, const hf_args *a, hf_out *o) {
  const char *s = hf_host()->arg_str(a, "text", 0);
  ck_assert_str_eq(state, "state");
  if (strcmp(s, "again") == 0) return hf_host()->task(c, "t.echo", "{\"text\":\"again\"}", o);
  return hf_host()->record(o, HF_OUT_TEXT, s, SIZE_MAX);
}
static hf_status run_row(hf_call *c, void *state, const struct hf_task *row, const hf_args *a, hf_out *o) {
  (void)c, (void)state, (void)a;
  return hf_host()->record(o, HF_OUT_TEXT, row->routes[0].path, SIZE_MAX);
}
static const struct hf_param params[] = {
    {.name = "text", .type = HF_P_STR, .flags = HF_PF_REQUIRED},
    {.name = "many", .type = HF_P_STR, .flags = HF_PF_REPEAT},
    {.name = "count", .type = HF_P_INT, .deflt = "5", .env = "HF_TEST_COUNT"},
    {.name = "flag", .type = HF_P_BOOL},
    {.name = "rate", .type = HF_P_FLOAT},
    {.name = "kind", .type = HF_P_CHOICE, .choices = "model,dataset"},
    {.name = "data", .type = HF_P_JSON},
    {.name = "key", .type = HF_P_INT, .flags = HF_PF_SECRET},
};
static const struct hf_route route = {.method = "GET", .path = "/api/things"};
static const struct hf_task rows[] = {
    {.name = "t.echo", .summary = "x", .params = HF_TABLE(params), .run = run_echo},
    {.name = "t.row", .summary = "x", .routes = &route, .route_count = 1},
};
static const struct hf_tasks pack = {.m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "t", "t", HF_THREADS_ANY, 1, 0),
                                     .tasks = HF_TABLE(rows),
                                     .run_row = run_row};
static const struct hf_module *const modules[] = {&pack.m};
static hf_status load(const struct hf_host *h, void **state) {
  (void)h;
  *state = "state";
  return HF_OK;
}
static const struct hf_plugin plugin = {.magic = HF_ABI_MAGIC,
                                        .abi_major = HF_ABI_MAJOR,
                                        .abi_print = HF_ABI_PRINT,
                                        .struct_size = sizeof plugin,
                                        .name = "t",
                                        .version = "1",
                                        .license = "Apache-2.0",
                                        .summary = "t",
                                        .module_count = 1,
                                        .modules = modules,
                                        .load = load};

static void setup(void) {
  static const struct hf_plugin *const list[] = {&plugin, NULL};
  home = scratch_new();
  setenv("HOME", home, 1);
  setenv("HF_HOME", home, 1);
  unsetenv("HF_TEST_COUNT");
  struct hf_runtime_opts o = {.struct_size = sizeof o, .statics = list, .argv0 = "/nowhere/bin/x"};
  ck_assert_int_eq(hf_runtime_new(&o, &rt), HF_OK);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  said[0] = 0;
}
static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  scratch_remove(home);
}

static const char *message(void) {
  const struct hf_error *e = hf_host()->error(call);
  return e ? e->message : "no error";
}

static hf_args *read_args(const char *json) {
  hf_args *a = NULL;
  hf_host()->clear(call);
  return hf_args_read(call, &rows[0], json, &a) == HF_OK ? a : NULL;
}

START_TEST(arguments_by_name) {
  hf_args *a = hf_args_new(&rows[0]);
  int64_t n;
  ck_assert_int_eq(hf_args_add(a, "text", "one"), HF_OK);
  ck_assert_int_eq(hf_args_add(a, "text", "two"), HF_OK); /* the last one counts */
  ck_assert_int_eq(hf_args_add(a, "many", "a"), HF_OK);
  ck_assert_int_eq(hf_args_add(a, "many", "b"), HF_OK);
  ck_assert_int_eq(hf_args_add(a, "nothing", "x"), HF_EINVAL);
  ck_assert_str_eq(hf_arg_str(a, "text", 0), "two");
  ck_assert_uint_eq(hf_arg_count(a, "text"), 1);
  ck_assert_uint_eq(hf_arg_count(a, "many"), 2);
  ck_assert_str_eq(hf_arg_str(a, "many", 1), "b");
  ck_assert_ptr_null(hf_arg_str(a, "many", 2));
  ck_assert_ptr_null(hf_arg_str(a, "nothing", 0));
  ck_assert_int_eq(hf_arg_int(a, "count", &n), 1);
  ck_assert_int_eq(n, 5);
  ck_assert_uint_eq(hf_arg_count(a, "count"), 1);
  setenv("HF_TEST_COUNT", "8", 1);
  ck_assert_int_eq(hf_arg_int(a, "count", &n), 1);
  ck_assert_int_eq(n, 8);
  ck_assert_int_eq(hf_args_add(a, "count", "-3"), HF_OK);
  ck_assert_int_eq(hf_arg_int(a, "count", &n), 1);
  ck_assert_int_eq(n, -3);
  n = 9;
  ck_assert_int_eq(hf_arg_int(a, "flag", &n), 0);
  ck_assert_int_eq(n, 0);
  ck_assert_int_eq(hf_args_add(a, "flag", "true"), HF_OK);
  ck_assert_int_eq(hf_arg_int(a, "flag", &n), 1);
  ck_assert_int_eq(n, 1);
  ck_assert_int_eq(hf_args_add(a, "flag", "no"), HF_OK);
  ck_assert_int_eq(hf_arg_int(a, "flag", &n), 1);
  ck_assert_int_eq(n, 0);
  hf_args_free(a);
}
END_TEST

static const struct {
  const char *json, *words;
} checks[] = {
    {"{}", "missing text"},
    {"{\"text\":null}", "missing text"},
    {"{\"text\":\"x\",\"count\":\"1.5\"}", "count: '1.5' is not a valid integer."},
    {"{\"text\":\"x\",\"count\":99999999999999999999}", "not a valid integer"},
    {"{\"text\":\"x\",\"flag\":\"maybe\"}", "flag: 'maybe' is not a valid boolean."},
    {"{\"text\":\"x\",\"rate\":\"fast\"}", "rate: 'fast' is not a valid float."},
    {"{\"text\":\"x\",\"kind\":\"mod\"}", "kind: 'mod' is not one of model,dataset."},
    {"{\"text\":\"x\",\"key\":\"hush\"}", "key: '...' is not a valid integer."},
};

START_TEST(arguments_are_checked_against_their_rows) {
  hf_args *a = read_args(checks[_i].json);
  ck_assert_msg(a != NULL, "%s", message());
  ck_assert_int_eq(hf_args_check(call, a), HF_EINVAL);
  ck_assert_msg(strstr(message(), checks[_i].words) != NULL, "%s", message());
  hf_args_free(a);
}
END_TEST

START_TEST(reads_json_arguments) {
  int64_t n;
  hf_args *a = read_args(
      " { \"text\" : \"a\\\"\\u00e9\\ud83d\\ude00\\n\" , \"many\":[\"x\",1.5e3,true,null,\"y\"],"
      "\"count\":7,\"flag\":false,\"data\":{\"a\":[1,{\"b\":\"}\"}]},\"rate\":-0.5, \"kind\":\"model\"} ");
  ck_assert_msg(a != NULL, "%s", message());
  ck_assert_str_eq(hf_arg_str(a, "text", 0), "a\"\xc3\xa9\xf0\x9f\x98\x80\n");
  ck_assert_uint_eq(hf_arg_count(a, "many"), 4);
  ck_assert_str_eq(hf_arg_str(a, "many", 1), "1.5e3");
  ck_assert_str_eq(hf_arg_str(a, "many", 2), "true");
  ck_assert_str_eq(hf_arg_str(a, "many", 3), "y");
  ck_assert_str_eq(hf_arg_str(a, "data", 0), "{\"a\":[1,{\"b\":\"}\"}]}");
  ck_assert_int_eq(hf_arg_int(a, "count", &n), 1);
  ck_assert_int_eq(n, 7);
  ck_assert_int_eq(hf_args_check(call, a), HF_OK);
  hf_args_free(a);
  a = read_args("{\"text\":\"x\",\"many\":[],\"data\":\"{}\"}");
  ck_assert_uint_eq(hf_arg_count(a, "many"), 0);
  ck_assert_str_eq(hf_arg_str(a, "data", 0), "{}");
  hf_args_free(a);
  for (unsigned i = 0; i < 3; i++) {
    a = read_args(i == 0 ? NULL : i == 1 ? "" : " {} ");
    ck_assert_ptr_nonnull(a);
    hf_args_free(a);
  }
}
END_TEST

static const char *const hostile[] = {
    "{",
    "[]",
    "x",
    "{\"text\"}",
    "{\"text\":}",
    "{\"text\":\"x\"",
    "{\"text\":\"x\",}",
    "{\"text\":\"x\"} x",
    "{\"text\":\"x",
    "{\"text\":\"\\",
    "{\"text\":\"\\q\"}",
    "{\"text\":\"\\u12\"}",
    "{\"text\":\"\\u0000\"}",
    "{\"text\":\"\\ud800\"}",
    "{\"text\":\"\\udc00\"}",
    "{\"text\":\"\\ud800\\u0041\"}",
    "{\"text\":\"a\tb\"}",
    "{\"text\":01}",
    "{\"text\":1.}",
    "{\"text\":-}",
    "{\"text\":1e}",
    "{\"text\":nul}",
    "{\"text\":truex}",
    "{\"text\":{\"a\":1}}",
    "{\"text\":[\"a\"]}",
    "{\"many\":[[\"a\"]]}",
    "{\"many\":[\"a\"",
    "{\"many\":[\"a\",]}",
    "{\"nothing\":1}",
    "{\"data\":{\"a\":]}",
    "{\"data\":[",
    "{\"data\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(refuses_what_is_no_flat_object) {
  ck_assert_msg(read_args(hostile[_i]) == NULL, "accepted: %s", hostile[_i]);
  ck_assert_ptr_nonnull(hf_host()->error(call));
  ck_assert_int_eq(hf_host()->error(call)->code, HF_EINVAL);
}
END_TEST

/* ---- running ---- */

static int32_t on_record(void *arg, uint32_t what, const char *json, size_t len) {
  (void)arg;
  ck_assert_uint_eq(what, HF_OUT_TEXT);
  strncat(said, json, len);
  strncat(said, ";", 2);
  return strstr(json, "stop") != NULL;
}

START_TEST(a_task_runs_by_name) {
  hf_op *op = hf_op_start(rt, "t.echo", "{\"text\":\"hello\"}",
                          &(struct hf_watch){.struct_size = sizeof(struct hf_watch), .record = on_record});
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  ck_assert_str_eq(said, "hello;");
  hf_op_free(op);
}
END_TEST

START_TEST(a_row_without_a_function_goes_to_the_packs_runner) {
  hf_out out = {.call = call, .record = on_record};
  ck_assert_int_eq(hf_task_call(call, "t.row", NULL, &out), HF_OK);
  ck_assert_str_eq(said, "/api/things;");
}
END_TEST

START_TEST(failures_say_what_to_do) {
  hf_out out = {.call = call, .record = on_record};
  ck_assert_int_eq(hf_task_call(call, "t.none", NULL, &out), HF_ENOTFOUND);
  ck_assert_str_eq(message(), "There is no task \"t.none\": `hf commands` shows what there is.");
  hf_host()->clear(call);
  ck_assert_int_eq(hf_task_call(call, "t.echo", "{\"txet\":\"x\"}", &out), HF_EINVAL);
  ck_assert_str_eq(message(), "t.echo has no parameter \"txet\".");
  hf_host()->clear(call);
  ck_assert_int_eq(hf_task_call(call, "t.echo", "{\"text\":\"stop\"}", &out), HF_ECANCELED);
}
END_TEST

START_TEST(tasks_that_call_each_other_end) {
  hf_out out = {.call = call, .record = on_record};
  ck_assert_int_eq(hf_task_call(call, "t.echo", "{\"text\":\"again\"}", &out), HF_EINTERNAL);
  ck_assert_ptr_nonnull(strstr(message(), "call each other without end"));
}
END_TEST

START_TEST(a_pack_in_a_file_runs_like_ours) {
  ck_assert_int_eq(mkdir(join(home, "p"), 0755), 0);
  file_copy(corpus_file("good"), join(home, "p/hf-good.so"));
  hf_runtime *other;
  struct hf_runtime_opts o = {.struct_size = sizeof o, .plugin_path = join(home, "p"), .argv0 = "/nowhere/bin/x"};
  ck_assert_int_eq(hf_runtime_new(&o, &other), HF_OK);
  struct hf_watch w = {.struct_size = sizeof w, .record = on_record};
  hf_op *op = hf_op_start(other, "good.echo", "{\"word\":\"\\\"hi\\\"\",\"times\":2}", &w);
  ck_assert_msg(hf_op_wait(op) == HF_OK, "%s", hf_op_error(op) ? hf_op_error(op)->message : "?");
  ck_assert_str_eq(said, "\"hi\";\"hi\";");
  hf_op_free(op);
  op = hf_op_start(other, "good.echo", "{\"word\":\"x\",\"times\":99}", &w);
  ck_assert_int_eq(hf_op_wait(op), HF_EINVAL);
  ck_assert_str_eq(hf_op_error(op)->message, "99 is too often");
  hf_op_free(op);
  hf_runtime_free(other);
}
END_TEST

int main(void) {
  Suite *s = suite_create("task");
  TCase *t = tcase_create("task");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, arguments_by_name);
  tcase_add_loop_test(t, arguments_are_checked_against_their_rows, 0, (int)HF_COUNT(checks));
  tcase_add_test(t, reads_json_arguments);
  tcase_add_loop_test(t, refuses_what_is_no_flat_object, 0, (int)HF_COUNT(hostile));
  tcase_add_test(t, a_task_runs_by_name);
  tcase_add_test(t, a_row_without_a_function_goes_to_the_packs_runner);
  tcase_add_test(t, failures_say_what_to_do);
  tcase_add_test(t, tasks_that_call_each_other_end);
  tcase_add_test(t, a_pack_in_a_file_runs_like_ours);
  suite_add_tcase(s, t);
  return run_suite(s);
}
