/* names.c - syntax of everything that names a file: repo, commit, etag, ref, path. The one place where a name that came from a
 * server or a user is judged before any backend sees it. Paths obey POSIX and Windows rules on all systems, so that a
 * folder that was filled on Linux can be read anywhere. */
#include "core.h"

enum { PATH_LONGEST = 4000, COMPONENT_LONGEST = 255, ETAG_LONGEST = 200, REPO_PART_LONGEST = 96 };

static bool is_word(unsigned char ch) {
  return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool is_letter(unsigned char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static bool is_hex(const char *s, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) return false;
  return true;
}

/* Length of the UTF-8 sequence at s, 0 when it is none: overlong forms, surrogates and what lies beyond U+10FFFF are none. */
static size_t utf8_len(const unsigned char *s) {
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
  if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
  return n;
}

static hf_status refuse(hf_call *c, const char *message) {
  struct hf_error e = {.struct_size = sizeof e, .code = HF_EINVAL, .cls = "ValueError", .message = message};
  return hf_call_fail(c, &e);
}

static hf_status refuse_path(hf_call *c, const char *path, const char *why) {
  struct hf_text_buf t;
  hf_text_init(&t, 1024);
  hf_text_addf(&t, "Invalid filename '%.300s': %s. Please ask the repository owner to rename this file.", path, why);
  hf_status st = refuse(c, t.data);
  hf_text_free(&t);
  return st;
}

/* Is this component, also cut at backslashes, a way up? */
static bool climbs(const char *s, size_t len) {
  for (size_t from = 0, i = 0; i <= len; i++) {
    if (i < len && s[i] != '\\') continue;
    if (i - from == 2 && s[from] == '.' && s[from + 1] == '.') return true;
    from = i + 1;
  }
  return false;
}

static const char *component_fault(const char *s, size_t len) {
  if (len == 0) return "cannot contain an empty path segment";
  if (len == 1 && s[0] == '.') return "cannot contain a '.' path segment";
  if (climbs(s, len)) return "cannot contain a '..' path segment";
  if (s[0] == '\\' || (len > 1 && s[1] == ':' && is_letter((unsigned char)s[0])))
    return "cannot be an absolute, drive-relative or UNC path";
  if (len > COMPONENT_LONGEST) return "a path segment is longer than 255 bytes";
  return NULL;
}

hf_status hf_path_check(hf_call *c, const char *path) {
  if (!path || !*path) return refuse(c, "a file name is missing: name a file of the repository");
  if (path[0] == '/') return refuse_path(c, path, "cannot be an absolute, drive-relative or UNC path");
  size_t len = strlen(path);
  if (len > PATH_LONGEST) return refuse_path(c, path, "is longer than 4000 bytes");
  for (size_t i = 0, n; i < len; i += n) {
    unsigned char ch = (unsigned char)path[i];
    n = utf8_len((const unsigned char *)path + i);
    if (n == 0)
      return refuse(c, "Invalid filename: not valid UTF-8. Please ask the repository owner to rename this file.");
    if (ch < 0x20 || ch == 0x7f)
      return refuse(
          c, "Invalid filename: contains a control character. Please ask the repository owner to rename this file.");
  }
  for (size_t from = 0; from <= len;) {
    const char *slash = memchr(path + from, '/', len - from);
    size_t n = slash ? (size_t)(slash - path) - from : len - from;
    const char *why = component_fault(path + from, n);
    if (why) return refuse_path(c, path, why);
    from += n + 1;
  }
  return HF_OK;
}

static bool repo_part(const char *s, size_t len) {
  if (len == 0 || len > REPO_PART_LONGEST || !is_word((unsigned char)s[0]) || !is_word((unsigned char)s[len - 1]))
    return false;
  for (size_t i = 0; i < len; i++) {
    if (!is_word((unsigned char)s[i]) && s[i] != '-' && s[i] != '.') return false;
    if (i && s[i] == s[i - 1] && (s[i] == '-' || s[i] == '.')) return false;
  }
  return true;
}

hf_status hf_repo_check(hf_call *c, const struct hf_repo *repo) {
  static const char *const types[] = {"model", "dataset", "space", "kernel"};
  if (!repo || !repo->type || !repo->id) return refuse(c, "a repository is missing: name its type and id");
  size_t t = 0;
  while (t < HF_COUNT(types) && strcmp(types[t], repo->type) != 0) t++;
  if (t == HF_COUNT(types))
    return hf_call_failf(c, HF_EINVAL, "'%.40s' is no repository type: use model, dataset, space or kernel",
                         repo->type);
  const char *slash = strchr(repo->id, '/');
  size_t len = strlen(repo->id);
  size_t first = slash ? (size_t)(slash - repo->id) : 0;
  const char *name = slash ? slash + 1 : repo->id;
  size_t n = len - (size_t)(name - repo->id);
  bool good =
      (!slash || repo_part(repo->id, first)) && repo_part(name, n) && !(n > 4 && strcmp(name + n - 4, ".git") == 0);
  if (good) return HF_OK;
  return hf_call_failf(
      c, HF_EINVAL, "'%.200s' is no repository id: use 'name' or 'namespace/name' of letters, digits, '-', '_' and '.'",
      repo->id);
}

bool hf_is_commit(const char *s) {
  return strlen(s) == 40 && is_hex(s, 40);
}

hf_status hf_commit_check(hf_call *c, const char *commit) {
  if (commit && hf_is_commit(commit)) return HF_OK;
  return hf_call_failf(c, HF_EINVAL, "'%.80s' is no commit: it has 40 lower-case hexadecimal digits",
                       commit ? commit : "");
}

hf_status hf_etag_check(hf_call *c, const char *etag) {
  size_t len = etag ? strlen(etag) : 0;
  bool good = len > 0 && len <= ETAG_LONGEST && etag[0] != '.';
  for (size_t i = 0; good && i < len; i++) {
    unsigned char ch = (unsigned char)etag[i];
    good = ch > 0x20 && ch < 0x7f && ch != '/' && ch != '\\' && ch != '"';
  }
  if (good) return HF_OK;
  return hf_call_failf(c, HF_EPROTO,
                       "the server names a file by an etag that cannot be used: ask its operator to repair it");
}

hf_status hf_ref_check(hf_call *c, const char *name) {
  size_t len = name ? strlen(name) : 0;
  bool good = len > 0 && len <= 1024 && name[0] != '/';
  for (size_t from = 0; good && from <= len;) {
    const char *slash = memchr(name + from, '/', len - from);
    size_t n = slash ? (size_t)(slash - name) - from : len - from;
    good = component_fault(name + from, n) == NULL;
    from += n + 1;
  }
  for (size_t i = 0, n; good && i < len; i += n) {
    n = utf8_len((const unsigned char *)name + i);
    good = n && (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
  }
  if (good) return HF_OK;
  return hf_call_failf(c, HF_EINVAL, "'%.200s' is no revision name that can be stored", name ? name : "");
}
