/* ops.c - the operations of a commit: collecting them, checking their paths as the reference does, and reading the bytes of an
 * addition from wherever they are.
 * Paths are judged before the first request; what no repo may hold never leaves this machine. */
#include "commit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { OPS_MOST = 20000000, PATH_LONGEST = 4096 };

void hf_hub_ops_free(struct hf_hub_ops *o) {
  for (uint32_t i = 0; i < o->count; i++) {
    free(o->rows[i].sums);
    free(o->rows[i].sample);
  }
  free(o->rows);
  *o = (struct hf_hub_ops){0};
}

struct hf_hub_op *hf_hub_op_new(hf_call *c, struct hf_hub_ops *o, uint8_t kind) {
  if (o->count == o->room) {
    uint32_t room = o->room ? o->room * 2 : 16;
    struct hf_hub_op *rows = room <= OPS_MOST * 2 ? realloc(o->rows, room * sizeof *rows) : NULL;
    if (!rows) {
      hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for the operations of a commit; commit fewer at once.");
      return NULL;
    }
    o->rows = rows;
    o->room = room;
  }
  struct hf_hub_op *op = &o->rows[o->count++];
  *op = (struct hf_hub_op){.kind = kind};
  return op;
}

/* ---- paths --------------------------------------------------------------------------------------------------------- */

/* Length of a UTF-8 sequence at s, 0: none. Overlong forms, surrogates and what lies behind U+10FFFF are none. */
static size_t utf8(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xf5 ? 0 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if (n == 3 && ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))) return 0;
  if (n == 4 && ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))) return 0;
  return n;
}

static bool is_utf8(const char *text) {
  for (const unsigned char *s = (const unsigned char *)text; *s;) {
    size_t n = utf8(s);
    if (!n) return false;
    s += n;
  }
  return true;
}

static hf_status refuse(hf_call *c, const char *path, const char *why) {
  return hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid `path_in_repo` in CommitOperation: '%.512s'%s", path, why);
}

hf_status hf_hub_check_target(hf_call *c, const char *path, const char **out) {
  static const char *const forbidden[] = {".git", ".cache"};
  if (!is_utf8(path)) return refuse(c, "(bytes that are not UTF-8)", ": a repo holds UTF-8 names; rename the file.");
  if (*path == '/') path++;
  if (!strcmp(path, ".")) return refuse(c, path, "");
  for (const char *p = path;;) {
    size_t n = strcspn(p, "/");
    if (n == 2 && !strncmp(p, "..", 2)) return refuse(c, path, "");
    if (!p[n]) break;
    p += n + 1;
  }
  if (!strncmp(path, "./", 2)) path += 2;
  for (const char *p = path;;) {
    size_t n = strcspn(p, "/");
    for (size_t i = 0; i < HF_COUNT(forbidden); i++)
      if (n == strlen(forbidden[i]) && !strncmp(p, forbidden[i], n))
        return hf_hub_fail(c, HF_EINVAL, "ValueError",
                           "Invalid `path_in_repo` in CommitOperation: cannot update files under a '%s/' folder "
                           "(path: '%.512s').",
                           forbidden[i], path);
    if (!n && p[n] == '/') return refuse(c, path, ": a name between two slashes is empty.");
    if (!p[n]) break;
    p += n + 1;
  }
  if (!*path) return refuse(c, path, ": it is empty; name a file.");
  if (strlen(path) > PATH_LONGEST) return refuse(c, path, ": it is longer than a repo can hold.");
  *out = path;
  return HF_OK;
}

/* ---- adding -------------------------------------------------------------------------------------------------------- */

static const char *kept(hf_call *c, const char *text) {
  return hf_host()->intern(c, text, SIZE_MAX);
}

hf_status hf_hub_check_file_target(hf_call *c, const char *path, const char **out) {
  TRY(hf_hub_check_target(c, path, out));
  if ((*out)[strlen(*out) - 1] == '/') return refuse(c, path, ": a file's name does not end with a slash.");
  *out = kept(c, *out);
  return *out ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_add_file(hf_call *c, struct hf_hub_ops *o, const char *path, const char *local) {
  struct stat st;
  const char *target;
  TRY(hf_hub_check_file_target(c, path, &target));
  if (stat(local, &st) != 0 || !S_ISREG(st.st_mode))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Provided path: '%s' is not a file on the local file system", local);
  struct hf_hub_op *op = hf_hub_op_new(c, o, HF_OP_ADD);
  if (!op) return HF_ENOMEM;
  op->path = target;
  op->local = kept(c, local);
  op->stamp.size = (uint64_t)st.st_size;
  return op->local ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_add_bytes(hf_call *c, struct hf_hub_ops *o, const char *path, const void *data, size_t len) {
  const char *target;
  TRY(hf_hub_check_file_target(c, path, &target));
  struct hf_hub_op *op = hf_hub_op_new(c, o, HF_OP_ADD);
  if (!op) return HF_ENOMEM;
  op->path = target;
  op->data = len ? data : "";
  op->stamp.size = len;
  return HF_OK;
}

hf_status hf_hub_add_deletion(hf_call *c, struct hf_hub_ops *o, const char *path, bool folder) {
  const char *target;
  TRY(hf_hub_check_target(c, path, &target));
  struct hf_hub_op *op = hf_hub_op_new(c, o, folder ? HF_OP_DELETE_FOLDER : HF_OP_DELETE_FILE);
  if (!op) return HF_ENOMEM;
  op->path = kept(c, target);
  return op->path ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_add_copy(hf_call *c, struct hf_hub_ops *o, const char *path, const struct hf_hub_copy *from) {
  const char *target, *source;
  TRY(hf_hub_check_file_target(c, path, &target));
  TRY(hf_hub_check_file_target(c, from->path, &source));
  struct hf_hub_op *op = hf_hub_op_new(c, o, HF_OP_COPY);
  struct hf_hub_copy *copy = op ? hf_host()->arena(c, sizeof *copy) : NULL;
  if (!copy) return HF_ENOMEM;
  *copy = *from;
  copy->path = source;
  op->path = target;
  op->copy = copy;
  return HF_OK;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

struct called {       /* a source whose bytes the caller gives */
  struct hf_source s; /* first */
  const struct hf_hub_op *op;
};

static hf_status called_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  const struct hf_hub_op *op = ((struct called *)s)->op;
  *got = 0;
  if (off >= s->size) return HF_OK;
  if (len > s->size - off) len = (size_t)(s->size - off);
  while (*got < len) {
    size_t n = 0;
    hf_status st = op->read(op->arg, (char *)buf + *got, len - *got, off + *got, &n);
    if (st != HF_OK)
      return hf_host()->error(c) ? st : hf_hub_fail(c, st, NULL, "The content of '%s' could not be given.", op->path);
    if (!n || n > len - *got)
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "The content of '%s' has not the size that was announced.",
                         op->path);
    *got += n;
  }
  return HF_OK;
}

static void called_close(struct hf_source *s) {
  free(s);
}

hf_status hf_hub_op_source(hf_call *c, const struct hf_hub_op *op, struct hf_source **out) {
  if (op->local) {
    uint32_t flags = HF_SOURCE_SEEN | (op->flags & HF_OP_GROWS ? HF_SOURCE_GROWS : 0);
    return hf_source_file(c, op->local, flags, op->flags & HF_OP_STAMPED ? &op->stamp : NULL, out, NULL);
  }
  if (!op->read) return hf_source_memory(c, op->path, op->data, (size_t)op->stamp.size, out);
  struct called *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  s->op = op;
  s->s = (struct hf_source){.struct_size = sizeof s->s,
                            .size = op->stamp.size,
                            .name = op->path,
                            .pread = called_pread,
                            .close = called_close};
  *out = &s->s;
  return HF_OK;
}

hf_status hf_hub_op_checked(hf_call *c, const struct hf_hub_op *op, uint32_t item, struct hf_source **out) {
  struct hf_source *raw;
  if (op->flags & HF_OP_WHOLE) return hf_source_memory(c, op->path, op->sample, (size_t)op->stamp.size, out);
  uint32_t block, count = hf_scan_blocks(op->stamp.size, &block);
  TRY(hf_hub_op_source(c, op, &raw));
  if (!(op->flags & HF_OP_SUMS)) {
    *out = raw; /* the journal knew its digest; its stamp is what shows a change */
    return HF_OK;
  }
  return hf_source_check(c, raw, block, op->sums ? op->sums : &op->sum, count, item, out);
}

hf_status hf_hub_op_text(hf_call *c, const struct hf_hub_op *op, size_t most, const char **text, size_t *len) {
  struct hf_source *s;
  size_t got = 0;
  if (op->stamp.size > most)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "'%s' is too large for what it is; keep it below %zu bytes.",
                       op->path, most);
  TRY(hf_hub_op_source(c, op, &s));
  size_t size = (size_t)s->size <= most ? (size_t)s->size : most;
  char *data = hf_host()->arena(c, size + 1);
  hf_status st = data ? s->pread(c, s, data, size, 0, &got) : HF_ENOMEM;
  s->close(s);
  TRY(st);
  data[got] = 0;
  *text = data;
  *len = got;
  return HF_OK;
}
