/* policy.c - who may ask, and what for: the host that was meant, the page that asks, the key, path, method, content type.
 * No web page may spend the user's money: a name that DNS could point here is refused, a foreign Origin, and every body that
 * a page may send without being asked first. */
#include "policy.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_address(const char *host) {
  struct in6_addr a;
  return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

bool policy_loopback(const char *host) {
  struct in_addr v4;
  struct in6_addr v6;
  if (!strcasecmp(host, "localhost")) return true;
  if (inet_pton(AF_INET, host, &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* "name[:port]", "[address][:port]" to the name alone. */
static bool host_of(const char *text, char out[256]) {
  const char *end = *text == '[' ? strchr(text, ']') : text + strcspn(text, ":");
  if (!end) return false;
  const char *from = text + (*text == '['), *port = end + (*text == '[');
  size_t n = (size_t)(end - from);
  if (!n || n >= 256 || (*port && (*port != ':' || port[1 + strspn(port + 1, "0123456789")]))) return false;
  memcpy(out, from, n);
  out[n] = 0;
  return true;
}

struct found {
  const char *name, *value;
  int count;
};

static enum MHD_Result count(void *arg, enum MHD_ValueKind kind, const char *name, const char *value) {
  struct found *f = arg;
  (void)kind;
  if (strcasecmp(name, f->name)) return MHD_YES;
  f->count++;
  f->value = value ? value : "";
  return MHD_YES;
}

static struct found header(struct MHD_Connection *c, const char *name) {
  struct found f = {.name = name};
  MHD_get_connection_values(c, MHD_HEADER_KIND, count, &f);
  return f;
}

static bool host_fits(struct MHD_Connection *c, const struct policy *p) {
  char host[256];
  struct found f = header(c, "Host");
  if (f.count != 1 || !host_of(f.value, host)) return false;
  return policy_loopback(host) || (p->anywhere && (is_address(host) || !strcasecmp(host, p->host)));
}

static bool origin_fits(struct MHD_Connection *c) {
  char host[256];
  struct found f = header(c, "Origin");
  if (!f.count) return true;
  const char *rest = strstr(f.value, "://");
  size_t scheme = rest ? (size_t)(rest - f.value) : 0;
  bool web = (scheme == 4 && !strncasecmp(f.value, "http", 4)) || (scheme == 5 && !strncasecmp(f.value, "https", 5));
  return f.count == 1 && web && host_of(rest + 3, host) && policy_loopback(host);
}

/* Takes as long for every key of the same length. */
static bool same_key(const char *want, const char *have) {
  size_t n = strlen(want), m = strlen(have);
  volatile unsigned char differs = (unsigned char)(n != m);
  for (size_t i = 0; i < n; i++) differs = (unsigned char)(differs | (unsigned char)(want[i] ^ (m ? have[i % m] : 0)));
  return !differs;
}

static bool key_fits(struct MHD_Connection *c, const struct policy *p) {
  struct found f = header(c, "Authorization");
  if (!p->key) return true;
  if (f.count != 1 || strncasecmp(f.value, "Bearer ", 7)) return false;
  return same_key(p->key, f.value + 7);
}

static bool is_json(struct MHD_Connection *c) {
  static const char json[] = "application/json";
  struct found f = header(c, "Content-Type");
  size_t n = sizeof json - 1;
  return f.count == 1 && !strncasecmp(f.value, json, n) && (!f.value[n] || strchr("; \t", f.value[n]));
}

static const struct {
  const char *path, *method;
  bool prefix;
} paths[] = {{"/v1/chat/completions", "POST", false},
             {"/v1/embeddings", "POST", false},
             {"/v1/models/", "GET", true},
             {"/v1/models", "GET", false},
             {"/health", "GET", false}};

static const struct refusal refusals[] = {
    [POLICY_HOST] = {403, "forbidden_host", "This server answers to localhost and loopback addresses only."},
    [POLICY_ORIGIN] = {403, "forbidden_origin", "Web pages of other origins may not use this server."},
    [POLICY_KEY] = {401, "invalid_api_key",
                    "The key is missing or wrong; give the one that the server was started with."},
    [POLICY_PATH] = {404, "not_found", "There is no such route: /v1/chat/completions, /v1/embeddings, /v1/models."},
    [POLICY_METHOD] = {405, "method_not_allowed", "The route is not for this method."},
    [POLICY_TYPE] = {415, "unsupported_media_type", "The body must be sent as Content-Type: application/json."},
    [POLICY_SIZE] = {413, "request_too_large", "The body is larger than this server takes; see --max-body."},
    [POLICY_BUSY] = {429, "too_many_requests", "Too many requests at once; try again, or see --max-requests."},
    [POLICY_MEMORY] = {500, "out_of_memory", "Out of memory; try again later."},
};

const struct refusal *policy_refusal(enum policy_rule rule) {
  return &refusals[rule];
}

enum policy_rule policy_check(struct MHD_Connection *c, const struct policy *p, const char *path, const char *method) {
  size_t i = 0, rows = sizeof paths / sizeof *paths;
  if (!host_fits(c, p)) return POLICY_HOST;
  if (!origin_fits(c)) return POLICY_ORIGIN;
  for (; i < rows; i++)
    if (paths[i].prefix ? !strncmp(path, paths[i].path, strlen(paths[i].path)) : !strcmp(path, paths[i].path)) break;
  if (!key_fits(c, p) && (i == rows || strcmp(paths[i].path, "/health") != 0)) return POLICY_KEY;
  if (i == rows) return POLICY_PATH;
  if (strcmp(method, paths[i].method) != 0) return POLICY_METHOD;
  if (strcmp(method, "POST") != 0) return POLICY_FINE;
  if (!is_json(c)) return POLICY_TYPE;
  struct found length = header(c, "Content-Length");
  if (length.count && strtoull(length.value, NULL, 10) > p->body_max) return POLICY_SIZE;
  return POLICY_FINE;
}
