/* scaleway.c - Scaleway: chat, text and vectors in the OpenAI dialect.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/completions",
     .body = "{model: $model, prompt: $.prompt, max_tokens?: $.max_new_tokens, ...}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
    {.task = "feature-extraction",
     .route = "/v1/embeddings",
     .body = "{input: $.text, model: $model, ...}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "scaleway", "Scaleway", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.scaleway.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "scaleway", "0.1.0", "Apache-2.0", 10);
