/* settings.c - reading what people set: "16", "64mb", "1.5s", "500ms", "yes".
 * Units count by 1000 with one letter or with "b", by 1024 with "ib", as the reference counts them.
 * Pure text work over the host's options. */
#include "settings.h"

#include <stdlib.h>
#include <strings.h>

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
  double v = measure(xet_host->option(c, key), NULL, 0);
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
  double v = MEASURE(xet_host->option(c, key), units);
  return v < 0 ? unset : v < 9e18 ? (uint64_t)v : UINT64_MAX;
}

uint64_t xet_option_ms(hf_call *c, const char *key) {
  static const struct unit units[] = {{"ms", 1e-3}, {"s", 1},    {"sec", 1}, {"secs", 1},
                                      {"m", 60},    {"min", 60}, {"h", 3600}};
  double v = MEASURE(xet_host->option(c, key), units);
  return v <= 0 ? 0 : v < 3600 ? (uint64_t)(v * 1000) : 3600000;
}

bool xet_option_flag(hf_call *c, const char *key) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  const char *value = xet_host->option(c, key);
  for (size_t i = 0; value && i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(value, yes[i])) return true;
  return false;
}
