/* cas.h - the content-addressed storage of this Hub: xorbs, files made of terms, chunks that may be asked for.
 * Facts are rows of one table by kind and hash (cas_store.c); the bytes of xorbs are blobs like all others. What comes in is
 * checked completely (cas_write.c), so that what goes out (cas_read.c) need not be. Served on the storage origin, below /cas. */
#ifndef DEVHUB_CAS_H
#define DEVHUB_CAS_H
#include "server.h"
#include "shard.h"
#include "xorb.h"

enum cas_kind {
  CAS_XORB = 1,  /* by its hash: sha256 of its bytes; chunk rows */
  CAS_FILE = 2,  /* by its hash: sha256 of the content; term rows of a shard */
  CAS_SHA = 3,   /* by the sha256 of a content: its file hash */
  CAS_CHUNK = 4, /* by the hash of a chunk: a file that has it; only chunks that the global index knows */
  CAS_GRANT = 5, /* by its id: xorb hash; struct cas_grant */
  CAS_HELD = 6   /* by the id of a grant: sha256 of what was put there */
};
struct cas_row {
  char other[65];
  uint8_t *data; /* freed by cas_row_free */
  size_t size;
};
struct cas_chunk { /* data of CAS_XORB: one per chunk */
  struct xet_hash hash;
  uint32_t stored_end, raw_end;
};
struct cas_grant {
  uint64_t length, checksum;
};
int cas_get(struct store *s, enum cas_kind kind, const char *hash, struct cas_row *out); /* STORE_* */
int cas_put(struct store *s, enum cas_kind kind, const char *hash, const char *other, const void *data, size_t size);
/* For what is only needed by the request that follows: nobody waits for the disk. */
int cas_note(struct store *s, enum cas_kind kind, const char *hash, const char *other, const void *data, size_t size);
/* All of them or none, with one wait for the disk. other NULL: that row goes. */
struct cas_change {
  enum cas_kind kind;
  const char *hash, *other;
  const void *data;
  size_t size;
};
int cas_change(struct store *s, const struct cas_change *changes, size_t n);
void cas_row_free(struct cas_row *row);
static inline uint32_t cas_chunks(const struct cas_row *xorb) {
  return (uint32_t)(xorb->size / sizeof(struct cas_chunk));
}
static inline struct cas_chunk cas_chunk_at(const struct cas_row *xorb, uint32_t i) {
  return ((const struct cas_chunk *)(const void *)xorb->data)[i];
}

/* The Xet hash of a content; false: it is not in this storage. */
bool dh_cas_hash(struct store *s, const char *sha256, char out[65]);

/* The CAS token of a request: which repo, and may it write. False: the reply says no. */
bool cas_enter(struct request *r, bool write, int64_t *repo);
bool cas_hash_valid(struct request *r, const char *hash); /* false: the reply says no */
void cas_error(struct request *r, int status, const char *message);

void dh_cas_token(struct request *r);
void dh_cas_reconstruction(struct request *r), dh_cas_chunk(struct request *r), dh_cas_size(struct request *r),
    dh_cas_fetch(struct request *r);
void dh_cas_grant(struct request *r), dh_cas_held(struct request *r), dh_cas_commit(struct request *r),
    dh_cas_xorb(struct request *r), dh_cas_shard(struct request *r), dh_cas_telemetry(struct request *r);
#endif
