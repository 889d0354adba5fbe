/* scan.c - one pass over a source: its digests, how it begins, and a checksum of every block, all from the same bytes in the
 * same order. A later pass that gives the same sums gave the same bytes.
 * Blocks grow with the file, so that the sums of the largest one stay small. */
#include "bytes.h"

enum { BLOCK_LEAST = 256 << 10, BLOCKS_MOST = 1 << 18, READ = 1 << 20 };

uint32_t hf_scan_blocks(uint64_t size, uint32_t *block) {
  uint64_t b = BLOCK_LEAST;
  while (b < (1u << 30) && size / b >= BLOCKS_MOST) b *= 2;
  *block = (uint32_t)b;
  return (uint32_t)((size + b - 1) / b);
}

struct pass {
  struct hf_scan *out;
  hf_digester *sha256, *git_blob;
  struct hf_sum sum;
  uint32_t filled; /* bytes of the running block */
};

static void add(struct pass *p, const uint8_t *data, size_t len) {
  struct hf_scan *o = p->out;
  if (p->sha256) hf_digest_add(p->sha256, data, len);
  if (p->git_blob) hf_digest_add(p->git_blob, data, len);
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

static hf_status read_all(hf_call *c, struct hf_source *s, struct pass *p) {
  struct hf_scan *o = p->out;
  struct hf_buf buf;
  TRY(hf_buf_get(c, s->size < READ ? (size_t)s->size + 1 : READ, &buf));
  hf_status st = HF_OK;
  for (uint64_t off = 0; st == HF_OK && off < s->size;) {
    size_t got = 0;
    st = s->pread(c, s, buf.data, buf.len, off, &got);
    if (st != HF_OK) break;
    if (got == 0) {
      st = hf_call_failf(c, HF_ECONFLICT, "%s became shorter while it was being read; try again", s->name);
      break;
    }
    if (off == 0) {
      o->sample_len = got < sizeof o->sample ? (uint32_t)got : (uint32_t)sizeof o->sample;
      memcpy(o->sample, buf.data, o->sample_len);
    }
    add(p, buf.data, got);
    off += got;
  }
  hf_buf_put(&buf);
  if (st == HF_OK && p->filled) o->sums[o->count++] = hf_sum_end(&p->sum);
  return st;
}

hf_status hf_source_scan(hf_call *c, struct hf_source *s, struct hf_scan *out) {
  struct pass p = {.out = out};
  uint32_t want = out->want;
  *out = (struct hf_scan){.struct_size = sizeof *out, .want = want, .size = s->size};
  if (s->size == HF_SIZE_UNKNOWN)
    return hf_call_failf(c, HF_EINVAL, "%s has no known size; save it to a file first", s->name);
  uint32_t blocks = hf_scan_blocks(s->size, &out->block);
  out->sums = hf_mem_alloc((blocks + 1) * sizeof *out->sums);
  hf_status st = out->sums ? HF_OK : hf_call_failf(c, HF_ENOMEM, "no memory to read %s", s->name);
  if (st == HF_OK && (want & HF_SCAN_SHA256)) st = hf_digest_new(c, HF_DIGEST_SHA256, s->size, &p.sha256);
  if (st == HF_OK && (want & HF_SCAN_GIT_BLOB)) st = hf_digest_new(c, HF_DIGEST_GIT_BLOB, s->size, &p.git_blob);
  if (st == HF_OK) st = read_all(c, s, &p);
  hf_digest_end(p.sha256, st == HF_OK ? &out->sha256 : NULL);
  hf_digest_end(p.git_blob, st == HF_OK ? &out->git_blob : NULL);
  bool broken =
      (p.sha256 && out->sha256.algo == HF_DIGEST_NONE) || (p.git_blob && out->git_blob.algo == HF_DIGEST_NONE);
  if (st == HF_OK && broken) st = hf_call_failf(c, HF_EINTERNAL, "the digest of %s could not be computed", s->name);
  if (st == HF_OK) return HF_OK;
  hf_mem_free(out->sums);
  out->sums = NULL;
  return st;
}
