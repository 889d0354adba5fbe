/* file.c - small things done to whole files and directories: read, write, copy, list, remove.
 * Writes go to a temporary and are renamed, so a reader sees the old or the new content and nothing between.
 * Sizes and depths are bounded: what lies in a cache folder may have been put there by anybody. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool hf_write_all(int fd, const void *data, size_t len) {
  const char *p = data;
  while (len) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

int hf_fd_high(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, 3), err = errno;
  close(fd);
  errno = err;
  return high;
}

char *hf_root_read(struct hf_root *r, const char *rel, size_t max, size_t *len) {
  struct stat st;
  int fd = hf_root_look_file(r, rel, O_RDONLY, &st);
  if (fd < 0) return NULL;
  char *text = NULL;
  if ((uint64_t)st.st_size > max) {
    errno = EFBIG;
  } else if ((text = H->alloc((size_t)st.st_size + 1)) == NULL) {
    errno = ENOMEM;
  } else {
    size_t got = 0;
    while (got < (size_t)st.st_size) {
      ssize_t n = read(fd, text + got, (size_t)st.st_size - got);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        int err = errno;
        H->release(text);
        close(fd);
        errno = err;
        return NULL;
      }
      if (n == 0) break;
      got += (size_t)n;
    }
    text[got] = 0;
    *len = got;
  }
  int err = errno;
  close(fd);
  errno = err;
  return text;
}

int hf_dir_each(int dirfd, bool (*fn)(void *, const char *, unsigned char), void *arg) {
  int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno;
  DIR *d = fdopendir(fd);
  if (!d) {
    int err = errno;
    close(fd);
    return err;
  }
  int err = 0;
  for (;;) {
    errno = 0;
    struct dirent *e = readdir(d);
    if (!e) {
      err = errno;
      break;
    }
    if (e->d_name[0] == '.' && (!e->d_name[1] || (e->d_name[1] == '.' && !e->d_name[2]))) continue;
    unsigned char type = e->d_type;
    struct stat st;
    if (type == DT_UNKNOWN && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
      type = S_ISDIR(st.st_mode) ? DT_DIR : S_ISREG(st.st_mode) ? DT_REG : S_ISLNK(st.st_mode) ? DT_LNK : DT_UNKNOWN;
    if (!fn(arg, e->d_name, type)) break;
  }
  closedir(d);
  return err;
}

struct removing {
  int fd, depth, err;
};

static int remove_below(int dirfd, const char *name, int depth);

static bool remove_one(void *arg, const char *name, unsigned char type) {
  struct removing *r = arg;
  int err = 0;
  if (type == DT_DIR)
    err = remove_below(r->fd, name, r->depth + 1);
  else if (unlinkat(r->fd, name, 0) != 0 && errno != ENOENT)
    err = errno;
  if (err && !r->err) r->err = err;
  return true;
}

static int remove_below(int dirfd, const char *name, int depth) {
  if (depth > 64) return ELOOP;
  int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? 0 : errno;
  struct removing r = {fd, depth, 0};
  int err = hf_dir_each(fd, remove_one, &r);
  close(fd);
  if (err || r.err) return err ? err : r.err;
  return unlinkat(dirfd, name, AT_REMOVEDIR) != 0 && errno != ENOENT ? errno : 0;
}

int hf_tree_remove(int dirfd, const char *name) {
  return remove_below(dirfd, name, 0);
}

struct hf_dir *hf_part_temp(struct hf_root *r, const char *dir, char name[HF_IDENT_ROOM]) {
  char rel[HF_PATH_ROOM];
  hf_ident_make(name);
  hf_place_know(r, dir, false);
  if (!hf_format(rel, sizeof rel, "%s/.libhf", dir)) {
    errno = ENAMETOOLONG;
    return NULL;
  }
  return hf_dir_get(r, rel, true);
}

static int split(const char *rel, char *dir, const char **name) {
  const char *slash = strrchr(rel, '/');
  size_t n = slash ? (size_t)(slash - rel) : 0;
  if (n >= HF_PATH_ROOM) return ENAMETOOLONG;
  memcpy(dir, rel, n);
  dir[n] = 0;
  *name = slash ? slash + 1 : rel;
  return 0;
}

static int put_once(struct hf_root *r, const char *temp_dir, const char *rel, const void *data, size_t len,
                    bool durable) {
  char dir[HF_PATH_ROOM], temp[HF_IDENT_ROOM];
  const char *name;
  int err = split(rel, dir, &name);
  if (err) return err;
  struct hf_dir *from = hf_part_temp(r, temp_dir, temp);
  if (!from) return errno;
  int fd = hf_fd_high(openat(from->fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (fd < 0) {
    err = errno;
    hf_dir_put(r, from);
    return err;
  }
  if (!hf_write_all(fd, data, len) || (durable && fdatasync(fd) != 0)) err = errno;
  struct hf_dir *to = err ? NULL : hf_dir_get(r, dir, true);
  if (!err && !to) err = errno;
  if (!err && renameat(from->fd, temp, to->fd, name) != 0) err = errno;
  if (err)
    unlinkat(from->fd, temp, 0);
  else if (durable && (err = hf_root_settle(r, false)) == 0 && fsync(to->fd) != 0)
    err = errno;
  close(fd);
  hf_dir_put(r, to);
  hf_dir_put(r, from);
  return err;
}

hf_status hf_file_put(hf_call *c, struct hf_root *r, const char *temp_dir, const char *rel, const void *data,
                      size_t len, bool durable) {
  int err = put_once(r, temp_dir, rel, data, len, durable);
  if (err == ENOENT) { /* folders that we held open were removed */
    hf_root_forget(r);
    err = put_once(r, temp_dir, rel, data, len, durable);
  }
  return err ? hf_root_fail(c, r, err, "write", rel) : HF_OK;
}

static int copy_bytes(hf_call *c, int from, int to) {
  char buf[1 << 16];
  off_t off = 0;
  if (ioctl(to, FICLONE, from) == 0) return 0;
  for (bool by_kernel = true;;) {
    if (H->check(c) != HF_OK) return ECANCELED;
    ssize_t n = by_kernel ? copy_file_range(from, &off, to, NULL, 16u << 20, 0) : pread(from, buf, sizeof buf, off);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && by_kernel && off == 0) {
      by_kernel = false;
      continue;
    }
    if (n < 0) return errno;
    if (n == 0) return 0;
    if (!by_kernel) {
      if (!hf_write_all(to, buf, (size_t)n)) return errno;
      off += n;
    }
  }
}

int hf_copy_temp(hf_call *c, struct hf_root *r, const char *temp_dir, int from, char name[HF_IDENT_ROOM],
                 bool durable) {
  struct hf_dir *dir = hf_part_temp(r, temp_dir, name);
  if (!dir) return errno;
  int err = 0, fd = hf_fd_high(openat(dir->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (fd < 0) err = errno;
  if (!err) err = copy_bytes(c, from, fd);
  if (!err && durable && fdatasync(fd) != 0) err = errno;
  if (fd >= 0) close(fd);
  if (err) unlinkat(dir->fd, name, 0);
  hf_dir_put(r, dir);
  return err;
}
