/* storage.h - helpers of the storage rules: a file with known content, ways to bring it into the store under judgement, and
 * ways to look at it. All of them end the try with a sentence when the store does not do its part.
 * Content is made from a seed; the etag is its SHA-256, as for a large file on the Hub. */
#ifndef CHECK_STORAGE_H
#define CHECK_STORAGE_H
#include "bench.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct file {
  const char *path, *commit;
  uint64_t size, seed;
  char etag[65];
  struct hf_digest digest;
};
struct file make_file(struct bench *, const char *path, const char *commit, uint64_t size, uint64_t seed);
struct hf_name name_of(struct bench *, const struct file *);
struct hf_key key_of(struct bench *, const struct file *);
struct hf_ingest ingest_of(struct bench *, const struct file *);

struct hf_sink *begin(struct bench *, const struct file *); /* ingest, and the size is said */
void put_range(struct bench *, struct hf_sink *, const struct file *, uint64_t off, uint64_t len);
void put_all(struct bench *, struct hf_sink *, const struct file *);
void *seal(struct bench *, struct hf_sink *, const struct file *);
void publish(struct bench *, void *seal, const struct file *); /* and the row is right */
void store_file(struct bench *, const struct file *);          /* all of the above */

/* HF_OK with a row, HF_ENOTFOUND, or the try ends. */
hf_status find(struct bench *, const struct hf_name *, struct hf_st_file *);
void expect_there(struct bench *, const struct file *); /* found, and every byte is right */
void expect_absent(struct bench *, const struct file *, const char *when);
void expect_source(struct bench *, struct hf_source *, const struct file *); /* reads all, closes */
void open_store(struct bench *); /* and layers around it, where there are any */
void reopen(struct bench *);
bool at_once(struct bench *); /* may its functions be called from several threads? */

/* Rows of one kind, as many as fit; *n counts all. */
struct rows {
  hf_call *c;
  uint32_t n;
  struct hf_ref refs[64];
  struct hf_blob blobs[64];
  struct hf_tree_entry *entries;
  uint32_t room;
  char text[4096];
};
hf_slot *collect(struct bench *, uint32_t what, struct rows *);
#endif
