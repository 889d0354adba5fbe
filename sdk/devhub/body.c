/* body.c - reading request bodies (body.h).
 * Jansson bounds the depth of JSON; forms have as many fields as their size allows.
 * Base64 is the standard alphabet with padding, line breaks not allowed. */
#include "body.h"
#include <stdlib.h>
#include <string.h>

json_t *dh_body_object(struct request *r) {
  json_error_t e;
  json_t *body = json_loadb(r->body.data ? r->body.data : "", r->body.size, JSON_REJECT_DUPLICATES, &e);
  if (json_is_object(body)) return body;
  dh_reply_error(r, 400, NULL, "The body must be a JSON object: %s", body ? "it is another value" : e.text);
  json_decref(body);
  return NULL;
}

const char *dh_json_text(const json_t *object, const char *key, const char *otherwise) {
  const char *s = json_string_value(json_object_get(object, key));
  return s ? s : otherwise;
}

json_t *dh_body_form(struct request *r) {
  json_t *form = json_object();
  for (char *rest = r->body.data, *pair; rest && (pair = strsep(&rest, "&"));) {
    char *value = strchr(pair, '=');
    if (value) *value++ = 0;
    if (!dh_percent_decode(pair, true) || (value && !dh_percent_decode(value, true))) continue;
    json_object_set_new(form, pair, json_string(value ? value : ""));
  }
  return form;
}

/* The value of a digit plus one; 0 for what is none. */
static const unsigned char digits[256] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  63, 0,  0,  0,  64, 53, 54, 55, 56,
    57, 58, 59, 60, 61, 62, 0,  0,  0,  0,  0,  0,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13,
    14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 0,  0,  0,  0,  0,  0,  27, 28, 29, 30, 31, 32, 33,
    34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 0,  0,  0,  0,  0};

bool dh_base64_decode(const char *text, size_t size, char *out, size_t *out_size) {
  const unsigned char *from = (const unsigned char *)text;
  size_t padding = 0, n = 0;
  while (padding < 2 && size && text[size - 1] == '=') size--, padding++;
  if ((size + padding) % 4) return false;
  for (; size >= 4; size -= 4, from += 4, n += 3) {
    unsigned a = digits[from[0]], b = digits[from[1]], c = digits[from[2]], d = digits[from[3]];
    if (!a || !b || !c || !d) return false;
    unsigned word = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);
    out[n] = (char)(word >> 16);
    out[n + 1] = (char)(word >> 8);
    out[n + 2] = (char)word;
  }
  unsigned word = 0;
  for (size_t k = 0; k < size; k++) {
    if (!digits[from[k]]) return false;
    word |= (unsigned)(digits[from[k]] - 1) << (18 - 6 * k);
  }
  for (size_t k = 0; k + 1 < size; k++) out[n++] = (char)(word >> (16 - 8 * k));
  *out_size = n;
  return true;
}
