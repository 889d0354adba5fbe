/* journal.c - the format of the block journal that lies beside a partial file: which blocks were written, with a checksum of
 * their bytes. Whatever a crash tears, a block counts as held only when its bytes on disk still have its checksum.
 * Pure functions over memory; sink_resume.c does the reading and writing. */
#include "bytes.h"

enum { BLOCK_LEAST = 64 << 10, BLOCK_MOST = 1 << 20, SMALL = 1 << 20, BLOCKS_WANTED = 16384 };
static const char magic[8] = "HFJRNL1\n";

static void put32(uint8_t *p, uint32_t v) {
  for (unsigned i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *p, uint64_t v) {
  for (unsigned i = 0; i < 8; i++) p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p) {
  return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

uint32_t hf_journal_block(uint64_t size) {
  if (size < SMALL || size == HF_SIZE_UNKNOWN || size / BLOCK_MOST >= HF_JOURNAL_BLOCKS_MOST) return 0;
  uint32_t block = BLOCK_LEAST;
  while (block < BLOCK_MOST && size / BLOCKS_WANTED > block) block *= 2;
  return block;
}

uint32_t hf_journal_blocks(uint64_t size, uint32_t block) {
  return block ? (uint32_t)((size + block - 1) / block) : 0;
}

uint64_t hf_journal_head(uint8_t out[HF_JOURNAL_HEAD], uint64_t size, uint32_t block, const char *etag,
                         const struct hf_digest *digest) {
  memset(out, 0, HF_JOURNAL_HEAD);
  memcpy(out, magic, sizeof magic);
  put64(out + 8, size);
  put32(out + 16, block);
  if (digest && digest->algo != HF_DIGEST_NONE && digest->len <= sizeof digest->bytes) {
    put32(out + 20, digest->algo);
    memcpy(out + 24, digest->bytes, digest->len);
  }
  if (etag) {
    put64(out + 56, hf_sum_of(1, etag, strlen(etag)));
    put64(out + 64, hf_sum_of(2, etag, strlen(etag)));
  }
  uint64_t salt = hf_sum_of(3, out, HF_JOURNAL_HEAD - 8);
  put64(out + HF_JOURNAL_HEAD - 8, salt);
  return salt;
}

void hf_journal_record(uint8_t out[HF_JOURNAL_RECORD], uint64_t salt, uint32_t block, uint32_t len, uint64_t sum) {
  put32(out, block);
  put32(out + 4, len);
  put64(out + 8, sum);
  put64(out + 16, hf_sum_of(salt, out, 16));
}

void hf_journal_parse(const uint8_t *data, size_t len, uint64_t salt, uint64_t size, uint32_t block,
                      struct hf_journal_block *table, uint32_t blocks) {
  for (; len >= HF_JOURNAL_RECORD; data += HF_JOURNAL_RECORD, len -= HF_JOURNAL_RECORD) {
    uint32_t i = get32(data), n = get32(data + 4);
    if (i >= blocks || n == 0 || n > block || get64(data + 16) != hf_sum_of(salt, data, 16)) continue;
    if ((uint64_t)i * block + n > size) continue;
    table[i] = (struct hf_journal_block){n, get64(data + 8)};
  }
}

void hf_journal_leaf(uint8_t out[HF_JOURNAL_LEAF], uint64_t salt, const struct hf_leaf *l) {
  put64(out, l->off);
  put32(out + 8, (uint32_t)l->len);
  memcpy(out + 12, l->hash, sizeof l->hash);
  put32(out + 44, (uint32_t)hf_sum_of(salt, out, 44));
}

bool hf_journal_leaf_read(const uint8_t in[HF_JOURNAL_LEAF], uint64_t salt, uint64_t size, struct hf_leaf *l) {
  l->off = get64(in);
  l->len = get32(in + 8);
  memcpy(l->hash, in + 12, sizeof l->hash);
  return l->len > 0 && l->off < size && l->len <= size - l->off && get32(in + 44) == (uint32_t)hf_sum_of(salt, in, 44);
}
