/* sweep.c - removes what writers that are gone left behind: temporaries at once, partials after two weeks.
 * Done once per folder and store, before the first file is received there; bounded in work.
 * Only names that this library gives are touched. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_ENTRIES 4096
#define TEMP_AGE      (24 * 3600)
#define PARTIAL_AGE   (14 * 24 * 3600)

struct sweep {
  int fd;
  bool local;
  int left;
  time_t now;
};

static bool older(int fd, const char *name, time_t now, time_t age) {
  struct stat st;
  return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && now - st.st_mtime > age;
}

static bool sweep_temp(void *arg, const char *name, unsigned char type) {
  struct sweep *s = arg;
  if (s->left-- <= 0) return false;
  if (type == DT_DIR) return true;
  enum hf_holder h = hf_ident_judge(name, s->local);
  if (h == HF_HOLDER_DEAD || (h == HF_HOLDER_UNKNOWN && older(s->fd, name, s->now, TEMP_AGE))) unlinkat(s->fd, name, 0);
  return true;
}

static bool sweep_partial(void *arg, const char *name, unsigned char type) {
  struct sweep *s = arg;
  char data[HF_NAME_ROOM + 8];
  if (s->left-- <= 0) return false;
  if (!strncmp(name, "lease.", 6) && hf_ident_judge(name + 6, s->local) == HF_HOLDER_DEAD) unlinkat(s->fd, name, 0);
  if (type != DT_DIR || strncmp(name, "p.", 2)) return true;
  bool idle = !strcmp(name, "p.kept") || hf_ident_judge(name + 2, s->local) != HF_HOLDER_ALIVE;
  hf_format(data, sizeof data, "%s/data", name);
  if (idle && older(s->fd, name, s->now, PARTIAL_AGE) && (older(s->fd, data, s->now, PARTIAL_AGE)))
    hf_tree_remove(s->fd, name);
  return true;
}

static bool sweep_key(void *arg, const char *name, unsigned char type) {
  struct sweep *s = arg;
  size_t n = strlen(name);
  if (s->left-- <= 0) return false;
  if (type != DT_DIR || n <= 6 || strcmp(name + n - 6, ".libhf")) return true;
  struct sweep in = *s;
  in.fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (in.fd < 0) return true;
  hf_dir_each(in.fd, sweep_partial, &in);
  s->left = in.left;
  close(in.fd);
  unlinkat(s->fd, name, AT_REMOVEDIR);
  return true;
}

static bool swept_before(struct hf_leases *set, const char *dir) {
  bool before = false;
  size_t n = strlen(dir) + 1;
  pthread_mutex_lock(&set->lock);
  for (struct hf_swept *s = set->swept; s && !before; s = s->next) before = !strcmp(s->dir, dir);
  if (!before) {
    struct hf_swept *s = hf_zalloc(NULL, sizeof *s + n);
    if (s) {
      memcpy(s->dir, dir, n);
      s->next = set->swept;
      set->swept = s;
    }
  }
  pthread_mutex_unlock(&set->lock);
  return before;
}

void hf_part_sweep(struct hf_leases *set, const char *dir) {
  char rel[HF_PATH_ROOM];
  if (swept_before(set, dir)) return;
  struct sweep s = {.local = hf_root_is_local(set->root), .left = SWEEP_ENTRIES, .now = time(NULL)};
  hf_format(rel, sizeof rel, "%s/.libhf", dir);
  struct hf_dir *d = hf_dir_get(set->root, rel, false);
  if (d) {
    s.fd = d->fd;
    hf_dir_each(d->fd, sweep_temp, &s);
    hf_dir_put(set->root, d);
  }
  s.left = SWEEP_ENTRIES;
  d = hf_dir_get(set->root, dir, false);
  if (d) {
    s.fd = d->fd;
    hf_dir_each(d->fd, sweep_key, &s);
    hf_dir_put(set->root, d);
  }
}

/* At the end of a store: the empty folder for temporaries goes, where nobody else uses it. */
void hf_part_tidy(struct hf_leases *set) {
  hf_root_forget(set->root);
  while (set->swept) {
    struct hf_swept *s = set->swept;
    set->swept = s->next;
    struct hf_dir *d = hf_dir_get(set->root, s->dir, false);
    if (d) unlinkat(d->fd, ".libhf", AT_REMOVEDIR);
    hf_dir_put(set->root, d);
    H->release(s);
  }
}
