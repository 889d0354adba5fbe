/* net.h - the seam between the core and its network module hf-net.so (libcurl, libcrypto), loaded from the library folder
 * at the first request or digest, never from the plugin search path: it sees every token. Private to core/.
 * The module does one exchange with one server; policy (hops, credentials, rewriting, retries, trace) is http.c's. */
#ifndef HF_NET_H
#define HF_NET_H
#include <hf/abi.h>
#include <hf/host.h>
#include <hf/io.h>

#define HF_NET_SYMBOL "hf_net_v1"
#define HF_NET_ABI    1u

struct hf_net_config {
  uint32_t struct_size, flags;  /* HF_NET_* */
  const char *ca_file, *ca_dir; /* added to the system's (SSL_CERT_FILE, SSL_CERT_DIR, hf.conf) */
  const char *client_cert, *client_key;
  const char *proxy; /* from hf.conf; NULL: environment as curl reads it, NO_PROXY too */
  const char *no_proxy;
  uint32_t stall_ms; /* no byte for so long: HF_ETIMEDOUT; default 30000 */
  uint32_t connect_ms;
  uint32_t per_host;           /* connections to one host, default 16 */
  uint64_t rate_down, rate_up; /* bytes per second in all, 0: no limit */
  /* The light operation that calls (NULL: a thread of its own does), its wait until woken or a time, and waking it. */
  void *(*light_self)(void);
  void (*light_park)(uint64_t until_ns);
  void (*light_wake)(void *self);
};
enum { HF_NET_INSECURE = 1, HF_NET_NO_HTTP2 = 2 };

struct hf_net_req {
  uint32_t struct_size, flags; /* HF_NETREQ_* */
  const char *method, *url;    /* where to connect */
  const struct hf_kv *headers; /* exactly these, beside Host and what HTTP itself needs */
  uint32_t header_count;
  uint32_t timeout_ms, connect_ms;
  const void *body;
  uint64_t body_len; /* HF_SIZE_UNKNOWN: chunked */
  /* Body as a stream (body is NULL): *got 0 ends it. On the worker that called perform(). */
  hf_status (*on_send)(void *arg, void *buf, size_t len, size_t *got);
  /* All called on the worker that called perform(): status and headers once they are complete (non-OK ends the exchange),
   * then the body in order (HF_PENDING: enough, the exchange ends well). The network thread receives ahead into at most `ahead` bytes, then stops reading. */
  hf_status (*on_head)(void *arg, uint32_t status, const struct hf_kv *headers, uint32_t n);
  hf_status (*on_body)(void *arg, const void *data, size_t len);
  void *arg;
  size_t ahead;      /* 0: 1 MiB */
  uint32_t stall_ms; /* silence after the connection stands; 0: the configuration's */
  uint32_t first_ms; /* until *begun, or until the first piece of the body; 0: no limit */
  const uint8_t *begun;
};
enum {
  HF_NETREQ_RAW = 1,    /* the body as it is on the wire, whatever Content-Encoding says */
  HF_NETREQ_BULK = 2,   /* a large body: large buffers, a connection of its own */
  HF_NETREQ_NESTED = 4, /* made by a callback of another exchange: never waits for that to end */
  HF_NETREQ_PATIENT = 8 /* long in coming, or without an end: not counted among its host's */
};
struct hf_net_result {
  uint32_t struct_size;
  uint32_t status;         /* 0: no answer */
  uint64_t sent, received; /* body bytes on the wire */
  uint32_t http_version;   /* 10, 11, 20 */
  uint32_t sent_nothing;   /* failed before the request left: safe to repeat */
  uint32_t retryable;
  double ms;
};

struct hf_net { /* the module's one exported const object */
  uint32_t struct_size, abi;
  const char *version; /* "libcurl/7.88.1 OpenSSL/3.0.17" */
  hf_status (*open)(const struct hf_host *, const struct hf_net_config *, void **net, char *why, size_t why_len);
  void (*close)(void *net);
  /* Blocks. Errors go to the call. Ends at once when the call is cancelled or its deadline passes. */
  hf_status (*perform)(hf_call *, void *net, const struct hf_net_req *, struct hf_net_result *);
  hf_status (*digest_new)(uint32_t algo, uint64_t size, void **d);
  void (*digest_add)(void *d, const void *, size_t);
  void (*digest_end)(void *d, struct hf_digest *out); /* out NULL: free */
  uint32_t (*random32)(void);
};
#endif
