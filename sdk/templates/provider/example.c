/* example.c - an inference provider that speaks the OpenAI dialect: one row per task says which request is sent.
 * A provider does no I/O and never sees a key.
 * What a row cannot say, a hook can (prepare, parse, poll_next, event). */
#include <hf/provider.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational", .route = "/v1/chat/completions", .stream = HF_PV_STREAM_CHAT},
    {.task = "text-generation",
     .route = "/v1/completions",
     .input = "prompt",
     .stream = HF_PV_STREAM_COMPLETION,
     .out = HF_PV_OUT_COMPLETION},
};

static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "example", "an OpenAI-shaped service", HF_THREADS_ANY, 5, 0),
    .base_url = "https://api.example.com",
    .key_env = "EXAMPLE_API_KEY",
    .tasks = HF_TABLE(tasks),
};

static hf_status load(const struct hf_host *host, void **state) {
  (void)host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&provider.m};
HF_PLUGIN("example", "0.1.0", "Apache-2.0", "Inference at example.com", load, NULL, modules,
          {HF_KIND_PROVIDER, 5, 0, "example", ""});
