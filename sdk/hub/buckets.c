/* buckets.c - `hf buckets`: storage on the Hub without history. Making, listing, describing, moving and deleting buckets.
 * A bucket is named "namespace/name" or hf://buckets/namespace/name; a list without a name is of buckets, with one of its files.
 * Files are removed in buckets_files.c. */
#include "buckets.h"

#include <string.h>

/* ---- names ---------------------------------------------------------------------------------------------------------------- */

hf_status hf_hub_bucket_parse(hf_call *c, const char *text, struct hf_hub_uri *uri) {
  if (!strncmp(text, "hf://", 5) || hf_hub_is_page(c, text)) {
    TRY(hf_hub_parse_uri(c, text, uri));
    if (!strcmp(uri->type, "bucket")) return HF_OK;
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Invalid bucket path: %.512s. Must be a bucket URI (hf://buckets/...).", text);
  }
  size_t a = strcspn(text, "/"), b = text[a] ? strcspn(text + a + 1, "/") : 0, n = a + 1 + b;
  if (!a || !b)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "Invalid bucket path: '%.512s'. Expected format: namespace/bucket_name", text);
  *uri =
      (struct hf_hub_uri){.type = "bucket", .id = hf_host()->intern(c, text, n), .path = text + n + (text[n] == '/')};
  return uri->id ? HF_OK : HF_ENOMEM;
}

hf_status hf_hub_bucket_id(hf_call *c, const char *text, const char *what, bool plain, const char **id) {
  struct hf_hub_uri uri;
  *id = text;
  if (strncmp(text, HF_BUCKET_PREFIX, strlen(HF_BUCKET_PREFIX)) != 0) {
    if (!plain || strchr(text, '/')) return HF_OK;
    return hf_hub_bad_value(
        c, "Invalid bucket ID: %s. Must be in format namespace/bucket_name or hf://buckets/namespace/bucket_name.",
        text);
  }
  TRY(hf_hub_bucket_parse(c, text, &uri));
  *id = uri.id;
  if (!*uri.path) return HF_OK;
  return hf_hub_bad_value(
      c, "Cannot specify a prefix for bucket %s: %s. Use namespace/bucket_name or hf://buckets/namespace/bucket_name.",
      what, text);
}

const char *hf_hub_bucket_url(struct hf_hub *hub, const char *id, const char *more) {
  const char *quoted = hf_hub_quote(hub->call, id, "/");
  return quoted ? hf_hub_at(hub, "buckets/%s%s", quoted, more) : NULL;
}

const char *hf_hub_size_words(hf_call *c, double bytes) {
  static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
  for (size_t i = 0; i < HF_COUNT(units); i++, bytes /= 1000)
    if (bytes < 1000) return hf_hub_text(c, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
  return hf_hub_text(c, "%.1f PB", bytes);
}

/* ---- create --------------------------------------------------------------------------------------------------------------- */

/* The bucket that an address of the answer names. */
static hf_status bucket_of_url(struct hf_hub *hub, const char *url, const char **id) {
  struct hf_hub_uri uri;
  size_t n = strlen(hub->endpoint);
  const char *at = url && !strncmp(url, hub->endpoint, n) ? url + n : url;
  while (at && *at == '/') at++;
  if (at && !strncmp(at, "buckets/", 8)) at += 8;
  if (!at)
    return hf_hub_fail(hub->call, HF_EPROTO, NULL,
                       "The Hub's answer lacks the address of the bucket; check HF_ENDPOINT.");
  TRY(hf_hub_bucket_parse(hub->call, at, &uri));
  *id = uri.id;
  return *uri.path ? hf_hub_fail(hub->call, HF_EINVAL, "ValueError", "Unable to parse bucket URL: %.512s", url) : HF_OK;
}

/* Who may not make it may find it there. */
static hf_status there_already(struct hf_hub *hub, const char *id, const struct hf_hub_req *req,
                               const struct hf_http_resp *resp, const char **url) {
  json_t *info;
  hf_status st = hf_hub_ask(hub, "GET", hf_hub_bucket_url(hub, id, ""), NULL, &info);
  if (st == HF_OK) {
    json_decref(info);
    *url = hf_hub_text(hub->call, "%s/buckets/%s", hub->endpoint, id);
    return *url ? HF_OK : HF_ENOMEM;
  }
  const struct hf_error *e = hf_host()->error(hub->call);
  if (!e || !e->http_status) return st;
  hf_host()->clear(hub->call);
  return hf_hub_raise(hub, req, resp);
}

hf_status hf_hub_bucket_make(struct hf_hub *hub, const char *id, bool private, const char *region, bool exist_ok,
                             const char **url) {
  hf_call *c = hub->call;
  struct hf_hub_uri uri = {.id = NULL};
  struct hf_http_resp resp;
  json_t *answer, *body = json_object();
  if (!strchr(id, '/')) {
    uri.id = hf_hub_text(c, "me/%s", id);
  } else {
    hf_status st = hf_hub_bucket_parse(c, id, &uri);
    if (st == HF_OK && *uri.path) st = hf_hub_fail(c, HF_EINVAL, "ValueError", "Invalid bucket ID: %.512s", id);
    if (st != HF_OK) return json_decref(body), st;
  }
  if (private) json_object_set_new(body, "visibility", json_string("private"));
  if (region) json_object_set_new(body, "region", json_string(region));
  struct hf_hub_req req = {.method = "POST", .url = uri.id ? hf_hub_bucket_url(hub, uri.id, "") : NULL};
  if (!req.url) return json_decref(body), HF_ENOMEM;
  TRY(hf_hub_send_json(hub, "POST", req.url, body, HF_HTTP_ANY_STATUS, &resp));
  if (exist_ok && (resp.status == 401 || resp.status == 403)) return there_already(hub, id, &req, &resp, url);
  if (!(exist_ok && resp.status == 409)) TRY(hf_hub_raise(hub, &req, &resp));
  TRY(hf_hub_parse(c, resp.body, resp.body_len, req.url, &answer));
  *url = hf_hub_get(answer, "url") ? hf_host()->intern(c, hf_hub_get(answer, "url"), SIZE_MAX) : NULL;
  json_decref(answer);
  return HF_OK;
}

static hf_status run_create(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id, *url = NULL, *made = NULL;
  struct hf_hub hub;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_bucket_id(c, hf_hub_arg(args, "bucket_id"), "creation", false, &id));
  TRY(hf_hub_bucket_make(&hub, id, hf_hub_given(args, "private"), hf_hub_arg(args, "region"),
                         hf_hub_given(args, "exist_ok"), &url));
  TRY(bucket_of_url(&hub, url, &made));
  const char *address = hf_hub_text(c, HF_BUCKET_PREFIX "%s", made);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Bucket created"));
  return address ? hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "uri", address, "url", url))
                 : HF_ENOMEM;
}

/* ---- list, info --------------------------------------------------------------------------------------------------------------- */

static const struct hf_hub_field fields[] = {
    {.name = "id", .needed = true},
    {.name = "private", .needed = true},
    {.name = "created_at", .from = "createdAt", .needed = true, .shape = hf_hub_field_date},
    {.name = "size", .needed = true},
    {.name = "total_files", .from = "totalFiles", .needed = true}};
static const struct hf_hub_field file_fields[] = {
    {.name = "type", .needed = true},
    {.name = "path", .needed = true},
    {.name = "size", .needed = true},
    {.name = "xet_hash", .from = "xetHash", .needed = true},
    {.name = "mtime", .shape = hf_hub_field_date},
    {.name = "uploaded_at", .from = "uploadedAt", .or_from = "uploaded_at", .shape = hf_hub_field_date}};
static const struct hf_hub_field folder_fields[] = {
    {.name = "type", .needed = true},
    {.name = "path", .needed = true},
    {.name = "uploaded_at", .from = "uploadedAt", .or_from = "uploaded_at", .shape = hf_hub_field_date}};

struct listing {
  hf_call *call;
  hf_out *out;
  bool human, json;
};

/* In the reference's order; as JSON a date is what Python prints of one. */
static hf_status on_bucket(void *arg, json_t *raw) {
  struct listing *l = arg;
  json_t *made;
  TRY(hf_hub_shape_fields(l->call, fields, HF_COUNT(fields), raw, &made));
  const char *at = hf_hub_get(made, "created_at"),
             *size = l->human ? hf_hub_size_words(l->call, json_number_value(json_object_get(made, "size"))) : NULL;
  char *date = at ? (char *)(uintptr_t)hf_host()->intern(l->call, at, SIZE_MAX) : NULL;
  if (date && l->json && strchr(date, 'T')) *strchr(date, 'T') = ' ';
  json_t *item = json_pack("{s:O, s:O, s:o, s:O, s:s?}", "id", json_object_get(made, "id"), "private",
                           json_object_get(made, "private"), "size",
                           size ? json_string(size) : json_incref(json_object_get(made, "size")), "total_files",
                           json_object_get(made, "total_files"), "created_at", date);
  json_decref(made);
  return hf_hub_record(l->out, l->call, HF_OUT_ITEM, item);
}

static hf_status on_file(void *arg, json_t *raw) {
  struct listing *l = arg;
  const char *type = hf_hub_get(raw, "type");
  json_t *made;
  if (type && !strcmp(type, "file"))
    TRY(hf_hub_shape_fields(l->call, file_fields, HF_COUNT(file_fields), raw, &made));
  else
    TRY(hf_hub_shape_fields(l->call, folder_fields, HF_COUNT(folder_fields), raw, &made));
  return hf_hub_record(l->out, l->call, HF_OUT_ITEM, made);
}

static hf_status list_files(struct hf_hub *hub, struct listing *l, const char *argument, const hf_args *args) {
  hf_call *c = hub->call;
  bool tree = hf_hub_given(args, "as_tree"), recursive = hf_hub_given(args, "recursive");
  struct hf_hub_uri uri;
  if (hf_hub_arg(args, "search")) return hf_hub_bad_value(c, "Cannot use --search when listing files.");
  if (tree && l->json) return hf_hub_bad_value(c, "Cannot use --tree with --format json.");
  TRY(hf_hub_bucket_parse(c, argument, &uri));
  TRY(hf_hub_record(l->out, c, HF_OUT_LAYOUT,
                    json_pack("{s:s, s:b, s:b, s:b}", "kind", "listing", "human_readable", (int)l->human, "tree",
                              (int)tree, "recursive", (int)recursive)));
  return hf_hub_bucket_tree(hub, uri.id, uri.path, recursive, on_file, l);
}

static hf_status list_buckets(struct hf_hub *hub, struct listing *l, const char *space, const hf_args *args) {
  static const char layout[] = "{\"align\":{\"size\":\"right\"}}";
  hf_call *c = hub->call;
  const char *search = hf_hub_arg(args, "search"), *query = "";
  if (hf_hub_given(args, "as_tree")) return hf_hub_bad_value(c, "Cannot use --tree when listing buckets.");
  if (hf_hub_given(args, "recursive")) return hf_hub_bad_value(c, "Cannot use --recursive when listing buckets.");
  if (!space) space = "me";
  const char *quoted = hf_hub_quote(c, space, "");
  if (search && !(query = hf_hub_query(c, "", "search", search))) return HF_ENOMEM;
  const char *url = quoted ? hf_hub_at(hub, "buckets/%s%s%s", quoted, *query ? "?" : "", query) : NULL;
  if (!url) return HF_ENOMEM;
  TRY(hf_host()->record(l->out, HF_OUT_LAYOUT, layout, sizeof layout - 1));
  return hf_hub_pages(hub, url, on_bucket, l);
}

static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *argument = hf_hub_arg(args, "argument"), *format = hf_host()->option(c, "HF_OUTPUT_FORMAT");
  const char *below = argument;
  struct listing l = {c, out, hf_hub_given(args, "human_readable"), format && !strcmp(format, "json")};
  struct hf_hub hub;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  if (argument && !strncmp(argument, HF_BUCKET_PREFIX, strlen(HF_BUCKET_PREFIX))) below += strlen(HF_BUCKET_PREFIX);
  if (below && strchr(below, '/'))
    TRY(list_files(&hub, &l, argument, args));
  else
    TRY(list_buckets(&hub, &l, below, args));
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status run_info(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub_uri uri;
  struct hf_hub hub;
  json_t *raw, *made;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_bucket_parse(c, hf_hub_arg(args, "bucket_id"), &uri));
  TRY(hf_hub_ask(&hub, "GET", hf_hub_bucket_url(&hub, uri.id, ""), NULL, &raw));
  hf_status st = hf_hub_shape_fields(c, fields, HF_COUNT(fields), raw, &made);
  json_decref(raw);
  return st == HF_OK ? hf_hub_record(out, c, HF_OUT_DICT, made) : st;
}

/* ---- delete, move, settings ------------------------------------------------------------------------------------------------------ */

static hf_status run_delete(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id;
  struct hf_hub hub;
  json_t *answer;
  (void)state;
  TRY(hf_hub_bucket_id(c, hf_hub_arg(args, "bucket_id"), "deletion", true, &id));
  if (!hf_hub_given(args, "yes")) {
    const char *question = hf_hub_text(c, "Are you sure you want to delete bucket '%s'?", id);
    TRY(question ? hf_host()->ask(out, HF_ASK_CONFIRM, question, NULL, 0) : HF_ENOMEM);
  }
  TRY(hf_hub_row_begin(&hub, c, args, out));
  hf_status st = hf_hub_ask(&hub, "DELETE", hf_hub_bucket_url(&hub, id, ""), NULL, &answer);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  if (e && e->http_status == 404 && hf_hub_given(args, "missing_ok"))
    hf_host()->clear(c);
  else if (st != HF_OK)
    return st;
  else
    json_decref(answer);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Bucket deleted"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s}", "bucket_id", id));
}

static hf_status only_bucket(hf_call *c, const char *text, const char **id) {
  struct hf_hub_uri uri;
  TRY(hf_hub_bucket_parse(c, text, &uri));
  *id = uri.id;
  if (!*uri.path) return HF_OK;
  return hf_hub_bad_value(
      c,
      "Cannot specify a prefix for bucket move: %s. Use namespace/bucket_name or hf://buckets/namespace/bucket_name.",
      text);
}

static hf_status run_move(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *from, *to;
  struct hf_hub hub;
  json_t *answer;
  (void)state;
  TRY(only_bucket(c, hf_hub_arg(args, "from_id"), &from));
  TRY(only_bucket(c, hf_hub_arg(args, "to_id"), &to));
  TRY(hf_hub_check_repo(c, from));
  TRY(hf_hub_check_repo(c, to));
  TRY(hf_hub_row_begin(&hub, c, args, out));
  json_t *body = json_pack("{s:s, s:s, s:s}", "fromRepo", from, "toRepo", to, "type", "bucket");
  TRY(hf_hub_ask(&hub, "POST", hf_hub_at(&hub, "repos/move"), body, &answer));
  json_decref(answer);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Bucket moved"));
  return hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s, s:s}", "from_id", from, "to_id", to));
}

static hf_status run_settings(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id;
  bool private = hf_hub_given(args, "private");
  struct hf_hub hub;
  json_t *answer;
  (void)state;
  if (private == hf_hub_given(args, "public"))
    return hf_hub_bad_value(c, "Specify exactly one of --private or --public.");
  TRY(hf_hub_bucket_id(c, hf_hub_arg(args, "bucket_id"), "settings", true, &id));
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_ask(&hub, "PUT", hf_hub_bucket_url(&hub, id, "/settings"), json_pack("{s:b}", "private", (int)private),
                 &answer));
  json_decref(answer);
  TRY(hf_hub_say(out, c, HF_OUT_MESSAGE, "Bucket settings updated"));
  TRY(hf_hub_record(out, c, HF_OUT_RESULT, json_pack("{s:s, s:b}", "bucket_id", id, "private", (int)private)));
  const char *hint = hf_hub_text(c, "Run `hf buckets info %s` to view bucket details.", id);
  return hint ? hf_hub_say(out, c, HF_OUT_HINT, hint) : HF_ENOMEM;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------------- */

#define BUCKET HF_WORD("bucket_id", "BUCKET_ID", "The bucket: namespace/name, or hf://buckets/namespace/name.")
#define RECURSIVE(h) \
  { .name = "recursive", .spellings = "=--recursive,-R", .help = h, .type = HF_P_BOOL }
#define PATTERNS(n, h) \
  { .name = n, .help = h, .type = HF_P_STR, .flags = HF_PF_REPEAT }
static const struct hf_param create_params[] = {
    HF_WORD("bucket_id", "BUCKET_ID", "The bucket: name, namespace/name, or hf://buckets/namespace/name."),
    HF_SWITCH("private", "Only for you and your organization."),
    {.name = "region", .help = "Where it is kept.", .choices = "us,eu", .type = HF_P_CHOICE},
    HF_SWITCH("exist_ok", "No error when it is there already."),
    HF_TOKEN_PARAM};
static const struct hf_param list_params[] = {
    {.name = "argument",
     .value_name = "ARGUMENT",
     .help = "Who owns the buckets; or a bucket, or a path in one, whose files to list.",
     .type = HF_P_STR,
     .flags = HF_PF_POSITIONAL},
    {.name = "human_readable",
     .spellings = "=--human-readable,-h",
     .help = "Sizes that people read.",
     .type = HF_P_BOOL},
    {.name = "as_tree", .spellings = "=--tree", .help = "Show files as a tree; for files only.", .type = HF_P_BOOL},
    RECURSIVE("Look into folders; for files only."),
    HF_TEXT("search", "Only buckets that this finds."),
    HF_TOKEN_PARAM};
static const struct hf_param info_params[] = {BUCKET, HF_TOKEN_PARAM};
static const struct hf_param delete_params[] = {
    BUCKET, HF_YES, HF_SWITCH("missing_ok", "No error when it is not there."), HF_TOKEN_PARAM};
static const struct hf_param remove_params[] = {
    HF_WORD("argument", "ARGUMENT",
            "namespace/name/path, or hf://buckets/namespace/name/path; all files of the bucket "
            "without a path and with --recursive."),
    RECURSIVE("All files below the path."),
    HF_YES,
    HF_SWITCH("dry_run", "Say what would be removed."),
    PATTERNS("include", "Only files that match, with --recursive; may be repeated."),
    PATTERNS("exclude", "No files that match, with --recursive; may be repeated."),
    HF_TOKEN_PARAM};
static const struct hf_param move_params[] = {
    HF_WORD("from_id", "FROM_ID", "The bucket as it is: namespace/name, or hf://buckets/namespace/name."),
    HF_WORD("to_id", "TO_ID", "The bucket as it shall be."), HF_TOKEN_PARAM};
static const struct hf_param settings_params[] = {BUCKET, HF_SWITCH("private", "Only for you and your organization."),
                                                  HF_SWITCH("public", "For everybody."), HF_TOKEN_PARAM};

#define EITHER(n, h) \
  { .name = n, .value_name = NULL, .help = h, .type = HF_P_STR, .flags = HF_PF_POSITIONAL }
static const struct hf_param sync_params[] = {
    EITHER("source", "From: a folder, or hf://buckets/namespace/name[/path]."),
    EITHER("dest", "To: the other kind of the two."),
    HF_ON_OFF("delete", "Remove what only the destination has."),
    HF_SWITCH("ignore_times", "Compare sizes only."),
    HF_SWITCH("ignore_sizes", "Compare times only."),
    HF_TEXT("plan", "Write what would happen to this file, and stop."),
    HF_TEXT("apply", "Carry out such a file."),
    HF_SWITCH("dry_run", "Print what would happen as lines of JSON."),
    PATTERNS("include", "Only files that match; may be repeated."),
    PATTERNS("exclude", "No files that match; may be repeated."),
    HF_TEXT("filter_from", "File of patterns, `+ PATTERN` or `- PATTERN` a line; the first that fits decides."),
    HF_SWITCH("existing", "Only files that the destination has, too."),
    HF_SWITCH("ignore_existing", "Only files that the destination has not."),
    {.name = "verbose", .spellings = "=--verbose,-v", .help = "Say what happens to each file.", .type = HF_P_BOOL},
    HF_TOKEN_PARAM};

#define ONE "/api/buckets/{+bucket_id}"
static const struct hf_route create_routes[] = {{.method = "POST", .path = ONE, .body = "region", .tries = 1},
                                                {.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route list_routes[] = {
    {.method = "GET", .path = "/api/buckets/{argument}", .query = "search", .paging = HF_PAGE_LINK},
    {.method = "GET", .path = "/api/buckets/{+argument}/tree", .query = "recursive", .paging = HF_PAGE_LINK}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = ONE, .tries = 1}};
static const struct hf_route delete_routes[] = {{.method = "DELETE", .path = ONE, .tries = 1}};
static const struct hf_route remove_routes[] = {{.method = "POST", .path = "/api/buckets/{+argument}/batch"}};
static const struct hf_route move_routes[] = {
    {.method = "POST", .path = "/api/repos/move", .body = "fromRepo=from_id toRepo=to_id", .tries = 1}};
static const struct hf_route settings_routes[] = {
    {.method = "PUT", .path = ONE "/settings", .body = "private", .tries = 1}};

static const struct hf_route sync_routes[] = {
    {.method = "GET", .path = "/api/buckets/{+dest}/tree", .query = "recursive", .paging = HF_PAGE_LINK},
    {.method = "POST", .path = "/api/buckets/{+source}/paths-info", .body = "paths"},
    {.method = "POST", .path = "/api/buckets/{+dest}/batch"}};
#define SYNC_ROW(name_)                                                                      \
  {                                                                                          \
    .task = {                                                                                \
      .name = name_,                                                                         \
      .summary = "Make a bucket like a folder, or a folder like a bucket.",                  \
      .examples =                                                                            \
          "hf sync ./data hf://buckets/user/my-bucket\nhf sync hf://buckets/user/my-bucket " \
          "./data --delete",                                                                 \
      .params = HF_TABLE(sync_params),                                                       \
      HF_ROUTES(sync_routes),                                                                \
      .flags = HF_ROW_WRITES | HF_TK_COMPOSES,                                               \
      .run = hf_hub_bucket_sync,                                                             \
      .api = "sync_bucket"                                                                   \
    }                                                                                        \
  }

static const struct hf_hub_row rows[] = {
    {.task = {.name = "buckets.create",
              .group_help = "Storage on the Hub without history.",
              .summary = "Make a bucket.",
              .examples = "hf buckets create user/my-bucket --private",
              .params = HF_TABLE(create_params),
              HF_ROUTES(create_routes),
              .flags = HF_ROW_WRITES,
              .run = run_create,
              .api = "create_bucket"}},
    {.task = {.name = "buckets.list",
              .aliases = "ls",
              .summary = "List buckets, or the files of one.",
              .examples = "hf buckets list\nhf buckets list user/my-bucket -R -h",
              .params = HF_TABLE(list_params),
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .run = run_list,
              .api = "list_buckets list_bucket_tree"}},
    {.task = {.name = "buckets.info",
              .summary = "Show a bucket.",
              .examples = "hf buckets info user/my-bucket",
              .params = HF_TABLE(info_params),
              .id_key = "id",
              HF_ROUTES(info_routes),
              .flags = HF_ROW_READS,
              .run = run_info,
              .api = "bucket_info"}},
    {.task = {.name = "buckets.delete",
              .summary = "Delete a bucket with all its files.",
              .examples = "hf buckets delete user/my-bucket",
              .params = HF_TABLE(delete_params),
              HF_ROUTES(delete_routes),
              .flags = HF_ROW_DESTROYS,
              .run = run_delete,
              .api = "delete_bucket"}},
    {.task = {.name = "buckets.remove",
              .aliases = "rm",
              .summary = "Remove files from a bucket.",
              .examples = "hf buckets rm user/my-bucket/logs/ --recursive --include \"*.tmp\"",
              .params = HF_TABLE(remove_params),
              HF_ROUTES(remove_routes),
              .flags = HF_ROW_DESTROYS,
              .run = hf_hub_bucket_remove,
              .api = "batch_bucket_files"}},
    {.task = {.name = "buckets.move",
              .summary = "Give a bucket another name or owner.",
              .examples = "hf buckets move user/old-bucket my-org/new-bucket",
              .params = HF_TABLE(move_params),
              HF_ROUTES(move_routes),
              .flags = HF_ROW_WRITES,
              .run = run_move,
              .api = "move_bucket"}},
    {.task = {.name = "buckets.settings",
              .summary = "Make a bucket private or public.",
              .examples = "hf buckets settings user/my-bucket --private",
              .params = HF_TABLE(settings_params),
              HF_ROUTES(settings_routes),
              .flags = HF_ROW_WRITES,
              .run = run_settings,
              .api = "update_bucket_settings"}},
    SYNC_ROW("buckets.sync"),
    SYNC_ROW("sync"),
};

const struct hf_tasks hf_hub_tasks_buckets = HF_HUB_ROWS("hub-buckets", "Buckets", HF_TABLE(rows));
