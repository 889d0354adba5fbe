/* cache_room.c - how much the chunk cache holds, for all processes together: a number in a file under a lock, raised before bytes are
 * written, so that the limit holds at every moment. When it is reached everything is counted anew and what was not used for
 * the longest time goes, as does what processes left that are no more. */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS_MOST = 1 << 20 };

struct row {
  int64_t used_ns;
  uint64_t size;
  char name[XET_CACHE_NAME]; /* "xx/..." */
};
struct sweep {
  struct row *rows;
  size_t count, room;
  uint64_t size; /* of everything */
};

/* ---- the number ---- */

static int enter(const struct xet_cache *k, uint64_t *size) {
  char path[XET_CACHE_PATH];
  snprintf(path, sizeof path, "%s/size", k->folder);
  int fd = xet_open_own(path, O_RDWR | O_CREAT);
  if (fd < 0) return -1;
  while (flock(fd, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    close(fd);
    return -1;
  }
  if (pread(fd, size, sizeof *size, 0) != (ssize_t)sizeof *size) *size = UINT64_MAX; /* nobody knows */
  return fd;
}

static bool leave(int fd, uint64_t size) {
  bool ok = pwrite(fd, &size, sizeof size, 0) == (ssize_t)sizeof size;
  close(fd);
  return ok;
}

/* ---- counting ---- */

/* Who writes it holds a lock on it. */
static bool is_left_over(int folder, const char *name) {
  int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return false;
  bool left = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return left;
}

static bool count_one(struct sweep *s, int folder, const char *xx, const char *name) {
  struct stat st;
  if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode)) return true;
  if (!strncmp(name, "tmp-", 4)) {
    if (is_left_over(folder, name) && unlinkat(folder, name, 0) == 0) return true;
    s->size += (uint64_t)st.st_size;
    return true;
  }
  if (strlen(name) + 4 > XET_CACHE_NAME) return unlinkat(folder, name, 0) == 0;
  if (s->count == s->room) {
    size_t room = s->room ? s->room * 2 : 256;
    struct row *more = room <= ROWS_MOST ? realloc(s->rows, room * sizeof *more) : NULL;
    if (!more) return false;
    s->rows = more;
    s->room = room;
  }
  struct row *r = &s->rows[s->count++];
  r->used_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  r->size = (uint64_t)st.st_size;
  snprintf(r->name, sizeof r->name, "%.2s/%.120s", xx, name);
  s->size += r->size;
  return true;
}

static bool count_all(const struct xet_cache *k, struct sweep *s) {
  bool ok = true;
  for (unsigned i = 0; i < 256 && ok; i++) {
    char path[XET_CACHE_PATH], xx[3];
    const struct dirent *row;
    snprintf(xx, sizeof xx, "%02x", i);
    snprintf(path, sizeof path, "%s/%s", k->folder, xx);
    DIR *d = opendir(path);
    while (d && ok && (row = readdir(d)))
      if (row->d_name[0] != '.') ok = count_one(s, dirfd(d), xx, row->d_name);
    if (d) closedir(d);
  }
  return ok;
}

static int by_age(const void *a, const void *b) {
  const struct row *x = a, *y = b;
  return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

/* Makes room for `need` and some more. *size: of what is there then. */
static bool sweep(const struct xet_cache *k, uint64_t need, uint64_t *size) {
  struct sweep s = {.rows = NULL};
  char path[XET_CACHE_PATH];
  bool ok = count_all(k, &s);
  uint64_t spare = k->most - need, goal = s.size <= spare ? spare : spare - spare / 10;
  if (s.count) qsort(s.rows, s.count, sizeof *s.rows, by_age);
  for (size_t i = 0; ok && i < s.count && s.size > goal; i++) {
    snprintf(path, sizeof path, "%s/%s", k->folder, s.rows[i].name);
    if (unlink(path) == 0 || errno == ENOENT) s.size -= s.rows[i].size;
  }
  free(s.rows);
  *size = s.size;
  return ok && s.size <= spare;
}

/* ---- taking and giving ---- */

bool xet_room_take(const struct xet_cache *k, int fd, uint64_t from, uint64_t to) {
  uint64_t size, need = to - from;
  if (need > k->most) return false;
  int lock = enter(k, &size);
  if (lock < 0) return false;
  bool fits = size <= k->most - need || sweep(k, need, &size);
  if (fits && pwrite(lock, &(uint64_t){size + need}, sizeof size, 0) == (ssize_t)sizeof size &&
      ftruncate(fd, (off_t)to) == 0) {
    close(lock);
    return true;
  }
  leave(lock, size);
  return false;
}

bool xet_room_settle(const struct xet_cache *k, int fd, uint64_t from, uint64_t to, const char *path,
                     const char *name) {
  uint64_t size, gone = from > to ? from - to : 0;
  struct stat before;
  int lock = enter(k, &size);
  if (lock < 0) {
    unlink(path);
    return false;
  }
  if (name && lstat(name, &before) == 0) gone += (uint64_t)before.st_size;
  bool ok = name ? from >= to && ftruncate(fd, (off_t)to) == 0 && rename(path, name) == 0 : unlink(path) == 0;
  if (ok && size != UINT64_MAX) size -= gone < size ? gone : size;
  return leave(lock, size) && ok;
}
