/* meta.c - the book-keeping of a folder: for each file the commit and etag it was downloaded for, and when.
 * Three lines, as the reference client writes them; they hold only as long as the file was not changed afterwards.
 * Times are written and read without the locale: the text is what Python prints for the same number. */
#include "local.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define META_BYTES 4096

hf_status local_path_check(hf_call *c, const char *path) {
  bool ok = hf_path_safe(path) && !local_reserved(path); /* a hook or a note there would be acted on */
  return ok ? HF_OK
            : H->failf(c, HF_EINVAL, "A file with this path is not written into a folder: %s.", path ? path : "");
}

hf_status local_book(hf_call *c, const char *path, const char *suffix, char rel[HF_PATH_ROOM]) {
  const char *name = strrchr(path, '/');
  char hex[65];
  int dir = name ? (int)(name + 1 - path) : 0;
  name = path + dir;
  if (strlen(name) + strlen(".metadata") >= HF_NAME_ROOM) {
    TRY(hf_sha256_hex(c, name, strlen(name), hex));
    name = hex;
  }
  if (hf_format(rel, HF_PATH_ROOM, LOCAL_BOOK "/download/%.*s%s%s", dir, path, name, suffix)) return HF_OK;
  return hf_file_fail(c, ENAMETOOLONG, "keep notes on", path);
}

bool local_time_parse(const char *s, double *out) {
  double n = 0, unit = 1;
  int digits = 0;
  while (*s == ' ' || *s == '\t') s++;
  for (; *s >= '0' && *s <= '9'; s++, digits++) n = n * 10 + (*s - '0');
  if (*s == '.')
    for (s++; *s >= '0' && *s <= '9'; s++, digits++) n += (*s - '0') * (unit /= 10);
  while (*s == ' ' || *s == '\t' || *s == '\r') s++;
  *out = n;
  return digits > 0 && digits < 40 && !*s;
}

/* Next line without the space around it; NULL at the end. */
static char *line(char **text) {
  char *s = strsep(text, "\n");
  if (!s) return NULL;
  while (*s == ' ' || *s == '\t' || *s == '\r') s++;
  for (size_t n = strlen(s); n && strchr(" \t\r", s[n - 1]);) s[--n] = 0;
  return s;
}

bool local_meta_read(hf_call *c, struct local *l, const char *path, const struct stat *st, struct local_meta *m) {
  char rel[HF_PATH_ROOM];
  size_t len = 0;
  if (local_book(c, path, ".metadata", rel) != HF_OK) return false;
  char *text = hf_root_read(l->root, rel, META_BYTES, &len), *rest = text;
  char *commit = text ? line(&rest) : NULL, *etag = text ? line(&rest) : NULL, *time = text ? line(&rest) : NULL;
  bool ok = commit && etag && time && *etag && strlen(commit) < sizeof m->commit && strlen(etag) < sizeof m->etag &&
            local_time_parse(time, &m->time);
  if (text && !ok) H->log(c, HF_LOG_WARNING, "Invalid metadata file %s/%s: it is ignored", l->root->path, rel);
  if (ok) {
    memcpy(m->commit, commit, strlen(commit) + 1);
    memcpy(m->etag, etag, strlen(etag) + 1);
    ok = (double)st->st_mtim.tv_sec + (double)st->st_mtim.tv_nsec * 1e-9 - 1 <= m->time;
  }
  H->release(text);
  return ok;
}

hf_status local_meta_write(hf_call *c, struct local *l, const char *path, const char *commit, const char *etag) {
  char rel[HF_PATH_ROOM], text[META_BYTES], fraction[8];
  struct timespec now;
  TRY(local_book(c, path, ".metadata", rel));
  clock_gettime(CLOCK_REALTIME, &now);
  hf_format(fraction, sizeof fraction, "%06ld", now.tv_nsec / 1000); /* microseconds: exactly what a double can tell */
  for (size_t n = 6; n > 1 && fraction[n - 1] == '0';) fraction[--n] = 0;
  if (!hf_format(text, sizeof text, "%s\n%s\n%lld.%s\n", commit ? commit : "", etag, (long long)now.tv_sec, fraction))
    return H->failf(c, HF_EINVAL, "The etag of %s is too long to be kept.", path);
  return hf_file_put(c, l->root, LOCAL_PARTS, rel, text, strlen(text), false);
}

void local_meta_drop(hf_call *c, struct local *l, const char *path) {
  char rel[HF_PATH_ROOM];
  if (local_book(c, path, ".metadata", rel) != HF_OK) return;
  char *cut = strrchr(rel, '/');
  *cut = 0;
  struct hf_dir *d = hf_dir_get(l->root, rel, false);
  if (d) unlinkat(d->fd, cut + 1, 0);
  hf_dir_put(l->root, d);
}

static void put_if_missing(struct hf_dir *d, const char *name, const char *text) {
  int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return;
  (void)!hf_write_all(fd, text, strlen(text));
  close(fd);
}

void local_prepare(struct local *l) {
  if (atomic_exchange(&l->ready, true)) return;
  struct hf_dir *d = hf_dir_get(l->root, LOCAL_BOOK, true);
  if (!d) return;
  put_if_missing(d, "CACHEDIR.TAG", hf_cachedir_tag);
  put_if_missing(d, ".gitignore", "*");
  hf_dir_put(l->root, d);
}

int local_lock(hf_call *c, struct local *l, const char *path) {
  char rel[HF_PATH_ROOM];
  if (local_book(c, path, ".lock", rel) != HF_OK) return -1;
  char *cut = strrchr(rel, '/');
  *cut = 0;
  struct hf_dir *d = hf_dir_get(l->root, rel, true);
  if (!d) return -1;
  int fd = openat(d->fd, cut + 1, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0664);
  if (fd >= 0)
    (void)!fchmod(fd, 0664);
  else if (errno == EEXIST)
    fd = openat(d->fd, cut + 1, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) (void)!flock(fd, LOCK_EX | LOCK_NB); /* advisory: everything under it is atomic anyway */
  hf_dir_put(l->root, d);
  return fd;
}
