/* adapters.h - the transfer adapters of one batch: asked for their scores, opened when the first file needs them, finished and
 * closed with the batch. What fetch_run.c and send.c share.
 * Private to core/src. */
#ifndef HF_ADAPTERS_H
#define HF_ADAPTERS_H
#include "layer.h"

enum { HF_ADAPTERS_MOST = 16 };
struct hf_adapter {
  struct hf_slot_module *mod;
  const struct hf_transfer *tr;
  int32_t score;
  void *session;
  pthread_mutex_t opening, object;
  bool open, refused;
};
struct hf_adapters {
  pthread_mutex_t choosing; /* also held by whoever changes the batch's files while adapters may be looking at them */
  bool chosen;
  struct hf_adapter rows[HF_ADAPTERS_MOST]; /* best first */
  uint32_t count;
};
void hf_adapters_init(struct hf_adapters *);
/* Once per batch; names NULL: HF_TRANSFER, else by score. */
hf_status hf_adapters_choose(hf_call *, struct hf_adapters *, const struct hf_tr_batch *, const char *names);
hf_status hf_adapter_open(hf_call *, struct hf_adapter *, const struct hf_tr_batch *);
/* Would another adapter fare better? Not when this machine, the user or the server's answer is the reason. */
bool hf_adapter_next_may_help(hf_call *, hf_status, const char *url);
hf_status hf_adapters_finish(hf_call *, struct hf_adapters *); /* finish() of the open sessions */
void hf_adapters_close(struct hf_adapters *);
#endif
