/* part.c - a file on its way in: a large one goes to DIR/KEY.libhf/p.IDENT/data under a lease and survives its
 * process; to take it over is to rename that folder, so one process continues it and a former holder cannot
 * publish. Everything else, and whoever did not get the lease, writes a temporary DIR/.libhf/IDENT of its own. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define KEPT         "p.kept"
#define LEASE_TTL_MS 30000u

static hf_status part_fail(hf_call *c, const struct hf_part *p, int err, const char *verb) {
  return hf_root_fail(c, p->leases->root, err, verb, p->path);
}

static struct hf_dir *temp_dir(const struct hf_part *p, bool create) {
  char rel[HF_PATH_ROOM];
  if (!hf_format(rel, sizeof rel, "%s/.libhf", p->dir)) return errno = ENAMETOOLONG, NULL;
  return hf_dir_get(p->leases->root, rel, create);
}

static void part_free(struct hf_part *p) {
  hf_part_writeback_join(p);
  char *const own[] = {p->dir, p->key, p->commit, p->path, p->etag, p->xet_hash, p->repo_type, p->repo_id};
  if (p->fd >= 0) close(p->fd);
  if (p->note_fd >= 0) close(p->note_fd);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) H->release(own[i]);
  H->release(p);
}

static bool dup_into(hf_call *c, char **to, const char *from) {
  if (!from) return true;
  return (*to = hf_strdup(c, from)) != NULL;
}

static hf_status part_new(hf_call *c, struct hf_leases *leases, const char *dir, const char *key,
                          const struct hf_ingest *in, struct hf_part **out) {
  struct hf_part *p = hf_zalloc(c, sizeof *p);
  if (!p) return HF_ENOMEM;
  p->leases = leases;
  p->fd = p->note_fd = -1;
  p->what = *in;
  if (!dup_into(c, &p->dir, dir) || !dup_into(c, &p->key, key) || !dup_into(c, &p->commit, in->name.commit) ||
      !dup_into(c, &p->path, in->name.path) || !dup_into(c, &p->etag, in->etag) ||
      !dup_into(c, &p->xet_hash, in->xet_hash) || !dup_into(c, &p->repo_type, in->name.repo.type) ||
      !dup_into(c, &p->repo_id, in->name.repo.id)) {
    part_free(p);
    return HF_ENOMEM;
  }
  p->what.name = (struct hf_name){{p->repo_type, p->repo_id}, p->commit, p->path};
  p->what.etag = p->etag;
  p->what.xet_hash = p->xet_hash;
  *out = p;
  return HF_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static int open_temp(struct hf_part *p) {
  struct hf_dir *d = temp_dir(p, true);
  hf_ident_make(p->id);
  if (!d) return errno;
  p->fd = hf_fd_high(openat(d->fd, p->id, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  int err = p->fd < 0 ? errno : 0;
  hf_dir_put(p->leases->root, d);
  return err;
}

struct found {
  char name[HF_NAME_ROOM];
};

static bool find_partial(void *arg, const char *name, unsigned char type) {
  struct found *f = arg;
  if (type != DT_DIR || strncmp(name, "p.", 2) || strlen(name) >= sizeof f->name) return true;
  memcpy(f->name, name, strlen(name) + 1);
  return strcmp(name, KEPT) != 0; /* one that was put down properly is the best */
}

static int open_in(int kd, const char *folder, const char *file, int flags) {
  char rel[2 * HF_NAME_ROOM];
  if (!hf_format(rel, sizeof rel, "%s/%s", folder, file)) return errno = ENAMETOOLONG, -1;
  return hf_fd_high(openat(kd, rel, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666));
}

/* The holder may still run: its bytes are copied, then its folder is taken away, which ends its right to publish. */
static bool copy_over(hf_call *c, struct hf_part *p, int kd, const char *from, const char *mine) {
  static const char *const files[] = {"data", "note"};
  struct hf_root *r = p->leases->root;
  struct hf_dir *d = temp_dir(p, true);
  char target[2 * HF_NAME_ROOM], temp[HF_IDENT_ROOM];
  bool ok = d && mkdirat(kd, mine, 0777) == 0;
  for (size_t i = 0; ok && i < 2; i++) {
    int fd = open_in(kd, from, files[i], O_RDONLY);
    if (fd < 0) continue;
    ok = hf_copy_temp(c, r, p->dir, fd, temp, false) == 0 &&
         hf_format(target, sizeof target, "%s/%s", mine, files[i]) && renameat(d->fd, temp, kd, target) == 0;
    close(fd);
  }
  hf_format(target, sizeof target, "gone.%s", p->id);
  if (renameat(kd, from, kd, target) == 0) hf_tree_remove(kd, target);
  if (!ok) hf_tree_remove(kd, mine);
  hf_dir_put(r, d);
  return ok;
}

/* Makes an earlier partial ours. False: there is none to be had. */
static bool take_over(hf_call *c, struct hf_part *p, int kd, const char *mine) {
  struct found f = {""};
  struct stat st;
  hf_dir_each(kd, find_partial, &f);
  if (!f.name[0]) return false;
  int fd = open_in(kd, f.name, "data", O_RDWR);
  if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    if (fd >= 0) close(fd);
    hf_tree_remove(kd, f.name);
    return false;
  }
  bool local = hf_root_is_local(p->leases->root), kept = !strcmp(f.name, KEPT);
  bool locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
  enum hf_holder holder = kept ? HF_HOLDER_DEAD : hf_ident_judge(f.name + 2, local);
  bool certain = holder == HF_HOLDER_DEAD ? locked || !local : locked && local && holder == HF_HOLDER_UNKNOWN;
  bool ok = certain ? renameat(kd, f.name, kd, mine) == 0 : copy_over(c, p, kd, f.name, mine);
  if (!ok || !certain) {
    close(fd);
    fd = ok ? open_in(kd, mine, "data", O_RDWR) : -1;
    if (fd >= 0) (void)!flock(fd, LOCK_EX | LOCK_NB);
  }
  p->fd = fd;
  return fd >= 0;
}

static bool has_note(int kd, const char *mine) {
  struct stat st;
  char rel[2 * HF_NAME_ROOM];
  return hf_format(rel, sizeof rel, "%s/note", mine) && fstatat(kd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
         st.st_size > 0;
}

static int open_partial(hf_call *c, struct hf_part *p) {
  char mine[HF_IDENT_ROOM + 2];
  int err = ENOENT;
  memcpy(p->id, p->lease->id, sizeof p->id);
  hf_format(mine, sizeof mine, "p.%s", p->id);
  if (!hf_lease_show(p->leases, p->lease)) return errno;
  for (int tries = 0; err == ENOENT && tries < 8; tries++) {
    int kd = hf_key_open(p->leases->root, p->dir, p->key, true);
    if (kd < 0) {
      err = errno;
      continue;
    }
    err = 0;
    if (take_over(c, p, kd, mine)) {
      struct stat st;
      if (fstat(p->fd, &st) == 0 && (st.st_size > 0 || has_note(kd, mine))) p->sink.caps |= HF_IO_RESUMES;
    } else if ((mkdirat(kd, mine, 0777) != 0 && errno != EEXIST) ||
               (p->fd = open_in(kd, mine, "data", O_RDWR | O_CREAT | O_EXCL)) < 0) {
      err = errno;
    } else {
      (void)!flock(p->fd, LOCK_EX | LOCK_NB);
    }
    close(kd);
  }
  return err;
}

hf_status hf_part_open(hf_call *c, struct hf_leases *leases, const char *dir, const char *key,
                       const struct hf_ingest *in, struct hf_part **out) {
  struct hf_part *p = NULL;
  hf_part_sweep(leases->root, dir);
  TRY(part_new(c, leases, dir, key, in, &p));
  hf_part_sink(p);
  if (in->size >= HF_PART_SMALL) {
    p->lease = hf_lease_claim(leases, dir, key);
    if (!p->lease) {
      hf_status st = hf_lease_get(c, leases, dir, key, LEASE_TTL_MS, false, &p->lease);
      if (st != HF_OK) {
        part_free(p);
        return st;
      }
      if (p->lease) p->lease->busy = p->lease_ours = true;
    }
  }
  int err = p->lease ? open_partial(c, p) : open_temp(p);
  if (err == ENOENT && !p->lease) { /* the folder that we held open was removed */
    hf_root_forget(leases->root);
    err = open_temp(p);
  }
  if (err) {
    hf_status st = part_fail(c, p, err, "create a file for");
    hf_part_end(p, true);
    return st;
  }
  if (!p->lease) {
    p->sink.note_read = NULL;
    p->sink.note_write = NULL;
  }
  hf_status st = hf_part_expect(c, p, in->size);
  if (st != HF_OK) {
    hf_part_end(p, true);
    return st;
  }
  *out = p;
  return HF_OK;
}

/* ---- ending ------------------------------------------------------------------------------------------------------ */

/* Asking the kernel to begin blocks whoever asks for as long as the disk's queue is full: never a thread that
 * receives. */
static void *writeback(void *arg) {
  struct hf_part *p = arg;
  (void)!sync_file_range(p->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
  atomic_store(&p->writeback, HF_WRITEBACK_DONE);
  return NULL;
}

void hf_part_writeback_join(struct hf_part *p) {
  if (atomic_exchange(&p->writeback, HF_WRITEBACK_NONE) != HF_WRITEBACK_NONE) pthread_join(p->writer, NULL);
}

void hf_part_writeback(struct hf_part *p) {
  if (p->fd < 0 || p->leases->root->unhurried) return;
  pthread_mutex_lock(&p->leases->lock);
  int state = atomic_load(&p->writeback);
  if (state == HF_WRITEBACK_DONE) {
    hf_part_writeback_join(p);
    state = HF_WRITEBACK_NONE;
  }
  if (state == HF_WRITEBACK_NONE) { /* else the last one is still at it and finds the new bytes, or the next one does */
    atomic_store(&p->writeback, HF_WRITEBACK_RUNS);
    if (pthread_create(&p->writer, NULL, writeback, p) != 0) atomic_store(&p->writeback, HF_WRITEBACK_NONE);
  }
  pthread_mutex_unlock(&p->leases->lock);
}

hf_status hf_part_flush(hf_call *c, struct hf_part *p) {
  int fd = p->fd;
  if (fd < 0) {
    struct hf_dir *d = temp_dir(p, false);
    if (d) fd = openat(d->fd, p->id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    hf_dir_put(p->leases->root, d);
  }
  int err = fd < 0 || fdatasync(fd) != 0 ? errno : 0;
  if (fd >= 0 && fd != p->fd) close(fd);
  if (!err) return HF_OK;
  p->dirty_failed = true; /* nobody knows what reached the disk: never ask the same descriptor again */
  return part_fail(c, p, err, "flush");
}

/* Some mounts refuse to replace: the old file steps aside and comes back when the new one cannot take its place. */
static int replace(int from_fd, const char *from, int to_fd, const char *to) {
  char aside[HF_NAME_ROOM + 16];
  struct stat st;
  if (renameat(from_fd, from, to_fd, to) == 0) return 0;
  int err = errno;
  if ((err != EEXIST && err != EBUSY && err != EPERM && err != EACCES) ||
      fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(st.st_mode) ||
      !hf_format(aside, sizeof aside, ".%.200s.%08x.old", to, (unsigned)(H->now_ns() & 0xffffffffu)) ||
      renameat(to_fd, to, to_fd, aside) != 0)
    return err;
  if (renameat(from_fd, from, to_fd, to) != 0) {
    err = errno;
    (void)!renameat(to_fd, aside, to_fd, to);
    return err;
  }
  unlinkat(to_fd, aside, 0);
  return 0;
}

hf_status hf_part_move(hf_call *c, struct hf_part *p, struct hf_dir *to, const char *name) {
  char from[HF_NAME_ROOM];
  int err;
  if (p->lease) {
    int kd = hf_key_open(p->leases->root, p->dir, p->key, false);
    hf_format(from, sizeof from, "p.%s/data", p->id);
    err = kd < 0 ? errno : replace(kd, from, to->fd, name);
    if (kd >= 0) close(kd);
  } else {
    struct hf_dir *d = temp_dir(p, false);
    err = d ? replace(d->fd, p->id, to->fd, name) : errno;
    hf_dir_put(p->leases->root, d);
  }
  if (err == ENOENT)
    return H->failf(c, HF_ECONFLICT, "Another process took over or removed the unfinished %s; try again.", p->path);
  if (err == ENOTEMPTY || err == EEXIST) err = EISDIR;
  p->moved = err == 0;
  return err ? part_fail(c, p, err, "publish") : HF_OK;
}

/* Once the file is published, other unfinished copies of it that nobody holds are worth nothing. */
static bool drop_other(void *arg, const char *name, unsigned char type) {
  const struct hf_part *p = arg;
  if (type != DT_DIR || strncmp(name, "p.", 2) || !strcmp(name + 2, p->id)) return true;
  bool local = hf_root_is_local(p->leases->root);
  if (!strcmp(name, KEPT) || hf_ident_judge(name + 2, local) == HF_HOLDER_DEAD) {
    int kd = hf_key_open(p->leases->root, p->dir, p->key, false);
    if (kd >= 0) hf_tree_remove(kd, name);
    if (kd >= 0) close(kd);
  }
  return true;
}

static void end_partial(struct hf_part *p, bool keep) {
  char mine[HF_IDENT_ROOM + 2], rel[HF_NAME_ROOM];
  struct stat st;
  int kd = hf_key_open(p->leases->root, p->dir, p->key, false);
  hf_format(mine, sizeof mine, "p.%s", p->id);
  hf_format(rel, sizeof rel, "%s/data", mine);
  if (kd >= 0) {
    keep = keep && fstatat(kd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_size > 0 || has_note(kd, mine));
    if (keep && p->fd >= 0) (void)!ftruncate(p->fd, st.st_size); /* the reserved rest is given back */
    if (keep && renameat(kd, mine, kd, KEPT) != 0 && (errno == ENOTEMPTY || errno == EEXIST)) {
      hf_tree_remove(kd, KEPT);
      keep = renameat(kd, mine, kd, KEPT) == 0;
    }
    if (!keep) {
      unlinkat(kd, rel, 0);
      hf_format(rel, sizeof rel, "%s/note", mine);
      unlinkat(kd, rel, 0);
      unlinkat(kd, mine, AT_REMOVEDIR);
    }
    if (p->moved) hf_dir_each(kd, drop_other, p);
    close(kd);
  }
  pthread_mutex_lock(&p->leases->lock);
  p->lease->busy = false;
  bool last = p->lease_ours || p->lease->dropped;
  pthread_mutex_unlock(&p->leases->lock);
  if (last) hf_lease_end(p->leases, p->lease);
}

void hf_part_end(struct hf_part *p, bool keep) {
  if (!p) return;
  if (p->lease) {
    end_partial(p, keep && !p->dirty_failed);
  } else if (p->id[0] && !p->moved) {
    struct hf_dir *d = temp_dir(p, false);
    if (d) unlinkat(d->fd, p->id, 0);
    hf_dir_put(p->leases->root, d);
  }
  part_free(p);
}
