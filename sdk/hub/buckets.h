/* buckets.h - what the files of `hf buckets` share: names of buckets, their files, changes to them.
 * Private to sdk/hub. A bucket has no history and no branches; its files are known by path, and their bytes by a Xet hash.
 * Paths come from the server: nothing is written by them before they are checked. */
#ifndef HUB_BUCKETS_H
#define HUB_BUCKETS_H
#include "rows.h"

#define HF_BUCKET_PREFIX "hf://buckets/"

/* "namespace/name/path", hf://buckets/... or a page of the Hub. */
hf_status hf_hub_bucket_parse(hf_call *, const char *text, struct hf_hub_uri *);
/* Its name alone: a path behind it is refused, as not fit for `what`; without one, `plain` must be namespace/name. */
hf_status hf_hub_bucket_id(hf_call *, const char *text, const char *what, bool plain, const char **id);
/* Makes it; *url: its page. exist_ok: one that is there is fine. */
hf_status hf_hub_bucket_make(struct hf_hub *, const char *id, bool is_private, const char *region, bool exist_ok,
                             const char **url);
const char *hf_hub_bucket_url(struct hf_hub *, const char *id, const char *more);
/* Files and folders below a path, as the server lists them; fn gets what is below it by names, not by letters. */
hf_status hf_hub_bucket_tree(struct hf_hub *, const char *id, const char *path, bool recursive, hf_hub_item_fn,
                             void *arg);
/* "1.5 MB" */
const char *hf_hub_size_words(hf_call *, double bytes);

/* One change: {"type": "addFile", "path": ..}; lines are sent a thousand at a time. */
hf_status hf_hub_bucket_batch(struct hf_hub *, const char *id, const json_t *changes);

/* --include, --exclude, and the lines of a file of rules: the first that fits decides. */
struct hf_bucket_filter {
  hf_call *call;
  const hf_args *args;
  const char **rules; /* "+PATTERN", "-PATTERN" */
  uint32_t count;
};
hf_status hf_hub_bucket_filter(hf_call *, const hf_args *, const char *rules_file, struct hf_bucket_filter *);
bool hf_hub_bucket_wanted(const struct hf_bucket_filter *, const char *path);
hf_status hf_hub_bucket_sync(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_bucket_remove(hf_call *, void *, const hf_args *, hf_out *);
#endif
