/* store_upload.c - an object in parts: one file (or one place in memory) of the object's size, parts written where they
 * belong, a row for each that is safely there. A thread hashes behind the parts as far as they reach without a gap, that
 * which is still coming included, so that the end of an upload is not the start of the hashing. Uploads survive the server;
 * what is never finished is removed. */
#include "store_db.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 1 << 20, BEGIN_AT = 8 << 20, LINGER = 3600 };

struct part {
  uint64_t written; /* by the one that writes it */
  uint32_t writers;
};

/* The hash of an upload as far as its parts reach, kept between parts. */
struct hasher {
  char id[33];
  struct store *store;
  struct upload upload;
  struct digest digest;
  int64_t done;        /* parts hashed, from the first on */
  uint64_t inside;     /* bytes hashed of the next one */
  unsigned char *here; /* by part: 1 when it is there */
  struct part *coming; /* by part: what is being written */
  int64_t count;
  bool running, failed, complete, finishing;
  char sha256[65];
  struct hasher *next;
};

struct part_put {
  struct store *store;
  struct upload upload;
  int64_t number;
  uint64_t size, written, told; /* told: the hasher knows */
  int fd;
  bool failed, over, ended;
};

static char *upload_path(const struct store *s, const char *id) {
  char *path = NULL;
  return asprintf(&path, "%s/tmp/upload-%s", s->folder, id) < 0 ? NULL : path;
}

static int upload_open(struct store *s, const struct upload *u, uint64_t *offset) {
  *offset = s->folder ? 0 : (uint64_t)u->place;
  if (!s->folder) return fcntl(s->arena, F_DUPFD_CLOEXEC, 0);
  char *path = upload_path(s, u->id);
  int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  free(path);
  return fd;
}

static int64_t part_count(const struct upload *u) {
  return (u->size + u->part - 1) / u->part;
}

static int64_t part_size(const struct upload *u, int64_t number) {
  return number < part_count(u) ? u->part : u->size - (part_count(u) - 1) * u->part;
}

static void upload_forget(struct store *s, const struct upload *u, bool keep_bytes) {
  struct db *db = db_get(s);
  db_exec(db, ST_PARTS_DROP, "t", u->id);
  db_exec(db, ST_UPLOAD_DROP, "t", u->id);
  if (keep_bytes) return;
  char *path = s->folder ? upload_path(s, u->id) : NULL;
  if (path) unlink(path);
  if (!s->folder) db_arena_drop(s, (uint64_t)u->place, (uint64_t)u->size);
  free(path);
}

int dh_upload_find(struct store *s, const char *id, struct upload *out) {
  struct db *db = db_get(s);
  struct upload u = {0};
  sqlite3_stmt *st = db_query(db, ST_UPLOAD, "t", id);
  int rc = db_first(db, st);
  if (rc == STORE_OK) {
    snprintf(u.id, sizeof u.id, "%s", id);
    u.repo = sqlite3_column_int64(st, 0);
    db_column(st, 1, u.sha256, sizeof u.sha256);
    u.size = sqlite3_column_int64(st, 2);
    u.part = sqlite3_column_int64(st, 3);
    u.place = sqlite3_column_int64(st, 4);
    u.expires = sqlite3_column_int64(st, 5);
    *out = u;
  }
  db_done(st);
  return rc;
}

static void hasher_free(struct hasher *h) {
  char sha256[65], oid[41];
  if (h->digest.sha256) dh_digest_end(&h->digest, sha256, oid);
  free(h->here);
  free(h->coming);
  free(h);
}

/* With the lock held. */
static struct hasher *hasher_find(struct store *s, const char *id) {
  struct hasher *h = s->hashers;
  while (h && strcmp(h->id, id) != 0) h = h->next;
  return h;
}

static struct hasher *hasher_get(struct store *s, const struct upload *u) {
  struct hasher *h = hasher_find(s, u->id);
  if (h) return h;
  h = calloc(1, sizeof *h);
  if (!h) return NULL;
  h->store = s;
  h->upload = *u;
  h->count = part_count(u);
  memcpy(h->id, u->id, sizeof h->id);
  h->here = calloc((size_t)h->count + 1, 1);
  h->coming = calloc((size_t)h->count + 1, sizeof *h->coming);
  if (!h->here || !h->coming) {
    hasher_free(h);
    return NULL;
  }
  h->next = s->hashers;
  s->hashers = h;
  return h;
}

/* Bytes of the next part that can be hashed. With the lock held. */
static uint64_t ready(const struct hasher *h) {
  int64_t next = h->done + 1;
  if (h->failed || h->complete || h->done >= h->count) return 0;
  uint64_t there = h->here[next]                  ? (uint64_t)part_size(&h->upload, next)
                   : h->coming[next].writers == 1 ? h->coming[next].written
                                                  : 0;
  return there > h->inside ? there - h->inside : 0;
}

/* The next `left` bytes that were not hashed. */
static bool hash_bytes(struct hasher *h, int fd, uint64_t at, uint64_t left, char *block) {
  if (!h->digest.sha256) dh_digest_begin(&h->digest, NULL, 0);
  while (left) {
    size_t n = left < BLOCK ? (size_t)left : BLOCK;
    ssize_t got = pread(fd, block, n, (off_t)at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    dh_digest_add(&h->digest, block, (size_t)got);
    at += (uint64_t)got;
    left -= (uint64_t)got;
  }
  return !h->digest.failed;
}

/* With the lock held: steps over parts that are hashed whole; those without a byte included. */
static void parts_pass(struct hasher *h) {
  while (h->done < h->count && h->here[h->done + 1] && h->inside == (uint64_t)part_size(&h->upload, h->done + 1)) {
    h->done++;
    h->inside = 0;
  }
}

static void *hasher_run(void *arg) {
  struct hasher *h = arg;
  struct store *s = h->store;
  uint64_t offset;
  int fd = upload_open(s, &h->upload, &offset);
  char *block = malloc(BLOCK), oid[41];
  pthread_mutex_lock(&s->lock);
  uint64_t n;
  for (parts_pass(h); (n = ready(h)) > 0; parts_pass(h)) {
    uint64_t at = offset + (uint64_t)(h->done * h->upload.part) + h->inside;
    if (n > BEGIN_AT) n = BEGIN_AT;
    h->inside += n;
    pthread_mutex_unlock(&s->lock);
    bool ok = fd >= 0 && block && hash_bytes(h, fd, at, n, block);
    pthread_mutex_lock(&s->lock);
    if (!ok) h->failed = true;
  }
  if (!h->failed && h->done == h->count && !h->complete) {
    h->complete = dh_digest_end(&h->digest, h->sha256, oid);
    h->failed = !h->complete;
  }
  h->running = false;
  pthread_cond_broadcast(&s->hashed);
  pthread_mutex_unlock(&s->lock);
  if (fd >= 0) close(fd);
  free(block);
  return NULL;
}

/* With the lock held. */
static void hasher_start(struct hasher *h) {
  pthread_t thread;
  bool due = h->done < h->count && (h->here[h->done + 1] || ready(h) >= BEGIN_AT);
  if (h->running || h->failed || h->complete || !due) return;
  h->running = true;
  if (pthread_create(&thread, NULL, hasher_run, h) == 0) {
    pthread_detach(thread);
  } else {
    h->running = false;
    h->failed = true;
  }
}

/* With the lock held: was anything of this part hashed? */
static bool is_hashed(const struct hasher *h, int64_t number) {
  return number <= h->done || (number == h->done + 1 && h->inside > 0);
}

/* A part that is written again after some of it was hashed makes the hash worthless. */
static void part_opens(struct part_put *p) {
  struct store *s = p->store;
  pthread_mutex_lock(&s->lock);
  struct hasher *h = hasher_get(s, &p->upload);
  if (h && (is_hashed(h, p->number) || h->coming[p->number].writers)) h->failed = true;
  if (h) h->coming[p->number].writers++;
  if (h) h->coming[p->number].written = 0;
  pthread_mutex_unlock(&s->lock);
}

static void part_grows(struct part_put *p) {
  struct store *s = p->store;
  p->told = p->written;
  pthread_mutex_lock(&s->lock);
  struct hasher *h = hasher_find(s, p->upload.id);
  if (h) h->coming[p->number].written = p->written;
  if (h && p->number == h->done + 1) hasher_start(h);
  pthread_mutex_unlock(&s->lock);
}

static void part_closes(struct part_put *p, bool whole) {
  struct store *s = p->store;
  p->ended = true;
  pthread_mutex_lock(&s->lock);
  struct hasher *h = whole ? hasher_get(s, &p->upload) : hasher_find(s, p->upload.id);
  if (h && h->coming[p->number].writers) h->coming[p->number].writers--;
  if (h && (whole ? h->here[p->number] != 0 : is_hashed(h, p->number))) h->failed = true;
  if (h && whole) h->here[p->number] = 1;
  if (h && whole) hasher_start(h);
  pthread_mutex_unlock(&s->lock);
}

/* With the lock held. */
static void hasher_drop(struct store *s, const char *id) {
  struct hasher *h, **at = &s->hashers;
  while ((h = hasher_find(s, id)) && h->running) pthread_cond_wait(&s->hashed, &s->lock);
  if (!h) return;
  while (*at != h) at = &(*at)->next;
  *at = h->next;
  hasher_free(h);
}

/* Uploads whose URLs ended an hour ago. */
static void uploads_expire(struct store *s) {
  struct db *db = db_get(s);
  for (;;) {
    struct upload u;
    sqlite3_stmt *st = db_query(db, ST_UPLOADS_OLD, "i", (int64_t)time(NULL) - LINGER);
    int rc = db_first(db, st);
    if (rc == STORE_OK) db_column(st, 0, u.id, sizeof u.id);
    db_done(st);
    if (rc != STORE_OK || dh_upload_find(s, u.id, &u) != STORE_OK) return;
    upload_forget(s, &u, false);
    pthread_mutex_lock(&s->lock);
    struct hasher *h = hasher_find(s, u.id);
    if (h && !h->finishing) hasher_drop(s, u.id);
    pthread_mutex_unlock(&s->lock);
  }
}

int dh_upload_new(struct store *s, struct upload *u) {
  unsigned char id[16];
  if (!dh_random(id, sizeof id)) return STORE_FAILED;
  for (size_t i = 0; i < sizeof id; i++) snprintf(u->id + 2 * i, 3, "%02x", id[i]);
  uploads_expire(s);
  u->place = s->folder ? 0 : (int64_t)db_arena_take(s, (uint64_t)u->size);
  return db_exec(db_get(s), ST_UPLOAD_ADD, "titiiii", u->id, u->repo, u->sha256, u->size, u->part, u->place,
                 u->expires);
}

/* The hash of the whole: the one that was made on the way, or all over again. With the lock held. */
static void upload_hash(struct store *s, struct hasher *h) {
  while (h->running) pthread_cond_wait(&s->hashed, &s->lock);
  if (h->failed) {
    char sha256[65], oid[41];
    if (h->digest.sha256) dh_digest_end(&h->digest, sha256, oid);
    h->done = 0;
    h->inside = 0;
    h->failed = h->complete = false;
  }
  memset(h->here + 1, 1, (size_t)h->count);
  hasher_start(h);
  while (h->running) pthread_cond_wait(&s->hashed, &s->lock);
}

/* One caller at a time finishes an upload; the others wait and find it done. */
static struct hasher *finish_begin(struct store *s, const struct upload *u) {
  struct hasher *h;
  pthread_mutex_lock(&s->lock);
  while ((h = hasher_find(s, u->id)) && h->finishing) pthread_cond_wait(&s->hashed, &s->lock);
  h = hasher_get(s, u);
  if (h) h->finishing = true;
  pthread_mutex_unlock(&s->lock);
  return h;
}

static void finish_end(struct store *s, const struct upload *u, struct hasher *h, bool gone) {
  pthread_mutex_lock(&s->lock);
  h->finishing = false;
  if (gone) hasher_drop(s, u->id);
  pthread_cond_broadcast(&s->hashed);
  pthread_mutex_unlock(&s->lock);
}

void db_uploads_stop(struct store *s) {
  pthread_mutex_lock(&s->lock);
  while (s->hashers) {
    struct hasher *h = s->hashers;
    h->count = h->done < h->count ? h->done : h->count;
    while (h->running) pthread_cond_wait(&s->hashed, &s->lock);
    s->hashers = h->next;
    hasher_free(h);
  }
  pthread_mutex_unlock(&s->lock);
}

struct part_put *dh_part_begin(struct store *s, const struct upload *u, int64_t number, uint64_t size) {
  uint64_t offset;
  if (number < 1 || number > part_count(u) || size != (uint64_t)part_size(u, number)) return NULL;
  struct part_put *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  *p = (struct part_put){.store = s, .upload = *u, .number = number, .size = size};
  p->fd = upload_open(s, u, &offset);
  p->failed = p->fd < 0;
  part_opens(p);
  return p;
}

bool dh_part_data(struct part_put *p, const void *data, size_t size) {
  if (size > p->size - p->written) p->over = true;
  if (p->failed || p->over) return false;
  uint64_t at =
      (p->store->folder ? 0 : (uint64_t)p->upload.place) + (uint64_t)((p->number - 1) * p->upload.part) + p->written;
  const char *from = data;
  while (size) {
    ssize_t n = pwrite(p->fd, from, size, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fprintf(stderr, "hf-devhub: cannot write a part of an upload: %s\n", strerror(errno));
      p->failed = true;
      return false;
    }
    from += n;
    at += (uint64_t)n;
    p->written += (uint64_t)n;
    size -= (size_t)n;
  }
  if (p->written - p->told >= BLOCK) part_grows(p);
  return true;
}

void dh_part_abort(struct part_put *p) {
  if (!p) return;
  if (!p->ended) part_closes(p, false);
  if (p->fd >= 0) close(p->fd);
  free(p);
}

int dh_part_end(struct part_put *p, char etag[33]) {
  unsigned char random[16];
  int rc = p->failed ? STORE_FAILED : p->over || p->written != p->size ? STORE_INVALID : STORE_OK;
  if (rc == STORE_OK && ((p->store->folder && fdatasync(p->fd) != 0) || !dh_random(random, sizeof random)))
    rc = STORE_FAILED;
  if (rc == STORE_OK) {
    for (size_t i = 0; i < sizeof random; i++) snprintf(etag + 2 * i, 3, "%02x", random[i]);
    rc = db_exec(db_get(p->store), ST_PART_SET, "tit", p->upload.id, p->number, etag);
  }
  if (rc == STORE_OK) part_closes(p, true);
  dh_part_abort(p);
  return rc;
}

static int complain(char problem[256], const char *what) {
  snprintf(problem, 256, "%s", what);
  return STORE_INVALID;
}

/* Every part must be named once, in order, with the tag its last upload got. */
static int parts_check(struct store *s, const struct upload *u, const json_t *parts, char problem[256]) {
  struct db *db = db_get(s);
  sqlite3_stmt *st = db_query(db, ST_PARTS, "t", u->id);
  int64_t count = 0;
  int rc;
  bool right = (int64_t)json_array_size(parts) == part_count(u);
  while ((rc = db_first(db, st)) == STORE_OK) {
    const json_t *part = json_array_get(parts, (size_t)count++);
    const char *etag = json_string_value(json_object_get(part, "etag")),
               *here = (const char *)sqlite3_column_text(st, 1);
    size_t quoted = etag && etag[0] == '"';
    if (sqlite3_column_int64(st, 0) != count || json_integer_value(json_object_get(part, "partNumber")) != count)
      right = false;
    if (!etag || strncmp(etag + quoted, here, 32) != 0 || strcmp(etag + quoted + 32, quoted ? "\"" : "") != 0)
      right = false;
  }
  db_done(st);
  if (rc == STORE_FAILED) return rc;
  return right && count == part_count(u)
             ? STORE_OK
             : complain(problem, "One or more of the specified parts could not be found, or has another etag.");
}

static int object_publish(struct store *s, const struct upload *u) {
  struct blob b = {.size = u->size, .kind = BLOB_STORED, .place = (uint64_t)u->place}, kept;
  struct db *db = db_get(s);
  memcpy(b.sha256, u->sha256, sizeof b.sha256);
  if (s->folder) {
    char *path = upload_path(s, u->id);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && db_blob_publish(s, fd, path, b.sha256);
    if (fd >= 0) close(fd);
    free(path);
    if (!ok) return STORE_FAILED;
  }
  int rc = db_simple(db, ST_BEGIN_WRITE);
  if (rc != STORE_OK) return rc;
  rc = db_blob_add(s, &b, NULL);
  if (rc == STORE_OK) rc = dh_store_object_add(s, u->repo, u->sha256);
  rc = db_end(db, rc);
  bool mine = rc == STORE_OK && dh_blob_find(s, b.sha256, &kept) == STORE_OK && kept.place == b.place;
  if (rc == STORE_OK) upload_forget(s, u, s->folder || mine);
  return rc;
}

static int upload_complete(struct store *s, const struct upload *u, struct hasher *h, const json_t *parts,
                           char problem[256]) {
  struct upload again;
  int rc = dh_upload_find(s, u->id, &again);
  if (rc == STORE_NONE) return dh_store_object(s, u->repo, u->sha256);
  if (rc == STORE_OK) rc = parts_check(s, u, parts, problem);
  if (rc != STORE_OK) return rc;
  pthread_mutex_lock(&s->lock);
  upload_hash(s, h);
  bool hashed = h->complete, right = hashed && strcmp(h->sha256, u->sha256) == 0;
  pthread_mutex_unlock(&s->lock);
  if (!hashed) return STORE_FAILED;
  if (right) return object_publish(s, u);
  upload_forget(s, u, false);
  return complain(problem, "The uploaded content has another SHA-256 than its oid.");
}

int dh_upload_finish(struct store *s, const struct upload *u, const json_t *parts, char problem[256]) {
  struct hasher *h = finish_begin(s, u);
  if (!h) return STORE_FAILED;
  int rc = upload_complete(s, u, h, parts, problem);
  struct upload left;
  finish_end(s, u, h, dh_upload_find(s, u->id, &left) != STORE_OK);
  return rc;
}
