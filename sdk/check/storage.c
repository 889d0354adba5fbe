/* storage.c - the helpers of the storage rules: files are made, stored, found and compared here.
 * They call the backend as the core does: arguments that passed the core's checks, one object by one thread at a time.
 */
#include "storage.h"

#include <fcntl.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };

static struct hf_digest digest_of(struct bench *b, uint64_t size, uint64_t seed) {
  hf_digester *d;
  struct hf_digest out = {0};
  uint8_t buf[CHUNK];
  expect_ok(b, b->h->digest_new(b->c, HF_DIGEST_SHA256, size, &d), "the host's digest");
  for (uint64_t off = 0; off < size; off += sizeof buf) {
    size_t n = size - off < sizeof buf ? (size_t)(size - off) : sizeof buf;
    fill(buf, n, off, seed);
    b->h->digest_add(d, buf, n);
  }
  b->h->digest_end(d, &out);
  return out;
}

struct file make_file(struct bench *b, const char *path, const char *commit, uint64_t size, uint64_t seed) {
  struct file f = {.path = path, .commit = commit, .size = size, .seed = seed};
  f.digest = digest_of(b, size, seed);
  hex(f.etag, f.digest.bytes, 32);
  return f;
}

struct hf_name name_of(struct bench *b, const struct file *f) {
  return (struct hf_name){b->repo, f->commit, f->path};
}

struct hf_key key_of(struct bench *b, const struct file *f) {
  return (struct hf_key){b->repo, f->etag};
}

struct hf_ingest ingest_of(struct bench *b, const struct file *f) {
  return (struct hf_ingest){.struct_size = sizeof(struct hf_ingest),
                            .name = name_of(b, f),
                            .etag = f->etag,
                            .digest = f->digest,
                            .size = f->size};
}

struct hf_sink *begin(struct bench *b, const struct file *f) {
  struct hf_ingest in = ingest_of(b, f);
  struct hf_sink *s = NULL;
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest");
  EXPECT(s != NULL, "ingest succeeded without a sink");
  EXPECT(s->struct_size >= offsetof(struct hf_sink, set_size), "the sink has no struct_size");
  EXPECT(s->writev && s->seal && s->abort, "the sink lacks writev, seal or abort");
  if (s->set_size) expect_ok(b, s->set_size(b->c, s, f->size), "set_size");
  return s;
}

/* A store of whole parts gets whole parts; everybody else gets pieces of odd sizes. */
void put_range(struct bench *b, struct hf_sink *s, const struct file *f, uint64_t off, uint64_t len) {
  bool parts = b->m->caps & HF_ST_PART_WRITE;
  size_t piece = parts ? (size_t)(b->st->part_min ? b->st->part_min : 1 << 20) : 60013;
  uint8_t *buf = malloc(piece);
  EXPECT(buf != NULL, "out of memory for a part of %zu bytes", piece);
  for (uint64_t end = off + len; off < end;) {
    size_t n = end - off < piece ? (size_t)(end - off) : piece;
    fill(buf, n, off, f->seed);
    struct hf_iov v = {buf, n};
    expect_ok(b, s->writev(b->c, s, off, &v, 1), "writev");
    off += n;
  }
  free(buf);
}

void put_all(struct bench *b, struct hf_sink *s, const struct file *f) {
  put_range(b, s, f, 0, f->size);
}

void *seal(struct bench *b, struct hf_sink *s, const struct file *f) {
  void *out = NULL;
  expect_ok(b, s->seal(b->c, s, &f->digest, &out), "seal");
  EXPECT(out != NULL, "seal succeeded without a seal");
  return out;
}

struct one_file {
  struct hf_st_file f;
  char path[4096], commit[64], etag[256];
  uint32_t n;
};

static hf_status on_file(void *arg, uint32_t what, const void *row) {
  struct one_file *o = arg;
  (void)what;
  o->n++;
  o->f = *(const struct hf_st_file *)row;
  if (o->f.path) snprintf(o->path, sizeof o->path, "%s", o->f.path), o->f.path = o->path;
  if (o->f.commit) snprintf(o->commit, sizeof o->commit, "%s", o->f.commit), o->f.commit = o->commit;
  if (o->f.etag) snprintf(o->etag, sizeof o->etag, "%s", o->f.etag), o->f.etag = o->etag;
  return HF_OK;
}

static void row_is_right(struct bench *b, const struct hf_st_file *r, const struct file *f, const char *who) {
  EXPECT(!(r->flags & HF_SF_ABSENT), "%s says that the file does not exist", who);
  EXPECT(r->size == f->size || r->size == HF_SIZE_UNKNOWN, "%s gave size %llu instead of %llu", who,
         (unsigned long long)r->size, (unsigned long long)f->size);
  EXPECT(!r->commit || !f->commit || strcmp(r->commit, f->commit) == 0, "%s gave commit %s instead of %s", who,
         r->commit, f->commit);
  EXPECT(!r->etag || strcmp(r->etag, f->etag) == 0, "%s gave etag %s instead of %s", who, r->etag, f->etag);
  if (!(b->m->caps & HF_ST_LOCAL_PATH)) return;
  EXPECT(r->path && r->path[0] == '/', "%s gave no absolute path, though local-path is among its capabilities", who);
  EXPECT(access(r->path, R_OK) == 0, "%s gave the path %s, which cannot be read", who, r->path);
}

void publish(struct bench *b, void *one, const struct file *f) {
  struct one_file o = {.n = 0};
  expect_ok(b, b->st->publish(b->c, b->store, &one, 1, hf_slot_new(b->c, HF_PUT_FILE, on_file, &o)), "publish");
  EXPECT(o.n == 1, "publish of one seal gave %u rows", o.n);
  row_is_right(b, &o.f, f, "publish");
}

void store_file(struct bench *b, const struct file *f) {
  struct hf_sink *s = begin(b, f);
  put_all(b, s, f);
  publish(b, seal(b, s, f), f);
}

hf_status find(struct bench *b, const struct hf_name *n, struct hf_st_file *out) {
  static struct one_file o;
  memset(&o, 0, sizeof o);
  hf_status st = b->st->find(b->c, b->store, n, hf_slot_new(b->c, HF_PUT_FILE, on_file, &o));
  if (st == HF_ENOTFOUND) {
    EXPECT(o.n == 0, "find gave a row and answered HF_ENOTFOUND");
    b->h->clear(b->c);
    return st;
  }
  expect_ok(b, st, "find");
  EXPECT(o.n == 1, "find answered HF_OK with %u rows", o.n);
  if (out) *out = o.f;
  return HF_OK;
}

void expect_source(struct bench *b, struct hf_source *s, const struct file *f) {
  uint8_t buf[CHUNK];
  EXPECT(s && s->pread && s->close, "the source lacks pread or close");
  EXPECT(s->size == f->size, "the source has size %llu instead of %llu", (unsigned long long)s->size,
         (unsigned long long)f->size);
  EXPECT(s->name != NULL, "the source has no name");
  for (uint64_t off = 0;;) {
    size_t got = 0;
    expect_ok(b, s->pread(b->c, s, buf, sizeof buf, off, &got), "pread");
    EXPECT(got <= sizeof buf && off + got <= f->size, "pread gave more than there is");
    EXPECT(same(buf, got, off, f->seed), "%s: wrong bytes at %llu", f->path, (unsigned long long)off);
    off += got;
    EXPECT(got == sizeof buf || off == f->size, "%s: pread ended at %llu of %llu", f->path, (unsigned long long)off,
           (unsigned long long)f->size);
    if (got < sizeof buf) break;
  }
  s->close(s);
}

static void expect_path(const char *path, const struct file *f) {
  uint8_t buf[CHUNK];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT(fd >= 0, "%s cannot be opened", path);
  uint64_t off = 0;
  for (ssize_t n; (n = read(fd, buf, sizeof buf)) > 0; off += (uint64_t)n)
    EXPECT(same(buf, (size_t)n, off, f->seed), "%s holds wrong bytes", path);
  EXPECT(off == f->size, "%s holds %llu bytes instead of %llu", path, (unsigned long long)off,
         (unsigned long long)f->size);
  close(fd);
}

void expect_there(struct bench *b, const struct file *f) {
  struct hf_name n = name_of(b, f);
  struct hf_st_file row;
  EXPECT(find(b, &n, &row) == HF_OK, "%s was published and is not found", f->path);
  row_is_right(b, &row, f, "find");
  if (row.path) expect_path(row.path, f);
  struct hf_source *s = NULL;
  expect_ok(b, b->st->open_file(b->c, b->store, &n, &s), "open_file");
  expect_source(b, s, f);
}

void expect_absent(struct bench *b, const struct file *f, const char *when) {
  struct hf_name n = name_of(b, f);
  struct hf_st_file row = {0};
  if (find(b, &n, &row) == HF_OK) EXPECT(row.flags & HF_SF_ABSENT, "%s is found %s", f->path, when);
}

void open_store(struct bench *b) {
  b->st = b->backend;
  expect_ok(b, b->st->open(b->c, b->uri, &b->store), "open");
  expect_ok(b, hf_layers_around_store(b->c, &b->st, &b->store), "putting layers around it");
}

void reopen(struct bench *b) {
  b->st->close(b->store);
  b->store = NULL;
  open_store(b);
}

bool at_once(struct bench *b) {
  return b->m->threads == HF_THREADS_ANY;
}

/* Texts of a row are the backend's during put() only. */
static void own(struct rows *r, const char **text) {
  if (*text) *text = hf_host()->intern(r->c, *text, SIZE_MAX);
}

static hf_status on_row(void *arg, uint32_t what, const void *row) {
  struct rows *r = arg;
  if (what == HF_PUT_REF && r->n < COUNT(r->refs)) {
    struct hf_ref *ref = &r->refs[r->n];
    *ref = *(const struct hf_ref *)row;
    own(r, &ref->repo.type), own(r, &ref->repo.id), own(r, &ref->name), own(r, &ref->commit);
  }
  if (what == HF_PUT_BLOB && r->n < COUNT(r->blobs)) {
    struct hf_blob *blob = &r->blobs[r->n];
    *blob = *(const struct hf_blob *)row;
    own(r, &blob->key.repo.type), own(r, &blob->key.repo.id), own(r, &blob->key.etag);
  }
  if (what == HF_PUT_ENTRY && r->n < r->room) {
    struct hf_tree_entry *e = &r->entries[r->n];
    *e = *(const struct hf_tree_entry *)row;
    own(r, &e->path), own(r, &e->blob_id), own(r, &e->lfs_sha256), own(r, &e->xet_hash);
  }
  if (what == HF_PUT_TEXT) {
    const struct hf_text *t = row;
    snprintf(r->text, sizeof r->text, "%.*s", (int)(t->len < sizeof r->text ? t->len : sizeof r->text - 1), t->text);
  }
  r->n++;
  return HF_OK;
}

hf_slot *collect(struct bench *b, uint32_t what, struct rows *r) {
  r->c = b->c;
  hf_slot *s = hf_slot_new(b->c, what, on_row, r);
  EXPECT(s != NULL, "out of memory");
  return s;
}
