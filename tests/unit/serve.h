/* serve.h - a tiny HTTP server on a thread for unit tests: it records each request and answers with whatever bytes the test's
 * handler writes, right or wrong; it may stall, cut or never end. One thread per connection, keep-alive as the handler says.
 * Everything is static: include it in one test program. */
#ifndef HF_TEST_SERVE_H
#define HF_TEST_SERVE_H
#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVE_SEEN_MAX 2048

struct seen {
  char *head; /* request line and headers */
  char *body;
  size_t body_len;
};
struct server;
/* Answers one request on fd; false closes the connection. */
typedef bool (*serve_fn)(struct server *, int fd, const struct seen *);
struct server {
  int fd;
  uint16_t port;
  serve_fn handler;
  pthread_t thread;
  pthread_mutex_t lock;
  struct seen seen[SERVE_SEEN_MAX];
  atomic_int count; /* of seen[] that are complete */
  atomic_int connections, open;
  atomic_bool stop;
  int fds[256];
};

static bool put_bytes(int fd, const void *data, size_t len) {
  for (const char *p = data; len > 0;) {
    ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
    if (n <= 0) return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

static bool put(int fd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool put(int fd, const char *fmt, ...) {
  char text[8192];
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(text, sizeof(text), fmt, args);
  va_end(args);
  return put_bytes(fd, text, (size_t)n);
}

/* Value of a header of a recorded request, in a static buffer per call site's thread; NULL: absent. */
static const char *seen_header(const struct seen *s, const char *name) {
  static _Thread_local char value[4][1024];
  static _Thread_local int turn;
  size_t n = strlen(name);
  for (const char *line = strstr(s->head, "\r\n"); line != NULL && line[2] != '\0'; line = strstr(line + 2, "\r\n")) {
    if (strncasecmp(line + 2, name, n) != 0 || line[2 + n] != ':') continue;
    const char *v = line + 3 + n;
    while (*v == ' ') v++;
    char *out = value[turn++ % 4];
    snprintf(out, 1024, "%.*s", (int)strcspn(v, "\r"), v);
    return out;
  }
  return NULL;
}

static bool read_more(int fd, char **buf, size_t *len) {
  char *more = realloc(*buf, *len + 65537);
  if (more == NULL) return false;
  *buf = more;
  ssize_t n = recv(fd, more + *len, 65536, 0);
  if (n <= 0) return false;
  *len += (size_t)n;
  more[*len] = '\0';
  return true;
}

/* Takes the body off the connection; chunked bodies are decoded in place. */
static bool read_body(int fd, struct seen *s, char **rest, size_t *have) {
  const char *length = seen_header(s, "content-length"), *coding = seen_header(s, "transfer-encoding");
  if (coding != NULL && strcasecmp(coding, "chunked") == 0) {
    size_t at = 0;
    for (;;) {
      char *eol;
      while ((eol = *have > at ? strstr(*rest + at, "\r\n") : NULL) == NULL)
        if (!read_more(fd, rest, have)) return false;
      size_t n = strtoul(*rest + at, NULL, 16);
      size_t from = (size_t)(eol - *rest) + 2;
      while (*have < from + n + 2)
        if (!read_more(fd, rest, have)) return false;
      s->body = realloc(s->body, s->body_len + n + 1);
      memcpy(s->body + s->body_len, *rest + from, n);
      s->body_len += n;
      s->body[s->body_len] = '\0';
      at = from + n + 2;
      if (n == 0) break;
    }
    memmove(*rest, *rest + at, *have - at + 1);
    *have -= at;
    return true;
  }
  size_t n = length != NULL ? strtoul(length, NULL, 10) : 0;
  while (*have < n)
    if (!read_more(fd, rest, have)) return false;
  s->body = calloc(1, n + 1);
  memcpy(s->body, *rest, n);
  s->body_len = n;
  memmove(*rest, *rest + n, *have - n + 1);
  *have -= n;
  return true;
}

struct connection {
  struct server *server;
  int fd, slot;
};

static void *serve_connection(void *arg) {
  struct connection c = *(struct connection *)arg;
  free(arg);
  char *buf = calloc(1, 1);
  size_t have = 0;
  for (bool keep = true; keep;) {
    char *end;
    while ((end = strstr(buf, "\r\n\r\n")) == NULL)
      if (!read_more(c.fd, &buf, &have)) goto out;
    struct seen s = {0};
    size_t head = (size_t)(end - buf) + 4;
    s.head = strndup(buf, head - 2);
    memmove(buf, buf + head, have - head + 1);
    have -= head;
    bool whole = read_body(c.fd, &s, &buf, &have);
    pthread_mutex_lock(&c.server->lock);
    if (c.server->count < SERVE_SEEN_MAX) {
      c.server->seen[c.server->count] = s;
      atomic_fetch_add(&c.server->count, 1);
    }
    pthread_mutex_unlock(&c.server->lock);
    keep = whole && c.server->handler(c.server, c.fd, &s) && !atomic_load(&c.server->stop);
  }
out:
  free(buf);
  pthread_mutex_lock(&c.server->lock);
  c.server->fds[c.slot] = -1;
  pthread_mutex_unlock(&c.server->lock);
  shutdown(c.fd, SHUT_RDWR);
  close(c.fd);
  atomic_fetch_sub(&c.server->open, 1);
  return NULL;
}

static void *serve_loop(void *arg) {
  struct server *s = arg;
  for (;;) {
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0 || atomic_load(&s->stop)) {
      if (fd >= 0) close(fd);
      return NULL;
    }
    struct connection *c = malloc(sizeof(*c));
    pthread_mutex_lock(&s->lock);
    int slot = 0;
    while (slot < 255 && s->fds[slot] >= 0) slot++;
    s->fds[slot] = fd;
    pthread_mutex_unlock(&s->lock);
    *c = (struct connection){s, fd, slot};
    atomic_fetch_add(&s->connections, 1);
    atomic_fetch_add(&s->open, 1);
    pthread_t t;
    pthread_create(&t, NULL, serve_connection, c);
    pthread_detach(t);
  }
}

static struct server *serve_start(serve_fn handler) {
  struct server *s = calloc(1, sizeof(*s));
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(a);
  s->handler = handler;
  pthread_mutex_init(&s->lock, NULL);
  for (int i = 0; i < 256; i++) s->fds[i] = -1;
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(s->fd, (struct sockaddr *)&a, len) != 0 || listen(s->fd, 128) != 0) abort();
  getsockname(s->fd, (struct sockaddr *)&a, &len);
  s->port = ntohs(a.sin_port);
  pthread_create(&s->thread, NULL, serve_loop, s);
  return s;
}

static void serve_stop(struct server *s) {
  if (s == NULL) return;
  atomic_store(&s->stop, true);
  shutdown(s->fd, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  pthread_mutex_lock(&s->lock);
  for (int i = 0; i < 256; i++)
    if (s->fds[i] >= 0) shutdown(s->fds[i], SHUT_RDWR);
  pthread_mutex_unlock(&s->lock);
  while (atomic_load(&s->open) > 0) usleep(1000);
  close(s->fd);
  for (int i = 0; i < s->count; i++) {
    free(s->seen[i].head);
    free(s->seen[i].body);
  }
  pthread_mutex_destroy(&s->lock);
  free(s);
}

/* Does the request line begin with this ("GET /path")? */
__attribute__((unused)) static bool asks(const struct seen *s, const char *start) {
  return strncmp(s->head, start, strlen(start)) == 0;
}

static bool answer(int fd, int status, const char *headers, const char *body) {
  return put(fd, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
}
#endif
