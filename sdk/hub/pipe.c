/* pipe.c - bytes of one file as records, in order, while they arrive: a store with one sink, which keeps nothing. The core puts
 * bytes in order, verifies them as for any store, and says at the end whether they were right.
 * What was written cannot be taken back: a file that arrives damaged is not begun again. Or a part of a file in memory, which
 * takes any order. */
#include "hub.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIPES = 64, PIECE = 1 << 20 };

static struct hf_hub_pipe *pipes[PIPES]; /* by the number in their address */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct pipe_sink {
  struct hf_sink s; /* first */
  struct hf_hub_pipe *pipe;
};

/* ---- the sink ---- */

static hf_status set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  (void)c;
  s->size = size;
  return HF_OK;
}

static hf_status writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct hf_hub_pipe *p = ((struct pipe_sink *)s)->pipe;
  if (off != p->written) return hf_hub_fail(c, HF_EINTERNAL, NULL, "The bytes of a stream came in another order.");
  for (uint32_t i = 0; i < n; i++) {
    const char *at = iov[i].base;
    for (size_t left = iov[i].len, len; left; left -= len, at += len) {
      len = left < PIECE ? left : PIECE;
      p->written += len;
      TRY(hf_host()->record(p->out, HF_OUT_BYTES, at, len));
    }
  }
  return HF_OK;
}

/* What of n bytes at off lies in the window; *at: where it begins there. */
static size_t overlap(const struct hf_hub_pipe *p, uint64_t off, size_t n, size_t *skip, size_t *at) {
  uint64_t from = off > p->at.off ? off : p->at.off, end = p->at.off + p->at.len, to = off + n < end ? off + n : end;
  if (from >= to) return 0;
  *skip = (size_t)(from - off);
  *at = (size_t)(from - p->at.off);
  return (size_t)(to - from);
}

static hf_status window_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct hf_hub_pipe *p = ((struct pipe_sink *)s)->pipe;
  (void)c;
  for (uint32_t i = 0; i < n; off += iov[i++].len) {
    size_t skip, at, len = overlap(p, off, iov[i].len, &skip, &at);
    if (len) memcpy(p->window + at, (const char *)iov[i].base + skip, len);
  }
  return HF_OK;
}

static hf_status window_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  const struct hf_hub_pipe *p = ((struct pipe_sink *)s)->pipe;
  size_t skip, at, n = overlap(p, off, len, &skip, &at);
  (void)c;
  memset(buf, 0, len);
  if (n) memcpy((char *)buf + skip, p->window + at, n);
  *got = len;
  return HF_OK;
}

static hf_status seal(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **out) {
  (void)c, (void)is;
  *out = s;
  return HF_OK;
}

static void end(struct hf_sink *s, int32_t keep) {
  (void)keep;
  free(s);
}

/* ---- the store ---- */

static hf_status open_pipe(hf_call *c, const char *uri, void **store) {
  const char *number = strchr(uri, ':');
  unsigned long i = number ? strtoul(number + 1, NULL, 10) : PIPES;
  pthread_mutex_lock(&lock);
  *store = i < PIPES ? pipes[i] : NULL;
  pthread_mutex_unlock(&lock);
  return *store ? HF_OK : hf_hub_fail(c, HF_EINVAL, NULL, "A stream is not a place to keep files; name another store.");
}

static void close_pipe(void *store) {
  (void)store;
}

static hf_status find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  (void)store, (void)slot;
  return hf_hub_fail(c, HF_ENOTFOUND, NULL, "'%s' is not kept.", name->path);
}

static hf_status ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct hf_hub_pipe *p = store;
  if (p->written)
    return hf_hub_fail(c, HF_EDIGEST, NULL,
                       "'%s' arrived damaged, and was written out already; discard it and try again.", in->name.path);
  struct pipe_sink *s = calloc(1, sizeof *s);
  if (!s) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  s->pipe = p;
  s->s = (struct hf_sink){
      .struct_size = sizeof s->s, .size = in->size, .set_size = set_size, .writev = writev, .seal = seal, .abort = end};
  if (p->window) {
    s->s.caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK;
    s->s.writev = window_writev;
    s->s.pread = window_pread;
  }
  *out = &s->s;
  return HF_OK;
}

static hf_status publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *slot) {
  hf_status st = HF_OK;
  (void)c, (void)store;
  for (uint32_t i = 0; i < n; i++) {
    struct hf_sink *s = seals[i];
    struct hf_st_file f = {.struct_size = sizeof f, .size = s->size};
    if (st == HF_OK) st = hf_host()->put(slot, HF_PUT_FILE, &f, sizeof f);
    free(s);
  }
  return st;
}

static void discard(void *store, void *given) {
  (void)store;
  free(given);
}

static hf_status open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  (void)store, (void)out;
  return hf_hub_fail(c, HF_ENOTFOUND, NULL, "'%s' is not kept.", name->path);
}

const struct hf_storage hf_hub_pipe_store = {
    .m = HF_MODULE(hf_storage, HF_KIND_STORAGE, "hub-pipe", "bytes of one file as they arrive", HF_THREADS_ANY, 0, 0),
    .open = open_pipe,
    .close = close_pipe,
    .find = find,
    .ingest = ingest,
    .publish = publish,
    .discard = discard,
    .open_file = open_file};

/* ---- opening and using it ---- */

hf_status hf_hub_pipe_open(hf_call *c, struct hf_hub_pipe *p, hf_store **store) {
  unsigned i = 0;
  pthread_mutex_lock(&lock);
  while (i < PIPES && pipes[i]) i++;
  if (i < PIPES) pipes[i] = p;
  pthread_mutex_unlock(&lock);
  if (i == PIPES) return hf_hub_fail(c, HF_EINVAL, NULL, "Too many streams at once; wait for one to end.");
  const char *uri = hf_hub_text(c, "hub-pipe:%u", i);
  hf_status st = uri ? hf_store_open(c, uri, store) : HF_ENOMEM;
  pthread_mutex_lock(&lock);
  pipes[i] = NULL;
  pthread_mutex_unlock(&lock);
  return st;
}

hf_status hf_hub_copy_out(hf_call *c, hf_out *out, const char *path) {
  struct hf_source *s;
  struct hf_buf buf;
  TRY(hf_source_file(c, path, 0, NULL, &s, NULL));
  hf_status st = hf_host()->buf_get(c, PIECE, &buf);
  size_t got = 0;
  for (uint64_t off = 0; st == HF_OK && off < s->size; off += got) {
    st = s->pread(c, s, buf.data, buf.len, off, &got);
    if (st == HF_OK && got == 0) break;
    if (st == HF_OK) st = hf_host()->record(out, HF_OUT_BYTES, buf.data, got);
  }
  if (buf.data) hf_host()->buf_put(&buf);
  s->close(s);
  return st;
}
