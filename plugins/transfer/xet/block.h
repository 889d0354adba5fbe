/* block.h - one block of a file: its reconstruction, and the ranges of xorbs that it is made of.
 * A pull is one file under way; blocks follow one another, ranges of a block run side by side.
 * Used by download.c, disk.c, base.c, hand.c and order.c. */
#ifndef XET_BLOCK_H
#define XET_BLOCK_H
#include "cache.h"
#include "stream.h"

enum { XET_DOWN_WIDTH = 16 };

struct xet_bases;

struct xet_pull { /* one file */
  struct xet_cas *cas;
  const char *hash; /* of the file, printed */
  const char *path; /* for messages */
  struct hf_sink *sink;
  uint64_t size;
  struct xet_merkle tree;
  uint64_t tree_at;         /* bytes that are in it; UINT64_MAX: it has a hole */
  struct xet_bases *bases;  /* NULL: none */
  struct xet_cache *cache;  /* NULL: none */
  bool cache_unread;        /* it was wrong */
  bool alone;               /* nobody but the Xet hash knows what the bytes must be */
  pthread_mutex_t lock;     /* the rest */
  uint64_t copied;          /* bytes that did not come from the CAS */
  bool own_fault;           /* what failed is on this machine: where the file goes */
  struct xet_hash *touched; /* xorbs of which something is in the cache */
  uint32_t touched_count, touched_room;
};

struct xet_run { /* chunks of a xorb that are at hand */
  uint32_t start, end;
  const uint32_t *at;       /* where each begins, and the end; NULL: there are none */
  struct hf_source *source; /* behind off; or */
  uint64_t off;
  struct xet_cached *cached;
  bool bad;
};

struct xet_job { /* one range of the block */
  struct xet_place *places;
  uint32_t place_count;
  struct xet_chunks chunks;
  /* order.c: where each of the first `known` chunks is in the range's bytes, and the end of them. */
  uint32_t *packed, known;
  uint64_t xorb_size; /* HF_SIZE_UNKNOWN until an answer says it */
};

struct xet_block {
  struct xet_pull *pull;
  uint64_t off, end; /* what is asked for */
  struct xet_recon recon;
  struct xet_job *jobs; /* by range */
  pthread_mutex_t lock;
  uint32_t renewals;    /* of the addresses in recon */
  uint64_t since_fresh; /* bytes since the last renewal */
};

/* The reconstruction of bytes [off, end) of the file with that hash. */
hf_status xet_recon_ask(hf_call *, struct xet_pull *, const char *hash, uint64_t off, uint64_t end, struct xet_recon *);
/* Fetches [off, end) and what of its chunks lies around it, and adds the hashes to the tree. */
hf_status xet_block_fetch(hf_call *, struct xet_pull *, uint64_t off, uint64_t end);

/* For order.c. part: bytes [lo, hi) of a range; the sink counts what it has. fault: a stream ended with an error; is it ours? grow:
 * adds a term's hashes to the tree. */
hf_status xet_block_part(hf_call *, struct xet_block *, uint32_t range, struct hf_sink *, const size_t *have,
                         uint64_t lo, uint64_t hi);
void xet_block_fault(hf_call *, struct xet_block *, const struct xet_stream *);
void xet_block_grow(struct xet_block *, uint32_t term, uint64_t off);
/* order.c: all of the block to a sink that takes bytes in order, and its hashes to the tree. */
hf_status xet_block_in_order(hf_call *, struct xet_block *);

/* disk.c: adds to the tree what is held from where it ends up to `to`, after hashing it again. What lies there with another
 * hash is missing afterwards. */
hf_status xet_disk_follow(hf_call *, struct xet_pull *, uint64_t to);
/* Makes the tree anew of the whole file, which lies there, and tells its chunks; if it cannot, the tree has a hole still. */
hf_status xet_disk_read(hf_call *, struct xet_pull *);

/* base.c: older versions of the file. open: *out NULL when none is of use. find: chunks [start, end) in one of them. Any thread. */
hf_status xet_bases_open(hf_call *, struct xet_pull *, const struct hf_table *bases, struct xet_bases **out);
hf_status xet_bases_find(hf_call *, struct xet_bases *, const struct xet_hash *xorb, uint32_t start, uint32_t end,
                         struct xet_run *);
void xet_bases_close(struct xet_bases *);

/* hand.c: fills the job from what is at hand, if all is that its places want; *done says whether. Any thread. */
hf_status xet_hand_copy(hf_call *, struct xet_pull *, struct xet_stream *, bool *done);
hf_status xet_hand_has(hf_call *, struct xet_pull *, const struct xet_hash *xorb, uint32_t start, uint32_t end,
                       bool *has);
/* Something of the xorb went into the cache, or came from there. */
void xet_pull_touch(struct xet_pull *, const struct xet_hash *xorb);
#endif
