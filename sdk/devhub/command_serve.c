/* command_serve.c - `hf-devhub serve`: starts the server, says where it is, waits for SIGINT or SIGTERM.
 * The ready file appears (by rename) once both listeners answer: first line the Hub's URL, second the CDN's.
 * Signals are blocked in every thread and taken here, so stopping is ordinary code. */
#include "commands.h"
#include "server.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BODY_MAX = 1 << 20 };

static bool ready_write(const struct server *s, const char *path) {
  char *temporary = NULL;
  if (!path) return true;
  if (asprintf(&temporary, "%s.%ld", path, (long)getpid()) < 0) return false;
  FILE *f = fopen(temporary, "we");
  bool ok = f && fprintf(f, "%s\n%s\n", s->url[ORIGIN_HUB], s->url[ORIGIN_CDN]) > 0;
  if (f && fclose(f) != 0) ok = false;
  ok = ok && rename(temporary, path) == 0;
  if (!ok) fprintf(stderr, "hf-devhub: cannot write the ready file %s: %s\n", path, strerror(errno));
  free(temporary);
  return ok;
}

static bool port_read(const char *text, uint16_t *port) {
  uint64_t n = 0;
  if (text && !dh_number(text, 65535, &n)) {
    fprintf(stderr, "hf-devhub serve: %s is not a port\n", text);
    return false;
  }
  *port = (uint16_t)n;
  return true;
}

static bool count_read(const char *text, uint64_t otherwise, uint64_t max, unsigned *out) {
  uint64_t n = otherwise;
  if (text && (!dh_number(text, max, &n) || n == 0)) {
    fprintf(stderr, "hf-devhub serve: %s is not a number from 1 to %llu\n", text, (unsigned long long)max);
    return false;
  }
  *out = (unsigned)n;
  return true;
}

static bool size_read(const char *text, uint64_t min, uint64_t *out) {
  bool ok = dh_bytes(text, out) && *out >= min && *out <= INT64_MAX;
  if (!ok) fprintf(stderr, "hf-devhub serve: %s is not a usable size\n", text);
  return ok;
}

/* COUNT/SECONDS, and which headers say so: ratelimit, retry-after, both, none. */
static bool limit_read(struct limit *limit, const char *text, const char *headers) {
  static const char *const styles[] = {"none", "ratelimit", "retry-after", "both"};
  char copy[64], *slash;
  uint64_t count, seconds;
  for (unsigned i = 0; i < 4; i++)
    if (strcmp(styles[i], headers) == 0) limit->styles = i + 1;
  if (!limit->styles) {
    fprintf(stderr, "hf-devhub serve: --rate-headers is one of ratelimit, retry-after, both, none\n");
    return false;
  }
  limit->styles--;
  pthread_mutex_init(&limit->lock, NULL);
  if (!text) return true;
  if (dh_copy(copy, sizeof copy, text) && (slash = strchr(copy, '/'))) {
    *slash++ = 0;
    if (dh_number(copy, UINT32_MAX, &count) && dh_number(slash, 1000000, &seconds) && count && seconds) {
      limit->count = (unsigned)count;
      limit->seconds = (unsigned)seconds;
      return true;
    }
  }
  fprintf(stderr, "hf-devhub serve: --rate-limit is COUNT/SECONDS, for instance 500/300\n");
  return false;
}

int dh_command_serve(int argc, char **argv) {
  const char *port = NULL, *cdn_port = NULL, *memory = NULL, *threads = NULL, *cdn_seconds = NULL,
             *resolve_cache = NULL, *upload_seconds = NULL, *part_size = "64MiB", *lfs_threshold = "10MB",
             *log_bodies = "0", *rate_limit = NULL, *rate_headers = "both";
  const char *tokens[VALUES_MAX];
  size_t token_count = 0;
  struct serve_options o = {.host = "127.0.0.1"};
  const struct option_row rows[] = {
      {"port", false, &port, NULL},
      {"cdn-port", false, &cdn_port, NULL},
      {"host", false, &o.host, NULL},
      {"data", false, &o.folder, NULL},
      {"memory", true, &memory, NULL},
      {"token", false, tokens, &token_count},
      {"ready-file", false, &o.ready_file, NULL},
      {"log", false, &o.log_file, NULL},
      {"threads", false, &threads, NULL},
      {"cdn-seconds", false, &cdn_seconds, NULL},
      {"resolve-cache", true, &resolve_cache, NULL},
      {"upload-seconds", false, &upload_seconds, NULL},
      {"part-size", false, &part_size, NULL},
      {"lfs-threshold", false, &lfs_threshold, NULL},
      {"log-bodies", false, &log_bodies, NULL},
      {"rate-limit", false, &rate_limit, NULL},
      {"rate-headers", false, &rate_headers, NULL},
  };
  int rest = dh_options("serve", rows, sizeof rows / sizeof *rows, argc, argv);
  if (rest != 0 || (memory && o.folder)) {
    if (rest > 0) fprintf(stderr, "hf-devhub serve: unexpected argument %s\n", argv[0]);
    if (memory && o.folder) fprintf(stderr, "hf-devhub serve: give either --data or --memory\n");
    return 2;
  }
  struct server *s = calloc(1, sizeof *s);
  uint64_t kept = 0;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (!s) return 1;
  s->workers.stop_fd = -1;
  dh_access_begin(&s->access);
  s->resolve_cache = resolve_cache != NULL;
  bool ok = port_read(port, &o.port) && port_read(cdn_port, &o.cdn_port) &&
            count_read(threads, cores > 16 ? (uint64_t)cores : 16, 64, &o.threads) &&
            count_read(cdn_seconds, 3600, 1000000, &s->cdn_seconds) &&
            count_read(upload_seconds, 3600, 1000000, &s->upload_seconds) && size_read(part_size, 1, &s->part_size) &&
            size_read(lfs_threshold, 0, &s->lfs_threshold) && size_read(log_bodies, 0, &kept) &&
            limit_read(&s->limit, rate_limit, rate_headers);
  s->log_bodies = kept < LOG_BODY_MAX ? (size_t)kept : LOG_BODY_MAX;
  for (size_t i = 0; ok && i < token_count; i++) ok = dh_access_add(&s->access, tokens[i]);
  if (!ok) {
    free(s);
    return 2;
  }
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);
  ok = dh_server_start(s, &o) && ready_write(s, o.ready_file);
  if (ok) {
    printf("hf-devhub: %s (CDN %s, data %s)\nexport HF_ENDPOINT=%s\n", s->url[ORIGIN_HUB], s->url[ORIGIN_CDN],
           o.folder ? o.folder : "in memory", s->url[ORIGIN_HUB]);
    fflush(stdout);
    int taken;
    sigwait(&signals, &taken);
  }
  dh_server_stop(s);
  free(s);
  return ok ? 0 : 1;
}
