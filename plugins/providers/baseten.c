/* baseten.c - Baseten: chat in the OpenAI dialect.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "baseten", "Baseten", HF_THREADS_ANY, 10, 0),
    .base_url = "https://inference.baseten.co",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "baseten", "0.1.0", "Apache-2.0", 10);
