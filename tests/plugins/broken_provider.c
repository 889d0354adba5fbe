/* broken_provider.c - a provider with one mistake, made by V_*: a body that is no template, an address that is none, a task
 * twice, a result without a place.
 * Without a switch every rule holds. */
#include <hf/provider.h>

#ifndef V_BODY
#define V_BODY "{model: $model, messages: $.messages, ...}"
#endif
#ifndef V_BASE
#define V_BASE "https://api.example.com"
#endif
#ifndef V_SECOND
#define V_SECOND "feature-extraction"
#endif
#ifndef V_OUT
#define V_OUT "data.embedding"
#endif

static const struct hf_pv_task tasks[] = {
    {.task = "conversational", .route = "/v1/chat/completions", .body = V_BODY, .stream = HF_PV_STREAM_CHAT},
    {.task = V_SECOND, .route = "/v1/x", .body = "{input: $.text}", .out = HF_PV_OUT_EACH, .out_path = V_OUT},
};
static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "broken", "with a mistake", HF_THREADS_ANY, 5, 0),
    .base_url = V_BASE,
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "broken", "0.1.0", "Apache-2.0", 5);
