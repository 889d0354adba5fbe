/* layer.c - the stack of layers that HF_LAYERS asks for: making it, and running a call through it.
 * Layers are for tests and for people who look into trouble; without HF_LAYERS none of this runs.
 * The vtables are forwarded in layer_storage.c, layer_sink.c and layer_transfer.c. */
#include "layer.h"

enum { LAYERS_MOST = 8, SPEC_LONGEST = 512 };

static const struct hf_layer_kind *const kinds[] = {&hf_layer_retry, &hf_layer_limit, &hf_layer_trace, &hf_layer_delay,
                                                    &hf_layer_fault};

struct hf_layers {
  uint32_t count;
  struct {
    const struct hf_layer_kind *kind;
    void *state;
    char op[32]; /* "": all */
  } rows[LAYERS_MOST];
};

static hf_status add(hf_call *c, struct hf_layers *l, const char *wanted, const char *text, size_t len) {
  char spec[SPEC_LONGEST], on[16];
  size_t name = 0, k = 0;
  while (name < len && text[name] != ':') name++;
  while (k < HF_COUNT(kinds) && (strlen(kinds[k]->name) != name || strncmp(kinds[k]->name, text, name) != 0)) k++;
  if (k == HF_COUNT(kinds) || len >= sizeof spec || l->count == LAYERS_MOST)
    return hf_call_failf(c, HF_EINVAL, "HF_LAYERS: '%.*s' is no layer: use retry, limit, trace, delay or fault",
                         (int)(len < 100 ? len : 100), text);
  size_t skip = name < len ? name + 1 : name;
  memcpy(spec, text + skip, len - skip);
  spec[len - skip] = 0;
  if (hf_layer_text(spec, "on", on, sizeof on) && strcmp(on, wanted) != 0) return HF_OK;
  if (!hf_layer_text(spec, "op", l->rows[l->count].op, sizeof l->rows[0].op)) l->rows[l->count].op[0] = 0;
  void *state = hf_mem_alloc(kinds[k]->state_size);
  if (!state) return hf_call_failf(c, HF_ENOMEM, "no memory for layer %s", kinds[k]->name);
  hf_status st = kinds[k]->open(c, state, spec);
  if (st != HF_OK) {
    hf_mem_free(state);
    return st;
  }
  l->rows[l->count].kind = kinds[k];
  l->rows[l->count++].state = state;
  return HF_OK;
}

hf_status hf_layers_new(hf_call *c, const char *kind, struct hf_layers **out) {
  const char *text = hf_call_get_option(c, "HF_LAYERS");
  *out = NULL;
  if (!text || !*text) return HF_OK;
  struct hf_layers *l = hf_mem_alloc(sizeof *l);
  if (!l) return hf_call_failf(c, HF_ENOMEM, "no memory for layers");
  hf_status st = HF_OK;
  while (*text && st == HF_OK) {
    size_t n = strcspn(text, ";");
    if (n) st = add(c, l, kind, text, n);
    text += n + (text[n] == ';');
  }
  if (st == HF_OK && l->count) {
    *out = l;
    return HF_OK;
  }
  hf_layers_free(l);
  return st;
}

void hf_layers_free(struct hf_layers *l) {
  if (!l) return;
  for (uint32_t i = 0; i < l->count; i++) {
    if (l->rows[i].kind->close) l->rows[i].kind->close(l->rows[i].state);
    hf_mem_free(l->rows[i].state);
  }
  hf_mem_free(l);
}

static bool concerns(const struct hf_layers *l, uint32_t i, const struct hf_step *s) {
  return l->rows[i].op[0] == 0 || strcmp(l->rows[i].op, s->op) == 0;
}

hf_status hf_layers_before(struct hf_layers *l, hf_call *c, struct hf_step *s) {
  s->tries++;
  s->began_ns = hf_now_ns();
  s->cut = s->flip = false;
  for (uint32_t i = 0; i < l->count; i++)
    if (l->rows[i].kind->before && concerns(l, i, s)) TRY(l->rows[i].kind->before(c, l->rows[i].state, s));
  return HF_OK;
}

bool hf_layers_after(struct hf_layers *l, hf_call *c, struct hf_step *s, hf_status *st) {
  bool again = false;
  for (uint32_t i = l->count; i-- > 0 && !again;)
    if (l->rows[i].kind->after && concerns(l, i, s)) again = l->rows[i].kind->after(c, l->rows[i].state, s, st);
  return again;
}
