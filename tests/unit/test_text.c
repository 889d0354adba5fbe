/* Text: growing up to a stated maximum, JSON strings as json.dumps writes them, secrets taken out.
 * The JSON expectations are what Python's json.dumps prints for the same characters.
 * Redaction is tried on what really shows up in messages: headers, signed URLs, JSON, prose that must stay. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

START_TEST(text_grows_and_stays_terminated) {
  struct hf_text_buf t;
  hf_text_init(&t, 1000);
  ck_assert_str_eq(t.data, "");
  for (int i = 0; i < 100; i++) hf_text_addf(&t, "%02d,", i);
  ck_assert(!t.failed);
  ck_assert_uint_eq(t.len, 300);
  ck_assert_uint_eq(strlen(t.data), 300);
  ck_assert_int_eq(strncmp(t.data, "00,01,02,", 9), 0);
  hf_text_free(&t);
  ck_assert_str_eq(t.data, "");
}
END_TEST

START_TEST(long_formats_are_whole) {
  struct hf_text_buf t;
  char big[1001];
  memset(big, 'x', 1000);
  big[1000] = 0;
  hf_text_init(&t, 4000);
  hf_text_addf(&t, "<%s>", big);
  ck_assert(!t.failed);
  ck_assert_uint_eq(t.len, 1002);
  ck_assert_int_eq(t.data[1001], '>');
  hf_text_free(&t);
}
END_TEST

START_TEST(beyond_the_maximum_the_text_stays_as_it_was) {
  struct hf_text_buf t;
  hf_text_init(&t, 5);
  hf_text_add(&t, "12345", SIZE_MAX);
  ck_assert(!t.failed);
  hf_text_add(&t, "6", 1);
  ck_assert(t.failed);
  ck_assert_str_eq(t.data, "12345");
  hf_text_addf(&t, "%d", 7);
  ck_assert_str_eq(t.data, "12345");
  hf_text_free(&t);
}
END_TEST

START_TEST(without_memory_the_text_stays_valid) {
  struct hf_text_buf t;
  hf_text_init(&t, 1000);
  hf_mem_fail_after(0, false);
  hf_text_add(&t, "abc", SIZE_MAX);
  hf_mem_fail_after(-1, false);
  ck_assert(t.failed);
  ck_assert_str_eq(t.data, "");
  hf_text_free(&t);
}
END_TEST

static const struct {
  const char *in;
  size_t len;
  const char *out;
} json[] = {
    {"plain", SIZE_MAX, "\"plain\""},
    {"a\"b\\c/", SIZE_MAX, "\"a\\\"b\\\\c/\""},
    {"\b\t\n\f\r", SIZE_MAX, "\"\\b\\t\\n\\f\\r\""},
    {"\x01\x1f\x7f", SIZE_MAX, "\"\\u0001\\u001f\\u007f\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\xc3\xa9\xe2\x82\xac", SIZE_MAX, "\"\\u00e9\\u20ac\""},
    {"\xf0\x9f\xa4\x97", SIZE_MAX, "\"\\ud83e\\udd17\""},               /* U+1F917 */
    {"\xf4\x8f\xbf\xbf", SIZE_MAX, "\"\\udbff\\udfff\""},               /* U+10FFFF */
    {"\xff", SIZE_MAX, "\"\\ufffd\""},                                  /* never a byte of UTF-8 */
    {"\xc0\xaf", SIZE_MAX, "\"\\ufffd\\ufffd\""},                       /* overlong */
    {"\xe0\x80\xaf", SIZE_MAX, "\"\\ufffd\\ufffd\\ufffd\""},            /* overlong */
    {"\xed\xa0\x80", SIZE_MAX, "\"\\ufffd\\ufffd\\ufffd\""},            /* surrogate */
    {"\xf4\x90\x80\x80", SIZE_MAX, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* beyond U+10FFFF */
    {"\xe2\x82", SIZE_MAX, "\"\\ufffd\""},                              /* cut */
    {"\xe2\x82x", SIZE_MAX, "\"\\ufffdx\""},
    {"\xf0\x9f\xa4", 2, "\"\\ufffd\""},
};

START_TEST(json_strings_are_those_of_python) {
  struct hf_text_buf t;
  hf_text_init(&t, 1000);
  hf_text_json(&t, json[_i].in, json[_i].len);
  ck_assert(!t.failed);
  ck_assert_str_eq(t.data, json[_i].out);
  hf_text_free(&t);
}
END_TEST

static const struct {
  const char *in, *out;
} redact[] = {
    {"The token hf_abcdefghijklmnop was refused", "The token *** was refused"},
    {"with hf_abcdefghijklmnop, refused", "with hf_***, refused"},
    {"hf_AbCd1234567890XYZ", "hf_***"},
    {"hf_oauth_eyJhbGci.abc-def_1 x", "hf_*** x"},
    {"use hf_transfer or hf_hub_download", "use hf_transfer or hf_hub_download"},
    {"xhf_abcdefghijklmnop", "xhf_abcdefghijklmnop"},
    {"Authorization: Bearer sesame", "Authorization: ***"},
    {"> authorization: Basic dXNlcjpwYXNz\r\nAccept: */*", "> authorization: ***\r\nAccept: */*"},
    {"sent 'Bearer abc.def' to it", "sent 'Bearer ***' to it"},
    {"Bearer x", "Bearer *"},
    {"Token file is missing", "Token file is missing"},
    {"Cookie: a=b; c=d\nHost: x", "Cookie: ***\nHost: x"},
    {"set-cookie: sid=42; Path=/", "set-cookie: ***"},
    {"https://cdn/x?X-Amz-Signature=00ff&X-Amz-Date=1", "https://cdn/x?X-Amz-Signature=***&X-Amz-Date=1"},
    {"https://cdn/x?Expires=1&Signature=ab~c&Key-Pair-Id=K", "https://cdn/x?Expires=1&Signature=***&Key-Pair-Id=K"},
    {"x?Policy=eyJ&sig=1%2B2", "x?Policy=***&sig=***"},
    {"?api_key=s3cr3t end", "?api_key=*** end"},
    {"X-Xet-Access-Token: abcdef", "X-Xet-Access-Token: ***"},
    {"{\"accessToken\": \"abcdef\", \"exp\": 1}", "{\"accessToken\": \"***\", \"exp\": 1}"},
    {"{\"token\":\"abcdef\"}", "{\"token\":\"***\"}"},
    {"password=hunter2, user=me", "password=***, user=me"},
    {"HF_TOKEN=hunter2hunter2", "HF_TOKEN=***"},
    {"http://user:secret@proxy:3128/", "http://***@proxy:3128/"},
    {"https://ab@host/x@y", "https://**@host/x@y"},
    {"https://host/path?mail=a@b.c", "https://host/path?mail=a@b.c"},
    {"the policy: be kind", "the policy: be kind"},
    {"write key = value", "write key = value"},
    {"token: missing", "token: missing"},
    {"", ""},
    {"://@", "://@"},
    {"hf_", "hf_"},
    {"Bearer", "Bearer"},
};

START_TEST(secrets_go_and_prose_stays) {
  char text[200];
  snprintf(text, sizeof text, "%s", redact[_i].in);
  hf_text_redact(text);
  ck_assert_str_eq(text, redact[_i].out);
}
END_TEST

/* Whatever comes in: never longer, and a second time changes nothing that matters to its length. */
START_TEST(what_requests_carried_goes_wherever_it_stands) {
  char text[2048], jwt[700];
  memset(jwt, 'j', sizeof jwt - 1);
  jwt[sizeof jwt - 1] = 0;
  hf_secret_carried("Bearer s3cr3t.of.a.provider");
  hf_secret_carried("s3cr3t.of.a.provider");
  hf_secret_carried("tooshor");
  hf_secret_carried(jwt);
  snprintf(text, sizeof text, "wrong key 's3cr3t.of.a.provider', xs3cr3t.of.a.providery, s3cr3t.of.a, tooshor, %s!",
           jwt);
  hf_text_redact(text);
  ck_assert_str_eq(text, "wrong key '***', x***y, s3cr3t.of.a, tooshor, ***");
  for (int i = 0; i < 40; i++) {
    snprintf(text, sizeof text, "many-of-them-%02d", i);
    hf_secret_carried(text);
    hf_text_redact(text);
    ck_assert_str_eq(text, "***");
  }
}
END_TEST

START_TEST(redaction_never_makes_a_text_longer) {
  static const char *const pieces[] = {"hf_",   "hf_oauth_", "Bearer ", "cookie:", "://", "@",  "=",
                                       "token", "\"",        "'",       "sig=",    " ",   "\n", "a",
                                       "x",     "key",       ":",       "\xff",    "&",   "9"};
  unsigned seed = 7;
  for (int round = 0; round < 20000; round++) {
    char text[256] = "";
    size_t len = 0;
    for (int k = 0; k < 12; k++) {
      seed = seed * 1103515245u + 12345u;
      const char *p = pieces[(seed >> 16) % HF_COUNT(pieces)];
      memcpy(text + len, p, strlen(p) + 1);
      len += strlen(p);
    }
    hf_text_redact(text);
    ck_assert_uint_le(strlen(text), len);
  }
}
END_TEST

int main(void) {
  Suite *s = suite_create("text");
  TCase *t = tcase_create("text");
  tcase_add_test(t, text_grows_and_stays_terminated);
  tcase_add_test(t, long_formats_are_whole);
  tcase_add_test(t, beyond_the_maximum_the_text_stays_as_it_was);
  tcase_add_test(t, without_memory_the_text_stays_valid);
  tcase_add_loop_test(t, json_strings_are_those_of_python, 0, HF_COUNT(json));
  tcase_add_loop_test(t, secrets_go_and_prose_stays, 0, HF_COUNT(redact));
  tcase_add_test(t, what_requests_carried_goes_wherever_it_stands);
  tcase_add_test(t, redaction_never_makes_a_text_longer);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
