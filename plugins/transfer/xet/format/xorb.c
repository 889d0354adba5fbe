/* xorb.c - record headers, and a whole xorb read from memory: every chunk is unpacked and hashed.
 * The hash of a xorb is the aggregate over its chunks; packing and footer do not enter.
 * A footer is recognised by its name and not believed. */
#include "xorb.h"

#include <stdlib.h>
#include <string.h>

static const char footer_name[7] = {'X', 'E', 'T', 'B', 'L', 'O', 'B'};

const char *xet_record_read(const uint8_t h[XET_RECORD_HEAD], struct xet_record *r) {
  r->stored = (uint32_t)h[1] | (uint32_t)h[2] << 8 | (uint32_t)h[3] << 16;
  r->scheme = h[4];
  r->raw = (uint32_t)h[5] | (uint32_t)h[6] << 8 | (uint32_t)h[7] << 16;
  if (h[0] != 0) return "a chunk of an unknown version";
  if (r->scheme > XET_BG4_LZ4) return "a chunk packed by an unknown scheme";
  if (r->raw == 0 || r->raw > XET_CHUNK_MAX) return "a chunk of an impossible length";
  if (r->stored == 0 || r->stored > XET_STORED_MAX) return "a chunk of an impossible stored length";
  return NULL;
}

void xet_record_write(const struct xet_record *r, uint8_t h[XET_RECORD_HEAD]) {
  h[0] = 0;
  h[4] = (uint8_t)r->scheme;
  for (int i = 0; i < 3; i++) {
    h[1 + i] = (uint8_t)(r->stored >> 8 * i);
    h[5 + i] = (uint8_t)(r->raw >> 8 * i);
  }
}

int xet_is_footer(const uint8_t *p, size_t len) {
  return len >= sizeof footer_name && memcmp(p, footer_name, sizeof footer_name) == 0;
}

struct reader {
  const uint8_t *p;
  size_t len;
  struct xet_xorb *out;
  int (*fn)(void *, const struct xet_xorb_chunk *);
  void *arg;
  uint8_t *data; /* unpacked chunk, then scratch */
};

static const char *read_chunks(struct reader *r) {
  struct xet_merkle tree;
  size_t at = 0;
  xet_merkle_init(&tree);
  while (at < r->len && !(r->out->footer = xet_is_footer(r->p + at, r->len - at))) {
    struct xet_xorb_chunk c = {.index = r->out->chunks, .at = at, .raw_at = r->out->raw, .data = r->data};
    if (c.index == XET_XORB_CHUNKS_MAX) return "too many chunks";
    if (r->len - at < XET_RECORD_HEAD) return "cut off in the header of a chunk";
    const char *why = xet_record_read(r->p + at, &c.record);
    if (why) return why;
    at += XET_RECORD_HEAD;
    if (c.record.stored > r->len - at) return "cut off in a chunk";
    why = xet_unpack(&c.record, r->p + at, r->data, r->data + XET_CHUNK_MAX);
    if (why) return why;
    at += c.record.stored;
    xet_blake3(&xet_key_data, r->data, c.record.raw, &c.hash);
    xet_merkle_add(&tree, &c.hash, c.record.raw);
    r->out->chunks++;
    r->out->raw += c.record.raw;
    if (r->out->raw > XET_XORB_RAW_MAX) return "too many bytes";
    if (r->fn && r->fn(r->arg, &c)) return "stopped";
  }
  if (r->out->chunks == 0) return "no chunks";
  r->out->body = at;
  xet_merkle_end(&tree, &r->out->hash);
  return NULL;
}

const char *xet_xorb_read(const uint8_t *p, size_t len, struct xet_xorb *out,
                          int (*fn)(void *, const struct xet_xorb_chunk *), void *arg) {
  struct reader r = {p, len, out, fn, arg, malloc(2 * (size_t)XET_CHUNK_MAX)};
  memset(out, 0, sizeof *out);
  const char *why = r.data ? read_chunks(&r) : "no memory to read it";
  free(r.data);
  return why;
}
