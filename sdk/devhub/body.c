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
