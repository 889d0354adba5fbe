/* repos_admin.c - repos as their owners handle them: the rows of `hf repos`, move, delete, settings, list, branches, tags.
 * What is one request and one sentence is a row alone; the functions here are what a row cannot say: payloads with nulls,
 * answers that are no error after all, the reference's own words for some of them. */
#include "repos_admin.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *arg(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

static bool given(const hf_args *args, const char *name) {
  int64_t on;
  return hf_host()->arg_int(args, name, &on) && on;
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out) {
  return hf_hub_begin(hub, c, out, arg(args, "token"), NULL, false);
}

static const struct hf_task *row_named(hf_call *c, const char *name) {
  return hf_task_find(hf_call_runtime(c), name);
}

hf_status hf_hub_put(hf_call *c, json_t *body, const char *key, json_t *value) {
  return json_object_set_new(body, key, value) ? hf_hub_fail(c, HF_EINVAL, "ValueError", "\"%s\" is not UTF-8.", key)
                                               : HF_OK;
}

/* ---- delete, move, settings ------------------------------------------------------------------------------------------------ */

static hf_status run_delete(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  const struct hf_task *row = row_named(c, "repos.delete");
  (void)state;
  TRY(hf_hub_confirm(c, out, args, row->confirm));
  TRY(begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, arg(args, "repo_id")));
  const char *url = hf_hub_text(c, "%s/api/repos/delete", hub.endpoint);
  json_t *body = json_object();
  hf_status st = url && body ? hf_hub_put_names(c, body, arg(args, "repo_id")) : HF_ENOMEM;
  if (st == HF_OK) st = hf_hub_put(c, body, "type", json_string(arg(args, "repo_type")));
  if (st != HF_OK) return json_decref(body), st;
  st = hf_hub_send_json(&hub, "DELETE", url, body, 0, &resp);
  if (st != HF_OK && given(args, "missing_ok") && hf_hub_error_is(hf_host()->error(c), "RepositoryNotFoundError")) {
    hf_host()->clear(c);
    st = HF_OK;
  }
  return st == HF_OK ? hf_hub_done(c, out, row, args) : st;
}

static hf_status run_move(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  struct hf_error e;
  const struct hf_task *row = row_named(c, "repos.move");
  const char *ids[] = {arg(args, "from_id"), arg(args, "to_id")};
  (void)state;
  for (size_t i = 0; i < HF_COUNT(ids); i++) {
    const char *slash = strchr(ids[i], '/');
    if (!slash || strchr(slash + 1, '/'))
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "Invalid repo_id: %s. It should have a namespace (:namespace:/:repo_name:)", ids[i]);
  }
  TRY(begin(&hub, c, args, out));
  hf_status st = hf_hub_row_send(&hub, row, args, &resp);
  if (st == HF_OK) return hf_hub_done(c, out, row, args);
  TRY(hf_hub_error_keep(c, &e));
  if (!e.http_status) return st;
  e.message = hf_hub_text(c,
                          "%s\nFor additional documentation please see "
                          "https://hf.co/docs/hub/repositories-settings#renaming-or-transferring-a-repo.",
                          e.message);
  hf_host()->clear(c);
  return hf_host()->fail(c, &e);
}

static hf_status run_settings(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  const char *gated = arg(args, "gated"), *type = arg(args, "repo_type"), *seen;
  (void)state;
  TRY(begin(&hub, c, args, out));
  struct hf_repo repo = {type, arg(args, "repo_id")};
  TRY(hf_hub_check_repo(c, repo.id));
  if (!strcmp(type, "kernel"))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Invalid repo type, must be one of [None, 'model', 'dataset', 'space']");
  TRY(hf_hub_visibility(c, args, &seen));
  if (!gated && !seen) return hf_hub_fail(c, HF_EINVAL, "ValueError", "At least one setting must be updated.");
  const char *url = hf_hub_api_url(&hub, &repo);
  url = url ? hf_hub_text(c, "%s/settings", url) : NULL;
  json_t *body = json_object();
  hf_status st = url && body ? HF_OK : HF_ENOMEM;
  if (st == HF_OK && gated)
    st = hf_hub_put(c, body, "gated", strcmp(gated, "false") ? json_string(gated) : json_false());
  if (st == HF_OK && seen) st = hf_hub_put(c, body, "visibility", json_string(seen));
  if (st != HF_OK) return json_decref(body), st;
  TRY(hf_hub_send_json(&hub, "PUT", url, body, 0, &resp));
  return hf_hub_done(c, out, row_named(c, "repos.settings"), args);
}

/* ---- list ------------------------------------------------------------------------------------------------------------------------ */

struct listing {
  struct hf_hub *hub;
  const char *type, *search;
  int64_t limit, total;
  bool whole; /* the reference's data class, for programs */
};

/* "19 B", "1.0 MB". */
static const char *size_text(hf_call *c, const json_t *size) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
  double v = json_number_value(size);
  size_t i = 0;
  if (v < 1000) return json_is_integer(size) ? hf_hub_text(c, "%lld B", (long long)json_integer_value(size)) : "0 B";
  while (v >= 1000 && i + 1 < HF_COUNT(units)) v /= 1000, i++;
  return hf_hub_text(c, "%.1f %s", v, units[i]);
}

static bool contains(const char *text, const char *part) {
  return strcasestr(text, part) != NULL;
}

static hf_status list_repo(void *at, json_t *raw) {
  struct listing *l = at;
  hf_call *c = l->hub->call;
  const char *id = hf_hub_get(raw, "id"), *type = hf_hub_get(raw, "type"), *updated = hf_hub_get(raw, "updatedAt");
  if (!id || !type) return HF_OK;
  if (l->type && strcmp(l->type, type) != 0) return HF_OK;
  if (l->search && !contains(id, l->search)) return HF_OK;
  l->total++;
  if (l->limit > 0 && l->total > l->limit) return HF_OK;
  const json_t *share = json_object_get(raw, "storagePercent");
  const char *size = size_text(c, json_object_get(raw, "storage")),
             *percent = hf_hub_text(c, "%.1f%%", json_number_value(share));
  if (!size || !percent) return HF_ENOMEM;
  json_t *item = json_object(), *seen = json_object_get(raw, "visibility");
  json_object_set_new(item, "id", json_string(id));
  json_object_set_new(item, "type", json_string(type));
  if (l->whole) {
    json_t *date = NULL;
    if (updated && hf_hub_shape_date(c, updated, &date) == HF_OK) json_object_set_new(item, "updated_at", date);
    json_object_set(item, "visibility", seen ? seen : json_null());
    json_object_set(item, "storage", json_object_get(raw, "storage"));
    json_object_set_new(item, "storage_percent",
                        json_is_number(share) ? json_copy((json_t *)(uintptr_t)share) : json_integer(0));
  } else {
    json_object_set_new(item, "updated", json_stringn(updated ? updated : "", updated ? strnlen(updated, 10) : 0));
    json_object_set(item, "visibility", seen ? seen : json_null());
    json_object_set_new(item, "storage", json_string(size));
    json_object_set_new(item, "%_of_total", json_string(percent));
  }
  return hf_hub_record(l->hub->out, c, HF_OUT_ITEM, item);
}

static hf_status list(struct hf_hub *hub, const hf_args *args, struct listing *l) {
  hf_call *c = hub->call;
  const char *owner = arg(args, "namespace"), *quoted = owner ? hf_hub_quote(c, owner, "") : "";
  const char *url = !quoted ? NULL
                    : owner ? hf_hub_text(c, "%s/api/organizations/%s/settings/repositories", hub->endpoint, quoted)
                            : hf_hub_text(c, "%s/api/settings/repositories", hub->endpoint);
  return url ? hf_hub_pages(hub, url, list_repo, l) : HF_ENOMEM;
}

static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  static const char layout[] =
      "{\"kind\":\"table\",\"headers\":[\"id\",\"type\",\"updated\",\"visibility\",\"storage\","
      "\"%_of_total\"],\"id_key\":\"id\",\"align\":{\"storage\":\"right\","
      "\"%_of_total\":\"right\"}}";
  struct hf_hub hub;
  struct listing l = {.hub = &hub, .type = arg(args, "repo_type"), .search = arg(args, "search")};
  (void)state;
  TRY(begin(&hub, c, args, out));
  hf_host()->arg_int(args, "limit", &l.limit);
  const char *mode = hf_host()->option(c, "HF_OUTPUT_FORMAT");
  bool explore = given(args, "explore");
  if (explore && mode && strcmp(mode, "human") != 0)
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "Repository exploration is only available in terminal.");
  if (explore && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
    return hf_hub_fail(c, HF_EINVAL, "CLIError", "There is no view to walk through here; leave out `--explore`.");
  if (explore) return hf_hub_say(out, c, HF_OUT_TEXT, "Interactive mode requires a terminal.");
  TRY(hf_host()->record(out, HF_OUT_LAYOUT, layout, sizeof layout - 1));
  TRY(list(&hub, args, &l));
  TRY(hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2));
  if (l.limit <= 0 || l.total <= l.limit) return HF_OK;
  const char *hint = hf_hub_text(c, "Showing %lld of %lld repos. Use `--limit 0` to list all.", (long long)l.limit,
                                 (long long)l.total);
  return hint ? hf_hub_say(out, c, HF_OUT_HINT, hint) : HF_ENOMEM;
}

static hf_status run_list_api(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct listing l = {.hub = &hub, .whole = true};
  (void)state;
  TRY(begin(&hub, c, args, out));
  TRY(list(&hub, args, &l));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* ---- branches and tags ------------------------------------------------------------------------------------------------------- */

static bool has_branch(struct hf_hub *hub, const hf_args *args) {
  struct hf_repo repo = {arg(args, "repo_type"), arg(args, "repo_id")};
  json_t *refs, *ref;
  size_t i;
  bool found = false;
  if (hf_hub_refs(hub, &repo, false, &refs) != HF_OK) return false;
  json_array_foreach(json_object_get(refs, "branches"), i, ref) {
    const char *name = hf_hub_get(ref, "name");
    found |= name && !strcmp(name, arg(args, "branch"));
  }
  json_decref(refs);
  return found;
}

static hf_status run_branch_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  struct hf_error e;
  const struct hf_task *row = row_named(c, "repos.branch.create");
  (void)state;
  TRY(begin(&hub, c, args, out));
  hf_status st = hf_hub_row_send(&hub, row, args, &resp);
  if (st != HF_OK && given(args, "exist_ok")) {
    TRY(hf_hub_error_keep(c, &e));
    if (e.http_status == 409 || e.http_status == 403) {
      hf_host()->clear(c);
      if (e.http_status == 409 || has_branch(&hub, args)) return hf_hub_done(c, out, row, args);
      TRY(hf_host()->check(c));
      hf_host()->clear(c);
      return hf_host()->fail(c, &e);
    }
  }
  return st == HF_OK ? hf_hub_done(c, out, row, args) : st;
}

/* The commands' own words. revision: what RevisionNotFoundError means here; taken: what 409 means; NULL: as it is. */
static hf_status in_words(hf_call *c, hf_status st, const hf_args *args, const char *revision, const char *taken) {
  struct hf_error e;
  const char *type = arg(args, "repo_type"), *text = NULL;
  TRY(hf_hub_error_keep(c, &e));
  if (hf_hub_error_is(&e, "RepositoryNotFoundError"))
    text = hf_hub_text(c, "%c%s '%s' not found.", type[0] - 'a' + 'A', type + 1, arg(args, "repo_id"));
  else if (hf_hub_error_is(&e, "RevisionNotFoundError"))
    text = revision;
  else if (e.http_status == 409)
    text = taken;
  if (!text) return st;
  hf_host()->clear(c);
  e.cls = "CLIError";
  e.message = text;
  return hf_host()->fail(c, &e);
}

static hf_status run_tag_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  const struct hf_task *row = row_named(c, "repos.tag.create");
  const char *revision = arg(args, "revision"), *tag = arg(args, "tag");
  (void)state;
  TRY(begin(&hub, c, args, out));
  hf_status st = hf_hub_row_send(&hub, row, args, &resp);
  if (st == HF_OK) return hf_hub_done(c, out, row, args);
  return in_words(c, st, args, hf_hub_text(c, "Revision '%s' not found.", revision ? revision : "None"),
                  hf_hub_text(c, "Tag '%s' already exists on '%s'.", tag, arg(args, "repo_id")));
}

static hf_status run_tag_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  static const char layout[] = "{\"kind\":\"table\",\"headers\":[\"name\",\"target_commit\",\"ref\"]}";
  struct hf_hub hub;
  struct hf_repo repo = {arg(args, "repo_type"), arg(args, "repo_id")};
  json_t *refs, *ref;
  size_t i;
  (void)state;
  TRY(begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, repo.id));
  hf_status st = hf_hub_refs(&hub, &repo, false, &refs);
  if (st != HF_OK) return in_words(c, st, args, NULL, NULL);
  json_t *tags = json_object_get(refs, "tags");
  st = json_array_size(tags) ? hf_host()->record(out, HF_OUT_LAYOUT, layout, sizeof layout - 1) : HF_OK;
  json_array_foreach(tags, i, ref) {
    if (st != HF_OK) break;
    st = hf_hub_record(out, c, HF_OUT_ITEM,
                       json_pack("{s:O, s:O, s:O}", "name", json_object_get(ref, "name"), "target_commit",
                                 json_object_get(ref, "target_commit"), "ref", json_object_get(ref, "ref")));
  }
  json_decref(refs);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

static hf_status run_tag_delete(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_http_resp resp;
  const struct hf_task *row = row_named(c, "repos.tag.delete");
  const char *tag = arg(args, "tag"), *id = arg(args, "repo_id");
  const char *text = hf_hub_text(c, "You are about to delete tag %s on %s %s", tag, arg(args, "repo_type"), id);
  (void)state;
  if (!text) return HF_ENOMEM;
  TRY(hf_hub_say(out, c, HF_OUT_TEXT, text));
  TRY(hf_hub_confirm(c, out, args, row->confirm));
  TRY(begin(&hub, c, args, out));
  hf_status st = hf_hub_row_send(&hub, row, args, &resp);
  if (st == HF_OK) return hf_hub_done(c, out, row, args);
  return in_words(c, st, args, hf_hub_text(c, "Tag '%s' not found on '%s'.", tag, id), NULL);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------ */

#define POSITIONAL(n, v, h, f) \
  { .name = n, .help = h, .value_name = v, .type = HF_P_STR, .flags = HF_PF_POSITIONAL | (f) }
#define REPO_ID POSITIONAL("repo_id", "REPO_ID", "Repo, such as `username/repo-name`.", HF_PF_REQUIRED)
#define TEXT(n, h) \
  { .name = n, .help = h, .type = HF_P_STR }
#define FLAG(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL, .deflt = "false", .flags = HF_PF_TRISTATE }
#define REPO_TYPE                                                                                       \
  {                                                                                                     \
    .name = "repo_type", .spellings = "=--type,--repo-type", .help = "Kind of repo.", .deflt = "model", \
    .choices = "model,dataset,space,kernel", .type = HF_P_CHOICE                                        \
  }
#define TOKEN                                                                                        \
  {                                                                                                  \
    .name = "token", .help = "User access token to use instead of the saved one.", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                            \
  }
#define YES \
  { .name = "yes", .spellings = "=-y,--yes", .help = "Do not ask.", .type = HF_P_BOOL }
#define EXIST_OK(what) FLAG("exist_ok", "No error when the " what " is there already.")
#define VISIBILITY                                                                                                \
  {.name = "private", .help = "Only for you and your organization.", .type = HF_P_BOOL, .flags = HF_PF_TRISTATE}, \
      {.name = "public", .help = "For everybody.", .type = HF_P_BOOL}, {                                          \
    .name = "protected", .help = "For everybody, but not its source; Spaces only.", .type = HF_P_BOOL             \
  }
#define GROUP_ID TEXT("resource_group_id", "Resource group to put it into; Enterprise organizations only.")
#define SPACE                                                                                                  \
  {.name = "hardware",                                                                                         \
   .spellings = "=--flavor",                                                                                   \
   .help = "Hardware of the Space, such as 'cpu-basic' or 't4-medium'.",                                       \
   .choices =                                                                                                  \
       "cpu-basic,cpu-upgrade,zero-a10g,t4-small,t4-medium,l4x1,l4x4,l40sx1,l40sx4,l40sx8,a10g-small,"         \
       "a10g-large,a10g-largex2,a10g-largex4,a100-large,a100x4,a100x8,rtx-pro-6000,rtx-pro-6000x2,"            \
       "rtx-pro-6000x4,rtx-pro-6000x8",                                                                        \
   .type = HF_P_STR},                                                                                          \
      {.name = "sleep_time",                                                                                   \
       .help = "Seconds without use after which the Space sleeps, -1: never.",                                 \
       .type = HF_P_INT},                                                                                      \
      {.name = "secrets",                                                                                      \
       .spellings = "=-s,--secrets",                                                                           \
       .help = "Secret variable: NAME takes the value from your environment, NAME=VALUE shows it to others.",  \
       .type = HF_P_STR,                                                                                       \
       .flags = HF_PF_REPEAT | HF_PF_SECRET},                                                                  \
      TEXT("secrets_file", "File of secret variables, `-` for stdin."),                                        \
      {.name = "env",                                                                                          \
       .spellings = "=-e,--env",                                                                               \
       .help = "Variable of the Space, NAME=VALUE.",                                                           \
       .type = HF_P_STR,                                                                                       \
       .flags = HF_PF_REPEAT},                                                                                 \
      TEXT("env_file", "File of variables, `-` for stdin."), {                                                 \
    .name = "volume", .spellings = "=-v,--volume",                                                             \
    .help = "Mount a repo or bucket: hf://[TYPE/]SOURCE:/MOUNT_PATH[:ro]; may be repeated.", .type = HF_P_STR, \
    .flags = HF_PF_REPEAT                                                                                      \
  }

static const struct hf_param list_params[] = {
    TEXT("namespace", "Organization whose repos to list, instead of yours."),
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .help = "Only repos of this kind.",
     .choices = "model,dataset,space,bucket",
     .type = HF_P_CHOICE},
    TEXT("search", "Only repos whose id contains this."),
    {.name = "limit", .help = "At most so many; 0: all.", .deflt = "30", .type = HF_P_INT},
    {.name = "explore", .help = "Not available here.", .type = HF_P_BOOL},
    TOKEN};
static const struct hf_param list_api_params[] = {TEXT("namespace", "Organization; without it your own repos"), TOKEN};
static const struct hf_param create_params[] = {
    REPO_ID,
    REPO_TYPE,
    {.name = "sdk",
     .spellings = "=--sdk,--space-sdk",
     .help = "Kind of Space: gradio, docker or static.",
     .type = HF_P_STR},
    TEXT("template", "Official template to begin a Space with, by id or name."),
    VISIBILITY,
    TOKEN,
    EXIST_OK("repo"),
    GROUP_ID,
    {.name = "region", .help = "Region to keep it in; Team plan and above.", .choices = "us,eu", .type = HF_P_CHOICE},
    SPACE};
static const struct hf_param duplicate_params[] = {
    POSITIONAL("from_id", "FROM_ID", "Repo to copy, such as `username/repo-name`.", HF_PF_REQUIRED),
    POSITIONAL("to_id", "TO_ID", "The copy; without it the same name under your account.", 0),
    REPO_TYPE,
    VISIBILITY,
    TOKEN,
    EXIST_OK("repo"),
    GROUP_ID,
    SPACE};
static const struct hf_param delete_params[] = {REPO_ID, REPO_TYPE, TOKEN,
                                                FLAG("missing_ok", "No error when there is no such repo."), YES};
static const struct hf_param move_params[] = {
    POSITIONAL("from_id", "FROM_ID", "Repo as it is named now, such as `username/repo-name`.", HF_PF_REQUIRED),
    POSITIONAL("to_id", "TO_ID", "Its new name.", HF_PF_REQUIRED), TOKEN, REPO_TYPE};
static const struct hf_param settings_params[] = {REPO_ID,
                                                  {.name = "gated",
                                                   .help = "Whether access must be requested, and who decides.",
                                                   .choices = "auto,manual,false",
                                                   .type = HF_P_CHOICE},
                                                  VISIBILITY,
                                                  TOKEN,
                                                  REPO_TYPE};
static const struct hf_param branch_create_params[] = {
    REPO_ID,
    POSITIONAL("branch", "BRANCH", "The new branch.", HF_PF_REQUIRED),
    TEXT("revision", "Branch, tag or commit to begin at."),
    TOKEN,
    REPO_TYPE,
    EXIST_OK("branch")};
static const struct hf_param branch_delete_params[] = {
    REPO_ID, POSITIONAL("branch", "BRANCH", "The branch to delete.", HF_PF_REQUIRED), TOKEN, REPO_TYPE};
static const struct hf_param tag_create_params[] = {
    REPO_ID,
    POSITIONAL("tag", "TAG", "The new tag.", HF_PF_REQUIRED),
    {.name = "message", .spellings = "=-m,--message", .help = "Description of the tag.", .type = HF_P_STR},
    {.name = "revision", .help = "Branch, tag or commit to tag.", .type = HF_P_STR},
    TOKEN,
    REPO_TYPE};
static const struct hf_param tag_list_params[] = {REPO_ID, TOKEN, REPO_TYPE};
static const struct hf_param tag_delete_params[] = {
    REPO_ID, POSITIONAL("tag", "TAG", "The tag to delete.", HF_PF_REQUIRED), YES, TOKEN, REPO_TYPE};

static const struct hf_route list_routes[] = {
    {.method = "GET", .path = "/api/settings/repositories", .paging = HF_PAGE_LINK},
    {.method = "GET", .path = "/api/organizations/{namespace}/settings/repositories", .paging = HF_PAGE_LINK}};
static const struct hf_route create_routes[] = {
    {.method = "POST",
     .path = "/api/repos/create",
     .body = "name organization visibility type=repo_type sdk template hardware sleepTimeSeconds=sleep_time secrets "
             "variables=env volumes=volume resourceGroupId=resource_group_id region",
     .tries = 1}};
static const struct hf_route duplicate_routes[] = {
    {.method = "POST",
     .path = "/api/{repo_type}s/{from_id}/duplicate",
     .body =
         "repository=to_id visibility resourceGroupId=resource_group_id hardware sleepTimeSeconds=sleep_time secrets "
         "variables=env volumes=volume",
     .tries = 1}};
static const struct hf_route delete_routes[] = {
    {.method = "DELETE", .path = "/api/repos/delete", .body = "name organization type=repo_type", .tries = 1}};
static const struct hf_route move_routes[] = {
    {.method = "POST", .path = "/api/repos/move", .body = "fromRepo=from_id toRepo=to_id type=repo_type", .tries = 1}};
static const struct hf_route settings_routes[] = {
    {.method = "PUT", .path = "/api/{repo_type}s/{repo_id}/settings", .body = "gated visibility", .tries = 1}};
static const struct hf_route branch_create_routes[] = {{.method = "POST",
                                                        .path = "/api/{repo_type}s/{repo_id}/branch/{branch}",
                                                        .body = "startingPoint=revision",
                                                        .tries = 1}};
static const struct hf_route branch_delete_routes[] = {
    {.method = "DELETE", .path = "/api/{repo_type}s/{repo_id}/branch/{branch}", .tries = 1}};
static const struct hf_route tag_create_routes[] = {
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/tag/{revision}", .body = "tag message", .tries = 1}};
static const struct hf_route tag_list_routes[] = {
    {.method = "GET", .path = "/api/{repo_type}s/{repo_id}/refs", .tries = 1}};
static const struct hf_route tag_delete_routes[] = {
    {.method = "DELETE", .path = "/api/{repo_type}s/{repo_id}/tag/{tag}", .tries = 1}};

#define ROUTES(r) .routes = r, .route_count = HF_COUNT(r)
#define WRITES    (HF_TK_NETWORK | HF_TK_WRITES | HF_TK_TYPE_PREFIX)

static const struct hf_task rows[] = {
    {.name = "repos.list",
     .aliases = "ls",
     .group_help = "Manage repos on the Hub.",
     .summary = "List your repos, or those of an organization, with the storage they use.",
     .examples = "hf repos ls\nhf repos ls --namespace my-org --search bert",
     .params = HF_TABLE(list_params),
     .id_key = "id",
     ROUTES(list_routes),
     .flags = HF_TK_NETWORK,
     .run = run_list},
    {.name = "repos.create",
     .summary = "Create a repo.",
     .examples = "hf repos create my-model\nhf repos create my-dataset --repo-type dataset --private\nhf repos create "
                 "my-space --type space --sdk gradio --flavor t4-medium --secrets HF_TOKEN -e THEME=dark",
     .params = HF_TABLE(create_params),
     ROUTES(create_routes),
     .flags = WRITES,
     .run = hf_hub_run_create,
     .api = "create_repo"},
    {.name = "repos.duplicate",
     .summary = "Copy a repo, on the server.",
     .examples = "hf repos duplicate openai/gdpval --type dataset",
     .params = HF_TABLE(duplicate_params),
     ROUTES(duplicate_routes),
     .flags = WRITES,
     .run = hf_hub_run_duplicate,
     .api = "duplicate_repo"},
    {.name = "repos.delete",
     .summary = "Delete a repo for ever.",
     .examples = "hf repos delete my-model",
     .params = HF_TABLE(delete_params),
     ROUTES(delete_routes),
     .flags = WRITES | HF_TK_DESTROYS,
     .run = run_delete,
     .api = "delete_repo",
     .confirm = "You are about to permanently delete {repo_type} '{repo_id}'. Proceed?",
     .done = "Repo deleted",
     .result = "repo_id"},
    {.name = "repos.move",
     .summary = "Give a repo another name or owner.",
     .examples = "hf repos move old-namespace/my-model new-namespace/my-model",
     .params = HF_TABLE(move_params),
     ROUTES(move_routes),
     .flags = WRITES,
     .run = run_move,
     .api = "move_repo",
     .done = "Repo moved",
     .result = "from_id to_id"},
    {.name = "repos.settings",
     .summary = "Change who sees a repo and who gets access.",
     .examples = "hf repos settings my-model --private\nhf repos settings my-model --gated auto",
     .params = HF_TABLE(settings_params),
     ROUTES(settings_routes),
     .flags = WRITES,
     .run = run_settings,
     .api = "update_repo_settings",
     .done = "Repo settings updated",
     .result = "repo_id"},
    {.name = "repos.branch.create",
     .group_help = "Manage branches for a repo on the Hub.",
     .summary = "Create a branch.",
     .examples = "hf repos branch create my-model dev\nhf repos branch create my-model dev --revision abc123",
     .params = HF_TABLE(branch_create_params),
     ROUTES(branch_create_routes),
     .flags = WRITES,
     .run = run_branch_create,
     .api = "create_branch",
     .done = "Branch created",
     .result = "branch repo_type repo_id"},
    {.name = "repos.branch.delete",
     .summary = "Delete a branch.",
     .examples = "hf repos branch delete my-model dev",
     .params = HF_TABLE(branch_delete_params),
     ROUTES(branch_delete_routes),
     .flags = WRITES,
     .api = "delete_branch",
     .done = "Branch deleted",
     .result = "branch repo_type repo_id"},
    {.name = "repos.tag.create",
     .group_help = "Manage tags for a repo on the Hub.",
     .summary = "Create a tag.",
     .examples = "hf repos tag create my-model v1.0\nhf repos tag create my-model v1.0 -m \"First release\"",
     .params = HF_TABLE(tag_create_params),
     ROUTES(tag_create_routes),
     .flags = WRITES,
     .run = run_tag_create,
     .api = "create_tag",
     .done = "Tag created",
     .result = "tag repo_type repo_id"},
    {.name = "repos.tag.list",
     .aliases = "ls",
     .summary = "List the tags of a repo.",
     .examples = "hf repos tag list my-model",
     .params = HF_TABLE(tag_list_params),
     .id_key = "name",
     ROUTES(tag_list_routes),
     .flags = HF_TK_NETWORK | HF_TK_TYPE_PREFIX,
     .run = run_tag_list},
    {.name = "repos.tag.delete",
     .summary = "Delete a tag.",
     .examples = "hf repos tag delete my-model v1.0",
     .params = HF_TABLE(tag_delete_params),
     ROUTES(tag_delete_routes),
     .flags = WRITES | HF_TK_DESTROYS,
     .run = run_tag_delete,
     .api = "delete_tag",
     .confirm = "Proceed?",
     .done = "Tag deleted",
     .result = "tag repo_type repo_id"},
    {.name = "list_user_repos",
     .summary = "List your repos, or those of an organization, with the storage they use",
     .params = HF_TABLE(list_api_params),
     ROUTES(list_routes),
     .flags = HF_TK_NETWORK | HF_TK_NOT_A_COMMAND,
     .run = run_list_api,
     .api = "list_user_repos"},
};

const struct hf_tasks hf_hub_tasks_repos_admin = HF_HUB_TASKS("hub-repos-admin", "Own repos", HF_TABLE(rows));
