/* model_task.c - the other tasks, as HF Inference serves them: POST /hf-inference/models/{id}, or .../pipeline/{task}.
 * The task is the one of the repo's card. Text comes back, media is made, labels are fixed.
 * What a task answers with is a row. */
#include "body.h"
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_OUT, VECTORS, SIMILARITY, PICTURE, SOUND, FIXED };
static const struct task {
  const char *name;
  int kind;
  const char *fixed; /* JSON; of TEXT_OUT the member that holds the text */
} tasks[] = {
    {"text-generation", TEXT_OUT, "generated_text"},
    {"image-text-to-text", TEXT_OUT, "generated_text"},
    {"summarization", TEXT_OUT, "summary_text"},
    {"translation", TEXT_OUT, "translation_text"},
    {"feature-extraction", VECTORS, NULL},
    {"sentence-similarity", SIMILARITY, NULL},
    {"text-to-image", PICTURE, NULL},
    {"image-to-image", PICTURE, NULL},
    {"text-to-speech", SOUND, NULL},
    {"text-to-audio", SOUND, NULL},
    {"fill-mask", FIXED, "[{\"score\":0.9,\"token\":3,\"token_str\":\"w3\",\"sequence\":\"w3\"}]"},
    {"text-classification", FIXED, "[[{\"label\":\"POSITIVE\",\"score\":0.9},{\"label\":\"NEGATIVE\",\"score\":0.1}]]"},
    {"token-classification", FIXED,
     "[{\"entity_group\":\"MISC\",\"score\":0.9,\"word\":\"w3\",\"start\":0,\"end\":2}]"},
    {"zero-shot-classification", FIXED, "[{\"label\":\"first\",\"score\":0.9},{\"label\":\"second\",\"score\":0.1}]"},
    {"question-answering", FIXED, "{\"answer\":\"w3\",\"score\":0.9,\"start\":0,\"end\":2}"},
    {"table-question-answering", FIXED,
     "{\"answer\":\"w3\",\"coordinates\":[[0,0]],\"cells\":[\"w3\"],\"aggregator\":\"NONE\"}"},
    {"tabular-classification", FIXED, "[\"0\"]"},
    {"tabular-regression", FIXED, "[0.5]"},
    {"document-question-answering", FIXED, "[{\"answer\":\"w3\",\"score\":0.9,\"start\":0,\"end\":0}]"},
    {"visual-question-answering", FIXED, "[{\"answer\":\"w3\",\"score\":0.9}]"},
    {"automatic-speech-recognition", FIXED, "{\"text\":\"what was said\"}"},
    {"audio-classification", FIXED, "[{\"label\":\"noise\",\"score\":0.9}]"},
    {"audio-to-audio", FIXED, "[{\"label\":\"voice\",\"blob\":\"UklGRg==\",\"content-type\":\"audio/wav\"}]"},
    {"image-classification", FIXED, "[{\"label\":\"gradient\",\"score\":0.9}]"},
    {"zero-shot-image-classification", FIXED, "[{\"label\":\"first\",\"score\":0.9}]"},
    {"image-segmentation", FIXED, "[{\"label\":\"all\",\"score\":0.9,\"mask\":\"iVBORw0KGgo=\"}]"},
    {"image-to-text", FIXED, "[{\"generated_text\":\"a gradient\"}]"},
    {"object-detection", FIXED,
     "[{\"label\":\"gradient\",\"score\":0.9,\"box\":{\"xmin\":0,\"ymin\":0,\"xmax\":9,\"ymax\":9}}]"},
};

/* The task of a repo's card; "" when there is none. */
static int repo_task(struct request *r, const char *id, char task[64]) {
  struct repo repo;
  struct commit commit;
  task[0] = 0;
  int rc = dh_store_repo(r->server->store, REPO_MODEL, id, &repo);
  if (rc == STORE_OK && repo.private && !dh_access_sees(r->token, &repo)) rc = STORE_NONE;
  if (rc == STORE_OK) rc = dh_store_revision(r->server->store, repo.id, "main", &commit);
  if (rc == STORE_OK) rc = dh_store_meta(r->server->store, &commit);
  if (rc != STORE_OK) return rc;
  json_t *meta = json_loads(commit.meta, 0, NULL);
  const char *tag = json_string_value(json_object_get(meta, "pipeline_tag"));
  snprintf(task, 64, "%s", tag ? tag : "");
  json_decref(meta);
  dh_commit_free(&commit);
  return STORE_OK;
}

static void tokens(struct request *r, const char *text) {
  struct text t = {0};
  int n = 0;
  for (const char *at = text; *at; n++) {
    size_t blanks = strspn(at, " "), size = blanks + strcspn(at + blanks, " ");
    bool last = !at[size];
    json_t *piece = json_stringn(at, size);
    json_t *item = json_pack("{s:i, s:{s:i, s:o, s:f, s:b}, s:s?, s:n}", "index", n + 1, "token", "id", n, "text",
                             piece, "logprob", -0.5, "special", 0, "generated_text", last ? text : NULL, "details");
    char *line = item ? json_dumps(item, JSON_COMPACT) : NULL;
    if (line) dh_text_addf(&t, "data:%s\n\n", line);
    free(line);
    json_decref(item);
    at += size;
  }
  dh_reply_text(r, 200, "text/event-stream", &t);
  r->reply.body.events = r->reply.body.kind == BODY_TEXT;
}

static json_t *vectors(const json_t *inputs) {
  json_t *list, *v;
  size_t i;
  if (!json_is_array(inputs))
    return dh_model_vector_json(json_string_value(inputs) ? json_string_value(inputs) : "", VECTOR_SIZE);
  list = json_array();
  json_array_foreach(inputs, i, v)
      json_array_append_new(list, dh_model_vector_json(json_string_value(v) ? json_string_value(v) : "", VECTOR_SIZE));
  return list;
}

static json_t *similarities(const json_t *inputs) {
  const char *source = dh_json_text(inputs, "source_sentence", "");
  float a[VECTOR_SIZE], b[VECTOR_SIZE];
  json_t *list = json_array(), *v;
  size_t i;
  dh_model_vector(source, VECTOR_SIZE, a);
  json_array_foreach(json_object_get(inputs, "sentences"), i, v) {
    double sum = 0;
    dh_model_vector(json_string_value(v) ? json_string_value(v) : "", VECTOR_SIZE, b);
    for (size_t k = 0; k < VECTOR_SIZE; k++) sum += (double)a[k] * b[k];
    json_array_append_new(list, json_real(sum));
  }
  return list;
}

static void answer(struct request *r, const struct task *t, const json_t *body) {
  const json_t *inputs = json_object_get(body, "inputs");
  const char *text = json_string_value(inputs) ? json_string_value(inputs) : "";
  struct text out = {0};
  switch (t->kind) {
    case TEXT_OUT:
      if (json_is_true(json_object_get(body, "stream")))
        tokens(r, text);
      else
        dh_reply_json(r, 200, json_pack("[{s:s}]", t->fixed, text));
      break;
    case VECTORS: dh_reply_json(r, 200, vectors(inputs)); break;
    case SIMILARITY: dh_reply_json(r, 200, similarities(inputs)); break;
    case PICTURE:
      dh_model_picture(&out, text, PICTURE_SIZE, PICTURE_SIZE);
      dh_reply_text(r, 200, "image/png", &out);
      break;
    case SOUND:
      dh_model_sound(&out, text);
      dh_reply_text(r, 200, "audio/wav", &out);
      break;
    default: dh_reply_json(r, 200, json_loads(t->fixed, 0, NULL));
  }
}

void dh_model_task(struct request *r, const char *path) {
  char id[NAME_ROOM], task[64];
  const char *pipeline = strstr(path, "/pipeline/");
  size_t size = pipeline ? (size_t)(pipeline - path) : strlen(path), k = 0;
  snprintf(id, sizeof id, "%.*s", (int)(size < sizeof id ? size : sizeof id - 1), path);
  int rc = repo_task(r, id, task);
  if (rc != STORE_OK) {
    dh_reply_error(r, rc == STORE_FAILED ? 500 : 404, NULL, "The model %s is not here.", id);
    return;
  }
  if (pipeline) snprintf(task, sizeof task, "%s", pipeline + 10);
  while (k < sizeof tasks / sizeof *tasks && strcmp(tasks[k].name, task) != 0) k++;
  if (k == sizeof tasks / sizeof *tasks) {
    dh_reply_error(r, 400, NULL, "The model %s has no task that is served here: '%s'.", id, task);
    return;
  }
  json_t *body = json_loadb(r->body.data ? r->body.data : "", r->body.size, 0, NULL);
  answer(r, &tasks[k], body);
  json_decref(body);
}
