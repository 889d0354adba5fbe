/* rewrite.c - HF_URL_REWRITE: where a logical URL really leads. Rules "https://a/=http://b/;...": the longest prefix wins,
 * applied once, at connect time; what comes back from under a target prefix is mapped to the logical URL first.
 * A rule splits at the first '=' before a scheme; "%3B" spells ';'; '!' before the target consents to send credentials
 * over plain http. A prefix ends at a border of the URL, so that https://a never matches https://a.example. "https://" alone
 * stands for every host: https://=http://b/ leads https://a/x to http://b/a/x. */
#include <ctype.h>

#include "url.h"

#define RULES_MAX 256u

struct rule {
  char *from, *to, *to_bare; /* normal form; bare: without user name, as servers write it */
  size_t from_len, to_len, bare_len;
  bool consent;
};
struct rewrite_rules {
  uint32_t count;
  struct rule rules[RULES_MAX];
};

/* One side of a rule in its normal form, in memory of its own; `bare`: without user name. */
static char *normal_prefix(const char *text, size_t len, bool bare, const char **why) {
  struct url_pieces u;
  struct hf_text_buf raw, b;
  char *out = NULL;
  hf_text_init(&raw, URL_MAX);
  hf_text_init(&b, URL_MAX);
  for (size_t i = 0; i < len; i++) {
    bool semicolon = len - i >= 3 && text[i] == '%' && text[i + 1] == '3' && (text[i + 2] == 'B' || text[i + 2] == 'b');
    hf_text_add(&raw, semicolon ? ";" : text + i, 1);
    if (semicolon) i += 2;
  }
  if (raw.failed || url_split(raw.data, &u) != NULL) {
    *why = "a side of a rule is not an http or https URL";
  } else {
    if (bare) u.has_user = false;
    url_add_normal(&b, &u);
    out = b.failed ? NULL : hf_mem_dup(b.data, b.len);
    if (out == NULL) *why = "out of memory";
  }
  hf_text_free(&b);
  hf_text_free(&raw);
  return out;
}

static bool is_scheme(const char *text, size_t len) {
  return (len >= 7 && strncmp(text, "http://", 7) == 0) || (len >= 8 && strncmp(text, "https://", 8) == 0);
}

static bool read_rule(struct rewrite_rules *r, const char *text, size_t len, const char **why) {
  if (r->count == RULES_MAX) return *why = "there are more than 256 rules", false;
  size_t eq = 0, to = 0;
  for (; eq < len; eq++) {
    to = eq + 1 + (eq + 1 < len && text[eq + 1] == '!');
    if (text[eq] == '=' && to <= len && is_scheme(text + to, len - to)) break;
  }
  if (eq == len) return *why = "a rule is not of the form https://from/=http://to/", false;
  struct rule *rule = &r->rules[r->count];
  bool any_host = eq > 3 && strncmp(text + eq - 3, "://", 3) == 0 && is_scheme(text, eq);
  rule->from = any_host ? hf_mem_dup(text, eq) : normal_prefix(text, eq, false, why);
  rule->to = rule->from != NULL ? normal_prefix(text + to, len - to, false, why) : NULL;
  rule->to_bare = rule->to != NULL ? normal_prefix(text + to, len - to, true, why) : NULL;
  r->count++;
  if (rule->to_bare == NULL) return false;
  rule->consent = text[eq + 1] == '!';
  rule->from_len = strlen(rule->from);
  rule->to_len = strlen(rule->to);
  rule->bare_len = strlen(rule->to_bare);
  return true;
}

struct rewrite_rules *rewrite_rules_read(const char *text, const char **why) {
  struct rewrite_rules *r = hf_mem_alloc(sizeof(*r));
  *why = "out of memory";
  for (const char *p = text != NULL ? text : ""; r != NULL && *p != '\0';) {
    size_t n = strcspn(p, ";\n"), skip = n + (p[n] != '\0');
    const char *a = p;
    while (n > 0 && isspace((unsigned char)a[0])) a++, n--;
    while (n > 0 && isspace((unsigned char)a[n - 1])) n--;
    if (n > 0 && !read_rule(r, a, n, why)) {
      rewrite_rules_free(r);
      return NULL;
    }
    p += skip;
  }
  return r;
}

void rewrite_rules_free(struct rewrite_rules *r) {
  if (r == NULL) return;
  for (uint32_t i = 0; i < r->count; i++) {
    hf_mem_free(r->rules[i].from);
    hf_mem_free(r->rules[i].to);
    hf_mem_free(r->rules[i].to_bare);
  }
  hf_mem_free(r);
}

static bool under(const char *url, const char *prefix, size_t len) {
  if (strncmp(url, prefix, len) != 0) return false;
  return prefix[len - 1] == '/' || url[len] == '\0' || strchr("/?", url[len]) != NULL;
}

/* Exactly one slash where the new prefix and the rest meet. */
static const char *join(hf_call *call, const char *prefix, size_t len, bool other_slash, const char *rest) {
  struct hf_text_buf b;
  hf_text_init(&b, URL_MAX);
  bool slash = prefix[len - 1] == '/';
  if (slash && !other_slash && rest[0] == '/') rest++;
  hf_text_add(&b, prefix, len);
  if (!slash && other_slash) hf_text_add(&b, "/", 1);
  hf_text_add(&b, rest, SIZE_MAX);
  const char *out = b.failed ? NULL : hf_call_intern(call, b.data, b.len);
  if (b.failed) hf_call_failf(call, HF_EINVAL, "A rewritten URL is too long; shorten the rule in HF_URL_REWRITE.");
  hf_text_free(&b);
  return out;
}

/* The URL itself where no rule could match, else its normal form. */
static const char *normal_url(hf_call *call, const struct rewrite_rules *r, const char *url) {
  struct url_pieces u;
  struct hf_url parsed; /* for its words about what is wrong */
  if (url_split(url, &u) != NULL) return hf_url_parse(call, url, &parsed), NULL;
  return r->count == 0 ? url : url_normal(call, &u);
}

static const struct rule *rule_from(const struct rewrite_rules *r, const char *logical) {
  const struct rule *best = NULL;
  for (uint32_t i = 0; i < r->count; i++) {
    const struct rule *at = &r->rules[i];
    if (under(logical, at->from, at->from_len) && (best == NULL || at->from_len > best->from_len)) best = at;
  }
  return best;
}

static const struct rule *rule_to(const struct rewrite_rules *r, const char *physical) {
  const struct rule *best = NULL;
  for (uint32_t i = 0; i < r->count; i++) {
    const struct rule *at = &r->rules[i];
    if (under(physical, at->to_bare, at->bare_len) && (best == NULL || at->bare_len > best->bare_len)) best = at;
  }
  return best;
}

const char *hf_url_rewrite(hf_call *call, const char *logical, bool *consent) {
  const struct rewrite_rules *r = netstack_rules(call);
  const char *url = r != NULL ? normal_url(call, r, logical) : NULL;
  *consent = false;
  if (url == NULL || r->count == 0) return url;
  const struct rule *rule = rule_from(r, url);
  if (rule == NULL) return url;
  *consent = rule->consent;
  return join(call, rule->to, rule->to_len, rule->from[rule->from_len - 1] == '/', url + rule->from_len);
}

const char *rewrite_back(hf_call *call, const char *asked, const char *physical) {
  const struct rewrite_rules *r = netstack_rules(call);
  const char *url = r != NULL ? normal_url(call, r, physical) : NULL;
  if (url == NULL || r->count == 0) return url;
  const char *from = asked != NULL ? normal_url(call, r, asked) : NULL;
  const struct rule *rule = from != NULL ? rule_from(r, from) : NULL;
  if (rule == NULL || !under(url, rule->to_bare, rule->bare_len)) rule = rule_to(r, url);
  if (rule == NULL) return url;
  return join(call, rule->from, rule->from_len, rule->to_bare[rule->bare_len - 1] == '/', url + rule->bare_len);
}

const char *hf_url_unrewrite(hf_call *call, const char *physical) {
  return rewrite_back(call, NULL, physical);
}
