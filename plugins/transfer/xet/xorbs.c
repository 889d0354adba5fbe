/* xorbs.c - xorbs while they are filled: memory for their bodies out of the budget, slots for chunks, and the turn to wait when
 * there is no room. Who waits carries away what is full, so that room comes, unless there are carriers: they do nothing else.
 * A xorb that has no room for a whole piece is full: nobody holds a half-filled one while he waits for the next. */
#include "upload.h"

#include <stdlib.h>
#include <sys/mman.h>

struct xorb *xet_xorb_foreign(struct xet_upload *u, const struct xet_hash *hash, uint32_t key) {
  const struct xorb *earlier = xet_known_xorb(u->known, hash);
  struct xorb *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  *x = (struct xorb){
      .next = u->foreign, .twin = earlier ? earlier->twin : x, .hash = *hash, .state = XORB_THERE, .key = key};
  u->foreign = x;
  return earlier || xet_known_name(u->known, x) ? x : NULL;
}

static struct xorb *new_xorb(struct xet_upload *u, const struct hf_buf *body) {
  struct xorb *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  *x = (struct xorb){.twin = x, .ours = true, .body = *body};
  if (u->last)
    u->last->next = x;
  else
    u->first = x;
  u->last = x;
  if (!u->untaken) u->untaken = x;
  u->waiting++;
  return x;
}

void xet_xorb_body_free(struct xet_upload *u, struct hf_buf *body) {
  if (body->data && u->own_memory)
    munmap(body->data, body->len);
  else if (body->data)
    xet_host->buf_put(body);
  *body = (struct hf_buf){0};
}

hf_status xet_xorb_body(hf_call *c, struct xet_upload *u, size_t size, struct hf_buf *body) {
  *body = (struct hf_buf){0};
  if (!u->own_memory) return xet_host->buf_get(c, size, body);
  void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* what is freed is gone */
  if (at == MAP_FAILED) return xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
  body->data = at;
  body->len = size;
  return HF_OK;
}

static bool fits(const struct xet_upload *u, uint32_t raw, uint32_t chunks) {
  const struct xorb *x = u->open;
  return x && u->fill - x->raw >= raw && XET_XORB_CHUNKS_MAX - x->count >= chunks;
}

static hf_status open_one(hf_call *c, struct xet_upload *u) {
  struct hf_buf body;
  u->opening = true;
  pthread_mutex_unlock(&u->lock);
  hf_status st = xet_xorb_body(c, u, u->fill + XET_RECORD_HEAD * (size_t)XET_XORB_CHUNKS_MAX, &body);
  pthread_mutex_lock(&u->lock);
  u->opening = false;
  pthread_cond_broadcast(&u->changed);
  if (st != HF_OK) return st;
  u->open = new_xorb(u, &body);
  if (u->open) return HF_OK;
  xet_xorb_body_free(u, &body);
  return xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
}

hf_status xet_xorb_reserve(hf_call *c, struct xet_upload *u, uint32_t raw, uint32_t chunks) {
  while (!fits(u, raw, chunks)) {
    bool any = false;
    if (u->open) {
      u->open->state = XORB_FULL;
      if (!u->open->unpacked) pthread_cond_signal(&u->full);
      u->open = NULL;
    }
    bool alone = !u->carriers;
    pthread_mutex_unlock(&u->lock);
    hf_status st = xet_host->check(c);
    if (st == HF_OK && alone) st = xet_carry_one(c, u, &any);
    pthread_mutex_lock(&u->lock);
    if (st != HF_OK) return st;
    if (any || u->open) continue;
    if (u->opening || (u->own_memory && u->waiting >= XET_OWN_BODIES))
      xet_cond_wait(&u->changed, &u->lock);
    else
      TRY(open_one(c, u));
  }
  return HF_OK;
}

hf_status xet_xorb_slot(hf_call *c, struct xet_upload *u, const struct xet_hash *hash, uint32_t raw, struct xorb **out,
                        uint32_t *slot) {
  struct xorb *x = *out = u->open;
  if (x->count == x->room) {
    uint32_t room = x->room ? x->room * 2 : 256;
    struct xorb_slot *more = realloc(x->slots, room * sizeof *more);
    if (!more) return xet_host->failf(c, HF_ENOMEM, "no memory for a xorb");
    x->slots = more;
    x->room = room;
  }
  x->slots[x->count] = (struct xorb_slot){.hash = *hash, .raw = raw, .at = x->raw + XET_RECORD_HEAD * x->count};
  *slot = x->count++;
  x->raw += raw;
  x->unpacked++;
  return xet_known_add(u->known, hash, x, *slot) ? HF_OK
                                                 : xet_host->failf(c, HF_ENOMEM, "no memory for the index of chunks");
}
