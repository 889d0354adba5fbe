/* fail.c - errors of the file system as errors of the call, and small helpers for memory and options.
 * Every message names the path and says what to do.
 * Codes: access refused, no space, or an I/O error with its errno. */
#include "posix.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct hf_host *hf_posix_host;

struct reason {
  int err;
  hf_status code;
  const char *hint;
};
static const struct reason reasons[] = {
    {ENOSPC, HF_ENOSPACE, "free some space or choose another folder"},
    {EDQUOT, HF_ENOSPACE, "your quota is used up; free some space or choose another folder"},
    {EFBIG, HF_EIO, "the file is larger than the file system or the limit on file sizes (ulimit -f) allows"},
    {EACCES, HF_EPERM, "check who owns it and its permissions, or choose another folder"},
    {EPERM, HF_EPERM, "check who owns it and its permissions, or choose another folder"},
    {EROFS, HF_EPERM, "it is mounted read-only; choose a folder that can be written"},
    {ENOMEM, HF_ENOMEM, "free some memory and try again"},
    {EMFILE, HF_EIO, "too many files are open; raise the limit (ulimit -n) or use fewer workers"},
    {ENAMETOOLONG, HF_EIO, "the name is too long for this file system; choose a folder with a shorter path"},
    {ELOOP, HF_EPERM, "a symbolic link stands in the way and is not followed; remove it or choose another folder"},
    {EXDEV, HF_EPERM, "it leads out of its folder and is not followed; remove it or choose another folder"},
    {ENOTDIR, HF_EIO, "a file stands where a folder is needed; remove it or choose another folder"},
    {EISDIR, HF_EIO, "a folder stands where a file is needed; remove it or choose another folder"},
    {ENOTEMPTY, HF_EIO, "a folder stands where a file is needed; remove it or choose another folder"},
};

hf_status hf_file_fail(hf_call *c, int err, const char *verb, const char *path) {
  char text[1024], why[128];
  struct reason r = {err, HF_EIO, "check the disk and try again"};
  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
    if (reasons[i].err == err) r = reasons[i];
  const char *reason = strerror_r(err, why, sizeof why);
  if (!hf_format(text, sizeof text, "Could not %s %s: %s (%s).", verb, path, reason, r.hint))
    hf_format(text, sizeof text, "Could not %s a file in the store: %s (%s).", verb, reason, r.hint);
  return H->fail(
      c, &(struct hf_error){.struct_size = sizeof(struct hf_error), .code = r.code, .message = text, .sys_errno = err});
}

bool hf_flag_option(hf_call *c, const char *key) {
  static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
  const char *v = H->option(c, key);
  for (size_t i = 0; v && i < sizeof yes / sizeof *yes; i++)
    if (!strcasecmp(v, yes[i])) return true;
  return false;
}

void *hf_zalloc(hf_call *c, size_t n) {
  void *p = H->alloc(n);
  if (p)
    memset(p, 0, n);
  else if (c)
    H->failf(c, HF_ENOMEM, "Out of memory in the file store; free some memory and try again.");
  return p;
}

char *hf_strdup(hf_call *c, const char *s) {
  size_t n = strlen(s) + 1;
  char *p = hf_zalloc(c, n);
  if (p) memcpy(p, s, n);
  return p;
}

bool hf_format(char *out, size_t room, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(out, room, fmt, ap);
  va_end(ap);
  return n >= 0 && (size_t)n < room;
}
