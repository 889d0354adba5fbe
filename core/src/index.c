/* index.c - one file in the user's cache folder that remembers what plugin files say about themselves, so that a list of
 * plugins opens none of them. An entry counts while path, device, inode, size and both times are unchanged; the loader
 * reads the file again anyway before it runs it. A damaged or foreign index is empty; without a folder all works the same. */
#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A first index is made when it saves something: a few files are read faster than an index is written. */
enum { INDEX_WORTH = 8, INDEX_MAX = 8 << 20, ENTRIES_MAX = 2048 };
#define INDEX_MAGIC UINT64_C(0x3130584449464148) /* "HAFIDX01" */

struct entry {
  char *path;
  struct hf_file_key key;
  struct hf_facts *facts;
  bool used;
};
struct hf_index {
  char file[PATH_MAX]; /* "": nowhere to keep it */
  struct entry *rows;
  uint32_t count, room, fresh;
  bool kept; /* there was one */
};

/* On disk: the head, then per entry a record, its path, its refusal, its modules. Native order: the file is private to
 * this machine and user, and `print` differs where the layout does. */
struct disk_head {
  uint64_t magic, sum;
  uint32_t print, count;
};
struct disk_entry {
  struct hf_file_key key;
  uint32_t path_len, why_len, modules;
  uint16_t abi_major, abi_minor;
  char plugin[32], version[24];
};

struct hf_file_key hf_file_key(const struct stat *st) {
  return (struct hf_file_key){.dev = (uint64_t)st->st_dev,
                              .ino = (uint64_t)st->st_ino,
                              .size = (uint64_t)st->st_size,
                              .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
                              .ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec};
}

static uint32_t print_of_layout(void) {
  return HF_ABI_PRINT ^ (uint32_t)sizeof(struct disk_entry) << 24 ^ HF_ABI_MAJOR << 4 ^ HF_ABI_MINOR << 8;
}

static uint64_t sum_of(const uint8_t *d, size_t len) {
  uint64_t h = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < len; i++) h = (h ^ d[i]) * UINT64_C(0x100000001b3);
  return h;
}

static bool add(struct hf_index *ix, char *path, const struct hf_file_key *key, struct hf_facts *facts, bool used) {
  if (path && facts && ix->count == ix->room && ix->room < ENTRIES_MAX) {
    uint32_t room = ix->room ? ix->room * 2 : 32;
    struct entry *rows = hf_mem_resize(ix->rows, room * sizeof *rows);
    if (rows) ix->rows = rows, ix->room = room;
  }
  if (!path || !facts || ix->count == ix->room) {
    hf_mem_free(path);
    hf_mem_free(facts);
    return false;
  }
  ix->rows[ix->count++] = (struct entry){.path = path, .key = *key, .facts = facts, .used = used};
  return true;
}

/* The next len bytes; NULL when they are not there. */
static const uint8_t *take(const uint8_t **at, const uint8_t *end, size_t len) {
  const uint8_t *p = *at;
  if ((size_t)(end - p) < len) return NULL;
  *at = p + len;
  return p;
}

static void parse(struct hf_index *ix, const uint8_t *d, size_t len) {
  struct disk_head h;
  if (len < sizeof h) return;
  memcpy(&h, d, sizeof h);
  if (h.magic != INDEX_MAGIC || h.print != print_of_layout() || h.sum != sum_of(d + sizeof h, len - sizeof h)) return;
  const uint8_t *at = d + sizeof h, *end = d + len;
  for (uint32_t i = 0; i < h.count; i++) {
    const uint8_t *rec = take(&at, end, sizeof(struct disk_entry));
    if (!rec) return;
    struct disk_entry e;
    memcpy(&e, rec, sizeof e);
    if (e.path_len >= PATH_MAX || e.why_len >= HF_WHY_MAX || e.modules > HF_MODULES_MAX) return;
    const uint8_t *path = take(&at, end, e.path_len), *why = take(&at, end, e.why_len);
    const uint8_t *mods = take(&at, end, e.modules * sizeof(struct hf_note_module));
    if (!path || !why || !mods) return;
    struct hf_facts *f = hf_mem_alloc(sizeof *f);
    if (f) {
      f->abi_major = e.abi_major, f->abi_minor = e.abi_minor, f->count = e.modules;
      memcpy(f->plugin, e.plugin, sizeof f->plugin - 1);
      memcpy(f->version, e.version, sizeof f->version - 1);
      memcpy(f->why, why, e.why_len);
      memcpy(f->modules, mods, e.modules * sizeof(struct hf_note_module));
      for (uint32_t m = 0; m < f->count; m++) {
        f->modules[m].name[sizeof f->modules[m].name - 1] = 0;
        f->modules[m].commands[sizeof f->modules[m].commands - 1] = 0;
      }
    }
    if (!add(ix, hf_mem_dup((const char *)path, e.path_len), &e.key, f, false)) return;
    ix->kept = true;
  }
}

/* $XDG_CACHE_HOME/hf or ~/.cache/hf, made when asked for. */
static bool index_file(char *out, size_t len, bool make) {
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  bool has_xdg = xdg && xdg[0] == '/';
  if (hf_privileged() || (!has_xdg && (!home || home[0] != '/'))) return false;
  int n = snprintf(out, len, "%s%s", has_xdg ? xdg : home, has_xdg ? "" : "/.cache");
  if (n < 0 || (size_t)n + sizeof "/hf/plugins.index" > len) return false;
  if (make) mkdir(out, 0700);
  memcpy(out + n, "/hf", 4);
  if (make && mkdir(out, 0700) && errno != EEXIST) return false;
  memcpy(out + n, "/hf/plugins.index", sizeof "/hf/plugins.index");
  return true;
}

static uint8_t *read_all(int fd, size_t len) {
  uint8_t *d = hf_mem_alloc(len + 1);
  for (size_t done = 0; d && done < len;) {
    ssize_t n = read(fd, d + done, len - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      hf_mem_free(d);
      return NULL;
    }
    done += (size_t)n;
  }
  return d;
}

struct hf_index *hf_index_open(void) {
  struct hf_index *ix = hf_mem_alloc(sizeof *ix);
  if (!ix) return NULL;
  if (!index_file(ix->file, sizeof ix->file, false)) {
    ix->file[0] = 0;
    return ix;
  }
  int fd = open(ix->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat st;
  if (fd < 0) return ix;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 0022) &&
      st.st_size <= INDEX_MAX) {
    uint8_t *d = read_all(fd, (size_t)st.st_size);
    if (d) parse(ix, d, (size_t)st.st_size);
    hf_mem_free(d);
  }
  close(fd);
  return ix;
}

static struct entry *find(const struct hf_index *ix, const char *path) {
  for (uint32_t i = 0; i < ix->count; i++)
    if (strcmp(ix->rows[i].path, path) == 0) return &ix->rows[i];
  return NULL;
}

const struct hf_facts *hf_index_find(const struct hf_index *ix, const char *path, const struct hf_file_key *key) {
  struct entry *e = find(ix, path);
  if (!e || memcmp(&e->key, key, sizeof *key) != 0) return NULL;
  e->used = true;
  return e->facts;
}

void hf_index_add(struct hf_index *ix, const char *path, const struct hf_file_key *key, const struct hf_facts *facts) {
  struct entry *e = find(ix, path);
  struct hf_facts *copy = hf_mem_alloc(sizeof *copy);
  if (copy) memcpy(copy, facts, sizeof *copy);
  ix->fresh++;
  if (e && copy) {
    hf_mem_free(e->facts);
    e->key = *key, e->facts = copy, e->used = true;
  } else if (e) {
    e->used = false;
    memset(&e->key, 0, sizeof e->key);
  } else {
    add(ix, hf_mem_dup(path, SIZE_MAX), key, copy, true);
  }
}

static void write_entry(struct hf_text_buf *b, const struct entry *e) {
  struct disk_entry d = {.key = e->key,
                         .path_len = (uint32_t)strlen(e->path),
                         .why_len = (uint32_t)strlen(e->facts->why),
                         .modules = e->facts->count,
                         .abi_major = e->facts->abi_major,
                         .abi_minor = e->facts->abi_minor};
  memcpy(d.plugin, e->facts->plugin, sizeof d.plugin);
  memcpy(d.version, e->facts->version, sizeof d.version);
  hf_text_add(b, (const char *)&d, sizeof d);
  hf_text_add(b, e->path, d.path_len);
  hf_text_add(b, e->facts->why, d.why_len);
  hf_text_add(b, (const char *)e->facts->modules, d.modules * sizeof(struct hf_note_module));
}

static bool write_all(int fd, const char *d, size_t len) {
  for (size_t done = 0; done < len;) {
    ssize_t n = write(fd, d + done, len - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

/* Entries of files that were not asked for stay while there is room: another run may search other folders. */
static void save(struct hf_index *ix) {
  struct hf_text_buf b;
  struct disk_head h = {.magic = INDEX_MAGIC, .print = print_of_layout()};
  hf_text_init(&b, INDEX_MAX);
  hf_text_add(&b, (const char *)&h, sizeof h);
  for (int pass = 1; pass >= 0; pass--)
    for (uint32_t i = 0; i < ix->count && h.count < ENTRIES_MAX / 2; i++)
      if (ix->rows[i].used == (pass == 1)) write_entry(&b, &ix->rows[i]), h.count++;
  char tmp[PATH_MAX + 32];
  int n = snprintf(tmp, sizeof tmp, "%s.%ld", ix->file, (long)getpid());
  if (!b.failed && n > 0 && (size_t)n < sizeof tmp) {
    h.sum = sum_of((const uint8_t *)b.data + sizeof h, b.len - sizeof h);
    memcpy(b.data, &h, sizeof h);
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0) {
      bool ok = write_all(fd, b.data, b.len);
      ok = close(fd) == 0 && ok;
      if (!ok || rename(tmp, ix->file)) unlink(tmp);
    } else if (errno == EEXIST) {
      unlink(tmp); /* left by a process that died under our number */
    }
  }
  hf_text_free(&b);
}

void hf_index_close(struct hf_index *ix) {
  if (!ix) return;
  if (ix->fresh >= (ix->kept ? 1 : INDEX_WORTH) && ix->file[0] && index_file(ix->file, sizeof ix->file, true)) save(ix);
  for (uint32_t i = 0; i < ix->count; i++) {
    hf_mem_free(ix->rows[i].path);
    hf_mem_free(ix->rows[i].facts);
  }
  hf_mem_free(ix->rows);
  hf_mem_free(ix);
}
