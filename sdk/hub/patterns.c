/* patterns.c - which files a pattern means: Python's fnmatchcase over the whole path, where "*" crosses "/".
 * "[seq]" and "[!seq]" with ranges, "?" one character (UTF-8), no escapes; a pattern that ends in "/" means all below.
 * Matching is linear in the path for each star: no pattern makes it explode. */
#include "hub.h"

#include <string.h>

/* One code point; broken UTF-8 counts byte by byte. */
static uint32_t take(const char **s) {
  const unsigned char *p = (const unsigned char *)*s;
  uint32_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 1, cp = n == 1 ? p[0] : p[0] & (0x7fu >> n);
  for (uint32_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return (*s)++, p[0];
    cp = cp << 6 | (p[i] & 0x3fu);
  }
  *s += n;
  return cp;
}

/* End of the set that opens behind "[" at p, or NULL: then "[" is itself. A "]" in front belongs to the set. */
static const char *set_end(const char *p) {
  if (*p == '!') p++;
  if (*p == ']') p++;
  return strchr(p, ']');
}

static bool in_set(const char *p, const char *end, uint32_t ch) {
  bool no = *p == '!', found = false;
  if (no) p++;
  while (p < end) {
    uint32_t low = take(&p), high = low;
    if (*p == '-' && p + 1 < end) {
      p++;
      high = take(&p);
    }
    if (ch >= low && ch <= high) found = true;
  }
  return found != no;
}

bool hf_hub_fnmatch(const char *pattern, const char *path) {
  const char *star = NULL, *again = NULL;
  while (*path) {
    const char *p = pattern, *s = path, *end = *p == '[' ? set_end(p + 1) : NULL;
    if (*p == '*') {
      star = pattern = p + 1;
      again = path;
      continue;
    }
    uint32_t ch = take(&s);
    bool ok;
    if (end) {
      ok = in_set(p + 1, end, ch);
      p = end + 1;
    } else if (*p == '?') {
      ok = true;
      p++;
    } else {
      ok = *p && take(&p) == ch;
    }
    if (ok) {
      pattern = p;
      path = s;
    } else if (star) {
      take(&again);
      path = again;
      pattern = star;
    } else {
      return false;
    }
  }
  while (*pattern == '*') pattern++;
  return !*pattern;
}

/* "\" is "/"; "dir/" is "dir/<star>". */
static const char *normal(hf_call *c, const char *text, bool pattern) {
  size_t n = strlen(text);
  bool folder = pattern && n && (text[n - 1] == '/' || text[n - 1] == '\\');
  if (!folder && !strchr(text, '\\')) return text;
  char *copy = (char *)(uintptr_t)hf_hub_text(c, "%s%s", text, folder ? "*" : "");
  for (char *s = copy; s && *s; s++)
    if (*s == '\\') *s = '/';
  return copy;
}

static bool any(hf_call *c, const char *const *patterns, uint32_t count, const char *path) {
  for (uint32_t i = 0; i < count; i++) {
    const char *p = normal(c, patterns[i], true);
    if (p && hf_hub_fnmatch(p, path)) return true;
  }
  return false;
}

bool hf_hub_wanted(hf_call *c, const struct hf_hub_patterns *p, const char *path) {
  if (!p->allow && !p->ignore) return true;
  path = normal(c, path, false);
  if (!path) return false;
  if (p->allow && !any(c, p->allow, p->allow_count, path)) return false;
  return !(p->ignore && any(c, p->ignore, p->ignore_count, path));
}
