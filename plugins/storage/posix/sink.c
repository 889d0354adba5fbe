/* sink.c - the functions of a partial file's sink: writes by offset from any thread, the note, space, flushes.
 * Space for a large file is taken before its first byte; write-back starts while bytes arrive, beside the
 * writers, so the flush at the end is short. After a failed flush a partial is worth nothing and is removed. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

static struct hf_part *part_of(struct hf_sink *s) {
  return (struct hf_part *)(void *)s; /* its first member */
}

static hf_status sink_fail(hf_call *c, const struct hf_part *p, int err, const char *verb) {
  return hf_root_fail(c, p->leases->root, err, verb, p->path);
}

static hf_status no_room(hf_call *c, const struct hf_part *p, uint64_t need) {
  struct statvfs fs;
  char text[1024];
  if (fstatvfs(p->fd, &fs) != 0) return sink_fail(c, p, ENOSPC, "reserve space for");
  bool inodes = fs.f_files > 0 && fs.f_favail == 0;
  hf_format(text, sizeof text, "Not enough free space for %.400s: %.2f MB are needed and %.2f MB are free%s in %.400s.",
            p->path, (double)need / 1e6, (double)fs.f_bavail * (double)fs.f_frsize / 1e6,
            inodes ? " (and no inodes)" : "", p->leases->root->path);
  return H->fail(
      c, &(struct hf_error){
             .struct_size = sizeof(struct hf_error), .code = HF_ENOSPACE, .message = text, .sys_errno = ENOSPC});
}

/* Counted before it is asked for: a reservation that must fail would fill the disk first. */
static hf_status reserve(hf_call *c, struct hf_part *p, uint64_t size) {
  struct stat st;
  struct statvfs fs;
  if (size > INT64_MAX)
    return H->failf(c, HF_EPROTO, "%s cannot be that large; the server sent a wrong size.", p->path);
  if (size < HF_PART_SMALL || fstat(p->fd, &st) != 0) return HF_OK;
  if (fstatvfs(p->fd, &fs) == 0 && fs.f_blocks &&
      (uint64_t)fs.f_bavail * fs.f_frsize + (uint64_t)st.st_blocks * 512 < size)
    return no_room(c, p, size);
  int err = 0;
  do {
    err = fallocate(p->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) != 0 ? errno : 0;
  } while (err == EINTR);
  if (err == ENOSPC || err == EDQUOT || err == EFBIG) {
    (void)!ftruncate(p->fd, st.st_size); /* gives back what was reserved behind the end */
    return err == ENOSPC ? no_room(c, p, size) : sink_fail(c, p, err, "reserve space for");
  }
  return HF_OK; /* a file system without reservations was counted at least */
}

static hf_status set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  if (s->size == size) return HF_OK;
  if (s->size != HF_SIZE_UNKNOWN)
    return H->failf(c, HF_EPROTO, "The server changed the size of %s while it was sent; try again.", part_of(s)->path);
  TRY(reserve(c, part_of(s), size));
  s->size = size;
  return HF_OK;
}

static hf_status sink_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct hf_part *p = part_of(s);
  struct iovec v[64];
  for (uint32_t i = 0; i < n;) {
    uint32_t count = 0;
    size_t all = 0;
    for (; i + count < n && count < 64; count++) {
      v[count] = (struct iovec){(void *)(uintptr_t)iov[i + count].base, iov[i + count].len};
      all += v[count].iov_len;
    }
    i += count;
    for (struct iovec *at = v; all;) {
      ssize_t w = pwritev(p->fd, at, (int)(v + count - at), (off_t)off);
      if (w < 0 && errno == EINTR) continue;
      if (w < 0) return sink_fail(c, p, errno, "write");
      off += (uint64_t)w;
      all -= (size_t)w;
      size_t done = (size_t)w;
      while (at < v + count && done >= at->iov_len) done -= at++->iov_len;
      if (done) *at = (struct iovec){(char *)at->iov_base + done, at->iov_len - done};
    }
  }
  return HF_OK;
}

static hf_status read_fd(hf_call *c, struct hf_part *p, int fd, void *buf, size_t len, uint64_t off, size_t *got) {
  size_t n = 0;
  while (n < len) {
    ssize_t r = pread(fd, (char *)buf + n, len - n, (off_t)(off + n));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return sink_fail(c, p, errno, "read back");
    if (r == 0) break;
    n += (size_t)r;
  }
  *got = n;
  return HF_OK;
}

static hf_status sink_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  return read_fd(c, part_of(s), part_of(s)->fd, buf, len, off, got);
}

/* The note is opened at its first use: most partials of one run are never resumed. */
static int note_fd(struct hf_part *p, bool create) {
  if (p->note_fd >= 0) return p->note_fd;
  char rel[HF_NAME_ROOM];
  int kd = hf_key_open(p->leases->root, p->dir, p->key, false);
  if (kd < 0) return -1;
  hf_format(rel, sizeof rel, "p.%s/note", p->id);
  p->note_fd = hf_fd_high(openat(kd, rel, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | (create ? O_CREAT : 0), 0666));
  int err = errno;
  close(kd);
  errno = err;
  return p->note_fd;
}

static hf_status note_read(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct hf_part *p = part_of(s);
  *got = 0;
  pthread_mutex_lock(&p->leases->lock);
  int fd = note_fd(p, false), err = errno;
  pthread_mutex_unlock(&p->leases->lock);
  if (fd < 0) return err == ENOENT ? HF_OK : sink_fail(c, p, err, "read the journal of");
  return read_fd(c, p, fd, buf, len, off, got);
}

static hf_status note_write(hf_call *c, struct hf_sink *s, const void *buf, size_t len, uint64_t off) {
  struct hf_part *p = part_of(s);
  pthread_mutex_lock(&p->leases->lock);
  int fd = note_fd(p, true), err = errno;
  pthread_mutex_unlock(&p->leases->lock);
  if (fd < 0 && err == ENOENT)
    return H->failf(c, HF_ECONFLICT, "Another process took over the unfinished %s; try again.", p->path);
  if (fd < 0) return sink_fail(c, p, err, "write the journal of");
  if (len == 0 && ftruncate(fd, (off_t)off) != 0) return sink_fail(c, p, errno, "write the journal of");
  for (size_t n = 0; n < len;) {
    ssize_t w = pwrite(fd, (const char *)buf + n, len - n, (off_t)(off + n));
    if (w < 0 && errno == EINTR) continue;
    if (w < 0) return sink_fail(c, p, errno, "write the journal of");
    n += (size_t)w;
  }
  return HF_OK;
}

/* Content before the note: a note never speaks of bytes that are not there. */
static hf_status checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  struct hf_part *p = part_of(s);
  if (!wait) {
    hf_part_writeback(p);
    return HF_OK;
  }
  TRY(hf_part_flush(c, p));
  if (p->note_fd >= 0 && fdatasync(p->note_fd) != 0) {
    p->dirty_failed = true;
    return sink_fail(c, p, errno, "flush the journal of");
  }
  return HF_OK;
}

static hf_status seal(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **out) {
  struct hf_part *p = part_of(s);
  struct stat st;
  (void)is;
  int err = fstat(p->fd, &st) != 0 ? errno : 0;
  if (!err && s->size != HF_SIZE_UNKNOWN && (uint64_t)st.st_size > s->size && ftruncate(p->fd, (off_t)s->size) != 0)
    err = errno;
  hf_status status = err ? sink_fail(c, p, err, "finish") : HF_OK;
  if (!err && s->size != HF_SIZE_UNKNOWN && (uint64_t)st.st_size < s->size)
    status = H->failf(c, HF_EDIGEST, "%s is shorter than it should be; try again.", p->path);
  if (status != HF_OK) {
    hf_part_end(p, true);
    return status;
  }
  p->size = s->size != HF_SIZE_UNKNOWN ? s->size : (uint64_t)st.st_size;
  if (!p->lease) { /* many small files wait for their group: they need no descriptor for it */
    hf_part_writeback_join(p);
    close(p->fd);
    p->fd = -1;
  }
  *out = p;
  return HF_OK;
}

static void sink_abort(struct hf_sink *s, int32_t keep_partial) {
  hf_part_end(part_of(s), keep_partial != 0);
}

void hf_part_sink(struct hf_part *p) {
  p->sink = (struct hf_sink){.struct_size = sizeof p->sink,
                             .caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK,
                             .size = HF_SIZE_UNKNOWN,
                             .set_size = set_size,
                             .writev = sink_writev,
                             .pread = sink_pread,
                             .note_read = note_read,
                             .note_write = note_write,
                             .checkpoint = checkpoint,
                             .seal = seal,
                             .abort = sink_abort};
}

/* The size that the ingest promised counts as set. */
hf_status hf_part_expect(hf_call *c, struct hf_part *p, uint64_t size) {
  return size == HF_SIZE_UNKNOWN ? HF_OK : set_size(c, &p->sink, size);
}
