/* wavespeed.c - WaveSpeedAI: pictures and videos, as jobs.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

/* One transparent pixel, for a call without a picture. */
#define NO_PICTURE                                                                                   \
  "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60" \
  "e6kgAAAABJRU5ErkJggg=="

static const struct hf_pv_poll job = {.url = "{base}{path:data.urls.get}",
                                      .status = "data.status",
                                      .done = "completed",
                                      .failed = "failed",
                                      .pending = "created,processing",
                                      .error = "data.error",
                                      .interval_ms = 500};

static const struct hf_pv_task tasks[] = {
    {.task = "text-to-image",
     .route = "/api/v3/{model}",
     .body = "{prompt: $.prompt, ...}",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
    {.task = "text-to-video",
     .route = "/api/v3/{model}",
     .body = "{prompt: $.prompt, ...}",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
    {.task = "image-to-image",
     .route = "/api/v3/{model}",
     .body = "{image: $.image, ...}",
     .mime = "image/jpeg",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
    {.task = "image-to-video",
     .route = "/api/v3/{model}",
     .body = "{image: $.image, ...}",
     .mime = "image/jpeg",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
    {.task = "image-text-to-image",
     .route = "/api/v3/{model}",
     .body = "{image: $.image|'" NO_PICTURE "', ...}",
     .mime = "image/jpeg",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
    {.task = "image-text-to-video",
     .route = "/api/v3/{model}",
     .body = "{image: $.image|'" NO_PICTURE "', ...}",
     .mime = "image/jpeg",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "data.outputs.0"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "wavespeed", "WaveSpeedAI", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.wavespeed.ai",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "wavespeed", "0.1.0", "Apache-2.0", 10);
