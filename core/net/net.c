/* net.c - the network module's one exported object: opening and closing the stack, and the table of its functions.
 * Loaded by the core from the library folder only. A libcurl
 * with another TLS library than OpenSSL still works, with its own certificate store. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stack.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_state = CURLE_FAILED_INIT;

static void init_curl(void) {
  curl_state = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy(const char *s) {
  return s != NULL && s[0] != '\0' ? strdup(s) : NULL;
}

static void stack_close(void *net) {
  struct stack *s = net;
  if (s == NULL) return;
  stack_stop(s);
  for (uint32_t i = 0; i < s->idle_count; i++) curl_easy_cleanup(s->idle_easy[i]);
  if (s->multi != NULL) curl_multi_cleanup(s->multi);
  lanes_close(s);
  for (struct chunk *c = s->idle_chunks, *next; c != NULL; c = next) {
    next = c->next;
    free(c);
  }
  if (s->epoll >= 0) close(s->epoll);
  if (s->wake >= 0) close(s->wake);
  proxy_rules_close(s->proxies);
  trust_close(s->trust);
  free(s->client_cert);
  free(s->client_key);
  free(s->ca_file);
  pthread_cond_destroy(&s->slot_free);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

static void configure(struct stack *s, const struct hf_net_config *c) {
  s->flags = c->flags;
  s->stall_ms = c->stall_ms != 0 ? c->stall_ms : 30000;
  s->connect_ms = c->connect_ms != 0 ? c->connect_ms : 10000;
  s->per_host = c->per_host != 0 ? c->per_host : 16;
  s->rate[0] = c->rate_down;
  s->rate[1] = c->rate_up;
  s->light_self = c->light_self;
  s->light_park = c->light_park;
  s->light_wake = c->light_wake;
  s->client_cert = copy(c->client_cert);
  s->client_key = copy(c->client_key);
  s->ca_file = copy(c->ca_file != NULL ? c->ca_file : getenv("SSL_CERT_FILE"));
  s->proxies = proxy_rules_open(c->proxy, c->no_proxy);
}

static hf_status stack_open(const struct hf_host *host, const struct hf_net_config *config, void **out, char *why,
                            size_t why_len) {
  *out = NULL;
  pthread_once(&curl_once, init_curl);
  struct stack *s = calloc(1, sizeof(*s));
  if (s == NULL) return HF_ENOMEM;
  s->host = host;
  pthread_mutex_init(&s->lock, NULL);
  cond_init(&s->slot_free);
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  configure(s, config);
  if (curl_state == CURLE_OK) s->multi = curl_multi_init();
  if (s->multi == NULL || s->epoll < 0 || s->wake < 0 || s->proxies == NULL) {
    snprintf(why, why_len, "cannot set up the network: out of memory or descriptors");
    stack_close(s);
    return HF_ENOMEM;
  }
  curl_multi_setopt(s->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, 64L);
  const curl_version_info_data *v = curl_version_info(CURLVERSION_NOW);
  if (v->ssl_version != NULL && strncmp(v->ssl_version, "OpenSSL/", 8) == 0) {
    hf_status st = trust_open(config->ca_file, config->ca_dir, &s->trust, why, why_len);
    if (st != HF_OK) {
      stack_close(s);
      return st;
    }
  }
  *out = s;
  return HF_OK;
}

HF_EXPORT extern const struct hf_net hf_net_v1;
const struct hf_net hf_net_v1 = {
    .struct_size = sizeof(struct hf_net),
    .abi = HF_NET_ABI,
    .version = "libcurl/" LIBCURL_VERSION,
    .open = stack_open,
    .close = stack_close,
    .perform = stack_perform,
    .digest_new = digest_new,
    .digest_add = digest_add,
    .digest_end = digest_end,
    .random32 = random32,
};
