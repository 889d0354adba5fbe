/* noflock.c - preloaded into a process, it makes file locks succeed without locking anything, as some network file
 * systems do. Covers flock and the locking forms of fcntl.
 * Only for tests: correctness must not rest on a lock. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((visibility("default"))) int flock(int fd, int operation) {
  (void)fd, (void)operation;
  return 0;
}

static int control(int fd, int cmd, void *arg) {
  switch (cmd) {
    case F_SETLK:
    case F_SETLKW:
    case F_OFD_SETLK:
    case F_OFD_SETLKW: return 0;
    default: return (int)syscall(SYS_fcntl, fd, cmd, arg);
  }
}

#define FORWARD(name)                                                     \
  __attribute__((visibility("default"))) int name(int fd, int cmd, ...) { \
    va_list ap;                                                           \
    va_start(ap, cmd);                                                    \
    void *arg = va_arg(ap, void *);                                       \
    va_end(ap);                                                           \
    return control(fd, cmd, arg);                                         \
  }

FORWARD(fcntl)
FORWARD(fcntl64)
