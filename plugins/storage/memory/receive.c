/* receive.c - files on their way into memory, and read from it: sink, publication, source.
 * Content of known size is one block from the start; else it grows by half. The store's limit
 * is kept before anything is allocated, so a server that lies about a size costs nothing. */
#include "memory.h"

struct mem_sink {
  struct hf_sink sink;
  struct memory *m;
  struct mem_blob *blob;
  pthread_mutex_t lock; /* content while it is written; writers of disjoint ranges take turns */
  struct hf_repo repo;
  char *type, *id, *commit, *path;
};

static struct mem_sink *sink_of(struct hf_sink *s) {
  return (struct mem_sink *)(void *)s; /* its first member */
}

static hf_status make_room(hf_call *c, struct mem_sink *s, uint64_t want) {
  struct memory *m = s->m;
  struct mem_blob *b = s->blob;
  if (want <= b->room) return HF_OK;
  if (s->sink.size == HF_SIZE_UNKNOWN && want < b->room + b->room / 2) want = b->room + b->room / 2;
  pthread_mutex_lock(&m->lock);
  bool fits = want <= SIZE_MAX && m->held - b->room <= m->limit && want <= m->limit - (m->held - b->room);
  if (fits) m->held += want - b->room;
  pthread_mutex_unlock(&m->lock);
  if (!fits)
    return H->failf(c, HF_ENOSPACE, "%s does not fit into the memory store (limit %llu bytes); use a folder instead.",
                    s->path, (unsigned long long)m->limit);
  char *data = H->resize(b->data, want ? (size_t)want : 1);
  if (!data) {
    pthread_mutex_lock(&m->lock);
    m->held -= want - b->room;
    pthread_mutex_unlock(&m->lock);
    return H->failf(c, HF_ENOMEM, "Out of memory while receiving %s.", s->path);
  }
  memset(data + b->room, 0, (size_t)(want - b->room));
  b->data = data;
  b->room = want;
  return HF_OK;
}

static hf_status set_size(hf_call *c, struct hf_sink *sink, uint64_t size) {
  struct mem_sink *s = sink_of(sink);
  if (sink->size == size) return HF_OK;
  if (sink->size != HF_SIZE_UNKNOWN)
    return H->failf(c, HF_EPROTO, "The server changed the size of %s while it was sent; try again.", s->path);
  pthread_mutex_lock(&s->lock);
  hf_status st = make_room(c, s, size);
  if (st == HF_OK) sink->size = size;
  pthread_mutex_unlock(&s->lock);
  return st;
}

static hf_status sink_writev(hf_call *c, struct hf_sink *sink, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct mem_sink *s = sink_of(sink);
  uint64_t end = off;
  for (uint32_t i = 0; i < n; i++) {
    if (iov[i].len > UINT64_MAX / 2 - end) return H->failf(c, HF_EINVAL, "A write into %s is out of range.", s->path);
    end += iov[i].len;
  }
  if (sink->size != HF_SIZE_UNKNOWN && end > sink->size)
    return H->failf(c, HF_EPROTO, "More bytes came for %s than it has.", s->path);
  pthread_mutex_lock(&s->lock);
  hf_status st = make_room(c, s, end);
  if (st == HF_OK) {
    for (uint32_t i = 0; i < n; off += iov[i++].len)
      if (iov[i].len) memcpy(s->blob->data + off, iov[i].base, iov[i].len);
    if (end > s->blob->size) s->blob->size = end;
  }
  pthread_mutex_unlock(&s->lock);
  return st;
}

static hf_status sink_pread(hf_call *c, struct hf_sink *sink, void *buf, size_t len, uint64_t off, size_t *got) {
  struct mem_sink *s = sink_of(sink);
  (void)c;
  pthread_mutex_lock(&s->lock);
  uint64_t have = off < s->blob->size ? s->blob->size - off : 0;
  *got = have < len ? (size_t)have : len;
  if (*got) memcpy(buf, s->blob->data + off, *got);
  pthread_mutex_unlock(&s->lock);
  return HF_OK;
}

static void sink_free(struct mem_sink *s) {
  pthread_mutex_lock(&s->m->lock);
  mem_blob_put(s->m, s->blob);
  pthread_mutex_unlock(&s->m->lock);
  pthread_mutex_destroy(&s->lock);
  char *const own[] = {s->type, s->id, s->commit, s->path};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) H->release(own[i]);
  H->release(s);
}

static hf_status checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  (void)c;
  (void)s;
  (void)wait;
  return HF_OK;
}

static hf_status seal(hf_call *c, struct hf_sink *sink, const struct hf_digest *is, void **out) {
  struct mem_sink *s = sink_of(sink);
  (void)is;
  if (sink->size != HF_SIZE_UNKNOWN && s->blob->size != sink->size) {
    hf_status st = H->failf(c, HF_EDIGEST, "%s is shorter than it should be; try again.", s->path);
    sink_free(s);
    return st;
  }
  *out = s;
  return HF_OK;
}

static void sink_abort(struct hf_sink *s, int32_t keep_partial) {
  (void)keep_partial;
  sink_free(sink_of(s));
}

static const struct hf_sink functions = {.struct_size = sizeof(struct hf_sink),
                                         .caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK,
                                         .size = HF_SIZE_UNKNOWN,
                                         .set_size = set_size,
                                         .writev = sink_writev,
                                         .pread = sink_pread,
                                         .checkpoint = checkpoint,
                                         .seal = seal,
                                         .abort = sink_abort};

hf_status mem_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct memory *m = store;
  const char *etag = in->etag ? in->etag : in->name.path;
  struct mem_sink *s = mem_alloc(c, sizeof *s);
  if (!s) return HF_ENOMEM;
  size_t n = strlen(etag) + 1;
  s->sink = functions;
  s->m = m;
  pthread_mutex_init(&s->lock, NULL);
  s->blob = mem_alloc(c, sizeof *s->blob + n);
  s->type = mem_dup(c, in->name.repo.type);
  s->id = mem_dup(c, in->name.repo.id);
  s->commit = mem_dup(c, in->name.commit ? in->name.commit : "");
  s->path = mem_dup(c, in->name.path);
  hf_status st = s->blob && s->type && s->id && s->commit && s->path ? HF_OK : HF_ENOMEM;
  if (s->blob) {
    memcpy(s->blob->etag, etag, n);
    s->blob->users = 1;
  }
  s->repo = (struct hf_repo){s->type, s->id};
  if (st == HF_OK && in->size != HF_SIZE_UNKNOWN) st = set_size(c, &s->sink, in->size);
  if (st != HF_OK) {
    sink_free(s);
    return st;
  }
  *out = &s->sink;
  return HF_OK;
}

hf_status mem_put_file(hf_slot *slot, const char *commit, const struct mem_blob *b) {
  struct hf_st_file f = {.struct_size = sizeof f, .commit = commit, .etag = b->etag, .size = b->size};
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

static int64_t wall_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static hf_status publish_one(hf_call *c, struct memory *m, struct mem_sink *s) {
  struct mem_repo *r = mem_repo_of(c, m, &s->repo, true);
  if (!r) return HF_ENOMEM;
  struct mem_blob *old = mem_blob_of(r, s->blob->etag), *b = s->blob;
  if (old && old->size == b->size && (!b->size || !memcmp(old->data, b->data, (size_t)b->size))) {
    b = old; /* equal content is kept once */
  } else {
    if (old) mem_blob_unlist(m, r, old);
    b->made_ns = b->used_ns = wall_ns();
    mem_blob_list(r, b);
  }
  return mem_show(c, m, r, s->commit, s->path, b);
}

hf_status mem_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *slot) {
  struct memory *m = store;
  hf_status st = HF_OK;
  pthread_mutex_lock(&m->lock);
  for (uint32_t i = 0; i < n && st == HF_OK; i++) st = publish_one(c, m, seals[i]);
  pthread_mutex_unlock(&m->lock);
  for (uint32_t i = 0; i < n && st == HF_OK; i++) {
    struct mem_sink *s = seals[i];
    st = mem_put_file(slot, s->commit, s->blob);
  }
  for (uint32_t i = 0; i < n; i++) sink_free(seals[i]);
  return st;
}

void mem_discard(void *store, void *seal) {
  (void)store;
  sink_free(seal);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct mem_source {
  struct hf_source source;
  struct memory *m;
  struct mem_blob *blob;
  char name[];
};

static hf_status source_pread(hf_call *c, struct hf_source *source, void *buf, size_t len, uint64_t off, size_t *got) {
  const struct mem_blob *b = ((struct mem_source *)(void *)source)->blob;
  (void)c;
  uint64_t have = off < b->size ? b->size - off : 0;
  *got = have < len ? (size_t)have : len;
  if (*got) memcpy(buf, b->data + off, *got);
  return HF_OK;
}

static void source_close(struct hf_source *source) {
  struct mem_source *s = (struct mem_source *)(void *)source;
  pthread_mutex_lock(&s->m->lock);
  mem_blob_put(s->m, s->blob);
  pthread_mutex_unlock(&s->m->lock);
  H->release(s);
}

/* With the lock held. */
hf_status mem_source_open(hf_call *c, struct memory *m, struct mem_blob *b, const char *name, struct hf_source **out) {
  size_t n = strlen(name) + 1;
  struct mem_source *s = mem_alloc(c, sizeof *s + n);
  if (!s) return HF_ENOMEM;
  memcpy(s->name, name, n);
  s->m = m;
  s->blob = b;
  b->users++;
  b->used_ns = wall_ns();
  s->source = (struct hf_source){.struct_size = sizeof s->source,
                                 .caps = HF_IO_CONCURRENT,
                                 .size = b->size,
                                 .name = s->name,
                                 .pread = source_pread,
                                 .close = source_close};
  *out = &s->source;
  return HF_OK;
}
