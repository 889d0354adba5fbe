/* layer_fault.c - "fault:op=writev,nth=3,code=HF_EIO" or "fault:seed=7,rate=0.01": fails calls on purpose, the same ones for the
 * same seed. how=cut writes half of the bytes first, how=flip damages a bit and reports success. With retryable=1 the error
 * invites a second try. */
#include "layer.h"

struct fault {
  _Atomic uint64_t calls;
  uint64_t seed, nth;
  double rate;
  hf_status code;
  uint32_t retryable;
  enum { FAIL, CUT, FLIP } how;
  char code_name[24];
};

static hf_status fault_open(hf_call *c, void *state, const char *spec) {
  static const char *const hows[] = {"fail", "cut", "flip"};
  struct fault *f = state;
  char how[16] = "fail";
  f->seed = (uint64_t)hf_layer_number(spec, "seed", 1);
  f->nth = (uint64_t)hf_layer_number(spec, "nth", 0);
  f->rate = hf_layer_number(spec, "rate", 0);
  f->retryable = (uint32_t)hf_layer_number(spec, "retryable", 0);
  f->code = HF_EIO;
  if (hf_layer_text(spec, "code", f->code_name, sizeof f->code_name)) {
    hf_status code = HF_EINTERNAL;
    while (code > HF_EPERM && strcmp(hf_status_name(code), f->code_name) != 0) code--;
    f->code = code;
  }
  hf_layer_text(spec, "how", how, sizeof how);
  size_t k = 0;
  while (k < HF_COUNT(hows) && strcmp(hows[k], how) != 0) k++;
  if (k == HF_COUNT(hows)) return hf_call_failf(c, HF_EINVAL, "fault: how=%s is none of fail, cut, flip", how);
  f->how = k;
  return HF_OK;
}

static _Atomic uint64_t struck;

uint64_t hf_layers_struck(void) {
  return struck;
}

static hf_status strike(hf_call *c, const struct fault *f, const struct hf_step *s) {
  struct hf_text_buf t;
  struck++;
  hf_text_init(&t, 256);
  hf_text_addf(&t, "injected fault in %s", s->op);
  struct hf_error e = {.struct_size = sizeof e, .code = f->code, .retryable = f->retryable, .message = t.data};
  hf_status st = hf_call_fail(c, &e);
  hf_text_free(&t);
  return st;
}

static hf_status fault_before(hf_call *c, void *state, struct hf_step *s) {
  struct fault *f = state;
  uint64_t n = atomic_fetch_add(&f->calls, 1) + 1, mix = n * 0x9e3779b97f4a7c15u + f->seed * 0xd6e8feb86659fd93u;
  mix = (mix ^ mix >> 32) * 0xc2b2ae3d27d4eb4fu;
  mix ^= mix >> 29;
  bool hit = n == f->nth || (f->rate > 0 && (double)(mix >> 11) / 9007199254740992.0 < f->rate);
  if (!hit) return HF_OK;
  if (f->how == FAIL || s->bytes == 0) return strike(c, f, s);
  s->cut = f->how == CUT;
  s->flip = f->how == FLIP;
  struck += s->flip;
  return HF_OK;
}

static bool fault_after(hf_call *c, void *state, struct hf_step *s, hf_status *st) {
  if (*st == HF_OK && s->cut) *st = strike(c, state, s);
  return false;
}

const struct hf_layer_kind hf_layer_fault = {.name = "fault",
                                             .state_size = sizeof(struct fault),
                                             .open = fault_open,
                                             .before = fault_before,
                                             .after = fault_after};
