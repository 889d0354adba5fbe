/* adapter.c - the transfer module: when Xet is the way, and which half does the work.
 * It is asked first where a batch has Xet files and HF_HUB_DISABLE_XET is not set; files that are not Xet's go on to the next
 * adapter.
 * What people can set is in settings.c. */
#include "plugin.h"

#include <stdbool.h>
#include "download.h"
#include "settings.h"
#include "upload.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SCORE = 90, SCORE_UNSURE = 85 };

static int32_t score(hf_call *c, const struct hf_tr_batch *batch) {
  bool unsure = false;
  if (!batch->token_url || xet_option_flag(c, "HF_HUB_DISABLE_XET")) return 0;
  if (batch->direction == HF_TR_UPLOAD) return SCORE;
  for (uint32_t i = 0; i < batch->count; i++) {
    if (batch->files[i]->xet_hash) return SCORE;
    unsure |= !batch->files[i]->url;
  }
  return unsure ? SCORE_UNSURE : 0;
}

/* A session knows which half it belongs to. */
struct session {
  uint32_t direction;
  void *half;
};

static hf_status open_session(hf_call *c, const struct hf_tr_batch *batch, void **session) {
  struct session *s = calloc(1, sizeof *s);
  if (!s) return xet_host->failf(c, HF_ENOMEM, "no memory for a Xet session");
  s->direction = batch->direction;
  bool up = batch->direction == HF_TR_UPLOAD;
  hf_status st = batch->token_url ? HF_OK : xet_host->failf(c, HF_ENOSYS, "Xet has no token route here");
  if (st == HF_OK) st = up ? xet_upload_open(c, batch, &s->half) : xet_download_open(c, batch, &s->half);
  if (st == HF_OK)
    *session = s;
  else
    free(s);
  return st;
}

static hf_status run(hf_call *c, void *session, struct hf_tr_file *file) {
  struct session *s = session;
  return s->direction == HF_TR_UPLOAD ? xet_upload_run(c, s->half, file) : xet_download_run(c, s->half, file);
}

static hf_status finish(hf_call *c, void *session) {
  struct session *s = session;
  if (s->direction != HF_TR_UPLOAD) return HF_OK;
  hf_status st = xet_upload_finish(c, s->half);
  if (st != HF_ENOSYS) return st; /* that would mean that there is nothing to finish */
  xet_host->clear(c);
  return xet_host->failf(c, HF_ENET, "the Xet server failed before and is not asked again");
}

static void close_session(void *session) {
  struct session *s = session;
  if (s->direction == HF_TR_UPLOAD)
    xet_upload_close(s->half);
  else
    xet_download_close(s->half);
  free(s);
}

const struct hf_transfer xet_adapter = {.m = {.kind = HF_KIND_TRANSFER,
                                              .struct_size = sizeof(struct hf_transfer),
                                              .name = "xet",
                                              .summary = "content-addressed: chunks of xorbs, deduplicated",
                                              .threads = HF_THREADS_ANY,
                                              .priority = 30,
                                              .caps = XET_CAPS,
                                              .config = {xet_settings, XET_SETTINGS, sizeof(struct hf_param)}},
                                        .score = score,
                                        .open = open_session,
                                        .run = run,
                                        .finish = finish,
                                        .close = close_session};
