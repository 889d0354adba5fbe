/* sink.h - the wrapped sink's insides, shared by sink.c (bounds, progress, seal), sink_digest.c (the frontier), sink_resume.c
 * (block journal), sink_leaf.c (hashes by the adapter), sink_order.c (stores that take bytes in order or in whole parts) and
 * sink_follower.c (the digest of a large file on another thread).
 * Lock order: io, then lock; neither is held by a writer of a store that takes any order while it writes or hashes. */
#ifndef HF_SINK_H
#define HF_SINK_H
#include "bytes.h"
#include "call.h"
#include "store.h"

enum { HF_OPEN_BLOCKS = 32, HF_SINK_SCRATCH = 256 << 10 };

/* A block that is being filled from its start, with the checksum so far. */
struct hf_open_block {
  uint32_t index, next; /* next: bytes summed */
  bool used, busy, lost;
  uint64_t age;
  struct hf_sum sum;
};

/* sink_follower.c; under the sink's lock. */
struct hf_follower {
  struct hf_job job;
  pthread_cond_t moved; /* it hashed some, or ended */
  bool placed, runs, stop;
  bool lost; /* it failed, no thread could be had, or the end has come: writers hash themselves */
};

struct hf_piece; /* bytes that came too early for a store that takes them in order */

struct hf_wrap {
  struct hf_sink s; /* what adapters see; first */
  struct hf_sink *raw;
  struct hf_sink f; /* the functions of raw, absent ones NULL */
  hf_store *store;
  struct hf_ingest what;
  uint32_t item;
  bool ordered; /* writes reach the store ascending, under io */
  bool reads_back;
  pthread_mutex_t object; /* raw's turn in HF_THREADS_PER_OBJECT */
  pthread_mutex_t io;     /* stores without HF_IO_CONCURRENT or HF_IO_ANY_ORDER */
  pthread_mutex_t lock;   /* everything below */
  struct hf_ranges held;

  struct hf_digest want; /* algo NONE: only the length counts */
  hf_digester *digester;
  uint64_t hashed; /* the frontier */
  uint64_t claim;  /* somebody hashes up to here */
  bool hashing, rehash;
  uint8_t *scratch; /* of the one who hashes */
  struct hf_follower follower;

  uint32_t block, blocks; /* journal; block 0: none */
  uint64_t salt, note_at, clock;
  uint8_t head[HF_JOURNAL_HEAD];
  struct hf_open_block *open;
  bool note_broken;

  /* sink_leaf.c */
  bool lazy;   /* an adapter that attests is at work: no digest meanwhile */
  bool strict; /* our own digest in every case */
  bool attested;
  struct hf_digest proof;
  struct hf_ranges leafed; /* what leaf() was told of in this run */
  struct hf_leaf *leaves;  /* of earlier runs, by place */
  uint32_t leaf_count, leaf_room;
  uint8_t leaf_notes[16 * HF_JOURNAL_LEAF];
  uint32_t leaf_fill;

  uint64_t next; /* ordered: bytes that the store or the part buffer has */
  uint8_t *part; /* HF_ST_PART_WRITE */
  size_t part_size, part_fill;
  struct hf_piece *early;
  uint64_t early_bytes;

  uint64_t unsynced; /* since write-back was last started */
  _Atomic uint64_t wire, told_ns, moved;
};

/* Calls of the store's sink within its thread model. */
hf_status hf_raw_write(hf_call *, struct hf_wrap *, uint64_t off, const struct hf_iov *, uint32_t n);
hf_status hf_raw_read(hf_call *, struct hf_wrap *, void *buf, size_t len, uint64_t off, size_t *got);

/* Bytes written so far, again and again included: does it still move? */
uint64_t hf_sink_moved(const struct hf_sink *);

/* Follows the frontier after [off, ...) was written and is held; reads at most `budget` bytes back. */
hf_status hf_frontier_follow(hf_call *, struct hf_wrap *, uint64_t off, const struct hf_iov *, uint32_t n,
                             uint64_t budget);
/* Under lock: waits until nobody reads back what lies in this range, which is about to be written again. */
void hf_frontier_leave(struct hf_wrap *, uint64_t off, uint64_t len);
/* Hashes bytes that are next in order (stores that are written in order, and resume). */
hf_status hf_frontier_add(hf_call *, struct hf_wrap *, const void *, size_t);
/* The digest of the whole file, which is held; *is has algo NONE when none was asked for. */
hf_status hf_frontier_end(hf_call *, struct hf_wrap *, struct hf_digest *is);
void hf_frontier_free(struct hf_wrap *);

void hf_follower_init(struct hf_wrap *);
/* [off, ...) was written and is held: starts the follower when it is due, waits when it is too far behind; *follows: the
 * digest is its care. */
hf_status hf_follower_tell(hf_call *, struct hf_wrap *, uint64_t off, bool *follows);
/* Waits until it has hashed what is held, or without a call until it has stopped; afterwards nobody follows. */
hf_status hf_follower_end(hf_call *, struct hf_wrap *);

/* The size is known: prepares the journal, and where `resume`, holds again what the last attempt left. */
hf_status hf_journal_begin(hf_call *, struct hf_wrap *, bool resume);
/* Bytes [off, ...) are about to be written again: what was summed of them is void. Under lock. */
void hf_journal_forget(struct hf_wrap *, uint64_t off, uint64_t len);
void hf_journal_follow(hf_call *, struct hf_wrap *, uint64_t off, const struct hf_iov *, uint32_t n);
/* The attempt ends here: records the blocks that are filled in part. */
void hf_journal_stop(struct hf_wrap *);

/* Appends to the journal what is due: leaves that wait, then `data`. */
void hf_journal_append(hf_call *, struct hf_wrap *, const void *data, size_t len);

hf_status hf_leaf_tell(hf_call *, struct hf_sink *, uint64_t off, uint64_t len, const uint8_t hash[32]);
hf_status hf_leaf_forget(hf_call *, struct hf_sink *, uint64_t off, uint64_t len);
hf_status hf_leaf_list(hf_call *, struct hf_sink *, uint64_t from, struct hf_leaf *, uint32_t *n);
hf_status hf_leaf_attest(hf_call *, struct hf_sink *, const struct hf_digest *);
/* Is an adapter at work that attests? */
void hf_leaf_lazy(struct hf_sink *, bool);
/* A piece of an earlier run's journal; sort: it was the last one. */
void hf_leaf_note(struct hf_wrap *, const uint8_t *notes, size_t len);
void hf_leaf_sort(struct hf_wrap *);
void hf_leaf_free(struct hf_wrap *);

hf_status hf_order_write(hf_call *, struct hf_wrap *, uint64_t off, const struct hf_iov *, uint32_t n, uint64_t total);
hf_status hf_order_flush(hf_call *, struct hf_wrap *); /* the last, shorter part */
void hf_order_free(struct hf_wrap *);
#endif
