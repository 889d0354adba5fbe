/* test_inference.c - hf_inference.h against a loopback server: the function of a task makes the request of its row, and its
 * answer is a record, a stream or media; blocking, started, cancelled by the receiver.
 * The server answers by path and keeps what it was asked. */
#include <check.h>
#include <hf_inference.h>

#include "serve.h"

static struct server *server;
static hf_runtime *rt;
static char url[80];

static bool reply(int fd, const char *type, const char *body) {
  char headers[80];
  snprintf(headers, sizeof headers, "Content-Type: %s\r\n", type);
  return answer(fd, 200, headers, body);
}

static bool handler(struct server *s, int fd, const struct seen *q) {
  (void)s;
  if (strstr(q->body ? q->body : "", "\"stream\":true"))
    return reply(fd, "text/event-stream",
                 "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: "
                 "{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
                 "data: [DONE]\n\n");
  if (strstr(q->head, "/chat/completions")) return reply(fd, "application/json", "{\"choices\":[],\"own\":{\"x\":1}}");
  if (strstr(q->head, "/picture")) return reply(fd, "image/png", "PICTURE");
  if (strstr(q->head, "/labels"))
    return reply(fd, "application/json", "[{\"label\":\"cat\",\"score\":0.5,\"more\":true}]");
  return reply(fd, "application/json", "{\"error\":\"no such thing\"}");
}

static void setup(void) {
  char home[] = "/tmp/hf-inference-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(home));
  setenv("HF_HOME", home, 1);
  setenv("HF_TOKEN", "hf_secret", 1);
  setenv("NO_PROXY", "*", 1);
  server = serve_start(handler);
  snprintf(url, sizeof url, "http://127.0.0.1:%u", server->port);
  char program[512];
  snprintf(program, sizeof program, "%s/bin/hf", getenv("HF_TEST_BUILD"));
  struct hf_runtime_opts o = {.struct_size = sizeof o, .argv0 = program};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
}

static void teardown(void) {
  hf_runtime_free(rt);
  serve_stop(server);
}

static const struct seen *last(void) {
  return &server->seen[atomic_load(&server->count) - 1];
}

static const char *below(const char *path) {
  static char text[120];
  snprintf(text, sizeof text, "%s%s", url, path);
  return text;
}

START_TEST(chat_at_an_endpoint) {
  struct hf_inf_opts o = {.struct_size = sizeof o, .base_url = url, .model = "mine", .args = "{\"max_tokens\":5}"};
  struct hf_inf_result *r;
  ck_assert_int_eq(hf_chat_completion(rt, "[{\"role\":\"user\",\"content\":\"x\"}]", &o, &r), HF_OK);
  ck_assert_str_eq(r->json, "{\"choices\":[],\"own\":{\"x\":1}}");
  ck_assert_str_eq(last()->body,
                   "{\"model\":\"mine\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":5,"
                   "\"stream\":false}");
  ck_assert_ptr_nonnull(strstr(last()->head, "POST /v1/chat/completions "));
  ck_assert_ptr_null(strcasestr(last()->head, "authorization")); /* a token of the Hub is not for this host */
  hf_inf_result_free(r);
}
END_TEST

struct heard {
  char text[400];
  int left;
};

static int32_t on_item(void *arg, const char *json, size_t len) {
  struct heard *h = arg;
  ck_assert_uint_eq(strlen(json), len);
  strncat(h->text, json, sizeof h->text - strlen(h->text) - 1);
  return h->left && --h->left == 0;
}

START_TEST(stream_and_receiver_that_ends_it) {
  struct heard h = {.left = 0};
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = url, .arg = &h, .item = on_item};
  struct hf_inf_result *r;
  ck_assert_int_eq(hf_chat_completion(rt, "[]", &o, &r), HF_OK);
  ck_assert_ptr_null(r->json);
  ck_assert_str_eq(h.text,
                   "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}");
  hf_inf_result_free(r);
  h = (struct heard){.left = 1};
  ck_assert_int_eq(hf_chat_completion(rt, "[]", &o, &r), HF_ECANCELED);
  ck_assert_str_eq(h.text, "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}");
  ck_assert_int_eq(r->error->code, HF_ECANCELED);
  hf_inf_result_free(r);
}
END_TEST

START_TEST(media_out_and_in) {
  struct hf_inf_result *r;
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = below("/picture"), .api_key = "mine"};
  ck_assert_int_eq(hf_text_to_image(rt, "a kettle", &o, &r), HF_OK);
  ck_assert_uint_eq(r->len, 7);
  ck_assert_mem_eq(r->data, "PICTURE", 7);
  ck_assert_str_eq(r->content_type, "image/png");
  ck_assert_str_eq(last()->body, "{\"inputs\":\"a kettle\",\"parameters\":{}}");
  ck_assert_ptr_nonnull(strcasestr(last()->head, "authorization: Bearer mine"));
  hf_inf_result_free(r);
  o = (struct hf_inf_opts){.struct_size = sizeof o, .model = below("/labels")};
  struct hf_inf_media m = {.data = "bytes", .len = 5, .type = "image/gif"};
  ck_assert_int_eq(hf_image_classification(rt, &m, &o, &r), HF_OK);
  ck_assert_str_eq(r->json, "[{\"label\":\"cat\",\"score\":0.5,\"more\":true}]");
  ck_assert_str_eq(last()->body, "bytes");
  ck_assert_ptr_nonnull(strcasestr(last()->head, "content-type: image/gif"));
  hf_inf_result_free(r);
  o.args = "{\"top_k\":2}";
  ck_assert_int_eq(hf_image_classification(rt, &m, &o, &r), HF_OK);
  ck_assert_str_eq(last()->body, "{\"inputs\":\"Ynl0ZXM=\",\"parameters\":{\"top_k\":2}}");
  hf_inf_result_free(r);
}
END_TEST

START_TEST(started_and_awaited) {
  struct hf_inf_result *r[4];
  hf_op *ops[4];
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = below("/labels")};
  for (int i = 0; i < 4; i++) ops[i] = hf_inference_start(rt, "fill-mask", "{\"text\":\"x\"}", &o, &r[i]);
  for (int i = 0; i < 4; i++) {
    ck_assert_int_eq(hf_op_wait(ops[i]), HF_OK);
    hf_op_free(ops[i]);
    ck_assert_ptr_nonnull(strstr(r[i]->json, "cat"));
    hf_inf_result_free(r[i]);
  }
}
END_TEST

START_TEST(what_is_wrong_is_said) {
  struct hf_inf_result *r;
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = below("/other")};
  ck_assert_int_eq(hf_fill_mask(rt, "x", &o, &r), HF_EPROTO); /* an object where a list belongs */
  ck_assert_ptr_nonnull(strstr(r->error->message, "no such thing"));
  hf_inf_result_free(r);
  ck_assert_int_eq(hf_fill_mask(rt, NULL, &o, &r), HF_EINVAL);
  ck_assert_str_eq(r->error->cls, "ValueError");
  hf_inf_result_free(r);
  ck_assert_int_eq(hf_chat_completion(rt, "no json", &o, &r), HF_EINVAL);
  hf_inf_result_free(r);
  ck_assert_int_eq(hf_image_to_text(rt, &(struct hf_inf_media){.path = "/nowhere/at.all"}, &o, &r), HF_ENOTFOUND);
  hf_inf_result_free(r);
  o.provider = "nobody";
  o.model = "me/m";
  ck_assert_int_eq(hf_fill_mask(rt, "x", &o, &r), HF_ENOTFOUND);
  ck_assert_ptr_nonnull(strstr(r->error->message, "groq")); /* those that are there are named */
  ck_assert_ptr_null(strstr(r->error->message, "hf_secret"));
  hf_inf_result_free(r);
}
END_TEST

/* ---- many at once, and limits of time ------------------------------------------------------------------------------------ */

enum { MANY = 40 };
static _Atomic int streams_open;

/* Streams begin, and go on when all are open; "/slow" sends only comments, "/never" nothing. */
static bool patient(struct server *s, int fd, const struct seen *q) {
  (void)s;
  put(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: hello\n\n");
  if (strstr(q->head, "/never")) return sleep(3), false;
  if (strstr(q->head, "/slow")) {
    for (int i = 0; i < 60 && put(fd, ": wait\n\n"); i++) usleep(50000);
    return false;
  }
  put(fd, "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n");
  atomic_fetch_add(&streams_open, 1);
  for (int i = 0; i < 3000 && atomic_load(&streams_open) < MANY; i++) usleep(10000);
  bool all = atomic_load(&streams_open) >= MANY;
  put(fd, "data: {\"choices\":[{\"delta\":{\"content\":\"%s\"}}]}\n\ndata: [DONE]\n\n", all ? "b" : "not all");
  return false;
}

static int32_t count_item(void *arg, const char *json, size_t len) {
  (void)len;
  if (strstr(json, "\"b\"")) atomic_fetch_add((_Atomic int *)arg, 1);
  return 0;
}

START_TEST(streams_hold_no_worker) {
  hf_op *ops[MANY];
  struct hf_inf_result *r[MANY];
  _Atomic int ended = 0;
  struct hf_inf_opts o = {.struct_size = sizeof o, .base_url = url, .arg = (void *)&ended, .item = count_item};
  server->handler = patient;
  for (int i = 0; i < MANY; i++) ops[i] = hf_inference_start(rt, "conversational", "{\"messages\":[]}", &o, &r[i]);
  for (int i = 0; i < MANY; i++) {
    ck_assert_msg(hf_op_wait(ops[i]) == HF_OK, "%s", r[i]->error ? r[i]->error->message : "?");
    hf_op_free(ops[i]);
    hf_inf_result_free(r[i]);
  }
  ck_assert_int_eq(ended, MANY);
}
END_TEST

START_TEST(limits_of_time) {
  static const struct {
    const char *path;
    uint32_t first_ms, silence_ms, deadline_ms;
    const char *cls; /* NULL: any */
  } rows[] = {{"/slow/v1", 300, 0, 0, "InferenceTimeoutError"},
              {"/never/v1", 300, 0, 0, "InferenceTimeoutError"},
              {"/never/v1", 0, 300, 0, "InferenceTimeoutError"},
              {"/slow/v1", 0, 0, 300, NULL}};
  _Atomic int ended = 0;
  server->handler = patient;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hf_inf_result *r;
    struct hf_inf_opts o = {.struct_size = sizeof o,
                            .base_url = below(rows[i].path),
                            .arg = (void *)&ended,
                            .item = count_item,
                            .first_ms = rows[i].first_ms,
                            .silence_ms = rows[i].silence_ms,
                            .deadline_ms = rows[i].deadline_ms};
    ck_assert_msg(hf_chat_completion(rt, "[]", &o, &r) == HF_ETIMEDOUT, "row %zu", i);
    ck_assert_ptr_nonnull(r->error);
    if (rows[i].cls) ck_assert_str_eq(r->error->cls, rows[i].cls);
    hf_inf_result_free(r);
  }
}
END_TEST

START_TEST(media_of_started_calls) {
  struct hf_inf_result *r;
  struct hf_inf_opts o = {.struct_size = sizeof o, .model = below("/labels")};
  struct hf_inf_media m = {.data = "bytes", .len = 5, .type = "image/gif"};
  hf_op *op = hf_inference_start_media(rt, "image-classification", "{\"top_k\":2}", &m, &o, &r);
  ck_assert_int_eq(hf_op_wait(op), HF_OK);
  hf_op_free(op);
  ck_assert_str_eq(last()->body, "{\"inputs\":\"Ynl0ZXM=\",\"parameters\":{\"top_k\":2}}");
  hf_inf_result_free(r);
}
END_TEST

int main(void) {
  Suite *s = suite_create("inference");
  TCase *t = tcase_create("inference");
  tcase_add_checked_fixture(t, setup, teardown);
  tcase_add_test(t, chat_at_an_endpoint);
  tcase_add_test(t, stream_and_receiver_that_ends_it);
  tcase_add_test(t, media_out_and_in);
  tcase_add_test(t, started_and_awaited);
  tcase_add_test(t, what_is_wrong_is_said);
  tcase_add_test(t, streams_hold_no_worker);
  tcase_add_test(t, limits_of_time);
  tcase_add_test(t, media_of_started_calls);
  tcase_set_timeout(t, 120);
  suite_add_tcase(s, t);
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_ENV);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
