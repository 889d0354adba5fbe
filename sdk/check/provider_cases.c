/* provider_cases.c - rules of a provider at work: each call of a file of cases is made, against a server that answers as the case
 * says, and requests and results are compared with the case; without a file, odd answers must do no harm.
 * The file is described in docs/providers.md. */
#include <hf/provider.h>

#include <stdarg.h>
#include <unistd.h>

#include "exchange.h"
#include "inference/infer.h"

static const struct hf_provider *provider(struct bench *b) {
  return (const struct hf_provider *)(const void *)b->m;
}

static const char *text(const json_t *j, const char *key) {
  return json_string_value(json_object_get(j, key));
}

/* ---- a call ---- */

struct outcome {
  hf_status st;
  struct inf_answer answer;
  json_t *items; /* of a stream */
  char cls[64], message[1000];
  uint32_t http_status;
  uint64_t took_ms;
};

static hf_status on_item(hf_call *c, void *arg, json_t *item) {
  (void)c;
  json_array_append((json_t *)arg, item);
  return HF_OK;
}

struct in_call {
  const struct inf_ask *ask;
  struct outcome *out;
};

static hf_status run_call(hf_call *c, void *arg) {
  struct in_call *k = arg;
  struct outcome *o = k->out;
  static uint32_t calls;
  char token[40]; /* another one each time: what the Hub says of a model is remembered for each token */
  snprintf(token, sizeof token, "hf_check%u", ++calls);
  o->st = hf_call_option(c, "HF_TOKEN", token);
  if (o->st == HF_OK) o->st = inf_run(c, NULL, k->ask, &o->answer);
  const struct hf_error *e = hf_host()->error(c);
  if (o->st != HF_OK && e) {
    snprintf(o->cls, sizeof o->cls, "%s", e->cls ? e->cls : hf_status_name(e->code));
    snprintf(o->message, sizeof o->message, "%s", e->message ? e->message : "");
    o->http_status = e->http_status;
  }
  return o->st;
}

static void make_call(struct bench *b, struct inf_ask *ask, struct outcome *o) {
  struct in_call k = {ask, o};
  struct hf_watch watch = {.struct_size = sizeof watch, .deadline_ms = 20000};
  *o = (struct outcome){.items = json_array()};
  ask->provider = b->m->name;
  ask->api_key = CHECK_KEY;
  ask->arg = o->items;
  ask->item = on_item;
  uint64_t before = now_ms();
  hf_op *op = hf_op_start_fn(b->rt, run_call, &k, &watch);
  hf_op_wait(op);
  hf_op_free(op);
  o->took_ms = now_ms() - before;
}

static void end_call(struct outcome *o) {
  inf_answer_free(&o->answer);
  json_decref(o->items);
}

/* ---- cases ---- */

static json_t *load_cases(struct bench *b) {
  json_error_t e;
  if (!b->cases) skipped("there is no file of cases: --cases FILE, or cases.json beside the plugin");
  json_t *all = json_load_file(b->cases, 0, &e), *cases = json_object_get(all, "cases"), *one;
  EXPECT(all, "%s cannot be read: line %d: %s", b->cases, e.line, e.text);
  EXPECT(json_array_size(cases), "%s has no array \"cases\"", b->cases);
  size_t i;
  json_array_foreach(cases, i, one) {
    json_t *call = json_object_get(one, "call"), *list = json_object_get(one, "exchanges");
    EXPECT(text(one, "name"), "%s: case %zu has no \"name\"", b->cases, i);
    EXPECT(text(call, "task"), "%s: %s has no \"task\" in its \"call\"", b->cases, text(one, "name"));
    EXPECT(json_is_array(list), "%s: %s has no array \"exchanges\"", b->cases, text(one, "name"));
    EXPECT(json_object_get(one, "result") || json_object_get(one, "items") || json_object_get(one, "error") ||
               json_object_get(one, "base64"),
           "%s: %s says neither \"result\" nor \"items\", \"base64\" or \"error\"", b->cases, text(one, "name"));
  }
  return cases;
}

static void make_case(struct bench *b, json_t *one, struct outcome *o) {
  json_t *call = json_object_get(one, "call"), *media = json_object_get(call, "media");
  const char *model = text(call, "model"), *name = text(call, "provider_model"), *base64 = text(media, "base64");
  struct inf_bytes bytes = {text(media, "argument"), NULL, 0, text(media, "type")};
  void *data = NULL;
  if (base64 && inf_unbase64(base64, strlen(base64), &data, &bytes.len)) bytes.data = data;
  struct inf_ask ask = {.task = text(call, "task"),
                        .model = model,
                        .args = json_object_get(call, "args"),
                        .media = &bytes,
                        .media_count = bytes.data && bytes.name,
                        .stream = json_is_true(json_object_get(call, "stream"))};
  exchange_script(json_object_get(one, "exchanges"), NULL, 0, b->m->name, name ? name : model, ask.task);
  make_call(b, &ask, o);
  free(data);
}

static _Noreturn void differs(const json_t *one, const char *what, const json_t *is, const json_t *want) {
  char *a = json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY), *w = json_dumps(want, JSON_COMPACT | JSON_ENCODE_ANY);
  failed("%s: %s is %.400s instead of %.400s", text(one, "name"), what, a ? a : "nothing", w ? w : "nothing");
}

static void compare_request(const json_t *one, size_t i, const struct received *r, const json_t *want) {
  char what[96];
  const char *key, *url = text(want, "url"), *method = text(want, "method"), *body = text(want, "text");
  json_t *value;
  EXPECT(!url || strcmp(url, r->url) == 0, "%s: request %zu goes to %s instead of %s", text(one, "name"), i + 1, r->url,
         url);
  EXPECT(!method || strcmp(method, r->method) == 0, "%s: request %zu is a %s instead of a %s", text(one, "name"), i + 1,
         r->method, method);
  json_object_foreach(json_object_get(want, "headers"), key, value) {
    const json_t *is = json_object_get(r->headers, key);
    snprintf(what, sizeof what, "%.40s of request %zu", key, i + 1);
    if (json_is_null(value) ? is != NULL : !json_equal(is, value)) differs(one, what, is, value);
  }
  EXPECT(!body || strcmp(body, r->body) == 0, "%s: request %zu has another body than said", text(one, "name"), i + 1);
  value = json_object_get(want, "json");
  if (!value) return;
  json_t *is = json_loads(r->body, JSON_DECODE_ANY, NULL);
  snprintf(what, sizeof what, "the body of request %zu", i + 1);
  if (!json_equal(is, value)) differs(one, what, is, value);
  json_decref(is);
}

static void requests_are_as_said(struct bench *b) {
  json_t *cases = load_cases(b), *one, *exchange;
  size_t i, k;
  json_array_foreach(cases, i, one) {
    struct outcome o;
    const struct received *r;
    make_case(b, one, &o);
    size_t n = exchange_received(&r), want = json_array_size(json_object_get(one, "exchanges"));
    json_array_foreach(json_object_get(one, "exchanges"), k, exchange) if (k < n)
        compare_request(one, k, &r[k], json_object_get(exchange, "request"));
    EXPECT(n == want, "%s: %zu requests were made instead of %zu%s%s", text(one, "name"), n, want,
           *o.message ? ": " : "", o.message);
    end_call(&o);
  }
}

/* ---- results: each rule looks at the cases of its kind ---- */

enum kind { ANSWER, ERROR, STREAM, JOB };

static enum kind kind_of(const json_t *one) {
  if (json_object_get(one, "error")) return ERROR;
  if (json_is_true(json_object_get(json_object_get(one, "call"), "stream"))) return STREAM;
  return json_array_size(json_object_get(one, "exchanges")) > 1 ? JOB : ANSWER;
}

static void compare_error(const json_t *one, const struct outcome *o) {
  const json_t *want = json_object_get(one, "error");
  const char *cls = text(want, "class"), *words = text(want, "message"), *name = text(one, "name");
  json_int_t status = json_integer_value(json_object_get(want, "status"));
  EXPECT(o->st != HF_OK, "%s succeeds, and should fail", name);
  EXPECT(o->cls[0] && o->message[0], "%s fails without a sentence in its call", name);
  EXPECT(!cls || strcmp(cls, o->cls) == 0, "%s fails with class %s instead of %s: %s", name, o->cls, cls, o->message);
  EXPECT(!words || strstr(o->message, words), "%s fails with \"%s\", which does not hold \"%s\"", name, o->message,
         words);
  EXPECT(!status || o->http_status == status, "%s fails with status %u instead of %d", name, o->http_status,
         (int)status);
}

static void compare_result(const json_t *one, const struct outcome *o) {
  const json_t *want = json_object_get(one, "result"), *items = json_object_get(one, "items");
  const char *base64 = text(one, "base64"), *type = text(one, "type");
  EXPECT(o->st == HF_OK, "%s fails: %s", text(one, "name"), o->message);
  if (items && !json_equal(items, o->items)) differs(one, "what the stream brings", o->items, items);
  if (want && !json_equal(want, o->answer.json)) differs(one, "the result", o->answer.json, want);
  if (!base64) return;
  char *is = inf_base64(o->answer.data ? o->answer.data : "", o->answer.len);
  EXPECT(is && strcmp(is, base64) == 0, "%s brings other bytes: %.200s", text(one, "name"), is ? is : "none");
  EXPECT(!type || (o->answer.type && strcmp(type, o->answer.type) == 0), "%s brings media of type %s instead of %s",
         text(one, "name"), o->answer.type ? o->answer.type : "unknown", type);
  free(is);
}

static void results(struct bench *b, enum kind kind, const char *none) {
  json_t *cases = load_cases(b), *one;
  size_t i, tried = 0;
  json_array_foreach(cases, i, one) {
    struct outcome o;
    if (kind_of(one) != kind) continue;
    tried++;
    make_case(b, one, &o);
    if (kind == ERROR)
      compare_error(one, &o);
    else
      compare_result(one, &o);
    end_call(&o);
  }
  if (!tried) skipped(none);
}
static void answers_are_read(struct bench *b) {
  results(b, ANSWER, "no case has one exchange and a result");
}
static void errors_are_told(struct bench *b) {
  results(b, ERROR, "no case has an error");
}
static void streams_are_read(struct bench *b) {
  results(b, STREAM, "no case is a stream");
}
static void jobs_are_watched(struct bench *b) {
  results(b, JOB, "no case has several exchanges and a result");
}

/* ---- without cases ---- */

static json_t *arguments_of(const struct inf_task *spec) {
  json_t *args = json_object();
  for (const char *p = spec ? spec->needs : "prompt"; p && *p;) {
    size_t n = strcspn(p, " ");
    json_t *value = strncmp(p, "messages", n) == 0 ? json_pack("[{s:s,s:s}]", "role", "user", "content", "hello")
                    : strncmp(p, "candidate_labels", n) == 0 ? json_pack("[s,s]", "one", "two")
                                                             : json_string("given");
    json_object_setn_new(args, p, n, value);
    p += n + (p[n] == ' ');
  }
  return args;
}

static const char *const odd[] = {
    "{\"json\":{}}",
    "{\"json\":[]}",
    "{\"json\":null}",
    "{\"json\":\"word\"}",
    "{\"json\":[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]}",
    "{\"json\":{\"choices\":[],\"data\":[],\"output\":[],\"status\":7,\"id\":{},\"images\":[null],\"urls\":{}}}",
    "{\"json\":{\"id\":\"../../x?y#z\",\"status\":\"unheard-of\",\"output\":\"not a url\",\"data\":{\"outputs\":[1]}}}",
    "{\"text\":\"{\\\"cut\\\": \"}",
    "{\"text\":\"<html>Sorry</html>\"}",
    "{\"text\":\"\"}",
    "{\"status\":418,\"text\":\"teapot\"}",
    "{\"status\":500,\"json\":{\"error\":[{\"message\":{}}]}}",
    "{\"events\":[{},[],null,7,\"nonsense\",{\"choices\":[{\"delta\":null}]},\"[DONE]\"]}",
};

/* The call may succeed with little or fail in words; what it may not is crash or go on for ever. */
static void odd_answers_do_no_harm(struct bench *b) {
  const struct hf_pv_task *rows = provider(b)->tasks.rows;
  for (uint32_t i = 0; i < provider(b)->tasks.count; i++) {
    const struct inf_task *spec = inf_task_find(rows[i].task);
    for (size_t k = 0; k < COUNT(odd); k++) {
      struct outcome o;
      struct inf_bytes bytes = {spec ? spec->media : NULL, "\x89PNG\r\n", 6, "image/png"};
      json_t *answer = json_loads(odd[k], 0, NULL), *args = arguments_of(spec);
      struct inf_ask ask = {.task = rows[i].task,
                            .model = "some/model",
                            .args = args,
                            .media = &bytes,
                            .media_count = bytes.name != NULL,
                            .stream = rows[i].stream && k % 2 == 0};
      exchange_script(NULL, answer, 4, b->m->name, "some-model", rows[i].task);
      make_call(b, &ask, &o);
      EXPECT(o.st <= 0, "%s answered %d to %s", rows[i].task, o.st, odd[k]);
      EXPECT(o.st == HF_OK || o.message[0], "%s failed without a sentence, at %s", rows[i].task, odd[k]);
      EXPECT(o.took_ms < 15000, "%s does not end when the answer is %s", rows[i].task, odd[k]);
      EXPECT(!strstr(o.message, CHECK_KEY), "%s tells the key when it fails: %s", rows[i].task, o.message);
      end_call(&o);
      json_decref(answer);
      json_decref(args);
    }
  }
}

static const struct rule rows[] = {
    {"provider/odd-answers-do-no-harm", odd_answers_do_no_harm, 0, 0, NULL},
    {"provider/requests-are-as-said", requests_are_as_said, 0, 0, NULL},
    {"provider/answers-are-read", answers_are_read, 0, 0, NULL},
    {"provider/errors-are-told", errors_are_told, 0, 0, NULL},
    {"provider/streams-are-read", streams_are_read, 0, 0, NULL},
    {"provider/jobs-are-watched", jobs_are_watched, 0, 0, NULL},
};
const struct rules provider_case_rules = {rows, COUNT(rows)};
