/* plugin.c - hf-xet.so: content-addressed transfers, and tasks that look at hashes, chunks, xorbs and shards.
 * One shared object, one descriptor, two modules.
 * Nothing happens at load but that the host is kept. */
#include "plugin.h"

static hf_status load(const struct hf_host *host, void **state) {
  xet_host = host;
  *state = NULL;
  return HF_OK;
}

static const struct hf_module *const modules[] = {&xet_adapter.m, &xet_tasks.m};
HF_PLUGIN("xet", "0.1.0", "Apache-2.0", "content-addressed transfers (Xet)", load, NULL, modules,
          {HF_KIND_TRANSFER, 30, XET_CAPS, "xet", ""}, {HF_KIND_TASKS, 10, 0, "xet", "xet"});
