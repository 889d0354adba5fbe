/* expunge.c - makes room: files, revisions, whole repos, unfinished files, shared bytes that nobody needs.
 * What shows bytes goes before the bytes, so that whoever is interrupted leaves a proper cache. A blob goes under the lock that
 * a download holds while it fetches or shows it, and only when no snapshot shows it then. No link is followed on the way
 * to anything that is removed: whatever lies in a cache folder, nothing outside is touched. */
#include "scan.h"
#include "shown.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BATCH     64 /* locks held at once */
#define LEASE_MS  30000
#define REF_DEPTH 16

struct target { /* what is to go of one repo */
  hf_call *c;
  struct hub *hub;
  char folder[HF_NAME_ROOM];
  struct names commits, blobs; /* blobs: that something going showed */
  struct names hashes;         /* of the shared store, that lost a user */
  bool whole;
  int failed; /* errno of the first thing that should have gone and did not */
};

static void could_not(struct target *t, const char *what, const char *name, int err) {
  if (!t->failed) t->failed = err;
  H->log(t->c, HF_LOG_WARNING, "Couldn't delete %s: %s/%s/%s: %s", what, t->hub->root->path, t->folder, name,
         err == ELOOP ? "it lies behind a link" : strerror(err));
}

static struct hf_dir *folder_of(const struct target *t, const char *below) {
  char rel[HF_PATH_ROOM];
  if (hf_format(rel, sizeof rel, "%s%s%s", t->folder, *below ? "/" : "", below))
    return hf_dir_get(t->hub->root, rel, false);
  errno = ENAMETOOLONG;
  return NULL;
}

/* A file, link or folder of an open folder. 0 or errno; gone is fine. */
static int drop(int fd, const char *name) {
  struct stat st;
  if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT ? 0 : errno;
  if (S_ISDIR(st.st_mode)) return hf_tree_remove(fd, name);
  return unlinkat(fd, name, 0) != 0 && errno != ENOENT ? errno : 0;
}

/* ---- blobs ------------------------------------------------------------------------------------------------------- */

/* The key that is locked for a file in blobs/: its etag, also for what the reference left unfinished. */
static void key_of(const char *name, char key[HF_NAME_ROOM]) {
  size_t n = strlen(name);
  hf_format(key, HF_NAME_ROOM, "%s", name);
  if (n <= 11 || strcmp(name + n - 11, ".incomplete")) return;
  key[n - 11] = 0;
  char *dot = strrchr(key, '.');
  if (dot && hf_hex_is(dot + 1, 8)) *dot = 0;
}

struct lock {
  struct hf_lease *lease;
  bool held_by_others, made; /* made: the lock file was not there before us */
  char key[HF_NAME_ROOM];
};

/* Two files of one etag, a blob and an unfinished one, have one lock. */
static const struct lock *locked_before(const struct lock *locks, size_t n, const char *key) {
  for (size_t i = 0; i < n; i++)
    if (!strcmp(locks[i].key, key)) return &locks[i];
  return NULL;
}

static void lock_key(const struct target *t, const char *name, struct lock *locks, size_t n) {
  struct lock *l = &locks[n];
  char rel[2 * HF_NAME_ROOM + 16], dir[HF_NAME_ROOM + 8];
  struct stat st;
  *l = (struct lock){0};
  key_of(name, l->key);
  const struct lock *same = locked_before(locks, n, l->key);
  if (same) {
    l->held_by_others = same->held_by_others;
    return;
  }
  if (!hf_format(dir, sizeof dir, ".locks/%s", t->folder) || !hf_format(rel, sizeof rel, "%s/%s.lock", dir, l->key))
    return;
  struct hf_dir *top = hf_dir_get(t->hub->root, "", false);
  l->made = top && fstatat(top->fd, rel, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
  hf_dir_put(t->hub->root, top);
  if (hf_lease_get(t->c, &t->hub->leases, dir, l->key, LEASE_MS, false, &l->lease) != HF_OK)
    H->clear(t->c); /* locks do not work here: then nobody holds one */
  else
    l->held_by_others = !l->lease;
}

static void unlock_key(const struct target *t, struct lock *l) {
  char rel[2 * HF_NAME_ROOM + 16];
  struct hf_dir *top = l->made && l->lease ? hf_dir_get(t->hub->root, "", false) : NULL;
  if (top && hf_format(rel, sizeof rel, ".locks/%s/%s.lock", t->folder, l->key)) unlinkat(top->fd, rel, 0);
  hf_dir_put(t->hub->root, top);
  hf_lease_end(&t->hub->leases, l->lease);
}

static void drop_blob(struct target *t, int fd, const char *name) {
  char hash[65];
  if (!fstatat(fd, name, &(struct stat){0}, AT_SYMLINK_NOFOLLOW) && hub_shared_hash(t->hub, t->folder, name, hash))
    hub_names_add(&t->hashes, hash);
  int err = drop(fd, name);
  if (err) could_not(t, "blob", name, err);
}

/* Up to BATCH blobs: all locked, then looked whether they are shown, then removed. */
static void drop_batch(struct target *t, int fd, char *const *names, size_t n, struct shown *shown) {
  struct lock locks[BATCH];
  for (size_t i = 0; i < n; i++) lock_key(t, names[i], locks, i);
  bool known = hub_shown_update(t->hub, t->folder, shown);
  for (size_t i = 0; i < n; i++) {
    if (locks[i].held_by_others)
      H->log(t->c, HF_LOG_WARNING, "Kept %s/%s/blobs/%s: a download is using it", t->hub->root->path, t->folder,
             names[i]);
    else if (known && !hub_names_has(&shown->names, names[i]))
      drop_blob(t, fd, names[i]);
  }
  for (size_t i = 0; i < n; i++) unlock_key(t, &locks[i]);
  if (!known && !t->failed) t->failed = errno ? errno : EIO;
  if (!known)
    H->log(t->c, HF_LOG_WARNING, "Kept blobs in %s/%s: its snapshots cannot be read", t->hub->root->path, t->folder);
}

static hf_status drop_blobs(struct target *t, const struct names *names) {
  struct shown shown = {0};
  struct hf_dir *d = names->count ? folder_of(t, "blobs") : NULL;
  hf_status st = HF_OK;
  if (!d && names->count && errno != ENOENT) could_not(t, "blobs", "blobs", errno);
  if (!d) return HF_OK;
  char locks[HF_NAME_ROOM + 8];
  struct stat is;
  hf_format(locks, sizeof locks, ".locks/%s", t->folder);
  struct hf_dir *top = hf_dir_get(t->hub->root, "", false);
  bool had_all = top && fstatat(top->fd, ".locks", &is, AT_SYMLINK_NOFOLLOW) == 0;
  bool had_ours = top && fstatat(top->fd, locks, &is, AT_SYMLINK_NOFOLLOW) == 0;
  hf_dir_put(t->hub->root, top);
  for (size_t i = 0; i < names->count && (st = H->check(t->c)) == HF_OK; i += BATCH)
    drop_batch(t, d->fd, names->all + i, names->count - i < BATCH ? names->count - i : BATCH, &shown);
  hf_dir_put(t->hub->root, d);
  hub_shown_free(&shown);
  top = had_ours ? NULL : hf_dir_get(t->hub->root, "", false);
  if (top && unlinkat(top->fd, locks, AT_REMOVEDIR) == 0 && !had_all) unlinkat(top->fd, ".locks", AT_REMOVEDIR);
  hf_dir_put(t->hub->root, top);
  hf_root_forget(t->hub->root);
  return st;
}

/* ---- files, snapshots, refs -------------------------------------------------------------------------------------- */

static hf_status drop_file(struct target *t, const struct hf_held *row) {
  char rel[HF_PATH_ROOM], etag[HF_NAME_ROOM];
  struct stat st;
  if (!hf_path_safe(row->path) || !row->commit || !hf_path_safe(row->commit) || strchr(row->commit, '/') ||
      !hf_format(rel, sizeof rel, "%s/snapshots/%s/%s", t->folder, row->commit, row->path))
    return H->failf(t->c, HF_EINVAL, "A file with this path cannot be in the cache: %s.", row->path);
  char *cut = strrchr(rel, '/');
  *cut = 0;
  struct hf_dir *d = hf_dir_get(t->hub->root, rel, false); /* no link on the way */
  *cut = '/';
  if (!d) return errno == ENOENT ? HF_OK : hf_root_fail(t->c, t->hub->root, errno, "remove", rel);
  bool there = fstatat(d->fd, cut + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode);
  if (there && S_ISLNK(st.st_mode) && hub_pointer_etag(t->hub, rel, etag)) hub_names_add(&t->blobs, etag);
  int err = there && unlinkat(d->fd, cut + 1, 0) != 0 && errno != ENOENT ? errno : 0;
  hf_dir_put(t->hub->root, d);
  return err ? hf_root_fail(t->c, t->hub->root, err, "remove", rel) : HF_OK;
}

static void drop_snapshots(struct target *t) {
  struct hf_dir *d = folder_of(t, "snapshots");
  if (!d) {
    if (errno != ENOENT) could_not(t, "snapshots", "snapshots", errno);
    return;
  }
  for (size_t i = 0; i < t->commits.count; i++) {
    if (!hub_shown_by(t->hub, t->folder, t->commits.all[i], &t->blobs)) {
      could_not(t, "snapshot", t->commits.all[i], errno ? errno : EIO); /* its blobs would be left behind */
      continue;
    }
    int err = drop(d->fd, t->commits.all[i]);
    if (err) could_not(t, "snapshot", t->commits.all[i], err);
  }
  hf_dir_put(t->hub->root, d);
  hf_root_forget(t->hub->root);
}

struct refs {
  struct target *t;
  int fd, depth;
};

/* A ref goes with the revision that it shows; one that moved on meanwhile stays. */
static bool see_ref(void *arg, const char *name, unsigned char type) {
  struct refs *r = arg;
  char text[64];
  struct stat st;
  if (type == DT_DIR && r->depth < REF_DEPTH) {
    struct refs in = {r->t, openat(r->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r->depth + 1};
    if (in.fd < 0) {
      if (errno != ENOENT) could_not(r->t, "ref", name, errno);
      return true;
    }
    int err = hf_dir_each(in.fd, see_ref, &in);
    if (err) could_not(r->t, "ref", name, err);
    close(in.fd);
    return true;
  }
  int fd = openat(r->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  bool known = fd >= 0 ? fstat(fd, &st) == 0 : errno == ENOENT || errno == ELOOP || errno == ENXIO;
  ssize_t n = known && fd >= 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof text - 1) : 0;
  if (!known || n < 0) could_not(r->t, "ref", name, errno);
  if (fd >= 0) close(fd);
  text[n > 0 ? n : 0] = 0;
  for (size_t i = 0; n > 0 && i < r->t->commits.count; i++) {
    if (strcmp(text, r->t->commits.all[i]) != 0) continue;
    int err = unlinkat(r->fd, name, 0) != 0 && errno != ENOENT ? errno : 0;
    if (err) could_not(r->t, "ref", name, err);
  }
  return true;
}

static void drop_refs(struct target *t) {
  struct hf_dir *d = folder_of(t, "refs");
  if (!d && errno != ENOENT && errno != ENOTDIR) could_not(t, "ref", "refs", errno);
  if (!d) return;
  int err = hf_dir_each(d->fd, see_ref, &(struct refs){t, d->fd, 0});
  if (err) could_not(t, "ref", "refs", err);
  hf_dir_put(t->hub->root, d);
}

/* ---- whole repos ------------------------------------------------------------------------------------------------- */

struct locks {
  int fd;
  bool live;
};

static bool see_lock(void *arg, const char *name, unsigned char type) {
  struct locks *l = arg;
  size_t n = strlen(name);
  if (type != DT_REG || n < 6 || strcmp(name + n - 5, ".lock")) return true;
  int fd = openat(l->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  l->live = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  if (fd >= 0) close(fd);
  return !l->live;
}

static bool any_download(const struct target *t) {
  char rel[HF_NAME_ROOM + 8];
  hf_format(rel, sizeof rel, ".locks/%s", t->folder);
  struct hf_dir *d = hf_dir_get(t->hub->root, rel, false);
  if (!d) return false;
  struct locks l = {.fd = d->fd};
  hf_dir_each(d->fd, see_lock, &l);
  hf_dir_put(t->hub->root, d);
  return l.live;
}

static bool see_any(void *arg, const char *name, unsigned char type) {
  (void)type;
  hub_names_add(arg, name);
  return true;
}

static bool see_finished(void *arg, const char *name, unsigned char type) {
  size_t n = strlen(name);
  (void)type;
  if (n < 11 || strcmp(name + n - 11, ".incomplete") != 0) hub_names_add(arg, name);
  return true;
}

static bool see_desktop_file(void *arg, const char *name, unsigned char type) {
  if (type != DT_DIR && scan_ignored(name)) unlinkat(*(int *)arg, name, 0);
  return true;
}

static bool see_revision(void *arg, const char *name, unsigned char type) {
  bool *any = arg;
  *any |= type == DT_DIR || !scan_ignored(name);
  return !*any;
}

struct rest {
  struct target *t;
  int fd;
};

static bool see_rest(void *arg, const char *name, unsigned char type) {
  struct rest *r = arg;
  (void)type;
  if (!strcmp(name, "blobs") || !strcmp(name, "snapshots")) return true;
  int err = drop(r->fd, name);
  if (err) could_not(r->t, "repo", name, err);
  return true;
}

/* Every name in blobs/; bytes that are still being written are not for us here. */
static void all_blobs(struct target *t, bool unfinished, struct names *all) {
  struct hf_dir *d = folder_of(t, "blobs");
  if (!d && errno != ENOENT && errno != ENOTDIR) could_not(t, "blobs", "blobs", errno);
  int err = d ? hf_dir_each(d->fd, unfinished ? see_any : see_finished, all) : 0;
  if (err) could_not(t, "blobs", "blobs", err);
  hf_dir_put(t->hub->root, d);
}

static void drop_folder(struct target *t, int fd, const char *name) {
  if (unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST) return;
  int err = errno == ENOTDIR ? drop(fd, name) : errno;
  if (err) could_not(t, "repo", name, err);
}

/* Every revision that was listed is gone. Whatever else there is goes too, unless a revision or a download came meanwhile:
 * then only the bytes that nothing shows. */
static hf_status drop_rest(struct target *t) {
  struct names all = {0};
  struct stat st;
  struct hf_dir *top = folder_of(t, "");
  if (!top && errno != ENOENT) could_not(t, "repo", "", errno);
  if (!top) return HF_OK;
  struct hf_dir *d = folder_of(t, "snapshots");
  bool more = false;
  if (d && hf_dir_each(d->fd, see_revision, &more) == 0 && !more) hf_dir_each(d->fd, see_desktop_file, &d->fd);
  hf_dir_put(t->hub->root, d);
  drop_folder(t, top->fd, "snapshots");
  bool empty = fstatat(top->fd, "snapshots", &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
  all_blobs(t, empty, &all);
  hf_status status =
      all.failed ? H->failf(t->c, HF_ENOMEM, "Out of memory while removing a repo.") : drop_blobs(t, &all);
  if (status == HF_OK && empty) {
    int err = hf_dir_each(top->fd, see_rest, &(struct rest){t, top->fd});
    if (err) could_not(t, "repo", "", err);
    drop_folder(t, top->fd, "blobs");
    struct hf_dir *root = hf_dir_get(t->hub->root, "", false);
    if (root)
      drop_folder(t, root->fd, t->folder);
    else
      could_not(t, "repo", "", errno);
    hf_dir_put(t->hub->root, root);
  }
  hf_dir_put(t->hub->root, top);
  hub_names_free(&all);
  return status;
}

static hf_status drop_revisions(struct target *t) {
  struct stat st;
  struct hf_dir *root = hf_dir_get(t->hub->root, "", false);
  if (!root && errno != ENOENT) could_not(t, "repo", "", errno);
  if (!root) return HF_OK;
  bool there = fstatat(root->fd, t->folder, &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there && errno != ENOENT) could_not(t, "repo", "", errno);
  bool folder = there && S_ISDIR(st.st_mode);
  if (there && !folder && t->whole) { /* a link to a repo elsewhere: the link goes */
    int err = drop(root->fd, t->folder);
    if (err) could_not(t, "repo", "", err);
  } else if (there && !folder) {
    could_not(t, "revisions", "", ELOOP);
  }
  hf_dir_put(t->hub->root, root);
  if (!folder) return HF_OK;
  bool whole = t->whole && !any_download(t);
  drop_refs(t); /* first: a ref without its snapshot is a broken cache */
  drop_snapshots(t);
  drop_refs(t); /* what came back meanwhile */
  hub_names_sort(&t->blobs);
  return whole ? drop_rest(t) : drop_blobs(t, &t->blobs);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* "a/b" -> "models--a--b": one name, whatever the id holds. */
static bool folder_name(const struct hf_repo *repo, char out[HF_NAME_ROOM]) {
  if (!repo->type || !repo->id || !hf_format(out, HF_NAME_ROOM, "%ss--", repo->type)) return false;
  size_t n = strlen(out);
  for (const char *p = repo->id; *p; p++) {
    if (n + 3 > HF_NAME_ROOM) return false;
    if (*p == '/') out[n++] = '-';
    out[n++] = *p == '/' ? '-' : *p;
  }
  out[n] = 0;
  return hf_path_safe(out) && !strchr(out, '/');
}

static bool same_repo(const struct hf_repo *a, const struct hf_repo *b) {
  return a->type && b->type && a->id && b->id && !strcmp(a->type, b->type) && !strcmp(a->id, b->id);
}

static const struct hf_held *row_at(struct hf_table t, uint32_t i) {
  return (const struct hf_held *)(const void *)((const char *)t.rows + (size_t)i * t.stride);
}

static bool of_repo(const struct hf_held *h) {
  return h->what == HF_HELD_REPO || h->what == HF_HELD_REVISION || h->what == HF_HELD_FILE;
}

/* Whoever asked is told what is still there, and why. */
static hf_status judged(struct target *t, hf_status st) {
  if (st != HF_OK || !t->failed) return st;
  hf_status code = t->failed == ENOMEM ? HF_ENOMEM : HF_EIO;
  return H->failf(t->c, code, "Not everything could be removed from %s/%s: %s. Mend that and run it again.",
                  t->hub->root->path, t->folder, t->failed == ELOOP ? "it lies behind a link" : strerror(t->failed));
}

static void end(struct target *t) {
  for (size_t i = 0; i < t->hashes.count; i++) hub_shared_sweep(t->c, t->hub, t->hashes.all[i]);
  hub_names_free(&t->commits);
  hub_names_free(&t->blobs);
  hub_names_free(&t->hashes);
}

/* Rows [i, end) are of one repo. */
static hf_status expunge_repo(hf_call *c, struct hub *hub, struct hf_table rows, uint32_t i, uint32_t stop) {
  struct target t = {.c = c, .hub = hub};
  hf_status st = HF_OK;
  bool files = false;
  if (!folder_name(&row_at(rows, i)->repo, t.folder))
    return H->failf(c, HF_EINVAL, "A cache folder cannot be named after this repository; check its type and name.");
  for (; i < stop && st == HF_OK; i++) {
    const struct hf_held *h = row_at(rows, i);
    if (h->what == HF_HELD_FILE) {
      files = true;
      st = drop_file(&t, h);
    } else if (h->what == HF_HELD_REPO) {
      t.whole = true;
    } else if (h->commit && hf_path_safe(h->commit) && !strchr(h->commit, '/')) {
      hub_names_add(&t.commits, h->commit);
    }
  }
  if (t.commits.failed) st = H->failf(c, HF_ENOMEM, "Out of memory while removing revisions.");
  if (st == HF_OK && (t.whole || t.commits.count)) {
    st = drop_revisions(&t);
  } else if (files) { /* also after a failure: what nothing shows any more goes */
    hub_names_sort(&t.blobs);
    hf_status blobs = drop_blobs(&t, &t.blobs);
    if (st == HF_OK) st = blobs;
  }
  st = judged(&t, st);
  hub_names_sort(&t.hashes);
  end(&t);
  return st;
}

static hf_status expunge_partial(hf_call *c, struct hub *hub, const char *path) {
  struct target t = {.c = c, .hub = hub};
  const char *last = path && hf_path_safe(path) ? strrchr(path, '/') : NULL;
  char key[HF_NAME_ROOM];
  bool ours = last && !strncmp(path, ".locks/", 7);
  const char *folder = ours ? path + 7 : path;
  size_t n = last ? (size_t)(last - folder) : 0, m = last ? strlen(last + 1) : 0;
  if (last && !ours) n = n > 6 && !strncmp(last - 6, "/blobs", 6) ? n - 6 : 0;
  if (!n || n >= sizeof t.folder || m >= sizeof key || memchr(folder, '/', n))
    return H->failf(c, HF_EINVAL, "This is no unfinished file of the cache: %s.", path ? path : "");
  memcpy(t.folder, folder, n);
  t.folder[n] = 0;
  memcpy(key, last + 1, m + 1);
  if (ours && m > 6 && !strcmp(key + m - 6, ".libhf")) {
    key[m - 6] = 0;
    hub_partial_drop(c, hub, t.folder, key);
    H->clear(c);
    return HF_OK;
  }
  if (ours || m < 11 || strcmp(key + m - 11, ".incomplete"))
    return H->failf(c, HF_EINVAL, "This is no unfinished file of the cache: %s.", path);
  struct names one = {0};
  hub_names_add(&one, key);
  hf_status st = judged(&t, drop_blobs(&t, &one));
  hub_names_free(&one);
  return st;
}

hf_status hub_expunge(hf_call *c, void *store, struct hf_table rows) {
  struct hub *hub = store;
  struct hf_error first = {0};
  hf_status st = HF_OK;
  for (uint32_t i = 0, stop; i < rows.count; i = stop) {
    const struct hf_held *h = row_at(rows, i);
    hf_status one = HF_OK;
    stop = i + 1;
    TRY(H->check(c));
    if (of_repo(h)) {
      while (stop < rows.count && of_repo(row_at(rows, stop)) && same_repo(&row_at(rows, stop)->repo, &h->repo)) stop++;
      one = expunge_repo(c, hub, rows, i, stop);
    } else if (h->what == HF_HELD_PARTIAL) {
      one = expunge_partial(c, hub, h->path);
    } else if (h->what == HF_HELD_SHARED && h->shared && hf_hex_is(h->shared, 64)) {
      hub_shared_sweep(c, hub, h->shared);
    }
    if (one == HF_OK) continue;
    if (st == HF_OK && H->error(c)) first = *H->error(c), first.message = H->intern(c, first.message, SIZE_MAX);
    if (st == HF_OK) st = one;
    H->clear(c); /* the others go all the same */
  }
  hf_root_forget(hub->root); /* folders that were held open are gone */
  return st == HF_OK ? HF_OK : first.message ? H->failf(c, st, "%s", first.message) : st;
}
