/* text.c - the growable string and the encodings of text.h.
 * A failed allocation marks the text; later additions do nothing and dh_text_take reports it.
 * Nothing here knows about HTTP or the Hub. */
#include "text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *t, size_t more) {
  if (t->failed) return false;
  if (more > SIZE_MAX / 4 || t->size > SIZE_MAX / 4) {
    t->failed = true;
    return false;
  }
  if (t->size + more + 1 <= t->room) return true;
  size_t room = t->room ? t->room * 2 : 256;
  while (room < t->size + more + 1) room *= 2;
  char *data = realloc(t->data, room);
  if (!data) {
    t->failed = true;
    return false;
  }
  t->data = data;
  t->room = room;
  return true;
}

void dh_text_add(struct text *t, const void *data, size_t size) {
  if (!reserve(t, size)) return;
  if (size) memcpy(t->data + t->size, data, size);
  t->size += size;
  t->data[t->size] = 0;
}

void dh_text_str(struct text *t, const char *s) {
  dh_text_add(t, s, strlen(s));
}

void dh_text_addf(struct text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  if (n < 0) t->failed = true;
  if (n < 0 || !reserve(t, (size_t)n)) return;
  va_start(args, format);
  vsnprintf(t->data + t->size, (size_t)n + 1, format, args);
  va_end(args);
  t->size += (size_t)n;
}

/* Length of the valid UTF-8 sequence at s, 0 if there is none. */
static size_t utf8_length(const unsigned char *s, size_t size) {
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : s[0] >= 0xe0 && s[0] <= 0xef ? 3 : s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : 0;
  if (!n || n > size) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
      (s[0] == 0xf4 && s[1] > 0x8f))
    return 0;
  return n;
}

void dh_text_json(struct text *t, const char *s, size_t size) {
  dh_text_add(t, "\"", 1);
  for (size_t i = 0; i < size;) {
    unsigned char c = (unsigned char)s[i];
    size_t n = utf8_length((const unsigned char *)s + i, size - i);
    if (!n) {
      dh_text_str(t, "\\ufffd");
    } else if (c == '"' || c == '\\') {
      dh_text_addf(t, "\\%c", c);
    } else if (c < 0x20 || c == 0x7f) {
      dh_text_addf(t, "\\u%04x", c);
    } else {
      dh_text_add(t, s + i, n);
    }
    i += n ? n : 1;
  }
  dh_text_add(t, "\"", 1);
}

void dh_text_percent(struct text *t, const char *s, const char *keep) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  for (; *s; s++) {
    if (strchr(plain, *s) || strchr(keep, *s)) {
      dh_text_add(t, s, 1);
    } else {
      dh_text_addf(t, "%%%02X", (unsigned char)*s);
    }
  }
}

static void add_base64(struct text *t, const char digits[64], const void *data, size_t size, bool pads) {
  const unsigned char *in = data;
  for (size_t i = 0; i < size; i += 3) {
    uint32_t v = (uint32_t)in[i] << 16;
    if (i + 1 < size) v |= (uint32_t)in[i + 1] << 8;
    if (i + 2 < size) v |= in[i + 2];
    size_t n = size - i >= 3 ? 4 : size - i + 1;
    for (size_t k = 0; k < n; k++) dh_text_add(t, &digits[(v >> (18 - 6 * k)) & 63], 1);
    if (pads) dh_text_add(t, "==", 4 - n);
  }
}

void dh_text_base64url(struct text *t, const void *data, size_t size) {
  add_base64(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", data, size, false);
}

void dh_text_base64(struct text *t, const void *data, size_t size) {
  add_base64(t, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", data, size, true);
}

char *dh_text_take(struct text *t) {
  if (!t->failed && !t->data) dh_text_add(t, "", 0);
  char *data = t->failed ? NULL : t->data;
  if (t->failed) free(t->data);
  *t = (struct text){0};
  return data;
}

void dh_text_free(struct text *t) {
  free(t->data);
  *t = (struct text){0};
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool dh_percent_decode(char *s, bool plus) {
  char *out = s;
  for (; *s; s++) {
    if (*s == '%') {
      int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
      if (low < 0 || (high == 0 && low == 0)) return false;
      *out++ = (char)(high * 16 + low);
      s += 2;
    } else {
      *out++ = *s == '+' && plus ? ' ' : *s;
    }
  }
  *out = 0;
  return true;
}

void dh_hex(char *out, const void *data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  const unsigned char *in = data;
  for (size_t i = 0; i < size; i++) {
    out[2 * i] = digits[in[i] >> 4];
    out[2 * i + 1] = digits[in[i] & 15];
  }
  out[2 * size] = 0;
}

bool dh_is_hex(const char *s, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f'))) return false;
  return s[size] == 0;
}

static const char *digits_read(const char *s, uint64_t *out) {
  uint64_t v = 0;
  if (*s < '0' || *s > '9') return NULL;
  for (; *s >= '0' && *s <= '9'; s++) {
    uint64_t d = (uint64_t)(*s - '0');
    if (v > (UINT64_MAX - d) / 10) return NULL;
    v = v * 10 + d;
  }
  *out = v;
  return s;
}

bool dh_number(const char *s, uint64_t max, uint64_t *out) {
  uint64_t v;
  const char *end = digits_read(s, &v);
  if (!end || *end || v > max) return false;
  *out = v;
  return true;
}

bool dh_bytes(const char *s, uint64_t *out) {
  static const char units[] = "KMGT";
  uint64_t v;
  const char *end = digits_read(s, &v);
  if (!end) return false;
  const char *unit = *end ? strchr(units, *end) : NULL;
  if (unit) {
    bool decimal = end[1] == 'B';
    for (long i = 0; i <= unit - units; i++) {
      if (v > (UINT64_MAX >> 11)) return false;
      v *= decimal ? 1000 : 1024;
    }
    end += end[1] == 'i' && end[2] == 'B' ? 3 : decimal ? 2 : 1;
  } else if (*end == 'B') {
    end++;
  }
  if (*end || v > INT64_MAX) return false;
  *out = v;
  return true;
}

bool dh_seconds(const char *s, double *out) {
  uint64_t whole, part = 0;
  double scale = 1;
  const char *end = digits_read(s, &whole);
  if (!end || whole > 1000000000) return false;
  if (*end == '.') {
    for (end++; *end >= '0' && *end <= '9' && scale < 1e9; end++) {
      part = part * 10 + (uint64_t)(*end - '0');
      scale *= 10;
    }
  }
  if (*end && !(end[0] == 's' && !end[1])) return false;
  *out = (double)whole + (double)part / scale;
  return true;
}

bool dh_copy(char *out, size_t room, const char *s) {
  size_t size = strlen(s);
  if (size >= room) {
    out[0] = 0;
    return false;
  }
  memcpy(out, s, size + 1);
  return true;
}
