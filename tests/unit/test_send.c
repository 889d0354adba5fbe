/* Sending: sources of files that change or are none, one pass with digests and sums, the source that gives only bytes that were
 * hashed, and the dispatcher: adapters take over, refused targets are replaced, parts are remembered, every file ends once.
 * The adapters are this test's own; nothing goes over a network. */
#define HF_STATIC_PLUGIN senders
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit_runtime.h"

#undef fail
enum { MIB = 1 << 20, FILES = 40 };

/* ---- two adapters ---- */

static const struct hf_host *H;
static struct adapter {
  int32_t score;
  uint32_t runs, fails_first; /* how many runs fail */
  hf_status with;
  uint32_t http;
  bool pending, by_parts, hangs;
  _Atomic uint64_t bytes;
  uint32_t finishes, closes;
} one, two;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool pending_done;

static hf_status load(const struct hf_host *h, void **state) {
  H = h;
  *state = NULL;
  return HF_OK;
}

static hf_status open_as(struct adapter *a, const struct hf_tr_batch *b, void **session) {
  ck_assert_uint_eq(b->direction, HF_TR_UPLOAD);
  ck_assert_ptr_nonnull(b->part_done);
  void **pair = malloc(2 * sizeof *pair);
  pair[0] = a;
  pair[1] = (void *)(uintptr_t)b;
  *session = pair;
  return HF_OK;
}

static hf_status open_one(hf_call *c, const struct hf_tr_batch *b, void **s) {
  (void)c;
  return open_as(&one, b, s);
}
static hf_status open_two(hf_call *c, const struct hf_tr_batch *b, void **s) {
  (void)c;
  return open_as(&two, b, s);
}
static int32_t score_one(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return one.score;
}
static int32_t score_two(hf_call *c, const struct hf_tr_batch *b) {
  (void)c, (void)b;
  return two.score;
}

static hf_status run(hf_call *c, void *session, struct hf_tr_file *f) {
  struct adapter *a = ((void **)session)[0];
  const struct hf_tr_batch *b = ((void **)session)[1];
  static const uint32_t block = 100000;
  uint8_t *buf = malloc(block);
  hf_status st = HF_OK;
  pthread_mutex_lock(&lock);
  uint32_t n = ++a->runs;
  pthread_mutex_unlock(&lock);
  while (a->hangs && st == HF_OK) {
    st = H->check(c);
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
  }
  if (n <= a->fails_first) {
    free(buf);
    struct hf_error e = {.struct_size = sizeof e, .code = a->with, .http_status = a->http, .message = "on purpose"};
    return H->fail(c, &e);
  }
  for (uint64_t off = 0; st == HF_OK && off < f->source->size;) {
    size_t got = 0;
    st = f->source->pread(c, f->source, buf, block, off, &got);
    ck_assert(st != HF_OK || got > 0);
    off += got;
    atomic_fetch_add(&a->bytes, got);
  }
  free(buf);
  for (uint32_t i = 0; st == HF_OK && a->by_parts && i < f->parts.count; i++)
    if (!f->part_etags[i]) st = b->part_done(c, b, f, i, "\"tag\"");
  return st == HF_OK && a->pending ? HF_PENDING : st;
}

static hf_status finish(hf_call *c, void *session) {
  struct adapter *a = ((void **)session)[0];
  (void)c;
  ck_assert(!pending_done);
  a->finishes++;
  return HF_OK;
}
static void close_session(void *session) {
  ((struct adapter *)((void **)session)[0])->closes++;
  free(session);
}

static const struct hf_transfer module_one = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "one", "first", HF_THREADS_ANY, 10, HF_TR_UPLOAD),
    .score = score_one,
    .open = open_one,
    .run = run,
    .finish = finish,
    .close = close_session};
static const struct hf_transfer module_two = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "two", "second", HF_THREADS_ANY, 10, HF_TR_UPLOAD),
    .score = score_two,
    .open = open_two,
    .run = run,
    .finish = finish,
    .close = close_session};
static const struct hf_transfer module_down = {
    .m = HF_MODULE(hf_transfer, HF_KIND_TRANSFER, "down", "does not send", HF_THREADS_ANY, 10, HF_TR_DOWNLOAD),
    .score = score_two,
    .open = open_two,
    .run = run,
    .finish = finish,
    .close = close_session};
static const struct hf_module *const modules[] = {&module_one.m, &module_two.m, &module_down.m};
HF_PLUGIN("senders", "1.0.0", "Apache-2.0", "adapters of the test", load, NULL, modules,
          {HF_KIND_TRANSFER, 10, HF_TR_UPLOAD, "one", ""});
static const struct hf_plugin *const statics[] = {&hf_plugin_v1_senders, NULL};

/* ---- a folder, a runtime and a call ---- */

static hf_runtime *rt;
static hf_call *call;
static char folder[64], path[128];

static void setup(void) {
  char argv0[4096];
  const char *build = getenv("HF_TEST_BUILD");
  snprintf(argv0, sizeof argv0, "%s/bin/hf", build ? build : ".");
  memset(&one, 0, sizeof one);
  memset(&two, 0, sizeof two);
  one.score = 100;
  two.score = 50;
  pending_done = false;
  struct hf_runtime_opts o = {.struct_size = sizeof o,
                              .flags = HF_RT_NO_PLUGINS | HF_RT_NO_CONFIG_FILE,
                              .statics = statics,
                              .argv0 = argv0,
                              .log = unit_keep_line};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
  ck_assert(hf_call_begin(rt, &call) == HF_OK);
  snprintf(folder, sizeof folder, "/tmp/hf-send-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/file", folder);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  unlink(path);
  rmdir(folder);
}

#define OK(x)                                                                                                  \
  do {                                                                                                         \
    hf_status ok_ = (x);                                                                                       \
    const struct hf_error *e_ = hf_call_error(call);                                                           \
    ck_assert_msg(ok_ == HF_OK, "%s: %s (%s)", #x, hf_status_name(ok_), e_ && e_->message ? e_->message : ""); \
  } while (0)
#define FAILS(code_, x)                                                                     \
  do {                                                                                      \
    hf_status is_ = (x);                                                                    \
    ck_assert_msg(is_ == (code_), "%s: %s instead of %s", #x, hf_status_name(is_), #code_); \
    ck_assert_ptr_nonnull(hf_call_error(call));                                             \
    hf_call_clear(call);                                                                    \
  } while (0)

static void write_file(const char *name, const void *data, size_t len, const char *mode) {
  FILE *f = fopen(name, mode);
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(data, 1, len, f), len);
  ck_assert_int_eq(fclose(f), 0);
}

static uint8_t *letters(size_t n, unsigned seed) {
  uint8_t *p = malloc(n + 1);
  for (size_t i = 0; i < n; i++) p[i] = (uint8_t)((i * 2654435761u + seed) >> 11);
  return p;
}

static void poke(const char *name, off_t off, uint8_t byte) {
  FILE *f = fopen(name, "r+");
  ck_assert_ptr_nonnull(f);
  fseek(f, off, SEEK_SET);
  fputc(byte, f);
  fclose(f);
}

/* ---- sources ---- */

START_TEST(only_files_are_files) {
  struct hf_source *s;
  char other[256];
  FAILS(HF_ENOTFOUND, hf_source_file(call, path, 0, NULL, &s, NULL));
  FAILS(HF_EINVAL, hf_source_file(call, folder, 0, NULL, &s, NULL));
  FAILS(HF_EINVAL, hf_source_file(call, "/dev/zero", 0, NULL, &s, NULL));
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  FAILS(HF_EINVAL, hf_source_file(call, path, 0, NULL, &s, NULL)); /* and does not wait for a writer */
  unlink(path);
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  snprintf(a.sun_path, sizeof a.sun_path, "%.90s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
  FAILS(HF_EINVAL, hf_source_file(call, path, 0, NULL, &s, NULL));
  close(fd);
  unlink(path);
  write_file(path, "hello", 5, "w");
  snprintf(other, sizeof other, "%s/link", folder);
  ck_assert_int_eq(symlink(path, other), 0);
  OK(hf_source_file(call, other, 0, NULL, &s, NULL));
  ck_assert_uint_eq(s->size, 5);
  s->close(s);
  unlink(other);
}
END_TEST

START_TEST(a_change_shows) {
  struct hf_source *s;
  struct hf_stamp was;
  char buf[16];
  size_t got;
  write_file(path, "hello", 5, "w");
  OK(hf_source_file(call, path, 0, NULL, &s, &was));
  OK(s->pread(call, s, buf, sizeof buf, 1, &got));
  ck_assert(got == 4 && !memcmp(buf, "ello", 4));
  OK(s->pread(call, s, buf, sizeof buf, 5, &got));
  ck_assert_uint_eq(got, 0);
  write_file(path, "more", 4, "a");
  FAILS(HF_ECONFLICT, s->pread(call, s, buf, sizeof buf, 0, &got));
  s->close(s);
  FAILS(HF_ECONFLICT, hf_source_file(call, path, 0, &was, &s, NULL));
  OK(hf_source_file(call, path, HF_SOURCE_GROWS, &was, &s, NULL)); /* a log that is written to */
  ck_assert_uint_eq(s->size, 5);
  OK(s->pread(call, s, buf, sizeof buf, 0, &got));
  ck_assert(got == 5 && !memcmp(buf, "hello", 5));
  ck_assert_int_eq(truncate(path, 3), 0);
  FAILS(HF_ECONFLICT, s->pread(call, s, buf, sizeof buf, 0, &got));
  s->close(s);
}
END_TEST

/* ---- one pass ---- */

static void scan_of(const void *data, size_t len, struct hf_scan *r) {
  struct hf_source *s;
  OK(hf_source_memory(call, "bytes", data, len, &s));
  *r = (struct hf_scan){.struct_size = sizeof *r, .want = HF_SCAN_SHA256 | HF_SCAN_GIT_BLOB};
  OK(hf_source_scan(call, s, r));
  s->close(s);
}

static void check_hex(const struct hf_digest *d, const char *want) {
  char text[65] = "";
  for (uint32_t i = 0; i < d->len; i++) snprintf(text + 2 * i, 3, "%02x", d->bytes[i]);
  ck_assert_str_eq(text, want);
}

START_TEST(one_pass) {
  struct hf_scan r;
  uint32_t block;
  scan_of("hello\n", 6, &r);
  check_hex(&r.sha256, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
  check_hex(&r.git_blob, "ce013625030ba8dba906f756967f9e9ca394464a");
  ck_assert_uint_eq(r.sample_len, 6);
  ck_assert_uint_eq(r.count, 1);
  hf_mem_free(r.sums);
  scan_of("", 0, &r);
  check_hex(&r.git_blob, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  ck_assert_uint_eq(r.count, 0);
  hf_mem_free(r.sums);
  size_t n = 3 * MIB + 17;
  uint8_t *data = letters(n, 1);
  scan_of(data, n, &r);
  ck_assert_uint_eq(r.count, hf_scan_blocks(n, &block));
  ck_assert_uint_eq(r.block, block);
  ck_assert_uint_eq(r.sample_len, 512);
  ck_assert_mem_eq(r.sample, data, 512);
  uint64_t first = r.sums[0], last = r.sums[r.count - 1];
  hf_mem_free(r.sums);
  data[n - 1] ^= 1;
  scan_of(data, n, &r);
  ck_assert(r.sums[0] == first && r.sums[r.count - 1] != last);
  hf_mem_free(r.sums);
  free(data);
  ck_assert_uint_le(hf_scan_blocks((uint64_t)5 << 40, &block), 1 << 18); /* the largest file's sums stay small */
}
END_TEST

/* Large enough for a second thread, and not a whole number of pieces. */
enum { LARGE = 17 * MIB + 4321, SCANS = 6 };

static hf_status scan_file(hf_call *c, void *arg, uint32_t i) {
  struct hf_scan *r = (struct hf_scan *)arg + i;
  struct hf_source *s;
  OK(hf_source_file(c, path, 0, NULL, &s, NULL));
  *r = (struct hf_scan){.struct_size = sizeof *r, .want = HF_SCAN_SHA256 | HF_SCAN_GIT_BLOB};
  OK(hf_source_scan(c, s, r));
  s->close(s);
  return HF_OK;
}

START_TEST(a_large_file_is_scanned_by_two) {
  struct hf_scan want, is[SCANS];
  uint8_t *data = letters(LARGE, 3);
  scan_of(data, LARGE, &want);
  write_file(path, data, LARGE, "w");
  for (uint32_t turn = 0; turn < 2; turn++) { /* by itself, then beside others */
    uint32_t n = turn ? SCANS : 1;
    OK(hf_parallel(call, n, n, scan_file, is));
    for (uint32_t i = 0; i < n; i++) {
      ck_assert_mem_eq(is[i].sha256.bytes, want.sha256.bytes, 32);
      ck_assert_mem_eq(is[i].git_blob.bytes, want.git_blob.bytes, 20);
      ck_assert_uint_eq(is[i].count, want.count);
      ck_assert_mem_eq(is[i].sums, want.sums, want.count * sizeof *want.sums);
      ck_assert_mem_eq(is[i].sample, want.sample, 512);
      hf_mem_free(is[i].sums);
    }
  }
  hf_mem_free(want.sums);
  free(data);
}
END_TEST

static struct failing {
  uint64_t from; /* reads behind it end so: */
  hf_status with;
} failing;

static hf_status failing_pread(hf_call *c, struct hf_source *s, void *buf, size_t len, uint64_t off, size_t *got) {
  (void)s;
  *got = 0;
  if (off >= failing.from) return failing.with == HF_OK ? HF_OK : hf_call_failf(c, failing.with, "the disk is broken");
  memset(buf, 'x', len);
  *got = len;
  return HF_OK;
}

START_TEST(a_large_file_that_cannot_be_read) {
  struct hf_source s = {
      .struct_size = sizeof s, .caps = HF_IO_CONCURRENT, .size = LARGE, .name = "broken", .pread = failing_pread};
  struct hf_scan r = {.struct_size = sizeof r, .want = HF_SCAN_SHA256};
  for (failing.from = 0; failing.from < LARGE; failing.from += 3 * MIB) {
    failing.with = HF_EIO;
    FAILS(HF_EIO, hf_source_scan(call, &s, &r));
    ck_assert_ptr_null(r.sums);
    failing.with = HF_OK;
    FAILS(HF_ECONFLICT, hf_source_scan(call, &s, &r));
    ck_assert_ptr_null(r.sums);
  }
}
END_TEST

START_TEST(only_what_was_hashed) {
  size_t n = 2 * MIB + 5, got;
  uint8_t *data = letters(n, 7), *back = malloc(n);
  struct hf_scan r = {.struct_size = sizeof r, .want = HF_SCAN_SHA256};
  struct hf_source *raw, *s;
  write_file(path, data, n, "w");
  OK(hf_source_file(call, path, 0, NULL, &raw, NULL));
  OK(hf_source_scan(call, raw, &r));
  OK(hf_source_check(call, raw, r.block, r.sums, r.count, UINT32_MAX, &s));
  for (size_t off = n; off > 0;) { /* from behind, in odd pieces */
    size_t take = off < 77777 ? off : 77777;
    off -= take;
    OK(s->pread(call, s, back + off, take, off, &got));
    ck_assert_uint_eq(got, take);
  }
  ck_assert_mem_eq(back, data, n);
  s->close(s);
  /* The same size and times, other bytes: only the sums know. */
  struct stat st;
  stat(path, &st);
  poke(path, 2 * MIB, (uint8_t)(data[2 * MIB] ^ 1));
  OK(hf_source_file(call, path, 0, NULL, &raw, NULL));
  OK(hf_source_check(call, raw, r.block, r.sums, r.count, UINT32_MAX, &s));
  OK(s->pread(call, s, back, 1000, 0, &got)); /* the blocks before it are right */
  FAILS(HF_ECONFLICT, s->pread(call, s, back, 5, 2 * MIB, &got));
  ck_assert_uint_eq(got, 0); /* not one wrong byte */
  FAILS(HF_ECONFLICT, s->pread(call, s, back, 5, 2 * MIB, &got));
  s->close(s);
  OK(hf_source_memory(call, "shorter", data, n - MIB, &raw));
  FAILS(HF_ECONFLICT, hf_source_check(call, raw, r.block, r.sums, r.count, UINT32_MAX, &s));
  hf_mem_free(r.sums);
  free(data);
  free(back);
}
END_TEST

/* Sixteen readers at once, each of its own part: more parts than there is room for blocks. */
struct readers {
  struct hf_source *s;
  const uint8_t *data;
  size_t n;
};

static hf_status read_part(hf_call *c, void *arg, uint32_t i) {
  struct readers *r = arg;
  size_t part = r->n / 64, off = i * part;
  uint8_t *back = malloc(part);
  for (size_t at = 0; at < part;) {
    size_t got, take = part - at < 50001 ? part - at : 50001;
    hf_status st = r->s->pread(c, r->s, back + at, take, off + at, &got);
    if (st != HF_OK) return free(back), st;
    at += got;
  }
  bool same = !memcmp(back, r->data + off, part);
  free(back);
  return same ? HF_OK : HF_EDIGEST;
}

START_TEST(many_readers) {
  size_t n = 32 * MIB;
  uint8_t *data = letters(n, 9);
  struct hf_scan r;
  struct hf_source *raw;
  struct readers all = {.data = data, .n = n};
  scan_of(data, n, &r);
  OK(hf_source_memory(call, "bytes", data, n, &raw));
  OK(hf_source_check(call, raw, r.block, r.sums, r.count, UINT32_MAX, &all.s));
  OK(hf_parallel(call, 64, 48, read_part, &all));
  all.s->close(all.s);
  hf_mem_free(r.sums);
  free(data);
}
END_TEST

/* ---- the dispatcher ---- */

static struct hf_send_file files[FILES];
static const char *etags[FILES][3];
static uint32_t ended[FILES];
static _Atomic uint32_t refreshed, parts_told;
static hf_status ends[FILES], refresh_answers;
static char body[5000];

static hf_status on_open(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, struct hf_source **out) {
  (void)arg, (void)i;
  return hf_source_memory(c, f->path, body, f->size, out);
}
static hf_status on_done(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, hf_status st) {
  (void)c, (void)arg, (void)f;
  pthread_mutex_lock(&lock);
  ended[i]++;
  ends[i] = st;
  pthread_mutex_unlock(&lock);
  return HF_OK;
}
static hf_status on_refresh(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i) {
  (void)c, (void)arg, (void)i;
  refreshed++;
  f->url = "http://fresh/";
  return refresh_answers;
}
static hf_status on_part(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, uint32_t part) {
  (void)c, (void)arg, (void)i;
  ck_assert_str_eq(f->etags[part], "\"tag\"");
  parts_told++;
  return HF_OK;
}

static hf_status send_files(uint32_t n, const char *adapters) {
  memset(ended, 0, sizeof ended);
  refreshed = parts_told = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (files[i].path) continue;
    files[i] = (struct hf_send_file){.struct_size = sizeof files[i], .path = "f", .url = "http://x/", .size = 5000};
  }
  struct hf_send s = {.struct_size = sizeof s,
                      .repo = {"model", "a/b"},
                      .files = files,
                      .count = n,
                      .adapters = adapters,
                      .open = on_open,
                      .part = on_part,
                      .refresh = on_refresh,
                      .done = on_done};
  hf_status st = hf_send(call, &s);
  for (uint32_t i = 0; i < n; i++) ck_assert_uint_eq(ended[i], 1);
  ck_assert_uint_eq(one.closes + two.closes, (one.runs > 0) + (two.runs > 0));
  return st;
}

START_TEST(all_are_sent) {
  memset(files, 0, sizeof files);
  OK(send_files(FILES, NULL));
  ck_assert_uint_eq(one.runs, FILES);
  ck_assert_uint_eq(two.runs, 0);
  ck_assert_uint_eq(one.bytes, FILES * 5000u);
  ck_assert_uint_eq(one.finishes, 1);
  one.closes = 0;
  one.runs = 0;
  OK(send_files(3, "two"));
  ck_assert_uint_eq(two.runs, 3);
  FAILS(HF_EINVAL, send_files(1, "down"));
}
END_TEST

START_TEST(the_next_takes_over) {
  memset(files, 0, sizeof files);
  one.fails_first = UINT32_MAX;
  one.with = HF_EPROTO;
  OK(send_files(5, NULL));
  ck_assert_uint_eq(two.runs, 5);
  ck_assert_uint_eq(refreshed, 0);
}
END_TEST

/* Neither reads nor ends: asked to stop, and the other one goes on. */
START_TEST(one_that_hangs_is_replaced) {
  memset(files, 0, sizeof files);
  one.hangs = true;
  OK(hf_call_option(call, "HF_ADAPTER_TIMEOUT", "1"));
  OK(send_files(3, NULL));
  ck_assert_uint_eq(one.runs, 3);
  ck_assert_uint_eq(two.runs, 3);
  memset(files, 0, sizeof files);
  one.closes = two.closes = one.runs = two.runs = 0;
  FAILS(HF_ETIMEDOUT, send_files(1, "one"));
  ck_assert_uint_eq(two.runs, 0);
}
END_TEST

START_TEST(what_no_other_can_help) {
  memset(files, 0, sizeof files);
  one.fails_first = UINT32_MAX;
  one.with = HF_ECONFLICT; /* the file changed */
  FAILS(HF_ECONFLICT, send_files(1, NULL));
  ck_assert_uint_eq(two.runs, 0);
  ck_assert_int_eq(ends[0], HF_ECONFLICT);
}
END_TEST

START_TEST(a_refused_target) {
  memset(files, 0, sizeof files);
  one.fails_first = 1;
  one.with = HF_EAUTH;
  one.http = 403;
  refresh_answers = HF_OK;
  OK(send_files(1, NULL));
  ck_assert_uint_eq(refreshed, 1);
  ck_assert_uint_eq(one.runs, 2);
  ck_assert_str_eq(files[0].url, "http://fresh/");
  /* The server has it by now. */
  memset(files, 0, sizeof files);
  one = (struct adapter){.score = 100, .fails_first = 1, .with = HF_ENOTFOUND, .http = 404};
  refresh_answers = HF_PENDING;
  OK(send_files(1, NULL));
  ck_assert_uint_eq(one.runs, 1);
  /* Not for ever. */
  memset(files, 0, sizeof files);
  one = (struct adapter){.score = 100, .fails_first = UINT32_MAX, .with = HF_EAUTH, .http = 403};
  refresh_answers = HF_OK;
  FAILS(HF_EAUTH, send_files(1, NULL));
  ck_assert_uint_le(refreshed, 3);
}
END_TEST

START_TEST(parts_are_remembered) {
  static const struct hf_tr_part parts[3] = {
      {"http://x/1", 0, 2000}, {"http://x/2", 2000, 2000}, {"http://x/3", 4000, 1000}};
  memset(files, 0, sizeof files);
  memset(etags, 0, sizeof etags);
  etags[0][1] = "\"there\"";
  files[0] = (struct hf_send_file){.struct_size = sizeof files[0],
                                   .path = "f",
                                   .complete_url = "http://x/c",
                                   .size = 5000,
                                   .parts = HF_TABLE(parts),
                                   .etags = etags[0]};
  one.by_parts = true;
  OK(send_files(1, NULL));
  ck_assert_uint_eq(parts_told, 2);
  ck_assert_str_eq(etags[0][0], "\"tag\"");
  ck_assert_str_eq(etags[0][1], "\"there\"");
}
END_TEST

START_TEST(pending_until_finish) {
  memset(files, 0, sizeof files);
  one.pending = true;
  OK(send_files(7, NULL));
  for (uint32_t i = 0; i < 7; i++) ck_assert_int_eq(ends[i], HF_OK);
  ck_assert_uint_eq(one.finishes, 1);
}
END_TEST

int main(void) {
  Suite *s = suite_create("send");
  TCase *c = tcase_create("send");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, only_files_are_files);
  tcase_add_test(c, a_change_shows);
  tcase_add_test(c, one_pass);
  tcase_add_test(c, a_large_file_is_scanned_by_two);
  tcase_add_test(c, a_large_file_that_cannot_be_read);
  tcase_add_test(c, only_what_was_hashed);
  tcase_add_test(c, many_readers);
  tcase_add_test(c, all_are_sent);
  tcase_add_test(c, the_next_takes_over);
  tcase_add_test(c, one_that_hangs_is_replaced);
  tcase_add_test(c, what_no_other_can_help);
  tcase_add_test(c, a_refused_target);
  tcase_add_test(c, parts_are_remembered);
  tcase_add_test(c, pending_until_finish);
  suite_add_tcase(s, c);
  return unit_run(s);
}
