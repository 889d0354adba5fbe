/* tasks.c - hf xet hash, chunks, inspect: what a file is to Xet, and what a xorb or a shard holds.
 * A file is read once (scan.c); xorbs and shards are read whole, and all of them is checked.
 * Nothing here uses the network. */
#include "plugin.h"
#include "scan.h"
#include "format/json.h"
#include "format/shard.h"
#include "format/xorb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 8192 };
#define INSPECT_MAX ((size_t)66 << 20) /* a xorb with its headers and a footer */

static hf_status record(hf_out *out, uint32_t what, const char *fmt, ...) HF_PRINTF(3, 4);
static hf_status record(hf_out *out, uint32_t what, const char *fmt, ...) {
  char text[LINE];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  return n > 0 && n < LINE ? xet_host->record(out, what, text, (size_t)n) : HF_EINTERNAL;
}

/* ---- a file, cut and hashed ---- */

/* A hash that is cut is of no use. */
static hf_status layout(hf_out *out, const char *headers) {
  return record(out, HF_OUT_LAYOUT, "{\"headers\":[%s],\"id_key\":\"hash\",\"whole\":true}", headers);
}

static hf_status run_hash(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  TRY(layout(out, "\"hash\",\"size\",\"chunks\",\"path\""));
  for (uint32_t i = 0; i < xet_host->arg_count(args, "files"); i++) {
    const char *path = xet_host->arg_str(args, "files", i);
    char quoted[LINE / 2], text[65];
    struct xet_scan s = {.chunk = NULL};
    TRY(xet_scan_path(c, path, &s));
    xet_hash_print(&s.hash, text);
    if (xet_json_quote(path, quoted, sizeof quoted) >= sizeof quoted)
      return xet_host->failf(c, HF_EINVAL, "the name of a file is too long to be shown");
    TRY(record(out, HF_OUT_ITEM, "{\"hash\":\"%s\",\"size\":%" PRIu64 ",\"chunks\":%" PRIu64 ",\"path\":%s}", text,
               s.size, s.chunks, quoted));
  }
  return xet_host->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status show_piece(void *arg, uint64_t at, const struct xet_piece *p) {
  char text[65];
  xet_hash_print(&p->hash, text);
  return record(arg, HF_OUT_ITEM, "{\"offset\":%" PRIu64 ",\"length\":%" PRIu32 ",\"hash\":\"%s\"}", at, p->len, text);
}

static hf_status run_chunks(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct xet_scan s = {.chunk = show_piece, .arg = out};
  (void)state;
  TRY(layout(out, "\"offset\",\"length\",\"hash\""));
  TRY(xet_scan_path(c, xet_host->arg_str(args, "file", 0), &s));
  return xet_host->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* ---- a xorb or a shard ---- */

struct text { /* JSON that grows */
  struct xet_bytes b;
};

static void add(struct text *t, const char *fmt, ...) HF_PRINTF(2, 3);
static void add(struct text *t, const char *fmt, ...) {
  char line[512];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  if (n < 0 || (size_t)n >= sizeof line)
    t->b.failed = 1;
  else
    xet_bytes_add(&t->b, line, (size_t)n);
}

static const char *printed(const struct xet_hash *h, char text[65]) {
  xet_hash_print(h, text);
  return text;
}

static int show_chunk(void *arg, const struct xet_xorb_chunk *k) {
  static const char *const schemes[] = {"none", "lz4", "bg4-lz4"};
  char hash[65];
  add(arg,
      "%s{\"index\":%" PRIu32 ",\"offset\":%" PRIu64 ",\"length\":%" PRIu32 ",\"at\":%" PRIu64 ",\"stored\":%" PRIu32
      ",\"scheme\":\"%s\",\"hash\":\"%s\"}",
      k->index ? "," : "", k->index, k->raw_at, k->record.raw, k->at, k->record.stored, schemes[k->record.scheme],
      printed(&k->hash, hash));
  return 0;
}

static const char *show_xorb(struct text *t, const uint8_t *p, size_t len) {
  struct xet_xorb x;
  char hash[65];
  add(t, "{\"kind\":\"xorb\",\"chunks\":[");
  const char *why = xet_xorb_read(p, len, &x, show_chunk, t);
  add(t, "],\"hash\":\"%s\",\"chunk_count\":%" PRIu32 ",\"size\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"footer\":%s}",
      printed(&x.hash, hash), x.chunks, x.raw, x.body, x.footer ? "true" : "false");
  return why;
}

static void show_file(struct text *t, const struct xet_shard_file *f) {
  char hash[65];
  add(t, "{\"hash\":\"%s\",", printed(&f->hash, hash));
  if (f->meta_row) {
    uint8_t sha[32];
    xet_shard_sha256(f, sha);
    add(t, "\"sha256\":\"");
    for (int i = 0; i < 32; i++) add(t, "%02x", sha[i]);
    add(t, "\",");
  }
  add(t, "\"terms\":[");
  for (uint32_t i = 0; i < f->terms; i++) {
    struct xet_shard_term term;
    xet_shard_term(f, i, &term);
    add(t, "%s{\"xorb\":\"%s\",\"start\":%" PRIu32 ",\"end\":%" PRIu32 ",\"length\":%" PRIu32, i ? "," : "",
        printed(&term.xorb, hash), term.start, term.end, term.raw);
    if (f->verify_rows) {
      struct xet_hash v;
      xet_shard_verify(f, i, &v);
      add(t, ",\"range_hash\":\"%s\"", printed(&v, hash));
    }
    add(t, "}");
  }
  add(t, "]}");
}

static void show_shard_xorb(struct text *t, const struct xet_shard_xorb *x) {
  char hash[65];
  add(t, "{\"hash\":\"%s\",\"size\":%" PRIu32 ",\"stored\":%" PRIu32 ",\"chunks\":[", printed(&x->hash, hash), x->raw,
      x->stored);
  for (uint32_t i = 0; i < x->chunks; i++) {
    struct xet_shard_chunk k;
    xet_shard_chunk(x, i, &k);
    add(t, "%s{\"offset\":%" PRIu32 ",\"length\":%" PRIu32 ",\"hash\":\"%s\",\"global\":%s}", i ? "," : "", k.at, k.raw,
        printed(&k.hash, hash), k.flags & XET_CHUNK_GLOBAL ? "true" : "false");
  }
  add(t, "]}");
}

static const char *show_shard(struct text *t, const uint8_t *p, size_t len) {
  struct xet_shard s;
  struct xet_shard_file f;
  struct xet_shard_xorb x;
  static const struct xet_hash none;
  const char *why = xet_shard_read(p, len, &s), *comma = "";
  if (why) return why;
  add(t, "{\"kind\":\"shard\",\"files\":[");
  for (size_t at = s.files_at; xet_shard_next_file(&s, &at, &f); comma = ",") {
    add(t, "%s", comma);
    show_file(t, &f);
  }
  add(t, "],\"xorbs\":[");
  comma = "";
  for (size_t at = s.xorbs_at; xet_shard_next_xorb(&s, &at, &x); comma = ",") {
    add(t, "%s", comma);
    show_shard_xorb(t, &x);
  }
  add(t, "],\"footer\":%s", s.footer ? "true" : "false");
  if (s.footer)
    add(t, ",\"keyed\":%s,\"created\":%" PRIu64, memcmp(&s.key, &none, sizeof none) ? "true" : "false",
        s.created & INT64_MAX);
  if (s.footer && s.expires <= INT64_MAX) add(t, ",\"expires\":%" PRIu64, s.expires);
  add(t, "}");
  return NULL;
}

/* Pipes will do; what is longer than any xorb or shard is not read to its end. */
static hf_status read_fd(hf_call *c, int fd, const char *path, struct xet_bytes *b) {
  uint8_t piece[65536];
  for (ssize_t got = 1; got != 0;) {
    got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return xet_cannot(c, "read", path);
    if (!xet_bytes_add(b, piece, (size_t)got)) return xet_host->failf(c, HF_ENOMEM, "no memory to read %s", path);
    if (b->len > INSPECT_MAX)
      return xet_host->failf(c, HF_EINVAL, "%s is neither a xorb nor a shard: they are files of at most 64 MiB", path);
    TRY(xet_host->check(c));
  }
  return b->len ? HF_OK : xet_host->failf(c, HF_EINVAL, "%s is empty: a xorb or a shard is not", path);
}

static hf_status read_whole(hf_call *c, const char *path, struct xet_bytes *b) {
  int standard = !strcmp(path, "-"), fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return xet_cannot(c, "open", path);
  hf_status st = read_fd(c, fd, standard ? "standard input" : path, b);
  if (!standard) close(fd);
  return st;
}

static hf_status run_inspect(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *path = xet_host->arg_str(args, "file", 0);
  struct xet_bytes b = {0};
  struct text t = {{0}};
  (void)state;
  hf_status st = read_whole(c, path, &b);
  if (st != HF_OK) {
    xet_bytes_free(&b);
    return st;
  }
  int shard = b.len >= 15 && memcmp(b.data, "HFRepoMetaData", 15) == 0;
  const char *why = shard ? show_shard(&t, b.data, b.len) : show_xorb(&t, b.data, b.len);
  xet_bytes_free(&b);
  if (why)
    st = xet_host->failf(c, HF_EPROTO, "%s is no sound %s: %s; fetch it again", path, shard ? "shard" : "xorb", why);
  else if (t.b.failed)
    st = xet_host->failf(c, HF_ENOMEM, "no memory to show %s", path);
  else
    st = xet_host->record(out, HF_OUT_DICT, (const char *)t.b.data, t.b.len);
  xet_bytes_free(&t.b);
  return st;
}

/* ---- rows ---- */

static const struct hf_param files_params[] = {{.name = "files",
                                                .value_name = "FILE",
                                                .help = "Files to hash.",
                                                .type = HF_P_PATH,
                                                .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL | HF_PF_REPEAT}};
static const struct hf_param file_params[] = {{.name = "file",
                                               .value_name = "FILE",
                                               .help = "The file.",
                                               .type = HF_P_PATH,
                                               .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL}};
static const struct hf_column hash_columns[] = {
    {"hash", "hash"}, {"size", "size"}, {"chunks", "chunks"}, {"path", "path"}};
static const struct hf_column chunk_columns[] = {{"offset", "offset"}, {"length", "length"}, {"hash", "hash"}};

static const struct hf_task rows[] = {
    {.name = "xet.hash",
     .group_help = "Look at files as Xet sees them.",
     .summary = "Print the Xet hash of files.",
     .examples = "hf xet hash model.safetensors\nhf xet hash *.safetensors --json",
     .params = HF_TABLE(files_params),
     .columns = HF_TABLE(hash_columns),
     .id_key = "hash",
     .flags = HF_TK_OURS,
     .run = run_hash},
    {.name = "xet.chunks",
     .summary = "List the chunks a file is cut into.",
     .examples = "hf xet chunks model.safetensors --json",
     .params = HF_TABLE(file_params),
     .columns = HF_TABLE(chunk_columns),
     .id_key = "hash",
     .flags = HF_TK_OURS | HF_TK_STREAMS,
     .run = run_chunks},
    {.name = "xet.inspect",
     .summary = "Show what a xorb or a shard holds, after checking all of it.",
     .examples = "hf xet inspect shard.mdb --json",
     .params = HF_TABLE(file_params),
     .flags = HF_TK_OURS,
     .run = run_inspect},
};

const struct hf_tasks xet_tasks = {
    .m = HF_MODULE(hf_tasks, HF_KIND_TASKS, "xet", "look at files, xorbs and shards", HF_THREADS_ANY, 10, 0),
    .tasks = HF_TABLE(rows)};
