/* cas.h - talking to the content-addressed store (CAS): its address and token, requests to it, how many at once, and whether it
 * is still worth asking. One per session of the adapter, shared by all of its files.
 * The token is short-lived and goes to the CAS only; signed addresses carry their own right and get nothing. */
#ifndef XET_CAS_H
#define XET_CAS_H
#include "plugin.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct xet_grant { /* one answer of the token route; kept until the session ends, since others may be reading it */
  struct xet_grant *older;
  char *url, *bearer;
  uint64_t expires;     /* Unix seconds, by the server's clock */
  uint64_t obtained_ns; /* by ours that never jumps */
};

struct xet_cas {
  const struct hf_tr_batch *batch;
  char session_id[37];
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct xet_grant *grant;                                 /* the newest */
  atomic_uint_fast64_t bytes;                              /* that came by Xet: it works */
  atomic_uint_fast64_t moved_ns;                           /* when the last of them did, or when waiting began */
  bool patient;                                            /* there is no other way to fall back to */
  uint32_t connect_ms, silence_ms, base_ms, failures_most; /* what the user wants of an attempt; 0: as it is */
  uint32_t duration_ms;                                    /* and of all that bring nothing together */
  atomic_bool bad, only_v1;
  uint64_t buffer; /* bytes of memory that downloads may have at once */
  /* how many transfers at once */
  uint32_t files_most, files; /* 0: any number */
  uint32_t width, width_least, width_most, active;
  bool fixed;
  uint64_t round_bytes, round_ns, transfers;
  double best_rate;
};

hf_status xet_cas_init(hf_call *, struct xet_cas *, const struct hf_tr_batch *, const char *fixed_option,
                       uint32_t most);
void xet_cas_free(struct xet_cas *);
void xet_cond_init(pthread_cond_t *);                    /* one that waits by the monotonic clock */
void xet_cond_wait(pthread_cond_t *, pthread_mutex_t *); /* for a moment at most: calls may be canceled */

/* A request to the CAS, path below its address. 401 renews the token once; an answer of any other status is HF_OK. What
 * the caller leaves empty in `req` is filled in. */
hf_status xet_cas_ask(hf_call *, struct xet_cas *, const char *path, const struct hf_http_req *req,
                      struct hf_http_resp *);
/* Downloads: bytes came, or somebody begins to wait for some. */
void xet_cas_moved(struct xet_cas *, uint64_t bytes);
/* Limits of one attempt, by how long no byte has come: falling back must not take long. */
void xet_cas_patience(struct xet_cas *, struct hf_http_req *);
/* Downloads: an attempt failed with the call's error. HF_OK: it has been waited, try again (the error is cleared); else what
 * the call ends with. *failures counts attempts that brought nothing. */
hf_status xet_cas_again(hf_call *, struct xet_cas *, uint32_t *failures, hf_status);
/* An answer of a status that is no success becomes the call's error. */
hf_status xet_cas_refused(hf_call *, const char *what, const struct hf_http_resp *);

/* A file begins, when its turn has come; waiting for bytes begins with the first one. It ends. */
hf_status xet_cas_file_begins(hf_call *, struct xet_cas *);
void xet_cas_file_ends(struct xet_cas *);
/* One transfer begins, when its turn has come, and ends with so many bytes (0: it failed). */
hf_status xet_cas_enter(hf_call *, struct xet_cas *);
void xet_cas_leave(struct xet_cas *, uint64_t bytes);

/* The CAS failed before anything came: it is not asked again in this run. */
void xet_cas_give_up(struct xet_cas *);
hf_status xet_cas_usable(hf_call *, struct xet_cas *);
#endif
