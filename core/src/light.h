/* light.h - light operations: jobs with a stack of their own, many of them on two threads. Where one waits (for the network,
 * a while, another operation) it gives its thread to the next, so that a thousand waiting streams hold no worker.
 * A light job stays on the thread that it began on. Private to core/src; the network module gets these as functions. */
#ifndef HF_LIGHT_H
#define HF_LIGHT_H
#include "call.h"

struct hf_light;
struct hf_light *hf_light_new(void);
/* Runs the job, sooner or later; HF_ENOMEM: it cannot. Starts the threads when it is the first. */
hf_status hf_light_add(struct hf_light *, struct hf_job *);
void hf_light_free(struct hf_light *); /* every job has ended */

void *hf_light_self(void); /* the light job that is running on this thread; NULL: none is */
/* The running one waits until it is woken or that time (of hf_now_ns()) has come; a wake that came before counts. */
void hf_light_park(uint64_t until_ns);
void hf_light_wake(void *self);   /* from any thread, while the job lives */
uint32_t *hf_light_nesting(void); /* a counter of the running light job, else of the thread */
#endif
