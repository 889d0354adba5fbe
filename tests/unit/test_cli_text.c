/* test_cli_text.c - text as the reference spells it: escapes, lengths, wrapping, close matches, JSON and str() of values.
 * Expected texts come from running the reference's own functions on the same input.
 * One table per function. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "pyvalue.h"
#include "unicode.h"
#include "wrap.h"

static char *text;
static size_t text_len;
static FILE *sink(void) {
  free(text);
  text = NULL;
  return open_memstream(&text, &text_len);
}

START_TEST(single_line_and_escapes) {
  static const struct {
    const char *in, *escaped, *single;
  } rows[] = {
      {"plain", "plain", "plain"},
      {" a\tb \n c ", " a\\tb \\n c ", "a b c"},
      {"a\x1b[31mb", "a\\x1b[31mb", "a\\x1b[31mb"},
      {"é\u200bü", "é\\u200bü", "é\\u200bü"},
      {"a\u3000b", "a\\u3000b", "a b"},
      {"\U000e0001", "\\U000e0001", "\\U000e0001"},
      {"\xff\xfe", "\\xff\\xfe", "\\xff\\xfe"},
      {"", "", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    FILE *f = sink();
    cli_write_escaped(f, rows[i].in, strlen(rows[i].in));
    fclose(f);
    ck_assert_str_eq(text, rows[i].escaped);
    f = sink();
    cli_write_single_line(f, rows[i].in, strlen(rows[i].in));
    fclose(f);
    ck_assert_str_eq(text, rows[i].single);
  }
}
END_TEST

START_TEST(repr_quotes) {
  static const char *const rows[][2] = {
      {"a", "'a'"}, {"it's", "\"it's\""}, {"a'b\"c", "'a\\'b\"c'"}, {"\\", "'\\\\'"}, {"\n", "'\\n'"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    FILE *f = sink();
    cli_write_repr(f, rows[i][0], strlen(rows[i][0]));
    fclose(f);
    ck_assert_str_eq(text, rows[i][1]);
  }
}
END_TEST

START_TEST(broken_bytes_have_a_length) {
  ck_assert_uint_eq(cli_utf8_length("aé\xff\xe2\x82", 6), 5);
  ck_assert_uint_eq(cli_utf8_prefix("éé", 4, 1), 2);
  ck_assert_uint_eq(cli_utf8_prefix("é", 2, 9), 2);
  ck_assert_uint_eq(cli_utf8_length("\xed\xa0\x80", 3), 3); /* a surrogate is three broken bytes */
}
END_TEST

START_TEST(floats_are_shortest) {
  static const struct {
    double value;
    const char *text;
  } rows[] = {{1, "1.0"},
              {0, "0.0"},
              {-0.0, "-0.0"},
              {0.1, "0.1"},
              {1e-5, "1e-05"},
              {0.0001, "0.0001"},
              {1e16, "1e+16"},
              {123456.0, "123456.0"},
              {1e15, "1000000000000000.0"},
              {1.5e300, "1.5e+300"},
              {-2.5, "-2.5"},
              {1.0 / 3, "0.3333333333333333"},
              {5e-324, "5e-324"},
              {100, "100.0"},
              {1234.5678, "1234.5678"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    FILE *f = sink();
    cli_write_float(f, rows[i].value);
    fclose(f);
    ck_assert_str_eq(text, rows[i].text);
  }
}
END_TEST

START_TEST(json_and_str) {
  static const char in[] =
      "{\"b\": [1, 2.0, true, null], \"a\": {\"x\": \"\\u00e9\\ud83d\\ude00\\u007f\\n\\\"\"}, \"e\": [], \"o\": {}}";
  json_t *v = json_loads(in, 0, NULL);
  ck_assert_ptr_nonnull(v);
  FILE *f = sink();
  cli_write_json(f, v, 0);
  fclose(f);
  ck_assert_str_eq(text, in);
  f = sink();
  cli_write_json(f, v, 2);
  fclose(f);
  ck_assert_str_eq(text,
                   "{\n  \"b\": [\n    1,\n    2.0,\n    true,\n    null\n  ],\n  \"a\": {\n    \"x\": "
                   "\"\\u00e9\\ud83d\\ude00\\u007f\\n\\\"\"\n  },\n  \"e\": [],\n  \"o\": {}\n}");
  f = sink();
  cli_write_str(f, v);
  fclose(f);
  ck_assert_str_eq(text, "{'b': [1, 2.0, True, None], 'a': {'x': 'é😀\\x7f\\n\"'}, 'e': [], 'o': {}}");
  f = sink();
  cli_write_str(f, json_object_get(json_object_get(v, "a"), "x"));
  fclose(f);
  ck_assert_str_eq(text, "é😀\x7f\n\"");
  json_decref(v);
}
END_TEST

START_TEST(wraps_as_the_reference) {
  static const struct {
    size_t width;
    const char *in, *out;
  } rows[] = {
      {46, "If True, the files will be downloaded even if they are already cached.  [default: no-force-download]",
       "If True, the files will be downloaded even if\nthey are already cached.  [default: no-force-\ndownload]"},
      {20, "see https://huggingface.co/docs/huggingface_hub", "see https://huggingf\nace.co/docs/huggingf\nace_hub"},
      {10, "a  b   c    d", "a  b   c\nd"},
      {30, "one\ntwo\n\n  three four", "one two\n\n  three four"},
      {12, "foo--bar well-known 2-3", "foo--bar\nwell-known\n2-3"},
      {5, "", ""},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct cli_wrap w = {rows[i].width, 0, 0, 0};
    FILE *f = sink();
    cli_wrap_write(f, rows[i].in, &w);
    fclose(f);
    ck_assert_str_eq(text, rows[i].out);
  }
}
END_TEST

START_TEST(close_matches_as_the_reference) {
  static const char *const words[] = {"--search", "--author", "--filter", "--sort",
                                      "--limit",  "--tree",   "--token",  "--help"};
  size_t best[3];
  ck_assert_uint_eq(cli_close_matches("--serch", words, 8, best), 2);
  ck_assert_str_eq(words[best[0]], "--search");
  ck_assert_str_eq(words[best[1]], "--sort");
  ck_assert_uint_eq(cli_close_matches("zzz", words, 8, best), 0);
  static const char *const names[] = {"list", "ls", "info"};
  ck_assert_uint_eq(cli_close_matches("lst", names, 3, best), 2);
  ck_assert_str_eq(names[best[0]], "list");
  ck_assert_double_eq_tol(cli_match_ratio("abcd", "bcde"), 0.75, 1e-9);
}
END_TEST

int main(void) {
  Suite *s = suite_create("cli_text");
  TCase *t = tcase_create("text");
  tcase_add_test(t, single_line_and_escapes);
  tcase_add_test(t, repr_quotes);
  tcase_add_test(t, broken_bytes_have_a_length);
  tcase_add_test(t, floats_are_shortest);
  tcase_add_test(t, json_and_str);
  tcase_add_test(t, wraps_as_the_reference);
  tcase_add_test(t, close_matches_as_the_reference);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  free(text);
  return failed != 0;
}
