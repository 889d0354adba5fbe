/* adapters.c - choosing the adapters of a batch: those that the user names, in that order, else all that say they suit it, by
 * score. A session is opened when the first file needs it, once per batch; one that does not open is not asked again.
 * Which failures pass a file on to the next adapter is decided here. */
#include "adapters.h"

void hf_adapters_init(struct hf_adapters *a) {
  pthread_mutex_init(&a->choosing, NULL);
}

static void add_adapter(struct hf_adapters *a, struct hf_slot_module *mod, int32_t score) {
  if (a->count == HF_ADAPTERS_MOST) return;
  uint32_t at = a->count++;
  while (at > 0 && a->rows[at - 1].score < score) {
    a->rows[at] = a->rows[at - 1];
    at--;
  }
  a->rows[at] = (struct hf_adapter){.mod = mod, .tr = (const struct hf_transfer *)mod->m, .score = score};
}

struct asking {
  hf_call *c;
  struct hf_adapters *a;
  const struct hf_tr_batch *tr;
};

static int on_adapter(void *arg, const struct hf_plugin_info *info) {
  struct asking *n = arg;
  if (!(info->caps & n->tr->direction) || info->refused) return 0;
  hf_call *own = hf_call_branch(n->c);
  if (!own) return 1;
  struct hf_slot_module *mod;
  if (hf_module_get(own, HF_KIND_TRANSFER, info->name, &mod) == HF_OK) {
    struct hf_guard g;
    hf_guard_in(&g, own, mod, NULL);
    int32_t score = ((const struct hf_transfer *)mod->m)->score(own, n->tr);
    hf_guard_out(&g, own);
    if (score > 0) add_adapter(n->a, mod, score);
  } else {
    const struct hf_error *e = hf_call_error(own);
    hf_call_log(own, HF_LOG_WARNING, "transfer adapter %s cannot be used: %s", info->name,
                e ? e->message : "no reason given");
  }
  hf_call_branch_end(own, false);
  return 0;
}

static hf_status named_adapters(hf_call *c, struct hf_adapters *a, const struct hf_tr_batch *tr, const char *names) {
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
    if (!(mod->m->caps & tr->direction))
      return hf_call_failf(c, HF_EINVAL, "transfer adapter %s does not %s", name,
                           tr->direction == HF_TR_UPLOAD ? "upload" : "download");
    add_adapter(a, mod, rank);
  }
  return HF_OK;
}

hf_status hf_adapters_choose(hf_call *c, struct hf_adapters *a, const struct hf_tr_batch *tr, const char *names) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&a->choosing);
  if (!a->chosen) {
    if (!names) names = hf_call_get_option(c, "HF_TRANSFER");
    struct asking n = {c, a, tr};
    if (names && *names)
      st = named_adapters(c, a, tr, names);
    else
      hf_module_each(c->rt, HF_KIND_TRANSFER, on_adapter, &n);
    if (st == HF_OK && a->count == 0)
      st = hf_call_failf(c, HF_ENOTFOUND, "no transfer adapter is installed that can %s this: see 'hf plugin list'",
                         tr->direction == HF_TR_UPLOAD ? "send" : "fetch");
    for (uint32_t k = 0; k < a->count; k++) {
      pthread_mutex_init(&a->rows[k].opening, NULL);
      pthread_mutex_init(&a->rows[k].object, NULL);
    }
    a->chosen = st == HF_OK;
    if (st != HF_OK) a->count = 0;
  }
  pthread_mutex_unlock(&a->choosing);
  return st;
}

hf_status hf_adapter_open(hf_call *c, struct hf_adapter *a, const struct hf_tr_batch *tr) {
  hf_status st = HF_OK;
  pthread_mutex_lock(&a->opening);
  if (a->refused) {
    st = hf_call_failf(c, HF_ENOSYS, "transfer adapter %s did not open", a->mod->m->name);
  } else if (!a->open) {
    struct hf_guard g;
    hf_guard_in(&g, c, a->mod, &a->object);
    st = a->tr->open(c, tr, &a->session);
    hf_guard_out(&g, c);
    a->open = st == HF_OK;
    a->refused = st != HF_OK && st != HF_ECANCELED;
    if (a->open) st = hf_layers_around_session(c, &a->tr, &a->session);
  }
  pthread_mutex_unlock(&a->opening);
  return st;
}

bool hf_adapter_next_may_help(hf_call *c, hf_status st, const char *url) {
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

hf_status hf_adapters_finish(hf_call *c, struct hf_adapters *all) {
  for (uint32_t k = 0; k < all->count; k++) {
    struct hf_adapter *a = &all->rows[k];
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

void hf_adapters_close(struct hf_adapters *all) {
  for (uint32_t k = 0; k < all->count; k++) {
    struct hf_adapter *a = &all->rows[k];
    if (a->open) {
      struct hf_guard g;
      hf_guard_in(&g, NULL, a->mod, &a->object);
      a->tr->close(a->session);
      hf_guard_out(&g, NULL);
    }
    pthread_mutex_destroy(&a->opening);
    pthread_mutex_destroy(&a->object);
  }
  pthread_mutex_destroy(&all->choosing);
}
