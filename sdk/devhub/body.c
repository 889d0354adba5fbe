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

static int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dh_base64_decode(char *text, size_t size, size_t *out) {
  size_t padding = 0;
  while (padding < 2 && size && text[size - 1] == '=') size--, padding++;
  if ((size + padding) % 4) return false;
  size_t n = 0;
  for (size_t i = 0; i < size; i += 4) {
    size_t have = size - i < 4 ? size - i : 4;
    unsigned word = 0;
    for (size_t k = 0; k < 4; k++) {
      int d = k < have ? digit(text[i + k]) : 0;
      if (d < 0) return false;
      word = word << 6 | (unsigned)d;
    }
    for (size_t k = 0; k + 1 < have; k++) text[n++] = (char)(word >> (16 - 8 * k));
  }
  *out = n;
  return true;
}
