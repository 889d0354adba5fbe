/* fuzz_xet_xorb.c - xorbs: read whole, as `hf xet inspect` and a server do.
 * Input: the xorb.
 * What was read has as many chunks and bytes as it says; packed anew it has the same hash. */
#include "fuzz.h"
#include "xorb.h"

struct again {
  uint8_t *out, *state;
  size_t len, room;
  uint64_t raw;
};

static int on_chunk(void *arg, const struct xet_xorb_chunk *k) {
  struct again *a = arg;
  FUZZ_CHECK(k->raw_at == a->raw);
  a->raw += k->record.raw;
  if (a->len + XET_RECORD_HEAD + k->record.raw > a->room) return 1;
  a->len += xet_pack(k->index % 3, k->data, k->record.raw, a->out + a->len, a->state);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct again a = {.room = (size_t)4 << 20};
  struct xet_xorb x, y;
  a.out = malloc(a.room);
  a.state = malloc(XET_PACK_STATE);
  FUZZ_CHECK(a.out && a.state);
  if (!xet_xorb_read(data, size, &x, on_chunk, &a)) {
    FUZZ_CHECK(x.raw == a.raw && x.body <= size && x.chunks > 0);
    FUZZ_CHECK(!xet_xorb_read(a.out, a.len, &y, NULL, NULL));
    FUZZ_CHECK(y.chunks == x.chunks && y.raw == x.raw && memcmp(&y.hash, &x.hash, sizeof x.hash) == 0);
  }
  free(a.out);
  free(a.state);
  return 0;
}
