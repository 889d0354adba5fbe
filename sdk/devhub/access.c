/* access.c - tokens and grants (access.h).
 * Globs are matched with fnmatch over the whole repo id; patterns are short and few.
 * A namespace belongs to the token of the same name. */
#include "access.h"
#include "text.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool scope_add(struct token *t, const char *scope) {
  if (strcmp(scope, "read") == 0) {
    t->write = false;
    return true;
  }
  if (strcmp(scope, "write") == 0) {
    t->write = true;
    return true;
  }
  if (strncmp(scope, "private=", 8) == 0 && t->private_count < GRANTS_MAX)
    return dh_copy(t->private_globs[t->private_count++], NAME_ROOM, scope + 8);
  if (strncmp(scope, "gated=", 6) == 0 && t->gated_count < GRANTS_MAX)
    return dh_copy(t->gated_globs[t->gated_count++], NAME_ROOM, scope + 6);
  return false;
}

static bool spec_read(struct token *t, char *spec) {
  char *rest = spec, *name = strsep(&rest, ":"), *secret = strsep(&rest, ":");
  if (!secret || !*name || !*secret || !dh_copy(t->name, sizeof t->name, name)) return false;
  t->write = t->everything = true;
  if (rest) t->write = t->everything = false;
  for (char *scope; rest && (scope = strsep(&rest, ","));)
    if (!scope_add(t, scope)) return false;
  return dh_sha256(secret, strlen(secret), t->sha256);
}

bool dh_access_add(struct access *a, const char *spec) {
  struct token t = {0};
  char *copy = strdup(spec);
  bool ok = copy && a->count < TOKENS_MAX && spec_read(&t, copy);
  if (ok) a->tokens[a->count++] = t;
  if (!ok)
    fprintf(stderr, "hf-devhub: a token must be NAME:TOKEN[:scopes], scopes read, write, private=GLOB, gated=GLOB\n");
  free(copy);
  return ok;
}

const struct token *dh_access_find(const struct access *a, const char *secret) {
  char sha256[65];
  if (!dh_sha256(secret, strlen(secret), sha256)) return NULL;
  for (size_t i = 0; i < a->count; i++)
    if (strcmp(a->tokens[i].sha256, sha256) == 0) return &a->tokens[i];
  return NULL;
}

static bool own(const struct token *t, const struct repo *repo) {
  size_t size = strlen(t->name);
  return strncmp(repo->name, t->name, size) == 0 && repo->name[size] == '/';
}

static bool granted(const struct token *t, const struct repo *repo, const char (*globs)[NAME_ROOM], size_t count) {
  if (!t) return false;
  bool ok = t->everything || own(t, repo);
  for (size_t i = 0; !ok && i < count; i++) ok = fnmatch(globs[i], repo->name, 0) == 0;
  return ok;
}

bool dh_access_sees(const struct token *t, const struct repo *repo) {
  return granted(t, repo, t ? t->private_globs : NULL, t ? t->private_count : 0);
}

bool dh_access_let_in(const struct token *t, const struct repo *repo) {
  return granted(t, repo, t ? t->gated_globs : NULL, t ? t->gated_count : 0);
}
