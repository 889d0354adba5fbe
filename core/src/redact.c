/* Takes secrets out of a text that people will read: tokens, authorizations, cookies, signed URLs, passwords in URLs.
 * Works in place and never makes the text longer; what stands around a secret stays, so a message still says what it said.
 * Rather too much than too little: a value behind one of these words goes, and so does a credential that was sent. */
#include <ctype.h>

#include "core.h"

/* Words whose value is a secret. PAIR: behind "=" or a quoted name and ":"; NAME: behind a bare ":" too; LINE: likewise,
 * and the value is the rest of the line. */
enum how { PAIR, NAME, LINE };
static const struct {
  const char *word;
  enum how how;
} words[] = {{"authorization", LINE},
             {"proxy-authorization", LINE},
             {"cookie", LINE},
             {"set-cookie", LINE},
             {"x-xet-access-token", NAME},
             {"x-amz-security-token", NAME},
             {"x-api-key", NAME},
             {"x-key", NAME},
             {"api_key", NAME},
             {"api-key", NAME},
             {"apikey", NAME},
             {"access_token", NAME},
             {"access-token", NAME},
             {"accesstoken", NAME},
             {"refresh_token", NAME},
             {"id_token", NAME},
             {"client_secret", NAME},
             {"password", NAME},
             {"x-amz-signature", PAIR},
             {"x-amz-credential", PAIR},
             {"signature", PAIR},
             {"sig", PAIR},
             {"policy", PAIR},
             {"key", PAIR},
             {"token", PAIR},
             {"secret", PAIR},
             {"hf_token", NAME},
             {"hugging_face_hub_token", NAME}};
static const char *const schemes[] = {"bearer", "basic", "token"};
/* Starts of tokens; at least that many token characters must follow, so that hf_transfer stays readable. */
static const struct {
  const char *start;
  size_t least;
} starts[] = {{"hf_oauth_", 4}, {"hf_jwt_", 4}, {"hf_app_", 4}, {"api_org_", 4}, {"hf_", 10}};

/* Credentials that requests carried: they go wherever a server echoes them, whatever they look like. Of a longer one the
 * beginning is kept; what follows it up to the end of the value goes too. */
enum { CARRIED = 16, CARRIED_LEAST = 8, CARRIED_ROOM = 256 };
static struct {
  pthread_mutex_t lock;
  uint32_t count, next;
  char text[CARRIED][CARRIED_ROOM];
} carried = {.lock = PTHREAD_MUTEX_INITIALIZER};

void hf_secret_carried(const char *value) {
  const char *space = strrchr(value, ' '); /* "Bearer ..." */
  if (space) value = space + 1;
  size_t n = strlen(value);
  if (n < CARRIED_LEAST) return;
  if (n >= CARRIED_ROOM) n = CARRIED_ROOM - 1;
  pthread_mutex_lock(&carried.lock);
  bool known = false;
  for (uint32_t i = 0; i < carried.count && !known; i++)
    known = !strncmp(carried.text[i], value, n) && !carried.text[i][n];
  if (!known) {
    char *to = carried.text[carried.next++ % CARRIED];
    memcpy(to, value, n);
    to[n] = 0;
    if (carried.count < CARRIED) carried.count++;
  }
  pthread_mutex_unlock(&carried.lock);
}

static bool word_char(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool starts_with(const char *s, const char *prefix) {
  return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

/* Length of the value at s: up to white space, a quote or what separates values; for a whole line up to its end. */
static size_t value_length(const char *s, bool line) {
  return strcspn(s, line ? "\r\n\"'" : " \t\r\n\"'<>&;,)}]");
}

struct edit {
  const char *from; /* next to read */
  char *to;         /* next to write, never ahead of from */
};

static void keep(struct edit *e, size_t n) {
  memmove(e->to, e->from, n);
  e->to += n;
  e->from += n;
}

static void hide(struct edit *e, size_t n) {
  size_t stars = n < 3 ? n : 3;
  memset(e->to, '*', stars);
  e->to += stars;
  e->from += n;
}

/* With the lock held. */
static bool carried_value(struct edit *e) {
  for (uint32_t i = 0; i < carried.count; i++) {
    const char *secret = carried.text[i];
    if (*e->from != *secret) continue;
    size_t n = strlen(secret);
    if (strncmp(e->from, secret, n) != 0) continue;
    hide(e, n + (n == CARRIED_ROOM - 1 ? value_length(e->from + n, false) : 0));
    return true;
  }
  return false;
}

static bool token(struct edit *e) {
  for (size_t i = 0; i < HF_COUNT(starts); i++) {
    size_t start = strlen(starts[i].start), n = 0;
    if (strncmp(e->from, starts[i].start, start) != 0) continue;
    const char *s = e->from + start;
    while (isalnum((unsigned char)s[n]) || (i + 1 < HF_COUNT(starts) && s[n] && strchr("._-", s[n]))) n++;
    if (n < starts[i].least) continue;
    keep(e, 3);
    hide(e, start - 3 + n);
    return true;
  }
  return false;
}

static bool scheme(struct edit *e) {
  for (size_t i = 0; i < HF_COUNT(schemes); i++) {
    size_t n = strlen(schemes[i]), space = 0;
    if (!starts_with(e->from, schemes[i])) continue;
    while (e->from[n + space] == ' ') space++;
    size_t value = space ? value_length(e->from + n + space, false) : 0;
    /* "Token file" is prose; what follows the other two names is a credential whenever it is long enough */
    if (value < (i == 0 ? 1 : 16)) continue;
    keep(e, n + space);
    hide(e, value);
    return true;
  }
  return false;
}

static bool named(struct edit *e) {
  for (size_t i = 0; i < HF_COUNT(words); i++) {
    size_t n = strlen(words[i].word);
    if (!starts_with(e->from, words[i].word) || word_char(e->from[n])) continue;
    const char *s = e->from;
    bool quoted = s[n] == '"' || s[n] == '\'';
    if (quoted) n++;
    if (words[i].how != PAIR || quoted) n += strspn(s + n, " ");
    if (s[n] != '=' && (s[n] != ':' || (words[i].how == PAIR && !quoted))) continue;
    n++;
    if (words[i].how != PAIR || quoted) n += strspn(s + n, " ");
    if (s[n] == '"' || s[n] == '\'') n++;
    size_t value = value_length(s + n, words[i].how == LINE);
    if (!value) continue;
    keep(e, n);
    hide(e, value);
    return true;
  }
  return false;
}

/* At "://": user and password up to the last "@" before the path. */
static bool userinfo(struct edit *e) {
  if (strncmp(e->from, "://", 3) != 0) return false;
  size_t authority = strcspn(e->from + 3, "/?# \t\r\n\"'<>"), at = 0;
  for (size_t i = 0; i < authority; i++)
    if (e->from[3 + i] == '@') at = i;
  if (!at) return false;
  keep(e, 3);
  hide(e, at);
  return true;
}

void hf_text_redact(char *text) {
  struct edit e = {text, text};
  char before = 0;
  pthread_mutex_lock(&carried.lock);
  while (*e.from) {
    if (carried_value(&e) || userinfo(&e) || (!word_char(before) && (token(&e) || scheme(&e) || named(&e)))) {
      before = '*';
      continue;
    }
    before = *e.from;
    keep(&e, 1);
  }
  pthread_mutex_unlock(&carried.lock);
  *e.to = 0;
}
