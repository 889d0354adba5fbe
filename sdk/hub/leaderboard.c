/* leaderboard.c - `hf datasets leaderboard`: how models did on a dataset that is a benchmark.
 * One request; the hint names the best of them.
 * Authors are users or organizations, with different fields. */
#include "rows.h"

#include <string.h>

static hf_status author(hf_call *c, const json_t *whole, const json_t *v, json_t **out) {
  const char *type = hf_hub_get(v, "type");
  return (type && !strcmp(type, "org") ? hf_hub_field_org : hf_hub_field_named)(c, whole, v, out);
}

static const struct hf_hub_field fields[] = {{.name = "rank"},
                                             {.name = "model_id", .from = "modelId"},
                                             {.name = "value"},
                                             {.name = "filename"},
                                             {.name = "verified"},
                                             {.name = "source"},
                                             {.name = "author", .shape = author},
                                             {.name = "pull_request", .from = "pullRequest"},
                                             {.name = "notes"}};

static hf_status run(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "datasets.leaderboard");
  struct hf_hub hub;
  json_t *answer = NULL;
  int64_t limit = 20;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_row_ask(&hub, row, 0, args, &answer));
  hf_host()->arg_int(args, "limit", &limit);
  hf_status st = hf_hub_shown_items(c, out, row, answer, limit);
  if (st == HF_OK) st = hf_hub_shown_hints(c, out, row, args);
  const char *first = hf_hub_get(json_array_get(answer, 0), "modelId");
  const char *hint = first ? hf_hub_text(c, "Use 'hf models info %s' to get details about a model.", first) : NULL;
  if (st == HF_OK && hint) st = hf_hub_say(out, c, HF_OUT_HINT, hint);
  json_decref(answer);
  return st;
}

static const struct hf_param params[] = {
    HF_WORD("dataset_id", "DATASET_ID", "The benchmark, such as `SWE-bench/SWE-bench_Verified`."),
    HF_NUMBER("limit", "20", "At most so many."), HF_TOKEN_PARAM};
static const struct hf_route routes[] = {
    {.method = "GET", .path = "/api/datasets/{dataset_id}/leaderboard", .tries = 1}};
static const struct hf_hub_row rows[] = {
    {.task = {.name = "datasets.leaderboard",
              .summary = "List how models did on a benchmark.",
              .examples = "hf datasets leaderboard SWE-bench/SWE-bench_Verified --limit 5",
              .params = HF_TABLE(params),
              HF_ROUTES(routes),
              .flags = HF_ROW_READS,
              .run = run,
              .api = "get_dataset_leaderboard"},
     HF_HUB_SHOWS(fields),
     .layout = "{\"kind\":\"table\",\"headers\":[\"rank\",\"model_id\",\"value\",\"source\"],\"id_key\":\"model_id\"}",
     .hints = {"Use 'hf datasets ls --filter benchmark:official' to list available leaderboards."}},
};

const struct hf_tasks hf_hub_tasks_leaderboard = HF_HUB_ROWS("hub-leaderboard", "Benchmarks", HF_TABLE(rows));
