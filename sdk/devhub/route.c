/* route.c - which handler answers what: one table, one matcher, and the checks its flags ask for.
 * A repo id is one or two path segments; a revision is one (encoded) segment or an unencoded refs/pr/N, refs/convert/NAME.
 * The order of the rows decides where a path could mean two things. */
#include "cas.h"
#include "server.h"
#include <stdlib.h>
#include <string.h>

enum { SMALL = 64 * 1024, LARGE = 16 << 20, HUGE_BODY = 256 << 20 };
#define READ (METHOD_GET | METHOD_HEAD)

enum { REV = ROUTE_REVISION, WRITE = ROUTE_REPO | ROUTE_WRITE };

static const struct route routes[] = {
    {METHOD_GET, "/_devhub/log", dh_control_log, ROUTE_CONTROL, 0, NULL},
    {METHOD_POST, "/_devhub/reset", dh_control_reset, ROUTE_CONTROL, SMALL, NULL},
    {METHOD_GET | METHOD_POST | METHOD_DELETE, "/_devhub/faults", dh_control_faults, ROUTE_CONTROL, LARGE, NULL},
    {METHOD_PUT, "/_devhub/blobs", dh_control_blob, ROUTE_CONTROL, 0, &dh_blob_stream},
    {METHOD_POST, "/_devhub/generated", dh_control_generate, ROUTE_CONTROL, SMALL, NULL},
    {METHOD_POST, "/_devhub/commits", dh_control_commit, ROUTE_CONTROL, HUGE_BODY, NULL},
    {METHOD_POST, "/_devhub/rename", dh_control_rename, ROUTE_CONTROL, SMALL, NULL},
    {METHOD_POST, "/_devhub/mapping", dh_control_mapping, ROUTE_CONTROL, LARGE, NULL},
    {METHOD_GET | METHOD_POST, "/_devhub/oauth", dh_control_oauth, ROUTE_CONTROL, SMALL, NULL},
    {READ, "/_devhub", dh_control_status, ROUTE_CONTROL, 0, NULL},

    {READ, "/api/whoami-v2", dh_whoami, 0, 0, NULL},
    {READ, "/api/agent-harnesses", dh_harnesses, 0, 0, NULL},
    {READ, "/api/telemetry/{path}", dh_telemetry, 0, 0, NULL},
    {READ, "/api/models-tags-by-type", dh_tags_by_type, 0, 0, NULL},
    {READ, "/api/datasets-tags-by-type", dh_tags_by_type, 0, 0, NULL},
    {METHOD_POST, "/api/validate-yaml", dh_validate_yaml, 0, LARGE, NULL},
    {METHOD_POST, "/api/repos/create", dh_create, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_DELETE, "/api/repos/delete", dh_delete, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/api/repos/move", dh_move, ROUTE_LOGIN, SMALL, NULL},
    {READ, "/api/collections", dh_collections, 0, 0, NULL},
    {METHOD_POST, "/api/collections", dh_collection_make, ROUTE_LOGIN, SMALL, NULL},
    {READ, "/api/collections/{repo}", dh_collection, 0, 0, NULL},
    {METHOD_PATCH | METHOD_DELETE, "/api/collections/{repo}", dh_collection_change, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/api/collections/{repo}/items", dh_collection_item, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_PATCH | METHOD_DELETE, "/api/collections/{repo}/items/{name}", dh_collection_item, ROUTE_LOGIN, SMALL,
     NULL},
    {READ, "/api/settings/webhooks", dh_webhooks, ROUTE_LOGIN, 0, NULL},
    {METHOD_POST, "/api/settings/webhooks", dh_webhook_make, ROUTE_LOGIN, SMALL, NULL},
    {READ | METHOD_POST | METHOD_DELETE, "/api/settings/webhooks/{name}", dh_webhook, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/api/settings/webhooks/{name}/enable", dh_webhook_enable, ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/api/settings/webhooks/{name}/disable", dh_webhook_disable, ROUTE_LOGIN, SMALL, NULL},
    {READ, "/api/settings/repositories", dh_repos_list, ROUTE_LOGIN, 0, NULL},
    {READ, "/api/organizations/{name}/settings/repositories", dh_repos_list, ROUTE_LOGIN, 0, NULL},
    {READ, "/api/users/{name}/likes", dh_likes, 0, 0, NULL},
    {METHOD_POST, "/oauth/device", dh_oauth_device, ROUTE_SECRET, SMALL, NULL},
    {READ, "/oauth/device", dh_oauth_page, 0, 0, NULL},
    {METHOD_POST, "/oauth/token", dh_oauth_token, ROUTE_SECRET, SMALL, NULL},
    {METHOD_POST, "/api/complete_multipart", dh_upload_complete, 0, LARGE, NULL},
    {READ, "/api/resolve-cache/{types}/{repo}/{revision}/{path}", dh_resolve_cache, REV | ROUTE_GATED, 0, NULL},
    {READ, "/api/tasks", dh_model_tasks, 0, 0, NULL},
    {READ, "/api/{types}", dh_list, 0, 0, NULL},
    {READ, "/api/{types}/{repo}/revision/{revision}", dh_info_revision, REV, 0, NULL},
    {READ, "/api/{types}/{repo}/xet-read-token/{revision}", dh_cas_token, REV | ROUTE_GATED, 0, NULL},
    {READ, "/api/{types}/{repo}/xet-write-token/{revision}", dh_cas_token, WRITE, 0, NULL},
    {READ, "/api/{types}/{repo}/tree/{revision}", dh_tree, REV, 0, NULL},
    {READ, "/api/{types}/{repo}/tree/{revision}/{path}", dh_tree, REV, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/paths-info/{revision}", dh_paths_info, REV, LARGE, NULL},
    {READ, "/api/{types}/{repo}/commits/{revision}", dh_commits, REV, 0, NULL},
    {READ, "/api/{types}/{repo}/refs", dh_refs, ROUTE_REPO, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/preupload/{revision}", dh_preupload, REV, LARGE, NULL},
    {METHOD_POST, "/api/{types}/{repo}/commit/{revision}", dh_commit, REV, 0, &dh_commit_stream},
    {METHOD_POST | METHOD_DELETE, "/api/{types}/{repo}/branch/{revision}", dh_branch, WRITE, SMALL, NULL},
    {METHOD_POST | METHOD_DELETE, "/api/{types}/{repo}/tag/{revision}", dh_tag, WRITE, SMALL, NULL},
    {METHOD_POST, "/api/{types}/{repo}/super-squash/{revision}", dh_super_squash, WRITE | REV, SMALL, NULL},
    {METHOD_PUT, "/api/{types}/{repo}/settings", dh_settings, WRITE, SMALL, NULL},
    {METHOD_POST, "/api/{types}/{repo}/duplicate", dh_duplicate, ROUTE_REPO | ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST | METHOD_DELETE, "/api/{types}/{repo}/like", dh_like, ROUTE_REPO | ROUTE_LOGIN, SMALL, NULL},
    {READ, "/api/{types}/{repo}/likers", dh_likers, ROUTE_REPO, 0, NULL},
    {READ, "/api/{types}/{repo}/auth-check", dh_auth_check, ROUTE_REPO | ROUTE_GATED, 0, NULL},
    {READ, "/api/{types}/{repo}/auth-check/write", dh_auth_check, WRITE | ROUTE_GATED, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/ask-access", dh_access_ask, ROUTE_REPO | ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/{repo}/ask-access", dh_access_ask, ROUTE_REPO | ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/{kinds}/{repo}/ask-access", dh_access_ask, ROUTE_REPO | ROUTE_LOGIN, SMALL, NULL},
    {METHOD_POST, "/api/{types}/{repo}/user-access-request/handle", dh_access_handle, WRITE, SMALL, NULL},
    {METHOD_POST, "/api/{types}/{repo}/user-access-request/grant", dh_access_grant, WRITE, SMALL, NULL},
    {READ, "/api/{types}/{repo}/user-access-request/{name}", dh_access_list, WRITE, 0, NULL},
    {READ, "/api/{types}/{repo}/discussions", dh_discussions, ROUTE_REPO, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/discussions", dh_discussion_open, ROUTE_REPO | ROUTE_LOGIN, LARGE, NULL},
    {READ, "/api/{types}/{repo}/discussions/{name}", dh_discussion, ROUTE_REPO, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/discussions/{name}/{path}", dh_discussion_change, ROUTE_REPO | ROUTE_LOGIN,
     LARGE, NULL},
    {READ, "/api/{types}/{repo}/lfs-files", dh_lfs_files, WRITE, 0, NULL},
    {METHOD_POST, "/api/{types}/{repo}/lfs-files/batch", dh_lfs_drop, WRITE, LARGE, NULL},
    {METHOD_POST, "/api/{types}/{repo}/lfs-files/duplicate", dh_lfs_duplicate, ROUTE_REPO | ROUTE_GATED, LARGE, NULL},
    {READ, "/api/{types}/{repo}", dh_info, ROUTE_REPO, 0, NULL},

    {METHOD_POST, "/{kinds}/{repo}.git/info/lfs/objects/batch", dh_lfs_batch, ROUTE_REPO | ROUTE_LFS, LARGE, NULL},
    {METHOD_POST, "/{repo}.git/info/lfs/objects/batch", dh_lfs_batch, ROUTE_REPO | ROUTE_LFS, LARGE, NULL},
    {METHOD_POST, "/{kinds}/{repo}.git/info/lfs/objects/verify", dh_lfs_verify, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},
    {METHOD_POST, "/{repo}.git/info/lfs/objects/verify", dh_lfs_verify, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},
    {METHOD_GET | METHOD_POST, "/{kinds}/{repo}.git/info/lfs/locks", dh_lfs_locks, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},
    {METHOD_GET | METHOD_POST, "/{repo}.git/info/lfs/locks", dh_lfs_locks, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},
    {METHOD_POST, "/{kinds}/{repo}.git/info/lfs/locks/{path}", dh_lfs_locks, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},
    {METHOD_POST, "/{repo}.git/info/lfs/locks/{path}", dh_lfs_locks, ROUTE_REPO | ROUTE_LFS, SMALL, NULL},

    {READ, "/{kinds}/{repo}/resolve/{revision}/{path}", dh_resolve, REV | ROUTE_GATED, 0, NULL},
    {READ, "/{repo}/resolve/{revision}/{path}", dh_resolve, REV | ROUTE_GATED, 0, NULL},
    {READ, "/{kinds}/{repo}/raw/{revision}/{path}", dh_raw, REV | ROUTE_GATED, 0, NULL},
    {READ, "/{repo}/raw/{revision}/{path}", dh_raw, REV | ROUTE_GATED, 0, NULL},

    {READ, "/repos/{path}", dh_cdn, ROUTE_CDN, 0, NULL},
    {METHOD_GET, "/cas/v1/reconstructions/{name}", dh_cas_reconstruction, ROUTE_CDN, 0, NULL},
    {METHOD_GET, "/cas/v2/reconstructions/{name}", dh_cas_reconstruction, ROUTE_CDN, 0, NULL},
    {METHOD_GET, "/cas/v1/chunks/default/{name}", dh_cas_chunk, ROUTE_CDN, 0, NULL},
    {METHOD_GET, "/cas/v1/chunks/default-merkledb/{name}", dh_cas_chunk, ROUTE_CDN, 0, NULL},
    {METHOD_HEAD, "/cas/v1/files/{name}", dh_cas_size, ROUTE_CDN, 0, NULL},
    {METHOD_POST, "/cas/v1/xorb-grants/default/{name}", dh_cas_grant, ROUTE_CDN, SMALL, NULL},
    {METHOD_POST, "/cas/v1/xorb-commits/default/{name}/grant/{path}", dh_cas_commit, ROUTE_CDN, SMALL, NULL},
    {METHOD_HEAD | METHOD_POST, "/cas/v1/xorbs/default/{name}", dh_cas_xorb, ROUTE_CDN, HUGE_BODY, NULL},
    {METHOD_POST, "/cas/v1/shards", dh_cas_shard, ROUTE_CDN, HUGE_BODY, NULL},
    {METHOD_POST, "/cas/v2/shards", dh_cas_shard, ROUTE_CDN, HUGE_BODY, NULL},
    {METHOD_POST, "/v1/telemetry", dh_cas_telemetry, ROUTE_CDN, LARGE, NULL},
    {METHOD_POST, "/cas/v1/telemetry", dh_cas_telemetry, ROUTE_CDN, LARGE, NULL},
    {READ, "/xorbs/default/{name}", dh_cas_fetch, ROUTE_CDN, 0, NULL},
    {METHOD_PUT, "/xorb-uploads/{name}", dh_cas_held, ROUTE_CDN, HUGE_BODY, NULL},
    {METHOD_PUT, "/objects/{name}/{path}", dh_upload_put, ROUTE_CDN, 0, &dh_object_stream},
    {METHOD_PUT, "/parts/{name}/{path}", dh_upload_put, ROUTE_CDN, 0, &dh_part_stream},

    /* The server as an inference provider; last, as the names of providers are no fixed words. */
    {READ, "/health", dh_model_health, 0, 0, NULL},
    {READ, "/info", dh_model_about, 0, 0, NULL},
    {READ, "/models/{repo}/info", dh_model_about, 0, 0, NULL},
    {READ, "/v1/models", dh_model_list, 0, 0, NULL},
    {READ, "/v1/models/{path}", dh_model_one, 0, 0, NULL},
    {READ, "/media/{name}", dh_model_media, 0, 0, NULL},
    {METHOD_POST, "/{name}/{path}", dh_model_post, 0, LARGE, NULL},
    {METHOD_GET | METHOD_PUT, "/{name}/{path}", dh_model_job, 0, SMALL, NULL},
};

enum { SEGMENTS_MAX = 80 };
struct segments {
  const char *at[SEGMENTS_MAX];
  size_t size[SEGMENTS_MAX], count;
};

static bool segments_split(const char *path, struct segments *s) {
  s->count = 0;
  if (*path++ != '/') return false;
  while (*path) {
    size_t n = strcspn(path, "/");
    if (s->count == SEGMENTS_MAX) return false;
    s->at[s->count] = path;
    s->size[s->count++] = n;
    path += n;
    if (*path) path++;
  }
  return true;
}

/* The id before ".git"; the suffix is part of the last segment. */
static bool repo_git_take(struct request *r, const struct segments *s, size_t first, size_t width) {
  size_t last = first + width - 1;
  if (last >= s->count || s->size[last] < 5 || strncmp(s->at[last] + s->size[last] - 4, ".git", 4) != 0) return false;
  int size = (int)(s->at[last] + s->size[last] - 4 - s->at[first]);
  if (size >= NAME_ROOM) return false;
  memcpy(r->repo_name, s->at[first], (size_t)size);
  r->repo_name[size] = 0;
  return dh_percent_decode(r->repo_name, false);
}

/* Decodes segments first..last-1 as they stand in the path. */
static bool decode(const struct segments *s, size_t first, size_t last, char *out, size_t room) {
  size_t size = (size_t)(s->at[last - 1] + s->size[last - 1] - s->at[first]);
  if (!size || size > 3 * room) return false;
  char *copy = strndup(s->at[first], size);
  bool ok = copy && dh_percent_decode(copy, false) && dh_copy(out, room, copy);
  free(copy);
  return ok;
}

static size_t revision_take(struct request *r, const struct segments *s, size_t i) {
  if (!decode(s, i, i + 1, r->revision, sizeof r->revision)) return 0;
  if (strcmp(r->revision, "refs") != 0 || i + 3 > s->count) return 1;
  return decode(s, i, i + 3, r->revision, sizeof r->revision) ? 3 : 0;
}

static bool type_take(struct request *r, const struct segments *s, size_t i, bool prefix) {
  int type = dh_repo_type_find(s->at[i], s->size[i]);
  if (type < 0 || s->at[i][s->size[i] - 1] != 's' || (prefix && type == REPO_MODEL)) return false;
  r->type = (enum repo_type)type;
  return true;
}

/* Matches with repo ids of `width` segments. */
static bool match(struct request *r, const char *pattern, const struct segments *s, size_t width) {
  size_t i = 0;
  r->type = REPO_MODEL;
  for (const char *p = pattern + 1; *p; p += strspn(p, "/")) {
    size_t n = strcspn(p, "/"), used = 1;
    if (i >= s->count) return false;
    if (strncmp(p, "{types}", n) == 0 || strncmp(p, "{kinds}", n) == 0) {
      if (!type_take(r, s, i, p[1] == 'k')) return false;
    } else if (strncmp(p, "{repo}.git", n) == 0 && n == 10) {
      used = width;
      if (!repo_git_take(r, s, i, width)) return false;
    } else if (strncmp(p, "{name}", n) == 0) {
      if (!decode(s, i, i + 1, r->name, sizeof r->name)) return false;
    } else if (strncmp(p, "{repo}", n) == 0) {
      used = width;
      if (i + used > s->count || !decode(s, i, i + used, r->repo_name, sizeof r->repo_name)) return false;
    } else if (strncmp(p, "{revision}", n) == 0) {
      used = revision_take(r, s, i);
      if (!used) return false;
    } else if (strncmp(p, "{path}", n) == 0) {
      used = s->count - i;
      if (!decode(s, i, s->count, r->file, sizeof r->file)) return false;
    } else if (n != s->size[i] || strncmp(p, s->at[i], n) != 0) {
      return false;
    }
    i += used;
    p += n;
  }
  return i == s->count;
}

const struct route *dh_route_find(struct request *r) {
  struct segments s;
  if (!segments_split(r->path, &s)) return NULL;
  unsigned method = r->method;
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
    bool cdn = (routes[i].flags & ROUTE_CDN) != 0;
    if (!(routes[i].methods & method) || cdn != (r->origin == ORIGIN_CDN)) continue;
    r->repo_name[0] = r->revision[0] = r->file[0] = r->name[0] = 0;
    if (match(r, routes[i].pattern, &s, 2)) return &routes[i];
    if (strstr(routes[i].pattern, "{repo}") && match(r, routes[i].pattern, &s, 1)) return &routes[i];
  }
  return NULL;
}

/* A browser page must not drive this server: no cross-origin requests, no names that DNS could point here. */
static bool control_allowed(struct request *r) {
  const char *host = dh_request_header(r, "Host");
  bool local =
      host && (strncmp(host, "localhost", 9) == 0 || host[0] == '[' || strspn(host, "0123456789.:") == strlen(host));
  if (local && !dh_request_header(r, "Origin")) return true;
  dh_reply_error(r, 403, NULL,
                 "The control interface is for programs on this machine; use an IP address or localhost.");
  return false;
}

const char *dh_request_user(const struct request *r) {
  return r->token ? r->token->name : r->server->access.open.name;
}

static bool signed_in(struct request *r) {
  if (r->token || r->server->access.count == 0) return true;
  dh_reply_error(r, 401, NULL, "Invalid username or password.");
  return false;
}

bool dh_request_writes(struct request *r, const char *repo) {
  if (dh_access_writes(&r->server->access, r->token, repo)) return true;
  if (!signed_in(r)) return false;
  if (r->token->role == ROLE_READ) {
    dh_reply_error(r, 403, NULL, "Forbidden: you must use a write token to upload to a repository.");
  } else if (r->token->role == ROLE_FINE) {
    dh_reply_error(r, 403, NULL, "Forbidden: this fine-grained token has no write permission for %s.", repo);
  } else {
    dh_reply_error(r, 403, NULL, "Forbidden: you don't have write access to %s.", repo);
  }
  return false;
}

bool dh_request_contributes(struct request *r) {
  if (r->token ? r->token->role == ROLE_WRITE : r->server->access.count == 0) return true;
  return dh_request_writes(r, r->repo.name);
}

static bool renamed(struct request *r) {
  char name[NAME_ROOM];
  if (dh_store_renamed(r->server->store, r->type, r->repo_name, name) != STORE_OK) return false;
  const char *at = strstr(r->target, r->repo_name);
  if (!at) return false;
  dh_reply_header(&r->reply, "Location", "%.*s%s%s", (int)(at - r->target), r->target, name, at + strlen(r->repo_name));
  r->reply.status = 307;
  return true;
}

static void not_found(struct request *r) {
  if (r->token) {
    dh_reply_error(r, 404, "RepoNotFound", "Repository not found");
  } else {
    dh_reply_error(r, 401, "RepoNotFound", "Invalid username or password.");
  }
}

static bool repo_enter(struct request *r) {
  if (!dh_repo_name_valid(r->repo_name)) {
    not_found(r);
    return false;
  }
  int rc = dh_store_repo(r->server->store, r->type, r->repo_name, &r->repo);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  if (rc == STORE_NONE && !renamed(r)) not_found(r);
  if (rc != STORE_OK) return false;
  if (r->repo.private && !dh_access_sees(r->token, &r->repo)) {
    not_found(r);
    return false;
  }
  if (r->repo.disabled) {
    dh_reply_error(r, 403, NULL, "Access to this resource is disabled.");
    return false;
  }
  return true;
}

static bool gate_enter(struct request *r) {
  char status[16];
  if (!r->repo.gated[0] || dh_access_let_in(r->token, &r->repo)) return true;
  if (r->token && dh_store_access(r->server->store, r->repo.id, r->token->name, status) == STORE_OK &&
      strcmp(status, "accepted") == 0)
    return true;
  const char *type = dh_repo_type_name(r->type);
  if (r->token) {
    dh_reply_error(
        r, 403, "GatedRepo",
        "Access to %s %s is restricted and you are not in the authorized list. Visit %s/%s to ask for access.", type,
        r->repo.name, r->server->url[ORIGIN_HUB], r->repo.name);
  } else {
    dh_reply_error(
        r, 401, "GatedRepo",
        "Access to %s %s is restricted. You must have access to it and be authenticated to access it. Please log in.",
        type, r->repo.name);
  }
  return false;
}

bool dh_route_enter(struct request *r) {
  unsigned flags = r->route->flags;
  if (flags & ROUTE_CONTROL) return control_allowed(r);
  if (r->token_invalid) {
    dh_reply_error(r, 401, NULL, "Invalid credentials in Authorization header");
    return false;
  }
  if (r->token && dh_access_over(r->token)) {
    dh_reply_error(r, 401, NULL, "User Access Token \"%s\" is expired", r->token->display);
    return false;
  }
  if (!dh_limit_enter(r)) return false;
  if ((flags & ROUTE_LOGIN) && !signed_in(r)) return false;
  if (!(flags & (ROUTE_REPO | ROUTE_REVISION))) return true;
  if (!repo_enter(r)) return false;
  if ((flags & ROUTE_WRITE) && !dh_request_writes(r, r->repo.name)) return false;
  if ((flags & ROUTE_GATED) && !gate_enter(r)) return false;
  if (!(flags & ROUTE_REVISION)) return true;
  int rc = dh_store_revision(r->server->store, r->repo.id, r->revision, &r->commit);
  if (rc == STORE_NONE) dh_reply_error(r, 404, "RevisionNotFound", "Invalid rev id: %s", r->revision);
  if (rc == STORE_FAILED) dh_reply_failed(r, rc);
  return rc == STORE_OK;
}
