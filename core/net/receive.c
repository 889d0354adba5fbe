/* receive.c - curl's callbacks, on the I/O thread or the worker's own: headers within limits, the body into chunks for the worker, the body to
 * send out of chunks that the worker filled. When the worker is behind, reading pauses until it has caught up.
 * A refusal is noted in the exchange and stops curl. */
#include <ctype.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "stack.h"

static void touch(struct exchange *x) {
  atomic_store_explicit(&x->touched_ns, stack_about_ns(), memory_order_relaxed);
}

static size_t refuse(struct exchange *x, hf_status st, const char *words) {
  pthread_mutex_lock(&x->lock);
  if (x->refused == HF_OK) {
    x->refused = st;
    x->refusal = words;
  }
  pthread_mutex_unlock(&x->lock);
  return 0;
}

/* ---- headers ------------------------------------------------------------------------------------------------------ */

static bool head_append(struct exchange *x, const char *text, size_t len) {
  if (x->head_len + len + 1 > x->head_cap) {
    size_t cap = x->head_cap ? x->head_cap * 2 : 1024;
    while (cap < x->head_len + len + 1) cap *= 2;
    char *p = realloc(x->head_text, cap);
    if (p == NULL) return false;
    x->head_text = p;
    x->head_cap = cap;
  }
  memcpy(x->head_text + x->head_len, text, len);
  x->head_len += len;
  x->head_text[x->head_len] = '\0';
  return true;
}

static bool is_token(char c) {
  return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static uint32_t status_of(const char *line, size_t len) {
  const char *sp = memchr(line, ' ', len);
  if (sp == NULL || len - (size_t)(sp - line) < 4) return 0;
  uint32_t v = 0;
  for (int i = 1; i <= 3; i++) {
    if (!isdigit((unsigned char)sp[i])) return 0;
    v = v * 10 + (uint32_t)(sp[i] - '0');
  }
  return v;
}

/* Name in lower case and value, both NUL-terminated, one after the other. */
static size_t add_header(struct exchange *x, const char *line, size_t len) {
  size_t name = 0;
  while (name < len && is_token(line[name])) name++;
  size_t end = name;
  while (end < len && (line[end] == ' ' || line[end] == '\t')) end++;
  if (name == 0 || end >= len || line[end] != ':')
    return refuse(x, HF_EPROTO, "the answer has a malformed header line"), 0;
  size_t v = end + 1;
  while (v < len && (line[v] == ' ' || line[v] == '\t')) v++;
  while (len > v && (line[len - 1] == ' ' || line[len - 1] == '\t')) len--;
  size_t at = x->head_len;
  if (++x->head_count > HEADER_COUNT_MAX) return refuse(x, HF_EPROTO, "the answer has more than 256 headers");
  if (x->head_len + len > HEADER_BYTES_MAX) return refuse(x, HF_EPROTO, "the headers of the answer exceed 1 MiB");
  for (size_t i = v; i < len; i++)
    if (((unsigned char)line[i] < 0x20 && line[i] != '\t') || line[i] == 0x7f)
      return refuse(x, HF_EPROTO, "the answer has a header with control characters");
  if (!head_append(x, line, name) || !head_append(x, "", 1) || !head_append(x, line + v, len - v) ||
      !head_append(x, "", 1))
    return refuse(x, HF_ENOMEM, "out of memory while reading headers");
  for (size_t i = 0; i < name; i++) x->head_text[at + i] = (char)tolower((unsigned char)x->head_text[at + i]);
  return 1;
}

size_t receive_header(char *data, size_t one, size_t len, void *arg) {
  struct exchange *x = arg;
  const size_t whole = one * len;
  len = whole;
  touch(x);
  pthread_mutex_lock(&x->lock);
  bool trailer = x->head_ready;
  pthread_mutex_unlock(&x->lock);
  if (trailer) { /* nobody reads them, but curl keeps them */
    x->trailer_bytes += whole;
    return x->trailer_bytes <= HEADER_LINE_MAX ? whole : refuse(x, HF_EPROTO, "the answer does not end");
  }
  if (len > HEADER_LINE_MAX) return refuse(x, HF_EPROTO, "the answer has a header line of more than 64 KiB");
  while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r')) len--;
  if (x->head_status == 0 || (len >= 5 && memcmp(data, "HTTP/", 5) == 0)) {
    x->head_status = status_of(data, len);
    x->head_len = x->head_count = 0;
    return x->head_status != 0 ? whole : refuse(x, HF_EPROTO, "the answer has a malformed status line");
  }
  if (len > 0) return add_header(x, data, len) ? whole : 0;
  if (x->head_status < 200 && x->head_status != 101) return whole; /* an interim answer: the real one follows */
  pthread_mutex_lock(&x->lock);
  x->head_ready = true;
  pthread_mutex_unlock(&x->lock);
  if (x->direct != NULL) return direct_head(x) ? whole : 0;
  stack_mark_dirty(x);
  return whole;
}

/* ---- body in ------------------------------------------------------------------------------------------------------ */

/* Memory is bounded by pausing and sizes by the core; this bounds the work that a small answer can make. */
static bool is_bomb(struct exchange *x, size_t len) {
  curl_off_t wire = 0;
  x->decoded += len;
  if ((x->req->flags & HF_NETREQ_RAW) || x->decoded <= 1024 * 1024) return false;
  curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
  /* curl counts a piece of input after it was expanded: allow for one buffer. */
  return x->decoded / 100 > (uint64_t)(wire > 0 ? wire : 0) + 16384u;
}

size_t receive_body(char *data, size_t one, size_t len, void *arg) {
  struct exchange *x = arg;
  struct stack *s = x->stack;
  len *= one;
  if (len == 0 || x->refused != HF_OK) return 0;
  touch(x);
  if (is_bomb(x, len)) return refuse(x, HF_EPROTO, "the answer expands more than a hundredfold");
  if (x->direct != NULL) return direct_body(x, data, len) ? len : 0;
  size_t done = 0;
  pthread_mutex_lock(&x->lock);
  struct chunk *tail = x->in.last;
  if (tail != NULL && tail->len < tail->size && len <= tail->size / 4) {
    done = tail->size - tail->len < len ? tail->size - tail->len : len;
    memcpy(tail->data + tail->len, data, done);
    tail->len += done;
    x->in.bytes += done;
  }
  pthread_mutex_unlock(&x->lock);
  while (done < len) {
    bool small = x->light != NULL && len - done <= SMALL_CHUNK_SIZE;
    struct chunk *c = chunk_get(s, small ? SMALL_CHUNK_SIZE : CHUNK_SIZE);
    if (c == NULL) return refuse(x, HF_ENOMEM, "out of memory while receiving");
    c->len = len - done < c->size ? len - done : c->size;
    memcpy(c->data, data + done, c->len);
    done += c->len;
    pthread_mutex_lock(&x->lock);
    chunk_push(&x->in, c);
    pthread_mutex_unlock(&x->lock);
  }
  pthread_mutex_lock(&x->lock);
  bool full = x->in.bytes >= x->ahead, sending_paused = x->send_paused;
  if (full) x->recv_paused = true;
  pthread_mutex_unlock(&x->lock);
  /* Pausing here and not by the return value: curl would keep a copy of the data. */
  if (full) curl_easy_pause(x->easy, sending_paused ? CURLPAUSE_ALL : CURLPAUSE_RECV);
  stack_mark_dirty(x);
  return len;
}

/* ---- body out ----------------------------------------------------------------------------------------------------- */

size_t send_body(char *to, size_t one, size_t room, void *arg) {
  struct exchange *x = arg;
  size_t done = 0;
  room *= one;
  touch(x);
  while (done < room) {
    struct chunk *c = x->sending;
    if (c == NULL) {
      pthread_mutex_lock(&x->lock);
      c = x->sending = chunk_pop(&x->out);
      bool end = x->send_end;
      if (c == NULL && !end && done == 0) x->send_paused = true;
      pthread_mutex_unlock(&x->lock);
      stack_mark_dirty(x);
      if (c == NULL) return done > 0 || end ? done : CURL_READFUNC_PAUSE;
    }
    size_t n = c->len - c->off < room - done ? c->len - c->off : room - done;
    memcpy(to + done, c->data + c->off, n);
    c->off += n;
    done += n;
    if (c->off == c->len) {
      chunk_put(x->stack, c);
      x->sending = NULL;
    }
  }
  return done;
}

/* ---- what is neither ------------------------------------------------------------------------------------------------ */

/* Bytes of a chunked body that are framing reach no callback: chunk sizes, extensions. The kernel counts what came over the
 * connection; a server that sends far more than it says costs time until somebody gives up. HTTP/1 only: there an exchange
 * has the connection to itself. */
static bool is_framing(struct exchange *x) {
  struct tcp_info info;
  socklen_t len = sizeof(info);
  curl_socket_t fd = x->fd;
  int unread = 0;
  uint64_t now = stack_about_ns();
  if (now - x->framing_ns < FRAMING_NS) return false;
  x->framing_ns = now;
  long version = 0;
  curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &version);
  if (version != CURL_HTTP_VERSION_1_1 && version != CURL_HTTP_VERSION_1_0) return false;
  memset(&info, 0, sizeof(info));
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) return false;
  uint64_t came = info.tcpi_bytes_received, body = x->seen_down > 0 ? (uint64_t)x->seen_down : 0;
  if (x->framing_fd != fd || came < x->framing_base) {
    x->framing_fd = fd;
    x->framing_base = came;
  }
  if (ioctl(fd, FIONREAD, &unread) != 0 || unread < 0) return false;
  came -= x->framing_base;
  came -= came < (uint64_t)unread ? came : (uint64_t)unread;
  return came > FRAMING_FREE && came / 4 > body;
}

int note_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
  struct exchange *x = arg;
  (void)down_all, (void)up_all;
  if (down != x->seen_down || up != x->seen_up) {
    x->seen_down = down;
    x->seen_up = up;
    touch(x);
  }
  return is_framing(x) ? (refuse(x, HF_EPROTO, "the answer is mostly framing and hardly any content"), 1) : 0;
}
