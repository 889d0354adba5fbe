/* test_infer_body.c - templates of request bodies: each row is a template, the arguments of a call, and the body or the
 * complaint; then which hosts may see a token of the Hub, and the URL of a chat.
 * JSON is compared by value, and the order of members where it is said. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "inference/infer.h"

static const char *word(void *arg, const char *name) {
  (void)arg;
  return !strcmp(name, "model")     ? "them/m"
         : !strcmp(name, "version") ? NULL
         : !strcmp(name, "lora")    ? "https://w"
                                    : NULL;
}

static const struct {
  const char *template, *args, *body; /* body NULL: the template is wrong */
} rows[] = {
    {"{model: $model, messages: $.messages, ...}", "{\"messages\":[1],\"n\":2,\"m\":null}",
     "{\"model\":\"them/m\",\"messages\":[1],\"n\":2}"},
    {"{prompt: $.prompt, ..., max_tokens: $.max_new_tokens}", "{\"prompt\":\"p\",\"seed\":1}",
     "{\"prompt\":\"p\",\"seed\":1,\"max_tokens\":null}"},
    {"{prompt: $.prompt, ..., steps?: $.num}", "{\"prompt\":\"p\",\"num\":3}", "{\"prompt\":\"p\",\"steps\":3}"},
    {"{prompt: $.prompt, ..., steps?: $.num}", "{\"prompt\":\"p\"}", "{\"prompt\":\"p\"}"},
    {"{size?: {width: $.width, height: $.height}, ...}", "{\"width\":1,\"height\":2}",
     "{\"size\":{\"width\":1,\"height\":2}}"},
    {"{size?: {width: $.width, height: $.height}, ...}", "{\"width\":1}", "{\"width\":1}"},
    {"{size?: '{width}x{height}', ...}", "{\"width\":1,\"height\":2,\"s\":0.5}", "{\"size\":\"1x2\",\"s\":0.5}"},
    {"{size?: '{width}x{height}', -width, -height, ...}", "{\"width\":1,\"a\":false}", "{\"a\":false}"},
    {"{width: $.width|512, p: $.p|'', q: $.p|$.q|7, ...}", "{\"q\":null}", "{\"width\":512,\"p\":\"\",\"q\":7}"},
    {"{f?: {type: 'json_object', schema: $.f.s.schema}, ...}", "{\"f\":{\"s\":{\"schema\":{\"a\":null}}}}",
     "{\"f\":{\"type\":\"json_object\",\"schema\":{}}}"},
    {"{f?: {type: 'json_object', schema: $.f.s.schema}, ...}", "{\"f\":{\"t\":1}}", "{\"f\":{\"t\":1}}"},
    {"{f?: {s: $.f.s.schema[f.t=json_schema]}, ...}", "{\"f\":{\"t\":\"json_schema\",\"s\":{\"schema\":1}}}",
     "{\"f\":{\"s\":1}}"},
    {"{f?: {s: $.f.s.schema[f.t=json_schema]}, ...}", "{\"f\":{\"t\":\"other\",\"s\":{\"schema\":1}}}",
     "{\"f\":{\"t\":\"other\",\"s\":{\"schema\":1}}}"},
    {"{a: $.b[c=x]|7}", "{\"b\":1}", "{\"a\":7}"},
    {"{a: $.b[c=x}", "{\"b\":1}", NULL},
    {"{a: $.b[c]}", "{\"b\":1}", NULL},
    {"{input: {a: [$.i, {b: $.i}], ...}, version?: $version, loras?: [{path: $lora, scale: 1}]}",
     "{\"i\":\"x\",\"k\":[null]}",
     "{\"input\":{\"a\":[\"x\",{\"b\":\"x\"}],\"k\":[null]},\"loras\":[{\"path\":\"https://w\",\"scale\":1}]}"},
    {"{model: $model, ...}", "{\"model\":\"mine\"}", "{\"model\":\"mine\"}"},
    {"{a: $.a, ...}",
     "{\"a\":[{\"x\":null,\"y\":[{\"z\":null}]}],\"b\":{\"c\":[{\"d\":null,\"e\":1}]},\"f\":[null,{\"g\":2}]}",
     "{\"a\":[{\"y\":[{}]}],\"b\":{\"c\":[{\"e\":1}]},\"f\":[null,{\"g\":2}]}"},
    {"{..., model: $model}", "{\"model\":\"mine\"}", "{\"model\":\"them/m\"}"},
    {"{a: -1.5, b: true, c: null, d: [], e: {}}", "{}", "{\"a\":-1.5,\"b\":true,\"c\":null,\"d\":[],\"e\":{}}"},
    {"{a: }", "{}", NULL},
    {"{a 1}", "{}", NULL},
    {"{a: 1", "{}", NULL},
    {"{a: 'x}", "{}", NULL},
    {"{a: 1} b", "{}", NULL},
    {"{a: $}", "{}", NULL},
    {"{-}", "{}", NULL},
    {"{a: '{b'}", "{}", NULL},
    {"", "{}", NULL},
    {"[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]", "{}", NULL},
};

START_TEST(template_and_arguments_give_the_body) {
  char why[160];
  json_t *args = json_loads(rows[_i].args, 0, NULL), *same = json_deep_copy(args);
  struct inf_body b = {.args = args, .word = word}, shared = {.args = args, .word = word, .share = true};
  json_t *made = inf_body_make(rows[_i].template, &b, why), *again = inf_body_make(rows[_i].template, &shared, why);
  ck_assert(made ? json_equal(made, again) : !again);
  ck_assert(json_equal(args, same));
  json_decref(again);
  json_decref(same);
  if (rows[_i].body) {
    json_t *want = json_loads(rows[_i].body, 0, NULL);
    ck_assert_msg(made != NULL, "%s: %s", rows[_i].template, why);
    char *text = json_dumps(made, JSON_COMPACT);
    ck_assert_msg(json_equal(made, want), "%s gave %s", rows[_i].template, text);
    free(text);
    json_decref(want);
  } else {
    ck_assert_ptr_null(made);
    ck_assert_int_ne(why[0], 0);
  }
  json_decref(made);
  json_decref(args);
}
END_TEST

START_TEST(the_model_comes_first) {
  char why[160];
  json_t *args = json_loads("{\"n\":1,\"messages\":[]}", 0, NULL);
  struct inf_body b = {.args = args, .word = word};
  json_t *made = inf_body_make("{model: $model, messages: $.messages, ...}", &b, why);
  char *text = json_dumps(made, JSON_COMPACT);
  ck_assert_str_eq(text, "{\"model\":\"them/m\",\"messages\":[],\"n\":1}");
  free(text);
  json_decref(made);
  json_decref(args);
}
END_TEST

START_TEST(a_token_goes_to_hugging_face_only) {
  static const char *const yes[] = {"https://huggingface.co/x", "https://router.huggingface.co", "https://HF.co/a",
                                    "https://hf.co:443/", "https://abc.eu-west-1.aws.endpoints.huggingface.cloud/v1"};
  static const char *const no[] = {"http://huggingface.co/",
                                   "https://huggingface.co.evil.example",
                                   "https://evilhuggingface.co/",
                                   "https://huggingface.co@evil.example/",
                                   "https://huggingface.co:444/",
                                   "https://user.hf.space/",
                                   "https://evil.example/huggingface.co",
                                   "https://evil.example\\.huggingface.co/",
                                   "https://endpoints.huggingface.cloud.evil.example/",
                                   "https://evil.example#.huggingface.co",
                                   "https://evil.example?.huggingface.co"};
  for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) ck_assert_msg(inf_hf_host(yes[i]), "%s", yes[i]);
  for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) ck_assert_msg(!inf_hf_host(no[i]), "%s", no[i]);
}
END_TEST

START_TEST(base64_both_ways) {
  static const char *const texts[] = {"", "f", "fo", "foo", "foob"}, *const codes[] = {"", "Zg==", "Zm8=", "Zm9v",
                                                                                       "Zm9vYg=="};
  static const char *const wrong[] = {"A", "Zg=a", "Zm9v!", "Zg===", "ZZZZZ"};
  void *data;
  size_t len;
  for (size_t i = 0; i < 5; i++) {
    char *code = inf_base64(texts[i], strlen(texts[i]));
    ck_assert_str_eq(code, codes[i]);
    ck_assert(inf_unbase64(code, strlen(code), &data, &len));
    ck_assert_uint_eq(len, strlen(texts[i]));
    ck_assert_mem_eq(data, texts[i], len);
    free(data);
    free(code);
    ck_assert_msg(!inf_unbase64(wrong[i], strlen(wrong[i]), &data, &len), "%s", wrong[i]);
  }
}
END_TEST

START_TEST(paths_read_and_put) {
  json_t *j = json_loads("{\"a\":[{\"b\":null,\"c\":1}],\"d\":\"x\"}", 0, NULL);
  ck_assert_int_eq(json_integer_value(inf_at(j, "a.0.c")), 1);
  ck_assert_ptr_null(inf_at(j, "a.1.c"));
  ck_assert_ptr_eq(inf_at(j, ""), j);
  ck_assert_str_eq(json_string_value(inf_first(j, "a.0.b|nothing|d")), "x");
  ck_assert_int_eq(inf_put(j, "e.0.f", json_integer(5)), HF_OK);
  ck_assert_int_eq(json_integer_value(inf_at(j, "e.0.f")), 5);
  ck_assert_int_eq(inf_put(j, "d", NULL), HF_OK);
  ck_assert_ptr_null(inf_at(j, "d"));
  ck_assert_int_ne(inf_put(j, "e.7.f", json_true()), HF_OK); /* no holes */
  json_decref(j);
}
END_TEST

int main(void) {
  Suite *s = suite_create("infer_body");
  TCase *t = tcase_create("infer_body");
  tcase_add_loop_test(t, template_and_arguments_give_the_body, 0, (int)(sizeof rows / sizeof rows[0]));
  tcase_add_test(t, the_model_comes_first);
  tcase_add_test(t, a_token_goes_to_hugging_face_only);
  tcase_add_test(t, base64_both_ways);
  tcase_add_test(t, paths_read_and_put);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
