/* upload.c - a file on its way in: pieces are read and cut in order, hashed and packed by whoever is free, and decided in
 * order: what is known becomes a term, what is new gets a slot in the open xorb. Full xorbs are carried away by the same
 * workers while reading goes on.
 * A run of known chunks that is too short is stored again rather than scatter the file. */
#include "upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PIECE = 4 << 20, PIECE_CHUNKS = PIECE / XET_CHUNK_MIN + 8, RUN_LEAST = 8, WIDTH_MOST = 16, WORKERS = 4 };
enum { BODIES = 5, QUERIES_SMALL = 64, QUERY_SPACING = 256, ALL_SAME = 32 };

struct piece {
  uint8_t *data;
  uint32_t count;
  uint32_t len[PIECE_CHUNKS];
  struct xet_hash hash[PIECE_CHUNKS];
  struct { /* new chunks: where they are packed to */
    struct xorb *xorb;
    uint32_t slot;
  } to[PIECE_CHUNKS];
  uint64_t number;
};

struct intake { /* one file */
  struct xet_upload *u;
  struct hf_tr_file *file;
  pthread_mutex_t lock; /* reading: one at a time */
  size_t room;          /* bytes read for a piece */
  uint8_t *rest;        /* of an open chunk */
  uint32_t rest_len;
  struct xet_chunker cutter;
  uint64_t at, pieces; /* read, handed out */
  bool end;
  hf_digester *sha;
  struct xet_merkle tree;
  uint64_t decided; /* pieces */
  uint64_t last_query;
  struct xet_sent_file *sent;
  hf_status failed;
};

/* ---- xorbs ---- */

static struct xorb *append_xorb(struct xet_upload *u, bool ours) {
  struct xorb *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  x->ours = ours;
  if (u->last)
    u->last->next = x;
  else
    u->first = x;
  u->last = x;
  return x;
}

static struct xorb *foreign(void *arg, const struct xet_hash *hash) {
  struct xorb *x = append_xorb(arg, false);
  if (x) {
    x->hash = *hash;
    x->state = XORB_THERE;
  }
  return x;
}

static void free_body(struct xet_upload *u, struct hf_buf *body) {
  if (u->own_memory)
    free(body->data);
  else if (body->data)
    xet_host->buf_put(body);
  *body = (struct hf_buf){0};
}

static hf_status get_body(hf_call *c, struct xet_upload *u, struct hf_buf *body) {
  size_t size = u->fill + XET_RECORD_HEAD * (size_t)XET_XORB_CHUNKS_MAX;
  *body = (struct hf_buf){0};
  if (!u->own_memory) return xet_host->buf_get(c, size, body);
  body->data = malloc(size);
  return body->data ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
}

static uint32_t room_left(const struct xet_upload *u) {
  uint32_t bytes = u->open ? u->fill - u->open->raw : 0, slots = u->open ? XET_XORB_CHUNKS_MAX - u->open->count : 0;
  return slots < PIECE_CHUNKS ? 0 : bytes;
}

static void wait_a_little(struct xet_upload *u) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  t.tv_nsec += 50000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  pthread_cond_timedwait(&u->changed, &u->lock, &t);
}

/* Under lock, which is given up meanwhile: room for so many bytes before the first slot is taken, so that nobody waits for
 * memory while a xorb waits for him. Who waits carries away what is full. */
static hf_status reserve(hf_call *c, struct xet_upload *u, uint32_t raw) {
  while (room_left(u) < raw && !u->spare.data) {
    bool any = false, mine = !u->opening;
    if (room_left(u) < XET_CHUNK_MAX && u->open) {
      u->open->state = XORB_FULL;
      u->open = NULL;
    }
    pthread_mutex_unlock(&u->lock);
    hf_status st = xet_host->check(c);
    if (st == HF_OK) st = xet_carry_one(c, u, &any);
    pthread_mutex_lock(&u->lock);
    if (st != HF_OK) return st;
    if (any) continue;
    if (!mine || u->opening) {
      if (u->opening) wait_a_little(u);
      continue;
    }
    u->opening = true;
    pthread_mutex_unlock(&u->lock);
    struct hf_buf body;
    st = get_body(c, u, &body);
    pthread_mutex_lock(&u->lock);
    u->opening = false;
    pthread_cond_broadcast(&u->changed);
    if (st != HF_OK) return st;
    if (u->spare.data)
      free_body(u, &body);
    else
      u->spare = body;
  }
  return HF_OK;
}

/* Under lock: an open xorb with room for the chunk, which was reserved. */
static hf_status open_xorb(hf_call *c, struct xet_upload *u, uint32_t raw) {
  if (u->open && (u->open->count == XET_XORB_CHUNKS_MAX || u->open->raw + raw > u->fill)) {
    u->open->state = XORB_FULL;
    u->open = NULL;
  }
  if (u->open) return HF_OK;
  struct xorb *x = u->spare.data ? append_xorb(u, true) : NULL;
  if (!x) return xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
  x->body = u->spare;
  u->spare = (struct hf_buf){0};
  u->waiting++;
  u->open = x;
  return HF_OK;
}

static hf_status new_slot(hf_call *c, struct xet_upload *u, const struct xet_hash *hash, uint32_t raw,
                          struct known_at *at) {
  TRY(open_xorb(c, u, raw));
  struct xorb *x = u->open;
  if (x->count == x->room) {
    uint32_t room = x->room ? x->room * 2 : 256;
    struct xorb_slot *more = realloc(x->slots, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
    x->slots = more;
    x->room = room;
  }
  x->slots[x->count] = (struct xorb_slot){.hash = *hash, .raw = raw, .at = x->raw + XET_RECORD_HEAD * x->count};
  *at = (struct known_at){x, x->count, raw};
  x->count++;
  x->raw += raw;
  x->unpacked++;
  return xet_known_add(u->known, hash, at) ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory for the index of chunks");
}

/* ---- what the file is made of ---- */

static hf_status add_term(hf_call *c, struct xet_sent_file *f, const struct known_at *at) {
  struct xet_piece_term *last = f->term_count ? &f->terms[f->term_count - 1] : NULL;
  if (last && last->xorb == at->xorb && last->end == at->index && last->raw <= XET_XORB_RAW_MAX - at->raw) {
    last->end++;
    last->raw += at->raw;
    return HF_OK;
  }
  if (f->term_count == f->term_room) {
    uint32_t room = f->term_room ? f->term_room * 2 : 8;
    struct xet_piece_term *more = realloc(f->terms, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for the terms of a file");
    f->terms = more;
    f->term_room = room;
  }
  f->terms[f->term_count++] = (struct xet_piece_term){at->xorb, at->index, at->index + 1, at->raw};
  return HF_OK;
}

static hf_status keep_hashes(hf_call *c, struct xet_sent_file *f, const struct piece *p) {
  if (f->chunk_count + p->count > f->chunk_room) {
    uint64_t room = f->chunk_room * 2 > f->chunk_count + p->count ? f->chunk_room * 2 : f->chunk_count + p->count;
    struct xet_hash *more = realloc(f->chunks, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for the chunks of a file");
    f->chunks = more;
    f->chunk_room = room;
  }
  if (p->count) memcpy(f->chunks + f->chunk_count, p->hash, p->count * sizeof *p->hash);
  f->chunk_count += p->count;
  return HF_OK;
}

/* Chunks from i on that lie one behind the other in the same xorb. */
static uint32_t known_run(struct xet_upload *u, const struct piece *p, uint32_t i, struct known_at *first) {
  struct known_at at;
  uint32_t n = 0;
  if (!xet_known_find(u->known, &p->hash[i], first) || first->raw != p->len[i]) return 0;
  for (n = 1; i + n < p->count && n < ALL_SAME; n++)
    if (!xet_known_find(u->known, &p->hash[i + n], &at) || at.xorb != first->xorb || at.index != first->index + n ||
        at.raw != p->len[i + n])
      break;
  return n;
}

/* Worth it: it goes on where the last term ends, or is long, or the file is in few pieces so far. */
static bool worth(const struct xet_sent_file *f, uint64_t chunks, const struct known_at *at, uint32_t run) {
  const struct xet_piece_term *last = f->term_count ? &f->terms[f->term_count - 1] : NULL;
  if (!last || run >= RUN_LEAST) return true;
  if (last->xorb == at->xorb && last->end == at->index) return true;
  return chunks >= (uint64_t)RUN_LEAST * f->term_count;
}

/* Under lock. */
static hf_status decide(hf_call *c, struct intake *in, struct piece *p) {
  struct xet_upload *u = in->u;
  uint64_t base = in->sent->chunk_count;
  uint32_t raw = 0;
  for (uint32_t i = 0; i < p->count; i++) raw += p->len[i];
  TRY(reserve(c, u, raw));
  TRY(keep_hashes(c, in->sent, p));
  for (uint32_t i = 0; i < p->count;) {
    struct known_at at;
    uint32_t run = known_run(u, p, i, &at);
    bool take = run && worth(in->sent, base + i, &at, run);
    for (uint32_t k = 0; k < (take ? run : 1); k++, i++) {
      p->to[i].xorb = NULL;
      if (!take) {
        TRY(new_slot(c, u, &p->hash[i], p->len[i], &at));
        p->to[i].xorb = at.xorb;
        p->to[i].slot = at.index;
      }
      TRY(add_term(c, in->sent, &at));
      xet_merkle_add(&in->tree, &p->hash[i], p->len[i]);
      if (take) {
        at.index++;
        if (k + 1 < run) at.raw = p->len[i + 1];
      }
    }
  }
  return HF_OK;
}

/* ---- the global index ---- */

static hf_status query(hf_call *c, struct intake *in, const struct xet_hash *h) {
  struct xet_upload *u = in->u;
  char path[128], text[65];
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  struct hf_http_req req = {.struct_size = sizeof req, .tries = 1, .max_body = XET_SHARD_MAX};
  xet_hash_print(h, text);
  snprintf(path, sizeof path, "/v1/chunks/default/%s", text);
  hf_status st = xet_cas_ask(c, &u->cas, path, &req, &resp);
  if (st != HF_OK) { /* it saves bytes, no more */
    if (xet_host->check(c) != HF_OK) return st;
    xet_host->clear(c);
    return HF_OK;
  }
  if (resp.status != 200) return HF_OK;
  pthread_mutex_lock(&u->lock);
  xet_known_shard(u->known, resp.body, resp.body_len, foreign, u);
  pthread_mutex_unlock(&u->lock);
  return HF_OK;
}

/* Questions about small files: so many a minute, whatever the number of sessions. */
static bool allowance(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static uint64_t began;
  static uint32_t asked;
  pthread_mutex_lock(&lock);
  uint64_t now = xet_host->now_ns();
  if (!began || now - began > UINT64_C(60000000000)) {
    began = now;
    asked = 0;
  }
  bool may = asked < QUERIES_SMALL;
  asked += may;
  pthread_mutex_unlock(&lock);
  return may;
}

/* The first chunk of a file and those whose hash says so, well apart; small files share an allowance. */
static hf_status query_piece(hf_call *c, struct intake *in, const struct piece *p, uint64_t first) {
  struct xet_upload *u = in->u;
  for (uint32_t i = 0; i < p->count; i++) {
    uint64_t number = first + i;
    bool ask = number == 0 || (xet_is_global(&p->hash[i]) && number >= in->last_query + QUERY_SPACING);
    struct known_at at;
    if (!ask) continue;
    pthread_mutex_lock(&u->lock);
    ask = !xet_known_find(u->known, &p->hash[i], &at);
    pthread_mutex_unlock(&u->lock);
    if (!ask || (in->file->source->size < PIECE && !allowance())) continue;
    in->last_query = number;
    TRY(query(c, in, &p->hash[i]));
  }
  return HF_OK;
}

/* ---- pieces ---- */

/* Reads and cuts the next piece; 1: there was one. Under the file's lock. */
static hf_status read_piece(hf_call *c, struct intake *in, struct piece *p, bool *any) {
  struct hf_source *src = in->file->source;
  size_t have = in->rest_len, got = 0;
  p->count = 0;
  *any = !in->end;
  if (in->end) return HF_OK;
  memcpy(p->data, in->rest, have);
  while (have < in->rest_len + in->room) {
    TRY(src->pread(c, src, p->data + have, in->rest_len + in->room - have, in->at, &got));
    if (!got) break;
    in->at += got;
    have += got;
  }
  if (in->sha) xet_host->digest_add(in->sha, p->data + in->rest_len, have - in->rest_len);
  in->end = have < in->rest_len + in->room || in->at == src->size;
  size_t scanned = in->rest_len, start = 0;
  while (scanned < have) {
    int cut;
    scanned += xet_chunk_feed(&in->cutter, p->data + scanned, have - scanned, &cut);
    if (!cut && !in->end) break;
    p->len[p->count++] = (uint32_t)(scanned - start);
    start = scanned;
  }
  if (in->end && start < have) p->len[p->count++] = (uint32_t)(have - start);
  in->rest_len = in->end ? 0 : (uint32_t)(have - start);
  memcpy(in->rest, p->data + start, in->rest_len);
  p->number = in->pieces++;
  return HF_OK;
}

static void hash_piece(struct piece *p) {
  const void *data[64] = {NULL};
  size_t len[64] = {0};
  const uint8_t *at = p->data;
  for (uint32_t i = 0; i < p->count;) {
    uint32_t n = 0;
    for (; n < 64 && i + n < p->count; n++) {
      data[n] = at;
      len[n] = p->len[i + n];
      at += len[n];
    }
    xet_blake3_batch(&xet_key_data, data, len, n, p->hash + i);
    i += n;
  }
}

/* Waits until the pieces before it are decided. */
static hf_status in_turn(hf_call *c, struct intake *in, struct piece *p) {
  struct xet_upload *u = in->u;
  hf_status st = HF_OK;
  pthread_mutex_lock(&u->lock);
  while (in->decided != p->number && st == HF_OK) {
    if (in->failed != HF_OK) st = HF_ECANCELED;
    if (st == HF_OK) pthread_cond_wait(&u->changed, &u->lock);
  }
  uint64_t first = in->sent->chunk_count;
  pthread_mutex_unlock(&u->lock);
  if (st == HF_OK) st = query_piece(c, in, p, first);
  pthread_mutex_lock(&u->lock);
  if (st == HF_OK) st = decide(c, in, p);
  if (st == HF_OK)
    in->decided++;
  else
    in->failed = st;
  pthread_cond_broadcast(&u->changed);
  pthread_mutex_unlock(&u->lock);
  return st;
}

static void pack_piece(struct intake *in, struct piece *p, uint8_t *state) {
  struct xet_upload *u = in->u;
  const uint8_t *at = p->data;
  uint32_t scheme = XET_NONE;
  struct xorb *x = NULL;
  uint32_t packed = 0, since = 0;
  for (uint32_t i = 0; i < p->count; at += p->len[i++]) {
    if (p->to[i].xorb != x) {
      pthread_mutex_lock(&u->lock);
      if (x) x->unpacked -= packed;
      pthread_cond_broadcast(&u->changed);
      pthread_mutex_unlock(&u->lock);
      x = p->to[i].xorb;
      packed = 0;
    }
    if (!x) continue;
    if (since++ % 16 == 0) scheme = xet_choose(at, p->len[i], state);
    pthread_mutex_lock(&u->lock); /* the row may move while others add */
    uint32_t where = x->slots[p->to[i].slot].at;
    pthread_mutex_unlock(&u->lock);
    uint32_t n = (uint32_t)xet_pack(scheme, at, p->len[i], (uint8_t *)x->body.data + where, state);
    pthread_mutex_lock(&u->lock);
    x->slots[p->to[i].slot].stored = n;
    pthread_mutex_unlock(&u->lock);
    packed++;
  }
  if (!x) return;
  pthread_mutex_lock(&u->lock);
  x->unpacked -= packed;
  pthread_cond_broadcast(&u->changed);
  pthread_mutex_unlock(&u->lock);
}

static hf_status work(hf_call *c, void *arg, uint32_t worker) {
  struct intake *in = arg;
  bool any = true, carried;
  hf_status st = HF_OK;
  (void)worker;
  struct piece *p = calloc(1, sizeof *p);
  uint8_t *state = malloc(XET_PACK_STATE);
  if (p) p->data = malloc(in->room + XET_CHUNK_MAX + 1);
  if (!p || !p->data || !state) st = xet_host->failf(c, HF_ENOMEM, "no memory to send %s", in->file->path);
  while (st == HF_OK && any) {
    st = xet_carry_one(c, in->u, &carried);
    if (st != HF_OK) break;
    if (carried) continue;
    pthread_mutex_lock(&in->lock);
    st = read_piece(c, in, p, &any);
    pthread_mutex_unlock(&in->lock);
    if (st != HF_OK || !any) break;
    hash_piece(p);
    st = in_turn(c, in, p);
    if (st == HF_OK) pack_piece(in, p, state);
  }
  if (st != HF_OK) {
    pthread_mutex_lock(&in->u->lock);
    in->failed = st;
    pthread_cond_broadcast(&in->u->changed);
    pthread_mutex_unlock(&in->u->lock);
  }
  if (p) free(p->data);
  free(p);
  free(state);
  return st;
}

/* ---- one file ---- */

static void sent_free(struct xet_sent_file *f) {
  free(f->terms);
  free(f->chunks);
  free(f);
}

static hf_status take_in(hf_call *c, struct intake *in) {
  struct hf_tr_file *file = in->file;
  struct xet_hash sum;
  uint64_t size = file->source->size;
  if (file->digest.algo == HF_DIGEST_SHA256) {
    memcpy(in->sent->sha256, file->digest.bytes, 32);
    in->sent->has_sha256 = true;
  } else {
    TRY(xet_host->digest_new(c, HF_DIGEST_SHA256, size, &in->sha));
  }
  hf_status st = xet_host->parallel(c, size > PIECE ? WORKERS : 1, WORKERS, work, in);
  struct hf_digest digest = {0};
  if (in->sha) xet_host->digest_end(in->sha, st == HF_OK ? &digest : NULL);
  if (st != HF_OK) return st;
  if (digest.algo == HF_DIGEST_SHA256) {
    memcpy(in->sent->sha256, digest.bytes, 32);
    in->sent->has_sha256 = true;
  }
  if (size != HF_SIZE_UNKNOWN && in->at != size)
    return xet_host->failf(c, HF_ECONFLICT, "%s changed while it was sent; send it again", file->path);
  xet_merkle_end(&in->tree, &sum);
  xet_file_hash(&sum, in->sent->chunk_count, &in->sent->hash);
  return HF_OK;
}

hf_status xet_upload_run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct xet_upload *u = session;
  struct intake in = {.u = u, .file = file, .sent = calloc(1, sizeof *in.sent), .rest = malloc(XET_CHUNK_MAX)};
  if (!in.sent || !in.rest || !file->source) {
    free(in.sent);
    free(in.rest);
    return xet_host->failf(c, file->source ? HF_ENOMEM : HF_EINVAL, "%s cannot be read", file->path);
  }
  in.room = file->source->size < PIECE ? (size_t)file->source->size : PIECE;
  pthread_mutex_init(&in.lock, NULL);
  xet_merkle_init(&in.tree);
  hf_status st = take_in(c, &in);
  pthread_mutex_destroy(&in.lock);
  free(in.rest);
  if (st != HF_OK) {
    sent_free(in.sent);
    return st;
  }
  pthread_mutex_lock(&u->lock);
  in.sent->next = u->files;
  u->files = in.sent;
  pthread_mutex_unlock(&u->lock);
  return HF_PENDING;
}

/* ---- the session ---- */

/* "48MiB", as the host writes its own setting. */
static uint64_t bytes_of(const char *text) {
  static const char units[] = "KMGT";
  char *end = NULL;
  uint64_t v = text ? strtoull(text, &end, 10) : 0;
  const char *unit = end && *end ? strchr(units, *end & ~32) : NULL;
  if (unit) v <<= 10 * (unit - units + 1);
  return v;
}

hf_status xet_upload_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  struct xet_upload *u = calloc(1, sizeof *u);
  if (u) u->known = xet_known_new();
  if (!u || !u->known) {
    free(u);
    return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  }
  hf_status st = xet_cas_init(c, &u->cas, batch, "fixed_upload_concurrency", WIDTH_MOST);
  if (st != HF_OK) {
    xet_known_free(u->known);
    free(u);
    return st;
  }
  uint64_t memory = bytes_of(xet_host->option(c, "HF_MEMORY")), fill = memory / BODIES;
  u->fill = fill < XET_FILL_LEAST ? XET_FILL_LEAST : fill > XET_XORB_RAW_MAX ? XET_XORB_RAW_MAX : (uint32_t)fill;
  u->own_memory = memory < 3 * (uint64_t)XET_FILL_LEAST;
  pthread_mutex_init(&u->lock, NULL);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&u->changed, &clock);
  pthread_condattr_destroy(&clock);
  *session = u;
  return HF_OK;
}

static hf_status carry_all(hf_call *c, void *arg, uint32_t worker) {
  bool any = true;
  hf_status st = HF_OK;
  (void)worker;
  while (st == HF_OK && any) st = xet_carry_one(c, arg, &any);
  return st;
}

hf_status xet_upload_finish(hf_call *c, void *session) {
  struct xet_upload *u = session;
  pthread_mutex_lock(&u->lock);
  if (u->open) u->open->state = XORB_FULL;
  u->open = NULL;
  uint32_t bodies = u->waiting;
  pthread_mutex_unlock(&u->lock);
  if (bodies) TRY(xet_host->parallel(c, bodies, bodies, carry_all, u));
  return u->files ? xet_commit(c, u) : HF_OK;
}

void xet_upload_close(void *session) {
  struct xet_upload *u = session;
  while (u->first) {
    struct xorb *x = u->first;
    u->first = x->next;
    free_body(u, &x->body);
    free(x->slots);
    free(x);
  }
  while (u->files) {
    struct xet_sent_file *f = u->files;
    u->files = f->next;
    sent_free(f);
  }
  free_body(u, &u->spare);
  xet_known_free(u->known);
  pthread_cond_destroy(&u->changed);
  pthread_mutex_destroy(&u->lock);
  xet_cas_free(&u->cas);
  free(u);
}
