/* cache.h - the chunk cache: chunks of xorbs that were fetched, in files below HF_XET_CACHE/libhf/chunks, for later downloads of
 * this and of other processes. Off unless HF_XET_CHUNK_CACHE_SIZE_BYTES says how much it may hold.
 * What lies there is believed only chunk by chunk, after hashing it again; nothing here fails a download. */
#ifndef XET_CACHE_H
#define XET_CACHE_H
#include "plugin.h"
#include "format/hash.h"

#include <pthread.h>
#include <stdbool.h>

enum { XET_CACHE_PATH = 4096, XET_CACHE_NAME = 128 };

struct xet_cache {
  char folder[XET_CACHE_PATH - XET_CACHE_NAME - 8];
  char endpoint[17]; /* part of names: servers are not mixed */
  uint64_t most;
  pthread_mutex_t lock; /* told */
  bool told;
};
/* NULL: it is off. */
struct xet_cache *xet_cache_open(hf_call *, const char *endpoint);
void xet_cache_close(struct xet_cache *);
/* The folder of a xorb's entries, one of 256; make: is created. */
bool xet_cache_folder(const struct xet_cache *, const struct xet_hash *xorb, bool make, char path[XET_CACHE_PATH]);

/* ---- cache.c: reading ---- */
struct xet_cached { /* chunks [start, end) of a xorb, in an open file */
  int fd;
  uint32_t start, end;
  uint32_t *at; /* where each chunk begins in the file, and the end */
  struct xet_hash *hashes;
  char path[XET_CACHE_PATH];
};
/* The entry that has this chunk and most of those behind it, up to `end`. */
bool xet_cache_find(const struct xet_cache *, const struct xet_hash *xorb, uint32_t chunk, uint32_t end,
                    struct xet_cached *);
/* used: it is the newest now; bad: its bytes are not what it says, and it goes. */
void xet_cached_close(struct xet_cached *, bool used, bool bad);
/* Nothing of these xorbs is believed any more. */
void xet_cache_forget(const struct xet_cache *, const struct xet_hash *xorbs, uint32_t n);

/* ---- cache_keep.c: writing ---- */
struct xet_keep;
/* Chunks of the xorb from `start` on, as they come. least: bytes that it will have at least. NULL: it is not kept. */
struct xet_keep *xet_keep_begin(hf_call *, struct xet_cache *, const struct xet_hash *xorb, uint32_t start,
                                uint64_t least);
/* n chunks; at: where they begin, counted from anywhere. */
void xet_keep_chunks(hf_call *, struct xet_keep *, uint64_t at, const void *const *data, const size_t *len,
                     const struct xet_hash *, uint32_t n);
/* From the first chunk again. */
void xet_keep_again(struct xet_keep *);
/* good: it becomes an entry; else it is gone. NULL is fine. */
void xet_keep_end(struct xet_keep *, bool good);

/* ---- cache_room.c: the size of it all, under a lock between processes ---- */
/* Makes the file `to` bytes long, which has `from` so far; entries that were not used for the longest time go for it. */
bool xet_room_take(const struct xet_cache *, int fd, uint64_t from, uint64_t to);
/* The file that had `from` bytes has `to`, and is called by its new name (NULL: is gone). */
bool xet_room_settle(const struct xet_cache *, int fd, uint64_t from, uint64_t to, const char *path, const char *name);

/* ---- the form of an entry: chunks, then a row for each, then this ---- */
#define XET_CACHE_MAGIC UINT32_C(0x31434b58)
struct xet_cache_row { /* 36 bytes */
  uint8_t hash[32];
  uint32_t len;
} __attribute__((packed));
struct xet_cache_tail {
  uint32_t magic, start, count, raw;
  uint8_t xorb[32];
  uint64_t check; /* of the rows and of what is before it */
} __attribute__((packed));
uint64_t xet_cache_check(const struct xet_cache_row *, const struct xet_cache_tail *);
#endif
