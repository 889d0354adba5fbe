/* repos_admin.h - what repos_admin.c and repos_create.c share: pieces of the payloads that make and change repos.
 * Private to these two.
 * A body is a JSON object that grows by members; what cannot be a member is a ValueError. */
#ifndef HUB_REPOS_ADMIN_H
#define HUB_REPOS_ADMIN_H
#include "hub.h"

/* Takes the value in every case. */
hf_status hf_hub_put(hf_call *, json_t *body, const char *key, json_t *value);
/* "ns/name": name and organization, null without one. */
hf_status hf_hub_put_names(hf_call *, json_t *body, const char *id);
/* --private, --public, --protected; *out NULL: none of them. */
hf_status hf_hub_visibility(hf_call *, const hf_args *, const char **out);
hf_status hf_hub_run_create(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_run_duplicate(hf_call *, void *, const hf_args *, hf_out *);
#endif
