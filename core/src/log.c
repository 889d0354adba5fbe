/* Log lines: one per message, without secrets and control characters, to the embedder's function or to stderr.
 * Which levels come through is settled when the runtime is made, from HF_DEBUG and HF_HUB_VERBOSITY.
 * A message is cut after two kilobytes; a log line that fails to be written is nobody's error. */
#include <stdio.h>
#include <unistd.h>

#include "call.h"

static const char *const names[] = {"error", "warning", "info", "debug"};

static void to_stderr(int32_t level, const char *line) {
  char text[2200];
  int len = snprintf(text, sizeof text, "hf: %s: %s\n", names[level], line);
  if (len < 0) return;
  if ((size_t)len >= sizeof text) len = sizeof text - 1;
  ssize_t n = write(STDERR_FILENO, text, (size_t)len);
  (void)n;
}

void hf_log_va(hf_runtime *rt, int32_t level, const char *who, const char *format, va_list args) {
  if (level < HF_LOG_ERROR) level = HF_LOG_ERROR;
  if (level > HF_LOG_DEBUG) level = HF_LOG_DEBUG;
  if (level > atomic_load_explicit(&rt->log_level, memory_order_relaxed)) return;
  char line[2048];
  int start = who ? snprintf(line, sizeof line, "%.31s: ", who) : 0;
  if (start < 0 || vsnprintf(line + start, sizeof line - (size_t)start, format, args) < 0) return;
  for (char *c = line; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7f) *c = ' ';
  hf_text_redact(line);
  if (rt->log)
    rt->log(rt->log_arg, level, line);
  else
    to_stderr(level, line);
}

void hf_log(hf_runtime *rt, int32_t level, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hf_log_va(rt, level, NULL, format, args);
  va_end(args);
}
