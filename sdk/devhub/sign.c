/* sign.c - URLs that end: the storage origin's (and the completion of an upload) carry an expiry and a signature.
 * What is signed is the path, the query before the expiry, and the expiry; without a good signature there is 403 and XML, as the
 * storage behind a Hub answers. */
#include "server.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void signature(const struct server *s, const char *path, const char *expires, char out[65]) {
  char message[PATH_ROOM + 64];
  snprintf(message, sizeof message, "%s %s", path, expires);
  if (!dh_hmac(s->cdn_key, sizeof s->cdn_key, message, out)) out[0] = 0;
}

/* An origin as this client can reach it: a server bound to every address is known by the name it was called. */
void dh_origin(const struct request *r, struct text *t, enum origin origin) {
  const char *url = r->server->url[origin], *host = dh_request_header(r, "Host");
  if (origin == ORIGIN_HUB && r->origin == ORIGIN_HUB && host && strlen(host) < 256 && !strpbrk(host, "/?#<>\"'\\ ")) {
    dh_text_addf(t, "http://%s", host);
    return;
  }
  bool wildcard = strncmp(url, "http://0.0.0.0:", 15) == 0 || strncmp(url, "http://[::]:", 12) == 0;
  const char *port = strrchr(url, ':'), *end = host ? strrchr(host, ':') : NULL;
  if (wildcard && end && end - host < 256 && !strpbrk(host, "/?#<>\"'\\ ")) {
    dh_text_addf(t, "http://%.*s%s", (int)(end - host), host, port);
  } else {
    dh_text_str(t, url);
  }
}

void dh_sign(struct request *r, struct text *url, enum origin origin, const char *path, unsigned seconds) {
  char expires[24], signed_hex[65];
  snprintf(expires, sizeof expires, "%lld", (long long)time(NULL) + seconds);
  signature(r->server, path, expires, signed_hex);
  dh_origin(r, url, origin);
  dh_text_addf(url, "%s%cExpires=%s&Signature=%s&Key-Pair-Id=DEVHUB", path, strchr(path, '?') ? '&' : '?', expires,
               signed_hex);
}

void dh_storage_error(struct request *r, int status, const char *code, const char *message) {
  struct text t = {0};
  dh_text_addf(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>\n",
               code, message);
  dh_reply_text(r, status, "application/xml", &t);
}

/* The path that was signed: all of it, and the query before the expiry. */
static bool path_signed(const struct request *r, char *out, size_t room) {
  const char *end = r->query && strncmp(r->query, "Expires=", 8) == 0 ? r->query : NULL;
  if (!end && r->query) end = strstr(r->query, "&Expires=");
  if (!r->query || !end) return false;
  if (end == r->query) return dh_copy(out, room, r->path);
  int n = snprintf(out, room, "%s?%.*s", r->path, (int)(end - r->query), r->query);
  return n > 0 && (size_t)n < room;
}

bool dh_signed(struct request *r) {
  const char *expires = dh_request_parameter(r, "Expires"), *given = dh_request_parameter(r, "Signature");
  char right[65] = "", path[PATH_ROOM];
  uint64_t until;
  if (expires && strlen(expires) < 24 && path_signed(r, path, sizeof path)) signature(r->server, path, expires, right);
  if (!expires || !given || !right[0] || strcmp(given, right) != 0) {
    dh_storage_error(r, 403, "AccessDenied", "Access Denied");
    return false;
  }
  if (!dh_number(expires, INT64_MAX, &until) || (int64_t)until < (int64_t)time(NULL)) {
    dh_storage_error(r, 403, "AccessDenied", "Request has expired");
    return false;
  }
  return true;
}
