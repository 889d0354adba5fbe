/* access.h - the tokens a server knows and what each may see.
 * A token without scopes may see and write everything; with scopes only what they name, and its own namespace.
 * Tokens are kept as hashes; the log and the errors know them by name only. */
#ifndef DEVHUB_ACCESS_H
#define DEVHUB_ACCESS_H
#include "store.h"

enum { TOKENS_MAX = 64, GRANTS_MAX = 16 };
struct token {
  char name[97], sha256[65];
  bool write, everything;
  char private_globs[GRANTS_MAX][NAME_ROOM], gated_globs[GRANTS_MAX][NAME_ROOM];
  size_t private_count, gated_count;
};
struct access {
  struct token tokens[TOKENS_MAX];
  size_t count;
};

/* NAME:TOKEN[:scope,scope..]; scopes: read, write, private=GLOB, gated=GLOB. Reports on stderr. */
bool dh_access_add(struct access *a, const char *spec);
const struct token *dh_access_find(const struct access *a, const char *secret);
bool dh_access_sees(const struct token *t, const struct repo *repo);   /* a private repo */
bool dh_access_let_in(const struct token *t, const struct repo *repo); /* a gated repo */
#endif
