/* store.h - what store.c, the wrapped sink and the dispatcher know of an open store.
 * Every entry into a backend goes between hf_store_in() and hf_store_out(), which keep its thread model.
 * Private to core/src. */
#ifndef HF_STORE_H
#define HF_STORE_H
#include "core.h"

struct hf_store {
  const struct hf_storage *st; /* normalised; the outermost layer's */
  void *obj;
  struct hf_slot_module *mod;
  hf_runtime *rt;
  pthread_mutex_t object; /* HF_THREADS_PER_OBJECT */
  char *uri;
};

static inline void hf_store_in(struct hf_guard *g, hf_call *c, hf_store *s, pthread_mutex_t *object) {
  hf_guard_in(g, c, s->mod, object ? object : &s->object);
}

/* publish.c and sinks: seals are the store's. */
hf_status hf_store_publish(hf_call *, hf_store *, void *const *seals, uint32_t n, hf_row_fn, void *arg);
void hf_store_discard(hf_store *, void *seal);
/* The store's own sink, unwrapped. */
hf_status hf_store_sink(hf_call *, hf_store *, const struct hf_ingest *, struct hf_sink **);
hf_status hf_store_lease(hf_call *, hf_store *, const struct hf_key *, uint32_t ttl_ms, void **lease);
hf_status hf_store_beat(hf_call *, hf_store *, void *lease);
void hf_store_unlease(hf_store *, void *lease);
/* held.c: scan and expunge of stores that have neither, by their other functions. */
hf_status hf_held_scan(hf_call *, hf_store *, const struct hf_repo *, uint32_t flags, hf_row_fn, void *arg);
hf_status hf_held_expunge(hf_call *, hf_store *, const struct hf_held *, uint32_t n);
/* Wraps a store's source: bounds and thread model; takes it over in every case (source.c). */
hf_status hf_source_wrap(hf_call *, hf_store *, struct hf_source *raw, struct hf_source **);
#endif
