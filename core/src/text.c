/* Growable text with a stated maximum, and JSON strings as Python's json.dumps writes them (ASCII only).
 * A text that could not grow keeps what it has and remembers the failure, so callers check once, at the end.
 * Taking secrets out of a text is redact.c's work. */
#include <stdarg.h>
#include <stdio.h>

#include "core.h"

static char empty[1];

void hf_text_init(struct hf_text_buf *t, size_t max) {
  *t = (struct hf_text_buf){.data = empty, .max = max};
}

/* Room for n more bytes and the NUL. */
static bool reserve(struct hf_text_buf *t, size_t n) {
  if (t->failed) return false;
  if (n > t->max - t->len) return t->failed = true, false;
  size_t need = t->len + n + 1;
  if (need <= t->cap) return true;
  size_t cap = t->cap ? t->cap : 64;
  while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  char *data = hf_mem_resize(t->cap ? t->data : NULL, cap);
  if (!data) return t->failed = true, false;
  t->data = data;
  t->cap = cap;
  return true;
}

void hf_text_add(struct hf_text_buf *t, const char *text, size_t len) {
  if (len == SIZE_MAX) len = strlen(text);
  if (!len || !reserve(t, len)) return;
  memcpy(t->data + t->len, text, len);
  t->len += len;
  t->data[t->len] = 0;
}

void hf_text_addf(struct hf_text_buf *t, const char *format, ...) {
  char small[256];
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(small, sizeof small, format, args);
  va_end(args);
  if (n < 0) {
    t->failed = true;
  } else if ((size_t)n < sizeof small) {
    hf_text_add(t, small, (size_t)n);
  } else if (reserve(t, (size_t)n)) {
    vsnprintf(t->data + t->len, (size_t)n + 1, format, again);
    t->len += (size_t)n;
  }
  va_end(again);
}

/* One character of UTF-8 of the n > 0 bytes at s: its code point, or U+FFFD for the longest broken start of one. */
static size_t decode(const unsigned char *s, size_t n, uint32_t *code) {
  static const struct {
    unsigned char mask, lead, min2, max2; /* the second byte's bounds keep out overlong forms and surrogates */
    uint8_t len;
  } forms[] = {{0xff, 0xe0, 0xa0, 0xbf, 3}, {0xff, 0xed, 0x80, 0x9f, 3}, {0xff, 0xf0, 0x90, 0xbf, 4},
               {0xff, 0xf4, 0x80, 0x8f, 4}, {0xe0, 0xc0, 0x80, 0xbf, 2}, {0xf0, 0xe0, 0x80, 0xbf, 3},
               {0xfc, 0xf0, 0x80, 0xbf, 4}};
  *code = s[0];
  if (s[0] < 0x80) return 1;
  *code = 0xfffd;
  if (s[0] == 0xc0 || s[0] == 0xc1) return 1;
  for (size_t f = 0; f < HF_COUNT(forms); f++) {
    if ((s[0] & forms[f].mask) != forms[f].lead) continue;
    uint32_t value = s[0] & (0x7fu >> forms[f].len);
    for (size_t i = 1; i < forms[f].len; i++) {
      if (i >= n || s[i] < (i == 1 ? forms[f].min2 : 0x80) || s[i] > (i == 1 ? forms[f].max2 : 0xbf)) return i;
      value = value << 6 | (s[i] & 0x3f);
    }
    *code = value;
    return forms[f].len;
  }
  return 1;
}

static void escape(struct hf_text_buf *t, uint32_t code) {
  static const char shorts[] = "\b\t\n\f\r\"\\", letters[] = "btnfr\"\\";
  const char *at = code < 0x80 && code ? strchr(shorts, (int)code) : NULL;
  if (at) {
    char two[2] = {'\\', letters[at - shorts]};
    hf_text_add(t, two, 2);
  } else if (code >= 0x10000) {
    code -= 0x10000;
    hf_text_addf(t, "\\u%04x\\u%04x", (unsigned)(0xd800 + (code >> 10)), (unsigned)(0xdc00 + (code & 0x3ff)));
  } else {
    hf_text_addf(t, "\\u%04x", (unsigned)code);
  }
}

void hf_text_json(struct hf_text_buf *t, const char *text, size_t len) {
  if (len == SIZE_MAX) len = strlen(text);
  const unsigned char *s = (const unsigned char *)text;
  hf_text_add(t, "\"", 1);
  for (size_t i = 0; i < len && !t->failed;) {
    size_t plain = i;
    while (plain < len && s[plain] >= ' ' && s[plain] <= '~' && s[plain] != '"' && s[plain] != '\\') plain++;
    hf_text_add(t, text + i, plain - i);
    i = plain;
    if (i == len) break;
    uint32_t code;
    i += decode(s + i, len - i, &code);
    escape(t, code);
  }
  hf_text_add(t, "\"", 1);
}

void hf_text_free(struct hf_text_buf *t) {
  if (t->cap) hf_mem_free(t->data);
  hf_text_init(t, t->max);
}
