/* layer_sink.c - a store's sink behind layers: the same members, each call through the stack.
 * Members that the store's sink lacks stay NULL.
 * Here a write can be cut short or damaged. */
#include "layer.h"

struct layered {
  struct hf_sink s; /* first */
  struct hf_sink *raw;
  struct hf_layers *layers;
};
#define SELF struct layered *l = (struct layered *)s

static hf_status layered_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  SELF;
  struct hf_step step = {.op = "set_size", .repeatable = true};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->raw->set_size(c, l->raw, size));
  if (st == HF_OK) l->s.size = size;
  return st;
}

static hf_status write_damaged(hf_call *c, struct hf_sink *raw, uint64_t off, const struct hf_iov *iov, uint32_t n,
                               const struct hf_step *step) {
  uint8_t *copy = hf_mem_alloc((size_t)step->bytes);
  size_t fill = 0;
  if (!copy) return hf_call_failf(c, HF_ENOMEM, "no memory to damage a write");
  for (uint32_t i = 0; i < n; fill += iov[i++].len) memcpy(copy + fill, iov[i].base, iov[i].len);
  if (step->flip) copy[fill / 2] ^= 1;
  struct hf_iov one = {copy, step->cut ? fill / 2 : fill};
  hf_status st = one.len ? raw->writev(c, raw, off, &one, 1) : HF_OK;
  hf_mem_free(copy);
  return st;
}

static hf_status layered_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  SELF;
  struct hf_step step = {.op = "writev", .repeatable = true};
  hf_status st;
  for (uint32_t i = 0; i < n; i++) step.bytes += iov[i].len;
  HF_LAYERED(
      l->layers, c, step, st,
      step.cut || step.flip ? write_damaged(c, l->raw, off, iov, n, &step) : l->raw->writev(c, l->raw, off, iov, n));
  return st;
}

static hf_status layered_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  SELF;
  struct hf_step step = {.op = "pread", .bytes = len, .repeatable = true};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->raw->pread(c, l->raw, buf, len, off, got));
  if (st == HF_OK && step.flip && *got) ((uint8_t *)buf)[*got / 2] ^= 1;
  return st;
}

static hf_status layered_note_read(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  SELF;
  struct hf_step step = {.op = "note_read", .repeatable = true};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->raw->note_read(c, l->raw, buf, len, off, got));
  return st;
}

static hf_status layered_note_write(hf_call *c, struct hf_sink *s, const void *buf, size_t len, uint64_t off) {
  SELF;
  struct hf_step step = {.op = "note_write", .repeatable = true};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->raw->note_write(c, l->raw, buf, len, off));
  return st;
}

static hf_status layered_checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  SELF;
  struct hf_step step = {.op = "checkpoint"};
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->raw->checkpoint(c, l->raw, wait));
  return st;
}

static hf_status layered_seal(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **seal) {
  SELF;
  struct hf_step step = {.op = "seal"};
  hf_status st = hf_layers_before(l->layers, c, &step);
  if (st == HF_OK)
    st = l->raw->seal(c, l->raw, is, seal);
  else
    l->raw->abort(l->raw, 1); /* the sink ends in every case */
  hf_layers_after(l->layers, c, &step, &st);
  hf_mem_free(l);
  return st;
}

static void layered_abort(struct hf_sink *s, int32_t keep) {
  SELF;
  l->raw->abort(l->raw, keep);
  hf_mem_free(l);
}

struct hf_sink *hf_layers_sink(struct hf_layers *layers, struct hf_sink *raw) {
  struct hf_sink full = {0};
  struct layered *l = hf_mem_alloc(sizeof *l);
  if (!l) return NULL;
  memcpy(&full, raw, raw->struct_size < sizeof full ? raw->struct_size : sizeof full);
  l->raw = raw;
  l->layers = layers;
  l->s = (struct hf_sink){.struct_size = sizeof l->s,
                          .caps = full.caps,
                          .size = full.size,
                          .set_size = full.set_size ? layered_set_size : NULL,
                          .writev = full.writev ? layered_writev : NULL,
                          .pread = full.pread ? layered_pread : NULL,
                          .note_read = full.note_read ? layered_note_read : NULL,
                          .note_write = full.note_write ? layered_note_write : NULL,
                          .checkpoint = full.checkpoint ? layered_checkpoint : NULL,
                          .seal = full.seal ? layered_seal : NULL,
                          .abort = full.abort ? layered_abort : NULL};
  return &l->s;
}
