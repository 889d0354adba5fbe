/* process.h - the state of the process that code of a plugin is run between: kept before, put back after.
 * Used around load() and unload() alone: while other threads work, nobody can tell whose change it was.
 * Private to core/src. */
#ifndef HF_PROCESS_H
#define HF_PROCESS_H
#include <locale.h>
#include <signal.h>
#include <sys/types.h>

#include "core.h"

enum { HF_PROCESS_SIGNALS = 11 };

struct hf_process {
  int folder, standard[3]; /* -1: not to be had */
  mode_t mask;
  char *locale;
  locale_t own; /* the thread's */
  char **environment; /* a copy of the table; NULL: not to be had */
  sigset_t blocked;
  struct sigaction actions[HF_PROCESS_SIGNALS];
  bool known[HF_PROCESS_SIGNALS];
};

void hf_process_keep(struct hf_process *);
void hf_process_back(struct hf_process *);
#endif
