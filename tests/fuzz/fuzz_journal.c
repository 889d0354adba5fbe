/* fuzz_journal.c - the journal of a partial file: whatever it says, no block is taken for held beyond the file.
 * Input: size of the file (4 bytes, in 4 KiB), then the records as they lie on disk.
 * Also the ranges that the sink keeps. */
#include "bytes.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t units;
  if (size < sizeof units) return 0;
  memcpy(&units, data, sizeof units);
  uint64_t whole = (uint64_t)(units % (1u << 20)) * 4096 + units % 4096;
  uint32_t block = hf_journal_block(whole), blocks = hf_journal_blocks(whole, block);
  struct hf_digest digest = {.algo = HF_DIGEST_SHA256, .len = 32};
  uint8_t head[HF_JOURNAL_HEAD];
  if (!block) return 0;
  uint64_t salt = hf_journal_head(head, whole, block, "etag", &digest);
  struct hf_journal_block *table = calloc(blocks, sizeof *table);
  FUZZ_CHECK(table);
  hf_journal_parse(data + 4, size - 4, salt, whole, block, table, blocks);
  uint8_t *own = malloc(size); /* the same with checksums that are right: fields are reached, not only refused */
  FUZZ_CHECK(own);
  size_t n = 0;
  for (size_t at = 4; at + 8 <= size && n + HF_JOURNAL_RECORD <= size;
       at += HF_JOURNAL_RECORD, n += HF_JOURNAL_RECORD) {
    uint32_t index, len;
    memcpy(&index, data + at, 4);
    memcpy(&len, data + at + 4, 4);
    hf_journal_record(own + n, salt, index, len, 7);
  }
  hf_journal_parse(own, n, salt, whole, block, table, blocks);
  for (uint32_t i = 0; i < blocks; i++)
    FUZZ_CHECK(table[i].len <= block && (!table[i].len || (uint64_t)i * block + table[i].len <= whole));
  free(own);
  free(table);
  return 0;
}
