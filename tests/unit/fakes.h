/* fakes.h - a store in memory and two adapters whose behaviour a test sets, registered as built-in modules: what the tests of
 * sink, store, fetch and layers run the core against. Every call is counted; partial files outlive their sinks.
 * Included by one source file per program. */
#ifndef HF_TEST_FAKES_H
#define HF_TEST_FAKES_H
#define HF_STATIC_PLUGIN fakes
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#undef fail /* check has a macro of that name, the host a member */
#include "core.h"

#pragma GCC diagnostic ignored "-Wunused-function" /* a program uses what it needs */

#define COMMIT     "0123456789abcdef0123456789abcdef01234567"
#define FAKES_MOST 2048

struct fake_blob { /* partial or published */
  char *key, *path;
  uint8_t *data, *note;
  size_t size, cap, note_len;
  uint64_t full;
  bool sealed, busy;
};
static struct fake {
  pthread_mutex_t lock;
  struct fake_blob *partial[FAKES_MOST], *published[FAKES_MOST];
  uint32_t partials, publisheds;
  uint32_t sink_caps;
  bool no_notes;
  uint64_t space, write_fails_at; /* bytes; 0: never */
  /* seen */
  uint32_t calls, ingests, groups, largest_group, discards, aborts, kept, leases, beats, drops, finds, adopts;
  uint64_t written, read_back, writes;
  hf_status publish_fails, open_fails;
  char last_path[256];
} fake;

static const struct hf_host *fake_host;
static hf_status fake_load(const struct hf_host *h, void **state) {
  fake_host = h;
  *state = NULL;
  return HF_OK;
}

static void fake_blob_free(struct fake_blob *b) {
  free(b->key), free(b->path), free(b->data), free(b->note), free(b);
}

static void fake_reset(void) {
  for (uint32_t i = 0; i < fake.partials; i++) fake_blob_free(fake.partial[i]);
  for (uint32_t i = 0; i < fake.publisheds; i++) fake_blob_free(fake.published[i]);
  memset(&fake, 0, sizeof fake);
  pthread_mutex_init(&fake.lock, NULL);
  fake.sink_caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK;
  fake.space = UINT64_MAX;
}

struct fake_sink {
  struct hf_sink s;
  struct fake_blob *b;
};

static void fake_grow(struct fake_blob *b, uint64_t size) { /* under lock */
  if (size > b->cap) {
    size_t cap = size < 4096 ? 4096 : size * 3 / 2;
    if (b->full != HF_SIZE_UNKNOWN && b->full >= size) cap = b->full;
    b->data = realloc(b->data, cap);
    memset(b->data + b->cap, 0, cap - b->cap);
    b->cap = cap;
  }
  if (size > b->size) b->size = size;
}

static hf_status fake_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  struct fake_blob *b = ((struct fake_sink *)s)->b;
  if (size > fake.space) return fake_host->failf(c, HF_ENOSPACE, "fake disk is full");
  pthread_mutex_lock(&fake.lock);
  s->size = b->full = size;
  if (size < 1 << 28) {
    size_t was = b->size;
    fake_grow(b, size); /* no realloc while writers are at it */
    b->size = was;
  }
  pthread_mutex_unlock(&fake.lock);
  return HF_OK;
}

static hf_status fake_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct fake_blob *b = ((struct fake_sink *)s)->b;
  uint64_t end = off;
  for (uint32_t i = 0; i < n; i++) end += iov[i].len;
  pthread_mutex_lock(&fake.lock);
  fake.written += end - off;
  fake.writes++;
  bool fails = fake.write_fails_at && fake.written >= fake.write_fails_at;
  fake_grow(b, end);
  pthread_mutex_unlock(&fake.lock);
  if (fails) return fake_host->failf(c, HF_ENOSPACE, "fake disk is full");
  for (uint32_t i = 0; i < n; off += iov[i++].len) memcpy(b->data + off, iov[i].base, iov[i].len);
  return HF_OK;
}

static hf_status fake_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct fake_blob *b = ((struct fake_sink *)s)->b;
  (void)c;
  pthread_mutex_lock(&fake.lock);
  size_t n = off >= b->size ? 0 : b->size - off < len ? (size_t)(b->size - off) : len;
  fake.read_back += n;
  pthread_mutex_unlock(&fake.lock);
  if (n) memcpy(buf, b->data + off, n);
  *got = n;
  return HF_OK;
}

static hf_status fake_note_read(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct fake_blob *b = ((struct fake_sink *)s)->b;
  (void)c;
  pthread_mutex_lock(&fake.lock);
  *got = off >= b->note_len ? 0 : b->note_len - off < len ? b->note_len - (size_t)off : len;
  if (*got) memcpy(buf, b->note + off, *got);
  pthread_mutex_unlock(&fake.lock);
  return HF_OK;
}

static hf_status fake_note_write(hf_call *c, struct hf_sink *s, const void *buf, size_t len, uint64_t off) {
  struct fake_blob *b = ((struct fake_sink *)s)->b;
  (void)c;
  pthread_mutex_lock(&fake.lock);
  if (len == 0) b->note_len = (size_t)off;
  if (off + len > b->note_len) {
    b->note = realloc(b->note, (size_t)off + len);
    memset(b->note + b->note_len, 0, (size_t)off + len - b->note_len);
    b->note_len = (size_t)off + len;
  }
  if (len) memcpy(b->note + off, buf, len);
  pthread_mutex_unlock(&fake.lock);
  return HF_OK;
}

static hf_status fake_seal(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **seal) {
  struct fake_sink *f = (struct fake_sink *)s;
  (void)c;
  (void)is;
  f->b->sealed = true;
  if (s->size != HF_SIZE_UNKNOWN) f->b->size = s->size;
  *seal = f->b;
  free(f);
  return HF_OK;
}

static void fake_forget(struct fake_blob *b) { /* under lock */
  for (uint32_t i = 0; i < fake.partials; i++)
    if (fake.partial[i] == b) fake.partial[i] = fake.partial[--fake.partials];
}

static void fake_abort(struct hf_sink *s, int32_t keep) {
  struct fake_sink *f = (struct fake_sink *)s;
  pthread_mutex_lock(&fake.lock);
  fake.aborts++;
  fake.kept += keep != 0;
  f->b->busy = false;
  if (!keep) {
    fake_forget(f->b);
    fake_blob_free(f->b);
  }
  pthread_mutex_unlock(&fake.lock);
  free(f);
}

static struct fake_blob *fake_partial(const char *key) { /* under lock */
  for (uint32_t i = 0; i < fake.partials; i++)
    if (strcmp(fake.partial[i]->key, key) == 0 && !fake.partial[i]->busy && !fake.partial[i]->sealed)
      return fake.partial[i];
  return NULL;
}

static struct fake_blob *fake_published(const char *key, const char *path) { /* either may be NULL */
  for (uint32_t i = 0; i < fake.publisheds; i++)
    if ((!key || strcmp(fake.published[i]->key, key) == 0) && (!path || strcmp(fake.published[i]->path, path) == 0))
      return fake.published[i];
  return NULL;
}

static hf_status fake_open(hf_call *c, const char *uri, void **store) {
  (void)uri;
  if (fake.open_fails) return fake_host->failf(c, fake.open_fails, "fake store does not open");
  *store = &fake;
  return HF_OK;
}

static void fake_close(void *store) {
  (void)store;
}

static hf_status fake_put(struct fake_blob *b, hf_slot *out) {
  char path[300];
  snprintf(path, sizeof path, "/fake/%s", b->path);
  struct hf_st_file f = {.struct_size = sizeof f, .path = path, .commit = COMMIT, .etag = b->key, .size = b->size};
  return fake_host->put(out, HF_PUT_FILE, &f, sizeof f);
}

static hf_status fake_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *out) {
  (void)c;
  (void)store;
  pthread_mutex_lock(&fake.lock);
  fake.calls++;
  fake.finds++;
  snprintf(fake.last_path, sizeof fake.last_path, "%s", name->path);
  struct fake_blob *b = fake_published(NULL, name->path);
  pthread_mutex_unlock(&fake.lock);
  return b ? fake_put(b, out) : HF_ENOTFOUND;
}

static hf_status fake_adopt(hf_call *c, void *store, const struct hf_ingest *in, hf_slot *out) {
  (void)c;
  (void)store;
  pthread_mutex_lock(&fake.lock);
  fake.calls++;
  fake.adopts++;
  struct fake_blob *b = in->etag ? fake_published(in->etag, NULL) : NULL;
  pthread_mutex_unlock(&fake.lock);
  return b ? fake_put(b, out) : HF_ENOTFOUND;
}

static hf_status fake_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct fake_sink *f = calloc(1, sizeof *f);
  const char *key = in->etag ? in->etag : in->name.path;
  (void)c;
  (void)store;
  pthread_mutex_lock(&fake.lock);
  fake.calls++;
  fake.ingests++;
  f->b = fake_partial(key);
  bool resumes = f->b != NULL;
  if (!f->b) {
    f->b = calloc(1, sizeof *f->b);
    f->b->key = strdup(key);
    f->b->path = strdup(in->name.path);
    f->b->full = HF_SIZE_UNKNOWN;
    ck_assert(fake.partials < FAKES_MOST);
    fake.partial[fake.partials++] = f->b;
  }
  f->b->busy = true;
  pthread_mutex_unlock(&fake.lock);
  f->s = (struct hf_sink){.struct_size = sizeof f->s,
                          .caps = fake.sink_caps | (resumes ? HF_IO_RESUMES : 0),
                          .size = HF_SIZE_UNKNOWN,
                          .set_size = fake_set_size,
                          .writev = fake_writev,
                          .pread = fake.sink_caps & HF_IO_READ_BACK ? fake_pread : NULL,
                          .note_read = fake.no_notes ? NULL : fake_note_read,
                          .note_write = fake.no_notes ? NULL : fake_note_write,
                          .seal = fake_seal,
                          .abort = fake_abort};
  *out = &f->s;
  return HF_OK;
}

static void fake_discard(void *store, void *seal) {
  (void)store;
  pthread_mutex_lock(&fake.lock);
  fake.discards++;
  fake_forget(seal);
  fake_blob_free(seal);
  pthread_mutex_unlock(&fake.lock);
}

static hf_status fake_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *out) {
  if (fake.publish_fails) {
    for (uint32_t i = 0; i < n; i++) fake_discard(store, seals[i]);
    return fake_host->failf(c, fake.publish_fails, "fake store does not publish");
  }
  pthread_mutex_lock(&fake.lock);
  fake.calls++;
  fake.groups++;
  if (n > fake.largest_group) fake.largest_group = n;
  for (uint32_t i = 0; i < n; i++) {
    fake_forget(seals[i]);
    ck_assert(fake.publisheds < FAKES_MOST);
    fake.published[fake.publisheds++] = seals[i];
  }
  pthread_mutex_unlock(&fake.lock);
  for (uint32_t i = 0; i < n; i++) {
    hf_status st = fake_put(seals[i], out);
    if (st != HF_OK) return st;
  }
  return HF_OK;
}

struct fake_source {
  struct hf_source s;
  const uint8_t *data;
  size_t size;
};

static hf_status fake_source_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct fake_source *f = (struct fake_source *)s;
  (void)c;
  *got = off >= f->size ? 0 : f->size - off < len ? (size_t)(f->size - off) : len;
  if (*got) memcpy(buf, f->data + off, *got);
  return HF_OK;
}

static void fake_source_close(struct hf_source *s) {
  free(s);
}

static struct hf_source *fake_source(const void *data, size_t size) {
  struct fake_source *f = calloc(1, sizeof *f);
  f->s = (struct hf_source){.struct_size = sizeof f->s,
                            .caps = HF_IO_CONCURRENT,
                            .size = size,
                            .name = "fake",
                            .pread = fake_source_pread,
                            .close = fake_source_close};
  f->data = data;
  f->size = size;
  return &f->s;
}

static hf_status fake_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  (void)c;
  (void)store;
  fake.calls++;
  struct fake_blob *b = fake_published(NULL, name->path);
  if (!b) return HF_ENOTFOUND;
  *out = fake_source(b->data, b->size);
  return HF_OK;
}

static hf_status fake_blob_open(hf_call *c, void *store, const struct hf_key *key, struct hf_source **out) {
  (void)c;
  (void)store;
  fake.calls++;
  struct fake_blob *b = fake_published(key->etag, NULL);
  if (!b) return HF_ENOTFOUND;
  *out = fake_source(b->data, b->size);
  return HF_OK;
}

static hf_status fake_blob_stat(hf_call *c, void *store, const struct hf_key *key, hf_slot *out) {
  (void)c;
  (void)store;
  fake.calls++;
  struct fake_blob *p = fake_published(key->etag, NULL);
  if (!p) return HF_ENOTFOUND;
  struct hf_blob b = {.struct_size = sizeof b, .key = *key, .size = p->size, .refs = 1};
  return fake_host->put(out, HF_PUT_BLOB, &b, sizeof b);
}

static hf_status fake_lease_take(hf_call *c, void *store, const struct hf_key *key, uint32_t ttl, void **lease) {
  (void)c;
  (void)store;
  (void)ttl;
  __atomic_add_fetch(&fake.leases, 1, __ATOMIC_SEQ_CST);
  *lease = (void *)(uintptr_t)key->etag;
  return HF_OK;
}

static hf_status fake_lease_beat(hf_call *c, void *store, void *lease) {
  (void)c;
  (void)store;
  (void)lease;
  __atomic_add_fetch(&fake.beats, 1, __ATOMIC_SEQ_CST);
  return HF_OK;
}

static void fake_lease_drop(void *store, void *lease) {
  (void)store;
  (void)lease;
  __atomic_add_fetch(&fake.drops, 1, __ATOMIC_SEQ_CST);
}

static hf_status fake_space(hf_call *c, void *store, hf_slot *out) {
  char text[64];
  (void)c;
  (void)store;
  snprintf(text, sizeof text, "%llu fake-volume", (unsigned long long)fake.space);
  struct hf_text t = {text, strlen(text)};
  return fake_host->put(out, HF_PUT_TEXT, &t, sizeof t);
}

static hf_status fake_ref_get(hf_call *c, void *store, const struct hf_repo *repo, const char *name, hf_slot *out) {
  (void)c;
  (void)store;
  fake.calls++;
  struct hf_ref r = {.struct_size = sizeof r, .repo = *repo, .name = name, .commit = COMMIT};
  if (strcmp(name, "none") == 0) return HF_ENOTFOUND;
  if (strcmp(name, "broken") == 0) r.commit = "half";
  hf_status st = fake_host->put(out, HF_PUT_REF, &r, sizeof r);
  if (st == HF_OK && strcmp(name, "twice") == 0) st = fake_host->put(out, HF_PUT_REF, &r, sizeof r);
  return st;
}

static hf_status fake_tree_put(hf_call *c, void *store, const struct hf_repo *repo, const char *commit,
                               struct hf_table t) {
  (void)c;
  (void)store;
  (void)repo;
  (void)commit;
  (void)t;
  fake.calls++;
  return HF_OK;
}

#define FAKE_CAPS (HF_ST_RANDOM_WRITE | HF_ST_RESUME | HF_ST_EXCL_PUBLISH | HF_ST_BLOBS | HF_ST_LEASES)
static struct hf_storage fake_storage = {
    .m = HF_MODULE(hf_storage, HF_KIND_STORAGE, "fake", "a store of the tests", HF_THREADS_ANY, 10, FAKE_CAPS),
    .open = fake_open,
    .close = fake_close,
    .find = fake_find,
    .adopt = fake_adopt,
    .ingest = fake_ingest,
    .publish = fake_publish,
    .discard = fake_discard,
    .open_file = fake_open_file,
    .blob_stat = fake_blob_stat,
    .blob_open = fake_blob_open,
    .ref_get = fake_ref_get,
    .tree_put = fake_tree_put,
    .lease_take = fake_lease_take,
    .lease_beat = fake_lease_beat,
    .lease_drop = fake_lease_drop,
    .space = fake_space};
/* A second store whose sinks take whole parts. */
static struct hf_storage fake_parts;

/* ---- adapters: run functions that a test sets ---- */

typedef hf_status (*fake_run)(hf_call *, const struct hf_tr_batch *, struct hf_tr_file *);
static struct fake_adapter {
  fake_run run;
  int32_t score;
  _Atomic uint32_t opens, runs, closes;
  const struct hf_tr_batch *batch;
} alpha, beta;

static int32_t alpha_score(hf_call *c, const struct hf_tr_batch *b) {
  (void)c;
  (void)b;
  return alpha.score;
}
static int32_t beta_score(hf_call *c, const struct hf_tr_batch *b) {
  (void)c;
  (void)b;
  return beta.score;
}
static hf_status fake_session(struct fake_adapter *a, const struct hf_tr_batch *b, void **session) {
  a->opens++;
  a->batch = b;
  *session = a;
  return HF_OK;
}
static hf_status alpha_open(hf_call *c, const struct hf_tr_batch *b, void **session) {
  (void)c;
  return fake_session(&alpha, b, session);
}
static hf_status beta_open(hf_call *c, const struct hf_tr_batch *b, void **session) {
  (void)c;
  return fake_session(&beta, b, session);
}
static hf_status fake_adapter_run(hf_call *c, void *session, struct hf_tr_file *f) {
  struct fake_adapter *a = session;
  a->runs++;
  return a->run(c, a->batch, f);
}
static hf_status fake_finish(hf_call *c, void *session) {
  (void)c;
  (void)session;
  return HF_OK;
}
static void fake_session_close(void *session) {
  ((struct fake_adapter *)session)->closes++;
}

static const struct hf_transfer alpha_module = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "alpha", "first adapter", HF_THREADS_ANY, 20, HF_TR_DOWNLOAD),
    .score = alpha_score,
    .open = alpha_open,
    .run = fake_adapter_run,
    .finish = fake_finish,
    .close = fake_session_close};
static const struct hf_transfer beta_module = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "beta", "second adapter", HF_THREADS_ANY, 10, HF_TR_DOWNLOAD),
    .score = beta_score,
    .open = beta_open,
    .run = fake_adapter_run,
    .finish = fake_finish,
    .close = fake_session_close};
static const struct hf_module *const fake_modules[] = {&fake_storage.m, &fake_parts.m, &alpha_module.m, &beta_module.m};
HF_PLUGIN("fakes", "1.0.0", "Apache-2.0", "modules of the tests", fake_load, NULL, fake_modules,
          {HF_KIND_STORAGE, 10, FAKE_CAPS, "fake", ""});

/* ---- a runtime and a call for each test ---- */

static hf_runtime *rt;
static hf_call *call;
static const struct hf_plugin *const fake_statics[] = {&hf_plugin_v1_fakes, NULL};

static void fake_start(void) {
  char argv0[4096];
  fake_reset();
  memset(&alpha, 0, sizeof alpha);
  memset(&beta, 0, sizeof beta);
  alpha.score = 100;
  beta.score = 50;
  fake_parts = fake_storage;
  fake_parts.m.name = "parts";
  fake_parts.m.caps |= HF_ST_PART_WRITE;
  fake_parts.part_min = 1 << 16;
  fake_parts.part_max = 1 << 16;
  const char *build = getenv("HF_TEST_BUILD");
  snprintf(argv0, sizeof argv0, "%s/bin/hf", build ? build : ".");
  struct hf_runtime_opts o = {.struct_size = sizeof o,
                              .flags = HF_RT_NO_PLUGINS | HF_RT_NO_CONFIG_FILE,
                              .statics = fake_statics,
                              .argv0 = argv0};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
  ck_assert(hf_call_begin(rt, &call) == HF_OK);
}

static void fake_stop(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  rt = NULL;
  fake_reset();
}

static const char *why(void) {
  const struct hf_error *e = hf_call_error(call);
  return e && e->message ? e->message : "no error";
}

#define OK(x)                                                                   \
  do {                                                                          \
    hf_status ok_ = (x);                                                        \
    ck_assert_msg(ok_ == HF_OK, "%s: %s (%s)", #x, hf_status_name(ok_), why()); \
  } while (0)
#define FAILS(code_, x)                                                                                 \
  do {                                                                                                  \
    hf_status is_ = (x);                                                                                \
    ck_assert_msg(is_ == (code_), "%s: %s instead of %s (%s)", #x, hf_status_name(is_), #code_, why()); \
    hf_call_clear(call);                                                                                \
  } while (0)

static hf_store *fake_store(const char *uri) {
  hf_store *s = NULL;
  OK(hf_store_open(call, uri, &s));
  return s;
}

/* Bytes that differ at every place and with every seed. */
static uint8_t *fake_bytes(size_t n, uint64_t seed) {
  uint8_t *p = malloc(n ? n : 1);
  uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    p[i] = (uint8_t)(x >> 32);
  }
  return p;
}

/* A key of ours is the digest of the bytes, as 64 (SHA-256) or 40 (git blob) hex digits. */
static void fake_etag(uint32_t algo, const void *data, size_t n, char out[65]) {
  hf_digester *d;
  struct hf_digest is;
  OK(hf_digest_new(call, algo, n, &d));
  hf_digest_add(d, data, n);
  hf_digest_end(d, &is);
  for (uint32_t i = 0; i < is.len; i++) snprintf(out + 2 * i, 3, "%02x", is.bytes[i]);
}

static struct hf_ingest fake_what(const char *path, const char *etag, uint64_t size) {
  return (struct hf_ingest){.struct_size = sizeof(struct hf_ingest),
                            .name = {{"model", "org/repo"}, COMMIT, path},
                            .etag = etag,
                            .size = size};
}

static hf_status put_range(struct hf_sink *s, const uint8_t *data, uint64_t off, size_t len) {
  struct hf_iov iov = {data + off, len};
  return s->writev(call, s, off, &iov, 1);
}
#endif
