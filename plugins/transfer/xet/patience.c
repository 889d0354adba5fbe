/* patience.c - a CAS that does not answer, or not now, while files go up: it is asked again for seconds while little is at stake,
 * for more than a minute when much is there already; Retry-After is honoured; then Git LFS takes over and this run does not ask
 * the CAS again. Time counts from the beginning of the first silence that ended in a failure, until a request succeeds. A
 * silence is long enough for a server that thinks about a xorb, and leaves time to ask once more. */
#include "upload.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CONNECT_MS = 3000, SILENCE_MS = 7000, SILENCE_LONG_MS = 30000, LEAST_MS = 1500 };
enum { TROUBLE_MS = 9000, TROUBLE_LONG_MS = 80000, WISH_MOST_MS = 120000, WISHES_MOST_MS = 300000 };
#define MUCH ((uint64_t)256 << 20)

static uint64_t sent(struct xet_upload *u) {
  return atomic_load(&u->cas.bytes);
}

static uint32_t trouble_ms(struct xet_upload *u) {
  pthread_mutex_lock(&u->lock);
  uint64_t since = u->trouble_ns;
  pthread_mutex_unlock(&u->lock);
  return since ? (uint32_t)((xet_host->now_ns() - since) / 1000000) : 0;
}

/* How long trouble may last. */
static uint32_t trouble_most(const struct xet_upload *u, uint64_t bytes) {
  return u->cas.duration_ms ? u->cas.duration_ms : bytes >= MUCH ? TROUBLE_LONG_MS : TROUBLE_MS;
}

void xet_patience_limits(struct xet_upload *u, struct hf_http_req *req) {
  uint64_t bytes = sent(u);
  uint32_t most = bytes >= MUCH ? SILENCE_LONG_MS : SILENCE_MS;
  uint32_t all = trouble_most(u, bytes), gone = trouble_ms(u);
  uint32_t left = gone + LEAST_MS < all ? all - gone : LEAST_MS;
  req->tries = 1;
  req->connect_ms = CONNECT_MS < left ? CONNECT_MS : left;
  if (!req->timeout_ms) req->timeout_ms = most < left ? most : left;
}

bool xet_transient(hf_status st, const struct hf_http_resp *resp) {
  if (st != HF_OK) return st == HF_ENET || st == HF_ETIMEDOUT || st == HF_EPROTO;
  uint32_t s = resp->status;
  return s == 408 || s == 429 || (s >= 500 && s != 501);
}

void xet_patience_well(struct xet_upload *u) {
  pthread_mutex_lock(&u->lock);
  u->trouble_ns = 0;
  u->wished_ms = 0;
  u->well_ns = xet_host->now_ns();
  pthread_mutex_unlock(&u->lock);
}

void xet_patience_lost(struct xet_upload *u, const struct hf_http_req *req, uint64_t began_ns) {
  uint64_t silence = (uint64_t)req->timeout_ms * 1000000, now = xet_host->now_ns();
  uint64_t since = now - began_ns > silence ? now - silence : began_ns; /* bytes moved before */
  if (since < u->well_ns) since = u->well_ns;                           /* others got through */
  if (!u->trouble_ns || since < u->trouble_ns) u->trouble_ns = since;
}

/* It said when to come again, and that is no trouble yet; false: it has said so for too long. */
static bool may_wish(struct xet_upload *u, uint32_t wish) {
  pthread_mutex_lock(&u->lock);
  bool may = u->wished_ms + wish <= WISHES_MOST_MS;
  if (may) u->wished_ms += wish;
  pthread_mutex_unlock(&u->lock);
  return may;
}

static uint32_t wish_of(const struct hf_http_resp *r) {
  for (uint32_t i = 0; i < r->headers.count; i++) {
    const struct hf_kv *kv = (const void *)((const char *)r->headers.rows + (size_t)i * r->headers.stride);
    if (strcasecmp(kv->key, "retry-after") != 0) continue;
    char *end;
    unsigned long long s = strtoull(kv->value, &end, 10);
    return *end || end == kv->value ? 0 : s > WISH_MOST_MS / 1000 ? WISH_MOST_MS + 1 : (uint32_t)s * 1000;
  }
  return 0;
}

hf_status xet_patience_again(hf_call *c, struct xet_upload *u, hf_status st, const struct hf_http_req *req,
                             const struct hf_http_resp *resp, uint64_t began_ns, uint32_t n) {
  uint32_t wish = st == HF_OK ? wish_of(resp) : 0;
  uint64_t bytes = sent(u);
  TRY(xet_host->check(c));
  pthread_mutex_lock(&u->lock);
  xet_patience_lost(u, req, began_ns);
  pthread_mutex_unlock(&u->lock);
  uint32_t all = trouble_most(u, bytes), gone = trouble_ms(u);
  bool waits = wish && bytes && wish <= WISH_MOST_MS && may_wish(u, wish); /* it answers, and says when */
  bool over = !waits && gone + (wish ? wish : 500) >= all;
  if (over || wish > WISH_MOST_MS) {
    xet_cas_give_up(&u->cas);
    return st != HF_OK ? st : xet_cas_refused(c, "the Xet server", resp);
  }
  if (st != HF_OK) xet_host->clear(c);
  TRY(xet_host->backoff(c, n, wish));
  if (!waits) return HF_OK;
  pthread_mutex_lock(&u->lock);
  u->trouble_ns = 0;
  pthread_mutex_unlock(&u->lock);
  return HF_OK;
}

hf_status xet_insist(hf_call *c, struct xet_upload *u, const char *path, const struct hf_http_req *want,
                     struct hf_http_resp *resp, const char *what) {
  for (uint32_t n = 1;; n++) {
    struct hf_http_req req = *want;
    uint64_t began = xet_host->now_ns();
    xet_patience_limits(u, &req);
    hf_status st = xet_cas_ask(c, &u->cas, path, &req, resp);
    if (!xet_transient(st, resp)) {
      if (st == HF_OK) xet_patience_well(u);
      return st;
    }
    if (st == HF_OK) xet_host->log(c, HF_LOG_INFO, "%s was answered with status %u", what, (unsigned)resp->status);
    TRY(xet_patience_again(c, u, st, &req, resp, began, n));
  }
}
