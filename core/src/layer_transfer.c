/* layer_transfer.c - an open transfer session behind layers.
 * run() may be repeated: the sink knows what is still missing.
 * The session is wrapped after its own open(). */
#include "layer.h"

struct layered {
  struct hf_transfer tr; /* the layered vtable; first */
  const struct hf_transfer *inner;
  void *session;
  struct hf_layers *layers;
};

static hf_status layered_run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct layered *l = session;
  struct hf_step step = {.op = "run", .bytes = file->size == HF_SIZE_UNKNOWN ? 0 : file->size, .repeatable = true};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->inner->run(c, l->session, file));
  return st;
}

static hf_status layered_finish(hf_call *c, void *session) {
  struct layered *l = session;
  struct hf_step step = {.op = "finish"};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->inner->finish(c, l->session));
  return st;
}

static void layered_close(void *session) {
  struct layered *l = session;
  l->inner->close(l->session);
  hf_layers_free(l->layers);
  hf_mem_free(l);
}

hf_status hf_layers_around_session(hf_call *c, const struct hf_transfer **tr, void **session) {
  struct hf_layers *layers;
  TRY(hf_layers_new(c, "transfer", &layers));
  if (!layers) return HF_OK;
  struct layered *l = hf_mem_alloc(sizeof *l);
  if (!l) {
    hf_layers_free(layers);
    return hf_call_failf(c, HF_ENOMEM, "no memory for layers");
  }
  *l = (struct layered){.tr = **tr, .inner = *tr, .session = *session, .layers = layers};
  l->tr.run = layered_run;
  l->tr.finish = layered_finish;
  l->tr.close = layered_close;
  *tr = &l->tr;
  *session = l;
  return HF_OK;
}
