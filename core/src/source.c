/* source.c - the source that callers and adapters see, around a store's own: bounds and the thread model.
 * The wrapped one has the same size and abilities; close() needs no call.
 * A store that answers more than was asked for is caught here. */
#include "store.h"

struct source {
  struct hf_source s; /* first */
  struct hf_source *raw;
  hf_store *store;
  pthread_mutex_t object;
};

static hf_status source_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct source *w = (struct source *)s;
  struct hf_guard g;
  *got = 0;
  TRY(hf_call_check(c));
  if (w->s.size != HF_SIZE_UNKNOWN) {
    if (off >= w->s.size) return HF_OK;
    if (len > w->s.size - off) len = (size_t)(w->s.size - off);
  }
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->raw->pread(c, w->raw, buf, len, off, got);
  hf_guard_out(&g, c);
  if (*got <= len) return st;
  *got = 0;
  return hf_call_failf(c, HF_EABI, "store %s read more than was asked for", w->store->mod->m->name);
}

static void close_raw(hf_store *store, struct hf_source *raw, pthread_mutex_t *object) {
  struct hf_guard g;
  hf_store_in(&g, NULL, store, object);
  raw->close(raw);
  hf_guard_out(&g, NULL);
}

static void source_close(struct hf_source *s) {
  struct source *w = (struct source *)s;
  close_raw(w->store, w->raw, &w->object);
  pthread_mutex_destroy(&w->object);
  hf_mem_free(w);
}

hf_status hf_source_wrap(hf_call *c, hf_store *store, struct hf_source *raw, struct hf_source **out) {
  *out = NULL;
  if (!raw || !raw->pread || !raw->close)
    return hf_call_failf(c, HF_EABI, "store %s gave a source without pread or close", store->mod->m->name);
  struct source *w = hf_mem_alloc(sizeof *w);
  if (!w) {
    close_raw(store, raw, NULL);
    return hf_call_failf(c, HF_ENOMEM, "no memory to read a stored file");
  }
  w->raw = raw;
  w->store = store;
  pthread_mutex_init(&w->object, NULL);
  w->s = (struct hf_source){.struct_size = sizeof w->s,
                            .caps = raw->caps,
                            .size = raw->size,
                            .name = raw->name ? raw->name : "",
                            .pread = source_pread,
                            .close = source_close};
  *out = &w->s;
  return HF_OK;
}
