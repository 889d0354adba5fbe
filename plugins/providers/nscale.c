/* nscale.c - Nscale: chat, and pictures in base64.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-to-image",
     .route = "/v1/images/generations",
     .body = "{response_format: 'b64_json', prompt: $.prompt, model: $model, size?: '{width}x{height}',"
             " -num_inference_steps, -cfg_scale, ...}",
     .out = HF_PV_OUT_B64,
     .out_path = "data.0.b64_json"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "nscale", "Nscale", HF_THREADS_ANY, 10, 0),
    .base_url = "https://inference.api.nscale.com",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "nscale", "0.1.0", "Apache-2.0", 10);
