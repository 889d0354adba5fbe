/* fuzz_sse.c - server-sent events: how a stream is cut changes nothing about its events.
 * Input: two bytes (size of the pieces, largest event), then the stream. Each piece lies in memory of its own.
 * No event is larger than allowed; a name fits; counted is what was handed out. */
#include "fuzz.h"
#include "inference/sse.h"

struct heard {
  uint64_t sum, events;
  size_t max;
};

static hf_status on_event(void *arg, const char *event, const char *data, size_t len) {
  struct heard *h = arg;
  FUZZ_CHECK(len <= h->max && strlen(event) < 32);
  h->events++;
  h->sum = h->sum * 31 + len + 7;
  for (const char *s = event; *s; s++) h->sum = h->sum * 31 + (unsigned char)*s;
  for (size_t i = 0; i < len; i++) h->sum = h->sum * 31 + (unsigned char)data[i];
  return HF_OK;
}

static hf_status decode(const uint8_t *data, size_t size, size_t piece, size_t max, struct heard *h) {
  struct hf_sse s;
  hf_status st = HF_OK;
  *h = (struct heard){.max = max};
  hf_sse_init(&s, max, on_event, h);
  for (size_t at = 0; at < size && st == HF_OK; at += piece) {
    size_t n = size - at < piece ? size - at : piece;
    uint8_t *copy = malloc(n);
    FUZZ_CHECK(copy);
    memcpy(copy, data + at, n);
    st = hf_sse_feed(&s, copy, n);
    free(copy);
  }
  if (st == HF_OK) st = hf_sse_end(&s);
  FUZZ_CHECK(s.events == h->events && (st == HF_OK || st == HF_EPROTO));
  hf_sse_free(&s);
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  struct heard whole, cut;
  size_t max = data[1] & 1 ? 1u << 20 : 16u + data[1];
  hf_status a = decode(data + 2, size - 2, size - 2, max, &whole);
  hf_status b = decode(data + 2, size - 2, 1 + data[0] % 97u, max, &cut);
  if (max > size) FUZZ_CHECK(a == HF_OK && b == HF_OK);
  if (a == HF_OK && b == HF_OK) FUZZ_CHECK(whole.sum == cut.sum && whole.events == cut.events);
  return 0;
}
