/* commit.c - the shards of a session: its new xorbs and its files, in order of their hashes, and their way to the CAS.
 * A shard larger than the limit is split: xorbs go first, since files may only name what is there. So do the xorbs of a long
 * session, while it goes on: what a shard has said need not be in memory.
 * The answer is a stream of progress lines whose last one counts; servers without it get the older route. */
#include "format/json.h"
#include "upload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 5, SAID_MOST = 8 << 20 };
enum { SILENCE_MS = 300000, OLD_ROUTE_MS = 3600000 }; /* a server may think for long about a large file */
#define SPLIT_AT (XET_SHARD_MAX - ((size_t)8 << 20))

static int by_words(const struct xet_hash *a, const struct xet_hash *b) {
  for (unsigned i = 0; i < 4; i++) {
    uint64_t x = xet_hash_word(a, i), y = xet_hash_word(b, i);
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

static int by_file(const void *a, const void *b) {
  return by_words(&(*(struct xet_sent_file *const *)a)->hash, &(*(struct xet_sent_file *const *)b)->hash);
}

static int by_xorb(const void *a, const void *b) {
  return by_words(&(*(struct xorb *const *)a)->hash, &(*(struct xorb *const *)b)->hash);
}

static void put_xorb(struct xet_bytes *b, const struct xorb *x) {
  uint32_t at = 0;
  xet_put_xorb(b, &x->hash, x->count, x->raw, 0);
  for (uint32_t i = 0; i < x->count; i++) {
    xet_put_chunk(b, &(struct xet_shard_chunk){x->slots[i].hash, at, x->slots[i].raw, 0});
    at += x->slots[i].raw;
  }
}

static void put_file(struct xet_bytes *b, const struct xet_sent_file *f) {
  xet_put_file(b, &f->hash, XET_FILE_VERIFY | XET_FILE_META, f->term_count);
  for (uint32_t i = 0; i < f->term_count; i++) {
    const struct xet_piece_term *t = &f->terms[i];
    xet_put_term(b, &(struct xet_shard_term){t->xorb->hash, t->raw, t->start, t->end});
  }
  for (uint32_t i = 0; i < f->term_count; i++) xet_put_verify(b, &f->terms[i].verify);
  xet_put_sha256(b, f->sha256);
}

/* ---- sending ---- */

enum verdict { SHARD_TAKEN, SHARD_AGAIN, SHARD_REFUSED };

static enum verdict read_stream(const char *text, size_t len, char message[300]) {
  enum verdict v = SHARD_AGAIN; /* no last word */
  for (const char *end = text + len; text < end;) {
    const char *line = text, *stop = memchr(text, '\n', (size_t)(end - text));
    if (!stop) stop = end;
    text = stop + 1;
    struct xet_json j = {.p = line, .end = stop};
    char name[32], type[32] = "";
    int retryable = 0;
    if (!xet_json_peek(&j)) continue;
    for (xet_json_open(&j, '{'); xet_json_key(&j, name, sizeof name);) {
      if (!strcmp(name, "type"))
        xet_json_string(&j, type, sizeof type);
      else if (!strcmp(name, "message") && xet_json_peek(&j) == '"')
        xet_json_string(&j, message, 300);
      else if (!strcmp(name, "retryable"))
        xet_json_flag(&j, &retryable);
      else
        xet_json_skip(&j);
    }
    if (!strcmp(type, "result")) v = SHARD_TAKEN;
    if (!strcmp(type, "error")) v = retryable ? SHARD_AGAIN : SHARD_REFUSED;
  }
  return v;
}

/* A refusal may have its reason in what was remembered of earlier runs: without it, the files may be sent again. */
static hf_status refused(hf_call *c, struct xet_upload *u, const char *message) {
  char text[400];
  snprintf(text, sizeof text, "the Xet server did not take the shard: %.300s", message);
  if (u->leaned) xet_recall_forget(c, u->recall);
  return xet_host->fail(
      c, &(struct hf_error){
             .struct_size = sizeof(struct hf_error), .code = HF_EPROTO, .retryable = u->leaned, .message = text});
}

static hf_status on_lines(hf_call *c, void *arg, const void *data, size_t len) {
  (void)c;
  xet_bytes_add(arg, data, len); /* one that does not fit has no last word */
  return HF_OK;
}

static hf_status try_shard(hf_call *c, struct xet_upload *u, const struct xet_bytes *b, struct xet_bytes *said) {
  char message[300] = "the answer has no end";
  bool v1 = false;
  for (uint32_t n = 1;; n++) {
    struct hf_http_resp resp = {.struct_size = sizeof resp};
    struct hf_http_req req = {.struct_size = sizeof req,
                              .method = "POST",
                              .body = b->data,
                              .body_len = b->len,
                              .timeout_ms = v1 ? OLD_ROUTE_MS : SILENCE_MS,
                              .on_data = v1 ? NULL : on_lines,
                              .on_data_arg = said,
                              .max_body = SAID_MOST};
    said->len = 0; /* should an attempt break, what comes last counts all the same */
    TRY(xet_insist(c, u, v1 ? "/v1/shards" : "/v2/shards", &req, &resp, "the upload of a shard"));
    if (!v1 && (resp.status == 404 || resp.status == 501)) {
      v1 = true;
      n--;
      continue;
    }
    if (resp.status == 400) return refused(c, u, "it answered with status 400");
    if (resp.status != 200) return xet_cas_refused(c, "the upload of a shard", &resp);
    enum verdict v = v1 ? SHARD_TAKEN : read_stream(said->len ? (const char *)said->data : "", said->len, message);
    if (v == SHARD_TAKEN) return HF_OK;
    if (v == SHARD_REFUSED || n == TRIES) return refused(c, u, message);
    TRY(xet_host->backoff(c, n, 0));
  }
}

static hf_status send_shard(hf_call *c, struct xet_upload *u, const struct xet_bytes *b) {
  struct xet_bytes said = {.data = NULL};
  if (b->failed) return xet_host->failf(c, HF_ENOMEM, "no memory for a shard");
  hf_status st = try_shard(c, u, b, &said);
  xet_bytes_free(&said);
  return st;
}

/* ---- making ---- */

struct making {
  struct xorb **xorbs;
  struct xet_sent_file **files;
  size_t xorb_count, file_count;
};

static size_t size_of_file(const struct xet_sent_file *f) {
  return XET_SHARD_ROW * (2 + 2 * (size_t)f->term_count);
}

/* As much as fits: first xorbs, then files. */
static hf_status send_all(hf_call *c, struct xet_upload *u, const struct making *m) {
  size_t x = 0, f = 0;
  hf_status st = HF_OK;
  while (st == HF_OK && (x < m->xorb_count || f < m->file_count)) {
    struct xet_bytes b = {0}, tail = {0};
    size_t size = 3 * (size_t)XET_SHARD_ROW;
    for (; x < m->xorb_count; x++) {
      if (x && !memcmp(&m->xorbs[x]->hash, &m->xorbs[x - 1]->hash, sizeof m->xorbs[x]->hash)) continue;
      size_t more = XET_SHARD_ROW * (1 + (size_t)m->xorbs[x]->count);
      if (size + more > SPLIT_AT && tail.len) break;
      put_xorb(&tail, m->xorbs[x]);
      size += more;
    }
    xet_put_head(&b, 0);
    bool any = false;
    for (; x == m->xorb_count && f < m->file_count; f++) {
      if (size + size_of_file(m->files[f]) > SPLIT_AT && (any || tail.len)) break;
      if (any && f && !memcmp(&m->files[f]->hash, &m->files[f - 1]->hash, sizeof m->files[f]->hash)) continue;
      put_file(&b, m->files[f]);
      size += size_of_file(m->files[f]);
      any = true;
    }
    xet_put_bookend(&b);
    if (tail.len) xet_bytes_add(&b, tail.data, tail.len);
    b.failed |= tail.failed;
    xet_put_bookend(&b);
    st = send_shard(c, u, &b);
    xet_bytes_free(&b);
    xet_bytes_free(&tail);
  }
  return st;
}

hf_status xet_commit(hf_call *c, struct xet_upload *u) {
  struct making m = {0};
  size_t xorbs = 0, files = 0;
  for (const struct xorb *x = u->first; x; x = x->next) xorbs++;
  for (const struct xet_sent_file *f = u->files; f; f = f->next) files++;
  m.xorbs = malloc((xorbs + 1) * sizeof(struct xorb *));
  m.files = malloc((files + 1) * sizeof(struct xet_sent_file *));
  hf_status st = m.xorbs && m.files ? HF_OK : xet_host->failf(c, HF_ENOMEM, "no memory for a shard");
  for (struct xorb *x = u->first; st == HF_OK && x; x = x->next) {
    if (x->in_shard || !x->count) continue;
    if (x->state != XORB_THERE)
      st = xet_host->failf(c, HF_EPROTO, "a xorb did not arrive; send the files again");
    else if (x->ours)
      m.xorbs[m.xorb_count++] = x;
  }
  for (struct xet_sent_file *f = u->files; st == HF_OK && f; f = f->next) m.files[m.file_count++] = f;
  if (st == HF_OK) {
    qsort(m.xorbs, m.xorb_count, sizeof *m.xorbs, by_xorb);
    qsort(m.files, m.file_count, sizeof *m.files, by_file);
    st = send_all(c, u, &m);
  }
  free(m.xorbs);
  free(m.files);
  return st;
}

/* Under lock. */
static hf_status choose_some(hf_call *c, struct xet_upload *u, struct making *m) {
  size_t room = 0;
  for (const struct xorb *x = u->first; x; x = x->next) room += x->state == XORB_THERE && x->ours && !x->in_shard;
  m->xorbs = malloc((room + 1) * sizeof(struct xorb *));
  if (!m->xorbs) return xet_host->failf(c, HF_ENOMEM, "no memory for a shard");
  for (struct xorb *x = u->first; x; x = x->next)
    if (x->state == XORB_THERE && x->ours && !x->in_shard) m->xorbs[m->xorb_count++] = x;
  return HF_OK;
}

hf_status xet_commit_some(hf_call *c, struct xet_upload *u) {
  struct making m = {0};
  hf_status st = HF_OK;
  pthread_mutex_lock(&u->lock);
  bool due = u->unsaid >= u->shard_most && !u->saying;
  if (due) st = choose_some(c, u, &m);
  if (due && st == HF_OK) u->saying = true, u->unsaid = 0;
  pthread_mutex_unlock(&u->lock);
  if (!due || st != HF_OK) return st;
  qsort(m.xorbs, m.xorb_count, sizeof *m.xorbs, by_xorb);
  st = send_all(c, u, &m);
  pthread_mutex_lock(&u->lock);
  for (size_t i = 0; i < m.xorb_count && st == HF_OK; i++) {
    struct xorb *x = m.xorbs[i];
    x->in_shard = true;
    if (!xet_known_is_old(u->known, x)) continue;
    free(x->slots);
    x->slots = NULL;
  }
  u->saying = false;
  pthread_mutex_unlock(&u->lock);
  free(m.xorbs);
  return st;
}
