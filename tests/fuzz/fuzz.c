/* fuzz.c - the runtime, the scratch folder and the text helpers of the fuzz targets.
 * The environment is emptied first: a target's answer depends on its input alone.
 * Whatever goes wrong here ends the program. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static char folder[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
  (void)st, (void)type, (void)at;
  return remove(path);
}

static void remove_folder(void) {
  if (folder[0]) nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void fuzz_remove(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void) {
  if (!folder[0]) {
    snprintf(folder, sizeof folder, "%s/hf-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    FUZZ_CHECK(mkdtemp(folder));
    atexit(remove_folder);
  }
  return folder;
}

static void no_log(void *arg, int32_t level, const char *line) {
  (void)arg, (void)level, (void)line;
}

hf_runtime *fuzz_runtime(const struct hf_plugin *const *statics) {
  static hf_runtime *rt;
  if (rt) return rt;
  static const struct hf_kv settings[] = {{"HF_TRIES", "1"}, {"HF_HUB_DISABLE_TELEMETRY", "1"}};
  struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                 .flags = HF_RT_NO_CONFIG_FILE,
                                 .settings = HF_TABLE_N(settings, 2),
                                 .statics = statics,
                                 .log = no_log};
  static char program[4096]; /* BUILD/tests/fuzz/X: the library's folder is found as from BUILD/bin */
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 32);
  for (int i = 0; n > 0 && i < 3; i++) {
    while (n > 0 && program[n - 1] != '/') n--;
    n -= n > 0;
  }
  if (n > 0) snprintf(program + n, 32, "/bin/hf");
  opts.argv0 = n > 0 ? program : NULL;
  clearenv();
  setenv("HOME", fuzz_folder(), 1);
  setenv("HF_HOME", fuzz_folder(), 1);
  setenv("HF_TEST_BACKOFF_MS", "0", 1);
  FUZZ_CHECK(hf_runtime_new(&opts, &rt) == HF_OK);
  return rt;
}

hf_call *fuzz_call(void) {
  hf_call *c;
  FUZZ_CHECK(hf_call_begin(fuzz_runtime(NULL), &c) == HF_OK);
  return c;
}

char *fuzz_text(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  FUZZ_CHECK(text);
  if (size) memcpy(text, data, size);
  text[size] = 0;
  return text;
}

void fuzz_file(const char *name, const void *data, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 && errno == ENOENT) {
    for (char *p = path + strlen(fuzz_folder()) + 1; (p = strchr(p, '/')) != NULL; p++) {
      *p = 0;
      mkdir(path, 0700);
      *p = '/';
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  FUZZ_CHECK(fd >= 0);
  FUZZ_CHECK(size == 0 || write(fd, data, size) == (ssize_t)size);
  close(fd);
}

char *fuzz_line(char **text) {
  char *line = *text, *end = line ? strchr(line, '\n') : NULL;
  if (end) *end = 0;
  *text = end ? end + 1 : NULL;
  return line;
}
