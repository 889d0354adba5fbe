/* plugin.h - what the modules of hf-xet.so share: the host, and the state that lives as long as the plugin.
 * CAS servers that failed are remembered here for the rest of the run.
 * Formats are in format/, which needs no host. */
#ifndef XET_PLUGIN_H
#define XET_PLUGIN_H
#include <hf/plugin.h>
#include <hf/task.h>
#include <hf/transfer.h>

#define XET_CAPS \
  (HF_TR_DOWNLOAD | HF_TR_UPLOAD | HF_TR_RANGES | HF_TR_RESUME | HF_TR_DEDUP | HF_TR_BATCH | HF_TR_ATTESTS)

extern const struct hf_host *xet_host;
extern const struct hf_transfer xet_adapter;
extern const struct hf_tasks xet_tasks;
/* own.c: a file that only this user may write; -1 and errno, EPERM: it is not one. */
int xet_open_own(const char *path, int flags);

#define TRY(expr)                   \
  do {                              \
    hf_status try_ = (expr);        \
    if (try_ != HF_OK) return try_; \
  } while (0)
#endif
