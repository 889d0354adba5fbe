/* server.c - a small HTTP/1.1 server that behaves well or badly as the URL asks: ranges or none, cuts, stalls, wrong answers,
 * redirects, errors that pass. It lives as long as its process.
 * Loopback only; it is a tool of the judge and no web server for anything else. */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <stdarg.h>
#include <unistd.h>

enum { KEPT = 4096, HEAD_MAX = 16384 };

struct server {
  int fd;
  uint16_t port;
  pthread_mutex_t lock;
  struct request kept[KEPT];
  uint32_t count, running, peak;
};

/* What a URL's first word means. status: instead of content, `fails` times (0: always). */
struct behaviour {
  const char *name;
  uint32_t status, fails;
  bool no_ranges, no_length, wrong_range, cut, stall, slow, longer, shorter, redirect, loop;
};
static const struct behaviour behaviours[] = {
    {.name = "ok"},
    {.name = "put"},
    {.name = "complete"},
    {.name = "whole", .no_ranges = true},
    {.name = "chunked", .no_length = true, .no_ranges = true},
    {.name = "missing", .status = 404},
    {.name = "forbidden", .status = 403},
    {.name = "expired", .status = 403},
    {.name = "broken", .status = 500},
    {.name = "busy-once", .status = 503, .fails = 1},
    {.name = "cut-once", .cut = true, .fails = 1},
    {.name = "cut", .cut = true},
    {.name = "stall", .stall = true},
    {.name = "slow", .slow = true},
    {.name = "wrong-range", .wrong_range = true},
    {.name = "longer", .longer = true, .no_ranges = true},
    {.name = "shorter", .shorter = true},
    {.name = "redirect", .redirect = true},
    {.name = "loop", .loop = true},
};

struct conn {
  struct server *s;
  int fd;
};

static bool send_all(int fd, const void *data, size_t len) {
  for (size_t done = 0; done < len;) {
    ssize_t n = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

static bool send_text(int fd, const char *fmt, ...) HF_PRINTF(2, 3);
static bool send_text(int fd, const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  return n > 0 && (size_t)n < sizeof text && send_all(fd, text, (size_t)n);
}

/* ---- content ---- */

struct plan {
  const struct behaviour *b;
  uint64_t size, seed;
};

static bool parse_target(const char *target, struct plan *p) {
  char name[32];
  unsigned long long size, seed;
  if (sscanf(target, "/%31[a-z-]/%llu/%llu", name, &size, &seed) != 3) return false;
  for (size_t i = 0; i < COUNT(behaviours); i++)
    if (strcmp(behaviours[i].name, name) == 0) {
      *p = (struct plan){&behaviours[i], size, seed};
      return true;
    }
  return false;
}

static bool send_content(int fd, const struct plan *p, uint64_t from, uint64_t len, bool chunked) {
  uint8_t buf[1 << 15];
  while (len) {
    size_t n = len < sizeof buf ? (size_t)len : sizeof buf;
    if (p->b->slow && n > 2048) n = 2048;
    fill(buf, n, from, p->seed);
    if (chunked && !send_text(fd, "%zx\r\n", n)) return false;
    if (!send_all(fd, buf, n) || (chunked && !send_all(fd, "\r\n", 2))) return false;
    if (p->b->slow) usleep(50000);
    from += n, len -= n;
  }
  return !chunked || send_all(fd, "0\r\n\r\n", 5);
}

/* before: requests for this target so far; what fails for ever brings something at first only, so that it ends. */
static bool send_file(int fd, const struct plan *p, const struct request *r, uint32_t before) {
  const struct behaviour *b = p->b;
  bool part = r->ranged && !b->no_ranges && r->from < p->size;
  uint64_t from = part ? r->from : 0, end = part && r->to < p->size ? r->to + 1 : p->size, len = end - from;
  bool head = strcmp(r->method, "HEAD") == 0;
  if (r->ranged && !b->no_ranges && r->from >= p->size)
    return send_text(fd,
                     "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */%llu\r\nContent-Length: 0\r\n\r\n",
                     (unsigned long long)p->size);
  uint64_t shift = b->wrong_range && part ? 1 : 0, promised = b->longer ? len + 1000 : len;
  if (part)
    send_text(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %llu-%llu/%llu\r\n",
              (unsigned long long)(from + shift), (unsigned long long)(end - 1 + shift),
              (unsigned long long)(p->size + shift));
  else
    send_text(fd, "HTTP/1.1 200 OK\r\n");
  if (!b->no_ranges) send_text(fd, "Accept-Ranges: bytes\r\n");
  send_text(fd, "ETag: \"%llx\"\r\n", (unsigned long long)p->seed);
  if (b->no_length)
    send_text(fd, "Transfer-Encoding: chunked\r\n\r\n");
  else
    send_text(fd, "Content-Length: %llu\r\n\r\n", (unsigned long long)promised);
  if (head) return true;
  if (b->cut && (!b->fails || before < b->fails)) {
    if (before < 2) send_content(fd, p, from, len / 2, false);
    return false;
  }
  if (b->shorter) { /* a promise of more than there is, then the end */
    if (!before) send_content(fd, p, from, len > 100 ? len - 100 : 0, false);
    return false;
  }
  if (b->stall) {
    if (!before) send_content(fd, p, from, len / 4, false);
    sleep(60);
    return false;
  }
  if (!send_content(fd, p, from, len, b->no_length)) return false;
  return promised == len || send_content(fd, p, 0, promised - len, false);
}

/* ---- requests ---- */

static bool read_head(int fd, char *head, size_t *len) {
  size_t n = *len;
  while (!memmem(head, n, "\r\n\r\n", 4)) {
    if (n >= HEAD_MAX - 1) return false;
    ssize_t r = recv(fd, head + n, HEAD_MAX - 1 - n, 0);
    if (r <= 0) return false;
    n += (size_t)r;
  }
  head[n] = 0;
  *len = n;
  return true;
}

static const char *header(const char *head, const char *name) {
  size_t n = strlen(name);
  for (const char *at = strstr(head, "\r\n"); at && at[2] != '\r'; at = strstr(at + 2, "\r\n"))
    if (strncasecmp(at + 2, name, n) == 0 && at[2 + n] == ':') return at + 3 + n + strspn(at + 3 + n, " ");
  return NULL;
}

static bool receive_body(int fd, char *rest, size_t have, uint64_t len, uint64_t off, uint64_t seed,
                         struct request *r) {
  uint8_t buf[1 << 15];
  r->body_right = true;
  while (r->body < len) {
    size_t n = have;
    if (n) {
      if (n > sizeof buf) n = sizeof buf;
      memcpy(buf, rest, n);
      rest += n, have -= n;
    } else {
      ssize_t got = recv(fd, buf, sizeof buf, 0);
      if (got <= 0) return false;
      n = (size_t)got;
    }
    if (!same(buf, n, off + r->body, seed)) r->body_right = false;
    if (!r->body)
      snprintf(r->text, sizeof r->text, "%.*s", (int)(n < sizeof r->text ? n : sizeof r->text - 1), (char *)buf);
    r->body += n;
  }
  return true;
}

static uint32_t keep(struct server *s, const struct request *r, int running) {
  pthread_mutex_lock(&s->lock);
  uint32_t before = 0;
  if (running > 0) {
    for (uint32_t i = 0; i < s->count && i < KEPT; i++) before += strcmp(s->kept[i].target, r->target) == 0;
    if (s->count < KEPT) s->kept[s->count] = *r;
    s->count++;
    if (++s->running > s->peak) s->peak = s->running;
  } else {
    s->running--;
  }
  pthread_mutex_unlock(&s->lock);
  return before;
}

static bool answer(struct conn *k, const char *head, char *rest, size_t have) {
  struct request r = {.to = UINT64_MAX};
  struct plan p;
  if (sscanf(head, "%7s %199s", r.method, r.target) != 2) return false;
  const char *range = header(head, "Range"), *length = header(head, "Content-Length");
  unsigned long long from = 0, to = UINT64_MAX;
  if (range && sscanf(range, "bytes=%llu-%llu", &from, &to) >= 1) r.ranged = true, r.from = from, r.to = to;
  r.authorized = header(head, "Authorization") != NULL;
  const char *mark = header(head, "X-Check"), *part = strstr(r.target, "&off=");
  uint64_t off = part ? strtoull(part + 5, NULL, 10) : 0;
  r.marked = mark && strncmp(mark, "yes\r", 4) == 0;
  if (!parse_target(r.target, &p)) return send_text(k->fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  if (strcmp(r.method, "PUT") == 0 || strcmp(r.method, "POST") == 0) {
    if (header(head, "Expect")) send_text(k->fd, "HTTP/1.1 100 Continue\r\n\r\n");
    if (!receive_body(k->fd, rest, have, length ? strtoull(length, NULL, 10) : 0, off, p.seed, &r)) return false;
  }
  uint32_t before = keep(k->s, &r, 1);
  bool fail_now = !p.b->fails || before < p.b->fails, ok;
  if (p.b->status && fail_now)
    ok = send_text(k->fd, "HTTP/1.1 %u Nothing\r\nContent-Length: 5\r\n\r\nSorry", p.b->status);
  else if (r.body || strcmp(r.method, "PUT") == 0)
    ok = send_text(k->fd, "HTTP/1.1 200 OK\r\nETag: \"part-%llu\"\r\nContent-Length: 0\r\n\r\n",
                   (unsigned long long)off);
  else if (p.b->redirect || p.b->loop)
    ok = send_text(k->fd, "HTTP/1.1 302 Found\r\nLocation: /%s/%llu/%llu\r\nContent-Length: 0\r\n\r\n",
                   p.b->loop ? "loop" : "ok", (unsigned long long)p.size, (unsigned long long)p.seed);
  else
    ok = send_file(k->fd, &p, &r, before);
  keep(k->s, &r, -1);
  return ok;
}

static void *serve(void *arg) {
  struct conn *k = arg;
  char *head = malloc(HEAD_MAX);
  size_t len = 0;
  while (head && read_head(k->fd, head, &len)) {
    char *end = (char *)memmem(head, len, "\r\n\r\n", 4) + 4;
    end[-2] = 0;
    if (!answer(k, head, end, len - (size_t)(end - head))) break;
    len = 0;
  }
  free(head);
  shutdown(k->fd, SHUT_RDWR);
  close(k->fd);
  free(k);
  return NULL;
}

static void *accept_all(void *arg) {
  struct server *s = arg;
  for (;;) {
    int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC), one = 1;
    if (fd < 0) continue;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct conn *k = malloc(sizeof *k);
    pthread_t t;
    if (!k) {
      close(fd);
      continue;
    }
    *k = (struct conn){s, fd};
    if (pthread_create(&t, NULL, serve, k) == 0) {
      pthread_detach(t);
    } else {
      close(fd);
      free(k);
    }
  }
  return NULL;
}

struct server *server_start(void) {
  struct server *s = calloc(1, sizeof *s);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  pthread_t t;
  if (!s) return NULL;
  pthread_mutex_init(&s->lock, NULL);
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof a) || listen(s->fd, 128) ||
      getsockname(s->fd, (struct sockaddr *)&a, &len) || pthread_create(&t, NULL, accept_all, s)) {
    free(s);
    return NULL;
  }
  pthread_detach(t);
  s->port = ntohs(a.sin_port);
  return s;
}

const char *server_url(struct server *s, char *out, size_t len, const char *behaviour, uint64_t size, uint64_t seed) {
  snprintf(out, len, "http://127.0.0.1:%u/%s/%llu/%llu?sig=a%%2Fb&x=1", s->port, behaviour, (unsigned long long)size,
           (unsigned long long)seed);
  return out;
}

const char *server_part_url(struct server *s, char *out, size_t len, const char *behaviour, uint64_t size,
                            uint64_t seed, uint64_t off) {
  server_url(s, out, len, behaviour, size, seed);
  size_t n = strlen(out);
  snprintf(out + n, len - n, "&off=%llu", (unsigned long long)off);
  return out;
}

uint32_t server_requests(struct server *s, struct request *out, uint32_t room) {
  pthread_mutex_lock(&s->lock);
  uint32_t n = s->count;
  for (uint32_t i = 0; i < n && i < room && i < KEPT; i++) out[i] = s->kept[i];
  pthread_mutex_unlock(&s->lock);
  return n;
}

uint32_t server_peak(struct server *s) {
  pthread_mutex_lock(&s->lock);
  uint32_t n = s->peak;
  pthread_mutex_unlock(&s->lock);
  return n;
}
