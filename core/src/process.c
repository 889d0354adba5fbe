/* process.c - what a plugin's load() and unload() may not change of the process around them: working folder, umask, locale,
 * environment, signal mask, the handlers of signals that programs rely on, and the three standard descriptors. Put back when they return.
 * Handlers of crashes are the plugin's own affair: language runtimes need them. */
#include "process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const int watched[HF_PROCESS_SIGNALS] = {SIGHUP,  SIGINT,  SIGQUIT, SIGPIPE, SIGALRM, SIGTERM,
                                                SIGCHLD, SIGXFSZ, SIGUSR1, SIGUSR2, SIGWINCH};

static size_t environment_rows(void) {
  size_t n = 0;
  while (environ && environ[n]) n++;
  return n + 1;
}

static char **environment_copy(void) {
  size_t n = environment_rows();
  char **copy = hf_mem_alloc(n * sizeof *copy);
  if (copy && environ) memcpy(copy, environ, n * sizeof *copy);
  return copy;
}

/* The strings of a variable that was replaced stay where they are. A changed table is replaced by the copy, for good. */
static void environment_back(char **copy) {
  size_t i = 0;
  if (!copy) return;
  while (environ && copy[i] && copy[i] == environ[i]) i++;
  if (!environ || copy[i] != environ[i])
    environ = copy;
  else
    hf_mem_free(copy);
}

/* Only by setting it can it be read; the moment in between is stricter than any. */
static mode_t umask_now(void) {
  mode_t m = umask(0077);
  umask(m);
  return m;
}

void hf_process_keep(struct hf_process *p) {
  const char *name = setlocale(LC_ALL, NULL);
  p->folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  p->mask = umask_now();
  p->own = uselocale((locale_t)0);
  p->environment = environment_copy();
  p->locale = name ? hf_mem_dup(name, SIZE_MAX) : NULL;
  pthread_sigmask(SIG_SETMASK, NULL, &p->blocked);
  for (unsigned i = 0; i < HF_PROCESS_SIGNALS; i++) p->known[i] = sigaction(watched[i], NULL, &p->actions[i]) == 0;
  for (int fd = 0; fd < 3; fd++) p->standard[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static bool same_action(const struct sigaction *a, const struct sigaction *b) {
  return a->sa_flags == b->sa_flags &&
         (a->sa_flags & SA_SIGINFO ? a->sa_sigaction == b->sa_sigaction : a->sa_handler == b->sa_handler);
}

static bool same_file(int a, int b) {
  struct stat x, y;
  return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

void hf_process_back(struct hf_process *p) {
  const char *name = setlocale(LC_ALL, NULL);
  if (p->folder >= 0) (void)!fchdir(p->folder);
  if (p->folder >= 0) close(p->folder);
  umask(p->mask);
  if (p->locale && (!name || strcmp(name, p->locale) != 0)) setlocale(LC_ALL, p->locale);
  if (uselocale((locale_t)0) != p->own) uselocale(p->own);
  hf_mem_free(p->locale);
  environment_back(p->environment);
  pthread_sigmask(SIG_SETMASK, &p->blocked, NULL);
  for (unsigned i = 0; i < HF_PROCESS_SIGNALS; i++) {
    struct sigaction is;
    if (p->known[i] && sigaction(watched[i], NULL, &is) == 0 && !same_action(&is, &p->actions[i]))
      sigaction(watched[i], &p->actions[i], NULL);
  }
  for (int fd = 0; fd < 3; fd++) {
    if (p->standard[fd] < 0) continue;
    if (!same_file(fd, p->standard[fd])) dup2(p->standard[fd], fd);
    close(p->standard[fd]);
  }
}

void hf_locale_plain(void) {
  locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* a constant of the C library: nothing to free */
  if (plain) uselocale(plain);
}
