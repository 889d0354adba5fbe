/* adapter.c - the transfer module: when Xet is the way, and which half does the work.
 * It is asked first where a batch has Xet files and HF_HUB_DISABLE_XET is not set; files that are not Xet's go on to the next
 * adapter.
 * The configuration keys are those of the reference that people set. */
#include "plugin.h"

#include <stdbool.h>
#include "download.h"

#include <string.h>
#include <strings.h>

enum { SCORE = 90, SCORE_UNSURE = 85 };

static bool is_on(const char *value) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(value, yes[i])) return true;
  return false;
}

static int32_t score(hf_call *c, const struct hf_tr_batch *batch) {
  bool unsure = false;
  if (batch->direction != HF_TR_DOWNLOAD || !batch->token_url || is_on(xet_host->option(c, "HF_HUB_DISABLE_XET")))
    return 0;
  for (uint32_t i = 0; i < batch->count; i++) {
    if (batch->files[i]->xet_hash) return SCORE;
    unsure |= !batch->files[i]->url;
  }
  return unsure ? SCORE_UNSURE : 0;
}

static hf_status finish(hf_call *c, void *session) {
  (void)c;
  (void)session;
  return HF_OK;
}

static const struct hf_param config[] = {
    {.name = "fixed_download_concurrency",
     .help = "Transfers at once on download; unset: as many as pay.",
     .env = "HF_XET_FIXED_DOWNLOAD_CONCURRENCY",
     .type = HF_P_INT},
};

const struct hf_transfer xet_adapter = {.m = {.kind = HF_KIND_TRANSFER,
                                              .struct_size = sizeof(struct hf_transfer),
                                              .name = "xet",
                                              .summary = "content-addressed: chunks of xorbs, deduplicated",
                                              .threads = HF_THREADS_ANY,
                                              .priority = 30,
                                              .caps = HF_TR_DOWNLOAD | HF_TR_RANGES | HF_TR_RESUME | HF_TR_DEDUP,
                                              .config = HF_TABLE(config)},
                                        .score = score,
                                        .open = xet_download_open,
                                        .run = xet_download_run,
                                        .finish = finish,
                                        .close = xet_download_close};
