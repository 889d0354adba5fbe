/* corpus.h - what the plugin tests share: the built test plugins and their table, scratch folders, copies of files.
 * HF_TEST_BUILD is the build folder; the plugins lie in tests/plugins/NAME/hf-NAME.so there.
 * Every function fails the running test when it cannot do its work. */
#ifndef CORPUS_H
#define CORPUS_H
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED_FN __attribute__((unused)) static

UNUSED_FN const char *corpus_file(const char *name) {
  static char path[8][PATH_MAX];
  static unsigned turn;
  char *p = path[turn++ % 8];
  const char *build = getenv("HF_TEST_BUILD");
  ck_assert_msg(build != NULL, "HF_TEST_BUILD is not set");
  snprintf(p, PATH_MAX, "%s/tests/plugins/%s/hf-%s.so", build, name, name);
  ck_assert_msg(access(p, R_OK) == 0, "%s is not built", p);
  return p;
}

/* fn(name, stage, words) for every row of the table; answers how many. */
UNUSED_FN unsigned corpus_each(void (*fn)(const char *, const char *, const char *)) {
  char line[512];
  unsigned n = 0;
  snprintf(line, sizeof line, "%s/tests/plugins/corpus.tsv", getenv("HF_TEST_BUILD"));
  FILE *f = fopen(line, "r");
  ck_assert_msg(f != NULL, "no corpus.tsv");
  while (fgets(line, sizeof line, f)) {
    char *stage = strchr(line, '\t'), *words = stage ? strchr(stage + 1, '\t') : NULL;
    if (!words) continue;
    *stage++ = 0, *words++ = 0;
    words[strcspn(words, "\n")] = 0;
    fn(line, stage, words);
    n++;
  }
  fclose(f);
  return n;
}

/* A new folder that only we may write; removed by scratch_remove(). */
UNUSED_FN const char *scratch_new(void) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/hf-test-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(path));
  return path;
}

UNUSED_FN void scratch_remove(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    execlp("rm", "rm", "-rf", "--", path, (char *)NULL);
    _exit(127);
  }
  ck_assert_int_gt(child, 0);
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) continue;
}

UNUSED_FN size_t file_read(const char *path, unsigned char **out) {
  FILE *f = fopen(path, "rb");
  ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
  fseek(f, 0, SEEK_END);
  long n = ftell(f);
  rewind(f);
  *out = malloc((size_t)n + 1);
  ck_assert_ptr_nonnull(*out);
  ck_assert_uint_eq(fread(*out, 1, (size_t)n, f), (size_t)n);
  (*out)[n] = 0;
  fclose(f);
  return (size_t)n;
}

UNUSED_FN void file_write(const char *path, const void *data, size_t len) {
  FILE *f = fopen(path, "wb");
  ck_assert_msg(f != NULL, "%s: %s", path, strerror(errno));
  ck_assert_uint_eq(fwrite(data, 1, len, f), len);
  ck_assert_int_eq(fclose(f), 0);
}

UNUSED_FN void file_copy(const char *from, const char *to) {
  unsigned char *d;
  size_t n = file_read(from, &d);
  file_write(to, d, n);
  free(d);
}

UNUSED_FN const char *join(const char *folder, const char *name) {
  static char path[8][PATH_MAX];
  static unsigned turn;
  char *p = path[turn++ % 8];
  snprintf(p, PATH_MAX, "%s/%s", folder, name);
  return p;
}

UNUSED_FN int run_suite(Suite *s) {
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#endif
