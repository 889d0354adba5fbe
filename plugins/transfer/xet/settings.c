/* settings.c - what people can set, and reading it: "16", "64mb", "1.5s", "500ms", "yes".
 * Units count by 1000 with one letter or with "b", by 1024 with "ib", as the reference counts them.
 * Pure text work over the host's options. */
#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SETTING(key, variable, text, kind) \
  { .name = key, .env = variable, .help = text, .type = kind }

const struct hf_param xet_settings[XET_SETTINGS] = {
    SETTING("initial_download_concurrency", "HF_XET_CLIENT_AC_INITIAL_DOWNLOAD_CONCURRENCY",
            "Transfers at once that a download begins with.", HF_P_INT),
    SETTING("min_download_concurrency", "HF_XET_CLIENT_AC_MIN_DOWNLOAD_CONCURRENCY",
            "Transfers at once on download, at least.", HF_P_INT),
    SETTING("max_download_concurrency", "HF_XET_CLIENT_AC_MAX_DOWNLOAD_CONCURRENCY",
            "Transfers at once on download, at most; never more than 16.", HF_P_INT),
    SETTING("fixed_download_concurrency", "HF_XET_FIXED_DOWNLOAD_CONCURRENCY",
            "Transfers at once on download; unset: as many as pay.", HF_P_INT),
    SETTING("max_file_downloads", "HF_XET_DATA_MAX_CONCURRENT_FILE_DOWNLOADS",
            "Files at once on download; unset: as many as the host asks for.", HF_P_INT),
    SETTING("download_buffer_size", "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_SIZE",
            "Memory for downloads, as in 256mb; HF_MEMORY bounds it in any case.", HF_P_STR),
    SETTING("download_buffer_perfile", "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_PERFILE_SIZE",
            "What each further file at once adds to download_buffer_size; 512mb.", HF_P_STR),
    SETTING("download_buffer_limit", "HF_XET_RECONSTRUCTION_DOWNLOAD_BUFFER_LIMIT",
            "Memory for downloads, at most, however many files there are.", HF_P_STR),
    SETTING("high_performance", "HF_XET_HIGH_PERFORMANCE", "Begin with as many transfers as there may be.", HF_P_STR),
    SETTING("hp", "HF_XET_HP", "The same as high_performance.", HF_P_STR),
    SETTING("connect_timeout", "HF_XET_CLIENT_CONNECT_TIMEOUT", "Longest wait for a connection, as in 3s.", HF_P_STR),
    SETTING("read_timeout", "HF_XET_CLIENT_READ_TIMEOUT", "Longest silence of a connection, as in 4s.", HF_P_STR),
    SETTING("retry_base_delay", "HF_XET_CLIENT_RETRY_BASE_DELAY", "First wait before another attempt, as in 500ms.",
            HF_P_STR),
    SETTING("retry_max_attempts", "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS", "Attempts that may bring nothing.", HF_P_INT),
    SETTING("retry_max_duration", "HF_XET_CLIENT_RETRY_MAX_DURATION",
            "How long attempts that bring nothing go on, as in 5s.", HF_P_STR),
    SETTING("chunk_cache_size", "HF_XET_CHUNK_CACHE_SIZE_BYTES",
            "Bytes of chunks that are kept for later downloads; unset or 0: none.", HF_P_STR),
    SETTING("initial_upload_concurrency", "HF_XET_CLIENT_AC_INITIAL_UPLOAD_CONCURRENCY",
            "Transfers at once that an upload begins with.", HF_P_INT),
    SETTING("min_upload_concurrency", "HF_XET_CLIENT_AC_MIN_UPLOAD_CONCURRENCY",
            "Transfers at once on upload, at least.", HF_P_INT),
    SETTING("max_upload_concurrency", "HF_XET_CLIENT_AC_MAX_UPLOAD_CONCURRENCY",
            "Transfers at once on upload, at most.", HF_P_INT),
    SETTING("fixed_upload_concurrency", "HF_XET_FIXED_UPLOAD_CONCURRENCY",
            "Transfers at once on upload; unset: as many as pay.", HF_P_INT),
    SETTING("max_file_ingestion", "HF_XET_DATA_MAX_CONCURRENT_FILE_INGESTION",
            "Files at once on upload; unset: as many as the host asks for.", HF_P_INT),
    SETTING("file_ingestion", "HF_XET_MAX_CONCURRENT_FILE_INGESTION", "The same as max_file_ingestion.", HF_P_INT),
    SETTING("shard_cache_size_limit", "HF_XET_SHARD_CACHE_SIZE_LIMIT",
            "Bytes in which earlier uploads are remembered, 0: none; at most 32mb are used.", HF_P_STR),
    SETTING("shard_size", NULL, "Bytes at which a shard of new xorbs is sent while the upload goes on; 24mib.",
            HF_P_STR),
    SETTING("chunk_index_size", "HF_XET_SHARD_CHUNK_INDEX_TABLE_MAX_SIZE",
            "Chunks that an upload remembers to send them once, 2048 at least; 1048576, the newest.", HF_P_INT),
    SETTING("global_dedup_query_enabled", "HF_XET_DEDUPLICATION_GLOBAL_DEDUP_QUERY_ENABLED",
            "Whether the global index is asked for chunks: 1 or 0.", HF_P_STR),
    SETTING("xorb_compression_policy", "HF_XET_XORB_COMPRESSION_POLICY",
            "How chunks are packed: auto, none, lz4 or bg4-lz4.", HF_P_STR),
    SETTING("compression_policy", "HF_XET_DATA_XORB_COMPRESSION_POLICY", "The same as xorb_compression_policy.",
            HF_P_STR),
    SETTING("direct_xorb_upload", "HF_XET_CLIENT_LEGACY_DIRECT_XORB_UPLOAD",
            "1: xorbs go to the CAS itself, no upload grants are asked for.", HF_P_STR),
    SETTING("max_xorb_grant_attempts", "HF_XET_CLIENT_MAX_XORB_GRANT_ATTEMPTS",
            "Upload grants that are asked for per xorb before it goes to the CAS itself; 3.", HF_P_INT),
};

/* Names under which the reference takes the same. */
static const struct {
  const char *key, *other;
} aliases[] = {{"high_performance", "hp"},
               {"max_file_ingestion", "file_ingestion"},
               {"xorb_compression_policy", "compression_policy"}};

const char *xet_option(hf_call *c, const char *key) {
  const char *value = xet_host->option(c, key);
  for (size_t i = 0; !value && i < sizeof aliases / sizeof *aliases; i++)
    if (!strcmp(aliases[i].key, key)) value = xet_host->option(c, aliases[i].other);
  return value;
}

struct unit {
  const char *name;
  double times;
};

/* The number times its unit; negative: it is none. */
static double measure(const char *text, const struct unit *units, size_t n) {
  char *end = NULL;
  if (!text || *text < '0' || *text > '9') return -1;
  double v = strtod(text, &end);
  while (*end == ' ' || *end == '_') end++;
  if (!*end) return v;
  for (size_t i = 0; i < n; i++)
    if (!strcasecmp(end, units[i].name)) return v * units[i].times;
  return -1;
}
#define MEASURE(text, units) measure(text, units, sizeof(units) / sizeof *(units))

uint64_t xet_option_number(hf_call *c, const char *key, uint64_t unset, uint64_t least, uint64_t most) {
  double v = measure(xet_option(c, key), NULL, 0);
  if (v < 0 || v < (double)least) return unset;
  return v > (double)most ? most : (uint64_t)v;
}

uint64_t xet_option_bytes(hf_call *c, const char *key, uint64_t unset) {
  static const struct unit units[] = {{"b", 1},
                                      {"k", 1e3},
                                      {"kb", 1e3},
                                      {"kib", 1024},
                                      {"m", 1e6},
                                      {"mb", 1e6},
                                      {"mib", 1048576},
                                      {"g", 1e9},
                                      {"gb", 1e9},
                                      {"gib", 1073741824.0},
                                      {"t", 1e12},
                                      {"tb", 1e12},
                                      {"tib", 1099511627776.0}};
  double v = MEASURE(xet_option(c, key), units);
  return v < 0 ? unset : v < 9e18 ? (uint64_t)v : UINT64_MAX;
}

uint64_t xet_option_ms(hf_call *c, const char *key) {
  static const struct unit units[] = {{"ms", 1e-3}, {"s", 1},    {"sec", 1}, {"secs", 1},
                                      {"m", 60},    {"min", 60}, {"h", 3600}};
  double v = MEASURE(xet_option(c, key), units);
  return v <= 0 ? 0 : v < 3600 ? (uint64_t)(v * 1000) : 3600000;
}

bool xet_option_flag(hf_call *c, const char *key) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  const char *value = xet_option(c, key);
  for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(value, yes[i])) return true;
  return false;
}
