/* fuzz_xet_shard.c - shards, from a server that answers a question or a client that uploads.
 * Input: the shard.
 * What was read can be walked to its end, and holds as much as it says. */
#include "fuzz.h"
#include "shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct xet_shard s;
  struct xet_shard_file f;
  struct xet_shard_xorb x;
  uint64_t files = 0, xorbs = 0, terms = 0, chunks = 0;
  if (xet_shard_read(data, size, &s)) return 0;
  for (size_t at = s.files_at; xet_shard_next_file(&s, &at, &f); files++) {
    struct xet_shard_term t;
    struct xet_hash h;
    uint8_t sha[32];
    for (uint32_t i = 0; i < f.terms; i++, terms++) {
      xet_shard_term(&f, i, &t);
      FUZZ_CHECK(t.start < t.end && t.raw > 0);
      if (f.verify_rows) xet_shard_verify(&f, i, &h);
    }
    if (f.meta_row) xet_shard_sha256(&f, sha);
  }
  for (size_t at = s.xorbs_at; xet_shard_next_xorb(&s, &at, &x); xorbs++) {
    struct xet_shard_chunk c;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < x.chunks; i++, chunks++) {
      xet_shard_chunk(&x, i, &c);
      FUZZ_CHECK(c.at == sum);
      sum += c.raw;
    }
    FUZZ_CHECK(sum == x.raw);
  }
  FUZZ_CHECK(files == s.files && xorbs == s.xorbs && terms == s.terms && chunks == s.chunks);
  return 0;
}
