/* The file of named tokens: read as Python's configparser reads it, written as it writes it, replaced whole and for its
 * owner alone, changed by one process at a time; damaged files are reported and never spread.
 * Expected rows were made with Python 3.11's configparser. */
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;
static struct hf_hub hub;
static char folder[64], tokens[96], active[96];

static void setup(void) {
  snprintf(folder, sizeof folder, "/tmp/hf-unit-tokens-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(active, sizeof active, "%s/home/token", folder);
  snprintf(tokens, sizeof tokens, "%s/home/stored_tokens", folder);
  ck_assert_int_eq(setenv("HF_TOKEN_PATH", active, 1), 0);
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  ck_assert_int_eq(hf_hub_begin(&hub, call, NULL, NULL, NULL, false), HF_OK);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st, (void)kind, (void)at;
  return remove(path);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

START_TEST(reads_as_python) {
  static const struct {
    const char *text, *json; /* NULL: configparser raises */
  } rows[] = {
      {"", "{}"},
      {"[a]\nhf_token = x\n\n", "{\"a\":{\"hf_token\":\"x\"}}"},
      {"[a]\r\nhf_token = x\r\n", "{\"a\":{\"hf_token\":\"x\"}}"},
      {"[a]\rhf_token=x\r", "{\"a\":{\"hf_token\":\"x\"}}"},
      {"[b]\nK : v = w\n[a]\nk=\n", "{\"b\":{\"k\":\"v = w\"},\"a\":{\"k\":\"\"}}"},
      {"# c\n; d\n[a]\n  # e\nk = v # w\n", "{\"a\":{\"k\":\"v # w\"}}"},
      {"[a]\nk = one\n  two\n\n\tthree\n\n[b]\n", "{\"a\":{\"k\":\"one\\ntwo\\n\\nthree\"},\"b\":{}}"},
      {"[a]\nk = one\n# gone\n  two\n", "{\"a\":{\"k\":\"one\\ntwo\"}}"},
      {"[a]b]\nk = v\n", "{\"a]b\":{\"k\":\"v\"}}"},
      {"[a] tail\nk = %(x)s\n", "{\"a\":{\"k\":\"%(x)s\"}}"},
      {"  [a]\n  k = v\n  l = w\n", "{\"a\":{\"k\":\"v\",\"l\":\"w\"}}"},
      {"[DEFAULT]\nd = 1\n[a]\nk = v\n[b]\nd = 2\n", "{\"a\":{\"d\":\"1\",\"k\":\"v\"},\"b\":{\"d\":\"2\"}}"},
      {"[ a ]\nk\t=\tv\t\n", "{\" a \":{\"k\":\"v\"}}"},
      {"[\xc3\xbc]\nk = \xc3\xa9\n", "{\"\xc3\xbc\":{\"k\":\"\xc3\xa9\"}}"},
      {"k = v\n", NULL},
      {"[]\n", NULL},
      {"[a]\nk\n", NULL},
      {"[a]\n= v\n", NULL},
      {"[a]\nk = 1\nK = 2\n", NULL},
      {"[a]\n[a]\n", NULL},
      {"\xef\xbb\xbf[a]\nk = v\n", NULL},
      {"[a]\nk = \xff\n", NULL},
      {"[\xff]\nk = v\n", NULL},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    size_t line;
    json_t *all = hf_tokens_parse(rows[i].text, strlen(rows[i].text), &line);
    if (!rows[i].json) {
      ck_assert_msg(!all, "row %zu was read", i);
      continue;
    }
    ck_assert_msg(all != NULL, "row %zu was refused at line %zu", i, line);
    char *json = json_dumps(all, JSON_COMPACT);
    ck_assert_str_eq(json, rows[i].json);
    free(json);
    json_decref(all);
  }
}
END_TEST

START_TEST(hostile_bytes) {
  static const char seed[] = "[a]\nhf_token = x\n  more\n[b]\nk : v\n# c\n";
  char text[sizeof seed];
  size_t line;
  for (size_t at = 0; at < sizeof seed - 1; at++)
    for (int byte = 0; byte < 256; byte++) {
      memcpy(text, seed, sizeof seed);
      text[at] = (char)byte;
      json_t *all = hf_tokens_parse(text, sizeof seed - 1, &line);
      size_t len;
      char *out = all ? hf_tokens_print(all, &len) : NULL;
      json_t *again = out ? hf_tokens_parse(out, len, &line) : NULL;
      ck_assert_msg(!all || again, "byte %d at %zu does not come back", byte, at);
      if (again) ck_assert_uint_eq(json_object_size(again), json_object_size(all));
      json_decref(all);
      json_decref(again);
      free(out);
    }
  char *huge = calloc(1, (1u << 20) + 2);
  ck_assert_ptr_nonnull(huge);
  memset(huge, '\n', (1u << 20) + 1);
  ck_assert_ptr_null(hf_tokens_parse(huge, (1u << 20) + 1, &line));
  free(huge);
}
END_TEST

START_TEST(writes_as_python) {
  json_t *all = json_pack("{s:{s:s}, s:{s:s,s:s,s:s}, s:{}}", "zeta", "hf_token", "z", "Alpha", "hf_token", "a",
                          "refresh_token", "two\nlines", "expires_at", "1", "m");
  size_t len;
  char *text = hf_tokens_print(all, &len);
  ck_assert_str_eq(text,
                   "[Alpha]\nhf_token = a\nrefresh_token = two\n\tlines\nexpires_at = 1\n\n[m]\n\n[zeta]\nhf_token = "
                   "z\n\n");
  ck_assert_uint_eq(len, strlen(text));
  free(text);
  json_decref(all);
  ck_assert_str_eq(hf_tokens_name(call, "a]\n[b\x7f"), "a] [b ");
}
END_TEST

static hf_status put(struct hf_hub *h, void *arg, json_t *all) {
  (void)h;
  return json_object_set_new(all, arg, json_pack("{s:s}", "hf_token", arg)) ? HF_ENOMEM : HF_OK;
}

static hf_status leave(struct hf_hub *h, void *arg, json_t *all) {
  (void)h, (void)arg;
  return json_object_clear(all) ? HF_ENOMEM : HF_PENDING;
}

static int mode_of(const char *path) {
  struct stat st;
  ck_assert_int_eq(stat(path, &st), 0);
  return (int)(st.st_mode & 07777);
}

static void read_is(const char *path, const char *want) {
  char text[4096] = "";
  int fd = open(path, O_RDONLY);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_ge((int)read(fd, text, sizeof text - 1), 0);
  close(fd);
  ck_assert_str_eq(text, want);
}

START_TEST(files_and_modes) {
  char home[80], name[] = "me";
  snprintf(home, sizeof home, "%s/home", folder);
  umask(0);
  ck_assert_int_eq(hf_tokens_change(&hub, false, put, name), HF_OK);
  read_is(tokens, "[me]\nhf_token = me\n\n");
  ck_assert_int_eq(mode_of(tokens), 0600);
  ck_assert_int_eq(mode_of(home), 0700);
  ck_assert_int_eq(hf_tokens_change(&hub, false, leave, NULL), HF_OK);
  read_is(tokens, "[me]\nhf_token = me\n\n");
  ck_assert_int_eq(hf_secret_write(call, active, "secret", 6), HF_OK);
  read_is(active, "secret");
  ck_assert_int_eq(mode_of(active), 0600);
  ck_assert_str_eq(hf_token_active(call), "secret");
  /* a file that others could read is closed by the next write; a link stays one */
  char other[80];
  snprintf(other, sizeof other, "%s/elsewhere", folder);
  ck_assert_int_eq(unlink(active), 0);
  ck_assert_int_eq(close(open(other, O_CREAT | O_WRONLY, 0666)), 0);
  ck_assert_int_eq(symlink(other, active), 0);
  ck_assert_int_eq(hf_secret_write(call, active, " new\n", 5), HF_OK);
  read_is(other, " new\n");
  ck_assert_int_eq(mode_of(other), 0600);
  ck_assert_str_eq(hf_token_active(call), "new");
  ck_assert_int_eq(hf_secret_remove(call, active), HF_OK);
  ck_assert_int_eq(hf_secret_remove(call, active), HF_OK);
  ck_assert_ptr_null(hf_token_active(call));
}
END_TEST

START_TEST(no_room_leaves_the_old) {
  char name[] = "me", home[80];
  snprintf(home, sizeof home, "%s/home", folder);
  ck_assert_int_eq(hf_tokens_change(&hub, false, put, name), HF_OK);
  if (geteuid() == 0) return; /* nothing is forbidden to root */
  ck_assert_int_eq(chmod(home, 0500), 0);
  ck_assert_int_eq(hf_secret_write(call, tokens, "x", 1), HF_EPERM);
  hf_host()->clear(call);
  ck_assert_int_eq(chmod(home, 0700), 0);
  read_is(tokens, "[me]\nhf_token = me\n\n");
}
END_TEST

START_TEST(damaged_is_replaced_by_login_only) {
  char name[] = "me";
  json_t *all;
  ck_assert_int_eq(hf_tokens_change(&hub, false, put, name), HF_OK);
  ck_assert_int_eq(hf_secret_write(call, tokens, "no section\n", 11), HF_OK);
  ck_assert_int_eq(hf_tokens_load(&hub, &all), HF_OK);
  ck_assert_uint_eq(json_object_size(all), 0);
  json_decref(all);
  read_is(tokens, "no section\n");
  ck_assert_int_eq(hf_tokens_change(&hub, false, put, name), HF_OK);
  read_is(tokens, "[me]\nhf_token = me\n\n");
}
END_TEST

static void *writer(void *arg) {
  hf_call *c;
  struct hf_hub mine;
  ck_assert_int_eq(hf_call_begin(rt, &c), HF_OK);
  ck_assert_int_eq(hf_hub_begin(&mine, c, NULL, NULL, NULL, false), HF_OK);
  for (int i = 0; i < 20; i++) {
    char name[32];
    snprintf(name, sizeof name, "%s-%02d", (const char *)arg, i);
    ck_assert_int_eq(hf_tokens_change(&mine, i % 2, put, name), HF_OK);
  }
  hf_call_end(c);
  return NULL;
}

START_TEST(nobody_loses_a_token) {
  pthread_t threads[4];
  char names[4][4] = {"a", "b", "c", "d"};
  json_t *all;
  for (size_t i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, writer, names[i]), 0);
  for (size_t i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  ck_assert_int_eq(hf_tokens_load(&hub, &all), HF_OK);
  ck_assert_uint_eq(json_object_size(all), 80);
  json_decref(all);
}
END_TEST

START_TEST(cleaning) {
  ck_assert_str_eq(hf_token_clean(call, " \t hf_\r\nx \n"), "hf_x");
  ck_assert_ptr_null(hf_token_clean(call, " \r\n "));
  ck_assert_ptr_null(hf_token_clean(call, NULL));
}
END_TEST

int main(void) {
  Suite *s = suite_create("tokens");
  TCase *t = tcase_create("tokens");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, reads_as_python);
  tcase_add_test(t, hostile_bytes);
  tcase_add_test(t, writes_as_python);
  tcase_add_test(t, files_and_modes);
  tcase_add_test(t, no_room_leaves_the_old);
  tcase_add_test(t, damaged_is_replaced_by_login_only);
  tcase_add_test(t, nobody_loses_a_token);
  tcase_add_test(t, cleaning);
  suite_add_tcase(s, t);
  return unit_run(s);
}
