/* example.c - a storage backend that keeps each file of a commit as a plain file:
 *   ROOT/TYPE--NS--NAME/COMMIT/path/of/file        (bytes that are still arriving: ROOT/.part/)
 * The smallest honest backend: no blobs, refs, trees or leases, so it sets no capability bit for them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <hf/storage.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

static const struct hf_host *H; /* set by load(), const for the life of the process */

/* ---- errors: one sentence, with the system's reason ------------------------------------------------------------ */

static hf_status system_error(hf_call *c, const char *doing, const char *path) {
  int err = errno;
  char text[PATH_LEN + 256];
  snprintf(text, sizeof text, "Could not %s %s: %s", doing, path, strerror(err));
  hf_status code = err == ENOSPC || err == EDQUOT                  ? HF_ENOSPACE
                   : err == EACCES || err == EPERM || err == EROFS ? HF_EPERM
                   : err == ENOENT                                 ? HF_ENOTFOUND
                   : err == ENOMEM                                 ? HF_ENOMEM
                                                                   : HF_EIO;
  return H->fail(
      c, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = code, .message = text, .sys_errno = err});
}

/* ---- the store ---------------------------------------------------------------------------------------------------- */

struct store {
  char root[PATH_LEN];
};

static hf_status store_open(hf_call *c, const char *uri, void **out) {
  const char *colon = strchr(uri, ':');
  const char *root = colon ? colon + 1 : NULL;
  if (root && strncmp(root, "//", 2) == 0) root += 2;
  if (!root || !*root) root = H->option(c, "root"); /* "example.root" in hf.conf, or $HF_EXAMPLE_ROOT */
  if (!root || root[0] != '/')
    return H->failf(c, HF_EINVAL, "Say where to store: example:/absolute/folder (got \"%s\")", uri);
  struct store *s = H->alloc(sizeof *s);
  if (!s) return H->failf(c, HF_ENOMEM, "No memory to open %s", uri);
  if ((size_t)snprintf(s->root, sizeof s->root, "%s", root) >= sizeof s->root / 2) {
    H->release(s);
    return H->failf(c, HF_EINVAL, "The folder's name is too long");
  }
  *out = s; /* nothing is created here: the first write does that */
  return HF_OK;
}

static void store_close(void *store) {
  H->release(store);
}

/* ROOT/TYPE--NS--NAME/COMMIT[/path]. The host has checked every part: no "..", nothing absolute. */
static hf_status path_of(hf_call *c, const struct store *s, const struct hf_repo *repo, const char *commit,
                         const char *path, char out[PATH_LEN]) {
  char id[256];
  size_t n = 0;
  for (const char *p = repo->id; *p && n + 3 < sizeof id; p++) {
    if (*p == '/') id[n++] = '-';
    id[n++] = *p == '/' ? '-' : *p;
  }
  id[n] = 0;
  int len = snprintf(out, PATH_LEN, "%s/%s--%s/%s%s%s", s->root, repo->type, id, commit ? commit : "unversioned",
                     path ? "/" : "", path ? path : "");
  if (len < 0 || len >= PATH_LEN) return H->failf(c, HF_EINVAL, "%s: the name is too long", path ? path : repo->id);
  return HF_OK;
}

/* Makes every folder above path. */
static hf_status make_parents(hf_call *c, const char *path) {
  char part[PATH_LEN];
  for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
    memcpy(part, path, (size_t)(slash - path));
    part[slash - path] = 0;
    if (mkdir(part, 0777) && errno != EEXIST) return system_error(c, "create the folder", part);
  }
  return HF_OK;
}

static hf_status put_file(hf_slot *slot, const char *path, const char *commit, uint64_t size) {
  struct hf_st_file f = {.struct_size = sizeof f, .path = path, .commit = commit, .size = size};
  return H->put(slot, HF_PUT_FILE, &f, sizeof f);
}

static hf_status store_find(hf_call *c, void *store, const struct hf_name *name, hf_slot *slot) {
  char path[PATH_LEN];
  struct stat st;
  if (!name->commit) return HF_ENOTFOUND; /* this store knows files by commit only */
  hf_status code = path_of(c, store, &name->repo, name->commit, name->path, path);
  if (code != HF_OK) return code;
  if (stat(path, &st) || !S_ISREG(st.st_mode)) return HF_ENOTFOUND; /* an expected outcome sets no error */
  return put_file(slot, path, name->commit, (uint64_t)st.st_size);
}

/* ---- receiving a file --------------------------------------------------------------------------------------------- */

struct sink {
  struct hf_sink s; /* first, so that the one is the other */
  int fd;
  char commit[64], part[PATH_LEN], place[PATH_LEN];
};

static hf_status sink_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  struct sink *k = (struct sink *)s;
  if (s->size == size) return HF_OK;
  if (s->size != HF_SIZE_UNKNOWN) return H->failf(c, HF_EPROTO, "The size of %s changed while it arrived", k->place);
  int err = size ? posix_fallocate(k->fd, 0, (off_t)size) : 0; /* a full disk shows before the first byte */
  if (err == ENOSPC || err == EFBIG || err == EDQUOT) {
    errno = ENOSPC;
    return system_error(c, "reserve space for", k->place);
  }
  s->size = size;
  return HF_OK;
}

static hf_status sink_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *v, uint32_t n) {
  struct sink *k = (struct sink *)s;
  for (uint32_t i = 0; i < n; i++) {
    const char *at = v[i].base;
    for (size_t left = v[i].len; left;) {
      ssize_t w = pwrite(k->fd, at, left, (off_t)off);
      if (w < 0 && errno == EINTR) continue;
      if (w < 0) return system_error(c, "write to", k->part);
      at += w, off += (uint64_t)w, left -= (size_t)w;
    }
  }
  return HF_OK;
}

static hf_status read_at(hf_call *c, int fd, const char *name, void *buf, size_t len, uint64_t off, size_t *got) {
  *got = 0;
  while (*got < len) {
    ssize_t r = pread(fd, (char *)buf + *got, len - *got, (off_t)(off + *got));
    if (r < 0 && errno == EINTR) continue;
    if (r < 0) return system_error(c, "read", name);
    if (r == 0) break;
    *got += (size_t)r;
  }
  return HF_OK;
}

static hf_status sink_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct sink *k = (struct sink *)s;
  return read_at(c, k->fd, k->part, buf, len, off, got);
}

static hf_status sink_checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  struct sink *k = (struct sink *)s;
  if (wait && fdatasync(k->fd)) return system_error(c, "write out", k->part);
  return HF_OK;
}

static void sink_end(struct sink *k, int remove_part) {
  close(k->fd);
  if (remove_part) unlink(k->part);
  H->release(k);
}

/* Verified by the host; still invisible. The sink itself serves as the seal. */
static hf_status sink_seal(hf_call *c, struct hf_sink *s, const struct hf_digest *is, void **seal) {
  (void)c, (void)is;
  *seal = s;
  return HF_OK;
}

static void sink_abort(struct hf_sink *s, int32_t keep_partial) {
  (void)keep_partial; /* no HF_ST_RESUME: nothing is kept */
  sink_end((struct sink *)s, 1);
}

static hf_status store_ingest(hf_call *c, void *store, const struct hf_ingest *in, struct hf_sink **out) {
  struct store *st = store;
  struct sink *k = H->alloc(sizeof *k);
  if (!k) return H->failf(c, HF_ENOMEM, "No memory to receive %s", in->name.path);
  memset(k, 0, sizeof *k);
  k->s = (struct hf_sink){.struct_size = sizeof k->s,
                          .caps = HF_IO_ANY_ORDER | HF_IO_CONCURRENT | HF_IO_READ_BACK,
                          .size = HF_SIZE_UNKNOWN,
                          .set_size = sink_set_size,
                          .writev = sink_writev,
                          .pread = sink_pread,
                          .checkpoint = sink_checkpoint,
                          .seal = sink_seal,
                          .abort = sink_abort};
  if (in->name.commit) snprintf(k->commit, sizeof k->commit, "%s", in->name.commit);
  hf_status code = path_of(c, st, &in->name.repo, in->name.commit, in->name.path, k->place);
  snprintf(k->part, sizeof k->part, "%.*s/.part/XXXXXX", PATH_LEN / 2, st->root);
  if (code == HF_OK) code = make_parents(c, k->part);
  k->fd = code == HF_OK ? mkostemp(k->part, O_CLOEXEC) : -1;
  if (code == HF_OK && k->fd < 0) code = system_error(c, "create", k->part);
  if (code != HF_OK) {
    H->release(k);
    return code;
  }
  if (in->size != HF_SIZE_UNKNOWN) code = sink_set_size(c, &k->s, in->size);
  if (code != HF_OK) {
    sink_end(k, 1);
    return code;
  }
  *out = &k->s;
  return HF_OK;
}

/* Bytes to the disk, then the name: a reader sees the whole file or none. */
static hf_status show(hf_call *c, struct sink *k, uint64_t *size) {
  struct stat st;
  if (fchmod(k->fd, 0644) || fsync(k->fd) || fstat(k->fd, &st)) return system_error(c, "write out", k->part);
  hf_status code = make_parents(c, k->place);
  if (code != HF_OK) return code;
  if (rename(k->part, k->place)) return system_error(c, "move a file to", k->place);
  *size = (uint64_t)st.st_size;
  return HF_OK;
}

static hf_status store_publish(hf_call *c, void *store, void *const *seals, uint32_t n, hf_slot *slot) {
  (void)store;
  hf_status code = HF_OK;
  for (uint32_t i = 0; i < n; i++) { /* every seal ends here, whatever happens */
    struct sink *k = seals[i];
    uint64_t size = 0;
    int shown = 0;
    if (code == HF_OK) code = show(c, k, &size), shown = code == HF_OK;
    if (shown) code = put_file(slot, k->place, k->commit[0] ? k->commit : NULL, size);
    sink_end(k, !shown);
  }
  return code;
}

static void store_discard(void *store, void *seal) {
  (void)store;
  sink_end(seal, 1);
}

/* ---- reading a file ------------------------------------------------------------------------------------------------ */

struct source {
  struct hf_source s;
  int fd;
  struct timespec mtime;
  char name[PATH_LEN];
};

static hf_status source_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct source *k = (struct source *)s;
  struct stat st;
  if (fstat(k->fd, &st)) return system_error(c, "look at", k->name);
  if ((uint64_t)st.st_size != s->size || st.st_mtim.tv_sec != k->mtime.tv_sec || st.st_mtim.tv_nsec != k->mtime.tv_nsec)
    return H->failf(c, HF_ECONFLICT, "%s changed while it was read", k->name);
  return read_at(c, k->fd, k->name, buf, len, off, got);
}

static void source_close(struct hf_source *s) {
  struct source *k = (struct source *)s;
  close(k->fd);
  H->release(k);
}

static hf_status store_open_file(hf_call *c, void *store, const struct hf_name *name, struct hf_source **out) {
  if (!name->commit) return HF_ENOTFOUND;
  struct source *k = H->alloc(sizeof *k);
  if (!k) return H->failf(c, HF_ENOMEM, "No memory to read %s", name->path);
  memset(k, 0, sizeof *k);
  struct stat st;
  hf_status code = path_of(c, store, &name->repo, name->commit, name->path, k->name);
  k->fd = code == HF_OK ? open(k->name, O_RDONLY | O_CLOEXEC) : -1;
  if (code == HF_OK && k->fd < 0)
    code = errno == ENOENT || errno == ENOTDIR ? HF_ENOTFOUND : system_error(c, "open", k->name);
  if (code == HF_OK && (fstat(k->fd, &st) || !S_ISREG(st.st_mode))) code = HF_ENOTFOUND;
  if (code != HF_OK) {
    if (k->fd >= 0) close(k->fd);
    H->release(k);
    return code;
  }
  k->mtime = st.st_mtim;
  k->s = (struct hf_source){.struct_size = sizeof k->s,
                            .caps = HF_IO_CONCURRENT,
                            .size = (uint64_t)st.st_size,
                            .name = k->name,
                            .pread = source_pread,
                            .close = source_close};
  *out = &k->s;
  return HF_OK;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------- */

static hf_status store_remove(hf_call *c, void *store, const struct hf_name *name) {
  char path[PATH_LEN];
  if (!name->commit) return HF_ENOTFOUND;
  hf_status code = path_of(c, store, &name->repo, name->commit, name->path, path);
  if (code != HF_OK) return code;
  if (unlink(path) == 0) return HF_OK;
  return errno == ENOENT || errno == ENOTDIR ? HF_ENOTFOUND : system_error(c, "remove", path);
}

/* "AVAILABLE VOLUME": the host refuses a download that does not fit, before the first byte. */
static hf_status store_space(hf_call *c, void *store, hf_slot *slot) {
  char path[PATH_LEN], text[96];
  struct statvfs fs;
  struct stat st;
  memcpy(path, ((struct store *)store)->root, sizeof path);
  while (stat(path, &st)) { /* the nearest folder that is there already */
    char *slash = strrchr(path, '/');
    if (!slash) return H->failf(c, HF_EIO, "Could not look at the folder above %s", ((struct store *)store)->root);
    slash[slash == path] = 0;
  }
  if (statvfs(path, &fs)) return system_error(c, "look at the disk of", path);
  unsigned long long room =
      fs.f_blocks ? (unsigned long long)fs.f_bavail * fs.f_frsize : UINT64_MAX; /* it counts none */
  snprintf(text, sizeof text, "%llu %llu", room, (unsigned long long)st.st_dev);
  struct hf_text t = {text, strlen(text)};
  return H->put(slot, HF_PUT_TEXT, &t, sizeof t);
}

static hf_status store_folder(hf_call *c, void *store, const struct hf_repo *repo, const char *commit, hf_slot *slot) {
  char path[PATH_LEN];
  hf_status code = path_of(c, store, repo, commit, NULL, path);
  if (code != HF_OK) return code;
  struct hf_text t = {path, strlen(path)};
  return H->put(slot, HF_PUT_TEXT, &t, sizeof t);
}

/* ---- what this file says about itself ------------------------------------------------------------------------------ */

#define CAPS (HF_ST_LOCAL_PATH | HF_ST_RANDOM_WRITE)

static const struct hf_param config[] = {
    {.name = "root",
     .help = "Folder to store in when the URI names none.",
     .type = HF_P_PATH,
     .env = "HF_EXAMPLE_ROOT"},
};

static const struct hf_storage store = {
    .m = {.kind = HF_KIND_STORAGE,
          .struct_size = sizeof(struct hf_storage),
          .name = "example",
          .summary = "plain files in a folder",
          .threads = HF_THREADS_ANY, /* no shared state: every call may run at the same time as every other */
          .priority = 5,
          .caps = CAPS,
          .config = HF_TABLE(config)},
    .open = store_open,
    .close = store_close,
    .find = store_find,
    .ingest = store_ingest,
    .publish = store_publish,
    .discard = store_discard,
    .open_file = store_open_file,
    .remove = store_remove,
    .space = store_space,
    .folder = store_folder,
};

static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&store.m};
HF_PLUGIN("example", "0.1.0", "Apache-2.0", "Stores files plainly in a folder", load, NULL, modules,
          {HF_KIND_STORAGE, 5, CAPS, "example", ""});
