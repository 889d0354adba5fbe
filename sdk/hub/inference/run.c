/* run.c - one call from arguments to a result, in order: arguments, provider and key, URL, body, POST, wait, answer.
 * With several providers the next one is tried while nothing was taken: not after a job was accepted, not after the first
 * byte. Text generation goes once more without parameters that a server says it does not know. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

hf_status inf_fail(struct inf *f, hf_status code, const char *cls, const char *fmt, ...) {
  char message[2048];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  return hf_host()->fail(
      f->c, &(struct hf_error){
                .struct_size = sizeof(struct hf_error), .code = code, .cls = cls, .url = f->url, .message = message});
}

json_t *inf_mine(struct inf *f, json_t *value) {
  if (!value || json_array_append_new(f->keep, value)) {
    inf_fail(f, HF_ENOMEM, NULL, "Out of memory.");
    return NULL;
  }
  return value;
}

/* ---- arguments -------------------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *args, const char *name) {
  const char *s = hf_hub_get(args, name);
  return s && *s ? s : NULL;
}

static hf_status take_media(struct inf *f) {
  const char *name = f->spec->media;
  for (uint32_t i = 0; i < f->ask->media_count; i++) {
    const struct inf_bytes *b = &f->ask->media[i];
    if (!name || strcmp(b->name, name)) continue;
    f->media = (struct inf_media){.name = name, .data = b->data, .len = b->len, .type = b->type, .loaded = true};
    json_object_set_new(f->args, name, json_true());
    return HF_OK;
  }
  json_t *v = name ? json_object_get(f->args, name) : NULL;
  if (!v || json_is_null(v)) return HF_OK;
  if (!json_is_string(v))
    return inf_fail(f, HF_EINVAL, "ValueError", "'%s' must be a path, a URL or a data: URL.", name);
  const char *text = hf_host()->intern(f->c, json_string_value(v), SIZE_MAX);
  if (!text) return HF_ENOMEM;
  json_object_set_new(f->args, name, json_true());
  return inf_media_name(f, name, text);
}

static hf_status check_needs(struct inf *f) {
  for (const char *p = f->spec->needs; p && *p;) {
    size_t n = strcspn(p, " ");
    json_t *v = json_object_getn(f->args, p, n);
    if (!v || json_is_null(v))
      return inf_fail(f, HF_EINVAL, "ValueError", "%s needs '%.*s'.", f->spec->name, (int)n, p);
    p += n + (p[n] == ' ');
  }
  bool from = text_of(f->args, "src_lang"), to = text_of(f->args, "tgt_lang");
  if (!strcmp(f->spec->name, "translation") && from != to)
    return inf_fail(f, HF_EINVAL, "ValueError",
                    "You cannot specify one of `src_lang` and `tgt_lang` without the other.");
  size_t labels = json_array_size(json_object_get(f->args, "candidate_labels"));
  if (!strcmp(f->spec->name, "zero-shot-image-classification") && labels < 2)
    return inf_fail(f, HF_EINVAL, "ValueError", "You must specify at least 2 classes to compare.");
  return HF_OK;
}

/* Members of extra_body are parameters: one that is named like the input of the task does not replace it. */
static hf_status take_extra(struct inf *f, json_t *more) {
  const char *key, *input = f->spec->text, *media = f->spec->media;
  bool chat = f->spec->kind == INF_CHAT;
  json_t *v;
  if (chat && text_of(more, "model")) f->body_model = hf_host()->intern(f->c, text_of(more, "model"), SIZE_MAX);
  json_object_foreach(more, key, v) {
    if (chat && !strcmp(key, "model")) continue;
    bool is_input = !chat && ((input && !strcmp(key, input)) || (media && !strcmp(key, media)));
    if (is_input && !f->late) f->late = json_object();
    if (json_object_set(is_input ? f->late : f->args, key, v)) return inf_fail(f, HF_ENOMEM, NULL, "Out of memory.");
  }
  return HF_OK;
}

static hf_status take_args(struct inf *f) {
  const struct inf_ask *a = f->ask;
  f->args = a->args_free ? json_incref(a->args) : hf_json_copy(a->args);
  if (!f->args) f->args = json_object();
  if (!json_is_object(f->args)) return inf_fail(f, HF_EINVAL, "ValueError", "The arguments must be a JSON object.");
  f->call_model = text_of(f->args, "model") ? hf_host()->intern(f->c, text_of(f->args, "model"), SIZE_MAX) : NULL;
  const char *client = a->base_url && *a->base_url ? a->base_url : a->model && *a->model ? a->model : NULL;
  bool chat = f->spec->kind == INF_CHAT;
  bool named = a->base_url && *a->base_url && a->model && *a->model && !f->call_model; /* how an endpoint calls it */
  if (named) f->call_model = a->model;
  f->model = chat || named ? (client ? client : f->call_model) : (f->call_model ? f->call_model : client);
  TRY(take_media(f));
  TRY(check_needs(f));
  json_t *more = json_incref(json_object_get(f->args, "extra_body"));
  static const char *const not_sent[] = {"model", "stream", "headers"};
  for (size_t i = 0; i < HF_COUNT(not_sent); i++) json_object_del(f->args, not_sent[i]);
  json_object_del(f->args, "extra_body");
  hf_status st = take_extra(f, more);
  json_decref(more);
  if (st != HF_OK) return st;
  json_t *old = json_object_get(f->args, "stop_sequences");
  if (old && !json_object_get(f->args, "stop")) json_object_set(f->args, "stop", old);
  json_object_del(f->args, "stop_sequences");
  if (!strcmp(f->spec->name, "zero-shot-image-classification")) json_object_del(f->args, "labels");
  if (!strcmp(f->spec->name, "zero-shot-classification") && !json_object_get(f->args, "multi_label"))
    json_object_set_new(f->args, "multi_label", json_false());
  if (json_is_true(json_object_get(f->args, "decoder_input_details")) &&
      !json_is_true(json_object_get(f->args, "details"))) {
    hf_host()->log(f->c, HF_LOG_WARNING, "decoder_input_details has no effect without details.");
    json_object_set_new(f->args, "decoder_input_details", json_false());
  }
  return HF_OK;
}

/* ---- the way ------------------------------------------------------------------------------------------------------------- */

static hf_status send(struct inf *f) {
  struct inf_body_bytes body;
  struct hf_http_resp resp;
  const json_t *posted, *last;
  hf_status st = inf_make_body(f, &body);
  bool job = f->row->poll || f->row->poll_next;
  if (st == HF_OK && f->ask->stream && f->row->stream) {
    st = inf_stream(f, &body);
  } else if (st == HF_OK && f->row->out == HF_PV_OUT_BYTES && !job) {
    st = inf_take_raw(f, &body);
  } else if (st == HF_OK) {
    st = inf_post(f, &body, NULL, NULL, NULL, &resp);
    bool taken = st == HF_OK && inf_take_text(f, &resp);
    if (st == HF_OK && !taken) st = inf_parse(f, resp.body, resp.body_len, f->url, &posted);
    if (st == HF_OK && !taken) st = inf_poll(f, posted, &last);
    if (st == HF_OK && !taken) st = inf_take(f, last);
  }
  free(body.data);
  return st;
}

/* "The following `model_kwargs` are not used by the model: ['a', 'b']": goes once more without them. */
static bool drop_unknown(struct inf *f) {
  const struct hf_error *e = hf_host()->error(f->c);
  const char *at = e && e->http_status == 400 && e->message
                       ? strstr(e->message, "`model_kwargs` are not used by the model: [")
                       : NULL;
  if (!at || f->spec->kind != INF_TEXT || f->ask->stream) return false;
  at = strchr(at, '[') + 1;
  size_t len = strcspn(at, "]");
  char names[512];
  snprintf(names, sizeof names, "%.*s", (int)len, at);
  bool any = false;
  for (char *p = names; *p;) {
    p += strspn(p, "' ,");
    size_t n = strcspn(p, "',");
    if (!n) break;
    any |= json_object_getn(f->args, p, n) != NULL;
    json_object_deln(f->args, p, n);
    p += n;
  }
  if (!any) return false;
  json_object_del(f->args, "details");
  hf_host()->log(f->c, HF_LOG_WARNING, "The server is no TGI and does not know these parameters; they are left out: %s",
                 names);
  hf_host()->clear(f->c);
  return true;
}

static hf_status one(struct inf *f) {
  static const char *const first[] = {"document-question-answering", "visual-question-answering"};
  for (size_t i = 0; i < HF_COUNT(first); i++) /* as the reference does */
    if (!strcmp(f->spec->name, first[i])) TRY(inf_media_load(f));
  TRY(inf_choose(f));
  if (f->ask->stream && !f->row->stream)
    return inf_fail(f, HF_EINVAL, "ValueError", "%s cannot stream %s; drop --stream.", f->provider, f->spec->name);
  TRY(inf_make_url(f));
  hf_status st = send(f);
  if (st != HF_OK && drop_unknown(f)) st = send(f);
  return st;
}

/* Nobody took the call: another provider may be asked. */
static bool may_move_on(const struct inf *f) {
  const struct hf_error *e = hf_host()->error(f->c);
  if (f->delivered || f->accepted || !e || e->code == HF_ECANCELED || e->code == HF_ENOMEM || e->code == HF_EOFFLINE)
    return false;
  return !f->sent || e->http_status >= 400 || hf_hub_error_is(e, "ConnectError");
}

static hf_status run(hf_call *c, hf_out *out, const struct inf_ask *ask, const char *provider,
                     struct inf_answer *answer, bool *again) {
  static const struct inf_task unknown = {.method = "", .kind = INF_EITHER};
  struct inf_task other = unknown;
  struct inf_ask mine = *ask;
  mine.provider = provider;
  mine.args_free = ask->args_free && !(ask->provider && strchr(ask->provider, ','));
  struct inf f = {.c = c, .ask = &mine, .answer = answer, .keep = json_array(), .spec = inf_task_find(ask->task)};
  other.name = ask->task;
  if (!f.spec) f.spec = &other;
  inf_hooks(&f);
  hf_status st = f.keep ? hf_hub_begin(&f.hub, c, out, NULL, NULL, false) : HF_ENOMEM;
  if (st == HF_OK) st = take_args(&f);
  if (st == HF_OK) st = one(&f);
  *again = st != HF_OK && may_move_on(&f);
  json_decref(f.args);
  json_decref(f.late);
  json_decref(f.keep);
  return st;
}

hf_status inf_run(hf_call *c, hf_out *out, const struct inf_ask *ask, struct inf_answer *answer) {
  const char *list = ask->provider && *ask->provider ? ask->provider : NULL;
  for (;;) {
    size_t n = list ? strcspn(list, ",") : 0;
    bool again = false, last = !list || !list[n];
    const char *one_name = list ? hf_host()->intern(c, list, n) : NULL;
    if (list && !one_name) return HF_ENOMEM;
    hf_status st = run(c, out, ask, one_name, answer, &again);
    if (st == HF_OK || last || !again) return st;
    const struct hf_error *e = hf_host()->error(c);
    hf_host()->log(c, HF_LOG_WARNING, "%s failed, the next provider is asked: %.300s", one_name, e ? e->message : "");
    hf_host()->clear(c);
    inf_answer_free(answer);
    list += n + 1;
  }
}
