/* layer_storage.c - an open store behind layers: every member goes through the stack, sinks come out layered too.
 * Calls that answer with many rows, and those that change something only once, are not repeatable.
 * The store is wrapped after its own open(). */
#include "layer.h"

struct layered {
  struct hf_storage st; /* the layered vtable; first */
  const struct hf_storage *inner;
  void *store;
  struct hf_layers *layers;
};

#define FORWARD(op_, again_, declared_, given_)                                       \
  static hf_status layered_##op_(hf_call *c, void *store, HF_UNPACK declared_) {      \
    struct layered *l = store;                                                        \
    struct hf_step step = {.op = #op_, .repeatable = (again_)};                       \
    hf_status st;                                                                     \
    HF_LAYERED(l->layers, c, step, st, l->inner->op_(c, l->store, HF_UNPACK given_)); \
    return st;                                                                        \
  }
#define HF_UNPACK(...) __VA_ARGS__

FORWARD(find, true, (const struct hf_name *name, hf_slot *out), (name, out))
FORWARD(adopt, true, (const struct hf_ingest *in, hf_slot *out), (in, out))
FORWARD(open_file, true, (const struct hf_name *name, struct hf_source **out), (name, out))
FORWARD(absent, true, (const struct hf_name *name), (name))
FORWARD(remove, true, (const struct hf_name *name), (name))
FORWARD(blob_stat, true, (const struct hf_key *key, hf_slot *out), (key, out))
FORWARD(blob_open, true, (const struct hf_key *key, struct hf_source **out), (key, out))
FORWARD(blob_remove, true, (const struct hf_key *key), (key))
FORWARD(blob_each, false, (const struct hf_repo *repo, hf_slot *out), (repo, out))
FORWARD(ref_get, true, (const struct hf_repo *repo, const char *name, hf_slot *out), (repo, name, out))
FORWARD(ref_put, false, (const struct hf_repo *repo, const char *name, const char *expect, const char *commit),
        (repo, name, expect, commit))
FORWARD(ref_each, false, (const struct hf_repo *repo, hf_slot *out), (repo, out))
FORWARD(tree_get, false, (const struct hf_repo *repo, const char *commit, hf_slot *out), (repo, commit, out))
FORWARD(tree_put, true, (const struct hf_repo *repo, const char *commit, struct hf_table rows), (repo, commit, rows))
FORWARD(lease_take, true, (const struct hf_key *key, uint32_t ttl_ms, void **lease), (key, ttl_ms, lease))
FORWARD(lease_beat, true, (void *lease), (lease))
FORWARD(space, true, (hf_slot * out), (out))
FORWARD(folder, true, (const struct hf_repo *repo, const char *commit, hf_slot *out), (repo, commit, out))
FORWARD(repo_each, false, (hf_slot * out), (out))
FORWARD(scan, false, (const struct hf_repo *repo, uint32_t flags, hf_slot *out), (repo, flags, out))
FORWARD(expunge, true, (struct hf_table rows), (rows))

static hf_status layered_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct layered *l = store;
  struct hf_step step = {.op = "ingest", .repeatable = true};
  struct hf_sink *raw = NULL;
  hf_status st;
  HF_LAYERED(l->layers, c, step, st, l->inner->ingest(c, l->store, in, &raw));
  *out = NULL;
  if (st != HF_OK) return st;
  *out = hf_layers_sink(l->layers, raw);
  if (*out) return HF_OK;
  raw->abort(raw, 1);
  return hf_call_failf(c, HF_ENOMEM, "no memory for layers");
}

static hf_status layered_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *out) {
  struct layered *l = store;
  struct hf_step step = {.op = "publish"};
  hf_status st = hf_layers_before(l->layers, c, &step);
  if (st == HF_OK)
    st = l->inner->publish(c, l->store, seals, n, out);
  else
    for (uint32_t i = 0; i < n; i++) l->inner->discard(l->store, seals[i]); /* seals end in every case */
  hf_layers_after(l->layers, c, &step, &st);
  return st;
}

static void layered_discard(void *store, void *seal) {
  struct layered *l = store;
  l->inner->discard(l->store, seal);
}

static void layered_lease_drop(void *store, void *lease) {
  struct layered *l = store;
  l->inner->lease_drop(l->store, lease);
}

static void layered_close(void *store) {
  struct layered *l = store;
  l->inner->close(l->store);
  hf_layers_free(l->layers);
  hf_mem_free(l);
}

hf_status hf_layers_around_store(hf_call *c, const struct hf_storage **st, void **obj) {
  struct hf_layers *layers;
  TRY(hf_layers_new(c, "storage", &layers));
  if (!layers) return HF_OK;
  struct layered *l = hf_mem_alloc(sizeof *l);
  if (!l) {
    hf_layers_free(layers);
    return hf_call_failf(c, HF_ENOMEM, "no memory for layers");
  }
  *l = (struct layered){.inner = *st, .store = *obj, .layers = layers};
  l->st = (struct hf_storage){
      .m = (*st)->m,
      .part_min = (*st)->part_min,
      .part_max = (*st)->part_max,
      .close = layered_close,
      .ingest = layered_ingest,
      .publish = layered_publish,
      .discard = layered_discard,
      .lease_drop = layered_lease_drop,
      .find = layered_find,
      .adopt = layered_adopt,
      .open_file = layered_open_file,
      .absent = layered_absent,
      .remove = layered_remove,
      .blob_stat = layered_blob_stat,
      .blob_open = layered_blob_open,
      .blob_remove = layered_blob_remove,
      .blob_each = layered_blob_each,
      .ref_get = layered_ref_get,
      .ref_put = layered_ref_put,
      .ref_each = layered_ref_each,
      .tree_get = layered_tree_get,
      .tree_put = layered_tree_put,
      .lease_take = layered_lease_take,
      .lease_beat = layered_lease_beat,
      .space = layered_space,
      .folder = layered_folder,
      .repo_each = layered_repo_each,
      .scan = layered_scan,
      .expunge = layered_expunge,
  };
  *st = &l->st;
  *obj = l;
  return HF_OK;
}
