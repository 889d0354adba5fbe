/* recon.h - a reconstruction: which chunk ranges of which xorbs make up a part of a file, and where their bytes are.
 * Both versions of the answer come out in one form. Everything is checked against the limits of the format, and every term
 * has a range that holds it.
 * Addresses are signed: they are never logged. */
#ifndef XET_RECON_H
#define XET_RECON_H
#include "hash.h"

struct xet_range { /* what can be fetched at once */
  struct xet_hash xorb;
  uint32_t start, end;  /* chunks */
  uint64_t first, last; /* bytes of the xorb, last included */
  uint32_t url;         /* offset into urls */
};
struct xet_term {
  struct xet_hash xorb;
  uint32_t start, end;
  uint32_t raw;   /* bytes */
  uint32_t range; /* index of the range that holds it */
};
struct xet_recon {
  uint64_t skip; /* bytes of the first term that lie before what was asked for */
  uint64_t raw;  /* of all terms */
  struct xet_term *terms;
  struct xet_range *ranges;
  char *urls;
  uint32_t term_count, range_count;
};
/* NULL, or what is wrong with it. Freed in every case by xet_recon_free. */
const char *xet_recon_read(const char *json, size_t len, struct xet_recon *);
void xet_recon_free(struct xet_recon *);
#endif
