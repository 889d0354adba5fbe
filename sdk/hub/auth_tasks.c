/* auth_tasks.c - signing in and out: login, logout, list, switch, token, whoami, and the helper that git calls.
 * A token is stored only after the server has said whose it is; the server's name for it is its name here.
 * What is said on the way, and in which order, is the reference's. */
#include "auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HF_SIGNING_IN "unknown/None" /* what the reference calls itself where it asks whose a token is */

static bool output_is(hf_call *c, const char *mode) {
  const char *format = hf_host()->option(c, "HF_OUTPUT_FORMAT");
  return format && !strcmp(format, mode);
}

static bool given(const hf_args *args, const char *flag) {
  int64_t on;
  return hf_host()->arg_int(args, flag, &on) && on;
}

static hf_status not_logged_in(hf_call *c) {
  return hf_hub_fail(c, HF_EAUTH, "Exit", "Not logged in. Run `hf auth login` first.");
}

/* ---- whoami ---------------------------------------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b) {
  return a && b && !strcmp(a, b);
}

static hf_status wrong_token(hf_call *c, const char *token) {
  const char *more = "";
  if (same(token, hf_token_environment(c)))
    more =
        " The token from HF_TOKEN environment variable is invalid. Note that HF_TOKEN takes precedence over `hf auth "
        "login`.";
  else if (same(token, hf_token_active(c)))
    more = " The token stored is invalid. Please run `hf auth login --force` to set a new token.";
  return hf_hub_fail(c, HF_EAUTH, "HfHubHTTPError", "Invalid user token.%s", more);
}

hf_status hf_hub_whoami(struct hf_hub *hub, const char *token, json_t **info) {
  hf_call *c = hub->call;
  struct hf_hub as;
  if (!token || !*token)
    return hf_hub_fail(c, HF_EAUTH, "LocalTokenNotFoundError",
                       "Token is required to call the /whoami-v2 endpoint, but no token found. You must provide a "
                       "token or be logged in to Hugging Face with `hf auth login` or `huggingface_hub.login`. See "
                       "https://huggingface.co/settings/tokens.");
  TRY(hf_hub_begin(&as, c, hub->out, token, hub->library, false));
  const char *url = hf_hub_text(c, "%s/api/whoami-v2", as.endpoint);
  if (!url) return HF_ENOMEM;
  hf_status st = hf_hub_json(&as, &(struct hf_hub_req){.url = url, .tries = 1}, info);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  uint32_t status = e ? e->http_status : 0;
  if (status == 401 || status == 429) hf_host()->clear(c);
  if (status == 401) return wrong_token(c, token);
  if (status == 429)
    return hf_hub_fail(c, HF_ERATELIMIT, "HfHubHTTPError",
                       "You've hit the rate limit for the /whoami-v2 endpoint, which is intentionally strict for "
                       "security reasons. If you're calling it often, consider caching the response with `whoami(..., "
                       "cache=True)`.");
  if (st != HF_OK) return st;
  const char *name = hf_hub_get(*info, "name");
  if (name && *name) return HF_OK;
  json_decref(*info);
  *info = NULL;
  return hf_hub_fail(c, HF_EPROTO, NULL, "The answer of %s does not say who you are; check HF_ENDPOINT.", url);
}

static const char *org_names(hf_call *c, const json_t *info) {
  const char *all = NULL;
  size_t i;
  json_t *org;
  json_array_foreach(json_object_get(info, "orgs"), i, org) {
    const char *name = hf_hub_get(org, "name");
    if (name) all = all ? hf_hub_text(c, "%s,%s", all, name) : hf_host()->intern(c, name, SIZE_MAX);
  }
  return all;
}

static hf_status run_whoami(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *token;
  enum hf_token_from from;
  json_t *info;
  (void)state, (void)args;
  TRY(hf_hub_begin(&hub, c, out, NULL, HF_SIGNING_IN, false));
  TRY(hf_token_find(&hub, &token, &from));
  if (!token) return not_logged_in(c);
  TRY(hf_hub_whoami(&hub, token, &info));
  const char *orgs = org_names(c, info), *endpoint = hub.endpoint;
  if (!strcmp(endpoint, "https://huggingface.co")) endpoint = NULL;
  json_t *result =
      json_pack("{s:O, s:s?, s:s?}", "user", json_object_get(info, "name"), "orgs", orgs, "endpoint", endpoint);
  json_decref(info);
  hf_status st = hf_hub_say(out, c, HF_OUT_MESSAGE, "Logged in");
  if (st == HF_OK) return hf_hub_record(out, c, HF_OUT_RESULT, result);
  json_decref(result);
  return st;
}

static hf_status run_whoami_api(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *token = hf_host()->arg_str(args, "token", 0);
  enum hf_token_from from;
  json_t *info;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  if (!token) TRY(hf_token_find(&hub, &token, &from));
  TRY(hf_hub_whoami(&hub, token, &info));
  return hf_hub_record(out, c, HF_OUT_DICT, info);
}

static hf_status run_token(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *token;
  enum hf_token_from from;
  (void)state, (void)args;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  TRY(hf_token_find(&hub, &token, &from));
  if (!token) return not_logged_in(c);
  TRY(hf_hub_say(out, c, HF_OUT_RAW, token));
  return hf_hub_say(out, c, HF_OUT_HINT, "Run `hf auth whoami` to see which account this token belongs to.");
}

/* ---- storing and activating -------------------------------------------------------------------------------------------------- */

struct entry {
  const char *name, *token, *refresh_token;
  int64_t expires_at; /* 0: not known */
  json_t *old;        /* removed section, or NULL */
};

static hf_status put_entry(struct hf_hub *hub, void *arg, json_t *all) {
  const struct entry *e = arg;
  char at[24];
  snprintf(at, sizeof at, "%lld", (long long)e->expires_at);
  json_t *section = json_pack("{s:s}", "hf_token", e->token);
  if (section && e->refresh_token) json_object_set_new(section, "refresh_token", json_string(e->refresh_token));
  if (section && e->expires_at) json_object_set_new(section, "expires_at", json_string(at));
  if (section && !json_object_set_new(all, e->name, section)) return HF_OK;
  return hf_hub_fail(hub->call, HF_EINVAL, "ValueError", "The token or its name is not UTF-8; copy it again.");
}

static hf_status take_entry(struct hf_hub *hub, void *arg, json_t *all) {
  struct entry *e = arg;
  (void)hub;
  e->old = json_incref(json_object_get(all, e->name));
  return e->old && !json_object_del(all, e->name) ? HF_OK : HF_PENDING;
}

static hf_status no_helper(hf_call *c, hf_out *out) {
  const char *plain = getenv("NO_COLOR");
  bool colour = !(plain && *plain) && !output_is(c, "agent");
  const char *text = hf_hub_text(
      c,
      "%sCannot authenticate through git-credential as no helper is defined on your machine.\nYou might have to "
      "re-authenticate when pushing to the Hugging Face Hub.\nRun the following command in your terminal in case you "
      "want to set the 'store' credential helper as default.\n\ngit config --global credential.helper store\n\nRead "
      "https://git-scm.com/book/en/v2/Git-Tools-Credential-Storage for more details.%s",
      colour ? "\033[1m\033[31m" : "", colour ? "\033[0m" : "");
  return text ? hf_hub_say(out, c, HF_OUT_RAW, text) : HF_ENOMEM;
}

static hf_status to_git(struct hf_hub *hub, const char *token) {
  hf_call *c = hub->call;
  const char *helpers = hf_git_helpers(c);
  if (helpers && *helpers) {
    if (hf_git_approve(hub, token))
      hf_hub_log(hub, HF_LOG_INFO, "Your token has been saved in your configured git credential helpers (%s).",
                 helpers);
    else
      hf_hub_log(hub, HF_LOG_WARNING, "The git credential helpers (%s) did not keep the token; run them by hand.",
                 helpers);
    return HF_OK;
  }
  if (helpers) TRY(no_helper(c, hub->out));
  hf_hub_log(hub, HF_LOG_WARNING, "Token has not been saved to git credential helper.");
  return HF_OK;
}

static hf_status activate(struct hf_hub *hub, const char *token, bool git) {
  hf_call *c = hub->call;
  const char *path = hf_token_path(c);
  if (!path) return HF_ENOMEM;
  if (git) TRY(to_git(hub, token));
  TRY(hf_secret_write(c, path, token, strlen(token)));
  hf_hub_log(hub, HF_LOG_INFO, "Your token has been saved to %s", path);
  return HF_OK;
}

/* ---- login -------------------------------------------------------------------------------------------------------------------- */

struct login {
  const char *token;
  struct hf_oauth_grant grant; /* of the browser; zero for a pasted token */
  bool git;
  const char *name, *user; /* the answer */
};

static hf_status sign_in(struct hf_hub *hub, struct login *l) {
  hf_call *c = hub->call;
  json_t *info;
  if (!l->token) return hf_hub_fail(c, HF_EINVAL, "ValueError", "No token was given; nothing has changed.");
  if (!strncmp(l->token, "api_org", 7))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "You must use your personal account token, not an organization token.");
  TRY(hf_hub_whoami(hub, l->token, &info));
  const json_t *access = json_object_get(json_object_get(info, "auth"), "accessToken");
  const char *role = hf_hub_get(access, "role"), *shown = hf_hub_get(access, "displayName");
  l->user = hf_host()->intern(c, hf_hub_get(info, "name"), SIZE_MAX);
  const char *name = shown && *shown ? shown : l->user ? hf_hub_text(c, "oauth-%s", l->user) : NULL;
  l->name = name ? hf_tokens_name(c, name) : NULL;
  if (role && *role)
    hf_hub_log(hub, HF_LOG_INFO, "Token is valid (permission: %s).", role);
  else
    hf_hub_log(hub, HF_LOG_INFO, "Token is valid.");
  json_decref(info);
  if (!l->name) return HF_ENOMEM;
  if (!strcmp(l->name, "DEFAULT")) return hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid section name: 'DEFAULT'");
  struct entry e = {.name = l->name, .token = l->token, .refresh_token = l->grant.refresh_token};
  if (l->grant.expires_in) e.expires_at = (int64_t)time(NULL) + l->grant.expires_in;
  TRY(hf_tokens_change(hub, false, put_entry, &e));
  hf_hub_log(hub, HF_LOG_INFO, "The token `%s` has been saved to %s", l->name, hf_tokens_path(c));
  TRY(activate(hub, l->token, l->git));
  hf_hub_log(hub, HF_LOG_INFO, "Login successful.");
  if (hf_token_environment(c))
    hf_hub_log(hub, HF_LOG_WARNING,
               "Note: Environment variable`HF_TOKEN` is set and is the current active token independently from the "
               "token you've just configured.");
  else
    hf_hub_log(hub, HF_LOG_INFO, "The current active token is: `%s`", l->name);
  return HF_OK;
}

static hf_status sign_in_granted(struct hf_hub *hub, struct login *l) {
  l->token = l->grant.access_token;
  TRY(sign_in(hub, l));
  if (!l->grant.expires_in) return HF_OK;
  if (l->grant.refresh_token) {
    hf_hub_log(hub, HF_LOG_INFO, "Note: This token will be refreshed automatically when it expires.");
  } else {
    long long days = (long long)(l->grant.expires_in / 86400);
    hf_hub_log(hub, HF_LOG_INFO, "Note: This token expires in %lld days. Log in again to renew it.", days ? days : 1);
  }
  return HF_OK;
}

static void dot(void *out) {
  hf_host()->record(out, HF_OUT_BYTES, ".", 1);
}

static hf_status by_browser(struct hf_hub *hub, struct login *l) {
  static const char waiting[] = "    Waiting for authorization";
  hf_call *c = hub->call;
  struct hf_oauth_device d;
  TRY(hf_oauth_device(hub, &d));
  const char *text = hf_hub_text(c, "\n    Open this URL in your browser:\n        %s\n\n    And enter the code: %s\n",
                                 d.uri, d.user_code);
  if (!text) return HF_ENOMEM;
  TRY(hf_hub_say(hub->out, c, HF_OUT_TEXT, text));
  TRY(hf_host()->record(hub->out, HF_OUT_BYTES, waiting, sizeof waiting - 1));
  hf_status st = hf_oauth_poll(hub, &d, dot, hub->out, &l->grant);
  TRY(hf_host()->record(hub->out, HF_OUT_BYTES, "\n", 1));
  return st == HF_OK ? sign_in_granted(hub, l) : st;
}

static hf_status by_paste(struct hf_hub *hub, struct login *l) {
  char typed[4096];
  hf_hub_log(
      hub, HF_LOG_INFO,
      "    To log in, `huggingface_hub` requires a token generated from https://huggingface.co/settings/tokens .");
  TRY(hf_host()->ask(hub->out, HF_ASK_SECRET, "Enter your token (input will not be visible): ", typed, sizeof typed));
  l->token = hf_token_clean(hub->call, typed);
  explicit_bzero(typed, sizeof typed);
  return sign_in(hub, l);
}

static hf_status by_person(struct hf_hub *hub, struct login *l, bool force) {
  char choice[16] = "0";
  const char *token;
  enum hf_token_from from;
  TRY(hf_token_find(hub, &token, &from));
  if (token && !force) {
    hf_hub_log(hub, HF_LOG_INFO, "User is already logged in. Use `hf auth login --force` to force re-login.");
    return HF_OK;
  }
  if (token)
    hf_hub_log(hub, HF_LOG_INFO,
               "Note: a token is already saved on this machine. Logging in again will replace the active token.");
  if (isatty(STDIN_FILENO))
    TRY(hf_host()->ask(hub->out, HF_ASK_CHOICE,
                       "How would you like to log in?\nLog in with your browser\nPaste an access token", choice,
                       sizeof choice));
  return !strcmp(choice, "1") ? by_paste(hub, l) : by_browser(hub, l);
}

static hf_status by_agent(struct hf_hub *hub, struct login *l, bool force) {
  hf_call *c = hub->call;
  const char *token;
  enum hf_token_from from;
  struct hf_oauth_device d;
  TRY(hf_token_find(hub, &token, &from));
  if (token && !force)
    return hf_hub_say(hub->out, c, HF_OUT_TEXT, "Already logged in. Use `hf auth login --force` to re-login.");
  TRY(hf_oauth_device(hub, &d));
  const char *text = hf_hub_text(c,
                                 "Ask the user to open %s in a browser and enter the code %s. The code expires in %lld "
                                 "seconds. Waiting for authorization...",
                                 d.uri, d.user_code, (long long)d.expires_in);
  if (!text) return HF_ENOMEM;
  TRY(hf_hub_say(hub->out, c, HF_OUT_TEXT, text));
  TRY(hf_oauth_poll(hub, &d, NULL, NULL, &l->grant));
  TRY(sign_in_granted(hub, l));
  text = hf_hub_text(c, "Login successful: logged in as %s (token saved as '%s').", l->user, l->name);
  return text ? hf_hub_say(hub->out, c, HF_OUT_TEXT, text) : HF_ENOMEM;
}

static hf_status run_login(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct login l = {.git = given(args, "add_to_git_credential")};
  const char *token = hf_host()->arg_str(args, "token", 0);
  const char *provider = hf_host()->arg_str(args, "provider", 0);
  bool force = given(args, "force");
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, NULL, HF_SIGNING_IN, false));
  if (provider && token)
    return hf_hub_fail(c, HF_EINVAL, "UsageError",
                       "A provider's key is not taken from the command line: paste it when asked, or pipe it in.");
  if (provider) return hf_provider_login(&hub, provider);
  if (token) {
    if (!l.git)
      hf_hub_log(
          &hub, HF_LOG_INFO,
          "The token has not been saved to the git credentials helper. Pass `add_to_git_credential=True` in this "
          "function directly or `--add-to-git-credential` if using via `hf`CLI if you want to set the git "
          "credential as well.");
    l.token = hf_token_clean(c, token);
    return sign_in(&hub, &l);
  }
  if (output_is(c, "human")) {
    if (l.git)
      hf_hub_log(&hub, HF_LOG_WARNING,
                 "`add_to_git_credential=True` is only supported when a token is passed directly. It is ignored by the "
                 "browser-based login.");
    l.git = false;
    return by_person(&hub, &l, force);
  }
  l.git = false;
  if (output_is(c, "agent")) return by_agent(&hub, &l, force);
  return hf_hub_fail(c, HF_EINVAL, "CLIError",
                     "`hf auth login` is interactive and does not support --format json/quiet. Pass --token for a "
                     "non-interactive login.");
}

/* ---- logout, switch ---------------------------------------------------------------------------------------------------------- */

static hf_status forget(struct hf_hub *hub, const char *name) {
  hf_call *c = hub->call;
  struct entry e = {.name = name};
  TRY(hf_tokens_change(hub, false, take_entry, &e));
  if (!e.old)
    return hf_hub_fail(c, HF_ENOTFOUND, "ValueError", "Access token %s not found in %s", name, hf_tokens_path(c));
  const char *active = hf_token_active(c);
  bool was_active = same(hf_hub_get(e.old, "hf_token"), active);
  json_decref(e.old);
  if (was_active) {
    hf_hub_log(hub, HF_LOG_WARNING, "Active token '%s' has been deleted.", name);
    TRY(hf_secret_remove(c, hf_token_path(c)));
  }
  hf_hub_log(hub, HF_LOG_INFO, "Successfully logged out from access token: %s.", name);
  return HF_OK;
}

static hf_status forget_all(struct hf_hub *hub) {
  hf_call *c = hub->call;
  const char *token = hf_token_path(c), *stored = hf_tokens_path(c);
  if (!token || !stored) return HF_ENOMEM;
  TRY(hf_secret_remove(c, token));
  TRY(hf_secret_remove(c, stored));
  hf_hub_log(hub, HF_LOG_INFO, "Successfully logged out from all access tokens.");
  return HF_OK;
}

static hf_status run_logout(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *name = hf_host()->arg_str(args, "token_name", 0), *provider = hf_host()->arg_str(args, "provider", 0);
  json_t *all;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  if (provider) return hf_provider_logout(&hub, provider);
  TRY(hf_tokens_load(&hub, &all));
  bool known = json_object_size(all) || hf_token_environment(c) || hf_token_active(c);
  json_decref(all);
  if (!known) {
    hf_hub_log(&hub, HF_LOG_WARNING, "Not logged in!");
    return HF_OK;
  }
  TRY(name && *name ? forget(&hub, name) : forget_all(&hub));
  hf_git_reject(&hub);
  if (!hf_token_environment(c)) return HF_OK;
  return hf_hub_fail(c, HF_EAUTH, "OSError",
                     "Token has been deleted from your machine but you are still logged in.\nTo log out, you must "
                     "clear out both `HF_TOKEN` and `HUGGING_FACE_HUB_TOKEN` environment variables.");
}

/* The name to switch to; *name NULL: there is none. */
static hf_status choose(struct hf_hub *hub, const json_t *all, const char **name) {
  hf_call *c = hub->call;
  const char *prompt = "Select a token to switch to:", *key, *word;
  json_t *section;
  char answer[16];
  size_t i = 0;
  *name = NULL;
  if (!json_object_size(all)) {
    hf_hub_log(hub, HF_LOG_ERROR, "No stored tokens found. Please login first.");
    return HF_OK;
  }
  json_object_foreach((json_t *)(uintptr_t)all, key, section) {
    word = hf_tokens_name(c, key);
    if (!word || !prompt || !(prompt = hf_hub_text(c, "%s\n%s", prompt, word))) return HF_ENOMEM;
  }
  hf_status st =
      output_is(c, "human") ? hf_host()->ask(hub->out, HF_ASK_CHOICE, prompt, answer, sizeof answer) : HF_EINVAL;
  if (st == HF_EINVAL) {
    hf_host()->clear(c);
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "Use --token-name to select a token in non-interactive mode.");
  }
  TRY(st);
  unsigned long chosen = strtoul(answer, NULL, 10);
  json_object_foreach((json_t *)(uintptr_t)all, key, section) if (i++ == chosen) *name =
      hf_host()->intern(c, key, SIZE_MAX);
  return HF_OK;
}

static hf_status switch_to(struct hf_hub *hub, const json_t *all, const char *name, bool git) {
  hf_call *c = hub->call;
  const char *token = hf_token_clean(c, hf_hub_get(json_object_get(all, name), "hf_token")),
             *set = hf_token_environment(c);
  if (!token)
    return hf_hub_fail(c, HF_ENOTFOUND, "ValueError", "Access token %s not found in %s", name, hf_tokens_path(c));
  TRY(activate(hub, token, git));
  hf_hub_log(hub, HF_LOG_INFO, "The current active token is: %s", name);
  if (set && strcmp(set, token))
    hf_hub_log(
        hub, HF_LOG_WARNING,
        "The environment variable `HF_TOKEN` is set and will override the access token you've just switched to.");
  return HF_OK;
}

static hf_status run_switch(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *name = hf_host()->arg_str(args, "token_name", 0);
  json_t *all;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  TRY(hf_tokens_load(&hub, &all));
  hf_status st = name ? HF_OK : choose(&hub, all, &name);
  if (st == HF_OK)
    st = name ? switch_to(&hub, all, name, given(args, "add_to_git_credential"))
              : hf_hub_say(out, c, HF_OUT_RAW, "No token name provided. Aborting.");
  json_decref(all);
  return st;
}

/* ---- list ---------------------------------------------------------------------------------------------------------------------- */

struct listed {
  const char *active, *name, *token, *expires;
};

static const char *masked(hf_call *c, const char *token) {
  size_t n = token ? strlen(token) : 0;
  if (!token) return "<not set>";
  return hf_hub_text(c, "%.3s****%s", token, token + (n > 4 ? n - 4 : 0));
}

static const char *expiry(hf_call *c, const json_t *section) {
  const char *text = hf_hub_get(section, "expires_at");
  char *end = NULL, day[16];
  long long at = text ? strtoll(text, &end, 10) : 0;
  struct tm tm;
  time_t t = (time_t)at;
  if (!text || end == text || *end || !localtime_r(&t, &tm) || !strftime(day, sizeof day, "%Y-%m-%d", &tm)) return "";
  return hf_hub_text(c, "%s%s", day, t < time(NULL) ? " (expired)" : "");
}

static size_t width(const char *text) { /* characters */
  size_t n = 0;
  for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
  return n;
}

static void cell(FILE *f, const char *text, size_t wide, bool last) {
  fputs(text, f);
  for (size_t n = width(text); n < wide; n++) fputc(' ', f);
  if (!last) fputc(' ', f);
}

static hf_status table(hf_call *c, hf_out *out, const struct listed *rows, size_t count, bool expires) {
  const size_t columns = expires ? 4 : 3;
  size_t wide[4] = {1, 4, 5, 7}, len = 0;
  char *text = NULL;
  FILE *f = open_memstream(&text, &len);
  if (!f) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (size_t i = 0; i < count; i++) {
    const char *cells[] = {rows[i].active, rows[i].name, rows[i].token, rows[i].expires};
    for (size_t k = 0; k < columns; k++)
      if (width(cells[k]) > wide[k]) wide[k] = width(cells[k]);
  }
  const char *heads[] = {" ", "name", "token", "expires"};
  for (size_t k = 0; k < columns; k++) cell(f, heads[k], wide[k], k + 1 == columns);
  fputc('\n', f);
  for (size_t k = 0; k < columns; k++) {
    for (size_t n = 0; n < wide[k]; n++) fputc('-', f);
    if (k + 1 < columns) fputc(' ', f);
  }
  for (size_t i = 0; i < count; i++) {
    const char *cells[] = {rows[i].active, rows[i].name, rows[i].token, rows[i].expires};
    fputc('\n', f);
    for (size_t k = 0; k < columns; k++) cell(f, cells[k], wide[k], k + 1 == columns);
  }
  bool ok = !(ferror(f) | fclose(f));
  hf_status st = ok ? hf_hub_say(out, c, HF_OUT_RAW, text) : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  free(text);
  return st;
}

static hf_status items(hf_call *c, hf_out *out, const struct listed *rows, size_t count, bool expires) {
  for (size_t i = 0; i < count; i++) {
    json_t *item =
        json_pack("{s:s, s:s, s:b}", "name", rows[i].name, "token", rows[i].token, "active", *rows[i].active != 0);
    if (item && expires)
      json_object_set_new(item, "expires", *rows[i].expires ? json_string(rows[i].expires) : json_null());
    TRY(hf_hub_record(out, c, HF_OUT_ITEM, item));
  }
  return HF_OK;
}

static hf_status show(struct hf_hub *hub, json_t *all, const char *current) {
  hf_call *c = hub->call;
  size_t count = json_object_size(all), i = 0;
  struct listed *rows = hf_host()->arena(c, (count + 1) * sizeof *rows);
  bool expires = false, active = false, human = output_is(c, "human") || output_is(c, "agent");
  const char *name;
  json_t *section;
  if (!rows) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  json_object_foreach(all, name, section) {
    const char *token = hf_hub_get(section, "hf_token");
    bool is = same(token, current);
    rows[i++] = (struct listed){is ? "*" : "", hf_tokens_name(c, name), masked(c, token), expiry(c, section)};
    if (!rows[i - 1].name || !rows[i - 1].token || !rows[i - 1].expires) return HF_ENOMEM;
    expires |= json_object_get(section, "expires_at") != NULL;
    active |= is;
  }
  TRY((human ? table : items)(c, hub->out, rows, count, expires));
  if (hf_token_environment(c))
    hf_hub_log(hub, HF_LOG_WARNING,
               "\nNote: Environment variable `HF_TOKEN` is set and is the current active token independently from the "
               "stored tokens listed above.");
  else if (!active)
    hf_hub_log(hub, HF_LOG_WARNING,
               "\nNote: No active token is set and no environment variable `HF_TOKEN` is found. Use `hf auth login` to "
               "log in.");
  return HF_OK;
}

/* Keys of inference providers, below the tokens; nothing of a key is shown. */
struct keys {
  hf_call *c;
  hf_out *out;
  bool human;
  size_t count;
};

static hf_status show_key(void *arg, const char *provider) {
  struct keys *k = arg;
  k->count++;
  if (!k->human)
    return hf_hub_record(
        k->out, k->c, HF_OUT_ITEM,
        json_pack("{s:s, s:s, s:b, s:s}", "name", provider, "token", "****", "active", 1, "type", "provider"));
  if (k->count == 1)
    TRY(hf_hub_say(k->out, k->c, HF_OUT_RAW, "\nkeys of inference providers\n---------------------------"));
  return hf_hub_say(k->out, k->c, HF_OUT_RAW, hf_hub_text(k->c, "%s ****", provider));
}

static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *token;
  enum hf_token_from from;
  json_t *all;
  (void)state, (void)args;
  TRY(hf_hub_begin(&hub, c, out, NULL, NULL, false));
  TRY(hf_token_find(&hub, &token, &from));
  TRY(hf_tokens_load(&hub, &all));
  hf_status st = HF_OK;
  if (json_object_size(all)) {
    st = show(&hub, all, token);
  } else if (hf_token_environment(c)) {
    hf_hub_log(&hub, HF_LOG_INFO, "No stored access tokens found.");
    hf_hub_log(&hub, HF_LOG_WARNING, "Note: Environment variable `HF_TOKEN` is set and is the current active token.");
  } else {
    hf_hub_log(&hub, HF_LOG_INFO, "No access tokens found.");
  }
  struct keys keys = {.c = c, .out = out, .human = output_is(c, "human") || output_is(c, "agent")};
  if (st == HF_OK) st = hf_provider_each(&hub, show_key, &keys);
  if (st == HF_OK && !keys.human && (json_object_size(all) || keys.count || output_is(c, "json")))
    st = hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
  json_decref(all);
  return st;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------ */

static const struct hf_param token_param[] = {{.name = "token",
                                               .help = "User access token to use instead of the saved one.",
                                               .type = HF_P_STR,
                                               .flags = HF_PF_SECRET}};
static const struct hf_param login_params[] = {
    {.name = "token",
     .help = "A token from https://huggingface.co/settings/tokens; without it you are asked.",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
    {.name = "add_to_git_credential",
     .help = "Put the token into git's credential helpers too, for running git by hand.",
     .type = HF_P_BOOL,
     .deflt = "false",
     .flags = HF_PF_TRISTATE},
    {.name = "force",
     .help = "Log in again although a token is there.",
     .type = HF_P_BOOL,
     .deflt = "false",
     .flags = HF_PF_TRISTATE},
    {.name = "provider",
     .help = "Keep the key of this inference provider instead: paste it when asked, or pipe it in.",
     .type = HF_P_STR}};
static const struct hf_param logout_params[] = {
    {.name = "token_name", .help = "The stored token to remove; all of them without it.", .type = HF_P_STR},
    {.name = "provider",
     .help = "Remove the stored key of this inference provider instead; all: every one.",
     .type = HF_P_STR}};
static const struct hf_param switch_params[] = {
    {.name = "token_name", .help = "The stored token to use from now on; you are asked without it.", .type = HF_P_STR},
    {.name = "add_to_git_credential",
     .help = "Put the token into git's credential helpers too, for running git by hand.",
     .type = HF_P_BOOL,
     .deflt = "false",
     .flags = HF_PF_TRISTATE}};
static const struct hf_param git_params[] = {{.name = "verb",
                                              .help = "What git wants; store and erase change nothing.",
                                              .type = HF_P_CHOICE,
                                              .choices = "get,store,erase",
                                              .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED}};

static const struct hf_route whoami_routes[] = {{.method = "GET", .path = "/api/whoami-v2", .tries = 1}};
static const struct hf_route login_routes[] = {{.method = "GET", .path = "/api/whoami-v2", .tries = 1},
                                               {.method = "POST", .path = "/oauth/device", .tries = 1},
                                               {.method = "POST", .path = "/oauth/token", .tries = 1}};

#define ROUTES(r) .routes = r, .route_count = HF_COUNT(r)

static const struct hf_task rows[] = {
    {.name = "auth.login",
     .group_help = "Manage authentication (login, logout, etc.).",
     .summary = "Log in with your browser, or with a token from huggingface.co/settings/tokens.",
     .examples = "hf auth login\nhf auth login --token $HF_TOKEN\nhf auth login --token $HF_TOKEN "
                 "--add-to-git-credential\nhf auth login --force",
     .params = HF_TABLE(login_params),
     ROUTES(login_routes),
     .flags = HF_TK_NETWORK,
     .run = run_login},
    {.name = "auth.logout",
     .summary = "Remove one stored token, or all of them.",
     .examples = "hf auth logout\nhf auth logout --token-name my-token",
     .params = HF_TABLE(logout_params),
     .run = run_logout},
    {.name = "auth.switch",
     .summary = "Use another of the stored tokens from now on.",
     .examples = "hf auth switch\nhf auth switch --token-name my-token",
     .params = HF_TABLE(switch_params),
     .run = run_switch},
    {.name = "auth.list",
     .aliases = "ls",
     .summary = "List the stored tokens.",
     .examples = "hf auth list\nhf auth list --json",
     .id_key = "name",
     .flags = HF_TK_NETWORK,
     .run = run_list},
    {.name = "auth.token",
     .summary = "Print the token that is in use.",
     .examples = "hf auth token\nhf auth token | xargs curl -H 'Authorization: Bearer {}'",
     .flags = HF_TK_NETWORK,
     .run = run_token},
    {.name = "auth.whoami",
     .summary = "Show which account the token in use belongs to.",
     .examples = "hf auth whoami\nhf auth whoami --format json",
     ROUTES(whoami_routes),
     .flags = HF_TK_NETWORK,
     .run = run_whoami},
    {.name = "auth.git-credential",
     .summary = "Answer git's questions for credentials of the Hub.",
     .help = "Set it up with: git config --global credential.https://huggingface.co.helper '!hf auth git-credential'",
     .params = HF_TABLE(git_params),
     .flags = HF_TK_NETWORK | HF_TK_HIDDEN | HF_TK_OURS,
     .run = hf_git_task},
    {.name = "whoami",
     .summary = "Describe the account that a token belongs to.",
     .params = HF_TABLE(token_param),
     ROUTES(whoami_routes),
     .flags = HF_TK_NETWORK | HF_TK_NOT_A_COMMAND,
     .run = run_whoami_api,
     .api = "whoami"},
};

const struct hf_tasks hf_hub_tasks_auth = HF_HUB_TASKS("hub-auth", "Sign in and out", HF_TABLE(rows));
