/* The runtime: configuration, plugins, workers, memory budget, network and log of one embedder, made in the order in which
 * they need each other and ended in the other one. Making it starts no thread and opens no plugin.
 * Also where the library's folder is: the network module and the shipped plugins lie there. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "light.h"

static _Thread_local char problem[512];
static const char shipped[] = HF_VERSION; /* lies in the file that this code is part of */

const char *hf_version(void) {
  return shipped;
}

const char *hf_runtime_problem(void) {
  return problem;
}

static int32_t level_of(hf_runtime *rt) {
  static const struct {
    const char *name;
    int32_t level;
  } levels[] = {{"debug", HF_LOG_DEBUG}, {"info", HF_LOG_INFO}, {"error", HF_LOG_ERROR}, {"critical", HF_LOG_ERROR}};
  const char *name = hf_config_get(rt, "HF_HUB_VERBOSITY");
  if (hf_config_flag(rt, "HF_DEBUG")) return HF_LOG_DEBUG;
  for (size_t i = 0; name && i < HF_COUNT(levels); i++)
    if (strcmp(name, levels[i].name) == 0) return levels[i].level;
  return HF_LOG_WARNING;
}

static void log_complaints(hf_runtime *rt) {
  for (const char *at = hf_config_complaints(rt->config); *at;) {
    size_t len = strcspn(at, "\n");
    hf_log(rt, HF_LOG_WARNING, "%.*s", (int)len, at);
    at += len + (at[len] == '\n');
  }
}

/* DIR/REST as it is on disk, when it is a folder; NULL otherwise. */
static char *folder(const char *dir, size_t dir_len, const char *rest) {
  char path[PATH_MAX], real[PATH_MAX];
  int n = snprintf(path, sizeof path, "%.*s/%s", (int)dir_len, dir, rest);
  if (n < 0 || (size_t)n >= sizeof path || !realpath(path, real)) return NULL;
  return hf_mem_dup(real, SIZE_MAX);
}

/* Beside a program in PREFIX/bin: PREFIX/lib/hf. */
static char *beside_program(const char *program) {
  const char *slash = strrchr(program, '/');
  if (!slash) return NULL;
  size_t dir = (size_t)(slash - program);
  char *found = folder(program, dir, "../" HF_LIBDIR "/hf");
  return found ? found : folder(program, dir, "../lib/hf");
}

static char *find_libdir(const char *argv0) {
  char *found = NULL;
  Dl_info code;
  if (argv0 && strchr(argv0, '/')) found = beside_program(argv0);
  if (!found && dladdr(&shipped, &code) && code.dli_fname) {
    const char *slash = strrchr(code.dli_fname, '/');
    if (slash && strncmp(slash, "/libhf.so", 9) == 0)
      found = folder(code.dli_fname, (size_t)(slash - code.dli_fname), "hf");
  }
  char exe[PATH_MAX];
  ssize_t n = found ? -1 : readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n > 0) {
    exe[n] = 0;
    found = beside_program(exe);
  }
  return found ? found : folder("/usr/local", 10, HF_LIBDIR "/hf");
}

static hf_status make_parts(hf_runtime *rt, const struct hf_runtime_opts *opts) {
  TRY(hf_config_open(opts, &rt->config, problem, sizeof problem));
  atomic_store(&rt->log_level, level_of(rt));
  log_complaints(rt);
  rt->watcher = hf_watcher_new();
  rt->ops = hf_ops_new();
  rt->light = hf_light_new();
  rt->budget = hf_budget_new((uint64_t)hf_config_int(rt, "HF_MEMORY", 48 << 20));
  if (!rt->watcher || !rt->ops || !rt->light || !rt->budget) return HF_ENOMEM;
  TRY(hf_work_open(rt, &rt->work));
  rt->libdir = find_libdir(opts->argv0);
  TRY(hf_registry_open(rt, opts, &rt->registry));
  rt->trace = hf_trace_open(rt);
  return HF_OK;
}

hf_status hf_runtime_new(const struct hf_runtime_opts *given, hf_runtime **out) {
  struct hf_runtime_opts opts = {0};
  if (given) memcpy(&opts, given, given->struct_size < sizeof opts ? given->struct_size : sizeof opts);
  *out = NULL;
  problem[0] = 0;
  hf_runtime *rt = hf_mem_alloc(sizeof *rt);
  hf_status st = HF_ENOMEM;
  if (rt) {
    pthread_mutex_init(&rt->lock, NULL);
    rt->host = hf_host();
    rt->log = opts.log;
    rt->log_arg = opts.log_arg;
    st = make_parts(rt, &opts);
  }
  if (st == HF_OK) {
    *out = rt;
    return HF_OK;
  }
  if (!problem[0])
    snprintf(problem, sizeof problem, "%s",
             st == HF_ENOMEM ? "Out of memory; close other programs." : "The plugins could not be looked through.");
  hf_runtime_free(rt);
  return st;
}

void hf_runtime_free(hf_runtime *rt) {
  if (!rt) return;
  hf_ops_free(rt->ops);
  hf_light_free(rt->light);
  hf_work_close(rt->work);
  hf_watcher_free(rt->watcher);
  if (rt->registry) hf_registry_close(rt->registry);
  if (rt->net) hf_netstack_close(rt->net);
  if (rt->trace) hf_trace_close(rt->trace);
  hf_budget_free(rt->budget);
  hf_config_close(rt->config);
  hf_mem_free(rt->libdir);
  pthread_mutex_destroy(&rt->lock);
  hf_mem_free(rt);
}

void hf_runtime_on_http_error(hf_runtime *rt, hf_http_error_fn fn) {
  atomic_store(&rt->on_http_error, fn);
}
