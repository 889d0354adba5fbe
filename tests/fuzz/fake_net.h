/* fake_net.h - the network of scripted answers for fuzz targets that speak to a Hub.
 * Linked in front of the library it takes the place of netstack.c.
 * The script is changed while it is read. */
#ifndef HF_FAKE_NET_H
#define HF_FAKE_NET_H
#include "fuzz.h"

/* A token of the Hub: a request that carries it anywhere but to the Hub and its router ends the program. */
#define FAKE_NET_SECRET "hf_fuzzSecret"

void fake_net_script(char *text); /* the caller's memory, until the operation has ended */
/* Runs the operation while the script answers, with one try for each request and the secret as token. It must end within its
 * deadline, with JSON records, and say why if it failed, without the secret. */
void fake_net_run(const char *task, const char *args, const struct hf_kv *option, const uint8_t *answers, size_t size);
#endif
