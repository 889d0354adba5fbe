/* tree.c - reads the listing of a commit (trees/COMMIT.json) as the reference client
 * writes it. The text is parsed in place, without recursion and within stated bounds;
 * anything odd makes the listing unknown, which only costs asking the Hub again. */
#include "posix.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH 8

struct reader {
  char *p, *end;
};

static void space(struct reader *r) {
  while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')) r->p++;
}

static bool is(struct reader *r, char ch) {
  space(r);
  if (r->p >= r->end || *r->p != ch) return false;
  r->p++;
  return true;
}

static bool word(struct reader *r, const char *w) {
  size_t n = strlen(w);
  space(r);
  if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n)) return false;
  r->p += n;
  return true;
}

static bool hex4(const char *p, uint32_t *out) {
  *out = 0;
  for (int i = 0; i < 4; i++) {
    const char *at = strchr("0123456789abcdef0123456789ABCDEF", p[i]);
    if (!p[i] || !at) return false;
    *out = *out << 4 | (uint32_t)((at - "0123456789abcdef0123456789ABCDEF") & 15);
  }
  return true;
}

static char *utf8(char *o, uint32_t u) {
  if (u < 0x80) {
    *o++ = (char)u;
  } else if (u < 0x800) {
    *o++ = (char)(0xc0 | u >> 6);
    *o++ = (char)(0x80 | (u & 63));
  } else if (u < 0x10000) {
    *o++ = (char)(0xe0 | u >> 12);
    *o++ = (char)(0x80 | (u >> 6 & 63));
    *o++ = (char)(0x80 | (u & 63));
  } else {
    *o++ = (char)(0xf0 | u >> 18);
    *o++ = (char)(0x80 | (u >> 12 & 63));
    *o++ = (char)(0x80 | (u >> 6 & 63));
    *o++ = (char)(0x80 | (u & 63));
  }
  return o;
}

/* One \uXXXX at r->p behind the u, pairs joined; 0 when it is half of a pair or a NUL. */
static uint32_t code_point(struct reader *r) {
  uint32_t u, low;
  if (r->end - r->p < 4 || !hex4(r->p, &u)) return 0;
  r->p += 4;
  if (u < 0xd800 || u > 0xdfff) return u;
  if (u > 0xdbff || r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u' || !hex4(r->p + 2, &low) || low < 0xdc00 ||
      low > 0xdfff)
    return 0;
  r->p += 6;
  return 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
}

/* A string, decoded over itself and NUL-terminated; NULL when it is none. */
static char *string(struct reader *r) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (!is(r, '"')) return NULL;
  char *text = r->p, *o = r->p;
  while (r->p < r->end && *r->p != '"') {
    char ch = *r->p++;
    if ((unsigned char)ch < ' ') return NULL;
    if (ch == '\\') {
      if (r->p >= r->end) return NULL;
      ch = *r->p++;
      if (ch == 'u') {
        uint32_t u = code_point(r);
        if (!u) return NULL;
        o = utf8(o, u);
        continue;
      }
      const char *at = ch ? strchr(from, ch) : NULL;
      if (!at) return NULL;
      ch = to[at - from];
    }
    *o++ = ch;
  }
  if (r->p >= r->end) return NULL;
  r->p++;
  *o = 0;
  return text;
}

static bool number(struct reader *r, uint64_t *out) {
  space(r);
  const char *from = r->p;
  uint64_t n = 0;
  for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++) {
    if (n > (INT64_MAX - 9) / 10) return false;
    n = n * 10 + (uint64_t)(*r->p - '0');
  }
  *out = n;
  return r->p > from && (r->p >= r->end || !strchr(".eE", *r->p));
}

/* Skips any value, at most DEPTH deep. */
static bool skip(struct reader *r) {
  int depth = 0;
  do {
    space(r);
    if (r->p >= r->end) return false;
    char ch = *r->p;
    if (ch == '"') {
      if (!string(r)) return false;
    } else if (ch == '{' || ch == '[') {
      r->p++;
      if (++depth > DEPTH) return false;
    } else if (ch == '}' || ch == ']') {
      r->p++;
      if (--depth < 0) return false;
    } else if (ch == ',' || ch == ':') {
      if (!depth) return false;
      r->p++;
    } else {
      char *from = r->p;
      while (r->p < r->end && !strchr(",:{}[]\" \n\t\r", *r->p)) r->p++;
      if (r->p == from) return false;
    }
  } while (depth);
  return true;
}

static bool text_or_null(struct reader *r, const char **out) {
  *out = NULL;
  return word(r, "null") || (*out = string(r)) != NULL;
}

static bool entry(struct reader *r, struct hf_tree_entry *e) {
  bool size = false, id = false;
  if (!is(r, '{')) return false;
  for (bool first = true; !is(r, '}'); first = false) {
    char *key;
    if ((!first && !is(r, ',')) || !(key = string(r)) || !is(r, ':')) return false;
    if (!strcmp(key, "size")) {
      if (!number(r, &e->size)) return false;
      size = true;
    } else if (!strcmp(key, "blob_id")) {
      if (!text_or_null(r, &e->blob_id)) return false;
      id = true;
    } else if (!strcmp(key, "lfs_sha256")) {
      if (!text_or_null(r, &e->lfs_sha256)) return false;
    } else if (!strcmp(key, "lfs_size")) {
      if (!word(r, "null") && !number(r, &e->lfs_size)) return false;
    } else if (!strcmp(key, "xet_hash")) {
      if (!text_or_null(r, &e->xet_hash)) return false;
    } else if (!skip(r)) {
      return false;
    }
  }
  return size && id && (!e->xet_hash || hf_hex_is(e->xet_hash, 64));
}

struct list {
  struct hf_tree_entry *rows;
  uint32_t count, room;
};

static bool files(struct reader *r, struct list *l) {
  l->count = 0;
  if (!is(r, '{')) return false;
  for (bool first = true; !is(r, '}'); first = false) {
    if (!first && !is(r, ',')) return false;
    if (l->count == l->room) {
      uint32_t room = l->room ? l->room * 2 : 64;
      void *more = H->resize(l->rows, room * sizeof *l->rows);
      if (!more) return false;
      l->rows = more;
      l->room = room;
    }
    struct hf_tree_entry *e = &l->rows[l->count++];
    *e = (struct hf_tree_entry){.struct_size = sizeof *e, .lfs_size = HF_SIZE_UNKNOWN};
    e->path = string(r);
    if (!e->path || !hf_path_safe(e->path) || !is(r, ':') || !entry(r, e)) return false;
  }
  return true;
}

static bool listing(struct reader *r, struct list *l) {
  uint64_t version = 0;
  bool have = false;
  if (!is(r, '{')) return false;
  for (bool first = true; !is(r, '}'); first = false) {
    char *key;
    if ((!first && !is(r, ',')) || !(key = string(r)) || !is(r, ':')) return false;
    if (!strcmp(key, "format_version")) {
      if (!number(r, &version)) return false;
    } else if (!strcmp(key, "files")) {
      if (!files(r, l)) return false;
      have = true;
    } else if (!skip(r)) {
      return false;
    }
  }
  space(r);
  return have && version == 1 && r->p == r->end;
}

int hf_tree_by_path(const void *a, const void *b) {
  return strcmp(((const struct hf_tree_entry *)a)->path, ((const struct hf_tree_entry *)b)->path);
}

static bool ordered(struct list *l) {
  bool sorted = true;
  for (uint32_t i = 1; i < l->count && sorted; i++) sorted = strcmp(l->rows[i - 1].path, l->rows[i].path) < 0;
  if (sorted) return true;
  qsort(l->rows, l->count, sizeof *l->rows, hf_tree_by_path);
  for (uint32_t i = 1; i < l->count; i++)
    if (!strcmp(l->rows[i - 1].path, l->rows[i].path)) return false;
  return true;
}

hf_status hf_tree_load(hf_call *c, struct hf_root *root, const char *rel,
                       bool (*present)(void *, const struct hf_tree_entry *), void *arg, hf_slot *slot) {
  size_t len = 0;
  struct list l = {0};
  char *text = hf_root_read(root, rel, HF_TREE_BYTES, &len);
  if (!text)
    return errno == EACCES ? hf_root_fail(c, root, errno, "read", rel)
                           : H->failf(c, HF_ENOTFOUND, "No listing is stored at %s/%s.", root->path, rel);
  struct reader r = {text, text + len};
  hf_status st = HF_OK;
  if (!listing(&r, &l) || !ordered(&l)) {
    H->log(c, HF_LOG_WARNING, "Ignoring corrupted tree cache file %s/%s", root->path, rel);
    st = H->failf(c, HF_ENOTFOUND, "The listing at %s/%s is damaged or of another version.", root->path, rel);
  }
  for (uint32_t i = 0; i < l.count && st == HF_OK; i++) {
    l.rows[i].present = present(arg, &l.rows[i]);
    st = H->put(slot, HF_PUT_ENTRY, &l.rows[i], sizeof l.rows[i]);
  }
  H->release(l.rows);
  H->release(text);
  return st;
}
