/* Downloads and looks against a small scripted Hub with a second server for large files: which requests are made, with which
 * headers, what is on disk afterwards, and what happens when the Hub is wrong, slow to answer or gone.
 * Through the typed functions, with the library's own plugins and network module. */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "hub.h"
#include "serve.h"
#include "unit_runtime.h"

#define COMMIT   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CONFIG   "{\"a\": 1}\n"
#define CONFIGID "cb5b2f69babc53f9145b45ad20b9a075d48717ef"
#define WEIGHTS  "hello world"
#define WEIGHTID "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"

static struct server *hub, *cdn;
static hf_runtime *rt;
static char home[128], endpoint[64], target[128];
static const char *tree_extra; /* one more entry of the listing */
static _Atomic bool broken;    /* the Hub answers 500 */

static bool serve_file(int fd, const struct seen *s, const char *body, const char *etag) {
  const char *range = seen_header(s, "range");
  size_t from = 0, to = strlen(body) - 1;
  if (range && sscanf(range, "bytes=%zu-%zu", &from, &to) >= 1) {
    if (from >= strlen(body)) return answer(fd, 416, "Content-Range: bytes */9\r\n", "");
    if (to >= strlen(body)) to = strlen(body) - 1;
    return put(fd, "HTTP/1.1 206 X\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n\r\n%.*s", from, to,
               strlen(body), to - from + 1, asks(s, "HEAD") ? 0 : (int)(to - from + 1), body + from);
  }
  return put(fd, "HTTP/1.1 200 X\r\nX-Repo-Commit: " COMMIT "\r\nETag: %s\r\nContent-Length: %zu\r\n\r\n%s", etag,
             strlen(body), asks(s, "HEAD") ? "" : body);
}

static bool on_cdn(struct server *srv, int fd, const struct seen *s) {
  (void)srv;
  return serve_file(fd, s, WEIGHTS, "\"x\"");
}

static bool path_is(const struct seen *s, const char *path) {
  const char *p = strchr(s->head, ' ');
  size_t n = strlen(path);
  return p && !strncmp(p + 1, path, n) && (p[1 + n] == ' ' || p[1 + n] == '?');
}

static bool on_hub(struct server *srv, int fd, const struct seen *s) {
  (void)srv;
  bool head = asks(s, "HEAD");
  char text[4096];
  if (path_is(s, "/api/agent-harnesses")) return answer(fd, 404, "", "");
  if (broken) return put(fd, "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
  if (path_is(s, "/api/models/me/m/revision/main") || path_is(s, "/api/models/me/m"))
    return answer(fd, 200, "", "{\"id\":\"me/m\",\"sha\":\"" COMMIT "\",\"likes\":3}");
  if (path_is(s, "/api/models/me/m/tree/" COMMIT) || path_is(s, "/api/models/me/m/tree/main")) {
    if (!strstr(s->head, "cursor")) {
      snprintf(text, sizeof text,
               "Link: <%s/api/models/me/m/tree/" COMMIT "?cursor=1&recursive=true&expand=false>; rel=\"next\"\r\n",
               endpoint);
      return answer(fd, 200, text,
                    "[{\"type\":\"directory\",\"path\":\"sub\",\"oid\":\"dd\",\"size\":0},{\"type\":\"file\",\"path\":"
                    "\"config.json\",\"size\":9,\"oid\":\"" CONFIGID "\"}]");
    }
    snprintf(text, sizeof text,
             "[{\"type\":\"file\",\"path\":\"sub/"
             "w.bin\",\"size\":11,\"oid\":\"cccccccccccccccccccccccccccccccccccccccc\",\"lfs\":{\"oid\":\"" WEIGHTID
             "\",\"size\":11,\"pointerSize\":134}}%s]",
             tree_extra ? tree_extra : "");
    return answer(fd, 200, "", text);
  }
  if (strstr(s->head, "/me/m/resolve/") && strstr(s->head, "/config.json "))
    return serve_file(fd, s, CONFIG, "W/\"" CONFIGID "\"");
  if (strstr(s->head, "/me/m/resolve/") && strstr(s->head, "/sub/w.bin "))
    return put(fd,
               "HTTP/1.1 302 X\r\nLocation: %s\r\nX-Repo-Commit: " COMMIT "\r\nX-Linked-Etag: \"" WEIGHTID
               "\"\r\nX-Linked-Size: 11\r\nContent-Length: 0\r\n\r\n",
               target);
  if (strstr(s->head, "/me/old/resolve/main/config.json "))
    return put(fd, "HTTP/1.1 307 X\r\nLocation: /me/m/resolve/main/config.json\r\nContent-Length: 0\r\n\r\n");
  if (strstr(s->head, "/me/busy/"))
    return head ? serve_file(fd, s, CONFIG, "\"" CONFIGID "\"")
                : put(fd, "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n");
  if (strstr(s->head, "/me/loop/"))
    return put(fd, "HTTP/1.1 307 X\r\nLocation: /me/loop/resolve/main/x\r\nContent-Length: 0\r\n\r\n");
  if (strstr(s->head, "/me/nocommit/"))
    return put(fd, "HTTP/1.1 200 X\r\nETag: \"e\"\r\nContent-Length: 1\r\n\r\n%s", head ? "" : "x");
  return put(fd,
             "HTTP/1.1 404 X\r\nX-Error-Code: EntryNotFound\r\nX-Repo-Commit: " COMMIT "\r\nContent-Length: 0\r\n\r\n");
}

static void runtime(const char *extra_key, const char *extra_value) {
  struct hf_kv settings[] = {{"HF_ENDPOINT", endpoint}, {"HF_HOME", home}, {extra_key, extra_value}};
  static char program[PATH_MAX];
  snprintf(program, sizeof program, "%s/bin/hf", getenv("HF_TEST_BUILD"));
  struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                 .flags = HF_RT_NO_CONFIG_FILE,
                                 .settings = HF_TABLE_N(settings, extra_key ? 3 : 2),
                                 .argv0 = program,
                                 .log = unit_keep_line};
  hf_runtime_free(rt);
  rt = NULL;
  unit_log[0] = 0;
  ck_assert_msg(hf_runtime_new(&opts, &rt) == HF_OK, "%s", hf_runtime_problem());
}

static void setup(void) {
  static const char *const names[] = {
      "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "HF_TOKEN_PATH",
      "HF_STORE",     "HF_TRANSFER",           "http_proxy",     "HF_HUB_DISABLE_IMPLICIT_TOKEN"};
  for (size_t i = 0; i < HF_COUNT(names); i++) unsetenv(names[i]);
  setenv("HF_TOKEN", "hf_secret", 1);
  snprintf(home, sizeof home, "/tmp/hf-unit-hub-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(home));
  hub = serve_start(on_hub);
  cdn = serve_start(on_cdn);
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", hub->port);
  snprintf(target, sizeof target, "http://127.0.0.1:%u/w?sig=1", cdn->port);
  tree_extra = NULL;
  broken = false;
  runtime(NULL, NULL);
}

static void teardown(void) {
  char command[200];
  hf_runtime_free(rt);
  rt = NULL;
  serve_stop(hub);
  serve_stop(cdn);
  snprintf(command, sizeof command, "%s", home);
  char *const argv[] = {"rm", "-rf", command, NULL};
  pid_t child = fork();
  if (!child) {
    execvp("rm", argv);
    _exit(127);
  }
  waitpid(child, NULL, 0);
}

/* Requests that the Hub saw, less the look at the registry of agents. */
static int requests(void) {
  int n = 0;
  for (int i = 0; i < hub->count; i++) n += !path_is(&hub->seen[i], "/api/agent-harnesses");
  return n;
}

static void holds(const char *path, const char *text) {
  char buf[256] = "";
  FILE *f = fopen(path, "r");
  ck_assert_msg(f != NULL, "%s is not there", path);
  buf[fread(buf, 1, sizeof buf - 1, f)] = 0;
  fclose(f);
  ck_assert_str_eq(buf, text);
}

static bool there(const char *below) {
  char path[PATH_MAX];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", home, below);
  return !lstat(path, &st);
}

#define SNAPSHOT "hub/models--me--m/snapshots/" COMMIT

START_TEST(one_file_by_head_and_get) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", NULL, &r), HF_OK);
  holds(r->path, CONFIG);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 2);
  for (int i = 0; i < hub->count; i++) {
    const struct seen *s = &hub->seen[i];
    if (path_is(s, "/api/agent-harnesses")) {
      ck_assert_ptr_null(seen_header(s, "authorization"));
      continue;
    }
    ck_assert_str_eq(seen_header(s, "authorization"), "Bearer hf_secret");
    ck_assert_str_eq(seen_header(s, "x-hf-download-counter"), "1");
    ck_assert_uint_eq(strlen(seen_header(s, "x-amzn-trace-id")), 36);
    ck_assert_str_eq(seen_header(s, "user-agent"), "unknown/None; hf_hub/2.4.0; libhf/" HF_VERSION);
    ck_assert_str_eq(seen_header(s, "accept-encoding"), "identity");
  }
  ck_assert(there("hub/models--me--m/refs/main"));
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 3); /* a branch is asked about once more */
  struct hf_hub_opts pinned = {.struct_size = sizeof pinned, .revision = COMMIT};
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", &pinned, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 3); /* a commit is not */
}
END_TEST

START_TEST(large_files_come_from_elsewhere_without_the_token) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "sub/w.bin", NULL, &r), HF_OK);
  holds(r->path, WEIGHTS);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 1);
  ck_assert_int_eq(cdn->count, 1);
  ck_assert_ptr_null(seen_header(&cdn->seen[0], "authorization"));
  ck_assert_str_eq(seen_header(&cdn->seen[0], "x-hf-download-counter"), "1");
}
END_TEST

START_TEST(a_renamed_repo_is_followed) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_hub_download(rt, "me/old", "config.json", NULL, &r), HF_OK);
  holds(r->path, CONFIG);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_hub_download(rt, "me/loop", "x", NULL, &r), HF_EPROTO);
  ck_assert_ptr_nonnull(strstr(r->error->message, "redirects"));
  hf_hub_result_free(r);
}
END_TEST

START_TEST(a_snapshot_asks_for_one_listing) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/" SNAPSHOT, home);
  ck_assert_str_eq(r->path, path);
  hf_hub_result_free(r);
  snprintf(path, sizeof path, "%s/" SNAPSHOT "/sub/w.bin", home);
  holds(path, WEIGHTS);
  ck_assert_int_eq(requests(), 5); /* revision, two pages, two files; no HEAD */
  for (int i = 0; i < hub->count; i++) ck_assert(!asks(&hub->seen[i], "HEAD"));
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 6);
  struct hf_hub_opts pinned = {.struct_size = sizeof pinned, .revision = COMMIT};
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", &pinned, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 6);
}
END_TEST

START_TEST(patterns_narrow_a_snapshot) {
  static const char *const allow[] = {"sub/", NULL}, *const nothing[] = {"*.nope", "it's\\\n", NULL};
  struct hf_hub_result *r;
  struct hf_hub_opts o = {.struct_size = sizeof o, .allow = allow};
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", &o, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert(there(SNAPSHOT "/sub/w.bin"));
  ck_assert(!there(SNAPSHOT "/config.json"));
  o.allow = nothing;
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", &o, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_ptr_nonnull(strstr(unit_log, "No files matched allow_patterns=['*.nope', \"it's\\\\\\n\"]."));
}
END_TEST

START_TEST(a_missing_file_is_remembered_and_leaves_no_ref) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "nofile", NULL, &r), HF_ENOTFOUND);
  ck_assert_str_eq(r->error->cls, "RemoteEntryNotFoundError");
  hf_hub_result_free(r);
  ck_assert(there("hub/models--me--m/.no_exist/" COMMIT "/nofile"));
  ck_assert(!there("hub/models--me--m/refs/main"));
}
END_TEST

START_TEST(hostile_listings_write_nothing_outside) {
  struct hf_hub_result *r;
  tree_extra = ",{\"type\":\"file\",\"path\":\"../../../../escape\",\"size\":9,\"oid\":\"" CONFIGID "\"}";
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_EINVAL);
  ck_assert_ptr_nonnull(strstr(r->error->message, "'..' path segment"));
  hf_hub_result_free(r);
  ck_assert(!there("escape"));
  ck_assert(!there("hub/models--me--m/trees/" COMMIT ".json"));
  tree_extra = ",{\"type\":\"file\",\"path\":\"x\",\"size\":-9,\"oid\":\"" CONFIGID "\"}";
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_EPROTO);
  hf_hub_result_free(r);
}
END_TEST

START_TEST(offline_the_local_copy_counts) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  int before = hub->count;
  runtime("HF_HUB_OFFLINE", "1");
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "other", NULL, &r), HF_EOFFLINE);
  ck_assert_str_eq(r->error->cls, "LocalEntryNotFoundError");
  hf_hub_result_free(r);
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/" SNAPSHOT "/config.json", home);
  ck_assert_int_eq(unlink(path), 0);
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_EOFFLINE);
  ck_assert_str_eq(r->error->cls, "IncompleteSnapshotError");
  ck_assert_ptr_nonnull(strstr(r->error->message, "Incomplete snapshot available at: /"));
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_model_info(rt, "me/m", NULL, &r), HF_EOFFLINE);
  hf_hub_result_free(r);
  ck_assert_int_eq(hub->count, before);
}
END_TEST

START_TEST(local_only_asks_nobody) {
  struct hf_hub_result *r;
  struct hf_hub_opts o = {.struct_size = sizeof o, .flags = HF_HUB_LOCAL_ONLY};
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", &o, &r), HF_EOFFLINE);
  ck_assert_str_eq(r->error->cls, "LocalEntryNotFoundError");
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", &o, &r), HF_EOFFLINE);
  hf_hub_result_free(r);
  ck_assert_int_eq(hub->count, 0);
}
END_TEST

START_TEST(a_broken_hub_leads_to_the_local_copy) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  hf_hub_result_free(r);
  broken = true;
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", NULL, &r), HF_OK);
  holds(r->path, CONFIG);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", NULL, &r), HF_OK);
  hf_hub_result_free(r);
}
END_TEST

START_TEST(an_answer_without_commit_is_from_no_hub) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_hub_download(rt, "me/nocommit", "x", NULL, &r), HF_EPROTO);
  ck_assert_str_eq(r->error->cls, "LocalEntryNotFoundError");
  ck_assert_ptr_nonnull(strstr(r->error->message, "missing the 'X-Repo-Commit' header"));
  hf_hub_result_free(r);
}
END_TEST

START_TEST(a_busy_server_is_asked_by_one_adapter_only) {
  struct hf_hub_result *r;
  runtime("HF_TRIES", "2");
  ck_assert_int_eq(hf_hub_download(rt, "me/busy", "x", NULL, &r), HF_EHTTP);
  ck_assert_uint_eq(r->error->http_status, 503);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), 3); /* HEAD, and two tries of one adapter */
}
END_TEST

START_TEST(into_a_folder) {
  struct hf_hub_result *r;
  char dir[256], path[PATH_MAX];
  snprintf(dir, sizeof dir, "%s/out", home);
  struct hf_hub_opts o = {.struct_size = sizeof o, .local_dir = dir};
  ck_assert_int_eq(hf_snapshot_download(rt, "me/m", &o, &r), HF_OK);
  ck_assert_str_eq(r->path, dir);
  hf_hub_result_free(r);
  snprintf(path, sizeof path, "%s/config.json", dir);
  holds(path, CONFIG);
  ck_assert(!there("hub/models--me--m/refs"));
  int before = requests();
  o.revision = COMMIT;
  ck_assert_int_eq(hf_hub_download(rt, "me/m", "config.json", &o, &r), HF_OK);
  hf_hub_result_free(r);
  ck_assert_int_eq(requests(), before);
}
END_TEST

START_TEST(ranges) {
  struct hf_hub_result *r;
  ck_assert_int_eq(hf_read_range(rt, "me/m", "sub/w.bin", 6, 100, NULL, &r), HF_OK);
  ck_assert_str_eq(r->data, "world");
  ck_assert_uint_eq(r->len, 5);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_read_range(rt, "me/m", "config.json", 1, 3, NULL, &r), HF_OK);
  ck_assert_str_eq(r->data, "\"a\"");
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_read_range(rt, "me/m", "config.json", 99, 3, NULL, &r), HF_OK);
  ck_assert_uint_eq(r->len, 0);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_read_range(rt, "me/m", "config.json", 0, 65u << 20, NULL, &r), HF_EINVAL);
  hf_hub_result_free(r);
}
END_TEST

START_TEST(looks) {
  struct hf_hub_result *r;
  struct hf_hub_opts o = {.struct_size = sizeof o, .token = "", .flags = HF_HUB_RECURSIVE, .library = "tests/1.0"};
  ck_assert_int_eq(hf_model_info(rt, "me/m", &o, &r), HF_OK);
  ck_assert_str_eq(r->json, "{\"id\":\"me/m\",\"likes\":3,\"sha\":\"" COMMIT "\"}");
  ck_assert_str_eq(r->sha, COMMIT);
  hf_hub_result_free(r);
  const struct seen *s = &hub->seen[hub->count - 1];
  ck_assert_ptr_null(seen_header(s, "authorization"));
  ck_assert_ptr_null(seen_header(s, "x-hf-download-counter"));
  ck_assert_str_eq(seen_header(s, "user-agent"), "tests/1.0; hf_hub/2.4.0; libhf/" HF_VERSION);
  ck_assert_int_eq(hf_list_repo_tree(rt, "me/m", &o, &r), HF_OK);
  json_t *tree = json_loads(r->json, 0, NULL);
  ck_assert_uint_eq(json_array_size(tree), 3);
  json_decref(tree);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_model_info(rt, "a//b", NULL, &r), HF_EINVAL);
  ck_assert_str_eq(r->error->cls, "HFValidationError");
  hf_hub_result_free(r);
  hf_hub_result_free(NULL);
}
END_TEST

static char records[4096];

static int32_t on_record(void *arg, uint32_t what, const char *json, size_t len) {
  (void)arg;
  size_t n = strlen(records);
  snprintf(records + n, sizeof records - n, "%u %.*s\n", what, (int)len, json);
  return 0;
}

static hf_status task(const char *name, const char *args) {
  struct hf_watch watch = {.struct_size = sizeof watch, .flags = HF_WATCH_RUN_IN_WAIT, .record = on_record};
  records[0] = 0;
  hf_op *op = hf_op_start(rt, name, args, &watch);
  hf_status st = hf_op_wait(op);
  hf_op_free(op);
  return st;
}

START_TEST(tasks_for_programs) {
  ck_assert_int_eq(task("list_repo_files", "{\"repo_id\":\"me/m\"}"), HF_OK);
  ck_assert_str_eq(records, "1 {\"path\":\"config.json\"}\n1 {\"path\":\"sub/w.bin\"}\n11 {}\n");
  ck_assert_int_eq(task("get_hf_file_metadata", "{\"repo_id\":\"me/m\",\"filename\":\"sub/w.bin\"}"), HF_OK);
  char want[512];
  snprintf(want, sizeof want,
           "3 {\"commit_hash\":\"" COMMIT "\",\"etag\":\"" WEIGHTID "\",\"location\":\"%s\",\"size\":11}\n", target);
  ck_assert_str_eq(records, want);
  ck_assert_int_eq(task("hf_hub_download", "{\"repo_id\":\"me/m\",\"filename\":\"config.json\"}"), HF_OK);
  ck_assert_ptr_nonnull(strstr(records, SNAPSHOT "/config.json"));
  ck_assert_int_eq(task("repo_info", "{\"repo_id\":\"me/m\"}"), HF_OK);
  ck_assert_int_eq(task("download", "{\"repo_id\":\"me/m\",\"dry_run\":true,\"filenames\":[\"sub/\",\"config.json\"]}"),
                   HF_OK);
  ck_assert_str_eq(
      records,
      "4 \"[dry-run] Will download 1 files (out of 2) totalling 11.0.\"\n1 {\"file\":\"config.json\",\"size\":\"-\"}\n"
      "1 {\"file\":\"sub/w.bin\",\"size\":\"11.0\"}\n11 {}\n");
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub download");
  TCase *t = tcase_create("download");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, one_file_by_head_and_get);
  tcase_add_test(t, large_files_come_from_elsewhere_without_the_token);
  tcase_add_test(t, a_renamed_repo_is_followed);
  tcase_add_test(t, a_snapshot_asks_for_one_listing);
  tcase_add_test(t, patterns_narrow_a_snapshot);
  tcase_add_test(t, a_missing_file_is_remembered_and_leaves_no_ref);
  tcase_add_test(t, hostile_listings_write_nothing_outside);
  tcase_add_test(t, offline_the_local_copy_counts);
  tcase_add_test(t, local_only_asks_nobody);
  tcase_add_test(t, a_broken_hub_leads_to_the_local_copy);
  tcase_add_test(t, an_answer_without_commit_is_from_no_hub);
  tcase_add_test(t, a_busy_server_is_asked_by_one_adapter_only);
  tcase_add_test(t, into_a_folder);
  tcase_add_test(t, ranges);
  tcase_add_test(t, looks);
  tcase_add_test(t, tasks_for_programs);
  suite_add_tcase(s, t);
  return unit_run(s);
}
