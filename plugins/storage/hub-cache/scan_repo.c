/* scan_repo.c - one repo of the cache: its refs, revisions and files, and every blob that they show.
 * Only looks. The rules of what is a proper repo, and the sentences about what is none, are the reference client's; links are
 * taken one step, so that a blob that is a link into the shared store stays a blob of the repo.
 * One system call per name and one or two per blob: a cache has many names. */
#include "scan.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK     (64u << 10)
#define REF_BYTES 4096

struct scan_chunk {
  struct scan_chunk *next;
  size_t used, room;
  char data[];
};

static char *room_for(struct scan_repo *r, size_t n) {
  struct scan_chunk *c = r->chunks;
  if (!c || c->room - c->used < n) {
    size_t room = n > CHUNK ? n : CHUNK;
    c = H->alloc(sizeof *c + room);
    if (!c) {
      r->err = ENOMEM;
      return NULL;
    }
    *c = (struct scan_chunk){.next = r->chunks, .room = room};
    r->chunks = c;
  }
  c->used += n;
  return c->data + c->used - n;
}

static const char *keep(struct scan_repo *r, const char *text, size_t n) {
  char *out = room_for(r, n + 1);
  if (!out) return NULL;
  memcpy(out, text, n);
  out[n] = 0;
  return out;
}

/* Room for one more in a list whose room is a power of two. */
static bool grow(struct scan_repo *r, void **list, size_t count, size_t size) {
  if (count & (count - 1) || (count && count < 8)) return true;
  size_t room = count ? count * 2 : 8;
  void *more = H->resize(*list, room * size);
  if (more)
    *list = more;
  else
    r->err = ENOMEM;
  return more != NULL;
}

/* Says why the repo is left out; the first sentence stays. */
static bool leave_out(struct scan_repo *r, const char *fmt, ...) HF_PRINTF(2, 3);
static bool leave_out(struct scan_repo *r, const char *fmt, ...) {
  char text[3 * HF_PATH_ROOM];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (!r->problem) r->problem = keep(r, text, n < (int)sizeof text ? (size_t)n : sizeof text - 1);
  return false;
}

bool scan_ignored(const char *name) {
  return !strcmp(name, ".DS_Store") || !strcmp(name, "Thumbs.db") || !strcmp(name, "desktop.ini");
}

static int64_t ns(struct timespec t) {
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- refs -------------------------------------------------------------------------------------------------------- */

struct walk {
  struct scan_repo *repo;
  int fd, depth;
  size_t base, len; /* rel + base is the path that counts; rel + len its end */
  char **dirs;      /* folders below, for after the files */
  size_t dir_count;
  char *rel; /* one for the whole walk: HF_PATH_ROOM */
  /* in a snapshot */
  int blobs_fd;
  uint32_t revision;
};

static bool append(struct walk *w, const char *name) {
  size_t n = strlen(name);
  if (w->len + n + 2 > HF_PATH_ROOM) return false;
  memcpy(w->rel + w->len, name, n + 1);
  return true;
}

static bool see_ref(void *arg, const char *name, unsigned char type) {
  struct walk *w = arg;
  struct scan_repo *r = w->repo;
  struct stat st;
  if (!append(w, name)) return true;
  if (type == DT_DIR) {
    if (!grow(r, (void **)&w->dirs, w->dir_count, sizeof *w->dirs)) return false;
    w->dirs[w->dir_count] = (char *)(uintptr_t)keep(r, name, strlen(name));
    return w->dirs[w->dir_count++] != NULL;
  }
  if (scan_ignored(name)) return true;
  int fd = openat(w->fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  bool known = fd >= 0 && fstat(fd, &st) == 0;
  if (!known || S_ISDIR(st.st_mode)) {
    if (fd >= 0) close(fd);
    return known || leave_out(r, "Ref cannot be read: %s/%s/%s", r->hub->root->path, r->folder, w->rel);
  }
  char text[REF_BYTES];
  ssize_t n = S_ISREG(st.st_mode) ? read(fd, text, sizeof text) : 0;
  close(fd);
  if (n < 0) return leave_out(r, "Ref cannot be read: %s/%s/%s", r->hub->root->path, r->folder, w->rel);
  if (!grow(r, (void **)&r->refs, r->ref_count, sizeof *r->refs)) return false;
  r->refs[r->ref_count] = (struct scan_ref){keep(r, w->rel + w->base, strlen(w->rel + w->base)),
                                            keep(r, text, strnlen(text, (size_t)n)), false};
  return r->refs[r->ref_count].name && r->refs[r->ref_count++].commit;
}

/* A folder's own names first, then the folders in it. */
static bool below(struct walk *w, bool (*see)(void *, const char *, unsigned char)) {
  struct scan_repo *r = w->repo;
  struct walk in = *w;
  in.dirs = NULL;
  in.dir_count = 0;
  int err = hf_dir_each(in.fd, see, &in);
  bool ok = !r->err && !r->problem;
  if (ok && err) ok = leave_out(r, "Folder cannot be read: %s/%s/%s", r->hub->root->path, r->folder, w->rel);
  for (size_t i = 0; ok && i < in.dir_count; i++) {
    if (w->depth >= SCAN_DEPTH || !append(&in, in.dirs[i])) continue;
    size_t n = strlen(in.rel);
    struct walk sub = {.repo = r,
                       .rel = w->rel,
                       .fd = openat(in.fd, in.dirs[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
                       .depth = w->depth + 1,
                       .base = w->base,
                       .len = n + 1,
                       .blobs_fd = w->blobs_fd,
                       .revision = w->revision};
    memcpy(sub.rel + n, "/", 2);
    if (sub.fd < 0) { /* what is not seen would count as not there, and be pruned */
      ok = errno == ENOENT || leave_out(r, "Folder cannot be read: %s/%s/%s", r->hub->root->path, r->folder, in.rel);
      continue;
    }
    ok = below(&sub, see);
    close(sub.fd);
  }
  H->release(in.dirs);
  return ok;
}

static bool scan_refs(struct scan_repo *r, int top) {
  struct stat st;
  char rel[HF_PATH_ROOM] = "refs/";
  if (fstatat(top, "refs", &st, 0) != 0)
    return errno == ENOENT || errno == ELOOP ||
           leave_out(r, "Folder cannot be read: %s/%s/refs", r->hub->root->path, r->folder);
  if (S_ISREG(st.st_mode))
    return leave_out(r, "Refs directory cannot be a file: %s/%s/refs", r->hub->root->path, r->folder);
  struct walk w = {
      .repo = r, .rel = rel, .fd = openat(top, "refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .base = 5, .len = 5};
  if (w.fd < 0) return leave_out(r, "Folder cannot be read: %s/%s/refs", r->hub->root->path, r->folder);
  bool ok = below(&w, see_ref);
  close(w.fd);
  return ok;
}

/* ---- blobs ------------------------------------------------------------------------------------------------------- */

static size_t slot_of(const struct scan_repo *r, const char *name) {
  uint64_t h = 0xcbf29ce484222325u;
  for (const char *p = name; *p; p++) h = (h ^ (unsigned char)*p) * 0x100000001b3u;
  size_t i = (size_t)(h ^ h >> 29) & (r->table_room - 1);
  while (r->table[i] && strcmp(r->blobs[r->table[i] - 1].name, name)) i = (i + 1) & (r->table_room - 1);
  return i;
}

static bool table_grow(struct scan_repo *r) {
  if (r->table_room && r->blob_count * 2 < r->table_room) return true;
  size_t room = r->table_room ? r->table_room * 4 : 64;
  uint32_t *table = hf_zalloc(NULL, room * sizeof *table);
  if (!table) {
    r->err = ENOMEM;
    return false;
  }
  H->release(r->table);
  r->table = table;
  r->table_room = room;
  for (uint32_t i = 0; i < r->blob_count; i++) r->table[slot_of(r, r->blobs[i].name)] = i + 1;
  return true;
}

static bool add_blob(struct scan_repo *r, const char *name, const struct stat *st, uint32_t *index) {
  if (!grow(r, (void **)&r->blobs, r->blob_count, sizeof *r->blobs)) return false;
  struct scan_blob *b = &r->blobs[r->blob_count];
  *b = (struct scan_blob){.name = keep(r, name, strlen(name)),
                          .size = (uint64_t)st->st_size,
                          .mtime_ns = ns(st->st_mtim),
                          .atime_ns = ns(st->st_atim)};
  if (!b->name) return false;
  *index = (uint32_t)r->blob_count++;
  r->size += b->size;
  if (!*index || b->mtime_ns > r->mtime_ns) r->mtime_ns = b->mtime_ns;
  if (!*index || b->atime_ns > r->atime_ns) r->atime_ns = b->atime_ns;
  return true;
}

/* Drops "." and ".." by name, as the reference does before it looks. */
static void by_name(char *path) {
  char *to = path;
  for (const char *from = path; *from;) {
    while (*from == '/') from++;
    size_t n = strcspn(from, "/");
    if (n == 2 && from[0] == '.' && from[1] == '.') {
      while (to > path && *--to != '/') {
      }
    } else if (n && !(n == 1 && *from == '.')) {
      *to++ = '/';
      memmove(to, from, n);
      to += n;
    }
    from += n;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

enum { BLOB_OK, BLOB_FOLDER, BLOB_MISSING, BLOB_UNREAD, BLOB_FAILED };

static int absent(void) {
  return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? BLOB_MISSING : BLOB_UNREAD;
}

/* What lies in blobs/NAME, looked at once. */
static int named_blob(struct walk *w, const char *name, uint32_t *index) {
  struct scan_repo *r = w->repo;
  struct stat st;
  char link[HF_PATH_ROOM], hash[65];
  if (!table_grow(r)) return BLOB_FAILED;
  size_t at = slot_of(r, name);
  if (r->table[at]) {
    *index = r->table[at] - 1;
    return BLOB_OK;
  }
  if (w->blobs_fd < 0) return BLOB_MISSING;
  if (fstatat(w->blobs_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return absent();
  const char *shared = NULL;
  if (S_ISLNK(st.st_mode)) {
    ssize_t n = r->marked ? readlinkat(w->blobs_fd, name, link, sizeof link - 1) : 0;
    link[n > 0 ? n : 0] = 0;
    if (n > 0) shared = hub_shared_of_link(r->hub, link, hash);
    if (fstatat(w->blobs_fd, name, &st, 0) != 0) return absent();
  }
  if (S_ISDIR(st.st_mode)) return BLOB_FOLDER;
  if (!add_blob(r, name, &st, index)) return BLOB_FAILED;
  if (shared) r->blobs[*index].shared = keep(r, shared, 64);
  r->table[at] = *index + 1;
  return BLOB_OK;
}

/* A link to anywhere else: its bytes are shown and counted, and never removed. */
static int foreign_blob(struct walk *w, const char *name, const char *path, uint32_t *index) {
  struct scan_repo *r = w->repo;
  struct stat st;
  if (fstatat(w->fd, name, &st, 0) == 0 && S_ISDIR(st.st_mode)) return BLOB_FOLDER;
  if (stat(path, &st) != 0) return absent();
  if (!table_grow(r)) return BLOB_FAILED;
  size_t at = slot_of(r, path);
  if (r->table[at]) {
    *index = r->table[at] - 1;
    return BLOB_OK;
  }
  if (!add_blob(r, path, &st, index)) return BLOB_FAILED;
  r->blobs[*index].flags = HF_HF_FOREIGN;
  r->table[at] = *index + 1;
  return BLOB_OK;
}

/* "../../blobs/NAME" with as many steps up as the name lies deep. */
static const char *usual(const struct walk *w, const char *link) {
  for (int up = w->depth + 2; up > 0; up--, link += 3)
    if (strncmp(link, "../", 3)) return NULL;
  return !strncmp(link, "blobs/", 6) && link[6] && !strchr(link + 6, '/') && strcmp(link + 6, "..") &&
                 strcmp(link + 6, ".")
             ? link + 6
             : NULL;
}

static int linked_blob(struct walk *w, const char *name, uint32_t *index, char path[2 * HF_PATH_ROOM]) {
  struct scan_repo *r = w->repo;
  char link[HF_PATH_ROOM], own[HF_PATH_ROOM];
  const char *root = r->hub->root->path;
  ssize_t n = readlinkat(w->fd, name, link, sizeof link - 1);
  if (n < 0) return absent();
  link[n] = 0;
  const char *blob = usual(w, link);
  if (blob) {
    hf_format(path, 2 * HF_PATH_ROOM, "%s/%s/blobs/%s", root, r->folder, blob);
    return named_blob(w, blob, index);
  }
  bool fits = link[0] == '/'
                  ? hf_format(path, 2 * HF_PATH_ROOM, "%s", link)
                  : hf_format(path, 2 * HF_PATH_ROOM, "%s/%s/%.*s%s", root, r->folder, (int)w->len, w->rel, link);
  if (!fits || !hf_format(own, sizeof own, "%s/%s/blobs/", root, r->folder)) return BLOB_MISSING;
  by_name(path);
  size_t m = strlen(own);
  if (!strncmp(path, own, m) && path[m] && !strchr(path + m, '/')) return named_blob(w, path + m, index);
  return foreign_blob(w, name, path, index);
}

/* ---- snapshots --------------------------------------------------------------------------------------------------- */

static bool add_file(struct walk *w, uint32_t index) {
  struct scan_repo *r = w->repo;
  struct scan_revision *v = &r->revisions[w->revision];
  struct scan_blob *b = &r->blobs[index];
  if (b->seen_in != w->revision + 1) {
    b->seen_in = w->revision + 1;
    v->size += b->size;
  }
  if (!v->count || b->mtime_ns > v->mtime_ns) v->mtime_ns = b->mtime_ns;
  v->count++;
  if (!r->keep_files) return true;
  if (!grow(r, (void **)&r->files, r->file_count, sizeof *r->files)) return false;
  struct scan_file *f = &r->files[r->file_count++];
  *f = (struct scan_file){keep(r, w->rel + w->base, strlen(w->rel + w->base)), index};
  return f->path != NULL;
}

static bool see_name(void *arg, const char *name, unsigned char type) {
  struct walk *w = arg;
  struct scan_repo *r = w->repo;
  char path[2 * HF_PATH_ROOM];
  struct stat st;
  uint32_t index;
  if (type == DT_DIR) return see_ref(arg, name, type); /* kept for after the files */
  if (!append(w, name)) return true;
  int how;
  if (type == DT_LNK) {
    hf_format(path, sizeof path, "%s/%s/%s", r->hub->root->path, r->folder, w->rel);
    how = linked_blob(w, name, &index, path);
  } else {
    hf_format(path, sizeof path, "%s/%s/%s", r->hub->root->path, r->folder, w->rel);
    how = fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ? absent()
          : add_blob(r, w->rel, &st, &index)                  ? BLOB_OK
                                                              : BLOB_FAILED;
  }
  if (how == BLOB_UNREAD) return leave_out(r, "File cannot be read: %s", path);
  if (how == BLOB_MISSING) return leave_out(r, "Blob missing (broken symlink): %s", path);
  if (how == BLOB_OK && !add_file(w, index)) return false;
  return how != BLOB_FAILED;
}

static bool see_revision(void *arg, const char *name, unsigned char type) {
  struct walk *w = arg;
  struct scan_repo *r = w->repo;
  struct stat st;
  (void)type;
  if (scan_ignored(name) || !append(w, name)) return true;
  if (fstatat(w->fd, name, &st, 0) != 0)
    return leave_out(
        r, absent() == BLOB_MISSING ? "Snapshot is a broken symlink: %s/%s/%s" : "Folder cannot be read: %s/%s/%s",
        r->hub->root->path, r->folder, w->rel);
  if (S_ISREG(st.st_mode))
    return leave_out(r, "Snapshots folder corrupted. Found a file: %s/%s/%s", r->hub->root->path, r->folder, w->rel);
  if (!grow(r, (void **)&r->revisions, r->revision_count, sizeof *r->revisions)) return false;
  size_t n = strlen(w->rel);
  struct walk in = {.repo = r,
                    .rel = w->rel,
                    .fd = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                    .base = n + 1,
                    .len = n + 1,
                    .blobs_fd = w->blobs_fd,
                    .revision = (uint32_t)r->revision_count};
  struct scan_revision *v = &r->revisions[r->revision_count++];
  *v = (struct scan_revision){.name = keep(r, name, strlen(name)), .first = r->file_count, .mtime_ns = ns(st.st_mtim)};
  if (!v->name) return false;
  if (in.fd < 0)
    return errno == ENOENT || leave_out(r, "Folder cannot be read: %s/%s/%s", r->hub->root->path, r->folder, w->rel);
  memcpy(in.rel + n, "/", 2);
  bool ok = below(&in, see_name);
  close(in.fd);
  return ok;
}

static bool scan_snapshots(struct scan_repo *r, int top) {
  char rel[HF_PATH_ROOM] = "snapshots/";
  struct walk w = {.repo = r,
                   .rel = rel,
                   .fd = openat(top, "snapshots", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                   .len = 10,
                   .blobs_fd = openat(top, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (w.blobs_fd < 0 && absent() == BLOB_UNREAD)
    leave_out(r, "Folder cannot be read: %s/%s/blobs", r->hub->root->path, r->folder);
  int err = w.fd < 0 ? EIO : r->problem ? 0 : hf_dir_each(w.fd, see_revision, &w);
  if (w.fd >= 0) close(w.fd);
  if (w.blobs_fd >= 0) close(w.blobs_fd);
  if (err && !r->problem) leave_out(r, "Folder cannot be read: %s/%s/snapshots", r->hub->root->path, r->folder);
  return !r->problem && !r->err;
}

/* ---- refs and revisions together --------------------------------------------------------------------------------- */

/* As Python writes a string in a message. */
static size_t quoted(char *out, size_t room, const char *s) {
  size_t n = 0;
  char mark = strchr(s, '\'') && !strchr(s, '"') ? '"' : '\'';
#define PUT(ch) (n + 1 < room ? (void)(out[n++] = (ch)) : (void)0)
  PUT(mark);
  for (; *s; s++) {
    unsigned char ch = (unsigned char)*s;
    const char *escape = ch == '\n'   ? "n"
                         : ch == '\r' ? "r"
                         : ch == '\t' ? "t"
                         : ch == '\\' ? "\\"
                         : ch == mark ? s
                                      : NULL;
    if (escape) {
      PUT('\\');
      PUT(*escape);
    } else if (ch < 0x20 || ch == 0x7f) {
      PUT('\\');
      PUT('x');
      PUT("0123456789abcdef"[ch >> 4]);
      PUT("0123456789abcdef"[ch & 15]);
    } else {
      PUT((char)ch);
    }
  }
  PUT(mark);
#undef PUT
  out[n] = 0;
  return n;
}

static int by_ref_name(const void *a, const void *b) {
  return strcmp(((const struct scan_ref *)a)->name, ((const struct scan_ref *)b)->name);
}

/* {'COMMIT': {'main'}}: every ref must be of a revision that is there. */
static bool match_refs(struct scan_repo *r) {
  char text[HF_PATH_ROOM];
  size_t n = 0;
  for (size_t i = 0; i < r->ref_count; i++)
    for (size_t k = 0; k < r->revision_count && !r->refs[i].used; k++)
      r->refs[i].used = !strcmp(r->refs[i].commit, r->revisions[k].name);
  for (size_t i = 0; i < r->ref_count && n + 4 < sizeof text; i++) {
    if (r->refs[i].used) continue;
    if (n) n += (size_t)snprintf(text + n, sizeof text - n, "}, ");
    n += quoted(text + n, sizeof text - n, r->refs[i].commit);
    const char *before = ": {";
    for (size_t k = i; k < r->ref_count && n + 8 < sizeof text; k++) {
      if (r->refs[k].used || strcmp(r->refs[k].commit, r->refs[i].commit) != 0) continue;
      n += (size_t)snprintf(text + n, sizeof text - n, "%s", before);
      n += quoted(text + n, sizeof text - n, r->refs[k].name);
      before = ", ";
      if (k != i) r->refs[k].used = true;
    }
  }
  if (n)
    return leave_out(r, "Reference(s) refer to missing commit hashes: {%s}} (%s/%s).", text, r->hub->root->path,
                     r->folder);
  if (r->ref_count) qsort(r->refs, r->ref_count, sizeof *r->refs, by_ref_name);
  return true;
}

/* ---- a repo ------------------------------------------------------------------------------------------------------ */

static bool know_repo(struct scan_repo *r) {
  static const char *const types[] = {"model", "dataset", "space", "kernel"};
  const char *cut = strstr(r->folder, "--"), *root = r->hub->root->path;
  if (!cut) return leave_out(r, "Repo path is not a valid HuggingFace cache directory: %s/%s", root, r->folder);
  size_t n = (size_t)(cut - r->folder);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (n == strlen(types[i]) + 1 && !strncmp(r->folder, types[i], n - 1) && r->folder[n - 1] == 's')
      r->type = types[i];
  if (!r->type)
    return leave_out(r, "Repo type must be one of ['datasets', 'kernels', 'models', 'spaces'], found `%.*s` (%s/%s).",
                     (int)n, r->folder, root, r->folder);
  char *id = room_for(r, strlen(cut));
  r->id = id;
  for (const char *p = cut + 2; id && *p; p++) {
    bool slash = p[0] == '-' && p[1] == '-';
    *id++ = slash ? '/' : *p;
    p += slash;
  }
  if (id) *id = 0;
  return id != NULL;
}

void scan_repo(struct scan_repo *r) {
  struct stat st, snapshots;
  struct hf_dir *root = hf_dir_get(r->hub->root, "", false);
  bool known = root && fstatat(root->fd, r->folder, &st, 0) == 0, folder = known && S_ISDIR(st.st_mode);
  bool unread = !known && root && absent() == BLOB_UNREAD;
  int top = folder ? openat(root->fd, r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  int err = errno;
  hf_dir_put(r->hub->root, root);
  errno = err;
  if (!folder) {
    leave_out(r, unread ? "Folder cannot be read: %s/%s" : "Repo path is not a directory: %s/%s", r->hub->root->path,
              r->folder);
    return;
  }
  if (know_repo(r)) {
    bool seen = top >= 0 && fstatat(top, "snapshots", &snapshots, 0) == 0;
    if (!seen && absent() == BLOB_UNREAD)
      leave_out(r, "Folder cannot be read: %s/%s/snapshots", r->hub->root->path, r->folder);
    else if (!seen || !S_ISDIR(snapshots.st_mode))
      leave_out(r, "Snapshots dir doesn't exist in cached repo: %s/%s/snapshots", r->hub->root->path, r->folder);
    else if (scan_refs(r, top) && scan_snapshots(r, top) && match_refs(r) && !r->blob_count) {
      r->mtime_ns = ns(st.st_mtim);
      r->atime_ns = ns(st.st_atim);
    }
  }
  if (top >= 0) close(top);
}

void scan_repo_free(struct scan_repo *r) {
  while (r->chunks) {
    struct scan_chunk *c = r->chunks;
    r->chunks = c->next;
    H->release(c);
  }
  H->release(r->revisions);
  H->release(r->refs);
  H->release(r->files);
  H->release(r->blobs);
  H->release(r->table);
}
