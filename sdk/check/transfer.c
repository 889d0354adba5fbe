/* transfer.c - the sink in memory, and batches around an adapter.
 * The sink merges what it is given into ranges, as the core's journal does, and answers missing() from them.
 */
#include "transfer.h"

#include <unistd.h>

/* ---- the sink ---- */

static hf_status on_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  struct memory_sink *m = (struct memory_sink *)s;
  EXPECT(s->size != HF_SIZE_UNKNOWN || size <= m->room, "set_size said %llu for a smaller file",
         (unsigned long long)size);
  pthread_mutex_lock(&m->lock);
  bool other = s->size != HF_SIZE_UNKNOWN && s->size != size;
  if (!other) s->size = size;
  pthread_mutex_unlock(&m->lock);
  return other ? hf_host()->failf(c, HF_EPROTO, "The size changed from %llu to %llu", (unsigned long long)s->size,
                                  (unsigned long long)size)
               : HF_OK;
}

static hf_status on_missing(hf_call *c, struct hf_sink *s, struct hf_range *out, uint32_t *n) {
  struct memory_sink *m = (struct memory_sink *)s;
  uint32_t room = *n, found = 0;
  (void)c;
  m->asked++;
  pthread_mutex_lock(&m->lock);
  if (s->size == HF_SIZE_UNKNOWN) {
    uint64_t front = m->count && m->held[0].off == 0 ? m->held[0].len : 0;
    if (room) out[found++] = (struct hf_range){front, HF_SIZE_UNKNOWN};
  } else {
    uint64_t at = 0;
    for (uint32_t i = 0; i <= m->count && found < room; i++) {
      uint64_t next = i < m->count ? m->held[i].off : s->size;
      if (next > at) out[found++] = (struct hf_range){at, next - at};
      if (i < m->count) at = m->held[i].off + m->held[i].len;
    }
  }
  pthread_mutex_unlock(&m->lock);
  *n = found;
  return HF_OK;
}

/* Under lock. */
static void hold(struct memory_sink *m, uint64_t off, uint64_t len) {
  uint32_t i = 0, j;
  if (!len) return;
  while (i < m->count && m->held[i].off + m->held[i].len < off) i++;
  uint64_t from = off, end = off + len;
  for (j = i; j < m->count && m->held[j].off <= end; j++) {
    if (m->held[j].off < from) from = m->held[j].off;
    if (m->held[j].off + m->held[j].len > end) end = m->held[j].off + m->held[j].len;
  }
  EXPECT(m->count + 1 - (j - i) <= HELD_MAX, "the file arrives in more than %d pieces", HELD_MAX);
  memmove(&m->held[i + 1], &m->held[j], (m->count - j) * sizeof m->held[0]);
  m->count = m->count - (j - i) + 1;
  m->held[i] = (struct hf_range){from, end - from};
}

static hf_status on_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  struct memory_sink *m = (struct memory_sink *)s;
  if (m->delay_us) usleep(m->delay_us);
  for (uint32_t i = 0; i < n; i++) {
    uint64_t end = s->size == HF_SIZE_UNKNOWN ? m->room : s->size;
    EXPECT(off <= end && v[i].len <= end - off, "bytes were written at %llu+%zu of a file of %llu",
           (unsigned long long)off, v[i].len, (unsigned long long)end);
    pthread_mutex_lock(&m->lock);
    bool full = m->written + v[i].len > m->fail_at;
    if (!full) {
      memcpy(m->data + off, v[i].base, v[i].len);
      m->written += v[i].len;
      m->writes++;
      hold(m, off, v[i].len);
    }
    pthread_mutex_unlock(&m->lock);
    if (full)
      return hf_host()->fail(
          c, &(struct hf_error){
                 .struct_size = sizeof(struct hf_error), .code = m->fail_with, .message = "The judge's disk is full"});
    off += v[i].len;
  }
  return HF_OK;
}

static hf_status on_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct memory_sink *m = (struct memory_sink *)s;
  uint64_t end = s->size == HF_SIZE_UNKNOWN ? m->room : s->size;
  (void)c;
  *got = off >= end ? 0 : len < end - off ? len : (size_t)(end - off);
  memcpy(buf, m->data + (off < end ? off : 0), *got);
  return HF_OK;
}

static hf_status on_lend(hf_call *c, struct hf_sink *s, uint64_t off, size_t len, struct hf_span *out) {
  void *p = malloc(len ? len : 1);
  (void)s;
  if (!p) return hf_host()->failf(c, HF_ENOMEM, "No memory to lend");
  *out = (struct hf_span){p, len, off, p};
  return HF_OK;
}
static void on_drop(struct hf_sink *s, struct hf_span *p) {
  (void)s;
  free(p->cookie);
}
static hf_status on_commit(hf_call *c, struct hf_sink *s, struct hf_span *p, size_t len) {
  struct hf_iov v = {p->base, len};
  hf_status st = on_writev(c, s, p->off, &v, 1);
  on_drop(s, p);
  return st;
}
static hf_status on_leaf(hf_call *c, struct hf_sink *s, uint64_t off, uint64_t len, const uint8_t hash[32]) {
  (void)c, (void)s, (void)off, (void)len, (void)hash;
  return HF_OK;
}
static hf_status on_checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  (void)c, (void)s, (void)wait;
  return HF_OK;
}

struct memory_sink *sink_new(struct bench *b, uint64_t size, uint64_t room) {
  (void)b;
  struct memory_sink *m = calloc(1, sizeof *m);
  if (m) m->data = malloc(room ? room : 1);
  EXPECT(m && m->data, "out of memory");
  pthread_mutex_init(&m->lock, NULL);
  m->room = room;
  m->fail_at = UINT64_MAX;
  m->s = (struct hf_sink){.struct_size = sizeof m->s,
                          .caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK | HF_IO_LENDS,
                          .size = size,
                          .set_size = on_set_size,
                          .missing = on_missing,
                          .writev = on_writev,
                          .pread = on_pread,
                          .lend = on_lend,
                          .commit = on_commit,
                          .drop = on_drop,
                          .leaf = on_leaf,
                          .checkpoint = on_checkpoint};
  return m;
}

void sink_hold(struct memory_sink *m, uint64_t off, uint64_t len, uint64_t seed) {
  fill(m->data + off, (size_t)len, off, seed);
  hold(m, off, len);
}

bool sink_complete(struct memory_sink *m, uint64_t size) {
  return m->s.size == size &&
         (size == 0 ? m->count == 0 : m->count == 1 && m->held[0].off == 0 && m->held[0].len == size);
}

void expect_received(struct memory_sink *m, uint64_t size, uint64_t seed) {
  EXPECT(m->s.size == size, "run succeeded, and the sink's size is %llu instead of %llu", (unsigned long long)m->s.size,
         (unsigned long long)size);
  EXPECT(sink_complete(m, size), "run succeeded although the sink still lacks bytes");
  EXPECT(same(m->data, (size_t)size, 0, seed), "run succeeded with wrong bytes");
}

/* ---- a batch ---- */

struct work *work_new(struct bench *b, uint32_t direction) {
  struct work *w = calloc(1, sizeof *w);
  EXPECT(w != NULL, "out of memory");
  w->b = b;
  w->batch = (struct hf_tr_batch){.struct_size = sizeof w->batch,
                                  .direction = direction,
                                  .repo_type = "model",
                                  .repo_id = "check/files",
                                  .revision = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                  .endpoint = "http://127.0.0.1",
                                  .files = w->files};
  return w;
}

struct job *add_download(struct work *w, const char *behaviour, uint64_t size, uint64_t seed, bool size_known) {
  uint32_t i = w->batch.count++;
  struct job *j = &w->jobs[i];
  w->files[i] = &j->f;
  j->seed = seed;
  snprintf(j->path, sizeof j->path, "file-%u.bin", i);
  server_url(w->b->server, j->url, sizeof j->url, behaviour, size, seed);
  uint64_t said = size_known ? size : HF_SIZE_UNKNOWN;
  j->sink = sink_new(w->b, said, size_known ? size : size + 4096);
  j->f = (struct hf_tr_file){.struct_size = sizeof j->f, .path = j->path, .url = j->url, .size = said};
  return j;
}

void open_session(struct work *w) {
  struct bench *b = w->b;
  int32_t score = b->tr->score(b->c, &w->batch);
  if (score == 0) skipped("its score for such a batch is 0");
  EXPECT(score > 0, "score is %d", score);
  w->tr = b->tr;
  expect_ok(b, w->tr->open(b->c, &w->batch, &w->session), "open");
  expect_ok(b, hf_layers_around_session(b->c, &w->tr, &w->session), "putting layers around it");
}

hf_status run(struct work *w, struct job *j) {
  j->f.sink = w->batch.direction == HF_TR_DOWNLOAD ? &j->sink->s : NULL;
  hf_status st = w->tr->run(w->b->c, w->session, &j->f);
  EXPECT(st <= 0 || w->batch.direction == HF_TR_UPLOAD, "run of a download answered %d", st);
  if (st == HF_OK && w->batch.direction == HF_TR_DOWNLOAD) {
    struct hf_range r;
    uint32_t n = 1;
    on_missing(w->b->c, &j->sink->s, &r, &n);
    EXPECT(n == 0, "run succeeded although the sink still lacks %llu bytes at %llu", (unsigned long long)r.len,
           (unsigned long long)r.off);
  }
  return st;
}

void run_ok(struct work *w, struct job *j) {
  expect_ok(w->b, run(w, j), "run");
  expect_received(j->sink, j->sink->s.size, j->seed);
}

void close_session(struct work *w, bool finish) {
  if (finish) expect_ok(w->b, w->tr->finish(w->b->c, w->session), "finish");
  w->tr->close(w->session);
}

void one_fails(struct bench *b, const char *behaviour, uint64_t size, hf_status want) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, behaviour, size, 3, true);
  open_session(w);
  hf_status st = run(w, j);
  EXPECT(st < 0, "run succeeded");
  const struct hf_error *e = b->h->error(b->c);
  EXPECT(e && e->message && *e->message, "run failed without a sentence in its call");
  expect_fails(b, st, want, "run");
  close_session(w, false);
}

void one_succeeds(struct bench *b, const char *behaviour, uint64_t size, bool size_known) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, behaviour, size, 5, size_known);
  open_session(w);
  expect_ok(b, run(w, j), "run");
  expect_received(j->sink, size, 5);
  close_session(w, true);
}
