/* commit_tasks.c - commits as tasks: hf repos delete-files and its old spelling, and for programs create_commit, delete_file,
 * delete_folder and preupload_lfs_files.
 * Operations come as JSON: {"op":"add","path":..,"file":..} or "content" or "base64"; "delete", "delete_folder", "copy". */
#include "commit.h"

#include <stdlib.h>
#include <string.h>

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out, struct hf_hub_commit *k) {
  const struct hf_host *H = hf_host();
  int64_t on = 0;
  *k = (struct hf_hub_commit){.hub = hub};
  k->repo = (struct hf_repo){H->arg_str(args, "repo_type", 0), H->arg_str(args, "repo_id", 0)};
  if (!k->repo.type) k->repo.type = "model";
  k->revision = H->arg_str(args, "revision", 0);
  if (!k->revision) k->revision = "main";
  k->message = H->arg_str(args, "commit_message", 0);
  k->description = H->arg_str(args, "commit_description", 0);
  k->parent = H->arg_str(args, "parent_commit", 0);
  k->create_pr = H->arg_int(args, "create_pr", &on) && on;
  TRY(hf_hub_check_repo(c, k->repo.id));
  TRY(hf_hub_check_type(c, k->repo.type));
  return hf_hub_begin(hub, c, out, H->arg_str(args, "token", 0), NULL, false);
}

static hf_status give(const struct hf_hub_commit *k, hf_out *out) {
  json_t *made = json_pack("{s:s, s:s, s:s, s:s}", "commit_url", k->url, "commit_message", k->message,
                           "commit_description", k->description, "oid", k->oid);
  if (made && k->pr_url) json_object_set_new(made, "pr_url", json_string(k->pr_url));
  return hf_hub_record(out, k->hub->call, HF_OUT_RESULT, made);
}

/* ---- delete-files ------------------------------------------------------------------------------------------------------- */

static hf_status delete_files(struct hf_hub_commit *k, const hf_args *args) {
  hf_call *c = k->hub->call;
  uint32_t count = hf_host()->arg_count(args, "patterns");
  const char **patterns = hf_host()->arena(c, (count + 1) * sizeof *patterns), *list = "";
  if (!patterns) return HF_ENOMEM;
  for (uint32_t i = 0; i < count && list; i++) {
    patterns[i] = hf_host()->arg_str(args, "patterns", i);
    list = hf_hub_text(c, "%s%s%s", list, i ? " " : "", patterns[i]);
  }
  if (!list) return HF_ENOMEM;
  TRY(hf_hub_add_deletions(k->hub, &k->ops, &k->repo, k->revision, "", patterns, count));
  if (!k->message) k->message = hf_hub_text(c, "Delete files %s with huggingface_hub", list);
  TRY(hf_hub_commit_check(k));
  return hf_hub_commit_run(k);
}

static hf_status run_delete(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_commit k;
  (void)state;
  TRY(begin(&hub, c, args, out, &k));
  hf_status st = delete_files(&k, args);
  hf_hub_ops_free(&k.ops);
  TRY(st);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Files deleted"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "repo_id", k.repo.id, "commit_url", k.url));
}

/* ---- for programs --------------------------------------------------------------------------------------------------------- */

static hf_status run_one(hf_call *c, const hf_args *args, hf_out *out, bool folder) {
  struct hf_hub hub;
  struct hf_hub_commit k;
  const char *path = hf_host()->arg_str(args, "path_in_repo", 0);
  TRY(begin(&hub, c, args, out, &k));
  if (!k.message) k.message = hf_hub_text(c, "Delete %s%s with huggingface_hub", folder ? "folder " : "", path);
  hf_status st = hf_hub_commit_check(&k);
  if (st == HF_OK) st = hf_hub_add_deletion(c, &k.ops, path, folder);
  if (st == HF_OK) st = hf_hub_commit_run(&k);
  hf_hub_ops_free(&k.ops);
  return st == HF_OK ? give(&k, out) : st;
}

static hf_status run_delete_file(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_one(c, args, out, false);
}

static hf_status run_delete_folder(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_one(c, args, out, true);
}

static int digit(char ch) {
  return ch >= 'A' && ch <= 'Z'   ? ch - 'A'
         : ch >= 'a' && ch <= 'z' ? ch - 'a' + 26
         : ch >= '0' && ch <= '9' ? ch - '0' + 52
         : ch == '+'              ? 62
         : ch == '/'              ? 63
                                  : -1;
}

static const uint8_t *unbase64(hf_call *c, const char *text, size_t *len) {
  size_t n = strlen(text), used = 0;
  uint8_t *out = hf_host()->arena(c, n / 4 * 3 + 4);
  uint32_t bits = 0, v = 0;
  while (n && text[n - 1] == '=') n--;
  for (size_t i = 0; out && i < n; i++) {
    int d = digit(text[i]);
    if (d < 0) return NULL;
    v = v << 6 | (uint32_t)d;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out[used++] = (uint8_t)(v >> bits);
  }
  *len = used;
  return out;
}

static hf_status add_json(hf_call *c, struct hf_hub_ops *ops, const json_t *row) {
  const char *op = hf_hub_get(row, "op"), *path = hf_hub_get(row, "path"), *file = hf_hub_get(row, "file");
  json_t *content = json_object_get(row, "content");
  const char *base64 = hf_hub_get(row, "base64");
  if (!op || !path)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Every operation of a commit has an \"op\" and a \"path\".");
  if (!strcmp(op, "delete")) return hf_hub_add_deletion(c, ops, path, path[0] && path[strlen(path) - 1] == '/');
  if (!strcmp(op, "delete_folder")) return hf_hub_add_deletion(c, ops, path, true);
  if (!strcmp(op, "copy")) {
    struct hf_hub_copy copy = {.path = hf_hub_get(row, "src_path"),
                               .repo_id = hf_hub_get(row, "src_repo_id"),
                               .repo_type = hf_hub_get(row, "src_repo_type"),
                               .revision = hf_hub_get(row, "src_revision")};
    if (!copy.path || !copy.repo_id != !copy.repo_type)
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "A copy has a \"src_path\", and \"src_repo_id\" and \"src_repo_type\" only together.");
    const char **kept[] = {&copy.repo_id, &copy.repo_type, &copy.revision};
    for (size_t i = 0; i < HF_COUNT(kept); i++)
      if (*kept[i] && !(*kept[i] = hf_host()->intern(c, *kept[i], SIZE_MAX))) return HF_ENOMEM;
    return hf_hub_add_copy(c, ops, path, &copy);
  }
  if (strcmp(op, "add"))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "'%.64s' is no operation: use add, delete, delete_folder or copy.",
                       op);
  if (file) return hf_hub_add_file(c, ops, path, file);
  size_t len = json_string_length(content);
  const void *bytes = NULL;
  if (json_is_string(content))
    bytes = hf_host()->intern(c, json_string_value(content), len);
  else if (base64)
    bytes = unbase64(c, base64, &len);
  if (!bytes)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "The addition of '%s' has neither \"file\" nor \"content\" nor \"base64\".", path);
  return hf_hub_add_bytes(c, ops, path, bytes, len);
}

static hf_status commit_json(struct hf_hub_commit *k, const hf_args *args) {
  hf_call *c = k->hub->call;
  const char *text = hf_host()->arg_str(args, "operations", 0);
  json_t *list, *row;
  size_t i;
  if (k->only_send) k->message = "-";
  TRY(hf_hub_commit_check(k));
  TRY(hf_hub_parse(c, text, strlen(text), "operations", &list));
  hf_status st = json_is_array(list) ? HF_OK : hf_hub_fail(c, HF_EINVAL, "ValueError", "operations is a list.");
  json_array_foreach(list, i, row) if (st == HF_OK) st = add_json(c, &k->ops, row);
  json_decref(list);
  return st == HF_OK ? hf_hub_commit_run(k) : st;
}

static hf_status run_commit(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_commit k;
  (void)state;
  TRY(begin(&hub, c, args, out, &k));
  hf_status st = commit_json(&k, args);
  hf_hub_ops_free(&k.ops);
  return st == HF_OK ? give(&k, out) : st;
}

static hf_status run_preupload(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_commit k;
  (void)state;
  TRY(begin(&hub, c, args, out, &k));
  k.only_send = true;
  hf_status st = commit_json(&k, args);
  json_t *list = json_array();
  for (uint32_t i = 0; i < k.ops.count && st == HF_OK; i++)
    if (k.ops.rows[i].mode == HF_MODE_LFS) json_array_append_new(list, json_string(k.ops.rows[i].path));
  hf_hub_ops_free(&k.ops);
  if (st != HF_OK) return json_decref(list), st;
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:o}", "lfs", list));
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

#define REPO_ID_ROW                                                                                                   \
  {                                                                                                                   \
    .name = "repo_id", .help = "The repo: `username/repo-name`, or with its type in front.", .value_name = "REPO_ID", \
    .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED                                                      \
  }
#define TYPE_ROW(choices_)                                                                              \
  {                                                                                                     \
    .name = "repo_type", .spellings = "=--type,--repo-type", .help = "Kind of repo.", .deflt = "model", \
    .choices = choices_, .type = HF_P_CHOICE                                                            \
  }
#define PATTERNS_ROW                                                                                           \
  {                                                                                                            \
    .name = "patterns", .help = "Patterns of files to delete; `*` crosses folders.", .value_name = "PATTERNS", \
    .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED | HF_PF_REPEAT                                \
  }
#define WORDS_ROWS                                                                                         \
  {.name = "revision", .help = "Branch to commit to, or `refs/pr/N`.", .type = HF_P_STR},                  \
      {.name = "commit_message", .help = "First line of the commit.", .type = HF_P_STR},                   \
      {.name = "commit_description", .help = "What else the commit says.", .type = HF_P_STR}, {            \
    .name = "create_pr", .help = "Open a pull request instead of committing to the branch.", .deflt = "0", \
    .type = HF_P_BOOL, .flags = HF_PF_TRISTATE                                                             \
  }
#define TOKEN_ROW                                                                                    \
  {                                                                                                  \
    .name = "token", .help = "User access token to use instead of the saved one.", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                            \
  }
#define PARENT_ROW \
  { .name = "parent_commit", .help = "Commit that must still be the newest one.", .type = HF_P_STR }

static const struct hf_param delete_params[] = {REPO_ID_ROW, PATTERNS_ROW, TYPE_ROW("model,dataset,space,kernel"),
                                                WORDS_ROWS, TOKEN_ROW};
static const struct hf_param old_delete_params[] = {REPO_ID_ROW, PATTERNS_ROW, TYPE_ROW("model,dataset,space"),
                                                    WORDS_ROWS, TOKEN_ROW};
static const struct hf_param one_params[] = {REPO_ID_ROW,
                                             {.name = "path_in_repo",
                                              .help = "Path of the file or folder in the repo.",
                                              .value_name = "PATH_IN_REPO",
                                              .type = HF_P_STR,
                                              .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
                                             TYPE_ROW("model,dataset,space,kernel"),
                                             WORDS_ROWS,
                                             PARENT_ROW,
                                             TOKEN_ROW};
static const struct hf_param commit_params[] = {REPO_ID_ROW,
                                                {.name = "operations",
                                                 .help = "List of operations: add, delete, delete_folder, copy.",
                                                 .type = HF_P_JSON,
                                                 .flags = HF_PF_REQUIRED},
                                                TYPE_ROW("model,dataset,space,kernel"),
                                                WORDS_ROWS,
                                                PARENT_ROW,
                                                TOKEN_ROW};

static const struct hf_column delete_columns[] = {{"REPO_ID", "repo_id"}, {"COMMIT_URL", "commit_url"}};
static const struct hf_route delete_routes[] = {
    {.method = "GET",
     .path = "/api/{repo_type}s/{repo_id}/tree/{revision}",
     .query = "recursive expand",
     .paging = HF_PAGE_LINK},
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/commit/{revision}", .query = "create_pr", .tries = 1},
};
static const struct hf_route commit_routes[] = {
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/commit/{revision}", .query = "create_pr", .tries = 1},
    {.method = "POST",
     .path = "/api/{repo_type}s/{repo_id}/preupload/{revision}",
     .query = "create_pr",
     .body = "files gitIgnore"},
    {.method = "POST",
     .path = "/{repo_id}.git/info/lfs/objects/batch",
     .body = "operation transfers objects hash_algo ref"},
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/paths-info/{revision}", .body = "paths expand"},
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/lfs-files/duplicate", .body = "target files"},
    {.method = "POST", .path = "/api/validate-yaml", .body = "content repoType"},
};

#define DELETE_EXAMPLES(command) \
  "hf " command " my-model file.txt\nhf " command " my-model \"*.json\"\nhf " command " my-model folder/"

static const struct hf_task rows[] = {
    {.name = "repos.delete-files",
     .summary = "Delete files from a repo on the Hub.",
     .examples = DELETE_EXAMPLES("repos delete-files"),
     .params = HF_TABLE(delete_params),
     .columns = HF_TABLE(delete_columns),
     .id_key = "repo_id",
     .routes = delete_routes,
     .route_count = HF_COUNT(delete_routes),
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES,
     .run = run_delete,
     .api = "delete_files"},
    {.name = "repo-files.delete",
     .group_help = "Manage files in a repo on the Hub (old spelling of `hf repos delete-files`).",
     .summary = "Delete files from a repo on the Hub; old spelling of `hf repos delete-files`.",
     .examples = DELETE_EXAMPLES("repo-files delete"),
     .params = HF_TABLE(old_delete_params),
     .columns = HF_TABLE(delete_columns),
     .id_key = "repo_id",
     .routes = delete_routes,
     .route_count = HF_COUNT(delete_routes),
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES | HF_TK_HIDDEN,
     .run = run_delete,
     .gone = "2.x"},
    {.name = "create_commit",
     .summary = "Make a commit of additions, deletions and copies.",
     .params = HF_TABLE(commit_params),
     .routes = commit_routes,
     .route_count = HF_COUNT(commit_routes),
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_NOT_A_COMMAND,
     .run = run_commit,
     .api = "create_commit"},
    {.name = "preupload_lfs_files",
     .summary = "Send the large files of a commit before it is made.",
     .params = HF_TABLE(commit_params),
     .routes = commit_routes + 1,
     .route_count = 2,
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_NOT_A_COMMAND,
     .run = run_preupload,
     .api = "preupload_lfs_files"},
    {.name = "delete_file",
     .summary = "Delete one file of a repo, as a commit.",
     .params = HF_TABLE(one_params),
     .routes = commit_routes,
     .route_count = 1,
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_NOT_A_COMMAND | HF_TK_COMPOSES,
     .run = run_delete_file,
     .api = "delete_file"},
    {.name = "delete_folder",
     .summary = "Delete a folder of a repo, as a commit.",
     .params = HF_TABLE(one_params),
     .routes = commit_routes,
     .route_count = 1,
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_NOT_A_COMMAND | HF_TK_COMPOSES,
     .run = run_delete_folder,
     .api = "delete_folder"},
};

const struct hf_tasks hf_hub_tasks_commit = HF_HUB_TASKS("hub-commit", "Make commits, delete files", HF_TABLE(rows));
