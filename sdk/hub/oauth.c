/* oauth.c - the server's sign-in routes: a device code for the browser (RFC 8628), refreshing a token that came from it,
 * exchanging a CI job's identity (RFC 8693).
 * No request here carries a token of the user; what it sends or receives is secret and goes into bodies only. */
#include "auth.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DEVICE_CLIENT  "26be6b09-91c5-47da-9861-d2d2bb7a7e36"
#define DEVICE_GRANT   "urn:ietf:params:oauth:grant-type:device_code"
#define EXCHANGE_GRANT "urn:ietf:params:oauth:grant-type:token-exchange"
#define ID_TOKEN_TYPE  "urn:ietf:params:oauth:token-type:id_token"
#define REFRESH_MARGIN (24 * 3600)
#define RECHECK        300
#define OIDC_MARGIN    300
#define SECONDS_MAX    (10LL * 365 * 24 * 3600)

/* One request without credentials; status of any kind is an answer when `any`. */
static hf_status send_open(struct hf_hub *hub, const char *method, const char *url, const char *type, const char *body,
                           bool any, struct hf_http_resp *resp) {
  const char *agent = hf_hub_user_agent(hub);
  struct hf_hub open = *hub;
  int64_t seconds = hf_hub_number(hub->call, "HF_HUB_DOWNLOAD_TIMEOUT", 10);
  if (!agent) return HF_ENOMEM;
  TRY(hf_call_header(hub->call, "user-agent", agent));
  open.ready = true; /* headers are; credentials are not wanted */
  return hf_hub_send(
      &open,
      &(struct hf_hub_req){.method = method,
                           .url = url,
                           .type = type,
                           .body = body,
                           .body_len = body ? strlen(body) : 0,
                           .tries = 1,
                           .timeout_ms = (uint32_t)(seconds > 0 && seconds < 3600 ? seconds * 1000 : 10000),
                           .flags = HF_HTTP_NO_AUTH | (any ? HF_HTTP_ANY_STATUS : 0),
                           .stay = true},
      resp);
}

static hf_status post_form(struct hf_hub *hub, const char *path, const char *form, bool any,
                           struct hf_http_resp *resp) {
  const char *url = hf_hub_text(hub->call, "%s%s", hub->endpoint, path);
  if (!url || !form) return HF_ENOMEM;
  return send_open(hub, "POST", url, "application/x-www-form-urlencoded", form, any, resp);
}

static const char *client_id(hf_call *c) {
  const char *set = getenv("HF_DEVICE_CODE_OAUTH_CLIENT_ID");
  return set ? hf_host()->intern(c, set, SIZE_MAX) : DEVICE_CLIENT;
}

/* A copy in the arena of a string that may be shown on a terminal or sent back; NULL: not there, or not such a string. */
static const char *word(hf_call *c, const json_t *answer, const char *key) {
  const char *text = hf_hub_get(answer, key);
  if (!text || !*text) return NULL;
  for (const char *s = text; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f) return NULL;
  return hf_host()->intern(c, text, SIZE_MAX);
}

static int64_t seconds(const json_t *answer, const char *key, int64_t deflt) {
  const json_t *v = json_object_get(answer, key);
  double n = json_is_number(v) ? json_number_value(v) : -1;
  return n >= 0 && n <= (double)SECONDS_MAX ? (int64_t)n : deflt;
}

static bool grant_read(hf_call *c, const json_t *answer, struct hf_oauth_grant *g) {
  g->access_token = word(c, answer, "access_token");
  g->refresh_token = word(c, answer, "refresh_token");
  g->expires_in = seconds(answer, "expires_in", 0);
  return g->access_token != NULL;
}

/* ---- device code -------------------------------------------------------------------------------------------------------------- */

static hf_status device_failed(hf_call *c, const char *text) {
  hf_host()->clear(c);
  return hf_hub_fail(c, HF_EAUTH, "DeviceCodeError", "%s", text ? text : "Out of memory.");
}

hf_status hf_oauth_device(struct hf_hub *hub, struct hf_oauth_device *d) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  struct hf_error e;
  json_t *answer = NULL;
  const char *url = hf_hub_text(c, "%s/oauth/device", hub->endpoint);
  hf_status st = post_form(hub, "/oauth/device", hf_hub_query(c, "", "client_id", client_id(c)), false, &resp);
  if (st == HF_OK) st = hf_hub_parse(c, resp.body, resp.body_len, url, &answer);
  if (st != HF_OK) {
    TRY(hf_hub_error_keep(c, &e));
    if (e.code == HF_ECANCELED || e.code == HF_ENOMEM) return st;
    return device_failed(c, hf_hub_text(c, "Failed to request device code from %s: %s", url, e.message));
  }
  *d = (struct hf_oauth_device){.device_code = word(c, answer, "device_code"),
                                .user_code = word(c, answer, "user_code"),
                                .uri = word(c, answer, "verification_uri_complete"),
                                .interval = seconds(answer, "interval", 5),
                                .expires_in = seconds(answer, "expires_in", 900)};
  if (!d->uri) d->uri = word(c, answer, "verification_uri");
  json_decref(answer);
  if (!d->device_code || !d->user_code || !d->uri || (strncmp(d->uri, "https://", 8) && strncmp(d->uri, "http://", 7)))
    return device_failed(c, hf_hub_text(c, "The answer of %s holds no device code; check HF_ENDPOINT.", url));
  return HF_OK;
}

/* The next answer: HF_OK a grant, HF_PENDING not yet (or nothing to go by), else the end. */
static hf_status poll_once(struct hf_hub *hub, const char *form, struct hf_oauth_grant *g, const char **error) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  json_t *answer = NULL;
  *error = NULL;
  hf_status st = post_form(hub, "/oauth/token", form, true, &resp);
  if (st == HF_OK && resp.status >= 500) return HF_PENDING;
  if (st == HF_OK) st = hf_hub_parse(c, resp.body, resp.body_len, "/oauth/token", &answer);
  if (st != HF_OK) { /* a network that fails for a moment must not end the sign-in: the code's age does */
    if (st == HF_ENOMEM || st == HF_EOFFLINE || hf_host()->check(c) != HF_OK) return st;
    hf_host()->clear(c);
    return HF_PENDING;
  }
  st = grant_read(c, answer, g) ? HF_OK : HF_PENDING;
  if (st != HF_OK) {
    const char *description = word(c, answer, "error_description");
    *error = word(c, answer, "error");
    if (*error && strcmp(*error, "authorization_pending") && strcmp(*error, "slow_down")) {
      if (!strcmp(*error, "expired_token"))
        st = device_failed(c, "Device code expired. Please try again.");
      else if (!strcmp(*error, "access_denied"))
        st = device_failed(c, "Authorization was denied. Please try again.");
      else
        st = device_failed(c, hf_hub_text(c, "OAuth error: %s - %s", *error, description ? description : ""));
    }
  }
  json_decref(answer);
  return st;
}

static hf_status pause_for(hf_call *c, int64_t ms) {
  uint64_t until = hf_host()->now_ns() + (uint64_t)ms * 1000000;
  while (hf_host()->now_ns() < until) {
    uint64_t left = until - hf_host()->now_ns();
    TRY(hf_host()->check(c));
    nanosleep(&(struct timespec){.tv_nsec = left < 50000000 ? (long)left : 50000000}, NULL);
  }
  return HF_OK;
}

hf_status hf_oauth_poll(struct hf_hub *hub, const struct hf_oauth_device *d, void (*pending)(void *), void *arg,
                        struct hf_oauth_grant *g) {
  hf_call *c = hub->call;
  const char *form = hf_hub_query(c, "", "grant_type", DEVICE_GRANT);
  if (form) form = hf_hub_query(c, form, "device_code", d->device_code);
  if (form) form = hf_hub_query(c, form, "client_id", client_id(c));
  if (!form) return HF_ENOMEM;
  int64_t interval = d->interval, life = d->expires_in < 86400 ? d->expires_in : 86400;
  uint64_t end = hf_host()->now_ns() + (uint64_t)life * 1000000000;
  while (hf_host()->now_ns() < end) {
    const char *error;
    hf_status st = poll_once(hub, form, g, &error);
    if (st != HF_PENDING) return st;
    if (error && !strcmp(error, "authorization_pending") && pending) pending(arg);
    if (error && !strcmp(error, "slow_down")) interval += 5;
    TRY(pause_for(c, interval ? interval * 1000 : 100));
  }
  return device_failed(c, "Device code expired (timeout). Please try again.");
}

/* ---- OIDC ------------------------------------------------------------------------------------------------------------------------ */

/* What this process has exchanged: asking for each operation again would be slow, and is limited by the server. */
static struct {
  pthread_mutex_t lock;
  char resource[512], endpoint[512], token[16384];
  uint64_t until_ns;
} exchanged = {.lock = PTHREAD_MUTEX_INITIALIZER};

static hf_status github_token(struct hf_hub *hub, const char **token) {
  hf_call *c = hub->call;
  const char *url = getenv("ACTIONS_ID_TOKEN_REQUEST_URL"), *secret = getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
  if (!url || !*url || !secret || !*secret)
    return hf_hub_fail(c, HF_EAUTH, "OIDCError",
                       "Cannot request an OIDC id token from GitHub Actions. Make sure the workflow job sets "
                       "`permissions: id-token: write`. See "
                       "https://docs.github.com/en/actions/deployment/security-hardening-your-deployments/"
                       "about-security-hardening-with-openid-connect");
  const char *bearer = hf_hub_text(c, "Bearer %s", secret), *query = hf_hub_query(c, "", "audience", hub->endpoint);
  const char *whole = query ? hf_hub_text(c, "%s%c%s", url, strchr(url, '?') ? '&' : '?', query) : NULL;
  const char *agent = hf_hub_user_agent(hub);
  if (!bearer || !whole || !agent) return HF_ENOMEM;
  TRY(hf_call_header(c, "user-agent", agent));
  TRY(hf_call_credential(c, url, "authorization", bearer));
  struct hf_hub job = *hub;
  job.ready = true;
  json_t *answer;
  hf_status st = hf_hub_json(&job, &(struct hf_hub_req){.url = whole, .stay = true}, &answer);
  if (hf_call_credential(c, url, "authorization", NULL) != HF_OK && st == HF_OK) st = HF_ENOMEM;
  if (st != HF_OK) return st;
  *token = word(c, answer, "value");
  json_decref(answer);
  return *token ? HF_OK : hf_hub_fail(c, HF_EPROTO, "OIDCError", "GitHub Actions answered without an id token.");
}

static hf_status exchange(struct hf_hub *hub, const char *resource, const char *subject, struct hf_oauth_grant *g) {
  hf_call *c = hub->call;
  const char *url = hf_hub_text(c, "%s/oauth/token", hub->endpoint);
  json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "grant_type", EXCHANGE_GRANT, "subject_token_type", ID_TOKEN_TYPE,
                           "subject_token", subject, "resource", resource),
         *answer = NULL;
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  struct hf_http_resp resp;
  hf_status st = url && text ? send_open(hub, "POST", url, "application/json", text, false, &resp)
                             : hf_hub_fail(c, HF_EINVAL, "OIDCError", "HF_OIDC_RESOURCE or the id token is not UTF-8.");
  json_decref(body);
  if (text) explicit_bzero(text, strlen(text));
  free(text);
  if (st == HF_OK) st = hf_hub_parse(c, resp.body, resp.body_len, url, &answer);
  if (st == HF_OK && !grant_read(c, answer, g))
    st = hf_hub_fail(c, HF_EPROTO, "OIDCError", "The answer of %s holds no token; check HF_ENDPOINT.", url);
  if (st == HF_OK && !json_object_get(answer, "expires_in")) g->expires_in = 3600;
  json_decref(answer);
  return st;
}

static hf_status oidc_locked(struct hf_hub *hub, const char *resource, const char **token) {
  hf_call *c = hub->call;
  if (!strcmp(exchanged.resource, resource) && !strcmp(exchanged.endpoint, hub->endpoint) &&
      hf_host()->now_ns() < exchanged.until_ns) {
    *token = hf_host()->intern(c, exchanged.token, SIZE_MAX);
    return *token ? HF_OK : HF_ENOMEM;
  }
  const char *subject = getenv("HF_OIDC_ID_TOKEN"), *ci = getenv("GITHUB_ACTIONS");
  bool given = subject && *subject;
  if (!given && !(ci && !strcmp(ci, "true")))
    return hf_hub_fail(
        c, HF_EAUTH, "OIDCError",
        "HF_OIDC_RESOURCE is set but no OIDC id token is available: not running in a supported CI provider (github) "
        "and HF_OIDC_ID_TOKEN is not set. Set HF_OIDC_ID_TOKEN to the id token minted by your CI provider, or unset "
        "HF_OIDC_RESOURCE.");
  struct hf_oauth_grant g;
  if (!given) TRY(github_token(hub, &subject));
  TRY(exchange(hub, resource, subject, &g));
  *token = g.access_token;
  /* a ready-made id token cannot be had again: its exchange is used to the end */
  int64_t life = given ? g.expires_in : g.expires_in > OIDC_MARGIN ? g.expires_in - OIDC_MARGIN : 0;
  if (strlen(resource) < sizeof exchanged.resource && strlen(hub->endpoint) < sizeof exchanged.endpoint &&
      strlen(*token) < sizeof exchanged.token) {
    snprintf(exchanged.resource, sizeof exchanged.resource, "%s", resource);
    snprintf(exchanged.endpoint, sizeof exchanged.endpoint, "%s", hub->endpoint);
    snprintf(exchanged.token, sizeof exchanged.token, "%s", *token);
    exchanged.until_ns = hf_host()->now_ns() + (uint64_t)life * 1000000000;
  }
  return HF_OK;
}

hf_status hf_oauth_oidc(struct hf_hub *hub, const char **token) {
  const char *resource = getenv("HF_OIDC_RESOURCE");
  *token = NULL;
  if (!resource || !*resource) return HF_OK;
  pthread_mutex_lock(&exchanged.lock);
  hf_status st = oidc_locked(hub, resource, token);
  pthread_mutex_unlock(&exchanged.lock);
  return st;
}

/* ---- refreshing ------------------------------------------------------------------------------------------------------------------ */

/* A refresh that failed is not tried again at once by the same process. */
static struct {
  pthread_mutex_t lock;
  char token[16384];
  int64_t until; /* INT64_MAX: never again */
  bool warned;
} gave_up = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t expires_at(const json_t *section) {
  const char *text = hf_hub_get(section, "expires_at");
  char *end = NULL;
  long long n = text ? strtoll(text, &end, 10) : 0;
  return text && end != text && !*end && n > 0 ? n : 0;
}

static json_t *section_of(json_t *all, const char *token, const char **name) {
  json_t *section;
  json_object_foreach(all, *name, section) {
    const char *have = hf_hub_get(section, "hf_token");
    if (have && !strcmp(have, token)) return section;
  }
  return NULL;
}

struct refresh {
  const char *token, *name;
  const char *fresh;  /* the answer */
  const char *denied; /* OAuth error of a refusal */
  bool changed;
};

static hf_status ask_fresh(struct hf_hub *hub, struct refresh *r, const char *secret, struct hf_oauth_grant *g) {
  hf_call *c = hub->call;
  struct hf_http_resp resp;
  json_t *answer = NULL;
  const char *form = hf_hub_query(c, "", "grant_type", "refresh_token");
  if (form) form = hf_hub_query(c, form, "refresh_token", secret);
  if (form) form = hf_hub_query(c, form, "client_id", client_id(c));
  TRY(post_form(hub, "/oauth/token", form, true, &resp));
  TRY(hf_hub_parse(c, resp.body, resp.body_len, "/oauth/token", &answer));
  hf_status st = HF_OK;
  if (!grant_read(c, answer, g)) {
    const char *why = word(c, answer, "error"), *more = word(c, answer, "error_description");
    r->denied = why;
    st = hf_hub_fail(c, HF_EAUTH, "DeviceCodeError", "Failed to refresh access token: %s - %s",
                     why ? why : hf_hub_text(c, "%u", resp.status), more ? more : "");
  }
  json_decref(answer);
  return st;
}

static hf_status refresh_locked(struct hf_hub *hub, void *arg, json_t *all) {
  struct refresh *r = arg;
  hf_call *c = hub->call;
  json_t *section = json_object_get(all, r->name);
  const char *have = hf_hub_get(section, "hf_token"), *secret = hf_hub_get(section, "refresh_token");
  if (!have || strcmp(have, r->token) || !secret) { /* another process was here */
    r->fresh = have && *have ? hf_host()->intern(c, have, SIZE_MAX) : r->token;
    return HF_PENDING;
  }
  struct hf_oauth_grant g;
  char until[24];
  secret = hf_host()->intern(c, secret, SIZE_MAX);
  if (!secret) return HF_ENOMEM;
  TRY(ask_fresh(hub, r, secret, &g));
  snprintf(until, sizeof until, "%lld", (long long)time(NULL) + (long long)g.expires_in);
  json_t *made =
      json_pack("{s:s, s:s}", "hf_token", g.access_token, "refresh_token", g.refresh_token ? g.refresh_token : secret);
  if (g.expires_in) json_object_set_new(made, "expires_at", json_string(until));
  if (!made || json_object_set_new(all, r->name, made)) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  r->fresh = g.access_token;
  r->changed = true;
  return HF_OK;
}

static void give_up(struct hf_hub *hub, const struct refresh *r, int64_t now) {
  struct hf_error e;
  bool dead = r->denied && !strcmp(r->denied, "invalid_grant");
  if (hf_hub_error_keep(hub->call, &e) == HF_OK && hf_host()->check(hub->call) == HF_OK) hf_host()->clear(hub->call);
  if (dead)
    hf_hub_log(hub, HF_LOG_WARNING,
               "Your Hugging Face access token has expired and could not be refreshed (session expired or revoked). "
               "Run `hf auth login` to re-authenticate. (%s)",
               e.message ? e.message : "");
  else if (!gave_up.warned)
    hf_hub_log(hub, HF_LOG_WARNING, "Could not refresh your Hugging Face access token: %s. Will retry later.",
               e.message ? e.message : "");
  gave_up.warned |= !dead;
  snprintf(gave_up.token, sizeof gave_up.token, "%s", r->token);
  gave_up.until = dead ? INT64_MAX : now + RECHECK;
}

static const char *renew(struct hf_hub *hub, const char *token, const char *name) {
  hf_call *c = hub->call;
  struct refresh r = {.token = token, .name = name};
  int64_t now = (int64_t)time(NULL);
  if (!strcmp(gave_up.token, token) && now < gave_up.until) return token;
  hf_status st = hf_tokens_change(hub, true, refresh_locked, &r);
  if (st == HF_OK && r.changed) {
    hf_hub_log(hub, HF_LOG_INFO, "The token `%s` has been saved to %s", name, hf_tokens_path(c));
    const char *active = hf_token_active(c);
    if (active && !strcmp(active, token)) st = hf_secret_write(c, hf_token_path(c), r.fresh, strlen(r.fresh));
    if (st == HF_OK) hf_hub_log(hub, HF_LOG_INFO, "Access token `%s` has been refreshed.", name);
  }
  if (st != HF_OK) give_up(hub, &r, now);
  return r.fresh ? r.fresh : token;
}

const char *hf_oauth_refresh(struct hf_hub *hub, const char *token) {
  hf_call *c = hub->call;
  json_t *all = NULL;
  const char *name = NULL;
  if (hf_host()->error(c) || hf_tokens_load(hub, &all) != HF_OK) {
    if (hf_host()->check(c) == HF_OK) hf_host()->clear(c);
    return token;
  }
  json_t *section = section_of(all, token, &name);
  int64_t end = expires_at(section);
  bool near = section && hf_hub_get(section, "refresh_token") && end && end - REFRESH_MARGIN <= (int64_t)time(NULL);
  const char *known = near ? hf_host()->intern(c, name, SIZE_MAX) : NULL;
  if (!section) { /* replaced by another process since it was read? */
    const char *now = hf_token_active(c);
    if (now) token = now;
  }
  json_decref(all);
  if (!known) return token;
  pthread_mutex_lock(&gave_up.lock);
  token = renew(hub, token, known);
  pthread_mutex_unlock(&gave_up.lock);
  return token;
}
