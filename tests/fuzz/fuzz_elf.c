/* fuzz_elf.c - what a file says about itself before it may be a plugin: ELF header, segments, dynamic section, note.
 * Input: the file. It is read through a descriptor, as the loader does.
 * Facts that are handed on are names and numbers within their limits. */
#include <sys/mman.h>

#include "fuzz.h"
#include "registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int fd = -1;
  static struct hf_facts facts;
  fuzz_runtime(NULL);
  if (fd < 0) fd = memfd_create("plugin", MFD_CLOEXEC);
  FUZZ_CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
  memset(&facts, 0, sizeof facts);
  bool good = hf_elf_read(fd, &facts);
  FUZZ_CHECK(good == (facts.why[0] == 0));
  FUZZ_CHECK(memchr(facts.why, 0, sizeof facts.why) && facts.count <= HF_MODULES_MAX);
  for (uint32_t i = 0; good && i < facts.count; i++)
    FUZZ_CHECK(hf_name_legal(facts.modules[i].name) &&
               memchr(facts.modules[i].commands, 0, sizeof facts.modules[i].commands));
  return 0;
}
