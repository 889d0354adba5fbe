/* shard.c - reading and writing shards. A shard that was read is known to be whole: every count fits, every section has its
 * bookend, every term and chunk is in order; walking it afterwards needs no checks.
 * Layout: header version 2, footer version 1. */
#include "shard.h"
#include "xorb.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t tag[32] = {'H',  'F',  'R',  'e',  'p',  'o',  'M',  'e',  't',  'a',  'D',
                                'a',  't',  'a',  0x00, 0x55, 0x69, 0x67, 0x45, 0x6a, 0x7b, 0x81,
                                0x57, 0x83, 0xa5, 0xbd, 0xd9, 0x5c, 0xcd, 0xd1, 0x4a, 0xa9};
enum { VERSION = 2, FOOTER_VERSION = 1, FOOTER = 200, KEY_AT = 72, CREATED_AT = 104, EXPIRES_AT = 112, SELF_AT = 192 };

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p) {
  return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v) {
  put32(p, (uint32_t)v);
  put32(p + 4, (uint32_t)(v >> 32));
}

static void get_hash(const uint8_t *p, struct xet_hash *h) {
  memcpy(h->b, p, 32);
}

static int is_bookend(const uint8_t *p) {
  for (int i = 0; i < 32; i++)
    if (p[i] != 0xff) return 0;
  return 1;
}

/* ---- walking: no checks ---- */

static void load_file(const uint8_t *p, struct xet_shard_file *f, size_t *rows) {
  get_hash(p, &f->hash);
  f->flags = get32(p + 32);
  f->terms = get32(p + 36);
  f->term_rows = p + XET_SHARD_ROW;
  size_t n = 1 + (size_t)f->terms;
  f->verify_rows = f->flags & XET_FILE_VERIFY ? p + n * XET_SHARD_ROW : NULL;
  if (f->verify_rows) n += f->terms;
  f->meta_row = f->flags & XET_FILE_META ? p + n * XET_SHARD_ROW : NULL;
  *rows = n + (f->meta_row != NULL);
}

static void load_xorb(const uint8_t *p, struct xet_shard_xorb *x) {
  get_hash(p, &x->hash);
  x->flags = get32(p + 32);
  x->chunks = get32(p + 36);
  x->raw = get32(p + 40);
  x->stored = get32(p + 44);
  x->chunk_rows = p + XET_SHARD_ROW;
}

int xet_shard_next_file(const struct xet_shard *s, size_t *at, struct xet_shard_file *f) {
  size_t rows;
  if (is_bookend(s->data + *at)) return 0;
  load_file(s->data + *at, f, &rows);
  *at += rows * XET_SHARD_ROW;
  return 1;
}

int xet_shard_next_xorb(const struct xet_shard *s, size_t *at, struct xet_shard_xorb *x) {
  if (is_bookend(s->data + *at)) return 0;
  load_xorb(s->data + *at, x);
  *at += (1 + (size_t)x->chunks) * XET_SHARD_ROW;
  return 1;
}

void xet_shard_term(const struct xet_shard_file *f, uint32_t i, struct xet_shard_term *t) {
  const uint8_t *p = f->term_rows + (size_t)i * XET_SHARD_ROW;
  get_hash(p, &t->xorb);
  t->raw = get32(p + 36);
  t->start = get32(p + 40);
  t->end = get32(p + 44);
}

void xet_shard_chunk(const struct xet_shard_xorb *x, uint32_t i, struct xet_shard_chunk *c) {
  const uint8_t *p = x->chunk_rows + (size_t)i * XET_SHARD_ROW;
  get_hash(p, &c->hash);
  c->at = get32(p + 32);
  c->raw = get32(p + 36);
  c->flags = get32(p + 40);
}

void xet_shard_verify(const struct xet_shard_file *f, uint32_t i, struct xet_hash *h) {
  get_hash(f->verify_rows + (size_t)i * XET_SHARD_ROW, h);
}

void xet_shard_sha256(const struct xet_shard_file *f, uint8_t out[32]) {
  for (unsigned i = 0; i < 32; i++) out[i] = f->meta_row[(i & ~7u) + 7 - (i & 7)];
}

/* ---- checking ---- */

static const char *check_file(const struct xet_shard *s, size_t room, const uint8_t *p, size_t *rows) {
  struct xet_shard_file f;
  (void)s;
  uint64_t terms = get32(p + 36), need = 1 + terms;
  uint32_t flags = get32(p + 32);
  if (flags & XET_FILE_VERIFY) need += terms;
  if (flags & XET_FILE_META) need++;
  if (need > room / XET_SHARD_ROW) return "a file with more terms than fit";
  load_file(p, &f, rows);
  for (uint32_t i = 0; i < f.terms; i++) {
    struct xet_shard_term t;
    xet_shard_term(&f, i, &t);
    if (t.start >= t.end) return "a term without chunks";
    uint32_t n = t.end - t.start;
    if (t.raw < n || t.raw > (uint64_t)n * XET_CHUNK_MAX) return "a term of an impossible length";
  }
  return NULL;
}

static const char *check_xorb(size_t room, const uint8_t *p) {
  struct xet_shard_xorb x;
  uint64_t need = 1 + (uint64_t)get32(p + 36), sum = 0;
  if (need > room / XET_SHARD_ROW) return "a xorb with more chunks than fit";
  load_xorb(p, &x);
  for (uint32_t i = 0; i < x.chunks; i++) {
    struct xet_shard_chunk c;
    xet_shard_chunk(&x, i, &c);
    if (c.at != sum) return "a chunk at the wrong place";
    if (c.raw == 0 || c.raw > XET_CHUNK_MAX) return "a chunk of an impossible length";
    sum += c.raw;
  }
  return sum == x.raw ? NULL : "a xorb whose chunks do not add up";
}

static const char *read_sections(struct xet_shard *s, size_t at) {
  const char *why;
  size_t rows;
  s->files_at = at;
  for (;; s->files++) {
    if (s->len - at < XET_SHARD_ROW) return "no end of the files";
    if (is_bookend(s->data + at)) break;
    if ((why = check_file(s, s->len - at, s->data + at, &rows))) return why;
    s->terms += get32(s->data + at + 36);
    at += rows * XET_SHARD_ROW;
  }
  at += XET_SHARD_ROW;
  s->xorbs_at = at;
  for (;; s->xorbs++) {
    if (s->len - at < XET_SHARD_ROW) return "no end of the xorbs";
    if (is_bookend(s->data + at)) break;
    if ((why = check_xorb(s->len - at, s->data + at))) return why;
    s->chunks += get32(s->data + at + 36);
    at += (1 + (size_t)get32(s->data + at + 36)) * XET_SHARD_ROW;
  }
  s->end = at + XET_SHARD_ROW;
  return NULL;
}

static const char *read_footer(struct xet_shard *s) {
  if (s->len - s->end < FOOTER) return "no whole footer";
  const uint8_t *p = s->data + s->len - FOOTER;
  if (get64(p) != FOOTER_VERSION) return "a footer of an unknown version";
  if (get64(p + 8) != s->files_at || get64(p + 16) != s->xorbs_at) return "a footer that names other places";
  get_hash(p + KEY_AT, &s->key);
  s->created = get64(p + CREATED_AT);
  s->expires = get64(p + EXPIRES_AT);
  s->footer = 1;
  return NULL;
}

const char *xet_shard_read(const uint8_t *p, size_t len, struct xet_shard *s) {
  *s = (struct xet_shard){.data = p, .len = len, .expires = UINT64_MAX};
  if (len < XET_SHARD_ROW || memcmp(p, tag, sizeof tag) != 0) return "not a shard";
  if (get64(p + 32) != VERSION) return "a shard of an unknown version";
  uint64_t footer = get64(p + 40);
  if (footer != 0 && footer != FOOTER) return "a footer of an unknown length";
  const char *why = read_sections(s, XET_SHARD_ROW);
  if (!why && footer) why = read_footer(s);
  if (!why && !footer && s->end != len) why = "bytes behind its end";
  return why;
}

void xet_shard_hide(const struct xet_hash *key, const struct xet_hash *in, struct xet_hash *out) {
  static const struct xet_hash none;
  if (memcmp(key, &none, sizeof none) == 0)
    *out = *in;
  else
    xet_blake3(key, in->b, 32, out);
}

/* ---- writing ---- */

void xet_bytes_free(struct xet_bytes *b) {
  free(b->data);
  *b = (struct xet_bytes){0};
}

int xet_bytes_add(struct xet_bytes *b, const void *data, size_t len) {
  if (b->failed) return 0;
  if (len > b->room - b->len) {
    size_t room = b->room * 2 > b->len + len ? b->room * 2 : b->len + len + 4096;
    uint8_t *more = realloc(b->data, room);
    if (!more) {
      b->failed = 1;
      return 0;
    }
    b->data = more;
    b->room = room;
  }
  if (len) memcpy(b->data + b->len, data, len);
  b->len += len;
  return 1;
}

static void put_row(struct xet_bytes *b, const struct xet_hash *h, uint32_t a, uint32_t c, uint32_t d, uint32_t e) {
  uint8_t row[XET_SHARD_ROW];
  memcpy(row, h->b, 32);
  put32(row + 32, a);
  put32(row + 36, c);
  put32(row + 40, d);
  put32(row + 44, e);
  xet_bytes_add(b, row, sizeof row);
}

void xet_put_head(struct xet_bytes *b, int footer) {
  uint8_t row[XET_SHARD_ROW];
  memcpy(row, tag, sizeof tag);
  put64(row + 32, VERSION);
  put64(row + 40, footer ? FOOTER : 0);
  xet_bytes_add(b, row, sizeof row);
}

void xet_put_file(struct xet_bytes *b, const struct xet_hash *h, uint32_t flags, uint32_t terms) {
  put_row(b, h, flags, terms, 0, 0);
}

void xet_put_term(struct xet_bytes *b, const struct xet_shard_term *t) {
  put_row(b, &t->xorb, 0, t->raw, t->start, t->end);
}

void xet_put_verify(struct xet_bytes *b, const struct xet_hash *h) {
  put_row(b, h, 0, 0, 0, 0);
}

void xet_put_sha256(struct xet_bytes *b, const uint8_t sha256[32]) {
  struct xet_hash h;
  for (unsigned i = 0; i < 32; i++) h.b[(i & ~7u) + 7 - (i & 7)] = sha256[i];
  put_row(b, &h, 0, 0, 0, 0);
}

void xet_put_xorb(struct xet_bytes *b, const struct xet_hash *h, uint32_t chunks, uint32_t raw, uint32_t stored) {
  put_row(b, h, 0, chunks, raw, stored);
}

void xet_put_chunk(struct xet_bytes *b, const struct xet_shard_chunk *c) {
  put_row(b, &c->hash, c->at, c->raw, c->flags, 0);
}

void xet_put_bookend(struct xet_bytes *b) {
  uint8_t row[XET_SHARD_ROW] = {0};
  memset(row, 0xff, 32);
  xet_bytes_add(b, row, sizeof row);
}

void xet_put_footer(struct xet_bytes *b, size_t xorbs_at, const struct xet_hash *key, uint64_t created,
                    uint64_t expires) {
  uint8_t f[FOOTER] = {0};
  put64(f, FOOTER_VERSION);
  put64(f + 8, XET_SHARD_ROW);
  put64(f + 16, xorbs_at);
  for (int at = 24; at < KEY_AT; at += 16) put64(f + at, b->len); /* no tables: all begin here and are empty */
  if (key) memcpy(f + KEY_AT, key->b, 32);
  put64(f + CREATED_AT, created);
  put64(f + EXPIRES_AT, expires);
  put64(f + SELF_AT, b->len);
  xet_bytes_add(b, f, sizeof f);
}
