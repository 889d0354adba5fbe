/* fault.c - reading fault rules and deciding which request meets one.
 * Kinds and parameters are rows; a rule's text and its JSON form have the same names. The header of a request wins over the
 * rules; of the rules, the first that matches and is inside its window.
 * What a fault does to an answer is in fault_send.c. */
#include "server.h"
#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  enum fault_kind kind;
} kinds[] = {
    {"status", FAULT_STATUS},     {"cut", FAULT_CUT},         {"stall", FAULT_STALL},
    {"slow", FAULT_SLOW},         {"flip", FAULT_FLIP},       {"truncate", FAULT_TRUNCATE},
    {"length", FAULT_LENGTH},     {"extra", FAULT_EXTRA},     {"etag", FAULT_ETAG},
    {"commit", FAULT_COMMIT},     {"range", FAULT_RANGE},     {"norange", FAULT_NORANGE},
    {"range200", FAULT_RANGE200}, {"loop", FAULT_LOOP},       {"redirect", FAULT_REDIRECT},
    {"body", FAULT_BODY},         {"html", FAULT_BODY},       {"bighead", FAULT_BIGHEAD},
    {"slowhead", FAULT_SLOWHEAD}, {"chunked", FAULT_CHUNKED}, {"nolength", FAULT_NOLENGTH},
    {"gzip", FAULT_GZIP},         {"empty", FAULT_EMPTY},     {"delay", FAULT_DELAY},
    {"header", FAULT_HEADER},     {"break", FAULT_BREAK},     {"hold", FAULT_HOLD},
};

enum parameter_type { P_NUMBER, P_BYTES, P_SECONDS, P_FLAG, P_TEXT };
#define TEXT_FIELD(member)  P_TEXT, offsetof(struct fault, member), sizeof((struct fault *)0)->member
#define FIELD(type, member) type, offsetof(struct fault, member), 0
static const struct {
  const char *name;
  enum parameter_type type;
  size_t offset, room;
} fields[] = {
    {"status", FIELD(P_NUMBER, status)},  {"after", FIELD(P_BYTES, after)},
    {"offset", FIELD(P_BYTES, offset)},   {"length", FIELD(P_BYTES, length)},
    {"by", FIELD(P_BYTES, by)},           {"rate", FIELD(P_BYTES, rate)},
    {"mask", FIELD(P_NUMBER, mask)},      {"seconds", FIELD(P_SECONDS, seconds)},
    {"reset", FIELD(P_FLAG, reset)},      {"name", TEXT_FIELD(name)},
    {"value", TEXT_FIELD(value)},         {"type", TEXT_FIELD(type)},
    {"location", TEXT_FIELD(location)},   {"code", TEXT_FIELD(code)},
    {"message", TEXT_FIELD(message)},     {"retry_after", TEXT_FIELD(retry_after)},
    {"ratelimit", TEXT_FIELD(ratelimit)}, {"method", TEXT_FIELD(method)},
    {"path", TEXT_FIELD(path)},           {"origin", TEXT_FIELD(origin)},
    {"nth", FIELD(P_NUMBER, nth)},        {"count", FIELD(P_NUMBER, count)},
    {"done", FIELD(P_FLAG, done)},
};

static void fault_begin(struct fault *f) {
  *f = (struct fault){.status = FAULT_ABSENT,
                      .after = FAULT_ABSENT,
                      .offset = FAULT_ABSENT,
                      .length = FAULT_ABSENT,
                      .by = FAULT_ABSENT,
                      .rate = FAULT_ABSENT,
                      .mask = FAULT_ABSENT,
                      .seconds = -1,
                      .nth = 1,
                      .count = INT64_MAX};
}

static bool complain(char problem[256], const char *what, const char *value) {
  snprintf(problem, 256, "%s %.150s", what, value);
  return false;
}

static bool kind_set(struct fault *f, const char *value) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kinds[i].name, value) != 0) continue;
    f->kind = kinds[i].kind;
    f->kind_name = kinds[i].name;
    return true;
  }
  return false;
}

static bool number_set(void *to, enum parameter_type type, const char *value) {
  uint64_t n;
  if (type == P_BYTES ? !dh_bytes(value, &n) : !dh_number(value, INT64_MAX, &n)) return false;
  *(int64_t *)to = (int64_t)n;
  return true;
}

static bool field_set(struct fault *f, const char *name, const char *value, char problem[256]) {
  if (strcmp(name, "kind") == 0) return kind_set(f, value) || complain(problem, "there is no fault kind", value);
  if (strcmp(name, "body") == 0) {
    free(f->body);
    f->body = strdup(value);
    return f->body != NULL;
  }
  size_t i = 0;
  while (i < sizeof fields / sizeof *fields && strcmp(fields[i].name, name) != 0) i++;
  if (i == sizeof fields / sizeof *fields) return complain(problem, "there is no fault parameter", name);
  void *to = (char *)f + fields[i].offset;
  bool ok = true;
  switch (fields[i].type) {
    case P_TEXT: ok = dh_copy(to, fields[i].room, value) && !strpbrk(value, "\r\n"); break;
    case P_FLAG: *(bool *)to = strcmp(value, "0") != 0 && strcmp(value, "false") != 0; break;
    case P_SECONDS: ok = dh_seconds(value, to); break;
    case P_NUMBER:
    case P_BYTES: ok = number_set(to, fields[i].type, value); break;
  }
  return ok || complain(problem, "this fault parameter has no usable value:", name);
}

static bool fault_finish(struct fault *f, char problem[256]) {
  size_t stars = 0;
  for (const char *p = f->path; *p; p++) stars += *p == '*';
  if (f->kind == FAULT_NONE) return complain(problem, "a fault needs a", "kind");
  if (stars > 6) return complain(problem, "too many stars in the path", f->path);
  if (f->status != FAULT_ABSENT && (f->status < 200 || f->status > 599)) return complain(problem, "no such", "status");
  if (strcmp(f->kind_name, "html") == 0 && !f->body)
    f->body =
        strdup("<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to this network</body></html>\n");
  if (strcmp(f->kind_name, "html") == 0 && !f->type[0]) dh_copy(f->type, sizeof f->type, "text/html; charset=utf-8");
  return true;
}

bool dh_fault_text(struct fault *f, const char *text, char problem[256]) {
  char *copy = strdup(text), *rest = copy;
  bool ok = copy != NULL;
  fault_begin(f);
  for (char *part; ok && rest && (part = strsep(&rest, ";"));) {
    part += strspn(part, " ");
    char *value = strchr(part, '=');
    if (!*part) continue;
    if (value) *value++ = 0;
    ok = field_set(f, part, value ? value : "1", problem);
  }
  free(copy);
  ok = ok && fault_finish(f, problem);
  if (!ok) dh_fault_free(f);
  return ok;
}

static bool json_fields(struct fault *f, const json_t *object, char problem[256], bool nested) {
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)object, name, value) {
    if (strcmp(name, "match") == 0 && nested && json_is_object(value)) {
      if (!json_fields(f, value, problem, false)) return false;
      continue;
    }
    char number[40] = "";
    if (json_is_integer(value)) snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value)) snprintf(number, sizeof number, "%.6f", json_real_value(value));
    if (json_is_boolean(value)) snprintf(number, sizeof number, "%d", json_is_true(value));
    const char *text = json_is_string(value) ? json_string_value(value) : number;
    if (!field_set(f, name, text, problem)) return false;
  }
  return true;
}

bool dh_fault_json(struct fault *f, const json_t *rule, char problem[256]) {
  if (json_is_string(rule)) return dh_fault_text(f, json_string_value(rule), problem);
  fault_begin(f);
  bool ok = json_is_object(rule) && json_fields(f, rule, problem, true) && fault_finish(f, problem);
  if (!ok) dh_fault_free(f);
  return ok;
}

void dh_fault_free(struct fault *f) {
  free(f->body);
  f->body = NULL;
}

void dh_fault_clear(struct fault_rules *rules) {
  pthread_mutex_lock(&rules->lock);
  for (size_t i = 0; i < rules->count; i++) dh_fault_free(&rules->rules[i]);
  rules->count = 0;
  pthread_mutex_unlock(&rules->lock);
}

bool dh_fault_add(struct fault_rules *rules, struct fault *f) {
  pthread_mutex_lock(&rules->lock);
  bool room = rules->count < RULES_MAX;
  if (room) rules->rules[rules->count++] = *f;
  pthread_mutex_unlock(&rules->lock);
  if (!room) dh_fault_free(f);
  return room;
}

json_t *dh_fault_list(struct fault_rules *rules) {
  json_t *all = json_array();
  pthread_mutex_lock(&rules->lock);
  for (size_t i = 0; i < rules->count; i++) {
    const struct fault *f = &rules->rules[i];
    json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "kind", f->kind_name, "method",
                                         f->method, "path", f->path, "origin", f->origin, "nth", (json_int_t)f->nth,
                                         "count", (json_int_t)f->count, "seen", (json_int_t)f->seen));
  }
  pthread_mutex_unlock(&rules->lock);
  return all;
}

/* Faults a write meets before it is carried out. */
static bool early_kind(const struct fault *f) {
  switch (f->kind) {
    case FAULT_BREAK:
    case FAULT_HOLD: return true;
    case FAULT_STATUS:
    case FAULT_EMPTY:
    case FAULT_LOOP:
    case FAULT_REDIRECT:
    case FAULT_BODY: return !f->done;
    default: return false;
  }
}

static bool matches(const struct fault *f, const struct request *r, bool early) {
  bool write = r->method != METHOD_GET && r->method != METHOD_HEAD;
  if (early_kind(f) && write ? !early : early) return false;
  if (f->origin[0] && strcmp(f->origin, r->origin == ORIGIN_CDN ? "cdn" : "hub") != 0) return false;
  if (f->method[0] && strcasecmp(f->method, r->method_name) != 0) return false;
  if (f->path[0] && fnmatch(f->path, r->path, 0) != 0) return false;
  return dh_fault_applies(f->kind, r);
}

static struct fault take(struct fault *f) {
  struct fault copy = *f;
  f->seen++;
  bool now = f->seen >= f->nth && f->seen - f->nth < f->count;
  copy.body = now && f->body ? strdup(f->body) : NULL;
  if (!now) copy.kind = FAULT_NONE;
  return copy;
}

struct fault dh_fault_find(struct request *r, bool early) {
  struct fault found = {.kind = FAULT_NONE};
  char problem[256];
  const char *header = dh_request_header(r, "X-Devhub-Fault");
  if (header && !dh_fault_text(&found, header, problem)) {
    /* A fault that cannot be read must not look like a request that went well. */
    fault_begin(&found);
    kind_set(&found, "status");
    found.status = 400;
    snprintf(found.message, sizeof found.message, "Bad X-Devhub-Fault: %.200s", problem);
    return found;
  }
  if (header && matches(&found, r, early)) return found;
  dh_fault_free(&found);
  found.kind = FAULT_NONE;
  struct fault_rules *rules = &r->server->faults;
  pthread_mutex_lock(&rules->lock);
  for (size_t i = 0; i < rules->count && found.kind == FAULT_NONE; i++)
    if (matches(&rules->rules[i], r, early)) found = take(&rules->rules[i]);
  pthread_mutex_unlock(&rules->lock);
  return found;
}
