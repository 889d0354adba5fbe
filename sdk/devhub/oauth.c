/* oauth.c - signing in: device codes, their tokens, refresh, and the exchange of a CI's identity for a token.
 * A user code is approved or denied at /_devhub/oauth, or by itself when the server is told so there. Everything is kept in
 * memory; secrets are never logged. How long things live, and who signs in, can be set by tests. */
#include "body.h"
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum code_state { CODE_PENDING, CODE_APPROVED, CODE_DENIED, CODE_EXPIRED, CODE_USED };
static const char *const state_names[] = {"pending", "approved", "denied", "expired", "used"};

struct device_code {
  char device[60], user[10], who[97];
  enum code_state state;
  double expires, next_poll, interval;
  struct device_code *next;
};

struct refresh {
  char sha256[65], who[97];
  struct refresh *next;
};

struct oauth {
  pthread_mutex_t lock;
  struct device_code *codes;
  struct refresh *refreshes;
  int64_t interval, code_seconds, token_seconds;
  char automatic[16], who[97]; /* approve or deny every new code; who signs in then */
  bool exchange_denied;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct oauth *dh_oauth_new(void) {
  struct oauth *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  pthread_mutex_init(&o->lock, NULL);
  o->interval = 5;
  o->code_seconds = 900;
  o->token_seconds = 28800;
  return o;
}

void dh_oauth_free(struct oauth *o) {
  if (!o) return;
  while (o->codes) {
    struct device_code *c = o->codes;
    o->codes = c->next;
    free(c);
  }
  while (o->refreshes) {
    struct refresh *f = o->refreshes;
    o->refreshes = f->next;
    free(f);
  }
  pthread_mutex_destroy(&o->lock);
  free(o);
}

static bool secret_make(const char *prefix, char out[60]) {
  unsigned char random[20];
  char hex[41];
  if (!dh_random(random, sizeof random)) return false;
  dh_hex(hex, random, sizeof random);
  snprintf(out, 60, "%s%s", prefix, hex);
  return true;
}

static bool user_code_make(char out[10]) {
  static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
  unsigned char random[8];
  if (!dh_random(random, sizeof random)) return false;
  for (size_t i = 0, k = 0; i < 8; i++) {
    if (i == 4) out[k++] = '-';
    out[k++] = letters[random[i] % 20];
  }
  out[9] = 0;
  return true;
}

static void who_set(struct request *r, char out[97], const char *who) {
  struct access *a = &r->server->access;
  if (!who || !*who) who = a->tokens ? a->tokens->name : a->open.name;
  snprintf(out, 97, "%s", who);
}

void dh_oauth_device(struct request *r) {
  struct oauth *o = r->server->oauth;
  struct device_code *c = calloc(1, sizeof *c);
  json_t *form = dh_body_form(r), *url = NULL;
  char secret[60];
  if (!*dh_json_text(form, "client_id", "")) {
    dh_reply_json(r, 400,
                  json_pack("{s:s, s:s}", "error", "invalid_request", "error_description", "client_id is required"));
  } else if (!c || !secret_make("", secret) || !user_code_make(c->user)) {
    dh_reply_failed(r, STORE_FAILED);
  } else {
    snprintf(c->device, sizeof c->device, "%s", secret);
    pthread_mutex_lock(&o->lock);
    c->expires = now() + (double)o->code_seconds;
    c->interval = (double)o->interval;
    if (o->automatic[0]) c->state = strcmp(o->automatic, "approve") == 0 ? CODE_APPROVED : CODE_DENIED;
    who_set(r, c->who, o->who);
    c->next = o->codes;
    o->codes = c;
    struct text t = {0};
    dh_origin(r, &t, ORIGIN_HUB);
    dh_text_str(&t, "/oauth/device");
    char *page = dh_text_take(&t);
    url = json_string(page ? page : "");
    free(page);
    dh_reply_json(
        r, 200,
        json_pack("{s:s, s:s, s:O, s:o, s:I, s:I}", "device_code", c->device, "user_code", c->user, "verification_uri",
                  url, "verification_uri_complete", json_sprintf("%s?user_code=%s", json_string_value(url), c->user),
                  "expires_in", (json_int_t)o->code_seconds, "interval", (json_int_t)o->interval));
    pthread_mutex_unlock(&o->lock);
    c = NULL;
  }
  json_decref(url);
  json_decref(form);
  free(c);
}

void dh_oauth_page(struct request *r) {
  struct text t = {0};
  const char *code = dh_request_parameter(r, "user_code");
  dh_text_str(&t, "To sign this device in, run:\n\n  curl -d '{\"user_code\":\"");
  dh_text_percent(&t, code ? code : "CODE", "");
  dh_text_addf(&t, "\",\"action\":\"approve\"}' %s/_devhub/oauth\n", r->server->url[ORIGIN_HUB]);
  dh_reply_text(r, 200, "text/plain; charset=utf-8", &t);
}

static void oauth_error(struct request *r, const char *error, const char *description) {
  dh_reply_json(r, 400, json_pack("{s:s, s:s}", "error", error, "error_description", description));
}

/* With the lock held: a new access token for this user, and a refresh token unless it is not wanted. */
static bool tokens_issue(struct request *r, const char *who, const char *prefix, bool refreshable, json_t **out) {
  struct oauth *o = r->server->oauth;
  struct access *a = &r->server->access;
  const struct token *known = dh_access_user(a, who);
  struct token t = known ? *known : (struct token){.role = ROLE_WRITE};
  char secret[60], again[60];
  if (a->count == 0) t.everything = true;
  snprintf(t.name, sizeof t.name, "%s", who);
  snprintf(t.display, sizeof t.display, "%s", who);
  t.oauth = true;
  t.expired = false;
  t.expires = dh_now() + o->token_seconds;
  struct refresh *f = calloc(1, sizeof *f);
  if (!f || !secret_make(prefix, secret) || !secret_make("hf_refresh_", again) ||
      !dh_sha256(again, strlen(again), f->sha256) || (a->count > 0 && !dh_access_issue(a, &t, secret))) {
    free(f);
    return false;
  }
  snprintf(f->who, sizeof f->who, "%s", who);
  *out = json_pack("{s:s, s:s, s:I, s:s}", "access_token", secret, "token_type", "bearer", "expires_in",
                   (json_int_t)o->token_seconds, "scope", "openid profile read-repos write-repos");
  if (!refreshable) {
    free(f);
    return true;
  }
  json_object_set_new(*out, "refresh_token", json_string(again));
  f->next = o->refreshes;
  o->refreshes = f;
  return true;
}

static void reply_tokens(struct request *r, const char *who, const char *prefix, bool refreshable) {
  json_t *answer = NULL;
  if (tokens_issue(r, who, prefix, refreshable, &answer))
    dh_reply_json(r, 200, answer);
  else
    dh_reply_failed(r, STORE_FAILED);
}

/* With the lock held. */
static void grant_device(struct request *r, const json_t *form) {
  struct oauth *o = r->server->oauth;
  const char *device = dh_json_text(form, "device_code", "");
  struct device_code *c = o->codes;
  double moment = now();
  while (c && strcmp(c->device, device) != 0) c = c->next;
  if (!c || c->state == CODE_USED) {
    oauth_error(r, "invalid_grant", "This device code is not known");
  } else if (c->state == CODE_EXPIRED || moment >= c->expires) {
    oauth_error(r, "expired_token", "The device code has expired");
  } else if (c->state == CODE_DENIED) {
    oauth_error(r, "access_denied", "The sign-in was denied");
  } else if (moment < c->next_poll) {
    c->interval += 5;
    c->next_poll = moment + c->interval * 0.8;
    oauth_error(r, "slow_down", "Poll less often");
  } else if (c->state == CODE_PENDING) {
    c->next_poll = moment + c->interval * 0.8;
    oauth_error(r, "authorization_pending", "The sign-in has not been approved yet");
  } else {
    c->state = CODE_USED;
    reply_tokens(r, c->who, "hf_oauth_", true);
  }
}

/* With the lock held. A refresh token is good once. */
static void grant_refresh(struct request *r, const json_t *form) {
  struct oauth *o = r->server->oauth;
  const char *secret = dh_json_text(form, "refresh_token", "");
  char sha256[65];
  struct refresh **at = &o->refreshes;
  if (!dh_sha256(secret, strlen(secret), sha256)) sha256[0] = 0;
  while (*at && strcmp((*at)->sha256, sha256) != 0) at = &(*at)->next;
  struct refresh *f = *at;
  if (!f) {
    oauth_error(r, "invalid_grant", "The refresh token is expired or revoked");
    return;
  }
  *at = f->next;
  reply_tokens(r, f->who, "hf_oauth_", true);
  free(f);
}

/* With the lock held. The resource names the repo, or the user, the token is for. */
static void grant_exchange(struct request *r, const json_t *form) {
  struct oauth *o = r->server->oauth;
  const char *resource = dh_json_text(form, "resource", "");
  char who[97];
  if (!*dh_json_text(form, "subject_token", "") || !*resource) {
    oauth_error(r, "invalid_request", "subject_token and resource are required");
  } else if (o->exchange_denied) {
    oauth_error(r, "invalid_grant", "No trusted publisher matches this identity");
  } else {
    const char *slash = strrchr(resource, '/'), *space = resource;
    if (slash)
      for (const char *s = resource; (s = strchr(s, '/')) && s < slash; s++) space = s + 1;
    snprintf(who, sizeof who, "%.*s", (int)strcspn(space, "/"), space);
    reply_tokens(r, who, "hf_jwt_", false);
  }
}

static const struct grant {
  const char *type;
  void (*make)(struct request *r, const json_t *form);
} grants[] = {
    {"urn:ietf:params:oauth:grant-type:device_code", grant_device},
    {"refresh_token", grant_refresh},
    {"urn:ietf:params:oauth:grant-type:token-exchange", grant_exchange},
};

void dh_oauth_token(struct request *r) {
  const char *type = dh_request_header(r, "Content-Type");
  json_t *form = type && strncmp(type, "application/json", 16) == 0 ? dh_body_object(r) : dh_body_form(r);
  if (!form) return;
  const char *grant = dh_json_text(form, "grant_type", "");
  size_t i = 0;
  while (i < sizeof grants / sizeof *grants && strcmp(grants[i].type, grant) != 0) i++;
  if (i == sizeof grants / sizeof *grants) {
    oauth_error(r, "unsupported_grant_type", "grant_type is not one this server knows");
  } else {
    pthread_mutex_lock(&r->server->oauth->lock);
    grants[i].make(r, form);
    pthread_mutex_unlock(&r->server->oauth->lock);
  }
  json_decref(form);
}

/* With the lock held. */
static bool code_change(struct request *r, const char *code, const char *action, const char *who) {
  struct oauth *o = r->server->oauth;
  static const char *const actions[] = {"", "approve", "deny", "expire"};
  size_t k = 1;
  while (k < 4 && strcmp(actions[k], action) != 0) k++;
  struct device_code *c = o->codes;
  while (c && strcmp(c->user, code) != 0) c = c->next;
  if (!c || k == 4) return false;
  c->state = (enum code_state)k;
  if (who) who_set(r, c->who, who);
  return true;
}

static json_t *state_json(struct oauth *o) {
  json_t *codes = json_array();
  for (struct device_code *c = o->codes; c; c = c->next)
    json_array_append_new(
        codes, json_pack("{s:s, s:s, s:s}", "user_code", c->user, "state", state_names[c->state], "user", c->who));
  return json_pack("{s:o, s:I, s:I, s:I, s:s, s:s, s:b}", "codes", codes, "interval", (json_int_t)o->interval,
                   "code_seconds", (json_int_t)o->code_seconds, "token_seconds", (json_int_t)o->token_seconds,
                   "automatic", o->automatic, "user", o->who, "exchange_denied", (int)o->exchange_denied);
}

/* {"user_code","action": approve|deny|expire,"user"?}, or settings: {"interval"?,"code_seconds"?,"token_seconds"?,
 * "automatic"?: approve|deny|"","user"?,"exchange_denied"?}. */
void dh_control_oauth(struct request *r) {
  struct oauth *o = r->server->oauth;
  json_t *body = r->method == METHOD_POST ? dh_body_object(r) : json_object();
  if (!body) return;
  const char *code = dh_json_text(body, "user_code", NULL), *who = dh_json_text(body, "user", NULL);
  const struct {
    const char *key;
    int64_t *to;
  } numbers[] = {{"interval", &o->interval}, {"code_seconds", &o->code_seconds}, {"token_seconds", &o->token_seconds}};
  pthread_mutex_lock(&o->lock);
  bool ok = !code || code_change(r, code, dh_json_text(body, "action", ""), who);
  for (size_t i = 0; !code && i < sizeof numbers / sizeof *numbers; i++) {
    const json_t *value = json_object_get(body, numbers[i].key);
    if (json_is_integer(value) && json_integer_value(value) >= 0) *numbers[i].to = json_integer_value(value);
  }
  if (!code && json_object_get(body, "automatic"))
    snprintf(o->automatic, sizeof o->automatic, "%s", dh_json_text(body, "automatic", ""));
  if (!code && who) snprintf(o->who, sizeof o->who, "%s", who);
  if (json_object_get(body, "exchange_denied"))
    o->exchange_denied = json_is_true(json_object_get(body, "exchange_denied"));
  if (ok) dh_reply_json(r, 200, state_json(o));
  pthread_mutex_unlock(&o->lock);
  if (!ok) dh_reply_error(r, 404, NULL, "There is no such user code, or no such action");
  json_decref(body);
}
