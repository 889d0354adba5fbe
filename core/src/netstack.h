/* netstack.h - the loaded network module and what all requests of a runtime share: rewrite rules, and per origin the time
 * before which nothing is sent because the server asked for patience.
 * Made at the first request or digest (netstack.c); used by http.c, digest.c and backoff.c. */
#ifndef HF_NETSTACK_H
#define HF_NETSTACK_H
#include "core.h"

/* The module; NULL with an error on the call. Digests need no more than this. */
const struct hf_net *netstack_module(hf_call *);
/* The opened stack behind it. */
hf_status netstack_open(hf_call *, const struct hf_net **, void **stack);
uint32_t netstack_random(hf_call *); /* also without the module */

/* Nothing goes to the URL's origin before so many ms have passed; waits until that is over. */
void netstack_hold(hf_call *, const char *url, uint64_t ms);
hf_status netstack_wait(hf_call *, const char *url);

/* backoff.c: pause before repetition n (1, 2, ...), in ms: doubled from 1 s up to cap, then jittered downwards. */
uint64_t backoff_ms(uint32_t n, uint32_t cap_ms, uint32_t random);
/* The server's wish plus up to one second, so that those who wait for the same moment spread. */
uint64_t backoff_wish_ms(uint32_t wish_ms, uint32_t random);
#endif
