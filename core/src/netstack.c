/* netstack.c - loads hf-net.so from the library folder (never from the plugin search path: it sees every token) and opens
 * it with the runtime's configuration. Also what all requests share: rewrite rules and the origins that asked for patience.
 * A runtime that never makes a request or digest never gets here. */
#include <stdio.h>
#include <unistd.h>

#include "light.h"
#include "netstack.h"
#include "registry.h"
#include "url.h"

#define HELD_MAX 64u

struct held {
  char origin[280];
  uint64_t until_ns;
};
struct hf_netstack {
  pthread_mutex_t lock;
  const struct hf_net *module;
  void *stack;
  struct rewrite_rules *rules;
  const char *rules_wrong;
  struct held held[HELD_MAX];
  uint32_t held_count;
};

static struct hf_netstack *stack_of(hf_call *call) {
  hf_runtime *rt = call->rt;
  pthread_mutex_lock(&rt->lock);
  struct hf_netstack *ns = rt->net;
  if (ns == NULL && (ns = hf_mem_alloc(sizeof(*ns))) != NULL) {
    pthread_mutex_init(&ns->lock, NULL);
    ns->rules = rewrite_rules_read(hf_config_get(rt, "HF_URL_REWRITE"), &ns->rules_wrong);
    rt->net = ns;
  }
  pthread_mutex_unlock(&rt->lock);
  if (ns == NULL) hf_call_failf(call, HF_ENOMEM, "Out of memory for the network; close other programs.");
  return ns;
}

void hf_netstack_close(struct hf_netstack *ns) {
  if (ns == NULL) return;
  if (ns->stack != NULL) ns->module->close(ns->stack);
  rewrite_rules_free(ns->rules);
  pthread_mutex_destroy(&ns->lock);
  hf_mem_free(ns);
}

/* ---- the module --------------------------------------------------------------------------------------------------- */

static hf_status load(hf_call *call, struct hf_netstack *ns) {
  const struct hf_net *module = hf_library_module(call, "hf-net.so", HF_NET_SYMBOL);
  if (module == NULL) return hf_call_error(call)->code;
  if (module->abi != HF_NET_ABI || module->struct_size != sizeof(*module))
    return hf_call_failf(call, HF_EABI, "hf-net.so belongs to another version; install libhf again.");
  ns->module = module;
  return HF_OK;
}

static const struct hf_net *module_of(hf_call *call, struct hf_netstack *ns) {
  pthread_mutex_lock(&ns->lock);
  if (ns->module == NULL) load(call, ns);
  const struct hf_net *module = ns->module;
  pthread_mutex_unlock(&ns->lock);
  return module;
}

const struct hf_net *netstack_module(hf_call *call) {
  struct hf_netstack *ns = stack_of(call);
  return ns != NULL ? module_of(call, ns) : NULL;
}

static uint64_t amount(hf_runtime *rt, const char *key) {
  int64_t v = hf_config_int(rt, key, 0);
  return v > 0 ? (uint64_t)v : 0;
}

static uint32_t seconds(hf_runtime *rt, const char *key) {
  uint64_t s = amount(rt, key);
  return s > 86400 ? 86400000u : (uint32_t)s * 1000u;
}

/* HF_HUB_DOWNLOAD_TIMEOUT is the reference's word for it; it counts when somebody set it and not ours. */
static uint32_t silence(hf_runtime *rt) {
  bool ours = strcmp(hf_config_setting(rt, "HF_STALL_TIMEOUT").origin, "default") != 0;
  bool theirs = strcmp(hf_config_setting(rt, "HF_HUB_DOWNLOAD_TIMEOUT").origin, "default") != 0;
  return seconds(rt, theirs && !ours ? "HF_HUB_DOWNLOAD_TIMEOUT" : "HF_STALL_TIMEOUT");
}

static hf_status open_stack(hf_call *call, struct hf_netstack *ns) {
  hf_runtime *rt = call->rt;
  char why[512] = "";
  struct hf_net_config c = {
      .struct_size = sizeof(c),
      .ca_file = hf_config_get(rt, "SSL_CERT_FILE"),
      .ca_dir = hf_config_get(rt, "SSL_CERT_DIR"),
      .client_cert = hf_config_get(rt, "HF_CLIENT_CERT"),
      .client_key = hf_config_get(rt, "HF_CLIENT_KEY"),
      .proxy = hf_config_get(rt, "HF_PROXY"),
      .no_proxy = hf_config_get(rt, "HF_NO_PROXY"),
      .stall_ms = silence(rt),
      .connect_ms = seconds(rt, "HF_CONNECT_TIMEOUT"),
      .per_host = (uint32_t)(amount(rt, "HF_CONNECTIONS") & 0xffff),
      .rate_down = amount(rt, "HF_RATE_DOWN"),
      .rate_up = amount(rt, "HF_RATE_UP"),
      .light_self = hf_light_self,
      .light_park = hf_light_park,
      .light_wake = hf_light_wake,
  };
  if (hf_config_flag(rt, "HF_INSECURE")) c.flags |= HF_NET_INSECURE;
  if (hf_config_flag(rt, "HF_NO_HTTP2")) c.flags |= HF_NET_NO_HTTP2;
  hf_status st = ns->module->open(rt->host, &c, &ns->stack, why, sizeof(why));
  if (st != HF_OK) {
    ns->stack = NULL;
    return hf_call_failf(call, st, "The network cannot be used: %s.", why[0] != '\0' ? why : "out of memory");
  }
  if (c.flags & HF_NET_INSECURE)
    hf_log(rt, HF_LOG_WARNING, "Certificates are not checked (HF_INSECURE); no token is sent.");
  return HF_OK;
}

hf_status netstack_open(hf_call *call, const struct hf_net **module, void **stack) {
  struct hf_netstack *ns = stack_of(call);
  if (ns == NULL) return HF_ENOMEM;
  if (module_of(call, ns) == NULL) return hf_call_error(call)->code;
  pthread_mutex_lock(&ns->lock);
  hf_status st = ns->stack != NULL ? HF_OK : open_stack(call, ns);
  *module = ns->module;
  *stack = ns->stack;
  pthread_mutex_unlock(&ns->lock);
  return st;
}

uint32_t netstack_random(hf_call *call) {
  struct hf_netstack *ns = stack_of(call);
  if (ns == NULL) return (uint32_t)(hf_now_ns() >> 10);
  pthread_mutex_lock(&ns->lock);
  const struct hf_net *module = ns->module;
  pthread_mutex_unlock(&ns->lock);
  return module != NULL ? module->random32() : (uint32_t)(hf_now_ns() * 2654435761u >> 11);
}

const struct rewrite_rules *netstack_rules(hf_call *call) {
  struct hf_netstack *ns = stack_of(call);
  if (ns == NULL) return NULL;
  if (ns->rules == NULL) hf_call_failf(call, HF_EINVAL, "HF_URL_REWRITE cannot be used: %s.", ns->rules_wrong);
  return ns->rules;
}

/* ---- patience ----------------------------------------------------------------------------------------------------- */

/* The origin as text; false where the URL has none that fits. */
static bool origin_text(const char *url, char *out, size_t room) {
  struct url_pieces u;
  if (url_split(url, &u) != NULL || u.host.n + 32 > room) return false;
  snprintf(out, room, "%s://%.*s:%u", u.https ? "https" : "http", (int)u.host.n, u.host.p, (unsigned)u.port);
  return true;
}

static struct held *find_held(struct hf_netstack *ns, const char *origin) {
  for (uint32_t i = 0; i < ns->held_count; i++)
    if (strcmp(ns->held[i].origin, origin) == 0) return &ns->held[i];
  return NULL;
}

void netstack_hold(hf_call *call, const char *url, uint64_t ms) {
  struct hf_netstack *ns = stack_of(call);
  char origin[sizeof(ns->held[0].origin)];
  if (ns == NULL || !origin_text(url, origin, sizeof(origin))) return;
  uint64_t now = hf_now_ns(), until = now + ms * 1000000u;
  pthread_mutex_lock(&ns->lock);
  struct held *h = find_held(ns, origin);
  for (uint32_t i = 0; h == NULL && i < ns->held_count; i++)
    if (ns->held[i].until_ns <= now) h = &ns->held[i];
  if (h == NULL && ns->held_count < HELD_MAX) h = &ns->held[ns->held_count++];
  if (h != NULL && (strcmp(h->origin, origin) != 0 || h->until_ns < until)) {
    memcpy(h->origin, origin, sizeof(origin));
    h->until_ns = until;
  }
  pthread_mutex_unlock(&ns->lock);
}

hf_status netstack_wait(hf_call *call, const char *url) {
  struct hf_netstack *ns = stack_of(call);
  char origin[sizeof(ns->held[0].origin)];
  if (ns == NULL) return HF_ENOMEM;
  for (;;) {
    pthread_mutex_lock(&ns->lock);
    const struct held *h =
        ns->held_count > 0 && origin_text(url, origin, sizeof(origin)) ? find_held(ns, origin) : NULL;
    uint64_t until = h != NULL ? h->until_ns : 0, now = hf_now_ns();
    pthread_mutex_unlock(&ns->lock);
    if (until <= now) return HF_OK;
    TRY(hf_call_sleep(call, (until - now) / 1000000u + 1 + netstack_random(call) % 250u));
  }
}
