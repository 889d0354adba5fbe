/* api.c - the functions of hf_inference.h: inputs become arguments, the call runs as one operation, its answer is copied into a
 * result that the caller owns.
 * Without a watch the operation runs on the calling thread. */
#include <hf_inference.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

struct owned {
  struct hf_inf_result r; /* first: the caller's pointer */
  struct hf_error error;
  char *cls, *message, *request_id, *url, *json, *data, *type;
};

void hf_inf_result_free(struct hf_inf_result *r) {
  struct owned *o = (struct owned *)(void *)r;
  if (!o) return;
  char *texts[] = {o->cls, o->message, o->request_id, o->url, o->json, o->data, o->type};
  for (size_t i = 0; i < HF_COUNT(texts); i++) free(texts[i]);
  free(o);
}

/* One call, from its start to its end; freed by the operation. */
struct job {
  struct hf_inf_opts opts;
  char *task;
  json_t *args;
  struct inf_bytes media; /* data is malloc'ed */
  struct owned *out;
  hf_call *c;
  const char *problem; /* found before it began */
};

static void job_free(struct job *j) {
  free(j->task);
  json_decref(j->args);
  free((void *)(uintptr_t)j->media.data);
  free(j);
}

static hf_status on_item(hf_call *c, void *arg, json_t *item) {
  struct job *j = arg;
  size_t len;
  char *text = hf_json_write(item, &len);
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory.");
  bool stop = j->opts.item(j->opts.arg, text, len) != 0;
  free(text);
  return stop ? hf_hub_fail(c, HF_ECANCELED, NULL, "The receiver of the stream ended it.") : HF_OK;
}

static hf_status on_media(hf_call *c, void *arg, const void *data, size_t len) {
  struct job *j = arg;
  return j->opts.media(j->opts.arg, data, len)
             ? hf_hub_fail(c, HF_ECANCELED, NULL, "The receiver of the media ended it.")
             : HF_OK;
}

static hf_status give(struct job *j, struct inf_answer *a) {
  struct owned *o = j->out;
  if (a->json) {
    o->json = hf_json_write(a->json, &o->r.json_len);
    if (!o->json) return HF_ENOMEM;
    o->r.json = o->json;
  } else if (a->text) {
    o->r.json = o->json = a->text;
    o->r.json_len = a->text_len;
    a->text = NULL;
  }
  o->data = a->data;
  a->data = NULL;
  o->r.data = o->data;
  o->r.len = a->len;
  o->r.content_type = o->type = a->type ? strdup(a->type) : NULL;
  return HF_OK;
}

static void give_error(struct owned *o, const struct hf_error *e) {
  if (!e) return;
  o->error = (struct hf_error){.struct_size = sizeof o->error,
                               .code = e->code,
                               .sys_errno = e->sys_errno,
                               .http_status = e->http_status,
                               .retryable = e->retryable,
                               .retry_after_ms = e->retry_after_ms};
  o->error.cls = o->cls = e->cls ? strdup(e->cls) : NULL;
  o->error.message = o->message = strdup(e->message ? e->message : "");
  o->error.request_id = o->request_id = e->request_id ? strdup(e->request_id) : NULL;
  o->error.url = o->url = e->url ? strdup(e->url) : NULL;
  if (!o->message) o->error.message = "Out of memory.";
  o->r.error = &o->error;
}

static hf_status run(hf_call *c, void *arg) {
  struct job *j = arg;
  struct inf_answer answer = {0};
  const struct hf_inf_opts *o = &j->opts;
  struct inf_ask ask = {.task = j->task,
                        .provider = o->provider,
                        .model = o->model,
                        .base_url = o->base_url,
                        .api_key = o->api_key,
                        .bill_to = o->bill_to,
                        .headers = o->headers,
                        .args = j->args,
                        .args_free = true,
                        .as_text = true,
                        .media = &j->media,
                        .media_count = j->media.name != NULL,
                        .timeout_ms = o->timeout_ms,
                        .first_ms = o->first_ms,
                        .silence_ms = o->silence_ms,
                        .stream = o->item != NULL,
                        .arg = j,
                        .item = on_item,
                        .media_out = o->media ? on_media : NULL};
  hf_status st =
      j->problem ? hf_hub_fail(c, HF_EINVAL, "ValueError", "%s", j->problem) : inf_run(c, NULL, &ask, &answer);
  if (st == HF_OK) st = give(j, &answer);
  inf_answer_free(&answer);
  if (st != HF_OK) give_error(j->out, hf_host()->error(c));
  job_free(j);
  return st;
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------------- */

struct input {
  const char *name;
  enum { TEXT, JSON, MEDIA } kind;
  const void *value;
};

static json_t *object(struct job *j, const char *text, const char *problem) {
  json_t *o = text && *text ? hf_json_read(text, strlen(text), NULL) : json_object();
  if (!json_is_object(o)) j->problem = problem;
  return o;
}

static void take_read(struct job *j, const char *name, const struct hf_inf_media *m) {
  char *data = NULL;
  size_t len = 0, cap = 0;
  int64_t got = 1;
  while (got > 0) {
    if (len == cap) {
      cap = cap ? cap * 2 : 65536;
      char *more = cap <= INF_INPUT_MAX ? realloc(data, cap) : NULL;
      if (!more) break;
      data = more;
    }
    got = m->read(m->read_arg, data + len, cap - len);
    if (got > 0) len += (size_t)got < cap - len ? (size_t)got : cap - len;
  }
  if (got) j->problem = "The input cannot be read, or is larger than 256 MiB.";
  j->media = (struct inf_bytes){name, data, len, m->type};
}

static void take_media(struct job *j, const char *name, const struct hf_inf_media *m) {
  if (!m) return;
  if (m->path) {
    json_object_set_new(j->args, name, json_sprintf("@%s", m->path));
  } else if (m->url) {
    json_object_set_new(j->args, name, json_string(m->url));
  } else if (m->read) {
    take_read(j, name, m);
  } else {
    char *copy = malloc(m->len + 1);
    if (copy && m->len) memcpy(copy, m->data, m->len);
    if (!copy) j->problem = "Out of memory for the input.";
    j->media = (struct inf_bytes){name, copy, m->len, m->type};
  }
}

static json_t *json(const char *text) {
  return hf_json_read(text, strlen(text), NULL);
}

static void take_inputs(struct job *j, const struct input *in, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    json_t *v = NULL;
    if (!in[i].value) continue;
    if (in[i].kind == MEDIA) {
      take_media(j, in[i].name, in[i].value);
      continue;
    }
    v = in[i].kind == TEXT ? json_string(in[i].value) : json(in[i].value);
    if (!v) j->problem = in[i].kind == TEXT ? "A text is not UTF-8." : "An input that must be JSON is not.";
    json_object_set_new(j->args, in[i].name, v);
  }
}

static hf_op *start(hf_runtime *rt, const char *task, const char *args, const struct input *in, uint32_t n,
                    const struct hf_inf_opts *o, bool wait, struct hf_inf_result **out) {
  struct job *j = calloc(1, sizeof *j);
  *out = NULL;
  if (!j) return NULL;
  if (o) memcpy(&j->opts, o, o->struct_size < sizeof j->opts ? o->struct_size : sizeof j->opts);
  j->out = calloc(1, sizeof *j->out);
  j->task = strdup(task);
  j->args = object(j, args, "The arguments are no JSON object.");
  if (!j->out || !j->task) {
    free(j->out);
    job_free(j);
    return NULL;
  }
  j->out->r.struct_size = sizeof j->out->r;
  *out = &j->out->r;
  if (j->opts.args && *j->opts.args) {
    json_t *more = object(j, j->opts.args, "The parameters are no JSON object.");
    if (json_is_object(j->args)) json_object_update_missing(j->args, more);
    json_decref(more);
  }
  if (j->opts.extra_body)
    json_object_set_new(j->args, "extra_body", object(j, j->opts.extra_body, "extra_body is no JSON object."));
  take_inputs(j, in, n);
  struct hf_watch watch = {.struct_size = sizeof watch};
  if (j->opts.watch) {
    const struct hf_watch *w = j->opts.watch;
    memcpy(&watch, w, w->struct_size < sizeof watch ? w->struct_size : sizeof watch);
    watch.struct_size = sizeof watch;
  }
  if (j->opts.deadline_ms && (!watch.deadline_ms || j->opts.deadline_ms < watch.deadline_ms))
    watch.deadline_ms = j->opts.deadline_ms;
  if (!j->opts.watch && wait) watch.flags = HF_WATCH_RUN_IN_WAIT;
  if (!wait) watch.flags |= HF_WATCH_LIGHT;
  return hf_op_start_fn(rt, run, j, &watch);
}

static hf_status finish(hf_op *op, struct hf_inf_result **out) {
  if (!op) {
    hf_inf_result_free(*out);
    *out = NULL;
    return HF_ENOMEM;
  }
  hf_status st = hf_op_wait(op);
  if (st != HF_OK && !(*out)->error) give_error((struct owned *)(void *)*out, hf_op_error(op));
  hf_op_free(op);
  return st;
}

static hf_status blocking(hf_runtime *rt, const char *task, const struct input *in, uint32_t n,
                          const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return finish(start(rt, task, NULL, in, n, o, true, out), out);
}

hf_status hf_inference(hf_runtime *rt, const char *task, const char *args, const struct hf_inf_opts *o,
                       struct hf_inf_result **out) {
  return finish(start(rt, task, args, NULL, 0, o, true, out), out);
}

hf_op *hf_inference_start(hf_runtime *rt, const char *task, const char *args, const struct hf_inf_opts *o,
                          struct hf_inf_result **out) {
  return start(rt, task, args, NULL, 0, o, false, out);
}

hf_op *hf_inference_start_media(hf_runtime *rt, const char *task, const char *args, const struct hf_inf_media *media,
                                const struct hf_inf_opts *o, struct hf_inf_result **out) {
  const struct inf_task *spec = inf_task_find(task);
  struct input in = {spec ? spec->media : NULL, MEDIA, media};
  return start(rt, task, args, &in, in.name ? 1 : 0, o, false, out);
}

/* ---- a function per task ------------------------------------------------------------------------------------------------------ */

hf_status hf_chat_completion(hf_runtime *rt, const char *messages_json, const struct hf_inf_opts *o,
                             struct hf_inf_result **out) {
  return blocking(rt, "conversational", (struct input[]){{"messages", JSON, messages_json}}, 1, o, out);
}
hf_status hf_text_generation(hf_runtime *rt, const char *prompt, const struct hf_inf_opts *o,
                             struct hf_inf_result **out) {
  return blocking(rt, "text-generation", (struct input[]){{"prompt", TEXT, prompt}}, 1, o, out);
}
hf_status hf_feature_extraction(hf_runtime *rt, const char *text, const struct hf_inf_opts *o,
                                struct hf_inf_result **out) {
  return blocking(rt, "feature-extraction", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_fill_mask(hf_runtime *rt, const char *text, const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "fill-mask", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_summarization(hf_runtime *rt, const char *text, const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "summarization", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_text_classification(hf_runtime *rt, const char *text, const struct hf_inf_opts *o,
                                 struct hf_inf_result **out) {
  return blocking(rt, "text-classification", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_token_classification(hf_runtime *rt, const char *text, const struct hf_inf_opts *o,
                                  struct hf_inf_result **out) {
  return blocking(rt, "token-classification", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_translation(hf_runtime *rt, const char *text, const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "translation", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
hf_status hf_zero_shot_classification(hf_runtime *rt, const char *text, const char *candidate_labels_json,
                                      const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "zero-shot-classification",
                  (struct input[]){{"text", TEXT, text}, {"candidate_labels", JSON, candidate_labels_json}}, 2, o, out);
}
hf_status hf_question_answering(hf_runtime *rt, const char *question, const char *context, const struct hf_inf_opts *o,
                                struct hf_inf_result **out) {
  return blocking(rt, "question-answering", (struct input[]){{"question", TEXT, question}, {"context", TEXT, context}},
                  2, o, out);
}
hf_status hf_sentence_similarity(hf_runtime *rt, const char *sentence, const char *other_sentences_json,
                                 const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "sentence-similarity",
                  (struct input[]){{"sentence", TEXT, sentence}, {"other_sentences", JSON, other_sentences_json}}, 2, o,
                  out);
}
hf_status hf_table_question_answering(hf_runtime *rt, const char *table_json, const char *query,
                                      const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "table-question-answering", (struct input[]){{"table", JSON, table_json}, {"query", TEXT, query}},
                  2, o, out);
}
hf_status hf_tabular_classification(hf_runtime *rt, const char *table_json, const struct hf_inf_opts *o,
                                    struct hf_inf_result **out) {
  return blocking(rt, "tabular-classification", (struct input[]){{"table", JSON, table_json}}, 1, o, out);
}
hf_status hf_tabular_regression(hf_runtime *rt, const char *table_json, const struct hf_inf_opts *o,
                                struct hf_inf_result **out) {
  return blocking(rt, "tabular-regression", (struct input[]){{"table", JSON, table_json}}, 1, o, out);
}
hf_status hf_audio_classification(hf_runtime *rt, const struct hf_inf_media *audio, const struct hf_inf_opts *o,
                                  struct hf_inf_result **out) {
  return blocking(rt, "audio-classification", (struct input[]){{"audio", MEDIA, audio}}, 1, o, out);
}
hf_status hf_audio_to_audio(hf_runtime *rt, const struct hf_inf_media *audio, const struct hf_inf_opts *o,
                            struct hf_inf_result **out) {
  return blocking(rt, "audio-to-audio", (struct input[]){{"audio", MEDIA, audio}}, 1, o, out);
}
hf_status hf_automatic_speech_recognition(hf_runtime *rt, const struct hf_inf_media *audio, const struct hf_inf_opts *o,
                                          struct hf_inf_result **out) {
  return blocking(rt, "automatic-speech-recognition", (struct input[]){{"audio", MEDIA, audio}}, 1, o, out);
}
hf_status hf_image_classification(hf_runtime *rt, const struct hf_inf_media *image, const struct hf_inf_opts *o,
                                  struct hf_inf_result **out) {
  return blocking(rt, "image-classification", (struct input[]){{"image", MEDIA, image}}, 1, o, out);
}
hf_status hf_image_segmentation(hf_runtime *rt, const struct hf_inf_media *image, const struct hf_inf_opts *o,
                                struct hf_inf_result **out) {
  return blocking(rt, "image-segmentation", (struct input[]){{"image", MEDIA, image}}, 1, o, out);
}
hf_status hf_image_to_text(hf_runtime *rt, const struct hf_inf_media *image, const struct hf_inf_opts *o,
                           struct hf_inf_result **out) {
  return blocking(rt, "image-to-text", (struct input[]){{"image", MEDIA, image}}, 1, o, out);
}
hf_status hf_object_detection(hf_runtime *rt, const struct hf_inf_media *image, const struct hf_inf_opts *o,
                              struct hf_inf_result **out) {
  return blocking(rt, "object-detection", (struct input[]){{"image", MEDIA, image}}, 1, o, out);
}
hf_status hf_zero_shot_image_classification(hf_runtime *rt, const struct hf_inf_media *image,
                                            const char *candidate_labels_json, const struct hf_inf_opts *o,
                                            struct hf_inf_result **out) {
  return blocking(rt, "zero-shot-image-classification",
                  (struct input[]){{"image", MEDIA, image}, {"candidate_labels", JSON, candidate_labels_json}}, 2, o,
                  out);
}
hf_status hf_document_question_answering(hf_runtime *rt, const struct hf_inf_media *image, const char *question,
                                         const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "document-question-answering",
                  (struct input[]){{"image", MEDIA, image}, {"question", TEXT, question}}, 2, o, out);
}
hf_status hf_visual_question_answering(hf_runtime *rt, const struct hf_inf_media *image, const char *question,
                                       const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "visual-question-answering",
                  (struct input[]){{"image", MEDIA, image}, {"question", TEXT, question}}, 2, o, out);
}
hf_status hf_image_to_image(hf_runtime *rt, const struct hf_inf_media *image, const char *prompt,
                            const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "image-to-image", (struct input[]){{"image", MEDIA, image}, {"prompt", TEXT, prompt}}, 2, o, out);
}
hf_status hf_image_to_video(hf_runtime *rt, const struct hf_inf_media *image, const char *prompt,
                            const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "image-to-video", (struct input[]){{"image", MEDIA, image}, {"prompt", TEXT, prompt}}, 2, o, out);
}
hf_status hf_text_to_image(hf_runtime *rt, const char *prompt, const struct hf_inf_opts *o,
                           struct hf_inf_result **out) {
  return blocking(rt, "text-to-image", (struct input[]){{"prompt", TEXT, prompt}}, 1, o, out);
}
hf_status hf_text_to_video(hf_runtime *rt, const char *prompt, const struct hf_inf_opts *o,
                           struct hf_inf_result **out) {
  return blocking(rt, "text-to-video", (struct input[]){{"prompt", TEXT, prompt}}, 1, o, out);
}
hf_status hf_text_to_speech(hf_runtime *rt, const char *text, const struct hf_inf_opts *o, struct hf_inf_result **out) {
  return blocking(rt, "text-to-speech", (struct input[]){{"text", TEXT, text}}, 1, o, out);
}
