/* intake.c - a file on its way in: pieces are read and cut in order, hashed and packed by whoever is free, and decided about in
 * order: what is known becomes a term, what is new gets a slot in the open xorb. Full xorbs are carried away by others while
 * reading goes on. Questions to the global index are asked before the turn comes, so that they overlap.
 * A run of known chunks that is too short is stored again rather than scatter the file. */
#include "upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUN_LEAST = 8, WORKERS = 4, QUERIES_SMALL = 48, QUERY_SPACING = 256, RUN_MOST = 64, SMALL = 4 << 20 };
#define ALLOWANCE_NS UINT64_C(1800000000000)

struct intake { /* one file */
  struct xet_upload *u;
  struct hf_tr_file *file;
  pthread_mutex_t lock; /* reading: one at a time */
  uint8_t *rest;        /* of an open chunk */
  uint32_t rest_len;
  uint64_t at, pieces, chunks; /* read, handed out */
  uint64_t last_query;
  bool end;
  /* under the session's lock */
  uint32_t left; /* workers that may still fill xorbs */
  pthread_cond_t turn;
  struct xet_merkle tree;
  uint64_t decided; /* pieces */
  struct xet_sent_file *sent;
};

/* ---- what the file is made of ---- */

static void close_term(struct xet_sent_file *f) {
  if (!f->term_count) return;
  xet_blake3(&xet_key_verify, f->run, f->run_count * sizeof *f->run, &f->terms[f->term_count - 1].verify);
  f->run_count = 0;
}

static hf_status new_term(hf_call *c, struct xet_sent_file *f, const struct known_at *at) {
  if (f->term_count == f->term_room) {
    uint32_t room = f->term_room ? f->term_room * 2 : 8;
    struct xet_piece_term *more = realloc(f->terms, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for the terms of a file");
    f->terms = more;
    f->term_room = room;
  }
  close_term(f);
  f->terms[f->term_count++] = (struct xet_piece_term){.xorb = at->xorb, .start = at->index, .end = at->index};
  return HF_OK;
}

static hf_status add_chunk(hf_call *c, struct xet_sent_file *f, const struct known_at *at,
                           const struct xet_hash *hash) {
  struct xet_piece_term *last = f->term_count ? &f->terms[f->term_count - 1] : NULL;
  if (!last || last->xorb != at->xorb || last->end != at->index || last->raw > XET_XORB_RAW_MAX - at->raw) {
    TRY(new_term(c, f, at));
    last = &f->terms[f->term_count - 1];
  }
  if (f->run_count == f->run_room) {
    uint32_t room = f->run_room ? f->run_room * 2 : 16;
    struct xet_hash *more = realloc(f->run, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for the chunks of a file");
    f->run = more;
    f->run_room = room;
  }
  f->run[f->run_count++] = *hash;
  last->end++;
  last->raw += at->raw;
  return HF_OK;
}

/* Chunks from i on that lie one behind the other in the same xorb. */
static uint32_t known_run(struct xet_upload *u, const struct xet_portion *p, uint32_t i, struct known_at *first) {
  struct known_at at;
  uint32_t n = 1;
  if (!xet_known_find(u, &p->hash[i], first) || first->raw != p->len[i]) return 0;
  for (; i + n < p->count && n < RUN_MOST; n++)
    if (!xet_known_find(u, &p->hash[i + n], &at) || at.xorb != first->xorb || at.index != first->index + n ||
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

/* Under the session's lock. */
static hf_status decide(hf_call *c, struct intake *in, struct xet_portion *p) {
  struct xet_upload *u = in->u;
  uint32_t raw = 0;
  for (uint32_t i = 0; i < p->count; i++) raw += p->len[i];
  TRY(xet_xorb_reserve(c, u, raw, p->count));
  for (uint32_t i = 0; i < p->count;) {
    struct known_at at;
    uint32_t run = known_run(u, p, i, &at);
    bool take = run && worth(in->sent, p->first + i, &at, run);
    u->leaned |= take && !at.xorb->ours;
    for (uint32_t k = 0; k < (take ? run : 1); k++, i++) {
      p->to[i].xorb = NULL;
      if (!take) {
        TRY(xet_xorb_slot(c, u, &p->hash[i], p->len[i], &p->to[i].xorb, &p->to[i].slot));
        at = (struct known_at){p->to[i].xorb, p->to[i].slot, p->len[i]};
      }
      at.raw = p->len[i];
      TRY(add_chunk(c, in->sent, &at, &p->hash[i]));
      xet_merkle_add(&in->tree, &p->hash[i], p->len[i]);
      at.index++;
    }
  }
  return HF_OK;
}

/* ---- the global index ---- */

struct answer {
  struct xet_upload *u;
  struct xet_bytes bytes;
  size_t counted;
  bool too_much;
};

/* Answers have a share of the memory, all together; one that has no room in it is none. */
static hf_status on_answer(hf_call *c, void *arg, const void *data, size_t len) {
  struct answer *a = arg;
  struct xet_upload *u = a->u;
  (void)c;
  if (a->too_much) return HF_OK;
  pthread_mutex_lock(&u->lock);
  a->too_much = u->answers + len > u->answer_most;
  if (!a->too_much) u->answers += len, a->counted += len;
  pthread_mutex_unlock(&u->lock);
  if (!a->too_much) xet_bytes_add(&a->bytes, data, len);
  return HF_OK;
}

/* It saves bytes, no more: that it does not answer is no failure, but counts as trouble. */
static hf_status query(hf_call *c, struct xet_upload *u, const struct xet_hash *h) {
  char path[128], text[65];
  struct answer a = {.u = u};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  struct hf_http_req req = {
      .struct_size = sizeof req, .max_body = XET_SHARD_MAX, .on_data = on_answer, .on_data_arg = &a};
  uint64_t began = xet_host->now_ns();
  xet_hash_print(h, text);
  snprintf(path, sizeof path, "/v1/chunks/default/%s", text);
  xet_patience_limits(u, &req);
  hf_status st = xet_cas_ask(c, &u->cas, path, &req, &resp);
  bool told = st == HF_OK && resp.status == 200 && !a.too_much && !a.bytes.failed;
  bool passes = st == HF_OK || st == HF_ENET || st == HF_ETIMEDOUT; /* else no token: nothing will do */
  pthread_mutex_lock(&u->lock);
  if (st != HF_OK && passes) xet_patience_lost(u, &req, began);
  if (told) xet_known_shard(u, a.bytes.data, a.bytes.len);
  u->answers -= a.counted;
  pthread_mutex_unlock(&u->lock);
  xet_bytes_free(&a.bytes);
  TRY(xet_host->check(c));
  if (!passes) return st;
  if (st != HF_OK) xet_host->clear(c);
  return HF_OK;
}

/* Questions about small files: so many in half an hour, whatever the number of sessions. */
static bool allowance(void) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static uint64_t began;
  static uint32_t asked;
  pthread_mutex_lock(&lock);
  uint64_t now = xet_host->now_ns();
  if (!began || now - began > ALLOWANCE_NS) {
    began = now;
    asked = 0;
  }
  bool may = asked < QUERIES_SMALL;
  asked += may;
  pthread_mutex_unlock(&lock);
  return may;
}

/* The first chunk of a file and those whose hash says so, well apart; small files share an allowance. */
static hf_status query_piece(hf_call *c, struct intake *in, const struct xet_portion *p) {
  struct xet_upload *u = in->u;
  for (uint32_t i = 0; u->asks && i < p->count; i++) {
    uint64_t number = p->first + i;
    struct known_at at;
    if (number && !xet_is_global(&p->hash[i])) continue;
    pthread_mutex_lock(&in->lock);
    uint64_t apart = number > in->last_query ? number - in->last_query : in->last_query - number;
    bool ask = !number || apart >= QUERY_SPACING;
    pthread_mutex_unlock(&in->lock);
    if (!ask) continue;
    pthread_mutex_lock(&u->lock);
    ask = !xet_known_find(u, &p->hash[i], &at);
    pthread_mutex_unlock(&u->lock);
    if (!ask || (in->file->source->size < SMALL && !allowance())) continue;
    pthread_mutex_lock(&in->lock);
    if (number > in->last_query) in->last_query = number;
    pthread_mutex_unlock(&in->lock);
    TRY(query(c, u, &p->hash[i]));
  }
  return HF_OK;
}

/* ---- pieces ---- */

/* A piece to work with; where there are no carriers, who waits carries away what is full. */
static hf_status get_piece(hf_call *c, struct xet_upload *u, struct xet_portion **out) {
  hf_status st = HF_OK;
  *out = NULL;
  while (st == HF_OK) {
    bool any = false;
    pthread_mutex_lock(&u->lock);
    bool alone = !u->carriers;
    pthread_mutex_unlock(&u->lock);
    if (alone) TRY(xet_carry_one(c, u, &any));
    if (any) continue;
    pthread_mutex_lock(&u->lock);
    if (!u->free_piece) xet_cond_wait(&u->changed, &u->lock);
    *out = u->free_piece;
    if (*out) u->free_piece = (*out)->next;
    pthread_mutex_unlock(&u->lock);
    if (*out) return HF_OK;
    st = xet_host->check(c);
  }
  return st;
}

static void put_piece(struct xet_upload *u, struct xet_portion *p) {
  pthread_mutex_lock(&u->lock);
  p->next = u->free_piece;
  u->free_piece = p;
  pthread_cond_broadcast(&u->changed);
  pthread_mutex_unlock(&u->lock);
}

/* Cuts n bytes, which begin where a chunk does. */
static void cut(struct intake *in, struct xet_portion *p, size_t n) {
  uint32_t ends[XET_PIECE_CHUNKS], start = 0;
  size_t cuts = xet_chunk_cuts(p->data, n, ends, XET_PIECE_CHUNKS - 1);
  if (in->end && (cuts ? ends[cuts - 1] : 0) < n) ends[cuts++] = (uint32_t)n;
  for (; p->count < cuts; start = ends[p->count++]) p->len[p->count] = ends[p->count] - start;
  in->rest_len = (uint32_t)n - start;
  memcpy(in->rest, p->data + start, in->rest_len);
}

/* Reads and cuts the next piece; *any: there was one. Under the file's lock. */
static hf_status read_piece(hf_call *c, struct intake *in, struct xet_portion *p, bool *any) {
  struct hf_source *src = in->file->source;
  uint8_t *fresh = p->room + XET_CHUNK_MAX;
  size_t have = 0, got = 0;
  p->count = 0;
  *any = !in->end;
  if (in->end) return HF_OK;
  p->data = fresh - in->rest_len;
  memcpy(p->data, in->rest, in->rest_len);
  while (have < XET_PIECE && in->at < src->size) {
    TRY(src->pread(c, src, fresh + have, XET_PIECE - have, in->at, &got));
    if (!got) return xet_host->failf(c, HF_ECONFLICT, "%s became shorter while it was being sent", in->file->path);
    in->at += got;
    have += got;
  }
  in->end = in->at == src->size;
  cut(in, p, in->rest_len + have);
  p->number = in->pieces++;
  p->first = in->chunks;
  in->chunks += p->count;
  return HF_OK;
}

static void hash_piece(struct xet_portion *p) {
  const void *data[XET_PIECE_CHUNKS];
  size_t len[XET_PIECE_CHUNKS];
  const uint8_t *at = p->data;
  for (uint32_t i = 0; i < p->count; at += p->len[i++]) {
    data[i] = at;
    len[i] = p->len[i];
  }
  if (p->count) xet_blake3_batch(&xet_key_data, data, len, p->count, p->hash);
}

/* Waits until the pieces before it are decided. */
static hf_status in_turn(hf_call *c, struct intake *in, struct xet_portion *p) {
  struct xet_upload *u = in->u;
  hf_status st = HF_OK;
  pthread_mutex_lock(&u->lock);
  while (in->decided != p->number && st == HF_OK) {
    xet_cond_wait(&in->turn, &u->lock);
    st = xet_host->check(c); /* whoever failed says why; the others are canceled for it */
  }
  if (st == HF_OK) st = decide(c, in, p);
  if (st == HF_OK) in->decided++;
  pthread_cond_broadcast(&in->turn);
  pthread_mutex_unlock(&u->lock);
  return st;
}

static void packed(struct xet_upload *u, struct xorb *x, uint32_t n) {
  if (!n) return;
  pthread_mutex_lock(&u->lock);
  x->unpacked -= n;
  if (!x->unpacked && x->state == XORB_FULL) pthread_cond_signal(&u->full);
  pthread_mutex_unlock(&u->lock);
}

/* Where each new chunk of the piece goes; slots may move while others add to the xorb. */
static struct xorb *places(struct xet_upload *u, const struct xet_portion *p, uint32_t at[XET_PIECE_CHUNKS]) {
  struct xorb *x = NULL;
  pthread_mutex_lock(&u->lock);
  for (uint32_t i = 0; i < p->count; i++) {
    if (!p->to[i].xorb) continue;
    x = p->to[i].xorb;
    at[i] = x->slots[p->to[i].slot].at;
  }
  pthread_mutex_unlock(&u->lock);
  return x;
}

/* All new chunks of a piece are in one xorb: there was room for all. */
static void pack_piece(struct xet_upload *u, struct xet_portion *p, uint8_t *state) {
  uint32_t at[XET_PIECE_CHUNKS], stored[XET_PIECE_CHUNKS], n = 0, scheme = XET_NONE;
  struct xorb *x = places(u, p, at);
  const uint8_t *data = p->data;
  if (!x) return;
  for (uint32_t i = 0; i < p->count; data += p->len[i++]) {
    if (!p->to[i].xorb) continue;
    if (n++ % 16 == 0) scheme = u->scheme < 0 ? xet_choose(data, p->len[i], state) : (uint32_t)u->scheme;
    stored[i] = (uint32_t)xet_pack(scheme, data, p->len[i], (uint8_t *)x->body.data + at[i], state);
  }
  pthread_mutex_lock(&u->lock);
  for (uint32_t i = 0; i < p->count; i++)
    if (p->to[i].xorb) x->slots[p->to[i].slot].stored = stored[i];
  pthread_mutex_unlock(&u->lock);
  packed(u, x, n);
}

static hf_status one_piece(hf_call *c, struct intake *in, struct xet_portion *p, uint8_t *state, bool *any) {
  pthread_mutex_lock(&in->lock);
  hf_status st = read_piece(c, in, p, any);
  pthread_mutex_unlock(&in->lock);
  if (st != HF_OK || !*any) return st;
  hash_piece(p);
  TRY(query_piece(c, in, p));
  TRY(in_turn(c, in, p));
  pack_piece(in->u, p, state);
  return HF_OK;
}

static hf_status work(hf_call *c, struct intake *in) {
  bool any = true;
  uint8_t *state = malloc(XET_PACK_STATE);
  hf_status st = state ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory to send %s", in->file->path);
  while (st == HF_OK && any) {
    struct xet_portion *p;
    st = get_piece(c, in->u, &p);
    if (st != HF_OK) break;
    st = one_piece(c, in, p, state, &any);
    put_piece(in->u, p);
  }
  free(state);
  pthread_mutex_lock(&in->u->lock);
  if (!--in->left) pthread_cond_broadcast(&in->u->full);
  pthread_mutex_unlock(&in->u->lock);
  return st;
}

static hf_status work_or_carry(hf_call *c, void *arg, uint32_t i) {
  struct intake *in = arg;
  return i < WORKERS ? work(c, in) : xet_carry_all(c, in->u, &in->left);
}

/* ---- one file ---- */

void xet_sent_free(struct xet_sent_file *f) {
  if (!f) return;
  free(f->terms);
  free(f->run);
  free(f);
}

static hf_status take_in(hf_call *c, struct intake *in) {
  struct hf_tr_file *file = in->file;
  struct xet_hash sum;
  uint64_t size = file->source->size;
  bool large = size > XET_PIECE;
  uint32_t all = WORKERS + in->u->bodies;
  in->left = large ? WORKERS : 1;
  TRY(large ? xet_host->parallel(c, all, all, work_or_carry, in) : work(c, in));
  if (file->digest.algo != HF_DIGEST_SHA256 || file->digest.len != 32)
    return xet_host->failf(c, HF_EPROTO, "the SHA-256 of %s, which Xet needs, is not known", file->path);
  memcpy(in->sent->sha256, file->digest.bytes, 32);
  close_term(in->sent);
  free(in->sent->run);
  in->sent->run = NULL;
  xet_merkle_end(&in->tree, &sum);
  xet_file_hash(&sum, in->chunks, &in->sent->hash);
  if (in->u->bucket) xet_digest_of(&in->sent->hash, &file->digest);
  return HF_OK;
}

hf_status xet_upload_run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct xet_upload *u = session;
  struct intake in = {.u = u, .file = file, .sent = calloc(1, sizeof *in.sent), .rest = malloc(XET_CHUNK_MAX)};
  hf_status st = xet_cas_file_begins(c, &u->cas);
  bool begun = st == HF_OK;
  if (begun && (!in.sent || !in.rest))
    st = xet_host->failf(c, HF_ENOMEM, "no memory to send %s", file->path);
  else if (begun && (!file->source || file->source->size == HF_SIZE_UNKNOWN))
    st = xet_host->failf(c, HF_EINVAL, "%s has no size that is known in advance", file->path);
  if (st == HF_OK) {
    pthread_mutex_init(&in.lock, NULL);
    xet_cond_init(&in.turn);
    xet_merkle_init(&in.tree);
    st = take_in(c, &in);
    pthread_cond_destroy(&in.turn);
    pthread_mutex_destroy(&in.lock);
  }
  free(in.rest);
  if (begun) xet_cas_file_ends(&u->cas);
  if (st != HF_OK) {
    xet_sent_free(in.sent);
    return st;
  }
  pthread_mutex_lock(&u->lock);
  in.sent->next = u->files;
  u->files = in.sent;
  pthread_mutex_unlock(&u->lock);
  return HF_PENDING;
}
