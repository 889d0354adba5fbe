/* store_kit.h - what the tests of the storage backends share: a runtime with the
 * built plugins, a folder of their own, short ways to store bytes and to look at what
 * lies on disk. Included by test_hub_cache.c, test_local_dir.c and test_memory.c. */
#ifndef STORE_KIT_H
#define STORE_KIT_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core.h"
#include "store.h"

/* Not every test uses everything. */
#pragma GCC diagnostic ignored "-Wunused-function"

#define COMMIT  "0123456789abcdef0123456789abcdef01234567"
#define COMMIT2 "89abcdef0123456789abcdef0123456789abcdef"
#define ETAG    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ETAG2   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define XET     "ab00000000000000000000000000000000000000000000000000000000000000"

static hf_runtime *kit_rt;
static hf_call *kit_c;
static char kit_dir[256], kit_log[65536];
static const struct hf_repo kit_repo = {"model", "org/name"};

static void kit_keep_line(void *arg, int32_t level, const char *line) {
  (void)arg;
  (void)level;
  size_t n = strlen(kit_log);
  snprintf(kit_log + n, sizeof kit_log - n, "%s\n", line);
}

static void kit_begin(void) {
  char argv0[1024], home[300];
  const char *build = getenv("HF_TEST_BUILD"), *tmp = getenv("TMPDIR");
  static const char *const clean[] = {"HF_HUB_CACHE",
                                      "HUGGINGFACE_HUB_CACHE",
                                      "HF_HUB_DISABLE_SYMLINKS",
                                      "HF_HUB_DISABLE_XET",
                                      "HF_HUB_DISABLE_SHARED_BLOBS",
                                      "HF_DURABILITY",
                                      "XDG_CACHE_HOME",
                                      "HF_PLUGIN_PATH",
                                      "HF_STORE"};
  ck_assert_msg(build != NULL, "HF_TEST_BUILD is not set");
  for (size_t i = 0; i < HF_COUNT(clean); i++) unsetenv(clean[i]);
  snprintf(kit_dir, sizeof kit_dir, "%s/hf-store-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(kit_dir));
  snprintf(home, sizeof home, "%s/home", kit_dir);
  setenv("HF_HOME", home, 1);
  snprintf(argv0, sizeof argv0, "%s/bin/hf", build);
  struct hf_kv quiet = {"HF_HUB_VERBOSITY", "info"};
  struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                 .flags = HF_RT_NO_CONFIG_FILE,
                                 .settings = HF_TABLE_N(&quiet, 1),
                                 .argv0 = argv0,
                                 .log = kit_keep_line};
  kit_log[0] = 0;
  umask(022);
  ck_assert_msg(hf_runtime_new(&opts, &kit_rt) == HF_OK, "%s", hf_runtime_problem());
  ck_assert_int_eq(hf_call_begin(kit_rt, &kit_c), HF_OK);
}

static int kit_unlink(const char *path, const struct stat *st, int type, struct FTW *w) {
  (void)st;
  (void)w;
  return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void kit_end(void) {
  hf_call_end(kit_c);
  hf_runtime_free(kit_rt);
  nftw(kit_dir, kit_unlink, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *why(void) {
  const struct hf_error *e = hf_host()->error(kit_c);
  return e && e->message ? e->message : "(no message)";
}

#define OK(x)                                                                  \
  do {                                                                         \
    hf_status ok_ = (x);                                                       \
    ck_assert_msg(ok_ == HF_OK, "%s: %s: %s", #x, hf_status_name(ok_), why()); \
  } while (0)
#define FAILS(code, x)                                                                                 \
  do {                                                                                                 \
    hf_status got_ = (x);                                                                              \
    ck_assert_msg(got_ == (code), "%s: %s instead of %s: %s", #x, hf_status_name(got_), #code, why()); \
    hf_host()->clear(kit_c);                                                                           \
  } while (0)

/* A path below the test's folder; a few live at the same time. */
HF_PRINTF(1, 2) static const char *at(const char *fmt, ...) {
  static char ring[8][2048];
  static unsigned next;
  char *out = ring[next++ % 8];
  int n = snprintf(out, 2048, "%s/", kit_dir);
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(out + n, 2048 - (size_t)n, fmt, ap);
  va_end(ap);
  return out;
}

static hf_store *kit_open(const char *backend, const char *folder) {
  char uri[512];
  hf_store *s = NULL;
  snprintf(uri, sizeof uri, "%s:%s/%s", backend, kit_dir, folder);
  OK(hf_store_open(kit_c, uri, &s));
  return s;
}

static struct hf_ingest kit_what(const char *path, const char *etag, uint64_t size) {
  return (struct hf_ingest){
      .struct_size = sizeof(struct hf_ingest), .name = {kit_repo, COMMIT, path}, .etag = etag, .size = size};
}

static void *kit_seal(hf_store *s, const struct hf_ingest *in, const char *data, size_t len) {
  struct hf_sink *sink = NULL;
  void *seal = NULL;
  struct hf_iov v = {data, len};
  OK(hf_store_sink(kit_c, s, in, &sink));
  if (len) OK(sink->writev(kit_c, sink, 0, &v, 1));
  if (sink->size == HF_SIZE_UNKNOWN) OK(sink->set_size(kit_c, sink, len));
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  return seal;
}

static struct hf_st_file kit_row;
static uint32_t kit_rows;

static hf_status kit_on_row(void *arg, uint32_t what, const void *row) {
  (void)arg;
  (void)what;
  kit_row = *(const struct hf_st_file *)row;
  kit_rows++;
  return HF_OK;
}

/* For threads: counts nothing. */
static hf_status kit_skip_row(void *arg, uint32_t what, const void *row) {
  (void)arg;
  (void)what;
  (void)row;
  return HF_OK;
}

static void kit_put_as(hf_store *s, const struct hf_ingest *in, const char *text) {
  void *seal = kit_seal(s, in, text, strlen(text));
  kit_rows = 0;
  OK(hf_store_publish(kit_c, s, &seal, 1, kit_on_row, NULL));
  ck_assert_uint_eq(kit_rows, 1);
}

static void kit_put(hf_store *s, const char *path, const char *etag, const char *text) {
  struct hf_ingest in = kit_what(path, etag, strlen(text));
  kit_put_as(s, &in, text);
}

/* ---- looking at the disk ---- */

static const char *file_text(const char *path) {
  static char ring[4][65536];
  static unsigned next;
  char *out = ring[next++ % 4];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
  ssize_t n = read(fd, out, 65535);
  close(fd);
  out[n > 0 ? n : 0] = 0;
  return out;
}

static const char *link_text(const char *path) {
  static char out[1024];
  ssize_t n = readlink(path, out, sizeof out - 1);
  ck_assert_msg(n >= 0, "%s: %s", path, strerror(errno));
  out[n] = 0;
  return out;
}

static bool there(const char *path) {
  struct stat st;
  return lstat(path, &st) == 0;
}

static unsigned mode_of(const char *path) {
  struct stat st;
  ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
  return st.st_mode & 07777;
}

static ino_t inode_of(const char *path) {
  struct stat st;
  ck_assert_msg(lstat(path, &st) == 0, "%s: %s", path, strerror(errno));
  return st.st_ino;
}

static void write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
  ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void make_dir(const char *path) {
  char buf[2048];
  snprintf(buf, sizeof buf, "%s", path);
  for (char *p = buf + 1; *p; p++)
    if (*p == '/') {
      *p = 0;
      mkdir(buf, 0755);
      *p = '/';
    }
  mkdir(buf, 0755);
}

/* Everything below a folder with type, size and change time: equal lists mean that nothing was written. */
static char kit_census_text[65536];
static int kit_census_one(const char *path, const struct stat *st, int type, struct FTW *w) {
  (void)w;
  size_t n = strlen(kit_census_text);
  snprintf(kit_census_text + n, sizeof kit_census_text - n, "%s %d %lld %lld.%ld\n", path, type, (long long)st->st_size,
           (long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);
  return 0;
}

static char *kit_census(const char *folder) {
  kit_census_text[0] = 0;
  nftw(folder, kit_census_one, 16, FTW_PHYS);
  return strdup(kit_census_text);
}

static uint32_t kit_count_names;
static const char *kit_count_part;
static int kit_count_one(const char *path, const struct stat *st, int type, struct FTW *w) {
  (void)st;
  (void)w;
  (void)type;
  kit_count_names += strstr(path, kit_count_part) != NULL;
  return 0;
}

/* Files and folders below whose path holds a text. */
static uint32_t kit_count(const char *folder, const char *part) {
  kit_count_names = 0;
  kit_count_part = part;
  nftw(folder, kit_count_one, 16, FTW_PHYS);
  return kit_count_names;
}

/* From now on a system call fails, as on an old kernel, in a sandbox or on another file system. */
static void kit_refuse(unsigned number, unsigned error) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog prog = {HF_COUNT(code), code};
  ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

static int kit_run(Suite *s) {
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
#endif
