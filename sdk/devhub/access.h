/* access.h - the tokens a server knows and what each may see and write.
 * A token without scopes may see and write everything; with scopes only what they name, and its own namespaces.
 * Tokens are kept as hashes; the log and the errors know them by name only. Sign-ins add tokens while the server runs. */
#ifndef DEVHUB_ACCESS_H
#define DEVHUB_ACCESS_H
#include "store.h"
#include <pthread.h>

enum { GLOBS_MAX = 16, ORGS_MAX = 8 };
enum role { ROLE_READ, ROLE_WRITE, ROLE_FINE };
struct globs {
  char at[GLOBS_MAX][NAME_ROOM];
  size_t count;
};
struct token {
  char name[97], display[97], sha256[65]; /* name: the user it belongs to */
  enum role role;
  bool everything, expired, oauth;
  int64_t expires; /* 0: never */
  struct globs private, gated, write;
  char orgs[ORGS_MAX][97];
  size_t org_count;
  struct token *next;
};
struct access {
  pthread_mutex_t lock;
  struct token *tokens; /* kept until the server ends, so that requests may hold on to them */
  struct token open;    /* who sends a token to a server that was given none */
  size_t count;
};

void dh_access_begin(struct access *a);
void dh_access_end(struct access *a);
/* NAME:TOKEN[:scope,scope..]; scopes: read, write, expired, seconds=N, private=GLOB, gated=GLOB, repo=GLOB (fine-grained:
 * writes only there), org=NAME, display=NAME. Reports on stderr. */
bool dh_access_add(struct access *a, const char *spec);
/* A token made while running; takes a copy of `like` with another secret. */
bool dh_access_issue(struct access *a, const struct token *like, const char *secret);
const struct token *dh_access_find(struct access *a, const char *secret);
const struct token *dh_access_user(struct access *a, const char *name); /* a token of this user; NULL */
bool dh_access_over(const struct token *t);
bool dh_access_sees(const struct token *t, const struct repo *repo);   /* a private repo */
bool dh_access_let_in(const struct token *t, const struct repo *repo); /* a gated repo */
/* May this token write to the repo of this name? A server without tokens lets everybody (t NULL). */
bool dh_access_writes(struct access *a, const struct token *t, const char *repo);
bool dh_access_member(const struct token *t, const char *space); /* its own namespace, or one of its organizations */
#endif
