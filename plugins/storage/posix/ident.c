/* ident.c - names of holders: machine, boot, process namespace, process, start time, and a number unique in the
 * process. A name found on disk tells whether its holder can still be alive. "Dead" is said only when it is certain.
 * The same name is part of the file name of a partial, so taking one over is a rename that only one process wins. */
#include "posix.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

struct ident {
  uint64_t machine, boot, space;
  long pid;
  uint64_t start;
};

static size_t read_small(const char *path, char *buf, size_t room) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, buf, room - 1);
  close(fd);
  buf[n > 0 ? n : 0] = 0;
  return n > 0 ? (size_t)n : 0;
}

static uint64_t mix(uint64_t h, const char *s) {
  for (; *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
  return h;
}

/* Field 22 of /proc/PID/stat, counted behind the name, which may hold anything. gone: a zombie writes nothing any
 * more. */
static bool start_of(long pid, uint64_t *start, bool *gone) {
  char path[64], buf[1024];
  hf_format(path, sizeof path, "/proc/%ld/stat", pid);
  if (!read_small(path, buf, sizeof buf)) return false;
  char *p = strrchr(buf, ')');
  if (!p || !p[1]) return false;
  *gone = p[2] == 'Z' || p[2] == 'X';
  for (int field = 2; field < 22 && p; field++) p = strchr(p + 1, ' ');
  if (!p) return false;
  *start = strtoull(p + 1, NULL, 10);
  return true;
}

static void know_self(struct ident *me) {
  char buf[256];
  struct utsname u;
  me->machine = 0xcbf29ce484222325u;
  if (uname(&u) == 0) me->machine = mix(me->machine, u.nodename);
  if (read_small("/etc/machine-id", buf, sizeof buf)) me->machine = mix(me->machine, buf);
  me->boot = read_small("/proc/sys/kernel/random/boot_id", buf, sizeof buf) ? mix(0xcbf29ce484222325u, buf) : 0;
  ssize_t n = readlink("/proc/self/ns/pid", buf, sizeof buf - 1);
  buf[n > 0 ? n : 0] = 0;
  char *digits = strchr(buf, '[');
  me->space = digits ? strtoull(digits + 1, NULL, 10) : 0;
  me->pid = (long)getpid();
  bool gone;
  if (!start_of(me->pid, &me->start, &gone)) me->start = 0;
}

static void self(struct ident *out) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static struct ident me;
  pthread_mutex_lock(&lock);
  if (me.pid != (long)getpid()) know_self(&me); /* a fork is somebody else */
  *out = me;
  pthread_mutex_unlock(&lock);
}

void hf_ident_make(char out[HF_IDENT_ROOM]) {
  static _Atomic uint32_t count;
  struct ident me;
  self(&me);
  hf_format(out, HF_IDENT_ROOM, "%llx-%llx-%llx-%ld-%llx-%x", (unsigned long long)me.machine,
            (unsigned long long)me.boot, (unsigned long long)me.space, me.pid, (unsigned long long)me.start,
            atomic_fetch_add(&count, 1));
}

enum hf_holder hf_ident_judge(const char *id, bool local) {
  struct ident me, it;
  unsigned long long machine, boot, space, start;
  unsigned number;
  if (sscanf(id, "%16llx-%16llx-%16llx-%ld-%16llx-%8x", &machine, &boot, &space, &it.pid, &start, &number) != 6)
    return HF_HOLDER_UNKNOWN;
  self(&me);
  if (!boot || !me.boot) return HF_HOLDER_UNKNOWN;
  if (boot != me.boot) return local || machine == me.machine ? HF_HOLDER_DEAD : HF_HOLDER_UNKNOWN;
  if (space != me.space || it.pid <= 0) return HF_HOLDER_UNKNOWN;
  if (kill((pid_t)it.pid, 0) != 0 && errno == ESRCH) return HF_HOLDER_DEAD;
  bool gone = false;
  if (!start_of(it.pid, &it.start, &gone)) return HF_HOLDER_ALIVE;
  return gone || it.start != start ? HF_HOLDER_DEAD : HF_HOLDER_ALIVE;
}
