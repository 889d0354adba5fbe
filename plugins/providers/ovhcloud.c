/* ovhcloud.c - OVHcloud AI Endpoints: chat and text in the OpenAI dialect.
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
     .body = "{prompt: $.prompt, ..., max_tokens?: $.max_new_tokens, model: $model}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "ovhcloud", "OVHcloud AI Endpoints", HF_THREADS_ANY, 10, 0),
    .base_url = "https://oai.endpoints.kepler.ai.cloud.ovh.net",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "ovhcloud", "0.1.0", "Apache-2.0", 10);
