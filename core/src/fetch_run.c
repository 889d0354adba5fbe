/* fetch_run.c - filling one file's sink: from a tier that has it, then by adapters in order of their scores; what one leaves
 * missing the next one fetches. Sessions are opened when the first file needs them, once per batch.
 * Which failures pass a file on to the next adapter is decided here. */
#include <stdlib.h>

#include "fetch.h"

/* ---- choosing ---- */

struct names {
  hf_call *c;
  struct hf_batch *b;
};

static void add_adapter(hf_call *c, struct hf_batch *b, struct hf_slot_module *mod, int32_t score) {
  if (b->adapter_count == HF_ADAPTERS_MOST) return;
  (void)c;
  uint32_t at = b->adapter_count++;
  while (at > 0 && b->adapters[at - 1].score < score) {
    b->adapters[at] = b->adapters[at - 1];
    at--;
  }
  b->adapters[at] = (struct hf_adapter){.mod = mod, .tr = (const struct hf_transfer *)mod->m, .score = score};
}

static int on_adapter(void *arg, const struct hf_plugin_info *info) {
  struct names *n = arg;
  if (!(info->caps & HF_TR_DOWNLOAD) || info->refused) return 0;
  hf_call *own = hf_call_branch(n->c);
  if (!own) return 1;
  struct hf_slot_module *mod;
  if (hf_module_get(own, HF_KIND_TRANSFER, info->name, &mod) == HF_OK) {
    struct hf_guard g;
    hf_guard_in(&g, own, mod, NULL);
    int32_t score = ((const struct hf_transfer *)mod->m)->score(own, &n->b->tr);
    hf_guard_out(&g, own);
    if (score > 0) add_adapter(own, n->b, mod, score);
  } else {
    const struct hf_error *e = hf_call_error(own);
    hf_call_log(own, HF_LOG_WARNING, "transfer adapter %s cannot be used: %s", info->name,
                e ? e->message : "no reason given");
  }
  hf_call_branch_end(own, false);
  return 0;
}

static hf_status named_adapters(hf_call *c, struct hf_batch *b, const char *names) {
  for (int32_t rank = 1 << 20; *names; rank--) {
    char name[32];
    size_t n = strcspn(names, ",");
    if (n >= sizeof name) return hf_call_failf(c, HF_EINVAL, "no transfer adapter has the name '%.60s'", names);
    memcpy(name, names, n);
    name[n] = 0;
    names += n + (names[n] == ',');
    struct hf_slot_module *mod;
    if (n == 0) continue;
    TRY(hf_module_get(c, HF_KIND_TRANSFER, name, &mod));
    if (!(mod->m->caps & HF_TR_DOWNLOAD))
      return hf_call_failf(c, HF_EINVAL, "transfer adapter %s does not download", name);
    add_adapter(c, b, mod, rank);
  }
  return HF_OK;
}

static hf_status choose(hf_call *c, struct hf_batch *b) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&b->choosing);
  if (!b->chosen) {
    const char *names = b->f->adapters ? b->f->adapters : hf_call_get_option(c, "HF_TRANSFER");
    struct names n = {c, b};
    if (names && *names)
      st = named_adapters(c, b, names);
    else
      hf_module_each(c->rt, HF_KIND_TRANSFER, on_adapter, &n);
    if (st == HF_OK && b->adapter_count == 0)
      st = hf_call_failf(c, HF_ENOTFOUND, "no transfer adapter is installed that can fetch this: see 'hf plugin list'");
    for (uint32_t k = 0; k < b->adapter_count; k++) {
      pthread_mutex_init(&b->adapters[k].opening, NULL);
      pthread_mutex_init(&b->adapters[k].object, NULL);
    }
    b->chosen = st == HF_OK;
    if (st != HF_OK) b->adapter_count = 0;
  }
  pthread_mutex_unlock(&b->choosing);
  if (st == HF_OK) hf_minder_start(b);
  return st;
}

static hf_status open_session(hf_call *c, struct hf_batch *b, struct hf_adapter *a) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&a->opening);
  if (a->refused) {
    st = hf_call_failf(c, HF_ENOSYS, "transfer adapter %s did not open", a->mod->m->name);
  } else if (!a->open) {
    struct hf_guard g;
    hf_guard_in(&g, c, a->mod, &a->object);
    st = a->tr->open(c, &b->tr, &a->session);
    hf_guard_out(&g, c);
    a->open = st == HF_OK;
    a->refused = st != HF_OK && st != HF_ECANCELED;
    if (a->open) st = hf_layers_transfer(c, &a->tr, &a->session);
  }
  pthread_mutex_unlock(&a->opening);
  return st;
}

hf_status hf_batch_finish(hf_call *c, struct hf_batch *b) {
  for (uint32_t k = 0; k < b->adapter_count; k++) {
    struct hf_adapter *a = &b->adapters[k];
    if (!a->open) continue;
    struct hf_guard g;
    hf_guard_in(&g, c, a->mod, &a->object);
    hf_status st = a->tr->finish(c, a->session);
    hf_guard_out(&g, c);
    if (st != HF_OK && st != HF_ENOSYS) return st;
    if (st == HF_ENOSYS) hf_call_clear(c);
  }
  return HF_OK;
}

void hf_batch_close(struct hf_batch *b) {
  for (uint32_t k = 0; k < b->adapter_count; k++) {
    struct hf_adapter *a = &b->adapters[k];
    if (a->open) {
      struct hf_guard g;
      hf_guard_in(&g, NULL, a->mod, &a->object);
      a->tr->close(a->session);
      hf_guard_out(&g, NULL);
    }
    pthread_mutex_destroy(&a->opening);
    pthread_mutex_destroy(&a->object);
  }
}

/* ---- running ---- */

static bool lacks(hf_call *c, struct hf_sink *s) {
  struct hf_range r;
  uint32_t n = 1;
  return s->missing(c, s, &r, &n) != HF_OK || n > 0;
}

/* Would another adapter fare better? Not when this machine, the user or the server's answer is the reason. */
static bool next_may_help(hf_call *c, hf_status st, const char *url) {
  if (hf_call_check(c) != HF_OK) return false;
  const struct hf_error *e = hf_call_error(c);
  bool of_network = st == HF_ENET || st == HF_ETIMEDOUT || st == HF_EHTTP;
  if (of_network && e && hf_url_same_origin(e->url, url)) return false; /* it would ask the same server again */
  switch (st) {
    case HF_ENET:
    case HF_ETIMEDOUT:
    case HF_EPROTO:
    case HF_ENOSYS:
    case HF_EINTERNAL:
    case HF_EABI: return true;
    case HF_EHTTP: return e && e->retryable;
    default: return false;
  }
}

static hf_status run_one(hf_call *c, struct hf_batch *b, uint32_t i, struct hf_adapter *a) {
  struct hf_file_job *j = &b->jobs[i];
  TRY(open_session(c, b, a));
  struct hf_guard g;
  hf_minder_running(b, i, c);
  hf_guard_in(&g, c, a->mod, &a->object);
  hf_status st = a->tr->run(c, a->session, &j->tr);
  hf_guard_out(&g, c);
  hf_minder_running(b, i, NULL);
  if (b->f->files[i].url) j->tr.url = b->f->files[i].url;
  if (st != HF_OK)
    return st > 0 ? hf_call_failf(c, HF_EABI, "adapter %s left %s open", a->mod->m->name, j->tr.path) : st;
  if (j->sink->size == HF_SIZE_UNKNOWN || !lacks(c, j->sink)) return HF_OK;
  return hf_call_failf(c, HF_EPROTO, "adapter %s ended before all of %s had arrived", a->mod->m->name, j->tr.path);
}

static hf_status run_adapters(hf_call *c, struct hf_batch *b, uint32_t i, uint32_t *last_used) {
  struct hf_file_job *j = &b->jobs[i];
  TRY(choose(c, b));
  uint32_t start = *last_used == HF_NO_ADAPTER ? 0 : *last_used + 1;
  for (uint32_t k = 0;; k++) {
    struct hf_adapter *a = &b->adapters[(start + k) % b->adapter_count];
    *last_used = (start + k) % b->adapter_count;
    hf_call *own = hf_call_branch(c);
    if (!own) return hf_call_failf(c, HF_ENOMEM, "no memory to fetch %s", j->tr.path);
    hf_status st = run_one(own, b, i, a);
    bool stalled = st != HF_OK && j->stalled && hf_call_check(c) == HF_OK;
    bool last = k + 1 == b->adapter_count;
    bool on = st != HF_OK && !last && (stalled || next_may_help(own, st, j->tr.url));
    const struct hf_error *e = hf_call_error(own);
    if (on)
      hf_call_log(c, HF_LOG_INFO, "%s: adapter %s gave up (%s), %s goes on", j->tr.path, a->mod->m->name,
                  stalled ? "no byte came"
                  : e     ? e->message
                          : hf_status_name(st),
                  b->adapters[(start + k + 1) % b->adapter_count].mod->m->name);
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
  if (tiers && b->f->tier_count) try_tiers(c, b, i);
  TRY(hf_call_check(c));
  return lacks(c, j->sink) ? run_adapters(c, b, i, last_used) : HF_OK;
}
