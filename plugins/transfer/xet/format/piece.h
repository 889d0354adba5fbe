/* piece.h - chunks with their hashes, made in one pass over memory.
 * The faster way wherever bytes lie in a buffer that begins where a chunk does.
 * Nothing is kept between calls. */
#ifndef XET_PIECE_H
#define XET_PIECE_H
#include "hash.h"

struct xet_piece {
  struct xet_hash hash;
  uint32_t len;
};
/* The chunks of p[0..n), at most `most`; what lies behind the last is an open chunk. end: the file ends with p + n, so there is
 * none, as long as `most` suffices. Answers how many. n < 4 GiB. */
size_t xet_pieces(const uint8_t *p, size_t n, int end, struct xet_piece *out, size_t most);
#endif
