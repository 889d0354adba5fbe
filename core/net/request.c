/* request.c - a curl handle set up for one request, and the words for what went wrong with it.
 * Nothing is left to curl's defaults that could send more than was asked for: no user agent, no cookies, no netrc, no
 * redirects, no other protocols. What curl reports becomes a code, a class of the reference's HTTP library, a sentence. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "stack.h"

#define ASKS_FROM   1000u
#define BULK_BUFFER (512L * 1024) /* half as many calls of the kernel; still within the processor's own cache */

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a) {
  (void)arg, (void)purpose;
  return socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
}

/* A stream cannot be sent again by curl on its own: http.c repeats the whole request where that is right. */
static int rewind_stream(void *arg, curl_off_t off, int from) {
  (void)arg, (void)off, (void)from;
  return CURL_SEEKFUNC_FAIL;
}

/* A lane's own handle keeps what is the same for all its requests; others start anew. */
static CURL *get_easy(struct exchange *x, bool *fresh) {
  struct stack *s = x->stack;
  CURL *e = NULL;
  *fresh = x->kept == NULL || x->kept->easy == NULL;
  if (x->kept != NULL) {
    if (*fresh) *x->kept = (struct kept){.easy = curl_easy_init()};
    return x->kept->easy;
  }
  pthread_mutex_lock(&s->lock);
  if (s->idle_count > 0) e = s->idle_easy[--s->idle_count];
  pthread_mutex_unlock(&s->lock);
  if (e == NULL) return curl_easy_init();
  curl_easy_reset(e);
  return e;
}

/* ---- headers ------------------------------------------------------------------------------------------------------ */

static bool has_header(const struct hf_net_req *req, const char *name) {
  for (uint32_t i = 0; i < req->header_count; i++)
    if (strcasecmp(req->headers[i].key, name) == 0) return true;
  return false;
}

static char *add(char *at, const char *text) {
  size_t n = strlen(text);
  memcpy(at, text, n);
  return at + n;
}

struct lines {
  struct curl_slist *row;
  uint32_t n;
  char *at;
};

/* "Name:" takes away what curl would add; "Name;" sends it empty. */
static void add_line(struct lines *l, const char *name, const char *between, const char *value) {
  struct curl_slist *row = &l->row[l->n++];
  *row = (struct curl_slist){.data = l->at};
  if (l->n > 1) row[-1].next = row;
  l->at = add(add(add(l->at, name), between), value);
  *l->at++ = '\0';
}

/* This machine: there is no line to save bytes on. */
static bool is_near(const char *url) {
  static const char *const hosts[] = {"http://127.", "http://localhost:", "http://localhost/", "http://[::1]"};
  for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
    if (strncasecmp(url, hosts[i], strlen(hosts[i])) == 0) return true;
  return false;
}

/* All lines are in one piece of memory, which is wiped at the end. What curl adds as it is wanted costs least. A compressed
 * answer is understood whether it was asked for or not. */
static bool add_headers(struct exchange *x) {
  enum { MORE = 4 };
  const struct hf_net_req *req = x->req;
  const struct {
    const char *name;
    bool now;
  } unwanted[MORE] = {
      {"Accept", true},
      {"Content-Type", true},
      {"Expect", req->on_send != NULL || req->body_len > ASKS_FROM}, /* curl asks before it sends so much */
      {"Accept-Encoding", x->kept != NULL && is_near(req->url)},
  };
  size_t size = (req->header_count + MORE) * (sizeof(struct curl_slist) + sizeof(": "));
  for (size_t i = 0; i < MORE; i++) size += strlen(unwanted[i].name);
  for (uint32_t i = 0; i < req->header_count; i++) size += strlen(req->headers[i].key) + strlen(req->headers[i].value);
  struct lines l = {.row = malloc(size)};
  if (l.row == NULL) return false;
  l.at = (char *)(l.row + req->header_count + MORE);
  for (size_t i = 0; i < MORE; i++)
    if (unwanted[i].now && !has_header(req, unwanted[i].name)) add_line(&l, unwanted[i].name, ":", "");
  for (uint32_t i = 0; i < req->header_count; i++) {
    const struct hf_kv *h = &req->headers[i];
    if (strcasecmp(h->key, "accept") == 0 && strcmp(h->value, "*/*") == 0) continue;
    add_line(&l, h->key, h->value[0] != '\0' ? ": " : ";", h->value);
  }
  if (l.n > 0) {
    x->headers = l.row;
    x->headers_size = size;
  } else {
    free(l.row);
  }
  return true;
}

/* ---- the handle --------------------------------------------------------------------------------------------------- */

static void set_method(CURL *e, struct exchange *x, bool fresh) {
  enum { USUAL = 64 * 1024, LARGE = 256 * 1024 };
  const struct hf_net_req *req = x->req;
  const char *m = req->method;
  bool carries = strcmp(m, "POST") == 0 || strcmp(m, "PUT") == 0 || strcmp(m, "PATCH") == 0;
  if (req->on_send != NULL) {
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, send_body);
    curl_easy_setopt(e, CURLOPT_READDATA, x);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, rewind_stream);
    curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)LARGE);
    curl_off_t size = req->body_len == HF_SIZE_UNKNOWN ? -1 : (curl_off_t)req->body_len;
    curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, size);
  } else if (req->body_len > 0 || carries) {
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
    curl_easy_setopt(e, CURLOPT_POSTFIELDS, req->body_len > 0 ? req->body : "");
    bool large = req->body_len > (1 << 20);
    if (large || !fresh) curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)(large ? LARGE : USUAL));
  } else if (strcmp(m, "HEAD") == 0) {
    curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    return;
  } else {
    curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
  }
  if (fresh) curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, m);
}

static void set_tls(CURL *e, const struct stack *s) {
  curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (s->trust != NULL) {
    curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_PROXY_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_PROXY_CAPATH, NULL);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, trust_install);
    curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, s->trust);
  } else if (s->ca_file != NULL) {
    curl_easy_setopt(e, CURLOPT_CAINFO, s->ca_file);
  }
  if (s->client_cert != NULL) curl_easy_setopt(e, CURLOPT_SSLCERT, s->client_cert);
  if (s->client_key != NULL) curl_easy_setopt(e, CURLOPT_SSLKEY, s->client_key);
  if (s->flags & HF_NET_INSECURE) {
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

static bool may_share_connection(const struct exchange *x) {
  return !(x->req->flags & HF_NETREQ_BULK) && !(x->stack->flags & HF_NET_NO_HTTP2);
}

/* What a lane's requests have in common as well. */
static void set_kind(CURL *e, const struct exchange *x) {
  const struct hf_net_req *req = x->req;
  bool bulk = (req->flags & HF_NETREQ_BULK) != 0;
  /* Bulk bodies share no connection: one TCP window for all of them would be the limit. */
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                   may_share_connection(x) ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(e, CURLOPT_BUFFERSIZE, bulk ? BULK_BUFFER : x->light != NULL ? (long)SMALL_CHUNK_SIZE : 16384L);
  if (!(req->flags & HF_NETREQ_RAW)) curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
}

static void set_proxy(CURL *e, struct exchange *x, bool fresh) {
  const char *proxy = proxy_rules_find(x->stack->proxies, x->req->url);
  if (fresh || x->kept->proxy != proxy) curl_easy_setopt(e, CURLOPT_PROXY, proxy);
  if (x->kept != NULL) x->kept->proxy = proxy;
}

/* The same for every request. */
static void set_fixed(CURL *e, const struct stack *s) {
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, open_socket);
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(e, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* never wait for a name look-up that nobody needs any more */
#endif
  curl_easy_setopt(e, CURLOPT_NOPROXY, "");
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, receive_header);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, receive_body);
  curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, note_progress);
  curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
  set_tls(e, s);
}

hf_status request_prepare(hf_call *call, struct exchange *x) {
  struct stack *s = x->stack;
  const struct hf_net_req *req = x->req;
  bool fresh;
  CURL *e = x->easy = get_easy(x, &fresh);
  if (e == NULL || !add_headers(x)) return s->host->failf(call, HF_ENOMEM, "out of memory for a request");
  if (fresh) {
    set_fixed(e, s);
    set_kind(e, x);
  }
  if (curl_easy_setopt(e, CURLOPT_URL, req->url) != CURLE_OK)
    return s->host->failf(call, HF_ENOMEM, "out of memory for a request");
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, x->headers);
  curl_easy_setopt(e, CURLOPT_PRIVATE, x);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, x->problem);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(req->connect_ms != 0 ? req->connect_ms : s->connect_ms));
  curl_easy_setopt(e, CURLOPT_PIPEWAIT, (long)(may_share_connection(x) && strncasecmp(req->url, "https:", 6) == 0));
  set_proxy(e, x, fresh);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, x);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, x);
  curl_easy_setopt(e, CURLOPT_XFERINFODATA, x);
  set_method(e, x, fresh);
  return HF_OK;
}

/* ---- the end ------------------------------------------------------------------------------------------------------ */

/* The handle has left curl's list: what it knows of the exchange is written down. */
void request_ended(struct exchange *x, CURLcode code) {
  x->code = code;
  curl_easy_getinfo(x->easy, CURLINFO_HTTP_VERSION, &x->http_version);
  curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &x->request_size);
  curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &x->connect_code);
  curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &x->os_errno);
  curl_off_t sent = 0, received = 0;
  curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(x->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  x->sent = sent > 0 ? (uint64_t)sent : 0;
  x->received = received > 0 ? (uint64_t)received : 0;
}

/* ---- errors ------------------------------------------------------------------------------------------------------- */

static const struct {
  CURLcode code;
  hf_status st;
  bool retryable;
  const char *cls, *what;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, HF_ENET, true, "ConnectError", "the server's name cannot be found"},
    {CURLE_COULDNT_RESOLVE_PROXY, HF_ENET, true, "ConnectError", "the proxy's name cannot be found"},
    {CURLE_COULDNT_CONNECT, HF_ENET, true, "ConnectError", "the server cannot be reached"},
    {CURLE_OPERATION_TIMEDOUT, HF_ETIMEDOUT, true, "ConnectTimeout", "the server did not answer in time"},
    {CURLE_SSL_CONNECT_ERROR, HF_ENET, true, "ConnectError", "no secure connection could be made"},
    {CURLE_PEER_FAILED_VERIFICATION, HF_ENET, false, "ConnectError",
     "the server's certificate is not trusted (add its authority with SSL_CERT_FILE)"},
    {CURLE_SSL_CERTPROBLEM, HF_ENET, false, "ConnectError", "the client certificate cannot be used"},
    {CURLE_SSL_CACERT_BADFILE, HF_ENET, false, "ConnectError", "the certificates to trust cannot be read"},
    {CURLE_GOT_NOTHING, HF_ENET, true, "RemoteProtocolError", "the server closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, HF_ENET, true, "RemoteProtocolError",
     "the connection ended before the whole answer was there"},
    {CURLE_SEND_ERROR, HF_ENET, true, "WriteError", "the connection broke while sending"},
    {CURLE_SEND_FAIL_REWIND, HF_ENET, true, "WriteError", "the connection broke while sending"},
    {CURLE_RECV_ERROR, HF_ENET, true, "ReadError", "the connection broke while receiving"},
    {CURLE_HTTP2, HF_ENET, true, "RemoteProtocolError", "the HTTP/2 connection broke"},
    {CURLE_HTTP2_STREAM, HF_ENET, true, "RemoteProtocolError", "the HTTP/2 stream broke"},
    {CURLE_PROXY, HF_ENET, true, "ProxyError", "the proxy refused"},
    {CURLE_WEIRD_SERVER_REPLY, HF_EPROTO, true, "RemoteProtocolError", "the answer is not valid HTTP"},
    {CURLE_UNSUPPORTED_PROTOCOL, HF_EPROTO, false, "RemoteProtocolError", "the answer is not valid HTTP"},
    {CURLE_BAD_CONTENT_ENCODING, HF_EPROTO, false, "DecodingError", "the answer cannot be decompressed"},
    {CURLE_URL_MALFORMAT, HF_EINVAL, false, NULL, "the URL cannot be used"},
    {CURLE_OUT_OF_MEMORY, HF_ENOMEM, false, NULL, "out of memory"},
};

hf_status request_failed(hf_call *call, struct exchange *x, struct hf_net_result *result) {
  const struct hf_host *host = x->stack->host;
  char text[CURL_ERROR_SIZE + 256];
  struct hf_error e = {.struct_size = sizeof(e), .code = HF_ENET, .message = text, .retryable = 1};
  const char *what = "the exchange failed";
  if (x->refused != HF_OK) {
    e.code = x->refused;
    e.cls = x->refused == HF_EPROTO ? "RemoteProtocolError" : NULL;
    e.retryable = 0;
    e.message = x->refusal;
    return host->fail(call, &e);
  }
  CURLcode code = x->code == CURLE_OK ? CURLE_WEIRD_SERVER_REPLY : x->code;
  for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
    if (meanings[i].code != code) continue;
    e.code = meanings[i].st;
    e.cls = meanings[i].cls;
    e.retryable = meanings[i].retryable;
    what = meanings[i].what;
  }
  if (code == CURLE_OPERATION_TIMEDOUT && !result->sent_nothing) e.cls = "ReadTimeout";
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR)
    e.sys_errno = (int32_t)x->os_errno;
  if (x->connect_code >= 400 && x->request_size == 0)
    snprintf(text, sizeof(text), "the proxy refused with status %ld", x->connect_code);
  else
    snprintf(text, sizeof(text), "%s (%s)", what, x->problem[0] != '\0' ? x->problem : curl_easy_strerror(code));
  result->retryable = e.retryable;
  return host->fail(call, &e);
}
