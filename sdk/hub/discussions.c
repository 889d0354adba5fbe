/* discussions.c - `hf discussions`: discussions and pull requests of a repo: list, show, open, comment, edit, close, merge.
 * Most are a route and a sentence; the functions are for pages counted by number, for texts from files, and for attachments.
 * Titles and texts come from others: they reach a terminal through the printer, which takes control characters out. */
#include "rows.h"

#include <string.h>

/* ---- what the reference's data classes hold --------------------------------------------------------------------------- */

static hf_status own_endpoint(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  struct hf_hub hub;
  (void)whole, (void)v;
  TRY(hf_hub_begin(&hub, c, NULL, NULL, NULL, false));
  *out = json_string(hub.endpoint);
  return *out ? HF_OK : HF_ENOMEM;
}

static bool is_pull(const json_t *raw) {
  return json_is_true(json_object_get(raw, "isPullRequest"));
}

#define WORD(n, f) \
  { .name = n, .from = f, .needed = true }
#define OF_PULL(n, f) \
  { .name = n, .from = f, .shape = of_pull }
static hf_status of_pull(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)c;
  *out = is_pull(whole) ? hf_hub_without_null(v) : NULL;
  return HF_OK;
}

#define COMMON                                                                                           \
  WORD("title", NULL), WORD("status", NULL), WORD("num", NULL), WORD("repo_id", "repo/name"),            \
      WORD("repo_type", "repo/type"), {.name = "author", .from = "author/name", .deflt = "\"deleted\""}, \
      WORD("is_pull_request", "isPullRequest"),                                                          \
      {.name = "created_at", .from = "createdAt", .shape = hf_hub_field_date, .needed = true}, {         \
    .name = "endpoint", .from = "title", .shape = own_endpoint                                           \
  }
static const struct hf_hub_field listed[] = {COMMON};

static hf_status event(hf_call *c, const json_t *raw, json_t **out) {
#define EVENT                                                                                    \
  {.name = "id", .needed = true}, {.name = "type", .needed = true},                              \
      {.name = "created_at", .from = "createdAt", .shape = hf_hub_field_date, .needed = true}, { \
    .name = "author", .from = "author/name", .deflt = "\"deleted\""                              \
  }
  static const struct hf_hub_field plain[] = {EVENT};
  static const struct hf_hub_field more[][3] = {
      {{.name = "content", .from = "data/latest/raw"},
       {.name = "edited", .from = "data/edited"},
       {.name = "hidden", .from = "data/hidden"}},
      {{.name = "new_status", .from = "data/status"}},
      {{.name = "summary", .from = "data/subject"}, {.name = "oid", .from = "data/oid"}},
      {{.name = "old_title", .from = "data/from"}, {.name = "new_title", .from = "data/to"}}};
  static const char *const kinds[] = {"comment", "status-change", "commit", "title-change"};
  const char *type = hf_hub_get(raw, "type");
  json_t *own = NULL;
  TRY(hf_hub_shape_fields(c, plain, HF_COUNT(plain), raw, out));
  json_object_set_new(*out, "_event", hf_hub_without_null(raw));
  for (size_t i = 0; type && i < HF_COUNT(kinds); i++) {
    size_t n = 0;
    while (n < HF_COUNT(more[i]) && more[i][n].name) n++;
    if (strcmp(type, kinds[i]) != 0) continue;
    hf_status st = hf_hub_shape_fields(c, more[i], n, raw, &own);
    if (st != HF_OK) return json_decref(*out), st;
    json_object_update(*out, own);
    json_decref(own);
  }
  return HF_OK;
}

static hf_status events(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  size_t i;
  json_t *item, *made;
  (void)whole;
  *out = json_array();
  json_array_foreach((json_t *)(uintptr_t)v, i, item) {
    hf_status st = event(c, item, &made);
    if (st == HF_OK && !json_array_append_new(*out, made)) continue;
    json_decref(*out);
    return st == HF_OK ? HF_ENOMEM : st;
  }
  return *out ? HF_OK : HF_ENOMEM;
}

static const struct hf_hub_field details[] = {COMMON,
                                              {.name = "events", .shape = events, .needed = true},
                                              OF_PULL("conflicting_files", "filesWithConflicts"),
                                              OF_PULL("target_branch", "changes/base"),
                                              OF_PULL("merge_commit_oid", "changes/mergeCommitId"),
                                              {.name = "diff"}};

/* ---- list, show -------------------------------------------------------------------------------------------------------- */

static const char *repo_url(struct hf_hub *hub, const hf_args *args) {
  struct hf_repo repo = {hf_hub_arg(args, "repo_type"), hf_hub_arg(args, "repo_id")};
  const char *url = hf_hub_check_repo(hub->call, repo.id) == HF_OK ? hf_hub_api_url(hub, &repo) : NULL;
  return url ? hf_hub_text(hub->call, "%s/discussions", url) : NULL;
}

static hf_status failed(hf_call *c) {
  return hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
}

static hf_status not_kernel(hf_call *c, const hf_args *args) {
  if (strcmp(hf_hub_arg(args, "repo_type"), "kernel") != 0) return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "ValueError",
                     "Invalid repo type, must be one of [None, 'model', 'dataset', 'space']");
}

/* Pages are counted: p=0, 1, .. until start + their length is the whole. */
static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  enum { PAGES_MOST = 100000 };
  const struct hf_hub_row *row = hf_hub_row_of(c, "discussions.list");
  const char *status = hf_hub_arg(args, "status"), *kind = hf_hub_arg(args, "kind"),
             *author = hf_hub_arg(args, "author");
  const char *only = !strcmp(status, "merged") || !strcmp(status, "draft") ? status : NULL, *query = "";
  struct hf_hub hub;
  int64_t limit = 30, shown = 0, p = 0;
  bool more = true;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(not_kernel(c, args));
  hf_host()->arg_int(args, "limit", &limit);
  const char *base = repo_url(&hub, args);
  if (strcmp(kind, "all") != 0) query = hf_hub_query(c, query, "type", kind);
  if (!only && strcmp(status, "all") != 0) query = hf_hub_query(c, query, "status", status);
  if (author) query = hf_hub_query(c, query, "author", author);
  if (!base || !query) return failed(c);
  TRY(hf_host()->record(out, HF_OUT_LAYOUT, row->layout, strlen(row->layout)));
  for (; more && p < PAGES_MOST; p++) {
    json_t *page, *item;
    size_t i;
    const char *url = hf_hub_text(c, "%s?%s%sp=%lld", base, query, *query ? "&" : "", (long long)p);
    TRY(hf_hub_ask(&hub, "GET", url, NULL, &page));
    json_t *list = json_object_get(page, "discussions");
    json_int_t seen = json_integer_value(json_object_get(page, "start")) + (json_int_t)json_array_size(list);
    more = json_array_size(list) && seen < json_integer_value(json_object_get(page, "count"));
    hf_status st = HF_OK;
    json_array_foreach(list, i, item) {
      const char *is = hf_hub_get(item, "status");
      if (only && (!is || strcmp(is, only) != 0)) continue;
      if ((st = hf_hub_shown_item(c, out, row, item)) != HF_OK) break;
      if (++shown >= limit) break;
    }
    json_decref(page);
    TRY(st);
    if (shown && shown >= limit) break;
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status one(struct hf_hub *hub, const hf_args *args, int64_t num, json_t **raw) {
  const char *url = repo_url(hub, args);
  url = url ? hf_hub_text(hub->call, "%s/%lld?diff=1", url, (long long)num) : NULL;
  return url ? hf_hub_ask(hub, "GET", url, NULL, raw) : failed(hub->call);
}

static hf_status look(hf_call *c, const hf_args *args, hf_out *out, json_t **raw) {
  struct hf_hub hub;
  int64_t num = 0;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(not_kernel(c, args));
  hf_host()->arg_int(args, "num", &num);
  return one(&hub, args, num, raw);
}

static hf_status run_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  json_t *raw = NULL;
  (void)state;
  TRY(look(c, args, out, &raw));
  hf_status st = hf_hub_shown_dict(c, out, hf_hub_row_of(c, "discussions.info"), raw);
  json_decref(raw);
  return st;
}

static hf_status run_diff(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  json_t *raw = NULL;
  (void)state;
  TRY(look(c, args, out, &raw));
  const char *diff = hf_hub_get(raw, "diff");
  hf_status st = hf_hub_say(out, c, HF_OUT_TEXT, diff && *diff ? diff : "No diff available.");
  json_decref(raw);
  return st;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------ */

static const char *stripped(hf_call *c, const char *text) {
  static const char blanks[] = " \t\n\r\v\f";
  if (!text) return NULL;
  text += strspn(text, blanks);
  size_t n = strlen(text);
  while (n && strchr(blanks, text[n - 1])) n--;
  return hf_host()->intern(c, text, n);
}

static hf_status run_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  bool pull = hf_hub_given(args, "pull_request");
  struct hf_hub hub;
  const char *body = NULL;
  json_t *answer = NULL, *seen = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_message(&hub, args, &body));
  TRY(not_kernel(c, args));
  body = stripped(c, body);
  if (!body || !*body)
    body = hf_hub_text(c,
                       "%s opened with the [huggingface_hub Python "
                       "library](https://huggingface.co/docs/huggingface_hub)",
                       pull ? "Pull Request" : "Discussion");
  const char *url = repo_url(&hub, args), *title = stripped(c, hf_hub_arg(args, "title"));
  if (!url || !title || !body) return failed(c);
  TRY(hf_hub_ask(&hub, "POST", url,
                 json_pack("{s:s, s:s, s:b}", "title", title, "description", body, "pullRequest", pull), &answer));
  json_int_t num = json_integer_value(json_object_get(answer, "num"));
  json_decref(answer);
  TRY(one(&hub, args, num, &seen));
  const char *type = hf_hub_get(json_object_get(seen, "repo"), "type");
  const char *id = hf_hub_get(json_object_get(seen, "repo"), "name");
  bool plain = !type || !strcmp(type, "model");
  const char *web = hf_hub_text(c, "%s/%s%s%s/discussions/%lld", hub.endpoint, plain ? "" : type, plain ? "" : "s/",
                                id ? id : "", (long long)num);
  const char *ref = pull ? hf_hub_text(c, "refs/pr/%lld", (long long)num) : NULL;
  const char *done = hf_hub_text(c, "Created %s #%lld on %s", pull ? "pull request" : "discussion", (long long)num,
                                 hf_hub_arg(args, "repo_id"));
  json_decref(seen);
  if (!web || !done) return HF_ENOMEM;
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, done));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:I, s:s, s:s?}", "num", num, "url", web, "ref", ref));
}

/* POST of {member: text} to discussions/{num}/{what}. */
static hf_status post(struct hf_hub *hub, const hf_args *args, const char *task, const char *what, json_t *body) {
  hf_call *c = hub->call;
  json_t *answer = NULL;
  const char *url = repo_url(hub, args);
  url = url ? hf_hub_text(c, "%s/%s/%s", url, hf_hub_arg(args, "num"), what) : NULL;
  if (!url) return json_decref(body), failed(c);
  TRY(hf_hub_ask(hub, "POST", url, body, &answer));
  hf_status st = hf_hub_shown_result(c, hub->out, hf_hub_row_of(c, task), args, answer);
  json_decref(answer);
  return st;
}

static hf_status run_comment(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *body = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_message(&hub, args, &body));
  if (!body || !*body) return hf_hub_bad_value(c, "Either --body, --body-file or --attach is required.");
  TRY(not_kernel(c, args));
  return post(&hub, args, "discussions.comment", "comment", json_pack("{s:s}", "comment", body));
}

static hf_status run_edit(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *body = NULL;
  (void)state;
  if (!hf_hub_arg(args, "body") && !hf_hub_arg(args, "body_file"))
    return hf_hub_bad_value(c, "Either --body or --body-file is required.");
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_message(&hub, args, &body));
  TRY(not_kernel(c, args));
  char *id = (char *)(uintptr_t)hf_hub_quote(c, hf_hub_arg(args, "comment_id"), "");
  for (char *s = id; s && *s; s++)
    if (*s >= 'A' && *s <= 'Z') *s = (char)(*s - 'A' + 'a');
  const char *what = id ? hf_hub_text(c, "comment/%s/edit", id) : NULL;
  if (!what) return HF_ENOMEM;
  return post(&hub, args, "discussions.edit", what, json_pack("{s:s}", "content", body ? body : ""));
}

static hf_status change(hf_call *c, const hf_args *args, hf_out *out, const char *task, const char *what,
                        const char *status) {
  struct hf_hub hub;
  const char *comment = stripped(c, hf_hub_arg(args, "comment"));
  TRY(hf_hub_confirm(c, out, args, hf_hub_row_of(c, task)->task.confirm));
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(not_kernel(c, args));
  json_t *body = status ? json_pack("{s:s}", "status", status) : NULL;
  if (comment && *comment) {
    if (!body) body = json_object();
    json_object_set_new(body, "comment", json_string(comment));
  }
  return post(&hub, args, task, what, body);
}

static hf_status run_close(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return change(c, args, out, "discussions.close", "status", "closed");
}

static hf_status run_reopen(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return change(c, args, out, "discussions.reopen", "status", "open");
}

static hf_status run_merge(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return change(c, args, out, "discussions.merge", "merge", NULL);
}

static hf_status run_rename(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(not_kernel(c, args));
  return post(&hub, args, "discussions.rename", "title", json_pack("{s:s}", "title", hf_hub_arg(args, "new_title")));
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

#define NUM                                                                                                    \
  {                                                                                                            \
    .name = "num", .value_name = "NUM", .help = "Number of the discussion or pull request.", .choices = "1..", \
    .type = HF_P_INT, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED                                               \
  }
#define BODY(what)                                                                         \
  HF_TEXT("body", what ", in Markdown."), {                                                \
    .name = "body_file", .help = "File to read it from, `-` for stdin.", .type = HF_P_PATH \
  }
#define ATTACH                                                                                                      \
  {                                                                                                                 \
    .name = "attach", .help = "Image, video or audio file to add: FILE or 'FILE#words about it'; may be repeated.", \
    .type = HF_P_STR, .flags = HF_PF_REPEAT, .since = "2.x"                                                         \
  }
#define REPO HF_REPO_TYPE, HF_TOKEN_PARAM

static const struct hf_param list_params[] = {HF_REPO_ID,
                                              {.name = "status",
                                               .spellings = "=-s,--status",
                                               .help = "Only those of this status.",
                                               .deflt = "open",
                                               .choices = "open,closed,merged,draft,all",
                                               .type = HF_P_CHOICE},
                                              {.name = "kind",
                                               .spellings = "=-k,--kind",
                                               .help = "Only discussions, or only pull requests.",
                                               .deflt = "all",
                                               .choices = "all,discussion,pull_request",
                                               .type = HF_P_CHOICE},
                                              HF_TEXT("author", "Only what this user or organization opened."),
                                              HF_NUMBER("limit", "30", "At most so many."),
                                              REPO};
static const struct hf_param num_params[] = {HF_REPO_ID, NUM, REPO};
static const struct hf_param create_params[] = {
    HF_REPO_ID,
    {.name = "title", .help = "Its title.", .type = HF_P_STR, .flags = HF_PF_REQUIRED},
    BODY("Its first message"),
    {.name = "pull_request",
     .spellings = "=--pull-request,--pr",
     .help = "Open a pull request instead of a discussion.",
     .type = HF_P_BOOL},
    ATTACH,
    REPO};
static const struct hf_param comment_params[] = {HF_REPO_ID, NUM, BODY("The comment"), ATTACH, REPO};
static const struct hf_param edit_params[] = {
    HF_REPO_ID,
    NUM,
    HF_WORD("comment_id", "COMMENT_ID", "Id of the comment, as `hf discussions info` shows it."),
    BODY("The new text"),
    ATTACH,
    REPO};
static const struct hf_param change_params[] = {HF_REPO_ID, NUM, HF_TEXT("comment", "Comment to add."), HF_YES, REPO};
static const struct hf_param rename_params[] = {HF_REPO_ID, NUM, HF_WORD("new_title", "NEW_TITLE", "The new title."),
                                                REPO};

#define PATH "/api/{repo_type}s/{repo_id}/discussions"
static const struct hf_route list_routes[] = {
    {.method = "GET", .path = PATH, .query = "type=kind status author", .tries = 1}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = PATH "/{num}", .query = "diff:1", .tries = 1}};
static const struct hf_route create_routes[] = {
    {.method = "POST", .path = PATH, .body = "title description=body pullRequest=pull_request", .tries = 1}};
static const struct hf_route comment_routes[] = {
    {.method = "POST", .path = PATH "/{num}/comment", .body = "comment=body", .tries = 1}};
static const struct hf_route edit_routes[] = {
    {.method = "POST", .path = PATH "/{num}/comment/{comment_id}/edit", .body = "content=body", .tries = 1}};
static const struct hf_route close_routes[] = {
    {.method = "POST", .path = PATH "/{num}/status", .body = "status:closed comment", .tries = 1}};
static const struct hf_route reopen_routes[] = {
    {.method = "POST", .path = PATH "/{num}/status", .body = "status:open comment", .tries = 1}};
static const struct hf_route rename_routes[] = {
    {.method = "POST", .path = PATH "/{num}/title", .body = "title=new_title", .tries = 1}};
static const struct hf_route merge_routes[] = {
    {.method = "POST", .path = PATH "/{num}/merge", .body = "comment", .tries = 1}};

#define READS    (HF_ROW_READS | HF_TK_TYPE_PREFIX)
#define WRITES   (HF_ROW_WRITES | HF_TK_TYPE_PREFIX)
#define DESTROYS (HF_ROW_DESTROYS | HF_TK_TYPE_PREFIX)

static const struct hf_hub_row rows[] = {
    {.task = {.name = "discussions.list",
              .aliases = "ls",
              .group_help = "Manage discussions and pull requests on the Hub.",
              .summary = "List the discussions and pull requests of a repo.",
              .examples = "hf discussions list username/my-model\nhf discussions list username/my-model --kind "
                          "pull_request --status merged",
              .params = HF_TABLE(list_params),
              .id_key = "num",
              HF_ROUTES(list_routes),
              .flags = READS,
              .run = run_list,
              .api = "get_repo_discussions"},
     HF_HUB_SHOWS(listed),
     .layout = "{\"kind\":\"table\",\"headers\":[\"num\",\"title\",\"is_pull_request\",\"status\",\"author\","
               "\"created_at\"],\"id_key\":\"num\"}"},
    {.task = {.name = "discussions.info",
              .summary = "Show a discussion or pull request with everything that happened in it.",
              .examples = "hf discussions info username/my-model 5",
              .params = HF_TABLE(num_params),
              HF_ROUTES(info_routes),
              .flags = READS,
              .run = run_info,
              .api = "get_discussion_details"},
     HF_HUB_SHOWS(details)},
    {.task = {.name = "discussions.create",
              .summary = "Open a discussion or a pull request.",
              .examples = "hf discussions create username/my-model --title \"Bug report\"\nhf discussions create "
                          "username/my-model --title \"Fix typo\" --pull-request",
              .params = HF_TABLE(create_params),
              HF_ROUTES(create_routes),
              .flags = WRITES,
              .run = run_create,
              .api = "create_discussion create_pull_request"}},
    {.task = {.name = "discussions.comment",
              .summary = "Comment on a discussion or pull request.",
              .examples = "hf discussions comment username/my-model 5 --body \"Thanks for reporting!\"",
              .params = HF_TABLE(comment_params),
              HF_ROUTES(comment_routes),
              .flags = WRITES,
              .run = run_comment,
              .api = "comment_discussion",
              .done = "Commented on #{num} in {repo_id}",
              .result = "num repo=repo_id"}},
    {.task = {.name = "discussions.edit",
              .summary = "Change a comment.",
              .examples = "hf discussions edit username/my-model 5 abc123 --body \"Updated comment.\"",
              .params = HF_TABLE(edit_params),
              HF_ROUTES(edit_routes),
              .flags = WRITES,
              .run = run_edit,
              .api = "edit_discussion_comment",
              .done = "Edited comment {comment_id} on #{num} in {repo_id}",
              .result = "num repo=repo_id comment_id"}},
    {.task = {.name = "discussions.close",
              .summary = "Close a discussion or pull request.",
              .examples = "hf discussions close username/my-model 5 --comment \"Closing as resolved.\"",
              .params = HF_TABLE(change_params),
              HF_ROUTES(close_routes),
              .flags = DESTROYS,
              .run = run_close,
              .api = "change_discussion_status",
              .confirm = "Close #{num} on '{repo_id}'?",
              .done = "Closed #{num} in {repo_id}",
              .result = "num repo=repo_id"}},
    {.task = {.name = "discussions.reopen",
              .summary = "Open a closed discussion or pull request again.",
              .examples = "hf discussions reopen username/my-model 5",
              .params = HF_TABLE(change_params),
              HF_ROUTES(reopen_routes),
              .flags = DESTROYS,
              .run = run_reopen,
              .confirm = "Reopen #{num} on '{repo_id}'?",
              .done = "Reopened #{num} in {repo_id}",
              .result = "num repo=repo_id"}},
    {.task = {.name = "discussions.rename",
              .summary = "Give a discussion or pull request another title.",
              .examples = "hf discussions rename username/my-model 5 \"Updated title\"",
              .params = HF_TABLE(rename_params),
              HF_ROUTES(rename_routes),
              .flags = WRITES,
              .run = run_rename,
              .api = "rename_discussion",
              .done = "Renamed #{num} in {repo_id}",
              .result = "num repo=repo_id title=new_title"}},
    {.task = {.name = "discussions.merge",
              .summary = "Merge a pull request.",
              .examples = "hf discussions merge username/my-model 5",
              .params = HF_TABLE(change_params),
              HF_ROUTES(merge_routes),
              .flags = DESTROYS,
              .run = run_merge,
              .api = "merge_pull_request",
              .confirm = "Merge #{num} on '{repo_id}'?",
              .done = "Merged #{num} in {repo_id}",
              .result = "num repo=repo_id"}},
    {.task = {.name = "discussions.diff",
              .summary = "Show what a pull request changes.",
              .examples = "hf discussions diff username/my-model 5",
              .params = HF_TABLE(num_params),
              HF_ROUTES(info_routes),
              .flags = READS,
              .run = run_diff}},
};

const struct hf_tasks hf_hub_tasks_discussions = HF_HUB_ROWS("hub-discussions", "Discussions", HF_TABLE(rows));
