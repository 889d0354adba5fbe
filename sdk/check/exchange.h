/* exchange.h - the other end of a provider's requests: a server on loopback that stands for every https host, keeps what it is
 * sent and answers from a list, or always with the same.
 * One per process; HF_URL_REWRITE leads to it. */
#ifndef CHECK_EXCHANGE_H
#define CHECK_EXCHANGE_H
#include <jansson.h>

#include "bench.h"

#define CHECK_KEY "check-key"

struct received {
  char *method, *url, *body; /* url as it was meant: "https://api.example.com/v1/x?y" */
  json_t *headers;           /* names in lower case */
  size_t body_len;
};
bool exchange_start(void); /* before the runtime: sets the environment */
/* Answers from now on: elements of an array, in order, then 404. NULL: `always` to everything, up to so many times. A look-up of
 * the model on the Hub is answered by itself: the provider has it under that name, for that task. */
void exchange_script(json_t *answers, json_t *always, uint32_t times, const char *provider, const char *name,
                     const char *task);
size_t exchange_received(const struct received **); /* since the last script */

#endif
