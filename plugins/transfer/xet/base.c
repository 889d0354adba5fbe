/* base.c - older versions of a file that lie on this machine: terms of their reconstructions name the same chunks of the same
 * xorbs as the new one's. A reconstruction has no chunk lengths, so the old term's bytes are cut again; what comes out must be as
 * many chunks and bytes as the term says.
 * The bytes are hashed like all others: what is wrong with them shows in the file's hash. */
#include "block.h"
#include "format/chunk.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 1 << 20, BASES_MOST = 4 };

struct term { /* of an older version */
  struct xet_hash xorb;
  uint32_t start, end, raw;
  uint64_t off;
  struct hf_source *source;
  pthread_mutex_t lock; /* its chunks are cut once */
  bool cut;
  atomic_bool useless; /* seen without the lock, too */
  uint32_t *at;        /* where each chunk begins, and the end; end - start + 1 of them */
};

struct xet_bases {
  struct xet_pull *pull;
  struct term *terms; /* by xorb, then start */
  uint32_t count;
};

static int by_place(const void *a, const void *b) {
  const struct term *x = a, *y = b;
  int d = memcmp(&x->xorb, &y->xorb, sizeof x->xorb);
  return d ? d : x->start != y->start ? (x->start < y->start ? -1 : 1) : (x->end > y->end) - (x->end < y->end);
}

/* ---- what they are made of ---- */

static hf_status add_terms(hf_call *c, struct xet_bases *b, const struct hf_tr_base *base) {
  struct xet_recon r;
  struct hf_source *source = base->source;
  TRY(xet_recon_ask(c, b->pull, base->xet_hash, 0, source->size, &r));
  struct term *more =
      r.raw == source->size && !r.skip ? realloc(b->terms, (b->count + r.term_count + 1) * sizeof *more) : NULL;
  uint64_t off = 0;
  if (more) b->terms = more;
  for (uint32_t i = 0; more && i < r.term_count; i++) {
    const struct xet_term *t = &r.terms[i];
    b->terms[b->count++] =
        (struct term){.xorb = t->xorb, .start = t->start, .end = t->end, .raw = t->raw, .off = off, .source = source};
    off += t->raw;
  }
  xet_recon_free(&r);
  return HF_OK;
}

hf_status xet_bases_open(hf_call *c, struct xet_pull *p, const struct hf_table *bases, struct xet_bases **out) {
  struct xet_bases *b = calloc(1, sizeof *b);
  *out = NULL;
  if (!b) return xet_host->failf(c, HF_ENOMEM, "no memory for older versions of %s", p->path);
  b->pull = p;
  for (uint32_t i = 0; i < bases->count && i < BASES_MOST; i++) {
    const struct hf_tr_base *base = (const void *)((const char *)bases->rows + (size_t)i * bases->stride);
    struct xet_hash hash;
    if (!base->source || !base->xet_hash || !xet_hash_read(base->xet_hash, &hash)) continue;
    if (base->source->size == 0 || base->source->size == HF_SIZE_UNKNOWN) continue;
    hf_status st = add_terms(c, b, base);
    const struct hf_error *e = xet_host->error(c);
    bool unknown = e && (e->code == HF_ENOTFOUND || e->code == HF_EPROTO || e->http_status == 403);
    if (st != HF_OK && !unknown) { /* the CAS is in trouble, and not only about this version */
      xet_bases_close(b);
      return st;
    }
    xet_host->clear(c);
  }
  if (b->count) qsort(b->terms, b->count, sizeof *b->terms, by_place);
  for (uint32_t i = 0; i < b->count; i++) pthread_mutex_init(&b->terms[i].lock, NULL);
  if (b->count)
    *out = b;
  else
    free(b->terms), free(b);
  return HF_OK;
}

void xet_bases_close(struct xet_bases *b) {
  if (!b) return;
  for (uint32_t i = 0; i < b->count; i++) {
    free(b->terms[i].at);
    pthread_mutex_destroy(&b->terms[i].lock);
  }
  free(b->terms);
  free(b);
}

/* A term that has chunks [start, end) of the xorb. */
static struct term *find(const struct xet_bases *b, const struct xet_hash *xorb, uint32_t start, uint32_t end) {
  struct term key = {.xorb = *xorb, .start = start, .end = UINT32_MAX};
  uint32_t lo = 0, hi = b->count;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (by_place(&b->terms[mid], &key) <= 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  for (uint32_t i = lo, back = 0; i > 0 && back < 64; i--, back++) {
    struct term *t = &b->terms[i - 1];
    if (memcmp(&t->xorb, xorb, sizeof *xorb) != 0) return NULL;
    if (t->end >= end && !t->useless) return t;
  }
  return NULL;
}

/* ---- cutting an old term ---- */

static hf_status cut(hf_call *c, struct term *t) {
  uint32_t count = t->end - t->start, n = 0, at = 0;
  struct xet_chunker chunker = {0};
  struct hf_buf buf;
  TRY(xet_host->buf_get(c, PIECE, &buf));
  free(t->at); /* of an attempt that was canceled */
  t->at = calloc((size_t)count + 1, sizeof *t->at);
  hf_status st = t->at ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory to cut an older version");
  while (st == HF_OK && at < t->raw && !t->useless) {
    size_t want = t->raw - at < PIECE ? t->raw - at : PIECE, got = 0;
    st = t->source->pread(c, t->source, buf.data, want, t->off + at, &got);
    if (st != HF_OK && xet_host->check(c) == HF_OK) {
      xet_host->clear(c);
      st = HF_OK;
      got = 0;
    }
    if (st == HF_OK && got == 0) t->useless = true;
    for (size_t done = 0; st == HF_OK && done < got && !t->useless;) {
      int ends = 0;
      done += xet_chunk_feed(&chunker, (const uint8_t *)buf.data + done, got - done, &ends);
      if (!ends) continue;
      if (n == count)
        t->useless = true;
      else
        t->at[++n] = at + (uint32_t)done;
    }
    at += (uint32_t)got;
  }
  if (n + 1 == count && at == t->raw) t->at[++n] = at; /* the file ended here */
  if (n != count || (t->at && t->at[count] != t->raw)) t->useless = true;
  xet_host->buf_put(&buf);
  return st;
}

static hf_status make_ready(hf_call *c, struct term *t) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&t->lock);
  if (!t->cut) st = cut(c, t);
  t->cut = st == HF_OK;
  pthread_mutex_unlock(&t->lock);
  return st;
}

/* ---- for hand.c ---- */

hf_status xet_bases_find(hf_call *c, struct xet_bases *b, const struct xet_hash *xorb, uint32_t start, uint32_t end,
                         struct xet_run *run) {
  struct term *t = b ? find(b, xorb, start, end) : NULL;
  if (t) TRY(make_ready(c, t));
  if (!t || t->useless) return HF_OK;
  *run = (struct xet_run){
      .start = start, .end = end, .at = t->at + (start - t->start), .source = t->source, .off = t->off};
  return HF_OK;
}
