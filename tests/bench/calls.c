/* calls.c - chats over a kept connection, and many streams at once, measured from inside: one line of JSON.
 * bench-calls chat|curl URL COUNT: microseconds per call by libhf, by bare libcurl. bench-calls streams URL COUNT: memory,
 * threads, and how long an event took from the server's write to the callback. */
#include <curl/curl.h>
#include <hf_inference.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define MESSAGES "[{\"role\":\"user\",\"content\":\"Which rivers meet in Lyon?\"}]"

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static double at(uint64_t *sorted, size_t n, double part) {
  size_t i = (size_t)((double)n * part);
  return n ? (double)sorted[i < n ? i : n - 1] / 1000 : 0;
}

static void report(uint64_t *took, size_t n, const char *more) {
  struct rusage use;
  getrusage(RUSAGE_SELF, &use);
  qsort(took, n, sizeof *took, by_value);
  double cpu =
      (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
  printf(
      "{\"count\": %zu, \"median_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, \"cpu_s\": "
      "%.3f%s}\n",
      n, at(took, n, 0.5), at(took, n, 0.9), at(took, n, 0.99), at(took, n, 1), cpu, more);
}

/* ---- chats --------------------------------------------------------------------------------------------------------------- */

static size_t keep(char *data, size_t one, size_t n, void *arg) {
  (void)data;
  *(size_t *)arg += one * n;
  return one * n;
}

static int curl_chats(const char *base, uint64_t *took, size_t count) {
  char url[300];
  size_t got = 0;
  CURL *c = curl_easy_init();
  struct curl_slist *h = curl_slist_append(NULL, "content-type: application/json");
  snprintf(url, sizeof url, "%s/v1/chat/completions", base);
  curl_easy_setopt(c, CURLOPT_URL, url);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, h);
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, "{\"model\":\"m\",\"messages\":" MESSAGES ",\"stream\":false}");
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, keep);
  curl_easy_setopt(c, CURLOPT_WRITEDATA, &got);
  int bad = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t begin = now_ns();
    bad |= curl_easy_perform(c) != CURLE_OK;
    took[i] = now_ns() - begin;
  }
  curl_slist_free_all(h);
  curl_easy_cleanup(c);
  return bad || !got;
}

static int chats(hf_runtime *rt, const char *base, uint64_t *took, size_t count) {
  struct hf_inf_opts o = {.struct_size = sizeof o, .base_url = base, .model = "m"};
  int bad = 0;
  for (size_t i = 0; i < count; i++) {
    struct hf_inf_result *r;
    uint64_t begin = now_ns();
    bad |= hf_chat_completion(rt, MESSAGES, &o, &r) != HF_OK;
    took[i] = now_ns() - begin;
    if (bad && r) fprintf(stderr, "%s\n", r->error ? r->error->message : "?");
    hf_inf_result_free(r);
    if (bad) break;
  }
  return bad;
}

/* ---- streams ------------------------------------------------------------------------------------------------------------- */

enum { SAMPLES = 2000000 };
static uint64_t *samples;
static atomic_size_t sample_count;

static int32_t on_item(void *arg, const char *json, size_t len) {
  const char *text = memmem(json, len, "\"content\":\"", 11);
  uint64_t sent = text ? strtoull(text + 11, NULL, 10) : 0, now = now_ns();
  size_t i = atomic_fetch_add(&sample_count, 1);
  (void)arg;
  if (i < SAMPLES) samples[i] = now > sent ? now - sent : 0;
  return 0;
}

static long status_line(const char *name) {
  char line[200];
  long v = 0;
  FILE *in = fopen("/proc/self/status", "r");
  while (in && fgets(line, sizeof line, in))
    if (!strncmp(line, name, strlen(name))) v = strtol(line + strlen(name), NULL, 10);
  if (in) fclose(in);
  return v;
}

static int streams(hf_runtime *rt, const char *base, size_t count) {
  struct hf_inf_opts o = {.struct_size = sizeof o, .base_url = base, .model = "m", .item = on_item};
  hf_op **ops = calloc(count, sizeof *ops);
  struct hf_inf_result **results = calloc(count, sizeof(struct hf_inf_result *));
  samples = malloc(SAMPLES * sizeof *samples);
  if (!ops || !results || !samples) return 1;
  long threads = 0, rss = 0, t;
  size_t done = 0;
  int bad = 0;
  uint64_t begin = now_ns();
  for (size_t i = 0; i < count; i++)
    ops[i] = hf_inference_start(rt, "conversational", "{\"messages\":" MESSAGES "}", &o, &results[i]);
  while (done < count) {
    if ((t = status_line("Threads:")) > threads) threads = t;
    if ((t = status_line("VmRSS:") - (long)(atomic_load(&sample_count) * sizeof *samples / 1024)) > rss) rss = t;
    usleep(100000);
    while (done < count && hf_op_done(ops[done])) done++;
  }
  for (size_t i = 0; i < count; i++) {
    hf_status st = hf_op_wait(ops[i]);
    if (st != HF_OK && !bad++) fprintf(stderr, "%s\n", results[i]->error ? results[i]->error->message : "?");
    hf_op_free(ops[i]);
    hf_inf_result_free(results[i]);
  }
  char more[200];
  snprintf(more, sizeof more, ", \"streams\": %zu, \"failed\": %d, \"threads\": %ld, \"rss_mib\": %.1f, \"s\": %.2f",
           count, bad, threads, (double)rss / 1024, (double)(now_ns() - begin) / 1e9);
  report(samples, atomic_load(&sample_count), more);
  free(ops);
  free(results);
  free(samples);
  return bad != 0;
}

int main(int argc, char **argv) {
  hf_runtime *rt = NULL;
  struct rlimit files;
  if (argc < 4) return fprintf(stderr, "usage: bench-calls chat|curl|streams URL COUNT\n"), 2;
  size_t count = strtoul(argv[3], NULL, 10);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (strcmp(argv[1], "curl") && hf_runtime_new(NULL, &rt)) return fprintf(stderr, "%s\n", hf_runtime_problem()), 1;
  int bad = 0;
  if (!strcmp(argv[1], "streams")) {
    bad = streams(rt, argv[2], count);
  } else {
    uint64_t *took = calloc(count, sizeof *took);
    if (!took) return 1;
    bad = rt ? chats(rt, argv[2], took, count) : curl_chats(argv[2], took, count);
    report(took, count, "");
    free(took);
  }
  hf_runtime_free(rt);
  return bad;
}
