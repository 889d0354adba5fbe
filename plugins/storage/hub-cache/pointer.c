/* pointer.c - the file of a snapshot that shows a blob: a relative link, or the bytes themselves where links fail.
 * Two writers of the same link do not disturb each other; a link to something else is replaced at once.
 * Whether links work is learnt from the first real one, and said only then. */
#include "hub.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool no_links(int err) {
  return err == EPERM || err == EOPNOTSUPP || err == ENOSYS;
}

static bool same_link(int dirfd, const char *name, const char *target) {
  char link[HF_PATH_ROOM];
  ssize_t n = readlinkat(dirfd, name, link, sizeof link);
  return n > 0 && (size_t)n == strlen(target) && !memcmp(link, target, (size_t)n);
}

static int link_over(struct hub *hub, const char *locks, int dirfd, const char *name, const char *target) {
  char temp[HF_IDENT_ROOM];
  struct hf_dir *t = hf_part_temp(hub->root, locks, temp);
  if (!t) return errno;
  int err = symlinkat(target, t->fd, temp) != 0 ? errno : 0;
  if (!err && renameat(t->fd, temp, dirfd, name) != 0) {
    err = errno;
    unlinkat(t->fd, temp, 0);
  }
  hf_dir_put(hub->root, t);
  return err;
}

static int link_to(struct hub *hub, const char *locks, int dirfd, const char *name, const char *target) {
  if (symlinkat(target, dirfd, name) == 0 || (errno == EEXIST && same_link(dirfd, name, target))) return 0;
  return errno == EEXIST ? link_over(hub, locks, dirfd, name, target) : errno;
}

/* Where links fail: a fresh blob moves into the snapshot, any other is copied. */
static int real_file(hf_call *c, struct hub *hub, const char *locks, const char *blob, int dirfd, const char *name,
                     bool fresh) {
  char temp[HF_IDENT_ROOM];
  struct stat st;
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  if (!top) return errno;
  int err = fresh && renameat(top->fd, blob, dirfd, name) == 0 ? 0 : EAGAIN;
  hf_dir_put(hub->root, top);
  if (!err) return 0;
  int fd = hf_root_look_file(hub->root, blob, O_RDONLY, &st);
  if (fd < 0) return errno;
  err = hf_copy_temp(c, hub->root, locks, fd, temp, hub->durable);
  close(fd);
  if (err) return err;
  char rel[HF_PATH_ROOM];
  if (!hf_format(rel, sizeof rel, "%s/.libhf", locks)) return ENAMETOOLONG;
  struct hf_dir *t = hf_dir_get(hub->root, rel, false);
  if (!t) return errno;
  if (renameat(t->fd, temp, dirfd, name) != 0) {
    err = errno;
    unlinkat(t->fd, temp, 0);
  }
  hf_dir_put(hub->root, t);
  return err;
}

static int point(hf_call *c, struct hub *hub, const char *folder, const char *etag, int up, struct hf_dir *d,
                 const char *name, bool fresh) {
  char target[HF_PATH_ROOM], blob[HF_PATH_ROOM], locks[HF_NAME_ROOM];
  size_t n = 0;
  hf_format(locks, sizeof locks, ".locks/%s", folder);
  if (atomic_load(&hub->links) != 0) {
    for (; up > 0 && n + 4 < sizeof target; up--, n += 3) memcpy(target + n, "../", 4);
    if (!hf_format(target + n, sizeof target - n, "blobs/%s", etag)) return ENAMETOOLONG;
    int err = link_to(hub, locks, d->fd, name, target);
    if (!err) atomic_store(&hub->links, 1);
    if (!no_links(err)) return err;
    if (atomic_load(&hub->links) < 0) {
      atomic_store(&hub->links, 0);
      H->log(c, HF_LOG_WARNING, "%s does not support symbolic links: files are stored once per snapshot instead",
             hub->root->path);
    }
  }
  if (!hf_format(blob, sizeof blob, "%s/blobs/%s", folder, etag)) return ENAMETOOLONG;
  return real_file(c, hub, locks, blob, d->fd, name, fresh);
}

hf_status hub_point(hf_call *c, struct hub *hub, const char *folder, const char *commit, const char *path,
                    const char *etag, bool fresh, struct hf_flush *flush) {
  char rel[HF_PATH_ROOM];
  int up = 2, err = ENOENT;
  for (const char *p = path; *p; p++) up += *p == '/';
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, commit, path));
  char *cut = strrchr(rel, '/');
  for (int tries = 0; err == ENOENT && tries < 2; tries++) {
    *cut = 0;
    struct hf_dir *d = hf_dir_get(hub->root, rel, true);
    err = d ? point(c, hub, folder, etag, up, d, cut + 1, fresh) : errno;
    if (d && !err && flush)
      hf_flush_dir(flush, d);
    else
      hf_dir_put(hub->root, d);
    if (err == ENOENT) hf_root_forget(hub->root); /* somebody removed folders that we held open */
    *cut = '/';
  }
  return err ? hf_root_fail(c, hub->root, err, "show a file at", rel) : HF_OK;
}
