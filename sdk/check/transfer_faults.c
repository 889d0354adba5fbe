/* transfer_faults.c - rules of a transfer adapter when something goes wrong: servers that refuse, cut, stall or lie, disks that
 * are full, people who changed their mind.
 * The host repeats requests and judges answers; what is tried here is that the adapter lets it, and tells the truth after. */
#include <unistd.h>

#include "transfer.h"

#define MIB (1u << 20)

static void missing_file(struct bench *b) {
  one_fails(b, "missing", 100000, 0);
}
static void forbidden_without_refresh(struct bench *b) {
  one_fails(b, "forbidden", 100000, 0);
  EXPECT(server_requests(b->server, NULL, 0) <= 20, "a refused address was asked %u times",
         server_requests(b->server, NULL, 0));
}
static void server_always_broken(struct bench *b) {
  one_fails(b, "broken", 1000, 0);
}
static void server_busy_once(struct bench *b) {
  one_succeeds(b, "busy-once", 100000, true);
}
static void redirects_without_end(struct bench *b) {
  one_fails(b, "loop", 1000, 0);
  EXPECT(server_requests(b->server, NULL, 0) <= 200, "a loop of redirects was followed %u times",
         server_requests(b->server, NULL, 0));
}
static void connection_cut_once(struct bench *b) {
  one_succeeds(b, "cut-once", MIB, true);
}
static void answer_is_shorter(struct bench *b) {
  one_fails(b, "shorter", 200000, 0);
}
static void nobody_listens(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 1000, 1, true);
  snprintf(j->url, sizeof j->url, "http://127.0.0.1:1/nothing");
  open_session(w);
  expect_fails(b, run(w, j), 0, "run against a closed port");
  close_session(w, false);
}

/* Whatever comes after the promised end may not reach the file. */
static void answer_is_longer(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "longer", 200000, 5, true);
  open_session(w);
  if (run(w, j) == HF_OK) expect_received(j->sink, 200000, 5);
  b->h->clear(b->c);
  close_session(w, false);
}

/* Only the whole file comes as it was asked for. */
static void answer_is_another_range(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "wrong-range", 200000, 5, true);
  sink_hold(j->sink, 0, 100000, 5);
  open_session(w);
  hf_status st = run(w, j);
  EXPECT(same(j->sink->data, 100000, 0, 5), "bytes that the sink had were damaged");
  if (st == HF_OK)
    expect_received(j->sink, 200000, 5); /* it may ask for the whole file then */
  else
    expect_fails(b, st, 0, "run");
  close_session(w, false);
}

static void cut_keeps_what_came(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "cut", 4 * MIB, 5, true);
  open_session(w);
  hf_status st = run(w, j);
  if (st < 0) {
    const struct hf_error *e = b->h->error(b->c);
    EXPECT(j->sink->written > 0, "nothing of what arrived before the cut was written: %s", e ? e->message : "");
    EXPECT(same(j->sink->data + j->sink->held[0].off, (size_t)j->sink->held[0].len, j->sink->held[0].off, 5),
           "wrong bytes before the cut");
    b->h->clear(b->c);
  } else {
    expect_received(j->sink, 4 * MIB, 5);
  }
  close_session(w, false);
}

static void sink_failure(struct bench *b, hf_status code) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 4 * MIB, 5, true);
  j->sink->fail_at = MIB;
  j->sink->fail_with = code;
  open_session(w);
  hf_status st = run(w, j);
  EXPECT(st < 0, "run succeeded although the sink failed");
  expect_fails(b, st, code, "run into a sink that fails");
  EXPECT(server_requests(b->server, NULL, 0) <= 40, "%u requests were made although the sink fails",
         server_requests(b->server, NULL, 0));
  close_session(w, false);
}
static void disk_is_full(struct bench *b) {
  sink_failure(b, HF_ENOSPACE);
}
static void disk_fails(struct bench *b) {
  sink_failure(b, HF_EIO);
}

static void one_failure_does_not_spoil_the_session(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *bad = add_download(w, "missing", 1000, 1, true), *good = add_download(w, "ok", 90000, 2, true);
  open_session(w);
  expect_fails(b, run(w, bad), 0, "run of a file that is not there");
  run_ok(w, good);
  close_session(w, false);
}

static void run_again_after_a_failure(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 4 * MIB, 5, true);
  j->sink->fail_at = MIB;
  j->sink->fail_with = HF_EIO;
  open_session(w);
  expect_fails(b, run(w, j), 0, "run into a sink that fails");
  j->sink->fail_at = UINT64_MAX;
  run_ok(w, j);
  close_session(w, true);
}

/* ---- an address that expires ---- */

static _Atomic uint32_t refreshed;
static char fresh_url[256];
static hf_status refresh(hf_call *c, const struct hf_tr_batch *batch, struct hf_tr_file *f, const char **url) {
  (void)c, (void)batch, (void)f;
  EXPECT(++refreshed <= 10, "a fresh address was asked for %u times", refreshed);
  *url = fresh_url;
  return HF_OK;
}

static void takes_a_fresh_address(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "expired", 300000, 5, true);
  w->batch.refresh = refresh;
  server_url(b->server, fresh_url, sizeof fresh_url, "ok", 300000, 5);
  open_session(w);
  hf_status st = run(w, j);
  if (refreshed) expect_ok(b, st, "run after a fresh address was given");
  if (st == HF_OK) expect_received(j->sink, 300000, 5);
  b->h->clear(b->c);
  close_session(w, false);
  if (!refreshed) skipped("it asks for no fresh address");
}

static void fresh_address_refused_too(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "expired", 300000, 5, true);
  w->batch.refresh = refresh;
  server_url(b->server, fresh_url, sizeof fresh_url, "forbidden", 300000, 5);
  open_session(w);
  expect_fails(b, run(w, j), 0, "run with addresses that are all refused");
  close_session(w, false);
}

/* ---- stopping ---- */

struct slow_run {
  struct work *w;
  struct job *j;
  hf_status st;
  char words[200];
};
static hf_status in_own_call(hf_call *c, void *arg) {
  struct slow_run *r = arg;
  struct bench mine = *r->w->b, *was = r->w->b;
  mine.c = c;
  hf_call_module(c, mine.m);
  r->w->b = &mine;
  open_session(r->w);
  r->st = run(r->w, r->j);
  const struct hf_error *e = mine.h->error(c);
  snprintf(r->words, sizeof r->words, "%s: %s", hf_status_name(r->st), e && e->message ? e->message : "");
  r->w->tr->close(r->w->session);
  r->w->b = was;
  return r->st;
}

/* Milliseconds that the run took. */
static uint64_t stopped_run(struct bench *b, const char *behaviour, uint32_t cancel_ms, uint32_t deadline_ms,
                            struct slow_run *r) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  *r = (struct slow_run){w, add_download(w, behaviour, 8 * MIB, 5, true), HF_OK, ""};
  struct hf_watch watch = {.struct_size = sizeof watch, .deadline_ms = deadline_ms};
  uint64_t before = now_ms();
  hf_op *op = hf_op_start_fn(b->rt, in_own_call, r, &watch);
  if (cancel_ms) {
    usleep(cancel_ms * 1000);
    hf_op_cancel(op);
  }
  hf_op_wait(op);
  hf_op_free(op);
  return now_ms() - before;
}

static void respects_cancel(struct bench *b) {
  struct slow_run r;
  uint64_t took = stopped_run(b, "slow", 400, 0, &r);
  EXPECT(r.st == HF_ECANCELED, "a cancelled run answered %s", r.words);
  EXPECT(took < 2500, "a cancelled run took %llu ms more", (unsigned long long)took - 400);
}

static void respects_cancel_while_nothing_comes(struct bench *b) {
  struct slow_run r;
  uint64_t took = stopped_run(b, "stall", 400, 0, &r);
  EXPECT(r.st == HF_ECANCELED, "a cancelled run answered %s", r.words);
  EXPECT(took < 2500, "a cancelled run took %llu ms more", (unsigned long long)took - 400);
}

static void respects_the_deadline(struct bench *b) {
  struct slow_run r;
  uint64_t took = stopped_run(b, "slow", 0, 700, &r);
  EXPECT(r.st == HF_ETIMEDOUT || r.st == HF_ECANCELED, "a run past its deadline answered %s", r.words);
  EXPECT(took < 3000, "a run ended %llu ms after its deadline", (unsigned long long)took - 700);
}

static void a_stall_ends(struct bench *b) {
  one_fails(b, "stall", 400000, 0);
}

static void slow_disk_loses_nothing(struct bench *b) {
  struct work *w = work_new(b, HF_TR_DOWNLOAD);
  struct job *j = add_download(w, "ok", 8 * MIB, 5, true);
  j->sink->delay_us = 2000;
  open_session(w);
  run_ok(w, j);
  close_session(w, true);
}

#define D HF_TR_DOWNLOAD
static const struct rule rows[] = {
    {"transfer/missing-file", missing_file, D, 0, NULL},
    {"transfer/forbidden-without-refresh", forbidden_without_refresh, D, 0, NULL},
    {"transfer/server-always-broken", server_always_broken, D, 0, NULL},
    {"transfer/server-busy-once", server_busy_once, D, 0, NULL},
    {"transfer/nobody-listens", nobody_listens, D, 0, NULL},
    {"transfer/redirects-without-end", redirects_without_end, D, 0, NULL},
    {"transfer/connection-cut-once", connection_cut_once, D, 0, NULL},
    {"transfer/cut-keeps-what-came", cut_keeps_what_came, D, 0, NULL},
    {"transfer/answer-is-shorter", answer_is_shorter, D, 0, NULL},
    {"transfer/no-write-outside-the-file", answer_is_longer, D, 0, NULL},
    {"transfer/answer-is-another-range", answer_is_another_range, D, 0, NULL},
    {"transfer/disk-is-full", disk_is_full, D, 0, NULL},
    {"transfer/disk-fails", disk_fails, D, 0, NULL},
    {"transfer/one-failure-spoils-no-session", one_failure_does_not_spoil_the_session, D, 0, NULL},
    {"transfer/run-again-after-a-failure", run_again_after_a_failure, D, 0, NULL},
    {"transfer/takes-a-fresh-address", takes_a_fresh_address, D, 0, NULL},
    {"transfer/fresh-address-refused-too", fresh_address_refused_too, D, 0, NULL},
    {"transfer/respects-cancel", respects_cancel, D, 0, NULL},
    {"transfer/respects-cancel-in-a-stall", respects_cancel_while_nothing_comes, D, 0, NULL},
    {"transfer/respects-the-deadline", respects_the_deadline, D, 0, NULL},
    {"transfer/a-stall-ends", a_stall_ends, D, 0, NULL},
    {"transfer/slow-disk-loses-nothing", slow_disk_loses_nothing, D, 0, NULL},
};
const struct rules transfer_fault_rules = {rows, COUNT(rows)};
