/* scan_read.c - reads a source for a pass over it. A large one on two threads: one reads and sums blocks, the other computes the
 * digests of what was read, so that it takes as long as the digest alone. A few pieces of one buffer go round between the two.
 * Where no thread is to be had, or all processors scan already, the reader does both. */
#include "bytes.h"
#include "call.h"

enum { READ = 1 << 20, FROM = 16 << 20, PIECE = 512 << 10, PIECES = 4 };

/* Files of this process that are being scanned. */
static _Atomic uint32_t scanning;

struct ahead {
  struct hf_job job;
  struct hf_pass *pass;
  uint8_t *data;
  pthread_mutex_t lock; /* everything below */
  pthread_cond_t moved;
  size_t len[PIECES];
  uint64_t put, taken;
  bool runs, ending;
};

/* Under lock, which is open meanwhile. */
static void take(struct ahead *a) {
  uint32_t i = a->taken % PIECES;
  pthread_mutex_unlock(&a->lock);
  hf_pass_digest(a->pass, a->data + (size_t)i * PIECE, a->len[i]);
  pthread_mutex_lock(&a->lock);
  a->taken++;
  pthread_cond_signal(&a->moved);
}

static void digest(void *arg) {
  struct ahead *a = arg;
  pthread_mutex_lock(&a->lock);
  for (;;) {
    while (a->taken == a->put && !a->ending) pthread_cond_wait(&a->moved, &a->lock);
    if (a->taken == a->put) break;
    take(a);
  }
  a->runs = false;
  pthread_cond_signal(&a->moved);
  pthread_mutex_unlock(&a->lock);
}

/* Under lock: until at most `left` pieces wait to be digested; by whoever is there to do it. */
static void drain(hf_call *c, struct ahead *a, uint64_t left) {
  while (a->put - a->taken > left) {
    if (a->runs && hf_work_take_back(c->rt->work, &a->job)) a->runs = false;
    if (a->runs)
      pthread_cond_wait(&a->moved, &a->lock);
    else
      take(a);
  }
}

static hf_status read_piece(hf_call *c, struct hf_source *s, void *to, size_t len, uint64_t off, size_t *got) {
  *got = 0;
  TRY(s->pread(c, s, to, len, off, got));
  return *got ? HF_OK : hf_call_failf(c, HF_ECONFLICT, "%s became shorter while it was being read; try again", s->name);
}

static hf_status read_pieces(hf_call *c, struct hf_source *s, struct ahead *a) {
  hf_status st = HF_OK;
  for (uint64_t off = 0; off < s->size;) {
    uint32_t i = a->put % PIECES;
    uint8_t *to = a->data + (size_t)i * PIECE;
    size_t got;
    if ((st = read_piece(c, s, to, PIECE, off, &got)) != HF_OK) break;
    hf_pass_sums(a->pass, to, got);
    off += got;
    pthread_mutex_lock(&a->lock);
    a->len[i] = got;
    a->put++;
    pthread_cond_signal(&a->moved);
    drain(c, a, PIECES - 1);
    pthread_mutex_unlock(&a->lock);
  }
  pthread_mutex_lock(&a->lock);
  a->ending = true;
  pthread_cond_signal(&a->moved);
  drain(c, a, 0);
  while (a->runs && !hf_work_take_back(c->rt->work, &a->job)) pthread_cond_wait(&a->moved, &a->lock);
  pthread_mutex_unlock(&a->lock);
  return st;
}

static hf_status read_by_two(hf_call *c, struct hf_source *s, struct hf_pass *p) {
  struct ahead a = {.pass = p, .job = {.fn = digest, .arg = &a}, .runs = true};
  struct hf_buf buf;
  TRY(hf_buf_get(c, (size_t)PIECES * PIECE, &buf));
  a.data = buf.data;
  pthread_mutex_init(&a.lock, NULL);
  pthread_cond_init(&a.moved, NULL);
  if (hf_work_add(c->rt->work, &a.job) != HF_OK) a.runs = false;
  hf_status st = read_pieces(c, s, &a);
  hf_buf_put(&buf);
  pthread_cond_destroy(&a.moved);
  pthread_mutex_destroy(&a.lock);
  return st;
}

static hf_status read_alone(hf_call *c, struct hf_source *s, struct hf_pass *p) {
  struct hf_buf buf;
  TRY(hf_buf_get(c, s->size < READ ? (size_t)s->size + 1 : READ, &buf));
  hf_status st = HF_OK;
  for (uint64_t off = 0; st == HF_OK && off < s->size;) {
    size_t got;
    st = read_piece(c, s, buf.data, buf.len, off, &got);
    if (st == HF_OK) hf_pass_add(p, buf.data, got);
    off += got;
  }
  hf_buf_put(&buf);
  return st;
}

hf_status hf_pass_read(hf_call *c, struct hf_source *s, struct hf_pass *p) {
  bool large = s->size >= FROM, room = large && atomic_fetch_add(&scanning, 1) + 1 < hf_processors();
  hf_status st = room && (s->caps & HF_IO_CONCURRENT) ? read_by_two(c, s, p) : read_alone(c, s, p);
  if (large) atomic_fetch_sub(&scanning, 1);
  return st;
}
