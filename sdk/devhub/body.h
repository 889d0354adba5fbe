/* body.h - request bodies as values: JSON objects, forms, base64.
 * What cannot be read is answered with 400 at once.
 * Sizes are bounded by the route before anything is read here. */
#ifndef DEVHUB_BODY_H
#define DEVHUB_BODY_H
#include "server.h"

json_t *dh_body_object(struct request *r); /* NULL: the reply says why */
const char *dh_json_text(const json_t *object, const char *key, const char *otherwise);
json_t *dh_body_form(struct request *r); /* x-www-form-urlencoded as an object of strings */
/* Decodes standard base64; `out` has room for three quarters of it, and may be `text` itself. False when it is not base64. */
bool dh_base64_decode(const char *text, size_t size, char *out, size_t *out_size);
#endif
