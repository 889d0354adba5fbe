/* url.h - what url.c, rewrite.c and http.c share: a URL in pieces that point into the text, and its normal form.
 * Everything here is bounded by URL_MAX and refuses what a careful reader would have to guess about: control characters,
 * spaces, back slashes before the path, two at-signs, zone ids, ports out of range. */
#ifndef HF_URL_H
#define HF_URL_H
#include "core.h"

#define URL_MAX ((size_t)16384)

struct span {
  const char *p;
  size_t n;
};
struct url_pieces {
  bool https, has_user, v6;
  uint16_t port;
  struct span user, host; /* host without brackets */
  struct span path;       /* with query, without fragment; empty or with a leading '/' or '?' */
};
/* NULL, or what is wrong with the text, as the end of a sentence ("has no host"). */
const char *url_split(const char *url, struct url_pieces *);
/* scheme://[user@]host[:port]/path?query: scheme and host in lower case, no default port, no fragment. */
void url_add_normal(struct hf_text_buf *, const struct url_pieces *);
const char *url_normal(hf_call *, const struct url_pieces *);
bool url_is_loopback(const struct url_pieces *);

/* rewrite.c */
struct rewrite_rules;
/* NULL and *why (static) when a rule cannot be read or memory is out. */
struct rewrite_rules *rewrite_rules_read(const char *text, const char **why);
void rewrite_rules_free(struct rewrite_rules *);
/* hf_url_unrewrite() for what the answer to `asked` (logical) names: the rule that led there is tried first. */
const char *rewrite_back(hf_call *, const char *asked, const char *physical);
/* Of the stack, read once from HF_URL_REWRITE; NULL with an error on the call. netstack.c */
const struct rewrite_rules *netstack_rules(hf_call *);
#endif
