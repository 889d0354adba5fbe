/* test_partials.c - writers that are interrupted, killed, stopped or in each other's way:
 * what survives, who continues, who may still publish, and that nothing is left behind.
 * On hub-cache; local-dir shares the code. Other processes are real ones, made with fork. */
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

#include "store_kit.h"

#define LOCKS "cache/.locks/models--org--name"
#define BLOB  "cache/models--org--name/blobs/" ETAG
#define HALF  (1u << 20)
#define BIG   (2u * HALF)

static hf_store *store;
static char *bytes; /* what the blob has */

static void begin(void) {
  kit_begin();
  store = kit_open("hub-cache", "cache");
  bytes = malloc(BIG);
  for (uint32_t i = 0; i < BIG; i++) bytes[i] = (char)(i * 2654435761u >> 13);
}

static void end(void) {
  free(bytes);
  hf_store_close(store);
  kit_end();
}

static struct hf_sink *open_sink(hf_store *s) {
  struct hf_ingest in = kit_what("big.bin", ETAG, BIG);
  struct hf_sink *sink = NULL;
  OK(hf_store_sink(kit_c, s, &in, &sink));
  return sink;
}

static void write_half(struct hf_sink *sink, int half) {
  struct hf_iov v[2] = {{bytes + half * HALF, 1000}, {bytes + half * HALF + 1000, HALF - 1000}};
  OK(sink->writev(kit_c, sink, half * (uint64_t)HALF, v, 2));
}

static hf_status seal_and_publish(hf_store *s, struct hf_sink *sink) {
  void *seal;
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  return hf_store_publish(kit_c, s, &seal, 1, kit_on_row, NULL);
}

static bool blob_is_right(void) {
  char *got = malloc(BIG + 1);
  int fd = open(at(BLOB), O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, got, BIG + 1) : -1;
  if (fd >= 0) close(fd);
  bool right = n == (ssize_t)BIG && memcmp(got, bytes, BIG) == 0;
  free(got);
  return right;
}

static bool resumed_half(struct hf_sink *sink) {
  char note[16] = "", *got = malloc(HALF);
  size_t n = 0;
  if (!(sink->caps & HF_IO_RESUMES) || !sink->note_read) return false;
  OK(sink->pread(kit_c, sink, got, HALF, 0, &n));
  bool right = n == HALF && memcmp(got, bytes, HALF) == 0;
  free(got);
  OK(sink->note_read(kit_c, sink, note, sizeof note, 0, &n));
  return right && n == 7 && memcmp(note, "journal", 7) == 0;
}

static void begin_half(struct hf_sink *sink) {
  write_half(sink, 0);
  OK(sink->note_write(kit_c, sink, "jour", 4, 0));
  OK(sink->note_write(kit_c, sink, "nalxxx", 6, 4));
  OK(sink->note_write(kit_c, sink, "", 0, 7));
}

static void nothing_left(void) {
  ck_assert_uint_eq(kit_count(at(LOCKS), "/p."), 0);
  ck_assert_uint_eq(kit_count(at(LOCKS), ".libhf/"), 0);
  ck_assert_uint_eq(kit_count(at(LOCKS), ETAG ".libhf"), 0);
}

/* A child that tells when it is ready; what it answers is its exit code. */
struct child {
  pid_t pid;
  int ready;
};

static struct child start(int (*run)(int ready)) {
  int fds[2];
  ck_assert_int_eq(pipe(fds), 0);
  struct child c = {fork(), fds[0]};
  if (c.pid == 0) {
    close(fds[0]);
    int code = run(fds[1]);
    _exit(code);
  }
  close(fds[1]);
  return c;
}

static void tell(int ready) {
  ck_assert_int_eq(write(ready, "x", 1), 1);
}

static void wait_ready(struct child *c) {
  char ch;
  ck_assert_int_eq(read(c->ready, &ch, 1), 1);
}

static int finish(struct child *c) {
  int status = 0;
  ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
  close(c->ready);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(an_interrupted_file_goes_on) {
  struct hf_sink *sink = open_sink(store);
  ck_assert(!(sink->caps & HF_IO_RESUMES));
  begin_half(sink);
  sink->abort(sink, 1);
  ck_assert(there(at(LOCKS "/" ETAG ".libhf/p.kept/data")));
  sink = open_sink(store);
  ck_assert(resumed_half(sink));
  write_half(sink, 1);
  OK(sink->checkpoint(kit_c, sink, 0));
  OK(sink->checkpoint(kit_c, sink, 1));
  OK(seal_and_publish(store, sink));
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

START_TEST(an_aborted_file_leaves_nothing) {
  struct hf_sink *sink = open_sink(store);
  begin_half(sink);
  sink->abort(sink, 0);
  nothing_left();
  sink = open_sink(store);
  sink->abort(sink, 1); /* nothing to keep */
  nothing_left();
}
END_TEST

static int die_in_the_middle(int ready) {
  begin_half(open_sink(store));
  tell(ready);
  raise(SIGKILL);
  return 0;
}

START_TEST(a_killed_writer_is_continued) {
  struct child c = start(die_in_the_middle);
  wait_ready(&c);
  ck_assert_int_eq(finish(&c), -SIGKILL);
  hf_store *fresh = kit_open("hub-cache", "cache");
  struct hf_sink *sink = open_sink(fresh);
  ck_assert(resumed_half(sink));
  write_half(sink, 1);
  OK(seal_and_publish(fresh, sink));
  ck_assert(blob_is_right());
  hf_store_close(fresh);
  nothing_left();
}
END_TEST

static int die_with_a_seal(int ready) {
  struct hf_sink *sink = open_sink(store);
  void *seal;
  begin_half(sink);
  write_half(sink, 1);
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  tell(ready);
  raise(SIGKILL);
  return 0;
}

START_TEST(killed_between_seal_and_publication) {
  struct child c = start(die_with_a_seal);
  wait_ready(&c);
  finish(&c);
  ck_assert(!there(at(BLOB)));
  struct hf_sink *sink = open_sink(store);
  ck_assert(resumed_half(sink)); /* all of it is there, the journal says how much is good */
  OK(seal_and_publish(store, sink));
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

static int die_with_small_files(int ready) {
  for (int i = 0; i < 5; i++) {
    struct hf_ingest in = kit_what("small", ETAG2, 3);
    kit_seal(store, &in, "abc", 3);
  }
  tell(ready);
  raise(SIGKILL);
  return 0;
}

START_TEST(temporaries_of_the_dead_are_removed) {
  struct child c = start(die_with_small_files);
  wait_ready(&c);
  finish(&c);
  ck_assert_uint_eq(kit_count(at(LOCKS), "/.libhf/"), 5);
  kit_put(store, "other", "cccccccccccccccccccccccccccccccccccccccc", "x");
  nothing_left();
}
END_TEST

/* The next one who only looks: nothing is received, and what the dead left goes all the same. */
static void look_and_close(hf_store *s) {
  struct hf_st_file f = {.struct_size = sizeof f};
  hf_store_find(kit_c, s, &(struct hf_name){kit_repo, COMMIT, "small"}, &f);
  hf_store_close(s);
}

START_TEST(temporaries_go_when_nothing_is_received_too) {
  struct child c = start(die_with_small_files);
  wait_ready(&c);
  finish(&c);
  look_and_close(kit_open("hub-cache", "cache"));
  nothing_left();
}
END_TEST

static int die_after_publishing(int ready) {
  struct hf_sink *sink = open_sink(store);
  begin_half(sink);
  tell(ready);
  raise(SIGKILL);
  return 0;
}

/* Killed after the rename of its data: the journal and a lease, whole or torn by a power cut, have nothing to say. */
START_TEST(what_is_left_of_a_published_partial_goes) {
  static const char *const leases[] = {"", "libhf-lease 1\nfa8943f1d17cd722-7b2d", "libhf-lease 1\n"};
  for (size_t i = 0; i < HF_COUNT(leases); i++) {
    struct child c = start(die_after_publishing);
    wait_ready(&c);
    finish(&c);
    char data[1024], key[512];
    snprintf(key, sizeof key, "%s/" ETAG ".libhf", at(LOCKS));
    DIR *d = opendir(key);
    ck_assert_ptr_nonnull(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
      if (strncmp(e->d_name, "p.", 2) != 0) continue;
      snprintf(data, sizeof data, "%s/%.200s/data", key, e->d_name);
      ck_assert_int_eq(unlink(data), 0);
    }
    closedir(d);
    write_text(at(LOCKS "/" ETAG ".libhf/lease"), leases[i]);
    look_and_close(kit_open("hub-cache", "cache"));
    nothing_left();
  }
}
END_TEST

static int write_slowly(int ready) {
  struct hf_sink *sink = open_sink(store);
  begin_half(sink);
  tell(ready);
  usleep(300000);
  write_half(sink, 1);
  return seal_and_publish(store, sink) == HF_OK ? 0 : 1;
}

START_TEST(two_processes_never_share_a_partial) {
  struct child c = start(write_slowly);
  wait_ready(&c);
  struct hf_sink *sink = open_sink(store);
  ck_assert(!(sink->caps & HF_IO_RESUMES));
  ck_assert(!sink->note_write); /* its temporary does not survive */
  struct hf_iov junk = {bytes + 5, HALF};
  OK(sink->writev(kit_c, sink, 0, &junk, 1)); /* what would ruin the other's file */
  write_half(sink, 0);
  write_half(sink, 1);
  OK(seal_and_publish(store, sink));
  ck_assert(blob_is_right());
  ck_assert_int_eq(finish(&c), 0);
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

static int race(int ready) {
  srand((unsigned)getpid());
  for (int round = 0; round < 3; round++) {
    struct hf_sink *sink = open_sink(store);
    for (int i = 0; i < 64; i++) { /* a later piece may be written twice; the first ones come last */
      size_t k = (size_t)(63 - i) * (BIG / 64);
      OK(sink->writev(kit_c, sink, k, &(struct hf_iov){bytes + k, BIG / 64}, 1));
    }
    if (rand() % 4 == 0) {
      sink->abort(sink, rand() % 2);
      continue;
    }
    if (seal_and_publish(store, sink) != HF_OK) return 1;
    if (!blob_is_right()) return 2;
  }
  tell(ready);
  return 0;
}

START_TEST(many_processes_store_the_same_blob) {
  struct child c[6];
  for (size_t i = 0; i < HF_COUNT(c); i++) c[i] = start(race);
  for (size_t i = 0; i < HF_COUNT(c); i++) ck_assert_int_eq(finish(&c[i]), 0);
  struct hf_sink *sink = open_sink(store); /* takes up what the last one may have kept */
  write_half(sink, 0);
  write_half(sink, 1);
  OK(seal_and_publish(store, sink));
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

/* ---- leases ---- */

static const struct hf_key key = {{"model", "org/name"}, ETAG};

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int hold_and_drop(int ready) {
  void *lease;
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  tell(ready);
  usleep(400000);
  hf_store_unlease(store, lease);
  return 0;
}

START_TEST(a_lease_is_waited_for) {
  void *lease;
  struct child c = start(hold_and_drop);
  wait_ready(&c);
  double from = seconds();
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  ck_assert(seconds() - from > 0.3);
  OK(hf_store_beat(kit_c, store, lease));
  ck_assert(there(at(LOCKS "/" ETAG ".libhf/lease")));
  hf_store_unlease(store, lease);
  ck_assert_int_eq(finish(&c), 0);
  nothing_left();
  ck_assert(there(at(LOCKS "/" ETAG ".lock"))); /* as the reference leaves it */
}
END_TEST

static int hold_and_die(int ready) {
  void *lease;
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  OK(hf_store_beat(kit_c, store, lease));
  begin_half(open_sink(store));
  tell(ready);
  raise(SIGKILL);
  return 0;
}

START_TEST(the_lease_of_the_dead_is_free_at_once) {
  void *lease;
  struct child c = start(hold_and_die);
  wait_ready(&c);
  finish(&c);
  double from = seconds();
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  ck_assert(seconds() - from < 1);
  struct hf_sink *sink = open_sink(store);
  ck_assert(resumed_half(sink));
  write_half(sink, 1);
  OK(seal_and_publish(store, sink));
  hf_store_unlease(store, lease);
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

static int hold_and_stop(int ready) {
  void *lease, *seal;
  OK(hf_store_lease(kit_c, store, &key, 300, &lease));
  struct hf_sink *sink = open_sink(store);
  begin_half(sink);
  OK(hf_store_beat(kit_c, store, lease));
  tell(ready);
  raise(SIGSTOP);
  if (hf_store_beat(kit_c, store, lease) != HF_ECONFLICT) return 1;
  hf_host()->clear(kit_c);
  write_half(sink, 1);
  if (sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal) != HF_OK) return 2;
  return hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL) == HF_ECONFLICT ? 0 : 3;
}

START_TEST(a_stopped_holder_is_taken_over_and_fenced) {
  void *lease;
  struct child c = start(hold_and_stop);
  wait_ready(&c);
  waitpid(c.pid, NULL, WUNTRACED);
  OK(hf_store_lease(kit_c, store, &key, 5000, &lease));
  struct hf_sink *sink = open_sink(store);
  ck_assert(resumed_half(sink)); /* a copy: the holder may wake up at any time */
  ck_assert_int_eq(kill(c.pid, SIGCONT), 0);
  ck_assert_int_eq(finish(&c), 0);
  ck_assert(!there(at(BLOB)));
  write_half(sink, 1);
  OK(hf_store_beat(kit_c, store, lease));
  OK(seal_and_publish(store, sink));
  hf_store_unlease(store, lease);
  ck_assert(blob_is_right());
  nothing_left();
}
END_TEST

static void *cancel_soon(void *call) {
  usleep(150000);
  hf_call_cancel(call);
  return NULL;
}

START_TEST(the_reference_s_lock_is_respected_and_waiting_can_be_cancelled) {
  void *lease;
  pthread_t t;
  make_dir(at(LOCKS));
  int fd = open(at(LOCKS "/" ETAG ".lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0664);
  ck_assert_int_eq(flock(fd, LOCK_EX), 0);
  ck_assert_int_eq(pthread_create(&t, NULL, cancel_soon, kit_c), 0);
  ck_assert_int_eq(hf_store_lease(kit_c, store, &key, 60000, &lease), HF_ECANCELED);
  pthread_join(t, NULL);
  close(fd);
}
END_TEST

START_TEST(where_locks_fail_the_lease_file_decides) {
  void *lease, *again;
  kit_refuse(SYS_flock, ENOLCK);
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  ck_assert(there(at(LOCKS "/" ETAG ".libhf/lease")));
  hf_store *other = kit_open("hub-cache", "cache");
  struct hf_sink *loser = open_sink(other);
  ck_assert(!loser->note_write);
  loser->abort(loser, 1);
  hf_store_unlease(store, lease);
  OK(hf_store_lease(kit_c, other, &key, 60000, &again));
  hf_store_unlease(other, again);
  hf_store_close(other);
  nothing_left();
}
END_TEST

START_TEST(and_the_dead_are_known_there_too) {
  void *lease;
  kit_refuse(SYS_flock, ENOLCK);
  struct child c = start(hold_and_die);
  wait_ready(&c);
  finish(&c);
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  struct hf_sink *sink = open_sink(store);
  write_half(sink, 0);
  write_half(sink, 1);
  OK(seal_and_publish(store, sink));
  hf_store_unlease(store, lease);
  ck_assert(blob_is_right());
}
END_TEST

/* A file system that other machines may mount: its locks are not trusted, only the file is. */
START_TEST(where_locks_may_lie_the_lease_file_decides_too) {
  void *lease, *again;
  kit_refuse(SYS_fstatfs, EPERM);
  OK(hf_store_lease(kit_c, store, &key, 400, &lease));
  ck_assert(there(at(LOCKS "/" ETAG ".libhf/lease")));
  int fd = open(at(LOCKS "/" ETAG ".lock"), O_RDWR | O_CLOEXEC);
  unlink(at(LOCKS "/" ETAG ".lock")); /* now everybody gets the lock */
  hf_store *other = kit_open("hub-cache", "cache");
  double from = seconds();
  OK(hf_store_lease(kit_c, other, &key, 60000, &again)); /* after a heartbeat failed to come */
  ck_assert(seconds() - from > 0.35);
  FAILS(HF_ECONFLICT, hf_store_beat(kit_c, store, lease));
  OK(hf_store_beat(kit_c, other, again));
  hf_store_unlease(store, lease);
  OK(hf_store_beat(kit_c, other, again)); /* what the old holder lost it does not remove */
  hf_store_unlease(other, again);
  hf_store_close(other);
  close(fd);
  struct child c = start(hold_and_die);
  wait_ready(&c);
  finish(&c);
  from = seconds();
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  ck_assert(seconds() - from < 1); /* same machine, same boot: known to be dead */
  struct hf_sink *sink = open_sink(store);
  ck_assert(resumed_half(sink));
  sink->abort(sink, 0);
  hf_store_unlease(store, lease);
  nothing_left();
}
END_TEST

START_TEST(a_lease_dropped_too_early_lasts_until_the_file_is_there) {
  void *lease, *seal;
  OK(hf_store_lease(kit_c, store, &key, 60000, &lease));
  struct hf_sink *sink = open_sink(store);
  write_half(sink, 0);
  write_half(sink, 1);
  OK(sink->seal(kit_c, sink, &(struct hf_digest){0}, &seal));
  hf_store_unlease(store, lease);
  hf_store *other = kit_open("hub-cache", "cache");
  struct hf_sink *loser = open_sink(other);
  ck_assert(!loser->note_write);
  loser->abort(loser, 0);
  OK(hf_store_publish(kit_c, store, &seal, 1, kit_on_row, NULL));
  ck_assert(blob_is_right());
  nothing_left();
  OK(hf_store_lease(kit_c, other, &key, 60000, &lease));
  hf_store_unlease(other, lease);
  hf_store_close(other);
}
END_TEST

START_TEST(a_full_disk_keeps_what_arrived) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return; /* needs root */
  make_dir(at("cache"));
  ck_assert_int_eq(mount("tmpfs", at("cache"), "tmpfs", 0, "size=4m"), 0);
  struct hf_ingest in = kit_what("big.bin", ETAG, 8u << 20);
  struct hf_sink *sink;
  ck_assert_int_eq(hf_store_sink(kit_c, store, &in, &sink), HF_ENOSPACE); /* before the first byte */
  hf_host()->clear(kit_c);
  in = kit_what("big.bin", ETAG, HF_SIZE_UNKNOWN);
  OK(hf_store_sink(kit_c, store, &in, &sink));
  OK(sink->note_write(kit_c, sink, "journal", 7, 0));
  hf_status st = HF_OK;
  uint64_t off = 0;
  for (; st == HF_OK && off < 8u << 20; off += HALF)
    st = sink->writev(kit_c, sink, off, &(struct hf_iov){bytes, HALF}, 1);
  ck_assert_int_eq(st, HF_ENOSPACE);
  ck_assert_int_eq(hf_host()->error(kit_c)->sys_errno, ENOSPC);
  hf_host()->clear(kit_c);
  sink->abort(sink, 1);
  OK(hf_store_sink(kit_c, store, &in, &sink));
  ck_assert(resumed_half(sink));
  sink->abort(sink, 0);
  nothing_left();
  hf_store_close(store);
  ck_assert_int_eq(umount2(at("cache"), MNT_DETACH), 0);
  store = kit_open("hub-cache", "cache");
}
END_TEST

/* ---- many threads, one store ---- */

static void *store_many(void *arg) {
  int id = *(int *)arg;
  hf_call *c;
  ck_assert_int_eq(hf_call_begin(kit_rt, &c), HF_OK);
  for (int i = 0; i < 60; i++) {
    char path[64], etag[64], text[32];
    void *seal;
    struct hf_sink *sink;
    snprintf(path, sizeof path, "t%d/%d/f", id, i);
    snprintf(etag, sizeof etag, "%040d", i); /* the same blobs in every thread */
    snprintf(text, sizeof text, "content %d", i);
    struct hf_ingest in = kit_what(path, etag, strlen(text));
    ck_assert_int_eq(hf_store_sink(c, store, &in, &sink), HF_OK);
    ck_assert_int_eq(sink->writev(c, sink, 0, &(struct hf_iov){text, strlen(text)}, 1), HF_OK);
    ck_assert_int_eq(sink->seal(c, sink, &(struct hf_digest){0}, &seal), HF_OK);
    hf_status st = hf_store_publish(c, store, &seal, 1, kit_skip_row, NULL);
    ck_assert_msg(st == HF_OK, "%s", hf_host()->error(c)->message);
  }
  hf_call_end(c);
  return NULL;
}

START_TEST(threads_share_a_store) {
  pthread_t t[4];
  int ids[4];
  hf_store_close(store);
  OK(hf_call_option(kit_c, "durability", "none"));
  store = kit_open("hub-cache", "cache");
  for (int i = 0; i < 4; i++) {
    ids[i] = i;
    ck_assert_int_eq(pthread_create(&t[i], NULL, store_many, &ids[i]), 0);
  }
  for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
  for (int i = 0; i < 60; i++) {
    char text[32];
    snprintf(text, sizeof text, "content %d", i);
    ck_assert_str_eq(file_text(at("cache/models--org--name/snapshots/" COMMIT "/t%d/%d/f", i % 4, i)), text);
  }
  nothing_left();
}
END_TEST

int main(void) {
  Suite *s = suite_create("partials");
  TCase *t = tcase_create("writers");
  tcase_add_checked_fixture(t, begin, end);
  tcase_set_timeout(t, 60);
  tcase_add_test(t, an_interrupted_file_goes_on);
  tcase_add_test(t, an_aborted_file_leaves_nothing);
  tcase_add_test(t, a_killed_writer_is_continued);
  tcase_add_test(t, killed_between_seal_and_publication);
  tcase_add_test(t, temporaries_of_the_dead_are_removed);
  tcase_add_test(t, temporaries_go_when_nothing_is_received_too);
  tcase_add_test(t, what_is_left_of_a_published_partial_goes);
  tcase_add_test(t, two_processes_never_share_a_partial);
  tcase_add_test(t, many_processes_store_the_same_blob);
  tcase_add_test(t, a_lease_is_waited_for);
  tcase_add_test(t, the_lease_of_the_dead_is_free_at_once);
  tcase_add_test(t, a_stopped_holder_is_taken_over_and_fenced);
  tcase_add_test(t, the_reference_s_lock_is_respected_and_waiting_can_be_cancelled);
  tcase_add_test(t, where_locks_fail_the_lease_file_decides);
  tcase_add_test(t, and_the_dead_are_known_there_too);
  tcase_add_test(t, where_locks_may_lie_the_lease_file_decides_too);
  tcase_add_test(t, a_lease_dropped_too_early_lasts_until_the_file_is_there);
  tcase_add_test(t, a_full_disk_keeps_what_arrived);
  tcase_add_test(t, threads_share_a_store);
  suite_add_tcase(s, t);
  return kit_run(s);
}
