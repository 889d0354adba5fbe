/* json_text.c - JSON to values and back, as the JSON library does it but without what it costs: it reads byte by byte through
 * callbacks, and prints the address of every container to find circles.
 * Only plain text is read here. Whatever is unusual or wrong goes to the library, whose word counts. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

enum { DEPTH = 256, SCRATCH = 4096 };

struct reader {
  const char *at, *end;
  int depth;
};

static json_t *value(struct reader *r);

static void blanks(struct reader *r) {
  while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\t' || *r->at == '\r')) r->at++;
}

static bool is(struct reader *r, char ch) {
  blanks(r);
  if (r->at == r->end || *r->at != ch) return false;
  r->at++;
  return true;
}

static int hex4(const char *s) {
  int v = 0;
  for (int i = 0; i < 4; i++) {
    int d = s[i] >= '0' && s[i] <= '9'   ? s[i] - '0'
            : s[i] >= 'a' && s[i] <= 'f' ? s[i] - 'a' + 10
            : s[i] >= 'A' && s[i] <= 'F' ? s[i] - 'A' + 10
                                         : -1;
    if (d < 0) return -1;
    v = v * 16 + d;
  }
  return v;
}

/* Behind a backslash; false: unusual. */
static bool escaped(struct reader *r, char *to, size_t *n) {
  static const char from[] = "\"\\/bfnrt", made[] = "\"\\/\b\f\n\r\t";
  if (r->at == r->end) return false;
  char ch = *r->at++;
  const char *p = ch ? strchr(from, ch) : NULL;
  if (p) return to[(*n)++] = made[p - from], true;
  int u = ch == 'u' && r->end - r->at >= 4 ? hex4(r->at) : -1;
  if (u <= 0 || (u >= 0xd800 && u <= 0xdfff)) return false;
  r->at += 4;
  if (u < 0x80) return to[(*n)++] = (char)u, true;
  if (u < 0x800) {
    to[(*n)++] = (char)(0xc0 | u >> 6);
  } else {
    to[(*n)++] = (char)(0xe0 | u >> 12);
    to[(*n)++] = (char)(0x80 | (u >> 6 & 63));
  }
  to[(*n)++] = (char)(0x80 | (u & 63));
  return true;
}

/* Up to the closing quote, which is taken. *text is in the input, or in `scratch` when there were escapes. */
static bool string(struct reader *r, char scratch[SCRATCH], const char **text, size_t *len, bool *ascii) {
  const char *begin = r->at;
  unsigned char all = 0;
  while (r->at < r->end && *r->at != '"' && *r->at != '\\' && (unsigned char)*r->at >= 0x20)
    all |= (unsigned char)*r->at++;
  size_t n = (size_t)(r->at - begin);
  *text = begin;
  if (r->at < r->end && *r->at == '\\') {
    if (n > SCRATCH - 4) return false;
    memcpy(scratch, begin, n);
    while (r->at < r->end && *r->at != '"' && (unsigned char)*r->at >= 0x20) {
      if (n > SCRATCH - 4) return false;
      if (*r->at != '\\') {
        all |= (unsigned char)(scratch[n++] = *r->at++);
        continue;
      }
      r->at++;
      if (!escaped(r, scratch, &n)) return false;
      all |= (unsigned char)scratch[n - 1];
    }
    *text = scratch;
  }
  if (r->at == r->end || *r->at != '"') return false;
  r->at++;
  *len = n;
  *ascii = all < 0x80;
  return true;
}

/* A frame of its own: the scratch is no part of what nests. */
static json_t *text(struct reader *r) {
  char scratch[SCRATCH];
  const char *s;
  size_t n;
  bool ascii;
  if (!string(r, scratch, &s, &n, &ascii)) return NULL;
  return ascii ? json_stringn_nocheck(s, n) : json_stringn(s, n);
}

static size_t digits(struct reader *r) {
  const char *begin = r->at;
  while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
  return (size_t)(r->at - begin);
}

/* The rest of a number that began at `begin` and is no whole one. */
static json_t *real(struct reader *r, const char *begin) {
  char copy[64], *stop;
  if (*r->at == '.') {
    r->at++;
    if (!digits(r)) return NULL;
  }
  if (r->at < r->end && (*r->at == 'e' || *r->at == 'E')) {
    r->at++;
    if (r->at < r->end && (*r->at == '+' || *r->at == '-')) r->at++;
    if (!digits(r)) return NULL;
  }
  size_t n = (size_t)(r->at - begin);
  if (n >= sizeof copy) return NULL;
  memcpy(copy, begin, n);
  copy[n] = 0;
  double d = strtod(copy, &stop); /* stops early where the locale has another point */
  return *stop || d > DBL_MAX || d < -DBL_MAX ? NULL : json_real(d);
}

static json_t *number(struct reader *r) {
  const char *begin = r->at;
  json_int_t v = 0;
  if (*r->at == '-') r->at++;
  const char *first = r->at;
  size_t n = digits(r);
  if (n == 0 || (n > 1 && *first == '0') || n > 18) return NULL;
  if (r->at < r->end && (*r->at == '.' || *r->at == 'e' || *r->at == 'E')) return real(r, begin);
  for (const char *p = first; p < r->at; p++) v = v * 10 + (*p - '0');
  return json_integer(first > begin ? -v : v);
}

/* Names without escapes. */
static bool member(struct reader *r, json_t *into) {
  if (!is(r, '"')) return false;
  const char *key = r->at;
  while (r->at < r->end && *r->at >= 0x20 && *r->at < 0x7f && *r->at != '"' && *r->at != '\\') r->at++;
  size_t n = (size_t)(r->at - key);
  if (!is(r, '"') || key + n + 1 != r->at || !is(r, ':')) return false;
  json_t *v = value(r);
  return v && json_object_setn_new_nocheck(into, key, n, v) == 0;
}

static json_t *container(struct reader *r, bool object) {
  json_t *out = object ? json_object() : json_array();
  char close = object ? '}' : ']';
  if (!out || is(r, close)) return out;
  do {
    json_t *v = object ? NULL : value(r);
    if (object ? !member(r, out) : !v || json_array_append_new(out, v)) return json_decref(out), NULL;
  } while (is(r, ','));
  if (is(r, close)) return out;
  json_decref(out);
  return NULL;
}

static bool word(struct reader *r, const char *what, size_t n) {
  if ((size_t)(r->end - r->at) < n || memcmp(r->at, what, n) != 0) return false;
  r->at += n;
  return true;
}

static json_t *value(struct reader *r) {
  json_t *out = NULL;
  if (r->depth == DEPTH) return NULL;
  r->depth++;
  if (is(r, '"'))
    out = text(r);
  else if (is(r, '{'))
    out = container(r, true);
  else if (is(r, '['))
    out = container(r, false);
  else if (r->at == r->end)
    out = NULL;
  else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
    out = number(r);
  else if (word(r, "true", 4))
    out = json_true();
  else if (word(r, "false", 5))
    out = json_false();
  else if (word(r, "null", 4))
    out = json_null();
  r->depth--;
  return out;
}

json_t *hf_json_read(const char *s, size_t len, json_error_t *why) {
  struct reader r = {s, s + len, 0};
  json_t *out = value(&r);
  blanks(&r);
  if (out && r.at == r.end) return out;
  json_decref(out);
  return json_loadb(s, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, why);
}

/* ---- copies ----------------------------------------------------------------------------------------------------------- */

static json_t *copy(const json_t *v, int depth) {
  if (depth == DEPTH) return json_deep_copy(v);
  if (json_is_object(v)) {
    const char *key;
    size_t n;
    json_t *out = json_object(), *member;
    json_object_keylen_foreach((json_t *)(uintptr_t)v, key, n, member) {
      if (out && json_object_setn_new_nocheck(out, key, n, copy(member, depth + 1))) json_decref(out), out = NULL;
    }
    return out;
  }
  if (json_is_array(v)) {
    json_t *out = json_array();
    for (size_t i = 0; out && i < json_array_size(v); i++)
      if (json_array_append_new(out, copy(json_array_get(v, i), depth + 1))) json_decref(out), out = NULL;
    return out;
  }
  return json_incref((json_t *)(uintptr_t)v); /* never changed in place */
}

json_t *hf_json_copy(const json_t *v) {
  return v ? copy(v, 0) : NULL;
}

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

struct writer {
  char *data;
  size_t len, cap;
  int depth;
};

static char *room(struct writer *w, size_t n) {
  if (w->len + n > w->cap) {
    size_t cap = (w->len + n) * 2 + 256;
    char *more = realloc(w->data, cap);
    if (!more) return NULL;
    w->data = more;
    w->cap = cap;
  }
  return w->data + w->len;
}

static bool put(struct writer *w, const char *s, size_t n) {
  char *to = room(w, n);
  if (!to) return false;
  memcpy(to, s, n);
  w->len += n;
  return true;
}

static bool put_string(struct writer *w, const char *s, size_t n) {
  static const char short_of[32] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  char *to = n < SIZE_MAX / 8 ? room(w, 6 * n + 2) : NULL;
  if (!to) return false;
  *to++ = '"';
  for (const char *end = s + n; s < end; s++) {
    unsigned char ch = (unsigned char)*s;
    if (ch >= 0x20 && ch != '"' && ch != '\\') {
      *to++ = *s;
      continue;
    }
    *to++ = '\\';
    if (ch >= 0x20 || short_of[ch]) {
      *to++ = ch >= 0x20 ? *s : short_of[ch];
      continue;
    }
    memcpy(to, "u00", 3);
    to[3] = "01"[ch >> 4];
    to[4] = "0123456789ABCDEF"[ch & 15];
    to += 5;
  }
  *to++ = '"';
  w->len = (size_t)(to - w->data);
  return true;
}

static bool put_integer(struct writer *w, json_int_t v) {
  char digits[24], *p = digits + sizeof digits;
  unsigned long long u = v < 0 ? 0ull - (unsigned long long)v : (unsigned long long)v;
  do *--p = (char)('0' + u % 10);
  while (u /= 10);
  if (v < 0) *--p = '-';
  return put(w, p, (size_t)(digits + sizeof digits - p));
}

/* As the library writes it: 17 digits, a point or an exponent, no "+" and no zeros in front of the exponent. */
static bool put_real(struct writer *w, double d) {
  char text[40];
  int n = snprintf(text, sizeof text, "%.17g", d);
  if (n <= 0 || (size_t)n >= sizeof text || strspn(text, "0123456789+-.e") != (size_t)n) return false;
  size_t e = strcspn(text, "e"), from = e + 1;
  if (!put(w, text, e)) return false;
  if (!text[e]) return strchr(text, '.') || put(w, ".0", 2);
  bool minus = text[from] == '-';
  from += strspn(text + from, "+-0");
  return put(w, minus ? "e-" : "e", minus ? 2 : 1) && put(w, text + from, strlen(text + from));
}

static bool put_value(struct writer *w, const json_t *v);

static bool put_object(struct writer *w, json_t *o) {
  const char *key, *before = "{";
  size_t n;
  json_t *v;
  json_object_keylen_foreach(o, key, n, v) {
    if (!put(w, before, 1) || !put_string(w, key, n) || !put(w, ":", 1) || !put_value(w, v)) return false;
    before = ",";
  }
  return *before == ',' ? put(w, "}", 1) : put(w, "{}", 2);
}

static bool put_array(struct writer *w, const json_t *a) {
  size_t n = json_array_size(a);
  for (size_t i = 0; i < n; i++)
    if (!put(w, i ? "," : "[", 1) || !put_value(w, json_array_get(a, i))) return false;
  return n ? put(w, "]", 1) : put(w, "[]", 2);
}

static bool put_value(struct writer *w, const json_t *v) {
  bool fine = false;
  if (w->depth == DEPTH) return false;
  w->depth++;
  switch (json_typeof(v)) {
    case JSON_OBJECT: fine = put_object(w, (json_t *)(uintptr_t)v); break;
    case JSON_ARRAY: fine = put_array(w, v); break;
    case JSON_STRING: fine = put_string(w, json_string_value(v), json_string_length(v)); break;
    case JSON_INTEGER: fine = put_integer(w, json_integer_value(v)); break;
    case JSON_TRUE: fine = put(w, "true", 4); break;
    case JSON_FALSE: fine = put(w, "false", 5); break;
    case JSON_NULL: fine = put(w, "null", 4); break;
    case JSON_REAL: fine = put_real(w, json_real_value(v)); break;
  }
  w->depth--;
  return fine;
}

char *hf_json_write(const json_t *v, size_t *len) {
  struct writer w = {0};
  if (v && put_value(&w, v) && put(&w, "", 1)) {
    *len = w.len - 1;
    return w.data;
  }
  free(w.data);
  w.data = v ? json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  *len = w.data ? strlen(w.data) : 0;
  return w.data;
}
