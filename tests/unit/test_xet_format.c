/* Xet's formats: hashes, cuts and trees against published vectors (tests/xet/vectors.txt), xorbs and shards there and back,
 * and what is cut off, flipped or made up: refused or harmless, never read past its end.
 * Every BLAKE3 kernel of this machine is held to the same vectors. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "crc64.h"
#include "json.h"
#include "piece.h"
#include "recon.h"
#include "shard.h"
#include "xorb.h"

/* ---- inputs ---- */

static void splitmix(uint8_t *out, size_t n, uint64_t seed) {
  for (size_t at = 0; at < n; at += 8) {
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    for (size_t i = 0; i < 8 && at + i < n; i++) out[at + i] = (uint8_t)(z >> 8 * i);
  }
}

static const uint8_t hit[] = {
    154, 52,  42,  34,  159, 75,  126, 224, 70,  236, 12,  196, 79,  236, 178, 124, 127, 50,  99,  178, 44,  176,
    174, 126, 250, 235, 205, 174, 252, 122, 35,  10,  20,  101, 214, 69,  193, 8,   115, 105, 158, 228, 120, 111,
    136, 162, 198, 251, 211, 183, 253, 252, 164, 147, 63,  16,  186, 162, 117, 23,  170, 36,  205, 187, 174, 76,
    210, 174, 211, 175, 12,  173, 145, 59,  2,   70,  222, 181, 159, 227, 182, 156, 189, 51,  226, 106, 24,  50,
    183, 157, 140, 10,  8,   23,  212, 70,  10,  234, 23,  33,  219, 254, 39,  236, 70,  49,  191, 116, 9,   115,
    15,  101, 26,  159, 165, 220, 15,  170, 56,  125, 92,  163, 94,  235, 38,  40,  49,  81};

static size_t hex(const char *s, uint8_t *out) {
  size_t n = strcmp(s, "-") ? strlen(s) / 2 : 0;
  for (size_t i = 0; i < n; i++) {
    char two[3] = {s[2 * i], s[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(two, NULL, 16);
  }
  return n;
}

static uint8_t *input(const char *spec, size_t *len) {
  const char *a = strchr(spec, ':') + 1, *b = strchr(a, ':'), *c = b ? strchr(b + 1, ':') : NULL;
  int text = !strncmp(spec, "text", 4), bytes = !strncmp(spec, "hex", 3);
  *len = text ? strlen(a) : bytes ? strlen(a) / 2 : strtoul(a, NULL, 10);
  unsigned long arg = b ? strtoul(b + 1, NULL, 10) : 0;
  uint8_t *p = malloc(*len + 1);
  ck_assert_ptr_nonnull(p);
  if (text) {
    memcpy(p, a, *len);
  } else if (bytes) {
    hex(a, p);
  } else if (!strncmp(spec, "const", 5)) {
    memset(p, (int)arg, *len);
  } else if (!strncmp(spec, "hit", 3)) {
    for (size_t i = 0; i < *len; i++) p[i] = i % (sizeof hit + arg) < sizeof hit ? hit[i % (sizeof hit + arg)] : 0;
  } else if (!strncmp(spec, "repeat", 6)) {
    splitmix(p, *len < arg ? *len : arg, c ? strtoul(c + 1, NULL, 10) : 0);
    for (size_t i = arg; i < *len; i++) p[i] = p[i - arg];
  } else {
    splitmix(p, *len, arg);
    for (size_t i = 0; i < *len && !strncmp(spec, "few", 3); i++) p[i] &= 3;
  }
  return p;
}

/* ---- what the vectors are about ---- */

static void plain_hex(const struct xet_hash *h, char out[65]) {
  for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", h->b[i]);
}

static void on_keyed(const char *in, const char *want) {
  struct xet_hash key, h;
  size_t n = strtoul(in, NULL, 10);
  uint8_t *p = malloc(n + 1);
  char text[65];
  memcpy(key.b, "whats the Elvish word for friend", 32);
  for (size_t i = 0; i < n; i++) p[i] = (uint8_t)(i % 251);
  xet_blake3(&key, p, n, &h);
  plain_hex(&h, text);
  ck_assert_str_eq(text, want);
  free(p);
}

static size_t cut(const uint8_t *p, size_t n, size_t piece, size_t *ends) {
  struct xet_chunker c = {0, 0};
  size_t at = 0, count = 0;
  while (at < n) {
    int cut_here;
    size_t len = n - at < piece ? n - at : piece, took = xet_chunk_feed(&c, p + at, len, &cut_here);
    at += took;
    if (cut_here) ends[count++] = at;
  }
  if (n && (!count || ends[count - 1] != n)) ends[count++] = n;
  return count;
}

static void on_cuts(const char *in, const char *want) {
  static const size_t pieces[] = {SIZE_MAX, 1, 100, 8192, 65536, 100003};
  size_t n, *ends = malloc(1000 * sizeof *ends);
  uint8_t *p = input(in, &n);
  for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
    char text[4000] = "";
    size_t count = cut(p, n, pieces[k], ends), at = 0;
    for (size_t i = 0; i < count; i++)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%zu", i ? "," : "", ends[i]);
    ck_assert_str_eq(text, want);
  }
  uint32_t whole[1000];
  size_t count = cut(p, n, SIZE_MAX, ends), same = xet_chunk_cuts(p, n, whole, 1000);
  ck_assert_uint_eq(same + (n && (!same || whole[same - 1] != n)), count);
  for (size_t i = 0; i < same; i++) ck_assert_uint_eq(whole[i], ends[i]);
  free(p);
  free(ends);
}

/* Cut and hashed in one pass; the cuts are those of the chunker that goes piece by piece. */
static size_t pieces_of(const char *in, struct xet_piece piece[1000]) {
  size_t n, ends[1000], from = 0;
  uint8_t *p = input(in, &n);
  size_t count = xet_pieces(p, n, 1, piece, 1000);
  ck_assert_uint_eq(cut(p, n, SIZE_MAX, ends), count);
  for (size_t i = 0; i < count; from = ends[i++]) {
    struct xet_hash h;
    xet_blake3(&xet_key_data, p + from, ends[i] - from, &h);
    ck_assert(piece[i].len == ends[i] - from && !memcmp(&h, &piece[i].hash, sizeof h));
  }
  free(p);
  return count;
}

static void tree_of(const char *in, struct xet_hash *sum, size_t *count) {
  struct xet_piece piece[1000];
  struct xet_merkle m;
  xet_merkle_init(&m);
  *count = pieces_of(in, piece);
  for (size_t i = 0; i < *count; i++) xet_merkle_add(&m, &piece[i].hash, piece[i].len);
  xet_merkle_end(&m, sum);
}

static void on_pieces(const char *in, const char *want) {
  struct xet_piece piece[1000];
  size_t count = pieces_of(in, piece);
  size_t room = 80 * count + 2, at = 0;
  char *text = calloc(1, room), hash[65];
  text[0] = '-';
  for (size_t i = 0; i < count; i++) {
    xet_hash_print(&piece[i].hash, hash);
    at += (size_t)snprintf(text + at, room - at, "%s%s:%u", i ? "," : "", hash, piece[i].len);
  }
  ck_assert_str_eq(text, want);
  free(text);
}

/* What proves that an uploader has the chunks: over all of them, or over hashes that are given. */
static void on_range(const char *in, const char *want) {
  struct xet_piece piece[1000];
  struct xet_hash all[1000], sum;
  size_t count = pieces_of(in, piece);
  char text[65];
  for (size_t i = 0; i < count; i++) all[i] = piece[i].hash;
  xet_blake3(&xet_key_verify, all, count * sizeof *all, &sum);
  xet_hash_print(&sum, text);
  ck_assert_str_eq(text, want);
}

static void on_verify(const char *in, const char *want) {
  struct xet_hash all[10], sum;
  size_t count = 0;
  char text[65];
  for (const char *p = in; *p; p += strcspn(p, ","), p += *p == ',') {
    snprintf(text, sizeof text, "%.64s", p);
    ck_assert(count < 10 && xet_hash_read(text, &all[count++]));
  }
  xet_blake3(&xet_key_verify, all, count * sizeof *all, &sum);
  xet_hash_print(&sum, text);
  ck_assert_str_eq(text, want);
}

static void on_printed(const char *in, const char *want) {
  struct xet_hash h, back;
  char text[65];
  ck_assert_uint_eq(hex(in, h.b), 32);
  xet_hash_print(&h, text);
  ck_assert_str_eq(text, want);
  ck_assert(xet_hash_read(want, &back) && !memcmp(&h, &back, sizeof h));
}

static void on_xorb(const char *in, const char *want) {
  struct xet_hash sum;
  size_t n;
  char text[65];
  tree_of(in, &sum, &n);
  xet_hash_print(&sum, text);
  ck_assert_str_eq(text, want);
}

static void on_file(const char *in, const char *want) {
  struct xet_hash sum, file;
  size_t n;
  char text[65];
  tree_of(in, &sum, &n);
  xet_file_hash(&sum, n, &file);
  xet_hash_print(&file, text);
  ck_assert_str_eq(text, want);
}

static void on_merkle(const char *in, const char *want) {
  struct xet_merkle m;
  struct xet_hash h;
  char text[65];
  xet_merkle_init(&m);
  for (const char *p = in; *p && *p != '-'; p += strcspn(p, ","), p += *p == ',') {
    snprintf(text, sizeof text, "%.64s", p);
    ck_assert(xet_hash_read(text, &h));
    xet_merkle_add(&m, &h, strtoull(p + 65, NULL, 10));
  }
  xet_merkle_end(&m, &h);
  xet_hash_print(&h, text);
  ck_assert_str_eq(text, want);
}

static void on_hmac(const char *in, const char *want) {
  struct xet_hash key, h, out;
  char text[65];
  snprintf(text, sizeof text, "%.64s", in);
  ck_assert(xet_hash_read(text, &key) && xet_hash_read(in + 65, &h));
  xet_blake3(&key, h.b, 32, &out);
  xet_hash_print(&out, text);
  ck_assert_str_eq(text, want);
}

static void on_bg4(const char *in, const char *want) {
  uint8_t a[200], b[200], out[200];
  size_t n = hex(in, a);
  ck_assert_uint_eq(hex(want, b), n);
  xet_bg4_group(a, n, out);
  ck_assert(n == 0 || memcmp(out, b, n) == 0);
  xet_bg4_ungroup(b, n, out);
  ck_assert(n == 0 || memcmp(out, a, n) == 0);
}

static const struct {
  const char *name;
  void (*fn)(const char *, const char *);
  int hashes;
} kinds[] = {{"keyed", on_keyed, 1},   {"cuts", on_cuts, 0},     {"file", on_file, 1},      {"xorb", on_xorb, 1},
             {"merkle", on_merkle, 1}, {"hmac", on_hmac, 1},     {"bg4", on_bg4, 0},        {"pieces", on_pieces, 1},
             {"range", on_range, 1},   {"verify", on_verify, 1}, {"printed", on_printed, 0}};

static unsigned each_vector(const char *name, int only_hashes) {
  char path[1000];
  snprintf(path, sizeof path, "%s/tests/xet/%s", getenv("HF_TEST_SOURCE") ? getenv("HF_TEST_SOURCE") : ".", name);
  FILE *f = fopen(path, "r");
  ck_assert_msg(f != NULL, "%s", path);
  char *line = NULL;
  size_t room = 0;
  unsigned n = 0;
  while (getline(&line, &room, f) > 0) {
    char *save, *kind = strtok_r(line, " \n", &save), *in = strtok_r(NULL, " \n", &save);
    char *want = strtok_r(NULL, " \n", &save);
    if (!kind || *kind == '#') continue;
    ck_assert(in && want);
    size_t k = 0;
    while (k < sizeof kinds / sizeof *kinds && strcmp(kinds[k].name, kind)) k++;
    ck_assert_msg(k < sizeof kinds / sizeof *kinds, "%s", kind);
    if (!only_hashes || kinds[k].hashes) kinds[k].fn(in, want), n++;
  }
  free(line);
  fclose(f);
  return n;
}

START_TEST(vectors) {
  ck_assert_uint_eq(each_vector("vectors.txt", 0), 388);
  ck_assert_uint_eq(each_vector("vectors-made.txt", 0), 182);
}
END_TEST

START_TEST(vectors_on_every_kernel) {
  static const char *const names[] = {"portable", "avx2", "avx512", "neon"};
  unsigned used = 0;
  for (int i = 0; i < 4; i++)
    if (xet_blake3_force(names[i])) {
      ck_assert_str_eq(xet_blake3_kernel(), names[i]);
      ck_assert_uint_gt(each_vector("vectors.txt", 1), 200);
      ck_assert_uint_eq(each_vector("vectors-made.txt", 1), 182);
      used++;
    }
  xet_blake3_force(NULL);
  ck_assert_uint_ge(used, 1);
}
END_TEST

/* Many inputs at once give what each gives alone, whatever their lengths. */
START_TEST(batches) {
  enum { N = 40 };
  uint8_t *p = malloc(N * 140000);
  const void *data[N] = {NULL};
  size_t len[N] = {0};
  struct xet_hash many[N], one;
  splitmix(p, N * 140000, 3);
  for (size_t i = 0; i < N; i++) {
    data[i] = p + i * 140000;
    len[i] = i == 7 ? 0 : i == 8 ? 140000 : (i * 7919 * 13) % 131073;
  }
  xet_blake3_batch(&xet_key_data, data, len, N, many);
  for (size_t i = 0; i < N; i++) {
    xet_blake3(&xet_key_data, data[i], len[i], &one);
    ck_assert_mem_eq(one.b, many[i].b, 32);
  }
  free(p);
}
END_TEST

/* Candidates of the scan contain every cut that is not forced by the longest length. */
START_TEST(scan_finds_the_cuts) {
  size_t n = 3000001, ends[1000], scanned, count, found, at = 0;
  uint8_t *p = malloc(n);
  uint32_t *hits = malloc(4000 * sizeof *hits);
  splitmix(p, n, 1082);
  count = cut(p, n, SIZE_MAX, ends);
  found = xet_chunk_scan(p, n, 0, hits, 4000, &scanned);
  ck_assert_uint_eq(scanned, n);
  for (size_t i = 0, from = 0; i + 1 < count; from = ends[i++]) {
    while (at < found && hits[at] < ends[i]) at++;
    ck_assert(ends[i] - from == XET_CHUNK_MAX || (at < found && hits[at] == ends[i]));
  }
  free(hits);
  free(p);
}
END_TEST

START_TEST(crc) {
  static uint8_t p[10000];
  ck_assert(xet_crc64(0, "123456789", 9) == UINT64_C(0xae8b14860a799888));
  splitmix(p, sizeof p, 5);
  for (size_t i = 0; i <= sizeof p; i += 237)
    ck_assert(xet_crc64(xet_crc64(0, p, i), p + i, sizeof p - i) == xet_crc64(0, p, sizeof p));
}
END_TEST

/* ---- chunks and xorbs ---- */

static void fill(uint8_t *p, size_t n, int kind) {
  splitmix(p, n, 11);
  for (size_t i = 0; i < n && kind == 1; i++) p[i] = "abcdefgh"[p[i] & 7]; /* LZ4 alone does little, but something */
  for (size_t i = 0; i < n && kind == 2; i++) p[i] = i % 4 == 3 ? 0x3f : i % 4 == 2 ? (uint8_t)(p[i] & 7) : p[i];
  if (kind == 3) memset(p, 0, n);
}

START_TEST(packing_there_and_back) {
  static const size_t lens[] = {1, 2, 3, 5, 100, 8192, 65535, 65537, XET_CHUNK_MAX};
  uint8_t *raw = malloc(XET_CHUNK_MAX), *out = malloc(XET_CHUNK_MAX + 8), *back = malloc(XET_CHUNK_MAX);
  uint8_t *state = malloc(XET_PACK_STATE);
  for (int kind = 0; kind < 4; kind++)
    for (size_t l = 0; l < sizeof lens / sizeof *lens; l++)
      for (uint32_t scheme = 0; scheme <= XET_BG4_LZ4; scheme++) {
        struct xet_record r;
        fill(raw, lens[l], kind);
        size_t n = xet_pack(scheme, raw, lens[l], out, state);
        ck_assert_uint_le(n, lens[l] + XET_RECORD_HEAD);
        ck_assert_ptr_null(xet_record_read(out, &r));
        ck_assert_uint_eq(r.raw, lens[l]);
        ck_assert_uint_eq(r.stored + XET_RECORD_HEAD, n);
        ck_assert_ptr_null(xet_unpack(&r, out + XET_RECORD_HEAD, back, state));
        ck_assert_mem_eq(raw, back, lens[l]);
        if (kind == 3 && lens[l] > 1000 && scheme) ck_assert_uint_lt(n, lens[l] / 20);
      }
  fill(raw, 65536, 0);
  ck_assert_uint_eq(xet_choose(raw, 65536, state), XET_NONE);
  fill(raw, 65536, 2);
  ck_assert_uint_eq(xet_choose(raw, 65536, state), XET_BG4_LZ4);
  fill(raw, 65536, 3);
  ck_assert_uint_ne(xet_choose(raw, 65536, state), XET_NONE);
  free(raw);
  free(out);
  free(back);
  free(state);
}
END_TEST

/* A frame of linked blocks with checksums and sizes, as other writers make them: 64 KiB blocks, the second refers back. */
START_TEST(frames_of_others) {
  static const uint8_t frame[] = {
      0x04, 0x22, 0x4d, 0x18, 0x7c, 0x40, 0xc8, 0,    0,    0,   0,   0,   0, 0, 0x00, /* header */
      4,    0,    0,    0x80, 'a',  'b',  'c',  'd',  1,    2,   3,   4,               /* plain, its sum */
      8,    0,    0,    0,    0x0f, 4,    0,    0xa4, 0x50, 'z', 'z', 'z', 1, 2, 3,    4, 0, 0, 0, 0, 9, 9, 9, 9};
  uint8_t out[400], scratch[400];
  struct xet_record r = {XET_LZ4, sizeof frame, 0};
  for (r.raw = 1; r.raw < 300; r.raw++) {
    memset(out, 0xee, sizeof out);
    const char *why = xet_unpack(&r, frame, out, scratch);
    for (size_t i = r.raw; i < sizeof out; i++) ck_assert_uint_eq(out[i], 0xee);
    if (!why) ck_assert_mem_eq(out, "abcdabcd", 8);
  }
}
END_TEST

static size_t make_xorb(uint8_t *out, int kind) {
  uint8_t *raw = malloc(XET_CHUNK_MAX), *state = malloc(XET_PACK_STATE);
  size_t n = 0;
  for (uint32_t i = 0; i < 6; i++) {
    fill(raw, 9000 + 1000 * i, kind);
    raw[0] = (uint8_t)i;
    n += xet_pack(i % 3, raw, 9000 + 1000 * i, out + n, state);
  }
  free(raw);
  free(state);
  return n;
}

START_TEST(xorb_whole_and_damaged) {
  uint8_t *p = malloc(200000), *q;
  size_t n = make_xorb(p, 2);
  struct xet_xorb x, y;
  ck_assert_ptr_null(xet_xorb_read(p, n, &x, NULL, NULL));
  ck_assert_uint_eq(x.chunks, 6);
  ck_assert_uint_eq(x.raw, 6 * 9000 + 15 * 1000);
  ck_assert_uint_eq(x.body, n);
  memcpy(p + n, "XETBLOB\1rest", 12);
  ck_assert_ptr_null(xet_xorb_read(p, n + 12, &y, NULL, NULL));
  ck_assert(y.footer && y.body == n && !memcmp(&x.hash, &y.hash, 32));
  for (size_t i = 0; i < n;
       i += i < 100 ? 1 : 97) { /* in memory of exactly that length, so that a sanitizer sees all */
    q = malloc(i + 1);
    memcpy(q, p, i);
    const char *why = xet_xorb_read(q, i, &y, NULL, NULL);
    ck_assert(why || memcmp(&x.hash, &y.hash, 32));
    free(q);
  }
  q = malloc(n);
  for (size_t i = 0; i < n; i += i < 100 ? 1 : 61) {
    memcpy(q, p, n);
    q[i] ^= (uint8_t)(1 << i % 8);
    const char *why = xet_xorb_read(q, n, &y, NULL, NULL);
    if (!why && !memcmp(&x.hash, &y.hash, 32)) /* what LZ4 does not look at may change */
      ck_assert_uint_eq(y.raw, x.raw);
  }
  free(q);
  free(p);
}
END_TEST

/* ---- shards ---- */

static void make_shard(struct xet_bytes *b, int footer) {
  struct xet_hash h, key = {{1}};
  uint8_t sha[32];
  for (int i = 0; i < 32; i++) sha[i] = (uint8_t)i;
  splitmix(h.b, 32, 9);
  xet_put_head(b, footer);
  xet_put_file(b, &h, XET_FILE_VERIFY | XET_FILE_META, 2);
  for (uint32_t i = 0; i < 2; i++) xet_put_term(b, &(struct xet_shard_term){h, 20000, i, i + 1});
  for (int i = 0; i < 2; i++) xet_put_verify(b, &h);
  xet_put_sha256(b, sha);
  xet_put_file(b, &h, 0, 0);
  xet_put_bookend(b);
  size_t xorbs = b->len;
  xet_put_xorb(b, &h, 2, 40000, 1234);
  xet_put_chunk(b, &(struct xet_shard_chunk){h, 0, 20000, XET_CHUNK_GLOBAL});
  xet_put_chunk(b, &(struct xet_shard_chunk){h, 20000, 20000, 0});
  xet_put_bookend(b);
  if (footer) xet_put_footer(b, xorbs, &key, 100, 200);
  ck_assert(!b->failed);
}

START_TEST(shard_there_and_back) {
  for (int footer = 0; footer < 2; footer++) {
    struct xet_bytes b = {0};
    struct xet_shard s;
    struct xet_shard_file f;
    struct xet_shard_xorb x;
    struct xet_shard_term t;
    struct xet_shard_chunk c;
    uint8_t sha[32];
    make_shard(&b, footer);
    ck_assert_uint_eq(b.len, 48 * (1 + 6 + 1 + 1 + 3 + 1) + (footer ? 200 : 0));
    ck_assert_ptr_null(xet_shard_read(b.data, b.len, &s));
    ck_assert_uint_eq(s.files, 2);
    ck_assert_uint_eq(s.xorbs, 1);
    ck_assert_int_eq(s.footer, footer);
    ck_assert_uint_eq(s.key.b[0], footer);
    ck_assert_uint_eq(s.expires, footer ? 200 : UINT64_MAX);
    size_t at = s.files_at;
    ck_assert(xet_shard_next_file(&s, &at, &f) && f.terms == 2);
    xet_shard_term(&f, 1, &t);
    ck_assert(t.raw == 20000 && t.start == 1 && t.end == 2);
    xet_shard_sha256(&f, sha);
    for (int i = 0; i < 32; i++) ck_assert_uint_eq(sha[i], i);
    ck_assert_uint_eq(f.meta_row[0], 7); /* the words are turned */
    ck_assert(xet_shard_next_file(&s, &at, &f) && f.terms == 0 && !f.meta_row);
    ck_assert(!xet_shard_next_file(&s, &at, &f));
    at = s.xorbs_at;
    ck_assert(xet_shard_next_xorb(&s, &at, &x) && x.chunks == 2 && x.stored == 1234);
    xet_shard_chunk(&x, 1, &c);
    ck_assert(c.at == 20000 && c.raw == 20000 && c.flags == 0);
    ck_assert(!xet_shard_next_xorb(&s, &at, &x));
    xet_bytes_free(&b);
  }
}
END_TEST

START_TEST(shard_damaged) {
  struct xet_bytes b = {0};
  struct xet_shard s;
  make_shard(&b, 1);
  for (size_t i = 0; i < b.len; i++) {
    uint8_t *q = malloc(i + 1);
    memcpy(q, b.data, i);
    ck_assert_ptr_nonnull(xet_shard_read(q, i, &s));
    free(q);
  }
  for (size_t i = 0; i < b.len * 8; i++) { /* sound or refused; walking what is sound stays inside */
    uint8_t *q = malloc(b.len);
    memcpy(q, b.data, b.len);
    q[i / 8] ^= (uint8_t)(1 << i % 8);
    struct xet_shard_file f;
    struct xet_shard_xorb x;
    if (!xet_shard_read(q, b.len, &s)) {
      for (size_t at = s.files_at; xet_shard_next_file(&s, &at, &f);) ck_assert_uint_le(at, b.len);
      for (size_t at = s.xorbs_at; xet_shard_next_xorb(&s, &at, &x);) ck_assert_uint_le(at, b.len);
    }
    free(q);
  }
  xet_bytes_free(&b);
}
END_TEST

/* ---- reconstructions ---- */

#define H1              "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TERM(len, a, b) "{\"hash\":\"" H1 "\",\"unpacked_length\":" #len ",\"range\":{\"start\":" #a ",\"end\":" #b "}}"
#define V2(terms, ranges)                                                 \
  "{\"offset_into_first_range\":5,\"terms\":[" terms "],\"xorbs\":{\"" H1 \
  "\":[{\"url\":\"http://x/\\u0041?s=1\",\"ranges\":[" ranges "]}]}}"
#define RANGE(a, b, first, last) \
  "{\"chunks\":{\"start\":" #a ",\"end\":" #b "},\"bytes\":{\"start\":" #first ",\"end\":" #last "}}"

START_TEST(recon_both_versions) {
  static const char *const texts[] = {
      V2(TERM(30000, 1, 3) "," TERM(20000, 0, 1) "," TERM(20000, 2, 3), RANGE(0, 3, 0, 50023)),
      "{\"terms\":[" TERM(30000, 1, 3) "," TERM(20000, 0, 1) "," TERM(
          20000, 2, 3) "],\"new\":[{\"a\":[1,2,{}]},null],\"fetch_info\":{\"" H1
                       "\":[{\"range\":{\"start\":0,\"end\":3},\"url\":\"http://x/"
                       "A?s=1\",\"url_range\":{\"start\":0,\"end\":50023}}]},"
                       "\"offset_into_first_range\":5}"};
  for (int i = 0; i < 2; i++) {
    struct xet_recon r;
    const char *why = xet_recon_read(texts[i], strlen(texts[i]), &r);
    ck_assert_msg(!why, "%s", why);
    ck_assert_uint_eq(r.skip, 5);
    ck_assert_uint_eq(r.raw, 70000);
    ck_assert_uint_eq(r.term_count, 3);
    ck_assert_uint_eq(r.range_count, 1);
    ck_assert_str_eq(r.urls + r.ranges[0].url, "http://x/A?s=1");
    ck_assert(r.ranges[0].first == 0 && r.ranges[0].last == 50023);
    xet_recon_free(&r);
  }
}
END_TEST

START_TEST(recon_hostile) {
  static const char *const texts[] = {
      "",
      "[]",
      "{\"terms\":[",
      V2(TERM(30000, 1, 1), RANGE(0, 3, 0, 50023)),                   /* no chunks */
      V2(TERM(30000, 3, 1), RANGE(0, 3, 0, 50023)),                   /* backwards */
      V2(TERM(9223372036854775808, 0, 1), RANGE(0, 3, 0, 50023)),     /* 2^63 bytes in a chunk */
      V2(TERM(99999999999999999999999, 0, 1), RANGE(0, 3, 0, 50023)), /* no number of 64 bits */
      V2(TERM(-1, 0, 1), RANGE(0, 3, 0, 50023)),
      V2(TERM(1, 0, 3), RANGE(0, 3, 0, 50023)),            /* more chunks than bytes */
      V2(TERM(30000, 0, 9000), RANGE(0, 9000, 0, 500230)), /* more chunks than a xorb has */
      V2(TERM(30000, 0, 4), RANGE(0, 3, 0, 50023)),        /* not covered */
      V2(TERM(30000, 0, 3), RANGE(0, 3, 50023, 0)),        /* bytes backwards */
      V2(TERM(30000, 0, 3), RANGE(0, 3, 0, 5)),            /* cannot hold three chunks */
      V2(TERM(30000, 0, 3), RANGE(0, 3, 0, 18446744073709551615)),
      V2(TERM(5, 0, 1), RANGE(0, 3, 0, 50023)), /* begins behind its first term */
      "{\"terms\":[" TERM(30000, 1, 3) "],\"xorbs\":null}",
      "{\"terms\":[" TERM(30000, 1, 3) "],\"xorbs\":{\"zz\":[]}}"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    struct xet_recon r;
    ck_assert_msg(xet_recon_read(texts[i], strlen(texts[i]), &r) != NULL, "%s", texts[i]);
    xet_recon_free(&r);
  }
  static const char good[] = V2(TERM(30000, 1, 3), RANGE(0, 3, 0, 50023));
  for (size_t i = 0; i + 1 < sizeof good - 1; i++) { /* exactly that much memory */
    struct xet_recon r;
    char *q = malloc(i + 1);
    memcpy(q, good, i);
    ck_assert_ptr_nonnull(xet_recon_read(q, i, &r));
    xet_recon_free(&r);
    free(q);
  }
}
END_TEST

START_TEST(json_depth) {
  char deep[100001];
  struct xet_json j;
  memset(deep, '[', 100000);
  deep[100000] = 0;
  j = (struct xet_json){.p = deep, .end = deep + 100000};
  ck_assert(!xet_json_skip(&j));
  j = (struct xet_json){.p = deep, .end = deep + 100000};
  unsigned n = 0;
  while (xet_json_open(&j, '[')) n++;
  ck_assert_uint_lt(n, XET_JSON_DEPTH);
}
END_TEST

int main(void) {
  Suite *s = suite_create("xet_format");
  TCase *t = tcase_create("xet_format");
  tcase_set_timeout(t, 120);
  tcase_add_test(t, vectors);
  tcase_add_test(t, vectors_on_every_kernel);
  tcase_add_test(t, batches);
  tcase_add_test(t, scan_finds_the_cuts);
  tcase_add_test(t, crc);
  tcase_add_test(t, packing_there_and_back);
  tcase_add_test(t, frames_of_others);
  tcase_add_test(t, xorb_whole_and_damaged);
  tcase_add_test(t, shard_there_and_back);
  tcase_add_test(t, shard_damaged);
  tcase_add_test(t, recon_both_versions);
  tcase_add_test(t, recon_hostile);
  tcase_add_test(t, json_depth);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
