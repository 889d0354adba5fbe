/* upload.h - the upload half of the adapter: run() takes a file in (intake.c), finish() completes the batch.
 * xorbs.c fills xorbs, carry.c brings them to the CAS, commit.c makes the shards; known.c is the index of chunks, recall.c what
 * earlier runs learnt, patience.c how long a CAS in trouble is asked again. A chunk is stored once per session. */
#ifndef XET_UPLOAD_H
#define XET_UPLOAD_H
#include "cas.h"
#include "format/shard.h"
#include "format/xorb.h"

#define XET_FILL_LEAST ((uint32_t)8 << 20)
enum { XET_PIECE = 1 << 20, XET_PIECE_CHUNKS = (XET_PIECE + XET_CHUNK_MAX) / XET_CHUNK_MIN + 2 };

enum { XET_OWN_BODIES = 2 }; /* outside of a budget that has no room for any */

enum xorb_state { XORB_OPEN = 0, XORB_FULL, XORB_GOING, XORB_THERE, XORB_FAILED };
struct xorb_slot {
  struct xet_hash hash;
  uint32_t raw, stored, at; /* stored 0: not packed yet; at: where its room begins */
};
struct xorb {
  struct xorb *next;       /* in the order of their making */
  const struct xorb *twin; /* the one of the same hash that terms name; itself, mostly */
  struct xet_hash hash;
  enum xorb_state state;
  bool ours;        /* made in this session: it goes into a shard */
  bool in_shard;    /* that is there; slots may be NULL then */
  bool told;        /* by an answer of the global index */
  uint32_t age;     /* of the index, when the last of its chunks came into it */
  uint32_t key;     /* its chunk hashes are hidden behind this key of the index, 0: they are not */
  uint64_t kept_at; /* slots NULL: where recall.c has them */
  struct xorb_slot *slots;
  uint32_t count, room, unpacked; /* unpacked: slots that somebody still packs */
  uint32_t raw, stored;
  struct hf_buf body; /* slots have fixed places until all are packed, then they move together */
};

struct xet_piece_term {
  const struct xorb *xorb;
  uint32_t start, end, raw;
  struct xet_hash verify; /* of the chunks, once the term is complete */
};
struct xet_sent_file {
  struct xet_sent_file *next;
  struct xet_hash hash;
  uint8_t sha256[32];
  struct xet_piece_term *terms;
  uint32_t term_count, term_room;
  struct xet_hash *run; /* chunks of the last term */
  uint32_t run_count, run_room;
};

/* Bytes of a file that are cut, hashed, decided about and packed together. */
struct xet_portion {
  struct xet_portion *next; /* free ones */
  uint8_t *room;            /* XET_CHUNK_MAX for what was left of the piece before, then XET_PIECE */
  uint8_t *data;            /* where its first chunk begins */
  uint64_t number, first;   /* of the file: which piece, which chunk is its first */
  uint32_t count;
  uint32_t len[XET_PIECE_CHUNKS];
  struct xet_hash hash[XET_PIECE_CHUNKS];
  struct { /* new chunks: where they are packed to */
    struct xorb *xorb;
    uint32_t slot;
  } to[XET_PIECE_CHUNKS];
};

struct xet_upload {
  struct xet_cas cas;
  bool bucket;          /* files are known by their Xet hash alone, so it is told */
  pthread_mutex_t lock; /* all below, and what hangs on it */
  pthread_cond_t changed;
  pthread_cond_t full; /* a xorb can be carried away */
  struct known *known;
  struct recall *recall;                      /* NULL: nothing is kept */
  struct xorb *first, *last, *untaken, *open; /* ours, in the order of their making; untaken: none before it is left */
  struct xorb *foreign;
  uint32_t waiting;  /* xorbs with a body */
  uint32_t carriers; /* at work, whose only work it is; they end when there is nothing to carry */
  struct xet_sent_file *files;
  struct xet_portion *pieces, *free_piece;
  uint32_t piece_count;
  struct hf_buf piece_room;
  uint64_t unsaid;  /* bytes of rows of xorbs that are there and in no shard */
  bool saying;      /* such a shard is under way */
  uint64_t answers; /* bytes of the index's answers */
  bool opening;     /* somebody waits for memory for the next xorb */
  bool own_memory;  /* the budget is too small for xorbs */
  bool leaned;      /* a term names a xorb that the memory of earlier runs, not the CAS, told of */
  /* settings; these do not change */
  bool asks, direct; /* the global index; without grants */
  int32_t scheme;    /* of packing, -1: by sample */
  uint32_t grants_most;
  uint64_t shard_most;  /* bytes of new xorbs' rows at which a shard goes up before the end */
  uint64_t answer_most; /* bytes of the index's answers that are on their way, together */
  uint32_t fill;        /* raw bytes of a xorb: several fit into the budget */
  uint32_t bodies;      /* so many */
  uint64_t trouble_ns;  /* since when every request failed; 0: the last one did not */
  uint64_t well_ns;     /* when one did not, last */
  uint32_t wished_ms;   /* waited because the CAS said so, since it last took something */
};

void xet_digest_of(const struct xet_hash *, struct hf_digest *); /* download.c */
hf_status xet_upload_open(hf_call *, const struct hf_tr_batch *, void **session);
hf_status xet_upload_run(hf_call *, void *session, struct hf_tr_file *);
hf_status xet_upload_finish(hf_call *, void *session);
void xet_upload_close(void *session);
void xet_sent_free(struct xet_sent_file *);

/* ---- xorbs.c; under the session's lock ---- */
struct known_at {
  const struct xorb *xorb;
  uint32_t index, raw;
};
/* A xorb of another origin; the twin of an earlier one with this hash. */
struct xorb *xet_xorb_foreign(struct xet_upload *, const struct xet_hash *, uint32_t key);
/* Room for so many bytes in so many chunks before the first slot is taken, so that nobody waits for memory while a xorb waits
 * for him. The lock is given up meanwhile; where there are no carriers, who waits carries away what is full. */
hf_status xet_xorb_reserve(hf_call *, struct xet_upload *, uint32_t raw, uint32_t chunks);
hf_status xet_xorb_slot(hf_call *, struct xet_upload *, const struct xet_hash *, uint32_t raw, struct xorb **,
                        uint32_t *slot);
/* Memory for a xorb or pieces: of the budget, where it has room for any. */
hf_status xet_xorb_body(hf_call *, struct xet_upload *, size_t size, struct hf_buf *);
void xet_xorb_body_free(struct xet_upload *, struct hf_buf *);

/* ---- known.c: chunk -> where it is. Hidden hashes are looked up under each key. ---- */
struct known;
struct known *xet_known_new(uint32_t chunks); /* so many at most */
/* Is it forgotten? */
bool xet_known_is_old(const struct known *, const struct xorb *);
void xet_known_free(struct known *);
/* The key's number for hidden hashes; 0: there are too many. All zero: not hidden, number 0 as well, *ok. */
uint32_t xet_known_key(struct known *, const struct xet_hash *key, bool *ok);
int xet_known_add(struct known *, const struct xet_hash *, struct xorb *, uint32_t index); /* 1: done */
int xet_known_find(struct xet_upload *, const struct xet_hash *, struct known_at *);       /* 1: found */
struct xorb *xet_known_xorb(const struct known *, const struct xet_hash *); /* the first with this hash, or NULL */
int xet_known_name(struct known *, struct xorb *);
/* All chunks of a shard that the global index sent. */
void xet_known_shard(struct xet_upload *, const uint8_t *, size_t len);

/* ---- recall.c: xorbs that the CAS acknowledged and those it told of, in a file for later runs. Nothing here fails. ---- */
struct recall *xet_recall_open(hf_call *, const char *endpoint);
void xet_recall_close(struct recall *);
void xet_recall_load(struct recall *, struct xet_upload *); /* into the index */
/* The slots of a xorb that the index has from here. */
bool xet_recall_slots(struct recall *, struct xorb *);
void xet_recall_keep(hf_call *, struct recall *, const struct xet_hash *xorb, const struct xet_hash *key,
                     const struct xorb_slot *, uint32_t count, uint64_t expires);
/* The CAS does not have what it told of: nothing is believed any more. */
void xet_recall_forget(hf_call *, struct recall *);

/* ---- patience.c ---- */
/* Limits of one request. silence_ms: for req->timeout_ms. */
void xet_patience_limits(struct xet_upload *, struct hf_http_req *);
bool xet_transient(hf_status, const struct hf_http_resp *);
void xet_patience_well(struct xet_upload *);
/* A request that began at began_ns brought nothing: that is trouble since the silence that ended it. Under lock. */
void xet_patience_lost(struct xet_upload *, const struct hf_http_req *, uint64_t began_ns);
/* A request that began at began_ns failed for now: waits, and HF_OK: ask again; else that failure is the end. */
hf_status xet_patience_again(hf_call *, struct xet_upload *, hf_status, const struct hf_http_req *,
                             const struct hf_http_resp *, uint64_t began_ns, uint32_t n);
/* xet_cas_ask, asked again with patience. what: for messages. */
hf_status xet_insist(hf_call *, struct xet_upload *, const char *path, const struct hf_http_req *,
                     struct hf_http_resp *, const char *what);

/* carry.c: takes one full xorb, if there is one, to the CAS. *any: there was. Called without the lock. */
hf_status xet_carry_one(hf_call *, struct xet_upload *, bool *any);
/* A carrier: does nothing else until *left, workers that may fill xorbs, is 0 and nothing can be carried. Called without the
 * lock, under which *left changes. */
hf_status xet_carry_all(hf_call *, struct xet_upload *, const uint32_t *left);
/* commit.c */
hf_status xet_commit(hf_call *, struct xet_upload *);
/* If there are many xorbs in no shard, they get one now. Called without the lock. */
hf_status xet_commit_some(hf_call *, struct xet_upload *);
#endif
