/* tree_write.c - writes the listing of a commit byte for byte as the reference client's JSON encoder does.
 * Indent 1, paths ascending, everything beyond printable ASCII escaped, characters above 16 bits as pairs.
 * A listing with a malformed Xet hash is not stored: readers would refuse it whole. */
#include "posix.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text {
  char *data;
  size_t len, room;
  bool failed;
};

static void add(struct text *t, const char *s, size_t n) {
  if (t->failed) return;
  if (t->len + n + 1 > t->room) {
    size_t room = (t->len + n + 1) * 2;
    char *more = room < HF_TREE_BYTES * 2u ? H->resize(t->data, room) : NULL;
    if (!more) {
      t->failed = true;
      return;
    }
    t->data = more;
    t->room = room;
  }
  memcpy(t->data + t->len, s, n);
  t->len += n;
  t->data[t->len] = 0;
}

static void adds(struct text *t, const char *s) {
  add(t, s, strlen(s));
}

static void unit(struct text *t, uint32_t u) {
  char buf[8];
  hf_format(buf, sizeof buf, "\\u%04x", (unsigned)u);
  adds(t, buf);
}

/* Next code point of valid UTF-8; malformed bytes stand for themselves, which keeps the text valid JSON. */
static uint32_t next(const unsigned char **p) {
  uint32_t u = *(*p)++;
  int more = u >= 0xf0 ? 3 : u >= 0xe0 ? 2 : u >= 0xc0 ? 1 : 0;
  if (more) u &= 0x3fu >> more;
  for (; more && (**p & 0xc0) == 0x80; more--) u = u << 6 | (*(*p)++ & 63u);
  return u;
}

static void quoted(struct text *t, const char *s) {
  static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
  const unsigned char *p = (const unsigned char *)s;
  adds(t, "\"");
  while (*p) {
    const unsigned char *from = p;
    while (*p >= ' ' && *p < 0x7f && *p != '"' && *p != '\\') p++;
    if (p > from) add(t, (const char *)from, (size_t)(p - from));
    if (!*p) break;
    const char *at = strchr(plain, *p);
    if (at) {
      add(t, (char[]){'\\', letter[at - plain]}, 2);
      p++;
      continue;
    }
    uint32_t u = next(&p);
    if (u > 0xffff) {
      unit(t, 0xd800 + ((u - 0x10000) >> 10 & 0x3ff));
      unit(t, 0xdc00 + (u & 0x3ff));
    } else {
      unit(t, u);
    }
  }
  adds(t, "\"");
}

static void member(struct text *t, bool first, const char *key, const char *value) {
  adds(t, first ? "\n   \"" : ",\n   \"");
  adds(t, key);
  adds(t, "\": ");
  if (value)
    quoted(t, value);
  else
    adds(t, "null");
}

static void count_member(struct text *t, bool first, const char *key, uint64_t n) {
  char buf[64];
  if (n == HF_SIZE_UNKNOWN) {
    member(t, first, key, NULL);
    return;
  }
  hf_format(buf, sizeof buf, "%s\n   \"%s\": %llu", first ? "" : ",", key, (unsigned long long)n);
  adds(t, buf);
}

static void file(struct text *t, const struct hf_tree_entry *e, bool first) {
  adds(t, first ? "\n  " : ",\n  ");
  quoted(t, e->path);
  adds(t, ": {");
  count_member(t, true, "size", e->size);
  member(t, false, "blob_id", e->blob_id);
  if (e->lfs_sha256) {
    member(t, false, "lfs_sha256", e->lfs_sha256);
    count_member(t, false, "lfs_size", e->lfs_size);
  }
  if (e->xet_hash) member(t, false, "xet_hash", e->xet_hash);
  adds(t, "\n  }");
}

hf_status hf_tree_text(hf_call *c, struct hf_table in, char **text, size_t *len) {
  struct text t = {0};
  hf_status st = HF_OK;
  struct hf_tree_entry *rows = hf_zalloc(c, (in.count ? in.count : 1) * sizeof *rows);
  if (!rows) return HF_ENOMEM;
  size_t n = in.stride < sizeof *rows ? in.stride : sizeof *rows;
  for (uint32_t i = 0; i < in.count && st == HF_OK; i++) {
    memcpy(&rows[i], (const char *)in.rows + (size_t)i * in.stride, n);
    if (!rows[i].path || (rows[i].xet_hash && !hf_hex_is(rows[i].xet_hash, 64)))
      st = H->failf(c, HF_EINVAL, "The listing has a file without a path or with a malformed Xet hash.");
  }
  if (st == HF_OK) {
    qsort(rows, in.count, sizeof *rows, hf_tree_by_path);
    adds(&t, "{\n \"format_version\": 1,\n \"files\": {");
    for (uint32_t i = 0; i < in.count; i++) file(&t, &rows[i], i == 0);
    adds(&t, in.count ? "\n }\n}" : "}\n}");
    if (t.failed) st = H->failf(c, HF_ENOMEM, "The listing of %u files does not fit into memory.", in.count);
  }
  H->release(rows);
  if (st != HF_OK) {
    H->release(t.data);
    return st;
  }
  *text = t.data;
  *len = t.len;
  return HF_OK;
}

hf_status hf_tree_store(hf_call *c, struct hf_root *root, const char *temp_dir, const char *rel, struct hf_table in,
                        bool durable) {
  char *text = NULL;
  size_t len = 0;
  for (uint32_t i = 0; i < in.count; i++) { /* the reference quietly keeps no such listing either */
    const struct hf_tree_entry *e = (const void *)((const char *)in.rows + (size_t)i * in.stride);
    if (!e->xet_hash || hf_hex_is(e->xet_hash, 64)) continue;
    H->log(c, HF_LOG_WARNING, "Not storing the file listing: %s has a malformed Xet hash", e->path);
    return HF_OK;
  }
  TRY(hf_tree_text(c, in, &text, &len));
  hf_status st = hf_file_put(c, root, temp_dir, rel, text, len, durable);
  H->release(text);
  return st;
}
