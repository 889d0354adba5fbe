/* hf/io.h - bytes in and out, by offset, in any order: the sink a file is received into, the source a file is sent from.
 * Stores implement them; adapters use the core's wrapped ones, which add bounds, progress, digests and the block journal
 * and then call the store's. Integrity is the core's: neither adapter nor store is trusted with it.
 * Unless said otherwise functions may be called from several threads at once within the store's thread model. */
#ifndef HF_IO_H
#define HF_IO_H
#include <hf/abi.h>

#define HF_SIZE_UNKNOWN UINT64_MAX

struct hf_range { /* FROZEN */
  uint64_t off, len;
};
struct hf_iov { /* FROZEN */
  const void *base;
  size_t len;
};
struct hf_leaf { /* FROZEN; since 1.1: a piece of a file and its hash, by whatever tree the file's own hash is made of */
  uint64_t off, len;
  uint8_t hash[32];
};
struct hf_span { /* FROZEN: memory lent by a sink or mapped by a source */
  void *base;
  size_t len;
  uint64_t off;
  void *cookie; /* the lender's */
};

enum {
  HF_DIGEST_NONE = 0,
  HF_DIGEST_SHA256 = 1,   /* 32 bytes */
  HF_DIGEST_GIT_BLOB = 2, /* 20 bytes: SHA-1 of "blob SIZE\0" and the content */
  HF_DIGEST_XET = 3       /* 32 bytes: the Merkle file hash, in the order in which it is printed */
};
struct hf_digest { /* FROZEN */
  uint32_t algo, len;
  uint8_t bytes[32];
};

/* What a sink can do; a store sets what is true of its sinks, the core emulates the rest for adapters. */
enum {
  HF_IO_ANY_ORDER = 1,  /* writev takes offsets in any order; otherwise strictly ascending without holes */
  HF_IO_CONCURRENT = 2, /* writev and pread from several threads at once, on disjoint ranges */
  HF_IO_READ_BACK = 4,  /* pread works on what was written */
  HF_IO_LENDS = 8,      /* lend/commit/drop are worth using */
  HF_IO_RESUMES = 16    /* bytes and note of an earlier, interrupted attempt are still there */
};

/* One file being received. Created by a store's ingest(); ended by exactly one seal() or abort(). */
struct hf_sink {
  uint32_t struct_size, caps;
  uint64_t size; /* bytes of the whole file, HF_SIZE_UNKNOWN until set_size(); changed by set_size() only */

  /* The size became known (from the answer that carries the bytes). Once only; again with the same value is fine, with
   * another value HF_EPROTO. A store may reserve the space here and answers HF_ENOSPACE before the first byte. */
  hf_status (*set_size)(hf_call *, struct hf_sink *, uint64_t size);

  /* Which ranges are still absent, ascending, not adjacent; *n is the room in and the number out (the first *n when
   * there are more). A fresh sink has one range, a resumed one has the rest: resume is not a mode. A sink of unknown
   * size answers {contiguous bytes held, HF_SIZE_UNKNOWN}. Stores leave this NULL: the core knows from its journal. */
  hf_status (*missing)(hf_call *, struct hf_sink *, struct hf_range *, uint32_t *n);

  /* All bytes or an error. A range that was written before may be written again with any bytes until seal(). */
  hf_status (*writev)(hf_call *, struct hf_sink *, uint64_t off, const struct hf_iov *, uint32_t n);

  /* Reads back what was written; *got < len only at the end of what is there. */
  hf_status (*pread)(hf_call *, struct hf_sink *, void *buf, size_t len, uint64_t off, size_t *got);

  /* Memory of at least len bytes to fill in place, for range [off, off+len); then exactly one of commit (len bytes of
   * it are good) or drop. From the memory budget, never a mapping of the target. */
  hf_status (*lend)(hf_call *, struct hf_sink *, uint64_t off, size_t len, struct hf_span *);
  hf_status (*commit)(hf_call *, struct hf_sink *, struct hf_span *, size_t len);
  void (*drop)(struct hf_sink *, struct hf_span *);

  /* Wrapped sinks only (stores leave it NULL): the bytes of [off, off+len) were checked by the adapter and have this
   * hash. The core journals leaves, so that a later run can re-hash what lies on disk instead of fetching it. */
  hf_status (*leaf)(hf_call *, struct hf_sink *, uint64_t off, uint64_t len, const uint8_t hash[32]);

  /* Stores only: a small private note kept beside the partial file, which survives with it. The core keeps its journal
   * there. read: *got bytes from off; write: at off, extending it; a length of 0 truncates the note at off. NULL where
   * nothing survives. */
  hf_status (*note_read)(hf_call *, struct hf_sink *, void *buf, size_t len, uint64_t off, size_t *got);
  hf_status (*note_write)(hf_call *, struct hf_sink *, const void *buf, size_t len, uint64_t off);

  /* Start or finish making what was written durable. wait = 0: begin write-back and return; 1: durable on return. */
  hf_status (*checkpoint)(hf_call *, struct hf_sink *, int32_t wait);

  /* Stores only: the core has verified the bytes. The sink ends in every case; on success *seal is what publish() takes
   * (or discard()), and the file is still invisible. `is` is the digest that was computed, algo NONE if none was. */
  hf_status (*seal)(hf_call *, struct hf_sink *, const struct hf_digest *is, void **seal);

  /* Stores only: ends the sink without a file. keep_partial: bytes and note stay for a later ingest() of the same. */
  void (*abort)(struct hf_sink *, int32_t keep_partial);

  /* Since 1.1, wrapped sinks only; NULL elsewhere.
   * forget: bytes of [off, off+len) turned out to be wrong; they are missing again.
   * leaves: what leaf() was told of bytes that are held, in earlier runs too: leaves that begin at or behind `from`,
   * ascending; *n is the room in and the number out. What lies on disk may have changed since: hash it before it counts.
   * attest: every byte of the file was hashed by the caller, each piece told by leaf() after it was written, and together
   * they have this digest (algo HF_DIGEST_XET). If it is the one that the file must have, no other one is computed when the
   * file is sealed. HF_EDIGEST: it is not. HF_ENOSYS: the leaves do not make up the file, or its hash is not known: nothing
   * is lost, the host verifies by its own digest. For adapters of HF_TR_ATTESTS. */
  hf_status (*forget)(hf_call *, struct hf_sink *, uint64_t off, uint64_t len);
  hf_status (*leaves)(hf_call *, struct hf_sink *, uint64_t from, struct hf_leaf *, uint32_t *n);
  hf_status (*attest)(hf_call *, struct hf_sink *, const struct hf_digest *);
};

/* One file being sent or read. Ended by close(). */
struct hf_source {
  uint32_t struct_size, caps; /* HF_IO_CONCURRENT: pread from several threads at once */
  uint64_t size;              /* HF_SIZE_UNKNOWN for a pipe: then pread must ascend without holes */
  const char *name;           /* for messages; lives as long as the source */

  /* *got < len only at the end. A file that changed since it was opened is HF_ECONFLICT. */
  hf_status (*pread)(hf_call *, struct hf_source *, void *buf, size_t len, uint64_t off, size_t *got);
  void (*close)(struct hf_source *);
};
#endif
