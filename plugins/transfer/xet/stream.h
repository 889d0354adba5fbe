/* stream.h - a range of a xorb as it arrives: a sink that unpacks chunk by chunk, hashes several at once and puts their bytes
 * where they belong in the file. What is stored as it is goes to the file from where it was received. Never more than one
 * packed chunk and one piece of output is in memory, however long the range. After a break it goes on behind the last whole
 * chunk. */
#ifndef XET_STREAM_H
#define XET_STREAM_H
#include "cache.h"
#include "cas.h"
#include "format/recon.h"
#include "format/xorb.h"

struct xet_place { /* a term: its chunks, and where they go */
  uint32_t start, end;
  uint64_t off; /* in the file, of its first byte */
  uint32_t raw;
};

#define XET_STREAM_OUT   ((size_t)1 << 20)
#define XET_STREAM_BYTES (XET_STREAM_OUT + XET_STORED_MAX + (size_t)XET_CHUNK_MAX)

/* What is known of the chunks of a range: hashes, and where each begins in the range's raw bytes (one more: the end). */
struct xet_chunks {
  struct xet_hash *hashes;
  uint32_t *at;
};

struct xet_stream {
  struct hf_sink s; /* what http() writes to; first */
  struct hf_sink *file;
  struct xet_cas *cas;
  const struct xet_range *range;
  struct xet_keep *keep;          /* the cache's entry of what comes; NULL: none */
  const struct xet_hash *expect;  /* of the chunks that are placed next; NULL: not known */
  uint64_t least;                 /* nothing is written before */
  bool ordered;                   /* what was written moves that on */
  uint64_t xorb_size;             /* HF_SIZE_UNKNOWN until an answer says it */
  const struct xet_place *places; /* by start */
  uint32_t place_count, entered;  /* entered: of those, how many have begun */
  uint32_t *open, open_count;     /* the ones that have begun and not ended; room for all */
  struct xet_chunks chunks;
  uint32_t *packed_at; /* where each chunk begins in the range's bytes, and the end; NULL: nobody wants to know */
  uint32_t next;       /* chunk */
  uint64_t consumed;   /* bytes of whole chunks */
  struct xet_record record;
  uint8_t head[XET_RECORD_HEAD];
  size_t head_have, have;
  uint8_t *packed, *scratch, *out; /* of the ticket */
  size_t out_len;
  /* Unpacked and not yet hashed and written: chunks first .. next. */
  uint32_t first, count;
  const void *data[16];
  size_t len[16];
  bool lent;          /* some of them lie in memory that is somebody else's */
  bool stuck;         /* the file did not take them: the stream cannot go on */
  const char *damage; /* why the bytes are wrong: a fresh copy may help */
};
/* memory: XET_STREAM_BYTES. */
void xet_stream_begin(struct xet_stream *, void *memory);
/* Back to the first chunk. */
void xet_stream_reset(struct xet_stream *);
/* The connection broke: what is half there goes. */
void xet_stream_again(struct xet_stream *);
/* Everything has come: was it all, did every term get what it was promised, and if this is a whole xorb, is it the one that
 * was asked for? Writes what is left. */
hf_status xet_stream_end(hf_call *, struct xet_stream *);
/* For ranges that are read in parts. seek: on with this chunk, at packed_at[it]; what is before it is known. stop: chunks up to `end`
 * have come; writes what is left. named: all chunks are known now: is it the xorb that was asked for, if it is a whole one? */
void xet_stream_seek(struct xet_stream *, uint32_t chunk, uint32_t *packed_at);
hf_status xet_stream_stop(hf_call *, struct xet_stream *, uint32_t end);
hf_status xet_stream_named(hf_call *, struct xet_stream *);

/* Chunks from number `chunk` on (n of them, lying at data; chunks.at is known): does every term get what it was promised?
 * Hashes them and writes each wherever a place wants it. In order, from the first chunk of the range. */
hf_status xet_place_chunks(hf_call *, struct xet_stream *, uint32_t chunk, const void *const *data, const size_t *len,
                           uint32_t n);
#endif
