/* Single configuration values: flags, whole numbers and sizes as people write them, paths with ~ and $VAR.
 * The rules are those of the reference client, so that one environment means the same to both.
 * Variables are not read in a program that runs with somebody else's rights. */
#include <ctype.h>
#include <pwd.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "config.h"

bool hf_value_flag(const char *text) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  for (size_t i = 0; text && i < HF_COUNT(yes); i++)
    if (strcasecmp(text, yes[i]) == 0) return true;
  return false;
}

static const char *skip_blank(const char *s) {
  return s + strspn(s, " \t\n\v\f\r");
}

/* Digits with single "_" between them; too large a number stays at the largest. */
static bool digits(const char **at, int64_t *out) {
  const char *s = *at;
  int64_t n = 0;
  if (!isdigit((unsigned char)*s)) return false;
  while (isdigit((unsigned char)*s)) {
    int digit = *s++ - '0';
    n = n > (INT64_MAX - digit) / 10 ? INT64_MAX : n * 10 + digit;
    if (*s == '_' && isdigit((unsigned char)s[1])) s++;
  }
  *at = s;
  *out = n;
  return true;
}

bool hf_value_int(const char *text, int64_t *out) {
  const char *s = skip_blank(text);
  bool negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if (!digits(&s, out) || *skip_blank(s)) return false;
  if (negative) *out = -*out;
  return true;
}

bool hf_value_size(const char *text, int64_t *out) {
  static const char letters[] = "KMGT";
  const char *s = skip_blank(text), *letter;
  if (!digits(&s, out)) return false;
  s = skip_blank(s);
  if (*s && (letter = strchr(letters, toupper((unsigned char)*s)))) {
    int64_t step = strcasecmp(s + 1, "B") == 0 ? 1000 : 1024;
    if (*++s == 'i' || *s == 'I') s++;
    for (const char *l = letters; l <= letter; l++) *out = *out > INT64_MAX / step ? INT64_MAX : *out * step;
  }
  if (*s == 'B' || *s == 'b') s++;
  return !*skip_blank(s);
}

/* Home of a user, of this one for "": HOME, else what the system says. */
static char *home_of(struct hf_arena *arena, const char *user, size_t len) {
  const char *home = len ? NULL : secure_getenv("HOME");
  if (home && *home) return hf_arena_dup(arena, home, SIZE_MAX);
  char name[64], room[4096];
  struct passwd entry, *found = NULL;
  if (len >= sizeof name) return NULL;
  memcpy(name, user, len);
  name[len] = 0;
  int failed = len ? getpwnam_r(name, &entry, room, sizeof room, &found)
                   : getpwuid_r(getuid(), &entry, room, sizeof room, &found);
  return failed || !found ? NULL : hf_arena_dup(arena, found->pw_dir, SIZE_MAX);
}

static void add_variable(struct hf_text_buf *t, const char *name, size_t len, const char *whole, size_t whole_len) {
  char copy[256];
  const char *value = NULL;
  if (len && len < sizeof copy) {
    memcpy(copy, name, len);
    copy[len] = 0;
    value = secure_getenv(copy);
  }
  hf_text_add(t, value ? value : whole, value ? SIZE_MAX : whole_len);
}

char *hf_value_path(struct hf_arena *arena, const char *text) {
  struct hf_text_buf t;
  hf_text_init(&t, 65536);
  if (*text == '~') {
    size_t user = strcspn(text + 1, "/");
    char *home = home_of(arena, text + 1, user);
    if (home) {
      size_t len = strlen(home);
      while (len && home[len - 1] == '/') len--;
      hf_text_add(&t, home, len ? len : text[1 + user] ? 0 : 1);
      text += 1 + user;
    }
  }
  while (*text) {
    size_t plain = strcspn(text, "$"), name = 0;
    hf_text_add(&t, text, plain);
    text += plain;
    if (!*text) break;
    if (text[1] == '{') {
      name = strcspn(text + 2, "}");
      if (text[2 + name] == '}') {
        add_variable(&t, text + 2, name, text, name + 3);
        text += name + 3;
        continue;
      }
      name = 0;
    } else {
      while (isalnum((unsigned char)text[1 + name]) || text[1 + name] == '_') name++;
    }
    add_variable(&t, text + 1, name, text, name + 1);
    text += name + 1;
  }
  char *out = t.failed ? NULL : hf_arena_dup(arena, t.data, t.len);
  hf_text_free(&t);
  return out;
}
