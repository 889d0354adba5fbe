/* pack.c - one chunk packed and unpacked: LZ4 frames and regrouping by fours.
 * A frame is read here rather than by liblz4's frame reader, so that blocks go straight to where they belong and nothing is
 * allocated; its checksums are not looked at, since the chunk is hashed anyway. */
#include "xorb.h"

#include <lz4.h>
#include <string.h>

#define FRAME_MAGIC UINT32_C(0x184D2204)
enum {
  FLAG_VERSION = 0x40,
  FLAG_VERSION_MASK = 0xc0,
  FLAG_BLOCK_SUM = 0x10,
  FLAG_SIZE = 8,
  FLAG_SUM = 4,
  FLAG_DICT = 1
};
/* Version 1, blocks by themselves of at most 256 KiB, so that a chunk is one; the last byte is the descriptor's checksum. */
static const uint8_t frame_head[7] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb};
#define FRAME_OVER (sizeof frame_head + 8) /* block length and end mark */

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> 8 * i);
}

/* One frame; *used: its length. */
static const char *read_frame(const uint8_t *in, size_t len, size_t *used, uint8_t *out, size_t room, size_t *made) {
  if (len < 7 || get32(in) != FRAME_MAGIC) return "not an LZ4 frame";
  uint8_t flags = in[4], sizes = in[5] >> 4 & 7;
  size_t at = 6 + (flags & FLAG_SIZE ? 8u : 0) + (flags & FLAG_DICT ? 4u : 0) + 1;
  if ((flags & FLAG_VERSION_MASK) != FLAG_VERSION || sizes < 4 || (flags & FLAG_DICT))
    return "an LZ4 frame of another kind";
  size_t block_most = (size_t)1 << (8 + 2 * sizes), done = 0;
  for (;;) {
    if (at > len || len - at < 4) return "an LZ4 frame that is cut off";
    uint32_t size = get32(in + at);
    at += 4;
    if (size == 0) break;
    int plain = size >> 31;
    size &= 0x7fffffff;
    if (size > block_most || size > len - at) return "an LZ4 block longer than its frame";
    if (plain) {
      if (size > room - done) return "more bytes than announced";
      memcpy(out + done, in + at, size);
      done += size;
    } else {
      size_t most = room - done < block_most ? room - done : block_most, before = done < 65536 ? done : 65536;
      int n = LZ4_decompress_safe_usingDict((const char *)in + at, (char *)out + done, (int)size, (int)most,
                                            (const char *)out + done - before, (int)before);
      if (n < 0) return "damaged LZ4 data";
      done += (size_t)n;
    }
    at += size;
    if (flags & FLAG_BLOCK_SUM) at += 4;
  }
  if (flags & FLAG_SUM) at += 4;
  if (at > len) return "an LZ4 frame that is cut off";
  *used = at;
  *made = done;
  return NULL;
}

static const char *unpack_lz4(const uint8_t *in, size_t len, uint8_t *out, size_t raw) {
  size_t done = 0, used, made;
  while (len > 0) {
    const char *why = read_frame(in, len, &used, out + done, raw - done, &made);
    if (why) return why;
    in += used;
    len -= used;
    done += made;
  }
  return done == raw ? NULL : "fewer bytes than announced";
}

const char *xet_unpack(const struct xet_record *r, const uint8_t *payload, uint8_t *out, uint8_t *scratch) {
  const char *why = NULL;
  switch (r->scheme) {
    case XET_NONE:
      if (r->stored != r->raw) return "a plain chunk of another length";
      memcpy(out, payload, r->raw);
      return NULL;
    case XET_LZ4: return unpack_lz4(payload, r->stored, out, r->raw);
    case XET_BG4_LZ4:
      why = unpack_lz4(payload, r->stored, scratch, r->raw);
      if (!why) xet_bg4_ungroup(scratch, r->raw, out);
      return why;
    default: return "an unknown scheme";
  }
}

void xet_bg4_group(const uint8_t *in, size_t len, uint8_t *out) {
  size_t rows = len / 4, rest = len % 4;
  uint8_t *a = out, *b = a + rows + (rest > 0), *c = b + rows + (rest > 1), *d = c + rows + (rest > 2);
  for (size_t i = 0; i < rows; i++) {
    a[i] = in[4 * i];
    b[i] = in[4 * i + 1];
    c[i] = in[4 * i + 2];
    d[i] = in[4 * i + 3];
  }
  if (rest > 0) a[rows] = in[4 * rows];
  if (rest > 1) b[rows] = in[4 * rows + 1];
  if (rest > 2) c[rows] = in[4 * rows + 2];
}

void xet_bg4_ungroup(const uint8_t *in, size_t len, uint8_t *out) {
  size_t rows = len / 4, rest = len % 4;
  const uint8_t *a = in, *b = a + rows + (rest > 0), *c = b + rows + (rest > 1), *d = c + rows + (rest > 2);
  for (size_t i = 0; i < rows; i++) {
    out[4 * i] = a[i];
    out[4 * i + 1] = b[i];
    out[4 * i + 2] = c[i];
    out[4 * i + 3] = d[i];
  }
  if (rest > 0) out[4 * rows] = a[rows];
  if (rest > 1) out[4 * rows + 1] = b[rows];
  if (rest > 2) out[4 * rows + 2] = c[rows];
}

/* A frame of at most `room` bytes over in; 0: it would be longer. */
static size_t write_frame(const uint8_t *in, size_t len, uint8_t *out, size_t room, void *state) {
  if (room <= FRAME_OVER) return 0;
  int n = LZ4_compress_fast_extState(state, (const char *)in, (char *)out + sizeof frame_head + 4, (int)len,
                                     (int)(room - FRAME_OVER), 1);
  if (n <= 0) return 0;
  memcpy(out, frame_head, sizeof frame_head);
  put32(out + sizeof frame_head, (uint32_t)n);
  put32(out + sizeof frame_head + 4 + (size_t)n, 0);
  return (size_t)n + FRAME_OVER;
}

size_t xet_pack(uint32_t scheme, const uint8_t *raw, size_t len, uint8_t *out, void *state) {
  uint8_t *grouped = state, *lz4 = grouped + XET_CHUNK_MAX;
  struct xet_record r = {scheme, 0, (uint32_t)len};
  size_t n = 0;
  if (len > 0 && scheme == XET_LZ4) {
    n = write_frame(raw, len, out + XET_RECORD_HEAD, len - 1, lz4);
  } else if (len > 0 && scheme == XET_BG4_LZ4) {
    xet_bg4_group(raw, len, grouped);
    n = write_frame(grouped, len, out + XET_RECORD_HEAD, len - 1, lz4);
  }
  if (n == 0) {
    r.scheme = XET_NONE;
    n = len;
    memcpy(out + XET_RECORD_HEAD, raw, len);
  }
  r.stored = (uint32_t)n;
  xet_record_write(&r, out);
  return XET_RECORD_HEAD + n;
}

#define SAMPLE 16384u

uint32_t xet_choose(const uint8_t *raw, size_t len, void *state) {
  uint8_t out[SAMPLE], *grouped = state, *lz4 = grouped + XET_CHUNK_MAX;
  size_t n = len < SAMPLE ? len : SAMPLE;
  const uint8_t *from = raw + ((len - n) / 2 & ~(size_t)3);
  size_t plain = write_frame(from, n, out, n - n / 32, lz4);
  xet_bg4_group(from, n, grouped);
  size_t fours = write_frame(grouped, n, out, n - n / 32, lz4);
  if (fours && (!plain || fours + n / 32 < plain)) return XET_BG4_LZ4;
  return plain ? XET_LZ4 : XET_NONE;
}
