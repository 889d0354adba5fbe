/* fault_send.c - faults on the wire: the connection is taken from libmicrohttpd and the answer written byte by byte.
 * A thread per faulted answer, bounded in number, may wait as long as the fault asks; it ends early when the client leaves or
 * the server stops. Afterwards the connection is closed, with FIN or RST. */
#include "digest.h"
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS_MAX = 512, BLOCK = 64 * 1024, SLICES = 20, STACK = 256 * 1024 };
static const double wait_max = 3600;

struct job {
  struct request *request;
  struct fault fault;
  int fd, stop_fd;
  uint64_t body_sent;
  bool over; /* the client left, the server stops or the fault cut the answer: nothing more is sent */
  char block[BLOCK];
};

/* True once the client has left or the server stops. */
static bool wait_for(struct job *j, double seconds) {
  struct timespec begin, now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (double left = seconds; left > 0 && !j->over;) {
    struct pollfd fds[2] = {{.fd = j->fd, .events = POLLRDHUP}, {.fd = j->stop_fd, .events = POLLIN}};
    int n = poll(fds, 2, (int)((left < 60 ? left : 60) * 1000) + 1);
    if (n < 0 && errno != EINTR) j->over = true;
    if (n > 0) j->over = true;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left = seconds - (double)(now.tv_sec - begin.tv_sec) - (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
  }
  return j->over;
}

static bool send_raw(struct job *j, const char *data, size_t size) {
  while (size && !j->over) {
    ssize_t n = send(j->fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      struct pollfd fds[2] = {{.fd = j->fd, .events = POLLOUT}, {.fd = j->stop_fd, .events = POLLIN}};
      if (poll(fds, 2, 60000) <= 0 || (fds[1].revents & POLLIN)) j->over = true;
    } else if (n <= 0) {
      j->over = true;
    } else {
      data += n;
      size -= (size_t)n;
    }
  }
  return !j->over;
}

static bool send_paced(struct job *j, const char *data, size_t size, uint64_t rate) {
  uint64_t slice = rate / SLICES ? rate / SLICES : 1;
  while (size && !j->over) {
    size_t n = size < slice ? size : (size_t)slice;
    if (!send_raw(j, data, n)) return false;
    data += n;
    size -= n;
    wait_for(j,
             (double)n / (double)(rate ? rate : 1)); /* a piece may be smaller than a slice: it waits for its share */
  }
  return !j->over;
}

static bool send_body_part(struct job *j, const char *data, size_t size) {
  const struct fault *f = &j->fault;
  if (f->kind == FAULT_CHUNKED) {
    char head[32];
    int n = snprintf(head, sizeof head, "%zx\r\n", size);
    return send_raw(j, head, (size_t)n) && send_raw(j, data, size) && send_raw(j, "\r\n", 2);
  }
  bool slow = f->kind == FAULT_SLOW;
  return slow ? send_paced(j, data, size, f->rate == FAULT_ABSENT ? 10240 : (uint64_t)f->rate)
              : send_raw(j, data, size);
}

/* Body bytes, split where the fault strikes. */
static bool send_body(struct job *j, const char *data, size_t size) {
  const struct fault *f = &j->fault;
  uint64_t length = j->request->reply.body.length, strike = f->after == FAULT_ABSENT ? length / 2 : (uint64_t)f->after;
  bool strikes = f->kind == FAULT_CUT || f->kind == FAULT_STALL;
  while (size && !j->over) {
    size_t n = size;
    if (strikes && j->body_sent < strike && strike - j->body_sent < n) n = (size_t)(strike - j->body_sent);
    if (strikes && j->body_sent == strike) {
      if (f->kind == FAULT_CUT) j->over = true;
      if (f->kind == FAULT_STALL) wait_for(j, f->seconds < 0 || f->seconds > wait_max ? wait_max : f->seconds);
      strikes = false;
      continue;
    }
    if (!send_body_part(j, data, n)) return false;
    j->body_sent += n;
    data += n;
    size -= n;
  }
  return !j->over;
}

static void little_endian(char *out, uint32_t v, size_t size) {
  for (size_t i = 0; i < size; i++) out[i] = (char)(v >> (8 * i));
}

enum { GZIP_HEAD = 10, GZIP_TAIL = 8, GZIP_BLOCK_HEAD = 5, GZIP_BLOCK = 32768 };

static uint64_t gzip_length(uint64_t length) {
  return GZIP_HEAD + GZIP_TAIL + length + GZIP_BLOCK_HEAD * ((length + GZIP_BLOCK - 1) / GZIP_BLOCK);
}

/* Stored blocks: valid gzip, and the bytes differ from the file's. */
static void send_gzip(struct job *j) {
  const struct body *b = &j->request->reply.body;
  static const char head[GZIP_HEAD] = {0x1f, (char)0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
  char tail[GZIP_TAIL], block[GZIP_BLOCK_HEAD];
  uint32_t crc = 0;
  send_body(j, head, sizeof head);
  for (uint64_t at = 0; at < b->length && !j->over; at += GZIP_BLOCK) {
    size_t n = b->length - at < GZIP_BLOCK ? (size_t)(b->length - at) : GZIP_BLOCK;
    if (!dh_body_read(b, b->first + at, j->block, n)) return;
    block[0] = at + n == b->length;
    little_endian(block + 1, (uint32_t)n, 2);
    little_endian(block + 3, ~(uint32_t)n, 2);
    crc = dh_crc32(crc, j->block, n);
    if (!send_body(j, block, sizeof block) || !send_body(j, j->block, n)) return;
  }
  little_endian(tail, crc, 4);
  little_endian(tail + 4, (uint32_t)b->length, 4);
  send_body(j, tail, sizeof tail);
}

static void send_plain(struct job *j) {
  const struct body *b = &j->request->reply.body;
  const struct fault *f = &j->fault;
  uint64_t flip = f->offset == FAULT_ABSENT ? b->first + b->length / 2 : (uint64_t)f->offset;
  for (uint64_t at = 0; at < b->length && !j->over;) {
    size_t n = b->length - at < BLOCK ? (size_t)(b->length - at) : BLOCK;
    uint64_t place = b->first + at;
    if (!dh_body_read(b, place, j->block, n)) return;
    if (f->kind == FAULT_FLIP && flip >= place && flip - place < n)
      j->block[flip - place] =
          (char)(j->block[flip - place] ^ (f->mask == FAULT_ABSENT ? 0xff : (int)(f->mask & 0xff)));
    send_body(j, j->block, n);
    at += n;
  }
  if (f->kind == FAULT_EXTRA && !j->over) {
    uint64_t more = f->by == FAULT_ABSENT ? 16 : (uint64_t)f->by;
    memset(j->block, 'x', BLOCK);
    for (; more && !j->over; more -= more < BLOCK ? more : BLOCK)
      send_body(j, j->block, more < BLOCK ? (size_t)more : BLOCK);
  }
  if (f->kind == FAULT_CHUNKED && !j->over) send_raw(j, "0\r\n\r\n", 5);
}

static const char *reason(int status) {
  static const struct {
    int status;
    const char *reason;
  } rows[] = {{200, "OK"},
              {206, "Partial Content"},
              {302, "Found"},
              {304, "Not Modified"},
              {307, "Temporary Redirect"},
              {400, "Bad Request"},
              {401, "Unauthorized"},
              {403, "Forbidden"},
              {404, "Not Found"},
              {416, "Range Not Satisfiable"},
              {500, "Internal Server Error"}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].status == status) return rows[i].reason;
  return "Status";
}

static char *head_make(const struct job *j, size_t *size) {
  const struct reply *p = &j->request->reply;
  const struct fault *f = &j->fault;
  struct text t = {0};
  char date[64];
  time_t now = time(NULL);
  struct tm tm;
  dh_text_addf(&t, "HTTP/1.1 %d %s\r\n", p->status, reason(p->status));
  if (gmtime_r(&now, &tm) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm))
    dh_text_addf(&t, "Date: %s\r\n", date);
  for (size_t i = 0; i < p->header_count; i++) dh_text_addf(&t, "%s: %s\r\n", p->headers[i].name, p->headers[i].value);
  uint64_t length = p->body.length;
  if (f->kind == FAULT_EXTRA) length += f->by == FAULT_ABSENT ? 16 : (uint64_t)f->by;
  if (f->kind == FAULT_LENGTH)
    length = f->length != FAULT_ABSENT ? (uint64_t)f->length : length + (f->by == FAULT_ABSENT ? 10 : (uint64_t)f->by);
  if (f->kind == FAULT_GZIP) {
    length = gzip_length(length);
    dh_text_str(&t, "Content-Encoding: gzip\r\n");
  }
  if (f->kind == FAULT_CHUNKED) {
    dh_text_str(&t, "Transfer-Encoding: chunked\r\n");
  } else if (f->kind != FAULT_NOLENGTH) {
    dh_text_addf(&t, "Content-Length: %llu\r\n", (unsigned long long)length);
  }
  if (f->kind == FAULT_BIGHEAD) {
    dh_text_addf(&t, "%s: ", f->name[0] ? f->name : "X-Padding");
    int64_t more = f->length == FAULT_ABSENT ? 1 << 20 : f->length > (256 << 20) ? 256 << 20 : f->length;
    for (; more > 0 && !t.failed; more -= 64)
      dh_text_str(&t, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    dh_text_str(&t, "\r\n");
  }
  dh_text_str(&t, "Connection: close\r\n\r\n");
  *size = t.size;
  return dh_text_take(&t);
}

static void end_connection(struct job *j) {
  if (!j->fault.reset) {
    shutdown(j->fd, SHUT_RDWR);
    return;
  }
  /* What was written must arrive before the reset throws the queue away. */
  for (int i = 0, queued = 1; i < 200 && ioctl(j->fd, SIOCOUTQ, &queued) == 0 && queued > 0; i++)
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  if (connect(j->fd, &none, sizeof none) != 0) shutdown(j->fd, SHUT_RDWR);
}

void dh_fault_hang_up(struct request *r, const struct fault *f) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct job j = {.request = r, .fault = *f, .fd = info ? info->connect_fd : -1};
  if (info && f->reset) end_connection(&j);
}

static void answer(struct job *j) {
  const struct fault *f = &j->fault;
  size_t size;
  if (f->kind == FAULT_EMPTY) return;
  char *head = head_make(j, &size);
  if (!head) return;
  if (f->kind == FAULT_SLOWHEAD) {
    send_paced(j, head, size, f->rate == FAULT_ABSENT ? 20 : (uint64_t)f->rate);
  } else {
    send_raw(j, head, size);
  }
  free(head);
  if (j->over || j->request->method == METHOD_HEAD) return;
  if (f->kind == FAULT_GZIP) {
    send_gzip(j);
  } else {
    send_plain(j);
  }
}

static void worker_release(struct fault_workers *w) {
  pthread_mutex_lock(&w->lock);
  if (--w->running == 0) pthread_cond_broadcast(&w->idle);
  pthread_mutex_unlock(&w->lock);
}

static void *work(void *arg) {
  struct job *j = arg;
  struct request *r = j->request;
  struct fault_workers *workers = &r->server->workers;
  if (j->fault.kind == FAULT_DELAY) {
    wait_for(j, j->fault.seconds < 0 ? 1 : j->fault.seconds > wait_max ? wait_max : j->fault.seconds);
    r->delayed = !j->over;
    r->taken_over = j->over;
  } else if (j->fault.kind == FAULT_HOLD) {
    wait_for(j, j->fault.seconds < 0 || j->fault.seconds > wait_max ? wait_max : j->fault.seconds);
    r->taken_over = j->over;
  } else {
    answer(j);
    end_connection(j);
    bool harmless = j->fault.kind != FAULT_CUT && j->fault.kind != FAULT_EMPTY;
    dh_log_end(&r->server->log, r->log_number, j->body_sent, harmless && !j->over);
    r->taken_over = true;
  }
  close(j->fd);
  dh_fault_free(&j->fault);
  MHD_resume_connection(r->connection); /* r may be gone from here on */
  free(j);
  worker_release(workers);
  return NULL;
}

static bool worker_reserve(struct fault_workers *w) {
  pthread_mutex_lock(&w->lock);
  bool ok = w->running < WORKERS_MAX && !w->stopping;
  if (ok) w->running++;
  pthread_mutex_unlock(&w->lock);
  return ok;
}

bool dh_fault_send(struct request *r, struct fault *f) {
  struct fault_workers *workers = &r->server->workers;
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  struct job *j = malloc(sizeof *j);
  pthread_attr_t attributes;
  pthread_t thread;
  if (!j || !info || !worker_reserve(workers)) {
    free(j);
    return false;
  }
  j->request = r;
  j->fault = *f;
  j->body_sent = 0;
  j->over = false;
  j->stop_fd = workers->stop_fd;
  j->fd = fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0);
  f->body = NULL;
  MHD_suspend_connection(r->connection);
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, STACK);
  if (j->fd < 0 || pthread_create(&thread, &attributes, work, j) != 0) {
    j->over = true;
    work(j);
  }
  pthread_attr_destroy(&attributes);
  return true;
}
