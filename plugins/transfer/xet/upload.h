/* upload.h - the upload half of the adapter: run() takes a file in, finish() completes the batch.
 * upload.c reads, cuts, hashes and finds what is known; carry.c brings xorbs to the CAS; commit.c makes the shards; known.c is
 * the index of chunks.
 * A chunk is stored once per session, whichever files it is in. */
#ifndef XET_UPLOAD_H
#define XET_UPLOAD_H
#include "cas.h"
#include "format/shard.h"
#include "format/xorb.h"

#define XET_FILL_LEAST ((uint32_t)8 << 20)

enum xorb_state { XORB_OPEN = 0, XORB_FULL, XORB_GOING, XORB_THERE, XORB_FAILED };
struct xorb_slot {
  struct xet_hash hash;
  uint32_t raw, stored, at; /* stored 0: not packed yet; at: where its room begins */
};
struct xorb {
  struct xorb *next; /* in the order of their making */
  struct xet_hash hash;
  enum xorb_state state;
  bool ours; /* made in this session: it goes into a shard */
  struct xorb_slot *slots;
  uint32_t count, room, unpacked; /* unpacked: slots that somebody still packs */
  uint32_t raw, stored;
  struct hf_buf body; /* slots have fixed places until all are packed, then they move together */
};

struct xet_piece_term {
  struct xorb *xorb;
  uint32_t start, end, raw;
};
struct xet_sent_file {
  struct xet_sent_file *next;
  struct xet_hash hash;
  uint8_t sha256[32];
  bool has_sha256;
  struct xet_piece_term *terms;
  uint32_t term_count, term_room;
  struct xet_hash *chunks;
  uint64_t chunk_count, chunk_room;
};

/* known.c: chunk -> where it is. Hidden hashes (of a global answer) are looked up under the answer's key. */
struct known;
struct known_at {
  struct xorb *xorb;
  uint32_t index, raw;
};
struct known *xet_known_new(void);
void xet_known_free(struct known *);
int xet_known_add(struct known *, const struct xet_hash *, const struct known_at *); /* 1: done */
int xet_known_find(struct known *, const struct xet_hash *, struct known_at *);      /* 1: found */
/* All chunks of a shard that the global index sent. make: gives the xorb of a hash. */
int xet_known_shard(struct known *, const uint8_t *, size_t len, struct xorb *(*make)(void *, const struct xet_hash *),
                    void *arg);

struct xet_upload {
  struct xet_cas cas;
  pthread_mutex_t lock; /* all below, and what hangs on it */
  pthread_cond_t changed;
  struct known *known;
  struct xorb *first, *last, *open;
  uint32_t waiting; /* xorbs with a body */
  struct xet_sent_file *files;
  bool opening;    /* somebody waits for memory for the next xorb */
  bool own_memory; /* the budget is too small for xorbs */
  uint32_t fill;   /* raw bytes of a xorb: several fit into the budget */
  struct hf_buf spare;
};

hf_status xet_upload_open(hf_call *, const struct hf_tr_batch *, void **session);
hf_status xet_upload_run(hf_call *, void *session, struct hf_tr_file *);
hf_status xet_upload_finish(hf_call *, void *session);
void xet_upload_close(void *session);

/* carry.c: takes one full xorb, if there is one, to the CAS. *any: there was. Called without the lock. */
hf_status xet_carry_one(hf_call *, struct xet_upload *, bool *any);
/* commit.c */
hf_status xet_commit(hf_call *, struct xet_upload *);
#endif
