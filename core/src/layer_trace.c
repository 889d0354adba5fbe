/* layer_trace.c - "trace": one log line per call into the module: name, bytes, milliseconds, result.
 * "trace:level=2" logs them as information instead of debugging.
 * Requests have their own trace (HF_TRACE). */
#include "layer.h"

struct trace {
  int32_t level;
};

static hf_status trace_open(hf_call *c, void *state, const char *spec) {
  (void)c;
  double level = hf_layer_number(spec, "level", HF_LOG_DEBUG);
  ((struct trace *)state)->level = level <= HF_LOG_DEBUG ? (int32_t)level : HF_LOG_DEBUG;
  return HF_OK;
}

static bool trace_after(hf_call *c, void *state, struct hf_step *s, hf_status *st) {
  hf_call_log(c, ((struct trace *)state)->level, "%s.%s %llu bytes %.3f ms %s", c->module ? c->module->name : "?",
              s->op, (unsigned long long)s->bytes, (double)(hf_now_ns() - s->began_ns) / 1e6, hf_status_name(*st));
  return false;
}

const struct hf_layer_kind hf_layer_trace = {
    .name = "trace", .state_size = sizeof(struct trace), .open = trace_open, .after = trace_after};
