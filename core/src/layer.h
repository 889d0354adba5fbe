/* layer.h - retry, limit, trace, delay and fault injection over the storage and transfer vtables, without the modules knowing.
 * HF_LAYERS="fault:on=storage,op=writev,nth=3;delay:ms=5" stacks them, outermost first; each store and session gets its own.
 * A layer sees every call twice: before it, where it may wait or fail it, and after it, where it may have it repeated. */
#ifndef HF_LAYER_H
#define HF_LAYER_H
#include "core.h"

struct hf_step {   /* one call into a module */
  const char *op;  /* name of the vtable's member */
  uint64_t bytes;  /* that it moves, 0 otherwise */
  bool repeatable; /* the same call may be made again after a failure */
  uint32_t tries;  /* made so far */
  uint64_t began_ns;
  bool cut, flip; /* asked by a layer: write half of the bytes and fail; damage one bit */
};

/* One kind of layer: a row. spec: "key=value,key=value"; every layer takes on=storage|transfer and op=NAME. */
struct hf_layer_kind {
  const char *name;
  size_t state_size;
  hf_status (*open)(hf_call *, void *state, const char *spec);
  hf_status (*before)(hf_call *, void *state, struct hf_step *);
  bool (*after)(hf_call *, void *state, struct hf_step *, hf_status *); /* true: again; may replace the result */
  void (*close)(void *state);
};
extern const struct hf_layer_kind hf_layer_retry, hf_layer_limit, hf_layer_trace, hf_layer_delay, hf_layer_fault;
bool hf_layer_text(const char *spec, const char *key, char *out, size_t room); /* false: not given, or too long */
double hf_layer_number(const char *spec, const char *key, double deflt);

struct hf_layers;
/* The stack that HF_LAYERS asks for around one kind of module ("storage", "transfer"); *out NULL: none. */
hf_status hf_layers_new(hf_call *, const char *kind, struct hf_layers **out);
void hf_layers_free(struct hf_layers *);
hf_status hf_layers_before(struct hf_layers *, hf_call *, struct hf_step *);
bool hf_layers_after(struct hf_layers *, hf_call *, struct hf_step *, hf_status *);

struct hf_sink *hf_layers_sink(struct hf_layers *, struct hf_sink *raw); /* layer_sink.c; NULL: out of memory */

/* Runs a call through the stack: ST becomes its result. STEP is a struct hf_step, prepared by the caller. */
#define HF_LAYERED(layers_, call_, step_, st_, expr_)       \
  do {                                                      \
    (st_) = hf_layers_before((layers_), (call_), &(step_)); \
    if ((st_) == HF_OK) (st_) = (expr_);                    \
  } while (hf_layers_after((layers_), (call_), &(step_), &(st_)))
#endif
