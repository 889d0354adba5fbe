/* fuzz_argv.c - the command line: every command's own reader, with any words behind it.
 * Input: first byte chooses the command, the rest are words, one a line.
 * It ends with an exit code of its own or arguments that the command accepts; nothing is run. */
#include "cli.h"
#include "fuzz.h"

static const struct hf_task *tasks[256];
static uint32_t count;

static int keep(void *arg, const struct hf_task *t) {
  (void)arg;
  if (count < HF_COUNT(tasks) && !(t->flags & HF_TK_NOT_A_COMMAND)) tasks[count++] = t;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!size) return 0;
  hf_runtime *rt = fuzz_runtime(cli_plugins);
  if (!count) hf_task_each(rt, keep, NULL);
  char *text = fuzz_text(data + 1, size - 1), *rest = text, *words[64] = {0};
  int n = 0;
  while (rest && n < 60) words[n++] = fuzz_line(&rest);
  struct cli_parsed parsed = {.mode = CLI_HUMAN};
  int code = cli_parse(rt, tasks[data[0] % count], "hf x", n, words, &parsed);
  FUZZ_CHECK(code >= -1 && code <= 2);
  if (code < 0) hf_args_free(parsed.args);
  free(text);
  return 0;
}
