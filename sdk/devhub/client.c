/* client.c - HTTP/1.1 as far as talking to a devhub on this machine needs it.
 * One connection, kept between exchanges; answers have a Content-Length. Sizes of what comes back are bounded.
 * Used by add, log, fault, reset and rename. */
#include "commands.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint64_t answer_max = (uint64_t)1 << 30;

bool dh_client_open(struct client *c, const char *url) {
  *c = (struct client){.fd = -1};
  const char *host = strncmp(url, "http://", 7) == 0 ? url + 7 : NULL, *colon = host ? strrchr(host, ':') : NULL;
  size_t host_size = colon ? (size_t)(colon - host) : 0, port_size = colon ? strcspn(colon + 1, "/") : 0;
  bool brackets = host && host[0] == '[' && host_size > 2;
  if (!host_size || host_size >= sizeof c->host || !port_size || port_size >= sizeof c->port) {
    fprintf(stderr, "hf-devhub: --url must be like http://127.0.0.1:PORT, got %s\n", url);
    return false;
  }
  memcpy(c->host, host + brackets, host_size - 2 * (size_t)brackets);
  memcpy(c->port, colon + 1, port_size);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  if (getaddrinfo(c->host, c->port, &hints, &list) == 0)
    for (struct addrinfo *a = list; a && c->fd < 0; a = a->ai_next) {
      c->fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
      if (c->fd >= 0 && connect(c->fd, a->ai_addr, a->ai_addrlen) != 0) dh_client_close(c);
    }
  if (list) freeaddrinfo(list);
  int on = 1; /* head and body are two writes: without this each exchange waits for a delayed acknowledgement */
  if (c->fd >= 0) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (c->fd < 0) fprintf(stderr, "hf-devhub: no server answers at %s: %s\n", url, strerror(errno));
  return c->fd >= 0;
}

void dh_client_close(struct client *c) {
  if (c->fd >= 0) close(c->fd);
  c->fd = -1;
}

static bool send_all(int fd, const void *data, size_t size) {
  for (const char *p = data; size;) {
    ssize_t n = send(fd, p, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    p += n;
    size -= (size_t)n;
  }
  return true;
}

static bool send_file(int to, int from, uint64_t size) {
  off_t at = 0;
  while ((uint64_t)at < size) {
    uint64_t left = size - (uint64_t)at;
    ssize_t n = sendfile(to, from, &at, left > (1 << 20) ? 1 << 20 : (size_t)left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
  }
  return true;
}

/* Reads the answer; `out` holds its body afterwards. */
static int receive(int fd, struct text *out) {
  char buffer[16384], *end = NULL;
  uint64_t length = 0;
  while (!end && out->size < 65536 && !out->failed) {
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    dh_text_add(out, buffer, (size_t)n);
    end = out->data ? strstr(out->data, "\r\n\r\n") : NULL;
  }
  if (!end || strncmp(out->data, "HTTP/1.1 ", 9) != 0) return 0;
  int status = (int)strtol(out->data + 9, NULL, 10);
  const char *header = strcasestr(out->data, "\r\nContent-Length: ");
  if (header && header < end) length = strtoull(header + 18, NULL, 10);
  size_t head = (size_t)(end + 4 - out->data);
  if (length > answer_max) return 0;
  memmove(out->data, out->data + head, out->size - head + 1);
  out->size -= head;
  while (out->size < length && !out->failed) {
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    dh_text_add(out, buffer, (size_t)n);
  }
  return out->failed ? 0 : status;
}

int dh_client_send(struct client *c, const char *method, const char *path, const void *body, int fd, uint64_t size,
                   struct text *out) {
  struct text head = {0};
  bool six = strchr(c->host, ':') != NULL;
  dh_text_addf(&head, "%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nUser-Agent: hf-devhub\r\nContent-Length: %llu\r\n\r\n",
               method, path, six ? "[" : "", c->host, six ? "]" : "", c->port, (unsigned long long)size);
  bool ok = !head.failed && send_all(c->fd, head.data, head.size);
  ok = ok && (fd >= 0 ? send_file(c->fd, fd, size) : send_all(c->fd, body, (size_t)size));
  dh_text_free(&head);
  int status = ok ? receive(c->fd, out) : 0;
  if (!status) fprintf(stderr, "hf-devhub: the server did not answer %s %s\n", method, path);
  return status;
}

json_t *dh_client_json(struct client *c, const char *method, const char *path, json_t *body) {
  char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
  bool lost = body && !text;
  struct text out = {0};
  json_decref(body);
  int status = lost ? 0 : dh_client_send(c, method, path, text, -1, text ? strlen(text) : 0, &out);
  free(text);
  json_t *answer = status && out.data ? json_loadb(out.data, out.size, JSON_DECODE_ANY, NULL) : NULL;
  dh_text_free(&out);
  if (status == 200 && answer) return answer;
  const char *error = json_string_value(json_object_get(answer, "error"));
  if (status) fprintf(stderr, "hf-devhub: the server answered %d: %s\n", status, error ? error : "no reason given");
  json_decref(answer);
  return NULL;
}
