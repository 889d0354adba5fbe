/* stack.h - what the files of the network module share: the stack (one curl multi handle, one I/O thread) and an exchange
 * on it. The I/O thread owns curl; a worker blocks in perform() and runs all callbacks; the two meet in struct exchange.
 * On a lane (direct.c) the worker is both.
 * Lock order: exchange -> stack. No lock is held while a callback of the core runs. */
#ifndef HF_STACK_H
#define HF_STACK_H
#include <curl/curl.h>
#include <net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define TICK_NS          50000000u  /* how often the clock is looked at while a worker waits */
#define LIGHT_TICK_NS    100000000u /* the same of one among thousands */
#define CHUNK_SIZE       ((size_t)256 * 1024)
#define SMALL_CHUNK_SIZE ((size_t)2 * 1024) /* of answers that come in little pieces, for a thousand at once */
#define LANES_MAX        16u
#define HEADER_LINE_MAX  ((size_t)64 * 1024)
#define HEADER_BYTES_MAX ((size_t)1024 * 1024)
#define HEADER_COUNT_MAX 256u
#define FRAMING_NS       20000000u                   /* how often framing is looked at */
#define FRAMING_FREE     ((uint64_t)8 * 1024 * 1024) /* headers, what waits in the kernel, handshakes */

/* A piece of body on its way between the I/O thread and a worker. */
struct chunk {
  struct chunk *next;
  size_t len, off, size;
  char data[];
};
struct chunk_queue {
  struct chunk *first, *last;
  size_t bytes;
};

/* A host with exchanges running or waiting for their turn. */
#define SLOT_HOSTS 64u
struct slot {
  uint64_t host;
  uint32_t busy, users;
};

struct proxy_rules;
struct trust;
struct lane;

/* The handle of a lane, whose requests are all POSTs from memory and differ in URL, headers, body and times only. */
struct kept {
  CURL *easy;
  const char *proxy; /* as it was set last; of the rules */
};

struct stack {
  const struct hf_host *host;
  uint32_t flags, stall_ms, connect_ms, per_host;
  void *(*light_self)(void);
  void (*light_park)(uint64_t until_ns);
  void (*light_wake)(void *self);
  char *client_cert, *client_key, *ca_file;
  struct proxy_rules *proxies;
  struct trust *trust;      /* NULL: libcurl's TLS library is not OpenSSL, its own store is used */
  uint64_t rate[2];         /* down, up: bytes per second */
  _Atomic uint64_t slot[2]; /* when the next byte of each direction may pass, ns */

  CURLM *multi;
  int epoll, wake;
  uint64_t timer_ns;      /* I/O thread: when curl wants to be called, 0: not at all */
  struct exchange *dirty; /* I/O thread: exchanges whose worker has something to look at */

  pthread_mutex_t lock; /* the rest */
  pthread_t thread;
  bool started, stop;
  atomic_bool asleep;
  struct exchange *inbox;
  CURL *idle_easy[64];
  uint32_t idle_count;
  struct chunk *idle_chunks;
  uint32_t idle_chunk_count;
  struct slot slots[SLOT_HOSTS];
  pthread_cond_t slot_free;
  struct slot_waiter *slot_waiters; /* light ones */
  struct exchange *unwatched;       /* I/O thread only */
  struct lane *idle_lanes;
  uint32_t lanes; /* idle and taken */
};

enum { MAIL_START = 1, MAIL_RESUME_RECV = 2, MAIL_RESUME_SEND = 4, MAIL_END = 8 };

struct exchange {
  struct stack *stack;
  const struct hf_net_req *req;
  CURL *easy;
  struct kept *kept; /* of the lane; NULL: none */
  struct curl_slist *headers;
  size_t headers_size; /* bytes, lines and all */
  char problem[CURL_ERROR_SIZE];
  size_t ahead;
  struct exchange *next_in_box, *next_dirty; /* under the stack's lock; I/O thread */
  uint32_t mail;                             /* MAIL_*, under the stack's lock */
  bool in_box, is_dirty;

  /* I/O thread only */
  bool attached;
  char *head_text;
  size_t head_len, head_cap;
  uint32_t head_status, head_count;
  curl_off_t seen_down, seen_up;
  uint64_t decoded;
  size_t trailer_bytes;
  curl_socket_t fd, framing_fd;      /* the connection, and whose bytes were looked at */
  uint64_t framing_base, framing_ns; /* bytes on the connection when it was first looked at; when it was last */
  struct chunk *sending;
  struct exchange *next_unwatched;
  bool unwatched;
  struct turn *direct;  /* the worker runs the callbacks of curl itself; set once; NULL: the I/O thread does */
  struct chunk *gather; /* direct: little pieces of a bulk body */

  _Atomic uint64_t touched_ns; /* last time that bytes moved */

  pthread_mutex_t lock; /* the rest */
  pthread_cond_t cond;
  bool waiting; /* the worker sleeps in cond */
  void *light;  /* the worker is a light operation: it parks instead; set once */
  bool head_ready, done;
  bool recv_paused, send_paused, send_end;
  struct chunk_queue in, out;
  hf_status refused; /* why a callback stopped curl, and in words */
  const char *refusal;
  CURLcode code;
  long http_version, request_size, connect_code, os_errno;
  uint64_t sent, received;
};

/* io.c */
hf_status stack_start(struct stack *);
void stack_stop(struct stack *);
void stack_mail(struct exchange *, uint32_t mail);
void stack_mark_dirty(struct exchange *);
uint64_t stack_now_ns(void);
uint64_t stack_about_ns(void);                            /* never later than stack_now_ns() */
void cond_init(pthread_cond_t *);                         /* on the monotonic clock */
void cond_wait_tick(pthread_cond_t *, pthread_mutex_t *); /* at most TICK_NS */
struct chunk *chunk_get(struct stack *, size_t size);     /* CHUNK_SIZE or SMALL_CHUNK_SIZE */
void chunk_put(struct stack *, struct chunk *);
void chunk_push(struct chunk_queue *, struct chunk *);
struct chunk *chunk_pop(struct chunk_queue *);

/* receive.c: curl's callbacks, on the I/O thread */
size_t receive_header(char *, size_t, size_t, void *);
size_t receive_body(char *, size_t, size_t, void *);
size_t send_body(char *, size_t, size_t, void *);
int note_progress(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

/* perform.c: the worker's side */
hf_status stack_perform(hf_call *, void *, const struct hf_net_req *, struct hf_net_result *);
bool direct_head(struct exchange *); /* false: it has ended */
bool direct_body(struct exchange *, const char *, size_t);

/* direct.c: a lane for this URL (NULL: none is free), the exchange on it, and its return */
struct lane *lane_take(struct stack *, const char *url);
void lane_run(struct lane *, struct exchange *, bool (*look)(void *), void *arg);
void lane_give(struct stack *, struct lane *);
struct kept *lane_kept(struct lane *);
void lanes_close(struct stack *);

/* slots.c: waits for this URL's host to have room; give back what was taken. *slot may be NULL. */
hf_status slot_take(hf_call *, struct stack *, const char *url, struct slot **);
void slot_give(struct stack *, struct slot *);

/* request.c: a curl handle set up for a request */
hf_status request_prepare(hf_call *, struct exchange *);
void request_ended(struct exchange *, CURLcode);
hf_status request_failed(hf_call *, struct exchange *, struct hf_net_result *);

/* trust.c: one certificate store for all connections: the system's and what was added */
hf_status trust_open(const char *ca_file, const char *ca_dir, struct trust **, char *why, size_t why_len);
void trust_close(struct trust *);
CURLcode trust_install(CURL *, void *ssl_ctx, void *trust);

/* proxy.c: which proxy for which URL */
struct proxy_rules *proxy_rules_open(const char *proxy, const char *no_proxy);
void proxy_rules_close(struct proxy_rules *);
const char *proxy_rules_find(const struct proxy_rules *, const char *url); /* "": none */

/* digest.c */
hf_status digest_new(uint32_t algo, uint64_t size, void **);
void digest_add(void *, const void *, size_t);
void digest_end(void *, struct hf_digest *);
uint32_t random32(void);
#endif
