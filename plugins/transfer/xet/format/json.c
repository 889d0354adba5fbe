/* json.c - the pull reader. Structure is checked as it is read; what is skipped is checked for brackets and strings only.
 * Depth is bounded by the 64 bits that remember whether a comma is due.
 * Escapes become UTF-8; lone surrogates become U+FFFD. */
#include "json.h"

#include <string.h>

static int bad(struct xet_json *j) {
  j->bad = 1;
  j->p = j->end;
  return 0;
}

char xet_json_peek(struct xet_json *j) {
  while (j->p < j->end && (*j->p == ' ' || *j->p == '\n' || *j->p == '\r' || *j->p == '\t')) j->p++;
  return j->p < j->end ? *j->p : 0;
}

static int eat(struct xet_json *j, char c) {
  if (j->bad || xet_json_peek(j) != c) return bad(j);
  j->p++;
  return 1;
}

int xet_json_open(struct xet_json *j, char bracket) {
  if (j->depth + 1 >= XET_JSON_DEPTH || !eat(j, bracket)) return bad(j);
  j->depth++;
  j->many &= ~(UINT64_C(1) << j->depth);
  return 1;
}

/* 1: another one follows, its comma taken. */
static int more(struct xet_json *j, char close) {
  uint64_t bit = UINT64_C(1) << j->depth;
  if (j->bad || j->depth == 0) return bad(j);
  if (xet_json_peek(j) == close) {
    j->p++;
    j->depth--;
    return 0;
  }
  if ((j->many & bit) && !eat(j, ',')) return 0;
  j->many |= bit;
  return 1;
}

static int hex4(struct xet_json *j, uint32_t *v) {
  *v = 0;
  if (j->end - j->p < 4) return bad(j);
  for (int i = 0; i < 4; i++) {
    char c = *j->p++;
    uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                 : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                 : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                        : 16;
    if (d == 16) return bad(j);
    *v = *v << 4 | d;
  }
  return 1;
}

static size_t utf8(uint32_t v, char *out) {
  if (v < 0x80) return out[0] = (char)v, 1;
  if (v < 0x800) return out[0] = (char)(0xc0 | v >> 6), out[1] = (char)(0x80 | (v & 63)), 2;
  if (v < 0x10000)
    return out[0] = (char)(0xe0 | v >> 12), out[1] = (char)(0x80 | (v >> 6 & 63)), out[2] = (char)(0x80 | (v & 63)), 3;
  out[0] = (char)(0xf0 | v >> 18);
  out[1] = (char)(0x80 | (v >> 12 & 63));
  out[2] = (char)(0x80 | (v >> 6 & 63));
  out[3] = (char)(0x80 | (v & 63));
  return 4;
}

static int escape(struct xet_json *j, char *out, size_t *n) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (j->p == j->end) return bad(j);
  char c = *j->p++;
  uint32_t v, low;
  if (c != 'u') {
    const char *at = c ? strchr(from, c) : NULL;
    if (!at) return bad(j);
    out[0] = to[at - from];
    *n = 1;
    return 1;
  }
  if (!hex4(j, &v)) return 0;
  if (v >= 0xd800 && v < 0xdc00 && j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u') {
    const char *back = j->p;
    j->p += 2;
    if (!hex4(j, &low)) return 0;
    if (low >= 0xdc00 && low < 0xe000)
      v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    else
      j->p = back;
  }
  if (v >= 0xd800 && v < 0xe000) v = 0xfffd;
  *n = utf8(v, out);
  return 1;
}

/* cut: what does not fit is dropped instead of being bad. */
static int text(struct xet_json *j, char *out, size_t room, int cut) {
  size_t n = 0;
  if (!eat(j, '"')) return 0;
  while (j->p < j->end && *j->p != '"') {
    char piece[4];
    size_t len = 1;
    if (*j->p == '\\') {
      j->p++;
      if (!escape(j, piece, &len)) return 0;
    } else {
      if ((unsigned char)*j->p < 0x20) return bad(j);
      piece[0] = *j->p++;
    }
    if (n + len < room) {
      memcpy(out + n, piece, len);
      n += len;
    } else if (!cut) {
      return bad(j);
    }
  }
  if (j->p == j->end) return bad(j);
  j->p++;
  if (room) out[n] = 0;
  if (!cut && memchr(out, 0, n)) return bad(j);
  return 1;
}

int xet_json_key(struct xet_json *j, char *name, size_t room) {
  return more(j, '}') && text(j, name, room, 1) && eat(j, ':');
}

int xet_json_item(struct xet_json *j) {
  return more(j, ']');
}

int xet_json_string(struct xet_json *j, char *out, size_t room) {
  return text(j, out, room, 0);
}

int xet_json_number(struct xet_json *j, uint64_t *v) {
  char c = xet_json_peek(j);
  *v = 0;
  if (j->bad || c < '0' || c > '9') return bad(j);
  while (j->p < j->end && *j->p >= '0' && *j->p <= '9') {
    uint64_t digit = (uint64_t)(*j->p++ - '0');
    if (*v > (UINT64_MAX - digit) / 10) return bad(j);
    *v = *v * 10 + digit;
  }
  if (j->p < j->end && (*j->p == '.' || *j->p == 'e' || *j->p == 'E')) return bad(j);
  return 1;
}

static int literal(struct xet_json *j, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(j->end - j->p) < n || memcmp(j->p, word, n) != 0) return 0;
  j->p += n;
  return 1;
}

int xet_json_flag(struct xet_json *j, int *v) {
  xet_json_peek(j);
  *v = literal(j, "true");
  return *v || literal(j, "false") || bad(j);
}

static int skip_plain(struct xet_json *j) {
  char c = xet_json_peek(j);
  if (c == '"') return text(j, NULL, 0, 1);
  if (literal(j, "true") || literal(j, "false") || literal(j, "null")) return 1;
  const char *from = j->p;
  while (j->p < j->end && *j->p && strchr("+-.0123456789eE", *j->p)) j->p++;
  return j->p > from ? 1 : bad(j);
}

int xet_json_skip(struct xet_json *j) {
  uint32_t depth = 0;
  do {
    char c = xet_json_peek(j);
    if (c == '"') {
      text(j, NULL, 0, 1);
    } else if (c == '{' || c == '[') {
      j->p++;
      depth++;
    } else if (depth > 0 && c && strchr("}],:", c)) {
      j->p++;
      depth -= c == '}' || c == ']';
    } else {
      skip_plain(j);
    }
  } while (depth > 0 && !j->bad);
  return !j->bad;
}

size_t xet_json_quote(const char *in, char *out, size_t room) {
  static const char digits[] = "0123456789abcdef";
  size_t n = 0;
#define PUT(c) (void)(n + 1 < room ? (out[n] = (char)(c)) : 0), n++
  PUT('"');
  for (; *in; in++) {
    unsigned char c = (unsigned char)*in;
    if (c == '"' || c == '\\') {
      PUT('\\');
      PUT(c);
    } else if (c < 0x20) {
      PUT('\\');
      PUT('u');
      PUT('0');
      PUT('0');
      PUT(digits[c >> 4]);
      PUT(digits[c & 15]);
    } else {
      PUT(c);
    }
  }
  PUT('"');
#undef PUT
  if (room) out[n < room ? n : room - 1] = 0;
  return n;
}
