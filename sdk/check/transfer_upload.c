/* transfer_upload.c - rules of uploads: a file in one request, a file in parts, parts that the server has already (ABI 1.1), the
 * headers that belong to each request.
 * The server keeps what it received, so every byte and the order can be looked at. */
#include "transfer.h"

#define MIB (1u << 20)
enum { PARTS = 3, PART = 300000, SEED = 7 };

struct content {
  struct hf_source s;
  uint64_t fail_at;
};
static hf_status content_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  struct content *k = (struct content *)s;
  *got = off >= s->size ? 0 : len < s->size - off ? len : (size_t)(s->size - off);
  if (off + *got > k->fail_at) return hf_host()->failf(c, HF_ECONFLICT, "The file changed while it was sent");
  fill(buf, *got, off, SEED);
  return HF_OK;
}
static void content_close(struct hf_source *s) {
  (void)s;
}

/* The whole life of a session with this one file. */
static hf_status send(struct work *w, struct job *j, uint64_t fail_at) {
  struct bench *b = w->b;
  struct content k = {.s = {.struct_size = sizeof k.s,
                            .caps = HF_IO_CONCURRENT,
                            .size = j->f.size,
                            .name = "file.bin",
                            .pread = content_pread,
                            .close = content_close},
                      .fail_at = fail_at};
  open_session(w);
  j->f.source = &k.s;
  hf_status st = w->tr->run(b->c, w->session, &j->f);
  if (st == HF_PENDING || st == HF_OK) st = w->tr->finish(b->c, w->session);
  w->tr->close(w->session);
  return st;
}

static hf_status upload(struct bench *b, uint64_t size, uint64_t fail_at) {
  struct work *w = work_new(b, HF_TR_UPLOAD);
  return send(w, add_download(w, "put", size, SEED, true), fail_at);
}

static void uploads(struct bench *b) {
  static const uint64_t sizes[] = {100000, 0, 9 * MIB};
  static struct request r[16];
  for (size_t i = 0; i < COUNT(sizes); i++) {
    uint32_t before = server_requests(b->server, NULL, 0);
    expect_ok(b, upload(b, sizes[i], UINT64_MAX), "an upload");
    uint32_t n = server_requests(b->server, r, COUNT(r));
    EXPECT(n > before && n <= COUNT(r), "an upload made no request");
    EXPECT(r[n - 1].body == sizes[i] && r[n - 1].body_right, "the server received %llu bytes of %llu, or wrong ones",
           (unsigned long long)r[n - 1].body, (unsigned long long)sizes[i]);
  }
}

static void expect_words(struct bench *b, hf_status st, const char *what) {
  EXPECT(st < 0, "%s succeeded", what);
  const struct hf_error *e = b->h->error(b->c);
  EXPECT(e && e->message && *e->message, "%s failed without a sentence in its call", what);
  b->h->clear(b->c);
}

static void upload_says_what_failed(struct bench *b) {
  expect_words(b, upload(b, 5 * MIB, MIB), "an upload whose source failed");
}

/* ---- in parts ---- */

struct told { /* what part_done said */
  uint32_t times[PARTS];
  char etags[PARTS][64];
};
static hf_status part_done(hf_call *c, const struct hf_tr_batch *batch, struct hf_tr_file *f, uint32_t part,
                           const char *etag) {
  struct told *t = batch->host;
  (void)c, (void)f;
  EXPECT(part < PARTS, "part_done was told of part %u of %d", part, PARTS);
  t->times[part]++;
  snprintf(t->etags[part], sizeof t->etags[part], "%s", etag ? etag : "");
  return HF_OK;
}

struct in_parts {
  struct work *w;
  struct job *j;
  struct told told;
  struct hf_tr_part parts[PARTS];
  char urls[PARTS][256], complete[256];
};

/* bad: this part is refused, PARTS: none is. */
static struct in_parts *in_parts(struct bench *b, uint32_t bad) {
  struct in_parts *p = calloc(1, sizeof *p);
  EXPECT(p != NULL, "out of memory");
  p->w = work_new(b, HF_TR_UPLOAD);
  p->j = add_download(p->w, "put", PARTS * PART - 1000, SEED, true);
  for (uint32_t i = 0; i < PARTS; i++) {
    uint64_t off = i * (uint64_t)PART, len = i + 1 < PARTS ? PART : PART - 1000;
    server_part_url(b->server, p->urls[i], sizeof p->urls[i], i == bad ? "forbidden" : "put", len, SEED, off);
    p->parts[i] = (struct hf_tr_part){p->urls[i], off, len};
  }
  server_url(b->server, p->complete, sizeof p->complete, "complete", 0, 0);
  p->w->batch.part_done = part_done;
  p->w->batch.host = &p->told;
  p->j->f.parts = (struct hf_table)HF_TABLE(p->parts);
  p->j->f.complete_url = p->complete;
  return p;
}

static uint32_t puts_of(const struct request *r, uint32_t n, uint64_t off, bool *right) {
  uint32_t found = 0;
  char end[40];
  snprintf(end, sizeof end, "&off=%llu", (unsigned long long)off);
  for (uint32_t i = 0; i < n; i++) {
    const char *at = strstr(r[i].target, end);
    if (strcmp(r[i].method, "PUT") != 0 || !at || at[strlen(end)]) continue;
    found++;
    if (right) *right &= r[i].body_right;
  }
  return found;
}

/* The request that makes a file of the parts; it is the last one. */
static const struct request *completion(const struct request *r, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    if (strncmp(r[i].target, "/complete/", 10) == 0) {
      EXPECT(i + 1 == n, "the file was completed before its last part was sent");
      return &r[i];
    }
  return NULL;
}

static struct request kept[32];

static uint32_t requests(struct bench *b) {
  uint32_t n = server_requests(b->server, kept, COUNT(kept));
  EXPECT(n <= COUNT(kept), "%u requests were made for %d parts", n, PARTS);
  return n;
}

static void upload_in_parts(struct bench *b) {
  struct in_parts *p = in_parts(b, PARTS);
  expect_ok(b, send(p->w, p->j, UINT64_MAX), "an upload in parts");
  uint32_t n = requests(b);
  for (uint32_t i = 0; i < PARTS; i++) {
    bool right = true;
    uint32_t times = puts_of(kept, n, p->parts[i].off, &right);
    EXPECT(times == 1, "part %u was sent %u times", i, times);
    EXPECT(right, "part %u arrived with wrong bytes", i);
  }
  const struct request *end = completion(kept, n);
  EXPECT(end, "the file was not completed: complete_url was not asked");
  const char *at = end->text;
  for (uint32_t i = 0; i < PARTS; i++) {
    char name[40];
    snprintf(name, sizeof name, "part-%llu", (unsigned long long)p->parts[i].off);
    at = strstr(at, name);
    EXPECT(at, "the file was completed without the name of part %u in its place: %s", i, end->text);
  }
}

static void upload_tells_of_parts(struct bench *b) {
  struct in_parts *p = in_parts(b, PARTS);
  expect_ok(b, send(p->w, p->j, UINT64_MAX), "an upload in parts");
  for (uint32_t i = 0; i < PARTS; i++) {
    char name[40];
    snprintf(name, sizeof name, "part-%llu", (unsigned long long)p->parts[i].off);
    EXPECT(p->told.times[i] == 1, "part_done was told %u times of part %u", p->told.times[i], i);
    EXPECT(strstr(p->told.etags[i], name), "part_done was told that part %u is named %s", i, p->told.etags[i]);
  }
}

static void upload_without_listener(struct bench *b) {
  struct in_parts *p = in_parts(b, PARTS);
  p->w->batch.part_done = NULL;
  expect_ok(b, send(p->w, p->j, UINT64_MAX), "an upload in parts when nobody asks for their names");
  EXPECT(completion(kept, requests(b)), "the file was not completed: complete_url was not asked");
}

static void upload_leaves_parts_that_are_there(struct bench *b) {
  static const char *const etags[PARTS] = {NULL, "\"earlier\"", NULL};
  struct in_parts *p = in_parts(b, PARTS);
  p->j->f.part_etags = etags;
  expect_ok(b, send(p->w, p->j, UINT64_MAX), "an upload of which a part is there already");
  uint32_t n = requests(b);
  EXPECT(puts_of(kept, n, p->parts[1].off, NULL) == 0, "a part that the server has was sent again");
  EXPECT(puts_of(kept, n, 0, NULL) == 1, "a part that the server lacks was not sent");
  const struct request *end = completion(kept, n);
  EXPECT(end && strstr(end->text, "earlier"), "the file was completed without the part that was there already");
}

static void upload_sends_the_headers(struct bench *b) {
  static const struct hf_kv headers[] = {{"X-Check", "yes"}};
  struct work *w = work_new(b, HF_TR_UPLOAD);
  struct job *j = add_download(w, "put", 5000, SEED, true);
  j->f.headers = (struct hf_table)HF_TABLE(headers);
  expect_ok(b, send(w, j, UINT64_MAX), "an upload with headers");
  struct in_parts *p = in_parts(b, PARTS);
  p->j->f.headers = (struct hf_table)HF_TABLE(headers);
  expect_ok(b, send(p->w, p->j, UINT64_MAX), "an upload in parts with headers");
  uint32_t n = requests(b);
  for (uint32_t i = 0; i < n; i++)
    EXPECT(strcmp(kept[i].method, "PUT") != 0 || kept[i].marked, "bytes were sent without the headers of the file");
}

static void upload_ends_with_a_bad_part(struct bench *b) {
  struct in_parts *p = in_parts(b, 1);
  expect_words(b, send(p->w, p->j, UINT64_MAX), "an upload of which a part was refused");
  EXPECT(!completion(kept, requests(b)), "the file was completed although a part was refused");
  EXPECT(p->told.times[1] == 0, "part_done was told of a part that was refused");
}

#define U HF_TR_UPLOAD
static const struct rule rows[] = {
    {"transfer/uploads", uploads, U, 0, NULL},
    {"transfer/upload-says-what-failed", upload_says_what_failed, U, 0, NULL},
    {"transfer/upload-in-parts", upload_in_parts, U, 0, NULL},
    {"transfer/upload-tells-of-parts", upload_tells_of_parts, U, 0, NULL},
    {"transfer/upload-without-listener", upload_without_listener, U, 0, NULL},
    {"transfer/upload-leaves-parts-that-are-there", upload_leaves_parts_that_are_there, U, 0, NULL},
    {"transfer/upload-sends-the-headers", upload_sends_the_headers, U, 0, NULL},
    {"transfer/upload-ends-with-a-bad-part", upload_ends_with_a_bad_part, U, 0, NULL},
};
const struct rules transfer_upload_rules = {rows, COUNT(rows)};
