/* fal-ai.c - fal: recordings, pictures, speech, and what takes longer as jobs in its queue.
 * Called directly (its own word in front of the key) or through the router of Hugging Face, by the key.
 * The rows are the requests; hooks name the base model of some LoRAs, and put a mask or a sound into a list. */
#include <hf/provider.h>
#include <string.h>

/* LoRAs of Stable Diffusion need to be told their base. */
static hf_status lora_base(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)c;
  if (!h->about(h, "adapter") || strcmp(h->about(h, "id"), "fal-ai/lora") != 0) return HF_OK;
  return h->set(h, body, "model_name", h->string(h, "stabilityai/stable-diffusion-xl-base-1.0"));
}

/* One file of the answer as a list of one record. */
static hf_status file(const struct hf_pv_host *h, const hf_json *answer, const char *path, const char *record,
                      const char *member, const hf_json **result) {
  if (!h->text(answer, path)) return h->fail(h, HF_EPROTO, "fal: the answer holds no %s", path);
  hf_json *out = h->parse(h, record), *data = h->fetch_base64(h, h->text(answer, path));
  if (!out || !data) return HF_EPROTO;
  *result = (const hf_json *)out;
  return h->set(h, out, member, data);
}

static hf_status mask(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  return file(h, answer, "image.url", "[{\"label\": \"mask\"}]", "0.mask", result);
}

static hf_status sound(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  hf_status st = file(h, answer, "audio.url", "[{\"label\": \"audio\"}]", "0.blob", result);
  const hf_json *type = h->get(answer, "audio.content_type");
  return st || !type ? st : h->set(h, (hf_json *)(uintptr_t)*result, "0.content_type", type);
}

static const struct hf_pv_poll queue = {.id = "request_id",
                                        .url = "{base}{path:response_url}/status{query}",
                                        .status = "status",
                                        .done = "COMPLETED",
                                        .pending = "*",
                                        .result_url = "{base}{path:response_url}{query}",
                                        .cancel_url = "{base}{path:cancel_url}{query}",
                                        .interval_ms = 500,
                                        .flags = HF_PV_POLL_FROM_POST};

static const struct hf_pv_task tasks[] = {
    {.task = "automatic-speech-recognition",
     .route = "/{model}",
     .body = "{audio_url: $.audio, ...}",
     .media = HF_PV_MEDIA_FORCED,
     .mime = "audio/mpeg",
     .out = HF_PV_OUT_TEXT,
     .out_path = "text"},
    {.task = "text-to-image",
     .route = "/{model}",
     .body =
         "{prompt: $.prompt, ..., image_size?: {width: $.width, height: $.height}, loras?: [{path: $lora, scale: 1}]}",
     .out = HF_PV_OUT_URL,
     .out_path = "images.0.url",
     .prepare = lora_base},
    {.task = "text-to-speech",
     .route = "/{model}",
     .body = "{text: $.text, ...}",
     .out = HF_PV_OUT_URL,
     .out_path = "audio.url"},
    {.task = "text-to-video",
     .route = "/{model}",
     .body = "{prompt: $.prompt, ..., loras?: [{path: $lora, scale: 1}]}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .out = HF_PV_OUT_URL,
     .out_path = "video.url"},
    {.task = "image-to-image",
     .route = "/{model}",
     .body = "{image_url: $.image, image_urls: [$.image], ..., image_size?: $.target_size, loras?: [{path: $lora, "
             "scale: 1}]}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "image/jpeg",
     .out = HF_PV_OUT_URL,
     .out_path = "images.0.url"},
    {.task = "image-to-video",
     .route = "/{model}",
     .body = "{image_url: $.image, ..., loras?: [{path: $lora, scale: 1}]}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "image/jpeg",
     .out = HF_PV_OUT_URL,
     .out_path = "video.url"},
    {.task = "image-segmentation",
     .route = "/{model}",
     .body = "{image_url: $.image, ..., sync_mode: true}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "image/png",
     .parse = mask},
    {.task = "audio-to-audio",
     .route = "/{model}",
     .body = "{audio_url: $.audio, ...}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "audio/mpeg",
     .parse = sound},
    {.task = "image-text-to-image",
     .route = "/{model}",
     .body = "{image_url?: $.image, image_urls?: [$.image], ..., image_size?: $.target_size, loras?: [{path: $lora, "
             "scale: 1}]}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "image/jpeg",
     .out = HF_PV_OUT_URL,
     .out_path = "images.0.url"},
    {.task = "image-text-to-video",
     .route = "/{model}",
     .body = "{image_url?: $.image, ..., loras?: [{path: $lora, scale: 1}]}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .mime = "image/jpeg",
     .out = HF_PV_OUT_URL,
     .out_path = "video.url"},
    {.task = "text-to-audio",
     .route = "/{model}",
     .body = "{prompt: $.prompt, ...}",
     .base = "https://queue.fal.run",
     .routed_suffix = "?_subdomain=queue",
     .poll = &queue,
     .out = HF_PV_OUT_URL,
     .out_path = "audio_file.url|audio.url"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "fal-ai", "fal", HF_THREADS_ANY, 10, 0),
    .base_url = "https://fal.run",
    .tasks = HF_TABLE(tasks),
    .auth_scheme = "Key",
};
HF_PROVIDER(provider, "fal-ai", "0.1.0", "Apache-2.0", 10);
