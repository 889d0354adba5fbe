/* records.c - what a result looks like by task: the records of the reference client, with unknown fields kept.
 * Names of members are lower case with "_"; a list where an object belongs (or the other way) is an error with the
 * server's words. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

static hf_status unexpected(struct inf *f, json_t *value, const char *wanted) {
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  json_decref(value);
  hf_status st = inf_fail(f, HF_EPROTO, "ValueError", "%s answered %s with something that is not %s: %.900s",
                          f->provider, f->spec->name, wanted, text ? text : "");
  free(text);
  return st;
}

bool inf_plain_name(const char *name, size_t len) {
  for (size_t i = 0; i < len; i++)
    if ((name[i] >= 'A' && name[i] <= 'Z') || name[i] == '-' || name[i] == ' ') return false;
  return true;
}

/* "content-type" and "Content Type" are content_type. Takes j. */
static json_t *plain_names(json_t *j) {
  const char *key;
  json_t *v;
  bool fine = true;
  json_object_foreach(j, key, v) fine = fine && inf_plain_name(key, strlen(key));
  if (fine) return j;
  json_t *out = json_object();
  json_object_foreach(j, key, v) {
    char name[128];
    size_t n = 0;
    for (const char *s = key; *s && n < sizeof name - 1; s++)
      name[n++] = *s == '-' || *s == ' ' ? '_' : (char)tolower((unsigned char)*s);
    name[n] = 0;
    json_object_set(out, name, v);
  }
  json_decref(j);
  return out;
}

/* Members that are records themselves, by the record they are in; NULL: the outermost. */
static const char *const inside[][2] = {
    {NULL, "choices"},
    {NULL, "usage"},
    {NULL, "box"},
    {NULL, "details"},
    {NULL, "token"},
    {NULL, "top_tokens"},
    {NULL, "chunks"},
    {"choices", "message"},
    {"choices", "delta"},
    {"choices", "logprobs"},
    {"logprobs", "content"},
    {"content", "top_logprobs"},
    {"message", "tool_calls"},
    {"delta", "tool_calls"},
    {"tool_calls", "function"},
    {"details", "tokens"},
    {"details", "prefill"},
    {"details", "best_of_sequences"},
    {"details", "top_tokens"},
    {"best_of_sequences", "tokens"},
    {"best_of_sequences", "prefill"},
};

static json_t *plain_at(json_t *j, const char *record);

static bool is_inside(const char *record, const char *name) {
  for (size_t i = 0; i < HF_COUNT(inside); i++) {
    const char *parent = inside[i][0];
    if ((parent == record || (parent && record && !strcmp(parent, record))) && !strcmp(inside[i][1], name)) return true;
  }
  return false;
}

static json_t *plain_members(json_t *j, const char *record) {
  const char *name;
  json_t *v;
  json_object_foreach(j, name, v) {
    if ((!json_is_object(v) && !json_is_array(v)) || !is_inside(record, name)) continue;
    json_t *made = plain_at(json_incref(v), name);
    if (made == v)
      json_decref(made);
    else
      json_object_set_new(j, name, made);
  }
  return j;
}

/* Takes j; the same again when there is nothing to change in it. */
static json_t *plain_at(json_t *j, const char *record) {
  json_t *v;
  size_t i;
  if (json_is_object(j)) return plain_members(plain_names(j), record);
  json_array_foreach(j, i, v) {
    if (!json_is_object(v)) continue;
    json_t *made = plain_at(json_incref(v), record);
    if (made == v)
      json_decref(made);
    else
      json_array_set_new(j, i, made);
  }
  return j;
}

static json_t *plain(json_t *j) {
  return plain_at(j, NULL);
}

/* Base64 of 32-bit floats, little-endian. */
static json_t *floats(const char *text) {
  void *data;
  size_t len;
  if (!inf_unbase64(text, strlen(text), &data, &len)) return NULL;
  const unsigned char *b = data;
  json_t *out = len % 4 ? NULL : json_array();
  for (size_t i = 0; out && i < len; i += 4) {
    uint32_t bits = b[i] | (uint32_t)b[i + 1] << 8 | (uint32_t)b[i + 2] << 16 | (uint32_t)b[i + 3] << 24;
    float x;
    memcpy(&x, &bits, sizeof x);
    json_t *real = json_real(x);
    json_array_append_new(out, real ? real : json_null());
  }
  free(data);
  return out;
}

static hf_status vectors(struct inf *f, json_t *value, json_t **out) {
  json_t *v;
  size_t i;
  if (!json_is_array(value)) return unexpected(f, value, "a list of vectors");
  json_array_foreach(value, i, v) {
    if (!json_is_string(v)) continue;
    json_t *numbers = floats(json_string_value(v));
    if (!numbers) return unexpected(f, value, "a list of vectors");
    json_array_set_new(value, i, numbers);
  }
  *out = value;
  return HF_OK;
}

static hf_status text(struct inf *f, json_t *value, json_t **out) {
  if (json_is_array(value)) {
    json_t *first = json_incref(json_array_get(value, 0));
    json_decref(value);
    value = first ? first : json_null();
  }
  json_t *said = json_object_get(value, "generated_text");
  if (!json_is_string(said)) return unexpected(f, value, "a generated text");
  if (json_is_true(json_object_get(f->args, "details"))) return *out = plain(value), HF_OK;
  *out = json_incref(said);
  json_decref(value);
  return HF_OK;
}

static hf_status first(struct inf *f, json_t *value, json_t **out) {
  json_t *one = json_array_get(value, 0);
  if (!json_is_object(one)) return unexpected(f, value, "a list of records");
  json_incref(one);
  json_decref(value);
  *out = plain(one);
  return HF_OK;
}

static hf_status inner(struct inf *f, json_t *value, json_t **out) {
  json_t *one = json_array_get(value, 0);
  if (!json_is_array(one) && !json_is_object(one)) return unexpected(f, value, "a list");
  json_incref(one);
  json_decref(value);
  *out = plain(one);
  return HF_OK;
}

hf_status inf_shape(struct inf *f, json_t *value, json_t **out) {
  switch (f->spec->kind) {
    case INF_TEXT: return text(f, value, out);
    case INF_FIRST: return first(f, value, out);
    case INF_INNER: return inner(f, value, out);
    case INF_VECTORS: return vectors(f, value, out);
    case INF_CHAT:
    case INF_OBJECT:
      if (!json_is_object(value)) return unexpected(f, value, "an object");
      value = plain(value);
      break;
    case INF_RECORD:
      if (!json_is_array(value) && *f->spec->method) return unexpected(f, value, "a list");
      if (json_is_array(json_array_get(value, 0)) && *f->spec->method) return unexpected(f, value, "a list of records");
      value = json_is_array(value) || json_is_object(value) ? plain(value) : value;
      break;
    case INF_EITHER:
    case INF_MEDIA:
      if (!json_is_object(value) && !json_is_array(value)) return unexpected(f, value, "a record");
      value = plain(value);
      break;
  }
  *out = value;
  return HF_OK;
}

/* ---- items of a stream -------------------------------------------------------------------------------------------------------- */

json_t *inf_item(struct inf *f, json_t *payload) {
  const json_t *piece = NULL;
  if (f->spec->kind != INF_TEXT) return plain(payload);
  if (json_is_true(json_object_get(f->args, "details")) && json_object_get(payload, "token")) return plain(payload);
  piece = inf_at(payload, "token.text");
  if (!piece) piece = inf_at(payload, "choices.0.text");
  if (!piece) piece = inf_at(payload, "choices.0.delta.content");
  json_t *item = json_is_string(piece) ? json_incref((json_t *)(uintptr_t)piece) : NULL;
  json_decref(payload);
  return item;
}
