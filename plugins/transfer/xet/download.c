/* download.c - the download half: a reconstruction per block of the file, every range of a xorb fetched once, chunks put where
 * they belong while they arrive, the file's own hash checked at the end.
 * Blocks grow from one to the next. A signed address that is refused is renewed once for all who wait. What goes wrong here
 * is another adapter's chance: bytes that are held stay held. */
#include "download.h"
#include "cas.h"
#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH_MOST = 16, FAILURES_MOST = 7 };
#define BLOCK_FIRST ((uint64_t)1 << 30)
#define BLOCK_MOST  ((uint64_t)8 << 30)
#define JSON_MOST   ((uint64_t)48 << 20)

struct job { /* one range */
  struct xet_place *places;
  uint32_t place_count;
  struct xet_hash *hashes;
  uint32_t *lens;
};

struct block {
  struct pull *pull;
  struct xet_wanted wanted; /* the gap */
  uint64_t end;             /* of what is asked for */
  struct xet_recon recon;
  struct job *jobs; /* by range */
  pthread_mutex_t lock;
  struct xet_recon *fresh; /* addresses that replaced the first ones, newest first; all kept until the block ends */
  uint32_t fresh_count;
  uint64_t since_fresh; /* bytes since the last renewal */
};

struct pull { /* one file */
  struct xet_cas *cas;
  struct hf_tr_file *file;
  struct hf_sink *sink;
  struct xet_merkle tree;
  uint64_t tree_at; /* bytes that are in it; UINT64_MAX: it has a hole */
};

/* ---- the reconstruction ---- */

static hf_status ask(hf_call *c, struct pull *p, uint64_t off, uint64_t end, struct xet_recon *out) {
  char path[128], range[64];
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  snprintf(range, sizeof range, "bytes=%" PRIu64 "-%" PRIu64, off, end - 1);
  struct hf_kv rows[] = {{"Range", range}};
  struct hf_http_req req = {.struct_size = sizeof req, .headers = HF_TABLE(rows), .max_body = JSON_MOST};
  *out = (struct xet_recon){0};
  for (int v1 = atomic_load(&p->cas->only_v1);; v1 = 1) {
    snprintf(path, sizeof path, "/%s/reconstructions/%.64s", v1 ? "v1" : "v2", p->file->xet_hash);
    TRY(xet_cas_ask(c, p->cas, path, &req, &resp));
    if (v1 || (resp.status != 404 && resp.status != 501)) break;
    atomic_store(&p->cas->only_v1, true);
  }
  if (resp.status != 200 && resp.status != 206) return xet_cas_refused(c, "the reconstruction", &resp);
  const char *why = xet_recon_read(resp.body, resp.body_len, out);
  if (why) {
    xet_recon_free(out);
    return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s cannot be used: %s", p->file->path, why);
  }
  return HF_OK;
}

/* ---- addresses ---- */

static const char *address(const struct block *b, uint32_t range) {
  const struct xet_recon *r = b->fresh_count ? &b->fresh[b->fresh_count - 1] : &b->recon;
  return r->urls + r->ranges[range].url;
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

/* HF_EAUTH: the fresh one was refused as well. */
static hf_status renew(hf_call *c, struct block *b, uint32_t seen) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&b->lock);
  if (b->fresh_count == seen) {
    if (seen && !b->since_fresh) {
      st = HF_EAUTH;
    } else {
      struct xet_recon fresh, *more = realloc(b->fresh, (seen + 1) * sizeof *more);
      xet_host->clear(c);
      if (more) b->fresh = more;
      st = more ? ask(c, b->pull, b->wanted.off, b->end, &fresh)
                : xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", b->pull->file->path);
      if (st == HF_OK && !same_ranges(&fresh, &b->recon)) {
        xet_recon_free(&fresh);
        st =
            xet_host->failf(c, HF_EPROTO, "the reconstruction of %s changed while it was fetched", b->pull->file->path);
      }
      if (st == HF_OK) {
        b->fresh[b->fresh_count++] = fresh;
        b->since_fresh = 0;
      }
    }
  } else {
    xet_host->clear(c);
  }
  pthread_mutex_unlock(&b->lock);
  return st;
}

/* ---- one range ---- */

static bool passes(const struct hf_error *e) {
  return e && (e->code == HF_ENET || e->code == HF_ETIMEDOUT || e->code == HF_ERATELIMIT ||
               (e->code == HF_EHTTP && e->retryable));
}

/* Until the stream has the whole range. Who moves forward may go on for as long as that takes. */
static hf_status receive(hf_call *c, struct block *b, uint32_t i, struct xet_stream *x) {
  struct xet_cas *cas = b->pull->cas;
  const struct xet_range *r = &b->recon.ranges[i];
  uint64_t total = r->last - r->first + 1;
  struct hf_kv rows[] = {{"X-Xet-Session-Id", cas->session_id}};
  for (uint32_t failures = 0; x->consumed < total;) {
    pthread_mutex_lock(&b->lock);
    uint32_t seen = b->fresh_count;
    const char *url = xet_host->intern(c, address(b, i), SIZE_MAX);
    pthread_mutex_unlock(&b->lock);
    if (!url) return HF_ENOMEM;
    uint64_t before = x->consumed;
    struct hf_http_req req = {.struct_size = sizeof req,
                              .flags = HF_HTTP_NO_AUTH | HF_HTTP_BARE_PART,
                              .url = url,
                              .headers = HF_TABLE(rows),
                              .dst = &x->s,
                              .dst_off = r->first + x->consumed,
                              .dst_len = total - x->consumed,
                              .max_redirects = 3};
    xet_cas_patience(cas, &req);
    hf_status st = xet_host->http(c, &req, NULL);
    atomic_fetch_add(&cas->bytes, x->consumed - before);
    pthread_mutex_lock(&b->lock);
    b->since_fresh += x->consumed - before;
    pthread_mutex_unlock(&b->lock);
    if (st == HF_OK) break;
    if (x->consumed > before) failures = 0;
    xet_stream_again(x);
    const struct hf_error *e = xet_host->error(c);
    if (xet_host->check(c) != HF_OK) return st;
    if (e && e->code == HF_EAUTH && (e->http_status == 401 || e->http_status == 403)) {
      hf_status renewed = renew(c, b, seen);
      if (renewed != HF_OK) return renewed == HF_EAUTH ? st : renewed;
      continue;
    }
    if (!passes(e) || !atomic_load(&cas->bytes) || ++failures > FAILURES_MOST) return st;
    uint32_t wish = e->retry_after_ms;
    xet_host->clear(c);
    TRY(xet_host->backoff(c, failures, wish));
  }
  return xet_stream_end(c, x);
}

static hf_status fetch_range(hf_call *c, void *arg, uint32_t i) {
  struct block *b = arg;
  struct job *j = &b->jobs[i];
  struct xet_cas *cas = b->pull->cas;
  if (!j->place_count) return HF_OK;
  struct xet_stream *x = calloc(1, sizeof *x);
  if (!x) return xet_host->failf(c, HF_ENOMEM, "no memory to fetch %s", b->pull->file->path);
  *x = (struct xet_stream){.file = b->pull->sink,
                           .range = &b->recon.ranges[i],
                           .wanted = b->wanted,
                           .places = j->places,
                           .place_count = j->place_count,
                           .hashes = j->hashes,
                           .lens = j->lens};
  hf_status st = xet_cas_enter(c, cas);
  if (st == HF_OK) {
    struct hf_buf buf;
    st = xet_host->buf_get(c, XET_STREAM_BYTES, &buf);
    if (st == HF_OK) {
      xet_stream_begin(x, buf.data);
      st = receive(c, b, i, x);
      xet_host->buf_put(&buf);
    }
    xet_cas_leave(cas, st == HF_OK ? x->consumed : 0);
  }
  free(x);
  return st;
}

/* ---- one block ---- */

static int by_start(const void *a, const void *b) {
  const struct xet_place *x = a, *y = b;
  return (x->start > y->start) - (x->start < y->start);
}

/* Terms to ranges: each range gets its places, in the order of their chunks. */
static hf_status plan(hf_call *c, struct block *b) {
  struct xet_recon *r = &b->recon;
  uint64_t off = b->wanted.off - r->skip;
  if (r->skip > b->wanted.off || r->raw - r->skip < b->end - b->wanted.off)
    return xet_host->failf(c, HF_EPROTO, "the reconstruction of %s does not cover it", b->pull->file->path);
  b->jobs = calloc((size_t)r->range_count + 1, sizeof *b->jobs);
  struct xet_place *all = calloc((size_t)r->term_count + 1, sizeof *all);
  if (!b->jobs || !all) {
    free(all);
    return xet_host->failf(c, HF_ENOMEM, "no memory to plan %s", b->pull->file->path);
  }
  b->jobs[r->range_count].places = all; /* kept there so that it is freed */
  for (uint32_t i = 0; i < r->term_count; i++) b->jobs[r->terms[i].range].place_count++;
  for (uint32_t i = 0; i < r->range_count; i++) {
    struct job *j = &b->jobs[i];
    uint32_t n = r->ranges[i].end - r->ranges[i].start;
    j->places = all;
    all += j->place_count;
    if (!j->place_count) continue;
    j->place_count = 0;
    j->hashes = malloc(n * sizeof *j->hashes);
    j->lens = malloc(n * sizeof *j->lens);
    if (!j->hashes || !j->lens) return xet_host->failf(c, HF_ENOMEM, "no memory to plan %s", b->pull->file->path);
  }
  for (uint32_t i = 0; i < r->term_count; i++) {
    const struct xet_term *t = &r->terms[i];
    struct job *j = &b->jobs[t->range];
    j->places[j->place_count++] = (struct xet_place){.start = t->start, .end = t->end, .off = off, .raw = t->raw};
    off += t->raw;
  }
  for (uint32_t i = 0; i < r->range_count; i++)
    if (b->jobs[i].place_count > 1)
      qsort(b->jobs[i].places, b->jobs[i].place_count, sizeof(struct xet_place), by_start);
  return HF_OK;
}

/* Chunk hashes of the block's terms, in the order of the file. */
static void grow_tree(struct block *b) {
  struct pull *p = b->pull;
  uint64_t off = b->wanted.off - b->recon.skip;
  for (uint32_t i = 0; i < b->recon.term_count && p->tree_at != UINT64_MAX; i++) {
    const struct xet_term *t = &b->recon.terms[i];
    const struct job *j = &b->jobs[t->range];
    uint32_t base = b->recon.ranges[t->range].start;
    for (uint32_t k = t->start; k < t->end; k++) {
      uint32_t len = j->lens[k - base];
      if (off == p->tree_at) {
        xet_merkle_add(&p->tree, &j->hashes[k - base], len);
        p->tree_at += len;
      } else if (off > p->tree_at) {
        p->tree_at = UINT64_MAX;
        return;
      }
      off += len;
    }
  }
}

static void block_free(struct block *b) {
  if (b->jobs) {
    for (uint32_t i = 0; i < b->recon.range_count; i++) {
      free(b->jobs[i].hashes);
      free(b->jobs[i].lens);
    }
    free(b->jobs[b->recon.range_count].places);
    free(b->jobs);
  }
  for (uint32_t i = 0; i < b->fresh_count; i++) xet_recon_free(&b->fresh[i]);
  free(b->fresh);
  xet_recon_free(&b->recon);
  pthread_mutex_destroy(&b->lock);
}

static hf_status fetch_block(hf_call *c, struct pull *p, const struct hf_range *gap, uint64_t most) {
  struct block b = {
      .pull = p, .wanted = {gap->off, gap->off + gap->len}, .end = gap->off + (gap->len < most ? gap->len : most)};
  TRY(ask(c, p, b.wanted.off, b.end, &b.recon));
  pthread_mutex_init(&b.lock, NULL);
  hf_status st = plan(c, &b);
  if (st == HF_OK) st = xet_host->parallel(c, b.recon.range_count, WIDTH_MOST, fetch_range, &b);
  if (st == HF_OK) grow_tree(&b);
  block_free(&b);
  return st;
}

/* ---- one file ---- */

static hf_status check_file(hf_call *c, struct pull *p) {
  struct xet_hash sum, file;
  char text[65];
  if (p->tree_at != p->file->size) return HF_OK; /* a resumed one: the host's digest decides */
  uint64_t chunks = p->tree.total;
  xet_merkle_end(&p->tree, &sum);
  xet_file_hash(&sum, chunks, &file);
  xet_hash_print(&file, text);
  if (!strcmp(text, p->file->xet_hash)) return HF_OK;
  xet_cas_give_up(p->cas);
  return xet_host->failf(c, HF_EDIGEST, "%s arrived complete and with another Xet hash", p->file->path);
}

static hf_status pull_file(hf_call *c, struct pull *p) {
  uint64_t most = BLOCK_FIRST, before = UINT64_MAX;
  for (;;) {
    struct hf_range gap;
    uint32_t n = 1;
    TRY(p->sink->missing(c, p->sink, &gap, &n));
    if (!n) return check_file(c, p);
    if (gap.off == before) return xet_host->failf(c, HF_EPROTO, "%s does not arrive", p->file->path);
    before = gap.off;
    if (gap.off > p->tree_at) p->tree_at = UINT64_MAX;
    TRY(fetch_block(c, p, &gap, most));
    if (most < BLOCK_MOST) most *= 2;
  }
}

/* Errors that have nothing to do with Xet stay; others tell the host that another way may work. */
static hf_status explain(hf_call *c, struct pull *p, hf_status st) {
  if (xet_host->check(c) != HF_OK) return st;
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
  snprintf(text, sizeof text, "%s does not come by Xet: %.300s", p->file->path,
           e && e->message ? e->message : "unknown");
  if (!atomic_load(&p->cas->bytes)) xet_cas_give_up(p->cas);
  xet_host->clear(c);
  return xet_host->failf(c, HF_EPROTO, "%s", text);
}

hf_status xet_download_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  struct xet_cas *s = calloc(1, sizeof *s);
  if (!s) return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  hf_status st = xet_cas_init(c, s, batch, "fixed_download_concurrency", WIDTH_MOST);
  if (st == HF_OK)
    *session = s;
  else
    free(s);
  return st;
}

hf_status xet_download_run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct pull p = {.cas = session, .file = file, .sink = file->sink};
  struct xet_hash hash;
  if (!file->xet_hash || !xet_hash_read(file->xet_hash, &hash) || file->size == HF_SIZE_UNKNOWN)
    return xet_host->failf(c, HF_ENOSYS, "%s is not stored by Xet", file->path);
  TRY(xet_cas_usable(c, p.cas));
  TRY(p.sink->set_size(c, p.sink, file->size));
  xet_merkle_init(&p.tree);
  hf_status st = pull_file(c, &p);
  return st == HF_OK ? st : explain(c, &p, st);
}

void xet_download_close(void *session) {
  xet_cas_free(session);
  free(session);
}
