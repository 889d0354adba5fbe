/* Owning repos from C: what each typed function asks the server for, byte for byte, and what comes back; a creation that the
 * server is too busy for is repeated, and not for ever; questions are asked through the operation's watch.
 * The server is a table of answers. */
#include <ftw.h>

#include <jansson.h>

#include <hf_hub.h>

#include "core.h"
#include "serve.h"
#include "unit_runtime.h"

static struct server *hub;
static hf_runtime *rt;
static char home[64], endpoint[64];
static int busy; /* answers "busy" so many times */
static int asked;
static hf_status person;

static bool on_hub(struct server *s, int fd, const struct seen *r) {
  (void)s;
  if (strstr(r->head, "/api/agent-harnesses")) return answer(fd, 200, "", "{\"standardEnvVars\":[],\"harnesses\":{}}");
  if (strstr(r->head, "/api/whoami-v2")) return answer(fd, 200, "", "{\"name\":\"me\",\"type\":\"user\",\"orgs\":[]}");
  if (strstr(r->head, "/api/repos/create")) {
    if (busy-- > 0)
      return answer(fd, 409, "", "{\"error\":\"Cannot create repo: another conflicting operation is in progress\"}");
    return answer(fd, 200, "", "{\"url\":\"https://huggingface.co/datasets/me/d\"}");
  }
  return answer(fd, 200, "", "OK");
}

static void setup(void) {
  snprintf(home, sizeof home, "/tmp/hf-unit-repos-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(home));
  hub = serve_start(on_hub);
  snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", hub->port);
  unsetenv("http_proxy");
  setenv("HF_TOKEN", "hf_secret", 1);
  setenv("HF_HOME", home, 1);
  setenv("HF_ENDPOINT", endpoint, 1);
  char program[4096];
  snprintf(program, sizeof program, "%s/bin/hf", getenv("HF_TEST_BUILD"));
  struct hf_runtime_opts opts = {
      .struct_size = sizeof opts, .flags = HF_RT_NO_CONFIG_FILE, .argv0 = program, .log = unit_keep_line};
  ck_assert_msg(hf_runtime_new(&opts, &rt) == HF_OK, "%s", hf_runtime_problem());
  busy = asked = 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st, (void)kind, (void)at;
  return remove(path);
}

static void teardown(void) {
  hf_runtime_free(rt);
  serve_stop(hub);
  nftw(home, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The last request is this one. */
static void last_is(const char *line, const char *body) {
  const struct seen *s = &hub->seen[hub->count - 1];
  ck_assert_msg(!strncmp(s->head, line, strlen(line)), "%s is not %s", s->head, line);
  ck_assert_uint_eq(s->body_len, strlen(body));
  ck_assert_mem_eq(s->body ? s->body : "", body, strlen(body));
  ck_assert_ptr_nonnull(strstr(s->head, "Bearer hf_secret"));
}

static void is_ok(hf_status st, struct hf_hub_result *r, const char *json) {
  ck_assert_msg(st == HF_OK, "%s", r && r->error ? r->error->message : "?");
  if (json) ck_assert_str_eq(r->json, json);
  hf_hub_result_free(r);
}

START_TEST(each_function_asks_once) {
  struct hf_hub_opts o = {.struct_size = sizeof o, .repo_type = "dataset", .library = "tests/1.0"};
  struct hf_hub_result *r;
  hf_status st = hf_whoami(rt, &o, &r);
  ck_assert_str_eq(r->id, "me");
  is_ok(st, r, NULL);
  ck_assert_ptr_nonnull(strstr(hub->seen[hub->count - 1].head, "tests/1.0; hf_hub/"));
  o.flags = HF_HUB_PRIVATE;
  st = hf_repo_create(rt, "me/d", &o, &r);
  ck_assert_str_eq(r->id, "me/d");
  is_ok(st, r, NULL);
  last_is("POST /api/repos/create ",
          "{\"name\":\"d\",\"organization\":\"me\",\"visibility\":\"private\",\"type\":\"dataset\"}");
  o.flags = 0;
  st = hf_repo_move(rt, "me/d", "us/e", &o, &r);
  is_ok(st, r, "{\"from_id\":\"me/d\",\"to_id\":\"us/e\"}");
  last_is("POST /api/repos/move ", "{\"fromRepo\":\"me/d\",\"toRepo\":\"us/e\",\"type\":\"dataset\"}");
  st = hf_branch_create(rt, "me/d", "a/b", &o, &r);
  is_ok(st, r, "{\"branch\":\"a/b\",\"repo_type\":\"dataset\",\"repo_id\":\"me/d\"}");
  last_is("POST /api/datasets/me/d/branch/a%2Fb ", "{}");
  o.revision = "v1";
  st = hf_branch_create(rt, "me/d", "c", &o, &r);
  is_ok(st, r, NULL);
  last_is("POST /api/datasets/me/d/branch/c ", "{\"startingPoint\":\"v1\"}");
  st = hf_tag_create(rt, "me/d", "t", "words", &o, &r);
  is_ok(st, r, NULL);
  last_is("POST /api/datasets/me/d/tag/v1 ", "{\"tag\":\"t\",\"message\":\"words\"}");
  o.revision = NULL;
  st = hf_tag_create(rt, "me/d", "t", NULL, &o, &r);
  is_ok(st, r, NULL);
  last_is("POST /api/datasets/me/d/tag/main ", "{\"tag\":\"t\"}");
  st = hf_tag_delete(rt, "me/d", "t", &o, &r);
  is_ok(st, r, NULL);
  last_is("DELETE /api/datasets/me/d/tag/t ", "");
  st = hf_branch_delete(rt, "me/d", "c", &o, &r);
  is_ok(st, r, NULL);
  last_is("DELETE /api/datasets/me/d/branch/c ", "");
  st = hf_repo_delete(rt, "d", &o, &r);
  is_ok(st, r, "{\"repo_id\":\"d\"}");
  last_is("DELETE /api/repos/delete ", "{\"name\":\"d\",\"organization\":null,\"type\":\"dataset\"}");
}
END_TEST

START_TEST(nothing_is_asked_for_nonsense) {
  struct hf_hub_result *r;
  int before = hub->count;
  ck_assert_int_eq(hf_repo_create(rt, "a//b", NULL, &r), HF_EINVAL);
  ck_assert_str_eq(r->error->cls, "HFValidationError");
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_branch_create(rt, "../x", "b", NULL, &r), HF_EINVAL);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_repo_move(rt, "a", "b", NULL, &r), HF_EINVAL);
  hf_hub_result_free(r);
  ck_assert_int_eq(hf_repo_delete(rt, NULL, NULL, &r), HF_EINVAL);
  hf_hub_result_free(r);
  ck_assert_int_eq(hub->count, before);
}
END_TEST

START_TEST(a_busy_server_is_waited_for) {
  struct hf_hub_result *r;
  busy = 2;
  hf_status st = hf_repo_create(rt, "me/d", NULL, &r);
  is_ok(st, r, NULL);
  ck_assert_int_eq(busy, -1);
}
END_TEST

static hf_status on_ask(void *arg, uint32_t what, const char *prompt, char *text, size_t room) {
  (void)arg, (void)text, (void)room;
  ck_assert_uint_eq(what, HF_ASK_CONFIRM);
  ck_assert_str_eq(prompt, "You are about to permanently delete model 'me/d'. Proceed?");
  asked++;
  return person;
}

static hf_status delete_with(hf_status (*ask)(void *, uint32_t, const char *, char *, size_t), const char *cls) {
  struct hf_watch w = {.struct_size = sizeof w, .flags = HF_WATCH_RUN_IN_WAIT, .ask = ask};
  hf_op *op = hf_op_start(rt, "repos.delete", "{\"repo_id\":\"me/d\"}", &w);
  hf_status st = hf_op_wait(op);
  if (cls) ck_assert_str_eq(hf_op_error(op)->cls, cls);
  if (st == HF_EINVAL)
    ck_assert_str_eq(hf_op_error(op)->message,
                     "You are about to permanently delete model 'me/d'. Proceed? Use --yes to skip confirmation.");
  hf_op_free(op);
  return st;
}

START_TEST(questions_reach_the_watch) {
  int before = hub->count;
  ck_assert_int_eq(delete_with(NULL, "ConfirmationError"), HF_EINVAL);
  person = HF_ECANCELED;
  ck_assert_int_eq(delete_with(on_ask, "Abort"), HF_ECANCELED);
  person = HF_EINVAL;
  ck_assert_int_eq(delete_with(on_ask, "ConfirmationError"), HF_EINVAL);
  ck_assert_int_eq(hub->count, before);
  person = HF_OK;
  ck_assert_int_eq(delete_with(on_ask, NULL), HF_OK);
  ck_assert_int_eq(asked, 3);
  last_is("DELETE /api/repos/delete ", "{\"name\":\"d\",\"organization\":\"me\",\"type\":\"model\"}");
}
END_TEST

int main(void) {
  Suite *s = suite_create("owning repos");
  TCase *t = tcase_create("repos");
  tcase_set_timeout(t, 60);
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, each_function_asks_once);
  tcase_add_test(t, nothing_is_asked_for_nonsense);
  tcase_add_test(t, a_busy_server_is_waited_for);
  tcase_add_test(t, questions_reach_the_watch);
  suite_add_tcase(s, t);
  return unit_run(s);
}
