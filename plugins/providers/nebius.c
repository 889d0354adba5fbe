/* nebius.c - Nebius AI Studio: chat, text, vectors and pictures in the OpenAI dialect.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests, a schema is repeated where it is looked for; a hook keeps to pictures that can be read. */
#include <hf/provider.h>
#include <string.h>

static hf_status picture_form(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)c;
  const char *form = h->text((const hf_json *)body, "response_format");
  if (form && (!strcmp(form, "b64_json") || !strcmp(form, "url"))) return HF_OK;
  return h->set(h, body, "response_format", h->string(h, "b64_json"));
}

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, response_format?: $.response_format, ..., guided_json?: "
             "$.response_format.json_schema.schema[response_format.type=json_schema]}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/completions",
     .body = "{prompt: $.prompt, ..., model: $model}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
    {.task = "feature-extraction",
     .route = "/v1/embeddings",
     .body = "{input: $.text, model: $model}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
    {.task = "text-to-image",
     .route = "/v1/images/generations",
     .body = "{prompt: $.prompt, -guidance_scale, ..., model: $model}",
     .out = HF_PV_OUT_B64,
     .out_path = "data.0.b64_json|data.0.url",
     .prepare = picture_form},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "nebius", "Nebius AI Studio", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.studio.nebius.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "nebius", "0.1.0", "Apache-2.0", 10);
