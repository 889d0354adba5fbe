/* gateway.c - `hf inference serve`: an OpenAI-compatible server on this machine in front of every provider.
 * The HTTP server is a module of its own, loaded here only. An exchange is an operation; what it says waits in a buffer with
 * a limit, so a client that does not read holds up its own provider's stream and nobody else.
 * SIGINT and SIGTERM end it in order. */
#include "gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "output.h"

enum { BUFFER_MAX = 1 << 20, FULL_MS = 10, KEY_MAX = 4096, BODY_MAX = 32 << 20, ACTIVE_MAX = 16, PORT = 8765 };

/* ---- the buffer between an operation and the HTTP server ------------------------------------------------------------------ */

static bool grow(struct exchange *x, size_t more) {
  if (x->at) {
    memmove(x->data, x->data + x->at, x->len - x->at);
    x->len -= x->at;
    x->at = 0;
  }
  if (x->len + more <= x->cap) return true;
  size_t cap = (x->len + more) * 2;
  char *grown = realloc(x->data, cap);
  if (!grown) return false;
  x->data = grown;
  x->cap = cap;
  return true;
}

/* status 0: as it was said before. */
static hf_status say(hf_call *c, struct exchange *x, uint32_t status, bool stream, const char *const parts[3]) {
  size_t lens[3] = {strlen(parts[0]), strlen(parts[1]), strlen(parts[2])};
  pthread_mutex_lock(&x->lock);
  while (stream && !x->canceled && x->len - x->at > BUFFER_MAX) {
    pthread_mutex_unlock(&x->lock);
    TRY(hf_call_sleep(c, FULL_MS)); /* others use our thread meanwhile */
    pthread_mutex_lock(&x->lock);
  }
  bool fine = !x->canceled && grow(x, lens[0] + lens[1] + lens[2]);
  for (int i = 0; fine && i < 3; i++) {
    memcpy(x->data + x->len, parts[i], lens[i]);
    x->len += lens[i];
  }
  if (!x->status) x->status = status, x->stream = stream;
  bool gone = x->canceled;
  pthread_mutex_unlock(&x->lock);
  if (gone) return hf_hub_fail(c, HF_ECANCELED, NULL, "The client went away.");
  return fine && !eventfd_write(x->news, 1) ? HF_OK : hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for an answer.");
}

hf_status gateway_answer(hf_call *c, struct exchange *x, uint32_t status, json_t *json) {
  char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
  json_decref(json);
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for an answer.");
  hf_status st = say(c, x, status, false, (const char *const[]){text, "", ""});
  free(text);
  return st;
}

hf_status gateway_event(hf_call *c, struct exchange *x, const json_t *json) {
  char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("[DONE]");
  if (!text) return hf_hub_fail(c, HF_ENOMEM, NULL, "Out of memory for an answer.");
  hf_status st = say(c, x, 200, true, (const char *const[]){"data: ", text, "\n\n"});
  free(text);
  return st;
}

hf_status gateway_error(hf_call *c, struct exchange *x, uint32_t status, const char *code, const char *message) {
  const char *type = status == 401   ? "authentication_error"
                     : status == 429 ? "rate_limit_error"
                     : status >= 500 ? "server_error"
                                     : "invalid_request_error";
  json_t *json =
      json_pack("{s:{s:s, s:s, s:n, s:s?}}", "error", "message", message, "type", type, "param", "code", code);
  if (!json)
    json = json_pack("{s:{s:s, s:s}}", "error", "message", "The provider's words are not UTF-8.", "type", type);
  if (!x->stream) return gateway_answer(c, x, status, json);
  hf_status st = json ? gateway_event(c, x, json) : HF_ENOMEM;
  json_decref(json);
  return st;
}

/* ---- what the HTTP server calls ---------------------------------------------------------------------------------------------- */

static void exchange_end(void *arg) {
  struct exchange *x = arg;
  pthread_mutex_lock(&x->lock);
  x->canceled = true;
  pthread_mutex_unlock(&x->lock);
  if (x->op) hf_op_cancel(x->op);
  hf_op_free(x->op);
  if (x->news >= 0) close(x->news);
  pthread_mutex_destroy(&x->lock);
  free(x->path);
  free(x->body);
  free(x->data);
  free(x);
}

static void *exchange_begin(void *arg, const struct front_request *r) {
  struct exchange *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  x->g = arg;
  pthread_mutex_init(&x->lock, NULL);
  x->news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  x->path = strdup(r->path);
  x->body = r->body ? malloc(r->len + 1) : NULL;
  if (x->body && r->len) memcpy(x->body, r->body, r->len);
  x->body_len = r->len;
  if (x->news >= 0 && x->path && (x->body || !r->body)) {
    struct hf_watch w = {.struct_size = sizeof w, .flags = HF_WATCH_LIGHT};
    x->op = hf_op_start_fn(x->g->rt, gateway_run, x, &w);
  }
  if (x->op && !(hf_op_done(x->op) && !x->ended)) return x; /* else it could not begin */
  exchange_end(x);
  return NULL;
}

static int exchange_fd(void *arg) {
  return ((struct exchange *)arg)->news;
}

static bool exchange_head(void *arg, uint32_t *status, bool *stream) {
  struct exchange *x = arg;
  eventfd_t n;
  if (eventfd_read(x->news, &n)) errno = 0; /* nothing new */
  pthread_mutex_lock(&x->lock);
  bool known = x->status && (x->stream || x->ended);
  *status = x->status;
  *stream = x->stream;
  pthread_mutex_unlock(&x->lock);
  return known;
}

static ssize_t exchange_take(void *arg, char *out, size_t room) {
  struct exchange *x = arg;
  eventfd_t n;
  if (eventfd_read(x->news, &n)) errno = 0; /* nothing new */
  pthread_mutex_lock(&x->lock);
  size_t have = x->len - x->at, take = have < room ? have : room;
  if (take) memcpy(out, x->data + x->at, take);
  x->at += take;
  bool end = !take && x->ended;
  pthread_mutex_unlock(&x->lock);
  return end ? -1 : (ssize_t)take;
}

static const struct front_calls calls = {exchange_begin, exchange_fd, exchange_head, exchange_take, exchange_end};

/* ---- starting ------------------------------------------------------------------------------------------------------------------ */

static const char *str(const hf_args *args, const char *name) {
  return hf_host()->arg_str(args, name, 0);
}

static hf_status read_key(hf_call *c, const hf_args *args, const char **key) {
  const char *variable = str(args, "key_env"), *path = str(args, "key_file"), *text = NULL;
  size_t len;
  *key = NULL;
  if (!variable && !path) return HF_OK;
  if (variable && path) return hf_hub_fail(c, HF_EINVAL, "UsageError", "Give --key-env or --key-file, not both.");
  if (variable) text = getenv(variable);
  if (path) TRY(inf_read(c, path, &text, &len));
  char *copy =
      text && strlen(text) < KEY_MAX ? (char *)(uintptr_t)hf_host()->intern(c, text, strcspn(text, "\r\n")) : NULL;
  for (const char *s = copy; s && *s; s++)
    if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f)
      return hf_hub_fail(c, HF_EINVAL, "ValueError", "The key for clients holds a blank or a control character.");
  if (!copy || !*copy)
    return hf_hub_fail(c, HF_EINVAL, "ValueError", "%s holds no key for clients.", variable ? variable : path);
  *key = copy;
  return HF_OK;
}

static hf_status number(hf_call *c, const hf_args *args, const char *name, int64_t min, int64_t max, int64_t otherwise,
                        int64_t *out) {
  if (!hf_host()->arg_int(args, name, out)) *out = otherwise;
  if (*out >= min && *out <= max) return HF_OK;
  return hf_hub_fail(c, HF_EINVAL, "UsageError", "Invalid value for '--%s': it must be from %lld to %lld.", name,
                     (long long)min, (long long)max);
}

static uint32_t milliseconds(const hf_args *args, const char *name) {
  double s = str(args, name) ? strtod(str(args, name), NULL) : 0;
  return s > 0 && s < 4e6 ? (uint32_t)(s * 1000) : 0;
}

static hf_status settings(hf_call *c, const hf_args *args, struct gateway *g, struct front_config *f) {
  int64_t port, body, active;
  const char *host = str(args, "host");
  TRY(number(c, args, "port", 0, 65535, PORT, &port));
  TRY(number(c, args, "max_body", 1024, 1 << 30, BODY_MAX, &body));
  TRY(number(c, args, "max_requests", 1, 1024, ACTIVE_MAX, &active));
  *g = (struct gateway){.rt = hf_call_runtime(c),
                        .provider = str(args, "provider"),
                        .model = str(args, "model"),
                        .base_url = str(args, "base_url"),
                        .api_key_env = str(args, "api_key_env"),
                        .bill_to = str(args, "bill_to"),
                        .timeout_ms = milliseconds(args, "timeout"),
                        .first_ms = milliseconds(args, "first_token_timeout")};
  *f = (struct front_config){.struct_size = sizeof *f,
                             .port = (uint16_t)port,
                             .host = host && *host ? host : "127.0.0.1",
                             .body_max = (uint64_t)body,
                             .active_max = (uint32_t)active,
                             .calls = &calls,
                             .arg = g};
  TRY(read_key(c, args, &f->key));
  f->anywhere = f->key != NULL;
  return HF_OK;
}

/* ---- ending ---------------------------------------------------------------------------------------------------------------------- */

static volatile int wake_fd = -1;

static void on_signal(int sig) {
  int before = errno;
  (void)sig;
  if (wake_fd >= 0 && eventfd_write(wake_fd, 1)) _exit(1);
  errno = before;
}

static void on_cancel(void *arg) {
  (void)arg;
  on_signal(0);
}

static hf_status announce(hf_call *c, hf_out *out, const struct front_config *f, uint16_t port) {
  bool six = strchr(f->host, ':') != NULL;
  const char *url = hf_hub_text(c, "http://%s%s%s:%u/v1", six ? "[" : "", f->host, six ? "]" : "", (unsigned)port);
  if (!url) return HF_ENOMEM;
  if (inf_wants_json(c))
    return hf_hub_record(out, c, HF_OUT_DICT, json_pack("{s:s, s:i}", "url", url, "port", (int)port));
  const char *line = hf_hub_text(c, "Serving models at %s (OPENAI_BASE_URL). Ctrl-C ends it.\n", url);
  return line ? hf_host()->record(out, HF_OUT_BYTES, line, strlen(line)) : HF_ENOMEM;
}

/* Until a signal, or the operation is called off. A second signal does what it would have done without us. */
static hf_status wait_for_end(hf_call *c, hf_out *out, const struct front_config *f, uint16_t port) {
  static const int signals[] = {SIGINT, SIGTERM};
  struct sigaction before[2], act;
  hf_hook *hook = NULL;
  memset(&act, 0, sizeof act);
  act.sa_handler = on_signal;
  act.sa_flags = (int)SA_RESETHAND;
  for (int i = 0; i < 2; i++) sigaction(signals[i], &act, &before[i]);
  hf_status st = hf_host()->on_cancel(c, on_cancel, NULL, &hook);
  if (st == HF_OK) st = announce(c, out, f, port); /* whoever reads it may end us at once */
  struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
  while (st == HF_OK && poll(&fd, 1, -1) < 0 && errno == EINTR) continue;
  if (hook) hf_host()->off_cancel(hook);
  for (int i = 0; i < 2; i++) sigaction(signals[i], &before[i], NULL);
  return st;
}

hf_status inf_task_serve(hf_call *c, void *state, const hf_args *args, hf_out *out) {
  (void)state;
  struct gateway g;
  struct front_config config;
  void *front = NULL;
  uint16_t port;
  char why[300] = "out of memory";
  TRY(settings(c, args, &g, &config));
  const struct hf_front *module = hf_library_module(c, HF_FRONT_FILE, HF_FRONT_SYMBOL);
  if (!module) return hf_host()->error(c)->code;
  if (module->abi != HF_FRONT_ABI || module->struct_size != sizeof *module)
    return hf_hub_fail(c, HF_EABI, NULL, "%s belongs to another version; install libhf again.", HF_FRONT_FILE);
  wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  hf_status st = wake_fd < 0 ? HF_ENOMEM : module->open(&config, &front, &port, why, sizeof why);
  if (st == HF_EINVAL)
    st = hf_hub_fail(c, st, "UsageError",
                     "Invalid value for '--host': %s; other machines may be let in only with a key for clients "
                     "(--key-env, --key-file).",
                     why);
  else if (st != HF_OK)
    st = hf_hub_fail(c, st, "OSError", "The server cannot be started: %s.", why);
  if (st == HF_OK) st = wait_for_end(c, out, &config, port);
  module->close(front);
  if (wake_fd >= 0) close(wake_fd);
  wake_fd = -1;
  return st;
}
