/* storage_held.c - rules of looking through a store and making room in it (scan and expunge, ABI 1.1): every byte is listed, the
 * rest of the world stays, what others still show is kept.
 * A store without these functions is skipped: the core does the same with the others. */
#include "storage.h"

enum { ROWS = 128 };

struct held {
  hf_call *c;
  uint32_t n; /* all rows, also those that did not fit */
  struct hf_held rows[ROWS];
};

static void own(hf_call *c, const char **text) {
  if (*text) *text = hf_host()->intern(c, *text, SIZE_MAX);
}

static hf_status on_held(void *arg, uint32_t what, const void *row) {
  struct held *h = arg;
  (void)what;
  if (h->n < ROWS) {
    struct hf_held *r = &h->rows[h->n];
    *r = *(const struct hf_held *)row;
    own(h->c, &r->repo.type), own(h->c, &r->repo.id);
    own(h->c, &r->commit), own(h->c, &r->path), own(h->c, &r->shared);
  }
  h->n++;
  return HF_OK;
}

static const struct held *scan(struct bench *b, const struct hf_repo *repo) {
  struct held *h = calloc(1, sizeof *h);
  EXPECT(h != NULL, "out of memory");
  h->c = b->c;
  hf_status st = b->st->scan(b->c, b->store, repo, HF_SCAN_FILES, hf_slot_new(b->c, HF_PUT_HELD, on_held, h));
  if (st == HF_ENOSYS) skipped("it has no scan: the core does without");
  if (st == HF_ENOTFOUND) {
    EXPECT(h->n == 0, "scan gave rows and answered HF_ENOTFOUND");
    b->h->clear(b->c);
    return h;
  }
  expect_ok(b, st, "scan");
  EXPECT(h->n <= ROWS, "scan gave %u rows", h->n);
  return h;
}

static bool of_repo(const struct hf_held *r, const struct hf_repo *repo) {
  return r->repo.id && strcmp(r->repo.id, repo->id) == 0 && r->repo.type && strcmp(r->repo.type, repo->type) == 0;
}

/* The row of this kind in the repo of the rule (partials may say nothing of it); commit and path where they are not NULL. */
static const struct hf_held *row(struct bench *b, const struct held *h, uint32_t what, const char *commit,
                                 const char *path) {
  for (uint32_t i = 0; i < h->n; i++) {
    const struct hf_held *r = &h->rows[i];
    if (r->what == what && (what == HF_HELD_PARTIAL || of_repo(r, &b->repo)) &&
        (!commit || (r->commit && strcmp(r->commit, commit) == 0)) &&
        (!path || (r->path && strcmp(r->path, path) == 0)))
      return r;
  }
  return NULL;
}

static void remove_rows(struct bench *b, const struct hf_held *rows, uint32_t n) {
  struct hf_table t = HF_TABLE_N(rows, n);
  hf_status st = b->st->expunge(b->c, b->store, t);
  if (st == HF_ENOSYS) skipped("it has no expunge: the core does without");
  expect_ok(b, st, "expunge");
}

static struct hf_held need(struct bench *b, const struct held *h, uint32_t what, const char *commit, const char *path) {
  const struct hf_held *r = row(b, h, what, commit, path);
  EXPECT(r != NULL, "scan does not list %s",
         what == HF_HELD_REPO       ? "a repo that has a file"
         : what == HF_HELD_REVISION ? "a revision that has a file"
         : what == HF_HELD_REF      ? "a ref"
         : what == HF_HELD_PARTIAL  ? "what an interrupted ingest left"
                                    : "a file that is there");
  return *r;
}

/* ---- looking ---- */

static void scan_of_an_empty_store(struct bench *b) {
  uint64_t before = picture(b->scratch);
  const struct held *h = scan(b, NULL);
  EXPECT(b->own_uri || picture(b->scratch) == before, "scan wrote something into an empty store");
  EXPECT(!row(b, h, HF_HELD_REPO, NULL, NULL), "scan of an empty store lists a repo");
}

static void scan_lists_what_is_there(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "dir/b.bin", COMMIT_A, 600, 2);
  store_file(b, &f);
  store_file(b, &g);
  if (b->m->caps & HF_ST_REFS)
    expect_ok(b, b->st->ref_put(b->c, b->store, &b->repo, "main", NULL, COMMIT_A), "ref_put");
  uint64_t before = picture(b->scratch);
  const struct held *h = scan(b, &b->repo);
  EXPECT(b->own_uri || picture(b->scratch) == before, "scan wrote something");
  struct hf_held repo = need(b, h, HF_HELD_REPO, NULL, NULL), rev = need(b, h, HF_HELD_REVISION, COMMIT_A, NULL),
                 one = need(b, h, HF_HELD_FILE, COMMIT_A, "a.bin"), two = need(b, h, HF_HELD_FILE, COMMIT_A, g.path);
  EXPECT(repo.size == 1100 && rev.size == 1100, "scan says %llu bytes for the repo and %llu for the revision of 1100",
         (unsigned long long)repo.size, (unsigned long long)rev.size);
  EXPECT(repo.count == 2, "scan counts %llu blobs instead of 2", (unsigned long long)repo.count);
  EXPECT(one.size == 500 && two.size == 600, "scan gives files of 500 and 600 bytes as %llu and %llu",
         (unsigned long long)one.size, (unsigned long long)two.size);
  EXPECT(one.blob != two.blob, "scan says that two files are the same bytes");
  if (b->m->caps & HF_ST_REFS) need(b, h, HF_HELD_REF, COMMIT_A, "main");
}

/* A repo row comes first, then what belongs to it. */
static void scan_is_in_order(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1);
  store_file(b, &f);
  const struct held *h = scan(b, NULL);
  bool seen = false;
  for (uint32_t i = 0; i < h->n; i++) {
    const struct hf_held *r = &h->rows[i];
    bool part = r->what == HF_HELD_REVISION || r->what == HF_HELD_REF || r->what == HF_HELD_FILE;
    if (!of_repo(r, &b->repo)) continue;
    EXPECT(!part || seen, "scan gives a piece of a repo before the repo");
    seen |= r->what == HF_HELD_REPO;
  }
  EXPECT(seen, "scan does not list a repo that has a file");
}

static void scan_counts_equal_content_once(struct bench *b) {
  if (!(b->m->caps & HF_ST_LINKS)) skipped("it stores equal content more than once");
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "b.bin", COMMIT_A, 500, 1);
  store_file(b, &f);
  store_file(b, &g);
  const struct held *h = scan(b, &b->repo);
  struct hf_held repo = need(b, h, HF_HELD_REPO, NULL, NULL), one = need(b, h, HF_HELD_FILE, COMMIT_A, f.path),
                 two = need(b, h, HF_HELD_FILE, COMMIT_A, g.path);
  EXPECT(repo.size == 500, "scan counts equal content twice: %llu bytes", (unsigned long long)repo.size);
  EXPECT(one.blob == two.blob, "scan does not tell that two files are the same bytes");
}

static void scan_of_one_repo(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1);
  store_file(b, &f);
  const struct held *h = scan(b, &b->other_repo);
  for (uint32_t i = 0; i < h->n; i++) EXPECT(!of_repo(&h->rows[i], &b->repo), "scan of one repo lists another");
}

/* ---- making room ---- */

static void expunge_a_file(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "b.bin", COMMIT_A, 600, 2);
  store_file(b, &f);
  store_file(b, &g);
  struct hf_held one = need(b, scan(b, &b->repo), HF_HELD_FILE, COMMIT_A, f.path);
  remove_rows(b, &one, 1);
  expect_absent(b, &f, "after it was removed");
  expect_there(b, &g);
  EXPECT(need(b, scan(b, &b->repo), HF_HELD_REPO, NULL, NULL).size == 600, "the bytes of a removed file are kept");
  store_file(b, &f);
  expect_there(b, &f);
}

static void expunge_keeps_bytes_that_are_shown(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "b.bin", COMMIT_B, 500, 1);
  store_file(b, &f);
  store_file(b, &g);
  struct hf_held one = need(b, scan(b, &b->repo), HF_HELD_FILE, COMMIT_A, f.path);
  remove_rows(b, &one, 1);
  expect_absent(b, &f, "after it was removed");
  expect_there(b, &g);
}

static void expunge_a_revision(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "a.bin", COMMIT_B, 600, 2);
  store_file(b, &f);
  store_file(b, &g);
  struct hf_held rev = need(b, scan(b, &b->repo), HF_HELD_REVISION, COMMIT_A, NULL);
  remove_rows(b, &rev, 1);
  const struct held *h = scan(b, &b->repo);
  EXPECT(!row(b, h, HF_HELD_REVISION, COMMIT_A, NULL), "a removed revision is still listed");
  need(b, h, HF_HELD_REVISION, COMMIT_B, NULL);
  expect_absent(b, &f, "after its revision was removed");
  expect_there(b, &g);
}

static void expunge_takes_refs_along(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "a.bin", COMMIT_B, 600, 2);
  struct rows r = {0};
  store_file(b, &f);
  store_file(b, &g);
  expect_ok(b, b->st->ref_put(b->c, b->store, &b->repo, "main", NULL, COMMIT_A), "ref_put");
  expect_ok(b, b->st->ref_put(b->c, b->store, &b->repo, "kept", NULL, COMMIT_B), "ref_put");
  struct hf_held rev = need(b, scan(b, &b->repo), HF_HELD_REVISION, COMMIT_A, NULL);
  remove_rows(b, &rev, 1);
  expect_fails(b, b->st->ref_get(b->c, b->store, &b->repo, "main", collect(b, HF_PUT_REF, &r)), HF_ENOTFOUND,
               "ref_get of a ref to a removed revision");
  expect_ok(b, b->st->ref_get(b->c, b->store, &b->repo, "kept", collect(b, HF_PUT_REF, &r)), "ref_get of another ref");
}

static void expunge_a_repo(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "a.bin", COMMIT_B, 600, 2);
  store_file(b, &f);
  store_file(b, &g);
  const struct held *h = scan(b, &b->repo);
  struct hf_held all[3] = {need(b, h, HF_HELD_REPO, NULL, NULL), need(b, h, HF_HELD_REVISION, COMMIT_A, NULL),
                           need(b, h, HF_HELD_REVISION, COMMIT_B, NULL)};
  remove_rows(b, all, 3);
  EXPECT(!row(b, scan(b, NULL), HF_HELD_REPO, NULL, NULL), "a removed repo is still listed");
  expect_absent(b, &f, "after its repo was removed");
  store_file(b, &f);
  expect_there(b, &f);
}

/* The person who chose saw one revision; another one came since. */
static void expunge_spares_what_came_since(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "a.bin", COMMIT_B, 600, 2);
  store_file(b, &f);
  const struct held *h = scan(b, &b->repo);
  struct hf_held all[2] = {need(b, h, HF_HELD_REPO, NULL, NULL), need(b, h, HF_HELD_REVISION, COMMIT_A, NULL)};
  store_file(b, &g);
  remove_rows(b, all, 2);
  expect_there(b, &g);
}

static void expunge_of_what_is_gone(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "a.bin", COMMIT_B, 600, 2);
  store_file(b, &f);
  store_file(b, &g);
  const struct held *h = scan(b, &b->repo);
  struct hf_held rows[2] = {need(b, h, HF_HELD_FILE, COMMIT_A, f.path), need(b, h, HF_HELD_REVISION, COMMIT_A, NULL)};
  remove_rows(b, rows, 2);
  remove_rows(b, rows, 2);
  expect_there(b, &g);
}

static void partial_is_listed_and_goes(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 4 << 20, 1), g = make_file(b, "y.bin", COMMIT_A, 500, 2);
  store_file(b, &g);
  struct hf_sink *s = begin(b, &f);
  put_range(b, s, &f, 0, 3 << 20);
  s->abort(s, 1);
  struct hf_held left = need(b, scan(b, &b->repo), HF_HELD_PARTIAL, NULL, NULL);
  EXPECT(left.size >= 3 << 20, "scan says %llu bytes for 3 MiB of an interrupted file", (unsigned long long)left.size);
  remove_rows(b, &left, 1);
  EXPECT(!row(b, scan(b, &b->repo), HF_HELD_PARTIAL, NULL, NULL), "a removed partial is still listed");
  struct hf_ingest in = ingest_of(b, &f);
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest");
  EXPECT(!(s->caps & HF_IO_RESUMES), "a partial that was removed comes back");
  s->abort(s, 0);
  expect_there(b, &g);
}

#define L HF_ST_LIST
#define W HF_ST_READ_ONLY
static const struct rule rows[] = {
    {"storage/scan-of-an-empty-store", scan_of_an_empty_store, L, 0, NULL},
    {"storage/scan-lists-what-is-there", scan_lists_what_is_there, L, W, NULL},
    {"storage/scan-is-in-order", scan_is_in_order, L, W, NULL},
    {"storage/scan-counts-equal-content-once", scan_counts_equal_content_once, L, W, NULL},
    {"storage/scan-of-one-repo", scan_of_one_repo, L, W, NULL},
    {"storage/expunge-a-file", expunge_a_file, L, W, NULL},
    {"storage/expunge-keeps-bytes-that-are-shown", expunge_keeps_bytes_that_are_shown, L, W, NULL},
    {"storage/expunge-a-revision", expunge_a_revision, L | HF_ST_BLOBS, W, NULL},
    {"storage/expunge-takes-refs-along", expunge_takes_refs_along, L | HF_ST_REFS, W, NULL},
    {"storage/expunge-a-repo", expunge_a_repo, L | HF_ST_BLOBS, W, NULL},
    {"storage/expunge-spares-what-came-since", expunge_spares_what_came_since, L | HF_ST_BLOBS, W, NULL},
    {"storage/expunge-of-what-is-gone", expunge_of_what_is_gone, L | HF_ST_BLOBS, W, NULL},
    {"storage/partial-is-listed-and-goes", partial_is_listed_and_goes, L | HF_ST_RESUME, W, NULL},
};
const struct rules storage_held_rules = {rows, COUNT(rows)};
