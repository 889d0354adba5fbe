/* repos.c - looking at one repo: its description, tree, refs, history, and single paths.
 * The functions serve downloads and the typed API as well; the rows are the same operations for programs, without a
 * command line of their own.
 * Listings follow their pages; nothing is kept between calls. */
#include "hub.h"

#include <stdlib.h>
#include <string.h>

hf_status hf_hub_info(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *expand,
                      json_t **raw) {
  hf_call *c = hub->call;
  const char *url = hf_hub_api_url(hub, repo), *query = "", *quoted = revision ? hf_hub_quote(c, revision, "") : NULL;
  if (url && quoted) url = hf_hub_text(c, "%s/revision/%s", url, quoted);
  for (const char *p = expand; p && *p;) {
    size_t n = strcspn(p, ",");
    const char *name = hf_host()->intern(c, p, n);
    query = name ? hf_hub_query(c, query, "expand", name) : NULL;
    p += n + (p[n] == ',');
  }
  if (url && query && *query) url = hf_hub_text(c, "%s?%s", url, query);
  if (!url || !query) return HF_ENOMEM;
  return hf_hub_json(hub, &(struct hf_hub_req){.url = url, .tries = 1}, raw);
}

hf_status hf_hub_sha(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char **sha) {
  const char *url = hf_hub_api_url(hub, repo), *quoted = hf_hub_quote(hub->call, revision, "");
  if (url && quoted) url = hf_hub_text(hub->call, "%s/revision/%s", url, quoted);
  return url && quoted ? hf_hub_scan(hub, &(struct hf_hub_req){.url = url, .tries = 1}, "sha", sha) : HF_ENOMEM;
}

hf_status hf_hub_tree(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *path,
                      bool recursive, bool expand, hf_hub_item_fn fn, void *arg) {
  hf_call *c = hub->call;
  const char *url = hf_hub_api_url(hub, repo), *rev = hf_hub_quote(c, revision ? revision : "main", "");
  const char *below = path && *path ? hf_hub_quote(c, path, "") : NULL;
  if (!url || !rev || (path && *path && !below)) return HF_ENOMEM;
  url = hf_hub_text(c, "%s/tree/%s%s%s?recursive=%s&expand=%s", url, rev, below ? "/" : "", below ? below : "",
                    recursive ? "true" : "false", expand ? "true" : "false");
  return url ? hf_hub_pages(hub, url, fn, arg) : HF_ENOMEM;
}

hf_status hf_hub_refs(struct hf_hub *hub, const struct hf_repo *repo, bool pulls, json_t **out) {
  static const struct {
    const char *name, *from;
  } groups[] = {
      {"branches", "branches"}, {"converts", "converts"}, {"tags", "tags"}, {"pull_requests", "pullRequests"}};
  const char *url = hf_hub_api_url(hub, repo);
  json_t *raw, *item;
  url = url ? hf_hub_text(hub->call, "%s/refs%s", url, pulls ? "?include_prs=1" : "") : NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_json(hub, &(struct hf_hub_req){.url = url, .tries = 1}, &raw));
  *out = json_object();
  for (size_t i = 0; *out && i < HF_COUNT(groups) - !pulls; i++) {
    json_t *list = json_array();
    size_t k;
    json_array_foreach(json_object_get(raw, groups[i].from), k, item) {
      json_t *ref = json_object();
      json_object_set(ref, "name", json_object_get(item, "name"));
      json_object_set(ref, "ref", json_object_get(item, "ref"));
      json_object_set(ref, "target_commit", json_object_get(item, "targetCommit"));
      json_array_append_new(list, ref);
    }
    json_object_set_new(*out, groups[i].name, list);
  }
  json_decref(raw);
  return *out ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_commits(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, bool formatted,
                         hf_hub_item_fn fn, void *arg) {
  const char *url = hf_hub_api_url(hub, repo), *rev = hf_hub_quote(hub->call, revision ? revision : "main", "");
  url = url && rev ? hf_hub_text(hub->call, "%s/commits/%s%s", url, rev, formatted ? "?expand%5B%5D=formatted" : "")
                   : NULL;
  return url ? hf_hub_pages(hub, url, fn, arg) : HF_ENOMEM;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------- */

struct to_out {
  hf_call *call;
  hf_out *out;
  hf_status (*shape)(hf_call *, const json_t *, json_t **);
};

static hf_status record_item(void *arg, json_t *item) {
  struct to_out *t = arg;
  json_t *made;
  TRY(t->shape(t->call, item, &made));
  return made ? hf_hub_record(t->out, t->call, HF_OUT_ITEM, made) : HF_OK;
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out, struct hf_repo *repo) {
  const struct hf_host *H = hf_host();
  repo->id = H->arg_str(args, "repo_id", 0);
  repo->type = H->arg_str(args, "repo_type", 0);
  if (!repo->type) repo->type = "model";
  TRY(hf_hub_check_repo(c, repo->id));
  TRY(hf_hub_check_type(c, repo->type));
  return hf_hub_begin(hub, c, out, H->arg_str(args, "token", 0), NULL, false);
}

static bool flag(const hf_args *args, const char *name) {
  int64_t on = 0;
  return hf_host()->arg_int(args, name, &on) && on;
}

/* type NULL: the argument says. */
static hf_status describe(hf_call *c, const char *type, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  json_t *raw, *made;
  TRY(begin(&hub, c, args, out, &repo));
  if (type) repo.type = type;
  TRY(hf_hub_info(&hub, &repo, hf_host()->arg_str(args, "revision", 0), hf_host()->arg_str(args, "expand", 0), &raw));
  hf_status st = hf_hub_shape_info(c, repo.type, raw, &made);
  json_decref(raw);
  return st == HF_OK ? hf_hub_record(out, c, HF_OUT_DICT, made) : st;
}

static hf_status run_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return describe(c, NULL, args, out);
}

static hf_status run_kernel(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return describe(c, "kernel", args, out);
}

static hf_status run_tree(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct to_out t = {c, out, hf_hub_shape_entry};
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_tree(&hub, &repo, hf_host()->arg_str(args, "revision", 0), hf_host()->arg_str(args, "path", 0),
                  flag(args, "recursive"), flag(args, "expand"), record_item, &t));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status only_path(hf_call *c, const json_t *raw, json_t **out) {
  (void)c;
  const char *type = hf_hub_get(raw, "type");
  *out = type && !strcmp(type, "file") ? json_pack("{s:O}", "path", json_object_get(raw, "path")) : NULL;
  return HF_OK;
}

static hf_status run_files(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct to_out t = {c, out, only_path};
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_tree(&hub, &repo, hf_host()->arg_str(args, "revision", 0), NULL, true, false, record_item, &t));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status run_refs(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  json_t *made;
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_refs(&hub, &repo, flag(args, "include_pull_requests"), &made));
  return hf_hub_record(out, c, HF_OUT_DICT, made);
}

static hf_status run_commits(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct to_out t = {c, out, hf_hub_shape_commit};
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_commits(&hub, &repo, hf_host()->arg_str(args, "revision", 0), flag(args, "formatted"), record_item, &t));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* A form: paths=a&paths=b&expand=.. */
static hf_status run_paths(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  json_t *raw, *item;
  const char *form = "", *revision = hf_host()->arg_str(args, "revision", 0);
  size_t i;
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  for (uint32_t k = 0; form && k < hf_host()->arg_count(args, "paths"); k++)
    form = hf_hub_query(c, form, "paths", hf_host()->arg_str(args, "paths", k));
  form = form ? hf_hub_query(c, form, "expand", flag(args, "expand") ? "true" : "false") : NULL;
  const char *url = hf_hub_api_url(&hub, &repo), *rev = hf_hub_quote(c, revision ? revision : "main", "");
  url = form && url && rev ? hf_hub_text(c, "%s/paths-info/%s", url, rev) : NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_json(&hub,
                  &(struct hf_hub_req){.method = "POST",
                                       .url = url,
                                       .tries = 1,
                                       .type = "application/x-www-form-urlencoded",
                                       .body = form,
                                       .body_len = strlen(form)},
                  &raw));
  struct to_out t = {c, out, hf_hub_shape_entry};
  hf_status st = HF_OK;
  json_array_foreach(raw, i, item) if ((st = record_item(&t, item)) != HF_OK) break;
  json_decref(raw);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

#define REPO_ID                                                                                      \
  {                                                                                                  \
    .name = "repo_id", .help = "Repo, as namespace/name", .value_name = "REPO_ID", .type = HF_P_STR, \
    .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL                                                       \
  }
#define REPO_TYPE                                                                                      \
  {                                                                                                    \
    .name = "repo_type", .spellings = "=--type,--repo-type", .help = "Kind of repo", .deflt = "model", \
    .choices = "model,dataset,space,kernel", .type = HF_P_CHOICE                                       \
  }
#define REVISION \
  { .name = "revision", .help = "Branch, tag or commit", .type = HF_P_STR }
#define TOKEN                                                                                       \
  {                                                                                                 \
    .name = "token", .help = "User access token to use instead of the saved one", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                           \
  }
#define FLAG(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL }

static const struct hf_param info_params[] = {
    REPO_ID,
    REPO_TYPE,
    REVISION,
    {.name = "expand", .help = "Properties to return, comma separated", .type = HF_P_STR},
    TOKEN};
static const struct hf_param kernel_params[] = {REPO_ID, REVISION, TOKEN};
static const struct hf_param files_params[] = {REPO_ID, REPO_TYPE, REVISION, TOKEN};
static const struct hf_param tree_params[] = {REPO_ID,
                                              {.name = "path", .help = "Folder to list", .type = HF_P_STR},
                                              REPO_TYPE,
                                              REVISION,
                                              FLAG("recursive", "List folders below too"),
                                              FLAG("expand", "Add last commits and security state"),
                                              TOKEN};
static const struct hf_param refs_params[] = {REPO_ID, REPO_TYPE,
                                              FLAG("include_pull_requests", "List refs of pull requests too"), TOKEN};
static const struct hf_param commits_params[] = {REPO_ID, REPO_TYPE, REVISION,
                                                 FLAG("formatted", "Add titles and messages as HTML"), TOKEN};
static const struct hf_param paths_params[] = {
    REPO_ID,
    {.name = "paths", .help = "Paths to describe", .type = HF_P_STR, .flags = HF_PF_REPEAT | HF_PF_REQUIRED},
    REPO_TYPE,
    REVISION,
    FLAG("expand", "Add last commits and security state"),
    TOKEN};

static const struct hf_route info_routes[] = {
    {.method = "GET", .path = "/api/{repo_type}s/{repo_id}", .query = "expand", .tries = 1},
    {.method = "GET", .path = "/api/{repo_type}s/{repo_id}/revision/{revision}", .query = "expand", .tries = 1}};
static const struct hf_route kernel_routes[] = {
    {.method = "GET", .path = "/api/kernels/{repo_id}", .tries = 1},
    {.method = "GET", .path = "/api/kernels/{repo_id}/revision/{revision}", .tries = 1}};
static const struct hf_route tree_routes[] = {{.method = "GET",
                                               .path = "/api/{repo_type}s/{repo_id}/tree/{revision}",
                                               .query = "recursive expand",
                                               .paging = HF_PAGE_LINK},
                                              {.method = "GET",
                                               .path = "/api/{repo_type}s/{repo_id}/tree/{revision}/{path}",
                                               .query = "recursive expand",
                                               .paging = HF_PAGE_LINK}};
static const struct hf_route refs_routes[] = {{.method = "GET",
                                               .path = "/api/{repo_type}s/{repo_id}/refs",
                                               .query = "include_prs=include_pull_requests",
                                               .tries = 1}};
static const struct hf_route commits_routes[] = {{.method = "GET",
                                                  .path = "/api/{repo_type}s/{repo_id}/commits/{revision}",
                                                  .query = "expand[]=formatted",
                                                  .paging = HF_PAGE_LINK}};
static const struct hf_route paths_routes[] = {{.method = "POST",
                                                .path = "/api/{repo_type}s/{repo_id}/paths-info/{revision}",
                                                .body = "paths expand",
                                                .tries = 1}};

#define ROUTES(r) .routes = r, .route_count = HF_COUNT(r)
#define API_ONLY  (HF_TK_NETWORK | HF_TK_NOT_A_COMMAND)

static const struct hf_task rows[] = {
    {.name = "repo_info",
     .summary = "Describe a repo of any kind",
     .params = HF_TABLE(info_params),
     ROUTES(info_routes),
     .flags = API_ONLY | HF_TK_COMPOSES,
     .run = run_info,
     .api = "repo_info"},
    {.name = "kernel_info",
     .summary = "Describe a kernel repo",
     .params = HF_TABLE(kernel_params),
     ROUTES(kernel_routes),
     .flags = API_ONLY,
     .run = run_kernel,
     .api = "kernel_info"},
    {.name = "list_repo_files",
     .summary = "List the paths of all files of a repo",
     .params = HF_TABLE(files_params),
     .routes = tree_routes,
     .route_count = 1,
     .flags = API_ONLY | HF_TK_COMPOSES,
     .run = run_files,
     .api = "list_repo_files"},
    {.name = "list_repo_tree",
     .summary = "List files and folders of a repo",
     .params = HF_TABLE(tree_params),
     ROUTES(tree_routes),
     .flags = API_ONLY,
     .run = run_tree,
     .api = "list_repo_tree"},
    {.name = "list_repo_refs",
     .summary = "List branches, tags and other refs of a repo",
     .params = HF_TABLE(refs_params),
     ROUTES(refs_routes),
     .flags = API_ONLY,
     .run = run_refs,
     .api = "list_repo_refs"},
    {.name = "list_repo_commits",
     .summary = "List the commits of a repo, newest first",
     .params = HF_TABLE(commits_params),
     ROUTES(commits_routes),
     .flags = API_ONLY,
     .run = run_commits,
     .api = "list_repo_commits"},
    {.name = "get_paths_info",
     .summary = "Describe given paths of a repo",
     .params = HF_TABLE(paths_params),
     ROUTES(paths_routes),
     .flags = API_ONLY,
     .run = run_paths,
     .api = "get_paths_info"},
};

const struct hf_tasks hf_hub_tasks_repos = HF_HUB_TASKS("hub-repos", "Look at one repo", HF_TABLE(rows));
