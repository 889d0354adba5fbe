/* The Hub pack's judgement of names: repo ids, hf:// addresses, file names, patterns, etags and the URLs they make.
 * Tables of what the reference accepts and refuses, in its words.
 * No network, no disk. */
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

START_TEST(repo_ids) {
  static const struct {
    const char *id, *says; /* NULL: fine */
  } rows[] = {
      {"gpt2", NULL},
      {"ns/name", NULL},
      {"Foo-BAR_foo.bar123", NULL},
      {"_a/_b", NULL},
      {"a/b/c",
       "Repo id must be in the form 'repo_name' or 'namespace/repo_name': 'a/b/c'. Use `repo_type` argument if "
       "needed."},
      {".repo", "Repo id must use alphanumeric chars"},
      {"repo-", "Repo id must use alphanumeric chars"},
      {"a/", "Repo id must use alphanumeric chars"},
      {"", "Repo id must use alphanumeric chars"},
      {"caf\xc3\xa9", "Repo id must use alphanumeric chars"},
      {"name\n", "Repo id must use alphanumeric chars"},
      {"foo--bar", "Cannot have -- or .. in repo_id: 'foo--bar'."},
      {"foo..bar", "Cannot have -- or .. in repo_id: 'foo..bar'."},
      {"foo.git", "Repo_id cannot end by '.git': 'foo.git'."},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    hf_status st = hf_hub_check_repo(call, rows[i].id);
    ck_assert_msg((st == HF_OK) == !rows[i].says, "%s", rows[i].id);
    if (!rows[i].says) continue;
    const struct hf_error *e = hf_call_error(call);
    ck_assert_str_eq(e->cls, "HFValidationError");
    ck_assert_msg(!strncmp(e->message, rows[i].says, strlen(rows[i].says)), "%s", e->message);
    hf_call_clear(call);
  }
  char id[200];
  memset(id, 'a', sizeof id);
  id[96] = 0;
  ck_assert_int_eq(hf_hub_check_repo(call, id), HF_OK);
  id[96] = 'a', id[97] = 0;
  ck_assert_int_eq(hf_hub_check_repo(call, id), HF_EINVAL);
  hf_call_clear(call);
  ck_assert_int_eq(hf_hub_check_repo(call, NULL), HF_EINVAL); /* a program's mistake, not a crash */
  hf_call_clear(call);
  ck_assert_int_eq(hf_hub_check_file(call, NULL), HF_EINVAL);
}
END_TEST

START_TEST(addresses) {
  static const struct {
    const char *uri, *type, *id, *revision, *path;
  } rows[] = {
      {"hf://me/m", "model", "me/m", NULL, ""},
      {"hf://models/me/m/", "model", "me/m", NULL, ""},
      {"hf://datasets/me/d@v1.0/data/x.csv", "dataset", "me/d", "v1.0", "data/x.csv"},
      {"hf://spaces/me/s@refs/pr/12/app.py", "space", "me/s", "refs/pr/12", "app.py"},
      {"hf://datasets/me/d@refs/convert/parquet-v2", "dataset", "me/d", "refs/convert/parquet-v2", ""},
      {"hf://me/m@a%2Fb/c", "model", "me/m", "a/b", "c"},
      {"hf://me/m/dir/file@1.txt", "model", "me/m", NULL, "dir/file@1.txt"},
      {"hf://buckets/me/b/x", "bucket", "me/b", NULL, "x"},
      {"https://huggingface.co/me/m", "model", "me/m", NULL, ""},
      {"HTTPS://user@HuggingFace.co:443/datasets/me/d/blob/v1/data/a%20b.csv?download=true#L1", "dataset", "me/d", "v1",
       "data/a b.csv"},
      {"http://hf.co/spaces/me/s/tree/a%2Fb//x/", "space", "me/s", "a/b", "x"},
      {"hub-ci.huggingface.co/models/me/m/resolve/refs/pr/1/x%23.bin", "model", "me/m", "refs/pr/1", "x#.bin"},
      {"hf.co/me/m/raw/main/%2fx", "model", "me/m", "main", "%2Fx"},
      {"https://huggingface.co/kernels/me/k/tree", "kernel", "me/k", NULL, ""},
      {"https://huggingface.co/buckets/me/b/tree/x/y", "bucket", "me/b", NULL, "x/y"},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++) {
    struct hf_hub_uri u;
    ck_assert_msg(hf_hub_parse_uri(call, rows[i].uri, &u) == HF_OK, "%s", rows[i].uri);
    ck_assert_str_eq(u.type, rows[i].type);
    ck_assert_str_eq(u.id, rows[i].id);
    ck_assert_str_eq(u.path, rows[i].path);
    ck_assert_pstr_eq(u.revision, rows[i].revision);
  }
  static const char *const bad[][2] = {
      {"hf://", "hf://. Empty body after 'hf://'."},
      {"hf://x", "hf://x. Repository id must be 'namespace/name', got 'x'. "},
      {"hf://dataset/me/d", "hf://dataset/me/d. Type prefix must be plural, got 'dataset/'. Did you mean 'datasets/'?"},
      {"hf://datasets", "hf://datasets. Missing identifier after 'datasets'. Expected 'hf://datasets/<ID>'."},
      {"hf://me/m@", "hf://me/m@. Empty revision after '@'."},
      {"hf://me/m//x", "hf://me/m//x. Path must not contain empty segments (got '/x')."},
      {"hf://buckets/me/b@v", "hf://buckets/me/b@v. Bucket URIs do not support a revision marker ('@')."},
      {"file://x/y",
       "file://x/y. Must start with 'hf://' or be a Hugging Face URL (e.g. 'https://huggingface.co/...'). "
       "Expected format: hf://[<TYPE>/]<ID>[@<REVISION>][/<PATH>]"},
      {"huggingface.company/me/m",
       "huggingface.company/me/m. Must start with 'hf://' or be a Hugging Face URL (e.g. "
       "'https://huggingface.co/...'). "
       "Expected format: hf://[<TYPE>/]<ID>[@<REVISION>][/<PATH>]"},
      {"https://huggingface.co@evil.example/me/m",
       "https://***@evil.example/me/m. Unrecognized host 'evil.example'. Expected a Hugging Face URL (e.g. "
       "'https://huggingface.co/...')."},
      {"https://hf.co", "https://hf.co. Missing repository or bucket identifier in URL 'https://hf.co'."},
      {"https://hf.co/me",
       "https://hf.co/me. Cannot parse URL 'https://hf.co/me': expected a '<namespace>/<name>' "
       "repository or bucket. User/organization pages and single-segment URLs are not supported."},
      {"https://hf.co/me/m/discussions/1",
       "https://hf.co/me/m/discussions/1. Cannot parse URL 'https://hf.co/me/m/discussions/1': unsupported "
       "'/discussions/' route. Only repository pages and file/folder viewer routes (blob, resolve, raw, tree, ...) can "
       "be parsed."},
      {"https://hf.co/buckets/me/b/blob/x",
       "https://hf.co/buckets/me/b/blob/x. Cannot parse bucket URL "
       "'https://hf.co/buckets/me/b/blob/x': unsupported '/blob/' route."},
      {"hf://a--b/m", "hf://a--b/m. Cannot have -- or .. in repo_id: 'a--b/m'."},
  };
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    struct hf_hub_uri u;
    ck_assert_int_eq(hf_hub_parse_uri(call, bad[i][0], &u), HF_EINVAL);
    ck_assert_str_eq(hf_call_error(call)->message, bad[i][1]);
    ck_assert_str_eq(hf_call_error(call)->cls, "HfUriError");
    hf_call_clear(call);
  }
}
END_TEST

START_TEST(file_names) {
  static const char *const good[] = {"a", "a/b c.txt", "a..b/..c", "dir/.hidden", "C", "a/bc:d"};
  static const char *const bad[] = {"..",  "a/../b",  "a\\..\\b",        "/etc/passwd",
                                    "C:x", "a/C:\\x", "\\\\host\\share", "\\x"};
  for (size_t i = 0; i < HF_COUNT(good); i++) ck_assert_msg(hf_hub_check_file(call, good[i]) == HF_OK, "%s", good[i]);
  for (size_t i = 0; i < HF_COUNT(bad); i++) {
    ck_assert_msg(hf_hub_check_file(call, bad[i]) == HF_EINVAL, "%s", bad[i]);
    hf_call_clear(call);
  }
}
END_TEST

START_TEST(patterns_as_fnmatchcase) {
  static const struct {
    const char *pattern, *path;
    bool fits;
  } rows[] = {
      {"*.json", "a.json", true},
      {"*.json", "d/a.json", true},
      {"*.json", "a.JSON", false},
      {"*", "", true},
      {"a?c", "abc", true},
      {"a?c", "ac", false},
      {"?", "\xc3\xa9", true},
      {"[ab]x", "bx", true},
      {"[!ab]x", "bx", false},
      {"[!ab]x", "cx", true},
      {"[a-c]", "b", true},
      {"[]]", "]", true},
      {"[", "[", true},
      {"[a", "[a", true},
      {"a*b*c", "axxbyyc", true},
      {"a*b*c", "axxbyy", false},
      {"data/**", "data/x/y", true},
      {"**/x", "x", false},
      {"\xc3\xa9*", "\xc3\xa9t", true},
      {"", "", true},
      {"", "a", false},
  };
  for (size_t i = 0; i < HF_COUNT(rows); i++)
    ck_assert_msg(hf_hub_fnmatch(rows[i].pattern, rows[i].path) == rows[i].fits, "%s on %s", rows[i].pattern,
                  rows[i].path);
  char path[4001];
  memset(path, 'a', 4000);
  path[4000] = 0;
  ck_assert(!hf_hub_fnmatch("*a*a*a*a*a*a*a*a*a*a*a*b", path));
}
END_TEST

START_TEST(patterns_choose) {
  const char *allow[] = {"data/", "*.md"}, *ignore[] = {"*secret*"};
  struct hf_hub_patterns p = {allow, ignore, 2, 1};
  ck_assert(hf_hub_wanted(call, &p, "data/x"));
  ck_assert(hf_hub_wanted(call, &p, "README.md"));
  ck_assert(!hf_hub_wanted(call, &p, "data/secret.txt"));
  ck_assert(!hf_hub_wanted(call, &p, "other"));
  struct hf_hub_patterns all = {0}, none = {.allow = allow, .allow_count = 0};
  ck_assert(hf_hub_wanted(call, &all, "x"));
  ck_assert(!hf_hub_wanted(call, &none, "x"));
}
END_TEST

START_TEST(etags_promise_digests) {
  struct hf_digest d;
  hf_hub_digest("b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9", &d);
  ck_assert_uint_eq(d.algo, HF_DIGEST_SHA256);
  ck_assert_uint_eq(d.len, 32);
  ck_assert_uint_eq(d.bytes[0], 0xb9);
  ck_assert_uint_eq(d.bytes[31], 0xe9);
  hf_hub_digest("cb5b2f69babc53f9145b45ad20b9a075d48717ef", &d);
  ck_assert_uint_eq(d.algo, HF_DIGEST_GIT_BLOB);
  hf_hub_digest("CB5B2F69BABC53F9145B45AD20B9A075D48717EF", &d);
  ck_assert_uint_eq(d.algo, HF_DIGEST_NONE);
  hf_hub_digest("abc", &d);
  ck_assert_uint_eq(d.algo, HF_DIGEST_NONE);
}
END_TEST

START_TEST(urls) {
  struct hf_hub hub = {.call = call, .endpoint = "http://h:1"};
  struct hf_repo model = {"model", "me/m"}, data = {"dataset", "me/d"};
  ck_assert_str_eq(hf_hub_resolve_url(&hub, &model, "refs/pr/1", "a b/c#d.txt"),
                   "http://h:1/me/m/resolve/refs%2Fpr%2F1/a%20b/c%23d.txt");
  ck_assert_str_eq(hf_hub_resolve_url(&hub, &data, "main", "x"), "http://h:1/datasets/me/d/resolve/main/x");
  ck_assert_str_eq(hf_hub_api_url(&hub, &data), "http://h:1/api/datasets/me/d");
  ck_assert_str_eq(hf_hub_query(call, "a=1", "expand[]", "x y&\xc3\xa9"), "a=1&expand%5B%5D=x+y%26%C3%A9");
}
END_TEST

START_TEST(paths) {
  setenv("HOME", "/home/somebody", 1);
  ck_assert_str_eq(hf_hub_path(call, "~/x/../y//./z"), "/home/somebody/y/z");
  ck_assert_str_eq(hf_hub_path(call, "/a/../../b"), "/b");
  ck_assert_int_eq(*hf_hub_path(call, "rel"), '/');
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub names");
  TCase *t = tcase_create("names");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, repo_ids);
  tcase_add_test(t, addresses);
  tcase_add_test(t, file_names);
  tcase_add_test(t, patterns_as_fnmatchcase);
  tcase_add_test(t, patterns_choose);
  tcase_add_test(t, etags_promise_digests);
  tcase_add_test(t, urls);
  tcase_add_test(t, paths);
  suite_add_tcase(s, t);
  return unit_run(s);
}
