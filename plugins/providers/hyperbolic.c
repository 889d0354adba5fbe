/* hyperbolic.c - Hyperbolic: chat in the OpenAI dialect, text as a chat of one message, and pictures in base64.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: [{role: 'user', content: $.prompt}], max_tokens?: $.max_new_tokens, ...}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-to-image",
     .route = "/v1/images/generations",
     .body = "{prompt: $.prompt, model_name: $model, ..., steps?: $.num_inference_steps,"
             " cfg_scale?: $.guidance_scale, width: $.width|512, height: $.height|512}",
     .out = HF_PV_OUT_B64,
     .out_path = "images.0.image"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "hyperbolic", "Hyperbolic", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.hyperbolic.xyz",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "hyperbolic", "0.1.0", "Apache-2.0", 10);
