/* model.c - POST to a path that ends like an inference interface, below any provider's name: which model answers.
 * With HF_INFERENCE_ENDPOINT set to this server every provider that the router carries leads here: /v1/chat/completions,
 * /groq/openai/v1/chat/completions, /hf-inference/models/{id} ... Also the lists of models and vectors. */
#include "model.h"
#include "body.h"
#include "content.h"
#include "digest.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void dh_model_error(struct request *r, int status, const char *code, const char *format, ...) {
  char message[512];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const char *type = status == 401   ? "authentication_error"
                     : status == 429 ? "rate_limit_error"
                     : status >= 500 ? "server_error"
                                     : "invalid_request_error";
  dh_reply_json(
      r, status,
      json_pack("{s:{s:s, s:s, s:n, s:s?}}", "error", "message", message, "type", type, "param", "code", code));
}

char *dh_model_text(const json_t *content) {
  struct text t = {0};
  json_t *part;
  size_t i;
  if (json_is_string(content)) dh_text_add(&t, json_string_value(content), json_string_length(content));
  json_array_foreach(content, i, part) {
    const char *text = json_string_value(json_object_get(part, "text")),
               *type = json_string_value(json_object_get(part, "type"));
    if (t.size) dh_text_str(&t, " ");
    if (text) dh_text_str(&t, text);
    if (!text && type) dh_text_addf(&t, "[%.32s]", type);
  }
  return dh_text_take(&t);
}

/* ---- vectors ------------------------------------------------------------------------------------------------------------ */

void dh_model_vector(const char *text, size_t size, float *out) {
  char hex[65] = "";
  double sum = 0;
  dh_sha256(text, strlen(text), hex);
  uint64_t seed = strtoull(hex + 48, NULL, 16);
  for (size_t i = 0; i < size; i++) {
    uint16_t word;
    dh_content_fill(seed, i * sizeof word, &word, sizeof word);
    out[i] = (float)word / 32768.0f - 1.0f;
    sum += (double)out[i] * out[i];
  }
  for (size_t i = 0; sum > 0 && i < size; i++) out[i] = (float)(out[i] / sqrt(sum));
}

json_t *dh_model_vector_json(const char *text, size_t size) {
  float values[VECTOR_MAX];
  json_t *list = json_array();
  dh_model_vector(text, size, values);
  for (size_t i = 0; i < size; i++) json_array_append_new(list, json_real(values[i]));
  return list;
}

static json_t *vector(const char *text, size_t size, bool base64) {
  float values[VECTOR_MAX];
  struct text t = {0};
  if (!base64) return dh_model_vector_json(text, size);
  dh_model_vector(text, size, values);
  dh_text_base64(&t, values, size * sizeof *values);
  char *data = dh_text_take(&t);
  json_t *json = json_string(data ? data : "");
  free(data);
  return json;
}

static size_t words(const char *s) {
  size_t n = 0;
  while (*(s += strspn(s, " \t\r\n"))) s += strcspn(s, " \t\r\n"), n++;
  return n;
}

static void embeddings(struct request *r, const json_t *body) {
  const json_t *input = json_object_get(body, "input"), *dimensions = json_object_get(body, "dimensions");
  size_t size = json_is_integer(dimensions) ? (size_t)json_integer_value(dimensions) : VECTOR_SIZE, tokens = 0,
         count = json_is_array(input) ? json_array_size(input) : 1;
  bool base64 = strcmp(dh_json_text(body, "encoding_format", "float"), "base64") == 0;
  if (!json_is_string(input) && (!json_is_array(input) || !count)) {
    dh_model_error(r, 400, NULL, "'input' must be a text, or a list of texts that is not empty.");
    return;
  }
  if (!size || size > VECTOR_MAX) {
    dh_model_error(r, 400, NULL, "'dimensions' must be from 1 to %d.", VECTOR_MAX);
    return;
  }
  json_t *data = json_array();
  for (size_t i = 0; i < count; i++) {
    const char *text = json_string_value(json_is_array(input) ? json_array_get(input, i) : input);
    if (!text) {
      json_decref(data);
      dh_model_error(r, 400, NULL, "'input' must hold texts only.");
      return;
    }
    tokens += words(text);
    json_array_append_new(data, json_pack("{s:s, s:i, s:o}", "object", "embedding", "index", (int)i, "embedding",
                                          vector(text, size, base64)));
  }
  dh_reply_json(r, 200,
                json_pack("{s:s, s:o, s:s, s:{s:I, s:I}}", "object", "list", "data", data, "model",
                          dh_json_text(body, "model", "devhub"), "usage", "prompt_tokens", (json_int_t)tokens,
                          "total_tokens", (json_int_t)tokens));
}

/* ---- pictures and speech --------------------------------------------------------------------------------------------------- */

static unsigned side(const json_t *body, const char *name, const char *size) {
  json_int_t n = json_integer_value(json_object_get(body, name));
  if (!n && size) n = strtol(size, NULL, 10);
  return n < 1 ? PICTURE_SIZE : n > PICTURE_MAX ? PICTURE_MAX : (unsigned)n;
}

static void images(struct request *r, const json_t *body) {
  const char *prompt = dh_json_text(body, "prompt", NULL), *size = dh_json_text(body, "size", NULL),
             *format = dh_json_text(body, "response_format", "b64_json");
  const char *x = size ? strchr(size, 'x') : NULL;
  if (!prompt) {
    dh_model_error(r, 400, NULL, "'prompt' is missing.");
    return;
  }
  struct text t = {0}, file = {0};
  bool url = strcmp(format, "url") == 0;
  dh_model_picture(&file, prompt, side(body, "width", size), side(body, "height", x ? x + 1 : NULL));
  if (url) dh_model_media_url(r, &t, "png", prompt);
  if (!url && !file.failed) dh_text_base64(&t, file.data, file.size);
  t.failed |= file.failed;
  dh_text_free(&file);
  char *value = dh_text_take(&t);
  json_t *image = value ? json_pack("{s:s}", url ? "url" : "b64_json", value) : NULL;
  free(value);
  if (!image) {
    dh_model_error(r, 500, NULL, "Out of memory.");
    return;
  }
  json_t *list = json_pack("[o]", image);
  dh_reply_json(r, 200, json_pack("{s:I, s:O, s:o}", "created", (json_int_t)dh_now(), "data", list, "images", list));
}

static void speech(struct request *r, const json_t *body) {
  struct text t = {0};
  dh_model_sound(&t, dh_json_text(body, "input", ""));
  dh_reply_text(r, 200, "audio/wav", &t);
}

/* ---- which of them ------------------------------------------------------------------------------------------------------------ */

static const struct {
  const char *tail;
  void (*answer)(struct request *r, const json_t *body);
} kinds[] = {{"/chat/completions", dh_model_chat},
             {"/completions", dh_model_completion},
             {"/embeddings", embeddings},
             {"/images/generations", images},
             {"/audio/speech", speech},
             {"/videos", dh_model_job_start}};

static bool pays(struct request *r) {
  if (r->token || r->server->access.count == 0) return true;
  dh_model_error(r, 401, "invalid_api_key", "No key was given, or one that this server does not know.");
  return false;
}

static void no_page(struct request *r) {
  dh_reply_error(r, 404, NULL, "Sorry, we can't find the page you are looking for.");
}

void dh_model_post(struct request *r) {
  char path[PATH_ROOM + 260];
  size_t n = (size_t)snprintf(path, sizeof path, "/%s/%s", r->name, r->file), k = 0,
         rows = sizeof kinds / sizeof *kinds;
  while (n > 1 && n < sizeof path && path[n - 1] == '/') path[--n] = 0;
  for (; k < rows; k++) {
    size_t tail = strlen(kinds[k].tail);
    if (n > tail && strcmp(path + n - tail, kinds[k].tail) == 0) break;
  }
  const char *models = strncmp(path, "/hf-inference/models/", 21) == 0 ? path + 21 : NULL;
  bool job = strncmp(path, "/fal-ai/", 8) == 0 || strncmp(path, "/wavespeed/", 11) == 0;
  if (k == rows && !models && !job) {
    no_page(r);
    return;
  }
  if (!pays(r)) return;
  if (k == rows && models) {
    dh_model_task(r, models);
    return;
  }
  json_error_t e;
  json_t *body = json_loadb(r->body.data ? r->body.data : "", r->body.size, 0, &e);
  if (!json_is_object(body))
    dh_model_error(r, 400, NULL, "The body must be a JSON object: %s", body ? "it is another value" : e.text);
  else if (k < rows)
    kinds[k].answer(r, body);
  else
    dh_model_job_start(r, body);
  json_decref(body);
}

/* ---- lists ---------------------------------------------------------------------------------------------------------------------- */

static json_t *model_row(const char *id, int64_t created) {
  const char *slash = strchr(id, '/');
  return json_pack("{s:s, s:s, s:I, s:o, s:[{s:s, s:s}]}", "id", id, "object", "model", "created", (json_int_t)created,
                   "owned_by", slash ? json_stringn(id, (size_t)(slash - id)) : json_string("devhub"), "providers",
                   "provider", "hf-inference", "status", "live");
}

struct listing {
  const struct request *request;
  json_t *rows;
};

static bool model_add(void *arg, const struct repo_row *row) {
  struct listing *l = arg;
  if (row->repo.private && !dh_access_sees(l->request->token, &row->repo)) return true;
  return json_array_append_new(l->rows, model_row(row->repo.name, row->repo.created)) == 0;
}

void dh_model_list(struct request *r) {
  struct listing l = {r, json_array()};
  struct repo_query q = {.type = REPO_MODEL, .gated = -1};
  if (dh_store_repos(r->server->store, &q, model_add, &l) != STORE_OK) {
    json_decref(l.rows);
    dh_model_error(r, 500, NULL, "The list could not be read.");
    return;
  }
  dh_reply_json(r, 200, json_pack("{s:s, s:o}", "object", "list", "data", l.rows));
}

void dh_model_one(struct request *r) {
  struct repo repo;
  int rc = dh_store_repo(r->server->store, REPO_MODEL, r->file, &repo);
  if (rc == STORE_OK && !(repo.private && !dh_access_sees(r->token, &repo)))
    dh_reply_json(r, 200, model_row(repo.name, repo.created));
  else
    dh_model_error(r, 404, "model_not_found", "The model '%.200s' is not here.", r->file);
}

void dh_model_health(struct request *r) {
  struct text t = {0};
  dh_text_str(&t, "OK");
  dh_reply_text(r, 200, "text/plain", &t);
}

void dh_model_about(struct request *r) {
  const char *id = r->repo_name[0] ? r->repo_name : "devhub";
  dh_reply_json(r, 200,
                json_pack("{s:s, s:s, s:i, s:i, s:s}", "model_id", id, "model_pipeline_tag", "text-generation",
                          "max_input_tokens", 8191, "max_total_tokens", 8192, "router", "hf-devhub"));
}

/* The first model of each task, as what the task's page would recommend. */
static bool task_add(void *arg, const struct repo_row *row) {
  json_t *meta = json_loads(row->head.meta, 0, NULL);
  const char *task = json_string_value(json_object_get(meta, "pipeline_tag"));
  if (task && !row->repo.private && !json_object_get(arg, task))
    json_object_set_new(arg, task,
                        json_pack("{s:s, s:[{s:s}], s:[s]}", "id", task, "models", "id", row->repo.name, "widgetModels",
                                  row->repo.name));
  json_decref(meta);
  return true;
}

void dh_model_tasks(struct request *r) {
  struct repo_query q = {.type = REPO_MODEL, .gated = -1};
  json_t *all = json_object();
  if (dh_store_repos(r->server->store, &q, task_add, all) == STORE_OK) {
    dh_reply_json(r, 200, all);
  } else {
    json_decref(all);
    dh_reply_failed(r, STORE_FAILED);
  }
}
