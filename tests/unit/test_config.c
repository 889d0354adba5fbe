/* Configuration: the layers and where each value came from, the reference client's parsing rules, hf.conf and its refusals.
 * Every test has an environment and a home folder of its own.
 * Expected values of paths and numbers are what Python's os.path.expanduser, expandvars and int() give. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "unit_runtime.h"

static char home[64];
static hf_runtime *rt;

static void setup(void) {
  for (uint32_t i = 0; i < hf_key_count; i++) {
    const char *list = hf_key_rows[i].env ? hf_key_rows[i].env : hf_key_rows[i].key;
    while (*list) {
      char name[64];
      size_t len = strcspn(list, ",");
      snprintf(name, sizeof name, "%.*s", (int)len, list);
      unsetenv(name);
      list += len + (list[len] == ',');
    }
  }
  snprintf(home, sizeof home, "/tmp/hf-unit-config-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(home));
  setenv("HOME", home, 1);
  rt = NULL;
}

static void teardown(void) {
  char path[128];
  hf_runtime_free(rt);
  snprintf(path, sizeof path, "%s/hf.conf", home);
  unlink(path);
  rmdir(home);
}

static hf_status start(const struct hf_kv *settings, uint32_t flags) {
  uint32_t n = 0;
  while (settings && settings[n].key) n++;
  struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                 .flags = HF_RT_NO_PLUGINS | flags,
                                 .settings = HF_TABLE_N(settings, n),
                                 .log = unit_keep_line};
  unit_log[0] = 0;
  hf_runtime_free(rt);
  return hf_runtime_new(&opts, &rt);
}

static void write_conf(const char *text, mode_t mode) {
  char path[128];
  setenv("HF_HOME", home, 1);
  snprintf(path, sizeof path, "%s/hf.conf", home);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  ck_assert_int_eq(fchmod(fd, mode), 0);
  close(fd);
}

static void is(const char *key, const char *value, const char *origin) {
  struct hf_setting s = hf_config_setting(rt, key);
  ck_assert_msg(value && s.value ? strcmp(value, s.value) == 0 : value == s.value, "%s is %s, not %s", key,
                s.value ? s.value : "unset", value ? value : "unset");
  if (origin) ck_assert_msg(strcmp(origin, s.origin) == 0, "%s comes from %s, not %s", key, s.origin, origin);
}

static const char *in_home(const char *rest) {
  static char text[8][160];
  static unsigned next;
  char *t = text[next++ % 8];
  snprintf(t, sizeof text[0], "%s%s", home, rest);
  return t;
}

START_TEST(defaults_derive_from_home) {
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HOME", in_home("/.cache/huggingface"), "default");
  is("HF_HUB_CACHE", in_home("/.cache/huggingface/hub"), "default");
  is("HF_ASSETS_CACHE", in_home("/.cache/huggingface/assets"), "default");
  is("HF_XET_CACHE", in_home("/.cache/huggingface/xet"), "default");
  is("HF_TOKEN_PATH", in_home("/.cache/huggingface/token"), "default");
  is("HF_STORED_TOKENS_PATH", in_home("/.cache/huggingface/stored_tokens"), "default");
  is("HF_HUB_ETAG_TIMEOUT", "10", "default");
  is("HF_TOKEN", NULL, NULL);
  is("HF_HUB_DISABLE_PROGRESS_BARS", NULL, NULL);
  is("NOT_A_KEY", NULL, NULL);
  ck_assert_int_eq(hf_config_int(rt, "HF_MEMORY", 0), 48 << 20);
  ck_assert_int_eq(hf_config_int(rt, "HF_RATE_DOWN", 7), 7);
  ck_assert_ptr_nonnull(hf_config_get(rt, "HF_ENDPOINT"));
  ck_assert_str_eq(unit_log, "");
}
END_TEST

START_TEST(home_follows_xdg_and_variables_are_expanded) {
  setenv("XDG_CACHE_HOME", "/xdg", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HOME", "/xdg/huggingface", "default");
  setenv("UNIT_WHERE", "deep/er", 1);
  setenv("HF_HOME", "~/$UNIT_WHERE/${UNIT_WHERE}/$UNIT_UNSET/${UNIT_UNSET}/$$x$", 1);
  setenv("HF_TOKEN_PATH", "~/t/tok", 1);
  setenv("HF_XET_CACHE", "~/xet", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HOME", in_home("/deep/er/deep/er/$UNIT_UNSET/${UNIT_UNSET}/$$x$"), "environment HF_HOME");
  is("HF_HUB_CACHE", in_home("/deep/er/deep/er/$UNIT_UNSET/${UNIT_UNSET}/$$x$/hub"), "default");
  is("HF_STORED_TOKENS_PATH", in_home("/t/stored_tokens"), "default");
  is("HF_XET_CACHE", "~/xet", "environment HF_XET_CACHE"); /* the reference does not expand this one */
}
END_TEST

START_TEST(legacy_names_are_weaker) {
  setenv("HUGGINGFACE_HUB_CACHE", "/old", 1);
  setenv("HUGGING_FACE_HUB_TOKEN", "old", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HUB_CACHE", "/old", "environment HUGGINGFACE_HUB_CACHE");
  is("HUGGINGFACE_HUB_CACHE", "/old", NULL);
  ck_assert_str_eq(hf_config_get(rt, "HF_TOKEN"), "old");
  setenv("HF_HUB_CACHE", "/new", 1);
  setenv("HF_TOKEN", " \r\n", 1); /* nothing but blanks: the other one counts */
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HUB_CACHE", "/new", "environment HF_HUB_CACHE");
  ck_assert_str_eq(hf_config_get(rt, "HF_TOKEN"), "old");
  setenv("HF_TOKEN", " ne\r\nw \n", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_str_eq(hf_config_get(rt, "HF_TOKEN"), "new");
}
END_TEST

static const struct {
  const char *text;
  bool on;
} flags[] = {{"1", true},    {"ON", true},  {"on", true},  {"Yes", true},     {"true", true},
             {"TRUE", true}, {"", false},   {"0", false},  {"2", false},      {"y", false},
             {" 1", false},  {"1 ", false}, {"no", false}, {"enabled", false}};

START_TEST(flags_are_true_in_four_words) {
  setenv("HF_HUB_DISABLE_XET", flags[_i].text, 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_int_eq(hf_config_flag(rt, "HF_HUB_DISABLE_XET"), flags[_i].on);
}
END_TEST

static const struct {
  const char *hub, *other;
  bool offline;
} offline[] = {{NULL, NULL, false}, {"1", NULL, true}, {NULL, "1", true},
               {"", "1", true},     {"0", "1", false}, {"1", "0", true}};

START_TEST(offline_falls_through_only_when_empty) {
  if (offline[_i].hub) setenv("HF_HUB_OFFLINE", offline[_i].hub, 1);
  if (offline[_i].other) setenv("TRANSFORMERS_OFFLINE", offline[_i].other, 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_int_eq(hf_config_flag(rt, "HF_HUB_OFFLINE"), offline[_i].offline);
}
END_TEST

START_TEST(any_of_the_telemetry_variables_is_enough) {
  setenv("HF_HUB_DISABLE_TELEMETRY", "0", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_int_eq(hf_config_flag(rt, "HF_HUB_DISABLE_TELEMETRY"), 0);
  is("HF_HUB_DISABLE_TELEMETRY", "0", "environment HF_HUB_DISABLE_TELEMETRY");
  setenv("DO_NOT_TRACK", "yes", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_int_eq(hf_config_flag(rt, "HF_HUB_DISABLE_TELEMETRY"), 1);
  is("HF_HUB_DISABLE_TELEMETRY", "yes", "environment DO_NOT_TRACK");
}
END_TEST

START_TEST(progress_bars_know_unset_from_empty) {
  setenv("HF_HUB_DISABLE_PROGRESS_BARS", "", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HUB_DISABLE_PROGRESS_BARS", "", "environment HF_HUB_DISABLE_PROGRESS_BARS");
  ck_assert_int_eq(hf_config_flag(rt, "HF_HUB_DISABLE_PROGRESS_BARS"), 0);
}
END_TEST

static const struct {
  const char *text;
  const char *value; /* NULL: an error at start */
} numbers[] = {{"30", "30"}, {" 30\n", "30"}, {"+5", "5"},   {"-5", "-5"},  {"1_000", "1000"}, {"0", "10"},
               {"00", "10"}, {"", NULL},      {"ten", NULL}, {"1.5", NULL}, {"1__0", NULL},    {"_1", NULL},
               {"1_", NULL}, {"0x10", NULL},  {"5s", NULL},  {"--5", NULL}, {"+", NULL}};

START_TEST(timeouts_are_whole_numbers) {
  setenv("HF_HUB_DOWNLOAD_TIMEOUT", numbers[_i].text, 1);
  hf_status st = start(NULL, 0);
  if (numbers[_i].value) {
    ck_assert_int_eq(st, HF_OK);
    is("HF_HUB_DOWNLOAD_TIMEOUT", numbers[_i].value, NULL);
  } else {
    ck_assert_int_eq(st, HF_EINVAL);
    ck_assert_ptr_null(rt);
    ck_assert_ptr_nonnull(strstr(hf_runtime_problem(), "HF_HUB_DOWNLOAD_TIMEOUT"));
  }
}
END_TEST

static const struct {
  const char *text;
  int64_t bytes; /* negative: an error */
} sizes[] = {{"65536", 65536},
             {"64k", 65536},
             {"1M", 1048576},
             {"1MiB", 1048576},
             {"1MB", 1000000},
             {"2 GiB", 2147483648},
             {"1T", 1099511627776},
             {"9999999T", INT64_MAX},
             {"5B", 5},
             {"M", -1},
             {"1X", -1},
             {"-1", -1}};

START_TEST(sizes_have_units) {
  setenv("HF_MEMORY", sizes[_i].text, 1);
  hf_status st = start(NULL, 0);
  ck_assert_int_eq(st, sizes[_i].bytes < 0 ? HF_EINVAL : HF_OK);
  if (rt) ck_assert_int_eq(hf_config_int(rt, "HF_MEMORY", 0), sizes[_i].bytes);
}
END_TEST

START_TEST(endpoints_lose_their_slash) {
  setenv("HF_ENDPOINT", "http://localhost:9//", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_ENDPOINT", "http://localhost:9", "environment HF_ENDPOINT");
  is("endpoint", "http://localhost:9", NULL);
}
END_TEST

START_TEST(staging_moves_endpoint_and_token_but_not_the_cache) {
  setenv("HUGGINGFACE_CO_STAGING", "1", 1);
  setenv("HF_ENDPOINT", "http://localhost:9", 1);
  setenv("HF_TOKEN_PATH", "/my/token", 1);
  setenv("HF_STAGING_ENDPOINT", "https://staging.example/", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_ENDPOINT", "https://staging.example", "environment HUGGINGFACE_CO_STAGING");
  is("HF_TOKEN_PATH", in_home("/.cache/huggingface_staging/token"), "environment HUGGINGFACE_CO_STAGING");
  is("HF_STORED_TOKENS_PATH", "/my/stored_tokens", NULL);
  is("HF_HUB_CACHE", in_home("/.cache/huggingface/hub"), "default");
  ck_assert_int_eq(start((struct hf_kv[]){{"HF_ENDPOINT", "http://option"}, {NULL, NULL}}, 0), HF_OK);
  is("HF_ENDPOINT", "http://option", "option");
}
END_TEST

START_TEST(option_beats_environment_beats_file_beats_default) {
  write_conf("# mine\n[hub-cache]\ndir = /x\n", 0600);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_TRANSFER", NULL, NULL);
  write_conf("transfer = basic\nHF_WORKERS = 3\n", 0644);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_TRANSFER", "basic", in_home("/hf.conf:1"));
  is("HF_WORKERS", "3", in_home("/hf.conf:2"));
  setenv("HF_TRANSFER", "multipart", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_TRANSFER", "multipart", "environment HF_TRANSFER");
  ck_assert_int_eq(start((struct hf_kv[]){{"transfer", "xet"}, {NULL, NULL}}, 0), HF_OK);
  is("HF_TRANSFER", "xet", "option");
  unsetenv("HF_TRANSFER");
  ck_assert_int_eq(start(NULL, HF_RT_NO_CONFIG_FILE), HF_OK);
  is("HF_TRANSFER", NULL, NULL);
}
END_TEST

START_TEST(the_file_is_read_with_patience) {
  write_conf(
      "\xef\xbb\xbf; comment\r\n  HF_TRACE  =  /tmp/a b  \r\nHF_STORE=\"memory: \"\nverbosity\n= x\nHF_SPELT = 1\n"
      "[mine]\ndir = 'a=b'\n[ two ]\nsize = 4\n[broken\nHF_TRANSFER = in-section\nHF_HOME = /no\n[two]\nsize = 5",
      0600);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_TRACE", "/tmp/a b", in_home("/hf.conf:2"));
  is("HF_STORE", "memory: ", in_home("/hf.conf:3"));
  is("mine.dir", "a=b", in_home("/hf.conf:8"));
  is("two.size", "5", in_home("/hf.conf:15"));
  is("HF_TRANSFER", NULL, NULL); /* "two.HF_TRANSFER" is another key */
  is("HF_HOME", home, "environment HF_HOME");
  ck_assert_ptr_nonnull(strstr(unit_log, "hf.conf:4: write key = value"));
  ck_assert_ptr_nonnull(strstr(unit_log, "hf.conf:5: write key = value"));
  ck_assert_ptr_nonnull(strstr(unit_log, "hf.conf:6: HF_SPELT is not a known key"));
  ck_assert_ptr_nonnull(strstr(unit_log, "hf.conf:11: write [section]"));
}
END_TEST

START_TEST(a_file_everybody_may_write_is_not_used) {
  write_conf("HF_PROXY = http://evil\n", 0602);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_PROXY", NULL, NULL);
  ck_assert_ptr_nonnull(strstr(unit_log, "1 "));
  ck_assert_ptr_nonnull(strstr(unit_log, "everybody may write"));
}
END_TEST

START_TEST(a_wrong_number_in_the_file_names_its_line) {
  write_conf("\nHF_WORKERS = many\n", 0600);
  ck_assert_int_eq(start(NULL, 0), HF_EINVAL);
  ck_assert_ptr_nonnull(strstr(hf_runtime_problem(), "hf.conf:2"));
  ck_assert_ptr_nonnull(strstr(hf_runtime_problem(), "many"));
}
END_TEST

START_TEST(where_the_file_is_cannot_come_from_it) {
  write_conf("HF_HOME = /elsewhere\n", 0600);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  is("HF_HOME", home, "environment HF_HOME");
  ck_assert_ptr_nonnull(strstr(unit_log, "cannot be set in this file"));
}
END_TEST

START_TEST(module_keys_have_layers_too) {
  static const struct hf_param params[] = {{.name = "dir", .env = "UNIT_MINE_DIR", .deflt = "/default"}};
  struct hf_module m = {.kind = HF_KIND_STORAGE, .name = "mine", .config = HF_TABLE(params)};
  unsetenv("UNIT_MINE_DIR");
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_str_eq(hf_config_module(rt, &m, "dir"), "/default");
  write_conf("[mine]\ndir = /file\n", 0600);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_str_eq(hf_config_module(rt, &m, "dir"), "/file");
  setenv("UNIT_MINE_DIR", "/env", 1);
  ck_assert_str_eq(hf_config_module(rt, &m, "dir"), "/env");
  ck_assert_int_eq(start((struct hf_kv[]){{"mine.dir", "/option"}, {NULL, NULL}}, 0), HF_OK);
  ck_assert_str_eq(hf_config_module(rt, &m, "dir"), "/option");
  ck_assert_ptr_null(hf_config_module(rt, &m, "other"));
}
END_TEST

struct listing {
  int count, stop_at, help;
  bool token, proxy, leak;
};

static int list(void *arg, const char *key, struct hf_setting s) {
  struct listing *l = arg;
  l->count++;
  l->help += s.help != NULL;
  l->token |= strcmp(key, "HF_TOKEN") == 0 && s.value && strcmp(s.value, "<set>") == 0 &&
              strcmp(s.origin, "environment HF_TOKEN") == 0;
  l->proxy |= strcmp(key, "HF_PROXY") == 0 && s.value && strcmp(s.value, "http://***@proxy:1") == 0;
  l->leak |= s.value && strstr(s.value, "sesame") != NULL;
  return l->count == l->stop_at;
}

START_TEST(a_listing_shows_no_secret) {
  struct listing l = {0}, some = {.stop_at = 3};
  setenv("HF_TOKEN", "hf_sesamesesame", 1);
  setenv("HF_PROXY", "http://me:sesame@proxy:1", 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  hf_config_each(rt, list, &l);
  ck_assert_uint_eq((uint32_t)l.count, hf_key_count);
  ck_assert(l.token && l.proxy && !l.leak);
  ck_assert_int_eq(l.help, l.count);
  hf_config_each(rt, list, &some);
  ck_assert_int_eq(some.count, 3);
  ck_assert_str_eq(hf_config_get(rt, "HF_TOKEN"), "hf_sesamesesame");
  is("HF_TOKEN", "<set>", "environment HF_TOKEN");
}
END_TEST

static const struct {
  const char *verbosity, *debug;
  int level;
  bool complains;
} levels[] = {{NULL, NULL, HF_LOG_WARNING, false},     {"debug", NULL, HF_LOG_DEBUG, false},
              {"info", NULL, HF_LOG_INFO, false},      {"error", NULL, HF_LOG_ERROR, false},
              {"critical", NULL, HF_LOG_ERROR, false}, {"INFO", NULL, HF_LOG_WARNING, true},
              {"error", "1", HF_LOG_DEBUG, false}};

START_TEST(levels_come_from_two_variables) {
  if (levels[_i].verbosity) setenv("HF_HUB_VERBOSITY", levels[_i].verbosity, 1);
  if (levels[_i].debug) setenv("HF_DEBUG", levels[_i].debug, 1);
  ck_assert_int_eq(start(NULL, 0), HF_OK);
  ck_assert_int_eq(rt->log_level, levels[_i].level);
  ck_assert_int_eq(strstr(unit_log, "HF_HUB_VERBOSITY") != NULL, levels[_i].complains);
}
END_TEST

START_TEST(old_options_are_shorter) {
  struct hf_runtime_opts opts = {.struct_size = offsetof(struct hf_runtime_opts, settings),
                                 .settings = {(void *)1, 7, 16}}; /* behind the end: must not be looked at */
  ck_assert_int_eq(hf_runtime_new(&opts, &rt), HF_OK);
}
END_TEST

START_TEST(every_failing_allocation_is_survived) {
  write_conf("[mine]\ndir = /file\ntransfer\n", 0600);
  for (long n = 0;; n++) {
    hf_mem_fail_after(n, _i);
    hf_status st = start(NULL, 0);
    hf_mem_fail_after(-1, false);
    if (st == HF_OK) {
      ck_assert_int_ge(n, 10);
      if (_i || n > 400) break;
      continue; /* one that does not matter, such as the log's */
    }
    ck_assert_ptr_null(rt);
    ck_assert_int_eq(st, HF_ENOMEM);
    ck_assert_uint_gt(strlen(hf_runtime_problem()), 10);
  }
}
END_TEST

START_TEST(every_row_is_sound) {
  const struct hf_key_row *row = &hf_key_rows[_i];
  ck_assert_uint_eq(hf_key_find(row->key), (uint32_t)_i);
  if (row->alias) ck_assert_uint_eq(hf_key_find(row->alias), (uint32_t)_i);
  ck_assert_uint_gt(strlen(row->help), 3);
  if (row->kind == HF_KEY_FLAG) ck_assert_ptr_null(row->deflt);
  int64_t n;
  if (row->kind == HF_KEY_INT && row->deflt) ck_assert(hf_value_int(row->deflt, &n) && n);
}
END_TEST

int main(void) {
  Suite *s = suite_create("config");
  TCase *t = tcase_create("config");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, defaults_derive_from_home);
  tcase_add_test(t, home_follows_xdg_and_variables_are_expanded);
  tcase_add_test(t, legacy_names_are_weaker);
  tcase_add_loop_test(t, flags_are_true_in_four_words, 0, HF_COUNT(flags));
  tcase_add_loop_test(t, offline_falls_through_only_when_empty, 0, HF_COUNT(offline));
  tcase_add_test(t, any_of_the_telemetry_variables_is_enough);
  tcase_add_test(t, progress_bars_know_unset_from_empty);
  tcase_add_loop_test(t, timeouts_are_whole_numbers, 0, HF_COUNT(numbers));
  tcase_add_loop_test(t, sizes_have_units, 0, HF_COUNT(sizes));
  tcase_add_test(t, endpoints_lose_their_slash);
  tcase_add_test(t, staging_moves_endpoint_and_token_but_not_the_cache);
  tcase_add_test(t, option_beats_environment_beats_file_beats_default);
  tcase_add_test(t, the_file_is_read_with_patience);
  tcase_add_test(t, a_file_everybody_may_write_is_not_used);
  tcase_add_test(t, a_wrong_number_in_the_file_names_its_line);
  tcase_add_test(t, where_the_file_is_cannot_come_from_it);
  tcase_add_test(t, module_keys_have_layers_too);
  tcase_add_test(t, a_listing_shows_no_secret);
  tcase_add_loop_test(t, levels_come_from_two_variables, 0, HF_COUNT(levels));
  tcase_add_test(t, old_options_are_shorter);
  tcase_add_loop_test(t, every_failing_allocation_is_survived, 0, 2);
  tcase_add_loop_test(t, every_row_is_sound, 0, (int)hf_key_count);
  suite_add_tcase(s, t);
  return unit_run(s);
}
