/* cas_write.c - what writers of the content-addressed storage send: xorbs (granted, or directly) and shards.
 * A xorb is unpacked and hashed before it is kept. A shard's xorbs must be here and hold the chunks it says; its files must be
 * made of chunks that are here, prove that their sender knows them (range hashes), and have the hash and SHA-256 they claim: the content is
 * put together and kept, so that it is also there for those who do not speak Xet. */
#include "body.h"
#include "cas.h"
#include "crc64.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- xorbs ---- */

struct table {
  struct cas_chunk *rows;
  uint32_t count;
};

static int add_chunk(void *arg, const struct xet_xorb_chunk *k) {
  struct table *t = arg;
  if (k->index >= XET_XORB_CHUNKS_MAX) return 1;
  t->rows[t->count++] = (struct cas_chunk){.hash = k->hash,
                                           .stored_end = (uint32_t)(k->at + XET_RECORD_HEAD + k->record.stored),
                                           .raw_end = (uint32_t)(k->raw_at + k->record.raw)};
  return 0;
}

static int keep_bytes(struct store *s, const void *data, size_t size, struct blob *b) {
  struct blob_put *put = dh_blob_begin_xorb(s, size);
  if (!put) return STORE_FAILED;
  dh_blob_data(put, data, size);
  return dh_blob_end(put, b);
}

/* NULL: it is kept. grant: its id, where `held` are the bytes that were put there, all of them the xorb's. */
static const char *keep_xorb(struct request *r, const char *hash, const uint8_t *data, size_t size, const char *grant,
                             const struct blob *held) {
  struct store *store = r->server->store;
  struct xet_xorb x;
  struct table t = {.rows = malloc(XET_XORB_CHUNKS_MAX * sizeof *t.rows)};
  char text[65];
  struct blob b;
  const char *why = t.rows ? xet_xorb_read(data, size, &x, add_chunk, &t) : "no memory";
  if (!why) {
    xet_hash_print(&x.hash, text);
    if (strcmp(text, hash) != 0) why = "its chunks have another hash";
  }
  if (!why && x.footer && grant) why = "a granted xorb has no footer";
  if (!why && held) b = *held;
  if (!why && !held && keep_bytes(store, data, x.body, &b) != STORE_OK) why = "it could not be stored";
  if (!why) {
    const struct cas_change changes[] = {{CAS_XORB, hash, b.sha256, t.rows, t.count * sizeof *t.rows},
                                         {CAS_GRANT, grant, NULL, NULL, 0},
                                         {CAS_HELD, grant, NULL, NULL, 0}};
    if (cas_change(store, changes, grant ? 3 : 1) != STORE_OK) why = "it could not be stored";
  }
  free(t.rows);
  return why;
}

static bool has_xorb(struct request *r, const char *hash) {
  struct cas_row row;
  bool found = cas_get(r->server->store, CAS_XORB, hash, &row) == STORE_OK;
  cas_row_free(&row);
  return found;
}

void dh_cas_xorb(struct request *r) {
  int64_t repo;
  if (!cas_enter(r, r->method == METHOD_POST, &repo) || !cas_hash_valid(r, r->name)) return;
  bool there = has_xorb(r, r->name);
  if (r->method != METHOD_POST) {
    if (there)
      r->reply.status = 200;
    else
      cas_error(r, 404, "(1) not found");
    return;
  }
  const char *why = there ? NULL : keep_xorb(r, r->name, (const uint8_t *)r->body.data, r->body.size, NULL, NULL);
  if (why)
    cas_error(r, 400, why);
  else
    dh_reply_json(r, 200, json_pack("{s:b}", "was_inserted", !there));
}

void dh_cas_grant(struct request *r) {
  int64_t repo;
  struct cas_grant g = {0};
  uint8_t random[16];
  char id[33], path[100];
  if (!cas_enter(r, true, &repo) || !cas_hash_valid(r, r->name)) return;
  json_t *body = dh_body_object(r);
  if (!body) return;
  const json_t *sum = json_object_get(body, "checksum"), *length = json_object_get(body, "length");
  bool good = json_is_integer(length) && json_integer_value(length) > 0 &&
              json_integer_value(length) <= XET_XORB_BODY_MAX &&
              strcmp(dh_json_text(sum, "algo", ""), "crc64nvme") == 0 &&
              dh_number(dh_json_text(sum, "value", ""), UINT64_MAX, &g.checksum);
  g.length = (uint64_t)json_integer_value(length);
  json_decref(body);
  if (!good) {
    cas_error(r, 400, "a grant needs a length and a crc64nvme checksum");
  } else if (has_xorb(r, r->name)) {
    dh_reply_json(r, 200, json_object());
  } else if (!dh_random(random, sizeof random)) {
    dh_reply_failed(r, STORE_FAILED);
  } else {
    dh_hex(id, random, sizeof random);
    struct text t = {0};
    snprintf(path, sizeof path, "/xorb-uploads/%s", id);
    dh_sign(r, &t, ORIGIN_CDN, path, r->server->upload_seconds);
    char *url = dh_text_take(&t);
    if (cas_note(r->server->store, CAS_GRANT, id, r->name, &g, sizeof g) == STORE_OK)
      dh_reply_json(r, 201,
                    json_pack("{s:s, s:s, s:s, s:{s:s}}", "id", id, "method", "PUT", "url", url ? url : "", "headers",
                              "if-none-match", "*"));
    else
      dh_reply_failed(r, STORE_FAILED);
    free(url);
  }
}

static bool find_grant(struct request *r, const char *id, struct cas_row *row, struct cas_grant *g) {
  if (cas_get(r->server->store, CAS_GRANT, id, row) != STORE_OK || row->size != sizeof *g) return false;
  memcpy(g, row->data, sizeof *g);
  return true;
}

void dh_cas_held(struct request *r) {
  struct cas_row row = {.data = NULL}, held = {.data = NULL};
  struct cas_grant g;
  struct blob b;
  if (!dh_signed(r)) return;
  if (!find_grant(r, r->name, &row, &g)) {
    dh_storage_error(r, 404, "NoSuchUpload", "The specified upload does not exist.");
  } else if (dh_request_header(r, "Authorization")) {
    dh_storage_error(r, 400, "InvalidArgument", "Only one way of authorization is allowed.");
  } else if (cas_get(r->server->store, CAS_HELD, r->name, &held) == STORE_OK) {
    dh_storage_error(r, 412, "PreconditionFailed", "There is an object already.");
  } else if (r->body.size != g.length || xet_crc64(0, r->body.data, r->body.size) != g.checksum) {
    dh_storage_error(r, 400, "BadDigest", "The checksum does not match.");
  } else {
    if (keep_bytes(r->server->store, r->body.data, r->body.size, &b) == STORE_OK &&
        cas_note(r->server->store, CAS_HELD, r->name, b.sha256, NULL, 0) == STORE_OK)
      r->reply.status = 200;
    else
      dh_reply_failed(r, STORE_FAILED);
  }
  cas_row_free(&row);
  cas_row_free(&held);
}

void dh_cas_commit(struct request *r) {
  struct cas_row row = {.data = NULL}, held = {.data = NULL};
  struct cas_grant g;
  struct blob b;
  int64_t repo;
  char *data = NULL;
  const char *why;
  if (!cas_enter(r, true, &repo) || !cas_hash_valid(r, r->name)) return;
  if (!find_grant(r, r->file, &row, &g) || strcmp(row.other, r->name) != 0 ||
      cas_get(r->server->store, CAS_HELD, r->file, &held) != STORE_OK ||
      dh_blob_find(r->server->store, held.other, &b) != STORE_OK ||
      dh_blob_text(r->server->store, &b, XET_XORB_BODY_MAX, &data) != STORE_OK)
    cas_error(r, 404, "nothing is stored under this grant");
  else if ((why = keep_xorb(r, r->name, (const uint8_t *)data, (size_t)b.size, r->file, &b)))
    cas_error(r, 400, why);
  else
    dh_reply_json(r, 200, json_object());
  free(data);
  cas_row_free(&row);
  cas_row_free(&held);
}

/* ---- shards ---- */

static const char *check_xorb(struct request *r, const struct xet_shard_xorb *x) {
  struct cas_row row;
  char hash[65];
  const char *why = NULL;
  xet_hash_print(&x->hash, hash);
  if (cas_get(r->server->store, CAS_XORB, hash, &row) != STORE_OK) {
    why = "a xorb of the shard was not uploaded";
  } else if (cas_chunks(&row) != x->chunks) {
    why = "a xorb has another number of chunks";
  } else {
    for (uint32_t i = 0; i < x->chunks && !why; i++) {
      struct xet_shard_chunk c;
      struct cas_chunk k = cas_chunk_at(&row, i);
      xet_shard_chunk(x, i, &c);
      if (memcmp(&c.hash, &k.hash, sizeof c.hash) != 0 || c.at + c.raw != k.raw_end) why = "a xorb has other chunks";
    }
  }
  cas_row_free(&row);
  return why;
}

struct building { /* a file that is put together */
  struct request *r;
  struct xet_merkle tree;
  struct blob_put *put;
  uint64_t size;
  char xorb[65]; /* the one whose bytes are at hand */
  char *bytes;
  uint8_t *chunk;
};

static const char *load_xorb(struct building *b, const char *hash, const struct cas_row *row) {
  struct blob blob;
  if (b->bytes && strcmp(b->xorb, hash) == 0) return NULL;
  free(b->bytes);
  b->bytes = NULL;
  memcpy(b->xorb, hash, sizeof b->xorb);
  if (dh_blob_find(b->r->server->store, row->other, &blob) != STORE_OK ||
      dh_blob_text(b->r->server->store, &blob, XET_XORB_BODY_MAX, &b->bytes) != STORE_OK)
    return "a xorb cannot be read";
  return NULL;
}

/* Checks a term; with `put`, adds its content. */
static const char *add_term(struct building *b, const struct xet_shard_file *f, uint32_t i) {
  struct xet_shard_term t;
  struct xet_hash claimed, is, *hashes = NULL;
  struct cas_row row;
  char hash[65];
  const char *why = NULL;
  xet_shard_term(f, i, &t);
  xet_shard_verify(f, i, &claimed);
  xet_hash_print(&t.xorb, hash);
  if (cas_get(b->r->server->store, CAS_XORB, hash, &row) != STORE_OK || cas_chunks(&row) < t.end) {
    cas_row_free(&row);
    return "a term names chunks that are not here";
  }
  uint32_t base = t.start ? cas_chunk_at(&row, t.start - 1).raw_end : 0;
  if (cas_chunk_at(&row, t.end - 1).raw_end - base != t.raw) why = "a term has another length";
  if (!why && !(hashes = malloc((t.end - t.start) * sizeof *hashes))) why = "no memory";
  for (uint32_t k = t.start; k < t.end && !why; k++) hashes[k - t.start] = cas_chunk_at(&row, k).hash;
  if (!why) {
    xet_blake3(&xet_key_verify, hashes, (t.end - t.start) * sizeof *hashes, &is);
    if (memcmp(&is, &claimed, sizeof is) != 0) why = "a term has another range hash";
  }
  if (!why && b->put) why = load_xorb(b, hash, &row);
  for (uint32_t k = t.start; k < t.end && !why; k++) {
    uint32_t before = k ? cas_chunk_at(&row, k - 1).raw_end : 0, raw = cas_chunk_at(&row, k).raw_end - before;
    if (!b->put) {
      xet_merkle_add(&b->tree, &hashes[k - t.start], raw);
      b->size += raw;
      continue;
    }
    const uint8_t *record = (const uint8_t *)b->bytes + (k ? cas_chunk_at(&row, k - 1).stored_end : 0);
    struct xet_record head;
    why = xet_record_read(record, &head);
    if (!why) why = xet_unpack(&head, record + XET_RECORD_HEAD, b->chunk, b->chunk + XET_CHUNK_MAX);
    if (!why && !dh_blob_data(b->put, b->chunk, raw)) why = "the content cannot be stored";
  }
  free(hashes);
  cas_row_free(&row);
  return why;
}

/* What a file tells the Hub: what it is made of, and to the global index its first chunk and those whose hash says so. */
static int record_file(struct request *r, const struct xet_shard_file *f, const char *hash, const char *sha256) {
  enum { MOST = 256 };
  struct cas_change changes[MOST];
  char chunks[MOST][65];
  size_t n = 2;
  int rc = STORE_OK;
  changes[0] = (struct cas_change){CAS_FILE, hash, sha256, f->term_rows, f->terms * (size_t)XET_SHARD_ROW};
  changes[1] = (struct cas_change){CAS_SHA, sha256, hash, NULL, 0};
  for (uint32_t i = 0; i < f->terms && rc == STORE_OK; i++) {
    struct xet_shard_term t;
    struct cas_row row;
    char xorb[65];
    xet_shard_term(f, i, &t);
    xet_hash_print(&t.xorb, xorb);
    if (cas_get(r->server->store, CAS_XORB, xorb, &row) == STORE_OK)
      for (uint32_t k = t.start; k < t.end && k < cas_chunks(&row) && rc == STORE_OK; k++) {
        struct xet_hash h = cas_chunk_at(&row, k).hash;
        if (!xet_is_global(&h) && (i || k > t.start)) continue;
        xet_hash_print(&h, chunks[n]);
        changes[n] = (struct cas_change){CAS_CHUNK, chunks[n], hash, NULL, 0};
        if (++n < MOST) continue;
        rc = cas_change(r->server->store, changes, n);
        n = 0;
      }
    cas_row_free(&row);
  }
  return rc == STORE_OK && n ? cas_change(r->server->store, changes, n) : rc;
}

static const char *keep_file(struct request *r, const struct xet_shard_file *f, int64_t repo) {
  struct building b = {.r = r, .chunk = malloc(2 * (size_t)XET_CHUNK_MAX)};
  struct xet_hash sum, file;
  struct blob blob;
  uint8_t sha[32];
  char hash[65], claimed[65] = "";
  const char *why = b.chunk ? NULL : "no memory";
  if (f->terms && !f->verify_rows) why = "a file has no range hashes";
  xet_merkle_init(&b.tree);
  for (uint32_t i = 0; i < f->terms && !why; i++) why = add_term(&b, f, i);
  if (!why) {
    uint64_t chunks = b.tree.total;
    xet_merkle_end(&b.tree, &sum);
    xet_file_hash(&sum, chunks, &file);
    if (memcmp(&file, &f->hash, sizeof file) != 0) why = "a file has another hash";
  }
  if (f->meta_row) {
    xet_shard_sha256(f, sha);
    dh_hex(claimed, sha, sizeof sha);
  }
  xet_hash_print(&f->hash, hash);
  if (!why && (!claimed[0] || dh_blob_find(r->server->store, claimed, &blob) != STORE_OK)) {
    b.put = dh_blob_begin_object(r->server->store, b.size);
    if (!b.put) why = "no room for the content";
    for (uint32_t i = 0; i < f->terms && !why; i++) why = add_term(&b, f, i);
    if (b.put && why) dh_blob_abort(b.put);
    if (!why && dh_blob_end(b.put, &blob) != STORE_OK) why = "the content cannot be stored";
    if (!why && claimed[0] && f->terms && strcmp(claimed, blob.sha256) != 0) why = "a file has another SHA-256";
  }
  if (!why && (record_file(r, f, hash, blob.sha256) != STORE_OK ||
               dh_store_object_add(r->server->store, repo, blob.sha256) != STORE_OK))
    why = "the file cannot be recorded";
  free(b.bytes);
  free(b.chunk);
  return why;
}

static const char *keep_shard(struct request *r, int64_t repo, unsigned *files) {
  struct xet_shard s;
  struct xet_shard_file f;
  struct xet_shard_xorb x;
  const char *why = xet_shard_read((const uint8_t *)r->body.data, r->body.size, &s);
  if (why) return why;
  for (size_t at = s.xorbs_at; !why && xet_shard_next_xorb(&s, &at, &x);) why = check_xorb(r, &x);
  for (size_t at = s.files_at; !why && xet_shard_next_file(&s, &at, &f); (*files)++) why = keep_file(r, &f, repo);
  return why;
}

void dh_cas_shard(struct request *r) {
  int64_t repo;
  unsigned files = 0;
  if (!cas_enter(r, true, &repo)) return;
  const char *why = keep_shard(r, repo, &files);
  bool v2 = strncmp(r->path, "/cas/v2/", 8) == 0;
  struct text t = {0};
  if (!v2 && why) {
    cas_error(r, 400, why);
  } else if (!v2) {
    dh_reply_json(r, 200, json_pack("{s:i}", "result", 1));
  } else {
    dh_text_addf(&t, "{\"type\":\"validating\",\"verified\":%u,\"total\":%u}\n", files, files);
    if (why)
      dh_text_addf(&t, "{\"type\":\"error\",\"message\":\"%s\",\"retryable\":false}\n", why);
    else
      dh_text_str(&t, "{\"type\":\"committing\",\"stage\":\"syncing\"}\n{\"type\":\"result\"}\n");
    dh_reply_text(r, 200, "application/x-ndjson", &t);
  }
}

void dh_cas_telemetry(struct request *r) {
  r->reply.status = 204;
}
