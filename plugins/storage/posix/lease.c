/* lease.c - who is fetching a blob: one holder per key, among threads, processes, machines and the reference client.
 * The flock on KEY.lock is the reference's own and ends with its holder; KEY.libhf/lease says who holds it and when it
 * was last heard of, for locks that are not to be trusted and for holders that are stopped. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum state { FREE, HELD, DEAD, EXPIRED };

struct watch { /* what a waiter saw last: a heartbeat that stands still on our own clock has ended */
  struct timespec beat;
  uint64_t inode, since_ns;
};

void hf_leases_open(struct hf_leases *set, struct hf_root *root, bool keep_locks) {
  set->root = root;
  set->keep_locks = keep_locks;
  set->held = NULL;
  pthread_mutex_init(&set->lock, NULL);
}

void hf_leases_close(struct hf_leases *set) {
  while (set->held) {
    set->held->busy = false;
    hf_lease_end(set, set->held);
  }
  hf_part_tidy(set->root, !set->keep_locks);
  pthread_mutex_destroy(&set->lock);
}

int hf_key_open(struct hf_root *r, const char *dir, const char *key, bool create) {
  char name[HF_NAME_ROOM];
  if (!hf_format(name, sizeof name, "%s.libhf", key)) return errno = ENAMETOOLONG, -1;
  struct hf_dir *d = hf_dir_get(r, dir, create);
  if (!d) return -1;
  if (create && mkdirat(d->fd, name, 0777) != 0 && errno != EEXIST) {
    hf_dir_put(r, d);
    return -1;
  }
  int fd = openat(d->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  hf_dir_put(r, d);
  return fd;
}

static void shut(int fd) {
  int err = errno;
  if (fd >= 0) close(fd);
  errno = err;
}

/* The lock file, as the reference makes it: kept for ever, 664 whatever the umask. */
static int open_lock(struct hf_dir *d, const char *key) {
  char name[HF_NAME_ROOM];
  const int flags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  if (!hf_format(name, sizeof name, "%s.lock", key)) return errno = ENAMETOOLONG, -1;
  int fd = openat(d->fd, name, O_RDWR | flags);
  if (fd < 0 && errno == ENOENT) {
    fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | flags, 0664);
    if (fd >= 0)
      (void)!fchmod(fd, 0664);
    else if (errno == EEXIST)
      fd = openat(d->fd, name, O_RDWR | flags);
  }
  if (fd >= 0 || errno != EACCES) return fd;
  fd = openat(d->fd, name, O_RDONLY | flags); /* somebody else's: a lock needs no right to write */
  if (fd < 0) errno = EACCES;
  return fd;
}

/* 1 locked, 0 somebody else has it or has removed the file, -1 there are no locks here. */
static int try_lock(int *fd) {
  struct stat st;
  if (*fd < 0) return -1;
  while (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
  if (fstat(*fd, &st) != 0 || st.st_nlink > 0) return 1;
  close(*fd);
  *fd = -1; /* opened again at the next attempt */
  return 0;
}

static enum state look_at_file(struct hf_leases *set, const char *dir, const char *key, struct watch *w) {
  char text[256], id[HF_IDENT_ROOM] = "";
  unsigned ttl_ms = 0;
  struct stat st;
  struct timespec now;
  int kd = hf_key_open(set->root, dir, key, false);
  if (kd < 0) return FREE;
  int fd = openat(kd, "lease", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  close(kd);
  if (fd < 0) return FREE;
  ssize_t n = fstat(fd, &st) == 0 ? read(fd, text, sizeof text - 1) : -1;
  close(fd);
  text[n > 0 ? n : 0] = 0;
  if (sscanf(text, "libhf-lease 1 %111[0-9a-f-] %u", id, &ttl_ms) != 2) return DEAD;
  bool local = hf_root_is_local(set->root);
  if (hf_ident_judge(id, local) == HF_HOLDER_DEAD) return DEAD;
  uint64_t ttl = (uint64_t)ttl_ms * 1000000u, mono = H->now_ns();
  clock_gettime(CLOCK_REALTIME, &now);
  if (local && now.tv_sec > st.st_mtim.tv_sec && (uint64_t)(now.tv_sec - st.st_mtim.tv_sec - 1) * 1000 > ttl_ms)
    return EXPIRED;
  if (w->inode != (uint64_t)st.st_ino || w->beat.tv_sec != st.st_mtim.tv_sec || w->beat.tv_nsec != st.st_mtim.tv_nsec)
    *w = (struct watch){st.st_mtim, (uint64_t)st.st_ino, mono};
  return mono - w->since_ns > ttl ? EXPIRED : HELD;
}

/* A hard link is exclusive everywhere; where there are none, a rename must do. */
static bool place_file(int kd, const char *temp, bool over) {
  if (!over) {
    if (linkat(kd, temp, kd, "lease", 0) == 0) return true;
    if (errno == EEXIST || errno == ENOENT) return false;
  }
  return renameat(kd, temp, kd, "lease") == 0;
}

/* Puts our lease file in place. over: in place of one whose holder is gone. False with EEXIST: somebody was faster. */
static bool write_file(struct hf_leases *set, struct hf_lease *l, bool over) {
  char text[256], temp[HF_NAME_ROOM];
  struct stat st = {0};
  bool ok = false;
  hf_format(text, sizeof text, "libhf-lease 1\n%s\n%u\n", l->id, l->ttl_ms);
  hf_format(temp, sizeof temp, "lease.%s", l->id);
  for (int tries = 0; !ok && tries < 8; tries++) { /* ENOENT: another holder just removed the folder behind itself */
    int kd = hf_key_open(set->root, l->dir, l->key, true);
    if (kd < 0 && errno != ENOENT) return false;
    int fd = kd < 0 ? -1 : openat(kd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    ok = fd >= 0 && hf_write_all(fd, text, strlen(text)) && fstat(fd, &st) == 0 && place_file(kd, temp, over);
    int err = errno;
    if (fd >= 0) unlinkat(kd, temp, 0);
    errno = err;
    shut(fd);
    shut(kd);
    if (!ok && err != ENOENT) return false;
  }
  if (ok) l->inode = (uint64_t)st.st_ino;
  return ok;
}

bool hf_lease_show(struct hf_leases *set, struct hf_lease *l) {
  return l->inode || write_file(set, l, false) || (errno == EEXIST && write_file(set, l, true));
}

static void lease_free(struct hf_lease *l) {
  if (!l) return;
  if (l->lock_fd >= 0) close(l->lock_fd);
  H->release(l->dir);
  H->release(l->key);
  H->release(l);
}

static hf_status lease_new(hf_call *c, const char *dir, const char *key, uint32_t ttl_ms, struct hf_lease **out) {
  struct hf_lease *l = hf_zalloc(c, sizeof *l);
  if (!l) return HF_ENOMEM;
  l->lock_fd = -1;
  l->ttl_ms = ttl_ms;
  l->dir = hf_strdup(c, dir);
  l->key = hf_strdup(c, key);
  hf_ident_make(l->id);
  *out = l;
  if (l->dir && l->key) return HF_OK;
  lease_free(l);
  return HF_ENOMEM;
}

/* One attempt: 1 l is ours, 0 somebody has it, -1 with errno: never. A lock that is held while the lease file names
 * a dead holder was just taken by the next one; only a holder that lives and no longer beats loses it to us. */
static int attempt(struct hf_leases *set, struct hf_lease *l, struct watch *w) {
  int locked = try_lock(&l->lock_fd);
  enum state s = look_at_file(set, l->dir, l->key, w);
  bool trusted = locked == 1 && hf_root_is_local(set->root);
  if (s == HELD || (locked == 0 && s != EXPIRED)) {
    if (locked == 1) flock(l->lock_fd, LOCK_UN);
    return 0;
  }
  if (trusted && s == FREE) return 1; /* the kernel vouches for it; the lease file comes with the first heartbeat */
  if (write_file(set, l, s != FREE)) return 1;
  return errno == EEXIST || errno == ENOENT ? 0 : -1;
}

static hf_status pause_a_little(hf_call *c, uint32_t ms) {
  TRY(H->check(c));
  struct timespec t = {0, (long)ms * 1000000};
  nanosleep(&t, NULL);
  return HF_OK;
}

hf_status hf_lease_get(hf_call *c, struct hf_leases *set, const char *dir, const char *key, uint32_t ttl_ms, bool wait,
                       struct hf_lease **out) {
  struct hf_lease *l = NULL;
  struct watch w = {.inode = 0};
  uint64_t begin = H->now_ns(), said = begin;
  *out = NULL;
  TRY(lease_new(c, dir, key, ttl_ms, &l));
  for (uint32_t ms = 2;; ms = ms < 100 ? ms * 2 : 100) {
    struct hf_dir *d = hf_dir_get(set->root, dir, true);
    if (d && l->lock_fd < 0 && (l->lock_fd = open_lock(d, key)) < 0 && errno == ENOENT) hf_root_forget(set->root);
    int got = d ? attempt(set, l, &w) : -1;
    hf_status st = got < 0    ? hf_root_fail(c, set->root, errno, "take a lock in", dir)
                   : got == 1 ? HF_OK
                   : wait     ? pause_a_little(c, ms)
                              : HF_PENDING;
    hf_dir_put(set->root, d);
    if (got == 1) break;
    if (st != HF_OK) {
      lease_free(l);
      return st == HF_PENDING ? HF_OK : st;
    }
    uint64_t now = H->now_ns();
    if (now - said < 10000000000u) continue;
    said = now;
    H->log(c, HF_LOG_INFO, "Still waiting to acquire lock on %s/%s/%s.lock (elapsed: %.1f seconds)", set->root->path,
           dir, key, (double)(now - begin) / 1e9);
  }
  pthread_mutex_lock(&set->lock);
  l->next = set->held;
  set->held = l;
  pthread_mutex_unlock(&set->lock);
  *out = l;
  return HF_OK;
}

static bool still_ours(struct hf_leases *set, const struct hf_lease *l) {
  struct stat st;
  int kd = hf_key_open(set->root, l->dir, l->key, false);
  bool ours = kd >= 0 && fstatat(kd, "lease", &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_ino == l->inode;
  shut(kd);
  return ours;
}

hf_status hf_lease_renew(hf_call *c, struct hf_leases *set, struct hf_lease *l) {
  if (!l->inode) {
    if (write_file(set, l, false)) return HF_OK;
  } else if (still_ours(set, l)) {
    int kd = hf_key_open(set->root, l->dir, l->key, false);
    bool ok = kd >= 0 && utimensat(kd, "lease", NULL, AT_SYMLINK_NOFOLLOW) == 0;
    int err = errno;
    shut(kd);
    return ok || err == ENOENT ? HF_OK : hf_root_fail(c, set->root, err, "renew a lease in", l->dir);
  }
  return H->failf(c, HF_ECONFLICT, "Another process took over the download of %s; try again to use what it fetched.",
                  l->key);
}

void hf_lease_end(struct hf_leases *set, struct hf_lease *l) {
  if (!l) return;
  pthread_mutex_lock(&set->lock);
  if (l->busy) { /* a partial is still written or waits for its publication */
    l->dropped = true;
    pthread_mutex_unlock(&set->lock);
    return;
  }
  for (struct hf_lease **at = &set->held; *at; at = &(*at)->next)
    if (*at == l) {
      *at = l->next;
      break;
    }
  pthread_mutex_unlock(&set->lock);
  if (l->inode && still_ours(set, l)) {
    int kd = hf_key_open(set->root, l->dir, l->key, false);
    if (kd >= 0) unlinkat(kd, "lease", 0);
    shut(kd);
  }
  char rel[HF_NAME_ROOM];
  struct hf_dir *d = hf_dir_get(set->root, l->dir, false);
  if (d && !set->keep_locks && hf_format(rel, sizeof rel, "%s.lock", l->key)) unlinkat(d->fd, rel, 0);
  if (d && hf_format(rel, sizeof rel, "%s.libhf", l->key))
    unlinkat(d->fd, rel, AT_REMOVEDIR); /* unless a partial is kept */
  hf_dir_put(set->root, d);
  lease_free(l);
}

struct hf_lease *hf_lease_claim(struct hf_leases *set, const char *dir, const char *key) {
  pthread_mutex_lock(&set->lock);
  struct hf_lease *l = set->held;
  while (l && (l->busy || strcmp(l->key, key) || strcmp(l->dir, dir))) l = l->next;
  if (l) l->busy = true;
  pthread_mutex_unlock(&set->lock);
  return l;
}
