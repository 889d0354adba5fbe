/* judge.c - runs the rules: reads the file, then a child process per rule with its own folder and runtime, a time limit, and
 * a pipe on which it says why it failed or was skipped.
 * The plugin under judgement is found first: a folder with one link to it is the first place that is searched. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "server.h"

enum { EXIT_FAILED = 1, EXIT_SKIPPED = 77, EXIT_GONE = 78 };

struct module {
  uint32_t kind;
  char name[32];
  uint64_t caps;
};
struct session {
  const struct asked *asked;
  struct verdicts v;
  char real[PATH_MAX], folder[64], plugins[PATH_MAX];
  struct module modules[16];
  uint32_t count;
};

static int to_parent = -1; /* in a child */

/* ---- how a try ends ---- */

void failed(const char *fmt, ...) {
  char text[1024];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (n > (int)sizeof text - 1) n = (int)sizeof text - 1;
  ssize_t w = write(to_parent, text, (size_t)(n > 0 ? n : 0));
  (void)w;
  _exit(EXIT_FAILED);
}

void skipped(const char *why) {
  ssize_t w = write(to_parent, why, strlen(why));
  (void)w;
  _exit(EXIT_SKIPPED);
}

void gone(void) {
  _exit(EXIT_GONE);
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

/* ---- output ---- */

static void json_text(const char *s) {
  putchar('"');
  for (; s && *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      printf("\\%c", c);
    else if (c < 0x20 || c >= 0x7f) /* from a plugin: it may be anything */
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

void say(struct verdicts *v, const char *rule, const char *result, const char *detail) {
  if (v->only && !strstr(rule, v->only)) return;
  v->passed += strcmp(result, "ok") == 0;
  v->failures += strcmp(result, "failed") == 0;
  v->skips += strcmp(result, "skipped") == 0;
  if (v->json) {
    printf("{\"rule\": ");
    json_text(rule);
    printf(", \"result\": \"%s\", \"detail\": ", result);
    json_text(detail);
    puts("}");
  } else {
    char dots[64];
    int n = 44 - (int)strlen(rule);
    memset(dots, '.', sizeof dots);
    printf("%s %.*s %s%s%s\n", rule, n > 3 ? n : 3, dots, strcmp(result, "failed") == 0 ? "FAILED" : result,
           detail && *detail ? ": " : "", detail ? detail : "");
  }
  fflush(stdout);
}

/* ---- the folder of a try ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)st, (void)type, (void)ftw;
  return remove(path);
}

static void remove_all(const char *path) {
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Nothing of the user's configuration may decide. */
static void quiet_environment(const char *home) {
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

static hf_status open_runtime(const struct session *s, const char *module, hf_runtime **rt) {
  struct hf_kv rows[40] = {{"HF_TRIES", "2"}, {"HF_STALL_TIMEOUT", "3"}, {"HF_CONNECT_TIMEOUT", "3"}};
  static char keys[32][128];
  uint32_t n = 3;
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

/* ---- a try ---- */

struct trial {
  const struct session *s;
  const struct module *m;
  const struct rule *rule;
  bool after;
  struct bench b;
};

static hf_status in_call(hf_call *c, void *arg) {
  struct trial *t = arg;
  struct bench *b = &t->b;
  b->c = c;
  b->h = hf_host();
  hf_call_module(c, b->m);
  if (!t->rule) return HF_OK;
  if (b->st) expect_ok(b, b->st->open(c, b->uri, &b->store), "open");
  (t->after ? t->rule->after : t->rule->run)(b);
  if (b->st && b->store) b->st->close(b->store);
  return HF_OK;
}

static void run_child(struct trial *t, const char *folder) {
  static char uri[PATH_MAX];
  struct bench *b = &t->b;
  quiet_environment(folder);
  b->scratch = folder;
  if (open_runtime(t->s, t->m->name, &b->rt)) failed("the runtime did not start: %s", hf_runtime_problem());
  check_open(b, t->m->kind, t->m->name);
  if (t->m->kind == HF_KIND_TRANSFER && t->rule && !(b->server = server_start()))
    failed("the loopback server did not start");
  b->own_uri = t->s->asked->uri != NULL;
  snprintf(uri, sizeof uri, "%s:%s/store", t->m->name, folder);
  b->uri = b->own_uri ? t->s->asked->uri : uri;
  /* The same repo in both processes of a rule, another one for every rule and run. */
  uint32_t mark = 0;
  for (const char *p = folder; *p; p++) mark = mark * 31 + (unsigned char)*p;
  snprintf(b->repo_id, sizeof b->repo_id, "check/repo-%08x", mark);
  snprintf(b->other_id, sizeof b->other_id, "check/other-%08x", mark);
  b->repo = (struct hf_repo){"model", b->repo_id};
  b->other_repo = (struct hf_repo){"dataset", b->other_id};
  hf_op *op = hf_op_start_fn(b->rt, in_call, t, NULL);
  hf_status st = hf_op_wait(op);
  if (st != HF_OK) failed("ended with %s", hf_status_name(st));
  hf_op_free(op);
  hf_runtime_free(b->rt);
  _exit(0);
}

/* Waits at most until the deadline; what the child wrote is in text. The wait status, or -1: it took too long. */
static int watch(pid_t pid, int from, char *text, size_t room, uint64_t deadline) {
  size_t n = 0;
  int how;
  for (;;) {
    uint64_t now = now_ms();
    struct pollfd p = {.fd = from, .events = POLLIN};
    if (now >= deadline) {
      kill(pid, SIGKILL);
      waitpid(pid, &how, 0);
      text[n] = 0;
      return -1;
    }
    if (poll(&p, 1, (int)(deadline - now)) <= 0) continue;
    ssize_t r = read(from, text + n, room - 1 - n);
    if (r > 0) n += (size_t)r;
    if (r > 0 && n + 1 < room) continue;
    text[n] = 0;
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

/* True: go on with the next process of this rule. */
static bool one_process(struct session *s, const struct module *m, const struct rule *r, bool after, const char *name,
                        const char *folder) {
  int ends[2];
  char text[1200] = "", detail[1400];
  if (pipe2(ends, O_CLOEXEC)) return false;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    to_parent = ends[1];
    struct trial t = {.s = s, .m = m, .rule = r, .after = after};
    run_child(&t, folder);
  }
  close(ends[1]);
  int how = pid < 0 ? -1 : watch(pid, ends[0], text, sizeof text, now_ms() + s->asked->timeout_s * UINT64_C(1000));
  close(ends[0]);
  bool first = r && r->after && !after;
  if (how == -1) {
    snprintf(detail, sizeof detail, "took longer than %u seconds", s->asked->timeout_s);
    say(&s->v, name, "failed", detail);
  } else if (WIFSIGNALED(how)) {
    snprintf(detail, sizeof detail, "crashed: %s", strsignal(WTERMSIG(how)));
    say(&s->v, name, "failed", detail);
  } else if (WEXITSTATUS(how) == EXIT_SKIPPED) {
    say(&s->v, name, "skipped", text);
  } else if (first && WEXITSTATUS(how) == EXIT_GONE) {
    return true;
  } else if (WEXITSTATUS(how) == 0 && !first) {
    say(&s->v, name, "ok", NULL);
    return true;
  } else {
    say(&s->v, name, "failed", text[0] ? text : "the process ended early");
  }
  return false;
}

static bool try_rule(struct session *s, const struct module *m, const struct rule *r, const char *name) {
  char folder[PATH_MAX];
  static unsigned serial;
  snprintf(folder, sizeof folder, "%s/%u", s->folder, serial++);
  if (mkdir(folder, 0700)) return false;
  bool ok = one_process(s, m, r, false, name, folder);
  if (ok && r && r->after) ok = one_process(s, m, r, true, name, folder);
  remove_all(folder);
  return ok;
}

static void try_rules(struct session *s, const struct module *m, const struct rules *list) {
  for (uint32_t i = 0; i < list->count; i++) {
    const struct rule *r = &list->rows[i];
    if (s->v.only && !strstr(r->name, s->v.only)) continue;
    if ((r->caps & m->caps) != r->caps || (r->without & m->caps))
      say(&s->v, r->name, "skipped", "not among its capabilities");
    else
      try_rule(s, m, r, r->name);
  }
}

/* ---- the file ---- */

static int take_module(void *arg, const struct hf_plugin_info *i) {
  struct session *s = arg;
  if (i->kind && s->count < COUNT(s->modules)) {
    struct module *m = &s->modules[s->count++];
    m->kind = i->kind, m->caps = i->caps;
    snprintf(m->name, sizeof m->name, "%s", i->name);
  }
  return 0;
}

static int find_chosen(void *arg, const struct hf_plugin_info *i) {
  struct session *s = arg;
  for (uint32_t k = 0; k < s->count; k++)
    if (i->kind == s->modules[k].kind && strcmp(i->name, s->modules[k].name) == 0 && i->refused && i->file &&
        strncmp(i->file, s->folder, strlen(s->folder)) == 0) {
      char detail[512];
      snprintf(detail, sizeof detail, "%s %s", i->name, i->refused);
      say(&s->v, "abi/free-names", "failed", detail);
      s->count = 0;
    }
  return s->count == 0;
}

/* The link, by a name that the loader looks at. */
static bool arrange(struct session *s) {
  char link[PATH_MAX + 32];
  if (!realpath(s->asked->file, s->real)) {
    fprintf(stderr, "hf-plugin-check: %s: %s\n", s->asked->file, strerror(errno));
    return false;
  }
  snprintf(s->folder, sizeof s->folder, "/tmp/hf-plugin-check-XXXXXX");
  if (!mkdtemp(s->folder)) {
    fprintf(stderr, "hf-plugin-check: no folder in /tmp: %s\n", strerror(errno));
    return false;
  }
  snprintf(s->plugins, sizeof s->plugins, "%s/plugins", s->folder);
  snprintf(link, sizeof link, "%s/hf-judged.so", s->plugins);
  if (mkdir(s->plugins, 0700) || symlink(s->real, link)) return false;
  return true;
}

/* The runtime of the parent is gone before the first child is made: no thread and no lock crosses a fork. */
static bool check_outside(struct session *s) {
  hf_runtime *rt;
  quiet_environment(s->folder);
  if (open_runtime(s, NULL, &rt)) {
    fprintf(stderr, "hf-plugin-check: %s\n", hf_runtime_problem());
    return false;
  }
  bool ok = check_file(&s->v, rt, s->real);
  if (ok) {
    hf_plugin_read(rt, s->real, take_module, s, NULL);
    hf_plugin_each(rt, find_chosen, s);
    if (s->count) say(&s->v, "abi/free-names", "ok", NULL);
  }
  hf_runtime_free(rt);
  return ok;
}

int judge(const struct asked *a) {
  static const char *const kinds[] = {"", "transfer", "storage", "provider", "tasks"};
  struct session s = {.asked = a, .v = {.json = a->json, .only = a->only}};
  signal(SIGPIPE, SIG_IGN);
  bool ready = arrange(&s);
  if (ready && check_outside(&s))
    for (uint32_t i = 0; i < s.count; i++) {
      const struct module *m = &s.modules[i];
      char name[64];
      snprintf(name, sizeof name, "%s/opens", kinds[m->kind]);
      const char *only = s.v.only; /* what does not open cannot be tried */
      s.v.only = NULL;
      bool opens = try_rule(&s, m, NULL, name);
      s.v.only = only;
      if (!opens) continue;
      if (m->kind == HF_KIND_STORAGE) {
        try_rules(&s, m, &storage_store_rules);
        try_rules(&s, m, &storage_sink_rules);
        try_rules(&s, m, &storage_group_rules);
      } else if (m->kind == HF_KIND_TRANSFER) {
        try_rules(&s, m, &transfer_rules);
        try_rules(&s, m, &transfer_fault_rules);
      } else if (m->kind == HF_KIND_PROVIDER) {
        try_rules(&s, m, &provider_rules);
      }
    }
  if (s.folder[0]) remove_all(s.folder);
  if (!ready) return -1;
  if (!a->json)
    printf("%s: %u rules hold, %u are broken, %u were skipped\n", a->file, s.v.passed, s.v.failures, s.v.skips);
  return (int)s.v.failures;
}
