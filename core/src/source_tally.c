/* source_tally.c - the source of a file whose digest nobody knows yet: what the adapter reads is scanned on its way, once and in
 * order, so that a file is read a single time and what was hashed is what was sent.
 * Bytes that are read a second time are the adapter's business; the source below says whether the file is still the same. */
#include "bytes.h"

enum { TELL_NS = 100000000 };

struct tally {
  struct hf_source s; /* first */
  struct hf_source *raw;
  pthread_mutex_t lock;
  struct hf_pass pass;
  struct hf_scan scan;
  uint64_t at, told_ns; /* bytes scanned */
  uint32_t item;
  bool begun, ended;
  hf_status (*on_end)(hf_call *, void *, const struct hf_scan *);
  void *arg;
};

static hf_status finish(hf_call *c, struct tally *t) {
  t->ended = true;
  TRY(hf_pass_end(c, &t->pass, true, t->s.name));
  hf_status st = t->on_end(c, t->arg, &t->scan);
  hf_mem_free(t->scan.sums);
  t->scan.sums = NULL;
  return st;
}

static void tell(hf_call *c, struct tally *t) {
  uint64_t now = hf_now_ns();
  if (t->item == UINT32_MAX || now - t->told_ns < TELL_NS) return;
  t->told_ns = now;
  struct hf_event e = {.struct_size = sizeof e,
                       .type = HF_EV_BYTES,
                       .item = t->item,
                       .done = t->at,
                       .total = t->s.size,
                       .text = t->s.name};
  hf_call_emit(c, &e);
}

static hf_status add(hf_call *c, struct tally *t, const uint8_t *data, size_t len, uint64_t off) {
  if (t->ended || off > t->at || off + len <= t->at) return HF_OK;
  size_t skip = (size_t)(t->at - off);
  if (!t->begun) TRY(hf_pass_begin(c, &t->pass, &t->scan, HF_SCAN_SHA256, t->s.size, t->s.name));
  t->begun = true;
  hf_pass_add(&t->pass, data + skip, len - skip);
  t->at += len - skip;
  tell(c, t);
  return t->at == t->s.size ? finish(c, t) : HF_OK;
}

static hf_status tally_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct tally *t = (struct tally *)s;
  pthread_mutex_lock(&t->lock);
  hf_status st = t->raw->pread(c, t->raw, buf, len, off, got);
  if (st == HF_OK && *got) st = add(c, t, buf, *got, off);
  pthread_mutex_unlock(&t->lock);
  return st;
}

static void tally_close(struct hf_source *s) {
  struct tally *t = (struct tally *)s;
  t->raw->close(t->raw);
  if (t->begun && !t->ended) hf_pass_end(NULL, &t->pass, false, t->s.name);
  pthread_mutex_destroy(&t->lock);
  hf_mem_free(t);
}

hf_status hf_source_tally(hf_call *c, struct hf_source *raw, uint32_t item,
                          hf_status (*on_end)(hf_call *, void *arg, const struct hf_scan *), void *arg,
                          struct hf_source **out) {
  struct tally *t = hf_mem_alloc(sizeof *t);
  *out = NULL;
  if (!t) {
    hf_status st = hf_call_failf(c, HF_ENOMEM, "no memory to send %s", raw->name);
    raw->close(raw);
    return st;
  }
  pthread_mutex_init(&t->lock, NULL);
  t->raw = raw;
  t->item = item;
  t->on_end = on_end;
  t->arg = arg;
  t->s = (struct hf_source){
      .struct_size = sizeof t->s, .size = raw->size, .name = raw->name, .pread = tally_pread, .close = tally_close};
  *out = &t->s;
  return HF_OK;
}
