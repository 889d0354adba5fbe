/* send.h - one batch that is being sent: send.c hands its files to adapters, send_minder.c watches that something moves.
 * Every file's source is counted on its way to the adapter.
 * Private to these two: the rest of the core knows hf_send() alone. */
#ifndef SEND_H
#define SEND_H
#include "adapters.h"
#include "minder.h"

enum job_state { JOB_WAITING = 0, JOB_PENDING, JOB_ENDED };
struct send_job {
  struct hf_tr_file tr;
  struct hf_source source; /* what the adapter reads from: counts, then `raw` */
  struct hf_source *raw;
  _Atomic uint64_t moved;
  enum job_state state;
  struct hf_minded minded;
};

struct send {
  const struct hf_send *s;
  struct send_job *jobs;
  struct hf_tr_file **files;
  struct hf_tr_batch tr;
  struct hf_adapters adapters;
  pthread_mutex_t lock;
  uint32_t next;
  hf_status failed; /* of done(): ends the batch */
  struct hf_minder minder;
};

/* Puts a counter before the source; it ends with hf_send_uncount(), which closes both. */
struct hf_source *hf_send_count(struct send_job *, struct hf_source *raw);
void hf_send_uncount(struct send_job *);
/* An adapter works for this file, or does so no more (NULL). One that moves nothing for too long is cancelled. */
void hf_send_running(struct send *, uint32_t i, hf_call *);
void hf_send_minder_open(hf_call *, struct send *);

#endif
