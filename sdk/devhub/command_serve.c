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

int dh_command_serve(int argc, char **argv) {
  const char *port = NULL, *cdn_port = NULL, *memory = NULL, *threads = NULL, *cdn_seconds = NULL,
             *resolve_cache = NULL;
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
  };
  int rest = dh_options("serve", rows, sizeof rows / sizeof *rows, argc, argv);
  if (rest != 0 || (memory && o.folder)) {
    if (rest > 0) fprintf(stderr, "hf-devhub serve: unexpected argument %s\n", argv[0]);
    if (memory && o.folder) fprintf(stderr, "hf-devhub serve: give either --data or --memory\n");
    return 2;
  }
  struct server *s = calloc(1, sizeof *s);
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (!s) return 1;
  s->workers.stop_fd = -1;
  s->resolve_cache = resolve_cache != NULL;
  bool ok = port_read(port, &o.port) && port_read(cdn_port, &o.cdn_port) &&
            count_read(threads, cores > 4 ? (uint64_t)cores : 4, 64, &o.threads) &&
            count_read(cdn_seconds, 3600, 1000000, &s->cdn_seconds);
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
