/* yaml_read.c - reads the YAML of a card (yaml.h): a cursor over the text, blocks by the column of their first word.
 * Depth and size are bounded; what cannot be read is an error with its line, never half a card.
 * Line breaks are "\n" before it starts. */
#include "yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 48 };

struct reader {
  hf_call *call;
  const char *begin, *p, *end, *line; /* line: where the current line begins */
  char *word;                         /* the scalar being read; room for twice the text */
  size_t size, depth;
};

static hf_status value_at(struct reader *r, long parent, json_t **out);
static hf_status flow(struct reader *r, json_t **out);

static hf_status bad(struct reader *r, const char *why) {
  size_t number = 1;
  for (const char *p = r->begin; p < r->p; p++) number += *p == '\n';
  return hf_hub_fail(r->call, HF_EPROTO, NULL, "Line %zu of the card's metadata cannot be read: %s. Correct README.md.",
                     number, why);
}

static char at(const struct reader *r, size_t ahead) {
  return (size_t)(r->end - r->p) > ahead ? r->p[ahead] : 0;
}
static long column(const struct reader *r) {
  return (long)(r->p - r->line);
}
static bool gap(char c) { /* what may follow "-" and ":" */
  return !c || c == ' ' || c == '\n' || c == '\t';
}
static bool dash(const struct reader *r) {
  return at(r, 0) == '-' && gap(at(r, 1));
}
static void put(struct reader *r, char c) {
  r->word[r->size++] = c;
}
static void spaces(struct reader *r) {
  while (at(r, 0) == ' ' || at(r, 0) == '\t') r->p++;
}
static void newline(struct reader *r) {
  r->line = ++r->p;
}

/* To the next word, over blank lines and comments. */
static void skip(struct reader *r) {
  for (;;) {
    spaces(r);
    if (at(r, 0) == '#' && (r->p == r->line || r->p[-1] == ' ' || r->p[-1] == '\t'))
      while (r->p < r->end && *r->p != '\n') r->p++;
    if (at(r, 0) != '\n') return;
    newline(r);
  }
}

/* ---- scalars ------------------------------------------------------------------------------------------------------------ */

static json_t *clock_value(const char *s) {
  bool minus = *s == '-', whole = !strchr(s, '.');
  double sum = 0;
  s += *s == '-' || *s == '+';
  for (char *end; *s; s = *end ? end + 1 : end) {
    sum = sum * 60 + strtod(s, &end);
    if (end == s) break;
  }
  if (minus) sum = -sum;
  return whole ? json_integer((json_int_t)sum) : json_real(sum);
}

static hf_status plain_value(struct reader *r, json_t **out) {
  char digits[72];
  size_t n = 0;
  r->word[r->size] = 0;
  enum hf_yaml_kind kind = hf_hub_yaml_kind(r->word);
  if (kind >= HF_YAML_INT && kind <= HF_YAML_FLOAT)
    for (const char *p = r->word; *p && n + 1 < sizeof digits; p++)
      if (*p != '_') digits[n++] = *p;
  digits[n] = 0;
  const char *bare = digits + (*digits == '-' || *digits == '+');
  int base = kind == HF_YAML_HEX ? 16 : kind == HF_YAML_OCTAL ? 8 : kind == HF_YAML_BINARY ? 2 : 10;
  switch (kind) {
    case HF_YAML_NULL: *out = json_null(); break;
    case HF_YAML_TRUE:
    case HF_YAML_FALSE: *out = json_boolean(kind == HF_YAML_TRUE); break;
    case HF_YAML_INT:
    case HF_YAML_BINARY:
    case HF_YAML_OCTAL:
    case HF_YAML_HEX:
      errno = 0;
      long long v = strtoll(bare + (base == 2 || base == 16 ? 2 : 0), NULL, base);
      if (errno) return bad(r, "a number is too large");
      *out = json_integer(*digits == '-' ? -v : v);
      break;
    case HF_YAML_CLOCK: *out = clock_value(digits); break;
    case HF_YAML_FLOAT: *out = json_real(strtod(digits, NULL)); break;
    case HF_YAML_RESERVED: return bad(r, "\"<<\" and \"=\" are not supported");
    case HF_YAML_NO_NUMBER:
    case HF_YAML_DATE:
    case HF_YAML_TEXT:
    default: *out = json_stringn(r->word, r->size); break;
  }
  return *out ? HF_OK : bad(r, "it is not UTF-8, or memory is short");
}

static hf_status text_value(struct reader *r, json_t **out) {
  *out = json_stringn(r->word, r->size);
  return *out ? HF_OK : bad(r, "it is not UTF-8, or memory is short");
}

/* Line breaks inside a scalar: one is a space, more are one less. The cursor is at the first. */
static void fold(struct reader *r) {
  size_t breaks = 0;
  while (r->size && (r->word[r->size - 1] == ' ' || r->word[r->size - 1] == '\t')) r->size--;
  while (at(r, 0) == '\n') {
    newline(r);
    breaks++;
    spaces(r);
  }
  if (breaks == 1) put(r, ' ');
  for (size_t i = 1; i < breaks; i++) put(r, '\n');
}

static bool code_point(struct reader *r, size_t digits) {
  unsigned long c = 0;
  for (size_t i = 0; i < digits; i++) {
    char d = at(r, i);
    int v = d >= '0' && d <= '9'   ? d - '0'
            : d >= 'a' && d <= 'f' ? d - 'a' + 10
            : d >= 'A' && d <= 'F' ? d - 'A' + 10
                                   : -1;
    if (v < 0) return false;
    c = c * 16 + (unsigned long)v;
  }
  if (!c || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return false;
  r->p += digits;
  static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
  int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  put(r, (char)(first[more] | (c >> (6 * more))));
  while (more--) put(r, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
  return true;
}

static bool escaped(struct reader *r) {
  static const struct {
    char name;
    const char *text;
  } table[] = {{'a', "\a"},           {'b', "\b"},          {'t', "\t"}, {'\t', "\t"},      {'n', "\n"},
               {'v', "\v"},           {'f', "\f"},          {'r', "\r"}, {'e', "\033"},     {' ', " "},
               {'"', "\""},           {'\\', "\\"},         {'/', "/"},  {'N', "\xc2\x85"}, {'_', "\xc2\xa0"},
               {'L', "\xe2\x80\xa8"}, {'P', "\xe2\x80\xa9"}};
  char c = at(r, 0);
  if (!c) return false;
  if (c == '\n') {
    while (at(r, 0) == '\n') {
      newline(r);
      spaces(r);
      if (at(r, 0) == '\n') put(r, '\n');
    }
    return true;
  }
  r->p++;
  if (c == 'x' || c == 'u' || c == 'U') return code_point(r, c == 'x' ? 2 : c == 'u' ? 4 : 8);
  for (size_t i = 0; i < HF_COUNT(table); i++)
    if (table[i].name == c) {
      for (const char *t = table[i].text; *t; t++) put(r, *t);
      return true;
    }
  return false;
}

/* The cursor is at the quote; afterwards behind the other one. */
static hf_status quoted(struct reader *r) {
  char quote = *r->p++;
  for (r->size = 0;;) {
    char c = at(r, 0);
    if (!c) return bad(r, "a quote is not closed");
    if (c == '\n') {
      fold(r);
    } else if (c == quote) {
      r->p++;
      if (quote == '"' || at(r, 0) != '\'') return HF_OK;
      r->p++;
      put(r, '\'');
    } else if (c == '\\' && quote == '"') {
      r->p++;
      if (!escaped(r)) return bad(r, "an escape is unknown");
    } else {
      r->p++;
      put(r, c);
    }
  }
}

/* Words without quotes; lines that are indented more than `parent` go on. */
static hf_status plain(struct reader *r, long parent, bool in_flow) {
  if (strchr("&*!|>%@`,?]}", at(r, 0)) && !(at(r, 0) == '?' && !gap(at(r, 1))))
    return bad(r, "anchors, aliases, tags and other marks are not supported");
  for (r->size = 0;;) {
    while (r->p < r->end && *r->p != '\n') {
      char c = *r->p, next = at(r, 1);
      if (c == '#' && r->size && (r->p[-1] == ' ' || r->p[-1] == '\t')) break;
      if (c == ':' && (gap(next) || (in_flow && strchr(",[]{}", next)))) {
        if (!in_flow) return bad(r, "a second value on one line needs quotes");
        break;
      }
      if (in_flow && strchr(",[]{}", c)) break;
      put(r, c);
      r->p++;
    }
    if (at(r, 0) != '\n') break;
    struct reader here = *r;
    fold(r);
    if (!at(r, 0) || at(r, 0) == '#' || (!in_flow && column(r) <= parent)) {
      size_t size = here.size;
      *r = here;
      r->size = size;
      break;
    }
  }
  while (r->size && (r->word[r->size - 1] == ' ' || r->word[r->size - 1] == '\t')) r->size--;
  return HF_OK;
}

/* Blank lines of a block scalar; stops at the first character at `indent` or before a smaller one. */
static size_t blank_lines(struct reader *r, long indent) {
  size_t breaks = 0;
  for (;;) {
    while (column(r) < indent && at(r, 0) == ' ') r->p++;
    if (at(r, 0) != '\n') return breaks;
    newline(r);
    breaks++;
  }
}

/* "|" and ">" with their marks. */
static hf_status block_scalar(struct reader *r, long parent, json_t **out) {
  bool folded = *r->p++ == '>';
  char chomp = 0;
  long given = 0, indent;
  for (; at(r, 0) && strchr("+-123456789", at(r, 0)); r->p++)
    if (*r->p == '+' || *r->p == '-')
      chomp = *r->p;
    else
      given = *r->p - '0';
  spaces(r);
  if (at(r, 0) == '#')
    while (r->p < r->end && *r->p != '\n') r->p++;
  if (at(r, 0) && at(r, 0) != '\n') return bad(r, "a block of text begins on the next line");
  r->size = 0;
  if (at(r, 0)) newline(r);
  size_t breaks = 0;
  if (given) {
    indent = (parent < 0 ? 0 : parent) + given;
    breaks = blank_lines(r, indent);
  } else {
    for (;;) { /* the first line that is not blank says it */
      while (at(r, 0) == ' ') r->p++;
      if (at(r, 0) != '\n') break;
      newline(r);
      breaks++;
    }
    indent = column(r) > parent ? column(r) : parent + 1;
  }
  bool any = false;
  while (r->p < r->end && column(r) == indent && at(r, 0) != '\n') {
    while (breaks--) put(r, '\n');
    bool blank_first = *r->p == ' ' || *r->p == '\t';
    while (r->p < r->end && *r->p != '\n') put(r, *r->p++);
    any = r->p < r->end;
    if (any) newline(r);
    breaks = blank_lines(r, indent);
    if (r->p >= r->end || column(r) != indent) break;
    if (!folded || blank_first || *r->p == ' ' || *r->p == '\t')
      put(r, '\n');
    else if (!breaks)
      put(r, ' ');
    any = false;
  }
  if (chomp != '-' && any) put(r, '\n');
  if (chomp == '+')
    while (breaks--) put(r, '\n');
  return text_value(r, out);
}

/* ---- collections ----------------------------------------------------------------------------------------------------------- */

static hf_status member_set(struct reader *r, json_t *all, char *key, json_t *value) {
  if (!key) return json_decref(value), bad(r, "memory is short");
  int failed = json_object_set_new(all, key, value);
  free(key);
  return failed ? bad(r, "a key is not UTF-8, or memory is short") : HF_OK;
}

/* The key at the cursor, which is left behind its ":". */
static hf_status key_at(struct reader *r, bool in_flow, char **key) {
  if (at(r, 0) == '"' || at(r, 0) == '\'') {
    TRY(quoted(r));
  } else {
    r->size = 0;
    while (r->p < r->end && *r->p != '\n' && !(*r->p == ':' && gap(at(r, 1))) &&
           !(in_flow && (strchr(",[]{}", *r->p) || (*r->p == ':' && strchr(",[]{}", at(r, 1))))))
      put(r, *r->p++);
    while (r->size && r->word[r->size - 1] == ' ') r->size--;
    r->word[r->size] = 0;
    if (!strcmp(r->word, "<<")) return bad(r, "\"<<\" is not supported");
  }
  spaces(r);
  if (at(r, 0) == ':') {
    r->p++;
  } else if (!in_flow) {
    return bad(r, "a key lacks its \":\"");
  }
  r->word[r->size] = 0;
  *key = strlen(r->word) == r->size ? strdup(r->word) : NULL;
  return *key ? HF_OK : bad(r, "a key holds NUL, or memory is short");
}

static hf_status flow_items(struct reader *r, bool map, json_t *all) {
  char close = map ? '}' : ']';
  for (bool first = true;; first = false) {
    skip(r);
    if (!first && at(r, 0) == ',') {
      r->p++;
      skip(r);
    } else if (!first && at(r, 0) != close) {
      return bad(r, "a list in brackets lacks a comma or its end");
    }
    if (at(r, 0) == close) break;
    if (!at(r, 0)) return bad(r, "a bracket is not closed");
    json_t *value = NULL;
    char *key = NULL;
    if (map) {
      TRY(key_at(r, true, &key));
      skip(r);
    }
    hf_status st = HF_OK;
    if (map && (at(r, 0) == ',' || at(r, 0) == close))
      value = json_null();
    else
      st = flow(r, &value);
    if (st != HF_OK) return free(key), st;
    if (map) {
      TRY(member_set(r, all, key, value));
    } else if (json_array_append_new(all, value)) {
      return bad(r, "memory is short");
    }
  }
  r->p++;
  return HF_OK;
}

static hf_status flow(struct reader *r, json_t **out) {
  char c = at(r, 0);
  if (c != '[' && c != '{') {
    bool bare = c != '"' && c != '\'';
    TRY(bare ? plain(r, 0, true) : quoted(r));
    return bare ? plain_value(r, out) : text_value(r, out);
  }
  if (++r->depth > DEPTH_MAX) return bad(r, "it is nested too deeply");
  r->p++;
  *out = c == '{' ? json_object() : json_array();
  hf_status st = *out ? flow_items(r, c == '{', *out) : bad(r, "memory is short");
  if (st != HF_OK) {
    json_decref(*out);
    *out = NULL;
  }
  r->depth--;
  return st;
}

/* Does "key:" stand at the cursor, on this line? */
static bool is_key(const struct reader *r) {
  const char *p = r->p;
  if (p < r->end && (*p == '"' || *p == '\'')) {
    char quote = *p++;
    for (; p < r->end && *p != '\n'; p++) {
      bool pair = p + 1 < r->end && (quote == '"' ? *p == '\\' : *p == quote && p[1] == quote);
      if (!pair && *p == quote) break;
      p += pair;
    }
    if (p >= r->end || *p != quote) return false;
    for (p++; p < r->end && *p == ' ';) p++;
    return p < r->end && *p == ':' && (p + 1 == r->end || gap(p[1]));
  }
  if (p < r->end && strchr("[{|>&*!%@`#", *p)) return false;
  for (; p < r->end && *p != '\n'; p++) {
    if (*p == '#' && p > r->p && p[-1] == ' ') return false;
    if (*p == ':' && (p + 1 == r->end || gap(p[1]))) return true;
  }
  return false;
}

/* What follows "key:" or "-" at `indent`. */
static hf_status after(struct reader *r, long indent, bool list_may_align, json_t **out) {
  const char *line = r->line;
  skip(r);
  bool below = r->line != line;
  if (r->p >= r->end || (below && column(r) < indent)) return *out = json_null(), HF_OK;
  if (below && column(r) == indent)
    return list_may_align && dash(r) ? value_at(r, indent - 1, out) : (*out = json_null(), HF_OK);
  if (!below && list_may_align && (dash(r) || (is_key(r) && at(r, 0) != '"' && at(r, 0) != '\'')))
    return bad(r, "a second value on one line needs quotes");
  return value_at(r, indent, out);
}

static hf_status items(struct reader *r, json_t *all, long indent, bool list) {
  for (;;) {
    json_t *value = NULL;
    char *key = NULL;
    skip(r);
    if (r->p >= r->end || column(r) < indent) return HF_OK;
    if (column(r) > indent) return bad(r, "it is indented more than what it belongs to");
    if (list != dash(r)) return list ? HF_OK : bad(r, "an item of a list stands among keys");
    if (list) {
      r->p++;
      TRY(after(r, indent, false, &value));
      if (json_array_append_new(all, value)) return bad(r, "memory is short");
      continue;
    }
    if (!is_key(r)) return bad(r, "a key lacks its \":\"");
    TRY(key_at(r, false, &key));
    hf_status st = after(r, indent, true, &value);
    if (st != HF_OK) return free(key), st;
    TRY(member_set(r, all, key, value));
  }
}

/* The value at the cursor, part of something at column `parent`. */
static hf_status value_at(struct reader *r, long parent, json_t **out) {
  char c = at(r, 0);
  bool list = dash(r);
  if (!list && !is_key(r)) {
    if (c == '|' || c == '>') return block_scalar(r, parent, out);
    if (c == '[' || c == '{' || c == '"' || c == '\'') {
      TRY(flow(r, out));
      spaces(r);
      if (r->p >= r->end || at(r, 0) == '\n' || at(r, 0) == '#') return HF_OK;
      json_decref(*out);
      *out = NULL;
      return bad(r, "something stands behind a value");
    }
    TRY(plain(r, parent, false));
    return plain_value(r, out);
  }
  if (++r->depth > DEPTH_MAX) return bad(r, "it is nested too deeply");
  *out = list ? json_array() : json_object();
  hf_status st = *out ? items(r, *out, column(r), list) : bad(r, "memory is short");
  if (st != HF_OK) {
    json_decref(*out);
    *out = NULL;
  }
  r->depth--;
  return st;
}

hf_status hf_hub_yaml_read(hf_call *c, const char *text, size_t len, json_t **value) {
  char *copy = malloc(len + 1), *word = malloc(2 * len + 16);
  struct reader r = {.call = c, .word = word};
  hf_status st = HF_OK;
  size_t n = 0;
  *value = NULL;
  if (!copy || !word) {
    st = hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  } else {
    for (size_t i = 0; i < len; i++) {
      if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n') continue;
      copy[n++] = text[i] == '\r' ? '\n' : text[i];
    }
    copy[n] = 0;
    r.begin = r.p = r.line = copy;
    r.end = copy + n;
    skip(&r);
    if (memchr(copy, 0, n))
      st = bad(&r, "it holds NUL");
    else if (r.p >= r.end)
      *value = json_null();
    else
      st = value_at(&r, -1, value);
    if (st == HF_OK) skip(&r);
    if (st == HF_OK && r.p < r.end) st = bad(&r, "it does not go on from what is above it");
    if (st != HF_OK) {
      json_decref(*value);
      *value = NULL;
    }
  }
  free(copy);
  free(word);
  return st;
}
