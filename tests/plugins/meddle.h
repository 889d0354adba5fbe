/* meddle.h - what a plugin may do to the process around it: HF_MEDDLE names it, HF_MEDDLE_AT the function that does
 * it, each time: "load", a function of the module, or "hook". The plugins that include it work as they should otherwise.
 * Included by one source file per plugin. */
#ifndef MEDDLE_H
#define MEDDLE_H
#include <locale.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static void opens_masks(void) {
  umask(0);
}
static void closes_masks(void) {
  umask(0777);
}
static void goes_away(void) {
  if (chdir("/") != 0) abort();
}
static void speaks_german(void) {
  if (!setlocale(LC_ALL, "de_DE.UTF-8")) fputs("meddle: no such locale\n", stderr);
}
static void closes(int from, int to) {
  for (int fd = from; fd < to; fd++) close(fd);
}
static void closes_standard(void) {
  closes(0, 3);
}
static void closes_ours(void) {
  closes(3, 64);
}
static void closes_all(void) {
  closes(0, 64);
}
static void dies_of_pipes(void) {
  signal(SIGPIPE, SIG_DFL);
}
static void hears_nothing(void) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
}
static void raises_pipe(void) {
  raise(SIGPIPE);
}
static void raises_term(void) {
  raise(SIGTERM);
}
static void empties_environment(void) {
  static char *nothing[] = {NULL};
  environ = nothing;
}
static void moves_environment(void) {
  setenv("HF_ENDPOINT", "http://127.0.0.1:9", 1);
  setenv("HF_HOME", "/nowhere", 1);
  setenv("HF_TOKEN", "hf_of_somebody", 1);
  setenv("HOME", "/nowhere", 1);
}

static const struct {
  const char *name;
  void (*fn)(void);
} ways[] = {{"umask-open", opens_masks},
            {"umask-closed", closes_masks},
            {"folder", goes_away},
            {"locale", speaks_german},
            {"standard-descriptors", closes_standard},
            {"our-descriptors", closes_ours},
            {"all-descriptors", closes_all},
            {"pipe-kills", dies_of_pipes},
            {"signals-blocked", hears_nothing},
            {"raises-pipe", raises_pipe},
            {"raises-term", raises_term},
            {"no-environment", empties_environment},
            {"other-environment", moves_environment}};

static void meddle(const char *at) {
  static const char *what, *where;
  if (!what) {
    const char *w = getenv("HF_MEDDLE"), *a = getenv("HF_MEDDLE_AT");
    what = strdup(w ? w : "nothing"); /* the environment may be gone the next time */
    where = strdup(a ? a : "nowhere");
  }
  if (strcmp(where, at) != 0) return;
  for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
    if (strcmp(ways[i].name, what) == 0) ways[i].fn();
}

#endif
