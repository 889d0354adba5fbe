/* novita.c - Novita: chat and text in the OpenAI dialect, and videos.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v3/openai/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v3/openai/completions",
     .body = "{prompt: $.prompt, ..., model: $model}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
    {.task = "text-to-video",
     .route = "/v3/hf/{model}",
     .body = "{prompt: $.prompt, ...}",
     .out = HF_PV_OUT_URL,
     .out_path = "video.video_url"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "novita", "Novita", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.novita.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "novita", "0.1.0", "Apache-2.0", 10);
