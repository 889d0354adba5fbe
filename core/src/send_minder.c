/* send_minder.c - what the minder of a batch that is being sent looks at: every file's source is counted on its way to the adapter,
 * so one that neither reads from its file nor reports a part shows itself.
 * Its thread starts with the first file. */
#include "send.h"

static hf_status counted_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct send_job *j = (struct send_job *)(void *)((char *)s - offsetof(struct send_job, source));
  hf_status st = j->raw->pread(c, j->raw, buf, len, off, got);
  atomic_fetch_add_explicit(&j->moved, 1, memory_order_relaxed);
  return st;
}

static void counted_close(struct hf_source *s) {
  (void)s; /* the host's */
}

struct hf_source *hf_send_count(struct send_job *j, struct hf_source *raw) {
  j->raw = raw;
  j->source = *raw;
  j->source.struct_size = sizeof j->source;
  j->source.pread = counted_pread;
  j->source.close = counted_close;
  return &j->source;
}

void hf_send_uncount(struct send_job *j) {
  if (j->raw) j->raw->close(j->raw);
  j->raw = NULL;
}

static struct hf_minded *file_of(void *batch, uint32_t i) {
  return &((struct send *)batch)->jobs[i].minded;
}

static uint64_t moved_of(void *batch, uint32_t i) {
  return atomic_load_explicit(&((struct send *)batch)->jobs[i].moved, memory_order_relaxed);
}

void hf_send_running(struct send *b, uint32_t i, hf_call *running) {
  if (running) hf_minder_start(&b->minder);
  hf_minder_running(&b->minder, i, running);
}

void hf_send_minder_open(hf_call *c, struct send *b) {
  b->minder =
      (struct hf_minder){.lock = &b->lock, .count = b->s->count, .batch = b, .file = file_of, .moved = moved_of};
  hf_minder_open(c, &b->minder);
}
