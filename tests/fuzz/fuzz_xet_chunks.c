/* fuzz_xet_chunks.c - where a file is cut: in one piece, in odd pieces, over whole buffers, and from candidates found in parts.
 * Input: two bytes that say how it is repeated and fed, then the bytes.
 * Always the same cuts, by every kernel; no chunk is longer than the format allows, only the last is shorter. */
#include "fuzz.h"
#include "chunk.h"

enum { MOST = 400000, CUTS = MOST / XET_CHUNK_MIN + 2 };

static uint32_t feed(const uint8_t *p, size_t n, size_t piece, uint32_t *ends) {
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

static uint32_t parts(const uint8_t *p, size_t n, size_t part, uint32_t *hits, uint32_t *ends) {
  uint64_t from = 0, wide[CUTS];
  uint32_t count = 0;
  for (size_t at = 0; at < n; at += part) {
    size_t len = n - at < part ? n - at : part, scanned, found = xet_chunk_scan(p + at, len, at, hits, MOST, &scanned);
    FUZZ_CHECK(scanned == len && found <= len);
    size_t cuts = xet_chunk_pick(&from, at, len, hits, found, wide);
    for (size_t i = 0; i < cuts; i++) ends[count++] = (uint32_t)wide[i];
  }
  return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  size_t piece = 1 + data[0] * 257u, n = (size - 2) * (1 + data[1] * 8u);
  if (n > MOST) n = MOST;
  uint8_t *p = malloc(n);
  uint32_t a[CUTS], b[CUTS], *hits = malloc(MOST * sizeof *hits);
  FUZZ_CHECK(p && hits);
  for (size_t i = 0; i < n; i++) p[i] = data[2 + i % (size - 2)];
  uint32_t count = feed(p, n, n, a), from = 0;
  FUZZ_CHECK(count == feed(p, n, piece, b) && memcmp(a, b, count * sizeof *a) == 0);
  for (int wide = 0; wide < 2; wide++) {
    FUZZ_CHECK(xet_chunk_force(wide ? NULL : "portable"));
    FUZZ_CHECK(count == xet_chunk_cuts(p, n, b, CUTS) && memcmp(a, b, count * sizeof *a) == 0);
    FUZZ_CHECK(count == parts(p, n, 100 * piece, hits, b) && memcmp(a, b, count * sizeof *a) == 0);
  }
  for (uint32_t i = 0; i < count; from = a[i++])
    FUZZ_CHECK(a[i] - from >= XET_CHUNK_MIN && a[i] - from <= XET_CHUNK_MAX);
  FUZZ_CHECK(n - from < XET_CHUNK_MAX);
  free(p);
  free(hits);
  return 0;
}
