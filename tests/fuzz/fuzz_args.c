/* fuzz_args.c - the JSON objects that operations get their arguments in, for every task of the library.
 * Input: first byte chooses the task, the rest is the text.
 * Reading it changes nothing and ends with a table of arguments or an error in words. */
#include "fuzz.h"

static const struct hf_task *tasks[256];
static uint32_t count;

static int keep(void *arg, const struct hf_task *t) {
  (void)arg;
  if (count < HF_COUNT(tasks)) tasks[count++] = t;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  hf_call *c = fuzz_call();
  if (!count) hf_task_each(fuzz_runtime(NULL), keep, NULL);
  FUZZ_CHECK(count);
  char *text = fuzz_text(data + 1, size - 1);
  hf_args *args = NULL;
  hf_status st = hf_args_read(c, tasks[data[0] % count], text, &args);
  if (st == HF_OK)
    (void)hf_args_check(c, args);
  else
    FUZZ_CHECK(hf_call_error(c) && hf_call_error(c)->message[0]);
  hf_args_free(args);
  hf_call_end(c);
  free(text);
  return 0;
}
