/* fireworks-ai.c - Fireworks AI: chat in the OpenAI dialect, with JSON schemas spelled its own way.
 * Called directly or through the router of Hugging Face, by the key.
 * The row is the request. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/inference/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ..., response_format?: {type: 'json_object', schema: "
             "$.response_format.json_schema.schema[response_format.type=json_schema]}}",
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "fireworks-ai", "Fireworks AI", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.fireworks.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "fireworks-ai", "0.1.0", "Apache-2.0", 10);
