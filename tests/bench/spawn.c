/* spawn.c - runs one command and prints its wall time, CPU time and peak memory as JSON on descriptor 3.
 * A process of its own because Linux counts the memory of whoever called exec: from a small parent the figure is the
 * command's. Usage: bench-spawn COMMAND ARGUMENT... 3>file; exits as the command did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  pid_t pid = fork();
  if (pid < 0) return 2;
  if (pid == 0) {
    close(3);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status = 0;
  struct rusage used;
  if (wait4(pid, &status, 0, &used) != pid) return 2;
  clock_gettime(CLOCK_MONOTONIC, &ended);
  double wall = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
  char line[160];
  int n = snprintf(line, sizeof line, "{\"wall\": %.6f, \"cpu\": %.6f, \"rss\": %ld}\n", wall,
                   seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss * 1024L);
  if (write(3, line, (size_t)n) != n && errno != EBADF) return 2; /* closed: nobody asks */
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
