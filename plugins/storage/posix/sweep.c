/* sweep.c - removes what writers that are gone left behind: temporaries at once, partials after two weeks.
 * Done once per folder and store, before the first file is received there or else when the store is closed; bounded
 * in work. Only names that this library gives are touched. */
#include "posix.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SWEEP_ENTRIES 4096
#define TEMP_AGE      (24 * 3600)
#define PARTIAL_AGE   (14 * 24 * 3600)

struct sweep {
  int fd;
  bool local;
  bool parts; /* a partial is left in this key's folder */
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
  bool kept = !strcmp(name, "p.kept");
  enum hf_holder holder = kept ? HF_HOLDER_DEAD : hf_ident_judge(name + 2, s->local);
  struct stat st;
  hf_format(data, sizeof data, "%s/data", name);
  bool empty = fstatat(s->fd, data, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT; /* published, then killed */
  bool old = older(s->fd, name, s->now, PARTIAL_AGE) && (empty || older(s->fd, data, s->now, PARTIAL_AGE));
  if ((holder == HF_HOLDER_DEAD && empty) || (holder != HF_HOLDER_ALIVE && old))
    hf_tree_remove(s->fd, name);
  else
    s->parts = true;
  return true;
}

/* The lease of a dead holder goes where there is nothing to continue; under the lock that a new holder would have. */
static void sweep_lease(const struct sweep *s, const char *folder, int fd) {
  char name[HF_NAME_ROOM + 8], text[256], id[HF_IDENT_ROOM];
  int lease = openat(fd, "lease", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (lease < 0) return;
  ssize_t n = read(lease, text, sizeof text - 1);
  text[n > 0 ? n : 0] = 0;
  close(lease);
  _Static_assert(sizeof id > 111, "room for an ident");
  unsigned ttl_ms;
  bool whole = sscanf(text, "libhf-lease 1 %111[0-9a-f-] %u", id, &ttl_ms) == 2; /* else a power cut took the rest */
  if (whole && hf_ident_judge(id, s->local) != HF_HOLDER_DEAD) return;
  hf_format(name, sizeof name, "%.*s.lock", (int)(strlen(folder) - 6), folder);
  int lock = openat(s->fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (lock < 0 ? errno == ENOENT : flock(lock, LOCK_EX | LOCK_NB) == 0) unlinkat(fd, "lease", 0);
  if (lock >= 0) close(lock);
}

static bool sweep_key(void *arg, const char *name, unsigned char type) {
  struct sweep *s = arg;
  size_t n = strlen(name);
  if (s->left-- <= 0) return false;
  if (type != DT_DIR || n <= 6 || strcmp(name + n - 6, ".libhf")) return true;
  struct sweep in = *s;
  in.fd = openat(s->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (in.fd < 0) return true;
  in.parts = false;
  hf_dir_each(in.fd, sweep_partial, &in);
  s->left = in.left;
  if (!in.parts) sweep_lease(s, name, in.fd);
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

static void sweep_place(struct hf_root *r, const char *dir) {
  char rel[HF_PATH_ROOM];
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

void hf_part_sweep(struct hf_root *r, const char *dir) {
  if (!hf_place_know(r, dir, true)) sweep_place(r, dir);
}

/* At the end of a store: the empty folder for temporaries goes; upwards: those above it too, where nobody but us makes
 * files in them (the reference client must not lose a folder that it has just made sure of). */
void hf_part_tidy(struct hf_root *r, bool upwards) {
  char rel[HF_PATH_ROOM];
  hf_root_forget(r);
  while (r->places) {
    struct hf_place *p = r->places;
    r->places = p->next;
    if (!p->swept) sweep_place(r, p->dir);
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
