/* download.c - hf download: which file, files or snapshot the words on the command line mean, and how the answer is shown.
 * A repo is named plainly, with its type in front, or by an hf:// address that says all by itself; a name that ends in "/"
 * means everything below it.
 * One file goes by its own look-up; several come from one snapshot, so that they belong together. */
#include "hub.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct words {
  const char **names; /* as given */
  uint32_t count;
  const char **include, **exclude; /* NULL: none */
  uint32_t include_count, exclude_count;
};

static bool is_folder(const char *name) {
  size_t n = strlen(name);
  return n && name[n - 1] == '/';
}

/* An hf:// address is the authority on type, revision and file. */
static hf_status by_address(hf_call *c, const hf_args *args, const char *uri, struct hf_hub_want *w,
                            struct words *words) {
  struct hf_hub_uri u;
  if (hf_host()->arg_count(args, "repo_type"))
    return hf_hub_refuse(c, "'--repo-type' cannot be used with an 'hf://' URI ('%s').", uri);
  if (hf_host()->arg_count(args, "revision"))
    return hf_hub_refuse(c, "'--revision' cannot be used with an 'hf://' URI ('%s').", uri);
  TRY(hf_hub_parse_uri(c, uri, &u));
  if (!strcmp(u.type, "bucket"))
    return hf_hub_refuse(c, "Buckets are not supported by `hf download`. Use `hf sync` instead.");
  w->repo = (struct hf_repo){u.type, u.id};
  w->revision = u.revision;
  if (!*u.path) return HF_OK;
  const char *path = is_folder(uri) ? hf_hub_text(c, "%s/", u.path) : u.path;
  if (!path) return HF_ENOMEM;
  if (words->count) {
    const char *list = "";
    for (uint32_t i = 0; list && i < words->count; i++)
      list = hf_hub_text(c, "%s%s'%s'", list, i ? ", " : "", words->names[i]);
    return hf_hub_refuse(c, "Cannot combine a file path in the hf:// URI ('%s') with positional filenames [%s].", path,
                         list ? list : "");
  }
  words->names = hf_host()->arena(c, 2 * sizeof *words->names);
  if (!words->names) return HF_ENOMEM;
  words->names[0] = path;
  words->count = 1;
  return HF_OK;
}

static hf_status read_words(hf_call *c, const hf_args *args, struct hf_hub_want *w, struct words *words) {
  const struct hf_host *H = hf_host();
  const char *id = H->arg_str(args, "repo_id", 0);
  int64_t n = 8;
  w->local_dir = H->arg_str(args, "local_dir", 0);
  w->cache_dir = H->arg_str(args, "cache_dir", 0);
  if (w->local_dir && w->cache_dir)
    return hf_hub_refuse(
        c,
        "Cannot use both `--local-dir` and `--cache-dir` at the same time. Use `--cache-dir` (or set the "
        "HF_HOME environment "
        "variable) for shared caching, or `--local-dir` for a one-off download to a specific directory.");
  TRY(hf_hub_repeated(c, args, "filenames", &words->names, &words->count));
  TRY(hf_hub_repeated(c, args, "include", &words->include, &words->include_count));
  TRY(hf_hub_repeated(c, args, "exclude", &words->exclude, &words->exclude_count));
  if (!strncmp(id, "hf://", 5)) {
    TRY(by_address(c, args, id, w, words));
  } else {
    const char *type = H->arg_str(args, "repo_type", 0);
    w->repo = (struct hf_repo){type ? type : "model", id};
    w->revision = H->arg_str(args, "revision", 0);
  }
  if (!w->revision) w->revision = "main";
  w->force = H->arg_int(args, "force_download", &n) && n;
  n = 0;
  w->dry_run = H->arg_int(args, "dry_run", &n) && n;
  n = 8;
  H->arg_int(args, "max_workers", &n);
  if (n <= 0) return hf_hub_fail(c, HF_EINVAL, "ValueError", "max_workers must be greater than 0");
  w->width = n > 1024 ? 1024 : (uint32_t)n;
  return HF_OK;
}

/* Files, folders and patterns: what the snapshot is narrowed to. *single: just this file. */
static hf_status narrow(struct hf_hub *hub, const struct words *words, struct hf_hub_want *w, const char **single) {
  hf_call *c = hub->call;
  uint32_t folders = 0;
  const char *first = NULL;
  for (uint32_t i = 0; i < words->count; i++)
    if (is_folder(words->names[i]) && !folders++) first = words->names[i];
  *single = NULL;
  if (folders && words->include_count)
    return hf_hub_refuse(
        c, "Cannot combine subfolder argument ('%s') with `--include`. Please use `--include \"%s*\"` instead.", first,
        first);
  if (folders && words->exclude_count)
    return hf_hub_refuse(
        c,
        "Cannot combine subfolder argument ('%s') with `--exclude`. Please use `--include \"%s*\"` with "
        "`--exclude` instead.",
        first, first);
  if (words->count > folders && words->include_count)
    hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Ignoring `--include` since filenames have been explicitly set.");
  if (words->count > folders && words->exclude_count)
    hf_hub_log(hub, HF_LOG_WARNING, "UserWarning: Ignoring `--exclude` since filenames have been explicitly set.");
  if (words->count == 1 && !folders) {
    *single = words->names[0];
    return HF_OK;
  }
  if (!words->count) {
    w->patterns = (struct hf_hub_patterns){words->include, words->exclude, words->include_count, words->exclude_count};
    return HF_OK;
  }
  const char **allow = hf_host()->arena(c, words->count * sizeof *allow);
  uint32_t n = 0;
  if (!allow) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < words->count; i++)
    if (!is_folder(words->names[i])) allow[n++] = words->names[i];
  for (uint32_t i = 0; i < words->count; i++) {
    size_t len = strlen(words->names[i]);
    if (!is_folder(words->names[i])) continue;
    while (len && words->names[i][len - 1] == '/') len--;
    allow[n] = hf_hub_text(c, "%.*s/**", (int)len, words->names[i]);
    if (!allow[n++]) return HF_ENOMEM;
  }
  w->patterns = (struct hf_hub_patterns){.allow = allow, .allow_count = n};
  return HF_OK;
}

/* "19.0", "1.0M": steps of 1000. */
static const char *short_size(hf_call *c, uint64_t bytes) {
  static const char *const units[] = {"", "K", "M", "G", "T", "P", "E", "Z"};
  double v = (double)bytes;
  size_t i = 0;
  while (v >= 1000.0 && i + 1 < HF_COUNT(units)) v /= 1000.0, i++;
  return hf_hub_text(c, "%3.1f%s", v, units[i]);
}

static int by_path(const void *a, const void *b) {
  return strcmp(((const struct hf_hub_plan *)a)->path, ((const struct hf_hub_plan *)b)->path);
}

static hf_status show_plans(hf_call *c, hf_out *out, struct hf_hub_plan *plans, uint32_t count) {
  uint64_t total = 0;
  uint32_t wanted = 0;
  bool unknown = false;
  for (uint32_t i = 0; i < count; i++) {
    if (!plans[i].will_download) continue;
    wanted++;
    if (plans[i].size == HF_SIZE_UNKNOWN)
      unknown = true;
    else
      total += plans[i].size;
  }
  const char *size = unknown ? "an unknown size" : short_size(c, total);
  const char *text =
      size ? hf_hub_text(c, "[dry-run] Will download %u files (out of %u) totalling %s.", wanted, count, size) : NULL;
  if (!text) return HF_ENOMEM;
  TRY(hf_hub_say(out, c, HF_OUT_TEXT, text));
  if (count) qsort(plans, count, sizeof *plans, by_path);
  for (uint32_t i = 0; i < count; i++) {
    size = plans[i].will_download && plans[i].size != HF_SIZE_UNKNOWN ? short_size(c, plans[i].size) : "-";
    TRY(size ? hf_hub_record(out, c, HF_OUT_ITEM, json_pack("{s:s, s:s}", "file", plans[i].path, "size", size))
             : HF_ENOMEM);
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* Does the file go to stdout? */
static hf_status streams(hf_call *c, const hf_args *args, hf_out *out, const char *single, struct hf_hub_want *w) {
  const char *output = hf_host()->arg_str(args, "output", 0);
  int64_t on = 0;
  if (output && strcmp(output, "-"))
    return hf_hub_refuse(c, "`-o` takes `-` only, for stdout. Use `--local-dir` to choose where files are put.");
  if (!output && !(hf_host()->arg_int(args, "stdout", &on) && on)) return HF_OK;
  if (!single) return hf_hub_refuse(c, "`--stdout` takes exactly one file name.");
  if (w->local_dir) return hf_hub_refuse(c, "Cannot use both `--stdout` and `--local-dir` at the same time.");
  w->pipe = w->dry_run ? NULL : out;
  return HF_OK;
}

static hf_status run(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_want w = {.revision = NULL};
  struct words words = {0};
  struct hf_hub_plan one, *plans = &one;
  const char *path = NULL, *single;
  uint32_t count = 1;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), "huggingface-cli/None", true));
  TRY(read_words(c, args, &w, &words));
  TRY(narrow(&hub, &words, &w, &single));
  TRY(streams(c, args, out, single, &w));
  TRY(single ? hf_hub_file(&hub, &w, single, &path, &one) : hf_hub_snapshot(&hub, &w, &path, &plans, &count));
  if (w.dry_run) return show_plans(c, out, plans, count);
  if (w.pipe) return path ? hf_hub_copy_out(c, out, path) : HF_OK;
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Downloaded"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "path", path));
}

/* ---- the same for programs: one file, or what is known about it ------------------------------------------------------ */

static hf_status begin(struct hf_hub *hub, hf_call *c, const hf_args *args, hf_out *out, struct hf_hub_want *w) {
  const struct hf_host *H = hf_host();
  int64_t on = 0;
  *w = (struct hf_hub_want){.repo = {H->arg_str(args, "repo_type", 0), H->arg_str(args, "repo_id", 0)},
                            .revision = H->arg_str(args, "revision", 0),
                            .cache_dir = H->arg_str(args, "cache_dir", 0),
                            .local_dir = H->arg_str(args, "local_dir", 0),
                            .force = H->arg_int(args, "force_download", &on) && on};
  return hf_hub_begin(hub, c, out, H->arg_str(args, "token", 0), NULL, true);
}

static hf_status run_file(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_want w;
  const char *path = NULL;
  (void)state;
  TRY(begin(&hub, c, args, out, &w));
  TRY(hf_hub_file(&hub, &w, hf_host()->arg_str(args, "filename", 0), &path, NULL));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "path", path));
}

static hf_status run_meta(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  struct hf_hub_want w;
  struct hf_hub_meta m;
  const char *absent, *name = hf_host()->arg_str(args, "filename", 0);
  (void)state;
  TRY(begin(&hub, c, args, out, &w));
  TRY(hf_hub_check_repo(c, w.repo.id));
  TRY(hf_hub_check_type(c, w.repo.type));
  TRY(hf_hub_head(&hub, &w.repo, w.revision, name, false, &m, &absent));
  json_t *meta = json_pack("{s:s, s:s, s:s}", "commit_hash", m.commit, "etag", m.etag, "location", m.url);
  if (meta && m.size != HF_SIZE_UNKNOWN) json_object_set_new(meta, "size", json_integer((json_int_t)m.size));
  if (meta && m.xet_hash) json_object_set_new(meta, "xet_hash", json_string(m.xet_hash));
  return hf_hub_record(out, c, HF_OUT_DICT, meta);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

#define PATTERN(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
#define SWITCH(n, h) \
  { .name = n, .help = h, .type = HF_P_BOOL, .flags = HF_PF_TRISTATE, .deflt = "0" }

static const struct hf_param params[] = {
    {.name = "repo_id",
     .help = "The repo: `username/repo-name`, with its type in front as in `datasets/username/repo-name`, or an hf:// "
             "address.",
     .value_name = "REPO_ID",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "filenames",
     .help = "Files to download, or folders ending in `/`; without any, the whole repo.",
     .value_name = "FILENAMES",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .help = "Kind of repo.",
     .deflt = "(model)",
     .choices = "model,dataset,space,kernel",
     .type = HF_P_CHOICE},
    {.name = "revision", .help = "Branch, tag or commit.", .type = HF_P_STR},
    PATTERN("include", "Download only files that match this pattern, such as `*.json`; may be repeated."),
    PATTERN("exclude", "Leave out files that match this pattern; may be repeated."),
    {.name = "cache_dir", .help = "Cache to put the files into.", .type = HF_P_STR},
    {.name = "local_dir",
     .help = "Folder to put the files into, under their own names, instead of into the cache.",
     .type = HF_P_STR},
    SWITCH("force_download", "Download what is there already once more."),
    SWITCH("dry_run", "Say what would be downloaded, and do not download it."),
    {.name = "token",
     .help = "User access token to use instead of the saved one.",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
    {.name = "max_workers", .help = "Files to download at the same time.", .deflt = "8", .type = HF_P_INT},
    {.name = "stdout",
     .help =
         "Write the bytes of one file to stdout while they arrive, and keep nothing. Exit code 0 says that they were "
         "verified.",
     .type = HF_P_BOOL},
    {.name = "output", .spellings = "=-o,--output", .help = "`-`: the same as --stdout.", .type = HF_P_STR},
};

static const struct hf_param file_params[] = {
    {.name = "repo_id",
     .help = "Repo, as namespace/name",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "filename", .help = "Path in the repo", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "repo_type",
     .help = "Kind of repo",
     .deflt = "model",
     .choices = "model,dataset,space,kernel",
     .type = HF_P_CHOICE},
    {.name = "revision", .help = "Branch, tag or commit", .deflt = "main", .type = HF_P_STR},
    {.name = "cache_dir", .help = "Cache to put the file into", .type = HF_P_STR},
    {.name = "local_dir", .help = "Folder to put the file into", .type = HF_P_STR},
    {.name = "force_download", .help = "Download what is there already once more", .type = HF_P_BOOL},
    {.name = "token",
     .help = "User access token to use instead of the saved one",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
};
/* The same without the places where it goes. */
static const struct hf_param meta_params[] = {
    {.name = "repo_id",
     .help = "Repo, as namespace/name",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "filename", .help = "Path in the repo", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "repo_type",
     .help = "Kind of repo",
     .deflt = "model",
     .choices = "model,dataset,space,kernel",
     .type = HF_P_CHOICE},
    {.name = "revision", .help = "Branch, tag or commit", .deflt = "main", .type = HF_P_STR},
    {.name = "token",
     .help = "User access token to use instead of the saved one",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
};

static const struct hf_route snapshot_routes[] = {
    {.method = "GET", .path = "/api/{repo_type}s/{repo_id}/revision/{revision}", .tries = 1},
    {.method = "GET",
     .path = "/api/{repo_type}s/{repo_id}/tree/{revision}",
     .query = "recursive expand",
     .paging = HF_PAGE_LINK},
};
static const struct hf_route file_routes[] = {
    {.method = "HEAD", .path = "/{repo_id}/resolve/{revision}/{+filename}", .tries = 1},
    {.method = "GET", .path = "/{repo_id}/resolve/{revision}/{+filename}"},
};

static const struct hf_task rows[] = {
    {.name = "download",
     .summary = "Download files from the Hub.",
     .help = "Files go into the shared cache, or under their own names into the folder given by `--local-dir`. Every "
             "file is verified before it "
             "becomes visible; an interrupted download goes on where it was.",
     .examples = "hf download meta-llama/Llama-3.2-1B-Instruct\nhf download meta-llama/Llama-3.2-1B-Instruct "
                 "config.json tokenizer.json\n"
                 "hf download meta-llama/Llama-3.2-1B-Instruct --include \"*.safetensors\" --exclude \"*.bin\"\n"
                 "hf download meta-llama/Llama-3.2-1B-Instruct --local-dir ./models/llama\n"
                 "hf download HuggingFaceM4/FineVision art/ --repo-type dataset\n"
                 "hf download meta-llama/Llama-3.2-1B-Instruct config.json --stdout\n"
                 "hf download hf://datasets/HuggingFaceH4/ultrachat_200k",
     .params = HF_TABLE(params),
     .routes = snapshot_routes,
     .route_count = HF_COUNT(snapshot_routes),
     .flags = HF_TK_NETWORK | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES,
     .run = run,
     .api = "snapshot_download"},
    {.name = "hf_hub_download",
     .summary = "Download one file of a repo.",
     .params = HF_TABLE(file_params),
     .routes = file_routes,
     .route_count = HF_COUNT(file_routes),
     .flags = HF_TK_NETWORK | HF_TK_NOT_A_COMMAND,
     .run = run_file,
     .api = "hf_hub_download"},
    {.name = "get_hf_file_metadata",
     .summary = "Where a file of a repo is, and what its bytes are.",
     .params = HF_TABLE(meta_params),
     .routes = file_routes,
     .route_count = 1,
     .flags = HF_TK_NETWORK | HF_TK_NOT_A_COMMAND,
     .run = run_meta,
     .api = "get_hf_file_metadata"},
};

const struct hf_tasks hf_hub_tasks_download =
    HF_HUB_TASKS("hub-download", "Download files and snapshots", HF_TABLE(rows));
