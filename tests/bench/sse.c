/* sse.c - how fast bytes of a stream of events become payloads: 100 MB of chat events in pieces of 64 KiB (or as many bytes as
 * the argument says). One line of JSON.
 * The decoder of sdk/hub/inference/sse.c alone, without JSON: bench-sse [PIECE]. */
#include <sse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BYTES = 100 * 1000 * 1000 };
static size_t payload;

static hf_status on_event(void *arg, const char *event, const char *data, size_t len) {
  (void)arg;
  (void)event;
  payload += len + (size_t)(unsigned char)data[0] * 0;
  return HF_OK;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  static const char one[] =
      "data: "
      "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1750000000,\"model\":\"some/model\","
      "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
  size_t piece = argc > 1 ? strtoul(argv[1], NULL, 10) : 65536, n = 0;
  char *all = malloc(BYTES + sizeof one);
  if (!all || !piece) return 1;
  while (n < BYTES) {
    memcpy(all + n, one, sizeof one - 1);
    n += sizeof one - 1;
  }
  struct hf_sse s;
  hf_sse_init(&s, 16u << 20, on_event, NULL);
  double begin = now();
  for (size_t at = 0; at < n; at += piece)
    if (hf_sse_feed(&s, all + at, n - at < piece ? n - at : piece)) return 1;
  if (hf_sse_end(&s)) return 1;
  double took = now() - begin;
  printf("{\"mb_s\": %.0f, \"events\": %llu, \"payload\": %zu}\n", (double)n / 1e6 / took, (unsigned long long)s.events,
         payload);
  hf_sse_free(&s);
  free(all);
  return 0;
}
