/* fuzz_xet_chunks.c - where a file is cut: in one piece, in odd pieces, and by scanning for candidates, always the same.
 * Input: two bytes that say how it is repeated and fed, then the bytes.
 * No chunk is longer than the format allows, only the last is shorter. */
#include "fuzz.h"
#include "chunk.h"

enum { MOST = 400000, CUTS = MOST / XET_CHUNK_MIN + 2, HITS = 4096 };

static uint32_t cut(const uint8_t *p, size_t n, size_t piece, uint32_t *ends) {
  struct xet_chunker c = {0, 0};
  uint32_t count = 0;
  for (size_t at = 0; at < n;) {
    int here;
    size_t len = n - at < piece ? n - at : piece, took = xet_chunk_feed(&c, p + at, len, &here);
    FUZZ_CHECK(took > 0 && took <= len);
    at += took;
    if (here) ends[count++] = (uint32_t)at;
  }
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  size_t piece = 1 + data[0] * 257u, n = (size - 2) * (1 + data[1] * 8u), found, scanned;
  if (n > MOST) n = MOST;
  uint8_t *p = malloc(n);
  uint32_t a[CUTS], b[CUTS], *hits = malloc(HITS * sizeof *hits), from = 0;
  FUZZ_CHECK(p && hits);
  for (size_t i = 0; i < n; i++) p[i] = data[2 + i % (size - 2)];
  uint32_t count = cut(p, n, n, a);
  FUZZ_CHECK(count == cut(p, n, piece, b) && memcmp(a, b, count * sizeof *a) == 0);
  found = xet_chunk_scan(p, n, 0, hits, HITS, &scanned);
  FUZZ_CHECK(scanned == n || found == HITS);
  size_t at = 0;
  for (uint32_t i = 0; i < count; from = a[i++]) {
    FUZZ_CHECK(a[i] - from >= XET_CHUNK_MIN && a[i] - from <= XET_CHUNK_MAX);
    while (at < found && hits[at] < a[i]) at++;
    FUZZ_CHECK(a[i] - from == XET_CHUNK_MAX || a[i] > scanned || (at < found && hits[at] == a[i]));
  }
  FUZZ_CHECK(n - from <= XET_CHUNK_MAX);
  free(p);
  free(hits);
  return 0;
}
