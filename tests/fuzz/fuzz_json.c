/* fuzz_json.c - what the Hub says as JSON, and what the reference's data classes would hold: repos, files, commits, dates.
 * Input: the text.
 * Our reader and writer of JSON say what the library's say; what was parsed can be shaped. */
#include "fuzz.h"
#include "hub.h"

static void agree(const char *text, size_t size) {
  json_error_t why;
  size_t len;
  json_t *ours = hf_json_read(text, size, &why),
         *theirs = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
  FUZZ_CHECK(!ours == !theirs && (!ours || json_equal(ours, theirs)));
  char *mine = hf_json_write(theirs, &len), *its = theirs ? json_dumps(theirs, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  FUZZ_CHECK(!mine == !its && (!mine || (strlen(mine) == len && strcmp(mine, its) == 0)));
  free(mine);
  free(its);
  json_decref(ours);
  json_decref(theirs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const types[] = {"model", "dataset", "space"};
  hf_call *c = fuzz_call();
  json_t *raw = NULL, *out = NULL;
  agree((const char *)data, size);
  if (hf_hub_parse(c, (const char *)data, size, "http://a/b", &raw) == HF_OK) {
    for (size_t i = 0; i < HF_COUNT(types); i++) {
      if (hf_hub_shape_info(c, types[i], raw, &out) == HF_OK) json_decref(out);
      json_decref(hf_hub_shape_card(types[i], raw));
    }
    if (hf_hub_shape_entry(c, raw, &out) == HF_OK) json_decref(out);
    if (hf_hub_shape_commit(c, raw, &out) == HF_OK) json_decref(out);
    if (json_is_string(raw) && hf_hub_shape_date(c, json_string_value(raw), &out) == HF_OK) json_decref(out);
    const char *sha = hf_hub_get(raw, "sha");
    if (sha) FUZZ_CHECK(strlen(sha) == json_string_length(json_object_get(raw, "sha")));
    json_decref(raw);
  }
  hf_call_end(c);
  return 0;
}
