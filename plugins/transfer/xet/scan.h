/* scan.h - a file as Xet sees it: its chunks in order and its hash, in memory that does not depend on its size.
 * Whole buffers are read; their parts are scanned and their chunks hashed at the same time.
 * Pipes will do: nothing is asked for twice. */
#ifndef XET_SCAN_H
#define XET_SCAN_H
#include "plugin.h"
#include "format/piece.h"

struct xet_scan {
  /* Each chunk, in order, at its place in the file; NULL: only the sums are wanted. */
  hf_status (*chunk)(void *arg, uint64_t at, const struct xet_piece *);
  void *arg;
  uint64_t size, chunks; /* of the whole */
  struct xet_hash hash;
};
/* path: "-" is standard input. */
hf_status xet_scan_path(hf_call *, const char *path, struct xet_scan *);
/* Fails the call with what errno says: cannot WHAT PATH. */
hf_status xet_cannot(hf_call *, const char *what, const char *path);
#endif
