/* broken_memory.c - the memory backend with one thing wrong in its blobs, refs, trees or leases, for the judge, in the way of
 * broken_storage.c. Compiled together with the other files of plugins/storage/memory.
 * Every wrapper is a mistake that somebody could make. */
#include <hf/storage.h>
#include <stdio.h>
#pragma push_macro("HF_PLUGIN")
#undef HF_PLUGIN
#define HF_PLUGIN(...) struct hf_plugin
#include "memory.c"
#pragma pop_macro("HF_PLUGIN")

#ifndef V_ADOPT
#define V_ADOPT mem_adopt
#endif
#ifndef V_BLOB_STAT
#define V_BLOB_STAT mem_blob_stat
#endif
#ifndef V_BLOB_EACH
#define V_BLOB_EACH mem_blob_each
#endif
#ifndef V_BLOB_REMOVE
#define V_BLOB_REMOVE mem_blob_remove
#endif
#ifndef V_REF_GET
#define V_REF_GET mem_ref_get
#endif
#ifndef V_REF_PUT
#define V_REF_PUT mem_ref_put
#endif
#ifndef V_REF_EACH
#define V_REF_EACH mem_ref_each
#endif
#ifndef V_TREE_GET
#define V_TREE_GET mem_tree_get
#endif
#ifndef V_TREE_PUT
#define V_TREE_PUT mem_tree_put
#endif
#ifndef V_LEASE_TAKE
#define V_LEASE_TAKE mem_lease_take
#endif
#ifndef V_LEASE_DROP
#define V_LEASE_DROP mem_lease_drop
#endif
#ifndef V_REPO_EACH
#define V_REPO_EACH mem_repo_each
#endif

static hf_status adopt_anything(hf_call *c, void *s, const struct hf_ingest *in, hf_slot *slot) {
  (void)c, (void)s;
  struct hf_st_file f = {.struct_size = sizeof f, .commit = in->name.commit, .etag = in->etag, .size = in->size};
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

static hf_status stat_always(hf_call *c, void *s, const struct hf_key *k, hf_slot *slot) {
  (void)c, (void)s;
  struct hf_blob b = {.struct_size = sizeof b, .key = *k, .size = 1};
  return H->put(slot, HF_PUT_BLOB, &b, sizeof b);
}

static hf_status each_of_all(hf_call *c, void *s, const struct hf_repo *r, hf_slot *slot) {
  (void)r;
  return mem_blob_each(c, s, NULL, slot);
}

static hf_status remove_nothing(hf_call *c, void *s, const struct hf_key *k) {
  (void)c, (void)s, (void)k;
  return HF_OK;
}

static hf_status put_blindly(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *expect,
                             const char *commit) {
  (void)expect;
  return mem_ref_put(c, s, r, n, NULL, commit);
}

static hf_status never_wins(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *expect,
                            const char *commit) {
  return expect ? H->failf(c, HF_ECONFLICT, "somebody was faster") : mem_ref_put(c, s, r, n, expect, commit);
}

/* Compares, then puts: two may compare before either puts. */
static hf_status put_slowly(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *expect,
                            const char *commit) {
  hf_status st = expect ? mem_ref_put(c, s, r, n, expect, *expect ? expect : NULL) : HF_OK;
  if (st != HF_OK) return st;
  struct timespec t = {0, 20000000};
  nanosleep(&t, NULL);
  return mem_ref_put(c, s, r, n, NULL, commit);
}

static hf_status put_last_word(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *expect,
                               const char *commit) {
  const char *slash = strrchr(n, '/');
  return mem_ref_put(c, s, r, slash ? slash + 1 : n, expect, commit);
}

static hf_status never_removed(hf_call *c, void *s, const struct hf_repo *r, const char *n, const char *expect,
                               const char *commit) {
  return commit ? mem_ref_put(c, s, r, n, expect, commit) : HF_OK;
}

static hf_status get_of_one_repo(hf_call *c, void *s, const struct hf_repo *r, const char *n, hf_slot *slot) {
  static char type[16], id[128];
  if (!id[0]) snprintf(type, sizeof type, "%s", r->type), snprintf(id, sizeof id, "%s", r->id);
  struct hf_repo first = {type, id};
  return mem_ref_get(c, s, &first, n, slot);
}

static hf_status list_nothing(hf_call *c, void *s, const struct hf_repo *r, hf_slot *slot) {
  (void)c, (void)s, (void)r, (void)slot;
  return HF_OK;
}

static hf_status tree_of_any_commit(hf_call *c, void *s, const struct hf_repo *r, const char *commit, hf_slot *slot) {
  (void)commit;
  return mem_tree_get(c, s, r, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", slot);
}

static hf_status stride_of_mine(hf_call *c, void *s, const struct hf_repo *r, const char *commit, struct hf_table t) {
  t.stride = sizeof(struct hf_tree_entry);
  return mem_tree_put(c, s, r, commit, t);
}

static hf_status first_thousand(hf_call *c, void *s, const struct hf_repo *r, const char *commit, struct hf_table t) {
  if (t.count > 1000) t.count = 1000;
  return mem_tree_put(c, s, r, commit, t);
}

static hf_status for_everybody(hf_call *c, void *s, const struct hf_key *k, uint32_t ttl, void **lease) {
  static char one;
  (void)c, (void)s, (void)k, (void)ttl;
  *lease = &one;
  return HF_OK;
}

/* Waits without ever looking at the call. */
static hf_status deaf(hf_call *c, void *s, const struct hf_key *k, uint32_t ttl, void **lease) {
  static _Atomic int taken;
  (void)c, (void)s, (void)k, (void)ttl;
  for (int i = 0; taken && i < 600; i++) {
    struct timespec t = {0, 10000000};
    nanosleep(&t, NULL);
  }
  taken = 1;
  *lease = (void *)&taken;
  return HF_OK;
}

static void drop_nothing(void *s, void *lease) {
  (void)s, (void)lease;
}

static hf_status no_repo(hf_call *c, void *s, hf_slot *slot) {
  (void)c, (void)s, (void)slot;
  return HF_OK;
}

static const struct hf_storage broken = {
    .m = HF_MODULE(hf_storage, HF_KIND_STORAGE, "broken", "one thing is wrong", HF_THREADS_ANY, 1, CAPS),
    .open = mem_open,
    .close = mem_close,
    .find = mem_find,
    .adopt = V_ADOPT,
    .ingest = mem_ingest,
    .publish = mem_publish,
    .discard = mem_discard,
    .open_file = mem_open_file,
    .absent = mem_absent,
    .remove = mem_remove,
    .blob_stat = V_BLOB_STAT,
    .blob_open = mem_blob_open,
    .blob_remove = V_BLOB_REMOVE,
    .blob_each = V_BLOB_EACH,
    .ref_get = V_REF_GET,
    .ref_put = V_REF_PUT,
    .ref_each = V_REF_EACH,
    .tree_get = V_TREE_GET,
    .tree_put = V_TREE_PUT,
    .lease_take = V_LEASE_TAKE,
    .lease_beat = mem_lease_beat,
    .lease_drop = V_LEASE_DROP,
    .space = mem_space,
    .repo_each = V_REPO_EACH,
};
static const struct hf_module *const broken_modules[] = {&broken.m};
HF_PLUGIN("broken", "0.0.1", "Apache-2.0", "one thing is wrong", load, unload, broken_modules,
          {HF_KIND_STORAGE, 1, CAPS, "broken", ""});
