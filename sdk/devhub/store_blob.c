/* store_blob.c - the bytes: small ones in the database or, many of a commit, in packs/; larger ones in blobs/ab/cdef.. of the
 * data folder or in the memory file, generated ones nowhere. A put hashes while it writes and publishes by rename, then adds the row.
 * The same content is kept once. */
#include "store_db.h"
#include "content.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INLINE_MAX = 32 * 1024, CHUNK = 256 * 1024, START_EACH = 8 << 20 };
static const uint64_t oid_max = 1u << 30; /* no git object id for larger contents: those are LFS files anyway */

static const uint64_t object_oid_max = 16u << 20; /* what comes by LFS is hardly ever kept as a plain file */

struct blob_put {
  struct store *store;
  uint64_t size, written, started, place; /* started: the disk has been told of it */
  char *buffer, *temporary;
  int fd;
  bool failed, kept;
  struct digest digest;
};

uint64_t db_arena_take(struct store *s, uint64_t size) {
  pthread_mutex_lock(&s->lock);
  uint64_t place = s->arena_end;
  s->arena_end += (size + 4095) / 4096 * 4096;
  pthread_mutex_unlock(&s->lock);
  return place;
}

void db_arena_drop(struct store *s, uint64_t place, uint64_t size) {
  fallocate(s->arena, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)place, (off_t)((size + 4095) / 4096 * 4096));
}

static struct blob_put *put_begin(struct store *s, uint64_t size, bool oid) {
  struct blob_put *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  *p = (struct blob_put){.store = s, .size = size, .fd = -1};
  dh_digest_begin(&p->digest, oid ? "blob" : NULL, size);
  if (size <= INLINE_MAX) {
    p->buffer = malloc(size ? size : 1);
    p->failed = !p->buffer;
  } else if (s->folder) {
    unsigned n = atomic_fetch_add(&s->temporary, 1);
    if (asprintf(&p->temporary, "%s/tmp/%ld-%u", s->folder, (long)getpid(), n) < 0) p->temporary = NULL;
    p->fd = p->temporary ? open(p->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    p->failed = p->fd < 0;
  } else {
    p->place = db_arena_take(s, size);
  }
  if (p->failed)
    fprintf(stderr, "hf-devhub: cannot store a blob of %llu bytes: %s\n", (unsigned long long)size, strerror(errno));
  return p;
}

struct blob_put *dh_blob_begin(struct store *s, uint64_t size) {
  return put_begin(s, size, size <= oid_max);
}

struct blob_put *dh_blob_begin_object(struct store *s, uint64_t size) {
  return put_begin(s, size, size <= object_oid_max);
}

struct blob_put *dh_blob_begin_xorb(struct store *s, uint64_t size) {
  return put_begin(s, size, size <= INLINE_MAX);
}

bool dh_blob_data(struct blob_put *p, const void *data, size_t size) {
  if (p->failed || size > p->size - p->written) {
    p->failed = true;
    return false;
  }
  dh_digest_add(&p->digest, data, size);
  if (p->buffer) {
    if (size) memcpy(p->buffer + p->written, data, size);
    p->written += size;
    return true;
  }
  int fd = p->fd >= 0 ? p->fd : p->store->arena;
  const char *from = data;
  while (size) {
    ssize_t n = pwrite(fd, from, size, (off_t)(p->place + p->written));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fprintf(stderr, "hf-devhub: cannot write a blob: %s\n", strerror(errno));
      p->failed = true;
      return false;
    }
    from += n;
    size -= (size_t)n;
    p->written += (uint64_t)n;
  }
  if (p->fd >= 0 && p->written - p->started >= START_EACH) { /* so that the end of a large one is soon on the disk */
    (void)sync_file_range(fd, (off_t)p->started, (off_t)(p->written - p->started), SYNC_FILE_RANGE_WRITE);
    p->started = p->written;
  }
  return true;
}

void dh_blob_abort(struct blob_put *p) {
  if (!p) return;
  char sha256[65], oid[41];
  if (p->digest.sha256) dh_digest_end(&p->digest, sha256, oid);
  if (p->fd >= 0) close(p->fd);
  if (p->temporary) unlink(p->temporary);
  if (!p->buffer && !p->store->folder && !p->kept) db_arena_drop(p->store, p->place, p->size);
  free(p->temporary);
  free(p->buffer);
  free(p);
}

static char *blob_path(const struct store *s, const char *sha256, bool folder) {
  char *path = NULL;
  if (asprintf(&path, folder ? "%s/blobs/%.2s" : "%s/blobs/%.2s/%s", s->folder, sha256, sha256 + 2) < 0) return NULL;
  return path;
}

static bool folder_sync(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return ok;
}

/* The bytes are on disk before the name, the name before the row that tells of it. */
static bool publish(int fd, const char *temporary, const char *folder, const char *path) {
  bool ok = folder && path && fdatasync(fd) == 0 && (mkdir(folder, 0700) == 0 || errno == EEXIST) &&
            rename(temporary, path) == 0 && folder_sync(folder);
  if (!ok) fprintf(stderr, "hf-devhub: cannot publish %s: %s\n", path ? path : "a blob", strerror(errno));
  return ok;
}

bool db_blob_publish(struct store *s, int fd, const char *temporary, const char *sha256) {
  char *folder = blob_path(s, sha256, true), *path = blob_path(s, sha256, false);
  bool ok = publish(fd, temporary, folder, path);
  free(folder);
  free(path);
  return ok;
}

/* NULL: out of memory. */
static char *pack_path(const struct store *s, uint64_t pack, bool folder) {
  char *path = NULL;
  if (asprintf(&path, folder ? "%s/packs" : "%s/packs/%016llx", s->folder, (unsigned long long)pack) < 0) return NULL;
  return path;
}

bool db_pack_publish(struct store *s, int fd, const char *temporary, uint64_t pack) {
  char *folder = pack_path(s, pack, true), *path = pack_path(s, pack, false);
  bool ok = publish(fd, temporary, folder, path);
  free(folder);
  free(path);
  return ok;
}

void db_pack_drop(struct store *s, uint64_t pack) {
  char *path = pack_path(s, pack, false);
  if (path) unlink(path);
  free(path);
}

int dh_blob_find(struct store *s, const char *sha256, struct blob *out) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_BLOB);
  if (st) db_bind(st, 1, sha256);
  int rc = db_first(db, st);
  if (rc == STORE_OK) db_blob(st, 0, out);
  db_done(st);
  return rc;
}

int db_blob_add(struct store *s, const struct blob *b, const char *data) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_BLOB_ADD);
  if (!st) return STORE_FAILED;
  db_bind(st, 1, b->sha256);
  db_bind(st, 2, b->oid);
  sqlite3_bind_int64(st, 3, b->size);
  sqlite3_bind_int(st, 4, (int)b->kind);
  sqlite3_bind_int64(st, 5, (int64_t)b->seed);
  sqlite3_bind_int64(st, 6, (int64_t)b->place);
  if (data) sqlite3_bind_blob64(st, 7, data, (sqlite3_uint64)b->size, SQLITE_STATIC);
  return db_run(db, st);
}

/* Hashes are known, the bytes in place; the row is still to be added. */
static int put_finish(struct blob_put *p, const char *expected, struct blob *b) {
  *b = (struct blob){.size = (int64_t)p->size, .kind = p->buffer ? BLOB_INLINE : BLOB_STORED, .place = p->place};
  if (!dh_digest_end(&p->digest, b->sha256, b->oid) || p->failed || p->written != p->size) return STORE_FAILED;
  if (expected && strcmp(expected, b->sha256) != 0) return STORE_INVALID;
  if (p->fd < 0) return STORE_OK;
  if (!db_blob_publish(p->store, p->fd, p->temporary, b->sha256)) return STORE_FAILED;
  free(p->temporary);
  p->temporary = NULL;
  return STORE_OK;
}

int dh_blob_end(struct blob_put *p, struct blob *out) {
  struct blob b;
  int rc = put_finish(p, NULL, &b);
  if (rc == STORE_OK) rc = db_blob_add(p->store, &b, p->buffer);
  if (rc == STORE_OK) rc = dh_blob_find(p->store, b.sha256, out);
  if (rc == STORE_OK && out->kind == BLOB_STORED && out->place == p->place) p->kept = true;
  dh_blob_abort(p);
  return rc;
}

int dh_blob_store(struct store *s, const void *data, size_t size, char sha256[65]) {
  struct blob blob;
  struct blob_put *put = dh_blob_begin(s, size);
  if (!put) return STORE_FAILED;
  dh_blob_data(put, data, size);
  int rc = dh_blob_end(put, &blob);
  if (rc == STORE_OK) memcpy(sha256, blob.sha256, 65);
  return rc;
}

int dh_blob_end_object(struct blob_put *p, const char *sha256, int64_t repo) {
  struct blob b, kept;
  struct store *s = p->store;
  int rc = put_finish(p, sha256, &b);
  if (rc == STORE_OK) rc = db_simple(db_get(s), ST_BEGIN_WRITE);
  if (rc == STORE_OK) {
    rc = db_blob_add(s, &b, p->buffer);
    if (rc == STORE_OK) rc = dh_store_object_add(s, repo, sha256);
    rc = db_end(db_get(s), rc);
  }
  if (rc == STORE_OK && dh_blob_find(s, sha256, &kept) == STORE_OK) p->kept = kept.place == p->place;
  dh_blob_abort(p);
  return rc;
}

int dh_blob_generated(struct store *s, uint64_t seed, uint64_t size, struct blob *out) {
  struct blob b = {.size = (int64_t)size, .kind = BLOB_GENERATED, .seed = seed};
  char *chunk = malloc(CHUNK);
  if (!chunk) return STORE_FAILED;
  struct digest d;
  dh_digest_begin(&d, size <= oid_max ? "blob" : NULL, size);
  for (uint64_t at = 0; at < size;) {
    size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
    dh_content_fill(seed, at, chunk, n);
    dh_digest_add(&d, chunk, n);
    at += n;
  }
  free(chunk);
  if (!dh_digest_end(&d, b.sha256, b.oid) || db_blob_add(s, &b, NULL) != STORE_OK) return STORE_FAILED;
  return dh_blob_find(s, b.sha256, out);
}

int dh_blob_open(struct store *s, const struct blob *b, int *fd, uint64_t *offset) {
  if (!s->folder) {
    *offset = b->place;
    *fd = fcntl(s->arena, F_DUPFD_CLOEXEC, 0);
    return *fd < 0 ? STORE_FAILED : STORE_OK;
  }
  bool packed = b->kind == BLOB_PACKED;
  char *path = packed ? pack_path(s, b->seed, false) : blob_path(s, b->sha256, false);
  *offset = packed ? b->place : 0;
  *fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  free(path);
  struct stat st;
  uint64_t end = *offset + (uint64_t)b->size;
  if (*fd >= 0 && (fstat(*fd, &st) != 0 || (packed ? (uint64_t)st.st_size < end : st.st_size != b->size))) {
    close(*fd);
    *fd = -1;
  }
  if (*fd < 0) fprintf(stderr, "hf-devhub: blob %s is missing or damaged in %s\n", b->sha256, s->folder);
  return *fd < 0 ? STORE_FAILED : STORE_OK;
}

int dh_blob_inline(struct store *s, const struct blob *b, char **data) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_take(db, ST_BLOB_DATA);
  if (st) sqlite3_bind_int64(st, 1, b->id);
  int rc = db_first(db, st);
  *data = NULL;
  if (rc == STORE_OK) {
    size_t n = (size_t)sqlite3_column_bytes(st, 0);
    *data = n == (size_t)b->size ? malloc(n + 1) : NULL;
    if (*data) {
      if (n) memcpy(*data, sqlite3_column_blob(st, 0), n);
      (*data)[n] = 0;
    }
  }
  db_done(st);
  return *data ? STORE_OK : STORE_FAILED;
}

int dh_blob_text(struct store *s, const struct blob *b, size_t max, char **data) {
  *data = NULL;
  if ((uint64_t)b->size > max) return STORE_NONE;
  if (b->kind == BLOB_INLINE) return dh_blob_inline(s, b, data);
  size_t size = (size_t)b->size;
  char *out = malloc(size + 1);
  if (!out) return STORE_FAILED;
  bool ok = true;
  if (b->kind == BLOB_GENERATED) {
    dh_content_fill(b->seed, 0, out, size);
  } else {
    int fd;
    uint64_t offset;
    ok = dh_blob_open(s, b, &fd, &offset) == STORE_OK;
    ok = ok && pread(fd, out, size, (off_t)offset) == (ssize_t)size;
    if (fd >= 0) close(fd);
  }
  if (!ok) {
    free(out);
    return STORE_FAILED;
  }
  out[size] = 0;
  *data = out;
  return STORE_OK;
}
