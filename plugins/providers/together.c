/* together.c - Together AI: chat, text, vectors, speech and recordings, pictures, and videos as jobs.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests; hooks name the picture as the model wants it, and read the times of a transcription. */
#include <hf/provider.h>
#include <stdio.h>
#include <string.h>

/* Pieces with their times become chunks. */
static hf_status transcription(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  if (!h->text(answer, "text")) return h->fail(h, HF_EPROTO, "Together: the answer holds no text");
  hf_json *out = h->body(h, "{}");
  if (!out || h->set(h, out, "text", h->get(answer, "text"))) return HF_ENOMEM;
  const hf_json *pieces = h->get(answer, "segments");
  for (size_t i = 0, n = 0; i < h->length(pieces, ""); i++) {
    static const char *const from[] = {"text", "start", "end"}, *const to[] = {"text", "timestamp.0", "timestamp.1"};
    char a[48], b[48];
    snprintf(a, sizeof a, "%zu", i);
    if (h->text(pieces, a) || !h->length(pieces, a)) continue; /* no object */
    for (size_t k = 0; k < 3; k++) {
      snprintf(a, sizeof a, "%zu.%s", i, from[k]);
      snprintf(b, sizeof b, "chunks.%zu.%s", n, to[k]);
      const hf_json *value = h->get(pieces, a);
      if (h->set(h, out, b, value ? value : h->parse(h, "null"))) return HF_EPROTO;
    }
    n++;
  }
  *result = out;
  return HF_OK;
}

/* FLUX.1 Kontext takes one picture under another name. */
static hf_status kontext(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)c;
  char id[256];
  snprintf(id, sizeof id, "%s", h->about(h, "id"));
  for (char *s = id; *s; s++)
    if (*s >= 'A' && *s <= 'Z') *s += 'a' - 'A';
  if (!strstr(id, "kontext") || !strstr(id, "flux.1")) return HF_OK;
  hf_status st = h->set(h, body, "image_url", h->get((const hf_json *)body, "reference_images.0"));
  return st ? st : h->set(h, body, "reference_images", NULL);
}

static const struct hf_pv_poll video = {.id = "id",
                                        .url = "{url}/{id}",
                                        .status = "status",
                                        .done = "completed",
                                        .failed = "failed",
                                        .pending = "-,queued,in_progress",
                                        .error = "error.message",
                                        .interval_ms = 2000,
                                        .max_polls = 150,
                                        .flags = HF_PV_POLL_FROM_POST};

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ..., response_format?: {type: 'json_schema', "
             " schema: $.response_format.json_schema.schema[response_format.type=json_schema]}}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/completions",
     .body = "{prompt: $.prompt, ..., model: $model}",
     .out = HF_PV_OUT_COMPLETION,
     .stream = HF_PV_STREAM_COMPLETION},
    {.task = "feature-extraction",
     .route = "/v1/embeddings",
     .body = "{input: $.text, model: $model, ...}",
     .out = HF_PV_OUT_EACH,
     .out_path = "data.embedding"},
    {.task = "text-to-speech",
     .route = "/v1/audio/speech",
     .body = "{input: $.text, model: $model, ...}",
     .out = HF_PV_OUT_BYTES},
    {.task = "automatic-speech-recognition",
     .route = "/v1/audio/transcriptions",
     .form = HF_PV_MULTIPART,
     .body = "{model: $model, file: $.audio, ...}",
     .parse = transcription},
    {.task = "text-to-image",
     .route = "/v1/images/generations",
     .body = "{prompt: $.prompt, response_format: 'base64', ..., steps?: $.num_inference_steps, model: $model}",
     .out = HF_PV_OUT_B64,
     .out_path = "data.0.b64_json"},
    {.task = "image-to-image",
     .route = "/v1/images/generations",
     .body = "{prompt: $.prompt|'', reference_images: [$.image], response_format: 'base64', ...,"
             " steps?: $.num_inference_steps, model: $model}",
     .mime = "image/jpeg",
     .out = HF_PV_OUT_B64,
     .out_path = "data.0.b64_json",
     .prepare = kontext},
    {.task = "text-to-video",
     .route = "/v2/videos",
     .body = "{prompt: $.prompt, model: $model, ..., steps?: $.num_inference_steps, width?: $.target_size.width,"
             " height?: $.target_size.height, -target_size}",
     .poll = &video,
     .out = HF_PV_OUT_URL,
     .out_path = "outputs.video_url"},
    {.task = "image-to-video",
     .route = "/v2/videos",
     .body =
         "{model: $model, frame_images: [{input_image: $.image, frame: 'first'}], ...,"
         " steps?: $.num_inference_steps, width?: $.target_size.width, height?: $.target_size.height, -target_size}",
     .mime = "image/png",
     .poll = &video,
     .out = HF_PV_OUT_URL,
     .out_path = "outputs.video_url"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "together", "Together AI", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.together.xyz",
    .tasks = HF_TABLE(tasks),
};
HF_PROVIDER(provider, "together", "0.1.0", "Apache-2.0", 10);
