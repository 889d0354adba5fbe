/* chunk.h - where a file is cut: content-defined boundaries by the gear hash.
 * The same cuts whatever the sizes of the pieces that are fed, and whichever of the two ways is used.
 * Chunks are 8 KiB to 128 KiB, only the last may be shorter; no data has no chunks. */
#ifndef XET_CHUNK_H
#define XET_CHUNK_H
#include <stddef.h>
#include <stdint.h>

#define XET_CHUNK_MIN 8192u
#define XET_CHUNK_MAX 131072u

/* One pass, piece by piece. */
struct xet_chunker {
  uint64_t gear;
  uint32_t have; /* bytes of the chunk that is open */
};
/* Takes bytes up to the next cut or the end of the piece; *cut: the open chunk ends here. Answers how many were taken. */
size_t xet_chunk_feed(struct xet_chunker *, const uint8_t *, size_t, int *cut);

/* The parallel way: candidates depend on the last 64 bytes only, so any part of a file can be scanned by itself; choosing
 * among them is quick. Scan answers the offsets (relative to p, of the byte after the cut) of all candidates in p[0..n),
 * ascending, where `before` bytes in front of p are readable (64 suffice; fewer only at the start of the file). Room for
 * `most`; when there are more, the count is most and *scanned says how far it got. */
size_t xet_chunk_scan(const uint8_t *p, size_t n, size_t before, uint32_t *at, size_t most, size_t *scanned);
#endif
