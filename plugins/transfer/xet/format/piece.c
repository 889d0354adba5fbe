/* piece.c - chunking and hashing in one pass: a few chunks are cut, then hashed together while they are in the cache.
 * How many at once: enough for all lanes of BLAKE3 and to stop seldom, few enough for a second-level cache.
 * Both ways give what the one does after the other. */
#include "chunk.h"
#include "piece.h"

enum { AT_ONCE = 16 };

size_t xet_pieces(const uint8_t *p, size_t n, int end, struct xet_piece *out, size_t most) {
  size_t count = 0, at = 0;
  while (count < most && at < n) {
    uint32_t ends[AT_ONCE];
    const void *data[AT_ONCE];
    size_t len[AT_ONCE], want = most - count < AT_ONCE ? most - count : AT_ONCE;
    struct xet_hash hash[AT_ONCE];
    size_t cuts = xet_chunk_cuts(p + at, n - at, ends, want), done = cuts ? ends[cuts - 1] : 0;
    if (end && cuts < want && done < n - at) ends[cuts++] = (uint32_t)(n - at);
    if (!cuts) break;
    for (size_t i = 0, from = 0; i < cuts; from = ends[i++]) {
      data[i] = p + at + from;
      len[i] = ends[i] - from;
    }
    xet_blake3_batch(&xet_key_data, data, len, cuts, hash);
    for (size_t i = 0; i < cuts; i++) out[count++] = (struct xet_piece){hash[i], (uint32_t)len[i]};
    at += ends[cuts - 1];
  }
  return count;
}
