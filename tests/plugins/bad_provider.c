/* bad_provider.c - a provider whose hooks do what HF_BAD says: hang in every way, answer what no hook may answer, leave things behind.
 * contain.py asks it through `hf inference` and looks at how that ends.
 */
#include <hf/provider.h>

#include <fcntl.h>

#include "meddle.h"

static const struct hf_host *H;

static int bad(const char *what) {
  const char *set = getenv("HF_BAD");
  return set && strcmp(set, what) == 0;
}

static hf_status misbehave(hf_call *c, const struct hf_pv_host *h) {
  meddle("hook");
  if (bad("loops"))
    for (volatile int i = 0;; i++) continue;
  if (bad("sleeps"))
    for (;;) pause();
  if (bad("asks")) /* as if it heeded the call */
    while (H->check(c) == HF_OK) usleep(10000);
  if (bad("asks-host"))
    for (;;) h->about(h, "model"), usleep(10000);
  if (bad("reads")) { /* what the host made for it, for ever */
    const volatile char *text =
        h->text(h->parse(h, "{\"a\": \"words that the hook was given, and goes on to look at\"}"), "a");
    for (;;)
      if (!text || *text != 'w') abort();
  }
  if (bad("positive")) return 77;
  if (bad("negative")) return -12345;
  if (bad("silent")) return HF_EPROTO;
  if (bad("descriptors"))
    for (int i = 0; i < 100; i++)
      if (open("/dev/null", O_RDONLY) < 0) break;
  if (bad("no-url")) return h->ask(h, NULL, 0, 0);
  if (bad("odd-url")) return h->ask(h, "file:///etc/passwd", 0, 0);
  if (bad("odd-path"))
    h->set(h, h->body(h, "{a: 1}"), "a.b.c.0.d", h->string(h, "x")), h->get(NULL, NULL), h->text(NULL, "a");
  if (bad("odd-json")) h->parse(h, "{\"a\":"), h->parse(h, ""), h->body(h, "{{{");
  return HF_OK;
}

static hf_status prepare(hf_call *c, const struct hf_pv_host *h, hf_json *body) {
  (void)body;
  return misbehave(c, h);
}
static hf_status parse(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, const hf_json **result) {
  *result = answer;
  return misbehave(c, h);
}
static hf_status poll_next(hf_call *c, const struct hf_pv_host *h, const hf_json *answer, uint32_t n) {
  (void)answer, (void)n;
  if (bad("for-ever")) return h->ask(h, "https://api.example.com/v1/jobs/1", 50, 0);
  if (bad("pending")) return HF_PENDING;
  return misbehave(c, h);
}
static hf_status event(hf_call *c, const struct hf_pv_host *h, const hf_json *payload, const hf_json **item) {
  *item = payload;
  return misbehave(c, h);
}

static const struct hf_pv_task tasks[] = {
    {.task = "feature-extraction", .route = "/prepare", .body = "{input: $.text, ...}", .prepare = prepare},
    {.task = "summarization", .route = "/parse", .body = "{input: $.text, ...}", .parse = parse},
    {.task = "text-to-image",
     .route = "/poll",
     .body = "{prompt: $.prompt}",
     .poll_next = poll_next,
     .out = HF_PV_OUT_B64,
     .out_path = "a"},
    {.task = "conversational",
     .route = "/event",
     .body = "{messages: $.messages, ...}",
     .stream = HF_PV_STREAM_CHAT,
     .event = event},
};
static const struct hf_provider provider = {
    .m = HF_MODULE(hf_provider, HF_KIND_PROVIDER, "bad", "does not behave", HF_THREADS_ANY, 1, 0),
    .base_url = "https://api.example.com",
    .tasks = HF_TABLE(tasks),
    .flags = HF_PV_DIRECT_ONLY,
};
static hf_status load(const struct hf_host *host, void **state) {
  H = host;
  *state = NULL;
  meddle("load");
  return HF_OK;
}
static const struct hf_module *const modules[] = {&provider.m};
HF_PLUGIN("bad", "0.0.1", "Apache-2.0", "does not behave", load, NULL, modules, {HF_KIND_PROVIDER, 1, 0, "bad", ""});
