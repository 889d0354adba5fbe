/* Every configuration key there is: its variables, kind, default and what it is for. Only data; a key is added here.
 * Order matters to defaults that are made from other keys, and is the order in which `hf env` lists them.
 * Addresses of the Hub are not the core's: their defaults come with the Hub's pack. */
#include <pthread.h>

#include "config.h"

#define T HF_KEY_TEXT
#define P HF_KEY_PATH
#define F HF_KEY_FLAG
#define I HF_KEY_INT
#define S HF_KEY_SIZE
#define U HF_KEY_URL

const struct hf_key_row hf_key_rows[] = {
    {"XDG_CACHE_HOME", NULL, NULL, P, HF_KEY_NO_FILE, "~/.cache", NULL, "parent of the default HF_HOME"},
    {"XDG_DATA_HOME", NULL, NULL, P, HF_KEY_NO_FILE, "~/.local/share", NULL, "parent of the user's plugin folder"},
    {"HF_HOME", "home", NULL, P, HF_KEY_NO_FILE, "{XDG_CACHE_HOME}/huggingface", NULL,
     "folder of cache, token and hf.conf"},
    {"HUGGINGFACE_CO_STAGING", "staging", NULL, F, 0, NULL, NULL, "use the Hub's staging site"},
    {"HF_STAGING_ENDPOINT", "staging_endpoint", NULL, U, 0, NULL, NULL, "URL of the Hub's staging site"},
    {"HF_ENDPOINT", "endpoint", NULL, U, 0, NULL, "{HF_STAGING_ENDPOINT}", "URL of the Hub"},
    {"HF_INFERENCE_ENDPOINT", "inference_endpoint", NULL, U, 0, NULL, NULL, "URL of the inference API"},
    {"HF_HUB_CACHE", "cache", "HF_HUB_CACHE,HUGGINGFACE_HUB_CACHE", P, 0, "{HF_HOME}/hub", NULL,
     "cache of repositories"},
    {"HF_ASSETS_CACHE", "assets_cache", "HF_ASSETS_CACHE,HUGGINGFACE_ASSETS_CACHE", P, 0, "{HF_HOME}/assets", NULL,
     "cache of other files"},
    {"HF_XET_CACHE", "xet_cache", NULL, T, 0, "{HF_HOME}/xet", NULL, "cache of Xet chunks and shards"},
    {"HF_TOKEN", NULL, "HF_TOKEN,HUGGING_FACE_HUB_TOKEN", HF_KEY_TOKEN, HF_KEY_SECRET, NULL, NULL, "access token"},
    {"HF_TOKEN_PATH", "token_path", NULL, P, 0, "{HF_HOME}/token", "~/.cache/huggingface_staging/token",
     "file of the active token"},
    {"HF_STORED_TOKENS_PATH", NULL, "", P, HF_KEY_NO_FILE, "{^HF_TOKEN_PATH}/stored_tokens", NULL,
     "file of all stored tokens"},
    {"HF_HUB_OFFLINE", "offline", "HF_HUB_OFFLINE,TRANSFORMERS_OFFLINE", F, 0, NULL, NULL, "no network at all"},
    {"HF_HUB_DISABLE_IMPLICIT_TOKEN", "disable_implicit_token", NULL, F, 0, NULL, NULL,
     "send a token only when one is given"},
    {"HF_HUB_DISABLE_TELEMETRY", "disable_telemetry", "HF_HUB_DISABLE_TELEMETRY,DISABLE_TELEMETRY,DO_NOT_TRACK", F,
     HF_KEY_ANY, NULL, NULL, "say less in the user agent"},
    {"HF_HUB_DISABLE_UPDATE_CHECK", NULL, NULL, F, 0, NULL, NULL, "accepted; there is no update check"},
    {"HF_HUB_DISABLE_PROGRESS_BARS", "disable_progress_bars", NULL, F, HF_KEY_EMPTY, NULL, NULL,
     "true: no progress bars, false: in every mode, unset: as the mode says"},
    {"HF_HUB_DISABLE_SYMLINKS", "disable_symlinks", NULL, F, 0, NULL, NULL, "files instead of links in the cache"},
    {"HF_HUB_DISABLE_SYMLINKS_WARNING", NULL, NULL, F, 0, NULL, NULL, "no warning where links are not possible"},
    {"HF_HUB_DISABLE_EXPERIMENTAL_WARNING", NULL, NULL, F, 0, NULL, NULL, "no warnings about experimental features"},
    {"HF_HUB_DISABLE_XET", "disable_xet", NULL, F, 0, NULL, NULL, "never use Xet"},
    {"HF_HUB_DISABLE_SHARED_BLOBS", "disable_shared_blobs", NULL, F, 0, NULL, NULL,
     "no blobs shared between repositories"},
    {"HF_XET_HIGH_PERFORMANCE", NULL, NULL, F, 0, NULL, NULL, "Xet may use the whole machine"},
    {"HF_HUB_ENABLE_HF_TRANSFER", NULL, NULL, F, 0, NULL, NULL, "accepted; it has no effect any more"},
    {"HF_HUB_ETAG_TIMEOUT", "etag_timeout", NULL, I, HF_KEY_ZERO_DEFAULT, "10", NULL, "seconds for metadata requests"},
    {"HF_HUB_DOWNLOAD_TIMEOUT", "download_timeout", NULL, I, HF_KEY_ZERO_DEFAULT, "10", NULL,
     "seconds without an answer before a download is tried again"},
    {"HF_HUB_USER_AGENT_ORIGIN", "user_agent_origin", NULL, T, 0, NULL, NULL, "origin/VALUE in the user agent"},
    {"HF_HUB_VERBOSITY", "verbosity", NULL, T, 0, "warning", NULL, "debug, info, warning, error or critical"},
    {"HF_DEBUG", "debug", NULL, F, 0, NULL, NULL, "log everything"},
    {"NO_COLOR", NULL, NULL, T, 0, NULL, NULL, "anything: no colours"},
    {"TQDM_POSITION", NULL, NULL, T, 0, NULL, NULL, "-1: progress bars without a terminal too"},
    {"HF_PLUGIN_PATH", "plugin_path", NULL, T, 0, NULL, NULL,
     "folders with plugins, searched first, \":\" between them"},
    {"HF_TRANSFER", "transfer", NULL, T, 0, NULL, NULL, "transfer adapters to use, in order, \",\" between them"},
    {"HF_ADAPTER_TIMEOUT", "adapter_timeout", NULL, I, HF_KEY_ZERO_DEFAULT, "660", NULL,
     "seconds without a byte after which another adapter takes over"},
    {"HF_HOOK_TIMEOUT", "hook_timeout", NULL, T, 0, "10", NULL,
     "seconds after which a provider's hook that does not come back is given up"},
    {"HF_LAYERS", "layers", NULL, T, 0, NULL, NULL,
     "layers around stores and adapters, for tests: \"fault:op=writev,nth=3;delay:ms=5\""},
    {"HF_STORE", "store", NULL, T, 0, NULL, NULL, "where downloads go: NAME:REST"},
    {"HF_TRACE", "trace", NULL, P, 0, NULL, NULL, "file that gets one JSON line per request"},
    {"HF_URL_REWRITE", "url_rewrite", NULL, T, 0, NULL, NULL, "FROM=TO;FROM=TO: where requests really go"},
    {"HF_FALLBACK", "fallback", NULL, T, 0, NULL, NULL, "program that gets the commands that are not there yet"},
    {"HF_WORKERS", "workers", NULL, I, HF_KEY_ZERO_DEFAULT, "8", NULL, "files at once"},
    {"HF_THREADS", "threads", NULL, I, HF_KEY_ZERO_DEFAULT, "32", NULL, "worker threads at most"},
    {"HF_MEMORY", "memory", NULL, S, HF_KEY_ZERO_DEFAULT, "48MiB", NULL, "memory for bytes on their way"},
    {"HF_RATE_DOWN", "rate_down", NULL, S, 0, NULL, NULL, "bytes per second to receive at most"},
    {"HF_RATE_UP", "rate_up", NULL, S, 0, NULL, NULL, "bytes per second to send at most"},
    {"HF_CONNECTIONS", "connections", NULL, I, HF_KEY_ZERO_DEFAULT, "16", NULL, "connections to one host at most"},
    {"HF_CONNECT_TIMEOUT", "connect_timeout", NULL, I, HF_KEY_ZERO_DEFAULT, "10", NULL, "seconds to connect"},
    {"HF_STALL_TIMEOUT", "stall_timeout", NULL, I, HF_KEY_ZERO_DEFAULT, "30", NULL,
     "seconds without a byte after which a connection counts as dead"},
    {"HF_TRIES", "tries", NULL, I, HF_KEY_ZERO_DEFAULT, "6", NULL, "attempts of a request in all"},
    {"HF_PROXY", "proxy", NULL, T, 0, NULL, NULL, "proxy for every request, instead of HTTPS_PROXY and the like"},
    {"HF_NO_PROXY", "no_proxy", NULL, T, 0, NULL, NULL, "hosts that HF_PROXY is not for, \",\" between them"},
    {"SSL_CERT_FILE", "ca_file", NULL, P, 0, NULL, NULL, "certificates to trust beside the system's"},
    {"SSL_CERT_DIR", "ca_dir", NULL, P, 0, NULL, NULL, "folder of certificates to trust beside the system's"},
    {"HF_CLIENT_CERT", "client_cert", NULL, P, 0, NULL, NULL, "certificate that says who we are"},
    {"HF_CLIENT_KEY", "client_key", NULL, P, 0, NULL, NULL, "its private key"},
    {"HF_INSECURE", "insecure", NULL, F, 0, NULL, NULL, "do not check certificates (never with a token)"},
    {"HF_NO_HTTP2", "no_http2", NULL, F, 0, NULL, NULL, "HTTP/1.1 only"},
    {"HF_INFERENCE_POLL_SCALE", "inference_poll_scale", NULL, T, 0, NULL, NULL,
     "factor on the waits for jobs of inference, for tests"},
    {"HF_VERIFY", "verify", NULL, T, 0, NULL, NULL,
     "strict: refuse files whose content nobody vouches for; off: verify nothing (for measurements)"},
};
const uint32_t hf_key_count = (uint32_t)HF_COUNT(hf_key_rows);

bool hf_key_listed(const char *list, const char *name) {
  size_t want = strlen(name);
  while (want && list && *list) {
    size_t len = strcspn(list, ",");
    if (len == want && memcmp(list, name, len) == 0) return true;
    list += len + (list[len] == ',');
  }
  return false;
}

/* Every name that a row goes by, in a table of hashes that is made once: settings are asked for at every request. */
enum { PLACES = 1024 };
struct place {
  const char *name;
  uint32_t len, row;
};
static struct place places[PLACES];
static pthread_once_t placed = PTHREAD_ONCE_INIT;

static struct place *place_of(const char *name, size_t len) {
  uint64_t h = 0; /* of the ending: most names begin alike */
  memcpy(&h, len > sizeof(h) ? name + len - sizeof(h) : name, len > sizeof(h) ? sizeof(h) : len);
  h = (h ^ len) * 0x9e3779b97f4a7c15u;
  struct place *p = &places[(h >> 32) % PLACES];
  while (p->name && (p->len != len || memcmp(p->name, name, len) != 0)) p = p + 1 < places + PLACES ? p + 1 : places;
  return p;
}

static void place(const char *name, size_t len, uint32_t row) {
  struct place *p = place_of(name, len);
  if (!p->name) *p = (struct place){name, (uint32_t)len, row};
}

static void place_all(void) {
  for (uint32_t i = 0; i < hf_key_count; i++) place(hf_key_rows[i].key, strlen(hf_key_rows[i].key), i);
  for (uint32_t i = 0; i < hf_key_count; i++) {
    const struct hf_key_row *row = &hf_key_rows[i];
    if (row->alias) place(row->alias, strlen(row->alias), i);
    for (const char *list = row->env; list && *list;) {
      size_t len = strcspn(list, ",");
      if (len) place(list, len, i);
      list += len + (list[len] == ',');
    }
  }
}
_Static_assert(HF_COUNT(hf_key_rows) * 4 < PLACES, "the table of names fills up");

uint32_t hf_key_find(const char *name) {
  pthread_once(&placed, place_all);
  const struct place *p = place_of(name, strlen(name));
  return p->name ? p->row : hf_key_count;
}
