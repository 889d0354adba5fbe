/* stream.c - unpacking while receiving. Chunks are collected until some are worth hashing together; then each run of them that
 * lies together in the file is one write, and its hashes are told to the file's sink.
 * Several terms may want the same chunk; it is unpacked and hashed once. */
#include "stream.h"

#include <string.h>

static hf_status damaged(hf_call *c, struct xet_stream *x, const char *why) {
  x->damage = why;
  return xet_host->failf(c, HF_EPROTO, "a xorb arrived damaged: %s", why);
}

/* ---- to the file ---- */

static uint64_t place_of(const struct xet_stream *x, const struct xet_place *p, uint32_t chunk) {
  const uint32_t *at = x->chunks.at;
  return p->off + (at[chunk - x->range->start] - at[p->start - x->range->start]);
}

/* Chunks [from, to) of those at data, for one place. */
static hf_status write_run(hf_call *c, struct xet_stream *x, const struct xet_place *p, uint32_t chunk,
                           const void *const *data, const size_t *len, uint32_t from, uint32_t to) {
  struct hf_iov iov[16];
  uint32_t n = 0;
  for (uint32_t i = from; i < to; i++) {
    if (n && (const uint8_t *)iov[n - 1].base + iov[n - 1].len == data[i])
      iov[n - 1].len += len[i];
    else
      iov[n++] = (struct hf_iov){data[i], len[i]};
  }
  uint64_t off = place_of(x, p, chunk + from);
  struct hf_iov *at = iov;
  for (; n && off < x->least; off += at->len, at++, n--) { /* what a sink that takes bytes in order has already */
    if (x->least - off >= at->len) continue;
    *at = (struct hf_iov){(const uint8_t *)at->base + (x->least - off), at->len - (size_t)(x->least - off)};
    off = x->least;
    break;
  }
  if (n) TRY(x->file->writev(c, x->file, off, at, n));
  for (; n && x->ordered; at++, n--) x->least = off += at->len;
  for (uint32_t i = from; i < to && x->file->leaf; i++)
    TRY(x->file->leaf(c, x->file, place_of(x, p, chunk + i), len[i], x->chunks.hashes[chunk + i - x->range->start].b));
  return HF_OK;
}

/* The length of what a place has got by chunk `end`. */
static hf_status check_place(hf_call *c, struct xet_stream *x, const struct xet_place *p, uint32_t end) {
  const uint32_t *at = x->chunks.at;
  uint32_t base = x->range->start, last = p->end < end ? p->end : end;
  uint32_t have = at[last - base] - at[p->start - base];
  if (have > p->raw) return damaged(c, x, "a term is longer than announced");
  return p->end <= end && have != p->raw ? damaged(c, x, "a term is shorter than announced") : HF_OK;
}

hf_status xet_place_chunks(hf_call *c, struct xet_stream *x, uint32_t chunk, const void *const *data, const size_t *len,
                           uint32_t n) {
  uint32_t end = chunk + n;
  struct xet_hash *hashes = &x->chunks.hashes[chunk - x->range->start];
  xet_blake3_batch(&xet_key_data, data, len, n, hashes);
  if (x->expect && memcmp(x->expect, hashes, n * sizeof *hashes) != 0)
    return damaged(c, x, "the chunk cache has other bytes");
  if (x->keep) xet_keep_chunks(c, x->keep, x->chunks.at[chunk - x->range->start], data, len, hashes, n);
  while (x->entered < x->place_count && x->places[x->entered].start < end) x->open[x->open_count++] = x->entered++;
  for (uint32_t i = 0; i < x->open_count; i++) TRY(check_place(c, x, &x->places[x->open[i]], end));
  for (uint32_t i = 0; i < x->open_count;) {
    const struct xet_place *p = &x->places[x->open[i]];
    uint32_t from = p->start > chunk ? p->start - chunk : 0, to = p->end < end ? p->end - chunk : n;
    TRY(write_run(c, x, p, chunk, data, len, from, to));
    if (p->end <= end)
      x->open[i] = x->open[--x->open_count];
    else
      i++;
  }
  return HF_OK;
}

static hf_status flush(hf_call *c, struct xet_stream *x) {
  uint32_t n = x->count;
  x->count = 0;
  x->lent = false;
  hf_status st = n ? xet_place_chunks(c, x, x->first, x->data, x->len, n) : HF_OK;
  x->stuck |= st != HF_OK;
  x->out_len = 0;
  x->first = x->next;
  return st;
}

/* ---- chunks ---- */

/* Room for a chunk in the output. */
static hf_status make_room(hf_call *c, struct xet_stream *x, size_t raw) {
  return x->count == 16 || raw > XET_STREAM_OUT - x->out_len ? flush(c, x) : HF_OK;
}

static hf_status whole_chunk(hf_call *c, struct xet_stream *x, const uint8_t *payload, bool lent) {
  uint32_t raw = x->record.raw, k = x->next - x->range->start;
  const uint8_t *data = payload;
  x->chunks.at[k + 1] = x->chunks.at[k] + raw;
  if (x->record.scheme == XET_NONE && x->record.stored != raw) return damaged(c, x, "a chunk has another length");
  if (x->record.scheme != XET_NONE) {
    TRY(make_room(c, x, raw));
    const char *why = xet_unpack(&x->record, payload, x->out + x->out_len, x->scratch);
    if (why) return damaged(c, x, why);
    data = x->out + x->out_len;
    x->out_len += raw;
  } else if (!lent) {
    x->out_len += raw; /* it was collected there */
  } else if (x->count == 16) {
    TRY(flush(c, x));
  }
  x->lent |= x->record.scheme == XET_NONE && lent;
  x->data[x->count] = data;
  x->len[x->count++] = raw;
  x->next++;
  x->consumed += XET_RECORD_HEAD + x->record.stored;
  if (x->packed_at) x->packed_at[k + 1] = (uint32_t)x->consumed;
  return HF_OK;
}

static hf_status take_head(hf_call *c, struct xet_stream *x, const uint8_t **p, size_t *len) {
  size_t n = XET_RECORD_HEAD - x->head_have < *len ? XET_RECORD_HEAD - x->head_have : *len;
  if (x->next == x->range->end) return damaged(c, x, "there are more chunks than announced");
  memcpy(x->head + x->head_have, *p, n);
  x->head_have += n;
  *p += n;
  *len -= n;
  if (x->head_have < XET_RECORD_HEAD) return HF_OK;
  const char *why = xet_record_read(x->head, &x->record);
  return why ? damaged(c, x, why) : HF_OK;
}

static hf_status take(hf_call *c, struct xet_stream *x, const uint8_t *p, size_t len) {
  while (len > 0) {
    if (x->head_have < XET_RECORD_HEAD) {
      TRY(take_head(c, x, &p, &len));
      if (x->head_have < XET_RECORD_HEAD) return HF_OK;
      continue;
    }
    size_t need = x->record.stored - x->have;
    bool as_it_is = x->record.scheme == XET_NONE && x->record.stored <= XET_CHUNK_MAX;
    if (x->have == 0 && need > len && as_it_is) TRY(make_room(c, x, x->record.stored));
    uint8_t *collect = as_it_is ? x->out + x->out_len : x->packed;
    size_t n = need < len ? need : len;
    bool lent = x->have == 0 && need <= len;
    if (!lent) memcpy(collect + x->have, p, n);
    if (need <= len) {
      TRY(whole_chunk(c, x, lent ? p : collect, lent));
      x->head_have = x->have = 0;
    } else {
      x->have += n;
    }
    p += n;
    len -= n;
  }
  return HF_OK;
}

static hf_status on_write(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct xet_stream *x = (struct xet_stream *)s;
  uint64_t came = 0;
  (void)off; /* http() writes in order */
  for (uint32_t i = 0; i < n; i++) {
    TRY(take(c, x, iov[i].base, iov[i].len));
    came += iov[i].len;
  }
  if (x->lent) {
    /* A chunk that is being collected behind the output stays where it is. */
    size_t at = x->out_len;
    TRY(flush(c, x));
    if (x->have && x->record.scheme == XET_NONE && at) memmove(x->out, x->out + at, x->have);
  }
  if (x->cas) xet_cas_moved(x->cas, came);
  return HF_OK;
}

static hf_status on_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  struct xet_stream *x = (struct xet_stream *)s;
  (void)c;
  x->xorb_size = size;
  return HF_OK;
}

/* ---- life ---- */

void xet_stream_reset(struct xet_stream *x) {
  x->next = x->first = x->range->start;
  x->chunks.at[0] = 0;
  x->consumed = 0;
  x->count = x->entered = x->open_count = 0;
  x->head_have = x->have = x->out_len = 0;
  x->lent = x->stuck = false;
  x->damage = NULL;
  xet_keep_again(x->keep);
}

void xet_stream_begin(struct xet_stream *x, void *memory) {
  x->s = (struct hf_sink){.struct_size = sizeof x->s, .size = HF_SIZE_UNKNOWN, .set_size = on_size, .writev = on_write};
  x->out = memory;
  x->packed = x->out + XET_STREAM_OUT;
  x->scratch = x->packed + XET_STORED_MAX;
  x->xorb_size = HF_SIZE_UNKNOWN;
  xet_stream_reset(x);
}

void xet_stream_again(struct xet_stream *x) {
  x->head_have = x->have = 0;
}

/* The name of a xorb is the hash over all of its chunks. */
static bool is_named(const struct xet_stream *x) {
  const struct xet_range *r = x->range;
  struct xet_merkle tree;
  struct xet_hash hash;
  xet_merkle_init(&tree);
  for (uint32_t i = 0; i < r->end - r->start; i++)
    xet_merkle_add(&tree, &x->chunks.hashes[i], x->chunks.at[i + 1] - x->chunks.at[i]);
  xet_merkle_end(&tree, &hash);
  return !memcmp(&hash, &r->xorb, sizeof hash);
}

hf_status xet_stream_named(hf_call *c, struct xet_stream *x) {
  const struct xet_range *r = x->range;
  bool whole = r->start == 0 && r->first == 0 && x->xorb_size == r->last + 1;
  return whole && !is_named(x) ? damaged(c, x, "it is not the one that was asked for") : HF_OK;
}

hf_status xet_stream_end(hf_call *c, struct xet_stream *x) {
  if (x->next != x->range->end || x->head_have) return damaged(c, x, "there are fewer chunks than announced");
  TRY(flush(c, x));
  return xet_stream_named(c, x);
}

void xet_stream_seek(struct xet_stream *x, uint32_t chunk, uint32_t *packed_at) {
  x->next = x->first = chunk;
  x->packed_at = packed_at;
  x->consumed = packed_at[chunk - x->range->start];
}

hf_status xet_stream_stop(hf_call *c, struct xet_stream *x, uint32_t end) {
  if (x->next < end) return damaged(c, x, "there are fewer chunks than announced");
  return flush(c, x);
}
