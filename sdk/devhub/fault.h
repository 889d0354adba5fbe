/* fault.h - what can be made to go wrong, when, and for which requests.
 * A fault is text, "kind=cut;after=1000", in a request's X-Devhub-Fault header or in a rule at /_devhub/faults with a
 * match (method, path glob, origin) and a window (nth, count). Kinds and parameters are rows in fault.c. */
#ifndef DEVHUB_FAULT_H
#define DEVHUB_FAULT_H
#include "text.h"
#include <jansson.h>
#include <pthread.h>

struct request;

enum fault_kind {
  FAULT_NONE,
  FAULT_STATUS,
  FAULT_CUT,
  FAULT_STALL,
  FAULT_SLOW,
  FAULT_FLIP,
  FAULT_TRUNCATE,
  FAULT_LENGTH,
  FAULT_EXTRA,
  FAULT_ETAG,
  FAULT_COMMIT,
  FAULT_RANGE,
  FAULT_NORANGE,
  FAULT_RANGE200,
  FAULT_LOOP,
  FAULT_REDIRECT,
  FAULT_BODY,
  FAULT_BIGHEAD,
  FAULT_SLOWHEAD,
  FAULT_CHUNKED,
  FAULT_NOLENGTH,
  FAULT_GZIP,
  FAULT_EMPTY,
  FAULT_DELAY,
  FAULT_BREAK, /* within the body of the request */
  FAULT_HOLD,
  FAULT_HEADER
};

enum { FAULT_ABSENT = -1 };
struct fault {
  enum fault_kind kind;
  const char *kind_name;
  int64_t status, after, offset, length, by, rate, mask; /* FAULT_ABSENT when not given */
  double seconds;                                        /* negative when not given */
  bool reset;                                            /* end with RST instead of FIN */
  bool done;                                             /* a write is carried out before it fails */
  char name[128], value[1024], type[128], location[1024], code[64], message[256], retry_after[64], ratelimit[128];
  char *body; /* owned */
  char method[16], path[256], origin[8];
  int64_t nth, count, seen; /* the rule applies from its nth match on, count times */
};

enum { RULES_MAX = 256 };
struct fault_rules {
  pthread_mutex_t lock;
  struct fault rules[RULES_MAX];
  size_t count;
};

/* Faulted answers are written by threads of their own, which may wait as long as the fault asks. */
struct fault_workers {
  pthread_mutex_t lock;
  pthread_cond_t idle;
  int stop_fd; /* an eventfd: readable once the server stops */
  unsigned running;
  bool stopping;
};

bool dh_fault_text(struct fault *f, const char *text, char problem[256]); /* key=value;key=value */
bool dh_fault_json(struct fault *f, const json_t *rule, char problem[256]);
void dh_fault_free(struct fault *f);
void dh_fault_clear(struct fault_rules *rules);
bool dh_fault_add(struct fault_rules *rules, struct fault *f); /* takes f->body; false: too many rules */
json_t *dh_fault_list(struct fault_rules *rules);
/* The fault for this request, a copy (free it), or kind FAULT_NONE. Looked for twice: early, before a write is carried out,
 * and once there is an answer. */
struct fault dh_fault_find(struct request *r, bool early);
/* Ends a connection now; a reset is sent if the fault wants one. */
void dh_fault_hang_up(struct request *r, const struct fault *f);
/* Whether a fault of this kind can do anything to the answer that was made. */
bool dh_fault_applies(enum fault_kind kind, const struct request *r);
/* Faults that only change the answer are applied here; true: nothing else is to be done. */
bool dh_fault_shape(struct request *r, struct fault *f);
/* The rest: takes the connection over. False: it could not, the answer goes out as it is. */
bool dh_fault_send(struct request *r, struct fault *f);
#endif
