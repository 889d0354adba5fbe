/* hash.c - reading files once: how they begin, their digests, the checksums of their blocks. A small file is read whole when its
 * beginning is needed, and stays in memory until it is committed; of others the beginning alone, until it is known which
 * digest is needed and who reads them. What the journal of earlier runs knows is not read at all. */
#include "commit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HASH_WIDTH = 8, FLUSH_FROM = 16 << 20 };

struct task {
  struct hf_hub_commit *k;
  struct hf_hub_op *const *ops;
  bool sample; /* keep how they begin */
};

static void take(struct hf_hub_op *op, const struct hf_scan *s) {
  if (s->sha256.algo == HF_DIGEST_SHA256) {
    memcpy(op->sha256, s->sha256.bytes, 32);
    op->flags |= HF_OP_SHA256;
  }
  if (s->git_blob.algo == HF_DIGEST_GIT_BLOB) {
    memcpy(op->git, s->git_blob.bytes, 20);
    op->flags |= HF_OP_GIT;
  }
  free(op->sums);
  op->sums = NULL;
  op->sum = s->count ? s->sums[0] : 0;
  if (s->count > 1) {
    op->sums = malloc(s->count * sizeof *op->sums);
    if (op->sums) memcpy(op->sums, s->sums, s->count * sizeof *op->sums);
  }
  if (s->count <= 1 || op->sums) op->flags |= HF_OP_SUMS;
}

void hf_hub_op_scanned(struct hf_hub_commit *k, struct hf_hub_op *op, const struct hf_scan *s) {
  take(op, s);
  hf_hub_hashes_add(k->hashes, op, k->ops.count <= HF_WINDOW);
  if (op->stamp.size >= FLUSH_FROM) hf_hub_hashes_flush(k->hashes);
}

static hf_status keep_sample(hf_call *c, struct hf_hub_op *op, const uint8_t *data, size_t len) {
  free(op->sample);
  op->sample = malloc(len + 1);
  if (!op->sample) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  memcpy(op->sample, data, len);
  op->sample_len = (uint16_t)len;
  return HF_OK;
}

void hf_hub_op_forget(struct hf_hub_commit *k, struct hf_hub_op *op) {
  if (op->flags & HF_OP_WHOLE)
    hf_hub_held_give(k->held, op->sample);
  else
    free(op->sample);
  op->flags &= (uint16_t)~HF_OP_WHOLE;
  op->sample = NULL;
}

/* All of a small file, while there is room for it; false: there is none. */
static bool hold(hf_call *c, struct hf_hub_commit *k, struct hf_hub_op *op, struct hf_source *s, hf_status *st) {
  size_t size = (size_t)s->size, got = 0;
  uint8_t *data = hf_hub_held_take(k->held, s->size);
  if (!data) return false;
  *st = s->pread(c, s, data, size, 0, &got);
  if (*st == HF_OK && got != size)
    *st = hf_hub_fail(c, HF_ECONFLICT, NULL, "%s became shorter while it was being read; try again.", s->name);
  if (*st != HF_OK) {
    hf_hub_held_give(k->held, data);
    return true;
  }
  free(op->sample);
  op->sample = data;
  op->sample_len = size < HF_SAMPLE ? (uint16_t)size : HF_SAMPLE;
  op->flags |= HF_OP_WHOLE;
  return true;
}

/* Opens it and learns which state of the file this is. */
static hf_status open_now(hf_call *c, struct hf_hub_op *op, struct hf_source **out) {
  if (!op->local) return hf_hub_op_source(c, op, out);
  uint32_t flags = HF_SOURCE_SEEN | (op->flags & HF_OP_GROWS ? HF_SOURCE_GROWS : 0);
  struct hf_stamp is;
  bool bound = op->flags & HF_OP_STAMPED;
  TRY(hf_source_file(c, op->local, flags, bound ? &op->stamp : NULL, out, &is));
  op->stamp = is;
  op->flags |= HF_OP_STAMPED;
  return HF_OK;
}

static hf_status begin_one(hf_call *c, void *arg, uint32_t i) {
  struct task *t = arg;
  struct hf_hub_op *op = t->ops[i];
  struct hf_source *s;
  if (op->sample || (op->flags & HF_OP_UNCHANGED)) return HF_OK;
  TRY(open_now(c, op, &s));
  hf_status st = HF_OK;
  bool known = (op->flags & (HF_OP_SHA256 | HF_OP_GIT)) != 0;
  if (known || !hold(c, t->k, op, s, &st)) {
    uint8_t data[HF_SAMPLE];
    size_t got;
    st = s->pread(c, s, data, sizeof data, 0, &got);
    if (st == HF_OK) st = keep_sample(c, op, data, got);
  }
  s->close(s);
  return st;
}

hf_status hf_hub_hash_begin(struct hf_hub_commit *k, hf_call *c, struct hf_hub_op *const *ops, uint32_t count) {
  struct task t = {.k = k, .ops = ops};
  return hf_host()->parallel(c, count, HASH_WIDTH, begin_one, &t);
}

void hf_hub_hash_early(struct hf_hub_commit *k, hf_call *c, struct hf_hub_op *rows, uint32_t count) {
  struct hf_hub_op *ops[HF_WINDOW];
  bool any = hf_hub_hashes_any(k->hashes);
  hf_status st = HF_OK;
  for (uint32_t i = 0; st == HF_OK && i < count;) {
    uint32_t n = 0;
    for (; i < count && n < HF_WINDOW; i++) {
      if (any) hf_hub_hash_recall_one(k, &rows[i]);
      ops[n++] = &rows[i];
    }
    st = hf_hub_hash_begin(k, c, ops, n);
  }
  if (st != HF_OK) hf_host()->clear(c);
}

static uint32_t lacks(const struct hf_hub_op *op) {
  if (op->kind != HF_OP_ADD || (op->flags & (HF_OP_IGNORED | HF_OP_UNCHANGED))) return 0;
  if (op->mode == HF_MODE_LFS) return op->flags & HF_OP_SHA256 ? 0 : HF_SCAN_SHA256;
  return op->flags & HF_OP_GIT ? 0 : HF_SCAN_GIT_BLOB;
}

static hf_status rest_one(hf_call *c, void *arg, uint32_t i) {
  struct task *t = arg;
  struct hf_hub_op *op = t->ops[i];
  struct hf_source *s;
  uint32_t want = lacks(op);
  if (!want) return HF_OK;
  TRY(op->flags & HF_OP_WHOLE ? hf_source_memory(c, op->path, op->sample, (size_t)op->stamp.size, &s)
                              : open_now(c, op, &s));
  struct hf_scan r = {.struct_size = sizeof r, .want = want};
  hf_status st = hf_source_scan(c, s, &r);
  s->close(s);
  if (st == HF_OK) hf_hub_op_scanned(t->k, op, &r);
  hf_host()->release(r.sums);
  if (op->mode == HF_MODE_LFS) hf_hub_op_forget(t->k, op);
  return st;
}

/* The reference tells of every large file, and hashes it again. */
static bool counts(const struct hf_hub_op *op) {
  return op->mode == HF_MODE_LFS && op->local && !(op->flags & HF_OP_IGNORED);
}

hf_status hf_hub_hash_rest(struct hf_hub_commit *k, hf_call *c, struct hf_hub_op *const *ops, uint32_t count) {
  struct task t = {.k = k, .ops = ops};
  uint32_t large = 0;
  for (uint32_t i = 0; i < count; i++) large += counts(ops[i]);
  if (large && !k->by_xet) hf_hub_log(k->hub, HF_LOG_INFO, "Computing sha256 for %u files.", large);
  return hf_host()->parallel(c, count, HASH_WIDTH, rest_one, &t);
}
