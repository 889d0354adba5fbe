/* refs.c - branches and tags (refs/NAME: a commit) and listings of commits (trees/COMMIT.json).
 * A ref is replaced by rename and only when it changes; one that is empty or no commit counts as absent.
 * Listings tell for each file whether the snapshot shows it now, whole. */
#include "hub.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define REF_DEPTH 16

static hf_status ref_rel(hf_call *c, struct hub *hub, const struct hf_repo *repo, const char *name,
                         char rel[HF_PATH_ROOM], char folder[HUB_FOLDER_ROOM]) {
  TRY(hub_folder(c, repo, folder));
  if (!hf_path_safe(name)) return H->failf(c, HF_EINVAL, "A revision cannot have this name: %s.", name ? name : "");
  return hub_rel(c, hub, rel, "%s/refs/%s", folder, name);
}

static bool ref_read(struct hub *hub, const char *rel, char commit[41]) {
  size_t len = 0;
  char *text = hf_root_read(hub->root, rel, 128, &len);
  bool ok = text && len == 40 && hf_hex_is(text, 40);
  if (ok) memcpy(commit, text, 41);
  H->release(text);
  return ok;
}

hf_status hub_ref_get(hf_call *c, void *store, const struct hf_repo *repo, const char *name, hf_slot *slot) {
  struct hub *hub = store;
  char rel[HF_PATH_ROOM], folder[HUB_FOLDER_ROOM], commit[41];
  TRY(ref_rel(c, hub, repo, name, rel, folder));
  if (!ref_read(hub, rel, commit))
    return H->failf(c, HF_ENOTFOUND, "Revision %s of %s is not in the cache.", name, repo->id);
  struct hf_ref r = {.struct_size = sizeof r, .repo = *repo, .name = name, .commit = commit};
  return H->put(slot, HF_PUT_REF, &r, sizeof r);
}

static hf_status ref_remove(hf_call *c, struct hub *hub, const char *rel) {
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  int err = top && unlinkat(top->fd, rel, 0) != 0 ? errno : 0;
  hf_dir_put(hub->root, top);
  return err && err != ENOENT && err != ENOTDIR ? hf_root_fail(c, hub->root, err, "remove", rel) : HF_OK;
}

hf_status hub_ref_put(hf_call *c, void *store, const struct hf_repo *repo, const char *name, const char *expect,
                      const char *commit) {
  struct hub *hub = store;
  char rel[HF_PATH_ROOM], folder[HUB_FOLDER_ROOM], now[41], locks[HF_NAME_ROOM];
  TRY(ref_rel(c, hub, repo, name, rel, folder));
  if (commit && !hf_hex_is(commit, 40))
    return H->failf(c, HF_EINVAL, "Revision %s cannot point to %s, which is no commit.", name, commit);
  bool there = ref_read(hub, rel, now);
  if (expect && (*expect ? !there || strcmp(now, expect) : there))
    return H->failf(c, HF_ECONFLICT, "Revision %s of %s was changed by somebody else; try again.", name, repo->id);
  if (!commit) return ref_remove(c, hub, rel);
  if (there && !strcmp(now, commit)) return HF_OK;
  hf_format(locks, sizeof locks, ".locks/%s", folder);
  return hf_file_put(c, hub->root, locks, rel, commit, 40, hub->durable);
}

struct ref_walk {
  hf_call *c;
  struct hub *hub;
  const struct hf_repo *repo;
  hf_slot *slot;
  int fd, depth;
  size_t base; /* length of "FOLDER/refs/" */
  char rel[HF_PATH_ROOM];
  hf_status st;
};

static bool ref_row(void *arg, const char *name, unsigned char type) {
  struct ref_walk *w = arg;
  char commit[41];
  size_t n = strlen(w->rel), m = strlen(name);
  if (n + m + 2 > sizeof w->rel || w->depth > REF_DEPTH) return true;
  memcpy(w->rel + n, name, m + 1);
  if (type == DT_DIR) {
    int before = w->fd;
    w->fd = openat(before, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (w->fd >= 0) {
      memcpy(w->rel + n + m, "/", 2);
      w->depth++;
      hf_dir_each(w->fd, ref_row, w);
      w->depth--;
      close(w->fd);
    }
    w->fd = before;
  } else if (ref_read(w->hub, w->rel, commit)) {
    struct hf_ref r = {.struct_size = sizeof r, .repo = *w->repo, .name = w->rel + w->base, .commit = commit};
    w->st = H->put(w->slot, HF_PUT_REF, &r, sizeof r);
  }
  w->rel[n] = 0;
  return w->st == HF_OK;
}

hf_status hub_ref_each(hf_call *c, void *store, const struct hf_repo *repo, hf_slot *slot) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM];
  struct ref_walk w = {.c = c, .hub = hub, .repo = repo, .slot = slot};
  TRY(hub_folder(c, repo, folder));
  hf_format(w.rel, sizeof w.rel, "%s/refs", folder);
  struct hf_dir *d = hf_dir_get(hub->root, w.rel, false);
  if (!d) return errno == ENOENT || errno == ENOTDIR ? HF_OK : hf_root_fail(c, hub->root, errno, "list", w.rel);
  hf_format(w.rel, sizeof w.rel, "%s/refs/", folder);
  w.base = strlen(w.rel);
  w.fd = d->fd;
  int err = hf_dir_each(d->fd, ref_row, &w);
  hf_dir_put(hub->root, d);
  return err ? hf_root_fail(c, hub->root, err, "list", w.rel) : w.st;
}

struct showing {
  struct hub *hub;
  char snapshot[HUB_FOLDER_ROOM + 64];
};

static bool shown(void *arg, const struct hf_tree_entry *e) {
  const struct showing *s = arg;
  char rel[HF_PATH_ROOM];
  struct stat st;
  if (!hf_format(rel, sizeof rel, "%s/%s", s->snapshot, e->path)) return false;
  int fd = hf_root_look_file(s->hub->root, rel, O_PATH, &st);
  if (fd < 0) return false;
  close(fd);
  return (uint64_t)st.st_size == (e->lfs_sha256 && e->lfs_size != HF_SIZE_UNKNOWN ? e->lfs_size : e->size);
}

static hf_status tree_rel(hf_call *c, struct hub *hub, const struct hf_repo *repo, const char *commit,
                          char rel[HF_PATH_ROOM], char folder[HUB_FOLDER_ROOM]) {
  TRY(hub_folder(c, repo, folder));
  if (!hf_hex_is(commit, 40)) return H->failf(c, HF_EINVAL, "A listing belongs to a commit of 40 hex digits.");
  return hub_rel(c, hub, rel, "%s/trees/%s.json", folder, commit);
}

hf_status hub_tree_get(hf_call *c, void *store, const struct hf_repo *repo, const char *commit, hf_slot *slot) {
  struct showing s = {.hub = store};
  char rel[HF_PATH_ROOM], folder[HUB_FOLDER_ROOM];
  TRY(tree_rel(c, s.hub, repo, commit, rel, folder));
  hub_seen(s.hub, folder);
  hf_format(s.snapshot, sizeof s.snapshot, "%s/snapshots/%s", folder, commit);
  return hf_tree_load(c, s.hub->root, rel, shown, &s, slot);
}

hf_status hub_tree_put(hf_call *c, void *store, const struct hf_repo *repo, const char *commit,
                       struct hf_table entries) {
  struct hub *hub = store;
  char rel[HF_PATH_ROOM], folder[HUB_FOLDER_ROOM], locks[HF_NAME_ROOM];
  TRY(tree_rel(c, hub, repo, commit, rel, folder));
  hf_format(locks, sizeof locks, ".locks/%s", folder);
  return hf_tree_store(c, hub->root, locks, rel, entries, hub->durable);
}
