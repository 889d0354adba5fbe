/* search.c - the folders in which plugins are looked for, and who may have put a file there.
 * Order: the runtime's plugin_path, HF_PLUGIN_PATH, the user's data folder, the library's own folder; never the current
 * one. The file and every folder above it must belong to root or to us and be writable by nobody else. */
#include "registry.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

bool hf_privileged(void) {
  return getauxval(AT_SECURE) || geteuid() != getuid() || getegid() != getgid();
}

/* A group of one: the owner's own. The usual case needs no look into the user database. */
static bool own_group(uid_t owner, gid_t group) {
  if (owner == geteuid() && group == getgid()) return true;
  struct passwd pw, *found = NULL;
  char text[4096];
  return getpwuid_r(owner, &pw, text, sizeof text, &found) == 0 && found && found->pw_gid == group;
}

bool hf_stat_trusted(const char *path, const struct stat *st, char why[HF_WHY_MAX]) {
  if (st->st_uid != 0 && st->st_uid != geteuid())
    return hf_refuse(why, "%.200s belongs to another user (uid %u)", path, (unsigned)st->st_uid);
  if (S_ISLNK(st->st_mode)) return true; /* the mode of a link means nothing */
  bool sticky_folder = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);
  if ((st->st_mode & S_IWOTH) && !sticky_folder) return hf_refuse(why, "%.200s may be written by everybody", path);
  if ((st->st_mode & S_IWGRP) && !sticky_folder && !own_group(st->st_uid, st->st_gid))
    return hf_refuse(why, "%.200s may be written by group %u", path, (unsigned)st->st_gid);
  return true;
}

/* The way walked so far, and what is still ahead. */
struct walk {
  char done[PATH_MAX], rest[PATH_MAX];
  size_t len;
  unsigned links;
};

static bool follow(struct walk *w, char why[HF_WHY_MAX]) {
  char target[PATH_MAX];
  ssize_t n = readlink(w->done, target, sizeof target - 1);
  if (n <= 0) return hf_refuse(why, "%.200s could not be followed: %s", w->done, strerror(errno));
  if (++w->links > LINKS_MAX) return hf_refuse(why, "%.200s leads through too many links", w->done);
  target[n] = 0;
  size_t rest = strlen(w->rest);
  if ((size_t)n + rest + 2 > sizeof w->rest) return hf_refuse(why, "%.200s leads to a name that is too long", w->done);
  memmove(w->rest + n + 1, w->rest, rest + 1);
  memcpy(w->rest, target, (size_t)n);
  w->rest[n] = '/';
  if (target[0] == '/') {
    w->len = 0;
  } else {
    while (w->len && w->done[w->len] != '/') w->len--;
  }
  w->done[w->len] = 0;
  return true;
}

bool hf_path_trusted(const char *path, char *real, char why[HF_WHY_MAX]) {
  struct walk w = {.len = 0};
  struct stat st;
  if (path[0] != '/') return hf_refuse(why, "%.200s is relative: give the whole path", path);
  if (strlen(path) >= sizeof w.rest) return hf_refuse(why, "%.200s... is too long", path);
  memcpy(w.rest, path, strlen(path) + 1);
  if (lstat("/", &st) || !hf_stat_trusted("/", &st, why)) return false;
  while (w.rest[0]) {
    size_t skip = strspn(w.rest, "/"), n = strcspn(w.rest + skip, "/");
    const char *word = w.rest + skip;
    if (n == 2 && word[0] == '.' && word[1] == '.') {
      while (w.len && w.done[--w.len] != '/') continue;
      w.done[w.len] = 0;
    }
    bool step = n && !(n == 1 && word[0] == '.') && !(n == 2 && word[0] == '.' && word[1] == '.');
    if (step) {
      if (w.len + n + 2 > sizeof w.done) return hf_refuse(why, "%.200s... is too long", path);
      w.done[w.len] = '/';
      memcpy(w.done + w.len + 1, word, n);
    }
    memmove(w.rest, word + n, strlen(word + n) + 1);
    if (!step) continue;
    size_t len = w.len + 1 + n;
    w.done[len] = 0;
    if (lstat(w.done, &st)) return hf_refuse(why, "%.200s: %s", w.done, strerror(errno));
    if (!hf_stat_trusted(w.done, &st, why)) return false;
    w.len = len;
    if (S_ISLNK(st.st_mode) && !follow(&w, why)) return false;
  }
  memcpy(real, w.len ? w.done : "/", w.len ? w.len + 1 : 2);
  return true;
}

static void add_place(struct hf_place *p, const char *origin, const char *path, size_t len) {
  memset(p, 0, sizeof *p);
  p->origin = origin;
  if (len >= sizeof p->path) {
    hf_refuse(p->why, "the folder's name is too long");
    return;
  }
  memcpy(p->path, path, len);
  if (path[0] != '/') hf_refuse(p->why, "the plugin folder \"%.200s\" is relative: give the whole path", p->path);
}

static uint32_t add_list(struct hf_place *out, uint32_t n, uint32_t max, const char *origin, const char *list) {
  while (list && *list && n < max) {
    size_t len = strcspn(list, ":");
    if (len) add_place(&out[n++], origin, list, len);
    list += len + (list[len] == ':');
  }
  return n;
}

/* $XDG_DATA_HOME, or ~/.local/share; relative values of either do not count. */
static bool data_folder(char *buf, size_t len) {
  const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
  int n = -1;
  if (xdg && xdg[0] == '/')
    n = snprintf(buf, len, "%s/hf/plugins", xdg);
  else if (home && home[0] == '/')
    n = snprintf(buf, len, "%s/.local/share/hf/plugins", home);
  return n > 0 && (size_t)n < len;
}

uint32_t hf_search_places(const char *option, const char *setting, const char *libdir, struct hf_place *out,
                          uint32_t max) {
  uint32_t n = add_list(out, 0, max, "plugin_path", option);
  n = add_list(out, n, max, "HF_PLUGIN_PATH", setting);
  char path[PATH_MAX];
  if (n < max && !hf_privileged() && data_folder(path, sizeof path))
    add_place(&out[n++], "the user's data folder", path, strlen(path));
  if (libdir && n < max && snprintf(path, sizeof path, "%s/plugins", libdir) < (int)sizeof path)
    add_place(&out[n++], "the library's folder", path, strlen(path));
  return n;
}
