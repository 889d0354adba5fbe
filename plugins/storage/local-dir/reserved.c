/* reserved.c - names that are not written into a folder: those that git or our own book-keeping would act on.
 * File systems of macOS and Windows take other spellings for the same name, and a folder may lie on one of them, be shared or
 * copied there; so a name is compared as the loosest of them reads it: case, ignorable characters, dots and blanks at the end. */
#include "local.h"
#include <string.h>

/* Code points that HFS+ and APFS skip when they compare names, and others that nobody sees. */
static const uint32_t ignored[][2] = {{0xad, 0xad},     {0x34f, 0x34f},    {0x61c, 0x61c},   {0x180e, 0x180e},
                                      {0x200b, 0x200f}, {0x202a, 0x202e},  {0x2060, 0x206f}, {0xfeff, 0xfeff},
                                      {0xfff9, 0xfffb}, {0xe0000, 0xe007f}};

/* The code point at s and its length; the name is valid UTF-8, or what is odd in it stands for itself. */
static uint32_t code_point(const unsigned char *s, size_t left, size_t *len) {
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 1;
  *len = 1;
  if (n == 1 || n > left) return s[0];
  uint32_t u = s[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xc0) != 0x80) return s[0];
    u = u << 6 | (s[i] & 0x3f);
  }
  *len = n;
  return u;
}

static bool is_ignored(uint32_t u) {
  for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
    if (u >= ignored[i][0] && u <= ignored[i][1]) return true;
  return false;
}

/* One component as the loosest file system reads it. Cut where it is longer than what it is compared with. */
static void fold(const char *s, size_t len, char out[16]) {
  size_t n = 0, keep = 0;
  for (size_t at = 0, step; at < len && s[at] != ':' && n < 15; at += step) {
    uint32_t u = code_point((const unsigned char *)s + at, len - at, &step);
    if (is_ignored(u)) continue;
    out[n++] = u >= 'A' && u <= 'Z' ? (char)(u + 32) : u < 0x80 ? (char)u : '?';
    if (u != '.' && u != ' ') keep = n;
  }
  out[n < 15 ? keep : n] = 0;
}

bool local_reserved(const char *path) {
  bool cache = false;
  unsigned depth = 0;
  while (*path) {
    char part[16];
    size_t n = strcspn(path, "/\\");
    fold(path, n, part);
    if (!strcmp(part, ".git") || !strcmp(part, "git~1")) return true;
    if (part[0]) depth++;
    if (depth == 1) cache = !strcmp(part, ".cache");
    if (depth == 2 && cache && !strcmp(part, "huggingface")) return true;
    path += n + (path[n] != 0);
  }
  return false;
}
