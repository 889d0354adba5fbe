/* proxy.c - which proxy serves which URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY of the environment, in the
 * spelling and order of precedence of the reference's HTTP library, or the configuration's own. Read once.
 * NO_PROXY: "*", a name (with its subdomains), ".name" or "*.name" (subdomains only), addresses, networks (10.0.0.0/8),
 * each with an optional port; or a whole "scheme://host[:port]". */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stack.h"

#define EXCEPTIONS_MAX 256u

struct exception {
  char *text;                /* owns what follows */
  const char *scheme, *host; /* scheme NULL: any */
  bool subdomains, itself;
  int family, bits; /* of a network; 0: a name */
  unsigned char net[16];
  uint32_t port; /* 0: any */
};
struct proxy_rules {
  char *http, *https; /* NULL: direct */
  struct exception exceptions[EXCEPTIONS_MAX];
  uint32_t count;
};

/* Lower case wins; an empty one means none. HTTP_PROXY is not taken in a CGI program, where a client could set it. */
static const char *from_env(const char *lower, const char *upper) {
  const char *v = getenv(lower);
  if (v == NULL && !(strcmp(lower, "http_proxy") == 0 && getenv("REQUEST_METHOD") != NULL)) v = getenv(upper);
  return v != NULL && v[0] != '\0' ? v : NULL;
}

static char *with_scheme(const char *proxy) {
  if (proxy == NULL) return NULL;
  size_t len = strlen(proxy) + 8;
  char *p = malloc(len);
  if (p != NULL) snprintf(p, len, "%s%s", strstr(proxy, "://") != NULL ? "" : "http://", proxy);
  return p;
}

/* ---- hosts -------------------------------------------------------------------------------------------------------- */

struct place { /* of a URL */
  char scheme[8], host[256];
  uint32_t port;
};

static bool split_host(const char *text, char *host, size_t room, uint32_t *port) {
  const char *end = text;
  if (*text == '[') {
    end = strchr(++text, ']');
    if (end == NULL) return false;
  } else {
    end = text + strcspn(text, ":/?#");
  }
  size_t n = (size_t)(end - text);
  if (n == 0 || n >= room) return false;
  for (size_t i = 0; i < n; i++) host[i] = (char)tolower((unsigned char)text[i]);
  host[n] = '\0';
  if (*end == ']') end++;
  if (*end == ':') *port = (uint32_t)strtoul(end + 1, NULL, 10);
  return true;
}

static bool place_of(const char *url, struct place *p) {
  const char *sep = strstr(url, "://");
  if (sep == NULL || (size_t)(sep - url) >= sizeof(p->scheme)) return false;
  size_t n = (size_t)(sep - url);
  for (size_t i = 0; i < n; i++) p->scheme[i] = (char)tolower((unsigned char)url[i]);
  p->scheme[n] = '\0';
  const char *host = sep + 3, *end = host + strcspn(host, "/?#");
  for (const char *c = host; c < end; c++)
    if (*c == '@') host = c + 1;
  p->port = 0;
  if (!split_host(host, p->host, sizeof(p->host), &p->port)) return false;
  if (p->port == 0) p->port = strcmp(p->scheme, "https") == 0 ? 443 : 80;
  return true;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, int bits) {
  int whole = bits / 8, rest = bits % 8;
  return memcmp(a, b, (size_t)whole) == 0 && (rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

static bool matches(const struct exception *e, const struct place *p) {
  if (e->scheme != NULL && strcasecmp(e->scheme, p->scheme) != 0) return false;
  if (e->port != 0 && e->port != p->port) return false;
  if (e->family != 0) {
    unsigned char addr[16];
    return inet_pton(e->family, p->host, addr) == 1 && same_bits(addr, e->net, e->bits);
  }
  size_t n = strlen(p->host), m = strlen(e->host);
  if (m > n || strcasecmp(p->host + n - m, e->host) != 0) return false;
  return m == n ? e->itself : e->subdomains && p->host[n - m - 1] == '.';
}

/* ---- reading NO_PROXY --------------------------------------------------------------------------------------------- */

static bool read_network(struct exception *e, char *host) {
  char *slash = strchr(host, '/');
  long bits = -1;
  if (slash != NULL) {
    char *end;
    *slash = '\0';
    bits = strtol(slash + 1, &end, 10);
    if (*end != '\0' || end == slash + 1 || bits < 0) return false;
  }
  size_t n = strlen(host);
  if (host[0] == '[' && n > 2 && host[n - 1] == ']') host[n - 1] = '\0', host++;
  e->family = strchr(host, ':') != NULL ? AF_INET6 : AF_INET;
  int full = e->family == AF_INET6 ? 128 : 32;
  if (inet_pton(e->family, host, e->net) != 1 || bits > full) {
    e->family = 0;
    if (slash != NULL) *slash = '/';
    return false;
  }
  e->bits = bits < 0 ? full : (int)bits;
  return true;
}

static void read_exception(struct proxy_rules *r, const char *text, size_t len) {
  while (len > 0 && isspace((unsigned char)text[0])) text++, len--;
  while (len > 0 && isspace((unsigned char)text[len - 1])) len--;
  if (len == 0 || r->count == EXCEPTIONS_MAX) return;
  struct exception e = {.itself = true};
  char *t = e.text = strndup(text, len);
  if (t == NULL) return;
  char *sep = strstr(t, "://");
  if (sep != NULL) {
    *sep = '\0';
    if (strcasecmp(t, "all") != 0) e.scheme = t;
    t = sep + 3;
    t[strcspn(t, "/")] = '\0';
  }
  if (!read_network(&e, t)) {
    if (strchr(t, '/') != NULL) {
      free(e.text);
      return;
    }
    char *colon = t[0] == '[' ? strchr(t, ']') : t;
    colon = colon != NULL ? strrchr(colon, ':') : NULL;
    if (colon != NULL) {
      e.port = (uint32_t)strtoul(colon + 1, NULL, 10);
      *colon = '\0';
    }
    if (!read_network(&e, t)) {
      bool exact = sep != NULL || strcasecmp(t, "localhost") == 0;
      e.subdomains = !exact;
      if (t[0] == '*') e.subdomains = true, t++;
      if (t[0] == '.') e.subdomains = true, e.itself = false, t++;
      e.host = t;
      if (t[0] == '\0') e.subdomains = false, e.itself = false;
    }
  }
  r->exceptions[r->count++] = e;
}

static bool read_exceptions(struct proxy_rules *r, const char *no_proxy) {
  for (const char *p = no_proxy; p != NULL && *p != '\0';) {
    size_t n = strcspn(p, ",");
    const char *a = p, *b = p + n;
    while (a < b && isspace((unsigned char)*a)) a++;
    while (b > a && isspace((unsigned char)b[-1])) b--;
    if (b - a == 1 && *a == '*') return false;
    read_exception(r, p, n);
    p += n + (p[n] == ',');
  }
  return true;
}

struct proxy_rules *proxy_rules_open(const char *proxy, const char *no_proxy) {
  struct proxy_rules *r = calloc(1, sizeof(*r));
  if (r == NULL) return NULL;
  const char *all = from_env("all_proxy", "ALL_PROXY");
  const char *http = from_env("http_proxy", "HTTP_PROXY"), *https = from_env("https_proxy", "HTTPS_PROXY");
  r->http = with_scheme(proxy != NULL ? proxy : http != NULL ? http : all);
  r->https = with_scheme(proxy != NULL ? proxy : https != NULL ? https : all);
  if (!read_exceptions(r, no_proxy != NULL ? no_proxy : from_env("no_proxy", "NO_PROXY"))) {
    free(r->http);
    free(r->https);
    r->http = r->https = NULL;
  }
  return r;
}

void proxy_rules_close(struct proxy_rules *r) {
  if (r == NULL) return;
  for (uint32_t i = 0; i < r->count; i++) free(r->exceptions[i].text);
  free(r->http);
  free(r->https);
  free(r);
}

const char *proxy_rules_find(const struct proxy_rules *r, const char *url) {
  struct place p;
  if ((r->http == NULL && r->https == NULL) || !place_of(url, &p)) return "";
  for (uint32_t i = 0; i < r->count; i++)
    if (matches(&r->exceptions[i], &p)) return "";
  const char *proxy = strcmp(p.scheme, "https") == 0 ? r->https : r->http;
  return proxy != NULL ? proxy : "";
}
