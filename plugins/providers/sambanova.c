/* sambanova.c - SambaNova: chat and vectors in the OpenAI dialect.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests; the hook keeps its server from refusing strict schemas. */
#include <hf/provider.h>
#include <string.h>

/* Only schemas that are not strict are taken. */
static hf_status not_strict(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)c;
  const char *type = h->text((const hf_json *)body, "response_format.type");
  if (!type || strcmp(type, "json_schema") != 0) return HF_OK;
  if (!h->get((const hf_json *)body, "response_format.json_schema")) return HF_OK;
  return h->set(h, body, "response_format.json_schema.strict", h->parse(h, "false"));
}

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT,
     .prepare = not_strict},
    {.task = "feature-extraction",
     .route = "/v1/embeddings",
     .body = "{input: $.text, model: $model, ...}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "sambanova", "SambaNova", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.sambanova.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "sambanova", "0.1.0", "Apache-2.0", 10);
