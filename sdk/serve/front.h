/* front.h - the seam between the library and its HTTP server hf-serve.so (libmicrohttpd), loaded for `hf inference serve` only.
 * The module listens, refuses what must not come in, bounds what does, and notices when a client goes away; what a request
 * means is the library's. Loaded from the library folder, never from the plugin search path: it sees every request. */
#ifndef HF_FRONT_H
#define HF_FRONT_H
#include <hf/abi.h>
#include <stdbool.h>
#include <sys/types.h>

#define HF_FRONT_FILE   "hf-serve.so"
#define HF_FRONT_SYMBOL "hf_front_v1"
#define HF_FRONT_ABI    1u

struct front_request {
  const char *path; /* decoded, without query */
  const char *body; /* NULL: a GET */
  size_t len;
};

/* What the library answers with. Called on threads of the module, for one exchange from one at a time. */
struct front_calls {
  void *(*begin)(void *arg, const struct front_request *); /* NULL: out of memory */
  int (*fd)(void *exchange);                               /* readable when there is something new */
  /* True once it is known what the answer is. A stream's body comes over time, others are whole by then. */
  bool (*head)(void *exchange, uint32_t *status, bool *stream);
  ssize_t (*take)(void *exchange, char *out, size_t room); /* bytes; 0: nothing yet; -1: the end */
  void (*end)(void *exchange);                             /* what still runs for it is cancelled */
};

struct front_config {
  uint32_t struct_size;
  uint16_t port; /* 0: a free one */
  bool anywhere; /* the address may be one that other machines reach */
  const char *host;
  const char *key; /* what clients must send as bearer token; NULL: nothing */
  uint64_t body_max;
  uint32_t active_max; /* exchanges at once */
  const struct front_calls *calls;
  void *arg;
};

struct hf_front {
  uint32_t abi, struct_size;
  hf_status (*open)(const struct front_config *, void **front, uint16_t *port, char *why, size_t room);
  void (*close)(void *front); /* ends every exchange; NULL is fine */
};
#endif
