/* auth.c - which token is sent, and to whom: the one given, an exchanged OIDC token, the environment's, or the saved one,
 * to the Hub's own origins.
 * Order and cleaning are the reference's: CR and LF dropped, ends trimmed, empty means none. The core binds the header to
 * its origins; no redirect carries it further. */
#include "auth.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HF_TOKEN_MAX 16384

/* Hosts that are the Hub whatever the endpoint is. */
static const char *const hub_origins[] = {"https://huggingface.co", "https://hub-ci.huggingface.co", "https://hf.co"};

bool hf_hub_is_hub(const struct hf_hub *hub, const char *url) {
  for (size_t i = 0; i < HF_COUNT(hub_origins); i++)
    if (hf_url_same_origin(url, hub_origins[i])) return true;
  return hf_url_same_origin(url, hub->endpoint);
}

static bool blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *hf_token_clean(hf_call *c, const char *text) {
  if (!text) return NULL;
  char *out = hf_host()->arena(c, strlen(text) + 1);
  if (!out) return NULL;
  size_t n = 0;
  for (; *text; text++)
    if (*text != '\r' && *text != '\n') out[n++] = *text;
  while (n && blank(out[n - 1])) n--;
  out[n] = 0;
  while (blank(*out)) out++;
  return *out ? out : NULL;
}

const char *hf_token_environment(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_TOKEN");
  return hf_token_clean(c, set ? set : hf_hub_setting(c, "HUGGING_FACE_HUB_TOKEN"));
}

const char *hf_token_active(hf_call *c) {
  const char *path = hf_token_path(c);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return NULL;
  char *text = hf_host()->arena(c, HF_TOKEN_MAX + 1);
  size_t n = 0;
  ssize_t got = 0;
  while (text && n < HF_TOKEN_MAX && (got = read(fd, text + n, HF_TOKEN_MAX - n)) > 0) n += (size_t)got;
  close(fd);
  if (!text || got < 0) return NULL;
  text[n] = 0;
  const char *token = hf_token_clean(c, text);
  explicit_bzero(text, n);
  return token;
}

hf_status hf_token_find(struct hf_hub *hub, const char **token, enum hf_token_from *from) {
  TRY(hf_oauth_oidc(hub, token));
  *from = HF_TOKEN_OIDC;
  if (!*token) *token = hf_token_environment(hub->call), *from = HF_TOKEN_ENVIRONMENT;
  if (!*token) *token = hf_token_active(hub->call), *from = HF_TOKEN_FILE;
  if (!*token)
    *from = HF_TOKEN_NONE;
  else if (*from == HF_TOKEN_FILE)
    *token = hf_oauth_refresh(hub, *token);
  return HF_OK;
}

static hf_status token_of(struct hf_hub *hub, const char **token, enum hf_token_from *from) {
  hf_call *c = hub->call;
  *token = NULL;
  *from = HF_TOKEN_GIVEN;
  if (hub->token)
    *token = *hub->token ? hub->token : NULL;
  else if (!hf_hub_flag(c, "HF_HUB_DISABLE_IMPLICIT_TOKEN"))
    TRY(hf_token_find(hub, token, from));
  for (const char *s = *token; s && *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "The token holds a control character; copy it again from the settings page.");
  return HF_OK;
}

hf_status hf_hub_token(struct hf_hub *hub, const char **token) {
  enum hf_token_from from;
  return token_of(hub, token, &from);
}

hf_status hf_hub_token_origin(struct hf_hub *hub, const char **token, const char **origin) {
  static const char *const names[] = {[HF_TOKEN_NONE] = NULL,
                                      [HF_TOKEN_GIVEN] = "given for the call",
                                      [HF_TOKEN_OIDC] = "exchanged identity",
                                      [HF_TOKEN_ENVIRONMENT] = "environment HF_TOKEN",
                                      [HF_TOKEN_FILE] = "saved token"};
  enum hf_token_from from;
  TRY(token_of(hub, token, &from));
  *origin = *token ? names[from] : NULL;
  return HF_OK;
}

/* What cannot stand in a header is no token: printable ASCII only. */
static bool is_sendable(const char *token) {
  for (; *token; token++)
    if (*token < ' ' || *token > '~') return false;
  return true;
}

/* "Bearer ...", NULL: no token. */
static hf_status bearer(struct hf_hub *hub, const char **value) {
  const char *token, *origin;
  TRY(hf_hub_token_origin(hub, &token, &origin));
  if (token && !is_sendable(token))
    return hf_hub_fail(hub->call, HF_EINVAL, "ValueError",
                       "The token (%s) has characters that are not ASCII, so it was not sent; copy it again from "
                       "https://huggingface.co/settings/tokens.",
                       origin);
  if (origin) TRY(hf_call_option(hub->call, "HF_TOKEN_FROM", origin));
  *value = token ? hf_hub_text(hub->call, "Bearer %s", token) : NULL;
  return token && !*value ? HF_ENOMEM : HF_OK;
}

hf_status hf_hub_credentials(struct hf_hub *hub) {
  const char *value;
  TRY(bearer(hub, &value));
  TRY(hf_call_credential(hub->call, hub->endpoint, "authorization", value));
  for (size_t i = 0; i < HF_COUNT(hub_origins); i++)
    TRY(hf_call_credential(hub->call, hub_origins[i], "authorization", value));
  return HF_OK;
}

hf_status hf_hub_credential_at(struct hf_hub *hub, const char *origin) {
  const char *value;
  TRY(bearer(hub, &value));
  return hf_call_credential(hub->call, origin, "authorization", value);
}
