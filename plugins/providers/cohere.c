/* cohere.c - Cohere: chat in its OpenAI dialect, with JSON schemas spelled its own way.
 * Called directly or through the router of Hugging Face, by the key.
 * The row is the request. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/compatibility/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ..., response_format?: {type: 'json_object', schema: "
             "$.response_format.json_schema.schema[response_format.type=json_schema]}}",
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "cohere", "Cohere", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.cohere.com",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "cohere", "0.1.0", "Apache-2.0", 10);
