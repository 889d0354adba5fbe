/* body.c - the template of a request body, read and filled in: the small language that hf/provider.h describes.
 * A first pass finds out which arguments the template takes, the second builds; both read the text alike.
 * Also the words for values: paths, and copies without nulls. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "infer.h"

enum { NAME_MAX_ = 96, TAKEN_MAX = 64, DEPTH_MAX_ = 16 };

struct reader {
  const char *at;
  const struct inf_body *b;
  char taken[TAKEN_MAX][NAME_MAX_];
  uint32_t taken_count;
  uint32_t missing;           /* placeholders without a value so far */
  const struct reader *first; /* NULL: this is the first pass */
  bool dry;                   /* the values do not matter: another pass follows */
  char *why;
  int depth;
};

/* ---- paths -------------------------------------------------------------------------------------------------------------- */

static bool number_of(const char *s, size_t len, size_t *out) {
  *out = 0;
  for (size_t i = 0; i < len; i++) {
    if (s[i] < '0' || s[i] > '9' || *out > 1000000) return false;
    *out = *out * 10 + (size_t)(s[i] - '0');
  }
  return len > 0;
}

static const json_t *at_len(const json_t *j, const char *path, size_t len) {
  while (j && len) {
    size_t n = 0, index;
    while (n < len && path[n] != '.') n++;
    if (json_is_array(j))
      j = number_of(path, n, &index) ? json_array_get(j, index) : NULL;
    else
      j = json_object_getn(j, path, n);
    path += n;
    len -= n;
    if (len) path++, len--;
  }
  return j;
}

const json_t *inf_at(const json_t *j, const char *path) {
  return at_len(j, path ? path : "", path ? strlen(path) : 0);
}

const json_t *inf_first(const json_t *j, const char *paths) {
  if (!paths) return j;
  for (const char *p = paths;;) {
    size_t n = strcspn(p, "|");
    const json_t *found = at_len(j, p, n);
    if (found && !json_is_null(found)) return found;
    if (!p[n]) return NULL;
    p += n + 1;
  }
}

/* The member or element, made when it is not there. */
static json_t *step(json_t *j, const char *name, size_t n, bool list_below) {
  size_t index;
  json_t *next;
  if (json_is_array(j)) {
    if (!number_of(name, n, &index) || index > json_array_size(j)) return NULL;
    next = json_array_get(j, index);
    if (!next) {
      next = list_below ? json_array() : json_object();
      if (json_array_append_new(j, next)) return NULL;
    }
    return next;
  }
  if (!json_is_object(j)) return NULL;
  next = json_object_getn(j, name, n);
  if (!json_is_object(next) && !json_is_array(next)) {
    next = list_below ? json_array() : json_object();
    if (json_object_setn_new(j, name, n, next)) return NULL;
  }
  return next;
}

hf_status inf_put(json_t *j, const char *path, json_t *value) {
  for (int depth = 0; j && depth < DEPTH_MAX_; depth++) {
    size_t n = strcspn(path, "."), index;
    if (path[n]) {
      size_t below = strcspn(path + n + 1, ".");
      j = step(j, path, n, number_of(path + n + 1, below, &index));
      path += n + 1;
      continue;
    }
    int bad;
    if (json_is_array(j)) {
      bad = !number_of(path, n, &index);
      if (!bad && !value)
        bad = json_array_remove(j, index), bad = 0;
      else if (!bad)
        bad = index < json_array_size(j) ? json_array_set_new(j, index, value) : json_array_append_new(j, value);
      else
        json_decref(value);
    } else if (value) {
      bad = json_object_setn_new(j, path, n, value);
    } else {
      bad = !json_is_object(j);
      json_object_del(j, path);
    }
    return bad ? HF_EINVAL : HF_OK;
  }
  json_decref(value);
  return HF_EINVAL;
}

static json_t *strip(const json_t *j, int depth) {
  const char *key;
  json_t *value, *out;
  size_t i;
  if (depth > 64) return NULL;
  if (json_is_object(j)) {
    out = json_object();
    json_object_foreach((json_t *)(uintptr_t)j, key, value) if (!json_is_null(value))
        json_object_set_new(out, key, strip(value, depth + 1));
    return out;
  }
  if (!json_is_array(j)) return json_incref((json_t *)(uintptr_t)j);
  out = json_array();
  json_array_foreach(j, i, value) json_array_append_new(out, strip(value, depth + 1));
  return out;
}

json_t *inf_without_nulls(const json_t *j) {
  return strip(j, 0);
}

/* Whether strip() would change it. */
static bool has_nulls(const json_t *j, int depth) {
  const char *key;
  json_t *value;
  size_t i;
  if (depth > 64) return true;
  json_object_foreach((json_t *)(uintptr_t)j, key,
                      value) if (json_is_null(value) || has_nulls(value, depth + 1)) return true;
  json_array_foreach(j, i, value) if (has_nulls(value, depth + 1)) return true;
  return false;
}

/* As it goes into a body: the same value where there is nothing to leave out. */
static json_t *put_in(const struct inf_body *b, const json_t *v) {
  return b->share && !has_nulls(v, 0) ? json_incref((json_t *)(uintptr_t)v) : inf_without_nulls(v);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static json_t *value(struct reader *r);

static json_t *wrong(struct reader *r, const char *what) {
  if (!r->why[0]) snprintf(r->why, 160, "%s near \"%.24s\"", what, r->at);
  return NULL;
}

static void blanks(struct reader *r) {
  while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n') r->at++;
}

static bool is(struct reader *r, char ch) {
  blanks(r);
  if (*r->at != ch) return false;
  r->at++;
  return true;
}

static size_t name_length(const char *s, bool dots) {
  size_t n = 0;
  while ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= '0' && s[n] <= '9') || s[n] == '_' ||
         (n && s[n] == '-') || (dots && n && s[n] == '.' && s[n + 1] != '.'))
    n++;
  return n;
}

static bool name(struct reader *r, char out[NAME_MAX_], bool dots) {
  size_t n = name_length(r->at, dots);
  if (!n || n >= NAME_MAX_) return false;
  memcpy(out, r->at, n);
  out[n] = 0;
  r->at += n;
  return true;
}

static void take(struct reader *r, const char *path) {
  size_t n = strcspn(path, ".");
  for (uint32_t i = 0; i < r->taken_count; i++)
    if (strlen(r->taken[i]) == n && !strncmp(r->taken[i], path, n)) return;
  if (r->taken_count == TAKEN_MAX) return;
  memcpy(r->taken[r->taken_count], path, n);
  r->taken[r->taken_count++][n] = 0;
}

static bool is_taken(const struct reader *r, const char *key) {
  for (uint32_t i = 0; i < r->taken_count; i++)
    if (!strcmp(r->taken[i], key)) return true;
  return false;
}

/* $.path: the argument, as it goes into a body; NULL: not there. */
static json_t *argument(struct reader *r, const char *path) {
  const json_t *found = inf_at(r->b->args, path);
  if (!found || json_is_null(found)) return NULL;
  take(r, path);
  if (r->dry) return json_null();
  json_t *made = r->b->argument && !strchr(path, '.') ? r->b->argument(r->b->arg, path, found) : NULL;
  if (made) return made;
  return r->b->keep_nulls ? json_incref((json_t *)(uintptr_t)found) : put_in(r->b, found);
}

/* Behind an argument: [other=text]. False: that is not so, or (with r->why) it cannot be read. */
static bool condition(struct reader *r) {
  char path[NAME_MAX_], want[NAME_MAX_];
  if (*r->at != '[') return true;
  r->at++;
  if (!name(r, path, true) || *r->at++ != '=' || !name(r, want, false) || *r->at++ != ']')
    return wrong(r, "a condition in brackets is broken"), false;
  const char *is = json_string_value(inf_at(r->b->args, path));
  return is && !strcmp(is, want);
}

static json_t *placeholder(struct reader *r) {
  char word[NAME_MAX_];
  bool of_call = *r->at == '.';
  if (of_call) r->at++;
  if (!name(r, word, of_call)) return wrong(r, "a name is missing behind $");
  json_t *found = NULL;
  if (of_call) {
    if (condition(r)) found = argument(r, word);
    if (r->why[0]) return NULL;
  } else {
    const char *text = r->b->word ? r->b->word(r->b->arg, word) : NULL;
    found = !text ? NULL : r->dry ? json_null() : json_string(text);
  }
  if (*r->at == '|') {
    r->at++;
    uint32_t missing = r->missing;
    json_t *instead = value(r);
    if (!found) return instead;
    r->missing = missing;
    json_decref(instead);
    return found;
  }
  if (!found) r->missing++;
  return found ? found : json_null();
}

/* 'text', with {name} filled in. */
static json_t *text(struct reader *r) {
  char out[512];
  size_t n = 0;
  while (*r->at && *r->at != '\'') {
    char path[NAME_MAX_], number[32];
    if (*r->at != '{') {
      if (n + 1 >= sizeof out) return wrong(r, "a text is too long");
      out[n++] = *r->at++;
      continue;
    }
    r->at++;
    if (!name(r, path, true) || *r->at++ != '}') return wrong(r, "a name in braces is broken");
    const json_t *found = inf_at(r->b->args, path);
    const char *s = json_string_value(found);
    if (json_is_integer(found))
      snprintf(number, sizeof number, "%lld", (long long)json_integer_value(found)), s = number;
    if (json_is_real(found)) snprintf(number, sizeof number, "%g", json_real_value(found)), s = number;
    if (!s) {
      r->missing++;
      continue;
    }
    take(r, path);
    size_t len = strlen(s);
    if (n + len >= sizeof out) return wrong(r, "a text is too long");
    memcpy(out + n, s, len);
    n += len;
  }
  if (*r->at != '\'') return wrong(r, "a text does not end");
  r->at++;
  return r->dry ? json_null() : json_stringn(out, n);
}

static void spread(struct reader *r, json_t *into) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)(uintptr_t)r->b->args, key,
                      v) if (!json_is_null(v) && !(r->first && is_taken(r->first, key)))
      json_object_set_new(into, key, put_in(r->b, v));
  json_object_foreach((json_t *)(uintptr_t)r->b->late, key, v) if (!json_is_null(v))
      json_object_set_new(into, key, put_in(r->b, v));
}

static bool member(struct reader *r, json_t *into) {
  char key[NAME_MAX_];
  blanks(r);
  if (!strncmp(r->at, "...", 3)) {
    r->at += 3;
    if (r->first) spread(r, into);
    return true;
  }
  if (is(r, '-')) {
    if (!name(r, key, false)) return wrong(r, "a name is missing behind -"), false;
    take(r, key);
    return true;
  }
  if (!name(r, key, false)) return wrong(r, "a name is missing"), false;
  bool optional = is(r, '?');
  if (!is(r, ':')) return wrong(r, "a colon is missing"), false;
  uint32_t missing = r->missing, taken = r->taken_count;
  json_t *v = value(r);
  if (!v) return false;
  if (optional && r->missing > missing) {
    r->missing = missing;
    r->taken_count = taken;
    json_decref(v);
    return true;
  }
  if (r->dry) return json_decref(v), true;
  return !json_object_set_new(into, key, v) || (wrong(r, "out of memory"), false);
}

static json_t *object(struct reader *r) {
  json_t *out = r->dry ? json_null() : json_object();
  for (bool more = !is(r, '}'); more;) {
    if (!member(r, out)) return json_decref(out), NULL;
    if (is(r, '}')) break;
    more = is(r, ',');
    if (!more) return json_decref(out), wrong(r, "a comma is missing");
  }
  return out;
}

static json_t *list(struct reader *r) {
  json_t *out = r->dry ? json_null() : json_array();
  for (bool more = !is(r, ']'); more;) {
    json_t *v = value(r);
    if (!v) return json_decref(out), NULL;
    if (r->dry)
      json_decref(v);
    else
      json_array_append_new(out, v);
    if (is(r, ']')) break;
    more = is(r, ',');
    if (!more) return json_decref(out), wrong(r, "a comma is missing");
  }
  return out;
}

static json_t *plain(struct reader *r) {
  static const struct {
    const char *word;
    json_t *(*make)(void);
  } words[] = {{"true", json_true}, {"false", json_false}, {"null", json_null}};
  for (size_t i = 0; i < HF_COUNT(words); i++)
    if (name_length(r->at, false) == strlen(words[i].word) && !strncmp(r->at, words[i].word, strlen(words[i].word))) {
      r->at += strlen(words[i].word);
      return words[i].make();
    }
  char *end;
  double d = strtod(r->at, &end);
  if (end == r->at) return wrong(r, "a value is missing");
  bool real = memchr(r->at, '.', (size_t)(end - r->at)) != NULL;
  r->at = end;
  return real ? json_real(d) : json_integer((json_int_t)d);
}

static json_t *value(struct reader *r) {
  json_t *out;
  if (r->depth == DEPTH_MAX_) return wrong(r, "it is nested too deep");
  r->depth++;
  if (is(r, '{'))
    out = object(r);
  else if (is(r, '['))
    out = list(r);
  else if (is(r, '\''))
    out = text(r);
  else if (is(r, '$'))
    out = placeholder(r);
  else
    out = plain(r);
  r->depth--;
  return out;
}

/* Without clearing the room for names. */
static void begin(struct reader *r, const char *template, const struct inf_body *b, char *why) {
  r->at = template;
  r->b = b;
  r->taken_count = r->missing = 0;
  r->first = NULL;
  r->dry = false;
  r->why = why;
  r->depth = 0;
}

json_t *inf_body_make(const char *template, const struct inf_body *b, char why[160]) {
  why[0] = 0;
  bool twice = strstr(template, "...") != NULL;
  struct reader first, second;
  begin(&first, template, b, why);
  first.dry = twice;
  json_t *out = value(&first);
  blanks(&first);
  if (out && *first.at) json_decref(out), out = wrong(&first, "something follows the end");
  if (!out || !twice) return out;
  json_decref(out);
  begin(&second, template, b, why);
  second.first = &first;
  return value(&second);
}
