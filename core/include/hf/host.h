/* hf/host.h - everything the core does for a plugin, as one table handed to load(). Plugins link nothing of ours.
 * The table is const, valid until the process ends, and grows at the end: compare struct_size before using a member that
 * is newer than the minor you compiled for (HF_ABI_MINOR); older hosts are refused for you by min_host_minor.
 *
 * The call. hf_call comes first in every fallible function. It belongs to the operation that is running: pass on the one
 * you were given, never keep it after you return. It may be used from the threads that parallel() and spawn() run for
 * you. A function that fails sets the error of its call once; the first error wins until clear(). */
#ifndef HF_HOST_H
#define HF_HOST_H
#include <hf/abi.h>
struct hf_sink;
struct hf_source;
struct hf_digest;

/* Progress; emitted from any thread. */
struct hf_event {
  uint32_t struct_size;
  uint32_t type; /* HF_EV_* */
  uint32_t item; /* index of the file in its batch */
  uint32_t reserved;
  uint64_t done, total; /* bytes of the file that are held, and of the whole file; total 0 = unknown */
  uint64_t wire;        /* bytes that really crossed the network since the last event of this item */
  const char *text;     /* file name or state; valid during the call only */
};
enum { HF_EV_BEGIN = 1, HF_EV_BYTES = 2, HF_EV_STATE = 3, HF_EV_END = 4 };

enum { HF_LOG_ERROR = 0, HF_LOG_WARNING = 1, HF_LOG_INFO = 2, HF_LOG_DEBUG = 3 };

/* FROZEN: a grant from the memory budget. */
struct hf_buf {
  void *data;
  size_t len;
  void *ticket;
};

/* One HTTP request. The host adds: user agent and the call's default headers, credentials that belong to the origin of
 * the URL (so a plugin neither sees nor sends a token), URL rewriting, proxies, TLS, retries, the watchdog.
 * Redirects are followed up to max_redirects; at each hop the credentials of the new origin apply, none cross over, and
 * https never becomes http. */
struct hf_http_req {
  uint32_t struct_size;
  uint32_t flags;           /* HF_HTTP_* */
  const char *method, *url; /* absolute http or https URL; NULL method: GET */
  struct hf_table headers;  /* rows: struct hf_kv; replace the host's of the same name, an empty value removes one */
  /* At most one body: bytes, or body_len bytes of a source from body_off. */
  const void *body;
  size_t body_len;
  struct hf_source *body_src;
  uint64_t body_off, body_src_len;
  /* At most one destination for the body of a 2xx answer; else it is returned in memory, at most max_body bytes.
   * dst: range [dst_off, dst_off+dst_len) of the file; the host sends Range unless that is the whole file, and checks
   * status and Content-Range before the first byte; a 200 to a ranged request is HF_EPROTO unless HF_HTTP_WHOLE_OK.
   * dst_len HF_SIZE_UNKNOWN: from dst_off to the end. on_data: as they arrive, in order, on the calling thread. */
  struct hf_sink *dst;
  uint64_t dst_off, dst_len;
  hf_status (*on_data)(hf_call *, void *arg, const void *data, size_t len);
  void *on_data_arg;
  uint64_t max_body;      /* 0: 64 MiB; larger answers are HF_EPROTO */
  uint32_t tries;         /* attempts in all, 0: the call's policy; 1: no retry */
  uint32_t max_redirects; /* followed at most; 0: none, the 3xx answer is the result */
  uint32_t timeout_ms;    /* for the whole exchange; with dst or on_data the longest silence instead; 0: only watchdog
                             and call deadline */
  uint32_t connect_ms;    /* 0: 10 s */
  const char *secret_from; /* since 1.1: where a secret among the headers came from ("environment X"); for the trace only */
  uint32_t first_ms;      /* since 1.1; with on_data: until *begun is not 0 any more (begun NULL: until the first piece) */
  const uint8_t *begun;   /* since 1.1; the caller's, set in on_data */
};
enum {
  HF_HTTP_NO_AUTH = 1,     /* no credentials, whatever the origin */
  HF_HTTP_IDEMPOTENT = 2,  /* may be repeated even if the first was processed; GET, HEAD, PUT are anyway */
  HF_HTTP_ANY_STATUS = 4,  /* an answer of any status is HF_OK; else 4xx and 5xx are errors of the call */
  HF_HTTP_WHOLE_OK = 8,    /* ranged dst: accept a 200 and drop what precedes dst_off */
  HF_HTTP_BARE = 16,       /* only the given headers: no user agent, no defaults, no credentials */
  HF_HTTP_NO_DECODE = 32,  /* ask for identity encoding and do not decompress (dst implies it) */
  HF_HTTP_BARE_PART = 64,  /* since 1.1; ranged dst: an answer without Content-Range is the range, if it is as long */
  HF_HTTP_PATIENT = 128    /* since 1.1; an answer that is long in coming or never ends: not counted among a host's connections */
};
struct hf_http_resp {
  uint32_t struct_size;
  uint32_t status;
  struct hf_table headers; /* rows: struct hf_kv, names in lower case; lives as long as the call's arena */
  const void *body;        /* NUL-terminated behind body_len; empty when a destination was given; arena */
  size_t body_len;
  const char *url; /* logical URL that answered, after redirects; arena */
  uint32_t redirects, attempts;
  uint64_t wire; /* body bytes received, over all attempts */
};

struct hf_host {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  const char *version; /* of libhf */

  /* Memory that one side frees for the other. resize(NULL, n) allocates; release(NULL) is fine. Thread-safe. */
  void *(*alloc)(size_t);
  void *(*resize)(void *, size_t);
  void (*release)(void *);

  /* Errors. Both return the code, so that `return H->failf(c, HF_EIO, ...)` reads well. fail copies the struct; the
   * first error of a call wins. failf sets message only; a failed system call's errno goes into fail(). Neither
   * allocates when memory is out. error: the call's error or NULL, valid until clear() or the call's end. */
  hf_status (*fail)(hf_call *, const struct hf_error *);
  hf_status (*failf)(hf_call *, hf_status, const char *, ...) HF_PRINTF(3, 4);
  const struct hf_error *(*error)(hf_call *);
  void (*clear)(hf_call *);

  /* HF_OK, or HF_ECANCELED / HF_ETIMEDOUT when the call should end now. Cheap: ask at every block. */
  hf_status (*check)(hf_call *);
  /* fn runs once when the call is cancelled, on the cancelling thread: set a flag, shut a socket, do not block. Already
   * cancelled: runs at once. off_cancel returns after a running fn has returned. */
  hf_status (*on_cancel)(hf_call *, void (*fn)(void *), void *arg, hf_hook **);
  void (*off_cancel)(hf_hook *);

  void (*emit)(hf_call *, const struct hf_event *);
  void (*log)(hf_call *, int32_t level, const char *, ...) HF_PRINTF(3, 4);
  /* Value of a configuration key of the running module ("NAME.KEY" in hf.conf, or its `env`), or of a call option. NULL
   * when unset and without default. Lives as long as the call. */
  const char *(*option)(hf_call *, const char *key);
  /* Arena of the call: freed when the outermost operation ends. intern copies len bytes (SIZE_MAX: strlen) and adds NUL. */
  void *(*arena)(hf_call *, size_t);
  const char *(*intern)(hf_call *, const char *, size_t);
  uint64_t (*now_ns)(void); /* monotonic */
  /* Sleeps before attempt number n (1, 2, ...): jittered, doubled, at most 60 s, or wish_ms if the server asked for it;
   * ends early with the code of check(). */
  hf_status (*backoff)(hf_call *, uint32_t n, uint32_t wish_ms);

  /* Memory budget: blocks until len bytes are granted, in order of asking; take it before the I/O that fills it. A
   * request above the whole budget is granted alone. */
  hf_status (*buf_get)(hf_call *, size_t len, struct hf_buf *);
  void (*buf_put)(struct hf_buf *);

  /* Structured concurrency: fn(call, arg, i) for i < n, at most `width` at once (0: the runtime's), the caller works
   * too. Returns when all have returned; the first failure cancels the rest and is the result. */
  hf_status (*parallel)(hf_call *, uint32_t n, uint32_t width, hf_status (*fn)(hf_call *, void *, uint32_t), void *arg);
  /* Jobs of a session: open a group, spawn into it, join all (first failure is the result, group freed). */
  hf_status (*jobs_open)(hf_call *, uint32_t width, hf_jobs **);
  hf_status (*spawn)(hf_jobs *, hf_status (*fn)(hf_call *, void *), void *arg);
  hf_status (*jobs_join)(hf_jobs *);

  /* HTTP; resp may be NULL when a destination was given. Blocks its worker only. */
  hf_status (*http)(hf_call *, const struct hf_http_req *, struct hf_http_resp *);

  /* Digests (HF_DIGEST_SHA256; HF_DIGEST_GIT_BLOB needs the size in advance). digest_end fills *out and frees. */
  hf_status (*digest_new)(hf_call *, uint32_t algo, uint64_t size, hf_digester **);
  void (*digest_add)(hf_digester *, const void *, size_t);
  void (*digest_end)(hf_digester *, struct hf_digest *out); /* out NULL: just free */

  /* A plugin's results: one row of the type that the asking function names (HF_PUT_*), copied. Anything but HF_OK means
   * stop and return it. */
  hf_status (*put)(hf_slot *, uint32_t what, const void *row, size_t row_size);

  /* Tasks: arguments in. The name is that of the parameter row; index for repeated ones. arg_int answers 1 when given or
   * defaulted, 0 when absent; a flag is 0 or 1. */
  const char *(*arg_str)(const hf_args *, const char *name, uint32_t index);
  uint32_t (*arg_count)(const hf_args *, const char *name);
  int32_t (*arg_int)(const hf_args *, const char *name, int64_t *);
  /* Records out: JSON text (HF_OUT_* in hf/task.h). */
  hf_status (*record)(hf_out *, uint32_t what, const char *json, size_t len);
  /* Runs another task inside this call: arguments as a JSON object, records into the same or another out. */
  hf_status (*task)(hf_call *, const char *name, const char *json_args, hf_out *);

  /* Since 1.1. Asks the person who waits for the records of `out`, and blocks until there is an answer.
   * HF_ASK_CONFIRM: prompt is a question or sentence without choices ("Delete 2 repos?"); HF_OK is yes; answer is not used.
   * HF_ASK_LINE, HF_ASK_SECRET (not shown while typed): the line without its end, at most room - 1 bytes.
   * HF_ASK_CHOICE: prompt is a question and, one per line, what to choose from; the answer is a number from 0.
   * HF_ECANCELED: no, or no more input; error class "Abort". HF_EINVAL: nobody can be asked here; the error of a
   * confirmation says to use --yes. Do not hold locks, and ask before the work begins. */
  hf_status (*ask)(hf_out *, uint32_t what, const char *prompt, char *answer, size_t room);
};

/* What ask() wants. */
enum { HF_ASK_CONFIRM = 1, HF_ASK_LINE = 2, HF_ASK_SECRET = 3, HF_ASK_CHOICE = 4 };

/* Row types of put(). */
enum {
  HF_PUT_FILE = 1,    /* struct hf_st_file */
  HF_PUT_ENTRY = 2,   /* struct hf_tree_entry */
  HF_PUT_REF = 3,     /* struct hf_ref */
  HF_PUT_BLOB = 4,    /* struct hf_blob */
  HF_PUT_REQUEST = 5, /* struct hf_http_req */
  HF_PUT_TEXT = 6,    /* struct hf_text */
  HF_PUT_URL = 7,     /* struct hf_text: a fresh URL */
  HF_PUT_HELD = 8     /* struct hf_held; since 1.1 */
};
struct hf_text { /* FROZEN */
  const char *text;
  size_t len;
};
#endif
