/* disk.c - what an earlier run left in the file: chunks that the journal names are read back and hashed again, and their hashes go
 * into the tree as if they had just come.
 * A chunk that lies there with another hash is fetched again. Bytes that no leaf speaks of leave a hole in the tree: then the
 * host's own digest decides. */
#include "block.h"
#include "format/piece.h"

#include <string.h>

enum {
  LEAVES = 256,
  READ = 1 << 20,
  UNNAMED_MOST =
      3 * XET_CHUNK_MAX /* bytes without a leaf (a piece of a chunk, a journal's torn end) that are fetched again */
};

struct pass { /* leaves that are looked at side by side */
  struct xet_pull *pull;
  const struct hf_leaf *leaves;
  bool good[LEAVES];
};

static hf_status hash_again(hf_call *c, void *arg, uint32_t i) {
  struct pass *a = arg;
  struct hf_sink *s = a->pull->sink;
  const struct hf_leaf *l = &a->leaves[i];
  struct xet_hash is;
  struct hf_buf buf;
  size_t got = 0;
  if (l->len > XET_CHUNK_MAX) return HF_OK;
  TRY(xet_host->buf_get(c, (size_t)l->len, &buf));
  hf_status st = s->pread(c, s, buf.data, (size_t)l->len, l->off, &got);
  if (st == HF_OK && got == l->len) {
    xet_blake3(&xet_key_data, buf.data, got, &is);
    a->good[i] = !memcmp(is.b, l->hash, sizeof is.b);
  }
  xet_host->buf_put(&buf);
  return st;
}

/* Adds those of the leaves that come next. *end: where the last run of them ends. */
static hf_status add(hf_call *c, struct xet_pull *p, struct pass *a, uint32_t n, uint64_t to) {
  for (uint32_t i = 0; i < n && a->leaves[i].off < to; i++) {
    const struct hf_leaf *l = &a->leaves[i];
    struct xet_hash hash;
    bool again = i + 1 < n && a->leaves[i + 1].off == l->off; /* told twice: one of them may be right */
    if (l->off != p->tree_at || (!a->good[i] && again)) continue;
    if (!a->good[i]) return p->sink->forget(c, p->sink, l->off, l->len);
    memcpy(hash.b, l->hash, sizeof hash.b);
    TRY(p->sink->leaf(c, p->sink, l->off, l->len, l->hash));
    xet_merkle_add(&p->tree, &hash, l->len);
    p->tree_at += l->len;
  }
  return HF_OK;
}

hf_status xet_disk_follow(hf_call *c, struct xet_pull *p, uint64_t to) {
  struct hf_leaf leaves[LEAVES];
  struct hf_sink *s = p->sink;
  bool can = s->leaves && s->leaf && s->forget && s->pread && (s->caps & HF_IO_READ_BACK);
  while (can && p->tree_at < to) {
    uint64_t before = p->tree_at;
    uint32_t n = LEAVES;
    struct pass a = {.pull = p, .leaves = leaves};
    TRY(s->leaves(c, s, p->tree_at, leaves, &n));
    if (!n || leaves[0].off != p->tree_at || leaves[0].off >= to) {
      uint64_t next = n && leaves[0].off < to ? leaves[0].off : to;
      if (next - p->tree_at > UNNAMED_MOST) break;
      return s->forget(c, s, p->tree_at, next - p->tree_at);
    }
    TRY(xet_host->parallel(c, n, 0, hash_again, &a));
    TRY(add(c, p, &a, n, to));
    if (p->tree_at == before) return HF_OK; /* it is missing now */
  }
  if (p->tree_at < to) p->tree_at = UINT64_MAX;
  return HF_OK;
}

/* ---- all of it ---- */

static hf_status tell(hf_call *c, struct xet_pull *p, const struct xet_piece *piece) {
  TRY(p->sink->leaf(c, p->sink, p->tree_at, piece->len, piece->hash.b));
  xet_merkle_add(&p->tree, &piece->hash, piece->len);
  p->tree_at += piece->len;
  return HF_OK;
}

hf_status xet_disk_read(hf_call *c, struct xet_pull *p) {
  struct hf_sink *s = p->sink;
  struct hf_buf buf;
  if (!s->leaf || !s->pread || !(s->caps & HF_IO_READ_BACK)) return HF_OK;
  TRY(xet_host->buf_get(c, READ, &buf));
  hf_status st = HF_OK;
  xet_merkle_init(&p->tree);
  p->tree_at = 0;
  while (st == HF_OK && p->tree_at < p->size) {
    struct xet_piece pieces[READ / XET_CHUNK_MIN + 1];
    uint64_t left = p->size - p->tree_at;
    size_t want = left < READ ? (size_t)left : READ, got = 0, n = 0;
    st = s->pread(c, s, buf.data, want, p->tree_at, &got);
    if (st == HF_OK && got < want) st = xet_host->failf(c, HF_EIO, "%s cannot be read back", p->path);
    if (st == HF_OK) n = xet_pieces(buf.data, got, got == left, pieces, sizeof pieces / sizeof *pieces);
    for (size_t i = 0; st == HF_OK && i < n; i++) st = tell(c, p, &pieces[i]);
  }
  xet_host->buf_put(&buf);
  return st;
}
