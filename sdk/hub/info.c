/* info.c - hf models|datasets|spaces list and info: many repos, the files of one, or the description of one.
 * The three kinds differ in data only: which options their lists know and which properties can be asked for.
 * What is said about a repo is shaped by shape.c. */
#include "rows.h"

#include <stdlib.h>
#include <string.h>

#define LIST_LIMIT 30

struct kind {
  const char *type, *plural;
  const char *properties; /* what --expand may name, sorted, ", " between */
  bool empty_words;       /* an empty --author or --search is sent */
};

static const struct kind kinds[] = {
    {"model", "models",
     "author, baseModels, cardData, childrenModelCount, config, createdAt, disabled, downloads, downloadsAllTime, "
     "evalResults, gated, "
     "gguf, inference, inferenceProviderMapping, lastModified, library_name, likes, mask_token, model-index, "
     "pipeline_tag, private, "
     "resourceGroup, safetensors, sha, siblings, spaces, tags, transformersInfo, trendingScore, usedStorage, "
     "widgetData",
     false},
    {"dataset", "datasets",
     "author, cardData, citation, createdAt, description, disabled, downloads, downloadsAllTime, gated, lastModified, "
     "likes, mainSize, "
     "paperswithcode_id, private, resourceGroup, sha, siblings, tags, trendingScore, usedStorage",
     false},
    {"space", "spaces",
     "author, cardData, createdAt, datasets, disabled, lastModified, likes, models, private, region, resourceGroup, "
     "runtime, sdk, sha, "
     "siblings, subdomain, tags, trendingScore, usedStorage",
     true},
};

static bool on(const hf_args *args, const char *name) {
  int64_t v = 0;
  return hf_host()->arg_int(args, name, &v) && v;
}

/* "a, b" -> "a,b", each one known. */
static hf_status check_expand(hf_call *c, const struct kind *k, const char *given, const char **out) {
  char *names = given ? hf_host()->arena(c, strlen(given) + 1) : NULL;
  size_t n = 0;
  *out = NULL;
  if (!given) return HF_OK;
  if (!names) return HF_ENOMEM;
  for (const char *p = given;;) {
    size_t len = strcspn(p, ",");
    const char *name = p, *next = p[len] ? p + len + 1 : NULL;
    while (len && strchr(" \t\r\n", *name)) name++, len--;
    while (len && strchr(" \t\r\n", name[len - 1])) len--;
    bool known = false;
    for (const char *q = k->properties; q && !known; q = strstr(q, ", "), q = q ? q + 2 : NULL)
      known = len && strcspn(q, ",") == len && !strncmp(q, name, len);
    if (!known)
      return hf_hub_fail(c, HF_EINVAL, "UsageError",
                         "Invalid value for '--expand': Invalid expand property: '%.*s'. Valid values are: %s",
                         (int)(len < 128 ? len : 128), name, k->properties);
    if (n) names[n++] = ',';
    memcpy(names + n, name, len);
    n += len;
    if (!next) break;
    p = next;
  }
  *out = names;
  return HF_OK;
}

static hf_status misuse(hf_call *c, const char *option, const char *what, const char *plural) {
  return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value: Cannot use %s when listing %s.", option,
                     what ? what : plural);
}

/* ---- files of one repo ------------------------------------------------------------------------------------------------ */

struct files {
  hf_call *call;
  hf_out *out;
};

static hf_status file_item(void *arg, json_t *item) {
  struct files *f = arg;
  json_t *made;
  TRY(hf_hub_shape_entry(f->call, item, &made));
  return hf_hub_record(f->out, f->call, HF_OUT_ITEM, made);
}

static hf_status list_files(struct hf_hub *hub, const struct kind *k, const char *id, const hf_args *args,
                            hf_out *out) {
  static const struct {
    const char *name, *option;
  } others[] = {{"search", "--search"},
                {"author", "--author"},
                {"filter", "--filter"},
                {"pipeline_tag", "--pipeline-tag"},
                {"gated", "--gated/--no-gated"},
                {"apps", "--apps"},
                {"num_parameters", "--num-parameters"},
                {"inference_provider", "--inference-provider"},
                {"warm", "--warm"},
                {"sort", "--sort"},
                {"limit", "--limit"},
                {"expand", "--expand"}};
  hf_call *c = hub->call;
  for (size_t i = 0; i < HF_COUNT(others); i++) {
    int64_t n = 0;
    bool number = hf_host()->arg_int(args, others[i].name, &n);
    bool given = hf_host()->arg_count(args, others[i].name) > 0;
    if (!strcmp(others[i].name, "limit")) given = number && n != LIST_LIMIT;
    if (!strcmp(others[i].name, "warm")) given = number && n;
    if (given) return misuse(c, others[i].option, "files", NULL);
  }
  bool tree = on(args, "as_tree"), recursive = on(args, "recursive");
  const char *format = hf_host()->option(c, "HF_OUTPUT_FORMAT");
  if (tree && format && !strcmp(format, "json"))
    return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value: Cannot use --tree with --format json.");
  struct hf_repo repo = {k->type, id};
  TRY(hf_hub_check_repo(c, id));
  TRY(hf_hub_record(out, c, HF_OUT_LAYOUT,
                    json_pack("{s:s, s:b, s:b, s:b}", "kind", "listing", "human_readable",
                              (int)on(args, "human_readable"), "tree", (int)tree, "recursive", (int)recursive)));
  struct files f = {c, out};
  TRY(hf_hub_tree(hub, &repo, hf_host()->arg_str(args, "revision", 0), NULL, recursive, true, file_item, &f));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

/* ---- many repos ----------------------------------------------------------------------------------------------------------- */

struct repos {
  hf_call *call;
  const struct kind *kind;
  json_t *items;
  int64_t left;
};

static hf_status repo_item(void *arg, json_t *item) {
  struct repos *r = arg;
  json_t *made;
  if (!r->left) return HF_PENDING;
  TRY(hf_hub_shape_info(r->call, r->kind->type, item, &made));
  if (json_array_append_new(r->items, made)) return HF_ENOMEM;
  return --r->left ? HF_OK : HF_PENDING;
}

static const char *sort_key(const char *sort) {
  static const struct {
    const char *name, *key;
  } rows[] = {{"last_modified", "lastModified"}, {"trending_score", "trendingScore"}, {"created_at", "createdAt"}};
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    if (!strcmp(rows[i].name, sort)) return rows[i].key;
  return sort;
}

/* The query in the reference's order; a list repeats its key. */
static const char *list_query(hf_call *c, const struct kind *k, const hf_args *args, const char *expand,
                              int64_t limit) {
  static const char *const models[] = {
      "filter",       "author",         "apps",   "gated", "warm", "inference_provider",
      "pipeline_tag", "num_parameters", "search", NULL};
  static const char *const others[] = {"filter", "author", "search", NULL};
  const char *query = "";
  for (const char *const *name = !strcmp(k->type, "model") ? models : others; query && *name; name++) {
    int64_t flag;
    if (!strcmp(*name, "warm")) {
      if (on(args, *name)) query = hf_hub_query(c, query, "inference", "warm");
    } else if (!strcmp(*name, "gated")) {
      if (hf_host()->arg_int(args, *name, &flag)) query = hf_hub_query(c, query, *name, flag ? "true" : "false");
    } else {
      bool word = !strcmp(*name, "author") || !strcmp(*name, "search") || !strcmp(*name, "pipeline_tag");
      for (uint32_t i = 0; query && i < hf_host()->arg_count(args, *name); i++) {
        const char *v = hf_host()->arg_str(args, *name, i);
        if (v && (*v || !word || k->empty_words)) query = hf_hub_query(c, query, *name, v);
      }
    }
  }
  const char *sort = hf_host()->arg_str(args, "sort", 0);
  if (query && sort) query = hf_hub_query(c, query, "sort", sort_key(sort));
  if (query && limit >= 0) {
    const char *n = hf_hub_text(c, "%lld", (long long)limit);
    query = n ? hf_hub_query(c, query, "limit", n) : NULL;
  }
  for (const char *p = expand; query && p && *p;) {
    size_t n = strcspn(p, ",");
    const char *name = hf_host()->intern(c, p, n);
    query = name ? hf_hub_query(c, query, "expand", name) : NULL;
    p += n + (p[n] == ',');
  }
  return query;
}

hf_status hf_hub_list(struct hf_hub *hub, const char *type, const hf_args *args, const char *expand, int64_t limit,
                      json_t **items) {
  const struct kind *k = kinds;
  while (strcmp(k->type, type) != 0) k++;
  const char *query = list_query(hub->call, k, args, expand, limit);
  const char *url =
      query ? hf_hub_text(hub->call, "%s/api/%s%s%s", hub->endpoint, k->plural, *query ? "?" : "", query) : NULL;
  struct repos r = {.call = hub->call, .kind = k, .items = json_array(), .left = limit < 0 ? INT64_MAX : limit};
  hf_status st = !url || !r.items ? HF_ENOMEM : r.left ? hf_hub_pages(hub, url, repo_item, &r) : HF_OK;
  if (st != HF_OK) json_decref(r.items);
  *items = st == HF_OK ? r.items : NULL;
  return st;
}

static hf_status list_repos(struct hf_hub *hub, const struct kind *k, const hf_args *args, hf_out *out) {
  static const struct {
    const char *name, *option;
  } files_only[] = {{"as_tree", "--tree"}, {"recursive", "--recursive"}, {"human_readable", "--human-readable"}};
  hf_call *c = hub->call;
  const char *expand;
  for (size_t i = 0; i < HF_COUNT(files_only); i++)
    if (on(args, files_only[i].name)) return misuse(c, files_only[i].option, NULL, k->plural);
  if (hf_host()->arg_count(args, "revision")) return misuse(c, "--revision", NULL, k->plural);
  bool providers = hf_host()->arg_count(args, "inference_provider") > 0, warm = on(args, "warm");
  if (warm && providers)
    return hf_hub_fail(c, HF_EINVAL, "UsageError",
                       "Invalid value: Cannot use --warm together with --inference-provider.");
  TRY(check_expand(c, k, hf_host()->arg_str(args, "expand", 0), &expand));
  int64_t limit = LIST_LIMIT;
  TRY(hf_hub_limit(c, args, &limit));
  json_t *items, *item;
  size_t i;
  TRY(hf_hub_list(hub, k->type, args, expand, limit, &items));
  hf_status st = HF_OK;
  json_array_foreach(items, i, item) if ((st = hf_hub_record(out, c, HF_OUT_ITEM, json_incref(item))) != HF_OK) break;
  json_decref(items);
  if (st == HF_OK) st = hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
  if (st == HF_OK && (providers || warm) && !expand)
    st = hf_hub_say(out, c, HF_OUT_HINT,
                    "Use `--expand inferenceProviderMapping` to see which provider serves each model and the "
                    "provider-specific model id.");
  return st;
}

static hf_status run_list(hf_call *c, const struct kind *k, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *id = hf_host()->arg_str(args, "repo_id", 0);
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), NULL, false));
  const char *expand;
  TRY(check_expand(c, k, hf_host()->arg_str(args, "expand", 0), &expand));
  return id ? list_files(&hub, k, id, args, out) : list_repos(&hub, k, args, out);
}

/* ---- one repo --------------------------------------------------------------------------------------------------------------- */

/* The command's own words for a repo or revision that is not there; a gated one keeps its reason. */
static hf_status not_found(hf_call *c, const struct kind *k, const char *id, const char *revision, hf_status st) {
  struct hf_error e;
  TRY(hf_hub_error_keep(c, &e));
  const char *text = NULL;
  if (hf_hub_error_is(&e, "RepositoryNotFoundError"))
    text = hf_hub_text(c, "%c%s '%s' not found.", k->type[0] - 'a' + 'A', k->type + 1, id);
  else if (hf_hub_error_is(&e, "RevisionNotFoundError"))
    text = hf_hub_text(c, "Revision '%s' not found on '%s'.", revision ? revision : "None", id);
  if (!text) return st;
  hf_host()->clear(c);
  e.cls = "CLIError";
  e.message = text;
  return hf_host()->fail(c, &e);
}

static hf_status run_info(hf_call *c, const struct kind *k, const char *id_name, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  const char *id = hf_host()->arg_str(args, id_name, 0), *revision = hf_host()->arg_str(args, "revision", 0), *expand;
  struct hf_repo repo = {k->type, id};
  json_t *raw, *made;
  TRY(check_expand(c, k, hf_host()->arg_str(args, "expand", 0), &expand));
  TRY(hf_hub_check_repo(c, id));
  TRY(hf_hub_begin(&hub, c, out, hf_host()->arg_str(args, "token", 0), NULL, false));
  hf_status st = hf_hub_info(&hub, &repo, revision, expand, &raw);
  if (st != HF_OK) return not_found(c, k, id, revision, st);
  st = hf_hub_shape_info(c, k->type, raw, &made);
  json_decref(raw);
  return st == HF_OK ? hf_hub_record(out, c, HF_OUT_DICT, made) : st;
}

static hf_status models_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_list(c, &kinds[0], args, out);
}
static hf_status datasets_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_list(c, &kinds[1], args, out);
}
static hf_status spaces_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_list(c, &kinds[2], args, out);
}
static hf_status models_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_info(c, &kinds[0], "model_id", args, out);
}
static hf_status datasets_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_info(c, &kinds[1], "dataset_id", args, out);
}
static hf_status spaces_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run_info(c, &kinds[2], "space_id", args, out);
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

#define POSITIONAL(n, v, h, f) \
  { .name = n, .help = h, .value_name = v, .type = HF_P_STR, .flags = HF_PF_POSITIONAL | (f) }
#define TEXT(n, h) \
  { .name = n, .help = h, .type = HF_P_STR }
#define MANY(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
#define SEARCH TEXT("search", "Words to search for.")
#define AUTHOR TEXT("author", "Only repos of this user or organization.")
#define FILTER MANY("filter", "Only repos with this tag, such as 'text-classification'; may be repeated.")
#define LIMIT \
  { .name = "limit", .help = "At most so many results.", .deflt = "30", .type = HF_P_INT }
#define REVISION TEXT("revision", "Branch, tag or commit.")
#define TOKEN                                                                                        \
  {                                                                                                  \
    .name = "token", .help = "User access token to use instead of the saved one.", .type = HF_P_STR, \
    .flags = HF_PF_SECRET                                                                            \
  }
#define SORT(c) \
  { .name = "sort", .help = "Order of the results.", .choices = c, .type = HF_P_CHOICE }
#define EXPAND   \
  TEXT("expand", \
       "Properties to return, comma separated, such as 'downloads,likes,tags'; only these and the id come back.")
#define HUMAN_SIZES \
  { .name = "human_readable", .spellings = "-h", .help = "Sizes that people read; for files only.", .type = HF_P_BOOL }
#define TREE \
  { .name = "as_tree", .spellings = "=--tree", .help = "Show files as a tree; for files only.", .type = HF_P_BOOL }
#define RECURSIVE \
  { .name = "recursive", .spellings = "-R", .help = "Look into folders; for files only.", .type = HF_P_BOOL }

static const struct hf_param models_list_params[] = {
    POSITIONAL("repo_id", "REPO_ID",
               "Model whose files to list, such as `username/repo-name`; without it, models are listed.", 0),
    SEARCH,
    AUTHOR,
    FILTER,
    TEXT("pipeline_tag", "Only models for this task, such as 'summarization'."),
    {.name = "gated", .help = "Only gated models, or only others.", .type = HF_P_BOOL, .flags = HF_PF_TRISTATE},
    MANY("apps", "Only models that this application runs, such as 'ollama' or 'vllm'; may be repeated."),
    TEXT("num_parameters", "Only models of this size, such as 'min:6B,max:128B'."),
    {.name = "inference_provider",
     .help = "Only models that this inference provider serves, such as 'fireworks-ai'; may be repeated.",
     .type = HF_P_STR,
     .flags = HF_PF_REPEAT,
     .choices = "baseten,cerebras,cohere,deepinfra,fal-ai,featherless-ai,fireworks-ai,groq,hf-inference,novita,nscale,"
                "openai,ovhcloud,"
                "publicai,replicate,scaleway,together,wavespeed,zai-org"},
    {.name = "warm", .help = "Only models that some inference provider serves now.", .type = HF_P_BOOL},
    SORT("created_at,downloads,last_modified,likes,trending_score"),
    LIMIT,
    EXPAND,
    HUMAN_SIZES,
    TREE,
    RECURSIVE,
    REVISION,
    TOKEN};
static const struct hf_param datasets_list_params[] = {
    POSITIONAL("repo_id", "REPO_ID",
               "Dataset whose files to list, such as `username/repo-name`; without it, datasets are listed.", 0),
    SEARCH,
    AUTHOR,
    FILTER,
    SORT("created_at,downloads,last_modified,likes,trending_score"),
    LIMIT,
    EXPAND,
    HUMAN_SIZES,
    TREE,
    RECURSIVE,
    REVISION,
    TOKEN};
static const struct hf_param spaces_list_params[] = {
    POSITIONAL("repo_id", "REPO_ID",
               "Space whose files to list, such as `username/repo-name`; without it, Spaces are listed.", 0),
    SEARCH,
    AUTHOR,
    FILTER,
    SORT("created_at,last_modified,likes,trending_score"),
    LIMIT,
    EXPAND,
    HUMAN_SIZES,
    TREE,
    RECURSIVE,
    REVISION,
    TOKEN};
static const struct hf_param models_info_params[] = {
    POSITIONAL("model_id", "MODEL_ID", "The model, such as `username/repo-name`.", HF_PF_REQUIRED), REVISION, EXPAND,
    TOKEN};
static const struct hf_param datasets_info_params[] = {
    POSITIONAL("dataset_id", "DATASET_ID", "The dataset, such as `username/repo-name`.", HF_PF_REQUIRED), REVISION,
    EXPAND, TOKEN};
static const struct hf_param spaces_info_params[] = {
    POSITIONAL("space_id", "SPACE_ID", "The Space, such as `username/repo-name`.", HF_PF_REQUIRED), REVISION, EXPAND,
    TOKEN};

#define MODELS_QUERY \
  "filter author apps gated inference inference_provider pipeline_tag num_parameters search sort limit expand"
static const struct hf_route models_list_routes[] = {
    {.method = "GET", .path = "/api/models", .query = MODELS_QUERY, .paging = HF_PAGE_LINK}};
static const struct hf_route datasets_list_routes[] = {{.method = "GET",
                                                        .path = "/api/datasets",
                                                        .query = "filter author search sort limit expand",
                                                        .paging = HF_PAGE_LINK}};
static const struct hf_route spaces_list_routes[] = {{.method = "GET",
                                                      .path = "/api/spaces",
                                                      .query = "filter author search sort limit expand",
                                                      .paging = HF_PAGE_LINK}};
#define INFO_ROUTES(plural)                                                                                   \
  {                                                                                                           \
    {.method = "GET", .path = "/api/" plural "/{repo_id}", .query = "expand", .tries = 1}, {                  \
      .method = "GET", .path = "/api/" plural "/{repo_id}/revision/{revision}", .query = "expand", .tries = 1 \
    }                                                                                                         \
  }
static const struct hf_route models_info_routes[] = INFO_ROUTES("models");
static const struct hf_route datasets_info_routes[] = INFO_ROUTES("datasets");
static const struct hf_route spaces_info_routes[] = INFO_ROUTES("spaces");

#define ROUTES(r) .routes = r, .route_count = HF_COUNT(r)

static const struct hf_task rows[] = {
    {.name = "models.list",
     .aliases = "ls",
     .group_help = "Work with models on the Hub.",
     .summary = "List models, or the files of one model.",
     .examples = "hf models ls --sort downloads --limit 10\nhf models ls --search \"llama\" --author meta-llama\nhf "
                 "models ls meta-llama/Llama-3.2-1B-Instruct --tree -h",
     .params = HF_TABLE(models_list_params),
     .id_key = "id",
     ROUTES(models_list_routes),
     .flags = HF_TK_NETWORK,
     .run = models_list,
     .api = "list_models"},
    {.name = "models.info",
     .summary = "Describe a model.",
     .examples = "hf models info meta-llama/Llama-3.2-1B-Instruct\nhf models info Qwen/Qwen3.5-9B --expand "
                 "downloads,likes,tags",
     .params = HF_TABLE(models_info_params),
     ROUTES(models_info_routes),
     .flags = HF_TK_NETWORK,
     .run = models_info,
     .api = "model_info"},
    {.name = "datasets.list",
     .aliases = "ls",
     .group_help = "Work with datasets on the Hub.",
     .summary = "List datasets, or the files of one dataset.",
     .examples = "hf datasets ls --sort downloads --limit 10\nhf datasets ls --search \"code\"\nhf datasets ls "
                 "HuggingFaceFW/fineweb -R",
     .params = HF_TABLE(datasets_list_params),
     .id_key = "id",
     ROUTES(datasets_list_routes),
     .flags = HF_TK_NETWORK,
     .run = datasets_list,
     .api = "list_datasets"},
    {.name = "datasets.info",
     .summary = "Describe a dataset.",
     .examples = "hf datasets info HuggingFaceFW/fineweb\nhf datasets info my-dataset --expand downloads,likes,tags",
     .params = HF_TABLE(datasets_info_params),
     ROUTES(datasets_info_routes),
     .flags = HF_TK_NETWORK,
     .run = datasets_info,
     .api = "dataset_info"},
    {.name = "spaces.list",
     .aliases = "ls",
     .group_help = "Work with Spaces on the Hub.",
     .summary = "List Spaces, or the files of one Space.",
     .examples = "hf spaces ls --limit 10\nhf spaces ls --search \"chatbot\" --author huggingface\nhf spaces ls "
                 "victor/deepsite -R",
     .params = HF_TABLE(spaces_list_params),
     .id_key = "id",
     ROUTES(spaces_list_routes),
     .flags = HF_TK_NETWORK,
     .run = spaces_list,
     .api = "list_spaces"},
    {.name = "spaces.info",
     .summary = "Describe a Space.",
     .examples = "hf spaces info enzostvs/deepsite\nhf spaces info gradio/theme_builder --expand sdk,runtime,likes",
     .params = HF_TABLE(spaces_info_params),
     ROUTES(spaces_info_routes),
     .flags = HF_TK_NETWORK,
     .run = spaces_info,
     .api = "space_info"},
};

const struct hf_tasks hf_hub_tasks_info =
    HF_HUB_TASKS("hub-info", "List and describe models, datasets and Spaces", HF_TABLE(rows));
