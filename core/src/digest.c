/* digest.c - the running digests that the core and plugins ask for; the arithmetic is the network module's libcrypto.
 * A digester belongs to whoever made it and may move between threads, one at a time.
 * digest_end frees; asked for the result of a failed computation it answers algo NONE. */
#include "netstack.h"

struct hf_digester {
  const struct hf_net *module;
  void *running;
};

hf_status hf_digest_new(hf_call *call, uint32_t algo, uint64_t size, hf_digester **out) {
  *out = NULL;
  const struct hf_net *module = netstack_module(call);
  if (module == NULL) return hf_call_error(call)->code;
  hf_digester *d = hf_mem_alloc(sizeof(*d));
  if (d == NULL) return hf_call_failf(call, HF_ENOMEM, "Out of memory for a digest; close other programs.");
  d->module = module;
  hf_status st = module->digest_new(algo, size, &d->running);
  if (st == HF_OK) {
    *out = d;
    return HF_OK;
  }
  hf_mem_free(d);
  if (st == HF_EINVAL) return hf_call_failf(call, st, "Git's digest needs the size in advance; give it.");
  return hf_call_failf(call, st, "Digest number %u cannot be computed here.", (unsigned)algo);
}

void hf_digest_add(hf_digester *d, const void *data, size_t len) {
  d->module->digest_add(d->running, data, len);
}

void hf_digest_end(hf_digester *d, struct hf_digest *out) {
  if (d == NULL) return;
  d->module->digest_end(d->running, out);
  hf_mem_free(d);
}
