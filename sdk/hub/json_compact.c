/* json_compact.c - an object in JSON, checked and written as it would be after reading it, without making values of it.
 * Only what needs no thought: numbers that are whole, escapes that are written alike, no name twice in an object, little depth.
 * Everything else, and what is wrong, is left to those who read it. */
#include <stdlib.h>
#include <string.h>

#include "hub.h"

enum { DEEPEST = 24, NAMES = 32, DIGITS = 18 };

struct compactor {
  const char *at, *end;
  char *to; /* never more than was read */
  bool (*fine)(const char *, size_t);
  int depth;
};

static bool value(struct compactor *c);

static bool is(struct compactor *c, char ch) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t' || *c->at == '\r')) c->at++;
  if (c->at == c->end || *c->at != ch) return false;
  *c->to++ = ch;
  c->at++;
  return true;
}

/* Bytes of the escape or of the character beyond ASCII that begins here; 0: it is written otherwise, or wrong. */
static size_t character(const char *text, size_t left) {
  const unsigned char *s = (const unsigned char *)text;
  if (s[0] == '\\') return left > 1 && memchr("\"\\bfnrt", s[1], 7) ? 2 : 0;
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  bool longer = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
  bool surrogate = s[0] == 0xed && s[1] > 0x9f, beyond = s[0] == 0xf4 && s[1] > 0x8f;
  return longer || surrogate || beyond ? 0 : n;
}

/* Behind the opening quote. */
static bool text(struct compactor *c) {
  const char *s = c->at;
  for (;;) {
    while (s < c->end && (unsigned char)(*s - 0x20) < 0x60 && *s != '"' && *s != '\\') s++;
    if (s == c->end || *s == '"') break;
    size_t n = character(s, (size_t)(c->end - s));
    if (n == 0) return false;
    s += n;
  }
  if (s == c->end) return false;
  size_t n = (size_t)(s + 1 - c->at);
  memcpy(c->to, c->at, n);
  c->to += n;
  c->at = s + 1;
  return true;
}

static bool number(struct compactor *c) {
  const char *s = c->at;
  bool minus = *s == '-';
  s += minus;
  const char *first = s;
  while (s < c->end && *s >= '0' && *s <= '9') s++;
  size_t n = (size_t)(s - first);
  if (n == 0 || n > DIGITS || (*first == '0' && (n > 1 || minus))) return false;
  if (s < c->end && (*s == '.' || *s == 'e' || *s == 'E')) return false;
  memcpy(c->to, c->at, (size_t)(s - c->at));
  c->to += s - c->at;
  c->at = s;
  return true;
}

static bool word(struct compactor *c, const char *what, size_t n) {
  if ((size_t)(c->end - c->at) < n || memcmp(c->at, what, n) != 0) return false;
  memcpy(c->to, what, n);
  c->to += n;
  c->at += n;
  return true;
}

static bool object(struct compactor *c) {
  struct {
    const char *at;
    size_t n;
  } names[NAMES];
  size_t count = 0;
  if (is(c, '}')) return true;
  do {
    if (count == NAMES || !is(c, '"')) return false;
    const char *name = c->at;
    if (!text(c)) return false;
    size_t n = (size_t)(c->at - 1 - name);
    if (!c->fine(name, n)) return false;
    for (size_t i = 0; i < count; i++)
      if (names[i].n == n && memcmp(names[i].at, name, n) == 0) return false;
    names[count].at = name;
    names[count++].n = n;
    if (!is(c, ':') || !value(c)) return false;
  } while (is(c, ','));
  return is(c, '}');
}

static bool array(struct compactor *c) {
  if (is(c, ']')) return true;
  do
    if (!value(c)) return false;
  while (is(c, ','));
  return is(c, ']');
}

static bool value(struct compactor *c) {
  if (c->depth == DEEPEST) return false;
  c->depth++;
  bool done = is(c, '"')        ? text(c)
              : is(c, '{')      ? object(c)
              : is(c, '[')      ? array(c)
              : c->at == c->end ? false
              : *c->at == '-' || (*c->at >= '0' && *c->at <= '9')
                  ? number(c)
                  : word(c, "true", 4) || word(c, "false", 5) || word(c, "null", 4);
  c->depth--;
  return done;
}

char *hf_json_compact(const char *s, size_t len, bool (*fine)(const char *, size_t), size_t *len_out) {
  char *out = malloc(len + 1);
  struct compactor c = {.at = s, .end = s + len, .to = out, .fine = fine};
  bool done = out && value(&c) && *out == '{';
  while (done && c.at < c.end && (*c.at == ' ' || *c.at == '\n' || *c.at == '\t' || *c.at == '\r')) c.at++;
  if (!done || c.at < c.end) return free(out), NULL;
  *c.to = 0;
  *len_out = (size_t)(c.to - out);
  return out;
}
