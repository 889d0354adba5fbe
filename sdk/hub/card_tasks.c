/* card_tasks.c - `hf models card`, `hf datasets card`, `hf spaces card`: a repo's README.md, its metadata, or its text.
 * The metadata is read and written anew, as the reference does, in the order of the card.
 * README.md comes through the cache like any file of a repo; a file of that name on disk counts first. */
#include "rows.h"
#include "yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CARD_MAX = 32 << 20 };

/* The whole file, with a NUL behind it; the caller frees it. */
static hf_status read_file(hf_call *c, const char *path, char **text, size_t *len) {
  FILE *f = fopen(path, "re");
  *text = f ? malloc(CARD_MAX + 1) : NULL;
  *len = *text ? fread(*text, 1, CARD_MAX + 1, f) : 0;
  bool failed = !f || !*text || ferror(f);
  if (f) fclose(f);
  if (failed || *len > CARD_MAX) {
    free(*text);
    *text = NULL;
    return hf_hub_fail(c, HF_EIO, NULL, "The card %s cannot be read or is larger than 32 MiB; look at the file.", path);
  }
  (*text)[*len] = 0;
  if (*len >= 3 && !memcmp(*text, "\xef\xbb\xbf", 3)) memmove(*text, *text + 3, (*len -= 3) + 1);
  return HF_OK;
}

static const char *after_break(const char *p) {
  return *p == '\r' ? p + 1 + (p[1] == '\n') : *p == '\n' ? p + 1 : NULL;
}

/* The block between two lines "---" at the top; *body is behind it. False: there is none. */
static bool metadata_block(const char *text, const char **block, size_t *size, const char **body) {
  const char *p = text + strspn(text, " \t\r\n\v\f");
  if (strncmp(p, "---", 3) != 0 || !(p = after_break(p + 3))) return false;
  *block = p;
  for (; *p; p++) {
    const char *next = after_break(p);
    if (!next || strncmp(next, "---", 3) != 0) continue;
    const char *end = next + 3 + strspn(next + 3, " \t"),
               *rest = *end == '\r' && end[1] != '\n' ? NULL : after_break(end);
    if (*end && !rest) continue;
    *size = (size_t)(p - *block);
    *body = *end ? rest : end;
    return true;
  }
  return false;
}

static const char *line_break_of(const char *text) {
  size_t cr = 0, lf = 0, crlf = 0;
  for (const char *p = text; *p; p++) {
    cr += *p == '\r';
    lf += *p == '\n';
    crlf += *p == '\r' && p[1] == '\n';
  }
  return crlf == cr && crlf == lf && crlf ? "\r\n" : cr > lf ? "\r" : "\n";
}

/* The card's own order first, then what the card class moved to the end. */
static json_t *in_order(const char *type, const json_t *raw, json_t *data) {
  const char *moved = !strcmp(type, "model") ? "model-index" : !strcmp(type, "dataset") ? "train-eval-index" : "";
  json_t *out = json_object(), *value;
  const char *key;
  json_object_foreach((json_t *)(uintptr_t)raw, key, value) {
    json_t *now = json_object_get(data, key);
    if (now && strcmp(key, moved) != 0) json_object_set(out, key, now);
  }
  json_object_foreach(data, key, value) if (!json_object_get(out, key)) json_object_set(out, key, value);
  return out;
}

static hf_status show_whole(struct hf_hub *hub, const char *type, const json_t *raw, json_t *data, const char *text,
                            const char *body) {
  hf_call *c = hub->call;
  const char *nl = line_break_of(text), *yaml = NULL;
  json_t *ordered = in_order(type, raw, data);
  hf_status st = hf_hub_yaml_write(c, ordered, nl, &yaml);
  json_decref(ordered);
  TRY(st);
  const char *all = hf_hub_text(c, "---%s%s%s---%s%s", nl, yaml, nl, nl, body);
  return all ? hf_hub_say(hub->out, c, HF_OUT_TEXT, all) : HF_ENOMEM;
}

static hf_status show(struct hf_hub *hub, const char *type, const hf_args *args, const char *text) {
  hf_call *c = hub->call;
  const char *block = "", *body = text;
  size_t size = 0;
  json_t *raw = NULL;
  bool bad = false;
  if (!metadata_block(text, &block, &size, &body))
    hf_hub_log(hub, HF_LOG_WARNING, "Repo card metadata block was not found. Setting CardData to empty.");
  TRY(hf_hub_yaml_read(c, block, size, &raw));
  if (json_is_null(raw)) {
    json_decref(raw);
    raw = json_object();
  }
  if (!json_is_object(raw))
    return json_decref(raw), hf_hub_fail(c, HF_EINVAL, "ValueError", "repo card metadata block should be a dict");
  json_t *data = hf_hub_order_card(type, raw, &bad);
  hf_status st = HF_OK;
  if (!data) st = hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  if (bad)
    st =
        hf_hub_fail(c, HF_EINVAL, "ValueError",
                    "Invalid `model_index` in metadata cannot be parsed: a result lacks its task, dataset or metrics.");
  if (st == HF_OK && hf_hub_given(args, "metadata"))
    st = hf_hub_record(hub->out, c, HF_OUT_DICT, json_incref(data));
  else if (st == HF_OK && hf_hub_given(args, "text"))
    st = hf_hub_say(hub->out, c, HF_OUT_TEXT, body);
  else if (st == HF_OK)
    st = show_whole(hub, type, raw, data, text, body);
  json_decref(data);
  json_decref(raw);
  return st;
}

static hf_status run(hf_call *c, const hf_args *args, hf_out *out, const char *type, const char *task,
                     const char *name) {
  struct hf_hub_want w = {.repo = {type, hf_hub_arg(args, name)}, .revision = "main"};
  struct hf_hub hub;
  struct stat info;
  const char *path = w.repo.id;
  char *text;
  size_t len;
  if (hf_hub_given(args, "metadata") && hf_hub_given(args, "text"))
    return hf_hub_refuse(c, "--metadata and --text are mutually exclusive.");
  TRY(hf_hub_begin(&hub, c, out, hf_hub_arg(args, "token"), "unknown/None", true));
  if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) TRY(hf_hub_file(&hub, &w, "README.md", &path, NULL));
  TRY(read_file(c, path, &text, &len));
  hf_status st = strlen(text) == len ? show(&hub, type, args, text)
                                     : hf_hub_fail(c, HF_EINVAL, "ValueError", "The card %s holds NUL.", path);
  free(text);
  TRY(st);
  if (hf_hub_given(args, "metadata") || hf_hub_given(args, "text")) return HF_OK;
  return hf_hub_shown_hints(c, out, hf_hub_row_of(c, task), args);
}

static hf_status run_model(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, "model", "models.card", "model_id");
}
static hf_status run_dataset(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, "dataset", "datasets.card", "dataset_id");
}
static hf_status run_space(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  return run(c, args, out, "space", "spaces.card", "space_id");
}

#define SHOWN                                                                                                      \
  HF_SWITCH("metadata", "Only the metadata, as JSON."), HF_SWITCH("text", "Only the text, without the metadata."), \
      HF_TOKEN_PARAM
static const struct hf_param model_params[] = {HF_WORD("model_id", "MODEL_ID", "Model, such as `username/repo-name`."),
                                               SHOWN};
static const struct hf_param dataset_params[] = {
    HF_WORD("dataset_id", "DATASET_ID", "Dataset, such as `username/repo-name`."), SHOWN};
static const struct hf_param space_params[] = {HF_WORD("space_id", "SPACE_ID", "Space, such as `username/repo-name`."),
                                               SHOWN};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "models.card",
              .summary = "Show the card of a model.",
              .examples = "hf models card google/gemma-4-31B-it\nhf models card google/gemma-4-31B-it --metadata",
              .params = HF_TABLE(model_params),
              .flags = HF_ROW_READS | HF_TK_COMPOSES,
              .run = run_model},
     .hints = {"Use `hf models card {model_id} --metadata` to extract only the card metadata."}},
    {.task = {.name = "datasets.card",
              .summary = "Show the card of a dataset.",
              .examples = "hf datasets card HuggingFaceFW/fineweb\nhf datasets card HuggingFaceFW/fineweb --text",
              .params = HF_TABLE(dataset_params),
              .flags = HF_ROW_READS | HF_TK_COMPOSES,
              .run = run_dataset},
     .hints = {"Use `hf datasets card {dataset_id} --metadata` to extract only the card metadata."}},
    {.task = {.name = "spaces.card",
              .summary = "Show the card of a Space.",
              .examples = "hf spaces card mteb/leaderboard\nhf spaces card mteb/leaderboard --metadata",
              .params = HF_TABLE(space_params),
              .flags = HF_ROW_READS | HF_TK_COMPOSES,
              .run = run_space},
     .hints = {"Use `hf spaces card {space_id} --metadata` to extract only the card metadata."}},
};

const struct hf_tasks hf_hub_tasks_card = HF_HUB_ROWS("hub-card", "Cards of repos", HF_TABLE(rows));
