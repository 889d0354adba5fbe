/* papers.c - `hf papers`: papers of the day, a search among all, one of them described or read.
 * Rows; the fields are the reference's, some of which come from two places of an answer.
 * What is known of one paper is asked without a token, as the reference does. */
#include "rows.h"

#include <string.h>
#include <time.h>

static const struct hf_hub_field author_fields[] = {
    {.name = "name", .deflt = "\"\""},
    {.name = "user", .shape = hf_hub_field_user},
    {.name = "status"},
    {.name = "status_last_changed_at", .from = "statusLastChangedAt", .shape = hf_hub_field_date},
    {.name = "hidden"}};

/* A date that published_at has not used up. */
static hf_status submitted_at(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  const char *used = hf_hub_get(json_object_get(whole, "paper"), "publishedAt");
  const char *date = used && *used ? hf_hub_get(whole, "publishedAt") : NULL;
  (void)v;
  if (!date || !*date) date = hf_hub_get(whole, "submittedOnDailyAt");
  *out = NULL;
  return date && *date ? hf_hub_shape_date(c, date, out) : HF_OK;
}

static hf_status submitter(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  const char *name = hf_hub_get(v, "fullname");
  (void)c, (void)whole;
  if (!name || !*name) name = hf_hub_get(v, "user");
  *out = json_string(name ? name : "");
  return *out ? HF_OK : HF_ENOMEM;
}

static hf_status linked(hf_call *c, const char *type, const json_t *v, json_t **out) {
  size_t i;
  json_t *item, *made;
  *out = json_array();
  json_array_foreach((json_t *)(uintptr_t)v, i, item) {
    hf_status st = hf_hub_shape_info(c, type, item, &made);
    if (st == HF_OK && !json_array_append_new(*out, made)) continue;
    json_decref(*out);
    return st == HF_OK ? HF_ENOMEM : st;
  }
  return *out ? HF_OK : HF_ENOMEM;
}
static hf_status models(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return linked(c, "model", v, out);
}
static hf_status datasets(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return linked(c, "dataset", v, out);
}
static hf_status spaces(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  (void)whole;
  return linked(c, "space", v, out);
}

#define EITHER(n, key) \
  { .name = n, .from = "paper/" key, .or_from = key }
#define PAPER                                                                                                       \
  {.name = "id", .or_from = "paper/id"},                                                                            \
      {.name = "authors", .from = "paper/authors", .or_from = "authors", HF_HUB_FIELDS(author_fields)},             \
      {.name = "published_at", .from = "paper/publishedAt", .or_from = "publishedAt", .shape = hf_hub_field_date},  \
      {.name = "title"}, EITHER("summary", "summary"), EITHER("upvotes", "upvotes"),                                \
      EITHER("discussion_id", "discussionId"), {.name = "source"},                                                  \
      {.name = "comments", .from = "numComments", .deflt = "0"},                                                    \
      {.name = "submitted_at", .from = "publishedAt", .or_from = "submittedOnDailyAt", .shape = submitted_at},      \
      {.name = "submitted_by", .from = "submittedBy", .or_from = "submittedOnDailyBy", .shape = hf_hub_field_user}, \
      {.name = "ai_summary"}, {.name = "ai_keywords"}, {.name = "organization", .shape = hf_hub_field_org},         \
      {.name = "project_page", .from = "projectPage"}, {.name = "github_repo", .from = "githubRepo"},               \
      {.name = "github_stars", .from = "githubStars"},                                                              \
      {.name = "linked_models", .from = "linkedModels", .shape = models},                                           \
      {.name = "num_total_models", .from = "numTotalModels"},                                                       \
      {.name = "linked_datasets", .from = "linkedDatasets", .shape = datasets},                                     \
      {.name = "num_total_datasets", .from = "numTotalDatasets"}, {                                                 \
    .name = "linked_spaces", .from = "linkedSpaces", .shape = spaces                                                \
  }
static const struct hf_hub_field paper_fields[] = {PAPER};
static const struct hf_hub_field daily_fields[] = {PAPER,
                                                   {.name = "submitted_by_name",
                                                    .from = "submittedBy",
                                                    .or_from = "submittedOnDailyBy",
                                                    .shape = submitter,
                                                    .deflt = "\"\""}};

/* ---- run functions ------------------------------------------------------------------------------------------------------- */

/* --date today is a day of this machine. */
static hf_status run_list(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  static const char *const keys[] = {"limit", "sort", "date", "week", "month", "submitter"};
  const struct hf_hub_row *row = hf_hub_row_of(c, "papers.list");
  const char *query = "";
  struct hf_hub hub;
  json_t *answer = NULL;
  char today[16];
  (void)state;
  for (size_t i = 0; query && i < HF_COUNT(keys); i++) {
    const char *value = hf_hub_arg(args, keys[i]);
    if (value && !strcmp(keys[i], "date") && !strcasecmp(value, "today")) {
      time_t now = time(NULL);
      struct tm tm;
      if (localtime_r(&now, &tm) && strftime(today, sizeof today, "%Y-%m-%d", &tm)) value = today;
    }
    if (value) query = hf_hub_query(c, query, keys[i], value);
  }
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_ask(&hub, "GET", query ? hf_hub_at(&hub, "daily_papers%s%s", *query ? "?" : "", query) : NULL, NULL,
                 &answer));
  hf_status st = hf_hub_shown_items(c, out, row, answer, -1);
  json_decref(answer);
  return st;
}

static hf_status run_read(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const char *id = hf_hub_arg(args, "paper_id"), *quoted = hf_hub_quote(c, id, "/");
  struct hf_hub hub;
  struct hf_http_resp resp;
  (void)state;
  TRY(hf_hub_begin(&hub, c, out, "", NULL, false));
  const char *url = quoted ? hf_hub_text(c, "%s/papers/%s.md", hub.endpoint, quoted) : NULL;
  if (!url) return HF_ENOMEM;
  hf_status st = hf_hub_send(&hub, &(struct hf_hub_req){.url = url, .tries = 1}, &resp);
  const struct hf_error *e = st == HF_OK ? NULL : hf_host()->error(c);
  if (e && e->http_status == 404) {
    hf_host()->clear(c);
    return hf_hub_refuse(c, "Paper '%s' not found on the Hub.", id);
  }
  TRY(st);
  const char *text = hf_host()->intern(c, resp.body ? resp.body : "", resp.body_len);
  return text ? hf_hub_say(out, c, HF_OUT_TEXT, text) : HF_ENOMEM;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------- */

#define PAPER_ID HF_WORD("paper_id", "PAPER_ID", "Its id at arXiv, such as '2502.08025'.")
static const struct hf_param list_params[] = {
    HF_TEXT("date", "Those of a day, YYYY-MM-DD or 'today'."),
    HF_TEXT("week", "Those of a week, such as '2025-W09'."),
    HF_TEXT("month", "Those of a month, such as '2025-02'."),
    HF_TEXT("submitter", "Those that this user has submitted."),
    {.name = "sort", .help = "What comes first.", .choices = "publishedAt,trending", .type = HF_P_CHOICE},
    HF_NUMBER("limit", "50", "At most so many."),
    HF_TOKEN_PARAM};
static const struct hf_param search_params[] = {HF_WORD("query", "QUERY", "What to look for."),
                                                HF_NUMBER("limit", "20", "At most so many."), HF_TOKEN_PARAM};
static const struct hf_param id_params[] = {PAPER_ID, HF_TOKEN_PARAM};

static const struct hf_route list_routes[] = {
    {.method = "GET", .path = "/api/daily_papers", .query = "limit sort date week month submitter", .tries = 1}};
static const struct hf_route search_routes[] = {
    {.method = "GET", .path = "/api/papers/search", .query = "q=query limit", .tries = 1}};
static const struct hf_route info_routes[] = {{.method = "GET", .path = "/api/papers/{+paper_id}", .tries = 1}};
static const struct hf_route read_routes[] = {{.method = "GET", .path = "/papers/{+paper_id}.md", .tries = 1}};

#define TABLE(h) "{\"kind\":\"table\",\"headers\":[" h "]}"
static const struct hf_hub_row rows[] = {
    {.task = {.name = "papers.list",
              .aliases = "ls",
              .group_help = "Interact with papers on the Hub.",
              .summary = "List the papers of the day.",
              .examples = "hf papers ls --sort trending\nhf papers ls --date 2025-01-23",
              .params = HF_TABLE(list_params),
              HF_ROUTES(list_routes),
              .flags = HF_ROW_READS,
              .run = run_list,
              .api = "list_daily_papers"},
     HF_HUB_SHOWS(daily_fields),
     .layout = TABLE("\"id\",\"title\",\"upvotes\",\"comments\",\"published_at\",\"submitted_by_name\"")},
    {.task = {.name = "papers.search",
              .summary = "Look for papers.",
              .examples = "hf papers search \"vision language\" --limit 10",
              .params = HF_TABLE(search_params),
              HF_ROUTES(search_routes),
              .flags = HF_ROW_READS,
              .api = "list_papers"},
     HF_HUB_SHOWS(paper_fields),
     .layout = TABLE("\"id\",\"title\",\"summary\",\"upvotes\",\"published_at\""),
     .flags = HF_ROW_LIST | HF_ROW_ALL},
    {.task = {.name = "papers.info",
              .summary = "Describe a paper.",
              .examples = "hf papers info 2601.15621",
              .params = HF_TABLE(id_params),
              HF_ROUTES(info_routes),
              .flags = HF_ROW_READS,
              .api = "paper_info"},
     HF_HUB_SHOWS(paper_fields),
     .absent = "Paper '{paper_id}' not found on the Hub.",
     .flags = HF_ROW_NO_TOKEN},
    {.task = {.name = "papers.read",
              .summary = "Print a paper as Markdown.",
              .examples = "hf papers read 2601.15621",
              .params = HF_TABLE(id_params),
              HF_ROUTES(read_routes),
              .flags = HF_ROW_READS,
              .run = run_read,
              .api = "read_paper"}},
};

const struct hf_tasks hf_hub_tasks_papers = HF_HUB_ROWS("hub-papers", "Papers", HF_TABLE(rows));
