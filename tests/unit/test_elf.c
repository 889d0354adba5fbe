/* test_elf.c - what the reader of shared objects finds, and what it refuses: every broken file of the corpus with its
 * reason, files cut at every length, files with flipped bytes, files that are no shared objects at all.
 * None of the files' code runs: the corpus' constructor would end the test. */
#include <elf.h>

#include "corpus.h"
#include "registry.h"

static bool read_path(const char *path, struct hf_facts *f) {
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  ck_assert_int_ge(fd, 0);
  bool ok = hf_elf_read(fd, f);
  close(fd);
  ck_assert_int_eq(ok, f->why[0] == 0);
  ck_assert_int_eq(ok, f->rule == NULL);
  return ok;
}

START_TEST(says_what_the_note_says) {
  struct hf_facts f;
  ck_assert_msg(read_path(corpus_file("good"), &f), "%s", f.why);
  ck_assert_str_eq(f.plugin, "good");
  ck_assert_str_eq(f.version, "1.2.3");
  ck_assert_uint_eq(f.abi_major, HF_ABI_MAJOR);
  ck_assert_uint_eq(f.count, 3);
  ck_assert_uint_eq(f.modules[0].kind, HF_KIND_TRANSFER);
  ck_assert_int_eq(f.modules[0].priority, 7);
  ck_assert_uint_eq(f.modules[0].caps, HF_TR_DOWNLOAD);
  ck_assert_uint_eq(f.modules[1].kind, HF_KIND_TASKS);
  ck_assert_str_eq(f.modules[1].commands, "good");
}
END_TEST

static void corpus_row(const char *name, const char *stage, const char *words) {
  struct hf_facts f;
  bool ok = read_path(corpus_file(name), &f);
  if (strcmp(stage, "file") == 0) {
    ck_assert_msg(!ok, "%s was accepted", name);
    ck_assert_msg(strstr(f.why, words) != NULL, "%s: \"%s\" does not say \"%s\"", name, f.why, words);
  } else {
    ck_assert_msg(ok, "%s: %s", name, f.why);
  }
}

START_TEST(refuses_each_broken_file_with_its_reason) {
  ck_assert_uint_ge(corpus_each(corpus_row), 30);
}
END_TEST

START_TEST(refuses_a_file_cut_anywhere) {
  const char *dir = scratch_new();
  unsigned char *d;
  size_t n = file_read(corpus_file("good"), &d);
  const char *path = join(dir, "hf-cut.so");
  file_write(path, d, n);
  struct hf_facts f;
  ck_assert(read_path(path, &f));
  for (size_t len = n - 1; len > 0; len -= len > 4096 ? 61 : 1) {
    ck_assert_int_eq(truncate(path, (off_t)len), 0);
    ck_assert_msg(!read_path(path, &f), "accepted with %zu of %zu bytes", len, n);
  }
  free(d);
  scratch_remove(dir);
}
END_TEST

START_TEST(survives_flipped_bytes) {
  const char *dir = scratch_new();
  unsigned char *d;
  size_t n = file_read(corpus_file("good"), &d);
  const char *path = join(dir, "hf-flip.so");
  file_write(path, d, n);
  int fd = open(path, O_RDWR);
  struct hf_facts f;
  uint32_t seed = 12345, refused = 0;
  for (int i = 0; i < 6000; i++) {
    seed = seed * 1103515245u + 12345u;
    size_t at = i < 4096 ? (size_t)i % n : (seed >> 8) % n;
    unsigned char was = d[at], bad = (unsigned char)(seed >> 24);
    ck_assert_int_eq(pwrite(fd, &bad, 1, (off_t)at), 1);
    refused += !hf_elf_read(fd, &f);
    ck_assert_uint_lt(strlen(f.why), sizeof f.why);
    ck_assert_int_eq(pwrite(fd, &was, 1, (off_t)at), 1);
  }
  ck_assert_uint_gt(refused, 100); /* the headers and the note are worth that many */
  close(fd);
  free(d);
  scratch_remove(dir);
}
END_TEST

static void header_byte(size_t at, unsigned char value, const char *words) {
  const char *dir = scratch_new();
  const char *path = join(dir, "hf-x.so");
  unsigned char *d;
  size_t n = file_read(corpus_file("good"), &d);
  d[at] = value;
  file_write(path, d, n);
  struct hf_facts f;
  ck_assert(!read_path(path, &f));
  ck_assert_msg(strstr(f.why, words) != NULL, "\"%s\" does not say \"%s\"", f.why, words);
  free(d);
  scratch_remove(dir);
}

START_TEST(refuses_other_machines) {
  header_byte(EI_CLASS, sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64, "-bit programs");
  header_byte(EI_DATA, ELFDATA2MSB, "other byte order");
  header_byte(EI_OSABI, ELFOSABI_FREEBSD, "another system");
  header_byte(18, 0xf0, "another processor");
  header_byte(16, ET_EXEC, "not a shared object");
}
END_TEST

START_TEST(refuses_what_is_no_plugin) {
  const char *dir = scratch_new();
  struct hf_facts f;
  ck_assert(!read_path("/proc/self/exe", &f));
  ck_assert(!read_path(dir, &f));
  ck_assert_str_eq(f.why, "is not a regular file");
  ck_assert_int_eq(mkfifo(join(dir, "fifo"), 0600), 0);
  ck_assert(!read_path(join(dir, "fifo"), &f));
  file_write(join(dir, "empty"), "", 0);
  ck_assert(!read_path(join(dir, "empty"), &f));
  file_write(join(dir, "text"), "#!/bin/sh\n", 10);
  ck_assert(!read_path(join(dir, "text"), &f));
  ck_assert_str_eq(f.why, "is not a shared object");
  ck_assert_str_eq(f.rule, "abi/shared-object");
  scratch_remove(dir);
}
END_TEST

START_TEST(knows_legal_names) {
  ck_assert(hf_name_legal("a") && hf_name_legal("hub-cache") && hf_name_legal("0day"));
  ck_assert(hf_name_legal("a234567890123456789012345678901"));
  ck_assert(!hf_name_legal("a2345678901234567890123456789012"));
  ck_assert(!hf_name_legal("") && !hf_name_legal("-a") && !hf_name_legal("A") && !hf_name_legal("a/b") &&
            !hf_name_legal("a.b"));
}
END_TEST

int main(void) {
  Suite *s = suite_create("elf");
  TCase *t = tcase_create("elf");
  tcase_set_timeout(t, 60);
  tcase_add_test(t, says_what_the_note_says);
  tcase_add_test(t, refuses_each_broken_file_with_its_reason);
  tcase_add_test(t, refuses_a_file_cut_anywhere);
  tcase_add_test(t, survives_flipped_bytes);
  tcase_add_test(t, refuses_other_machines);
  tcase_add_test(t, refuses_what_is_no_plugin);
  tcase_add_test(t, knows_legal_names);
  suite_add_tcase(s, t);
  return run_suite(s);
}
