/* api.h - what the files of the typed functions share: one call of one, its arguments and the answer that the caller will own.
 * api.c runs a job as an operation and turns its end into a result; the functions of each family fill it in.
 * Private to sdk/hub. */
#ifndef HUB_API_H
#define HUB_API_H
#include "hub.h"

struct hf_hub_owned {
  struct hf_hub_result r; /* first: the caller's pointer */
  struct hf_error error;
  char *cls, *message, *request_id, *url, *path, *json, *id, *sha, *data, *page;
};

struct hf_hub_job {
  hf_runtime *rt;
  const char *repo_id, *name; /* name: file, or type of a list */
  struct hf_hub_opts opts;
  const char *const *targets; /* of hf_cache_delete */
  uint64_t offset;
  size_t len;
  struct hf_hub_owned *out;
};

/* fn gets the job as its argument. */
hf_status hf_hub_job_run(struct hf_hub_job *, const struct hf_hub_opts *, hf_status (*fn)(hf_call *, void *),
                         struct hf_hub_result **);
hf_status hf_hub_job_keep(hf_call *, char **to, const char *text);
hf_status hf_hub_job_give(hf_call *, struct hf_hub_job *, json_t *); /* takes json in every case */
#endif
