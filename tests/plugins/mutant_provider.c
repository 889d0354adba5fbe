/* mutant_provider.c - a provider with a hook of each kind and one mistake, chosen when it is loaded: HF_MUTANT names the rule that
 * must find it, without it every rule holds. Its cases are in provider_cases.json.
 * A chat that is streamed, embeddings, and a picture that takes a while. */
#include <hf/provider.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *mutant = "";
static int is(const char *rule) {
  return strcmp(mutant, rule) == 0;
}

static hf_status sets_a_user(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)c;
  if (is("provider/requests-are-as-said")) return HF_OK;
  return h->set(h, body, "user", h->string(h, "check"));
}

static hf_status takes_first(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  (void)c;
  if (is("provider/odd-answers-do-no-harm") && strlen(h->text(answer, "object")) == 0) return HF_OK;
  *result = h->get(answer, is("provider/answers-are-read") ? "data" : "data.0.embedding");
  return HF_OK;
}

static hf_status drops_nothing(hf_call *c, const struct hf_pv_host *h, const hf_json *payload, const hf_json **item) {
  const char *text = h->text(payload, "choices.0.delta.content");
  (void)c;
  *item = is("provider/streams-are-read") && text && *text == 'i' ? NULL : payload;
  return HF_OK;
}

static hf_status watches(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, uint32_t n) {
  const char *status = h->text(answer, "status"), *id = h->text(answer, "id");
  char url[128];
  (void)c, (void)n;
  if (status && strcmp(status, "done") == 0) return HF_OK;
  if (status && strcmp(status, "failed") == 0 && !is("provider/errors-are-told"))
    return h->fail(h, HF_EPROTO, "The picture could not be made.");
  if (!status || !id || strcmp(status, "failed") == 0 || is("provider/jobs-are-watched")) return HF_OK;
  snprintf(url, sizeof url, "https://api.example.com/v1/jobs/%.40s", id);
  return h->ask(h, url, 100, HF_PV_ASK_SAME_HOST);
}

static const struct hf_pv_task tasks[] = {
    {.task = "conversational",
     .route = "/v1/chat/completions",
     .body = "{model: $model, messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT,
     .prepare = sets_a_user,
     .event = drops_nothing},
    {.task = "feature-extraction", .route = "/v1/embeddings", .body = "{input: $.text, ...}", .parse = takes_first},
    {.task = "text-to-image",
     .route = "/v1/pictures",
     .body = "{prompt: $.prompt, ...}",
     .poll_next = watches,
     .out = HF_PV_OUT_B64,
     .out_path = "picture"},
};
static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "mutant", "one thing is wrong", HF_THREADS_ANY, 1, 0),
    .base_url = "https://api.example.com",
    .tasks = HF_TABLE(tasks),
};

static hf_status load(const struct hf_host *host, void **state) {
  (void)host;
  *state = NULL;
  if (getenv("HF_MUTANT")) mutant = getenv("HF_MUTANT");
  return HF_OK;
}
static const struct hf_module *const modules[] = {&provider.m};
HF_PLUGIN("mutant", "0.0.1", "Apache-2.0", "one thing is wrong", load, NULL, modules,
          {HF_KIND_PROVIDER, 1, 0, "mutant", ""});
