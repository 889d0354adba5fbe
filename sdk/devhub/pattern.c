/* pattern.c - git's patterns (pattern.h).
 * Segments are matched by fnmatch; `**` is a segment of its own that takes any number of folders, tried from the left with
 * a budget. Lines are read one by one; the last that matches decides. */
#include "pattern.h"
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { LINE_ROOM = 2048, BUDGET = 20000 };

/* Most patterns are "*.ext", and need no more than a look at the end. */
static bool is_ending(const char *pattern, size_t size) {
  if (!size || *pattern != '*') return false;
  for (const char *s = pattern + 1; s < pattern + size; s++)
    if (*s == '*' || *s == '?' || *s == '[' || *s == '\\') return false;
  return true;
}

static bool segment_match(const char *pattern, size_t pattern_size, const char *name, size_t size) {
  char p[LINE_ROOM], n[LINE_ROOM];
  if (pattern_size >= sizeof p || size >= sizeof n) return false;
  if (is_ending(pattern, pattern_size)) {
    size_t end = pattern_size - 1;
    return size >= end && memcmp(name + size - end, pattern + 1, end) == 0;
  }
  memcpy(p, pattern, pattern_size);
  p[pattern_size] = 0;
  memcpy(n, name, size);
  n[size] = 0;
  return fnmatch(p, n, 0) == 0;
}

/* Both are "a/b/c"; the depth is that of the `**` in the pattern, the work that of the budget. */
static bool segments_match(const char *pattern, const char *path, int *budget) {
  while (*pattern) {
    size_t n = strcspn(pattern, "/"), m = strcspn(path, "/");
    const char *rest = pattern + n + (pattern[n] == '/');
    if (--*budget < 0) return false;
    if (n == 2 && strncmp(pattern, "**", 2) == 0) {
      if (!*rest) return *path != 0;
      for (const char *at = path; *at; at += strcspn(at, "/"), at += *at == '/')
        if (segments_match(rest, at, budget)) return true;
      return false;
    }
    if (!*path || !segment_match(pattern, n, path, m)) return false;
    pattern = rest;
    path += m + (path[m] == '/');
  }
  return !*path;
}

bool dh_pattern_match(const char *pattern, const char *path) {
  int budget = BUDGET;
  const char *slash = strchr(pattern, '/'), *name = strrchr(path, '/');
  if (!slash) return segment_match(pattern, strlen(pattern), name ? name + 1 : path, strlen(name ? name + 1 : path));
  return segments_match(pattern + (*pattern == '/'), path, &budget);
}

/* The next line without its end; NULL after the last. */
static const char *line_next(const char *at, char line[LINE_ROOM]) {
  if (!*at) return NULL;
  size_t n = (size_t)(strchrnul(at, '\n') - at), kept = n < LINE_ROOM ? n : 0;
  memcpy(line, at, kept);
  while (kept && (line[kept - 1] == '\r' || line[kept - 1] == ' ' || line[kept - 1] == '\t')) kept--;
  line[kept] = 0;
  return at + n + (at[n] == '\n');
}

/* A pattern holds for a path and for everything below a folder it matches. */
static bool ignore_line(char *pattern, const char *path) {
  size_t size = strlen(pattern);
  bool folder = size > 1 && pattern[size - 1] == '/';
  char part[LINE_ROOM];
  if (folder) pattern[size - 1] = 0;
  for (const char *end = path; (end = strchr(end, '/')); end++) {
    if ((size_t)(end - path) >= sizeof part) return false;
    memcpy(part, path, (size_t)(end - path));
    part[end - path] = 0;
    if (dh_pattern_match(pattern, part)) return true;
  }
  return !folder && dh_pattern_match(pattern, path);
}

bool dh_gitignore_match(const char *rules, const char *path) {
  char line[LINE_ROOM];
  bool ignored = false;
  for (const char *at = rules; (at = line_next(at, line));) {
    bool negated = line[0] == '!';
    char *pattern = line + negated;
    if (!*pattern || *line == '#') continue;
    if (pattern[0] == '\\') pattern++;
    if (ignore_line(pattern, path)) ignored = !negated;
  }
  return ignored;
}

bool dh_gitattributes_lfs(const char *rules, const char *path) {
  char line[LINE_ROOM];
  bool lfs = false;
  for (const char *at = rules; (at = line_next(at, line));) {
    size_t n = strcspn(line, " \t");
    if (*line == '#' || !line[n]) continue;
    line[n] = 0;
    if (!dh_pattern_match(line, path)) continue;
    const char *filter = strstr(line + n + 1, "filter");
    if (!filter) continue;
    lfs = strncmp(filter, "filter=lfs", 10) == 0;
  }
  return lfs;
}
