/* log.h - the requests this server got, in a ring in memory and, if wanted, appended to a file as JSON lines.
 * A row exists from the moment its answer is ready, so a test that has an answer finds its request; "done" and "sent" follow
 * when the answer is out. Authorization and cookies are never in it. */
#ifndef DEVHUB_LOG_H
#define DEVHUB_LOG_H
#include "text.h"
#include <pthread.h>
#include <stdio.h>

enum { LOG_ROWS = 65536 };
struct log_row {
  uint64_t number, sent;
  int status;
  bool done, complete;
  double seconds, begun;
  char *head; /* JSON members that are known when the row is made */
};
struct log {
  pthread_mutex_t lock;
  struct log_row *rows;
  uint64_t next; /* number of the next row, from 1 */
  uint64_t first;
  FILE *file;
};

bool dh_log_open(struct log *l, const char *path); /* path NULL: memory only */
void dh_log_close(struct log *l);
/* Takes the JSON members (without braces); returns the row's number, 0 on failure. */
uint64_t dh_log_begin(struct log *l, char *head, int status);
void dh_log_end(struct log *l, uint64_t number, uint64_t sent, bool complete);
void dh_log_clear(struct log *l);
void dh_log_write(struct log *l, uint64_t after, struct text *out); /* JSON lines with a number above `after` */
#endif
