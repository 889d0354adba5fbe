/* upload.c - the session of an upload: its memory, its xorbs and files, and its end, when everything that is left goes up and the
 * shards name it.
 * A part of the memory budget is taken for pieces at the beginning; the rest is for xorbs, four or five at a time. */
#include "settings.h"
#include "upload.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH_MOST = 16, BODIES = 4, PIECES_MOST = 8, PIECES_LEAST = 3, GRANTS_MOST = 3 };
enum { CHUNKS_LEAST = 2048, CHUNKS_KNOWN = 1 << 20, SHARD_LEAST = 4096, SHARD_EARLY = 24 << 20, SHARD_LATE = 56 << 20 };
enum { ANSWER_LEAST = 1 << 20, ANSWER_MOST = 16 << 20 };
#define PIECE_ROOM ((uint64_t)XET_CHUNK_MAX + XET_PIECE)

/* "48MiB", as the host writes its own setting. */
static uint64_t bytes_of(const char *text) {
  static const char units[] = "KMGT";
  char *end = NULL;
  uint64_t v = text ? strtoull(text, &end, 10) : 0;
  const char *unit = end && *end ? strchr(units, *end & ~32) : NULL;
  if (unit) v <<= 10 * (unit - units + 1);
  return v;
}

static uint64_t within(uint64_t v, uint64_t least, uint64_t most) {
  return v < least ? least : v > most ? most : v;
}

static hf_status make_pieces(hf_call *c, struct xet_upload *u, uint64_t memory) {
  uint64_t n = memory / 5 / PIECE_ROOM;
  u->piece_count = n > PIECES_MOST ? PIECES_MOST : n < PIECES_LEAST ? PIECES_LEAST : (uint32_t)n;
  size_t room = u->piece_count * PIECE_ROOM;
  u->pieces = calloc(u->piece_count, sizeof *u->pieces);
  TRY(xet_xorb_body(c, u, room, &u->piece_room));
  if (!u->pieces) return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  for (uint32_t i = 0; i < u->piece_count; i++) {
    u->pieces[i].room = (uint8_t *)u->piece_room.data + i * PIECE_ROOM;
    u->pieces[i].next = u->free_piece;
    u->free_piece = &u->pieces[i];
  }
  uint64_t fill = memory > room ? (memory - room) / BODIES : 0;
  fill -= fill > (1 << 20) ? XET_RECORD_HEAD * XET_XORB_CHUNKS_MAX + 8192 : 0;
  u->fill = (uint32_t)within(fill, XET_FILL_LEAST, XET_XORB_RAW_MAX);
  uint64_t bodies = memory > room ? (memory - room) / (u->fill + XET_RECORD_HEAD * XET_XORB_CHUNKS_MAX) : 0;
  u->bodies = (uint32_t)within(u->own_memory ? XET_OWN_BODIES : bodies, XET_OWN_BODIES, u->cas.width_most);
  return HF_OK;
}

static void read_settings(hf_call *c, struct xet_upload *u) {
  static const char *const policies[] = {"none", "lz4", "bg4-lz4"};
  const char *policy = xet_option(c, "xorb_compression_policy");
  u->asks = !xet_host->option(c, "global_dedup_query_enabled") || xet_option_flag(c, "global_dedup_query_enabled");
  u->direct = xet_option_flag(c, "direct_xorb_upload");
  u->grants_most = (uint32_t)xet_option_number(c, "max_xorb_grant_attempts", GRANTS_MOST, 1, 100);
  u->shard_most = within(xet_option_bytes(c, "shard_size", SHARD_EARLY), SHARD_LEAST, SHARD_LATE);
  u->scheme = -1;
  for (int32_t i = 0; policy && i < 3; i++)
    if (!strcmp(policy, policies[i])) u->scheme = i;
}

hf_status xet_upload_open(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  struct xet_upload *u = calloc(1, sizeof *u);
  if (!u) return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  hf_status st = xet_cas_init(c, &u->cas, batch, "fixed_upload_concurrency", WIDTH_MOST);
  if (st != HF_OK) {
    free(u);
    return st;
  }
  u->bucket = batch->repo_type && !strcmp(batch->repo_type, "bucket");
  pthread_mutex_init(&u->lock, NULL);
  xet_cond_init(&u->changed);
  xet_cond_init(&u->full);
  read_settings(c, u);
  uint64_t memory = bytes_of(xet_host->option(c, "HF_MEMORY"));
  u->own_memory = memory < 3 * (uint64_t)XET_FILL_LEAST;
  u->answer_most = within(memory / 4, ANSWER_LEAST, ANSWER_MOST);
  u->known =
      xet_known_new((uint32_t)xet_option_number(c, "chunk_index_size", CHUNKS_KNOWN, CHUNKS_LEAST, UINT64_C(64) << 20));
  st = u->known ? make_pieces(c, u, memory) : xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  if (st != HF_OK) {
    xet_upload_close(u);
    return st;
  }
  u->recall = xet_recall_open(c, batch->endpoint);
  xet_recall_load(u->recall, u);
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
  if (u->open && u->open->count) u->open->state = XORB_FULL; /* an empty one was opened for chunks that were known */
  u->open = NULL;
  uint32_t bodies = u->waiting;
  pthread_mutex_unlock(&u->lock);
  if (bodies) TRY(xet_host->parallel(c, bodies, bodies, carry_all, u));
  return u->files ? xet_commit(c, u) : HF_OK;
}

static void free_xorbs(struct xet_upload *u, struct xorb *x) {
  while (x) {
    struct xorb *next = x->next;
    xet_xorb_body_free(u, &x->body);
    free(x->slots);
    free(x);
    x = next;
  }
}

void xet_upload_close(void *session) {
  struct xet_upload *u = session;
  free_xorbs(u, u->first);
  free_xorbs(u, u->foreign);
  while (u->files) {
    struct xet_sent_file *f = u->files;
    u->files = f->next;
    xet_sent_free(f);
  }
  xet_xorb_body_free(u, &u->piece_room);
  free(u->pieces);
  xet_known_free(u->known);
  xet_recall_close(u->recall);
  pthread_cond_destroy(&u->full);
  pthread_cond_destroy(&u->changed);
  pthread_mutex_destroy(&u->lock);
  xet_cas_free(&u->cas);
  free(u);
}
