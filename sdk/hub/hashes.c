/* hashes.c - the journal of digests by file: HF_HOME/.upload/hashes-N, appended to, found by device, inode, size and times, so an
 * unchanged file is not read again. Each record is checked by itself; what is torn or foreign is no record.
 * A file that was written just now is not remembered: its times could be the same after another write. Nothing here fails. */
#include "commit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SHARDS = 64, SHARD_LARGEST = 4 << 20, RECORD_LARGEST = 4 << 20, MAGIC = 0x314a4648, FRESH_NS = 60000000 };

struct record { /* then count sums, then the sample, padded to 8 */
  uint32_t magic, len;
  uint64_t check; /* of everything behind it */
  struct hf_stamp stamp;
  uint16_t flags, sample_len;
  uint32_t count;
  uint8_t sha256[32], git[20];
  uint32_t unused;
};

struct place {
  uint64_t ino;
  uint32_t off, next; /* next: index + 1 of an earlier record in the same bucket */
};

struct shard {
  bool loaded;
  int fd; /* as it was when it was loaded; -1: none */
  struct place *places;
  uint32_t *buckets; /* index + 1 */
  uint32_t count, mask;
  uint8_t *waiting; /* to be appended */
  size_t waiting_len, waiting_room;
};

struct hf_hub_hashes {
  hf_call *call;
  const char *folder;
  pthread_mutex_t lock;
  bool broken;
  struct shard shards[SHARDS];
};

static uint64_t check_of(const struct record *r) {
  const uint8_t *p = (const uint8_t *)&r->stamp, *end = (const uint8_t *)r + r->len;
  uint64_t h = 14695981039346656037u;
  for (; p < end; p++) h = (h ^ *p) * 1099511628211u;
  return h;
}

static uint32_t shard_of(const struct hf_stamp *s) {
  return (uint32_t)((s->ino * 0x9e3779b97f4a7c15u) >> 58);
}

static bool path_of(const struct hf_hub_hashes *h, uint32_t shard, const char *end, char *out, size_t room) {
  return snprintf(out, room, "%s/hashes-%02u%s", h->folder, shard, end) < (int)room;
}

struct hf_hub_hashes *hf_hub_hashes_open(hf_call *c) {
  const char *home = hf_hub_home(c);
  struct hf_hub_hashes *h = home ? calloc(1, sizeof *h) : NULL;
  if (!h) return NULL;
  h->call = c;
  h->folder = hf_hub_text(c, "%s/.upload", home);
  pthread_mutex_init(&h->lock, NULL);
  for (uint32_t i = 0; i < SHARDS; i++) h->shards[i].fd = -1;
  return h;
}

/* ---- finding ---------------------------------------------------------------------------------------------------------- */

static void remember(struct shard *s, uint32_t *room, uint64_t ino, uint32_t off) {
  if (s->count == *room) {
    uint32_t more = *room ? *room * 2 : 256;
    struct place *p = realloc(s->places, more * sizeof *p);
    if (!p) return;
    s->places = p;
    *room = more;
  }
  s->places[s->count++] = (struct place){.ino = ino, .off = off};
}

/* Whole records from the front; the first that cannot be one ends the file. */
static void read_places(struct shard *s, uint8_t *data, size_t len) {
  uint32_t room = 0;
  for (size_t at = 0; at + sizeof(struct record) <= len;) {
    struct record r;
    memcpy(&r, data + at, sizeof r);
    if (r.magic != MAGIC || r.len < sizeof r || r.len > len - at || r.len % 8) break;
    remember(s, &room, r.stamp.ino, (uint32_t)at);
    at += r.len;
  }
  s->mask = 15;
  while (s->mask < s->count) s->mask = s->mask * 2 + 1;
  s->buckets = calloc((size_t)s->mask + 1, sizeof *s->buckets);
  for (uint32_t i = 0; s->buckets && i < s->count; i++) {
    uint32_t *b = &s->buckets[s->places[i].ino & s->mask];
    s->places[i].next = *b;
    *b = i + 1;
  }
}

static void load(struct hf_hub_hashes *h, uint32_t n) {
  struct shard *s = &h->shards[n];
  char path[4096];
  struct stat st;
  s->loaded = true;
  s->fd = path_of(h, n, "", path, sizeof path) ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
  if (s->fd < 0 || fstat(s->fd, &st) != 0 || st.st_size <= 0 || st.st_size > 2 * SHARD_LARGEST) return;
  uint8_t *data = malloc((size_t)st.st_size);
  ssize_t got = data ? pread(s->fd, data, (size_t)st.st_size, 0) : -1;
  if (got > 0) read_places(s, data, (size_t)got);
  free(data);
}

static struct record *read_record(int fd, uint32_t off) {
  struct record head, *r;
  if (pread(fd, &head, sizeof head, off) != (ssize_t)sizeof head || head.len > RECORD_LARGEST) return NULL;
  r = malloc(head.len);
  if (r && pread(fd, r, head.len, off) == (ssize_t)head.len && r->len == head.len && r->magic == MAGIC &&
      sizeof *r + (uint64_t)r->count * 8 + r->sample_len <= r->len && r->check == check_of(r))
    return r;
  free(r);
  return NULL;
}

static bool use(const struct record *r, const struct hf_stamp *is, struct hf_hub_op *op, bool sample) {
  uint32_t block, count = hf_scan_blocks(is->size, &block);
  const uint8_t *sums = (const uint8_t *)(r + 1);
  if (memcmp(&r->stamp, is, sizeof *is) != 0) return false;
  if (r->flags & HF_OP_SHA256) memcpy(op->sha256, r->sha256, 32);
  if (r->flags & HF_OP_GIT) memcpy(op->git, r->git, 20);
  op->flags |= r->flags & (HF_OP_SHA256 | HF_OP_GIT);
  if (r->count == count && !(op->flags & HF_OP_SUMS)) {
    op->sum = 0;
    if (count) memcpy(&op->sum, sums, 8);
    if (count > 1 && (op->sums = malloc((size_t)count * 8))) memcpy(op->sums, sums, (size_t)count * 8);
    if (count <= 1 || op->sums) op->flags |= HF_OP_SUMS;
  }
  if (sample && r->sample_len && !op->sample && (op->sample = malloc(r->sample_len))) {
    memcpy(op->sample, sums + (size_t)r->count * 8, r->sample_len);
    op->sample_len = r->sample_len;
  }
  return true;
}

bool hf_hub_hashes_find(struct hf_hub_hashes *h, const struct hf_stamp *is, struct hf_hub_op *op, bool sample) {
  if (!h) return false;
  uint32_t n = shard_of(is);
  struct shard *s = &h->shards[n];
  bool found = false;
  pthread_mutex_lock(&h->lock);
  if (!s->loaded) load(h, n);
  for (uint32_t i = s->buckets ? s->buckets[is->ino & s->mask] : 0; i && !found; i = s->places[i - 1].next) {
    if (s->places[i - 1].ino != is->ino) continue;
    struct record *r = read_record(s->fd, s->places[i - 1].off);
    if (r && use(r, is, op, sample)) found = (op->flags & (HF_OP_SHA256 | HF_OP_GIT)) != 0;
    free(r);
  }
  pthread_mutex_unlock(&h->lock);
  return found;
}

bool hf_hub_hash_recall_one(struct hf_hub_commit *k, struct hf_hub_op *op) {
  struct stat st;
  if (op->kind != HF_OP_ADD || !op->local || (op->flags & HF_OP_GROWS) || stat(op->local, &st) != 0) return false;
  struct hf_stamp is = {.dev = (uint64_t)st.st_dev,
                        .ino = (uint64_t)st.st_ino,
                        .size = (uint64_t)st.st_size,
                        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
                        .ctime_ns = (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec};
  if (!hf_hub_hashes_find(k->hashes, &is, op, true)) return false;
  op->stamp = is;
  op->flags |= HF_OP_STAMPED;
  return true;
}

bool hf_hub_hashes_any(const struct hf_hub_hashes *h) {
  return h && access(h->folder, F_OK) == 0;
}

uint32_t hf_hub_hash_recall(struct hf_hub_commit *k) {
  uint32_t known = 0;
  bool any = hf_hub_hashes_any(k->hashes);
  for (uint32_t i = 0; any && i < k->ops.count; i++) known += hf_hub_hash_recall_one(k, &k->ops.rows[i]);
  return known;
}

/* ---- adding ------------------------------------------------------------------------------------------------------------- */

static bool fresh(const struct hf_stamp *s) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  int64_t now = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec,
          last = s->mtime_ns > s->ctime_ns ? s->mtime_ns : s->ctime_ns;
  bool whole_seconds = s->mtime_ns % 1000000000 == 0 && s->ctime_ns % 1000000000 == 0;
  return now - last < (whole_seconds ? 2000000000 : FRESH_NS);
}

void hf_hub_hashes_add(struct hf_hub_hashes *h, const struct hf_hub_op *op, bool sample) {
  uint32_t block, count = hf_scan_blocks(op->stamp.size, &block);
  if (!h || !op->local || (op->flags & HF_OP_GROWS) || !(op->flags & HF_OP_SUMS) || fresh(&op->stamp)) return;
  uint16_t sample_len = sample && op->sample ? op->sample_len : 0;
  size_t len = (sizeof(struct record) + (size_t)count * 8 + sample_len + 7) / 8 * 8;
  if (len > RECORD_LARGEST) return;
  pthread_mutex_lock(&h->lock);
  struct shard *s = &h->shards[shard_of(&op->stamp)];
  if (s->waiting_room - s->waiting_len < len) {
    size_t room = (s->waiting_len + len) * 2;
    uint8_t *more = h->broken ? NULL : realloc(s->waiting, room);
    if (!more) {
      pthread_mutex_unlock(&h->lock);
      return;
    }
    s->waiting = more;
    s->waiting_room = room;
  }
  struct record *r = (struct record *)(void *)(s->waiting + s->waiting_len);
  memset(r, 0, len);
  *r = (struct record){.magic = MAGIC,
                       .len = (uint32_t)len,
                       .stamp = op->stamp,
                       .flags = op->flags & (HF_OP_SHA256 | HF_OP_GIT),
                       .sample_len = sample_len,
                       .count = count};
  memcpy(r->sha256, op->sha256, 32);
  memcpy(r->git, op->git, 20);
  if (count) memcpy(r + 1, op->sums ? op->sums : &op->sum, (size_t)count * 8);
  if (sample_len) memcpy((uint8_t *)(r + 1) + (size_t)count * 8, op->sample, sample_len);
  r->check = check_of(r);
  s->waiting_len += len;
  pthread_mutex_unlock(&h->lock);
}

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

/* The older half goes, by whole records. The file is replaced, so readers of the old one are not disturbed. */
static void halve(struct hf_hub_hashes *h, uint32_t n, int fd, size_t size) {
  char path[4096], fresh_path[4096];
  uint8_t *data = malloc(size);
  ssize_t got = data ? pread(fd, data, size, 0) : -1;
  size_t at = 0;
  struct record r;
  while (got > 0 && at < (size_t)got / 2 && at + sizeof r <= (size_t)got) {
    memcpy(&r, data + at, sizeof r);
    if (r.magic != MAGIC || r.len < sizeof r || r.len > (size_t)got - at)
      at = (size_t)got;
    else
      at += r.len;
  }
  if (got > 0 && path_of(h, n, "", path, sizeof path) && path_of(h, n, ".new", fresh_path, sizeof fresh_path)) {
    int to = open(fresh_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = to >= 0 && write_all(to, data + at, (size_t)got - at);
    if (to >= 0) close(to);
    if (!ok || rename(fresh_path, path) != 0) unlink(fresh_path);
  }
  free(data);
}

static bool append(struct hf_hub_hashes *h, uint32_t n) {
  struct shard *s = &h->shards[n];
  char path[4096];
  struct stat st;
  if (!path_of(h, n, "", path, sizeof path)) return false;
  int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0 && errno == ENOENT) {
    if (mkdir(hf_hub_home(h->call), 0777) != 0 && errno != EEXIST) return false;
    if (mkdir(h->folder, 0700) != 0 && errno != EEXIST) return false;
    fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  }
  if (fd < 0) return false;
  bool ok = flock(fd, LOCK_EX) == 0 && fstat(fd, &st) == 0;
  off_t before = ok ? st.st_size : 0;
  if (ok && !write_all(fd, s->waiting, s->waiting_len)) {
    ok = false; /* no torn record stays: what is behind it would not be found */
    if (ftruncate(fd, before) != 0) unlink(path);
  }
  if (ok && (size_t)before + s->waiting_len > SHARD_LARGEST) halve(h, n, fd, (size_t)before + s->waiting_len);
  close(fd);
  return ok;
}

void hf_hub_hashes_flush(struct hf_hub_hashes *h) {
  if (!h) return;
  pthread_mutex_lock(&h->lock);
  for (uint32_t i = 0; i < SHARDS && !h->broken; i++) {
    if (!h->shards[i].waiting_len) continue;
    h->broken = !append(h, i);
    if (h->broken) hf_host()->log(h->call, HF_LOG_INFO, "digests cannot be kept in %s: %s", h->folder, strerror(errno));
    h->shards[i].waiting_len = 0;
  }
  pthread_mutex_unlock(&h->lock);
}

void hf_hub_hashes_close(struct hf_hub_hashes *h) {
  if (!h) return;
  hf_hub_hashes_flush(h);
  for (uint32_t i = 0; i < SHARDS; i++) {
    if (h->shards[i].fd >= 0) close(h->shards[i].fd);
    free(h->shards[i].places);
    free(h->shards[i].buckets);
    free(h->shards[i].waiting);
  }
  pthread_mutex_destroy(&h->lock);
  free(h);
}
