/* layer_delay.c - "delay:ms=5": every call waits so long before it is made.
 * A cancelled call stops waiting.
 * With op=NAME only that call. */
#include "layer.h"

struct delay {
  uint64_t ms;
};

static hf_status delay_open(hf_call *c, void *state, const char *spec) {
  (void)c;
  double ms = hf_layer_number(spec, "ms", 1);
  ((struct delay *)state)->ms = ms < 3600000 ? (uint64_t)ms : 3600000;
  return HF_OK;
}

static hf_status delay_before(hf_call *c, void *state, struct hf_step *s) {
  (void)s;
  return hf_call_sleep(c, ((struct delay *)state)->ms);
}

const struct hf_layer_kind hf_layer_delay = {
    .name = "delay", .state_size = sizeof(struct delay), .open = delay_open, .before = delay_before};
