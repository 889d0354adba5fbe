/* exchange.c - the server behind exchange.h: one thread per connection, one request per connection.
 * An answer is {"status", "headers", and one of "json", "text", "base64", "events"}; events are sent as a stream, texts as they are.
 * It lives as long as its process. */
#include "exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inference/infer.h"

enum { KEPT = 64, HEAD_MAX = 65536, BODY_MAX = 16 << 20 };

static struct {
  pthread_mutex_t lock;
  int fd;
  json_t *answers, *always;
  uint32_t next, times;
  const char *provider, *name, *task;
  struct received kept[KEPT];
  size_t count;
} x = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool send_all(int fd, const char *data, size_t len) {
  for (size_t done = 0; done < len;) {
    ssize_t n = send(fd, data + done, len - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += (size_t)n;
  }
  return true;
}

/* ---- answers ---- */

struct bytes {
  char *data;
  size_t len;
};

static void add(struct bytes *b, const char *text, size_t len) {
  char *more = realloc(b->data, b->len + len + 1);
  if (!more) return;
  memcpy(more + b->len, text, len);
  b->data = more;
  b->len += len;
  b->data[b->len] = 0;
}

static void add_json(struct bytes *b, const json_t *j) {
  char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
  if (text) add(b, text, strlen(text));
  free(text);
}

/* What an answer carries, and the type it has when its headers do not say. */
static struct bytes payload(const json_t *a, const char **type) {
  struct bytes b = {NULL, 0};
  const json_t *value, *j = json_object_get(a, "json"), *events = json_object_get(a, "events");
  const char *text = json_string_value(json_object_get(a, "text")),
             *base64 = json_string_value(json_object_get(a, "base64"));
  size_t i;
  void *raw = NULL;
  *type = events ? "text/event-stream" : base64 ? "application/octet-stream" : text ? "text/plain" : "application/json";
  add(&b, "", 0);
  if (text) add(&b, text, strlen(text));
  if (j) add_json(&b, j);
  if (base64 && inf_unbase64(base64, strlen(base64), &raw, &i)) add(&b, raw, i);
  free(raw);
  json_array_foreach(events, i, value) {
    add(&b, "data: ", 6);
    if (json_is_string(value))
      add(&b, json_string_value(value), json_string_length(value));
    else
      add_json(&b, value);
    add(&b, "\n\n", 2);
  }
  return b;
}

static void answer(int fd, const json_t *a) {
  char line[512];
  const char *type, *key;
  json_t *value, *headers = json_object_get(a, "headers");
  struct bytes b = payload(a, &type), head = {NULL, 0};
  json_int_t status = json_integer_value(json_object_get(a, "status"));
  snprintf(line, sizeof line, "HTTP/1.1 %d Answer\r\nConnection: close\r\nContent-Length: %zu\r\n",
           (int)(status ? status : 200), b.len);
  add(&head, line, strlen(line));
  bool typed = false;
  json_object_foreach(headers, key, value) {
    snprintf(line, sizeof line, "%s: %s\r\n", key, json_is_string(value) ? json_string_value(value) : "");
    add(&head, line, strlen(line));
    typed |= strcasecmp(key, "content-type") == 0;
  }
  snprintf(line, sizeof line, "Content-Type: %s\r\n", type);
  if (!typed) add(&head, line, strlen(line));
  add(&head, "\r\n", 2);
  if (head.data && send_all(fd, head.data, head.len) && b.data) send_all(fd, b.data, b.len);
  free(head.data);
  free(b.data);
}

/* The Hub's word on a model: this provider has it. */
static json_t *mapping(void) {
  return json_pack("{s:{s:{s:{s:s,s:s,s:s}}}}", "json", "inferenceProviderMapping", x.provider ? x.provider : "?",
                   "status", "live", "providerId", x.name ? x.name : "?", "task", x.task ? x.task : "?");
}

/* ---- requests ---- */

static void keep(struct received *r) {
  pthread_mutex_lock(&x.lock);
  bool hub = strncmp(r->url, "https://huggingface.co/api/", 27) == 0;
  if (hub || x.count == KEPT) {
    free(r->method), free(r->url), free(r->body);
    json_decref(r->headers);
  } else {
    x.kept[x.count++] = *r;
  }
  pthread_mutex_unlock(&x.lock);
}

static json_t *choose(bool hub) {
  json_t *a = NULL;
  pthread_mutex_lock(&x.lock);
  if (hub)
    a = mapping();
  else if (x.answers)
    a = json_incref(json_object_get(json_array_get(x.answers, x.next++), "answer"));
  else if (x.times && x.times--)
    a = json_incref(x.always);
  pthread_mutex_unlock(&x.lock);
  return a ? a : json_pack("{s:i,s:s}", "status", 404, "text", "nothing more is known here");
}

static json_t *read_headers(char *head) {
  json_t *out = json_object();
  for (char *line = strstr(head, "\r\n"); line && line[2]; line = strstr(line, "\r\n")) {
    line += 2;
    char *end = strstr(line, "\r\n"), *colon = strchr(line, ':');
    if (!end || !colon || colon > end) break;
    for (char *p = line; p < colon; p++)
      if (*p >= 'A' && *p <= 'Z') *p = (char)(*p + 32);
    const char *value = colon + 1 + strspn(colon + 1, " ");
    json_t *text = json_stringn(value, value < end ? (size_t)(end - value) : 0);
    if (text) json_object_setn_new(out, line, (size_t)(colon - line), text);
  }
  return out;
}

static bool more(int fd, struct bytes *b) {
  char buf[16384];
  ssize_t n = recv(fd, buf, sizeof buf, 0);
  if (n > 0) add(b, buf, (size_t)n);
  return n > 0 && b->data && b->len <= BODY_MAX;
}

/* One request with a length; bodies without one are not sent by the host. */
static bool receive(int fd, struct received *r) {
  struct bytes b = {NULL, 0};
  char *end = NULL, method[16], target[8192], url[8300];
  while (!end && b.len < HEAD_MAX && more(fd, &b)) end = memmem(b.data, b.len, "\r\n\r\n", 4);
  size_t head = end ? (size_t)(end - b.data) + 4 : 0;
  bool ok = end && sscanf(b.data, "%15s /%8191s", method, target) == 2;
  if (ok) {
    end[2] = 0;
    r->headers = read_headers(b.data);
    const char *length = json_string_value(json_object_get(r->headers, "content-length"));
    r->body_len = length ? strtoul(length, NULL, 10) : 0;
    if (json_object_get(r->headers, "expect")) send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    while (ok && b.len - head < r->body_len) ok = more(fd, &b);
    snprintf(url, sizeof url, "https://%s", target);
    r->method = strdup(method);
    r->url = strdup(url);
    r->body = malloc(r->body_len + 1);
    ok = ok && r->method && r->url && r->body;
    if (r->body) memcpy(r->body, b.data + head, ok ? r->body_len : 0), r->body[ok ? r->body_len : 0] = 0;
  }
  free(b.data);
  return ok;
}

static void *serve(void *arg) {
  int fd = (int)(intptr_t)arg;
  struct received r = {0};
  if (receive(fd, &r)) {
    json_t *a = choose(strncmp(r.url, "https://huggingface.co/api/", 27) == 0);
    keep(&r);
    answer(fd, a);
    json_decref(a);
  }
  shutdown(fd, SHUT_WR);
  for (char rest[512]; recv(fd, rest, sizeof rest, 0) > 0;) continue;
  close(fd);
  return NULL;
}

static void *accept_all(void *arg) {
  (void)arg;
  for (;;) {
    pthread_t t;
    int fd = accept4(x.fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && pthread_create(&t, NULL, serve, (void *)(intptr_t)fd) == 0) pthread_detach(t);
  }
  return NULL;
}

bool exchange_start(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  pthread_t t;
  char rule[80];
  x.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (x.fd < 0 || bind(x.fd, (struct sockaddr *)&a, sizeof a) || listen(x.fd, 64) ||
      getsockname(x.fd, (struct sockaddr *)&a, &len) || pthread_create(&t, NULL, accept_all, NULL))
    return false;
  pthread_detach(t);
  snprintf(rule, sizeof rule, "https://=!http://127.0.0.1:%u/", ntohs(a.sin_port));
  setenv("HF_URL_REWRITE", rule, 1);
  setenv("HF_INFERENCE_POLL_SCALE", "0.01", 1);
  return true;
}

void exchange_script(json_t *answers, json_t *always, uint32_t times, const char *provider, const char *name,
                     const char *task) {
  pthread_mutex_lock(&x.lock);
  for (size_t i = 0; i < x.count; i++) {
    free(x.kept[i].method), free(x.kept[i].url), free(x.kept[i].body);
    json_decref(x.kept[i].headers);
  }
  x.count = 0;
  x.answers = answers, x.always = always, x.times = times, x.next = 0;
  x.provider = provider, x.name = name, x.task = task;
  pthread_mutex_unlock(&x.lock);
}

size_t exchange_received(const struct received **out) {
  pthread_mutex_lock(&x.lock);
  size_t n = x.count;
  pthread_mutex_unlock(&x.lock);
  *out = x.kept;
  return n;
}
