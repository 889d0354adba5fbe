/* transfer_rules.c - rules of a transfer adapter when all goes well: scores, sessions, bytes, sizes, what is asked for and
 * what is not, many files.
 * The server keeps every request, so that a rule can say what should not have been asked. */
#include <unistd.h>

#include "transfer.h"

#define MIB (1u << 20)

static void score_moves_nothing(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  add_download(w, "ok", 1000, 1, true);
  int32_t score = b->tr->score(b->c, &w->batch);
  EXPECT(score >= 0, "score is %d", score);
  EXPECT(!(b->m->caps & HF_TR_DOWNLOAD) || score > 0 || (b->m->caps & HF_TR_DEDUP),
         "download is among its capabilities, and an ordinary batch has score 0");
  EXPECT(server_requests(b->server, NULL, 0) == 0, "score asked the server");
}

static void score_of_the_other_direction(struct bench *b) {
  struct work *w = work_new(b, b->m->caps & HF_TR_UPLOAD ? HF_TR_DOWNLOAD : HF_TR_UPLOAD);
  int32_t score = b->tr->score(b->c, &w->batch);
  EXPECT((b->m->caps & HF_TR_DOWNLOAD && b->m->caps & HF_TR_UPLOAD) || score == 0,
         "score for a direction that is not among its capabilities is %d", score);
}

static void score_of_an_empty_batch(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  EXPECT(b->tr->score(b->c, &w->batch) >= 0, "score of an empty batch is negative");
}

static void session_without_files(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  add_download(w, "ok", 1000, 1, true);
  open_session(w);
  close_session(w, false);
  open_session(w);
  close_session(w, true);
  EXPECT(server_requests(b->server, NULL, 0) == 0, "a session that moved no file asked the server");
}

static void open_needs_no_sinks(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  for (int i = 0; i < 3; i++) add_download(w, "ok", 1000, 1, true)->f.sink = NULL;
  open_session(w);
  close_session(w, false);
}

static void one_file(struct bench *b) {
  one_succeeds(b, "ok", 100000, true);
}
static void one_byte(struct bench *b) {
  one_succeeds(b, "ok", 1, true);
}
static void empty_file(struct bench *b) {
  one_succeeds(b, "ok", 0, true);
}
static void large_file(struct bench *b) {
  one_succeeds(b, "ok", 40 * MIB + 12345, true);
}
static void unknown_size(struct bench *b) {
  one_succeeds(b, "ok", 300000, false);
}
static void unknown_size_without_length(struct bench *b) {
  one_succeeds(b, "chunked", 300000, false);
}
/* An adapter of ranges may leave such a server to the next adapter; then it says so. */
static void server_without_ranges(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "whole", 20 * MIB, 5, true);
  open_session(w);
  hf_status st = run(w, j);
  if (st < 0 && (b->m->caps & HF_TR_RANGES)) {
    EXPECT(b->h->error(b->c) != NULL, "run failed without a sentence in its call");
    b->h->clear(b->c);
  } else {
    expect_ok(b, st, "run");
    expect_received(j->sink, 20 * MIB, 5);
  }
  close_session(w, st == HF_OK);
}
static void follows_redirects(struct bench *b) {
  one_succeeds(b, "redirect", 100000, true);
}

static void keeps_the_query(struct bench *b) {
  static struct request r[16];
  one_succeeds(b, "ok", 5000, true);
  uint32_t n = server_requests(b->server, r, COUNT(r));
  for (uint32_t i = 0; i < n && i < COUNT(r); i++)
    EXPECT(strstr(r[i].target, "?sig=a%2Fb&x=1") != NULL, "the address was changed to %s", r[i].target);
}

static void sends_no_credentials(struct bench *b) {
  static struct request r[16];
  one_succeeds(b, "ok", 5000, true);
  uint32_t n = server_requests(b->server, r, COUNT(r));
  EXPECT(n > 0, "no request was made");
  for (uint32_t i = 0; i < n && i < COUNT(r); i++)
    EXPECT(!r[i].authorized, "a request carried an Authorization header");
}

static void asks_missing_first(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 100000, 5, true);
  sink_hold(j->sink, 0, 100000, 5);
  open_session(w);
  run_ok(w, j);
  EXPECT(j->sink->written == 0, "bytes were written that the sink had");
  static struct request r[16];
  uint32_t n = server_requests(b->server, r, COUNT(r));
  for (uint32_t i = 0; i < n && i < COUNT(r); i++)
    EXPECT(strcmp(r[i].method, "HEAD") == 0, "a file that is complete was asked for again");
  close_session(w, true);
}

static void resumes_the_rest(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 4 * MIB, 5, true);
  sink_hold(j->sink, 0, 3 * MIB, 5);
  open_session(w);
  run_ok(w, j);
  EXPECT(j->sink->written <= MIB + MIB / 4, "%llu bytes were written to fill a gap of %u",
         (unsigned long long)j->sink->written, MIB);
  close_session(w, true);
}

static void asks_only_for_what_is_missing(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 4 * MIB, 5, true);
  sink_hold(j->sink, 0, 3 * MIB, 5);
  open_session(w);
  run_ok(w, j);
  static struct request r[64];
  uint32_t n = server_requests(b->server, r, COUNT(r));
  for (uint32_t i = 0; i < n && i < COUNT(r); i++)
    EXPECT(strcmp(r[i].method, "GET") != 0 || (r[i].ranged && r[i].from >= 3 * MIB),
           "the server was asked for bytes from %llu although the sink has the first 3 MiB",
           (unsigned long long)(r[i].ranged ? r[i].from : 0));
  close_session(w, true);
}

static void fills_holes(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 2 * MIB, 5, true);
  sink_hold(j->sink, 100000, 300000, 5);
  sink_hold(j->sink, 700001, 99, 5);
  sink_hold(j->sink, 1500000, 2 * MIB - 1500000, 5);
  open_session(w);
  run_ok(w, j);
  close_session(w, true);
}

static void resumes_where_ranges_are_refused(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "whole", 500000, 5, true);
  sink_hold(j->sink, 0, 200000, 5);
  open_session(w);
  hf_status st = run(w, j);
  if (st == HF_OK)
    expect_received(j->sink, 500000, 5);
  else
    EXPECT(same(j->sink->data, 200000, 0, 5), "bytes that the sink had were damaged");
  b->h->clear(b->c);
  close_session(w, false);
}

static void many_files_in_a_session(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  for (uint64_t i = 0; i < 24; i++) add_download(w, "ok", 1000 + i * 7777, i, true);
  open_session(w);
  for (uint32_t i = 0; i < w->batch.count; i++) run_ok(w, &w->jobs[i]);
  close_session(w, true);
}

static hf_status run_part(hf_call *c, void *arg, uint32_t i) {
  struct work *w = arg;
  struct job *j = &w->jobs[i];
  j->f.sink = &j->sink->s;
  return w->tr->run(c, w->session, &j->f);
}

static void many_files_at_once(struct bench *b) {
  if (b->m->threads != HF_THREADS_ANY) skipped("a session of it is used by one thread at a time");
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  for (uint64_t i = 0; i < 16; i++) add_download(w, "ok", 200000 + i, i, true);
  open_session(w);
  expect_ok(b, b->h->parallel(b->c, 16, 8, run_part, w), "sixteen runs at once");
  for (uint32_t i = 0; i < 16; i++) expect_received(w->jobs[i].sink, 200000 + i, i);
  close_session(w, true);
}

static void two_sessions_at_once(struct bench *b) {
  struct work *v = work_new(b, HF_TR_DOWNLOAD), *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(v, "ok", 70000, 1, true), *k = add_download(w, "ok", 80000, 2, true);
  open_session(v);
  open_session(w);
  run_ok(w, k);
  run_ok(v, j);
  close_session(v, true);
  close_session(w, true);
}

static void connections_stay_sane(struct bench *b) {
  one_succeeds(b, "ok", 96 * MIB, true);
  uint32_t n = server_requests(b->server, NULL, 0), peak = server_peak(b->server);
  EXPECT(peak <= 64, "%u requests ran at the same time for one file", peak);
  EXPECT(n <= 500, "%u requests were made for one file of 96 MiB", n);
}

#define D HF_TR_DOWNLOAD
static const struct rule rows[] = {
    {"transfer/score-moves-nothing", score_moves_nothing, 0, 0, NULL},
    {"transfer/score-as-capabilities-say", score_of_the_other_direction, 0, 0, NULL},
    {"transfer/score-of-empty-batch", score_of_an_empty_batch, 0, 0, NULL},
    {"transfer/session-without-files", session_without_files, D, 0, NULL},
    {"transfer/open-needs-no-sinks", open_needs_no_sinks, D, 0, NULL},
    {"transfer/one-file", one_file, D, 0, NULL},
    {"transfer/one-byte", one_byte, D, 0, NULL},
    {"transfer/empty-file", empty_file, D, 0, NULL},
    {"transfer/large-file", large_file, D, 0, NULL},
    {"transfer/unknown-size", unknown_size, D, 0, NULL},
    {"transfer/unknown-size-without-length", unknown_size_without_length, D, 0, NULL},
    {"transfer/server-without-ranges", server_without_ranges, D, 0, NULL},
    {"transfer/follows-redirects", follows_redirects, D, 0, NULL},
    {"transfer/keeps-the-query", keeps_the_query, D, 0, NULL},
    {"transfer/sends-no-credentials", sends_no_credentials, D, 0, NULL},
    {"transfer/asks-missing-first", asks_missing_first, D, 0, NULL},
    {"transfer/resumes-the-rest", resumes_the_rest, D | HF_TR_RESUME, 0, NULL},
    {"transfer/asks-only-for-what-is-missing", asks_only_for_what_is_missing, D | HF_TR_RESUME, 0, NULL},
    {"transfer/fills-holes", fills_holes, D, 0, NULL},
    {"transfer/resumes-where-ranges-are-refused", resumes_where_ranges_are_refused, D, 0, NULL},
    {"transfer/many-files-in-a-session", many_files_in_a_session, D, 0, NULL},
    {"transfer/many-files-at-once", many_files_at_once, D, 0, NULL},
    {"transfer/two-sessions-at-once", two_sessions_at_once, D, 0, NULL},
    {"transfer/connections-stay-sane", connections_stay_sane, D, 0, NULL},
};
const struct rules transfer_rules = {rows, COUNT(rows)};
