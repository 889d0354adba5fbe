/* cache_verify.c - hf cache verify: the files of one revision, hashed in parallel, against the listing of the Hub.
 * LFS files by SHA-256, others as git blobs; files that are only on one side are named apart.
 * --repair fetches again what differs, and nothing else, and hashes it once more. */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERIFY_DEPTH 64
#define BLOCK        (1u << 20)

struct local {
  const char *path;
  uint64_t size;
};

struct pair { /* a file that both sides have */
  const struct hf_tree_entry *remote;
  const struct local *local;
  char actual[65]; /* "": equal */
};

struct verify {
  struct hf_hub *hub;
  struct hf_repo repo;
  const char *revision;              /* as given, then what is asked of the Hub */
  const char *cache_dir, *local_dir; /* as given */
  const char *where;                 /* folder, or name of the store */
  hf_store *store;                   /* NULL: a folder */
  int fd;                            /* of the folder */
  struct local *locals;
  uint32_t local_count;
  struct hf_hub_tree_list tree;
  struct pair *pairs, **by_size;
  uint32_t pair_count;
  const char **missing, **extra;
  uint32_t missing_count, extra_count, repaired;
};

static hf_status no_memory(struct verify *v) {
  return hf_hub_fail(v->hub->call, HF_ENOMEM, NULL, "Out of memory.");
}

static hf_status bad(struct verify *v, const char *text) {
  return text ? hf_hub_fail(v->hub->call, HF_EINVAL, "ValueError", "%s", text) : HF_ENOMEM;
}

/* ---- where ---------------------------------------------------------------------------------------------------------- */

static bool is_folder(const char *path) {
  struct stat st;
  return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static const char *real(hf_call *c, const char *path) {
  char buf[PATH_MAX];
  path = path ? hf_hub_path(c, path) : NULL;
  return path && realpath(path, buf) ? hf_hub_text(c, "%s", buf) : path;
}

/* First line of a ref without blanks; NULL: there is none. */
static const char *read_ref(hf_call *c, const char *path) {
  char text[256];
  struct stat st;
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ssize_t n = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof text) : -1;
  if (fd >= 0) close(fd);
  while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
  return n >= 0 ? hf_host()->intern(c, text, (size_t)n) : NULL;
}

/* The only snapshot, where no ref tells. */
static hf_status only_snapshot(struct verify *v, const char *snapshots, const char **commit) {
  hf_call *c = v->hub->call;
  DIR *d = opendir(snapshots);
  uint32_t n = 0;
  if (!d)
    return bad(
        v, hf_hub_text(c, "Cache repo is missing snapshots directory: %s. Provide --revision explicitly.", snapshots));
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    const char *path = hf_hub_is_commit(e->d_name) ? hf_hub_text(c, "%s/%s", snapshots, e->d_name) : NULL;
    if (!is_folder(path)) continue;
    *commit = hf_host()->intern(c, e->d_name, 40);
    n++;
  }
  closedir(d);
  if (n == 1 && *commit) return HF_OK;
  return bad(v,
             "Ambiguous cached revision: multiple snapshots found and no refs to disambiguate. Please pass "
             "--revision.");
}

static hf_status cached_commit(struct verify *v, const char *folder, const char **commit) {
  hf_call *c = v->hub->call;
  const char *revision = v->revision && *v->revision ? v->revision : NULL;
  const char *ref = hf_hub_text(c, "%s/refs/%s", folder, revision ? revision : "main");
  if (!ref) return HF_ENOMEM;
  *commit = hf_hub_is_commit(revision) ? revision : read_ref(c, ref);
  if (*commit) return HF_OK;
  if (revision)
    return bad(v, hf_hub_text(c, "Revision '%s' could not be resolved in cache (expected file '%s').", revision, ref));
  const char *snapshots = hf_hub_text(c, "%s/snapshots", folder);
  return snapshots ? only_snapshot(v, snapshots, commit) : HF_ENOMEM;
}

static hf_status find_snapshot(struct verify *v) {
  hf_call *c = v->hub->call;
  const char *root = v->cache_dir ? real(c, v->cache_dir) : real(c, hf_hub_cache_dir(c)), *commit = NULL;
  const char *folder = root ? hf_hub_text(c, "%s/%ss--%s", root, v->repo.type, v->repo.id) : NULL;
  char *slash = folder ? strchr((char *)(uintptr_t)folder + strlen(root) + 1, '/') : NULL;
  struct stat st;
  if (slash) {
    *slash = 0;
    folder = hf_hub_text(c, "%s--%s", folder, slash + 1);
  }
  if (!folder) return HF_ENOMEM;
  if (stat(folder, &st) != 0)
    return bad(
        v, hf_hub_text(c, "Repo is not present in cache: %s. Use 'hf download' first or pass --local-dir.", folder));
  TRY(cached_commit(v, folder, &commit));
  v->where = hf_hub_text(c, "%s/snapshots/%s", folder, commit);
  v->revision = commit;
  if (v->where && !is_folder(v->where))
    return bad(v, hf_hub_text(c, "Snapshot directory does not exist for revision '%s': %s.", commit, v->where));
  return v->where ? HF_OK : HF_ENOMEM;
}

/* ---- what is here --------------------------------------------------------------------------------------------------- */

static hf_status add_local(struct verify *v, const char *path, uint64_t size) {
  static const char *const never[] = {".git",
                                      ".git/*",
                                      "*/.git",
                                      "**/.git/**",
                                      ".cache/huggingface",
                                      ".cache/huggingface/*",
                                      "*/.cache/huggingface",
                                      "**/.cache/huggingface/**"};
  const struct hf_hub_patterns p = {.ignore = never, .ignore_count = HF_COUNT(never)};
  if ((strstr(path, ".git") || strstr(path, ".cache")) && !hf_hub_wanted(v->hub->call, &p, path)) return HF_OK;
  if (!(v->local_count & (v->local_count + 1))) {
    struct local *more = realloc(v->locals, (2 * (size_t)v->local_count + 1) * sizeof *more);
    if (!more) return no_memory(v);
    v->locals = more;
  }
  struct local *l = &v->locals[v->local_count];
  *l = (struct local){hf_host()->intern(v->hub->call, path, SIZE_MAX), size};
  v->local_count++;
  return l->path ? HF_OK : HF_ENOMEM;
}

/* Regular files below, also through links; linked folders are not entered. */
static hf_status walk(struct verify *v, int at, char *path, size_t len, int depth) {
  int fd = openat(at, len ? strrchr(path, '/') ? strrchr(path, '/') + 1 : path : ".",
                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  hf_status st = HF_OK;
  if (!d && fd >= 0) close(fd);
  for (struct dirent *e; d && st == HF_OK && (e = readdir(d)) != NULL;) {
    struct stat s;
    size_t n = strlen(e->d_name);
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || len + n + 2 > PATH_MAX) continue;
    if (fstatat(fd, e->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0) continue;
    bool folder = S_ISDIR(s.st_mode);
    if (S_ISLNK(s.st_mode) && fstatat(fd, e->d_name, &s, 0) != 0) continue;
    size_t to = len;
    if (len) path[to++] = '/';
    memcpy(path + to, e->d_name, n + 1);
    if (folder && depth < VERIFY_DEPTH)
      st = walk(v, fd, path, to + n, depth + 1);
    else if (S_ISREG(s.st_mode))
      st = add_local(v, path, (uint64_t)s.st_size);
    path[len] = 0;
    if (st == HF_OK) st = hf_host()->check(v->hub->call);
  }
  if (d) closedir(d);
  return st;
}

static hf_status open_folder(struct verify *v) {
  char path[PATH_MAX] = "";
  v->fd = open(v->where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (v->fd < 0)
    return hf_hub_fail(v->hub->call, HF_EIO, NULL, "Could not open %s: %s. Check its permissions.", v->where,
                       strerror(errno));
  return walk(v, v->fd, path, 0, 0);
}

/* Any other store: the files that it lists for the revision. */
static hf_status open_store(struct verify *v) {
  hf_call *c = v->hub->call;
  struct hf_cache k;
  const char *commit = v->revision;
  bool found = false;
  TRY(hf_cache_store(c, NULL, &v->store));
  if (!hf_hub_is_commit(commit))
    TRY(hf_store_ref_get(c, v->store, &v->repo, commit && *commit ? commit : "main", &commit));
  v->revision = commit;
  v->where = hf_store_name(v->store);
  TRY(hf_cache_read(c, v->store, &v->repo, HF_SCAN_FILES, &k));
  hf_status st = HF_OK;
  for (uint32_t i = 0; i < k.revision_count; i++) {
    if (strcmp(k.revisions[i].commit, commit) != 0) continue;
    found = true;
    for (uint32_t f = 0; st == HF_OK && f < k.revisions[i].count; f++) {
      const struct hf_cache_file *file = &k.files[k.revisions[i].first + f];
      st = add_local(v, file->path, k.blobs[file->blob].size);
    }
  }
  hf_cache_free(&k);
  if (st != HF_OK || found) return st;
  return bad(v, hf_hub_text(c, "Revision '%s' of %s is not in the store %s. Use 'hf download' first.", commit,
                            v->repo.id, v->where));
}

static hf_status look_here(struct verify *v) {
  const char *uri = hf_hub_setting(v->hub->call, "HF_STORE");
  if (v->local_dir) {
    v->where = real(v->hub->call, v->local_dir);
    if (v->where && !is_folder(v->where))
      return bad(v, hf_hub_text(v->hub->call, "Local directory does not exist or is not a directory: %s", v->where));
    if (!v->revision || !*v->revision) v->revision = "main";
    return v->where ? open_folder(v) : HF_ENOMEM;
  }
  if (!v->cache_dir && uri && strncmp(uri, "hub-cache", 9)) return open_store(v);
  TRY(find_snapshot(v));
  return open_folder(v);
}

/* ---- hashing -------------------------------------------------------------------------------------------------------- */

static hf_status open_file(struct verify *v, hf_call *c, const char *path, struct hf_source **src, int *fd,
                           uint64_t *size) {
  struct stat st;
  if (v->store) {
    struct hf_name name = {v->repo, v->revision, path};
    TRY(hf_store_open_file(c, v->store, &name, src));
    *size = (*src)->size;
    return HF_OK;
  }
  *fd = openat(v->fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (*fd >= 0 && fstat(*fd, &st) == 0) {
    *size = (uint64_t)st.st_size;
    (void)!posix_fadvise(*fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return HF_OK;
  }
  return hf_host()->failf(c, HF_EIO, "Could not read %s/%s: %s. Check its permissions.", v->where, path,
                          strerror(errno));
}

static hf_status read_block(hf_call *c, struct hf_source *src, int fd, struct hf_buf *buf, uint64_t off, size_t want,
                            size_t *got) {
  if (src) return src->pread(c, src, buf->data, want, off, got);
  ssize_t n;
  do n = pread(fd, buf->data, want, (off_t)off);
  while (n < 0 && errno == EINTR);
  *got = n > 0 ? (size_t)n : 0;
  return n < 0 ? hf_host()->failf(c, HF_EIO, "Could not read a file: %s. Check the disk.", strerror(errno)) : HF_OK;
}

static hf_status hash_file(struct verify *v, hf_call *c, const char *path, uint32_t algo, char hex[65]) {
  const struct hf_host *H = hf_host();
  struct hf_source *src = NULL;
  struct hf_digest is = {0};
  hf_digester *d = NULL;
  struct hf_buf buf = {0};
  uint64_t size = 0, off = 0;
  size_t got = 1;
  int fd = -1;
  hf_status st = open_file(v, c, path, &src, &fd, &size);
  if (st == HF_OK) st = H->digest_new(c, algo, size, &d);
  if (st == HF_OK) st = H->buf_get(c, BLOCK, &buf);
  while (st == HF_OK && off < size && got) {
    size_t want = size - off < BLOCK ? (size_t)(size - off) : BLOCK;
    st = read_block(c, src, fd, &buf, off, want, &got);
    if (st == HF_OK) H->digest_add(d, buf.data, got);
    off += got;
    if (st == HF_OK) st = H->check(c);
  }
  if (buf.data) H->buf_put(&buf);
  if (d) H->digest_end(d, st == HF_OK ? &is : NULL);
  if (src) src->close(src);
  if (fd >= 0) close(fd);
  for (uint32_t i = 0; i < is.len && i < 32; i++) {
    hex[2 * i] = "0123456789abcdef"[is.bytes[i] >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[is.bytes[i] & 15];
  }
  hex[2 * (is.len < 32 ? is.len : 32)] = 0;
  return st;
}

static const char *expected(const struct hf_tree_entry *e) {
  return e->lfs_sha256 ? e->lfs_sha256 : e->blob_id;
}

static hf_status hash_pair(hf_call *c, void *arg, uint32_t i) {
  struct verify *v = arg;
  struct pair *p = v->by_size[i];
  TRY(hf_host()->check(c));
  TRY(hash_file(v, c, p->remote->path, p->remote->lfs_sha256 ? HF_DIGEST_SHA256 : HF_DIGEST_GIT_BLOB, p->actual));
  if (!strcasecmp(p->actual, expected(p->remote))) p->actual[0] = 0;
  return HF_OK;
}

static int larger_first(const void *a, const void *b) {
  const struct pair *x = *(struct pair *const *)a, *y = *(struct pair *const *)b;
  return (x->local->size < y->local->size) - (x->local->size > y->local->size);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct local *)a)->path, ((const struct local *)b)->path);
}

static hf_status pair_up(struct verify *v) {
  hf_call *c = v->hub->call;
  uint32_t r = 0, l = 0;
  size_t room = (size_t)v->tree.count + v->local_count + 1;
  v->pairs = calloc(room, sizeof *v->pairs);
  v->by_size = calloc(room, sizeof *v->by_size);
  v->missing = hf_host()->arena(c, room * sizeof *v->missing);
  v->extra = hf_host()->arena(c, room * sizeof *v->extra);
  if (!v->pairs || !v->by_size || !v->missing || !v->extra) return no_memory(v);
  if (v->local_count) qsort(v->locals, v->local_count, sizeof *v->locals, by_path);
  while (r < v->tree.count || l < v->local_count) {
    int d = r == v->tree.count ? 1 : l == v->local_count ? -1 : strcmp(v->tree.rows[r].path, v->locals[l].path);
    if (d < 0) {
      v->missing[v->missing_count++] = v->tree.rows[r++].path;
    } else if (d > 0) {
      v->extra[v->extra_count++] = v->locals[l++].path;
    } else {
      v->pairs[v->pair_count] = (struct pair){.remote = &v->tree.rows[r++], .local = &v->locals[l++]};
      v->by_size[v->pair_count] = &v->pairs[v->pair_count];
      v->pair_count++;
    }
  }
  if (v->pair_count) qsort(v->by_size, v->pair_count, sizeof *v->by_size, larger_first);
  return HF_OK;
}

/* ---- repairing ------------------------------------------------------------------------------------------------------ */

/* A name as a pattern that matches it alone. */
static const char *as_pattern(hf_call *c, const char *name) {
  char *out = hf_host()->arena(c, 3 * strlen(name) + 1), *to = out;
  for (; out && *name; name++) {
    bool special = *name == '*' || *name == '?' || *name == '[';
    if (special) *to++ = '[';
    *to++ = *name;
    if (special) *to++ = ']';
  }
  if (out) *to = 0;
  return out;
}

static hf_status repair(struct verify *v, bool missing_too, uint32_t width) {
  hf_call *c = v->hub->call;
  const char **names = hf_host()->arena(c, ((size_t)v->pair_count + v->missing_count + 1) * sizeof *names);
  uint32_t n = 0, k = 0, plan_count;
  struct hf_hub_plan *plans;
  const char *path;
  if (!names) return no_memory(v);
  for (uint32_t i = 0; i < v->pair_count; i++)
    if (v->pairs[i].actual[0]) names[n++] = as_pattern(c, v->pairs[i].remote->path);
  for (uint32_t i = 0; missing_too && i < v->missing_count; i++) names[n++] = as_pattern(c, v->missing[i]);
  for (uint32_t i = 0; i < n; i++)
    if (!names[i]) return no_memory(v);
  if (!n) return HF_OK;
  struct hf_hub_want w = {.repo = v->repo,
                          .revision = v->revision,
                          .cache_dir = v->cache_dir,
                          .local_dir = v->local_dir,
                          .patterns = {.allow = names, .allow_count = n},
                          .width = width ? width : 8,
                          .force = true};
  TRY(hf_hub_snapshot(v->hub, &w, &path, &plans, &plan_count));
  v->repaired = n;
  if (missing_too) v->missing_count = 0; /* a failure would have been an error */
  for (uint32_t i = 0; i < v->pair_count; i++)
    if (v->pairs[i].actual[0]) v->by_size[k++] = &v->pairs[i];
  return k ? hf_host()->parallel(c, k, width, hash_pair, v) : HF_OK;
}

/* ---- telling -------------------------------------------------------------------------------------------------------- */

static hf_status say(struct verify *v, uint32_t what, const char *text) {
  return text ? hf_hub_say(v->hub->out, v->hub->call, what, text) : HF_ENOMEM;
}

static const char *lines(hf_call *c, const char *head, const char *const *names, uint32_t n) {
  size_t len = strlen(head) + 1;
  for (uint32_t i = 0; i < n; i++) len += strlen(names[i]) + 5;
  char *out = hf_host()->arena(c, len), *to = out;
  if (!out) return NULL;
  to = stpcpy(to, head);
  for (uint32_t i = 0; i < n; i++) {
    to = stpcpy(to, "\n  - ");
    to = stpcpy(to, names[i]);
  }
  return out;
}

static hf_status say_mismatches(struct verify *v, bool *failed) {
  hf_call *c = v->hub->call;
  const char **rows = hf_host()->arena(c, ((size_t)v->pair_count + 1) * sizeof *rows);
  uint32_t n = 0;
  if (!rows) return no_memory(v);
  for (uint32_t i = 0; i < v->pair_count; i++) {
    const struct pair *p = &v->pairs[i];
    if (!p->actual[0]) continue;
    rows[n] = hf_hub_text(c, "%s: expected %s (%s), got %s", p->remote->path, expected(p->remote),
                          p->remote->lfs_sha256 ? "sha256" : "git-sha1", p->actual);
    if (!rows[n++]) return HF_ENOMEM;
  }
  if (!n) return HF_OK;
  *failed = true;
  return say(v, HF_OUT_TEXT, lines(c, "❌ Checksum verification failed for the following file(s):", rows, n));
}

static hf_status tell(struct verify *v, bool fail_missing, bool fail_extra, bool repairing) {
  hf_call *c = v->hub->call;
  bool failed = false;
  TRY(say_mismatches(v, &failed));
  if (v->missing_count && fail_missing)
    TRY(say(v, HF_OUT_TEXT,
            lines(c, "❌ Missing files (present remotely, absent locally):", v->missing, v->missing_count)));
  else if (v->missing_count)
    TRY(say(v, HF_OUT_WARNING,
            hf_hub_text(c, "%u remote file(s) are missing locally. Use --fail-on-missing-files for details.",
                        v->missing_count)));
  if (v->extra_count && fail_extra)
    TRY(say(v, HF_OUT_TEXT, lines(c, "❌ Extra files (present locally, absent remotely):", v->extra, v->extra_count)));
  else if (v->extra_count)
    TRY(say(v, HF_OUT_WARNING,
            hf_hub_text(c, "%u local file(s) do not exist on the remote repo. Use --fail-on-extra-files for details.",
                        v->extra_count)));
  if (failed || (v->missing_count && fail_missing) || (v->extra_count && fail_extra))
    return hf_hub_fail(c, HF_EDIGEST, "Exit", "Verification failed for '%s' (%s) in %s.\n  Revision: %s", v->repo.id,
                       v->repo.type, v->where, v->revision);
  uint32_t checked = v->pair_count;
  TRY(say(v, HF_OUT_MESSAGE,
          hf_hub_text(c, "Verified %u file(s) for %s '%s'. All checksums match.", checked, v->repo.type, v->repo.id)));
  json_t *result = json_pack("{s:s, s:s, s:i, s:s}", "repo_id", v->repo.id, "repo_type", v->repo.type, "checked",
                             (int)checked, "path", v->where);
  if (repairing && result) json_object_set_new(result, "repaired", json_integer(v->repaired));
  return hf_hub_record(v->hub->out, c, HF_OUT_RESULT, result);
}

static bool flag(const hf_args *args, const char *name) {
  int64_t n = 0;
  return hf_host()->arg_int(args, name, &n) && n;
}

hf_status hf_cache_run_verify(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_host *H = hf_host();
  struct hf_hub hub;
  struct verify v = {.hub = &hub,
                     .repo = {H->arg_str(args, "repo_type", 0), H->arg_str(args, "repo_id", 0)},
                     .revision = H->arg_str(args, "revision", 0),
                     .cache_dir = H->arg_str(args, "cache_dir", 0),
                     .local_dir = H->arg_str(args, "local_dir", 0),
                     .fd = -1};
  int64_t workers = 0;
  (void)state;
  if (v.local_dir && v.cache_dir)
    return hf_hub_fail(c, HF_EINVAL, "Exit", "Cannot pass both --local-dir and --cache-dir. Use one or the other.");
  H->arg_int(args, "workers", &workers);
  uint32_t width = workers > 0 ? (uint32_t)(workers > 1024 ? 1024 : workers) : 0;
  bool missing = flag(args, "fail_on_missing_files"), repairing = flag(args, "repair");
  TRY(hf_hub_check_repo(c, v.repo.id));
  TRY(hf_hub_begin(&hub, c, out, H->arg_str(args, "token", 0), NULL, false));
  hf_status st = look_here(&v);
  if (st == HF_OK) st = hf_hub_tree_asked(&hub, &v.repo, v.revision, &v.tree);
  if (st == HF_OK) st = pair_up(&v);
  if (st == HF_OK && v.pair_count) st = H->parallel(c, v.pair_count, width, hash_pair, &v);
  if (st == HF_OK && repairing) st = repair(&v, missing, width);
  if (st == HF_OK) st = tell(&v, missing, flag(args, "fail_on_extra_files"), repairing);
  hf_hub_tree_free(&v.tree);
  free(v.locals);
  free(v.pairs);
  free(v.by_size);
  if (v.fd >= 0) close(v.fd);
  hf_store_close(v.store);
  return st;
}
