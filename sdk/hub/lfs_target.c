/* lfs_target.c - where an object goes: reading it from a batch answer, and for large ones keeping it with the parts that are there
 * in HF_HOME/.upload/parts, so that an upload that was killed goes on. The URLs are secrets while they last: mode 0600, one
 * process at a time, removed when the object is complete or the URLs are too old. Credentials are never kept. */
#include "commit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  PARTS_MOST = 100000,
  NOTE_LARGEST = 64 << 20,
  KEEP_FROM = 1 << 20,
  LASTS = 3600,
  MARGIN = 60,
  FORGET_AFTER = 7 * 86400,
  HEADERS_MOST = 16
};

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* A URL of the Hub is one of the endpoint in use. */
static const char *own_url(struct hf_hub *hub, hf_call *c, const char *url) {
  static const char *const hubs[] = {"https://huggingface.co", "https://hub-ci.huggingface.co"};
  for (size_t i = 0; i < HF_COUNT(hubs); i++) {
    size_t n = strlen(hubs[i]);
    if (!strncmp(url, hubs[i], n) && (url[n] == '/' || url[n] == '?' || !url[n]))
      return hf_hub_text(c, "%s%s", hub->endpoint, url + n);
  }
  return hf_host()->intern(c, url, SIZE_MAX);
}

static hf_status malformed(hf_call *c, const char *what) {
  return hf_hub_fail(c, HF_EPROTO, "ValueError", "lfs_action is improperly formatted: %s", what);
}

/* Headers of an action, without parts; those that carry the Hub's own credentials are added where they belong anyway. */
static hf_status read_headers(struct hf_hub *hub, hf_call *c, const json_t *header, const char *url, struct hf_kv **out,
                              uint32_t *count) {
  const char *key;
  json_t *value;
  *count = 0;
  *out = hf_host()->arena(c, HEADERS_MOST * sizeof **out);
  if (!*out) return HF_ENOMEM;
  json_object_foreach((json_t *)(uintptr_t)header, key, value) {
    const char *text = json_string_value(value);
    if (!text || key[strspn(key, "0123456789")] == 0 || !strcmp(key, "chunk_size")) continue;
    if (!strcasecmp(key, "authorization") && hf_hub_is_hub(hub, url)) continue;
    if (!strcasecmp(key, "content-length") || !strcasecmp(key, "transfer-encoding") || !strcasecmp(key, "host"))
      continue;
    if (*count == 8) return malformed(c, "too many headers");
    (*out)[*count].key = hf_host()->intern(c, key, SIZE_MAX);
    (*out)[(*count)++].value = hf_host()->intern(c, text, SIZE_MAX);
  }
  return HF_OK;
}

static bool number(const json_t *value, uint64_t *out) {
  const char *text = json_string_value(value);
  char *end;
  if (json_is_integer(value) && json_integer_value(value) > 0) {
    *out = (uint64_t)json_integer_value(value);
    return true;
  }
  if (!text || *text < '0' || *text > '9') return false;
  errno = 0;
  *out = strtoull(text, &end, 10);
  return !errno && !*end && *out > 0;
}

static hf_status strange(hf_call *c) {
  return hf_hub_fail(c, HF_EPROTO, "ValueError", "Invalid server response to upload large LFS file");
}

static hf_status make_parts(struct hf_hub *hub, hf_call *c, const json_t *header, uint64_t chunk, uint64_t size,
                            struct hf_hub_target *t) {
  uint64_t count = size / chunk + (size % chunk != 0);
  uint64_t given = 0;
  const char *key;
  json_t *value;
  if (count > PARTS_MOST) return malformed(c, "more parts than any server takes");
  t->parts = hf_host()->arena(c, (count + 1) * sizeof *t->parts);
  t->etags = hf_host()->arena(c, (count + 1) * sizeof *t->etags);
  if (!t->parts || !t->etags) return HF_ENOMEM;
  json_object_foreach((json_t *)(uintptr_t)header, key, value) {
    const char *url = json_string_value(value);
    if (!*key || key[strspn(key, "0123456789")]) continue;
    unsigned long long i = strtoull(key, NULL, 10) - 1;
    if (i >= count || !url || t->parts[i].url) return strange(c);
    t->parts[i] =
        (struct hf_tr_part){own_url(hub, c, url), i * chunk, size - i * chunk < chunk ? size - i * chunk : chunk};
    if (!t->parts[i].url) return HF_ENOMEM;
    given++;
  }
  if (given != count) return strange(c);
  t->part_count = (uint32_t)count;
  return HF_OK;
}

/* "2026-11-24T07:00:00Z" */
static bool date(const char *text, int64_t *out) {
  struct tm t = {0};
  if (!text ||
      sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec) != 6)
    return false;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  *out = timegm(&t);
  return *out > 0;
}

/* How long S3's own signature lasts: "X-Amz-Date=20261124T070000Z" and "X-Amz-Expires=86400". */
static bool signed_until(const char *url, int64_t *out) {
  const char *when = url ? strstr(url, "X-Amz-Date=") : NULL, *lasts = url ? strstr(url, "X-Amz-Expires=") : NULL;
  struct tm t = {0};
  if (!when || !lasts ||
      sscanf(when + 11, "%4d%2d%2dT%2d%2d%2d", &t.tm_year, &t.tm_mon, &t.tm_mday, &t.tm_hour, &t.tm_min, &t.tm_sec) !=
          6)
    return false;
  t.tm_year -= 1900;
  t.tm_mon -= 1;
  unsigned long seconds = strtoul(lasts + 14, NULL, 10);
  *out = timegm(&t) + (int64_t)(seconds < 30 * 86400 ? seconds : 30 * 86400);
  return true;
}

static int64_t expiry(const json_t *action, const struct hf_hub_target *t) {
  int64_t until = (int64_t)time(NULL) + LASTS, other;
  json_t *in = json_object_get(action, "expires_in");
  if (json_is_integer(in) && json_integer_value(in) > 0 && json_integer_value(in) < 30 * 86400)
    until = (int64_t)time(NULL) + json_integer_value(in);
  else if (date(hf_hub_get(action, "expires_at"), &other) ||
           signed_until(t->part_count ? t->parts[0].url : NULL, &other))
    until = other;
  return until;
}

hf_status hf_hub_target_read(struct hf_hub *hub, hf_call *c, const json_t *object, uint64_t size,
                             struct hf_hub_target *t) {
  json_t *actions = json_object_get(object, "actions"), *upload = json_object_get(actions, "upload");
  json_t *verify = json_object_get(actions, "verify"), *header = json_object_get(upload, "header"), *chunk;
  const char *href = hf_hub_get(upload, "href"), *verify_href = hf_hub_get(verify, "href");
  uint64_t bytes;
  *t = (struct hf_hub_target){0};
  if (!href) return malformed(c, "no \"href\"");
  if (verify && !verify_href) return malformed(c, "no \"href\" to verify");
  href = own_url(hub, c, href);
  if (!href) return HF_ENOMEM;
  if ((chunk = json_object_get(header, "chunk_size"))) {
    if (!number(chunk, &bytes))
      return hf_hub_fail(c, HF_EPROTO, "ValueError",
                         "Malformed response from LFS batch endpoint: `chunk_size` should be an integer.");
    TRY(make_parts(hub, c, header, bytes, size, t));
    t->complete_url = href;
  } else {
    t->url = href;
  }
  TRY(read_headers(hub, c, t->part_count ? NULL : header, href, &t->headers, &t->header_count));
  if (verify_href) {
    t->verify_url = own_url(hub, c, verify_href);
    if (!t->verify_url) return HF_ENOMEM;
    TRY(read_headers(hub, c, json_object_get(verify, "header"), t->verify_url, &t->verify_headers, &t->verify_count));
  }
  t->expires = expiry(upload, t);
  return HF_OK;
}

/* ---- keeping ------------------------------------------------------------------------------------------------------------ */

struct hf_hub_saved {
  int fd;
  char *path;
  pthread_mutex_t lock;
};

static uint64_t mix(uint64_t h, const char *text) {
  for (; *text; text++) h = (h ^ (unsigned char)*text) * 1099511628211u;
  return (h ^ 0xff) * 1099511628211u;
}

static const char *note_path(struct hf_hub *hub, hf_call *c, const struct hf_repo *repo, const char *oid) {
  const char *home = hf_hub_home(c);
  uint64_t h = mix(mix(mix(14695981039346656037u, hub->endpoint), repo->type), repo->id);
  return home ? hf_hub_text(c, "%s/.upload/parts/%s-%016llx", home, oid, (unsigned long long)h) : NULL;
}

static bool folders(const char *path) {
  char part[4096];
  for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
    if ((size_t)(p - path) >= sizeof part) return false;
    memcpy(part, path, (size_t)(p - path));
    part[p - path] = 0;
    bool ours = strstr(part, "/.upload") != NULL;
    if (mkdir(part, ours ? 0700 : 0777) != 0 && errno != EEXIST) return false;
  }
  return true;
}

static char *read_note(int fd, size_t *len) {
  struct stat st;
  if (fstat(fd, &st) != 0 || st.st_size <= 0 || st.st_size > NOTE_LARGEST) return NULL;
  char *text = malloc((size_t)st.st_size + 1);
  ssize_t got = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;
  if (got <= 0) return free(text), NULL;
  text[got] = 0;
  *len = (size_t)got;
  return text;
}

/* First line: the target; then "NUMBER ETAG" for each part that is there. The last line counts only when it is whole. */
static bool recall(struct hf_hub *hub, hf_call *c, int fd, uint64_t size, struct hf_hub_target *t) {
  size_t len = 0;
  char *text = read_note(fd, &len), *end = text ? strchr(text, '\n') : NULL;
  json_t *note = end ? json_loadb(text, (size_t)(end - text), 0, NULL) : NULL;
  json_t *expires = json_object_get(note, "expires");
  bool good = json_is_integer(expires) && json_integer_value(expires) > (json_int_t)time(NULL) + MARGIN &&
              json_integer_value(json_object_get(note, "size")) == (json_int_t)size &&
              hf_hub_target_read(hub, c, note, size, t) == HF_OK && t->part_count;
  if (good) t->expires = json_integer_value(expires);
  json_decref(note);
  for (char *p = good ? end + 1 : NULL; p && *p && (end = strchr(p, '\n')); p = end + 1) {
    char *etag;
    unsigned long part = strtoul(p, &etag, 10);
    *end = 0;
    if (*etag == ' ' && etag[1] && part < t->part_count) t->etags[part] = hf_host()->intern(c, etag + 1, SIZE_MAX);
  }
  free(text);
  hf_host()->clear(c);
  return good;
}

/* Once per program: targets of uploads that nobody finished are secrets no longer needed. */
static void sweep(const char *note) {
  static atomic_flag swept = ATOMIC_FLAG_INIT;
  const char *slash = strrchr(note, '/');
  char path[4096];
  struct stat st;
  if (atomic_flag_test_and_set(&swept)) return;
  snprintf(path, sizeof path, "%.*s", (int)(slash - note), note);
  DIR *d = opendir(path);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) continue;
    if (st.st_mtime < time(NULL) - FORGET_AFTER) unlinkat(dirfd(d), e->d_name, 0);
  }
  if (d) closedir(d);
}

struct hf_hub_saved *hf_hub_target_open(struct hf_hub *hub, hf_call *c, const struct hf_repo *repo, const char *oid,
                                        uint64_t size, struct hf_hub_target *t, bool *known) {
  *known = false;
  if (size < KEEP_FROM) return NULL;
  const char *path = note_path(hub, c, repo, oid);
  if (!path || !folders(path)) return NULL;
  sweep(path);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct hf_hub_saved *s = fd >= 0 ? calloc(1, sizeof *s) : NULL;
  if (!s || !(s->path = strdup(path)) || flock(fd, LOCK_EX | LOCK_NB) != 0) { /* another process is sending it */
    if (fd >= 0) close(fd);
    if (s) free(s->path);
    free(s);
    return NULL;
  }
  s->fd = fd;
  pthread_mutex_init(&s->lock, NULL);
  *known = recall(hub, c, fd, size, t);
  return s;
}

static void write_note(struct hf_hub_saved *s, const char *text, size_t len) {
  while (len) {
    ssize_t n = write(s->fd, text, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break; /* what is not kept is sent again */
    text += n;
    len -= (size_t)n;
  }
}

void hf_hub_target_save(struct hf_hub_saved *s, const struct hf_hub_target *t) {
  if (!s) return;
  pthread_mutex_lock(&s->lock);
  if (ftruncate(s->fd, 0) == 0 && lseek(s->fd, 0, SEEK_SET) == 0 && t->part_count) {
    uint64_t size = t->parts[t->part_count - 1].off + t->parts[t->part_count - 1].len;
    json_t *header = json_pack("{s:I}", "chunk_size", (json_int_t)t->parts[0].len), *note;
    char name[24];
    for (uint32_t i = 0; i < t->part_count; i++) {
      snprintf(name, sizeof name, "%u", i + 1);
      json_object_set_new(header, name, json_string(t->parts[i].url));
    }
    json_t *actions = json_pack("{s:{s:s, s:o}}", "upload", "href", t->complete_url, "header", header);
    if (t->verify_url) json_object_set_new(actions, "verify", json_pack("{s:s}", "href", t->verify_url));
    note =
        json_pack("{s:I, s:I, s:o}", "expires", (json_int_t)t->expires, "size", (json_int_t)size, "actions", actions);
    char *text = note ? json_dumps(note, JSON_COMPACT) : NULL;
    if (text) write_note(s, text, strlen(text)), write_note(s, "\n", 1);
    free(text);
    json_decref(note);
  }
  pthread_mutex_unlock(&s->lock);
}

void hf_hub_target_part(struct hf_hub_saved *s, uint32_t part, const char *etag) {
  char line[600];
  if (!s || strpbrk(etag, "\r\n")) return;
  int n = snprintf(line, sizeof line, "%u %s\n", part, etag);
  if (n < 0 || n >= (int)sizeof line) return;
  pthread_mutex_lock(&s->lock);
  if (lseek(s->fd, 0, SEEK_END) > 0) write_note(s, line, (size_t)n);
  pthread_mutex_unlock(&s->lock);
}

void hf_hub_target_close(struct hf_hub_saved *s, bool finished) {
  struct stat st;
  if (!s) return;
  if (finished || (fstat(s->fd, &st) == 0 && st.st_size == 0)) unlink(s->path);
  close(s->fd);
  pthread_mutex_destroy(&s->lock);
  free(s->path);
  free(s);
}

void hf_hub_targets_forget(struct hf_hub *hub, const struct hf_repo *repo, const struct hf_hub_ops *ops) {
  hf_call *c = hub->call;
  const char *home = hf_hub_home(c), *folder = home ? hf_hub_text(c, "%s/.upload/parts", home) : NULL;
  if (!folder || access(folder, F_OK) != 0) return;
  for (uint32_t i = 0; i < ops->count; i++) {
    const struct hf_hub_op *op = &ops->rows[i];
    char oid[65];
    if (!(op->flags & HF_OP_UNCHANGED) || !(op->flags & HF_OP_SHA256) || op->stamp.size < KEEP_FROM) continue;
    for (int b = 0; b < 32; b++) snprintf(oid + 2 * b, 3, "%02x", op->sha256[b]);
    const char *path = note_path(hub, c, repo, oid);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (fd < 0) continue;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(path);
    close(fd);
  }
}
