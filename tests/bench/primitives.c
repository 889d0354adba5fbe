/* primitives.c - the formats of Xet by themselves: one work, measured in CPU seconds. Run by tests/bench/primitives.
 * bench-primitives WORK COUNT KIND SEED [ROUNDS [KERNEL]]: COUNT bytes, or chunks for merkle and shard; KIND is random, float, bf16, text
 * or zero. Prints what was worked on, CPU seconds and a sum; works that the peer has too give the same sum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chunk.h"
#include "crc64.h"
#include "piece.h"
#include "shard.h"
#include "xorb.h"

enum { WINDOW = 8 << 20, PIECES = WINDOW / XET_CHUNK_MIN + 2 };

static double cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t mix(uint64_t *seed) {
  uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static void make(uint8_t *p, size_t n, const char *kind, uint64_t seed) {
  for (size_t i = 0; i < n; i += 8) {
    uint64_t z = mix(&seed);
    if (!strcmp(kind, "float")) z = (z & UINT64_C(0x007fffff007fffff)) | UINT64_C(0x3f0000003f000000);
    if (!strcmp(kind, "bf16")) z = (z & UINT64_C(0x81ff81ff81ff81ff)) | UINT64_C(0x3c003c003c003c00);
    if (!strcmp(kind, "text")) z = (z & UINT64_C(0x0f0f0f0f0f0f0f0f)) + UINT64_C(0x6161616161616161);
    if (!strcmp(kind, "zero")) z = 0;
    memcpy(p + i, &z, n - i < 8 ? n - i : 8);
  }
}

/* ---- what the peer does too ---- */

static uint64_t run_chunk(const uint8_t *p, size_t n) {
  uint32_t ends[PIECES];
  uint64_t sum = 0;
  for (size_t at = 0; at < n;) {
    size_t len = n - at < WINDOW ? n - at : WINDOW, count = xet_chunk_cuts(p + at, len, ends, PIECES), from = 0;
    if (at + len == n && (!count || ends[count - 1] < len)) ends[count++] = (uint32_t)len;
    for (size_t i = 0; i < count; from = ends[i++]) sum = sum * 31 + (ends[i] - from);
    at += from;
  }
  return sum;
}

static uint64_t run_both(const uint8_t *p, size_t n) {
  static struct xet_piece piece[PIECES];
  uint64_t sum = 0;
  for (size_t at = 0; at < n;) {
    size_t len = n - at < WINDOW ? n - at : WINDOW, count = xet_pieces(p + at, len, at + len == n, piece, PIECES);
    for (size_t i = 0; i < count; i++) {
      sum = (sum * 31 + piece[i].len) ^ xet_hash_word(&piece[i].hash, 0);
      at += piece[i].len;
    }
  }
  return sum;
}

static uint64_t run_hash(const uint8_t *p, size_t n) {
  enum { LEN = 65536, ONCE = 8 };
  uint64_t sum = 0;
  for (size_t at = 0; at < n;) {
    const void *data[ONCE];
    size_t len[ONCE], count = 0;
    struct xet_hash hash[ONCE];
    for (; at < n && count < ONCE; at += len[count++]) {
      data[count] = p + at;
      len[count] = n - at < LEN ? n - at : LEN;
    }
    xet_blake3_batch(&xet_key_data, data, len, count, hash);
    for (size_t i = 0; i < count; i++) sum = (sum * 31 + len[i]) ^ xet_hash_word(&hash[i], 0);
  }
  return sum;
}

/* ---- further ones ---- */

static uint64_t run_feed(const uint8_t *p, size_t n) {
  struct xet_chunker c = {0, 0};
  uint64_t sum = 0;
  for (size_t at = 0, from = 0; at < n;) {
    int cut;
    at += xet_chunk_feed(&c, p + at, n - at, &cut);
    if (!cut && at < n) continue;
    sum = sum * 31 + (at - from);
    from = at;
  }
  return sum;
}

static uint64_t run_crc64(const uint8_t *p, size_t n) {
  return xet_crc64(0, p, n);
}

/* By chunks of 64 KiB, each by the scheme that suits the 16 that begin with it, as an upload does. */
static uint64_t run_pack(const uint8_t *p, size_t n) {
  static uint8_t out[XET_RECORD_HEAD + XET_CHUNK_MAX], state[XET_PACK_STATE];
  uint32_t scheme = XET_NONE;
  uint64_t sum = 0;
  for (size_t at = 0; at + 65536 <= n; at += 65536) {
    if (at / 65536 % 16 == 0) scheme = xet_choose(p + at, 65536, state);
    sum += xet_pack(scheme, p + at, 65536, out, state);
  }
  return sum;
}

static uint64_t run_group(const uint8_t *p, size_t n) {
  static uint8_t out[65536];
  uint64_t sum = 0;
  for (size_t at = 0; at + sizeof out <= n; at += sizeof out)
    xet_bg4_group(p + at, sizeof out, out), sum += out[at % 97];
  return sum;
}

static uint64_t run_ungroup(const uint8_t *p, size_t n) {
  static uint8_t out[65536];
  uint64_t sum = 0;
  for (size_t at = 0; at + sizeof out <= n; at += sizeof out)
    xet_bg4_ungroup(p + at, sizeof out, out), sum += out[at % 97];
  return sum;
}

/* A xorb made of the bytes, read again: only the reading is measured. */
static double unpack_began;
static uint64_t run_unpack(const uint8_t *p, size_t n) {
  uint8_t *xorb = malloc(n + n / 8192 + 64), *state = malloc(XET_PACK_STATE);
  size_t len = 0;
  struct xet_xorb x;
  if (!xorb || !state || n > XET_XORB_RAW_MAX) abort();
  for (size_t at = 0; at + 65536 <= n; at += 65536)
    len += xet_pack(xet_choose(p + at, 65536, state), p + at, 65536, xorb + len, state);
  unpack_began = cpu();
  if (xet_xorb_read(xorb, len, &x, NULL, NULL)) abort();
  uint64_t sum = xet_hash_word(&x.hash, 0);
  free(xorb);
  free(state);
  return sum;
}

/* ---- works over chunks: p holds a hash for each ---- */

static uint64_t run_merkle(const uint8_t *p, size_t n) {
  struct xet_merkle *tree = malloc(sizeof *tree);
  struct xet_hash h;
  if (!tree) abort();
  xet_merkle_init(tree);
  for (size_t i = 0; i < n; i++) xet_merkle_add(tree, (const struct xet_hash *)(p + 32 * i), 8192 + p[32 * i] * 400u);
  xet_merkle_end(tree, &h);
  free(tree);
  return xet_hash_word(&h, 0);
}

/* A shard that says where so many chunks are, of files of 4,000 terms and xorbs of 1,000 chunks. */
static uint64_t run_shard(const uint8_t *p, size_t n) {
  struct xet_bytes b = {0};
  const struct xet_hash *h = (const struct xet_hash *)p;
  uint8_t sha[32] = {1};
  xet_put_head(&b, 1);
  for (size_t i = 0; i < n; i += 4000) {
    uint32_t terms = (uint32_t)(n - i < 4000 ? n - i : 4000);
    xet_put_file(&b, &h[i], XET_FILE_VERIFY | XET_FILE_META, terms / 1000 + 1);
    for (uint32_t k = 0; k <= terms / 1000; k++) xet_put_term(&b, &(struct xet_shard_term){h[i + k], 65536, 0, 1000});
    for (uint32_t k = 0; k <= terms / 1000; k++) xet_put_verify(&b, &h[i + k]);
    xet_put_sha256(&b, sha);
  }
  xet_put_bookend(&b);
  size_t xorbs = b.len;
  for (size_t i = 0; i < n; i += 1000) {
    uint32_t chunks = (uint32_t)(n - i < 1000 ? n - i : 1000);
    xet_put_xorb(&b, &h[i], chunks, chunks * 65536, chunks * 65000);
    for (uint32_t k = 0; k < chunks; k++) xet_put_chunk(&b, &(struct xet_shard_chunk){h[i + k], k * 65536, 65536, 0});
  }
  xet_put_bookend(&b);
  xet_put_footer(&b, xorbs, NULL, 1, UINT64_MAX);
  struct xet_shard s;
  const char *why = b.failed ? "no memory" : xet_shard_read(b.data, b.len, &s);
  if (why || s.chunks != n) abort();
  uint64_t sum = b.len;
  xet_bytes_free(&b);
  return sum;
}

static const struct {
  const char *name;
  uint64_t (*run)(const uint8_t *, size_t);
  size_t unit; /* bytes of memory for each of COUNT */
} works[] = {{"chunk", run_chunk, 1},    {"hash", run_hash, 1},       {"both", run_both, 1},
             {"feed", run_feed, 1},      {"crc64", run_crc64, 1},     {"pack", run_pack, 1},
             {"group", run_group, 1},    {"ungroup", run_ungroup, 1}, {"unpack", run_unpack, 1},
             {"merkle", run_merkle, 32}, {"shard", run_shard, 32}};

int main(int argc, char **argv) {
  for (size_t i = 0; argc >= 5 && i < sizeof works / sizeof *works; i++) {
    if (strcmp(works[i].name, argv[1])) continue;
    size_t n = strtoull(argv[2], NULL, 10);
    uint8_t *p = malloc(n * works[i].unit + 8);
    if (!p || (argc > 6 && (!xet_blake3_force(argv[6]) || (!strcmp(argv[6], "portable") && !xet_chunk_force(argv[6])))))
      return 3;
    make(p, n * works[i].unit, argv[3], strtoull(argv[4], NULL, 10));
    (void)works[i].run(p, n / 8);
    double began = cpu();
    uint64_t sum = 0;
    size_t rounds = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
    for (size_t r = 0; r < rounds; r++) sum = works[i].run(p, n);
    double took = cpu() - (unpack_began > 0 ? unpack_began : began);
    printf("%zu %.6f %016llx\n", n * rounds, took, (unsigned long long)sum);
    free(p);
    return 0;
  }
  fprintf(stderr, "bench-primitives WORK COUNT KIND SEED [ROUNDS [KERNEL]]\n");
  return 2;
}
