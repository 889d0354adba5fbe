/* store.c - typed calls into a storage backend: arguments are checked before they reach it, its answers are copied into full
 * rows whose strings live in the call's arena, and its thread model is kept.
 * Sinks and sources come out wrapped. */
#include <ctype.h>
#include <stdlib.h>

#include "layer.h"
#include "sink.h"

hf_status hf_store_open(hf_call *c, const char *uri, hf_store **out) {
  *out = NULL;
  char name[32];
  size_t n = uri ? strcspn(uri, ":") : 0;
  if (n == 0 || n >= sizeof name)
    return hf_call_failf(c, HF_EINVAL, "'%.100s' names no store: use NAME:REST, as in hub-cache:/path", uri ? uri : "");
  memcpy(name, uri, n);
  name[n] = 0;
  struct hf_slot_module *mod;
  TRY(hf_module_get(c, HF_KIND_STORAGE, name, &mod));
  hf_store *s = hf_mem_alloc(sizeof *s);
  if (!s) return hf_call_failf(c, HF_ENOMEM, "no memory to open store %s", name);
  s->mod = mod;
  s->st = (const struct hf_storage *)mod->m;
  s->rt = c->rt;
  s->uri = hf_mem_dup(uri, SIZE_MAX);
  pthread_mutex_init(&s->object, NULL);
  struct hf_guard g;
  hf_store_in(&g, c, s, NULL);
  hf_status st =
      s->uri ? s->st->open(c, s->uri, &s->obj) : hf_call_failf(c, HF_ENOMEM, "no memory to open store %s", name);
  hf_guard_out(&g, c);
  if (st != HF_OK) {
    pthread_mutex_destroy(&s->object);
    hf_mem_free(s->uri);
    hf_mem_free(s);
    return st;
  }
  st = hf_layers_around_store(c, &s->st, &s->obj);
  if (st != HF_OK)
    hf_store_close(s);
  else
    *out = s;
  return st;
}

void hf_store_close(hf_store *s) {
  if (!s) return;
  struct hf_guard g;
  hf_store_in(&g, NULL, s, NULL);
  s->st->close(s->obj);
  hf_guard_out(&g, NULL);
  pthread_mutex_destroy(&s->object);
  hf_mem_free(s->uri);
  hf_mem_free(s);
}

uint64_t hf_store_caps(const hf_store *s) {
  return s->st->m.caps;
}

const char *hf_store_name(const hf_store *s) {
  return s->mod->m->name;
}

/* ---- answers ---- */

struct answer { /* one row into out, or each row to fn */
  hf_call *c;
  void *out;
  size_t size;
  uint32_t count;
  hf_row_fn fn;
  void *arg;
};

static hf_status keep(hf_call *c, const char **text) {
  if (!*text) return HF_OK;
  *text = hf_call_intern(c, *text, SIZE_MAX);
  return *text ? HF_OK : hf_call_failf(c, HF_ENOMEM, "no memory for the store's answer");
}

static hf_status give(struct answer *a, uint32_t what, const void *row, size_t size) {
  a->count++;
  if (a->fn) return a->fn(a->arg, what, row);
  if (a->count == 1) memcpy(a->out, row, size < a->size ? size : a->size);
  return HF_OK;
}

static hf_status on_file(void *arg, uint32_t what, const void *row) {
  struct answer *a = arg;
  struct hf_st_file f = *(const struct hf_st_file *)row;
  TRY(keep(a->c, &f.path));
  TRY(keep(a->c, &f.commit));
  TRY(keep(a->c, &f.etag));
  return give(a, what, &f, sizeof f);
}

static hf_status on_blob(void *arg, uint32_t what, const void *row) {
  struct answer *a = arg;
  struct hf_blob b = *(const struct hf_blob *)row;
  if (!a->fn) {
    TRY(keep(a->c, &b.key.repo.type));
    TRY(keep(a->c, &b.key.repo.id));
    TRY(keep(a->c, &b.key.etag));
  }
  return give(a, what, &b, sizeof b);
}

static hf_status on_commit(void *arg, uint32_t what, const void *row) {
  struct answer *a = arg;
  const char *commit = ((const struct hf_ref *)row)->commit;
  if (!commit || !hf_is_commit(commit)) return HF_OK; /* a broken ref is absent */
  TRY(keep(a->c, &commit));
  return give(a, what, &commit, sizeof commit);
}

static hf_status on_text(void *arg, uint32_t what, const void *row) {
  struct answer *a = arg;
  const struct hf_text *t = row;
  const char *text = hf_call_intern(a->c, t->text ? t->text : "", t->text ? t->len : 0);
  if (!text) return hf_call_failf(a->c, HF_ENOMEM, "no memory for the store's answer");
  return give(a, what, &text, sizeof text);
}

/* A call that answers with exactly one row has that row, or found nothing. */
static hf_status one(hf_call *c, hf_store *s, const struct answer *a, hf_status st) {
  if (st != HF_OK || a->count == 1) return st;
  if (a->count == 0) return HF_ENOTFOUND;
  return hf_call_failf(c, HF_EABI, "store %s answered %u times instead of once", s->mod->m->name, a->count);
}

/* Between in and out; expr_ may use `slot`. */
#define ASK(c_, s_, st_, what_, on_, arg_, expr_)                               \
  do {                                                                          \
    hf_slot slot = {.fn = (on_), .arg = (arg_), .want = (what_), .call = (c_)}; \
    struct hf_guard guard;                                                      \
    hf_store_in(&guard, (c_), (s_), NULL);                                      \
    (st_) = (expr_);                                                            \
    hf_guard_out(&guard, (c_));                                                 \
  } while (0)

#define DO(c_, s_, expr_)                  \
  do {                                     \
    struct hf_guard guard;                 \
    hf_store_in(&guard, (c_), (s_), NULL); \
    hf_status done = (expr_);              \
    hf_guard_out(&guard, (c_));            \
    return done;                           \
  } while (0)

/* ---- arguments ---- */

static hf_status check_name(hf_call *c, const struct hf_name *n) {
  TRY(hf_repo_check(c, &n->repo));
  if (n->commit) TRY(hf_commit_check(c, n->commit));
  return hf_path_check(c, n->path);
}

static hf_status check_ingest(hf_call *c, const struct hf_ingest *in) {
  TRY(check_name(c, &in->name));
  if (in->etag) TRY(hf_etag_check(c, in->etag));
  const char *x = in->xet_hash;
  bool good = !x || strlen(x) == 64;
  for (size_t i = 0; good && x && i < 64; i++) good = isdigit((unsigned char)x[i]) || (x[i] >= 'a' && x[i] <= 'f');
  return good ? HF_OK : hf_call_failf(c, HF_EPROTO, "%s: its Xet hash is not 64 hexadecimal digits", in->name.path);
}

static hf_status check_key(hf_call *c, const struct hf_key *k) {
  TRY(hf_repo_check(c, &k->repo));
  return hf_etag_check(c, k->etag);
}

/* ---- files ---- */

hf_status hf_store_find(hf_call *c, hf_store *s, const struct hf_name *name, struct hf_st_file *out) {
  struct answer a = {.c = c, .out = out, .size = sizeof *out};
  *out = (struct hf_st_file){.struct_size = sizeof *out, .size = HF_SIZE_UNKNOWN};
  TRY(check_name(c, name));
  hf_status st;
  ASK(c, s, st, HF_PUT_FILE, on_file, &a, s->st->find(c, s->obj, name, &slot));
  return one(c, s, &a, st);
}

/* For a store that cannot adopt: what it has of this very commit needs no fetching either. */
static hf_status find_stored(hf_call *c, hf_store *s, const struct hf_ingest *in, struct hf_st_file *out) {
  hf_call_clear(c);
  TRY(hf_store_find(c, s, &in->name, out));
  bool same = !(out->flags & HF_SF_ABSENT) && in->name.commit && out->commit &&
              strcmp(out->commit, in->name.commit) == 0 &&
              (!out->etag || !in->etag || strcmp(out->etag, in->etag) == 0) &&
              (in->size == HF_SIZE_UNKNOWN || out->size == in->size);
  return same ? HF_OK : HF_ENOTFOUND;
}

hf_status hf_store_adopt(hf_call *c, hf_store *s, const struct hf_ingest *in, struct hf_st_file *out) {
  struct answer a = {.c = c, .out = out, .size = sizeof *out};
  *out = (struct hf_st_file){.struct_size = sizeof *out, .size = HF_SIZE_UNKNOWN};
  TRY(check_ingest(c, in));
  hf_status st;
  ASK(c, s, st, HF_PUT_FILE, on_file, &a, s->st->adopt(c, s->obj, in, &slot));
  return st == HF_ENOSYS ? find_stored(c, s, in, out) : one(c, s, &a, st);
}

hf_status hf_store_open_file(hf_call *c, hf_store *s, const struct hf_name *name, struct hf_source **out) {
  struct hf_source *raw = NULL;
  struct hf_guard g;
  *out = NULL;
  TRY(check_name(c, name));
  hf_store_in(&g, c, s, NULL);
  hf_status st = s->st->open_file(c, s->obj, name, &raw);
  hf_guard_out(&g, c);
  TRY(st);
  return hf_source_wrap(c, s, raw, out);
}

hf_status hf_store_absent(hf_call *c, hf_store *s, const struct hf_name *name) {
  TRY(check_name(c, name));
  DO(c, s, s->st->absent(c, s->obj, name));
}

hf_status hf_store_remove(hf_call *c, hf_store *s, const struct hf_name *name) {
  TRY(check_name(c, name));
  DO(c, s, s->st->remove(c, s->obj, name));
}

/* ---- refs ---- */

hf_status hf_store_ref_get(hf_call *c, hf_store *s, const struct hf_repo *repo, const char *name, const char **commit) {
  struct answer a = {.c = c, .out = commit, .size = sizeof *commit};
  *commit = NULL;
  TRY(hf_repo_check(c, repo));
  TRY(hf_ref_check(c, name));
  hf_status st;
  ASK(c, s, st, HF_PUT_REF, on_commit, &a, s->st->ref_get(c, s->obj, repo, name, &slot));
  return one(c, s, &a, st);
}

hf_status hf_store_ref_put(hf_call *c, hf_store *s, const struct hf_repo *repo, const char *name, const char *expect,
                           const char *commit) {
  TRY(hf_repo_check(c, repo));
  TRY(hf_ref_check(c, name));
  if (expect && *expect) TRY(hf_commit_check(c, expect));
  if (commit) TRY(hf_commit_check(c, commit));
  DO(c, s, s->st->ref_put(c, s->obj, repo, name, expect, commit));
}

hf_status hf_store_ref_each(hf_call *c, hf_store *s, const struct hf_repo *repo, hf_row_fn fn, void *arg) {
  TRY(hf_repo_check(c, repo));
  hf_status st;
  ASK(c, s, st, HF_PUT_REF, fn, arg, s->st->ref_each(c, s->obj, repo, &slot));
  return st;
}

/* ---- trees ---- */

hf_status hf_store_tree_get(hf_call *c, hf_store *s, const struct hf_repo *repo, const char *commit, hf_row_fn fn,
                            void *arg) {
  TRY(hf_repo_check(c, repo));
  TRY(hf_commit_check(c, commit));
  hf_status st;
  ASK(c, s, st, HF_PUT_ENTRY, fn, arg, s->st->tree_get(c, s->obj, repo, commit, &slot));
  return st;
}

hf_status hf_store_tree_put(hf_call *c, hf_store *s, const struct hf_repo *repo, const char *commit,
                            const struct hf_tree_entry *rows, uint32_t n) {
  TRY(hf_repo_check(c, repo));
  TRY(hf_commit_check(c, commit));
  for (uint32_t i = 0; i < n; i++) {
    TRY(hf_path_check(c, rows[i].path));
    if (i && strcmp(rows[i - 1].path, rows[i].path) >= 0)
      return hf_call_failf(c, HF_EINVAL, "the listing of commit %s is not in order", commit);
  }
  struct hf_table t = HF_TABLE_N(rows, n);
  DO(c, s, s->st->tree_put(c, s->obj, repo, commit, t));
}

/* ---- blobs ---- */

hf_status hf_store_blob_stat(hf_call *c, hf_store *s, const struct hf_key *key, struct hf_blob *out) {
  struct answer a = {.c = c, .out = out, .size = sizeof *out};
  *out = (struct hf_blob){.struct_size = sizeof *out};
  TRY(check_key(c, key));
  hf_status st;
  ASK(c, s, st, HF_PUT_BLOB, on_blob, &a, s->st->blob_stat(c, s->obj, key, &slot));
  return one(c, s, &a, st);
}

hf_status hf_store_blob_open(hf_call *c, hf_store *s, const struct hf_key *key, struct hf_source **out) {
  struct hf_source *raw = NULL;
  struct hf_guard g;
  *out = NULL;
  TRY(check_key(c, key));
  hf_store_in(&g, c, s, NULL);
  hf_status st = s->st->blob_open(c, s->obj, key, &raw);
  hf_guard_out(&g, c);
  TRY(st);
  return hf_source_wrap(c, s, raw, out);
}

hf_status hf_store_blob_remove(hf_call *c, hf_store *s, const struct hf_key *key) {
  TRY(check_key(c, key));
  DO(c, s, s->st->blob_remove(c, s->obj, key));
}

hf_status hf_store_blob_each(hf_call *c, hf_store *s, const struct hf_repo *repo, hf_row_fn fn, void *arg) {
  struct answer a = {.c = c, .fn = fn, .arg = arg};
  if (repo) TRY(hf_repo_check(c, repo));
  hf_status st;
  ASK(c, s, st, HF_PUT_BLOB, on_blob, &a, s->st->blob_each(c, s->obj, repo, &slot));
  return st;
}

hf_status hf_store_repo_each(hf_call *c, hf_store *s, hf_row_fn fn, void *arg) {
  hf_status st;
  ASK(c, s, st, HF_PUT_REF, fn, arg, s->st->repo_each(c, s->obj, &slot));
  return st;
}

hf_status hf_store_scan(hf_call *c, hf_store *s, const struct hf_repo *repo, uint32_t flags, hf_row_fn fn, void *arg) {
  if (repo) TRY(hf_repo_check(c, repo));
  hf_status st;
  ASK(c, s, st, HF_PUT_HELD, fn, arg, s->st->scan(c, s->obj, repo, flags, &slot));
  if (st != HF_ENOSYS) return st;
  hf_call_clear(c);
  return hf_held_scan(c, s, repo, flags, fn, arg);
}

static hf_status store_expunge(hf_call *c, hf_store *s, struct hf_table t) {
  DO(c, s, s->st->expunge(c, s->obj, t));
}

hf_status hf_store_expunge(hf_call *c, hf_store *s, const struct hf_held *rows, uint32_t n) {
  struct hf_table t = HF_TABLE_N(rows, n);
  hf_status st = store_expunge(c, s, t);
  if (st != HF_ENOSYS) return st;
  hf_call_clear(c);
  return hf_held_expunge(c, s, rows, n);
}

/* ---- places ---- */

static hf_status ask_space(hf_call *c, hf_store *s, struct answer *a) {
  hf_status st;
  ASK(c, s, st, HF_PUT_TEXT, on_text, a, s->st->space(c, s->obj, &slot));
  return one(c, s, a, st);
}

hf_status hf_store_space(hf_call *c, hf_store *s, uint64_t *available, const char **volume) {
  const char *text = NULL;
  struct answer a = {.c = c, .out = &text, .size = sizeof text};
  *available = UINT64_MAX;
  if (volume) *volume = "";
  TRY(ask_space(c, s, &a));
  char *end;
  unsigned long long v = strtoull(text, &end, 10);
  if (end == text || (*end && *end != ' '))
    return hf_call_failf(c, HF_EABI, "store %s does not tell its free space as a number", s->mod->m->name);
  *available = v;
  if (volume && *end) *volume = end + 1;
  return HF_OK;
}

hf_status hf_store_folder(hf_call *c, hf_store *s, const struct hf_repo *repo, const char *commit, const char **path) {
  struct answer a = {.c = c, .out = path, .size = sizeof *path};
  *path = NULL;
  TRY(hf_repo_check(c, repo));
  if (commit) TRY(hf_commit_check(c, commit));
  hf_status st;
  ASK(c, s, st, HF_PUT_TEXT, on_text, &a, s->st->folder(c, s->obj, repo, commit, &slot));
  return one(c, s, &a, st);
}

/* ---- bytes in ---- */

hf_status hf_store_sink(hf_call *c, hf_store *s, const struct hf_ingest *in, struct hf_sink **raw) {
  *raw = NULL;
  TRY(check_ingest(c, in));
  struct hf_guard g;
  hf_store_in(&g, c, s, NULL);
  hf_status st = s->st->ingest(c, s->obj, in, raw);
  hf_guard_out(&g, c);
  if (st == HF_OK && !*raw) st = hf_call_failf(c, HF_EABI, "store %s gave no sink", s->mod->m->name);
  return st;
}

hf_status hf_store_publish(hf_call *c, hf_store *s, void *const *seals, uint32_t n, hf_row_fn fn, void *arg) {
  struct answer a = {.c = c, .fn = fn, .arg = arg};
  hf_status st;
  ASK(c, s, st, HF_PUT_FILE, on_file, &a, s->st->publish(c, s->obj, seals, n, &slot));
  return st;
}

void hf_store_discard(hf_store *s, void *seal) {
  struct hf_guard g;
  hf_store_in(&g, NULL, s, NULL);
  s->st->discard(s->obj, seal);
  hf_guard_out(&g, NULL);
}

hf_status hf_store_lease(hf_call *c, hf_store *s, const struct hf_key *key, uint32_t ttl_ms, void **lease) {
  *lease = NULL;
  TRY(check_key(c, key));
  DO(c, s, s->st->lease_take(c, s->obj, key, ttl_ms, lease));
}

hf_status hf_store_beat(hf_call *c, hf_store *s, void *lease) {
  DO(c, s, s->st->lease_beat(c, s->obj, lease));
}

void hf_store_unlease(hf_store *s, void *lease) {
  struct hf_guard g;
  hf_store_in(&g, NULL, s, NULL);
  s->st->lease_drop(s->obj, lease);
  hf_guard_out(&g, NULL);
}

/* The caller's strings need not outlive this function: the sink gets copies in the call's arena. */
hf_status hf_store_ingest(hf_call *c, hf_store *s, const struct hf_ingest *in, struct hf_sink **out) {
  struct hf_sink_opts o = {.what = *in, .store = s};
  struct hf_sink *raw;
  *out = NULL;
  TRY(keep(c, &o.what.name.repo.type));
  TRY(keep(c, &o.what.name.repo.id));
  TRY(keep(c, &o.what.name.commit));
  TRY(keep(c, &o.what.name.path));
  TRY(keep(c, &o.what.etag));
  TRY(keep(c, &o.what.xet_hash));
  TRY(hf_store_sink(c, s, &o.what, &raw));
  return hf_sink_wrap(c, raw, &o, out);
}

static hf_status first_file(void *arg, uint32_t what, const void *row) {
  (void)what;
  if (arg) *(struct hf_st_file *)arg = *(const struct hf_st_file *)row;
  return HF_OK;
}

hf_status hf_sink_close(hf_call *c, struct hf_sink *s, hf_status st, int keep_partial, struct hf_st_file *out) {
  hf_store *store = ((struct hf_wrap *)s)->store;
  void *seal;
  if (out) *out = (struct hf_st_file){.struct_size = sizeof *out, .size = HF_SIZE_UNKNOWN};
  if (st != HF_OK) {
    hf_sink_abort(s, keep_partial);
    return st;
  }
  TRY(hf_sink_seal(c, s, &seal));
  return hf_store_publish(c, store, &seal, 1, first_file, out);
}
