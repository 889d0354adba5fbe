/* auth.c - which token is sent, and to whom: the one given, the environment's, or the saved one, to the Hub's own origins.
 * Order and cleaning are the reference's: HF_TOKEN, HUGGING_FACE_HUB_TOKEN, then the token file; CR and LF dropped, ends
 * trimmed, empty means none. The core binds the header to its origins; no redirect carries it further. */
#include "hub.h"

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

/* A copy without line ends and blanks around; NULL when nothing is left. */
static const char *clean(hf_call *c, const char *text) {
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

static const char *token_file(hf_call *c) {
  const char *path = hf_hub_setting(c, "HF_TOKEN_PATH");
  if (path) return hf_hub_path(c, path);
  const char *home = hf_hub_home(c);
  return home ? hf_hub_text(c, "%s/token", home) : NULL;
}

static const char *from_file(hf_call *c) {
  const char *path = token_file(c);
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return NULL;
  char *text = hf_host()->arena(c, HF_TOKEN_MAX + 1);
  size_t n = 0;
  ssize_t got = 0;
  while (text && n < HF_TOKEN_MAX && (got = read(fd, text + n, HF_TOKEN_MAX - n)) > 0) n += (size_t)got;
  close(fd);
  if (!text || got < 0) return NULL;
  text[n] = 0;
  const char *token = clean(c, text);
  explicit_bzero(text, n);
  return token;
}

hf_status hf_hub_token(struct hf_hub *hub, const char **token) {
  hf_call *c = hub->call;
  *token = NULL;
  if (hub->token) {
    *token = *hub->token ? hub->token : NULL;
  } else if (!hf_hub_flag(c, "HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
    *token = clean(c, hf_hub_setting(c, "HF_TOKEN"));
    if (!*token) *token = clean(c, hf_hub_setting(c, "HUGGING_FACE_HUB_TOKEN"));
    if (!*token) *token = from_file(c);
  }
  for (const char *s = *token; s && *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "The token holds a control character; copy it again from the settings page.");
  return HF_OK;
}

hf_status hf_hub_credentials(struct hf_hub *hub) {
  const char *token;
  TRY(hf_hub_token(hub, &token));
  const char *value = token ? hf_hub_text(hub->call, "Bearer %s", token) : NULL;
  if (token && !value) return HF_ENOMEM;
  TRY(hf_call_credential(hub->call, hub->endpoint, "authorization", value));
  for (size_t i = 0; i < HF_COUNT(hub_origins); i++)
    TRY(hf_call_credential(hub->call, hub_origins[i], "authorization", value));
  return HF_OK;
}
