/* hub.c - beginning an operation on the Hub: where it is, how it is spoken to, and what was set about it.
 * Also the small words that every file of the pack uses: settings, sentences in the arena, errors, log lines.
 * Nothing here makes a request; headers and token are looked up when the first one is near. */
#include "hub.h"

#include <ctype.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HF_HUB_ENDPOINT "https://huggingface.co"
#define HF_HUB_STAGING  "https://hub-ci.huggingface.co"

const char *hf_hub_text(hf_call *c, const char *fmt, ...) {
  char most[512];
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(most, sizeof most, fmt, ap);
  va_end(ap);
  char *s = n < 0 ? NULL : hf_host()->arena(c, (size_t)n + 1);
  if (s && (size_t)n < sizeof most)
    memcpy(s, most, (size_t)n + 1);
  else if (s)
    vsnprintf(s, (size_t)n + 1, fmt, again);
  va_end(again);
  if (!s) hf_host()->failf(c, HF_ENOMEM, "Out of memory.");
  return s;
}

hf_status hf_hub_fail(hf_call *c, hf_status code, const char *cls, const char *fmt, ...) {
  char message[1536];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  return hf_host()->fail(
      c, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = code, .cls = cls, .message = message});
}

void hf_hub_log(struct hf_hub *hub, int32_t level, const char *fmt, ...) {
  char line[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  if (hub->out && level <= HF_LOG_INFO)
    hf_hub_say(hub->out, hub->call, HF_OUT_LOG, line);
  else
    hf_host()->log(hub->call, level, "%s", line);
}

const char *hf_hub_setting(hf_call *c, const char *key) {
  const char *v = hf_host()->option(c, key);
  if (!v || !*v) v = hf_config_get(hf_call_runtime(c), key);
  return v && *v ? v : NULL;
}

static bool yes(const char *v) {
  static const char *const words[] = {"1", "ON", "YES", "TRUE"};
  for (size_t i = 0; v && i < HF_COUNT(words); i++)
    if (!strcasecmp(v, words[i])) return true;
  return false;
}

bool hf_hub_flag(hf_call *c, const char *key) {
  return yes(hf_hub_setting(c, key));
}

int64_t hf_hub_number(hf_call *c, const char *key, int64_t deflt) {
  const char *v = hf_hub_setting(c, key);
  char *end = NULL;
  long long n = v ? strtoll(v, &end, 10) : 0;
  return v && end != v && !*end ? n : deflt;
}

bool hf_hub_is_hex(const char *s, size_t digits) {
  size_t n = s ? strlen(s) : 0;
  if (!s || n != digits) return false;
  for (; *s; s++)
    if (!(*s >= '0' && *s <= '9') && !(*s >= 'a' && *s <= 'f')) return false;
  return true;
}

hf_status hf_hub_repeated(hf_call *c, const hf_args *args, const char *name, const char ***out, uint32_t *count) {
  *count = hf_host()->arg_count(args, name);
  *out = NULL;
  if (!*count) return HF_OK;
  *out = hf_host()->arena(c, (*count + 1) * sizeof **out);
  if (!*out) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < *count; i++) (*out)[i] = hf_host()->arg_str(args, name, i);
  return HF_OK;
}

bool hf_hub_is_commit(const char *s) {
  return hf_hub_is_hex(s, 40);
}

/* Drops "." and ".." by name only: links are the store's business. */
static void tidy(char *path) {
  char *to = path;
  for (const char *from = path; *from;) {
    while (*from == '/') from++;
    size_t n = strcspn(from, "/");
    if (n == 2 && from[0] == '.' && from[1] == '.') {
      while (to > path && *--to != '/') {
      }
    } else if (n && !(n == 1 && *from == '.')) {
      *to++ = '/';
      memmove(to, from, n);
      to += n;
    }
    from += n;
  }
  if (to == path) *to++ = '/';
  *to = 0;
}

const char *hf_hub_path(hf_call *c, const char *path) {
  const char *home = NULL, *rest = path;
  if (*path == '~') {
    size_t n = strcspn(path + 1, "/");
    rest = path + 1 + n;
    if (!n && (home = getenv("HOME")) && *home) {
    } else if (n && n < 64) {
      char name[65], buf[4096];
      struct passwd pw, *found = NULL;
      memcpy(name, path + 1, n);
      name[n] = 0;
      home = !getpwnam_r(name, &pw, buf, sizeof buf, &found) && found ? hf_hub_text(c, "%s", pw.pw_dir) : NULL;
    }
    if (!home) home = "", rest = path;
  }
  char cwd[4096];
  const char *joined;
  if (home && *home)
    joined = hf_hub_text(c, "%s%s", home, rest);
  else if (*path == '/')
    joined = hf_host()->intern(c, path, SIZE_MAX);
  else if (getcwd(cwd, sizeof cwd))
    joined = hf_hub_text(c, "%s/%s", cwd, path);
  else
    return hf_hub_fail(c, HF_EIO, NULL, "The current folder is gone, so '%s' leads nowhere; give an absolute path.",
                       path),
           NULL;
  char *copy = joined ? (char *)(uintptr_t)joined : NULL;
  if (copy) tidy(copy);
  return copy;
}

static const char *endpoint_of(hf_call *c) {
  if (hf_hub_flag(c, "HUGGINGFACE_CO_STAGING")) return HF_HUB_STAGING;
  const char *set = hf_hub_setting(c, "HF_ENDPOINT");
  if (!set) return HF_HUB_ENDPOINT;
  size_t n = strlen(set);
  while (n && set[n - 1] == '/') n--;
  return hf_host()->intern(c, set, n);
}

static bool offline(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_HUB_OFFLINE");
  return yes(set ? set : hf_hub_setting(c, "TRANSFORMERS_OFFLINE"));
}

hf_status hf_hub_begin(struct hf_hub *hub, hf_call *c, hf_out *out, const char *token, const char *library,
                       bool download) {
  *hub = (struct hf_hub){.call = c,
                         .out = out,
                         .endpoint = endpoint_of(c),
                         .offline = offline(c),
                         .library = library ? library : "huggingface-cli/" HF_REFERENCE_VERSION,
                         .token = token,
                         .download = download};
  if (!hub->endpoint) return HF_ENOMEM;
  const char *caller = library ? NULL : hf_host()->option(c, "hub.library");
  if (caller) hub->library = caller;
  hf_runtime_on_http_error(hf_call_runtime(c), hf_hub_http_error);
  return HF_OK;
}

hf_status hf_hub_ready(struct hf_hub *hub) {
  if (hub->ready) return HF_OK;
  hf_hub_harness_renew(hub);
  const char *agent = hf_hub_user_agent(hub);
  if (!agent) return HF_ENOMEM;
  char id[37];
  hf_hub_uuid(id);
  TRY(hf_call_header(hub->call, "user-agent", agent));
  TRY(hf_call_header(hub->call, "x-amzn-trace-id", id));
  if (hub->download) TRY(hf_call_header(hub->call, "x-hf-download-counter", "1"));
  TRY(hf_hub_credentials(hub));
  hub->ready = true;
  return HF_OK;
}

const char *hf_hub_home(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_HOME");
  if (set) return hf_hub_path(c, set);
  const char *parent = hf_hub_setting(c, "XDG_CACHE_HOME");
  parent = hf_hub_path(c, parent ? parent : "~/.cache");
  return parent ? hf_hub_text(c, "%s/huggingface", parent) : NULL;
}

const char *hf_hub_cache_dir(hf_call *c) {
  const char *set = hf_hub_setting(c, "HF_HUB_CACHE");
  if (!set) set = hf_hub_setting(c, "HUGGINGFACE_HUB_CACHE");
  if (set) return hf_hub_path(c, set);
  const char *home = hf_hub_home(c);
  return home ? hf_hub_text(c, "%s/hub", home) : NULL;
}
