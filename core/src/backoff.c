/* backoff.c - how long to wait before something is tried again: doubled each time, jittered downwards so that the wait is
 * never longer than the reference client's, and never above a minute unless the server itself named a time.
 * The wait ends early when the call should end. */
#include <stdlib.h>

#include "netstack.h"

#define FIRST_MS 1000u
#define CAP_MS   60000u

/* Tests need not wait as long as people. */
static uint32_t first_ms(void) {
#ifdef HF_TEST_HOOKS
  const char *ms = getenv("HF_TEST_BACKOFF_MS");
  if (ms != NULL) return (uint32_t)strtoul(ms, NULL, 10);
#endif
  return FIRST_MS;
}

uint64_t backoff_ms(uint32_t n, uint32_t cap_ms, uint32_t random) {
  uint64_t ms = first_ms();
  for (uint32_t i = 1; i < n && ms < cap_ms; i++) ms *= 2;
  if (ms > cap_ms) ms = cap_ms;
  return ms / 2 + random % (ms / 2 + 1);
}

uint64_t backoff_wish_ms(uint32_t wish_ms, uint32_t random) {
  return (uint64_t)wish_ms + random % 1000u;
}

hf_status hf_backoff(hf_call *call, uint32_t n, uint32_t wish_ms) {
  uint32_t random = netstack_random(call);
  return hf_call_sleep(call, wish_ms != 0 ? backoff_wish_ms(wish_ms, random) : backoff_ms(n, CAP_MS, random));
}
