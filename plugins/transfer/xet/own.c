/* own.c - opens files below HF_HOME that this plugin keeps for itself: journal of uploads, chunk cache.
 * Only a regular file of this user that nobody else may write is taken; links, devices and pipes are refused without waiting.
 * A new file is for its owner alone. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin.h"

int xet_open_own(const char *path, int flags) {
  struct stat st;
  int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
  if (fd < 0) return -1;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022)) return fd;
  close(fd);
  errno = EPERM;
  return -1;
}
