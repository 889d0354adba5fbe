/* cache_list.c - hf cache list: repos or revisions, filtered, sorted, cut, with what they take together.
 * Also the rows of all cache commands. A filter is KEY OPERATOR VALUE; all must hold.
 * The total of an unfiltered list is what the disk holds: bytes that repos share count once. */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct entry {
  struct hf_cache_repo *repo;
  struct hf_cache_revision *revision; /* NULL: the repo as a whole */
  uint32_t index;
};

struct filter {
  enum { BY_SIZE, BY_MODIFIED, BY_ACCESSED, BY_TYPE, BY_REFS } key;
  const char *op, *text;
  double number;
};

static uint64_t size_of(const struct entry *e) {
  return e->revision ? e->revision->size : e->repo->size;
}

static double modified_of(const struct entry *e) {
  return e->revision ? e->revision->modified : e->repo->modified;
}

/* ---- filters -------------------------------------------------------------------------------------------------------- */

static hf_status invalid(hf_call *c, const char *why) {
  return why ? hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value: %s", why) : HF_ENOMEM;
}

static bool blank(char ch) {
  return ch && strchr(" \t\n\r\f\v", ch);
}

static bool letter(char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

/* KEY, OPERATOR and VALUE; false: not of that form. Where nothing would be left for the value, the operator is shorter. */
static bool take_apart(hf_call *c, const char *expr, const char **key, const char **op, const char **value) {
  static const char *const ops[] = {"==", "!=", ">=", "<=", ">", "<", "="};
  size_t n = strlen(expr), k = 0;
  while (n && blank(expr[n - 1])) n--;
  while (n && blank(*expr)) expr++, n--;
  expr = hf_host()->intern(c, expr, n);
  while (expr && letter(expr[k])) k++;
  if (!expr || !k || strchr(expr, '\n')) return false;
  const char *at = expr + k;
  while (blank(*at)) at++;
  for (size_t i = 0; i < HF_COUNT(ops); i++) {
    size_t m = strlen(ops[i]);
    if (strncmp(at, ops[i], m) || !at[m]) continue;
    *op = ops[i];
    *value = at + m;
    while (blank(**value)) (*value)++;
    *key = hf_host()->intern(c, expr, k);
    return *key != NULL;
  }
  return false;
}

static hf_status read_filter(hf_call *c, const char *expr, struct filter *f) {
  static const char *const keys[] = {"size", "modified", "accessed", "type", "refs"};
  const char *key, *why = NULL;
  size_t k = 0;
  if (!take_apart(c, expr, &key, &f->op, &f->text))
    return invalid(c, hf_hub_text(c, "Invalid filter expression: '%s'.", expr));
  if (!strcmp(f->op, "=="))
    return invalid(c, hf_hub_text(c,
                                  "Unsupported operator '==' in filter '%s'. Must be one of ['!=', '<', '<=', '=', "
                                  "'>', '>='].",
                                  expr));
  while (k < HF_COUNT(keys) && strcasecmp(key, keys[k]) != 0) k++;
  if (k == HF_COUNT(keys)) {
    char *small = (char *)(uintptr_t)key;
    for (char *p = small; *p; p++)
      if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
    return invalid(c, hf_hub_text(c,
                                  "Unsupported filter key '%s' in '%s'. Must be one of ['accessed', 'modified', "
                                  "'refs', 'size', 'type'].",
                                  small, expr));
  }
  f->key = (int)k;
  if (f->key == BY_SIZE) why = hf_cache_parse_size(c, f->text, &f->number);
  if (f->key == BY_MODIFIED || f->key == BY_ACCESSED) why = hf_cache_parse_time(c, f->text, &f->number);
  if (f->key == BY_TYPE && strcmp(f->op, "=") != 0)
    why = hf_hub_text(c, "Only '=' is supported for 'type' filters. Got '%s'.", f->op);
  if (f->key == BY_REFS && strcmp(f->op, "=") != 0)
    why = hf_hub_text(c, "Only '=' is supported for 'refs' filters. Got %s.", f->op);
  return why ? invalid(c, why) : HF_OK;
}

static bool compares(double left, const char *op, double right) {
  bool equal = left <= right && left >= right;
  if (op[0] == '=') return equal;
  if (op[0] == '!') return !equal;
  if (op[0] == '>') return left > right || (op[1] && equal);
  return left < right || (op[1] && equal);
}

static bool holds(const struct filter *f, const struct entry *e, double now) {
  switch (f->key) {
    case BY_SIZE: return compares((double)size_of(e), f->op, f->number);
    case BY_MODIFIED: return compares(now - modified_of(e), f->op, f->number);
    case BY_ACCESSED: return compares(now - e->repo->accessed, f->op, f->number);
    case BY_TYPE: return !strcasecmp(e->repo->repo.type, f->text);
    case BY_REFS: break;
  }
  uint32_t n = e->revision ? e->revision->ref_count : e->repo->ref_count;
  const char *const *refs = e->revision ? e->revision->refs : e->repo->refs;
  for (uint32_t i = 0; i < n; i++)
    if (!strcasecmp(refs[i], f->text)) return true;
  return false;
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

static int less(double a, double b) {
  return (a > b) - (a < b);
}

static int by_index(const struct entry *a, const struct entry *b, int order) {
  return order ? order : (a->index > b->index) - (a->index < b->index);
}

static int by_name(const void *a, const void *b) {
  return strcasecmp(((const struct entry *)a)->repo->id, ((const struct entry *)b)->repo->id);
}
static int by_size(const void *a, const void *b) {
  return less((double)size_of(a), (double)size_of(b));
}
static int by_accessed(const void *a, const void *b) {
  return less(((const struct entry *)a)->repo->accessed, ((const struct entry *)b)->repo->accessed);
}
static int by_modified(const void *a, const void *b) {
  return less(modified_of(a), modified_of(b));
}
#define ORDER(name_)                                                   \
  static int name_##_up(const void *a, const void *b) {                \
    return by_index(a, b, name_(a, b));                                \
  }                                                                    \
  static int name_##_down(const void *a, const void *b) {              \
    return by_index(a, b, -name_(a, b)); /* equals keep their order */ \
  }
ORDER(by_name)
ORDER(by_size)
ORDER(by_accessed)
ORDER(by_modified)

static const struct {
  const char *key;
  int (*up)(const void *, const void *), (*down)(const void *, const void *);
  bool descends; /* unless asked otherwise */
} orders[] = {{"name", by_name_up, by_name_down, false},
              {"size", by_size_up, by_size_down, true},
              {"accessed", by_accessed_up, by_accessed_down, true},
              {"modified", by_modified_up, by_modified_down, true}};

static void sort(struct entry *entries, uint32_t n, const char *expr) {
  size_t k = strcspn(expr, ":");
  for (uint32_t i = 0; i < n; i++) entries[i].index = i;
  for (size_t i = 0; n && i < HF_COUNT(orders); i++) {
    if (strlen(orders[i].key) != k || strncmp(expr, orders[i].key, k)) continue;
    bool down = expr[k] ? !strcmp(expr + k, ":desc") : orders[i].descends;
    qsort(entries, n, sizeof *entries, down ? orders[i].down : orders[i].up);
  }
}

/* ---- the table ------------------------------------------------------------------------------------------------------ */

static json_t *refs_json(const char *const *refs, uint32_t n) {
  json_t *list = json_array();
  for (uint32_t i = 0; i < n; i++) json_array_append_new(list, json_string(refs[i]));
  return list;
}

static json_t *item(hf_call *c, const struct entry *e) {
  const struct hf_cache_repo *r = e->repo;
  const struct hf_cache_revision *v = e->revision;
  const char *size = hf_cache_size(c, size_of(e)), *modified = hf_cache_since(c, modified_of(e));
  if (v)
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", r->id, "repo_id", r->repo.id, "repo_type",
                     r->repo.type, "revision", v->commit, "snapshot_path", v->folder ? v->folder : "", "size",
                     size ? size : "", "last_modified", modified ? modified : "", "refs",
                     refs_json(v->refs, v->ref_count));
  const char *accessed = hf_cache_since(c, r->accessed);
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", r->id, "repo_id", r->repo.id, "repo_type", r->repo.type,
                   "size", size ? size : "", "last_accessed", accessed ? accessed : "", "last_modified",
                   modified ? modified : "", "refs", refs_json(r->refs, r->ref_count));
}

static hf_status table(hf_call *c, hf_out *out, const struct entry *entries, uint32_t n, bool revisions) {
  json_t *layout = revisions ? json_pack("{s:[s,s,s,s,s], s:s, s:{s:s}}", "headers", "id", "revision", "size",
                                         "last_modified", "refs", "id_key", "revision", "align", "size", "right")
                             : json_pack("{s:[s,s,s,s,s], s:s, s:{s:s}}", "headers", "id", "size", "last_accessed",
                                         "last_modified", "refs", "id_key", "id", "align", "size", "right");
  TRY(hf_hub_record(out, c, HF_OUT_LAYOUT, layout));
  for (uint32_t i = 0; i < n; i++) TRY(hf_hub_record(out, c, HF_OUT_ITEM, item(c, &entries[i])));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status sum_up(hf_call *c, hf_out *out, const struct hf_cache *k, struct entry *entries, uint32_t n,
                        bool revisions, bool some) {
  uint32_t repos = 0, revs = 0;
  uint64_t total = 0;
  for (uint32_t i = 0; i < n; i++) entries[i].repo->chosen = 0;
  for (uint32_t i = 0; i < n; i++) {
    struct hf_cache_repo *r = entries[i].repo;
    revs += revisions ? 1 : r->count;
    total += size_of(&entries[i]);
    repos += !r->chosen++;
  }
  if (!revisions && !some) total = k->total;
  const char *size = hf_cache_size(c, total);
  return hf_hub_say(out, c, HF_OUT_TEXT,
                    hf_hub_text(c, "\033[1m\nFound %u repo(s) for a total of %u revision(s) and %s on disk.\033[0m",
                                repos, revs, size ? size : ""));
}

static hf_status remarks(hf_call *c, hf_out *out, const struct hf_cache *k, bool show) {
  for (uint32_t i = 0; show && i < k->problem_count; i++) {
    size_t n = strlen(k->problems[i]);
    while (n && k->problems[i][n - 1] == '.') n--;
    TRY(hf_hub_say(out, c, HF_OUT_WARNING, hf_hub_text(c, "%.*s. Repo ignored.", (int)n, k->problems[i])));
  }
  if (k->problem_count && !show)
    TRY(hf_hub_say(out, c, HF_OUT_WARNING,
                   hf_hub_text(c, "Found %u cache inconsistencies. Re-run with `--show-warnings` to display them.",
                               k->problem_count)));
  if (k->partial_count)
    TRY(hf_hub_say(out, c, HF_OUT_HINT,
                   hf_hub_text(c, "Found %u incomplete download(s) totalling %s. Remove them with 'hf cache prune'.",
                               k->partial_count, hf_cache_size(c, k->partial_size))));
  if (k->unused_count)
    TRY(hf_hub_say(
        out, c, HF_OUT_HINT,
        hf_hub_text(c, "Found %u unreferenced shared blob(s) totalling %s. Remove them with 'hf cache prune'.",
                    k->unused_count, hf_cache_size(c, k->unused_size))));
  return HF_OK;
}

static uint32_t entries_of(struct hf_cache *k, bool revisions, struct entry *entries) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < k->repo_count; i++) {
    struct hf_cache_repo *r = &k->repos[i];
    if (!revisions) entries[n++] = (struct entry){.repo = r};
    for (uint32_t v = 0; revisions && v < r->count; v++)
      entries[n++] = (struct entry){.repo = r, .revision = &k->revisions[r->first + v]};
  }
  return n;
}

static hf_status list(hf_call *c, const hf_args *args, hf_out *out, struct hf_cache *k, struct entry *entries) {
  const struct hf_host *H = hf_host();
  const char *order = H->arg_str(args, "sort", 0);
  uint32_t filters = H->arg_count(args, "filter");
  int64_t revisions = 0, limit = 0, show = 0;
  H->arg_int(args, "revisions", &revisions);
  H->arg_int(args, "show_warnings", &show);
  bool limited = H->arg_int(args, "limit", &limit);
  uint32_t n = entries_of(k, revisions, entries);
  double now = hf_cache_now();
  struct filter *all = H->arena(c, (filters + 1) * sizeof *all);
  if (!all) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  for (uint32_t i = 0; i < filters; i++) TRY(read_filter(c, H->arg_str(args, "filter", i), &all[i]));
  for (uint32_t i = 0; i < filters; i++) {
    uint32_t left = 0;
    for (uint32_t e = 0; e < n; e++)
      if (holds(&all[i], &entries[e], now)) entries[left++] = entries[e];
    n = left;
  }
  if (order) sort(entries, n, order);
  if (limited && limit < 0)
    return invalid(c, hf_hub_text(c, "Limit must be a positive integer, got %lld.", (long long)limit));
  if (limited && limit < n) n = (uint32_t)limit;
  TRY(table(c, out, entries, n, revisions));
  if (n) TRY(sum_up(c, out, k, entries, n, revisions, filters || limited));
  return remarks(c, out, k, show);
}

hf_status hf_cache_run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_cache k;
  hf_store *store = NULL;
  (void)state;
  TRY(hf_cache_store(c, hf_host()->arg_str(args, "cache_dir", 0), &store));
  hf_status st = hf_cache_read(c, store, NULL, 0, &k);
  hf_store_close(store);
  TRY(st);
  uint32_t room = k.repo_count > k.revision_count ? k.repo_count : k.revision_count;
  struct entry *entries = hf_host()->arena(c, (room + 1) * sizeof *entries);
  st = entries ? list(c, args, out, &k, entries) : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  hf_cache_free(&k);
  return st;
}

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

#define CACHE_DIR \
  { .name = "cache_dir", .help = "Cache directory to scan (defaults to Hugging Face cache)", .type = HF_P_STR }
#define YES \
  { .name = "yes", .spellings = "=-y,--yes", .help = "Skip confirmation prompt", .type = HF_P_BOOL }
#define DRY_RUN                                                                                  \
  {                                                                                              \
    .name = "dry_run", .help = "Preview deletions without removing anything", .type = HF_P_BOOL, \
    .flags = HF_PF_TRISTATE, .deflt = "0"                                                        \
  }
#define TARGETS                                                                                        \
  {                                                                                                    \
    .name = "targets", .value_name = "TARGETS",                                                        \
    .help =                                                                                            \
        "One or more repo IDs (e.g. model/bert-base-uncased), hf:// URIs (repo or file), or revision " \
        "hashes to delete",                                                                            \
    .type = HF_P_STR, .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL | HF_PF_REPEAT                        \
  }

static const struct hf_param list_params[] = {
    CACHE_DIR,
    {.name = "revisions",
     .help = "Include revisions in the output instead of aggregated repositories",
     .type = HF_P_BOOL,
     .flags = HF_PF_TRISTATE,
     .deflt = "0"},
    {.name = "filter",
     .spellings = "=-f,--filter",
     .help = "Filter entries (e.g. 'size>1GB', 'type=model', 'accessed>7d'). Can be used multiple times",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT},
    {.name = "sort",
     .help = "Sort entries by key. Append ':asc' or ':desc' to set the order; 'accessed', 'modified' and 'size' begin "
             "with the newest or biggest, 'name' is alphabetical",
     .choices = "accessed,accessed:asc,accessed:desc,modified,modified:asc,modified:desc,name,name:asc,name:desc,size,"
                "size:asc,size:desc",
     .type = HF_P_CHOICE},
    {.name = "limit", .help = "Return only the first N entries after sorting", .type = HF_P_INT},
    {.name = "show_warnings",
     .help = "Show warnings about cache inconsistencies",
     .type = HF_P_BOOL,
     .flags = HF_PF_TRISTATE,
     .deflt = "0"}};
static const struct hf_param rm_params[] = {TARGETS, CACHE_DIR, YES, DRY_RUN};
static const struct hf_param prune_params[] = {CACHE_DIR, YES, DRY_RUN};
static const struct hf_param verify_params[] = {
    {.name = "repo_id",
     .value_name = "REPO_ID",
     .help = "The ID of the repo (e.g. `username/repo-name` or `spaces/username/repo-name`)",
     .type = HF_P_STR,
     .flags = HF_PF_REQUIRED | HF_PF_POSITIONAL},
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .help = "The type of repository (model, dataset, space, or kernel)",
     .deflt = "model",
     .choices = "model,dataset,space,kernel",
     .type = HF_P_CHOICE},
    {.name = "revision",
     .help = "Git revision id which can be a branch name, a tag, or a commit hash",
     .type = HF_P_STR},
    {.name = "cache_dir", .help = "Cache directory to verify (defaults to Hugging Face cache)", .type = HF_P_STR},
    {.name = "local_dir", .help = "Verify files under this directory instead of the cache", .type = HF_P_STR},
    {.name = "fail_on_missing_files",
     .help = "Fail if some files exist on the remote but are missing locally",
     .type = HF_P_BOOL},
    {.name = "fail_on_extra_files",
     .help = "Fail if some files exist locally but are not present on the remote revision",
     .type = HF_P_BOOL},
    {.name = "token",
     .help = "User access token to use instead of the saved one",
     .type = HF_P_STR,
     .flags = HF_PF_SECRET},
    {.name = "repair",
     .help = "Fetch files that differ again, and with --fail-on-missing-files the missing ones",
     .type = HF_P_BOOL},
    {.name = "workers", .help = "Files hashed at once (defaults to one per processor)", .type = HF_P_INT}};

static const struct hf_route verify_routes[] = {{.method = "GET",
                                                 .path = "/api/{repo_type}s/{repo_id}/tree/{revision}",
                                                 .query = "recursive expand",
                                                 .paging = HF_PAGE_LINK}};

static const struct hf_task rows[] = {
    {.name = "cache.list",
     .aliases = "ls",
     .group_help = "Manage local cache directory.",
     .summary = "List cached repositories or revisions.",
     .examples = "hf cache ls\nhf cache ls --revisions\nhf cache ls --filter \"size>1GB\" --limit 20\nhf cache ls "
                 "--format json",
     .params = HF_TABLE(list_params),
     .id_key = "id",
     .run = hf_cache_run_list},
    {.name = "cache.prune",
     .summary = "Remove detached revisions and incomplete downloads from the cache.",
     .examples = "hf cache prune\nhf cache prune --dry-run",
     .params = HF_TABLE(prune_params),
     .flags = HF_TK_DESTROYS,
     .run = hf_cache_run_prune},
    {.name = "cache.rm",
     .summary = "Remove cached repositories, revisions or files.",
     .help =
         "A revision hash means that revision in every cached repo that has it. Bytes that another revision, another "
         "repo or a running download needs are kept.",
     .examples = "hf cache rm model/gpt2\nhf cache rm hf://models/openai-community/gpt2\n"
                 "hf cache rm hf://models/openai-community/gpt2/model.safetensors\nhf cache rm <revision_hash>\n"
                 "hf cache rm model/gpt2 --dry-run\nhf cache rm model/gpt2 --yes",
     .params = HF_TABLE(rm_params),
     .flags = HF_TK_DESTROYS,
     .run = hf_cache_run_rm},
    {.name = "cache.verify",
     .summary = "Verify checksums for a single repo revision from cache or a local directory.",
     .help =
         "Files are hashed in parallel and compared with the listing of the Hub. With `--repair`, those that differ "
         "are fetched again, and nothing else.",
     .examples = "hf cache verify gpt2\nhf cache verify gpt2 --revision refs/pr/1\n"
                 "hf cache verify my-dataset --repo-type dataset\nhf cache verify gpt2 --repair",
     .params = HF_TABLE(verify_params),
     .routes = verify_routes,
     .route_count = HF_COUNT(verify_routes),
     .flags = HF_TK_NETWORK | HF_TK_TYPE_PREFIX | HF_TK_COMPOSES,
     .run = hf_cache_run_verify,
     .api = "verify_repo_checksums"},
    {.name = "cache.scan",
     .summary = "Old spelling of hf cache list.",
     .params = HF_TABLE(list_params),
     .id_key = "id",
     .flags = HF_TK_HIDDEN | HF_TK_OURS,
     .run = hf_cache_run_list},
    {.name = "cache.delete",
     .summary = "Old spelling of hf cache rm.",
     .params = HF_TABLE(rm_params),
     .flags = HF_TK_HIDDEN | HF_TK_OURS | HF_TK_DESTROYS,
     .run = hf_cache_run_rm},
    {.name = "scan-cache",
     .summary = "Old spelling of hf cache list.",
     .params = HF_TABLE(list_params),
     .id_key = "id",
     .flags = HF_TK_HIDDEN | HF_TK_OURS,
     .run = hf_cache_run_list},
    {.name = "delete-cache",
     .summary = "Old spelling of hf cache rm.",
     .params = HF_TABLE(rm_params),
     .flags = HF_TK_HIDDEN | HF_TK_OURS | HF_TK_DESTROYS,
     .run = hf_cache_run_rm},
};
const struct hf_tasks hf_hub_tasks_cache = HF_HUB_TASKS("hub-cache-tasks", "Look through the cache", HF_TABLE(rows));
