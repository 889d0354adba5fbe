/* fuzz_infer.c - providers and endpoints that answer anything: results, jobs that are watched, streams, media, errors.
 * Input: first byte chooses the call, the rest is the script of answers (fake_net.c), the first of them the Hub's, which says
 * who serves the model. A call that fails says why; what comes back is JSON or media, and a key goes to one host only. */
#include "fake_net.h"
#include "hf_inference.h"

static const struct {
  const char *task, *provider, *args;
  bool stream;
} calls[] = {{"conversational", "together", "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", false},
             {"conversational", "together", "{\"messages\":[],\"stream\":true}", true},
             {"text-generation", "hf-inference", "{\"prompt\":\"x\",\"details\":true}", false},
             {"text-generation", "hf-inference", "{\"prompt\":\"x\",\"stream\":true}", true},
             {"text-to-image", "fal-ai", "{\"prompt\":\"x\"}", false},
             {"text-to-image", "replicate", "{\"prompt\":\"x\"}", false},
             {"text-to-video", "wavespeed", "{\"prompt\":\"x\"}", false},
             {"text-to-image", "black-forest-labs", "{\"prompt\":\"x\"}", false},
             {"feature-extraction", "hf-inference", "{\"text\":\"x\"}", false},
             {"automatic-speech-recognition", "fal-ai", "{\"audio\":\"data:audio/wav;base64,AAAA\"}", false},
             {"text-to-speech", "fal-ai", "{\"text\":\"x\"}", false},
             {"question-answering", "hf-inference", "{\"question\":\"x\",\"context\":\"y\"}", false},
             {"image-segmentation", "hf-inference", "{\"image\":\"data:image/png;base64,AAAA\"}", false},
             {"token-classification", "hf-inference", "{\"text\":\"x\"}", false}};

static int32_t item(void *arg, const char *json, size_t len) {
  (void)arg;
  FUZZ_CHECK(json && strlen(json) == len);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  static const struct hf_kv options[] = {{"HF_TRIES", "1"}, {"HF_INFERENCE_POLL_SCALE", "0"}};
  hf_runtime *rt = fuzz_runtime(NULL);
  struct hf_watch watch = {.struct_size = sizeof watch, .deadline_ms = 20000, .options = HF_TABLE_N(options, 2)};
  static unsigned long run;
  char model[40];
  size_t k = data[0] % HF_COUNT(calls);
  snprintf(model, sizeof model, "a/b%lu", ++run); /* what the Hub said of a model is remembered */
  struct hf_inf_opts o = {.struct_size = sizeof o,
                          .model = model,
                          .provider = calls[k].provider,
                          .api_key = FAKE_NET_SECRET,
                          .watch = &watch};
  if (calls[k].stream) o.item = item;
  char *text = fuzz_text(data + 1, size - 1);
  struct hf_inf_result *r = NULL;
  fake_net_script(text);
  hf_status st = hf_inference(rt, calls[k].task, calls[k].args, &o, &r);
  FUZZ_CHECK(r && (st == HF_OK ? !r->error : r->error && r->error->message[0]));
  if (r->error) FUZZ_CHECK(!strstr(r->error->message, FAKE_NET_SECRET));
  if (st == HF_OK && r->json) FUZZ_CHECK(strlen(r->json) == r->json_len);
  hf_inf_result_free(r);
  fake_net_script(NULL);
  free(text);
  return 0;
}
