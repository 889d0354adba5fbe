/* sink_leaf.c - what an adapter that hashes every piece tells the sink: leaves, which the journal keeps for a later run, and the
 * hash of the whole file, which stands for a digest of our own where it is the one that was promised.
 * Leaves of a file that was written by somebody else in part do not make it up: then the digest decides as ever. */
#include <stdlib.h>

#include "sink.h"

enum { LEAVES_MOST = 1 << 20 };

static hf_status not_there(hf_call *c, struct hf_wrap *w) {
  return hf_call_failf(c, HF_EABI, "a hash was given for bytes of %s that are not there", w->what.name.path);
}

/* First of the known leaves at or behind off. */
static uint32_t find(const struct hf_wrap *w, uint64_t off) {
  uint32_t lo = 0, hi = w->leaf_count;
  while (lo < hi) {
    uint32_t mid = lo + (hi - lo) / 2;
    if (w->leaves[mid].off < off)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

hf_status hf_leaf_tell(hf_call *c, struct hf_sink *s, uint64_t off, uint64_t len, const uint8_t hash[32]) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  struct hf_leaf leaf = {.off = off, .len = len};
  memcpy(leaf.hash, hash, sizeof leaf.hash);
  pthread_mutex_lock(&w->lock);
  while (w->leaf_fill == sizeof w->leaf_notes) { /* whoever filled it has not taken it away yet */
    pthread_mutex_unlock(&w->lock);
    hf_journal_append(c, w, NULL, 0);
    pthread_mutex_lock(&w->lock);
  }
  bool fits = len > 0 && len <= UINT32_MAX && off <= INT64_MAX && hf_ranges_has(&w->held, off, len);
  bool added = fits && hf_ranges_add(&w->leafed, off, len);
  uint32_t i = fits ? find(w, off) : 0;
  bool known = i < w->leaf_count && memcmp(&w->leaves[i], &leaf, sizeof leaf) == 0;
  bool journal = added && !known && w->block && !w->note_broken, full = false;
  if (journal) {
    hf_journal_leaf(w->leaf_notes + w->leaf_fill, w->salt, &leaf);
    w->leaf_fill += HF_JOURNAL_LEAF;
    full = w->leaf_fill == sizeof w->leaf_notes;
  }
  pthread_mutex_unlock(&w->lock);
  if (full) hf_journal_append(c, w, NULL, 0);
  if (!fits) return not_there(c, w);
  return added ? HF_OK : hf_call_failf(c, HF_ENOMEM, "%s arrives in too many pieces", w->what.name.path);
}

hf_status hf_leaf_forget(hf_call *c, struct hf_sink *s, uint64_t off, uint64_t len) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  if (w->ordered) return hf_call_failf(c, HF_ENOSYS, "the store takes the bytes of %s once", w->what.name.path);
  pthread_mutex_lock(&w->lock);
  bool cut =
      len <= INT64_MAX && off <= INT64_MAX && hf_ranges_cut(&w->held, off, len) && hf_ranges_cut(&w->leafed, off, len);
  if (off < w->claim || off < w->hashed) w->rehash = true;
  w->attested = false;
  hf_journal_forget(w, off, len);
  pthread_mutex_unlock(&w->lock);
  return cut ? HF_OK : hf_call_failf(c, HF_ENOMEM, "%s arrives in too many pieces", w->what.name.path);
}

hf_status hf_leaf_list(hf_call *c, struct hf_sink *s, uint64_t from, struct hf_leaf *out, uint32_t *n) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  uint32_t room = *n;
  (void)c;
  *n = 0;
  pthread_mutex_lock(&w->lock);
  for (uint32_t i = find(w, from); i < w->leaf_count && *n < room; i++)
    if (hf_ranges_has(&w->held, w->leaves[i].off, w->leaves[i].len)) out[(*n)++] = w->leaves[i];
  pthread_mutex_unlock(&w->lock);
  return HF_OK;
}

static bool is_promised(const struct hf_wrap *w, const struct hf_digest *d) {
  static const char hex[] = "0123456789abcdef";
  const char *want = w->what.xet_hash;
  if (!want || strlen(want) != 64 || d->algo != HF_DIGEST_XET || d->len != 32) return false;
  for (unsigned i = 0; i < 32; i++)
    if (want[2 * i] != hex[d->bytes[i] >> 4] || want[2 * i + 1] != hex[d->bytes[i] & 15]) return false;
  return true;
}

hf_status hf_leaf_attest(hf_call *c, struct hf_sink *s, const struct hf_digest *d) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  pthread_mutex_lock(&w->lock);
  bool whole = w->lazy && !w->ordered && w->s.size != HF_SIZE_UNKNOWN && w->held.total == w->s.size &&
               w->leafed.total == w->s.size;
  bool right = is_promised(w, d);
  w->attested = whole && right;
  w->proof = *d;
  pthread_mutex_unlock(&w->lock);
  if (!right) return hf_call_failf(c, HF_EDIGEST, "%s arrived complete and with another Xet hash", w->what.name.path);
  return whole ? HF_OK : hf_call_failf(c, HF_ENOSYS, "%s is verified by its digest", w->what.name.path);
}

void hf_leaf_lazy(struct hf_sink *s, bool lazy) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  pthread_mutex_lock(&w->lock);
  w->lazy = lazy && w->what.xet_hash && !w->strict;
  pthread_mutex_unlock(&w->lock);
}

/* ---- what the journal kept ---- */

static int by_place(const void *a, const void *b) {
  const struct hf_leaf *x = a, *y = b;
  return x->off != y->off ? (x->off < y->off ? -1 : 1) : (x->len > y->len) - (x->len < y->len);
}

void hf_leaf_note(struct hf_wrap *w, const uint8_t *notes, size_t len) {
  struct hf_leaf leaf;
  for (size_t at = 0; at + HF_JOURNAL_LEAF <= len && w->what.xet_hash; at += HF_JOURNAL_RECORD) {
    if (!hf_journal_leaf_read(notes + at, w->salt, w->s.size, &leaf)) continue;
    if (w->leaf_count == w->leaf_room) {
      uint32_t room = w->leaf_room ? w->leaf_room * 2 : 1024;
      struct hf_leaf *more = room <= LEAVES_MOST ? hf_mem_resize(w->leaves, room * sizeof *more) : NULL;
      if (!more) return; /* the digest decides about this file */
      w->leaves = more;
      w->leaf_room = room;
    }
    w->leaves[w->leaf_count++] = leaf;
  }
}

void hf_leaf_sort(struct hf_wrap *w) {
  if (w->leaf_count) qsort(w->leaves, w->leaf_count, sizeof *w->leaves, by_place);
}

void hf_leaf_free(struct hf_wrap *w) {
  hf_ranges_free(&w->leafed);
  hf_mem_free(w->leaves);
}
