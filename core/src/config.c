/* Configuration: for every key the value that counts and where it came from. Option beats environment beats hf.conf beats
 * default. All is settled when the runtime is made and never changes after that, so reading takes no lock.
 * Keys that the table does not know (those of plugins, "NAME.KEY") are kept as they are and found by name. */
#include <stdio.h>
#include <stdlib.h>

#include "config.h"

struct extra { /* of an option, or of the file */
  struct extra *next;
  const char *key, *value, *origin;
  uint32_t row; /* hf_key_count: of a plugin */
  bool option;
};
struct hf_config {
  struct hf_arena *arena;
  struct hf_setting *values; /* by row */
  bool *option;              /* by row: set by an option */
  struct extra *extras;
  struct hf_text_buf complaints; /* one per line */
  const char *file;
  bool no_memory;
};

static const char *keep(struct hf_config *c, const char *text) {
  const char *copy = hf_arena_dup(c->arena, text, SIZE_MAX);
  if (!copy) c->no_memory = true;
  return copy ? copy : "";
}

static void complain(void *arg, const char *text) {
  struct hf_config *c = arg;
  if (c->complaints.len) hf_text_add(&c->complaints, "\n", 1);
  hf_text_add(&c->complaints, text, SIZE_MAX);
}

static void add_extra(struct hf_config *c, const char *key, const char *value, const char *origin, bool option) {
  struct extra *e = hf_arena_alloc(c->arena, sizeof *e);
  if (!e) {
    c->no_memory = true;
    return;
  }
  *e = (struct extra){.next = c->extras,
                      .key = keep(c, key),
                      .value = keep(c, value),
                      .origin = origin,
                      .row = hf_key_find(key),
                      .option = option};
  c->extras = e;
}

static const char *value_of(const struct hf_config *c, const char *key) {
  uint32_t i = hf_key_find(key);
  return i < hf_key_count ? c->values[i].value : NULL;
}

/* "{KEY}" and "{^KEY}" of a default. */
static const char *expand_keys(struct hf_config *c, const char *text) {
  struct hf_text_buf t;
  hf_text_init(&t, 65536);
  while (*text) {
    size_t plain = strcspn(text, "{"), len;
    hf_text_add(&t, text, plain);
    text += plain;
    if (!*text) break;
    bool folder = text[1] == '^';
    char key[64] = "";
    text += 1 + folder;
    len = strcspn(text, "}");
    if (len < sizeof key) memcpy(key, text, len);
    text += len + (text[len] == '}');
    const char *value = value_of(c, key);
    if (!value) continue;
    const char *slash = folder ? strrchr(value, '/') : NULL;
    hf_text_add(&t, value, slash ? (size_t)(slash - value) : SIZE_MAX);
  }
  const char *out = t.failed ? NULL : hf_arena_dup(c->arena, t.data, t.len);
  if (!out) c->no_memory = true;
  hf_text_free(&t);
  return out ? out : "";
}

/* A raw value as its kind wants it; NULL with the problem in words when it cannot be used, "" when it counts as unset. */
static const char *shape(struct hf_config *c, const struct hf_key_row *row, const char *raw, const char **problem) {
  char number[32];
  int64_t n = 0;
  *problem = NULL;
  switch (row->kind) {
    case HF_KEY_PATH: {
      char *path = hf_value_path(c->arena, raw);
      if (!path) c->no_memory = true;
      return path ? path : "";
    }
    case HF_KEY_INT:
    case HF_KEY_SIZE:
      if (!(row->kind == HF_KEY_INT ? hf_value_int(raw, &n) : hf_value_size(raw, &n))) {
        *problem = row->kind == HF_KEY_INT ? "a whole number" : "a size like 64M";
        return NULL;
      }
      if (n == 0 && row->flags & HF_KEY_ZERO_DEFAULT) return "";
      snprintf(number, sizeof number, "%lld", (long long)n);
      return keep(c, number);
    case HF_KEY_URL: {
      size_t len = strlen(raw);
      while (len && raw[len - 1] == '/') len--;
      const char *url = hf_arena_dup(c->arena, raw, len);
      if (!url) c->no_memory = true;
      return url ? url : "";
    }
    case HF_KEY_TOKEN: {
      struct hf_text_buf t;
      hf_text_init(&t, 65536);
      for (const char *s = raw; *s; s++)
        if (*s != '\r' && *s != '\n') hf_text_add(&t, s, 1);
      size_t from = strspn(t.data, " \t\v\f"), to = t.len;
      while (to > from && strchr(" \t\v\f", t.data[to - 1])) to--;
      const char *token = hf_arena_dup(c->arena, t.data + from, to - from);
      if (!token || t.failed) c->no_memory = true;
      explicit_bzero(t.data, t.len);
      hf_text_free(&t);
      return token ? token : "";
    }
    default: return keep(c, raw);
  }
}

struct found {
  const char *raw, *origin;
  bool option;
};

static struct found from_extras(const struct hf_config *c, uint32_t i, bool option) {
  for (const struct extra *e = c->extras; e; e = e->next)
    if (e->row == i && e->option == option) return (struct found){e->value, e->origin, option};
  return (struct found){0};
}

/* The strongest layer that sets row i. */
static struct found look(struct hf_config *c, const struct hf_key_row *row, uint32_t i) {
  struct found f = from_extras(c, i, true);
  if (f.raw) return f;
  const char *list = row->env ? row->env : row->key;
  while (*list) {
    char name[64], origin[96];
    size_t len = strcspn(list, ",");
    snprintf(name, sizeof name, "%.*s", (int)len, list);
    list += len + (list[len] == ',');
    const char *value = secure_getenv(name);
    if (!value || (!*value && !(row->flags & HF_KEY_EMPTY) && row->kind != HF_KEY_INT)) continue;
    if (f.raw && !(row->flags & HF_KEY_ANY && hf_value_flag(value))) continue;
    if (row->kind == HF_KEY_TOKEN && !value[strspn(value, " \t\r\n\v\f")]) continue;
    snprintf(origin, sizeof origin, "environment %s", name);
    f = (struct found){value, keep(c, origin), false};
    if (!(row->flags & HF_KEY_ANY) || hf_value_flag(value)) return f;
  }
  return f.raw ? f : from_extras(c, i, false);
}

static const char *default_of(struct hf_config *c, const struct hf_key_row *row) {
  for (const struct hf_kv *d = hf_builtin_defaults; d->key; d++)
    if (strcmp(d->key, row->key) == 0) return d->value;
  return row->deflt ? expand_keys(c, row->deflt) : NULL;
}

static hf_status settle(struct hf_config *c, uint32_t i, char *why, size_t why_len) {
  const struct hf_key_row *row = &hf_key_rows[i];
  const char *problem;
  struct found f = look(c, row, i);
  if (f.raw) {
    const char *value = shape(c, row, f.raw, &problem);
    if (!value) {
      snprintf(why, why_len, "%s must be %s, not \"%.60s\" (%s); change it.", row->key, problem, f.raw, f.origin);
      return HF_EINVAL;
    }
    if (*value || row->flags & HF_KEY_EMPTY) {
      c->values[i] = (struct hf_setting){value, f.origin, row->help};
      c->option[i] = f.option;
      return HF_OK;
    }
  }
  const char *raw = default_of(c, row);
  c->values[i] = (struct hf_setting){raw ? shape(c, row, raw, &problem) : NULL, "default", row->help};
  return HF_OK;
}

static void from_file(void *arg, const char *key, const char *value, unsigned line) {
  struct hf_config *c = arg;
  char origin[4200];
  snprintf(origin, sizeof origin, "%.4096s:%u", c->file, line);
  uint32_t i = hf_key_find(key);
  if (i == hf_key_count ? !strchr(key, '.') : hf_key_rows[i].flags & HF_KEY_NO_FILE) {
    char text[5000];
    snprintf(text, sizeof text, "%s: %.100s %s", origin, key,
             i == hf_key_count ? "is not a known key" : "cannot be set in this file");
    complain(c, text);
    return;
  }
  add_extra(c, key, value, keep(c, origin), false);
}

static void read_file(struct hf_config *c, const struct hf_runtime_opts *opts) {
  const char *home = value_of(c, "HF_HOME");
  if (!home || (opts && opts->flags & HF_RT_NO_CONFIG_FILE)) return;
  struct hf_text_buf path;
  hf_text_init(&path, 65536);
  hf_text_addf(&path, "%s/hf.conf", home);
  c->file = keep(c, path.data);
  if (path.failed) c->no_memory = true;
  hf_text_free(&path);
  hf_conf_read(c->file, &(struct hf_conf_reader){c, from_file, complain});
}

/* Staging mode replaces what the environment and the file say, after all else was made from that. */
static void stage(struct hf_config *c) {
  if (!hf_value_flag(value_of(c, "HUGGINGFACE_CO_STAGING"))) return;
  for (uint32_t i = 0; i < hf_key_count; i++) {
    const struct hf_key_row *row = &hf_key_rows[i];
    const char *problem;
    if (!row->staging || c->option[i]) continue;
    const char *value = shape(c, row, expand_keys(c, row->staging), &problem);
    if (!value || !*value) continue;
    c->values[i] = (struct hf_setting){value, c->values[hf_key_find("HUGGINGFACE_CO_STAGING")].origin, row->help};
  }
}

static void check_verbosity(struct hf_config *c) {
  const char *level = value_of(c, "HF_HUB_VERBOSITY");
  if (!level || hf_key_listed("debug,info,warning,error,critical", level)) return;
  char text[256];
  snprintf(text, sizeof text,
           "Unknown option HF_HUB_VERBOSITY=%.60s, has to be one of: debug, info, warning, error, critical", level);
  complain(c, text);
}

static hf_status fill(struct hf_config *c, const struct hf_runtime_opts *opts, char *why, size_t why_len) {
  c->values = hf_arena_alloc(c->arena, hf_key_count * sizeof *c->values);
  c->option = hf_arena_alloc(c->arena, hf_key_count * sizeof *c->option);
  if (!c->values || !c->option) return HF_ENOMEM;
  for (uint32_t k = 0; opts && opts->settings.stride && k < opts->settings.count; k++) {
    const struct hf_kv *kv = (const void *)((const char *)opts->settings.rows + (size_t)k * opts->settings.stride);
    if (kv->key && kv->value) add_extra(c, kv->key, kv->value, "option", true);
  }
  /* The rows up to HF_HOME say where the file is. */
  uint32_t i = 0, home = hf_key_find("HF_HOME");
  for (; i <= home; i++) TRY(settle(c, i, why, why_len));
  read_file(c, opts);
  for (; i < hf_key_count; i++) TRY(settle(c, i, why, why_len));
  stage(c);
  check_verbosity(c);
  return c->no_memory ? HF_ENOMEM : HF_OK;
}

hf_status hf_config_open(const struct hf_runtime_opts *opts, struct hf_config **out, char *why, size_t why_len) {
  *out = NULL;
  if (why_len) why[0] = 0;
  struct hf_config *c = hf_mem_alloc(sizeof *c);
  if (!c) return HF_ENOMEM;
  hf_text_init(&c->complaints, 16384);
  c->arena = hf_arena_new();
  hf_status st = c->arena ? fill(c, opts, why, why_len) : HF_ENOMEM;
  if (st != HF_OK) {
    if (st == HF_ENOMEM) snprintf(why, why_len, "Out of memory; close other programs.");
    hf_config_close(c);
    return st;
  }
  *out = c;
  return HF_OK;
}

void hf_config_close(struct hf_config *c) {
  if (!c) return;
  for (uint32_t i = 0; c->values && i < hf_key_count; i++) {
    if (!(hf_key_rows[i].flags & HF_KEY_SECRET) || !c->values[i].value) continue;
    union { /* ours to wipe: the arena's own copy */
      const char *read;
      char *write;
    } secret = {c->values[i].value};
    explicit_bzero(secret.write, strlen(secret.write));
  }
  hf_text_free(&c->complaints);
  hf_arena_free(c->arena);
  hf_mem_free(c);
}

const char *hf_config_complaints(const struct hf_config *c) {
  return c->complaints.data;
}

bool hf_config_secret(const char *key) {
  uint32_t i = hf_key_find(key);
  return i < hf_key_count && hf_key_rows[i].flags & HF_KEY_SECRET;
}

static const struct extra *extra_of(const struct hf_config *c, const char *key, bool option) {
  for (const struct extra *e = c->extras; e; e = e->next)
    if (e->option == option && strcmp(e->key, key) == 0) return e;
  return NULL;
}

static struct hf_setting setting_of(const struct hf_config *c, const char *key) {
  uint32_t i = hf_key_find(key);
  if (i < hf_key_count) return c->values[i];
  const struct extra *e = extra_of(c, key, true);
  if (!e) e = extra_of(c, key, false);
  return e ? (struct hf_setting){e->value, e->origin, NULL} : (struct hf_setting){NULL, "default", NULL};
}

const char *hf_config_get(hf_runtime *rt, const char *key) {
  return setting_of(rt->config, key).value;
}

const char *hf_config_open_get(hf_runtime *rt, const char *key) {
  uint32_t i = hf_key_find(key);
  if (i == hf_key_count) return setting_of(rt->config, key).value;
  return hf_key_rows[i].flags & HF_KEY_SECRET ? NULL : rt->config->values[i].value;
}

int hf_config_flag(hf_runtime *rt, const char *key) {
  return hf_value_flag(hf_config_get(rt, key));
}

int64_t hf_config_int(hf_runtime *rt, const char *key, int64_t deflt) {
  const char *value = hf_config_get(rt, key);
  int64_t n;
  return value && (hf_value_int(value, &n) || hf_value_size(value, &n)) ? n : deflt;
}

struct hf_setting hf_config_setting(hf_runtime *rt, const char *key) {
  struct hf_setting s = setting_of(rt->config, key);
  if (s.value && hf_config_secret(key)) s.value = "<set>";
  return s;
}

void hf_config_each(hf_runtime *rt, int (*fn)(void *, const char *key, struct hf_setting), void *arg) {
  for (uint32_t i = 0; i < hf_key_count; i++) {
    struct hf_setting s = hf_config_setting(rt, hf_key_rows[i].key);
    char *shown = s.value ? hf_mem_dup(s.value, SIZE_MAX) : NULL;
    if (shown) hf_text_redact(shown);
    if (s.value) s.value = shown ? shown : "<hidden>";
    int stop = fn(arg, hf_key_rows[i].key, s);
    hf_mem_free(shown);
    if (stop) return;
  }
}

const char *hf_config_module(hf_runtime *rt, const struct hf_module *m, const char *key) {
  char full[192];
  int len = snprintf(full, sizeof full, "%s.%s", m->name, key);
  bool fits = len > 0 && (size_t)len < sizeof full;
  const struct extra *e = fits ? extra_of(rt->config, full, true) : NULL;
  if (e) return e->value;
  const struct hf_param *row = NULL;
  for (uint32_t i = 0; m->config.stride && i < m->config.count && !row; i++) {
    const struct hf_param *p = (const void *)((const char *)m->config.rows + (size_t)i * m->config.stride);
    if (p->name && strcmp(p->name, key) == 0) row = p;
  }
  const char *value = row && row->env ? secure_getenv(row->env) : NULL;
  if (value && *value) return value;
  e = fits ? extra_of(rt->config, full, false) : NULL;
  if (e) return e->value;
  return row && row->deflt && row->deflt[0] != '(' ? row->deflt : NULL; /* in parentheses: for people only */
}
