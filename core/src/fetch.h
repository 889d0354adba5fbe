/* fetch.h - the dispatcher's insides: fetch.c (files, queue, free space), fetch_run.c (adapters and tiers), publish.c (groups),
 * fetch_minder.c (heartbeats, old groups, stalls).
 * One struct hf_batch lives for one hf_fetch(); its lock is never held while foreign code runs. */
#ifndef HF_FETCH_H
#define HF_FETCH_H
#include "adapters.h"
#include "minder.h"
#include "sink.h"

enum {
  HF_GROUP_FILES = 256,
  HF_GROUP_NS = 2000000000,
  HF_LEASE_TTL_MS = 30000,
  HF_BASES_MOST = 4,
  HF_NO_LEASE_BELOW = 1 << 20 /* two that fetch a small file cost less than a lease */
};
#define HF_GROUP_BYTES ((uint64_t)1 << 30)

enum hf_file_state { HF_FILE_WAITING = 0, HF_FILE_RUNNING, HF_FILE_SEALED, HF_FILE_ENDED };
struct hf_file_job { /* one file */
  struct hf_tr_file tr;
  enum hf_file_state state;
  bool follower;                                          /* came after one of the same content */
  bool leads;                                             /* its etag is taken by it */
  uint32_t next_in_bucket, first_follower, next_follower; /* index + 1, 0: none */
  void *lease, *seal;
  bool beating;
  struct hf_sink *sink;
  struct hf_minded minded;
  struct hf_tr_base bases[HF_BASES_MOST]; /* fetch_run.c */
  bool bases_asked;
};

struct hf_batch {
  const struct hf_fetch *f;
  hf_store *store;
  hf_call *call;
  struct hf_file_job *jobs;
  struct hf_tr_file **files;
  struct hf_tr_batch tr;
  pthread_mutex_t lock;           /* queue, jobs' states and leases, group */
  uint32_t next, ready;           /* next file; followers that may go, index + 1 */
  uint32_t *buckets, bucket_mask; /* etags that somebody is fetching */
  hf_status failed;               /* of done() or of the minder: ends the batch */

  struct hf_adapters adapters;

  uint32_t group[HF_GROUP_FILES], group_count; /* sealed, not yet published */
  uint64_t group_bytes, group_ns;
  pthread_mutex_t telling; /* done(), one at a time */

  struct hf_minder minder;
  hf_call *minder_call; /* of its thread */
  hf_status minder_failed;
  uint64_t beaten_ns; /* when leases were kept alive last */
};

/* The file has ended: tells the caller, lets its followers go, drops its lease. Answers what ends the batch, or HF_OK. */
hf_status hf_batch_end(hf_call *, struct hf_batch *, uint32_t i, hf_status, const struct hf_st_file *);

/* publish.c. add: may publish the group that has become full. flush: publishes what waits. discard: drops it. */
hf_status hf_group_add(hf_call *, struct hf_batch *, uint32_t i);
hf_status hf_group_flush(hf_call *, struct hf_batch *, bool only_old);
void hf_group_discard(struct hf_batch *);

/* fetch_run.c. Fills the sink: tiers first where asked, then adapters, beginning behind *last_used, which is updated. */
#define HF_NO_ADAPTER UINT32_MAX
hf_status hf_batch_fill(hf_call *, struct hf_batch *, uint32_t i, bool tiers, uint32_t *last_used);
void hf_batch_no_bases(struct hf_batch *, uint32_t i); /* closes what was opened of older versions */

/* fetch_minder.c */
void hf_batch_minder_open(hf_call *, struct hf_batch *);
void hf_batch_minder_stop(struct hf_batch *);
hf_status hf_batch_lease(hf_call *, struct hf_batch *, uint32_t i);
void hf_batch_unlease(struct hf_batch *, uint32_t i);
#endif
