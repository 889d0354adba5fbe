/* http.c - the front: two listeners (Hub and CDN origin) of libmicrohttpd, a pool of epoll threads each.
 * Takes a request in, lets its route answer, writes the log row, sends the reply: files by sendfile, generated content by
 * blocks. URLs are decoded by this program alone, so that a path with %2F reaches its route. */
#include "body.h"
#include "content.h"
#include "model.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, CONNECTION_SECONDS = 300, GENERATED_BLOCK = 256 * 1024, CONNECTION_MEMORY = 128 * 1024 };

static const struct {
  const char *name;
  enum method method;
} methods[] = {{"GET", METHOD_GET}, {"HEAD", METHOD_HEAD},     {"POST", METHOD_POST},
               {"PUT", METHOD_PUT}, {"DELETE", METHOD_DELETE}, {"PATCH", METHOD_PATCH}};

static void *request_new(void *arg, const char *uri, struct MHD_Connection *connection) {
  (void)arg;
  (void)connection;
  struct request *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->reply.body.fd = -1;
  r->target = strdup(uri);
  r->path = strdup(uri);
  if (r->path && (r->query = strchr(r->path, '?'))) *r->query++ = 0;
  if (r->query) r->query_copy = strdup(r->query);
  return r;
}

static void request_free(struct request *r) {
  dh_reply_clear(&r->reply);
  dh_body_free(&r->reply.body);
  dh_fault_free(&r->early);
  if (r->stream && r->route && r->route->stream) r->route->stream->end(r);
  dh_text_free(&r->body);
  dh_text_free(&r->kept);
  free(r->target);
  free(r->path);
  free(r->query_copy);
  free(r);
}

const char *dh_request_header(const struct request *r, const char *name) {
  return MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name);
}

static uint64_t bytes_acked(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct tcp_info tcp;
  socklen_t size = sizeof tcp;
  memset(&tcp, 0, sizeof tcp);
  if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &size) != 0) return 0;
  return tcp.tcpi_bytes_acked;
}

static void parameters_split(struct request *r) {
  for (char *rest = r->query_copy, *pair; rest && (pair = strsep(&rest, "&")) && r->parameter_count < PARAMETERS_MAX;) {
    char *value = strchr(pair, '=');
    if (value) *value++ = 0;
    if (!dh_percent_decode(pair, true) || (value && !dh_percent_decode(value, true))) continue;
    size_t size = strlen(pair);
    if (size > 2 && strcmp(pair + size - 2, "[]") == 0) pair[size - 2] = 0;
    r->parameters[r->parameter_count++] = (struct parameter){pair, value ? value : ""};
  }
}

/* git and git-lfs send user and token as Basic authorization; the token may be in either place. */
static const struct token *basic_find(struct access *a, const char *encoded) {
  char copy[1024], *colon;
  size_t size = strlen(encoded);
  if (!dh_copy(copy, sizeof copy, encoded) || !dh_base64_decode(copy, size, copy, &size) || size >= sizeof copy)
    return NULL;
  copy[size] = 0;
  if (!(colon = strchr(copy, ':'))) return NULL;
  *colon = 0;
  const struct token *t = dh_access_find(a, colon + 1);
  return t ? t : dh_access_find(a, copy);
}

static void token_find(struct request *r) {
  const char *authorization = dh_request_header(r, "Authorization");
  struct access *a = &r->server->access;
  if (!authorization || r->origin == ORIGIN_CDN) return;
  if (a->count == 0) {
    r->token = &a->open;
    return;
  }
  if (strncasecmp(authorization, "Bearer ", 7) == 0) r->token = dh_access_find(a, authorization + 7);
  if (strncasecmp(authorization, "Basic ", 6) == 0) r->token = basic_find(a, authorization + 6);
  r->token_invalid = !r->token;
}

static void request_begin(struct request *r, const char *method) {
  unsigned char id[15];
  snprintf(r->method_name, sizeof r->method_name, "%s", method);
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (strcmp(methods[i].name, method) == 0) r->method = methods[i].method;
  if (dh_random(id, sizeof id)) {
    memcpy(r->id, "Root=1-", 7);
    dh_hex(r->id + 7, id, sizeof id);
  }
  parameters_split(r);
  token_find(r);
  r->route = dh_route_find(r);
  if (r->method != METHOD_GET && r->method != METHOD_HEAD && !(r->route && r->route->flags & ROUTE_CONTROL))
    r->early = dh_fault_find(r, true);
  bool refused = r->early.kind != FAULT_NONE && r->early.kind != FAULT_HOLD && r->early.kind != FAULT_BREAK;
  if (refused) {
    r->entered = r->refused = true;
  } else if (r->route && r->route->stream) {
    r->entered = true;
    r->refused = !dh_route_enter(r) || !r->route->stream->begin(r);
  }
}

static void body_take(struct request *r, const char *data, size_t size) {
  r->body_size += size;
  if (r->kept.size < r->server->log_bodies && r->route && !(r->route->flags & ROUTE_SECRET)) {
    size_t room = r->server->log_bodies - r->kept.size;
    dh_text_add(&r->kept, data, size < room ? size : room);
  }
  if (r->refused) return;
  if (r->route && r->route->stream) {
    r->route->stream->data(r, data, size);
  } else if (!r->route || size > r->route->body_max || r->body.size > r->route->body_max - size) {
    r->too_large = true;
  } else {
    dh_text_add(&r->body, data, size);
  }
}

/* Where in its body a request meets a fault. */
static uint64_t fault_place(const struct request *r) {
  const char *length = dh_request_header(r, "Content-Length");
  uint64_t size = 0;
  if (r->early.after != FAULT_ABSENT) return (uint64_t)r->early.after;
  if (length) dh_number(length, INT64_MAX, &size);
  return size / 2;
}

static enum MHD_Result header_log(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
  static const char *const secret[] = {"Authorization", "Proxy-Authorization", "Cookie"};
  struct text *t = arg;
  (void)kind;
  for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
    if (strcasecmp(name, secret[i]) == 0) return MHD_YES;
  char lower[64];
  size_t n = strlen(name);
  if (n >= sizeof lower || t->size > 8192) return MHD_YES;
  for (size_t i = 0; i <= n; i++) lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
  if (t->data[t->size - 1] != '{') dh_text_str(t, ",");
  dh_text_json(t, lower, n);
  dh_text_str(t, ":");
  n = value ? strlen(value) : 0;
  dh_text_json(t, value ? value : "", n > 1024 ? 1024 : n);
  return MHD_YES;
}

static void log_member(struct text *t, const char *name, const char *value) {
  dh_text_addf(t, ",\"%s\":", name);
  if (value) dh_text_json(t, value, strlen(value));
  if (!value) dh_text_str(t, "null");
}

/* With --log-bodies: a JSON or form body, as text, cut where the log's share of it ends. */
static void body_log(struct request *r, struct text *t) {
  const char *type = dh_request_header(r, "Content-Type");
  bool readable = type && (strstr(type, "json") || strstr(type, "form"));
  if (!r->kept.size || !readable) return;
  dh_text_str(t, ",\"body\":");
  dh_text_json(t, r->kept.data, r->kept.size);
}

static void request_log(struct request *r, const char *fault) {
  struct text t = {0};
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  dh_text_addf(&t, "\"time\":%lld.%03ld,\"origin\":\"%s\"", (long long)now.tv_sec, now.tv_nsec / 1000000,
               r->origin == ORIGIN_CDN ? "cdn" : "hub");
  log_member(&t, "method", r->method_name);
  log_member(&t, "path", r->target);
  log_member(&t, "range", dh_request_header(r, "Range"));
  log_member(&t, "user_agent", dh_request_header(r, "User-Agent"));
  log_member(&t, "token", r->token ? r->token->name : dh_request_header(r, "Authorization") ? "(unknown)" : NULL);
  log_member(&t, "fault", fault);
  log_member(&t, "request_id", r->id);
  dh_text_addf(&t, ",\"body_size\":%llu", (unsigned long long)r->body_size);
  body_log(r, &t);
  dh_text_addf(&t, ",\"length\":%llu,\"headers\":{", (unsigned long long)r->reply.body.length);
  MHD_get_connection_values(r->connection, MHD_HEADER_KIND, header_log, &t);
  dh_text_str(&t, "}");
  r->log_number = dh_log_begin(&r->server->log, dh_text_take(&t), r->reply.status);
}

struct generated {
  uint64_t seed, first;
};

static ssize_t generated_read(void *arg, uint64_t at, char *out, size_t size) {
  const struct generated *g = arg;
  dh_content_fill(g->seed, g->first + at, out, size);
  return (ssize_t)size;
}

struct events {
  char *data;
  uint64_t size;
};

/* Up to the end of the event that begins at `at`. */
static ssize_t events_read(void *arg, uint64_t at, char *out, size_t room) {
  const struct events *e = arg;
  if (at >= e->size) return MHD_CONTENT_READER_END_OF_STREAM;
  const char *from = e->data + at, *end = memmem(from, (size_t)(e->size - at), "\n\n", 2);
  size_t n = end ? (size_t)(end - from) + 2 : (size_t)(e->size - at);
  if (n > room) n = room;
  memcpy(out, from, n);
  return (ssize_t)n;
}

static void events_free(void *arg) {
  struct events *e = arg;
  free(e->data);
  free(e);
}

static struct MHD_Response *events_make(struct body *b) {
  struct events *e = malloc(sizeof *e);
  if (!e) return NULL;
  *e = (struct events){b->data, b->length};
  struct MHD_Response *response =
      MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, events_read, e, events_free);
  if (!response) free(e);
  if (response) b->data = NULL;
  return response;
}

static struct MHD_Response *response_make(struct body *b) {
  struct MHD_Response *response = NULL;
  if (b->kind == BODY_FILE) {
    response = MHD_create_response_from_fd_at_offset64(b->length, b->fd, b->place + b->first);
    if (response) b->fd = -1;
  } else if (b->kind == BODY_GENERATED) {
    struct generated *g = malloc(sizeof *g);
    if (!g) return NULL;
    *g = (struct generated){b->seed, b->first};
    size_t block = b->length < GENERATED_BLOCK ? (size_t)b->length + 1 : GENERATED_BLOCK;
    response = MHD_create_response_from_callback(b->length, block, generated_read, g, free);
    if (!response) free(g);
  } else if (b->events && b->data) {
    response = events_make(b);
  } else {
    char *data = b->data;
    if (data && b->first) memmove(data, data + b->first, (size_t)b->length);
    response =
        MHD_create_response_from_buffer((size_t)b->length, data, data ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (response) b->data = NULL;
  }
  return response;
}

static enum MHD_Result reply_send(struct request *r) {
  struct MHD_Response *response = response_make(&r->reply.body);
  if (!response) return MHD_NO;
  for (size_t i = 0; i < r->reply.header_count; i++)
    MHD_add_response_header(response, r->reply.headers[i].name, r->reply.headers[i].value);
  enum MHD_Result rc = MHD_queue_response(r->connection, (unsigned)r->reply.status, response);
  MHD_destroy_response(response);
  return rc;
}

static void request_answer(struct request *r) {
  if (r->too_large) {
    dh_reply_error(r, 413, NULL, "The request body is too large.");
  } else if (!r->route) {
    dh_reply_error(r, 404, NULL, "Sorry, we can't find the page you are looking for.");
  } else if (r->early.kind != FAULT_NONE && r->refused && !r->reply.status) {
    dh_reply_error(r, 503, NULL, "This failure was asked for.");
  } else {
    bool reads = (r->method == METHOD_GET || r->method == METHOD_HEAD) && !(r->route->flags & ROUTE_CONTROL) &&
                 dh_store_read_begin(r->server->store) == STORE_OK;
    if (r->entered ? !r->refused : dh_route_enter(r)) r->route->handle(r);
    if (reads) dh_store_read_end(r->server->store);
  }
  if (!r->reply.status) dh_reply_error(r, 500, NULL, "Internal error: no answer was made.");
  dh_reply_header(&r->reply, "X-Request-Id", "%s", r->id);
  r->acked_before = bytes_acked(r->connection);
}

/* Finds the fault of this request, changes the reply if that is all it does, and writes the log row. What is left to do on
 * the wire is returned. */
static struct fault request_fault(struct request *r) {
  struct fault none = {.kind = FAULT_NONE};
  if (r->route && (r->route->flags & ROUTE_CONTROL)) return none;
  struct fault fault = r->early.kind == FAULT_NONE || r->early.kind == FAULT_HOLD ? dh_fault_find(r, false) : r->early;
  const char *held = r->early.kind == FAULT_HOLD ? r->early.kind_name : NULL;
  if (fault.kind == r->early.kind) r->early.body = NULL;
  bool found = fault.kind != FAULT_NONE;
  const char *name = found ? fault.kind_name : held;
  if (found && dh_fault_shape(r, &fault)) {
    dh_fault_free(&fault);
    fault = none;
    if (!dh_reply_find(&r->reply, "X-Request-Id")) dh_reply_header(&r->reply, "X-Request-Id", "%s", r->id);
  }
  request_log(r, name);
  return fault;
}

static enum MHD_Result broken(struct request *r) {
  request_log(r, r->early.kind_name);
  dh_fault_hang_up(r, &r->early);
  return MHD_NO;
}

static enum MHD_Result body_step(struct request *r, const char *data, size_t *size) {
  uint64_t place = r->early.kind == FAULT_BREAK || r->early.kind == FAULT_HOLD ? fault_place(r) : UINT64_MAX;
  if (r->early.kind == FAULT_HOLD && !r->held && r->body_size + *size > place) {
    r->held = true;
    struct fault hold = r->early;
    r->early.body = NULL;
    bool waiting = dh_fault_send(r, &hold);
    dh_fault_free(&hold);
    if (waiting) return MHD_YES;
  }
  if (r->early.kind == FAULT_BREAK && r->body_size + *size > place) {
    body_take(r, data, place > r->body_size ? (size_t)(place - r->body_size) : 0);
    return broken(r);
  }
  body_take(r, data, *size);
  *size = 0;
  return MHD_YES;
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state) {
  const struct listener *listener = arg;
  struct request *r = *state;
  (void)url;
  (void)version;
  if (!r || !r->path || !r->target || r->taken_over) return MHD_NO;
  if (!r->connection) {
    r->connection = connection;
    r->server = listener->server;
    r->origin = listener->origin;
    request_begin(r, method);
    return MHD_YES;
  }
  if (*size) return body_step(r, data, size);
  if (r->delayed) return reply_send(r);
  if (r->early.kind == FAULT_BREAK) return broken(r);
  request_answer(r);
  struct fault fault = request_fault(r);
  bool sending = fault.kind != FAULT_NONE && dh_fault_send(r, &fault);
  dh_fault_free(&fault);
  return sending ? MHD_YES : reply_send(r);
}

static void completed(void *arg, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode why) {
  struct request *r = *state;
  (void)arg;
  *state = NULL;
  if (!r) return;
  if (r->log_number && !r->taken_over) {
    bool whole = why == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    uint64_t length = r->method == METHOD_HEAD ? 0 : r->reply.body.length, sent = length;
    if (!whole) {
      uint64_t acked = bytes_acked(connection);
      sent = acked > r->acked_before ? acked - r->acked_before : 0;
      if (sent > length) sent = length;
    }
    dh_log_end(&r->server->log, r->log_number, sent, whole);
  }
  request_free(r);
}

/* URLs stay as they came; dh_route_find decodes them part by part. */
static size_t unescape_nothing(void *arg, struct MHD_Connection *connection, char *s) {
  (void)arg;
  (void)connection;
  return strlen(s);
}

static void mhd_quiet(void *arg, const char *format, va_list args) {
  (void)arg;
  (void)format;
  (void)args;
}

static int listen_on(const char *host, uint16_t port, char url[300]) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  bool six = inet_pton(AF_INET, host, &v4.sin_addr) != 1;
  if (six && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1) {
    fprintf(stderr, "hf-devhub: --host needs an IP address, got %s\n", host);
    return -1;
  }
  int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr *address = six ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
  socklen_t size = six ? sizeof v6 : sizeof v4;
  if (fd >= 0) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind(fd, address, size) != 0 || listen(fd, 1024) != 0 || getsockname(fd, address, &size) != 0) {
    fprintf(stderr, "hf-devhub: cannot listen on %s port %u: %s\n", host, port, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  snprintf(url, 300, six ? "http://[%s]:%u" : "http://%s:%u", host, ntohs(six ? v6.sin6_port : v4.sin_port));
  return fd;
}

static bool daemon_start(struct server *s, enum origin origin, const struct serve_options *o) {
  int fd = listen_on(o->host, origin == ORIGIN_CDN ? o->cdn_port : o->port, s->url[origin]);
  if (fd < 0) return false;
  s->listener[origin] = (struct listener){s, origin};
  s->daemon[origin] = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO | MHD_USE_ERROR_LOG, 0, NULL, NULL,
      handle, &s->listener[origin], MHD_OPTION_EXTERNAL_LOGGER, mhd_quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
      MHD_OPTION_THREAD_POOL_SIZE, o->threads, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
      MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
      (size_t)CONNECTION_MEMORY, MHD_OPTION_UNESCAPE_CALLBACK, unescape_nothing, NULL, MHD_OPTION_URI_LOG_CALLBACK,
      request_new, NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
  if (!s->daemon[origin]) {
    fprintf(stderr, "hf-devhub: cannot start the server threads: %s\n", strerror(errno));
    close(fd);
  }
  return s->daemon[origin] != NULL;
}

/* Signed URLs of a folder stay good over a restart. */
static bool key_keep(struct server *s) {
  char hex[65] = "";
  int rc = dh_store_setting(s->store, "key", hex, sizeof hex);
  if (rc == STORE_NONE) {
    dh_hex(hex, s->cdn_key, sizeof s->cdn_key);
    rc = dh_store_setting_set(s->store, "key", hex);
  }
  if (rc != STORE_OK || strlen(hex) != 64 || !dh_is_hex(hex, 64)) return false;
  for (size_t i = 0; i < sizeof s->cdn_key; i++) {
    char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};
    s->cdn_key[i] = (unsigned char)strtoul(byte, NULL, 16);
  }
  return true;
}

bool dh_server_start(struct server *s, const struct serve_options *o) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  pthread_mutex_init(&s->faults.lock, NULL);
  pthread_mutex_init(&s->workers.lock, NULL);
  pthread_cond_init(&s->workers.idle, NULL);
  s->workers.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (s->workers.stop_fd < 0 || !dh_random(s->cdn_key, sizeof s->cdn_key) || !dh_log_open(&s->log, o->log_file))
    return false;
  s->store = dh_store_open(o->folder);
  s->oauth = dh_oauth_new();
  s->jobs = dh_jobs_new();
  pthread_mutex_init(&s->mapping_lock, NULL);
  return s->store && s->oauth && s->jobs && key_keep(s) && daemon_start(s, ORIGIN_CDN, o) &&
         daemon_start(s, ORIGIN_HUB, o);
}

void dh_server_stop(struct server *s) {
  uint64_t one = 1;
  if (s->workers.stop_fd >= 0 && write(s->workers.stop_fd, &one, sizeof one) < 0) perror("hf-devhub: stop");
  pthread_mutex_lock(&s->workers.lock);
  s->workers.stopping = true;
  while (s->workers.running) pthread_cond_wait(&s->workers.idle, &s->workers.lock);
  pthread_mutex_unlock(&s->workers.lock);
  for (int i = 0; i < ORIGINS; i++)
    if (s->daemon[i]) MHD_stop_daemon(s->daemon[i]);
  dh_fault_clear(&s->faults);
  dh_log_close(&s->log);
  dh_limit_end(&s->limit);
  dh_oauth_free(s->oauth);
  dh_jobs_free(s->jobs);
  json_decref(s->mapping);
  dh_access_end(&s->access);
  dh_store_close(s->store);
  if (s->workers.stop_fd >= 0) close(s->workers.stop_fd);
}
