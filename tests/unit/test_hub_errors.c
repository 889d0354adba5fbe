/* What answers of status 400 and above become: class, code and words, in the order of the reference's rules, and the
 * sentences that people see.
 * Answers are made by hand; no network. */
#include "hub.h"
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;

static void setup(void) {
  rt = unit_runtime(NULL);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
}

struct row {
  const char *url;
  uint32_t status;
  struct hf_kv headers[4];
  const char *body;
  const char *cls;
  hf_status code;
  const char *message; /* NULL: not looked at */
  const char *shown;
};

static void judge(const struct row *r) {
  uint32_t n = 0;
  while (n < 4 && r->headers[n].key) n++;
  struct hf_http_req req = {.struct_size = sizeof req, .url = r->url};
  struct hf_http_resp resp = {.struct_size = sizeof resp,
                              .status = r->status,
                              .headers = HF_TABLE_N(r->headers, n),
                              .url = r->url,
                              .body = r->body ? r->body : "",
                              .body_len = r->body ? strlen(r->body) : 0};
  struct hf_error e = {.struct_size = sizeof e, .code = HF_EHTTP, .message = "?"};
  hf_hub_http_error(call, &req, &resp, &e);
  ck_assert_str_eq(e.cls, r->cls);
  ck_assert_int_eq(e.code, r->code);
  ck_assert_uint_eq(e.http_status, r->status);
  if (r->message) ck_assert_str_eq(e.message, r->message);
  char text[2048];
  ck_assert_uint_eq(hf_hub_error_text(&e, text, sizeof text), strlen(text));
  if (r->shown) ck_assert_str_eq(text, r->shown);
}

#define CODE(c) \
  { "x-error-code", c }
#define SAYS(m) \
  { "x-error-message", m }
#define RID \
  { "x-request-id", "R1" }

START_TEST(classes_in_order) {
  static const struct row rows[] = {
      {"http://h/api/models/me/m/revision/x",
       404,
       {CODE("RevisionNotFound"), SAYS("Invalid rev id: x"), RID},
       "{\"error\":\"Invalid rev id: x\"}",
       "RevisionNotFoundError",
       HF_ENOTFOUND,
       "404 Client Error. (Request ID: R1)\n\nRevision Not Found for url: "
       "http://h/api/models/me/m/revision/x.\nInvalid rev id: x",
       "Revision not found in model 'me/m'."},
      {"http://h/datasets/me/d/resolve/main/x.csv",
       404,
       {CODE("EntryNotFound")},
       NULL,
       "RemoteEntryNotFoundError",
       HF_ENOTFOUND,
       "404 Client Error.\n\nEntry Not Found for url: http://h/datasets/me/d/resolve/main/x.csv.",
       "File not found in dataset 'me/d'.\nURL: http://h/datasets/me/d/resolve/main/x.csv"},
      {"http://h/gpt2/resolve/main/x",
       403,
       {CODE("GatedRepo")},
       NULL,
       "GatedRepoError",
       HF_EGATED,
       NULL,
       "Access denied. Model 'gpt2' requires approval."},
      {"http://h/api/models/me/m",
       403,
       {SAYS("Access to this resource is disabled.")},
       NULL,
       "DisabledRepoError",
       HF_EAUTH,
       "403 Client Error.\n\nCannot access repository for url http://h/api/models/me/m.\nAccess to this resource is "
       "disabled.",
       NULL},
      {"http://h/api/buckets/me/b/tree",
       404,
       {CODE("RepoNotFound")},
       NULL,
       "BucketNotFoundError",
       HF_ENOTFOUND,
       NULL,
       "Bucket 'me/b' not found.\nIf the bucket is private, make sure you are authenticated and your token has the "
       "required permissions.\n"
       "If the bucket does not exist, create it with: hf buckets create me/b"},
      {"http://h/api/jobs/me/123", 404, {{NULL, NULL}}, NULL, "JobNotFoundError", HF_ENOTFOUND, NULL, NULL},
      {"http://h/api/spaces/me/s",
       404,
       {CODE("RepoNotFound")},
       NULL,
       "RepositoryNotFoundError",
       HF_ENOTFOUND,
       NULL,
       "Space 'me/s' not found.\nIf the repo is private, make sure you are authenticated and your token has the "
       "required permissions.\n"
       "If the repo does not exist, create it with: hf repos create me/s --type space"},
      {"https://h/api/models/me/m", 401, {{NULL, NULL}}, NULL, "RepositoryNotFoundError", HF_ENOTFOUND, NULL, NULL},
      {"https://h/me/m/resolve/main/x", 401, {{NULL, NULL}}, NULL, "RepositoryNotFoundError", HF_ENOTFOUND, NULL, NULL},
      {"http://h/api/models/me/m",
       401,
       {{NULL, NULL}},
       NULL,
       "HfHubHTTPError",
       HF_EAUTH,
       "Client error '401 Unauthorized' for url 'http://h/api/models/me/m'\nFor more information check: "
       "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/401",
       NULL},
      {"https://h/api/models/me/m",
       401,
       {SAYS("Invalid credentials in Authorization header")},
       NULL,
       "HfHubHTTPError",
       HF_EAUTH,
       NULL,
       NULL},
      {"http://h/x",
       400,
       {RID},
       "{\"error\":[\"one\",\"two\",\"one\"]}",
       "BadRequestError",
       HF_EHTTP,
       "(Request ID: R1)\n\nBad request:\none\ntwo",
       NULL},
      {"http://h/x",
       403,
       {SAYS("no way")},
       NULL,
       "HfHubHTTPError",
       HF_EAUTH,
       "403 Forbidden: no way.\nCannot access content at: http://h/x.\nMake sure your token has the correct "
       "permissions.",
       NULL},
      {"http://h/x",
       429,
       {{"ratelimit", "\"api\";r=0;t=55"}, {"ratelimit-policy", "\"fixed window\";\"api\";q=500;w=300"}},
       NULL,
       "HfHubHTTPError",
       HF_ERATELIMIT,
       "429 Too Many Requests: you have reached your 'api' rate limit.\nRetry after 55 seconds (0/500 requests "
       "remaining in current 300s "
       "window).\nUrl: http://h/x.",
       NULL},
      {"http://h/x",
       429,
       {{"ratelimit", "\"api\";r=3;t=55"}},
       NULL,
       "HfHubHTTPError",
       HF_ERATELIMIT,
       "429 Too Many Requests for url: http://h/x.",
       NULL},
      {"http://h/x",
       416,
       {{"content-range", "bytes */9"}},
       NULL,
       "HfHubHTTPError",
       HF_EHTTP,
       "Client error '416 Requested Range Not Satisfiable' for url 'http://h/x'\nFor more information check: "
       "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/416. Requested range: None. Content-Range: bytes */9.",
       NULL},
      {"http://h/x",
       500,
       {{"x-amzn-trace-id", "T9"}},
       "plain words\n",
       "HfHubHTTPError",
       HF_EHTTP,
       "Server error '500 Internal Server Error' for url 'http://h/x' (Amzn Trace ID: T9)\nFor more information check: "
       "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/500\n\nplain words",
       NULL},
      {"http://h/x",
       502,
       {{"content-type", "text/html"}},
       "<html>no</html>",
       "HfHubHTTPError",
       HF_EHTTP,
       "Server error '502 Bad Gateway' for url 'http://h/x'\nFor more information check: "
       "https://developer.mozilla.org/en-US/docs/Web/HTTP/Status/502",
       NULL},
      {"http://h/x",
       400,
       {{NULL, NULL}},
       "{\"error\":\"invalid_grant\",\"error_description\":\"too old\"}",
       "BadRequestError",
       HF_EHTTP,
       "Bad request:\ninvalid_grant: too old",
       NULL},
      {"http://h/x",
       422,
       {{NULL, NULL}},
       "{\"errors\":[{\"message\":\"a\"},{\"message\":\"b\"}]}",
       "HfHubHTTPError",
       HF_EHTTP,
       NULL,
       NULL},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) judge(&rows[i]);
}
END_TEST

START_TEST(words_of_the_server_are_bounded_and_tame) {
  char body[5000];
  memset(body, 'x', sizeof body);
  body[0] = 0x1b;
  body[sizeof body - 1] = 0;
  struct row r = {"http://h/x", 500, {{NULL, NULL}}, body, "HfHubHTTPError", HF_EHTTP, NULL, NULL};
  judge(&r);
  struct hf_http_req req = {.struct_size = sizeof req, .url = "http://h/x"};
  struct hf_http_resp resp = {.struct_size = sizeof resp, .status = 500, .body = body, .body_len = strlen(body)};
  struct hf_error e = {.struct_size = sizeof e};
  hf_hub_http_error(call, &req, &resp, &e);
  ck_assert_ptr_null(strchr(e.message, 0x1b));
  ck_assert_uint_lt(strlen(e.message), 1400);
}
END_TEST

START_TEST(repos_in_urls) {
  static const struct {
    const char *url, *type, *id;
  } rows[] = {
      {"https://h/api/models/user/repo", "model", "user/repo"},
      {"https://h/api/models/bert/tree/main", "model", "bert"},
      {"https://h/api/datasets/user/repo/resolve/main/data.csv", "dataset", "user/repo"},
      {"https://h/datasets/user/repo/resolve/main/data.csv", "dataset", "user/repo"},
      {"https://h/kernels/user/repo/resolve/main/x?y=1", "kernel", "user/repo"},
      {"https://h/bert/resolve/main/x", "model", "bert"},
      {"https://h/api/models/me/m?expand=x", "model", "me/m"},
      {"https://h/api/kernels/me/k", NULL, NULL},
      {"https://h/api/whoami-v2", NULL, NULL},
      {"ftp://h/me/m/resolve/main/x", NULL, NULL},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    const char *type = NULL, *id = NULL;
    size_t len = 0;
    bool found = hf_hub_repo_in_url(rows[i].url, &type, &id, &len);
    ck_assert_msg(found == (rows[i].type != NULL), "%s", rows[i].url);
    if (!found) continue;
    ck_assert_str_eq(type, rows[i].type);
    ck_assert_msg(len == strlen(rows[i].id) && !strncmp(id, rows[i].id, len), "%s: %.*s", rows[i].url, (int)len, id);
  }
}
END_TEST

START_TEST(sentences) {
  static const struct {
    struct hf_error e;
    const char *text;
    int exit;
  } rows[] = {
      {{.cls = "UsageError", .message = "Invalid value: x"}, "Invalid value: x", 2},
      {{.cls = "HFValidationError", .message = "Bad."}, "Invalid value. Bad.", 1},
      {{.cls = "HfUriError", .message = "hf://x. Bad."}, "Invalid HF URI: hf://x. Bad.", 1},
      {{.cls = "LocalTokenNotFoundError", .message = "?"}, "Not logged in. Run 'hf auth login' first.", 1},
      {{.cls = "CLIError", .message = "As it is."}, "As it is.", 1},
      {{.message = "No class."}, "No class.", 1},
      {{.cls = "RepositoryNotFoundError", .message = "?"},
       "Repository not found.\nIf the repo is private, make sure you are authenticated and your token has the required "
       "permissions.\n"
       "If the repo does not exist, create it with: hf repos create <repo_id>",
       1},
      {{.cls = "RevisionNotFoundError", .message = "?"},
       "Revision not found in repository. Check the revision parameter.",
       1},
      {{.cls = "GatedRepoError", .message = "?"}, "Access denied. This repository requires approval.", 1},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    char text[512], little[8];
    hf_hub_error_text(&rows[i].e, text, sizeof text);
    ck_assert_str_eq(text, rows[i].text);
    ck_assert_int_eq(hf_hub_exit_code(&rows[i].e), rows[i].exit);
    ck_assert_uint_eq(hf_hub_error_text(&rows[i].e, little, sizeof little), strlen(rows[i].text));
    ck_assert_uint_lt(strlen(little), sizeof little);
  }
  ck_assert_uint_eq(hf_hub_error_text(NULL, NULL, 0), 0);
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub errors");
  TCase *t = tcase_create("errors");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, classes_in_order);
  tcase_add_test(t, words_of_the_server_are_bounded_and_tame);
  tcase_add_test(t, repos_in_urls);
  tcase_add_test(t, sentences);
  suite_add_tcase(s, t);
  return unit_run(s);
}
