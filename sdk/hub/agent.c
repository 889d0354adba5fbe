/* agent.c - who is asking: the user agent, request ids, and the AI agent that may be running this program.
 * The registry of agents is the Hub's; a copy is kept for a day and renewed just before the first request of an operation
 * that uses the network anyway. Without registry and copy nobody is an agent. */
#include "hub.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HF_HARNESS_MAX (1u << 20)

void hf_hub_uuid(char out[37]) {
  unsigned char b[16];
  if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
    uint64_t t = hf_host()->now_ns();
    for (size_t i = 0; i < sizeof b; i++) b[i] = (unsigned char)(t >> (i % 8 * 8)) ^ (unsigned char)(i * 37);
  }
  b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
  b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
  size_t n = 0;
  for (size_t i = 0; i < sizeof b; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out[n++] = '-';
    out[n++] = "0123456789abcdef"[b[i] >> 4];
    out[n++] = "0123456789abcdef"[b[i] & 15];
  }
  out[n] = 0;
}

/* ---- what was found last ------------------------------------------------------------------------------------------- */

/* What was detected, remembered for a minute: requests follow each other faster than that. */
enum { REMEMBER_S = 60 };
static struct {
  pthread_mutex_t lock;
  char home[1024], id[128];
  uint64_t until_ns;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void forget(void) {
  pthread_mutex_lock(&last.lock);
  last.until_ns = 0;
  pthread_mutex_unlock(&last.lock);
}

/* ---- the registry on disk ------------------------------------------------------------------------------------------ */

static const char *registry_path(hf_call *c) {
  const char *home = hf_hub_home(c);
  return home ? hf_hub_text(c, "%s/.agent_harnesses.json", home) : NULL;
}

static json_t *registry_read(const char *path) {
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  struct stat st;
  if (fd < 0) return NULL;
  json_t *root = NULL;
  if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= HF_HARNESS_MAX)
    root = json_loadfd(fd, 0, NULL);
  close(fd);
  return root;
}

static bool registry_fresh(const char *path) {
  struct stat st;
  return path && !stat(path, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && time(NULL) - st.st_mtime < 24 * 3600;
}

/* One name for the temporary, so that what a killed process left is used by the next one; the lock keeps two apart. */
static void registry_write(hf_call *c, const char *path, json_t *root) {
  const char *home = hf_hub_home(c), *temp = hf_hub_text(c, "%s.tmp", path);
  char *text = json_dumps(root, JSON_ENSURE_ASCII);
  struct stat mine, there;
  if (home) mkdir(home, 0777);
  int fd = temp && text ? open(temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666) : -1;
  bool ok = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &mine) == 0 && lstat(temp, &there) == 0 &&
            mine.st_ino == there.st_ino && S_ISREG(mine.st_mode);
  size_t len = text ? strlen(text) : 0;
  if (ok && (ftruncate(fd, 0) || write(fd, text, len) != (ssize_t)len || rename(temp, path))) unlink(temp);
  if (fd >= 0) close(fd);
  free(text);
}

void hf_hub_harness_renew(struct hf_hub *hub) {
  hf_call *c = hub->call;
  const char *path = registry_path(c), *url = hf_hub_text(c, "%s/api/agent-harnesses", hub->endpoint);
  if (!path || !url) return;
  if (registry_fresh(path)) {
    const char *temp = hf_hub_text(c, "%s.tmp", path); /* of a process that was killed while another one succeeded */
    if (temp) unlink(temp);
    return;
  }
  const char *agent = hf_hub_text(c, "libhf/%s", hf_version());
  struct hf_kv headers[] = {{"user-agent", agent}, {"accept", "*/*"}};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .flags = HF_HTTP_BARE | HF_HTTP_NO_AUTH,
                            .url = url,
                            .tries = 1,
                            .headers = HF_TABLE(headers),
                            .timeout_ms = 3000,
                            .max_redirects = 20,
                            .max_body = HF_HARNESS_MAX};
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  json_t *root = NULL;
  if (hf_host()->http(c, &req, &resp) == HF_OK && hf_hub_parse(c, resp.body, resp.body_len, url, &root) == HF_OK)
    registry_write(c, path, root), forget();
  json_decref(root);
  if (hf_host()->check(c) == HF_OK) hf_host()->clear(c);
}

/* ---- detection ---------------------------------------------------------------------------------------------------------- */

static const char *env(const char *name) {
  const char *v = name ? getenv(name) : NULL;
  return v && *v ? v : NULL;
}

/* Value of a variable without blanks around; NULL when nothing is left. */
static const char *env_trimmed(hf_call *c, const char *name) {
  const char *v = env(name);
  if (!v) return NULL;
  v += strspn(v, " \t\r\n\v\f");
  size_t n = strlen(v);
  while (n && strchr(" \t\r\n\v\f", v[n - 1])) n--;
  return n ? hf_host()->intern(c, v, n) : NULL;
}

static bool matches(json_t *info) {
  json_t *vars = json_object_get(info, "envVars"), *pattern;
  const char *name;
  json_object_foreach(vars, name, pattern) {
    const char *v = env(name), *want = json_string_value(pattern);
    if (v && want && (!strcmp(want, "*") || !strcmp(want, v))) return true;
  }
  return false;
}

static bool standard_is(hf_call *c, json_t *standard, const char *id) {
  size_t i;
  json_t *name;
  json_array_foreach(standard, i, name) {
    const char *v = env_trimmed(c, json_string_value(name));
    if (v && !strcmp(v, id)) return true;
  }
  return false;
}

const char *hf_hub_harness_detect(hf_call *c) {
  json_t *root = registry_read(registry_path(c)), *harnesses = json_object_get(root, "harnesses"), *info, *name;
  json_t *standard = json_object_get(root, "standardEnvVars");
  const char *id, *found = NULL;
  json_object_foreach(harnesses, id, info) {
    if (matches(info) || standard_is(c, standard, id)) {
      found = hf_host()->intern(c, id, SIZE_MAX);
      break;
    }
  }
  size_t i;
  if (!found) json_array_foreach(standard, i, name) {
      const char *v = env_trimmed(c, json_string_value(name));
      if (!v) continue;
      found = "unknown";
      json_object_foreach(harnesses, id, info) if (!strcasecmp(id, v)) found = hf_host()->intern(c, id, SIZE_MAX);
      break;
    }
  json_decref(root);
  return found;
}

struct detected {
  char id[128];
};

static hf_status detect(hf_call *c, void *arg) {
  struct detected *d = arg;
  const char *id = hf_hub_harness_detect(c);
  snprintf(d->id, sizeof d->id, "%s", id ? id : "");
  return HF_OK;
}

const char *hf_hub_agent(hf_runtime *rt) {
  static _Thread_local struct detected d;
  d.id[0] = 0;
  hf_op *op = hf_op_start_fn(rt, detect, &d,
                             &(struct hf_watch){.struct_size = sizeof(struct hf_watch), .flags = HF_WATCH_RUN_IN_WAIT});
  if (op) hf_op_wait(op);
  hf_op_free(op);
  return d.id[0] ? d.id : NULL;
}

/* ---- the user agent --------------------------------------------------------------------------------------------------------- */

/* The agent, or what was found a moment ago. */
static const char *agent_of(hf_call *c) {
  const char *home = hf_hub_home(c), *id;
  uint64_t now = hf_host()->now_ns();
  if (!home) return NULL;
  pthread_mutex_lock(&last.lock);
  bool known = now < last.until_ns && !strcmp(last.home, home);
  id = known && last.id[0] ? hf_host()->intern(c, last.id, SIZE_MAX) : NULL;
  pthread_mutex_unlock(&last.lock);
  if (known) return id;
  id = hf_hub_harness_detect(c);
  if (strlen(home) >= sizeof last.home || (id && strlen(id) >= sizeof last.id)) return id;
  pthread_mutex_lock(&last.lock);
  snprintf(last.home, sizeof last.home, "%s", home);
  snprintf(last.id, sizeof last.id, "%s", id ? id : "");
  last.until_ns = now + REMEMBER_S * 1000000000ull;
  pthread_mutex_unlock(&last.lock);
  return id;
}

static bool telemetry(hf_call *c) {
  static const char *const off[] = {"HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK"};
  for (size_t i = 0; i < HF_COUNT(off); i++)
    if (hf_hub_flag(c, off[i])) return false;
  return true;
}

/* Parts between ";", blanks trimmed, later copies of a part dropped. */
static const char *distinct(hf_call *c, const char *text) {
  size_t len = strlen(text), n = 0;
  char *out = hf_host()->arena(c, 2 * len + 3);
  if (!out) return NULL;
  for (const char *part = text; *part;) {
    const char *end = strchr(part, ';');
    const char *next = end ? end + 1 : part + strlen(part);
    if (!end) end = next;
    while (part < end && *part == ' ') part++;
    while (end > part && end[-1] == ' ') end--;
    size_t k = (size_t)(end - part);
    bool seen = false;
    for (size_t at = 0; at < n && !seen;) {
      const char *stop = memchr(out + at, ';', n - at);
      size_t have = stop ? (size_t)(stop - (out + at)) : n - at;
      seen = have == k && !memcmp(out + at, part, k);
      at += have + 2;
    }
    if (!seen) {
      if (n) memcpy(out + n, "; ", 2), n += 2;
      memcpy(out + n, part, k);
      n += k;
    }
    part = next;
  }
  out[n] = 0;
  return out;
}

/* The last one that was made, by what it was made of. */
static struct {
  pthread_mutex_t lock;
  char library[96], agent[96], origin[96], text[512];
} made = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool same(const char *known, const char *now) {
  return !strcmp(known, now ? now : "");
}

static const char *known_text(hf_call *c, const char *library, const char *agent, const char *origin) {
  pthread_mutex_lock(&made.lock);
  bool known = made.text[0] && same(made.library, library) && same(made.agent, agent) && same(made.origin, origin);
  const char *text = known ? hf_host()->intern(c, made.text, SIZE_MAX) : NULL;
  pthread_mutex_unlock(&made.lock);
  return text;
}

static void keep_text(const char *library, const char *agent, const char *origin, const char *text) {
  const char *from[] = {library, agent ? agent : "", origin ? origin : ""};
  for (size_t i = 0; i < HF_COUNT(from); i++)
    if (strlen(from[i]) >= sizeof made.library) return;
  if (!text || strlen(text) >= sizeof made.text) return;
  pthread_mutex_lock(&made.lock);
  snprintf(made.library, sizeof made.library, "%s", from[0]);
  snprintf(made.agent, sizeof made.agent, "%s", from[1]);
  snprintf(made.origin, sizeof made.origin, "%s", from[2]);
  snprintf(made.text, sizeof made.text, "%s", text);
  pthread_mutex_unlock(&made.lock);
}

const char *hf_hub_user_agent(struct hf_hub *hub) {
  hf_call *c = hub->call;
  const char *agent = telemetry(c) ? agent_of(c) : NULL, *origin = hf_hub_setting(c, "HF_HUB_USER_AGENT_ORIGIN");
  const char *known = known_text(c, hub->library, agent, origin);
  if (known) return known;
  const char *text =
      hf_hub_text(c, "%s; hf_hub/" HF_REFERENCE_VERSION "; libhf/%s%s%s%s%s", hub->library, hf_version(),
                  agent ? "; agent/" : "", agent ? agent : "", origin ? "; origin/" : "", origin ? origin : "");
  if (!text) return NULL;
  for (const char *s = text; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "The user agent would hold a control character; check HF_HUB_USER_AGENT_ORIGIN."),
             NULL;
  text = distinct(c, text);
  keep_text(hub->library, agent, origin, text);
  return text;
}
