/* root.c - the folder of a store and the directories below it, held open so that a file costs no walk from "/".
 * Two ways down: hf_dir_get() for writing refuses every symbolic link; hf_root_look() for reading follows links as
 * long as they stay below the root. An open directory is shared and counted; it may be dropped when it went stale. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Absolute, with links resolved as far as the path exists; the rest is taken as it is. */
static char *resolve(hf_call *c, const char *path) {
  char abs[HF_PATH_ROOM], real[HF_PATH_ROOM], out[2 * HF_PATH_ROOM];
  char cwd[HF_PATH_ROOM];
  const char *home = getenv("HOME");
  bool fits;
  if (path[0] == '~' && (!path[1] || path[1] == '/') && home && *home)
    fits = hf_format(abs, sizeof abs, "%s%s", home, path + 1);
  else if (path[0] == '/')
    fits = hf_format(abs, sizeof abs, "%s", path);
  else
    fits = getcwd(cwd, sizeof cwd) && hf_format(abs, sizeof abs, "%s/%s", cwd, path);
  if (!fits) {
    hf_file_fail(c, ENAMETOOLONG, "use", path);
    return NULL;
  }
  size_t n = strlen(abs), cut = n;
  for (;;) {
    char keep = abs[cut];
    abs[cut] = 0;
    const char *found = realpath(cut ? abs : "/", real);
    abs[cut] = keep;
    if (found || cut == 0) break;
    while (cut > 0 && abs[cut - 1] != '/') cut--;
    while (cut > 0 && abs[cut - 1] == '/') cut--;
  }
  const char *rest = abs + cut;
  while (*rest == '/') rest++;
  size_t m = strlen(real);
  while (m > 1 && real[m - 1] == '/') m--;
  real[m] = 0;
  if (!hf_format(out, sizeof out, "%s%s%s", real, *rest && strcmp(real, "/") ? "/" : "", rest) ||
      strlen(out) >= HF_PATH_ROOM) {
    hf_file_fail(c, ENAMETOOLONG, "use", path);
    return NULL;
  }
  for (n = strlen(out); n > 1 && out[n - 1] == '/';) out[--n] = 0;
  return hf_strdup(c, out);
}

hf_status hf_root_open(hf_call *c, const char *path, struct hf_root **out) {
  struct hf_root *r = hf_zalloc(c, sizeof *r);
  if (!r) return HF_ENOMEM;
  r->path = resolve(c, path);
  if (!r->path) {
    H->release(r);
    return H->error(c) ? H->error(c)->code : HF_EIO;
  }
  pthread_mutex_init(&r->lock, NULL);
  pthread_mutex_init(&r->fresh_lock, NULL);
  r->local = -1;
  *out = r;
  return HF_OK;
}

static void dir_free(struct hf_dir *d) {
  if (d->fd >= 0) close(d->fd);
  H->release(d->path);
  H->release(d);
}

void hf_root_forget(struct hf_root *r) {
  pthread_mutex_lock(&r->lock);
  for (size_t i = 0; i < HF_DIRS_OPEN; i++) {
    struct hf_dir *d = r->dirs[i];
    r->dirs[i] = NULL;
    if (!d) continue;
    if (d->users)
      d->stale = true; /* the last user frees it */
    else
      dir_free(d);
  }
  pthread_mutex_unlock(&r->lock);
}

void hf_root_close(struct hf_root *r) {
  if (!r) return;
  hf_root_forget(r);
  for (uint32_t i = 0; i < r->fresh_count; i++) close(r->fresh[i]);
  pthread_mutex_destroy(&r->fresh_lock);
  pthread_mutex_destroy(&r->lock);
  H->release(r->path);
  H->release(r);
}

static int make_dirs(const char *path) {
  char buf[HF_PATH_ROOM];
  if (!hf_format(buf, sizeof buf, "%s", path)) return errno = ENAMETOOLONG, -1;
  for (char *p = buf + 1;; p++) {
    if (*p && *p != '/') continue;
    char keep = *p;
    *p = 0;
    if (mkdir(buf, 0777) != 0 && errno != EEXIST) {
      struct stat st;
      int err = errno;
      if (stat(buf, &st) != 0 || !S_ISDIR(st.st_mode)) return errno = err, -1;
    }
    if (!keep) return 0;
    *p = keep;
  }
}

#define OWN_TEMPORARIES ".libhf" /* need not survive a power cut */

static void remember_fresh(struct hf_root *r, int parent) {
  pthread_mutex_lock(&r->fresh_lock);
  int fd = parent >= 0 && r->fresh_count < HF_FRESH_DIRS ? dup(parent) : -1;
  if (fd >= 0)
    r->fresh[r->fresh_count++] = fd;
  else
    r->fresh_more = true;
  pthread_mutex_unlock(&r->fresh_lock);
}

int hf_root_settle(struct hf_root *r, bool all) {
  int err = 0;
  pthread_mutex_lock(&r->fresh_lock);
  if (r->fresh_more || all) {
    struct hf_dir *top = hf_dir_get(r, "", false);
    err = !top || syncfs(top->fd) != 0 ? errno : 0;
    hf_dir_put(r, top);
  }
  for (uint32_t i = 0; i < r->fresh_count; i++) {
    if (!r->fresh_more && !all && fsync(r->fresh[i]) != 0 && !err) err = errno;
    close(r->fresh[i]);
  }
  r->fresh_count = 0;
  r->fresh_more = false;
  pthread_mutex_unlock(&r->fresh_lock);
  return err;
}

static int open_root(struct hf_root *r, bool create) {
  int fd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0 || errno != ENOENT || !create || make_dirs(r->path) != 0) return fd;
  remember_fresh(r, -1);
  return open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* One component down, no links. */
static int step(struct hf_root *r, int at, const char *name, bool create) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  struct stat st;
  int fd = openat(at, name, flags);
  if (fd < 0 && errno == ENOENT && create) {
    bool made = mkdirat(at, name, 0777) == 0;
    if (!made && errno != EEXIST) return -1;
    if (made && strcmp(name, OWN_TEMPORARIES)) remember_fresh(r, at);
    fd = openat(at, name, flags);
  }
  if (fd < 0 && errno == ENOTDIR) /* a link says ENOTDIR too; tell them apart for the message */
    errno = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
  return fd;
}

/* One component after the other. A new descriptor, also for an empty path. */
static int walk(struct hf_root *r, int base, const char *rel, bool create) {
  int at = base;
  char name[HF_NAME_ROOM];
  for (const char *p = rel; *p;) {
    size_t n = strcspn(p, "/");
    int next = -1;
    if (n < sizeof name) {
      memcpy(name, p, n);
      name[n] = 0;
      next = step(r, at, name, create);
    } else {
      errno = ENAMETOOLONG;
    }
    int err = errno;
    if (at != base) close(at);
    errno = err;
    if (next < 0) return -1;
    at = next;
    p += n + (p[n] == '/');
  }
  return at == base ? dup(base) : at;
}

/* Under the lock: a slot for a new directory, pushing out the least recently used idle one. */
static struct hf_dir **slot_for(struct hf_root *r) {
  struct hf_dir **best = NULL;
  for (size_t i = 0; i < HF_DIRS_OPEN; i++) {
    if (!r->dirs[i]) return &r->dirs[i];
    if (!r->dirs[i]->users && (!best || r->dirs[i]->used < (*best)->used)) best = &r->dirs[i];
  }
  if (best) dir_free(*best);
  return best;
}

static struct hf_dir *known(struct hf_root *r, const char *rel) {
  for (size_t i = 0; i < HF_DIRS_OPEN; i++)
    if (r->dirs[i] && !strcmp(r->dirs[i]->path, rel)) {
      r->dirs[i]->users++;
      r->dirs[i]->used = ++r->clock;
      return r->dirs[i];
    }
  return NULL;
}

/* Under the lock: the open directory that is nearest above a path, the root at worst; NULL: not even that. */
static struct hf_dir *nearest(struct hf_root *r, const char *rel, size_t *len) {
  struct hf_dir *best = NULL;
  *len = 0;
  for (size_t i = 0; i < HF_DIRS_OPEN; i++) {
    struct hf_dir *d = r->dirs[i];
    size_t n = d ? strlen(d->path) : 0;
    if (!d || (best && n <= *len) || strncmp(d->path, rel, n) || (n && rel[n] != '/')) continue;
    best = d;
    *len = n;
  }
  if (best) {
    best->users++;
    best->used = ++r->clock;
  }
  return best;
}

/* Takes the descriptor into the table, or finds that another thread was faster. */
static struct hf_dir *keep(struct hf_root *r, const char *rel, int fd) {
  if (fd < 0) return NULL;
  struct hf_dir *d = hf_zalloc(NULL, sizeof *d);
  char *path = hf_strdup(NULL, rel);
  if (!d || !path) {
    H->release(d);
    H->release(path);
    close(fd);
    errno = ENOMEM;
    return NULL;
  }
  *d = (struct hf_dir){.fd = fd, .users = 1, .path = path};
  pthread_mutex_lock(&r->lock);
  struct hf_dir *other = known(r, rel);
  if (!other) {
    struct hf_dir **slot = slot_for(r);
    d->used = ++r->clock;
    d->stale = !slot; /* all in use: this one lives as long as its user */
    if (slot) *slot = d;
  }
  pthread_mutex_unlock(&r->lock);
  if (!other) return d;
  dir_free(d);
  return other;
}

static struct hf_dir *get(struct hf_root *r, const char *rel, bool create) {
  size_t len = 0;
  pthread_mutex_lock(&r->lock);
  struct hf_dir *d = known(r, rel), *above = d ? NULL : nearest(r, rel, &len);
  pthread_mutex_unlock(&r->lock);
  if (d) return d;
  if (!above) above = keep(r, "", open_root(r, create));
  if (!above || !*rel) return above;
  int fd = walk(r, above->fd, rel + len + (len > 0), create);
  hf_dir_put(r, above);
  return keep(r, rel, fd);
}

/* The parent is opened first and kept: its other children are then one step away. */
struct hf_dir *hf_dir_get(struct hf_root *r, const char *rel, bool create) {
  char parent[HF_PATH_ROOM];
  const char *cut = strrchr(rel, '/');
  pthread_mutex_lock(&r->lock);
  struct hf_dir *d = known(r, rel), *up;
  pthread_mutex_unlock(&r->lock);
  if (d) return d;
  if (!cut || !hf_format(parent, sizeof parent, "%.*s", (int)(cut - rel), rel)) return get(r, rel, create);
  if ((up = get(r, parent, create)) == NULL) return NULL;
  d = get(r, rel, create);
  hf_dir_put(r, up);
  return d;
}

void hf_dir_put(struct hf_root *r, struct hf_dir *d) {
  if (!d) return;
  int err = errno;
  pthread_mutex_lock(&r->lock);
  bool last = --d->users == 0 && d->stale;
  pthread_mutex_unlock(&r->lock);
  if (last) dir_free(d);
  errno = err;
}

/* For kernels and sandboxes without openat2: resolve by name and compare; also for absolute links that lead back in. */
static int look_by_name(struct hf_root *r, const char *rel, int flags) {
  char path[2 * HF_PATH_ROOM], real[HF_PATH_ROOM], top[HF_PATH_ROOM];
  if (!hf_format(path, sizeof path, "%s/%s", r->path, rel)) return errno = ENAMETOOLONG, -1;
  if (!realpath(path, real) || !realpath(r->path, top)) return -1;
  size_t n = strlen(top);
  if (n > 1 && (strncmp(real, top, n) || (real[n] && real[n] != '/'))) return errno = EXDEV, -1;
  return open(real, flags | O_NOFOLLOW | O_CLOEXEC);
}

int hf_root_look(struct hf_root *r, const char *rel, int flags) {
  static _Atomic bool missing;
  flags |= O_CLOEXEC;
  if (!(flags & O_PATH)) flags |= O_NOCTTY | O_NONBLOCK; /* openat2 refuses them together */
  if (atomic_load(&missing)) return look_by_name(r, rel, flags);
  struct hf_dir *top = hf_dir_get(r, "", false);
  if (!top) return -1;
  struct open_how how = {.flags = (uint64_t)flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int fd = -1;
  for (int tries = 0; tries < 16; tries++) { /* EAGAIN: a rename above us at the same time */
    fd = (int)syscall(SYS_openat2, top->fd, rel, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN) break;
  }
  hf_dir_put(r, top);
  if (fd >= 0) return fd;
  if (errno == ENOSYS || errno == EPERM) {
    if (errno == ENOSYS) atomic_store(&missing, true);
    return look_by_name(r, rel, flags);
  }
  return errno == EXDEV || errno == EAGAIN ? look_by_name(r, rel, flags) : -1;
}

int hf_root_look_file(struct hf_root *r, const char *rel, int flags, struct stat *st) {
  int fd = hf_root_look(r, rel, flags);
  if (fd < 0) return -1;
  if (fstat(fd, st) == 0 && S_ISREG(st->st_mode)) return fd;
  close(fd);
  errno = ENOENT;
  return -1;
}

/* Flocks are trusted, and a partial of another boot is certainly dead, only on file systems that one kernel mounts. */
bool hf_root_is_local(struct hf_root *r) {
  static const long alone[] = {0xEF53,     0x58465342, (long)0x9123683E, 0x01021994,
                               0x794c7630, 0xF2F52010, 0x2fc12fc1,       0x858458f6};
  int known_as = atomic_load(&r->local);
  if (known_as >= 0) return known_as;
  struct hf_dir *top = hf_dir_get(r, "", false);
  struct statfs fs;
  bool local = false;
  if (!top) return false;
  if (fstatfs(top->fd, &fs) == 0)
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) local |= (uint32_t)fs.f_type == (uint32_t)alone[i];
  hf_dir_put(r, top);
  atomic_store(&r->local, local);
  return local;
}

hf_status hf_root_space(hf_call *c, struct hf_root *r, hf_slot *slot) {
  char path[HF_PATH_ROOM], text[96];
  struct statvfs fs;
  struct stat st;
  hf_format(path, sizeof path, "%s", r->path);
  while (statvfs(path, &fs) != 0 || stat(path, &st) != 0) {
    char *cut = strrchr(path, '/');
    if (!cut || !path[1]) return hf_file_fail(c, errno, "ask for the free space of", r->path);
    cut[cut == path] = 0;
  }
  unsigned long long room =
      fs.f_blocks ? (unsigned long long)fs.f_bavail * fs.f_frsize : UINT64_MAX; /* it counts none */
  hf_format(text, sizeof text, "%llu %llx", room, (unsigned long long)st.st_dev);
  return H->put(slot, HF_PUT_TEXT, &(struct hf_text){text, strlen(text)}, sizeof(struct hf_text));
}

hf_status hf_root_fail(hf_call *c, const struct hf_root *r, int err, const char *verb, const char *rel) {
  char path[2 * HF_PATH_ROOM];
  hf_format(path, sizeof path, "%s%s%s", r->path, *rel ? "/" : "", rel);
  return hf_file_fail(c, err, verb, path);
}
