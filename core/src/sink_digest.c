/* sink_digest.c - the digest frontier of a wrapped sink: one digest over the contiguous prefix of what is held.
 * Bytes that arrive at the frontier are hashed while they are hot; what came out of order is read back when the frontier
 * gets there. One writer hashes at a time; one that finds the frontier taken leaves its bytes to whoever comes next. */
#include "sink.h"

/* Under lock. False: there is nothing to hash, or not yet (a git blob's digest begins with its size). */
static bool ready(hf_call *c, struct hf_wrap *w, hf_status *st) {
  *st = HF_OK;
  if (w->want.algo == HF_DIGEST_NONE || w->hashing) return false;
  if (w->want.algo == HF_DIGEST_GIT_BLOB && w->s.size == HF_SIZE_UNKNOWN) return false;
  if (w->rehash) {
    if (w->digester) hf_digest_end(w->digester, NULL);
    w->digester = NULL;
    w->hashed = w->claim = 0;
    w->rehash = false;
  }
  if (!w->digester) *st = hf_digest_new(c, w->want.algo, w->s.size, &w->digester);
  return *st == HF_OK;
}

static void add_hot(struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n, uint64_t from) {
  for (uint32_t i = 0; i < n; i++) {
    uint64_t end = off + iov[i].len;
    if (end > from) {
      size_t skip = from > off ? (size_t)(from - off) : 0;
      hf_digest_add(w->digester, (const uint8_t *)iov[i].base + skip, iov[i].len - skip);
    }
    off = end;
  }
}

static hf_status add_back(hf_call *c, struct hf_wrap *w, uint64_t from, uint64_t to) {
  if (!w->scratch && !(w->scratch = hf_mem_alloc(HF_SINK_SCRATCH)))
    return hf_call_failf(c, HF_ENOMEM, "no memory to verify %s", w->what.name.path);
  while (from < to) {
    size_t want = to - from < HF_SINK_SCRATCH ? (size_t)(to - from) : HF_SINK_SCRATCH, got = 0;
    TRY(hf_call_check(c));
    TRY(hf_raw_read(c, w, w->scratch, want, from, &got));
    if (got == 0 || got > want)
      return hf_call_failf(c, HF_EIO, "the store lost bytes of %s that were written: check its disk",
                           w->what.name.path);
    hf_digest_add(w->digester, w->scratch, got);
    from += got;
  }
  return HF_OK;
}

hf_status hf_frontier_follow(hf_call *c, struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n,
                             uint64_t budget) {
  uint64_t end = off;
  hf_status st;
  for (uint32_t i = 0; i < n; i++) end += iov[i].len;
  pthread_mutex_lock(&w->lock);
  while (ready(c, w, &st)) {
    uint64_t from = w->hashed, to = hf_ranges_end(&w->held, from);
    if (to <= from) break;
    bool hot = from >= off && from < end;
    if (hot) {
      to = end;
    } else {
      if (from < off && to > off) to = off;
      if (to - from > budget) to = from + budget;
      budget -= to - from;
      if (to == from) break;
    }
    w->claim = to;
    w->hashing = true;
    pthread_mutex_unlock(&w->lock);
    if (hot)
      add_hot(w, off, iov, n, from);
    else
      st = add_back(c, w, from, to);
    pthread_mutex_lock(&w->lock);
    w->hashing = false;
    pthread_cond_broadcast(&w->follower.moved);
    if (st != HF_OK) { /* how far it came is not known: begin again if anybody still wants it */
      w->rehash = true;
      break;
    }
    w->hashed = to;
  }
  pthread_mutex_unlock(&w->lock);
  return st;
}

void hf_frontier_leave(struct hf_wrap *w, uint64_t off, uint64_t len) {
  while (w->hashing && off < w->claim && (off >= w->hashed || w->hashed - off < len))
    pthread_cond_wait(&w->follower.moved, &w->lock);
}

hf_status hf_frontier_add(hf_call *c, struct hf_wrap *w, const void *data, size_t len) {
  hf_status st;
  pthread_mutex_lock(&w->lock);
  bool go = ready(c, w, &st);
  pthread_mutex_unlock(&w->lock);
  if (!go) return st;
  hf_digest_add(w->digester, data, len);
  pthread_mutex_lock(&w->lock);
  w->hashed += len;
  w->claim = w->hashed;
  pthread_mutex_unlock(&w->lock);
  return HF_OK;
}

hf_status hf_frontier_end(hf_call *c, struct hf_wrap *w, struct hf_digest *is) {
  *is = (struct hf_digest){0};
  if (w->want.algo == HF_DIGEST_NONE) return HF_OK;
  if (!w->reads_back && w->hashed < w->s.size)
    return hf_call_failf(c, HF_ENOSYS, "%s cannot be verified: the store does not read back and the size came too late",
                         w->what.name.path);
  TRY(hf_follower_end(c, w));
  TRY(hf_frontier_follow(c, w, w->s.size, NULL, 0, UINT64_MAX));
  hf_status st;
  pthread_mutex_lock(&w->lock);
  bool go = ready(c, w, &st); /* makes the digest of an empty file */
  pthread_mutex_unlock(&w->lock);
  TRY(st);
  if (!go || w->hashed != w->s.size)
    return hf_call_failf(c, HF_EINTERNAL, "%s was sealed while it was written", w->what.name.path);
  hf_digest_end(w->digester, is);
  w->digester = NULL;
  return HF_OK;
}

void hf_frontier_free(struct hf_wrap *w) {
  if (w->digester) hf_digest_end(w->digester, NULL);
  w->digester = NULL;
  hf_mem_free(w->scratch);
  w->scratch = NULL;
}
