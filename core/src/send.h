/* send.h - what the dispatcher of uploads knows of the sources that it sends from.
 * One struct send lives for one hf_send(); the rest is private to send.c.
 * Private to core/src. */
#ifndef HF_SEND_H
#define HF_SEND_H
#include "adapters.h"

/* Bytes given so far by a source of hf_source_check(), again and again included. */
uint64_t hf_source_moved(const struct hf_source *);
#endif
