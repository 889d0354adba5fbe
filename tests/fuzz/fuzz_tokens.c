/* fuzz_tokens.c - the file of all tokens by name, as another program or a person left it.
 * Input: the file. It is read as text and as what signs a call in.
 * What is read and can be written at all is the same after writing and reading it; a bad line has a number within the file. */
#include "auth.h"
#include "fuzz.h"

/* Can a reader have it back? Names and values of other programs may hold what the form cannot. */
static bool plain(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f || strchr("[]#;=:", *s)) return false;
  return true;
}

static bool writable(const json_t *all) {
  const char *name, *key;
  json_t *section, *value;
  json_object_foreach((json_t *)(uintptr_t)all, name, section) {
    FUZZ_CHECK(json_is_object(section) && *name);
    if (!plain(name) || name[0] == ' ' || name[strlen(name) - 1] == ' ') return false;
    json_object_foreach(section, key, value) {
      FUZZ_CHECK(json_is_string(value) && *key);
      const char *text = json_string_value(value);
      if (!plain(key) || !plain(text) || strlen(text) != json_string_length(value)) return false;
    }
  }
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t line = 0, len = 0, lines = 1;
  char *text = fuzz_text(data, size);
  for (size_t i = 0; i < size; i++) lines += text[i] == '\n' || text[i] == '\r';
  json_t *all = hf_tokens_parse(text, size, &line);
  FUZZ_CHECK(line <= lines);
  if (all) {
    char *again = hf_tokens_print(all, &len);
    FUZZ_CHECK(again && strlen(again) == len);
    if (writable(all)) {
      json_t *back = hf_tokens_parse(again, len, &line);
      FUZZ_CHECK(back && json_equal(all, back));
      json_decref(back);
    }
    free(again);
    json_decref(all);
  }
  hf_call *c = fuzz_call();
  struct hf_hub hub;
  fuzz_file("stored_tokens", data, size);
  if (hf_hub_begin(&hub, c, NULL, NULL, "fuzz", false) == HF_OK) {
    json_t *loaded = NULL;
    if (hf_tokens_load(&hub, &loaded) == HF_OK)
      json_decref(loaded);
    else
      FUZZ_CHECK(hf_call_error(c) && hf_call_error(c)->message[0]);
  }
  hf_call_end(c);
  free(text);
  return 0;
}
