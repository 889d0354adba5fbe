/* cache_words.c - sizes and times as the cache commands of the reference write and read them.
 * Sizes are of 1000, durations of fixed months and years; a number without a unit is bytes or seconds.
 * Rounding is Python's: halves go to the even number. */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *hf_cache_size(hf_call *c, uint64_t size) {
  static const char *const units[] = {"", "K", "M", "G", "T", "P", "E", "Z"};
  double n = (double)size;
  for (size_t i = 0; i < HF_COUNT(units); i++, n /= 1000.0)
    if (n < 1000.0) return hf_hub_text(c, "%3.1f%s", n, units[i]);
  return hf_hub_text(c, "%.1fY", n);
}

double hf_cache_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double to_even(double n) { /* n is not negative and far below 2^53 */
  double whole = (double)(uint64_t)n, rest = n - whole;
  bool up = rest > 0.5 || (rest >= 0.5 && (uint64_t)whole % 2);
  return whole + (up ? 1 : 0);
}

const char *hf_cache_since(hf_call *c, double then) {
  static const struct {
    const char *label;
    double divider, most; /* shown up to this many */
  } chunks[] = {{"second", 1, 59},   {"minute", 60, 59},     {"hour", 3600, 23},       {"day", 86400, 6},
                {"week", 604800, 6}, {"month", 2592000, 11}, {"year", 31536000, 1e300}};
  double delta = hf_cache_now() - then;
  if (delta < 20) return "a few seconds ago";
  for (size_t i = 0; i < HF_COUNT(chunks); i++) {
    double n = to_even(delta / chunks[i].divider);
    if (n <= chunks[i].most) return hf_hub_text(c, "%.0f %s%s ago", n, chunks[i].label, n > 1 ? "s" : "");
  }
  return "";
}

struct unit {
  const char *name;
  double times;
};
static const struct unit sizes[] = {{"k", 1e3},  {"kb", 1e3}, {"m", 1e6},   {"mb", 1e6}, {"g", 1e9},
                                    {"gb", 1e9}, {"t", 1e12}, {"tb", 1e12}, {"p", 1e15}, {"pb", 1e15}};
static const struct unit times[] = {{"s", 1},      {"m", 60},       {"h", 3600},    {"d", 86400},
                                    {"w", 604800}, {"mo", 2592000}, {"y", 31536000}};

static bool is_digit(char ch) {
  return ch >= '0' && ch <= '9';
}

static bool is_letter(char ch) {
  return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* What Python's int() takes: a sign, digits, single underscores between them. */
static bool plain_number(const char *s, size_t n, double *out) {
  size_t i = 0;
  double sign = 1, value = 0;
  if (n && (s[0] == '-' || s[0] == '+')) sign = s[i++] == '-' ? -1 : 1;
  if (i == n || !is_digit(s[n - 1])) return false;
  for (size_t first = i; i < n; i++) {
    if (s[i] == '_' && i > first && s[i - 1] != '_') continue;
    if (!is_digit(s[i])) return false;
    value = value * 10 + (s[i] - '0');
  }
  *out = sign * value;
  return true;
}

static const char *parse(hf_call *c, const char *text, const struct unit *units, size_t count, double *out) {
  const char *s = text;
  size_t n = strlen(s), digits = 0;
  while (n && strchr(" \t\n\r\f\v", s[n - 1])) n--;
  while (n && strchr(" \t\n\r\f\v", *s)) s++, n--;
  if (!n) return "Value cannot be empty.";
  if (plain_number(s, n, out)) return NULL;
  double value = 0;
  while (digits < n && is_digit(s[digits])) value = value * 10 + (s[digits++] - '0');
  size_t end = digits;
  while (end < n && is_letter(s[end])) end++;
  if (!digits || end == digits || end != n)
    return hf_hub_text(c, "Invalid value '%s'. Must match pattern '\\d+[a-z]+' or be a plain number.", text);
  char unit[32];
  snprintf(unit, sizeof unit, "%.*s", (int)(n - digits), s + digits);
  for (char *p = unit; *p; p++)
    if (*p >= 'A' && *p <= 'Z') *p = (char)(*p - 'A' + 'a');
  for (size_t i = 0; i < count; i++)
    if (!strcmp(unit, units[i].name)) return *out = value * units[i].times, NULL;
  const char *list = "";
  for (size_t i = 0; list && i < count; i++) list = hf_hub_text(c, "%s%s'%s'", list, i ? ", " : "", units[i].name);
  return hf_hub_text(c, "Unknown unit '%s'. Must be one of [%s].", unit, list ? list : "");
}

const char *hf_cache_parse_size(hf_call *c, const char *text, double *out) {
  return parse(c, text, sizes, HF_COUNT(sizes), out);
}

const char *hf_cache_parse_time(hf_call *c, const char *text, double *out) {
  return parse(c, text, times, HF_COUNT(times), out);
}
