/* zai-org.c - Z.ai: chat in the OpenAI dialect, pictures as jobs, and the text of a page.
 * Called directly or through the router of Hugging Face, by the key.
 * The rows are the requests. */
#include <hf/provider.h>

static hf_status page(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  hf_json *out = h->body(h, "{}");
  if (!out || !h->text(answer, "md_results")) return h->fail(h, HF_EPROTO, "Z.ai: the answer holds no md_results");
  *result = (const hf_json *)out;
  return h->set(h, out, "generated_text", h->get(answer, "md_results"));
}

static const struct hf_pv_poll job = {.id = "id",
                                      .url = "{base}/api/paas/v4/async-result/{id}",
                                      .status = "task_status",
                                      .done = "SUCCESS",
                                      .failed = "FAIL",
                                      .pending = "*",
                                      .post_pending = "PROCESSING",
                                      .error = "error.message",
                                      .interval_ms = 5000,
                                      .max_polls = 60,
                                      .flags = HF_PV_POLL_NO_DELAY};

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/api/paas/v4/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT},
    {.task = "text-to-image",
     .route = "/api/paas/v4/async/images/generations",
     .body = "{model: $model, prompt: $.prompt, size?: '{width}x{height}', -width, -height, ...}",
     .poll = &job,
     .out = HF_PV_OUT_URL,
     .out_path = "image_result.0.url"},
    {.task = "image-to-text",
     .route = "/api/paas/v4/layout_parsing",
     .body = "{model: $model, file: $.image}",
     .mime = "image/png",
     .parse = page},
};
static const struct hf_kv headers[] = {{"accept-language", "en-US,en"}, {"x-source-channel", "hugging_face"}};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "zai-org", "Z.ai", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.z.ai",
    .tasks = HF_TABLE(tasks),
    .headers = HF_TABLE(headers),
};
HF_PROVIDER(provider, "zai-org", "0.1.0", "Apache-2.0", 10);
