/* scan.c - reads a file in large buffers and makes chunks of each: parts of a buffer are scanned for candidates by several
 * threads, the cuts are chosen, then several threads hash chunks in groups. Short buffers are done in one pass.
 * What is not closed at the end of a buffer is at the front of the next. */
#include "scan.h"
#include "format/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  BUFFER = 8 << 20,
  PARTS = 8,
  PART = BUFFER / PARTS,
  HITS = PART / 1024, /* a part has 16 as a rule; more than this is data made of cuts */
  GROUP = 16,         /* chunks that are hashed together */
  PIECES = BUFFER / XET_CHUNK_MIN + 2,
  WORTH_IT = 2 << 20 /* bytes from which threads are of use */
};

struct work {
  struct xet_scan *scan;
  hf_call *call;
  const char *path;
  int fd;
  uint8_t *data;
  size_t have;
  struct xet_merkle tree;
  uint64_t at; /* of data in the file */
  uint32_t count;
  size_t found[PARTS], scanned[PARTS];
  uint32_t hit[PARTS][HITS];
  uint64_t end[PIECES];
  struct xet_piece piece[PIECES];
};

hf_status xet_cannot(hf_call *c, const char *what, const char *path) {
  int err = errno;
  char text[600];
  snprintf(text, sizeof text, "cannot %s %.400s: %s", what, path, strerror(err));
  return xet_host->fail(c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                                              .code = err == ENOENT   ? HF_ENOTFOUND
                                                      : err == EACCES ? HF_EPERM
                                                                      : HF_EIO,
                                              .sys_errno = err,
                                              .message = text});
}

/* ---- a buffer ---- */

static hf_status scan_part(hf_call *c, void *arg, uint32_t i) {
  struct work *w = arg;
  size_t from = (size_t)i * PART, len = w->have - from < PART ? w->have - from : PART;
  (void)c;
  w->found[i] = xet_chunk_scan(w->data + from, len, from, w->hit[i], HITS, &w->scanned[i]);
  return HF_OK;
}

static hf_status hash_group(hf_call *c, void *arg, uint32_t g) {
  struct work *w = arg;
  const void *data[GROUP] = {NULL};
  size_t len[GROUP] = {0}, n = 0;
  struct xet_hash hash[GROUP];
  (void)c;
  for (uint32_t i = g * GROUP; i < w->count && n < GROUP; i++, n++) {
    uint64_t from = i ? w->end[i - 1] : 0;
    data[n] = w->data + from;
    len[n] = (size_t)(w->end[i] - from);
  }
  xet_blake3_batch(&xet_key_data, data, len, n, hash);
  for (size_t i = 0; i < n; i++) w->piece[g * GROUP + i] = (struct xet_piece){hash[i], (uint32_t)len[i]};
  return HF_OK;
}

/* The chunks of the buffer; 0 in *done: this data is better cut byte by byte. */
static hf_status side_by_side(struct work *w, int end, int *done) {
  uint32_t parts = (uint32_t)((w->have + PART - 1) / PART), groups;
  uint64_t from = 0;
  TRY(xet_host->parallel(w->call, parts, 0, scan_part, w));
  w->count = 0;
  for (uint32_t i = 0; i < parts; i++) {
    size_t at = (size_t)i * PART, len = w->have - at < PART ? w->have - at : PART;
    if (w->scanned[i] < len) return HF_OK;
    w->count += (uint32_t)xet_chunk_pick(&from, at, len, w->hit[i], w->found[i], w->end + w->count);
  }
  if (end && from < w->have) w->end[w->count++] = w->have;
  *done = 1;
  groups = (w->count + GROUP - 1) / GROUP;
  return groups ? xet_host->parallel(w->call, groups, 0, hash_group, w) : HF_OK;
}

/* All chunks of what is there; the last, open one only where the file ends. */
static hf_status cut(struct work *w, int end) {
  struct xet_scan *s = w->scan;
  int done = 0;
  size_t took = 0;
  if (w->have >= WORTH_IT) TRY(side_by_side(w, end, &done));
  if (!done) w->count = (uint32_t)xet_pieces(w->data, w->have, end, w->piece, PIECES);
  for (uint32_t i = 0; i < w->count; i++) {
    const struct xet_piece *p = &w->piece[i];
    xet_merkle_add(&w->tree, &p->hash, p->len);
    if (s->chunk) TRY(s->chunk(s->arg, w->at + took, p));
    took += p->len;
  }
  s->chunks += w->count;
  w->at += took;
  w->have -= took;
  memmove(w->data, w->data + took, w->have);
  return xet_host->check(w->call);
}

static hf_status scan_file(struct work *w) {
  ssize_t got = 0;
  do {
    got = read(w->fd, w->data + w->have, BUFFER - w->have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return xet_cannot(w->call, "read", w->path);
    w->have += (size_t)got;
    w->scan->size += (uint64_t)got;
    if (w->have == BUFFER || got == 0) TRY(cut(w, got == 0));
  } while (got != 0);
  return HF_OK;
}

hf_status xet_scan_path(hf_call *c, const char *path, struct xet_scan *s) {
  int standard = !strcmp(path, "-"), fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return xet_cannot(c, "open", path);
  struct hf_buf buf = {.data = NULL};
  struct work *w = calloc(1, sizeof *w);
  hf_status st = w ? xet_host->buf_get(c, BUFFER, &buf) : xet_host->failf(c, HF_ENOMEM, "no memory to read %s", path);
  s->size = s->chunks = 0;
  if (st == HF_OK) {
    w->scan = s, w->call = c, w->path = standard ? "standard input" : path, w->fd = fd, w->data = buf.data;
    xet_merkle_init(&w->tree);
    st = scan_file(w);
    xet_host->buf_put(&buf);
  }
  if (!standard) close(fd);
  if (st == HF_OK) {
    struct xet_hash sum;
    xet_merkle_end(&w->tree, &sum);
    xet_file_hash(&sum, s->chunks, &s->hash);
  }
  free(w);
  return st;
}
