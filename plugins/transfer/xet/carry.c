/* carry.c - one xorb to the CAS: a grant, the bytes to where the grant says, the commit; or directly where grants are not
 * offered or do not work.
 * A grant that was refused is replaced, three times at most. Which answers mean what: the facts about the real client, section 1.
 * The whole of it is one transfer. */
#include "format/crc64.h"
#include "format/json.h"
#include "upload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PUTS_MOST = 5, HEADERS_MOST = 16, URL_MOST = 8192 };

struct grant {
  char id[256], method[16], url[URL_MOST];
  struct hf_kv headers[HEADERS_MOST + 1];
  uint32_t header_count;
  char text[4096];
  size_t text_len;
};

static const char *keep_text(struct grant *g, const char *s) {
  size_t n = strlen(s) + 1;
  if (n > sizeof g->text - g->text_len) return NULL;
  char *at = g->text + g->text_len;
  memcpy(at, s, n);
  g->text_len += n;
  return at;
}

static bool header_plain(const char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 32 || *s == 127) return false;
  return true;
}

static bool read_grant(const char *json, size_t len, struct grant *g) {
  struct xet_json j = {.p = json, .end = json + len};
  char name[128], value[2048];
  int have = 0;
  *g = (struct grant){.header_count = 0};
  for (xet_json_open(&j, '{'); xet_json_key(&j, name, sizeof name);) {
    if (!strcmp(name, "id")) {
      have |= xet_json_string(&j, g->id, sizeof g->id);
    } else if (!strcmp(name, "method")) {
      have |= xet_json_string(&j, g->method, sizeof g->method) << 1;
    } else if (!strcmp(name, "url")) {
      have |= xet_json_string(&j, g->url, sizeof g->url) << 2;
    } else if (!strcmp(name, "headers")) {
      for (xet_json_open(&j, '{'); xet_json_key(&j, name, sizeof name);) {
        if (!xet_json_string(&j, value, sizeof value) || g->header_count == HEADERS_MOST) return false;
        struct hf_kv kv = {keep_text(g, name), keep_text(g, value)};
        if (!kv.key || !kv.value || !header_plain(name) || !header_plain(value)) return false;
        g->headers[g->header_count++] = kv;
      }
    } else {
      xet_json_skip(&j);
    }
  }
  return have == 7 && !j.bad && (!strcmp(g->method, "PUT") || !strcmp(g->method, "POST"));
}

enum put_end { PUT_DONE, PUT_NEW_GRANT, PUT_DIRECT };

/* The answer's words do not matter; that they are taken as they come makes the limit one of silence, not of the whole. */
static hf_status drop(hf_call *c, void *arg, const void *data, size_t len) {
  (void)c, (void)arg, (void)data, (void)len;
  return HF_OK;
}

static hf_status put_bytes(hf_call *c, struct xet_upload *u, const struct xorb *x, const struct grant *g,
                           enum put_end *end) {
  struct hf_kv rows[HEADERS_MOST + 1];
  memcpy(rows, g->headers, sizeof rows);
  rows[g->header_count] = (struct hf_kv){"X-Xet-Session-Id", u->cas.session_id};
  for (uint32_t n = 1;; n++) {
    struct hf_http_resp resp = {.struct_size = sizeof resp};
    struct hf_http_req req = {.struct_size = sizeof req,
                              .flags = HF_HTTP_NO_AUTH | HF_HTTP_ANY_STATUS,
                              .method = g->method,
                              .url = g->url,
                              .headers = HF_TABLE_N(rows, g->header_count + 1),
                              .body = x->body.data,
                              .body_len = x->stored,
                              .on_data = drop,
                              .max_body = 65536};
    uint64_t began = xet_host->now_ns();
    xet_patience_limits(u, &req);
    hf_status st = xet_host->http(c, &req, &resp);
    uint32_t s = resp.status;
    if (st == HF_OK && s == 409 && n < PUTS_MOST) {
      TRY(xet_host->backoff(c, n, 0));
      continue;
    }
    if (xet_transient(st, &resp)) {
      TRY(xet_patience_again(c, u, st, &req, &resp, began, n));
      continue;
    }
    if (st != HF_OK) return st;
    xet_patience_well(u);
    *end = (s >= 200 && s < 300) || s == 412 ? PUT_DONE : s == 400 || s == 403 || s == 409 ? PUT_NEW_GRANT : PUT_DIRECT;
    return HF_OK;
  }
}

/* *done: the xorb is there. HF_OK and not done: directly, then. */
static hf_status by_grant(hf_call *c, struct xet_upload *u, const struct xorb *x, const char *hash, bool *done) {
  char path[512], body[200];
  struct grant *g = malloc(sizeof *g);
  hf_status st = g ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory for an upload grant");
  *done = false;
  int n = snprintf(body, sizeof body,
                   "{\"length\":%" PRIu32 ",\"checksum\":{\"algo\":\"crc64nvme\",\"value\":\"%" PRIu64 "\"}}",
                   x->stored, xet_crc64(0, x->body.data, x->stored));
  for (uint32_t grants = 0; st == HF_OK && !*done && grants < u->grants_most; grants++) {
    struct hf_http_resp resp = {.struct_size = sizeof resp};
    struct hf_kv type[] = {{"Content-Type", "application/json"}};
    struct hf_http_req ask = {.struct_size = sizeof ask,
                              .method = "POST",
                              .headers = HF_TABLE(type),
                              .body = body,
                              .body_len = (size_t)n,
                              .max_body = 65536};
    snprintf(path, sizeof path, "/v1/xorb-grants/default/%s", hash);
    st = xet_insist(c, u, path, &ask, &resp, "the request for an upload grant");
    if (st != HF_OK || resp.status == 404) break;
    if (resp.status == 200) *done = true;
    if (*done) break;
    if (resp.status != 201) {
      st = xet_cas_refused(c, "the request for an upload grant", &resp);
      break;
    }
    enum put_end end = PUT_DIRECT;
    if (read_grant(resp.body, resp.body_len, g)) st = put_bytes(c, u, x, g, &end);
    if (st != HF_OK || end == PUT_DIRECT) break;
    if (end == PUT_NEW_GRANT) continue;
    static const char digits[] = "0123456789abcdef";
    int at = snprintf(path, sizeof path, "/v1/xorb-commits/default/%s/grant/", hash);
    for (const char *p = g->id; *p && at + 4 < (int)sizeof path; p++) {
      bool plain =
          (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || strchr("-._~", *p);
      if (!plain) path[at++] = '%', path[at++] = digits[(uint8_t)*p >> 4];
      path[at++] = plain ? *p : digits[(uint8_t)*p & 15];
    }
    path[at] = 0;
    struct hf_http_req commit = {.struct_size = sizeof commit, .method = "POST", .max_body = 65536};
    st = xet_insist(c, u, path, &commit, &resp, "the commit of a xorb");
    if (st != HF_OK) break;
    *done = resp.status >= 200 && resp.status < 300;
    if (!*done && resp.status != 404) st = xet_cas_refused(c, "the commit of a xorb", &resp);
  }
  free(g);
  return st;
}

static hf_status directly(hf_call *c, struct xet_upload *u, const struct xorb *x, const char *hash) {
  char path[128];
  struct hf_http_resp resp = {.struct_size = sizeof resp};
  struct hf_http_req req = {.struct_size = sizeof req,
                            .method = "POST",
                            .body = x->body.data,
                            .body_len = x->stored,
                            .on_data = drop,
                            .max_body = 65536};
  snprintf(path, sizeof path, "/v1/xorbs/default/%s", hash);
  TRY(xet_insist(c, u, path, &req, &resp, "the upload of a xorb"));
  return resp.status == 200 || resp.status == 201 ? HF_OK : xet_cas_refused(c, "the upload of a xorb", &resp);
}

/* All slots are packed: they move together, and the xorb gets its name, by which terms of other origin find it too. */
static void close_up(struct xorb *x) {
  struct xet_merkle tree;
  uint8_t *body = x->body.data;
  xet_merkle_init(&tree);
  x->stored = 0;
  for (uint32_t i = 0; i < x->count; i++) {
    struct xorb_slot *s = &x->slots[i];
    if (s->at != x->stored) memmove(body + x->stored, body + s->at, s->stored);
    s->at = x->stored;
    x->stored += s->stored;
    xet_merkle_add(&tree, &s->hash, s->raw);
  }
  xet_merkle_end(&tree, &x->hash);
}

/* Under lock. */
static struct xorb *ready(struct xet_upload *u) {
  while (u->untaken && u->untaken->state >= XORB_GOING) u->untaken = u->untaken->next;
  for (struct xorb *x = u->untaken; x; x = x->next)
    if (x->state == XORB_FULL && !x->unpacked) return x;
  return NULL;
}

static struct xorb *take(struct xet_upload *u) {
  pthread_mutex_lock(&u->lock);
  struct xorb *found = ready(u);
  if (found) found->state = XORB_GOING;
  pthread_mutex_unlock(&u->lock);
  return found;
}

hf_status xet_carry_one(hf_call *c, struct xet_upload *u, bool *any) {
  struct xorb *x = take(u);
  char hash[65];
  bool done = false;
  *any = x != NULL;
  if (!x) return HF_OK;
  close_up(x);
  xet_hash_print(&x->hash, hash);
  hf_status st = xet_cas_enter(c, &u->cas);
  if (st == HF_OK) {
    if (!u->direct) st = by_grant(c, u, x, hash, &done);
    if (st == HF_OK && !done) st = directly(c, u, x, hash);
    xet_cas_leave(&u->cas, st == HF_OK ? x->stored : 0);
    if (st == HF_OK) atomic_fetch_add(&u->cas.bytes, x->stored);
  }
  if (st == HF_OK) xet_recall_keep(c, u->recall, &x->hash, NULL, x->slots, x->count, UINT64_MAX);
  struct hf_buf body = x->body;
  pthread_mutex_lock(&u->lock);
  struct xorb_slot *fit = realloc(x->slots, x->count * sizeof *fit); /* nothing is added to it any more */
  if (fit) x->slots = fit;
  if (st == HF_OK) u->unsaid += XET_SHARD_ROW * (1 + (uint64_t)x->count);
  x->state = st == HF_OK ? XORB_THERE : XORB_FAILED;
  x->body = (struct hf_buf){0};
  u->waiting--;
  pthread_cond_broadcast(&u->changed);
  pthread_mutex_unlock(&u->lock);
  xet_xorb_body_free(u, &body);
  return st == HF_OK ? xet_commit_some(c, u) : st;
}

/* Under lock; *at_work: this one is one of so many. What it sees when it ends nobody has to see any more. */
static bool goes_on(struct xet_upload *u, const uint32_t *left, bool *at_work) {
  if (!*at_work && u->carriers < u->bodies) {
    *at_work = true;
    u->carriers++;
  }
  if (*left || (*at_work && ready(u))) return true;
  u->carriers -= *at_work;
  *at_work = false;
  pthread_cond_broadcast(&u->full);
  return false;
}

hf_status xet_carry_all(hf_call *c, struct xet_upload *u, const uint32_t *left) {
  hf_status st = HF_OK;
  bool at_work = false, any = false;
  pthread_mutex_lock(&u->lock);
  while (st == HF_OK && goes_on(u, left, &at_work)) {
    if (!at_work || !ready(u)) xet_cond_wait(&u->full, &u->lock);
    pthread_mutex_unlock(&u->lock);
    st = xet_host->check(c);
    if (st == HF_OK && at_work) st = xet_carry_one(c, u, &any);
    pthread_mutex_lock(&u->lock);
  }
  u->carriers -= at_work;
  pthread_mutex_unlock(&u->lock);
  return st;
}
