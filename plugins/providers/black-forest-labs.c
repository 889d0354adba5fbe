/* black-forest-labs.c - Black Forest Labs: pictures, as jobs that are asked for at another host, without a key.
 * Called directly (with the key in a header of its own) or through the router of Hugging Face, by the key.
 * The row is the request; the hook knows when a job is done. */
#include <hf/provider.h>
#include <string.h>

enum { INTERVAL_MS = 1000, LOOKS = 6 };

static hf_status ready(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, uint32_t n) {
  (void)c;
  const char *status = h->text(answer, "status"), *url = h->text(answer, "polling_url");
  if (n && status && !strcmp(status, "Ready") && h->text(answer, "result.sample")) return HF_OK;
  if (n == LOOKS) return h->fail(h, HF_ETIMEDOUT, "Black Forest Labs: no picture after %d looks", LOOKS);
  if (!url) url = h->about(h, "asked");
  return url ? h->ask(h, url, INTERVAL_MS, HF_PV_ASK_NO_AUTH)
             : h->fail(h, HF_EPROTO, "Black Forest Labs: no polling_url");
}

static const struct hf_pv_task tasks[] = {
    {.task = "text-to-image",
     .route = "/v1/{model}",
     .body = "{prompt: $.prompt, ..., steps?: $.num_inference_steps, guidance?: $.guidance_scale}",
     .poll_next = ready,
     .out = HF_PV_OUT_URL,
     .out_path = "result.sample"},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "black-forest-labs", "Black Forest Labs", HF_THREADS_ANY, 10, 0),
    .base_url = "https://api.us1.bfl.ai",
    .tasks = HF_TABLE(tasks),
    .auth_header = "x-key",
    .auth_scheme = "",
};
HF_PROVIDER(provider, "black-forest-labs", "0.1.0", "Apache-2.0", 10);
