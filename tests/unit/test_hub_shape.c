/* What the Hub says -> what the reference's data classes hold, as JSON texts: order of fields, dates, absent values, cards.
 * The expected texts are those of the reference for the same answers.
 * No network. */
#include "hub.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;

static void setup(void) {
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

static json_t *parse(const char *text) {
  json_t *j;
  ck_assert_int_eq(hf_hub_parse(call, text, strlen(text), "http://h/", &j), HF_OK);
  return j;
}

static void is(json_t *j, const char *want) {
  char *text = json_dumps(j, JSON_COMPACT);
  ck_assert_str_eq(text, want);
  free(text);
  json_decref(j);
}

static void info(const char *type, const char *answer, const char *want) {
  json_t *raw = parse(answer), *made;
  ck_assert_int_eq(hf_hub_shape_info(call, type, raw, &made), HF_OK);
  json_decref(raw);
  is(made, want);
}

START_TEST(dates) {
  static const char *const rows[][2] = {
      {"2022-08-19T07:19:38.123Z", "2022-08-19T07:19:38.123000+00:00"},
      {"2024-11-16T00:27:02Z", "2024-11-16T00:27:02+00:00"},
      {"2024-11-16T00:27:02.000Z", "2024-11-16T00:27:02+00:00"},
      {"2022-08-19T07:19:38.123456789Z", "2022-08-19T07:19:38.123456+00:00"},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    json_t *j;
    ck_assert_int_eq(hf_hub_shape_date(call, rows[i][0], &j), HF_OK);
    ck_assert_str_eq(json_string_value(j), rows[i][1]);
    json_decref(j);
  }
  static const char *const bad[] = {"", "2022-08-19", "2022-13-19T07:19:38Z", "2022-08-19T07:19:38+02:00",
                                    "2022-08-19T07:19:38.x1Z"};
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    json_t *j;
    ck_assert_int_eq(hf_hub_shape_date(call, bad[i], &j), HF_EPROTO);
    ck_assert_str_eq(hf_call_error(call)->cls, "ValueError");
    hf_call_clear(call);
  }
}
END_TEST

START_TEST(models) {
  info("model",
       "{\"_id\":\"1\",\"downloads\":7,\"id\":\"me/"
       "m\",\"private\":false,\"lastModified\":\"2024-05-02T10:00:00.000Z\",\"config\":{\"a\":null,\"b\":1},"
       "\"safetensors\":{\"total\":5,\"parameters\":{\"F32\":5},\"x\":1},\"usedStorage\":123456789012,\"pipeline_tag\":"
       "null,\"model-index\":null,"
       "\"siblings\":[{\"rfilename\":\"a\",\"lfs\":null},{\"rfilename\":\"b\",\"size\":5,\"blobId\":\"c\",\"lfs\":{"
       "\"size\":5,\"sha256\":\"d\",\"pointerSize\":134}}],"
       "\"inferenceProviderMapping\":{\"groq\":{\"providerId\":\"p\",\"status\":\"live\",\"task\":\"t\"}},\"cardData\":"
       "{}}",
       "{\"id\":\"me/"
       "m\",\"config\":{\"b\":1},\"downloads\":7,\"inference_provider_mapping\":[{\"provider\":\"groq\",\"hf_model_"
       "id\":\"me/m\",\"provider_id\":\"p\","
       "\"status\":\"live\",\"task\":\"t\"}],\"last_modified\":\"2024-05-02T10:00:00+00:00\",\"private\":false,"
       "\"safetensors\":{\"parameters\":{\"F32\":5},\"total\":5},"
       "\"siblings\":[{\"rfilename\":\"a\"},{\"rfilename\":\"b\",\"size\":5,\"blob_id\":\"c\",\"lfs\":{\"size\":5,"
       "\"sha256\":\"d\",\"pointer_size\":134}}],"
       "\"used_storage\":123456789012}");
}
END_TEST

START_TEST(spaces_and_datasets) {
  info("space",
       "{\"id\":\"me/"
       "s\",\"sdk\":\"gradio\",\"runtime\":{\"stage\":\"RUNNING\",\"hardware\":{\"current\":\"cpu\",\"requested\":null}"
       ",\"gcTimeout\":null}}",
       "{\"id\":\"me/"
       "s\",\"runtime\":{\"stage\":\"RUNNING\",\"hardware\":\"cpu\",\"dev_mode\":false,\"raw\":{\"stage\":\"RUNNING\","
       "\"hardware\":{\"current\":\"cpu\"}}},"
       "\"sdk\":\"gradio\"}");
  info("dataset",
       "{\"id\":\"me/d\",\"cardData\":{\"train-eval-index\":[1],\"zz\":1,\"license\":\"mit\"},\"mainSize\":4}",
       "{\"id\":\"me/d\",\"card_data\":{\"license\":\"mit\",\"zz\":1,\"train-eval-index\":[1]},\"main_size\":4}");
}
END_TEST

START_TEST(model_cards) {
  json_t *raw = parse(
      "{\"foo\":null,\"tags\":[\"a\",\"b\",\"a\"],\"license\":\"mit\",\"bar\":{\"x\":null,\"y\":1},\"model-index\":[{"
      "\"name\":\"mm\",\"results\":["
      "{\"task\":{\"type\":\"t\",\"name\":\"T\"},\"dataset\":{\"type\":\"d\",\"name\":\"D\"},\"metrics\":[{\"type\":"
      "\"acc\",\"value\":0.5}]},"
      "{\"task\":{\"type\":\"t\"},\"dataset\":{\"type\":\"d\",\"name\":\"D\"},\"metrics\":[{\"type\":\"f1\",\"value\":"
      "3}]}]}]}");
  is(hf_hub_shape_card("model", raw),
     "{\"license\":\"mit\",\"tags\":[\"a\",\"b\"],\"bar\":{\"y\":1},\"model-index\":[{\"name\":\"mm\",\"results\":[{"
     "\"task\":{\"type\":\"t\",\"name\":\"T\"},"
     "\"dataset\":{\"name\":\"D\",\"type\":\"d\"},\"metrics\":[{\"type\":\"acc\",\"value\":0.5},{\"type\":\"f1\","
     "\"value\":3}]}]}]}");
  json_decref(raw);
  raw = parse("{\"model-index\":[{\"name\":\"x\"}],\"model_name\":\"keep\"}");
  is(hf_hub_shape_card("model", raw), "{\"model_name\":\"keep\"}");
  json_decref(raw);
}
END_TEST

START_TEST(files_folders_commits) {
  json_t *raw = parse(
             "{\"type\":\"file\",\"path\":\"a\",\"size\":1,\"oid\":\"b\",\"lfs\":{\"oid\":\"c\",\"size\":2,"
             "\"pointerSize\":3},\"lastCommit\":{\"id\":\"d\",\"title\":\"t\","
             "\"date\":\"2024-05-01T10:00:00.000Z\"},\"securityFileStatus\":{\"status\":\"safe\",\"avScan\":null,"
             "\"pickleImportScan\":null}}"),
         *made;
  ck_assert_int_eq(hf_hub_shape_entry(call, raw, &made), HF_OK);
  json_decref(raw);
  is(made,
     "{\"path\":\"a\",\"size\":1,\"blob_id\":\"b\",\"lfs\":{\"size\":2,\"sha256\":\"c\",\"pointer_size\":3},\"last_"
     "commit\":{\"oid\":\"d\",\"title\":\"t\",\"date\":"
     "\"2024-05-01T10:00:00+00:00\"},\"security\":{\"safe\":true,\"status\":\"safe\"}}");
  raw = parse("{\"type\":\"directory\",\"path\":\"a\",\"size\":0,\"oid\":\"b\"}");
  ck_assert_int_eq(hf_hub_shape_entry(call, raw, &made), HF_OK);
  json_decref(raw);
  is(made, "{\"path\":\"a\",\"tree_id\":\"b\"}");
  raw = parse(
      "{\"id\":\"c\",\"authors\":[{\"user\":\"me\"}],\"date\":\"2024-05-01T10:00:00.000Z\",\"title\":\"t\",\"message\":"
      "\"m\"}");
  ck_assert_int_eq(hf_hub_shape_commit(call, raw, &made), HF_OK);
  json_decref(raw);
  is(made,
     "{\"commit_id\":\"c\",\"authors\":[\"me\"],\"created_at\":\"2024-05-01T10:00:00+00:00\",\"title\":\"t\","
     "\"message\":\"m\"}");
}
END_TEST

START_TEST(nonsense_is_refused) {
  static const char *const rows[] = {"[]",
                                     "{}",
                                     "7",
                                     "{\"id\":\"x\",\"lastModified\":5}",
                                     "{\"id\":\"x\",\"siblings\":[5]}",
                                     "{\"id\":\"x\",\"safetensors\":{\"total\":1}}"};
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    json_t *raw = parse(rows[i]), *made;
    ck_assert_msg(hf_hub_shape_info(call, "model", raw, &made) == HF_EPROTO, "%s", rows[i]);
    json_decref(raw);
    hf_call_clear(call);
  }
  char deep[200];
  memset(deep, '[', 100);
  memset(deep + 100, ']', 100);
  json_t *j;
  ck_assert_int_eq(hf_hub_parse(call, deep, 200, "u", &j), HF_EPROTO);
  hf_call_clear(call);
  ck_assert_int_eq(hf_hub_parse(call, "{\"a\":", 5, "u", &j), HF_EPROTO);
  hf_call_clear(call);
  ck_assert_int_eq(hf_hub_parse(call, "\"[[[[\\\"[\"", 9, "u", &j), HF_OK);
  json_decref(j);
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub shape");
  TCase *t = tcase_create("shape");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, dates);
  tcase_add_test(t, models);
  tcase_add_test(t, spaces_and_datasets);
  tcase_add_test(t, model_cards);
  tcase_add_test(t, files_folders_commits);
  tcase_add_test(t, nonsense_is_refused);
  suite_add_tcase(s, t);
  return unit_run(s);
}
