/* test_json_text.c - JSON read and written by json_text.c is what the JSON library reads and writes: the same values or a refusal
 * too, the same text to the byte. Documents by hand for every kind of token and for what is nearly one, cut at every byte,
 * with every byte replaced. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"

static const char *const documents[] = {
    "{\"id\":\"1\",\"choices\":[{\"index\":0,\"message\":{\"content\":\"Rh\xc3\xb4ne\"}}],\"n\":1}",
    " [ 1 , -2 ,\t0, -0,\n3.5,-1e3,1E-3,2e+10,0.1,1e308,123456789012345678,-9223372036854775808 ] ",
    "[9223372036854775807,9223372036854775808,1e400,01,1.,.5,1e,+1,-,0x1,1e5.5]",
    "[true,false,null,tru,nul,True,truefalse]",
    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00\\u0001\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\uDC00\\uD800\"",
    "\"\\x\"",
    "{\"a\":1,\"a\":2,\"\":{},\"b\":[],\"\\u0063\":3,\"\xc3\xa9\":4,\"a b\":5}",
    " { \"id\" : \"a\\n\\\"\\\\\" ,\n\"o\":{ \"x\":[ 1, -20,{} ,[ ] ],\"y\" : null}} \t",
    "{\"t\":true,\"f\":false,\"\":\"\x7f\",\"s\":\"\\/\"}",
    "{\"a\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xc2\x80\",\"b\":-0,\"c\":0}",
    "{\"a\":\"\xf4\x90\x80\x80\"}",
    "{\"a\":\"\xe0\x80\x80\"}",
    "{\"a\":\"\xf0\x80\x80\x80\"}",
    "{\"a\":\"\xc1\x80\"}",
    "{\"a\":\"\xed\xb0\x80\"}",
    "{\"a\":{\"b\":1,\"c\":2,\"b\":3}}",
    "{\"a\" 1}",
    "{\"a\":}",
    "{1:2}",
    "[1,]",
    "[1 2]",
    "",
    "  ",
    "7",
    "\"x\"y",
    "\xef\xbb\xbf{}",
    "\"\x80\xff\"",
    "\"\xed\xa0\x80\"",
    "\"tab\tin it\"",
    "{}{}",
    "[0.30000000000000004,1e-7,1e22,1e21,123456789.123,5e-324,100000000000000000000.0,1.5e-10,-0.0]",
};

static bool no_capitals(const char *name, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (name[i] >= 'A' && name[i] <= 'Z') return false;
  return true;
}

/* What is made compact without being read is what reading and writing makes of it; what cannot be read is not. */
static void compact_as_written(const char *text, size_t len, const json_t *value, const char *written) {
  size_t n;
  char *compact = hf_json_compact(text, len, no_capitals, &n);
  if (!compact) return;
  ck_assert_msg(json_is_object(value), "%.*s is no object", (int)len, text);
  ck_assert_str_eq(compact, written);
  ck_assert_uint_eq(n, strlen(written));
  free(compact);
}

static void same_as_the_library(const char *text, size_t len) {
  char *copy = malloc(len + !len); /* reading past its end is found */
  memcpy(copy, text, len);
  json_error_t why;
  json_t *ours = hf_json_read(copy, len, &why), *theirs = json_loadb(copy, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
  ck_assert_msg(!ours == !theirs, "%.*s: one reads it, the other does not", (int)len, text);
  if (ours) {
    char *mine = json_dumps(ours, JSON_ENCODE_ANY | JSON_COMPACT),
         *right = json_dumps(theirs, JSON_ENCODE_ANY | JSON_COMPACT);
    size_t n;
    char *written = hf_json_write(theirs, &n);
    ck_assert_str_eq(mine, right);
    ck_assert(json_equal(ours, theirs));
    ck_assert_str_eq(written, right);
    ck_assert_uint_eq(n, strlen(right));
    compact_as_written(copy, len, theirs, right);
    json_t *copied = hf_json_copy(theirs);
    ck_assert(json_equal(copied, theirs) && (copied != theirs || !(json_is_object(theirs) || json_is_array(theirs))));
    json_decref(copied);
    free(mine);
    free(right);
    free(written);
  } else {
    ck_assert_str_ne(why.text, "");
    compact_as_written(copy, len, NULL, "");
  }
  json_decref(ours);
  json_decref(theirs);
  free(copy);
}

START_TEST(documents_are_read_and_written_alike) {
  static const char replacements[] = {'"', '\\', '0', '-', '.', 'e', ',', ':', '{', ']', ' ', '\n', 0, 'u', (char)0xc3};
  const char *text = documents[_i];
  size_t len = strlen(text);
  same_as_the_library(text, len);
  for (size_t i = 0; i < len; i++) {
    char *changed = strdup(text);
    same_as_the_library(text, i);
    for (size_t k = 0; k < sizeof replacements; k++) {
      changed[i] = replacements[k];
      same_as_the_library(changed, len);
    }
    free(changed);
  }
}
END_TEST

START_TEST(plain_objects_are_made_compact) {
  static const char *const rows[][2] = {
      {" { \"a\" : [ 1 , -2 ,\"x\\n\xc3\xa9\" ] ,\r\n\"b\" : { \"c\" : null , \"d\":true,\"e\":false } } ",
       "{\"a\":[1,-2,\"x\\n\xc3\xa9\"],\"b\":{\"c\":null,\"d\":true,\"e\":false}}"},
      {"{}", "{}"},
      {"{\"A\":1}", NULL},
      {"{\"a\":{\"bC\":1}}", NULL},
      {"{\"a\":1.5}", NULL},
      {"{\"a\":\"\\u0041\"}", NULL},
      {"[1]", NULL},
      {"7", NULL},
  };
  size_t n;
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    char *made = hf_json_compact(rows[i][0], strlen(rows[i][0]), no_capitals, &n);
    ck_assert_msg(!made == !rows[i][1], "%s", rows[i][0]);
    if (made) ck_assert_str_eq(made, rows[i][1]);
    free(made);
  }
}
END_TEST

START_TEST(depth_and_length_are_no_matter) {
  enum { DEPTH = 1500, LONG = 20000 };
  char *text = malloc(LONG * 2 + 3);
  memset(text, '[', DEPTH);
  memset(text + DEPTH, ']', DEPTH);
  same_as_the_library(text, 2 * DEPTH);
  same_as_the_library(text, 2 * DEPTH - 1);
  text[0] = text[LONG + 1] = '"';
  memset(text + 1, 'x', LONG);
  same_as_the_library(text, LONG + 2);
  for (size_t i = 0; i < LONG; i += 2) text[i + 1] = '\\', text[i + 2] = 'n';
  same_as_the_library(text, LONG + 2);
  free(text);
}
END_TEST

int main(void) {
  Suite *s = suite_create("json_text");
  TCase *t = tcase_create("text");
  tcase_add_loop_test(t, documents_are_read_and_written_alike, 0, (int)HF_COUNT(documents));
  tcase_add_test(t, plain_objects_are_made_compact);
  tcase_add_test(t, depth_and_length_are_no_matter);
  tcase_set_timeout(t, 120);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? 1 : 0;
}
