/* test_cli_parse.c - command lines against a made-up row: what reaches the task, and what wrong ones say.
 * The row has every kind of parameter; the sentences are those of the reference client for the same mistakes.
 * Arguments are read back the way a task reads them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "cli_capture.h"

static const struct hf_param params[] = {
    {.name = "repo_id", .type = HF_P_REPO, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "files", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
    {.name = "repo_type",
     .spellings = "=--type,--repo-type",
     .type = HF_P_CHOICE,
     .choices = "model,dataset,space",
     .deflt = "(model)"},
    {.name = "include", .type = HF_P_STR, .flags = HF_PF_REPEAT},
    {.name = "workers", .spellings = "-n", .type = HF_P_INT, .deflt = "8"},
    {.name = "ratio", .type = HF_P_FLOAT},
    {.name = "force", .type = HF_P_BOOL, .flags = HF_PF_TRISTATE, .deflt = "false"},
    {.name = "recursive", .spellings = "-R", .type = HF_P_BOOL},
    {.name = "human_readable", .spellings = "-h", .type = HF_P_BOOL},
    {.name = "token", .type = HF_P_STR, .flags = HF_PF_SECRET},
};
static const struct hf_task row = {
    .name = "get", .summary = "Get.", .params = HF_TABLE(params), .flags = HF_TK_TYPE_PREFIX};
static const struct hf_param between[] = {
    {.name = "first", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "middle", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
    {.name = "last", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
};
static const struct hf_task row_between = {.name = "move", .summary = "Move.", .params = HF_TABLE(between)};
static const struct hf_param handed_on[] = {
    {.name = "image", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REQUIRED},
    {.name = "command", .type = HF_P_STR, .flags = HF_PF_POSITIONAL | HF_PF_REPEAT},
    {.name = "env", .spellings = "=-e,--env", .type = HF_P_STR, .flags = HF_PF_REPEAT},
    {.name = "json", .type = HF_P_BOOL},
    {.name = "quiet", .spellings = "=-q,--quiet", .type = HF_P_BOOL},
};
static const struct hf_task row_handed_on = {
    .name = "run", .summary = "Run.", .params = HF_TABLE(handed_on), .flags = HF_TK_PASSTHROUGH | HF_TK_LOCAL_FORMAT};

static struct capture seen;
static char storage[4096];

/* Parses a line, blanks between words, "_" for an empty word; storage is what argv would be. */
static int parse(const struct hf_task *task, const char *line, struct cli_parsed *out) {
  char *words[64];
  int n = 0;
  memset(out, 0, sizeof *out);
  snprintf(storage, sizeof storage, "%s", line);
  for (char *c = storage; *c;) {
    size_t len = strcspn(c, " ");
    words[n++] = len == 1 && *c == '_' ? c + len : c;
    c += len;
    if (*c) *c++ = 0;
  }
  char path[32];
  snprintf(path, sizeof path, "hf %s", task->name);
  capture_begin(&seen);
  int code = cli_parse(NULL, task, path, n, words, out);
  capture_end(&seen);
  return code;
}

/* Every argument as "name=a|b". */
static const char *shown(const struct hf_task *task, hf_args *args) {
  static char text[4096];
  size_t at = 0;
  text[0] = 0;
  for (uint32_t i = 0; i < cli_param_count(task); i++) {
    struct hf_param p = cli_param(task, i);
    uint32_t n = hf_host()->arg_count(args, p.name);
    for (uint32_t k = 0; k < n; k++)
      at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s",
                             k    ? "|"
                             : at ? " "
                                  : "",
                             k ? "" : p.name, k ? "" : "="),
          at += (size_t)snprintf(text + at, sizeof text - at, "%s", hf_host()->arg_str(args, p.name, k));
  }
  return text;
}

START_TEST(words_become_arguments) {
  static const struct {
    const struct hf_task *task;
    const char *line, *args;
  } rows[] = {
      {&row, "a/b", "repo_id=a/b workers=8 force=false"},
      {&row, "a/b x y --include p --include=q -n4", "repo_id=a/b files=x|y include=p|q workers=4 force=false"},
      {&row, "--workers 2 --workers 3 a/b", "repo_id=a/b workers=3 force=false"},
      {&row, "a --force --no-force", "repo_id=a workers=8 force=false"},
      {&row, "a --no-force --force", "repo_id=a workers=8 force=true"},
      {&row, "-hR a -n 5", "repo_id=a workers=5 force=false recursive=true human_readable=true"},
      {&row, "-Rn7 a", "repo_id=a workers=7 force=false recursive=true"},
      {&row, "a -- --include -x", "repo_id=a files=--include|-x workers=8 force=false"},
      {&row, "a --include --force", "repo_id=a include=--force workers=8 force=false"},
      {&row, "a -", "repo_id=a files=- workers=8 force=false"},
      {&row, "a --include=", "repo_id=a include= workers=8 force=false"},
      {&row, "a --workers +1_000 --ratio 1e-3", "repo_id=a workers=1000 ratio=1e-3 force=false"},
      {&row, "datasets/a/b f", "repo_id=a/b files=f repo_type=dataset workers=8 force=false"},
      {&row, "a/b datasets/x/y", "repo_id=a/b files=datasets/x/y workers=8 force=false"},
      {&row, "--include spaces/x/y a/b", "repo_id=a/b include=spaces/x/y workers=8 force=false"},
      {&row, "datasets/a", "repo_id=datasets/a workers=8 force=false"},
      {&row, "a --repo-type space", "repo_id=a repo_type=space workers=8 force=false"},
      {&row_between, "a b c d", "first=a middle=b|c last=d"},
      {&row_between, "a b", "first=a last=b"},
      {&row_handed_on, "image sh -c --flag -e K=V --other=x", "image=image command=sh|-c|--flag|--other=x env=K=V"},
      {&row_handed_on, "image -- -e x", "image=image command=-e|x"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct cli_parsed out;
    int code = parse(rows[i].task, rows[i].line, &out);
    ck_assert_msg(code == -1, "%s: %d %s", rows[i].line, code, seen.text[1]);
    ck_assert_str_eq(shown(rows[i].task, out.args), rows[i].args);
    hf_args_free(out.args);
  }
}
END_TEST

START_TEST(mistakes_are_named) {
  static const char lines[] = "Usage: hf get [OPTIONS] REPO_ID [FILES]...\nTry 'hf get --help' for help.\n\n";
  static const struct {
    const char *line, *error;
    bool usage;
  } rows[] = {
      {"a --workers x", "Invalid value for '--workers' / '-n': 'x' is not a valid integer.", true},
      {"a --workers=", "Invalid value for '--workers' / '-n': '' is not a valid integer.", true},
      {"a --workers 99999999999999999999",
       "Invalid value for '--workers' / '-n': '99999999999999999999' is not a valid integer.", true},
      {"a --ratio 0x1", "Invalid value for '--ratio': '0x1' is not a valid float.", true},
      {"a --type x", "Invalid value for '--type' / '--repo-type': 'x' is not one of 'model', 'dataset', 'space'.",
       true},
      {"--workers 1", "Missing argument 'REPO_ID'.", true},
      {"--", "Missing argument 'REPO_ID'.", true},
      {"a --force=1", "Option '--force' does not take a value.", false},
      {"a --include", "Option '--include' requires an argument.", false},
      {"a -n", "Option '-n' requires an argument.", false},
      {"spaces/a/b --type space",
       "Ambiguous repo type: got prefix 'spaces/' in repo ID and explicit --type. Use one or the other.", false},
      {"a --json -q", "'--json' and '-q' are mutually exclusive.", false},
      {"a --format x", "Invalid value for '--format': 'x'. Valid values: agent, auto, human, json, quiet.", false},
      {"a --format", "Option '--format' requires a value.", false},
      {"a --no-truncate=1", "Option '--no-truncate' does not take a value.", false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct cli_parsed out;
    char expected[1024];
    snprintf(expected, sizeof expected, "%sError: %s\n", rows[i].usage ? lines : "", rows[i].error);
    int code = parse(&row, rows[i].line, &out);
    ck_assert_msg(code == 2, "%s: %d", rows[i].line, code);
    ck_assert_str_eq(seen.text[1], expected);
    ck_assert_str_eq(seen.text[0], "");
    ck_assert_ptr_null(out.args);
  }
}
END_TEST

START_TEST(an_unknown_option_lists_the_known) {
  struct cli_parsed out;
  ck_assert_int_eq(parse(&row, "a --inclde x", &out), 2);
  ck_assert_ptr_nonnull(strstr(seen.text[1], "Error: No such option '--inclde'.\n\nAvailable options for 'hf get':\n"));
  ck_assert_ptr_nonnull(strstr(seen.text[1], "\n  -n, --workers INTEGER          [default: 8]\n"));
  ck_assert_ptr_nonnull(strstr(seen.text[1], "\nRun 'hf get --help' for full details.\n\nDid you mean: --include?\n"));
  ck_assert_int_eq(parse(&row, "a -Rx", &out), 2);
  ck_assert_ptr_nonnull(strstr(seen.text[1], "No such option '-x'."));
  ck_assert_ptr_null(strstr(seen.text[1], "Did you mean"));
}
END_TEST

START_TEST(modes_and_where_they_stop) {
  struct cli_parsed out;
  ck_assert_int_eq(parse(&row, "a --json", &out), -1);
  ck_assert(out.mode_given && out.mode == CLI_JSON);
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row, "--format=quiet a --no-truncate", &out), -1);
  ck_assert(out.mode == CLI_QUIET && out.no_truncate);
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row, "a --format auto", &out), -1);
  ck_assert(!out.mode_given);
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row, "a -- --json", &out), -1);
  ck_assert(!out.mode_given);
  ck_assert_str_eq(hf_host()->arg_str(out.args, "files", 0), "--json");
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row_handed_on, "image cmd --json", &out), -1);
  ck_assert(out.mode_given && out.mode == CLI_JSON);
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row_handed_on, "image --json -q", &out), 2);
}
END_TEST

START_TEST(nothing_given_shows_help) {
  struct cli_parsed out;
  ck_assert_int_eq(parse(&row, "", &out), 0);
  ck_assert_ptr_nonnull(strstr(seen.text[0], "Usage: hf get [OPTIONS] REPO_ID [FILES]..."));
  ck_assert_ptr_nonnull(strstr(seen.text[0], "[default: (model)]"));
  ck_assert_ptr_nonnull(strstr(seen.text[0], "--force / --no-force"));
  ck_assert_ptr_nonnull(strstr(seen.text[0], "\n  --help "));
  ck_assert_int_eq(parse(&row, "--json", &out), 0);
  ck_assert_int_eq(parse(&row, "--help --workers x", &out), 0);
  ck_assert_str_eq(seen.text[1], "");
}
END_TEST

START_TEST(secrets_leave_the_words) {
  struct cli_parsed out;
  ck_assert_int_eq(parse(&row, "a --token hf_secret", &out), -1);
  ck_assert(out.token_on_argv);
  ck_assert_str_eq(hf_host()->arg_str(out.args, "token", 0), "hf_secret");
  ck_assert_ptr_null(memmem(storage, sizeof storage, "secret", 6));
  hf_args_free(out.args);
  ck_assert_int_eq(parse(&row, "a --token=hf_secret", &out), -1);
  ck_assert_ptr_null(memmem(storage, sizeof storage, "secret", 6));
  hf_args_free(out.args);
}
END_TEST

int main(void) {
  setenv("COLUMNS", "80", 1);
  Suite *s = suite_create("cli_parse");
  TCase *t = tcase_create("parse");
  tcase_add_test(t, words_become_arguments);
  tcase_add_test(t, mistakes_are_named);
  tcase_add_test(t, an_unknown_option_lists_the_known);
  tcase_add_test(t, modes_and_where_they_stop);
  tcase_add_test(t, nothing_given_shows_help);
  tcase_add_test(t, secrets_leave_the_words);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
