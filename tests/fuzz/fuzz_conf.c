/* fuzz_conf.c - what lies in the user's own files: hf.conf, the token, the values of settings.
 * Input: the file.
 * A token that is used holds no control character: it becomes a header. */
#include "config.h"
#include "fuzz.h"
#include "hub.h"

static void pair(void *arg, const char *key, const char *value, unsigned line) {
  struct hf_arena *arena = arg;
  int64_t n;
  FUZZ_CHECK(*key && line && strlen(key) < 160);
  (void)hf_key_find(key);
  (void)hf_value_flag(value);
  (void)hf_value_int(value, &n);
  (void)hf_value_size(value, &n);
  (void)hf_value_path(arena, value);
}

static void complain(void *arg, const char *text) {
  (void)arg;
  FUZZ_CHECK(*text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[512];
  hf_call *c = fuzz_call();
  fuzz_file("hf.conf", data, size);
  snprintf(path, sizeof path, "%s/hf.conf", fuzz_folder());
  (void)hf_conf_read(path, &(struct hf_conf_reader){c->arena, pair, complain});
  fuzz_file("token", data, size);
  struct hf_hub hub;
  const char *token = NULL;
  if (hf_hub_begin(&hub, c, NULL, NULL, "fuzz", false) == HF_OK && hf_hub_token(&hub, &token) == HF_OK && token)
    for (const char *s = token; *s; s++) FUZZ_CHECK((unsigned char)*s >= 0x20 && *s != 0x7f);
  hf_call_end(c);
  return 0;
}
