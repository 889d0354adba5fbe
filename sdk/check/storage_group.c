/* storage_group.c - rules of the groups of operations that a store may have: blobs, refs, trees, leases, listings, places.
 * Each is tried only where the capability bit is set.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "storage.h"

/* ---- blobs ---- */

static void blob_stat(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5000, 1);
  struct hf_key k = key_of(b, &f);
  struct rows r = {0};
  expect_fails(b, b->st->blob_stat(b->c, b->store, &k, collect(b, HF_PUT_BLOB, &r)), HF_ENOTFOUND,
               "blob_stat of a blob never stored");
  EXPECT(r.n == 0, "blob_stat gave a row and answered HF_ENOTFOUND");
  store_file(b, &f);
  expect_ok(b, b->st->blob_stat(b->c, b->store, &k, collect(b, HF_PUT_BLOB, &r)), "blob_stat");
  EXPECT(r.n == 1 && r.blobs[0].size == f.size, "blob_stat gave %u rows, size %llu", r.n,
         (unsigned long long)r.blobs[0].size);
}

static void blob_open(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 150000, 1);
  struct hf_key k = key_of(b, &f);
  struct hf_source *s = NULL;
  expect_fails(b, b->st->blob_open(b->c, b->store, &k, &s), HF_ENOTFOUND, "blob_open of a blob never stored");
  store_file(b, &f);
  expect_ok(b, b->st->blob_open(b->c, b->store, &k, &s), "blob_open");
  expect_source(b, s, &f);
}

static void blob_each(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 500, 1), g = make_file(b, "y.bin", COMMIT_A, 600, 2);
  struct rows r = {0};
  store_file(b, &f);
  store_file(b, &g);
  expect_ok(b, b->st->blob_each(b->c, b->store, &b->repo, collect(b, HF_PUT_BLOB, &r)), "blob_each");
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < r.n && i < COUNT(r.blobs); i++)
    if (!(r.blobs[i].flags & HF_BL_PARTIAL)) bytes += r.blobs[i].size;
  EXPECT(bytes == 1100, "blob_each lists %llu bytes in %u rows instead of 1100 in 2", (unsigned long long)bytes, r.n);
  memset(&r, 0, sizeof r);
  expect_ok(b, b->st->blob_each(b->c, b->store, &b->other_repo, collect(b, HF_PUT_BLOB, &r)),
            "blob_each of another repo");
  EXPECT(r.n == 0, "blob_each of another repo gave %u rows", r.n);
}

static void blob_each_of_all(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 500, 1);
  struct rows r = {0};
  store_file(b, &f);
  expect_ok(b, b->st->blob_each(b->c, b->store, NULL, collect(b, HF_PUT_BLOB, &r)), "blob_each of all repos");
  EXPECT(r.n >= 1, "blob_each of all repos lists nothing");
}

static void blob_remove(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 500, 1);
  struct hf_key k = key_of(b, &f);
  struct rows r = {0};
  hf_status st = b->st->blob_remove(b->c, b->store, &k);
  if (st == HF_ENOSYS) skipped("it cannot remove blobs");
  expect_fails(b, st, HF_ENOTFOUND, "blob_remove of a blob never stored");
  store_file(b, &f);
  expect_ok(b, b->st->blob_remove(b->c, b->store, &k), "blob_remove");
  expect_fails(b, b->st->blob_stat(b->c, b->store, &k, collect(b, HF_PUT_BLOB, &r)), HF_ENOTFOUND,
               "blob_stat of a removed blob");
  expect_absent(b, &f, "after its blob was removed");
  store_file(b, &f);
  expect_there(b, &f);
}

static hf_status adopt(struct bench *b, const struct file *f, struct rows *r) {
  struct hf_ingest in = ingest_of(b, f);
  hf_status st = b->st->adopt(b->c, b->store, &in, collect(b, HF_PUT_FILE, r));
  if (st == HF_ENOSYS) skipped("it adopts nothing");
  return st;
}

static void adopt_what_is_there(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5000, 1), again = make_file(b, "copy/x.bin", COMMIT_B, 5000, 1);
  struct rows r = {0};
  store_file(b, &f);
  hf_status st = adopt(b, &again, &r);
  if (st == HF_ENOTFOUND) {
    EXPECT(!(b->m->caps & HF_ST_LINKS), "links is among its capabilities, but equal content is not adopted");
    b->h->clear(b->c);
    expect_absent(b, &again, "though adopt did not find it");
    return;
  }
  expect_ok(b, st, "adopt");
  EXPECT(r.n == 1, "adopt gave %u rows", r.n);
  expect_there(b, &again);
  expect_there(b, &f);
}

static void adopt_nothing(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5000, 1);
  struct rows r = {0};
  expect_fails(b, adopt(b, &f, &r), HF_ENOTFOUND, "adopt in an empty store");
  EXPECT(r.n == 0, "adopt gave a row and answered HF_ENOTFOUND");
  expect_absent(b, &f, "after adopt found nothing");
}

static void removing_one_name_keeps_the_other(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5000, 1), again = make_file(b, "y.bin", COMMIT_A, 5000, 1);
  struct hf_name n = name_of(b, &f);
  store_file(b, &f);
  store_file(b, &again);
  hf_status st = b->st->remove(b->c, b->store, &n);
  if (st == HF_ENOSYS) skipped("it cannot remove");
  expect_ok(b, st, "remove");
  expect_there(b, &again);
}

/* ---- refs ---- */

static const char *ref(struct bench *b, const struct hf_repo *repo, const char *name) {
  static char commit[64];
  struct rows r = {0};
  hf_status st = b->st->ref_get(b->c, b->store, repo, name, collect(b, HF_PUT_REF, &r));
  if (st == HF_ENOTFOUND) {
    EXPECT(r.n == 0, "ref_get gave a row and answered HF_ENOTFOUND");
    b->h->clear(b->c);
    return "";
  }
  expect_ok(b, st, "ref_get");
  EXPECT(r.n == 1 && r.refs[0].commit, "ref_get answered HF_OK with %u rows", r.n);
  snprintf(commit, sizeof commit, "%s", r.refs[0].commit);
  return commit;
}

static void set_ref(struct bench *b, const char *name, const char *expect, const char *commit) {
  expect_ok(b, b->st->ref_put(b->c, b->store, &b->repo, name, expect, commit), "ref_put");
}

static void ref_is(struct bench *b, const char *name, const char *commit) {
  const char *now = ref(b, &b->repo, name);
  EXPECT(strcmp(now, commit) == 0, "ref %s is \"%s\" instead of \"%s\"", name, now, commit);
}

static void ref_put_get(struct bench *b) {
  ref_is(b, "main", "");
  set_ref(b, "main", NULL, COMMIT_A);
  ref_is(b, "main", COMMIT_A);
  set_ref(b, "main", NULL, COMMIT_B);
  ref_is(b, "main", COMMIT_B);
}

static void ref_get_writes_nothing(struct bench *b) {
  uint64_t before = picture(b->scratch);
  ref_is(b, "main", "");
  EXPECT(b->own_uri || picture(b->scratch) == before, "ref_get wrote something");
}

static void ref_names_with_slashes(struct bench *b) {
  set_ref(b, "refs/pr/3", NULL, COMMIT_A);
  set_ref(b, "feature/one", NULL, COMMIT_B);
  ref_is(b, "refs/pr/3", COMMIT_A);
  ref_is(b, "feature/one", COMMIT_B);
  ref_is(b, "refs/pr/4", "");
}

static void ref_remove(struct bench *b) {
  set_ref(b, "main", NULL, COMMIT_A);
  set_ref(b, "other", NULL, COMMIT_B);
  set_ref(b, "main", NULL, NULL);
  ref_is(b, "main", "");
  ref_is(b, "other", COMMIT_B);
}

static void ref_cas_wins(struct bench *b) {
  set_ref(b, "main", "", COMMIT_A);
  set_ref(b, "main", COMMIT_A, COMMIT_B);
  ref_is(b, "main", COMMIT_B);
}

static void ref_cas_loses(struct bench *b) {
  set_ref(b, "main", NULL, COMMIT_A);
  expect_fails(b, b->st->ref_put(b->c, b->store, &b->repo, "main", COMMIT_B, COMMIT_B), HF_ECONFLICT,
               "ref_put that expects another commit");
  ref_is(b, "main", COMMIT_A);
  expect_fails(b, b->st->ref_put(b->c, b->store, &b->repo, "main", "", COMMIT_B), HF_ECONFLICT,
               "ref_put of a new ref that is there");
  ref_is(b, "main", COMMIT_A);
  expect_fails(b, b->st->ref_put(b->c, b->store, &b->repo, "none", COMMIT_A, COMMIT_B), HF_ECONFLICT,
               "ref_put that expects a ref that is not there");
  ref_is(b, "none", "");
}

struct cas {
  struct bench *b;
  _Atomic uint32_t won, lost, failed;
  char words[200];
};
static hf_status cas_part(hf_call *c, void *arg, uint32_t i) {
  struct cas *r = arg;
  char commit[41];
  snprintf(commit, sizeof commit, "%040x", i + 1);
  hf_status st = r->b->st->ref_put(c, r->b->store, &r->b->repo, "main", COMMIT_A, commit);
  r->won += st == HF_OK;
  r->lost += st == HF_ECONFLICT;
  const struct hf_error *e = r->b->h->error(c);
  if (st != HF_OK && st != HF_ECONFLICT && r->failed++ == 0)
    snprintf(r->words, sizeof r->words, "%s", e && e->message ? e->message : hf_status_name(st));
  r->b->h->clear(c);
  return HF_OK;
}

static void ref_cas_has_one_winner(struct bench *b) {
  if (!at_once(b)) skipped("it is used by one thread at a time");
  set_ref(b, "main", NULL, COMMIT_A);
  struct cas r = {.b = b};
  expect_ok(b, b->h->parallel(b->c, 16, 8, cas_part, &r), "sixteen at once");
  EXPECT(r.won <= 1, "of sixteen compare-and-swaps %u won", r.won);
  EXPECT(!r.failed, "one of sixteen compare-and-swaps failed: %s", r.words);
  EXPECT(r.won == 1 && r.lost == 15, "of sixteen compare-and-swaps %u won and %u lost", r.won, r.lost);
}

static void ref_each(struct bench *b) {
  struct rows r = {0};
  set_ref(b, "main", NULL, COMMIT_A);
  set_ref(b, "refs/pr/3", NULL, COMMIT_B);
  hf_status st = b->st->ref_each(b->c, b->store, &b->repo, collect(b, HF_PUT_REF, &r));
  expect_ok(b, st, "ref_each");
  EXPECT(r.n == 2, "ref_each gave %u rows instead of 2", r.n);
}

static void refs_of_repos_are_apart(struct bench *b) {
  set_ref(b, "main", NULL, COMMIT_A);
  ref_is(b, "main", COMMIT_A);
  EXPECT(!*ref(b, &b->other_repo, "main"), "a ref of one repo is seen in another");
}

static void set_ref_and_die(struct bench *b) {
  if (!(b->m->caps & (HF_ST_LOCAL_PATH | HF_ST_RESUME | HF_ST_DURABLE))) skipped("it keeps nothing beyond the process");
  set_ref(b, "main", NULL, COMMIT_A);
  gone();
}
static void ref_still_set(struct bench *b) {
  ref_is(b, "main", COMMIT_A);
}

/* ---- trees ---- */

enum { BIG_TREE = 2000 };

static struct hf_tree_entry *make_tree(uint32_t n) {
  static char paths[BIG_TREE][40], ids[BIG_TREE][41];
  struct hf_tree_entry *e = calloc(n ? n : 1, sizeof *e);
  EXPECT(e != NULL, "out of memory");
  for (uint32_t i = 0; i < n; i++) {
    snprintf(paths[i], sizeof paths[i], "dir-%03u/file-%04u.bin", i / 100, i);
    snprintf(ids[i], sizeof ids[i], "%040x", i + 7);
    e[i] = (struct hf_tree_entry){
        .struct_size = sizeof *e,
        .path = paths[i],
        .blob_id = ids[i],
        .lfs_sha256 = i % 2 ? "1111111111111111111111111111111111111111111111111111111111111111" : NULL,
        .size = 100 + i,
        .lfs_size = i % 2 ? 100 + i : HF_SIZE_UNKNOWN};
  }
  return e;
}

static void put_tree(struct bench *b, const char *commit, const struct hf_tree_entry *e, uint32_t n) {
  expect_ok(b, b->st->tree_put(b->c, b->store, &b->repo, commit, (struct hf_table)HF_TABLE_N(e, n)), "tree_put");
}

static hf_status get_tree(struct bench *b, const char *commit, struct rows *r) {
  static struct hf_tree_entry room[BIG_TREE];
  *r = (struct rows){.entries = room, .room = BIG_TREE};
  return b->st->tree_get(b->c, b->store, &b->repo, commit, collect(b, HF_PUT_ENTRY, r));
}

static void tree_is(struct bench *b, const char *commit, const struct hf_tree_entry *e, uint32_t n) {
  struct rows r;
  expect_ok(b, get_tree(b, commit, &r), "tree_get");
  EXPECT(r.n == n, "tree_get gave %u entries instead of %u", r.n, n);
  for (uint32_t i = 0; i < n; i++) {
    const struct hf_tree_entry *g = &r.entries[i];
    EXPECT(g->path && strcmp(g->path, e[i].path) == 0, "entry %u is \"%s\" instead of \"%s\"", i,
           g->path ? g->path : "", e[i].path);
    EXPECT(g->size == e[i].size, "%s has size %llu", g->path, (unsigned long long)g->size);
    EXPECT(g->blob_id && strcmp(g->blob_id, e[i].blob_id) == 0, "%s has another blob_id", g->path);
    EXPECT(!g->lfs_sha256 == !e[i].lfs_sha256, "%s lost or won an LFS hash", g->path);
    EXPECT(!g->lfs_sha256 || strcmp(g->lfs_sha256, e[i].lfs_sha256) == 0, "%s has another LFS hash", g->path);
  }
}

static void tree_get_nothing(struct bench *b) {
  struct rows r;
  expect_fails(b, get_tree(b, COMMIT_A, &r), HF_ENOTFOUND, "tree_get of a commit never listed");
  EXPECT(r.n == 0, "tree_get gave rows and answered HF_ENOTFOUND");
}

static void tree_put_get(struct bench *b) {
  struct hf_tree_entry *e = make_tree(10);
  put_tree(b, COMMIT_A, e, 10);
  tree_is(b, COMMIT_A, e, 10);
  struct rows r;
  expect_fails(b, get_tree(b, COMMIT_B, &r), HF_ENOTFOUND, "tree_get of another commit");
}

static void tree_large(struct bench *b) {
  struct hf_tree_entry *e = make_tree(BIG_TREE);
  put_tree(b, COMMIT_A, e, BIG_TREE);
  tree_is(b, COMMIT_A, e, BIG_TREE);
}

static void tree_empty(struct bench *b) {
  struct hf_tree_entry *e = make_tree(0);
  put_tree(b, COMMIT_A, e, 0);
  struct rows r;
  hf_status st = get_tree(b, COMMIT_A, &r);
  if (st != HF_ENOTFOUND) expect_ok(b, st, "tree_get of an empty tree");
  EXPECT(r.n == 0, "an empty tree came back with %u entries", r.n);
}

static void tree_is_replaced(struct bench *b) {
  struct hf_tree_entry *e = make_tree(20);
  put_tree(b, COMMIT_A, e, 20);
  put_tree(b, COMMIT_A, e + 5, 10);
  tree_is(b, COMMIT_A, e + 5, 10);
}

/* Rows as a core of another version lays them out. */
static void tree_rows_have_a_stride(struct bench *b) {
  struct wide {
    struct hf_tree_entry e;
    uint64_t newer[3];
  } w[4];
  struct hf_tree_entry *e = make_tree(4);
  for (uint32_t i = 0; i < 4; i++) w[i] = (struct wide){e[i], {~0ull, ~0ull, ~0ull}};
  for (uint32_t i = 0; i < 4; i++) w[i].e.struct_size = sizeof w[0];
  struct hf_table t = {w, 4, sizeof w[0]};
  expect_ok(b, b->st->tree_put(b->c, b->store, &b->repo, COMMIT_A, t), "tree_put of longer rows");
  tree_is(b, COMMIT_A, e, 4);
}

static void tree_knows_what_is_present(struct bench *b) {
  struct file f = make_file(b, "here.bin", COMMIT_A, 300, 1);
  struct hf_tree_entry e[2] = {{.struct_size = sizeof e[0],
                                .path = "gone.bin",
                                .blob_id = "1234567890123456789012345678901234567890",
                                .lfs_sha256 = "2222222222222222222222222222222222222222222222222222222222222222",
                                .size = 5,
                                .lfs_size = 5},
                               {.struct_size = sizeof e[0],
                                .path = "here.bin",
                                .blob_id = "2234567890123456789012345678901234567890",
                                .lfs_sha256 = f.etag,
                                .size = 300,
                                .lfs_size = 300}};
  store_file(b, &f);
  put_tree(b, COMMIT_A, e, 2);
  struct rows r;
  expect_ok(b, get_tree(b, COMMIT_A, &r), "tree_get");
  EXPECT(r.n == 2, "tree_get gave %u entries instead of 2", r.n);
  EXPECT(!r.entries[0].present, "a file never stored is said to be present");
  EXPECT(r.entries[1].present, "a stored file is said to be missing");
}

static void put_tree_and_die(struct bench *b) {
  if (!(b->m->caps & (HF_ST_LOCAL_PATH | HF_ST_RESUME | HF_ST_DURABLE))) skipped("it keeps nothing beyond the process");
  put_tree(b, COMMIT_A, make_tree(10), 10);
  gone();
}
static void tree_still_there(struct bench *b) {
  tree_is(b, COMMIT_A, make_tree(10), 10);
}

/* ---- leases ---- */

static void *take(struct bench *b, const struct hf_key *k, uint32_t ttl_ms) {
  void *lease = NULL;
  expect_ok(b, b->st->lease_take(b->c, b->store, k, ttl_ms, &lease), "lease_take");
  EXPECT(lease != NULL, "lease_take succeeded without a lease");
  return lease;
}

static void lease_take_drop(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5, 1), g = make_file(b, "y.bin", COMMIT_A, 5, 2);
  struct hf_key k = key_of(b, &f), other = key_of(b, &g);
  void *lease = take(b, &k, 10000);
  expect_ok(b, b->st->lease_beat(b->c, b->store, lease), "lease_beat");
  void *second = take(b, &other, 10000); /* another blob is free */
  b->st->lease_drop(b->store, second);
  b->st->lease_drop(b->store, lease);
  uint64_t before = now_ms();
  lease = take(b, &k, 10000);
  EXPECT(now_ms() - before < 3000, "a lease that was dropped stays taken");
  b->st->lease_drop(b->store, lease);
}

struct waiting {
  struct bench *b;
  struct hf_key *k;
  hf_status st;
  char words[200];
};
static hf_status wait_for_lease(hf_call *c, void *arg) {
  struct waiting *w = arg;
  void *lease = NULL;
  hf_call_module(c, w->b->m);
  w->st = w->b->st->lease_take(c, w->b->store, w->k, 10000, &lease);
  if (w->st == HF_OK) w->b->st->lease_drop(w->b->store, lease);
  const struct hf_error *e = w->b->h->error(c);
  snprintf(w->words, sizeof w->words, "%s: %s", hf_status_name(w->st), e && e->message ? e->message : "");
  return w->st;
}

static void lease_waits_and_can_be_stopped(struct bench *b) {
  if (!at_once(b)) skipped("it is used by one thread at a time");
  struct file f = make_file(b, "x.bin", COMMIT_A, 5, 1);
  struct hf_key k = key_of(b, &f);
  void *lease = take(b, &k, 20000);
  struct waiting w = {b, &k, HF_OK, ""};
  struct hf_watch watch = {.struct_size = sizeof watch, .deadline_ms = 500};
  uint64_t before = now_ms();
  hf_op *op = hf_op_start_fn(b->rt, wait_for_lease, &w, &watch);
  hf_op_wait(op);
  hf_op_free(op);
  uint64_t took = now_ms() - before;
  EXPECT(w.st != HF_OK, "a lease that is held was given to another");
  EXPECT(w.st == HF_ETIMEDOUT || w.st == HF_ECANCELED, "waiting for a lease ended with %s", w.words);
  EXPECT(took < 5000, "waiting for a lease ended %llu ms after its deadline of 500 ms", (unsigned long long)took);
  b->st->lease_drop(b->store, lease);
}

static void take_and_die(struct bench *b) {
  if (!(b->m->caps & (HF_ST_LOCAL_PATH | HF_ST_RESUME | HF_ST_DURABLE))) skipped("it keeps nothing beyond the process");
  struct file f = make_file(b, "x.bin", COMMIT_A, 5, 1);
  struct hf_key k = key_of(b, &f);
  take(b, &k, 5000);
  gone();
}
static void take_over(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 5, 1);
  struct hf_key k = key_of(b, &f);
  uint64_t before = now_ms();
  b->st->lease_drop(b->store, take(b, &k, 5000));
  EXPECT(now_ms() - before < 12000, "the lease of a dead holder was given up after %llu ms only",
         (unsigned long long)(now_ms() - before));
}

/* ---- places ---- */

static void space_is_two_words(struct bench *b) {
  struct rows r = {0};
  hf_status st = b->st->space(b->c, b->store, collect(b, HF_PUT_TEXT, &r));
  if (st == HF_ENOSYS) skipped("it knows no limit");
  expect_ok(b, st, "space");
  char *end;
  unsigned long long n = strtoull(r.text, &end, 10);
  EXPECT(r.n == 1 && end != r.text && *end == ' ' && end[1], "space gave \"%s\", not AVAILABLE VOLUME", r.text);
  EXPECT(n > 0, "space says that nothing is free, yet other rules stored files");
}

static void folder_shows_the_commit(struct bench *b) {
  struct file f = make_file(b, "dir/x.bin", COMMIT_A, 700, 1);
  struct rows r = {0};
  store_file(b, &f);
  hf_status st = b->st->folder(b->c, b->store, &b->repo, COMMIT_A, collect(b, HF_PUT_TEXT, &r));
  if (st == HF_ENOSYS) skipped("it shows no folder");
  expect_ok(b, st, "folder");
  EXPECT(r.n == 1 && r.text[0] == '/', "folder gave \"%s\", not an absolute path", r.text);
  char path[4200];
  struct stat s;
  snprintf(path, sizeof path, "%s/dir/x.bin", r.text);
  EXPECT(stat(path, &s) == 0 && (uint64_t)s.st_size == f.size, "the folder does not show a file of the commit");
}

static hf_status count_repo(void *arg, uint32_t what, const void *row) {
  struct bench *b = arg;
  const struct hf_ref *r = row;
  (void)what;
  EXPECT(r->repo.type && r->repo.id, "repo_each gave a row without a repo");
  if (strcmp(r->repo.id, b->repo_id) == 0 && strcmp(r->repo.type, b->repo.type) == 0) b->other_id[0] = 0;
  return HF_OK;
}

static void repo_each(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 700, 1);
  store_file(b, &f);
  expect_ok(b, b->st->repo_each(b->c, b->store, hf_slot_new(b->c, HF_PUT_REF, count_repo, b)), "repo_each");
  EXPECT(!b->other_id[0], "repo_each does not list a repo that has a file");
}

#define W HF_ST_READ_ONLY
static const struct rule rows[] = {
    {"storage/adopt-what-is-there", adopt_what_is_there, 0, W, NULL},
    {"storage/adopt-nothing", adopt_nothing, 0, W, NULL},
    {"storage/remove-keeps-equal-content", removing_one_name_keeps_the_other, 0, W, NULL},
    {"storage/blob-stat", blob_stat, HF_ST_BLOBS, W, NULL},
    {"storage/blob-open", blob_open, HF_ST_BLOBS, W, NULL},
    {"storage/blob-each", blob_each, HF_ST_BLOBS | HF_ST_LIST, W, NULL},
    {"storage/blob-each-of-all", blob_each_of_all, HF_ST_BLOBS | HF_ST_LIST, W, NULL},
    {"storage/blob-remove", blob_remove, HF_ST_BLOBS, W, NULL},
    {"storage/ref-put-get", ref_put_get, HF_ST_REFS, W, NULL},
    {"storage/ref-get-writes-nothing", ref_get_writes_nothing, HF_ST_REFS, 0, NULL},
    {"storage/ref-names-with-slashes", ref_names_with_slashes, HF_ST_REFS, W, NULL},
    {"storage/ref-remove", ref_remove, HF_ST_REFS, W, NULL},
    {"storage/ref-cas-wins", ref_cas_wins, HF_ST_REFS | HF_ST_REF_CAS, W, NULL},
    {"storage/ref-cas-loses", ref_cas_loses, HF_ST_REFS | HF_ST_REF_CAS, W, NULL},
    {"storage/ref-cas-has-one-winner", ref_cas_has_one_winner, HF_ST_REFS | HF_ST_REF_CAS, W, NULL},
    {"storage/ref-each", ref_each, HF_ST_REFS | HF_ST_LIST, W, NULL},
    {"storage/refs-of-repos-are-apart", refs_of_repos_are_apart, HF_ST_REFS, W, NULL},
    {"storage/ref-survives-death", set_ref_and_die, HF_ST_REFS, W, ref_still_set},
    {"storage/tree-get-nothing", tree_get_nothing, HF_ST_TREES, 0, NULL},
    {"storage/tree-put-get", tree_put_get, HF_ST_TREES, W, NULL},
    {"storage/tree-large", tree_large, HF_ST_TREES, W, NULL},
    {"storage/tree-empty", tree_empty, HF_ST_TREES, W, NULL},
    {"storage/tree-is-replaced", tree_is_replaced, HF_ST_TREES, W, NULL},
    {"storage/tree-rows-have-a-stride", tree_rows_have_a_stride, HF_ST_TREES, W, NULL},
    {"storage/tree-knows-what-is-present", tree_knows_what_is_present, HF_ST_TREES, W, NULL},
    {"storage/tree-survives-death", put_tree_and_die, HF_ST_TREES, W, tree_still_there},
    {"storage/lease-take-drop", lease_take_drop, HF_ST_LEASES, W, NULL},
    {"storage/lease-waits-and-can-be-stopped", lease_waits_and_can_be_stopped, HF_ST_LEASES, W, NULL},
    {"storage/lease-of-the-dead-is-taken-over", take_and_die, HF_ST_LEASES, W, take_over},
    {"storage/space-is-two-words", space_is_two_words, 0, 0, NULL},
    {"storage/folder-shows-the-commit", folder_shows_the_commit, HF_ST_LOCAL_PATH, W, NULL},
    {"storage/repo-each", repo_each, HF_ST_LIST, W, NULL},
};
const struct rules storage_group_rules = {rows, COUNT(rows)};
