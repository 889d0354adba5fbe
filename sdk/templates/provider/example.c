/* example.c - an inference provider that speaks the OpenAI dialect: each row shows the request that is sent.
 * A provider does no I/O and never sees a key.
 * What a row cannot say, a hook can (prepare, parse, poll_next, event). */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/completions",
     .body = "{prompt: $.prompt, max_tokens?: $.max_new_tokens, ..., model: $model}",
     .stream = HF_PV_STREAM_COMPLETION,
     .out = HF_PV_OUT_COMPLETION},
    {.task = "feature-extraction",
     .route = "/v1/embeddings",
     .body = "{input: $.text, ..., model: $model}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "example", "an OpenAI-shaped service", HF_THREADS_ANY, 5, 0),
    .base_url = "https://api.example.com",
    .key_env = "EXAMPLE_API_KEY",
    .tasks = HF_TABLE(tasks),
    .flags = HF_PV_DIRECT_ONLY, /* the Hub lists no models for it: they are named as the service names them */
};
HF_PROVIDER(provider, "example", "0.1.0", "Apache-2.0", 5);
