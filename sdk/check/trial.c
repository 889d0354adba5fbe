/* trial.c - one rule on one module: a child process with its own folder and runtime, a time limit, and a pipe on which it says
 * why it failed or was skipped. With layers the rule is tried behind them, and then once more without, in the same place: what
 * a failed call leaves behind must not be in anybody's way. */
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "judge.h"
#include "exchange.h"
#include "server.h"
#include "storage.h"

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, EXIT_GONE = 78 };

static int to_parent = -1; /* in a child */

/* ---- how a try ends ---- */

/* The number of faults, then the words and their end. */
static _Noreturn void leave(int code, const char *text) {
  char all[1100];
  uint32_t struck = (uint32_t)hf_layers_struck();
  memcpy(all, &struck, sizeof struck);
  int n = snprintf(all + sizeof struck, sizeof all - sizeof struck, "%s", text);
  size_t len = sizeof struck + ((size_t)n < sizeof all - sizeof struck ? (size_t)n : sizeof all - sizeof struck - 1);
  ssize_t w = write(to_parent, all, len + 1); /* at once: several threads may come here */
  (void)w;
  _exit(code);
}

void failed(const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  leave(EXIT_FAILED, text);
}

void skipped(const char *why) {
  leave(EXIT_SKIPPED, why);
}

void gone(void) {
  leave(EXIT_GONE, "");
}

void expect_ok(struct bench *b, hf_status st, const char *what) {
  if (st == HF_OK) return;
  const struct hf_error *e = b->h->error(b->c);
  failed("%s answered %s%s%s", what, hf_status_name(st), e ? ": " : "", e ? e->message : "");
}

void expect_fails(struct bench *b, hf_status got, hf_status want, const char *what) {
  if (got >= 0) failed("%s succeeded", what);
  if (want && got != want) {
    const struct hf_error *e = b->h->error(b->c);
    failed("%s answered %s instead of %s%s%s", what, hf_status_name(got), hf_status_name(want), e ? ": " : "",
           e ? e->message : "");
  }
  b->h->clear(b->c);
}

/* ---- the folder and the runtime of a try ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

void trial_remove(const char *folder) {
  nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void trial_environment(const char *home) {
  static const char *const drop[] = {"HF_PLUGIN_PATH", "HF_TRANSFER",
                                     "HF_STORE",       "HF_TRACE",
                                     "HF_LAYERS",      "HF_URL_REWRITE",
                                     "HF_HUB_CACHE",   "HF_HUB_OFFLINE",
                                     "http_proxy",     "HTTP_PROXY",
                                     "https_proxy",    "HTTPS_PROXY",
                                     "ALL_PROXY",      "all_proxy",
                                     "HF_PROXY",       "XDG_CACHE_HOME",
                                     "XDG_DATA_HOME",  "TRANSFORMERS_OFFLINE",
                                     "HF_TOKEN",       "HUGGING_FACE_HUB_TOKEN"};
  for (size_t i = 0; i < COUNT(drop); i++) unsetenv(drop[i]);
  setenv("HOME", home, 1);
  setenv("HF_HOME", home, 1);
}

static void say_nothing(void *arg, int32_t level, const char *line) {
  (void)arg, (void)level, (void)line;
}

hf_status trial_runtime(const struct session *s, const char *module, const char *layers, hf_runtime **rt) {
  struct hf_kv rows[40] = {{"HF_TRIES", "2"}, {"HF_STALL_TIMEOUT", "3"}, {"HF_CONNECT_TIMEOUT", "3"}};
  static char keys[32][128];
  uint32_t n = 3;
  if (layers) rows[n++] = (struct hf_kv){"HF_LAYERS", layers};
  for (uint32_t i = 0; i < s->asked->setting_count && n < COUNT(rows); i++) {
    const struct hf_kv *kv = &s->asked->settings[i];
    bool whole = strchr(kv->key, '.') || !module || strncmp(kv->key, "HF_", 3) == 0;
    snprintf(keys[i], sizeof keys[i], "%s%s%s", whole ? "" : module, whole ? "" : ".", kv->key);
    rows[n++] = (struct hf_kv){keys[i], kv->value};
  }
  struct hf_runtime_opts o = {
      .struct_size = sizeof o, .settings = HF_TABLE_N(rows, n), .plugin_path = s->plugins, .log = say_nothing};
  return hf_runtime_new(&o, rt);
}

/* ---- in the child ---- */

struct trial {
  const struct session *s;
  const struct module *m;
  const struct rule *rule;
  const char *folder, *layers;
  bool after; /* the second process of the rule */
  bool again; /* in a place that was used before: another repo, and other things may lie around */
  struct bench b;
};

static hf_status in_call(hf_call *c, void *arg) {
  struct trial *t = arg;
  struct bench *b = &t->b;
  b->c = c;
  b->h = hf_host();
  hf_call_module(c, b->m);
  if (!t->rule) return HF_OK;
  if (b->st) open_store(b);
  (t->after ? t->rule->after : t->rule->run)(b);
  if (b->st && b->store) b->st->close(b->store);
  return HF_OK;
}

static _Noreturn void run_child(struct trial *t) {
  static char uri[PATH_MAX];
  struct bench *b = &t->b;
  trial_environment(t->folder);
  b->scratch = t->folder;
  if (t->m->kind == HF_KIND_PROVIDER && t->rule && !exchange_start()) failed("the loopback server did not start");
  if (trial_runtime(t->s, t->m->name, t->layers, &b->rt)) failed("the runtime did not start: %s", hf_runtime_problem());
  check_open(b, t->m->kind, t->m->name);
  if (t->m->kind == HF_KIND_TRANSFER && t->rule && !(b->server = server_start()))
    failed("the loopback server did not start");
  b->own_uri = t->s->asked->uri != NULL || t->again;
  b->cases = t->s->asked->cases;
  snprintf(uri, sizeof uri, "%s:%s/store", t->m->name, t->folder);
  b->uri = t->s->asked->uri ? t->s->asked->uri : uri;
  /* The same repo in both processes of a rule, another one for every rule and run. */
  uint32_t mark = t->again;
  for (const char *p = t->folder; *p; p++) mark = mark * 31 + (unsigned char)*p;
  snprintf(b->repo_id, sizeof b->repo_id, "check/repo-%08x", mark);
  snprintf(b->other_id, sizeof b->other_id, "check/other-%08x", mark);
  b->repo = (struct hf_repo){"model", b->repo_id};
  b->other_repo = (struct hf_repo){"dataset", b->other_id};
  hf_op *op = hf_op_start_fn(b->rt, in_call, t, NULL);
  hf_status st = hf_op_wait(op);
  if (st != HF_OK) failed("ended with %s", hf_status_name(st));
  hf_op_free(op);
  hf_runtime_free(b->rt);
  leave(0, "");
}

/* ---- in the parent of it ---- */

/* Waits at most until the deadline; what the child wrote is in text. The wait status, or -1: it took too long. */
static int watch(pid_t pid, int from, char *text, size_t room, size_t *len, uint64_t deadline) {
  int how;
  for (*len = 0;;) {
    uint64_t now = now_ms();
    struct pollfd p = {.fd = from, .events = POLLIN};
    if (now >= deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, &how, 0);
      return -1;
    }
    if (poll(&p, 1, (int)(deadline - now)) <= 0) continue;
    ssize_t r = read(from, text + *len, room - *len);
    if (r > 0) *len += (size_t)r;
    if (r > 0 && *len < room) continue;
    while (now_ms() < deadline) { /* its end of the pipe is closed; a moment more and it is gone */
      if (waitpid(pid, &how, WNOHANG) == pid) return how;
      usleep(500);
    }
    if (waitpid(pid, &how, WNOHANG) == pid) return how;
    kill(pid, SIGKILL);
    waitpid(pid, &how, 0);
    return -1;
  }
}

/* True: the rule goes on with another process. */
static bool one_process(struct trial *t, struct verdict *v) {
  int ends[2];
  char text[1200];
  size_t len = 0;
  uint32_t limit = t->s->asked->timeout_s, struck = 0;
  v->how = FAILED;
  snprintf(v->detail, sizeof v->detail, "no process could be started for it");
  if (pipe2(ends, O_CLOEXEC)) return false;
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    to_parent = ends[1];
    run_child(t);
  }
  close(ends[1]);
  int how = pid < 0 ? -1 : watch(pid, ends[0], text, sizeof text - 1, &len, now_ms() + limit * UINT64_C(1000));
  close(ends[0]);
  if (pid < 0) return false;
  bool spoke = len >= sizeof struck;
  if (spoke) memcpy(&struck, text, sizeof struck);
  const char *words = spoke ? text + sizeof struck : "";
  text[len] = 0;
  v->struck += struck;
  bool first = t->rule && t->rule->after && !t->after;
  int code = how != -1 && WIFEXITED(how) ? WEXITSTATUS(how) : -1;
  v->detail[0] = 0;
  if (how == -1)
    snprintf(v->detail, sizeof v->detail, "took longer than %u seconds", limit);
  else if (WIFSIGNALED(how))
    snprintf(v->detail, sizeof v->detail, "crashed: %s", strsignal(WTERMSIG(how)));
  else if (!spoke)
    snprintf(v->detail, sizeof v->detail, "ended the process, with exit code %d", code);
  else if (code == EXIT_SKIPPED || code == EXIT_FAILED)
    snprintf(v->detail, sizeof v->detail, "%s", words);
  else if (code == (first ? EXIT_GONE : 0))
    v->how = HELD;
  else
    snprintf(v->detail, sizeof v->detail, "the process ended early");
  if (spoke && code == EXIT_SKIPPED) v->how = SKIPPED;
  return v->how == HELD;
}

static void both_processes(struct trial t, struct verdict *v) {
  if (!one_process(&t, v) || !t.rule || !t.rule->after) return;
  t.after = true;
  t.layers = NULL; /* what succeeded must be there without them */
  one_process(&t, v);
}

void trial_run(const struct session *s, const struct module *m, const struct rule *r, uint32_t serial,
               struct verdict *v) {
  char folder[PATH_MAX], layers[256];
  *v = (struct verdict){.how = FAILED};
  snprintf(folder, sizeof folder, "%s/%u", s->folder, serial);
  if (mkdir(folder, 0700)) {
    snprintf(v->detail, sizeof v->detail, "no folder could be made for it");
    return;
  }
  struct trial t = {.s = s, .m = m, .rule = r, .folder = folder};
  if (r && s->asked->layers) t.layers = s->asked->layers;
  if (r && s->asked->faults) { /* other calls are struck in every rule, the same ones for the same seed */
    snprintf(layers, sizeof layers, "fault:rate=0.15,seed=%u", s->asked->seed * 1000 + serial);
    t.layers = layers;
  }
  both_processes(t, v);
  /* Failing with the very fault that was injected is right; then it must work. */
  bool excused = v->how == FAILED && strstr(v->detail, "injected fault");
  if (v->struck && (v->how == HELD || excused)) {
    t.layers = NULL;
    t.again = true;
    struct verdict strict = {.how = HELD};
    if (!(m->caps & HF_ST_BLOBS)) t.rule = &storage_goes_on;
    if (m->kind == HF_KIND_STORAGE) both_processes(t, &strict);
    v->how = strict.how == FAILED ? FAILED : HELD;
    if (v->how == HELD)
      snprintf(v->detail, sizeof v->detail, "%u fault%s", v->struck, v->struck == 1 ? "" : "s");
    else
      snprintf(v->detail, sizeof v->detail, "without faults, after %u of them: %.1200s", v->struck, strict.detail);
  }
  trial_remove(folder);
}
