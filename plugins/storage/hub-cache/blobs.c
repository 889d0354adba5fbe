/* blobs.c - blobs by etag: look, open, remove, list with the number of files that show each; removing single files.
 * A blob goes only when no snapshot of its repo shows it any more; a shared one is given back to the shared store.
 * Unfinished files of both clients are listed as partial and can be removed unless somebody writes them. */
#include "hub.h"
#include "shown.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WALK_DEPTH 64

static hf_status blob_rel(hf_call *c, struct hub *hub, const struct hf_key *key, char folder[HUB_FOLDER_ROOM],
                          char name[HF_NAME_ROOM], char rel[HF_PATH_ROOM]) {
  TRY(hub_folder(c, &key->repo, folder));
  size_t n = key->etag ? strnlen(key->etag, HF_NAME_ROOM) : 0;
  bool left = n > 11 && n < HF_NAME_ROOM && !strcmp(key->etag + n - 11, ".incomplete") && !strchr(key->etag, '/');
  if (left) /* left by the reference client: named as blob_each lists it */
    memcpy(name, key->etag, n + 1);
  else
    TRY(hf_etag_name(c, key->etag, name));
  return hub_rel(c, hub, rel, "%s/blobs/%s", folder, name);
}

static struct hf_blob row_of(const struct hf_repo *repo, const char *etag, const struct stat *st, uint64_t refs) {
  return (struct hf_blob){.struct_size = sizeof(struct hf_blob),
                          .key = {*repo, etag},
                          .size = (uint64_t)st->st_size,
                          .refs = refs,
                          .mtime_ns = st->st_mtim.tv_sec * INT64_C(1000000000) + st->st_mtim.tv_nsec,
                          .atime_ns = st->st_atim.tv_sec * INT64_C(1000000000) + st->st_atim.tv_nsec};
}

hf_status hub_blob_stat(hf_call *c, void *store, const struct hf_key *key, hf_slot *slot) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], name[HF_NAME_ROOM], rel[HF_PATH_ROOM];
  struct stat st;
  TRY(blob_rel(c, hub, key, folder, name, rel));
  int fd = hf_root_look_file(hub->root, rel, O_PATH, &st);
  if (fd < 0) return H->failf(c, HF_ENOTFOUND, "Blob %s is not in the cache.", key->etag);
  close(fd);
  struct hf_blob b = row_of(&key->repo, key->etag, &st, UINT64_MAX);
  return H->put(slot, HF_PUT_BLOB, &b, sizeof b);
}

hf_status hub_blob_open(hf_call *c, void *store, const struct hf_key *key, struct hf_source **out) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], name[HF_NAME_ROOM], rel[HF_PATH_ROOM];
  struct stat st;
  TRY(blob_rel(c, hub, key, folder, name, rel));
  int fd = hf_root_look_file(hub->root, rel, O_RDONLY, &st);
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR) return hf_root_fail(c, hub->root, errno, "open", rel);
  if (fd < 0) return H->failf(c, HF_ENOTFOUND, "Blob %s is not in the cache.", key->etag);
  return hf_source_open(c, fd, name, out);
}

/* ---- who shows what ---------------------------------------------------------------------------------------------- */

struct pointers {
  int fd, depth;
  struct names *out;
};

static bool see_pointer(void *arg, const char *name, unsigned char type) {
  struct pointers *w = arg;
  char link[HF_PATH_ROOM];
  if (type == DT_DIR && w->depth < WALK_DEPTH) {
    struct pointers in = {openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), w->depth + 1, w->out};
    if (in.fd < 0) return true;
    hf_dir_each(in.fd, see_pointer, &in);
    close(in.fd);
  } else if (type == DT_LNK) {
    ssize_t n = readlinkat(w->fd, name, link, sizeof link - 1);
    link[n > 0 ? n : 0] = 0;
    const char *last = strrchr(link, '/');
    if (last) hub_names_add(w->out, last + 1);
  }
  return !w->out->failed;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static hf_status shown_names(hf_call *c, struct hub *hub, const char *folder, struct names *out) {
  char rel[HUB_FOLDER_ROOM + 16];
  *out = (struct names){0};
  hf_format(rel, sizeof rel, "%s/snapshots", folder);
  struct hf_dir *d = hf_dir_get(hub->root, rel, false);
  if (!d) return errno == ENOENT || errno == ENOTDIR ? HF_OK : hf_root_fail(c, hub->root, errno, "list", rel);
  struct pointers w = {d->fd, 0, out};
  int err = hf_dir_each(d->fd, see_pointer, &w);
  hf_dir_put(hub->root, d);
  if (out->count) qsort(out->all, out->count, sizeof *out->all, by_text);
  if (out->failed) return H->failf(c, HF_ENOMEM, "Out of memory while listing %s/%s.", hub->root->path, rel);
  return err ? hf_root_fail(c, hub->root, err, "list", rel) : HF_OK;
}

static uint64_t times_shown(const struct names *n, const char *etag) {
  size_t lo = 0, hi = n->count;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (strcmp(n->all[mid], etag) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  uint64_t count = 0;
  while (lo < n->count && !strcmp(n->all[lo++], etag)) count++;
  return count;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

/* Our own unfinished bytes of this blob, unless a living process holds them. */
bool hub_partial_drop(hf_call *c, struct hub *hub, const char *folder, const char *name) {
  char dir[HF_NAME_ROOM], sub[HF_NAME_ROOM + 8], rel[HF_PATH_ROOM];
  struct hf_lease *lease = NULL;
  hf_format(dir, sizeof dir, ".locks/%s", folder);
  hf_format(sub, sizeof sub, "%s.libhf", name);
  struct stat st;
  struct hf_dir *d = hf_dir_get(hub->root, dir, false);
  bool there = d && fstatat(d->fd, sub, &st, AT_SYMLINK_NOFOLLOW) == 0;
  bool gone = false;
  if (there && hf_format(rel, sizeof rel, "%s/%s", dir, name) &&
      hf_lease_get(c, &hub->leases, dir, name, 1000, false, &lease) == HF_OK && lease) {
    gone = hf_tree_remove(d->fd, sub) == 0;
    hf_lease_end(&hub->leases, lease);
  }
  hf_dir_put(hub->root, d);
  return gone;
}

hf_status hub_blob_remove(hf_call *c, void *store, const struct hf_key *key) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], name[HF_NAME_ROOM], rel[HF_PATH_ROOM], hash[65];
  TRY(blob_rel(c, hub, key, folder, name, rel));
  bool shared = hub_shared_hash(hub, folder, name, hash);
  bool partial = hub_partial_drop(c, hub, folder, name);
  struct hf_dir *top = hf_dir_get(hub->root, "", false);
  int err = !top || unlinkat(top->fd, rel, 0) != 0 ? errno : 0;
  hf_dir_put(hub->root, top);
  if (err == ENOENT && !partial) return H->failf(c, HF_ENOTFOUND, "Blob %s is not in the cache.", key->etag);
  if (err && err != ENOENT) return hf_root_fail(c, hub->root, err, "remove", rel);
  if (shared) hub_shared_sweep(c, hub, hash);
  return HF_OK;
}

hf_status hub_remove(hf_call *c, void *store, const struct hf_name *name) {
  struct hub *hub = store;
  char folder[HUB_FOLDER_ROOM], rel[HF_PATH_ROOM], etag[HF_NAME_ROOM];
  struct names shown;
  TRY(hub_name_check(c, name));
  TRY(hub_folder(c, &name->repo, folder));
  TRY(hub_rel(c, hub, rel, "%s/snapshots/%s/%s", folder, name->commit, name->path));
  bool link = hub_pointer_etag(hub, rel, etag);
  char *cut = strrchr(rel, '/');
  *cut = 0;
  struct hf_dir *d = hf_dir_get(hub->root, rel, false);
  int err = !d || unlinkat(d->fd, cut + 1, 0) != 0 ? errno : 0;
  hf_dir_put(hub->root, d);
  *cut = '/';
  if (err == ENOENT || err == ENOTDIR) return H->failf(c, HF_ENOTFOUND, "%s is not in the cache.", name->path);
  if (err) return hf_root_fail(c, hub->root, err, "remove", rel);
  if (!link) return HF_OK;
  hf_status st = shown_names(c, hub, folder, &shown);
  bool last = st == HF_OK && times_shown(&shown, etag) == 0;
  hub_names_free(&shown);
  if (!last) return st;
  TRY(hub_rel(c, hub, rel, "%s/blobs/%s", folder, etag));
  struct stat is;
  int fd = hf_root_look(hub->root, rel, O_PATH | O_NOFOLLOW);
  bool there = fd >= 0 && fstat(fd, &is) == 0;
  if (fd >= 0) close(fd);
  return there ? hub_blob_remove(c, hub, &(struct hf_key){name->repo, etag}) : HF_OK;
}

/* ---- listing ----------------------------------------------------------------------------------------------------- */

struct listing {
  hf_call *c;
  struct hub *hub;
  const struct hf_repo *repo;
  const char *folder;
  struct names shown;
  hf_slot *slot;
  int fd;
  hf_status st;
};

static bool blob_row(void *arg, const char *name, unsigned char type) {
  struct listing *l = arg;
  char rel[HF_PATH_ROOM];
  struct stat st;
  size_t n = strlen(name);
  if (name[0] == '.' || type == DT_DIR || !hf_format(rel, sizeof rel, "%s/blobs/%s", l->folder, name)) return true;
  int fd = hf_root_look_file(l->hub->root, rel, O_PATH, &st);
  if (fd < 0) return true;
  close(fd);
  struct hf_blob b = row_of(l->repo, name, &st, times_shown(&l->shown, name));
  if (n > 11 && !strcmp(name + n - 11, ".incomplete")) b.flags = HF_BL_PARTIAL;
  l->st = H->put(l->slot, HF_PUT_BLOB, &b, sizeof b);
  return l->st == HF_OK;
}

struct partial_size {
  int fd;
  struct stat st;
  bool found;
};

static bool see_partial(void *arg, const char *name, unsigned char type) {
  struct partial_size *p = arg;
  char rel[HF_NAME_ROOM + 8];
  struct stat st;
  hf_format(rel, sizeof rel, "%s/data", name);
  if (type != DT_DIR || strncmp(name, "p.", 2) || fstatat(p->fd, rel, &st, AT_SYMLINK_NOFOLLOW) != 0) return true;
  off_t sum = p->found ? p->st.st_size : 0;
  p->st = st;
  p->st.st_size += sum;
  return p->found = true;
}

static bool partial_row(void *arg, const char *name, unsigned char type) {
  struct listing *l = arg;
  char etag[HF_NAME_ROOM];
  size_t n = strlen(name);
  if (type != DT_DIR || n <= 6 || n >= sizeof etag || strcmp(name + n - 6, ".libhf")) return true;
  struct partial_size p = {.fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (p.fd < 0) return true;
  hf_dir_each(p.fd, see_partial, &p);
  close(p.fd);
  if (!p.found) return true;
  memcpy(etag, name, n - 6);
  etag[n - 6] = 0;
  struct hf_blob b = row_of(l->repo, etag, &p.st, 0);
  b.flags = HF_BL_PARTIAL;
  l->st = H->put(l->slot, HF_PUT_BLOB, &b, sizeof b);
  return l->st == HF_OK;
}

static hf_status list_dir(struct listing *l, const char *rel, bool (*fn)(void *, const char *, unsigned char)) {
  struct hf_dir *d = hf_dir_get(l->hub->root, rel, false);
  if (!d) return errno == ENOENT || errno == ENOTDIR ? HF_OK : hf_root_fail(l->c, l->hub->root, errno, "list", rel);
  l->fd = d->fd;
  int err = hf_dir_each(d->fd, fn, l);
  hf_dir_put(l->hub->root, d);
  return err ? hf_root_fail(l->c, l->hub->root, err, "list", rel) : l->st;
}

static hf_status blobs_of_repo(struct listing *l) {
  char rel[HF_PATH_ROOM];
  TRY(shown_names(l->c, l->hub, l->folder, &l->shown));
  TRY(hub_rel(l->c, l->hub, rel, "%s/blobs", l->folder));
  TRY(list_dir(l, rel, blob_row));
  TRY(hub_rel(l->c, l->hub, rel, ".locks/%s", l->folder));
  return list_dir(l, rel, partial_row);
}

static bool blobs_of_folder(void *arg, const char *name, unsigned char type) {
  struct listing *all = arg;
  char id[HUB_FOLDER_ROOM];
  struct hf_repo repo;
  if (type != DT_DIR || !hub_repo_of(name, &repo.type, id)) return true;
  repo.id = id;
  struct listing l = {.c = all->c, .hub = all->hub, .repo = &repo, .folder = name, .slot = all->slot};
  all->st = blobs_of_repo(&l);
  hub_names_free(&l.shown);
  return all->st == HF_OK;
}

hf_status hub_blob_each(hf_call *c, void *store, const struct hf_repo *repo, hf_slot *slot) {
  char folder[HUB_FOLDER_ROOM];
  struct listing l = {.c = c, .hub = store, .repo = repo, .folder = folder, .slot = slot};
  if (!repo) return list_dir(&l, "", blobs_of_folder);
  TRY(hub_folder(c, repo, folder));
  hf_status st = blobs_of_repo(&l);
  hub_names_free(&l.shown);
  return st;
}

static bool repo_row(void *arg, const char *name, unsigned char type) {
  struct listing *l = arg;
  char id[HUB_FOLDER_ROOM];
  struct hf_ref r = {.struct_size = sizeof r, .name = ""};
  if (type != DT_DIR || !hub_repo_of(name, &r.repo.type, id)) return true;
  r.repo.id = id;
  l->st = H->put(l->slot, HF_PUT_REF, &r, sizeof r);
  return l->st == HF_OK;
}

hf_status hub_repo_each(hf_call *c, void *store, hf_slot *slot) {
  struct listing l = {.c = c, .hub = store, .slot = slot};
  return list_dir(&l, "", repo_row);
}
