/* model.c - a server that answers chats as a model would, as fast as it can: a JSON answer, or a stream of events in which each
 * says when it was sent (nanoseconds of the monotonic clock). For benchmarks of clients on the same machine.
 * bench-model EVENTS EVERY_MS: prints its port; ends with its stdin. One thread, any number of connections. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PEERS = 8192, ROOM = 8192 };

struct peer {
  char in[ROOM];
  size_t len;
  uint32_t left; /* events to come */
  uint64_t next_ns;
};
static struct peer *peers[PEERS]; /* by descriptor */
static int epoll, highest;
static uint32_t events;
static uint64_t every_ns;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void say(int fd, const char *text, size_t len) {
  while (len) {
    ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) return;
    text += n;
    len -= (size_t)n;
  }
}

static void drop(int fd) {
  free(peers[fd]);
  peers[fd] = NULL;
  close(fd);
}

static void chunk(int fd, const char *text) {
  char out[512];
  int n = snprintf(out, sizeof out, "%zx\r\n%s\r\n", strlen(text), text);
  say(fd, out, (size_t)n);
}

static void event(int fd, struct peer *p) {
  char text[256];
  snprintf(text, sizeof text,
           "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":"
           "\"%llu\"},\"finish_reason\":null}]}\n\n",
           (unsigned long long)now_ns());
  chunk(fd, text);
  p->next_ns += every_ns;
  if (--p->left) return;
  chunk(fd, "data: [DONE]\n\n");
  say(fd, "0\r\n\r\n", 5);
}

static void answer(int fd, struct peer *p, const char *body, size_t len) {
  static const char json[] =
      "{\"id\":\"1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
      "\"message\":{\"role\":\"assistant\",\"content\":\"The Rhone and the Saone.\"},\"finish_reason\":\"stop\"}],"
      "\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":7,\"total_tokens\":16}}";
  char head[256];
  if (memmem(body, len, "\"stream\":true", 13) || memmem(body, len, "\"stream\": true", 14)) {
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    say(fd, head, (size_t)n);
    p->left = events;
    p->next_ns = now_ns() + every_ns;
    return;
  }
  int n =
      snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               sizeof json - 1, "");
  char all[sizeof head + sizeof json];
  memcpy(all, head, (size_t)n);
  memcpy(all + n, json, sizeof json - 1);
  say(fd, all, (size_t)n + sizeof json - 1);
}

static void read_peer(int fd) {
  struct peer *p = peers[fd];
  ssize_t n = recv(fd, p->in + p->len, ROOM - 1 - p->len, 0);
  if (n <= 0) {
    if (n == 0 || errno != EAGAIN) drop(fd);
    return;
  }
  p->len += (size_t)n;
  p->in[p->len] = 0;
  char *end = strstr(p->in, "\r\n\r\n");
  if (!end) return;
  char *length = strcasestr(p->in, "content-length:");
  size_t head = (size_t)(end + 4 - p->in), body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
  if (strcasestr(p->in, "expect: 100-continue")) say(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
  if (head + body >= ROOM) {
    drop(fd);
    return;
  }
  if (p->len < head + body) return;
  answer(fd, p, p->in + head, body);
  p->len = 0;
}

static void take_peer(int listener) {
  int one = 1, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (fd >= PEERS || !(peers[fd] = calloc(1, sizeof(struct peer)))) {
    close(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
  if (fd > highest) highest = fd;
}

int main(int argc, char **argv) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t at_len = sizeof at;
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  events = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 10;
  every_ns = (argc > 2 ? strtoul(argv[2], NULL, 10) : 10) * 1000000u;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (listener < 0 || epoll < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024))
    return 1;
  getsockname(listener, (struct sockaddr *)&at, &at_len);
  printf("%u\n", ntohs(at.sin_port));
  fflush(stdout);
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN, .data.fd = listener});
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &(struct epoll_event){.events = EPOLLIN, .data.fd = 0});
  for (;;) {
    struct epoll_event ready[256];
    uint64_t now = now_ns(), next = UINT64_MAX;
    for (int fd = 0; fd <= highest; fd++) {
      struct peer *p = peers[fd];
      if (!p || !p->left) continue;
      if (p->next_ns <= now) event(fd, p);
      if (p->left && p->next_ns < next) next = p->next_ns;
    }
    now = now_ns();
    int wait = next == UINT64_MAX ? -1 : next <= now ? 0 : (int)((next - now) / 1000000u) + 1;
    int n = epoll_wait(epoll, ready, 256, wait);
    for (int i = 0; i < n; i++) {
      if (ready[i].data.fd == 0) return 0;
      if (ready[i].data.fd == listener)
        take_peer(listener);
      else if (peers[ready[i].data.fd])
        read_peer(ready[i].data.fd);
    }
  }
}
