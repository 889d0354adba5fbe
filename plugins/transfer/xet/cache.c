/* cache.c - reading the chunk cache: which entry has a chunk, and whether its table can be believed. Names say what an entry holds;
 * its table is checked by a sum, its bytes by whoever uses them.
 * What is damaged is removed where it is found. */
#include "cache.h"
#include "settings.h"
#include "format/xorb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENTRIES_MOST = 65536 }; /* of one folder that are looked at */

struct xet_cache *xet_cache_open(hf_call *c, const char *endpoint) {
  const char *folder = xet_host->option(c, "HF_XET_CACHE");
  uint64_t most = xet_option_bytes(c, "chunk_cache_size", 0);
  if (!most || !folder || folder[0] != '/' || !endpoint) return NULL;
  struct xet_cache *k = calloc(1, sizeof *k);
  struct xet_hash h;
  char text[65];
  if (!k) return NULL;
  if (snprintf(k->folder, sizeof k->folder, "%s/libhf/chunks", folder) >= (int)sizeof k->folder) {
    free(k);
    return NULL;
  }
  xet_blake3(&xet_key_node, endpoint, strlen(endpoint), &h);
  xet_hash_print(&h, text);
  memcpy(k->endpoint, text, 16);
  k->most = most;
  pthread_mutex_init(&k->lock, NULL);
  return k;
}

void xet_cache_close(struct xet_cache *k) {
  if (!k) return;
  pthread_mutex_destroy(&k->lock);
  free(k);
}

static bool make_folders(char *path) {
  for (char *p = path + 1;; p++) {
    if (*p && *p != '/') continue;
    char was = *p;
    *p = 0;
    bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
    *p = was;
    if (!ok || !was) return ok;
  }
}

bool xet_cache_folder(const struct xet_cache *k, const struct xet_hash *xorb, bool make, char path[XET_CACHE_PATH]) {
  char text[65];
  xet_hash_print(xorb, text);
  snprintf(path, XET_CACHE_PATH, "%s/%.2s", k->folder, text);
  return !make || access(path, W_OK | X_OK) == 0 || make_folders(path);
}

/* ---- entries ---- */

uint64_t xet_cache_check(const struct xet_cache_row *rows, const struct xet_cache_tail *tail) {
  struct xet_hash part[2], h;
  xet_blake3(&xet_key_verify, rows, tail->count * sizeof *rows, &part[0]);
  xet_blake3(&xet_key_verify, tail, offsetof(struct xet_cache_tail, check), &part[1]);
  xet_blake3(&xet_key_verify, part, sizeof part, &h);
  return xet_hash_word(&h, 0);
}

/* The table of an open entry; false: it is none. */
static bool read_table(struct xet_cached *e, const struct xet_hash *xorb) {
  struct xet_cache_tail tail;
  struct stat st;
  if (fstat(e->fd, &st) != 0 || st.st_size < (off_t)sizeof tail) return false;
  uint64_t size = (uint64_t)st.st_size;
  if (pread(e->fd, &tail, sizeof tail, (off_t)(size - sizeof tail)) != (ssize_t)sizeof tail) return false;
  if (tail.magic != XET_CACHE_MAGIC || !tail.count || tail.count > XET_XORB_CHUNKS_MAX || tail.raw > XET_XORB_RAW_MAX)
    return false;
  size_t rows_len = tail.count * sizeof(struct xet_cache_row);
  if (size != (uint64_t)tail.raw + rows_len + sizeof tail || memcmp(tail.xorb, xorb->b, 32) != 0) return false;
  if (tail.start != e->start || tail.count != e->end - e->start) return false;
  struct xet_cache_row *rows = malloc(rows_len);
  e->at = malloc((tail.count + 1) * sizeof *e->at);
  e->hashes = malloc(tail.count * sizeof *e->hashes);
  bool ok = rows && e->at && e->hashes && pread(e->fd, rows, rows_len, (off_t)tail.raw) == (ssize_t)rows_len &&
            tail.check == xet_cache_check(rows, &tail);
  if (ok) e->at[0] = 0;
  for (uint32_t i = 0; ok && i < tail.count; i++) {
    ok = rows[i].len && rows[i].len <= XET_CHUNK_MAX && rows[i].len <= tail.raw - e->at[i];
    memcpy(e->hashes[i].b, rows[i].hash, 32);
    if (ok) e->at[i + 1] = e->at[i] + rows[i].len;
  }
  free(rows);
  return ok && e->at[tail.count] == tail.raw;
}

/* "XORB-START-END-ENDPOINT" */
static bool read_name(const struct xet_cache *k, const char *name, const char *xorb, uint32_t *start, uint32_t *end) {
  char *at;
  if (strncmp(name, xorb, 64) != 0 || name[64] != '-') return false;
  unsigned long a = strtoul(name + 65, &at, 10);
  if (*at != '-') return false;
  unsigned long b = strtoul(at + 1, &at, 10);
  if (*at != '-' || strcmp(at + 1, k->endpoint) != 0 || a >= b || b > XET_XORB_CHUNKS_MAX) return false;
  *start = (uint32_t)a;
  *end = (uint32_t)b;
  return true;
}

/* The best by name. */
static bool find_name(const struct xet_cache *k, const char *folder, const struct xet_hash *xorb, uint32_t chunk,
                      uint32_t most, struct xet_cached *best) {
  char text[65];
  DIR *d = opendir(folder);
  bool any = false;
  const struct dirent *row;
  xet_hash_print(xorb, text);
  for (uint32_t n = 0; d && n < ENTRIES_MOST && (row = readdir(d)); n++) {
    uint32_t start, end;
    if (!read_name(k, row->d_name, text, &start, &end) || start > chunk || end <= chunk) continue;
    if (any && (end < best->end || best->end >= most)) continue;
    any = snprintf(best->path, sizeof best->path, "%s/%s", folder, row->d_name) < XET_CACHE_PATH;
    best->start = start;
    best->end = end;
  }
  if (d) closedir(d);
  return any;
}

bool xet_cache_find(const struct xet_cache *k, const struct xet_hash *xorb, uint32_t chunk, uint32_t end,
                    struct xet_cached *out) {
  char folder[XET_CACHE_PATH];
  *out = (struct xet_cached){.fd = -1};
  if (!k) return false;
  xet_cache_folder(k, xorb, false, folder);
  for (int turn = 0; turn < 4 && find_name(k, folder, xorb, chunk, end, out); turn++) {
    out->fd = xet_open_own(out->path, O_RDONLY);
    if (out->fd >= 0 && read_table(out, xorb)) return true;
    if (out->fd >= 0 || errno != ENOENT) unlink(out->path); /* no entry of ours, whatever it is */
    xet_cached_close(out, false, false);
  }
  return false;
}

void xet_cached_close(struct xet_cached *e, bool used, bool bad) {
  struct stat mine, there;
  if (e->fd >= 0 && bad && fstat(e->fd, &mine) == 0 && lstat(e->path, &there) == 0 && mine.st_ino == there.st_ino)
    unlink(e->path);
  if (e->fd >= 0 && used && !bad && futimens(e->fd, NULL) != 0) errno = 0;
  if (e->fd >= 0) close(e->fd);
  free(e->at);
  free(e->hashes);
  *e = (struct xet_cached){.fd = -1};
}

void xet_cache_forget(const struct xet_cache *k, const struct xet_hash *xorbs, uint32_t n) {
  for (uint32_t i = 0; k && i < n; i++) {
    char folder[XET_CACHE_PATH], text[65];
    const struct dirent *row;
    xet_cache_folder(k, &xorbs[i], false, folder);
    xet_hash_print(&xorbs[i], text);
    DIR *d = opendir(folder);
    while (d && (row = readdir(d)))
      if (!strncmp(row->d_name, text, 64) && unlinkat(dirfd(d), row->d_name, 0) != 0) errno = 0;
    if (d) closedir(d);
  }
}
