/* test_cli_out.c - records in, bytes out: each kind in each of the four modes, tables and listings included.
 * Expected bytes are what the reference client prints for the same data.
 * Nothing depends on a terminal; the width comes from COLUMNS. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli_capture.h"

static struct capture seen;
static const struct hf_task plain = {.name = "x", .summary = "X."};

struct step {
  uint32_t what;
  const char *json;
};

static void show(enum cli_mode mode, const struct hf_task *task, bool no_truncate, const struct step *steps) {
  struct cli_out *out = cli_out_new(mode, no_truncate);
  cli_out_task(out, task);
  capture_begin(&seen);
  for (; steps->what; steps++) cli_out_record(out, steps->what, steps->json, strlen(steps->json));
  capture_end(&seen);
  ck_assert_int_eq(cli_out_end(out), 0);
  cli_out_free(out);
}

static void expect(const struct step *steps, const char *const texts[4], const char *const errors[4]) {
  for (int mode = 0; mode < 4; mode++) {
    show((enum cli_mode)mode, &plain, false, steps);
    ck_assert_str_eq(seen.text[0], texts[mode]);
    ck_assert_str_eq(seen.text[1], errors ? errors[mode] : "");
  }
}

START_TEST(results) {
  expect(
      (const struct step[]){{HF_OUT_MESSAGE, "\"Downloaded\""},
                            {HF_OUT_RESULT, "{\"path\": \"/a b\", \"none\": null, \"n\": 1.0, \"l\": [\"x\", true]}"},
                            {0, NULL}},
      (const char *const[]){"\033[32m✓ Downloaded\033[0m\n  path: /a b\n  n: 1.0\n  l: ['x', True]\n",
                            "path=/a b n=1.0 l=['x', True]\n",
                            "{\"path\": \"/a b\", \"none\": null, \"n\": 1.0, \"l\": [\"x\", true]}\n", "/a b\n"},
      NULL);
  expect((const struct step[]){{HF_OUT_MESSAGE, "\"Done\""}, {HF_OUT_RESULT, "{}"}, {0, NULL}},
         (const char *const[]){"\033[32m✓ Done\033[0m\n", "Done\n", "\n", ""}, NULL);
}
END_TEST

START_TEST(dictionaries) {
  const struct step steps[] = {{HF_OUT_DICT, "{\"id\": \"é\", \"n\": [1]}"}, {0, NULL}};
  expect(steps,
         (const char *const[]){"{\n  \"id\": \"\\u00e9\",\n  \"n\": [\n    1\n  ]\n}\n",
                               "{\"id\": \"\\u00e9\", \"n\": [1]}\n", "{\"id\": \"\\u00e9\", \"n\": [1]}\n",
                               "{\"id\": \"\\u00e9\", \"n\": [1]}\n"},
         NULL);
  show(CLI_QUIET, &plain, false,
       (const struct step[]){{HF_OUT_LAYOUT, "{\"id_key\": \"id\"}"}, {HF_OUT_DICT, "{\"id\": \"me/b\"}"}, {0, NULL}});
  ck_assert_str_eq(seen.text[0], "me/b\n");
}
END_TEST

START_TEST(texts_and_lines) {
  expect((const struct step[]){{HF_OUT_TEXT, "\"\\u001b[1mbold\\u001b[0m\""}, {0, NULL}},
         (const char *const[]){"\033[1mbold\033[0m\n", "bold\n", "", ""}, NULL);
  expect((const struct step[]){{HF_OUT_RAW, "\"raw\""}, {HF_OUT_BYTES, "b\nytes"}, {0, NULL}},
         (const char *const[]){"raw\nb\nytes", "raw\nb\nytes", "raw\nb\nytes", "raw\nb\nytes"}, NULL);
  expect(
      (const struct step[]){
          {HF_OUT_HINT, "\"h\""}, {HF_OUT_WARNING, "\"w\\u001b[2J\""}, {HF_OUT_LOG, "\"l\""}, {0, NULL}},
      (const char *const[]){"", "", "", ""},
      (const char *const[]){"\033[90mHint: h\033[0m\n\033[33mWarning: w\\x1b[2J\033[0m\nl\n",
                            "Hint: h\nWarning: w\\x1b[2J\nl\n", "Hint: h\nWarning: w\\x1b[2J\nl\n",
                            "Warning: w\\x1b[2J\nl\n"});
}
END_TEST

#define ITEMS                                                                                                 \
  {HF_OUT_ITEM,                                                                                               \
   "{\"id\": \"me/a\", \"createdAt\": \"2024-05-01T10:00:00+00:00\", \"n\": 5, \"ok\": true, \"t\": [\"x\", " \
   "\"y\"], \"none\": null}"},                                                                                \
      {HF_OUT_ITEM,                                                                                           \
       "{\"id\": \"me/b\\nc\", \"createdAt\": null, \"n\": 1234, \"ok\": false, \"t\": {\"name\": \"joe\"}, " \
       "\"none\": null}"},                                                                                    \
      {HF_OUT_TABLE_END, "{}"}, {                                                                             \
    0, NULL                                                                                                   \
  }

START_TEST(tables) {
  expect((const struct step[]){ITEMS},
         (const char *const[]){
             "ID     CREATED_AT    N OK T   \n------ ---------- ---- -- ----\nme/a   2024-05-01    5 ✔  x, y\nme/b c   "
             "    "
             "     1234    joe \n",
             "id\tcreatedAt\tn\tok\tt\nme/a\t2024-05-01T10:00:00+00:00\t5\tTrue\t['x', 'y']\nme/b "
             "c\tNone\t1234\tFalse\t{'name': 'joe'}\n",
             "[{\"id\": \"me/a\", \"createdAt\": \"2024-05-01T10:00:00+00:00\", \"n\": 5, \"ok\": true, \"t\": [\"x\", "
             "\"y\"], \"none\": null}, {\"id\": \"me/b\\nc\", \"createdAt\": null, \"n\": 1234, \"ok\": false, \"t\": "
             "{\"name\": \"joe\"}, \"none\": null}]\n",
             "me/a\nme/b\\nc\n"},
         NULL);
}
END_TEST

START_TEST(empty_tables) {
  expect((const struct step[]){{HF_OUT_TABLE_END, "{}"}, {0, NULL}},
         (const char *const[]){"No results found.\n", "No results found.\n", "[]\n", ""}, NULL);
}
END_TEST

START_TEST(columns_of_layout_and_row) {
  static const struct hf_column columns[] = {{"name", "author.name"}, {"n", "n"}};
  static const struct hf_task task = {.name = "x", .summary = "X.", .columns = HF_TABLE(columns), .id_key = "n"};
  const struct step steps[] = {
      {HF_OUT_ITEM, "{\"n\": 7, \"author\": {\"name\": \"joe\"}}"}, {HF_OUT_TABLE_END, "{}"}, {0, NULL}};
  show(CLI_AGENT, &task, false, steps);
  ck_assert_str_eq(seen.text[0], "name\tn\njoe\t7\n");
  show(CLI_QUIET, &task, false, steps);
  ck_assert_str_eq(seen.text[0], "7\n");
  show(CLI_HUMAN, &plain, false,
       (const struct step[]){{HF_OUT_LAYOUT,
                              "{\"headers\": [\"size\", \"id\"], \"titles\": {\"id\": \"Name\"}, \"align\": "
                              "{\"size\": \"right\"}}"},
                             {HF_OUT_ITEM, "{\"id\": \"a\", \"size\": \"1.0M\"}"},
                             {HF_OUT_ITEM, "{\"id\": \"bb\", \"size\": \"-\"}"},
                             {HF_OUT_TABLE_END, "{}"},
                             {0, NULL}});
  ck_assert_str_eq(seen.text[0], "SIZE Name\n---- ----\n1.0M a   \n   - bb  \n");
}
END_TEST

START_TEST(wide_tables_are_cut) {
  const struct step steps[] = {
      {HF_OUT_ITEM, "{\"id\": \"abcdefghijklmnopqrstuvwxyz\", \"e\": \"éééééééééééé\", \"n\": 1}"},
      {HF_OUT_TABLE_END, "{}"},
      {0, NULL}};
  setenv("COLUMNS", "24", 1);
  show(CLI_HUMAN, &plain, false, steps);
  ck_assert_str_eq(seen.text[0], "ID         E           N\n---------- ----------- -\nabcdefg... éééééééé... 1\n");
  ck_assert_str_eq(seen.text[1],
                   "\033[90mHint: Use `--no-truncate` or `--format json` to display full values.\033[0m\n");
  show(CLI_HUMAN, &plain, true, steps);
  ck_assert_ptr_nonnull(strstr(seen.text[0], "abcdefghijklmnopqrstuvwxyz éééééééééééé 1\n"));
  ck_assert_str_eq(seen.text[1], "");
  setenv("COLUMNS", "80", 1);
}
END_TEST

#define FILES                                                                                                         \
  {HF_OUT_ITEM, "{\"path\": \"sub\", \"tree_id\": \"t\"}"},                                                           \
      {HF_OUT_ITEM,                                                                                                   \
       "{\"path\": \"sub/a\\u001b.txt\", \"size\": 19, \"last_commit\": {\"date\": \"2024-05-01T10:02:03+00:00\"}}"}, \
      {HF_OUT_ITEM, "{\"path\": \"sub-b\", \"size\": 1500}"}, {HF_OUT_TABLE_END, "{}"}, {                             \
    0, NULL                                                                                                           \
  }

START_TEST(listings) {
  static const char hint[] = "\033[90mHint: Use -R to list files recursively.\033[0m\n";
  static const char bare[] = "Hint: Use -R to list files recursively.\n";
  expect((const struct step[]){{HF_OUT_LAYOUT, "{\"kind\": \"listing\"}"}, FILES},
         (const char *const[]){
             "                                   sub/\n          19  2024-05-01 10:02:03  sub/a\\x1b.txt\n        "
             "1500                       sub-b\n",
             "                                   sub/\n          19  2024-05-01 10:02:03  sub/a\\x1b.txt\n        "
             "1500                       sub-b\n",
             "[\n  {\n    \"path\": \"sub\",\n    \"tree_id\": \"t\"\n  },\n  {\n    \"path\": "
             "\"sub/a\\u001b.txt\",\n    \"size\": 19,\n    \"last_commit\": {\n      \"date\": "
             "\"2024-05-01T10:02:03+00:00\"\n    }\n  },\n  {\n    \"path\": \"sub-b\",\n    \"size\": "
             "1500\n  }\n]\n",
             "sub/\nsub/a\\x1b.txt\nsub-b\n"},
         (const char *const[]){hint, bare, bare, ""});
}
END_TEST

START_TEST(trees) {
  const struct step steps[] = {
      {HF_OUT_LAYOUT, "{\"kind\": \"listing\", \"tree\": true, \"recursive\": true, \"human_readable\": true}"}, FILES};
  show(CLI_HUMAN, &plain, false, steps);
  ck_assert_str_eq(seen.text[0],
                   "                      ├── sub/\n"
                   "  19 B  May 01 10:02  │   └── a\\x1b.txt\n"
                   "1.5 KB    └── sub-b\n");
  show(CLI_QUIET, &plain, false, steps);
  ck_assert_str_eq(seen.text[0], "├── sub/\n│   └── a\\x1b.txt\n└── sub-b\n");
  ck_assert_str_eq(seen.text[1], "");
}
END_TEST

START_TEST(streamed_items_come_at_once) {
  static const struct hf_task task = {.name = "x", .summary = "X.", .flags = HF_TK_STREAMS};
  static const char *const now[] = {"", "id\ta\n1\t2\n3\t4\n", "[{\"id\": 1, \"a\": 2}, {\"id\": 3, \"a\": 4}",
                                    "1\n3\n"};
  static const char *const end[] = {"ID A\n-- -\n 1 2\n 3 4\n", "", "]\n", ""};
  for (int mode = 0; mode < 4; mode++) {
    struct cli_out *out = cli_out_new((enum cli_mode)mode, false);
    cli_out_task(out, &task);
    capture_begin(&seen);
    cli_out_record(out, HF_OUT_ITEM, "{\"id\": 1, \"a\": 2}", 17);
    cli_out_record(out, HF_OUT_ITEM, "{\"id\": 3, \"a\": 4}", 17);
    capture_end(&seen);
    ck_assert_str_eq(seen.text[0], now[mode]);
    capture_begin(&seen);
    cli_out_record(out, HF_OUT_TABLE_END, "{}", 2);
    capture_end(&seen);
    ck_assert_str_eq(seen.text[0], end[mode]);
    cli_out_free(out);
  }
}
END_TEST

START_TEST(empty_listings) {
  expect((const struct step[]){{HF_OUT_LAYOUT, "{\"kind\": \"listing\"}"}, {HF_OUT_TABLE_END, "{}"}, {0, NULL}},
         (const char *const[]){"(empty)\n", "(empty)\n", "", ""}, NULL);
}
END_TEST

START_TEST(no_colour_when_asked) {
  setenv("NO_COLOR", "1", 1);
  show(CLI_HUMAN, &plain, false, (const struct step[]){{HF_OUT_WARNING, "\"w\""}, {0, NULL}});
  ck_assert_str_eq(seen.text[1], "Warning: w\n");
  unsetenv("NO_COLOR");
}
END_TEST

START_TEST(records_that_are_no_json_end_the_operation) {
  struct cli_out *out = cli_out_new(CLI_HUMAN, false);
  cli_out_task(out, &plain);
  ck_assert_int_ne(cli_out_record(out, HF_OUT_ITEM, "{", 1), 0);
  ck_assert_int_ne(cli_out_record(out, HF_OUT_ITEM, "[]", 2), 0);
  ck_assert_int_ne(cli_out_record(out, HF_OUT_TEXT, "{}", 2), 0);
  ck_assert(cli_out_broken(out));
  cli_out_free(out);
  out = cli_out_new(CLI_HUMAN, false);
  ck_assert_int_eq(cli_out_record(out, 99, "{}", 2), 0); /* of a newer library */
  ck_assert(!cli_out_broken(out));
  cli_out_free(out);
}
END_TEST

int main(void) {
  setenv("COLUMNS", "80", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  unsetenv("NO_COLOR");
  Suite *s = suite_create("cli_out");
  TCase *t = tcase_create("out");
  tcase_add_test(t, results);
  tcase_add_test(t, dictionaries);
  tcase_add_test(t, texts_and_lines);
  tcase_add_test(t, tables);
  tcase_add_test(t, empty_tables);
  tcase_add_test(t, columns_of_layout_and_row);
  tcase_add_test(t, wide_tables_are_cut);
  tcase_add_test(t, listings);
  tcase_add_test(t, trees);
  tcase_add_test(t, streamed_items_come_at_once);
  tcase_add_test(t, empty_listings);
  tcase_add_test(t, no_colour_when_asked);
  tcase_add_test(t, records_that_are_no_json_end_the_operation);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
