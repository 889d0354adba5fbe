/* local.c - local-dir: a plain folder of real files as a store, with the reference client's book-keeping
 * beside them. Files are looked at without following a link at any level, so a link planted in the
 * folder leads nowhere. This file holds looking, listings, the table of functions and opening. */
#include "local.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct hf_dir *parent_of(struct local *l, const char *path, const char **name) {
  char dir[HF_PATH_ROOM];
  const char *cut = strrchr(path, '/');
  *name = cut ? cut + 1 : path;
  if (!hf_format(dir, sizeof dir, "%.*s", cut ? (int)(cut - path) : 0, path)) {
    errno = ENAMETOOLONG;
    return NULL;
  }
  return hf_dir_get(l->root, dir, false);
}

bool local_stat(struct local *l, const char *path, struct stat *st) {
  const char *name;
  struct hf_dir *d = parent_of(l, path, &name);
  bool ok = d && fstatat(d->fd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
  hf_dir_put(l->root, d);
  if (ok && !S_ISREG(st->st_mode)) {
    errno = ENOENT;
    return false;
  }
  return ok;
}

int local_open(struct local *l, const char *path) {
  const char *name;
  struct stat st;
  struct hf_dir *d = parent_of(l, path, &name);
  int fd = d ? openat(d->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
  hf_dir_put(l->root, d);
  if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))) return fd;
  close(fd);
  errno = ENOENT;
  return -1;
}

static hf_status local_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  struct local *l = store;
  struct local_meta m;
  struct stat st;
  TRY(local_path_check(c, name->path));
  hf_place_know(l->root, LOCAL_PARTS, false);
  if (!local_stat(l, name->path, &st)) {
    if (errno == EACCES) return hf_root_fail(c, l->root, errno, "look at", name->path);
    return H->failf(c, HF_ENOTFOUND, "%s is not in the folder.", name->path);
  }
  bool known = local_meta_read(c, l, name->path, &st, &m);
  if (name->commit && (!known || strcmp(m.commit, name->commit)))
    return H->failf(c, HF_ENOTFOUND, "%s in the folder is not known to be of that commit.", name->path);
  return local_put_row(c, l, name->path, known ? m.commit : NULL, known ? m.etag : NULL, (uint64_t)st.st_size, slot);
}

static hf_status local_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  struct local *l = store;
  TRY(local_path_check(c, name->path));
  int fd = local_open(l, name->path);
  if (fd < 0 && errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
    return hf_root_fail(c, l->root, errno, "open", name->path);
  if (fd < 0) return H->failf(c, HF_ENOTFOUND, "%s is not in the folder.", name->path);
  return hf_source_open(c, fd, name->path, out);
}

static hf_status local_remove(hf_call *c, void *store, const struct hf_name *name) {
  struct local *l = store;
  const char *base;
  TRY(local_path_check(c, name->path));
  local_meta_drop(c, l, name->path);
  struct hf_dir *d = parent_of(l, name->path, &base);
  int err = !d || unlinkat(d->fd, base, 0) != 0 ? errno : 0;
  hf_dir_put(l->root, d);
  if (err == ENOENT || err == ENOTDIR) return H->failf(c, HF_ENOTFOUND, "%s is not in the folder.", name->path);
  return err ? hf_root_fail(c, l->root, err, "remove", name->path) : HF_OK;
}

struct showing {
  hf_call *c;
  struct local *local;
  const char *commit;
};

static bool shown(void *arg, const struct hf_tree_entry *e) {
  const struct showing *s = arg;
  struct local_meta m;
  struct stat st;
  uint64_t size = e->lfs_sha256 && e->lfs_size != HF_SIZE_UNKNOWN ? e->lfs_size : e->size;
  return local_stat(s->local, e->path, &st) && (uint64_t)st.st_size == size &&
         local_meta_read(s->c, s->local, e->path, &st, &m) && !strcmp(m.commit, s->commit);
}

static hf_status tree_rel(hf_call *c, const char *commit, char rel[HF_PATH_ROOM]) {
  if (!hf_hex_is(commit, 40)) return H->failf(c, HF_EINVAL, "A listing belongs to a commit of 40 hex digits.");
  hf_format(rel, HF_PATH_ROOM, LOCAL_BOOK "/trees/%s.json", commit);
  return HF_OK;
}

static hf_status local_tree_get(hf_call *c, void *store, const struct hf_repo *repo, const char *commit,
                                hf_slot *slot) {
  struct showing s = {c, store, commit};
  char rel[HF_PATH_ROOM];
  (void)repo;
  TRY(tree_rel(c, commit, rel));
  hf_place_know(s.local->root, LOCAL_PARTS, false); /* left-overs are looked for when the store is closed */
  return hf_tree_load(c, s.local->root, rel, shown, &s, slot);
}

static hf_status local_tree_put(hf_call *c, void *store, const struct hf_repo *repo, const char *commit,
                                struct hf_table entries) {
  struct local *l = store;
  char rel[HF_PATH_ROOM];
  (void)repo;
  TRY(tree_rel(c, commit, rel));
  local_prepare(l);
  return hf_tree_store(c, l->root, LOCAL_PARTS, rel, entries, l->durable);
}

static hf_status local_lease_take(hf_call *c, void *store, const struct hf_key *key, uint32_t ttl_ms, void **lease) {
  struct local *l = store;
  char name[HF_NAME_ROOM];
  struct hf_lease *got = NULL;
  TRY(hf_etag_name(c, key->etag, name));
  local_prepare(l);
  TRY(hf_lease_get(c, &l->leases, LOCAL_PARTS, name, ttl_ms, true, &got));
  *lease = got;
  return HF_OK;
}

static hf_status local_lease_beat(hf_call *c, void *store, void *lease) {
  return hf_lease_renew(c, &((struct local *)store)->leases, lease);
}

static void local_lease_drop(void *store, void *lease) {
  hf_lease_end(&((struct local *)store)->leases, lease);
}

static hf_status local_space(hf_call *c, void *store, hf_slot *slot) {
  return hf_root_space(c, ((struct local *)store)->root, slot);
}

static hf_status local_folder(hf_call *c, void *store, const struct hf_repo *repo, const char *commit, hf_slot *slot) {
  const char *path = ((struct local *)store)->root->path;
  (void)c;
  (void)repo;
  (void)commit;
  return H->put(slot, HF_PUT_TEXT, &(struct hf_text){path, strlen(path)}, sizeof(struct hf_text));
}

static hf_status open_store(hf_call *c, const char *uri, void **store) {
  const char *rest = strchr(uri, ':'), *durability = H->option(c, "durability");
  if (rest && !strncmp(rest, "://", 3)) rest += 2;
  if (!rest || !rest[1]) return H->failf(c, HF_EINVAL, "A local-dir store needs its folder, as in local-dir:/path.");
  struct local *l = hf_zalloc(c, sizeof *l);
  if (!l) return HF_ENOMEM;
  hf_status st = hf_root_open(c, rest + 1, &l->root);
  if (st != HF_OK) {
    H->release(l);
    return st;
  }
  hf_leases_open(&l->leases, l->root, false);
  l->durable = !durability || strcmp(durability, "none");
  l->root->unhurried = !l->durable;
  *store = l;
  return HF_OK;
}

static void close_store(void *store) {
  struct local *l = store;
  hf_leases_close(&l->leases);
  hf_root_close(l->root);
  H->release(l);
}

static const struct hf_param keys[] = {
    {.name = "durability",
     .help = "What a success survives: a power cut, or only the end of the process.",
     .deflt = "full",
     .choices = "full,none",
     .env = "HF_DURABILITY",
     .type = HF_P_CHOICE},
};

#define CAPS \
  (HF_ST_LOCAL_PATH | HF_ST_RANDOM_WRITE | HF_ST_RESUME | HF_ST_DURABLE | HF_ST_TREES | HF_ST_LEASES | HF_ST_FENCED)

static const struct hf_storage local_dir = {
    .m = {.kind = HF_KIND_STORAGE,
          .struct_size = sizeof(struct hf_storage),
          .name = "local-dir",
          .summary = "plain folder with real files",
          .threads = HF_THREADS_ANY,
          .priority = 20,
          .caps = CAPS,
          .config = HF_TABLE(keys)},
    .open = open_store,
    .close = close_store,
    .find = local_find,
    .adopt = local_adopt,
    .ingest = local_ingest,
    .publish = local_publish,
    .discard = local_discard,
    .open_file = local_open_file,
    .remove = local_remove,
    .tree_get = local_tree_get,
    .tree_put = local_tree_put,
    .lease_take = local_lease_take,
    .lease_beat = local_lease_beat,
    .lease_drop = local_lease_drop,
    .space = local_space,
    .folder = local_folder,
};

static hf_status load(const struct hf_host *host, void **state) {
  hf_posix_host = host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&local_dir.m};
HF_PLUGIN("local-dir", "0.1.0", "Apache-2.0", "plain folder with real files", load, NULL, modules,
          {HF_KIND_STORAGE, 20, CAPS, "local-dir", ""});
