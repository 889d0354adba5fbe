/* resolve.c - where a file is and what its bytes must be: the HEAD of its resolve address.
 * Redirects are followed while they stay on the Hub (same origin, or one of its own); any other target is where the bytes
 * are, and the answer that names it says commit, etag and size.
 * An answer without commit or etag is not from a Hub. */
#include "hub.h"

#include <stdlib.h>
#include <string.h>

#define HF_HEAD_REDIRECTS   20
#define HF_HEAD_PATIENCE_MS 60000

void hf_hub_digest(const char *etag, struct hf_digest *d) {
  *d = (struct hf_digest){.algo = HF_DIGEST_NONE};
  uint32_t len = hf_hub_is_hex(etag, 64) ? 32 : hf_hub_is_hex(etag, 40) ? 20 : 0;
  if (!len) return;
  d->algo = len == 32 ? HF_DIGEST_SHA256 : HF_DIGEST_GIT_BLOB;
  d->len = len;
  for (uint32_t i = 0; i < len; i++) {
    int v = 0;
    for (int k = 0; k < 2; k++)
      v = v * 16 +
          (etag[2 * i + (uint32_t)k] <= '9' ? etag[2 * i + (uint32_t)k] - '0' : etag[2 * i + (uint32_t)k] - 'a' + 10);
    d->bytes[i] = (uint8_t)v;
  }
}

/* W/"..." and quotes off, as the reference takes them off. */
static const char *plain_etag(hf_call *c, const char *etag) {
  if (!etag) return NULL;
  etag += strspn(etag, "W/");
  size_t n = strlen(etag);
  while (n && *etag == '"') etag++, n--;
  while (n && etag[n - 1] == '"') n--;
  return hf_host()->intern(c, etag, n);
}

static uint64_t number(const char *s) {
  if (!s || *s < '0' || *s > '9') return HF_SIZE_UNKNOWN;
  char *end;
  unsigned long long v = strtoull(s, &end, 10);
  return *end || v >= HF_SIZE_UNKNOWN ? HF_SIZE_UNKNOWN : v;
}

static bool is_redirect(uint32_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Fails with what an answer of status >= 400 means. */
static hf_status refused(struct hf_hub *hub, const char *url, const struct hf_http_resp *resp) {
  struct hf_http_req req = {.struct_size = sizeof req, .method = "HEAD", .url = url};
  struct hf_error e = {.struct_size = sizeof e,
                       .code = HF_EHTTP,
                       .http_status = resp->status,
                       .message = "The Hub refused the request."};
  hf_hub_http_error(hub->call, &req, resp, &e);
  return hf_host()->fail(hub->call, &e);
}

/* Follows until the answer that describes the file. */
static hf_status ask(struct hf_hub *hub, const char **url, bool patient, struct hf_http_resp *resp,
                     const char **target) {
  int64_t seconds = hf_hub_number(hub->call, "HF_HUB_ETAG_TIMEOUT", 10);
  if (seconds <= 0 || seconds > 86400) seconds = 10;
  for (int hop = 0; hop < HF_HEAD_REDIRECTS; hop++) {
    TRY(hf_hub_send(hub,
                    &(struct hf_hub_req){.method = "HEAD",
                                         .url = *url,
                                         .tries = patient ? 6 : 1,
                                         .identity = true,
                                         .stay = true,
                                         .flags = HF_HTTP_ANY_STATUS,
                                         .timeout_ms = patient ? HF_HEAD_PATIENCE_MS : (uint32_t)seconds * 1000},
                    resp));
    if (resp->status >= 400) return refused(hub, *url, resp);
    const char *location = is_redirect(resp->status) ? hf_hub_header(resp, "location") : NULL;
    *target = NULL;
    if (!location) return HF_OK;
    *target = hf_url_follow(hub->call, *url, location);
    if (!*target) return hf_host()->error(hub->call) ? hf_host()->error(hub->call)->code : HF_EPROTO;
    if (!hf_url_same_origin(*url, *target) && !hf_hub_is_hub(hub, *target)) return HF_OK;
    *url = *target;
  }
  return hf_hub_fail(hub->call, HF_EPROTO, NULL, "Exceeded %d redirects while resolving '%s'.", HF_HEAD_REDIRECTS,
                     *url);
}

/* Stored by Xet: the resolve address serves it over HTTP, the address in the answer need not. */
static bool by_xet(const struct hf_http_resp *resp) {
  const char *link = hf_hub_header(resp, "link");
  return hf_hub_header(resp, "x-xet-hash") &&
         (hf_hub_header(resp, "x-xet-refresh-route") || (link && strstr(link, "xet-auth")));
}

hf_status hf_hub_head(struct hf_hub *hub, const struct hf_repo *repo, const char *revision, const char *path,
                      bool patient, struct hf_hub_meta *m, const char **absent) {
  hf_call *c = hub->call;
  const char *first = hf_hub_resolve_url(hub, repo, revision, path), *url = first, *target = NULL;
  struct hf_http_resp resp;
  *absent = NULL;
  *m = (struct hf_hub_meta){.size = HF_SIZE_UNKNOWN};
  if (!url) return HF_ENOMEM;
  hf_status st = ask(hub, &url, patient, &resp, &target);
  if (st != HF_OK) {
    const struct hf_error *e = hf_host()->error(c);
    const char *commit = hf_hub_error_is(e, "RemoteEntryNotFoundError") ? hf_hub_header(&resp, "x-repo-commit") : NULL;
    if (hf_hub_is_commit(commit)) *absent = commit;
    return st;
  }
  const char *etag = hf_hub_header(&resp, "x-linked-etag"), *size = hf_hub_header(&resp, "x-linked-size");
  m->commit = hf_hub_header(&resp, "x-repo-commit");
  m->etag = plain_etag(c, etag ? etag : hf_hub_header(&resp, "etag"));
  m->size = number(size ? size : target ? NULL : hf_hub_header(&resp, "content-length"));
  const char *hash = hf_hub_header(&resp, "x-xet-hash");
  m->xet_hash = by_xet(&resp) && hf_hub_is_hex(hash, 64) ? hash : NULL;
  m->url = by_xet(&resp) ? first : target ? target : url;
  if (!m->commit)
    return hf_hub_fail(c, HF_EPROTO, "FileMetadataError",
                       "Response from %s is missing the 'X-Repo-Commit' header, so it does not seem to be served by a "
                       "Hugging Face Hub "
                       "endpoint. If HF_ENDPOINT is set, check that it points to a Hub-compatible endpoint. Otherwise, "
                       "check your firewall "
                       "and proxy settings and make sure your SSL certificates are updated.",
                       first);
  if (!hf_hub_is_commit(m->commit))
    return hf_hub_fail(c, HF_EPROTO, "FileMetadataError",
                       "Response from %s names a commit that is none; check HF_ENDPOINT.", first);
  if (!m->etag || !*m->etag)
    return hf_hub_fail(c, HF_EPROTO, "FileMetadataError",
                       "Distant resource does not have an ETag, we won't be able to reliably ensure reproducibility.");
  return HF_OK;
}
