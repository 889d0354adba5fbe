/* auth.h - what the files about signing in share: where a token comes from, the files that keep tokens, the server's
 * sign-in routes, git's credential helpers.
 * Private to sdk/hub. Tokens live in the call's arena; nothing here logs one or puts one on a command line. */
#ifndef HUB_AUTH_H
#define HUB_AUTH_H
#include "hub.h"

/* ---- auth.c -------------------------------------------------------------------------------------------------------------- */

enum hf_token_from { HF_TOKEN_NONE, HF_TOKEN_GIVEN, HF_TOKEN_OIDC, HF_TOKEN_ENVIRONMENT, HF_TOKEN_FILE };
/* The saved token whatever is set about implicit ones; may ask the server (OIDC exchange, refresh). */
hf_status hf_token_find(struct hf_hub *, const char **token, enum hf_token_from *);
const char *hf_token_environment(hf_call *); /* cleaned; NULL: none */
const char *hf_token_active(hf_call *);      /* of the token file as it is now; NULL: none */
/* A copy without line ends and blanks around; NULL when nothing is left. */
const char *hf_token_clean(hf_call *, const char *);

/* ---- tokens.c: the files ---------------------------------------------------------------------------------------------------- */

const char *hf_token_path(hf_call *);
const char *hf_tokens_path(hf_call *);
/* stored_tokens as Python's configparser reads it: {"name": {"hf_token": .., "refresh_token": .., "expires_at": ..}} in
 * the file's order. NULL: damaged, *line is where. */
json_t *hf_tokens_parse(const char *text, size_t len, size_t *line);
/* The file's bytes, names in order; *len without the NUL. NULL: out of memory. The caller frees. */
char *hf_tokens_print(const json_t *all, size_t *len);
/* Empty when there is no file or nobody can read it (which is logged). *all is the caller's. */
hf_status hf_tokens_load(struct hf_hub *, json_t **all);
/* Reads, lets fn change, writes when fn says HF_OK (HF_PENDING: leave it, no error); no other process changes it
 * meanwhile. `shared`: hold the lock that Python's client takes for a refresh. */
hf_status hf_tokens_change(struct hf_hub *, bool shared, hf_status (*fn)(struct hf_hub *, void *, json_t *all), void *);
/* The same for another file of that form; path NULL: out of memory. */
hf_status hf_secrets_load(struct hf_hub *, const char *path, json_t **all);
hf_status hf_secrets_change(struct hf_hub *, const char *path, bool shared,
                            hf_status (*fn)(struct hf_hub *, void *, json_t *all), void *);
/* Whole or not at all, mode 600, in a folder of mode 700. */
hf_status hf_secret_write(hf_call *, const char *path, const char *text, size_t len);
/* Not there is fine. */
hf_status hf_secret_remove(hf_call *, const char *path);
/* A name as a section of that file can have it: control characters become blanks. */
const char *hf_tokens_name(hf_call *, const char *name);

/* ---- provider_keys.c: keys of inference providers ------------------------------------------------------------------------ */

/* The stored key of a provider; NULL: none. */
hf_status hf_provider_key(struct hf_hub *, const char *provider, const char **key);
/* Asks at the terminal, else reads stdin's first line. */
hf_status hf_provider_login(struct hf_hub *, const char *provider);
hf_status hf_provider_logout(struct hf_hub *, const char *provider); /* "all": every one */
/* fn once for each stored key, by name. */
hf_status hf_provider_each(struct hf_hub *, hf_status (*fn)(void *, const char *provider), void *);

/* ---- oauth.c: the server's sign-in routes ------------------------------------------------------------------------------ */

struct hf_oauth_device {
  const char *device_code, *user_code, *uri; /* uri: with the code filled in where the server does that */
  int64_t interval, expires_in;              /* seconds */
};
struct hf_oauth_grant {
  const char *access_token, *refresh_token; /* refresh_token NULL: none */
  int64_t expires_in;                       /* seconds; 0: not said */
};
hf_status hf_oauth_device(struct hf_hub *, struct hf_oauth_device *);
/* Asks until the person has decided or the code is too old; pending is called after each "not yet". */
hf_status hf_oauth_poll(struct hf_hub *, const struct hf_oauth_device *, void (*pending)(void *), void *,
                        struct hf_oauth_grant *);
/* The token of HF_OIDC_RESOURCE, NULL when that is not set. */
hf_status hf_oauth_oidc(struct hf_hub *, const char **token);
/* A fresh token when this one, from the token file, is stored with a refresh token and near its end; else the same. Never
 * fails: what goes wrong is logged. */
const char *hf_oauth_refresh(struct hf_hub *, const char *token);

/* ---- git_credential.c ------------------------------------------------------------------------------------------------------ */

#define HF_GIT_USER "hf_user"
/* Names of git's credential helpers, ","-separated in order; "" none; NULL: git cannot be run. */
const char *hf_git_helpers(hf_call *);
/* Into every helper, and looks whether it is there. false: not kept. */
bool hf_git_approve(struct hf_hub *, const char *token);
/* Out of every helper. What goes wrong is nobody's concern: without git there is nothing to remove. */
void hf_git_reject(struct hf_hub *);
hf_status hf_git_task(hf_call *, void *, const hf_args *, hf_out *); /* git's side: get, store, erase */
#endif
