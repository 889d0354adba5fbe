/* main.c - the hf program. What it can do is in the registry's rows; how it talks is in the files beside this one.
 * Only what belongs to the process as a whole is here: signals that must not kill it, and the shell's request for a
 * completion script. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int main(int argc, char **argv) {
#ifdef HF_TEST_HOOKS
  json_set_alloc_funcs(hf_host()->alloc, hf_host()->release); /* so that a test can let these fail too */
#endif
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write */
  signal(SIGXFSZ, SIG_IGN); /* as is a file that may not grow */
  const char *ask = getenv("_HF_COMPLETE");
  if (ask) {
    char shell[16];
    snprintf(shell, sizeof shell, "%.*s", (int)strcspn(ask, "_"), ask);
    const char *script = strstr(ask, "_source") ? cli_completion_script(shell) : NULL;
    if (script) fputs(script, stdout);
    return script ? CLI_OK : CLI_FAILED;
  }
  int code = cli_main(argc, argv);
  if ((fflush(stdout) || ferror(stdout)) && !code) code = CLI_FAILED;
  return code;
}
