/* add.c - contents into a store or a running server, and folders of this machine as a source.
 * Folders are walked with descriptors, in the order of their names, `.git` and `.cache/huggingface` left out; symbolic links to
 * files are followed, links to folders are not. */
#include "add.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, DEPTH_MAX = 60 };

/* What the Hub's default .gitattributes sends to LFS. */
static const char *const lfs_default[] = {
    "*.7z",      "*.arrow",  "*.bin",    "*.bz2",     "*.ckpt", "*.ftz", "*.gguf", "*.gz",
    "*.h5",      "*.joblib", "*.model",  "*.msgpack", "*.npy",  "*.npz", "*.onnx", "*.ot",
    "*.parquet", "*.pb",     "*.pickle", "*.pkl",     "*.pt",   "*.pth", "*.rar",  "*.safetensors",
    "*.tar",     "*.tflite", "*.tgz",    "*.wasm",    "*.xz",   "*.zip", "*.zst",
};

static bool is_lfs(const struct addition *a, const char *path, uint64_t size) {
  const char *const *patterns = a->lfs_count ? (const char *const *)a->lfs_patterns : lfs_default;
  size_t count = a->lfs_count ? a->lfs_count : sizeof lfs_default / sizeof *lfs_default;
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  if (size == 0) return false;
  if (size >= a->lfs_threshold) return true;
  for (size_t i = 0; i < count; i++)
    if (fnmatch(patterns[i], name, 0) == 0 || fnmatch(patterns[i], path, 0) == 0) return true;
  return false;
}

static bool list_file(struct addition *a, const char *path, const char *sha256, uint64_t size) {
  char whole[PATH_ROOM];
  int n = snprintf(whole, sizeof whole, "%s%s%s", a->prefix ? a->prefix : "", a->prefix ? "/" : "", path);
  if (n >= (int)sizeof whole || !dh_path_valid(whole)) {
    fprintf(stderr, "hf-devhub: %s cannot be a path in a repo\n", path);
    return false;
  }
  json_t *file = json_pack("{s:s, s:s, s:b}", "path", whole, "sha256", sha256, "lfs", is_lfs(a, whole, size));
  if (!file) fprintf(stderr, "hf-devhub: %s is not UTF-8\n", path);
  return file && json_array_append_new(a->files, file) == 0;
}

static bool remote_blob(struct addition *a, const char *path, const void *data, int fd, uint64_t size) {
  struct text out = {0};
  int status = dh_client_send(&a->to->client, "PUT", "/_devhub/blobs", data, fd, size, &out);
  json_t *answer = status == 200 ? json_loadb(out.data, out.size, 0, NULL) : NULL;
  const char *sha256 = json_string_value(json_object_get(answer, "sha256"));
  bool ok = sha256 && list_file(a, path, sha256, size);
  if (status && !sha256) fprintf(stderr, "hf-devhub: the server did not take %s (status %d)\n", path, status);
  json_decref(answer);
  dh_text_free(&out);
  return ok;
}

static bool local_blob(struct addition *a, const char *path, const void *data, int fd, uint64_t size) {
  struct blob_put *put = dh_blob_begin(a->to->store, size);
  char *chunk = fd >= 0 ? malloc(CHUNK) : NULL;
  struct blob b;
  bool ok = put && (fd < 0 || chunk);
  if (ok && fd < 0) ok = dh_blob_data(put, data, (size_t)size);
  for (uint64_t at = 0; ok && fd >= 0 && at < size;) {
    ssize_t n = read(fd, chunk, CHUNK);
    if (n < 0 && errno == EINTR) continue;
    ok = n > 0 && dh_blob_data(put, chunk, (size_t)n);
    at += (uint64_t)(n > 0 ? n : 0);
  }
  free(chunk);
  if (ok) {
    ok = dh_blob_end(put, &b) == STORE_OK;
  } else {
    dh_blob_abort(put);
  }
  if (!ok) fprintf(stderr, "hf-devhub: %s could not be stored; did it change meanwhile?\n", path);
  return ok && list_file(a, path, b.sha256, size);
}

bool dh_add_file(struct addition *a, const char *path, int fd, uint64_t size) {
  return a->to->store ? local_blob(a, path, NULL, fd, size) : remote_blob(a, path, NULL, fd, size);
}

bool dh_add_bytes(struct addition *a, const char *path, const void *data, size_t size) {
  return a->to->store ? local_blob(a, path, data, -1, size) : remote_blob(a, path, data, -1, size);
}

bool dh_add_seed(struct addition *a, const char *path, uint64_t seed, uint64_t size) {
  seed &= INT64_MAX;
  if (a->to->store) {
    struct blob b;
    return dh_blob_generated(a->to->store, seed, size, &b) == STORE_OK && list_file(a, path, b.sha256, size);
  }
  json_t *body = json_pack("{s:I, s:I}", "seed", (json_int_t)seed, "size", (json_int_t)size);
  json_t *answer = dh_client_json(&a->to->client, "POST", "/_devhub/generated", body);
  const char *sha256 = json_string_value(json_object_get(answer, "sha256"));
  bool ok = sha256 && list_file(a, path, sha256, size);
  json_decref(answer);
  return ok;
}

static bool add_open(struct addition *a, const char *path, int fd) {
  struct stat st;
  bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && dh_add_file(a, path, fd, (uint64_t)st.st_size);
  close(fd);
  return ok;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int wanted(const struct dirent *e) {
  return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, ".git") != 0;
}

static bool walk(struct addition *a, int parent, const char *name, const char *prefix, int depth);

static bool walk_entry(struct addition *a, int folder, const char *name, const char *prefix, int depth) {
  char *path = NULL;
  struct stat st, link;
  if (asprintf(&path, "%s%s%s", prefix, *prefix ? "/" : "", name) < 0) return false;
  bool ok = fstatat(folder, name, &st, 0) == 0 && fstatat(folder, name, &link, AT_SYMLINK_NOFOLLOW) == 0;
  if (ok && S_ISREG(st.st_mode)) {
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ok = fd >= 0 && add_open(a, path, fd);
  } else if (ok && S_ISDIR(link.st_mode) && strcmp(path, ".cache/huggingface") != 0) {
    ok = walk(a, folder, name, path, depth + 1);
  }
  if (!ok) fprintf(stderr, "hf-devhub: cannot add %s\n", path);
  free(path);
  return ok;
}

static bool walk(struct addition *a, int parent, const char *name, const char *prefix, int depth) {
  struct dirent **list = NULL;
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int count = folder >= 0 && depth < DEPTH_MAX ? scandirat(folder, ".", &list, wanted, by_name) : -1;
  bool ok = count >= 0;
  for (int i = 0; i < count; i++) {
    ok = ok && walk_entry(a, folder, list[i]->d_name, prefix, depth);
    free(list[i]);
  }
  free(list);
  if (folder >= 0) close(folder);
  return ok;
}

bool dh_add_path(struct addition *a, const char *path) {
  struct stat st;
  if (stat(path, &st) != 0) {
    fprintf(stderr, "hf-devhub add: cannot read %s: %s\n", path, strerror(errno));
    return false;
  }
  if (S_ISDIR(st.st_mode)) return walk(a, AT_FDCWD, path, "", 0);
  const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  bool ok = fd >= 0 && add_open(a, name, fd);
  if (!ok) fprintf(stderr, "hf-devhub add: cannot add %s\n", path);
  return ok;
}

bool dh_add_commit(struct destination *to, json_t *document, char oid[41]) {
  if (!to->store) {
    json_t *answer = dh_client_json(&to->client, "POST", "/_devhub/commits", document);
    const char *commit = json_string_value(json_object_get(answer, "commit"));
    bool ok = commit && dh_copy(oid, 41, commit);
    json_decref(answer);
    return ok;
  }
  struct commit c;
  char problem[256];
  int rc = dh_store_commit(to->store, document, &c, problem);
  json_decref(document);
  if (rc != STORE_OK)
    fprintf(stderr, "hf-devhub add: %s\n", rc == STORE_INVALID ? problem : "the commit could not be made");
  return rc == STORE_OK && dh_copy(oid, 41, c.oid);
}
