/* groq.c - Groq: chat in the OpenAI dialect, and text generation as a chat of one message.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/openai/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/openai/v1/chat/completions",
     .body = "{model: $model, messages: [{role: 'user', content: $.prompt}], max_tokens?: $.max_new_tokens, ...}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_CHAT},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "groq", "Groq", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.groq.com",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "groq", "0.1.0", "Apache-2.0", 10);
