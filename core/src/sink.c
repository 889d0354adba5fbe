/* sink.c - the sink that adapters see, around a store's own: bounds, size, missing ranges, progress, cancellation, lending,
 * and the end: everything there, the digest right, only then the store's seal.
 * Digest, journal and ordering are in sink_digest.c, sink_resume.c, sink_order.c. */
#include <stdio.h>

#include "sink.h"

enum {
  IOV_MOST = 1024,
  CATCH_UP = 8 << 20,         /* bytes one writer reads back for the digest before it goes on with its own */
  WRITE_BACK = 64 << 20,      /* bytes between two nudges to the disk */
  WRITE_BACK_LAST = 16 << 20, /* what is left at the end of a file */
  TELL_NS = 100 * 1000000,    /* between two progress events of a file */
};
#define SIZE_MOST ((uint64_t)INT64_MAX)

hf_status hf_raw_write(hf_call *c, struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct hf_guard g;
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->f.writev(c, w->raw, off, iov, n);
  hf_guard_out(&g, c);
  return st;
}

hf_status hf_raw_read(hf_call *c, struct hf_wrap *w, void *buf, size_t len, uint64_t off, size_t *got) {
  struct hf_guard g;
  hf_store_in(&g, c, w->store, &w->object);
  *got = 0;
  hf_status st = w->f.pread(c, w->raw, buf, len, off, got);
  hf_guard_out(&g, c);
  if (st == HF_OK && *got > len)
    return hf_call_failf(c, HF_EABI, "store %s read more than was asked for", w->store->mod->m->name);
  return st;
}

static void tell(hf_call *c, struct hf_wrap *w, bool now) {
  uint64_t t = hf_now_ns(), before = atomic_load_explicit(&w->told_ns, memory_order_relaxed);
  if (!now && t - before < TELL_NS) return;
  if (!atomic_compare_exchange_strong(&w->told_ns, &before, t) && !now) return;
  pthread_mutex_lock(&w->lock);
  struct hf_event e = {.struct_size = sizeof e,
                       .type = HF_EV_BYTES,
                       .item = w->item,
                       .done = w->held.total,
                       .total = w->s.size == HF_SIZE_UNKNOWN ? 0 : w->s.size,
                       .text = w->what.name.path};
  pthread_mutex_unlock(&w->lock);
  e.wire = atomic_exchange(&w->wire, 0);
  hf_call_emit(c, &e);
}

static hf_status wrong_size(hf_call *c, struct hf_wrap *w, uint64_t told) {
  struct hf_text_buf t;
  hf_text_init(&t, 1024);
  hf_text_addf(&t, "%.600s has %llu bytes by what was promised, and %llu by what the server sends; try again later",
               w->what.name.path, (unsigned long long)w->s.size, (unsigned long long)told);
  struct hf_error e = {.struct_size = sizeof e, .code = HF_EPROTO, .retryable = 1, .message = t.data};
  hf_status st = hf_call_fail(c, &e);
  hf_text_free(&t);
  return st;
}

static hf_status wrap_set_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  hf_status st = HF_OK;
  if (size > SIZE_MOST) return hf_call_failf(c, HF_EPROTO, "%s cannot be so large", w->what.name.path);
  pthread_mutex_lock(&w->io);
  pthread_mutex_lock(&w->lock);
  bool known = w->s.size != HF_SIZE_UNKNOWN;
  uint64_t was = w->s.size, last = w->held.n ? w->held.rows[w->held.n - 1].off + w->held.rows[w->held.n - 1].len : 0;
  if (!known && last <= size) w->s.size = size;
  pthread_mutex_unlock(&w->lock);
  if (known ? was != size : last > size) {
    st = wrong_size(c, w, known ? size : last);
  } else if (!known) {
    if (w->f.set_size && w->raw->size != size) {
      struct hf_guard g;
      hf_store_in(&g, c, w->store, &w->object);
      st = w->f.set_size(c, w->raw, size);
      hf_guard_out(&g, c);
    }
    if (st == HF_OK) st = hf_journal_begin(c, w, false);
  }
  pthread_mutex_unlock(&w->io);
  return st;
}

static hf_status wrap_missing(hf_call *c, struct hf_sink *s, struct hf_range *out, uint32_t *n) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  (void)c;
  pthread_mutex_lock(&w->lock);
  if (w->s.size != HF_SIZE_UNKNOWN) {
    hf_ranges_gaps(&w->held, w->s.size, out, n);
  } else if (*n) {
    out[0] = (struct hf_range){hf_ranges_end(&w->held, 0), HF_SIZE_UNKNOWN};
    *n = 1;
  }
  pthread_mutex_unlock(&w->lock);
  return HF_OK;
}

/* Bytes that are written again are not held meanwhile, and what was made of them is void. */
static hf_status before_write(hf_call *c, struct hf_wrap *w, uint64_t off, uint64_t total) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&w->lock);
  uint64_t size = w->s.size;
  bool fits =
      size == HF_SIZE_UNKNOWN ? off <= SIZE_MOST && total <= SIZE_MOST - off : off <= size && total <= size - off;
  if (fits && !w->ordered && hf_ranges_touch(&w->held, off, total)) {
    if (!hf_ranges_cut(&w->held, off, total))
      st = hf_call_failf(c, HF_ENOMEM, "%s arrives in too many pieces", w->what.name.path);
    if (!hf_ranges_cut(&w->leafed, off, total))
      st = hf_call_failf(c, HF_ENOMEM, "%s arrives in too many pieces", w->what.name.path);
    w->attested = false;
    if (off < w->claim || off < w->hashed) w->rehash = true;
    hf_journal_forget(w, off, total);
  }
  hf_frontier_leave(w, off, total);
  pthread_mutex_unlock(&w->lock);
  return fits ? st : wrong_size(c, w, off + total);
}

static hf_status after_write(hf_call *c, struct hf_wrap *w, uint64_t off, uint64_t total) {
  bool nudge = false;
  pthread_mutex_lock(&w->lock);
  bool added = hf_ranges_add(&w->held, off, total);
  w->unsynced += total;
  if (w->unsynced >= WRITE_BACK || (w->unsynced >= WRITE_BACK_LAST && w->held.total == w->s.size)) {
    w->unsynced = 0;
    nudge = w->f.checkpoint != NULL;
  }
  pthread_mutex_unlock(&w->lock);
  if (!added) return hf_call_failf(c, HF_ENOMEM, "%s arrives in too many pieces", w->what.name.path);
  if (!nudge) return HF_OK;
  struct hf_guard g;
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->f.checkpoint(c, w->raw, 0);
  hf_guard_out(&g, c);
  return st;
}

static hf_status wrap_writev(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  uint64_t total = 0;
  if (n > IOV_MOST) return hf_call_failf(c, HF_EABI, "more than %d pieces in one write", IOV_MOST);
  for (uint32_t i = 0; i < n; i++) {
    if (iov[i].len > SIZE_MOST - total) return wrong_size(c, w, HF_SIZE_UNKNOWN);
    total += iov[i].len;
  }
  if (total == 0) return HF_OK;
  TRY(hf_call_check(c));
  if (w->ordered) {
    pthread_mutex_lock(&w->io);
    hf_status st = before_write(c, w, off, total);
    if (st == HF_OK) st = hf_order_write(c, w, off, iov, n, total);
    if (st == HF_OK) st = after_write(c, w, off, total);
    pthread_mutex_unlock(&w->io);
    TRY(st);
  } else {
    bool alone = !(w->raw->caps & HF_IO_CONCURRENT);
    TRY(before_write(c, w, off, total));
    if (alone) pthread_mutex_lock(&w->io);
    hf_status st = hf_raw_write(c, w, off, iov, n);
    if (alone) pthread_mutex_unlock(&w->io);
    TRY(st);
    TRY(after_write(c, w, off, total));
    hf_journal_follow(c, w, off, iov, n);
    bool follows = false;
    if (!w->lazy) TRY(hf_follower_tell(c, w, off, &follows));
    if (!w->lazy && !follows) TRY(hf_frontier_follow(c, w, off, iov, n, CATCH_UP));
  }
  atomic_fetch_add_explicit(&w->wire, total, memory_order_relaxed);
  atomic_fetch_add_explicit(&w->moved, total, memory_order_relaxed);
  tell(c, w, false);
  return HF_OK;
}

uint64_t hf_sink_moved(const struct hf_sink *s) {
  return atomic_load_explicit(&((const struct hf_wrap *)s)->moved, memory_order_relaxed);
}

static hf_status wrap_pread(hf_call *c, struct hf_sink *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  *got = 0;
  if (!w->reads_back) return hf_call_failf(c, HF_ENOSYS, "the store does not read back");
  pthread_mutex_lock(&w->lock);
  uint64_t end = hf_ranges_end(&w->held, off);
  pthread_mutex_unlock(&w->lock);
  if (end - off < len) len = (size_t)(end - off);
  return len ? hf_raw_read(c, w, buf, len, off, got) : HF_OK;
}

static hf_status wrap_lend(hf_call *c, struct hf_sink *s, uint64_t off, size_t len, struct hf_span *span) {
  (void)s;
  struct hf_buf *b = hf_mem_alloc(sizeof *b);
  *span = (struct hf_span){0};
  if (!b) return hf_call_failf(c, HF_ENOMEM, "no memory to lend");
  hf_status st = hf_buf_get(c, len, b);
  if (st != HF_OK) {
    hf_mem_free(b);
    return st;
  }
  *span = (struct hf_span){b->data, b->len, off, b};
  return HF_OK;
}

static void wrap_drop(struct hf_sink *s, struct hf_span *span) {
  (void)s;
  if (!span->cookie) return;
  hf_buf_put(span->cookie);
  hf_mem_free(span->cookie);
  *span = (struct hf_span){0};
}

static hf_status wrap_commit(hf_call *c, struct hf_sink *s, struct hf_span *span, size_t len) {
  struct hf_iov iov = {span->base, len};
  hf_status st = span->cookie && len <= span->len ? wrap_writev(c, s, span->off, &iov, 1)
                                                  : hf_call_failf(c, HF_EABI, "more was committed than was lent");
  wrap_drop(s, span);
  return st;
}

static hf_status wrap_checkpoint(hf_call *c, struct hf_sink *s, int32_t wait) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  struct hf_guard g;
  if (!w->f.checkpoint) return HF_OK;
  hf_store_in(&g, c, w->store, &w->object);
  hf_status st = w->f.checkpoint(c, w->raw, wait);
  hf_guard_out(&g, c);
  return st;
}

static void wrap_free(struct hf_wrap *w) {
  hf_frontier_free(w);
  hf_order_free(w);
  hf_ranges_free(&w->held);
  hf_leaf_free(w);
  hf_mem_free(w->open);
  pthread_cond_destroy(&w->follower.moved);
  pthread_mutex_destroy(&w->object);
  pthread_mutex_destroy(&w->io);
  pthread_mutex_destroy(&w->lock);
  hf_mem_free(w);
}

static void raw_abort(hf_store *store, struct hf_sink *raw, pthread_mutex_t *object, bool keep) {
  struct hf_guard g;
  hf_store_in(&g, NULL, store, object);
  raw->abort(raw, keep);
  hf_guard_out(&g, NULL);
}

static bool hex_bytes(const char *s, size_t n, uint8_t *out) {
  if (strlen(s) != 2 * n) return false;
  for (size_t i = 0; i < 2 * n; i++) {
    int v = s[i] >= '0' && s[i] <= '9' ? s[i] - '0' : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10 : -1;
    if (v < 0) return false;
    out[i / 2] = (uint8_t)(out[i / 2] << 4 | v);
  }
  return true;
}

/* What the bytes must have: the digest that is known, else what the etag promises. */
static hf_status promise(hf_call *c, struct hf_wrap *w) {
  struct hf_digest by_etag = {0};
  const char *etag = w->what.etag;
  if (etag && hex_bytes(etag, 32, by_etag.bytes))
    by_etag.algo = HF_DIGEST_SHA256, by_etag.len = 32;
  else if (etag && hex_bytes(etag, 20, by_etag.bytes))
    by_etag.algo = HF_DIGEST_GIT_BLOB, by_etag.len = 20;
  const struct hf_digest *d = &w->what.digest;
  bool known = (d->algo == HF_DIGEST_SHA256 && d->len == 32) || (d->algo == HF_DIGEST_GIT_BLOB && d->len == 20);
  w->want = known ? *d : by_etag;
  if (known && by_etag.algo == d->algo && memcmp(by_etag.bytes, d->bytes, d->len) != 0)
    return hf_call_failf(c, HF_EPROTO,
                         "%s: its etag and its digest contradict each other; report it to the repository's owner",
                         w->what.name.path);
  const char *verify = hf_call_get_option(c, "HF_VERIFY");
  if (verify && strcmp(verify, "off") == 0) {
    static _Atomic bool said;
    w->want = (struct hf_digest){.algo = HF_DIGEST_NONE};
    if (!atomic_exchange(&said, true))
      hf_call_log(c, HF_LOG_WARNING,
                  "HF_VERIFY=off: nothing that arrives is verified. Use it to measure, never to work.");
  }
  w->strict = verify && strcmp(verify, "strict") == 0;
  w->lazy = (w->what.flags & HF_IN_VIA_XET) && w->what.xet_hash && !w->strict;
  if (w->want.algo == HF_DIGEST_NONE && w->strict)
    return hf_call_failf(c, HF_EDIGEST,
                         "%s cannot be verified: the server gives no digest; allow it with HF_VERIFY=lax",
                         w->what.name.path);
  return HF_OK;
}

/* Only a part is wanted: the rest counts as held, and no digest speaks of the part. */
static hf_status want_only(hf_call *c, struct hf_wrap *w, struct hf_range only) {
  uint64_t end = only.off + only.len;
  if (w->s.size == HF_SIZE_UNKNOWN || only.off > w->s.size || only.len > w->s.size - only.off)
    return hf_call_failf(c, HF_EINVAL, "%s has no such bytes, or its size is not known", w->what.name.path);
  w->want = (struct hf_digest){.algo = HF_DIGEST_NONE};
  w->what.xet_hash = NULL;
  w->s.leaf = NULL;
  w->s.leaves = NULL;
  w->s.attest = NULL;
  bool held = (only.off == 0 || hf_ranges_add(&w->held, 0, only.off)) &&
              (end == w->s.size || hf_ranges_add(&w->held, end, w->s.size - end));
  return held ? HF_OK : hf_call_failf(c, HF_ENOMEM, "no memory to receive %s", w->what.name.path);
}

static hf_status start(hf_call *c, struct hf_wrap *w) {
  if (!w->f.writev || !w->f.seal || !w->f.abort)
    return hf_call_failf(c, HF_EABI, "store %s gave a sink without writev, seal or abort", w->store->mod->m->name);
  TRY(promise(c, w));
  if (w->what.size == HF_SIZE_UNKNOWN) return HF_OK;
  if (w->what.size > SIZE_MOST) return hf_call_failf(c, HF_EPROTO, "%s cannot be so large", w->what.name.path);
  w->s.size = w->what.size;
  if (w->f.set_size && w->raw->size != w->s.size) {
    struct hf_guard g;
    hf_store_in(&g, c, w->store, &w->object);
    hf_status st = w->f.set_size(c, w->raw, w->s.size);
    hf_guard_out(&g, c);
    TRY(st);
  }
  TRY(hf_journal_begin(c, w, (w->raw->caps & HF_IO_RESUMES) && !(w->what.flags & HF_IN_FORCE)));
  if (w->held.total) tell(c, w, true);
  return HF_OK;
}

hf_status hf_sink_wrap(hf_call *c, struct hf_sink *raw, const struct hf_sink_opts *o, struct hf_sink **out) {
  struct hf_wrap *w = hf_mem_alloc(sizeof *w);
  *out = NULL;
  if (!w) {
    raw_abort(o->store, raw, NULL, true);
    return hf_call_failf(c, HF_ENOMEM, "no memory to receive %s", o->what.name.path);
  }
  memcpy(&w->f, raw, raw->struct_size < sizeof w->f ? raw->struct_size : sizeof w->f);
  w->raw = raw;
  w->store = o->store;
  w->what = o->what;
  w->item = o->item;
  pthread_mutex_init(&w->object, NULL);
  pthread_mutex_init(&w->io, NULL);
  pthread_mutex_init(&w->lock, NULL);
  hf_follower_init(w);
  w->reads_back = (raw->caps & HF_IO_READ_BACK) && w->f.pread;
  w->ordered = !(raw->caps & HF_IO_ANY_ORDER) || !w->reads_back || (o->store->st->m.caps & HF_ST_PART_WRITE);
  w->s = (struct hf_sink){.struct_size = sizeof w->s,
                          .caps = HF_IO_CONCURRENT | (w->ordered ? 0 : HF_IO_ANY_ORDER) |
                                  (w->reads_back ? HF_IO_READ_BACK : 0) | (raw->caps & HF_IO_RESUMES),
                          .size = HF_SIZE_UNKNOWN,
                          .set_size = wrap_set_size,
                          .missing = wrap_missing,
                          .writev = wrap_writev,
                          .pread = wrap_pread,
                          .lend = wrap_lend,
                          .commit = wrap_commit,
                          .drop = wrap_drop,
                          .leaf = hf_leaf_tell,
                          .checkpoint = wrap_checkpoint,
                          .forget = hf_leaf_forget,
                          .leaves = hf_leaf_list,
                          .attest = hf_leaf_attest};
  hf_status st = start(c, w);
  if (st == HF_OK && o->only.len) st = want_only(c, w, o->only);
  if (st == HF_OK) {
    *out = &w->s;
    return HF_OK;
  }
  if (w->f.abort) raw_abort(w->store, raw, &w->object, (raw->caps & HF_IO_RESUMES) != 0);
  wrap_free(w);
  return st;
}

static void hex_text(char out[65], const struct hf_digest *d) {
  for (uint32_t i = 0; i < d->len && i < 32; i++) snprintf(out + 2 * i, 3, "%02x", d->bytes[i]);
}

static hf_status mismatch(hf_call *c, struct hf_wrap *w, const struct hf_digest *is) {
  char want[65] = "", got[65] = "";
  struct hf_text_buf t;
  hex_text(want, &w->want);
  hex_text(got, is);
  hf_text_init(&t, 1200);
  hf_text_addf(&t, "%.600s arrived damaged and was not stored: %s %s was promised and %s came; try again",
               w->what.name.path, w->want.algo == HF_DIGEST_SHA256 ? "SHA-256" : "git blob", want, got);
  struct hf_error e = {.struct_size = sizeof e, .code = HF_EDIGEST, .retryable = 1, .message = t.data};
  hf_status st = hf_call_fail(c, &e);
  hf_text_free(&t);
  return st;
}

/* All bytes there? A size that nobody told is what has come. */
static hf_status complete(hf_call *c, struct hf_wrap *w) {
  if (w->s.size == HF_SIZE_UNKNOWN) TRY(wrap_set_size(c, &w->s, hf_ranges_end(&w->held, 0)));
  if (w->held.total != w->s.size) {
    struct hf_text_buf t;
    hf_text_init(&t, 1024);
    hf_text_addf(&t, "%llu of the %llu bytes of %.600s did not arrive; try again",
                 (unsigned long long)(w->s.size - w->held.total), (unsigned long long)w->s.size, w->what.name.path);
    struct hf_error e = {.struct_size = sizeof e, .code = HF_EPROTO, .retryable = 1, .message = t.data};
    hf_status st = hf_call_fail(c, &e);
    hf_text_free(&t);
    return st;
  }
  return w->ordered ? hf_order_flush(c, w) : HF_OK;
}

hf_status hf_sink_seal(hf_call *c, struct hf_sink *s, void **seal) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  struct hf_digest is;
  *seal = NULL;
  hf_status st = complete(c, w);
  if (st == HF_OK && w->attested)
    is = w->proof;
  else if (st == HF_OK)
    st = hf_frontier_end(c, w, &is);
  if (st != HF_OK) {
    hf_sink_abort(s, true);
    return st;
  }
  hf_follower_end(NULL, w);
  tell(c, w, true);
  if (w->want.algo != HF_DIGEST_NONE && !w->attested &&
      (is.len != w->want.len || memcmp(is.bytes, w->want.bytes, is.len) != 0)) {
    st = mismatch(c, w, &is);
    raw_abort(w->store, w->raw, &w->object, false);
  } else {
    struct hf_guard g;
    hf_store_in(&g, c, w->store, &w->object);
    st = w->f.seal(c, w->raw, &is, seal);
    hf_guard_out(&g, c);
  }
  wrap_free(w);
  return st;
}

void hf_sink_abort(struct hf_sink *s, int keep) {
  struct hf_wrap *w = (struct hf_wrap *)s;
  hf_follower_end(NULL, w);
  keep = keep && w->block && w->held.total;
  if (keep) hf_journal_stop(w);
  raw_abort(w->store, w->raw, &w->object, keep);
  wrap_free(w);
}
