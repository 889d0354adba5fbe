/* clock.c - the clock of deadlines, waits and measurements: nanoseconds, monotonic, no matter what the wall clock does.
 * Times of this clock are compared with each other only.
 * Never fails. */
#include <time.h>

#include "core.h"

uint64_t hf_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
