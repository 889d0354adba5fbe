/* craft.c - xorbs and shards for tests of a CAS: right ones, and every wrong one that its sender might try.
 * Usage: xet-craft --lie ENTRY (of a chunk cache), or xet-craft FOLDER SEED. Writes xorb, xorb-footer, xorb-*; shard, shard-*; `names` says what they are called. All files are
 * small: three chunks of noise in one xorb, one file of it with its second chunk twice. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crc64.h"
#include "shard.h"
#include "xorb.h"

enum { CHUNKS = 3, TERMS = 2 };
static const uint32_t sizes[CHUNKS] = {9000, 20000, 8192};

struct all {
  const char *folder;
  uint8_t *raw[CHUNKS];
  struct xet_hash chunk[CHUNKS], xorb, file, range[TERMS];
  uint8_t sha256[32];
  struct xet_bytes body;
};

static void save(const struct all *a, const char *name, const void *data, size_t len) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", a->folder, name);
  FILE *f = fopen(path, "wb");
  if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
    perror(path);
    exit(1);
  }
}

static void noise(uint8_t *p, size_t n, uint64_t *seed) {
  for (size_t i = 0; i < n; i++) {
    uint64_t z = *seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    p[i] = (uint8_t)((z ^ z >> 27) * 0x94d049bb133111ebu >> 56);
  }
}

static void make_content(struct all *a, uint64_t seed) {
  struct xet_merkle xorb, file;
  EVP_MD_CTX *sha = EVP_MD_CTX_new();
  struct xet_hash sum;
  static const int order[] = {0, 1, 2, 1};
  xet_merkle_init(&xorb);
  xet_merkle_init(&file);
  for (int i = 0; i < CHUNKS; i++) {
    a->raw[i] = malloc(sizes[i]);
    if (!a->raw[i]) exit(1);
    noise(a->raw[i], sizes[i], &seed);
    xet_blake3(&xet_key_data, a->raw[i], sizes[i], &a->chunk[i]);
    xet_merkle_add(&xorb, &a->chunk[i], sizes[i]);
    uint8_t head[XET_RECORD_HEAD];
    xet_record_write(&(struct xet_record){XET_NONE, sizes[i], sizes[i]}, head);
    xet_bytes_add(&a->body, head, sizeof head);
    xet_bytes_add(&a->body, a->raw[i], sizes[i]);
  }
  xet_merkle_end(&xorb, &a->xorb);
  EVP_DigestInit_ex(sha, EVP_sha256(), NULL);
  for (int i = 0; i < 4; i++) {
    xet_merkle_add(&file, &a->chunk[order[i]], sizes[order[i]]);
    EVP_DigestUpdate(sha, a->raw[order[i]], sizes[order[i]]);
  }
  EVP_DigestFinal_ex(sha, a->sha256, NULL);
  EVP_MD_CTX_free(sha);
  xet_merkle_end(&file, &sum);
  xet_file_hash(&sum, 4, &a->file);
  xet_blake3(&xet_key_verify, a->chunk, 3 * sizeof *a->chunk, &a->range[0]);
  xet_blake3(&xet_key_verify, &a->chunk[1], sizeof *a->chunk, &a->range[1]);
}

/* ---- shards, right and wrong ---- */

enum wrong {
  RIGHT,
  FOOTER,
  EMPTY_XORBS, /* right as well, when the xorb is known */
  OTHER_FILE,  /* hash of the file */
  OTHER_RANGE, /* range hash */
  NO_RANGES,
  OTHER_SHA,
  TERM_LENGTH,
  TERM_END,   /* chunks that the xorb does not have */
  OTHER_XORB, /* that nobody uploaded */
  OTHER_CHUNK,
  CHUNK_LENGTH,
  CUT_OFF,
  NO_BOOKEND,
  WRONGS
};
static const char *const names[WRONGS] = {"shard",       "shard-footer",    "shard-known", "shard-file",
                                          "shard-range", "shard-no-ranges", "shard-sha",   "shard-length",
                                          "shard-end",   "shard-xorb",      "shard-chunk", "shard-chunk-length",
                                          "shard-cut",   "shard-no-bookend"};

static struct xet_hash other(const struct xet_hash *h) {
  struct xet_hash o = *h;
  o.b[5] ^= 1;
  return o;
}

static void put_files(struct xet_bytes *b, const struct all *a, enum wrong w) {
  struct xet_hash file = w == OTHER_FILE ? other(&a->file) : a->file,
                  xorb = w == OTHER_XORB ? other(&a->xorb) : a->xorb;
  uint32_t flags = w == NO_RANGES ? XET_FILE_META : XET_FILE_META | XET_FILE_VERIFY,
           all = sizes[0] + sizes[1] + sizes[2];
  uint8_t sha[32];
  memcpy(sha, a->sha256, sizeof sha);
  sha[0] ^= w == OTHER_SHA;
  xet_put_file(b, &file, flags, TERMS);
  xet_put_term(b, &(struct xet_shard_term){xorb, all + (w == TERM_LENGTH), 0, w == TERM_END ? 4 : 3});
  xet_put_term(b, &(struct xet_shard_term){xorb, sizes[1], 1, 2});
  for (int i = 0; i < TERMS && w != NO_RANGES; i++) {
    struct xet_hash range = w == OTHER_RANGE && i ? other(&a->range[i]) : a->range[i];
    xet_put_verify(b, &range);
  }
  xet_put_sha256(b, sha);
  xet_put_bookend(b);
}

static void put_xorbs(struct xet_bytes *b, const struct all *a, enum wrong w) {
  uint32_t at = 0, all = sizes[0] + sizes[1] + sizes[2];
  if (w != EMPTY_XORBS && w != TERM_END) {
    struct xet_hash xorb = w == OTHER_XORB ? other(&a->xorb) : a->xorb;
    xet_put_xorb(b, &xorb, CHUNKS, all + (w == CHUNK_LENGTH ? 1 : 0), 0);
    for (int i = 0; i < CHUNKS; i++) {
      struct xet_hash h = w == OTHER_CHUNK && i == 2 ? other(&a->chunk[i]) : a->chunk[i];
      uint32_t raw = sizes[i] + (w == CHUNK_LENGTH && i == 2);
      xet_put_chunk(b, &(struct xet_shard_chunk){.hash = h, .at = at, .raw = raw});
      at += raw;
    }
  }
  if (w != NO_BOOKEND) xet_put_bookend(b);
}

static void make_shard(const struct all *a, enum wrong w) {
  static const struct xet_hash none;
  struct xet_bytes b = {0};
  xet_put_head(&b, w == FOOTER);
  put_files(&b, a, w);
  size_t xorbs = b.len;
  put_xorbs(&b, a, w);
  if (w == FOOTER) xet_put_footer(&b, xorbs, &none, 0, UINT64_MAX);
  save(a, names[w], b.data, w == CUT_OFF ? b.len - 60 : b.len);
  xet_bytes_free(&b);
}

/* ---- xorbs ---- */

static void make_xorbs(const struct all *a) {
  uint8_t *copy = malloc(a->body.len + 16);
  if (!copy) exit(1);
  memcpy(copy, a->body.data, a->body.len);
  save(a, "xorb", copy, a->body.len);
  save(a, "xorb-cut", copy, a->body.len - 1);
  copy[100] ^= 1;
  save(a, "xorb-flipped", copy, a->body.len);
  copy[100] ^= 1;
  copy[4] = 7;
  save(a, "xorb-scheme", copy, a->body.len);
  copy[4] = 0;
  copy[0] = 1;
  save(a, "xorb-version", copy, a->body.len);
  copy[0] = 0;
  copy[5]++;
  save(a, "xorb-raw", copy, a->body.len);
  copy[5]--;
  memcpy(copy + a->body.len, "XETBLOB\1........", 16);
  save(a, "xorb-footer", copy, a->body.len + 16);
  free(copy);
}

static void say(FILE *f, const char *name, const struct xet_hash *h) {
  char text[65];
  xet_hash_print(h, text);
  fprintf(f, "%s %s\n", name, text);
}

/* An entry of the chunk cache (chunks, 36 bytes for each, a tail of 56) with another first byte and the sums that go with it. */
static int lie(const char *path) {
  FILE *f = fopen(path, "r+b");
  static uint8_t p[64 << 20];
  size_t n = f ? fread(p, 1, sizeof p, f) : 0;
  uint32_t count, raw, first;
  struct xet_hash h, part[2];
  if (n < 100) return 1;
  uint8_t *tail = p + n - 56;
  memcpy(&count, tail + 8, 4);
  memcpy(&raw, tail + 12, 4);
  if (n != raw + (size_t)count * 36 + 56) return 1;
  memcpy(&first, p + raw + 32, 4);
  p[0] ^= 1;
  xet_blake3(&xet_key_data, p, first, &h);
  memcpy(p + raw, &h, 32);
  xet_blake3(&xet_key_verify, p + raw, (size_t)count * 36, &part[0]);
  xet_blake3(&xet_key_verify, tail, 48, &part[1]);
  xet_blake3(&xet_key_verify, part, sizeof part, &h);
  memcpy(tail + 48, &h, 8);
  rewind(f);
  return fwrite(p, 1, n, f) == n && fclose(f) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  if (argc == 3 && !strcmp(argv[1], "--lie")) return lie(argv[2]);
  if (argc != 3) return 2;
  struct all a = {.folder = argv[1]};
  char path[4096];
  make_content(&a, strtoull(argv[2], NULL, 10));
  make_xorbs(&a);
  for (enum wrong w = RIGHT; w < WRONGS; w++) make_shard(&a, w);
  struct xet_hash strange = other(&a.xorb);
  snprintf(path, sizeof path, "%s/names", argv[1]);
  FILE *f = fopen(path, "w");
  if (!f) return 1;
  say(f, "xorb", &a.xorb);
  say(f, "other", &strange);
  say(f, "file", &a.file);
  for (int i = 0; i < CHUNKS; i++) {
    char name[8];
    snprintf(name, sizeof name, "chunk%d", i);
    say(f, name, &a.chunk[i]);
  }
  fprintf(f, "crc %llu\nsha256 ", (unsigned long long)xet_crc64(0, a.body.data, a.body.len));
  for (int i = 0; i < 32; i++) fprintf(f, "%02x", a.sha256[i]);
  fprintf(f, "\n");
  for (int i = 0; i < CHUNKS; i++) free(a.raw[i]);
  xet_bytes_free(&a.body);
  return fclose(f) != 0;
}
