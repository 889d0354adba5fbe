/* walk.c - the files below a folder, as the reference finds them: links to files are followed, links to folders are not, what is
 * no regular file is left out, .git and .cache/huggingface are never entered; sorted by the parts of their paths.
 * Folders are visited without recursion; names that no repo can hold end the walk before anything is sent. */
#include "commit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct found {
  const char *path; /* relative; in the arena */
  uint64_t size;
};

struct walk {
  hf_call *call;
  const char *folder;
  const struct hf_hub_patterns *patterns;
  struct found *files;
  size_t count, room;
  const char **folders; /* relative, to be visited */
  size_t waiting, folder_room;
};

static hf_status no_memory(hf_call *c) {
  return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for the files of a folder; upload parts of it.");
}

static hf_status grow(struct walk *w, void *rows_at, size_t size, size_t count, size_t *room) {
  void **rows = rows_at;
  if (count < *room) return HF_OK;
  size_t more = *room ? *room * 2 : 64;
  void *grown = realloc(*rows, more * size);
  if (!grown) return no_memory(w->call);
  *rows = grown;
  *room = more;
  return HF_OK;
}

static bool ends_with(const char *text, const char *end) {
  size_t n = strlen(text), m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

static bool never(const char *path) {
  return !strcmp(path, ".git") || ends_with(path, "/.git") || !strcmp(path, ".cache/huggingface") ||
         ends_with(path, "/.cache/huggingface");
}

/* What is gone meanwhile, or a link that leads nowhere, is no file; what cannot be looked at may be one. */
static hf_status cannot_look(struct walk *w, const char *path, int err) {
  if (err == ENOENT || err == ENOTDIR || err == ELOOP) return HF_OK;
  return hf_hub_fail(w->call, err == EACCES ? HF_EPERM : HF_EIO, NULL, "'%s/%s' cannot be looked at: %s.", w->folder,
                     path, strerror(err));
}

static hf_status take(struct walk *w, int dir, const char *parent, const char *name) {
  struct stat st;
  const char *path = *parent ? hf_hub_text(w->call, "%s/%s", parent, name) : hf_host()->intern(w->call, name, SIZE_MAX);
  if (!path) return HF_ENOMEM;
  if (never(path)) return HF_OK;
  if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return cannot_look(w, path, errno);
  if (S_ISDIR(st.st_mode)) {
    TRY(grow(w, &w->folders, sizeof *w->folders, w->waiting, &w->folder_room));
    w->folders[w->waiting++] = path;
    return HF_OK;
  }
  if (S_ISLNK(st.st_mode) && fstatat(dir, name, &st, 0) != 0) return cannot_look(w, path, errno);
  if (!S_ISREG(st.st_mode)) {
    if (!S_ISDIR(st.st_mode))
      hf_host()->log(w->call, HF_LOG_INFO, "%s/%s is no regular file and is left out", w->folder, path);
    return HF_OK;
  }
  if (!hf_hub_wanted(w->call, w->patterns, path)) return HF_OK;
  TRY(grow(w, &w->files, sizeof *w->files, w->count, &w->room));
  w->files[w->count++] = (struct found){path, (uint64_t)st.st_size};
  return HF_OK;
}

static hf_status visit(struct walk *w, const char *path) {
  const char *full = *path ? hf_hub_text(w->call, "%s/%s", w->folder, path) : w->folder;
  int fd = full ? open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (*path ? O_NOFOLLOW : 0)) : -1;
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  if (!d) {
    int err = errno;
    if (fd >= 0) close(fd);
    if (full && err == ENOENT && *path) return HF_OK;
    return hf_hub_fail(w->call, HF_EIO, NULL, "The folder '%s' cannot be read: %s.", full ? full : path, strerror(err));
  }
  hf_status st = hf_host()->check(w->call);
  for (struct dirent *e; st == HF_OK && (errno = 0, e = readdir(d));)
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0) st = take(w, dirfd(d), path, e->d_name);
  if (st == HF_OK && errno)
    st = hf_hub_fail(w->call, HF_EIO, NULL, "The folder '%s' cannot be read: %s.", full, strerror(errno));
  closedir(d);
  return st;
}

/* By the parts of the path: "/" sorts before every other byte. */
static int by_parts(const void *a, const void *b) {
  const unsigned char *x = (const unsigned char *)((const struct found *)a)->path,
                      *y = (const unsigned char *)((const struct found *)b)->path;
  while (*x && *x == *y) x++, y++;
  int p = *x == '/' ? 1 : *x ? *x + 1 : 0, q = *y == '/' ? 1 : *y ? *y + 1 : 0;
  return p - q;
}

static hf_status give(struct walk *w, struct hf_hub_ops *o, const char *prefix) {
  for (size_t i = 0; i < w->count; i++) {
    const char *rel = w->files[i].path, *target;
    const char *local = hf_hub_text(w->call, "%s/%s", w->folder, rel);
    const char *named = !local    ? NULL
                        : *prefix ? hf_hub_text(w->call, "%s%s", prefix, rel)
                                  : local + strlen(w->folder) + 1;
    if (!named) return HF_ENOMEM;
    TRY(hf_hub_check_target(w->call, named, &target));
    struct hf_hub_op *op = hf_hub_op_new(w->call, o, HF_OP_ADD);
    if (!op) return HF_ENOMEM;
    op->path = target;
    op->local = local;
    op->stamp.size = w->files[i].size;
  }
  return HF_OK;
}

hf_status hf_hub_add_folder(hf_call *c, struct hf_hub_ops *o, const char *folder, const char *prefix,
                            const struct hf_hub_patterns *patterns) {
  struct walk w = {.call = c, .folder = folder, .patterns = patterns};
  hf_status st = visit(&w, "");
  while (st == HF_OK && w.waiting) st = visit(&w, w.folders[--w.waiting]);
  if (st == HF_OK && w.count) qsort(w.files, w.count, sizeof *w.files, by_parts);
  if (st == HF_OK) st = give(&w, o, prefix);
  free(w.files);
  free(w.folders);
  return st;
}
