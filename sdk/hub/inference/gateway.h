/* gateway.h - `hf inference serve` as its parts see it: what it was started with, and one exchange with a client.
 * An exchange is an operation that writes into a buffer, which the HTTP server empties.
 * gateway.c is the buffer and the command, gateway_ask.c what a request means. */
#ifndef INF_GATEWAY_H
#define INF_GATEWAY_H
#include <pthread.h>

#include "front.h"
#include "infer.h"

struct gateway { /* as started; never changes */
  hf_runtime *rt;
  const char *provider, *model, *base_url, *api_key_env, *bill_to;
  uint32_t timeout_ms, first_ms;
};

struct exchange {
  const struct gateway *g;
  char *path, *body;
  size_t body_len;
  hf_op *op;
  pthread_mutex_t lock;
  int news; /* an eventfd: readable when something changed */
  uint32_t status;
  bool stream, ended, canceled;
  char *data;
  size_t at, len, cap;
};

/* What is said to the client. The first of them decides the status. */
hf_status gateway_answer(hf_call *, struct exchange *, uint32_t status, json_t *); /* takes json: the whole answer */
hf_status gateway_event(hf_call *, struct exchange *, const json_t *);             /* NULL: [DONE] */
hf_status gateway_error(hf_call *, struct exchange *, uint32_t status, const char *code, const char *message);

/* gateway_ask.c: runs one exchange. */
hf_status gateway_run(hf_call *, void *exchange);
#endif
