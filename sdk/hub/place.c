/* place.c - a finished file gets its name.
 * A regular file or a link of that name is replaced in one step; what is neither (a device, a pipe) is written into and stays
 * what it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub.h"

static int pour(int from, int to) {
  char block[65536];
  ssize_t n;
  while ((n = read(from, block, sizeof block)) != 0) {
    if (n < 0 && errno != EINTR) return errno;
    for (ssize_t at = 0, put; at<n; at += put> 0 ? put : 0)
      if ((put = write(to, block + at, (size_t)(n - at))) < 0 && errno != EINTR) return errno;
  }
  return 0;
}

static bool stays(const char *name) {
  struct stat st;
  return !lstat(name, &st) && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode);
}

const char *hf_hub_place_beside(hf_call *c, const char *name) {
  const char *tmp = getenv("TMPDIR");
  return stays(name) ? hf_hub_text(c, "%s/hf-made", tmp && *tmp ? tmp : "/tmp") : name;
}

int hf_hub_place(const char *made, const char *name) {
  if (!stays(name)) return rename(made, name) ? errno : 0;
  int from = open(made, O_RDONLY | O_CLOEXEC), err = from < 0 ? errno : 0;
  int to = err ? -1 : open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
  if (!err && to < 0) err = errno;
  if (!err) err = pour(from, to);
  if (to >= 0 && close(to) && !err) err = errno;
  if (from >= 0) close(from);
  if (!err && unlink(made)) err = errno;
  return err;
}
