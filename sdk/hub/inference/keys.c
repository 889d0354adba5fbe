/* keys.c - which key goes with a call. A token of the Hub, saved or from HF_TOKEN, goes to hosts of Hugging Face, and to
 * others only where a section of hf.conf says so; the key of a provider goes to that provider; only a key that is named for
 * the call goes where the call goes. Every key knows where it came from, for --trace. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth.h"
#include "infer.h"

bool inf_is_url(const char *s) {
  return s && (!strncmp(s, "http://", 7) || !strncmp(s, "https://", 8));
}

/* ---- hosts -------------------------------------------------------------------------------------------------------------- */

bool inf_hf_host(const char *url) {
  static const char *const hosts[] = {"huggingface.co", "hf.co"};
  static const char *const below[] = {".huggingface.co", ".endpoints.huggingface.cloud"};
  if (strncmp(url, "https://", 8)) return false;
  const char *host = url + 8;
  size_t n = strcspn(host, "/?#\\");
  if (memchr(host, '@', n)) return false;
  if (n > 4 && !strncmp(host + n - 4, ":443", 4)) n -= 4;
  for (size_t i = 0; i < HF_COUNT(hosts); i++)
    if (strlen(hosts[i]) == n && !strncasecmp(host, hosts[i], n)) return true;
  for (size_t i = 0; i < HF_COUNT(below); i++) {
    size_t k = strlen(below[i]);
    if (n > k && !strncasecmp(host + n - k, below[i], k)) return true;
  }
  return false;
}

static bool loopback(const char *host, size_t n) {
  static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
  for (size_t i = 0; i < HF_COUNT(names); i++) {
    size_t k = strlen(names[i]);
    if (n >= k && !strncasecmp(host, names[i], k) && (n == k || host[k] == ':')) return true;
  }
  return false;
}

/* What the section of hf.conf for this host says: "[models.example.com]", "[localhost:8080]". Over plain http only for
 * this machine; a URL with a user name has no section. */
static const char *section(hf_call *c, const char *url, const char *key) {
  char name[300];
  if (!inf_is_url(url)) return NULL;
  bool https = url[4] == 's';
  const char *host = url + (https ? 8 : 7);
  size_t n = strcspn(host, "/?#\\");
  if (memchr(host, '@', n) || !n || n >= sizeof name) return NULL;
  if (!https && !loopback(host, n)) return NULL;
  for (size_t i = 0; i < n; i++) name[i] = (char)tolower((unsigned char)host[i]);
  if (https && n > 4 && !strncmp(name + n - 4, ":443", 4)) n -= 4;
  char whole[sizeof name + 16];
  memcpy(whole, name, n);
  snprintf(whole + n, sizeof whole - n, ".%s", key);
  struct hf_setting s = hf_config_setting(hf_call_runtime(c), whole);
  return s.value && *s.value ? s.value : NULL;
}

static bool says_yes(const char *value) {
  static const char *const words[] = {"1", "on", "yes", "true"};
  for (size_t i = 0; value && i < HF_COUNT(words); i++)
    if (!strcasecmp(value, words[i])) return true;
  return false;
}

static bool may_see(hf_call *c, const char *url) {
  return inf_hf_host(url) || says_yes(section(c, url, "token"));
}

/* ---- where keys come from -------------------------------------------------------------------------------------------------- */

const char *inf_key_variable(hf_call *c, const char *provider, const char *key_env) {
  if (key_env) return key_env;
  char *name = (char *)(uintptr_t)hf_hub_text(c, "%s_API_KEY", provider);
  for (char *s = name; s && *s; s++) *s = isalnum((unsigned char)*s) ? (char)toupper((unsigned char)*s) : '_';
  return name;
}

static bool usable(const char *key) {
  return key && *key;
}

static hf_status check_key(struct inf *f) {
  for (const char *s = f->key; s && *s; s++)
    if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
      return inf_fail(f, HF_EINVAL, "ValueError", "The key holds a blank or a control character; copy it again.");
  return HF_OK;
}

static hf_status from_variable(struct inf *f, const char *name, const char *who) {
  f->key = getenv(name);
  f->key_origin = hf_hub_text(f->c, "environment %s", name);
  if (usable(f->key)) return check_key(f);
  return inf_fail(f, HF_EAUTH, "ValueError", "The environment variable %s holds no key; set it or drop %s.", name, who);
}

hf_status inf_endpoint_key(struct hf_hub *hub, const char *url, const char **key, const char **origin) {
  *key = *origin = NULL;
  const char *variable = section(hub->call, url, "api_key_env");
  if (variable && usable(getenv(variable))) {
    *key = getenv(variable);
    *origin = hf_hub_text(hub->call, "environment %s, by hf.conf", variable);
    return *origin ? HF_OK : HF_ENOMEM;
  }
  return may_see(hub->call, url) ? hf_hub_token_origin(hub, key, origin) : HF_OK;
}

/* The provider's own: its variable, or the store. */
static hf_status provider_key(struct inf *f) {
  const char *variable = inf_key_variable(f->c, f->provider, f->pv->key_env);
  if (!variable) return HF_ENOMEM;
  f->key_from = INF_PROVIDER_KEY;
  f->key = getenv(variable);
  if (usable(f->key)) {
    f->key_origin = hf_hub_text(f->c, "environment %s", variable);
    return check_key(f);
  }
  TRY(hf_provider_key(&f->hub, f->provider, &f->key));
  if (f->key) f->key_origin = hf_hub_text(f->c, "stored key of %s", f->provider);
  return check_key(f);
}

static hf_status find_key(struct inf *f) {
  const struct inf_ask *a = f->ask;
  f->key_from = INF_GIVEN_KEY;
  f->key_origin = "given for the call";
  if (usable(a->api_key)) return f->key = a->api_key, check_key(f);
  if (a->api_key_env) return from_variable(f, a->api_key_env, "--api-key-env");
  f->key = NULL;
  if (f->is_url) {
    TRY(inf_endpoint_key(&f->hub, f->model, &f->key, &f->key_origin));
    f->key_from = f->key ? INF_HUB_KEY : INF_NO_KEY;
    return check_key(f);
  }
  TRY(provider_key(f));
  if (f->key) return HF_OK;
  f->key_from = INF_NO_KEY;
  if (f->pv->flags & HF_PV_DIRECT_ONLY) return HF_OK;
  TRY(hf_hub_token_origin(&f->hub, &f->key, &f->key_origin));
  if (f->key) f->key_from = INF_HUB_KEY;
  return check_key(f);
}

/* ---- which way ----------------------------------------------------------------------------------------------------------------- */

/* Somebody put another address in the router's place: it gets what the Hub gets when it is where the Hub is said to be. */
static hf_status set_router(struct inf *f, bool *moved) {
  struct hf_setting s = hf_config_setting(hf_call_runtime(f->c), "HF_INFERENCE_ENDPOINT");
  const char *said = s.value;
  *moved = said && *said && strcmp(s.origin, "default") != 0 && !inf_hf_host(said);
  f->router = *moved ? said : INF_ROUTER;
  if (!*moved || inf_is_url(said)) return HF_OK;
  return inf_fail(f, HF_EINVAL, "ValueError", "HF_INFERENCE_ENDPOINT is no URL: %.200s", said);
}

static hf_status no_key(struct inf *f) {
  return inf_fail(f, HF_EAUTH, "ValueError",
                  "You must provide an api_key to work with %s API or log in with `hf auth login`.", f->provider);
}

static hf_status choose_direct(struct inf *f, bool hub) {
  if (hub)
    return inf_fail(
        f, HF_EAUTH, "ValueError",
        "%s is not called through Hugging Face: a token of the Hub is no key for it; give a key of its own.",
        f->provider);
  if (!f->key)
    return inf_fail(f, HF_EAUTH, "ValueError",
                    "You must provide an api_key to work with %s: set %s or run `hf auth login --provider %s`.",
                    f->provider, inf_key_variable(f->c, f->provider, f->pv->key_env), f->provider);
  return HF_OK;
}

hf_status inf_choose_key(struct inf *f) {
  bool moved, root = f->pv->flags & (HF_PV_ROUTER_ONLY | HF_PV_HUB_MODELS);
  TRY(set_router(f, &moved));
  TRY(find_key(f));
  bool hub = f->key && (f->key_from == INF_HUB_KEY || !strncmp(f->key, "hf_", 3));
  if (moved && !f->is_url && f->key && f->key_from != INF_GIVEN_KEY && (hub || root) && !may_see(f->c, f->router) &&
      !hf_url_same_origin(f->router, f->hub.endpoint)) {
    hf_host()->log(f->c, HF_LOG_INFO,
                   "No token is sent to %s: it is not where HF_ENDPOINT is, and hf.conf has no "
                   "section for it.",
                   f->router);
    f->key = f->key_origin = NULL;
    f->key_from = INF_NO_KEY;
    hub = false;
  }
  hf_host()->log(f->c, HF_LOG_DEBUG, "inference: %s goes with %s", f->provider, f->key ? f->key_origin : "no key");
  if (f->pv->flags & HF_PV_DIRECT_ONLY) return choose_direct(f, hub);
  bool optional = moved || f->pv->flags & HF_PV_KEY_OPTIONAL;
  if (!f->key && !optional) return no_key(f);
  if (f->key && !hub && f->pv->flags & HF_PV_ROUTER_ONLY)
    return inf_fail(f, HF_EAUTH, "ValueError",
                    "Cannot select auto-router when using non-Hugging Face API key: name a provider.");
  f->routed = f->pv->flags & HF_PV_ROUTER_ONLY || ((hub || !f->key) && !(f->pv->flags & HF_PV_HUB_MODELS));
  return HF_OK;
}
