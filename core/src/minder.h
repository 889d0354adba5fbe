/* minder.h - one thread per batch of files that ends stalled work: an adapter that moves nothing for too long is asked to stop, so
 * that another one can go on. Downloads (fetch_minder.c) and uploads (send_minder.c) tell it what runs and how far it is.
 * Everything here is under the batch's own lock. */
#ifndef HF_MINDER_H
#define HF_MINDER_H
#include "core.h"

struct hf_minded {          /* one file */
  hf_call *running;         /* what may be cancelled; NULL: nothing */
  uint64_t moved, moved_ns; /* as the minder saw it last */
  bool stalled;
};

struct hf_minder {
  pthread_mutex_t *lock;  /* the batch's */
  pthread_cond_t changed; /* for whoever waits for the minder, too */
  pthread_t thread;
  bool minding, stop;
  uint64_t stall_ns;
  uint32_t count; /* files */
  void *batch;
  struct hf_minded *(*file)(void *batch, uint32_t i);
  uint64_t (*moved)(void *batch, uint32_t i); /* anything that grows as long as the file moves */
  void (*tick)(void *batch);                  /* NULL, or what else there is to do; entered without the lock */
};

/* The rest of *m is the caller's, set before. */
void hf_minder_open(hf_call *, struct hf_minder *);
void hf_minder_start(struct hf_minder *);
/* An adapter works for this file, or does so no more (NULL). */
void hf_minder_running(struct hf_minder *, uint32_t i, hf_call *);
void hf_minder_stop(struct hf_minder *); /* waits for its thread */
void hf_minder_close(struct hf_minder *);
#endif
