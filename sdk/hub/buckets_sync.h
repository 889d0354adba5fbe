/* buckets_sync.h - what the files of `hf sync` share: a plan, that is what is to happen to each path, and why.
 * Private to sdk/hub. Times are microseconds since 1970; what is not known is NO_TIME or NO_SIZE.
 * A plan can be kept as lines of JSON and carried out later. */
#ifndef HUB_BUCKETS_SYNC_H
#define HUB_BUCKETS_SYNC_H
#include "buckets.h"

#define HF_NO_TIME INT64_MIN
#define HF_NO_SIZE INT64_MIN

enum hf_sync_action { HF_SYNC_SKIP, HF_SYNC_UPLOAD, HF_SYNC_DOWNLOAD, HF_SYNC_DELETE };
struct hf_sync_op {
  enum hf_sync_action action;
  const char *path, *reason, *hash; /* relative; hash NULL: not known */
  int64_t size, local_us, remote_us;
};
struct hf_sync_plan {
  const char *source, *dest, *timestamp;
  struct hf_sync_op *ops;
  size_t count, room;
};
hf_status hf_hub_sync_add(hf_call *, struct hf_sync_plan *, const struct hf_sync_op *);
/* Compares both sides and fills the plan. */
hf_status hf_hub_sync_compare(struct hf_hub *, const hf_args *, struct hf_sync_plan *);
/* buckets_plan.c */
hf_status hf_hub_plan_lines(hf_call *, const struct hf_sync_plan *, char **text, size_t *len); /* free(*text) */
hf_status hf_hub_plan_load(hf_call *, const char *file, struct hf_sync_plan *);
/* uploads, downloads, deletes, skips */
void hf_hub_plan_counts(const struct hf_sync_plan *, size_t counts[4]);

/* buckets_move.c: bytes by Xet, which is all that a bucket has. */
struct hf_bucket_item {
  const char *path, *local; /* in the bucket, here; local NULL on upload: `source` */
  const char *hash;         /* 64 hex digits; download: NULL: it is asked for, upload: written */
  int64_t size;
  const void *data; /* instead of a local file */
};
hf_status hf_hub_bucket_fetch(struct hf_hub *, const char *id, struct hf_bucket_item *, uint32_t count);
/* The same for one file, to stdout when it is whole. */
hf_status hf_hub_bucket_pipe(struct hf_hub *, const char *id, struct hf_bucket_item *, hf_out *);
/* Sends the bytes, and adds {"type": "addFile", ..} of each to `changes`. */
hf_status hf_hub_bucket_send(struct hf_hub *, const char *id, struct hf_bucket_item *, uint32_t count, json_t *changes);
/* buckets_cp.c: files of a repo or bucket into a bucket; one file from here. */
hf_status hf_hub_bucket_copy(struct hf_hub *, const char *src, const char *dst, const struct hf_hub_uri *from,
                             const struct hf_hub_uri *to);
hf_status hf_hub_bucket_put(struct hf_hub *, const char *id, struct hf_bucket_item *);
#endif
