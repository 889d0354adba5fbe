/* block.h - one block of a file: its reconstruction, and the ranges of xorbs that it is made of.
 * A pull is one file under way; blocks follow one another, ranges of a block run side by side.
 * Used by download.c, disk.c and base.c. */
#ifndef XET_BLOCK_H
#define XET_BLOCK_H
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
  uint64_t tree_at;        /* bytes that are in it; UINT64_MAX: it has a hole */
  struct xet_bases *bases; /* NULL: none */
  uint64_t copied;         /* bytes that came from them */
};

struct xet_job { /* one range of the block */
  struct xet_place *places;
  uint32_t place_count;
  struct xet_chunks chunks;
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

/* disk.c: adds to the tree what is held from where it ends up to `to`, after hashing it again. What lies there with another
 * hash is missing afterwards. */
hf_status xet_disk_follow(hf_call *, struct xet_pull *, uint64_t to);

/* base.c: older versions of the file. open: *out NULL when none is of use. copy: fills the job from one of them, if one has all
 * that its places want; *done says whether. Any thread. */
hf_status xet_bases_open(hf_call *, struct xet_pull *, const struct hf_table *bases, struct xet_bases **out);
hf_status xet_bases_copy(hf_call *, struct xet_bases *, struct xet_stream *, bool *done);
void xet_bases_close(struct xet_bases *);
#endif
