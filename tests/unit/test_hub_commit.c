/* Commits before the network: which paths are refused, in which order a folder's files come, the lines of a commit byte for byte,
 * the journal of digests (unchanged, changed, torn, foreign, just written), and targets that survive the process.
 * Real folders, no requests. */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commit.h"
#undef TRY /* the core has its own */
#undef HF_COUNT
#include "unit_runtime.h"

static hf_runtime *rt;
static hf_call *call;
static struct hf_hub hub;
static char home[64];

static void setup(void) {
  char argv0[4096];
  const char *build = getenv("HF_TEST_BUILD");
  snprintf(home, sizeof home, "/tmp/hf-commit-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(home));
  snprintf(argv0, sizeof argv0, "%s/bin/hf", build ? build : ".");
  setenv("HF_HOME", home, 1);
  unsetenv("HF_TOKEN");
  struct hf_runtime_opts o = {
      .struct_size = sizeof o, .flags = HF_RT_NO_PLUGINS | HF_RT_NO_CONFIG_FILE, .argv0 = argv0, .log = unit_keep_line};
  ck_assert_msg(hf_runtime_new(&o, &rt) == HF_OK, "%s", hf_runtime_problem());
  ck_assert_int_eq(hf_call_begin(rt, &call), HF_OK);
  hub = (struct hf_hub){.call = call, .endpoint = "https://hub.example"};
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path);
}

static void teardown(void) {
  hf_call_end(call);
  hf_runtime_free(rt);
  nftw(home, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *in_home(const char *name) {
  static char paths[4][256];
  static unsigned next;
  char *p = paths[next++ % 4];
  snprintf(p, 256, "%s/%s", home, name);
  return p;
}

static void put(const char *name, const char *text) {
  FILE *f = fopen(in_home(name), "w");
  ck_assert_ptr_nonnull(f);
  fputs(text, f);
  fclose(f);
}

static void age(const char *name) { /* as if written long ago */
  struct timespec t[2] = {{1000000000, 5}, {1000000000, 7}};
  ck_assert_int_eq(utimensat(AT_FDCWD, in_home(name), t, 0), 0);
  usleep(80000); /* the change time cannot be set */
}

#define OK(x)                                                                                                  \
  do {                                                                                                         \
    hf_status ok_ = (x);                                                                                       \
    const struct hf_error *e_ = hf_call_error(call);                                                           \
    ck_assert_msg(ok_ == HF_OK, "%s: %s (%s)", #x, hf_status_name(ok_), e_ && e_->message ? e_->message : ""); \
  } while (0)

/* ---- paths ---- */

START_TEST(paths) {
  static const struct {
    const char *path, *is; /* NULL: refused */
  } rows[] = {{"a", "a"},
              {"a/b.txt", "a/b.txt"},
              {"/a", "a"},
              {"./a", "a"},
              {"a b", "a b"},
              {"a\nb", "a\nb"},
              {"..a", "..a"},
              {"a..", "a.."},
              {".gitignore", ".gitignore"},
              {".cached/x", ".cached/x"},
              {"\xc3\xa9/\xf0\x9f\x98\x80", "\xc3\xa9/\xf0\x9f\x98\x80"},
              {".", NULL},
              {"", NULL},
              {"/", NULL},
              {"..", NULL},
              {"../a", NULL},
              {"a/../b", NULL},
              {"a/..", NULL},
              {"a//b", NULL},
              {"a/", NULL},
              {".git", NULL},
              {"a/.git/b", NULL},
              {".cache/x", NULL},
              {"a/.cache", NULL},
              {"\xff", NULL},
              {"a\xc0\xaf"
               "b",
               NULL},
              {"\xed\xa0\x80", NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *out = NULL;
    hf_status st = hf_hub_check_file_target(call, rows[i].path, &out);
    ck_assert_msg((st == HF_OK) == (rows[i].is != NULL), "'%s'", rows[i].path);
    if (rows[i].is) {
      ck_assert_str_eq(out, rows[i].is);
      continue;
    }
    ck_assert_str_eq(hf_call_error(call)->cls, "ValueError");
    hf_call_clear(call);
  }
}
END_TEST

/* ---- a folder ---- */

START_TEST(folder_in_order) {
  static const char *const sorted[] = {"p/README.md", "p/a/z", "p/a.txt", "p/b/link", "p/b/y/x"};
  static const char *const folders[] = {"f",      "f/a", "f/b",        "f/b/y",
                                        "f/.git", "f/c", "f/c/.cache", "f/c/.cache/huggingface"};
  struct hf_hub_ops ops = {0};
  struct hf_hub_patterns all = {0};
  for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) ck_assert_int_eq(mkdir(in_home(folders[i]), 0700), 0);
  put("f/a/z", "1"), put("f/a.txt", "22"), put("f/b/y/x", "333"), put("f/README.md", "# x"), put("f/.git/HEAD", "no");
  put("f/c/.cache/huggingface/no", "no");
  ck_assert_int_eq(symlink("../a.txt", in_home("f/b/link")), 0);
  ck_assert_int_eq(symlink("a", in_home("f/folder-link")), 0);
  ck_assert_int_eq(symlink("nowhere", in_home("f/broken")), 0);
  ck_assert_int_eq(mkfifo(in_home("f/pipe"), 0600), 0);
  OK(hf_hub_add_folder(call, &ops, in_home("f"), "p/", &all));
  ck_assert_uint_eq(ops.count, 5);
  for (uint32_t i = 0; i < ops.count; i++) ck_assert_str_eq(ops.rows[i].path, sorted[i]);
  ck_assert_uint_eq(ops.rows[2].stamp.size, 2);
  ck_assert_uint_eq(ops.rows[3].stamp.size, 2); /* of what the link leads to */
  hf_hub_ops_free(&ops);
  static const char *const only[] = {"*.txt", "b/"}, *const not_y[] = {"b/y/*"};
  struct hf_hub_patterns some = {only, not_y, 2, 1};
  OK(hf_hub_add_folder(call, &ops, in_home("f"), "", &some));
  ck_assert_uint_eq(ops.count, 2);
  ck_assert_str_eq(ops.rows[0].path, "a.txt");
  ck_assert_str_eq(ops.rows[1].path, "b/link");
  hf_hub_ops_free(&ops);
  put("f/a/\xff", "bad name");
  ck_assert_int_eq(hf_hub_add_folder(call, &ops, in_home("f"), "", &all), HF_EINVAL);
  hf_hub_ops_free(&ops);
}
END_TEST

/* ---- the body ---- */

static char *read_body(struct hf_source *s, size_t step) {
  char *text = malloc(s->size + 1);
  size_t at = 0, got = 1;
  for (; got; at += got) {
    OK(s->pread(call, s, text + at, step < s->size + 1 - at ? step : s->size + 1 - at, at, &got));
    ck_assert_uint_le(at + got, s->size);
  }
  ck_assert_uint_eq(at, s->size); /* not one byte less or more than announced */
  text[at] = 0;
  return text;
}

START_TEST(body_lines) {
  static const char want[] =
      "{\"key\": \"header\", \"value\": {\"summary\": \"K\\u00e4se \\\"q\\\"\", \"description\": \"\", "
      "\"parentCommit\": \"abcdef\"}}\n"
      "{\"key\": \"file\", \"value\": {\"content\": \"aGVsbG8K\", \"path\": \"a.txt\", \"encoding\": \"base64\"}}\n"
      "{\"key\": \"file\", \"value\": {\"content\": \"\", \"path\": \"empty\", \"encoding\": \"base64\"}}\n"
      "{\"key\": \"lfsFile\", \"value\": {\"path\": \"big \\ud83d\\ude00\", \"algo\": \"sha256\", \"oid\": "
      "\"0101010101010101010101010101010101010101010101010101010101010101\", \"size\": 7}}\n"
      "{\"key\": \"deletedFile\", \"value\": {\"path\": \"x\"}}\n"
      "{\"key\": \"deletedFolder\", \"value\": {\"path\": \"y/\"}}\n"
      "{\"key\": \"lfsFile\", \"value\": {\"path\": \"copy\", \"algo\": \"sha256\", \"oid\": \"ab\"}}\n"
      "{\"key\": \"file\", \"value\": {\"content\": \"YQ==\", \"path\": \"small\", \"encoding\": \"base64\"}}\n";
  struct hf_hub_ops ops = {0};
  struct hf_hub_op *rows[8];
  struct hf_source *body;
  put("a", "hello\n");
  OK(hf_hub_add_file(call, &ops, "a.txt", in_home("a")));
  OK(hf_hub_add_bytes(call, &ops, "empty", "", 0));
  OK(hf_hub_add_bytes(call, &ops, "big \xf0\x9f\x98\x80", "1234567", 7));
  OK(hf_hub_add_deletion(call, &ops, "x", false));
  OK(hf_hub_add_deletion(call, &ops, "y/", true));
  OK(hf_hub_add_copy(call, &ops, "copy", &(struct hf_hub_copy){.path = "from", .sha256 = "ab"}));
  OK(hf_hub_add_copy(call, &ops, "small", &(struct hf_hub_copy){.path = "from", .content = "a", .len = 1}));
  for (uint32_t i = 0; i < ops.count; i++) rows[i] = &ops.rows[i];
  rows[0]->mode = rows[1]->mode = HF_MODE_REGULAR;
  rows[2]->mode = HF_MODE_LFS;
  memset(rows[2]->sha256, 1, 32);
  OK(hf_hub_commit_body(call, "K\xc3\xa4se \"q\"", "", "abcdef", rows, ops.count, &body));
  static const size_t steps[] = {1, 7, 100000};
  for (size_t i = 0; i < 3; i++) { /* read again from the front, in any steps */
    char *text = read_body(body, steps[i]);
    ck_assert_str_eq(text, want);
    free(text);
  }
  body->close(body);
  hf_hub_ops_free(&ops);
}
END_TEST

START_TEST(body_of_a_file_that_changed) {
  struct hf_hub_ops ops = {0};
  struct hf_source *body;
  char buf[4096];
  size_t got;
  put("a", "hello\n");
  OK(hf_hub_add_file(call, &ops, "a.txt", in_home("a")));
  struct hf_hub_commit k = {.hub = &hub, .ops = ops};
  struct hf_hub_op *rows[] = {&ops.rows[0]};
  ops.rows[0].mode = HF_MODE_REGULAR;
  OK(hf_hub_hash_rest(&k, call, rows, 1));
  OK(hf_hub_commit_body(call, "m", "", NULL, rows, 1, &body));
  put("a", "other\n");
  ck_assert_int_eq(body->pread(call, body, buf, sizeof buf, 0, &got), HF_ECONFLICT);
  body->close(body);
  hf_hub_ops_free(&ops);
}
END_TEST

/* ---- the journal of digests ---- */

static bool recalls(const char *name, struct hf_hub_op *found) {
  struct hf_hub_commit k = {.hub = &hub};
  OK(hf_hub_add_file(call, &k.ops, "x", in_home(name)));
  k.hashes = hf_hub_hashes_open(call);
  bool known = hf_hub_hash_recall(&k) == 1;
  hf_hub_hashes_close(k.hashes);
  if (found) *found = k.ops.rows[0], found->sums = NULL, found->sample = NULL;
  hf_hub_ops_free(&k.ops);
  return known;
}

static void hash_it(const char *name) {
  struct hf_hub_commit k = {.hub = &hub};
  OK(hf_hub_add_file(call, &k.ops, "x", in_home(name)));
  k.hashes = hf_hub_hashes_open(call);
  struct hf_hub_op *rows[] = {&k.ops.rows[0]};
  rows[0]->mode = HF_MODE_LFS;
  OK(hf_hub_hash_rest(&k, call, rows, 1));
  hf_hub_hashes_close(k.hashes);
  hf_hub_ops_free(&k.ops);
}

/* Appends to, or damages, every journal file there is. */
static void spoil(bool append) {
  for (int i = 0; i < 64; i++) {
    char name[40];
    snprintf(name, sizeof name, ".upload/hashes-%02d", i);
    int fd = open(in_home(name), O_RDWR);
    if (fd < 0) continue;
    off_t end = lseek(fd, 0, SEEK_END);
    if (append)
      ck_assert_int_eq(write(fd, "torn record", 11), 11);
    else
      ck_assert_int_eq(pwrite(fd, "\x55", 1, end - 40), 1);
    close(fd);
  }
}

START_TEST(digests_are_remembered) {
  struct hf_hub_op op;
  struct stat st;
  put("a", "hello\n");
  hash_it("a"); /* written just now: whether that is remembered depends on how fast this machine is */
  age("a");
  hash_it("a");
  ck_assert(recalls("a", &op));
  static const uint8_t first[] = {0x58, 0x91, 0xb5, 0xb5};
  ck_assert_mem_eq(op.sha256, first, 4);
  ck_assert(op.flags & HF_OP_SUMS);
  ck_assert_int_eq(stat(in_home(".upload"), &st), 0);
  ck_assert_int_eq(st.st_mode & 0777, 0700);
  put("b", "hello\n"); /* the same content under another inode */
  ck_assert(!recalls("b", NULL));
  put("a", "HELLO\n"); /* the same size, other times */
  ck_assert(!recalls("a", NULL));
  age("a");
  ck_assert(!recalls("a", NULL)); /* the same modification time, another change time */
}
END_TEST

START_TEST(a_torn_journal) {
  put("a", "hello\n"), put("b", "world\n");
  age("a");
  hash_it("a");
  spoil(true);
  ck_assert(recalls("a", NULL)); /* what is before it counts */
  spoil(false);
  ck_assert(!recalls("a", NULL)); /* damaged: not believed */
  age("b");
  hash_it("b"); /* and it goes on being written */
}
END_TEST

/* ---- targets ---- */

static json_t *object(const char *text) {
  json_t *o = json_loads(text, 0, NULL);
  ck_assert_ptr_nonnull(o);
  return o;
}

static const char multipart[] =
    "{\"oid\":\"x\",\"size\":2500,\"actions\":{\"upload\":{\"href\":\"https://huggingface.co/api/complete?x=1\","
    "\"expires_in\":600,\"header\":{\"chunk_size\":\"1000\",\"00002\":\"https://s3/2\",\"00001\":\"https://s3/1\","
    "\"00003\":\"https://s3/3\",\"Authorization\":\"secret\"}},\"verify\":{\"href\":\"https://elsewhere/v\",\"header\":"
    "{\"Authorization\":\"Basic secret\"}}}}";

START_TEST(targets) {
  static const char *const wrong[] = {
      "{\"actions\":{\"upload\":{}}}",
      "{\"actions\":{\"upload\":{\"href\":\"u\",\"header\":{\"chunk_size\":\"x\"}}}}",
      "{\"actions\":{\"upload\":{\"href\":\"u\",\"header\":{\"chunk_size\":0}}}}",
      "{\"actions\":{\"upload\":{\"href\":\"u\",\"header\":{\"chunk_size\":1000,\"1\":\"a\",\"2\":\"b\"}}}}",
      "{\"actions\":{\"upload\":{\"href\":\"u\",\"header\":{\"chunk_size\":1000,\"1\":\"a\",\"2\":\"b\",\"4\":\"c\"}}}"
      "}",
      "{\"actions\":{\"upload\":{\"href\":\"u\",\"header\":{\"chunk_size\":1000,\"1\":\"a\",\"2\":\"b\",\"02\":\"c\"}}}"
      "}",
      "{\"actions\":{\"upload\":{\"href\":\"u\"},\"verify\":{}}}"};
  struct hf_hub_target t;
  json_t *o = object(multipart);
  OK(hf_hub_target_read(&hub, call, o, 2500, &t));
  json_decref(o);
  ck_assert_uint_eq(t.part_count, 3);
  ck_assert_str_eq(t.parts[1].url, "https://s3/2");
  ck_assert_uint_eq(t.parts[2].off, 2000);
  ck_assert_uint_eq(t.parts[2].len, 500);
  ck_assert_str_eq(t.complete_url, "https://hub.example/api/complete?x=1"); /* as this endpoint spells it */
  ck_assert_uint_eq(t.header_count, 0);
  ck_assert_str_eq(t.verify_headers[0].value, "Basic secret");
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    o = object(wrong[i]);
    ck_assert_msg(hf_hub_target_read(&hub, call, o, 2500, &t) != HF_OK, "%s", wrong[i]);
    hf_call_clear(call);
    json_decref(o);
  }
}
END_TEST

START_TEST(targets_are_kept) {
  struct hf_repo repo = {"model", "a/b"};
  struct hf_hub_target t, back;
  struct stat st;
  bool known;
  uint64_t size = (uint64_t)2500 << 10;
  char text[8192] = "";
  json_t *o = object(multipart);
  json_object_set_new(json_object_get(json_object_get(json_object_get(o, "actions"), "upload"), "header"), "chunk_size",
                      json_integer(1000 << 10));
  OK(hf_hub_target_read(&hub, call, o, size, &t));
  json_decref(o);
  struct hf_hub_saved *s = hf_hub_target_open(&hub, call, &repo, "0123", size, &back, &known);
  ck_assert(s && !known);
  hf_hub_target_save(s, &t);
  hf_hub_target_part(s, 2, "\"three\"");
  ck_assert_ptr_null(hf_hub_target_open(&hub, call, &repo, "0123", size, &back, &known)); /* one at a time */
  hf_hub_target_close(s, false);
  s = hf_hub_target_open(&hub, call, &repo, "0123", size, &back, &known);
  ck_assert(s && known);
  ck_assert_str_eq(back.etags[2], "\"three\"");
  ck_assert_ptr_null(back.etags[0]);
  ck_assert_str_eq(back.parts[0].url, "https://s3/1");
  char full[512];
  snprintf(full, sizeof full, "%s/.upload/parts", home);
  DIR *dir = opendir(full);
  ck_assert_ptr_nonnull(dir);
  struct dirent *entry;
  while ((entry = readdir(dir)) && entry->d_name[0] == '.') continue;
  ck_assert_ptr_nonnull(entry);
  snprintf(full, sizeof full, "%s/.upload/parts/%s", home, entry->d_name);
  closedir(dir);
  FILE *f = fopen(full, "r");
  ck_assert_ptr_nonnull(f);
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  ck_assert_uint_gt(n, 0);
  text[n] = 0;
  ck_assert_ptr_null(strstr(text, "secret")); /* credentials are not kept */
  ck_assert_int_eq(stat(full, &st), 0);
  ck_assert_int_eq(st.st_mode & 0777, 0600);
  hf_hub_target_close(s, true);
  ck_assert_int_ne(stat(full, &st), 0); /* done: gone */
  /* Another repo, another size, another file: not this target. */
  s = hf_hub_target_open(&hub, call, &repo, "0123", size, &back, &known);
  hf_hub_target_save(s, &t);
  hf_hub_target_close(s, false);
  s = hf_hub_target_open(&hub, call, &repo, "0123", size + 1, &back, &known);
  ck_assert(!known);
  hf_hub_target_close(s, false);
  s = hf_hub_target_open(&hub, call, &(struct hf_repo){"dataset", "a/b"}, "0123", size, &back, &known);
  ck_assert(!known);
  hf_hub_target_close(s, false);
  t.expires = time(NULL) + 5; /* nearly over */
  s = hf_hub_target_open(&hub, call, &repo, "4567", size, &back, &known);
  hf_hub_target_save(s, &t);
  hf_hub_target_close(s, false);
  s = hf_hub_target_open(&hub, call, &repo, "4567", size, &back, &known);
  ck_assert(!known);
  hf_hub_target_close(s, false);
}
END_TEST

/* ---- what is unchanged ---- */

START_TEST(unchanged) {
  struct hf_hub_op op = {.kind = HF_OP_ADD, .mode = HF_MODE_REGULAR, .flags = HF_OP_GIT, .remote_len = 20};
  ck_assert(hf_hub_op_unchanged(&op));
  op.remote[3] = 1;
  ck_assert(!hf_hub_op_unchanged(&op));
  op.remote[3] = 0;
  op.flags |= HF_OP_DELETED_TOO; /* it would be gone */
  ck_assert(!hf_hub_op_unchanged(&op));
  op.flags = 0; /* not hashed yet */
  ck_assert(!hf_hub_op_unchanged(&op));
  op = (struct hf_hub_op){.kind = HF_OP_ADD, .mode = HF_MODE_LFS, .flags = HF_OP_SHA256 | HF_OP_GIT, .remote_len = 20};
  ck_assert(!hf_hub_op_unchanged(&op)); /* a regular file becomes a large one */
  op.remote_len = 32;
  ck_assert(hf_hub_op_unchanged(&op));
}
END_TEST

int main(void) {
  Suite *s = suite_create("hub_commit");
  TCase *c = tcase_create("commit");
  tcase_add_checked_fixture(c, setup, teardown);
  tcase_add_test(c, paths);
  tcase_add_test(c, folder_in_order);
  tcase_add_test(c, body_lines);
  tcase_add_test(c, body_of_a_file_that_changed);
  tcase_add_test(c, digests_are_remembered);
  tcase_add_test(c, a_torn_journal);
  tcase_add_test(c, targets);
  tcase_add_test(c, targets_are_kept);
  tcase_add_test(c, unchanged);
  suite_add_tcase(s, c);
  return unit_run(s);
}
