/* storage_store.c - rules of a store as a whole: opening, finding, publishing, reading back, removing, and what is still true
 * after the process died.
 * Every rule starts with an empty store, or in a place of the user's under a repo of its own. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage.h"

static void closes_right_away(struct bench *b) {
  b->st->close(b->store);
  b->store = NULL;
}

static void open_creates_nothing(struct bench *b) {
  if (b->own_uri) skipped("the place is the user's");
  uint64_t before = picture(b->scratch);
  reopen(b);
  EXPECT(picture(b->scratch) == before, "open or close wrote something");
  char path[4096];
  snprintf(path, sizeof path, "%s/store", b->scratch);
  EXPECT(access(path, F_OK) != 0, "opening created the store's folder");
}

static void find_writes_nothing(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 100, 1);
  uint64_t before = picture(b->scratch);
  expect_absent(b, &f, "in an empty store");
  EXPECT(b->own_uri || picture(b->scratch) == before, "find wrote something into an empty store");
  store_file(b, &f);
  before = picture(b->scratch);
  struct hf_name n = name_of(b, &f);
  EXPECT(find(b, &n, NULL) == HF_OK, "a published file is not found");
  f.path = "other.json";
  expect_absent(b, &f, "though it was never stored");
  EXPECT(b->own_uri || picture(b->scratch) == before, "find wrote something");
}

static void find_nothing_in_an_empty_store(struct bench *b) {
  struct file f = make_file(b, "a/b/c.txt", COMMIT_A, 1, 1);
  expect_absent(b, &f, "in an empty store");
}

static void find_published(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 1234, 1);
  store_file(b, &f);
  expect_there(b, &f);
}

static void empty_file(struct bench *b) {
  struct file f = make_file(b, "empty.txt", COMMIT_A, 0, 1);
  store_file(b, &f);
  expect_there(b, &f);
}

static void large_file(struct bench *b) {
  struct file f = make_file(b, "model.safetensors", COMMIT_A, (9 << 20) + 17, 2);
  store_file(b, &f);
  expect_there(b, &f);
}

static void deep_names(struct bench *b) {
  struct file f = make_file(b, "a/b/c/d/e/f/g/h/file.bin", COMMIT_A, 77, 3);
  store_file(b, &f);
  expect_there(b, &f);
}

static void strange_names(struct bench *b) {
  static const char *const paths[] = {
      "with space.txt", "\xc3\xbc/\xe6\x96\x87.txt", "-dash", "a.b.c..d", "#hash%20", "quote'\"s", ".hidden/file"};
  for (uint64_t i = 0; i < COUNT(paths); i++) {
    if (strchr(paths[i], '"')) continue; /* not legal everywhere; the core refuses it */
    struct file f = make_file(b, paths[i], COMMIT_A, 50 + i, i);
    store_file(b, &f);
    expect_there(b, &f);
  }
}

static void long_name(struct bench *b) {
  char path[201];
  memset(path, 'n', 200);
  path[200] = 0;
  struct file f = make_file(b, path, COMMIT_A, 20, 4);
  store_file(b, &f);
  expect_there(b, &f);
}

static void names_side_by_side(struct bench *b) {
  struct file a = make_file(b, "data", COMMIT_A, 10, 1), c = make_file(b, "data.d/data", COMMIT_A, 20, 2),
              d = make_file(b, "data.d/data.d", COMMIT_A, 30, 3);
  store_file(b, &a);
  store_file(b, &c);
  store_file(b, &d);
  expect_there(b, &a);
  expect_there(b, &c);
  expect_there(b, &d);
}

static void find_tells_the_truth(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 99, 1);
  store_file(b, &f);
  struct hf_name other = name_of(b, &f);
  struct hf_st_file row;
  other.commit = COMMIT_B;
  if (find(b, &other, &row) == HF_OK)
    EXPECT(!row.commit || strcmp(row.commit, COMMIT_B) != 0,
           "find says that it knows the file for a commit never stored");
  f.path = "config.jso";
  expect_absent(b, &f, "though only config.json was stored");
}

static void repos_are_apart(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 99, 1);
  store_file(b, &f);
  struct hf_name other = {b->other_repo, COMMIT_A, f.path};
  EXPECT(find(b, &other, NULL) == HF_ENOTFOUND, "a file of one repo is found in another");
  other.repo = (struct hf_repo){"dataset", b->repo_id};
  EXPECT(find(b, &other, NULL) == HF_ENOTFOUND, "a file of a model is found in the dataset of the same name");
}

static void commits_are_apart(struct bench *b) {
  struct file a = make_file(b, "config.json", COMMIT_A, 99, 1), c = make_file(b, "config.json", COMMIT_B, 77, 2);
  store_file(b, &a);
  expect_absent(b, &c, "before it was stored");
  store_file(b, &c);
  expect_there(b, &a);
  expect_there(b, &c);
}

static void new_version_is_shown(struct bench *b) {
  struct file a = make_file(b, "weights.bin", COMMIT_A, 5000, 1), c = make_file(b, "weights.bin", COMMIT_B, 4000, 2);
  store_file(b, &a);
  store_file(b, &c);
  expect_there(b, &c);
}

static void ingest_is_invisible(struct bench *b) {
  struct file f = make_file(b, "model.bin", COMMIT_A, 70000, 1);
  struct hf_sink *s = begin(b, &f);
  expect_absent(b, &f, "before a byte was written");
  put_all(b, s, &f);
  expect_absent(b, &f, "before it was sealed");
  void *one = seal(b, s, &f);
  expect_absent(b, &f, "before it was published");
  publish(b, one, &f);
  expect_there(b, &f);
}

static void abort_shows_nothing(struct bench *b) {
  struct file f = make_file(b, "model.bin", COMMIT_A, 70000, 1);
  for (int keep = 0; keep < 2; keep++) {
    struct hf_sink *s = begin(b, &f);
    put_range(b, s, &f, 0, 60013);
    s->abort(s, keep);
    expect_absent(b, &f, "after its sink was aborted");
  }
}

static void abort_without_keep_forgets(struct bench *b) {
  struct file f = make_file(b, "model.bin", COMMIT_A, 70000, 1);
  struct hf_sink *s = begin(b, &f);
  put_range(b, s, &f, 0, 60013);
  s->abort(s, 0);
  struct hf_ingest in = ingest_of(b, &f);
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest");
  EXPECT(!(s->caps & HF_IO_RESUMES), "a sink after an abort that kept nothing says that it resumes");
  s->abort(s, 0);
}

static void abort_gives_the_space_back(struct bench *b) {
  if (b->own_uri) skipped("the place is the user's");
  struct file f = make_file(b, "model.bin", COMMIT_A, 4 << 20, 1);
  struct hf_sink *s = begin(b, &f);
  put_all(b, s, &f);
  s->abort(s, 0);
  char command[4200], line[64] = "";
  snprintf(command, sizeof command, "%s/store", b->scratch);
  /* Bytes of all files below, whatever their names. */
  uint64_t bytes = 0;
  const char *argv[] = {"du", "-s", "-k", command, NULL};
  int ends[2];
  if (access(command, F_OK) || pipe2(ends, O_CLOEXEC)) return;
  pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], 1);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  close(ends[1]);
  if (read(ends[0], line, sizeof line - 1) > 0) bytes = strtoull(line, NULL, 10) << 10;
  EXPECT(bytes < 2 << 20, "%llu bytes lie around after an abort that was to keep nothing", (unsigned long long)bytes);
}

static void discard_shows_nothing(struct bench *b) {
  struct file f = make_file(b, "model.bin", COMMIT_A, 70000, 1);
  struct hf_sink *s = begin(b, &f);
  put_all(b, s, &f);
  b->st->discard(b->store, seal(b, s, &f));
  expect_absent(b, &f, "after its seal was discarded");
  store_file(b, &f);
  expect_there(b, &f);
}

struct order {
  const struct file *files;
  uint32_t n;
};
static hf_status in_order(void *arg, uint32_t what, const void *row) {
  struct order *o = arg;
  const struct hf_st_file *r = row;
  (void)what;
  EXPECT(r->size == o->files[o->n].size || r->size == HF_SIZE_UNKNOWN, "row %u of publish is about another file", o->n);
  o->n++;
  return HF_OK;
}

static void publish_a_group_in_order(struct bench *b) {
  enum { N = 40 };
  static struct file files[N];
  static char paths[N][32];
  void *seals[N];
  for (uint32_t i = 0; i < N; i++) {
    snprintf(paths[i], sizeof paths[i], "part-%02u/file", i);
    files[i] = make_file(b, paths[i], COMMIT_A, 100 + i, i);
    struct hf_sink *s = begin(b, &files[i]);
    put_all(b, s, &files[i]);
    seals[i] = seal(b, s, &files[i]);
  }
  struct order o = {files, 0};
  expect_ok(b, b->st->publish(b->c, b->store, seals, N, hf_slot_new(b->c, HF_PUT_FILE, in_order, &o)), "publish");
  EXPECT(o.n == N, "publish of %d seals gave %u rows", N, o.n);
  for (uint32_t i = 0; i < N; i++) expect_there(b, &files[i]);
}

static void publish_nothing(struct bench *b) {
  struct rows r = {0};
  expect_ok(b, b->st->publish(b->c, b->store, NULL, 0, collect(b, HF_PUT_FILE, &r)), "publish of no seals");
  EXPECT(r.n == 0, "publish of no seals gave %u rows", r.n);
}

static void publish_twice(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 500, 1);
  store_file(b, &f);
  store_file(b, &f);
  expect_there(b, &f);
}

static void two_sinks_at_once(struct bench *b) {
  struct file f = make_file(b, "one.bin", COMMIT_A, 70001, 1), g = make_file(b, "two.bin", COMMIT_A, 70002, 2);
  struct hf_sink *s = begin(b, &f), *t = begin(b, &g);
  put_all(b, s, &f);
  put_all(b, t, &g);
  void *one = seal(b, s, &f), *two = seal(b, t, &g);
  publish(b, two, &g);
  expect_absent(b, &f, "when another file was published");
  publish(b, one, &f);
  expect_there(b, &f);
  expect_there(b, &g);
}

/* Two of one file: either may be told to wait or go away; whoever is served is served right. */
static void one_file_twice_at_once(struct bench *b) {
  struct file f = make_file(b, "one.bin", COMMIT_A, 70001, 1);
  struct hf_ingest in = ingest_of(b, &f);
  struct hf_sink *s = begin(b, &f), *t = NULL;
  hf_status st = b->st->ingest(b->c, b->store, &in, &t);
  if (st != HF_OK) b->h->clear(b->c);
  if (st == HF_OK && t->set_size) expect_ok(b, t->set_size(b->c, t, f.size), "set_size of the second sink");
  put_all(b, s, &f);
  if (st == HF_OK) put_all(b, t, &f);
  publish(b, seal(b, s, &f), &f);
  if (st == HF_OK) publish(b, seal(b, t, &f), &f);
  expect_there(b, &f);
}

struct race {
  struct bench *b;
  struct file *files;
  uint32_t n;
  _Atomic uint32_t done, seen;
};

static void read_whole(struct bench *b, hf_call *c, struct race *r, const struct file *f) {
  struct hf_name n = name_of(b, f);
  struct hf_source *s = NULL;
  if (b->st->open_file(c, b->store, &n, &s) != HF_OK) {
    b->h->clear(c);
    return;
  }
  EXPECT(s->size == f->size, "a file was seen with %llu of its %llu bytes while it was published",
         (unsigned long long)s->size, (unsigned long long)f->size);
  uint8_t buf[4096];
  size_t got = 0;
  uint64_t off = f->size - sizeof buf;
  if (s->pread(c, s, buf, sizeof buf, off, &got) == HF_OK)
    EXPECT(got == sizeof buf && same(buf, got, off, f->seed),
           "a file was seen with wrong bytes while it was published");
  s->close(s);
  r->seen++;
}

static hf_status race_part(hf_call *c, void *arg, uint32_t i) {
  struct race *r = arg;
  if (i == 0) {
    struct bench mine = *r->b;
    mine.c = c;
    for (uint32_t k = 0; k < r->n; k++) store_file(&mine, &r->files[k]);
    r->done = 1;
    return HF_OK;
  }
  while (!r->done)
    for (uint32_t k = 0; k < r->n; k++) read_whole(r->b, c, r, &r->files[k]);
  return HF_OK;
}

static void publish_is_atomic(struct bench *b) {
  if (!at_once(b)) skipped("it is used by one thread at a time");
  enum { N = 12 };
  static struct file files[N];
  static char paths[N][32];
  struct race r = {.b = b, .files = files, .n = N};
  for (uint32_t i = 0; i < N; i++) {
    snprintf(paths[i], sizeof paths[i], "f%u", i);
    files[i] = make_file(b, paths[i], COMMIT_A, 300000 + i, i);
  }
  expect_ok(b, b->h->parallel(b->c, 3, 3, race_part, &r), "publishing while others read");
  for (uint32_t i = 0; i < N; i++) expect_there(b, &files[i]);
}

static hf_status publish_part(hf_call *c, void *arg, uint32_t i) {
  struct race *r = arg;
  struct bench mine = *r->b;
  mine.c = c;
  (void)i;
  store_file(&mine, &r->files[0]);
  return HF_OK;
}

static void two_publishers(struct bench *b) {
  if (!at_once(b)) skipped("it is used by one thread at a time");
  struct file f = make_file(b, "shared.bin", COMMIT_A, 200000, 1);
  struct race r = {.b = b, .files = &f, .n = 1};
  expect_ok(b, b->h->parallel(b->c, 4, 4, publish_part, &r), "four publishers of one file");
  expect_there(b, &f);
}

static void force_stores_again(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 900, 1);
  store_file(b, &f);
  struct hf_ingest in = ingest_of(b, &f);
  in.flags = HF_IN_FORCE;
  struct hf_sink *s = NULL;
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "a forced ingest");
  EXPECT(!(s->caps & HF_IO_RESUMES), "a forced ingest of a published file says that it resumes");
  if (s->set_size) expect_ok(b, s->set_size(b->c, s, f.size), "set_size");
  put_all(b, s, &f);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void open_file_of_nothing(struct bench *b) {
  struct file f = make_file(b, "nothing.bin", COMMIT_A, 9, 1);
  struct hf_name n = name_of(b, &f);
  struct hf_source *s = NULL;
  expect_fails(b, b->st->open_file(b->c, b->store, &n, &s), HF_ENOTFOUND, "open_file of a file never stored");
}

static void source_reads_ranges(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 100000, 1);
  store_file(b, &f);
  struct hf_name n = name_of(b, &f);
  struct hf_source *s = NULL;
  uint8_t buf[1000];
  size_t got = 7;
  expect_ok(b, b->st->open_file(b->c, b->store, &n, &s), "open_file");
  expect_ok(b, s->pread(b->c, s, buf, sizeof buf, 54321, &got), "pread in the middle");
  EXPECT(got == sizeof buf && same(buf, got, 54321, f.seed), "wrong bytes in the middle");
  expect_ok(b, s->pread(b->c, s, buf, sizeof buf, 99900, &got), "pread over the end");
  EXPECT(got == 100 && same(buf, got, 99900, f.seed), "pread over the end gave %zu bytes instead of 100", got);
  expect_ok(b, s->pread(b->c, s, buf, sizeof buf, 100000, &got), "pread at the end");
  EXPECT(got == 0, "pread at the end gave %zu bytes", got);
  expect_ok(b, s->pread(b->c, s, buf, 0, 5, &got), "pread of nothing");
  EXPECT(got == 0, "pread of nothing gave %zu bytes", got);
  s->close(s);
}

struct readers {
  struct bench *b;
  struct hf_source *s;
  const struct file *f;
};
static hf_status read_part(hf_call *c, void *arg, uint32_t i) {
  struct readers *r = arg;
  uint8_t buf[5000];
  size_t got = 0;
  uint64_t off = i * UINT64_C(5000);
  hf_status st = r->s->pread(c, r->s, buf, sizeof buf, off, &got);
  EXPECT(st == HF_OK && got == sizeof buf && same(buf, got, off, r->f->seed), "wrong bytes when many threads read");
  return HF_OK;
}

static void source_reads_at_once(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 200000, 1);
  store_file(b, &f);
  struct hf_name n = name_of(b, &f);
  struct readers r = {b, NULL, &f};
  expect_ok(b, b->st->open_file(b->c, b->store, &n, &r.s), "open_file");
  if (!(r.s->caps & HF_IO_CONCURRENT)) skipped("its sources are read by one thread at a time");
  expect_ok(b, b->h->parallel(b->c, 40, 4, read_part, &r), "reading from many threads");
  r.s->close(r.s);
}

static void removes(struct bench *b) {
  struct file f = make_file(b, "a.bin", COMMIT_A, 500, 1), g = make_file(b, "b.bin", COMMIT_A, 600, 2);
  struct hf_name n = name_of(b, &f);
  hf_status st = b->st->remove(b->c, b->store, &n);
  if (st == HF_ENOSYS) skipped("it cannot remove");
  expect_fails(b, st, HF_ENOTFOUND, "remove of a file never stored");
  store_file(b, &f);
  store_file(b, &g);
  expect_ok(b, b->st->remove(b->c, b->store, &n), "remove");
  expect_absent(b, &f, "after it was removed");
  expect_there(b, &g);
  store_file(b, &f);
  expect_there(b, &f);
}

static void remembers_absence(struct bench *b) {
  struct file f = make_file(b, "missing.json", COMMIT_A, 5, 1);
  struct hf_name n = name_of(b, &f);
  struct hf_st_file row;
  expect_ok(b, b->st->absent(b->c, b->store, &n), "absent");
  EXPECT(find(b, &n, &row) == HF_OK && (row.flags & HF_SF_ABSENT), "what is known to be absent is not found as such");
  n.commit = COMMIT_B;
  EXPECT(find(b, &n, &row) == HF_ENOTFOUND, "absence in one commit counts for another");
}

/* ---- after the process died ---- */

static void need_persistence(struct bench *b) {
  if (!(b->m->caps & (HF_ST_LOCAL_PATH | HF_ST_RESUME | HF_ST_DURABLE))) skipped("it keeps nothing beyond the process");
}

static void publish_and_die(struct bench *b) {
  need_persistence(b);
  struct file f = make_file(b, "config.json", COMMIT_A, 70000, 1);
  store_file(b, &f);
  gone();
}
static void still_there(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 70000, 1);
  expect_there(b, &f);
}

static void seal_and_die(struct bench *b) {
  need_persistence(b);
  struct file f = make_file(b, "config.json", COMMIT_A, 70000, 1);
  struct hf_sink *s = begin(b, &f);
  put_all(b, s, &f);
  seal(b, s, &f);
  gone();
}
static void still_invisible(struct bench *b) {
  struct file f = make_file(b, "config.json", COMMIT_A, 70000, 1);
  expect_absent(b, &f, "after a process died before publishing it");
  store_file(b, &f);
  expect_there(b, &f);
}

static void write_and_die(struct bench *b) {
  need_persistence(b);
  struct file f = make_file(b, "config.json", COMMIT_A, 70000, 1);
  struct hf_sink *s = begin(b, &f);
  put_range(b, s, &f, 0, 60013);
  gone();
}

/* ---- words ---- */

static void failures_have_words(struct bench *b) {
  if (b->own_uri || !(b->m->caps & HF_ST_LOCAL_PATH)) skipped("its place cannot be spoilt from here");
  char path[4096];
  snprintf(path, sizeof path, "%s/store", b->scratch);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  EXPECT(fd >= 0, "the store's folder is there before the first write");
  close(fd);
  struct file f = make_file(b, "config.json", COMMIT_A, 10, 1);
  struct hf_ingest in = ingest_of(b, &f);
  struct hf_sink *s = NULL;
  hf_status st = b->st->ingest(b->c, b->store, &in, &s);
  if (st == HF_OK && s->set_size) st = s->set_size(b->c, s, f.size);
  struct hf_iov v = {"0123456789", 10};
  if (st == HF_OK) st = s->writev(b->c, s, 0, &v, 1);
  unlink(path);
  EXPECT(st < 0, "writing succeeded where no folder can be made");
  const struct hf_error *e = b->h->error(b->c);
  EXPECT(e && e->message && *e->message, "a failure left no sentence in its call");
  EXPECT(e->code == st, "the function answered %s and the error says %s", hf_status_name(st), hf_status_name(e->code));
}

static void two_handles_see_each_other(struct bench *b) {
  need_persistence(b);
  struct file f = make_file(b, "config.json", COMMIT_A, 3000, 1);
  struct bench second = *b;
  open_store(&second);
  store_file(b, &f);
  expect_there(&second, &f);
  second.st->close(second.store);
}

static void reopened_store_has_all(struct bench *b) {
  need_persistence(b);
  struct file f = make_file(b, "config.json", COMMIT_A, 3000, 1);
  store_file(b, &f);
  reopen(b);
  expect_there(b, &f);
}

static void goes_on(struct bench *b) {
  if (b->m->caps & HF_ST_READ_ONLY) skipped("it is read-only");
  struct file f = make_file(b, "afterwards/model.bin", COMMIT_A, 70000, 9);
  expect_absent(b, &f, "before it was stored");
  store_file(b, &f);
  expect_there(b, &f);
}
const struct rule storage_goes_on = {"storage/goes-on", goes_on, 0, 0, NULL};

#define W HF_ST_READ_ONLY
static const struct rule rows[] = {
    {"storage/closes-right-away", closes_right_away, 0, 0, NULL},
    {"storage/open-creates-nothing", open_creates_nothing, 0, 0, NULL},
    {"storage/find-nothing-in-empty-store", find_nothing_in_an_empty_store, 0, 0, NULL},
    {"storage/find-writes-nothing", find_writes_nothing, 0, W, NULL},
    {"storage/find-published", find_published, 0, W, NULL},
    {"storage/find-tells-the-truth", find_tells_the_truth, 0, W, NULL},
    {"storage/empty-file", empty_file, 0, W, NULL},
    {"storage/large-file", large_file, 0, W, NULL},
    {"storage/deep-names", deep_names, 0, W, NULL},
    {"storage/strange-names", strange_names, 0, W, NULL},
    {"storage/long-name", long_name, 0, W, NULL},
    {"storage/names-side-by-side", names_side_by_side, 0, W, NULL},
    {"storage/repos-are-apart", repos_are_apart, HF_ST_BLOBS, W, NULL},
    {"storage/commits-are-apart", commits_are_apart, HF_ST_BLOBS, W, NULL},
    {"storage/new-version-is-shown", new_version_is_shown, 0, W, NULL},
    {"storage/ingest-is-invisible", ingest_is_invisible, 0, W, NULL},
    {"storage/abort-shows-nothing", abort_shows_nothing, 0, W, NULL},
    {"storage/abort-without-keep-forgets", abort_without_keep_forgets, 0, W, NULL},
    {"storage/abort-gives-space-back", abort_gives_the_space_back, 0, W, NULL},
    {"storage/discard-shows-nothing", discard_shows_nothing, 0, W, NULL},
    {"storage/publish-group-in-order", publish_a_group_in_order, 0, W, NULL},
    {"storage/publish-nothing", publish_nothing, 0, W, NULL},
    {"storage/publish-twice", publish_twice, 0, W, NULL},
    {"storage/publish-is-atomic", publish_is_atomic, 0, W, NULL},
    {"storage/two-sinks-at-once", two_sinks_at_once, 0, W, NULL},
    {"storage/one-file-twice-at-once", one_file_twice_at_once, 0, W, NULL},
    {"storage/two-publishers", two_publishers, 0, W, NULL},
    {"storage/force-stores-again", force_stores_again, 0, W, NULL},
    {"storage/open-file-of-nothing", open_file_of_nothing, 0, 0, NULL},
    {"storage/source-reads-ranges", source_reads_ranges, 0, W, NULL},
    {"storage/source-reads-at-once", source_reads_at_once, 0, W, NULL},
    {"storage/removes", removes, 0, W, NULL},
    {"storage/remembers-absence", remembers_absence, HF_ST_ABSENT, W, NULL},
    {"storage/publish-survives-death", publish_and_die, 0, W, still_there},
    {"storage/death-before-publish-shows-nothing", seal_and_die, 0, W, still_invisible},
    {"storage/death-while-writing-shows-nothing", write_and_die, 0, W, still_invisible},
    {"storage/two-handles-see-each-other", two_handles_see_each_other, 0, W, NULL},
    {"storage/reopened-store-has-all", reopened_store_has_all, 0, W, NULL},
    {"storage/failures-have-words", failures_have_words, 0, W, NULL},
};
const struct rules storage_store_rules = {rows, COUNT(rows)};
