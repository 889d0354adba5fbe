/* png.c - the pixels of a PNG, for terminals that want pixels: 8 bits a channel, not interlaced, at most PNG_SIDE a side.
 * Everything in the file is checked against its end; a file that is odd in any way is simply not shown.
 * Includes what is needed of inflate. */
#include "png.h"

#include <stdlib.h>
#include <string.h>

/* ---- inflate (RFC 1951) into a buffer of known size -------------------------------------------------------------------- */

struct bits {
  const uint8_t *at, *end;
  uint32_t held, count;
  bool bad;
};

static uint32_t take(struct bits *b, uint32_t n) {
  while (b->count < n) {
    if (b->at == b->end) {
      b->bad = true;
      return 0;
    }
    b->held |= (uint32_t)*b->at++ << b->count;
    b->count += 8;
  }
  uint32_t v = b->held & ((1u << n) - 1);
  b->held >>= n;
  b->count -= n;
  return v;
}

struct codes {
  uint16_t count[16], symbol[288];
};

static void codes_make(struct codes *c, const uint8_t *lengths, uint32_t n) {
  uint16_t offset[16] = {0};
  memset(c->count, 0, sizeof c->count);
  for (uint32_t i = 0; i < n; i++) c->count[lengths[i]]++;
  c->count[0] = 0;
  for (int i = 1; i < 15; i++) offset[i + 1] = (uint16_t)(offset[i] + c->count[i]);
  for (uint32_t i = 0; i < n; i++)
    if (lengths[i]) c->symbol[offset[lengths[i]]++] = (uint16_t)i;
}

static uint32_t decode(struct bits *b, const struct codes *c) {
  int32_t code = 0, first = 0, index = 0;
  for (int length = 1; length < 16 && !b->bad; length++) {
    code |= (int32_t)take(b, 1);
    if (code - first < c->count[length]) return c->symbol[index + code - first];
    index += c->count[length];
    first = (first + c->count[length]) << 1;
    code <<= 1;
  }
  b->bad = true;
  return 0;
}

static bool lengths_read(struct bits *b, struct codes *literals, struct codes *distances) {
  static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[320] = {0};
  uint32_t n = take(b, 5) + 257, m = take(b, 5) + 1, k = take(b, 4) + 4, i = 0;
  struct codes c;
  for (uint32_t j = 0; j < k; j++) lengths[order[j]] = (uint8_t)take(b, 3);
  codes_make(&c, lengths, 19);
  memset(lengths, 0, sizeof lengths);
  while (i < n + m && !b->bad) {
    uint32_t s = decode(b, &c), times = 1, value = s;
    if (s == 16) value = i ? lengths[i - 1] : 0, times = 3 + take(b, 2);
    if (s == 17) value = 0, times = 3 + take(b, 3);
    if (s == 18) value = 0, times = 11 + take(b, 7);
    for (; times && i < n + m; times--) lengths[i++] = (uint8_t)value;
  }
  if (b->bad || n > 286 || m > 30) return false;
  codes_make(literals, lengths, n);
  codes_make(distances, lengths + n, m);
  return true;
}

static void fixed(struct codes *literals, struct codes *distances) {
  uint8_t lengths[288];
  for (int i = 0; i < 288; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
  codes_make(literals, lengths, 288);
  memset(lengths, 5, 30);
  codes_make(distances, lengths, 30);
}

static bool block(struct bits *b, const struct codes *literals, const struct codes *distances, uint8_t *out,
                  size_t room, size_t *n) {
  static const uint16_t base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                    31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
  static const uint8_t more[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
  while (!b->bad) {
    uint32_t s = decode(b, literals);
    if (s < 256) {
      if (b->bad || *n == room) return false;
      out[(*n)++] = (uint8_t)s;
    } else if (s == 256) {
      return !b->bad;
    } else {
      if (s > 285) return false;
      size_t length = base[s - 257] + take(b, more[s - 257]);
      uint32_t d = decode(b, distances), extra = d < 4 ? 0 : d / 2 - 1;
      if (d > 29) return false;
      size_t back = d < 4 ? d + 1 : (((size_t)2 + (d & 1)) << extra) + 1 + take(b, extra);
      if (b->bad || back > *n || length > room - *n) return false;
      for (; length; length--, (*n)++) out[*n] = out[*n - back];
    }
  }
  return false;
}

static bool inflate(const uint8_t *data, size_t len, uint8_t *out, size_t room) {
  struct bits b = {.at = data + 2, .end = data + len};
  struct codes literals, distances;
  size_t n = 0;
  if (len < 2 || (data[0] & 15) != 8) return false;
  for (bool last = false; !last;) {
    last = take(&b, 1);
    uint32_t kind = take(&b, 2);
    if (kind == 0) {
      b.held = b.count = 0;
      if (b.end - b.at < 4) return false;
      size_t size = (size_t)b.at[0] | (size_t)b.at[1] << 8;
      b.at += 4;
      if ((size_t)(b.end - b.at) < size || size > room - n) return false;
      memcpy(out + n, b.at, size);
      n += size;
      b.at += size;
      continue;
    }
    if (kind == 1) fixed(&literals, &distances);
    if (kind == 3 || (kind == 2 && !lengths_read(&b, &literals, &distances))) return false;
    if (!block(&b, &literals, &distances, out, room, &n)) return false;
  }
  return n == room;
}

/* ---- PNG ---------------------------------------------------------------------------------------------------------------- */

static uint32_t be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint8_t paeth(int a, int b, int c) {
  int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
  return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static bool unfilter(uint8_t *rows, uint32_t height, size_t stride, size_t pixel) {
  for (uint32_t y = 0; y < height; y++) {
    uint8_t *row = rows + y * (stride + 1) + 1, kind = row[-1];
    const uint8_t *up = y ? row - stride - 1 : NULL;
    for (size_t i = 0; i < stride; i++) {
      int a = i >= pixel ? row[i - pixel] : 0, b = up ? up[i] : 0, c = up && i >= pixel ? up[i - pixel] : 0;
      int add = kind == 1 ? a : kind == 2 ? b : kind == 3 ? (a + b) / 2 : kind == 4 ? paeth(a, b, c) : 0;
      row[i] = (uint8_t)(row[i] + add);
    }
    if (kind > 4) return false;
  }
  return true;
}

struct file {
  uint32_t width, height;
  uint8_t colour;
  const uint8_t *palette;
  uint32_t palette_len;
  uint8_t *data;
  size_t len;
};

static bool chunks(const uint8_t *png, size_t len, struct file *f) {
  f->data = malloc(len + 1);
  for (size_t at = 8; f->data && len - at >= 12;) {
    uint32_t size = be32(png + at);
    const uint8_t *type = png + at + 4, *body = png + at + 8;
    if (size > len - at - 12) return false;
    if (at == 8) {
      if (memcmp(type, "IHDR", 4) != 0 || size != 13 || body[8] != 8 || body[10] || body[11] || body[12]) return false;
      f->width = be32(body);
      f->height = be32(body + 4);
      f->colour = body[9];
    } else if (!memcmp(type, "PLTE", 4)) {
      f->palette = body;
      f->palette_len = size / 3;
    } else if (!memcmp(type, "IDAT", 4)) {
      memcpy(f->data + f->len, body, size);
      f->len += size;
    } else if (!memcmp(type, "IEND", 4)) {
      return true;
    }
    at += size + 12;
  }
  return false;
}

static void put_pixel(const struct file *f, const uint8_t *from, uint8_t *to) {
  const uint8_t *rgb = from;
  uint8_t grey[3] = {from[0], from[0], from[0]};
  if (f->colour == 0 || f->colour == 4) rgb = grey;
  if (f->colour == 3) rgb = from[0] < f->palette_len ? f->palette + 3 * (size_t)from[0] : grey;
  unsigned alpha = f->colour == 6 ? from[3] : f->colour == 4 ? from[1] : 255;
  for (int k = 0; k < 3; k++) to[k] = (uint8_t)(rgb[k] * alpha / 255);
}

uint8_t *inf_png_pixels(const void *data, size_t len, uint32_t *width, uint32_t *height) {
  static const uint8_t channels[7] = {1, 0, 3, 1, 2, 0, 4};
  struct file f = {0};
  uint8_t *rows = NULL, *out = NULL;
  bool fine = len > 45 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8) && chunks(data, len, &f);
  size_t pixel = f.colour < 7 ? channels[f.colour] : 0, stride = f.width * pixel;
  fine = fine && pixel && f.width && f.height && f.width <= PNG_SIDE && f.height <= PNG_SIDE &&
         (f.colour != 3 || f.palette);
  size_t room = fine ? (stride + 1) * f.height : 0;
  if (fine) rows = malloc(room);
  if (rows && inflate(f.data, f.len, rows, room) && unfilter(rows, f.height, stride, pixel))
    out = malloc((size_t)f.width * f.height * 3);
  for (size_t i = 0; out && i < (size_t)f.width * f.height; i++)
    put_pixel(&f, rows + i / f.width * (stride + 1) + 1 + i % f.width * pixel, out + 3 * i);
  free(rows);
  free(f.data);
  *width = f.width;
  *height = f.height;
  return out;
}
