/* repos_access.c - who may see a gated repo, who likes one, and whether something is there at all; squashing a history.
 * Operations for programs: rows without a command line.
 * Most are a route and nothing else. */
#include "hub.h"

#include <string.h>

static const char *arg(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out, struct hf_repo *repo) {
  repo->id = arg(args, "repo_id");
  repo->type = arg(args, "repo_type");
  TRY(hf_hub_check_repo(c, repo->id));
  return hf_hub_begin(hub, c, out, arg(args, "token"), NULL, false);
}

/* ---- is it there? -------------------------------------------------------------------------------------------------------------- */

/* {"exists": ..}; these errors mean no, others stay. gated: what GatedRepoError means, 2: an error. */
static hf_status answer(hf_call *c, hf_out *out, hf_status st, int gated) {
  static const char *const absent[] = {"RepositoryNotFoundError", "RevisionNotFoundError", "RemoteEntryNotFoundError"};
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  int exists = st == HF_OK ? 1 : 2;
  for (size_t i = 0; e && i < HF_COUNT(absent); i++)
    if (hf_hub_error_is(e, absent[i])) exists = 0;
  if (hf_hub_error_is(e, "GatedRepoError")) exists = gated;
  if (exists == 2) return st;
  hf_host()->clear(c);
  return hf_hub_record(out, c, HF_OUT_DICT, json_pack("{s:b}", "exists", exists));
}

static hf_status look(hf_call *c, const hf_args *args, hf_out *out, const char *revision) {
  struct hf_hub hub;
  struct hf_repo repo;
  json_t *info = NULL;
  TRY(begin(&hub, c, args, out, &repo));
  hf_status st = hf_hub_info(&hub, &repo, revision, NULL, &info);
  json_decref(info);
  return answer(c, out, st, 1);
}

static hf_status run_repo_exists(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return look(c, args, out, NULL);
}

static hf_status run_revision_exists(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return look(c, args, out, arg(args, "revision"));
}

static hf_status run_file_exists(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct hf_hub_meta meta;
  const char *path = arg(args, "filename"), *revision = arg(args, "revision"), *absent;
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_check_file(c, path));
  return answer(c, out, hf_hub_head(&hub, &repo, revision ? revision : "main", path, false, &meta, &absent), 2);
}

/* ---- access requests --------------------------------------------------------------------------------------------------------- */

struct to_out {
  hf_call *call;
  hf_out *out;
};

static hf_status access_request(void *to, json_t *raw) {
  static const struct {
    const char *name, *from;
    bool of_user;
  } rows[] = {{"username", "user", true}, {"request_id", "requestId", false}, {"fullname", "fullname", true},
              {"email", "email", true},   {"status", "status", false},        {"timestamp", "timestamp", false},
              {"fields", "fields", false}};
  const struct to_out *t = to;
  json_t *item = json_object();
  for (size_t i = 0; item && i < HF_COUNT(rows); i++) {
    json_t *value = json_object_get(rows[i].of_user ? json_object_get(raw, "user") : raw, rows[i].from), *date = NULL;
    if (!value || json_is_null(value)) continue;
    if (!strcmp(rows[i].name, "timestamp") && json_is_string(value) &&
        hf_hub_shape_date(t->call, json_string_value(value), &date) == HF_OK && date)
      json_object_set_new(item, rows[i].name, date);
    else
      json_object_set(item, rows[i].name, value);
  }
  return hf_hub_record(t->out, t->call, HF_OUT_ITEM, item);
}

static hf_status list_requests(hf_call *c, const hf_args *args, hf_out *out, const char *status) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct to_out t = {c, out};
  TRY(begin(&hub, c, args, out, &repo));
  const char *url = hf_hub_api_url(&hub, &repo);
  url = url ? hf_hub_text(c, "%s/user-access-request/%s", url, status) : NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_hub_pages(&hub, url, access_request, &t));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status run_pending(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return list_requests(c, args, out, "pending");
}
static hf_status run_accepted(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return list_requests(c, args, out, "accepted");
}
static hf_status run_rejected(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return list_requests(c, args, out, "rejected");
}

static hf_status handle(hf_call *c, const hf_args *args, hf_out *out, const char *task) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct hf_http_resp resp;
  const struct hf_task *row = hf_task_find(hf_call_runtime(c), task);
  const char *user = arg(args, "user"), *request = arg(args, "request_id");
  if (!user && !request)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "One of `user` or `request_id` must be provided.");
  if (user && request) return hf_hub_fail(c, HF_EINVAL, "ValueError", "Cannot provide both `user` and `request_id`.");
  TRY(begin(&hub, c, args, out, &repo));
  TRY(hf_hub_row_send(&hub, row, args, &resp));
  return hf_hub_done(c, out, row, args);
}

static hf_status run_accept(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return handle(c, args, out, "accept_access_request");
}
static hf_status run_reject(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return handle(c, args, out, "reject_access_request");
}
static hf_status run_cancel(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return handle(c, args, out, "cancel_access_request");
}

/* ---- likes, history ------------------------------------------------------------------------------------------------------------ */

struct likes {
  json_t *all; /* {"models": [..], ..} */
  int64_t total;
};

static hf_status like(void *to, json_t *raw) {
  struct likes *l = to;
  const json_t *repo = json_object_get(raw, "repo");
  const char *type = hf_hub_get(repo, "type"), *name = hf_hub_get(repo, "name");
  char list[32];
  l->total++;
  if (!type || !name || strlen(type) > 16) return HF_OK;
  memcpy(list, type, strlen(type));
  memcpy(list + strlen(type), "s", 2);
  json_array_append_new(json_object_get(l->all, list), json_string(name));
  return HF_OK;
}

static hf_status run_liked(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *user = arg(args, "user"), *token;
  json_t *info;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, arg(args, "token"), NULL, false));
  if (!user) {
    TRY(hf_hub_token(&hub, &token));
    TRY(hf_hub_whoami(&hub, token, &info));
    const char *type = hf_hub_get(info, "type");
    if (type && !strcmp(type, "user")) user = hf_host()->intern(c, hf_hub_get(info, "name"), SIZE_MAX);
    json_decref(info);
    if (!user)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "Cannot list liked repos. You must provide a 'user' as input or be logged in as a user.");
  }
  const char *quoted = hf_hub_quote(c, user, "");
  const char *url = quoted ? hf_hub_text(c, "%s/api/users/%s/likes", hub.endpoint, quoted) : NULL;
  struct likes l = {json_pack("{s:[], s:[], s:[], s:[]}", "datasets", "kernels", "models", "spaces"), 0};
  hf_status st = url && l.all ? hf_hub_pages(&hub, url, like, &l) : HF_ENOMEM;
  json_t *result = st == HF_OK ? json_pack("{s:s, s:I}", "user", user, "total", (json_int_t)l.total) : NULL;
  if (result) json_object_update(result, l.all);
  json_decref(l.all);
  return st == HF_OK ? hf_hub_record(out, c, HF_OUT_DICT, result) : st;
}

static hf_status run_squash(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_repo repo;
  struct hf_http_resp resp;
  const char *branch = arg(args, "branch"), *message = arg(args, "commit_message");
  (void)state;
  TRY(begin(&hub, c, args, out, &repo));
  if (!branch) branch = "main";
  if (!message || !*message) message = hf_hub_text(c, "Super-squash branch '%s' using huggingface_hub", branch);
  const char *url = hf_hub_api_url(&hub, &repo), *quoted = hf_hub_quote(c, branch, "");
  url = url && quoted ? hf_hub_text(c, "%s/super-squash/%s", url, quoted) : NULL;
  if (!url || !message) return HF_ENOMEM;
  TRY(hf_hub_send_json(&hub, "POST", url, json_pack("{s:s}", "message", message), 0, &resp));
  return hf_hub_done(c, out, hf_task_find(hf_call_runtime(c), "super_squash_history"), args);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------------ */

#define REPO_ID \
  { .name = "repo_id", .help = "Repo, as namespace/name", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED }
#define REPO_TYPE                                                                                           \
  {                                                                                                         \
    .name = "repo_type", .help = "Kind of repo", .deflt = "model", .choices = "model,dataset,space,kernel", \
    .type = HF_P_CHOICE                                                                                     \
  }
#define TOKEN                                                                                       \
  {                                                                                                 \
    .name = "token", .help = "User access token to use instead of the saved one", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                           \
  }
#define TEXT(n, h) \
  { .name = n, .help = h, .type = HF_P_STR }
#define NEEDED(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED }

static const struct hf_param repo_params[] = {REPO_ID, REPO_TYPE, TOKEN};
static const struct hf_param revision_params[] = {REPO_ID, NEEDED("revision", "Branch, tag or commit"), REPO_TYPE,
                                                  TOKEN};
static const struct hf_param file_params[] = {REPO_ID, NEEDED("filename", "Path in the repo"), REPO_TYPE,
                                              TEXT("revision", "Branch, tag or commit"), TOKEN};
static const struct hf_param handle_params[] = {
    REPO_ID, TEXT("user", "Who asked"), TEXT("request_id", "The request, where names are not shown"), REPO_TYPE, TOKEN};
static const struct hf_param reject_params[] = {REPO_ID,
                                                TEXT("user", "Who asked"),
                                                TEXT("request_id", "The request, where names are not shown"),
                                                TEXT("rejection_reason", "What they are told, at most 200 characters"),
                                                REPO_TYPE,
                                                TOKEN};
static const struct hf_param grant_params[] = {REPO_ID, NEEDED("user", "Who may see it from now on"), REPO_TYPE, TOKEN};
static const struct hf_param liked_params[] = {TEXT("user", "Whose likes; without it yours"), TOKEN};
static const struct hf_param squash_params[] = {REPO_ID, TEXT("branch", "Branch, main without it"),
                                                TEXT("commit_message", "Message of the one commit that stays"),
                                                REPO_TYPE, TOKEN};

#define REPO_PATH "/api/{repo_type}s/{repo_id}"
static const struct hf_route info_routes[] = {{.method = "GET", .path = REPO_PATH, .tries = 1}};
static const struct hf_route revision_routes[] = {
    {.method = "GET", .path = REPO_PATH "/revision/{revision}", .tries = 1}};
static const struct hf_route file_routes[] = {
    {.method = "HEAD", .path = "/{repo_id}/resolve/{revision}/{+filename}", .tries = 1}};
static const struct hf_route pending_routes[] = {
    {.method = "GET", .path = REPO_PATH "/user-access-request/pending", .paging = HF_PAGE_LINK}};
static const struct hf_route accepted_routes[] = {
    {.method = "GET", .path = REPO_PATH "/user-access-request/accepted", .paging = HF_PAGE_LINK}};
static const struct hf_route rejected_routes[] = {
    {.method = "GET", .path = REPO_PATH "/user-access-request/rejected", .paging = HF_PAGE_LINK}};
static const struct hf_route accept_routes[] = {{.method = "POST",
                                                 .path = REPO_PATH "/user-access-request/handle",
                                                 .body = "user requestId=request_id status:accepted",
                                                 .tries = 1}};
static const struct hf_route cancel_routes[] = {{.method = "POST",
                                                 .path = REPO_PATH "/user-access-request/handle",
                                                 .body = "user requestId=request_id status:pending",
                                                 .tries = 1}};
static const struct hf_route reject_routes[] = {
    {.method = "POST",
     .path = REPO_PATH "/user-access-request/handle",
     .body = "user requestId=request_id status:rejected rejectionReason=rejection_reason",
     .tries = 1}};
static const struct hf_route grant_routes[] = {
    {.method = "POST", .path = REPO_PATH "/user-access-request/grant", .body = "user", .tries = 1}};
static const struct hf_route unlike_routes[] = {{.method = "DELETE", .path = REPO_PATH "/like", .tries = 1}};
static const struct hf_route likers_routes[] = {{.method = "GET", .path = REPO_PATH "/likers", .paging = HF_PAGE_LINK}};
static const struct hf_route liked_routes[] = {
    {.method = "GET", .path = "/api/users/{user}/likes", .paging = HF_PAGE_LINK}};
static const struct hf_route squash_routes[] = {
    {.method = "POST", .path = REPO_PATH "/super-squash/{branch}", .body = "message=commit_message", .tries = 1}};

#define ROUTES(r)    .routes = r, .route_count = HF_COUNT(r)
#define READS        (HF_TK_NETWORK | HF_TK_NOT_A_COMMAND)
#define WRITES       (HF_TK_NETWORK | HF_TK_NOT_A_COMMAND | HF_TK_WRITES)
#define ROW(n, s, p) .name = n, .api = n, .summary = s, .params = HF_TABLE(p)

static const struct hf_task rows[] = {
    {ROW("repo_exists", "Is there such a repo?", repo_params), ROUTES(info_routes), .flags = READS | HF_TK_COMPOSES,
     .run = run_repo_exists},
    {ROW("revision_exists", "Is there such a revision?", revision_params), ROUTES(revision_routes),
     .flags = READS | HF_TK_COMPOSES, .run = run_revision_exists},
    {ROW("file_exists", "Is there such a file?", file_params), ROUTES(file_routes), .flags = READS | HF_TK_COMPOSES,
     .run = run_file_exists},
    {ROW("list_pending_access_requests", "List who waits for access", repo_params), ROUTES(pending_routes),
     .flags = READS, .run = run_pending},
    {ROW("list_accepted_access_requests", "List who was given access", repo_params), ROUTES(accepted_routes),
     .flags = READS, .run = run_accepted},
    {ROW("list_rejected_access_requests", "List who was refused access", repo_params), ROUTES(rejected_routes),
     .flags = READS, .run = run_rejected},
    {ROW("accept_access_request", "Give access to somebody who asked", handle_params), ROUTES(accept_routes),
     .flags = WRITES, .run = run_accept, .done = "Access request accepted", .result = "repo_id user request_id"},
    {ROW("cancel_access_request", "Put a request back among those that wait", handle_params), ROUTES(cancel_routes),
     .flags = WRITES, .run = run_cancel, .done = "Access request cancelled", .result = "repo_id user request_id"},
    {ROW("reject_access_request", "Refuse access to somebody who asked", reject_params), ROUTES(reject_routes),
     .flags = WRITES, .run = run_reject, .done = "Access request rejected", .result = "repo_id user request_id"},
    {ROW("grant_access", "Give access to somebody who did not ask", grant_params), ROUTES(grant_routes),
     .flags = WRITES, .done = "Access granted", .result = "repo_id user"},
    {ROW("unlike", "Take a repo off the list of those you like", repo_params), ROUTES(unlike_routes), .flags = WRITES,
     .done = "Repo unliked", .result = "repo_id"},
    {ROW("list_repo_likers", "List who likes a repo", repo_params), ROUTES(likers_routes), .flags = READS},
    {ROW("list_liked_repos", "List the repos that somebody likes", liked_params), ROUTES(liked_routes), .flags = READS,
     .run = run_liked},
    {ROW("super_squash_history", "Make one commit of a branch's history, for ever", squash_params),
     ROUTES(squash_routes), .flags = WRITES, .run = run_squash, .done = "History squashed", .result = "repo_id branch"},
};

const struct hf_tasks hf_hub_tasks_repos_access =
    HF_HUB_TASKS("hub-repos-access", "Access, likes, existence", HF_TABLE(rows));
