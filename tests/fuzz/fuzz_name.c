/* fuzz_name.c - names: repo ids, paths, etags, revisions, hf:// addresses, patterns.
 * Input: a name, or two lines pattern and name.
 * A path that is accepted stays below its folder; an etag that is accepted is one harmless word. */
#include "fuzz.h"
#include "hub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const types[] = {"model", "dataset", "space", "kernel"};
  char *text = fuzz_text(data, size), *rest = text;
  hf_call *c = fuzz_call();
  struct hf_hub_uri uri;
  if (hf_path_check(c, text) == HF_OK) {
    FUZZ_CHECK(text[0] != '/' && text[0] && text[strlen(text) - 1] != '/');
    for (const char *p = text; (p = strstr(p, "..")) != NULL; p++)
      FUZZ_CHECK((p > text && p[-1] != '/' && p[-1] != '\\') || (p[2] && p[2] != '/' && p[2] != '\\'));
  }
  if (hf_etag_check(c, text) == HF_OK) FUZZ_CHECK(!strpbrk(text, "/\\\"") && text[0] != '.' && strlen(text) <= 200);
  if (hf_ref_check(c, text) == HF_OK) FUZZ_CHECK(text[0] != '/' && strcmp(text, ".."));
  if (hf_commit_check(c, text) == HF_OK) FUZZ_CHECK(strlen(text) == 40);
  for (size_t i = 0; i < HF_COUNT(types); i++) {
    struct hf_repo repo = {types[i], text};
    if (hf_repo_check(c, &repo) == HF_OK) FUZZ_CHECK(!strstr(text, "..") && text[0] != '/' && text[0] != '.');
  }
  (void)hf_hub_parse_uri(c, text, &uri);
  struct hf_digest d;
  hf_hub_digest(text, &d);
  const char *pattern = fuzz_line(&rest), *name = fuzz_line(&rest);
  if (pattern && name) {
    struct hf_hub_patterns p = {.allow = &pattern, .allow_count = 1};
    (void)hf_hub_wanted(c, &p, name);
  }
  hf_call_end(c);
  free(text);
  return 0;
}
