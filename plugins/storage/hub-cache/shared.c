/* shared.c - CACHE/blobs: Xet files that several repos of a cache show, stored once, with a manifest of who shows
 * them. The rules are the reference client's: a marker, a lock per file, the manifest before the link, and what
 * cannot be read is kept. It is an optimisation: every problem is only logged and the file stays in its repo. */
#include "scan.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MARKER         ".huggingface-shared-blobs"
#define MARKER_TEXT    "1\n"
#define MANIFEST_BYTES (16u << 20)
#define SOFT_WAIT_MS   10000
#define LOCK_WAIT_MS   60000

struct entry { /* one file of the store, locked */
  struct hf_dir *dir;
  const char *hash;
  int lock;
  char soft[80]; /* lock by existence, where there is no flock */
};

static bool say(hf_call *c, const struct hub *hub, const char *what, const char *hash) {
  H->log(c, HF_LOG_DEBUG, "Shared blob %s in %s/blobs: %s (%s)", hash, hub->root->path, what, strerror(errno));
  return false;
}

bool hub_shared_marked(struct hub *hub) {
  size_t len = 0;
  struct stat st;
  struct hf_dir *d = hf_dir_get(hub->root, "blobs", false); /* follows no link */
  if (!d) return false;
  bool ok = fstatat(d->fd, MARKER, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
  hf_dir_put(hub->root, d);
  char *text = ok ? hf_root_read(hub->root, "blobs/" MARKER, 64, &len) : NULL;
  ok = text && !strcmp(text, MARKER_TEXT);
  H->release(text);
  return ok;
}

static mode_t cache_mode(struct hub *hub) {
  struct stat st;
  struct hf_dir *d = hf_dir_get(hub->root, "", false);
  bool ok = d && fstat(d->fd, &st) == 0;
  hf_dir_put(hub->root, d);
  return ok ? st.st_mode & 07777 : 0700;
}

static mode_t content_mode(struct hub *hub) {
  mode_t m = cache_mode(hub);
  return 0400 | (m & S_IXGRP ? 0040 : 0) | (m & S_IXOTH ? 0004 : 0);
}

/* Who may enter the cache may enter the folders of the store. */
static void mirror_mode(struct hub *hub, struct hf_dir *d) {
  mode_t want = cache_mode(hub) & (0777 | S_ISGID | S_ISVTX);
  struct stat st;
  if (fstat(d->fd, &st) == 0 && (st.st_mode & 07777) != want) (void)!fchmod(d->fd, want);
}

/* Left-overs of an interrupted start: empty or the beginning of a marker. Anything else is somebody's. */
struct leftovers {
  int fd;
  bool foreign;
};

static bool leftover(void *arg, const char *name, unsigned char type) {
  struct leftovers *l = arg;
  const size_t n = sizeof MARKER - 1;
  char text[8];
  bool ours =
      type == DT_REG && !strncmp(name, MARKER ".", n + 1) && strlen(name) == n + 13 && !strcmp(name + n + 9, ".tmp");
  int fd = ours ? openat(l->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
  ssize_t got = fd >= 0 ? read(fd, text, sizeof text) : -1;
  if (fd >= 0) close(fd);
  if (got < 0 || (size_t)got > strlen(MARKER_TEXT) || memcmp(text, MARKER_TEXT, (size_t)got)) l->foreign = true;
  return !l->foreign;
}

static bool drop_leftover(void *arg, const char *name, unsigned char type) {
  (void)type;
  if (!strncmp(name, MARKER ".", sizeof MARKER)) unlinkat(((struct leftovers *)arg)->fd, name, 0);
  return true;
}

static bool make_store(struct hub *hub) {
  if (hub_shared_marked(hub)) return true;
  struct hf_dir *d = hf_dir_get(hub->root, "blobs", true);
  char temp[64];
  if (!d) return false;
  struct leftovers l = {d->fd, false};
  bool ok = hf_dir_each(d->fd, leftover, &l) == 0 && !l.foreign;
  if (ok) {
    hf_dir_each(d->fd, drop_leftover, &l);
    mirror_mode(hub, d);
    hf_format(temp, sizeof temp, MARKER ".%08x.tmp", (unsigned)(H->now_ns() ^ (unsigned)getpid() << 12));
    int fd = openat(d->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    ok = fd >= 0 && hf_write_all(fd, MARKER_TEXT, 2) && fchmod(fd, content_mode(hub)) == 0 &&
         renameat(d->fd, temp, d->fd, MARKER) == 0;
    if (fd >= 0) close(fd);
    if (!ok) unlinkat(d->fd, temp, 0);
  }
  hf_dir_put(hub->root, d);
  return ok && hub_shared_marked(hub);
}

static bool pause_ms(hf_call *c, long ms) {
  struct timespec t = {0, ms * 1000000};
  return H->check(c) == HF_OK && nanosleep(&t, NULL) == 0;
}

static bool lock_soft(hf_call *c, struct entry *e) {
  hf_format(e->soft, sizeof e->soft, "%s.lock.soft", e->hash);
  for (int ms = 0; ms < SOFT_WAIT_MS; ms += 50) {
    int fd = openat(e->dir->fd, e->soft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0) {
      close(fd);
      return true;
    }
    if (errno != EEXIST || !pause_ms(c, 50)) break;
  }
  e->soft[0] = 0;
  return false;
}

static void leave(struct hub *hub, struct entry *e) {
  int err = errno;
  if (e->soft[0]) unlinkat(e->dir->fd, e->soft, 0);
  if (e->lock >= 0) close(e->lock);
  hf_dir_put(hub->root, e->dir);
  errno = err;
}

static bool enter(hf_call *c, struct hub *hub, const char *hash, bool make, struct entry *e) {
  char rel[16], name[80];
  struct stat st;
  *e = (struct entry){.hash = hash, .lock = -1};
  hf_format(rel, sizeof rel, "blobs/%.2s", hash);
  e->dir = hf_dir_get(hub->root, rel, make);
  if (!e->dir) return false;
  if (make) mirror_mode(hub, e->dir);
  hf_format(name, sizeof name, "%s.lock", hash);
  e->lock = openat(e->dir->fd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (e->lock < 0 || fstat(e->lock, &st) != 0 || !S_ISREG(st.st_mode)) {
    leave(hub, e);
    return false;
  }
  (void)!fchmod(e->lock, 0666);
  for (int ms = 0; ms < LOCK_WAIT_MS; ms += 10) {
    if (flock(e->lock, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {
      if (lock_soft(c, e)) return true;
      break;
    }
    if (!pause_ms(c, 10)) break;
  }
  leave(hub, e);
  return false;
}

static bool usable(struct entry *e, uint64_t size) {
  struct stat st;
  return fstatat(e->dir->fd, e->hash, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
         (uint64_t)st.st_size == size && faccessat(e->dir->fd, e->hash, R_OK, AT_EACCESS) == 0;
}

/* One line, one write, flushed before the link that it announces. */
static bool announce(struct entry *e, const char *folder, const char *etag) {
  char name[80], line[HUB_FOLDER_ROOM + HF_NAME_ROOM + 16];
  struct stat st;
  hf_format(name, sizeof name, "%s.refs", e->hash);
  hf_format(line, sizeof line, "%s/blobs/%s\n", folder, etag);
  int fd = openat(e->dir->fd, name, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  bool ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
  if (ok) (void)!fchmod(fd, 0666);
  ok = ok && write(fd, line, strlen(line)) == (ssize_t)strlen(line) && fsync(fd) == 0;
  int err = errno;
  if (fd >= 0) close(fd);
  errno = err;
  return ok;
}

static struct hf_dir *blobs_of(struct hub *hub, const char *folder, bool make) {
  char rel[HUB_FOLDER_ROOM + 8];
  hf_format(rel, sizeof rel, "%s/blobs", folder);
  return hf_dir_get(hub->root, rel, make);
}

static bool temp_link(struct hf_dir *blobs, const char *etag, const char *hash, char temp[HF_NAME_ROOM + 24]) {
  char target[96];
  static _Atomic unsigned count;
  hf_format(target, sizeof target, "../../blobs/%.2s/%s", hash, hash);
  hf_format(temp, HF_NAME_ROOM + 24, ".%s.%08x.shared", etag,
            (unsigned)(H->now_ns() * 2654435761u) ^ (unsigned)getpid() ^ atomic_fetch_add(&count, 1) << 20);
  return symlinkat(target, blobs->fd, temp) == 0;
}

bool hub_shared_link(hf_call *c, struct hub *hub, const char *folder, const char *etag, const char *hash,
                     uint64_t size) {
  char temp[HF_NAME_ROOM + 24];
  struct entry e;
  if (!hub->share || !atomic_load(&hub->links) || !hf_hex_is(hash, 64) || !hub_shared_marked(hub)) return false;
  char rel[96];
  struct stat st;
  hf_format(rel, sizeof rel, "blobs/%.2s/%s", hash, hash);
  int fd = hf_root_look_file(hub->root, rel, O_PATH, &st); /* a miss takes no lock and leaves nothing */
  if (fd < 0) return false;
  close(fd);
  if (!enter(c, hub, hash, false, &e)) return say(c, hub, "cannot be locked", hash);
  struct hf_dir *blobs = blobs_of(hub, folder, true);
  bool ok = blobs && usable(&e, size) && temp_link(blobs, etag, hash, temp);
  if (ok) {
    ok = announce(&e, folder, etag) && renameat(blobs->fd, temp, blobs->fd, etag) == 0;
    if (!ok) unlinkat(blobs->fd, temp, 0);
  }
  if (!ok) say(c, hub, "cannot be linked", hash);
  hf_dir_put(hub->root, blobs);
  leave(hub, &e);
  return ok;
}

/* Read-only for everybody who can enter the cache, in the group of its folder. */
static bool prepare(struct hub *hub, struct entry *e, struct hf_dir *blobs, const char *etag) {
  struct stat st, dir;
  mode_t mode = content_mode(hub);
  if (fchmodat(blobs->fd, etag, mode, 0) != 0 || fstat(e->dir->fd, &dir) != 0 ||
      fstatat(blobs->fd, etag, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return false;
  return st.st_gid == dir.st_gid || fchownat(blobs->fd, etag, (uid_t)-1, dir.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ||
         !(mode & S_IRGRP) || (mode & S_IROTH);
}

/* The content went into the store and its link could not be made: the repo gets a copy back. */
static bool restore(hf_call *c, struct hub *hub, struct entry *e, const char *folder, struct hf_dir *blobs,
                    const char *etag) {
  char dir[HUB_FOLDER_ROOM + 8], rel[HUB_FOLDER_ROOM + 24], temp[HF_IDENT_ROOM];
  int fd = openat(e->dir->fd, e->hash, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  hf_format(dir, sizeof dir, ".locks/%s", folder);
  hf_format(rel, sizeof rel, "%s/.libhf", dir);
  bool ok = fd >= 0 && hf_copy_temp(c, hub->root, dir, fd, temp, hub->durable) == 0;
  if (fd >= 0) close(fd);
  struct hf_dir *t = ok ? hf_dir_get(hub->root, rel, false) : NULL;
  ok = t && renameat(t->fd, temp, blobs->fd, etag) == 0;
  hf_dir_put(hub->root, t);
  return ok;
}

bool hub_shared_publish(hf_call *c, struct hub *hub, const char *folder, const char *etag, const char *hash,
                        uint64_t size, bool force) {
  char temp[HF_NAME_ROOM + 24];
  struct entry e;
  if (!hub->share || !atomic_load(&hub->links) || !hf_hex_is(hash, 64)) return false;
  if (!make_store(hub) || !enter(c, hub, hash, true, &e)) return say(c, hub, "the store cannot be used", hash);
  struct hf_dir *blobs = blobs_of(hub, folder, false);
  bool ok = blobs && temp_link(blobs, etag, hash, temp), moved = false;
  if (ok) {
    bool there = !force && usable(&e, size);
    ok = announce(&e, folder, etag);
    if (ok && !there) ok = moved = prepare(hub, &e, blobs, etag) && renameat(blobs->fd, etag, e.dir->fd, e.hash) == 0;
    ok = ok && renameat(blobs->fd, temp, blobs->fd, etag) == 0;
    if (ok && hub->durable) (void)!fsync(e.dir->fd);
    if (!ok) {
      say(c, hub, "cannot be published", hash);
      unlinkat(blobs->fd, temp, 0);
      if (moved && !restore(c, hub, &e, folder, blobs, etag))
        H->log(c, HF_LOG_WARNING, "Could not restore %s in %s/%s after a failure of the shared store", etag,
               hub->root->path, folder);
    }
  }
  hf_dir_put(hub->root, blobs);
  leave(hub, &e);
  return ok;
}

/* The link as both clients write it; one that names the cache by its absolute path counts too. */
const char *hub_shared_of_link(struct hub *hub, const char *link, char hash[65]) {
  const char *prefixes[] = {"../..", hub->root->path}, *last = strrchr(link, '/');
  char want[HF_PATH_ROOM + 128];
  if (!last || !hf_hex_is(last + 1, 64)) return NULL;
  memcpy(hash, last + 1, 65);
  for (size_t i = 0; i < 2; i++)
    if (hf_format(want, sizeof want, "%s/blobs/%.2s/%s", prefixes[i], hash, hash) && !strcmp(link, want)) return hash;
  return NULL;
}

static bool shared_link_of(struct hub *hub, const char *rel, char hash[65]) {
  char link[HF_PATH_ROOM];
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  ssize_t n = top ? readlinkat(top->fd, rel, link, sizeof link - 1) : -1;
  hf_dir_put(hub->root, top);
  link[n > 0 ? n : 0] = 0;
  return n > 0 && hub_shared_of_link(hub, link, hash);
}

bool hub_shared_hash(struct hub *hub, const char *folder, const char *etag, char hash[65]) {
  char rel[HF_PATH_ROOM];
  return hf_format(rel, sizeof rel, "%s/blobs/%s", folder, etag) && shared_link_of(hub, rel, hash);
}

/* A manifest line that is a repo's blob and still a link to this hash. */
static bool line_lives(struct hub *hub, const char *line, const char *hash) {
  char folder[HUB_FOLDER_ROOM], id[HUB_FOLDER_ROOM], is[65];
  const char *type, *cut = strchr(line, '/');
  if (!hf_path_safe(line) || !cut || (size_t)(cut - line) >= sizeof folder || strncmp(cut, "/blobs/", 7) ||
      strchr(cut + 7, '/'))
    return false;
  memcpy(folder, line, (size_t)(cut - line));
  folder[cut - line] = 0;
  return hub_repo_of(folder, &type, id) && shared_link_of(hub, line, is) && !strcmp(is, hash);
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Keeps the living lines, each once, ascending; *live tells how many. False: leave everything as it is. */
static bool rewrite(struct hub *hub, struct entry *e, char *text, size_t len, size_t *live) {
  size_t room = 1, n = 0, out_len = 0;
  for (size_t i = 0; i < len; i++) room += text[i] == '\n';
  char **lines = hf_zalloc(NULL, room * sizeof *lines), *out = H->alloc(len + 2);
  bool ok = lines && out;
  for (char *line; ok && (line = strsep(&text, "\n")) != NULL;)
    if (line_lives(hub, line, e->hash)) lines[n++] = line;
  if (ok && n) {
    char temp[96], name[80];
    qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0; i < n; i++) {
      if (i && !strcmp(lines[i], lines[i - 1])) continue;
      size_t m = strlen(lines[i]);
      memcpy(out + out_len, lines[i], m);
      out[out_len + m] = '\n';
      out_len += m + 1;
    }
    hf_format(name, sizeof name, "%s.refs", e->hash);
    hf_format(temp, sizeof temp, "%s.%08x.tmp", name, (unsigned)(H->now_ns() * 2654435761u));
    int fd = openat(e->dir->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    ok = fd >= 0 && hf_write_all(fd, out, out_len) && fchmod(fd, 0666) == 0 && fsync(fd) == 0 &&
         renameat(e->dir->fd, temp, e->dir->fd, name) == 0;
    if (fd >= 0) close(fd);
    if (!ok) unlinkat(e->dir->fd, temp, 0);
  }
  *live = n;
  H->release(lines);
  H->release(out);
  return ok;
}

void hub_shared_sweep(hf_call *c, struct hub *hub, const char *hash) {
  char rel[96], name[80];
  struct entry e;
  struct stat st;
  size_t len = 0, live = 0;
  if (!hf_hex_is(hash, 64) || !hub_shared_marked(hub) || !enter(c, hub, hash, false, &e)) return;
  hf_format(rel, sizeof rel, "blobs/%.2s/%s.refs", hash, hash);
  hf_format(name, sizeof name, "%s.refs", hash);
  bool plain = fstatat(e.dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
  char *text = plain ? hf_root_read(hub->root, rel, MANIFEST_BYTES, &len) : NULL;
  if (text && rewrite(hub, &e, text, len, &live) && live == 0 &&
      fstatat(e.dir->fd, hash, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
    unlinkat(e.dir->fd, hash, 0);
    unlinkat(e.dir->fd, name, 0);
  }
  H->release(text);
  leave(hub, &e);
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

struct entries {
  int fd;
  const char *prefix;
  bool (*fn)(void *, const char *, uint64_t);
  void *arg;
  bool stop;
};

static bool see_entry(void *arg, const char *name, unsigned char type) {
  struct entries *e = arg;
  struct stat st;
  if (type != DT_REG || !hf_hex_is(name, 64) || strncmp(name, e->prefix, 2)) return true;
  if (fstatat(e->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) return true;
  e->stop = !e->fn(e->arg, name, (uint64_t)st.st_size);
  return !e->stop;
}

static bool see_prefix(void *arg, const char *name, unsigned char type) {
  struct entries *all = arg, e = *all;
  if (type != DT_DIR || !hf_hex_is(name, 2)) return true;
  e.prefix = name;
  e.fd = openat(all->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (e.fd < 0) return true;
  hf_dir_each(e.fd, see_entry, &e);
  close(e.fd);
  all->stop = e.stop;
  return !e.stop;
}

void hub_shared_each(struct hub *hub, bool (*fn)(void *, const char *, uint64_t), void *arg) {
  struct hf_dir *d = hub_shared_marked(hub) ? hf_dir_get(hub->root, "blobs", false) : NULL;
  if (!d) return;
  struct entries e = {.fd = d->fd, .fn = fn, .arg = arg};
  hf_dir_each(d->fd, see_prefix, &e);
  hf_dir_put(hub->root, d);
}

uint64_t hub_shared_users(struct hub *hub, const char *hash, void (*fn)(void *, const char *), void *arg) {
  char rel[96];
  size_t len = 0, room = 1, n = 0;
  struct stat st;
  hf_format(rel, sizeof rel, "blobs/%.2s/%s.refs", hash, hash);
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  bool plain = top && fstatat(top->fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
  hf_dir_put(hub->root, top);
  char *text = plain ? hf_root_read(hub->root, rel, MANIFEST_BYTES, &len) : NULL, *rest = text;
  for (size_t i = 0; i < len; i++) room += text[i] == '\n';
  char **lines = text ? hf_zalloc(NULL, room * sizeof *lines) : NULL;
  for (char *line; lines && (line = strsep(&rest, "\n")) != NULL;)
    if (line_lives(hub, line, hash)) lines[n++] = line;
  uint64_t users = lines ? 0 : UINT64_MAX;
  if (lines) qsort(lines, n, sizeof *lines, by_text);
  for (size_t i = 0; lines && i < n; i++) {
    if (i && !strcmp(lines[i], lines[i - 1])) continue;
    users++;
    if (fn) fn(arg, lines[i]);
  }
  H->release(lines);
  H->release(text);
  return users;
}
