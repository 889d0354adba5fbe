/* block.c - a reconstruction is asked for, every range of a xorb is fetched once, chunks are put where they belong while they
 * arrive. A signed address that is refused is renewed once for all who wait; a range that arrives damaged is fetched once more.
 * What was written of a range that stays damaged is missing again. */
#include "block.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_MOST   ((size_t)48 << 20)
#define CHUNKS_MOST ((uint64_t)2 << 20) /* of a block: more than one of its greatest size needs */

static hf_status no_memory(hf_call *c, const struct xet_pull *p) {
  return xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", p->path);
}

/* ---- the reconstruction ---- */

struct answer {
  char *text;
  size_t len, room;
};

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct answer *a = arg;
  if (len > JSON_MOST - a->len) return xet_host->failf(c, HF_EPROTO, "a reconstruction is larger than allowed");
  if (a->len + len > a->room) {
    size_t room = a->room * 2 > a->len + len ? a->room * 2 : a->len + len;
    char *more = realloc(a->text, room);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for a reconstruction");
    a->text = more;
    a->room = room;
  }
  memcpy(a->text + a->len, data, len);
  a->len += len;
  return HF_OK;
}

static hf_status ask_once(hf_call *c, struct xet_pull *p, const char *hash, const char *range, struct answer *a) {
  struct hf_kv rows[] = {{"Range", range}};
  struct hf_http_req req = {
      .struct_size = sizeof req, .headers = HF_TABLE(rows), .on_data = on_data, .on_data_arg = a, .max_body = 65536};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  char path[128];
  for (int v1 = atomic_load(&p->cas->only_v1);; v1 = 1) {
    a->len = 0;
    snprintf(path, sizeof path, "/%s/reconstructions/%.64s", v1 ? "v1" : "v2", hash);
    TRY(xet_cas_ask(c, p->cas, path, &req, &resp));
    if (v1 || (resp.status != 404 && resp.status != 501)) break;
    atomic_store(&p->cas->only_v1, true);
  }
  return resp.status == 200 || resp.status == 206 ? HF_OK : xet_cas_refused(c, "the reconstruction", &resp);
}

hf_status xet_recon_ask(hf_call *c, struct xet_pull *p, const char *hash, uint64_t off, uint64_t end,
                        struct xet_recon *out) {
  struct answer a = {0};
  char range[64];
  uint32_t failures = 0;
  hf_status st;
  snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, off, end - 1);
  *out = (struct xet_recon){0};
  while ((st = ask_once(c, p, hash, range, &a)) != HF_OK)
    if ((st = xet_cas_again(c, p->cas, &failures, st)) != HF_OK) break;
  const char *why = st == HF_OK ? xet_recon_read(a.text ? a.text : "", a.len, out) : NULL;
  free(a.text);
  if (!why) return st;
  xet_recon_free(out);
  return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s cannot be used: %s", p->path, why);
}

/* ---- addresses ---- */

/* A copy, since a renewal replaces them all. *seen: how many renewals it has behind it. */
static char *address(struct xet_block *b, uint32_t range, uint32_t *seen) {
  pthread_mutex_lock(&b->lock);
  *seen = b->renewals;
  char *url = strdup(b->recon.urls + b->recon.ranges[range].url);
  pthread_mutex_unlock(&b->lock);
  return url;
}

static bool same_ranges(const struct xet_recon *a, const struct xet_recon *b) {
  if (a->range_count != b->range_count) return false;
  for (uint32_t i = 0; i < a->range_count; i++) {
    const struct xet_range *x = &a->ranges[i], *y = &b->ranges[i];
    if (memcmp(&x->xorb, &y->xorb, sizeof x->xorb) != 0 || x->start != y->start || x->end != y->end ||
        x->first != y->first || x->last != y->last)
      return false;
  }
  return true;
}

/* Under lock. */
static hf_status ask_fresh(hf_call *c, struct xet_block *b) {
  struct xet_recon fresh;
  TRY(xet_recon_ask(c, b->pull, b->pull->hash, b->off, b->end, &fresh));
  if (!same_ranges(&fresh, &b->recon)) {
    xet_recon_free(&fresh);
    return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s changed while it was fetched", b->pull->path);
  }
  for (uint32_t i = 0; i < fresh.range_count; i++) b->recon.ranges[i].url = fresh.ranges[i].url;
  char *old = b->recon.urls;
  b->recon.urls = fresh.urls;
  fresh.urls = old;
  xet_recon_free(&fresh);
  b->renewals++;
  b->since_fresh = 0;
  return HF_OK;
}

/* HF_EAUTH: the fresh one was refused as well. */
static hf_status renew(hf_call *c, struct xet_block *b, uint32_t seen) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&b->lock);
  if (b->renewals == seen && seen && !b->since_fresh) {
    st = HF_EAUTH;
  } else {
    xet_host->clear(c);
    if (b->renewals == seen) st = ask_fresh(c, b);
  }
  pthread_mutex_unlock(&b->lock);
  return st;
}

/* ---- one range ---- */

/* Bytes [lo, hi) of the range, once. */
static hf_status get_once(hf_call *c, struct xet_block *b, uint32_t i, struct hf_sink *to, uint64_t lo, uint64_t hi,
                          uint32_t *seen) {
  struct xet_cas *cas = b->pull->cas;
  struct hf_kv rows[] = {{"X-Xet-Session-Id", cas->session_id}};
  char *url = address(b, i, seen);
  if (!url) return no_memory(c, b->pull);
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_NO_AUTH | HF_HTTP_BARE_PART,
                            .url = url,
                            .headers = HF_TABLE(rows),
                            .dst = to,
                            .dst_off = b->recon.ranges[i].first + lo,
                            .dst_len = hi - lo,
                            .max_redirects = 3};
  xet_cas_patience(cas, &req);
  hf_status st = xet_host->http(c, &req, NULL);
  free(url);
  return st;
}

/* An attempt failed: HF_OK, try again. moved: bytes that it brought. */
static hf_status once_more(hf_call *c, struct xet_block *b, hf_status st, uint32_t seen, uint64_t moved,
                           uint32_t *failures) {
  const struct hf_error *e = xet_host->error(c);
  if (moved) *failures = 0;
  if (e && e->code == HF_EAUTH && (e->http_status == 401 || e->http_status == 403)) {
    hf_status renewed = renew(c, b, seen);
    return renewed == HF_EAUTH ? st : renewed;
  }
  return xet_cas_again(c, b->pull->cas, failures, st);
}

static void count_fresh(struct xet_block *b, uint64_t bytes) {
  pthread_mutex_lock(&b->lock);
  b->since_fresh += bytes;
  pthread_mutex_unlock(&b->lock);
}

/* Until the stream has the whole range. Who moves forward may go on for as long as that takes. */
static hf_status receive(hf_call *c, struct xet_block *b, uint32_t i, struct xet_stream *x) {
  const struct xet_range *r = &b->recon.ranges[i];
  uint64_t total = r->last - r->first + 1;
  for (uint32_t failures = 0; x->consumed < total;) {
    uint32_t seen;
    uint64_t before = x->consumed;
    hf_status st = get_once(c, b, i, &x->s, before, total, &seen);
    count_fresh(b, x->consumed - before);
    if (st == HF_OK) break;
    if (x->damage || x->stuck) return st;
    xet_stream_again(x);
    TRY(once_more(c, b, st, seen, x->consumed - before, &failures));
  }
  return xet_stream_end(c, x);
}

hf_status xet_block_part(hf_call *c, struct xet_block *b, uint32_t i, struct hf_sink *to, const size_t *have,
                         uint64_t lo, uint64_t hi) {
  for (uint32_t failures = 0; *have < hi - lo;) {
    uint32_t seen;
    size_t before = *have;
    hf_status st = get_once(c, b, i, to, lo + before, hi, &seen);
    count_fresh(b, *have - before);
    if (st == HF_OK) break;
    TRY(once_more(c, b, st, seen, *have - before, &failures));
  }
  return *have == hi - lo ? HF_OK : xet_host->failf(c, HF_EPROTO, "a part of a xorb is shorter than announced");
}

static bool any_order(const struct xet_pull *p) {
  return p->sink->caps & HF_IO_ANY_ORDER;
}

/* Nothing of it is known to be right. */
static void forget(hf_call *c, struct xet_block *b, const struct xet_stream *x) {
  struct hf_sink *s = b->pull->sink;
  for (uint32_t i = 0; i < x->place_count && s->forget; i++)
    if (s->forget(c, s, x->places[i].off, x->places[i].raw) != HF_OK) return;
}

static hf_status from_wire(hf_call *c, struct xet_block *b, uint32_t i, struct xet_stream *x) {
  struct hf_buf buf;
  TRY(xet_host->buf_get(c, XET_STREAM_BYTES, &buf));
  xet_stream_begin(x, buf.data);
  hf_status st = receive(c, b, i, x);
  if (st != HF_OK && x->damage && xet_host->check(c) == HF_OK) {
    xet_host->log(c, HF_LOG_INFO, "%s: a xorb arrived damaged (%s) and is fetched once more", b->pull->path, x->damage);
    xet_host->clear(c);
    xet_stream_begin(x, buf.data);
    st = receive(c, b, i, x);
  }
  if (st != HF_OK && x->damage) forget(c, b, x);
  xet_host->buf_put(&buf);
  return st;
}

/* What comes goes into the cache too, where there is one. */
static void keep_begin(hf_call *c, struct xet_block *b, struct xet_stream *x) {
  uint64_t least = 0;
  if (!b->pull->cache) return;
  for (uint32_t i = 0; i < x->place_count; i++)
    if (x->places[i].raw > least) least = x->places[i].raw;
  x->keep = xet_keep_begin(c, b->pull->cache, &x->range->xorb, x->range->start, least);
  if (x->keep) xet_pull_touch(b->pull, &x->range->xorb);
}

/* The file did not take the bytes: that is no fault of whoever sent them. */
void xet_block_fault(hf_call *c, struct xet_block *b, const struct xet_stream *x) {
  if (!x->stuck || x->damage || xet_host->check(c) != HF_OK) return; /* canceled: somebody else's error counts */
  pthread_mutex_lock(&b->pull->lock);
  b->pull->own_fault = true;
  pthread_mutex_unlock(&b->pull->lock);
}

static hf_status fetch_places(hf_call *c, struct xet_block *b, uint32_t i, const struct xet_place *places, uint32_t n) {
  struct xet_cas *cas = b->pull->cas;
  bool done = false;
  struct xet_stream *x = calloc(1, sizeof *x);
  uint32_t *open = calloc(n, sizeof *open);
  hf_status st = x && open ? HF_OK : no_memory(c, b->pull);
  if (st == HF_OK) {
    *x = (struct xet_stream){.file = b->pull->sink,
                             .cas = cas,
                             .range = &b->recon.ranges[i],
                             .places = places,
                             .place_count = n,
                             .open = open,
                             .chunks = b->jobs[i].chunks};
    st = xet_hand_copy(c, b->pull, x, &done);
    if (st == HF_OK && !done) st = xet_cas_enter(c, cas);
    if (st == HF_OK && !done) {
      keep_begin(c, b, x);
      st = from_wire(c, b, i, x);
      xet_cas_leave(cas, st == HF_OK ? x->consumed : 0);
      xet_keep_end(x->keep, st == HF_OK);
    }
    if (st != HF_OK) xet_block_fault(c, b, x);
  }
  free(open);
  free(x);
  return st;
}

static hf_status fetch_range(hf_call *c, void *arg, uint32_t i) {
  struct xet_block *b = arg;
  struct xet_job *j = &b->jobs[i];
  return j->place_count ? fetch_places(c, b, i, j->places, j->place_count) : HF_OK;
}

/* ---- one block ---- */

static int by_start(const void *a, const void *b) {
  const struct xet_place *x = a, *y = b;
  return (x->start > y->start) - (x->start < y->start);
}

/* Terms to ranges: each range gets its places, in the order of their chunks. */
static hf_status share_out(hf_call *c, struct xet_block *b) {
  struct xet_recon *r = &b->recon;
  uint64_t off = b->off - r->skip;
  struct xet_place *all = b->jobs[r->range_count].places;
  uint64_t chunks = 0;
  for (uint32_t i = 0; i < r->term_count; i++) b->jobs[r->terms[i].range].place_count++;
  for (uint32_t i = 0; i < r->range_count; i++) {
    struct xet_job *j = &b->jobs[i];
    uint32_t n = r->ranges[i].end - r->ranges[i].start;
    j->places = all;
    all += j->place_count;
    if (!j->place_count) continue;
    j->place_count = 0;
    if ((chunks += n) > CHUNKS_MOST)
      return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s names more chunks than it can need",
                             b->pull->path);
    j->chunks.hashes = malloc(n * sizeof *j->chunks.hashes);
    j->chunks.at = calloc((size_t)n + 1, sizeof *j->chunks.at);
    if (!j->chunks.hashes || !j->chunks.at) return no_memory(c, b->pull);
  }
  for (uint32_t i = 0; i < r->term_count; i++) {
    const struct xet_term *t = &r->terms[i];
    struct xet_job *j = &b->jobs[t->range];
    j->places[j->place_count++] = (struct xet_place){.start = t->start, .end = t->end, .off = off, .raw = t->raw};
    off += t->raw;
  }
  for (uint32_t i = 0; i < r->range_count; i++)
    if (b->jobs[i].place_count > 1)
      qsort(b->jobs[i].places, b->jobs[i].place_count, sizeof(struct xet_place), by_start);
  return HF_OK;
}

static hf_status plan(hf_call *c, struct xet_block *b) {
  struct xet_recon *r = &b->recon;
  if (r->skip > b->off || r->raw - r->skip < b->end - b->off || r->raw - r->skip > b->pull->size - b->off)
    return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s does not cover it", b->pull->path);
  b->jobs = calloc((size_t)r->range_count + 1, sizeof *b->jobs);
  struct xet_place *all = calloc((size_t)r->term_count + 1, sizeof *all);
  if (!b->jobs || !all) {
    free(all);
    return no_memory(c, b->pull);
  }
  b->jobs[r->range_count].places = all; /* kept there so that it is freed */
  return share_out(c, b);
}

void xet_block_grow(struct xet_block *b, uint32_t term, uint64_t off) {
  struct xet_pull *p = b->pull;
  const struct xet_term *t = &b->recon.terms[term];
  const struct xet_chunks *k = &b->jobs[t->range].chunks;
  uint32_t base = b->recon.ranges[t->range].start;
  for (uint32_t n = t->start - base; n < t->end - base && p->tree_at != UINT64_MAX; n++) {
    uint32_t len = k->at[n + 1] - k->at[n];
    if (off == p->tree_at) {
      xet_merkle_add(&p->tree, &k->hashes[n], len);
      p->tree_at += len;
    } else if (off > p->tree_at) {
      p->tree_at = UINT64_MAX;
    }
    off += len;
  }
}

static void grow_tree(struct xet_block *b) {
  uint64_t off = b->off - b->recon.skip;
  for (uint32_t i = 0; i < b->recon.term_count; i++) {
    xet_block_grow(b, i, off);
    off += b->recon.terms[i].raw;
  }
}

static void block_free(struct xet_block *b) {
  if (b->jobs) {
    for (uint32_t i = 0; i < b->recon.range_count; i++) {
      free(b->jobs[i].chunks.hashes);
      free(b->jobs[i].chunks.at);
      free(b->jobs[i].packed);
    }
    free(b->jobs[b->recon.range_count].places);
    free(b->jobs);
  }
  xet_recon_free(&b->recon);
  pthread_mutex_destroy(&b->lock);
}

hf_status xet_block_fetch(hf_call *c, struct xet_pull *p, uint64_t off, uint64_t end) {
  struct xet_block b = {.pull = p, .off = off, .end = end};
  TRY(xet_recon_ask(c, p, p->hash, off, end, &b.recon));
  pthread_mutex_init(&b.lock, NULL);
  hf_status st = plan(c, &b);
  if (st == HF_OK && !any_order(p)) {
    st = xet_block_in_order(c, &b);
  } else if (st == HF_OK) {
    st = xet_host->parallel(c, b.recon.range_count, XET_DOWN_WIDTH, fetch_range, &b);
    if (st == HF_OK) grow_tree(&b);
  }
  block_free(&b);
  return st;
}
