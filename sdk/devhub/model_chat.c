/* model_chat.c - a chat model that says what it was told, whole or as a stream of its words; text completions too.
 * With tools it calls the one that must be called, or that the last message names, and after a tool's message says what
 * the tool said. With a JSON schema it answers with an instance of it. */
#include "body.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, TOKENS_MAX = 100000 };

struct answer {
  const char *model;
  char *text;
  json_t *call; /* {"id","type","function"}; NULL: text */
  size_t prompt_tokens, tokens;
  bool cut, chat;
};

static size_t word_length(const char *s) { /* with the blanks in front of it */
  size_t blanks = strspn(s, " \t\r\n");
  return blanks + strcspn(s + blanks, " \t\r\n");
}

static size_t words(const char *s) {
  size_t n = 0;
  for (size_t k; (k = word_length(s)) && s[strspn(s, " \t\r\n")]; s += k) n++;
  return n;
}

/* No more words than max_tokens. */
static void limit(struct answer *a, const json_t *body) {
  const json_t *most = json_object_get(body, "max_tokens");
  if (!json_is_integer(most)) most = json_object_get(body, "max_completion_tokens");
  json_int_t room = json_is_integer(most) ? json_integer_value(most) : TOKENS_MAX;
  char *at = a->text;
  for (a->tokens = 0; *at && (json_int_t)a->tokens < room; a->tokens++) at += word_length(at);
  a->cut = at[strspn(at, " \t\r\n")] != 0;
  *at = 0;
}

/* ---- structured output and tools ------------------------------------------------------------------------------------------ */

static json_t *instance(const json_t *schema, const char *text, int depth) {
  const char *type = dh_json_text(schema, "type", "object"), *key;
  const json_t *choice = json_array_get(json_object_get(schema, "enum"), 0);
  json_t *property;
  if (choice) return json_incref((json_t *)(uintptr_t)choice);
  if (strcmp(type, "string") == 0) return json_string(text);
  if (strcmp(type, "integer") == 0) return json_integer((json_int_t)words(text));
  if (strcmp(type, "number") == 0) return json_real((double)words(text));
  if (strcmp(type, "boolean") == 0) return json_true();
  if (depth == DEPTH_MAX || strcmp(type, "null") == 0) return json_null();
  if (strcmp(type, "array") == 0) return json_pack("[o]", instance(json_object_get(schema, "items"), text, depth + 1));
  json_t *out = json_object();
  json_object_foreach(json_object_get(schema, "properties"), key, property)
      json_object_set_new(out, key, instance(property, text, depth + 1));
  return out;
}

static void structure(struct answer *a, const json_t *body) {
  const json_t *format = json_object_get(body, "response_format");
  const char *type = dh_json_text(format, "type", "text");
  const json_t *schema = json_object_get(json_object_get(format, "json_schema"), "schema");
  if (!schema) schema = json_object_get(format, "schema");
  if (!schema) schema = json_object_get(format, "value");
  if (strncmp(type, "json", 4) != 0) return;
  json_t *value = schema ? instance(schema, a->text, 0) : json_pack("{s:s}", "text", a->text);
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  json_decref(value);
  if (!text) return;
  free(a->text);
  a->text = text;
}

static void call_tool(struct answer *a, const json_t *body, const struct request *r) {
  const json_t *choice = json_object_get(body, "tool_choice");
  const char *mode = json_string_value(choice);
  const char *named = dh_json_text(json_object_get(choice, "function"), "name", NULL);
  bool must = named || (mode && strcmp(mode, "required") == 0);
  json_t *tool;
  size_t i;
  if (mode && strcmp(mode, "none") == 0) return;
  json_array_foreach(json_object_get(body, "tools"), i, tool) {
    const json_t *function = json_object_get(tool, "function");
    const char *name = dh_json_text(function, "name", "");
    if (named ? strcmp(name, named) != 0 : !must && !(*name && strstr(a->text, name))) continue;
    json_t *value = instance(json_object_get(function, "parameters"), a->text, 0);
    char *arguments = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    json_decref(value);
    a->call = json_pack("{s:s+, s:s, s:{s:s, s:s}}", "id", "call-", r->id + 7, "type", "function", "function", "name",
                        name, "arguments", arguments ? arguments : "{}");
    free(arguments);
    return;
  }
}

/* ---- the answer, whole or in pieces -------------------------------------------------------------------------------------------- */

static const char *reason(const struct answer *a) {
  return a->call ? "tool_calls" : a->cut ? "length" : "stop";
}

static json_t *usage(const struct answer *a) {
  return json_pack("{s:I, s:I, s:I}", "prompt_tokens", (json_int_t)a->prompt_tokens, "completion_tokens",
                   (json_int_t)a->tokens, "total_tokens", (json_int_t)(a->prompt_tokens + a->tokens));
}

/* What all documents of an answer begin with; takes what is said. */
static json_t *document(const struct request *r, const struct answer *a, bool piece, json_t *said) {
  const char *object = !a->chat ? "text_completion" : piece ? "chat.completion.chunk" : "chat.completion";
  return json_pack("{s:s+, s:s, s:I, s:s, s:o}", "id", a->chat ? "chatcmpl-" : "cmpl-", r->id + 7, "object", object,
                   "created", (json_int_t)dh_now(), "model", a->model, "choices", said);
}

static json_t *choices(const char *key, json_t *value, const char *finish) {
  json_t *one = json_pack("{s:i, s:o, s:s?, s:n}", "index", 0, key, value, "finish_reason", finish, "logprobs");
  return json_pack("[o]", one);
}

static void whole(struct request *r, const struct answer *a) {
  json_t *value = a->chat ? json_pack("{s:s, s:s?}", "role", "assistant", "content", a->call ? NULL : a->text)
                          : json_string(a->text);
  if (a->call) json_object_set_new(value, "tool_calls", json_pack("[O]", a->call));
  json_t *all = document(r, a, false, choices(a->chat ? "message" : "text", value, reason(a)));
  json_object_set_new(all, "usage", usage(a));
  dh_reply_json(r, 200, all);
}

static void event(struct text *out, json_t *value) {
  char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  json_decref(value);
  if (!text) out->failed = true;
  dh_text_addf(out, "data: %s\n\n", text ? text : "null");
  free(text);
}

static json_t *piece(const struct request *r, const struct answer *a, const char *text, size_t size, bool first) {
  json_t *value = json_stringn(text, size);
  if (a->chat)
    value =
        first ? json_pack("{s:s, s:o}", "role", "assistant", "content", value) : json_pack("{s:o}", "content", value);
  return document(r, a, true, choices(a->chat ? "delta" : "text", value, NULL));
}

static json_t *call_piece(const struct request *r, const struct answer *a) {
  json_t *call = json_copy(a->call);
  json_object_set_new(call, "index", json_integer(0));
  json_t *delta = json_pack("{s:s, s:n, s:[o]}", "role", "assistant", "content", "tool_calls", call);
  return document(r, a, true, choices("delta", delta, NULL));
}

static void stream(struct request *r, const struct answer *a, const json_t *body) {
  struct text t = {0};
  bool first = true;
  if (a->call) event(&t, call_piece(r, a));
  for (const char *at = a->text; *at && !a->call; first = false) {
    size_t n = word_length(at);
    event(&t, piece(r, a, at, n, first));
    at += n;
  }
  json_t *last = a->chat ? json_object() : json_string("");
  event(&t, document(r, a, true, choices(a->chat ? "delta" : "text", last, reason(a))));
  if (json_is_true(json_object_get(json_object_get(body, "stream_options"), "include_usage"))) {
    json_t *end = document(r, a, true, json_array());
    json_object_set_new(end, "usage", usage(a));
    event(&t, end);
  }
  dh_text_str(&t, "data: [DONE]\n\n");
  dh_reply_header(&r->reply, "Cache-Control", "no-cache");
  dh_reply_text(r, 200, "text/event-stream", &t);
  r->reply.body.events = r->reply.body.kind == BODY_TEXT;
}

static void answer(struct request *r, struct answer *a, const json_t *body) {
  if (!a->text) {
    dh_model_error(r, 500, NULL, "Out of memory.");
    return;
  }
  limit(a, body);
  if (json_is_true(json_object_get(body, "stream")))
    stream(r, a, body);
  else
    whole(r, a);
  free(a->text);
  json_decref(a->call);
}

void dh_model_chat(struct request *r, const json_t *body) {
  const json_t *messages = json_object_get(body, "messages"), *m;
  struct answer a = {.model = dh_json_text(body, "model", NULL), .chat = true};
  const json_t *last = json_array_get(messages, json_array_size(messages) ? json_array_size(messages) - 1 : 0);
  size_t i;
  if (!a.model || !json_is_object(last)) {
    dh_model_error(r, 400, NULL,
                   a.model ? "'messages' must be a list of messages that is not empty." : "'model' is missing.");
    return;
  }
  json_array_foreach(messages, i, m) {
    char *text = dh_model_text(json_object_get(m, "content"));
    a.prompt_tokens += text ? words(text) : 0;
    free(text);
  }
  a.text = dh_model_text(json_object_get(last, "content"));
  if (a.text && strcmp(dh_json_text(last, "role", ""), "tool") != 0) call_tool(&a, body, r);
  if (a.text && !a.call) structure(&a, body);
  answer(r, &a, body);
}

void dh_model_completion(struct request *r, const json_t *body) {
  const json_t *prompt = json_object_get(body, "prompt");
  if (json_is_array(prompt)) prompt = json_array_get(prompt, 0);
  struct answer a = {.model = dh_json_text(body, "model", "devhub")};
  if (!json_is_string(prompt)) {
    dh_model_error(r, 400, NULL, "'prompt' must be a text.");
    return;
  }
  a.text = dh_model_text(prompt);
  a.prompt_tokens = a.text ? words(a.text) : 0;
  answer(r, &a, body);
}
