/* replicate.c - Replicate: pictures, videos, speech and recordings, waited for in the POST and then asked for.
 * A model with ":VERSION" goes to another route, with the version in the body.
 * Hooks ask for what is not done yet, and read the many shapes of a transcription. */
#include <hf/provider.h>
#include <stdbool.h>
#include <string.h>

enum { INTERVAL_MS = 1000, LOOKS = 600 };

/* The POST waits for a minute; what takes longer says where to ask. */
static hf_status finished(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, uint32_t n) {
  (void)c;
  const char *status = h->text(answer, "status"), *url = h->text(answer, "urls.get"), *error = h->text(answer, "error");
  if (status && (!strcmp(status, "failed") || !strcmp(status, "canceled")))
    return h->fail(h, HF_EPROTO, "Replicate: the job is %s: %s", status, error ? error : "no reason was given");
  const hf_json *output = h->get(answer, "output");
  if (output && (h->text(output, "") || h->length(output, ""))) return HF_OK;
  bool waiting = status && (!strcmp(status, "starting") || !strcmp(status, "processing"));
  if (!waiting && !strcmp(h->about(h, "task"), "automatic-speech-recognition")) return HF_OK;
  if (!url || !waiting || n == LOOKS)
    return h->fail(h, HF_ETIMEDOUT, "Replicate: no output for model %s; it may be starting up, try again later",
                   h->text(answer, "model") ? h->text(answer, "model") : h->about(h, "id"));
  return h->ask(h, url, INTERVAL_MS, HF_PV_ASK_SAME_HOST);
}

/* output: text, [text], {transcription, translation, txt_file} or [{...}]; the later of these wins. */
static hf_status transcription(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  static const char *const places[] = {"output",
                                       "output.0",
                                       "output.txt_file",
                                       "output.0.txt_file",
                                       "output.translation",
                                       "output.0.translation",
                                       "output.transcription",
                                       "output.0.transcription"};
  const char *text = NULL;
  size_t i = 0;
  (void)c;
  for (; i < sizeof places / sizeof places[0] && !text; i++) text = h->text(answer, places[i]);
  if (!text) return h->fail(h, HF_EPROTO, "Replicate: the answer holds no text");
  bool file = i == 3 || i == 4;
  hf_json *value = file ? h->fetch_text(h, text) : h->string(h, text);
  if (!value) return HF_EPROTO;
  *result = value;
  return HF_OK;
}

static const struct hf_pv_task tasks[] = {
    {.task = "text-to-image",
     .route = "/v1/models/{model}/predictions",
     .versioned_route = "/v1/predictions",
     .body = "{input: {prompt: $.prompt, ..., lora_weights?: $lora_repo}, version?: $version}",
     .poll_next = finished,
     .out = HF_PV_OUT_URL,
     .out_path = "output.0|output"},
    {.task = "text-to-video",
     .route = "/v1/models/{model}/predictions",
     .versioned_route = "/v1/predictions",
     .body = "{input: {prompt: $.prompt, ...}, version?: $version}",
     .poll_next = finished,
     .out = HF_PV_OUT_URL,
     .out_path = "output.0|output"},
    {.task = "text-to-speech",
     .route = "/v1/models/{model}/predictions",
     .versioned_route = "/v1/predictions",
     .body = "{input: {..., text: $.text}, version?: $version}",
     .poll_next = finished,
     .out = HF_PV_OUT_URL,
     .out_path = "output.0|output"},
    {.task = "image-to-image",
     .route = "/v1/models/{model}/predictions",
     .versioned_route = "/v1/predictions",
     .body = "{input: {image: $.image, images: [$.image], input_image: $.image, "
             "input_images: [$.image], ...}, version?: $version}",
     .poll_next = finished,
     .out = HF_PV_OUT_URL,
     .out_path = "output.0|output",
     .mime = "image/jpeg"},
    {.task = "automatic-speech-recognition",
     .route = "/v1/models/{model}/predictions",
     .versioned_route = "/v1/predictions",
     .body = "{input: {audio: $.audio, ...}, version?: $version}",
     .mime = "audio/wav",
     .poll_next = finished,
     .out = HF_PV_OUT_TEXT,
     .parse = transcription},
};
static const struct hf_kv headers[] = {{"prefer", "wait"}};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "replicate", "Replicate", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.replicate.com",
    .tasks = HF_TABLE(tasks),
    .headers = HF_TABLE(headers),
};
HF_PROVIDER(provider, "replicate", "0.1.0", "Apache-2.0", 10);
