/* source_file.c - sources of bytes that are on this machine: a regular file whose state is remembered, or memory.
 * What is no regular file is refused before it is opened: opening a pipe waits, opening a device may do anything.
 * A file that is not as it was says so instead of giving bytes of two states. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"

struct file {
  struct hf_source s; /* first */
  struct hf_stamp stamp;
  int fd;
  bool grows;
};

static int64_t ns_of(struct timespec t) {
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct hf_stamp stamp_of(const struct stat *st) {
  return (struct hf_stamp){.dev = (uint64_t)st->st_dev,
                           .ino = (uint64_t)st->st_ino,
                           .size = (uint64_t)st->st_size,
                           .mtime_ns = ns_of(st->st_mtim),
                           .ctime_ns = ns_of(st->st_ctim)};
}

static bool same(const struct hf_stamp *was, const struct hf_stamp *is, bool grows) {
  if (was->dev != is->dev || was->ino != is->ino) return false;
  if (grows) return is->size >= was->size;
  return was->size == is->size && was->mtime_ns == is->mtime_ns && was->ctime_ns == is->ctime_ns;
}

static hf_status changed(hf_call *c, const char *name) {
  return hf_call_failf(c, HF_ECONFLICT, "%s changed while it was being read; wait until it is complete and try again",
                       name);
}

static hf_status unchanged(hf_call *c, struct file *f) {
  struct stat st;
  if (fstat(f->fd, &st) != 0) return hf_fail_errno(c, errno, "%s", f->s.name);
  struct hf_stamp is = stamp_of(&st);
  return same(&f->stamp, &is, f->grows) ? HF_OK : changed(c, f->s.name);
}

static hf_status file_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct file *f = (struct file *)s;
  *got = 0;
  TRY(hf_call_check(c));
  if (off >= s->size) return HF_OK;
  if (len > s->size - off) len = (size_t)(s->size - off);
  while (*got < len) {
    ssize_t n = pread(f->fd, (char *)buf + *got, len - *got, (off_t)(off + *got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return hf_fail_errno(c, errno, "%s cannot be read", s->name);
    if (n == 0) return changed(c, s->name);
    *got += (size_t)n;
  }
  return unchanged(c, f);
}

static void file_close(struct hf_source *s) {
  close(((struct file *)s)->fd);
  hf_mem_free(s);
}

static const char *kind_of(mode_t mode) {
  return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static hf_status no_file(hf_call *c, const char *path, mode_t mode) {
  return hf_call_failf(c, HF_EINVAL, "%s is %s, not a file; only regular files can be read here", path, kind_of(mode));
}

hf_status hf_source_file(hf_call *c, const char *path, uint32_t flags, const struct hf_stamp *expect,
                         struct hf_source **out, struct hf_stamp *is) {
  struct stat st;
  *out = NULL;
  if (!(flags & HF_SOURCE_SEEN)) {
    if (stat(path, &st) != 0) return hf_fail_errno(c, errno, "%s", path);
    if (!S_ISREG(st.st_mode)) return no_file(c, path, st.st_mode);
  }
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return hf_fail_errno(c, errno, "%s cannot be opened", path);
  size_t len = strlen(path) + 1;
  struct file *f = hf_mem_alloc(sizeof *f + len);
  hf_status result = HF_OK;
  if (!f) {
    result = hf_call_failf(c, HF_ENOMEM, "no memory to read %s", path);
  } else if (fstat(fd, &st) != 0) {
    result = hf_fail_errno(c, errno, "%s", path);
  } else if (!S_ISREG(st.st_mode)) {
    result = no_file(c, path, st.st_mode);
  } else {
    f->stamp = stamp_of(&st);
    f->grows = flags & HF_SOURCE_GROWS;
    if (expect && !same(expect, &f->stamp, f->grows)) result = changed(c, path);
    if (expect && f->grows) f->stamp.size = expect->size;
  }
  if (result != HF_OK) {
    hf_mem_free(f);
    close(fd);
    return result;
  }
  char *name = (char *)(f + 1);
  memcpy(name, path, len);
  f->fd = fd;
  f->s = (struct hf_source){.struct_size = sizeof f->s,
                            .caps = HF_IO_CONCURRENT,
                            .size = f->stamp.size,
                            .name = name,
                            .pread = file_pread,
                            .close = file_close};
  if (is) *is = f->stamp;
  *out = &f->s;
  return HF_OK;
}

/* ---- memory ---- */

struct memory {
  struct hf_source s; /* first */
  const uint8_t *data;
};

static hf_status memory_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  (void)c;
  *got = off >= s->size ? 0 : len < s->size - off ? len : (size_t)(s->size - off);
  if (*got) memcpy(buf, ((struct memory *)s)->data + off, *got);
  return HF_OK;
}

const void *hf_source_held(const struct hf_source *s) {
  return s->pread == memory_pread ? ((const struct memory *)s)->data : NULL;
}

static void memory_close(struct hf_source *s) {
  hf_mem_free(s);
}

hf_status hf_source_memory(hf_call *c, const char *name, const void *data, size_t len, struct hf_source **out) {
  size_t n = strlen(name) + 1;
  struct memory *m = hf_mem_alloc(sizeof *m + n);
  *out = NULL;
  if (!m) return hf_call_failf(c, HF_ENOMEM, "no memory to read %s", name);
  memcpy(m + 1, name, n);
  m->data = data;
  m->s = (struct hf_source){.struct_size = sizeof m->s,
                            .caps = HF_IO_CONCURRENT,
                            .size = len,
                            .name = (const char *)(m + 1),
                            .pread = memory_pread,
                            .close = memory_close};
  *out = &m->s;
  return HF_OK;
}
