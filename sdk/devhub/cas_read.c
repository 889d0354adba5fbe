/* cas_read.c - tokens, and what readers of the content-addressed storage ask for: reconstructions of both versions, the bytes
 * behind signed URLs, the chunks that the global index knows.
 * A token names its repo, whether it may write, and when it ends, and carries a signature. A signed URL names the bytes it
 * is good for and wants a Range inside them. */
#include "cas.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { TOKEN_SECONDS = 900, SHARD_XORBS_MAX = 64 };

/* ---- tokens ---- */

void cas_error(struct request *r, int status, const char *message) {
  struct text t = {0};
  dh_text_addf(&t, "request_id: %s; %s\n", r->id, message);
  dh_reply_text(r, status, "text/plain; charset=utf-8", &t);
}

static bool sign_token(const struct server *s, const char *what, char out[65]) {
  char message[200];
  snprintf(message, sizeof message, "cas %s", what);
  return dh_hmac(s->cdn_key, sizeof s->cdn_key, message, out);
}

void dh_cas_token(struct request *r) {
  bool write = strstr(r->path, "/xet-write-token/") != NULL;
  long long expires = (long long)time(NULL) + TOKEN_SECONDS;
  char what[100], mac[65];
  if (write && !dh_request_writes(r, r->repo.name)) return;
  snprintf(what, sizeof what, "%" PRId64 ".%c.%lld", r->repo.id, write ? 'w' : 'r', expires);
  if (!sign_token(r->server, what, mac)) {
    dh_reply_failed(r, STORE_FAILED);
    return;
  }
  struct text url = {0};
  dh_origin(r, &url, ORIGIN_CDN);
  dh_text_str(&url, "/cas");
  char *cas = dh_text_take(&url);
  dh_reply_header(&r->reply, "X-Xet-Cas-Url", "%s", cas ? cas : "");
  dh_reply_header(&r->reply, "X-Xet-Access-Token", "%s.%s", what, mac);
  dh_reply_header(&r->reply, "X-Xet-Token-Expiration", "%lld", expires);
  dh_reply_json(r, 200,
                json_pack("{s:s, s:o, s:I}", "casUrl", cas ? cas : "", "accessToken", json_sprintf("%s.%s", what, mac),
                          "exp", (json_int_t)expires));
  free(cas);
}

bool cas_enter(struct request *r, bool write, int64_t *repo) {
  const char *given = dh_request_header(r, "Authorization"), *dot;
  char what[100], mac[65];
  uint64_t id = 0, expires = 0;
  given = given && strncasecmp(given, "Bearer ", 7) == 0 ? given + 7 : "";
  dot = strrchr(given, '.');
  bool good = dot && dot - given < (ptrdiff_t)sizeof what &&
              snprintf(what, sizeof what, "%.*s", (int)(dot - given), given) > 0 && sign_token(r->server, what, mac) &&
              strcmp(mac, dot + 1) == 0;
  char *kind = good ? strchr(what, '.') : NULL, *end = kind ? strchr(kind + 1, '.') : NULL;
  if (kind) *kind++ = 0;
  if (end) *end++ = 0;
  if (!good || !kind || !end || !dh_number(what, INT64_MAX, &id) || !dh_number(end, INT64_MAX, &expires) ||
      (int64_t)expires <= (int64_t)time(NULL)) {
    cas_error(r, 401, "the token is not valid, or has expired");
    return false;
  }
  if (write && *kind != 'w') {
    cas_error(r, 403, "the token is for reading");
    return false;
  }
  *repo = (int64_t)id;
  return true;
}

bool cas_hash_valid(struct request *r, const char *hash) {
  struct xet_hash h;
  if (strlen(hash) == 64 && xet_hash_read(hash, &h)) return true;
  cas_error(r, 400, "a hash has 64 lower-case hexadecimal digits");
  return false;
}

/* ---- reconstructions ---- */

struct wanted { /* chunks of a xorb, merged where they touch */
  char hash[65];
  uint32_t start, end;
};
struct plan {
  json_t *terms;
  struct wanted *rows;
  size_t count;
  uint64_t skip;
};

static int by_xorb(const void *a, const void *b) {
  const struct wanted *x = a, *y = b;
  int d = strcmp(x->hash, y->hash);
  return d ? d : (x->start > y->start) - (x->start < y->start);
}

static void merge(struct plan *p) {
  size_t n = 0;
  qsort(p->rows, p->count, sizeof *p->rows, by_xorb);
  for (size_t i = 0; i < p->count; i++) {
    struct wanted *last = n ? &p->rows[n - 1] : NULL;
    if (last && strcmp(last->hash, p->rows[i].hash) == 0 && p->rows[i].start <= last->end) {
      if (p->rows[i].end > last->end) last->end = p->rows[i].end;
    } else {
      p->rows[n++] = p->rows[i];
    }
  }
  p->count = n;
}

static void load_term(const struct cas_row *file, uint32_t i, struct xet_shard_term *t) {
  struct xet_shard_file f = {.term_rows = file->data};
  xet_shard_term(&f, i, t);
}

/* The chunks of one term that hold any byte of [first, last], in the term's own bytes. */
static bool plan_term(struct request *r, struct plan *p, const struct xet_shard_term *t, uint64_t first,
                      uint64_t last) {
  struct cas_row xorb;
  char hash[65];
  xet_hash_print(&t->xorb, hash);
  if (cas_get(r->server->store, CAS_XORB, hash, &xorb) != STORE_OK || cas_chunks(&xorb) < t->end) {
    cas_row_free(&xorb);
    return false;
  }
  uint64_t base = t->start ? cas_chunk_at(&xorb, t->start - 1).raw_end : 0;
  uint32_t start = t->start, end = t->end;
  while (start + 1 < end && cas_chunk_at(&xorb, start).raw_end - base <= first) start++;
  while (end - 1 > start && cas_chunk_at(&xorb, end - 2).raw_end - base > last) end--;
  uint64_t from = start ? cas_chunk_at(&xorb, start - 1).raw_end : 0, to = cas_chunk_at(&xorb, end - 1).raw_end;
  if (!json_array_size(p->terms)) p->skip = first - (from - base);
  json_array_append_new(
      p->terms, json_pack("{s:s, s:I, s:{s:I, s:I}}", "hash", hash, "unpacked_length", (json_int_t)(to - from), "range",
                          "start", (json_int_t)start, "end", (json_int_t)end));
  struct wanted *w = &p->rows[p->count++];
  memcpy(w->hash, hash, sizeof hash);
  w->start = start;
  w->end = end;
  cas_row_free(&xorb);
  return true;
}

static json_t *span(uint64_t start, uint64_t end) {
  return json_pack("{s:I, s:I}", "start", (json_int_t)start, "end", (json_int_t)end);
}

static json_t *signed_url(struct request *r, const char *hash, uint64_t first, uint64_t last) {
  char path[200];
  struct text t = {0};
  snprintf(path, sizeof path, "/xorbs/default/%s?X-Xet-Signed-Range=%" PRIu64 "-%" PRIu64, hash, first, last);
  dh_sign(r, &t, ORIGIN_CDN, path, r->server->cdn_seconds);
  char *url = dh_text_take(&t);
  json_t *value = json_string(url ? url : "");
  free(url);
  return value;
}

/* Where the wanted chunks are, in the form of the version. */
static json_t *places(struct request *r, const struct plan *p, bool v1) {
  json_t *all = json_object();
  for (size_t i = 0; i < p->count; i++) {
    const struct wanted *w = &p->rows[i];
    struct cas_row xorb;
    if (cas_get(r->server->store, CAS_XORB, w->hash, &xorb) == STORE_OK) {
      uint64_t first = w->start ? cas_chunk_at(&xorb, w->start - 1).stored_end : 0;
      uint64_t last = cas_chunk_at(&xorb, w->end - 1).stored_end - 1;
      json_t *list = json_object_get(all, w->hash), *url = signed_url(r, w->hash, first, last);
      if (!list) json_object_set_new(all, w->hash, list = json_array());
      if (v1)
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "range", span(w->start, w->end), "url", url,
                                              "url_range", span(first, last)));
      else
        json_array_append_new(list, json_pack("{s:o, s:[{s:o, s:o}]}", "url", url, "ranges", "chunks",
                                              span(w->start, w->end), "bytes", span(first, last)));
    }
    cas_row_free(&xorb);
  }
  return all;
}

/* "bytes=a-b" or "bytes=a-"; false: there is none. */
static bool asked_range(const struct request *r, uint64_t *first, uint64_t *last) {
  const char *text = dh_request_header(r, "Range");
  char copy[64], *dash;
  if (!text || strncmp(text, "bytes=", 6) != 0 || !dh_copy(copy, sizeof copy, text + 6) || !(dash = strchr(copy, '-')))
    return false;
  *dash++ = 0;
  if (!dh_number(copy, INT64_MAX, first)) return false;
  if (*dash && !dh_number(dash, INT64_MAX, last)) return false;
  return *last >= *first;
}

static void reconstruct(struct request *r, const struct cas_row *file) {
  uint32_t count = (uint32_t)(file->size / XET_SHARD_ROW);
  uint64_t first = 0, last = UINT64_MAX, at = 0;
  struct plan p = {.terms = json_array(), .rows = calloc((size_t)count + 1, sizeof *p.rows)};
  bool ok = p.terms && p.rows, v1 = strncmp(r->path, "/cas/v1/", 8) == 0;
  asked_range(r, &first, &last);
  for (uint32_t i = 0; ok && i < count && at <= last; i++) {
    struct xet_shard_term t;
    load_term(file, i, &t);
    if (at + t.raw > first) ok = plan_term(r, &p, &t, first > at ? first - at : 0, last - at);
    at += t.raw;
  }
  if (!ok) {
    cas_error(r, 500, "a xorb is missing");
  } else if (!json_array_size(p.terms)) {
    cas_error(r, 416, "(12) invalid range");
  } else {
    merge(&p);
    dh_reply_json(r, 200,
                  json_pack("{s:I, s:O, s:o}", "offset_into_first_range", (json_int_t)p.skip, "terms", p.terms,
                            v1 ? "fetch_info" : "xorbs", places(r, &p, v1)));
  }
  json_decref(p.terms);
  free(p.rows);
}

static bool find_file(struct request *r, struct cas_row *file) {
  int64_t repo;
  *file = (struct cas_row){.data = NULL};
  if (!cas_enter(r, false, &repo) || !cas_hash_valid(r, r->name)) return false;
  if (cas_get(r->server->store, CAS_FILE, r->name, file) == STORE_OK) return true;
  cas_error(r, 404, "(1) not found");
  return false;
}

void dh_cas_reconstruction(struct request *r) {
  struct cas_row file;
  if (find_file(r, &file)) reconstruct(r, &file);
  cas_row_free(&file);
}

void dh_cas_size(struct request *r) {
  struct cas_row file;
  struct blob b;
  if (find_file(r, &file)) {
    if (dh_blob_find(r->server->store, file.other, &b) == STORE_OK)
      dh_reply_blob(r, &b, r->name);
    else
      dh_reply_failed(r, STORE_FAILED);
  }
  cas_row_free(&file);
}

/* ---- bytes ---- */

void dh_cas_fetch(struct request *r) {
  struct cas_row xorb = {.data = NULL};
  struct blob b;
  const char *allowed = dh_request_parameter(r, "X-Xet-Signed-Range");
  uint64_t first = 0, last = 0, low = 0, high = 0;
  char copy[64], *dash;
  if (!dh_signed(r)) return;
  bool signed_range = allowed && dh_copy(copy, sizeof copy, allowed) && (dash = strchr(copy, '-'));
  if (signed_range) {
    *dash++ = 0;
    signed_range = dh_number(copy, INT64_MAX, &low) && dh_number(dash, INT64_MAX, &high);
  }
  if (!signed_range || !asked_range(r, &first, &last) || first < low || last > high) {
    dh_storage_error(r, 403, "AccessDenied", "The range is not the one that was signed.");
  } else if (cas_get(r->server->store, CAS_XORB, r->name, &xorb) != STORE_OK ||
             dh_blob_find(r->server->store, xorb.other, &b) != STORE_OK) {
    dh_storage_error(r, 404, "NoSuchKey", "The specified key does not exist.");
  } else {
    dh_reply_header(&r->reply, "Content-Type", "application/octet-stream");
    dh_reply_blob(r, &b, r->name);
  }
  cas_row_free(&xorb);
}

/* ---- the global index ---- */

static bool seen_before(struct xet_hash *seen, size_t n, const struct xet_hash *h) {
  for (size_t i = 0; i < n; i++)
    if (memcmp(&seen[i], h, sizeof *h) == 0) return true;
  return false;
}

static void add_xorb(struct xet_bytes *out, const struct xet_hash *hash, const struct cas_row *xorb,
                     const struct xet_hash *key) {
  uint32_t n = cas_chunks(xorb), at = 0;
  xet_put_xorb(out, hash, n, cas_chunk_at(xorb, n - 1).raw_end, cas_chunk_at(xorb, n - 1).stored_end);
  for (uint32_t i = 0; i < n; i++) {
    struct cas_chunk k = cas_chunk_at(xorb, i);
    struct xet_shard_chunk c = {.at = at, .raw = k.raw_end - at};
    xet_shard_hide(key, &k.hash, &c.hash);
    xet_put_chunk(out, &c);
    at = k.raw_end;
  }
}

/* A shard with the xorbs of a file that has the chunk; chunk hashes are hidden behind a key made for this answer. */
void dh_cas_chunk(struct request *r) {
  struct cas_row chunk = {.data = NULL}, file = {.data = NULL};
  struct xet_hash key, seen[SHARD_XORBS_MAX];
  struct xet_bytes out = {0};
  size_t known = 0;
  int64_t repo;
  if (!cas_enter(r, false, &repo) || !cas_hash_valid(r, r->name)) return;
  if (cas_get(r->server->store, CAS_CHUNK, r->name, &chunk) != STORE_OK ||
      cas_get(r->server->store, CAS_FILE, chunk.other, &file) != STORE_OK || !dh_random(&key, sizeof key)) {
    cas_error(r, 404, "(1) not found");
  } else {
    uint64_t now = (uint64_t)time(NULL);
    xet_put_head(&out, 1);
    xet_put_bookend(&out);
    size_t xorbs = out.len;
    for (uint32_t i = 0; i < file.size / XET_SHARD_ROW && known < SHARD_XORBS_MAX; i++) {
      struct xet_shard_term t;
      struct cas_row xorb;
      char hash[65];
      load_term(&file, i, &t);
      if (seen_before(seen, known, &t.xorb)) continue;
      seen[known++] = t.xorb;
      xet_hash_print(&t.xorb, hash);
      if (cas_get(r->server->store, CAS_XORB, hash, &xorb) == STORE_OK) add_xorb(&out, &t.xorb, &xorb, &key);
      cas_row_free(&xorb);
    }
    xet_put_bookend(&out);
    xet_put_footer(&out, xorbs, &key, now, now + 3 * 7 * 86400);
    struct text t = {.failed = out.failed};
    dh_text_add(&t, out.data, out.len);
    dh_reply_text(r, 200, "application/octet-stream", &t);
  }
  xet_bytes_free(&out);
  cas_row_free(&chunk);
  cas_row_free(&file);
}
