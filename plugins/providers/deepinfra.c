/* deepinfra.c - DeepInfra: chat, text, vectors and speech in the OpenAI dialect; recordings as a form.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests; the hook reads the times of a transcription. */
#include <hf/provider.h>
#include <stdio.h>

/* Pieces with their times become chunks. */
static hf_status transcription(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  if (!h->text(answer, "text")) return h->fail(h, HF_EPROTO, "DeepInfra: the answer holds no text");
  hf_json *out = h->body(h, "{}");
  if (!out || h->set(h, out, "text", h->get(answer, "text"))) return HF_ENOMEM;
  const hf_json *pieces = h->get(answer, "segments");
  for (size_t i = 0, n = 0; i < h->length(pieces, ""); i++) {
    static const char *const from[] = {"text", "start", "end"}, *const to[] = {"text", "timestamp.0", "timestamp.1"};
    char a[48], b[48];
    snprintf(a, sizeof a, "%zu", i);
    if (h->text(pieces, a) || !h->length(pieces, a)) continue; /* no object */
    for (size_t k = 0; k < 3; k++) {
      snprintf(a, sizeof a, "%zu.%s", i, from[k]);
      snprintf(b, sizeof b, "chunks.%zu.%s", n, to[k]);
      const hf_json *value = h->get(pieces, a);
      if (h->set(h, out, b, value ? value : h->parse(h, "null"))) return HF_EPROTO;
    }
    n++;
  }
  *result = out;
  return HF_OK;
}

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/openai/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/openai/completions",
     .body = "{prompt: $.prompt, ..., max_tokens: $.max_new_tokens, model: $model}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
    {.task = "feature-extraction",
     .route = "/v1/openai/embeddings",
     .body = "{input: $.text, ..., model: $model}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
    {.task = "text-to-speech",
     .route = "/v1/openai/audio/speech",
     .body = "{input: $.text, ..., model: $model}",
     .out = HF_PV_OUT_BYTES},
    {.task = "automatic-speech-recognition",
     .route = "/v1/openai/audio/transcriptions",
     .form = HF_PV_MULTIPART,
     .body = "{file: $.audio, ..., model: $model}",
     .parse = transcription},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "deepinfra", "DeepInfra", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.deepinfra.com",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "deepinfra", "0.1.0", "Apache-2.0", 10);
