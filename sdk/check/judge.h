/* judge.h - what judge.c and trial.c share: the plugin under judgement, and the verdict on one rule.
 * A verdict crosses a pipe, so it holds no pointers.
 * Private to the two. */
#ifndef CHECK_JUDGE_H
#define CHECK_JUDGE_H
#include <limits.h>

#include "bench.h"

struct module {
  uint32_t kind;
  char name[32];
  uint64_t caps;
};
struct session {
  const struct asked *asked;
  struct verdicts v;
  char real[PATH_MAX], folder[64], plugins[PATH_MAX];
  struct module modules[16];
  uint32_t count;
};

struct verdict {
  enum { HELD, FAILED, SKIPPED } how;
  uint32_t struck; /* faults that layers injected */
  char detail[1400];
};
/* Tries one rule (NULL: only opening) in processes of its own; serial: a number of its own. */
void trial_run(const struct session *, const struct module *, const struct rule *, uint32_t serial, struct verdict *);
hf_status trial_runtime(const struct session *, const char *module, const char *layers, hf_runtime **);
void trial_environment(const char *home); /* nothing of the user's configuration decides */
void trial_remove(const char *folder);

#endif
