/* layout.c - folder names of repos, relative paths, and the checks that keep every path inside its place.
 * Names are checked again here although the core did: this backend is what stands between a name and the disk.
 * Also the tag that tells backup programs to skip the cache. */
#include "hub.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const types[] = {"model", "dataset", "space", "kernel"};

hf_status hub_folder(hf_call *c, const struct hf_repo *repo, char out[HUB_FOLDER_ROOM]) {
  bool known = false;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) known |= repo->type && !strcmp(repo->type, types[i]);
  if (!known || !hf_path_safe(repo->id) || strlen(repo->id) > 150)
    return H->failf(c, HF_EINVAL, "A cache folder cannot be named after this repository; check its type and name.");
  hf_format(out, HUB_FOLDER_ROOM, "%ss--", repo->type);
  char *o = out + strlen(out);
  for (const char *p = repo->id; *p && o < out + HUB_FOLDER_ROOM - 2; p++) {
    if (*p == '/') *o++ = '-';
    *o++ = *p == '/' ? '-' : *p;
  }
  *o = 0;
  return HF_OK;
}

bool hub_repo_of(const char *folder, const char **type, char id[HUB_FOLDER_ROOM]) {
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    size_t n = strlen(types[i]);
    if (strncmp(folder, types[i], n) || strncmp(folder + n, "s--", 3) || !folder[n + 3]) continue;
    if (strlen(folder) >= HUB_FOLDER_ROOM) return false;
    char *o = id;
    for (const char *p = folder + n + 3; *p; p++) {
      bool cut = p[0] == '-' && p[1] == '-';
      *o++ = cut ? '/' : *p;
      p += cut;
    }
    *o = 0;
    *type = types[i];
    return hf_path_safe(id);
  }
  return false;
}

hf_status hub_rel(hf_call *c, const struct hub *hub, char out[HF_PATH_ROOM], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(out, HF_PATH_ROOM, fmt, ap);
  va_end(ap);
  if (n >= 0 && n < HF_PATH_ROOM) return HF_OK;
  return hf_file_fail(c, ENAMETOOLONG, "use a path in", hub->root->path);
}

hf_status hub_name_check(hf_call *c, const struct hf_name *name) {
  if (!hf_hex_is(name->commit, 40))
    return H->failf(c, HF_EINVAL, "The cache keeps files by commit, and this is none: %s.",
                    name->commit ? name->commit : "(none)");
  if (!hf_path_safe(name->path))
    return H->failf(c, HF_EINVAL, "A file with this path cannot be stored: %s.", name->path);
  return HF_OK;
}

const char *hub_path(hf_call *c, const struct hub *hub, const char *rel) {
  size_t n = strlen(hub->root->path), m = strlen(rel) + 1;
  bool top = n == 1; /* "/" */
  char *out = H->arena(c, n + m + 1);
  if (!out) return NULL;
  memcpy(out, hub->root->path, n);
  out[n] = '/';
  memcpy(out + n + !top, rel, m);
  return out;
}

void hub_seen(struct hub *hub, const char *folder) {
  char dir[HF_NAME_ROOM];
  if (!hub->offline && hf_format(dir, sizeof dir, ".locks/%s", folder)) hf_place_know(hub->root, dir, false);
}

void hub_tag(struct hub *hub) {
  if (atomic_exchange(&hub->tagged, true)) return;
  struct hf_dir *d = hf_dir_get(hub->root, "", true);
  if (!d) return;
  int fd = openat(d->fd, "CACHEDIR.TAG", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd >= 0) {
    (void)!hf_write_all(fd, hf_cachedir_tag, strlen(hf_cachedir_tag));
    close(fd);
  }
  hf_dir_put(hub->root, d);
}
