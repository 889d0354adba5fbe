/* http.h - one HTTP request as http.c (hops, retries), http_headers.c (what is sent) and http_body.c (where the answer goes)
 * share it. An answer is judged before its first byte: status, Content-Range, length, kind; only then is there a place.
 * Lives on the stack of hf_http(); what the caller gets is copied into the call's arena at the end. */
#ifndef HF_HTTP_H
#define HF_HTTP_H
#include "netstack.h"
#include "url.h"

#define HTTP_REQUEST_HEADERS_MAX 128u
#define HTTP_HOPS_MAX            32u
#define HTTP_BODY_MAX            ((uint64_t)64 * 1024 * 1024)
#define HTTP_ERROR_BODY_MAX      ((uint64_t)1024 * 1024)
#define HTTP_ENDLESS_MAX         ((uint64_t)1024 * 1024 * 1024) /* of a file whose length nobody knows */
#define HTTP_DROP_MAX            ((uint64_t)64 * 1024) /* read of a body that nobody wants, to keep the connection */

struct http_head { /* of one answer; one block of memory */
  uint32_t status, count;
  struct hf_kv *rows;
};

enum body_place { BODY_DROP, BODY_MEMORY, BODY_SINK, BODY_FN };

struct http {
  hf_call *call;
  struct hf_http_req req; /* complete, whatever size the caller's was */

  /* the current hop */
  const char *method;
  const char *url, *connect; /* logical and physical */
  bool with_body;            /* the request's body goes along (it does not after a 303) */
  bool trusted_way;          /* what the caller gave may travel to `connect`, secrets too */
  const char *secret_from;   /* where the secret of this hop came from; NULL: it has none, or that is not known */
  char range[64];
  uint64_t body_at; /* bytes of the source that were taken for this exchange */

  /* its answer */
  struct http_head head;
  enum body_place place;
  char *memory;
  size_t memory_len, memory_cap;
  uint64_t memory_max, dropped;
  bool cut;         /* an error's body was longer than we read */
  bool own_failure; /* the failure was ours or is the judgement on the answer: nothing to repeat */

  /* dst: the wanted range, and what this answer brings */
  uint64_t begin, end;   /* end HF_SIZE_UNKNOWN: wherever the file ends */
  bool whole, to_end;    /* the wanted range is the file, ends with the file */
  uint64_t got;          /* bytes from begin that are in the sink, over all attempts */
  bool ranged;           /* this request asks for a range */
  uint64_t skip, expect; /* of this answer: bytes to drop, then bytes to take (HF_SIZE_UNKNOWN: all) */
  bool stop_at_end;      /* more follows than was asked for: end the exchange */
  char etag[160];
  bool delivered; /* on_data has had bytes */

  bool patient; /* waits where an origin asked for it: not where a single try is meant to fail fast */
  uint32_t attempts, redirects;
  uint64_t wire;
};

/* http_headers.c */
const char *http_header(const struct http_head *, const char *name); /* NULL: absent */
hf_status http_head_copy(struct http_head *, uint32_t status, const struct hf_kv *, uint32_t n);
void http_head_free(struct http_head *);
bool http_number(const char *, uint64_t *);      /* digits and nothing else */
uint32_t http_wish_ms(const struct http_head *); /* for how long the answer asks for patience; 0: not */
hf_status http_check_request(struct http *);
/* What is sent: rows that are valid while request and call are. */
hf_status http_request_headers(struct http *, struct hf_kv rows[HTTP_REQUEST_HEADERS_MAX], uint32_t *n);

/* http_body.c */
hf_status http_range_begin(struct http *);                    /* of the request's destination */
void http_range_next(struct http *);                          /* what the next exchange must bring */
hf_status http_body_plan(struct http *, bool redirects);      /* the head is there: where does the body go? */
hf_status http_body_add(struct http *, const void *, size_t); /* HF_PENDING: enough */
hf_status http_body_end(struct http *);
#endif
