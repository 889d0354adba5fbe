/* openai.c - OpenAI, called directly with a key of its own; it is not behind the router.
 * Models are named as OpenAI names them.
 * The row is the request. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "openai", "OpenAI", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.openai.com",
    .tasks = HF_TABLE(tasks),
    .flags = HF_PV_DIRECT_ONLY,
};
HF_PROVIDER(provider, "openai", "0.1.0", "Apache-2.0", 10);
