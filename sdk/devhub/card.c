/* card.c - a reader of the YAML subset of repo cards (card.h), line by line.
 * A line is its indentation and its text; blocks are read by indentation with a bounded depth, scalars by their shape.
 * Anything that cannot be read makes the whole card unreadable rather than half right. */
#include "card.h"
#include "text.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, LINES_MAX = 20000 };

struct line {
  size_t indent;
  char *text; /* without the indentation */
  bool blank; /* empty or a comment */
};

struct reader {
  struct line *lines;
  size_t count, at, depth;
};

static json_t *read_block(struct reader *r, size_t indent);

static json_t *scalar_string(const char *s, size_t size) {
  json_t *value = json_stringn(s, size);
  return value ? value : json_null();
}

static json_t *plain_scalar(const char *s, size_t size) {
  char word[64];
  if (size == 0) return json_null();
  if (size >= sizeof word) return scalar_string(s, size);
  memcpy(word, s, size);
  word[size] = 0;
  static const char *const nulls[] = {"~", "null", "Null", "NULL"};
  for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
    if (strcmp(word, nulls[i]) == 0) return json_null();
  static const char *const bools[] = {"false", "true", "False", "True", "FALSE", "TRUE", "no", "yes", "off", "on"};
  for (size_t i = 0; i < sizeof bools / sizeof *bools; i++)
    if (strcmp(word, bools[i]) == 0) return json_boolean(i % 2);
  if (strspn(word, "+-.0123456789eE") == size && strpbrk(word, "0123456789")) {
    uint64_t n;
    if (dh_number(word[0] == '-' ? word + 1 : word, INT64_MAX, &n))
      return json_integer(word[0] == '-' ? -(json_int_t)n : (json_int_t)n);
    char *end;
    double d = strtod(word, &end);
    if (!*end && strpbrk(word, ".eE")) return json_real(d);
  }
  return scalar_string(s, size);
}

/* \xXX, \uXXXX and \UXXXXXXXX as UTF-8; returns how much of s was used, 0 if it is no such escape. */
static size_t code_escape(struct text *t, const char *s) {
  size_t digits = *s == 'x' ? 2 : *s == 'u' ? 4 : *s == 'U' ? 8 : 0;
  char hex[9] = "";
  if (!digits || strnlen(s + 1, digits) < digits) return 0;
  memcpy(hex, s + 1, digits);
  if (strspn(hex, "0123456789abcdefABCDEF") != digits) return 0;
  unsigned long c = strtoul(hex, NULL, 16);
  if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return 0;
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  dh_text_addf(t, "%c", (int)(first[more] | (c >> (6 * more))));
  while (more--) dh_text_addf(t, "%c", (int)(0x80 | ((c >> (6 * more)) & 0x3f)));
  return digits + 1;
}

/* A quoted scalar at *s; *s is left behind the closing quote. NULL if it does not end. */
static json_t *quoted_scalar(const char **s) {
  static const char from[] = "ntr0\"\\/", to[] = "\n\t\r\0\"\\/";
  char quote = **s;
  struct text t = {0};
  const char *p = *s + 1;
  for (; *p && (*p != quote || (quote == '\'' && p[1] == '\'')); p++) {
    const char *escape = quote == '"' && *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
    size_t code = quote == '"' && *p == '\\' && p[1] ? code_escape(&t, p + 1) : 0;
    if (code) {
      p += code;
    } else if (escape) {
      dh_text_add(&t, &to[escape - from], 1);
      p++;
    } else {
      dh_text_add(&t, p, 1);
      if (*p == '\'' && quote == '\'') p++;
    }
  }
  json_t *value = *p ? scalar_string(t.data ? t.data : "", t.size) : NULL;
  dh_text_free(&t);
  *s = *p ? p + 1 : p;
  return value;
}

static bool key_set(json_t *all, const char *key, size_t size, json_t *value) {
  char *name = strndup(key, size);
  bool ok = name && json_object_set_new(all, name, value) == 0;
  if (!name) json_decref(value);
  free(name);
  return ok;
}

static json_t *flow_value(struct reader *r, const char **s);

static json_t *flow_collection(struct reader *r, const char **s) {
  bool map = **s == '{';
  char close = map ? '}' : ']';
  json_t *all = map ? json_object() : json_array();
  const char *p = *s + 1;
  if (++r->depth > DEPTH_MAX) p = "";
  for (;;) {
    p += strspn(p, " \t,");
    if (*p == close || !*p) break;
    const char *key = p;
    size_t key_size = 0;
    if (map) {
      key_size = strcspn(p, ":,}");
      if (p[key_size] != ':') break;
      p += key_size + 1;
      p += strspn(p, " ");
      if (key_size > 1 && (*key == '"' || *key == '\'')) key++, key_size -= 2;
    }
    json_t *value = flow_value(r, &p);
    if (!value) break;
    if (map ? !key_set(all, key, key_size, value) : json_array_append_new(all, value) != 0) break;
  }
  r->depth--;
  if (*p != close) {
    json_decref(all);
    return NULL;
  }
  *s = p + 1;
  return all;
}

static json_t *flow_value(struct reader *r, const char **s) {
  if (**s == '[' || **s == '{') return flow_collection(r, s);
  if (**s == '"' || **s == '\'') return quoted_scalar(s);
  size_t size = strcspn(*s, ",]}"), trimmed = size;
  while (trimmed && (*s)[trimmed - 1] == ' ') trimmed--;
  json_t *value = plain_scalar(*s, trimmed);
  *s += size;
  return value;
}

/* The length of a key in front of ": " or a final ":", 0 if the text is no mapping entry. */
static size_t key_length(const char *text) {
  if (*text == '"' || *text == '\'') {
    const char *end = strchr(text + 1, *text);
    return end && end[1] == ':' && (!end[2] || end[2] == ' ') ? (size_t)(end + 1 - text) : 0;
  }
  if (strchr("[{#&*!|>%@`", *text)) return 0;
  for (const char *p = text; (p = strchr(p, ':')); p++)
    if (!p[1] || p[1] == ' ') return (size_t)(p - text);
  return 0;
}

static struct line *current(struct reader *r) {
  while (r->at < r->count && r->lines[r->at].blank) r->at++;
  return r->at < r->count ? &r->lines[r->at] : NULL;
}

static bool is_item(const struct line *line) {
  return line->text[0] == '-' && (!line->text[1] || line->text[1] == ' ');
}

static json_t *block_scalar(struct reader *r, const char *style, size_t parent) {
  struct text t = {0};
  size_t indent = 0;
  bool fold = style[0] == '>';
  for (; r->at < r->count; r->at++) {
    struct line *line = &r->lines[r->at];
    if (line->text[0] && line->indent <= parent) break;
    if (!indent && line->text[0]) indent = line->indent;
    if (t.size) dh_text_str(&t, fold && line->text[0] && t.data[t.size - 1] != '\n' ? " " : "\n");
    for (size_t i = indent; line->text[0] && i < line->indent; i++) dh_text_str(&t, " ");
    dh_text_str(&t, line->text);
  }
  while (t.size && t.data[t.size - 1] == '\n') t.size--;
  if (t.size && style[1] != '-') dh_text_str(&t, "\n");
  json_t *value = scalar_string(t.data ? t.data : "", t.size);
  dh_text_free(&t);
  return value;
}

/* A value that starts on the current line; continuation lines of plain scalars are joined by a space. */
static json_t *inline_value(struct reader *r, char *text, size_t parent) {
  r->at++;
  if (*text == '|' || *text == '>') return block_scalar(r, text, parent);
  const char *p = text;
  if (strchr("[{\"'", *text)) {
    struct text whole = {0};
    dh_text_str(&whole, text);
    json_t *value = NULL;
    for (size_t lines = 0; lines < LINES_MAX && !whole.failed; lines++) {
      p = whole.data;
      value = flow_value(r, &p);
      struct line *next = current(r);
      if (value || !next || next->indent <= parent) break;
      dh_text_str(&whole, " ");
      dh_text_str(&whole, next->text);
      r->at++;
    }
    dh_text_free(&whole);
    return value;
  }
  struct text t = {0};
  for (;;) {
    const char *comment = strstr(p, " #");
    size_t size = comment ? (size_t)(comment - p) : strlen(p);
    while (size && (p[size - 1] == ' ' || p[size - 1] == '\t')) size--;
    dh_text_add(&t, p, size);
    struct line *next = current(r);
    if (!next || next->indent <= parent || key_length(next->text) || is_item(next)) break;
    dh_text_str(&t, " ");
    p = next->text;
    r->at++;
  }
  json_t *value = t.failed ? NULL : plain_scalar(t.data ? t.data : "", t.size);
  dh_text_free(&t);
  return value;
}

static json_t *read_sequence(struct reader *r, size_t indent) {
  json_t *all = json_array();
  struct line *line;
  while ((line = current(r)) && line->indent == indent && is_item(line)) {
    size_t skip = 1 + strspn(line->text + 1, " ");
    char *rest = line->text + skip;
    json_t *value;
    if (!*rest || *rest == '#') {
      r->at++;
      line = current(r);
      value = line && line->indent > indent ? read_block(r, line->indent) : json_null();
    } else if (key_length(rest) || (rest[0] == '-' && rest[1] == ' ')) {
      line->indent += skip;
      line->text = rest;
      value = read_block(r, line->indent);
    } else {
      value = inline_value(r, rest, indent);
    }
    if (!value || json_array_append_new(all, value) != 0) {
      json_decref(all);
      return NULL;
    }
  }
  return all;
}

static json_t *read_mapping(struct reader *r, size_t indent) {
  json_t *all = json_object();
  struct line *line;
  while ((line = current(r)) && line->indent == indent && !is_item(line)) {
    size_t size = key_length(line->text);
    char *key = line->text, *rest = key + size + 1;
    if (!size) break;
    rest += strspn(rest, " ");
    if (*key == '"' || *key == '\'') key++, size -= 2;
    json_t *value;
    if (!*rest || *rest == '#') {
      r->at++;
      line = current(r);
      bool below = line && (line->indent > indent || (line->indent == indent && is_item(line)));
      value = below ? read_block(r, line->indent) : json_null();
    } else {
      value = inline_value(r, rest, indent);
    }
    if (!value || !key_set(all, key, size, value)) {
      json_decref(all);
      return NULL;
    }
  }
  return all;
}

static json_t *read_block(struct reader *r, size_t indent) {
  struct line *line = current(r);
  if (!line || r->depth >= DEPTH_MAX) return NULL;
  r->depth++;
  json_t *value = is_item(line)            ? read_sequence(r, indent)
                  : key_length(line->text) ? read_mapping(r, indent)
                                           : inline_value(r, line->text, indent ? indent - 1 : 0);
  r->depth--;
  return value;
}

static bool split_lines(struct reader *r, char *text) {
  r->lines = malloc(LINES_MAX * sizeof *r->lines);
  if (!r->lines) return false;
  for (char *p = text; p && r->count < LINES_MAX;) {
    char *end = strchr(p, '\n'), *next = end ? end + 1 : NULL;
    if (end) *end = 0;
    if (end && end > p && end[-1] == '\r') end[-1] = 0;
    if (strcmp(p, "---") == 0 || strcmp(p, "...") == 0) return true;
    size_t indent = strspn(p, " ");
    r->lines[r->count++] = (struct line){.indent = indent, .text = p + indent, .blank = !p[indent] || p[indent] == '#'};
    p = next;
  }
  return false; /* no closing line */
}

json_t *dh_card_parse(const char *readme) {
  if (strncmp(readme, "---\n", 4) != 0 && strncmp(readme, "---\r\n", 5) != 0) return NULL;
  char *copy = strdup(strchr(readme, '\n') + 1);
  struct reader r = {0};
  json_t *card = NULL;
  if (copy && split_lines(&r, copy) && current(&r)) card = read_block(&r, current(&r)->indent);
  if (card && (current(&r) || !json_is_object(card))) {
    json_decref(card);
    card = NULL;
  }
  free(r.lines);
  free(copy);
  return card;
}
