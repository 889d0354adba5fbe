/* answer.c - of the last answer makes the result: a record, or media that is in the answer, in base64, or at a URL.
 * Media goes to the caller as it arrives. Its status is checked, and that it is no error page; it is fetched without
 * credentials. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "infer.h"

void inf_answer_free(struct inf_answer *a) {
  json_decref(a->json);
  json_decref(a->usage);
  free(a->data);
  free(a->text);
  *a = (struct inf_answer){0};
}

hf_status inf_add(struct inf *f, const void *data, size_t len) {
  struct inf_answer *a = f->answer;
  f->delivered = true;
  a->total += len;
  if (f->ask->media_out) return f->ask->media_out(f->c, f->ask->arg, data, len);
  if (len > INF_MEDIA_MAX - a->len)
    return inf_fail(f, HF_EPROTO, "ValueError", "The media from %s is larger than 256 MiB; write it to a file.",
                    f->provider);
  if (a->len + len > a->cap) {
    size_t cap = (a->len + len) * 2;
    char *more = realloc(a->data, cap);
    if (!more) return inf_fail(f, HF_ENOMEM, NULL, "Out of memory for the media.");
    a->data = more;
    a->cap = cap;
  }
  memcpy(a->data + a->len, data, len);
  a->len += len;
  return HF_OK;
}

struct incoming {
  struct inf *f;
  char head[512];
  size_t len;
};

static hf_status on_data(hf_call *c, void *arg, const void *data, size_t len) {
  struct incoming *in = arg;
  (void)c;
  size_t room = sizeof in->head - 1 - in->len, n = len < room ? len : room;
  memcpy(in->head + in->len, data, n);
  in->len += n;
  return inf_add(in->f, data, len);
}

/* A page or a document is no media, whatever its status. */
static hf_status check_type(struct incoming *in, const struct hf_http_resp *resp, const char *url) {
  static const char *const wrong[] = {"text/html", "application/json", "application/problem+json", "text/xml",
                                      "application/xml"};
  struct inf *f = in->f;
  const char *type = hf_hub_header(resp, "content-type");
  if (!f->answer->total)
    return inf_fail(f, HF_EPROTO, "ValueError", "%s answered with nothing instead of media; try again.", url);
  for (size_t i = 0; type && i < HF_COUNT(wrong); i++) {
    if (strncasecmp(type, wrong[i], strlen(wrong[i]))) continue;
    for (char *s = in->head; *s; s++)
      if ((unsigned char)*s < 0x20) *s = ' ';
    return inf_fail(f, HF_EPROTO, "ValueError", "%s answered with %s instead of media: %.400s", url, type, in->head);
  }
  f->answer->type = type ? hf_host()->intern(f->c, type, strcspn(type, ";")) : NULL;
  return HF_OK;
}

hf_status inf_take_raw(struct inf *f, const struct inf_body_bytes *b) {
  struct incoming in = {.f = f};
  struct hf_http_resp resp;
  TRY(inf_post(f, b, on_data, &in, NULL, &resp));
  return check_type(&in, &resp, f->url);
}

static hf_status fetch(struct inf *f, const char *url) {
  if (!strncmp(url, "data:", 5)) {
    void *data;
    size_t len;
    TRY(inf_data_url(f, url, &data, &len, &f->answer->type));
    hf_status st = inf_add(f, data, len);
    free(data);
    return st;
  }
  struct incoming in = {.f = f};
  struct hf_http_resp resp;
  TRY(inf_get_open(f, url, 0, on_data, &in, &resp));
  TRY(check_type(&in, &resp, url));
  if (!f->answer->type) f->answer->type = inf_type_of(url);
  return HF_OK;
}

static hf_status decode(struct inf *f, const char *text) {
  void *data;
  size_t len;
  if (!strncmp(text, "data:", 5)) return fetch(f, text);
  if (!inf_unbase64(text, strlen(text), &data, &len) || !len)
    return free(data),
           inf_fail(f, HF_EPROTO, "ValueError", "What %s sent as media is no base64: %.80s", f->provider, text);
  static const struct {
    const char *magic, *type;
  } kinds[] = {{"\x89PNG", "image/png"}, {"\xff\xd8\xff", "image/jpeg"}, {"RIFF", "audio/wav"}, {"GIF8", "image/gif"}};
  for (size_t i = 0; i < HF_COUNT(kinds); i++)
    if (len > 4 && !memcmp(data, kinds[i].magic, strlen(kinds[i].magic))) f->answer->type = kinds[i].type;
  hf_status st = inf_add(f, data, len);
  free(data);
  return st;
}

static hf_status nothing(struct inf *f, const json_t *answer) {
  char *text = json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY);
  hf_status st = inf_fail(f, HF_EPROTO, "ValueError", "No result (%s) in the answer of %s: %.900s",
                          f->row->out_path ? f->row->out_path : "whole", f->provider, text ? text : "");
  free(text);
  return st;
}

/* The member of every element of an array: "data.embedding". */
static json_t *each(const json_t *answer, const char *path) {
  const char *dot = path ? strrchr(path, '.') : NULL;
  char list_path[64];
  if (!dot || (size_t)(dot - path) >= sizeof list_path) return NULL;
  memcpy(list_path, path, (size_t)(dot - path));
  list_path[dot - path] = 0;
  const json_t *list = inf_at(answer, list_path);
  if (!json_is_array(list)) return NULL;
  json_t *out = json_array(), *item;
  size_t i;
  json_array_foreach(list, i, item) {
    json_t *v = json_object_get(item, dot + 1);
    if (!v) return json_decref(out), NULL;
    json_array_append(out, v);
  }
  return out;
}

static json_t *completion(const json_t *answer) {
  const json_t *choice = inf_at(answer, "choices.0");
  json_t *text = json_object_get(choice, "text"), *reason = json_object_get(choice, "finish_reason"),
         *seed = json_object_get(choice, "seed");
  if (!text) text = (json_t *)(uintptr_t)inf_at(choice, "message.content");
  if (!json_is_string(text)) return NULL;
  return json_pack("{s:O,s:{s:O?,s:O?}}", "generated_text", text, "details", "finish_reason", reason, "seed", seed);
}

static hf_status make(struct inf *f, const json_t *answer, const json_t *found) {
  json_t *value = NULL;
  switch (f->row->out) {
    case HF_PV_OUT_B64: return json_is_string(found) ? decode(f, json_string_value(found)) : nothing(f, answer);
    case HF_PV_OUT_URL: return json_is_string(found) ? fetch(f, json_string_value(found)) : nothing(f, answer);
    case HF_PV_OUT_TEXT: value = json_is_string(found) ? json_pack("{s:O}", "text", found) : NULL; break;
    case HF_PV_OUT_COMPLETION: value = completion(found); break;
    case HF_PV_OUT_EACH: value = each(found, f->row->out_path); break;
    default: value = json_incref((json_t *)(uintptr_t)found);
  }
  return value ? inf_shape(f, value, &f->answer->json) : nothing(f, answer);
}

hf_status inf_take(struct inf *f, const json_t *answer) {
  const json_t *found = answer;
  bool path = f->row->out != HF_PV_OUT_COMPLETION && f->row->out != HF_PV_OUT_EACH;
  if (json_is_object(json_object_get(answer, "usage")))
    f->answer->usage = json_incref(json_object_get(answer, "usage"));
  if (f->spec->kind == INF_TEXT && json_is_array(answer)) found = answer = json_array_get(answer, 0);
  if (f->row->parse) {
    struct inf_hook k = {.which = INF_PARSE, .answer = answer};
    hf_status st = inf_hook_call(f, &k);
    const hf_json *made = k.result;
    if (hf_host()->error(f->c)) return hf_host()->error(f->c)->code;
    if (st != HF_OK || !made) return nothing(f, answer);
    found = INF_VALUE(made);
  } else if (path) {
    found = inf_first(answer, f->row->out_path);
  }
  return found ? make(f, answer, found) : nothing(f, answer);
}

bool inf_take_text(struct inf *f, const struct hf_http_resp *resp) {
  const struct hf_pv_task *row = f->row;
  struct inf_answer *a = f->answer;
  bool as_it_is = row->out == HF_PV_OUT_JSON && !row->out_path && !row->parse && !row->poll && !row->poll_next;
  if (!f->ask->as_text || f->spec->kind != INF_CHAT || !as_it_is) return false;
  a->text = hf_json_compact(resp->body, resp->body_len, inf_plain_name, &a->text_len);
  return a->text != NULL;
}
