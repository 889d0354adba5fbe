/* commit_body.c - the body of a commit as a source: one JSON line for the header and one for each operation, made while it is
 * read, so that a commit of any number of files needs the memory of one. Its length is known before the first byte: files are
 * counted as base64 of their size.
 * Bytes come as they were hashed; a file that changed since ends the commit before it exists. */
#include "commit.h"
#include "encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 48 << 10 }; /* a multiple of 3 */

struct body {
  struct hf_source s; /* first */
  const char *message, *description, *parent;
  struct hf_hub_op *const *ops;
  uint32_t count;
  uint64_t at;            /* bytes given */
  uint32_t next;          /* operation that comes next, the header being none */
  bool header;            /* is given */
  struct hf_source *file; /* content of operation next - 1 that is being given */
  uint64_t file_at;
  const uint8_t *held;     /* the content that is being given, where it is in memory; file_at of it is given */
  struct hf_hub_line line; /* what is to be given before anything else, from off on */
  size_t off;
};

static bool puts_(struct body *b, const char *text) {
  return hf_hub_line_puts(&b->line, text);
}

/* A JSON string as Python writes it: ASCII only. */
static bool put_string(struct body *b, const char *text) {
  return hf_hub_line_string(&b->line, text, true);
}

/* ---- lines ------------------------------------------------------------------------------------------------------------- */

static bool put_header(struct body *b) {
  bool ok = puts_(b, "{\"key\": \"header\", \"value\": {\"summary\": ") && put_string(b, b->message) &&
            puts_(b, ", \"description\": ") && put_string(b, b->description);
  if (b->parent) ok = ok && puts_(b, ", \"parentCommit\": ") && put_string(b, b->parent);
  return ok && puts_(b, "}}\n");
}

static const char file_head[] = "{\"key\": \"file\", \"value\": {\"content\": \"";

static bool put_file_tail(struct body *b, const char *path) {
  return puts_(b, "\", \"path\": ") && put_string(b, path) && puts_(b, ", \"encoding\": \"base64\"}}\n");
}

static bool put_large(struct body *b, const struct hf_hub_op *op) {
  char oid[65], size[40] = "";
  if (op->kind == HF_OP_ADD) {
    for (int i = 0; i < 32; i++) snprintf(oid + 2 * i, 3, "%02x", op->sha256[i]);
    snprintf(size, sizeof size, ", \"size\": %llu", (unsigned long long)op->stamp.size);
  } else {
    snprintf(oid, sizeof oid, "%s", op->copy->sha256);
  }
  return puts_(b, "{\"key\": \"lfsFile\", \"value\": {\"path\": ") && put_string(b, op->path) &&
         puts_(b, ", \"algo\": \"sha256\", \"oid\": \"") && puts_(b, oid) && puts_(b, "\"") && puts_(b, size) &&
         puts_(b, "}}\n");
}

static bool put_deletion(struct body *b, const struct hf_hub_op *op) {
  return puts_(b, op->kind == HF_OP_DELETE_FOLDER ? "{\"key\": \"deletedFolder\", \"value\": {\"path\": "
                                                  : "{\"key\": \"deletedFile\", \"value\": {\"path\": ") &&
         put_string(b, op->path) && puts_(b, "}}\n");
}

/* ---- giving ------------------------------------------------------------------------------------------------------------ */

static bool is_stream(const struct hf_hub_op *op) {
  return op->kind == HF_OP_ADD && op->mode == HF_MODE_REGULAR;
}

/* A line that is not a file to be read; a copied file's content is at hand. */
static bool put_line(struct body *b, const struct hf_hub_op *op) {
  if (op->kind == HF_OP_DELETE_FILE || op->kind == HF_OP_DELETE_FOLDER) return put_deletion(b, op);
  if (op->kind == HF_OP_COPY && !op->copy->sha256)
    return puts_(b, file_head) && hf_hub_line_base64(&b->line, (const uint8_t *)op->copy->content, op->copy->len) &&
           put_file_tail(b, op->path);
  return put_large(b, op);
}

static hf_status no_memory(hf_call *c) {
  return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for a commit.");
}

static hf_status next_piece(hf_call *c, struct body *b) {
  static const uint64_t most = PIECE;
  uint8_t data[PIECE];
  uint64_t left = b->file->size - b->file_at;
  size_t want = (size_t)(left < most ? left : most), got = 0;
  if (want) TRY(b->file->pread(c, b->file, data, want, b->file_at, &got));
  if (got != want)
    return hf_hub_fail(c, HF_ECONFLICT, NULL, "%s became shorter while it was being sent; send it again.",
                       b->file->name);
  b->file_at += got;
  if (!hf_hub_line_base64(&b->line, data, got)) return no_memory(c);
  if (b->file_at < b->file->size) return HF_OK;
  b->file->close(b->file);
  b->file = NULL;
  return put_file_tail(b, b->ops[b->next - 1]->path) ? HF_OK : no_memory(c);
}

/* A content in memory is encoded to where it is wanted; less than four bytes of room are filled by way of the line. */
static hf_status held_piece(hf_call *c, struct body *b, char *to, size_t room, size_t *got) {
  const struct hf_hub_op *op = b->ops[b->next - 1];
  uint64_t left = op->stamp.size - b->file_at, most = room / 4 * 3;
  size_t n = (size_t)(left < most ? left : most);
  bool ok = true;
  if (n) {
    hf_hub_base64(b->held + b->file_at, n, to);
    *got += (size_t)hf_hub_base64_len(n);
  } else if (left) {
    n = left < 3 ? (size_t)left : 3;
    ok = hf_hub_line_base64(&b->line, b->held + b->file_at, n);
  }
  b->file_at += n;
  if (ok && b->file_at == op->stamp.size) {
    b->held = NULL;
    ok = put_file_tail(b, op->path);
  }
  return ok ? HF_OK : no_memory(c);
}

static hf_status more(hf_call *c, struct body *b) {
  if (!b->header) {
    b->header = true;
    return put_header(b) ? HF_OK : no_memory(c);
  }
  if (b->file) return next_piece(c, b);
  if (b->next == b->count) return HF_OK;
  const struct hf_hub_op *op = b->ops[b->next++];
  if (!is_stream(op)) return put_line(b, op) ? HF_OK : no_memory(c);
  b->file_at = 0;
  if (op->flags & HF_OP_WHOLE)
    b->held = op->sample;
  else
    TRY(hf_hub_op_checked(c, op, UINT32_MAX, &b->file));
  return puts_(b, file_head) ? HF_OK : no_memory(c);
}

static void rewind_body(struct body *b) {
  if (b->file) b->file->close(b->file);
  b->file = NULL;
  b->held = NULL;
  b->at = b->next = 0;
  b->header = false;
  b->line.len = b->off = 0;
}

static hf_status body_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct body *b = (struct body *)s;
  *got = 0;
  if (off == 0) rewind_body(b);
  if (off != b->at) return hf_hub_fail(c, HF_EINTERNAL, NULL, "A commit can only be read from its beginning.");
  while (*got < len) {
    if (b->off == b->line.len) {
      b->line.len = b->off = 0;
      if (b->held) {
        TRY(held_piece(c, b, (char *)buf + *got, len - *got, got));
        continue;
      }
      TRY(more(c, b));
      if (!b->line.len) break;
    }
    size_t n = b->line.len - b->off < len - *got ? b->line.len - b->off : len - *got;
    memcpy((char *)buf + *got, b->line.text + b->off, n);
    b->off += n;
    *got += n;
  }
  b->at += *got;
  return HF_OK;
}

static void body_close(struct hf_source *s) {
  struct body *b = (struct body *)s;
  rewind_body(b);
  free(b->line.text);
  free(b);
}

/* Writes every line but the contents of files, to see how long they are. */
static bool measure(struct body *b) {
  uint64_t size = 0;
  bool ok = put_header(b);
  for (uint32_t i = 0; i < b->count && ok; i++) {
    const struct hf_hub_op *op = b->ops[i];
    size += b->line.len;
    b->line.len = 0;
    if (is_stream(op)) {
      size += hf_hub_base64_len(op->stamp.size);
      ok = puts_(b, file_head) && put_file_tail(b, op->path);
    } else {
      ok = put_line(b, op);
    }
  }
  b->s.size = size + b->line.len;
  b->line.len = 0;
  return ok;
}

hf_status hf_hub_commit_body(hf_call *c, const char *message, const char *description, const char *parent,
                             struct hf_hub_op *const *ops, uint32_t count, struct hf_source **out) {
  struct body *b = calloc(1, sizeof *b);
  *out = NULL;
  if (!b) return no_memory(c);
  b->message = message;
  b->description = description;
  b->parent = parent;
  b->ops = ops;
  b->count = count;
  b->s = (struct hf_source){.struct_size = sizeof b->s, .name = "the commit", .pread = body_pread, .close = body_close};
  if (!measure(b)) {
    body_close(&b->s);
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "The words of a commit must be UTF-8, and memory must suffice.");
  }
  *out = &b->s;
  return HF_OK;
}
