/* module.c - modules of the library itself: hf-NAME.so beside the plugin folder, opened when they are first needed.
 * Never from the plugin search path: they see tokens and requests. A file that others may write to is not opened.
 * A module stays open until the process ends. */
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "core.h"
#include "registry.h"

const void *hf_library_module(hf_call *call, const char *file, const char *symbol) {
  char path[PATH_MAX], real[PATH_MAX], why[HF_WHY_MAX];
  const char *libdir = call->rt->libdir;
  int n = snprintf(path, sizeof(path), "%s/%s", libdir != NULL ? libdir : "", file);
  if (libdir == NULL || n < 0 || (size_t)n >= sizeof(path)) {
    hf_call_failf(call, HF_ENOTFOUND, "The library folder was not found; install libhf again or set argv0.");
    return NULL;
  }
  if (access(path, F_OK) != 0) {
    hf_call_failf(call, HF_ENOTFOUND, "The module %s is missing; install libhf again.", path);
    return NULL;
  }
  if (!hf_path_trusted(path, real, why)) {
    hf_call_failf(call, HF_EPERM, "The module %s is not used: %s.", path, why);
    return NULL;
  }
  void *dl = dlopen(real, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const void *found = dl != NULL ? dlsym(dl, symbol) : NULL;
  if (dl == NULL)
    hf_call_failf(call, HF_EABI, "The module %s cannot be loaded: %s.", path, dlerror());
  else if (found == NULL)
    hf_call_failf(call, HF_EABI, "The module %s belongs to another version; install libhf again.", path);
  return found;
}
