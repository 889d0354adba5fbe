/* endpoints.h - what the files of `hf endpoints` share: the two hosts of Inference Endpoints, whose they are, how a failure ends.
 * Private to sdk/hub. The token of the Hub goes to these hosts for the call that asks them, and to no other.
 * A request that fails with a status ends the program with that status, as the reference does. */
#ifndef HUB_ENDPOINTS_H
#define HUB_ENDPOINTS_H
#include "rows.h"

#define HF_ENDPOINTS_API     "https://api.endpoints.huggingface.cloud"
#define HF_ENDPOINTS_CATALOG "https://endpoints.huggingface.co"

/* --namespace, else the name of who asks. */
hf_status hf_hub_endpoints_space(struct hf_hub *, const hf_args *, const char **space);
/* The address of a route with {namespace} and {name} filled in; NULL: error set. */
const char *hf_hub_endpoints_url(hf_call *, const char *path, const char *space, const char *name);
/* One request with the token; the answer is an object. body is taken. */
hf_status hf_hub_endpoints_ask(struct hf_hub *, const char *method, const char *url, json_t *body, json_t **answer);
/* An answer as it is, which must be an object; taken. */
hf_status hf_hub_endpoints_show(hf_call *, hf_out *, const char *url, json_t *answer);
/* "WHAT failed: ...", and the status of the answer as exit code; other errors stay as they are. */
hf_status hf_hub_endpoints_failed(hf_call *, const char *what, hf_status);
/* endpoints_list.c */
hf_status hf_hub_endpoints_list(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_endpoints_hardware(hf_call *, void *, const hf_args *, hf_out *);
/* endpoints_catalog.c */
hf_status hf_hub_endpoints_catalog(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_endpoints_from_catalog(hf_call *, void *, const hf_args *, hf_out *);
/* endpoints_deploy.c */
hf_status hf_hub_endpoints_deploy(hf_call *, void *, const hf_args *, hf_out *);
hf_status hf_hub_endpoints_update(hf_call *, void *, const hf_args *, hf_out *);
#endif
