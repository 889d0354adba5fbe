/* fuzz_xet_hash.c - BLAKE3 by every kernel, alone and in batches, the printed form of hashes, and Merkle trees fed in order.
 * Input: a key of 32 bytes, four bytes that cut the rest into inputs, then the bytes.
 * All kernels agree; a hash that is printed is read again; text that is no hash is refused. */
#include "fuzz.h"
#include "hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"avx2", "avx512", "neon"};
  enum { INPUTS = 5 };
  if (size < 37) return 0;
  const uint8_t *p = data + 36;
  const void *in[INPUTS];
  size_t len[INPUTS], left = size - 36, repeat = 1 + data[35] % 40u;
  struct xet_hash key, want[INPUTS], is[INPUTS], root;
  memcpy(key.b, data, 32);
  uint8_t *whole = malloc(left * repeat);
  FUZZ_CHECK(whole);
  for (size_t i = 0; i < repeat; i++) memcpy(whole + i * left, p, left);
  left *= repeat;
  for (size_t i = 0, at = 0; i < INPUTS; at += len[i++]) {
    in[i] = whole + at;
    len[i] = i + 1 < INPUTS ? (left - at) * data[32 + i % 3] / 256 : left - at;
  }
  FUZZ_CHECK(xet_blake3_force("portable"));
  xet_blake3_batch(&key, in, len, INPUTS, want);
  for (size_t k = 0; k < HF_COUNT(names); k++) {
    if (!xet_blake3_force(names[k])) continue;
    xet_blake3_batch(&key, in, len, INPUTS, is);
    FUZZ_CHECK(!memcmp(want, is, sizeof is));
    for (size_t i = 0; i < INPUTS; i++) {
      xet_blake3(&key, in[i], len[i], &root);
      FUZZ_CHECK(!memcmp(&root, &want[i], sizeof root));
    }
  }
  xet_blake3_force(NULL);
  char text[65], *other = fuzz_text(p, size - 36 < 64 ? size - 36 : 64);
  for (size_t i = 0; i < INPUTS; i++) {
    xet_hash_print(&want[i], text);
    FUZZ_CHECK(strlen(text) == 64 && xet_hash_read(text, &root) && !memcmp(&root, &want[i], sizeof root));
  }
  if (strlen(other) < 64) FUZZ_CHECK(!xet_hash_read(other, &root));
  struct xet_merkle tree;
  xet_merkle_init(&tree);
  for (size_t i = 0; i < data[34] % 64u; i++) xet_merkle_add(&tree, &want[i % INPUTS], i);
  xet_merkle_end(&tree, &root);
  free(other);
  free(whole);
  return 0;
}
