/* fetch_run.c - filling one file's sink: from a tier that has it, then by adapters in order of their scores; what one leaves
 * missing the next one fetches.
 * Which adapters there are, and when another one may help, is adapters.c's. */
#include "fetch.h"

/* ---- running ---- */

static bool lacks(hf_call *c, struct hf_sink *s) {
  struct hf_range r;
  uint32_t n = 1;
  return s->missing(c, s, &r, &n) != HF_OK || n > 0;
}

/* Older versions, for an adapter that moves only differences. */
static void ask_bases(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  const struct hf_fetch *f = b->f;
  uint32_t n = HF_BASES_MOST;
  bool can = f->struct_size >= offsetof(struct hf_fetch, bases) + sizeof f->bases && f->bases && j->tr.xet_hash;
  hf_call *own = can && !j->bases_asked ? hf_call_branch(c) : NULL;
  if (!own) return;
  j->bases_asked = true;
  if (f->bases(own, f->arg, &f->files[i], i, j->bases, &n) != HF_OK || n > HF_BASES_MOST) n = 0;
  hf_call_branch_end(own, false);
  j->tr.bases = (struct hf_table)HF_TABLE_N(j->bases, n);
}

void hf_batch_no_bases(struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  for (uint32_t k = 0; k < j->tr.bases.count; k++)
    if (j->bases[k].source) j->bases[k].source->close(j->bases[k].source);
  j->tr.bases.count = 0;
}

static hf_status run_one(hf_call *c, struct hf_batch *b, uint32_t i, struct hf_adapter *a) {
  struct hf_file_job *j = &b->jobs[i];
  TRY(hf_adapter_open(c, a, &b->tr));
  if (a->mod->m->caps & HF_TR_DEDUP) ask_bases(c, b, i);
  struct hf_guard g;
  hf_minder_running(&b->minder, i, c);
  hf_leaf_lazy(j->sink, j->tr.xet_hash && (a->mod->m->caps & HF_TR_ATTESTS));
  hf_guard_in(&g, c, a->mod, &a->object);
  hf_status st = a->tr->run(c, a->session, &j->tr);
  hf_guard_out(&g, c);
  hf_minder_running(&b->minder, i, NULL);
  hf_leaf_lazy(j->sink, false);
  if (b->f->files[i].url) {
    pthread_mutex_lock(&b->adapters.choosing); /* as in resolve() */
    j->tr.url = b->f->files[i].url;
    pthread_mutex_unlock(&b->adapters.choosing);
  }
  if (st != HF_OK)
    return st > 0 ? hf_call_failf(c, HF_EABI, "adapter %s left %s open", a->mod->m->name, j->tr.path) : st;
  if (j->sink->size == HF_SIZE_UNKNOWN || !lacks(c, j->sink)) return HF_OK;
  return hf_call_failf(c, HF_EPROTO, "adapter %s ended before all of %s had arrived", a->mod->m->name, j->tr.path);
}

static hf_status run_adapters(hf_call *c, struct hf_batch *b, uint32_t i, uint32_t *last_used) {
  struct hf_file_job *j = &b->jobs[i];
  TRY(hf_adapters_choose(c, &b->adapters, &b->tr, b->f->adapters));
  hf_minder_start(&b->minder);
  uint32_t start = *last_used == HF_NO_ADAPTER ? 0 : *last_used + 1;
  for (uint32_t k = 0;; k++) {
    struct hf_adapter *a = &b->adapters.rows[(start + k) % b->adapters.count];
    *last_used = (start + k) % b->adapters.count;
    hf_call *own = hf_call_branch(c);
    if (!own) return hf_call_failf(c, HF_ENOMEM, "no memory to fetch %s", j->tr.path);
    hf_status st = run_one(own, b, i, a);
    bool stalled = st != HF_OK && j->minded.stalled && hf_call_check(c) == HF_OK;
    bool last = k + 1 == b->adapters.count;
    bool on = st != HF_OK && !last && (stalled || hf_adapter_next_may_help(own, st, j->tr.url));
    const struct hf_error *e = hf_call_error(own);
    if (on)
      hf_call_log(c, HF_LOG_INFO, "%s: adapter %s gave up (%s), %s goes on", j->tr.path, a->mod->m->name,
                  stalled ? "no byte came"
                  : e     ? e->message
                          : hf_status_name(st),
                  b->adapters.rows[(start + k + 1) % b->adapters.count].mod->m->name);
    hf_call_branch_end(own, !on && st != HF_OK && !stalled);
    if (on) continue;
    return stalled ? hf_call_failf(c, HF_ETIMEDOUT, "%s: no byte arrived for too long; try again later", j->tr.path)
                   : st;
  }
}

/* ---- tiers ---- */

static hf_status open_in_tier(hf_call *c, struct hf_batch *b, uint32_t i, hf_store *tier, struct hf_source **src) {
  struct hf_file_job *j = &b->jobs[i];
  struct hf_key key = {b->f->repo, j->tr.etag};
  if (j->tr.etag && (hf_store_caps(tier) & HF_ST_BLOBS) && hf_store_blob_open(c, tier, &key, src) == HF_OK)
    return HF_OK;
  hf_call_clear(c);
  struct hf_name name = {b->f->repo, b->f->commit, j->tr.path};
  return hf_store_open_file(c, tier, &name, src);
}

static hf_status copy(hf_call *c, struct hf_sink *to, struct hf_source *from) {
  if (from->size != HF_SIZE_UNKNOWN) TRY(to->set_size(c, to, from->size));
  struct hf_buf buf;
  TRY(hf_buf_get(c, 1 << 20, &buf));
  hf_status st = HF_OK;
  struct hf_range r;
  for (uint32_t n = 1; st == HF_OK; n = 1) {
    st = to->missing(c, to, &r, &n);
    if (st != HF_OK || n == 0) break;
    size_t got = 0;
    st = from->pread(c, from, buf.data, r.len < buf.len ? (size_t)r.len : buf.len, r.off, &got);
    if (st != HF_OK || got == 0) break;
    struct hf_iov iov = {buf.data, got};
    st = to->writev(c, to, r.off, &iov, 1);
  }
  hf_buf_put(&buf);
  return st;
}

static void try_tiers(hf_call *c, struct hf_batch *b, uint32_t i) {
  struct hf_file_job *j = &b->jobs[i];
  for (uint32_t k = 0; k < b->f->tier_count && lacks(c, j->sink); k++) {
    hf_call *own = hf_call_branch(c);
    struct hf_source *src = NULL;
    if (!own) return;
    hf_status st = open_in_tier(own, b, i, b->f->tiers[k], &src);
    if (st == HF_OK) {
      st = copy(own, j->sink, src);
      src->close(src);
    }
    const struct hf_error *e = hf_call_error(own);
    if (st != HF_OK && st != HF_ENOTFOUND)
      hf_call_log(c, HF_LOG_WARNING, "store %s could not give %s: %s", hf_store_name(b->f->tiers[k]), j->tr.path,
                  e ? e->message : hf_status_name(st));
    hf_call_branch_end(own, false);
  }
}

hf_status hf_batch_fill(hf_call *c, struct hf_batch *b, uint32_t i, bool tiers, uint32_t *last_used) {
  struct hf_file_job *j = &b->jobs[i];
  if (tiers && b->f->tier_count) {
    hf_leaf_lazy(j->sink, false);
    try_tiers(c, b, i);
  }
  TRY(hf_call_check(c));
  return lacks(c, j->sink) ? run_adapters(c, b, i, last_used) : HF_OK;
}
