/* order.c - a block for a sink that takes bytes in order, such as a pipe: packed pieces of the ranges that come next are fetched side
 * by side into a few slots of memory, and one worker unpacks and writes them, term after term.
 * A piece that a later term wants again stays in its slot while nothing that is wanted sooner needs it; where chunks begin in
 * a range is known after the first time, so that later terms fetch no more than they use. */
#include "block.h"
#include "settings.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 4 << 20, SLICE = 256 << 10, SLOTS_MOST = 6, AHEAD = 256 };

enum piece_state { PIECE_FREE = 0, PIECE_GOING, PIECE_THERE };
struct slot { /* a sink for one piece */
  struct hf_sink s;
  struct flow *flow;
  uint8_t *data;
  size_t have;
  enum piece_state state;
  uint32_t range, number;
};

enum term_state { TERM_UNKNOWN = 0, TERM_ASKED, TERM_AT_HAND, TERM_WIRE };
struct flow {
  struct xet_block *b;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct slot slots[SLOTS_MOST];
  uint32_t slot_count;
  void *stream_memory;
  uint8_t *terms;          /* enum term_state of each */
  uint32_t term;           /* which is being written */
  uint64_t pos;            /* in its range, where it is; once it has begun */
  const struct slot *held; /* is being read */
  bool end;
};

static uint64_t range_len(const struct flow *f, uint32_t range) {
  const struct xet_range *r = &f->b->recon.ranges[range];
  return r->last - r->first + 1;
}

/* ---- what is wanted next; under lock ---- */

/* Bytes of its range that a term needs, as far as that is known; a guess else. */
static void span(const struct flow *f, uint32_t t, uint64_t *lo, uint64_t *hi) {
  const struct xet_term *term = &f->b->recon.terms[t];
  const struct xet_range *r = &f->b->recon.ranges[term->range];
  const struct xet_job *j = &f->b->jobs[term->range];
  uint32_t s = term->start - r->start, e = term->end - r->start, n = r->end - r->start;
  uint64_t all = range_len(f, term->range);
  *lo = j->packed[s < j->known ? s : j->known];
  if (t == f->term && f->pos > *lo) *lo = f->pos;
  *hi = e <= j->known ? j->packed[e] : e == n ? all : all * e / n + SLICE;
  if (t == f->term && *hi <= *lo) *hi = *lo + 1;
  if (*hi > all) *hi = all;
}

static bool wants(const struct flow *f, uint32_t t, uint32_t range, uint32_t number) {
  uint64_t lo, hi;
  if (f->b->recon.terms[t].range != range || f->terms[t] == TERM_AT_HAND) return false;
  span(f, t, &lo, &hi);
  return lo < hi && number >= lo / PIECE && number <= (hi - 1) / PIECE;
}

/* When it is wanted: by which term first, at or behind the one being written, and as which piece of that. */
static uint64_t next_use(const struct flow *f, const struct slot *s) {
  uint32_t last = f->b->recon.term_count - f->term < AHEAD ? f->b->recon.term_count : f->term + AHEAD;
  for (uint32_t t = f->term; t < last; t++)
    if (wants(f, t, s->range, s->number)) return (uint64_t)t << 32 | s->number;
  return UINT64_MAX;
}

static struct slot *find(struct flow *f, uint32_t range, uint32_t number) {
  for (uint32_t i = 0; i < f->slot_count; i++) {
    struct slot *s = &f->slots[i];
    if (s->state != PIECE_FREE && s->range == range && s->number == number) return s;
  }
  return NULL;
}

/* A slot for something that term t wants: a free one, or the one that is wanted last, if that is later. */
static struct slot *claim(struct flow *f, uint32_t t, uint32_t range, uint32_t number) {
  struct slot *best = NULL;
  uint64_t best_use = (uint64_t)t << 32 | number;
  for (uint32_t i = 0; i < f->slot_count; i++) {
    struct slot *s = &f->slots[i];
    if (s->state == PIECE_GOING || s == f->held) continue;
    uint64_t use = s->state == PIECE_FREE ? UINT64_MAX : next_use(f, s);
    if (use <= best_use) continue;
    best = s;
    best_use = use;
  }
  if (!best) return NULL;
  best->state = PIECE_GOING;
  best->range = range;
  best->number = number;
  best->have = 0;
  return best;
}

static struct slot *claim_next(struct flow *f, uint32_t *ask) {
  uint32_t last = f->b->recon.term_count - f->term < AHEAD ? f->b->recon.term_count : f->term + AHEAD;
  *ask = UINT32_MAX;
  for (uint32_t t = f->term; t < last; t++) {
    uint64_t lo, hi;
    uint32_t range = f->b->recon.terms[t].range;
    if (f->terms[t] == TERM_AT_HAND) continue;
    if (f->terms[t] == TERM_UNKNOWN) *ask = t;
    if (f->terms[t] != TERM_WIRE) return NULL;
    span(f, t, &lo, &hi);
    for (uint64_t n = lo / PIECE; lo < hi && n <= (hi - 1) / PIECE; n++)
      if (!find(f, range, (uint32_t)n)) return claim(f, t, range, (uint32_t)n);
  }
  return NULL;
}

/* ---- fetching a piece ---- */

static hf_status on_write(hf_call *c, struct hf_sink *sink, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct slot *s = (struct slot *)sink;
  size_t before = s->have;
  (void)off;
  for (uint32_t i = 0; i < n; s->have += iov[i++].len) {
    if (iov[i].len > PIECE - s->have) return xet_host->failf(c, HF_EPROTO, "more of a xorb came than was asked for");
    memcpy(s->data + s->have, iov[i].base, iov[i].len);
  }
  xet_cas_moved(s->flow->b->pull->cas, s->have - before);
  return HF_OK;
}

static hf_status on_size(hf_call *c, struct hf_sink *sink, uint64_t size) {
  struct slot *s = (struct slot *)sink;
  (void)c;
  pthread_mutex_lock(&s->flow->lock);
  s->flow->b->jobs[s->range].xorb_size = size;
  pthread_mutex_unlock(&s->flow->lock);
  return HF_OK;
}

static hf_status fill(hf_call *c, struct flow *f, struct slot *s) {
  struct xet_cas *cas = f->b->pull->cas;
  uint64_t lo = (uint64_t)s->number * PIECE, all = range_len(f, s->range), hi = all - lo < PIECE ? all : lo + PIECE;
  hf_status st = xet_cas_enter(c, cas);
  if (st == HF_OK) {
    st = xet_block_part(c, f->b, s->range, &s->s, &s->have, lo, hi);
    xet_cas_leave(cas, st == HF_OK ? hi - lo : 0);
  }
  pthread_mutex_lock(&f->lock);
  s->state = st == HF_OK ? PIECE_THERE : PIECE_FREE;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
  return st;
}

/* Is all that the term wants at hand? Called without the lock. */
static hf_status ask_hand(hf_call *c, struct flow *f, uint32_t t) {
  const struct xet_term *term = &f->b->recon.terms[t];
  bool has = false;
  hf_status st = xet_hand_has(c, f->b->pull, &term->xorb, term->start, term->end, &has);
  pthread_mutex_lock(&f->lock);
  f->terms[t] = has ? TERM_AT_HAND : TERM_WIRE;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
  return st;
}

static hf_status fetch_ahead(hf_call *c, struct flow *f) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&f->lock);
  while (st == HF_OK && !f->end) {
    uint32_t ask;
    struct slot *s = claim_next(f, &ask);
    if (ask != UINT32_MAX) f->terms[ask] = TERM_ASKED;
    if (!s && ask == UINT32_MAX) {
      xet_cond_wait(&f->changed, &f->lock);
      st = xet_host->check(c);
      continue;
    }
    pthread_mutex_unlock(&f->lock);
    st = s ? fill(c, f, s) : ask_hand(c, f, ask);
    pthread_mutex_lock(&f->lock);
  }
  pthread_mutex_unlock(&f->lock);
  return st;
}

/* ---- writing ---- */

/* The piece at the flow's position: who fetches ahead brings it, or it is fetched here. */
static hf_status get_piece(hf_call *c, struct flow *f, uint32_t range, struct slot **out) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&f->lock);
  for (;;) {
    uint32_t number = (uint32_t)(f->pos / PIECE);
    struct slot *s = find(f, range, number);
    bool mine = !s && (s = claim(f, f->term, range, number)) != NULL;
    if (mine) {
      pthread_mutex_unlock(&f->lock);
      st = fill(c, f, s);
      pthread_mutex_lock(&f->lock);
    } else if (s && s->state == PIECE_THERE) {
      f->held = *out = s;
      break;
    } else {
      xet_cond_wait(&f->changed, &f->lock);
      st = xet_host->check(c);
    }
    if (st != HF_OK) break;
  }
  pthread_mutex_unlock(&f->lock);
  return st;
}

static void let_go(struct flow *f, uint64_t pos) {
  pthread_mutex_lock(&f->lock);
  f->held = NULL;
  f->pos = pos;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
}

/* Chunks up to `end`, or all that the range has. */
static hf_status unpack(hf_call *c, struct flow *f, struct xet_stream *x, uint32_t range, uint32_t end) {
  uint64_t all = range_len(f, range), pos = f->pos;
  while (x->next < end && pos < all) {
    struct slot *s = NULL;
    TRY(get_piece(c, f, range, &s));
    hf_status st = HF_OK;
    for (size_t at = pos % PIECE; st == HF_OK && at < s->have && x->next < end; at = pos % PIECE) {
      size_t n = s->have - at < SLICE ? s->have - at : SLICE;
      struct hf_iov iov = {s->data + at, n};
      st = x->s.writev(c, &x->s, 0, &iov, 1);
      pos += n;
      if (pos % PIECE == 0) break;
    }
    let_go(f, pos);
    TRY(st);
  }
  return xet_stream_stop(c, x, end);
}

static hf_status from_wire(hf_call *c, struct flow *f, uint32_t t, struct xet_stream *x) {
  const struct xet_term *term = &f->b->recon.terms[t];
  struct xet_job *j = &f->b->jobs[term->range];
  const struct xet_range *r = x->range;
  uint32_t s = term->start - r->start, from = s < j->known ? s : j->known, n = r->end - r->start;
  xet_stream_begin(x, f->stream_memory);
  xet_stream_seek(x, r->start + from, j->packed);
  x->cas = NULL; /* what moves is counted where it arrives */
  x->keep =
      f->b->pull->cache ? xet_keep_begin(c, f->b->pull->cache, &r->xorb, r->start + from, x->places[0].raw) : NULL;
  if (x->keep) xet_pull_touch(f->b->pull, &r->xorb);
  pthread_mutex_lock(&f->lock);
  f->pos = j->packed[from];
  pthread_mutex_unlock(&f->lock);
  hf_status st = unpack(c, f, x, term->range, term->end);
  bool first = j->known < n;
  pthread_mutex_lock(&f->lock);
  if (st == HF_OK && x->next - r->start > j->known) j->known = x->next - r->start;
  x->xorb_size = j->xorb_size;
  pthread_mutex_unlock(&f->lock);
  if (st == HF_OK && first && j->known == n) st = xet_stream_named(c, x);
  xet_keep_end(x->keep, st == HF_OK);
  x->keep = NULL;
  return st;
}

/* Whether somebody found out, or it is found out here. */
static hf_status know_term(hf_call *c, struct flow *f, uint32_t t, bool *at_hand) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&f->lock);
  f->term = t;
  f->pos = 0;
  pthread_cond_broadcast(&f->changed);
  while (st == HF_OK && f->terms[t] < TERM_AT_HAND) {
    if (f->terms[t] == TERM_UNKNOWN) {
      f->terms[t] = TERM_ASKED;
      pthread_mutex_unlock(&f->lock);
      st = ask_hand(c, f, t);
      pthread_mutex_lock(&f->lock);
    } else {
      xet_cond_wait(&f->changed, &f->lock);
      st = xet_host->check(c);
    }
  }
  *at_hand = f->terms[t] == TERM_AT_HAND;
  pthread_mutex_unlock(&f->lock);
  return st;
}

static hf_status one_term(hf_call *c, struct flow *f, uint32_t t, uint64_t off, struct xet_stream *x) {
  struct xet_block *b = f->b;
  const struct xet_term *term = &b->recon.terms[t];
  struct xet_place place = {.start = term->start, .end = term->end, .off = off, .raw = term->raw};
  uint32_t open[1];
  bool at_hand;
  *x = (struct xet_stream){.file = b->pull->sink,
                           .cas = b->pull->cas,
                           .range = &b->recon.ranges[term->range],
                           .least = b->off,
                           .ordered = true,
                           .places = &place,
                           .place_count = 1,
                           .open = open,
                           .chunks = b->jobs[term->range].chunks};
  TRY(know_term(c, f, t, &at_hand));
  hf_status st = at_hand ? xet_hand_copy(c, b->pull, x, &at_hand) : HF_OK;
  if (st == HF_OK && !at_hand) {
    pthread_mutex_lock(&f->lock);
    f->terms[t] = TERM_WIRE; /* it may have turned out to be something else */
    pthread_mutex_unlock(&f->lock);
    st = from_wire(c, f, t, x);
  }
  if (st != HF_OK) {
    xet_block_fault(c, b, x);
    return st;
  }
  xet_block_grow(b, t, off); /* before another term of the range is copied */
  return HF_OK;
}

static hf_status write_all(hf_call *c, struct flow *f) {
  uint64_t off = f->b->off - f->b->recon.skip;
  struct xet_stream *x = calloc(1, sizeof *x);
  hf_status st = x ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", f->b->pull->path);
  for (uint32_t t = 0; st == HF_OK && t < f->b->recon.term_count; t++) {
    st = one_term(c, f, t, off, x);
    off += f->b->recon.terms[t].raw;
  }
  free(x);
  pthread_mutex_lock(&f->lock);
  f->end = true;
  pthread_cond_broadcast(&f->changed);
  pthread_mutex_unlock(&f->lock);
  return st;
}

static hf_status work(hf_call *c, void *arg, uint32_t worker) {
  return worker == 0 ? write_all(c, arg) : fetch_ahead(c, arg);
}

/* ---- the whole ---- */

/* A part of what all transfers together may have. */
static uint32_t slots_for(hf_call *c, const struct xet_cas *cas) {
  uint64_t memory = xet_option_bytes(c, "HF_MEMORY", 0) / 2, n;
  if (cas->buffer < memory) memory = cas->buffer;
  n = memory > XET_STREAM_BYTES ? (memory - XET_STREAM_BYTES) / PIECE : 0;
  return n < 1 ? 1 : n < SLOTS_MOST ? (uint32_t)n : SLOTS_MOST;
}

static bool know_ranges(struct xet_block *b) {
  for (uint32_t i = 0; i < b->recon.range_count; i++) {
    struct xet_job *j = &b->jobs[i];
    j->xorb_size = HF_SIZE_UNKNOWN;
    if (!j->place_count) continue;
    j->packed = calloc((size_t)(b->recon.ranges[i].end - b->recon.ranges[i].start) + 1, sizeof *j->packed);
    if (!j->packed) return false;
  }
  return true;
}

hf_status xet_block_in_order(hf_call *c, struct xet_block *b) {
  struct flow f = {.b = b, .slot_count = slots_for(c, b->pull->cas)};
  struct hf_buf memory = {.data = NULL};
  f.terms = calloc(b->recon.term_count + 1, sizeof *f.terms);
  hf_status st = f.terms && know_ranges(b)
                     ? xet_host->buf_get(c, XET_STREAM_BYTES + f.slot_count * (size_t)PIECE, &memory)
                     : xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", b->pull->path);
  f.stream_memory = memory.data;
  for (uint32_t i = 0; st == HF_OK && i < f.slot_count; i++) {
    struct slot *s = &f.slots[i];
    s->s =
        (struct hf_sink){.struct_size = sizeof s->s, .size = HF_SIZE_UNKNOWN, .set_size = on_size, .writev = on_write};
    s->flow = &f;
    s->data = (uint8_t *)memory.data + XET_STREAM_BYTES + i * (size_t)PIECE;
  }
  if (st == HF_OK) {
    pthread_mutex_init(&f.lock, NULL);
    xet_cond_init(&f.changed);
    st = xet_host->parallel(c, f.slot_count + 1, f.slot_count + 1, work, &f);
    pthread_cond_destroy(&f.changed);
    pthread_mutex_destroy(&f.lock);
  }
  xet_host->buf_put(&memory);
  free(f.terms);
  return st;
}
