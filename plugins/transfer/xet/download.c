/* download.c - the download half: blocks of a file that grow from one to the next, what an earlier run left and what an older
 * version of the file has taken into account, the file's own hash checked and attested at the end.
 * What goes wrong here is another adapter's chance: bytes that are held stay held. */
#include "download.h"
#include "upload.h"
#include "block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_FIRST ((uint64_t)1 << 30)
#define BLOCK_MOST  ((uint64_t)8 << 30)

struct session {
  struct xet_cas cas; /* first */
  struct xet_cache *cache;
};

/* ---- one file ---- */

/* In the order in which it is printed. */
void xet_digest_of(const struct xet_hash *h, struct hf_digest *d) {
  *d = (struct hf_digest){.algo = HF_DIGEST_XET, .len = 32};
  for (unsigned i = 0; i < 32; i++) d->bytes[i] = h->b[(i & ~7u) + 7 - (i & 7)];
}

static hf_status attest(hf_call *c, struct xet_pull *p, const struct xet_hash *file) {
  struct hf_digest digest;
  xet_digest_of(file, &digest);
  hf_status st = p->sink->attest ? p->sink->attest(c, p->sink, &digest) : HF_OK;
  if (st == HF_ENOSYS) xet_host->clear(c); /* then the host's digest decides */
  return st == HF_ENOSYS ? HF_OK : st;
}

/* All of it is there. *again: with another hash, and what was at hand may be to blame, or what lay there before. */
static hf_status check_file(hf_call *c, struct xet_pull *p, bool *again) {
  struct xet_hash sum, file;
  char text[65];
  *again = false;
  bool read = p->tree_at != p->size && p->alone;
  if (read) TRY(xet_disk_read(c, p));
  if (p->tree_at != p->size) return HF_OK; /* the host's digest decides */
  uint64_t chunks = p->tree.total;
  xet_merkle_end(&p->tree, &sum);
  xet_file_hash(&sum, chunks, &file);
  xet_hash_print(&file, text);
  if (!strcmp(text, p->hash)) return attest(c, p, &file);
  xet_cache_forget(p->cache, p->touched, p->touched_count);
  *again = (p->copied > 0 || read) && p->sink->forget;
  if (*again) return HF_OK;
  if (!p->cas->patient) xet_cas_give_up(p->cas); /* else nobody else is there to fetch it once more */
  return xet_host->failf(c, HF_EDIGEST, "%s arrived complete and with another Xet hash", p->path);
}

/* From the beginning, by the CAS alone. */
static hf_status start_over(hf_call *c, struct xet_pull *p) {
  xet_host->log(c, HF_LOG_INFO, "%s: what was at hand of it is fetched instead", p->path);
  xet_bases_close(p->bases);
  p->bases = NULL;
  p->cache_unread = true;
  p->copied = p->tree_at = 0;
  xet_merkle_init(&p->tree);
  return p->sink->forget(c, p->sink, 0, p->size);
}

static hf_status pull_file(hf_call *c, struct xet_pull *p) {
  uint64_t most = BLOCK_FIRST, before = UINT64_MAX;
  for (;;) {
    struct hf_range gap;
    uint32_t n = 1;
    bool again;
    TRY(p->sink->missing(c, p->sink, &gap, &n));
    uint64_t to = n ? gap.off : p->size;
    if (p->tree_at < to) {
      TRY(xet_disk_follow(c, p, to));
      if (p->tree_at < to) continue; /* what comes next was wrong, and is missing now */
    }
    if (!n) {
      TRY(check_file(c, p, &again));
      if (!again) return HF_OK;
      TRY(start_over(c, p));
      before = UINT64_MAX;
      continue;
    }
    if (gap.off == before) return xet_host->failf(c, HF_EPROTO, "%s does not arrive", p->path);
    before = gap.off;
    TRY(xet_block_fetch(c, p, gap.off, gap.off + (gap.len < most ? gap.len : most)));
    if (most < BLOCK_MOST) most *= 2;
  }
}

/* Errors that have nothing to do with Xet stay; others tell the host that another way may work. */
static hf_status explain(hf_call *c, struct xet_pull *p, hf_status st) {
  if (xet_host->check(c) != HF_OK || p->own_fault) return st;
  switch (st) {
    case HF_ENOSPACE:
    case HF_EIO:
    case HF_EPERM:
    case HF_ENOMEM:
    case HF_EDIGEST:
    case HF_EOFFLINE:
    case HF_ECONFLICT:
    case HF_ECANCELED: return st;
    default: break;
  }
  const struct hf_error *e = xet_host->error(c);
  char text[400];
  snprintf(text, sizeof text, "%s does not come by Xet: %.300s", p->path, e && e->message ? e->message : "unknown");
  if (st != HF_ENOTFOUND) xet_cas_give_up(p->cas); /* a file that it does not know says nothing of others */
  xet_host->clear(c);
  return xet_host->failf(c, HF_EPROTO, "%s", text);
}

/* ---- the session ---- */

/* Does the host know by it what the bytes must be? */
static bool is_digest(const char *etag) {
  size_t n = etag ? strspn(etag, "0123456789abcdef") : 0;
  return etag && !etag[n] && (n == 64 || n == 40);
}

hf_status xet_download_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  struct session *s = calloc(1, sizeof *s);
  if (!s) return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  hf_status st = xet_cas_init(c, &s->cas, batch, "fixed_download_concurrency", XET_DOWN_WIDTH);
  if (st != HF_OK) {
    free(s);
    return st;
  }
  s->cache = xet_cache_open(c, batch->endpoint);
  *session = s;
  return HF_OK;
}

hf_status xet_download_run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct session *s = session;
  struct xet_pull p = {.cas = &s->cas,
                       .hash = file->xet_hash,
                       .path = file->path,
                       .sink = file->sink,
                       .size = file->size,
                       .cache = s->cache,
                       .alone = file->digest.algo == HF_DIGEST_NONE && !is_digest(file->etag)};
  struct xet_hash hash;
  if (!file->xet_hash || !xet_hash_read(file->xet_hash, &hash) || file->size == HF_SIZE_UNKNOWN)
    return xet_host->failf(c, HF_ENOSYS, "%s is not stored by Xet", file->path);
  TRY(xet_cas_usable(c, p.cas));
  TRY(p.sink->set_size(c, p.sink, file->size));
  TRY(xet_cas_file_begins(c, p.cas));
  xet_merkle_init(&p.tree);
  pthread_mutex_init(&p.lock, NULL);
  hf_status st = file->bases.count ? xet_bases_open(c, &p, &file->bases, &p.bases) : HF_OK;
  if (st == HF_OK) st = pull_file(c, &p);
  if (st != HF_OK) st = explain(c, &p, st);
  xet_bases_close(p.bases);
  pthread_mutex_destroy(&p.lock);
  free(p.touched);
  xet_cas_file_ends(p.cas);
  return st;
}

void xet_download_close(void *session) {
  struct session *s = session;
  xet_cas_free(&s->cas);
  xet_cache_close(s->cache);
  free(s);
}
