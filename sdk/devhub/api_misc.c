/* api_misc.c - the small answers: who am I, known harnesses, tags by type, telemetry.
 * Tags by type are those that some repo of this server has, sorted into the kinds the Hub uses.
 * Telemetry is accepted and forgotten. */
#include "server.h"
#include <string.h>

static json_t *fine_grained(const struct token *t) {
  json_t *scoped = json_array();
  for (size_t i = 0; i < t->write.count; i++)
    json_array_append_new(
        scoped, json_pack("{s:{s:s, s:s, s:s}, s:[s,s]}", "entity", "_id", "0123456789abcdef01234567", "type", "model",
                          "name", t->write.at[i], "permissions", "repo.content.read", "repo.write"));
  return json_pack("{s:b, s:[], s:o}", "canReadGatedRepos", t->gated.count > 0, "global", "scoped", scoped);
}

static json_t *auth_json(const struct token *t) {
  static const char *const roles[] = {"read", "write", "fineGrained"};
  if (t->oauth)
    return json_pack("{s:s, s:o}", "type", "oauth", "expiresAt", t->expires ? dh_date_json(t->expires) : json_null());
  json_t *token = json_pack("{s:s, s:s, s:s}", "displayName", t->display, "role", roles[t->role], "createdAt",
                            "2024-01-01T00:00:00.000Z");
  if (t->role == ROLE_FINE) json_object_set_new(token, "fineGrained", fine_grained(t));
  return json_pack("{s:s, s:o}", "type", "access_token", "accessToken", token);
}

void dh_whoami(struct request *r) {
  if (!r->token) {
    dh_reply_error(r, 401, NULL, "Invalid username or password.");
    return;
  }
  const char *name = r->token->name;
  json_t *orgs = json_array(), *value = json_pack("{s:s, s:s, s:s, s:s, s:s+, s:b, s:b, s:b, s:n, s:s}", "type", "user",
                                                  "id", "0123456789abcdef01234567", "name", name, "fullname", name,
                                                  "email", name, "@localhost", "emailVerified", 1, "canPay", 0, "isPro",
                                                  0, "periodEnd", "avatarUrl", "/avatars/devhub.svg");
  for (size_t i = 0; i < r->token->org_count; i++)
    json_array_append_new(
        orgs, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:n, s:s}", "type", "org", "id",
                        "0123456789abcdef01234568", "name", r->token->orgs[i], "fullname", r->token->orgs[i], "email",
                        "", "canPay", 0, "isEnterprise", 0, "periodEnd", "roleInOrg", "write"));
  json_object_set_new(value, "orgs", orgs);
  json_object_set_new(value, "auth", auth_json(r->token));
  dh_reply_json(r, 200, value);
}

void dh_harnesses(struct request *r) {
  dh_reply_json(r, 200, json_pack("{s:[s,s], s:{}}", "standardEnvVars", "AI_AGENT", "AGENT", "harnesses"));
}

void dh_telemetry(struct request *r) {
  r->reply.status = 200;
}

static const struct {
  const char *prefix, *type;
} kinds[] = {{"license:", "license"},
             {"dataset:", "dataset"},
             {"language:", "language"},
             {"task_categories:", "task_categories"},
             {"size_categories:", "size_categories"},
             {"region:", "region"}};

static bool tags_collect(void *arg, const struct repo_row *row) {
  json_t *all = arg, *meta = json_loads(row->head.meta, 0, NULL), *tag;
  const char *task = json_string_value(json_object_get(meta, "pipeline_tag")),
             *library = json_string_value(json_object_get(meta, "library_name"));
  size_t i;
  if (!row->repo.private) json_array_foreach(json_object_get(meta, "tags"), i, tag) {
      const char *id = json_string_value(tag), *type = "other", *label = id;
      for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        size_t n = strlen(kinds[k].prefix);
        if (strncmp(id, kinds[k].prefix, n) == 0) type = kinds[k].type, label = id + n;
      }
      if (task && strcmp(id, task) == 0) type = "pipeline_tag";
      if (library && strcmp(id, library) == 0) type = "library";
      json_t *list = json_object_get(all, type), *old;
      size_t k;
      bool known = false;
      if (!list) json_object_set_new(all, type, list = json_array());
      json_array_foreach(list, k, old) known = known || strcmp(json_string_value(json_object_get(old, "id")), id) == 0;
      if (!known) json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "id", id, "label", label, "type", type));
    }
  json_decref(meta);
  return true;
}

void dh_tags_by_type(struct request *r) {
  struct repo_query q = {.type = strstr(r->path, "/datasets-") ? REPO_DATASET : REPO_MODEL, .gated = -1};
  json_t *all = json_object();
  if (dh_store_repos(r->server->store, &q, tags_collect, all) == STORE_OK) {
    dh_reply_json(r, 200, all);
  } else {
    json_decref(all);
    dh_reply_failed(r, STORE_FAILED);
  }
}
