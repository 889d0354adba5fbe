/* env_map.c - what is typed after --env and --secrets, and files of such lines: names and values for a container.
 * KEY=VALUE, or KEY alone for the value that this program's environment has; quotes, escapes and comments as in .env files
 * of the reference. Also volumes: hf://...:/MOUNT[:ro]. */
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_FILE_MAX (4u << 20)

static bool blank(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f';
}

static bool name_char(char c, bool first) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && c >= '0' && c <= '9');
}

static const char *skip(const char *s) {
  while (blank(*s)) s++;
  return s;
}

/* The end of a quoted text that began at s[0]; NULL: it has none. */
static const char *quote_end(const char *s) {
  for (const char *p = s + 1; *p; p++) {
    if (*p == '\\' && p[1] == *s && strchr(p + 2, *s))
      p++;
    else if (*p == *s)
      return p;
  }
  return NULL;
}

/* \n \t \" \\ \$ and the like, in one pass; others stay. */
static const char *unescape(hf_call *c, const char *s, size_t len) {
  static const char from[] = "nt\"\\$", to[] = "\n\t\"\\$";
  char *out = hf_host()->arena(c, len + 1);
  size_t n = 0;
  for (size_t i = 0; out && i < len; i++) {
    const char *known = s[i] == '\\' && i + 1 < len ? strchr(from, s[i + 1]) : NULL;
    if (known)
      out[n++] = to[known - from], i++;
    else
      out[n++] = s[i];
  }
  if (out) out[n] = 0;
  return out;
}

static const char *value_of(hf_call *c, const char *s) {
  const char *at = skip(s), *end = *at == '"' || *at == '\'' ? quote_end(at) : NULL;
  if (end) {
    const char *rest = skip(end + 1);
    if (!*rest || *rest == '#')
      return *at == '"' ? unescape(c, at + 1, (size_t)(end - at - 1))
                        : hf_host()->intern(c, at + 1, (size_t)(end - at - 1));
  }
  size_t n = 0; /* a comment needs a blank before it */
  while (s[n] && !(s[n] == '#' && n && blank(s[n - 1]))) n++;
  while (n && blank(s[n - 1])) n--;
  while (n && blank(*s)) s++, n--;
  return hf_host()->intern(c, s, n);
}

static hf_status add_line(struct hf_hub *hub, const char *line, json_t *map) {
  hf_call *c = hub->call;
  const char *s = skip(line);
  if (!strncmp(s, "export", 6) && blank(s[6])) s = skip(s + 6);
  size_t n = 0;
  while (name_char(s[n], !n)) n++;
  const char *rest = skip(s + n), *value = NULL, *key = hf_host()->intern(c, s, n);
  if (!key) return HF_ENOMEM;
  if (!n || (*rest && *rest != '=' && *rest != '#')) return HF_OK;
  if (*rest == '=') {
    value = value_of(c, rest + 1);
    if (!value) return HF_ENOMEM;
  } else if (!strcmp(key, "HF_TOKEN")) {
    enum hf_token_from from;
    TRY(hf_token_find(hub, &value, &from));
  } else {
    value = getenv(key);
  }
  if (value && json_object_set_new(map, key, json_string(value)))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "The value of %s is not UTF-8.", key);
  return HF_OK;
}

static hf_status add_text(struct hf_hub *hub, char *text, json_t *map) {
  if (!strncmp(text, "\xef\xbb\xbf", 3)) text += 3;
  for (char *line = text, *next; line; line = next) {
    next = strpbrk(line, "\r\n");
    if (next) *next++ = 0;
    TRY(add_line(hub, line, map));
  }
  return HF_OK;
}

static hf_status add_file(struct hf_hub *hub, const char *name, json_t *map) {
  hf_call *c = hub->call;
  bool standard = !strcmp(name, "-");
  int fd = standard ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
  struct stat info;
  if (fd < 0 || (!standard && fstat(fd, &info))) {
    int err = errno;
    if (fd >= 0) close(fd);
    return hf_host()->fail(
        c, &(struct hf_error){.struct_size = sizeof(struct hf_error),
                              .code = err == ENOENT ? HF_ENOTFOUND : HF_EIO,
                              .cls = "OSError",
                              .sys_errno = err,
                              .message = hf_hub_text(c, "[Errno %d] %s: '%s'", err, strerror(err), name)});
  }
  if (!standard && info.st_mode & 077) {
    const char *text = hf_hub_text(c, "'%s' is readable by other users (mode %o). Run `chmod 600 %s` to restrict it.",
                                   name, (unsigned)(info.st_mode & 0777), name);
    if (text) hf_hub_say(hub->out, c, HF_OUT_WARNING, text);
  }
  char *text = malloc(ENV_FILE_MAX + 1);
  size_t len = 0;
  ssize_t got = text ? 1 : -1;
  while (got > 0 && len < ENV_FILE_MAX) {
    got = read(fd, text + len, ENV_FILE_MAX - len);
    if (got > 0) len += (size_t)got;
  }
  if (!standard) close(fd);
  hf_status st = !text ? HF_ENOMEM
                 : got ? hf_hub_fail(c, HF_EIO, "OSError", "'%s' cannot be read as a file of variables.", name)
                       : HF_OK;
  if (st == HF_OK) {
    text[len] = 0;
    st = add_text(hub, text, map);
  }
  if (text) explicit_bzero(text, len);
  free(text);
  return st;
}

hf_status hf_hub_env_map(struct hf_hub *hub, const hf_args *args, const char *name, json_t **list) {
  hf_call *c = hub->call;
  json_t *map = json_object(), *value;
  const char *key, *file = hf_host()->arg_str(args, hf_hub_text(c, "%s_file", name), 0);
  uint32_t count = hf_host()->arg_count(args, name);
  hf_status st = map ? HF_OK : HF_ENOMEM;
  *list = NULL;
  if (st == HF_OK && file && *file) st = add_file(hub, file, map);
  for (uint32_t i = 0; st == HF_OK && i < count; i++) {
    char *copy = (char *)(uintptr_t)hf_host()->intern(c, hf_host()->arg_str(args, name, i), SIZE_MAX);
    st = copy ? add_text(hub, copy, map) : HF_ENOMEM;
  }
  if (st == HF_OK && json_object_size(map)) {
    *list = json_array();
    json_object_foreach(map, key, value)
        json_array_append_new(*list, json_pack("{s:s, s:O}", "key", key, "value", value));
  }
  json_decref(map);
  return st;
}

hf_status hf_hub_env_object(struct hf_hub *hub, const hf_args *args, const char *name, json_t **map) {
  json_t *list, *pair;
  size_t i;
  TRY(hf_hub_env_map(hub, args, name, &list));
  *map = json_object();
  json_array_foreach(list, i, pair) json_object_set(*map, hf_hub_get(pair, "key"), json_object_get(pair, "value"));
  json_decref(list);
  return *map ? HF_OK : HF_ENOMEM;
}

void hf_hub_env_warn(hf_call *c, hf_out *out, const hf_args *args) {
  for (uint32_t i = 0; i < hf_host()->arg_count(args, "secrets"); i++) {
    if (!strchr(hf_host()->arg_str(args, "secrets", i), '=')) continue;
    hf_hub_say(
        out, c, HF_OUT_WARNING,
        "`--secrets KEY=value` leaves the value in your shell history and in process listings. Prefer `--secrets "
        "KEY` (value read from your environment), `--secrets-file FILE` or `--secrets-file -`.");
    return;
  }
}

/* ---- volumes -------------------------------------------------------------------------------------------------------------------- */

static hf_status refuse(hf_call *c, const char *spec, const char *why) {
  return hf_hub_fail(c, HF_EINVAL, "HfUriError", "%.512s. %s", spec, why);
}

static hf_status volume(hf_call *c, const char *spec, json_t **out) {
  size_t len = strlen(spec);
  struct hf_hub_uri uri;
  int read_only = -1;
  *out = NULL;
  if (strncmp(spec, "hf://", 5)) return refuse(c, spec, "Must start with 'hf://'.");
  if (len == 5) return refuse(c, spec, "Empty body after 'hf://'.");
  if (len > 8 && !strcmp(spec + len - 3, ":ro")) read_only = 1, len -= 3;
  if (len > 8 && read_only < 0 && !strcmp(spec + len - 3, ":rw")) read_only = 0, len -= 3;
  size_t at = len;
  while (at > 5 && !(spec[at - 1] == ':' && at < len && spec[at] == '/')) at--;
  if (at == 5)
    return refuse(c, spec,
                  read_only >= 0 ? "':ro'/':rw' suffix is only valid when a mount path is provided (e.g. "
                                   "'hf://...:/<MOUNT_PATH>:ro')."
                                 : "Missing mount path. Expected ':<MOUNT_PATH>' (e.g. 'hf://org/model:/data').");
  const char *source = hf_host()->intern(c, spec, at - 1), *mount = hf_host()->intern(c, spec + at, len - at);
  if (!source || !mount) return HF_ENOMEM;
  if (at == 6) return refuse(c, spec, "Missing location before mount path.");
  hf_status st = hf_hub_parse_uri(c, source, &uri);
  if (st != HF_OK) { /* what was typed is the whole */
    struct hf_error e;
    TRY(hf_hub_error_keep(c, &e));
    if (strncmp(e.message, source, strlen(source))) return st;
    hf_host()->clear(c);
    e.message = hf_hub_text(c, "%s%s", spec, e.message + strlen(source));
    return hf_host()->fail(c, &e);
  }
  if (!mount[1]) return refuse(c, spec, "Mount path must be a non-empty absolute path starting with '/', got '/'.");
  *out = json_pack("{s:s, s:s, s:s}", "type", uri.type, "source", uri.id, "mountPath", mount);
  if (*out && uri.revision) json_object_set_new(*out, "revision", json_string(uri.revision));
  if (*out && read_only >= 0) json_object_set_new(*out, "readOnly", json_boolean(read_only));
  if (*out && *uri.path) json_object_set_new(*out, "path", json_string(uri.path));
  return *out ? HF_OK : hf_hub_fail(c, HF_EINVAL, "ValueError", "A volume is not UTF-8.");
}

hf_status hf_hub_volumes(hf_call *c, const hf_args *args, json_t **list) {
  uint32_t count = hf_host()->arg_count(args, "volume");
  *list = count ? json_array() : NULL;
  for (uint32_t i = 0; i < count; i++) {
    json_t *one;
    hf_status st = volume(c, hf_host()->arg_str(args, "volume", i), &one);
    if (st == HF_OK && !json_array_append_new(*list, one)) continue;
    json_decref(*list);
    *list = NULL;
    return st == HF_OK ? HF_ENOMEM : st;
  }
  return HF_OK;
}
