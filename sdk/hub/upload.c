/* upload.c - hf upload: which file or folder the words mean and where it goes in the repo, as one commit or as one every few
 * minutes; and hf upload-large-folder, which is the same with other words.
 * Everything is looked at on this side before the first request. */
#include "commit.h"
#include "rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EARLY_FILES = 4 * HF_WINDOW };

static bool is_file(const char *path) {
  struct stat st;
  return path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path) {
  struct stat st;
  return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- what the commands share with the typed functions ----------------------------------------------------------------- */

const char *hf_hub_folder_prefix(hf_call *c, const char *target) {
  size_t n = target ? strlen(target) : 0;
  while (n && target[n - 1] == '/') n--;
  while (n && *target == '/') target++, n--;
  return n ? hf_hub_text(c, "%.*s/", (int)n, target) : "";
}

struct deleting {
  struct hf_hub *hub;
  struct hf_hub_ops *ops;
  const char *prefix;
  struct hf_hub_patterns patterns;
};

static hf_status on_path(void *arg, json_t *item) {
  struct deleting *d = arg;
  const char *type = hf_hub_get(item, "type"), *path = hf_hub_get(item, "path");
  size_t n = strlen(d->prefix);
  if (!type || !path || strcmp(type, "file") || strncmp(path, d->prefix, n) || !strcmp(path, ".gitattributes"))
    return HF_OK;
  if (!hf_hub_wanted(d->hub->call, &d->patterns, path + n)) return HF_OK;
  return hf_hub_add_deletion(d->hub->call, d->ops, path, false);
}

hf_status hf_hub_add_deletions(struct hf_hub *hub, struct hf_hub_ops *ops, const struct hf_repo *repo,
                               const char *revision, const char *prefix, const char *const *patterns, uint32_t count) {
  static const char *const none[] = {NULL};
  struct deleting d = {hub, ops, prefix, {.allow = count ? patterns : none, .allow_count = count}};
  return hf_hub_tree(hub, repo, revision, NULL, true, false, on_path, &d);
}

hf_status hf_hub_upload_file(struct hf_hub_commit *k, const struct hf_hub_upload *u) {
  hf_call *c = k->hub->call;
  if (!k->message) k->message = hf_hub_text(c, "Upload %s with huggingface_hub", u->target);
  TRY(hf_hub_commit_check(k));
  TRY(hf_hub_add_file(c, &k->ops, u->target, u->local));
  return hf_hub_commit_run(k);
}

static int by_path(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What is added need not be deleted first. */
static hf_status drop_needless(hf_call *c, struct hf_hub_ops *deletions, const struct hf_hub_ops *adds) {
  const char **paths = calloc(adds->count + 1, sizeof *paths);
  uint32_t n = 0;
  if (!paths) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < adds->count; i++) paths[i] = adds->rows[i].path;
  if (adds->count) qsort(paths, adds->count, sizeof *paths, by_path);
  for (uint32_t i = 0; i < deletions->count; i++)
    if (!adds->count || !bsearch(&deletions->rows[i].path, paths, adds->count, sizeof *paths, by_path))
      deletions->rows[n++] = deletions->rows[i];
  deletions->count = n;
  free(paths);
  return HF_OK;
}

static hf_status append(hf_call *c, struct hf_hub_ops *to, struct hf_hub_ops *from) {
  for (uint32_t i = 0; i < from->count; i++) {
    struct hf_hub_op *op = hf_hub_op_new(c, to, from->rows[i].kind);
    if (!op) return HF_ENOMEM;
    *op = from->rows[i];
  }
  from->count = 0; /* what hangs below the rows is the other's now */
  return HF_OK;
}

static hf_status folder_card(struct hf_hub_commit *k, const struct hf_hub_ops *adds, const char *folder) {
  size_t n = strlen(folder);
  for (uint32_t i = 0; i < adds->count; i++) {
    const struct hf_hub_op *op = &adds->rows[i];
    const char *text;
    size_t len;
    if (strncmp(op->local, folder, n) || strcmp(op->local + n, "/README.md")) continue;
    TRY(hf_hub_op_text(k->hub->call, op, 16 << 20, &text, &len));
    TRY(hf_hub_check_card(k->hub, k->repo.type, text, len));
    k->card_checked = !strcmp(op->path, "README.md");
  }
  return HF_OK;
}

static void say_large(struct hf_hub_commit *k, uint32_t count) {
  if (count <= 30 || hf_hub_uses_xet(k->hub->call)) return;
  hf_hub_log(k->hub, count > 200 ? HF_LOG_WARNING : HF_LOG_INFO,
             "It seems you are trying to upload a large folder at once. This might take some time and then fail if the "
             "folder is too large. Installing `hf_xet` (`pip install hf_xet`) enables a more robust, resumable upload "
             "that handles large folders in multiple commits.");
}

/* The folder itself, behind every link. */
static hf_status real_folder(hf_call *c, const char *local, const char **out) {
  char real[4096];
  const char *path = hf_hub_path(c, local);
  if (!path) return HF_ENOMEM;
  if (!is_folder(path) || !realpath(path, real))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Provided path: '%s' is not a directory", path);
  *out = hf_host()->intern(c, real, SIZE_MAX);
  return *out ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_upload_look(struct hf_hub_commit *k, struct hf_hub_upload *u) {
  hf_call *c = k->hub->call;
  const char *prefix = hf_hub_folder_prefix(c, u->target);
  if (!prefix) return HF_ENOMEM;
  if (k->create_pr && k->revision && strcmp(k->revision, "main"))
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Cannot use `create_pr=True` with `revision='%s'`: pull requests created by `upload_folder` are "
                       "always opened against the default branch. Don't set `revision` when `create_pr=True`.",
                       k->revision);
  TRY(real_folder(c, u->local, &u->local));
  return hf_hub_add_folder(c, &u->adds, u->local, prefix, &u->patterns);
}

hf_status hf_hub_upload_folder(struct hf_hub_commit *k, struct hf_hub_upload *u) {
  hf_call *c = k->hub->call;
  if (!k->message || !*k->message) k->message = "Upload folder using huggingface_hub";
  TRY(hf_hub_commit_check(k));
  const char *prefix = hf_hub_folder_prefix(c, u->target);
  if (!prefix) return HF_ENOMEM;
  if (u->remove) {
    const char *below = !strcmp(prefix, "./") ? "" : prefix;
    TRY(hf_hub_add_deletions(k->hub, &k->ops, &k->repo, k->create_pr ? "main" : k->revision, below, u->remove,
                             u->remove_count));
    TRY(drop_needless(c, &k->ops, &u->adds));
  }
  TRY(folder_card(k, &u->adds, u->local));
  say_large(k, u->adds.count);
  TRY(append(c, &k->ops, &u->adds));
  return hf_hub_commit_run(k);
}

/* ---- the words of the command ------------------------------------------------------------------------------------------- */

struct words {
  const char *local, *target;
  const char **include, **exclude, **remove;
  uint32_t include_count, exclude_count, remove_count;
  double every; /* minutes; 0: once */
};

static hf_status by_address(hf_call *c, const hf_args *args, const char *uri, struct hf_hub_commit *k,
                            struct words *w) {
  struct hf_hub_uri u;
  if (hf_host()->arg_count(args, "repo_type"))
    return hf_hub_refuse(c, "'--repo-type' cannot be used with an 'hf://' URI ('%s').", uri);
  if (hf_host()->arg_count(args, "revision"))
    return hf_hub_refuse(c, "'--revision' cannot be used with an 'hf://' URI ('%s').", uri);
  TRY(hf_hub_parse_uri(c, uri, &u));
  if (!strcmp(u.type, "bucket"))
    return hf_hub_refuse(c, "Buckets are not supported by `hf upload`. Use `hf sync` instead.");
  k->repo = (struct hf_repo){u.type, u.id};
  k->revision = u.revision;
  if (!*u.path) return HF_OK;
  if (w->target)
    return hf_hub_refuse(c, "Cannot combine a path in the hf:// URI ('%s') with the `path_in_repo` argument ('%s').",
                         u.path, w->target);
  w->target = u.path;
  return HF_OK;
}

/* Without words: a file or folder that is called like the repo. A path that is there is never a pattern. */
static hf_status resolve(hf_call *c, const char *repo_id, struct words *w) {
  const char *slash = strrchr(repo_id, '/'), *name = slash ? slash + 1 : repo_id;
  if (w->local && access(w->local, F_OK) != 0 && strpbrk(w->local, "*?[")) {
    if (w->include)
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "Cannot set --include when local_path contains a wildcard.");
    if (w->target && strcmp(w->target, "."))
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "Cannot set path_in_repo when local_path contains a wildcard.");
    w->include = hf_host()->arena(c, 2 * sizeof *w->include);
    if (!w->include) return HF_ENOMEM;
    w->include[0] = w->local;
    w->include_count = 1;
    w->local = w->target = ".";
    return HF_OK;
  }
  if (!w->local) {
    bool file = is_file(name);
    if (!file && !is_folder(name))
      return hf_hub_fail(c, HF_EINVAL, "ValueError",
                         "'%s' is not a local file or folder. Please set local_path explicitly.", name);
    w->local = name;
    w->target = file ? name : ".";
    return HF_OK;
  }
  if (w->target) return HF_OK;
  slash = strrchr(w->local, '/');
  w->target = !is_file(w->local) ? "." : slash ? slash + 1 : w->local;
  return HF_OK;
}

static void warn_ignored(struct hf_hub *hub, const struct words *w) {
  const struct {
    uint32_t count;
    const char *name;
  } rows[] = {{w->include_count, "include"}, {w->exclude_count, "exclude"}, {w->remove_count, "delete"}};
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    if (rows[i].count)
      hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Ignoring --%s since a single file is uploaded.", rows[i].name);
}

static hf_status read_words(struct hf_hub_commit *k, const hf_args *args, struct words *w) {
  const struct hf_host *H = hf_host();
  hf_call *c = k->hub->call;
  const char *id = H->arg_str(args, "repo_id", 0), *every = H->arg_str(args, "every", 0), *type;
  int64_t on = 0;
  w->local = H->arg_str(args, "local_path", 0);
  w->target = H->arg_str(args, "path_in_repo", 0);
  if (every) {
    w->every = strtod(every, NULL);
    if (!(w->every > 0) || !isfinite(w->every))
      return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for every: --every must be a positive value");
  }
  if (!strncmp(id, "hf://", 5)) {
    TRY(by_address(c, args, id, k, w));
  } else {
    type = H->arg_str(args, "repo_type", 0);
    k->repo = (struct hf_repo){type ? type : "model", id};
    k->revision = H->arg_str(args, "revision", 0);
  }
  TRY(hf_hub_repeated(c, args, "include", &w->include, &w->include_count));
  TRY(hf_hub_repeated(c, args, "exclude", &w->exclude, &w->exclude_count));
  TRY(hf_hub_repeated(c, args, "delete", &w->remove, &w->remove_count));
  TRY(resolve(c, k->repo.id, w));
  k->message = H->arg_str(args, "commit_message", 0);
  k->description = H->arg_str(args, "commit_description", 0);
  k->create_pr = H->arg_int(args, "create_pr", &on) && on;
  return HF_OK;
}

static int private_of(const hf_args *args) {
  int64_t on = 0;
  return hf_host()->arg_count(args, "private") && hf_host()->arg_int(args, "private", &on) ? on != 0 : -1;
}

/* ---- once --------------------------------------------------------------------------------------------------------------- */

static hf_status prepare_repo(struct hf_hub_commit *k, const hf_args *args) {
  TRY(hf_hub_repo_ensure(k->hub, &k->repo, private_of(args)));
  if (k->revision && !k->create_pr) TRY(hf_hub_branch_ensure(k->hub, &k->repo, k->revision));
  if (!k->revision) k->revision = "main";
  return HF_OK;
}

/* Beside looking at the folder and making the repo: libraries are loaded, then the first files are read. */
struct early {
  struct hf_hub_commit *k;
  struct hf_hub_ops *adds;
  hf_jobs *jobs; /* NULL: nothing runs */
};

static hf_status load(hf_call *c, void *arg) {
  struct hf_digester *d = NULL;
  (void)arg;
  if (hf_host()->digest_new(c, HF_DIGEST_SHA256, 0, &d) == HF_OK)
    hf_host()->digest_end(d, NULL);
  else
    hf_host()->clear(c);
  return HF_OK;
}

static hf_status read_first(hf_call *c, void *arg) {
  struct early *e = arg;
  hf_hub_hash_early(e->k, c, e->adds->rows, e->adds->count < EARLY_FILES ? e->adds->count : EARLY_FILES);
  return HF_OK;
}

static hf_status early_join(struct early *e) {
  hf_status st = e->jobs ? hf_host()->jobs_join(e->jobs) : HF_OK;
  e->jobs = NULL;
  return st;
}

static void early_begin(struct early *e, hf_status (*fn)(hf_call *, void *)) {
  hf_call *c = e->k->hub->call;
  if (hf_host()->jobs_open(c, 1, &e->jobs) != HF_OK || hf_host()->spawn(e->jobs, fn, e) != HF_OK) hf_host()->clear(c);
}

static hf_status folder_once(struct hf_hub_commit *k, const hf_args *args, struct hf_hub_upload *u) {
  struct early e = {.k = k, .adds = &u->adds};
  early_begin(&e, load);
  hf_status st = hf_hub_upload_look(k, u), ended = early_join(&e);
  if (st == HF_OK) st = ended;
  if (st == HF_OK) hf_hub_commit_begin(k);
  if (st == HF_OK) early_begin(&e, read_first);
  if (st == HF_OK) st = prepare_repo(k, args);
  ended = early_join(&e);
  if (st == HF_OK) st = ended;
  if (st == HF_OK) st = hf_hub_upload_folder(k, u);
  for (uint32_t i = 0; i < u->adds.count; i++) /* left by a failure before they became the commit's */
    if (u->adds.rows[i].flags & HF_OP_WHOLE) hf_hub_op_forget(k, &u->adds.rows[i]);
  hf_hub_commit_end(k);
  return st;
}

static hf_status once(struct hf_hub_commit *k, const hf_args *args, const struct words *w) {
  hf_call *c = k->hub->call;
  bool file = is_file(w->local);
  if (!file && !is_folder(w->local))
    return hf_hub_fail(c, HF_ENOTFOUND, "FileNotFoundError", "No such file or directory: '%s'.", w->local);
  if (file) warn_ignored(k->hub, w);
  TRY(hf_hub_check_repo(c, k->repo.id));
  TRY(hf_hub_commit_words(k));
  struct hf_hub_upload u = {.local = w->local,
                            .target = w->target,
                            .patterns = {w->include, w->exclude, w->include_count, w->exclude_count},
                            .remove = w->remove,
                            .remove_count = w->remove_count};
  const char *checked;
  k->split = !file;
  hf_status st = file ? hf_hub_check_file_target(c, w->target, &checked) : folder_once(k, args, &u);
  if (st == HF_OK && file) st = prepare_repo(k, args);
  if (st == HF_OK && file) st = hf_hub_upload_file(k, &u);
  hf_hub_ops_free(&u.adds);
  return st;
}

/* ---- every few minutes ---------------------------------------------------------------------------------------------------- */

static hf_status every(struct hf_hub_commit *k, hf_out *out, const hf_args *args, struct words *w) {
  hf_call *c = k->hub->call;
  struct hf_hub_schedule s = {.repo = k->repo,
                              .revision = k->revision,
                              .folder = w->local,
                              .token = hf_host()->arg_str(args, "token", 0),
                              .patterns = {w->include, w->exclude, w->include_count, w->exclude_count},
                              .minutes = w->every,
                              .private_ = private_of(args)};
  const char *below = w->target, *slash = strrchr(w->local, '/'), *only[2] = {slash ? slash + 1 : w->local, NULL};
  if (is_file(w->local)) { /* its folder is watched, and only its name taken */
    const char *cut = strrchr(w->target, '/'), *name = cut ? cut + 1 : w->target;
    warn_ignored(k->hub, w);
    below = hf_host()->intern(c, w->target, cut ? (size_t)(cut - w->target) : 0);
    s.folder = !slash ? "." : slash == w->local ? "/" : hf_host()->intern(c, w->local, (size_t)(slash - w->local));
    if (!below || !s.folder) return HF_ENOMEM;
    if (*name && strcmp(name, ".") && strcmp(name, only[0])) {
      const char *text = hf_hub_text(c,
                                     "Scheduled uploads keep the local file name, so the file will be uploaded as "
                                     "'%s%s%s' rather than '%s'. Rename the local file to upload it under a different "
                                     "name.",
                                     below, *below ? "/" : "", only[0], w->target);
      TRY(text ? hf_hub_say(out, c, HF_OUT_WARNING, text) : HF_ENOMEM);
    }
    s.patterns = (struct hf_hub_patterns){.allow = only, .allow_count = 1};
  } else if (w->remove_count) {
    hf_hub_log(k->hub, HF_LOG_WARNING, "UserWarning: Ignoring --delete when uploading with scheduled commits.");
  }
  s.prefix = hf_hub_folder_prefix(c, below);
  return s.prefix ? hf_hub_schedule(c, out, &s) : HF_ENOMEM;
}

static hf_status run(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_commit k = {.hub = &hub};
  struct words w = {0};
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), NULL, false));
  TRY(read_words(&k, args, &w));
  hf_status st = w.every > 0 ? every(&k, out, args, &w) : once(&k, args, &w);
  hf_hub_ops_free(&k.ops);
  TRY(st);
  if (w.every > 0) k.url = "Stopped scheduled commits.";
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Uploaded"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "url", k.url));
}

static hf_status run_large(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_host *H = hf_host();
  struct hf_hub hub;
  struct hf_hub_commit k = {.hub = &hub, .split = true};
  struct words w = {.local = H->arg_str(args, "local_path", 0)};
  int64_t workers = 0;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, H->arg_str(args, "token", 0), NULL, false));
  k.repo = (struct hf_repo){H->arg_str(args, "repo_type", 0), H->arg_str(args, "repo_id", 0)};
  k.revision = H->arg_str(args, "revision", 0);
  if (H->arg_int(args, "num_workers", &workers) && (workers < 1 || workers > 128))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "--num-workers must be between 1 and 128.");
  k.width = (uint32_t)workers;
  if (!is_folder(w.local))
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "Provided path: '%s' is not a directory", w.local);
  TRY(hf_hub_repeated(c, args, "include", &w.include, &w.include_count));
  TRY(hf_hub_repeated(c, args, "exclude", &w.exclude, &w.exclude_count));
  w.target = ".";
  hf_status st = once(&k, args, &w);
  hf_hub_ops_free(&k.ops);
  TRY(st);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Uploaded"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "url", k.url));
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

#define PATTERN(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
#define REPO_ID_ROW                                                                                          \
  {                                                                                                          \
    .name = "repo_id",                                                                                       \
    .help =                                                                                                  \
        "The repo: `username/repo-name`, with its type in front as in `datasets/username/repo-name`, or an " \
        "hf:// address.",                                                                                    \
    .value_name = "REPO_ID", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED                    \
  }
#define TOKEN_ROW                                                                                    \
  {                                                                                                  \
    .name = "token", .help = "User access token to use instead of the saved one.", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                            \
  }
#define PRIVATE_ROW                                                                              \
  {                                                                                              \
    .name = "private", .help = "Make the repo private if it has to be made.", .type = HF_P_BOOL, \
    .flags = HF_PF_TRISTATE                                                                      \
  }

static const struct hf_param params[] = {
    REPO_ID_ROW,
    {.name = "local_path",
     .help = "File or folder to upload, or a pattern of files in quotes; without it, what is called like the repo.",
     .value_name = "LOCAL_PATH",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL},
    {.name = "path_in_repo",
     .help = "Where it goes in the repo; without it, a file keeps its name and a folder's files go to the root.",
     .value_name = "PATH_IN_REPO",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL},
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .help = "Kind of repo.",
     .deflt = "(model)",
     .choices = "model,dataset,space,kernel",
     .type = HF_P_CHOICE},
    {.name = "revision", .help = "Branch to commit to, made if it is missing, or `refs/pr/N`.", .type = HF_P_STR},
    PRIVATE_ROW,
    PATTERN("include", "Upload only files that match this pattern, such as `*.json`; may be repeated."),
    PATTERN("exclude", "Leave out files that match this pattern; may be repeated."),
    PATTERN("delete", "Delete files of the repo that match this pattern, in the same commit; may be repeated."),
    {.name = "commit_message", .help = "First line of the commit.", .type = HF_P_STR},
    {.name = "commit_description", .help = "What else the commit says.", .type = HF_P_STR},
    {.name = "create_pr",
     .help = "Open a pull request instead of committing to the branch.",
     .deflt = "0",
     .type = HF_P_BOOL,
     .flags = HF_PF_TRISTATE},
    {.name = "every", .help = "Go on, and commit what changed every so many minutes.", .type = HF_P_FLOAT},
    TOKEN_ROW,
};

static const struct hf_param large_params[] = {
    REPO_ID_ROW,
    {.name = "local_path",
     .help = "Folder to upload.",
     .value_name = "LOCAL_PATH",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .help = "Kind of repo.",
     .deflt = "model",
     .choices = "model,dataset,space",
     .type = HF_P_CHOICE},
    {.name = "revision", .help = "Branch to commit to, made if it is missing, or `refs/pr/N`.", .type = HF_P_STR},
    PRIVATE_ROW,
    PATTERN("include", "Upload only files that match this pattern; may be repeated."),
    PATTERN("exclude", "Leave out files that match this pattern; may be repeated."),
    TOKEN_ROW,
    {.name = "num_workers", .help = "Files to send at the same time.", .type = HF_P_INT},
    {.name = "no_report",
     .help = "Accepted; there is no report to leave out.",
     .deflt = "0",
     .type = HF_P_BOOL,
     .flags = HF_PF_TRISTATE},
    {.name = "no_bars",
     .help = "Accepted; HF_HUB_DISABLE_PROGRESS_BARS switches bars off.",
     .deflt = "0",
     .type = HF_P_BOOL,
     .flags = HF_PF_TRISTATE},
};

static const struct hf_route routes[] = {
    {.method = "POST", .path = "/api/repos/create", .body = "name organization visibility type sdk", .tries = 1},
    {.method = "POST", .path = "/api/validate-yaml", .body = "content repoType"},
    {.method = "POST",
     .path = "/api/{repo_type}s/{repo_id}/preupload/{revision}",
     .query = "create_pr",
     .body = "files gitIgnore"},
    {.method = "POST",
     .path = "/{repo_id}.git/info/lfs/objects/batch",
     .body = "operation transfers objects hash_algo ref"},
    {.method = "POST", .path = "/api/{repo_type}s/{repo_id}/commit/{revision}", .query = "create_pr", .tries = 1},
};

static const struct hf_task rows[] = {
    {.name = "upload",
     .summary = "Upload a file or a folder to the Hub.",
     .help = "The repo is made if it is missing. Unchanged files are left out, large ones go by Git LFS; an upload "
             "that was "
             "interrupted goes on where it was when the same command is run again.",
     .examples = "hf upload my-cool-model . .\nhf upload me/my-cool-model ./models/model.safetensors\n"
                 "hf upload me/my-cool-dataset ./data /train --repo-type=dataset\n"
                 "hf upload me/my-cool-model ./models . --commit-message=\"Epoch 34/50\" "
                 "--commit-description=\"Val accuracy: 68%\"\n"
                 "hf upload bigcode/the-stack . . --repo-type dataset --create-pr",
     .params = HF_TABLE(params),
     .routes = routes,
     .route_count = HF_COUNT(routes),
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES,
     .run = run,
     .api = "upload_file upload_folder"},
    {.name = "upload-large-folder",
     .summary = "Upload a large folder to the Hub, in as many commits as it takes.",
     .help = "The same as `hf upload` of a folder, which takes any number of files, in several commits where they are "
             "many, "
             "and goes on where it was interrupted.",
     .examples = "hf upload-large-folder me/my-cool-model ./large_model_dir",
     .params = HF_TABLE(large_params),
     .routes = routes,
     .route_count = HF_COUNT(routes),
     .flags = HF_TK_NETWORK | HF_TK_WRITES | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES,
     .run = run_large,
     .gone = "2.x",
     .api = "upload_large_folder"},
};

const struct hf_tasks hf_hub_tasks_upload = HF_HUB_TASKS("hub-upload", "Upload files and folders", HF_TABLE(rows));
