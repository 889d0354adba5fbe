/* main.c - the hf program. What it can do is in the registry's rows; how it talks is in the files beside this one.
 * Only what belongs to the process as a whole is here: signals that must not kill it, and the shell's request for a
 * completion script. */
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli.h"

/* Whoever looks at the processes of this machine sees the words of every command line: a secret among them is moved away
 * from where the kernel reads it. For the moment before that nothing can be done: use the token file or HF_TOKEN. */
static void hide_secrets(int argc, char **argv) {
  static const char *const options[] = {"--token", "--secrets"};
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    for (size_t k = 0; k < sizeof options / sizeof options[0]; k++) {
      size_t n = strlen(options[k]);
      if (strncmp(argv[i], options[k], n) != 0 || (argv[i][n] && argv[i][n] != '=')) continue;
      int at = argv[i][n] ? i : i + 1;
      char *value = argv[at], *copy = value ? strdup(value) : NULL;
      if (!copy) break;
      n = at == i ? n + 1 : 0;
      memset(value + n, '*', strlen(value + n));
      argv[at] = copy;
      i = at;
      break;
    }
}

/* A crash writes no memory, with its tokens, to disk; somebody who hunts for one says HF_DEBUG. */
static void no_core_dumps(void) {
  struct rlimit r;
  if (getenv("HF_DEBUG") || getrlimit(RLIMIT_CORE, &r) != 0) return;
  r.rlim_cur = 0;
  (void)setrlimit(RLIMIT_CORE, &r);
}

/* Started without one of them, the program would print into whatever file it opens first. */
static void standard_descriptors(void) {
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) < 0) (void)!open("/dev/null", O_RDWR);
}

int main(int argc, char **argv) {
#ifdef HF_TEST_HOOKS
  json_set_alloc_funcs(hf_host()->alloc, hf_host()->release); /* so that a test can let these fail too */
#endif
  standard_descriptors();
  uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0)); /* whatever a plugin sets for the process */
  hide_secrets(argc, argv);
  no_core_dumps();
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
