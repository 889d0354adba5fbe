/* sse.h - server-sent events from bytes: a pure function over what arrives, in pieces of any size.
 * Lines end with CR, LF or CRLF and nothing else; data lines of one event are joined by LF; a BOM at the start is skipped.
 * Whole events inside of one piece are handed out without being copied. */
#ifndef HF_SSE_H
#define HF_SSE_H
#include <hf/abi.h>
#include <stdbool.h>

/* One event; data is valid during the call only. Anything but HF_OK ends the feeding and is its result. */
typedef hf_status (*hf_sse_fn)(void *arg, const char *event, const char *data, size_t len);

struct hf_sse {
  size_t max; /* bytes of one line or event; more is HF_EPROTO */
  hf_sse_fn fn;
  void *arg;
  char *line, *data; /* an unfinished line; data of an unfinished event */
  size_t line_len, line_cap, data_len, data_cap;
  const char *whole; /* data of the event so far, where it lies in the piece; NULL: in `data` or none */
  size_t whole_len;
  char event[32];
  bool has_data, skip_lf, begun;
  uint64_t events; /* handed out */
};
void hf_sse_init(struct hf_sse *, size_t max, hf_sse_fn, void *arg);
hf_status hf_sse_feed(struct hf_sse *, const void *, size_t); /* HF_EPROTO, HF_ENOMEM, or what fn said */
hf_status hf_sse_end(struct hf_sse *);                        /* the stream is over: what is left counts */
void hf_sse_free(struct hf_sse *);
#endif
