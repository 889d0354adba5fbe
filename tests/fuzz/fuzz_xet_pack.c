/* fuzz_xet_pack.c - LZ4 frames and byte grouping, as one chunk has them.
 * Input: scheme, three bytes of raw length, then the payload; and the same bytes as a chunk to be packed.
 * Never a byte written behind the announced length; what was packed comes back. */
#include "fuzz.h"
#include "xorb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 5) return 0;
  size_t n = size - 4 < XET_CHUNK_MAX ? size - 4 : XET_CHUNK_MAX;
  uint32_t raw = (data[1] | (uint32_t)data[2] << 8 | (uint32_t)data[3] << 16) % XET_CHUNK_MAX + 1;
  struct xet_record r = {data[0] % 3, (uint32_t)n, raw};
  uint8_t *out = malloc(raw), *scratch = malloc(XET_CHUNK_MAX), *state = malloc(XET_PACK_STATE);
  uint8_t *packed = malloc(n + XET_RECORD_HEAD), *back = malloc(n);
  FUZZ_CHECK(out && scratch && state && packed && back);
  (void)xet_unpack(&r, data + 4, out, scratch);
  uint32_t scheme = data[0] & 4 ? xet_choose(data + 4, n, state) : data[0] % 3u;
  size_t len = xet_pack(scheme, data + 4, n, packed, state);
  FUZZ_CHECK(len <= n + XET_RECORD_HEAD && !xet_record_read(packed, &r) && r.raw == n);
  FUZZ_CHECK(!xet_unpack(&r, packed + XET_RECORD_HEAD, back, scratch) && memcmp(back, data + 4, n) == 0);
  free(out);
  free(scratch);
  free(state);
  free(packed);
  free(back);
  return 0;
}
