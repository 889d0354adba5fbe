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

/* A buffer at once, faster than piece by piece: the ends of the chunks in p[0..n), which begins where a chunk does. What lies
 * behind the last end is an open chunk, or where the file ends with the buffer its last. Stops after `most`. n < 4 GiB. */
size_t xet_chunk_cuts(const uint8_t *p, size_t n, uint32_t *ends, size_t most);

/* The parallel way: candidates depend on the last 64 bytes only, so any part of a file can be scanned by itself; choosing
 * among them is quick. Scan answers the offsets (relative to p, of the byte after the cut) of all candidates in p[0..n),
 * ascending, where `before` bytes in front of p are readable (64 suffice; fewer only at the start of the file). Room for
 * `most`; when there are more, *scanned says how far it got: the rest is for xet_chunk_feed. */
size_t xet_chunk_scan(const uint8_t *p, size_t n, size_t before, uint32_t *at, size_t most, size_t *scanned);
/* The ends of chunks, as offsets in the file, that candidates of its part [at, at + n) make; parts in order. *from: where the
 * open chunk began, 0 at first. Room for n / XET_CHUNK_MIN + 2 ends. */
size_t xet_chunk_pick(uint64_t *from, uint64_t at, size_t n, const uint32_t *hit, size_t hits, uint64_t *ends);

/* Name of the way that whole buffers are scanned: "avx2", "portable". force: as xet_blake3_force. */
const char *xet_chunk_kernel(void);
int xet_chunk_force(const char *name);
#endif
