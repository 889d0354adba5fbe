/* dataset_viewer.c - `hf datasets parquet` and `sql`: the Parquet files that the Hub makes of a dataset, and questions about them.
 * The list comes from the Hub's dataset server, which other Hubs do not have. Questions are answered by the program duckdb, which
 * gets them, and the token, on its standard input; no shell is involved, and no word of the question is an option of it.
 * Commands of duckdb itself are refused: they could start programs. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "jobs.h"

#define SERVER     "https://datasets-server.huggingface.co"
#define ONLY_HUB   "https://huggingface.co"
#define ANSWER_MAX ((off_t)64 << 20)

/* ---- parquet -------------------------------------------------------------------------------------------------------------- */

static hf_status show_files(hf_call *c, hf_out *out, const json_t *files, const hf_args *args) {
  const struct hf_hub_row *row = hf_hub_row_of(c, "datasets.parquet");
  const char *wanted = hf_hub_arg(args, "split");
  size_t i;
  json_t *file;
  TRY(hf_host()->record(out, HF_OUT_LAYOUT, row->layout, strlen(row->layout)));
  json_array_foreach((json_t *)(uintptr_t)files, i, file) {
    const char *split = hf_hub_get(file, "split");
    if (wanted && (!split || strcmp(split, wanted) != 0)) continue;
    TRY(hf_hub_record(out, c, HF_OUT_ITEM,
                      json_pack("{s:O?, s:O?, s:O?, s:O?}", "subset", json_object_get(file, "config"), "split",
                                json_object_get(file, "split"), "url", json_object_get(file, "url"), "size",
                                json_object_get(file, "size"))));
  }
  return hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2);
}

static hf_status run_parquet(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub, there;
  json_t *answer = NULL;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  TRY(hf_hub_check_repo(c, hf_hub_arg(args, "dataset_id")));
  if (strcmp(hub.endpoint, ONLY_HUB) != 0)
    return hf_hub_fail(c, HF_EINVAL, "ValueError",
                       "The Dataset Viewer is only available on the Hugging Face Hub (endpoint='" ONLY_HUB
                       "'). It is not supported on third-party endpoints. (endpoint=%s)",
                       hub.endpoint);
  there = hub;
  there.endpoint = SERVER;
  const char *url = hf_hub_url(&there, hf_hub_row_of(c, "datasets.parquet")->task.routes, args);
  if (!hub.offline) TRY(hf_hub_ready(&hub));
  if (!hub.offline) TRY(hf_hub_credential_at(&hub, SERVER));
  TRY(hf_hub_ask(&hub, "GET", url, NULL, &answer));
  hf_status st = show_files(c, out, json_object_get(answer, "parquet_files"), args);
  json_decref(answer);
  return st;
}

/* ---- sql ------------------------------------------------------------------------------------------------------------------ */

static bool blank(char ch) {
  return ch == ' ' || (ch >= '\t' && ch <= '\r');
}

/* Without blanks and semicolons at its ends; NULL: error set. */
static const char *question(hf_call *c, const char *text) {
  size_t n = strlen(text);
  while (blank(*text)) text++, n--;
  while (n && blank(text[n - 1])) n--;
  while (n && text[n - 1] == ';') n--;
  while (n && blank(text[n - 1])) n--;
  const char *sql = hf_host()->intern(c, text, n);
  if (sql && !*sql) return hf_hub_fail(c, HF_EINVAL, "ValueError", "SQL query cannot be empty."), NULL;
  for (const char *line = sql; line; line = strpbrk(line, "\n\r\v\f")) {
    while (blank(*line)) line++;
    if (*line == '.' && ((line[1] | 32) >= 'a' && (line[1] | 32) <= 'z'))
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "DuckDB CLI meta-commands are not allowed in SQL queries."), NULL;
  }
  return sql;
}

/* With every ' doubled. */
static const char *literal(hf_call *c, const char *text) {
  const char *out = "";
  while (out) {
    size_t n = strcspn(text, "'");
    out = hf_hub_text(c, "%s%.*s%s", out, (int)n, text, text[n] ? "''" : "");
    if (!text[n]) break;
    text += n + 1;
  }
  return out;
}

/* What duckdb reads: the token, of which nothing is printed, and the question. */
static const char *script(struct hf_hub *hub, const char *sql) {
  hf_call *c = hub->call;
  const char *token;
  if (hf_hub_token(hub, &token) != HF_OK) return NULL;
  if (!token) return hf_hub_text(c, "%s;", sql);
  const char *secret = literal(c, token), *scope = literal(c, hub->endpoint);
  if (!secret || !scope) return NULL;
  return hf_hub_text(c,
                     ".output /dev/null\nCREATE OR REPLACE SECRET hf_hub_token (TYPE HTTP, BEARER_TOKEN '%s', SCOPE "
                     "'%s');\nCREATE OR REPLACE SECRET hf_token (TYPE HUGGINGFACE, TOKEN '%s');\n.output\n%s;",
                     secret, scope, secret, sql);
}

struct files {
  int in, out, err; /* in memory */
};

static bool write_all(int fd, const char *text, size_t len) {
  while (len) {
    ssize_t n = write(fd, text, len);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) text += n, len -= (size_t)n;
  }
  return lseek(fd, 0, SEEK_SET) == 0;
}

/* Runs it to its end; *code: as a shell would tell it. */
static hf_status run_duckdb(hf_call *c, const struct files *f, int *code) {
  char *argv[] = {"duckdb", "-json", NULL}, **env = hf_hub_clean_environment(c);
  posix_spawn_file_actions_t moves;
  pid_t pid;
  int status = 0;
  if (!env || posix_spawn_file_actions_init(&moves)) return HF_ENOMEM;
  int err = posix_spawn_file_actions_adddup2(&moves, f->in, 0);
  if (!err) err = posix_spawn_file_actions_adddup2(&moves, f->out, 1);
  if (!err) err = posix_spawn_file_actions_adddup2(&moves, f->err, 2);
  if (!err) err = posix_spawnp(&pid, "duckdb", &moves, NULL, argv, env);
  posix_spawn_file_actions_destroy(&moves);
  if (err == ENOENT || err == EACCES)
    return hf_hub_refuse(c,
                         "DuckDB is required for `hf datasets sql`. Install the DuckDB CLI binary (for example `brew "
                         "install duckdb`).");
  if (err) return hf_hub_fail(c, HF_EIO, NULL, "The program duckdb cannot be started: %s.", strerror(err));
  for (pid_t got; (got = waitpid(pid, &status, WNOHANG)) != pid;) {
    hf_status st =
        got < 0 && errno != EINTR
            ? hf_hub_fail(c, HF_EIO, NULL, "The program duckdb could not be waited for: %s.", strerror(errno))
            : hf_hub_nap(c, 20);
    if (st == HF_OK) continue;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return st;
  }
  *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return HF_OK;
}

/* What a file in memory holds, without blanks around it; NULL: error set. */
static const char *content(hf_call *c, int fd) {
  off_t size = lseek(fd, 0, SEEK_END);
  if (size < 0 || size > ANSWER_MAX)
    return hf_hub_fail(c, HF_EPROTO, NULL, "duckdb answers with more than 64 MiB; ask for fewer rows."), NULL;
  char *text = hf_host()->arena(c, (size_t)size + 1);
  ssize_t n = text ? pread(fd, text, (size_t)size, 0) : -1;
  if (n < 0) return hf_hub_fail(c, HF_EIO, NULL, "What duckdb wrote cannot be read."), NULL;
  while (n && blank(text[n - 1])) n--;
  text[n] = 0;
  while (blank(*text)) text++;
  return text;
}

static hf_status show_answer(hf_call *c, hf_out *out, const struct files *f, int code) {
  const char *told = content(c, f->out), *wrong = content(c, f->err);
  json_t *rows, *row;
  size_t i;
  if (!told || !wrong) return HF_EPROTO;
  if (code)
    return hf_hub_fail(c, HF_EIO, "RuntimeError", "%s", *wrong ? wrong : *told ? told : "DuckDB CLI command failed.");
  if (!*told) return hf_hub_fail(c, HF_EINVAL, "ValueError", "SQL query must return rows.");
  TRY(hf_hub_parse(c, told, strlen(told), "duckdb", &rows));
  hf_status st = json_is_array(rows) ? HF_OK : hf_hub_fail(c, HF_EPROTO, NULL, "duckdb answers with no list of rows.");
  json_array_foreach(rows, i, row) if (st == HF_OK) st = hf_hub_record(out, c, HF_OUT_ITEM, json_incref(row));
  json_decref(rows);
  return st == HF_OK ? hf_host()->record(out, HF_OUT_TABLE_END, "{}", 2) : st;
}

static hf_status run_sql(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  struct hf_hub hub;
  int code = 0;
  (void)state;
  TRY(hf_hub_row_begin(&hub, c, args, out));
  const char *sql = question(c, hf_hub_arg(args, "sql")), *typed = sql ? script(&hub, sql) : NULL;
  if (!typed) return hf_host()->error(c) ? hf_host()->error(c)->code : HF_ENOMEM;
  struct files f = {memfd_create("sql", MFD_CLOEXEC), memfd_create("rows", MFD_CLOEXEC),
                    memfd_create("errors", MFD_CLOEXEC)};
  hf_status st = HF_OK;
  if (f.in < 0 || f.out < 0 || f.err < 0 || !write_all(f.in, typed, strlen(typed)))
    st = hf_hub_fail(c, HF_ENOMEM, NULL, "No memory for a question to duckdb: %s.", strerror(errno));
  if (st == HF_OK) st = run_duckdb(c, &f, &code);
  if (st == HF_OK) st = show_answer(c, out, &f, code);
  if (f.in >= 0) close(f.in);
  if (f.out >= 0) close(f.out);
  if (f.err >= 0) close(f.err);
  return st;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------- */

static const struct hf_param parquet_params[] = {
    HF_WORD("dataset_id", "DATASET_ID", "The dataset, such as `username/repo-name`."),
    HF_TEXT("subset", "Only files of this subset."), HF_TEXT("split", "Only files of this split."), HF_TOKEN_PARAM};
static const struct hf_param sql_params[] = {HF_WORD("sql", "SQL", "The question, in DuckDB's SQL."), HF_TOKEN_PARAM};
static const struct hf_route parquet_routes[] = {
    {.method = "GET", .path = "/parquet", .query = "dataset=dataset_id config=subset", .tries = 1}};

static const struct hf_hub_row rows[] = {
    {.task = {.name = "datasets.parquet",
              .summary = "List the Parquet files of a dataset.",
              .examples = "hf datasets parquet cfahlgren1/hub-stats --subset models",
              .params = HF_TABLE(parquet_params),
              HF_ROUTES(parquet_routes),
              .flags = HF_ROW_READS,
              .run = run_parquet,
              .api = "list_dataset_parquet_files"},
     .layout = "{\"headers\":[\"subset\",\"split\",\"url\",\"size\"],\"id_key\":\"url\"}"},
    {.task = {.name = "datasets.sql",
              .summary = "Ask about Parquet files in SQL; the program duckdb answers.",
              .examples = "hf datasets sql \"SELECT COUNT(*) FROM read_parquet('https://huggingface.co/api/datasets/"
                          "cfahlgren1/hub-stats/parquet/models/train/0.parquet')\"",
              .params = HF_TABLE(sql_params),
              .flags = HF_ROW_READS,
              .run = run_sql}},
};

const struct hf_tasks hf_hub_tasks_dataset_viewer = HF_HUB_ROWS("hub-dataset-viewer", "Dataset viewer", HF_TABLE(rows));
