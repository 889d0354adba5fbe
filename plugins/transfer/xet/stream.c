/* stream.c - unpacking while receiving. A chunk that came in one piece is unpacked from where it lies, straight behind its
 * predecessor in the output piece, which is written when it is full or the next chunk belongs elsewhere.
 * Several terms may want the same chunk; it is unpacked and hashed once. */
#include "stream.h"

#include <string.h>

static hf_status damaged(hf_call *c, const char *why) {
  return xet_host->failf(c, HF_EPROTO, "a xorb arrived damaged: %s", why);
}

static hf_status flush(hf_call *c, struct xet_stream *x) {
  struct hf_iov iov = {x->out, x->out_len};
  if (!x->out_len) return HF_OK;
  x->out_len = 0;
  return x->file->writev(c, x->file, x->out_off, &iov, 1);
}

/* Writes what of [off, off+len) is wanted. */
static hf_status write_clipped(hf_call *c, struct xet_stream *x, uint64_t off, const uint8_t *data, size_t len) {
  uint64_t from = off > x->wanted.off ? off : x->wanted.off;
  uint64_t to = off + len < x->wanted.end ? off + len : x->wanted.end;
  if (from >= to) return HF_OK;
  struct hf_iov iov = {data + (from - off), (size_t)(to - from)};
  return x->file->writev(c, x->file, from, &iov, 1);
}

/* Where chunk `next` is unpacked to: behind its predecessor if it follows it in the file and is wanted whole. */
static hf_status make_room(hf_call *c, struct xet_stream *x, const struct xet_place *p, uint8_t **to) {
  uint64_t off = p->off + p->done, end = off + x->record.raw;
  *to = x->plain;
  if (off < x->wanted.off || end > x->wanted.end) return HF_OK;
  if (x->out_len && (x->out_off + x->out_len != off || x->record.raw > XET_STREAM_OUT - x->out_len)) TRY(flush(c, x));
  if (!x->out_len) x->out_off = off;
  *to = x->out + x->out_len;
  return HF_OK;
}

static hf_status whole_chunk(hf_call *c, struct xet_stream *x, const uint8_t *payload) {
  struct xet_place *first = NULL;
  uint32_t raw = x->record.raw, at = x->next - x->range->start;
  uint8_t *to = x->plain;
  while (x->live < x->place_count && x->places[x->live].end <= x->next) x->live++;
  for (uint32_t i = x->live; i < x->place_count && x->places[i].start <= x->next && !first; i++)
    if (x->places[i].end > x->next) first = &x->places[i];
  if (first) TRY(make_room(c, x, first, &to));
  const char *why = xet_unpack(&x->record, payload, to, x->scratch);
  if (why) return damaged(c, why);
  xet_blake3(&xet_key_data, to, raw, &x->hashes[at]);
  x->lens[at] = raw;
  for (uint32_t i = x->live; i < x->place_count && x->places[i].start <= x->next; i++) {
    struct xet_place *p = &x->places[i];
    if (p->end <= x->next) continue;
    if (raw > p->raw - p->done) return damaged(c, "a term is longer than announced");
    if (p == first && to != x->plain)
      x->out_len += raw;
    else
      TRY(write_clipped(c, x, p->off + p->done, to, raw));
    p->done += raw;
    if (x->next + 1 == p->end && p->done != p->raw) return damaged(c, "a term is shorter than announced");
  }
  x->next++;
  x->consumed += XET_RECORD_HEAD + x->record.stored;
  return HF_OK;
}

static hf_status take(hf_call *c, struct xet_stream *x, const uint8_t *p, size_t len) {
  while (len > 0) {
    if (x->head_have < XET_RECORD_HEAD) {
      size_t n = XET_RECORD_HEAD - x->head_have < len ? XET_RECORD_HEAD - x->head_have : len;
      if (x->next == x->range->end) return damaged(c, "there are more chunks than announced");
      memcpy(x->head + x->head_have, p, n);
      x->head_have += n;
      p += n;
      len -= n;
      if (x->head_have < XET_RECORD_HEAD) return HF_OK;
      const char *why = xet_record_read(x->head, &x->record);
      if (why) return damaged(c, why);
    }
    size_t need = x->record.stored - x->have;
    if (need <= len) {
      const uint8_t *payload = p;
      if (x->have) {
        memcpy(x->packed + x->have, p, need);
        payload = x->packed;
      }
      TRY(whole_chunk(c, x, payload));
      x->head_have = x->have = 0;
      p += need;
      len -= need;
    } else {
      memcpy(x->packed + x->have, p, len);
      x->have += len;
      return HF_OK;
    }
  }
  return HF_OK;
}

static hf_status on_write(hf_call *c, struct hf_sink *s, uint64_t off, const struct hf_iov *iov, uint32_t n) {
  struct xet_stream *x = (struct xet_stream *)s;
  (void)off; /* http() writes in order */
  for (uint32_t i = 0; i < n; i++) TRY(take(c, x, iov[i].base, iov[i].len));
  return HF_OK;
}

static hf_status on_size(hf_call *c, struct hf_sink *s, uint64_t size) {
  (void)c;
  (void)s;
  (void)size; /* of the xorb; it does not matter here */
  return HF_OK;
}

void xet_stream_begin(struct xet_stream *x, void *memory) {
  x->s = (struct hf_sink){.struct_size = sizeof x->s, .size = HF_SIZE_UNKNOWN, .set_size = on_size, .writev = on_write};
  x->out = memory;
  x->packed = x->out + XET_STREAM_OUT;
  x->scratch = x->packed + XET_STORED_MAX;
  x->plain = x->scratch + XET_CHUNK_MAX;
  x->next = x->range->start;
}

void xet_stream_again(struct xet_stream *x) {
  x->head_have = x->have = 0;
}

hf_status xet_stream_end(hf_call *c, struct xet_stream *x) {
  if (x->next != x->range->end || x->head_have) return damaged(c, "there are fewer chunks than announced");
  return flush(c, x);
}
