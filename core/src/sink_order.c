/* sink_order.c - writes for stores that take bytes only in order, or only as whole parts: early pieces wait in a small
 * window, parts are collected in a buffer. An adapter is told by the missing HF_IO_ANY_ORDER and had better write in order.
 * Everything here runs under the sink's io lock. */
#include "sink.h"

enum { WINDOW = 8 << 20, PART_WISH = 8 << 20 };

struct hf_piece {
  struct hf_piece *next;
  struct hf_buf buf;
  uint64_t off;
};

static hf_status out_of_order(hf_call *c, struct hf_wrap *w) {
  return hf_call_failf(c, HF_EPROTO, "the store takes the bytes of %s in order only", w->what.name.path);
}

static hf_status part_start(hf_call *c, struct hf_wrap *w) {
  uint64_t least = w->store->st->part_min, most = w->store->st->part_max, wish = PART_WISH;
  if (wish < least) wish = least;
  if (most && wish > most) wish = most;
  if (w->s.size != HF_SIZE_UNKNOWN && wish > w->s.size) wish = w->s.size ? w->s.size : 1;
  if (wish > SIZE_MAX / 2 || !(w->part = hf_mem_alloc((size_t)wish)))
    return hf_call_failf(c, HF_ENOMEM, "no memory for a part of %s", w->what.name.path);
  w->part_size = (size_t)wish;
  return HF_OK;
}

hf_status hf_order_flush(hf_call *c, struct hf_wrap *w) {
  if (w->part_fill == 0) return HF_OK;
  struct hf_iov iov = {w->part, w->part_fill};
  hf_status st = hf_raw_write(c, w, w->next - w->part_fill, &iov, 1);
  w->part_fill = 0;
  return st;
}

/* The next bytes of the file. */
static hf_status take(hf_call *c, struct hf_wrap *w, const uint8_t *p, size_t len) {
  TRY(hf_frontier_add(c, w, p, len));
  if (!(w->store->st->m.caps & HF_ST_PART_WRITE)) {
    struct hf_iov iov = {p, len};
    TRY(hf_raw_write(c, w, w->next, &iov, 1));
    w->next += len;
    return HF_OK;
  }
  if (!w->part) TRY(part_start(c, w));
  while (len) {
    size_t room = w->part_size - w->part_fill, n = len < room ? len : room;
    memcpy(w->part + w->part_fill, p, n);
    w->part_fill += n;
    w->next += n;
    p += n;
    len -= n;
    if (w->part_fill == w->part_size) TRY(hf_order_flush(c, w));
  }
  return HF_OK;
}

static hf_status keep_early(hf_call *c, struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n,
                            uint64_t total) {
  if (total > WINDOW || w->early_bytes + total > WINDOW) return out_of_order(c, w);
  struct hf_piece *p = hf_mem_alloc(sizeof *p), **at = &w->early;
  if (!p) return hf_call_failf(c, HF_ENOMEM, "no memory to put the bytes of %s in order", w->what.name.path);
  hf_status st = hf_buf_get(c, (size_t)total, &p->buf);
  if (st != HF_OK) {
    hf_mem_free(p);
    return st;
  }
  p->off = off;
  size_t fill = 0;
  for (uint32_t i = 0; i < n; fill += iov[i++].len) memcpy((uint8_t *)p->buf.data + fill, iov[i].base, iov[i].len);
  p->buf.len = fill;
  while (*at && (*at)->off < off) at = &(*at)->next;
  p->next = *at;
  *at = p;
  w->early_bytes += total;
  return HF_OK;
}

static hf_status take_early(hf_call *c, struct hf_wrap *w) {
  hf_status st = HF_OK;
  while (st == HF_OK && w->early && w->early->off <= w->next) {
    struct hf_piece *p = w->early;
    w->early = p->next;
    w->early_bytes -= p->buf.len;
    uint64_t skip = w->next - p->off;
    if (skip < p->buf.len) st = take(c, w, (uint8_t *)p->buf.data + skip, p->buf.len - (size_t)skip);
    hf_buf_put(&p->buf);
    hf_mem_free(p);
  }
  return st;
}

hf_status hf_order_write(hf_call *c, struct hf_wrap *w, uint64_t off, const struct hf_iov *iov, uint32_t n,
                         uint64_t total) {
  if (off < w->next) return out_of_order(c, w);
  if (off > w->next) return keep_early(c, w, off, iov, n, total);
  for (uint32_t i = 0; i < n; i++)
    if (iov[i].len) TRY(take(c, w, iov[i].base, iov[i].len));
  TRY(take_early(c, w));
  return w->next == w->s.size ? hf_order_flush(c, w) : HF_OK;
}

void hf_order_free(struct hf_wrap *w) {
  while (w->early) {
    struct hf_piece *p = w->early;
    w->early = p->next;
    hf_buf_put(&p->buf);
    hf_mem_free(p);
  }
  hf_mem_free(w->part);
  w->part = NULL;
}
