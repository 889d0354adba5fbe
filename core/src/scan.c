/* scan.c - one pass over a source: its digests, how it begins, and a checksum of every block, all from the same bytes in the
 * same order. A later pass that gives the same sums gave the same bytes.
 * Blocks grow with the file, so that the sums of the largest one stay small. */
#include "bytes.h"

enum { BLOCK_LEAST = 256 << 10, BLOCKS_MOST = 1 << 18 };

uint32_t hf_scan_blocks(uint64_t size, uint32_t *block) {
  uint64_t b = BLOCK_LEAST;
  while (b < (1u << 30) && size / b >= BLOCKS_MOST) b *= 2;
  *block = (uint32_t)b;
  return (uint32_t)((size + b - 1) / b);
}

hf_status hf_pass_begin(hf_call *c, struct hf_pass *p, struct hf_scan *out, uint32_t want, uint64_t size,
                        const char *name) {
  *out = (struct hf_scan){.struct_size = sizeof *out, .want = want, .size = size};
  *p = (struct hf_pass){.out = out};
  if (size == HF_SIZE_UNKNOWN)
    return hf_call_failf(c, HF_EINVAL, "%s has no known size; save it to a file first", name);
  uint32_t blocks = hf_scan_blocks(size, &out->block);
  out->sums = hf_mem_alloc((blocks + 1) * sizeof *out->sums);
  if (!out->sums) return hf_call_failf(c, HF_ENOMEM, "no memory to read %s", name);
  if (want & HF_SCAN_SHA256) TRY(hf_digest_new(c, HF_DIGEST_SHA256, size, &p->sha256));
  if (want & HF_SCAN_GIT_BLOB) TRY(hf_digest_new(c, HF_DIGEST_GIT_BLOB, size, &p->git_blob));
  return HF_OK;
}

void hf_pass_digest(struct hf_pass *p, const void *data, size_t len) {
  if (p->sha256) hf_digest_add(p->sha256, data, len);
  if (p->git_blob) hf_digest_add(p->git_blob, data, len);
}

void hf_pass_sums(struct hf_pass *p, const void *bytes, size_t len) {
  const uint8_t *data = bytes;
  struct hf_scan *o = p->out;
  size_t sample = sizeof o->sample - o->sample_len < len ? sizeof o->sample - o->sample_len : len;
  if (sample) memcpy(o->sample + o->sample_len, data, sample);
  o->sample_len += (uint32_t)sample;
  while (len) {
    size_t n = o->block - p->filled < len ? o->block - p->filled : len;
    if (p->filled == 0) hf_sum_init(&p->sum, o->count);
    hf_sum_add(&p->sum, data, n);
    p->filled += (uint32_t)n;
    data += n;
    len -= n;
    if (p->filled < o->block && len == 0) break;
    o->sums[o->count++] = hf_sum_end(&p->sum);
    p->filled = 0;
  }
}

hf_status hf_pass_end(hf_call *c, struct hf_pass *p, bool whole, const char *name) {
  struct hf_scan *o = p->out;
  if (whole && p->filled) o->sums[o->count++] = hf_sum_end(&p->sum);
  hf_digest_end(p->sha256, whole ? &o->sha256 : NULL);
  hf_digest_end(p->git_blob, whole ? &o->git_blob : NULL);
  bool broken = (p->sha256 && o->sha256.algo == HF_DIGEST_NONE) || (p->git_blob && o->git_blob.algo == HF_DIGEST_NONE);
  p->sha256 = p->git_blob = NULL;
  if (whole && !broken) return HF_OK;
  hf_mem_free(o->sums);
  o->sums = NULL;
  return whole ? hf_call_failf(c, HF_EINTERNAL, "the digest of %s could not be computed", name) : HF_OK;
}

void hf_pass_add(struct hf_pass *p, const void *data, size_t len) {
  hf_pass_digest(p, data, len);
  hf_pass_sums(p, data, len);
}

hf_status hf_source_scan(hf_call *c, struct hf_source *s, struct hf_scan *out) {
  struct hf_pass p;
  hf_status st = hf_pass_begin(c, &p, out, out->want, s->size, s->name);
  const void *held = hf_source_held(s);
  if (st == HF_OK && held)
    hf_pass_add(&p, held, (size_t)s->size);
  else if (st == HF_OK)
    st = hf_pass_read(c, s, &p);
  hf_status ended = hf_pass_end(c, &p, st == HF_OK, s->name);
  return st == HF_OK ? ended : st;
}
