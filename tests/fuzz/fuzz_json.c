/* fuzz_json.c - what the Hub says as JSON, and what the reference's data classes would hold: repos, files, commits, dates.
 * Input: the text.
 * What was parsed can be written and parsed again; the reader of one member agrees with the parser. */
#include "fuzz.h"
#include "hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const types[] = {"model", "dataset", "space"};
  hf_call *c = fuzz_call();
  json_t *raw = NULL, *out = NULL;
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
