/* look.c - is a file there: without a write, a lock or a request, also on a read-only cache.
 * A pointer is followed only as long as it stays inside the cache folder, and only to a regular file.
 * What the cache knows not to exist is answered from .no_exist. */
#include "hub.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

bool hub_pointer_etag(struct hub *hub, const char *rel, char etag[HF_NAME_ROOM]) {
  char link[HF_PATH_ROOM];
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  if (!top) return false;
  ssize_t n = readlinkat(top->fd, rel, link, sizeof link - 1);
  hf_dir_put(hub->root, top);
  if (n <= 0) return false;
  link[n] = 0;
  char *name = strrchr(link, '/');
  if (!name || strlen(name + 1) >= HF_NAME_ROOM || !name[1]) return false;
  *name++ = 0;
  const char *parent = strrchr(link, '/');
  if (!parent || strcmp(parent + 1, "blobs")) return false;
  memcpy(etag, name, strlen(name) + 1);
  return true;
}

static hf_status put_file(hf_call *c, struct hub *hub, const char *rel, const char *commit, uint64_t size,
                          hf_slot *slot) {
  char etag[HF_NAME_ROOM];
  struct hf_st_file f = {.struct_size = sizeof f, .commit = commit, .size = size};
  f.path = hub_path(c, hub, rel);
  if (!f.path) return H->failf(c, HF_ENOMEM, "Out of memory while looking into the cache.");
  if (hub_pointer_etag(hub, rel, etag)) f.etag = etag;
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

hf_status hub_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM];
  struct stat st;
  TRY(hub_name_check(c, name));
  TRY(hub_folder(c, &name->repo, folder));
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, name->commit, name->path));
  hub_seen(hub, folder);
  int fd = hf_root_look_file(hub->root, rel, O_PATH, &st);
  if (fd >= 0) {
    close(fd);
    return put_file(c, hub, rel, name->commit, (uint64_t)st.st_size, slot);
  }
  if (errno == EXDEV)
    H->log(c, HF_LOG_WARNING, "Ignoring %s/%s: it points out of the cache", hub->root->path, rel);
  else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return hf_root_fail(c, hub->root, errno, "look at", rel);
  TRY(hub_rel(c, hub, rel, "%s/.no_exist/%s/%s", folder, name->commit, name->path));
  fd = hf_root_look_file(hub->root, rel, O_PATH, &st);
  if (fd < 0) return H->failf(c, HF_ENOTFOUND, "%s is not in the cache.", name->path);
  close(fd);
  struct hf_st_file f = {
      .struct_size = sizeof f, .flags = HF_SF_ABSENT, .commit = name->commit, .size = HF_SIZE_UNKNOWN};
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

hf_status hub_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM];
  struct stat st;
  TRY(hub_name_check(c, name));
  TRY(hub_folder(c, &name->repo, folder));
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, name->commit, name->path));
  int fd = hf_root_look_file(hub->root, rel, O_RDONLY, &st);
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR) return hf_root_fail(c, hub->root, errno, "open", rel);
  if (fd < 0) return H->failf(c, HF_ENOTFOUND, "%s is not in the cache.", name->path);
  return hf_source_open(c, fd, name->path, out);
}

hf_status hub_absent(hf_call *c, void *store, const struct hf_name *name) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM];
  TRY(hub_name_check(c, name));
  TRY(hub_folder(c, &name->repo, folder));
  TRY(hub_rel(c, hub, rel, "%s/.no_exist/%s/%s", folder, name->commit, name->path));
  char *cut = strrchr(rel, '/');
  *cut = 0;
  struct hf_dir *d = hf_dir_get(hub->root, rel, true);
  int fd = d ? openat(d->fd, cut + 1, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666) : -1;
  int err = errno;
  if (fd >= 0) close(fd);
  hf_dir_put(hub->root, d);
  *cut = '/';
  return fd < 0 ? hf_root_fail(c, hub->root, err, "write", rel) : HF_OK;
}

hf_status hub_folder_of(hf_call *c, void *store, const struct hf_repo *repo, const char *commit, hf_slot *slot) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM];
  TRY(hub_folder(c, repo, folder));
  if (!hf_hex_is(commit, 40)) return H->failf(c, HF_EINVAL, "A snapshot belongs to a commit of 40 hex digits.");
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s", folder, commit));
  const char *path = hub_path(c, hub, rel);
  if (!path) return H->failf(c, HF_ENOMEM, "Out of memory while looking into the cache.");
  return H->put(slot, HF_PUT_TEXT, &(struct hf_text){path, strlen(path)}, sizeof(struct hf_text));
}
