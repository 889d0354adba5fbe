/* adapter.c - the transfer module: when Xet is the way, and which half does the work.
 * It is asked first where a batch has Xet files and HF_HUB_DISABLE_XET is not set; files that are not Xet's go on to the next
 * adapter.
 * The configuration keys are those of the reference that people set. */
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

#define SETTING(n, e, h, t) \
  { .name = n, .help = h, .env = e, .type = t }

static const struct hf_param config[] = {
    SETTING("initial_download_concurrency", "HF_XET_CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY",
            "Transfers at once that a download begins with.", HF_P_INT),
    SETTING("min_download_concurrency", "HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY",
            "Transfers at once on download, at least.", HF_P_INT),
    SETTING("max_download_concurrency", "HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY",
            "Transfers at once on download, at most; never more than 16.", HF_P_INT),
    SETTING("high_performance", "HF_XET_HIGH_PERFORMANCE", "Begin downloads with as many transfers as there may be.",
            HF_P_STR),
    SETTING("download_buffer_limit", "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT",
            "Memory for downloads, as in 256mb; HF_MEMORY bounds it in any case.", HF_P_STR),
    SETTING("connect_timeout", "HF_XET_CLIENT_CONNECT_TIMEOUT", "Longest wait for a connection, as in 3s.", HF_P_STR),
    SETTING("read_timeout", "HF_XET_CLIENT_READ_TIMEOUT", "Longest silence of a connection, as in 4s.", HF_P_STR),
    SETTING("retry_base_delay", "HF_XET_CLIENT_RETRY_BASE_DELAY", "First wait before another attempt, as in 500ms.",
            HF_P_STR),
    SETTING("retry_max_attempts", "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "Attempts that may bring nothing.", HF_P_INT),
    {.name = "fixed_download_concurrency",
     .help = "Transfers at once on download; unset: as many as pay.",
     .env = "HF_XET_FIXED_DOWNLOAD_CONCURRENCY",
     .type = HF_P_INT},
    {.name = "fixed_upload_concurrency",
     .help = "Transfers at once on upload; unset: as many as pay.",
     .env = "HF_XET_FIXED_UPLOAD_CONCURRENCY",
     .type = HF_P_INT},
    {.name = "shard_cache_size_limit",
     .help = "Bytes in which earlier uploads are remembered, 0: none; at most 32mb are used.",
     .env = "HF_XET_SHARD_CACHE_SIZE_LIMIT",
     .type = HF_P_STR},
    SETTING("initial_upload_concurrency", "HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY",
            "Transfers at once that an upload begins with.", HF_P_INT),
    SETTING("max_upload_concurrency", "HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY",
            "Transfers at once on upload, at most.", HF_P_INT),
    SETTING("global_dedup_query_enabled", "HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED",
            "Whether the global index is asked for chunks: 1 or 0.", HF_P_STR),
    SETTING("xorb_compression_policy", "HF_XET_XORB_COMPRESSION_POLICY",
            "How chunks are packed: auto, none, lz4 or bg4-lz4.", HF_P_STR),
    SETTING("direct_xorb_upload", "HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD",
            "1: xorbs go to the CAS itself, no upload grants are asked for.", HF_P_STR),
    SETTING("max_xorb_grant_attempts", "HF_XET_CLIENT_MAX_XORB_GRANT_ATTEMPTS",
            "Upload grants that are asked for per xorb before it goes to the CAS itself; 3.", HF_P_INT),
};

const struct hf_transfer xet_adapter = {.m = {.kind = HF_KIND_TRANSFER,
                                              .struct_size = sizeof(struct hf_transfer),
                                              .name = "xet",
                                              .summary = "content-addressed: chunks of xorbs, deduplicated",
                                              .threads = HF_THREADS_ANY,
                                              .priority = 30,
                                              .caps = XET_CAPS,
                                              .config = HF_TABLE(config)},
                                        .score = score,
                                        .open = open_session,
                                        .run = run,
                                        .finish = finish,
                                        .close = close_session};
