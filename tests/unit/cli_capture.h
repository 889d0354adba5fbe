/* cli_capture.h - what a function of the command line writes to stdout and stderr, as text, for its unit tests.
 * The descriptors are swapped for temporary files, so everything that would reach the terminal is seen.
 * CAPTURE(out, err, code to run). */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct capture {
  FILE *file[2];
  int saved[2];
  char text[2][65536];
};

static inline void capture_begin(struct capture *c) {
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    c->file[i] = tmpfile();
    c->saved[i] = dup(i + 1);
    if (!c->file[i] || c->saved[i] < 0 || dup2(fileno(c->file[i]), i + 1) < 0) abort();
  }
}

static inline void capture_end(struct capture *c) {
  fflush(NULL);
  for (int i = 0; i < 2; i++) {
    dup2(c->saved[i], i + 1);
    close(c->saved[i]);
    rewind(c->file[i]);
    size_t n = fread(c->text[i], 1, sizeof c->text[i] - 1, c->file[i]);
    c->text[i][n] = 0;
    fclose(c->file[i]);
  }
}
#endif
