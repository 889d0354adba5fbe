/* fuzz.h - what the targets share: one runtime without plugins or configuration, the input as text, a scratch folder in
 * memory. Each target is one file with LLVMFuzzerTestOneInput(); clang links it with libFuzzer, everybody else with replay.c.
 * A target must not depend on what an earlier input did. */
#ifndef HF_FUZZ_H
#define HF_FUZZ_H
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* fuzz.c. The runtime is made once; statics (NULL-terminated) count at the first call. */
hf_runtime *fuzz_runtime(const struct hf_plugin *const *statics);
hf_call *fuzz_call(void);                          /* a new call of it; end it with hf_call_end() */
char *fuzz_text(const uint8_t *data, size_t size); /* a copy with a NUL behind it; free() it */
const char *fuzz_folder(void);                     /* empty when the program starts */
/* Writes the bytes to a file of the scratch folder; folders on the way are made. */
void fuzz_file(const char *name, const void *data, size_t size);
void fuzz_remove(const char *name); /* a file or folder of it, if it is there */
/* The next line of a text ("a\nb"), cut off; NULL at the end. */
char *fuzz_line(char **text);
#define FUZZ_CHECK(x)  \
  do {                 \
    if (!(x)) abort(); \
  } while (0)
#endif
