/* publish.c - publishing in groups: sealed files wait until 256 of them, 1 GiB or 2 s have come together, or nothing is left to
 * do, and become visible in one publish(), so that durability is paid per group.
 * No file is reported as done before its group is published. */
#include "fetch.h"

struct told {
  hf_call *call;
  uint32_t count, published;
  struct hf_st_file files[HF_GROUP_FILES];
};

static hf_status on_published(void *arg, uint32_t what, const void *row) {
  struct told *t = arg;
  (void)what;
  if (t->published >= t->count)
    return hf_call_failf(t->call, HF_EABI, "a store published more files than it was given");
  t->files[t->published++] = *(const struct hf_st_file *)row;
  return HF_OK;
}

static hf_status publish(hf_call *c, struct hf_batch *b, const uint32_t *files, uint32_t n) {
  void *seals[HF_GROUP_FILES] = {0};
  struct told *t = hf_mem_alloc(sizeof *t);
  hf_status st, stop = HF_OK;
  for (uint32_t k = 0; k < n; k++) {
    seals[k] = b->jobs[files[k]].seal;
    b->jobs[files[k]].seal = NULL;
  }
  if (t) {
    t->call = c;
    t->count = n;
    st = hf_store_publish(c, b->store, seals, n, on_published, t);
    if (st == HF_OK && t->published < n)
      st = hf_call_failf(c, HF_EABI, "store %s did not say what it published", hf_store_name(b->store));
  } else {
    for (uint32_t k = 0; k < n; k++) hf_store_discard(b->store, seals[k]);
    st = hf_call_failf(c, HF_ENOMEM, "no memory to publish %u files", n);
  }
  for (uint32_t k = 0; k < n; k++) {
    bool out = t && k < t->published;
    hf_status answer = hf_batch_end(c, b, files[k], out ? HF_OK : st, out ? &t->files[k] : NULL);
    if (stop == HF_OK) stop = answer;
  }
  hf_mem_free(t);
  return st != HF_OK ? st : stop;
}

/* Under lock. */
static uint32_t take_group(struct hf_batch *b, uint32_t *files) {
  uint32_t n = b->group_count;
  memcpy(files, b->group, n * sizeof *files);
  b->group_count = 0;
  b->group_bytes = 0;
  return n;
}

hf_status hf_group_add(hf_call *c, struct hf_batch *b, uint32_t i) {
  uint32_t files[HF_GROUP_FILES], n = 0;
  uint64_t now = hf_now_ns(), size = b->jobs[i].tr.size;
  pthread_mutex_lock(&b->lock);
  b->jobs[i].state = HF_FILE_SEALED;
  if (b->group_count == 0) b->group_ns = now;
  b->group[b->group_count++] = i;
  b->group_bytes += size == HF_SIZE_UNKNOWN ? 0 : size;
  if (b->group_count == HF_GROUP_FILES || b->group_bytes >= HF_GROUP_BYTES || now - b->group_ns >= HF_GROUP_NS)
    n = take_group(b, files);
  pthread_mutex_unlock(&b->lock);
  return n ? publish(c, b, files, n) : HF_OK;
}

hf_status hf_group_flush(hf_call *c, struct hf_batch *b, bool only_old) {
  uint32_t files[HF_GROUP_FILES], n = 0;
  pthread_mutex_lock(&b->lock);
  if (b->group_count && (!only_old || hf_now_ns() - b->group_ns >= HF_GROUP_NS)) n = take_group(b, files);
  pthread_mutex_unlock(&b->lock);
  return n ? publish(c, b, files, n) : HF_OK;
}

void hf_group_discard(struct hf_batch *b) {
  for (uint32_t k = 0; k < b->group_count; k++) {
    hf_store_discard(b->store, b->jobs[b->group[k]].seal);
    b->jobs[b->group[k]].seal = NULL;
  }
  b->group_count = 0;
}
