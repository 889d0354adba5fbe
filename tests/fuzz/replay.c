/* replay.c - runs a target over files and folders of inputs, so that any compiler can replay a corpus.
 * Besides each input itself it runs a number of deterministic changes of it: cut short, one byte changed, doubled.
 * replay FILE_OR_FOLDER...; a crash or abort is the verdict. */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

static unsigned long runs;

static void one(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size ? size : 1); /* of its own size: reads beyond it are seen by the sanitizers */
  FUZZ_CHECK(copy);
  if (size) memcpy(copy, data, size);
  LLVMFuzzerTestOneInput(copy, size);
  free(copy);
  runs++;
}

static void changed(uint8_t *data, size_t size) {
  static const uint8_t bytes[] = {0, 0xff, '\n', '"', '/', '.', '9', 0x80};
  uint32_t random = (uint32_t)size * 2654435761u + 1;
  one(data, size);
  for (unsigned i = 0; i < 24 && size; i++) {
    random = random * 1664525u + 1013904223u;
    size_t at = random % size;
    uint8_t was = data[at];
    if (i < 8)
      one(data, at);
    else {
      data[at] = bytes[i % sizeof bytes];
      one(data, size);
      data[at] = was;
    }
  }
}

static void file(const char *path) {
  FILE *f = fopen(path, "rb");
  struct stat st;
  FUZZ_CHECK(f && fstat(fileno(f), &st) == 0);
  uint8_t *data = malloc((size_t)st.st_size + 1);
  FUZZ_CHECK(data && fread(data, 1, (size_t)st.st_size, f) == (size_t)st.st_size);
  fclose(f);
  changed(data, (size_t)st.st_size);
  free(data);
}

int main(int argc, char **argv) {
  int verdict = dup(STDOUT_FILENO);
  FUZZ_CHECK(verdict >= 0 && freopen("/dev/null", "w", stdout));
  if (!getenv("HF_FUZZ_LOUD")) FUZZ_CHECK(freopen("/dev/null", "w", stderr));
  for (int i = 1; i < argc; i++) {
    DIR *d = opendir(argv[i]);
    char path[4096];
    if (!d) file(argv[i]);
    for (struct dirent *e; d && (e = readdir(d));) {
      if (e->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
      file(path);
    }
    if (d) closedir(d);
  }
  dprintf(verdict, "%lu runs\n", runs);
  return runs ? 0 : 1;
}
