/* hand.c - chunks that are at hand: in an older version of the file (base.c) or in the chunk cache (cache.c). What a range's terms
 * want is copied from there when all of it is; else the range is fetched.
 * The bytes are hashed like all others. The cache says what each chunk's hash is: one with another is not used, and its entry
 * goes. */
#include "block.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

struct runs {
  struct xet_run *rows;
  uint32_t count, room;
};

static struct xet_run *add_run(struct runs *r) {
  if (r->count == r->room) {
    uint32_t room = r->room ? r->room * 2 : 8;
    struct xet_run *more = realloc(r->rows, room * sizeof *more);
    if (!more) return NULL;
    r->rows = more;
    r->room = room;
  }
  r->rows[r->count] = (struct xet_run){.at = NULL};
  return &r->rows[r->count++];
}

static void runs_free(struct runs *r, bool used) {
  for (uint32_t i = 0; i < r->count; i++) {
    struct xet_cached *e = r->rows[i].cached;
    if (e) xet_cached_close(e, used, r->rows[i].bad);
    free(e);
  }
  free(r->rows);
}

/* ---- what there is ---- */

static hf_status from_cache(hf_call *c, const struct xet_pull *p, const struct xet_hash *xorb, uint32_t start,
                            uint32_t end, struct runs *r, bool *all) {
  *all = p->cache != NULL && !p->cache_unread;
  while (*all && start < end) {
    struct xet_cached *e = malloc(sizeof *e);
    *all = e && xet_cache_find(p->cache, xorb, start, end, e);
    struct xet_run *run = *all ? add_run(r) : NULL;
    if (*all && !run) xet_cached_close(e, false, false);
    if (!run) {
      free(e);
      return *all ? xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", p->path) : HF_OK;
    }
    uint32_t to = e->end < end ? e->end : end;
    *run = (struct xet_run){.start = start, .end = to, .at = e->at + (start - e->start), .cached = e};
    start = to;
  }
  return HF_OK;
}

static hf_status find_run(hf_call *c, struct xet_pull *p, const struct xet_hash *xorb, uint32_t start, uint32_t end,
                          struct runs *r, bool *all) {
  struct xet_run base = {.at = NULL};
  TRY(xet_bases_find(c, p->bases, xorb, start, end, &base));
  if (!base.at) return from_cache(c, p, xorb, start, end, r, all);
  struct xet_run *run = add_run(r);
  if (!run) return xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", p->path);
  *run = base;
  return HF_OK;
}

/* For all places of the range, in order; those that touch or overlap are one. */
static hf_status find_all(hf_call *c, struct xet_pull *p, const struct xet_stream *x, struct runs *r, bool *all) {
  *all = true;
  for (uint32_t i = 0; i < x->place_count && *all;) {
    uint32_t start = x->places[i].start, end = x->places[i].end;
    for (i++; i < x->place_count && x->places[i].start < end; i++)
      if (x->places[i].end > end) end = x->places[i].end;
    TRY(find_run(c, p, &x->range->xorb, start, end, r, all));
  }
  return HF_OK;
}

hf_status xet_hand_has(hf_call *c, struct xet_pull *p, const struct xet_hash *xorb, uint32_t start, uint32_t end,
                       bool *has) {
  struct runs r = {.rows = NULL};
  *has = p->bases || p->cache;
  hf_status st = *has ? find_run(c, p, xorb, start, end, &r, has) : HF_OK;
  runs_free(&r, false);
  return st;
}

/* ---- copying ---- */

/* false: it cannot be read. An error of the source is no error of the call. */
static bool read_run(hf_call *c, const struct xet_run *run, uint8_t *buf, uint64_t off, size_t len) {
  size_t have = 0, got = 0;
  while (have < len) {
    if (run->cached) {
      ssize_t n = pread(run->cached->fd, buf + have, len - have, (off_t)(off + have));
      got = n > 0 ? (size_t)n : 0;
    } else if (run->source->pread(c, run->source, buf + have, len - have, run->off + off + have, &got) != HF_OK) {
      if (xet_host->check(c) == HF_OK) xet_host->clear(c);
      got = 0;
    }
    if (!got) return false;
    have += got;
  }
  return true;
}

static hf_status copy_run(hf_call *c, struct xet_stream *x, struct xet_run *run, uint8_t *buf) {
  uint32_t base = x->range->start;
  for (uint32_t from = run->start; from < run->end;) {
    const void *data[16];
    size_t len[16], fill = 0;
    uint32_t n = 0;
    const uint32_t *at = run->at + (from - run->start);
    for (; n < 16 && from + n < run->end && fill + (at[n + 1] - at[n]) <= PIECE; n++) {
      len[n] = at[n + 1] - at[n];
      data[n] = buf + fill;
      fill += len[n];
      x->chunks.at[from + n + 1 - base] = x->chunks.at[from + n - base] + (uint32_t)len[n];
    }
    if (!read_run(c, run, buf, at[0], fill)) {
      TRY(xet_host->check(c));
      run->bad = true;
      x->damage = "what is at hand cannot be read";
      return xet_host->failf(c, HF_ECONFLICT, "%s", x->damage);
    }
    x->expect = run->cached ? run->cached->hashes + (from - run->cached->start) : NULL;
    hf_status st = xet_place_chunks(c, x, from, data, len, n);
    x->expect = NULL;
    run->bad = x->damage != NULL;
    x->stuck |= st != HF_OK && !x->damage;
    TRY(st);
    from += n;
  }
  return HF_OK;
}

hf_status xet_hand_copy(hf_call *c, struct xet_pull *p, struct xet_stream *x, bool *done) {
  struct runs r = {.rows = NULL};
  struct hf_buf buf = {.data = NULL};
  *done = false;
  if (!p->bases && !p->cache) return HF_OK;
  hf_status st = find_all(c, p, x, &r, done);
  if (st == HF_OK && *done) st = xet_host->buf_get(c, PIECE, &buf);
  if (st == HF_OK && *done) {
    xet_stream_reset(x);
    for (uint32_t i = 0; st == HF_OK && i < r.count; i++) st = copy_run(c, x, &r.rows[i], buf.data);
    xet_host->buf_put(&buf);
    *done = st == HF_OK;
  }
  runs_free(&r, *done);
  if (st != HF_OK && x->damage && xet_host->check(c) == HF_OK) { /* it is not what it seemed */
    xet_host->clear(c);
    st = HF_OK;
  }
  if (!*done) return st;
  pthread_mutex_lock(&p->lock);
  for (uint32_t i = 0; i < x->place_count; i++) p->copied += x->places[i].raw;
  pthread_mutex_unlock(&p->lock);
  xet_pull_touch(p, &x->range->xorb);
  return HF_OK;
}

/* ---- what is to blame if the file turns out wrong ---- */

void xet_pull_touch(struct xet_pull *p, const struct xet_hash *xorb) {
  if (!p->cache) return;
  pthread_mutex_lock(&p->lock);
  bool known = p->touched_count && !memcmp(&p->touched[p->touched_count - 1], xorb, sizeof *xorb);
  if (!known && p->touched_count == p->touched_room) {
    uint32_t room = p->touched_room ? p->touched_room * 2 : 64;
    struct xet_hash *more = realloc(p->touched, room * sizeof *more);
    if (more) p->touched = more, p->touched_room = room;
  }
  if (!known && p->touched_count < p->touched_room) p->touched[p->touched_count++] = *xorb;
  pthread_mutex_unlock(&p->lock);
}
