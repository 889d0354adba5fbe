/* jobs_uv.h - a Python script as a job: `uv run` in a container, with the script and the files that it is given.
 * Private to sdk/hub. Files from here reach the job through a bucket of its owner, mounted at HF_UV_MOUNT.
 * A script that is an address is fetched once, here. */
#ifndef HUB_JOBS_UV_H
#define HUB_JOBS_UV_H
#include "jobs.h"

#define HF_UV_IMAGE "ghcr.io/astral-sh/uv:python3.12-bookworm"
#define HF_UV_MOUNT "/data"

struct hf_uv_script {
  const char *name;  /* as it was typed: file, address, or command */
  const char *saved; /* of an address: the name of its file */
  char *data;        /* malloc'ed */
  size_t len;
};
/* Looks at the script: an address is fetched. A script that carries settings for jobs is refused. */
hf_status hf_hub_uv_read(struct hf_hub *, const char *script, struct hf_uv_script *);
void hf_hub_uv_free(struct hf_uv_script *);
/* Sends the files, adds the bucket to *volumes, and makes the command: ["uv", "run", ..]. */
hf_status hf_hub_uv_command(struct hf_hub *, const hf_args *, const struct hf_uv_script *, const char *space,
                            json_t **command, json_t **volumes);
#endif
