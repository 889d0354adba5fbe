/* unicode.c - UTF-8 text for people and for scripts: lengths, escapes, single lines, quoted literals.
 * The rules are those of the reference's str methods, so that tables, quiet values and messages come out equal.
 * Input may be hostile; nothing here allocates. */
#include "unicode.h"

#include <string.h>

uint32_t cli_utf8_next(const char *text, size_t len, size_t *bytes, bool *bad) {
  const unsigned char *s = (const unsigned char *)text;
  *bytes = 1;
  *bad = false;
  if (s[0] < 0x80) return s[0];
  size_t want = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
  if (want && want <= len) {
    uint32_t c = s[0] & (0xffu >> (want + 1));
    size_t i = 1;
    for (; i < want && (s[i] & 0xc0) == 0x80; i++) c = c << 6 | (s[i] & 0x3fu);
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (i == want && c >= least[want] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff)) {
      *bytes = want;
      return c;
    }
  }
  *bad = true;
  return s[0];
}

size_t cli_utf8_length(const char *text, size_t len) {
  size_t count = 0, bytes;
  bool bad;
  for (size_t i = 0; i < len; i += bytes, count++) cli_utf8_next(text + i, len - i, &bytes, &bad);
  return count;
}

size_t cli_utf8_prefix(const char *text, size_t len, size_t count) {
  size_t i = 0, bytes;
  bool bad;
  while (i < len && count--) {
    cli_utf8_next(text + i, len - i, &bytes, &bad);
    i += bytes;
  }
  return i;
}

bool cli_is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static void escape(FILE *f, uint32_t c) {
  if (c == '\n')
    fputs("\\n", f);
  else if (c == '\r')
    fputs("\\r", f);
  else if (c == '\t')
    fputs("\\t", f);
  else if (c < 0x100)
    fprintf(f, "\\x%02x", c);
  else if (c < 0x10000)
    fprintf(f, "\\u%04x", c);
  else
    fprintf(f, "\\U%08x", c);
}

static void put(FILE *f, const char *at, size_t bytes, uint32_t c, bool bad) {
  if (bad || !cli_is_printable(c))
    escape(f, c);
  else
    fwrite(at, 1, bytes, f);
}

void cli_write_escaped(FILE *f, const char *text, size_t len) {
  size_t bytes;
  bool bad;
  for (size_t i = 0; i < len; i += bytes) {
    uint32_t c = cli_utf8_next(text + i, len - i, &bytes, &bad);
    put(f, text + i, bytes, c, bad);
  }
}

void cli_write_single_line(FILE *f, const char *text, size_t len) {
  size_t bytes;
  bool bad, blank = false, any = false;
  for (size_t i = 0; i < len; i += bytes) {
    uint32_t c = cli_utf8_next(text + i, len - i, &bytes, &bad);
    if (!bad && cli_is_space(c)) {
      blank = true;
      continue;
    }
    if (blank && any) putc(' ', f);
    blank = false;
    any = true;
    put(f, text + i, bytes, c, bad);
  }
}

void cli_write_repr(FILE *f, const char *text, size_t len) {
  char quote = memchr(text, '\'', len) && !memchr(text, '"', len) ? '"' : '\'';
  size_t bytes;
  bool bad;
  putc(quote, f);
  for (size_t i = 0; i < len; i += bytes) {
    uint32_t c = cli_utf8_next(text + i, len - i, &bytes, &bad);
    if (c == (uint32_t)quote || c == '\\') putc('\\', f);
    put(f, text + i, bytes, c, bad);
  }
  putc(quote, f);
}

void cli_write_message(FILE *f, const char *text) {
  size_t len = strlen(text), bytes;
  bool bad;
  for (size_t i = 0; i < len; i += bytes) {
    uint32_t c = cli_utf8_next(text + i, len - i, &bytes, &bad);
    bool control = c < 0x20 ? c != '\n' && c != '\t' : c >= 0x7f && c < 0xa0;
    if (bad || control)
      escape(f, c);
    else
      fwrite(text + i, 1, bytes, f);
  }
}

void cli_write_plain(FILE *f, const char *text, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '\033' && i + 1 < len && text[i + 1] == '[') {
      size_t end = i + 2;
      while (end < len && ((text[end] >= '0' && text[end] <= '9') || text[end] == ';')) end++;
      if (end < len && text[end] == 'm') {
        i = end;
        continue;
      }
    }
    putc(text[i], f);
  }
}
