/* Tests of requests over TLS: which certificates are trusted, what an unchecked connection may carry, a tunnel through a
 * proxy, client certificates, old protocol versions. Keys and certificates are made when the test starts.
 * The server answers every request with the headers that it got. */
#include <check.h>
#include <core.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>

#include "serve.h"
#include "unit_runtime.h"

/* ---- certificates ------------------------------------------------------------------------------------------------- */

struct identity {
  EVP_PKEY *key;
  X509 *cert;
  char cert_file[64], key_file[64];
};
static char folder[] = "/tmp/hf-tls-XXXXXX";
static struct identity server_id, client_id, stranger_id;

static void add_extension(X509 *cert, int nid, const char *value) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  X509_add_ext(cert, e, -1);
  X509_EXTENSION_free(e);
}

/* Signed by itself, and its own authority. */
static void make_identity(struct identity *id, const char *name, const char *san) {
  id->key = EVP_EC_gen("P-256");
  X509 *c = id->cert = X509_new();
  X509_set_version(c, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(c), 1);
  X509_gmtime_adj(X509_getm_notBefore(c), -3600);
  X509_gmtime_adj(X509_getm_notAfter(c), 86400);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(c, X509_get_subject_name(c));
  X509_set_pubkey(c, id->key);
  add_extension(c, NID_basic_constraints, "critical,CA:TRUE");
  if (san != NULL) add_extension(c, NID_subject_alt_name, san);
  X509_sign(c, id->key, EVP_sha256());
  snprintf(id->cert_file, sizeof(id->cert_file), "%s/%s.pem", folder, name);
  snprintf(id->key_file, sizeof(id->key_file), "%s/%s.key", folder, name);
  FILE *f = fopen(id->cert_file, "w");
  PEM_write_X509(f, c);
  fclose(f);
  f = fopen(id->key_file, "w");
  PEM_write_PrivateKey(f, id->key, NULL, NULL, 0, NULL, NULL);
  fclose(f);
}

static void drop_identity(struct identity *id) {
  unlink(id->cert_file);
  unlink(id->key_file);
  X509_free(id->cert);
  EVP_PKEY_free(id->key);
}

/* ---- a server ----------------------------------------------------------------------------------------------------- */

struct tls_server {
  SSL_CTX *ctx;
  int fd;
  uint16_t port;
  pthread_t thread;
  atomic_int handshakes, requests, open;
  atomic_bool stop;
};

static void *tls_connection(void *arg) {
  void **both = arg;
  struct tls_server *s = both[0];
  int fd = (int)(intptr_t)both[1];
  char text[16384];
  free(both);
  SSL *ssl = SSL_new(s->ctx);
  SSL_set_fd(ssl, fd);
  if (SSL_accept(ssl) == 1) {
    atomic_fetch_add(&s->handshakes, 1);
    size_t have = 0;
    for (;;) {
      int n = SSL_read(ssl, text + have, (int)(sizeof(text) - have - 1));
      if (n <= 0) break;
      have += (size_t)n;
      text[have] = '\0';
      if (strstr(text, "\r\n\r\n") == NULL) continue;
      atomic_fetch_add(&s->requests, 1);
      char head[128];
      int h = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", have);
      SSL_write(ssl, head, h);
      SSL_write(ssl, text, (int)have);
      have = 0;
    }
  }
  SSL_free(ssl);
  close(fd);
  atomic_fetch_sub(&s->open, 1);
  return NULL;
}

/* A broken pipe is no signal to the server's threads; the client's own are left to themselves. */
static void *tls_loop(void *arg) {
  struct tls_server *s = arg;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  for (;;) {
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0) return NULL;
    struct timeval t = {.tv_sec = 2};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    void **both = malloc(2 * sizeof(*both));
    both[0] = s;
    both[1] = (void *)(intptr_t)fd;
    atomic_fetch_add(&s->open, 1);
    pthread_t th;
    pthread_create(&th, NULL, tls_connection, both);
    pthread_detach(th);
  }
}

static struct tls_server *tls_start(const struct identity *id) {
  struct tls_server *s = calloc(1, sizeof(*s));
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof(a);
  s->ctx = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(s->ctx, id->cert);
  SSL_CTX_use_PrivateKey(s->ctx, id->key);
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(s->fd, (struct sockaddr *)&a, len) != 0 || listen(s->fd, 16) != 0) abort();
  getsockname(s->fd, (struct sockaddr *)&a, &len);
  s->port = ntohs(a.sin_port);
  pthread_create(&s->thread, NULL, tls_loop, s);
  return s;
}

static void tls_stop(struct tls_server *s) {
  shutdown(s->fd, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  while (atomic_load(&s->open) > 0) usleep(1000);
  close(s->fd);
  SSL_CTX_free(s->ctx);
  free(s);
}

/* ---- a proxy that makes tunnels, to the server whatever name is asked for ------------------------------------------------- */

static uint16_t tunnel_to;

static bool tunnel(struct server *s, int fd, const struct seen *r) {
  struct sockaddr_in a = {
      .sin_family = AF_INET, .sin_port = htons(tunnel_to), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char buf[16384];
  if (!asks(r, "CONNECT ")) return answer(fd, 400, "", "no tunnel was asked for");
  int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(out, (struct sockaddr *)&a, sizeof(a)) != 0) abort();
  put(fd, "HTTP/1.1 200 Established\r\n\r\n");
  struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = out, .events = POLLIN}};
  for (bool open = true; open && !atomic_load(&s->stop);) {
    if (poll(p, 2, 100) < 0) break;
    for (int i = 0; i < 2 && open; i++) {
      if (p[i].revents == 0) continue;
      ssize_t n = read(p[i].fd, buf, sizeof(buf));
      open = n > 0 && put_bytes(p[1 - i].fd, buf, (size_t)n);
    }
  }
  close(out);
  return false;
}

/* ---- requests ----------------------------------------------------------------------------------------------------- */

static hf_runtime *rt;
static hf_call *call;
static struct tls_server *srv;
static struct hf_http_resp resp;

static void start(const struct identity *id, const char *key, const char *value, const char *key2, const char *value2) {
  struct hf_kv rows[] = {{key, value}, {key2, value2}, {NULL, NULL}};
  rt = unit_runtime(rows);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  srv = tls_start(id);
}

static void stop(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  tls_stop(srv);
}

static hf_status get(const char *host, const struct hf_kv *header) {
  char url[128];
  snprintf(url, sizeof(url), "https://%s:%u/x", host, srv->port);
  struct hf_http_req req = {.struct_size = sizeof(req), .url = url, .tries = 1};
  if (header != NULL) req.headers = (struct hf_table)HF_TABLE_N(header, 1);
  resp = (struct hf_http_resp){.struct_size = sizeof(resp)};
  hf_call_clear(call);
  return hf_http(call, &req, &resp);
}

START_TEST(unknown_authorities_are_refused) {
  start(&server_id, NULL, NULL, NULL, NULL);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_ENET);
  const struct hf_error *e = hf_call_error(call);
  ck_assert_uint_eq(e->retryable, 0);
  ck_assert_ptr_nonnull(strstr(e->message, "certificate"));
  ck_assert_int_eq(atomic_load(&srv->requests), 0);
  stop();
}
END_TEST

START_TEST(added_authorities_are_trusted) {
  start(&server_id, "SSL_CERT_FILE", server_id.cert_file, NULL, NULL);
  for (int i = 0; i < 3; i++) ck_assert_int_eq(get("127.0.0.1", NULL), HF_OK);
  ck_assert_ptr_nonnull(strstr(resp.body, "GET /x HTTP/1.1"));
  ck_assert_int_eq(atomic_load(&srv->handshakes), 1);
  ck_assert_int_eq(get("localhost", NULL), HF_ENET); /* not in the certificate */
  stop();
}
END_TEST

START_TEST(unreadable_authorities_are_an_error) {
  start(&server_id, "SSL_CERT_FILE", "/nonexistent/ca.pem", NULL, NULL);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_EINVAL);
  ck_assert_ptr_nonnull(strstr(hf_call_error(call)->message, "/nonexistent/ca.pem"));
  stop();
}
END_TEST

START_TEST(unchecked_connections_carry_no_secret) {
  static const struct hf_kv own = {"Authorization", "Bearer two"};
  char origin[64];
  start(&server_id, "HF_INSECURE", "1", NULL, NULL);
  tunnel_to = srv->port;
  struct server *proxy = serve_start(tunnel);
  snprintf(origin, sizeof(origin), "127.0.0.1:%u", proxy->port);
  setenv("HTTPS_PROXY", origin, 1); /* so that hub.test is somewhere */
  snprintf(origin, sizeof(origin), "https://hub.test:%u", srv->port);
  ck_assert_int_eq(hf_call_credential(call, origin, "Authorization", "Bearer one"), HF_OK);
  ck_assert_int_eq(get("hub.test", NULL), HF_OK);
  ck_assert_ptr_null(strcasestr(resp.body, "authorization"));
  ck_assert_int_eq(get("hub.test", &own), HF_OK);
  ck_assert_ptr_null(strcasestr(resp.body, "authorization"));
  ck_assert_ptr_nonnull(strstr(unit_log, "HF_INSECURE"));
  unsetenv("HTTPS_PROXY");
  stop();
  serve_stop(proxy);
}
END_TEST

START_TEST(tunnels_keep_the_secret_from_the_proxy) {
  char text[64];
  start(&server_id, "SSL_CERT_FILE", server_id.cert_file, NULL, NULL);
  tunnel_to = srv->port;
  struct server *proxy = serve_start(tunnel);
  snprintf(text, sizeof(text), "http://127.0.0.1:%u", proxy->port);
  setenv("HTTPS_PROXY", text, 1);
  snprintf(text, sizeof(text), "https://hub.test:%u", srv->port);
  ck_assert_int_eq(hf_call_credential(call, text, "Authorization", "Bearer one"), HF_OK);
  ck_assert_int_eq(get("hub.test", NULL), HF_OK);
  ck_assert_ptr_nonnull(strcasestr(resp.body, "authorization: Bearer one"));
  ck_assert_int_eq(proxy->count, 1);
  ck_assert_ptr_null(strcasestr(proxy->seen[0].head, "authorization"));
  ck_assert_int_eq(get("other.test", NULL), HF_ENET); /* a tunnel is no excuse for a wrong name */
  unsetenv("HTTPS_PROXY");
  stop();
  serve_stop(proxy);
}
END_TEST

START_TEST(client_certificates) {
  start(&server_id, "SSL_CERT_FILE", server_id.cert_file, "HF_CLIENT_CERT", client_id.cert_file);
  SSL_CTX_load_verify_locations(srv->ctx, client_id.cert_file, NULL);
  SSL_CTX_set_verify(srv->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_ENET); /* without its key */
  stop();
  struct hf_kv rows[] = {{"SSL_CERT_FILE", server_id.cert_file},
                         {"HF_CLIENT_CERT", client_id.cert_file},
                         {"HF_CLIENT_KEY", client_id.key_file},
                         {NULL, NULL}};
  rt = unit_runtime(rows);
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  srv = tls_start(&server_id);
  SSL_CTX_load_verify_locations(srv->ctx, client_id.cert_file, NULL);
  SSL_CTX_set_verify(srv->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_OK);
  stop();
}
END_TEST

START_TEST(old_protocols_are_refused) {
  start(&server_id, "SSL_CERT_FILE", server_id.cert_file, NULL, NULL);
  SSL_CTX_set_security_level(srv->ctx, 0);
  SSL_CTX_set_min_proto_version(srv->ctx, TLS1_1_VERSION);
  SSL_CTX_set_max_proto_version(srv->ctx, TLS1_1_VERSION);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_ENET);
  ck_assert_int_eq(atomic_load(&srv->requests), 0);
  stop();
}
END_TEST

START_TEST(folders_of_hashed_certificates) {
  start(&stranger_id, "SSL_CERT_FILE", server_id.cert_file, "SSL_CERT_DIR", folder);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_ENET); /* in the folder, but not by its hashed name */
  char name[128], target[64];
  snprintf(name, sizeof(name), "%s/%08lx.0", folder, X509_subject_name_hash(stranger_id.cert));
  snprintf(target, sizeof(target), "%s", stranger_id.cert_file);
  ck_assert_int_eq(symlink(target, name), 0);
  ck_assert_int_eq(get("127.0.0.1", NULL), HF_OK);
  unlink(name);
  stop();
}
END_TEST

int main(void) {
  static const char *const names[] = {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",   "all_proxy",
                                      "ALL_PROXY",  "no_proxy",   "NO_PROXY",    "SSL_CERT_FILE", "SSL_CERT_DIR"};
  for (size_t i = 0; i < HF_COUNT(names); i++) unsetenv(names[i]);
  if (mkdtemp(folder) == NULL) return 1;
  make_identity(&server_id, "server", "IP:127.0.0.1,DNS:hub.test");
  make_identity(&client_id, "client", NULL);
  make_identity(&stranger_id, "stranger", "IP:127.0.0.1");
  Suite *s = suite_create("tls");
  TCase *t = tcase_create("tls");
  tcase_set_timeout(t, 30);
  tcase_add_test(t, unknown_authorities_are_refused);
  tcase_add_test(t, added_authorities_are_trusted);
  tcase_add_test(t, unreadable_authorities_are_an_error);
  tcase_add_test(t, unchecked_connections_carry_no_secret);
  tcase_add_test(t, tunnels_keep_the_secret_from_the_proxy);
  tcase_add_test(t, client_certificates);
  tcase_add_test(t, old_protocols_are_refused);
  tcase_add_test(t, folders_of_hashed_certificates);
  suite_add_tcase(s, t);
  int failed = unit_run(s);
  drop_identity(&server_id);
  drop_identity(&client_id);
  drop_identity(&stranger_id);
  rmdir(folder);
  return failed;
}
