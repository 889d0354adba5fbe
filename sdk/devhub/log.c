/* log.c - the ring of requests (log.h).
 * One lock; a row is a few hundred bytes, the oldest row makes room for the newest.
 * The file, if any, gets a row when it is done. */
#include "log.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double clock_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

bool dh_log_open(struct log *l, const char *path) {
  *l = (struct log){.next = 1, .first = 1};
  pthread_mutex_init(&l->lock, NULL);
  l->rows = calloc(LOG_ROWS, sizeof *l->rows);
  if (path) l->file = fopen(path, "ae");
  if (path && !l->file) fprintf(stderr, "hf-devhub: cannot write the log %s: %s\n", path, strerror(errno));
  return l->rows && (!path || l->file);
}

void dh_log_close(struct log *l) {
  if (l->rows)
    for (size_t i = 0; i < LOG_ROWS; i++) free(l->rows[i].head);
  free(l->rows);
  l->rows = NULL;
  if (l->file) fclose(l->file);
  l->file = NULL;
}

uint64_t dh_log_begin(struct log *l, char *head, int status) {
  if (!head) return 0;
  pthread_mutex_lock(&l->lock);
  struct log_row *row = &l->rows[l->next % LOG_ROWS];
  free(row->head);
  *row = (struct log_row){.number = l->next, .status = status, .begun = clock_now(), .head = head};
  uint64_t number = l->next++;
  if (l->next - l->first > LOG_ROWS) l->first = l->next - LOG_ROWS;
  pthread_mutex_unlock(&l->lock);
  return number;
}

static void row_write(const struct log_row *row, struct text *out) {
  dh_text_addf(out, "{\"n\":%llu,%s,\"status\":%d,\"done\":%s,\"complete\":%s,\"sent\":%llu,\"ms\":%.3f}\n",
               (unsigned long long)row->number, row->head, row->status, row->done ? "true" : "false",
               row->complete ? "true" : "false", (unsigned long long)row->sent, row->seconds * 1000);
}

void dh_log_end(struct log *l, uint64_t number, uint64_t sent, bool complete) {
  if (!number) return;
  struct text line = {0};
  pthread_mutex_lock(&l->lock);
  struct log_row *row = &l->rows[number % LOG_ROWS];
  if (row->number == number && !row->done) {
    row->done = true;
    row->complete = complete;
    row->sent = sent;
    row->seconds = clock_now() - row->begun;
    if (l->file) row_write(row, &line);
  }
  if (line.size && !line.failed) {
    fwrite(line.data, 1, line.size, l->file);
    fflush(l->file);
  }
  pthread_mutex_unlock(&l->lock);
  dh_text_free(&line);
}

void dh_log_clear(struct log *l) {
  pthread_mutex_lock(&l->lock);
  l->first = l->next;
  pthread_mutex_unlock(&l->lock);
}

void dh_log_write(struct log *l, uint64_t after, struct text *out) {
  pthread_mutex_lock(&l->lock);
  for (uint64_t n = after + 1 > l->first ? after + 1 : l->first; n < l->next; n++)
    row_write(&l->rows[n % LOG_ROWS], out);
  pthread_mutex_unlock(&l->lock);
}
