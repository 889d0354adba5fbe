/* serve.c - the HTTP server of `hf inference serve`: a thread per connection, so that waiting for an answer is a wait.
 * Whoever waits for the library also watches the client's socket: when that is closed, the exchange ends, and with it the
 * call to the provider. A client that has only closed its sending side looks the same until something is sent to it: it gets an
 * interim answer or a comment, which its system refuses when nobody is there any more.
 * Memory is bounded by the number of exchanges and the size of a body. */
#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front.h"
#include "policy.h"

enum {
  IDLE_SECONDS = 60, /* a connection without a request, or a client that does not read */
  QUIET_MS = 15000,  /* a stream that says nothing gets a comment, which also finds dead clients */
  STACK = 256 * 1024,
  HEADER_MEMORY = 64 * 1024,
  BLOCK = 16 * 1024
};

struct front {
  struct front_config config;
  struct policy policy;
  char *host, *key;
  struct MHD_Daemon *daemon;
  int stop_fd;
  pthread_mutex_t lock;
  uint32_t active;
};
struct visit { /* one request */
  struct front *front;
  struct MHD_Connection *connection;
  int client;
  char *body;
  size_t len, cap;
  bool counted, too_large, no_memory;
  bool interim; /* may be sent: HTTP/1.1 */
  bool half;    /* the client sends no more */
  void *exchange;
};

/* ---- answers of our own ---------------------------------------------------------------------------------------------- */

static enum MHD_Result refuse(struct MHD_Connection *c, enum policy_rule rule, bool close_it) {
  const struct refusal *r = policy_refusal(rule);
  char text[512];
  int n = snprintf(text, sizeof text, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
                   r->message,
                   r->status >= 500   ? "server_error"
                   : r->status == 429 ? "rate_limit_error"
                                      : "invalid_request_error",
                   r->code);
  struct MHD_Response *response = MHD_create_response_from_buffer((size_t)n, text, MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", "application/json");
  if (rule == POLICY_BUSY) MHD_add_response_header(response, "Retry-After", "1");
  if (rule == POLICY_KEY) MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
  if (close_it) MHD_add_response_header(response, "Connection", "close");
  enum MHD_Result rc = MHD_queue_response(c, r->status, response);
  MHD_destroy_response(response);
  return rc;
}

/* ---- exchanges ---------------------------------------------------------------------------------------------------------- */

static bool enter(struct front *f) {
  pthread_mutex_lock(&f->lock);
  bool room = f->active < f->config.active_max;
  f->active += room;
  pthread_mutex_unlock(&f->lock);
  return room;
}

static void leave(struct visit *v) {
  struct front *f = v->front;
  if (v->exchange) f->config.calls->end(v->exchange);
  v->exchange = NULL;
  if (!v->counted) return;
  v->counted = false;
  pthread_mutex_lock(&f->lock);
  f->active--;
  pthread_mutex_unlock(&f->lock);
}

enum waited { NEWS, QUIET, HALF, GONE };

/* Until the exchange has something new, the client goes away, or the server ends. */
static enum waited wait_for(struct visit *v, int ms) {
  struct pollfd fds[3] = {{.fd = v->client, .events = v->half ? 0 : POLLRDHUP},
                          {.fd = v->front->config.calls->fd(v->exchange), .events = POLLIN},
                          {.fd = v->front->stop_fd, .events = POLLIN}};
  int n = poll(fds, 3, ms);
  if (n < 0 && errno != EINTR) return GONE;
  if (n > 0 && (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL) || fds[2].revents)) return GONE;
  if (n > 0 && fds[0].revents) {
    v->half = true;
    return HALF;
  }
  return n > 0 ? NEWS : QUIET;
}

static ssize_t stream_read(void *arg, uint64_t at, char *out, size_t room) {
  static const char quiet[] = ": still there\n\n";
  struct visit *v = arg;
  (void)at;
  for (;;) {
    ssize_t n = v->front->config.calls->take(v->exchange, out, room);
    if (n > 0) return n;
    if (n < 0) return MHD_CONTENT_READER_END_OF_STREAM;
    enum waited w = wait_for(v, QUIET_MS);
    if (w == GONE) return MHD_CONTENT_READER_END_WITH_ERROR;
    if ((w == QUIET || w == HALF) && room >= sizeof quiet) {
      memcpy(out, quiet, sizeof quiet - 1);
      return sizeof quiet - 1;
    }
  }
}

static struct MHD_Response *whole(struct visit *v) {
  char *data = NULL;
  size_t len = 0, cap = 0;
  ssize_t n;
  do {
    if (len == cap) {
      cap = cap ? cap * 2 : BLOCK;
      char *more = realloc(data, cap);
      if (!more) {
        free(data);
        return NULL;
      }
      data = more;
    }
    n = v->front->config.calls->take(v->exchange, data + len, cap - len);
    if (n > 0) len += (size_t)n;
  } while (n > 0);
  struct MHD_Response *response = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
  if (!response) free(data);
  return response;
}

static enum MHD_Result answer(struct visit *v, uint32_t status, bool stream) {
  struct MHD_Response *response =
      stream ? MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, stream_read, v, NULL) : whole(v);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", stream ? "text/event-stream" : "application/json");
  MHD_add_response_header(response, "Cache-Control", "no-store");
  if (status == 429) MHD_add_response_header(response, "Retry-After", "1");
  enum MHD_Result rc = MHD_queue_response(v->connection, status, response);
  MHD_destroy_response(response);
  return rc;
}

static enum MHD_Result run(struct visit *v, const char *path, bool post) {
  static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
  struct front *f = v->front;
  uint32_t status;
  bool stream;
  struct front_request r = {.path = path, .body = post ? (v->body ? v->body : "") : NULL, .len = v->len};
  v->exchange = f->config.calls->begin(f->config.arg, &r);
  if (!v->exchange) return refuse(v->connection, POLICY_MEMORY, false);
  MHD_set_connection_option(v->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
  while (!f->config.calls->head(v->exchange, &status, &stream)) {
    enum waited w = wait_for(v, -1);
    bool there = w != HALF || !v->interim || send(v->client, interim, sizeof interim - 1, MSG_NOSIGNAL) > 0;
    if (w == GONE || !there) {
      leave(v);
      return MHD_NO;
    }
  }
  MHD_set_connection_option(v->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)IDLE_SECONDS);
  return answer(v, status, stream);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------ */

static void take_body(struct visit *v, const char *data, size_t size) {
  if (v->too_large || v->no_memory) return;
  if (size > v->front->config.body_max - v->len) {
    v->too_large = true;
    return;
  }
  if (v->len + size > v->cap) {
    size_t cap = (v->len + size) * 2;
    char *more = realloc(v->body, cap);
    if (!more) {
      v->no_memory = true;
      return;
    }
    v->body = more;
    v->cap = cap;
  }
  memcpy(v->body + v->len, data, size);
  v->len += size;
}

static enum MHD_Result begin(struct front *f, struct MHD_Connection *c, const char *path, const char *method,
                             void **state) {
  enum policy_rule rule = policy_check(c, &f->policy, path, method);
  if (rule != POLICY_FINE) return refuse(c, rule, true);
  if (!enter(f)) return refuse(c, POLICY_BUSY, true);
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct visit *v = calloc(1, sizeof *v);
  if (!v || !info) {
    free(v);
    pthread_mutex_lock(&f->lock);
    f->active--;
    pthread_mutex_unlock(&f->lock);
    return refuse(c, POLICY_MEMORY, true);
  }
  *v = (struct visit){.front = f, .connection = c, .client = info->connect_fd, .counted = true};
  *state = v;
  return MHD_YES;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *path, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
  struct visit *v = *state;
  if (!v) return begin(arg, c, path, method, state);
  v->interim = strcmp(version, "HTTP/1.1") == 0;
  if (*size) {
    take_body(v, data, *size);
    *size = 0;
    return MHD_YES;
  }
  if (v->too_large) return refuse(c, POLICY_SIZE, true);
  if (v->no_memory) return refuse(c, POLICY_MEMORY, true);
  return run(v, path, strcmp(method, "POST") == 0);
}

static void completed(void *arg, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why) {
  struct visit *v = *state;
  (void)arg;
  (void)c;
  (void)why;
  *state = NULL;
  if (!v) return;
  leave(v);
  free(v->body);
  free(v);
}

static void quiet(void *arg, const char *format, va_list args) {
  (void)arg;
  (void)format;
  (void)args;
}

/* ---- the server ------------------------------------------------------------------------------------------------------------ */

static int listen_on(const char *host, uint16_t *port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
  if (!strcmp(host, "localhost")) host = "127.0.0.1";
  bool six = inet_pton(AF_INET, host, &v4.sin_addr) != 1;
  if (six && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) return errno = EINVAL, -1;
  struct sockaddr *address = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
  socklen_t size = six ? sizeof v6 : sizeof v4;
  int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, address, size) || listen(fd, 128) ||
      getsockname(fd, address, &size)) {
    int err = errno;
    close(fd);
    return errno = err, -1;
  }
  *port = ntohs(six ? v6.sin6_port : v4.sin_port);
  return fd;
}

static void front_close(void *front) {
  struct front *f = front;
  uint64_t one = 1;
  if (!f) return;
  if (f->daemon) {
    MHD_socket listening = MHD_quiesce_daemon(f->daemon);
    if (f->stop_fd >= 0 && write(f->stop_fd, &one, sizeof one) < 0) errno = 0;
    MHD_stop_daemon(f->daemon);
    if (listening != MHD_INVALID_SOCKET) close(listening);
  }
  if (f->stop_fd >= 0) close(f->stop_fd);
  if (f->key) explicit_bzero(f->key, strlen(f->key));
  free(f->key);
  free(f->host);
  pthread_mutex_destroy(&f->lock);
  free(f);
}

static hf_status front_open(const struct front_config *c, void **front, uint16_t *port, char *why, size_t room) {
  struct front *f = calloc(1, sizeof *f);
  *front = NULL;
  if (!f) return HF_ENOMEM;
  f->config = *c;
  f->host = strdup(c->host);
  f->key = c->key ? strdup(c->key) : NULL;
  f->policy = (struct policy){.host = f->host, .key = f->key, .anywhere = c->anywhere, .body_max = c->body_max};
  f->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_mutex_init(&f->lock, NULL);
  *port = c->port;
  if (!f->host || (c->key && !f->key) || f->stop_fd < 0) {
    front_close(f);
    return HF_ENOMEM;
  }
  if (!policy_loopback(c->host) && !c->anywhere) {
    snprintf(why, room, "%s is not an address of this machine alone", c->host);
    front_close(f);
    return HF_EINVAL;
  }
  int fd = listen_on(c->host, port);
  if (fd < 0) {
    snprintf(why, room, "%s port %u cannot be listened on: %s", c->host, (unsigned)c->port, strerror(errno));
    front_close(f);
    return HF_EIO;
  }
  f->daemon = MHD_start_daemon(
      MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, NULL, NULL,
      handle, f, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
      (unsigned)(c->active_max * 2 + 32), MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
      MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEADER_MEMORY,
      MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
  if (!f->daemon) {
    snprintf(why, room, "the server cannot be started: %s", strerror(errno));
    close(fd);
    front_close(f);
    return HF_EIO;
  }
  *front = f;
  return HF_OK;
}

HF_EXPORT extern const struct hf_front hf_front_v1;
HF_EXPORT const struct hf_front hf_front_v1 = {
    .abi = HF_FRONT_ABI, .struct_size = sizeof(struct hf_front), .open = front_open, .close = front_close};
