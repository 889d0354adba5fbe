/* cache_keep.c - an entry of the chunk cache while it is written: a file of its own under a lock, which gets its name when all of it
 * is there. A crash leaves a file that the next one to need room removes.
 * That something cannot be kept is no failure: it is told once, and the file is fetched as ever. */
#include "cache.h"
#include "format/xorb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

#define STEP ((uint64_t)8 << 20)

struct xet_keep {
  struct xet_cache *cache;
  struct xet_hash xorb;
  int fd;
  bool broken;
  uint32_t start, count, room;
  uint64_t first, raw, taken; /* where the first chunk begins; bytes of chunks; how long the file is */
  struct xet_cache_row *rows;
  char path[XET_CACHE_PATH];
};

static void give_up(hf_call *c, struct xet_keep *e, const char *why) {
  struct xet_cache *k = e->cache;
  e->broken = true;
  pthread_mutex_lock(&k->lock);
  bool tell = !k->told && c;
  k->told = true;
  pthread_mutex_unlock(&k->lock);
  if (tell) xet_host->log(c, HF_LOG_INFO, "chunks cannot be kept in %s: %s", k->folder, why);
}

static size_t tail_of(uint32_t count) {
  return count * sizeof(struct xet_cache_row) + sizeof(struct xet_cache_tail);
}

static bool make_file(struct xet_keep *e) {
  char folder[XET_CACHE_PATH];
  uint64_t number = 0;
  if (!xet_cache_folder(e->cache, &e->xorb, true, folder)) return false;
  if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) return false;
  if (snprintf(e->path, sizeof e->path, "%s/tmp-%016" PRIx64, folder, number) >= XET_CACHE_PATH) return false;
  e->fd = xet_open_own(e->path, O_RDWR | O_CREAT | O_EXCL);
  return e->fd >= 0 && flock(e->fd, LOCK_EX | LOCK_NB) == 0;
}

struct xet_keep *xet_keep_begin(hf_call *c, struct xet_cache *k, const struct xet_hash *xorb, uint32_t start,
                                uint64_t least) {
  struct xet_keep *e = k && least + tail_of(1) <= k->most ? calloc(1, sizeof *e) : NULL;
  if (!e) return NULL;
  e->cache = k;
  e->xorb = *xorb;
  e->start = start;
  e->fd = -1;
  if (make_file(e)) return e;
  give_up(c, e, strerror(errno));
  xet_keep_end(e, false);
  return NULL;
}

static bool add_rows(struct xet_keep *e, const size_t *len, const struct xet_hash *hashes, uint32_t n) {
  if (e->count + n > XET_XORB_CHUNKS_MAX) return false;
  if (e->count + n > e->room) {
    uint32_t room = e->room * 2 > e->count + n ? e->room * 2 : e->count + n + 64;
    struct xet_cache_row *more = realloc(e->rows, room * sizeof *more);
    if (!more) return false;
    e->rows = more;
    e->room = room;
  }
  for (uint32_t i = 0; i < n; i++) {
    memcpy(e->rows[e->count].hash, hashes[i].b, 32);
    e->rows[e->count++].len = (uint32_t)len[i];
  }
  return true;
}

static bool write_all(int fd, struct iovec *v, int n, uint64_t at) {
  while (n) {
    ssize_t done = pwritev(fd, v, n, (off_t)at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += (uint64_t)done;
    for (; n && (size_t)done >= v->iov_len; v++, n--) done -= (ssize_t)v->iov_len;
    if (n) *v = (struct iovec){(char *)v->iov_base + done, v->iov_len - (size_t)done};
  }
  return true;
}

/* Room for so many bytes and the table behind them. */
static bool take_room(struct xet_keep *e, uint64_t raw, uint32_t count) {
  uint64_t need = raw + tail_of(count), to = (need + STEP - 1) / STEP * STEP;
  if (need <= e->taken) return true;
  if (to > e->cache->most) to = e->cache->most;
  if (need > to || !xet_room_take(e->cache, e->fd, e->taken, to)) return false;
  e->taken = to;
  return true;
}

void xet_keep_chunks(hf_call *c, struct xet_keep *e, uint64_t at, const void *const *data, const size_t *len,
                     const struct xet_hash *hashes, uint32_t n) {
  struct iovec v[16];
  uint64_t sum = 0;
  if (!e || e->broken) return;
  for (uint32_t i = 0; i < n && i < 16; i++) {
    v[i] = (struct iovec){(void *)(uintptr_t)data[i], len[i]};
    sum += len[i];
  }
  if (!e->count) e->first = at;
  if (n > 16 || at - e->first != e->raw || !add_rows(e, len, hashes, n)) {
    e->broken = true;
    return;
  }
  errno = 0;
  if (!take_room(e, e->raw + sum, e->count) || !write_all(e->fd, v, (int)n, e->raw))
    give_up(c, e, errno ? strerror(errno) : "it is full of what others still write");
  e->raw += sum;
}

void xet_keep_again(struct xet_keep *e) {
  if (!e) return;
  e->raw = 0;
  e->count = 0;
}

static bool finish(struct xet_keep *e) {
  struct xet_cache_tail tail = {
      .magic = XET_CACHE_MAGIC, .start = e->start, .count = e->count, .raw = (uint32_t)e->raw};
  char text[65], folder[XET_CACHE_PATH], name[XET_CACHE_PATH];
  memcpy(tail.xorb, e->xorb.b, 32);
  tail.check = xet_cache_check(e->rows, &tail);
  struct iovec v[2] = {{e->rows, e->count * sizeof *e->rows}, {&tail, sizeof tail}};
  if (!write_all(e->fd, v, 2, e->raw)) return false;
  xet_hash_print(&e->xorb, text);
  xet_cache_folder(e->cache, &e->xorb, false, folder);
  snprintf(name, sizeof name, "%.*s/%s-%" PRIu32 "-%" PRIu32 "-%s", XET_CACHE_PATH - XET_CACHE_NAME, folder, text,
           e->start, e->start + e->count, e->cache->endpoint);
  return xet_room_settle(e->cache, e->fd, e->taken, e->raw + tail_of(e->count), e->path, name);
}

void xet_keep_end(struct xet_keep *e, bool good) {
  if (!e) return;
  if (e->fd >= 0 && (!good || e->broken || !e->count || !finish(e)))
    xet_room_settle(e->cache, e->fd, e->taken, 0, e->path, NULL);
  if (e->fd >= 0) close(e->fd);
  free(e->rows);
  free(e);
}
