/* recall.c - what this machine knows of the CAS, across processes: the chunks of xorbs that the CAS acknowledged (so that an upload
 * that was killed does not send them again, and an edited file only what changed) and of those its answers told of, with their
 * keys. HF_XET_CACHE/libhf/ENDPOINT.known, beside what hf_xet keeps there; mode 0600, appended to under a lock, each record
 * checked by itself, bounded, records end with their time. Nothing here fails: what is not known is sent. */
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAGIC = 0x314e4b58, ROW = 36, PATH_MOST = 4096, AHEAD = 86400, KEYS_MOST = 8 };
#define SIZE_MOST ((uint64_t)32 << 20)
#define LIFE      (7 * (uint64_t)86400)

struct head {
  uint32_t magic, len; /* with the rows: hash, length of each chunk */
  uint64_t check;      /* of everything behind it */
  uint64_t created, expires;
  uint32_t count, unused;
  struct xet_hash xorb, key;
};
#define RECORD_MOST (sizeof(struct head) + (size_t)ROW * XET_XORB_CHUNKS_MAX)

struct recall {
  char path[PATH_MOST];
  uint64_t most;
  int fd; /* as it was when it was loaded; -1: nothing was */
  pthread_mutex_t lock;
  bool told, forgotten;
};

/* ---- life ---- */

/* "16gb", "500mb", "0". */
static uint64_t size_of(const char *text) {
  static const char units[] = "kmgt";
  char *end = NULL;
  if (!text || !*text) return SIZE_MOST;
  uint64_t v = strtoull(text, &end, 10);
  const char *unit = *end ? strchr(units, *end | 32) : NULL;
  if (unit && v < SIZE_MOST) v <<= 10 * (unit - units + 1);
  return v < SIZE_MOST ? v : SIZE_MOST;
}

static bool name_file(struct recall *r, const char *folder, const char *endpoint) {
  struct xet_hash h;
  char text[65];
  xet_blake3(&xet_key_node, endpoint, strlen(endpoint), &h);
  xet_hash_print(&h, text);
  return snprintf(r->path, sizeof r->path, "%s/libhf/%.16s.known", folder, text) < PATH_MOST - 8;
}

struct recall *xet_recall_open(hf_call *c, const char *endpoint) {
  const char *folder = xet_host->option(c, "HF_XET_CACHE");
  uint64_t most = size_of(xet_host->option(c, "shard_cache_size_limit"));
  if (!folder || folder[0] != '/' || !endpoint || most < RECORD_MOST) return NULL;
  struct recall *r = calloc(1, sizeof *r);
  if (!r || !name_file(r, folder, endpoint)) {
    free(r);
    return NULL;
  }
  r->most = most;
  r->fd = -1;
  pthread_mutex_init(&r->lock, NULL);
  return r;
}

void xet_recall_close(struct recall *r) {
  if (!r) return;
  if (r->fd >= 0) close(r->fd);
  pthread_mutex_destroy(&r->lock);
  free(r);
}

/* ---- records ---- */

static uint64_t check_of(const uint8_t *record, size_t len) {
  struct xet_hash h;
  size_t from = offsetof(struct head, created);
  xet_blake3(&xet_key_verify, record + from, len - from, &h);
  return xet_hash_word(&h, 0);
}

/* A whole record at an offset, of at most `left` bytes; buffer: RECORD_MOST. */
static bool read_record(int fd, uint64_t at, uint64_t left, uint8_t *buffer, struct head *h) {
  if (left < sizeof *h || pread(fd, h, sizeof *h, (off_t)at) != (ssize_t)sizeof *h) return false;
  if (h->magic != MAGIC || !h->count || h->count > XET_XORB_CHUNKS_MAX) return false;
  if (h->len != sizeof *h + (size_t)ROW * h->count || h->len > left) return false;
  if (pread(fd, buffer, h->len, (off_t)at) != (ssize_t)h->len) return false;
  memcpy(h, buffer, sizeof *h);
  if (h->len != sizeof *h + (size_t)ROW * h->count || h->check != check_of(buffer, h->len)) return false;
  uint64_t raw = 0;
  for (uint32_t i = 0; i < h->count; i++) {
    uint32_t n;
    memcpy(&n, buffer + sizeof *h + (size_t)ROW * i + 32, sizeof n);
    if (!n || n > XET_CHUNK_MAX) return false;
    raw += n;
  }
  return raw <= XET_XORB_RAW_MAX;
}

static bool is_current(const struct head *h) {
  uint64_t now = (uint64_t)time(NULL);
  return h->created <= now + AHEAD && now < h->expires && h->expires <= h->created + LIFE;
}

/* ---- loading ---- */

/* Every look-up tries every key, so only the newest few count. */
struct newest {
  struct xet_hash key[KEYS_MOST];
  uint32_t count;
};

static bool has_key(const struct newest *n, const struct xet_hash *key) {
  for (uint32_t i = 0; i < n->count && i < KEYS_MOST; i++)
    if (!memcmp(&n->key[i], key, sizeof *key)) return true;
  return false;
}

static bool is_plain(const struct xet_hash *key) {
  static const struct xet_hash none;
  return !memcmp(key, &none, sizeof none);
}

static void find_keys(int fd, uint64_t most, struct newest *n) {
  struct head h;
  for (uint64_t at = 0; at + sizeof h <= most && pread(fd, &h, sizeof h, (off_t)at) == (ssize_t)sizeof h; at += h.len) {
    if (h.magic != MAGIC || h.len < sizeof h) return;
    if (!is_plain(&h.key) && is_current(&h) && !has_key(n, &h.key)) n->key[n->count++ % KEYS_MOST] = h.key;
  }
}

static bool take(struct xet_upload *u, const uint8_t *record, const struct head *h, uint64_t at) {
  bool ok;
  uint32_t key = xet_known_key(u->known, &h->key, &ok);
  struct xorb *x = ok ? xet_xorb_foreign(u, &h->xorb, key) : NULL;
  if (!x) return false;
  x->count = h->count;
  x->kept_at = at;
  for (uint32_t i = 0; i < h->count; i++) {
    struct xet_hash hash;
    memcpy(&hash, record + sizeof *h + (size_t)ROW * i, sizeof hash);
    if (!xet_known_add(u->known, &hash, x, i)) return false;
  }
  return true;
}

/* What was torn by a crash hides everything behind it. */
static void cut(int fd, uint64_t good, uint64_t size) {
  struct stat st;
  if (flock(fd, LOCK_EX) != 0) return;
  if (fstat(fd, &st) == 0 && (uint64_t)st.st_size == size && ftruncate(fd, (off_t)good) != 0) errno = 0;
  flock(fd, LOCK_UN);
}

void xet_recall_load(struct recall *r, struct xet_upload *u) {
  struct newest keys = {.count = 0};
  struct stat st;
  struct head h;
  uint64_t at = 0;
  if (!r) return;
  r->fd = xet_open_own(r->path, O_RDWR);
  uint8_t *buffer = r->fd >= 0 ? malloc(RECORD_MOST) : NULL;
  if (!buffer || fstat(r->fd, &st) != 0) {
    free(buffer);
    return;
  }
  uint64_t size = (uint64_t)st.st_size, most = size < 2 * SIZE_MOST ? size : 2 * SIZE_MOST;
  find_keys(r->fd, most, &keys);
  while (at < most && read_record(r->fd, at, most - at, buffer, &h)) {
    bool wanted = is_current(&h) && (is_plain(&h.key) || has_key(&keys, &h.key));
    if (wanted && !take(u, buffer, &h, at)) break;
    at += h.len;
  }
  if (at < most && !read_record(r->fd, at, most - at, buffer, &h)) cut(r->fd, at, size);
  free(buffer);
}

bool xet_recall_slots(struct recall *r, struct xorb *x) {
  struct head h;
  uint8_t *buffer = r && r->fd >= 0 ? malloc(RECORD_MOST) : NULL;
  bool good = buffer && read_record(r->fd, x->kept_at, RECORD_MOST, buffer, &h) && h.count == x->count &&
              !memcmp(&h.xorb, &x->hash, sizeof h.xorb);
  struct xorb_slot *slots = good ? calloc(h.count, sizeof *slots) : NULL;
  for (uint32_t i = 0; slots && i < h.count; i++) {
    memcpy(&slots[i].hash, buffer + sizeof h + (size_t)ROW * i, 32);
    memcpy(&slots[i].raw, buffer + sizeof h + (size_t)ROW * i + 32, 4);
  }
  free(buffer);
  x->slots = slots;
  return slots != NULL;
}

/* ---- keeping ---- */

static bool write_all(int fd, const uint8_t *data, size_t len) {
  while (len) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    len -= (size_t)n;
  }
  return true;
}

static int open_append(const struct recall *r) {
  char folder[PATH_MOST];
  int fd = xet_open_own(r->path, O_RDWR | O_CREAT | O_APPEND);
  if (fd >= 0 || errno != ENOENT) return fd;
  snprintf(folder, sizeof folder, "%s", r->path);
  for (char *p = folder + 1; *p; p++) {
    if (*p != '/') continue;
    *p = 0;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return -1;
    *p = '/';
  }
  return xet_open_own(r->path, O_RDWR | O_CREAT | O_APPEND);
}

/* The newer half, without what has ended, in a new file; who reads the old one is not disturbed. */
static bool halve(const struct recall *r, int fd, uint64_t size) {
  char fresh[PATH_MOST];
  struct head h;
  uint8_t *buffer = malloc(RECORD_MOST);
  snprintf(fresh, sizeof fresh, "%.*s.new", PATH_MOST - 8, r->path);
  unlink(fresh);
  int to = buffer ? open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
  bool ok = to >= 0;
  for (uint64_t at = 0; ok && at < size && read_record(fd, at, size - at, buffer, &h); at += h.len)
    if (size - at <= r->most / 2 && is_current(&h)) ok = write_all(to, buffer, h.len);
  if (to >= 0 && close(to) != 0) ok = false;
  ok = ok && rename(fresh, r->path) == 0;
  if (to >= 0 && !ok) unlink(fresh);
  free(buffer);
  return ok;
}

static bool append(const struct recall *r, const uint8_t *record, size_t len) {
  struct stat st;
  for (int turn = 0;; turn++) {
    int fd = open_append(r);
    if (fd < 0) return false;
    bool ok = flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0, full = ok && (uint64_t)st.st_size + len > r->most;
    if (full && turn == 0) {
      ok = halve(r, fd, (uint64_t)st.st_size);
      close(fd);
      if (ok) continue;
      return false;
    }
    if (ok && !write_all(fd, record, len)) {
      int why = errno;
      if (ftruncate(fd, st.st_size) != 0) unlink(r->path);
      errno = why;
      ok = false;
    }
    close(fd);
    return ok;
  }
}

void xet_recall_keep(hf_call *c, struct recall *r, const struct xet_hash *xorb, const struct xet_hash *key,
                     const struct xorb_slot *slots, uint32_t count, uint64_t expires) {
  uint64_t now = (uint64_t)time(NULL);
  size_t len = sizeof(struct head) + (size_t)ROW * count;
  uint8_t *record = r && count && count <= XET_XORB_CHUNKS_MAX ? malloc(len) : NULL;
  if (!record) return;
  struct head h = {.magic = MAGIC,
                   .len = (uint32_t)len,
                   .created = now,
                   .expires = expires < now + LIFE ? expires : now + LIFE,
                   .count = count,
                   .xorb = *xorb};
  if (key) h.key = *key;
  memcpy(record, &h, sizeof h);
  for (uint32_t i = 0; i < count; i++) {
    memcpy(record + sizeof h + (size_t)ROW * i, &slots[i].hash, 32);
    memcpy(record + sizeof h + (size_t)ROW * i + 32, &slots[i].raw, 4);
  }
  h.check = check_of(record, len);
  memcpy(record, &h, sizeof h);
  pthread_mutex_lock(&r->lock);
  if (!r->forgotten && !append(r, record, len) && !r->told) {
    r->told = true;
    if (c)
      xet_host->log(c, HF_LOG_INFO,
                    "what was uploaded cannot be remembered in %s: %s; an interrupted upload would send it again",
                    r->path, strerror(errno));
  }
  pthread_mutex_unlock(&r->lock);
  free(record);
}

void xet_recall_forget(hf_call *c, struct recall *r) {
  if (!r) return;
  pthread_mutex_lock(&r->lock);
  r->forgotten = true;
  if (unlink(r->path) == 0)
    xet_host->log(c, HF_LOG_INFO, "the Xet server lacks what %s says it has; it is removed", r->path);
  pthread_mutex_unlock(&r->lock);
}
