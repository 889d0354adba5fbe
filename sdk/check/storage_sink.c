/* storage_sink.c - rules of a store's sinks: bytes in every allowed order, sizes, reading back, lent memory, and what an
 * interrupted attempt leaves for the next one.
 * What a sink does not offer is skipped. */
#include <unistd.h>

#include "storage.h"

static void takes_any_order(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 300000, 1);
  struct hf_sink *s = begin(b, &f);
  if (!(s->caps & HF_IO_ANY_ORDER)) skipped("its sinks take bytes in order");
  for (int i = 9; i >= 0; i--) put_range(b, s, &f, (uint64_t)i * 30000, 30000);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void random_write_means_any_order(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 1000, 1);
  struct hf_sink *s = begin(b, &f);
  EXPECT(s->caps & HF_IO_ANY_ORDER, "random-write is among its capabilities, but its sinks lack HF_IO_ANY_ORDER");
  s->abort(s, 0);
}

static void last_write_wins(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 100000, 1), wrong = f;
  struct hf_sink *s = begin(b, &f);
  if (!(s->caps & HF_IO_ANY_ORDER)) skipped("its sinks take bytes in order");
  wrong.seed = 99;
  put_range(b, s, &wrong, 20000, 50000);
  put_all(b, s, &f);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void gathers(struct bench *b) {
  if (b->m->caps & HF_ST_PART_WRITE) skipped("it takes whole parts");
  struct file f = make_file(b, "x.bin", COMMIT_A, 1000, 1);
  struct hf_sink *s = begin(b, &f);
  uint8_t buf[1000];
  struct hf_iov v[20];
  fill(buf, sizeof buf, 0, f.seed);
  for (size_t i = 0, at = 0; i < COUNT(v); i++) {
    size_t n = i == 7 ? 0 : i + 1 < COUNT(v) ? 37 : sizeof buf - at;
    v[i] = (struct hf_iov){buf + at, n};
    at += n;
  }
  expect_ok(b, s->writev(b->c, s, 0, v, COUNT(v)), "writev of twenty pieces");
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

struct writers {
  struct bench *b;
  struct hf_sink *s;
  const struct file *f;
};
static hf_status write_part(hf_call *c, void *arg, uint32_t i) {
  struct writers *w = arg;
  struct bench mine = *w->b;
  mine.c = c;
  put_range(&mine, w->s, w->f, i * UINT64_C(25000), 25000);
  return HF_OK;
}

static void takes_many_writers(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 1000000, 1);
  struct writers w = {b, begin(b, &f), &f};
  if (!(w.s->caps & HF_IO_CONCURRENT) || !(w.s->caps & HF_IO_ANY_ORDER)) skipped("its sinks have one writer");
  expect_ok(b, b->h->parallel(b->c, 40, 8, write_part, &w), "writing from many threads");
  publish(b, seal(b, w.s, &f), &f);
  expect_there(b, &f);
}

static void reads_back(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 120000, 1);
  struct hf_sink *s = begin(b, &f);
  if (!(s->caps & HF_IO_READ_BACK)) skipped("its sinks do not read back");
  EXPECT(s->pread != NULL, "a sink with HF_IO_READ_BACK has no pread");
  put_all(b, s, &f);
  uint8_t buf[5000];
  size_t got = 0;
  expect_ok(b, s->pread(b->c, s, buf, sizeof buf, 60000, &got), "pread of a sink");
  EXPECT(got == sizeof buf && same(buf, got, 60000, f.seed), "a sink reads back other bytes than were written");
  expect_ok(b, s->pread(b->c, s, buf, sizeof buf, 119000, &got), "pread over a sink's end");
  EXPECT(got == 1000 && same(buf, got, 119000, f.seed), "pread over a sink's end gave %zu bytes instead of 1000", got);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void size_is_said_once(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 1000, 1);
  struct hf_sink *s = begin(b, &f);
  if (!s->set_size) skipped("its sinks take any size");
  EXPECT(s->size == f.size, "after set_size the sink's size is %llu", (unsigned long long)s->size);
  expect_ok(b, s->set_size(b->c, s, f.size), "set_size with the same value");
  expect_fails(b, s->set_size(b->c, s, f.size + 1), HF_EPROTO, "set_size with another value");
  put_all(b, s, &f);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void size_comes_late(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 60013, 1);
  struct hf_ingest in = ingest_of(b, &f);
  struct hf_sink *s = NULL;
  in.size = HF_SIZE_UNKNOWN;
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest of unknown size");
  EXPECT(s->size == HF_SIZE_UNKNOWN, "a sink of unknown size says %llu", (unsigned long long)s->size);
  put_all(b, s, &f);
  if (s->set_size) expect_ok(b, s->set_size(b->c, s, f.size), "set_size after the bytes");
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void lends(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 40000, 1);
  struct hf_sink *s = begin(b, &f);
  if (!(s->caps & HF_IO_LENDS)) skipped("its sinks lend nothing");
  EXPECT(s->lend && s->commit && s->drop, "a sink with HF_IO_LENDS lacks lend, commit or drop");
  for (uint64_t off = 0; off < f.size; off += 10000) {
    struct hf_span p = {0};
    if (off == 20000) { /* given back unused */
      expect_ok(b, s->lend(b->c, s, off, 10000, &p), "lend");
      memset(p.base, 0xee, 10000);
      s->drop(s, &p);
    }
    expect_ok(b, s->lend(b->c, s, off, 10000, &p), "lend");
    EXPECT(p.base && p.len >= 10000, "lend gave %zu bytes instead of 10000", p.len);
    fill(p.base, 10000, off, f.seed);
    expect_ok(b, s->commit(b->c, s, &p, 10000), "commit");
  }
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

static void checkpoints(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, 120026, 1);
  struct hf_sink *s = begin(b, &f);
  if (!s->checkpoint) skipped("its sinks have no checkpoint");
  put_range(b, s, &f, 0, 60013);
  expect_ok(b, s->checkpoint(b->c, s, 0), "checkpoint that only begins");
  expect_ok(b, s->checkpoint(b->c, s, 1), "checkpoint that waits");
  put_range(b, s, &f, 60013, 60013);
  publish(b, seal(b, s, &f), &f);
  expect_there(b, &f);
}

/* ---- what an attempt leaves: below 1 MiB a store may keep nothing, so these files are larger ---- */

enum { BIG = 4 << 20, DONE = 3 << 20 };

static struct hf_sink *attempt(struct bench *b, const struct file *f) {
  struct hf_sink *s = begin(b, f);
  put_range(b, s, f, 0, DONE);
  if (s->note_write) expect_ok(b, s->note_write(b->c, s, "a note of the core", 18, 0), "note_write");
  if (s->checkpoint) expect_ok(b, s->checkpoint(b->c, s, 1), "checkpoint");
  return s;
}

static void goes_on(struct bench *b, const struct file *f) {
  struct hf_ingest in = ingest_of(b, f);
  struct hf_sink *s = NULL;
  uint8_t *buf = malloc(DONE);
  size_t got = 0;
  EXPECT(buf != NULL, "out of memory");
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest of an interrupted file");
  EXPECT(s->caps & HF_IO_RESUMES, "an interrupted file comes back without HF_IO_RESUMES");
  EXPECT(s->note_read && s->note_write, "a sink that resumes has no notes");
  expect_ok(b, s->note_read(b->c, s, buf, DONE, 0, &got), "note_read");
  EXPECT(got == 18 && memcmp(buf, "a note of the core", 18) == 0, "the note came back with %zu bytes, not as written",
         got);
  EXPECT(s->pread != NULL, "a sink that resumes does not read back");
  if (s->set_size) expect_ok(b, s->set_size(b->c, s, f->size), "set_size of a sink that resumes");
  expect_ok(b, s->pread(b->c, s, buf, DONE, 0, &got), "pread of what an earlier attempt left");
  EXPECT(got == DONE && same(buf, got, 0, f->seed), "bytes of an earlier attempt are lost");
  free(buf);
  put_range(b, s, f, DONE, f->size - DONE);
  publish(b, seal(b, s, f), f);
  expect_there(b, f);
}

static void resume_keeps_bytes(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  struct hf_sink *s = attempt(b, &f);
  s->abort(s, 1);
  goes_on(b, &f);
}

static void resume_in_a_new_store(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  struct hf_sink *s = attempt(b, &f);
  s->abort(s, 1);
  reopen(b);
  goes_on(b, &f);
}

static void attempt_and_die(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  attempt(b, &f);
  gone();
}
static void resume_after_death(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  goes_on(b, &f);
}

static void notes_grow_and_shrink(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  struct hf_sink *s = begin(b, &f);
  if (!s->note_write || !s->note_read) skipped("its sinks have no notes");
  char buf[64] = "";
  size_t got = 99;
  expect_ok(b, s->note_read(b->c, s, buf, sizeof buf, 0, &got), "note_read of an empty note");
  EXPECT(got == 0, "a new note has %zu bytes", got);
  expect_ok(b, s->note_write(b->c, s, "0123456789", 10, 0), "note_write");
  expect_ok(b, s->note_write(b->c, s, "abc", 3, 10), "note_write at the end");
  expect_ok(b, s->note_write(b->c, s, "XY", 2, 4), "note_write in the middle");
  expect_ok(b, s->note_read(b->c, s, buf, sizeof buf, 0, &got), "note_read");
  EXPECT(got == 13 && memcmp(buf, "0123XY6789abc", 13) == 0, "the note reads back other than written");
  expect_ok(b, s->note_read(b->c, s, buf, 4, 11, &got), "note_read over the end");
  EXPECT(got == 2 && memcmp(buf, "bc", 2) == 0, "note_read over the end gave %zu bytes", got);
  expect_ok(b, s->note_write(b->c, s, NULL, 0, 6), "note_write of length 0");
  expect_ok(b, s->note_read(b->c, s, buf, sizeof buf, 0, &got), "note_read");
  EXPECT(got == 6 && memcmp(buf, "0123XY", 6) == 0, "a note was not cut by a write of length 0");
  s->abort(s, 0);
}

static void published_file_is_not_resumed(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1);
  struct hf_sink *s = attempt(b, &f);
  put_range(b, s, &f, DONE, f.size - DONE);
  publish(b, seal(b, s, &f), &f);
  struct hf_ingest in = ingest_of(b, &f);
  in.flags = HF_IN_FORCE;
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest");
  EXPECT(!(s->caps & HF_IO_RESUMES), "a file that was published comes back as an interrupted one");
  s->abort(s, 0);
  expect_there(b, &f);
}

static void partial_of_another_file_is_not_taken(struct bench *b) {
  struct file f = make_file(b, "x.bin", COMMIT_A, BIG, 1), g = make_file(b, "x.bin", COMMIT_A, BIG, 2);
  struct hf_sink *s = attempt(b, &f);
  s->abort(s, 1);
  struct hf_ingest in = ingest_of(b, &g);
  expect_ok(b, b->st->ingest(b->c, b->store, &in, &s), "ingest");
  EXPECT(!(s->caps & HF_IO_RESUMES), "the partial of one etag was given to another");
  s->abort(s, 0);
}

#define W HF_ST_READ_ONLY
static const struct rule rows[] = {
    {"storage/random-write-means-any-order", random_write_means_any_order, HF_ST_RANDOM_WRITE, W, NULL},
    {"storage/sink-takes-any-order", takes_any_order, 0, W | HF_ST_PART_WRITE, NULL},
    {"storage/sink-last-write-wins", last_write_wins, 0, W | HF_ST_PART_WRITE, NULL},
    {"storage/sink-gathers", gathers, 0, W, NULL},
    {"storage/sink-takes-many-writers", takes_many_writers, 0, W | HF_ST_PART_WRITE, NULL},
    {"storage/sink-reads-back", reads_back, 0, W, NULL},
    {"storage/sink-size-is-said-once", size_is_said_once, 0, W, NULL},
    {"storage/sink-size-comes-late", size_comes_late, 0, W, NULL},
    {"storage/sink-lends", lends, 0, W, NULL},
    {"storage/sink-checkpoints", checkpoints, 0, W, NULL},
    {"storage/sink-notes-grow-and-shrink", notes_grow_and_shrink, 0, W, NULL},
    {"storage/resume-keeps-bytes", resume_keeps_bytes, HF_ST_RESUME, W, NULL},
    {"storage/resume-in-a-new-store", resume_in_a_new_store, HF_ST_RESUME, W, NULL},
    {"storage/resume-after-death", attempt_and_die, HF_ST_RESUME, W, resume_after_death},
    {"storage/resume-not-of-published", published_file_is_not_resumed, HF_ST_RESUME, W, NULL},
    {"storage/resume-not-of-another-etag", partial_of_another_file_is_not_taken, HF_ST_RESUME, W, NULL},
};
const struct rules storage_sink_rules = {rows, COUNT(rows)};
