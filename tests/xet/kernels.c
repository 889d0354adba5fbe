/* kernels.c - says what this machine's kernels make of made-up bytes: a line each, the same on every machine.
 * Built for another machine and run there, or in its emulation, by tests/xet/aarch64.
 * Links nothing but the hashes and the chunker. */
#include <stdio.h>
#include <stdlib.h>

#include "crc64.h"
#include "piece.h"

enum { N = 3000001, PIECES = 400 };

int main(void) {
  static const char *const names[] = {"portable", "neon", "avx2", "avx512"};
  static struct xet_piece piece[PIECES];
  static uint8_t p[N + 8];
  uint64_t seed = 1082;
  for (size_t at = 0; at < N; at += 8) {
    uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    for (size_t i = 0; i < 8; i++) p[at + i] = (uint8_t)(z >> 8 * i);
  }
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    if (!xet_blake3_force(names[k])) continue;
    struct xet_merkle tree;
    struct xet_hash sum, file;
    char text[65];
    xet_merkle_init(&tree);
    size_t count = xet_pieces(p, N, 1, piece, PIECES);
    for (size_t i = 0; i < count; i++) xet_merkle_add(&tree, &piece[i].hash, piece[i].len);
    for (size_t len = 0; len < 5000; len += 13) { /* ragged ends */
      xet_blake3(&xet_key_verify, p + len, len, &sum);
      xet_merkle_add(&tree, &sum, len);
    }
    xet_merkle_end(&tree, &sum);
    xet_file_hash(&sum, count, &file);
    xet_hash_print(&file, text);
    printf("%s %zu %s %016llx\n", names[k], count, text, (unsigned long long)xet_crc64(0, p, N));
  }
  return 0;
}
