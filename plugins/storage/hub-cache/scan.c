/* scan.c - everything that the cache holds: the shared store, repos side by side on the workers, unfinished files of both
 * clients, and what is no proper repo with the reason.
 * Nothing is written, no lock is kept. Rows come in the order in which the file system lists the cache. */
#include "scan.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct shared { /* one entry of the shared store, and the blobs that its manifest proves to need it */
  char hash[65];
  uint64_t size, users;
};

struct scan {
  hf_call *c;
  struct hub *hub;
  hf_slot *slot;
  uint32_t flags;
  struct scan_repo *repos;
  size_t repo_count;
  char **folders; /* all folders of the cache, for unfinished files */
  size_t folder_count;
  struct shared *shared;
  size_t shared_count;
  char **users; /* "FOLDER/blobs/ETAG", ascending once complete */
  size_t user_count;
  uint64_t total;
  hf_status st;
};

static bool grow(struct scan *s, void **list, size_t count, size_t size) {
  if (count & (count + 1)) return true; /* grows at 0, 1, 3, 7 ... */
  void *more = H->resize(*list, (2 * count + 1) * size);
  if (more)
    *list = more;
  else
    s->st = H->failf(s->c, HF_ENOMEM, "Out of memory while looking through the cache.");
  return more != NULL;
}

static bool put(struct scan *s, struct hf_held row) {
  row.struct_size = sizeof row;
  if (s->st == HF_OK) s->st = H->put(s->slot, HF_PUT_HELD, &row, sizeof row);
  return s->st == HF_OK;
}

/* ---- the shared store -------------------------------------------------------------------------------------------- */

static void see_user(void *arg, const char *rel) {
  struct scan *s = arg;
  if (s->st != HF_OK || !grow(s, (void **)&s->users, s->user_count, sizeof *s->users)) return;
  s->users[s->user_count] = hf_strdup(s->c, rel);
  if (s->users[s->user_count])
    s->user_count++;
  else
    s->st = HF_ENOMEM;
}

static bool see_shared(void *arg, const char *hash, uint64_t size) {
  struct scan *s = arg;
  if (!grow(s, (void **)&s->shared, s->shared_count, sizeof *s->shared)) return false;
  struct shared *e = &s->shared[s->shared_count++];
  memcpy(e->hash, hash, 65);
  e->size = size;
  e->users = hub_shared_users(s->hub, hash, s->flags & HF_SCAN_FILES ? see_user : NULL, s);
  s->total += size;
  return s->st == HF_OK;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_hash(const void *a, const void *b) {
  return strcmp(((const struct shared *)a)->hash, ((const struct shared *)b)->hash);
}

static bool is_entry(const struct scan *s, const char *hash) {
  struct shared key;
  if (!hash || !s->shared_count) return false;
  memcpy(key.hash, hash, 64);
  key.hash[64] = 0;
  return bsearch(&key, s->shared, s->shared_count, sizeof key, by_hash) != NULL;
}

static bool is_user(const struct scan *s, const char *folder, const char *etag) {
  char rel[2 * HF_NAME_ROOM + 16], *key = rel;
  return s->user_count && hf_format(rel, sizeof rel, "%s/blobs/%s", folder, etag) &&
         bsearch(&key, s->users, s->user_count, sizeof *s->users, by_text) != NULL;
}

/* ---- folders of the cache ---------------------------------------------------------------------------------------- */

static bool see_folder(void *arg, const char *name, unsigned char type) {
  struct scan *s = arg;
  bool marked_store = !strcmp(name, "blobs") && hub_shared_marked(s->hub);
  char *folder = hf_strdup(s->c, name);
  if (!folder || !grow(s, (void **)&s->folders, s->folder_count, sizeof *s->folders)) {
    H->release(folder);
    if (s->st == HF_OK) s->st = HF_ENOMEM;
    return false;
  }
  s->folders[s->folder_count++] = folder;
  (void)type;
  if (scan_ignored(name) || !strcmp(name, ".locks") || !strcmp(name, "CACHEDIR.TAG") || marked_store) return true;
  if (!grow(s, (void **)&s->repos, s->repo_count, sizeof *s->repos)) return false;
  s->repos[s->repo_count++] =
      (struct scan_repo){.hub = s->hub, .folder = folder, .keep_files = s->flags & HF_SCAN_FILES};
  return true;
}

static hf_status look_at_repo(hf_call *c, void *arg, uint32_t i) {
  struct scan *s = arg;
  TRY(H->check(c));
  s->repos[i].call = c;
  scan_repo(&s->repos[i]);
  return s->repos[i].err ? H->failf(c, HF_ENOMEM, "Out of memory while looking through the cache.") : HF_OK;
}

/* ---- unfinished files -------------------------------------------------------------------------------------------- */

bool hub_is_live(struct hub *hub, const char *folder, const char *key) {
  char rel[2 * HF_NAME_ROOM + 32];
  struct stat st;
  if (!hf_format(rel, sizeof rel, ".locks/%s/%s.lock", folder, key)) return false;
  int fd = hf_root_look_file(hub->root, rel, O_RDONLY, &st);
  if (fd < 0) return false;
  bool held = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  close(fd);
  return held;
}

struct leftovers {
  struct scan *s;
  const char *folder;
  int fd;
};

/* blobs/ETAG[.XXXXXXXX].incomplete: the reference client's. */
static bool see_incomplete(void *arg, const char *name, unsigned char type) {
  struct leftovers *l = arg;
  char path[2 * HF_NAME_ROOM + 16], key[HF_NAME_ROOM];
  struct stat st;
  size_t n = strlen(name);
  (void)type;
  if (n < 11 || n >= sizeof key || strcmp(name + n - 11, ".incomplete") || fstatat(l->fd, name, &st, 0) != 0)
    return true;
  memcpy(key, name, n + 1);
  key[n - 11] = 0;
  char *dot = strrchr(key, '.');
  if (dot && hf_hex_is(dot + 1, 8)) *dot = 0;
  hf_format(path, sizeof path, "%s/blobs/%s", l->folder, name);
  return put(l->s, (struct hf_held){.what = HF_HELD_PARTIAL,
                                    .flags = hub_is_live(l->s->hub, l->folder, key) ? HF_HF_LIVE : 0,
                                    .path = path,
                                    .size = (uint64_t)st.st_size});
}

struct ours {
  int fd;
  uint64_t size;
  bool found, live;
};

static bool see_part(void *arg, const char *name, unsigned char type) {
  struct ours *o = arg;
  char rel[HF_NAME_ROOM + 8];
  struct stat st;
  if (type != DT_DIR || strncmp(name, "p.", 2) || !hf_format(rel, sizeof rel, "%s/data", name)) return true;
  o->found = true;
  o->live |= strcmp(name, "p.kept") && hf_ident_judge(name + 2, true) == HF_HOLDER_ALIVE;
  if (fstatat(o->fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0) o->size += (uint64_t)st.st_blocks * 512;
  return true;
}

/* .locks/FOLDER/ETAG.libhf: ours. */
static bool see_partial(void *arg, const char *name, unsigned char type) {
  struct leftovers *l = arg;
  char path[2 * HF_NAME_ROOM + 16], key[HF_NAME_ROOM];
  size_t n = strlen(name);
  if (type != DT_DIR || n <= 6 || n >= sizeof key || strcmp(name + n - 6, ".libhf")) return true;
  struct ours o = {.fd = openat(l->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (o.fd < 0) return true;
  hf_dir_each(o.fd, see_part, &o);
  close(o.fd);
  if (!o.found) return true;
  memcpy(key, name, n - 6);
  key[n - 6] = 0;
  hf_format(path, sizeof path, ".locks/%s/%s", l->folder, name);
  bool live = o.live || hub_is_live(l->s->hub, l->folder, key);
  return put(l->s,
             (struct hf_held){.what = HF_HELD_PARTIAL, .flags = live ? HF_HF_LIVE : 0, .path = path, .size = o.size});
}

static bool look_in(struct scan *s, const char *folder, const char *below, const char *above,
                    bool (*see)(void *, const char *, unsigned char)) {
  char rel[HF_PATH_ROOM];
  struct leftovers l = {.s = s, .folder = folder};
  struct hf_dir *root = hf_dir_get(s->hub->root, "", false);
  if (!root || !hf_format(rel, sizeof rel, "%s%s%s", above, folder, below)) return true;
  l.fd = openat(root->fd, rel, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  hf_dir_put(s->hub->root, root);
  if (l.fd >= 0) {
    hf_dir_each(l.fd, see, &l);
    close(l.fd);
  }
  return s->st == HF_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static void tell_revision(struct scan *s, struct scan_repo *r, const struct scan_revision *v) {
  const struct hf_repo repo = {r->type, r->id};
  char path[2 * HF_PATH_ROOM];
  hf_format(path, sizeof path, "%s/%s/snapshots/%s", s->hub->root->path, r->folder, v->name);
  put(s, (struct hf_held){.what = HF_HELD_REVISION,
                          .repo = repo,
                          .commit = v->name,
                          .path = path,
                          .size = v->size,
                          .mtime_ns = v->mtime_ns});
  if (!r->keep_files) return;
  for (size_t i = 0; i < v->count && s->st == HF_OK; i++) {
    const struct scan_file *f = &r->files[v->first + i];
    const struct scan_blob *b = &r->blobs[f->blob];
    bool shared = is_entry(s, b->shared);
    put(s, (struct hf_held){.what = HF_HELD_FILE,
                            .flags = b->flags | (shared && is_user(s, r->folder, b->name) ? HF_HF_COUNTED : 0),
                            .blob = f->blob,
                            .repo = repo,
                            .commit = v->name,
                            .path = f->path,
                            .shared = shared ? b->shared : NULL,
                            .size = b->size,
                            .mtime_ns = b->mtime_ns,
                            .atime_ns = b->atime_ns});
  }
}

static void tell_repo(struct scan *s, struct scan_repo *r) {
  const struct hf_repo repo = {r->type, r->id};
  char path[2 * HF_PATH_ROOM];
  if (r->problem) {
    put(s, (struct hf_held){.what = HF_HELD_PROBLEM, .path = r->problem});
    return;
  }
  hf_format(path, sizeof path, "%s/%s", s->hub->root->path, r->folder);
  put(s, (struct hf_held){.what = HF_HELD_REPO,
                          .repo = repo,
                          .path = path,
                          .size = r->size,
                          .count = r->blob_count,
                          .mtime_ns = r->mtime_ns,
                          .atime_ns = r->atime_ns});
  for (size_t i = 0; i < r->ref_count && s->st == HF_OK; i++)
    put(s, (struct hf_held){.what = HF_HELD_REF, .repo = repo, .commit = r->refs[i].commit, .path = r->refs[i].name});
  for (size_t i = 0; i < r->revision_count && s->st == HF_OK; i++) tell_revision(s, r, &r->revisions[i]);
  for (size_t i = 0; i < r->blob_count; i++)
    if (!is_entry(s, r->blobs[i].shared)) s->total += r->blobs[i].size;
}

static void tell(struct scan *s) {
  for (size_t i = 0; i < s->shared_count && s->st == HF_OK; i++)
    put(s, (struct hf_held){.what = HF_HELD_SHARED,
                            .shared = s->shared[i].hash,
                            .size = s->shared[i].size,
                            .count = s->shared[i].users});
  for (size_t i = 0; i < s->repo_count && s->st == HF_OK; i++) tell_repo(s, &s->repos[i]);
  for (size_t i = 0; i < s->folder_count && s->st == HF_OK; i++) {
    look_in(s, s->folders[i], "/blobs", "", see_incomplete);
    look_in(s, s->folders[i], "", ".locks/", see_partial);
  }
  put(s, (struct hf_held){.what = HF_HELD_TOTAL, .size = s->total});
}

static hf_status no_cache(hf_call *c, struct hub *hub) {
  struct stat st;
  const char *path = hub->root->path;
  struct hf_error e = {.struct_size = sizeof e, .code = HF_ENOTFOUND, .cls = "CacheNotFound"};
  char text[HF_PATH_ROOM + 160];
  int err = errno;
  if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
    e.code = HF_EINVAL;
    e.cls = "ValueError";
    hf_format(text, sizeof text,
              "Scan cache expects a directory but found a file: %s. Please use `cache_dir` argument or set "
              "`HF_HUB_CACHE` environment variable.",
              path);
  } else if (err == ENOENT || err == ENOTDIR) {
    hf_format(text, sizeof text, "Cache directory not found: %s", path);
  } else {
    return hf_root_fail(c, hub->root, err, "list", "");
  }
  e.message = text;
  return H->fail(c, &e);
}

hf_status hub_scan(hf_call *c, void *store, const struct hf_repo *repo, uint32_t flags, hf_slot *slot) {
  struct scan s = {.c = c, .hub = store, .slot = slot, .flags = flags};
  char one[HUB_FOLDER_ROOM];
  if (repo) TRY(hub_folder(c, repo, one));
  struct hf_dir *root = hf_dir_get(s.hub->root, "", false);
  if (!root) return no_cache(c, s.hub);
  hub_shared_each(s.hub, see_shared, &s);
  if (s.shared_count) qsort(s.shared, s.shared_count, sizeof *s.shared, by_hash);
  if (s.user_count) qsort(s.users, s.user_count, sizeof *s.users, by_text);
  int err = 0;
  if (repo)
    see_folder(&s, one, DT_DIR);
  else
    err = hf_dir_each(root->fd, see_folder, &s);
  hf_dir_put(s.hub->root, root);
  if (err && s.st == HF_OK) s.st = hf_root_fail(c, s.hub->root, err, "list", "");
  bool marked = hub_shared_marked(s.hub);
  for (size_t i = 0; i < s.repo_count; i++) s.repos[i].marked = marked;
  if (s.st == HF_OK && s.repo_count) s.st = H->parallel(c, (uint32_t)s.repo_count, 0, look_at_repo, &s);
  if (s.st == HF_OK) tell(&s);
  for (size_t i = 0; i < s.repo_count; i++) scan_repo_free(&s.repos[i]);
  for (size_t i = 0; i < s.folder_count; i++) H->release(s.folders[i]);
  for (size_t i = 0; i < s.user_count; i++) H->release(s.users[i]);
  H->release(s.repos);
  H->release(s.folders);
  H->release(s.shared);
  H->release(s.users);
  return s.st;
}
