/* jump.c - a wall clock that jumps: preloaded into a program, its calendar time goes 400 days ahead and 400 days back again, every
 * 300 ms. The monotonic clock goes on as ever.
 * For tests of what must not depend on it. */
#include <dlfcn.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

static long jump(void) {
  static const long days[] = {0, 400, -400};
  static int (*real)(clockid_t, struct timespec *);
  struct timespec t = {0, 0};
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  real(CLOCK_MONOTONIC, &t);
  return days[(t.tv_sec * 1000 + t.tv_nsec / 1000000) / 300 % 3] * 86400;
}

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
  int bad = real(clock, t);
  if (!bad && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) t->tv_sec += jump();
  return bad;
}

__attribute__((visibility("default"))) time_t time(time_t *out) {
  struct timespec t = {0, 0};
  clock_gettime(CLOCK_REALTIME, &t);
  if (out) *out = t.tv_sec;
  return t.tv_sec;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  struct timespec t = {0, 0};
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &t);
  *out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
  return 0;
}
