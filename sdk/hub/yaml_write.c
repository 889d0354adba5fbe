/* yaml_write.c - writes a card's metadata as the reference does: blocks, lists not indented below their key, text without quotes where
 * it can be, else in single and last in double quotes, lines broken at blanks after column 80.
 * Columns are characters, so text is taken apart into them first. */
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, DEPTH_MAX = 64 };

struct writer {
  FILE *to;
  const char *line_break;
  long column;
  bool short_of_memory;
};

static void put(struct writer *w, uint32_t c) {
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  fputc((int)(first[more] | (c >> (6 * more))), w->to);
  while (more--) fputc((int)(0x80 | ((c >> (6 * more)) & 0x3f)), w->to);
  w->column++;
}
static void words(struct writer *w, const char *s) {
  for (; *s; s++) put(w, (unsigned char)*s);
}
static void new_line(struct writer *w) {
  fputs(w->line_break, w->to);
  w->column = 0;
}
static void indent(struct writer *w, long to) {
  if (w->column > 0) new_line(w);
  while (w->column < to) put(w, ' ');
}

/* ---- text --------------------------------------------------------------------------------------------------------------- */

static uint32_t *characters(const char *s, size_t size, size_t *n) {
  uint32_t *all = malloc((size + 1) * sizeof *all);
  *n = 0;
  for (size_t i = 0; all && i < size;) {
    unsigned char c = (unsigned char)s[i];
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t v = len == 1 ? c : c & (0xffu >> (len + 1));
    for (size_t k = 1; k < len && i + k < size; k++) v = v << 6 | ((unsigned char)s[i + k] & 0x3f);
    all[(*n)++] = v;
    i += len;
  }
  return all;
}

static bool is_break(uint32_t c) {
  return c == '\n' || c == 0x85 || c == 0x2028 || c == 0x2029;
}
static bool is_blank(uint32_t c) {
  return !c || c == ' ' || c == '\t' || c == '\r' || is_break(c);
}
static bool among(const char *set, uint32_t c) {
  return c && c < 0x80 && strchr(set, (int)c);
}
static bool printable(uint32_t c) {
  return c == '\n' || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
         (c >= 0xa0 && c < 0x10ffff && !(c >= 0xd800 && c < 0xe000) && c != 0xfeff && c != 0xfffe && c != 0xffff);
}

/* Which ways of writing the text there are. */
static void judge(const uint32_t *s, size_t n, bool *plain, bool *single) {
  bool previous_space = false, previous_break = false,
       marks = n >= 3 && s[0] == s[1] && s[1] == s[2] && among("-.", s[0]);
  *plain = !marks && !is_blank(s[0]) && s[n - 1] != ' ' && !is_break(s[n - 1]);
  *single = true;
  for (size_t i = 0; i < n; i++) {
    uint32_t c = s[i];
    bool gap = i + 1 == n || is_blank(s[i + 1]);
    if (i == 0 && (among("#,[]{}&*!|>'\"%@`", c) || (among("?:-", c) && gap))) *plain = false;
    if (i > 0 && ((c == ':' && gap) || (c == '#' && is_blank(s[i - 1])))) *plain = false;
    if (is_break(c)) *plain = false;
    if (!printable(c) || (is_break(c) && previous_space)) *plain = *single = false;
    if (c == ' ' && previous_break) *plain = *single = false;
    previous_space = c == ' ';
    previous_break = is_break(c);
  }
}

static void write_plain(struct writer *w, const uint32_t *s, size_t n, long to, bool split) {
  for (size_t i = 0; i < n; i++) {
    bool lone = s[i] == ' ' && i && s[i - 1] != ' ' && i + 1 < n && s[i + 1] != ' ';
    if (lone && split && w->column > WIDTH)
      indent(w, to);
    else
      put(w, s[i]);
  }
}

static void write_single(struct writer *w, const uint32_t *s, size_t n, long to, bool split) {
  put(w, '\'');
  for (size_t i = 0; i < n; i++) {
    bool lone = s[i] == ' ' && i && s[i - 1] != ' ' && i + 1 < n && s[i + 1] != ' ';
    if (lone && split && w->column > WIDTH) {
      indent(w, to);
    } else if (is_break(s[i])) {
      if (s[i] == '\n') new_line(w);
      for (; i < n && is_break(s[i]); i++) {
        if (s[i] != '\n') put(w, s[i]);
        if (s[i] == '\n') new_line(w);
        if (s[i] != '\n') w->column = 0;
      }
      i--;
      while (w->column < to) put(w, ' ');
    } else {
      if (s[i] == '\'') put(w, '\'');
      put(w, s[i]);
    }
  }
  put(w, '\'');
}

static void write_escape(struct writer *w, uint32_t c) {
  static const char from[] = "\a\b\t\n\v\f\r\033\"\\", to[] = "abtnvfre\"\\";
  char text[16];
  const char *known = c ? c < 0x80 ? strchr(from, (int)c) : NULL : NULL;
  if (known)
    snprintf(text, sizeof text, "\\%c", to[known - from]);
  else if (!c || c == 0x85 || c == 0xa0 || c == 0x2028 || c == 0x2029)
    snprintf(text, sizeof text, "\\%c", !c ? '0' : c == 0x85 ? 'N' : c == 0xa0 ? '_' : c == 0x2028 ? 'L' : 'P');
  else
    snprintf(text, sizeof text, c <= 0xff ? "\\x%02X" : c <= 0xffff ? "\\u%04X" : "\\U%08X", (unsigned)c);
  words(w, text);
}

/* Pieces between escapes are put down whole, as the breaks depend on where a piece begins. */
static void write_double(struct writer *w, const uint32_t *s, size_t n, long to, bool split) {
  size_t start = 0;
  put(w, '"');
  for (size_t end = 0; end <= n; end++) {
    uint32_t c = end < n ? s[end] : 0;
    bool last = end == n;
    bool as_it_is = !last && ((c >= 0x20 && c <= 0x7e) || (c >= 0xa0 && c <= 0xd7ff) || (c >= 0xe000 && c <= 0xfffd)) &&
                    c != '"' && c != '\\' && c != 0x2028 && c != 0x2029 && c != 0xfeff;
    if (!as_it_is) {
      while (start < end) put(w, s[start++]);
      if (!last) {
        write_escape(w, c);
        start = end + 1;
      }
    }
    if (end == 0 || end + 1 >= n || !(c == ' ' || start >= end) || !split) continue;
    if (w->column + (long)end - (long)start <= WIDTH) continue;
    while (start < end) put(w, s[start++]);
    put(w, '\\');
    indent(w, to);
    if (s[start] == ' ') put(w, '\\');
  }
  put(w, '"');
}

static void write_text(struct writer *w, const json_t *v, long to, bool key) {
  const char *text = json_string_value(v);
  size_t n, size = json_string_length(v);
  uint32_t *s = characters(text, size, &n);
  if (!s) {
    w->short_of_memory = true;
    return;
  }
  bool plain = false, single = true, broken = false;
  if (n) judge(s, n, &plain, &single);
  for (size_t i = 0; i < n; i++) broken |= is_break(s[i]);
  enum hf_yaml_kind kind = strlen(text) == size ? hf_hub_yaml_kind(text) : HF_YAML_TEXT;
  if (kind != HF_YAML_TEXT && kind != HF_YAML_DATE && kind != HF_YAML_NO_NUMBER) plain = false;
  if (plain)
    write_plain(w, s, n, to, !key);
  else if (single && !(key && broken))
    write_single(w, s, n, to, !key);
  else
    write_double(w, s, n, to, !key);
  free(s);
}

/* ---- values -------------------------------------------------------------------------------------------------------------- */

/* The shortest digits that say the same number, as Python writes them; with a point also before an exponent. */
static void write_real(struct writer *w, double v) {
  char text[64], whole[64];
  int digits = 0;
  do snprintf(text, sizeof text, "%.*e", digits, v);
  while (strtod(text, NULL) != v && ++digits < 17);
  long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
  if (exponent >= -4 && exponent < 16) {
    snprintf(text, sizeof text, "%.*f", (int)(digits - exponent > 1 ? digits - exponent : 1), v);
    words(w, text);
    return;
  }
  size_t mantissa = strcspn(text, "e");
  snprintf(whole, sizeof whole, "%.*s%s%s", (int)mantissa, text, strchr(text, '.') ? "" : ".0", text + mantissa);
  words(w, whole);
}

static void write_scalar(struct writer *w, const json_t *v, long to) {
  char number[32];
  switch (json_typeof(v)) {
    case JSON_STRING: write_text(w, v, to, false); break;
    case JSON_INTEGER:
      snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
      words(w, number);
      break;
    case JSON_REAL: write_real(w, json_real_value(v)); break;
    case JSON_TRUE: words(w, "true"); break;
    case JSON_FALSE: words(w, "false"); break;
    case JSON_ARRAY: words(w, "[]"); break;
    case JSON_OBJECT: words(w, "{}"); break;
    case JSON_NULL:
    default: words(w, "null"); break;
  }
}

static bool is_block(const json_t *v) {
  return json_array_size(v) || json_object_size(v);
}

/* `to`: the column of its keys or dashes. `here`: the first of them stands at the cursor. */
static void write_block(struct writer *w, const json_t *v, long to, bool here, size_t depth) {
  const char *name;
  json_t *item;
  size_t i;
  if (depth > DEPTH_MAX) return;
  json_array_foreach((json_t *)(uintptr_t)v, i, item) {
    if (!here) indent(w, to);
    here = false;
    words(w, "- ");
    if (is_block(item))
      write_block(w, item, to + 2, true, depth + 1);
    else
      write_scalar(w, item, to + 2);
  }
  json_object_foreach((json_t *)(uintptr_t)v, name, item) {
    if (!here) indent(w, to);
    here = false;
    json_t *key = json_string(name);
    if (!key) {
      w->short_of_memory = true;
      return;
    }
    write_text(w, key, to + 2, true);
    json_decref(key);
    put(w, ':');
    if (is_block(item)) {
      write_block(w, item, json_is_array(item) ? to : to + 2, false, depth + 1);
    } else {
      put(w, ' ');
      write_scalar(w, item, to + 2);
    }
  }
}

hf_status hf_hub_yaml_write(hf_call *c, const json_t *value, const char *line_break, const char **text) {
  char *made = NULL;
  size_t size = 0;
  struct writer w = {.line_break = line_break, .to = open_memstream(&made, &size)};
  *text = NULL;
  if (!w.to) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (is_block(value))
    write_block(&w, value, 0, true, 0);
  else
    write_scalar(&w, value, 2);
  bool failed = ferror(w.to) || w.short_of_memory;
  if (fclose(w.to) == 0 && !failed) *text = hf_host()->intern(c, made, size);
  free(made);
  return *text ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
}
