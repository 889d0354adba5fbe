/* layer_retry.c - "retry:tries=4": makes a failed call again when its error says that it may succeed later, with the host's
 * backoff in between. Calls that must not be made twice (seal, publish) are left alone.
 * For modules that do not go through http(), which retries by itself. */
#include "layer.h"

struct retry {
  uint32_t tries;
};

static hf_status retry_open(hf_call *c, void *state, const char *spec) {
  (void)c;
  ((struct retry *)state)->tries = (uint32_t)hf_layer_number(spec, "tries", 4);
  return HF_OK;
}

static bool retry_after(hf_call *c, void *state, struct hf_step *s, hf_status *st) {
  const struct hf_error *e = *st < 0 ? hf_call_error(c) : NULL;
  if (!e || !e->retryable || !s->repeatable || s->tries >= ((struct retry *)state)->tries) return false;
  uint32_t wish = e->retry_after_ms;
  if (hf_call_check(c) != HF_OK) return false;
  hf_call_clear(c);
  *st = hf_backoff(c, s->tries, wish);
  return *st == HF_OK;
}

const struct hf_layer_kind hf_layer_retry = {
    .name = "retry", .state_size = sizeof(struct retry), .open = retry_open, .after = retry_after};
