/* flush.c - makes a group of files durable in one step: content before names, names before success.
 * Few files are flushed one by one; for many the whole file system is asked once, which costs one journal commit.
 * Folders that were made on the way are settled first: a file in a folder that is lost is lost too. */
#include "posix.h"
#include <errno.h>
#include <unistd.h>

void hf_flush_begin(struct hf_flush *f, struct hf_root *r, bool durable) {
  *f = (struct hf_flush){.root = r, .durable = durable};
}

static hf_status settle(hf_call *c, struct hf_flush *f) {
  int err = hf_root_settle(f->root, f->all);
  return err ? hf_root_fail(c, f->root, err, "flush", "") : HF_OK;
}

hf_status hf_flush_parts(hf_call *c, struct hf_flush *f, struct hf_part *const *parts, uint32_t n) {
  if (!f->durable) return HF_OK;
  if (n > HF_FLUSH_ALONE) {
    f->all = true;
    return settle(c, f);
  }
  for (uint32_t i = 0; n > 1 && i < n; i++) hf_part_writeback(parts[i]);
  for (uint32_t i = 0; i < n; i++) TRY(hf_part_flush(c, parts[i]));
  return HF_OK;
}

void hf_flush_dir(struct hf_flush *f, struct hf_dir *d) {
  bool known = !f->durable || f->all;
  for (uint32_t i = 0; i < f->count && !known; i++) known = f->dirs[i] == d;
  if (!known && f->count == sizeof f->dirs / sizeof *f->dirs) known = f->all = true;
  if (known)
    hf_dir_put(f->root, d);
  else
    f->dirs[f->count++] = d;
}

hf_status hf_flush_end(hf_call *c, struct hf_flush *f) {
  hf_status st = HF_OK;
  if (f->durable) st = settle(c, f);
  for (uint32_t i = 0; i < f->count; i++) {
    if (!f->all && st == HF_OK && fsync(f->dirs[i]->fd) != 0)
      st = hf_root_fail(c, f->root, errno, "flush", f->dirs[i]->path);
    hf_dir_put(f->root, f->dirs[i]);
  }
  f->count = 0;
  return st;
}
