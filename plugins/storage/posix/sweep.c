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

bool hf_place_know(struct hf_root *r, const char *dir, bool sweeping) {
  size_t n = strlen(dir) + 1;
  pthread_mutex_lock(&r->lock);
  struct hf_place *p = r->places;
  while (p && strcmp(p->dir, dir)) p = p->next;
  bool before = p && (p->swept || !sweeping);
  if (!p && (p = hf_zalloc(NULL, sizeof *p + n)) != NULL) {
    memcpy(p->dir, dir, n);
    p->next = r->places;
    r->places = p;
  }
  if (p) p->swept |= sweeping;
  pthread_mutex_unlock(&r->lock);
  return before;
}

void hf_part_sweep(struct hf_root *r, const char *dir) {
  char rel[HF_PATH_ROOM];
  if (hf_place_know(r, dir, true)) return;
  struct sweep s = {.local = hf_root_is_local(r), .left = SWEEP_ENTRIES, .now = time(NULL)};
  hf_format(rel, sizeof rel, "%s/.libhf", dir);
  struct hf_dir *d = hf_dir_get(r, rel, false);
  if (d) {
    s.fd = d->fd;
    hf_dir_each(d->fd, sweep_temp, &s);
    hf_dir_put(r, d);
  }
  s.left = SWEEP_ENTRIES;
  d = hf_dir_get(r, dir, false);
  if (d) {
    s.fd = d->fd;
    hf_dir_each(d->fd, sweep_key, &s);
    hf_dir_put(r, d);
  }
}

/* At the end of a store: the empty folder for temporaries goes; upwards: those above it too, where nobody but us makes
 * files in them (the reference client must not lose a folder that it has just made sure of). */
void hf_part_tidy(struct hf_root *r, bool upwards) {
  char rel[HF_PATH_ROOM];
  hf_root_forget(r);
  while (r->places) {
    struct hf_place *p = r->places;
    r->places = p->next;
    struct hf_dir *top = hf_dir_get(r, "", false);
    bool gone = top && hf_format(rel, sizeof rel, "%s/.libhf", p->dir);
    while (gone) {
      gone = unlinkat(top->fd, rel, AT_REMOVEDIR) == 0 || errno == ENOENT;
      char *cut = strrchr(rel, '/');
      gone = gone && cut && upwards;
      if (cut) *cut = 0;
    }
    hf_dir_put(r, top);
    H->release(p);
  }
}
