/* url.c - http and https URLs, read strictly: pieces, origins, references against a base, quoting.
 * The core knows no other scheme. International names are left to the network library; percent-encoding is left as it is,
 * except that bytes which may not stand in a request line are encoded when a reference is resolved. */
#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "url.h"

static bool span_eq(struct span a, struct span b) {
  return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static bool is_unreserved(unsigned char c) {
  return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/* ---- pieces ------------------------------------------------------------------------------------------------------- */

static const char *split_scheme(const char *url, struct url_pieces *u, const char **rest) {
  if (strncasecmp(url, "https://", 8) == 0) {
    u->https = true;
    *rest = url + 8;
  } else if (strncasecmp(url, "http://", 7) == 0) {
    *rest = url + 7;
  } else {
    return "does not begin with http:// or https://";
  }
  return NULL;
}

static const char *split_port(struct span port, struct url_pieces *u) {
  uint32_t v = 0;
  u->port = u->https ? 443 : 80;
  if (port.n == 0) return NULL;
  for (size_t i = 0; i < port.n; i++) {
    if (!isdigit((unsigned char)port.p[i]) || (v = v * 10 + (uint32_t)(port.p[i] - '0')) > 65535)
      return "has an impossible port";
  }
  if (v == 0) return "has an impossible port";
  u->port = (uint16_t)v;
  return NULL;
}

static const char *split_v6(struct span *auth, struct url_pieces *u) {
  const char *close = memchr(auth->p, ']', auth->n);
  char text[INET6_ADDRSTRLEN];
  struct in6_addr addr;
  size_t n = close != NULL ? (size_t)(close - auth->p) - 1 : 0;
  if (n == 0 || n >= sizeof(text)) return "has an impossible address in brackets";
  memcpy(text, auth->p + 1, n);
  text[n] = '\0';
  if (inet_pton(AF_INET6, text, &addr) != 1) return "has an impossible address in brackets";
  u->v6 = true;
  u->host = (struct span){auth->p + 1, n};
  auth->p += n + 2;
  auth->n -= n + 2;
  return NULL;
}

static const char *split_authority(struct span auth, struct url_pieces *u) {
  const char *at = memchr(auth.p, '@', auth.n);
  if (at != NULL) {
    u->has_user = true;
    u->user = (struct span){auth.p, (size_t)(at - auth.p)};
    auth.n -= u->user.n + 1;
    auth.p = at + 1;
    if (memchr(auth.p, '@', auth.n) != NULL) return "has two at-signs before its path";
  }
  if (auth.n > 0 && auth.p[0] == '[') {
    const char *wrong = split_v6(&auth, u);
    if (wrong != NULL) return wrong;
    if (auth.n > 0 && auth.p[0] != ':') return "has text behind its address in brackets";
  } else {
    const char *colon = memchr(auth.p, ':', auth.n);
    u->host = (struct span){auth.p, colon != NULL ? (size_t)(colon - auth.p) : auth.n};
    auth.p += u->host.n;
    auth.n -= u->host.n;
    if (u->host.n == 0) return "has no host";
    if (u->host.n > 253) return "has a host name of more than 253 characters";
    for (size_t i = 0; i < u->host.n; i++) {
      unsigned char c = (unsigned char)u->host.p[i];
      if (!is_unreserved(c) && c < 0x80) return "has a host name with impossible characters";
    }
  }
  return split_port(auth.n > 0 ? (struct span){auth.p + 1, auth.n - 1} : (struct span){auth.p, 0}, u);
}

const char *url_split(const char *url, struct url_pieces *u) {
  const char *rest, *wrong;
  memset(u, 0, sizeof(*u));
  if (url == NULL) return "is missing";
  size_t len = strnlen(url, URL_MAX + 1);
  if (len > URL_MAX) return "has more than 16,384 characters";
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)url[i] <= 0x20 || url[i] == 0x7f) return "holds a space or a control character";
  if ((wrong = split_scheme(url, u, &rest)) != NULL) return wrong;
  struct span auth = {rest, strcspn(rest, "/?#")};
  if (memchr(auth.p, '\\', auth.n) != NULL) return "holds a back slash before its path";
  if ((wrong = split_authority(auth, u)) != NULL) return wrong;
  u->path = (struct span){rest + auth.n, strcspn(rest + auth.n, "#")};
  return NULL;
}

bool url_is_loopback(const struct url_pieces *u) {
  char host[INET6_ADDRSTRLEN];
  struct in_addr four;
  struct in6_addr six;
  if (u->host.n == 0 || u->host.n >= sizeof(host)) return false;
  memcpy(host, u->host.p, u->host.n);
  host[u->host.n] = '\0';
  if (u->v6) return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
  return strcasecmp(host, "localhost") == 0 ||
         (inet_pton(AF_INET, host, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

static hf_status refuse(hf_call *call, const char *url, const char *wrong) {
  char shown[200];
  size_t n = 0;
  for (const char *c = url != NULL ? url : ""; *c != '\0' && n + 1 < sizeof(shown); c++)
    shown[n++] = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
  shown[n] = '\0';
  hf_text_redact(shown);
  return hf_call_failf(call, HF_EINVAL, "The URL '%s' %s; correct it.", shown, wrong);
}

hf_status hf_url_parse(hf_call *call, const char *url, struct hf_url *out) {
  struct url_pieces u;
  memset(out, 0, sizeof(*out));
  const char *wrong = url_split(url, &u);
  if (wrong != NULL) return refuse(call, url, wrong);
  char *host = hf_call_arena(call, u.host.n + 1);
  if (host == NULL) return HF_ENOMEM;
  for (size_t i = 0; i < u.host.n; i++) host[i] = (char)tolower((unsigned char)u.host.p[i]);
  out->scheme = u.https ? "https" : "http";
  out->host = host;
  out->port = u.port;
  if (u.has_user && (out->user = hf_call_intern(call, u.user.p, u.user.n)) == NULL) return HF_ENOMEM;
  if (u.path.n == 0) {
    out->path = "/";
  } else if (u.path.p[0] == '/') {
    out->path = hf_call_intern(call, u.path.p, u.path.n);
  } else {
    char *path = hf_call_arena(call, u.path.n + 2);
    if (path != NULL) {
      path[0] = '/';
      memcpy(path + 1, u.path.p, u.path.n);
    }
    out->path = path;
  }
  return out->path != NULL ? HF_OK : HF_ENOMEM;
}

int hf_url_same_origin(const char *a, const char *b) {
  struct url_pieces x, y;
  if (url_split(a, &x) != NULL || url_split(b, &y) != NULL) return 0;
  return x.https == y.https && x.port == y.port && x.v6 == y.v6 && span_eq(x.host, y.host);
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static void add_origin(struct hf_text_buf *b, const struct url_pieces *u) {
  hf_text_add(b, u->https ? "https://" : "http://", SIZE_MAX);
  if (u->has_user) {
    hf_text_add(b, u->user.p, u->user.n);
    hf_text_add(b, "@", 1);
  }
  if (u->v6) hf_text_add(b, "[", 1);
  for (size_t i = 0; i < u->host.n; i++) {
    char c = (char)tolower((unsigned char)u->host.p[i]);
    hf_text_add(b, &c, 1);
  }
  if (u->v6) hf_text_add(b, "]", 1);
  if (u->port != (u->https ? 443 : 80)) hf_text_addf(b, ":%u", (unsigned)u->port);
}

static const char *finish(hf_call *call, struct hf_text_buf *b) {
  const char *text = NULL;
  if (b->failed)
    hf_call_failf(call, b->len >= URL_MAX ? HF_EINVAL : HF_ENOMEM, "A URL is too long or memory is out.");
  else
    text = hf_call_intern(call, b->data, b->len);
  hf_text_free(b);
  return text;
}

void url_add_normal(struct hf_text_buf *b, const struct url_pieces *u) {
  add_origin(b, u);
  if (u->path.n == 0 || u->path.p[0] != '/') hf_text_add(b, "/", 1);
  hf_text_add(b, u->path.p, u->path.n);
}

const char *url_normal(hf_call *call, const struct url_pieces *u) {
  struct hf_text_buf b;
  hf_text_init(&b, URL_MAX);
  url_add_normal(&b, u);
  return finish(call, &b);
}

/* ---- references (RFC 3986, 5.2) ----------------------------------------------------------------------------------- */

/* Takes "." and ".." segments out of a path, in place; the path begins with '/'. */
static size_t squash_dots(char *path, size_t len) {
  size_t out = 0, in = 0;
  while (in < len) {
    size_t seg = 1;
    while (in + seg < len && path[in + seg] != '/') seg++;
    bool last = in + seg == len;
    if (seg == 2 && path[in + 1] == '.') {
      if (last) path[out++] = '/';
    } else if (seg == 3 && path[in + 1] == '.' && path[in + 2] == '.') {
      while (out > 0 && path[--out] != '/') continue;
      if (last) path[out++] = '/';
    } else {
      memmove(path + out, path + in, seg);
      out += seg;
    }
    in += seg;
  }
  return out;
}

static void add_encoded(struct hf_text_buf *b, struct span s) {
  for (size_t i = 0; i < s.n; i++) {
    unsigned char c = (unsigned char)s.p[i];
    if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c) != NULL)
      hf_text_addf(b, "%%%02X", (unsigned)c);
    else
      hf_text_add(b, s.p + i, 1);
  }
}

static struct span path_only(struct span path) {
  const char *q = memchr(path.p, '?', path.n);
  return (struct span){path.p, q != NULL ? (size_t)(q - path.p) : path.n};
}

/* Path and query that `ref` (no scheme, no authority, no fragment) means against the base's. */
static void add_merged(struct hf_text_buf *b, const struct url_pieces *base, struct span ref) {
  struct span base_path = path_only(base->path), path = path_only(ref);
  struct span query = {ref.p + path.n, ref.n - path.n};
  size_t from = b->len;
  if (path.n == 0) {
    add_encoded(b, base_path.n > 0 ? base_path : (struct span){"/", 1});
    add_encoded(b, ref.n == 0 ? (struct span){base->path.p + base_path.n, base->path.n - base_path.n} : query);
    return;
  }
  if (path.p[0] != '/') {
    size_t keep = base_path.n;
    while (keep > 0 && base_path.p[keep - 1] != '/') keep--;
    add_encoded(b, keep > 0 ? (struct span){base_path.p, keep} : (struct span){"/", 1});
  }
  add_encoded(b, path);
  if (b->failed) return;
  b->len = from + squash_dots(b->data + from, b->len - from);
  b->data[b->len] = '\0';
  add_encoded(b, query);
}

static bool has_scheme(struct span ref) {
  size_t n = 0;
  while (n < ref.n && (isalnum((unsigned char)ref.p[n]) || strchr("+-.", ref.p[n]) != NULL)) n++;
  return n > 0 && n < ref.n && ref.p[n] == ':' && isalpha((unsigned char)ref.p[0]);
}

static struct span trimmed(const char *text) {
  struct span s = {text, strlen(text)};
  while (s.n > 0 && isspace((unsigned char)s.p[0])) s.p++, s.n--;
  while (s.n > 0 && isspace((unsigned char)s.p[s.n - 1])) s.n--;
  return s;
}

const char *hf_url_resolve(hf_call *call, const char *base, const char *ref) {
  struct url_pieces from, to;
  const char *wrong = url_split(base, &from);
  if (wrong != NULL) return refuse(call, base, wrong), NULL;
  if (ref == NULL || strnlen(ref, URL_MAX + 1) > URL_MAX) return refuse(call, ref, "is missing or too long"), NULL;
  struct span r = trimmed(ref);
  for (size_t i = 0; i < r.n; i++)
    if ((unsigned char)r.p[i] < 0x20 || r.p[i] == 0x7f) return refuse(call, ref, "holds a control character"), NULL;
  const char *hash = memchr(r.p, '#', r.n);
  if (hash != NULL) r.n = (size_t)(hash - r.p);
  bool absolute = has_scheme(r), network = r.n >= 2 && r.p[0] == '/' && r.p[1] == '/';
  struct hf_text_buf b;
  hf_text_init(&b, URL_MAX);
  if (absolute || network) {
    /* The authority must stand as it is; the rest may need encoding. */
    if (network) hf_text_add(&b, from.https ? "https:" : "http:", SIZE_MAX);
    const char *auth = memchr(r.p, '/', r.n);
    size_t head = auth != NULL && (size_t)(auth - r.p) + 1 < r.n && auth[1] == '/' ? (size_t)(auth - r.p) + 2 : 0;
    while (head < r.n && strchr("/?", r.p[head]) == NULL) head++;
    hf_text_add(&b, r.p, head);
    const char *problem = b.failed ? "is too long" : url_split(b.data, &to);
    if (problem != NULL) {
      hf_text_free(&b);
      return refuse(call, ref, problem), NULL;
    }
    struct hf_text_buf whole;
    hf_text_init(&whole, URL_MAX);
    add_origin(&whole, &to);
    add_merged(&whole, &(struct url_pieces){.path = {"/", 1}}, (struct span){r.p + head, r.n - head});
    hf_text_free(&b);
    return finish(call, &whole);
  }
  add_origin(&b, &from);
  add_merged(&b, &from, r);
  return finish(call, &b);
}

const char *hf_url_quote(hf_call *call, const char *text, const char *keep) {
  static const char hex[] = "0123456789ABCDEF";
  size_t len = strlen(text);
  char *out = len > SIZE_MAX / 3 - 1 ? NULL : hf_call_arena(call, len * 3 + 1), *o = out;
  if (out == NULL) return NULL;
  for (const char *c = text; *c != '\0'; c++) {
    if (is_unreserved((unsigned char)*c) || (keep != NULL && strchr(keep, *c) != NULL)) {
      *o++ = *c;
    } else {
      *o++ = '%';
      *o++ = hex[(unsigned char)*c >> 4];
      *o++ = hex[*c & 15];
    }
  }
  return out;
}
