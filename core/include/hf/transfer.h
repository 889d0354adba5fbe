/* hf/transfer.h - moves the bytes of a batch of files from or to a server.
 * The dispatcher asks every adapter's score for the batch and takes the highest; when an adapter fails or stalls in
 * mid-file, the next one is opened and run() for the same file: its sink knows what is still missing. An adapter moves
 * bytes through host->http() and the sink or source; retries, credentials, digests, journals and publishing are not its
 * business. What it may do itself is re-plan: ask refresh() for a new URL, split a range again, pace with backoff().
 *
 * Life of a session: open -> run(file) from several threads (PER_OBJECT: one at a time) -> finish -> close. close comes
 * in every case after a successful open, after every run has returned. */
#ifndef HF_TRANSFER_H
#define HF_TRANSFER_H
#include <hf/plugin.h>
#include <hf/io.h>

enum {
  HF_TR_DOWNLOAD = 1,
  HF_TR_UPLOAD = 2,
  HF_TR_RANGES = 4, /* fetches parts of a file in parallel */
  HF_TR_RESUME = 8, /* asks the sink what is missing */
  HF_TR_DEDUP = 16, /* does not move bytes the other side has */
  HF_TR_BATCH = 32, /* works better on many files at once */
  HF_TR_ATTESTS = 64 /* since 1.1: hashes all bytes of files with a xet_hash and says so by sink->attest() */
};

/* An older version of a file that is at hand, for adapters that move only differences. */
struct hf_tr_base { /* rows: may grow */
  struct hf_source *source;
  const char *xet_hash;
};

/* One part of a multipart upload. */
struct hf_tr_part { /* FROZEN */
  const char *url;
  uint64_t off, len;
};

struct hf_tr_file {
  uint32_t struct_size, flags;
  const char *path;        /* in the repo; for messages */
  const char *url;         /* where the bytes are, or go; the host knows which credentials belong there */
  const char *etag;        /* NULL: unknown */
  const char *xet_hash;    /* 64 hex digits, NULL: not a Xet file */
  uint64_t size;           /* HF_SIZE_UNKNOWN possible on download */
  struct hf_digest digest; /* algo NONE: unknown. Upload, since 1.1: may be unknown until the source was read once, in
                              order; it is set before the last pread returns. Upload to a bucket (repo_type "bucket"), since
                              1.1: an adapter of HF_TR_ATTESTS puts the Xet hash here, the only name the file will have */
  struct hf_sink *sink;    /* download: set before run(), NULL in open() and score() */
  struct hf_source *source; /* upload: likewise */
  struct hf_table bases;   /* rows: struct hf_tr_base */
  struct hf_table parts;   /* rows: struct hf_tr_part; upload in parts, complete_url ends it */
  const char *complete_url;
  void *host;              /* the host's own */
  /* Since 1.1, upload: what each part was named by the server that has it, NULL for one that is still to be sent (NULL:
   * all are); headers (rows: struct hf_kv) for every request to url or to a part. */
  const char *const *part_etags;
  struct hf_table headers;
};

struct hf_tr_batch {
  uint32_t struct_size, direction; /* HF_TR_DOWNLOAD or HF_TR_UPLOAD */
  const char *repo_type, *repo_id, *revision, *endpoint;
  const char *token_url;           /* Xet: where a CAS token is to be had (host->http knows the credentials); or NULL */
  struct hf_tr_file *const *files; /* the host's; at least as long as the session */
  uint32_t count;
  uint32_t width; /* files at once that the user allows, 0: free choice */
  /* The URL of a file expired or was refused: puts a fresh one (HF_PUT_URL). NULL: there is none to be had. */
  hf_status (*refresh)(hf_call *, const struct hf_tr_batch *, struct hf_tr_file *, const char **url);
  void *host; /* the host's own */
  /* Since 1.1, upload: the server has this part and named it so. The host remembers it: the part is not sent again, by
   * whichever adapter goes on. Any thread. NULL: nobody wants to know. */
  hf_status (*part_done)(hf_call *, const struct hf_tr_batch *, struct hf_tr_file *, uint32_t part, const char *etag);
};

struct hf_transfer {
  struct hf_module m;
  /* How well this batch suits: 0 cannot, 100 ordinary, more is better. No I/O. */
  int32_t (*score)(hf_call *, const struct hf_tr_batch *);
  hf_status (*open)(hf_call *, const struct hf_tr_batch *, void **session);
  /* Moves one file. Download: HF_OK when sink->missing() is empty. Upload: HF_OK, or HF_PENDING when finish() decides. */
  hf_status (*run)(hf_call *, void *session, struct hf_tr_file *);
  /* Ends the batch's work (upload: files that were HF_PENDING are now there). */
  hf_status (*finish)(hf_call *, void *session);
  void (*close)(void *session);
};
#endif
