/* merkle.c - Merkle aggregation of (hash, size) lists, the file hash, and the printed form of hashes.
 * Groups of a level close as soon as the rule allows, so a file of any length needs a few KiB of state; nodes that close
 * at the same time could share BLAKE3 lanes, but at 3 to 9 children a node is one short message per ~360 KiB of file. */
#include "hash.h"
#include <string.h>

const struct xet_hash xet_key_data = {{0x66, 0x97, 0xf5, 0x77, 0x5b, 0x95, 0x50, 0xde, 0x31, 0x35, 0xcb,
                                       0xac, 0xa5, 0x97, 0x18, 0x1c, 0x9d, 0xe4, 0x21, 0x10, 0x9b, 0xeb,
                                       0x2b, 0x58, 0xb4, 0xd0, 0xb0, 0x4b, 0x93, 0xad, 0xf2, 0x29}};
const struct xet_hash xet_key_node = {{0x01, 0x7e, 0xc5, 0xc7, 0xa5, 0x47, 0x29, 0x96, 0xfd, 0x94, 0x66,
                                       0x66, 0xb4, 0x8a, 0x02, 0xe6, 0x5d, 0xdd, 0x53, 0x6f, 0x37, 0xc7,
                                       0x6d, 0xd2, 0xf8, 0x63, 0x52, 0xe6, 0x4a, 0x53, 0x71, 0x3f}};
const struct xet_hash xet_key_verify = {{0x7f, 0x18, 0x57, 0xd6, 0xce, 0x56, 0xed, 0x66, 0x12, 0x7f, 0xf9,
                                         0x13, 0xe7, 0xa5, 0xc3, 0xf3, 0xa4, 0xcd, 0x26, 0xd5, 0xb5, 0xdb,
                                         0x49, 0xe6, 0x41, 0x24, 0x98, 0x7f, 0x28, 0xfb, 0x94, 0xc3}};

void xet_hash_print(const struct xet_hash *h, char text[65]) {
  static const char digit[] = "0123456789abcdef";
  for (unsigned i = 0; i < 32; i++) {
    uint8_t byte = h->b[(i & ~7u) + 7 - (i & 7)];
    text[2 * i] = digit[byte >> 4];
    text[2 * i + 1] = digit[byte & 15];
  }
  text[64] = 0;
}

int xet_hash_read(const char *text, struct xet_hash *h) {
  for (unsigned i = 0; i < 64; i++) {
    char c = text[i];
    unsigned v;
    if (c >= '0' && c <= '9')
      v = (unsigned)(c - '0');
    else if (c >= 'a' && c <= 'f')
      v = (unsigned)(c - 'a') + 10;
    else
      return 0;
    unsigned at = (i / 16) * 8 + 7 - (i / 2) % 8;
    h->b[at] = (uint8_t)(i & 1 ? h->b[at] | v : v << 4);
  }
  return text[64] == 0;
}

#define LINE 88 /* 64 digits, " : ", at most 20 digits, newline */

static size_t print_line(const struct xet_merkle_entry *e, char *at) {
  xet_hash_print(&e->hash, at);
  memcpy(at + 64, " : ", 3);
  char digits[20];
  size_t n = 0;
  uint64_t v = e->size;
  do digits[n++] = (char)('0' + v % 10);
  while (v /= 10);
  for (size_t i = 0; i < n; i++) at[67 + i] = digits[n - 1 - i];
  at[67 + n] = '\n';
  return 68 + n;
}

static struct xet_merkle_entry node(const struct xet_merkle_entry *e, uint32_t n) {
  char text[9 * LINE];
  size_t len = 0;
  struct xet_merkle_entry up = {.size = 0};
  for (uint32_t i = 0; i < n; i++) {
    len += print_line(&e[i], text + len);
    up.size += e[i].size;
  }
  xet_blake3(&xet_key_node, text, len, &up.hash);
  return up;
}

void xet_merkle_init(struct xet_merkle *m) {
  m->total = 0;
  for (int i = 0; i < XET_MERKLE_LEVELS; i++) m->level[i].n = 0, m->level[i].closed = 0;
}

static void add(struct xet_merkle *m, unsigned at, struct xet_merkle_entry e) {
  for (; at < XET_MERKLE_LEVELS; at++) {
    uint32_t n = m->level[at].n;
    m->level[at].pending[n++] = e;
    m->level[at].n = n;
    if (!(n == 9 || (n >= 3 && xet_hash_word(&e.hash, 3) % 4 == 0))) return;
    e = node(m->level[at].pending, n);
    m->level[at].n = 0;
    m->level[at].closed++;
  }
}

void xet_merkle_add(struct xet_merkle *m, const struct xet_hash *h, uint64_t size) {
  m->total++;
  add(m, 0, (struct xet_merkle_entry){*h, size});
}

void xet_merkle_end(struct xet_merkle *m, struct xet_hash *out) {
  memset(out, 0, sizeof *out);
  for (unsigned at = 0; at < XET_MERKLE_LEVELS; at++) {
    uint32_t n = m->level[at].n;
    if (!n) continue; /* everything went up, or nothing came: an upper level has it */
    if (n == 1 && !m->level[at].closed) {
      *out = m->level[at].pending[0].hash;
      return;
    }
    m->level[at].n = 0;
    m->level[at].closed++;
    if (at + 1 < XET_MERKLE_LEVELS) add(m, at + 1, node(m->level[at].pending, n));
  }
}

void xet_file_hash(const struct xet_hash *aggregate, uint64_t chunks, struct xet_hash *out) {
  static const struct xet_hash salt;
  if (chunks == 0)
    memset(out, 0, sizeof *out);
  else
    xet_blake3(&salt, aggregate->b, 32, out);
}
