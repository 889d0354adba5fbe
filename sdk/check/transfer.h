/* transfer.h - the other side of an adapter under judgement: a sink in memory that knows what it lacks and watches what is
 * written, a source that can fail, and a batch of files on the judge's server.
 * The sink is as strict as the core's wrapped one: bytes outside of the file end the try. */
#ifndef CHECK_TRANSFER_H
#define CHECK_TRANSFER_H
#include <pthread.h>

#include "bench.h"
#include "server.h"

enum { HELD_MAX = 4096 };

struct memory_sink {
  struct hf_sink s; /* first */
  pthread_mutex_t lock;
  uint8_t *data;
  uint64_t room;                  /* of data */
  struct hf_range held[HELD_MAX]; /* ascending, not adjacent */
  uint32_t count;
  uint64_t written, writes; /* bytes in all, also again */
  uint64_t fail_at;         /* that many bytes, then fail_with */
  hf_status fail_with;
  uint32_t delay_us;      /* per write */
  _Atomic uint32_t asked; /* calls of missing() */
};
struct memory_sink *sink_new(struct bench *, uint64_t size, uint64_t room);      /* size may be unknown */
void sink_hold(struct memory_sink *, uint64_t off, uint64_t len, uint64_t seed); /* as if from an earlier attempt */
bool sink_complete(struct memory_sink *, uint64_t size);
/* All there, and every byte as the server's. */
void expect_received(struct memory_sink *, uint64_t size, uint64_t seed);

struct job { /* one file of a batch */
  struct hf_tr_file f;
  struct memory_sink *sink;
  uint64_t seed;
  char url[256], path[64];
};
enum { JOBS_MAX = 32 };
struct work {
  struct bench *b;
  struct job jobs[JOBS_MAX];
  struct hf_tr_file *files[JOBS_MAX];
  struct hf_tr_batch batch;
  const struct hf_transfer *tr; /* of the open session: the adapter, or layers around it */
  void *session;
};
struct work *work_new(struct bench *, uint32_t direction);
/* A file to download, its sink ready; size as the batch says it. */
struct job *add_download(struct work *, const char *behaviour, uint64_t size, uint64_t seed, bool size_known);
void open_session(struct work *); /* score must not be 0 */
hf_status run(struct work *, struct job *);
void run_ok(struct work *, struct job *);
void close_session(struct work *, bool finish);
/* work_new, one file, run, and the failure that is wanted (0: any). */
void one_fails(struct bench *, const char *behaviour, uint64_t size, hf_status want);
void one_succeeds(struct bench *, const char *behaviour, uint64_t size, bool size_known);
#endif
