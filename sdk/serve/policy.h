/* policy.h - what a request must be to come in (policy.c), and how a refusal is worded.
 * Rules are checked in their order, on the headers alone.
 * Private to the module hf-serve.so. */
#ifndef HF_SERVE_POLICY_H
#define HF_SERVE_POLICY_H
#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

enum policy_rule {
  POLICY_FINE,
  POLICY_HOST,
  POLICY_ORIGIN,
  POLICY_KEY,
  POLICY_PATH,
  POLICY_METHOD,
  POLICY_TYPE,
  POLICY_SIZE,
  POLICY_BUSY,
  POLICY_MEMORY
};
struct refusal {
  unsigned status;
  const char *code, *message;
};
struct policy {
  const char *host, *key;
  bool anywhere;
  uint64_t body_max;
};

bool policy_loopback(const char *host); /* a name or an address without brackets */
enum policy_rule policy_check(struct MHD_Connection *, const struct policy *, const char *path, const char *method);
const struct refusal *policy_refusal(enum policy_rule);
#endif
