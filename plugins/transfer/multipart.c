/* multipart.c - fetches parts of a large file over several connections at once, as many as pay: it tries one, four, eight and
 * sixteen for a few parts each and stays with the smallest number that is not clearly beaten, so a connection that fills
 * the line already is left alone. Small files take one plain request. What a server without ranges leaves, basic fetches.
 * Uploads several parts at once where the server asks for parts. */
#include <hf/plugin.h>
#include <hf/transfer.h>
#include <pthread.h>
#include <time.h>

static const struct hf_host *H;
#include "parts.h"

#define MIB ((uint64_t)1 << 20)
enum {
  REDIRECTS = 10,
  GAPS = 64, /* missing ranges that are looked at in one go */
  SCORE_LARGE = 80,
  SCORE_SMALL = 40,
  WIDTH_FIRST = 4, /* after the probe */
  WIDTH_MOST = 16,
  WIDTH_PUSH = 4, /* parts that are sent at once */
  GATE_BYTES = 4096,
  GATE_TICK_NS = 50000000
};
#define GATE_NS ((uint64_t)30 * 1000000000)
#define LARGE \
  (64 *       \
   MIB) /* below that one request is what the reference makes, and files of a snapshot are fetched side by side anyway */
#define PROBE       (4 * MIB)
#define PROBE_AGAIN (32 * MIB) /* now that everything is warm */
#define SLOW        10e6       /* bytes per second: no use in probing again */
#define FAST        200e6
#define ENOUGH      400e6     /* hashing and writing are the limit by then */
#define TRY_LEAST   (8 * MIB) /* per connection of a wider try */
#define PART_LEAST  (4 * MIB)
#define PART_MOST   (32 * MIB)
#define STEADY      (4096 * MIB) /* bytes at one width before others are tried again */
#define GAIN        1.25         /* a wider try must be so much faster */
#define GAIN_FAST   1.6          /* where more connections cost much and seldom help: above FAST */

static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  return HF_OK;
}

static int32_t multipart_score(hf_call *c, const struct hf_tr_batch *batch) {
  (void)c;
  for (uint32_t i = 0; i < batch->count; i++) {
    if (batch->direction == HF_TR_UPLOAD && batch->files[i]->parts.count) return SCORE_LARGE;
    if (batch->direction == HF_TR_DOWNLOAD && batch->files[i]->size >= LARGE) return SCORE_LARGE; /* or unknown */
  }
  return SCORE_SMALL;
}

static hf_status multipart_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  (void)c;
  *session = (void *)(uintptr_t)batch;
  return HF_OK;
}

/* One file on its way. */
struct pull {
  const struct hf_tr_batch *batch;
  struct hf_tr_file *file;
  struct hf_sink *sink;
  pthread_mutex_t lock;
  const char *url;    /* where parts come from: behind the redirects, once they are known */
  uint32_t url_age;   /* how often it was replaced */
  uint64_t url_bytes; /* fetched from it */
  struct hf_range gaps[GAPS];
  uint32_t gap, gap_count;
  uint64_t part, quota; /* of this round */
};

/* A signed address expires. The first part that notices asks for a fresh one, the others wait for it and use it. */
static hf_status renew(hf_call *c, struct pull *p, uint32_t age) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&p->lock);
  if (p->url_age == age) {
    if (p->url_age > 0 && p->url_bytes == 0) { /* the fresh one is refused as well */
      st = HF_EAUTH;
    } else {
      const char *url = p->file->url;
      H->clear(c);
      if (p->batch->refresh) st = p->batch->refresh(c, p->batch, p->file, &url);
      p->url = url;
      p->url_age++;
      p->url_bytes = 0;
    }
  } else {
    H->clear(c);
  }
  pthread_mutex_unlock(&p->lock);
  return st;
}

/* Cuts off the front of a part that arrived before its request failed. */
static hf_status still_missing(hf_call *c, struct pull *p, uint64_t *off, uint64_t *len) {
  struct hf_range gaps[GAPS];
  uint32_t n = GAPS;
  if (*len == HF_SIZE_UNKNOWN) return HF_OK;
  hf_status st = p->sink->missing(c, p->sink, gaps, &n);
  if (st != HF_OK || n == GAPS) return st;
  uint64_t end = *off + *len;
  for (uint32_t i = 0; i < n; i++) {
    if (gaps[i].off + gaps[i].len <= *off) continue;
    if (gaps[i].off >= end) break;
    if (gaps[i].off > *off) *off = gaps[i].off;
    *len = end - *off;
    return HF_OK;
  }
  *len = 0;
  return HF_OK;
}

static hf_status get(hf_call *c, struct pull *p, uint64_t off, uint64_t len) {
  for (;;) {
    pthread_mutex_lock(&p->lock);
    uint32_t age = p->url_age;
    const char *url = p->url;
    pthread_mutex_unlock(&p->lock);
    struct hf_http_resp resp = {.struct_size = sizeof resp};
    struct hf_http_req req = {.struct_size = sizeof req,
                              .url = url,
                              .dst = p->sink,
                              .dst_off = off,
                              .dst_len = len,
                              .max_redirects = REDIRECTS};
    hf_status st = H->http(c, &req, &resp);
    if (st == HF_OK) {
      pthread_mutex_lock(&p->lock);
      if (p->url_age == age && resp.redirects && resp.url) p->url = resp.url;
      p->url_bytes += len;
      pthread_mutex_unlock(&p->lock);
      return HF_OK;
    }
    if (!refused(c, p->batch)) return st;
    hf_status renewed = renew(c, p, age);
    if (renewed == HF_EAUTH) return st;
    if (renewed != HF_OK) return renewed;
    st = still_missing(c, p, &off, &len);
    if (st != HF_OK || len == 0) return st;
  }
}

/* The next part of this round; 0: none left. */
static uint64_t next_part(struct pull *p, uint64_t *off) {
  uint64_t len = 0;
  pthread_mutex_lock(&p->lock);
  if (p->gap < p->gap_count && p->quota) {
    struct hf_range *g = &p->gaps[p->gap];
    len = g->len < p->part ? g->len : p->part;
    if (g->len - len < PART_LEAST / 4) len = g->len; /* no crumbs */
    *off = g->off;
    g->off += len;
    g->len -= len;
    if (g->len == 0) p->gap++;
    p->quota -= len < p->quota ? len : p->quota;
  }
  pthread_mutex_unlock(&p->lock);
  return len;
}

static hf_status fetch_parts(hf_call *c, void *arg, uint32_t worker) {
  struct pull *p = arg;
  uint64_t off, len;
  (void)worker;
  while ((len = next_part(p, &off))) {
    hf_status st = get(c, p, off, len);
    if (st != HF_OK) return st;
  }
  return HF_OK;
}

/* Up to `quota` missing bytes over `width` connections. *rate: bytes per second; *done: nothing is missing any more. */
static hf_status round_of(hf_call *c, struct pull *p, uint32_t width, uint64_t quota, double *rate, int *done) {
  uint64_t left = 0, off;
  p->gap = 0;
  p->gap_count = GAPS;
  hf_status st = p->sink->missing(c, p->sink, p->gaps, &p->gap_count);
  *done = p->gap_count == 0;
  if (st != HF_OK || *done) return st;
  for (uint32_t i = 0; i < p->gap_count; i++) left += p->gaps[i].len;
  p->quota = quota < left ? quota : left;
  p->part = width == 1 ? p->quota : p->quota / (2 * width);
  if (p->part < PART_LEAST && width > 1) p->part = PART_LEAST;
  if (p->part > PART_MOST && width > 1) p->part = PART_MOST;
  uint64_t began = H->now_ns(), bytes = p->quota;
  if (width == 1) {
    uint64_t len = next_part(p, &off);
    bytes = len;
    st = get(c, p, off, len);
  } else {
    st = H->parallel(c, width, width, fetch_parts, p);
  }
  uint64_t ns = H->now_ns() - began;
  *rate = (double)bytes * 1e9 / (double)(ns ? ns : 1);
  return st;
}

static hf_status pull_wide(hf_call *c, struct pull *p) {
  double best = 0, rate;
  uint32_t width = 1, best_width = 1;
  int done = 0;
  hf_status st = round_of(c, p, 1, PROBE, &best, &done);
  if (st == HF_OK && !done && best >= SLOW) st = round_of(c, p, 1, PROBE_AGAIN, &best, &done);
  while (st == HF_OK && !done) {
    width = best_width < WIDTH_FIRST ? WIDTH_FIRST : best_width * 2;
    if (best >= ENOUGH) width = WIDTH_MOST + 1;
    if (width <= WIDTH_MOST) st = round_of(c, p, width, width * TRY_LEAST, &rate, &done);
    if (st != HF_OK || done) break;
    if (width <= WIDTH_MOST && rate > best * (best < FAST ? GAIN : GAIN_FAST)) {
      best = rate;
      best_width = width;
      continue;
    }
    st = round_of(c, p, best_width, STEADY, &best, &done);
  }
  return st;
}

/* A small file, or a sink that takes bytes in order only. */
static hf_status pull_straight(hf_call *c, struct pull *p) {
  struct hf_range r;
  for (uint32_t n = 1;; n = 1) {
    hf_status st = p->sink->missing(c, p->sink, &r, &n);
    if (st != HF_OK || n == 0) return st;
    st = get(c, p, r.off, r.len);
    if (st != HF_OK) return st;
    if (r.len != HF_SIZE_UNKNOWN) continue;
    n = 1;
    st = p->sink->missing(c, p->sink, &r, &n);
    return st != HF_OK || n == 0 || r.len != HF_SIZE_UNKNOWN ? st : p->sink->set_size(c, p->sink, r.off);
  }
}

/* Parts are sent side by side but completed one after the other: the last bytes of a part leave when the part before is
 * noted. So a process that is killed leaves at most one part that the server has and nobody knows of. A server that takes
 * very long over one part is not waited for. */
struct gate {
  struct push push; /* first */
  pthread_mutex_t lock;
  pthread_cond_t opened;
  uint32_t inside; /* part + 1; 0: nobody */
};

struct gated {        /* the source of one part */
  struct hf_source s; /* first */
  struct gate *gate;
  uint32_t part;
  uint64_t begin, last; /* last: where the bytes begin that complete it */
};

static void gate_leave(struct gate *g, uint32_t part) {
  pthread_mutex_lock(&g->lock);
  if (g->inside == part + 1) {
    g->inside = 0;
    pthread_cond_broadcast(&g->opened);
  }
  pthread_mutex_unlock(&g->lock);
}

static hf_status gate_enter(hf_call *c, struct gate *g, uint32_t part) {
  hf_status st = HF_OK;
  uint64_t until = H->now_ns() + GATE_NS;
  pthread_mutex_lock(&g->lock);
  while (g->inside && g->inside != part + 1 && st == HF_OK && H->now_ns() < until) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += GATE_TICK_NS;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&g->opened, &g->lock, &t);
    st = H->check(c);
  }
  if (st == HF_OK) g->inside = part + 1;
  pthread_mutex_unlock(&g->lock);
  return st;
}

static hf_status gated_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct gated *p = (struct gated *)s;
  struct hf_source *raw = p->gate->push.file->source;
  *got = 0;
  if (off == p->begin) gate_leave(p->gate, p->part); /* once more */
  if (off < p->last) {
    if (len > p->last - off) len = (size_t)(p->last - off);
  } else {
    hf_status st = gate_enter(c, p->gate, p->part);
    if (st != HF_OK) return st;
  }
  return raw->pread(c, raw, buf, len, off, got);
}

static hf_status push_nth(hf_call *c, void *arg, uint32_t i) {
  struct gate *g = arg;
  struct hf_tr_part part = push_part(&g->push, i);
  struct gated from = {.s = *g->push.file->source,
                       .gate = g,
                       .part = i,
                       .begin = part.off,
                       .last = part.off + (part.len > GATE_BYTES ? part.len - GATE_BYTES : 0)};
  from.s.pread = gated_pread;
  hf_status st = push_one(c, &g->push, i, &from.s);
  gate_leave(g, i);
  return st;
}

static hf_status push(hf_call *c, const struct hf_tr_batch *batch, struct hf_tr_file *file) {
  struct gate g = {.push = {.batch = batch, .file = file}};
  if (!file->parts.count) return push_whole(c, file);
  hf_status st = push_begin(c, &g.push);
  if (st != HF_OK) return st;
  pthread_mutex_init(&g.lock, NULL);
  pthread_cond_init(&g.opened, NULL);
  st = H->parallel(c, file->parts.count, WIDTH_PUSH, push_nth, &g);
  pthread_cond_destroy(&g.opened);
  pthread_mutex_destroy(&g.lock);
  return st == HF_OK ? push_end(c, &g.push) : st;
}

static hf_status multipart_run(hf_call *c, void *session, struct hf_tr_file *file) {
  const struct hf_tr_batch *batch = session;
  if (batch->direction == HF_TR_UPLOAD && file->source && (file->url || file->parts.count)) return push(c, batch, file);
  struct pull p = {.batch = session, .file = file, .sink = file->sink, .url = file->url};
  if (!file->sink || !file->url) return H->failf(c, HF_EINVAL, "%s has no sink or no address", file->path);
  int wide = p.sink->size != HF_SIZE_UNKNOWN && p.sink->size >= LARGE && (p.sink->caps & HF_IO_ANY_ORDER);
  pthread_mutex_init(&p.lock, NULL);
  hf_status st = wide ? pull_wide(c, &p) : pull_straight(c, &p);
  pthread_mutex_destroy(&p.lock);
  return st;
}

static hf_status multipart_finish(hf_call *c, void *session) {
  (void)c;
  (void)session;
  return HF_OK;
}

static void multipart_close(void *session) {
  (void)session;
}

static const struct hf_transfer multipart = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "multipart", "parts of large files over several connections",
                   HF_THREADS_ANY, 20, HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RANGES | HF_TR_RESUME),
    .score = multipart_score,
    .open = multipart_open,
    .run = multipart_run,
    .finish = multipart_finish,
    .close = multipart_close};

static const struct hf_module *const modules[] = {&multipart.m};
HF_PLUGIN("multipart", "0.1.0", "Apache-2.0", "transfer adapter: parts of large files over several connections", load,
          NULL, modules,
          {HF_KIND_TRANSFER, 20, HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RANGES | HF_TR_RESUME, "multipart", ""});
