/* hf-inference.c - HF Inference, and every endpoint that is given as a URL (TGI, vLLM, llama.cpp ...).
 * A picture or a sound alone goes as it is, with parameters as base64 in JSON.
 * The rows are the requests; a server that was named by its URL has one model and wants some name for it. Hooks speak OpenAI's
 * way to a URL that ends in /completions or /embeddings. */
#include <hf/provider.h>
#include <stdio.h>
#include <string.h>

/* The URL's path ends like that. */
static int ends(const struct hf_pv_host *h, const char *tail) {
  const char *url = h->about(h, "url");
  size_t n = url ? strcspn(url, "?#") : 0, k = strlen(tail);
  return n > k && !strncmp(url + n - k, tail, k);
}

static hf_status move(const struct hf_pv_host *h, hf_json *body, const hf_json *from, const char *const *names) {
  hf_status st = HF_OK;
  for (; st == HF_OK && *names; names++)
    if (h->get(from, *names)) st = h->set(h, body, *names, h->get(from, *names));
  return st;
}

static hf_status openai_body(const struct hf_pv_host *h, hf_json *body, const char *template,
                             const char *const *names) {
  hf_json *made = h->body(h, template);
  if (!made) return HF_EABI;
  hf_status st = h->set(h, body, "inputs", NULL);
  if (st == HF_OK) st = h->set(h, body, "parameters", NULL);
  return st == HF_OK ? move(h, body, made, names) : st;
}

static hf_status completion(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  static const char *const names[] = {"prompt",   "model", "max_tokens",        "temperature",      "top_p",
                                      "seed",     "stop",  "frequency_penalty", "presence_penalty", "best_of",
                                      "logprobs", NULL};
  (void)c;
  if (!ends(h, "/completions") || ends(h, "/chat/completions")) return HF_OK;
  return openai_body(h, body, "{prompt: $.prompt, ..., model: $call_model|'dummy', max_tokens?: $.max_new_tokens}",
                     names);
}

static hf_status text(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  *result = answer;
  if (!h->text(answer, "choices.0.text")) return HF_OK;
  hf_json *made = h->body(h, "{}");
  *result = made;
  return made ? h->set(h, made, "generated_text", h->get(answer, "choices.0.text")) : HF_ENOMEM;
}

static hf_status vectors_wanted(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  static const char *const names[] = {"input", "model", "dimensions", "encoding_format", NULL};
  (void)c;
  if (!ends(h, "/embeddings")) return HF_OK;
  return openai_body(h, body, "{input: $.text, ..., model: $call_model|'dummy'}", names);
}

static hf_status vectors(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  *result = answer;
  if (!h->get(answer, "data.0.embedding")) return HF_OK;
  hf_json *made = h->parse(h, "{\"all\": []}");
  for (size_t i = 0; made && i < h->length(answer, "data"); i++) {
    char from[48], to[48];
    snprintf(from, sizeof from, "data.%zu.embedding", i);
    snprintf(to, sizeof to, "all.%zu", i);
    hf_status st = h->set(h, made, to, h->get(answer, from));
    if (st != HF_OK) return st;
  }
  *result = made ? h->get(made, "all") : NULL;
  return *result ? HF_OK : HF_EPROTO;
}

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/models/{model}/v1/chat/completions",
     .body = "{model: $name|'dummy', messages: $.messages, ..., response_format?: {type: 'json_object',"
             " value: $.response_format.json_schema.schema[response_format.type=json_schema]}}",
     .stream = HF_PV_STREAM_CHAT,
     .flags = HF_PV_TASK_KEEP_NULLS},
    {.task = "text-generation",
     .route = "/models/{model}",
     .body = "{inputs: $.prompt, parameters: {...}}",
     .stream = HF_PV_STREAM_TGI,
     .prepare = completion,
     .parse = text},
    {.task = "fill-mask", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "summarization", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "text-classification", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "token-classification", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "translation", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "zero-shot-classification", .route = "/models/{model}", .body = "{inputs: $.text, parameters: {...}}"},
    {.task = "feature-extraction",
     .route = "/models/{model}/pipeline/feature-extraction",
     .body = "{inputs: $.text, ...}",
     .prepare = vectors_wanted,
     .parse = vectors},
    {.task = "sentence-similarity",
     .route = "/models/{model}/pipeline/sentence-similarity",
     .body = "{inputs: {source_sentence: $.sentence, sentences: $.other_sentences}, parameters: {...}}"},
    {.task = "question-answering",
     .route = "/models/{model}",
     .body = "{inputs: {question: $.question, context: $.context}, parameters: {...}}"},
    {.task = "table-question-answering",
     .route = "/models/{model}",
     .body = "{inputs: {query: $.query, table: $.table}, parameters: {model?: $call_model, ...}}"},
    {.task = "tabular-classification", .route = "/models/{model}", .body = "{table: $.table, parameters: {...}}"},
    {.task = "tabular-regression", .route = "/models/{model}", .body = "{table: $.table, parameters: {...}}"},
    {.task = "audio-classification",
     .route = "/models/{model}",
     .body = "{inputs: $.audio, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "audio-to-audio",
     .route = "/models/{model}",
     .body = "{inputs: $.audio, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "automatic-speech-recognition",
     .route = "/models/{model}",
     .body = "{inputs: $.audio, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "image-classification",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "image-segmentation",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "image-to-text",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "object-detection",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "zero-shot-image-classification",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64},
    {.task = "image-to-image",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}}",
     .form = HF_PV_RAW_OR_JSON,
     .media = HF_PV_MEDIA_BASE64,
     .out = HF_PV_OUT_BYTES},
    {.task = "document-question-answering",
     .route = "/models/{model}",
     .body = "{inputs: {question: $.question, image: $.image}, parameters: {...}}",
     .media = HF_PV_MEDIA_BASE64},
    {.task = "visual-question-answering",
     .route = "/models/{model}",
     .body = "{inputs: $.image, parameters: {...}, question: $.question, image: $.image}",
     .media = HF_PV_MEDIA_BASE64},
    {.task = "text-to-image",
     .route = "/models/{model}",
     .body = "{inputs: $.prompt, parameters: {...}}",
     .out = HF_PV_OUT_BYTES},
    {.task = "text-to-speech",
     .route = "/models/{model}",
     .body = "{inputs: $.text, parameters: {...}}",
     .out = HF_PV_OUT_BYTES},
    {.task = "text-to-audio",
     .route = "/models/{model}",
     .body = "{inputs: $.prompt, parameters: {...}}",
     .out = HF_PV_OUT_BYTES},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "hf-inference", "HF Inference, and endpoints by URL", HF_THREADS_ANY,
                   10, 0),
    .base_url = "https://router.huggingface.co/hf-inference",
    .tasks = HF_TABLE(tasks),
    .flags = HF_PV_KEY_OPTIONAL | HF_PV_HUB_MODELS,
};
HF_PROVIDER(provider, "hf-inference", "0.1.0", "Apache-2.0", 10);
