/* cache.h - what the cache commands share: the content of a store as a model, what is chosen to go, and the steps for it.
 * cache_scan.c reads a store, cache_plan.c chooses and counts; both know nothing of command lines or disks.
 * Strings live in the call's arena. */
#ifndef HF_HUB_CACHE_MODEL_H
#define HF_HUB_CACHE_MODEL_H
#include "hub.h"

struct hf_cache_blob {
  uint64_t size;
  const char *shared; /* bytes of the shared store, NULL: its own */
  uint32_t flags;     /* HF_HF_* */
  bool known, kept, goes;
};
struct hf_cache_file {
  const char *path;
  uint32_t blob; /* in the model's blobs */
  bool chosen;
};
struct hf_cache_revision {
  const char *commit, *folder;
  const char *const *refs; /* ascending */
  uint32_t ref_count;
  uint32_t first, count; /* of files */
  uint64_t size;
  double modified;
  bool chosen;
};
struct hf_cache_repo {
  struct hf_repo repo;
  const char *id, *folder; /* id: "model/ns/name" */
  uint32_t first, count;   /* of revisions, by commit */
  uint32_t first_blob, blob_count;
  const char *const *refs;    /* of all revisions, ascending */
  uint32_t ref_count, chosen; /* chosen: how many revisions */
  uint64_t size, blobs;
  double accessed, modified;
};
struct hf_cache_part { /* an unfinished file, or shared bytes */
  const char *name;
  struct hf_repo repo;
  uint64_t size, users; /* users: of shared bytes */
  uint32_t flags;
  uint32_t going; /* users that the plan removes */
};
struct hf_cache {
  hf_call *call;
  struct hf_cache_repo *repos; /* by id */
  struct hf_cache_revision *revisions;
  struct hf_cache_file *files;
  struct hf_cache_blob *blobs;
  struct hf_cache_part *partials, *shared; /* shared: by name */
  const char **problems;
  uint32_t repo_count, revision_count, file_count, blob_count, partial_count, shared_count, problem_count;
  uint64_t total, partial_size, unused_size;
  uint32_t unused_count; /* shared bytes that nobody needs */
};
/* The store of the options, NULL: --store, HF_STORE or the Hub cache. */
hf_status hf_cache_store(hf_call *, const char *cache_dir, hf_store **);
/* flags: HF_SCAN_*. */
hf_status hf_cache_read(hf_call *, hf_store *, const struct hf_repo *, uint32_t flags, struct hf_cache *);
void hf_cache_free(struct hf_cache *);

/* What is chosen to go. */
struct hf_cache_choice {
  const char **missing, **labels; /* labels: files, "model/ns/name@COMMIT/path", ascending */
  uint32_t missing_count, label_count;
  uint32_t repos, revisions, partial_revisions; /* whole repos, all revisions, those of repos that stay */
  uint64_t freed;
};
/* Targets as people write them: TYPE/NAME, hf:// addresses of repos or files, commits. */
hf_status hf_cache_choose(struct hf_cache *, const char *const *targets, uint32_t count, struct hf_cache_choice *);
/* Revisions without a ref. */
hf_status hf_cache_choose_detached(struct hf_cache *, struct hf_cache_choice *);
/* What interrupted removals have left of repos that are named and have no revision any more. */
hf_status hf_cache_sweep(struct hf_cache *, hf_store *, const char *const *targets, uint32_t count);
/* Removes what is chosen; leftovers: unfinished files and shared bytes without users too. */
hf_status hf_cache_remove(struct hf_cache *, hf_store *, bool leftovers);

/* ---- cache_words.c: numbers and times as the reference writes and reads them ---- */
const char *hf_cache_size(hf_call *, uint64_t);     /* "19.0", "1.0M" */
const char *hf_cache_since(hf_call *, double then); /* "2 weeks ago" */
double hf_cache_now(void);
/* NULL: *out is set; else what is wrong. */
const char *hf_cache_parse_size(hf_call *, const char *, double *out);
const char *hf_cache_parse_time(hf_call *, const char *, double *out);

hf_status hf_cache_run_list(hf_call *, void *state, const hf_args *, hf_out *);
hf_status hf_cache_run_rm(hf_call *, void *state, const hf_args *, hf_out *);
hf_status hf_cache_run_prune(hf_call *, void *state, const hf_args *, hf_out *);
hf_status hf_cache_run_verify(hf_call *, void *state, const hf_args *, hf_out *);
/* Everything as one object, for programs. */
json_t *hf_cache_json(const struct hf_cache *);
#endif
