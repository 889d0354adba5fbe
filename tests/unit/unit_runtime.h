/* unit_runtime.h - a runtime for unit tests: its own empty home folder, no plugins, no configuration file, log lines kept.
 * The environment is cleaned of what would change the configuration.
 * Included by the tests of the core's parts. */
#ifndef UNIT_RUNTIME_H
#define UNIT_RUNTIME_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core.h"

static char unit_log[8192];
static const struct hf_plugin *const *unit_statics; /* built-in plugins of the next runtime */
static pthread_mutex_t unit_log_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void unit_keep_line(void *arg, int32_t level, const char *line) {
  (void)arg;
  pthread_mutex_lock(&unit_log_lock);
  size_t len = strlen(unit_log);
  snprintf(unit_log + len, sizeof unit_log - len, "%d %s\n", (int)level, line);
  pthread_mutex_unlock(&unit_log_lock);
}

/* settings: rows key, value, ending with a NULL key; NULL: none. */
static inline hf_runtime *unit_runtime(const struct hf_kv *settings) {
  uint32_t n = 0;
  while (settings && settings[n].key) n++;
  struct hf_runtime_opts opts = {.struct_size = sizeof opts,
                                 .flags = HF_RT_NO_PLUGINS | HF_RT_NO_CONFIG_FILE,
                                 .settings = HF_TABLE_N(settings, n),
                                 .statics = unit_statics,
                                 .log = unit_keep_line};
  hf_runtime *rt;
  unit_log[0] = 0;
  unsetenv("HF_TOKEN");
  unsetenv("HF_DEBUG");
  setenv("HF_HOME", "/nonexistent/hf-home", 1);
  hf_status st = hf_runtime_new(&opts, &rt);
  ck_assert_msg(st == HF_OK, "%s", hf_runtime_problem());
  return rt;
}

static inline int unit_run(Suite *s) {
  SRunner *r = srunner_create(s);
  srunner_run_all(r, CK_NORMAL);
  int failed = srunner_ntests_failed(r);
  srunner_free(r);
  return failed != 0;
}
#endif
