/* access.c - tokens and grants (access.h).
 * Globs are matched with fnmatch over the whole repo id; patterns are short and few.
 * A namespace belongs to the tokens of the user, or the organization, of the same name. */
#include "access.h"
#include "text.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void dh_access_begin(struct access *a) {
  *a = (struct access){.open = {.role = ROLE_WRITE, .everything = true}};
  pthread_mutex_init(&a->lock, NULL);
  dh_copy(a->open.name, sizeof a->open.name, "devhub");
  dh_copy(a->open.display, sizeof a->open.display, "devhub");
}

void dh_access_end(struct access *a) {
  while (a->tokens) {
    struct token *t = a->tokens;
    a->tokens = t->next;
    free(t);
  }
  pthread_mutex_destroy(&a->lock);
}

static bool glob_add(struct globs *g, const char *glob) {
  return g->count < GLOBS_MAX && dh_copy(g->at[g->count++], NAME_ROOM, glob);
}

static bool scope_add(struct token *t, const char *scope) {
  const char *value = strchr(scope, '=');
  uint64_t seconds;
  if (strcmp(scope, "read") == 0) {
    t->role = ROLE_READ;
    return true;
  }
  if (strcmp(scope, "write") == 0) {
    t->role = ROLE_WRITE;
    return true;
  }
  if (strcmp(scope, "expired") == 0) return t->expired = true;
  if (!value++) return false;
  if (strncmp(scope, "private=", 8) == 0) return glob_add(&t->private, value);
  if (strncmp(scope, "gated=", 6) == 0) return glob_add(&t->gated, value);
  if (strncmp(scope, "repo=", 5) == 0) {
    t->role = ROLE_FINE;
    return glob_add(&t->write, value);
  }
  if (strncmp(scope, "org=", 4) == 0 && t->org_count < ORGS_MAX)
    return dh_copy(t->orgs[t->org_count++], sizeof t->orgs[0], value);
  if (strncmp(scope, "display=", 8) == 0) return dh_copy(t->display, sizeof t->display, value);
  if (strncmp(scope, "seconds=", 8) == 0 && dh_number(value, 1000000000, &seconds)) {
    t->expires = (int64_t)time(NULL) + (int64_t)seconds;
    return true;
  }
  return false;
}

static bool spec_read(struct token *t, char *spec) {
  char *rest = spec, *name = strsep(&rest, ":"), *secret = strsep(&rest, ":");
  if (!secret || !*name || !*secret || !dh_copy(t->name, sizeof t->name, name)) return false;
  dh_copy(t->display, sizeof t->display, name);
  t->role = rest ? ROLE_READ : ROLE_WRITE;
  t->everything = !rest;
  for (char *scope; rest && (scope = strsep(&rest, ","));)
    if (!scope_add(t, scope)) return false;
  return dh_sha256(secret, strlen(secret), t->sha256);
}

static void token_add(struct access *a, struct token *t) {
  pthread_mutex_lock(&a->lock);
  struct token **at = &a->tokens;
  while (*at) at = &(*at)->next;
  *at = t;
  a->count++;
  pthread_mutex_unlock(&a->lock);
}

bool dh_access_add(struct access *a, const char *spec) {
  struct token *t = calloc(1, sizeof *t);
  char *copy = strdup(spec);
  bool ok = copy && t && spec_read(t, copy);
  if (ok) token_add(a, t);
  if (!ok) {
    free(t);
    fprintf(stderr,
            "hf-devhub: a token must be NAME:TOKEN[:scopes], scopes read, write, expired, seconds=N, private=GLOB,"
            " gated=GLOB, repo=GLOB, org=NAME, display=NAME\n");
  }
  free(copy);
  return ok;
}

bool dh_access_issue(struct access *a, const struct token *like, const char *secret) {
  struct token *t = malloc(sizeof *t);
  if (!t) return false;
  *t = *like;
  t->next = NULL;
  if (!dh_sha256(secret, strlen(secret), t->sha256)) {
    free(t);
    return false;
  }
  token_add(a, t);
  return true;
}

const struct token *dh_access_find(struct access *a, const char *secret) {
  char sha256[65];
  if (!dh_sha256(secret, strlen(secret), sha256)) return NULL;
  pthread_mutex_lock(&a->lock);
  const struct token *t = a->tokens;
  while (t && strcmp(t->sha256, sha256) != 0) t = t->next;
  pthread_mutex_unlock(&a->lock);
  return t;
}

const struct token *dh_access_user(struct access *a, const char *name) {
  pthread_mutex_lock(&a->lock);
  const struct token *t = a->tokens;
  while (t && strcmp(t->name, name) != 0) t = t->next;
  pthread_mutex_unlock(&a->lock);
  return t;
}

bool dh_access_over(const struct token *t) {
  return t->expired || (t->expires && t->expires <= (int64_t)time(NULL));
}

bool dh_access_member(const struct token *t, const char *space) {
  if (!t) return false;
  bool member = strcmp(t->name, space) == 0;
  for (size_t i = 0; !member && i < t->org_count; i++) member = strcmp(t->orgs[i], space) == 0;
  return member;
}

static bool own(const struct token *t, const char *repo) {
  char space[NAME_ROOM];
  const char *slash = strchr(repo, '/');
  if (!slash || t->role == ROLE_FINE) return false;
  snprintf(space, sizeof space, "%.*s", (int)(slash - repo), repo);
  return dh_access_member(t, space);
}

static bool listed(const struct globs *g, const char *repo) {
  bool ok = false;
  for (size_t i = 0; !ok && i < g->count; i++) ok = fnmatch(g->at[i], repo, 0) == 0;
  return ok;
}

bool dh_access_sees(const struct token *t, const struct repo *repo) {
  return t && (t->everything || own(t, repo->name) || listed(&t->private, repo->name) || listed(&t->write, repo->name));
}

bool dh_access_let_in(const struct token *t, const struct repo *repo) {
  return t && (t->everything || own(t, repo->name) || listed(&t->gated, repo->name) || listed(&t->write, repo->name));
}

bool dh_access_writes(struct access *a, const struct token *t, const char *repo) {
  if (!t) return a->count == 0;
  if (t->role == ROLE_READ) return false;
  return t->everything || own(t, repo) || listed(&t->write, repo);
}
