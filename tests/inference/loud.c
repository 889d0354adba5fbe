/* loud.c - a provider for the tests of loading: it says so when its load() runs.
 * Otherwise it is an OpenAI-shaped one.
 * Nothing of it may run when providers are listed. */
#include <hf/provider.h>
#include <stdio.h>

static const struct hf_pv_task tasks[] = {
    {.task = "conversational", .route = "/v1/chat/completions", .body = "{model: $model, messages: $.messages, ...}"},
};
static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "loud", "says when it is loaded", HF_THREADS_ANY, 5, 0),
    .base_url = "https://api.loud.example",
    .tasks = HF_TABLE(tasks),
};

static hf_status load(const struct hf_host *host, void **state) {
  (void)host;
  *state = NULL;
  fputs("loud: load() ran\n", stderr);
  return HF_OK;
}

static const struct hf_module *const modules[] = {&provider.m};
HF_PLUGIN("loud", "1.0.0", "Apache-2.0", "says when it is loaded", load, NULL, modules,
          {HF_KIND_PROVIDER, 5, 0, "loud", ""});
