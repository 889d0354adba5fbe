/* auto.c - auto: chat through the router of Hugging Face, which chooses the provider itself.
 * The model is named as on the Hub, with ":fastest", ":cheapest", ":preferred" or ":PROVIDER" behind it if one likes.
 * Only a token of the Hub is a key for it. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "auto", "the router of Hugging Face chooses", HF_THREADS_ANY, 10, 0),
    .base_url = "https://router.huggingface.co",
    .tasks = HF_TABLE(tasks),
    .flags = HF_PV_ROUTER_ONLY,
};
HF_PROVIDER(provider, "auto", "0.1.0", "Apache-2.0", 10);
