/* xet_pipeline.c - how many bytes a core takes through the Xet upload: read, SHA-256, cut, hashed, packed into xorbs with their
 * checksums, and then nowhere: no socket is opened, every xorb is "there already".
 * Usage: bench-xet-pipeline [MIB [KERNEL]] (of BLAKE3, as xet_blake3_force() names it); HF_TEST_BUILD names the build folder.
 * Prints one JSON line. */
#include <hf/plugin.h>
#include <hf/transfer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "format/hash.h"
#include "core.h"

extern const struct hf_plugin hf_plugin_v1_bench_xet;
static struct hf_host host;
static struct hf_plugin plugin;
static const struct hf_plugin *const statics[] = {&plugin, NULL};

static const struct hf_kv token[] = {
    {"x-xet-cas-url", "http://127.0.0.1:1"}, {"x-xet-access-token", "t"}, {"x-xet-token-expiration", "99999999999"}};

/* The Hub and the CAS in one: tokens for everybody, no chunk is known, every xorb is there, every shard is taken. */
static hf_status answer(hf_call *c, const struct hf_http_req *req, struct hf_http_resp *resp) {
  bool is_token = strstr(req->url, "/token") != NULL, is_chunk = strstr(req->url, "/v1/chunks/") != NULL;
  const char *body = strstr(req->url, "/shards") ? "{\"type\":\"result\"}\n" : "";
  *resp = (struct hf_http_resp){.struct_size = sizeof *resp,
                                .status = is_chunk ? 404 : 200,
                                .headers = HF_TABLE_N(token, is_token ? 3 : 0),
                                .body = body,
                                .body_len = strlen(body),
                                .url = req->url,
                                .attempts = 1};
  return req->on_data && !is_chunk ? req->on_data(c, req->on_data_arg, body, strlen(body)) : HF_OK;
}

static hf_status load(const struct hf_host *real, void **state) {
  host = *real;
  host.http = answer;
  return hf_plugin_v1_bench_xet.load(&host, state);
}

static hf_status open_memory(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, struct hf_source **out) {
  (void)i;
  return hf_source_memory(c, f->path, arg, (size_t)f->size, out);
}

static hf_status scanned(hf_call *c, void *arg, struct hf_send_file *f, uint32_t i, const struct hf_scan *s) {
  (void)c, (void)arg, (void)f, (void)i, (void)s;
  return HF_OK;
}

static void noise(uint64_t *p, size_t words, uint64_t seed) {
  for (size_t i = 0; i < words; i++) {
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    p[i] = z ^ z >> 31;
  }
}

static double seconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int fail(hf_call *c, const char *what) {
  const struct hf_error *e = c ? hf_call_error(c) : NULL;
  fprintf(stderr, "%s: %s\n", what, e && e->message ? e->message : hf_runtime_problem());
  return 1;
}

int main(int argc, char **argv) {
  size_t size = (size_t)(argc > 1 ? strtoul(argv[1], NULL, 10) : 512) << 20;
  const char *build = getenv("HF_TEST_BUILD");
  char argv0[4096];
  hf_runtime *rt;
  hf_call *c = NULL;
  if (argc > 2 && !xet_blake3_force(argv[2])) return fail(c, argv[2]);
  struct rusage used;
  snprintf(argv0, sizeof argv0, "%s/bin/hf", build ? build : ".");
  plugin = hf_plugin_v1_bench_xet;
  plugin.load = load;
  const struct hf_kv settings[] = {{"HF_HOME", "/nonexistent/hf-home"}};
  struct hf_runtime_opts o = {.struct_size = sizeof o,
                              .flags = HF_RT_NO_PLUGINS | HF_RT_NO_CONFIG_FILE,
                              .settings = HF_TABLE(settings),
                              .statics = statics,
                              .argv0 = argv0};
  uint64_t *data = size ? malloc(size) : NULL;
  if (!data || hf_runtime_new(&o, &rt) != HF_OK || hf_call_begin(rt, &c) != HF_OK) return fail(c, "no runtime");
  noise(data, size / 8, 42);
  struct hf_send_file file = {.struct_size = sizeof file, .path = "noise.bin", .size = size};
  struct hf_send s = {.struct_size = sizeof s,
                      .repo = {.type = "model", .id = "a/b"},
                      .revision = "main",
                      .endpoint = "http://127.0.0.1:1",
                      .token_url = "http://127.0.0.1:1/token",
                      .files = &file,
                      .count = 1,
                      .adapters = "xet",
                      .arg = data,
                      .open = open_memory,
                      .scanned = scanned};
  double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
  if (hf_send(c, &s) != HF_OK) return fail(c, "not sent");
  cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  wall = seconds(CLOCK_MONOTONIC) - wall;
  getrusage(RUSAGE_SELF, &used);
  printf(
      "{\"id\": \"xet-pipeline\", \"mib\": %zu, \"cpu_s\": %.3f, \"wall_s\": %.3f, \"gb_per_cpu_s\": %.3f, \"blake3\": "
      "\"%s\", "
      "\"rss_mib\": %ld}\n",
      size >> 20, cpu, wall, (double)size / 1e9 / cpu, xet_blake3_kernel(), used.ru_maxrss / 1024 - (long)(size >> 20));
  hf_call_end(c);
  hf_runtime_free(rt);
  free(data);
  return 0;
}
