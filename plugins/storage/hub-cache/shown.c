/* shown.c - reads the links of all snapshots of a repo, and remembers the folders' times to know later, for little, whether
 * any link came since. A folder that was changed within the clock's grain of the reading is read again.
 * A snapshot that is itself a link is read too: what it shows must stay. */
#include "shown.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH    64
#define GRAIN_NS INT64_C(50000000)

struct stamp {
  char *rel;
  uint64_t inode;
  int64_t mtime_ns;
};

void hub_names_add(struct names *n, const char *name) {
  if (n->count == n->room) {
    size_t room = n->room ? n->room * 2 : 64;
    char **more = H->resize(n->all, room * sizeof *more);
    if (!more) {
      n->failed = true;
      return;
    }
    n->all = more;
    n->room = room;
  }
  n->all[n->count] = hf_strdup(NULL, name);
  if (n->all[n->count])
    n->count++;
  else
    n->failed = true;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

void hub_names_sort(struct names *n) {
  size_t k = 0;
  if (n->count) qsort(n->all, n->count, sizeof *n->all, by_text);
  for (size_t i = 0; i < n->count; i++) {
    if (k && !strcmp(n->all[k - 1], n->all[i]))
      H->release(n->all[i]);
    else
      n->all[k++] = n->all[i];
  }
  n->count = k;
}

bool hub_names_has(const struct names *n, const char *name) {
  return n->count && bsearch(&name, n->all, n->count, sizeof *n->all, by_text) != NULL;
}

void hub_names_free(struct names *n) {
  for (size_t i = 0; i < n->count; i++) H->release(n->all[i]);
  H->release(n->all);
  *n = (struct names){0};
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reading {
  struct names *names;
  struct shown *shown; /* NULL: times are not wanted */
  int fd, depth;
  size_t len;
  char *rel;
  bool *failed;
};

static void read_folder(struct reading *);

static void stamp(struct reading *r) {
  struct shown *s = r->shown;
  struct stat st;
  if (!s) return;
  if (!(s->folder_count & (s->folder_count + 1))) {
    void *more = H->resize(s->folders, (2 * s->folder_count + 1) * sizeof *s->folders);
    if (more) s->folders = more;
    *r->failed |= !more;
  }
  char *rel = *r->failed ? NULL : hf_strdup(NULL, r->len ? r->rel : ".");
  if (!rel || fstat(r->fd, &st) != 0) {
    *r->failed = true;
    H->release(rel);
    return;
  }
  int64_t t = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
  s->folders[s->folder_count++] = (struct stamp){rel, (uint64_t)st.st_ino, t};
  if (t > s->newest_ns) s->newest_ns = t;
}

static bool see(void *arg, const char *name, unsigned char type) {
  struct reading *r = arg;
  char link[HF_PATH_ROOM];
  size_t n = strlen(name);
  if (type == DT_LNK) {
    ssize_t m = readlinkat(r->fd, name, link, sizeof link - 1);
    link[m > 0 ? m : 0] = 0;
    *r->failed |= m < 0 && errno != ENOENT;
    const char *last = strrchr(link, '/');
    hub_names_add(r->names, last ? last + 1 : link);
  }
  bool linked = type == DT_LNK && !r->depth && r->shown;
  if (type != DT_DIR && !linked) return true;
  if (r->depth >= DEPTH || r->len + n + 2 > HF_PATH_ROOM) {
    *r->failed = true;
    return false;
  }
  struct reading in = *r;
  in.fd = openat(r->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (linked ? 0 : O_NOFOLLOW));
  if (in.fd < 0) {
    *r->failed |= !linked && errno != ENOENT;
    return true;
  }
  if (r->len) r->rel[in.len++] = '/';
  memcpy(r->rel + in.len, name, n + 1);
  in.len += n;
  in.depth++;
  read_folder(&in);
  close(in.fd);
  r->rel[r->len] = 0;
  return !*r->failed;
}

static void read_folder(struct reading *r) {
  stamp(r);
  if (hf_dir_each(r->fd, see, r) != 0) *r->failed = true;
}

bool hub_shown_by(struct hub *hub, const char *folder, const char *commit, struct names *names) {
  char path[HF_PATH_ROOM], rel[HF_PATH_ROOM] = "";
  bool failed = false;
  if (!hf_format(path, sizeof path, "%s/snapshots/%s", folder, commit)) return errno = ENAMETOOLONG, false;
  struct hf_dir *d = hf_dir_get(hub->root, path, false);
  if (!d) return errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
  struct reading r = {.names = names, .fd = d->fd, .rel = rel, .failed = &failed};
  errno = 0;
  read_folder(&r);
  int err = errno;
  hf_dir_put(hub->root, d);
  errno = err;
  return !failed && !names->failed;
}

static void forget(struct shown *s) {
  hub_names_free(&s->names);
  for (size_t i = 0; i < s->folder_count; i++) H->release(s->folders[i].rel);
  H->release(s->folders);
  *s = (struct shown){0};
}

void hub_shown_free(struct shown *s) {
  forget(s);
}

static bool still(int fd, const struct shown *s) {
  struct timespec now;
  struct stat st;
  clock_gettime(CLOCK_REALTIME, &now);
  if (!s->read || s->newest_ns + GRAIN_NS > now.tv_sec * INT64_C(1000000000) + now.tv_nsec) return false;
  if (fd < 0) return !s->folder_count;
  for (size_t i = 0; i < s->folder_count; i++) {
    const struct stamp *f = &s->folders[i];
    if (fstatat(fd, f->rel, &st, 0) != 0 || (uint64_t)st.st_ino != f->inode ||
        st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec != f->mtime_ns)
      return false;
  }
  return s->folder_count > 0;
}

bool hub_shown_update(struct hub *hub, const char *folder, struct shown *s) {
  char path[HUB_FOLDER_ROOM + 64], rel[HF_PATH_ROOM] = "";
  bool failed = false;
  if (!hf_format(path, sizeof path, "%s", folder)) return false;
  struct hf_dir *top = hf_dir_get(hub->root, path, false);
  if (!top) return errno == ENOENT;
  int fd = openat(top->fd, "snapshots", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int err = errno;
  hf_dir_put(hub->root, top);
  if (fd < 0 && err != ENOENT) return false;
  if (!still(fd, s)) {
    forget(s);
    struct reading r = {.names = &s->names, .shown = s, .fd = fd, .rel = rel, .failed = &failed};
    if (fd >= 0) read_folder(&r);
    hub_names_sort(&s->names);
    s->read = !failed && !s->names.failed;
  }
  if (fd >= 0) close(fd);
  return s->read;
}
