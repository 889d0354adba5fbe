/* source.c - a file of a store as a source: reads by offset, from several threads.
 * A file that is replaced keeps its old bytes for whoever has it open; one that is changed in place is noticed.
 * The source owns the descriptor. */
#include "posix.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

struct file_source {
  struct hf_source source;
  int fd;
  struct timespec changed;
  char name[];
};

static hf_status file_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct file_source *f = (struct file_source *)s;
  size_t n = 0;
  while (n < len) {
    ssize_t r = pread(f->fd, (char *)buf + n, len - n, (off_t)(off + n));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return hf_file_fail(c, errno, "read", f->name);
    if (r == 0) break;
    n += (size_t)r;
  }
  struct stat st;
  if (fstat(f->fd, &st) != 0) return hf_file_fail(c, errno, "read", f->name);
  if ((uint64_t)st.st_size != s->size || st.st_mtim.tv_sec != f->changed.tv_sec ||
      st.st_mtim.tv_nsec != f->changed.tv_nsec)
    return H->failf(c, HF_ECONFLICT, "%s changed while it was read; try again when nothing writes to it.", f->name);
  *got = n;
  return HF_OK;
}

static void file_close(struct hf_source *s) {
  struct file_source *f = (struct file_source *)s;
  close(f->fd);
  H->release(f);
}

hf_status hf_source_open(hf_call *c, int fd, const char *name, struct hf_source **out) {
  struct stat st;
  size_t n = strlen(name) + 1;
  struct file_source *f = fstat(fd, &st) == 0 ? hf_zalloc(c, sizeof *f + n) : NULL;
  if (!f) {
    int err = errno;
    close(fd);
    return H->error(c) ? H->error(c)->code : hf_file_fail(c, err, "read", name);
  }
  memcpy(f->name, name, n);
  f->fd = fd;
  f->changed = st.st_mtim;
  f->source = (struct hf_source){.struct_size = sizeof f->source,
                                 .caps = HF_IO_CONCURRENT,
                                 .size = (uint64_t)st.st_size,
                                 .name = f->name,
                                 .pread = file_pread,
                                 .close = file_close};
  *out = &f->source;
  return HF_OK;
}
