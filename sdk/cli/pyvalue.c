/* pyvalue.c - writes JSON values as json.dumps, str() and repr() of the reference do.
 * Depth is bounded by the parser that made the value (2048 levels), so recursion is too.
 * Floats are the shortest decimal that reads back as the same number. */
#include "pyvalue.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "unicode.h"

void cli_write_float(FILE *f, double d) {
  if (isnan(d)) {
    fputs("NaN", f);
    return;
  }
  if (isinf(d)) {
    fputs(d < 0 ? "-Infinity" : "Infinity", f);
    return;
  }
  char text[40];
  for (int digits = 0; digits < 17; digits++) {
    snprintf(text, sizeof text, "%.*e", digits, d);
    if (strtod(text, NULL) == d) break;
  }
  /* text is [-]D[.DDD]e(+|-)XX: its digits are placed as repr does, with an exponent only for very large and small */
  char *e = strchr(text, 'e');
  long exponent = strtol(e + 1, NULL, 10);
  char digits[24];
  size_t n = 0;
  for (char *p = text; p < e; p++)
    if (*p >= '0' && *p <= '9' && n < sizeof digits) digits[n++] = *p;
  while (n > 1 && digits[n - 1] == '0') n--;
  if (text[0] == '-') putc('-', f);
  if (exponent < -4 || exponent >= 16) {
    putc(digits[0], f);
    if (n > 1) {
      putc('.', f);
      fwrite(digits + 1, 1, n - 1, f);
    }
    fprintf(f, "e%c%02ld", exponent < 0 ? '-' : '+', labs(exponent));
  } else if (exponent < 0) {
    fputs("0.", f);
    for (long i = -1; i > exponent; i--) putc('0', f);
    fwrite(digits, 1, n, f);
  } else {
    for (long i = 0; i <= exponent; i++) putc((size_t)i < n ? digits[i] : '0', f);
    putc('.', f);
    if (n > (size_t)exponent + 1)
      fwrite(digits + exponent + 1, 1, n - (size_t)exponent - 1, f);
    else
      putc('0', f);
  }
}

static void write_json_string(FILE *f, const char *text, size_t len) {
  size_t bytes;
  bool bad;
  putc('"', f);
  for (size_t i = 0; i < len; i += bytes) {
    uint32_t c = cli_utf8_next(text + i, len - i, &bytes, &bad);
    switch (c) {
      case '"': fputs("\\\"", f); break;
      case '\\': fputs("\\\\", f); break;
      case '\n': fputs("\\n", f); break;
      case '\r': fputs("\\r", f); break;
      case '\t': fputs("\\t", f); break;
      case '\b': fputs("\\b", f); break;
      case '\f': fputs("\\f", f); break;
      default:
        if (c >= 0x20 && c < 0x7f)
          putc((int)c, f);
        else if (c < 0x10000)
          fprintf(f, "\\u%04x", c);
        else
          fprintf(f, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
  }
  putc('"', f);
}

static void new_line(FILE *f, int indent, int level) {
  putc('\n', f);
  for (int i = 0; i < indent * level; i++) putc(' ', f);
}

static void write_json(FILE *f, const json_t *v, int indent, int level) {
  const char *key;
  json_t *member;
  size_t i, n = 0;
  switch (json_typeof(v)) {
    case JSON_NULL: fputs("null", f); break;
    case JSON_TRUE: fputs("true", f); break;
    case JSON_FALSE: fputs("false", f); break;
    case JSON_INTEGER: fprintf(f, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); break;
    case JSON_REAL: cli_write_float(f, json_real_value(v)); break;
    case JSON_STRING: write_json_string(f, json_string_value(v), json_string_length(v)); break;
    case JSON_ARRAY:
      putc('[', f);
      json_array_foreach((json_t *)v, i, member) {
        if (i) fputs(indent ? "," : ", ", f);
        if (indent) new_line(f, indent, level + 1);
        write_json(f, member, indent, level + 1);
      }
      if (indent && json_array_size(v)) new_line(f, indent, level);
      putc(']', f);
      break;
    case JSON_OBJECT:
      putc('{', f);
      json_object_foreach((json_t *)v, key, member) {
        if (n++) fputs(indent ? "," : ", ", f);
        if (indent) new_line(f, indent, level + 1);
        write_json_string(f, key, strlen(key));
        fputs(": ", f);
        write_json(f, member, indent, level + 1);
      }
      if (indent && n) new_line(f, indent, level);
      putc('}', f);
      break;
  }
}

void cli_write_json(FILE *f, const json_t *v, int indent) {
  write_json(f, v, indent, 0);
}

static void write_repr(FILE *f, const json_t *v) {
  const char *key;
  json_t *member;
  size_t i, n = 0;
  switch (json_typeof(v)) {
    case JSON_NULL: fputs("None", f); break;
    case JSON_TRUE: fputs("True", f); break;
    case JSON_FALSE: fputs("False", f); break;
    case JSON_STRING: cli_write_repr(f, json_string_value(v), json_string_length(v)); break;
    case JSON_ARRAY:
      putc('[', f);
      json_array_foreach((json_t *)v, i, member) {
        if (i) fputs(", ", f);
        write_repr(f, member);
      }
      putc(']', f);
      break;
    case JSON_OBJECT:
      putc('{', f);
      json_object_foreach((json_t *)v, key, member) {
        if (n++) fputs(", ", f);
        cli_write_repr(f, key, strlen(key));
        fputs(": ", f);
        write_repr(f, member);
      }
      putc('}', f);
      break;
    default: write_json(f, v, 0, 0);
  }
}

void cli_write_str(FILE *f, const json_t *v) {
  if (json_is_string(v))
    fwrite(json_string_value(v), 1, json_string_length(v), f);
  else
    write_repr(f, v);
}
