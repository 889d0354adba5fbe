/* tokens.c - the files that keep tokens: `token`, the active one, and `stored_tokens`, all of them by name.
 * The second is INI as Python's configparser reads and writes it (strict, "=" or ":", continuation lines, no
 * interpolation), and comes out byte for byte as Python would write it. Files are replaced, never changed in place. */
#include "auth.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TOKENS_MAX (1u << 20) /* bytes of stored_tokens */
#define LOCK_MS    30000

const char *hf_token_path(hf_call *c) {
  const char *path = hf_hub_setting(c, "HF_TOKEN_PATH");
  if (path) return hf_hub_path(c, path);
  const char *home = hf_hub_home(c);
  return home ? hf_hub_text(c, "%s/token", home) : NULL;
}

static const char *folder_of(hf_call *c, const char *path) {
  const char *slash = strrchr(path, '/');
  return !slash || slash == path ? "/" : hf_host()->intern(c, path, (size_t)(slash - path));
}

const char *hf_tokens_path(hf_call *c) {
  const char *token = hf_token_path(c), *folder = token ? folder_of(c, token) : NULL;
  return folder ? hf_hub_text(c, "%s/stored_tokens", folder) : NULL;
}

/* ---- reading INI -------------------------------------------------------------------------------------------------------- */

static bool space(char c) { /* as str.strip() of Python takes it, ASCII only */
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1c && c <= 0x1f);
}

struct slice {
  const char *at;
  size_t len;
};

static struct slice strip(struct slice s) {
  while (s.len && space(s.at[s.len - 1])) s.len--;
  while (s.len && space(*s.at)) s.at++, s.len--;
  return s;
}

struct ini {
  json_t *all, *defaults, *section; /* section: borrowed, NULL before the first */
  char *key, *value;                /* the option being read */
  size_t value_len, value_room, indent;
  bool in_defaults, failed;
};

static void value_add(struct ini *r, struct slice s, bool newline) {
  size_t need = r->value_len + newline + s.len + 1;
  if (need > r->value_room) {
    char *grown = realloc(r->value, need * 2);
    if (!grown) {
      r->failed = true;
      return;
    }
    r->value = grown;
    r->value_room = need * 2;
  }
  if (newline) r->value[r->value_len++] = '\n';
  if (s.len) memcpy(r->value + r->value_len, s.at, s.len);
  r->value_len += s.len;
}

static void option_end(struct ini *r) {
  if (!r->key) return;
  while (r->value_len && space(r->value[r->value_len - 1])) r->value_len--;
  if (json_object_set_new(r->section, r->key, json_stringn(r->value ? r->value : "", r->value_len))) r->failed = true;
  free(r->key);
  r->key = NULL;
  r->value_len = 0;
}

static void section_begin(struct ini *r, struct slice name) {
  option_end(r);
  char *copy = strndup(name.at, name.len);
  r->in_defaults = copy && !strcmp(copy, "DEFAULT");
  if (!copy || strlen(copy) != name.len || (!r->in_defaults && json_object_get(r->all, copy))) {
    r->failed = true;
  } else if (r->in_defaults) {
    r->section = r->defaults;
  } else {
    json_t *made = json_object();
    r->failed |= !made || json_object_set_new(r->all, copy, made);
    r->section = r->failed ? NULL : made;
  }
  free(copy);
}

static void option_begin(struct ini *r, struct slice line) {
  size_t n = 0;
  while (n < line.len && line.at[n] != '=' && line.at[n] != ':') n++;
  struct slice key = strip((struct slice){line.at, n});
  option_end(r);
  if (n == line.len || !key.len || memchr(key.at, 0, key.len)) {
    r->failed = true;
    return;
  }
  r->key = strndup(key.at, key.len);
  for (char *s = r->key; s && *s; s++)
    if (*s >= 'A' && *s <= 'Z') *s = (char)(*s + 32);
  r->failed |= !r->key || json_object_get(r->section, r->key);
  value_add(r, strip((struct slice){line.at + n + 1, line.len - n - 1}), false);
}

static void line_read(struct ini *r, struct slice line) {
  struct slice text = strip(line);
  size_t indent = 0;
  if (!text.len) {
    if (r->key) value_add(r, text, true);
    return;
  }
  if (*text.at == '#' || *text.at == ';') return;
  while (indent < line.len && space(line.at[indent])) indent++;
  if (r->key && indent > r->indent) {
    value_add(r, text, true);
    return;
  }
  r->indent = indent;
  const char *close = text.len > 2 && *text.at == '[' ? memrchr(text.at, ']', text.len) : NULL;
  if (close && close > text.at + 1)
    section_begin(r, (struct slice){text.at + 1, (size_t)(close - text.at - 1)});
  else if (!r->section)
    r->failed = true; /* something before the first section */
  else
    option_begin(r, text);
}

/* Every section shows the defaults that it does not set itself. */
static bool defaults_add(json_t *all, json_t *defaults) {
  const char *name;
  json_t *section;
  if (!json_object_size(defaults)) return true;
  json_object_foreach(all, name, section) {
    json_t *whole = json_copy(defaults);
    if (!whole || json_object_update(whole, section) || json_object_clear(section) ||
        json_object_update(section, whole)) {
      json_decref(whole);
      return false;
    }
    json_decref(whole);
  }
  return true;
}

json_t *hf_tokens_parse(const char *text, size_t len, size_t *line) {
  struct ini r = {.all = json_object(), .defaults = json_object()};
  r.failed = !r.all || !r.defaults || len > TOKENS_MAX;
  *line = 0;
  for (size_t at = 0; at < len && !r.failed;) {
    size_t n = 0;
    while (at + n < len && text[at + n] != '\n' && text[at + n] != '\r') n++;
    ++*line;
    line_read(&r, (struct slice){text + at, n});
    at += n;
    if (at + 1 < len && text[at] == '\r' && text[at + 1] == '\n') at++;
    at++;
  }
  option_end(&r);
  if (!r.failed) r.failed = !defaults_add(r.all, r.defaults);
  free(r.key);
  if (r.value) explicit_bzero(r.value, r.value_room);
  free(r.value);
  json_decref(r.defaults);
  if (!r.failed) return r.all;
  json_decref(r.all);
  return NULL;
}

/* ---- writing INI -------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void section_print(FILE *f, const char *name, const json_t *section) {
  const char *key;
  json_t *value;
  fprintf(f, "[%s]\n", name);
  json_object_foreach((json_t *)(uintptr_t)section, key, value) {
    fprintf(f, "%s = ", key);
    for (const char *s = json_string_value(value); s && *s; s++) {
      fputc(*s, f);
      if (*s == '\n') fputc('\t', f);
    }
    fputc('\n', f);
  }
  fputc('\n', f);
}

char *hf_tokens_print(const json_t *all, size_t *len) {
  size_t count = json_object_size(all), n = 0;
  const char **names = calloc(count + 1, sizeof *names), *name;
  json_t *section;
  char *text = NULL;
  FILE *f = names ? open_memstream(&text, len) : NULL;
  if (f) {
    json_object_foreach((json_t *)(uintptr_t)all, name, section) names[n++] = name;
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) section_print(f, names[i], json_object_get(all, names[i]));
    if (ferror(f) | fclose(f)) free(text), text = NULL;
  }
  free(names);
  return text;
}

const char *hf_tokens_name(hf_call *c, const char *name) {
  char *copy = (char *)(uintptr_t)hf_host()->intern(c, name, SIZE_MAX);
  for (char *s = copy; s && *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = ' ';
  return copy;
}

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

static hf_status failed(hf_call *c, const char *what, const char *path) {
  int err = errno;
  struct hf_error e = {.struct_size = sizeof e,
                       .code = err == ENOSPC || err == EDQUOT  ? HF_ENOSPACE
                               : err == EACCES || err == EPERM ? HF_EPERM
                                                               : HF_EIO,
                       .cls = "OSError",
                       .sys_errno = err,
                       .message = hf_hub_text(c, "%s %s failed: %s.", what, path, strerror(err))};
  return hf_host()->fail(c, &e);
}

/* The last folder is made for its owner alone, the ones above as usual. */
static hf_status folder_make(hf_call *c, const char *folder) {
  struct stat st;
  if (!stat(folder, &st)) return HF_OK;
  const char *parent = folder_of(c, folder);
  if (!parent) return HF_ENOMEM;
  for (size_t n = 1; parent[n - 1]; n++) {
    if (parent[n] && parent[n] != '/') continue;
    const char *part = hf_host()->intern(c, parent, n);
    if (!part) return HF_ENOMEM;
    if (mkdir(part, 0777) && errno != EEXIST) return failed(c, "Making the folder", part);
  }
  return mkdir(folder, 0700) && errno != EEXIST ? failed(c, "Making the folder", folder) : HF_OK;
}

/* Only for its owner, but never a folder that is meant for everybody, such as /tmp. */
static void folder_close(const char *folder) {
  struct stat st;
  if (!stat(folder, &st) && st.st_uid == geteuid() && !(st.st_mode & S_ISVTX) && (st.st_mode & 07777) != 0700 &&
      chmod(folder, 0700))
    return; /* best effort, as with any folder that is not ours */
}

static bool write_all(int fd, const char *text, size_t len) {
  while (len) {
    ssize_t n = write(fd, text, len);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text += n, len -= (size_t)n;
  }
  return true;
}

hf_status hf_secret_write(hf_call *c, const char *path, const char *text, size_t len) {
  char real[4096];
  struct stat st;
  if (!lstat(path, &st) && S_ISLNK(st.st_mode) && realpath(path, real)) path = real; /* the file behind a link */
  const char *folder = folder_of(c, path), *beside = hf_hub_place_beside(c, path);
  if (!folder || !beside) return HF_ENOMEM;
  TRY(folder_make(c, folder));
  char *temp = (char *)(uintptr_t)hf_hub_text(c, "%s.XXXXXX", beside);
  int fd = temp ? mkostemp(temp, O_CLOEXEC) : -1;
  if (!temp) return HF_ENOMEM;
  if (fd < 0) return failed(c, "Writing", path);
  bool ok = !fchmod(fd, 0600) && write_all(fd, text, len) && !fsync(fd);
  int err = errno;
  if (close(fd) && ok) ok = false, err = errno;
  if (ok && (err = hf_hub_place(temp, path)) != 0) ok = false;
  if (!ok) {
    unlink(temp);
    errno = err;
    return failed(c, "Writing", path);
  }
  if (beside == path) folder_close(folder); /* not that of a device */
  int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir >= 0) {
    if (fsync(dir)) hf_host()->log(c, HF_LOG_DEBUG, "The folder %s could not be flushed: %s.", folder, strerror(errno));
    close(dir);
  }
  return HF_OK;
}

hf_status hf_secret_remove(hf_call *c, const char *path) {
  return unlink(path) && errno != ENOENT ? failed(c, "Deleting", path) : HF_OK;
}

/* ---- the store -------------------------------------------------------------------------------------------------------------- */

/* Not there: *text NULL. */
static hf_status read_all(hf_call *c, const char *path, char **text, size_t *len) {
  *text = NULL;
  *len = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? HF_OK : failed(c, "Reading", path);
  *text = malloc(TOKENS_MAX + 1);
  ssize_t got = *text ? 1 : 0;
  while (got > 0 && *len <= TOKENS_MAX) {
    got = read(fd, *text + *len, TOKENS_MAX + 1 - *len);
    if (got > 0) *len += (size_t)got;
    if (got < 0 && errno == EINTR) got = 1;
  }
  hf_status st = !*text ? HF_ENOMEM : got < 0 ? failed(c, "Reading", path) : HF_OK;
  close(fd);
  if (st == HF_OK) return st;
  free(*text);
  *text = NULL;
  return st;
}

/* What cannot be read counts as empty, as with the reference. */
static hf_status load(struct hf_hub *hub, const char *path, json_t **all, bool *damaged) {
  hf_call *c = hub->call;
  char *text;
  size_t len, line = 0;
  *all = NULL;
  if (!path) return HF_ENOMEM;
  TRY(read_all(c, path, &text, &len));
  *all = text ? hf_tokens_parse(text, len, &line) : json_object();
  if (text) explicit_bzero(text, len);
  free(text);
  *damaged = !*all;
  if (!*all) {
    hf_hub_log(hub, HF_LOG_ERROR, "Error parsing stored tokens file: %s is damaged at line %zu.", path, line);
    *all = json_object();
  }
  return *all ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
}

hf_status hf_secrets_load(struct hf_hub *hub, const char *path, json_t **all) {
  bool damaged;
  return load(hub, path, all, &damaged);
}

hf_status hf_tokens_load(struct hf_hub *hub, json_t **all) {
  return hf_secrets_load(hub, hf_tokens_path(hub->call), all);
}

/* Waits for the lock as long as Python's client would. A file system without locks has none to wait for. */
static hf_status lock_take(hf_call *c, int fd, const char *path) {
  for (int waited = 0; flock(fd, LOCK_EX | LOCK_NB); waited += 20) {
    if (errno != EWOULDBLOCK && errno != EINTR) return HF_OK;
    TRY(hf_host()->check(c));
    if (waited >= LOCK_MS)
      return hf_hub_fail(c, HF_ETIMEDOUT, "Timeout", "The lock '%s' is held by another process; try again later.",
                         path);
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
  return HF_OK;
}

/* A login writes over a damaged file; what was in it stays beside it, for whoever can mend it. */
static hf_status keep_damaged(struct hf_hub *hub, const char *path) {
  hf_call *c = hub->call;
  char *text;
  size_t len;
  const char *copy = hf_hub_text(c, "%s.damaged", path);
  for (unsigned n = 2; copy && n < 100 && !access(copy, F_OK); n++) copy = hf_hub_text(c, "%s.damaged-%u", path, n);
  if (!copy) return HF_ENOMEM;
  TRY(read_all(c, path, &text, &len));
  if (!text) return HF_OK;
  hf_status st = hf_secret_write(c, copy, text, len);
  explicit_bzero(text, len);
  free(text);
  if (st == HF_OK)
    hf_hub_log(hub, HF_LOG_WARNING, "The damaged file is kept as %s; copy the tokens that you still need out of it.",
               copy);
  return st;
}

static hf_status change(struct hf_hub *hub, const char *path, hf_status (*fn)(struct hf_hub *, void *, json_t *),
                        void *arg) {
  hf_call *c = hub->call;
  json_t *all;
  bool damaged;
  TRY(load(hub, path, &all, &damaged));
  hf_status st = fn(hub, arg, all);
  if (st == HF_OK && damaged) st = keep_damaged(hub, path);
  size_t len = 0;
  char *text = st == HF_OK ? hf_tokens_print(all, &len) : NULL;
  json_decref(all);
  if (st != HF_OK) return st == HF_PENDING ? HF_OK : st;
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  st = hf_secret_write(c, path, text, len);
  explicit_bzero(text, len);
  free(text);
  return st;
}

hf_status hf_secrets_change(struct hf_hub *hub, const char *path, bool shared,
                            hf_status (*fn)(struct hf_hub *, void *, json_t *), void *arg) {
  hf_call *c = hub->call;
  const char *folder = path ? folder_of(c, path) : NULL, *name = path ? hf_hub_text(c, "%s.lock", path) : NULL;
  if (!folder || !name) return HF_ENOMEM;
  TRY(folder_make(c, folder));
  /* Ours lock the folder; the file is there only once some client has refreshed a token, and is respected then. */
  int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
      file = open(name, O_RDWR | O_CLOEXEC | (shared ? O_CREAT : 0), 0644);
  hf_status st = dir >= 0 ? lock_take(c, dir, folder) : HF_OK;
  if (st == HF_OK && file >= 0) st = lock_take(c, file, name);
  if (st == HF_OK) st = change(hub, path, fn, arg);
  if (file >= 0) close(file);
  if (dir >= 0) close(dir);
  return st;
}

hf_status hf_tokens_change(struct hf_hub *hub, bool shared, hf_status (*fn)(struct hf_hub *, void *, json_t *),
                           void *arg) {
  return hf_secrets_change(hub, hf_tokens_path(hub->call), shared, fn, arg);
}
