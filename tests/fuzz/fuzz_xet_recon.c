/* fuzz_xet_recon.c - reconstructions, as a CAS sends them.
 * Input: the JSON, of either version.
 * What was read is sound: every term lies inside the range it names, and no length is impossible. */
#include "fuzz.h"
#include "recon.h"
#include "xorb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct xet_recon r;
  uint64_t raw = 0;
  if (!xet_recon_read((const char *)data, size, &r)) {
    for (uint32_t i = 0; i < r.term_count; i++) {
      const struct xet_term *t = &r.terms[i];
      FUZZ_CHECK(t->range < r.range_count && t->start < t->end && t->raw > 0 && t->raw <= XET_XORB_RAW_MAX);
      const struct xet_range *g = &r.ranges[t->range];
      FUZZ_CHECK(g->start <= t->start && t->end <= g->end && g->first <= g->last);
      FUZZ_CHECK(memcmp(&g->xorb, &t->xorb, sizeof g->xorb) == 0 && strlen(r.urls + g->url) < 16384);
      raw += t->raw;
    }
    FUZZ_CHECK(raw == r.raw);
  }
  xet_recon_free(&r);
  return 0;
}
