/* provider_keys.c - keys of inference providers that are kept: the file `provider_keys` beside the token, a section for each
 * provider, only for its owner's eyes, replaced and never changed in place.
 * A key comes from the terminal, where it is not shown, or from stdin; it is never an argument of a command. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth.h"

enum { KEY_MAX = 4096, NAME_MAX_ = 31 };

static const char *path_of(hf_call *c) {
  const char *token = hf_token_path(c), *slash = token ? strrchr(token, '/') : NULL;
  if (!token) return NULL;
  return hf_hub_text(c, "%.*s/provider_keys", slash ? (int)(slash - token) : 0, token);
}

static hf_status check_name(hf_call *c, const char *name) {
  size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  if (n && !name[n] && n <= NAME_MAX_ && *name != '-') return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "UsageError",
                     "Invalid value for '--provider': '%.40s' is no provider's name; see `hf inference providers`.",
                     name);
}

hf_status hf_provider_key(struct hf_hub *hub, const char *provider, const char **key) {
  hf_call *c = hub->call;
  const char *path = path_of(c);
  struct stat st;
  json_t *all;
  *key = NULL;
  if (!path) return HF_ENOMEM;
  if (stat(path, &st)) return HF_OK;
  if (st.st_mode & 077)
    hf_hub_log(hub, HF_LOG_WARNING, "Others may read %s, which holds keys; run chmod 600 on it.", path);
  TRY(hf_secrets_load(hub, path, &all));
  *key = hf_token_clean(c, hf_hub_get(json_object_get(all, provider), "key"));
  json_decref(all);
  return HF_OK;
}

struct pair {
  const char *provider, *key, *path;
  bool found;
};

static hf_status put(struct hf_hub *hub, void *arg, json_t *all) {
  const struct pair *p = arg;
  struct stat st;
  if (!json_object_size(all) && !stat(p->path, &st) && st.st_size > 0) /* the keys in it are not to be lost */
    return hf_hub_fail(hub->call, HF_EIO, "OSError", "%s is damaged and was not changed; repair it, or delete it.",
                       p->path);
  if (!json_object_set_new(all, p->provider, json_pack("{s:s}", "key", p->key))) return HF_OK;
  return hf_hub_fail(hub->call, HF_EINVAL, "ValueError", "The key is not UTF-8; copy it again.");
}

static hf_status drop(struct hf_hub *hub, void *arg, json_t *all) {
  struct pair *p = arg;
  (void)hub;
  p->found = json_object_get(all, p->provider) != NULL;
  return p->found && !json_object_del(all, p->provider) ? HF_OK : HF_PENDING;
}

static hf_status read_line(hf_call *c, char line[KEY_MAX]) {
  size_t n = 0;
  while (n + 1 < KEY_MAX) {
    ssize_t got = read(STDIN_FILENO, line + n, 1);
    if (got < 0 && errno == EINTR && hf_host()->check(c) == HF_OK) continue;
    if (got <= 0 || line[n] == '\n') break;
    n++;
  }
  line[n] = 0;
  return n + 1 < KEY_MAX ? HF_OK : hf_hub_fail(c, HF_EINVAL, "ValueError", "The key is longer than %d bytes.", KEY_MAX);
}

hf_status hf_provider_login(struct hf_hub *hub, const char *provider) {
  hf_call *c = hub->call;
  char line[KEY_MAX];
  TRY(check_name(c, provider));
  const char *prompt = hf_hub_text(c, "Enter the key of %s (input will not be visible): ", provider),
             *path = path_of(c);
  if (!prompt || !path) return HF_ENOMEM;
  TRY(isatty(STDIN_FILENO) ? hf_host()->ask(hub->out, HF_ASK_SECRET, prompt, line, sizeof line) : read_line(c, line));
  struct pair p = {.provider = provider, .key = hf_token_clean(c, line), .path = path};
  explicit_bzero(line, sizeof line);
  if (!p.key) return hf_hub_fail(c, HF_EINVAL, "ValueError", "No key was given; nothing has changed.");
  for (const char *s = p.key; *s; s++)
    if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "The key holds a blank or a control character; copy it again.");
  TRY(hf_secrets_change(hub, path, false, put, &p));
  TRY(hf_hub_say(hub->out, c, HF_OUT_MESSAGE, "Key saved"));
  return hf_hub_record(hub->out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "provider", provider, "path", path));
}

static hf_status removed(struct hf_hub *hub, const char *provider) {
  TRY(hf_hub_say(hub->out, hub->call, HF_OUT_MESSAGE, "Key removed"));
  return hf_hub_record(hub->out, hub->call, HF_OUT_RESULT, json_pack("{s:s}", "provider", provider));
}

hf_status hf_provider_logout(struct hf_hub *hub, const char *provider) {
  hf_call *c = hub->call;
  const char *path = path_of(c);
  struct pair p = {.provider = provider};
  TRY(check_name(c, provider));
  if (!path) return HF_ENOMEM;
  if (!strcmp(provider, "all")) {
    TRY(hf_secret_remove(c, path));
    return removed(hub, provider);
  }
  if (!access(path, F_OK)) TRY(hf_secrets_change(hub, path, false, drop, &p));
  if (!p.found) return hf_hub_fail(c, HF_ENOTFOUND, "ValueError", "No key of %s is stored in %s.", provider, path);
  return removed(hub, provider);
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

hf_status hf_provider_each(struct hf_hub *hub, hf_status (*fn)(void *, const char *provider), void *arg) {
  const char *path = path_of(hub->call), *name;
  json_t *all, *section;
  size_t n = 0;
  if (!path) return HF_ENOMEM;
  if (access(path, F_OK)) return HF_OK;
  TRY(hf_secrets_load(hub, path, &all));
  const char **names = calloc(json_object_size(all) + 1, sizeof *names);
  json_object_foreach(all, name, section) if (names && hf_hub_get(section, "key")) names[n++] = name;
  if (names) qsort(names, n, sizeof *names, by_name);
  hf_status st = names ? HF_OK : hf_hub_fail(hub->call, HF_ENOMEM, NULL, "Out of memory.");
  for (size_t i = 0; st == HF_OK && i < n; i++) st = fn(arg, names[i]);
  free(names);
  json_decref(all);
  return st;
}
